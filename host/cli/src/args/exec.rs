//! `coracle exec` and `coracle attach`.

use clap::Args;
use engine::DetachKeys;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle exec -it web sh
  coracle exec -e DEBUG=1 -w /srv -u www-data web ./job
  coracle exec -d web ./long-job

Exit status: the program's own; 126 if it cannot be executed, 127 if it does not exist, 125 if Coracle failed.")]
pub(crate) struct ExecArgs {
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Do not wait for its end
    #[arg(short, long, conflicts_with_all = ["interactive", "tty"])]
    pub(crate) detach: bool,
    /// Set an environment variable; without a value, take the command's own
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Give the program all capabilities
    #[arg(long)]
    pub(crate) privileged: bool,
    /// What to type to leave a program with a terminal and let it run
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    pub(crate) detach_keys: DetachKeys,
    /// The instance
    pub(crate) instance: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle attach shell
  coracle attach --no-stdin --sig-proxy=false web

With a terminal, ctrl-p ctrl-q leaves the program and lets it run.")]
pub(crate) struct AttachArgs {
    /// Do not pass standard input on
    #[arg(long)]
    pub(crate) no_stdin: bool,
    #[command(flatten)]
    pub(crate) streams: StreamArgs,
    /// The instance
    pub(crate) instance: String,
}

/// How a command is connected with a program.
#[derive(Debug, Args)]
pub(crate) struct StreamArgs {
    /// What to type to leave a program with a terminal and let it run
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    pub(crate) detach_keys: DetachKeys,
    /// Pass signals on to the program
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) sig_proxy: bool,
}
