//! The networks that `export` knows by name: small, with random weights, and together with every kind of step.

use winoconv::graph::{Binary, Edge, Graph, Pool, Reduction, Unary, Value};
use winoconv::{Activation, Conv};

use crate::random::data::Random;

/// Its name, and how it is made.
pub(super) type Network = (&'static str, fn() -> winoconv::Result<Graph>);

pub(super) const ALL: [Network; 3] =
    [("unet", unet), ("super_resolution", super_resolution), ("elementwise", elementwise)];

/// Adds a convolution of 3x3 with bias, whose weights leave the size of numbers about as it is.
fn conv(net: &mut Graph, x: Value, filters: usize, random: &mut Random, conv: Conv) -> winoconv::Result<Value> {
    let conv = Conv { channels: net.dims(x)[1], filters, ..conv }.padding(1).bias(true);
    let scale = 1.0 / (9.0 * conv.channels as f64).sqrt();
    let mut numbers =
        |len: usize, scale: f64| -> Vec<f32> { (0..len).map(|_| (scale * random.normal()) as f32).collect() };
    let weights = numbers(conv.weights_len(), scale);
    net.conv(x, conv, weights, numbers(filters, 0.1))
}

/// Two levels with a skip between them, classes of places by a softmax, and classes of the whole picture.
fn unet() -> winoconv::Result<Graph> {
    let mut random = Random::new(1);
    let mut net = Graph::new();
    let plain = Conv::new(1, 1, [3, 3]);
    let relu = plain.activation(Activation::Relu);
    let image = net.input("image", [1, 3, 24, 36])?;
    let fine = conv(&mut net, image, 8, &mut random, relu)?;
    let half = net.pool(fine, Pool::max([2, 2]))?;
    let half = conv(&mut net, half, 12, &mut random, relu)?;
    let coarse = conv(&mut net, half, 16, &mut random, plain.stride(2))?;
    let coarse = net.normalize(coarse, &[2, 3], 1e-5)?;
    let coarse = net.activate(Activation::Silu, coarse)?;
    let up = net.upsample_bilinear(coarse, 4)?;
    let joined = net.concat(&[fine, up], 1)?;
    let places = conv(&mut net, joined, 5, &mut random, plain)?;
    let places = net.softmax(places, 1)?;
    net.output("places", places)?;
    let mean = net.reduce(Reduction::Mean, coarse, &[2, 3])?;
    let flat = net.flatten(mean, 1)?;
    let weights: Vec<f32> = (0..16 * 7).map(|_| random.normal() as f32 / 4.0).collect();
    let scores = net.linear(flat, 7, &weights, [])?;
    net.output("scores", scores)?;
    Ok(net)
}

/// A picture twice as large: the form of the example `network`, with few channels.
fn super_resolution() -> winoconv::Result<Graph> {
    let mut random = Random::new(2);
    let mut net = Graph::new();
    let image = net.input("image", [1, 3, 20, 27])?;
    let plain = Conv::new(1, 1, [3, 3]);
    let mut x = image;
    for _ in 0..3 {
        x = conv(&mut net, x, 12, &mut random, plain)?;
        let slopes = net.constant(vec![0.25; 12], [12, 1, 1])?;
        x = net.binary(Binary::PRelu, x, slopes)?;
    }
    let detail = net.pixel_shuffle(x, 2)?;
    let large = net.upsample_nearest(image, 2)?;
    let sum = net.add(detail, large)?;
    net.output("large", sum)?;
    Ok(net)
}

/// No network but what networks have: functions of elements, reductions, products of matrices, each an output by itself.
fn elementwise() -> winoconv::Result<Graph> {
    let mut net = Graph::new();
    let x = net.input("x", [1, 4, 6, 9])?;
    let other = net.input("other", [1, 1, 9, 3])?;
    let size = net.unary(Unary::Abs, x)?;
    let mut outputs = vec![
        ("matmul", net.matmul(x, other)?),
        ("log_softmax", net.log_softmax(x, 1)?),
        ("average", net.pool(x, Pool::average([3, 3]).padding([1, 1]))?),
        ("padded", net.pad(x, &[0, 0, 1, 2], &[0, 0, 0, 1], Edge::Constant(0.5))?),
        ("transposed", net.transpose(x, &[0, 2, 3, 1])?),
    ];
    for (name, reduction) in [
        ("largest", Reduction::Max),
        ("least", Reduction::Min),
        ("product", Reduction::Product),
        ("length", Reduction::L2),
    ] {
        outputs.push((name, net.reduce(reduction, x, &[2, 3])?));
    }
    for (name, function) in [
        ("erf", Unary::Erf),
        ("exp", Unary::Exp),
        ("sign", Unary::Sign),
        ("round", Unary::Round),
        ("not", Unary::Not),
        ("gelu", Unary::Activate(Activation::Gelu)),
        ("mish", Unary::Activate(Activation::Mish)),
    ] {
        outputs.push((name, net.unary(function, x)?));
    }
    let power = net.constant(vec![1.5], [1])?;
    outputs.push(("power", net.binary(Binary::Pow, size, power)?));
    let row = net.slice(x, 2, 0, 1)?;
    for (name, function) in [("smaller", Binary::Min), ("greater", Binary::Greater), ("ratio", Binary::Div)] {
        let divisor = if function == Binary::Div { net.with_number(Binary::Add, size, 1.0)? } else { row };
        outputs.push((name, net.binary(function, x, divisor)?));
    }
    for (name, value) in outputs {
        net.output(name, value)?;
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use winoconv::Preferences;
    use winoconv::caps::Caps;
    use winoconv::graph::Listing;

    use super::*;

    #[test]
    fn each_kind_of_step_is_among_them() {
        let mut steps = HashSet::new();
        for (name, make) in ALL {
            let listing = Listing::new(&make().expect("a network"), &Caps::webgpu_default(), Preferences::new());
            let listing = listing.unwrap_or_else(|error| panic!("{name}: {error}"));
            let texts = listing.run.iter().map(|step| listing.kernels[step.kernel].name.clone());
            steps.extend(texts);
        }
        for kind in ["map", "max_pool", "avg_pool", "resample", "softmax", "normalize", "reduce", "matmul", "winograd"]
        {
            assert!(steps.iter().any(|step| step.starts_with(kind)), "{kind} is not in {steps:?}");
        }
    }
}
