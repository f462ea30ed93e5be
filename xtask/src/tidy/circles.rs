//! Files of `src/` that need each other: none of two folders, at most three within one; and folders that one can live in. A file
//! needs those that define what it names. Declaring a module or showing another file's item needs nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Named, Names};
use super::rust::Token;
use super::{File, Violation};

/// Files of a circle.
const MOST_IN_CIRCLE: usize = 3;
/// Files of Rust in a folder, beside those in its folders.
const MOST_IN_FOLDER: usize = 15;

type Path = Vec<String>;

/// A file as a module: what it defines, what it brings in by which name, and the paths that its code names.
#[derive(Default)]
struct Module {
    defined: BTreeSet<String>,
    brought_in: BTreeMap<String, Path>,
    named: BTreeSet<Path>,
}

pub(super) fn check(files: &[(&File, Vec<Token>)], found: &mut Vec<Violation>) {
    let of_src = |file: &File| {
        let mut path: Path =
            file.path.strip_prefix("src/")?.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        path.pop_if(|last| last == "mod" || last == "lib");
        (path.last().is_none_or(|last| !last.ends_with("tests"))).then_some(path)
    };
    let files: BTreeMap<Path, (&File, &[Token])> =
        files.iter().filter_map(|(file, tokens)| Some((of_src(file)?, (*file, &tokens[..])))).collect();
    in_folders(files.values().map(|(file, _)| *file), found);
    let modules: BTreeMap<Path, Module> =
        files.iter().map(|(path, (_, tokens))| (path.clone(), Module::read(tokens))).collect();
    let needs: BTreeMap<&Path, BTreeSet<Path>> = modules.keys().map(|path| (path, needed(&modules, path))).collect();
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = needs.keys().map(|path| (*path, reached(&needs, path))).collect();
    let mut told = BTreeSet::new();
    for (path, (file, _)) in &files {
        let circle: Vec<&Path> = reached[path].iter().copied().filter(|other| reached[*other].contains(path)).collect();
        let folders: BTreeSet<&str> = circle.iter().map(|path| folder(files[*path].0)).collect();
        if (circle.len() > MOST_IN_CIRCLE || folders.len() > 1) && told.insert(circle.clone()) {
            let names: Vec<String> = circle.iter().map(|path| path.join("::")).collect();
            let what = format!(
                "these need each other, and may only be {MOST_IN_CIRCLE} of one folder: {}; move what they share below",
                names.join(", ")
            );
            found.push(file.violation(1, what));
        }
    }
}

fn folder(file: &File) -> &str {
    file.path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn in_folders<'a>(files: impl Iterator<Item = &'a File>, found: &mut Vec<Violation>) {
    let mut folders: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    files.for_each(|file| folders.entry(folder(file)).or_default().push(file));
    for (folder, files) in folders.into_iter().filter(|(_, files)| files.len() > MOST_IN_FOLDER) {
        let what = format!("{folder} has {} files, {MOST_IN_FOLDER} at most; find the missing room", files.len());
        found.push(files[0].violation(1, what));
    }
}

/// All files that a file needs, by way of others too.
fn reached<'a>(needs: &BTreeMap<&'a Path, BTreeSet<Path>>, from: &Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&Path> = vec![from];
    while let Some(path) = waiting.pop() {
        let known = needs[path].iter().filter_map(|path| needs.get_key_value(path));
        waiting.extend(known.filter_map(|(path, _)| reached.insert(*path).then_some(*path)));
    }
    reached
}

fn needed(modules: &BTreeMap<Path, Module>, path: &Path) -> BTreeSet<Path> {
    let absolute = modules[path].named.iter().filter_map(|named| absolute(modules, path, named));
    // A module that is brought in is needed for what is named of it.
    let items = absolute.filter(|named| !modules.contains_key(named));
    items.filter_map(|named| definer(modules, &named, 0)).filter(|other| other != path).collect()
}

/// A path from the crate's root, if it leads there.
fn absolute(modules: &BTreeMap<Path, Module>, from: &[String], named: &[String]) -> Option<Path> {
    let ups = named.iter().take_while(|name| *name == "super").count();
    let (base, rest) = match named[0].as_str() {
        "crate" => (&[][..], &named[1..]),
        "self" => (from, &named[1..]),
        "super" => (&from[..from.len().checked_sub(ups)?], &named[ups..]),
        first => {
            if modules.contains_key(&[from, &named[..1]].concat()) {
                return Some([from, named].concat());
            }
            let alias = modules[from].brought_in.get(first).filter(|alias| alias[0] != first)?;
            return Some([absolute(modules, from, alias)?, named[1..].to_vec()].concat());
        }
    };
    Some([base, rest].concat())
}

/// The module that defines what a path names, through what modules on its way show of others.
fn definer(modules: &BTreeMap<Path, Module>, path: &[String], depth: usize) -> Option<Path> {
    let mut at = Path::new();
    for (i, name) in path.iter().enumerate() {
        let next = [&at[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&next) {
            at = next;
            continue;
        }
        let Some(module) = modules.get(&at) else { break };
        let alias = module.brought_in.get(name).filter(|_| !module.defined.contains(name) && depth < 8);
        let Some(alias) = alias else { break };
        let onwards = [absolute(modules, &at, alias)?, path[i + 1..].to_vec()].concat();
        return definer(modules, &onwards, depth + 1);
    }
    Some(at)
}

impl Module {
    fn read(tokens: &[Token]) -> Self {
        let Names { paths, defined } = Names::read(tokens);
        let mut module = Self { defined, ..Self::default() };
        for Named { path, alias, .. } in paths {
            // What is brought in and not shown is needed.
            if alias.as_ref().is_none_or(|(_, shows)| !shows) {
                module.named.insert(path.clone());
            }
            module.brought_in.extend(alias.map(|(alias, _)| (alias, path)));
        }
        module
    }
}
