//! Which results of a part are exact, node by node, worked out by hand.

use std::ops::Range;

use super::exact::{Exact, Grid, Span, follow};
use super::ratio::Ratio;
use crate::conv::Conv;
use crate::error::Result;
use crate::graph::{Graph, Pool, Value};
use crate::padding::Border;

/// What is exact along the width of a node's result, for a part of 40 elements in the middle of a picture, at its beginning, and at
/// its end; where parts may begin; and elements for each of the picture's.
fn exact(grid: Grid, build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> ([Range<usize>; 3], usize, String) {
    let mut net = Graph::new();
    let x = net.input("x", [1, 4, 4, 40]).expect("new");
    let y = build(&mut net, x).expect("fits");
    net.output("y", y).expect("new");
    let inputs = [Some((3, Ratio::new(1, 1)))];
    let all = [(48, 200), (0, 200), (160, 200)].map(|(start, whole)| {
        let Exact { outputs, align, .. } =
            follow(&net, &inputs, Span { start, size: 40, whole }, &[grid]).expect("exact");
        (outputs[0].clone().expect("it depends on the width"), align)
    });
    let (first, align) = all[0].clone();
    (all.map(|(track, _)| track.exact), align, first.scale.to_string())
}

fn tiles(m: usize) -> Grid {
    Grid { tile: [1, m, m], transforms: true }
}

fn conv(of: Conv) -> impl FnOnce(&mut Graph, Value) -> Result<Value> {
    move |net, x| net.conv(x, of, vec![0.0; of.weights_len()], [])
}

#[test]
fn convolutions() {
    let three = Conv::new(4, 4, [3, 3]).padding(1);
    let found = |grid, of| exact(grid, conv(of));
    assert_eq!(found(Grid::SINGLE, three), ([1..39, 0..39, 1..40], 1, "1".to_owned()));
    // Whole tiles of 6; the last one of the picture may end with it.
    assert_eq!(found(tiles(6), three), ([6..36, 0..36, 6..40], 6, "1".to_owned()));
    // Tiles of 4 outputs that are 2 apart: blocks of 8.
    assert_eq!(found(tiles(4), three.dilation(2).padding(2)), ([8..32, 0..32, 8..40], 8, "1".to_owned()));
    // Three taps at a stride of 2 are two phases of two taps each: a tile reads one element more than its outputs' taps.
    assert_eq!(found(Grid::SINGLE, three.stride(2)), ([1..20, 0..20, 1..20], 2, "1/2".to_owned()));
    assert_eq!(found(tiles(1), three.stride(2)), ([1..19, 0..19, 1..20], 2, "1/2".to_owned()));
    assert_eq!(found(tiles(3), three.stride(2)), ([3..18, 0..18, 3..20], 6, "1/2".to_owned()));
    // Without padding the results begin as far from the border as the part does.
    assert_eq!(found(Grid::SINGLE, Conv::new(4, 4, [3, 5])), ([0..36, 0..36, 0..36], 1, "1".to_owned()));
    // A border that mirrors more than is there.
    assert_eq!(found(tiles(2), three.border(Border::Reflect)), ([2..38, 0..38, 2..40], 2, "1".to_owned()));
    assert_eq!(found(tiles(64), three.border(Border::Reflect)).0, [0..0, 0..0, 0..0]);
}

#[test]
fn transposed_convolutions() {
    let found = |of: Conv| exact(Grid::SINGLE, conv(of.transposed(0)));
    let twice = Conv::new(4, 4, [2, 2]).stride(2);
    assert_eq!(found(twice), ([0..80, 0..80, 0..80], 1, "2".to_owned()));
    // Output x is made of inputs (x + 1 - tap) / 2: the first one and the last one each have one outside.
    assert_eq!(found(Conv::new(4, 4, [4, 4]).stride(2).padding(1)), ([1..79, 0..79, 1..80], 1, "2".to_owned()));
    assert_eq!(found(Conv::new(4, 4, [3, 3])), ([2..40, 0..40, 2..42], 1, "1".to_owned()));
}

#[test]
fn other_nodes() {
    let found = |build: fn(&mut Graph, Value) -> Result<Value>| exact(Grid::SINGLE, build);
    assert_eq!(
        found(|net, x| net.pool(x, Pool::max([3, 3]).stride([2, 2]).padding([1, 1]))),
        ([1..20, 0..20, 1..20], 2, "1/2".to_owned())
    );
    assert_eq!(found(|net, x| net.pixel_shuffle(x, 2)), ([0..80, 0..80, 0..80], 1, "2".to_owned()));
    // From the 1st to the 39th element, pairs from the 2nd to the 38th.
    let pairs = found(|net, x| {
        let y = net.conv(x, Conv::new(4, 4, [3, 3]).padding(1), vec![0.0; 144], [])?;
        net.pixel_unshuffle(y, 2)
    });
    assert_eq!(pairs, ([1..19, 0..19, 1..20], 2, "1/2".to_owned()));
    assert_eq!(found(|net, x| net.upsample_bilinear(x, 2)), ([1..79, 0..79, 1..80], 1, "2".to_owned()));
    assert_eq!(found(|net, x| net.upsample_nearest(x, 3)), ([0..120, 0..120, 0..120], 1, "3".to_owned()));
    let turned = found(|net, x| {
        let y = net.transpose(x, &[0, 3, 2, 1])?;
        net.pad(y, &[0, -3, 0, 0], &[0, 5, 0, 0], crate::graph::Edge::Replicate)
    });
    assert_eq!(turned, ([0..37, 0..37, 0..42], 1, "1".to_owned()));
}
