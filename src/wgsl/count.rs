//! Counts what a checked text does, from naga's module and from nothing that the spec says: a tree of loops, calls
//! included. The lint `body_size` reads the operations in it, and a test holds [`KernelSpec::cost`] against the rest.
//!
//! [`KernelSpec::cost`]: crate::kernel::KernelSpec::cost

use std::collections::HashMap;

use naga::valid::FunctionInfo;
use naga::{AddressSpace, Block, Expression, Function, Handle, MathFunction, Module, Statement, TypeInner};
use naga::{ScalarKind, UnaryOperator};

use super::checked::Checked;
use crate::kernel::{Accesses, Counts};

/// An entry point, or the body of a loop in it: what stands in no loop within it, and those loops. Both sides of a
/// branch count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The function in which it stands.
    pub function: String,
    /// What [`KernelSpec::cost`](crate::kernel::KernelSpec::cost) counts too.
    pub counts: Counts,
    /// Instructions, about: scalar operations of all kinds, accesses, branches.
    pub operations: usize,
    /// Loops within it, in order.
    pub loops: Vec<Self>,
}

impl Body {
    /// This and every loop in it, outer ones first.
    pub fn walk(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.loops.iter().flat_map(Self::walk)).collect()
    }

    fn include(&mut self, called: &Self) {
        self.counts += called.counts;
        self.operations += called.operations;
        self.loops.extend(called.loops.iter().cloned());
    }
}

/// The bodies of a text's entry points: ours have one.
pub fn entry_points(checked: &Checked) -> Vec<Body> {
    let module = &checked.module;
    let mut called = HashMap::new();
    // naga's functions are in order of definition: callees come first.
    for (handle, function) in module.functions.iter() {
        let body = Walker { module, info: &checked.info[handle], function, called: &called }.body(&function.body);
        called.insert(handle, named(body, function.name.as_deref().unwrap_or("?")));
    }
    let entries = module.entry_points.iter().enumerate().map(|(i, entry)| {
        let (info, function) = (checked.info.get_entry_point(i), &entry.function);
        named(Walker { module, info, function, called: &called }.body(&function.body), &entry.name)
    });
    entries.collect()
}

/// Names the loops that the function itself has; those of called ones have their names.
fn named(mut body: Body, function: &str) -> Body {
    if body.function.is_empty() {
        body.function = function.to_owned();
    }
    body.loops = body.loops.into_iter().map(|inner| named(inner, function)).collect();
    body
}

struct Walker<'a> {
    module: &'a Module,
    info: &'a FunctionInfo,
    function: &'a Function,
    called: &'a HashMap<Handle<Function>, Body>,
}

impl Walker<'_> {
    fn body(&self, block: &Block) -> Body {
        let mut body = Body::default();
        self.add(block, &mut body);
        body
    }

    fn add(&self, block: &Block, to: &mut Body) {
        for statement in block {
            match statement {
                Statement::Emit(range) => range.clone().for_each(|handle| self.expression(handle, to)),
                Statement::Store { pointer, value } => {
                    let access = self.access(*value);
                    match self.space(*pointer) {
                        Some(AddressSpace::Function) => continue,
                        Some(AddressSpace::Storage { .. }) => add_access(&mut to.counts.storage.stores, access),
                        Some(AddressSpace::WorkGroup) => add_access(&mut to.counts.workgroup.stores, access),
                        _ => {}
                    }
                    to.operations += 1;
                }
                Statement::Call { function, .. } => {
                    if let Some(called) = self.called.get(function) {
                        to.include(called);
                    }
                }
                Statement::Block(inner) => self.add(inner, to),
                Statement::If { accept, reject, .. } => {
                    to.operations += 1;
                    self.add(accept, to);
                    self.add(reject, to);
                }
                Statement::Switch { cases, .. } => cases.iter().for_each(|case| self.add(&case.body, to)),
                Statement::Loop { body, continuing, .. } => {
                    let mut inner = self.body(body);
                    self.add(continuing, &mut inner);
                    to.loops.push(inner);
                }
                Statement::ControlBarrier(_) => {
                    to.operations += 1;
                    to.counts.barriers += 1;
                }
                // Where a called function ends there is nothing, and a branch before that was counted.
                Statement::Return { .. } => {}
                _ => to.operations += 1,
            }
        }
    }

    fn expression(&self, handle: Handle<Expression>, to: &mut Body) {
        match self.function.expressions[handle] {
            Expression::Load { pointer } => {
                let access = self.access(handle);
                match self.space(pointer) {
                    // A register that is named.
                    Some(AddressSpace::Function) => return,
                    Some(AddressSpace::Storage { .. }) => add_access(&mut to.counts.storage.loads, access),
                    Some(AddressSpace::WorkGroup) => add_access(&mut to.counts.workgroup.loads, access),
                    _ => {}
                }
                to.operations += 1;
            }
            Expression::Math { fun: MathFunction::Fma, .. } if self.is_float(handle) => {
                to.counts.multiply_adds += self.scalars(handle) as u64;
                to.operations += self.scalars(handle);
            }
            Expression::Math { fun: MathFunction::Unpack2x16float, .. } => to.operations += self.scalars(handle),
            Expression::Unary { op: UnaryOperator::Negate, .. } | Expression::Select { .. } | Expression::As { .. } => {
                to.operations += self.scalars(handle);
            }
            Expression::Binary { .. } | Expression::Unary { .. } | Expression::Math { .. } => {
                // A comparison of floats is none.
                if self.is_float(handle) {
                    to.counts.arithmetic += self.scalars(handle) as u64;
                }
                to.operations += self.scalars(handle);
            }
            _ => {}
        }
    }

    fn inner(&self, handle: Handle<Expression>) -> &TypeInner {
        self.info[handle].ty.inner_with(&self.module.types)
    }

    fn space(&self, pointer: Handle<Expression>) -> Option<AddressSpace> {
        self.inner(pointer).pointer_space()
    }

    /// One access, with the bytes of its value.
    fn access(&self, value: Handle<Expression>) -> Accesses {
        Accesses { count: 1, bytes: self.inner(value).size(self.module.to_ctx()).into() }
    }

    fn is_float(&self, handle: Handle<Expression>) -> bool {
        matches!(self.inner(handle).scalar_kind(), Some(ScalarKind::Float))
    }

    /// A vector operation is one instruction a component.
    fn scalars(&self, handle: Handle<Expression>) -> usize {
        match self.inner(handle) {
            TypeInner::Vector { size, .. } => *size as usize,
            _ => 1,
        }
    }
}

fn add_access(all: &mut Accesses, one: Accesses) {
    *all = *all + one;
}
