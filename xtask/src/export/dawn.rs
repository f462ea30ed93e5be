//! Dawn with a device that computes: through the system's Vulkan, through SwiftShader, or through Mesa's OpenGL ES. The last
//! is for Linux without a GPU: Dawn refuses Debian 12's lavapipe, which lacks the indexing of arrays of storage images.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::driver;
use crate::node::Node;
use crate::setup;
use crate::steps::Missing;

const RUNNER: [(&str, &str); 3] = [
    ("run.mjs", include_str!("../../../examples/web_plan/run.mjs")),
    ("plan.mjs", include_str!("../../../examples/web_plan/plan.mjs")),
    ("network.mjs", include_str!("../../../examples/web_plan/network.mjs")),
];
/// How the runner ends where Dawn finds no device.
const NO_DEVICE: i32 = 3;
const OPENGL_ES: [(&str, &str); 2] = [("DAWN_BACKEND", "opengles"), ("EGL_PLATFORM", "surfaceless")];

type Environment = Vec<(&'static str, PathBuf)>;

pub(super) struct Dawn {
    node: Node,
    environment: Environment,
}

impl Dawn {
    pub(super) fn find(root: &Path, no_install: bool) -> anyhow::Result<Self> {
        let node = Node::with_webgpu(root, no_install)?;
        let mut ways: Vec<(&str, Environment)> = vec![("Dawn", Vec::new())];
        if let Ok(manifest) = driver::swiftshader() {
            ways.push(("Dawn on SwiftShader", driver::LOADER_VARIABLES.map(|name| (name, manifest.clone())).into()));
        }
        let has_gl = std::env::consts::OS == "linux";
        let gl = OPENGL_ES.map(|(name, value)| (name, PathBuf::from(value))).to_vec();
        if has_gl {
            ways.push(("Dawn on OpenGL ES", gl.clone()));
        }
        for (name, environment) in ways {
            println!("{name}:");
            if finds_device(&node, &environment)? {
                return Ok(Self { node, environment });
            }
        }
        ensure!(has_gl, Missing("Dawn finds no adapter on this machine".to_owned()));
        setup::install(&setup::GL, no_install).context("Dawn finds no adapter; Mesa's OpenGL ES")?;
        ensure!(finds_device(&node, &gl)?, Missing("Dawn finds no adapter, nor in Mesa's OpenGL ES".to_owned()));
        Ok(Self { node, environment: gl })
    }

    pub(super) fn run(&self, folders: &[PathBuf]) -> anyhow::Result<()> {
        let status = self.node.run(&RUNNER, folders, &self.environment)?;
        ensure!(status.success(), "exported plans give wrong results, or do not run");
        Ok(())
    }
}

fn finds_device(node: &Node, environment: &Environment) -> anyhow::Result<bool> {
    let status = node.run(&RUNNER, &[], environment)?;
    match status.code().context("Dawn died")? {
        0 => Ok(true),
        NO_DEVICE => Ok(false),
        code => bail!("Dawn's runner ended with code {code}"),
    }
}
