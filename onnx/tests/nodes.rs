//! The ONNX standard's own node tests of the operators that are read, imported and run on the CPU.

mod support;

use support::{Case, cases, difference, dims, run};
use winoconv_onnx::{Model, OnnxError};

/// What is allowed, relative and absolute.
const RELATIVE: f32 = 1e-3;
const ABSOLUTE: f32 = 1e-5;
/// Relative, of results that the standard rounds to bfloat16: its unit roundoff.
const RELATIVE_BFLOAT16: f32 = 1.0 / 256.0;

/// Gathering along an axis by an index for each element is done for known integers alone.
const GATHER: &str = "(GatherElements): the data: expected integers that are known when the graph is made";
/// As are remainders.
const MOD: &str = "a remainder of floats";

/// Cases of supported operators that are refused, with words of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("test_batchnorm_epsilon_training_mode", "training_mode is 1"),
    ("test_batchnorm_example_training_mode", "training_mode is 1"),
    ("test_gather_elements_0", GATHER),
    ("test_gather_elements_1", GATHER),
    ("test_gather_elements_negative_indices", GATHER),
    ("test_maxpool_with_argmax_2d_precomputed_pads", "output 1 (z) is read"),
    ("test_maxpool_with_argmax_2d_precomputed_strides", "output 1 (z) is read"),
    ("test_mod_float16_mixed_sign_fmod_0", MOD),
    ("test_mod_float32_mixed_sign_fmod_0", MOD),
    ("test_mod_float64_mixed_sign_fmod_0", MOD),
    ("test_mod_float_edge_cases_fmod_0_float16", MOD),
    ("test_mod_float_edge_cases_fmod_0_float32", MOD),
    ("test_mod_float_edge_cases_fmod_0_float64", MOD),
    ("test_mod_mixed_sign_float16", MOD),
    ("test_mod_mixed_sign_float32", MOD),
    ("test_mod_mixed_sign_float64", MOD),
    ("test_nllloss_NC_expanded", GATHER),
    ("test_nllloss_NCd1_expanded", GATHER),
    ("test_nllloss_NCd1_ii_expanded", GATHER),
    ("test_nllloss_NCd1_mean_weight_negative_ii_expanded", GATHER),
    ("test_nllloss_NCd1_weight_expanded", GATHER),
    ("test_nllloss_NCd1_weight_ii_expanded", GATHER),
    ("test_nllloss_NCd1d2_expanded", GATHER),
    ("test_nllloss_NCd1d2_reduction_mean_expanded", GATHER),
    ("test_nllloss_NCd1d2_reduction_sum_expanded", GATHER),
    ("test_nllloss_NCd1d2_with_weight_expanded", GATHER),
    ("test_nllloss_NCd1d2_with_weight_reduction_mean_expanded", GATHER),
    ("test_nllloss_NCd1d2_with_weight_reduction_sum_expanded", GATHER),
    ("test_nllloss_NCd1d2d3_sum_weight_high_ii_expanded", GATHER),
    ("test_resize_downsample_scales_cubic_A_n0p5_exclude_outside", "exclude_outside is 1"),
    ("test_resize_upsample_scales_cubic_A_n0p5_exclude_outside", "exclude_outside is 1"),
    ("test_resize_downsample_scales_cubic_antialias", "antialias is 1"),
    ("test_resize_downsample_scales_linear_antialias", "antialias is 1"),
    ("test_resize_downsample_sizes_cubic_antialias", "antialias is 1"),
    ("test_resize_downsample_sizes_linear_antialias", "antialias is 1"),
    (
        "test_resize_downsample_scales_linear_half_pixel_symmetric",
        "coordinate_transformation_mode is half_pixel_symmetric",
    ),
    (
        "test_resize_upsample_scales_linear_half_pixel_symmetric",
        "coordinate_transformation_mode is half_pixel_symmetric",
    ),
    ("test_resize_tf_crop_and_resize", "coordinate_transformation_mode is tf_crop_and_resize"),
    ("test_resize_tf_crop_and_resize_axes_2_3", "coordinate_transformation_mode is tf_crop_and_resize"),
    ("test_resize_tf_crop_and_resize_axes_3_2", "coordinate_transformation_mode is tf_crop_and_resize"),
    ("test_resize_tf_crop_and_resize_extrapolation_value", "coordinate_transformation_mode is tf_crop_and_resize"),
    ("test_training_dropout", "training_mode is true"),
    ("test_training_dropout_default", "training_mode is true"),
    ("test_training_dropout_default_mask", "training_mode is true"),
    ("test_training_dropout_mask", "training_mode is true"),
    ("test_training_dropout_zero_ratio", "training_mode is true"),
    ("test_training_dropout_zero_ratio_mask", "training_mode is true"),
];

/// Cases that pass.
const PASSED: usize = 781;

/// Cases whose results are others, and why that is right.
const OTHERWISE: &[(&str, &str)] = &[
    ("test_reduce_max_empty_set_bool", "a boolean that is not known is an f32, whose least value is no boolean"),
    ("test_resize_downsample_scales_cubic_align_corners", ROUNDED),
    ("test_resize_downsample_scales_linear_align_corners", ROUNDED),
];
/// ONNX Runtime has the same results as this crate.
const ROUNDED: &str = "the standard's reference aligns corners by a size that is not a whole number";

/// Imports and runs a case.
fn check(case: &Case) -> Result<(), String> {
    let model = Model::from_bytes(&case.model).map_err(|error| error.to_string())?;
    let sizes: Vec<_> = case.inputs.iter().map(|input| (&*input.name, dims(&input.dims))).collect();
    let graph = model.graph(&sizes).map_err(|error| error.to_string())?;
    let inputs: Vec<&[f32]> = graph
        .inputs()
        .iter()
        .map(|&value| {
            let name = graph.node(value).name();
            &*case.inputs.iter().find(|input| input.name == name).expect("the graph has the case's inputs").data
        })
        .collect();
    let results = run(&graph, &inputs).map_err(|error| format!("running: {error}"))?;
    for ((name, value), result) in graph.outputs().iter().zip(&results) {
        let expected = case.outputs.iter().find(|output| output.name == *name).expect("the case's output");
        if graph.dims(*value) != dims(&expected.dims) {
            return Err(format!("{name} is {}, expected {:?}", graph.dims(*value), expected.dims));
        }
        let relative = if case.name.contains("bfloat16") { RELATIVE_BFLOAT16 } else { RELATIVE };
        if let Some(what) = difference(result, &expected.data, relative, ABSOLUTE) {
            return Err(format!("{name}: {what}"));
        }
    }
    Ok(())
}

#[test]
fn node_cases_pass() {
    let mut wrong = Vec::new();
    let (mut passed, mut refused, mut otherwise) = (0, 0, 0);
    for case in cases() {
        if OTHERWISE.iter().any(|(name, _)| *name == case.name) {
            otherwise += 1;
            if check(&case).is_ok() {
                wrong.push(format!("{} has the standard's result", case.name));
            }
            continue;
        }
        let reason = REFUSED.iter().find(|(name, _)| *name == case.name).map(|(_, words)| *words);
        match (check(&case), reason) {
            (Ok(()), None) => passed += 1,
            (Err(error), Some(words)) if error.contains(words) => refused += 1,
            (Ok(()), Some(_)) => wrong.push(format!("{} passed, expected a refusal", case.name)),
            (Err(error), _) => wrong.push(format!("{}: {error}", case.name)),
        }
    }
    println!("{passed} cases passed, {refused} refused, {otherwise} with other results");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((refused, otherwise), (REFUSED.len(), OTHERWISE.len()), "each exception is a case");
    assert_eq!(passed, PASSED, "cases of onnx 1.23.2 that pass");
}

#[test]
fn a_refusal_is_of_its_own_kind() {
    for case in cases().iter().filter(|case| REFUSED.iter().any(|(name, _)| *name == case.name)) {
        let sizes: Vec<_> = case.inputs.iter().map(|input| (&*input.name, dims(&input.dims))).collect();
        let error = Model::from_bytes(&case.model).and_then(|model| model.graph(&sizes)).expect_err(&case.name);
        assert!(matches!(error, OnnxError::Unsupported(_)), "{}: {error}", case.name);
    }
}
