//! `coracle volume …`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum VolumeCommand {
    /// Make a volume
    Create(VolumeCreateArgs),
    /// List volumes
    Ls(VolumeLsArgs),
    /// Show everything about volumes
    Inspect(VolumeNames),
    /// Remove volumes
    Rm(VolumeNames),
    /// Remove every volume that no instance uses
    Prune,
}

#[derive(Debug, Args)]
pub(crate) struct VolumeCreateArgs {
    /// A key-value pair
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = super::run::label)]
    pub(crate) label: Vec<(String, String)>,
    /// The volume's name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct VolumeLsArgs {
    /// Only names
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VolumeNames {
    /// Names of volumes
    #[arg(required = true, value_name = "VOLUME")]
    pub(crate) volumes: Vec<String>,
}
