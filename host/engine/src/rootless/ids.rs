//! The ids that a user may use: its own, and those of subuid(5) and subgid(5).

use std::fs;
use std::path::Path;

/// A range of ids of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Why ids cannot be mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// newuidmap(1) or newgidmap(1) refused.
    #[error(
        "{program} refused the ids of {file}: {message}; have an administrator look at the line of this user there"
    )]
    Refused {
        /// The program.
        program: &'static str,
        /// The file that it reads.
        file: &'static str,
        /// What it said.
        message: String,
    },
}

/// The ranges of a user in a file such as /etc/subuid: `USER:FIRST:COUNT`, the user by name or number.
pub(super) fn ranges(file: &str, uid: u32) -> Vec<Range> {
    let Ok(text) = fs::read_to_string(Path::new(file)) else { return Vec::new() };
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    parse(&text, uid, login(&passwd, uid))
}

fn login(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then_some(name)
    })
}

fn parse(text: &str, uid: u32, login: Option<&str>) -> Vec<Range> {
    let own = uid.to_string();
    let range = |line: &str| {
        let [user, first, count] = line.split(':').map(str::trim).collect::<Vec<_>>()[..] else { return None };
        if user != own && login != Some(user) {
            return None;
        }
        let (first, count): (u32, u32) = (first.parse().ok()?, count.parse().ok()?);
        (count > 0 && first.checked_add(count).is_some()).then_some(Range { first, count })
    };
    text.lines().filter_map(range).collect()
}

/// The arguments of newuidmap(1) after the process: the user's own id becomes 0, the others follow.
pub(super) fn arguments(own: u32, ranges: &[Range]) -> Vec<String> {
    let mut all = vec!["0".to_owned(), own.to_string(), "1".to_owned()];
    let mut next = 1u32;
    for range in ranges {
        let Some(after) = next.checked_add(range.count) else { break };
        all.extend([next, range.first, range.count].map(|number| number.to_string()));
        next = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_user() {
        let text =
            "alice:100000:65536\n# bob\nbob:165536:65536\n1000:300000:10\nalice:1:\nalice:4294967295:2\nalice:5:0\n";
        let expected = [Range { first: 100_000, count: 65536 }, Range { first: 300_000, count: 10 }];
        assert_eq!(parse(text, 1000, Some("alice")), expected);
        assert_eq!(parse(text, 7, None), []);
        assert_eq!(login("root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbad\n", 1000), Some("alice"));
        assert_eq!(arguments(1000, &expected), ["0", "1000", "1", "1", "100000", "65536", "65537", "300000", "10"]);
    }
}
