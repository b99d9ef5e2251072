//! Calls that 32-bit programs can also make through socketcall(2) and ipc(2), whose first argument says which is meant.
//! The real arguments are in memory, where a filter cannot see them.

/// `SYS_*` of linux/net.h.
const SOCKETCALL: &[(&str, u64)] = &[
    ("accept", 5),
    ("accept4", 18),
    ("bind", 2),
    ("connect", 3),
    ("getpeername", 7),
    ("getsockname", 6),
    ("getsockopt", 15),
    ("listen", 4),
    ("recv", 10),
    ("recvfrom", 12),
    ("recvmmsg", 19),
    ("recvmsg", 17),
    ("send", 9),
    ("sendmmsg", 20),
    ("sendmsg", 16),
    ("sendto", 11),
    ("setsockopt", 14),
    ("shutdown", 13),
    ("socket", 1),
    ("socketpair", 8),
];

/// Calls of linux/ipc.h.
const IPC: &[(&str, u64)] = &[
    ("msgctl", 14),
    ("msgget", 13),
    ("msgrcv", 12),
    ("msgsnd", 11),
    ("semctl", 3),
    ("semget", 2),
    ("semop", 1),
    ("semtimedop", 4),
    ("shmat", 21),
    ("shmctl", 24),
    ("shmdt", 22),
    ("shmget", 23),
];

/// The i386 call that stands for `name`, and its first argument.
pub(super) fn find(name: &str) -> Option<(&'static str, u64)> {
    let in_table = |table: &[(&str, u64)]| table.iter().find(|row| row.0 == name).map(|row| row.1);
    match name.as_bytes().first()? {
        b'a' | b'b' | b'c' | b'g' | b'l' | b'r' | b's' | b'm' => {
            in_table(SOCKETCALL).map(|call| ("socketcall", call)).or_else(|| in_table(IPC).map(|call| ("ipc", call)))
        }
        _ => None,
    }
}
