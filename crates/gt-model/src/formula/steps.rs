//! Reading steps.

use super::act::Act;
use super::condition::Condition;
use super::keys::{self, Section};
use super::node::{Node, Value};
use super::parse::is_leg;
use super::read::{Fields, Reader};
use super::source::{Finding, Text};
use super::syntax::{
    CheckTemplate, ExpandTemplate, GateTemplate, LoopTemplate, OnCompleteTemplate, OpensTemplate, RoundsTemplate,
    RunTemplate, StepTemplate,
};
use super::text::{Piece, is_name, pieces};
use super::{ROUND_LIMIT, STEP_LIMIT, UNTIL_LIMIT};

/// Maximum length of an id as written, in bytes.
const ID_LIMIT: usize = 100;

/// Maximum number of words of a command.
const ARGV_LIMIT: usize = 1000;

/// Reads a step with its parts. `in_template`: its id may use `{target}` or `{step.id}`.
pub(super) fn step(
    reader: &mut Reader,
    node: &Node<'_>,
    section: &'static Section,
    in_template: bool,
) -> Option<StepTemplate> {
    reader.steps += 1;
    if reader.steps > STEP_LIMIT {
        reader.error(node.span, format!("the file has more than {STEP_LIMIT} steps"));
        return None;
    }
    let fields = reader.fields(node, section, "step")?;
    let id = reader.text(fields, "id");
    let id = reader.required(fields, "id", id).filter(|id| check_id(reader, id, in_template))?;
    let mut step = leg(reader, fields, id);
    step.when = condition(reader, fields);
    if is_leg(section) {
        step.focus = reader.text(fields, "focus");
        return Some(step);
    }
    step.acceptance = reader.value(fields, "acceptance", acceptance);
    if reader.source.is_foreign() {
        describe_acceptance(reader, fields, &mut step);
    }
    step.run = fields.get("run").and_then(|entry| run(reader, &entry.node));
    step.gate = fields.get("gate").and_then(|entry| gate(reader, &entry.node));
    step.expand = expand(reader, fields);
    step.children = children(reader, fields, in_template);
    step.repeat = fields.get("loop").and_then(|entry| repeat(reader, &entry.node, &mut step.children, in_template));
    step.parallel = reader.bool(fields, "parallel");
    step.timeout_seconds = reader.seconds(fields, "timeout");
    step.retries = reader.number(fields, "retries", (0, 10)).map(|retries| retries as u32);
    step.on_complete = fields.get("on_complete").and_then(|entry| on_complete(reader, &entry.node));
    wait_for_children(reader, fields, &mut step);
    check_parts(reader, fields, &step);
    Some(step)
}

/// Reads the keys that steps, legs and the synthesis share.
pub(super) fn leg(reader: &mut Reader, fields: Fields<'_>, id: Text) -> StepTemplate {
    let has = |name| fields.section.key(name).is_some();
    StepTemplate {
        title: reader.text(fields, "title"),
        description: reader.text(fields, "description"),
        needs: reader.texts(fields, "needs"),
        agent: reader.text(fields, "agent"),
        model: model(reader, fields),
        priority: reader.number(fields, "priority", (0, 4)).map(|priority| priority as u8),
        labels: reader.texts(fields, "labels"),
        formula: if has("formula") { reader.text(fields, "formula") } else { None },
        ..StepTemplate::new(id)
    }
}

fn check_id(reader: &mut Reader, id: &Text, in_template: bool) -> bool {
    let mut plain = id.value.clone();
    if in_template {
        plain = plain.replace("{target}", "x").replace("{step.id}", "x");
    }
    let fits = plain.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_id = fits && !plain.is_empty() && plain.len() <= ID_LIMIT && !plain.starts_with('.');
    if !is_id {
        reader.error(id.at.span, format!("an id has 1 to {ID_LIMIT} letters, digits, `-`, `_` and `.`"));
    }
    is_id
}

fn condition(reader: &mut Reader, fields: Fields<'_>) -> Option<Condition> {
    let text = reader.text(fields, "when")?;
    keep(reader, Condition::parse(&text))
}

/// Reads the model, and says that nothing follows from it.
fn model(reader: &mut Reader, fields: Fields<'_>) -> Option<Text> {
    let model = reader.text(fields, "model")?;
    reader.findings.push(model.at.ignored("an agent uses the model of its kind: no step chooses one"));
    Some(model)
}

/// Returns the value, or reports the finding.
fn keep<T>(reader: &mut Reader, result: Result<T, Finding>) -> Option<T> {
    result.map_err(|finding| reader.findings.push(finding)).ok()
}

/// Reads a list of checks. Other systems write the criteria as one text: that is not a list of checks.
fn acceptance(reader: &mut Reader, node: &Node<'_>) -> Option<Vec<CheckTemplate>> {
    if matches!(node.value, Value::Text(_)) && reader.source.is_foreign() {
        return Some(Vec::new());
    }
    let Value::List(items) = &node.value else { return None };
    Some(items.iter().filter_map(|item| check(reader, item)).collect())
}

/// Adds criteria that are a text to the description.
fn describe_acceptance(reader: &mut Reader, fields: Fields<'_>, step: &mut StepTemplate) {
    let Some(entry) = fields.get("acceptance") else { return };
    let Some(text) = reader.text_of(&entry.node) else { return };
    let finding = text.at.ignored("criteria as a text are no checks, so they become a part of the description");
    reader.findings.push(finding);
    let before = step.description.as_ref().map_or("", |text| text.value.trim_end());
    let value = format!("{before}\n\nDone when: {}", text.value).trim_start().to_owned();
    step.description = Some(Text { value, at: text.at });
}

/// Reads a check: `gt:<act>`, a command that is split at white space, or a list of texts.
fn check(reader: &mut Reader, node: &Node<'_>) -> Option<CheckTemplate> {
    if let Some(argv) = reader.texts_of(node) {
        return argv_of(reader, node, argv).map(CheckTemplate::Command);
    }
    let Some(text) = reader.text_of(node) else {
        reader.error(node.span, "a check is `gt:<act>`, a command, or a list of texts");
        return None;
    };
    if let Some(name) = text.value.strip_prefix("gt:") {
        let act = act(reader, &text, name)?;
        if !act.is_check() {
            reader.error(node.span, format!("`gt:{name}` is no check: it belongs under `run`"));
            return None;
        }
        return Some(CheckTemplate::Act(act));
    }
    let words = text.value.split_whitespace().take(ARGV_LIMIT + 1);
    let words = words.map(|word| Text { value: word.to_owned(), at: text.at.within(word) }).collect();
    argv_of(reader, node, words).map(CheckTemplate::Command)
}

fn act(reader: &mut Reader, text: &Text, name: &str) -> Option<Act> {
    let act = Act::named(name);
    if act.is_none() {
        let known: Vec<&str> = Act::ALL.iter().map(|act| act.name()).collect();
        let error = text.at.error(format!("`gt:{name}` is no act"));
        let nearest = crate::vocabulary::nearest(name, known.iter().copied());
        let hint = match nearest {
            Some(nearest) => format!("did you mean `gt:{nearest}`?"),
            None => format!("known acts: {}", known.join(", ")),
        };
        reader.findings.push(error.hint(hint));
    }
    act
}

fn argv_of(reader: &mut Reader, node: &Node<'_>, argv: Vec<Text>) -> Option<Vec<Text>> {
    let fits = argv.first().is_some_and(|program| !program.value.trim().is_empty()) && argv.len() <= ARGV_LIMIT;
    let has_nul = argv.iter().any(|word| word.value.contains('\0'));
    if !fits || has_nul {
        reader.error(node.span, format!("a command has a program and up to {ARGV_LIMIT} words"));
        return None;
    }
    Some(argv)
}

fn run(reader: &mut Reader, node: &Node<'_>) -> Option<RunTemplate> {
    if let Some(argv) = reader.texts_of(node) {
        return argv_of(reader, node, argv).map(RunTemplate::Argv);
    }
    let Some(text) = reader.text_of(node) else {
        reader.error(node.span, "`run` is a list of texts, or a text");
        return None;
    };
    if let Some(name) = text.value.strip_prefix("gt:") {
        return act(reader, &text, name.trim()).map(RunTemplate::Act);
    }
    let var = pieces(&text.value).find_map(|piece| match piece {
        Piece::Var { name, whole } if is_name(name) => Some((name, whole)),
        _ => None,
    });
    if let Some((name, whole)) = var {
        let at = text.at.within(whole);
        let error = at.error("values do not reach a script as text");
        let env = super::text::env_name(name);
        reader.findings.push(error.hint(format!("write \"${env}\", or a list: run = [\"program\", \"{whole}\"]")));
        return None;
    }
    if text.value.trim().is_empty() || text.value.contains('\0') {
        reader.error(node.span, "the script is empty");
        return None;
    }
    Some(RunTemplate::Script(text))
}

fn gate(reader: &mut Reader, node: &Node<'_>) -> Option<GateTemplate> {
    let fields = reader.fields(node, &keys::GATE, "gate")?;
    let kind = reader.text(fields, "type");
    let kind = reader.required(fields, "type", kind)?;
    let timeout_seconds = reader.seconds(fields, "timeout");
    let (own, opens): (&[&str], _) = match kind.value.as_str() {
        "human" => (&["ask", "who"], human(reader, fields)),
        "timer" => (&["after", "at"], timer(reader, fields, timeout_seconds)),
        "bead" => (&["bead", "id"], bead(reader, fields)),
        "mail" => (&["from", "subject"], mail(reader, fields)),
        "merge" => (&["bead"], Some(OpensTemplate::Merge(reader.text(fields, "bead")))),
        "command" => (&["run", "every"], command(reader, fields)),
        _ => {
            let error = kind.at.error(format!("`{}` is no type of gate", kind.value));
            let known = ["human", "timer", "bead", "mail", "merge", "command"];
            reader.findings.push(error.hint(format!("known types: {}", known.join(", "))));
            return None;
        }
    };
    check_gate_keys(reader, fields, &kind.value, own);
    Some(GateTemplate { opens: opens?, timeout_seconds })
}

fn check_gate_keys(reader: &mut Reader, fields: Fields<'_>, kind: &str, own: &[&str]) {
    for name in keys::GATE.names().chain(["id"]) {
        let belongs = ["type", "timeout"].contains(&name) || own.contains(&name);
        if let Some(entry) = fields.get(name).filter(|_| !belongs) {
            let finding = reader.at(entry.key_span);
            reader.findings.push(match name {
                "id" => finding.ignored("`id` has no meaning here"),
                _ => finding.error(format!("a gate of type {kind} has no `{name}`")),
            });
        }
    }
}

fn human(reader: &mut Reader, fields: Fields<'_>) -> Option<OpensTemplate> {
    Some(OpensTemplate::Human { ask: reader.text(fields, "ask"), who: reader.text(fields, "who") })
}

/// Reads a timer. Other systems write the time to wait as `timeout`.
fn timer(reader: &mut Reader, fields: Fields<'_>, timeout: Option<u64>) -> Option<OpensTemplate> {
    match (reader.text(fields, "after"), reader.text(fields, "at")) {
        (Some(after), None) => Some(OpensTemplate::After(after)),
        (None, Some(at)) => Some(OpensTemplate::At(at)),
        (None, None) if timeout.is_some() => reader.text(fields, "timeout").map(OpensTemplate::After),
        _ => {
            reader.error(fields.span, "a timer has either `after` or `at`");
            None
        }
    }
}

fn bead(reader: &mut Reader, fields: Fields<'_>) -> Option<OpensTemplate> {
    let bead = reader.text(fields, "bead").or_else(|| reader.text(fields, "id"));
    reader.required(fields, "bead", bead).map(OpensTemplate::Bead)
}

fn mail(reader: &mut Reader, fields: Fields<'_>) -> Option<OpensTemplate> {
    Some(OpensTemplate::Mail { from: reader.text(fields, "from"), subject: reader.text(fields, "subject") })
}

fn command(reader: &mut Reader, fields: Fields<'_>) -> Option<OpensTemplate> {
    let every_seconds = reader.seconds(fields, "every").unwrap_or(60);
    let Some(entry) = fields.get("run") else {
        reader.missing(fields, "run");
        return None;
    };
    Some(OpensTemplate::Command { check: check(reader, &entry.node)?, every_seconds })
}

fn expand(reader: &mut Reader, fields: Fields<'_>) -> Option<ExpandTemplate> {
    let entry = fields.get("expand")?;
    if let Some(formula) = reader.text_of(&entry.node) {
        return Some(ExpandTemplate { formula, vars: reader.pairs(fields, "expand_vars") });
    }
    let fields = reader.fields(&entry.node, &keys::EXPAND, "expand")?;
    let formula = reader.text(fields, "formula");
    let formula = reader.required(fields, "formula", formula)?;
    Some(ExpandTemplate { formula, vars: reader.pairs(fields, "vars") })
}

fn children(reader: &mut Reader, fields: Fields<'_>, in_template: bool) -> Option<Vec<StepTemplate>> {
    fields.get("children")?;
    let items = reader.items(fields, "children");
    Some(items.into_iter().filter_map(|item| step(reader, item, &keys::STEP, in_template)).collect())
}

fn repeat(
    reader: &mut Reader,
    node: &Node<'_>,
    children: &mut Option<Vec<StepTemplate>>,
    in_template: bool,
) -> Option<LoopTemplate> {
    let fields = reader.fields(node, &keys::LOOP, "loop")?;
    let body = reader.items(fields, "body");
    if !body.is_empty() {
        let body = body.into_iter().filter_map(|item| step(reader, item, &keys::STEP, in_template)).collect();
        *children = Some(body);
    }
    let rounds = rounds(reader, fields)?;
    let at = reader.at(node.span);
    Some(LoopTemplate { rounds, var: reader.plain(fields, "var").filter(|name| is_name(name)), at })
}

fn rounds(reader: &mut Reader, fields: Fields<'_>) -> Option<RoundsTemplate> {
    let given: Vec<&str> =
        ["count", "over", "until", "range"].into_iter().filter(|name| fields.get(name).is_some()).collect();
    if given.len() != 1 {
        reader.error(fields.span, "a loop has one of `count`, `over` and `until`");
        return None;
    }
    if let Some(entry) = fields.get("max").filter(|_| given != ["until"]) {
        reader.error(entry.key_span, "`max` belongs to `until`");
    }
    match given[0] {
        "count" => reader.value(fields, "count", |reader, node| count(reader, node)),
        "over" => reader.value(fields, "over", |reader, node| over(reader, node)),
        "range" => reader.text(fields, "range").map(RoundsTemplate::Range),
        _ => until(reader, fields),
    }
}

fn count(reader: &mut Reader, node: &Node<'_>) -> Option<RoundsTemplate> {
    if let Value::Integer(number) = node.value {
        if !(0..=ROUND_LIMIT as i64).contains(&number) {
            reader.error(node.span, format!("`count` is a number from 0 to {ROUND_LIMIT}"));
        }
        return reader.scalar(node).map(RoundsTemplate::Count);
    }
    reader.text_of(node).map(RoundsTemplate::Count)
}

fn over(reader: &mut Reader, node: &Node<'_>) -> Option<RoundsTemplate> {
    if let Some(items) = reader.texts_of(node) {
        if items.len() > STEP_LIMIT {
            reader.error(node.span, format!("a loop has up to {ROUND_LIMIT} rounds"));
        }
        return Some(RoundsTemplate::Items(items));
    }
    let text = reader.text_of(node)?;
    let mut names = pieces(&text.value);
    match (names.next(), names.next()) {
        (Some(Piece::Var { name, .. }), None) => {
            Some(RoundsTemplate::Over(Text { value: name.to_owned(), at: text.at }))
        }
        _ => None,
    }
}

fn until(reader: &mut Reader, fields: Fields<'_>) -> Option<RoundsTemplate> {
    let entry = fields.get("until")?;
    let max = reader.number(fields, "max", (1, i64::from(UNTIL_LIMIT)));
    let max = reader.required(fields, "max", max);
    if let Some(text) = reader.text_of(&entry.node).filter(|text| text.value.contains("==")) {
        let error = text.at.error("a condition on a step's status has no meaning here");
        reader.findings.push(error.hint("write a check, as in `acceptance`: `gt:<act>` or a command"));
        return None;
    }
    let check = check(reader, &entry.node)?;
    Some(RoundsTemplate::Until { check, max: max? as u32 })
}

fn on_complete(reader: &mut Reader, node: &Node<'_>) -> Option<OnCompleteTemplate> {
    let fields = reader.fields(node, &keys::ON_COMPLETE, "on_complete")?;
    let for_each = reader.text(fields, "for_each");
    let for_each = reader.required(fields, "for_each", for_each)?;
    let bond = reader.text(fields, "bond");
    let bond = reader.required(fields, "bond", bond)?;
    let path = for_each.value.strip_prefix("output.").unwrap_or_default();
    if !path.split('.').all(is_name) {
        reader.error(for_each.at.span, "`for_each` is `output.<field>`, with more fields after dots");
    }
    let parallel = reader.bool(fields, "parallel");
    let sequential = reader.bool(fields, "sequential").map(|sequential| !sequential);
    let parallel = parallel.or(sequential).unwrap_or(true);
    Some(OnCompleteTemplate { for_each, bond, vars: reader.pairs(fields, "vars"), parallel })
}

/// Reads `waits_for` of beads: the step waits for what another step poured, which needs do here anyway.
fn wait_for_children(reader: &mut Reader, fields: Fields<'_>, step: &mut StepTemplate) {
    let Some(text) = reader.text(fields, "waits_for") else { return };
    let spawner = text.value.strip_prefix("children-of(").and_then(|rest| rest.strip_suffix(')'));
    match (spawner, text.value.as_str()) {
        (Some(id), _) => {
            let need = Text { value: id.to_owned(), at: text.at.within(id) };
            step.needs.get_or_insert_default().push(need);
        }
        (None, "all-children") => {}
        _ => {
            let finding = text.at.ignored(format!("`{}` has no meaning here", text.value));
            reader.findings.push(finding.hint("steps wait for all that a step they need has poured"));
        }
    }
}

/// Reports keys that a step with parts can't have.
fn check_parts(reader: &mut Reader, fields: Fields<'_>, step: &StepTemplate) {
    let parts = match (&step.children, &step.expand) {
        (Some(_), Some(_)) => {
            let span = fields.get("expand").map_or(step.id.at.span, |entry| entry.key_span);
            return reader.error(span, "a step has either `children` or `expand`");
        }
        (None, None) => return,
        (Some(_), None) => "children",
        (None, Some(_)) => "expand",
    };
    for name in ["run", "timeout", "retries", "on_complete"] {
        if let Some(entry) = fields.get(name) {
            reader.error(entry.key_span, format!("a step with `{parts}` has no `{name}`: its parts have"));
        }
    }
}
