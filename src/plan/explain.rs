//! A plan in words: what it will run, what that takes, and what became of the other candidates.

use std::fmt;

use super::device::units_pay;
use super::{Candidate, Cut, Dispatch, Plan, Verdict, register_limit};
use crate::kernel::{KernelSpec, Products, UnitCut};

/// Steps of the CPU's kernels that are listed one by one: a transposed convolution has one for each phase.
const MOST_CPU_STEPS: usize = 4;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.problem)?;
        writeln!(f, "  on {}", self.caps)?;
        writeln!(
            f,
            "  asked: {}, workspace at most {}",
            self.preferences.tolerance,
            Bytes(self.preferences.workspace_limit)
        )?;
        writeln!(
            f,
            "  {}, blocking {}: expected error {:.1e}, workspace {}, packed weights {}",
            self.algorithm,
            self.cut,
            self.expected_error(),
            Bytes(self.workspace_bytes()),
            Bytes(self.packed_bytes()),
        )?;
        writeln!(f, "  chosen {}", self.origin)?;
        self.matrix_units(f)?;
        if self.step_count() == 0 {
            writeln!(f, "  no dispatch: the output is empty")?;
        }
        if let Some(why) = self.twins() {
            writeln!(f, "  by the shaders' twins, on one thread: {why}")?;
        }
        // Each kernel's first dispatch stands for the others.
        let kernels = self.kernels();
        for kernel in &kernels {
            for dispatch in self.dispatches.iter().filter(|dispatch| dispatch.kernel == *kernel).take(1) {
                writeln!(f, "    {dispatch}")?;
            }
            self.work(kernel, f)?;
        }
        if self.dispatches.len() > kernels.len() {
            writeln!(f, "    ... {} dispatches in all", self.dispatches.len())?;
        }
        for step in self.cpu_steps.iter().take(MOST_CPU_STEPS) {
            writeln!(f, "    {step}")?;
        }
        if self.cpu_steps.len() > MOST_CPU_STEPS {
            writeln!(f, "    ... {} steps in all", self.cpu_steps.len())?;
        }
        writeln!(f, "  candidates:")?;
        for candidate in &self.candidates {
            writeln!(f, "    {candidate}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// A line with what becomes of matrix units, on a device that has them.
    fn matrix_units(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.caps.matrix_units {
            return Ok(());
        }
        let reason = || match Products::ALL.map(|products| units_pay(&self.caps, products)) {
            [Err(why), Err(_)] => why,
            [_, Err(why)] => why,
            _ => "slower by estimate, or not within the tolerance",
        };
        match self.cut {
            Cut::Units(UnitCut { blocking, .. }) if blocking.products() == Products::One => {
                writeln!(f, "  matrix units: factors rounded to 11 bits, as in TF32")
            }
            Cut::Units(_) => writeln!(f, "  matrix units: three products of 16-bit halves for each of f32"),
            _ => writeln!(f, "  matrix units not used: {}", reason()),
        }
    }

    /// A line with what a kernel does in a run, and what an invocation of it needs.
    fn work(&self, kernel: &KernelSpec, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A plan's kernels have transforms.
        let Ok(counts) = self.counts(kernel) else { return Ok(()) };
        write!(f, "      {}, {} through storage", Flops(counts.flops()), Bytes(counts.storage.bytes()))?;
        if counts.workgroup.bytes() > 0 {
            let bytes = Bytes(counts.workgroup.bytes());
            write!(f, ", {bytes} through workgroup memory, {} barriers", counts.barriers)?;
        }
        write!(f, ", needs about {} registers", kernel.registers())?;
        match register_limit(self.caps.kind, kernel.workgroup_size()) {
            Some(limit) => writeln!(f, " of {limit}"),
            None => writeln!(f),
        }
    }
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.grid;
        write!(f, "{} grid {x} x {y} x {z} of {}", self.kernel, self.kernel.workgroup_size())?;
        if self.kernel.workgroup_bytes() > 0 {
            write!(f, ", {} of workgroup memory", Bytes(self.kernel.workgroup_bytes().into()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Candidate {
    #[expect(clippy::cast_precision_loss, reason = "printed with three digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<28} {}", self.algorithm.to_string(), self.verdict)?;
        if let (Verdict::Chosen | Verdict::Slower | Verdict::Overruled, Some(ns), Some(bytes)) =
            (&self.verdict, self.estimate_ns, self.workspace_bytes)
        {
            write!(f, ": about {:.3} ms, workspace {}", ns as f64 / 1e6, Bytes(bytes))?;
        }
        Ok(())
    }
}

/// A number of bytes in the largest unit that leaves it at least 1.
struct Bytes(u64);

impl fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        match bytes {
            0..1024 => write!(f, "{bytes} B"),
            1024..1_048_576 => write!(f, "{:.1} KiB", bytes as f64 / 1024.0),
            1_048_576..1_073_741_824 => write!(f, "{:.1} MiB", bytes as f64 / 1_048_576.0),
            _ => write!(f, "{:.1} GiB", bytes as f64 / 1_073_741_824.0),
        }
    }
}

/// A number of floating-point operations, with the prefix that leaves it at least 1.
struct Flops(u64);

impl fmt::Display for Flops {
    #[expect(clippy::cast_precision_loss, reason = "printed with two decimals")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(flops) = *self;
        match flops {
            0..1_000_000 => write!(f, "{flops} flop"),
            1_000_000..1_000_000_000 => write!(f, "{:.2} Mflop", flops as f64 / 1e6),
            _ => write!(f, "{:.2} Gflop", flops as f64 / 1e9),
        }
    }
}
