//! Networks from files: every form gives the same network, and what is damaged or unknown is refused, whatever the damage.

mod support;

use support::{Random, ncnn_files, safetensors_file, tza_file};
use winoconv_models::{Compact, FileKind, ModelError, UNet};

const MUTATIONS: usize = 4000;

#[test]
fn every_form_gives_the_same_network() {
    let first = Compact::from_safetensors(&safetensors_file(false, false)).expect("a network");
    assert_eq!((first.scale(), first.layer_count(), first.features()), (2, 3, 5));
    for (is_pytorch, is_half) in [(true, false), (false, true), (true, true)] {
        assert_eq!(Compact::from_safetensors(&safetensors_file(is_pytorch, is_half)).expect("a network"), first);
    }
    for is_half in [false, true] {
        let (param, bin) = ncnn_files(is_half);
        assert_eq!(Compact::from_ncnn(&param, &bin).expect("a network"), first);
    }
}

/// What a `.param` file is refused for, with a change that makes it so.
#[test]
fn other_networks_are_refused() {
    let (param, bin) = ncnn_files(false);
    let refused = |from: &str, to: &str| {
        assert!(param.contains(from), "{from}");
        let error = Compact::from_ncnn(&param.replacen(from, to, 1), &bin).expect_err(to);
        error.to_string()
    };
    for (from, to, expected) in [
        ("7767517", "7767516", "it does not begin with 7767517"),
        ("PReLU slope0 1 1 c0 p0 0=5", "ReLU slope0 1 1 c0 p0", "layer slope0 (ReLU)"),
        ("1=3 4=1", "1=5 4=2", "1=5, expected 3"),
        ("1=3 4=1", "1=3 13=2 4=1", "13=2, expected 1"),
        ("1=3 4=1", "1=3 4=0", "4=0, expected 1"),
        ("5=1", "5=0", "5=0, expected 1"),
        ("6=135", "6=136", "136 weights of 5 filters"),
        ("5=1", "5=1 9=1", "9=1, expected 0"),
        ("details 0=2", "details 0=3", "does not add the repeated picture"),
        ("large 0=1", "large 0=2", "0=2, expected 1"),
        ("1=2.0", "1=2.5", "no whole factor"),
        ("1 1 c1 p1", "1 1 c0 p1", "reads c0, expected c1"),
        ("details large output", "details details output", "does not add the repeated picture"),
        ("\n10 12\n", "\n11 12\n", "its head does not say so"),
        ("BinaryOp sum 2 1 details large output", "", "does not say so"),
        ("output\n", "output\nInterp down 1 1 output half 0=3 1=0.5 2=0.5\n", "changes the finished picture"),
    ] {
        let message = refused(from, to);
        assert!(message.contains(expected), "{to}: {message}");
    }
    let more = Compact::from_ncnn(&param, &[bin.clone(), vec![0; 4]].concat());
    assert!(matches!(more, Err(ModelError::Damaged { kind: FileKind::NcnnBin, .. })));
    let less = Compact::from_ncnn(&param, &bin[..bin.len() - 1]);
    assert!(matches!(less, Err(ModelError::Damaged { kind: FileKind::NcnnBin, .. })));
}

#[test]
fn other_tza_files_are_refused() {
    let file = tza_file();
    assert!(UNet::from_tza(&file).is_ok());
    let replaced = |from: &[u8], to: &[u8]| {
        let at = file.windows(from.len()).position(|window| window == from).expect("it is there");
        let mut changed = file.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        UNet::from_tza(&changed).expect_err("a changed file").to_string()
    };
    assert!(replaced(b"dec_conv2b.weight", b"dec_conv2x.weight").contains("there is no tensor dec_conv2b.weight"));
    assert!(replaced(b"dec_conv2b.weight", b"enc_conv1b.weight").contains("the large network"));
    assert!(replaced(b"oihw", b"ohwi").contains("axes ohwi"));
    assert!(replaced(&[0xD7, 0x41], &[0xD7, 0x42]).contains("0x41D7"));
    assert!(replaced(&[2, 0], &[3, 0]).contains("version 3.0"));
}

/// Bits that are flipped, bytes that are set, a tail that is cut off, a part that is repeated or missing.
fn damage(random: &mut Random, file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..=random.below(2) {
        if file.is_empty() {
            return file;
        }
        // Heads and tables more often than numbers.
        let at = match random.below(3) {
            0 => random.below(file.len()),
            1 => random.below(file.len().min(400)),
            _ => file.len() - 1 - random.below(file.len().min(1200)),
        };
        let end = (at + random.below(16)).min(file.len());
        match random.below(8) {
            0..4 => file[at] ^= 1 << random.below(8),
            4 => file[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            5 => file.truncate(at),
            6 => drop(file.drain(at..end)),
            _ => {
                let part = file[at..end].to_vec();
                file.splice(at..at, part);
            }
        }
    }
    file
}

fn mutate(file: &[u8], read: impl Fn(&[u8]) -> Result<(), ModelError>) {
    let mut random = Random(3);
    let (mut damaged, mut unsupported, mut networks) = (0, 0, 0);
    for _ in 0..MUTATIONS {
        match read(&damage(&mut random, file)) {
            Ok(()) => networks += 1,
            Err(ModelError::Damaged { .. }) => damaged += 1,
            Err(ModelError::Unsupported { .. }) => unsupported += 1,
            Err(other) => panic!("{other}"),
        }
    }
    println!("{damaged} damaged, {unsupported} unsupported, {networks} networks");
    assert!(damaged > 0 && unsupported > 0 && networks > 0, "all of one kind are no test");
}

#[test]
fn damaged_files_give_errors_or_networks() {
    mutate(&safetensors_file(false, false), |file| Compact::from_safetensors(file).map(drop));
    mutate(&tza_file(), |file| UNet::from_tza(file).map(drop));
    let (param, bin) = ncnn_files(true);
    mutate(param.as_bytes(), |file| Compact::from_ncnn(&String::from_utf8_lossy(file), &bin).map(drop));
    mutate(&bin, |file| Compact::from_ncnn(&param, file).map(drop));
}
