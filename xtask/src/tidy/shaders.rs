//! Rules for `shaders/`: plain WGSL, values for variables in loops, and a twin on the CPU for each kernel.

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
    bare_in_loops(file, found);
}

/// A variable that is declared in a loop without a value is zero in each turn, by the language. Tint writes SPIR-V that makes
/// it zero once, and naga did so before version 30: results are wrong from the second turn on.
fn bare_in_loops(file: &File, found: &mut Vec<Violation>) {
    // Of each open block, whether it is a loop's.
    let mut blocks: Vec<bool> = Vec::new();
    for (number, line) in file.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if blocks.contains(&true) && code.starts_with("var ") && !code.contains('=') {
            found.push(file.violation(
                number,
                "a variable in a loop without a value, which front ends make zero once; write `var x = T();`",
            ));
        }
        let is_loop = ["for ", "while ", "loop "].iter().any(|word| code.starts_with(word));
        for mark in code.chars() {
            match mark {
                '{' => blocks.push(is_loop),
                '}' => drop(blocks.pop()),
                _ => {}
            }
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
