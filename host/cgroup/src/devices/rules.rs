//! `linux.resources.devices`: an ordered list, of which the last rule about a device and an access counts.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};

use crate::Error;

const FIELD: &str = "linux.resources.devices";

/// The two kinds of device files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Block,
    Character,
}

bitflags::bitflags! {
    /// What may be done with a device; the bits are `BPF_DEVCG_ACC_*` of linux/bpf.h.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Access: u8 {
        const MAKE = 1;
        const READ = 2;
        const WRITE = 4;
    }
}

/// One rule; a missing kind or number stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) allow: bool,
    pub(super) kind: Option<Kind>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) access: Access,
}

/// The rules that matter: what is so without any, and exceptions in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(super) allow: bool,
    pub(super) exceptions: Vec<Rule>,
}

const fn usable(major: u32, minor: Option<u32>) -> Rule {
    Rule { allow: true, kind: Some(Kind::Character), major: Some(major), minor, access: Access::all() }
}

const fn make_only(kind: Kind) -> Rule {
    Rule { allow: true, kind: Some(kind), major: None, minor: None, access: Access::MAKE }
}

/// "Default devices" of config-linux.md, whose use cannot be forbidden, and making any node. Numbers from devices.txt.
const DEFAULT: [Rule; 11] = [
    make_only(Kind::Character),
    make_only(Kind::Block),
    usable(1, Some(3)),
    usable(1, Some(5)),
    usable(1, Some(7)),
    usable(1, Some(8)),
    usable(1, Some(9)),
    usable(5, Some(0)),
    usable(5, Some(1)),
    usable(5, Some(2)),
    usable(136, None),
];

impl Rules {
    /// The rules of a configuration, with the default devices.
    pub(crate) fn of(resources: Option<&LinuxResources>) -> Result<Self, Error> {
        let mut rules = Self { allow: false, exceptions: Vec::new() };
        for device in resources.and_then(|resources| resources.devices().as_ref()).into_iter().flatten() {
            rules.push(Rule::of(device)?);
        }
        DEFAULT.into_iter().for_each(|rule| rules.push(rule));
        Ok(rules)
    }

    /// Whether these are the default devices alone.
    pub(super) fn is_usual(&self) -> bool {
        !self.allow && self.exceptions == DEFAULT
    }

    fn push(&mut self, rule: Rule) {
        let everything = rule.kind.is_none() && rule.major.is_none() && rule.minor.is_none();
        if everything && rule.access.is_all() {
            *self = Self { allow: rule.allow, exceptions: Vec::new() };
        } else if !(self.exceptions.is_empty() && rule.allow == self.allow) {
            self.exceptions.push(rule);
        }
    }
}

impl Rule {
    fn of(device: &LinuxDeviceCgroup) -> Result<Self, Error> {
        let error = |reason| Error::Value { field: FIELD, value: device.to_string(), reason };
        let kind = match device.typ() {
            None | Some(LinuxDeviceType::A) => None,
            Some(LinuxDeviceType::B) => Some(Kind::Block),
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => Some(Kind::Character),
            Some(LinuxDeviceType::P) => return Err(error("a FIFO is no device")),
        };
        let number = |number: Option<i64>| match number {
            // Docker writes -1 for "all".
            None | Some(-1) => Ok(None),
            Some(number) => u32::try_from(number).map(Some).map_err(|_| error("a device number is 0 to 4294967295")),
        };
        let (major, minor) = (number(device.major())?, number(device.minor())?);
        let mut access = Access::empty();
        for letter in device.access().as_deref().unwrap_or_default().chars() {
            access |= match letter {
                'r' => Access::READ,
                'w' => Access::WRITE,
                'm' => Access::MAKE,
                _ => return Err(error("access is letters of r, w and m")),
            };
        }
        if access.is_empty() {
            access = Access::all();
        }
        Ok(Self { allow: device.allow(), kind, major, minor, access })
    }

    /// Whether some device is in both rules.
    pub(super) fn meets(&self, other: &Self) -> bool {
        fn meet<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        meet(self.kind, other.kind)
            && meet(self.major, other.major)
            && meet(self.minor, other.minor)
            && self.access.intersects(other.access)
    }

    /// Whether both rules are about the same devices.
    pub(super) fn is_about(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use oci_spec::runtime::LinuxResourcesBuilder;

    use super::*;

    /// Rules from lines like `+c 1:3 rw` and `-a`, without the default devices.
    pub(in super::super) fn rules(lines: &[&str]) -> Rules {
        let mut rules = Rules { allow: false, exceptions: Vec::new() };
        lines.iter().for_each(|line| rules.push(Rule::of(&device(line)).unwrap()));
        rules
    }

    fn device(line: &str) -> LinuxDeviceCgroup {
        let mut device = LinuxDeviceCgroup::default();
        device.set_allow(line.starts_with('+'));
        let mut words = line[1..].split(' ');
        device.set_typ(match words.next() {
            Some("b") => Some(LinuxDeviceType::B),
            Some("c") => Some(LinuxDeviceType::C),
            _ => Some(LinuxDeviceType::A),
        });
        if let Some((major, minor)) = words.next().and_then(|numbers| numbers.split_once(':')) {
            device.set_major(major.parse().ok());
            device.set_minor(minor.parse().ok());
        }
        device.set_access(words.next().map(str::to_owned));
        device
    }

    #[test]
    fn what_docker_and_podman_ask_for_is_usual() {
        let resources = LinuxResourcesBuilder::default().devices(vec![device("-a *:* rwm")]).build().unwrap();
        assert!(Rules::of(Some(&resources)).unwrap().is_usual());
        assert!(Rules::of(None).unwrap().is_usual());
        let with_more = vec![device("-a"), device("+c 10:229 rwm")];
        let resources = LinuxResourcesBuilder::default().devices(with_more).build().unwrap();
        assert!(!Rules::of(Some(&resources)).unwrap().is_usual());
    }

    #[test]
    fn a_rule_about_everything_ends_what_was_before() {
        let privileged = rules(&["-a", "+c 1:3 rw", "+a"]);
        assert_eq!(privileged, Rules { allow: true, exceptions: Vec::new() });
    }

    #[test]
    fn refused() {
        for line in ["+c 1:3 rx", "+c 1:4294967296 r", "+c 1:-2 r"] {
            assert!(matches!(Rule::of(&device(line)), Err(Error::Value { .. })), "{line}");
        }
    }
}
