//! Landing: moves the trunk on the remote once, by compare-and-swap, and records the result after the trunk has moved.

use std::time::Duration;

use gt_ledger::{AttemptOutcome, EffectRow, Landing, MergeRequest, Tx};
use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, Status};
use gt_model::condition::ConditionKind;
use gt_model::convoy::BeadEnd;
use gt_model::effect::Effect;
use gt_model::id::{MrId, Sha};
use gt_model::landing;
use gt_model::protocol::Message;
use gt_model::queue::{MrEnd, StackEntry};
use gt_world::{Held, Push, Referred};

use super::round::Refinery;
use super::send_back::still_open;
use crate::effects::traced;
use crate::mail::post;
use crate::rigs::remote;
use crate::rigs::warm;
use crate::town::error::chain;
use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};
use crate::work::convoy;

impl Refinery<'_> {
    /// Decides the landing of a tested stack, then performs it.
    pub(super) fn land(&mut self, trunk: &Sha, stack: &[StackEntry]) -> Result<()> {
        if stack.is_empty() {
            return Ok(());
        }
        let rig = self.rig.name();
        let signed = self.signed(trunk, stack)?;
        let stack = signed.as_slice();
        {
            let held = self.town.lock(&self.rig.repo_lane())?;
            for entry in stack {
                let name = format!("refs/gt/landing/{}", entry.mr);
                let repo = self.town.world().repo();
                let path = self.rig.layout.repo();
                let before = repo.refs(&path)?.get(&name).cloned();
                repo.set_ref(&held, &path, &name, &entry.commit, before.as_ref())?;
            }
        }
        self.write("decide landing", |tx| {
            // The gates took time. If a bead was closed or its work held meanwhile, the next round leaves it out.
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

    /// Returns the stack as it lands: signed if the settings or the overseer's git require it. Only tested stacks are signed,
    /// once, because a signature may need a person. The trees are those that were tested. If signing fails, nothing lands.
    pub(super) fn signed(&self, trunk: &Sha, stack: &[StackEntry]) -> Result<Vec<StackEntry>> {
        let repo = self.town.world().repo();
        let style = self.rig.settings.commits.over(&self.town.settings.commits);
        if !style.sign.map_or_else(|| repo.signs_commits(), Ok)? {
            return Ok(stack.to_vec());
        }
        let overseer = style.overseer.map_or_else(|| repo.overseer(), |person| Ok(Some(person)))?;
        let held = self.town.lock(&self.rig.repo_lane())?;
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

    /// Performs the decided landing, if there is one. A killed refinery may have left it.
    pub(super) fn finish_open_landing(&mut self) -> Result<()> {
        let open = self.town.ledger.read(|view| {
            let Some(landing) = view.open_landing(self.rig.name())? else { return Ok::<_, Error>(None) };
            let effect = view.decided(&Effect::Land { landing: landing.id })?;
            Ok(Some((landing, effect)))
        })?;
        let Some((landing, Some(effect))) = open else { return Ok(()) };
        let held = self.town.lock(&self.rig.remote_lane())?;
        let run = self.write("begin effect", |tx| tx.begin_run(effect.id).map_err(Error::from))?;
        run.map_or(Ok(()), |run| traced(&effect, || self.carry_out(&landing, &effect, run, &held)))
    }

    fn carry_out(&mut self, landing: &Landing, effect: &EffectRow, run: i64, held: &Held) -> Result<()> {
        self.town.outside.faults.at("effect:land:before");
        let result = push(self.town, self.rig, landing, held);
        self.town.outside.faults.at("effect:land:after");
        let end = match result {
            Ok(end) => end,
            Err(error) => {
                let text = error.to_string();
                self.write("fail effect", |tx| tx.fail_run(effect, run, &text, false).map_err(Error::from))?;
                return Err(error);
            }
        };
        let landed = self.write("land", |tx| {
            if tx.finish_run(effect, run)? { conclude_landing(tx, landing, &end) } else { Ok(Vec::new()) }
        })?;
        if !landed.is_empty() {
            warm::keep_of_trunk(self.town, self.rig, &landing.tree)?;
        }
        self.round.landed.extend(landed);
        Ok(())
    }
}

/// Returns the commit that lands a merge request, formed as the settings of rig and town say.
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

/// Returns the messages of the worker's commits: those in neither the attempt's base nor the trunk.
fn own_messages(town: &Town, rig: &Rig, mr: &MergeRequest) -> Result<Vec<String>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let trunk = repo.refs(&path)?.remove(&rig.trunk_ref());
    let known: Vec<Sha> = trunk.into_iter().chain([mr.base.clone()]).collect();
    Ok(repo.messages(&path, &mr.head, &known)?)
}

/// Outcome of a landing.
enum LandingEnd {
    /// The fetched trunk contains its tip. Holds the fetch result.
    Landed(remote::Fetched),
    /// The trunk is not at the expected commit, so a new stack must be built on it.
    TrunkMoved,
    /// The remote refused it or lacks something required. Holds the reason.
    Refused(String),
}

/// Moves the remote's trunk unless it has already moved. Counts as landed only what the fetched trunk contains.
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
    // This push runs no hooks, so git-lfs does not see it. Without a separate upload, the trunk would have pointers without
    // files.
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

/// Records that a merge request's work is on the trunk, with all consequences.
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
        close_reason: Some(BeadEnd::Merged(commit.to_string()).close_reason()),
        ..bead.clone()
    };
    Ok(tx.change_bead("bead-landed", bead, &closed)?)
}
