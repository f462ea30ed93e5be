//! The search for tiles: of those that fit, the ones that compute the least.

use super::cut::{Cut, Cuts, part_dims};
use super::exact::Grid;
use super::need::Need;
use super::place::{Placed, placed};
use crate::device::Device;
use crate::error::{Error, GraphError, LimitError, Resource, Result};
use crate::graph::{Dims, Graph, NetworkOptions, Op};

/// Most combinations of sizes that are looked at.
const MOST: f64 = 65_536.0;

/// Tiles that fit, and the network that computes one.
#[derive(Debug)]
pub(super) struct Tiles {
    /// Along each axis that is cut.
    pub(super) along: Vec<Placed>,
    pub(super) need: Need,
    /// Elements of the picture that all tiles compute, and those that there are.
    pub(super) computed: u128,
    pub(super) picture: u128,
}

/// Sizes along each axis that may be cut.
#[derive(Debug, Clone)]
struct Candidate {
    sizes: Vec<usize>,
    /// How many tiles there are.
    count: u128,
    /// Elements of a tile.
    elements: u128,
}

impl Candidate {
    const fn computed(&self) -> u128 {
        self.count.saturating_mul(self.elements)
    }
}

/// Sizes along all axes that may be cut, the best ones first.
fn candidates(cuts: &[Cut], rest: u128) -> Vec<Candidate> {
    let mut all = vec![Candidate { sizes: Vec::new(), count: 1, elements: rest }];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let most = MOST.powf(1.0 / cuts.len().max(1) as f64) as usize;
    for cut in cuts {
        let sizes = cut.sizes();
        // The smallest and the largest are always among them.
        let step = sizes.len().div_ceil(most).max(1);
        let some: Vec<_> = sizes.iter().step_by(step).chain(sizes.last().filter(|_| step > 1)).collect();
        let with = |of: &Candidate, &&(size, count): &&(usize, usize)| Candidate {
            sizes: of.sizes.iter().copied().chain([size]).collect(),
            count: of.count.saturating_mul(count as u128),
            elements: of.elements.saturating_mul(size as u128),
        };
        all = all.iter().flat_map(|of| some.iter().map(move |size| with(of, size))).collect();
    }
    all.sort_by_key(|of| (of.computed(), of.count));
    all
}

/// Turns in which the grids of the last turn's tiles are all that counts.
const TURNS: usize = 4;

/// What is searched for.
pub(super) struct Search<'a> {
    pub(super) device: &'a Device,
    /// Simplified, of any size.
    pub(super) graph: &'a Graph,
    pub(super) dims: &'a [Dims],
    pub(super) options: &'a NetworkOptions,
    /// Most bytes on the device.
    pub(super) ceiling: u64,
}

impl Search<'_> {
    /// Tiles depend on the algorithms that are picked for their size, and those on the size. The search begins with single
    /// outputs, and ends with tiles that lead to the grids that led to them; or, after some turns, to grids that those consist of.
    ///
    /// # Errors
    /// What the smallest tile needs, or why there are none.
    pub(super) fn tiles(&self) -> Result<Tiles> {
        let is_conv = |op: &Op| matches!(op, Op::Conv(_) | Op::Linear(_));
        let mut grids = vec![Grid::SINGLE; self.graph.nodes().iter().filter(|node| is_conv(node.op())).count()];
        // Tiles of more elements do not fit.
        let mut most = u128::MAX;
        for turn in 0.. {
            let cuts = Cuts::new(self.graph, self.dims, &grids);
            match self.fitting(&cuts, &grids, &mut most)? {
                Fitting::Tiles(tiles) => return Ok(*tiles),
                Fitting::Grids(picked, _) if turn < TURNS => grids = picked,
                // Grids that only grow come to an end.
                Fitting::Grids(_, both) => grids = both,
            }
        }
        Err(no_seams().into())
    }

    fn fitting(&self, cuts: &Cuts, grids: &[Grid], most: &mut u128) -> Result<Fitting> {
        let cut: u128 = cuts.along.iter().map(|cut| cut.whole as u128).product();
        let candidates = candidates(&cuts.along, cuts.picture / cut);
        let smallest = candidates.iter().min_by_key(|of| of.elements).into_iter();
        let mut last = None;
        for (is_last, of) in candidates.iter().map(|of| (false, of)).chain(smallest.map(|of| (true, of))) {
            if of.elements > *most && !is_last {
                continue;
            }
            let sizes: Vec<(&Cut, usize)> = cuts.along.iter().zip(of.sizes.iter().copied()).collect();
            let need = match self.need(&sizes) {
                Ok(need) => need,
                Err(error) => {
                    *most = (*most).min(self.fewer(of.elements, &error));
                    last = Some(error);
                    continue;
                }
            };
            if need.bytes > self.ceiling {
                *most =
                    (*most).min(share(of.elements, self.ceiling.saturating_sub(need.fixed), need.bytes - need.fixed));
                last = Some(self.too_small(cuts, &need));
                continue;
            }
            let cut: Vec<(&Cut, usize)> = sizes.into_iter().filter(|(cut, size)| *size < cut.whole).collect();
            let picked = need.grids();
            let both: Vec<Grid> = grids.iter().zip(&picked).map(|(own, new)| own.with(*new)).collect();
            if !cut.is_empty() && both != grids {
                return Ok(Fitting::Grids(picked, both));
            }
            let along = cut.iter().map(|(cut, size)| placed(cut, *size, &need.graph, grids));
            if let Some(along) = along.collect::<Option<Vec<Placed>>>() {
                let computed = of.computed();
                return Ok(Fitting::Tiles(Box::new(Tiles { along, need, computed, picture: cuts.picture })));
            }
        }
        Err(last.unwrap_or_else(|| no_seams().into()))
    }

    fn need(&self, sizes: &[(&Cut, usize)]) -> Result<Need> {
        Need::new(self.device, self.graph.with_input_dims(&part_dims(self.dims, sizes))?, self.options)
    }

    /// How many elements a tile may have, where one of so many is refused.
    fn fewer(&self, elements: u128, error: &Error) -> u128 {
        match error {
            Error::Limit(error) => share(elements, error.bound, error.need),
            _ => elements * 7 / 8,
        }
    }

    fn too_small(&self, cuts: &Cuts, need: &Need) -> Error {
        let (bytes, ceiling) = (need.bytes, self.ceiling);
        if let Some(refused) = cuts.refused.first() {
            let problem = format!("{}; a tile needs {bytes} bytes, the ceiling is {ceiling}", refused.problem);
            return GraphError { problem, ..refused.clone() }.into();
        }
        let of: Vec<String> = need.program.inputs.iter().map(|(_, dims)| dims.to_string()).collect();
        let who = format!("the smallest tile, {},", of.join(" and "));
        LimitError { who, resource: Resource::CeilingBytes, need: bytes, bound: ceiling }.into()
    }
}

/// What comes of a search.
enum Fitting {
    Tiles(Box<Tiles>),
    /// Of tiles for which other algorithms are picked; and those that consist of these and of the ones before.
    Grids(Vec<Grid>, Vec<Grid>),
}

/// A part of so many elements, less than all of them.
fn share(elements: u128, bound: u64, need: u64) -> u128 {
    let share = elements.saturating_mul(bound.into()) / u128::from(need.max(1));
    share.min(elements.saturating_sub(1))
}

fn no_seams() -> GraphError {
    let problem = "neighbouring tiles do not meet".to_owned();
    GraphError { node: "the network".to_owned(), op: "tiling", problem }
}
