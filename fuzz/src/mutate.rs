//! Inputs made from others. Bytes changed at random rarely get past the syntax, so a document is changed as a tree of JSON, and
//! a stored cache gets the checksum that it needs.

use serde_json::{Number, Value};

/// Version and device of the stored caches that are accepted.
pub const OWNER: [&str; 2] = ["winoconv 1.2.3", "a GPU, driver 4"];

/// `SplitMix64`: the same numbers on every machine.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
}

/// Changes up to four places of a document. `None` if it is no JSON.
pub fn json(text: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut random = Random(seed);
    let mut tree: Value = serde_json::from_slice(text).ok()?;
    // Words that stand elsewhere: names of kernels, of algorithms, of slots.
    let mut words = Vec::new();
    visit(&mut tree, &mut |value| {
        if let Value::String(word) = value {
            words.push(word.clone());
        }
    });
    for _ in 0..=random.below(4) {
        let mut places = 0;
        visit(&mut tree, &mut |_| places += 1);
        let (mut at, chosen) = (0, random.below(places));
        visit(&mut tree, &mut |value| {
            if at == chosen {
                change(value, &words, &mut random);
            }
            at += 1;
        });
    }
    serde_json::to_vec(&tree).ok()
}

/// Every value, leaves before what they are in.
fn visit(value: &mut Value, each: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| visit(value, each)),
        Value::Object(fields) => fields.values_mut().for_each(|value| visit(value, each)),
        _ => {}
    }
    each(value);
}

fn change(value: &mut Value, words: &[String], random: &mut Random) {
    let word = |random: &mut Random| words.get(random.below(words.len())).cloned().unwrap_or_default();
    match value {
        Value::Null => *value = Value::String(word(random)),
        Value::Bool(yes) => *yes = !*yes,
        Value::Number(number) => *value = changed_number(number, random),
        Value::String(text) => match random.below(4) {
            0 => text.clear(),
            1 => {
                text.pop();
            }
            _ => *text = word(random),
        },
        Value::Array(values) => {
            let at = random.below(values.len());
            match random.below(3) {
                0 if !values.is_empty() => {
                    values.remove(at);
                }
                1 if !values.is_empty() => values.insert(at, values[at].clone()),
                _ => values.reverse(),
            }
        }
        Value::Object(fields) => {
            let name = fields.keys().nth(random.below(fields.len())).cloned();
            if let Some(name) = name.filter(|_| random.below(8) == 0) {
                fields.remove(&name);
            }
        }
    }
}

fn changed_number(number: &Number, random: &mut Random) -> Value {
    let Some(n) = number.as_u64() else { return Value::from(random.below(3)) };
    match random.below(12) {
        0 => Value::from(0),
        1 => Value::from(1),
        2 => Value::from(-1),
        3 => Value::from(n.wrapping_add(1)),
        4 => Value::from(n.wrapping_sub(1)),
        5 => Value::from(n.wrapping_mul(2)),
        6 => Value::from(n / 2),
        7 => Value::from(random.below(64)),
        8 => Value::from(random.below(1 << 16)),
        9 => Value::from(1_u64 << random.below(64)),
        10 => Value::from((1_u64 << random.below(64)) - 1),
        _ => Value::from(n.wrapping_mul(3)),
    }
}

/// Bytes with some changed, doubled or taken away.
pub fn bytes(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut all = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let (at, len) = (random.below(all.len()), random.below(64));
        let end = (at + len).min(all.len());
        match random.below(4) {
            0 if !all.is_empty() => all[at] = random.next().to_le_bytes()[0],
            1 if !all.is_empty() => all[at] ^= 1 << random.below(8),
            2 => {
                all.drain(at..end);
            }
            _ => {
                let part = all[at..end].to_vec();
                let to = random.below(all.len() + 1);
                all.splice(to..to, part);
            }
        }
    }
    all
}

/// A stored cache with this body, whatever it is: magic, checksum, body.
pub fn envelope(body: &[u8]) -> Vec<u8> {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let checksum = body.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    [b"winoconv".as_slice(), &checksum.to_le_bytes(), body].concat()
}

/// The body of a stored cache of [`OWNER`] with these data.
pub fn body(data: &[u8]) -> Vec<u8> {
    let parts = [OWNER[0].as_bytes(), OWNER[1].as_bytes(), data];
    parts.iter().flat_map(|part| [(part.len() as u64).to_le_bytes().as_slice(), part].concat()).collect()
}
