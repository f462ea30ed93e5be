//! Exact tests of the whole module: proofs of the algorithms and of their programs, and operation
//! counts as data.

use super::rounding_tests::Random;
use super::{F, Matrix, Op, Points, Program, Programs, Rational, Transform};

const FAMILIES: [Points; 3] = [Points::Default, Points::Textbook, Points::Quadratic];

/// Every algorithm up to the size that 128 bits and the point sequences are meant for, trivial ones
/// included.
fn grid() -> impl Iterator<Item = F> {
    let sizes = (1..=8).flat_map(|m| (1..=8).map(move |r| (m, r))).filter(|(m, r)| m + r <= 11);
    sizes.flat_map(|(m, r)| FAMILIES.map(|points| F::with_points(m, r, points))).filter(|f| f.points_used().is_ok())
}

#[test]
fn every_identity_is_proved() {
    for f in F::shipped().iter().copied().chain(grid()) {
        let transform = f.transform().unwrap_or_else(|e| panic!("{f}: {e}"));
        let sizes = |m: &Matrix| (m.rows(), m.cols());
        assert_eq!(sizes(&transform.a_t), (f.m().into(), f.products()), "{f}");
        assert_eq!(sizes(&transform.g), (f.products(), f.r().into()), "{f}");
        assert_eq!(sizes(&transform.b_t), (f.products(), f.span()), "{f}");
        transform.verify().unwrap_or_else(|e| panic!("{f}: {e}"));
    }
}

#[test]
fn the_largest_sizes_work_or_say_why_not() {
    for (m, r) in [(10, 3), (12, 3), (13, 2), (7, 7), (8, 7), (9, 8), (16, 16), (255, 255), (2, 255), (0, 0)] {
        for f in FAMILIES.map(|points| F::with_points(m, r, points)) {
            let proof = f.transform().and_then(|transform| transform.verify());
            assert!(proof.is_ok() || m == 0 || f.finite_points() > 11, "{f}: {proof:?}");
            assert!(f.programs().is_ok() || f.transform().is_err(), "{f}");
        }
    }
}

#[test]
fn every_program_is_its_matrix_and_never_longer() {
    for f in F::shipped().iter().copied().chain(grid()) {
        let (transform, programs) = (f.transform().unwrap(), f.programs().unwrap());
        for (matrix, program) in
            [(&transform.b_t, &programs.input), (&transform.g, &programs.filter), (&transform.a_t, &programs.output)]
        {
            assert_eq!(&program.to_matrix().unwrap(), matrix, "{f}");
            assert!(program.adds_and_fmas() <= matrix.non_zeros() - matrix.rows(), "{f}");
            let abs = program.abs_matrix().unwrap();
            let entries = abs.iter_rows().flatten().zip(matrix.iter_rows().flatten());
            assert!(entries.into_iter().all(|(bound, entry)| *bound >= entry.abs()), "{f}");
        }
    }
}

#[test]
fn programs_of_odd_matrices_are_right() {
    let mut random = Random(7);
    for size in 0..200_usize {
        let (rows, cols) = (1 + size % 5, 1 + size % 7);
        let entries = (0..rows * cols).map(|_| {
            let numerator = i128::from(random.next() % 7) - 3;
            Rational::new(numerator, 1 + i128::from(random.next() % 3)).unwrap()
        });
        let matrix = Matrix::new(rows, cols, entries.collect()).unwrap();
        let program = Program::from_matrix(&matrix).unwrap();
        assert_eq!(program.to_matrix().unwrap(), matrix);
        assert_eq!(Program::from_matrix(&matrix).unwrap(), program, "the search is not deterministic");
    }
    let zero = Matrix::new(1, 2, vec![Rational::ZERO; 2]).unwrap();
    assert_eq!(Program::from_matrix(&zero).unwrap().ops(), [Op::Scale(Rational::ZERO, super::Value::Input(0))]);
    // Ratios that do not fit are an error.
    let huge = [i128::MAX, i128::MAX - 1].map(|n| Rational::new(1, n).unwrap());
    let matrix = Matrix::new(1, 2, vec![huge[0], Rational::new(i128::MAX - 2, 1).unwrap()]).unwrap();
    assert!(Program::from_matrix(&matrix).is_err(), "{huge:?}");
}

#[test]
fn trivial_programs_do_nothing_needless() {
    let programs = F::new(4, 1).programs().unwrap();
    assert!([&programs.input, &programs.filter, &programs.output].iter().all(|p| p.ops().is_empty()));
    let programs = F::new(1, 3).programs().unwrap();
    assert_eq!(programs.output.ops().len(), 2);
    assert!(programs.input.ops().is_empty() && programs.filter.ops().is_empty());
}

/// Additions and fused multiply-adds of B^T, A^T and G at most: the numerics study, section 4,
/// where it has a number. The last number of each row is what we have for scales of (B^T, A^T, G),
/// so that none creeps in.
type Counts = (F, usize, usize, Option<usize>, [usize; 3]);

const COUNTS: [Counts; 18] = [
    (F::new(2, 3), 4, 4, Some(3), [0, 0, 2]),
    (F::textbook(3, 3), 9, 7, Some(5), [0, 0, 4]),
    (F::new(3, 3), 10, 9, Some(6), [0, 1, 1]),
    (F::textbook(4, 3), 12, 10, Some(6), [0, 0, 3]),
    (F::new(4, 3), 12, 11, Some(6), [0, 2, 3]),
    (F::quadratic(4, 3), 10, 10, None, [0, 0, 4]),
    (F::new(6, 3), 24, 20, Some(9), [0, 0, 4]),
    (F::quadratic(6, 3), 24, 20, None, [0, 0, 5]),
    (F::new(2, 5), 12, 8, Some(10), [0, 0, 3]),
    (F::new(4, 5), 24, 16, Some(15), [0, 0, 4]),
    (F::new(2, 7), 24, 12, Some(21), [0, 0, 4]),
    (F::new(4, 7), 40, 23, Some(28), [0, 2, 5]),
    (F::new(8, 3), 40, 39, Some(12), [0, 6, 5]),
    (F::quadratic(4, 5), 24, 16, None, [0, 0, 5]),
    (F::quadratic(2, 7), 24, 12, None, [0, 0, 5]),
    (F::quadratic(4, 7), 32, 22, None, [0, 0, 6]),
    (F::quadratic(8, 3), 32, 30, None, [0, 0, 6]),
    // Not in the study: held where they are.
    (F::new(5, 3), 21, 17, Some(9), [0, 3, 3]),
];

#[test]
fn operation_counts_hold() {
    for (f, input, output, filter, scales) in COUNTS {
        assert_counts(f, &f.programs().unwrap(), (input, output, filter), scales);
    }
    // Barabasz's points for F(4,3), which are no pairs throughout.
    let points = [(0, 1), (1, 1), (-1, 1), (1, 2), (-2, 1)].map(|(n, d)| Rational::new(n, d).unwrap());
    let transform = Transform::from_points(4, 3, &points, false).unwrap();
    transform.verify().unwrap();
    assert_counts(transform.f, &Programs::new(&transform).unwrap(), (16, 12, Some(7)), [1, 0, 4]);
}

fn assert_counts(f: F, programs: &Programs, most: (usize, usize, Option<usize>), scales: [usize; 3]) {
    let (input, output, filter) = (&programs.input, &programs.output, &programs.filter);
    assert!(input.adds_and_fmas() <= most.0, "{f}: B^T takes {}", input.adds_and_fmas());
    assert!(output.adds_and_fmas() <= most.1, "{f}: A^T takes {}", output.adds_and_fmas());
    assert!(most.2.is_none_or(|g| filter.adds_and_fmas() <= g), "{f}: G takes {}", filter.adds_and_fmas());
    let found = [input, output, filter].map(Program::scales);
    assert!(found.iter().zip(scales).all(|(found, most)| *found <= most), "{f}: scales {found:?}");
}
