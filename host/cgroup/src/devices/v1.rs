//! The devices controller of version 1 (devices.rst): one default and a set of exceptions, each of one kind.

use super::rules::{Access, Kind, Rule, Rules};
use crate::Error;
use crate::files::Directory;

/// What is so by default, and the exceptions from it.
#[derive(Debug, PartialEq, Eq)]
struct Set {
    allow: bool,
    exceptions: Vec<Rule>,
}

/// Writes `devices.deny` and `devices.allow`, one rule for each write, so that the group ends with these rules alone.
pub(crate) fn restrict(group: &Directory, rules: &Rules) -> Result<(), Error> {
    let set = Set::of(rules)?;
    let (all, other) = if set.allow { ("devices.allow", "devices.deny") } else { ("devices.deny", "devices.allow") };
    group.write(all, "a")?;
    set.exceptions.iter().try_for_each(|rule| group.write(other, &rule.to_line()))
}

impl Set {
    fn of(rules: &Rules) -> Result<Self, Error> {
        let mut set = Self { allow: rules.allow, exceptions: Vec::new() };
        for rule in &rules.exceptions {
            let kinds = match rule.kind {
                Some(kind) => &[kind][..],
                None => &[Kind::Block, Kind::Character],
            };
            kinds.iter().try_for_each(|kind| set.push(Rule { kind: Some(*kind), ..*rule }))?;
        }
        Ok(set)
    }

    /// As the kernel does it, but what it would do only in part is an error.
    fn push(&mut self, rule: Rule) -> Result<(), Error> {
        let same = self.exceptions.iter_mut().find(|exception| exception.is_about(&rule));
        if rule.allow != self.allow {
            match same {
                Some(exception) => exception.access |= rule.access,
                None => self.exceptions.push(rule),
            }
            return Ok(());
        }
        if let Some(exception) = same {
            exception.access -= rule.access;
            self.exceptions.retain(|exception| !exception.access.is_empty());
        }
        match self.exceptions.iter().any(|exception| exception.meets(&rule)) {
            true => Err(Error::DeviceOverlap { rule: rule.to_line() }),
            false => Ok(()),
        }
    }
}

impl Rule {
    fn to_line(self) -> String {
        let kind = match self.kind {
            Some(Kind::Block) => 'b',
            Some(Kind::Character) => 'c',
            None => 'a',
        };
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
        let letters = [(Access::READ, 'r'), (Access::WRITE, 'w'), (Access::MAKE, 'm')];
        let access: String =
            letters.iter().filter(|(bit, _)| self.access.contains(*bit)).map(|(_, letter)| letter).collect();
        format!("{kind} {}:{} {access}", number(self.major), number(self.minor))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::rules;
    use super::*;

    fn lines(given: &[&str]) -> Vec<String> {
        Set::of(&rules(given)).unwrap().exceptions.iter().map(|rule| rule.to_line()).collect()
    }

    #[test]
    fn lines_are_as_the_kernel_reads_them() {
        let defaults = Set::of(&Rules::of(None).unwrap()).unwrap();
        let lines: Vec<_> = defaults.exceptions.iter().map(|rule| rule.to_line()).collect();
        assert_eq!(lines[..3], ["c *:* m", "b *:* m", "c 1:3 rwm"]);
        assert_eq!(lines[10], "c 136:* rwm");
    }

    #[test]
    fn later_rules_change_earlier_ones() {
        assert_eq!(lines(&["+c 1:3 r", "+c 1:3 w"]), ["c 1:3 rw"]);
        assert_eq!(lines(&["+c 1:3 rw", "-c 1:3 r"]), ["c 1:3 w"]);
        assert_eq!(lines(&["+c 1:3 rw", "-c 1:3 rw"]), [""; 0]);
        assert_eq!(lines(&["+a *:* m"]), ["b *:* m", "c *:* m"]);
        assert_eq!(lines(&["+a", "-b 8:0 w"]), ["b 8:0 w"]);
    }

    /// On the machine's own hierarchy, in a group of this test.
    #[test]
    fn the_kernel_keeps_the_list() {
        let layout = crate::Layout::detect().unwrap_or_default();
        let Some(root) = layout.legacy(crate::Controller::Devices) else {
            eprintln!("SKIP: no version 1 devices controller");
            return;
        };
        let (group, _) =
            Directory::create_below(root, &format!("coracle-test-{}-devices", std::process::id())).unwrap();
        let list = |given: &[&str]| {
            restrict(&group, &rules(given))?;
            group.read("devices.list")
        };
        let (some, all, again) = (list(&["+c 1:3 rw", "+b 8:* m"]), list(&["+a"]), list(&["-a", "+c 1:5 r"]));
        rustix::fs::rmdir(group.path()).unwrap();
        assert_eq!(some.unwrap(), "c 1:3 rw\nb 8:* m\n");
        assert_eq!(all.unwrap(), "a *:* rwm\n");
        assert_eq!(again.unwrap(), "c 1:5 r\n");
    }

    #[test]
    fn what_version_1_cannot_express_is_an_error() {
        assert!(matches!(Set::of(&rules(&["+c 1:* rw", "-c 1:3 r"])), Err(Error::DeviceOverlap { .. })));
        assert!(matches!(Set::of(&rules(&["+a", "-c 1:* rw", "+c 1:3 r"])), Err(Error::DeviceOverlap { .. })));
        assert!(Set::of(&rules(&["+c 1:* r", "-c 1:3 w"])).is_ok());
    }
}
