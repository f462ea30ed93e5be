//! What a kernel learns at run time: sizes, offsets, positions. Each struct is the one home of its fields:
//! the WGSL struct of the same name is written from it, and the CPU twin reads it as it is.

use bytemuck::Pod;

/// Declares a uniform struct of 32-bit scalars with its fields' names and WGSL types.
macro_rules! params {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl $name {
            /// Name and WGSL type of each field, in order.
            pub const FIELDS: &'static [(&'static str, &'static str)] = &[$((stringify!($field), stringify!($kind)),)*];
        }

        impl $crate::kernel::Params for $name {
            const FIELDS: &'static [(&'static str, &'static str)] = Self::FIELDS;
        }
    };
}

/// A kernel's uniform struct: plain 32-bit words.
pub trait Params: Pod {
    /// Name and WGSL type of each field, in order.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// The struct as words, as a plan keeps it.
    fn words(&self) -> Vec<u32> {
        bytemuck::cast_slice(std::slice::from_ref(self)).to_vec()
    }

    /// The struct from a plan's words.
    ///
    /// # Panics
    /// If the number of words is not that of the struct: plans are made by this crate alone.
    fn from_words(words: &[u32]) -> Self {
        *bytemuck::from_bytes(bytemuck::cast_slice(words))
    }
}
