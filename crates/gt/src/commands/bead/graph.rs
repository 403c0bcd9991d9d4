//! Verbs for dependencies between beads.

use gt_ledger::{Direction, TreeNode};
use gt_model::bead::Bead;
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::work::beads;
use serde_json::{Value, json};

use super::shapes;
use super::typed;
use super::words;
use crate::cli::{DepVerb, DirectionArg};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::drawing::{self, Node};
use crate::error::CliResult;

/// Runs `dep`.
pub fn run(verb: DepVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let one = |text: &str| context.town.ledger.read(|view| beads::resolve(view, text));
    match verb {
        DepVerb::Add { bead, on, blocked_by, kind } => {
            let (bead, on) = (one(&bead)?, one(&on.or(blocked_by).unwrap_or_default())?);
            let kind = typed::dep_type(&kind)?;
            beads::add_dependency(&context.town, &context.caller, &bead, &on, &kind)?;
            if console.is_json() {
                let kind = kind.as_str();
                return console
                    .document(&json!({ "status": "added", "issue_id": bead, "depends_on_id": on, "type": kind }));
            }
            let said = format!("{bead} depends on {on} ({})", printable(kind.as_str()));
            words::say(console, &said, &format!("✓ Added dependency: {said}"))?;
        }
        DepVerb::Remove { bead, on } => {
            // The bead on the other end need not exist.
            let (bead, on) = (one(&bead)?, one(&on).unwrap_or_else(|_| BeadId::from(on.as_str())));
            beads::remove_dependency(&context.town, &context.caller, &bead, &on)?;
            if console.is_json() {
                return console.document(&json!({ "status": "removed", "issue_id": bead, "depends_on_id": on }));
            }
            let said = format!("{bead} no longer depends on {on}");
            words::say(console, &said, &format!("✓ Removed dependency: {said}"))?;
        }
        DepVerb::List { bead, direction, kind } => list(&one(&bead)?, direction, kind.as_deref(), context, console)?,
        DepVerb::Tree { bead, direction, reverse, max_depth, mermaid, format } => {
            let way = if reverse { Direction::Up } else { way(direction) };
            let top = one(&bead)?;
            let as_json = console.is_json() || format.as_deref() == Some("json");
            let as_flowchart = mermaid || format.as_deref() == Some("mermaid");
            let deepest = if as_json || as_flowchart { max_depth } else { max_depth.min(DRAWN_DEPTH) };
            let nodes = context.town.ledger.read(|view| view.tree(&top, way, deepest).map_err(Error::from))?;
            if as_json {
                return tree_json(&nodes, context, console);
            }
            let drawn: Vec<Node> = nodes.iter().map(node).collect();
            if as_flowchart {
                console.out().write_all(drawing::mermaid(&drawn).as_bytes())?;
                return Ok(0);
            }
            for line in drawing::tree(&drawn) {
                console.line(&line)?;
            }
        }
        DepVerb::Cycles => cycles(context, console)?,
    }
    Ok(0)
}

/// Maximum depth of a tree that is drawn as text, since a line's width grows with its depth.
const DRAWN_DEPTH: usize = 500;

fn way(direction: DirectionArg) -> Direction {
    match direction {
        DirectionArg::Down => Direction::Down,
        DirectionArg::Up => Direction::Up,
    }
}

fn node(node: &TreeNode) -> Node {
    let label = match (&node.status, node.priority) {
        (Some(status), Some(priority)) => format!("{} [P{priority}] ({status})", node.title),
        _ => "(not there)".to_owned(),
    };
    Node {
        id: node.id.0.clone(),
        label,
        depth: node.depth,
        parent: node.parent.as_ref().map(|(id, kind)| (id.0.clone(), kind.as_str().to_owned())),
        again: node.again,
        cut: node.cut,
    }
}

fn tree_json(nodes: &[TreeNode], context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ids: Vec<BeadId> = nodes.iter().filter(|node| node.status.is_some()).map(|node| node.id.clone()).collect();
    let found = context.town.ledger.read(|view| view.beads_with(&ids).map_err(Error::from))?;
    let mut found = found.into_iter().peekable();
    let mut list = Vec::new();
    for node in nodes {
        let bead = found.next_if(|bead| bead.id == node.id);
        let mut value = match &bead {
            Some(bead) => shapes::value(&Bead { dependencies: Vec::new(), comments: Vec::new(), ..bead.clone() })?,
            None => json!({ "id": node.id, "title": "" }),
        };
        if let Value::Object(map) = &mut value {
            map.insert("depth".to_owned(), node.depth.into());
            map.insert("parent_id".to_owned(), node.parent.as_ref().map_or("", |(id, _)| id.as_str()).into());
            map.insert("truncated".to_owned(), node.cut.into());
            if let Some((_, kind)) = &node.parent {
                map.insert("dependency_type".to_owned(), kind.as_str().into());
                map.insert("edge_from_parent".to_owned(), kind.as_str().into());
            }
        }
        list.push(value.to_string());
    }
    shapes::print_array(&list, console)
}

fn list(
    bead: &BeadId,
    direction: DirectionArg,
    kind: Option<&str>,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> Result<(), crate::error::CliError> {
    let mut links = context.town.ledger.read(|view| match direction {
        DirectionArg::Down => shapes::dependencies(view, &beads::require(view, bead)?),
        DirectionArg::Up => shapes::dependents(view, bead),
    })?;
    links.retain(|(_, of)| kind.is_none_or(|kind| of.as_str() == kind));
    if console.is_json() {
        let links: Vec<String> = links.into_iter().map(|(bead, kind)| shapes::linked(bead, &kind)).collect();
        shapes::print_array(&links, console)?;
        return Ok(());
    }
    for (other, kind) in &links {
        let line = format!("{}  {} [P{}] ({}) via {kind}", other.id, other.title, other.priority, other.status);
        console.line(&printable(&line))?;
    }
    if links.is_empty() {
        console.say(&printable(&format!("{bead} has none")))?;
    }
    Ok(())
}

fn cycles(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), crate::error::CliError> {
    let cycles = context.town.ledger.read(|view| {
        let cycles = view.cycles()?;
        cycles.iter().map(|ids| Ok((ids.clone(), view.beads_with(ids)?))).collect::<Result<Vec<_>, Error>>()
    })?;
    if console.is_json() {
        let list: Vec<String> =
            cycles.iter().map(|(_, beads)| format!("[{}]", shapes::all_bare(beads).join(","))).collect();
        shapes::print_array(&list, console)?;
        return Ok(());
    }
    for (ids, _) in &cycles {
        let way: Vec<&str> = ids.iter().chain(ids.first()).map(BeadId::as_str).collect();
        console.line(&printable(&way.join(" -> ")))?;
    }
    if cycles.is_empty() {
        console.say("no bead waits for itself")?;
    }
    Ok(())
}
