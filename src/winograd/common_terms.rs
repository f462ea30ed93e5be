//! The search for a short straight-line program: greedy extraction of two-term sub-expressions,
//! from several seeds.
//!
//! Each row of the matrix is a sum of terms `c * x`. A pair of terms that occurs in two rows or
//! more with the same ratio of coefficients becomes a new variable `x_i + ratio * x_j` (Potkonjak
//! et al. 1996, for sums with coefficients). Every occurrence but the first saves one operation, so
//! the pair of most occurrences is taken, until none occurs twice. On the matrices of points in
//! pairs +a and -a this finds by itself the even and the odd part that the pair's two rows share
//! (and whatever parts several pairs share), because their ratios are the ones that repeat. Ties
//! are broken by a fixed pseudo-random sequence; the shortest program of a fixed number of attempts
//! wins.

use super::{Matrix, Op, Program, Rational, Value, WinogradError};
use std::collections::HashMap;

/// Attempts with different tie-breaking. Over all algorithms of the tests, some 7,400 operations, 4
/// attempts are as short as 64 and 200 save 2 more; the rest of these 8 makes some programs
/// shallower.
const ATTEMPTS: u64 = 8;

/// Index of a variable: inputs first, then extracted pairs.
type Variable = u32;
/// Index of an interned coefficient, so that rows compare and hash as small integers.
type CoefficientId = u32;

/// A program for `matrix * x`; the first of the shortest ones met.
pub(super) fn shortest_program(matrix: &Matrix) -> Result<Program, WinogradError> {
    let mut coefficients = Coefficients::default();
    let rows: Vec<Row> = matrix
        .iter_rows()
        .map(|row| {
            let terms = (0..).zip(row).filter(|(_, c)| !c.is_zero());
            terms.map(|(variable, &c)| Term { variable, coefficient: coefficients.id(c) }).collect()
        })
        .collect();
    let mut best: Option<((usize, u32, usize), Program)> = None;
    for seed in 0..ATTEMPTS {
        let (pairs, reduced) = extract_pairs(matrix.cols(), rows.clone(), &mut coefficients, seed)?;
        let untied = pairs.is_empty();
        let program = write_program(matrix.cols(), &pairs, &reduced, &mut coefficients)?;
        let cost = (program.ops().len(), program.depth(), program.multiplications());
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, program));
        }
        if untied {
            break; // Nothing was shared, so another attempt would find the same.
        }
    }
    match best {
        Some((_, program)) => Ok(program),
        None => Program::new(matrix.cols(), vec![], vec![]),
    }
}

#[derive(Copy, Clone, Debug)]
struct Term {
    variable: Variable,
    coefficient: CoefficientId,
}

/// The terms of a row, by ascending variable.
type Row = Vec<Term>;

/// `first + ratio * second`, a new variable.
#[derive(Copy, Clone, Debug)]
struct Pair {
    first: Variable,
    second: Variable,
    ratio: CoefficientId,
}

/// Interned coefficients, and their ratios once computed: a search asks for the same few again and
/// again.
#[derive(Default)]
struct Coefficients {
    values: Vec<Rational>,
    ids: HashMap<Rational, CoefficientId>,
    /// By numerator, then denominator; as far as asked for, with gaps.
    ratios: Vec<Vec<Option<CoefficientId>>>,
}

impl Coefficients {
    fn id(&mut self, value: Rational) -> CoefficientId {
        *self.ids.entry(value).or_insert_with(|| {
            self.values.push(value);
            // There are fewer coefficients than entries met, far below 2^32.
            CoefficientId::try_from(self.values.len() - 1).unwrap_or(CoefficientId::MAX)
        })
    }

    fn value(&self, id: CoefficientId) -> Rational {
        self.values[id as usize]
    }

    /// `numerator / denominator`.
    fn ratio(&mut self, numerator: CoefficientId, denominator: CoefficientId) -> Result<CoefficientId, WinogradError> {
        let (row, col) = (numerator as usize, denominator as usize);
        if let Some(&Some(known)) = self.ratios.get(row).and_then(|ratios| ratios.get(col)) {
            return Ok(known);
        }
        let ratio = self.value(numerator).try_div(self.value(denominator))?;
        let id = self.id(ratio);
        if self.ratios.len() <= row {
            self.ratios.resize(row + 1, Vec::new());
        }
        if self.ratios[row].len() <= col {
            self.ratios[row].resize(col + 1, None);
        }
        self.ratios[row][col] = Some(id);
        Ok(id)
    }
}

/// Extracts pairs until none occurs in two rows; returns them and what is left of the rows.
fn extract_pairs(
    inputs: usize,
    mut rows: Vec<Row>,
    coefficients: &mut Coefficients,
    seed: u64,
) -> Result<(Vec<Pair>, Vec<Row>), WinogradError> {
    let mut pairs = Vec::new();
    let mut random = seed;
    let mut occurrences: Vec<(Variable, Variable, CoefficientId)> = Vec::new();
    loop {
        occurrences.clear();
        for row in &rows {
            for (i, a) in row.iter().enumerate() {
                for b in &row[i + 1..] {
                    let ratio = coefficients.ratio(b.coefficient, a.coefficient)?;
                    occurrences.push((a.variable, b.variable, ratio));
                }
            }
        }
        occurrences.sort_unstable();
        let runs = || occurrences.chunk_by(|a, b| a == b).filter(|run| run.len() > 1);
        let Some(most) = runs().map(<[_]>::len).max() else {
            return Ok((pairs, rows));
        };
        // Seed 0 takes the first of the best. Others draw among them, and now and then let a second
        // best go first.
        let draw = if seed == 0 { 0 } else { next_random(&mut random) };
        let least = if draw % 8 == 7 { (most - 1).max(2) } else { most };
        let tied = runs().filter(|run| run.len() >= least).count();
        let chosen = usize::try_from((draw >> 8) % (tied as u64)).unwrap_or(0);
        let Some(&(first, second, ratio)) = runs().filter(|run| run.len() >= least).nth(chosen).map(|run| &run[0])
        else {
            return Ok((pairs, rows));
        };
        let variable = Variable::try_from(inputs + pairs.len()).unwrap_or(Variable::MAX);
        pairs.push(replace_pair(&mut rows, Pair { first, second, ratio }, variable, coefficients)?);
    }
}

/// Puts `variable` in the place of a pair wherever it occurs, and returns the pair the way round
/// that was chosen.
fn replace_pair(
    rows: &mut [Row],
    pair: Pair,
    variable: Variable,
    coefficients: &mut Coefficients,
) -> Result<Pair, WinogradError> {
    let mut found = Vec::new();
    let mut units = [0; 2];
    for (i, row) in rows.iter().enumerate() {
        let at = |wanted| row.iter().position(|term: &Term| term.variable == wanted);
        if let (Some(a), Some(b)) = (at(pair.first), at(pair.second))
            && coefficients.ratio(row[b].coefficient, row[a].coefficient)? == pair.ratio
        {
            units[0] += plainness(coefficients.value(row[a].coefficient));
            units[1] += plainness(coefficients.value(row[b].coefficient));
            found.push((i, a, b));
        }
    }
    // Either term may keep the factor 1, and the new variable inherits that term's coefficients.
    // Ones among them make additions of later multiply-adds, so they decide; then the ratio that is
    // exact in binary.
    let one = coefficients.id(Rational::ONE);
    let inverse = coefficients.ratio(one, pair.ratio)?;
    let dyadic = |id| coefficients.value(id).is_dyadic();
    let swap = (units[1], dyadic(inverse)) > (units[0], dyadic(pair.ratio));
    for (i, a, b) in found {
        let coefficient = rows[i][if swap { b } else { a }].coefficient;
        rows[i].remove(b);
        rows[i].remove(a);
        // Variables are numbered in order, so the newest belongs at the end.
        rows[i].push(Term { variable, coefficient });
    }
    Ok(if swap { Pair { first: pair.second, second: pair.first, ratio: inverse } } else { pair })
}

/// How cheap a coefficient is: 1 is an addition and may start a row, -1 is a subtraction but starts
/// none for free.
fn plainness(c: Rational) -> usize {
    if c == Rational::ONE { 3 } else { 2 * usize::from(c.is_unit()) }
}

/// `SplitMix64` (Steele, Lea & Flood 2014).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes operations: first the pairs in order, then what is left of each row.
struct Writer {
    inputs: usize,
    ops: Vec<Op>,
    /// Operations on the longest way to the result of each operation.
    levels: Vec<u32>,
    scaled: HashMap<(Value, Rational), Value>,
}

fn write_program(
    inputs: usize,
    pairs: &[Pair],
    rows: &[Row],
    coefficients: &mut Coefficients,
) -> Result<Program, WinogradError> {
    let mut writer = Writer { inputs, ops: Vec::new(), levels: Vec::new(), scaled: HashMap::new() };
    for pair in pairs {
        let (x, y) = (writer.value(pair.first), writer.value(pair.second));
        writer.accumulate(x, (y, coefficients.value(pair.ratio)));
    }
    let rows: Vec<Vec<(Value, Rational)>> = rows
        .iter()
        .map(|row| row.iter().map(|t| (writer.value(t.variable), coefficients.value(t.coefficient))).collect())
        .collect();
    let outputs = rows.iter().map(|row| writer.sum(row, &rows)).collect();
    Program::new(inputs, writer.ops, outputs)
}

impl Writer {
    fn value(&self, variable: Variable) -> Value {
        let variable = variable as usize;
        // The pairs are the first operations, in order.
        variable.checked_sub(self.inputs).map_or(Value::Input(variable), Value::Temp)
    }

    fn level(&self, value: Value) -> u32 {
        match value {
            Value::Input(_) => 0,
            Value::Temp(i) => self.levels[i],
        }
    }

    fn push(&mut self, op: Op) -> Value {
        let (_, x, y) = op.parts();
        self.levels.push(1 + self.level(x).max(y.map_or(0, |y| self.level(y))));
        self.ops.push(op);
        Value::Temp(self.ops.len() - 1)
    }

    /// `sum + c * x`.
    fn accumulate(&mut self, sum: Value, (x, c): (Value, Rational)) -> Value {
        self.push(if c == Rational::ONE {
            Op::Add(sum, x)
        } else if c == Rational::MINUS_ONE {
            Op::Sub(sum, x)
        } else {
            Op::MulAdd(c, x, sum)
        })
    }

    /// A row's sum. Only a row of two terms or more without any unit coefficient, or a lone term
    /// with a coefficient, costs an operation beyond one for each term after the first.
    fn sum(&mut self, row: &[(Value, Rational)], rows: &[Vec<(Value, Rational)>]) -> Value {
        let mut rest = row.to_vec();
        // Deep values last, so that a row waits for them as little as possible.
        rest.sort_by_key(|&(x, _)| self.level(x));
        let position = |rest: &[(Value, Rational)], wanted| rest.iter().position(|&(_, c)| c == wanted);
        let start = if rest.is_empty() {
            self.push(Op::Scale(Rational::ZERO, Value::Input(0)))
        } else if let Some(i) = position(&rest, Rational::ONE) {
            rest.remove(i).0
        } else if let (Some(i), true) = (position(&rest, Rational::MINUS_ONE), rest.len() > 1) {
            let (subtracted, _) = rest.remove(i);
            let (x, c) = rest.remove(0);
            self.push(Op::MulSub(c, x, subtracted))
        } else {
            self.scaled_start(&mut rest, rows)
        };
        rest.into_iter().fold(start, |sum, term| self.accumulate(sum, term))
    }

    /// The first term of a row that has no unit coefficient: a product that is already there (or
    /// its negative), else the one that most rows can share.
    fn scaled_start(&mut self, rest: &mut Vec<(Value, Rational)>, rows: &[Vec<(Value, Rational)>]) -> Value {
        if let Some(i) = rest.iter().position(|term| self.scaled.contains_key(term)) {
            return self.scaled[&rest.remove(i)];
        }
        let negative = |&(x, c): &(Value, Rational)| (x, -c);
        if rest.len() > 1
            && let Some(i) = rest.iter().position(|term| self.scaled.contains_key(&negative(term)))
        {
            let subtracted = self.scaled[&negative(&rest.remove(i))];
            let (x, c) = rest.remove(0);
            return self.push(Op::MulSub(c, x, subtracted));
        }
        let needy = |row: &&Vec<(Value, Rational)>| !row.iter().any(|(_, c)| c.is_unit());
        let users = |term: &(Value, Rational)| {
            rows.iter().filter(needy).filter(|row| row.contains(term) || row.contains(&negative(term))).count()
        };
        // The first of the most shared: `max_by_key` would take the last.
        let most = rest.iter().map(users).max().unwrap_or(0);
        let i = rest.iter().position(|term| users(term) == most).unwrap_or(0);
        let (x, c) = rest.remove(i);
        let value = self.push(Op::Scale(c, x));
        self.scaled.insert((x, c), value);
        value
    }
}
