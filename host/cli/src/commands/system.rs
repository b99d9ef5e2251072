use std::process::ExitCode;

use engine::{Engine, Error, SystemInfo};

use crate::args::{KernelCommand, SystemCommand};
use crate::output;

/// `coracle system …`.
pub(super) fn system(engine: &Engine, command: SystemCommand) -> Result<ExitCode, Error> {
    match command {
        SystemCommand::Info { json } => {
            let info = engine.system_info();
            if json {
                output::json(&info)
            } else {
                print_info(&info)
            }
            Ok(ExitCode::SUCCESS)
        }
        SystemCommand::Check { fix, json } => {
            let findings = engine.check(fix)?;
            if json {
                output::json(&findings);
            } else if findings.is_empty() {
                output::line("Nothing was left behind.");
            }
            for finding in findings.iter().filter(|_| !json) {
                let done = if finding.fixed { " (removed)" } else { "" };
                output::line(&format!("{}: {}{done}", finding.kind, finding.what));
            }
            // What was found and not removed is for the caller's script to see.
            Ok(if findings.iter().all(|f| f.fixed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn print_info(info: &SystemInfo) {
    output::line(&format!("Coracle {}", info.version));
    output::line(&format!("Host kernel:    {}", info.kernel));
    output::line(&format!("CPUs, memory:   {}, {}", info.cpus, output::size(info.memory)));
    output::line(&format!("State:          {}", info.root));
    output::line(&format!("Control groups: {}", info.cgroup));
    output::line(&format!("MicroVMs:       {}", info.hypervisor));
    output::line("");
    let yes_no = |available| if available { "yes" } else { "no" }.to_owned();
    let rows = info.capabilities.iter().map(|c| vec![c.name.to_owned(), yes_no(c.available), c.detail.clone()]);
    output::table(&["CAPABILITY", "HERE", "WHY"], rows.collect());
}

/// `coracle kernel …`.
pub(super) fn kernel(engine: &Engine, command: KernelCommand) -> Result<ExitCode, Error> {
    let dir = engine.paths().kernels();
    let kernel = match command {
        KernelCommand::Install { package: Some(package) } => microvm::kernel::install_deb(&package, &dir)?,
        KernelCommand::Install { package: None } => {
            eprintln!("Fetching Debian's cloud kernel …");
            microvm::kernel::fetch(&dir)?
        }
        KernelCommand::Ls => microvm::kernel::locate(&dir)?,
    };
    output::line(&format!("{} ({})", kernel.version, kernel.vmlinux.display()));
    Ok(ExitCode::SUCCESS)
}
