//! Constants and structures of sockets.

/// Address families (`include/linux/socket.h`).
pub mod af {
    #![allow(missing_docs)]
    pub const UNSPEC: u16 = 0;
    pub const UNIX: u16 = 1;
    pub const INET: u16 = 2;
    pub const INET6: u16 = 10;
    pub const NETLINK: u16 = 16;
    pub const PACKET: u16 = 17;
}

/// Socket types (`include/linux/net.h`) and the flags that `socket(2)` and `accept4(2)` mix into them.
pub mod sock {
    #![allow(missing_docs)]
    pub const STREAM: u32 = 1;
    pub const DGRAM: u32 = 2;
    pub const RAW: u32 = 3;
    pub const SEQPACKET: u32 = 5;
    /// The bits that hold the type.
    pub const TYPE_MASK: u32 = 0xf;
    pub const NONBLOCK: u32 = 0o4000;
    pub const CLOEXEC: u32 = 0o2000000;
}

/// Protocols (`include/uapi/linux/in.h`), which are the option levels too.
pub mod ipproto {
    #![allow(missing_docs)]
    pub const IP: u32 = 0;
    pub const ICMP: u32 = 1;
    pub const TCP: u32 = 6;
    pub const UDP: u32 = 17;
    pub const IPV6: u32 = 41;
}

/// Flags of `send(2)` and `recv(2)` (`include/linux/socket.h`).
pub mod msg {
    #![allow(missing_docs)]
    pub const OOB: u32 = 0x1;
    pub const PEEK: u32 = 0x2;
    pub const DONTROUTE: u32 = 0x4;
    pub const CTRUNC: u32 = 0x8;
    pub const TRUNC: u32 = 0x20;
    pub const DONTWAIT: u32 = 0x40;
    pub const EOR: u32 = 0x80;
    pub const WAITALL: u32 = 0x100;
    pub const ERRQUEUE: u32 = 0x2000;
    pub const NOSIGNAL: u32 = 0x4000;
    pub const MORE: u32 = 0x8000;
    pub const WAITFORONE: u32 = 0x10000;
    pub const CMSG_CLOEXEC: u32 = 0x4000_0000;
}

/// Options of the level `SOL_SOCKET` (`include/uapi/asm-generic/socket.h`).
pub mod so {
    #![allow(missing_docs)]
    /// The level itself.
    pub const SOL_SOCKET: u32 = 1;
    pub const DEBUG: u32 = 1;
    pub const REUSEADDR: u32 = 2;
    pub const TYPE: u32 = 3;
    pub const ERROR: u32 = 4;
    pub const DONTROUTE: u32 = 5;
    pub const BROADCAST: u32 = 6;
    pub const SNDBUF: u32 = 7;
    pub const RCVBUF: u32 = 8;
    pub const KEEPALIVE: u32 = 9;
    pub const OOBINLINE: u32 = 10;
    pub const PRIORITY: u32 = 12;
    pub const LINGER: u32 = 13;
    pub const REUSEPORT: u32 = 15;
    pub const PASSCRED: u32 = 16;
    pub const PEERCRED: u32 = 17;
    pub const RCVLOWAT: u32 = 18;
    pub const SNDLOWAT: u32 = 19;
    pub const RCVTIMEO: u32 = 20;
    pub const SNDTIMEO: u32 = 21;
    pub const TIMESTAMP: u32 = 29;
    pub const ACCEPTCONN: u32 = 30;
    pub const SNDBUFFORCE: u32 = 32;
    pub const RCVBUFFORCE: u32 = 33;
    pub const MARK: u32 = 36;
    pub const PROTOCOL: u32 = 38;
    pub const DOMAIN: u32 = 39;
    pub const BUSY_POLL: u32 = 46;
    pub const INCOMING_CPU: u32 = 49;
    pub const ZEROCOPY: u32 = 60;
}

/// Options of TCP (`include/uapi/linux/tcp.h`).
pub mod tcp {
    #![allow(missing_docs)]
    pub const NODELAY: u32 = 1;
    pub const MAXSEG: u32 = 2;
    pub const CORK: u32 = 3;
    pub const KEEPIDLE: u32 = 4;
    pub const KEEPINTVL: u32 = 5;
    pub const KEEPCNT: u32 = 6;
    pub const SYNCNT: u32 = 7;
    pub const LINGER2: u32 = 8;
    pub const DEFER_ACCEPT: u32 = 9;
    pub const WINDOW_CLAMP: u32 = 10;
    pub const INFO: u32 = 11;
    pub const QUICKACK: u32 = 12;
    pub const CONGESTION: u32 = 13;
    pub const USER_TIMEOUT: u32 = 18;
    pub const FASTOPEN: u32 = 23;
    pub const NOTSENT_LOWAT: u32 = 25;
    /// States of `struct tcp_info` (`include/net/tcp_states.h`).
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const FIN_WAIT1: u8 = 4;
    pub const FIN_WAIT2: u8 = 5;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const CLOSE_WAIT: u8 = 8;
    pub const LAST_ACK: u8 = 9;
    pub const LISTEN: u8 = 10;
    pub const CLOSING: u8 = 11;
}

/// Options of IPv4 and IPv6 (`include/uapi/linux/in.h`, `in6.h`).
pub mod ip {
    #![allow(missing_docs)]
    pub const TOS: u32 = 1;
    pub const TTL: u32 = 2;
    pub const OPTIONS: u32 = 4;
    pub const PKTINFO: u32 = 8;
    pub const MTU_DISCOVER: u32 = 10;
    pub const RECVERR: u32 = 11;
    pub const RECVTTL: u32 = 12;
    pub const FREEBIND: u32 = 15;
    pub const BIND_ADDRESS_NO_PORT: u32 = 24;
    pub const MULTICAST_TTL: u32 = 33;
    pub const V6_UNICAST_HOPS: u32 = 16;
    pub const V6_MULTICAST_HOPS: u32 = 18;
    pub const V6_MTU_DISCOVER: u32 = 23;
    pub const V6_RECVERR: u32 = 25;
    pub const V6_V6ONLY: u32 = 26;
    pub const V6_RECVPKTINFO: u32 = 49;
    pub const V6_TCLASS: u32 = 67;
}

/// Requests of `ioctl(2)` (`include/uapi/linux/sockios.h`).
pub mod sio {
    #![allow(missing_docs)]
    pub const FIONREAD: u32 = 0x541b;
    pub const FIONBIO: u32 = 0x5421;
    pub const SIOCATMARK: u32 = 0x8905;
    pub const SIOCOUTQ: u32 = 0x5411;
    pub const GIFNAME: u32 = 0x8910;
    pub const GIFCONF: u32 = 0x8912;
    pub const GIFFLAGS: u32 = 0x8913;
    pub const GIFADDR: u32 = 0x8915;
    pub const GIFBRDADDR: u32 = 0x8919;
    pub const GIFNETMASK: u32 = 0x891b;
    pub const GIFMTU: u32 = 0x8921;
    pub const GIFHWADDR: u32 = 0x8927;
    pub const GIFINDEX: u32 = 0x8933;
}
