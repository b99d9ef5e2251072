use std::process::ExitCode;

use engine::{Engine, Error};

use super::each;
use crate::args::{VolumeCommand, VolumeLsArgs};
use crate::output;

/// `coracle volume …`.
pub(super) fn volume(engine: &Engine, command: VolumeCommand) -> Result<ExitCode, Error> {
    match command {
        VolumeCommand::Create(args) => {
            output::line(&engine.create_volume(&args.name, args.label.into_iter().collect())?.name);
            Ok(ExitCode::SUCCESS)
        }
        VolumeCommand::Ls(args) => ls(engine, &args),
        VolumeCommand::Inspect(names) => {
            let all = names.volumes.iter().map(|name| engine.volume(name)).collect::<Result<Vec<_>, _>>()?;
            output::json(&all);
            Ok(ExitCode::SUCCESS)
        }
        VolumeCommand::Rm(names) => each(&names.volumes, |name| {
            engine.remove_volume(name)?;
            output::line(name);
            Ok(())
        }),
        VolumeCommand::Prune => {
            engine.prune_volumes()?.iter().for_each(|name| output::line(name));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn ls(engine: &Engine, args: &VolumeLsArgs) -> Result<ExitCode, Error> {
    let volumes = engine.volumes();
    if args.json {
        output::json(&volumes);
    } else if args.quiet {
        volumes.iter().for_each(|volume| output::line(&volume.name));
    } else {
        let row = |volume: &engine::NamedVolume| vec![volume.name.clone(), volume.path.display().to_string()];
        output::table(&["NAME", "DIRECTORY"], volumes.iter().map(row).collect());
    }
    Ok(ExitCode::SUCCESS)
}
