//! Messages between the host and the agent inside a microVM.
//!
//! The channel is one byte stream (a virtio-serial port, virtio 1.2 section 5.3). A [frame](frame) is a little-endian
//! `u32` payload length, a `u8` kind and the payload; structured payloads are JSON, data payloads are raw bytes. Each
//! side treats the other's frames as hostile: lengths are limited before anything is stored, unknown kinds and
//! malformed payloads are errors, and no data stream may run ahead of the [credit](WINDOW) that its reader gave.

mod frame;
mod message;
mod start;

pub use frame::{Decoder, FrameError, HEADER, MAX_PAYLOAD, RawFrame, split};
pub use message::{FailureKind, Hello, MAX_DATA, MessageError, Output, StartFailure, ToGuest, ToHost, WINDOW};
pub use start::{Network, Program, Start, Terminal, Volume};

/// The version of this protocol; host and agent must agree exactly, since they are installed together.
pub const VERSION: u32 = 1;

/// The name of the virtio-serial port that carries the channel (`/sys/class/virtio-ports/*/name`).
pub const PORT_NAME: &str = "coracle.agent";

/// The tag of the virtio-fs device that carries the volumes.
pub const VOLUMES_TAG: &str = "coracle.volumes";
