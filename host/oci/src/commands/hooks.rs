use container::hooks;
use oci_spec::runtime::{ContainerState, Hook, Spec, State, StateBuilder};

use crate::commands::Context;
use crate::error::chain;
use crate::state::Record;

/// Hooks after the program was started. A failure is told, and changes nothing.
pub(crate) fn poststart(context: &Context, record: &Record, spec: &Spec, pid: i32) {
    let list = spec.hooks().as_ref().and_then(|hooks| hooks.poststart().as_ref());
    all(context, "poststart", list, || state(record, ContainerState::Running, Some(pid)));
}

/// Hooks after the container was deleted.
pub(crate) fn poststop(context: &Context, record: &Record, spec: &Spec) {
    let list = spec.hooks().as_ref().and_then(|hooks| hooks.poststop().as_ref());
    all(context, "poststop", list, || state(record, ContainerState::Stopped, None));
}

fn all(context: &Context, point: &'static str, list: Option<&Vec<Hook>>, state: impl FnOnce() -> Option<State>) {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return };
    let Some(state) = state() else { return };
    for error in hooks::run_all(point, list, &state) {
        context.log.warn(&chain(&error));
    }
}

/// A container's state as hooks and agents are told it.
pub(crate) fn state(record: &Record, status: ContainerState, pid: Option<i32>) -> Option<State> {
    let mut state = StateBuilder::default()
        .version(record.oci_version.clone())
        .id(record.id.to_string())
        .status(status)
        .bundle(record.bundle.clone());
    if let Some(pid) = pid {
        state = state.pid(pid);
    }
    if !record.annotations.is_empty() {
        state = state.annotations(record.annotations.clone().into_iter().collect::<std::collections::HashMap<_, _>>());
    }
    // Every field that is required is given.
    state.build().ok()
}
