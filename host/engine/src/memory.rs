//! Gives back memory that a supervisor needed for its start only. One runs for each instance, for months perhaps.
#![allow(unsafe_code)] // Program headers and madvise(2) work on addresses.

use std::ffi::c_void;

/// Lets go of the program's own pages in memory: those that the event loop needs come back from the page cache one by one, the
/// rest (argument parser, images, network set-up) does not.
pub(crate) fn release() {
    // SAFETY: the callback has the right type, and no data is passed.
    unsafe { libc::dl_iterate_phdr(Some(release_text), std::ptr::null_mut()) };
    release_stack();
}

/// Lets go of the stack below this function, which the deep calls of a start touched.
fn release_stack() {
    /// What functions called from here, and the kernel for a signal, may be using.
    const KEEP: usize = 16 << 10;
    /// More is never touched; nothing else lies so close below the first thread's stack.
    const REACH: usize = 1 << 20;
    let here = 0u8;
    let page = rustix::param::page_size();
    let end = (std::ptr::from_ref(std::hint::black_box(&here)) as usize - KEEP) & !(page - 1);
    let begin = end - REACH;
    // SAFETY: below the stack pointer nothing is alive, and pages that are touched again are zero, as new ones are. Where
    // nothing is mapped the kernel passes over it, with an error at the end.
    unsafe { libc::madvise(begin as *mut c_void, end - begin, libc::MADV_DONTNEED) };
}

/// For each object of the process: one, as it is linked statically.
unsafe extern "C" fn release_text(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> i32 {
    // SAFETY: dl_iterate_phdr(3) passes a valid structure, whose program headers are those of a loaded object.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)))
    };
    for header in headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0) {
        let page = rustix::param::page_size() as u64;
        let begin = (base + header.p_vaddr) & !(page - 1);
        // The last page may be shared with the next segment, which may be written.
        let end = (base + header.p_vaddr + header.p_memsz) & !(page - 1);
        if begin < end {
            // SAFETY: the pages are a file's, mapped without write permission: what is dropped is read again when touched.
            unsafe { libc::madvise(begin as *mut c_void, (end - begin) as usize, libc::MADV_DONTNEED) };
        }
    }
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_goes_on_in_fewer_pages() {
        let resident = || {
            let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
            let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let before = resident();
        super::release();
        assert!(resident() < before, "{before}");
    }
}
