//! The transforms that the planner takes most, one register for each value: written by `generate.rs` from the same
//! straight-line programs that others are run by. `WINOCONV_BLESS=1 cargo test --lib transforms` writes it anew.

use pulp::Simd;

use super::straight_line::{Places, Which, each_place};
use crate::plan::LANES;
use crate::winograd::{F, Points};

/// Runs a transform on `count` places, if it is one of these.
#[inline(always)]
pub(super) fn run<'a, S: Simd, In: Places<'a>, Out: Places<'a>>(
    simd: S,
    f: F,
    which: Which,
    count: usize,
    inputs: In,
    outputs: Out,
) -> bool {
    match (f.m(), f.r(), f.points(), which) {
        (2, 3, Points::Default, Which::Input) => each_place!(simd, count, inputs: 4, outputs: 4, f2x3_input),
        (2, 3, Points::Default, Which::Output) => each_place!(simd, count, inputs: 4, outputs: 2, f2x3_output),
        (3, 3, Points::Default, Which::Input) => each_place!(simd, count, inputs: 5, outputs: 5, f3x3_input),
        (3, 3, Points::Default, Which::Output) => each_place!(simd, count, inputs: 5, outputs: 3, f3x3_output),
        (4, 3, Points::Default, Which::Input) => each_place!(simd, count, inputs: 6, outputs: 6, f4x3_input),
        (4, 3, Points::Default, Which::Output) => each_place!(simd, count, inputs: 6, outputs: 4, f4x3_output),
        (5, 3, Points::Default, Which::Input) => each_place!(simd, count, inputs: 7, outputs: 7, f5x3_input),
        (5, 3, Points::Default, Which::Output) => each_place!(simd, count, inputs: 7, outputs: 5, f5x3_output),
        (6, 3, Points::Quadratic, Which::Input) => each_place!(simd, count, inputs: 8, outputs: 9, f6qx3_input),
        (6, 3, Points::Quadratic, Which::Output) => each_place!(simd, count, inputs: 9, outputs: 6, f6qx3_output),
        (2, 5, Points::Default, Which::Input) => each_place!(simd, count, inputs: 6, outputs: 6, f2x5_input),
        (2, 5, Points::Default, Which::Output) => each_place!(simd, count, inputs: 6, outputs: 2, f2x5_output),
        (4, 5, Points::Quadratic, Which::Input) => each_place!(simd, count, inputs: 8, outputs: 9, f4qx5_input),
        (4, 5, Points::Quadratic, Which::Output) => each_place!(simd, count, inputs: 9, outputs: 4, f4qx5_output),
        (2, 7, Points::Default, Which::Input) => each_place!(simd, count, inputs: 8, outputs: 8, f2x7_input),
        (2, 7, Points::Default, Which::Output) => each_place!(simd, count, inputs: 8, outputs: 2, f2x7_output),
        _ => return false,
    }
    true
}

/// F(2,3), input.
#[inline(always)]
fn f2x3_input<S: Simd>(simd: S, x: [S::f32s; 4]) -> [S::f32s; 4] {
    let t0 = simd.sub_f32s(x[2], x[0]);
    let t1 = simd.add_f32s(x[1], x[2]);
    let t2 = simd.sub_f32s(x[2], x[1]);
    let t3 = simd.sub_f32s(x[3], x[1]);
    [t0, t1, t2, t3]
}

/// F(2,3), output.
#[inline(always)]
fn f2x3_output<S: Simd>(simd: S, x: [S::f32s; 4]) -> [S::f32s; 2] {
    let t0 = simd.add_f32s(x[0], x[1]);
    let t1 = simd.add_f32s(t0, x[2]);
    let t2 = simd.sub_f32s(x[1], x[2]);
    let t3 = simd.add_f32s(t2, x[3]);
    [t1, t3]
}

/// F(3,3), input.
#[inline(always)]
fn f3x3_input<S: Simd>(simd: S, x: [S::f32s; 5]) -> [S::f32s; 5] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-1.5625), x[0], x[2]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(-0.140625), x[0], x[2]);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(-1.5625), x[1], x[3]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-0.140625), x[1], x[3]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(0.375), t0, t2);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(-0.375), t0, t2);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(1.25), t1, t3);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(-1.25), t1, t3);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(0.21972656), x[0], x[4]);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(-1.703125), x[2], t8);
    [t4, t5, t6, t7, t9]
}

/// F(3,3), output.
#[inline(always)]
fn f3x3_output<S: Simd>(simd: S, x: [S::f32s; 5]) -> [S::f32s; 3] {
    let t0 = simd.add_f32s(x[0], x[1]);
    let t1 = simd.add_f32s(x[2], x[3]);
    let t2 = simd.add_f32s(t0, t1);
    let t3 = simd.mul_f32s(simd.splat_f32s(0.375), x[0]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(-0.375), x[1], t3);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(1.25), x[2], t4);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(-1.25), x[3], t5);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(0.140625), t0, x[4]);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(1.5625), t1, t7);
    [t2, t6, t8]
}

/// F(4,3), input.
#[inline(always)]
fn f4x3_input<S: Simd>(simd: S, x: [S::f32s; 6]) -> [S::f32s; 6] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-2.25), x[1], x[3]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(-0.390625), x[1], x[3]);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(-2.25), x[2], x[4]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-0.390625), x[2], x[4]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(0.87890625), x[0], x[4]);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(-2.640625), x[2], t4);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(0.625), t0, t2);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(-0.625), t0, t2);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(1.5), t1, t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(-1.5), t1, t3);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(0.87890625), x[1], x[5]);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(-2.640625), x[3], t10);
    [t5, t6, t7, t8, t9, t11]
}

/// F(4,3), output.
#[inline(always)]
fn f4x3_output<S: Simd>(simd: S, x: [S::f32s; 6]) -> [S::f32s; 4] {
    let t0 = simd.add_f32s(x[1], x[2]);
    let t1 = simd.sub_f32s(x[1], x[2]);
    let t2 = simd.add_f32s(x[3], x[4]);
    let t3 = simd.sub_f32s(x[3], x[4]);
    let t4 = simd.add_f32s(x[0], t0);
    let t5 = simd.add_f32s(t4, t2);
    let t6 = simd.mul_f32s(simd.splat_f32s(0.625), t1);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(1.5), t3, t6);
    let t8 = simd.mul_f32s(simd.splat_f32s(0.390625), t0);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(2.25), t2, t8);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(0.24414063), t1, x[5]);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(3.375), t3, t10);
    [t5, t7, t9, t11]
}

/// F(5,3), input.
#[inline(always)]
fn f5x3_input<S: Simd>(simd: S, x: [S::f32s; 7]) -> [S::f32s; 7] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-3.1416016), x[3], x[5]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(-3.1416016), x[2], x[4]);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(0.056313515), x[0], x[4]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-0.7910156), x[2], t2);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(-1.7311945), x[3], x[1]);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(-14.046639), x[3], x[1]);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(0.056313515), t5, x[5]);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(0.24224854), x[1], t0);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(0.24224854), x[0], t1);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(2.1802368), t4, x[5]);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(-3.774414), x[2], x[4]);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(2.1802368), x[0], t10);
    let t12 = simd.mul_add_e_f32s(simd.splat_f32s(0.28125), t11, t9);
    let t13 = simd.mul_add_e_f32s(simd.splat_f32s(-0.28125), t11, t9);
    let t14 = simd.mul_add_e_f32s(simd.splat_f32s(0.84375), t8, t7);
    let t15 = simd.mul_add_e_f32s(simd.splat_f32s(-0.84375), t8, t7);
    let t16 = simd.mul_add_e_f32s(simd.splat_f32s(1.75), t3, t6);
    let t17 = simd.mul_add_e_f32s(simd.splat_f32s(-1.75), t3, t6);
    let t18 = simd.mul_add_e_f32s(simd.splat_f32s(-0.17246014), x[0], x[6]);
    let t19 = simd.mul_add_e_f32s(simd.splat_f32s(2.4787989), x[2], t18);
    let t20 = simd.mul_add_e_f32s(simd.splat_f32s(-3.8535156), x[4], t19);
    [t12, t13, t14, t15, t16, t17, t20]
}

/// F(5,3), output.
#[inline(always)]
fn f5x3_output<S: Simd>(simd: S, x: [S::f32s; 7]) -> [S::f32s; 5] {
    let t0 = simd.add_f32s(x[0], x[1]);
    let t1 = simd.add_f32s(x[2], x[3]);
    let t2 = simd.add_f32s(x[4], x[5]);
    let t3 = simd.sub_f32s(x[0], x[1]);
    let t4 = simd.sub_f32s(x[2], x[3]);
    let t5 = simd.sub_f32s(x[4], x[5]);
    let t6 = simd.add_f32s(t0, t1);
    let t7 = simd.add_f32s(t6, t2);
    let t8 = simd.mul_f32s(simd.splat_f32s(0.28125), t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(0.84375), t4, t8);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(1.75), t5, t9);
    let t11 = simd.mul_f32s(simd.splat_f32s(0.07910156), t0);
    let t12 = simd.mul_add_e_f32s(simd.splat_f32s(0.71191406), t1, t11);
    let t13 = simd.mul_add_e_f32s(simd.splat_f32s(3.0625), t2, t12);
    let t14 = simd.mul_f32s(simd.splat_f32s(0.022247314), t3);
    let t15 = simd.mul_add_e_f32s(simd.splat_f32s(0.6006775), t4, t14);
    let t16 = simd.mul_add_e_f32s(simd.splat_f32s(5.359375), t5, t15);
    let t17 = simd.mul_add_e_f32s(simd.splat_f32s(0.006257057), t0, x[6]);
    let t18 = simd.mul_add_e_f32s(simd.splat_f32s(0.50682163), t1, t17);
    let t19 = simd.mul_add_e_f32s(simd.splat_f32s(9.378906), t2, t18);
    [t7, t10, t13, t16, t19]
}

/// F(6q,3), input.
#[inline(always)]
fn f6qx3_input<S: Simd>(simd: S, x: [S::f32s; 8]) -> [S::f32s; 9] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-2.453125), x[3], x[5]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[1], t0);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(0.4375), x[3], x[5]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-1.890625), x[1], x[5]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(-0.5625), x[1], t2);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(0.4375), x[4], x[6]);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(-1.890625), x[2], x[6]);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(-2.453125), x[4], x[6]);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(-0.890625), x[3], t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(-0.890625), x[4], t6);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[2], t7);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(-0.5625), x[2], t5);
    let t12 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[0], x[6]);
    let t13 = simd.mul_add_e_f32s(simd.splat_f32s(-1.3896484), x[2], t12);
    let t14 = simd.mul_add_e_f32s(simd.splat_f32s(-1.453125), x[4], t13);
    let t15 = simd.mul_add_e_f32s(simd.splat_f32s(0.75), t8, t9);
    let t16 = simd.mul_add_e_f32s(simd.splat_f32s(-0.75), t8, t9);
    let t17 = simd.mul_add_e_f32s(simd.splat_f32s(1.375), t4, t11);
    let t18 = simd.mul_add_e_f32s(simd.splat_f32s(-1.375), t4, t11);
    let t19 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[1], x[7]);
    let t20 = simd.mul_add_e_f32s(simd.splat_f32s(-1.3896484), x[3], t19);
    let t21 = simd.mul_add_e_f32s(simd.splat_f32s(-1.453125), x[5], t20);
    let t22 = simd.add_f32s(t1, t10);
    let t23 = simd.sub_f32s(t10, t1);
    [t14, t15, t16, t17, t18, t21, t22, t23, t1]
}

/// F(6q,3), output.
#[inline(always)]
fn f6qx3_output<S: Simd>(simd: S, x: [S::f32s; 9]) -> [S::f32s; 6] {
    let t0 = simd.add_f32s(x[3], x[4]);
    let t1 = simd.add_f32s(x[1], x[2]);
    let t2 = simd.add_f32s(x[7], x[8]);
    let t3 = simd.add_f32s(x[6], x[8]);
    let t4 = simd.sub_f32s(x[3], x[4]);
    let t5 = simd.sub_f32s(x[1], x[2]);
    let t6 = simd.add_f32s(x[0], t0);
    let t7 = simd.add_f32s(t6, t1);
    let t8 = simd.add_f32s(t7, t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(1.375), t4, t2);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(0.75), t5, t9);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(1.890625), t0, simd.neg_f32s(t3));
    let t12 = simd.mul_add_e_f32s(simd.splat_f32s(0.5625), t1, t11);
    let t13 = simd.mul_add_e_f32s(simd.splat_f32s(2.5996094), t4, simd.neg_f32s(t2));
    let t14 = simd.mul_add_e_f32s(simd.splat_f32s(0.421875), t5, t13);
    let t15 = simd.mul_add_e_f32s(simd.splat_f32s(3.574463), t0, t3);
    let t16 = simd.mul_add_e_f32s(simd.splat_f32s(0.31640625), t1, t15);
    let t17 = simd.add_f32s(x[5], t2);
    let t18 = simd.mul_add_e_f32s(simd.splat_f32s(4.9148865), t4, t17);
    let t19 = simd.mul_add_e_f32s(simd.splat_f32s(0.23730469), t5, t18);
    [t8, t10, t12, t14, t16, t19]
}

/// F(2,5), input.
#[inline(always)]
fn f2x5_input<S: Simd>(simd: S, x: [S::f32s; 6]) -> [S::f32s; 6] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-2.25), x[1], x[3]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(-0.390625), x[1], x[3]);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(-2.25), x[2], x[4]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-0.390625), x[2], x[4]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(0.87890625), x[0], x[4]);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(-2.640625), x[2], t4);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(0.625), t0, t2);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(-0.625), t0, t2);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(1.5), t1, t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(-1.5), t1, t3);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(0.87890625), x[1], x[5]);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(-2.640625), x[3], t10);
    [t5, t6, t7, t8, t9, t11]
}

/// F(2,5), output.
#[inline(always)]
fn f2x5_output<S: Simd>(simd: S, x: [S::f32s; 6]) -> [S::f32s; 2] {
    let t0 = simd.add_f32s(x[0], x[1]);
    let t1 = simd.add_f32s(t0, x[2]);
    let t2 = simd.add_f32s(t1, x[3]);
    let t3 = simd.add_f32s(t2, x[4]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(0.625), x[1], x[5]);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(-0.625), x[2], t4);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(1.5), x[3], t5);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(-1.5), x[4], t6);
    [t3, t7]
}

/// F(4q,5), input.
#[inline(always)]
fn f4qx5_input<S: Simd>(simd: S, x: [S::f32s; 8]) -> [S::f32s; 9] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-2.453125), x[3], x[5]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[1], t0);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(0.4375), x[3], x[5]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-1.890625), x[1], x[5]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(-0.5625), x[1], t2);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(0.4375), x[4], x[6]);
    let t6 = simd.mul_add_e_f32s(simd.splat_f32s(-1.890625), x[2], x[6]);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(-2.453125), x[4], x[6]);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(-0.890625), x[3], t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(-0.890625), x[4], t6);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[2], t7);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(-0.5625), x[2], t5);
    let t12 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[0], x[6]);
    let t13 = simd.mul_add_e_f32s(simd.splat_f32s(-1.3896484), x[2], t12);
    let t14 = simd.mul_add_e_f32s(simd.splat_f32s(-1.453125), x[4], t13);
    let t15 = simd.mul_add_e_f32s(simd.splat_f32s(0.75), t8, t9);
    let t16 = simd.mul_add_e_f32s(simd.splat_f32s(-0.75), t8, t9);
    let t17 = simd.mul_add_e_f32s(simd.splat_f32s(1.375), t4, t11);
    let t18 = simd.mul_add_e_f32s(simd.splat_f32s(-1.375), t4, t11);
    let t19 = simd.mul_add_e_f32s(simd.splat_f32s(1.0634766), x[1], x[7]);
    let t20 = simd.mul_add_e_f32s(simd.splat_f32s(-1.3896484), x[3], t19);
    let t21 = simd.mul_add_e_f32s(simd.splat_f32s(-1.453125), x[5], t20);
    let t22 = simd.add_f32s(t1, t10);
    let t23 = simd.sub_f32s(t10, t1);
    [t14, t15, t16, t17, t18, t21, t22, t23, t1]
}

/// F(4q,5), output.
#[inline(always)]
fn f4qx5_output<S: Simd>(simd: S, x: [S::f32s; 9]) -> [S::f32s; 4] {
    let t0 = simd.add_f32s(x[3], x[4]);
    let t1 = simd.add_f32s(x[1], x[2]);
    let t2 = simd.add_f32s(x[7], x[8]);
    let t3 = simd.add_f32s(x[6], x[8]);
    let t4 = simd.sub_f32s(x[3], x[4]);
    let t5 = simd.sub_f32s(x[1], x[2]);
    let t6 = simd.add_f32s(x[0], t0);
    let t7 = simd.add_f32s(t6, t1);
    let t8 = simd.add_f32s(t7, t3);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(1.375), t4, t2);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(0.75), t5, t9);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(1.890625), t0, simd.neg_f32s(t3));
    let t12 = simd.mul_add_e_f32s(simd.splat_f32s(0.5625), t1, t11);
    let t13 = simd.sub_f32s(x[5], t2);
    let t14 = simd.mul_add_e_f32s(simd.splat_f32s(2.5996094), t4, t13);
    let t15 = simd.mul_add_e_f32s(simd.splat_f32s(0.421875), t5, t14);
    [t8, t10, t12, t15]
}

/// F(2,7), input.
#[inline(always)]
fn f2x7_input<S: Simd>(simd: S, x: [S::f32s; 8]) -> [S::f32s; 8] {
    let t0 = simd.mul_add_e_f32s(simd.splat_f32s(-4.25), x[3], x[1]);
    let t1 = simd.mul_add_e_f32s(simd.splat_f32s(-1.25), x[3], x[1]);
    let t2 = simd.mul_add_e_f32s(simd.splat_f32s(-5.0), x[3], x[1]);
    let t3 = simd.mul_add_e_f32s(simd.splat_f32s(-4.25), x[4], x[2]);
    let t4 = simd.mul_add_e_f32s(simd.splat_f32s(-1.25), x[4], x[2]);
    let t5 = simd.mul_add_e_f32s(simd.splat_f32s(-5.0), x[4], x[2]);
    let t6 = simd.add_f32s(x[5], t0);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(4.0), t1, x[5]);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(0.25), t2, x[5]);
    let t9 = simd.add_f32s(x[6], t3);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(4.0), t4, x[6]);
    let t11 = simd.mul_add_e_f32s(simd.splat_f32s(0.25), t5, x[6]);
    let t12 = simd.sub_f32s(x[6], x[0]);
    let t13 = simd.mul_add_e_f32s(simd.splat_f32s(5.25), x[2], t12);
    let t14 = simd.mul_add_e_f32s(simd.splat_f32s(-5.25), x[4], t13);
    let t15 = simd.add_f32s(t6, t9);
    let t16 = simd.sub_f32s(t9, t6);
    let t17 = simd.mul_add_e_f32s(simd.splat_f32s(2.0), t8, t11);
    let t18 = simd.mul_add_e_f32s(simd.splat_f32s(-2.0), t8, t11);
    let t19 = simd.mul_add_e_f32s(simd.splat_f32s(0.5), t7, t10);
    let t20 = simd.mul_add_e_f32s(simd.splat_f32s(-0.5), t7, t10);
    let t21 = simd.sub_f32s(x[7], x[1]);
    let t22 = simd.mul_add_e_f32s(simd.splat_f32s(5.25), x[3], t21);
    let t23 = simd.mul_add_e_f32s(simd.splat_f32s(-5.25), x[5], t22);
    [t14, t15, t16, t17, t18, t19, t20, t23]
}

/// F(2,7), output.
#[inline(always)]
fn f2x7_output<S: Simd>(simd: S, x: [S::f32s; 8]) -> [S::f32s; 2] {
    let t0 = simd.add_f32s(x[0], x[1]);
    let t1 = simd.add_f32s(t0, x[2]);
    let t2 = simd.add_f32s(t1, x[3]);
    let t3 = simd.add_f32s(t2, x[4]);
    let t4 = simd.add_f32s(t3, x[5]);
    let t5 = simd.add_f32s(t4, x[6]);
    let t6 = simd.sub_f32s(x[1], x[2]);
    let t7 = simd.mul_add_e_f32s(simd.splat_f32s(2.0), x[3], t6);
    let t8 = simd.mul_add_e_f32s(simd.splat_f32s(-2.0), x[4], t7);
    let t9 = simd.mul_add_e_f32s(simd.splat_f32s(0.5), x[5], t8);
    let t10 = simd.mul_add_e_f32s(simd.splat_f32s(-0.5), x[6], t9);
    let t11 = simd.add_f32s(t10, x[7]);
    [t5, t11]
}
