//! `linux.resources.hugepageLimits`: hugetlb.rst, "HugeTLB" of cgroup-v2.rst.

use oci_spec::runtime::LinuxHugepageLimit;

use super::{Need, or_max};
use crate::group::Place;
use crate::{Controller, Error};

const FIELD: &str = "linux.resources.hugepageLimits";

pub(super) fn need(limits: &[LinuxHugepageLimit]) -> Option<Need> {
    (!limits.is_empty()).then(|| {
        let limited = limits.iter().any(|limit| limit.limit() >= 0);
        if limited { Need::limit(Controller::HugeTlb, FIELD) } else { Need::default(Controller::HugeTlb, FIELD) }
    })
}

/// Limits what is used, and what is reserved if the kernel counts that (since 5.7).
pub(super) fn apply(place: Place<'_>, limits: &[LinuxHugepageLimit]) -> Result<(), Error> {
    for limit in limits {
        let size = limit.page_size();
        check(size)?;
        let (group, value, suffix) = match place {
            Place::V1(group) => (group, limit.limit().max(-1).to_string(), "limit_in_bytes"),
            Place::V2(group) => (group, or_max(limit.limit()), "max"),
        };
        let file = format!("hugetlb.{size}.{suffix}");
        if !group.has(&file) {
            let reason = "this machine has no huge pages of that size, see /sys/kernel/mm/hugepages";
            return Err(Error::Value { field: FIELD, value: size.clone(), reason });
        }
        group.set(FIELD, &file, &value)?;
        let reserved = format!("hugetlb.{size}.rsvd.{suffix}");
        if group.has(&reserved) {
            group.set(FIELD, &reserved, &value)?;
        }
    }
    Ok(())
}

/// `^[1-9][0-9]*[KMG]B$` of the specification; the text becomes part of a file's name.
fn check(size: &str) -> Result<(), Error> {
    let digits = size.strip_suffix('B').and_then(|rest| rest.strip_suffix(['K', 'M', 'G']));
    let good = digits.is_some_and(|digits| {
        !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let reason = "a page size is a number with KB, MB or GB, as in 2MB";
    if good { Ok(()) } else { Err(Error::Value { field: FIELD, value: size.to_owned(), reason }) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn sizes() {
        for size in ["64KB", "2MB", "1GB"] {
            check(size).unwrap();
        }
        for size in ["", "B", "MB", "2M", "02MB", "2mb", "../2MB", "2 MB"] {
            assert!(check(size).is_err(), "{size}");
        }
    }
}
