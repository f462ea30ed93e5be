//! Node.js with the npm package `webgpu`, which is Dawn: the WebGPU of Chromium, with Tint, its front end for WGSL. It is
//! fetched into `target`, and scripts run beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, ensure};

/// The package and its version.
const PACKAGE: &str = "webgpu@0.6.2";

/// A folder in which scripts find the package.
#[derive(Debug)]
pub(crate) struct Node {
    home: PathBuf,
}

impl Node {
    /// Finds Node and the package, or fetches the latter.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn with_webgpu(root: &Path, no_install: bool) -> anyhow::Result<Self> {
        let node = Command::new("node").arg("--version").output().context("Node.js is not on the PATH")?;
        ensure!(node.status.success(), "node --version failed");
        let home = root.join("target/tint");
        std::fs::create_dir_all(&home)?;
        if !home.join("node_modules/webgpu").exists() {
            ensure!(!no_install, "the npm package {PACKAGE} is not in {}", home.display());
            println!("fetching the npm package {PACKAGE} into {}", home.display());
            std::fs::write(home.join("package.json"), "{\"private\": true}\n")?;
            let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
            let status =
                Command::new(npm).args(["install", "--no-audit", "--no-fund", PACKAGE]).current_dir(&home).status();
            ensure!(status.context("running npm")?.success(), "npm install {PACKAGE} failed");
        }
        Ok(Self { home })
    }

    /// Runs the first of some scripts, by name and text, with folders as its arguments.
    pub(crate) fn run(
        &self,
        scripts: &[(&str, &str)],
        folders: &[PathBuf],
        environment: &[(&str, PathBuf)],
    ) -> anyhow::Result<ExitStatus> {
        for (name, text) in scripts {
            std::fs::write(self.home.join(name), text)?;
        }
        let mut command = Command::new("node");
        command.args(scripts.first().map(|(name, _)| name)).current_dir(&self.home);
        for folder in folders {
            command.arg(folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?);
        }
        command.envs(environment.iter().map(|(name, value)| (name, value))).status().context("running node")
    }
}
