//! `/etc/ld.so.cache` in glibc's present format (glibc, `sysdeps/generic/dl-cache.h`, `struct cache_file_new`).

use std::cmp::Ordering;

const MAGIC: &[u8; 20] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// `FLAG_X8664_LIB64 | FLAG_ELF_LIBC6`
const X86_64_LIBC6: u32 = 0x0303;
/// `cache_file_new_flags_endian_little`
const LITTLE_ENDIAN: u8 = 2;

/// The libraries for x86-64 as (name, path), in the file's order. Entries for special processors are left out, so that a
/// packed program runs on every machine. `None` if the file is malformed.
pub fn parse(file: &[u8]) -> Option<Vec<(&str, &str)>> {
    // Old tools put the present format behind an older one.
    let start = file.windows(MAGIC.len()).position(|window| window == MAGIC)?;
    let cache = &file[start..];
    let number = |offset: usize| Some(u32::from_le_bytes(cache.get(offset..offset + 4)?.try_into().ok()?));
    let count = usize::try_from(number(20)?).ok()?;
    let table = cache.get(HEADER..HEADER.checked_add(count.checked_mul(ENTRY)?)?)?;
    let text = |offset: u32| {
        let rest = cache.get(usize::try_from(offset).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    };
    let mut found = Vec::new();
    for entry in table.chunks_exact(ENTRY) {
        let field = |offset: usize| entry[offset..offset + 4].try_into().map(u32::from_le_bytes).ok();
        let special = entry[16..24].iter().any(|byte| *byte != 0);
        if field(0)? == X86_64_LIBC6 && !special {
            found.push((text(field(4)?)?, text(field(8)?)?));
        }
    }
    Some(found)
}

/// Makes a cache of these libraries, (name, path).
pub(crate) fn encode(libraries: &[(String, String)]) -> Vec<u8> {
    let mut sorted: Vec<&(String, String)> = libraries.iter().collect();
    // The loader searches by halves in descending order.
    sorted.sort_by(|a, b| compare(b.0.as_bytes(), a.0.as_bytes()));
    let (mut table, mut strings) = (Vec::new(), Vec::new());
    let strings_start = HEADER + ENTRY * sorted.len();
    let mut intern = |text: &str| {
        let offset = (strings_start + strings.len()) as u32;
        strings.extend(text.as_bytes());
        strings.push(0);
        offset.to_le_bytes()
    };
    for (name, path) in sorted {
        table.extend(X86_64_LIBC6.to_le_bytes());
        table.extend(intern(name));
        table.extend(intern(path));
        table.extend([0; 12]);
    }
    let mut cache = MAGIC.to_vec();
    cache.extend((libraries.len() as u32).to_le_bytes());
    cache.extend((strings.len() as u32).to_le_bytes());
    cache.push(LITTLE_ENDIAN);
    cache.resize(HEADER, 0);
    [cache, table, strings].concat()
}

/// The loader's order of names, in which runs of digits count as numbers (`_dl_cache_libcmp`).
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        match (a.first(), b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (left, right) = (take_number(&mut a), take_number(&mut b));
                if left != right {
                    return left.cmp(&right);
                }
            }
            (Some(x), _) if x.is_ascii_digit() => return Ordering::Greater,
            (_, Some(y)) if y.is_ascii_digit() => return Ordering::Less,
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (x, y) => return x.cmp(&y),
        }
    }
}

fn take_number(text: &mut &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    *text = rest;
    number.iter().fold(0, |value: u64, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_this_machine() {
        let file = std::fs::read("/etc/ld.so.cache").unwrap();
        let libraries = parse(&file).unwrap();
        let (_, path) = libraries.iter().find(|(name, _)| *name == "libc.so.6").unwrap();
        assert!(std::path::Path::new(path).exists());
    }

    #[test]
    fn ours_is_understood_by_the_system() {
        let libraries: Vec<(String, String)> = ["libz.so.1", "liba.so.10", "liba.so.9", "liba.so", "libstdc++.so.6"]
            .iter()
            .map(|name| ((*name).to_owned(), format!("/opt/lib/{name}")))
            .collect();
        let cache = encode(&libraries);
        assert_eq!(parse(&cache).unwrap().len(), libraries.len());
        assert_eq!(parse(&cache).unwrap()[0].0, "libz.so.1");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        std::fs::write(&path, cache).unwrap();
        let out = std::process::Command::new("/sbin/ldconfig").arg("-p").arg("-C").arg(&path).output().unwrap();
        let listing = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success() && listing.contains("liba.so.10 (libc6,x86-64) => /opt/lib/liba.so.10"),
            "{listing}"
        );
    }

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        assert_eq!(compare(b"liba.so.9", b"liba.so.10"), Ordering::Less);
        assert_eq!(compare(b"liba.so", b"liba.so.1"), Ordering::Less);
        assert_eq!(compare(b"lib1", b"liba"), Ordering::Greater);
        assert_eq!(compare(b"x", b"x"), Ordering::Equal);
    }

    #[test]
    fn malformed_caches_are_refused() {
        let good = encode(&[("liba.so".into(), "/a".into())]);
        assert_eq!(parse(b""), None);
        for len in [20, 24, 48, 60, good.len() - 1] {
            assert_eq!(parse(&good[..len]), None, "{len}");
        }
        let mut many = good.clone();
        many[20..24].fill(0xff);
        assert_eq!(parse(&many), None);
        let mut wild = good;
        wild[HEADER + 4..HEADER + 8].fill(0xff);
        assert_eq!(parse(&wild), None);
    }
}
