//! One round of the refinery: lands what passes the gates, by compare-and-swap, and sends back what fails.

use std::collections::BTreeSet;

use gt_ledger::{MergeRequest, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::formula::{Act, Patrol};
use gt_model::id::{MrId, Sha};
use gt_model::landed::{Doubt, DoubtKind, Origin};
use gt_model::queue::{self, MrFacts, MrStatus, QueueEntry};
use gt_model::steering;
use gt_world::Held;
use serde::Serialize;

use super::landing::record_merged;
use super::send_back::{first_line, send_back, still_open};
use crate::mail::post;
use crate::refinery::clean_run;
use crate::rigs::remote;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::settings::LandingPolicy;
use crate::town::{Caller, Rig, Town};
use crate::work::sling::Crew;

/// Result of a round.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Round {
    /// Merge requests that landed.
    pub landed: Vec<MrId>,
    /// Merge requests that were sent back.
    pub reworked: Vec<MrId>,
    /// Merge requests that passed and wait for a person.
    pub gated: Vec<MrId>,
    /// Merge requests that can't land as their bead's own work. A person must decide.
    pub doubted: Vec<MrId>,
    /// Reason why the round ended early, if it did.
    pub stopped: Option<String>,
}

impl Round {
    /// Whether anything changed.
    pub fn changed(&self) -> bool {
        [&self.landed, &self.reworked, &self.gated, &self.doubted].into_iter().any(|ids| !ids.is_empty())
    }
}

/// Derives a merge request's status from the facts.
pub fn status(view: &View<'_>, rig: &Rig, mr: &MergeRequest) -> Result<MrStatus> {
    let gated = match &mr.candidate_tree {
        Some(tree) => view.verdict(rig.name(), tree, &rig.settings.gates_hash())?.is_some_and(|v| v.passed),
        None => false,
    };
    Ok(queue::status(&MrFacts {
        end: mr.outcome,
        held: mr.held.clone(),
        doubt: mr.doubt.clone(),
        landing: mr.landing.is_some(),
        approved: mr.approved_by.is_some(),
        lands_alone: lands_alone(rig, mr),
        gated,
    }))
}

/// Whether a merge request lands without a person's approval.
fn lands_alone(rig: &Rig, mr: &MergeRequest) -> bool {
    rig.settings.landing == LandingPolicy::Auto && mr.reason().is_none()
}

/// Approves merge requests, so that they land with the next round. Also removes a hold.
pub fn approve(town: &Town, caller: &Caller, ids: &[MrId]) -> Result<Vec<MergeRequest>> {
    let on = match ids {
        [id] => id.0.clone(),
        ids => format!("{} merge requests", ids.len()),
    };
    person::confirm(town, caller, person::Act { refused: "approves", what: "approve", on: &on })?;
    let approved = town.ledger.write(&caller.name(), "mq approve", |tx| {
        let mut approved = Vec::new();
        for id in ids {
            let unknown = || Error::Unknown { what: "merge request", name: id.0.clone() };
            let mr = tx.merge_request(id)?.ok_or_else(unknown)?;
            if let Some(end) = mr.outcome {
                return Err(Error::refused(format!("{id} is over: {}", end.as_str()), "gt mq list shows what waits"));
            }
            if let Some(doubt) = &mr.doubt {
                let hint =
                    format!("gt mq landed {id} closes its bead as landed; gt mq show {id} shows the other choices");
                return Err(Error::refused(format!("{id} has nothing to land: {}", doubt.why), hint));
            }
            tx.approve(&mr)?;
            tx.clear(ConditionKind::Approval, id.as_str())?;
            approved.push(mr);
        }
        Ok(approved)
    })?;
    town.wake();
    Ok(approved)
}

/// Runs one round for a rig. Returns `None` if another refinery is working on it.
pub fn run_round(town: &Town, rig: &Rig) -> Result<Option<Round>> {
    let Some(turn) = town.try_lock(&rig.gates_lane())? else { return Ok(None) };
    let actor = Address::Refinery(rig.name().clone()).to_string();
    let mut refinery = Refinery { town, rig, turn: &turn, actor, round: Round::default() };
    refinery.run()?;
    Ok(Some(refinery.round))
}

/// Forgets, for a person, that the trunk failed its gates and that rounds failed. The gates run again and the next round starts
/// at once.
pub fn forget_failures(town: &Town, caller: &Caller, rig: &Rig) -> Result<()> {
    person::require_or(caller, "runs patrols", PATROLS)?;
    town.ledger.write(&caller.name(), "refinery run", |tx| {
        if tx.clear(ConditionKind::TrunkRed, rig.name().as_str())? {
            tx.forget_red_verdicts(rig.name())?;
        }
        tx.clear(ConditionKind::Refinery, rig.name().as_str())?;
        Ok(())
    })
}

/// Hint for an agent that tries to run a patrol.
pub const PATROLS: &str = "the deacon does; your own verbs are hook, step, done";

pub(super) struct Refinery<'t> {
    pub(super) town: &'t Town,
    pub(super) rig: &'t Rig,
    /// Proof that this process holds the gates lane.
    pub(super) turn: &'t Held,
    pub(super) actor: String,
    pub(super) round: Round,
}

/// State of a round between its acts.
#[derive(Default)]
struct Stack {
    /// Whether the rig is known not to be held.
    is_released: bool,
    /// Whether work waits, but the rig has no gates.
    is_ungated: bool,
    /// Trunk that they are tested on; `None` if none waits.
    trunk: Option<Sha>,
    /// Those that may land without a further approval.
    landable: Vec<MergeRequest>,
    /// Those that a person has to approve.
    to_ask: Vec<MergeRequest>,
}

impl Refinery<'_> {
    /// Performs the acts of the round's formula. Whatever the formula says, nothing lands in a rig that is held or has no gates.
    pub(super) fn run(&mut self) -> Result<()> {
        let patrol = self.town.patrol(Some(self.rig), Patrol::Refinery);
        let mut stack = Stack::default();
        for act in patrol.acts {
            if act != Act::RefineryMail && self.is_held(&mut stack)? {
                break;
            }
            self.perform(act, &mut stack)?;
        }
        patrol.fault.map_or(Ok(()), Err)
    }

    /// Whether the round must end because the rig is held or has no gates. Asks only once whether it is held.
    fn is_held(&mut self, stack: &mut Stack) -> Result<bool> {
        if !stack.is_released {
            self.round.stopped = self.held()?;
            stack.is_released = self.round.stopped.is_none();
        }
        Ok(!stack.is_released)
    }

    fn perform(&mut self, act: Act, stack: &mut Stack) -> Result<()> {
        match act {
            Act::RefineryMail => self.handle_mail(),
            Act::RefineryFinish => self.finish_open_landing(),
            Act::RefineryAsk => self.ask_again(),
            Act::RefineryFetch => self.take_up(stack),
            Act::RefineryLand => match &stack.trunk {
                Some(trunk) => self.land_stack(trunk, &stack.landable),
                None => Ok(()),
            },
            Act::RefineryTest => match &stack.trunk {
                Some(trunk) => stack.to_ask.iter().try_for_each(|mr| self.gate_alone(trunk, mr)),
                None => Ok(()),
            },
            Act::RefineryConfirm if stack.is_ungated => Ok(()),
            Act::RefineryConfirm => self.confirm(stack.trunk.is_some()),
            // `Plan::acts` lets no other act through.
            _ => Ok(()),
        }
    }

    /// Fetches the trunk if merge requests wait, and sorts them by who lets them land.
    fn take_up(&mut self, stack: &mut Stack) -> Result<()> {
        let waiting = self.waiting()?;
        if waiting.is_empty() {
            return Ok(());
        }
        // Without gates nothing may land. This check comes before any process starts, and holds until a person changes the
        // settings.
        if self.rig.settings.gate.is_empty() && !self.rig.settings.allow_ungated {
            stack.is_ungated = true;
            return self.stop_ungated();
        }
        self.write("gates are there", |tx| {
            tx.clear(ConditionKind::Ungated, self.rig.name().as_str()).map_err(Error::from)
        })?;
        let trunk = self.fetch()?;
        let waiting = self.take_out_landed(&trunk, waiting)?;
        let waiting = waiting.into_iter().map(|mr| self.looked_at(&trunk, mr)).collect::<Result<Vec<_>>>()?;
        let may_land = |mr: &MergeRequest| lands_alone(self.rig, mr) || mr.approved_by.is_some();
        (stack.landable, stack.to_ask) = waiting.into_iter().partition(may_land);
        stack.trunk = Some(trunk);
        Ok(())
    }

    /// Tests landed work without caches if that is due.
    pub(super) fn confirm(&self, work_waits: bool) -> Result<()> {
        clean_run::if_due(self.town, self.rig, self.turn, &self.actor, work_waits)
    }

    pub(super) fn write<T>(&self, verb: &str, change: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.town.ledger.write(&self.actor, verb, change)
    }

    /// Marks the refinery's mail as handled. It is only information for people, because the queue is in the ledger.
    pub(super) fn handle_mail(&self) -> Result<()> {
        post::handle(self.town, &Address::Refinery(self.rig.name().clone()), &|_, _| Ok(()))
    }

    pub(super) fn held(&self) -> Result<Option<String>> {
        self.town.ledger.read(|view| {
            for kind in [ConditionKind::RigHeld, ConditionKind::SettingsChanged] {
                if let Some(condition) = view.condition(kind, self.rig.name().as_str())? {
                    return Ok(Some(format!("the rig is held: {}", condition.text)));
                }
            }
            Ok(None)
        })
    }

    /// Returns the merge requests that a round can act on, in queue order.
    pub(super) fn waiting(&self) -> Result<Vec<MergeRequest>> {
        let now = self.town.world().clock().now();
        self.town.ledger.read(|view| {
            let mut requests = Vec::new();
            let mut entries = Vec::new();
            let unpinned = unpinned(view)?;
            for mr in view.open_merge_requests(Some(self.rig.name()))? {
                if unpinned.contains(&mr.id) || status(view, self.rig, &mr)? != MrStatus::Waiting {
                    continue;
                }
                entries.push(self.entry(view, &mr)?);
                requests.push(mr);
            }
            let order = queue::order(entries, now);
            requests.sort_by_key(|mr| order.iter().position(|entry| entry.mr == mr.id));
            Ok(requests)
        })
    }

    pub(super) fn entry(&self, view: &View<'_>, mr: &MergeRequest) -> Result<QueueEntry> {
        let priority = view.bead(&mr.bead)?.map_or(2, |bead| bead.priority);
        let failures = view.rework_count(&mr.bead)?;
        let (mr, bead, submitted_at) = (mr.id.clone(), mr.bead.clone(), mr.submitted_at);
        Ok(QueueEntry { mr, bead, priority, submitted_at, failures })
    }

    pub(super) fn fetch(&self) -> Result<Sha> {
        let held = self.town.lock(&self.rig.remote_lane())?;
        let fetched = remote::fetch(self.town, self.rig, &held)?;
        self.write("fetch", |tx| remote::note(tx, &fetched))?;
        if let Some(foreign) = fetched.foreign.first() {
            return Err(Error::refused(foreign.clone(), format!("gt why {}", self.rig.name())));
        }
        fetched.trunk(self.rig)
    }

    /// Records work as landed if it is its bead's own and the trunk already contains it, however it got there. If it may not be
    /// the bead's own, asks a person.
    pub(super) fn take_out_landed(&mut self, trunk: &Sha, waiting: Vec<MergeRequest>) -> Result<Vec<MergeRequest>> {
        let repo = self.town.world().repo();
        let path = self.rig.layout.repo();
        let mut left = Vec::new();
        for mr in waiting {
            let on_trunk = repo.contains(&path, trunk, &mr.head)? && !repo.contains(&path, &mr.base, &mr.head)?;
            match mr.origin {
                _ if !on_trunk => left.push(mr),
                Some(Origin::Made) => {
                    self.write("land", |tx| record_merged(tx, &mr, &mr.head))?;
                    self.round.landed.push(mr.id);
                }
                _ => {
                    let why = format!("{} already has all of it, and nothing shows that its worker made it", mr.target);
                    let doubt = Doubt { kind: DoubtKind::MaybeLanded, by: Some(mr.head.clone()), why };
                    self.doubt(&mr, &doubt)?;
                }
            }
        }
        Ok(left)
    }

    pub(super) fn stop_ungated(&mut self) -> Result<()> {
        let text = "no gate is configured, so gates can't show that work is green";
        self.write("hold", |tx| tx.raise(ConditionKind::Ungated, self.rig.name().as_str(), text).map_err(Error::from))?;
        self.round.stopped = Some(text.to_owned());
        Ok(())
    }

    pub(super) fn stop_red_trunk(&mut self, trunk: &Sha) -> Result<()> {
        let verdict = self.test(trunk, &self.tree(trunk)?, &[])?;
        let text = format!("the trunk itself is red at {}: {}", trunk.short(), verdict.failure.unwrap_or_default());
        self.write("hold", |tx| {
            tx.raise(ConditionKind::TrunkRed, self.rig.name().as_str(), &text).map_err(Error::from)
        })?;
        self.round.stopped = Some(text);
        Ok(())
    }

    /// Checks once whether a person must look at something in a merge request.
    pub(super) fn looked_at(&self, trunk: &Sha, mr: MergeRequest) -> Result<MergeRequest> {
        if mr.review.is_some() {
            return Ok(mr);
        }
        let (repo, path) = (self.town.world().repo(), self.rig.layout.repo());
        let mut from = repo.merge_bases(&path, trunk, &mr.head)?;
        if from.is_empty() {
            from.push(trunk.clone());
        }
        let mut paths = BTreeSet::new();
        for base in &from {
            paths.extend(repo.changed_paths(&path, base, &mr.head)?.into_keys());
        }
        let why = steering::why(paths.iter().map(String::as_str)).unwrap_or_default();
        self.write("look", |tx| Ok(tx.set_review(&mr, &why)?))?;
        Ok(MergeRequest { review: Some(why), ..mr })
    }

    /// Requests approvals that are missing, because a refinery was killed between the gates and the request.
    pub(super) fn ask_again(&mut self) -> Result<()> {
        let unasked = self.town.ledger.read(|view| {
            let mut unasked = Vec::new();
            for mr in view.open_merge_requests(Some(self.rig.name()))? {
                let green = status(view, self.rig, &mr)? == MrStatus::NeedsApproval;
                if green && view.condition(ConditionKind::Approval, mr.id.as_str())?.is_none() {
                    unasked.push(mr);
                }
            }
            Ok::<_, Error>(unasked)
        })?;
        unasked.iter().try_for_each(|mr| self.ask(mr))
    }

    pub(super) fn ask(&mut self, mr: &MergeRequest) -> Result<()> {
        let why = mr.reason().map(|why| format!(" ({why})")).unwrap_or_default();
        let text = format!("{} is green and waits for approval{why}: gt mq approve {}", mr.id, mr.id);
        let news = self.write("ask", |tx| match still_open(tx, &mr.id)?.filter(|mr| mr.held.is_none()) {
            Some(_) => Ok(tx.raise(ConditionKind::Approval, mr.id.as_str(), &text)?),
            None => Ok(false),
        })?;
        if news {
            self.round.gated.push(mr.id.clone());
        }
        Ok(())
    }

    /// Sends work back: a new attempt continues from the old head. Over the limit, a person must look.
    pub(super) fn rework(&mut self, mr: &MergeRequest, why: &str) -> Result<()> {
        let attempt = self.town.ledger.read(|view| view.attempt(mr.attempt).map_err(Error::from))?;
        let budget = self.town.settings.max_reworks;
        let runtime = attempt.as_ref().and_then(|attempt| attempt.runtime);
        let (kind, formula) = attempt.map(|attempt| (attempt.agent, attempt.formula)).unzip();
        let sent_back = Crew::of(self.town, self.rig, kind.as_deref(), formula.as_deref())
            .map(|crew| crew.in_runtime(runtime))
            .and_then(|crew| self.write("rework", |tx| send_back(tx, &crew, mr, why, budget)));
        match sent_back {
            Err(error @ Error::Ledger(_)) => return Err(error),
            // No worker can get it. Hold it with the reason, so that it does not block the others.
            Err(error) => {
                let text = format!("{}; it can't be slung again: {error}", first_line(why));
                self.write("hold", |tx| tx.hold(mr, &text).map_err(Error::from))?;
            }
            Ok(()) => self.round.reworked.push(mr.id.clone()),
        }
        self.town.wake();
        Ok(())
    }
}

fn unpinned(view: &View<'_>) -> Result<Vec<MrId>> {
    let rows = view.open_effects()?.into_iter();
    Ok(rows.filter_map(|row| if let Effect::PinMr { mr } = row.effect { Some(mr) } else { None }).collect())
}
