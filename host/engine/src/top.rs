//! The processes of an instance.

use std::process::Command;

use crate::{Engine, Error};

/// A table of processes, as ps(1) prints it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Processes {
    /// The columns' names.
    pub titles: Vec<String>,
    /// One row for each process.
    pub processes: Vec<Vec<String>>,
}

impl Engine {
    /// The processes of an instance as the host sees them: those of a container, the one of a unikernel, the machine monitor of
    /// a microVM. `options` are those of ps(1), which must show the column `PID`; `-ef` if there are none.
    pub fn top(&self, what: &str, options: &[String]) -> Result<Processes, Error> {
        let instance = self.running(what)?;
        let pids = crate::groups::processes(&instance.plan)?;
        let default = ["-ef".to_owned()];
        let options = if options.is_empty() { &default[..] } else { options };
        // By number: left to itself, ps shows only processes that have the caller's terminal.
        let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let mut output = ps(options, &["-q", &list.join(",")])?;
        if !output.status.success() {
            output = ps(options, &[])?;
        }
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Invalid(format!("ps {}: {said}", options.join(" "))));
        }
        select(&String::from_utf8_lossy(&output.stdout), &pids).ok_or_else(|| {
            Error::Invalid("the options of ps must show the column PID, for example: -o pid,user,args".to_owned())
        })
    }
}

fn ps(options: &[String], more: &[&str]) -> Result<std::process::Output, Error> {
    let output = Command::new("ps").args(options).args(more).output();
    output.map_err(|e| Error::System("running ps; install the package procps", e))
}

/// The rows of these processes; `None` without a column PID.
fn select(text: &str, pids: &[i32]) -> Option<Processes> {
    let mut lines = text.lines();
    let titles: Vec<String> = lines.next()?.split_whitespace().map(str::to_owned).collect();
    let at = titles.iter().position(|title| title == "PID")?;
    let rows = lines.filter_map(|line| {
        let row = split(line, titles.len());
        row.get(at)?.parse().is_ok_and(|pid: i32| pids.contains(&pid)).then_some(row)
    });
    Some(Processes { processes: rows.collect(), titles })
}

/// The last column, the command, may hold spaces.
fn split(line: &str, columns: usize) -> Vec<String> {
    let mut row = Vec::new();
    let mut rest = line.trim();
    while row.len() + 1 < columns && !rest.is_empty() {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        row.push(word.to_owned());
        rest = after.trim_start();
    }
    row.push(rest.to_owned());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_their_process() {
        let text = "UID   PID  CMD\nroot    1  init\nredis  42  redis-server *:6379  --save\n";
        let found = select(text, &[42, 7]).unwrap();
        assert_eq!(found.processes, [["redis", "42", "redis-server *:6379  --save"]]);
        assert_eq!(select("USER CMD\nroot init\n", &[1]), None);
    }
}
