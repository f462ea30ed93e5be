//! Which device it is, and a file for each with its numbers.

mod discrete;
mod integrated;
mod matrix_units;
pub(super) mod rates;
mod software;
mod twins;

pub(crate) use matrix_units::is_known;
pub(super) use matrix_units::units_pay;

use self::rates::Rates;
use crate::caps::DeviceKind;

/// The numbers of a kind of device. The only place that tells devices apart.
pub(super) const fn rates(kind: DeviceKind) -> &'static Rates {
    match kind {
        DeviceKind::DiscreteGpu => &discrete::RATES,
        DeviceKind::IntegratedGpu | DeviceKind::VirtualGpu | DeviceKind::OtherGpu => &integrated::RATES,
        DeviceKind::SoftwareGpu => &software::RATES,
        DeviceKind::Cpu => &twins::RATES,
    }
}
