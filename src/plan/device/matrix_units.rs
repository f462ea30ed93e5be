//! Where products by matrix units are worth their while: what is known of devices by name.

use crate::caps::Caps;
use crate::kernel::Products;

/// What matrix units do for devices whose names contain a text. `one` and `three`: whether a product of f32 made of so many products
/// of halves is faster than by ordinary instructions.
struct Row {
    name: &'static str,
    one: bool,
    three: bool,
}

/// Rates of halves with sums in f32, over the rate of f32, by the vendors' data sheets: 15 on an H100, 16 on an A100, 4 on an L40S
/// and workstation GPUs of its generation, 2 on `GeForce`. Three products need more than 3. Measured on an H200 alone
/// (2026-11-30, `docs/log/2026-11-30.md`). Others, AMD's and Intel's among them, are unknown: drivers are reported to be slow, or to fail where they
/// are asked.
const KNOWN: [Row; 7] = [
    Row { name: "NVIDIA H200", one: true, three: true },
    Row { name: "NVIDIA H100", one: true, three: true },
    Row { name: "NVIDIA A100", one: true, three: true },
    Row { name: "NVIDIA L40S", one: true, three: true },
    Row { name: "GeForce RTX 50", one: true, three: false },
    Row { name: "GeForce RTX 40", one: true, three: false },
    Row { name: "GeForce RTX 30", one: true, three: false },
];

fn row(name: &str) -> Option<&'static Row> {
    KNOWN.iter().find(|row| name.contains(row.name))
}

/// Whether a device of this name is asked for cooperative matrices at all.
pub(crate) fn is_known(name: &str) -> bool {
    row(name).is_some()
}

/// Whether the planner considers matrix units with so many products, and if not, why.
pub(in crate::plan) fn units_pay(caps: &Caps, products: Products) -> Result<(), &'static str> {
    let row = match (caps.matrix_units, row(&caps.name)) {
        (false, _) => return Err("the device has no cooperative matrices of 16-bit floats, or they are not enabled"),
        (true, None) => return Err("it is not known whether this device's matrix units are faster than f32"),
        (true, Some(row)) => row,
    };
    match products {
        Products::One if !row.one => Err("this device's matrix units are no faster than f32"),
        Products::Three if !row.three => Err("this device's matrix units are less than three times as fast as f32"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_name_and_only_with_the_feature() {
        let caps = |name: &str, matrix_units| Caps { name: name.to_owned(), matrix_units, ..Caps::webgpu_default() };
        let pays = |caps: Caps| Products::ALL.map(|products| units_pay(&caps, products).is_ok());
        assert_eq!(pays(caps("NVIDIA H200", true)), [true, true]);
        assert_eq!(pays(caps("NVIDIA GeForce RTX 4090", true)), [true, false]);
        assert_eq!(pays(caps("NVIDIA H200", false)), [false, false]);
        assert_eq!(pays(caps("AMD Radeon RX 9070 XT", true)), [false, false]);
    }
}
