use std::fs;

use crate::{Cage, Done, IMAGE};

const RECIPE: &str = "\
RUN echo made >/made && touch /tmp/by-root
COPY file /copied
ENV GREETING=hello
RUN cat /copied >>/made; echo $GREETING >>/made
USER 1000:1000
WORKDIR /var/tmp
RUN id -u >/tmp/id && pwd >>/tmp/id
CMD cat /made /tmp/id
";

fn context(cage: &Cage, recipe: &str) -> String {
    let dir = cage.dir().join("context");
    fs::create_dir_all(&dir).expect("a directory");
    fs::write(dir.join("file"), "copied\n").expect("a file");
    fs::write(dir.join("Dockerfile"), format!("FROM {IMAGE}\n{recipe}")).expect("a recipe");
    dir.display().to_string()
}

/// RUN, COPY, ENV, USER, WORKDIR; what the new image's program then prints is the caller's to check.
pub fn build(cage: &Cage, build: impl Fn(&str) -> Done, run: impl Fn() -> Done) {
    build(&context(cage, RECIPE)).ok();
    assert_eq!(run().ok(), "made\ncopied\nhello\n1000\n/var/tmp");
}

/// A RUN that fails ends the build with its exit status in the message.
pub fn failing_build(cage: &Cage, build: impl Fn(&str) -> Done) {
    let done = build(&context(cage, "RUN exit 7\n"));
    assert!(done.code != 0 && (done.out + &done.err).contains('7'));
    let done = build(&context(cage, "RUN nosuch-program\n"));
    assert!(done.code != 0 && (done.out + &done.err).contains("127"));
}
