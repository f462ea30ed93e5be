//! The shader files, built into the crate. Parts are named here; those of activations follow from their table, kernels from the
//! table of kernels.

use crate::activation::for_each_activation;
use crate::kernel::kernel_files;

macro_rules! library {
    ($($path:expr),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../", $path)))),*]
    };
}

macro_rules! parts_of_activations {
    ($($variant:ident $name:ident $({ $($argument:ident),+ })?;)+) => {
        library![$(
            concat!("shaders/part/activation_", stringify!($name), ".wgsl"),
            concat!("shaders/part/derivative_", stringify!($name), ".wgsl"),
        )+]
    };
}

const OF_ACTIVATIONS: &[(&str, &str)] = for_each_activation!(parts_of_activations);

const PARTS: &[(&str, &str)] = library![
    "shaders/part/bias_channel.wgsl",
    "shaders/part/bias_none.wgsl",
    "shaders/part/border_circular.wgsl",
    "shaders/part/border_reflect.wgsl",
    "shaders/part/border_replicate.wgsl",
    "shaders/part/border_zero.wgsl",
    "shaders/part/channels_apart.wgsl",
    "shaders/part/channels_together.wgsl",
    "shaders/part/dst_f16.wgsl",
    "shaders/part/dst_f32.wgsl",
    "shaders/part/eights_emulated.wgsl",
    "shaders/part/eights_units.wgsl",
    "shaders/part/epilogue.wgsl",
    "shaders/part/filters_given.wgsl",
    "shaders/part/filters_ready.wgsl",
    "shaders/part/finish_at_once.wgsl",
    "shaders/part/finish_by_rows.wgsl",
    "shaders/part/fragments_emulated.wgsl",
    "shaders/part/fragments_units.wgsl",
    "shaders/part/half_of.wgsl",
    "shaders/part/is_element.wgsl",
    "shaders/part/keep_nan.wgsl",
    "shaders/part/logistic.wgsl",
    "shaders/part/m_add.wgsl",
    "shaders/part/m_set.wgsl",
    "shaders/part/output_exchange.wgsl",
    "shaders/part/patches_by_channels.wgsl",
    "shaders/part/patches_by_planes.wgsl",
    "shaders/part/positions.wgsl",
    "shaders/part/residual_f16.wgsl",
    "shaders/part/residual_f32.wgsl",
    "shaders/part/residual_in_place.wgsl",
    "shaders/part/residual_none.wgsl",
    "shaders/part/residual_packed.wgsl",
    "shaders/part/residual_tensor.wgsl",
    "shaders/part/rows.wgsl",
    "shaders/part/slices_one.wgsl",
    "shaders/part/slices_two.wgsl",
    "shaders/part/src_f16.wgsl",
    "shaders/part/src_f32.wgsl",
    "shaders/part/src_packed.wgsl",
    "shaders/part/store_dst.wgsl",
    "shaders/part/term_negative.wgsl",
    "shaders/part/term_value.wgsl",
    "shaders/part/weights_f16.wgsl",
    "shaders/part/weights_f32.wgsl",
    "shaders/part/weights_packed.wgsl",
    "shaders/part/window_anew.wgsl",
    "shaders/part/window_moves.wgsl",
];

/// The kernels' own files.
const KERNELS: &[(&str, &str)] = kernel_files!();

/// Path and text of every shader file.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    KERNELS.iter().chain(OF_ACTIVATIONS).chain(PARTS).copied()
}

/// The text of one file.
pub(super) fn read(path: &str) -> Option<&'static str> {
    files().find(|(name, _)| *name == path).map(|(_, text)| text)
}
