//! The dispatches of `staged` where taps are cut into blocks: the gradient of weights. Both factors are made in each run: U
//! of the output's gradient, V of the input. Their rows are the blocks of all images, as many as the sum is long, while a
//! product is as small as the weights' channels and filters. So it is the sum that is walked in runs, as long as the workspace
//! and the device's bounds let them be; every run adds its products to those of the runs before, and one output transform ends
//! all.

use std::ops::Range;

use super::built::Built;
use super::filter::filter_rows;
use super::operand::{Operand, factors, tensor_len};
use super::pieces::{Window, check_dispatches, too_large};
use super::tensor_parts::Chunk;
use super::winograd::{Factor, U, Winograd};
use crate::caps::{Caps, Limits};
use crate::correlation::Correlation;
use crate::error::{LimitError, Resource};
use crate::kernel::MultiplyCut;
use crate::layout::Planes;
use crate::plan::choose::{Algorithm, Choice, Cut, Errors, Preferences, Reason};
use crate::plan::model::multiply;

/// The part of the workspace that products in parts are given room in, where that makes more runs.
const ROOM_FOR_PARTS: u64 = 4;

/// What runs of the sum take.
struct Runs {
    count: usize,
    /// How many parts of M each may have.
    most_parts: u64,
}

impl Winograd<'_> {
    /// For each run of the sum both transforms and the multiply, then one output transform.
    pub(super) fn staged_blocks(&self, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
        let of = &self.windows.of;
        let sum = self.windows.group_rows();
        let forced = preferences.multiply_cut();
        let Runs { count, most_parts } = match (forced, self.runs_with_room(&caps.limits, preferences.workspace_limit)?)
        {
            // A cut that the planner would choose is in as many runs when it is forced.
            (Some(cut), runs) if u64::from(cut.parts) > runs.most_parts => {
                self.runs(cut.parts, &caps.limits, preferences.workspace_limit)?
            }
            (_, runs) => runs,
        };
        // Two transforms and a multiply each.
        check_dispatches(count.saturating_mul(3))?;
        let runs = even(sum, count);
        // Longest and shortest: they differ by one row.
        let lens = [0, count - 1].map(|i| runs[i].len());
        let cut = match forced {
            Some(cut) if lens.iter().all(|&len| cut.is_even(len)) => cut,
            Some(_) => return Err(Reason::Inapplicable("split-K has more parts than there are blocks in a run")),
            None => self.cut_of_run(lens, most_parts, caps, preferences),
        };
        let all = Chunk { first: 0, count: self.tiles.count() };
        let mut steps = Vec::new();
        for (i, run) in runs.iter().enumerate() {
            let images = self.images(run);
            let source = self.source_operand(self.source_of(images.clone()));
            let weights = self.weights_operand(self.weights_of(images));
            let (len, dtype) = (run.len(), self.problem.conv.dtype);
            let v = self.v(of.groups * len, all.count);
            steps.push(filter_rows(&self.windows, self.algorithm, dtype, run.clone(), [weights, U.into()]));
            steps.push(self.input_rows(all, &v, 0..v.rows, run.clone(), source));
            let factor = Factor { u: U, rows: len, adds: i > 0 };
            steps.push(self.multiply(all, &v, cut, factor));
        }
        let [u, v, m] = self.factors_of(lens[0]);
        steps.extend(self.output(all, &m, cut.parts)?);
        let workspace = vec![v.words(), cut.parts as usize * m.words(), u.words()];
        Ok(Built { cut: Cut::Multiply(cut), dispatches: steps, workspace, ..Built::nothing() })
    }

    /// The planner's cut of a run's product.
    fn cut_of_run(&self, lens: [usize; 2], most_parts: u64, caps: &Caps, preferences: &Preferences) -> MultiplyCut {
        let of = &self.windows.of;
        let errors = Errors::on(self.problem, caps);
        let tolerated = |cut: &MultiplyCut| {
            let choice = Choice { algorithm: Algorithm::Staged(self.algorithm), cut: Cut::Multiply(*cut) };
            errors.within(choice, preferences.tolerance).is_ok()
        };
        let batches = self.algorithm.products() * of.groups;
        let sizes = [of.group_k, lens[0]];
        let cut = multiply::cut(sizes, [self.tiles.count(), batches], most_parts, caps, tolerated).cut;
        if cut.is_even(lens[1]) { cut } else { MultiplyCut { parts: 1, ..cut } }
    }

    /// U, V and one part of M, of a run of so many rows.
    fn factors_of(&self, len: usize) -> [Planes; 3] {
        let of = &self.windows.of;
        let (rows, tiles) = (of.groups * len, self.tiles.count());
        [self.planes(rows, of.group_k, self.elements.u), self.v(rows, tiles), self.m(tiles)]
    }

    /// As few runs as leave room for products in parts, if those take but a small part of the workspace.
    fn runs_with_room(&self, limits: &Limits, workspace_limit: u64) -> Result<Runs, LimitError> {
        let part = self.m(self.tiles.count()).bytes();
        let room = |parts: &u32| part.saturating_mul(u64::from(*parts)) <= workspace_limit / ROOM_FOR_PARTS;
        let parts = MultiplyCut::PARTS.into_iter().filter(room).max().unwrap_or(1);
        self.runs(parts, limits, workspace_limit).or_else(|_| self.runs(1, limits, workspace_limit))
    }

    /// As few runs as respect the workspace limit and the device's bounds, where each has at least so many parts.
    fn runs(&self, parts: u32, limits: &Limits, workspace_limit: u64) -> Result<Runs, LimitError> {
        let sum = self.windows.group_rows();
        let of = &self.windows.of;
        let groups = of.groups;
        let m = self.m(self.tiles.count());
        let (part, m_len) = (m.bytes(), m.len() as u64);
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let reach = u64::from(u32::MAX);
        let workgroups = u64::from(limits.max_compute_workgroups_per_dimension);
        let who = format!("staged {}", self.algorithm);
        let check = |count: usize| -> Result<Runs, LimitError> {
            let len = sum.div_ceil(count);
            let rows = groups * len;
            let [u, v, _] = self.factors_of(len);
            let reached = (u.len().max(v.len()) as u64).max(m_len.saturating_mul(parts.into()));
            let ([u, v], m) = ([u.bytes(), v.bytes()], part.saturating_mul(parts.into()));
            let total = u.saturating_add(v).saturating_add(m);
            LimitError::check(&who, Resource::WorkspaceBytes, total, workspace_limit)?;
            limits.check_tensor(&who, u.max(v).max(m))?;
            LimitError::check(&who, Resource::IndexRange, reached, reach)?;
            LimitError::check(&who, Resource::Workgroups, rows as u64, workgroups)?;
            let products = self.algorithm.products() as u64 * groups as u64;
            LimitError::check(&who, Resource::Workgroups, products * u64::from(parts), workgroups)?;
            // Wherever it begins, a run touches no more images than this.
            let per_image = sum / of.group_c;
            let images = 0..((len + per_image - 2) / per_image + 1).min(of.group_c);
            let [source, weights] = factors(of);
            for (what, slot, window) in [
                ("the input", source, self.source_of(images.clone())),
                ("the output's gradient", weights, self.weights_of(images)),
            ] {
                if tensor_len(self.problem, slot) > self.most && window.len > self.most {
                    return Err(too_large(what, window.len, limits));
                }
            }
            let most_parts =
                ((workspace_limit - u - v) / part).min(binding / part).min(reach / m_len).min(workgroups / products);
            Ok(Runs { count, most_parts })
        };
        // More runs are shorter ones, which need less of everything: `least` are too few, `enough` are not.
        let (mut least, mut enough) = (0, sum);
        let mut found = check(enough)?;
        while enough - least > 1 {
            let count = usize::midpoint(least, enough);
            match check(count) {
                Ok(runs) => (enough, found) = (count, runs),
                Err(_) => least = count,
            }
        }
        Ok(found)
    }

    /// The images of a run of rows.
    fn images(&self, run: &Range<usize>) -> Range<usize> {
        let per_image = self.windows.group_rows() / self.windows.of.group_c;
        run.start / per_image..(run.end - 1) / per_image + 1
    }

    /// What these images have of the source.
    fn source_of(&self, images: Range<usize>) -> Window {
        let Correlation { n, groups, size, src, .. } = &self.windows.of;
        let spatial = (0..size.len()).map(|i| (size[i], src.dhw[i]));
        let all = [(images.len(), src.c), (*groups, src.g), (*n, src.n)];
        Window::of(src.offset + images.start.cast_signed() * src.c, all.into_iter().chain(spatial))
    }

    /// The same of what takes the weights' place.
    fn weights_of(&self, images: Range<usize>) -> Window {
        let Correlation { groups, group_k, taps, weights, .. } = &self.windows.of;
        let spatial = (0..taps.len()).map(|i| (taps[i], weights.dhw[i]));
        let all = [(images.len(), weights.c), (*groups, weights.g), (*group_k, weights.n)];
        Window::of(weights.offset + images.start.cast_signed() * weights.c, all.into_iter().chain(spatial))
    }

    fn weights_operand(&self, window: Window) -> Operand {
        let [_, slot] = factors(&self.windows.of);
        window.operand(slot, tensor_len(self.problem, slot), self.most)
    }
}

/// `0..all` in so many ranges, the first ones one longer than the others where they cannot all be alike.
fn even(all: usize, count: usize) -> Vec<Range<usize>> {
    let (each, longer) = (all / count, all % count);
    let start = |i: usize| i * each + i.min(longer);
    (0..count).map(|i| start(i)..start(i + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_follow_one_another() {
        for (all, count) in [(1, 1), (7, 3), (9, 3), (5, 5), (100, 7)] {
            let runs = even(all, count);
            assert_eq!((runs.len(), runs[0].start, runs[count - 1].end), (count, 0, all), "{all} in {count}");
            assert!(runs.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].len() >= pair[1].len()));
            assert!(runs[0].len() - runs[count - 1].len() <= 1 && !runs[count - 1].is_empty(), "{all} in {count}");
        }
    }
}
