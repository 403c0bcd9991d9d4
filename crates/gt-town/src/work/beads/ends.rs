//! Closes, reopens and deletes beads.

use gt_ledger::waiting;
use gt_ledger::{Attempt, BeadChange, Tx, View};
use gt_model::bead::{Bead, DepType, Status};
use gt_model::condition::ConditionKind;
use gt_model::convoy::BeadEnd;
use gt_model::id::BeadId;
use jiff::Timestamp;
use serde_json::Value;

use super::edges::depend;
use super::{remark, require};
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::convoy;
use crate::work::merge_requests;

/// Returns an error if only the holder's own verbs may change the bead now. The error names the right verb.
pub(super) fn refuse_while_live(tx: &Tx<'_>, caller: &Caller, id: &BeadId) -> Result<()> {
    let Some(attempt) = tx.live_attempt(id)? else { return Ok(()) };
    Err(held_by(caller, &attempt))
}

pub(super) fn held_by(caller: &Caller, attempt: &Attempt) -> Error {
    let id = &attempt.bead;
    if attempt.submitted_at.is_some() {
        let hint = format!("it closes when the trunk contains its work: gt why {id}");
        return Error::refused(format!("{id} is in the merge queue"), hint);
    }
    if attempt.address() == caller.address {
        return Error::refused(format!("{id} is on your own hook"), "gt done submits it; it closes when it has landed");
    }
    let what = format!("{id} is on the hook of {}", attempt.address());
    Error::refused(what, format!("gt unsling {id} takes it back"))
}

/// Closes a bead that no worker is working on. A person may also close one that waits in the merge queue, with a reason.
pub fn close(town: &Town, caller: &Caller, id: &BeadId, reason: Option<&str>, force: bool) -> Result<Bead> {
    let closed = town.ledger.write(&caller.name(), "close", |tx| close_in(tx, caller, id, reason, force))?;
    town.wake();
    Ok(closed)
}

pub(super) fn close_in(tx: &Tx<'_>, caller: &Caller, id: &BeadId, reason: Option<&str>, force: bool) -> Result<Bead> {
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

/// Closes a bead that another one replaces or duplicates. `kind` says which, and links the two.
pub fn close_for(town: &Town, caller: &Caller, id: &BeadId, other: &BeadId, kind: &DepType) -> Result<Bead> {
    let closed = town.ledger.write(&caller.name(), "close", |tx| {
        // Closing a bead this way must not take it out of the merge queue.
        refuse_while_live(tx, caller, id)?;
        depend(tx, id, other, kind)?;
        close_in(tx, caller, id, Some(&format!("{kind}: see {other}")), true)
    })?;
    town.wake();
    Ok(closed)
}

/// Returns an error if the caller may not give this reason. Only the refinery says that a bead landed and only its worker that it
/// was reported; a person may say either.
fn refuse_claimed_end(caller: &Caller, id: &BeadId, reason: Option<&str>) -> Result<()> {
    match reason.and_then(BeadEnd::parse) {
        Some(_) if !caller.is_overseer() => {
            let what = format!("only the refinery closes beads with `{}`", reason.unwrap_or_default());
            Err(Error::refused(what, format!("give another reason why {id} is closed")))
        }
        _ => Ok(()),
    }
}

fn refuse_open_parts(tx: &Tx<'_>, bead: &Bead, force: bool) -> Result<()> {
    if force {
        return Ok(());
    }
    let blockers: Vec<String> = tx
        .blockers(tx.now(), &bead.id)?
        .into_iter()
        .filter(|b| b.kind != DepType::ParentChild)
        .map(|b| b.id.0)
        .collect();
    let mut children = Vec::new();
    for dep in tx.dependents(&bead.id)? {
        let child = tx.bead(&dep.issue_id)?;
        if dep.kind == DepType::ParentChild && child.is_some_and(|c| c.status != Status::Closed) {
            children.push(dep.issue_id.0);
        }
    }
    let hint = "close them first, or use --force";
    if !children.is_empty() {
        return Err(Error::refused(format!("{} has open children: {}", bead.id, children.join(", ")), hint));
    }
    if !blockers.is_empty() {
        return Err(Error::refused(format!("{} waits for {}", bead.id, blockers.join(", ")), hint));
    }
    Ok(())
}

/// Returns the beads that waited for `id` and are ready now.
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

/// Reopens a closed or deleted bead.
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

/// Metadata keys of a deleted bead: when, by whom and why it was deleted, and its original type.
const BURIAL_KEYS: [&str; 4] = ["deleted_at", "deleted_by", "delete_reason", "original_type"];

/// Deletes a bead. A tombstone remains, so that a merge with another ledger keeps it deleted. It no longer blocks other beads.
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

/// Closes every open epic whose children are all closed, including epics that this completes. Returns the closed epics.
pub fn close_done_epics(town: &Town, caller: &Caller) -> Result<Vec<Bead>> {
    let mut closed = Vec::new();
    loop {
        let done = town.ledger.read(|view| Ok::<_, Error>(view.epics()?.into_iter().find(|epic| epic.is_done())))?;
        let Some(done) = done else { return Ok(closed) };
        closed.push(close(town, caller, &done.epic.id, Some("all children are closed"), true)?);
    }
}
