//! Devices that compute nothing, of wgpu's backend of that name: wgpu-core holds modules, layouts, bindings and dispatches
//! against whatever limits and features they are given.

use std::sync::{Arc, Mutex, PoisonError};

use pollster::block_on;
use winoconv::caps::{Caps, Limits};
use winoconv::gpu::{Bound, CacheSource, Context, Dispatches, ShaderChecks, Tensors, Workspace};
use winoconv::plan::{Plan, Slot};
use winoconv::wgpu;

/// A device with a profile's limits and features, and nothing beyond.
pub(crate) struct Noop {
    /// As an application brings its own.
    pub(crate) context: Context,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Noop {
    pub(crate) fn new(caps: &Caps) -> Self {
        let (limits, mut features) = (limits(&caps.limits), wgpu::Features::empty());
        features.set(wgpu::Features::SHADER_F16, caps.f16);
        features.set(wgpu::Features::TIMESTAMP_QUERY, caps.timestamps);
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::NOOP;
        descriptor.backend_options.noop = wgpu::NoopBackendOptions {
            enable: true,
            limits: Some(limits.clone()),
            features: Some(features),
            ..Default::default()
        };
        let instance = wgpu::Instance::new(descriptor);
        let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).expect("an adapter");
        let wanted =
            wgpu::DeviceDescriptor { required_features: features, required_limits: limits, ..Default::default() };
        let (device, queue) = block_on(adapter.request_device(&wanted)).unwrap_or_else(|e| panic!("{caps}: {e}"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            hears.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
        }));
        let context = Context::from_wgpu(device, queue, ShaderChecks::default(), CacheSource::off());
        Self { context: block_on(context).expect("any device will do"), heard }
    }

    /// Compiles, binds, encodes and submits each plan's packing and its run, and says how many dispatches they have. All
    /// use the same buffers, as long as the longest needs.
    ///
    /// # Errors
    /// What this crate says, or wgpu where this crate asks it, with the plan.
    pub(crate) fn run(&self, plans: &[Plan]) -> Result<usize, String> {
        let context = &self.context;
        let buffer = |slot: Slot| {
            let bytes = |plan: &Plan| plan.operand_type(slot).bytes(plan.operand_len(slot).unwrap_or(0));
            let words = plans.iter().map(bytes).max().unwrap_or(0).div_ceil(4);
            block_on(context.create_buffer(&slot.to_string(), words as usize)).map_err(|error| error.to_string())
        };
        let [input, weights, packed] = [buffer(Slot::Input)?, buffer(Slot::Weights)?, buffer(Slot::Packed)?];
        let [bias, slopes, residual] = [buffer(Slot::Bias)?, buffer(Slot::Slopes)?, buffer(Slot::Residual)?];
        let output = buffer(Slot::Output)?;
        let tensors = Tensors {
            input: Some((&input).into()),
            output: Some((&output).into()),
            weights: Some((&weights).into()),
            packed: Some((&packed).into()),
            bias: Some((&bias).into()),
            slopes: Some((&slopes).into()),
            residual: Some((&residual).into()),
        };
        let workspace = block_on(Workspace::new(context, &plans.iter().collect::<Vec<_>>()));
        let workspace = workspace.map_err(|error| error.to_string())?;
        let mut dispatches = 0;
        for plan in plans {
            for part in [Dispatches::Packing, Dispatches::Run] {
                let bound = block_on(Bound::new(context, plan, part, &tensors, &workspace));
                let bound = bound.map_err(|error| format!("{error}\n{plan}"))?;
                context.submit(&bound).map_err(|error| format!("{error}\n{plan}"))?;
                dispatches += bound.len();
            }
            let heard = self.heard();
            if !heard.is_empty() {
                return Err(format!("{}\n{plan}", heard.join("\n")));
            }
        }
        context.wait().map_err(|error| error.to_string())?;
        Ok(dispatches)
    }

    /// What wgpu reported where nobody asked it: of encoding and submitting.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Our bounds as wgpu's, and its defaults of what we have no bounds for.
fn limits(of: &Limits) -> wgpu::Limits {
    let [x, y, z] = of.max_compute_workgroup_size;
    wgpu::Limits {
        max_compute_workgroup_storage_size: of.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: of.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: x,
        max_compute_workgroup_size_y: y,
        max_compute_workgroup_size_z: z,
        max_compute_workgroups_per_dimension: of.max_compute_workgroups_per_dimension,
        max_storage_buffers_per_shader_stage: of.max_storage_buffers_per_shader_stage,
        // And the uniform.
        max_buffers_and_acceleration_structures_per_shader_stage: of.max_storage_buffers_per_shader_stage + 1,
        max_storage_buffer_binding_size: of.max_storage_buffer_binding_size,
        max_buffer_size: of.max_buffer_size,
        min_storage_buffer_offset_alignment: of.min_storage_buffer_offset_alignment,
        min_uniform_buffer_offset_alignment: of.min_uniform_buffer_offset_alignment,
        ..wgpu::Limits::default()
    }
}
