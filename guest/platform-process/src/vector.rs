//! The vector state of signal frames: an XSAVE area with the marks by which Linux programs recognise it
//! (`struct _fpx_sw_bytes` in the kernel's `arch/x86/include/uapi/asm/sigcontext.h`).

use core::arch::x86_64::__cpuid_count;

use platform::{UserAddr, UserFault};

use crate::user;

/// FP_XSTATE_MAGIC1 and FP_XSTATE_MAGIC2.
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// Where the marks lie: the last 48 bytes of the legacy area.
const MARKS: u64 = 464;
/// The header behind the legacy area: the present states, and bytes that must be zero.
const HEADER: u64 = 512;
/// States that the host gives only on request (AMX), so they cannot be present: XFEATURE_MASK_USER_DYNAMIC.
const ON_REQUEST: u64 = 0x6_0000;
/// Legacy area and header.
const MINIMUM: u64 = 576;

/// Which states a frame holds and how large that is.
#[derive(Clone, Copy)]
pub(crate) struct VectorLayout {
    mask: u64,
    size: u64,
}

impl VectorLayout {
    /// Asks the processor. XSAVE exists on every processor that the instance can meet with FSGSBASE or AVX; one without it
    /// gives an empty mask, which saves nothing.
    pub(crate) fn detect() -> Self {
        let states = __cpuid_count(0xd, 0);
        let mask = (u64::from(states.eax) | (u64::from(states.edx) << 32)) & !ON_REQUEST;
        let end = |n: u32| {
            let state = __cpuid_count(0xd, n);
            u64::from(state.eax) + u64::from(state.ebx)
        };
        let size = (2..63).filter(|n| mask & (1 << n) != 0).map(end).max().unwrap_or(0).max(MINIMUM);
        Self { mask, size }
    }

    /// Bytes of a frame's state, with the closing mark.
    pub(crate) fn frame_size(self) -> usize {
        self.size as usize + 4
    }

    /// Stores the current state.
    pub(crate) fn save(self, to: UserAddr) -> Result<(), UserFault> {
        // XSAVE does not write all of the header: its bytes must be zero for the later XRSTOR.
        user::copy_to(to.add(HEADER), &[0; 64])?;
        user::xsave(to, self.size, self.mask)?;
        let mut marks = [0; 48];
        marks[..4].copy_from_slice(&MAGIC1.to_le_bytes());
        marks[4..8].copy_from_slice(&(self.size as u32 + 4).to_le_bytes());
        marks[8..16].copy_from_slice(&self.mask.to_le_bytes());
        marks[16..20].copy_from_slice(&(self.size as u32).to_le_bytes());
        user::copy_to(to.add(MARKS), &marks)?;
        user::copy_to(to.add(self.size), &MAGIC2.to_le_bytes())
    }

    /// Loads a state that [`Self::save`] stored; one without its marks is malformed.
    pub(crate) fn load(self, from: UserAddr) -> Result<(), UserFault> {
        let word = |at: u64| {
            let mut bytes = [0; 4];
            user::copy_from(from.add(at), &mut bytes).map(|()| u32::from_le_bytes(bytes))
        };
        let marked = word(MARKS)? == MAGIC1 && word(self.size).is_ok_and(|m| m == MAGIC2);
        if !marked {
            return Err(UserFault(from));
        }
        user::xrstor(from, self.size, self.mask)
    }
}
