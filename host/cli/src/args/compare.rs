//! `coracle compare`.

use clap::Args;

use super::limits::Limits;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle compare redis redis-server --save \"\" --protected-mode no
  coracle compare --rounds 5 --json redis > result.json

The image must hold a server that speaks the Redis protocol on the port given.")]
pub(crate) struct CompareArgs {
    /// How often each level is measured, in turn
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) rounds: u32,
    /// Requests of each measurement
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub(crate) requests: u32,
    /// Connections of the client
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) connections: u32,
    /// The server's port
    #[arg(long, default_value_t = 6379)]
    pub(crate) port: u16,
    /// Only these levels (also: host)
    #[arg(long, value_delimiter = ',', value_name = "LEVELS")]
    pub(crate) levels: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// The image
    pub(crate) image: String,
    /// The command and its arguments, instead of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}
