//! Reading buffers back through a staging buffer that is kept: any range, several at a time, and no buffer made once there is room.
#![cfg(feature = "gpu")]

use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::task::{Poll, Waker};

use pollster::block_on;
use winoconv::error::{DeviceError, Error, ShapeError};
use winoconv::gpu::{Context, ContextOptions, ReadBack, Tensor};
use winoconv::{DType, wgpu};

use crate::support::gpus::{on_gpus, on_one_gpu};

fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

/// Copies a range and submits the copy.
fn copy(context: &Context, read_back: &mut ReadBack, from: Tensor<'_>, bytes: u64) -> winoconv::Result<()> {
    let mut encoder = encoder(context);
    block_on(read_back.encode(&mut encoder, from, bytes))?;
    context.queue().submit([encoder.finish()]);
    Ok(())
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| i as f32 * 0.25 - 3.0).collect()
}

fn upload(context: &Context, data: &[f32]) -> wgpu::Buffer {
    block_on(context.upload("numbers", data)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn any_range_of_bytes_comes_back() {
    on_gpus("any_range_of_bytes_comes_back", |gpu| {
        let context = &gpu.context;
        let data = numbers(300);
        let all: &[u8] = bytemuck::cast_slice(&data);
        let buffer = upload(context, &data);
        let mut read_back = ReadBack::new(context);
        assert_eq!(read_back.capacity(), 0, "nothing is made ahead");
        for (offset, len) in [(0, 8), (3, 1), (5, 14), (0, 1200), (1199, 1), (1200, 0), (7, 0), (400, 300)] {
            copy(context, &mut read_back, Tensor::at(&buffer, offset as u64), len as u64).expect("within the buffer");
            let read = block_on(read_back.read(<[u8]>::to_vec)).expect("bytes");
            assert_eq!(read, all[offset..offset + len], "{len} bytes from {offset} on");
        }
        assert_eq!(read_back.capacity(), 1200, "as much as the largest took");

        // Into slices of numbers, and of what is stored as a type.
        copy(context, &mut read_back, Tensor::at(&buffer, 40), 12).expect("within the buffer");
        let mut three = [0.0f32; 3];
        block_on(read_back.read_into(&mut three)).expect("numbers");
        assert_eq!(three, data[10..13]);
        let halves = block_on(context.upload_as("halves", DType::F16, &data[..9])).expect("a buffer");
        copy(context, &mut read_back, Tensor::at(&halves, 6), 12).expect("within the buffer");
        let mut six = [0.0; 6];
        block_on(read_back.read_as(DType::F16, &mut six)).expect("numbers");
        assert_eq!(six, data[3..9]);
        copy(context, &mut read_back, Tensor::new(&buffer), 1200).expect("within the buffer");
        let mut some = [0.0; 7];
        block_on(read_back.read_as(DType::F32, &mut some)).expect("the first of them");
        assert_eq!(some, data[..7]);
    });
}

#[test]
fn several_are_under_way_at_once() {
    on_one_gpu("several_are_under_way_at_once", |gpu| {
        let context = &gpu.context;
        let buffers: Vec<wgpu::Buffer> = (0..4).map(|i| upload(context, &[i as f32; 8])).collect();
        let mut all: Vec<ReadBack> = buffers.iter().map(|_| ReadBack::new(context)).collect();
        for round in 0..3 {
            let mut encoder = encoder(context);
            for (read_back, buffer) in all.iter_mut().zip(&buffers) {
                block_on(read_back.encode(&mut encoder, buffer, 32)).expect("a copy");
            }
            context.queue().submit([encoder.finish()]);
            for (i, read_back) in all.iter_mut().enumerate().rev() {
                let mut read = [f32::NAN; 8];
                block_on(read_back.read_into(&mut read)).expect("numbers");
                assert_eq!(read, [i as f32; 8], "round {round}");
            }
        }
    });
}

/// Who drops a read that is under way, or what was copied, reads the next copy all the same.
#[test]
fn a_read_that_is_dropped_leaves_nothing_behind() {
    on_one_gpu("a_read_that_is_dropped_leaves_nothing_behind", |gpu| {
        let context = &gpu.context;
        let [one, two] = [1.0, 2.0].map(|number| upload(context, &vec![number; 1 << 20]));
        let mut read_back = ReadBack::new(context);
        let mut dropped = 0;
        for _ in 0..5 {
            copy(context, &mut read_back, (&one).into(), 4 << 20).expect("a copy");
            let mut read = Box::pin(read_back.read(|bytes| bytes[3]));
            let polled = read.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
            dropped += usize::from(matches!(polled, Poll::Pending));
            drop(read);
            copy(context, &mut read_back, (&one).into(), 4).expect("one that is never read");
            copy(context, &mut read_back, (&two).into(), 8).expect("a copy");
            let mut read = [0.0f32; 2];
            block_on(read_back.read_into(&mut read)).expect("numbers");
            assert_eq!(read, [2.0; 2]);
        }
        // Natively the future waits for the device, and is done when it was polled once.
        assert_eq!(dropped, 0);
    });
}

#[test]
fn what_cannot_be_read_is_refused() {
    on_one_gpu("what_cannot_be_read_is_refused", |gpu| {
        let context = &gpu.context;
        let buffer = upload(context, &numbers(4));
        let mut read_back = ReadBack::new(context);
        let read = block_on(read_back.read(|_| ()));
        assert!(matches!(read, Err(Error::Unsupported { .. })), "{read:?}");
        for (offset, bytes) in [(0, 17), (16, 1), (u64::MAX - 3, 4), (4, u64::MAX)] {
            let refused = copy(context, &mut read_back, Tensor::at(&buffer, offset), bytes);
            assert!(matches!(refused, Err(Error::Shape(ShapeError::Length { .. }))), "{offset}, {bytes}: {refused:?}");
        }
        copy(context, &mut read_back, (&buffer).into(), 8).expect("a copy");
        let wrong = block_on(read_back.read_into(&mut [0u16; 3]));
        assert!(matches!(wrong, Err(Error::Shape(ShapeError::Length { expected: 8, got: 6, .. }))), "{wrong:?}");
        let wrong = block_on(read_back.read_as(DType::F32, &mut [0.0; 3]));
        assert!(matches!(wrong, Err(Error::Shape(ShapeError::Length { expected: 3, got: 2, .. }))), "{wrong:?}");
        let mut halves = [0u16; 4];
        block_on(read_back.read_into(&mut halves)).expect("what was copied is still there");
        assert_eq!(halves, *bytemuck::cast_slice::<f32, u16>(&numbers(2)));
        let again = block_on(read_back.read(|_| ()));
        assert!(matches!(again, Err(Error::Unsupported { .. })), "{again:?}");

        let other = gpu.another(ContextOptions::default());
        let theirs = upload(&other, &[0.0; 4]);
        let foreign = copy(context, &mut read_back, (&theirs).into(), 4);
        assert!(matches!(foreign, Err(Error::Device(DeviceError::WrongDevice { .. }))), "{foreign:?}");
        let foreign = block_on(read_back.encode(&mut encoder(&other), &buffer, 4));
        assert!(matches!(foreign, Err(Error::Device(DeviceError::WrongDevice { .. }))), "{foreign:?}");
    });
}

/// The most buffers that a device has while something runs: they are counted without a pause, also those of wgpu's own.
fn most_buffers(context: &Context, run: impl FnOnce()) -> isize {
    let count = || context.device().get_internal_counters().hal.buffers.read();
    let (is_done, most) = (AtomicBool::new(false), AtomicIsize::new(count()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                most.fetch_max(count(), Ordering::Relaxed);
            }
        });
        run();
        is_done.store(true, Ordering::Relaxed);
    });
    most.into_inner()
}

#[test]
fn reading_again_makes_no_buffer() {
    on_one_gpu("reading_again_makes_no_buffer", |gpu| {
        let context = &gpu.another(ContextOptions::default());
        let buffer = upload(context, &numbers(1 << 18));
        let mut read_back = ReadBack::new(context);
        let mut read = |bytes: u64| {
            copy(context, &mut read_back, (&buffer).into(), bytes).expect("a copy");
            block_on(read_back.read(<[u8]>::len)).expect("bytes")
        };
        read(1 << 20);
        block_on(async { context.wait() }).expect("a device");
        let rest = most_buffers(context, || ());
        let while_reading = most_buffers(context, || {
            for i in 0..50 {
                assert_eq!(read((1 << 20) - 4 * i), (1 << 20) - 4 * i as usize);
            }
        });
        assert_eq!(while_reading, rest, "buffers while reading");
        // The counter counts: a download makes one.
        let while_downloading = most_buffers(context, || {
            (0..50).for_each(|_| drop(block_on(context.download(&buffer, 1 << 18)).expect("numbers")));
        });
        assert_eq!(while_downloading, rest + 1);
    });
}

#[cfg(feature = "graph")]
#[test]
fn running_a_network_again_makes_no_buffer() {
    use winoconv::graph::{Graph, Network};
    use winoconv::{Conv, Preferences};
    on_one_gpu("running_a_network_again_makes_no_buffer", |gpu| {
        let context = &gpu.another(ContextOptions::default());
        let mut net = Graph::new();
        let x = net.input("x", [1, 1, 256, 256]).expect("new");
        let other = net.input("other", [1, 1, 256, 256]).expect("new");
        let sum = net.add(x, other).expect("fits");
        let conv = net.conv(sum, Conv::new(1, 1, [3, 3]).padding(1), vec![1.0; 9], []).expect("fits");
        net.output("conv", conv).expect("new");
        net.output("sum", sum).expect("new");
        let network = Network::new_blocking(&context.clone().into(), &net, Preferences::new()).expect("a network");
        let run = |i: usize| {
            let [x, other] = [i as f32, 1.0].map(|number| vec![number; 1 << 16]);
            let outputs = network.run_blocking(&[&x, &other]).expect("outputs");
            assert_eq!((outputs[0][300], outputs[1][70]), (9.0 * (i as f32 + 1.0), i as f32 + 1.0));
        };
        // The first run makes buffers for the ends, the second one what its inputs are staged in.
        (0..2).for_each(run);
        let rest = most_buffers(context, || ());
        assert_eq!(most_buffers(context, || (2..40).for_each(run)), rest, "buffers while running");
        // What wgpu stages by itself is counted, too.
        let buffer = upload(context, &[0.0; 1 << 16]);
        let while_writing = most_buffers(context, || {
            for _ in 0..50 {
                context.queue().write_buffer(&buffer, 0, &[0; 1 << 18]);
                context.queue().submit([]);
                context.wait().expect("a device");
            }
        });
        assert!(while_writing > rest + 1, "{while_writing} buffers, {rest} before");
    });
}
