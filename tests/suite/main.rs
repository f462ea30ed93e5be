//! What the library does, a file for each question, in one program: it links once, and its tests share the devices and the
//! kernels that are compiled for them.

mod any_threads;
mod api;
mod bounds;
mod callers;
mod conformance;
mod corpus;
mod costs;
mod cpu;
mod devices;
#[cfg(feature = "serde")]
mod document;
mod encode;
mod ends;
mod errors;
mod extremes;
mod far_values;
mod golden;
mod gradients;
mod graph;
mod halves;
mod legal;
mod matrix_units;
mod mixed;
mod one_buffer;
mod onnx;
mod pipelines;
mod planner;
mod policy;
mod profiles;
mod property;
mod reach;
mod read_back;
mod refusals;
mod shaders;
mod specials;
mod stages;
#[path = "../support/mod.rs"]
mod support;
mod training;
mod tune;
mod untransformed;
mod weight_gradients;
mod weights;
mod wisdom;
