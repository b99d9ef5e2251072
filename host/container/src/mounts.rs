//! Mounts of a container, made and attached by descriptor.

mod attach;
mod bind;
mod cgroups;
mod copy_up;
mod devices;
mod file_system;
mod perform;
mod protect;

pub(crate) use attach::Tree;
pub(crate) use bind::{Bound, bind_sources, map_owners};
pub(crate) use devices::{add_console, make_all as make_devices};
pub(crate) use file_system::new;
pub(crate) use perform::perform_all;
pub(crate) use protect::protect;
