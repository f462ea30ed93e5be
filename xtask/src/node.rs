//! Node.js with the npm package `webgpu`, which is Dawn: the WebGPU of Chromium, with Tint, its front end for WGSL. It is
//! fetched into `target`, and scripts run beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, ensure};
use duct::cmd;
use fs_err as fs;

use crate::steps::Missing;

const PACKAGE: &str = "webgpu@0.6.2";

#[derive(Debug)]
pub(crate) struct Node {
    home: PathBuf,
}

impl Node {
    pub(crate) fn with_webgpu(root: &Path, no_install: bool) -> anyhow::Result<Self> {
        let node = cmd!("node", "--version").stdout_null().run();
        node.map_err(|_| Missing("Node.js is not on the PATH".to_owned()))?;
        let home = root.join("target/tint");
        fs::create_dir_all(&home)?;
        if !home.join("node_modules/webgpu").exists() {
            ensure!(!no_install, Missing(format!("the npm package {PACKAGE} is not in {}", home.display())));
            println!("fetching the npm package {PACKAGE} into {}", home.display());
            fs::write(home.join("package.json"), "{\"private\": true}\n")?;
            let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
            cmd!(npm, "install", "--no-audit", "--no-fund", PACKAGE).dir(&home).run()?;
        }
        Ok(Self { home })
    }

    pub(crate) fn run(
        &self,
        scripts: &[(&str, &str)],
        folders: &[PathBuf],
        environment: &[(&str, PathBuf)],
    ) -> anyhow::Result<ExitStatus> {
        for (name, text) in scripts {
            fs::write(self.home.join(name), text)?;
        }
        let folders = folders.iter().map(fs::canonicalize).collect::<Result<Vec<_>, _>>()?;
        let mut command = Command::new("node");
        command.arg(scripts[0].0).args(folders).current_dir(&self.home);
        command.envs(environment.iter().map(|(name, value)| (name, value))).status().context("running node")
    }
}
