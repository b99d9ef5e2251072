//! Our filters give the verdicts of libseccomp's, which runc and crun install, for the same `linux.seccomp`.
//!
//! Skipped where the library is not installed.

#[path = "libseccomp/library.rs"]
mod library;
#[path = "libseccomp/profiles.rs"]
mod profiles;

use jail::seccomp::{Call, oci};
use oci_spec::runtime::LinuxSeccomp;

use library::Library;
use profiles::{Random, X86_64_ABIS};

/// Compares both filters for every number that either may know, with arguments near those of the rules.
fn compare(library: &mut Library, seccomp: &LinuxSeccomp, values: &[u64], random: &mut Random) -> u64 {
    let ours = oci::translate(seccomp).unwrap().program;
    let theirs = library.filter_like_runc(seccomp);
    let mut calls = 0;
    for (arch, base) in X86_64_ABIS {
        let numbers = (0..=600).map(|n| base | n).chain([0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, u32::MAX]);
        for number in numbers {
            for _ in 0..8 {
                // The kernel clears the high halves of a 32-bit program's arguments.
                let high = if arch == jail::seccomp::ARCH_I386 { 0xffff_ffff } else { u64::MAX };
                let args = [(); 6].map(|()| random.choose(values) & high);
                let call = Call { arch, number, args };
                let (ours, theirs) = (ours.evaluate(&call).unwrap(), theirs.evaluate(&call));
                assert_eq!(ours, theirs, "ours {ours:#x}, theirs {theirs:#x}: {call:x?} under {seccomp:#?}");
                calls += 1;
            }
        }
    }
    calls
}

#[test]
fn podmans_profile_has_the_same_verdicts() {
    let Some(mut library) = Library::open() else { return };
    let Some(seccomp) = profiles::podman() else { return };
    let values = [0, 1, 2, 8, 9, 15, 16, 17, 40, 0x2_0000, 0x2_0008, 0xffff_ffff, u64::MAX, 1 << 32];
    assert!(compare(&mut library, &seccomp, &values, &mut Random(1)) > 10_000);
}

#[test]
fn random_profiles_have_the_same_verdicts() {
    let Some(mut library) = Library::open() else { return };
    let mut random = Random(7);
    for _ in 0..400 {
        let (seccomp, values) = profiles::random(&mut random);
        compare(&mut library, &seccomp, &values, &mut random);
    }
}
