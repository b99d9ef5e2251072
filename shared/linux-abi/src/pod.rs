//! Plain data: structures whose bytes may come from, and go to, the other side of the system call interface.
#![allow(unsafe_code)] // "Every bit pattern is a value" cannot be said in safe Rust; `abi!` below checks what makes it true.

use core::mem::MaybeUninit;

/// A type of which every bit pattern is a value and which has no padding.
///
/// # Safety
/// The implementor promises exactly that: `repr(C)` or a primitive, no padding, no pointers, no `bool`s or enums.
/// Use [`abi!`](crate::abi) rather than implementing it by hand.
pub unsafe trait Pod: Copy + 'static {
    /// The value of which every byte is zero.
    fn zeroed() -> Self {
        // SAFETY: every bit pattern is a value, by the promise of the trait.
        unsafe { MaybeUninit::<Self>::zeroed().assume_init() }
    }

    /// Its bytes.
    fn bytes(&self) -> &[u8] {
        // SAFETY: without padding, all bytes of the value are initialised; they are borrowed as long as the value is.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast::<u8>(), size_of::<Self>()) }
    }

    /// Its bytes, to be written.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and whatever is written there is a value.
        unsafe { core::slice::from_raw_parts_mut(core::ptr::from_mut(self).cast::<u8>(), size_of::<Self>()) }
    }

    /// The bytes of a slice of values.
    fn slice_bytes(values: &[Self]) -> &[u8] {
        // SAFETY: as in `bytes`; a slice has no padding between its elements.
        unsafe { core::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) }
    }

    /// The bytes of a slice of values, to be written.
    fn slice_bytes_mut(values: &mut [Self]) -> &mut [u8] {
        // SAFETY: as in `bytes_mut`; a slice has no padding between its elements.
        unsafe { core::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<u8>(), size_of_val(values)) }
    }

    /// The value that the first bytes of `bytes` hold; `None` if there are too few.
    fn from_prefix(bytes: &[u8]) -> Option<Self> {
        let mut value = Self::zeroed();
        value.bytes_mut().copy_from_slice(bytes.get(..size_of::<Self>())?);
        Some(value)
    }
}

macro_rules! primitives {
    ($($t:ty),*) => { $(
        // SAFETY: a primitive integer.
        unsafe impl Pod for $t {}
    )* };
}
primitives!(u8, i8, u16, i16, u32, i32, u64, i64);

// SAFETY: an array of such a type has no padding of its own.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// Declares structures of the interface: `repr(C)`, plain data, and of exactly the size that the header gives. A structure
/// with padding, of another size, or with a field that is not plain data does not compile.
///
/// ```
/// linux_abi::abi! {
///     /// `struct pair` of `<example.h>`.
///     pub struct Pair: 8 {
///         /// The first.
///         pub a: u32,
///         /// The second.
///         pub b: [u16; 2],
///     }
/// }
/// ```
#[macro_export]
macro_rules! abi {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident : $size:literal {
        $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty),* $(,)?
    })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $type),* }

        const _: () = {
            const fn plain<T: $crate::Pod>() -> usize { ::core::mem::size_of::<T>() }
            assert!(::core::mem::size_of::<$name>() == $size, "not of the size that the header gives");
            assert!(0 $(+ plain::<$type>())* == $size, "the structure has padding");
        };

        // SAFETY: repr(C), all fields are plain data, and their sizes add up to the whole: no padding (asserted above).
        #[allow(unsafe_code)]
        unsafe impl $crate::Pod for $name {}
    )* };
}
