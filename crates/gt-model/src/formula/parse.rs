//! From the tree of a file to a formula or an overlay.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keys::{self, Section};
use super::node::{self, Node, Value};
use super::read::{Fields, Reader};
use super::source::{At, Finding, FormulaError, Source, Span, Text};
use super::syntax::{AspectRule, ExpandRule, ExpandTemplate, Formula, FormulaKind, Output, Overlay, StepTemplate};
use super::text::is_name;
use super::vars::{DefaultValue, Var, VarKind, compile};
use super::{FILE_LIMIT, FORMULA_VERSION, RULE_LIMIT, steps};

/// Maximum length of a formula's name.
const NAME_LIMIT: usize = 100;

impl Formula {
    /// Parses a formula. `file` is the path that errors show; in files `*.formula.toml` and `*.formula.json`, as beads and the Go
    /// Gas Town name them, any `version` is accepted, since it counts their revisions.
    ///
    /// Everything that one file can show is checked here. [`Library::check`](super::Library::check) checks what the formula means.
    pub fn parse(file: &str, text: &str) -> Result<Self, FormulaError> {
        let source = Arc::new(Source { file: file.to_owned(), text: text.to_owned() });
        let mut reader = Reader::new(&source);
        let root = tree(&source)?;
        let formula = formula(&mut reader, &root);
        finish(reader, formula, |formula, findings| formula.findings = findings)
    }
}

impl Overlay {
    /// Parses an overlay.
    pub fn parse(file: &str, text: &str) -> Result<Self, FormulaError> {
        let source = Arc::new(Source { file: file.to_owned(), text: text.to_owned() });
        let mut reader = Reader::new(&source);
        let root = tree(&source)?;
        let overlay = overlay(&mut reader, &root);
        finish(reader, overlay, |overlay, findings| overlay.findings = findings)
    }
}

fn tree(source: &Arc<Source>) -> Result<Node<'_>, FormulaError> {
    let at = |span: Span| At { source: Arc::clone(source), span };
    if source.text.len() > FILE_LIMIT {
        let start = at(Span::default());
        return Err(start.error(format!("the file has {} bytes; the limit is {FILE_LIMIT}", source.text.len())).into());
    }
    node::parse(&source.text).map_err(|fault| at(fault.span).error(fault.message).into())
}

fn finish<T>(reader: Reader, value: Option<T>, keep: impl FnOnce(&mut T, Vec<Finding>)) -> Result<T, FormulaError> {
    let (value, findings) = reader.findings.or(value)?;
    let Some(mut value) = value else { return Err(FormulaError(findings)) };
    keep(&mut value, findings);
    Ok(value)
}

fn formula(reader: &mut Reader, root: &Node<'_>) -> Option<Formula> {
    let fields = reader.fields(root, &keys::TOP, "formula")?;
    let name = reader.text(fields, "formula");
    let name = reader.required(fields, "formula", name);
    check_version(reader, fields);
    let kind = kind(reader, fields);
    let (mut aspects, mut aspect_names) = aspects(reader, fields);
    aspects.iter_mut().for_each(|rule| rule.must_match = kind != FormulaKind::Aspect);
    let expansions = compose(reader, fields, &mut aspect_names);
    let in_template = kind == FormulaKind::Expansion;
    let name = name.filter(|name| check_name(reader, name))?;
    let formula = Formula {
        description: reader.plain(fields, "description").unwrap_or_default(),
        kind,
        extends: extends(reader, fields),
        vars: vars(reader, fields, &["vars", "inputs"]),
        steps: step_list(reader, fields, if in_template { "template" } else { "steps" }, in_template),
        legs: step_list(reader, fields, "legs", false),
        synthesis: synthesis(reader, fields),
        aspects,
        aspect_names,
        expansions,
        output: output(reader, fields),
        durable: pour(reader, fields),
        base: base(reader, fields),
        at: name.at.clone(),
        name: name.value,
        findings: Vec::new(),
    };
    check_shape(reader, fields, &formula);
    Some(formula)
}

fn check_name(reader: &mut Reader, name: &Text) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let value = &name.value;
    let fits = !value.is_empty() && value.len() <= NAME_LIMIT && value.chars().all(is_plain) && !value.starts_with('.');
    if !fits {
        reader.error(name.at.span, format!("a name has 1 to {NAME_LIMIT} letters, digits, `-`, `_` and `.`"));
    }
    fits
}

fn check_version(reader: &mut Reader, fields: Fields<'_>) {
    if reader.source.is_foreign() {
        return;
    }
    let Some(entry) = fields.get("version") else { return reader.missing(fields, "version") };
    let newest = i64::from(FORMULA_VERSION);
    match entry.node.value {
        Value::Integer(version) if (1..=newest).contains(&version) => {}
        Value::Integer(version) if version > newest => {
            let at = reader.at(entry.node.span);
            let error = at.error(format!("version {version} is newer than this gt knows ({newest})"));
            reader.findings.push(error.hint("`version` is the version of the language, not of the formula"));
        }
        _ => reader.error(entry.node.span, format!("`version` is the version of the language: {newest}")),
    }
}

fn kind(reader: &mut Reader, fields: Fields<'_>) -> FormulaKind {
    let Some(text) = reader.text(fields, "type") else { return implied_kind(fields) };
    let named = FormulaKind::NAMES.iter().find(|(name, _)| *name == text.value);
    if named.is_none() {
        let error = text.at.error(format!("`{}` is no type of formula", text.value));
        let known = FormulaKind::NAMES.map(|(name, _)| name);
        reader.findings.push(error.hint(format!("known types: {}", known.join(", "))));
    }
    named.map(|(_, kind)| *kind).unwrap_or_default()
}

fn implied_kind(fields: Fields<'_>) -> FormulaKind {
    match () {
        () if fields.get("legs").is_some() => FormulaKind::Convoy,
        () if fields.get("template").is_some() => FormulaKind::Expansion,
        () => FormulaKind::Workflow,
    }
}

/// Reports keys that do not belong to the kind, and a kind without what it is made of.
fn check_shape(reader: &mut Reader, fields: Fields<'_>, formula: &Formula) {
    let own = match formula.kind {
        FormulaKind::Workflow => "steps",
        FormulaKind::Convoy => "legs",
        FormulaKind::Expansion => "template",
        FormulaKind::Aspect => "aspects",
    };
    if fields.get(own).is_none() && formula.extends.is_empty() {
        let (name, _) = FormulaKind::NAMES[formula.kind as usize];
        reader.error(formula.at.span, format!("a formula of type {name} has `{own}`"));
    }
    for other in ["steps", "legs", "template", "synthesis"] {
        let belongs = other == own || (other == "synthesis" && own == "legs");
        if let Some(entry) = fields.get(other).filter(|_| !belongs) {
            let (name, _) = FormulaKind::NAMES[formula.kind as usize];
            reader.error(entry.key_span, format!("a formula of type {name} has no `{other}`"));
        }
    }
}

fn extends(reader: &mut Reader, fields: Fields<'_>) -> Vec<Text> {
    let texts = reader.value(fields, "extends", |reader, node| match node.value {
        Value::Text(_) => reader.text_of(node).map(|text| vec![text]),
        _ => reader.texts_of(node),
    });
    texts.unwrap_or_default()
}

fn vars(reader: &mut Reader, fields: Fields<'_>, names: &[&'static str]) -> BTreeMap<String, Var> {
    let mut all = BTreeMap::new();
    for name in names {
        let Some(entry) = fields.get(name) else { continue };
        let Value::Table(entries) = &entry.node.value else {
            reader.error(entry.node.span, format!("`{name}` is a table"));
            continue;
        };
        for entry in entries {
            if !is_name(&entry.key) {
                reader.error(
                    entry.key_span,
                    "a variable's name has letters, digits, `_` and `-`, and starts with a letter",
                );
            } else if let Some(var) = var(reader, &entry.node, entry.key_span) {
                all.insert(entry.key.clone().into_owned(), var);
            }
        }
    }
    all
}

fn var(reader: &mut Reader, node: &Node<'_>, key_span: Span) -> Option<Var> {
    let at = reader.at(key_span);
    if !matches!(node.value, Value::Table(_)) {
        let default = default(reader, node);
        if default.is_none() {
            reader.error(node.span, "a variable is a table, or its default");
        }
        return default.map(|default| short_var(node, default, at));
    }
    let fields = reader.fields(node, &keys::VAR, "variable")?;
    let values = reader.texts(fields, "values").unwrap_or_default();
    let var = Var {
        description: reader.plain(fields, "description").unwrap_or_default(),
        kind: var_kind(reader, fields, !values.is_empty()),
        required: reader.bool(fields, "required").unwrap_or_default(),
        default: reader.value(fields, "default", |reader, node| default(reader, node)),
        values: values.into_iter().map(|text| text.value).collect(),
        pattern: reader.plain(fields, "pattern"),
        at,
    };
    check_var(reader, fields, &var);
    Some(var)
}

fn short_var(node: &Node<'_>, default: DefaultValue, at: At) -> Var {
    let kind = match node.value {
        Value::Bool(_) => VarKind::Bool,
        Value::Integer(_) | Value::Decimal(_) => VarKind::Number,
        Value::List(_) => VarKind::List,
        _ => VarKind::String,
    };
    let description = String::new();
    Var { description, kind, required: false, default: Some(default), values: Vec::new(), pattern: None, at }
}

fn default(reader: &mut Reader, node: &Node<'_>) -> Option<DefaultValue> {
    match node.value {
        Value::List(_) => {
            let items = reader.texts_of(node)?.into_iter().map(|text| text.value);
            Some(DefaultValue::Items(items.collect()))
        }
        _ => reader.scalar(node).map(|text| DefaultValue::Text(text.value)),
    }
}

fn var_kind(reader: &mut Reader, fields: Fields<'_>, has_values: bool) -> VarKind {
    let Some(text) = reader.text(fields, "type") else {
        return if has_values { VarKind::Enum } else { VarKind::default() };
    };
    let kind = VarKind::named(&text.value);
    if kind.is_none() {
        let error = text.at.error(format!("`{}` is no type of variable", text.value));
        reader.findings.push(error.hint("known types: string, number, bool, enum, list"));
    }
    kind.unwrap_or_default()
}

fn check_var(reader: &mut Reader, fields: Fields<'_>, var: &Var) {
    let place = |name| fields.get(name).map_or(var.at.span, |entry| entry.node.span);
    if (var.kind == VarKind::Enum) == var.values.is_empty() {
        reader.error(place("values"), "a variable has `values` if, and only if, its type is enum");
    }
    if var.required && var.default.as_ref().is_some_and(|default| *default != DefaultValue::Text(String::new())) {
        let at = reader.at(place("default"));
        reader.findings.push(at.error_unless_foreign("a required variable has no default"));
    }
    if let Some(Err(why)) = var.pattern.as_deref().map(compile) {
        return reader.error(place("pattern"), format!("the variable {why}"));
    }
    let is_optional = var.default == Some(DefaultValue::Text(String::new()));
    if let Some(Err(why)) = (!is_optional && var.default.is_some()).then(|| var.value(None)) {
        reader.error(place("default"), format!("the default {why}"));
    }
}

fn step_list(reader: &mut Reader, fields: Fields<'_>, name: &'static str, in_template: bool) -> Vec<StepTemplate> {
    let section = if name == "legs" { &keys::LEG } else { &keys::STEP };
    let is_rule = ["replace", "append"].contains(&name);
    let items = if is_rule { reader.rules(fields, name) } else { reader.items(fields, name) };
    items.into_iter().filter_map(|item| steps::step(reader, item, section, in_template)).collect()
}

fn synthesis(reader: &mut Reader, fields: Fields<'_>) -> Option<StepTemplate> {
    let entry = fields.get("synthesis")?;
    let id = Text { value: "synthesis".to_owned(), at: reader.at(entry.key_span) };
    let fields = reader.fields(&entry.node, &keys::SYNTHESIS, "synthesis")?;
    Some(steps::leg(reader, fields, id))
}

/// Returns the rules and the names in `aspects`.
fn aspects(reader: &mut Reader, fields: Fields<'_>) -> (Vec<AspectRule>, Vec<Text>) {
    let (mut rules, mut names) = (Vec::new(), Vec::new());
    for item in reader.rules(fields, "aspects") {
        match reader.text_of(item) {
            Some(name) => names.push(name),
            None => rules.extend(aspect(reader, item)),
        }
    }
    (rules, names)
}

fn aspect(reader: &mut Reader, node: &Node<'_>) -> Option<AspectRule> {
    let fields = reader.fields(node, &keys::ASPECT, "aspect")?;
    let target = reader.text(fields, "target");
    let target = reader.required(fields, "target", target)?;
    let mut rule = AspectRule { target, before: Vec::new(), after: Vec::new(), must_match: true };
    rule.before = step_list(reader, fields, "before", true);
    rule.after = step_list(reader, fields, "after", true);
    if let Some(entry) = fields.get("around") {
        let around = reader.fields(&entry.node, &keys::AROUND, "around")?;
        rule.before.extend(step_list(reader, around, "before", true));
        rule.after.extend(step_list(reader, around, "after", true));
    }
    Some(rule)
}

fn compose(reader: &mut Reader, fields: Fields<'_>, names: &mut Vec<Text>) -> Vec<ExpandRule> {
    let Some(entry) = fields.get("compose") else { return Vec::new() };
    let Some(fields) = reader.fields(&entry.node, &keys::COMPOSE, "compose") else { return Vec::new() };
    names.extend(reader.texts(fields, "aspects").unwrap_or_default());
    let items = reader.rules(fields, "expand");
    items.into_iter().filter_map(|item| expand_rule(reader, item)).collect()
}

fn expand_rule(reader: &mut Reader, node: &Node<'_>) -> Option<ExpandRule> {
    let fields = reader.fields(node, &keys::COMPOSE_EXPAND, "expand")?;
    let target = reader.text(fields, "target");
    let target = reader.required(fields, "target", target);
    let formula = reader.text(fields, "formula");
    let formula = reader.required(fields, "formula", formula)?;
    Some(ExpandRule { target: target?, expand: ExpandTemplate { formula, vars: reader.pairs(fields, "vars") } })
}

fn output(reader: &mut Reader, fields: Fields<'_>) -> Option<Output> {
    let entry = fields.get("output")?;
    if let Some(text) = reader.text_of(&entry.node) {
        return match text.value.as_str() {
            "code" => Some(Output::Code),
            "report" => Some(Output::Report),
            _ => {
                reader.error(text.at.span, "`output` is \"code\", \"report\" or a table");
                None
            }
        };
    }
    let fields = reader.fields(&entry.node, &keys::OUTPUT, "output")?;
    Some(Output::Files {
        directory: reader.text(fields, "directory"),
        leg_pattern: reader.text(fields, "leg_pattern"),
        synthesis: reader.text(fields, "synthesis"),
    })
}

fn pour(reader: &mut Reader, fields: Fields<'_>) -> Option<bool> {
    let durable = reader.value(fields, "pour", |_, node| match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) if text == "durable" => Some(true),
        Value::Text(text) if text == "ephemeral" => Some(false),
        _ => None,
    });
    let phase = reader.value(fields, "phase", |_, node| match &node.value {
        Value::Text(text) if text == "liquid" => Some(true),
        Value::Text(text) if text == "vapor" => Some(false),
        _ => None,
    });
    durable.or(phase)
}

fn base(reader: &mut Reader, fields: Fields<'_>) -> Option<Text> {
    let entry = fields.get("prompts")?;
    let fields = reader.fields(&entry.node, &keys::PROMPTS, "prompts")?;
    reader.text(fields, "base")
}

fn overlay(reader: &mut Reader, root: &Node<'_>) -> Option<Overlay> {
    let fields = reader.fields(root, &keys::OVERLAY, "overlay")?;
    let name = reader.text(fields, "overlay");
    let name = if fields.get("step-overrides").is_some() { name } else { reader.required(fields, "overlay", name) };
    let mut insert: Vec<AspectRule> = Vec::new();
    for item in reader.rules(fields, "insert") {
        insert.extend(aspect(reader, item));
    }
    let mut overlay = Overlay {
        name: name.map(|name| name.value).unwrap_or_else(|| stem(&reader.source.file)),
        vars: vars(reader, fields, &["vars"]),
        skip: skip(reader, fields),
        replace: step_list(reader, fields, "replace", false),
        append: step_list(reader, fields, "append", false),
        insert,
        at: reader.at(Span::default()),
        findings: Vec::new(),
    };
    for item in reader.rules(fields, "step-overrides") {
        step_override(reader, item, &mut overlay);
    }
    Some(overlay)
}

fn skip(reader: &mut Reader, fields: Fields<'_>) -> Vec<Text> {
    let mut ids = reader.texts(fields, "skip").unwrap_or_default();
    if let Some(one_more) = ids.get(RULE_LIMIT) {
        reader.error(one_more.at.span, format!("`skip` has more than {RULE_LIMIT} items"));
        ids.truncate(RULE_LIMIT);
    }
    ids
}

/// Returns the name of a file without its folder and its endings.
fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.trim_end_matches(".toml").trim_end_matches(".overlay").to_owned()
}

/// Reads a rule of the Go Gas Town's overlays.
fn step_override(reader: &mut Reader, node: &Node<'_>, overlay: &mut Overlay) {
    let Some(fields) = reader.fields(node, &keys::OVERRIDE, "step-overrides") else { return };
    let id = reader.text(fields, "step_id");
    let mode = reader.text(fields, "mode");
    let (Some(id), Some(mode)) = (reader.required(fields, "step_id", id), reader.required(fields, "mode", mode)) else {
        return;
    };
    let step = StepTemplate { description: reader.text(fields, "description"), ..StepTemplate::new(id.clone()) };
    match mode.value.as_str() {
        "replace" => overlay.replace.push(step),
        "append" => overlay.append.push(step),
        "skip" => overlay.skip.push(id),
        _ => reader.error(mode.at.span, "`mode` is replace, append or skip"),
    }
}

/// Sections whose tables are steps.
pub(super) fn is_leg(section: &'static Section) -> bool {
    std::ptr::eq(section, &keys::LEG)
}
