//! The shader files, built into the crate. Parts are named here, kernels in the table of kernels.

use crate::kernel::kernel_files;

macro_rules! library {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../", $path)))),*]
    };
}

const PARTS: &[(&str, &str)] = library![
    "shaders/part/activation_clamp.wgsl",
    "shaders/part/activation_gelu.wgsl",
    "shaders/part/activation_gelu_tanh.wgsl",
    "shaders/part/activation_leaky_relu.wgsl",
    "shaders/part/activation_none.wgsl",
    "shaders/part/activation_prelu.wgsl",
    "shaders/part/activation_relu.wgsl",
    "shaders/part/activation_sigmoid.wgsl",
    "shaders/part/activation_silu.wgsl",
    "shaders/part/activation_tanh.wgsl",
    "shaders/part/bias_channel.wgsl",
    "shaders/part/bias_none.wgsl",
    "shaders/part/border_circular.wgsl",
    "shaders/part/border_reflect.wgsl",
    "shaders/part/border_replicate.wgsl",
    "shaders/part/border_zero.wgsl",
    "shaders/part/derivative_clamp.wgsl",
    "shaders/part/derivative_gelu.wgsl",
    "shaders/part/derivative_gelu_tanh.wgsl",
    "shaders/part/derivative_leaky_relu.wgsl",
    "shaders/part/derivative_none.wgsl",
    "shaders/part/derivative_prelu.wgsl",
    "shaders/part/derivative_relu.wgsl",
    "shaders/part/derivative_sigmoid.wgsl",
    "shaders/part/derivative_silu.wgsl",
    "shaders/part/derivative_tanh.wgsl",
    "shaders/part/dst_f16.wgsl",
    "shaders/part/dst_f32.wgsl",
    "shaders/part/epilogue.wgsl",
    "shaders/part/filters_given.wgsl",
    "shaders/part/filters_ready.wgsl",
    "shaders/part/finish_at_once.wgsl",
    "shaders/part/finish_by_rows.wgsl",
    "shaders/part/is_element.wgsl",
    "shaders/part/keep_nan.wgsl",
    "shaders/part/logistic.wgsl",
    "shaders/part/m_add.wgsl",
    "shaders/part/m_set.wgsl",
    "shaders/part/output_exchange.wgsl",
    "shaders/part/residual_f16.wgsl",
    "shaders/part/residual_f32.wgsl",
    "shaders/part/residual_in_place.wgsl",
    "shaders/part/residual_none.wgsl",
    "shaders/part/residual_packed.wgsl",
    "shaders/part/residual_tensor.wgsl",
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
    KERNELS.iter().chain(PARTS).copied()
}

/// The text of one file.
pub(super) fn read(path: &str) -> Option<&'static str> {
    files().find(|(name, _)| *name == path).map(|(_, text)| text)
}
