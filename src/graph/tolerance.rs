//! A tolerance for the outputs of a network: shared out among its convolutions, measured, and kept.

use super::Graph;
use super::compile::{Program, Step, Work};
use super::format::Element;
use super::network::Network;
use super::options::NetworkOptions;
use super::refusal::{Refusal, refusal};
use crate::device::Device;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::plan::{Algorithm, Preferences, Tolerance};
use crate::winograd::error_bound::expected_rounding_error;

/// How often a tolerance is shared out, and the part of what convolutions had that they have then, at least and at most.
const TURNS: usize = 6;
const LEAST_PART: f64 = 0.1;
const MOST_PART: f64 = 0.5;

/// The preferences of each of a program's convolutions.
///
/// # Errors
/// A tolerance that is less than what storage takes.
pub(super) fn shared_out(options: &NetworkOptions, program: &Program) -> Result<Preferences> {
    let Some(tolerance) = options.tolerance else { return Ok(options.preferences) };
    let storage = program.storage();
    let is_rounded = |step: &&Step| program.stored.element(step.output.buffer) == Element::F16;
    let is_conv = |step: &&Step| matches!(step.work, Work::Conv(_));
    // Weights are rounded, too. What a plan expects is with the rounding of its own result, and without that of others.
    let stored = if storage == DType::F32 { 0.0 } else { expected_rounding_error(storage.unit_roundoff()) };
    let (tensors, convs) = (program.steps.iter().filter(is_rounded), program.steps.iter().filter(is_conv));
    #[expect(clippy::cast_precision_loss, reason = "counts of steps")]
    let [rounded, convs] = [tensors.count() + convs.clone().count(), convs.count()].map(|n| n as f64);
    let least = stored * rounded.sqrt();
    // Not so for NaN.
    if tolerance.is_finite() && tolerance > least {
        let of_each = options.part * ((tolerance.powi(2) - least.powi(2)) / convs.max(1.0)).sqrt();
        return Ok(options.preferences.tolerance(Tolerance::RelativeL2(of_each.hypot(stored))));
    }
    let refusal = refusal!(
        "a tolerance of {tolerance:e}, expected a finite one above {least:.1e}, which rounding to {storage} takes"
    );
    Err(refusal.of("the graph".to_owned(), "output").into())
}

impl Network {
    /// The same, with [the tolerance](NetworkOptions::tolerance) kept on these inputs: while an output is farther from the exact one,
    /// less is admitted of each convolution, and the network is compiled again, a few times. What formats round away is not counted.
    ///
    /// ```
    /// use winoconv::graph::{Graph, Network, NetworkOptions};
    /// use winoconv::{Conv, Device};
    ///
    /// let mut net = Graph::new();
    /// let x = net.input("x", [1, 1, 8, 8])?;
    /// let y = net.conv(x, Conv::new(1, 1, [3, 3]).padding(1), vec![1.0 / 9.0; 9], [])?;
    /// net.output("y", y)?;
    /// let options = NetworkOptions::new().tolerance(2e-3);
    /// let picture = vec![0.5; 64];
    /// let network = Network::within_tolerance_blocking(&Device::cpu(), &net, options, &[&picture])?;
    /// assert!(network.errors_blocking(&[&picture])?[0] <= 2e-3);
    /// # Ok::<(), winoconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`GraphError`](crate::error::GraphError) if there is no tolerance, or none that is shared out keeps it; as [`Self::new`] and
    /// [`Self::run`].
    pub async fn within_tolerance(
        device: &Device,
        graph: &Graph,
        options: NetworkOptions,
        inputs: &[&[f32]],
    ) -> Result<Self> {
        let refused = |refusal: Refusal| refusal.of("the graph".to_owned(), "output");
        let asked = options.tolerance.ok_or_else(|| refused(refusal!("no tolerance, expected one to be kept")))?;
        let exact = Self::exact(graph, inputs).await?;
        let mut found = f64::NAN;
        let mut shared = options.clone();
        for turn in 0..TURNS {
            // What formats round away is not the network's.
            let network = match Self::new(device, graph, shared.clone().plain()).await {
                // No algorithm is as exact as what is left.
                Err(Error::NoPlan(_)) if turn > 0 => break,
                network => network?,
            };
            let of_outputs = network.run(inputs).await?;
            let errors = of_outputs.iter().zip(&exact).map(|(found, exact)| relative_l2(found, exact));
            found = errors.fold(0.0, |most: f64, of| if of > most || of.is_nan() { of } else { most });
            if found <= asked {
                return if shared == shared.clone().plain() {
                    Ok(network)
                } else {
                    Self::new(device, graph, shared).await
                };
            }
            if !found.is_finite() {
                break;
            }
            // At most half of it: errors need not shrink in proportion.
            shared.part *= (asked / found).clamp(LEAST_PART, MOST_PART);
        }
        Err(refused(refusal!("an output is {found:e} from the exact one, expected at most {asked:e}")).into())
    }

    /// How far each output is from the exact one on these inputs, relative to its size (L2), with what [formats](NetworkOptions::output)
    /// round away. The exact one is what the CPU computes in f32 without transforms.
    ///
    /// # Errors
    /// As [`Self::new`] and [`Self::run`].
    pub async fn errors(&self, inputs: &[&[f32]]) -> Result<Vec<f64>> {
        let found = self.run(inputs).await?;
        let exact = Self::exact(&self.graph, inputs).await?;
        Ok(found.iter().zip(&exact).map(|(found, exact)| relative_l2(found, exact)).collect())
    }

    async fn exact(graph: &Graph, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let preferences = Preferences::new().algorithm(Algorithm::ImplicitGemm);
        Self::new(&Device::cpu(), graph, preferences).await?.run(inputs).await
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Network {
    /// As [`Self::within_tolerance`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn within_tolerance_blocking(
        device: &Device,
        graph: &Graph,
        options: NetworkOptions,
        inputs: &[&[f32]],
    ) -> Result<Self> {
        pollster::block_on(Self::within_tolerance(device, graph, options, inputs))
    }

    /// As [`Self::errors`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn errors_blocking(&self, inputs: &[&[f32]]) -> Result<Vec<f64>> {
        pollster::block_on(self.errors(inputs))
    }
}

/// The distance of two tensors, relative to the second one's size.
fn relative_l2(found: &[f32], exact: &[f32]) -> f64 {
    let (mut off, mut size) = (0.0, 0.0);
    for (&found, &exact) in found.iter().zip(exact) {
        off += (f64::from(found) - f64::from(exact)).powi(2);
        size += f64::from(exact).powi(2);
    }
    if off == 0.0 { 0.0 } else { (off / size).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv;
    use crate::graph::compile::{Stored, simplified};
    use crate::graph::{Graph, Pool};

    /// A chain of three convolutions with a pooling, on a GPU that stores halves.
    fn shared_out(tolerance: f64) -> Result<Preferences> {
        let mut net = Graph::new();
        let mut x = net.input("x", [1, 4, 8, 8])?;
        for _ in 0..3 {
            x = net.conv(x, Conv::new(4, 4, [3, 3]), vec![0.1; 144], [])?;
        }
        let x = net.pool(x, Pool::max([2, 2]))?;
        net.output("y", x)?;
        let simple = simplified(&net)?;
        let stored = Stored { dtype: DType::F16, ..Stored::plain(&simple) };
        super::shared_out(&NetworkOptions::new().tolerance(tolerance), &Program::of_simplified(&simple, stored))
    }

    #[test]
    fn a_tolerance_is_shared_out() {
        // 0.42 / 2048 a tensor: the input, three results, the pooled one, and three times weights. The output is of f32.
        let stored = 0.42 / 2048.0;
        assert_eq!(
            shared_out(2.0 * stored).expect_err("too little").to_string(),
            "the graph (output): a tolerance of 4.1015625e-4, expected a finite one above 5.8e-4, which rounding to f16 takes"
        );
        let Tolerance::RelativeL2(each) = shared_out(1e-2).expect("enough").tolerance else { panic!("not relative") };
        let whole = (3.0 * each.powi(2) + 5.0 * stored.powi(2)).sqrt();
        assert!((whole - 1e-2).abs() < 1e-12, "{each}");
    }
}
