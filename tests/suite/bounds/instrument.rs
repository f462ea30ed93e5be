//! A kernel's text with every index into a buffer, workgroup memory or vector compared with its array's bounds on the
//! device.
//!
//! WGSL indexes by `[...]` alone, so `src[at]` becomes `src[at_src(at, 7u)]`: the function takes note of the index and
//! returns it as it is. So an access counts where and when the kernel makes it, and never if it makes none. An index that is
//! out of bounds does no harm: these texts are compiled with wgpu's run-time checks, which clamp it.
//!
//! There are two depths. [`Depth::Furthest`] keeps each variable's furthest index, two operations an access, so that the
//! whole grid can be run; [`Depth::Each`] compares every access and says how many are out of bounds and where the first one
//! stands.
//!
//! That no access was missed is not left to the rewriting: naga parses the new text, and every access by a computed index
//! in its module must take its index from a function of its own variable.

use std::collections::BTreeMap;
use std::fmt::Write;

use naga::{AddressSpace, ArraySize, Expression, Function, Handle, Module, TypeInner};
use winoconv::wgsl::{ENTRY_POINT, Source};

/// The binding of the counters: kernels have none beyond it.
pub(crate) const TALLY_BINDING: u32 = 7;
/// Words of a variable in the counters: its bounds, accesses, the furthest index counted from the lower bound, those out of
/// bounds and where the first one stands.
pub(crate) const TALLY_WORDS: usize = 6;

/// How much is found out about an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The furthest index of each variable.
    Furthest,
    /// Each access that is out of bounds.
    Each,
}

/// An array, or the vectors in it, that a kernel indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name in the text.
    pub(crate) name: String,
    /// What its indices are compared with.
    pub(crate) extent: Extent,
}

/// Where the elements are that may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A storage buffer of elements of so many bytes: as many as the dispatch binds.
    Binding { index: u32, stride: u32 },
    /// So many.
    Fixed(u32),
    /// The components of the vectors of another variable.
    Lane(u32),
}

/// The rewritten text.
#[derive(Debug)]
pub(crate) struct Instrumented {
    /// What the device gets.
    pub(crate) text: String,
    /// In the order of the counters.
    pub(crate) variables: Vec<Variable>,
    /// Where each index stands, by its number.
    pub(crate) sites: Vec<String>,
}

/// Rewrites a kernel's text.
///
/// # Errors
/// What could not be rewritten, or was overlooked.
pub(crate) fn instrument(source: &Source, depth: Depth) -> Result<Instrumented, String> {
    let module = parse(&source.text)?;
    let mut rewriter =
        Rewriter { globals: globals(&module)?, source, line: 1, lanes: BTreeMap::new(), sites: Vec::new() };
    let mut text = rewriter.rewrite(&source.text)?;
    let Rewriter { globals, lanes, sites, .. } = rewriter;
    let lanes = lanes.into_iter().map(|(name, lanes)| Variable { name, extent: Extent::Lane(lanes) });
    let variables: Vec<Variable> = globals.into_iter().chain(lanes).collect();
    text = with_entry_point(&text, &variables, depth)?;
    for variable in &variables {
        check_function(&mut text, variable, depth);
    }
    let instrumented = Instrumented { text, variables, sites };
    instrumented.verify(&module)?;
    Ok(instrumented)
}

fn parse(text: &str) -> Result<Module, String> {
    naga::front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))
}

/// The arrays that all functions see.
fn globals(module: &Module) -> Result<Vec<Variable>, String> {
    let mut found = Vec::new();
    for (_, variable) in module.global_variables.iter() {
        let name = variable.name.clone().unwrap_or_default();
        let extent = match (&module.types[variable.ty].inner, variable.space, &variable.binding) {
            (_, AddressSpace::Uniform, _) => continue,
            (
                &TypeInner::Array { size: ArraySize::Dynamic, stride, .. },
                AddressSpace::Storage { .. },
                Some(binding),
            ) => Extent::Binding { index: binding.binding, stride },
            (
                TypeInner::Array { size: ArraySize::Constant(len), .. },
                AddressSpace::WorkGroup | AddressSpace::Private,
                _,
            ) => Extent::Fixed(len.get()),
            (inner, space, _) => return Err(format!("{name}: {inner:?} in {space:?} is not known to this test")),
        };
        found.push(Variable { name, extent });
    }
    Ok(found)
}

struct Rewriter<'a> {
    globals: Vec<Variable>,
    source: &'a Source,
    line: usize,
    /// Vectors indexed by a computed number, with the length of one.
    lanes: BTreeMap<String, u32>,
    sites: Vec<String>,
}

impl Rewriter<'_> {
    fn rewrite(&mut self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(2 * text.len());
        let mut rest = text;
        // The global whose element's index was closed last, if nothing stands behind it.
        let mut indexed: Option<String> = None;
        while let Some(next) = rest.chars().next() {
            if rest.starts_with("//") {
                let end = rest.find('\n').unwrap_or(rest.len());
                out.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            if next != '[' {
                self.line += usize::from(next == '\n');
                if next != ']' {
                    indexed = None;
                }
                out.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            }
            let close = matching(rest).ok_or_else(|| format!("no ] in {}", self.here()))?;
            let (index, behind) = (&rest[1..close], &rest[close + 1..]);
            let base = match indexed.take() {
                Some(name) => Base::Element(name),
                None => base_of(&out),
            };
            let (index, of) = self.index(index, base)?;
            write!(out, "[{index}]").map_err(|error| error.to_string())?;
            indexed = of;
            rest = behind;
        }
        Ok(out)
    }

    /// The index in the new text, and the global whose element it is.
    fn index(&mut self, index: &str, base: Base) -> Result<(String, Option<String>), String> {
        let is_literal = !index.is_empty() && index.trim_end_matches('u').bytes().all(|byte| byte.is_ascii_digit());
        match base {
            Base::Name(name) if self.globals.iter().any(|variable| variable.name == name) => {
                Ok((self.call("at", &name, index)?, Some(name)))
            }
            // naga holds literals against the length.
            _ if is_literal => Ok((index.to_owned(), None)),
            Base::Element(name) => {
                let call = self.call("lane", &name, index)?;
                self.lanes.insert(name, 4);
                Ok((call, None))
            }
            Base::Name(name) => Err(format!("{name}[{index}] in {}: an index into no global", self.here())),
        }
    }

    fn call(&mut self, function: &str, name: &str, index: &str) -> Result<String, String> {
        let site = self.sites.len();
        self.sites.push(format!("{}: {name}[{index}]", self.here()));
        Ok(format!("{function}_{name}({}, {site}u)", self.rewrite(index)?))
    }

    fn here(&self) -> String {
        self.source.locate(self.line)
    }
}

/// What stands before a bracket.
enum Base {
    /// A name, or whatever else.
    Name(String),
    /// An element of a global.
    Element(String),
}

fn base_of(before: &str) -> Base {
    let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    Base::Name(before[start..].to_owned())
}

/// Where the bracket that opens `text` is closed.
fn matching(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return Some(at),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The kernel's entry point as a function of another name, and an entry point that calls it: bounds are read before, and
/// counts added up behind, wherever the kernel returns.
fn with_entry_point(text: &str, variables: &[Variable], depth: Depth) -> Result<String, String> {
    let (before, entry) = text.split_once("@compute ").ok_or("no entry point")?;
    let (attribute, function) = entry.split_once("\nfn ").ok_or("no entry point")?;
    let (parameters, body) = function.split_once(") {\n").ok_or("no body")?;
    let parameters = parameters.strip_prefix(ENTRY_POINT).and_then(|rest| rest.strip_prefix('(')).ok_or("no name")?;
    // `@builtin(x) name: type, ...`
    let plain: Vec<&str> = parameters
        .split("@builtin(")
        .skip(1)
        .map(|parameter| parameter.split_once(") ").map_or(parameter, |(_, rest)| rest).trim_end_matches([',', ' ']))
        .collect();
    let arguments: Vec<&str> = plain.iter().filter_map(|parameter| parameter.split(':').next()).collect();
    let (mut read, mut add) = (String::new(), String::new());
    for (i, variable) in variables.iter().enumerate() {
        let (own, first) = (variable.function(), i * TALLY_WORDS);
        let [low, high, seen, far, out, site] = std::array::from_fn(|word| format!("tally[{}]", first + word));
        let length = match variable.extent {
            Extent::Binding { .. } => format!("min(atomicLoad(&{high}), arrayLength(&{}))", variable.name),
            _ => format!("atomicLoad(&{high})"),
        };
        let _ = writeln!(read, "    low_{own} = atomicLoad(&{low});\n    len_{own} = {length} - low_{own};");
        let _ = writeln!(add, "    atomicAdd(&{seen}, seen_{own});\n    atomicMax(&{far}, far_{own});");
        let _ = writeln!(add, "    if (far_{own} >= len_{own}) {{");
        let _ = match depth {
            Depth::Furthest => writeln!(add, "        atomicAdd(&{out}, 1u);"),
            Depth::Each => {
                writeln!(add, "        atomicAdd(&{out}, out_{own});\n        atomicMin(&{site}, site_{own});")
            }
        };
        let _ = writeln!(add, "    }}");
    }
    let arguments = arguments.join(", ");
    Ok(format!(
        "{before}fn kernel({}) {{\n{body}\n\
         @group(0) @binding({TALLY_BINDING}) var<storage, read_write> tally: array<atomic<u32>>;\n\
         @compute {attribute}\nfn {ENTRY_POINT}({parameters}) {{\n{read}    kernel({arguments});\n{add}}}\n",
        plain.join(", ")
    ))
}

impl Variable {
    /// Its name for readers.
    pub(crate) fn label(&self) -> String {
        match self.extent {
            Extent::Lane(_) => format!("vectors of {}", self.name),
            _ => self.name.clone(),
        }
    }

    /// The name of its function.
    fn function(&self) -> String {
        match self.extent {
            Extent::Lane(_) => format!("lane_{}", self.name),
            _ => format!("at_{}", self.name),
        }
    }
}

fn check_function(text: &mut String, variable: &Variable, depth: Depth) {
    let own = variable.function();
    for counter in ["low", "len", "seen", "far", "out", "site"] {
        let _ = writeln!(text, "var<private> {counter}_{own}: u32;");
    }
    let each = match depth {
        Depth::Furthest => String::new(),
        Depth::Each => format!(
            "    if (far >= len_{own}) {{
        site_{own} = select(site_{own}, site, out_{own} == 0u);
        out_{own}++;
    }}
"
        ),
    };
    // An index before the lower bound wraps around to a huge number.
    let _ = writeln!(
        text,
        "fn {own}(index: u32, site: u32) -> u32 {{
    let far = index - low_{own};
{each}    far_{own} = max(far_{own}, far);
    seen_{own}++;
    return index;
}}"
    );
}

impl Instrumented {
    /// Whether every computed index of the module goes through a check of its own variable, and nothing else changed.
    fn verify(&self, original: &Module) -> Result<(), String> {
        let module = parse(&self.text)?;
        let own: Vec<String> = self.variables.iter().map(Variable::function).collect();
        let is_own = |name: &str| own.iter().any(|own| own == name);
        let mut checked = 0;
        for (_, function) in module.functions.iter() {
            if !is_own(function.name.as_deref().unwrap_or_default()) {
                checked += self.verify_function(&module, function)?;
            }
        }
        if checked != self.sites.len() {
            return Err(format!("{checked} accesses are checked, expected {}", self.sites.len()));
        }
        let functions = module.functions.len() - own.len();
        let expected = original.functions.len() + 1;
        if functions != expected {
            return Err(format!("{functions} functions, expected {expected}"));
        }
        Ok(())
    }

    fn verify_function(&self, module: &Module, function: &Function) -> Result<usize, String> {
        let name = function.name.as_deref().unwrap_or_default();
        let mut checked = 0;
        for (_, expression) in function.expressions.iter() {
            match *expression {
                Expression::Access { base, index } => {
                    let Expression::CallResult(check) = function.expressions[index] else {
                        return Err(format!("an index in fn {name} that is not checked"));
                    };
                    let check = module.functions[check].name.as_deref().unwrap_or_default();
                    let expected = variable_of(module, function, base);
                    if expected.as_deref() != Some(check) {
                        return Err(format!("an index in fn {name} is checked by {check}, expected {expected:?}"));
                    }
                    checked += 1;
                }
                // By a constant index: naga holds it against a constant length, but not against a buffer's.
                Expression::AccessIndex { base, .. } => {
                    if let Expression::GlobalVariable(global) = function.expressions[base]
                        && let TypeInner::Array { size: ArraySize::Dynamic, .. } =
                            module.types[module.global_variables[global].ty].inner
                    {
                        return Err(format!("a constant index into a buffer in fn {name}"));
                    }
                }
                _ => {}
            }
        }
        Ok(checked)
    }
}

/// The check that an index into `base` must go through.
fn variable_of(module: &Module, function: &Function, base: Handle<Expression>) -> Option<String> {
    let name = |global: Handle<naga::GlobalVariable>| module.global_variables[global].name.clone().unwrap_or_default();
    match function.expressions[base] {
        Expression::GlobalVariable(global) => Some(format!("at_{}", name(global))),
        Expression::Access { base, .. } => match function.expressions[base] {
            Expression::GlobalVariable(global) => Some(format!("lane_{}", name(global))),
            _ => None,
        },
        _ => None,
    }
}
