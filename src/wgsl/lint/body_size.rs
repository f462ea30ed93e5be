//! Loop bodies stay small.

use std::collections::HashMap;

use naga::{AddressSpace, Block, Expression, Function, Handle, Statement, TypeInner};

use super::{Lint, functions};
use crate::kernel::KernelSpec;
use crate::wgsl::check::Checked;

/// About as many instructions as an instruction cache of 12 KB holds (Apple's).
const MAX_OPERATIONS: usize = 1000;

pub(super) const LINT: Lint = Lint {
    name: "body_size",
    explanation: "No innermost loop, calls included, has more than about 1,000 scalar operations: it would fall out of the \
                  instruction cache of small GPUs at every turn.",
    check,
};

fn check(_: &KernelSpec, checked: &Checked) -> Vec<String> {
    let module = &checked.module;
    let mut called = HashMap::new();
    // naga's functions are in order of definition: callees come first.
    for (handle, function) in module.functions.iter() {
        let size = Count { module, info: &checked.info[handle], function, called: &called }.block(&function.body);
        called.insert(handle, size);
    }
    let mut findings = Vec::new();
    let infos = module.functions.iter().map(|(handle, _)| &checked.info[handle]);
    let infos = infos.chain((0..module.entry_points.len()).map(|i| checked.info.get_entry_point(i)));
    for ((name, function), info) in functions(module).zip(infos) {
        let count = Count { module, info, function, called: &called };
        for size in count.loops(&function.body) {
            if size > MAX_OPERATIONS {
                findings.push(format!("{size} operations in a loop of fn {name}, at most {MAX_OPERATIONS}"));
            }
        }
    }
    findings
}

struct Count<'a> {
    module: &'a naga::Module,
    info: &'a naga::valid::FunctionInfo,
    function: &'a Function,
    called: &'a HashMap<Handle<Function>, usize>,
}

impl Count<'_> {
    /// Scalar operations of a block, without those of the loops in it.
    fn block(&self, block: &Block) -> usize {
        block.iter().map(|statement| self.statement(statement)).sum()
    }

    fn statement(&self, statement: &Statement) -> usize {
        match statement {
            Statement::Emit(range) => range.clone().map(|handle| self.expression(handle)).sum(),
            Statement::Store { pointer, .. } => self.access(*pointer),
            Statement::Call { function, .. } => self.called.get(function).copied().unwrap_or(0),
            Statement::Block(block) => self.block(block),
            Statement::If { accept, reject, .. } => 1 + self.block(accept) + self.block(reject),
            Statement::Switch { cases, .. } => cases.iter().map(|case| self.block(&case.body)).sum(),
            Statement::Loop { .. } => 0,
            _ => 1,
        }
    }

    /// A load or store: one instruction, however wide, none where it is a register that is named.
    fn access(&self, pointer: Handle<Expression>) -> usize {
        match self.info[pointer].ty.inner_with(&self.module.types).pointer_space() {
            Some(AddressSpace::Function) => 0,
            _ => 1,
        }
    }

    /// A vector operation is one instruction a component.
    fn expression(&self, handle: Handle<Expression>) -> usize {
        match self.function.expressions[handle] {
            Expression::Load { pointer } => self.access(pointer),
            Expression::Binary { .. }
            | Expression::Unary { .. }
            | Expression::Math { .. }
            | Expression::Select { .. }
            | Expression::As { .. } => match self.info[handle].ty.inner_with(&self.module.types) {
                TypeInner::Vector { size, .. } => *size as usize,
                _ => 1,
            },
            _ => 0,
        }
    }

    /// Sizes of the innermost loops' bodies in a block.
    fn loops(&self, block: &Block) -> Vec<usize> {
        let mut sizes = Vec::new();
        for statement in block {
            match statement {
                Statement::Loop { body, continuing, .. } => {
                    let inner = self.loops(body);
                    if inner.is_empty() {
                        sizes.push(self.block(body) + self.block(continuing));
                    }
                    sizes.extend(inner);
                }
                Statement::Block(inner) => sizes.extend(self.loops(inner)),
                Statement::If { accept, reject, .. } => {
                    sizes.extend(self.loops(accept));
                    sizes.extend(self.loops(reject));
                }
                _ => {}
            }
        }
        sizes
    }
}
