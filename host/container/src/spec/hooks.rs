use oci_spec::runtime::{Hook, Spec};

use super::{InvalidSpec, Problem};

/// Hooks have an absolute path and, if any, a limit of at least a second.
#[allow(deprecated, reason = "prestart hooks are still part of the specification")]
pub(super) fn check(spec: &Spec) -> Result<(), InvalidSpec> {
    let Some(hooks) = spec.hooks().as_ref() else { return Ok(()) };
    for (point, list) in [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ] {
        for (index, hook) in list.iter().flatten().enumerate() {
            one(&format!("hooks.{point}[{index}]"), hook)?;
        }
    }
    Ok(())
}

fn one(field: &str, hook: &Hook) -> Result<(), InvalidSpec> {
    let at = |name: &str| format!("{field}.{name}");
    if !hook.path().is_absolute() {
        return Err(InvalidSpec::new(at("path"), Problem::NotAbsolute(hook.path().display().to_string())));
    }
    let zero = |texts: &Option<Vec<String>>| texts.iter().flatten().any(|text| text.contains('\0'));
    for (name, texts) in [("args", hook.args()), ("env", hook.env())] {
        if zero(texts) {
            return Err(InvalidSpec::new(at(name), Problem::NotText));
        }
    }
    match hook.timeout() {
        Some(value) if value < 1 => {
            Err(InvalidSpec::new(at("timeout"), Problem::OutOfRange { value, least: 1, most: i64::MAX }))
        }
        _ => Ok(()),
    }
}
