//! Beads written as a plan: JSON with nodes, and edges between them by the nodes' own keys, as the Go `bd` has it.

use std::collections::BTreeMap;

use gt_town::work::beads::{End, NewEdge};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::typed;
use crate::error::CliError;

/// A plan. A key that we don't know is refused: what it says would be lost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Taken and ignored: every change is kept at once.
    #[serde(rename = "commit_message", default)]
    _commit_message: Option<String>,
    /// Its beads.
    pub nodes: Vec<Node>,
    /// What they depend on.
    #[serde(default)]
    pub edges: Vec<Edge>,
}

/// A bead of a plan.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What the plan calls it.
    pub key: String,
    /// This very id.
    pub id: Option<String>,
    /// Its title.
    pub title: String,
    /// Its kind.
    #[serde(rename = "type", alias = "issue_type")]
    pub kind: Option<String>,
    /// What is to be done.
    pub description: Option<String>,
    /// How.
    pub design: Option<String>,
    /// When it is done.
    #[serde(alias = "acceptance")]
    pub acceptance_criteria: Option<String>,
    /// What is known already.
    pub notes: Option<String>,
    /// Who holds it.
    pub assignee: Option<String>,
    /// Taken and ignored: all of a plan becomes true at once.
    #[serde(rename = "assign_after_create", default)]
    _assign_after_create: bool,
    /// Taken and ignored, as `bd` does today.
    #[serde(rename = "from", default)]
    _from: Option<String>,
    /// 0 (critical) to 4.
    pub priority: Option<i64>,
    /// How many minutes it may take.
    #[serde(alias = "estimated_minutes")]
    pub estimate: Option<u32>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// For tools.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Keys of the metadata that hold the id of another node, by its key.
    #[serde(default)]
    pub metadata_refs: BTreeMap<String, String>,
    /// What it is in another system.
    pub external_ref: Option<String>,
    /// Of which node it is a part.
    #[serde(alias = "parent")]
    pub parent_key: Option<String>,
    /// Of which bead that is there already it is a part.
    pub parent_id: Option<String>,
}

/// A dependency of a plan: `from` waits for `to`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    from_key: Option<String>,
    from_id: Option<String>,
    to_key: Option<String>,
    to_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Reads a plan.
pub fn parse(text: &str) -> Result<Plan, CliError> {
    let usage = |what: String| {
        CliError::Usage {
        what,
        hint: r#"for example {"nodes":[{"key":"a","title":"First"},{"key":"b","title":"Then"}],"edges":[{"from_key":"b","to_key":"a"}]}"#.to_owned(),
    }
    };
    let plan: Plan = serde_json::from_str(text).map_err(|error| usage(format!("that is no plan: {error}")))?;
    if plan.nodes.is_empty() {
        return Err(usage("that plan has no node".to_owned()));
    }
    if let Some(node) =
        plan.nodes.iter().find(|node| node.priority.is_some_and(|priority| !(0..=4).contains(&priority)))
    {
        return Err(usage(format!("the priority of `{}` is not 0 (critical) to 4", node.key)));
    }
    Ok(plan)
}

/// An edge, as the engine takes it.
pub fn edge(edge: &Edge) -> Result<NewEdge, CliError> {
    let end = |key: &Option<String>, id: &Option<String>, side: &str| match (key, id) {
        (Some(key), None) => Ok(End::Node(key.clone())),
        (None, Some(id)) => Ok(End::Bead(id.clone())),
        _ => Err(CliError::Usage {
            what: "an edge has two ends".to_owned(),
            hint: format!("give each edge either {side}_key or {side}_id"),
        }),
    };
    Ok(NewEdge {
        from: end(&edge.from_key, &edge.from_id, "from")?,
        to: end(&edge.to_key, &edge.to_id, "to")?,
        kind: typed::dep_type(edge.kind.as_deref().unwrap_or("blocks"))?,
    })
}
