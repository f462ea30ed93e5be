//! What holds for whatever bytes are read: no panic, and what is accepted is equal to what is written again.

use winoconv::Plan;
use winoconv::gpu::reseal_stored_cache;
use winoconv::plan::{Document, Wisdom};

use super::mutate::{OWNER, envelope};

/// Reads bytes as a plan's document in JSON. Returns whether there was a plan in it.
///
/// # Panics
/// If an invariant is broken.
pub fn document(bytes: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else { return false };
    let text = serde_json::to_string(&document).expect("JSON has a form for every document");
    let again: Document = serde_json::from_str(&text).expect("it was written here");
    assert!(document == again, "another document: {text}");
    let Ok(plan) = document.plan() else { return false };
    let text = serde_json::to_string(&plan).expect("JSON has a form for a plan that was read");
    let again: Plan = serde_json::from_str(&text).expect("it was written here");
    assert!(plan == again, "another plan: {text}");
    true
}

/// Reads bytes as a text of wisdom. Returns how many entries it has.
///
/// # Panics
/// If an invariant is broken.
pub fn wisdom(bytes: &[u8]) -> usize {
    let Some(wisdom) = std::str::from_utf8(bytes).ok().and_then(|text| Wisdom::parse(text).ok()) else { return 0 };
    let text = wisdom.to_string();
    let again = Wisdom::parse(&text).expect("it was written here");
    assert!(wisdom == again, "other wisdom: {text}");
    for entry in wisdom.entries() {
        if let Some(why) = entry.outdated() {
            assert!(!why.to_string().is_empty());
        }
    }
    let mut merged = wisdom.clone();
    merged.merge(again);
    assert!(wisdom == merged, "merged with itself it is another: {text}");
    wisdom.entries().len()
}

/// Reads bytes as a stored pipeline cache, and once more with the checksum that they would need. Returns whether one of the two
/// was accepted.
///
/// # Panics
/// If an invariant is broken.
pub fn pipeline_cache(bytes: &[u8]) -> bool {
    let open = |sealed: &[u8]| match reseal_stored_cache(OWNER[0], OWNER[1], sealed) {
        Ok(again) => {
            assert!(again == sealed, "{} bytes are accepted, and {} are written", sealed.len(), again.len());
            true
        }
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            false
        }
    };
    open(bytes) | open(&envelope(bytes))
}
