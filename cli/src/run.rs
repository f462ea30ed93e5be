//! `winoconv run`: an ONNX model on files.

use std::path::{Path, PathBuf};

use winoconv::graph::{Dims, Tiled};

use crate::args::Run;
use crate::array::{self, Array};
use crate::error::{CliError, Result};
use crate::picture::{Depth, Kind, Picture};
use crate::{device, model, output};

pub(crate) fn verb(options: &Run) -> Result<()> {
    let model = model::open(&options.model)?;
    let known: Vec<String> = model.inputs().iter().map(|input| input.name.clone()).collect();
    check_names("input", &options.inputs, &known)?;
    check_names("output", &options.outputs, model.outputs())?;
    for (_, path) in &options.outputs {
        if !array::is_array(path) {
            Kind::to_write(path)?;
        }
        output::check(path, options.writing.force)?;
    }
    let mut given = Vec::with_capacity(options.inputs.len());
    for (name, path) in &options.inputs {
        let declared = model.inputs().iter().find(|input| input.name == *name).and_then(|input| input.dims.as_deref());
        given.push((name.clone(), path, read(path, declared)?));
    }
    let sizes: Vec<(String, Dims)> = given
        .iter()
        .filter_map(|(name, _, array)| Some((name.clone(), Dims::from_slice(array.sizes.as_ref()?)?)))
        .collect();
    let graph = model::graph(&model, &options.model, &sizes)?;
    let mut inputs: Vec<&[f32]> = Vec::new();
    let mut dims = Vec::new();
    for (name, of) in model::inputs(&graph) {
        let found = given.iter().find(|(given, ..)| *given == name);
        let (_, path, array) = found.ok_or_else(|| CliError::MissingInput { input: name.clone() })?;
        if array.data.len() != of.elements() {
            let problem = format!("it has {} numbers, and the input {name} is of {of}", array.data.len());
            return Err(CliError::Array { path: (*path).clone(), problem });
        }
        inputs.push(&array.data);
        dims.push(of);
    }

    let device = device::choose(&options.on.place, Some(&options.writing))?;
    let of_network = winoconv_models::Precision::from(options.on.place.precision).options();
    let tiled = Tiled::new_blocking(&device, &graph, &dims, of_network, options.on.memory << 20)?;
    if options.on.place.explain {
        println!("{}\n{tiled}", tiled.network());
    }
    let results = tiled.run_blocking(&inputs)?;
    for ((name, dims), data) in tiled.outputs().iter().zip(results) {
        let to: Vec<&PathBuf> = options.outputs.iter().filter(|(of, _)| of == name).map(|(_, path)| path).collect();
        if to.is_empty() && !options.writing.quiet {
            println!("output {name}: {dims}");
        }
        for path in to {
            write(path, *dims, &data, options)?;
        }
    }
    Ok(())
}

fn check_names(what: &'static str, given: &[(String, PathBuf)], known: &[String]) -> Result<()> {
    match given.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(CliError::NoSuchEnd { what, name: name.clone(), known: known.to_vec() }),
        None => Ok(()),
    }
}

/// A tensor from a file. A picture becomes planes of three colours, or of grey where the model reads one channel.
fn read(path: &Path, declared: Option<&[Option<usize>]>) -> Result<Array> {
    if array::is_array(path) {
        return array::read(path);
    }
    if Kind::of(path).is_none() {
        let expected = "a picture, .npy or .f32";
        return Err(CliError::UnknownKind { path: path.to_owned(), expected });
    }
    let picture = Picture::read(path)?;
    let is_grey = matches!(declared, Some([_, Some(1), _, _]));
    let colours = if is_grey { 1 } else { 3 };
    let pixels = picture.width * picture.height;
    let mut data = Vec::with_capacity(colours * pixels);
    for colour in 0..colours {
        let grey = |pixel: &[f32]| 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
        let of = |pixel: &[f32]| if is_grey { grey(pixel) } else { pixel[colour] };
        data.extend(picture.colour.chunks_exact(3).map(of));
    }
    Ok(Array { sizes: Some(vec![1, colours, picture.height, picture.width]), data })
}

fn write(path: &Path, dims: Dims, data: &[f32], options: &Run) -> Result<()> {
    let (force, is_quiet) = (options.writing.force, options.writing.quiet);
    if array::is_array(path) {
        return output::write(path, &array::bytes(path, &dims, data), force);
    }
    let sizes = match dims[..] {
        [1, channels @ (1 | 3), height, width] | [channels @ (1 | 3), height, width] => Some((channels, height, width)),
        [height, width] => Some((1, height, width)),
        _ => None,
    };
    let Some((channels, height, width)) = sizes.filter(|&(_, height, width)| height > 0 && width > 0) else {
        let problem = format!("the output is of {dims}, expected 1 or 3 channels x height x width; write a .npy");
        return Err(CliError::CannotHold { path: path.to_owned(), problem });
    };
    let plane = height * width;
    let colour = (0..plane).flat_map(|i| (0..3).map(move |colour| data[(colour % channels) * plane + i])).collect();
    let picture = Picture {
        width,
        height,
        colour,
        alpha: None,
        is_linear: false,
        is_grey: channels == 1,
        depth: Depth::Eight,
        profile: None,
    };
    picture.write(path, force, is_quiet)
}
