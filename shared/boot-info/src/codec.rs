//! The encoded form: a magic word, the version, then every field in the order of [`BootInfo`], little-endian; a string or
//! list is its length (`u32`) and its bytes.

use crate::{BootInfo, Network, StrList, VERSION};

const MAGIC: [u8; 8] = *b"CRCLBOOT";

/// Why an encoded boot information is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// It does not start with the magic word.
    Magic,
    /// Host and guest were built from different versions; holds the host's.
    Version(u32),
    /// It ends too early.
    Truncated,
    /// A text is not UTF-8, or a list of strings does not end with a zero byte.
    Text,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Magic => f.write_str("not a boot information"),
            Self::Version(v) => write!(f, "boot information of version {v}, this kernel reads version {VERSION}"),
            Self::Truncated => f.write_str("boot information ends too early"),
            Self::Text => f.write_str("boot information holds a malformed text"),
        }
    }
}

impl core::error::Error for DecodeError {}

impl<'a> BootInfo<'a> {
    /// Writes the encoded form, piece by piece, to `out`. A field longer than 4 GiB is cut (no field can be).
    pub fn encode(&self, out: &mut dyn FnMut(&[u8])) {
        out(&MAGIC);
        out(&VERSION.to_le_bytes());
        for bytes in [
            self.args.as_bytes(),
            self.env.as_bytes(),
            self.cwd.as_bytes(),
            self.hostname.as_bytes(),
            self.etc_hosts.as_bytes(),
            self.resolv_conf.as_bytes(),
            self.volumes.as_bytes(),
        ] {
            out(&(bytes.len() as u32).to_le_bytes());
            out(bytes);
        }
        out(&self.memory_limit.to_le_bytes());
        for number in [self.cpus, self.max_threads, self.uid, self.gid, self.groups.len() as u32] {
            out(&number.to_le_bytes());
        }
        out(self.groups);
        out(&[u8::from(self.read_only), u8::from(self.terminal), u8::from(self.trace)]);
        let Some(network) = self.network else { return out(&[0]) };
        out(&[1]);
        out(&network.mac);
        out(&network.address);
        out(&[network.prefix]);
        out(&network.gateway);
        out(&network.mtu.to_le_bytes());
    }

    /// Reads the encoded form in place. Bytes behind it are ignored.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader(bytes);
        if r.array::<8>()? != MAGIC {
            return Err(DecodeError::Magic);
        }
        match r.u32()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        Ok(Self {
            args: r.list()?,
            env: r.list()?,
            cwd: r.text()?,
            hostname: r.text()?,
            etc_hosts: r.text()?,
            resolv_conf: r.text()?,
            volumes: r.list()?,
            memory_limit: u64::from_le_bytes(r.array()?),
            cpus: r.u32()?,
            max_threads: r.u32()?,
            uid: r.u32()?,
            gid: r.u32()?,
            groups: r.sized()?,
            read_only: r.flag()?,
            terminal: r.flag()?,
            trace: r.flag()?,
            network: if r.flag()? { Some(r.network()?) } else { None },
        })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        Ok(self.array::<1>()? != [0])
    }

    fn sized(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.sized()?).map_err(|_| DecodeError::Text)
    }

    fn list(&mut self) -> Result<StrList<'a>, DecodeError> {
        StrList::new(self.sized()?).ok_or(DecodeError::Text)
    }

    fn network(&mut self) -> Result<Network, DecodeError> {
        Ok(Network {
            mac: self.array()?,
            address: self.array()?,
            prefix: self.array::<1>()?[0],
            gateway: self.array()?,
            mtu: u16::from_le_bytes(self.array()?),
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn sample() -> BootInfo<'static> {
        BootInfo {
            args: StrList::new(b"redis-server\0--save\0\0").unwrap(),
            env: StrList::new(b"A=b\0").unwrap(),
            cwd: "/data",
            hostname: "r1",
            etc_hosts: "127.0.0.1 localhost\n",
            resolv_conf: "",
            volumes: StrList::new(b"/data\0rw\0dir\0").unwrap(),
            memory_limit: 256 << 20,
            cpus: 2,
            max_threads: 100,
            uid: 1,
            gid: 2,
            groups: &[1, 0, 0, 0],
            read_only: true,
            terminal: false,
            trace: true,
            network: Some(Network {
                mac: [2, 0, 0, 0, 0, 1],
                address: [10, 88, 0, 2],
                prefix: 16,
                gateway: [10, 88, 0, 1],
                mtu: 1500,
            }),
        }
    }

    fn encoded(info: &BootInfo<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        info.encode(&mut |b| bytes.extend_from_slice(b));
        bytes
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let bytes = encoded(&sample());
        let info = BootInfo::decode(&bytes).unwrap();
        assert_eq!(std::format!("{info:?}"), std::format!("{:?}", sample()));
        let lonely = BootInfo { network: None, ..sample() };
        assert_eq!(BootInfo::decode(&encoded(&lonely)).unwrap().network, None);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = encoded(&sample());
        for len in 0..bytes.len() {
            assert_eq!(BootInfo::decode(&bytes[..len]).unwrap_err(), DecodeError::Truncated, "{len}");
        }
    }

    #[test]
    fn another_version_or_magic_is_refused() {
        let mut bytes = encoded(&sample());
        bytes[8] = 77;
        assert_eq!(BootInfo::decode(&bytes).unwrap_err(), DecodeError::Version(77));
        bytes[0] = b'X';
        assert_eq!(BootInfo::decode(&bytes).unwrap_err(), DecodeError::Magic);
    }
}
