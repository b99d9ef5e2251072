use oci_spec::runtime::{Linux, LinuxDeviceType};

use super::{InvalidSpec, Problem, paths};

/// A device to be made.
#[derive(Debug)]
pub(crate) struct Device<'a> {
    pub(crate) path: &'a str,
    pub(crate) node: Node,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What mknod(2) makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
}

pub(super) fn all(linux: &Linux) -> Result<Vec<Device<'_>>, InvalidSpec> {
    let mut all: Vec<Device<'_>> = Vec::new();
    for (index, device) in linux.devices().iter().flatten().enumerate() {
        let field = |name: &str| format!("linux.devices[{index}].{name}");
        let path = device.path().to_str().ok_or_else(|| InvalidSpec::new(field("path"), Problem::NotText))?;
        let path = paths::absolute(&field("path"), path)?;
        let number = |name, value: i64, most: i64| match u32::try_from(value) {
            Ok(number) if value <= most => Ok(number),
            _ => Err(InvalidSpec::new(field(name), Problem::OutOfRange { value, least: 0, most })),
        };
        // `MAJOR` and `MINOR` of linux/kdev_t.h: 12 and 20 bits.
        let numbers = || {
            Ok::<_, InvalidSpec>((number("major", device.major(), 0xfff)?, number("minor", device.minor(), 0xf_ffff)?))
        };
        let node = match device.typ() {
            LinuxDeviceType::C | LinuxDeviceType::U => numbers().map(|(major, minor)| Node::Character(major, minor))?,
            LinuxDeviceType::B => numbers().map(|(major, minor)| Node::Block(major, minor))?,
            LinuxDeviceType::P => Node::Fifo,
            LinuxDeviceType::A => {
                let problem = Problem::NotOneOf { value: "a".to_owned(), allowed: "b, c, u, p" };
                return Err(InvalidSpec::new(field("type"), problem));
            }
        };
        if let Some(other) = all.iter().find(|other| other.path == path)
            && other.node != node
        {
            return Err(InvalidSpec::new(field("path"), Problem::Duplicate(path.to_owned())));
        }
        let mode = device.file_mode().unwrap_or(0o666) & 0o7777;
        all.push(Device { path, node, mode, uid: device.uid().unwrap_or(0), gid: device.gid().unwrap_or(0) });
    }
    Ok(all)
}
