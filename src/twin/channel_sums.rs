//! Twin of `shaders/kernel/channel_sums.wgsl`.

use super::{Call, Twin};
use crate::kernel::{ChannelParams, ChannelSums, Term};

impl Twin for ChannelSums {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let factor = match self.term {
            Term::Value => &[],
            Term::Negative => call.read(1),
        };
        run(self, &call.params(), call.dispatch.grid[1], [call.read(0), factor], written);
    }
}

/// `src`, `factor` and `dst` are the parts that the step binds.
fn run(spec: &ChannelSums, params: &ChannelParams, parts: u32, [src, factor]: [&[f32]; 2], dst: &mut [f32]) {
    let p = params;
    let term = |at: u32| {
        let x = src[(p.src_offset + at) as usize];
        match spec.term {
            Term::Value => x,
            Term::Negative => factor[(p.weights_offset + at) as usize] * if x > 0.0 { 0.0 } else { x },
        }
    };
    let place = |position: u32| {
        let rest_3 = position / p.size_3;
        let rest_2 = rest_3 / p.size_2;
        rest_2 / p.size_1 * p.step_0
            + rest_2 % p.size_1 * p.step_1
            + rest_3 % p.size_2 * p.step_2
            + position % p.size_3 * p.step_3
    };
    let rows = spec.rows() as usize;
    for part in 0..parts {
        let (first, end) = (part * p.part, (part * p.part).saturating_add(p.part).min(p.positions));
        for channel in 0..p.channels {
            let mut sums = [0.0f32; ChannelSums::WORKGROUP as usize];
            for (row, position) in (0..rows).cycle().zip(first..end) {
                sums[row] += term(channel * p.step_k + place(position));
            }
            let mut half = rows / 2;
            while half > 0 {
                for row in 0..half {
                    sums[row] += sums[row + half];
                }
                half /= 2;
            }
            dst[(p.dst_offset + part * p.dst_part + channel) as usize] = sums[0];
        }
    }
}
