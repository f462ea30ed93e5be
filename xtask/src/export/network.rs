//! A network as files: `network.json` with buffers and dispatches, a `.wgsl` file for each kernel, what buffers hold from the start,
//! and, if asked for, random inputs with the outputs that are expected.

use std::path::Path;

use fs_err as fs;
use winoconv::caps::Caps;
use winoconv::graph::{Graph, Listing, NetworkOptions};
use winoconv::kernel::Access;
use winoconv::{DType, wgsl};

use crate::files;
use crate::random::data::Random;

/// How far an output may be from the exact one, in parts of the largest: as the library's tests of networks have it.
const FAR: f64 = 3e-5;

#[derive(serde::Serialize)]
struct Exported {
    entry_point: &'static str,
    kernels: Vec<Kernel>,
    buffers: Vec<Buffer>,
    packing: Vec<Step>,
    steps: Vec<Step>,
    inputs: Vec<usize>,
    outputs: Vec<Output>,
}

#[derive(serde::Serialize)]
struct Kernel {
    name: String,
    file: String,
    bindings: Vec<Binding>,
}

#[derive(serde::Serialize)]
struct Binding {
    index: u32,
    access: &'static str,
}

#[derive(serde::Serialize)]
struct Buffer {
    name: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(serde::Serialize)]
struct Step {
    kernel: usize,
    grid: [u32; 3],
    params: Vec<u32>,
    operands: Vec<Operand>,
}

/// Bytes of a buffer from `begin` to `end`. The parameter `first` is the first element, counted from the start of the buffer.
#[derive(serde::Serialize)]
struct Operand {
    buffer: usize,
    begin: u64,
    end: u64,
    element: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<usize>,
}

#[derive(serde::Serialize)]
struct Output {
    buffer: usize,
    len: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<String>,
}

pub(super) fn export(graph: &Graph, caps: &Caps, out: &Path, with_data: bool) -> anyhow::Result<Listing> {
    fs::create_dir_all(out)?;
    let write = |name: &str, bytes: &[u8]| fs::write(out.join(name), bytes);
    let listing = Listing::new(graph, caps, NetworkOptions::new())?;
    let mut kernels = Vec::new();
    for kernel in &listing.kernels {
        let file = format!("{}.wgsl", kernel.name);
        write(&file, kernel.text.as_bytes())?;
        let binding = |&(index, access): &(u32, Access)| {
            let access = if access == Access::Read { "read" } else { "write" };
            Binding { index, access }
        };
        kernels.push(Kernel {
            name: kernel.name.clone(),
            file,
            bindings: kernel.bindings.iter().map(binding).collect(),
        });
    }
    let mut random = Random::new(0xE4);
    let inputs: Vec<Vec<f32>> = graph
        .inputs()
        .iter()
        .map(|&value| (0..graph.dims(value).elements()).map(|_| random.normal() as f32).collect())
        .collect();
    let mut buffers = Vec::new();
    for (i, buffer) in listing.buffers.iter().enumerate() {
        let input = listing.inputs.iter().position(|&at| at == i).filter(|_| with_data);
        let given = input.map(|input| DType::F32.to_bytes(&inputs[input]));
        let contents = given.as_deref().or(buffer.contents.as_deref());
        let file = contents.map(|_| format!("buffer{i}.bin"));
        if let (Some(file), Some(contents)) = (&file, contents) {
            write(file, contents)?;
        }
        buffers.push(Buffer { name: buffer.name.clone(), bytes: buffer.bytes, file });
    }
    let mut outputs: Vec<Output> = (listing.outputs.iter().zip(graph.outputs()))
        .map(|(&buffer, (_, value))| {
            let len = graph.dims(*value).elements();
            Output { buffer, len, expected: None, bound: None }
        })
        .collect();
    if with_data {
        let exact = graph.interpret(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        for (i, (output, exact)) in outputs.iter_mut().zip(&exact).enumerate() {
            let largest = exact.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let expected: Vec<f32> = exact.iter().map(|&x| x as f32).collect();
            let bound = vec![(FAR * largest) as f32; output.len];
            for (file, name, numbers) in
                [(&mut output.expected, "expected", expected), (&mut output.bound, "bound", bound)]
            {
                let name = format!("{name}{i}.f32");
                write(&name, &DType::F32.to_bytes(&numbers))?;
                *file = Some(name);
            }
        }
    }
    let exported = Exported {
        entry_point: wgsl::ENTRY_POINT,
        kernels,
        buffers,
        packing: listing.packing.iter().map(step).collect(),
        steps: listing.run.iter().map(step).collect(),
        inputs: listing.inputs.clone(),
        outputs,
    };
    write("network.json", files::to_json(&exported)?.as_bytes())?;
    Ok(listing)
}

fn step(of: &winoconv::graph::ListedDispatch) -> Step {
    let operand = |of: &winoconv::graph::ListedOperand| Operand {
        buffer: of.buffer,
        begin: of.begin,
        end: of.end,
        element: of.element,
        first: of.first,
    };
    Step {
        kernel: of.kernel,
        grid: of.grid,
        params: of.params.clone(),
        operands: of.operands.iter().map(operand).collect(),
    }
}
