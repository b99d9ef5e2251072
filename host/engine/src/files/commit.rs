use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use image::{Change, Commit, Reference};

use super::archive::Archive;
use super::changes::{ChangeKind, Upper};
use crate::{Engine, Error, Health};

/// How a container becomes an image.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// Changes of the configuration, as instructions of a Dockerfile.
    pub changes: Vec<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Why.
    pub message: Option<String>,
    /// Freeze the container meanwhile.
    pub pause: bool,
}

impl Engine {
    /// Makes an image of a container's image and what the container has changed in it; gives the new image's digest.
    pub fn commit(&self, what: &str, name: &str, request: &CommitRequest) -> Result<String, Error> {
        let instance = self.container(what, "commit")?;
        let changes = request.changes.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        let name: Reference = name.parse()?;
        let store = self.images()?;
        let base = store.resolve(&instance.plan.image_digest.parse()?)?;
        let freeze = request.pause && instance.health == Health::Running;
        if freeze {
            self.pause(what)?;
        }
        let commit = Commit {
            base: &base,
            name,
            changes,
            created_by: crate::command_line(&instance.plan.process.args),
            author: request.author.clone(),
            message: request.message.clone(),
            created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        };
        let upper = Upper::open(&instance);
        let made = upper.and_then(|upper| {
            let layer = |out: &mut dyn Write| write_layer(upper.as_ref(), out);
            Ok(image::commit(&store, &commit, layer, &mut |_| {})?)
        });
        if freeze {
            self.unpause(what)?;
        }
        let digest = made?.digest.to_string();
        crate::events::write(&self.paths, &instance.plan, "commit", &[("imageID", &digest)]);
        Ok(digest)
    }
}

/// A layer as other tools write it: what is gone is marked by files whose names begin with `.wh.` (image-spec, layer.md).
fn write_layer(upper: Option<&Upper>, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = Archive::new(out);
    if let Some(upper) = upper {
        let walked = upper.walk(&mut |step| {
            match (step.kind, &step.place) {
                (ChangeKind::Deleted, _) => {
                    let mut name = OsString::from(".wh.");
                    name.push(step.path.file_name().unwrap_or_default());
                    archive.add_mark(&step.path.with_file_name(name))?;
                }
                (_, Some((dir, name, stat))) => archive.add(*dir, name, step.path, stat)?,
                (_, None) => {}
            }
            if step.opaque { archive.add_mark(&step.path.join(".wh..wh..opq")) } else { Ok(()) }
        });
        walked.map_err(io::Error::other)?;
    }
    archive.finish()
}

/// An instruction of a Dockerfile.
fn parse(text: &str) -> Result<Change, Error> {
    let bad = |why: &str| Error::Invalid(format!("--change '{text}': {why}"));
    let (word, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(|| bad("write INSTRUCTION VALUE"))?;
    let rest = rest.trim();
    let pair = || {
        let (name, value) =
            rest.split_once('=').or_else(|| rest.split_once(' ')).ok_or_else(|| bad("write NAME=VALUE"))?;
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        Ok::<_, Error>((name.trim().to_owned(), unquoted.to_owned()))
    };
    Ok(match word.to_ascii_uppercase().as_str() {
        "CMD" => Change::Cmd(arguments(rest)),
        "ENTRYPOINT" => Change::Entrypoint(arguments(rest)),
        "ENV" => pair().map(|(name, value)| Change::Env(name, value))?,
        "LABEL" => pair().map(|(name, value)| Change::Label(name, value))?,
        "EXPOSE" => Change::Expose(if rest.contains('/') { rest.to_owned() } else { format!("{rest}/tcp") }),
        "USER" => Change::User(rest.to_owned()),
        "VOLUME" => Change::Volume(rest.to_owned()),
        "WORKDIR" if Path::new(rest).is_absolute() => Change::WorkingDir(rest.to_owned()),
        "WORKDIR" => return Err(bad("the directory must be absolute")),
        "STOPSIGNAL" => {
            crate::parse_signal(rest).map_err(|error| bad(&error.to_string()))?;
            Change::StopSignal(rest.to_owned())
        }
        _ => return Err(bad("the instructions are CMD ENTRYPOINT ENV EXPOSE LABEL STOPSIGNAL USER VOLUME WORKDIR")),
    })
}

/// A JSON list of arguments, or a command for a shell.
fn arguments(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| ["/bin/sh", "-c", text].map(str::to_owned).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions() {
        let list = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(parse(r#"CMD ["a","b c"]"#).unwrap(), Change::Cmd(list(&["a", "b c"])));
        assert_eq!(parse("entrypoint run me").unwrap(), Change::Entrypoint(list(&["/bin/sh", "-c", "run me"])));
        assert_eq!(parse("ENV A=b=c").unwrap(), Change::Env("A".into(), "b=c".into()));
        assert_eq!(parse("LABEL who \"the crew\"").unwrap(), Change::Label("who".into(), "the crew".into()));
        assert_eq!(parse("EXPOSE 80").unwrap(), Change::Expose("80/tcp".into()));
        for bad in ["", "CMD", "ENV A", "RUN ls", "WORKDIR here", "STOPSIGNAL none"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
