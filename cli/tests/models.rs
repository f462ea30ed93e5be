//! `winoconv run` and `winoconv bench`, on a model that gives its input as it is.

mod support;

use image::ColorType;
use support::{Folder, errors, printed, shades};

/// An input `x`, no nodes, an output `x`.
const MODEL: &[u8] = b"\x08\x08\x3a\x0c\x5a\x05\x0a\x01x\x12\x00\x62\x03\x0a\x01x\x42\x02\x10\x11";

fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.file("same.onnx"), MODEL).expect("a model");
    shades(9, 6).save(folder.file("in.png")).expect("a picture");
    folder
}

#[test]
fn a_model_runs_on_files() {
    let folder = folder();
    let run = |input: &str, output: &str, more: &[&str]| {
        let (input, output) = (format!("x={input}"), format!("x={output}"));
        folder.done(&[&["run", "same.onnx", "--cpu", "--input", &input, "--output", &output], more].concat())
    };
    run("in.png", "a.npy", &[]);
    let array = std::fs::read(folder.file("a.npy")).expect("an array");
    assert!(String::from_utf8_lossy(&array).contains("'shape': (1,3,6,9,)"));
    run("a.npy", "b.f32", &[]);
    assert_eq!(std::fs::read(folder.file("b.f32")).expect("numbers").len(), 4 * 3 * 6 * 9);
    run("b.f32", "c.png", &["--size", "x=1x3x6x9"]);
    assert_eq!(folder.open("c.png"), folder.open("in.png"));
    run("b.f32", "d.png", &["--size", "x=1x1x18x9"]);
    assert_eq!(folder.open("d.png").color(), ColorType::L8);

    let output = folder.done(&["run", "same.onnx", "--cpu", "--input", "x=in.png", "--explain"]);
    assert!(printed(&output).contains("output x: 1x3x6x9"), "{}", printed(&output));
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let folder = folder();
    std::fs::write(folder.file("no.onnx"), "no model").expect("a file");
    std::fs::write(folder.file("five.f32"), [0; 5]).expect("a file");
    std::fs::write(folder.file("four.f32"), [0; 16]).expect("a file");
    for (code, arguments, expected) in [
        (1, "run no.onnx --cpu", "no.onnx: not an ONNX model"),
        (1, "run same.onnx --cpu --input y=in.png", "the model has no input y; there are: x"),
        (1, "run same.onnx --cpu --input x=in.png --output y=a.npy", "the model has no output y; there are: x"),
        (1, "run same.onnx --cpu --input x=same.onnx", "unknown kind of file; expected a picture, .npy or .f32"),
        (1, "run same.onnx --cpu --input x=five.f32 --size x=5", "5 bytes are no whole numbers"),
        (1, "run same.onnx --cpu --input x=four.f32 --size x=5", "it has 4 numbers, and the input x is of 5"),
        (1, "run same.onnx --cpu --size x=4", "the input x is missing; pass --input x=FILE"),
        (1, "run same.onnx --cpu --input x=four.f32 --size x=1x4 --output x=in.png", "is there already"),
        (1, "run same.onnx --cpu --input x=four.f32 --size x=4 --output x=a.png", "write a .npy"),
        (1, "bench same.onnx --cpu", "the sizes of input x are not known"),
        (2, "run same.onnx --cpu --input in.png", "expected NAME=FILE"),
        (2, "bench same.onnx --cpu --size x=1xa", "expected NAME=SIZES"),
    ] {
        let message = folder.fails(code, &arguments.split(' ').collect::<Vec<_>>());
        assert!(message.contains(expected), "{arguments}: {message}");
    }
    assert_eq!(folder.names(), ["five.f32", "four.f32", "in.png", "no.onnx", "same.onnx"]);
}

#[test]
fn a_model_is_timed() {
    let folder = folder();
    let output =
        folder.done(&["bench", "same.onnx", "--cpu", "--size", "x=1x3x8x8", "--runs", "2", "--steps", "--explain"]);
    let text = printed(&output);
    assert!(text.contains(" ms, the least of 2 runs") && text.contains("all steps by themselves"), "{text}");
    assert!(errors(&output).starts_with("device: CPU"), "{}", errors(&output));
}
