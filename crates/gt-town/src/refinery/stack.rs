//! Stacks: builds candidates on the trunk without a checkout, tests the tip, and bisects on failure.

use gt_ledger::{MergeRequest, Verdict};
use gt_model::condition::ConditionKind;
use gt_model::id::{MrId, Sha};
use gt_model::landed::{Doubt, DoubtKind};
use gt_model::queue::{self, Bisect, StackEntry};
use gt_world::Candidate;

use super::landing::landing_commit;
use super::round::Refinery;
use super::send_back::still_open;
use crate::rigs::gates::{self, Subject, Tested};
use crate::town::error::{Error, Result};
use crate::town::settings::LandStyle;

/// Maximum number of merge requests in a stack.
const STACK_LIMIT: usize = 16;

impl Refinery<'_> {
    /// Builds a stack on the trunk, lands its longest prefix that passes, and sends back the merge request that fails.
    pub(super) fn land_stack(&mut self, trunk: &Sha, requests: &[MergeRequest]) -> Result<()> {
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

    pub(super) fn tree(&self, commit: &Sha) -> Result<Sha> {
        Ok(self.town.world().repo().tree_of(&self.rig.layout.repo(), commit)?)
    }

    pub(super) fn build_stack<'m>(
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
                // It conflicts only with another one in the stack. A later round tries it on the trunk.
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

    /// Returns why a merge request changes nothing on the trunk: it never did, or others' commits made the same changes.
    pub(super) fn why_empty(&self, trunk: &Sha, mr: &MergeRequest) -> Result<Doubt> {
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

    /// Leaves a merge request to a person, with the doubt.
    pub(super) fn doubt(&mut self, mr: &MergeRequest, doubt: &Doubt) -> Result<()> {
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

    /// Returns the commit that would land a merge request onto `onto`. It is pinned before anything runs on it.
    pub(super) fn candidate(&self, onto: &Sha, mr: &MergeRequest) -> Result<Candidate> {
        let landing = landing_commit(self.town, self.rig, mr)?;
        let held = self.town.lock(&self.rig.repo_lane())?;
        let repo = self.town.world().repo();
        let path = self.rig.layout.repo();
        let candidate = repo.squash_as(&held, &path, onto, &mr.head, &landing)?;
        if let Candidate::Clean { commit, tree } = &candidate {
            repo.set_ref(&held, &path, &format!("refs/gt/candidates/{commit}"), commit, None)?;
            self.write("candidate", |tx| tx.set_candidate(&mr.id, tree).map_err(Error::from))?;
        }
        Ok(candidate)
    }

    /// Returns the gates' verdict on a commit's tree. A tree is tested only once.
    pub(super) fn test(&self, commit: &Sha, tree: &Sha, batch: &[MrId]) -> Result<Verdict> {
        let hash = self.rig.settings.gates_hash();
        let known = self.town.ledger.read(|view| view.verdict(self.rig.name(), tree, &hash).map_err(Error::from))?;
        if let Some(verdict) = known {
            return Ok(verdict);
        }
        let subject = Subject { commit, tree, label: commit.short(), clean: false, batch };
        let tested = gates::test(self.town, self.rig, self.turn, &subject)?;
        // Don't store the result: what is missing may arrive later, with the same tree.
        let lasts = matches!(tested, Tested::Run(_));
        let run = tested.into_run();
        let verdict = run.verdict();
        if lasts {
            self.write("verdict", |tx| tx.set_verdict(self.rig.name(), tree, &hash, &verdict).map_err(Error::from))?;
        }
        Ok(verdict)
    }

    /// Runs the gates on a merge request that waits for a person, so that the person sees the result.
    pub(super) fn gate_alone(&mut self, trunk: &Sha, mr: &MergeRequest) -> Result<()> {
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
}

/// Explains why a submission can't be merged at all.
fn incomplete(why: &str) -> String {
    format!("what was submitted is incomplete, so it can't be merged: {why}")
}
