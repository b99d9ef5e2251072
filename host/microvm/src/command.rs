//! QEMU's command line.

use std::os::fd::RawFd;

use agent_proto::{PORT_NAME, VOLUMES_TAG};
use plan::MacAddress;

use crate::hypervisor::HypervisorKind;
use crate::size::Size;

/// The emulator's program, searched in `PATH`.
pub(crate) const QEMU: &str = "qemu-system-x86_64";

/// The translator's cache in MiB. QEMU's own default is a gigabyte, of which 50 MiB are in use when a
/// guest has started; with this limit starting takes 2% more CPU time, and a server's hot code fits in a few megabytes.
const TRANSLATION_CACHE: u32 = 32;

/// What a virtual machine consists of. Descriptors are numbers in QEMU's process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VmConfig {
    pub(crate) hypervisor: HypervisorKind,
    pub(crate) size: Size,
    /// The time-stamp counter's frequency, for the emulator's guests.
    pub(crate) tsc_khz: u64,
    pub(crate) kernel: RawFd,
    pub(crate) initrd: RawFd,
    /// The image.
    pub(crate) image: RawFd,
    /// A connected socket for the agent's port.
    pub(crate) agent: RawFd,
    /// A connected socket for the serial port.
    pub(crate) console: RawFd,
    /// A TAP device and the guest's hardware address.
    pub(crate) network: Option<(RawFd, MacAddress)>,
    /// A connected socket to the volumes' vhost-user server.
    pub(crate) volumes: Option<RawFd>,
}

impl VmConfig {
    /// The arguments, without the program's name.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut line = Line::default();
        line.add("-no-user-config -nodefaults -no-reboot -display none -monitor none -parallel none");
        line.add("-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        line.pair("-M", &self.machine());
        line.pair("-accel", &self.accelerator());
        line.pair("-cpu", if self.hypervisor == HypervisorKind::Kvm { "host" } else { "max" });
        line.pair("-smp", &self.size.cpus.to_string());
        line.pair("-m", &format!("{}M", self.size.memory));
        // Opened beforehand: QEMU itself may have no right to reach them by name.
        line.pair("-kernel", &format!("/proc/self/fd/{}", self.kernel));
        line.pair("-initrd", &format!("/proc/self/fd/{}", self.initrd));
        line.pair("-append", &self.kernel_arguments());
        line.add("-global virtio-mmio.force-legacy=false");
        // Memory that the guest frees returns to the host, in blocks of 2 MiB.
        line.add("-device virtio-balloon-device,free-page-reporting=on");
        self.add_console_and_agent(&mut line);
        self.add_image(&mut line);
        self.add_network(&mut line);
        self.add_volumes(&mut line);
        line.0
    }

    /// The machine of QEMU's docs/system/i386/microvm.rst: no PCI bus to enumerate. ACPI describes its virtio-mmio devices,
    /// since Debian's kernel takes none from its command line.
    fn machine(&self) -> String {
        let base = "microvm,acpi=on,pcie=off,usb=off,rtc=on,isa-serial=on,auto-kernel-cmdline=off";
        let shared = if self.volumes.is_some() { ",memory-backend=memory" } else { "" };
        format!("{base}{shared}")
    }

    fn accelerator(&self) -> String {
        match self.hypervisor {
            HypervisorKind::Kvm => "kvm".to_owned(),
            HypervisorKind::Tcg => format!("tcg,thread=multi,tb-size={TRANSLATION_CACHE}"),
        }
    }

    /// Documentation/admin-guide/kernel-parameters.txt of the Linux source.
    fn kernel_arguments(&self) -> String {
        // `panic=-1`: a panic resets at once, which `-no-reboot` turns into the end.
        let common =
            "console=ttyS0 quiet panic=-1 oops=panic reboot=t random.trust_cpu=on cryptomgr.notests 8250.nr_uarts=1";
        match self.hypervisor {
            HypervisorKind::Kvm => common.to_owned(),
            HypervisorKind::Tcg => {
                // The translator does not speculate: the mitigations would only cost time.
                let (khz, jiffy_loops) = (self.tsc_khz, self.tsc_khz * 4);
                // A thread that loses its CPU looks like a bad clock to the watchdog, which would fall back to jiffies.
                let clock = format!("tsc_early_khz={khz} tsc=reliable lpj={jiffy_loops} no_timer_check");
                format!("{common} {clock} mitigations=off")
            }
        }
    }

    fn add_console_and_agent(&self, line: &mut Line) {
        line.pair("-chardev", &format!("socket,id=console,fd={}", self.console));
        line.add("-serial chardev:console");
        line.pair("-chardev", &format!("socket,id=agent,fd={}", self.agent));
        line.add("-device virtio-serial-device,max_ports=2");
        line.pair("-device", &format!("virtserialport,chardev=agent,name={PORT_NAME}"));
    }

    fn add_image(&self, line: &mut Line) {
        line.pair("-add-fd", &format!("fd={},set=1", self.image));
        line.pair(
            "-blockdev",
            "driver=file,node-name=image,filename=/dev/fdset/1,read-only=on,auto-read-only=off,locking=off",
        );
        line.add("-device virtio-blk-device,drive=image");
    }

    fn add_network(&self, line: &mut Line) {
        if let Some((tap, mac)) = self.network {
            line.pair("-netdev", &format!("tap,id=network,fd={tap},vhost=off"));
            line.pair("-device", &format!("virtio-net-device,netdev=network,mac={mac}"));
        }
    }

    /// vhost-user: the server reads and writes the guest's memory directly, so it must be shared.
    fn add_volumes(&self, line: &mut Line) {
        if let Some(socket) = self.volumes {
            line.pair("-object", &format!("memory-backend-memfd,id=memory,size={}M,share=on", self.size.memory));
            line.pair("-chardev", &format!("socket,id=volumes,fd={socket}"));
            line.pair("-device", &format!("vhost-user-fs-device,chardev=volumes,tag={VOLUMES_TAG}"));
        }
    }
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    /// Adds words without blanks.
    fn add(&mut self, words: &str) {
        self.0.extend(words.split(' ').map(str::to_owned));
    }

    fn pair(&mut self, option: &str, value: &str) {
        self.0.extend([option.to_owned(), value.to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> VmConfig {
        VmConfig {
            hypervisor: HypervisorKind::Tcg,
            size: Size { memory: 256, cpus: 2 },
            tsc_khz: 2_600_000,
            kernel: 5,
            initrd: 6,
            image: 7,
            agent: 8,
            console: 9,
            network: None,
            volumes: None,
        }
    }

    #[test]
    fn only_what_is_asked_for_is_there() {
        let line = config().arguments().join(" ");
        assert!(line.contains("tsc_early_khz=2600000 tsc=reliable lpj=10400000 no_timer_check"));
        assert!(!line.contains("netdev") && !line.contains("vhost-user") && !line.contains("memory-backend"));
        let mac = MacAddress([2, 0, 0, 0, 0, 1]);
        let line = VmConfig { network: Some((10, mac)), volumes: Some(11), ..config() }.arguments().join(" ");
        assert!(line.contains("fd=10,vhost=off") && line.contains("mac=02:00:00:00:00:01"));
        assert!(line.contains("memory-backend=memory") && line.contains("size=256M,share=on"));
    }

    #[test]
    fn hardware_needs_no_clock_arguments() {
        let line = VmConfig { hypervisor: HypervisorKind::Kvm, ..config() }.arguments().join(" ");
        assert!(line.contains("-accel kvm -cpu host") && !line.contains("tsc_early_khz"));
        assert!(!line.contains("mitigations"), "the guest's kernel keeps its own protection on real processors");
    }
}
