//! Commands on instances.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Names, ids, or beginnings of ids
    #[arg(required = true, value_name = "INSTANCE")]
    pub(crate) instances: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Also those that have ended
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only ids
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Wait for more until the instance ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show when each line was printed
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// The instance
    pub(crate) instance: String,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds to wait before SIGKILL
    #[arg(short, long, default_value_t = 10, value_name = "SECONDS")]
    pub(crate) time: u64,
    /// The signal that asks, instead of the image's (which is TERM if it says nothing)
    #[arg(short, long, value_parser = engine::parse_signal)]
    pub(crate) signal: Option<i32>,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The signal
    #[arg(short, long, default_value = "KILL", value_parser = engine::parse_signal)]
    pub(crate) signal: i32,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// End running instances first
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Do not wait for its end
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Set an environment variable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// The instance
    pub(crate) instance: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Do not pass standard input on
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// The instance
    pub(crate) instance: String,
}
