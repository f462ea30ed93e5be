//! Loops end.

use naga::{BinaryOperator, Block, Expression, Function, Handle, Literal, LocalVariable, Module, Statement};

use super::rule::{Lint, functions};
use crate::kernel::KernelSpec;
use crate::wgsl::checked::Checked;

/// Most that a counter is increased by at once. Bounds are sizes, below 2^31, and what is added to one: a counter does not
/// step over its bound and wrap around.
const MAX_STEP: u32 = 1 << 16;

pub(super) const LINT: Lint = Lint {
    name: "bounded_loops",
    explanation: "Every loop counts a variable of its own up by a constant, to a bound made of parameters and other numbers \
                  that nothing in the loop changes, or divides it by a constant down to 0: shaders run without a check that \
                  loops end.",
    check,
};

fn check(_: &KernelSpec, checked: &Checked) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, function) in functions(&checked.module) {
        each_loop(&function.body, &mut |turn| {
            if let Err(why) = turn.ends(&checked.module, function) {
                findings.push(format!("a loop in fn {name} {why}"));
            }
        });
    }
    findings
}

/// What is repeated.
struct Turn<'a> {
    body: &'a Block,
    continuing: &'a Block,
    break_if: Option<Handle<Expression>>,
}

fn each_loop(block: &Block, visit: &mut impl FnMut(&Turn<'_>)) {
    for statement in block {
        if let Statement::Loop { body, continuing, break_if } = statement {
            visit(&Turn { body, continuing, break_if: *break_if });
        }
        blocks_of(statement).into_iter().for_each(|inner| each_loop(inner, visit));
    }
}

/// The blocks within a statement.
fn blocks_of(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(inner) => vec![inner],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => vec![],
    }
}

impl Turn<'_> {
    /// Whether it is `for (...; i < bound; i += step)` or `for (...; i > 0; i /= step)` as naga has it: a condition that breaks
    /// before anything else, and one store at the end.
    fn ends(&self, module: &Module, function: &Function) -> Result<(), &'static str> {
        let first = self.body.iter().find(|statement| !matches!(statement, Statement::Emit(_)));
        let Some(Statement::If { condition, accept, reject }) = first else {
            return Err("does not begin with its condition");
        };
        if self.break_if.is_some() || !accept.is_empty() || !matches!(reject[..], [Statement::Break]) {
            return Err("does not end where its condition fails");
        }
        let (left, right, up) = match function.expressions[*condition] {
            Expression::Binary { op: BinaryOperator::Less, left, right } => (left, right, true),
            Expression::Binary { op: BinaryOperator::Greater, left, right }
                if constant(module, function, right) == Some(0) =>
            {
                (left, right, false)
            }
            _ => return Err("has a condition other than `< bound` or `> 0`"),
        };
        let Some(counter) = loaded(function, left) else { return Err("has no counter") };
        let mut fixed = vec![counter];
        variables(function, right, &mut fixed)?;
        let mut changed = Vec::new();
        written(function, self.body, &mut changed);
        if changed.iter().any(|variable| fixed.contains(variable)) {
            return Err("changes its counter or its bound");
        }
        let mut changed = Vec::new();
        written(function, self.continuing, &mut changed);
        let store = self.continuing.iter().find_map(|statement| match statement {
            Statement::Store { value, .. } => Some(&function.expressions[*value]),
            _ => None,
        });
        let Some(&Expression::Binary { op, left, right }) = store else { return Err("does not count") };
        if changed != [counter] || loaded(function, left) != Some(counter) {
            return Err("does not count");
        }
        match (up, op, constant(module, function, right)) {
            (true, BinaryOperator::Add, Some(1..=MAX_STEP)) | (false, BinaryOperator::Divide, Some(2..)) => Ok(()),
            _ => Err("does not count by a constant"),
        }
    }
}

/// A number that is written in the text.
fn constant(module: &Module, function: &Function, expression: Handle<Expression>) -> Option<u32> {
    let value = match &function.expressions[expression] {
        Expression::Constant(constant) => &module.global_expressions[module.constants[*constant].init],
        other => other,
    };
    match value {
        Expression::Literal(Literal::U32(value)) => Some(*value),
        _ => None,
    }
}

/// The local variable that an expression loads.
fn loaded(function: &Function, expression: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    match function.expressions[expression] {
        Expression::Load { pointer } => root(function, pointer),
        _ => None,
    }
}

/// The local variable that a pointer leads into.
fn root(function: &Function, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    match function.expressions[pointer] {
        Expression::LocalVariable(variable) => Some(variable),
        Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => root(function, base),
        _ => None,
    }
}

/// The local variables that an expression is computed from, besides parameters, arguments and constants.
fn variables(
    function: &Function,
    expression: Handle<Expression>,
    found: &mut Vec<Handle<LocalVariable>>,
) -> Result<(), &'static str> {
    let parts = match function.expressions[expression] {
        Expression::Literal(_) | Expression::Constant(_) | Expression::FunctionArgument(_) => vec![],
        Expression::Load { pointer } => match (root(function, pointer), &function.expressions[pointer]) {
            (Some(variable), _) => {
                found.push(variable);
                vec![]
            }
            // A field of a global: the parameters, the one global that is a struct.
            (None, Expression::AccessIndex { base, .. })
                if matches!(function.expressions[*base], Expression::GlobalVariable(_)) =>
            {
                vec![]
            }
            _ => return Err("has a bound from memory"),
        },
        Expression::AccessIndex { base, .. } => vec![base],
        Expression::Binary { left, right, .. } => vec![left, right],
        Expression::Math { arg, arg1, arg2, arg3, .. } => [Some(arg), arg1, arg2, arg3].into_iter().flatten().collect(),
        _ => return Err("has a bound that is not made of parameters"),
    };
    parts.into_iter().try_for_each(|part| variables(function, part, found))
}

/// The local variables that a block writes, also through the pointers that functions get.
fn written(function: &Function, block: &Block, found: &mut Vec<Handle<LocalVariable>>) {
    for statement in block {
        match statement {
            Statement::Store { pointer, .. } => found.extend(root(function, *pointer)),
            Statement::Call { arguments, .. } => {
                found.extend(arguments.iter().filter_map(|&argument| root(function, argument)));
            }
            _ => blocks_of(statement).into_iter().for_each(|inner| written(function, inner, found)),
        }
    }
}
