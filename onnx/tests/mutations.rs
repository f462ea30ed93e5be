//! Files that were damaged at random give errors or graphs, and never a panic.

mod support;

use prost::Message;
use support::proto::{ModelProto, data_type};
use support::{Case, cases, dims};
use winoconv_onnx::Model;

const MUTATIONS: usize = 10_000;
const SEED: u64 = 0x6f6e_6e78;
/// Larger files would be hit where nobody looks: in their weights.
const MOST_BYTES: usize = 4096;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Below a number that is not 0.
    fn below(&mut self, number: usize) -> usize {
        (self.next() % number as u64) as usize
    }
}

/// Bits that are flipped, bytes that are set, a tail that is cut off, a part of another file.
fn damage(random: &mut Random, file: &[u8], other: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..=random.below(2) {
        if file.is_empty() {
            return file;
        }
        let at = random.below(file.len());
        match random.below(10) {
            0..6 => file[at] ^= 1 << random.below(8),
            6 => file[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            7 => file.truncate(at),
            8 => {
                let from = random.below(other.len());
                let len = random.below((other.len() - from).min(64)) + 1;
                file.splice(at..at, other[from..from + len].iter().copied());
            }
            _ => {
                let end = (at + random.below(8)).min(file.len());
                file.drain(at..end);
            }
        }
    }
    file
}

/// Numbers that are likely to be wrong somewhere.
const NUMBERS: [i64; 20] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    1000,
    1 << 16,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    1 << 47,
    1 << 48,
    1 << 62,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
    i64::MAX - 1,
];

/// The same at the level of messages: other numbers, names, operators, sizes.
fn mistake(random: &mut Random, file: &[u8], other: &[u8]) -> Vec<u8> {
    let read = |file: &[u8]| ModelProto::decode(file).expect("the standard's file");
    let (mut model, other) = (read(file), read(other));
    let (Some(graph), Some(others)) = (model.graph.as_mut(), other.graph) else { return Vec::new() };
    for _ in 0..=random.below(3) {
        let number = NUMBERS[random.below(NUMBERS.len())];
        let at = random.below(graph.node.len().max(1));
        let Some(node) = graph.node.get_mut(at) else { break };
        let some = |random: &mut Random, len: usize| (len > 0).then(|| random.below(len));
        match random.below(12) {
            0 | 1 => {
                if let Some(i) = some(random, node.attribute.len()) {
                    let attribute = &mut node.attribute[i];
                    attribute.i = number;
                    attribute.f = number as f32;
                    if let Some(i) = some(random, attribute.ints.len()) {
                        attribute.ints[i] = number;
                    }
                    if let Some(tensor) = attribute.t.as_mut().filter(|tensor| !tensor.int64_data.is_empty()) {
                        tensor.int64_data[0] = number;
                    }
                }
            }
            2 => {
                if let Some(i) = some(random, node.attribute.len()) {
                    node.attribute.remove(i);
                }
            }
            3 => {
                let theirs = &others.node[random.below(others.node.len())];
                node.op_type.clone_from(&theirs.op_type);
            }
            4 => {
                let theirs = &others.node[random.below(others.node.len())];
                node.attribute.extend(theirs.attribute.iter().cloned());
            }
            5 => {
                let names: Vec<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
                let names = [names, node.input.clone()].concat();
                if let (Some(i), Some(j)) = (some(random, node.input.len()), some(random, names.len())) {
                    node.input[i].clone_from(&names[j]);
                }
            }
            6 => {
                if let Some(i) = some(random, node.input.len()) {
                    node.input.remove(i);
                }
            }
            7 => {
                if let Some(i) = some(random, graph.initializer.len()) {
                    // Integers whose sizes stay as they are, so that the file is read and the node gets them.
                    let tensor = &mut graph.initializer[i];
                    let words = tensor.raw_data.len() / 8;
                    if let Some(word) = some(random, words).filter(|_| tensor.data_type == data_type::INT64) {
                        tensor.raw_data[8 * word..8 * word + 8].copy_from_slice(&number.to_le_bytes());
                    }
                }
            }
            8 => {
                if let Some(i) = some(random, graph.initializer.len()) {
                    let tensor = &mut graph.initializer[i];
                    match some(random, tensor.dims.len()) {
                        Some(axis) => tensor.dims[axis] = number,
                        None => tensor.data_type = random.below(28) as i32,
                    }
                }
            }
            9 => {
                let copy = node.clone();
                graph.node.push(copy);
            }
            10 => {
                // A tensor without elements, of sizes as large as they may be.
                graph.initializer.extend(others.initializer.iter().cloned());
                if let Some(i) = some(random, graph.initializer.len()) {
                    let tensor = &mut graph.initializer[i];
                    tensor.raw_data.clear();
                    tensor.dims.insert(0, 0);
                    tensor.dims.push(1 << random.below(50));
                }
            }
            _ => model.opset_import[0].version = 7 + random.below(17) as i64,
        }
    }
    model.encode_to_vec()
}

#[test]
fn mutated_bytes_give_errors_or_graphs() {
    mutate(damage);
}

#[test]
fn mutated_messages_give_errors_or_graphs() {
    mutate(mistake);
}

fn mutate(mutation: fn(&mut Random, &[u8], &[u8]) -> Vec<u8>) {
    let small: Vec<Case> = cases().into_iter().filter(|case| case.model.len() <= MOST_BYTES).collect();
    let mut random = Random(SEED);
    let (mut not_read, mut refused, mut graphs) = (0, 0, 0);
    for _ in 0..MUTATIONS {
        let case = &small[random.below(small.len())];
        let other = &small[random.below(small.len())];
        let file = mutation(&mut random, &case.model, &other.model);
        let Ok(model) = Model::from_bytes(&file) else {
            not_read += 1;
            continue;
        };
        let given = |name: &str| case.inputs.iter().find(|input| input.name == name);
        let sizes: Vec<_> = model
            .inputs()
            .iter()
            .filter_map(|input| given(&input.name).map(|tensor| (&*input.name, dims(&tensor.dims))))
            .collect();
        match model.graph(&sizes) {
            Ok(_) => graphs += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    println!("{MUTATIONS} mutations: {not_read} not read, {refused} refused, {graphs} graphs");
    assert!(not_read > 0 && refused > 0 && graphs > 0, "all of one kind are no test");
}
