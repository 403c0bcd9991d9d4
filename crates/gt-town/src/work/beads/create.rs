//! Creates beads: one, several, or a graph with dependencies.

use std::collections::BTreeMap;

use gt_ledger::{BeadChange, Tx};
use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest};
use gt_model::id::BeadId;
use serde_json::Value;

use super::edges::{depend, refuse_way_round};
use super::{require, resolve};
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Longest allowed title, in bytes.
pub const TITLE_LIMIT: usize = 1024;

/// Request to create a bead.
#[derive(Clone, Debug, Default)]
pub struct NewBead {
    /// Prefix of its id.
    pub prefix: String,
    /// Title in one line.
    pub title: String,
    /// Task description.
    pub description: String,
    /// Condition under which the bead is done.
    pub acceptance_criteria: String,
    /// 0 (critical) to 4; 2 where absent.
    pub priority: Option<i64>,
    /// Type; a task if absent.
    pub issue_type: Option<BeadType>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Beads that it depends on, with the type of each dependency.
    pub dependencies: Vec<(DepType, BeadId)>,
    /// Beads that will depend on it.
    pub holds_back: Vec<BeadId>,
    /// Parent. The new id is the parent's id with a number, and `prefix` is ignored.
    pub parent: Option<BeadId>,
    /// Id to use instead of a generated one.
    pub id: Option<BeadId>,
    /// Whether it is omitted from exports and eventually deleted.
    pub ephemeral: bool,
    /// Further fields.
    pub more: BeadChange,
}

pub(super) fn check_title(title: &str) -> Result<()> {
    let usage =
        |what: &str| Error::Usage { what: what.to_owned(), hint: "a title is one line that names the task".to_owned() };
    if title.trim().is_empty() {
        return Err(usage("the title is empty"));
    }
    if title.len() > TITLE_LIMIT || title.contains(['\n', '\r', '\0']) {
        return Err(usage(&format!("a title is one line of at most {TITLE_LIMIT} bytes")));
    }
    Ok(())
}

/// Creates a bead.
pub fn create(town: &Town, caller: &Caller, new: &NewBead) -> Result<Bead> {
    town.ledger.write(&caller.name(), "create", |tx| create_in(tx, caller, new))
}

/// Creates beads, all or none.
pub fn create_all(town: &Town, caller: &Caller, new: &[NewBead]) -> Result<Vec<Bead>> {
    town.ledger.write(&caller.name(), "create", |tx| new.iter().map(|new| create_in(tx, caller, new)).collect())
}

/// A bead of a graph to create.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Key of the node within the graph.
    pub key: String,
    /// Request for the bead.
    pub new: NewBead,
    /// Key of its parent node.
    pub parent: Option<String>,
    /// Metadata keys, each with the key of a node. Each will hold the id of that node's bead.
    pub refers: Vec<(String, String)>,
}

/// One end of a dependency in a graph.
#[derive(Clone, Debug)]
pub enum End {
    /// A node by its key.
    Node(String),
    /// An existing bead, by its id or a unique part of it.
    Bead(String),
}

/// A dependency in a graph: `from` depends on `to`.
#[derive(Clone, Debug)]
pub struct NewEdge {
    /// The dependent bead.
    pub from: End,
    /// The bead that it depends on.
    pub to: End,
    /// Type of the dependency.
    pub kind: DepType,
}

/// Maximum number of beads in a graph.
const PLAN_LIMIT: usize = 1000;

/// Creates the beads of a graph and the dependencies between them, all or none. Returns each key with its bead, in the graph's
/// order.
pub fn create_graph(town: &Town, caller: &Caller, nodes: &[NewNode], edges: &[NewEdge]) -> Result<Vec<(String, Bead)>> {
    let order = parents_first(nodes)?;
    let made = town.ledger.write(&caller.name(), "create", |tx| {
        let mut ids: BTreeMap<&str, BeadId> = BTreeMap::new();
        for node in order {
            let above = node.parent.as_ref().and_then(|parent| ids.get(parent.as_str())).cloned();
            let new = NewBead { parent: above.or_else(|| node.new.parent.clone()), ..node.new.clone() };
            ids.insert(&node.key, create_in(tx, caller, &new)?.id);
        }
        let id_of = |key: &str| ids.get(key).cloned().ok_or_else(|| plan_error(&format!("there is no node `{key}`")));
        for node in nodes.iter().filter(|node| !node.refers.is_empty()) {
            refer(tx, &id_of(&node.key)?, &node.refers, id_of)?;
        }
        let end = |end: &End| match end {
            End::Node(key) => id_of(key),
            End::Bead(text) => resolve(tx, text),
        };
        for edge in edges {
            depend(tx, &end(&edge.from)?, &end(&edge.to)?, &edge.kind)?;
        }
        nodes.iter().map(|node| Ok((node.key.clone(), require(tx, &id_of(&node.key)?)?))).collect::<Result<Vec<_>>>()
    })?;
    town.wake();
    Ok(made)
}

fn plan_error(what: &str) -> Error {
    Error::Usage { what: format!("the plan is invalid: {what}"), hint: "nothing was created; fix the plan".to_owned() }
}

/// Returns the nodes, each after its parent.
fn parents_first(nodes: &[NewNode]) -> Result<Vec<&NewNode>> {
    if nodes.len() > PLAN_LIMIT {
        return Err(plan_error(&format!("it has more than {PLAN_LIMIT} nodes")));
    }
    let mut children: BTreeMap<Option<&str>, Vec<&NewNode>> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for node in nodes {
        children.entry(node.parent.as_deref()).or_default().push(node);
        if keys.insert(node.key.as_str(), ()).is_some() {
            return Err(plan_error(&format!("two nodes have the key `{}`", node.key)));
        }
    }
    let mut order = children.remove(&None).unwrap_or_default();
    let mut at = 0;
    while at < order.len() {
        order.extend(children.remove(&Some(order[at].key.as_str())).unwrap_or_default());
        at += 1;
    }
    match children.keys().next() {
        None => Ok(order),
        Some(parent) => {
            let parent = parent.unwrap_or_default();
            let why = if keys.contains_key(parent) { "is a part of itself" } else { "is no node" };
            Err(plan_error(&format!("the parent `{parent}` {why}")))
        }
    }
}

/// Writes ids of nodes into a bead's metadata.
fn refer(tx: &Tx<'_>, id: &BeadId, refers: &[(String, String)], id_of: impl Fn(&str) -> Result<BeadId>) -> Result<()> {
    const METADATA: &str = "metadata";
    let before = require(tx, id)?;
    let raw = before.rest.iter().find(|(key, _)| key == METADATA).map_or("{}", |(_, raw)| raw);
    let mut metadata: serde_json::Map<String, Value> = serde_json::from_str(raw).unwrap_or_default();
    for (name, key) in refers {
        metadata.insert(name.clone(), id_of(key)?.0.into());
    }
    let raw = Some(Value::Object(metadata).to_string());
    let change = BeadChange { rest: vec![(METADATA.to_owned(), raw)], ..BeadChange::default() };
    Ok(tx.change_bead("bead-updated", &before, &change.apply(&before))?)
}

/// Creates a bead as part of an operation.
pub(crate) fn create_in(tx: &Tx<'_>, caller: &Caller, new: &NewBead) -> Result<Bead> {
    check_title(&new.title)?;
    let id = match (&new.id, &new.parent) {
        (Some(id), _) => free_id(tx, id)?,
        (None, Some(parent)) => child_id(tx, parent)?,
        (None, None) => tx.fresh_id(&new.prefix, &new.title, &new.description)?,
    };
    let mut bead = new.more.apply(&Bead {
        description: new.description.clone(),
        acceptance_criteria: new.acceptance_criteria.clone(),
        priority: new.priority.unwrap_or(2),
        issue_type: new.issue_type.clone().unwrap_or(BeadType::Task),
        labels: new.labels.clone(),
        ephemeral: new.ephemeral,
        created_by: Some(caller.name()),
        ..Bead::new(id, &new.title, tx.now())
    });
    for (kind, target) in &new.dependencies {
        require(tx, target)?;
        if let Some(parent) = &new.parent {
            refuse_way_round(&bead.id, tx.way_round_of_child(parent, target, kind)?)?;
        }
        bead.dependencies.push(edge(&bead.id, target, kind, tx));
    }
    if let Some(parent) = &new.parent {
        bead.dependencies.push(edge(&bead.id, parent, &DepType::ParentChild, tx));
    }
    tx.add_bead(&bead)?;
    for held in &new.holds_back {
        depend(tx, held, &bead.id, &DepType::Blocks)?;
    }
    Ok(bead)
}

/// Longest id that a caller may choose, in bytes.
const ID_LIMIT: usize = 200;

/// Checks an id that a caller chose. Imported ids can have any form, but a new id must be easy to type.
fn free_id(tx: &Tx<'_>, id: &BeadId) -> Result<BeadId> {
    let is_fit = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let text = id.as_str();
    if text.len() > ID_LIMIT || !text.starts_with(char::is_alphanumeric) || !text.chars().all(is_fit) {
        let what = format!("`{}` can't be an id", text.chars().take(ID_LIMIT).collect::<String>());
        let hint = "an id has letters, digits, `-`, `.` and `_` and starts with a letter or digit";
        return Err(Error::Usage { what, hint: hint.to_owned() });
    }
    if tx.has_bead(id)? {
        return Err(Error::refused(format!("bead {id} already exists"), format!("gt bead show {id}")));
    }
    Ok(id.clone())
}

/// Returns the id of a parent's next child: `parent.N`.
fn child_id(tx: &Tx<'_>, parent: &BeadId) -> Result<BeadId> {
    require(tx, parent)?;
    let mut number = tx.children_of(parent)?.len() + 1;
    loop {
        let id = BeadId(format!("{parent}.{number}"));
        if !tx.has_bead(&id)? {
            return Ok(id);
        }
        number += 1;
    }
}

pub(super) fn edge(from: &BeadId, to: &BeadId, kind: &DepType, tx: &Tx<'_>) -> Dependency {
    Dependency {
        issue_id: from.clone(),
        depends_on_id: to.clone(),
        kind: kind.clone(),
        created_at: Some(tx.now().to_string()),
        rest: Rest::new(),
    }
}
