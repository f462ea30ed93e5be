//! The dispatches of the Winograd algorithms: how tiles are walked in chunks, and what each kernel is told.

use std::ops::Range;

use super::built::Built;
use super::dispatch::Dispatch;
use super::operand::{Operand, Slot, epilogue_operands, factors, tensor_len};
use super::packing::Packing;
use super::pieces::{Piece, Window, check_dispatches, most};
use super::tensor_parts::{Chunk, Divided};
use super::windows::Windows;
use crate::caps::{Caps, Limits};
use crate::error::{LimitError, Resource, Result};
use crate::kernel::{
    Epilogue, Fragments, FusedParams, Fusion, InputParams, MultiplyCut, MultiplyParams, MultiplyUnitsParams,
    OutputParams, Params, Reading, Storage, UnitCut, WinogradFused, WinogradInlined, WinogradInput, WinogradMultiply,
    WinogradMultiplyUnits, WinogradOutput, word, wrapped,
};
use crate::layout::{Element, Elements, Planes, Tiles, VECTOR};
use crate::plan::choose::{Algorithm, Choice, Cut, Errors, Preferences, Reason};
use crate::plan::model::{fused, multiply, units};
use crate::problem::Problem;
use crate::winograd::Nested;

/// V and M; and U, where it is not packed beforehand.
const V: Slot = Slot::Workspace(0);
const M: Slot = Slot::Workspace(1);
pub(super) const U: Slot = Slot::Workspace(2);

/// What is multiplied with V: U, with so many rows in a group; and whether the products are added to those in M.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factor {
    pub(super) u: Slot,
    pub(super) rows: usize,
    pub(super) adds: bool,
}

/// A problem cut into the tiles of an algorithm.
pub(super) struct Winograd<'a> {
    pub(super) problem: &'a Problem,
    pub(super) windows: Windows,
    pub(super) algorithm: Nested,
    pub(super) tiles: Tiles,
    storage: Storage,
    pub(super) elements: Elements,
    /// The most elements of one binding.
    pub(super) most: usize,
}

impl<'a> Winograd<'a> {
    /// The part of a problem that a piece of its correlation is: all of it, or some images.
    pub(super) fn new(
        problem: &'a Problem,
        part: &Piece,
        algorithm: Nested,
        storage: Storage,
        limits: &Limits,
    ) -> Result<Self, Reason> {
        let whole = Windows::of_algorithm(problem, algorithm).map_err(Reason::Inapplicable)?;
        let windows = Windows { of: part.of, ..whole };
        let (tiles, elements) = (windows.tiles(algorithm), Elements::default());
        Ok(Self { problem, windows, algorithm, tiles, storage, elements, most: most(limits) })
    }

    /// Input transform, multiply, output transform for each chunk.
    pub(super) fn staged(&self, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
        let of_tiles = |tiles| [self.v(self.windows.rows(), tiles), self.m(tiles)];
        let Some(chunk) = self.chunk("staged", &of_tiles(1), &caps.limits, preferences.workspace_limit)? else {
            return Ok(self.nothing(preferences));
        };
        let [v, m] = of_tiles(chunk);
        let cut = match preferences.cut {
            Some(cut @ (Cut::Multiply(MultiplyCut { parts, .. }) | Cut::Units(UnitCut { parts, .. }))) => {
                self.check_parts(cut, parts, [v, m], &caps.limits, preferences)?;
                cut
            }
            _ => self.planned_cut(chunk, [v, m], caps, preferences),
        };
        let parts = match cut {
            Cut::Multiply(MultiplyCut { parts, .. }) | Cut::Units(UnitCut { parts, .. }) => parts,
            _ => 1,
        };
        let mut steps = Vec::new();
        for chunk in self.chunks(chunk, &caps.limits, Divided { source: true, outputs: true })? {
            steps.extend(self.input(chunk, &v)?);
            let packed = Factor { u: Slot::Packed, rows: self.windows.group_rows(), adds: false };
            steps.push(match cut {
                Cut::Units(cut) => self.multiply_units(chunk, &v, cut, caps),
                Cut::Multiply(cut) => self.multiply(chunk, &v, cut, packed),
                _ => return Err(Reason::Inapplicable("this blocking is not supported by the algorithm")),
            });
            steps.extend(self.output(chunk, &m, parts)?);
            check_dispatches(steps.len())?;
        }
        let workspace = vec![v.words(), parts as usize * m.words()];
        Ok(self.built(cut, steps, workspace))
    }

    /// The planner's cut of so many tiles: of those by ordinary instructions and those by matrix units, the one with the least
    /// estimate.
    fn planned_cut(&self, chunk: usize, planes: [Planes; 2], caps: &Caps, preferences: &Preferences) -> Cut {
        let most_parts = self.most_parts(chunk, planes, &caps.limits, preferences);
        let errors = Errors::on(self.problem, caps);
        let tolerated = |cut: Cut| {
            let choice = Choice { algorithm: Algorithm::Staged(self.algorithm), cut };
            errors.within(choice, preferences.tolerance).is_ok()
        };
        let batches = self.algorithm.products() * self.windows.of.groups;
        let sizes = [self.windows.of.group_k, self.windows.group_rows()];
        let plain = multiply::cut(sizes, [chunk, batches], most_parts, caps, |cut| tolerated(Cut::Multiply(*cut)));
        match units::cut(sizes, [chunk, batches], most_parts, caps, |cut| tolerated(Cut::Units(*cut))) {
            Some((seconds, cut)) if !plain.tolerated || seconds < plain.seconds => Cut::Units(cut),
            _ => Cut::Multiply(plain.cut),
        }
    }

    /// Input transform, then the rest, for each chunk.
    pub(super) fn fused_output(&self, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
        self.windows.unfit_for_planes().map_err(Reason::Inapplicable)?;
        let rows = self.windows.rows();
        let Some(chunk) = self.chunk("fused_output", &[self.v(rows, 1)], &caps.limits, preferences.workspace_limit)?
        else {
            return Ok(self.nothing(preferences));
        };
        let v = self.v(rows, chunk);
        let kernel = self.fused_kernel(Fusion::Output, chunk, caps, preferences)?;
        let mut steps = Vec::new();
        for chunk in self.chunks(chunk, &caps.limits, Divided { source: true, outputs: false })? {
            steps.extend(self.input(chunk, &v)?);
            steps.push(self.fused_step(chunk, v.stride(), kernel, caps));
            check_dispatches(steps.len())?;
        }
        Ok(self.built(Cut::Fused(kernel.blocking), steps, vec![v.words()]))
    }

    /// Input transform, then the exhibit, for each chunk.
    pub(super) fn inlined(&self, reading: Reading, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
        self.windows.unfit_for_planes().map_err(Reason::Inapplicable)?;
        if self.storage != Storage::F32 {
            return Err(Reason::Inapplicable("inlined supports only f32 tensors"));
        }
        let kernel = WinogradInlined { algorithm: self.algorithm, reading, epilogue: Epilogue::of(&self.problem.conv) };
        let terms = kernel.terms().unwrap_or(usize::MAX) as u64;
        let who = format!("inlined {}", self.algorithm);
        LimitError::check(&who, Resource::InlinedTerms, terms, WinogradInlined::MAX_TERMS as u64)?;
        let rows = self.windows.rows();
        let Some(chunk) = self.chunk("inlined", &[self.v(rows, 1)], &caps.limits, preferences.workspace_limit)? else {
            return Ok(self.nothing(preferences));
        };
        let v = self.v(rows, chunk);
        let mut steps = Vec::new();
        for chunk in self.chunks(chunk, &caps.limits, Divided { source: true, outputs: false })? {
            steps.extend(self.input(chunk, &v)?);
            steps.push(self.inlined_step(chunk, v.stride(), kernel));
            check_dispatches(steps.len())?;
        }
        Ok(self.built(Cut::Only, steps, vec![v.words()]))
    }

    /// Everything in one kernel; more than one dispatch only beyond the reach of a grid.
    pub(super) fn fused(&self, fusion: Fusion, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
        self.windows.unfit_for_fused().map_err(Reason::Inapplicable)?;
        if fusion == Fusion::Filter {
            self.windows.unfit_for_weights().map_err(Reason::Inapplicable)?;
            if !WinogradFused::takes_weights(self.algorithm, self.storage) {
                return Err(Reason::Inapplicable(
                    "fused_filter supports f16 without 16-bit shader types only for filters of up to 36 taps",
                ));
            }
        }
        let packing = match fusion {
            Fusion::Filter => Packing::Given,
            Fusion::Output | Fusion::Input => Packing::Winograd(self.algorithm),
        };
        if self.tiles.count() == 0 {
            return Ok(Built { packing, ..self.nothing(preferences) });
        }
        let kernel = self.fused_kernel(fusion, self.tiles.count(), caps, preferences)?;
        // No workgroups at all are refused with the grid.
        let workgroups = caps.limits.max_compute_workgroups_per_dimension.max(1) as usize;
        let reach = workgroups.saturating_mul(kernel.blocking.tiles as usize);
        let chunks = self.chunks(reach, &caps.limits, Divided { source: false, outputs: false })?;
        let steps = chunks.into_iter().map(|chunk| self.fused_step(chunk, 0, kernel, caps)).collect();
        Ok(Built { packing, ..self.built(Cut::Fused(kernel.blocking), steps, Vec::new()) })
    }

    /// Nothing is cut, or all of it in any way that was asked for.
    fn nothing(&self, preferences: &Preferences) -> Built {
        self.built(preferences.cut.unwrap_or(Cut::Only), Vec::new(), Vec::new())
    }

    fn built(&self, cut: Cut, steps: Vec<Dispatch>, workspace: Vec<usize>) -> Built {
        Built { packing: Packing::Winograd(self.algorithm), cut, dispatches: steps, workspace, ..Built::nothing() }
    }

    /// V of so many rows and tiles.
    pub(super) fn v(&self, rows: usize, tiles: usize) -> Planes {
        self.planes(rows, tiles, self.elements.v)
    }

    /// M of so many tiles.
    pub(super) fn m(&self, tiles: usize) -> Planes {
        self.planes(self.windows.of.filters(), tiles, self.elements.m)
    }

    pub(super) const fn planes(&self, rows: usize, columns: usize, element: Element) -> Planes {
        Planes { points: self.algorithm.products(), rows, columns, element }
    }

    /// The input transform, in as many dispatches as the input has parts.
    fn input(&self, chunk: Chunk, v: &Planes) -> Result<Vec<Dispatch>, LimitError> {
        let ranges = self.source_parts(chunk, self.most)?.into_iter();
        Ok(ranges.map(|rows| self.input_part(chunk, v, rows)).collect())
    }

    fn input_part(&self, chunk: Chunk, v: &Planes, rows: Range<usize>) -> Dispatch {
        let source = self.source_operand(self.source(chunk, rows.clone()));
        self.input_rows(chunk, v, rows, 0..self.windows.group_rows(), source)
    }

    /// The input transform of these `rows` of V, which has all of each group's `sum`.
    pub(super) fn input_rows(
        &self,
        chunk: Chunk,
        v: &Planes,
        rows: Range<usize>,
        sum: Range<usize>,
        source: Operand,
    ) -> Dispatch {
        let of = &self.windows.of;
        let kernel = WinogradInput { algorithm: self.algorithm, border: of.border, storage: self.storage };
        let [d, h, w] = of.size.map(word);
        let [before_d, before_h, before_w] = of.before.map(wrapped);
        let [step_h, step_w] = self.windows.steps().map(word);
        let [phases_h, phases_w] = self.windows.phases().map(word);
        let [phase_step_h, phase_step_w] = self.windows.row_steps().map(word);
        let [spread_h, spread_w] = self.windows.spread().map(word);
        let [src_d, src_h, src_w] = of.src.dhw.map(wrapped);
        let params = InputParams {
            first: word(chunk.first),
            tiles: word(chunk.count),
            t_stride: word(v.stride()),
            tiles_y: word(self.tiles.y),
            tiles_x: word(self.tiles.x),
            plain: u32::from(self.windows.is_plain()),
            out_d: word(of.out[0]),
            row_first: word(rows.start),
            rows: word(of.groups * sum.len()),
            group_rows: word(sum.len()),
            sum_first: word(sum.start),
            taps_d: word(of.taps[0]),
            phases_h,
            phases_w,
            phase_step_h,
            phase_step_w,
            spread_h,
            spread_w,
            step_h,
            step_w,
            stride_d: word(of.stride[0]),
            dilation_d: word(of.dilation[0]),
            d,
            h,
            w,
            before_d,
            before_h,
            before_w,
            src_n: wrapped(of.src.n),
            src_g: wrapped(of.src.g),
            src_c: wrapped(of.src.c),
            src_d,
            src_h,
            src_w,
            src_offset: wrapped(of.src.offset - source.first.cast_signed()),
        };
        Dispatch {
            kernel: kernel.spec(),
            grid: [word(chunk.count).div_ceil(kernel.tiles()), word(rows.len()), 1],
            params: params.words(),
            operands: vec![source, V.into()],
        }
    }

    /// How many parts of the channels may have products of their own, an M each beside the one V: one where tiles are walked in chunks, since a chunk is as large as the workspace allows.
    fn most_parts(&self, chunk: usize, [v, m]: [Planes; 2], limits: &Limits, preferences: &Preferences) -> u64 {
        if chunk < self.tiles.count() {
            return 1;
        }
        let ([v, m], reach) = ([v, m].map(|planes| planes.bytes()), u64::from(u32::MAX) / m.len() as u64);
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        // Rows are reached by 32-bit indices, and parts by the grid.
        let batches = (self.algorithm.products() * self.windows.of.groups) as u64;
        (preferences.workspace_limit.saturating_sub(v) / m)
            .min(binding / m)
            .min(reach)
            .min(u64::from(limits.max_compute_workgroups_per_dimension) / batches)
            .max(1)
    }

    /// Whether there is room for the parts of a cut that was forced.
    fn check_parts(
        &self,
        cut: Cut,
        parts: u32,
        [v, m]: [Planes; 2],
        limits: &Limits,
        preferences: &Preferences,
    ) -> Result<(), LimitError> {
        let who = format!("staged {} {cut}", self.algorithm);
        let batches = self.algorithm.products() * self.windows.of.groups;
        let parts = u64::from(parts);
        let (v, reach, m) = (v.bytes(), m.len() as u64 * parts, m.bytes() * parts);
        LimitError::check(&who, Resource::WorkspaceBytes, v + m, preferences.workspace_limit)?;
        limits.check_tensor(&who, m)?;
        LimitError::check(&who, Resource::IndexRange, reach, u32::MAX.into())?;
        let workgroups = batches as u64 * parts;
        LimitError::check(&who, Resource::Workgroups, workgroups, limits.max_compute_workgroups_per_dimension.into())
    }

    /// The multiply by matrix units, or by their emulation where a device without them was told to.
    fn multiply_units(&self, chunk: Chunk, v: &Planes, cut: UnitCut, caps: &Caps) -> Dispatch {
        let of = &self.windows.of;
        let rows = self.windows.group_rows();
        let batches = self.algorithm.products() * of.groups;
        let blocking = cut.blocking;
        let params = MultiplyUnitsParams {
            group_c: word(rows),
            group_k: word(of.group_k),
            k_stride: word(self.windows.filter_planes(self.algorithm, self.elements.u).stride()),
            t_stride: word(v.stride()),
            tiles: word(chunk.count),
            part_c: cut.part(rows),
            batches: word(batches),
        };
        let fragments = if caps.matrix_units { Fragments::Units } else { Fragments::Emulated };
        Dispatch {
            kernel: WinogradMultiplyUnits { blocking, fragments }.spec(),
            grid: [
                word(chunk.count).div_ceil(blocking.tiles),
                word(of.group_k).div_ceil(blocking.filters),
                word(batches) * cut.parts,
            ],
            params: params.words(),
            operands: vec![Slot::Packed.into(), V.into(), M.into()],
        }
    }

    pub(super) fn multiply(&self, chunk: Chunk, v: &Planes, cut: MultiplyCut, factor: Factor) -> Dispatch {
        let of = &self.windows.of;
        let Factor { u, rows, adds } = factor;
        let batches = self.algorithm.products() * of.groups;
        let blocking = cut.blocking;
        let params = MultiplyParams {
            group_c: word(rows),
            group_k: word(of.group_k),
            k_stride: word(self.windows.filter_planes(self.algorithm, self.elements.u).stride()),
            t_stride: word(v.stride()),
            part_c: cut.part(rows),
            batches: word(batches),
        };
        Dispatch {
            kernel: WinogradMultiply { blocking, adds }.spec(),
            grid: [
                word(chunk.count).div_ceil(blocking.tiles),
                word(of.group_k).div_ceil(blocking.filters),
                word(batches) * cut.parts,
            ],
            params: params.words(),
            operands: vec![u.into(), V.into(), M.into()],
        }
    }

    /// The operand for what is read of the source.
    pub(super) fn source_operand(&self, window: Window) -> Operand {
        let [slot, _] = factors(&self.windows.of);
        window.operand(slot, tensor_len(self.problem, slot), self.most)
    }

    /// The operand for what is written.
    fn output_operand(&self, window: Window) -> Operand {
        window.operand(Slot::Output, self.problem.output_len(), self.most)
    }

    /// The output transform, in as many dispatches as the output has parts.
    pub(super) fn output(&self, chunk: Chunk, m: &Planes, parts: u32) -> Result<Vec<Dispatch>, LimitError> {
        let ranges = self.output_parts(chunk, self.most)?.into_iter();
        Ok(ranges.map(|filters| self.output_part(chunk, m, parts, filters)).collect())
    }

    fn output_part(&self, chunk: Chunk, m: &Planes, parts: u32, filters: Range<usize>) -> Dispatch {
        let output = self.output_operand(self.outputs(chunk, filters.clone()));
        let offset = wrapped(self.windows.of.dst.offset - output.first.cast_signed());
        let conv = &self.problem.conv;
        let of = &self.windows.of;
        let (storage, epilogue) = (self.storage, Epilogue::of(conv));
        let kernel = WinogradOutput { algorithm: self.algorithm, storage, epilogue };
        let [dst_d, dst_h, dst_w] = of.dst.dhw.map(wrapped);
        let params = OutputParams {
            first: word(chunk.first),
            tiles: word(chunk.count),
            t_stride: word(m.stride()),
            tiles_y: word(self.tiles.y),
            tiles_x: word(self.tiles.x),
            plain: u32::from(self.windows.is_plain()),
            out_d: word(of.out[0]),
            spread_h: word(self.windows.spread()[0]),
            spread_w: word(self.windows.spread()[1]),
            k_first: word(filters.start),
            k: word(of.filters()),
            p: word(of.out[1]),
            q: word(of.out[2]),
            parts,
            dst_n: wrapped(of.dst.n),
            dst_k: wrapped(of.dst.c),
            dst_d,
            dst_h,
            dst_w,
            dst_offset: offset,
            residual_offset: offset,
            act_a: conv.activation.arguments()[0],
            act_b: conv.activation.arguments()[1],
            ..Default::default()
        };
        Dispatch {
            kernel: kernel.spec(),
            grid: [word(chunk.count).div_ceil(kernel.tiles()), word(filters.len()), 1],
            params: params.words(),
            operands: [M.into(), output].into_iter().chain(epilogue_operands(conv, output, Operand::from)).collect(),
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
        let (storage, epilogue) = (self.storage, Epilogue::of(&self.problem.conv));
        let kernel = |blocking| WinogradFused { algorithm: self.algorithm, fusion, blocking, storage, epilogue };
        match preferences.fused_blocking() {
            Some(blocking) => Ok(kernel(blocking)),
            None => fused::blocking(self.sizes(), tiles, caps, kernel).map(kernel),
        }
    }

    fn sizes(&self) -> fused::Sizes {
        let of = &self.windows.of;
        fused::Sizes { groups: of.groups, filters: of.group_k, channels: self.windows.group_rows() }
    }

    /// What all channels and filters of some tiles read and write.
    fn ends(&self, chunk: Chunk) -> [Operand; 2] {
        let (rows, filters) = (self.windows.rows(), self.windows.of.filters());
        [self.source_operand(self.source(chunk, 0..rows)), self.output_operand(self.outputs(chunk, 0..filters))]
    }

    fn fused_params(&self, chunk: Chunk, t_stride: usize) -> FusedParams {
        let of = &self.windows.of;
        let [source, output] = self.ends(chunk).map(|operand| operand.first.cast_signed());
        let [act_a, act_b] = self.problem.conv.activation.arguments();
        FusedParams {
            first: word(chunk.first),
            tiles: word(chunk.count),
            t_stride: word(t_stride),
            tiles_y: word(self.tiles.y),
            tiles_x: word(self.tiles.x),
            c: word(self.windows.rows()),
            h: word(of.size[1]),
            w: word(of.size[2]),
            before_h: wrapped(of.before[1]),
            before_w: wrapped(of.before[2]),
            group_c: word(self.windows.group_rows()),
            group_k: word(of.group_k),
            k_stride: word(self.windows.filter_planes(self.algorithm, self.elements.u).stride()),
            p: word(of.out[1]),
            q: word(of.out[2]),
            src_n: wrapped(of.src.n),
            src_c: wrapped(of.src.c),
            src_h: wrapped(of.src.dhw[1]),
            dst_n: wrapped(of.dst.n),
            dst_k: wrapped(of.dst.c),
            dst_h: wrapped(of.dst.dhw[1]),
            dst_w: wrapped(of.dst.dhw[2]),
            src_offset: wrapped(of.src.offset - source),
            weights_offset: wrapped(of.weights.offset),
            dst_offset: wrapped(of.dst.offset - output),
            residual_offset: wrapped(of.dst.offset - output),
            act_a,
            act_b,
            ..Default::default()
        }
    }

    fn inlined_step(&self, chunk: Chunk, t_stride: usize, kernel: WinogradInlined) -> Dispatch {
        let conv = &self.problem.conv;
        let [_, output] = self.ends(chunk);
        Dispatch {
            kernel: kernel.spec(),
            grid: [word(chunk.count).div_ceil(WinogradInlined::WORKGROUP), word(self.windows.of.filters()), 1],
            params: self.fused_params(chunk, t_stride).words(),
            operands: [V.into(), Slot::Packed.into(), output]
                .into_iter()
                .chain(epilogue_operands(conv, output, Operand::from))
                .collect(),
        }
    }

    fn fused_step(&self, chunk: Chunk, t_stride: usize, kernel: WinogradFused, caps: &Caps) -> Dispatch {
        let conv = &self.problem.conv;
        let [source, output] = self.ends(chunk);
        let [source, filters] = match kernel.fusion {
            Fusion::Output => [V.into(), Slot::Packed.into()],
            Fusion::Input => [source, Slot::Packed.into()],
            Fusion::Filter => [source, factors(&self.windows.of)[1].into()],
        };
        let [columns, rows] = self.sizes().blocks(chunk.count, kernel.blocking);
        let walk = fused::walk(&kernel, [columns, rows], caps);
        Dispatch {
            kernel: kernel.spec(),
            grid: [word(columns).div_ceil(walk), word(rows), 1],
            params: FusedParams { walk, ..self.fused_params(chunk, t_stride) }.words(),
            operands: [source, filters, output]
                .into_iter()
                .chain(epilogue_operands(conv, output, Operand::from))
                .collect(),
        }
    }

    /// How many tiles are in flight at once, where a tile takes a column of each of these: all, if the planes
    /// then respect the workspace limit and the device's bounds, else even chunks that do. `None` if there are no
    /// tiles.
    fn chunk(
        &self,
        family: &str,
        planes: &[Planes],
        limits: &Limits,
        workspace_limit: u64,
    ) -> Result<Option<usize>, LimitError> {
        let tiles = self.tiles.count();
        if tiles == 0 {
            return Ok(None);
        }
        let who = format!("{family} {}", self.algorithm);
        let bytes = planes.iter().map(|planes| planes.column() * planes.element.size());
        let (sum, widest) = (bytes.clone().sum::<u64>(), bytes.max().unwrap_or(1));
        let longest = planes.iter().map(Planes::column).max().unwrap_or(1);
        let smallest = (tiles.min(VECTOR) as u64).next_multiple_of(VECTOR as u64);
        LimitError::check(&who, Resource::WorkspaceBytes, smallest * sum, workspace_limit)?;
        limits.check_tensor(&who, smallest * widest)?;
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let reach = u64::from(u32::MAX);
        LimitError::check(&who, Resource::IndexRange, smallest * longest, reach)?;
        let workgroups = u64::from(limits.max_compute_workgroups_per_dimension);
        let (algorithm, border, storage) = (self.algorithm, self.windows.of.border, self.storage);
        let per_workgroup = u64::from(WinogradInput { algorithm, border, storage }.tiles());
        LimitError::check(&who, Resource::Workgroups, smallest.div_ceil(per_workgroup), workgroups)?;
        let most = (workspace_limit / sum)
            .min(binding / widest)
            .min(workgroups.saturating_mul(per_workgroup))
            // Rows are reached by 32-bit indices.
            .min(reach / longest);
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
