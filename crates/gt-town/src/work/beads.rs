//! Changes of beads by people and agents: who may make them, and when.

use gt_ledger::{BeadChange, Tx, View};
use gt_model::address::Address;
use gt_model::bead::{Bead, Comment, Stamp, Status};
use gt_model::id::{AMBIGUOUS_LIMIT, Abbreviation, BeadId, resolve_abbreviation};
use jiff::Timestamp;
use serde_json::Value;

use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::convoy;

mod create;
mod edges;
mod ends;
mod templates;

use create::check_title;
pub(crate) use create::create_in;
pub use create::{End, NewBead, NewEdge, NewNode, TITLE_LIMIT, create, create_all, create_graph};
pub use edges::{add_dependency, remove_dependency, set_parent};
use ends::refuse_while_live;
pub use ends::{close, close_done_epics, close_for, delete, freed_by, reopen};
pub use templates::pour_template;

/// Returns the bead with that id, or the one whose id contains that unique part.
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

/// Returns ids that `text` may mean. It finds enough of them to tell whether `text` is unique, without reading all ids. An id is
/// a prefix, a dash, and a tail without dashes; `text` may start at the beginning of the id or after any of its dashes.
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

/// Resolves several texts to ids.
pub fn resolve_all(town: &Town, texts: &[String]) -> Result<Vec<BeadId>> {
    town.ledger.read(|view| texts.iter().map(|text| resolve(view, text)).collect())
}

/// Returns the bead, or an error if it does not exist.
pub fn require(view: &View<'_>, id: &BeadId) -> Result<Bead> {
    view.bead(id)?.ok_or_else(|| Error::UnknownBead(id.0.clone()))
}

/// Changes a bead's fields. While an attempt is live, the attempt controls status and holder.
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

/// Assigns an open bead without a holder to the caller. If the bead has a holder, the error names it.
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

/// Defers an open bead. It becomes ready at `until`, or, without a time, when a caller runs `undefer`.
pub fn defer(town: &Town, caller: &Caller, id: &BeadId, until: Option<Timestamp>) -> Result<Bead> {
    town.ledger.write(&caller.name(), "defer", |tx| {
        let before = require(tx, id)?;
        refuse_while_live(tx, caller, id)?;
        if !matches!(before.status, Status::Open | Status::Deferred) {
            return Err(Error::refused(format!("{id} is {}", before.status), "only open beads can be deferred"));
        }
        let status = if until.is_some() { Status::Open } else { Status::Deferred };
        let after = Bead { status, defer_until: until.map(Stamp::from), ..before.clone() };
        tx.change_bead("bead-deferred", &before, &after)?;
        require(tx, id)
    })
}

/// Makes a deferred bead ready again.
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

/// Longest allowed comment, in bytes.
pub const COMMENT_LIMIT: usize = 1024 * 1024;

/// Adds a comment to a bead.
pub fn comment(town: &Town, caller: &Caller, id: &BeadId, text: &str) -> Result<Bead> {
    if text.trim().is_empty() || text.len() > COMMENT_LIMIT || text.contains('\0') {
        let what = format!("a comment is a text of 1 to {COMMENT_LIMIT} bytes");
        return Err(Error::Usage { what, hint: "gt bead comment <id> \"…\"".to_owned() });
    }
    town.ledger.write(&caller.name(), "comment", |tx| comment_in(tx, id, text))
}

/// Adds a comment inside an operation.
pub(crate) fn comment_in(tx: &Tx<'_>, id: &BeadId, text: &str) -> Result<Bead> {
    let before = require(tx, id)?;
    let mut after = before.clone();
    after.comments.push(remark(tx, &before, text));
    tx.change_bead("bead-commented", &before, &after)?;
    require(tx, id)
}

/// Builds a comment with the next number within its bead.
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

/// Ledger setting with the prefix, for a ledger that belongs to no town.
pub(crate) const PREFIX_KEY: &str = "config.issue_prefix";

/// Returns the prefix of a new bead: that of the named rig, else of the caller's rig, else of the only rig, else of the town.
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
