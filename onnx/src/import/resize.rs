//! Resampling: `Resize` in its versions, and `Upsample` before it.

use winoconv::graph::{Coordinates, Dims, Filter, Resize, Rounding, Target};

use super::call::{Call, known_ints};
use super::{Fault, Held, Import, Outcome, axes_of, axis_of, invalid, size_of, unsupported};
use crate::error::refusal;

pub(super) fn upsample(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?.clone();
    let dims = import.dims(&held);
    let scales = match call.optional(1) {
        Some(held) => import.floats(held, "the scales")?.data.to_vec(),
        None => call.floats("scales")?.unwrap_or_default().to_vec(),
    };
    let filter = match call.text("mode", "nearest")? {
        "nearest" => Filter::Nearest(Rounding::Floor),
        "linear" | "bilinear" => Filter::Linear,
        other => return invalid(refusal!("mode is {other}, expected nearest or linear")),
    };
    let target = Target::Scale(checked(&scales, dims)?);
    resample(import, &held, Resize { target, filter, coordinates: Coordinates::Asymmetric })
}

/// A positive scale for each axis.
fn checked(scales: &[f32], dims: Dims) -> Outcome<Vec<f64>> {
    if scales.len() != dims.rank() || scales.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
        return invalid(refusal!("scales {scales:?}, expected a positive number for each axis of {dims}"));
    }
    Ok(scales.iter().map(|&scale| f64::from(scale)).collect())
}

pub(super) fn resize(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?.clone();
    let dims = import.dims(&held);
    if call.opset < 11 {
        return upsample(import, call);
    }
    for key in ["antialias", "exclude_outside"] {
        if call.flag(key, false)? {
            return unsupported(refusal!("{key} is 1, expected 0"));
        }
    }
    let target = target(import, call, dims)?;
    let coordinates = match call.text("coordinate_transformation_mode", "half_pixel")? {
        "half_pixel" => Coordinates::HalfPixel,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        // The same where a size times its scale is a size.
        "half_pixel_symmetric" if is_whole(&target, dims) => Coordinates::HalfPixel,
        other => {
            let names = "half_pixel, pytorch_half_pixel, align_corners or asymmetric";
            return unsupported(refusal!("coordinate_transformation_mode is {other}, expected {names}"));
        }
    };
    let filter = match call.text("mode", "nearest")? {
        "nearest" => Filter::Nearest(match call.text("nearest_mode", "round_prefer_floor")? {
            "round_prefer_floor" => Rounding::PreferFloor,
            "round_prefer_ceil" => Rounding::PreferCeil,
            "floor" => Rounding::Floor,
            "ceil" => Rounding::Ceil,
            other => {
                let names = "round_prefer_floor, round_prefer_ceil, floor or ceil";
                return invalid(refusal!("nearest_mode is {other}, expected {names}"));
            }
        }),
        "linear" => Filter::Linear,
        "cubic" => Filter::Cubic(call.float("cubic_coeff_a", -0.75)?),
        other => return invalid(refusal!("mode is {other}, expected nearest, linear or cubic")),
    };
    resample(import, &held, Resize { target, filter, coordinates })
}

fn is_whole(target: &Target, dims: Dims) -> bool {
    match target {
        Target::Size(_) => true,
        Target::Scale(scales) => {
            scales.iter().zip(dims.iter()).all(|(scale, &size)| (scale * size as f64).fract() == 0.0)
        }
    }
}

/// The sizes or scales of all axes.
fn target(import: &mut Import<'_>, call: &Call<'_>, dims: Dims) -> Outcome<Target> {
    let axes: Vec<usize> = match call.ints("axes")? {
        Some(axes) => {
            axes_of(axes, dims.rank())?;
            axes.iter().map(|&axis| axis_of(axis, dims.rank())).collect::<Outcome<_>>()?
        }
        None => (0..dims.rank()).collect(),
    };
    if let Some(held) = call.optional(2) {
        let scales = import.floats(held, "the scales")?;
        // An empty tensor is left out.
        if !scales.data.is_empty() {
            let mut all = vec![1.0; dims.rank()];
            if scales.data.len() != axes.len() {
                return invalid(refusal!(
                    "{} scales for {} axes, expected one for each",
                    scales.data.len(),
                    axes.len()
                ));
            }
            axes.iter().zip(scales.data.iter()).for_each(|(&axis, &scale)| all[axis] = scale);
            return Ok(Target::Scale(checked(&all, dims)?));
        }
    }
    let held = call.optional(3).ok_or_else(|| Fault::Invalid(refusal!("expected scales or sizes, got neither")))?;
    let given = known_ints(held, "the sizes")?;
    if given.data.len() != axes.len() {
        return invalid(refusal!("{} sizes for {} axes, expected one for each", given.data.len(), axes.len()));
    }
    let mut sizes = dims.to_vec();
    for (&axis, &size) in axes.iter().zip(given.data.iter()) {
        sizes[axis] = size_of("a size", size)?;
    }
    let ratio = |&axis: &usize| sizes[axis] as f64 / dims[axis].max(1) as f64;
    let scale = match call.text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => return Ok(Target::Size(sizes)),
        "not_larger" => axes.iter().map(ratio).fold(f64::INFINITY, f64::min),
        "not_smaller" => axes.iter().map(ratio).fold(0.0, f64::max),
        other => {
            let names = "stretch, not_larger or not_smaller";
            return invalid(refusal!("keep_aspect_ratio_policy is {other}, expected {names}"));
        }
    };
    for &axis in &axes {
        sizes[axis] = (scale * dims[axis] as f64 + 0.5).floor().clamp(0.0, f64::from(u32::MAX)) as usize;
    }
    Ok(Target::Size(sizes))
}

/// Without the first axes, as far as they stay as they are.
fn resample(import: &mut Import<'_>, held: &Held, resize: Resize) -> Outcome<Vec<Held>> {
    let dims = import.dims(held);
    let same = match &resize.target {
        Target::Size(sizes) => sizes.iter().zip(dims.iter()).take_while(|(a, b)| a == b).count(),
        Target::Scale(scales) => scales.iter().take_while(|scale| **scale == 1.0).count(),
    };
    if same == dims.rank() {
        return Ok(vec![held.clone()]);
    }
    let target = match resize.target {
        Target::Size(sizes) => Target::Size(sizes[same..].to_vec()),
        Target::Scale(scales) => Target::Scale(scales[same..].to_vec()),
    };
    let x = import.value(held)?;
    Ok(vec![import.graph.resize(x, Resize { target, ..resize })?.into()])
}
