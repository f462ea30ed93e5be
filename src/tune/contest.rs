//! Rounds in which all candidates take turns, so that a slow moment of the machine affects all. After each round those
//! that are clearly slower drop out. This module works on numbers only, without a device.

use std::time::Duration;

/// How many times the fastest's median a candidate's least time may be after each round; the last holds for those that
/// follow. Single times on an H100 scatter by some percent, and by far more before its clocks are up.
const MARGINS: [f64; 4] = [1.5, 1.25, 1.15, 1.08];
/// The same bound for the single run before the first round.
const FIRST_LOOK: f64 = 3.0;

struct Seat {
    is_pick: bool,
    is_in: bool,
    first: Duration,
    times: Vec<Duration>,
}

pub(super) struct Contest {
    seats: Vec<Seat>,
    rounds: usize,
}

impl Contest {
    /// Seats for candidates; the planner's pick is never out, since its time is the one to compare with.
    pub(super) fn new(picks: impl Iterator<Item = bool>) -> Self {
        let seat = |is_pick| Seat { is_pick, is_in: true, first: Duration::ZERO, times: Vec::new() };
        Self { seats: picks.map(seat).collect(), rounds: 0 }
    }

    /// The time of one run, before the first round.
    pub(super) fn look(&mut self, seat: usize, once: Duration) {
        self.seats[seat].first = once;
    }

    /// Those that take part in the next round.
    pub(super) fn seats(&mut self) -> Vec<usize> {
        if self.rounds == 0 {
            let best = self.seats.iter().map(|seat| seat.first).min().unwrap_or_default();
            self.keep(|seat| seat.first <= best.mul_f64(FIRST_LOOK));
        }
        (0..self.seats.len()).filter(|&seat| self.seats[seat].is_in).collect()
    }

    /// A time of a run in this round.
    pub(super) fn record(&mut self, seat: usize, time: Duration) {
        self.seats[seat].times.push(time);
    }

    /// Ends a round.
    pub(super) fn close_round(&mut self) {
        let margin = MARGINS[self.rounds.min(MARGINS.len() - 1)];
        self.rounds += 1;
        let best = self.seats.iter().filter(|seat| seat.is_in).filter_map(Seat::median).min().unwrap_or_default();
        self.keep(|seat| seat.times.iter().min().is_some_and(|least| *least <= best.mul_f64(margin)));
    }

    fn keep(&mut self, stays: impl Fn(&Seat) -> bool) {
        for seat in &mut self.seats {
            seat.is_in = seat.is_in && (seat.is_pick || stays(seat));
        }
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_in).count()
    }

    pub(super) fn is_in(&self, seat: usize) -> bool {
        self.seats[seat].is_in
    }

    /// The median of a candidate's times; that of its one run, if it came no further.
    pub(super) fn time(&self, seat: usize) -> Option<Duration> {
        let seat = &self.seats[seat];
        seat.median().or(Some(seat.first))
    }

    /// Rounds that a candidate was in.
    pub(super) fn rounds(&self, seat: usize) -> u32 {
        u32::try_from(self.seats[seat].times.len()).unwrap_or(u32::MAX)
    }

    /// Of those that are left the one with the least median.
    pub(super) fn fastest(&self) -> Option<usize> {
        let left = (0..self.seats.len()).filter(|&seat| self.seats[seat].is_in && !self.seats[seat].times.is_empty());
        left.min_by_key(|&seat| self.seats[seat].median())
    }
}

impl Seat {
    fn median(&self) -> Option<Duration> {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays rounds with these times of each candidate, the first of which is the pick; who took part in each.
    fn play(times: &[&[u64]]) -> (Contest, Vec<Vec<usize>>) {
        let mut contest = Contest::new((0..times.len()).map(|seat| seat == 0));
        let us = Duration::from_micros;
        times.iter().enumerate().for_each(|(seat, times)| contest.look(seat, us(times[0])));
        let mut parts = Vec::new();
        for round in 0..times[0].len() {
            let seats = contest.seats();
            seats.iter().for_each(|&seat| contest.record(seat, us(times[seat][round])));
            contest.close_round();
            parts.push(seats);
        }
        (contest, parts)
    }

    #[test]
    fn the_slower_are_out_one_after_the_other_and_the_pick_is_not() {
        let same = |time| [time; 5];
        let (contest, parts) =
            play(&[&same(500), &same(100), &same(110), &same(120), &same(130), &same(200), &same(290), &same(310)]);
        assert_eq!(parts[0], [0, 1, 2, 3, 4, 5, 6], "310 is out at the first look");
        assert_eq!(parts[1], [0, 1, 2, 3, 4], "1.5 times and more");
        assert_eq!(parts[2], [0, 1, 2, 3], "1.25 times and more");
        assert_eq!(parts[3], [0, 1, 2], "1.15 times and more");
        assert_eq!(parts[4], [0, 1], "and the pick is still there");
        assert_eq!((contest.fastest(), contest.left()), (Some(1), 2));
        let rounds: Vec<u32> = (0..8).map(|seat| contest.rounds(seat)).collect();
        assert_eq!(rounds, [5, 5, 4, 3, 2, 1, 1, 0]);
        assert_eq!(contest.time(7), Some(Duration::from_micros(310)), "of its one run");
    }

    #[test]
    fn one_slow_moment_puts_nobody_out_and_the_median_decides() {
        let (contest, _) = play(&[&[100, 100, 100, 100, 100], &[95, 900, 96, 900, 97]]);
        assert_eq!(contest.left(), 2);
        assert_eq!(contest.fastest(), Some(1), "97 is the median");
        let (contest, _) = play(&[&[100, 100, 100, 100, 100], &[95, 900, 900, 900, 97]]);
        assert_eq!(contest.fastest(), Some(0), "one fast time is not enough");
    }

    #[test]
    fn nobody_is_no_winner() {
        let mut contest = Contest::new([].into_iter());
        assert!(contest.seats().is_empty());
        contest.close_round();
        assert_eq!(contest.fastest(), None);
    }
}
