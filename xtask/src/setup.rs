//! What a verb may install on the machine, and only with the package manager of Debian and Ubuntu. Everything it does is
//! printed first; what cannot be had is an error that says how to get it.

use anyhow::{bail, ensure};
use duct::cmd;

use crate::steps::Missing;

pub(crate) struct Package {
    /// Debian's packages that have it.
    debian: &'static [&'static str],
    /// What is true on other systems.
    elsewhere: &'static str,
}

/// Mesa's drivers (lavapipe is one of them) and the loader that finds them.
pub(crate) const VULKAN: Package = Package {
    debian: &["mesa-vulkan-drivers", "libvulkan1"],
    elsewhere: "macOS brings Metal with it and Windows DX12, so a machine without an adapter is a virtual one without a GPU",
};
/// Mesa's OpenGL ES without a window, and the name by which Dawn opens it (`libEGL.so`, which the package for builds has).
pub(crate) const GL: Package = Package { debian: &["libgl1-mesa-dri", "libegl-dev"], elsewhere: VULKAN.elsewhere };
const SPIRV_VAL: Package = Package {
    debian: &["spirv-tools"],
    elsewhere: "`spirv-val` is part of Homebrew's spirv-tools and of the Vulkan SDK",
};
pub(crate) const CHROMIUM: Package = Package {
    debian: &["chromium"],
    elsewhere: "Chrome is at https://www.google.com/chrome, and in Homebrew as google-chrome",
};
const TAIL_LINES: usize = 12;

/// Installs a package, which is known to be missing. Of a driver a new instance of the graphics API sees it, an old one does
/// not.
pub(crate) fn install(package: &Package, no_install: bool) -> anyhow::Result<()> {
    let names = package.debian.join(" ");
    if !is_on_path("apt-get") {
        let elsewhere = package.elsewhere;
        bail!(Missing(format!("{names}: this is neither Debian nor Ubuntu, so nothing was installed; {elsewhere}")));
    }
    let by_hand = format!("run `sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}`");
    if no_install {
        bail!(Missing(format!("{names}: asked not to install anything; {by_hand}")));
    }
    let is_root = cmd!("id", "-u").read().is_ok_and(|user| user == "0");
    if !is_root && cmd!("sudo", "-n", "true").stderr_null().run().is_err() {
        bail!(Missing(format!("{names}: neither root nor sudo without a password; {by_hand}")));
    }
    let sudo = if is_root { "" } else { "sudo -n " };
    let apt = format!("{sudo}env DEBIAN_FRONTEND=noninteractive apt-get");
    // An update that could not reach one of many mirrors need not keep a package away; if it does, the install says so.
    let _ = carry_out(&format!("{apt} update"));
    carry_out(&format!("{apt} install -y --no-install-recommends {names}"))
}

/// Has what is installed by one command.
pub(crate) fn ensure(is_installed: bool, what: &str, install: &str, no_install: bool) -> anyhow::Result<()> {
    match is_installed {
        true => Ok(()),
        false if no_install => bail!(Missing(format!("{what} is not installed; run `{install}`"))),
        false => carry_out(install),
    }
}

pub(crate) fn ensure_spirv_val(no_install: bool) -> anyhow::Result<()> {
    if is_on_path("spirv-val") { Ok(()) } else { install(&SPIRV_VAL, no_install) }
}

/// Runs a command quietly; if it fails, the error has the end of what it said.
pub(crate) fn carry_out(command: &str) -> anyhow::Result<()> {
    println!("$ {command}");
    let mut words = command.split_whitespace();
    let expression = cmd(words.next().unwrap_or_default(), words).stdin_null();
    let output = expression.stderr_to_stdout().stdout_capture().unchecked().run();
    let output = output.map_err(|error| Missing(format!("`{command}` failed: {error}")))?;
    let last = tail(&String::from_utf8_lossy(&output.stdout), TAIL_LINES);
    ensure!(output.status.success(), Missing(format!("`{command}` failed ({}): {last}", output.status)));
    Ok(())
}

pub(crate) fn tail(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].join("\n  ")
}

pub(crate) fn is_on_path(program: &str) -> bool {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(&file).is_file()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_told() {
        let why = install(&VULKAN, true).expect_err("it must not").to_string();
        let how =
            if is_on_path("apt-get") { "apt-get install -y --no-install-recommends mesa-vulkan" } else { "macOS" };
        assert!(why.contains(how), "{why}");
        let why = carry_out("ls /no-such-folder").expect_err("it is not there").to_string();
        assert!(why.starts_with("`ls /no-such-folder` failed (exit status: 2): ls: "), "{why}");
        assert!(carry_out("true").is_ok() && carry_out("no-such-program-anywhere").is_err());
        assert_eq!(tail("a\n\nb\nc\n", 2), "b\n  c");
    }
}
