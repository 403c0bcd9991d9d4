//! `gt bead dep tree`.

use clap::Args;
use gt_ledger::{Direction, TreeNode};
use gt_model::bead::Bead;
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::work::beads;
use serde_json::{Value, json};

use super::DirectionArg;
use crate::commands::bead::shapes;
use crate::console::Console;
use crate::context::Context;
use crate::drawing::{self, Node};
use crate::error::CliResult;

/// Draw the tree of what a bead depends on, or of what depends on it
#[derive(Debug, Args)]
pub struct TreeArgs {
    /// The bead
    bead: String,
    /// down: what it depends on; up: what depends on it
    #[arg(long, value_enum, default_value_t)]
    direction: DirectionArg,
    /// The opposite direction
    #[arg(long, hide = true)]
    reverse: bool,
    /// Maximum depth
    #[arg(long, short = 'd', visible_alias = "depth", default_value_t = 50)]
    max_depth: usize,
    /// Print a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
    /// The same: `--format mermaid`
    #[arg(long, hide = true, value_parser = ["mermaid", "json", "text"])]
    format: Option<String>,
}

/// Runs `gt bead dep tree`.
pub fn tree(args: &TreeArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let TreeArgs { bead, direction, reverse, max_depth, mermaid, format } = args;
    let way = if *reverse { Direction::Up } else { way(*direction) };
    let top = context.town.ledger.read(|view| beads::resolve(view, bead))?;
    let as_json = console.is_json() || format.as_deref() == Some("json");
    let as_flowchart = *mermaid || format.as_deref() == Some("mermaid");
    let deepest = if as_json || as_flowchart { *max_depth } else { (*max_depth).min(DRAWN_DEPTH) };
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
