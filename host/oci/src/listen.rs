//! Sockets that the runtime was started with, by the protocol of sd_listen_fds(3).

/// How many there are: `LISTEN_FDS`, if `LISTEN_PID` means this process.
pub(crate) fn count() -> u32 {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    counted(number("LISTEN_PID"), number("LISTEN_FDS"), std::process::id)
}

fn counted(for_process: Option<u32>, sockets: Option<u32>, own: fn() -> u32) -> u32 {
    if for_process.is_some_and(|process| process == own()) { sockets.unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_those_of_this_process_count() {
        assert_eq!(counted(Some(7), Some(2), || 7), 2);
        assert_eq!(counted(Some(6), Some(2), || 7), 0);
        assert_eq!(counted(None, Some(2), || 7), 0);
        assert_eq!(counted(Some(7), None, || 7), 0);
    }
}
