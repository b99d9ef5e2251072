//! The kernel's formats: one number, `key value` lines, `MAJOR:MINOR key=value…` lines, lists of numbers, pressure.
//! What is not as expected is left out: newer kernels add lines.

use std::collections::BTreeMap;

use super::model::{BlkioEntry, Psi, PsiTimes, Rdma};

/// A number; `max` is the largest one.
pub(super) fn number(text: &str) -> Option<u64> {
    match text.trim() {
        "max" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Numbers with blanks between them.
pub(super) fn numbers(text: &str) -> Vec<u64> {
    text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Lines of a key and a number.
pub(super) fn keyed(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// The number of one key.
pub(super) fn key(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// `0-3,8` of cpuset(7). No machine has more than 65536, and foreign text must not make more of itself than it is.
pub(super) fn list(text: &str) -> Vec<u16> {
    let mut out = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { continue };
        let room = (1 << 16) - out.len();
        out.extend((first..=last).take(room));
    }
    out
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `8:0 Read 4096` of version 1. The sum of all devices has no device and is left out.
pub(super) fn block_v1(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (major, minor) = device(words.next()?)?;
        let op = words.next()?.to_owned();
        Some(BlkioEntry { major, minor, op, value: words.next()?.parse().ok()? })
    };
    text.lines().filter_map(entry).collect()
}

/// `8:0 rbytes=1 wbytes=2 rios=3…` of version 2: bytes and operations.
pub(super) fn block_v2(text: &str) -> (Vec<BlkioEntry>, Vec<BlkioEntry>) {
    let (mut bytes, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some((major, minor)) = words.next().and_then(device) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (table, op) = match key {
                "rbytes" => (&mut bytes, "Read"),
                "wbytes" => (&mut bytes, "Write"),
                "dbytes" => (&mut bytes, "Discard"),
                "rios" => (&mut operations, "Read"),
                "wios" => (&mut operations, "Write"),
                "dios" => (&mut operations, "Discard"),
                _ => continue,
            };
            if let Ok(value) = value.parse() {
                table.push(BlkioEntry { major, minor, op: op.to_owned(), value });
            }
        }
    }
    (bytes, operations)
}

/// `mlx4_0 hca_handle=2 hca_object=2000`.
pub(super) fn rdma(text: &str) -> BTreeMap<String, Rdma> {
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?.to_owned();
        let mut rdma = Rdma::default();
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            match key {
                "hca_handle" => rdma.hca_handles = number(value)?,
                "hca_object" => rdma.hca_objects = number(value)?,
                _ => {}
            }
        }
        Some((name, rdma))
    };
    text.lines().filter_map(entry).collect()
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
pub(super) fn pressure(text: &str) -> Option<Psi> {
    let times = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let mut times = PsiTimes::default();
        for (key, value) in line.split_ascii_whitespace().filter_map(|word| word.split_once('=')) {
            let share = || value.parse::<f64>().ok().filter(|share| share.is_finite());
            match key {
                "avg10" => times.avg10 = share()?,
                "avg60" => times.avg60 = share()?,
                "avg300" => times.avg300 = share()?,
                "total" => times.total = value.parse().ok()?,
                _ => {}
            }
        }
        Some(times)
    };
    Some(Psi { some: times("some ")?, full: times("full ").unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple() {
        assert_eq!((number("12\n"), number("max\n"), number("-1")), (Some(12), Some(u64::MAX), None));
        assert_eq!(key("oom 1\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(list("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(list("9-3,x,-"), [0u16; 0]);
        assert_eq!(keyed("a 1\nb x\nc 3")["c"], 3);
    }

    #[test]
    fn devices() {
        let one = block_v1("8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n");
        assert_eq!((one.len(), one[0].op.as_str(), one[0].value), (2, "Read", 4096));
        let (bytes, operations) =
            block_v2("254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0 cost.usage=3\n7:1\n");
        assert_eq!((bytes.len(), operations.len(), bytes[1].value), (3, 3, 20));
        assert_eq!(rdma("mlx4_0 hca_handle=2 hca_object=2000")["mlx4_0"], Rdma { hca_handles: 2, hca_objects: 2000 });
    }

    #[test]
    fn waiting() {
        let psi = pressure(
            "some avg10=1.50 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
        );
        let psi = psi.unwrap();
        assert_eq!((psi.some.avg10, psi.some.total, psi.full.total), (1.5, 7, 3));
        assert_eq!(pressure("some avg10=inf total=1"), None);
    }
}
