//! Networks that cannot be computed in tiles, and ceilings that are too small.

use winoconv::graph::{Coordinates, Dims, Edge, Filter, Graph, Resize, Slice, Target, Tiled, Value};
use winoconv::{Border, Conv, Device, Error, Preferences, Result};

use super::Section;

/// A byte is too little, so that there must be tiles.
fn tiled(build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> Result<Tiled> {
    let mut net = Graph::new();
    net.set_scope("net");
    let x = net.input("image", [1, 4, 64, 48])?;
    let conv = Conv::new(4, 4, [3, 3]).padding(1);
    let y = net.conv(x, conv, vec![0.1; 144], [])?;
    let y = build(&mut net, y)?;
    net.output("y", y)?;
    Tiled::new_blocking(&Device::cpu(), &net, &[[1, 4, 64, 48].into()], Preferences::new(), 1)
}

fn resize(target: Target, coordinates: Coordinates) -> Resize {
    Resize { target, filter: Filter::Linear, coordinates }
}

pub(super) fn networks() -> Section {
    let mut table = Section::new("Networks in tiles");
    // What a network takes depends on how many threads it has.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    one.install(|| rows(&mut table));
    table
}

fn rows(table: &mut Section) {
    let mut row = |given, build: fn(&mut Graph, Value) -> Result<Value>| table.row(given, "Graph", tiled(build));
    row("a global average", Graph::global_average_pool);
    row("an instance normalization", |net, x| net.normalize(x, &[2, 3], 1e-5));
    row("a softmax along the height", |net, x| net.softmax(x, 2));
    row("aligned corners", |net, x| net.resize(x, resize(Target::Scale(vec![2.0, 2.0]), Coordinates::AlignCorners)));
    row("a resampling to a fixed size", |net, x| {
        net.resize(x, resize(Target::Size(vec![128, 96]), Coordinates::HalfPixel))
    });
    row("a scale that is no small fraction", |net, x| {
        net.resize(x, resize(Target::Scale(vec![1.234_567, 1.0]), Coordinates::HalfPixel))
    });
    row("a picture reshaped to rows", |net, x| net.reshape(x, &[0, 0, -1]));
    row("a part of the height", |net, x| net.slice_in_steps(x, Slice { axis: 2, start: 1, step: 2, len: 30 }));
    row("a constant of the picture's size", |net, x| {
        let places = net.constant(vec![0.5; 64 * 48], [64, 48])?;
        net.add(x, places)
    });
    row("two parts joined along the height", |net, x| net.concat(&[x, x], 2));
    row("a product of the picture's rows", |net, x| {
        let turned = net.transpose(x, &[0, 1, 3, 2])?;
        net.matmul(turned, x)
    });
    row("a linear layer along the width", |net, x| net.linear(x, 5, &[0.1; 240], []));
    row("a circular border", |net, x| {
        let conv = Conv::new(4, 4, [3, 3]).padding(1).border(Border::Circular);
        net.conv(x, conv, vec![0.1; 144], [])
    });
    row("circular padding", |net, x| net.pad(x, &[0, 0, 2, 2], &[0, 0, 2, 2], Edge::Circular));
    table.row("a ceiling that no tile fits below", "Limit", tiled(|_, y| Ok(y)));
    let mut net = Graph::new();
    let x = net.input("x", [1, 1, 8, 8]).expect("new");
    net.output("x", x).expect("new");
    let with = |dims: &[Dims]| Tiled::new_blocking(&Device::cpu(), &net, dims, Preferences::new(), 1 << 30);
    table.row("sizes of two inputs for a network of one", "Shape(Length)", with(&[[1, 1, 8, 8].into(); 2]));
    let tiled = with(&[[1, 1, 8, 8].into()]);
    let run = |tiled: &Tiled, input: &[f32]| tiled.run_blocking(&[input]);
    let short: Result<_, Error> = tiled.and_then(|tiled| run(&tiled, &[0.0; 63]));
    table.row("an input that is not of these sizes", "Shape(Length)", short);
}
