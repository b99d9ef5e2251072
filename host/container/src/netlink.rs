//! The few messages of rtnetlink(7) that a container needs.

mod devices;
mod loopback;
mod packet;

pub(crate) use devices::move_devices;
pub(crate) use loopback::up as loopback_up;
