//! How an instance is to be looked after: what the user asks for over what the image says.

use image::Image;
use plan::{HealthCheck, Isolation, Lifecycle, LogConfig, LogDriver, Restart};

use crate::{Error, RunRequest};

/// What the user asked for. `None` and empty mean the image's or the default.
#[derive(Debug, Clone, Default)]
pub struct LifecycleRequest {
    /// Whether it is started again.
    pub restart: Restart,
    /// The command of the health check, for a shell.
    pub health_command: Option<String>,
    /// Milliseconds between checks.
    pub health_interval_ms: Option<u64>,
    /// Milliseconds that a check may take.
    pub health_timeout_ms: Option<u64>,
    /// Milliseconds in which failures do not count.
    pub health_start_period_ms: Option<u64>,
    /// Failures in a row that mean unhealthy.
    pub health_retries: Option<u32>,
    /// No check, whatever the image says.
    pub no_health_check: bool,
    /// Where output goes.
    pub log_driver: LogDriver,
    /// `NAME=VALUE`: `max-size`, `max-file`, `tag`.
    pub log_options: Vec<String>,
    /// A small first process.
    pub init: bool,
}

impl RunRequest {
    /// The plan's part.
    pub(crate) fn lifecycle(&self, image: &Image) -> Result<Lifecycle, Error> {
        let asked = &self.lifecycle;
        if self.auto_remove && asked.restart != Restart::No {
            return Err(Error::Invalid(
                "--rm removes at the end what --restart would start again; choose one".to_owned(),
            ));
        }
        Ok(Lifecycle {
            restart: asked.restart,
            health: self.health(image)?,
            log: log(asked)?,
            init: asked.init,
            interactive: self.interactive,
        })
    }

    fn health(&self, image: &Image) -> Result<Option<HealthCheck>, Error> {
        let asked = &self.lifecycle;
        if asked.no_health_check {
            let mut others = asked.health_command.is_some() || asked.health_retries.is_some();
            others |= asked.health_interval_ms.is_some() || asked.health_timeout_ms.is_some();
            if others {
                return Err(Error::Invalid("--no-healthcheck does not go with other --health-… flags".to_owned()));
            }
            return Ok(None);
        }
        let own = image.config.healthcheck.clone().unwrap_or_default();
        let command = match &asked.health_command {
            Some(text) => shell(text),
            None => match own.test.split_first() {
                Some((kind, args)) if kind == "CMD" && !args.is_empty() => args.to_vec(),
                Some((kind, [text])) if kind == "CMD-SHELL" => shell(text),
                _ => return Ok(None),
            },
        };
        if self.isolation != Isolation::Container {
            // The image's wish is not the user's: only what was asked for on the command line is refused.
            let hint = "; the program is alone there: check it from outside, through its port";
            return match asked.health_command {
                Some(_) => Err(Error::Unsupported { what: "--health-cmd", level: self.isolation, hint }),
                None => Ok(None),
            };
        }
        // The defaults are Docker's.
        let ms = |asked: Option<u64>, nanoseconds: u64, default: u64| {
            asked.unwrap_or(if nanoseconds == 0 { default } else { nanoseconds.div_ceil(1_000_000) })
        };
        Ok(Some(HealthCheck {
            command,
            interval_ms: ms(asked.health_interval_ms, own.interval, 30_000),
            timeout_ms: ms(asked.health_timeout_ms, own.timeout, 30_000),
            start_period_ms: ms(asked.health_start_period_ms, own.start_period, 0),
            retries: asked.health_retries.unwrap_or(if own.retries == 0 { 3 } else { own.retries }),
        }))
    }
}

fn shell(command: &str) -> Vec<String> {
    ["/bin/sh", "-c", command].map(str::to_owned).to_vec()
}

fn log(asked: &LifecycleRequest) -> Result<LogConfig, Error> {
    let mut log = LogConfig { driver: asked.log_driver, ..LogConfig::default() };
    for option in &asked.log_options {
        let bad = |why: &str| Error::Invalid(format!("--log-opt {option}: {why}"));
        let (name, value) = option.split_once('=').ok_or_else(|| bad("write NAME=VALUE"))?;
        match (name, log.driver) {
            ("max-size", LogDriver::JsonFile) => {
                log.max_size = Some(plan::parse_size(value).map_err(|e| bad(&e.to_string()))?);
            }
            ("max-file", LogDriver::JsonFile) => {
                let count = value.parse().ok().filter(|n| (1..=1000).contains(n));
                log.max_files = Some(count.ok_or_else(|| bad("write a number from 1 to 1000"))?);
            }
            ("tag", LogDriver::Journald) => log.tag = Some(value.to_owned()),
            ("max-size" | "max-file", _) => return Err(bad("only the driver json-file has files")),
            ("tag", _) => return Err(bad("only the driver journald marks its lines")),
            _ => return Err(bad("the options are max-size, max-file and tag")),
        }
    }
    if log.max_files.is_some_and(|n| n > 1) && log.max_size.is_none() {
        return Err(Error::Invalid("--log-opt max-file needs max-size: without it there is only one file".to_owned()));
    }
    Ok(log)
}
