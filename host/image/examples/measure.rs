//! Prints how long packing, loading and finding an image take on this machine: the numbers of SPECIFICATION.md.
//!
//! `cargo run --release -p image --example measure [ARCHIVE]`

use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, Instant};

use image::{LoadOptions, PackRequest, Reference, Store, load, pack, resolve_user};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("coracle-measure-{}", std::process::id()));
    let result = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    result
}

fn measure(dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(dir)?;
    let name: Reference = "redis".parse()?;
    let request = PackRequest::new(name.clone(), "/usr/bin/redis-server");
    let (time, packed) = median(5, || pack(&store, &request, &mut |_| {}));
    println!("pack redis-server: {time:?}, file system {} bytes", packed?.image.erofs_size);
    let (time, image) = median(1001, || Store::open(dir).and_then(|store| store.resolve(&name)));
    println!("open and resolve: {time:?}");
    let erofs = image?.erofs;
    let (time, user) = median(1001, || resolve_user(&erofs, "nobody"));
    println!("resolve a user by name: {time:?} ({})", user?.uid);
    if let Some(archive) = std::env::args_os().nth(1) {
        let size = std::fs::metadata(&archive)?.len();
        let options = LoadOptions::default();
        let open = || File::open(&archive).map(BufReader::new);
        let (time, images) = median(3, || open().map(|archive| load(&store, archive, &options, &mut |_| {})));
        println!("load {size} bytes: {time:?}, file system {} bytes", images??[0].erofs_size);
    }
    Ok(())
}

/// Repeats something; gives the median duration and the last result.
fn median<T>(times: usize, mut what: impl FnMut() -> T) -> (Duration, T) {
    let mut durations = Vec::new();
    let mut timed = || {
        let start = Instant::now();
        let result = what();
        durations.push(start.elapsed());
        result
    };
    let mut last = timed();
    for _ in 1..times {
        last = timed();
    }
    durations.sort();
    (durations[durations.len() / 2], last)
}
