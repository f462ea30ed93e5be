//! How a picture may be cut along each of its axes: where parts may begin, and how much of each is not exact.

use super::exact::{Exact, Grid, Span, Track, follow};
use super::ratio::Ratio;
use crate::error::{Error, GraphError};
use crate::graph::{Dims, Graph};

/// An axis along which a picture may be cut.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// The axis of the picture, in words.
    pub(super) name: String,
    /// Which axis of each input is cut, and its elements for each of the picture's.
    pub(super) inputs: Vec<Option<(usize, Ratio)>>,
    /// Elements of the picture.
    pub(super) whole: usize,
    /// Parts begin at multiples of this.
    pub(super) align: usize,
    /// The node that asks for the largest multiple.
    pub(super) aligned_by: String,
    /// Elements by which a part is larger than what it gives.
    pub(super) halo: usize,
}

impl Cut {
    /// From a part to the next, at most; 0 where parts of this size give nothing.
    const fn step(&self, size: usize) -> usize {
        size.saturating_sub(self.halo) / self.align * self.align
    }

    /// How many parts of a size there are.
    fn count(&self, size: usize) -> Option<usize> {
        match self.step(size) {
            _ if size >= self.whole => Some(1),
            0 => None,
            step => Some((self.whole - size).div_ceil(step) + 1),
        }
    }

    /// Where parts of a size begin: the last one so that it ends with the picture, the others as far apart as they may be.
    pub(super) fn starts(&self, size: usize) -> Vec<usize> {
        let last = self.whole - size.min(self.whole);
        (0..self.count(size).unwrap_or(0)).map(|i| (i * self.step(size)).min(last)).collect()
    }

    /// The sizes that are worth it, with the number of parts: of those with as many parts the smallest one. All parts have one
    /// size, so it differs from the picture's by a multiple of the alignment.
    pub(super) fn sizes(&self) -> Vec<(usize, usize)> {
        let mut sizes: Vec<(usize, usize)> = Vec::new();
        for size in (self.whole % self.align..=self.whole).step_by(self.align) {
            if let Some(count) = self.count(size).filter(|count| sizes.last().is_none_or(|(_, last)| last != count)) {
                sizes.push((size, count));
            }
        }
        sizes
    }
}

/// Ways to cut, and why there is none along the other axes.
#[derive(Debug, Clone, Default)]
pub(super) struct Cuts {
    pub(super) along: Vec<Cut>,
    pub(super) refused: Vec<GraphError>,
    /// Elements of the picture.
    pub(super) picture: u128,
}

impl Cuts {
    /// How a network takes parts of inputs of these sizes, whose convolutions compute these grids. The graph may be of any size.
    pub(super) fn new(graph: &Graph, dims: &[Dims], grids: &[Grid]) -> Self {
        let mut all = Self::default();
        // The picture is the first input that has places.
        let Some(picture) = dims.iter().position(|dims| dims.rank() > 2) else { return all };
        let whole = dims[picture];
        let own = graph.dims(graph.inputs()[picture]);
        all.picture = whole.elements() as u128;
        let mut open = Vec::new();
        for axis in (0..whole.rank()).filter(|&axis| axis != 1 && whole[axis] > 1) {
            let name = axis_name(axis, whole.rank());
            let inputs = dims.iter().map(|dims| cut_with(*dims, whole, axis)).collect::<Vec<_>>();
            let span = Span { start: 0, size: own[axis], whole: own[axis] };
            match follow(graph, &inputs, span, grids) {
                Ok(Exact { align, aligned_by, .. }) if align < whole[axis] => {
                    open.push(Cut { name, inputs, whole: whole[axis], align, aligned_by, halo: 0 });
                }
                // It is too small to have two parts.
                Ok(_) => {}
                Err(error) => all.refuse(&name, error),
            }
        }
        all.measure(graph, dims, grids, open);
        all
    }

    fn refuse(&mut self, name: &str, error: GraphError) {
        let problem = format!("it cannot be cut along {name}: {}", error.problem);
        self.refused.push(GraphError { problem, ..error });
    }

    /// Finds the halos, from parts that are large enough to have exact results, of sizes that are tried by doubling. A halo is the
    /// same for all sizes that differ by multiples of the alignment.
    fn measure(&mut self, graph: &Graph, dims: &[Dims], grids: &[Grid], mut open: Vec<Cut>) {
        for doubled in 0.. {
            if open.is_empty() {
                return;
            }
            let size_of = |cut: &Cut| {
                let more = cut.align.saturating_mul(1 << doubled);
                cut.whole.min((cut.whole % cut.align).saturating_add(more))
            };
            let sizes: Vec<(&Cut, usize)> = self.along.iter().chain(&open).map(|cut| (cut, size_of(cut))).collect();
            let is_all = sizes.iter().all(|(cut, size)| *size == cut.whole);
            let part = match graph.with_input_dims(&part_dims(dims, &sizes)) {
                Ok(part) => part,
                Err(_) if !is_all => continue,
                Err(error) => {
                    let error = match error {
                        Error::Graph(error) => error,
                        other => {
                            GraphError { node: "the network".to_owned(), op: "tiling", problem: other.to_string() }
                        }
                    };
                    return open.iter().for_each(|cut| self.refuse(&cut.name, error.clone()));
                }
            };
            for cut in std::mem::take(&mut open) {
                let size = size_of(&cut);
                let span = Span { start: cut.align, size, whole: size + 2 * cut.align };
                match follow(&part, &cut.inputs, span, grids).map(|exact| halo(&exact.outputs, size)) {
                    Ok(Some(halo)) => self.along.push(Cut { halo, ..cut }),
                    Ok(None) if size < cut.whole => open.push(cut),
                    // All results depend on all of it.
                    Ok(None) => {}
                    Err(error) => self.refuse(&cut.name, error),
                }
            }
        }
    }
}

/// Elements of the picture by which a part is larger than what it gives of each output; none where it gives nothing.
fn halo(outputs: &[Option<Track>], size: usize) -> Option<usize> {
    outputs.iter().flatten().try_fold(0, |most, Track { scale, exact, .. }| {
        let given = scale.inverse().of(exact.len());
        (given > 0).then(|| most.max(size - given.min(size)))
    })
}

/// Which axis of an input is cut where the picture is cut along one: images go with images, and places with places of a tensor of
/// as many axes.
fn cut_with(input: Dims, picture: Dims, axis: usize) -> Option<(usize, Ratio)> {
    let size = *input.get(axis)?;
    let is_cut = if axis == 0 { size == picture[axis] } else { input.rank() == picture.rank() && size > 1 };
    is_cut.then(|| (axis, Ratio::new(size, picture[axis])))
}

/// The sizes of inputs that are cut to parts of these sizes.
pub(super) fn part_dims(inputs: &[Dims], cuts: &[(&Cut, usize)]) -> Vec<Dims> {
    let mut parts = inputs.to_vec();
    for (cut, size) in cuts {
        for (part, of_input) in parts.iter_mut().zip(&cut.inputs) {
            if let Some((axis, scale)) = of_input {
                *part = part.with(*axis, scale.of(*size));
            }
        }
    }
    parts
}

fn axis_name(axis: usize, rank: usize) -> String {
    match (axis, rank - axis) {
        (0, _) => "the batch".to_owned(),
        (_, 1) => "the width".to_owned(),
        (_, 2) => "the height".to_owned(),
        (_, 3) => "the depth".to_owned(),
        _ => format!("axis {axis}"),
    }
}
