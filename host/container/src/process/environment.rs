//! `process.args` and `process.env` as execve(2) takes them.

use std::collections::HashSet;
use std::ffi::CString;

use jail::ExecArgs;
use oci_spec::runtime::Process;

use super::invalid::{InvalidProcess, Reason};
use super::program::Search;

const ARGS: &str = "process.args";
const ENV: &str = "process.env";

/// Where a program is looked for if the environment has no `PATH`, as Docker does.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the program is given.
#[derive(Debug)]
pub(super) struct Environment {
    args: Vec<CString>,
    /// Each name once.
    variables: Vec<CString>,
    /// The program as it was asked for.
    pub(super) program: String,
    /// Where it is looked for.
    pub(super) path: String,
    has_home: bool,
}

impl Environment {
    /// `listen_fds`: how many sockets the program inherits by the protocol of sd_listen_fds(3).
    pub(super) fn new(process: &Process, listen_fds: u32) -> Result<Self, InvalidProcess> {
        let args = process.args().as_deref().unwrap_or_default();
        let program = args.first().ok_or_else(|| InvalidProcess::missing(ARGS))?.clone();
        let mut variables = process.env().clone().unwrap_or_default();
        if listen_fds > 0 {
            variables.extend([format!("LISTEN_FDS={listen_fds}"), "LISTEN_PID=1".to_owned()]);
        }
        let variables = deduplicate(&variables)?;
        let value = |name: &str| variables.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
        Ok(Self {
            program,
            path: value("PATH").unwrap_or(DEFAULT_PATH).to_owned(),
            has_home: value("HOME").is_some_and(|home| !home.is_empty()),
            args: terminated(ARGS, args)?,
            variables: terminated(ENV, &variables)?,
        })
    }

    /// Whether where the program is depends on the working directory.
    pub(super) fn is_relative(&self) -> bool {
        match self.program.contains('/') {
            true => !self.program.starts_with('/'),
            false => self.path.split(':').any(|directory| !directory.starts_with('/')),
        }
    }

    /// A search for the program.
    pub(super) fn search(&self) -> Search<'_> {
        Search::new(&self.program, &self.path)
    }

    /// Whether the home directory has yet to be found out.
    pub(super) fn needs_home(&self) -> bool {
        !self.has_home
    }

    /// Both vectors; `home` is added where the environment has none.
    pub(super) fn exec_args(&self, home: Option<&str>) -> ExecArgs {
        let mut variables = self.variables.clone();
        if let Some(home) = home.filter(|_| !self.has_home).and_then(|home| CString::new(format!("HOME={home}")).ok()) {
            variables.retain(|variable| !variable.as_bytes().starts_with(b"HOME="));
            variables.push(home);
        }
        ExecArgs::new(self.args.clone(), variables)
    }
}

/// Of variables with the same name the last is the one that counts, as in runc.
fn deduplicate(variables: &[String]) -> Result<Vec<&str>, InvalidProcess> {
    let mut seen = HashSet::with_capacity(variables.len());
    let mut kept = Vec::with_capacity(variables.len());
    for variable in variables.iter().rev() {
        let name = match variable.split_once('=') {
            Some((name, _)) if !name.is_empty() => name,
            _ => return Err(InvalidProcess::value(ENV, format!("{variable:?}"), "NAME=VALUE for each variable")),
        };
        if seen.insert(name) {
            kept.push(variable.as_str());
        }
    }
    kept.reverse();
    Ok(kept)
}

fn terminated(field: &'static str, strings: &[impl AsRef<str>]) -> Result<Vec<CString>, InvalidProcess> {
    let one = |text: &str| {
        CString::new(text).map_err(|_| InvalidProcess { field, reason: Reason::ZeroByte(text.to_owned()) })
    };
    strings.iter().map(|text| one(text.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(args: &[&str], env: &[&str]) -> Process {
        let mut process = Process::default();
        let owned = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect::<Vec<_>>());
        process.set_args(owned(args)).set_env(owned(env));
        process
    }

    fn variables(environment: &Environment) -> Vec<&str> {
        environment.variables.iter().map(|variable| variable.to_str().unwrap()).collect()
    }

    #[test]
    fn the_last_of_a_name_counts() {
        let environment = Environment::new(&process(&["x"], &["A=1", "PATH=/a", "A=2=3", "PATH=/b"]), 0).unwrap();
        assert_eq!(variables(&environment), ["A=2=3", "PATH=/b"]);
        assert_eq!(environment.path, "/b");
        assert!(environment.needs_home());
        assert_eq!(Environment::new(&process(&["x"], &[]), 0).unwrap().path, DEFAULT_PATH);
    }

    #[test]
    fn sockets_are_announced() {
        let environment = Environment::new(&process(&["x"], &["HOME=/h", "LISTEN_PID=77"]), 2).unwrap();
        assert_eq!(variables(&environment), ["HOME=/h", "LISTEN_FDS=2", "LISTEN_PID=1"]);
        assert!(!environment.needs_home());
    }

    #[test]
    fn what_no_program_can_be_given() {
        assert_eq!(Environment::new(&process(&[], &[]), 0).unwrap_err(), InvalidProcess::missing(ARGS));
        for env in ["NAME", "=value", ""] {
            assert_eq!(Environment::new(&process(&["x"], &[env]), 0).unwrap_err().field, ENV, "{env}");
        }
        assert_eq!(Environment::new(&process(&["x"], &["A=\0"]), 0).unwrap_err().field, ENV);
        assert_eq!(Environment::new(&process(&["x", "\0"], &[]), 0).unwrap_err().field, ARGS);
    }
}
