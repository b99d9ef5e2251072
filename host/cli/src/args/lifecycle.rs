//! Flags of `run` and `create` about what the engine does with an instance beside running it.

use std::time::Duration;

use clap::Args;
use engine::LifecycleRequest;
use plan::{LogDriver, Restart};

#[derive(Debug, Args)]
pub(crate) struct LifecycleArgs {
    /// Start the instance again when it ends: no, on-failure[:N], always, unless-stopped
    #[arg(long, value_name = "POLICY", default_value = "no", value_parser = parse_restart)]
    restart: Restart,
    /// Check the instance's health with this shell command
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks (30s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    health_interval: Option<Duration>,
    /// Time after which a check has failed (30s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    health_timeout: Option<Duration>,
    /// Time after the start in which failures do not count (0s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration_or_zero)]
    health_start_period: Option<Duration>,
    /// Failures in a row that mean unhealthy (3)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    health_retries: Option<u32>,
    /// Do not check the instance's health, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
    /// Where output goes: json-file, journald, none
    #[arg(long, value_name = "DRIVER", default_value = "json-file", value_parser = parse_driver)]
    log_driver: LogDriver,
    /// An option of the log driver: max-size=SIZE, max-file=N (json-file), tag=TEXT (journald)
    #[arg(long, value_name = "NAME=VALUE")]
    log_opt: Vec<String>,
    /// Put a small first process before the program, which passes signals on and reaps orphans
    #[arg(long)]
    init: bool,
}

impl LifecycleArgs {
    /// The flags in the engine's terms.
    pub(crate) fn request(&self) -> LifecycleRequest {
        let ms = |time: Option<Duration>| time.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        LifecycleRequest {
            restart: self.restart,
            health_command: self.health_cmd.clone(),
            health_interval_ms: ms(self.health_interval),
            health_timeout_ms: ms(self.health_timeout),
            health_start_period_ms: ms(self.health_start_period),
            health_retries: self.health_retries,
            no_health_check: self.no_healthcheck,
            log_driver: self.log_driver,
            log_options: self.log_opt.clone(),
            init: self.init,
        }
    }
}

fn parse_restart(text: &str) -> Result<Restart, plan::ParseRestartError> {
    text.parse()
}

fn parse_driver(text: &str) -> Result<LogDriver, plan::ParseLogDriverError> {
    text.parse()
}

/// `1m30s`, `500ms`; at least a millisecond.
fn parse_duration(text: &str) -> Result<Duration, String> {
    parse_duration_or_zero(text).and_then(|time| match time.as_millis() {
        0 => Err("the least time is 1ms".to_owned()),
        _ => Ok(time),
    })
}

fn parse_duration_or_zero(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a time as 30s, 1m30s or 500ms".to_owned())
}
