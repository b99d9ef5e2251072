use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{InvalidSpec, Namespaces, Problem};

/// An interface of the host that is moved into the container.
#[derive(Debug)]
pub(crate) struct NetDevice<'a> {
    pub(crate) name: &'a str,
    /// Its name inside.
    pub(crate) new_name: &'a str,
}

pub(super) fn all<'a>(linux: &'a Linux, namespaces: &Namespaces<'_>) -> Result<Vec<NetDevice<'a>>, InvalidSpec> {
    let Some(devices) = linux.net_devices().as_ref().filter(|devices| !devices.is_empty()) else {
        return Ok(Vec::new());
    };
    if !namespaces.has(LinuxNamespaceType::Network) {
        let problem = Problem::Needs("a network namespace in linux.namespaces");
        return Err(InvalidSpec::new("linux.netDevices", problem));
    }
    let mut all: Vec<NetDevice<'_>> = Vec::new();
    for (name, device) in devices {
        let field = format!("linux.netDevices[{name}]");
        let new_name = device.name().as_deref().filter(|name| !name.is_empty()).unwrap_or(name);
        check(name).map_err(|problem| InvalidSpec::new(field.clone(), problem))?;
        check(new_name).map_err(|problem| InvalidSpec::new(format!("{field}.name"), problem))?;
        if all.iter().any(|other| other.new_name == new_name) {
            return Err(InvalidSpec::new(format!("{field}.name"), Problem::Duplicate(new_name.to_owned())));
        }
        all.push(NetDevice { name, new_name });
    }
    all.sort_by_key(|device| device.name);
    Ok(all)
}

/// `dev_valid_name` of the kernel: at most 15 bytes (netdevice(7)), no slash, colon or space, and not `.` or `..`.
fn check(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(Problem::Empty);
    }
    if name.len() > 15 {
        return Err(Problem::TooLong { longest: 15 });
    }
    let bad = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
    match name.contains(bad) || name == "." || name == ".." {
        true => Err(Problem::NotOneOf { value: name.to_owned(), allowed: "the names that an interface can have" }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces() {
        assert_eq!(check("eth0"), Ok(()));
        for bad in ["", ".", "..", "a/b", "a b", "a:b", "a-name-of-16-byt"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
