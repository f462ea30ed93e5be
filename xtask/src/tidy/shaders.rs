//! Rules for `shaders/`: plain WGSL, values for variables in loops, and a twin in Rust for each kernel.

use super::{File, Violation};

/// Marks of template engines and preprocessors, none of which is WGSL.
const TEMPLATE_MARKS: &[&str] =
    &["{{", "}}", "{%", "%}", "#if", "#else", "#endif", "#import", "#include", "#define", "#undef"];

pub(super) fn check(file: &File, found: &mut Vec<Violation>) {
    if !file.path.starts_with("shaders/") || file.extension() != "wgsl" {
        return;
    }
    for (number, line) in file.lines() {
        // Comments may speak of anything; a nested block's end, as in `{ { } }`, is written with a space.
        let code = line.split("//").next().unwrap_or_default();
        if let Some(mark) = TEMPLATE_MARKS.iter().find(|mark| code.contains(**mark)) {
            let what = "is template syntax; a shader is plain WGSL: use a constant of the head, a part or a leaf";
            found.push(file.violation(number, format!("`{mark}` {what}")));
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
            let what = "a variable in a loop without a value, which front ends make zero once; write `var x = T();`";
            found.push(file.violation(number, what));
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
    for file in files {
        let kernel = file.path.strip_prefix("shaders/kernel/").and_then(|name| name.strip_suffix(".wgsl"));
        let twin = kernel.map(|name| match name.split_once("winograd_") {
            Some(("", name)) => format!("src/twin/winograd/{name}.rs"),
            _ => format!("src/twin/{name}.rs"),
        });
        if let Some(twin) = twin.filter(|twin| files.iter().all(|other| other.path != *twin)) {
            let what = format!("no twin `{twin}`; write the kernel's loop nest in Rust under the same name");
            found.push(file.violation(1, what));
        }
    }
}
