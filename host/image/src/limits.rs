/// What a foreign archive may cost. Beyond any of these, loading stops with an error and leaves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an archive after decompression, and again bytes of all files of one image.
    pub unpacked_bytes: u64,
    /// Files, directories and links of one image, and entries of one archive.
    pub entries: u64,
    /// Bytes of one path.
    pub path_bytes: usize,
    /// Directories above one file.
    pub path_depth: u32,
    /// Bytes of one manifest, index or configuration.
    pub json_bytes: u64,
    /// Layers of one image.
    pub layers: usize,
    /// Bytes of the extended attributes of one file.
    pub xattr_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 32 << 30,
            entries: 1_000_000,
            path_bytes: 4095,
            path_depth: 256,
            json_bytes: 4 << 20,
            layers: 512,
            xattr_bytes: 60 << 10,
        }
    }
}
