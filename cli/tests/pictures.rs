//! `winoconv upscale` and `winoconv denoise`, run as a user runs them.

mod support;

use image::{ColorType, GenericImageView as _, imageops};
use support::{Folder, errors, pfm, pfm_numbers, printed, shades, shades_with_alpha};
use winoconv::gpu::adapters;

#[test]
fn a_picture_is_enlarged() {
    let folder = Folder::new();
    shades(24, 18).save(folder.file("in.png")).expect("a picture");
    let output = folder.done(&["upscale", "--cpu", "in.png", "-o", "out.png"]);
    assert!(errors(&output).starts_with("device: CPU"), "{}", errors(&output));
    let (large, small) = (folder.open("out.png"), folder.open("in.png"));
    assert_eq!((large.dimensions(), large.color()), ((96, 72), ColorType::Rgb8));
    // Smooth colours stay: as by any other way to enlarge them.
    let other = imageops::resize(&small.to_rgb8(), 96, 72, imageops::FilterType::CatmullRom);
    let apart = large.to_rgb8().iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
    assert!(apart < 5 * 96 * 72 * 3, "{apart}");
    assert_eq!(folder.names(), ["in.png", "out.png"]);
}

#[test]
fn alpha_and_sixteen_bits_are_kept() {
    let folder = Folder::new();
    shades_with_alpha(16, 12).save(folder.file("in.png")).expect("a picture");
    folder.done(&["upscale", "--cpu", "in.png", "-o", "out.png", "--scale", "3", "--quiet"]);
    let large = folder.open("out.png");
    assert_eq!((large.dimensions(), large.color()), ((48, 36), ColorType::Rgba16));
    let large = large.to_rgba16();
    let alpha: Vec<u16> = (0..48).map(|x| large.get_pixel(x, 18)[3]).collect();
    assert!(alpha.is_sorted() && alpha[0].abs_diff(10_007) < 2_000 && alpha[47].abs_diff(55_022) < 2_000, "{alpha:?}");
    assert!(large.pixels().any(|pixel| pixel[0] % 257 != 0), "more than 8 bits");

    folder.done(&["upscale", "--cpu", "in.png", "-o", "out.webp", "--scale", "2", "--quiet"]);
    assert_eq!(folder.open("out.webp").color(), ColorType::Rgba8);
    let message = folder.fails(1, &["upscale", "--cpu", "in.png", "-o", "out.jpg"]);
    assert!(message.contains("it has transparency; write a .png"), "{message}");
    assert!(!folder.file("out.jpg").exists());
}

#[test]
fn grey_pictures_stay_grey() {
    let folder = Folder::new();
    imageops::grayscale(&shades(9, 7)).save(folder.file("in.png")).expect("a picture");
    let output = folder.done(&["upscale", "--cpu", "in.png", "-o", "a.png", "--scale", "2", "--precision", "f16"]);
    assert!(errors(&output).contains("the CPU stores tensors with 32 bits"), "{}", errors(&output));
    let output = folder.done(&["upscale", "--cpu", "in.png", "-o", "out.jpg", "--scale", "2", "--quiet"]);
    assert_eq!((errors(&output), printed(&output)), (String::new(), String::new()));
    let large = folder.open("out.jpg");
    assert_eq!((large.dimensions(), large.color()), ((18, 14), ColorType::L8));
}

#[test]
fn a_folder_is_done_even_if_one_picture_is_damaged() {
    let folder = Folder::new();
    std::fs::create_dir(folder.file("in")).expect("a folder");
    for name in ["in/a.png", "in/b.webp", "in/d.jpg"] {
        shades(10, 8).save(folder.file(name)).expect("a picture");
    }
    let whole = std::fs::read(folder.file("in/a.png")).expect("a file");
    std::fs::write(folder.file("in/c.png"), &whole[..whole.len() / 2]).expect("a damaged file");
    std::fs::write(folder.file("in/notes.txt"), "no picture").expect("a file");
    let message = folder.fails(1, &["upscale", "--cpu", "in", "-o", "out", "--scale", "2"]);
    assert!(message.contains("c.png is no picture that can be read"), "{message}");
    assert!(message.contains("1 of 4 pictures failed"), "{message}");
    for name in ["out/a.png", "out/b.webp", "out/d.jpg"] {
        assert_eq!(folder.open(name).dimensions(), (20, 16), "{name}");
    }
    let mut names: Vec<_> =
        std::fs::read_dir(folder.file("out")).expect("it").map(|e| e.expect("it").file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.png", "b.webp", "d.jpg"]);

    let output = folder.done(&["upscale", "--cpu", "in/[ab].*", "-o", "again/", "--scale", "2"]);
    assert!(folder.file("again/a.png").exists() && folder.file("again/b.webp").exists(), "{}", errors(&output));
}

#[test]
fn nothing_is_replaced_unasked() {
    let folder = Folder::new();
    shades(8, 8).save(folder.file("in.png")).expect("a picture");
    std::fs::write(folder.file("out.png"), "precious").expect("a file");
    let message = folder.fails(1, &["upscale", "--cpu", "in.png", "-o", "out.png"]);
    assert!(message.contains("out.png is there already; pass --force to replace it"), "{message}");
    assert_eq!(std::fs::read(folder.file("out.png")).expect("a file"), b"precious");
    folder.done(&["upscale", "--cpu", "in.png", "-o", "out.png", "--force"]);
    assert_eq!(folder.open("out.png").dimensions(), (32, 32));
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let folder = Folder::new();
    shades(8, 8).save(folder.file("in.png")).expect("a picture");
    std::fs::write(folder.file("damaged.png"), "no picture").expect("a file");
    for (code, arguments, expected) in [
        (1, "upscale damaged.png -o out.png --cpu", "damaged.png is no picture that can be read"),
        (1, "upscale nowhere.png -o out.png --cpu", "cannot read nowhere.png"),
        (1, "upscale in.png -o out.gif --cpu", "unknown kind of file; expected a name that ends in .png"),
        (1, "upscale in.png -o out.png --device nosuchdevice", "`winoconv devices` lists the devices"),
        (1, "upscale in.png -o out.png --cpu --weights damaged.png", "expected a .safetensors file"),
        (1, "denoise in.png -o out.png --cpu --hdr --small", "no weights for HDR, small are part of this crate"),
        (1, "denoise in.png -o out.png --cpu --albedo in.png", "no weights for LDR, albedo"),
        (2, "upscale in.png -o out.png --scale 5", "5 is not in 2..=4"),
        (2, "upscale in.png", "--output"),
        (2, "upscale in.png -o out.png --cpu --device x", "cannot be used with"),
        (2, "denoise in.png -o out.png --hdr --ldr", "cannot be used with"),
        (2, "enlarge in.png", "unrecognized subcommand"),
    ] {
        let message = folder.fails(code, &arguments.split(' ').collect::<Vec<_>>());
        assert!(message.contains(expected), "{arguments}: {message}");
    }
    assert_eq!(folder.names(), ["damaged.png", "in.png"]);
}

#[test]
fn the_plan_is_explained_and_tiles_are_the_same_picture() {
    let folder = Folder::new();
    shades(120, 80).save(folder.file("in.png")).expect("a picture");
    let output = folder.done(&["upscale", "--cpu", "in.png", "-o", "whole.png", "--scale", "2", "--explain"]);
    let plan = printed(&output);
    assert!(plan.contains("body.0") && plan.contains("conv 3 -> 64") && plan.contains("1 tiles of"), "{plan}");
    let output =
        folder.done(&["upscale", "--cpu", "in.png", "-o", "tiled.png", "--scale", "2", "--explain", "--memory", "12"]);
    assert!(!printed(&output).contains("1 tiles of"), "{}", printed(&output));
    let [whole, tiled] = ["whole.png", "tiled.png"].map(|name| folder.open(name).to_rgb8());
    assert!(whole.iter().zip(tiled.iter()).all(|(a, b)| a.abs_diff(*b) <= 1));
}

#[test]
fn renderings_are_denoised() {
    let folder = Folder::new();
    let (width, height) = (20, 18);
    let noise = |i: usize| if i.is_multiple_of(7) { 3.0 } else { 0.5 + (i % 5) as f32 / 10.0 };
    std::fs::write(folder.file("colour.pfm"), pfm(width, height, noise)).expect("a file");
    std::fs::write(folder.file("albedo.pfm"), pfm(width, height, |_| 0.7)).expect("a file");
    std::fs::write(folder.file("normal.pfm"), pfm(width, height, |i| [0.0, 1.0, 0.0][i % 3])).expect("a file");
    std::fs::write(folder.file("small.pfm"), pfm(3, 2, |_| 0.5)).expect("a file");
    let of_all = ["--albedo", "albedo.pfm", "--normal", "normal.pfm"];
    let spread = |numbers: &[f32]| {
        let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
        numbers.iter().map(|number| (number - mean).abs()).sum::<f32>() / numbers.len() as f32
    };
    let before = spread(&(0..3 * width * height).map(noise).collect::<Vec<_>>());
    for (out, more) in [("a.pfm", &[][..]), ("b.pfm", &of_all[..]), ("c.pfm", &[&of_all[..], &["--small"]].concat())] {
        folder.done(&[&["denoise", "--cpu", "colour.pfm", "-o", out], more].concat());
        let clean = pfm_numbers(&std::fs::read(folder.file(out)).expect("a picture"));
        assert_eq!(clean.len(), 3 * width * height);
        assert!(spread(&clean) < before / 2.0, "{out}: {} of {before}", spread(&clean));
    }
    // To other kinds of file and from them.
    folder.done(&["denoise", "--cpu", "colour.pfm", "-o", "d.exr"]);
    assert_eq!(folder.open("d.exr").color(), ColorType::Rgb32F);
    folder.done(&["denoise", "--cpu", "d.exr", "-o", "e.png", "--ldr"]);
    assert_eq!(folder.open("e.png").color(), ColorType::Rgb16);
    for range in ["--ldr", "--hdr"] {
        folder.done(&["denoise", "--cpu", "e.png", "-o", "f.jpg", "--force", range]);
        assert_eq!(folder.open("f.jpg").dimensions(), (20, 18));
    }
    let message = folder.fails(
        1,
        &["denoise", "--cpu", "colour.pfm", "-o", "g.pfm", "--albedo", "small.pfm", "--normal", "normal.pfm"],
    );
    assert!(message.contains("small.pfm is of 3 x 2 pixels, and the colours are of 20 x 18 pixels"), "{message}");
}

#[test]
fn a_device_is_taken_by_its_name() {
    let folder = Folder::new();
    let all = printed(&folder.done(&["devices"]));
    assert!(all.lines().last().is_some_and(|line| line.ends_with("(--cpu)")), "{all}");
    let policy = std::env::var("WINOCONV_GPU").unwrap_or_default();
    let found = if policy == "off" { Vec::new() } else { pollster::block_on(adapters()) };
    let Some(adapter) = found.first() else {
        assert_ne!(policy, "require", "no adapter, and WINOCONV_GPU=require");
        return skipped(
            "pictures::a_device_is_taken_by_its_name",
            if policy == "off" { "WINOCONV_GPU=off" } else { "no adapter" },
        );
    };
    shades(12, 10).save(folder.file("in.png")).expect("a picture");
    let output = folder.done(&["upscale", "in.png", "-o", "gpu.png", "--device", &adapter.name]);
    assert!(errors(&output).contains(&adapter.name), "{}", errors(&output));
    folder.done(&["upscale", "in.png", "-o", "cpu.png", "--cpu"]);
    let [gpu, cpu] = ["gpu.png", "cpu.png"].map(|name| folder.open(name).to_rgb8());
    assert!(gpu.iter().zip(cpu.iter()).all(|(a, b)| a.abs_diff(*b) <= 1));
}

/// Says that a test did not run, on the terminal and in the file that `WINOCONV_SKIP_LOG` names.
fn skipped(test: &str, reason: &str) {
    use std::io::Write as _;
    let line = format!("SKIPPED {test}: {reason}");
    println!("{line}");
    if let Some(path) = std::env::var_os("WINOCONV_SKIP_LOG") {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        log.and_then(|mut log| writeln!(log, "{line}"))
            .unwrap_or_else(|error| panic!("WINOCONV_SKIP_LOG {}: {error}", path.display()));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_half_file() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = Folder::new();
    shades(70, 60).save(folder.file("in.png")).expect("a picture");
    let whole = image::open(folder.file("in.png")).expect("it").resize_exact(2000, 1500, imageops::FilterType::Nearest);
    whole.save(folder.file("in.png")).expect("a picture");
    let mut child = folder.command(&["upscale", "--cpu", "in.png", "-o", "out.png", "--memory", "512"]);
    let mut child = child.stderr(Stdio::null()).spawn().expect("the program starts");
    // It would compute for many seconds.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().expect("it").is_none(), "it is still at work");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    assert_eq!(child.wait().expect("it").code(), Some(130));
    assert_eq!(folder.names(), ["in.png"]);
}
