//! From points to matrices: the Toom-Cook construction of F(m, r), over exact rationals, with its
//! proof. A linear convolution is evaluated at points, multiplied pointwise and interpolated
//! (Chinese remainder theorem, moduli `x - a`, infinity, and perhaps `x^2 + 1`); transposing it
//! gives the correlation that networks compute.

use super::polynomial::Polynomial;
use super::{F, Matrix, Points, Rational, WinogradError};

/// The matrices of one F(m, r): `Y = A^T [ (G g) . (B^T d) ]`, exactly `y_i = sum_j d_(i+j) g_j`.
///
/// The products come in the order of the finite points, then infinity, then the three of `x^2 + 1`
/// if it is used. Rows of `b_t` are monic (their last non-zero entry is 1) and columns of `a_t` are
/// plain powers of the points; all scales live in `g`, which is applied once per set of weights. So
/// dyadic points make `a_t` and `b_t` dyadic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    /// The algorithm these matrices belong to. For [`Transform::from_points`] its points are only
    /// nominal.
    pub f: F,
    /// Output transform, m x products.
    pub a_t: Matrix,
    /// Filter transform, products x r.
    pub g: Matrix,
    /// Input transform, products x span.
    pub b_t: Matrix,
}

/// One product: its column of A^T, its row of G, its row of B^T.
struct Product {
    output: Vec<Rational>,
    filter: Vec<Rational>,
    input: Vec<Rational>,
}

impl Product {
    /// Makes the row of B^T monic, and G's row carry the scale.
    fn new(
        output: Vec<Rational>,
        filter: &[Rational],
        input: &Polynomial,
        scale: Rational,
        span: usize,
    ) -> Result<Self, WinogradError> {
        let leading = input.leading();
        let scale = scale.try_mul(leading)?;
        let filter = filter.iter().map(|c| c.try_mul(scale)).collect::<Result<_, _>>()?;
        let input = input.coefficients(span).iter().map(|c| c.try_div(leading)).collect::<Result<_, _>>()?;
        Ok(Self { output, filter, input })
    }
}

/// `1, point, point^2, ...`
fn powers(point: Rational, len: usize) -> Result<Vec<Rational>, WinogradError> {
    let mut power = Rational::ONE;
    let mut row = vec![power; len];
    for entry in row.iter_mut().skip(1) {
        power = power.try_mul(point)?;
        *entry = power;
    }
    Ok(row)
}

/// `constant + linear * x` read at `x = i` for `1, x, x^2, ...`: real part, imaginary part, and
/// their sum, which are the three factors of Karatsuba's product modulo `x^2 + 1`.
fn quadratic_rows(len: usize) -> [Vec<Rational>; 3] {
    let at = |table: [i64; 4]| (0..len).map(|power| Rational::from(table[power % 4])).collect();
    [at([1, 0, -1, 0]), at([0, 1, 0, -1]), at([1, 1, -1, -1])]
}

impl Transform {
    /// The matrices of a named algorithm.
    ///
    /// # Errors
    /// The algorithm is empty, needs more points than there are sequences for, or its numbers
    /// overflow.
    pub fn new(f: F) -> Result<Self, WinogradError> {
        let transform = Self::from_points(
            usize::from(f.m()),
            usize::from(f.r()),
            &f.points_used()?,
            f.points() == Points::Quadratic,
        )?;
        Ok(Self { f, ..transform })
    }

    /// The matrices for any finite points, infinity being used besides, and `x^2 + 1` too if
    /// `quadratic`. There must be `m + r - 2` of them, two fewer with `quadratic`; with m = 1 or r
    /// = 1 there must be none, for then the algorithm is the plain inner product or the identity.
    ///
    /// # Errors
    /// The algorithm is empty or too large, the number of points is wrong, a point comes twice, or
    /// a number overflows.
    pub fn from_points(m: usize, r: usize, finite: &[Rational], quadratic: bool) -> Result<Self, WinogradError> {
        let (Ok(small_m @ 1..), Ok(small_r @ 1..)) = (u8::try_from(m), u8::try_from(r)) else {
            return Err(WinogradError::EmptyAlgorithm { m, r });
        };
        if quadratic && (m < 2 || r < 2) {
            return Err(WinogradError::QuadraticTooSmall { m, r });
        }
        let f = if quadratic { F::quadratic(small_m, small_r) } else { F::new(small_m, small_r) };
        let needed = f.finite_points();
        if finite.len() != needed {
            return Err(WinogradError::PointCount { needed, given: finite.len() });
        }
        if let Some((_, &point)) = finite.iter().enumerate().find(|(i, point)| finite[..*i].contains(point)) {
            return Err(WinogradError::DuplicatePoint { point });
        }
        if m == 1 || r == 1 {
            return Ok(Self {
                f,
                a_t: if r == 1 { Matrix::identity(m)? } else { Matrix::ones(1, r)? },
                g: if r == 1 { Matrix::ones(m, 1)? } else { Matrix::identity(r)? },
                b_t: Matrix::identity(m.max(r))?,
            });
        }
        let products = products(m, r, finite, quadratic)?;
        let columns: Vec<_> = products.iter().map(|p| p.output.clone()).collect();
        let filter: Vec<_> = products.iter().map(|p| p.filter.clone()).collect();
        let input: Vec<_> = products.into_iter().map(|p| p.input).collect();
        Ok(Self {
            f,
            a_t: Matrix::from_rows(&columns)?.transpose(),
            g: Matrix::from_rows(&filter)?,
            b_t: Matrix::from_rows(&input)?,
        })
    }

    /// Proves the algorithm: with unit vectors for weights and input, every output is what the
    /// correlation says. Both sides are bilinear, so that is the identity for all data; the
    /// arithmetic is exact.
    ///
    /// # Errors
    /// The first pair of unit vectors for which it fails, sizes that do not fit, or an overflow.
    pub fn verify(&self) -> Result<(), WinogradError> {
        let products = self.b_t.rows();
        for (what, found) in [("columns of A^T", self.a_t.cols()), ("rows of G", self.g.rows())] {
            if found != products {
                return Err(WinogradError::SizeMismatch { what, expected: products, found });
            }
        }
        let span = self.a_t.rows() + self.g.cols() - 1;
        if self.b_t.cols() != span {
            return Err(WinogradError::SizeMismatch { what: "columns of B^T", expected: span, found: self.b_t.cols() });
        }
        for (output, a) in self.a_t.iter_rows().enumerate() {
            for weight in 0..self.g.cols() {
                for input in 0..span {
                    let mut found = Rational::ZERO;
                    for ((&a, g), b) in a.iter().zip(self.g.iter_rows()).zip(self.b_t.iter_rows()) {
                        found = found.try_add(a.try_mul(g[weight].try_mul(b[input])?)?)?;
                    }
                    let expected = if input == output + weight { Rational::ONE } else { Rational::ZERO };
                    if found != expected {
                        return Err(WinogradError::IdentityViolated { output, weight, input, found });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The products of a non-trivial algorithm, in the order that [`Transform`] documents.
fn products(m: usize, r: usize, finite: &[Rational], quadratic: bool) -> Result<Vec<Product>, WinogradError> {
    let span = m + r - 1;
    let mut moduli: Vec<Polynomial> = finite.iter().map(|&point| Polynomial::root(point)).collect();
    if quadratic {
        moduli.push(Polynomial::quadratic());
    }
    let product_without = |skipped: usize| {
        let kept = moduli.iter().enumerate().filter(|&(i, _)| i != skipped);
        kept.map(|(_, modulus)| modulus).try_fold(Polynomial::one(), |product, modulus| product.mul(modulus))
    };
    let mut products = Vec::with_capacity(span + 1);
    for (i, &point) in finite.iter().enumerate() {
        // Lagrange: the other moduli's product, divided by its value at the point.
        let others = product_without(i)?;
        let scale = others.eval(point)?.try_recip()?;
        products.push(Product::new(powers(point, m)?, &powers(point, r)?, &others, scale, span)?);
    }
    // Infinity: the leading coefficients' product, times the product of all finite moduli.
    let last = |len: usize| {
        let mut unit = vec![Rational::ZERO; len];
        unit[len - 1] = Rational::ONE;
        unit
    };
    products.push(Product::new(last(m), &last(r), &product_without(moduli.len())?, Rational::ONE, span)?);
    if quadratic {
        let others = product_without(finite.len())?;
        // The inverse of u + v x modulo x^2 + 1 is its conjugate over its norm.
        let (u, v) = others.modulo_quadratic()?;
        let norm = u.try_mul(u)?.try_add(v.try_mul(v)?)?;
        let inverse = Polynomial::linear(u.try_div(norm)?, (-v).try_div(norm)?);
        // (p0 - p1) + (p2 - p0 - p1) x with p0, p1, p2 the products of the real parts, of the
        // imaginary parts and of the sums: so p0 comes with 1 - x, p1 with -1 - x, p2 with x.
        let weights = [(1, -1), (-1, -1), (0, 1)];
        for ((constant, linear), (output, filter)) in
            weights.into_iter().zip(quadratic_rows(m).into_iter().zip(quadratic_rows(r)))
        {
            let weight = Polynomial::linear(Rational::from(constant), Rational::from(linear));
            let (constant, linear) = weight.mul(&inverse)?.modulo_quadratic()?;
            let input = others.mul(&Polynomial::linear(constant, linear))?;
            products.push(Product::new(output, &filter, &input, Rational::ONE, span)?);
        }
    }
    Ok(products)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(entries: &[&[i64]]) -> Matrix {
        let rows: Vec<Vec<_>> = entries.iter().map(|row| row.iter().copied().map(Rational::from).collect()).collect();
        Matrix::from_rows(&rows).unwrap()
    }

    #[test]
    fn f2x3_is_lavins_up_to_signs() {
        let t = Transform::new(F::new(2, 3)).unwrap();
        assert_eq!(t.b_t, rows(&[&[-1, 0, 1, 0], &[0, 1, 1, 0], &[0, -1, 1, 0], &[0, -1, 0, 1]]));
        assert_eq!(t.a_t, rows(&[&[1, 1, 1, 0], &[0, 1, -1, 1]]));
        assert_eq!(t.g.to_string(), " -1     0    0\n1/2   1/2  1/2\n1/2  -1/2  1/2\n  0     0    1");
    }

    /// The numerics study, section 3.5. Its rows of B^T are multiples of ours, its A^T the
    /// same.
    #[test]
    fn quadratic_f4x3_is_the_published_one() {
        let t = Transform::new(F::quadratic(4, 3)).unwrap();
        let a_t = rows(&[
            &[1, 1, 1, 0, 1, 0, 1],
            &[0, 1, -1, 0, 0, 1, 1],
            &[0, 1, 1, 0, -1, 0, -1],
            &[0, 1, -1, 1, 0, -1, -1],
        ]);
        let b_t = rows(&[
            &[1, 0, 0, 0, -1, 0],
            &[0, 1, 1, 1, 1, 0],
            &[0, -1, 1, -1, 1, 0],
            &[0, -1, 0, 0, 0, 1],
            &[0, -1, -1, 1, 1, 0],
            &[0, -1, 1, 1, -1, 0],
            &[0, 1, 0, -1, 0, 0],
        ]);
        assert_eq!(t.a_t, a_t);
        for (ours, published) in t.b_t.iter_rows().zip(b_t.iter_rows()) {
            let negated: Vec<_> = published.iter().map(|&entry| -entry).collect();
            assert!(ours == published || ours == negated, "{ours:?} is not +-{published:?}");
        }
        assert!(t.b_t.iter_rows().flatten().all(|e| e.is_zero() || e.is_unit()));
    }

    #[test]
    fn dyadic_points_keep_both_data_transforms_dyadic() {
        for f in F::shipped() {
            let t = Transform::new(*f).unwrap();
            assert!(t.a_t.is_dyadic() && t.b_t.is_dyadic(), "{f}");
        }
    }

    #[test]
    fn trivial_algorithms() {
        let inner = Transform::new(F::new(1, 3)).unwrap();
        assert_eq!((inner.a_t.to_string(), inner.g), ("1  1  1".into(), Matrix::identity(3).unwrap()));
        let identity = Transform::new(F::new(4, 1)).unwrap();
        assert_eq!((identity.a_t, identity.b_t), (Matrix::identity(4).unwrap(), Matrix::identity(4).unwrap()));
    }

    #[test]
    fn bad_points_are_errors() {
        let points = [0, 1, 1].map(Rational::from);
        assert_eq!(
            Transform::from_points(2, 3, &points, false),
            Err(WinogradError::DuplicatePoint { point: Rational::ONE })
        );
        assert_eq!(
            Transform::from_points(2, 3, &points[..2], false),
            Err(WinogradError::PointCount { needed: 3, given: 2 })
        );
        assert!(Transform::from_points(0, 3, &[], false).is_err());
        assert!(Transform::from_points(1000, 3, &[], false).is_err());
        assert!(Transform::from_points(1, 3, &[], true).is_err());
        assert!(Transform::new(F::new(4, 0)).is_err());
        assert!(Transform::new(F::new(255, 255)).is_err());
    }

    #[test]
    fn a_wrong_matrix_is_caught() {
        let mut t = Transform::new(F::new(2, 3)).unwrap();
        t.g = t.g.abs();
        assert!(matches!(t.verify(), Err(WinogradError::IdentityViolated { .. })));
        t.g = Matrix::identity(4).unwrap();
        assert!(matches!(t.verify(), Err(WinogradError::SizeMismatch { .. })));
    }
}
