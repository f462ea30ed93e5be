//! Rules for `shaders/`: plain WGSL, and a twin on the CPU for each kernel.

use super::{File, Violation};

/// Marks of template engines and preprocessors, none of which is WGSL.
const TEMPLATE_MARKS: &[&str] =
    &["{{", "}}", "{%", "%}", "#if", "#else", "#endif", "#import", "#include", "#define", "#undef"];
/// Kernels without a twin, each with the reason.
const TWINLESS: &[(&str, &str)] = &[];

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    if !file.path.starts_with("shaders/") || file.extension() != "wgsl" {
        return;
    }
    for (number, line) in file.lines() {
        // Comments may speak of anything; a nested block's end, as in `{ { } }`, is written with a space.
        let code = line.split("//").next().unwrap_or_default();
        if let Some(mark) = TEMPLATE_MARKS.iter().find(|mark| code.contains(**mark)) {
            found.push(file.violation(
                number,
                format!(
                    "`{mark}` is template syntax; a shader is plain WGSL: use a constant of the head, a part or a leaf"
                ),
            ));
        }
    }
}

pub(super) fn check_twins(files: &[File], found: &mut Vec<Violation>) {
    let kernels = files.iter().filter_map(|file| {
        let name = file.path.strip_prefix("shaders/kernel/")?.strip_suffix(".wgsl")?;
        Some((file, name))
    });
    for (file, name) in kernels {
        let exception = TWINLESS.iter().find(|(kernel, _)| *kernel == name);
        let twin = format!("src/cpu/{name}.rs");
        match (files.iter().any(|other| other.path == twin), exception) {
            (false, None) => {
                found.push(file.violation(
                    1,
                    format!("no twin `{twin}`; write the kernel's loop nest in Rust under the same name"),
                ));
            }
            (true, Some(_)) => found.push(file.violation(
                1,
                format!(
                    "has its twin `{twin}` and is still listed as twinless in xtask/src/tidy/shaders.rs; strike it"
                ),
            )),
            _ => {}
        }
    }
}
