//! The floors of `src/`: arrows between its top-level modules go down only (see `docs/ARCHITECTURE.md`).

use super::paths::{Named, Names};
use super::rust::Token;
use super::{File, Violation};

/// One storey: its rooms may use every room of the storeys below it.
struct Floor {
    number: u32,
    rooms: &'static [&'static str],
    /// Whether its rooms must not know each other.
    strangers: bool,
}

/// The whole house, from the top. A new top-level module gets its place here first.
const FLOORS: &[Floor] = &[
    Floor { number: 6, rooms: &["graph"], strangers: false },
    Floor { number: 5, rooms: &["account", "device", "layer", "tune"], strangers: false },
    Floor { number: 4, rooms: &["cpu", "gpu"], strangers: true },
    Floor { number: 3, rooms: &["twin", "wgsl"], strangers: true },
    Floor { number: 2, rooms: &["plan"], strangers: true },
    Floor { number: 1, rooms: &["kernel"], strangers: true },
    Floor { number: 0, rooms: GROUND, strangers: false },
];
/// The rooms of floor 0.
const GROUND: &[&str] = &[
    "spatial",
    "layout",
    "padding",
    "conv",
    "problem",
    "correlation",
    "dtype",
    "error",
    "activation",
    "caps",
    "winograd",
];

fn floor_of(room: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| floor.rooms.contains(&room))
}

pub(super) fn check(file: &File, tokens: &[Token], found: &mut Vec<Violation>) {
    let Some(inner) = file.path.strip_prefix("src/") else { return };
    let mut module: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
    module.pop_if(|last| *last == "mod");
    // The front page shows every room, and tests may look wherever they like.
    if module == ["lib"] || module.last() == Some(&"tests") {
        return;
    }
    let room = module[0];
    let Some(floor) = floor_of(room) else {
        let what = format!("`{room}` has no floor; give it one in xtask/src/tidy/floors.rs and docs/ARCHITECTURE.md");
        found.push(file.violation(1, what));
        return;
    };
    for named in Names::read(tokens).paths {
        let Some(name) = room_of(&named, module.len()) else { continue };
        let Floor { number, strangers, .. } = floor;
        let what = match floor_of(name) {
            _ if name == room => continue,
            None => format!("`{name}` of the crate root is no room of the house; name the module that defines it"),
            Some(other) if other.number > *number => format!(
                "`{room}` (floor {number}) names `{name}` (floor {}); arrows go down only: move what both need below, \
                 or pass it in",
                other.number
            ),
            Some(other) if other.number == *number && *strangers => {
                format!(
                    "`{room}` names `{name}`, and the two of floor {number} are strangers; move what both need below"
                )
            }
            Some(_) => continue,
        };
        found.push(file.violation(named.line, what));
    }
}

/// What follows the crate's root in a path of a module so many names below it.
fn room_of(Named { path, depth, .. }: &Named, below: usize) -> Option<&str> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let at = if path[0] == "crate" { 1 } else { ups };
    (path[0] == "crate" || ups == below + depth).then(|| path.get(at).map(String::as_str)).flatten()
}
