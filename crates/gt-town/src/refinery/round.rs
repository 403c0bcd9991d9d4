//! The refinery: what is gated lands, by compare-and-swap; what is not green goes back to be done again.

use gt_model::condition::ConditionKind;
use std::collections::BTreeSet;
use std::time::Duration;

use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, Status};
use gt_model::convoy::MERGED_AS;
use gt_model::effect::Effect;
use gt_model::id::{MrId, Sha};
use gt_model::landed::{Doubt, DoubtKind, Origin};
use gt_model::landing;
use gt_model::protocol::Message;
use gt_model::queue::{self, Bisect, MrEnd, MrFacts, MrStatus, QueueEntry, StackEntry};
use gt_model::steering;
use serde::Serialize;

use crate::mail::post;
use crate::refinery::clean_run;
use crate::rigs::gates::{self, Subject, Tested};
use crate::rigs::remote;
use crate::rigs::warm;
use crate::town::error::chain;
use crate::town::error::{Error, Result};
use crate::town::person::{self, Act};
use crate::town::settings::{LandStyle, LandingPolicy};
use crate::town::{Caller, Rig, Town};
use crate::work::convoy;
use crate::work::done;
use crate::work::sling::{Before, Crew, hand_out};
use gt_ledger::{AttemptOutcome, Landing, MergeRequest, Tx, Verdict, View};
use gt_world::{Candidate, Held, Push, Referred};

/// Merge requests that one stack may have.
const STACK_LIMIT: usize = 16;

/// What a round did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Round {
    /// What landed.
    pub landed: Vec<MrId>,
    /// What was sent back.
    pub reworked: Vec<MrId>,
    /// What is green and waits for a person.
    pub gated: Vec<MrId>,
    /// What can't land as its bead's own work, so that a person has to decide.
    pub doubted: Vec<MrId>,
    /// Why the round ended early, if it did.
    pub stopped: Option<String>,
}

impl Round {
    /// Whether anything changed.
    pub fn changed(&self) -> bool {
        [&self.landed, &self.reworked, &self.gated, &self.doubted].into_iter().any(|ids| !ids.is_empty())
    }
}

/// A merge request's status, derived from the facts.
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

/// Whether a merge request lands without a person's word.
fn lands_alone(rig: &Rig, mr: &MergeRequest) -> bool {
    rig.settings.landing == LandingPolicy::Auto && mr.reason().is_none()
}

/// Approves merge requests: they land with the next round. A hold is lifted by it.
pub fn approve(town: &Town, caller: &Caller, ids: &[MrId]) -> Result<Vec<MergeRequest>> {
    let on = match ids {
        [id] => id.0.clone(),
        ids => format!("{} merge requests", ids.len()),
    };
    person::confirm(town, caller, Act { refused: "approves", what: "approve", on: &on })?;
    let approved = town.ledger.write(&caller.name(), "mq approve", |tx| {
        let mut approved = Vec::new();
        for id in ids {
            let unknown = || Error::Unknown { what: "merge request", name: id.0.clone() };
            let mr = tx.merge_request(id)?.ok_or_else(unknown)?;
            if let Some(end) = mr.outcome {
                return Err(Error::refused(format!("{id} is over: {}", end.as_str()), "gt mq list shows what waits"));
            }
            if let Some(doubt) = &mr.doubt {
                let hint = format!("gt mq landed {id} closes its bead as landed; gt mq show {id} says what else");
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

/// One round for a rig. `None` where another refinery is at work on it.
pub fn run_round(town: &Town, rig: &Rig) -> Result<Option<Round>> {
    let Some(turn) = town.try_lock(&rig.turn_lock())? else { return Ok(None) };
    let actor = Address::Refinery(rig.name().clone()).to_string();
    let mut refinery = Refinery { town, rig, turn: &turn, actor, round: Round::default() };
    refinery.run()?;
    Ok(Some(refinery.round))
}

/// Forgets that the trunk was red, so that its gates run again, and that rounds failed, so that the next is tried at
/// once. A person's word.
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

/// What an agent does instead of a patrol.
pub const PATROLS: &str = "the deacon does; your own verbs are hook, step, done";

struct Refinery<'t> {
    town: &'t Town,
    rig: &'t Rig,
    /// The right to the gate worktree.
    turn: &'t Held,
    actor: String,
    round: Round,
}

impl Refinery<'_> {
    fn run(&mut self) -> Result<()> {
        self.handle_mail()?;
        if let Some(held) = self.held()? {
            self.round.stopped = Some(held);
            return Ok(());
        }
        self.finish_open_landing()?;
        self.ask_again()?;
        let waiting = self.waiting()?;
        if waiting.is_empty() {
            return self.confirm(false);
        }
        // Fail closed, and before anything is forked: this stays so until a person changes the settings.
        if self.rig.settings.gate.is_empty() && !self.rig.settings.allow_ungated {
            return self.stop_ungated();
        }
        self.write("gates are there", |tx| {
            tx.clear(ConditionKind::Ungated, self.rig.name().as_str()).map_err(Error::from)
        })?;
        let trunk = self.fetch()?;
        let waiting = self.take_out_landed(&trunk, waiting)?;
        let waiting = waiting.into_iter().map(|mr| self.looked_at(&trunk, mr)).collect::<Result<Vec<_>>>()?;
        let (landable, to_ask): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|mr| lands_alone(self.rig, mr) || mr.approved_by.is_some());
        self.land_stack(&trunk, &landable)?;
        for mr in &to_ask {
            self.gate_alone(&trunk, mr)?;
        }
        self.confirm(true)
    }

    /// Tests what landed without caches, where that is due.
    fn confirm(&self, work_waits: bool) -> Result<()> {
        clean_run::if_due(self.town, self.rig, self.turn, &self.actor, work_waits)
    }

    fn write<T>(&self, verb: &str, change: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.town.ledger.write(&self.actor, verb, change)
    }

    /// Notices are for people: the queue is in the ledger. What is read is put away.
    fn handle_mail(&self) -> Result<()> {
        post::handle(self.town, &Address::Refinery(self.rig.name().clone()), &|_, _| Ok(()))
    }

    fn held(&self) -> Result<Option<String>> {
        self.town.ledger.read(|view| {
            for kind in [ConditionKind::RigHeld, ConditionKind::SettingsChanged] {
                if let Some(condition) = view.condition(kind, self.rig.name().as_str())? {
                    return Ok(Some(format!("the rig is held: {}", condition.text)));
                }
            }
            Ok(None)
        })
    }

    /// Merge requests that a round can act on, in the order of the queue.
    fn waiting(&self) -> Result<Vec<MergeRequest>> {
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

    fn entry(&self, view: &View<'_>, mr: &MergeRequest) -> Result<QueueEntry> {
        let priority = view.bead(&mr.bead)?.map_or(2, |bead| bead.priority);
        let submitted_at = mr.submitted_at.parse().unwrap_or_else(|_| self.town.world().clock().now());
        let failures = view.rework_count(&mr.bead)?;
        Ok(QueueEntry { mr: mr.id.clone(), bead: mr.bead.clone(), priority, submitted_at, failures })
    }

    fn fetch(&self) -> Result<Sha> {
        let held = self.town.lock(&self.rig.remote_lock())?;
        let fetched = remote::fetch(self.town, self.rig, &held)?;
        self.write("fetch", |tx| remote::note(tx, &fetched))?;
        if let Some(foreign) = fetched.foreign.first() {
            return Err(Error::refused(foreign.clone(), format!("gt why {}", self.rig.name())));
        }
        fetched.trunk(self.rig)
    }

    /// Facts first: work of its bead's own that the trunk contains already has landed, by whichever hands. Of what is not
    /// known to be its own, a person says whether it has.
    fn take_out_landed(&mut self, trunk: &Sha, waiting: Vec<MergeRequest>) -> Result<Vec<MergeRequest>> {
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
                    let why = format!("{} has all of it, and nothing shows that its worker made it", mr.target);
                    let doubt = Doubt { kind: DoubtKind::MaybeLanded, by: Some(mr.head.clone()), why };
                    self.doubt(&mr, &doubt)?;
                }
            }
        }
        Ok(left)
    }

    fn stop_ungated(&mut self) -> Result<()> {
        let text = "no gate is configured, so nothing can be shown to be green";
        self.write("hold", |tx| tx.raise(ConditionKind::Ungated, self.rig.name().as_str(), text).map_err(Error::from))?;
        self.round.stopped = Some(text.to_owned());
        Ok(())
    }

    /// Builds a stack on the trunk, finds its longest green prefix, lands that, sends the culprit back.
    fn land_stack(&mut self, trunk: &Sha, requests: &[MergeRequest]) -> Result<()> {
        let (stack, members) = self.build_stack(trunk, requests)?;
        if stack.is_empty() {
            return Ok(());
        }
        let ids: Vec<MrId> = stack.iter().map(|entry| entry.mr.clone()).collect();
        let (mut green, mut red) = (None, None);
        loop {
            match queue::bisect(stack.len(), green, red) {
                Bisect::Test(prefix) => {
                    let passed = match prefix.checked_sub(1) {
                        None => self.test(trunk, &self.tree(trunk)?, &[])?.passed,
                        Some(at) => self.test(&stack[at].commit, &stack[at].tree, &ids[..=at])?.passed,
                    };
                    *(if passed { &mut green } else { &mut red }) = Some(prefix);
                }
                Bisect::TrunkRed => return self.stop_red_trunk(trunk),
                Bisect::Found { green, culprit } => {
                    self.write("trunk green", |tx| {
                        tx.clear(ConditionKind::TrunkRed, self.rig.name().as_str()).map_err(Error::from)
                    })?;
                    if culprit {
                        let verdict = self.test(&stack[green].commit, &stack[green].tree, &ids[..=green])?;
                        self.rework(members[green], &verdict.failure.unwrap_or_default())?;
                    }
                    return self.land(trunk, &stack[..green]);
                }
            }
        }
    }

    fn tree(&self, commit: &Sha) -> Result<Sha> {
        Ok(self.town.world().repo().tree_of(&self.rig.layout.repo(), commit)?)
    }

    fn build_stack<'m>(
        &mut self,
        trunk: &Sha,
        requests: &'m [MergeRequest],
    ) -> Result<(Vec<StackEntry>, Vec<&'m MergeRequest>)> {
        let limit = if self.rig.settings.land == LandStyle::Each { 1 } else { STACK_LIMIT };
        let (mut stack, mut members) = (Vec::new(), Vec::new());
        for mr in requests {
            if stack.len() == limit {
                break;
            }
            let onto = stack.last().map_or(trunk, |entry: &StackEntry| &entry.commit).clone();
            match self.candidate(&onto, mr)? {
                Candidate::Clean { commit, tree } => {
                    stack.push(StackEntry { mr: mr.id.clone(), commit, tree });
                    members.push(mr);
                }
                // In the way of a neighbour only: it has its turn on the trunk in a later round.
                Candidate::Conflict { .. } | Candidate::Empty if !stack.is_empty() => {}
                Candidate::Conflict { files } => {
                    let target = &self.rig.row.trunk;
                    let why = format!("conflicts with {target} at {} in {}", trunk.short(), files.join(", "));
                    self.rework(mr, &why)?;
                }
                Candidate::Empty => self.doubt(mr, &self.why_empty(trunk, mr)?)?,
                Candidate::Broken { why } => self.rework(mr, &incomplete(&why))?,
            }
        }
        Ok((stack, members))
    }

    /// Why a merge request changes nothing on the trunk: it never did, or the trunk has it by commits of others.
    fn why_empty(&self, trunk: &Sha, mr: &MergeRequest) -> Result<Doubt> {
        let (repo, path) = (self.town.world().repo(), self.rig.layout.repo());
        let base = repo.merge_bases(&path, trunk, &mr.head)?.into_iter().next().unwrap_or_else(|| mr.base.clone());
        let changed: Vec<String> = repo.changed_paths(&path, &base, &mr.head)?.into_keys().collect();
        if changed.is_empty() {
            let why = "its commits change nothing".to_owned();
            return Ok(Doubt { kind: DoubtKind::Empty, by: None, why });
        }
        let there = repo.touching(&path, &base, trunk, &changed)?;
        let named: Vec<String> = there.iter().map(|c| format!("{} ({})", c.commit.short(), c.title)).collect();
        let by = there.into_iter().next().map(|titled| titled.commit);
        let why = format!("{} has all that it changes already, by {}", mr.target, named.join(", "));
        Ok(Doubt { kind: DoubtKind::MaybeLanded, by, why })
    }

    /// Leaves a merge request to a person, saying what is doubted.
    fn doubt(&mut self, mr: &MergeRequest, doubt: &Doubt) -> Result<()> {
        let doubted = self.write("doubt", |tx| match still_open(tx, &mr.id)? {
            Some(mr) => {
                tx.clear(ConditionKind::Approval, mr.id.as_str())?;
                tx.set_doubt(&mr, doubt)?;
                Ok(true)
            }
            None => Ok(false),
        })?;
        self.round.doubted.extend(doubted.then(|| mr.id.clone()));
        Ok(())
    }

    /// The commit that would land a merge request onto `onto`, pinned before anything is run on it.
    fn candidate(&self, onto: &Sha, mr: &MergeRequest) -> Result<Candidate> {
        let landing = landing_commit(self.town, self.rig, mr)?;
        let held = self.town.lock(&self.rig.repo_lock())?;
        let repo = self.town.world().repo();
        let path = self.rig.layout.repo();
        let candidate = repo.squash_as(&held, &path, onto, &mr.head, &landing)?;
        if let Candidate::Clean { commit, tree } = &candidate {
            repo.set_ref(&held, &path, &format!("refs/gt/candidates/{commit}"), commit, None)?;
            self.write("candidate", |tx| tx.set_candidate(&mr.id, tree).map_err(Error::from))?;
        }
        Ok(candidate)
    }

    /// What the gates say of a commit's tree; a tree that was tested is not tested again.
    fn test(&self, commit: &Sha, tree: &Sha, batch: &[MrId]) -> Result<Verdict> {
        let hash = self.rig.settings.gates_hash();
        let known = self.town.ledger.read(|view| view.verdict(self.rig.name(), tree, &hash).map_err(Error::from))?;
        if let Some(verdict) = known {
            return Ok(verdict);
        }
        let subject = Subject { commit, tree, label: commit.short(), clean: false, batch };
        let tested = gates::test(self.town, self.rig, self.turn, &subject)?;
        // What is missing may come yet, with the same tree.
        let lasts = matches!(tested, Tested::Run(_));
        let run = tested.into_run();
        let verdict = run.verdict();
        if lasts {
            self.write("verdict", |tx| tx.set_verdict(self.rig.name(), tree, &hash, &verdict).map_err(Error::from))?;
        }
        Ok(verdict)
    }

    fn stop_red_trunk(&mut self, trunk: &Sha) -> Result<()> {
        let verdict = self.test(trunk, &self.tree(trunk)?, &[])?;
        let text = format!("the trunk itself is red at {}: {}", trunk.short(), verdict.failure.unwrap_or_default());
        self.write("hold", |tx| {
            tx.raise(ConditionKind::TrunkRed, self.rig.name().as_str(), &text).map_err(Error::from)
        })?;
        self.round.stopped = Some(text);
        Ok(())
    }

    /// Looks once whether something in a merge request is a person's to look at.
    fn looked_at(&self, trunk: &Sha, mr: MergeRequest) -> Result<MergeRequest> {
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

    /// Gates a merge request that waits for a person, so that the person knows.
    fn gate_alone(&mut self, trunk: &Sha, mr: &MergeRequest) -> Result<()> {
        match self.candidate(trunk, mr)? {
            Candidate::Empty => self.doubt(mr, &self.why_empty(trunk, mr)?),
            Candidate::Broken { why } => self.rework(mr, &incomplete(&why)),
            Candidate::Conflict { files } => {
                let target = &self.rig.row.trunk;
                self.rework(mr, &format!("conflicts with {target} at {} in {}", trunk.short(), files.join(", ")))
            }
            Candidate::Clean { commit, tree } => {
                let verdict = self.test(&commit, &tree, std::slice::from_ref(&mr.id))?;
                if verdict.passed {
                    return self.ask(mr);
                }
                if !self.test(trunk, &self.tree(trunk)?, &[])?.passed {
                    return self.stop_red_trunk(trunk);
                }
                self.rework(mr, &verdict.failure.unwrap_or_default())
            }
        }
    }

    /// What is green and was never asked for: a refinery that was killed between the two leaves that.
    fn ask_again(&mut self) -> Result<()> {
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

    fn ask(&mut self, mr: &MergeRequest) -> Result<()> {
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

    /// Decides the landing of a tested stack, then carries it out.
    fn land(&mut self, trunk: &Sha, stack: &[StackEntry]) -> Result<()> {
        if stack.is_empty() {
            return Ok(());
        }
        let rig = self.rig.name();
        let signed = self.signed(trunk, stack)?;
        let stack = signed.as_slice();
        {
            let held = self.town.lock(&self.rig.repo_lock())?;
            for entry in stack {
                let name = format!("refs/gt/landing/{}", entry.mr);
                let repo = self.town.world().repo();
                let path = self.rig.layout.repo();
                let before = repo.refs(&path)?.get(&name).cloned();
                repo.set_ref(&held, &path, &name, &entry.commit, before.as_ref())?;
            }
        }
        self.write("decide landing", |tx| {
            // The gates took their time: somebody may have closed a bead or held its work meanwhile. The next round does
            // without it.
            for entry in stack {
                if still_open(tx, &entry.mr)?.is_none_or(|mr| mr.held.is_some()) {
                    return Ok(());
                }
            }
            if let Some(landing) = tx.open_landing_of(rig, &self.rig.row.trunk, trunk, stack)? {
                tx.decide(&Effect::Land { landing }, Some(rig), None, Duration::ZERO)?;
            }
            Ok(())
        })?;
        self.finish_open_landing()
    }

    /// The stack as it lands: signed, where the settings or the overseer's git want that. Only what is green is signed, once,
    /// since a signature may take a person's hand; the trees are those that were tested. Where it can't be signed, nothing lands.
    fn signed(&self, trunk: &Sha, stack: &[StackEntry]) -> Result<Vec<StackEntry>> {
        let repo = self.town.world().repo();
        let style = self.rig.settings.commits.over(&self.town.settings.commits);
        if !style.sign.map_or_else(|| repo.signs_commits(), Ok)? {
            return Ok(stack.to_vec());
        }
        let overseer = style.overseer.map_or_else(|| repo.overseer(), |person| Ok(Some(person)))?;
        let held = self.town.lock(&self.rig.repo_lock())?;
        let path = self.rig.layout.repo();
        let mut signed: Vec<StackEntry> = Vec::new();
        for entry in stack {
            let onto = signed.last().map_or(trunk, |below| &below.commit);
            let commit = repo.signed_commit(&held, &path, &entry.commit, onto, overseer.as_ref());
            let commit = commit.map_err(|error| Error::NeedsPerson {
                what: format!("{} is green and can't be signed, so it does not land: {}", entry.mr, chain(&error)),
                hint: format!(
                    "let git sign without asking: ssh-add the key, or unlock it in gpg-agent, in the session from which gt up was \
                     run; or land unsigned: gt rig set {} commits.sign=false",
                    self.rig.name()
                ),
            })?;
            signed.push(StackEntry { commit, ..entry.clone() });
        }
        Ok(signed)
    }

    /// Carries out the landing that is decided, if there is one: also one that a killed refinery left.
    fn finish_open_landing(&mut self) -> Result<()> {
        let open = self.town.ledger.read(|view| {
            let landing = view.open_landing(self.rig.name())?;
            let effects = view.open_effects()?;
            Ok::<_, Error>(landing.map(|landing| {
                let effect = effects.into_iter().find(|row| row.effect == Effect::Land { landing: landing.id });
                (landing, effect)
            }))
        })?;
        let Some((landing, Some(effect))) = open else { return Ok(()) };
        let held = self.town.lock(&self.rig.remote_lock())?;
        let run = self.write("begin effect", |tx| tx.begin_run(effect.id).map_err(Error::from))?;
        let Some(run) = run else { return Ok(()) };
        self.town.outside.faults.at("effect:land:before");
        let result = push(self.town, self.rig, &landing, &held);
        self.town.outside.faults.at("effect:land:after");
        let end = match result {
            Ok(end) => end,
            Err(error) => {
                let text = error.to_string();
                self.write("fail effect", |tx| tx.fail_run(&effect, run, &text, false).map_err(Error::from))?;
                return Err(error);
            }
        };
        let landed = self.write("land", |tx| {
            if tx.finish_run(&effect, run)? { conclude_landing(tx, &landing, &end) } else { Ok(Vec::new()) }
        })?;
        if !landed.is_empty() {
            warm::keep_of_trunk(self.town, self.rig, &landing.tree)?;
        }
        self.round.landed.extend(landed);
        Ok(())
    }

    /// Sends work back: a new attempt goes on from the old head, or, over the budget, a person has to look.
    fn rework(&mut self, mr: &MergeRequest, why: &str) -> Result<()> {
        let attempt = self.town.ledger.read(|view| view.attempt(mr.attempt).map_err(Error::from))?;
        let budget = self.town.settings.max_reworks;
        let (kind, runtime) = attempt.map_or((None, None), |attempt| (Some(attempt.agent), attempt.runtime));
        let sent_back = Crew::of(self.town, self.rig, kind.as_deref())
            .map(|crew| crew.in_runtime(runtime))
            .and_then(|crew| self.write("rework", |tx| send_back(tx, &crew, mr, why, budget)));
        match sent_back {
            Err(error @ Error::Ledger(_)) => return Err(error),
            // Nobody can be given it: it is held with its reason, and keeps nothing else from landing.
            Err(error) => {
                let text = format!("{}; it can't be given out again: {error}", first_line(why));
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

/// Why what was submitted can't be merged at all.
fn incomplete(why: &str) -> String {
    format!("what was submitted is incomplete, so it can't be merged: {why}")
}

/// The commit that lands a merge request, as the settings of rig and town want it.
pub(crate) fn landing_commit(town: &Town, rig: &Rig, mr: &MergeRequest) -> Result<landing::Landing> {
    let style = rig.settings.commits.over(&town.settings.commits);
    let overseer = if style.asks_for_overseer() { town.world().repo().overseer()? } else { None };
    let messages = match style.body {
        Some(landing::Body::Commits) => own_messages(town, rig, mr)?,
        _ => Vec::new(),
    };
    let work = town.ledger.read(|view| {
        let bead = view.bead(&mr.bead)?;
        let worker = view.attempt(mr.attempt)?.map(|attempt| attempt.address().to_string()).unwrap_or_default();
        let (title, kind, description) = bead.map_or((String::new(), BeadType::Task, String::new()), |bead| {
            (bead.title, bead.issue_type, bead.description)
        });
        let (bead, mr) = (mr.bead.0.clone(), mr.id.0.clone());
        Ok::<_, Error>(landing::Work { bead, title, kind, description, messages, worker, mr })
    })?;
    Ok(landing::compose(&style, overseer.as_ref(), &work))
}

/// What the worker wrote into its commits: those that neither the attempt's base nor the trunk has.
fn own_messages(town: &Town, rig: &Rig, mr: &MergeRequest) -> Result<Vec<String>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let trunk = repo.refs(&path)?.remove(&rig.trunk_ref());
    let known: Vec<Sha> = trunk.into_iter().chain([mr.base.clone()]).collect();
    Ok(repo.messages(&path, &mr.head, &known)?)
}

/// How a landing ended.
enum LandingEnd {
    /// The fetched trunk contains its tip; the branches as fetched.
    Landed(remote::Fetched),
    /// The trunk is not where it must be: build anew on where it is now.
    TrunkMoved,
    /// The remote said no, or lacks what would have to be there, and why.
    Refused(String),
}

/// Moves the remote's trunk, unless it has happened; merged is only what the fetched trunk contains.
fn push(town: &Town, rig: &Rig, landing: &Landing, held: &Held) -> Result<LandingEnd> {
    let repo = town.world().repo();
    let path = rig.layout.repo();
    let before = remote::fetch(town, rig, held)?;
    let trunk = before.trunk(rig)?;
    if repo.contains(&path, &trunk, &landing.tip)? {
        return Ok(LandingEnd::Landed(before));
    }
    if trunk != landing.onto {
        return Ok(LandingEnd::TrunkMoved);
    }
    // A push runs no hooks, so git-lfs would not see it: the trunk would have pointers to nothing.
    if rig.settings.worktree.lfs
        && let Referred::Missing(why) = repo.push_large_files(held, &path, &landing.tip)?
    {
        return Ok(LandingEnd::Refused(why));
    }
    match repo.push(held, &path, &landing.target, &landing.tip, Some(&landing.onto))? {
        Push::Moved => return Ok(LandingEnd::TrunkMoved),
        Push::Refused(why) => return Ok(LandingEnd::Refused(why)),
        Push::Done => {}
    }
    let after = remote::fetch(town, rig, held)?;
    if repo.contains(&path, &after.trunk(rig)?, &landing.tip)? {
        return Ok(LandingEnd::Landed(after));
    }
    Ok(LandingEnd::TrunkMoved)
}

fn conclude_landing(tx: &Tx<'_>, landing: &Landing, end: &LandingEnd) -> Result<Vec<MrId>> {
    let requests = tx.merge_requests_of_landing(landing.id)?;
    match end {
        LandingEnd::Landed(fetched) => {
            remote::note(tx, fetched)?;
            tx.finish_landing(landing)?;
            for mr in &requests {
                let commit = mr.commit_landed.clone().unwrap_or_else(|| landing.tip.clone());
                record_merged(tx, mr, &commit)?;
            }
            Ok(requests.into_iter().map(|mr| mr.id).collect())
        }
        LandingEnd::TrunkMoved => {
            tx.abandon_landing(landing, "the trunk moved")?;
            Ok(Vec::new())
        }
        LandingEnd::Refused(why) => {
            tx.abandon_landing(landing, why)?;
            for mr in &requests {
                tx.hold(mr, &format!("the remote refused it: {why}"))?;
            }
            Ok(Vec::new())
        }
    }
}

/// Records that a merge request's work is on the trunk, with everything that follows from it.
pub(crate) fn record_merged(tx: &Tx<'_>, mr: &MergeRequest, commit: &Sha) -> Result<()> {
    tx.end_merge_request(mr, MrEnd::Merged, None)?;
    tx.set_landed_commit(&mr.id, commit)?;
    tx.clear(ConditionKind::Approval, mr.id.as_str())?;
    if let Some(attempt) = tx.attempt(mr.attempt)? {
        tx.end_attempt(&attempt, AttemptOutcome::Landed)?;
        tx.decide(&Effect::DropBranch { attempt: attempt.id }, Some(&mr.rig), Some(&mr.bead), Duration::ZERO)?;
    }
    let mut recipients = vec![Address::Witness(mr.rig.clone())];
    if let Some(bead) = tx.bead(&mr.bead)? {
        recipients.extend(bead.created_by.as_deref().and_then(|by| post::recipient(tx, by).ok()));
        close_landed(tx, &bead, commit)?;
    }
    let message = Message::Merged {
        mr: mr.id.to_string(),
        bead: mr.bead.to_string(),
        branch: mr.branch.clone(),
        target: mr.target.clone(),
        merge_commit: commit.to_string(),
    };
    post::send_protocol(tx, Address::Refinery(mr.rig.clone()), recipients, &message, "")?;
    convoy::bead_finished(tx, &mr.bead, "merged")
}

fn close_landed(tx: &Tx<'_>, bead: &Bead, commit: &Sha) -> Result<()> {
    if bead.status == Status::Closed {
        return Ok(());
    }
    let closed = Bead {
        status: Status::Closed,
        assignee: None,
        closed_at: Some(tx.now().into()),
        close_reason: Some(format!("{MERGED_AS}{commit}")),
        ..bead.clone()
    };
    Ok(tx.change_bead("bead-landed", bead, &closed)?)
}

/// The merge request as it is now, unless it is over.
pub(crate) fn still_open(view: &View<'_>, id: &MrId) -> Result<Option<MergeRequest>> {
    Ok(view.merge_request(id)?.filter(|mr| mr.ended_at.is_none()))
}

/// Ends a merge request as rework, and gives its bead to a fresh worker that goes on from its head and is told why. Over
/// `budget` a person has to look instead.
pub(crate) fn send_back(tx: &Tx<'_>, crew: &Crew, mr: &MergeRequest, why: &str, budget: u32) -> Result<()> {
    if still_open(tx, &mr.id)?.is_none() {
        return Ok(());
    }
    tx.end_merge_request(mr, MrEnd::Rework, Some(why))?;
    tx.clear(ConditionKind::Approval, mr.id.as_str())?;
    let Some(attempt) = tx.attempt(mr.attempt)? else { return Ok(()) };
    tx.end_attempt(&attempt, AttemptOutcome::Rework)?;
    // Its head is pinned, and the next attempt has a branch of its own.
    tx.decide(&Effect::DropBranch { attempt: attempt.id }, Some(&mr.rig), Some(&mr.bead), Duration::ZERO)?;
    let Some(bead) = tx.bead(&mr.bead)? else { return Ok(()) };
    let number = attempt.number;
    notify_failed(tx, mr, why, number)?;
    if tx.rework_count(&mr.bead)? > budget {
        return give_up(tx, &attempt, &bead, why);
    }
    let before = Before { head: Some(mr.head.clone()), why: why.to_owned(), restores: None };
    let next = hand_out(tx, crew, &bead, attempt.convoy.as_ref(), attempt.swarm, Some(before))?;
    let message = Message::ReworkRequest {
        mr: mr.id.to_string(),
        bead: mr.bead.to_string(),
        failure: first_line(why),
        attempt: next.number.to_string(),
    };
    post::send_protocol(tx, Address::Refinery(mr.rig.clone()), vec![next.address()], &message, why)
}

fn notify_failed(tx: &Tx<'_>, mr: &MergeRequest, why: &str, attempt: u32) -> Result<()> {
    let message = Message::MergeFailed {
        mr: mr.id.to_string(),
        bead: mr.bead.to_string(),
        branch: mr.branch.clone(),
        failure: first_line(why),
        attempt: attempt.to_string(),
    };
    let to = vec![Address::Witness(mr.rig.clone())];
    post::send_protocol(tx, Address::Refinery(mr.rig.clone()), to, &message, why)
}

pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The budget is spent: the bead waits for a person, its work stays pinned.
fn give_up(tx: &Tx<'_>, attempt: &gt_ledger::Attempt, bead: &Bead, why: &str) -> Result<()> {
    let freed = Bead { status: Status::Open, assignee: None, ..bead.clone() };
    tx.change_bead("bead-given-up", bead, &freed)?;
    done::escalate(tx, attempt, &format!("sent back too often; last: {}", first_line(why)))?;
    convoy::bead_finished(tx, &bead.id, "failed")
}
