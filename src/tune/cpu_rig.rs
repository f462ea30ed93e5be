//! The CPU, with its twins.

use std::ops::Range;
use std::time::Duration;

use super::clock::Clock;
use super::data::Data;
use super::rig::Rig;
use crate::cpu;
use crate::error::Result;
use crate::plan::Plan;
use crate::problem::Problem;

pub(super) struct CpuRig<'a> {
    data: &'a Data,
    windows: &'a [Range<usize>],
    workspace: Vec<Vec<f32>>,
    output: Vec<f32>,
}

/// A plan and the weights that it packed.
pub(super) struct OnCpu {
    plan: Plan,
    packed: Vec<f32>,
}

impl<'a> CpuRig<'a> {
    pub(super) fn new(problem: &Problem, data: &'a Data, windows: &'a [Range<usize>]) -> Self {
        Self { data, windows, workspace: Vec::new(), output: vec![f32::NAN; problem.output_len()] }
    }

    fn run(&mut self, OnCpu { plan, packed }: &OnCpu) -> Result<()> {
        let Data { input, weights, bias, slopes, residual } = self.data;
        let operands = cpu::Operands { input, weights, packed, bias, slopes, residual };
        cpu::run(plan, &operands, &mut self.workspace, &mut self.output)
    }
}

impl Rig for CpuRig<'_> {
    type Ready = OnCpu;

    async fn compile(&mut self, _: &[&Plan]) {}

    async fn prepare(&mut self, plan: &Plan) -> Result<OnCpu> {
        self.workspace.resize_with(self.workspace.len().max(plan.workspace.len()), Vec::new);
        for (buffer, &len) in self.workspace.iter_mut().zip(&plan.workspace) {
            buffer.resize(buffer.len().max(len), f32::NAN);
        }
        Ok(OnCpu { plan: plan.clone(), packed: cpu::pack(plan, &self.data.weights)? })
    }

    async fn output(&mut self, ready: &OnCpu) -> Result<Vec<f32>> {
        self.output.fill(f32::NAN);
        self.workspace.iter_mut().for_each(|buffer| buffer.fill(f32::NAN));
        self.run(ready)?;
        Ok(self.windows.iter().flat_map(|window| &self.output[window.clone()]).copied().collect())
    }

    async fn time(&mut self, ready: &OnCpu, runs: u32) -> Result<Duration> {
        let clock = Clock::start();
        (0..runs).try_for_each(|_| self.run(ready))?;
        Ok(clock.elapsed())
    }
}
