//! Docker Engine drives the runtime, through containerd's shim.

use engine_tests::{Engine, Kind, cases};

#[test]
fn runs() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::runs(&engine);
    }
}

#[test]
fn created_and_started() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::created_and_started(&engine);
    }
}

#[test]
fn logs_and_restart() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::logs_and_restart(&engine);
    }
}

#[test]
fn health() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::health(&engine);
    }
}

#[test]
fn runs_at_once() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::runs_at_once(&engine);
    }
}

#[test]
fn identity() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::identity(&engine);
    }
}

#[test]
fn terminals() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::terminals(&engine);
    }
}

#[test]
fn joined_namespaces() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::joined_namespaces(&engine);
    }
}

#[test]
fn exec() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::exec(&engine);
    }
}

#[test]
fn exec_at_a_terminal() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::exec_at_a_terminal(&engine);
    }
}

#[test]
fn signals() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::signals(&engine);
    }
}

#[test]
fn pause() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::pause(&engine);
    }
}

#[test]
fn first_process() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::first_process(&engine);
    }
}

#[test]
fn limits() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::limits(&engine);
    }
}

#[test]
fn out_of_memory() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::out_of_memory(&engine);
    }
}

#[test]
fn update() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::update(&engine);
    }
}

#[test]
fn volumes() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::volumes(&engine);
    }
}

#[test]
fn read_only_root() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::read_only_root(&engine);
    }
}

#[test]
fn capabilities() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::capabilities(&engine);
    }
}

#[test]
fn seccomp() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::seccomp(&engine);
    }
}

#[test]
fn masked_paths() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::masked_paths(&engine);
    }
}

#[test]
fn privileged() {
    if let Some(engine) = Engine::start(Kind::Docker) {
        cases::privileged(&engine);
    }
}
