//! From files of other systems to ours.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use super::keys::{self, Foreign, Section};
use super::node::{self, Entry, Node, Value};
use super::source::{Finding, Findings, FormulaError, Span};
use super::syntax::Formula;
use super::text::{Piece, pieces};
use super::{check, write};

/// A formula that was converted.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Name of the formula.
    pub name: String,
    /// Text of our file. Comments of the other file are not in it.
    pub text: String,
    /// Keys of the other file that mean nothing here and were left out.
    pub findings: Vec<Finding>,
}

/// Converts a formula of the Go Gas Town or of beads, in TOML or JSON. `file` is the path that findings show.
///
/// Fails if the formula would not mean the same here; the findings say where and why.
pub fn import(file: &str, text: &str) -> Result<Imported, FormulaError> {
    let foreign = if file.ends_with(".json") { "formula.json" } else { "formula.toml" };
    let stem = file.trim_end_matches(".json").trim_end_matches(".toml").trim_end_matches(".formula");
    let formula = Formula::parse(&format!("{stem}.{foreign}"), text)?;
    let unused = if formula.extends.is_empty() { check::unused(&formula) } else { BTreeSet::new() };
    let convert = Convert { formula: &formula, unused };
    let root = node::parse(text).expect("it was parsed before");
    let root = convert.top(root);
    let text = write::toml(&root);
    let ours = Formula::parse(&format!("{}.toml", formula.name), &text)?;
    if ours.extends.is_empty() {
        let mut faults = Findings::default();
        faults.append(check::alone(&ours));
        faults.or(())?;
    }
    Ok(Imported { name: formula.name.clone(), text, findings: convert.findings() })
}

struct Convert<'f> {
    formula: &'f Formula,
    /// Names of variables that no text uses.
    unused: BTreeSet<String>,
}

type Entries<'t> = Vec<Entry<'t>>;

fn entry<'t>(key: &'static str, value: Value<'t>) -> Entry<'t> {
    let node = Node { span: Span::default(), value };
    Entry { key: Cow::Borrowed(key), key_span: Span::default(), own: Cell::default(), node }
}

fn text_of(node: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone().into_owned()),
        _ => None,
    }
}

fn take<'t>(entries: &mut Entries<'t>, key: &str) -> Option<Node<'t>> {
    let at = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(at).node)
}

/// Returns the entries of a table, or none.
fn entries_of(node: Node<'_>) -> Entries<'_> {
    match node.value {
        Value::Table(entries) => entries,
        _ => Vec::new(),
    }
}

fn items_of(node: Node<'_>) -> Vec<Node<'_>> {
    match node.value {
        Value::List(items) => items,
        _ => vec![node],
    }
}

impl Convert<'_> {
    fn findings(&self) -> Vec<Finding> {
        let unused = self.unused.iter().map(|name| {
            let at = &self.formula.vars[name].at;
            at.ignored(format!("variable `{name}` is declared and never used, so it was left out"))
        });
        self.formula.findings.iter().cloned().chain(unused).collect()
    }

    fn top<'t>(&self, root: Node<'t>) -> Node<'t> {
        let mut all = entries_of(root);
        let base = take(&mut all, "prompts").and_then(|prompts| text_of(&take(&mut entries_of(prompts), "base")?));
        if let Some(phase) = take(&mut all, "phase").and_then(|phase| text_of(&phase)) {
            let pour = if phase == "vapor" { "ephemeral" } else { "durable" };
            all.push(entry("pour", Value::Text(pour.into())));
        }
        take(&mut all, "version");
        all.push(entry("version", Value::Integer(1)));
        let mut all = self.known(all, &keys::TOP);
        for entry in &mut all {
            self.top_entry(entry, base.as_deref());
        }
        Node { span: Span::default(), value: Value::Table(all) }
    }

    fn top_entry(&self, entry: &mut Entry<'_>, base: Option<&str>) {
        let value = &mut entry.node.value;
        match entry.key.as_ref() {
            "vars" | "inputs" => self.vars(value),
            "steps" | "template" => self.steps(value),
            "legs" => self.legs(value, base),
            "synthesis" => self.table(value, &keys::SYNTHESIS),
            "output" => self.table(value, &keys::OUTPUT),
            "aspects" => self.each(value, |rule| self.aspect(rule)),
            "compose" => self.compose(value),
            _ => self.texts(value),
        }
    }

    /// Drops keys that have no meaning here, and gives others our names. Lists under one name become one list.
    fn known<'t>(&self, entries: Entries<'t>, section: &'static Section) -> Entries<'t> {
        let mut out: Entries<'t> = Vec::new();
        for mut entry in entries {
            match section.foreign(&entry.key) {
                Some((_, Foreign::Named(own))) => entry.key = Cow::Borrowed(own),
                Some(_) => continue,
                None if section.key(&entry.key).is_none() => continue,
                None => {}
            }
            let known = out.iter_mut().find(|known| known.key == entry.key);
            match (known, entry) {
                (Some(Entry { node: Node { value: Value::List(items), .. }, .. }), entry) => {
                    items.extend(items_of(entry.node));
                }
                (Some(_), _) => {}
                (None, entry) => out.push(entry),
            }
        }
        let rank = |entry: &Entry<'_>| section.names().position(|name| name == entry.key);
        out.sort_by_key(rank);
        out
    }

    fn table(&self, value: &mut Value<'_>, section: &'static Section) {
        if let Value::Table(entries) = value {
            *entries = self.known(std::mem::take(entries), section);
        }
        self.texts(value);
    }

    /// Changes each table of a list; a table alone becomes a list of one.
    fn each<'t>(&self, value: &mut Value<'t>, change: impl Fn(&mut Value<'t>)) {
        if let Value::Table(entries) = value {
            let table = Node { span: Span::default(), value: Value::Table(std::mem::take(entries)) };
            *value = Value::List(vec![table]);
        }
        if let Value::List(items) = value {
            items
                .iter_mut()
                .filter(|item| matches!(item.value, Value::Table(_)))
                .for_each(|item| change(&mut item.value));
        }
    }

    fn vars(&self, value: &mut Value<'_>) {
        let Value::Table(vars) = value else { return };
        vars.retain(|var| !self.unused.contains(var.key.as_ref()));
        for var in vars {
            let Value::Table(entries) = &mut var.node.value else { continue };
            let mut known = self.known(std::mem::take(entries), &keys::VAR);
            let has_default = known.iter().any(|entry| entry.key == "default");
            known.retain(|entry| !(has_default && entry.key == "required"));
            for entry in known.iter_mut().filter(|entry| entry.key == "type") {
                if let Some("int" | "integer") = text_of(&entry.node).as_deref() {
                    entry.node.value = Value::Text("number".into());
                }
            }
            *entries = known;
        }
    }

    fn steps(&self, value: &mut Value<'_>) {
        self.each(value, |step| self.step(step));
    }

    fn step(&self, value: &mut Value<'_>) {
        let Value::Table(entries) = value else { return };
        let mut step = std::mem::take(entries);
        describe_acceptance(&mut step);
        if let Some(id) = take(&mut step, "waits_for").and_then(|text| spawner(&text)) {
            step.push(entry(
                "depends_on",
                Value::List(vec![Node { span: Span::default(), value: Value::Text(id.into()) }]),
            ));
        }
        let expand_vars = take(&mut step, "expand_vars");
        let mut step = self.known(step, &keys::STEP);
        if let Some(expand) = step.iter_mut().find(|entry| entry.key == "expand") {
            named_expand(&mut expand.node.value, expand_vars);
        }
        let item = self.rounds(&mut step);
        for entry in &mut step {
            self.step_entry(entry);
        }
        if let Some(item) = item {
            step.iter_mut().for_each(|entry| replace(&mut entry.node.value, &format!("{{{item}}}"), "{{item}}"));
        }
        *entries = step;
    }

    fn step_entry(&self, entry: &mut Entry<'_>) {
        let value = &mut entry.node.value;
        match entry.key.as_ref() {
            "children" => self.steps(value),
            "gate" => gate(value),
            "on_complete" => on_complete(value),
            "run" | "loop" => {}
            _ => self.texts(value),
        }
    }

    /// Converts the loop of a step. Returns the name of its item in single braces.
    fn rounds(&self, step: &mut Entries<'_>) -> Option<String> {
        let at = step.iter().position(|entry| entry.key == "loop")?;
        let Value::Table(rounds) = &mut step[at].node.value else { return None };
        let (body, var, range) = (take(rounds, "body"), take(rounds, "var"), take(rounds, "range"));
        let range = range.and_then(|range| text_of(&range)).unwrap_or_default();
        if let Some((first, last)) = range.split_once("..") {
            let count = if first.trim() == "1" { last.to_owned() } else { format!("{last} - ({first}) + 1") };
            let count = self
                .formula
                .vars
                .keys()
                .fold(count, |count, name| count.replace(&format!("{{{name}}}"), &format!("{{{{{name}}}}}")));
            rounds.push(entry("count", Value::Text(count.into())));
        }
        if let Some(body) = body {
            step.push(entry("children", body.value));
        }
        var.and_then(|var| text_of(&var))
    }

    fn legs(&self, value: &mut Value<'_>, base: Option<&str>) {
        self.each(value, |leg| {
            self.table(leg, &keys::LEG);
            let (Some(base), Value::Table(entries)) = (base, leg) else { return };
            let own = take(entries, "description").and_then(|text| text_of(&text)).unwrap_or_default();
            let text = format!("{}\n\n{own}", self.text(base).trim_end());
            entries.push(entry("description", Value::Text(text.into())));
        });
    }

    fn aspect(&self, value: &mut Value<'_>) {
        let Value::Table(entries) = value else { return };
        let mut known = self.known(std::mem::take(entries), &keys::ASPECT);
        for entry in &mut known {
            match (entry.key.as_ref(), &mut entry.node.value) {
                ("before" | "after", value) => self.steps(value),
                ("around", Value::Table(sides)) => sides.iter_mut().for_each(|side| self.steps(&mut side.node.value)),
                _ => {}
            }
        }
        *entries = known;
    }

    fn compose(&self, value: &mut Value<'_>) {
        let Value::Table(entries) = value else { return };
        *entries = self.known(std::mem::take(entries), &keys::COMPOSE);
        for entry in entries.iter_mut().filter(|entry| entry.key == "expand") {
            self.each(&mut entry.node.value, |rule| self.table(rule, &keys::COMPOSE_EXPAND));
        }
    }

    /// Converts all texts in a value.
    fn texts(&self, value: &mut Value<'_>) {
        match value {
            Value::Text(text) => *text = Cow::Owned(self.text(text)),
            Value::List(items) => items.iter_mut().for_each(|item| self.texts(&mut item.value)),
            Value::Table(entries) => entries.iter_mut().for_each(|entry| self.texts(&mut entry.node.value)),
            _ => {}
        }
    }

    /// Writes variables as we do, and braces that are no variable so that they stay.
    fn text(&self, text: &str) -> String {
        let is_known = |name: &str| {
            let given = ["item", "index", "leg.id", "leg.title", "leg.focus", "output.directory", "output.file"];
            self.formula.vars.contains_key(name) || given.contains(&name) || !self.formula.extends.is_empty()
        };
        let piece = |piece: Piece<'_>| match piece {
            Piece::Plain(plain) => plain.replace("{{", "{{{{"),
            Piece::Var { name, .. } if is_known(name) => format!("{{{{{name}}}}}"),
            Piece::Var { whole, .. } => format!("{{{{{whole}"),
            Piece::Given { whole, .. } => whole.to_owned(),
        };
        pieces(text).map(piece).collect()
    }
}

fn describe_acceptance(step: &mut Entries<'_>) {
    let criteria = step.iter().find(|entry| entry.key == "acceptance").and_then(|entry| text_of(&entry.node));
    let Some(criteria) = criteria else { return };
    take(step, "acceptance");
    let own = take(step, "description").and_then(|text| text_of(&text)).unwrap_or_default();
    let text = format!("{}\n\nDone when: {criteria}", own.trim_end()).trim_start().to_owned();
    step.push(entry("description", Value::Text(text.into())));
}

/// Returns the id in `children-of(<id>)`.
fn spawner(node: &Node<'_>) -> Option<String> {
    Some(text_of(node)?.strip_prefix("children-of(")?.strip_suffix(')')?.to_owned())
}

fn named_expand<'t>(value: &mut Value<'t>, vars: Option<Node<'t>>) {
    if let (Value::Text(name), Some(vars)) = (&value, vars) {
        let formula = entry("formula", Value::Text(name.clone()));
        *value = Value::Table(vec![formula, entry("vars", vars.value)]);
    }
}

fn gate(value: &mut Value<'_>) {
    let Value::Table(entries) = value else { return };
    let kind = entries.iter().find(|entry| entry.key == "type").and_then(|entry| text_of(&entry.node));
    let has_time = entries.iter().any(|entry| ["after", "at"].contains(&entry.key.as_ref()));
    let id = take(entries, "id");
    for entry in entries.iter_mut().filter(|entry| entry.key == "timeout") {
        if kind.as_deref() == Some("timer") && !has_time {
            entry.key = Cow::Borrowed("after");
        }
    }
    if let (Some("bead"), Some(id)) = (kind.as_deref(), id) {
        entries.push(entry("bead", id.value));
    }
}

fn on_complete(value: &mut Value<'_>) {
    let Value::Table(entries) = value else { return };
    if let Some(Node { value: Value::Bool(true), .. }) = take(entries, "sequential") {
        take(entries, "parallel");
        entries.push(entry("parallel", Value::Bool(false)));
    }
}

fn replace(value: &mut Value<'_>, from: &str, to: &str) {
    match value {
        Value::Text(text) => *text = Cow::Owned(text.replace(from, to)),
        Value::List(items) => items.iter_mut().for_each(|item| replace(&mut item.value, from, to)),
        Value::Table(entries) => entries.iter_mut().for_each(|entry| replace(&mut entry.node.value, from, to)),
        _ => {}
    }
}
