use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::file::At;
use crate::layer::{RECORD, tar_headers};
use crate::oci::{Descriptor, Index, LAYOUT, MANIFEST, REF_NAME};
use crate::{Digest, Reference, Store, StoreError};

/// Writes an image as an archive of an OCI layout, which `coracle image load`, skopeo, Podman and Docker read.
pub fn save(store: &Store, reference: &Reference, out: &mut dyn Write) -> Result<(), StoreError> {
    let image = store.resolve(reference)?;
    let out_name = Path::new("output");
    let size = |digest: Digest| {
        let path = store.blob_file(digest);
        path.metadata().at("find", &path).map(|metadata| metadata.len())
    };
    let mut entry = Descriptor::new(MANIFEST, image.digest, size(image.digest)?);
    entry.annotations.extend(image.reference.and_then(|name| Some((REF_NAME.to_owned(), name.tagged()?))));
    let index = Index { manifests: vec![entry], ..Index::default() };
    let index = serde_json::to_vec(&index).map_err(io::Error::from).at("encode", out_name)?;
    for directory in ["blobs/", "blobs/sha256/"] {
        out.write_all(&tar_headers(directory.as_bytes(), b'5', 0o755, 0, 0, b"")).at("write", out_name)?;
    }
    let mut blobs: Vec<Digest> = image.layers.iter().map(|layer| layer.digest).collect();
    blobs.extend([image.digest, image.config_digest]);
    // An image may have the same layer twice.
    blobs.sort_unstable();
    blobs.dedup();
    for digest in blobs {
        let path = store.blob_file(digest);
        let mut file = File::open(&path).at("open", &path)?;
        put(out, &format!("blobs/sha256/{}", digest.hex()), &mut file, size(digest)?).at("copy", &path)?;
    }
    put(out, "index.json", &mut index.as_slice(), index.len() as u64).at("write", out_name)?;
    put(out, "oci-layout", &mut LAYOUT.as_bytes(), LAYOUT.len() as u64).at("write", out_name)?;
    Ok(out.write_all(&[0; 2 * RECORD]).at("write", out_name)?)
}

fn put(out: &mut dyn Write, name: &str, data: &mut dyn Read, size: u64) -> io::Result<()> {
    out.write_all(&tar_headers(name.as_bytes(), b'0', 0o644, 0, size, b""))?;
    if io::copy(&mut data.take(size), out)? < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let padding = size.next_multiple_of(RECORD as u64) - size;
    out.write_all(&[0; RECORD][..padding as usize])
}
