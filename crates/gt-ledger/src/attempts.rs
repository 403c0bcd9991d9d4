//! Attempts, their incarnations and their molecules' steps.

use gt_model::address::Address;
use gt_model::formula::Step;
use gt_model::id::{AttemptId, BeadId, IncarnationId, RigName, Sha};
use gt_model::runtime::RuntimeChoice;
use gt_world::{Exit, ProcessId};
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rigs::rig_name;
use super::{LedgerResult, Tx, View, damaged, json_column, to_json};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// Its work is on the remote's trunk.
    Landed,
    /// Its work was sent back; the next attempt goes on from its head.
    Rework,
    /// Taken back by a person, or no longer wanted.
    Released,
    /// Its worker was lost for good; its work is in the snapshot.
    Recovered,
    /// Parked by the worker, with its branch.
    Parked,
    /// Findings were its product, and they are on the bead.
    Reported,
}

impl AttemptOutcome {
    const ALL: [Self; 6] = [Self::Landed, Self::Rework, Self::Released, Self::Recovered, Self::Parked, Self::Reported];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Landed => "landed",
            Self::Rework => "rework",
            Self::Released => "released",
            Self::Recovered => "recovered",
            Self::Parked => "parked",
            Self::Reported => "reported",
        }
    }
}

/// One assignment of one bead to one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its row id.
    pub id: AttemptId,
    /// The bead.
    pub bead: BeadId,
    /// 1 for the bead's first.
    pub number: u32,
    /// The rig.
    pub rig: RigName,
    /// The polecat's name.
    pub worker: String,
    /// The agent's kind.
    pub agent: String,
    /// The formula of its molecule.
    pub formula: String,
    /// Its branch (short name).
    pub branch: String,
    /// The convoy that it belongs to.
    pub convoy: Option<BeadId>,
    /// The batch that it was dispatched in.
    pub swarm: Option<i64>,
    /// The head of the attempt before, where there was one.
    pub started_from: Option<Sha>,
    /// What ended the attempt before.
    pub why: Option<String>,
    /// The trunk's commit that it is based on, once fetched.
    pub base: Option<Sha>,
    /// When it was opened.
    pub opened_at: String,
    /// When it was submitted.
    pub submitted_at: Option<String>,
    /// What was submitted.
    pub head: Option<Sha>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How it ended.
    pub outcome: Option<AttemptOutcome>,
    /// Its last snapshot.
    pub snapshot: Option<Sha>,
    /// When its worktree had gone into the archive.
    pub archived_at: Option<String>,
    /// Which of the town's worker slots it has, once it has one.
    pub slot: Option<u32>,
    /// What its sessions are to run in, where a person said so.
    pub runtime: Option<RuntimeChoice>,
    /// The id that its names in git and in folders come from, where the bead has got another one since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<BeadId>,
}

impl Attempt {
    /// What stands for the bead in names of branches, snapshots and folders.
    pub fn slug(&self) -> String {
        gt_model::id::slug(self.named.as_ref().unwrap_or(&self.bead).as_str())
    }

    /// The one ref of its snapshots; their commits are chained.
    pub fn snapshot_ref(&self) -> String {
        format!("refs/gt/snapshots/{}-{}", self.slug(), self.number)
    }

    /// The worker's address.
    pub fn address(&self) -> Address {
        Address::Polecat(self.rig.clone(), self.worker.clone())
    }

    /// Whether the work is on its worker's hook: neither submitted nor over.
    pub fn is_hooked(&self) -> bool {
        self.submitted_at.is_none() && self.ended_at.is_none()
    }
}

/// What opens an attempt.
#[derive(Clone, Debug)]
pub struct NewAttempt {
    /// The bead.
    pub bead: BeadId,
    /// The rig.
    pub rig: RigName,
    /// The polecat's name.
    pub worker: String,
    /// The agent's kind.
    pub agent: String,
    /// The formula's name.
    pub formula: String,
    /// The molecule's steps.
    pub steps: Vec<Step>,
    /// The convoy.
    pub convoy: Option<BeadId>,
    /// The batch.
    pub swarm: Option<i64>,
    /// The head of the attempt before.
    pub started_from: Option<Sha>,
    /// What ended the attempt before.
    pub why: Option<String>,
    /// What its sessions are to run in, where a person said so.
    pub runtime: Option<RuntimeChoice>,
}

/// An attempt that a snapshot tells of, after the ledger was lost.
#[derive(Clone, Debug)]
pub struct RestoredAttempt {
    /// The bead.
    pub bead: BeadId,
    /// 1 for a bead's first.
    pub number: u32,
    /// The rig.
    pub rig: RigName,
    /// The polecat's name.
    pub worker: String,
    /// The formula's name.
    pub formula: String,
    /// Its branch (short name).
    pub branch: String,
    /// When it was there.
    pub at: String,
    /// Its last snapshot; without one, nothing is known of it but that it was.
    pub snapshot: Option<Sha>,
}

/// The two processes of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncarnationProcess {
    /// The shim.
    pub shim: ProcessId,
    /// The agent.
    pub agent: ProcessId,
}

/// Whose an incarnation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// An attempt's: a polecat at work on a bead.
    Attempt(AttemptId),
    /// A standing agent's: the mayor, or crew.
    Agent(Address),
}

/// One run of an agent's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incarnation {
    /// Its id.
    pub id: IncarnationId,
    /// Whose it is.
    #[serde(flatten)]
    pub holder: Holder,
    /// 1 for its holder's first.
    pub number: u32,
    /// SHA-256 of its secret, once a session is to be started with it.
    #[serde(skip)]
    pub secret_hash: Option<String>,
    /// Its processes, once started.
    pub process: Option<IncarnationProcess>,
    /// When it was opened.
    pub opened_at: String,
    /// When it was started.
    pub started_at: Option<String>,
    /// When its end was recorded.
    pub ended_at: Option<String>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// What ended it, in one line. Words of the agent's own are in it.
    pub cause: Option<String>,
}

/// A step of a molecule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoleculeStep {
    /// Its place, from 0.
    pub position: u32,
    /// What it is.
    pub step: Step,
    /// When it was done.
    pub done_at: Option<String>,
    /// What the worker noted.
    pub note: Option<String>,
}

/// Where a worktree was when a step of its molecule was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// The step.
    pub step: Step,
    /// When it was closed.
    pub done_at: String,
    /// The commit that the worktree was at.
    pub head: Sha,
    /// Where the trunk was, as it was known.
    pub trunk: Option<Sha>,
}

pub(super) fn attempt_row(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let sha = |column: &str| -> rusqlite::Result<Option<Sha>> { Ok(row.get::<_, Option<String>>(column)?.map(Sha)) };
    let outcome: Option<String> = row.get("outcome")?;
    Ok(Attempt {
        id: AttemptId(row.get("id")?),
        bead: BeadId(row.get("bead")?),
        number: row.get("number")?,
        rig: rig_name(&row.get::<_, String>("rig")?)?,
        worker: row.get("worker")?,
        agent: row.get("agent")?,
        formula: row.get("formula")?,
        branch: row.get("branch")?,
        convoy: row.get::<_, Option<String>>("convoy")?.map(BeadId),
        swarm: row.get("swarm")?,
        started_from: sha("started_from")?,
        why: row.get("why")?,
        base: sha("base")?,
        opened_at: row.get("opened_at")?,
        submitted_at: row.get("submitted_at")?,
        head: sha("head")?,
        ended_at: row.get("ended_at")?,
        outcome: outcome.and_then(|word| AttemptOutcome::ALL.into_iter().find(|o| o.as_str() == word)),
        snapshot: sha("snapshot")?,
        archived_at: row.get("archived_at")?,
        slot: row.get("slot")?,
        runtime: row.get::<_, Option<String>>("runtime")?.and_then(|word| RuntimeChoice::parse(&word)),
        named: row.get::<_, Option<String>>("named")?.map(BeadId),
    })
}

pub(super) fn incarnation_row(row: &Row<'_>) -> rusqlite::Result<Incarnation> {
    let json = |column: &str| row.get::<_, Option<String>>(column);
    Ok(Incarnation {
        id: IncarnationId(row.get("id")?),
        holder: holder(row)?,
        number: row.get("number")?,
        secret_hash: row.get("secret_hash")?,
        process: json("process")?.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()?,
        opened_at: row.get("opened_at")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        exit: json("exit")?.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()?,
        cause: row.get("cause")?,
    })
}

fn holder(row: &Row<'_>) -> rusqlite::Result<Holder> {
    match row.get::<_, Option<i64>>("attempt")? {
        Some(attempt) => Ok(Holder::Attempt(AttemptId(attempt))),
        None => Ok(Holder::Agent(Address::parse(&row.get::<_, String>("agent")?).map_err(damaged)?)),
    }
}

impl Incarnation {
    /// The attempt that it belongs to; a standing agent's has none.
    pub fn attempt(&self) -> Option<AttemptId> {
        match &self.holder {
            Holder::Attempt(attempt) => Some(*attempt),
            Holder::Agent(_) => None,
        }
    }
}

impl View<'_> {
    /// An attempt by its row id.
    pub fn attempt(&self, id: AttemptId) -> LedgerResult<Option<Attempt>> {
        self.one("SELECT * FROM attempts WHERE id = ?1", [id.0], attempt_row)
    }

    /// The live attempt on a bead.
    pub fn live_attempt(&self, bead: &BeadId) -> LedgerResult<Option<Attempt>> {
        self.one("SELECT * FROM attempts WHERE bead = ?1 AND ended_at IS NULL", [bead.as_str()], attempt_row)
    }

    /// All attempts on a bead, first to last.
    pub fn attempts_on(&self, bead: &BeadId) -> LedgerResult<Vec<Attempt>> {
        self.all("SELECT * FROM attempts WHERE bead = ?1 ORDER BY number", [bead.as_str()], attempt_row)
    }

    /// Attempts that are live or whose worktree is still there, in order.
    pub fn present_attempts(&self) -> LedgerResult<Vec<Attempt>> {
        self.all(
            "SELECT * FROM attempts WHERE id IN (
                 SELECT id FROM attempts INDEXED BY one_live_attempt WHERE ended_at IS NULL
                 UNION SELECT id FROM attempts INDEXED BY attempts_with_worktree WHERE archived_at IS NULL
             ) ORDER BY id",
            [],
            attempt_row,
        )
    }

    /// Every attempt of a rig, in order.
    pub fn attempts_of_rig(&self, rig: &RigName) -> LedgerResult<Vec<Attempt>> {
        self.all("SELECT * FROM attempts WHERE rig = ?1 ORDER BY id", [rig.as_str()], attempt_row)
    }

    /// Everybody who has ever worked in a rig, by name.
    pub fn workers_of(&self, rig: &RigName) -> LedgerResult<Vec<String>> {
        self.all("SELECT DISTINCT worker FROM attempts WHERE rig = ?1", [rig.as_str()], |row| row.get(0))
    }

    /// What a rig's worker of that name made for other beads: what it submitted, and its snapshots.
    pub fn heads_for_other_beads(&self, rig: &RigName, worker: &str, bead: &BeadId) -> LedgerResult<Vec<Sha>> {
        let sql = "SELECT head, snapshot FROM attempts WHERE rig = ?1 AND worker = ?2 AND bead != ?3 ORDER BY id DESC";
        let pairs = self.all(sql, (rig.as_str(), worker, bead.as_str()), |row| {
            Ok([row.get::<_, Option<String>>(0)?, row.get(1)?])
        })?;
        Ok(pairs.into_iter().flatten().flatten().map(Sha).collect())
    }

    /// The newest attempt of a rig's worker.
    pub fn newest_attempt_of(&self, rig: &RigName, worker: &str) -> LedgerResult<Option<Attempt>> {
        let sql = "SELECT * FROM attempts WHERE rig = ?1 AND worker = ?2 ORDER BY id DESC LIMIT 1";
        self.one(sql, (rig.as_str(), worker), attempt_row)
    }

    /// What is on a polecat's hook.
    pub fn hook_of(&self, rig: &RigName, worker: &str) -> LedgerResult<Option<Attempt>> {
        self.one(
            "SELECT * FROM attempts WHERE rig = ?1 AND worker = ?2 AND ended_at IS NULL AND submitted_at IS NULL",
            (rig.as_str(), worker),
            attempt_row,
        )
    }

    /// Names of workers of a rig that are taken: their attempt is live or their worktree is there.
    pub fn taken_workers(&self, rig: &RigName) -> LedgerResult<Vec<String>> {
        self.all("SELECT worker FROM attempts WHERE rig = ?1 AND archived_at IS NULL", [rig.as_str()], |row| row.get(0))
    }

    /// An incarnation by its id.
    pub fn incarnation(&self, id: &IncarnationId) -> LedgerResult<Option<Incarnation>> {
        self.one("SELECT * FROM incarnations WHERE id = ?1", [id.as_str()], incarnation_row)
    }

    /// The attempt that an incarnation belongs to; `None` for a standing agent's.
    pub fn attempt_of(&self, incarnation: &Incarnation) -> LedgerResult<Option<Attempt>> {
        incarnation.attempt().map(|id| self.attempt(id)).transpose().map(Option::flatten)
    }

    /// Whose address an incarnation acts under; `None` where its attempt is not there.
    pub fn address_of(&self, incarnation: &Incarnation) -> LedgerResult<Option<Address>> {
        match &incarnation.holder {
            Holder::Attempt(attempt) => Ok(self.attempt(*attempt)?.map(|attempt| attempt.address())),
            Holder::Agent(address) => Ok(Some(address.clone())),
        }
    }

    /// All incarnations of an attempt, first to last.
    pub fn incarnations_of(&self, attempt: AttemptId) -> LedgerResult<Vec<Incarnation>> {
        self.all("SELECT * FROM incarnations WHERE attempt = ?1 ORDER BY number", [attempt.0], incarnation_row)
    }

    /// All incarnations, oldest first.
    pub fn incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        self.all("SELECT * FROM incarnations ORDER BY attempt, agent, number", [], incarnation_row)
    }

    /// Incarnations whose end is not recorded.
    pub fn live_incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        self.all(
            "SELECT * FROM incarnations INDEXED BY live_incarnations WHERE ended_at IS NULL
             ORDER BY attempt, agent, number",
            [],
            incarnation_row,
        )
    }

    /// A molecule's steps, in order.
    pub fn steps(&self, attempt: AttemptId) -> LedgerResult<Vec<MoleculeStep>> {
        self.all("SELECT * FROM steps WHERE attempt = ?1 ORDER BY position", [attempt.0], |row| {
            Ok(MoleculeStep {
                position: row.get("position")?,
                step: json_column(row, "step")?,
                done_at: row.get("done_at")?,
                note: row.get("note")?,
            })
        })
    }
}

impl View<'_> {
    /// Where an attempt's worktree was at the end of each closed step, of those of which that is known, in their order.
    pub fn step_places(&self, attempt: AttemptId) -> LedgerResult<Vec<StepPlace>> {
        let sql = "SELECT step, done_at, head, trunk FROM steps
                   WHERE attempt = ?1 AND done_at IS NOT NULL AND head IS NOT NULL ORDER BY position";
        self.all(sql, [attempt.0], |row| {
            Ok(StepPlace {
                step: json_column(row, "step")?,
                done_at: row.get("done_at")?,
                head: Sha(row.get("head")?),
                trunk: row.get::<_, Option<String>>("trunk")?.map(Sha),
            })
        })
    }
}

impl Tx<'_> {
    /// Records where an attempt's worktree, and the trunk, are at the end of a step.
    pub fn set_step_place(&self, attempt: AttemptId, step: &str, head: &Sha, trunk: Option<&Sha>) -> LedgerResult<()> {
        self.execute(
            "UPDATE steps SET head = ?3, trunk = ?4 WHERE attempt = ?1 AND id = ?2",
            (attempt.0, step, head.as_str(), trunk.map(Sha::as_str)),
        )?;
        Ok(())
    }

    /// Opens an attempt and pours its molecule. Fails where the bead has a live attempt.
    pub fn open_attempt(&self, new: &NewAttempt) -> LedgerResult<Attempt> {
        let number = self.attempts_on(&new.bead)?.len() as u32 + 1;
        let branch = format!("polecat/{}/{}-{number}", new.worker, gt_model::id::slug(new.bead.as_str()));
        let now = self.now().to_string();
        self.execute(
            "INSERT INTO attempts (bead, number, rig, worker, agent, formula, branch, convoy, swarm, started_from, why,
                                   opened_at, runtime)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            rusqlite::params![
                new.bead.as_str(),
                number,
                new.rig.as_str(),
                new.worker,
                new.agent,
                new.formula,
                branch,
                new.convoy.as_ref().map(BeadId::as_str),
                new.swarm,
                new.started_from.as_ref().map(Sha::as_str),
                new.why,
                now,
                new.runtime.map(RuntimeChoice::as_str),
            ],
        )?;
        let id = AttemptId(self.connection.last_insert_rowid());
        for (position, step) in new.steps.iter().enumerate() {
            self.execute(
                "INSERT INTO steps (attempt, position, step, id) VALUES (?1, ?2, ?3, ?4)",
                (id.0, position as i64, to_json(step)?, &step.id),
            )?;
        }
        let after = json!({ "number": number, "worker": new.worker, "branch": branch, "why": new.why });
        self.event("attempt-opened", &branch, Some(&new.bead), None, Some(&after))?;
        self.attempt(id)?.ok_or(super::LedgerError::Corrupt { what: "an attempt", text: id.to_string() })
    }

    /// Writes down an attempt of a ledger that was lost, as over.
    pub fn restore_attempt(&self, restored: &RestoredAttempt) -> LedgerResult<AttemptId> {
        let archived_at = restored.snapshot.is_none().then_some(&restored.at);
        self.execute(
            "INSERT INTO attempts (bead, number, rig, worker, agent, formula, branch, opened_at, ended_at, outcome, snapshot,
                                   archived_at)
             VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, ?7, ?7, ?8, ?9, ?10)",
            rusqlite::params![
                restored.bead.as_str(),
                restored.number,
                restored.rig.as_str(),
                restored.worker,
                restored.formula,
                restored.branch,
                restored.at,
                AttemptOutcome::Recovered.as_str(),
                restored.snapshot.as_ref().map(Sha::as_str),
                archived_at,
            ],
        )?;
        let id = AttemptId(self.connection.last_insert_rowid());
        let after = json!({ "number": restored.number, "snapshot": restored.snapshot });
        self.event("attempt-restored", &restored.branch, Some(&restored.bead), None, Some(&after))?;
        Ok(id)
    }

    /// Records the commit that an attempt is based on, and gives it the lowest slot that no present attempt has.
    pub fn set_base(&self, attempt: &Attempt, base: &Sha) -> LedgerResult<()> {
        let taken: Vec<u32> = self.all(
            "SELECT slot FROM attempts WHERE slot IS NOT NULL AND archived_at IS NULL AND id != ?1",
            [attempt.id.0],
            |row| row.get(0),
        )?;
        let slot = (0..).find(|slot| !taken.contains(slot)).unwrap_or_default();
        self.execute("UPDATE attempts SET base = ?2, slot = ?3 WHERE id = ?1", (attempt.id.0, base.as_str(), slot))?;
        Ok(())
    }

    /// Records what was submitted; the hook is empty from now on.
    pub fn submit_attempt(&self, attempt: &Attempt, head: &Sha) -> LedgerResult<()> {
        self.execute(
            "UPDATE attempts SET submitted_at = ?2, head = ?3 WHERE id = ?1",
            (attempt.id.0, self.now().to_string(), head.as_str()),
        )?;
        let after = json!({ "head": head });
        self.event("attempt-submitted", &attempt.branch, Some(&attempt.bead), None, Some(&after))
    }

    /// Records an attempt's end.
    pub fn end_attempt(&self, attempt: &Attempt, outcome: AttemptOutcome) -> LedgerResult<()> {
        self.execute(
            "UPDATE attempts SET ended_at = ?2, outcome = ?3 WHERE id = ?1 AND ended_at IS NULL",
            (attempt.id.0, self.now().to_string(), outcome.as_str()),
        )?;
        let after = json!({ "outcome": outcome.as_str() });
        self.event("attempt-ended", &attempt.branch, Some(&attempt.bead), None, Some(&after))
    }

    /// Records an attempt's newest snapshot.
    pub fn set_snapshot(&self, attempt: AttemptId, snapshot: &Sha) -> LedgerResult<()> {
        self.execute("UPDATE attempts SET snapshot = ?2 WHERE id = ?1", (attempt.0, snapshot.as_str()))?;
        Ok(())
    }

    /// Records that an attempt's worktree is in the archive.
    pub fn set_archived(&self, attempt: AttemptId) -> LedgerResult<()> {
        self.execute("UPDATE attempts SET archived_at = ?2 WHERE id = ?1", (attempt.0, self.now().to_string()))?;
        Ok(())
    }

    /// Opens the next incarnation of an attempt.
    pub fn open_incarnation(&self, attempt: &Attempt) -> LedgerResult<IncarnationId> {
        let number = self.incarnations_of(attempt.id)?.len() + 1;
        let id = IncarnationId(format!("{}-{}-{number}", attempt.worker, attempt.id));
        self.execute(
            "INSERT INTO incarnations (id, attempt, number, opened_at) VALUES (?1, ?2, ?3, ?4)",
            (id.as_str(), attempt.id.0, number as i64, self.now().to_string()),
        )?;
        self.event("incarnation-opened", &format!("incarnation {number}"), Some(&attempt.bead), None, None)?;
        Ok(id)
    }

    /// Sets the secret's hash with which the next start of an incarnation will be made.
    pub fn set_secret(&self, id: &IncarnationId, secret_hash: &str) -> LedgerResult<()> {
        self.execute("UPDATE incarnations SET secret_hash = ?2 WHERE id = ?1", (id.as_str(), secret_hash))?;
        Ok(())
    }

    /// Records an incarnation's processes. Once only.
    pub fn record_start(&self, id: &IncarnationId, process: &IncarnationProcess) -> LedgerResult<()> {
        self.execute(
            "UPDATE incarnations SET process = ?2, started_at = ?3 WHERE id = ?1 AND started_at IS NULL",
            (id.as_str(), to_json(process)?, self.now().to_string()),
        )?;
        Ok(())
    }

    /// Records an incarnation's end; `bead` is what a polecat's was at. False where it was recorded before.
    pub fn record_end(&self, incarnation: &Incarnation, bead: Option<&BeadId>, exit: &Exit) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE incarnations SET ended_at = ?2, exit = ?3 WHERE id = ?1 AND ended_at IS NULL",
            (incarnation.id.as_str(), self.now().to_string(), to_json(exit)?),
        )?;
        if changed == 1 {
            let after = json!(exit);
            let subject = match &incarnation.holder {
                Holder::Attempt(_) => format!("incarnation {}", incarnation.number),
                Holder::Agent(address) => format!("{address} incarnation {}", incarnation.number),
            };
            self.event("incarnation-ended", &subject, bead, None, Some(&after))?;
        }
        Ok(changed == 1)
    }

    /// Records what ended an incarnation.
    pub fn set_cause(&self, incarnation: &IncarnationId, cause: &str) -> LedgerResult<()> {
        let sql = "UPDATE incarnations SET cause = ?2 WHERE id = ?1";
        self.execute(sql, (incarnation.as_str(), cause)).map(|_| ())
    }

    /// Closes a step. False where it was closed before.
    pub fn close_step(&self, attempt: &Attempt, step: &str, note: Option<&str>) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE steps SET done_at = ?3, note = ?4 WHERE attempt = ?1 AND id = ?2 AND done_at IS NULL",
            (attempt.id.0, step, self.now().to_string(), note),
        )?;
        if changed == 1 {
            self.event("step-done", step, Some(&attempt.bead), None, None)?;
        }
        Ok(changed == 1)
    }
}
