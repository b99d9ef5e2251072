//! The options that every socket keeps (socket(7), tcp(7)).

/// Values of `setsockopt(2)`. Times are in nanoseconds, 0 for none, unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `SO_REUSEADDR`.
    pub(crate) reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub(crate) reuse_port: bool,
    /// `SO_KEEPALIVE`.
    pub(crate) keep_alive: bool,
    /// `SO_BROADCAST`.
    pub(crate) broadcast: bool,
    /// `SO_PASSCRED`.
    pub(crate) pass_credentials: bool,
    /// `IPV6_V6ONLY`.
    pub(crate) v6only: bool,
    /// `TCP_NODELAY`. Segments never wait for acknowledgements here; the value is only told back.
    pub(crate) no_delay: bool,
    /// `TCP_CORK`.
    pub(crate) cork: bool,
    /// `IP_PKTINFO`.
    pub(crate) packet_info: bool,
    /// `SO_LINGER`: seconds, if set.
    pub(crate) linger: Option<u32>,
    /// `SO_RCVTIMEO`.
    pub(crate) receive_timeout: u64,
    /// `SO_SNDTIMEO`.
    pub(crate) send_timeout: u64,
    /// `SO_RCVBUF` in bytes, as getsockopt(2) tells it. Buffers grow and shrink by themselves.
    pub(crate) receive_buffer: u32,
    /// `SO_SNDBUF` in bytes, as getsockopt(2) tells it.
    pub(crate) send_buffer: u32,
    /// `TCP_KEEPIDLE` in seconds.
    pub(crate) keep_idle: u32,
    /// `TCP_KEEPINTVL` in seconds.
    pub(crate) keep_interval: u32,
    /// `TCP_KEEPCNT`.
    pub(crate) keep_count: u32,
    /// `TCP_USER_TIMEOUT` in milliseconds.
    pub(crate) user_timeout: u32,
    /// `IP_TTL`.
    pub(crate) ttl: u8,
    /// `IP_TOS`; only told back.
    pub(crate) tos: u8,
    /// `SO_PRIORITY`; only told back.
    pub(crate) priority: u32,
    /// `TCP_DEFER_ACCEPT` in seconds; only told back, as connections are given away when they are complete.
    pub(crate) defer_accept: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reuse_address: false,
            reuse_port: false,
            keep_alive: false,
            broadcast: false,
            pass_credentials: false,
            v6only: false,
            no_delay: false,
            cork: false,
            packet_info: false,
            linger: None,
            receive_timeout: 0,
            send_timeout: 0,
            receive_buffer: 212_992,
            send_buffer: 212_992,
            keep_idle: 7200,
            keep_interval: 75,
            keep_count: 9,
            user_timeout: 0,
            ttl: 64,
            tos: 0,
            priority: 0,
            defer_accept: 0,
        }
    }
}
