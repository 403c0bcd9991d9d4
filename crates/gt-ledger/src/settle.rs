//! Closes convoys whose beads are all done, and reopens those that have open beads again.

use std::collections::BTreeSet;

use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, DepType, Status};
use gt_model::convoy::{ConvoyState, MemberState, member_state};
use gt_model::id::BeadId;

use super::{LedgerResult, NewMail, Priority, SUBJECT_LIMIT, TOWN_PREFIX, Tx};

/// Recomputes every marked convoy: closes it if it is done, reopens it if it is not, and notifies its subscribers. Runs as the
/// last part of each operation that touched a bead of a convoy.
pub fn settle_convoys(tx: &Tx<'_>) -> LedgerResult<()> {
    for _ in 0..NESTING_LIMIT {
        let unsettled = tx.take_unsettled_convoys()?;
        if unsettled.is_empty() {
            return Ok(());
        }
        for id in &unsettled {
            settle_one(tx, id)?;
        }
    }
    Ok(())
}

fn settle_one(tx: &Tx<'_>, id: &BeadId) -> LedgerResult<()> {
    let convoy = tx.bead(id)?.filter(|bead| bead.issue_type == BeadType::Convoy && bead.status != Status::Tombstone);
    let Some(convoy) = convoy else { return Ok(()) };
    let state = ConvoyState::of(tx.member_states(id)?);
    match (convoy.status == Status::Closed, state.close_reason()) {
        (false, Some(reason)) => conclude(tx, &convoy, state, reason),
        (true, Some(reason)) if is_derived(&convoy) => {
            let renamed = Bead { close_reason: Some(reason.to_owned()), ..convoy.clone() };
            tx.change_bead("convoy-updated", &convoy, &renamed)
        }
        (true, None) if is_derived(&convoy) => reopen(tx, &convoy, state),
        _ => Ok(()),
    }
}

fn conclude(tx: &Tx<'_>, convoy: &Bead, state: ConvoyState, reason: &str) -> LedgerResult<()> {
    let closed = Bead {
        status: Status::Closed,
        closed_at: Some(tx.now().into()),
        close_reason: Some(reason.to_owned()),
        ..convoy.clone()
    };
    let (event, what) = match state {
        ConvoyState::Landed => ("convoy-landed", "Convoy landed"),
        _ => ("convoy-closed", "Convoy closed, not all of it landed"),
    };
    tx.change_bead(event, convoy, &closed)?;
    tell(tx, convoy, what)
}

fn reopen(tx: &Tx<'_>, convoy: &Bead, state: ConvoyState) -> LedgerResult<()> {
    let open = Bead { status: Status::Open, closed_at: None, close_reason: None, ..convoy.clone() };
    tx.change_bead("convoy-reopened", convoy, &open)?;
    let what = match state {
        ConvoyState::Empty => "Convoy has no beads left",
        _ => "Convoy is on its way again",
    };
    tell(tx, convoy, what)
}

/// Notifies the overseer, and the agent that created the convoy, once each.
fn tell(tx: &Tx<'_>, convoy: &Bead, what: &str) -> LedgerResult<()> {
    let mut subscribers = BTreeSet::from([Address::Overseer]);
    subscribers.extend(convoy.created_by.as_deref().and_then(|by| Address::parse(by).ok()));
    let room = SUBJECT_LIMIT - what.chars().count() - convoy.id.as_str().chars().count() - 5;
    let title: String = convoy.title.chars().take(room).collect();
    let subject = format!("{what}: {title} ({})", convoy.id);
    let mut body = String::new();
    for member in tracked(convoy) {
        let state = tx.bead(member)?.map_or(MemberState::Deleted, |bead| member_state(&bead));
        body.push_str(&format!("{member}  {}\n", member_words(state)));
    }
    let id = tx.fresh_id(TOWN_PREFIX, &subject, &body)?;
    let to = subscribers.into_iter().collect();
    tx.send(&id, &NewMail { from: Address::Deacon, to, subject, body, priority: Priority::Normal })
}

/// Describes a member's state in a word or two.
pub fn member_words(state: MemberState) -> &'static str {
    match state {
        MemberState::Open => "open",
        MemberState::Landed => "landed",
        MemberState::Reported => "reported",
        MemberState::NotLanded => "closed, not landed",
        MemberState::Deleted => "deleted",
    }
}

/// Number of levels of nested convoys that one operation recomputes. The deacon's next patrols do the deeper ones.
const NESTING_LIMIT: usize = 8;

/// Whether a convoy was closed because of its beads, and not by a person or agent.
pub fn is_derived(convoy: &Bead) -> bool {
    convoy.close_reason.as_deref().is_some_and(ConvoyState::is_derived)
}

/// Returns the beads that a convoy tracks.
pub fn tracked(convoy: &Bead) -> impl Iterator<Item = &BeadId> {
    convoy.dependencies.iter().filter(|d| d.kind == DepType::Tracks).map(|d| &d.depends_on_id)
}
