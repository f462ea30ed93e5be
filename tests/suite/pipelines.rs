//! Compiled kernels: when they are compiled, how often, and what is kept of them from one device to the next.
#![cfg(feature = "gpu")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use crate::support::data::{Case, Data, assert_within};
use crate::support::gpus::{Gpu, on_one_gpu};
use pollster::block_on;
use winoconv::error::Error;
use winoconv::gpu::{CacheFault, CacheSource, CacheState, Context, ContextOptions, ShaderChecks};
use winoconv::kernel::{KernelSpec, Reading, WinogradInlined};
use winoconv::winograd::{F, Nested};
use winoconv::{Algorithm, Conv, Device, Layer, Plan, Preferences, Tolerance, wgpu};

/// A device of its own, on which nothing is compiled.
fn open(gpu: &Gpu, cache: CacheSource) -> Context {
    gpu.another(ContextOptions::default().pipeline_cache(cache))
}

fn case() -> Case {
    Case::new(Conv::new(3, 4, [3, 3]).padding(1).on([1, 3, 9, 9]).expect("legal"), Data::Normal, 9)
}

fn staged() -> Preferences {
    Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Staged(Nested::square(F::new(2, 3))))
}

fn layer(context: &Context, case: &Case) -> Layer {
    let layer = Layer::new_blocking(&context.clone().into(), case.problem.conv(), case.operands(), staged());
    layer.unwrap_or_else(|error| panic!("{error}"))
}

/// A run's kernels and the packing's.
fn kernels(plan: &Plan) -> Vec<KernelSpec> {
    let packing = plan.packing().dispatches(plan.problem());
    plan.dispatches().iter().chain(&packing).map(winoconv::plan::Dispatch::kernel).collect()
}

fn run(layer: &Layer, case: &Case, what: &str) {
    let output = layer.run_blocking(case.problem.input_shape(), &case.input);
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
    let algorithm = layer.plan(case.problem.input_shape()).expect("a plan").algorithm();
    assert_within(&output.data, &case.reference().all(), &case.bound(algorithm), what);
}

#[test]
fn kernels_are_compiled_when_they_are_needed_and_once() {
    on_one_gpu("kernels_are_compiled_when_they_are_needed_and_once", |gpu| {
        let context = open(gpu, CacheSource::off());
        let case = case();
        let layer = layer(&context, &case);
        let plan = layer.plan(case.problem.input_shape()).expect("a plan");
        assert_eq!(context.compilations(), 0, "a device, a layer, a plan: nothing to run yet");
        run(&layer, &case, "the first run");
        assert_eq!(context.compilations(), 4, "three kernels of a run and the packing's");
        run(&layer, &case, "the second run");
        run(&self::layer(&context, &case), &case, "another layer");
        block_on(context.pipelines(&kernels(&plan))).expect("all there");
        assert_eq!(context.compilations(), 4, "they are kept");
    });
}

#[test]
fn a_kernel_that_many_ask_for_at_once_is_compiled_once() {
    on_one_gpu("a_kernel_that_many_ask_for_at_once_is_compiled_once", |gpu| {
        let context = open(gpu, CacheSource::off());
        let plan = case().problem.plan(&Device::from(context.clone()), &staged()).expect("a plan");
        let kernels = kernels(&plan);
        let callers = 4;
        let together = Barrier::new(callers);
        let ask = || {
            together.wait();
            block_on(context.pipelines(&kernels)).expect("pipelines")
        };
        let all: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..callers).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(context.compilations(), kernels.len(), "each once, for {callers} callers");
        for pipelines in &all {
            let specs: Vec<_> = pipelines.iter().map(|pipeline| *pipeline.spec()).collect();
            assert_eq!(specs, kernels, "in the order that they were asked for");
            let same = pipelines.iter().zip(&all[0]).all(|(one, other)| std::sync::Arc::ptr_eq(one, other));
            assert!(same, "the same for all callers");
        }
    });
}

/// Beyond the capacity the least recently used kernel goes. What is bound lives on; a plan of more kernels than are kept has them all.
#[test]
fn a_device_keeps_the_kernels_that_it_used_last() {
    on_one_gpu("a_device_keeps_the_kernels_that_it_used_last", |gpu| {
        let context = open(gpu, CacheSource::off());
        assert_eq!(context.pipeline_capacity(), Context::PIPELINE_CAPACITY);
        let kernels = kernels(&case().problem.plan(&gpu.device(), &staged()).expect("a plan"));
        let pipeline = |index: usize| block_on(context.pipeline(&kernels[index])).expect("a pipeline");
        context.set_pipeline_capacity(2);
        let held = pipeline(1);
        pipeline(0);
        pipeline(1);
        pipeline(2);
        assert_eq!(context.compilations(), 3);
        assert!(std::sync::Arc::ptr_eq(&held, &pipeline(1)), "used last");
        pipeline(2);
        assert_eq!(context.compilations(), 3, "kept");
        pipeline(0);
        assert_eq!(context.compilations(), 4, "was dropped");
        context.set_pipeline_capacity(1);
        let all = block_on(context.pipelines(&kernels)).expect("pipelines");
        let specs: Vec<_> = all.iter().map(|pipeline| *pipeline.spec()).collect();
        assert_eq!((specs, context.compilations()), (kernels, 7), "three more, each once");
        let case = case();
        let layer = layer(&context, &case);
        run(&layer, &case, "more kernels than are kept");
        run(&layer, &case, "and again");
    });
}

/// Those who wait for a kernel get the one that is being compiled, even where nothing is kept.
#[test]
fn a_kernel_in_the_making_is_not_dropped() {
    on_one_gpu("a_kernel_in_the_making_is_not_dropped", |gpu| {
        let context = open(gpu, CacheSource::off());
        context.set_pipeline_capacity(0);
        let kernels = kernels(&case().problem.plan(&gpu.device(), &staged()).expect("a plan"));
        // Every caller holds on to what it has, so that none begins anew after the first is done.
        let (callers, together) = (4, Barrier::new(4));
        let ask = || {
            together.wait();
            let pipeline = block_on(context.pipeline(&kernels[0])).expect("a pipeline");
            together.wait();
            pipeline
        };
        let all: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..callers).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let distinct: HashSet<_> = all.iter().map(std::sync::Arc::as_ptr).collect();
        assert_eq!(context.compilations(), distinct.len(), "those who waited have the same");
        block_on(context.pipeline(&kernels[0])).expect("a pipeline");
        assert_eq!(context.compilations(), distinct.len() + 1, "and then it was gone");
    });
}

/// A kernel that cannot be compiled is an error for whoever asks, and holds nobody up.
#[test]
fn a_kernel_that_is_refused_is_refused_again() {
    on_one_gpu("a_kernel_that_is_refused_is_refused_again", |gpu| {
        let context = open(gpu, CacheSource::off());
        let legal = kernels(&case().problem.plan(&gpu.device(), &staged()).expect("a plan"));
        // There are no transforms of this size.
        let none = WinogradInlined::new(Nested::square(F::new(40, 3)), Reading::PerOutput).spec();
        let specs = [legal[0], none, legal[1]];
        for _ in 0..2 {
            let error = block_on(context.pipelines(&specs)).expect_err("there are no such transforms");
            assert!(matches!(error, Error::Kernel { .. }), "{error:?}");
        }
        assert_eq!(context.compilations(), 2, "the others were compiled, once");
    });
}

/// A folder for one test, gone before and after it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("winoconv-{test}-{}", std::process::id()));
        let folder = Self(path);
        folder.remove();
        folder
    }

    fn remove(&self) {
        // It need not be there.
        let _ = fs::remove_dir_all(&self.0);
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.0).into_iter().flatten();
        files.map(|file| file.expect("an entry").path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether the adapter has pipeline caches; if not, that this is what is said.
fn has_cache(test: &str, gpu: &Gpu) -> bool {
    let context = open(gpu, CacheSource::empty());
    let CacheState::Unavailable { why } = context.pipeline_cache() else { return true };
    assert_ne!(context.caps().backend, "Vulkan", "{why}");
    let error = context.pipeline_cache_bytes().expect_err("nothing to store");
    assert!(matches!(&error, Error::Unsupported { why: same, .. } if same.contains(why)), "{error}");
    crate::support::skipped(test, &format!("on {}: {why}", gpu.label));
    false
}

#[test]
fn pipelines_are_stored_and_found_again() {
    let test = "pipelines_are_stored_and_found_again";
    on_one_gpu(test, |gpu| {
        if !has_cache(test, gpu) {
            return;
        }
        let (folder, case) = (Folder::new(test), case());
        let inside = folder.0.join("made");
        let first = open(gpu, CacheSource::folder(&inside));
        assert_eq!(*first.pipeline_cache(), CacheState::Empty);
        run(&layer(&first, &case), &case, "with an empty cache");
        assert_eq!(folder.files(), Vec::<PathBuf>::new(), "nothing is written unasked");
        let file = first.save_pipeline_cache().expect("stored");
        let files = fs::read_dir(&inside).expect("made").count();
        assert_eq!((files, file.parent()), (1, Some(inside.as_path())), "one file, and no remains of its writing");
        let second = open(gpu, CacheSource::folder(&inside));
        let CacheState::Loaded { bytes } = *second.pipeline_cache() else { panic!("{}", second.pipeline_cache()) };
        assert!(bytes > 0 && bytes < fs::metadata(&file).expect("a file").len() as usize, "{bytes} bytes");
        run(&layer(&second, &case), &case, "with a stored cache");
        assert_eq!(second.compilations(), 4, "made again, from what was stored");
        assert_eq!(second.save_pipeline_cache(), Ok(file), "in its place");
    });
}

#[test]
fn a_stored_cache_that_is_of_no_use_is_ignored_with_the_reason() {
    let test = "a_stored_cache_that_is_of_no_use_is_ignored_with_the_reason";
    on_one_gpu(test, |gpu| {
        if !has_cache(test, gpu) {
            return;
        }
        let (folder, case) = (Folder::new(test), case());
        let first = open(gpu, CacheSource::folder(&folder.0));
        let file = first.save_pipeline_cache().expect("stored");
        let whole = fs::read(&file).expect("read");
        let opened = |what: &str| {
            let context = open(gpu, CacheSource::folder(&folder.0));
            run(&layer(&context, &case), &case, what);
            match context.pipeline_cache() {
                CacheState::Ignored(fault) => fault.clone(),
                other => panic!("{what}: {other}"),
            }
        };
        let with = |what: &str, bytes: &[u8]| {
            fs::write(&file, bytes).expect("written");
            opened(what)
        };
        let mut damaged = whole.clone();
        *damaged.last_mut().expect("not empty") ^= 1;
        assert_eq!(with("one bit", &damaged), CacheFault::Damaged);
        assert_eq!(with("cut short", &whole[..whole.len() - 1]), CacheFault::Incomplete);
        assert_eq!(with("something else", b"GIF89a"), CacheFault::NotOurs);
        assert_eq!(with("empty", b""), CacheFault::NotOurs);
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("a folder in its place");
        let fault = opened("a folder");
        assert_eq!(fault, CacheFault::NotRegular { path: file.clone() });
        let error = first.save_pipeline_cache().expect_err("a folder is in the way").to_string();
        assert!(error.contains("writing") && error.contains(&*file.to_string_lossy()), "{error}");
        assert_eq!(folder.files(), [file.as_path()], "no remains");
    });
}

/// What others could write must not reach the driver.
#[cfg(unix)]
#[test]
fn a_stored_cache_that_others_may_write_is_ignored() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = "a_stored_cache_that_others_may_write_is_ignored";
    on_one_gpu(test, |gpu| {
        if !has_cache(test, gpu) {
            return;
        }
        let folder = Folder::new(test);
        let file = open(gpu, CacheSource::folder(&folder.0)).save_pipeline_cache().expect("stored");
        let state = || open(gpu, CacheSource::folder(&folder.0)).pipeline_cache().clone();
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&folder.0)), (0o600, 0o700), "made for this user alone");
        for (path, safe, shared) in [(&file, 0o600, 0o620), (&folder.0, 0o700, 0o702)] {
            fs::set_permissions(path, fs::Permissions::from_mode(shared)).expect("changed");
            assert_eq!(state(), CacheState::Ignored(CacheFault::Shared { path: path.clone() }));
            fs::set_permissions(path, fs::Permissions::from_mode(safe)).expect("changed back");
        }
        assert!(matches!(state(), CacheState::Loaded { .. }), "{}", state());
        // Root alone gives files away.
        if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
            assert_eq!(state(), CacheState::Ignored(CacheFault::OtherUser { path: file.clone(), uid: 65_534 }));
        } else {
            crate::support::skipped(test, "a file of another user takes root");
        }
    });
}

#[expect(unsafe_code, reason = "the application's promise of where its bytes come from")]
fn from_bytes(bytes: &[u8]) -> CacheSource {
    // SAFETY: tests pass what `pipeline_cache_bytes` gave, or what is found to be damaged before a driver sees it.
    unsafe { CacheSource::bytes(bytes.to_vec()) }
}

#[test]
fn an_application_may_store_the_bytes_itself() {
    let test = "an_application_may_store_the_bytes_itself";
    on_one_gpu(test, |gpu| {
        if !has_cache(test, gpu) {
            return;
        }
        let case = case();
        let first = open(gpu, CacheSource::empty());
        assert_eq!(*first.pipeline_cache(), CacheState::Empty);
        run(&layer(&first, &case), &case, "with an empty cache");
        let bytes = first.pipeline_cache_bytes().expect("bytes");
        let second = open(gpu, from_bytes(&bytes));
        assert!(matches!(second.pipeline_cache(), CacheState::Loaded { .. }), "{}", second.pipeline_cache());
        run(&layer(&second, &case), &case, "with its bytes");
        let half = open(gpu, from_bytes(&bytes[..bytes.len() / 2]));
        assert_eq!(*half.pipeline_cache(), CacheState::Ignored(CacheFault::Incomplete));
        let error = second.save_pipeline_cache().expect_err("no folder").to_string();
        assert!(error.contains("without a cache folder"), "{error}");
    });
}

/// The caller's device as it comes, and one that was requested with the feature.
#[test]
fn a_borrowed_device_has_a_cache_if_it_has_the_feature() {
    let test = "a_borrowed_device_has_a_cache_if_it_has_the_feature";
    on_one_gpu(test, |gpu| {
        let with_feature = has_cache(test, gpu);
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::PRIMARY;
        let instance = wgpu::Instance::new(descriptor);
        let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
        let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name == gpu.context.caps().name);
        let adapter = adapter.expect("the adapter that the crate found");
        let borrow = |required_features, source| {
            let descriptor = wgpu::DeviceDescriptor { required_features, ..Default::default() };
            let (device, queue) = block_on(adapter.request_device(&descriptor)).expect("a device");
            block_on(Context::from_wgpu(device, queue, ShaderChecks::default(), source)).expect("a context")
        };
        let without = borrow(wgpu::Features::empty(), CacheSource::empty());
        let state = without.pipeline_cache();
        assert!(matches!(state, CacheState::Unavailable { why } if why.contains("PIPELINE_CACHE")), "{state}");
        let error = without.save_pipeline_cache().expect_err("none").to_string();
        assert!(error.contains("PIPELINE_CACHE"), "{error}");
        run(&layer(&without, &case()), &case(), "without a cache");
        let off = borrow(wgpu::Features::empty(), CacheSource::off());
        assert_eq!(*off.pipeline_cache(), CacheState::Off);
        if with_feature {
            let with = borrow(wgpu::Features::PIPELINE_CACHE, CacheSource::empty());
            assert_eq!(*with.pipeline_cache(), CacheState::Empty);
        }
    });
}

/// The queue's number of a submission of nothing: each submission takes the next one, and so does each mapping of a buffer,
/// which has wgpu look for writes to submit.
fn submission(context: &Context) -> u64 {
    let text = format!("{:?}", context.queue().submit([]));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_run_is_one_submission() {
    on_one_gpu("a_run_is_one_submission", |gpu| {
        let context = open(gpu, CacheSource::off());
        let case = case();
        let layer = layer(&context, &case);
        let buffer = block_on(context.upload("test", &[1.0])).expect("a buffer");
        let numbers = |work: &dyn Fn()| {
            let before = submission(&context);
            work();
            submission(&context) - before - 1
        };
        let copy = numbers(&|| drop(block_on(context.download(&buffer, 1)).expect("a copy")));
        assert_eq!(copy, 2, "a submission and a mapping");
        assert_eq!(numbers(&|| run(&layer, &case, "the first run")), copy + 1, "one more, for packing");
        assert_eq!(numbers(&|| run(&layer, &case, "the second run")), copy, "dispatches and copy in one");
    });
}
