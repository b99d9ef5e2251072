//! Profiles to compare with.

use std::fs;

use jail::seccomp::{ARCH_I386, ARCH_X86_64, X32_BIT};
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction as Action};
use serde_json::{Value, json};

/// The conventions, and the bit that all their numbers have.
pub(crate) const X86_64_ABIS: [(u32, u32); 3] = [(ARCH_X86_64, 0), (ARCH_X86_64, X32_BIT), (ARCH_I386, 0)];

/// A small generator of numbers (xorshift), the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn choose<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// The profile that Podman gives to a container with default capabilities.
pub(crate) fn podman() -> Option<LinuxSeccomp> {
    const FILE: &str = "/usr/share/containers/seccomp.json";
    let Ok(text) = fs::read_to_string(FILE) else {
        println!("SKIP: {FILE} is not installed");
        return None;
    };
    let profile: Value = serde_json::from_str(&text).unwrap();
    let applies = |rule: &Value| {
        let lists = |side: &str, key: &str, value: &str| {
            let list = rule[side][key].as_array().cloned().unwrap_or_default();
            (!list.is_empty(), list.iter().any(|item| item == value))
        };
        let (has_archs, amd64) = lists("includes", "arches", "amd64");
        let (has_caps, chroot) = lists("includes", "caps", "CAP_SYS_CHROOT");
        let (_, excluded) = lists("excludes", "caps", "CAP_SYS_CHROOT");
        (!has_archs || amd64) && (!has_caps || chroot) && !excluded
    };
    let part = |rule: &Value, key: &str| rule[key].clone();
    let rules: Vec<_> = profile["syscalls"]
        .as_array()?
        .iter()
        .filter(|rule| applies(rule))
        .map(|rule| {
            json!({
                "names": part(rule, "names"), "action": part(rule, "action"),
                "errnoRet": part(rule, "errnoRet"), "args": part(rule, "args"),
            })
        })
        .collect();
    Some(
        serde_json::from_value(json!({
            "defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules,
        }))
        .unwrap(),
    )
}

/// Names whose numbers differ between the conventions, some that only newer profiles have, and one that nobody knows.
/// Left out are those that libseccomp also translates to socketcall(2) and ipc(2), because it passes permissions on
/// without their conditions, and those that x86-64 lacks, because then its x32 part forgets other rules.
const NAMES: [&str; 14] = [
    "read",
    "write",
    "close",
    "ioctl",
    "mmap",
    "mlock",
    "clone",
    "personality",
    "arch_prctl",
    "futex_waitv",
    "rt_sigaction",
    "openat2",
    "close_range",
    "no_such_call",
];

/// A profile, and values around those that its rules compare with. All rules of one call have one action, because the
/// order in which libseccomp tries overlapping rules is its own.
pub(crate) fn random(random: &mut Random) -> (LinuxSeccomp, Vec<u64>) {
    let actions = [Action::ScmpActAllow, Action::ScmpActErrno, Action::ScmpActKillProcess, Action::ScmpActTrap];
    let operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
    let numbers = [0, 1, 2, 3, 8, 0x10, 0xffff_fffe, 0xffff_ffff, 1 << 32, (1 << 32) + 1, u64::MAX - 1, u64::MAX];
    let mut rules = Vec::new();
    for name in NAMES.iter().filter(|_| random.below(3) > 0).collect::<Vec<_>>() {
        let action = random.choose(&actions);
        // libseccomp 2.5 merges several rules of one call with mistakes of its own; one has none.
        let count = random.below(3);
        let first = random.below(4);
        let args: Vec<_> = (0..count)
            .map(|at| {
                json!({
                    "index": first + at, "op": format!("SCMP_CMP_{}", random.choose(&operators)),
                    "value": random.choose(&numbers), "valueTwo": random.choose(&numbers),
                })
            })
            .collect();
        rules.push(json!({ "names": [name], "action": action, "args": args }));
    }
    let archs = [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32];
    let archs: Vec<_> = archs.iter().filter(|_| random.below(3) > 0).collect();
    let default = random.choose(&actions);
    let errno = (default == Action::ScmpActErrno).then(|| random.choose(&[1, 38]));
    let profile = json!({
        "defaultAction": default, "defaultErrnoRet": errno, "architectures": archs, "syscalls": rules,
    });
    (serde_json::from_value(profile).unwrap(), numbers.to_vec())
}
