//! Weights in files beside the model, and paths that lead elsewhere.

mod support;

use std::fs;
use std::path::Path;

use support::folder::{Folder, external};
use support::{dims, run};

fn weights(folder: &Path, numbers: &[f32]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("weights/a.bin"), bytes).expect("a file for the test");
}

#[test]
fn weights_are_read_from_files_beside_the_model() {
    let folder = Folder::new("read");
    weights(&folder.models(), &[1.0, 2.0, 3.0, 4.0]);
    let first = external("a", &[("location", "weights/a.bin")]);
    let last = external("b", &[("location", "weights/a.bin"), ("offset", "8"), ("length", "8")]);
    // The same part again is the same tensor, and takes no more of the file.
    let again = external("c", &[("location", "weights/a.bin"), ("offset", "8")]);
    let model = folder.opened(vec![first, last, again]).expect("all is there");
    let graph = model.graph(&[("x", dims(&[2]))]).expect("it makes sense");
    assert_eq!(run(&graph, &[&[10.0, 20.0]]).expect("it runs"), [[17.0, 30.0]]);
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let folder = Folder::new("refused");
    weights(&folder.models(), &[1.0, 2.0, 3.0]);
    fs::write(folder.path().join("secret"), [0; 64]).expect("a file for the test");
    let refusal = |tensors| folder.opened(tensors).expect_err("it should be refused").to_string();
    let at = |location: &str| external("a", &[("location", location)]);
    for location in ["../secret", "/etc/passwd", "weights/../../secret", ""] {
        let expected =
            format!("damaged model: tensor a: its data is in {location:?}, expected a path below the model's folder");
        assert_eq!(refusal(vec![at(location)]), expected);
    }
    let far = external("a", &[("location", "weights/a.bin"), ("offset", "18446744073709551615")]);
    let expected = "bytes 18446744073709551615 to 18446744073709551615 of weights/a.bin, expected at most 12";
    assert_eq!(refusal(vec![far]), format!("damaged model: tensor a: {expected}"));
    assert!(refusal(vec![at("nowhere")]).starts_with("cannot read "));
    assert!(refusal(vec![at("weights")]).contains("weights"), "a folder is no file");
}
