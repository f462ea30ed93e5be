//! Random problems with operands and exact results, as the library's tests have them.

#[path = "../../tests/support/data.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
pub(crate) mod data;
#[path = "../../tests/support/strategies.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
pub(crate) mod strategies;
