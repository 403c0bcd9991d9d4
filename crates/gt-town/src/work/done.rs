//! `gt done`: submits the work on the hook and clears the hook.

use std::time::Duration;

use gt_ledger::{Attempt, AttemptOutcome, MoleculeStep, Tx};
use gt_model::address::Address;
use gt_model::bead::{Bead, Comment, Rest, Status};
use gt_model::condition::ConditionKind;
use gt_model::convoy::BeadEnd;
use gt_model::effect::Effect;
use gt_model::formula::{Acceptance, Act};
use gt_model::id::Sha;
use gt_model::landed::{Doubt, DoubtKind, Origin};
use gt_model::protocol::Message;
use gt_world::{LARGE_FILES, WorktreeFacts};
use serde::Serialize;

use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::town::identity;
use crate::town::{Caller, Rig, Town};
use crate::work::causes;
use crate::work::convoy;
use crate::work::decided;
use crate::work::hook;
use crate::work::kept;
use crate::work::own_work::{self, OwnWork};
use crate::work::sling::clear_away;
use crate::work::taken_back;

/// Ways a worker can finish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// The branch should land.
    #[default]
    Completed,
    /// The result is what the worker wrote on the bead. There is no branch to land.
    NoCode,
    /// The trunk already contains the work, in a commit that the worker names. A person decides.
    LandedBy,
    /// Another role must decide. The bead is parked with its branch.
    Escalated,
    /// The work is postponed. The bead is parked with its branch.
    Deferred,
}

impl Exit {
    /// Returns the word used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed | Self::NoCode | Self::LandedBy => "completed",
            Self::Escalated => "escalated",
            Self::Deferred => "deferred",
        }
    }
}

/// Parameters of `gt done`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending<'a> {
    /// How the worker finishes.
    pub exit: Exit,
    /// Reason, for the next reader.
    pub note: Option<&'a str>,
    /// With [`Exit::LandedBy`]: the trunk's commit that contains the work.
    pub landed_by: Option<&'a str>,
    /// Reason why some of the worker's own work is missing from the submission.
    pub dropped: Option<&'a str>,
}

impl From<Exit> for Ending<'_> {
    fn from(exit: Exit) -> Self {
        Self { exit, ..Self::default() }
    }
}

/// Result of `gt done`.
#[derive(Clone, Debug, Serialize)]
pub struct Submitted {
    /// The attempt.
    pub attempt: Attempt,
    /// Its merge request, if there is code.
    pub mr: Option<String>,
    /// Whether the same head had been submitted before.
    pub already: bool,
}

/// Submits the work on the caller's hook. Returns an error for uncommitted changes, a wrong branch, work that is not the worker's
/// own or changes nothing, and open steps before the last one.
pub fn done(town: &Town, caller: &Caller, ending: &Ending<'_>) -> Result<Submitted> {
    causes::noting_refusal(town, caller, check_and_submit(town, caller, ending))
}

fn check_and_submit(town: &Town, caller: &Caller, ending: &Ending<'_>) -> Result<Submitted> {
    let exit = ending.exit;
    let attempt = match town.ledger.read(|view| identity::hooked_attempt(view, caller)) {
        Ok(attempt) => attempt,
        Err(error @ Error::Refused { .. }) => return submitted_before(town, caller, error),
        Err(error) => return Err(error),
    };
    let rig = town.rig(attempt.rig.as_str())?;
    let facts = hook::worktree(town, &rig, &attempt)?;
    let refuse = |what: String, hint: &str| Err(Error::refused(what, hint));
    if let Some(what) = hook::own_branch(&attempt, &facts) {
        return refuse(what, &format!("git switch {}", attempt.branch));
    }
    let parked = matches!(exit, Exit::Escalated | Exit::Deferred);
    if !parked && let Some(what) = hook::clean(&facts) {
        return refuse(what, "commit what belongs to the work, remove the rest, then: gt done");
    }
    let product = product(town, &rig, &attempt, &facts, ending)?;
    let submitted = town.ledger.write(&caller.name(), "done", |tx| {
        let attempt = identity::hooked_attempt(tx, caller)?;
        close_last_step(tx, &attempt, &product)?;
        let bead = tx.bead(&attempt.bead)?.ok_or_else(|| Error::UnknownBead(attempt.bead.0.clone()))?;
        let mr = match &product {
            Product::Branch(work, dropped) => {
                note_on(
                    tx,
                    &attempt,
                    &bead,
                    dropped.as_ref().map(|text| format!("Dropped on purpose: {text}")).as_deref(),
                )?;
                let says = Says { origin: work.origin, dropped: dropped.as_deref(), doubt: None };
                Some(submit(tx, &rig, &attempt, &facts.head, &says)?)
            }
            Product::OnTrunk(doubt) => {
                note_on(tx, &attempt, &bead, ending.note)?;
                let says = Says { origin: Origin::Others, dropped: None, doubt: Some(doubt) };
                Some(submit(tx, &rig, &attempt, &facts.head, &says)?)
            }
            Product::Findings => {
                report(tx, &attempt, &bead, ending.note)?;
                None
            }
            Product::Parked => {
                park(tx, &attempt, &bead, exit, ending.note)?;
                None
            }
        };
        announce(tx, &attempt, exit, mr.as_deref(), &facts.head)?;
        clear_away(tx, &attempt, Duration::from_secs(town.settings.linger_seconds))?;
        Ok::<_, Error>(Submitted { attempt, mr, already: false })
    })?;
    town.wake();
    Ok(submitted)
}

/// Result that a worker submits.
enum Product {
    /// Its branch, with its explanation of its own work that is missing from it.
    Branch(OwnWork, Option<String>),
    /// Nothing of its own. The worker says that the trunk contains the work.
    OnTrunk(Doubt),
    /// Its findings, written on the bead.
    Findings,
    /// Nothing yet.
    Parked,
}

fn product(town: &Town, rig: &Rig, attempt: &Attempt, facts: &WorktreeFacts, ending: &Ending<'_>) -> Result<Product> {
    if matches!(ending.exit, Exit::Escalated | Exit::Deferred) {
        return Ok(Product::Parked);
    }
    let work = own_work::look(town, rig, attempt, &facts.head)?;
    match (ending.exit, work.objection(&rig.row.trunk)) {
        (Exit::Completed, Some(what)) => Err(Error::refused(what, own_work::NOTHING_HINT)),
        (Exit::Completed, None) => {
            require_large_files(town, rig, &facts.head)?;
            let dropped = dropped(town, rig, attempt, &facts.head, ending)?;
            Ok(Product::Branch(work, dropped))
        }
        (_, None) => {
            let what = "the branch has work that is not on the trunk and would be lost";
            Err(Error::refused(what, "gt done submits it"))
        }
        (Exit::LandedBy, Some(_)) => on_trunk(town, rig, ending.landed_by.unwrap_or_default()),
        (_, Some(_)) => Ok(Product::Findings),
    }
}

/// Returns an error if the work introduces git-lfs into a rig that is not set up for it. The remote would get the pointers
/// without the files.
fn require_large_files(town: &Town, rig: &Rig, head: &Sha) -> Result<()> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    if rig.settings.worktree.lfs || !repo.filters(&path, head)?.contains(LARGE_FILES) {
        return Ok(());
    }
    let refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    let is_new = match refs.get(&rig.row.trunk) {
        Some(trunk) => !repo.filters(&path, trunk)?.contains(LARGE_FILES),
        None => true,
    };
    if !is_new {
        return Ok(());
    }
    let what =
        format!("its .gitattributes hand files to git-lfs, and {} sends no large files to the remote", rig.name());
    let hint = format!(
        "remove them; or ask the overseer (gt mail send overseer) for `gt rig set {} worktree.lfs=true`, then run gt \
         done again",
        rig.name()
    );
    Err(Error::refused(what, hint))
}

/// Returns the worker's explanation for lost work of its own and for others' work that it undoes. Returns an error if the worker
/// gave none.
fn dropped(town: &Town, rig: &Rig, attempt: &Attempt, head: &Sha, ending: &Ending<'_>) -> Result<Option<String>> {
    let gone = kept::look(town, rig, attempt, head)?;
    let back = taken_back::look(town, rig, attempt, head)?;
    if gone.is_none() && back.is_empty() {
        return Ok(None);
    }
    let Some(why) = ending.dropped.map(str::trim).filter(|why| !why.is_empty()) else {
        return Err(gone.map_or_else(|| taken_back::refusal(&back, &rig.row.trunk), |gone| kept::refusal(&gone)));
    };
    let others = (!back.is_empty()).then(|| format!("of others: {}", taken_back::named(&back)));
    let what: Vec<String> = gone.map(|gone| gone.summary()).into_iter().chain(others).collect();
    Ok(Some(format!("{why} ({})", what.join("; "))))
}

/// Checks the minimum for the worker's claim: the commit is on the trunk.
fn on_trunk(town: &Town, rig: &Rig, id: &str) -> Result<Product> {
    let by = own_work::commit_on_trunk(town, rig, id)?;
    let why = format!("its worker says that {} on {} has the requested work", by.short(), rig.row.trunk);
    Ok(Product::OnTrunk(Doubt { kind: DoubtKind::MaybeLanded, by: Some(by), why }))
}

/// Reports an earlier `gt done` of the same incarnation and changes nothing. Commits made since are not part of the submission,
/// so they cause an error.
fn submitted_before(town: &Town, caller: &Caller, otherwise: Error) -> Result<Submitted> {
    let Some(id) = &caller.incarnation else { return Err(otherwise) };
    let submitted = town.ledger.read(|view| {
        let incarnation = view.incarnation(id)?.ok_or(Error::BadToken)?;
        let Some(attempt) = view.attempt_of(&incarnation)? else { return Ok(None) };
        let mr = view.merge_requests()?.into_iter().find(|mr| mr.attempt == attempt.id).map(|mr| mr.id.0);
        Ok::<_, Error>(Some((attempt, mr)))
    })?;
    let Some((attempt, mr)) = submitted else { return Err(otherwise) };
    let Some(head) = &attempt.head else { return Err(otherwise) };
    let rig = town.rig(attempt.rig.as_str())?;
    let path = rig.layout.worktree(&attempt.worker);
    let now = town.world().repo().worktree(&rig.layout.repo(), &path)?;
    if let Some(facts) = now
        && &facts.head != head
    {
        let what = format!("{} was submitted at {}; later commits are not part of it", attempt.bead, head.short());
        return Err(Error::refused(
            what,
            "end your turn: a snapshot keeps them; create a new bead for what is still missing",
        ));
    }
    Ok(Submitted { attempt, mr, already: true })
}

/// Closes the last step. If nothing should land, steps that only code can close may stay open.
fn close_last_step(tx: &Tx<'_>, attempt: &Attempt, product: &Product) -> Result<()> {
    let steps = tx.steps(attempt.id)?;
    let needs_code =
        steps.iter().any(|s| s.done_at.is_none() && s.step.acceptance.contains(&Acceptance::Act(Act::Commits)));
    match product {
        Product::Parked => return Ok(()),
        Product::OnTrunk(_) | Product::Findings if needs_code => return Ok(()),
        _ => {}
    }
    let open: Vec<&MoleculeStep> = steps.iter().filter(|step| !step.state.frees_others()).collect();
    match open.as_slice() {
        [] => Ok(()),
        [last] if steps.last() == Some(last) && hook::obstacle(&steps, last).is_none() => {
            hook::close_step(tx, attempt, &last.step.id, None)?;
            Ok(())
        }
        [first, ..] => {
            let ids: Vec<&str> = open.iter().map(|step| step.step.id.as_str()).collect();
            let hint = match hook::waits_in_molecule(&steps) {
                Some(what) => format!("{what}; end your turn: you are woken when you can go on"),
                None => format!("finish the first one, then: gt step done {}", first.step.id),
            };
            Err(Error::refused(format!("steps are open: {}", ids.join(", ")), hint))
        }
    }
}

/// Facts of a submission.
struct Says<'a> {
    origin: Origin,
    dropped: Option<&'a str>,
    doubt: Option<&'a Doubt>,
}

fn submit(tx: &Tx<'_>, rig: &Rig, attempt: &Attempt, head: &Sha, says: &Says<'_>) -> Result<String> {
    let base = attempt.base.as_ref().ok_or_else(|| Error::refused("the attempt has no base", "gt why <bead>"))?;
    decided::begin_bead(tx, attempt)?;
    tx.submit_attempt(attempt, head)?;
    let mr = tx.open_merge_request(attempt, &rig.row.trunk, head, base)?;
    tx.set_origin(&mr.id, says.origin, says.dropped)?;
    if let Some(doubt) = says.doubt {
        tx.set_doubt(&mr, doubt)?;
    }
    tx.decide(&Effect::PinMr { mr: mr.id.clone() }, Some(&attempt.rig), Some(&attempt.bead), Duration::ZERO)?;
    Ok(mr.id.0)
}

/// Closes the bead as done, because the findings are on it.
fn report(tx: &Tx<'_>, attempt: &Attempt, bead: &Bead, note: Option<&str>) -> Result<()> {
    tx.end_attempt(attempt, AttemptOutcome::Reported)?;
    let mut closed = Bead {
        status: Status::Closed,
        assignee: None,
        closed_at: Some(tx.now().into()),
        close_reason: Some(BeadEnd::Reported.close_reason()),
        ..bead.clone()
    };
    closed.comments.extend(note.map(|note| comment(tx, attempt, bead, note)));
    tx.change_bead("bead-reported", bead, &closed)?;
    convoy::bead_finished(tx, &bead.id, "merged")
}

/// Builds a comment of the worker on its bead.
fn comment(tx: &Tx<'_>, attempt: &Attempt, bead: &Bead, text: &str) -> Comment {
    Comment {
        id: (bead.comments.len() + 1).to_string(),
        author: attempt.address().to_string(),
        text: text.to_owned(),
        created_at: tx.now().to_string(),
        rest: Rest::new(),
    }
}

fn note_on(tx: &Tx<'_>, attempt: &Attempt, bead: &Bead, note: Option<&str>) -> Result<()> {
    let Some(note) = note else { return Ok(()) };
    let mut noted = bead.clone();
    noted.comments.push(comment(tx, attempt, bead, note));
    Ok(tx.change_bead("bead-commented", bead, &noted)?)
}

fn park(tx: &Tx<'_>, attempt: &Attempt, bead: &Bead, exit: Exit, note: Option<&str>) -> Result<()> {
    tx.end_attempt(attempt, AttemptOutcome::Parked)?;
    let mut parked = Bead { status: Status::Open, assignee: None, ..bead.clone() };
    if exit == Exit::Deferred {
        parked.status = Status::Deferred;
    }
    parked.comments.extend(note.map(|note| comment(tx, attempt, bead, note)));
    tx.change_bead("bead-parked", bead, &parked)?;
    if exit == Exit::Escalated {
        let reason = note.unwrap_or("the worker escalated without a reason");
        escalate(tx, attempt, reason)?;
    }
    convoy::bead_finished(tx, &bead.id, "failed")
}

/// Holds a bead until a person has looked, so that it is not slung again. Tells the mayor and the overseer.
pub(crate) fn escalate(tx: &Tx<'_>, attempt: &Attempt, reason: &str) -> Result<()> {
    if tx.raise(ConditionKind::Quarantine, attempt.bead.as_str(), reason)? {
        let message = Message::Escalation {
            bead: attempt.bead.to_string(),
            severity: "high".to_owned(),
            reason: reason.to_owned(),
        };
        let from = Address::Witness(attempt.rig.clone());
        post::send_protocol(tx, from, vec![Address::Mayor, Address::Overseer], &message, "")?;
    }
    Ok(())
}

fn announce(tx: &Tx<'_>, attempt: &Attempt, exit: Exit, mr: Option<&str>, head: &Sha) -> Result<()> {
    let message = Message::PolecatDone {
        bead: attempt.bead.to_string(),
        exit: exit.as_str().to_owned(),
        mr: mr.unwrap_or_default().to_owned(),
        branch: attempt.branch.clone(),
        commit: head.to_string(),
    };
    post::send_protocol(tx, attempt.address(), vec![Address::Witness(attempt.rig.clone())], &message, "")
}
