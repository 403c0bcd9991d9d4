//! Beads written as a plan: JSON with nodes, and edges between them by the nodes' own keys, as in the Go `bd`.

use std::collections::BTreeMap;

use gt_town::work::beads::{End, NewEdge};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::typed;
use crate::error::CliError;

/// A plan. Unknown keys are refused, since their content would be lost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Accepted and ignored: every change is stored at once.
    #[serde(rename = "commit_message", default)]
    _commit_message: Option<String>,
    /// Beads of the plan.
    pub nodes: Vec<Node>,
    /// Dependencies between them.
    #[serde(default)]
    pub edges: Vec<Edge>,
}

/// A bead of a plan.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name of the bead within the plan.
    pub key: String,
    /// Exact id for the bead.
    pub id: Option<String>,
    /// Title of the bead.
    pub title: String,
    /// Type of the bead.
    #[serde(rename = "type", alias = "issue_type")]
    pub kind: Option<String>,
    /// Description of the task.
    pub description: Option<String>,
    /// Design of the solution.
    pub design: Option<String>,
    /// Acceptance criteria.
    #[serde(alias = "acceptance")]
    pub acceptance_criteria: Option<String>,
    /// Notes on what is known already.
    pub notes: Option<String>,
    /// Agent or person that holds the bead.
    pub assignee: Option<String>,
    /// Accepted and ignored: a plan is applied as a whole.
    #[serde(rename = "assign_after_create", default)]
    _assign_after_create: bool,
    /// Accepted and ignored, as `bd` does today.
    #[serde(rename = "from", default)]
    _from: Option<String>,
    /// Priority from 0 (critical) to 4.
    pub priority: Option<i64>,
    /// Estimated time in minutes.
    #[serde(alias = "estimated_minutes")]
    pub estimate: Option<u32>,
    /// Labels of the bead.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Metadata for tools.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Keys of the metadata to fill with the id of another node, given by its key.
    #[serde(default)]
    pub metadata_refs: BTreeMap<String, String>,
    /// Reference to the bead in another system.
    pub external_ref: Option<String>,
    /// Key of the node of which it is a part.
    #[serde(alias = "parent")]
    pub parent_key: Option<String>,
    /// Id of the existing bead of which it is a part.
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

/// Parses a plan.
pub fn parse(text: &str) -> Result<Plan, CliError> {
    let usage = |what: String| {
        CliError::Usage {
        what,
        hint: r#"for example {"nodes":[{"key":"a","title":"First"},{"key":"b","title":"Then"}],"edges":[{"from_key":"b","to_key":"a"}]}"#.to_owned(),
    }
    };
    let plan: Plan = serde_json::from_str(text).map_err(|error| usage(format!("invalid plan: {error}")))?;
    if plan.nodes.is_empty() {
        return Err(usage("the plan has no node".to_owned()));
    }
    if let Some(node) =
        plan.nodes.iter().find(|node| node.priority.is_some_and(|priority| !(0..=4).contains(&priority)))
    {
        return Err(usage(format!("the priority of `{}` is not 0 (critical) to 4", node.key)));
    }
    Ok(plan)
}

/// Converts an edge into the engine's form.
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
