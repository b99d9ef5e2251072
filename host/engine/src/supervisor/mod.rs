//! One small process per instance: it starts the program, keeps its output, answers commands, and cleans up at the end.
//!
//! It is forked by the command that starts the instance and speaks with it, and with later commands, in [`frame`]s over
//! Unix stream sockets. There is no daemon: when it dies, the instance goes on, and the next command sees that.

mod channel;
mod client;
mod detach;
mod event_loop;
mod frame;
mod health;
mod log;
mod output;
mod relay;
mod requests;
mod restart;
mod runs;
mod serve;

pub(crate) use client::Client;
pub use client::{Streams, Terminal};
pub use detach::{DetachKeys, ParseKeysError};
pub(crate) use frame::Frame;
pub use log::LogLine;
pub(crate) use log::LogReader;
pub(crate) use output::{Output, console_socket};
pub(crate) use relay::{Relay, Relayed};
pub(crate) use serve::spawn;
