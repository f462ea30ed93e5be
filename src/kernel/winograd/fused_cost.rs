//! What the fused kernels do: the channel loop of each [`Fusion`], and the exchange of products that all of them end
//! with.

use super::{Fusion, WinogradFused};
use crate::kernel::cost::{Counts, Part, Region, Share, Turns};
use crate::kernel::{Kernel as _, word};
use crate::winograd::{Nested, WinogradError};

impl WinogradFused {
    /// What every invocation does.
    fn all(&self, counts: Counts, turns: Turns) -> Share {
        Share { counts, invocations: self.workgroup_size(), turns }
    }

    /// The vectors of U of one channel, and the multiply-adds.
    fn factors_and_sums(&self) -> (Counts, Counts) {
        let (each_k, each_t) = (self.blocking.filters_each as usize, self.blocking.tiles_each as usize);
        let u = match self.fusion {
            Fusion::Output | Fusion::Input => Counts::load(each_k / 4, 4),
            Fusion::Filter => Counts::read(each_k / 4, 4),
        };
        (u, Counts::sums(each_k * each_t))
    }

    /// [`Fusion::Output`]: U and V from memory, a turn ahead. Past the last channel V is not read.
    pub(super) fn sum_fetched(&self) -> Vec<Region> {
        let step = u64::from(self.step());
        let (u, sums) = self.factors_and_sums();
        let v = Counts::load(self.blocking.tiles_each as usize / 4, 4);
        let turns = [
            self.all((u + sums) * step, Turns::Channels(self.step())),
            self.all(v * step, Turns::ChannelsButOne(self.step())),
        ];
        vec![Region::new(Part::Once, [self.all((u + v) * step, Turns::Fixed(1))]), Region::new(Part::Turn, turns)]
    }

    /// [`Fusion::Input`]: V through workgroup memory, its tiles a phase ahead; U from memory as it is used.
    /// [`Fusion::Filter`]: U through workgroup memory too.
    pub(super) fn transform_and_sum(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let (down, across) = (rows.programs()?, cols.programs()?);
        let tiles = self.channels() * self.blocking.tiles;
        let of_tiles = |counts, turns| Share { counts, invocations: tiles, turns };
        let fetch = Counts::load_stored(self.algorithm.inputs(), self.storage);
        let put =
            Counts::both_ways(&down.input, cols.span(), &across.input) + Counts::write(self.algorithm.products(), 1);
        let (u, sums) = self.factors_and_sums();
        let v = Counts::read(self.blocking.tiles_each as usize / 4, 4);
        let phases = Turns::Channels(self.channels());
        let phase = [
            of_tiles(put, phases),
            of_tiles(fetch, Turns::ChannelsButOne(self.channels())),
            self.all(Counts::barriers(2), phases),
        ];
        let turn = (u + v + sums) * u64::from(self.step());
        let mut regions =
            vec![Region::new(Part::Once, [of_tiles(fetch, Turns::Fixed(1))]), Region::new(Part::Phase, phase)];
        if self.fusion == Fusion::Filter {
            let filter = Counts::load_stored(self.algorithm.weights(), self.storage)
                + Counts::both_ways(&down.filter, cols.r().into(), &across.filter)
                + Counts::write(self.algorithm.products(), 1);
            let filters = self.channels() * self.blocking.filters;
            regions.push(Region::new(Part::Filter, [Share { counts: filter, invocations: filters, turns: phases }]));
        }
        regions.push(Region::new(Part::Turn, [self.all(turn, Turns::Channels(self.step()))]));
        Ok(regions)
    }

    /// Scalar operations of a phase beside the loops in it, as [`crate::wgsl::count`] counts them: a tile's transform, where
    /// the next one lies, and its loads, each guarded.
    pub(super) fn phase_operations(&self) -> Result<u32, WinogradError> {
        const PLACE: usize = 72;
        const ROW: usize = 6;
        const ELEMENT: usize = 5;
        const POINT: usize = 2;
        if self.fusion == Fusion::Output {
            return Ok(0);
        }
        let Nested { rows, cols } = self.algorithm;
        let transform = Counts::both_ways(&rows.programs()?.input, cols.span(), &cols.programs()?.input);
        let arithmetic = (transform.multiply_adds + transform.arithmetic) as usize;
        let loads = ROW * rows.span() + (ELEMENT + self.storage.unpacking()) * self.algorithm.inputs();
        Ok(word(PLACE + loads + arithmetic + POINT * self.algorithm.products()))
    }

    /// The exchange of products, and the outputs.
    pub(super) fn exchange(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let (down, across) = (rows.programs()?, cols.programs()?);
        let b = self.blocking;
        let rounds = b.filters_each / b.round;
        let put = Counts::write((b.round * b.tiles_each / 4) as usize, 4) + Counts::barriers(2);
        let tile = Counts::read(self.algorithm.products(), 1)
            + Counts::both_ways(&down.output, cols.products(), &across.output);
        // Of a round: an invocation may have several of them, or none.
        let tiles = b.round * (b.filters / b.filters_each) * b.tiles;
        let of_tiles = |counts, turns| Share { counts, invocations: tiles, turns: Turns::Fixed(turns) };
        let round = Region::new(Part::Round, [self.all(put, Turns::Fixed(rounds))]);
        if self.finishes_at_once() {
            let written = self.epilogue.counts(self.storage) * self.algorithm.outputs() as u64;
            return Ok(vec![round, Region::new(Part::Line, [of_tiles(tile + written, rounds)])]);
        }
        let kept = Counts::write(self.algorithm.outputs(), 1);
        let row = (Counts::read(1, 1) + self.epilogue.counts(self.storage)) * u64::from(cols.m());
        Ok(vec![
            round,
            Region::new(Part::Line, [of_tiles(tile + kept, rounds)]),
            Region::new(Part::Row, [of_tiles(row, rounds * u32::from(rows.m()))]),
        ])
    }
}
