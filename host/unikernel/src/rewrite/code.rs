//! Decoding of program text.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction as Decoded, Mnemonic, OpKind, Register};

use super::patch::{Candidate, Instruction, Kind};

/// How many neighbours on each side a patch may need: five bytes are at most three more instructions.
const NEIGHBOURS: usize = 3;

/// What a stretch of text holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    pub(super) targets: Vec<u64>,
}

/// Decodes one function (or what lies between two known starts) and adds what it holds. Decoding stops at bytes that are no
/// instruction: what follows is data, or was misread.
pub(super) fn scan(bytes: &[u8], address: u64, found: &mut Found) {
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let mut decoded = Decoded::default();
    let mut recent: Vec<Instruction> = Vec::with_capacity(NEIGHBOURS + 1);
    let first = found.candidates.len();
    while decoder.can_decode() {
        decoder.decode_out(&mut decoded);
        if decoded.is_invalid() {
            break;
        }
        found.targets.extend(target(&decoded));
        let next = Instruction { address: decoded.ip(), len: decoded.len() as u8, kind: kind(&decoded) };
        for open in found.candidates[first..].iter_mut().rev().take(NEIGHBOURS) {
            if open.after.len() < NEIGHBOURS {
                open.after.push(next);
            }
        }
        if decoded.code() == Code::Syscall {
            let before = recent.iter().rev().copied().collect();
            found.candidates.push(Candidate { address: decoded.ip(), before, after: Vec::new() });
        }
        if recent.len() == NEIGHBOURS {
            recent.remove(0);
        }
        recent.push(next);
    }
}

fn target(i: &Decoded) -> Option<u64> {
    let near = matches!(i.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    near.then(|| i.near_branch_target())
}

fn kind(i: &Decoded) -> Kind {
    match i.mnemonic() {
        Mnemonic::Mov if loads_whole_rax(i) => immediate(i).map_or_else(|| movable(i), Kind::LoadNumber),
        Mnemonic::Ret => Kind::Return,
        Mnemonic::Call | Mnemonic::Jmp | Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => {
            Kind::Fixed
        }
        Mnemonic::Syscall | Mnemonic::Sysenter | Mnemonic::Sysexit | Mnemonic::Sysret | Mnemonic::Int => Kind::Fixed,
        Mnemonic::Int1 | Mnemonic::Int3 | Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 | Mnemonic::Hlt => Kind::Fixed,
        Mnemonic::Endbr64 | Mnemonic::Xbegin | Mnemonic::Xabort => Kind::Fixed,
        _ => movable(i),
    }
}

fn loads_whole_rax(i: &Decoded) -> bool {
    matches!(i.op0_register(), Register::EAX | Register::RAX)
}

fn immediate(i: &Decoded) -> Option<u32> {
    match i.op1_kind() {
        OpKind::Immediate32 => Some(i.immediate32()),
        OpKind::Immediate32to64 => u32::try_from(i.immediate32to64()).ok(),
        _ => None,
    }
}

/// Neither a branch nor dependent on its own address.
fn movable(i: &Decoded) -> Kind {
    let branch = target(i).is_some() || matches!(i.op0_kind(), OpKind::FarBranch16 | OpKind::FarBranch32);
    if branch || i.is_ip_rel_memory_operand() { Kind::Fixed } else { Kind::Movable }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Found {
        let mut found = Found::default();
        scan(bytes, 0x1000, &mut found);
        found
    }

    #[test]
    fn a_call_and_its_neighbours() {
        // mov $39,%eax; syscall; cmp $-4095,%rax; jae +2; ret
        let f = found(&[0xb8, 39, 0, 0, 0, 0x0f, 5, 0x48, 0x3d, 1, 0xf0, 0xff, 0xff, 0x73, 2, 0xc3]);
        let c = &f.candidates[0];
        assert_eq!((c.address, c.before[0].kind), (0x1005, Kind::LoadNumber(39)));
        assert_eq!((c.after[0].len, c.after[0].kind), (6, Kind::Movable));
        assert_eq!((c.after[1].kind, c.after[2].kind), (Kind::Fixed, Kind::Return));
        assert_eq!(f.targets, [0x1011]);
    }

    #[test]
    fn bytes_inside_another_instruction_are_no_call() {
        // mov $0x050f,%eax; ret
        assert!(found(&[0xb8, 0x0f, 0x05, 0, 0, 0xc3]).candidates.is_empty());
    }

    #[test]
    fn what_depends_on_its_address_stays() {
        // mov 0x10(%rip),%eax; syscall; call +0
        let f = found(&[0x8b, 0x05, 0x10, 0, 0, 0, 0x0f, 5, 0xe8, 0, 0, 0, 0]);
        assert_eq!(f.candidates[0].before[0].kind, Kind::Fixed);
        assert_eq!(f.candidates[0].after[0].kind, Kind::Fixed);
    }

    #[test]
    fn the_seven_byte_load_is_known() {
        let f = found(&[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 5]);
        assert_eq!(f.candidates[0].before[0].kind, Kind::LoadNumber(15));
    }
}
