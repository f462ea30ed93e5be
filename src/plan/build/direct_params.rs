//! A correlation as the parameters of the kernels that compute it as it stands.

use crate::conv::Conv;
use crate::correlation::Correlation;
use crate::kernel::{DirectParams, word, wrapped};

pub(in crate::plan) fn direct_params(of: &Correlation, conv: &Conv) -> DirectParams {
    let [d, h, w] = of.size.map(word);
    let [out_d, out_h, out_w] = of.out.map(word);
    let [taps_d, taps_h, taps_w] = of.taps.map(word);
    let [stride_d, stride_h, stride_w] = of.stride.map(word);
    let [dilation_d, dilation_h, dilation_w] = of.dilation.map(word);
    let [before_d, before_h, before_w] = of.before.map(wrapped);
    let [src_d, src_h, src_w] = of.src.dhw.map(wrapped);
    let [weights_d, weights_h, weights_w] = of.weights.dhw.map(wrapped);
    let [dst_d, dst_h, dst_w] = of.dst.dhw.map(wrapped);
    let [act_a, act_b] = conv.activation.arguments();
    DirectParams {
        groups: word(of.groups),
        group_c: word(of.group_c),
        group_k: word(of.group_k),
        d,
        h,
        w,
        out_d,
        out_h,
        out_w,
        taps_d,
        taps_h,
        taps_w,
        stride_d,
        stride_h,
        stride_w,
        dilation_d,
        dilation_h,
        dilation_w,
        before_d,
        before_h,
        before_w,
        src_n: wrapped(of.src.n),
        src_g: wrapped(of.src.g),
        src_c: wrapped(of.src.c),
        src_d,
        src_h,
        src_w,
        weights_g: wrapped(of.weights.g),
        weights_k: wrapped(of.weights.n),
        weights_c: wrapped(of.weights.c),
        weights_d,
        weights_h,
        weights_w,
        dst_n: wrapped(of.dst.n),
        dst_g: wrapped(of.dst.g),
        dst_k: wrapped(of.dst.c),
        dst_d,
        dst_h,
        dst_w,
        src_offset: wrapped(of.src.offset),
        weights_offset: wrapped(of.weights.offset),
        dst_offset: wrapped(of.dst.offset),
        part: word(of.terms()),
        residual_offset: wrapped(of.dst.offset),
        act_a,
        act_b,
        ..Default::default()
    }
}
