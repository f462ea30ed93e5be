//! Twin of `shaders/kernel/activation_gradient.wgsl`.

use super::{Call, Twin};
use crate::activation::Activation;
use crate::dtype::DType;
use crate::kernel::{ActivationGradient, ActivationParams, Storage};

impl Twin for ActivationGradient {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.activation, [call.read(0), call.read(1), call.tensors.slopes], written);
    }
}

/// `kept`, `gradient` and `dst` are the parts that the step binds.
#[expect(clippy::cast_possible_truncation, reason = "rounding to the result's type")]
fn run(
    spec: &ActivationGradient,
    params: &ActivationParams,
    activation: Activation,
    [kept, gradient, slopes]: [&[f32]; 3],
    dst: &mut [f32],
) {
    let p = params;
    let steps = [p.step_0, p.step_1, p.step_2, p.step_3, p.step_4];
    let sizes = [p.size_0, p.size_1, p.size_2, p.size_3, p.size_4];
    let of_channels = [p.k_0, p.k_1, p.k_2, p.k_3, p.k_4];
    // Of an element of the tensor, its channel.
    let channel_of = |place: u32| {
        let (mut rest, mut channel) = (place, 0);
        for ((step, size), of_channel) in steps.into_iter().zip(sizes).zip(of_channels) {
            let index = rest / step;
            rest %= step;
            if index >= size {
                return None;
            }
            channel += of_channel * index;
        }
        (rest == 0).then_some(channel as usize)
    };
    let activation = activation.with_arguments([p.act_a, p.act_b]);
    let stored = if spec.storage == Storage::F16 { DType::F16 } else { DType::F32 };
    for at in 0..p.count {
        let Some(channel) = channel_of(p.first + at) else { continue };
        let [kept, gradient] = [(kept, p.src_offset), (gradient, p.weights_offset)]
            .map(|(tensor, offset)| f64::from(tensor[(offset + at) as usize]));
        let slope = slopes.get(channel).map_or(0.0, |&slope| slope.into());
        dst[(p.dst_offset + at) as usize] = stored.rounded(activation.gradient(gradient, kept, slope) as f32);
    }
}
