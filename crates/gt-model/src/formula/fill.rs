//! From a step as written to a planned step: its texts with variables replaced.

use std::collections::BTreeMap;

use super::source::{Finding, Text};
use super::step::{Acceptance, Gate, ItemText, OnComplete, Opens, Run, Step, StepKind};
use super::syntax::{CheckTemplate, GateTemplate, OnCompleteTemplate, OpensTemplate, RunTemplate, StepTemplate};
use super::text::{Piece, Scope, pieces};
use super::vars;

/// Maximum length of the name of an agent or a model, in bytes.
const NAME_LIMIT: usize = 200;

/// Plans a step without parts. Its needs come later.
pub(super) fn leaf(step: &StepTemplate, id: String, scope: &Scope) -> Result<Step, Finding> {
    let gate = step.gate.as_ref().map(|gate| self::gate(gate, scope)).transpose()?;
    let kind = match &step.run {
        Some(run) => StepKind::Run(self::run(run, scope)?),
        None if gate.is_some() && step.description.is_none() => StepKind::Gate,
        None => StepKind::Agent,
    };
    let runs = matches!(kind, StepKind::Run(_));
    Ok(Step {
        acceptance: checks(step, scope)?,
        kind,
        gate,
        timeout_seconds: step.timeout_seconds,
        retries: step.retries.unwrap_or_default(),
        on_complete: step.on_complete.as_ref().map(|on_complete| self::on_complete(on_complete, scope)).transpose()?,
        env: if runs { scope.environment(&step.id.at)? } else { BTreeMap::new() },
        ..common(step, id, scope)?
    })
}

/// Plans the group of a step with parts.
pub(super) fn group(step: &StepTemplate, id: String, scope: &Scope) -> Result<Step, Finding> {
    Ok(Step {
        acceptance: checks(step, scope)?,
        kind: StepKind::Group,
        gate: step.gate.as_ref().map(|gate| self::gate(gate, scope)).transpose()?,
        ..common(step, id, scope)?
    })
}

/// Plans the group of a loop. The rounds have the checks, the gate and the description.
pub(super) fn loop_group(step: &StepTemplate, id: String, scope: &Scope) -> Result<Step, Finding> {
    let every = scope.with("item", "*").with("index", "*");
    let every = match step.repeat.as_ref().and_then(|repeat| repeat.var.as_ref()) {
        Some(name) => every.giving(name, "*"),
        None => every,
    };
    let group = common(step, id, &every)?;
    Ok(Step { kind: StepKind::Group, description: String::new(), ..group })
}

fn common(step: &StepTemplate, id: String, scope: &Scope) -> Result<Step, Finding> {
    let labels = step.labels.iter().flatten().map(|label| scope.fill(label));
    Ok(Step {
        id,
        title: optional(&step.title, scope)?.unwrap_or_default(),
        description: optional(&step.description, scope)?.unwrap_or_default(),
        parallel: step.parallel.unwrap_or_default(),
        agent: short(&step.agent, scope)?,
        model: short(&step.model, scope)?,
        priority: step.priority,
        labels: labels.collect::<Result<_, _>>()?,
        formula: optional(&step.formula, scope)?,
        ..Step::default()
    })
}

/// Fills a name that parts inherit.
fn short(text: &Option<Text>, scope: &Scope) -> Result<Option<String>, Finding> {
    let filled = optional(text, scope)?;
    match (&filled, text) {
        (Some(name), Some(text)) if name.len() > NAME_LIMIT => {
            Err(text.at.error(format!("a name has up to {NAME_LIMIT} bytes")))
        }
        _ => Ok(filled),
    }
}

fn optional(text: &Option<Text>, scope: &Scope) -> Result<Option<String>, Finding> {
    text.as_ref().map(|text| scope.fill(text)).transpose()
}

fn checks(step: &StepTemplate, scope: &Scope) -> Result<Vec<Acceptance>, Finding> {
    step.acceptance.iter().flatten().map(|check| acceptance(check, scope)).collect()
}

pub(super) fn acceptance(check: &CheckTemplate, scope: &Scope) -> Result<Acceptance, Finding> {
    Ok(match check {
        CheckTemplate::Act(act) => Acceptance::Act(*act),
        CheckTemplate::Command(argv) => Acceptance::Command(argv_of(argv, scope)?),
    })
}

/// Replaces variables inside of each argument: a value never becomes two.
fn argv_of(argv: &[Text], scope: &Scope) -> Result<Vec<String>, Finding> {
    let argument = |text: &Text| {
        let filled = scope.fill(text)?;
        if filled.contains('\0') { Err(text.at.error("an argument can't contain a NUL")) } else { Ok(filled) }
    };
    argv.iter().map(argument).collect()
}

fn run(run: &RunTemplate, scope: &Scope) -> Result<Run, Finding> {
    Ok(match run {
        RunTemplate::Act(act) => Run::Act(*act),
        RunTemplate::Argv(argv) => Run::Argv(argv_of(argv, scope)?),
        RunTemplate::Script(text) => {
            scope.charge(text.value.len(), &text.at)?;
            Run::Script(text.value.clone())
        }
    })
}

fn gate(gate: &GateTemplate, scope: &Scope) -> Result<Gate, Finding> {
    let opens = match &gate.opens {
        OpensTemplate::Human { ask, who } => Opens::Human { ask: optional(ask, scope)?, who: optional(who, scope)? },
        OpensTemplate::After(text) => Opens::After { seconds: after(text, scope)? },
        OpensTemplate::At(text) => Opens::At { time: at(text, scope)? },
        OpensTemplate::Bead(bead) => Opens::Bead { bead: scope.fill(bead)? },
        OpensTemplate::Mail { from, subject } => {
            Opens::Mail { from: optional(from, scope)?, subject: optional(subject, scope)? }
        }
        OpensTemplate::Merge(bead) => Opens::Merge { bead: optional(bead, scope)? },
        OpensTemplate::Command { check, every_seconds } => {
            Opens::Command { check: acceptance(check, scope)?, every_seconds: *every_seconds }
        }
    };
    Ok(Gate { opens, timeout_seconds: gate.timeout_seconds })
}

fn after(text: &Text, scope: &Scope) -> Result<u64, Finding> {
    let filled = scope.fill(text)?;
    vars::seconds(&filled)
        .ok_or_else(|| text.at.error(format!("`{filled}` is no duration, such as 90s, 10m, 2h or 1d")))
}

fn at(text: &Text, scope: &Scope) -> Result<String, Finding> {
    let filled = scope.fill(text)?;
    filled
        .parse::<jiff::Timestamp>()
        .map(|time| time.to_string())
        .map_err(|_| text.at.error(format!("`{filled}` is no time, such as 2027-01-31T09:00:00Z")))
}

fn on_complete(template: &OnCompleteTemplate, scope: &Scope) -> Result<OnComplete, Finding> {
    let path = template.for_each.value.split('.').skip(1).map(str::to_owned).collect();
    let value = |(name, text): &(Text, Text)| Ok((name.value.clone(), item_text(text, scope)?));
    Ok(OnComplete {
        for_each: path,
        bond: template.bond.value.clone(),
        vars: template.vars.iter().map(value).collect::<Result<_, Finding>>()?,
        parallel: template.parallel,
    })
}

/// Replaces variables in a text, and keeps apart what an item will give to it.
fn item_text(text: &Text, scope: &Scope) -> Result<Vec<ItemText>, Finding> {
    let mut parts = Vec::new();
    for piece in pieces(&text.value) {
        let (name, whole) = match piece {
            Piece::Plain(plain) => ("", plain),
            Piece::Var { name, whole } | Piece::Given { name, whole } => (name, whole),
        };
        let of_item = name == "item" || name.starts_with("item.");
        parts.push(match name {
            "index" => ItemText::Index,
            _ if of_item => ItemText::Item(name.split('.').skip(1).map(str::to_owned).collect()),
            _ => ItemText::Plain(scope.fill(&Text { value: whole.to_owned(), at: text.at.clone() })?),
        });
    }
    Ok(parts)
}
