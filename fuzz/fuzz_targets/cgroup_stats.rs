//! Any text in every control file, in both versions.
#![no_main]

use cgroup::Controller;
use cgroup::stats::{Files, Source, Stats};

struct Same<'a>(Source, &'a str);

impl Files for Same<'_> {
    fn source(&self, _: Controller) -> Option<Source> {
        Some(self.0)
    }

    fn text(&self, _: Controller, _: Source, _: &str) -> Option<String> {
        Some(self.1.to_owned())
    }

    fn page_sizes(&self) -> Vec<String> {
        vec!["2MB".to_owned()]
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    for source in [Source::V1, Source::V2] {
        let _ = Stats::read(&Same(source, text));
    }
});
