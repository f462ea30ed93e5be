//! The plans that `export --check` has another WebGPU run: one of each algorithm, and each kind of problem once.

use winoconv::caps::{Caps, DeviceKind, Limits};
use winoconv::{Activation, Border, Conv, DType, Layout, Plan, Preferences, Problem, Residual, Shape, Tolerance, View};

pub(super) fn all() -> anyhow::Result<Vec<(&'static str, Plan)>> {
    let webgpu = Caps::webgpu_default();
    let limits = Limits { max_storage_buffer_binding_size: 4096, ..Limits::WEBGPU_DEFAULT };
    let small = Caps { limits, ..webgpu.clone() };
    // Few workgroups at once: on such a device each walks several blocks.
    let narrow = Caps { kind: DeviceKind::SoftwareGpu, ..webgpu.clone() };
    let image = |conv: Conv| conv.on([2, conv.channels, 13, 18]);
    let square = Conv::new(6, 9, [3, 3]).padding(1);
    let strided = Conv::new(6, 8, [3, 3]).stride(2).padding(1).groups(2).bias(true).activation(Activation::PRelu);
    let clamp = Activation::Clamp { low: -1.0, high: f32::INFINITY };
    let cases = [
        ("direct", image(strided)?, Some("direct"), &webgpu),
        ("staged", image(square.bias(true).activation(Activation::Relu))?, Some("staged:f4x3"), &webgpu),
        ("fused_output", image(square.activation(clamp))?, Some("fused_output:f2x3"), &webgpu),
        ("fused", image(square.bias(true).activation(Activation::GeluTanh))?, Some("fused:f2x3"), &webgpu),
        ("fused_filter", image(square)?, Some("fused_filter:f2x3"), &webgpu),
        ("fused_walking", square.bias(true).on([1, 6, 57, 41])?, Some("fused:f4x3"), &narrow),
        ("fused_filter_walking", square.on([1, 6, 33, 41])?, Some("fused_filter:f2x3"), &narrow),
        ("implicit_gemm", image(strided)?, Some("implicit_gemm"), &webgpu),
        ("depthwise", image(Conv::new(6, 6, [3, 3]).padding(1).groups(6).bias(true))?, Some("depthwise"), &webgpu),
        ("depthwise_any", image(Conv::new(6, 6, [3, 2]).padding(1).groups(6).bias(true))?, Some("depthwise"), &webgpu),
        ("transposed", image(Conv::new(6, 5, [4, 4]).transposed(0).stride(2).padding(1))?, None, &webgpu),
        ("input_gradient", image(square.stride([2, 1]))?.input_gradient()?, None, &webgpu),
        ("weight_gradient", image(square)?.weight_gradient()?, Some("implicit_gemm"), &webgpu),
        ("weight_gradient_staged", image(square)?.weight_gradient()?, Some("staged:f3x4"), &webgpu),
        ("nhwc", image(square.layout(Layout::ChannelsLast).weights_layout(Layout::ChannelsLast))?, None, &webgpu),
        ("residual", image(square.residual(Residual::Tensor).activation(Activation::Silu))?, None, &webgpu),
        ("residual_in_place", image(square.residual(Residual::InPlace))?, Some("staged:f4x3"), &webgpu),
        ("line", Conv::new(4, 4, [5]).padding(2).border(Border::Circular).on([2, 4, 40])?, None, &webgpu),
        ("volume", Conv::new(3, 4, [2, 3, 3]).padding([0, 1, 1]).on([1, 3, 4, 9, 10])?, None, &webgpu),
        ("slice", slice(square)?, None, &webgpu),
        ("halves", image(square.dtype(DType::F16).residual(Residual::Tensor))?, Some("staged:f2x3"), &webgpu),
        ("parts", image(square.bias(true))?, Some("direct"), &small),
        ("empty", square.on([0, 6, 8, 8])?, None, &webgpu),
    ];
    cases
        .into_iter()
        .map(|(name, problem, algorithm, caps)| {
            let mut preferences = Preferences::new();
            if let Some(algorithm) = algorithm {
                preferences = preferences.tolerance(Tolerance::Any).algorithm(algorithm.parse()?);
            }
            Ok((name, Plan::new(&problem, caps, &preferences)?))
        })
        .collect()
}

fn slice(conv: Conv) -> winoconv::Result<Problem> {
    let shape = |channels| Shape::from([2, channels, 13, 18]);
    let part = |channels| View::channels(shape(channels), conv.layout, 3, channels + 5);
    conv.on(shape(conv.channels))?.with_input_view(part(conv.channels)?)?.with_output_view(part(conv.filters)?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_kind_of_kernel_is_among_them() {
        let all = all().expect("legal");
        let kernels: HashSet<&str> = all.iter().flat_map(|(_, plan)| plan.kernels()).map(|k| k.kernel()).collect();
        // All but the exhibit, and what packs.
        let wanted = "direct implicit_gemm depthwise depthwise_patch winograd_input winograd_multiply winograd_output winograd_fused_output \
                      winograd_fused pack_halves";
        let missing: Vec<&str> = wanted.split(' ').filter(|kernel| !kernels.contains(kernel)).collect();
        assert!(missing.is_empty(), "{missing:?} are not in {kernels:?}");
        let plan = |name: &str| &all.iter().find(|(other, _)| *other == name).expect("there").1;
        let mut operands = plan("parts").dispatches().iter().flat_map(winoconv::plan::Dispatch::operands);
        assert!(operands.any(|operand| operand.first % 64 != 0));
        for name in ["fused_walking", "fused_filter_walking"] {
            let step = &plan(name).dispatches()[0];
            let walk = step.kernel().params().iter().position(|(field, _)| *field == "walk").expect("it may walk");
            assert!(step.params()[walk] > 1, "{name}: {} blocks a workgroup", step.params()[walk]);
        }
        assert!(plan("empty").dispatches().is_empty());
    }
}
