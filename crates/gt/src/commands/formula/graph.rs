//! `gt formula graph`, and how steps are drawn.

use std::collections::BTreeMap;

use clap::Args;
use gt_model::formula::{Step, StepKind};
use gt_town::molecules::words;

use super::{rig, vars};
use crate::console::Console;
use crate::context::Context;
use crate::drawing::{self, Node};
use crate::error::{CliError, CliResult};

/// Draw the steps of a formula and their order
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The formula
    formula: String,
    /// Value of a variable [default: its default, or a sample]
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// As this rig sees it
    #[arg(long)]
    rig: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Form of a drawing.
#[derive(Clone, Copy, Debug, Args)]
pub struct Form {
    /// As a Mermaid flowchart
    #[arg(long, conflicts_with = "dot")]
    mermaid: bool,
    /// As a graph for Graphviz
    #[arg(long)]
    dot: bool,
}

/// Runs `gt formula graph`.
pub fn graph(args: &GraphArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let found = context.town.formula(rig.as_ref(), &args.formula)?;
    let mut values = found.resolved.sample();
    values.extend(vars(&args.vars)?);
    let plan = found.resolved.plan(&values).map_err(|source| found.unusable(source))?;
    let steps: Vec<(&Step, Option<String>)> = plan.steps.iter().map(|step| (step, None)).collect();
    draw("gt.formula-graph/1", &steps, args.form, console)
}

/// Draws steps, each with its state if it has one.
pub fn draw(schema: &str, steps: &[(&Step, Option<String>)], form: Form, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        let facts = steps.iter().map(|(step, state)| {
            serde_json::json!({
                "id": step.id, "title": step.title, "needs": step.needs, "parent": step.parent,
                "kind": words::kind(&step.kind), "state": state,
            })
        });
        return console.facts(schema, "steps", facts.collect::<Vec<_>>());
    }
    match form {
        Form { mermaid: true, .. } => console.out().write_all(drawing::mermaid(&edges(steps)).as_bytes())?,
        Form { dot: true, .. } => console.out().write_all(drawing::dot(&edges(steps)).as_bytes())?,
        Form { .. } => {
            for line in drawing::tree(&nested(steps)) {
                console.line(&line)?;
            }
        }
    }
    Ok(0)
}

fn label(step: &Step, state: Option<&String>) -> String {
    let mut label = step.title.clone();
    if step.kind != StepKind::Agent {
        label.push_str(&format!(" ({})", words::kind(&step.kind)));
    }
    if let Some(gate) = &step.gate {
        label.push_str(&format!(" ({})", words::gate(gate)));
    }
    state.map_or(label.clone(), |state| format!("{label} [{state}]"))
}

/// Returns a node for each step and each step that it needs.
fn edges(steps: &[(&Step, Option<String>)]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (step, state) in steps {
        let node = Node { id: step.id.clone(), label: label(step, state.as_ref()), ..Node::default() };
        let before =
            step.needs.iter().map(|need| Node { parent: Some((need.clone(), "then".to_owned())), ..node.clone() });
        let before: Vec<Node> = before.collect();
        nodes.extend(if before.is_empty() { vec![node] } else { before });
    }
    nodes
}

/// Returns the steps in order, parts below their groups. A step that does not just follow the one before says what it follows.
fn nested(steps: &[(&Step, Option<String>)]) -> Vec<Node> {
    let mut below: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, (step, _)) in steps.iter().enumerate() {
        below.entry(step.parent.as_deref()).or_default().push(at);
    }
    let mut nodes = Vec::new();
    let mut open: Vec<(usize, usize)> = roots(&below, None, 0);
    while let Some((at, depth)) = open.pop() {
        let (step, state) = &steps[at];
        let mut label = label(step, state.as_ref());
        let needs: Vec<&str> =
            step.needs.iter().map(String::as_str).filter(|need| !is_part(steps, need, &step.id)).collect();
        let previous = nodes.last().map(|node: &Node| node.id.as_str());
        if !needs.is_empty() && needs != previous.into_iter().collect::<Vec<_>>() {
            label.push_str(&format!("  after {}", needs.join(", ")));
        }
        nodes.push(Node { id: step.id.clone(), label, depth, ..Node::default() });
        open.extend(roots(&below, Some(&step.id), depth + 1));
    }
    nodes
}

/// Returns the steps directly below a group, the last first.
fn roots(below: &BTreeMap<Option<&str>, Vec<usize>>, group: Option<&str>, depth: usize) -> Vec<(usize, usize)> {
    below.get(&group).into_iter().flatten().rev().map(|at| (*at, depth)).collect()
}

fn is_part(steps: &[(&Step, Option<String>)], id: &str, group: &str) -> bool {
    steps.iter().any(|(step, _)| step.id == id && step.parent.as_deref() == Some(group))
}

/// Fails where a graph has nothing to draw.
pub fn require(steps: usize, what: &str) -> Result<(), CliError> {
    match steps {
        0 => {
            Err(CliError::Failed { what: format!("{what} has no steps any more"), hint: format!("gt mol show {what}") })
        }
        _ => Ok(()),
    }
}
