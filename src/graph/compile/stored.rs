//! How a device stores the tensors of a network.

use super::step::BufferId;
use crate::caps::{Caps, DeviceKind};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::graph::format::Element;
use crate::graph::options::Formats;
use crate::layout::Layout;

/// How a device stores the tensors of a network.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::graph) struct Stored {
    /// How images lie between the steps.
    pub(in crate::graph) layout: Layout,
    /// The type between the steps.
    pub(in crate::graph) dtype: DType,
    /// Of inputs and outputs.
    pub(in crate::graph) formats: Formats,
}

impl Stored {
    /// As a device takes them. The CPU's vectors are of channels, and its steps are of f32 from end to end: other formats are
    /// converted before and behind them.
    ///
    /// # Errors
    /// 16-bit floats on a GPU whose shaders have none.
    pub(in crate::graph) fn on(caps: &Caps, graph: &Graph, dtype: DType, formats: Formats) -> Result<Self> {
        if caps.kind == DeviceKind::Cpu {
            return Ok(Self { layout: Layout::ChannelsLast, dtype: DType::F32, formats: Formats::plain(graph) });
        }
        if dtype == DType::F16 && !caps.f16 {
            return Err(Error::Unsupported {
                what: "a network whose tensors are stored in f16".to_owned(),
                why: format!("shaders of {caps} have no 16-bit floats; store f32"),
            });
        }
        Ok(Self { layout: Layout::ChannelsFirst, dtype, formats })
    }

    /// What a buffer is made of.
    pub(in crate::graph) fn element(&self, buffer: BufferId) -> Element {
        let dtype = match buffer {
            BufferId::Input(i) => return self.formats.inputs[i].element(self.dtype),
            BufferId::Output(i) => return self.formats.outputs[i].element(self.dtype),
            BufferId::Constant(_) => DType::F32,
            BufferId::Own(_) => self.dtype,
        };
        if dtype == DType::F16 { Element::F16 } else { Element::F32 }
    }

    /// All in f32, with images as planes of channels.
    pub(in crate::graph) fn plain(graph: &Graph) -> Self {
        Self { layout: Layout::ChannelsFirst, dtype: DType::F32, formats: Formats::plain(graph) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Profile;

    #[test]
    fn shaders_without_halves_refuse_to_store_them() {
        let graph = Graph::new();
        for caps in Profile::ALL.map(|profile| profile.caps()) {
            match Stored::on(&caps, &graph, DType::F16, Formats::plain(&graph)) {
                Ok(stored) if caps.kind == DeviceKind::Cpu => assert_eq!(stored.dtype, DType::F32),
                Ok(stored) => assert!(caps.f16 && stored.dtype == DType::F16, "{caps}"),
                Err(error) => assert!(!caps.f16 && error.to_string().contains("store f32"), "{error}"),
            }
        }
    }
}
