//! Merges other towns' changes: one merge for each prefix, all in one transaction.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gt_ledger::{Attempt, AttemptOutcome, Bulk, Elsewhere, Tx, View};
use gt_model::bead::{Bead, Status};
use gt_model::condition::ConditionKind;
use gt_model::id::{BeadId, slug};
use gt_model::jsonl::{self, Record};
use gt_model::merge::{self, Apart, Loss, Renamed};
use serde::Serialize;
use serde_json::Value;

use super::parts::{Texts, belongs};
use super::portable::{Outlook, prefixes};
use crate::town::error::{Error, Result};
use crate::work::convoy;
use crate::work::sling;

/// Minimum number of changed beads for a merge that updates derived data only once, at its end.
const BULK_BEADS: usize = 500;

/// Number of characters of a lost text that the audit log keeps.
const AUDITED_CHARS: usize = 10_000;

/// Other towns' changes since the last common commit, by prefix.
pub(super) struct Incoming {
    news: Vec<News>,
    nul_lines: Vec<String>,
}

struct News {
    prefix: String,
    base: Vec<Record>,
    theirs: Vec<Record>,
}

/// Files of one prefix in which the sides differ.
#[derive(Default)]
pub(super) struct Differing {
    /// Texts in each of the last common commits.
    pub(super) bases: Vec<Texts>,
    /// Texts on their side.
    pub(super) theirs: Texts,
}

impl Incoming {
    /// Parses the files of each prefix, by its slug. Returns an error if anything can't be read.
    pub(super) fn parse(differing: BTreeMap<String, Differing>, ours: &View<'_>) -> Result<Self> {
        let own: BTreeMap<String, String> = prefixes(ours)?.into_iter().map(|prefix| (slug(&prefix), prefix)).collect();
        let (mut news, mut nul_lines) = (Vec::new(), Vec::new());
        for (slug, Differing { bases, theirs }) in differing {
            for (path, text) in &theirs {
                nul_lines.extend(jsonl::lines_with_nul(text).map(|line| format!("{path} line {line}")));
            }
            let theirs = records(&theirs)?;
            let mut base = Vec::new();
            for texts in bases {
                let other = records(&texts)?;
                // If there are several last common commits (towns that merged crosswise), use what they agree on.
                base = if base.is_empty() { other } else { merge::merge(&[], &base, &other).records };
            }
            let named = theirs.iter().find_map(|record| Some(as_bead(record)?.id.prefix().to_owned()));
            let prefix = named.or_else(|| own.get(&slug).cloned()).unwrap_or(slug);
            news.push(News { prefix, base, theirs });
        }
        Ok(Self { news, nul_lines })
    }
}

fn records(texts: &Texts) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (path, text) in texts {
        let parsed = jsonl::parse(text);
        if let Some(error) = parsed.errors.first() {
            return Err(damaged(&format!("{path} there can't be read: {error}")));
        }
        if let Some(bead) = parsed.records.iter().filter_map(as_bead).find(|bead| !belongs(bead.id.prefix(), path)) {
            return Err(damaged(&format!("{path} there holds {}, which does not belong there", bead.id)));
        }
        records.extend(parsed.records);
    }
    Ok(records)
}

/// Builds the error for an unreadable branch.
pub(super) fn damaged(what: &str) -> Error {
    Error::refused(
        format!("the ledger's branch is damaged, and nothing was changed: {what}"),
        "restore the remote's branch gt-ledger to the commit before, which was good; or delete it there and run gt \
         sync again",
    )
}

/// Changes that a merge made here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// Beads that were new.
    pub added: Vec<BeadId>,
    /// Beads that others changed.
    pub updated: Vec<BeadId>,
    /// Values of one side that the result does not have. The audit log has them.
    pub losses: Vec<Lost>,
    /// Beads whose local work was parked, because another town had claimed them earlier.
    pub parked: Vec<BeadId>,
    /// Beads with local work and changes by others. The changes apply once the work is over.
    pub waiting: Vec<BeadId>,
    /// Beads that got new ids, because a different bead with the same id keeps it.
    pub renamed: Vec<Renamed>,
    /// Lines with an escaped NUL character, which was read as U+FFFD.
    pub nul_lines: Vec<String>,
}

impl Pulled {
    /// Whether nothing in the ledger changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the changes of a further merge.
    pub(super) fn extend(&mut self, more: Self) {
        self.added.extend(more.added);
        self.updated.extend(more.updated);
        self.losses.extend(more.losses);
        self.parked.extend(more.parked);
        self.waiting.extend(more.waiting);
        self.renamed.extend(more.renamed);
        self.nul_lines.extend(more.nul_lines);
    }
}

/// A lost value for display; see [`Loss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The bead.
    pub bead: BeadId,
    /// Key of the value.
    pub key: String,
    /// Value that was kept.
    pub kept: String,
    /// Value that was lost.
    pub lost: String,
}

impl From<Loss> for Lost {
    fn from(loss: Loss) -> Self {
        let short = |text: String| text.chars().take(AUDITED_CHARS).collect();
        Self { bead: loss.bead, key: loss.key, kept: short(loss.kept), lost: short(loss.lost) }
    }
}

/// Merges incoming changes into the ledger.
pub(super) fn take_in(tx: &Tx<'_>, town_id: &str, incoming: &Incoming) -> Result<Pulled> {
    let mut outlook = Outlook::of(tx, town_id)?;
    let mut sides = sides(tx, &outlook, incoming)?;
    let renamed = tell_apart(tx, &mut sides)?;
    if !renamed.ours.is_empty() {
        outlook = Outlook::of(tx, town_id)?;
        for side in &mut sides {
            side.ours = outlook.records(tx, side.prefix)?;
        }
    }
    let mut merges = Vec::new();
    for Sides { prefix, base, ours, theirs } in sides {
        let base = merge::base_without_lost(&base, &ours, &theirs);
        merges.push((prefix, merge::merge(&base, &ours, &theirs), ours));
    }
    let changed: usize = merges.iter().map(|(_, merged, _)| merged.records.len()).sum();
    let bulk = (changed > BULK_BEADS).then(|| tx.begin_bulk(changed)).transpose()?;
    let mut pull = Pull { tx, town_id, outlook, report: Pulled::default(), bulk, over: Vec::new() };
    pull.report.renamed = [renamed.ours, renamed.theirs].concat();
    pull.report.nul_lines.clone_from(&incoming.nul_lines);
    for (prefix, merged, ours) in merges {
        pull.report.renamed.extend(merged.renamed);
        pull.take_lines(prefix, &ours, &merged.records)?;
        let ours: BTreeMap<&BeadId, &Bead> = ours.iter().filter_map(as_bead).map(|bead| (&bead.id, bead)).collect();
        for bead in merged.records.iter().filter_map(as_bead) {
            if ours.get(&bead.id) != Some(&bead) {
                pull.take_bead(bead)?;
            }
        }
        pull.audit(merged.losses)?;
    }
    pull.finish()
}

/// The three sides of a prefix.
struct Sides<'i> {
    prefix: &'i str,
    base: Cow<'i, [Record]>,
    ours: Vec<Record>,
    theirs: Cow<'i, [Record]>,
}

fn sides<'i>(tx: &Tx<'_>, outlook: &Outlook, incoming: &'i Incoming) -> Result<Vec<Sides<'i>>> {
    let side = |news: &'i News| {
        let ours = outlook.records(tx, &news.prefix)?;
        Ok(Sides { prefix: &news.prefix, base: (&news.base).into(), ours, theirs: (&news.theirs).into() })
    };
    incoming.news.iter().map(side).collect()
}

/// Gives new ids to beads that share an id with a different bead: ours in the ledger, theirs in the incoming files. References in
/// files of any prefix change too.
fn tell_apart(tx: &Tx<'_>, sides: &mut [Sides<'_>]) -> Result<Apart> {
    let mut all = Apart::default();
    for side in &*sides {
        let apart = merge::tell_apart(&side.base, &side.ours, &side.theirs);
        all.ours.extend(apart.ours);
        all.theirs.extend(apart.theirs);
    }
    for rename in &all.ours {
        tx.rename_bead(rename)?;
    }
    // If the base has such a bead, it has it under its old id.
    let was_there = |rename: &&Renamed| sides.iter().any(|side| rename.is_in(&side.base));
    let before: Vec<Renamed> = all.ours.iter().chain(&all.theirs).filter(was_there).cloned().collect();
    for side in sides {
        if !all.theirs.is_empty() {
            merge::rename(side.theirs.to_mut(), &all.theirs);
        }
        if !before.is_empty() {
            merge::rename(side.base.to_mut(), &before);
        }
    }
    Ok(all)
}

fn as_bead(record: &Record) -> Option<&Bead> {
    match record {
        Record::Bead(bead) => Some(bead),
        Record::Other { .. } => None,
    }
}

fn as_line(record: &Record) -> Option<&str> {
    match record {
        Record::Bead(_) => None,
        Record::Other { line } => Some(line),
    }
}

/// A merge in progress.
struct Pull<'t> {
    tx: &'t Tx<'t>,
    town_id: &'t str,
    outlook: Outlook,
    report: Pulled,
    bulk: Option<Bulk>,
    /// Beads that were open here and that the merge has ended.
    over: Vec<BeadId>,
}

impl Pull<'_> {
    fn take_lines(&self, prefix: &str, ours: &[Record], merged: &[Record]) -> Result<()> {
        let [ours, merged]: [Vec<&str>; 2] = [ours, merged].map(|side| side.iter().filter_map(as_line).collect());
        for line in ours.iter().filter(|line| !merged.contains(line)) {
            self.tx.drop_foreign_record(prefix, line)?;
        }
        for line in merged.iter().filter(|line| !ours.contains(line)) {
            self.tx.keep_foreign_record(prefix, line)?;
        }
        Ok(())
    }

    fn take_bead(&mut self, merged: &Bead) -> Result<()> {
        let local = self.tx.bead(&merged.id)?;
        let attempt = self.tx.live_attempt(&merged.id)?;
        match (&local, attempt) {
            (Some(local), Some(attempt)) => self.take_held(merged, local, &attempt),
            // A wisp (ephemeral bead) is not exported, so the id comparison did not include it.
            (Some(wisp), None) if wisp.ephemeral && merge::are_apart(wisp, merged) => {
                let rename = Renamed::of(wisp);
                self.tx.rename_bead(&rename)?;
                self.report.renamed.push(rename);
                self.report.added.push(merged.id.clone());
                self.put(None, merged)
            }
            (Some(local), None) => {
                self.report.updated.push(merged.id.clone());
                self.put(Some(local), merged)
            }
            (None, _) => {
                self.report.added.push(merged.id.clone());
                self.put(None, merged)
            }
        }
    }

    fn put(&mut self, local: Option<&Bead>, bead: &Bead) -> Result<()> {
        self.tx.import_bead(local, bead, self.bulk.as_mut())?;
        let is_over = |bead: &Bead| matches!(bead.status, Status::Closed | Status::Tombstone);
        if is_over(bead) && local.is_some_and(|local| !is_over(local)) {
            self.over.push(bead.id.clone());
        }
        Ok(())
    }

    /// Merges changes to a bead that a worker or person here is working on. Its state stays, unless the others claimed it first.
    fn take_held(&mut self, merged: &Bead, local: &Bead, attempt: &Attempt) -> Result<()> {
        let claim = merge::claim(merged).filter(|claim| claim.town != self.town_id);
        if claim.is_some() && attempt.submitted_at.is_none() {
            return self.park(merged, local, attempt);
        }
        let mut kept = Bead {
            status: local.status.clone(),
            assignee: local.assignee.clone(),
            closed_at: local.closed_at.clone(),
            close_reason: local.close_reason.clone(),
            ..merged.clone()
        };
        merge::set_held_since(&mut kept, None);
        if &kept != local {
            self.report.updated.push(merged.id.clone());
            self.tx.import_bead(Some(local), &kept, self.bulk.as_mut())?;
        }
        self.note_state(merged, &kept)
    }

    /// Stores others' changes to the state of a bead until the local work on it is over.
    fn note_state(&mut self, merged: &Bead, kept: &Bead) -> Result<()> {
        let (id, said) = (&merged.id, Elsewhere::of(merged));
        if said == Elsewhere::of(&self.outlook.held(kept.clone())) {
            self.tx.set_elsewhere(id, None)?;
            self.tx.clear(ConditionKind::Elsewhere, id.as_str())?;
            return Ok(());
        }
        if self.tx.set_elsewhere(id, Some(&said))? {
            self.tx.clear(ConditionKind::Elsewhere, id.as_str())?;
            let text =
                format!("another town says {}; the work on it here goes on: gt unsling {id} ends it", said.words());
            self.tx.raise(ConditionKind::Elsewhere, id.as_str(), &text)?;
        }
        self.report.waiting.push(id.clone());
        Ok(())
    }

    fn park(&mut self, merged: &Bead, local: &Bead, attempt: &Attempt) -> Result<()> {
        sling::release(self.tx, attempt, local, AttemptOutcome::Parked)?;
        let freed = self.tx.bead(&merged.id)?;
        self.tx.import_bead(freed.as_ref(), merged, self.bulk.as_mut())?;
        self.tx.set_elsewhere(&merged.id, None)?;
        self.tx.clear(ConditionKind::Elsewhere, merged.id.as_str())?;
        let holder = Value::from(merged.assignee.clone());
        self.tx.event("claim-lost", &attempt.branch, Some(&merged.id), None, Some(&holder))?;
        self.report.parked.push(merged.id.clone());
        Ok(())
    }

    fn audit(&mut self, losses: Vec<Loss>) -> Result<()> {
        for loss in losses.into_iter().map(Lost::from) {
            let (kept, lost) = (Value::from(loss.kept.as_str()), Value::from(loss.lost.as_str()));
            self.tx.event("merge-lost", &loss.key, Some(&loss.bead), Some(&lost), Some(&kept))?;
            self.report.losses.push(loss);
        }
        Ok(())
    }

    fn finish(self) -> Result<Pulled> {
        if let Some(bulk) = self.bulk {
            self.tx.finish_bulk(bulk)?;
        }
        for id in self.over.iter().chain(&self.report.parked) {
            convoy::bead_finished(self.tx, id, "failed")?;
        }
        Ok(self.report)
    }
}

/// Returns the beads to which others' stored changes apply now, because the local work is over.
pub(super) fn due(view: &View<'_>) -> Result<Vec<(BeadId, Elsewhere)>> {
    let mut due = Vec::new();
    for (id, state) in view.elsewhere()? {
        if view.live_attempt(&id)?.is_none() {
            due.push((id, state));
        }
    }
    Ok(due)
}

/// Applies others' stored changes. A bead that was closed here meanwhile stays closed.
pub(super) fn settle(tx: &Tx<'_>) -> Result<()> {
    for (id, state) in due(tx)? {
        tx.set_elsewhere(&id, None)?;
        tx.clear(ConditionKind::Elsewhere, id.as_str())?;
        let Some(local) = tx.bead(&id)? else { continue };
        if matches!(local.status, Status::Closed | Status::Tombstone) {
            continue;
        }
        let settled = state.apply(&local);
        tx.change_bead("bead-merged", &local, &settled)?;
        if matches!(settled.status, Status::Closed | Status::Tombstone) {
            convoy::bead_finished(tx, &id, "failed")?;
        }
    }
    Ok(())
}
