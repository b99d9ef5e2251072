//! Which devices a group may make and open.

mod bpf;

use std::os::fd::AsFd;

use crate::Error;
use crate::files::Directory;

/// Which devices an instance may make and open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// All that its files and capabilities allow: for our own monitors, which open what they need.
    Unrestricted,
    /// What Docker gives a container: making any node; using null, zero, full, random, urandom and terminals.
    ContainerDefault,
}

/// The two kinds of device files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Character,
}

/// One line of an allow-list; a missing number stands for all.
#[derive(Debug, Clone, Copy)]
struct Rule {
    kind: Kind,
    major: Option<u32>,
    minor: Option<u32>,
    /// Everything, or making the node only.
    use_too: bool,
}

const fn usable(major: u32, minor: Option<u32>) -> Rule {
    Rule { kind: Kind::Character, major: Some(major), minor, use_too: true }
}

const fn make_only(kind: Kind) -> Rule {
    Rule { kind, major: None, minor: None, use_too: false }
}

/// Numbers from devices.txt of the kernel.
const CONTAINER_DEFAULT: [Rule; 11] = [
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

/// `devices.deny` and `devices.allow` (devices.txt of cgroup-v1), one rule for each write.
pub(crate) fn restrict_v1(group: &Directory) -> Result<(), Error> {
    group.write("devices.deny", "a")?;
    CONTAINER_DEFAULT.iter().try_for_each(|rule| group.write("devices.allow", &rule.to_line()))
}

/// The group that keeps the filter loaded between instances, beside theirs. Its name changes with the list above.
const KEEPER: &str = "device-filter-1";

/// Attaches the eBPF filter, which goes away with the group.
///
/// The kernel needs 0.3 ms to verify and translate a program, and a moment to attach a known one: so the first instance
/// leaves it attached to a group of its own, without processes, where the next ones find it.
pub(crate) fn restrict_v2(group: &Directory) -> Result<(), Error> {
    let error = |source| Error::DeviceFilter { path: group.path().to_owned(), source };
    let keeper = Directory::create(group.path().with_file_name(KEEPER))?.0;
    let program = match bpf::attached(keeper.as_fd()) {
        Ok(Some(program)) => program,
        _ => {
            let program = bpf::load(&bpf::program(&CONTAINER_DEFAULT)).map_err(error)?;
            bpf::attach(keeper.as_fd(), program.as_fd()).map_err(error)?;
            program
        }
    };
    bpf::attach(group.as_fd(), program.as_fd()).map_err(error)
}

impl Rule {
    fn to_line(self) -> String {
        let kind = match self.kind {
            Kind::Block => 'b',
            Kind::Character => 'c',
        };
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
        let access = if self.use_too { "rwm" } else { "m" };
        format!("{kind} {}:{} {access}", number(self.major), number(self.minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_the_kernel_reads_them() {
        let lines: Vec<_> = CONTAINER_DEFAULT.iter().map(|rule| rule.to_line()).collect();
        assert_eq!(lines[..3], ["c *:* m", "b *:* m", "c 1:3 rwm"]);
        assert_eq!(lines[10], "c 136:* rwm");
    }
}
