//! The dispatches of the Winograd algorithms: how tiles are walked in chunks, and what each kernel is told.

use super::candidates::within_tolerance;
use super::steps::{Built, epilogue_operands};
use super::{Algorithm, Choice, Cut, Packing, Preferences, Slot, Step, filter_planes, fused_estimate, multiply_cost};
use crate::caps::{Caps, Limits};
use crate::error::{LimitError, Resource, Result};
use crate::kernel::{
    Epilogue, FusedParams, Fusion, InputParams, MultiplyCut, MultiplyParams, OutputParams, Params, Reading,
    WinogradFused, WinogradInlined, WinogradInput, WinogradMultiply, WinogradOutput, word,
};
use crate::layout::{Planes, Tiles, VECTOR};
use crate::shape::Problem;
use crate::winograd::Nested;

/// V and M.
const V: Slot = Slot::Workspace(0);
const M: Slot = Slot::Workspace(1);

/// A problem cut into the tiles of an algorithm.
pub(super) struct Winograd<'a> {
    problem: &'a Problem,
    algorithm: Nested,
    tiles: Tiles,
}

/// A run of tiles, from the first on.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    count: usize,
}

impl<'a> Winograd<'a> {
    pub(super) fn new(problem: &'a Problem, algorithm: Nested) -> Self {
        let outputs = [usize::from(algorithm.rows.m()), usize::from(algorithm.cols.m())];
        Self { problem, algorithm, tiles: Tiles::new(problem.n, [problem.p, problem.q], outputs) }
    }

    /// Input transform, multiply, output transform for each chunk.
    pub(super) fn staged(&self, caps: &Caps, preferences: &Preferences) -> Result<Built, LimitError> {
        let conv = &self.problem.conv;
        let rows = [conv.channels, conv.filters];
        let Some(chunk) = self.chunk("staged", &rows, &caps.limits, preferences.workspace_limit)? else {
            return Ok(self.nothing(preferences));
        };
        let [v, m] = rows.map(|rows| self.planes(rows, chunk));
        let batches = self.algorithm.products() * conv.groups;
        let lens = [v, m].map(|planes| planes.len());
        let cut = match preferences.multiply_cut() {
            Some(cut) => self.checked_cut(cut, batches, lens, &caps.limits, preferences)?,
            None => {
                let most_parts = self.most_parts(chunk, lens, &caps.limits, preferences);
                let tolerated = |cut: &MultiplyCut| {
                    let choice = Choice { algorithm: Algorithm::Staged(self.algorithm), cut: Cut::Multiply(*cut) };
                    within_tolerance(self.problem, choice, caps, preferences.tolerance).is_ok()
                };
                multiply_cost::cut(self.problem, [chunk, batches], most_parts, caps, tolerated)
            }
        };
        let steps = self
            .chunks(chunk)
            .flat_map(|chunk| [self.input(chunk, &v), self.multiply(chunk, &v, cut), self.output(chunk, &m, cut)]);
        let workspace = vec![v.len(), cut.parts as usize * m.len()];
        Ok(self.built(Cut::Multiply(cut), steps.collect(), workspace))
    }

    /// Input transform, then the rest, for each chunk.
    pub(super) fn fused_output(&self, caps: &Caps, preferences: &Preferences) -> Result<Built, LimitError> {
        let rows = [self.problem.conv.channels];
        let Some(chunk) = self.chunk("fused_output", &rows, &caps.limits, preferences.workspace_limit)? else {
            return Ok(self.nothing(preferences));
        };
        let v = self.planes(rows[0], chunk);
        let kernel = self.fused_kernel(Fusion::Output, chunk, caps, preferences)?;
        let steps = self
            .chunks(chunk)
            .flat_map(|chunk| [self.input(chunk, &v), self.fused_step(chunk, v.stride(), kernel, caps)]);
        Ok(self.built(Cut::Fused(kernel.blocking), steps.collect(), vec![v.len()]))
    }

    /// Input transform, then the exhibit, for each chunk.
    pub(super) fn inlined(
        &self,
        reading: Reading,
        caps: &Caps,
        preferences: &Preferences,
    ) -> Result<Built, LimitError> {
        let kernel = WinogradInlined { algorithm: self.algorithm, reading, epilogue: Epilogue::of(&self.problem.conv) };
        let terms = kernel.terms().unwrap_or(usize::MAX) as u64;
        let who = format!("inlined {}", self.algorithm);
        LimitError::check(&who, Resource::InlinedTerms, terms, WinogradInlined::MAX_TERMS as u64)?;
        let rows = [self.problem.conv.channels];
        let Some(chunk) = self.chunk("inlined", &rows, &caps.limits, preferences.workspace_limit)? else {
            return Ok(self.nothing(preferences));
        };
        let v = self.planes(rows[0], chunk);
        let steps =
            self.chunks(chunk).flat_map(|chunk| [self.input(chunk, &v), self.inlined_step(chunk, v.stride(), kernel)]);
        Ok(self.built(Cut::Only, steps.collect(), vec![v.len()]))
    }

    /// Everything in one kernel; more than one dispatch only beyond the reach of a grid.
    pub(super) fn fused(&self, fusion: Fusion, caps: &Caps, preferences: &Preferences) -> Result<Built, LimitError> {
        let packing = match fusion {
            Fusion::Filter => Packing::Given,
            Fusion::Output | Fusion::Input => Packing::Winograd(self.algorithm),
        };
        if self.tiles.count() == 0 {
            return Ok(Built { packing, ..self.nothing(preferences) });
        }
        let kernel = self.fused_kernel(fusion, self.tiles.count(), caps, preferences)?;
        let workgroups = caps.limits.max_compute_workgroups_per_dimension as usize;
        let reach = workgroups.saturating_mul(kernel.blocking.tiles as usize);
        let steps = self.chunks(reach).map(|chunk| self.fused_step(chunk, 0, kernel, caps));
        Ok(Built { packing, ..self.built(Cut::Fused(kernel.blocking), steps.collect(), Vec::new()) })
    }

    /// Nothing is cut, or all of it in any way that was asked for.
    fn nothing(&self, preferences: &Preferences) -> Built {
        self.built(preferences.cut.unwrap_or(Cut::Only), Vec::new(), Vec::new())
    }

    fn built(&self, cut: Cut, steps: Vec<Step>, workspace: Vec<usize>) -> Built {
        Built { packing: Packing::Winograd(self.algorithm), cut, steps, workspace }
    }

    fn planes(&self, rows: usize, columns: usize) -> Planes {
        Planes { points: self.algorithm.products(), rows, columns }
    }

    fn chunks(&self, chunk: usize) -> impl Iterator<Item = Chunk> + use<> {
        let all = self.tiles.count();
        (0..all).step_by(chunk).map(move |first| Chunk { first, count: chunk.min(all - first) })
    }

    fn input(&self, chunk: Chunk, v: &Planes) -> Step {
        let kernel = WinogradInput { algorithm: self.algorithm };
        let conv = &self.problem.conv;
        let params = InputParams {
            first: word(chunk.first),
            tiles: word(chunk.count),
            t_stride: word(v.stride()),
            tiles_y: word(self.tiles.y),
            tiles_x: word(self.tiles.x),
            c: word(conv.channels),
            h: word(self.problem.h),
            w: word(self.problem.w),
            pad_top: word(conv.padding.top),
            pad_left: word(conv.padding.left),
            src_offset: 0,
        };
        Step {
            kernel: kernel.spec(),
            grid: [word(chunk.count).div_ceil(kernel.tiles()), word(conv.channels), 1],
            params: params.words(),
            operands: vec![Slot::Input, V],
        }
    }

    /// How many parts of the channels may have products of their own, if the one M has `m` elements beside V's `v`:
    /// one where tiles are walked in chunks, since a chunk is as large as the workspace allows.
    fn most_parts(&self, chunk: usize, [v, m]: [usize; 2], limits: &Limits, preferences: &Preferences) -> u64 {
        if chunk < self.tiles.count() {
            return 1;
        }
        let [v, m] = [v, m].map(|len| 4 * len as u64);
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        // Rows are reached by 32-bit indices, and parts by the grid.
        let batches = (self.algorithm.products() * self.problem.conv.groups) as u64;
        (preferences.workspace_limit.saturating_sub(v) / m)
            .min(binding / m)
            .min(u64::from(u32::MAX) / (m / 4))
            .min(u64::from(limits.max_compute_workgroups_per_dimension) / batches)
            .max(1)
    }

    /// A cut that was demanded, if its parts have room.
    fn checked_cut(
        &self,
        cut: MultiplyCut,
        batches: usize,
        [v, m]: [usize; 2],
        limits: &Limits,
        preferences: &Preferences,
    ) -> Result<MultiplyCut, LimitError> {
        let who = format!("staged {} {cut}", self.algorithm);
        let [v, m] = [4 * v as u64, 4 * m as u64 * u64::from(cut.parts)];
        LimitError::check(&who, Resource::WorkspaceBytes, v + m, preferences.workspace_limit)?;
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        LimitError::check(&who, Resource::BindingBytes, m, binding)?;
        LimitError::check(&who, Resource::IndexRange, m / 4, u32::MAX.into())?;
        let workgroups = batches as u64 * u64::from(cut.parts);
        LimitError::check(&who, Resource::Workgroups, workgroups, limits.max_compute_workgroups_per_dimension.into())?;
        Ok(cut)
    }

    fn multiply(&self, chunk: Chunk, v: &Planes, cut: MultiplyCut) -> Step {
        let conv = &self.problem.conv;
        let batches = self.algorithm.products() * conv.groups;
        let blocking = cut.blocking;
        let params = MultiplyParams {
            group_c: word(self.problem.channels_per_group()),
            group_k: word(self.problem.filters_per_group()),
            k_stride: word(filter_planes(conv, self.algorithm).stride()),
            t_stride: word(v.stride()),
            part_c: cut.part(self.problem.channels_per_group()),
            batches: word(batches),
        };
        Step {
            kernel: WinogradMultiply { blocking }.spec(),
            grid: [
                word(chunk.count).div_ceil(blocking.tiles),
                word(self.problem.filters_per_group()).div_ceil(blocking.filters),
                word(batches) * cut.parts,
            ],
            params: params.words(),
            operands: vec![Slot::Packed, V, M],
        }
    }

    fn output(&self, chunk: Chunk, m: &Planes, cut: MultiplyCut) -> Step {
        let conv = &self.problem.conv;
        let kernel = WinogradOutput { algorithm: self.algorithm, epilogue: Epilogue::of(conv) };
        let params = OutputParams {
            first: word(chunk.first),
            tiles: word(chunk.count),
            t_stride: word(m.stride()),
            tiles_y: word(self.tiles.y),
            tiles_x: word(self.tiles.x),
            k: word(conv.filters),
            p: word(self.problem.p),
            q: word(self.problem.q),
            parts: cut.parts,
            act_a: conv.activation.arguments()[0],
            act_b: conv.activation.arguments()[1],
            ..Default::default()
        };
        Step {
            kernel: kernel.spec(),
            grid: [word(chunk.count).div_ceil(kernel.tiles()), word(conv.filters), 1],
            params: params.words(),
            operands: [M, Slot::Output].into_iter().chain(epilogue_operands(conv)).collect(),
        }
    }

    /// The fused kernel with the blocking that was asked for, or the planner's.
    fn fused_kernel(
        &self,
        fusion: Fusion,
        tiles: usize,
        caps: &Caps,
        preferences: &Preferences,
    ) -> Result<WinogradFused, LimitError> {
        let epilogue = Epilogue::of(&self.problem.conv);
        let kernel = |blocking| WinogradFused { algorithm: self.algorithm, fusion, blocking, epilogue };
        match preferences.fused_blocking() {
            Some(blocking) => Ok(kernel(blocking)),
            None => fused_estimate::blocking(self.problem, tiles, caps, kernel).map(kernel),
        }
    }

    fn fused_params(&self, chunk: Chunk, t_stride: usize) -> FusedParams {
        let conv = &self.problem.conv;
        FusedParams {
            first: word(chunk.first),
            tiles: word(chunk.count),
            t_stride: word(t_stride),
            tiles_y: word(self.tiles.y),
            tiles_x: word(self.tiles.x),
            c: word(conv.channels),
            h: word(self.problem.h),
            w: word(self.problem.w),
            pad_top: word(conv.padding.top),
            pad_left: word(conv.padding.left),
            group_c: word(self.problem.channels_per_group()),
            group_k: word(self.problem.filters_per_group()),
            k_stride: word(filter_planes(conv, self.algorithm).stride()),
            k: word(conv.filters),
            p: word(self.problem.p),
            q: word(self.problem.q),
            act_a: conv.activation.arguments()[0],
            act_b: conv.activation.arguments()[1],
            ..Default::default()
        }
    }

    fn inlined_step(&self, chunk: Chunk, t_stride: usize, kernel: WinogradInlined) -> Step {
        let conv = &self.problem.conv;
        Step {
            kernel: kernel.spec(),
            grid: [word(chunk.count).div_ceil(WinogradInlined::WORKGROUP), word(conv.filters), 1],
            params: self.fused_params(chunk, t_stride).words(),
            operands: [V, Slot::Packed, Slot::Output].into_iter().chain(epilogue_operands(conv)).collect(),
        }
    }

    fn fused_step(&self, chunk: Chunk, t_stride: usize, kernel: WinogradFused, caps: &Caps) -> Step {
        let conv = &self.problem.conv;
        let [source, filters] = match kernel.fusion {
            Fusion::Output => [V, Slot::Packed],
            Fusion::Input => [Slot::Input, Slot::Packed],
            Fusion::Filter => [Slot::Input, Slot::Weights],
        };
        let [columns, rows] = fused_estimate::blocks(self.problem, chunk.count, kernel.blocking);
        let walk = fused_estimate::walk(&kernel, [columns, rows], caps);
        Step {
            kernel: kernel.spec(),
            grid: [word(columns).div_ceil(walk), word(rows), 1],
            params: FusedParams { walk, ..self.fused_params(chunk, t_stride) }.words(),
            operands: [source, filters, Slot::Output].into_iter().chain(epilogue_operands(conv)).collect(),
        }
    }

    /// How many tiles are in flight at once, where the planes between the steps have these rows: all, if the planes
    /// then respect the workspace limit and the device's bounds, else even chunks that do. `None` if there are no
    /// tiles.
    fn chunk(
        &self,
        family: &str,
        rows: &[usize],
        limits: &Limits,
        workspace_limit: u64,
    ) -> Result<Option<usize>, LimitError> {
        let tiles = self.tiles.count();
        if tiles == 0 {
            return Ok(None);
        }
        let who = format!("{family} {}", self.algorithm);
        let bytes = |rows: usize| 4 * self.algorithm.products() as u64 * rows as u64;
        let (sum, widest) = (rows.iter().map(|&r| bytes(r)).sum::<u64>(), rows.iter().map(|&r| bytes(r)).max());
        let widest = widest.unwrap_or(1);
        let smallest = (tiles.min(VECTOR) as u64).next_multiple_of(VECTOR as u64);
        LimitError::check(&who, Resource::WorkspaceBytes, smallest * sum, workspace_limit)?;
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        LimitError::check(&who, Resource::BindingBytes, smallest * widest, binding)?;
        let reach = u64::from(u32::MAX);
        LimitError::check(&who, Resource::IndexRange, smallest * (widest / 4), reach)?;
        let workgroups = u64::from(limits.max_compute_workgroups_per_dimension);
        let per_workgroup = u64::from(WinogradInput { algorithm: self.algorithm }.tiles());
        let most = (workspace_limit / sum)
            .min(binding / widest)
            .min(workgroups.saturating_mul(per_workgroup))
            // Rows are reached by 32-bit indices.
            .min(reach / (widest / 4));
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // Rows are padded to vectors, so only whole vectors count.
        if most >= tiles.next_multiple_of(VECTOR) {
            return Ok(Some(tiles));
        }
        let most = most / VECTOR * VECTOR;
        let even = tiles.div_ceil(tiles.div_ceil(most));
        // Whole workgroups where there is room for them.
        let whole = even.next_multiple_of(usize::try_from(per_workgroup).unwrap_or(1));
        Ok(Some(if whole <= most { whole } else { most }))
    }
}
