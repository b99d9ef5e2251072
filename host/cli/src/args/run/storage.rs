use clap::Args;
use plan::Volume;
use plan::options::Mount;

#[derive(Debug, Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct StorageArgs {
    /// Share a host file or directory, or a named volume
    #[arg(short, long, value_name = "HOST|NAME:GUEST[:ro]", value_parser = parse_volume)]
    pub(crate) volume: Vec<VolumeArg>,
    /// type=bind|volume|tmpfs,source=…,target=…[,readonly][,bind-propagation=…][,tmpfs-size=…][,tmpfs-mode=…]
    #[arg(long, value_name = "FIELDS")]
    pub(crate) mount: Vec<Mount>,
    /// Mount a file system in memory
    #[arg(long, value_name = "GUEST[:OPTIONS]", value_parser = plan::options::parse_tmpfs)]
    pub(crate) tmpfs: Vec<Mount>,
    /// Share what another instance shares
    #[arg(long, value_name = "INSTANCE[:ro]")]
    pub(crate) volumes_from: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = plan::parse_size)]
    pub(crate) shm_size: Option<u64>,
    /// Refuse writes to the root file system
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// What `-v` can mean.
#[derive(Debug, Clone)]
pub(crate) enum VolumeArg {
    /// A path of the host.
    Host(Volume),
    /// A named volume.
    Named(Mount),
}

/// A name has no slash; host paths may be relative to the working directory if they begin with a dot, as Docker's since 23.0.
fn parse_volume(text: &str) -> Result<VolumeArg, String> {
    let (host, rest) = text.split_once(':').ok_or("write HOST:GUEST[:ro] or NAME:GUEST[:ro]")?;
    if engine::is_volume_name(host) {
        // Its form is checked as that of a host path would be.
        let volume: Volume = format!("/{host}:{rest}").parse().map_err(|e: plan::VolumeParseError| e.to_string())?;
        let kind = plan::options::MountKind::Volume(host.to_owned());
        return Ok(VolumeArg::Named(Mount { target: volume.guest, kind, read_only: volume.read_only }));
    }
    let host = std::path::absolute(host).map_err(|e| e.to_string())?;
    let volume = format!("{}:{rest}", host.display()).parse::<Volume>();
    volume.map(VolumeArg::Host).map_err(|e| e.to_string())
}
