//! A driver's pipeline cache as bytes of our own: an envelope that shows whose it is and whether it is whole.

use super::source::CacheFault;

/// How each begins.
const MAGIC: &[u8; 8] = b"winoconv";

/// Whose a cache is: only the same crate on the same device with the same driver takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// This crate's version.
    pub(super) version: String,
    /// The adapter's key and its driver.
    pub(super) device: String,
}

/// Magic, checksum of all that follows, then version, device and data, each after its length as 8 bytes; numbers are little-endian.
pub(super) fn seal(owner: &Owner, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(data.len() + 256);
    for part in [owner.version.as_bytes(), owner.device.as_bytes(), data] {
        body.extend_from_slice(&(part.len() as u64).to_le_bytes());
        body.extend_from_slice(part);
    }
    [MAGIC, checksum(&body).to_le_bytes().as_slice(), &body].concat()
}

/// The data in sealed bytes, if they are this owner's and whole.
pub(super) fn open<'a>(owner: &Owner, sealed: &'a [u8]) -> Result<&'a [u8], CacheFault> {
    let rest = sealed.strip_prefix(MAGIC.as_slice()).ok_or(CacheFault::NotOurs)?;
    let (sum, body) = rest.split_first_chunk().ok_or(CacheFault::Incomplete)?;
    let mut rest = body;
    let mut part = || {
        let (len, behind) = rest.split_first_chunk().ok_or(CacheFault::Incomplete)?;
        let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| CacheFault::Incomplete)?;
        let (part, behind) = behind.split_at_checked(len).ok_or(CacheFault::Incomplete)?;
        rest = behind;
        Ok(part)
    };
    let (version, device, data) = (part()?, part()?, part()?);
    if !rest.is_empty() || checksum(body) != u64::from_le_bytes(*sum) {
        return Err(CacheFault::Damaged);
    }
    let same = |expected: &str, found: &[u8]| {
        let (expected, found) = (expected.to_owned(), String::from_utf8_lossy(found).into_owned());
        if expected == found { Ok(()) } else { Err(CacheFault::Foreign { expected, found }) }
    };
    same(&owner.version, version)?;
    same(&owner.device, device)?;
    Ok(data)
}

/// FNV-1a of 64 bits: against damage, not against forgery.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { version: "1.2.3".to_owned(), device: "a GPU, driver 4".to_owned() }
    }

    #[test]
    fn what_was_sealed_opens_for_its_owner_alone() {
        let sealed = seal(&owner(), b"compiled");
        assert_eq!(open(&owner(), &sealed), Ok(b"compiled".as_slice()));
        assert_eq!(open(&owner(), &seal(&owner(), b"")), Ok(b"".as_slice()), "a driver that keeps nothing");
        for other in [
            Owner { version: "1.2.4".to_owned(), ..owner() },
            Owner { device: "a GPU, driver 5".to_owned(), ..owner() },
        ] {
            let fault = open(&other, &sealed).expect_err("another owner's");
            assert!(matches!(fault, CacheFault::Foreign { .. }), "{fault}");
        }
    }

    #[test]
    fn whatever_is_cut_off_changed_or_added_shows() {
        let sealed = seal(&owner(), b"compiled");
        for len in 0..sealed.len() {
            assert!(open(&owner(), &sealed[..len]).is_err(), "cut off after {len} bytes");
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 0x10;
            assert!(open(&owner(), &damaged).is_err(), "byte {at}");
        }
        assert_eq!(open(&owner(), &[&sealed[..], b"x"].concat()), Err(CacheFault::Damaged), "a byte too many");
        assert_eq!(open(&owner(), b"something else"), Err(CacheFault::NotOurs));
    }
}
