//! One application at every isolation level and as a plain host process, measured side by side.
//!
//! Machines are noisy and drift, so the levels take turns within each round, and what is reported is the median over the
//! rounds with its spread. Each figure says what it counts: see [`Metric`].

mod error;
mod metric;
mod processes;
mod redis;
mod report;
mod run;
mod statistics;
mod subject;

pub use error::Error;
pub use metric::Metric;
pub use report::Report;
pub use run::{Options, run};
pub use statistics::Summary;
pub use subject::Level;
