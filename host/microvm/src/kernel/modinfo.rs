/// What a kernel module depends on: the `depends=` entry of its `.modinfo` section, a list of names separated by commas.
///
/// The section is a row of zero-terminated `name=value` strings, so the entry is found without reading the ELF headers.
/// Names are returned with underscores, as the kernel compares them. A module that says nothing depends on nothing.
pub fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = &module[start + KEY.len()..];
    let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let names = value.split(|byte| *byte == b',').filter_map(|name| std::str::from_utf8(name).ok());
    names.filter(|name| is_name(name)).map(canonical).collect()
}

/// A module's name in the form that the kernel compares.
pub(crate) fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// The name becomes a file name: nothing else is accepted.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_checked() {
        assert_eq!(dependencies(b"\x7fELF\0license=GPL\0depends=virtio,virtio-ring\0x"), ["virtio", "virtio_ring"]);
        assert!(dependencies(b"..\0depends=\0..").is_empty());
        assert!(dependencies(b"nothing").is_empty());
        assert!(dependencies(b"\0depends=../../etc,a/b\0").is_empty());
        assert_eq!(dependencies(b"\0depends=cut"), ["cut"]);
    }
}
