//! Text that is not what it should be, made of the pieces that the parsers look for: nothing panics, and what is accepted is safe.

use cgroup::stats::{Files, Source, Stats};
use cgroup::{Controller, GroupPath, Layout};

/// xorshift64: the same text every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn text(&mut self, pieces: &[&str]) -> String {
        let count = self.below(24);
        (0..count).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

#[test]
fn paths() {
    let pieces = ["/", "..", ".", ":", "a", "slice", "\0", "\n", "é", "-", "\\", " ", "//", "coracle-oci"];
    let mut random = Random(1);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let text = random.text(&pieces);
        let Ok(path) = GroupPath::parse(&text) else { continue };
        accepted += 1;
        let shown = path.to_string();
        assert!(!shown.split('/').any(|name| name == "..") && !shown.contains(char::is_control), "{text:?}");
        assert_eq!(shown.parse::<GroupPath>().unwrap().to_string(), shown, "{text:?}");
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn a_path_may_be_long_and_reads_back() {
    for length in 3050..3080 {
        for text in ["x/".repeat(length / 2), format!("/{}", "x/".repeat(length / 2))] {
            if let Ok(path) = GroupPath::parse(&text) {
                assert_eq!(path.to_string().parse::<GroupPath>().unwrap(), path, "{length}");
            }
        }
    }
}

struct Same(Source, String);

impl Files for Same {
    fn source(&self, _: Controller) -> Option<Source> {
        Some(self.0)
    }

    fn text(&self, _: Controller, _: Source, _: &str) -> Option<String> {
        Some(self.1.clone())
    }

    fn page_sizes(&self) -> Vec<String> {
        vec!["2MB".to_owned()]
    }
}

#[test]
fn statistics() {
    let pieces = [
        " ",
        "\n",
        "max",
        "0-65535",
        ",",
        "8:0",
        "Read",
        "18446744073709551615",
        "-1",
        "usage_usec",
        "some",
        "full",
        "avg10=",
        "total=",
        "nan",
        "inf",
        "rbytes=",
        "hca_handle=",
        "nr_throttled",
        "é",
        "=",
        ":",
        "oom_kill",
    ];
    let mut random = Random(2);
    for _ in 0..5_000 {
        let text = random.text(&pieces);
        for source in [Source::V1, Source::V2] {
            let stats = Stats::read(&Same(source, text.clone()));
            assert!(stats.cpuset.cpus.len() <= 1 << 16, "{text:?}");
            serde_json::to_string(&stats).unwrap();
        }
    }
}

#[test]
fn mount_tables_and_messages() {
    let pieces =
        ["1 2 3:4 ", "/ ", "/x\\040 ", "\\", "rw", " - ", "cgroup2 ", "cgroup ", "memory,", "\n", "é", "name=systemd"];
    let mut random = Random(3);
    for _ in 0..20_000 {
        let _ = Layout::parse(random.text(&pieces).as_bytes()).version();
        let message: Vec<u8> = (0..random.below(200)).map(|_| [b'l', 0, 1, 8, 255, b's', 4][random.below(7)]).collect();
        let _ = cgroup::is_bus_message(&message);
    }
}
