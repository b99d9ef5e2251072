use std::path::Path;

use crate::erofs::{ErofsError, Reader};

/// `/etc/passwd` and `/etc/group` are not read beyond this size.
const MAX_DATABASE: u64 = 4 << 20;

/// A user that cannot be found in an image.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The image cannot be read.
    #[error("cannot look for the user in the image")]
    Image(#[from] ErofsError),
    /// The text is not of the form.
    #[error("invalid user '{0}'; write USER or USER:GROUP, each a name or a number")]
    Form(String),
    /// There is no such user.
    #[error("the image has no user '{0}' in its /etc/passwd; give a number, or a name that it has")]
    NoUser(String),
    /// There is no such group.
    #[error("the image has no group '{0}' in its /etc/group; give a number, or a name that it has")]
    NoGroup(String),
}

/// Finds the numbers of `USER[:GROUP]`, names or numbers, with the image's own `/etc/passwd` and `/etc/group`.
///
/// An empty text means root. A number needs no entry; without one, its group is root's. Supplementary groups are those that
/// list the user, unless a group was given, as in Docker.
pub fn resolve_user(erofs: &Path, user: &str) -> Result<plan::User, UserError> {
    let (user_part, group_part) = split(user)?;
    // The usual cases need no look into the image.
    if user_part.is_empty() && group_part.is_none() {
        return Ok(plan::User::default());
    }
    if let (Some(uid), Some(gid)) = (number(user_part), group_part.and_then(number)) {
        return Ok(plan::User { uid, gid, additional_gids: Vec::new() });
    }
    let image = Reader::open(erofs)?;
    let passwd = database(&image, "/etc/passwd")?;
    let group = database(&image, "/etc/group")?;
    find(user_part, group_part, &passwd, &group)
}

fn split(user: &str) -> Result<(&str, Option<&str>), UserError> {
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    let bad = |part: &str| part.contains([':', '\n', '/', '\0']);
    if bad(name) || group.is_some_and(|group| group.is_empty() || bad(group)) {
        return Err(UserError::Form(user.to_owned()));
    }
    Ok((name, group))
}

/// Ids are below 2^31, so that no program takes one for an error.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= i32::MAX as u32 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An image without the file has no names.
fn database(image: &Reader, path: &str) -> Result<String, UserError> {
    match image.lookup(path) {
        Ok(inode) => Ok(String::from_utf8_lossy(&image.read_file(&inode, MAX_DATABASE)?).into_owned()),
        Err(ErofsError::NotFound(_) | ErofsError::NotADirectory(_)) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

/// passwd(5) and group(5)
fn find(user: &str, group: Option<&str>, passwd: &str, groups: &str) -> Result<plan::User, UserError> {
    let user = if user.is_empty() { "0" } else { user };
    let fields = |line: &'_ str| -> Vec<String> { line.split(':').map(str::to_owned).collect() };
    let accounts: Vec<Vec<String>> = passwd.lines().map(fields).filter(|fields| fields.len() >= 4).collect();
    let all_groups: Vec<Vec<String>> = groups.lines().map(fields).filter(|fields| fields.len() >= 3).collect();
    let account = accounts
        .iter()
        .find(|account| account[0] == user)
        .or_else(|| accounts.iter().find(|account| number(user).is_some() && number(&account[2]) == number(user)));
    let (name, uid, primary) = match (account, number(user)) {
        (Some(account), _) => {
            let ids = number(&account[2]).zip(number(&account[3]));
            let (uid, gid) = ids.ok_or_else(|| UserError::NoUser(user.to_owned()))?;
            (Some(account[0].as_str()), uid, gid)
        }
        (None, Some(uid)) => (None, uid, 0),
        (None, None) => return Err(UserError::NoUser(user.to_owned())),
    };
    if let Some(group) = group {
        let entry = all_groups.iter().find(|entry| entry[0] == group).and_then(|entry| number(&entry[2]));
        let gid = entry.or(number(group)).ok_or_else(|| UserError::NoGroup(group.to_owned()))?;
        return Ok(plan::User { uid, gid, additional_gids: Vec::new() });
    }
    let lists = |entry: &&Vec<String>| {
        name.is_some_and(|name| entry.get(3).is_some_and(|members| members.split(',').any(|member| member == name)))
    };
    let mut additional_gids: Vec<u32> = all_groups.iter().filter(lists).filter_map(|entry| number(&entry[2])).collect();
    additional_gids.sort_unstable();
    additional_gids.dedup();
    Ok(plan::User { uid, gid: primary, additional_gids })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nredis:x:999:998::/:\nbad:x:y:z\n\nshort\n";
    const GROUP: &str = "root:x:0:\nredis:x:998:\nlog:x:4:redis,www\ntty:x:5:redis\ntty2:x:5:redis\n";

    fn resolve(text: &str) -> Result<plan::User, UserError> {
        let (user, group) = split(text)?;
        find(user, group, PASSWD, GROUP)
    }

    #[test]
    fn names_and_numbers() {
        let user = |uid, gid, groups: &[u32]| plan::User { uid, gid, additional_gids: groups.to_vec() };
        assert_eq!(resolve("redis").unwrap(), user(999, 998, &[4, 5]));
        assert_eq!(resolve("999").unwrap(), user(999, 998, &[4, 5]));
        assert_eq!(resolve("redis:log").unwrap(), user(999, 4, &[]));
        assert_eq!(resolve("redis:77").unwrap(), user(999, 77, &[]));
        assert_eq!(resolve("1234").unwrap(), user(1234, 0, &[]));
        assert_eq!(resolve("").unwrap(), user(0, 0, &[]));
        assert_eq!(resolve(":log").unwrap(), user(0, 4, &[]));
    }

    #[test]
    fn what_is_unknown_or_malformed_is_refused() {
        assert!(matches!(resolve("nobody"), Err(UserError::NoUser(_))));
        assert!(matches!(resolve("bad"), Err(UserError::NoUser(_))));
        assert!(matches!(resolve("redis:nothing"), Err(UserError::NoGroup(_))));
        assert!(matches!(resolve("4294967295"), Err(UserError::NoUser(_))));
        assert!(matches!(resolve("-1"), Err(UserError::NoUser(_))));
        for bad in ["redis:", "a:b:c", "a\nb", "../x"] {
            assert!(matches!(resolve(bad), Err(UserError::Form(_))), "{bad}");
        }
    }
}
