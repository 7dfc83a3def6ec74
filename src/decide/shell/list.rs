//! The shape of a command line: lists as rows, and the simple commands in them.

use super::call::resolve;
use rable::{ListOperator, Node, NodeKind};
use std::ops::Range;

/// Commands joined by `&&` and `||`, up to the `;`, `&` or line break behind them.
#[derive(Debug)]
pub struct Unit<'n> {
    pub chain: Vec<&'n Node>,
    pub background: bool,
}

impl Unit<'_> {
    pub fn range(&self) -> Range<usize> {
        let from = self.chain.first().map_or(0, |node| node.span.start);
        from..self.chain.last().map_or(0, |node| node.span.end)
    }
}

pub fn units<'n>(nodes: &[&'n Node]) -> Vec<Unit<'n>> {
    let mut line = Vec::new();
    for node in nodes {
        flatten(node, Some(ListOperator::Semi), &mut line);
    }
    let mut units = Vec::new();
    let mut chain = Vec::new();
    for (node, operator) in line {
        chain.push(node);
        if !matches!(operator, Some(ListOperator::And | ListOperator::Or)) {
            let background = operator == Some(ListOperator::Background);
            units.push(Unit { chain: std::mem::take(&mut chain), background });
        }
    }
    if !chain.is_empty() {
        units.push(Unit { chain, background: false });
    }
    units
}

/// The parser nests lists by precedence; here they are a row, each with the operator behind it.
pub fn flatten<'n>(
    node: &'n Node,
    behind: Option<ListOperator>,
    line: &mut Vec<(&'n Node, Option<ListOperator>)>,
) {
    let NodeKind::List { items } = &node.kind else {
        line.push((node, behind));
        return;
    };
    for (number, item) in items.iter().enumerate() {
        let last = number + 1 == items.len();
        flatten(&item.command, item.operator.or(if last { behind } else { None }), line);
    }
}

/// Whether nothing but this project's programs is called, and what changes the shell's own state.
pub fn only_ours(nodes: &[&Node]) -> bool {
    const HARMLESS: [&str; 9] =
        ["cd", "export", "set", "true", ":", "echo", "printf", "mkdir", "sleep"];
    let mut any = false;
    let all = units(nodes).iter().flat_map(|unit| &unit.chain).all(|node| match &node.kind {
        NodeKind::Command { words, .. } => {
            let call = resolve(words, 0);
            any |= call.is_ours();
            call.is_ours() || HARMLESS.contains(&call.program())
        }
        _ => false,
    });
    all && any
}

/// The body of a here-document stands apart from its command.
pub fn has_here_document(chain: &[&Node]) -> bool {
    let mut all = Vec::new();
    for node in chain {
        simple_commands(node, &mut all);
    }
    let is_one = |node: &Node| matches!(node.kind, NodeKind::HereDoc { .. });
    all.iter().any(|(_, redirects)| redirects.iter().any(is_one))
}

/// The words of the command that a chain is about: the first that does more than prepare.
pub fn main_words(chain: &[&Node]) -> Vec<Option<String>> {
    const PREPARES: [&str; 12] =
        ["cd", "export", "source", ".", "sleep", "echo", "set", "mkdir", "true", ":", "test", "["];
    let mut all = Vec::new();
    for node in chain {
        simple_commands(node, &mut all);
    }
    let mut calls = all.into_iter().map(|(words, _)| resolve(words, 0));
    let first = calls.clone().next();
    let main = calls.find(|call| !PREPARES.contains(&call.program())).or(first);
    main.map(|call| call.own().to_vec()).unwrap_or_default()
}

/// The programs that are called in a chain.
pub fn simple_programs(chain: &[&Node]) -> Vec<String> {
    let mut all = Vec::new();
    for node in chain {
        simple_commands(node, &mut all);
    }
    let called = all.into_iter().filter(|(words, _)| !words.is_empty());
    called.map(|(words, _)| resolve(words, 0).program().to_owned()).collect()
}

/// The simple commands in a command, with their redirections.
pub fn simple_commands<'n>(node: &'n Node, all: &mut Vec<(&'n [Node], &'n [Node])>) {
    let mut of = |nodes: &mut dyn Iterator<Item = &'n Node>| {
        nodes.for_each(|node| simple_commands(node, all));
    };
    match &node.kind {
        NodeKind::Command { words, redirects, .. } => all.push((words, redirects)),
        NodeKind::Pipeline { commands, .. } => of(&mut commands.iter()),
        NodeKind::List { items } => of(&mut items.iter().map(|item| &item.command)),
        NodeKind::Negation { pipeline: one } | NodeKind::Time { pipeline: one, .. } => {
            of(&mut [&**one].into_iter());
        }
        NodeKind::BraceGroup { body, redirects }
        | NodeKind::Subshell { body, redirects }
        | NodeKind::For { body, redirects, .. }
        | NodeKind::ForArith { body, redirects, .. }
        | NodeKind::While { body, redirects, .. }
        | NodeKind::Until { body, redirects, .. } => {
            of(&mut [&**body].into_iter());
            all.push((&[], redirects));
        }
        NodeKind::If { then_body, else_body, .. } => {
            of(&mut [&**then_body].into_iter().chain(else_body.as_deref()));
        }
        NodeKind::Case { patterns, .. } => {
            of(&mut patterns.iter().filter_map(|pattern| pattern.body.as_ref()));
        }
        _ => {}
    }
}
