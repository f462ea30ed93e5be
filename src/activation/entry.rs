//! What the table says of an activation, and the macro that makes an enum of the table.

use super::Kept;

/// The two numbers of a function: its arguments, or the filter's slope and 0.
pub(super) type Numbers = [f64; 2];

/// How far a rounding to f32 is off, relative to the number.
pub(super) const UNIT_ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;

/// An activation. Its enum variant, name and arguments stand before the entry, see [`activations`].
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Whether it has a slope for each filter, an operand beside the bias.
    pub(super) slopes: bool,
    /// Whether outputs can be equal to an argument or to its negative.
    pub(super) bounds_outputs: bool,
    /// The function in f64: NaN for NaN, the limit for infinities.
    pub(super) value: fn(x: f64, Numbers) -> f64,
    /// The same in f32, one of [`super::single`], so that it is inlined: without fused multiply-adds and with them.
    pub(super) single: [fn(x: f32, [f32; 2]) -> f32; 2],
    /// What the gradient is computed from.
    pub(super) kept: fn(Numbers) -> Kept,
    /// The gradient times the derivative, from what is kept, which is no NaN.
    pub(super) gradient: fn(gradient: f64, kept: f64, Numbers) -> f64,
    /// The largest absolute value of the derivative.
    pub(super) lipschitz: fn(Numbers) -> f64,
    /// How far a device may be off, for an argument of at most this size.
    pub(super) evaluation_error: fn(size: f64, Numbers) -> f64,
    /// How far a device's gradient may be off, relative to the gradient that it is given.
    pub(super) gradient_error: fn(Numbers) -> f64,
    /// What is wrong with the arguments.
    pub(super) problem: fn([f32; 2]) -> Option<&'static str>,
    /// Multiply-adds and other f32 operations of `shaders/part/activation_*.wgsl`. Selections and integers do not count.
    pub(super) counts: [usize; 2],
    /// The same of `shaders/part/derivative_*.wgsl`.
    pub(super) gradient_counts: [usize; 2],
}

impl Entry {
    /// Nothing at all: what an entry does not say.
    pub(super) const IDENTITY: Self = Self {
        slopes: false,
        bounds_outputs: false,
        value: |x, _| x,
        single: [super::single::identity::<false>, super::single::identity::<true>],
        kept: |_| Kept::Output,
        gradient: |gradient, _, _| gradient,
        lipschitz: |_| 1.0,
        evaluation_error: |_, _| 0.0,
        gradient_error: |_| 0.0,
        problem: |_| None,
        counts: [0, 0],
        gradient_counts: [0, 0],
    };

    /// The numbers of its functions.
    #[inline]
    pub(super) fn numbers(&self, arguments: [f32; 2], slope: f64) -> Numbers {
        if self.slopes { [slope, 0.0] } else { arguments.map(f64::from) }
    }
}

/// An argument list of fewer than two, filled up with zeros.
pub(super) const fn filled<const N: usize>(given: [f32; N]) -> [f32; 2] {
    let (mut all, mut i) = ([0.0; 2], 0);
    while i < N {
        all[i] = given[i];
        i += 1;
    }
    all
}

/// Puts a function's values in place of its arguments. The last ones are filled up to a whole vector: one by one they would take
/// longer than all the others.
#[inline(always)]
pub(super) fn by_vectors(values: &mut [f32], f: impl Fn(usize, f32) -> f32) {
    const LEN: usize = 16;
    let of_vector = |first: usize, values: &mut [f32; LEN]| {
        for (i, x) in values.iter_mut().enumerate() {
            *x = f(first + i, *x);
        }
    };
    let (vectors, rest) = values.as_chunks_mut::<LEN>();
    let first = vectors.len() * LEN;
    for (vector, values) in vectors.iter_mut().enumerate() {
        of_vector(vector * LEN, values);
    }
    if !rest.is_empty() {
        let mut filled = [0.0; LEN];
        filled[..rest.len()].copy_from_slice(rest);
        of_vector(first, &mut filled);
        rest.copy_from_slice(&filled[..rest.len()]);
    }
}

/// Makes the enum and what depends on its variants. A row is `Variant name = Entry { .. };` under its documentation, or
/// `Variant name { argument: default, .. } = Entry { .. };`, with at most two arguments.
macro_rules! activations {
    ($($(#[$about:meta])*
        $variant:ident $name:ident $({ $($(#[$of:meta])* $argument:ident: $default:expr),+ $(,)? })? = $entry:expr;)+) => {
        /// A function of one value, applied after the bias.
        #[derive(Debug, Clone, Copy, Default)]
        #[non_exhaustive]
        pub enum Activation {
            $($(#[$about])* $variant $({ $($(#[$of])* $argument: f32),+ })?,)+
        }

        impl Activation {
            /// Each activation, with its default arguments. These are PyTorch's where PyTorch has any.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$variant $({ $($argument: $default),+ })?),+];

            $($(
                #[doc = concat!("[`Self::", stringify!($variant), "`] with its default arguments.")]
                pub const fn $name() -> Self {
                    Self::$variant { $($argument: $default),+ }
                }
            )?)+

            /// The name in variant names and reports: `none`, `relu`, ...
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($name),)+
                }
            }

            /// The names of its arguments, at most two.
            pub const fn argument_names(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant { .. } => &[$($(stringify!($argument)),+)?],)+
                }
            }

            /// The two numbers that kernels get in their parameters; 0 where the function has none.
            pub const fn arguments(self) -> [f32; 2] {
                match self {
                    $(Self::$variant $({ $($argument),+ })? => filled([$($($argument),+)?]),)+
                }
            }

            /// The same function with other arguments, in the order of their names. Those that it does not have are ignored.
            ///
            /// ```
            /// use winoconv::Activation;
            /// let relu6 = Activation::clamp().with_arguments([0.0, 6.0]);
            /// assert_eq!(relu6, Activation::Clamp { low: 0.0, high: 6.0 });
            /// ```
            #[must_use]
            pub fn with_arguments(self, arguments: [f32; 2]) -> Self {
                let mut rest = arguments.into_iter();
                let mut next = || rest.next().unwrap_or_default();
                match self {
                    $(Self::$variant { .. } => Self::$variant $({ $($argument: next()),+ })?,)+
                }
            }

            pub(super) const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant { .. } => {
                        const ENTRY: &Entry = &$entry;
                        ENTRY
                    })+
                }
            }

            /// Puts values in place of their arguments, with the slope for each position. Each arm calls a function that is
            /// known when it is compiled, so its loop is one of vector instructions; with fused multiply-adds where a call says so.
            #[inline(always)]
            pub(crate) fn apply_in_place<const FUSED: bool>(self, values: &mut [f32], slope: impl Fn(usize) -> f32) {
                match self {
                    $(Self::$variant $({ $($argument),+ })? => {
                        const ENTRY: Entry = $entry;
                        let numbers = filled([$($($argument),+)?]);
                        by_vectors(values, |i, x| {
                            // As an expression: from a variable it is not inlined.
                            (const { ENTRY.single[FUSED as usize] })(x, if ENTRY.slopes { [slope(i), 0.0] } else { numbers })
                        });
                    })+
                }
            }
        }

        /// Calls a macro with `Variant name;` or `Variant name { argument, .. };` of each activation, in order.
        macro_rules! for_each_activation {
            ($make:ident) => {
                $make! { $($variant $name $({ $($argument),+ })?;)+ }
            };
        }
        pub(crate) use for_each_activation;
    };
}
pub(super) use activations;
