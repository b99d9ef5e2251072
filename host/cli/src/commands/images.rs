use std::process::ExitCode;

use engine::{Engine, Error};
use image::{Addition, PackRequest, Phase, Progress, Reference};
use indicatif::ProgressBar;

use super::each;
use crate::args::{ImageCommand, ImageNames, LoadArgs, LsArgs, PackArgs, SaveArgs};
use crate::output;

/// `coracle image …`.
pub(super) fn image(engine: &Engine, command: ImageCommand) -> Result<ExitCode, Error> {
    match command {
        ImageCommand::Pack(args) => pack(engine, args),
        ImageCommand::Load(args) => load(engine, &args),
        ImageCommand::Save(args) => save(engine, &args),
        ImageCommand::Ls(args) => ls(engine, &args),
        ImageCommand::Inspect(names) => inspect(engine, &names),
        ImageCommand::Rm(names) => rm(engine, &names),
    }
}

fn pack(engine: &Engine, args: PackArgs) -> Result<ExitCode, Error> {
    let mut request = PackRequest::new(args.name.parse::<Reference>()?, args.program);
    request.add = args.add.into_iter().map(|(host, guest)| Addition { host, guest: guest.into() }).collect();
    request.env = args.env;
    request.working_dir = args.workdir.unwrap_or_default();
    request.user = args.user.unwrap_or_default();
    if !args.args.is_empty() {
        let program = request.program.display().to_string();
        request.cmd = Some([vec![program], args.args].concat());
    }
    let progress = Bar::new(false);
    let packed = image::pack(&engine.images()?, &request, &mut |p| progress.show(p))?;
    progress.finish();
    packed.missing.iter().for_each(|library| eprintln!("coracle: warning: {library}"));
    output::line(&packed.image.digest.to_string());
    Ok(ExitCode::SUCCESS)
}

fn load(engine: &Engine, args: &LoadArgs) -> Result<ExitCode, Error> {
    let store = engine.images()?;
    let progress = Bar::new(args.quiet);
    let name = args.name.as_ref().map(|name| name.parse()).transpose()?;
    let options = image::LoadOptions { name, ..Default::default() };
    let mut show = |p| progress.show(p);
    let images = match &args.input {
        None => image::load(&store, std::io::stdin().lock(), &options, &mut show)?,
        Some(path) if path.is_dir() => image::load_directory(&store, path, &options, &mut show)?,
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|e| Error::Invalid(format!("{}: {e}", path.display())))?;
            image::load(&store, file, &options, &mut show)?
        }
    };
    progress.finish();
    for image in images {
        let name = image.reference.as_ref().map_or_else(|| image.digest.to_string(), ToString::to_string);
        output::line(&format!("Loaded {name}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn save(engine: &Engine, args: &SaveArgs) -> Result<ExitCode, Error> {
    let store = engine.images()?;
    let reference: Reference = args.image.parse()?;
    match &args.output {
        Some(path) => {
            let mut file = std::fs::File::create(path).map_err(|e| Error::System("creating the archive", e))?;
            image::save(&store, &reference, &mut file)?;
        }
        None if std::io::IsTerminal::is_terminal(&std::io::stdout()) => {
            return Err(Error::Invalid("an archive is not for a terminal; use -o FILE or a pipe".to_owned()));
        }
        None => image::save(&store, &reference, &mut std::io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ls(engine: &Engine, args: &LsArgs) -> Result<ExitCode, Error> {
    let images = engine.images()?.list()?;
    if args.json {
        output::json(&images);
    } else if args.quiet {
        images.iter().for_each(|image| output::line(&image.digest.to_string()));
    } else {
        let rows = images.iter().map(|image| {
            vec![
                image.reference.as_ref().map_or_else(|| "<none>".to_owned(), ToString::to_string),
                image.digest.hex()[..12].to_owned(),
                image.created.clone().unwrap_or_default(),
                output::size(image.size),
                if image.intact { "" } else { "damaged: see `coracle system check`" }.to_owned(),
            ]
        });
        output::table(&["IMAGE", "DIGEST", "CREATED", "SIZE", ""], rows.collect());
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(engine: &Engine, names: &ImageNames) -> Result<ExitCode, Error> {
    let store = engine.images()?;
    let mut found = Vec::new();
    let code = each(&names.images, |name| {
        found.push(store.resolve(&name.parse()?)?);
        Ok(())
    })?;
    output::json(&found);
    Ok(code)
}

fn rm(engine: &Engine, names: &ImageNames) -> Result<ExitCode, Error> {
    each(&names.images, |name| {
        engine.remove_image(name)?;
        output::line(&format!("Removed {name}"));
        Ok(())
    })
}

/// Progress on a terminal; nothing elsewhere.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(quiet: bool) -> Self {
        Self((!quiet).then(ProgressBar::new_spinner))
    }

    fn show(&self, progress: Progress) {
        let Some(bar) = &self.0 else { return };
        let what = match progress.phase {
            Phase::Packing => "packing",
            Phase::Reading => "reading",
            Phase::Unpacking => "unpacking",
            Phase::Storing => "storing",
        };
        bar.set_message(format!("{what} {}", output::size(progress.bytes)));
        bar.tick();
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
