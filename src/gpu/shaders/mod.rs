//! Shaders that come from above as texts: those of networks. They are compiled with run-time checks, unlike the kernels of plans.

mod bound;
pub(super) mod kept;

pub(crate) use bound::{Reach, ShaderDispatch};
pub(crate) use kept::Shader;
