//! A folder with pictures, and the program run in it.

#![allow(dead_code, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{DynamicImage, ImageBuffer, Rgb, Rgba};

/// A folder that goes with the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("the test's folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_winoconv"));
        command.current_dir(self.path()).args(arguments);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// The same where all is well.
    pub(crate) fn done(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", errors(&output));
        output
    }

    /// What a run says that fails.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", errors(&output));
        errors(&output)
    }

    pub(crate) fn open(&self, name: &str) -> DynamicImage {
        image::open(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Smooth colours.
pub(crate) fn shades(width: u32, height: u32) -> ImageBuffer<Rgb<u8>, Vec<u8>> {
    ImageBuffer::from_fn(width, height, |x, y| Rgb([(100 + 3 * x.min(45)) as u8, (120 + 2 * y.min(60)) as u8, 140]))
}

/// The same with 16 bits, and less and less to be seen through.
pub(crate) fn shades_with_alpha(width: u32, height: u32) -> ImageBuffer<Rgba<u16>, Vec<u16>> {
    ImageBuffer::from_fn(width, height, |x, y| {
        Rgba([25_701 + 700 * x as u16, 30_003 + 500 * y as u16, 35_005, 10_007 + 3_001 * x as u16])
    })
}

/// A picture of floats, three a pixel.
pub(crate) fn pfm(width: usize, height: usize, value: impl Fn(usize) -> f32) -> Vec<u8> {
    let mut file = format!("PF\n{width} {height}\n-1\n").into_bytes();
    file.extend((0..3 * width * height).flat_map(|i| value(i).to_le_bytes()));
    file
}

/// The numbers of a PFM file that the program wrote.
pub(crate) fn pfm_numbers(file: &[u8]) -> Vec<f32> {
    let head = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2).expect("three lines").0 + 1;
    file[head..].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
