//! Beads as people and agents change them: who may do what, and when.

use gt_model::condition::ConditionKind;
use std::collections::BTreeMap;

use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, Comment, DepType, Dependency, Rest, Stamp, Status};
use gt_model::convoy::claimed_end;
use gt_model::id::{AMBIGUOUS_LIMIT, Abbreviation, BeadId, resolve_abbreviation};
use jiff::Timestamp;
use serde_json::Value;

use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::convoy;
use crate::work::merge_requests;
use gt_ledger::waiting;
use gt_ledger::{Attempt, BeadChange, Tx, View};

/// Length that a title may have, in bytes.
pub const TITLE_LIMIT: usize = 1024;

/// A bead to be made.
#[derive(Clone, Debug, Default)]
pub struct NewBead {
    /// Its id's prefix.
    pub prefix: String,
    /// One line.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// When it is done.
    pub acceptance_criteria: String,
    /// 0 (critical) to 4; 2 where absent.
    pub priority: Option<i64>,
    /// Its kind; a task where absent.
    pub issue_type: Option<BeadType>,
    /// Its labels.
    pub labels: Vec<String>,
    /// What it depends on, and how.
    pub dependencies: Vec<(DepType, BeadId)>,
    /// What is to wait for it.
    pub holds_back: Vec<BeadId>,
    /// Of what it is a part: its id is then this one's with a number, and `prefix` counts for nothing.
    pub parent: Option<BeadId>,
    /// This very id, instead of a fresh one.
    pub id: Option<BeadId>,
    /// Not exported, and gone some day.
    pub ephemeral: bool,
    /// What else it is from the beginning.
    pub more: BeadChange,
}

/// The bead that an id or a unique part of one means.
pub fn resolve(view: &View<'_>, text: &str) -> Result<BeadId> {
    let exact = BeadId::from(text);
    if view.has_bead(&exact)? {
        return Ok(exact);
    }
    match resolve_abbreviation(text, candidates(view, text)?.iter()) {
        Abbreviation::Exact(id) | Abbreviation::Unique(id) => Ok(id),
        Abbreviation::Ambiguous(matches) => Err(Error::Ambiguous { text: text.to_owned(), matches }),
        Abbreviation::None => Err(Error::UnknownBead(text.to_owned())),
    }
}

/// Ids that `text` may mean: enough of them to tell whether it means one, and found without reading all ids. An id is its
/// prefix, a dash, and a tail without dashes; `text` may begin at the id's beginning or after any of its dashes.
fn candidates(view: &View<'_>, text: &str) -> Result<Vec<BeadId>> {
    let enough = AMBIGUOUS_LIMIT + 1;
    let mut found = view.ids_beginning(text, enough)?;
    for prefix in view.prefixes()? {
        let starts = prefix.match_indices('-').map(|(at, dash)| &prefix[at + dash.len()..]);
        for start in starts {
            let whole = format!("{start}-");
            if whole.starts_with(text) {
                found.extend(view.ids_beginning(&format!("{prefix}-"), enough)?);
            } else if let Some(tail) = text.strip_prefix(&whole) {
                found.extend(view.ids_beginning(&format!("{prefix}-{tail}"), enough)?);
            }
        }
        found.extend(view.ids_beginning(&format!("{prefix}-{text}"), enough)?);
    }
    Ok(found)
}

/// Resolves several.
pub fn resolve_all(town: &Town, texts: &[String]) -> Result<Vec<BeadId>> {
    town.ledger.read(|view| texts.iter().map(|text| resolve(view, text)).collect())
}

fn check_title(title: &str) -> Result<()> {
    let usage = |what: &str| Error::Usage {
        what: what.to_owned(),
        hint: "a title is one line that says what it is".to_owned(),
    };
    if title.trim().is_empty() {
        return Err(usage("the title is empty"));
    }
    if title.len() > TITLE_LIMIT || title.contains(['\n', '\r', '\0']) {
        return Err(usage(&format!("a title is one line of at most {TITLE_LIMIT} bytes")));
    }
    Ok(())
}

/// Makes a bead.
pub fn create(town: &Town, caller: &Caller, new: &NewBead) -> Result<Bead> {
    town.ledger.write(&caller.name(), "create", |tx| create_in(tx, caller, new))
}

/// Makes beads, all or none.
pub fn create_all(town: &Town, caller: &Caller, new: &[NewBead]) -> Result<Vec<Bead>> {
    town.ledger.write(&caller.name(), "create", |tx| new.iter().map(|new| create_in(tx, caller, new)).collect())
}

/// A bead of a plan.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// What the plan calls it.
    pub key: String,
    /// What it is to be.
    pub new: NewBead,
    /// The node that it is a part of.
    pub parent: Option<String>,
    /// Keys of its metadata that are to hold the id of a node, by that node's key.
    pub refers: Vec<(String, String)>,
}

/// An end of an edge of a plan.
#[derive(Clone, Debug)]
pub enum End {
    /// A node, by its key.
    Node(String),
    /// A bead that is there already, by its id or a unique part of one.
    Bead(String),
}

/// An edge of a plan: `from` depends on `to`.
#[derive(Clone, Debug)]
pub struct NewEdge {
    /// Who depends.
    pub from: End,
    /// On what.
    pub to: End,
    /// How.
    pub kind: DepType,
}

/// Most beads of a plan.
const PLAN_LIMIT: usize = 1000;

/// Makes the beads of a plan and the edges between them, all or none. Answers with each by its key, in the plan's order.
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
    Error::Usage {
        what: format!("that plan can't be made: {what}"),
        hint: "nothing was made; mend the plan".to_owned(),
    }
}

/// The nodes, each after the one that it is a part of.
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

/// Puts ids of nodes into a bead's metadata.
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

/// Makes a bead as part of an operation.
pub fn create_in(tx: &Tx<'_>, caller: &Caller, new: &NewBead) -> Result<Bead> {
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

/// Longest id that somebody may choose, in bytes.
const ID_LIMIT: usize = 200;

/// An id that somebody chose. What comes with imports may have any shape; what is made here can be typed again.
fn free_id(tx: &Tx<'_>, id: &BeadId) -> Result<BeadId> {
    let is_fit = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let text = id.as_str();
    if text.len() > ID_LIMIT || !text.starts_with(char::is_alphanumeric) || !text.chars().all(is_fit) {
        let what = format!("`{}` can't be an id", text.chars().take(ID_LIMIT).collect::<String>());
        let hint = "an id is letters, digits, `-`, `.` and `_`, and begins with a letter or digit";
        return Err(Error::Usage { what, hint: hint.to_owned() });
    }
    if tx.has_bead(id)? {
        return Err(Error::refused(format!("there is a bead {id} already"), format!("gt bead show {id}")));
    }
    Ok(id.clone())
}

/// The id of a parent's next child: `parent.N`.
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

fn edge(from: &BeadId, to: &BeadId, kind: &DepType, tx: &Tx<'_>) -> Dependency {
    Dependency {
        issue_id: from.clone(),
        depends_on_id: to.clone(),
        kind: kind.clone(),
        created_at: Some(tx.now().to_string()),
        rest: Rest::new(),
    }
}

/// A bead that must be there.
pub fn require(view: &View<'_>, id: &BeadId) -> Result<Bead> {
    view.bead(id)?.ok_or_else(|| Error::UnknownBead(id.0.clone()))
}

/// Changes a bead's fields. While an attempt is live, status and holder belong to it.
pub fn update(town: &Town, caller: &Caller, id: &BeadId, change: &BeadChange) -> Result<Bead> {
    if let Some(title) = &change.title {
        check_title(title)?;
    }
    town.ledger.write(&caller.name(), "update", |tx| {
        let before = require(tx, id)?;
        if change.status.is_some() || change.assignee.is_some() {
            refuse_while_live(tx, caller, id)?;
        }
        if change.status == Some(Status::Closed) {
            return Err(Error::refused(
                "a bead is closed by its own verb",
                format!("gt bead close {id} --reason \"…\""),
            ));
        }
        let mut after = change.apply(&before);
        if after.status != before.status && before.status == Status::Closed {
            after.closed_at = None;
            after.close_reason = None;
        }
        tx.change_bead("bead-updated", &before, &after)?;
        if after.status == Status::Tombstone && before.status != Status::Tombstone {
            convoy::bead_finished(tx, id, "failed")?;
        }
        require(tx, id)
    })
}

/// Refuses what only the holder's own verbs may change, and names the right verb.
fn refuse_while_live(tx: &Tx<'_>, caller: &Caller, id: &BeadId) -> Result<()> {
    let Some(attempt) = tx.live_attempt(id)? else { return Ok(()) };
    Err(held_by(caller, &attempt))
}

fn held_by(caller: &Caller, attempt: &Attempt) -> Error {
    let id = &attempt.bead;
    if attempt.submitted_at.is_some() {
        let hint = format!("it is closed when the trunk has it: gt why {id}");
        return Error::refused(format!("{id} is in the merge queue"), hint);
    }
    if attempt.address() == caller.address {
        return Error::refused(
            format!("{id} is on your own hook"),
            "gt done submits it; it is closed when it has landed",
        );
    }
    let what = format!("{id} is on the hook of {}", attempt.address());
    Error::refused(what, format!("gt unsling {id} takes it back"))
}

/// Closes a bead that nobody works on. A person may also close one that waits in the merge queue, with a reason.
pub fn close(town: &Town, caller: &Caller, id: &BeadId, reason: Option<&str>, force: bool) -> Result<Bead> {
    let closed = town.ledger.write(&caller.name(), "close", |tx| close_in(tx, caller, id, reason, force))?;
    town.wake();
    Ok(closed)
}

fn close_in(tx: &Tx<'_>, caller: &Caller, id: &BeadId, reason: Option<&str>, force: bool) -> Result<Bead> {
    let before = require(tx, id)?;
    if before.status == Status::Closed {
        return Err(Error::refused(format!("{id} is closed already"), format!("gt bead show {id}")));
    }
    refuse_claimed_end(caller, id, reason)?;
    if let Some(attempt) = tx.live_attempt(id)? {
        let may = caller.is_overseer() && force && reason.is_some() && attempt.submitted_at.is_some();
        if !may {
            return Err(held_by(caller, &attempt));
        }
        merge_requests::reject(tx, id, reason.unwrap_or_default())?;
    }
    refuse_open_parts(tx, &before, force)?;
    let before = require(tx, id)?;
    let after = Bead {
        status: Status::Closed,
        closed_at: Some(tx.now().into()),
        close_reason: reason.map(str::to_owned),
        ..before.clone()
    };
    tx.change_bead("bead-closed", &before, &after)?;
    tx.clear(ConditionKind::Quarantine, id.as_str())?;
    convoy::bead_finished(tx, id, "failed")?;
    require(tx, id)
}

/// Closes a bead because another one takes its place or says the same: `kind` tells which, and links the two.
pub fn close_for(town: &Town, caller: &Caller, id: &BeadId, other: &BeadId, kind: &DepType) -> Result<Bead> {
    let closed = town.ledger.write(&caller.name(), "close", |tx| {
        // What is in the merge queue is not turned down by the way.
        refuse_while_live(tx, caller, id)?;
        depend(tx, id, other, kind)?;
        close_in(tx, caller, id, Some(&format!("{kind}: see {other}")), true)
    })?;
    town.wake();
    Ok(closed)
}

/// Only the refinery says that a bead landed, and only its worker that it was reported; a person may say either.
fn refuse_claimed_end(caller: &Caller, id: &BeadId, reason: Option<&str>) -> Result<()> {
    match reason.and_then(claimed_end) {
        Some(_) if !caller.is_overseer() => {
            let what = format!("`{}` is what the refinery says of what landed", reason.unwrap_or_default());
            Err(Error::refused(what, format!("say in your own words why {id} is closed")))
        }
        _ => Ok(()),
    }
}

fn refuse_open_parts(tx: &Tx<'_>, bead: &Bead, force: bool) -> Result<()> {
    if force {
        return Ok(());
    }
    let blockers: Vec<String> =
        tx.blockers(&bead.id)?.into_iter().filter(|b| b.kind != DepType::ParentChild).map(|b| b.id.0).collect();
    let mut children = Vec::new();
    for dep in tx.dependents(&bead.id)? {
        let child = tx.bead(&dep.issue_id)?;
        if dep.kind == DepType::ParentChild && child.is_some_and(|c| c.status != Status::Closed) {
            children.push(dep.issue_id.0);
        }
    }
    let hint = "close them first, or say --force";
    if !children.is_empty() {
        return Err(Error::refused(format!("{} has open children: {}", bead.id, children.join(", ")), hint));
    }
    if !blockers.is_empty() {
        return Err(Error::refused(format!("{} waits for {}", bead.id, blockers.join(", ")), hint));
    }
    Ok(())
}

/// Beads that are ready now and were waiting for `id`: what its closing is good for.
pub fn freed_by(view: &View<'_>, now: Timestamp, id: &BeadId) -> Result<Vec<Bead>> {
    let mut waited = Vec::new();
    for dependent in view.dependents(id)? {
        if waiting::holds_back(&dependent.kind) && view.is_ready(now, &dependent.issue_id)? {
            waited.push(dependent.issue_id);
        }
    }
    waited.dedup();
    Ok(view.beads_with(&waited)?)
}

/// Takes a bead for the caller: nobody may have it, and it must be open. Who has it already is told so.
pub fn claim(town: &Town, caller: &Caller, id: &BeadId) -> Result<Bead> {
    town.ledger.write(&caller.name(), "claim", |tx| {
        let before = require(tx, id)?;
        refuse_while_live(tx, caller, id)?;
        let me = caller.name();
        match before.assignee.as_deref() {
            Some(other) if other != me => {
                return Err(Error::refused(format!("{id} is held by {other}"), format!("gt bead show {id}")));
            }
            Some(_) if before.status == Status::InProgress => return Ok(before),
            _ => {}
        }
        if before.status != Status::Open {
            return Err(Error::refused(format!("{id} is {}", before.status), "only open beads can be claimed"));
        }
        let after = Bead { status: Status::InProgress, assignee: Some(me), ..before.clone() };
        tx.change_bead("bead-claimed", &before, &after)?;
        require(tx, id)
    })
}

/// Opens a closed or a deleted bead again.
pub fn reopen(town: &Town, caller: &Caller, id: &BeadId, reason: Option<&str>) -> Result<Bead> {
    let bead = town.ledger.write(&caller.name(), "reopen", |tx| {
        let before = require(tx, id)?;
        if !matches!(before.status, Status::Closed | Status::Tombstone) {
            return Err(Error::refused(format!("{id} is {}, not closed", before.status), format!("gt bead show {id}")));
        }
        let mut after = Bead { status: Status::Open, closed_at: None, close_reason: None, ..before.clone() };
        after.rest.retain(|(key, _)| !BURIAL_KEYS.contains(&key.as_str()));
        after.comments.extend(reason.map(|reason| remark(tx, &before, &format!("Reopened: {reason}"))));
        tx.change_bead("bead-reopened", &before, &after)?;
        tx.clear(ConditionKind::Dropped, id.as_str())?;
        require(tx, id)
    })?;
    town.wake();
    Ok(bead)
}

/// Puts an open bead off: until a time, after which it is ready by itself again, or until somebody takes that back.
pub fn defer(town: &Town, caller: &Caller, id: &BeadId, until: Option<Timestamp>) -> Result<Bead> {
    town.ledger.write(&caller.name(), "defer", |tx| {
        let before = require(tx, id)?;
        refuse_while_live(tx, caller, id)?;
        if !matches!(before.status, Status::Open | Status::Deferred) {
            return Err(Error::refused(format!("{id} is {}", before.status), "only open beads can be put off"));
        }
        let status = if until.is_some() { Status::Open } else { Status::Deferred };
        let after = Bead { status, defer_until: until.map(Stamp::from), ..before.clone() };
        tx.change_bead("bead-deferred", &before, &after)?;
        require(tx, id)
    })
}

/// Takes back that a bead is put off.
pub fn undefer(town: &Town, caller: &Caller, id: &BeadId) -> Result<Bead> {
    let bead = town.ledger.write(&caller.name(), "undefer", |tx| {
        let before = require(tx, id)?;
        let status = if before.status == Status::Deferred { Status::Open } else { before.status.clone() };
        let after = Bead { status, defer_until: None, ..before.clone() };
        tx.change_bead("bead-undeferred", &before, &after)?;
        require(tx, id)
    })?;
    town.wake();
    Ok(bead)
}

/// Keys that say when, by whom and why a bead was deleted, and what it was.
const BURIAL_KEYS: [&str; 4] = ["deleted_at", "deleted_by", "delete_reason", "original_type"];

/// Deletes a bead: what is left is a tombstone, so that a merge knows. It holds nobody back any more.
pub fn delete(town: &Town, caller: &Caller, id: &BeadId, reason: Option<&str>) -> Result<Bead> {
    let bead = town.ledger.write(&caller.name(), "delete", |tx| {
        let before = require(tx, id)?;
        refuse_while_live(tx, caller, id)?;
        if before.status == Status::Tombstone {
            return Err(Error::refused(format!("{id} is deleted already"), format!("gt bead reopen {id}")));
        }
        let (now, by, kind) = (tx.now().to_string(), caller.name(), before.issue_type.to_string());
        let said = [Some(now.as_str()), Some(by.as_str()), reason, Some(kind.as_str())];
        let keys = BURIAL_KEYS.iter().zip(said);
        let change = BeadChange {
            status: Some(Status::Tombstone),
            rest: keys.map(|(key, text)| ((*key).to_owned(), text.map(|text| Value::from(text).to_string()))).collect(),
            ..BeadChange::default()
        };
        let after = Bead { closed_at: None, close_reason: None, ..change.apply(&before) };
        tx.change_bead("bead-deleted", &before, &after)?;
        tx.clear(ConditionKind::Quarantine, id.as_str())?;
        convoy::bead_finished(tx, id, "failed")?;
        require(tx, id)
    })?;
    town.wake();
    Ok(bead)
}

/// Longest remark, in bytes.
pub const COMMENT_LIMIT: usize = 1024 * 1024;

/// Remarks on a bead.
pub fn comment(town: &Town, caller: &Caller, id: &BeadId, text: &str) -> Result<Bead> {
    if text.trim().is_empty() || text.len() > COMMENT_LIMIT || text.contains('\0') {
        let what = format!("a remark is a text of at most {COMMENT_LIMIT} bytes");
        return Err(Error::Usage { what, hint: "gt bead comment <id> \"…\"".to_owned() });
    }
    town.ledger.write(&caller.name(), "comment", |tx| {
        let before = require(tx, id)?;
        let mut after = before.clone();
        after.comments.push(remark(tx, &before, text));
        tx.change_bead("bead-commented", &before, &after)?;
        require(tx, id)
    })
}

/// A remark, numbered within its bead.
fn remark(tx: &Tx<'_>, bead: &Bead, text: &str) -> Comment {
    let number = bead.comments.iter().filter_map(|comment| comment.id.parse::<i64>().ok()).max().unwrap_or(0);
    Comment {
        id: number.saturating_add(1).to_string(),
        author: tx.actor().to_owned(),
        text: text.to_owned(),
        created_at: tx.now().to_string(),
        rest: vec![("issue_id".to_owned(), Value::from(bead.id.as_str()).to_string())],
    }
}

/// Closes every open epic of which all children are closed; those that this completes too. Answers with what it closed.
pub fn close_done_epics(town: &Town, caller: &Caller) -> Result<Vec<Bead>> {
    let mut closed = Vec::new();
    loop {
        let done = town.ledger.read(|view| Ok::<_, Error>(view.epics()?.into_iter().find(|epic| epic.is_done())))?;
        let Some(done) = done else { return Ok(closed) };
        closed.push(close(town, caller, &done.epic.id, Some("all children are closed"), true)?);
    }
}

/// Most beads of one template.
const TEMPLATE_LIMIT: usize = 1000;

/// Makes beads after a template: the template itself under a new title, and all below it as its children, with the edges
/// that they have among each other.
pub fn pour_template(town: &Town, caller: &Caller, template: &BeadId, title: &str) -> Result<Vec<Bead>> {
    check_title(title)?;
    town.ledger.write(&caller.name(), "template pour", |tx| {
        let top = require(tx, template)?;
        if !top.is_template {
            return Err(Error::refused(format!("{template} is no template"), "gt bead list --template"));
        }
        let patterns = with_parts(tx, template)?;
        let mut copies: BTreeMap<BeadId, BeadId> = BTreeMap::new();
        copies.insert(template.clone(), tx.fresh_id(template.prefix(), title, &top.description)?);
        for (number, (pattern, parent)) in patterns.iter().enumerate().skip(1) {
            let above = parent.as_ref().and_then(|parent| copies.get(parent)).cloned();
            let id = format!("{}.{number}", above.unwrap_or_else(|| copies[template].clone()));
            copies.insert(pattern.clone(), BeadId(id));
        }
        let mut made = Vec::new();
        for (pattern, _) in &patterns {
            let copy = copy_of(tx, &require(tx, pattern)?, &copies);
            let copy = if pattern == template { Bead { title: title.to_owned(), ..copy } } else { copy };
            tx.add_bead(&copy)?;
            made.push(copy);
        }
        Ok(made)
    })
}

/// A bead and all below it that is not deleted, each with its parent, parents first.
fn with_parts(view: &View<'_>, top: &BeadId) -> Result<Vec<(BeadId, Option<BeadId>)>> {
    let mut parts = vec![(top.clone(), None)];
    let mut at = 0;
    while at < parts.len() {
        let parent = parts[at].0.clone();
        for child in view.children_of(&parent)? {
            let is_new = parts.iter().all(|(part, _)| *part != child);
            if is_new && view.bead(&child)?.is_some_and(|bead| bead.status != Status::Tombstone) {
                parts.push((child, Some(parent.clone())));
            }
        }
        if parts.len() > TEMPLATE_LIMIT {
            let what = format!("{top} has more than {TEMPLATE_LIMIT} parts");
            return Err(Error::refused(what, "split the template"));
        }
        at += 1;
    }
    Ok(parts)
}

fn copy_of(tx: &Tx<'_>, pattern: &Bead, copies: &BTreeMap<BeadId, BeadId>) -> Bead {
    let id = copies[&pattern.id].clone();
    let edges = pattern.dependencies.iter().filter_map(|dep| Some((copies.get(&dep.depends_on_id)?, &dep.kind)));
    Bead {
        description: pattern.description.clone(),
        design: pattern.design.clone(),
        acceptance_criteria: pattern.acceptance_criteria.clone(),
        notes: pattern.notes.clone(),
        priority: pattern.priority,
        issue_type: pattern.issue_type.clone(),
        labels: pattern.labels.clone(),
        dependencies: edges.map(|(target, kind)| edge(&id, target, kind, tx)).collect(),
        created_by: Some(tx.actor().to_owned()),
        ..Bead::new(id, &pattern.title, tx.now())
    }
}

/// Adds a dependency. One that would close a cycle of waiting is refused.
pub fn add_dependency(town: &Town, caller: &Caller, from: &BeadId, to: &BeadId, kind: &DepType) -> Result<Bead> {
    town.ledger.write(&caller.name(), "dep add", |tx| depend(tx, from, to, kind))
}

fn depend(tx: &Tx<'_>, from: &BeadId, to: &BeadId, kind: &DepType) -> Result<Bead> {
    let before = require(tx, from)?;
    require(tx, to)?;
    if before.dependencies.iter().any(|d| &d.depends_on_id == to && &d.kind == kind) {
        return Ok(before);
    }
    if from == to {
        let what = format!("{from} cannot depend on itself: that would be a circle");
        return Err(Error::refused(what, "name two beads: gt bead dep add <bead> <the one that it waits for>"));
    }
    refuse_way_round(from, tx.way_round(from, to, kind)?)?;
    let mut after = before.clone();
    after.dependencies.push(edge(from, to, kind, tx));
    tx.change_bead("dependency-added", &before, &after)?;
    require(tx, from)
}

/// Refuses a dependency of `from` by which waiting would go round.
fn refuse_way_round(from: &BeadId, way: Option<Vec<BeadId>>) -> Result<()> {
    let Some(way) = way else { return Ok(()) };
    let way: Vec<BeadId> = [from.clone()].into_iter().chain(way).chain([from.clone()]).collect();
    let round: Vec<BeadId> = way.chunk_by(|one, next| one == next).map(|same| same[0].clone()).collect();
    // A bead that waits for itself is a way round of one.
    let round = if round.len() == 1 { [round.clone(), round].concat() } else { round };
    let what = format!("that would be a circle: {}", shown_way(&round));
    let hint = "each would wait for the next (a parent for its children too), a deadlock; \
                take out another dependency first: gt bead dep remove";
    Err(Error::refused(what, hint))
}

/// How many beads of each end of a way are shown.
const WAY_ENDS: usize = 10;

/// A way as text, without its middle where it is long.
fn shown_way(way: &[BeadId]) -> String {
    let join = |part: &[BeadId]| part.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" -> ");
    match way.len().checked_sub(2 * WAY_ENDS) {
        Some(between @ 1..) => {
            let (head, tail) = (&way[..WAY_ENDS], &way[way.len() - WAY_ENDS..]);
            format!("{} -> ({between} more) -> {}", join(head), join(tail))
        }
        _ => join(way),
    }
}

/// Removes every dependency of one bead on another.
pub fn remove_dependency(town: &Town, caller: &Caller, from: &BeadId, to: &BeadId) -> Result<Bead> {
    let bead = town.ledger.write(&caller.name(), "dep remove", |tx| {
        let before = require(tx, from)?;
        let mut after = before.clone();
        after.dependencies.retain(|dep| &dep.depends_on_id != to);
        if after.dependencies.len() == before.dependencies.len() {
            return Err(Error::Unknown { what: "dependency", name: format!("of {from} on {to}") });
        }
        tx.change_bead("dependency-removed", &before, &after)?;
        require(tx, from)
    })?;
    town.wake();
    Ok(bead)
}

/// The prefix of a ledger that belongs to no town, as a setting of the ledger's.
pub const PREFIX_KEY: &str = "config.issue_prefix";

/// Puts a bead below another one, or below none.
pub fn set_parent(town: &Town, caller: &Caller, id: &BeadId, parent: Option<&BeadId>) -> Result<Bead> {
    town.ledger.write(&caller.name(), "set parent", |tx| {
        let before = require(tx, id)?;
        let mut after = before.clone();
        after.dependencies.retain(|dep| dep.kind != DepType::ParentChild);
        if let Some(parent) = parent {
            require(tx, parent)?;
            refuse_way_round(id, tx.way_round(id, parent, &DepType::ParentChild)?)?;
            after.dependencies.push(edge(id, parent, &DepType::ParentChild, tx));
        }
        tx.change_bead("bead-moved", &before, &after)?;
        require(tx, id)
    })
}

/// The prefix of a new bead: of the rig that is named, of the caller's own, of the only one, or of the town itself.
pub fn prefix_for(view: &View<'_>, rig: Option<&str>, caller: &Caller) -> Result<String> {
    let rigs = view.rigs()?;
    if let Some(name) = rig {
        let known = rigs.iter().map(|r| r.name.to_string()).collect();
        let row = view.rig(name)?.ok_or_else(|| Error::UnknownRig { name: name.to_owned(), known })?;
        return Ok(row.prefix);
    }
    if let Address::Polecat(own, _) = &caller.address
        && let Some(row) = view.rig(own.as_str())?
    {
        return Ok(row.prefix);
    }
    match rigs.as_slice() {
        [only] => Ok(only.prefix.clone()),
        _ => Ok(view.meta(PREFIX_KEY)?.unwrap_or_else(|| gt_ledger::TOWN_PREFIX.to_owned())),
    }
}
