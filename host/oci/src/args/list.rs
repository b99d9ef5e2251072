use clap::{Args, ValueEnum};

use crate::id::ContainerId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// `list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci list
  coracle-oci list -f json | jq -r '.[] | select(.status == \"running\") | .id'")]
pub(crate) struct ListArgs {
    /// The output's form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// Print the names only
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `ps`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci ps box
  coracle-oci ps -f json box
  coracle-oci ps box -o pid,args")]
pub(crate) struct PsArgs {
    /// The output's form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
    /// Options of ps(1), for the table [default: -ef]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS_OPTION")]
    pub(crate) options: Vec<String>,
}
