//! libseccomp, asked through a small C program: our tests are static and cannot load a library.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use jail::seccomp::{ARCH_X86_64, Call, X32_BIT};
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

const LIBRARY: &str = "/lib/x86_64-linux-gnu/libseccomp.so.2";
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// Code, both jumps and the constant, as in linux/filter.h.
type Instruction = (u16, u8, u8, u32);

/// The running C program.
pub(crate) struct Library {
    child: Child,
    output: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
}

/// Their filter, and what runc puts in front.
pub(crate) struct Theirs {
    instructions: Vec<Instruction>,
    /// The greatest number that the profile names in x86-64, x32 and i386, if greater numbers get ENOSYS.
    newest: [Option<u32>; 3],
}

impl Library {
    /// `None`, and a line that says so, if the library or a C compiler is missing.
    pub(crate) fn open() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("export");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libseccomp/export.c");
        let compiled = Command::new("cc").arg("-O1").arg("-o").arg(&program).arg(source).arg(LIBRARY).output();
        if !Path::new(LIBRARY).exists() || compiled.is_err() {
            println!("SKIP: needs cc and {LIBRARY}");
            return None;
        }
        let compiled = compiled.unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, output, _directory: directory })
    }

    /// The filter that runc makes of this.
    pub(crate) fn filter_like_runc(&mut self, seccomp: &LinuxSeccomp) -> Theirs {
        let default = seccomp.default_action().as_u32(seccomp.default_errno_ret());
        let archs: Vec<u32> = seccomp.architectures().iter().flatten().map(|arch| *arch as u32).collect();
        let mut question = format!("default {default}\n");
        for arch in &archs {
            writeln!(question, "arch {arch}").unwrap();
        }
        for syscall in seccomp.syscalls().iter().flatten() {
            write_rules(syscall, &mut question);
        }
        question.push_str("end\n");
        self.child.stdin.as_mut().unwrap().write_all(question.as_bytes()).unwrap();
        let (newest, instructions) = self.read();
        let permissive = matches!(
            seccomp.default_action(),
            LinuxSeccompAction::ScmpActAllow | LinuxSeccompAction::ScmpActLog | LinuxSeccompAction::ScmpActTrace
        );
        let listed = [Arch::ScmpArchX86_64, Arch::ScmpArchX32, Arch::ScmpArchX86]
            .map(|arch| archs.contains(&(arch as u32)) && !permissive && default != ENOSYS);
        let newest = std::array::from_fn(|at| (listed[at] && newest[at] != 0).then_some(newest[at]));
        Theirs { instructions, newest }
    }

    fn read(&mut self) -> ([u32; 3], Vec<Instruction>) {
        let (mut newest, mut instructions) = ([0; 3], Vec::new());
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            let numbers: Vec<u32> = line.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
            match line.split_whitespace().next() {
                Some("newest") => newest.copy_from_slice(&numbers),
                Some("instruction") => {
                    instructions.push((numbers[0] as u16, numbers[1] as u8, numbers[2] as u8, numbers[3]));
                }
                Some("end") => return (newest, instructions),
                _ => panic!("unexpected {line:?}"),
            }
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// As runc: arguments with one index twice become rules of their own.
fn write_rules(syscall: &LinuxSyscall, out: &mut String) {
    let action = syscall.action().as_u32(syscall.errno_ret());
    let args = syscall.args().as_deref().unwrap_or_default();
    let repeated = (0..6).any(|index| args.iter().filter(|arg| arg.index() == index).count() > 1);
    let groups: Vec<_> =
        if args.is_empty() { vec![args] } else { args.chunks(if repeated { 1 } else { args.len() }).collect() };
    for name in syscall.names() {
        for group in &groups {
            write!(out, "rule {action} {name} {}", group.len()).unwrap();
            for arg in *group {
                let second = arg.value_two().unwrap_or(0);
                write!(out, " {} {} {} {second}", arg.index(), arg.op() as u32, arg.value()).unwrap();
            }
            out.push('\n');
        }
    }
}

impl Theirs {
    /// What the kernel would get.
    pub(crate) fn evaluate(&self, call: &Call) -> u32 {
        let newest = match (call.arch, call.number & X32_BIT) {
            (ARCH_X86_64, 0) => self.newest[0],
            (ARCH_X86_64, _) => self.newest[1],
            _ => self.newest[2],
        };
        if newest.is_some_and(|newest| call.number > newest) {
            return ENOSYS;
        }
        let word = |offset: u32| match offset {
            0 => call.number,
            4 => call.arch,
            _ => (call.args[(offset as usize - 16) / 8] >> (8 * ((offset - 16) % 8))) as u32,
        };
        let (mut at, mut accumulator, mut scratch) = (0, 0, [0; 16]);
        loop {
            let (code, jt, jf, k) = self.instructions[at];
            at += 1;
            let holds = match code {
                0x06 => return k,
                0x20 => {
                    accumulator = word(k);
                    continue;
                }
                0x54 => {
                    accumulator &= k;
                    continue;
                }
                0x02 => {
                    scratch[k as usize] = accumulator;
                    continue;
                }
                0x60 => {
                    accumulator = scratch[k as usize];
                    continue;
                }
                0x05 => {
                    at += k as usize;
                    continue;
                }
                0x15 => accumulator == k,
                0x25 => accumulator > k,
                0x35 => accumulator >= k,
                0x45 => accumulator & k != 0,
                other => panic!("unexpected instruction {other:#x}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }
}
