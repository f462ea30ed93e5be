//! Whether a filter's results are right: each layer's output against the f64 reference on what the layer was given, within the
//! rigorous bound of its algorithm. The reference and the bound are the library's own, so a page judges itself.

use winoconv::cpu::{Reference, error_bound, error_bound_at};
use winoconv::{Algorithm, Shape};

use crate::filter::Stage;
use crate::stack::Stack;

/// Why a result is not believed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// An output is further off than its bound, or is no number.
    #[error("layer {layer} ({algorithm}): output {index} is {got}, expected {exact} within {bound:.1e}")]
    Output {
        /// From 1.
        layer: usize,
        /// By which it was computed.
        algorithm: String,
        /// In the order of the output's shape.
        index: usize,
        /// What came.
        got: f32,
        /// What it should be.
        exact: f64,
        /// How far off it may be.
        bound: f64,
    },
    /// A layer did not run, or has no bound.
    #[error(transparent)]
    Library(#[from] winoconv::Error),
}

/// Runs a stack on planes and judges each layer at `outputs` places, or at all. Returns the largest error in parts of its
/// bound, at most 1. With `planted` one weight of the judge's is off by a tenth, so the first layer has to be found wrong.
///
/// # Errors
/// [`Wrong`].
pub async fn check(stack: &mut Stack, planes: &[f32], outputs: usize, planted: bool) -> Result<f64, Wrong> {
    let results = stack.trace(planes).await?;
    let mut worst = 0.0f64;
    for (index, plan) in stack.plans()?.iter().enumerate() {
        let mut stage = stack.stages()[index].clone();
        if planted && index == 0 {
            // The tap in the middle of the first filter, which a flat part of a picture shows as well as any.
            let middle = stage.conv.kernel.dhw(1)[1] / 2 * (stage.conv.kernel.dhw(1)[2] + 1);
            stage.weights[middle] += 0.1;
        }
        let input = if index == 0 { planes } else { &results[index - 1] };
        let off = judge(&stage, stack.shapes()[index], plan.algorithm(), [input, &results[index]], outputs);
        worst = worst.max(off.map_err(|wrong| wrong.of_layer(index + 1))?);
    }
    Ok(worst)
}

fn judge(
    Stage { conv, weights, bias }: &Stage,
    shape: Shape,
    algorithm: Algorithm,
    [input, output]: [&[f32]; 2],
    outputs: usize,
) -> Result<f64, Wrong> {
    let problem = conv.on(shape)?;
    let reference = Reference { problem: &problem, input, weights, bias, slopes: &[], residual: &[] };
    let sample = reference.sample(outputs.max(2));
    let positions: Vec<usize> = sample.iter().map(|sample| sample.index).collect();
    // Bounds of all outputs share the transforms of filters and tiles, those of some do not.
    let bounds = if positions.len() == reference.len() {
        error_bound(&reference, algorithm)?
    } else {
        error_bound_at(&reference, algorithm, &positions)?
    };
    let mut worst = 0.0f64;
    for (sample, bound) in sample.iter().zip(bounds) {
        let got = output.get(sample.position).copied().unwrap_or(f32::NAN);
        let off = (f64::from(got) - sample.value).abs();
        if off.is_nan() || off > bound {
            let (index, exact, algorithm) = (sample.index, sample.value, algorithm.to_string());
            return Err(Wrong::Output { layer: 0, algorithm, index, got, exact, bound });
        }
        if off > 0.0 {
            worst = worst.max(off / bound);
        }
    }
    Ok(worst)
}

impl Wrong {
    fn of_layer(self, of: usize) -> Self {
        match self {
            Self::Output { algorithm, index, got, exact, bound, .. } => {
                Self::Output { layer: of, algorithm, index, got, exact, bound }
            }
            library @ Self::Library(_) => library,
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use winoconv::Device;

    use super::*;
    use crate::filter::Filter;
    use crate::picture::Picture;
    use crate::stack::offers;

    /// On the CPU; the browser does the same on its GPU (`cargo xtask web --test`).
    #[test]
    fn filters_are_right_by_every_algorithm_and_a_wrong_weight_is_found() {
        let device = Device::cpu();
        let picture = Picture::drawn(13, 9);
        for filter in Filter::ALL {
            let margin = filter.reach();
            let (planes, size) = (picture.planes(margin), [9 + 2 * margin, 13 + 2 * margin]);
            let all = offers(&device, filter, size).expect("legal");
            let runs = || all.iter().filter(|offer| offer.refused.is_none()).map(|offer| offer.algorithm);
            // A CPU has no fused kernels: direct, the two products where they apply, and `staged` with each transform are left.
            assert!(runs().count() > 8, "{filter:?}: {all:?}");
            for algorithm in runs() {
                let mut stack = block_on(Stack::new(&device, filter, Some(algorithm), size)).expect("it is offered");
                let worst = block_on(check(&mut stack, &planes, usize::MAX, false));
                let worst = worst.unwrap_or_else(|wrong| panic!("{filter:?}, {algorithm}: {wrong}"));
                assert!(worst > 0.0, "{filter:?}, {algorithm}: no error at all");
                let found = block_on(check(&mut stack, &planes, usize::MAX, true));
                assert!(matches!(found, Err(Wrong::Output { layer: 1, .. })), "{filter:?}, {algorithm}: {found:?}");
            }
        }
    }

    #[test]
    fn planes_of_another_size_are_refused() {
        let mut stack = block_on(Stack::new(&Device::cpu(), Filter::Blur, None, [16, 16])).expect("legal");
        assert!(block_on(stack.run(&[0.0; 7])).is_err());
        assert_eq!(block_on(stack.device_time(3)).expect("nothing to go wrong"), None, "no timestamps");
        assert!(stack.explanation().expect("planned").contains("candidates"), "the plan is told");
    }
}
