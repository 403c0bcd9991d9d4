//! Convoys and swarms: groups of beads, and the messages when a group is finished.
//!
//! The state of a convoy follows from its beads ([`ConvoyState`]) and is never stored. Each operation that changes a bead records
//! the convoys that track it and ends with [`settle_convoys`]. The deacon handles whatever that leaves over.

use std::collections::{BTreeMap, BTreeSet};

use gt_ledger::{BeadFilter, Swarm, Tx, View};
use gt_ledger::{TOWN_PREFIX, is_derived, settle_convoys, tracked};
use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest, Status};
use gt_model::condition::ConditionKind;
use gt_model::convoy::{ConvoyState, MemberState, member_state};
use gt_model::id::BeadId;
use gt_model::protocol::Message;
use serde::Serialize;

use crate::mail::post;
use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::sling::{self, SlingOptions};

/// Label of a convoy whose waiting beads only the mayor or a person may sling.
const MANUAL: &str = "manual";

/// A convoy and its beads.
#[derive(Clone, Debug, Serialize)]
pub struct Convoy {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// State.
    pub state: ConvoyState,
    /// Whether it has landed.
    pub landed: bool,
    /// Its beads.
    pub members: Vec<Member>,
}

/// A bead of a convoy.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// Meaning of that status for the convoy.
    pub state: MemberState,
}

/// Creates a convoy of beads. If all of them are finished, the convoy is finished at once.
pub fn create(town: &Town, caller: &Caller, title: &str, members: &[BeadId], manual: bool) -> Result<Bead> {
    town.ledger.write(&caller.name(), "convoy create", |tx| create_in(tx, title, members, manual))
}

/// Creates a convoy inside an operation. `manual`: the deacon does not sling its beads.
pub(crate) fn create_in(tx: &Tx<'_>, title: &str, members: &[BeadId], manual: bool) -> Result<Bead> {
    require_beads(tx, members)?;
    let mut convoy = new_convoy(tx, title, members)?;
    if manual {
        convoy.labels.push(MANUAL.to_owned());
    }
    tx.add_bead(&convoy)?;
    Ok(convoy)
}

/// Adds beads to a convoy.
pub fn add(town: &Town, caller: &Caller, id: &BeadId, members: &[BeadId]) -> Result<Bead> {
    town.ledger.write(&caller.name(), "convoy add", |tx| {
        require_beads(tx, members)?;
        let convoy = require_convoy(tx, id)?;
        if convoy.status == Status::Closed {
            return Err(Error::refused(format!("{id} is over"), "gt convoy create makes a new one"));
        }
        extend(tx, &convoy, members)
    })
}

/// Returns all open convoys, and the landed ones too if `all`.
pub fn list(town: &Town, all: bool) -> Result<Vec<Convoy>> {
    let filter = BeadFilter { issue_type: Some(BeadType::Convoy), all, ..BeadFilter::default() };
    town.ledger.read(|view| view.beads(&filter)?.iter().map(|bead| with_members(view, bead)).collect())
}

/// Returns one convoy.
pub fn show(town: &Town, id: &BeadId) -> Result<Convoy> {
    town.ledger.read(|view| with_members(view, &require_convoy(view, id)?))
}

fn with_members(view: &View<'_>, bead: &Bead) -> Result<Convoy> {
    let mut members = Vec::new();
    for id in tracked(bead) {
        if let Some(member) = view.bead(id)? {
            let state = member_state(&member);
            members.push(Member { id: member.id, title: member.title, status: member.status, state });
        }
    }
    let state = state(view, bead)?;
    let landed = state == ConvoyState::Landed;
    Ok(Convoy { id: bead.id.clone(), title: bead.title.clone(), state, landed, members })
}

/// Returns the state of a convoy. If a person closed it, it stays closed whatever its beads do.
pub fn state(view: &View<'_>, convoy: &Bead) -> Result<ConvoyState> {
    let derived = ConvoyState::of(view.member_states(&convoy.id)?);
    let by_hand = convoy.status == Status::Closed && !is_derived(convoy);
    Ok(if by_hand && !derived.is_over() { ConvoyState::Closed } else { derived })
}

fn require_convoy(view: &View<'_>, id: &BeadId) -> Result<Bead> {
    let bead = view.bead(id)?.ok_or_else(|| Error::UnknownBead(id.0.clone()))?;
    if bead.issue_type == BeadType::Convoy {
        return Ok(bead);
    }
    Err(Error::refused(format!("{id} is a {}, not a convoy", bead.issue_type), "gt convoy list shows the convoys"))
}

fn require_beads(view: &View<'_>, ids: &[BeadId]) -> Result<()> {
    for id in ids {
        if !view.has_bead(id)? {
            return Err(Error::UnknownBead(id.0.clone()));
        }
    }
    Ok(())
}

fn tracks(convoy: &BeadId, member: &BeadId, at: jiff::Timestamp) -> Dependency {
    Dependency {
        issue_id: convoy.clone(),
        depends_on_id: member.clone(),
        kind: DepType::Tracks,
        created_at: Some(at.to_string()),
        rest: Rest::new(),
    }
}

fn new_convoy(tx: &Tx<'_>, title: &str, members: &[BeadId]) -> Result<Bead> {
    let id = tx.fresh_id(TOWN_PREFIX, title, "")?;
    let dependencies = members.iter().map(|member| tracks(&id, member, tx.now())).collect();
    let created_by = Some(tx.actor().to_owned());
    Ok(Bead { issue_type: BeadType::Convoy, dependencies, created_by, ..Bead::new(id, title, tx.now()) })
}

fn extend(tx: &Tx<'_>, convoy: &Bead, members: &[BeadId]) -> Result<Bead> {
    let mut extended = convoy.clone();
    let have: BTreeSet<&BeadId> = tracked(convoy).collect();
    extended.dependencies.extend(
        members.iter().filter(|member| !have.contains(member)).map(|member| tracks(&convoy.id, member, tx.now())),
    );
    tx.change_bead("convoy-extended", convoy, &extended)?;
    Ok(extended)
}

/// Groups beads that are about to be slung by convoy: the named one, else the open convoy that tracks the bead. Beads in no
/// convoy share a new one.
pub fn batches(tx: &Tx<'_>, beads: &[Bead], named: Option<&BeadId>) -> Result<Vec<(BeadId, Vec<Bead>)>> {
    let mut batches: BTreeMap<BeadId, Vec<Bead>> = BTreeMap::new();
    let mut in_none = Vec::new();
    for bead in beads {
        let convoy = match named {
            Some(id) => Some(id.clone()),
            None => open_convoy_of(tx, &bead.id)?,
        };
        match convoy {
            Some(id) => batches.entry(id).or_default().push(bead.clone()),
            None => in_none.push(bead.clone()),
        }
    }
    if let Some(id) = named {
        let members: Vec<BeadId> = beads.iter().map(|bead| bead.id.clone()).collect();
        extend(tx, &require_convoy(tx, id)?, &members)?;
    }
    if let Some(first) = in_none.first() {
        let title = match in_none.len() {
            1 => first.title.clone(),
            n => format!("{} and {} more", first.title, n - 1),
        };
        let members: Vec<BeadId> = in_none.iter().map(|bead| bead.id.clone()).collect();
        let convoy = new_convoy(tx, &title, &members)?;
        tx.add_bead(&convoy)?;
        batches.insert(convoy.id, in_none);
    }
    Ok(batches.into_iter().collect())
}

/// Whether a bead is closed or deleted.
fn is_over(bead: &Bead) -> bool {
    matches!(bead.status, Status::Closed | Status::Tombstone)
}

/// Returns the open convoy that tracks a bead; the first by id if there are several.
fn open_convoy_of(view: &View<'_>, bead: &BeadId) -> Result<Option<BeadId>> {
    for dep in view.dependents(bead)? {
        if dep.kind != DepType::Tracks {
            continue;
        }
        let convoy = view.bead(&dep.issue_id)?;
        if convoy.is_some_and(|c| c.issue_type == BeadType::Convoy && !is_over(&c)) {
            return Ok(Some(dep.issue_id));
        }
    }
    Ok(None)
}

/// Updates the batches of a bead that has ended. Call it in the operation that ends the bead.
pub(crate) fn bead_finished(tx: &Tx<'_>, bead: &BeadId, outcome: &str) -> Result<()> {
    for swarm in tx.open_swarms_of(bead)? {
        tx.finish_member(swarm.id, bead, outcome)?;
        if tx.complete_swarm(swarm.id)? {
            announce_complete(tx, &swarm)?;
        }
    }
    Ok(())
}

/// Maximum number of ready beads listed in the message at the end of a batch.
const READY_TOLD: u32 = 200;

/// Tells the mayor that a batch is finished and which beads are ready now.
fn announce_complete(tx: &Tx<'_>, swarm: &Swarm) -> Result<()> {
    let members = tx.swarm_members(swarm.id)?;
    let with = |outcome: &str| {
        let of = members.iter().filter(|m| m.outcome.as_deref() == Some(outcome));
        of.map(|m| m.bead.as_str()).collect::<Vec<_>>().join(" ")
    };
    let ready: Vec<String> = tx.ready_now(None, Some(READY_TOLD))?.into_iter().map(|bead| bead.id.0).collect();
    let message = Message::SwarmComplete {
        swarm: swarm.id.to_string(),
        convoy: swarm.convoy.to_string(),
        merged: with("merged"),
        failed: with("failed"),
        ready: ready.join(" "),
        duration: format!("{} s", tx.now().duration_since(swarm.started_at).as_secs()),
    };
    post::send_protocol(tx, Address::Witness(swarm.rig.clone()), vec![Address::Mayor], &message, "")
}

/// Settles convoys that no operation has settled: changes by an older gt, and deeply nested ones.
pub fn repair(town: &Town) -> Result<()> {
    if town.ledger.read(|view| view.unsettled_convoys().map_err(Error::from))?.is_empty() {
        return Ok(());
    }
    town.ledger.write(&Address::Deacon.to_string(), "settle convoys", |tx| settle_convoys(tx).map_err(Error::from))
}

/// Slings beads that have become ready in convoys already in progress. Returns their number.
pub fn feed(town: &Town) -> Result<usize> {
    let now = town.world().clock().now();
    let by_rig = town.ledger.read(|view| waiting_for_feed(view, now))?;
    let mut fed = 0;
    for (rig, beads) in by_rig {
        match feed_rig(town, &rig, &beads) {
            Ok(count) => fed += count,
            // Another caller has claimed it meanwhile, or the rig is held. The next patrol tries again.
            Err(Error::Refused { .. }) => {}
            Err(error @ Error::Ledger(_)) => return Err(error),
            // A failure in one rig must not stop the other rigs' beads.
            Err(error) => note_unfed(town, &rig, &error)?,
        }
    }
    Ok(fed)
}

fn feed_rig(town: &Town, rig: &str, beads: &[BeadId]) -> Result<usize> {
    let me = Caller::role(Address::Deacon);
    let rig = town.rig(rig)?;
    let slung = sling::sling(town, &me, beads, &rig, &SlingOptions::default())?;
    town.ledger
        .write(&me.name(), "feed", |tx| tx.clear(ConditionKind::Feed, rig.name().as_str()).map_err(Error::from))?;
    Ok(slung.attempts.len())
}

fn note_unfed(town: &Town, rig: &str, error: &Error) -> Result<()> {
    let text = format!("ready beads can't be slung: {error}");
    town.ledger.write("deacon/", "feed", |tx| tx.raise(ConditionKind::Feed, rig, &text).map_err(Error::from))?;
    Ok(())
}

/// Returns ready beads, by rig, of convoys that have had a bead slung. A convoy without one only tracks its beads, and a bead
/// that was taken back waits for a person to sling it again.
fn waiting_for_feed(view: &View<'_>, now: jiff::Timestamp) -> Result<BTreeMap<String, Vec<BeadId>>> {
    let mut by_rig: BTreeMap<String, Vec<BeadId>> = BTreeMap::new();
    let mut tracked_by_begun = BTreeSet::new();
    for convoy in view.beads_with(&view.open_convoys_begun()?)? {
        if !convoy.labels.iter().any(|label| label == MANUAL) {
            tracked_by_begun.extend(tracked(&convoy).cloned());
        }
    }
    let mut rigs = BTreeMap::new();
    for rig in view.rigs()? {
        if !desired::is_paused(view, Some(&rig.name))? {
            rigs.insert(rig.prefix, rig.name.to_string());
        }
    }
    let tracked: Vec<BeadId> = tracked_by_begun.into_iter().collect();
    let mut beads = view.beads_with(&tracked)?;
    beads.sort_by_key(|bead| (bead.priority, bead.created_at.at));
    for bead in beads {
        let Some(rig) = rigs.get(bead.id.prefix()) else { continue };
        // A bead that was tried and came back is left to a person. The caller who took it back did not want it slung again at
        // once.
        if view.is_ready(now, &bead.id)? && view.attempts_on(&bead.id)?.is_empty() {
            by_rig.entry(rig.clone()).or_default().push(bead.id);
        }
    }
    Ok(by_rig)
}
