//! Twin of `shaders/kernel/dot.wgsl`: sums as `implicit_gemm`'s, one row after the other.

use super::{Call, Twin, implicit_gemm};
use crate::kernel::{DirectParams, Dot};

impl Twin for Dot {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let p: DirectParams = call.params();
        implicit_gemm::run(self.border, &p, 0..usize::MAX, [call.read(0), call.read(1)], written, call.finish);
    }
}
