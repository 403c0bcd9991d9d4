//! Beads as people and agents change them: who may do what, and when.

use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest, Status};
use gt_model::id::{Abbreviation, BeadId, resolve_abbreviation};

use crate::convoy;
use crate::error::{Error, Result};
use crate::ledger::{Attempt, BeadChange, Tx, View};
use crate::refinery;
use crate::town::{Caller, Town, fresh_id};

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
}

/// The bead that an id or a unique part of one means.
pub fn resolve(view: &View<'_>, text: &str) -> Result<BeadId> {
    let exact = BeadId::from(text);
    if view.has_bead(&exact)? {
        return Ok(exact);
    }
    match resolve_abbreviation(text, view.bead_ids()?.iter()) {
        Abbreviation::Exact(id) | Abbreviation::Unique(id) => Ok(id),
        Abbreviation::Ambiguous(matches) => Err(Error::Ambiguous { text: text.to_owned(), matches }),
        Abbreviation::None => Err(Error::UnknownBead(text.to_owned())),
    }
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

/// Makes a bead as part of an operation.
pub fn create_in(tx: &Tx<'_>, caller: &Caller, new: &NewBead) -> Result<Bead> {
    check_title(&new.title)?;
    let id = fresh_id(tx, &new.prefix, &new.title, &new.description)?;
    let mut bead = Bead {
        description: new.description.clone(),
        acceptance_criteria: new.acceptance_criteria.clone(),
        priority: new.priority.unwrap_or(2),
        issue_type: new.issue_type.clone().unwrap_or(BeadType::Task),
        labels: new.labels.clone(),
        created_by: Some(caller.name()),
        ..Bead::new(id, &new.title, tx.now())
    };
    for (kind, target) in &new.dependencies {
        require(tx, target)?;
        bead.dependencies.push(edge(&bead.id, target, kind, tx));
    }
    tx.add_bead(&bead)?;
    Ok(bead)
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
    let closed = town.ledger.write(&caller.name(), "close", |tx| {
        let before = require(tx, id)?;
        if before.status == Status::Closed {
            return Err(Error::refused(format!("{id} is closed already"), format!("gt bead show {id}")));
        }
        if let Some(attempt) = tx.live_attempt(id)? {
            let may = caller.is_overseer() && force && reason.is_some() && attempt.submitted_at.is_some();
            if !may {
                return Err(held_by(caller, &attempt));
            }
            refinery::reject(tx, id, reason.unwrap_or_default())?;
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
        tx.clear("quarantine", id.as_str())?;
        convoy::bead_finished(tx, id, "failed")?;
        require(tx, id)
    })?;
    town.wake();
    Ok(closed)
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

/// Adds a dependency. One that would close a cycle of waiting is refused.
pub fn add_dependency(town: &Town, caller: &Caller, from: &BeadId, to: &BeadId, kind: &DepType) -> Result<Bead> {
    town.ledger.write(&caller.name(), "dep add", |tx| {
        let before = require(tx, from)?;
        require(tx, to)?;
        if before.dependencies.iter().any(|d| &d.depends_on_id == to && &d.kind == kind) {
            return Ok(before);
        }
        if holds_back(kind)
            && let Some(way) = tx.holding_path(to, from)?
        {
            let way: Vec<&str> = way.iter().map(BeadId::as_str).collect();
            let what = format!("that would be a circle: {from} -> {}", way.join(" -> "));
            return Err(Error::refused(what, "take out another dependency first: gt bead dep remove"));
        }
        let mut after = before.clone();
        after.dependencies.push(edge(from, to, kind, tx));
        tx.change_bead("dependency-added", &before, &after)?;
        require(tx, from)
    })
}

fn holds_back(kind: &DepType) -> bool {
    matches!(
        kind,
        DepType::Blocks | DepType::MergeBlocks | DepType::ConditionalBlocks | DepType::ParentChild | DepType::WaitsFor
    )
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
        _ => Ok(crate::town::TOWN_PREFIX.to_owned()),
    }
}
