//! `coracle image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Make an image of a program of this host and everything that it needs
    #[command(after_help = "\
Examples:
  coracle image pack --name redis /usr/bin/redis-server
  coracle image pack --name site --add /srv/www:/www /usr/sbin/nginx")]
    Pack(PackArgs),
    /// Load images from an OCI layout or a `docker save` archive
    Load(LoadArgs),
    /// Write an image as an OCI archive
    Save(SaveArgs),
    /// List images
    Ls(LsArgs),
    /// Show everything about images
    Inspect(ImageNames),
    /// Remove images
    Rm(ImageNames),
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The image's name, NAME[:TAG]
    #[arg(short, long)]
    pub(crate) name: String,
    /// Add a file or directory of the host
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_add)]
    pub(crate) add: Vec<(PathBuf, String)>,
    /// Set an environment variable in the image
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// The image's working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The image's user
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// The program
    pub(crate) program: PathBuf,
    /// Its default arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The archive, or the directory of an OCI layout; standard input if not given
    #[arg(short, long, value_name = "PATH")]
    pub(crate) input: Option<PathBuf>,
    /// A name for the image instead of the archive's own; only for archives with one image
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// No progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// The archive; standard output if not given
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// The image
    pub(crate) image: String,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only digests
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageNames {
    /// Names or digests
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
}

fn parse_add(text: &str) -> Result<(PathBuf, String), String> {
    match text.split_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => Ok((host.into(), guest.to_owned())),
        _ => Err("write HOST:GUEST with an absolute GUEST path".to_owned()),
    }
}
