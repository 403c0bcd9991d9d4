//! Molecules and the states of their steps. A molecule is one use of a formula (a list of steps): to *pour* a formula means to
//! create a molecule of it.
//!
//! A molecule belongs to an attempt, whose worker follows it, or stands on its own and is run by the engine. A step is ready once
//! the steps that it needs are done or skipped. The ledger counts the open needs of each step, so that finding a ready step
//! does not get slower as the molecule grows.

use std::fmt;

use gt_model::formula::Step;
use gt_model::id::{AttemptId, BeadId, MoleculeId, RigName, Sha};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::{Value, json};

use super::rigs::rig_name;
use super::times::Times;
use super::{LedgerError, LedgerResult, Tx, View, damaged, json_column, to_json};

/// How a molecule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoleculeOutcome {
    /// Every step is done or skipped.
    Done,
    /// A step failed, and a person or agent gave the molecule up.
    Failed,
    /// It was deleted with its steps.
    Burned,
    /// Its attempt ended before its last step.
    Dropped,
}

impl MoleculeOutcome {
    const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Burned, Self::Dropped];

    /// Returns the word that the ledger stores for this outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Burned => "burned",
            Self::Dropped => "dropped",
        }
    }
}

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It has not begun.
    Open,
    /// Its gate is closed.
    Waiting,
    /// A command runs, or a worker has the step's bead.
    Running,
    /// It succeeded.
    Done,
    /// It failed. Steps that need it wait until it is reopened or skipped.
    Failed,
    /// It was skipped. Steps that need it can begin.
    Skipped,
}

impl StepState {
    const ALL: [Self; 6] = [Self::Open, Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Skipped];

    /// Returns the word that the ledger stores for this state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether steps that need this one can begin.
    pub fn frees_others(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }

    /// Whether the step has ended.
    pub fn is_over(self) -> bool {
        self.frees_others() || self == Self::Failed
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A poured formula.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Molecule {
    /// Row id.
    pub id: MoleculeId,
    /// Name of its formula.
    pub formula: String,
    /// SHA-256 of the resolved formula, in hex; empty if an older gt poured it.
    pub hash: String,
    /// Values that it was poured with.
    pub vars: Value,
    /// Rig of its commands and of its steps' beads.
    pub rig: Option<RigName>,
    /// Bead that it was poured for.
    pub bead: Option<BeadId>,
    /// Attempt whose worker follows it.
    pub attempt: Option<AttemptId>,
    /// Convoy of the beads that workers get for its steps.
    pub convoy: Option<BeadId>,
    /// Molecule and step that poured it for an item of the step's output.
    pub parent: Option<(MoleculeId, String)>,
    /// Whether its steps are deleted when it ends.
    pub is_ephemeral: bool,
    /// When it was poured.
    pub poured_at: Timestamp,
    /// Caller that poured it.
    pub poured_by: String,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<MoleculeOutcome>,
    /// Summary that replaces the steps of a squashed molecule.
    pub digest: Option<String>,
}

/// Arguments for pouring a molecule.
#[derive(Clone, Debug)]
pub struct NewMolecule<'a> {
    /// Name of the formula.
    pub formula: &'a str,
    /// SHA-256 of the resolved formula, in hex.
    pub hash: &'a str,
    /// Values of its variables.
    pub vars: Value,
    /// Steps, each after those that it needs.
    pub steps: &'a [Step],
    /// Rig that it belongs to.
    pub rig: Option<&'a RigName>,
    /// Bead that it is for.
    pub bead: Option<&'a BeadId>,
    /// Attempt whose worker follows it.
    pub attempt: Option<AttemptId>,
    /// Molecule and step that pour it.
    pub parent: Option<(MoleculeId, &'a str)>,
    /// Whether its steps are deleted when it ends.
    pub is_ephemeral: bool,
}

/// A step of a molecule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoleculeStep {
    /// Position in the molecule, from 0.
    pub position: u32,
    /// Step as the formula defines it.
    pub step: Step,
    /// When it became done, failed or skipped.
    pub done_at: Option<Timestamp>,
    /// Note of the caller that ended it.
    pub note: Option<String>,
    /// State of the step.
    pub state: StepState,
    /// Number of needed steps that are neither done nor skipped.
    pub waits: u32,
    /// When the engine first found it ready, if it has something to do for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its gate opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Last lines that its command printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Number of failed runs.
    #[serde(skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Bead that a worker gets for this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bead: Option<BeadId>,
}

impl MoleculeStep {
    /// Whether this is a loop with a check that has not let the round of `part` begin yet. `part` is a part of this group.
    pub fn is_before(&self, part: &Step) -> bool {
        self.step.until.is_some() && part.round.is_some_and(|round| self.tries + 1 < round)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Commits of the worktree and of the trunk when a step of the molecule was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// Step that was closed.
    pub step: Step,
    /// When it was closed.
    pub done_at: Timestamp,
    /// Commit that the worktree was at.
    pub head: Sha,
    /// Commit of the trunk as it was last fetched, if known.
    pub trunk: Option<Sha>,
}

/// Counts of a molecule's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepCounts {
    /// All steps.
    pub all: u32,
    /// Those that are done or skipped.
    pub over: u32,
    /// Those that failed.
    pub failed: u32,
}

/// End of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepEnd<'a> {
    /// State that it ends in.
    pub state: StepState,
    /// Note of the caller that ends it.
    pub note: Option<&'a str>,
    /// Last lines that its command printed.
    pub output: Option<&'a str>,
}

impl<'a> StepEnd<'a> {
    /// End of a step that succeeded.
    pub fn done(note: Option<&'a str>) -> Self {
        Self { state: StepState::Done, note, output: None }
    }
}

fn molecule_row(row: &Row<'_>) -> rusqlite::Result<Molecule> {
    let times = Times::of(row, "molecules");
    let outcome: Option<String> = row.get("outcome")?;
    let parent = row.get::<_, Option<i64>>("parent")?.map(MoleculeId).zip(row.get("parent_step")?);
    Ok(Molecule {
        parent,
        id: MoleculeId(row.get("id")?),
        formula: row.get("formula")?,
        hash: row.get("hash")?,
        vars: json_column(row, "vars")?,
        rig: row.get::<_, Option<String>>("rig")?.map(|rig| rig_name(&rig)).transpose()?,
        bead: row.get::<_, Option<String>>("bead")?.map(BeadId),
        attempt: row.get::<_, Option<i64>>("attempt")?.map(AttemptId),
        convoy: row.get::<_, Option<String>>("convoy")?.map(BeadId),
        is_ephemeral: row.get("is_ephemeral")?,
        poured_at: times.at("poured_at")?,
        poured_by: row.get("poured_by")?,
        ended_at: times.maybe("ended_at")?,
        outcome: outcome.and_then(|word| MoleculeOutcome::ALL.into_iter().find(|o| o.as_str() == word)),
        digest: row.get("digest")?,
    })
}

fn step_row(row: &Row<'_>) -> rusqlite::Result<MoleculeStep> {
    let times = Times::of(row, "steps");
    let word: String = row.get("state")?;
    let unknown = || damaged(UnknownState(word.clone()));
    Ok(MoleculeStep {
        position: row.get("position")?,
        step: json_column(row, "step")?,
        done_at: times.maybe("done_at")?,
        note: row.get("note")?,
        state: StepState::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(unknown)?,
        waits: row.get("waits")?,
        started_at: times.maybe("started_at")?,
        opened_at: times.maybe("opened_at")?,
        output: row.get("output")?,
        tries: row.get("tries")?,
        bead: row.get::<_, Option<String>>("bead")?.map(BeadId),
    })
}

/// A row has a state that this gt does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a state of a step")]
struct UnknownState(String);

/// SQL that selects the molecule of an attempt.
macro_rules! of_attempt {
    () => {
        "molecule = (SELECT id FROM molecules WHERE attempt = ?1)"
    };
}

impl View<'_> {
    /// Returns the molecule with this row id.
    pub fn molecule(&self, id: MoleculeId) -> LedgerResult<Option<Molecule>> {
        self.one("SELECT * FROM molecules WHERE id = ?1", [id.0], molecule_row)
    }

    /// Returns the molecule that an attempt's worker follows.
    pub fn molecule_of(&self, attempt: AttemptId) -> LedgerResult<Option<Molecule>> {
        self.one("SELECT * FROM molecules WHERE attempt = ?1", [attempt.0], molecule_row)
    }

    /// Returns the molecules that have not ended, oldest first.
    pub fn live_molecules(&self) -> LedgerResult<Vec<Molecule>> {
        let sql = "SELECT * FROM molecules INDEXED BY live_molecules WHERE ended_at IS NULL ORDER BY id";
        self.all(sql, [], molecule_row)
    }

    /// Returns all molecules, newest first.
    pub fn molecules(&self) -> LedgerResult<Vec<Molecule>> {
        self.all("SELECT * FROM molecules ORDER BY id DESC", [], molecule_row)
    }

    /// Returns the molecules that were poured for a bead, oldest first.
    pub fn molecules_of(&self, bead: &BeadId) -> LedgerResult<Vec<Molecule>> {
        self.all("SELECT * FROM molecules WHERE bead = ?1 ORDER BY id", [bead.as_str()], molecule_row)
    }

    /// Returns the molecule that waits for a worker of this bead: it was poured for the bead and has neither ended nor begun.
    pub fn attached_molecule(&self, bead: &BeadId) -> LedgerResult<Option<Molecule>> {
        let sql =
            "SELECT * FROM molecules WHERE bead = ?1 AND attempt IS NULL AND ended_at IS NULL ORDER BY id DESC LIMIT 1";
        self.one(sql, [bead.as_str()], molecule_row)
    }

    /// Returns the molecules that a step poured, oldest first.
    pub fn molecules_below(&self, parent: MoleculeId, step: &str) -> LedgerResult<Vec<Molecule>> {
        let sql = "SELECT * FROM molecules WHERE parent = ?1 AND parent_step = ?2 ORDER BY id";
        self.all(sql, (parent.0, step), molecule_row)
    }

    /// Returns the steps of an attempt's molecule, in order.
    pub fn steps(&self, attempt: AttemptId) -> LedgerResult<Vec<MoleculeStep>> {
        self.all(concat!("SELECT * FROM steps WHERE ", of_attempt!(), " ORDER BY position"), [attempt.0], step_row)
    }

    /// Returns the steps of a molecule, in order.
    pub fn steps_of(&self, molecule: MoleculeId) -> LedgerResult<Vec<MoleculeStep>> {
        self.all("SELECT * FROM steps WHERE molecule = ?1 ORDER BY position", [molecule.0], step_row)
    }

    /// Returns one step of a molecule.
    pub fn step(&self, molecule: MoleculeId, id: &str) -> LedgerResult<Option<MoleculeStep>> {
        self.one("SELECT * FROM steps WHERE molecule = ?1 AND id = ?2", (molecule.0, id), step_row)
    }

    /// Returns the unfinished steps of a molecule whose needed steps are done or skipped, in order.
    pub fn ready_steps(&self, molecule: MoleculeId) -> LedgerResult<Vec<MoleculeStep>> {
        let sql = "SELECT * FROM steps INDEXED BY steps_ready
                   WHERE molecule = ?1 AND waits = 0 AND state IN ('open', 'waiting', 'running') ORDER BY position";
        self.all(sql, [molecule.0], step_row)
    }

    /// Counts a molecule's steps by state.
    pub fn step_counts(&self, molecule: MoleculeId) -> LedgerResult<StepCounts> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE state IN ('done', 'skipped')),
                          count(*) FILTER (WHERE state = 'failed') FROM steps WHERE molecule = ?1";
        let counts = self.one(sql, [molecule.0], |row| {
            Ok(StepCounts { all: row.get(0)?, over: row.get(1)?, failed: row.get(2)? })
        })?;
        Ok(counts.unwrap_or_default())
    }

    /// Returns the step for which a worker gets this bead, and its molecule.
    pub fn step_of_bead(&self, bead: &BeadId) -> LedgerResult<Option<(MoleculeId, MoleculeStep)>> {
        let sql = "SELECT * FROM steps INDEXED BY steps_as_beads WHERE bead = ?1";
        self.one(sql, [bead.as_str()], |row| Ok((MoleculeId(row.get("molecule")?), step_row(row)?)))
    }

    /// Returns the commits of worktree and trunk at the end of each closed step, in order. Omits steps without known commits.
    pub fn step_places(&self, attempt: AttemptId) -> LedgerResult<Vec<StepPlace>> {
        let sql = concat!(
            "SELECT id, step, done_at, head, trunk FROM steps WHERE ",
            of_attempt!(),
            " AND done_at IS NOT NULL AND head IS NOT NULL ORDER BY position"
        );
        self.all(sql, [attempt.0], |row| {
            Ok(StepPlace {
                step: json_column(row, "step")?,
                done_at: Times::of(row, "steps").at("done_at")?,
                head: Sha(row.get("head")?),
                trunk: row.get::<_, Option<String>>("trunk")?.map(Sha),
            })
        })
    }
}

impl Tx<'_> {
    /// Pours a molecule: stores it with its steps.
    pub fn pour(&self, new: &NewMolecule<'_>) -> LedgerResult<Molecule> {
        self.execute(
            "INSERT INTO molecules (formula, hash, vars, rig, bead, attempt, is_ephemeral, poured_at, poured_by, parent,
                                    parent_step)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            rusqlite::params![
                new.formula,
                new.hash,
                to_json(&new.vars)?,
                new.rig.map(RigName::as_str),
                new.bead.map(BeadId::as_str),
                new.attempt.map(|attempt| attempt.0),
                new.is_ephemeral,
                self.now().to_string(),
                self.actor,
                new.parent.map(|(parent, _)| parent.0),
                new.parent.map(|(_, step)| step),
            ],
        )?;
        let id = MoleculeId(self.connection.last_insert_rowid());
        for (position, step) in new.steps.iter().enumerate() {
            self.add_step(id, position, step)?;
        }
        let after = json!({ "formula": new.formula, "steps": new.steps.len() });
        self.event("molecule-poured", &id.to_string(), new.bead, None, Some(&after))?;
        self.require_molecule(id)
    }

    fn add_step(&self, molecule: MoleculeId, position: usize, step: &Step) -> LedgerResult<()> {
        let needs = step.needs.iter().filter(|need| **need != step.id);
        let mut waits = 0;
        for need in needs {
            waits += self.execute(
                "INSERT OR IGNORE INTO step_needs (molecule, need, position) VALUES (?1, ?2, ?3)",
                (molecule.0, need, position as i64),
            )?;
        }
        self.execute(
            "INSERT INTO steps (molecule, position, step, id, waits, state) VALUES (?1, ?2, ?3, ?4, ?5, 'open')",
            (molecule.0, position as i64, to_json(step)?, &step.id, waits as i64),
        )?;
        Ok(())
    }

    fn require_molecule(&self, id: MoleculeId) -> LedgerResult<Molecule> {
        self.molecule(id)?.ok_or(LedgerError::Corrupt { what: "a molecule", text: id.to_string() })
    }

    /// Binds a molecule to the attempt whose worker follows it.
    pub fn bind_molecule(&self, molecule: MoleculeId, attempt: AttemptId) -> LedgerResult<()> {
        self.execute("UPDATE molecules SET attempt = ?2 WHERE id = ?1", (molecule.0, attempt.0))?;
        Ok(())
    }

    /// Attaches a molecule to a bead, whose next worker will follow it.
    pub fn attach_molecule(&self, molecule: MoleculeId, rig: Option<&RigName>, bead: &BeadId) -> LedgerResult<()> {
        self.execute(
            "UPDATE molecules SET bead = ?3, rig = coalesce(?2, rig) WHERE id = ?1",
            (molecule.0, rig.map(RigName::as_str), bead.as_str()),
        )?;
        self.event("molecule-attached", &molecule.to_string(), Some(bead), None, None)
    }

    /// Records the convoy of the beads that workers get for a molecule's steps.
    pub fn set_molecule_convoy(&self, molecule: MoleculeId, convoy: &BeadId) -> LedgerResult<()> {
        self.execute("UPDATE molecules SET convoy = ?2 WHERE id = ?1", (molecule.0, convoy.as_str()))?;
        Ok(())
    }

    /// Records the end of a molecule; does nothing if it has ended already. Also deletes the steps of an ephemeral
    /// one.
    pub fn end_molecule(&self, id: MoleculeId, outcome: MoleculeOutcome) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE molecules SET ended_at = ?2, outcome = ?3 WHERE id = ?1 AND ended_at IS NULL",
            (id.0, self.now().to_string(), outcome.as_str()),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        let molecule = self.require_molecule(id)?;
        if let Some((parent, step)) = &molecule.parent {
            self.count_needs(*parent, step, -1)?;
        }
        self.event("molecule-ended", &id.to_string(), molecule.bead.as_ref(), None, Some(&json!(outcome.as_str())))?;
        if molecule.is_ephemeral || outcome == MoleculeOutcome::Burned {
            self.forget_steps(id)?;
        }
        Ok(true)
    }

    /// Replaces the steps of a molecule by a summary.
    pub fn squash_molecule(&self, id: MoleculeId, digest: &str) -> LedgerResult<()> {
        self.execute("UPDATE molecules SET digest = ?2 WHERE id = ?1", (id.0, digest))?;
        self.forget_steps(id)
    }

    fn forget_steps(&self, id: MoleculeId) -> LedgerResult<()> {
        self.execute("DELETE FROM step_needs WHERE molecule = ?1", [id.0])?;
        self.execute("DELETE FROM steps WHERE molecule = ?1", [id.0])?;
        Ok(())
    }

    /// Marks a ready step as running. Returns false if it is not open or waits for others.
    pub fn start_step(&self, molecule: MoleculeId, step: &str) -> LedgerResult<bool> {
        self.begin_step(molecule, step, StepState::Running)
    }

    /// Marks a ready step as held back by its gate. Returns false if it is not open or waits for others.
    pub fn hold_step(&self, molecule: MoleculeId, step: &str) -> LedgerResult<bool> {
        self.begin_step(molecule, step, StepState::Waiting)
    }

    fn begin_step(&self, molecule: MoleculeId, step: &str, state: StepState) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE steps SET state = ?3, started_at = coalesce(started_at, ?4)
             WHERE molecule = ?1 AND id = ?2 AND state = 'open' AND waits = 0",
            (molecule.0, step, state.as_str(), self.now().to_string()),
        )?;
        Ok(changed == 1)
    }

    /// Opens the gate of a step that waits for it. Returns false if it does not wait.
    pub fn open_gate(&self, molecule: MoleculeId, step: &str, note: Option<&str>) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE steps SET state = 'open', opened_at = ?3, note = coalesce(?4, note)
             WHERE molecule = ?1 AND id = ?2 AND state = 'waiting'",
            (molecule.0, step, self.now().to_string(), note),
        )?;
        if changed == 1 {
            let bead = self.molecule(molecule)?.and_then(|molecule| molecule.bead);
            self.event("gate-opened", step, bead.as_ref(), None, None)?;
        }
        Ok(changed == 1)
    }

    /// Records the bead that a step was handed out as.
    pub fn set_step_bead(&self, molecule: MoleculeId, step: &str, bead: &BeadId) -> LedgerResult<()> {
        let sql = "UPDATE steps SET bead = ?3 WHERE molecule = ?1 AND id = ?2";
        self.execute(sql, (molecule.0, step, bead.as_str())).map(drop)
    }

    /// Ends a step and frees the steps that need it. Returns false if it was over before.
    pub fn end_step(&self, molecule: MoleculeId, step: &str, end: StepEnd<'_>) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE steps SET state = ?3, done_at = ?4, note = coalesce(?5, note), output = coalesce(?6, output)
             WHERE molecule = ?1 AND id = ?2 AND done_at IS NULL",
            (molecule.0, step, end.state.as_str(), self.now().to_string(), end.note, end.output),
        )?;
        if changed == 0 {
            return Ok(false);
        }
        if end.state.frees_others() {
            self.count_needs(molecule, step, -1)?;
        }
        let bead = self.molecule(molecule)?.and_then(|molecule| molecule.bead);
        self.event(&format!("step-{}", end.state), step, bead.as_ref(), None, None)?;
        self.end_if_over(molecule)?;
        Ok(true)
    }

    /// Ends a molecule whose steps are all done or skipped.
    fn end_if_over(&self, molecule: MoleculeId) -> LedgerResult<()> {
        // Counting all steps of a large molecule is slow. If a step is ready, the molecule can't be over.
        let ready = "SELECT 1 FROM steps INDEXED BY steps_ready
                     WHERE molecule = ?1 AND waits = 0 AND state IN ('open', 'waiting', 'running') LIMIT 1";
        if self.one(ready, [molecule.0], |_| Ok(()))?.is_some() {
            return Ok(());
        }
        let counts = self.step_counts(molecule)?;
        if counts.over == counts.all {
            self.end_molecule(molecule, MoleculeOutcome::Done)?;
        }
        Ok(())
    }

    /// Changes the number of open needs of all steps that need this one. The engine also counts the molecules that a step poured.
    pub fn count_needs(&self, molecule: MoleculeId, step: &str, by: i64) -> LedgerResult<()> {
        self.execute(
            "UPDATE steps SET waits = waits + ?3 WHERE molecule = ?1
             AND position IN (SELECT position FROM step_needs WHERE molecule = ?1 AND need = ?2)",
            (molecule.0, step, by),
        )?;
        Ok(())
    }

    /// Reopens a finished step. Steps that need it wait for it again. Returns false if it was not finished.
    pub fn reopen_step(&self, molecule: MoleculeId, step: &str) -> LedgerResult<bool> {
        let Some(before) = self.step(molecule, step)?.filter(|step| step.state.is_over()) else { return Ok(false) };
        self.execute(
            "UPDATE steps SET state = 'open', done_at = NULL, started_at = NULL, opened_at = NULL, tries = 0, bead = NULL, head = NULL,
                              trunk = NULL
             WHERE molecule = ?1 AND id = ?2",
            (molecule.0, step),
        )?;
        if before.state.frees_others() {
            self.count_needs(molecule, step, 1)?;
        }
        self.execute("UPDATE molecules SET ended_at = NULL, outcome = NULL WHERE id = ?1", [molecule.0])?;
        let bead = self.molecule(molecule)?.and_then(|molecule| molecule.bead);
        self.event("step-reopened", step, bead.as_ref(), None, None)?;
        Ok(true)
    }

    /// Counts a failed run of a step's command, keeps its output, and opens the step again. Returns the number of failed runs.
    pub fn count_try(&self, molecule: MoleculeId, step: &str, output: &str) -> LedgerResult<u32> {
        self.execute(
            "UPDATE steps SET tries = tries + 1, output = ?3, state = 'open' WHERE molecule = ?1 AND id = ?2",
            (molecule.0, step, output),
        )?;
        Ok(self.step(molecule, step)?.map_or(0, |step| step.tries))
    }

    /// Counts a failed check of a step's gate and keeps what it printed. The gate stays closed.
    pub fn count_gate_try(&self, molecule: MoleculeId, step: &str, output: &str) -> LedgerResult<()> {
        let sql =
            "UPDATE steps SET tries = tries + 1, output = ?3 WHERE molecule = ?1 AND id = ?2 AND state = 'waiting'";
        self.execute(sql, (molecule.0, step, output)).map(drop)
    }

    /// Counts a round of a loop after which the loop goes on. `group` is the step that holds the rounds.
    pub fn count_round(&self, molecule: MoleculeId, group: &str, output: &str) -> LedgerResult<()> {
        let sql = "UPDATE steps SET tries = tries + 1, output = ?3 WHERE molecule = ?1 AND id = ?2 AND done_at IS NULL";
        self.execute(sql, (molecule.0, group, output)).map(drop)
    }

    /// Records that a molecule follows another text of its formula. `left` names what could not be moved.
    pub fn set_molecule_hash(&self, id: MoleculeId, hash: &str, left: &[String]) -> LedgerResult<()> {
        self.execute("UPDATE molecules SET hash = ?2 WHERE id = ?1", (id.0, hash))?;
        let bead = self.molecule(id)?.and_then(|molecule| molecule.bead);
        self.event("molecule-upgraded", &id.to_string(), bead.as_ref(), None, Some(&json!({ "left": left })))
    }

    /// Replaces the definition of a step that has not begun.
    pub fn replace_step(&self, molecule: MoleculeId, step: &Step) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE steps SET step = ?3 WHERE molecule = ?1 AND id = ?2 AND state = 'open' AND started_at IS NULL",
            (molecule.0, &step.id, to_json(step)?),
        )?;
        Ok(changed == 1)
    }

    /// Records the commits of an attempt's worktree and of the trunk at the end of a step.
    pub fn set_step_place(&self, attempt: AttemptId, step: &str, head: &Sha, trunk: Option<&Sha>) -> LedgerResult<()> {
        self.execute(
            concat!("UPDATE steps SET head = ?3, trunk = ?4 WHERE ", of_attempt!(), " AND id = ?2"),
            (attempt.0, step, head.as_str(), trunk.map(Sha::as_str)),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
