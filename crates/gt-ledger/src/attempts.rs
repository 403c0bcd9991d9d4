//! Attempts and their incarnations.

use gt_model::address::Address;
use gt_model::formula::Step;
use gt_model::id::{AttemptId, BeadId, IncarnationId, MoleculeId, RigName, Sha};
use gt_model::runtime::RuntimeChoice;
use gt_world::{Exit, ProcessId};
use jiff::Timestamp;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::molecules::{MoleculeOutcome, NewMolecule};
use super::rigs::rig_name;
use super::times::Times;
use super::{LedgerResult, Tx, View, damaged, to_json};

/// Outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// Its work is on the remote's trunk.
    Landed,
    /// The merge queue sent its work back; the next attempt continues from its head.
    Rework,
    /// A person took it back, or its work is no longer wanted.
    Released,
    /// Its worker was lost for good. The snapshot contains its work.
    Recovered,
    /// The worker parked it, together with its branch.
    Parked,
    /// Its product is findings, which are on the bead.
    Reported,
}

impl AttemptOutcome {
    const ALL: [Self; 6] = [Self::Landed, Self::Rework, Self::Released, Self::Recovered, Self::Parked, Self::Reported];

    /// Returns the word that the ledger stores for this outcome.
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
    /// Row id.
    pub id: AttemptId,
    /// Bead that the attempt is on.
    pub bead: BeadId,
    /// Number of the attempt among those on its bead; the first has 1.
    pub number: u32,
    /// Rig that it works in.
    pub rig: RigName,
    /// Name of the polecat (worker).
    pub worker: String,
    /// Kind of agent that works on it.
    pub agent: String,
    /// Name of the formula that its molecule was made from.
    pub formula: String,
    /// Short name of its branch.
    pub branch: String,
    /// Convoy that it belongs to.
    pub convoy: Option<BeadId>,
    /// Batch that it was dispatched in.
    pub swarm: Option<i64>,
    /// Head of the previous attempt, which this one continues from; `None` if there is none.
    pub started_from: Option<Sha>,
    /// Why the previous attempt ended.
    pub why: Option<String>,
    /// Trunk commit that it is based on; `None` until the trunk is fetched.
    pub base: Option<Sha>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was submitted.
    pub submitted_at: Option<Timestamp>,
    /// Commit that the worker submitted.
    pub head: Option<Sha>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<AttemptOutcome>,
    /// Commit of its newest snapshot.
    pub snapshot: Option<Sha>,
    /// When its worktree was moved to the archive.
    pub archived_at: Option<Timestamp>,
    /// Number of its worker slot in the town; `None` until it has one.
    pub slot: Option<u32>,
    /// Runtime for its sessions, if a person chose one.
    pub runtime: Option<RuntimeChoice>,
    /// Id that its names in git and of folders are made from, if its bead was renamed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<BeadId>,
}

impl Attempt {
    /// Returns the part of branch, snapshot and folder names that stands for the bead.
    pub fn slug(&self) -> String {
        gt_model::id::slug(self.named.as_ref().unwrap_or(&self.bead).as_str())
    }

    /// Returns the one ref for all of its snapshots; each snapshot's commit has the previous one as its parent.
    pub fn snapshot_ref(&self) -> String {
        format!("refs/gt/snapshots/{}-{}", self.slug(), self.number)
    }

    /// Returns the worker's address.
    pub fn address(&self) -> Address {
        Address::Polecat(self.rig.clone(), self.worker.clone())
    }

    /// Whether the work is on its worker's hook: it is neither submitted nor ended.
    pub fn is_hooked(&self) -> bool {
        self.submitted_at.is_none() && self.ended_at.is_none()
    }
}

/// Molecule for a new attempt.
#[derive(Clone, Debug)]
pub enum AttemptMolecule {
    /// Pour a new one.
    New {
        /// SHA-256 of the resolved formula, in hex.
        hash: String,
        /// Values of its variables.
        vars: Value,
        /// Its steps.
        steps: Vec<Step>,
    },
    /// Take one that was poured for the bead before.
    Attached(MoleculeId),
}

/// Arguments for opening an attempt.
#[derive(Clone, Debug)]
pub struct NewAttempt {
    /// Bead to work on.
    pub bead: BeadId,
    /// Rig to work in.
    pub rig: RigName,
    /// Name of the polecat (worker).
    pub worker: String,
    /// Kind of agent that works on it.
    pub agent: String,
    /// Name of the formula.
    pub formula: String,
    /// Molecule that its worker follows.
    pub molecule: AttemptMolecule,
    /// Convoy that it belongs to.
    pub convoy: Option<BeadId>,
    /// Batch that it is dispatched in.
    pub swarm: Option<i64>,
    /// Head of the previous attempt, which this one continues from.
    pub started_from: Option<Sha>,
    /// Why the previous attempt ended.
    pub why: Option<String>,
    /// Runtime for its sessions, if a person chose one.
    pub runtime: Option<RuntimeChoice>,
}

/// Attempt that was reconstructed from a snapshot after the ledger was lost.
#[derive(Clone, Debug)]
pub struct RestoredAttempt {
    /// Bead that the attempt was on.
    pub bead: BeadId,
    /// Number of the attempt among those on its bead; the first has 1.
    pub number: u32,
    /// Rig that it worked in.
    pub rig: RigName,
    /// Name of the polecat (worker).
    pub worker: String,
    /// Name of the formula.
    pub formula: String,
    /// Short name of its branch.
    pub branch: String,
    /// Time when the attempt is known to have existed.
    pub at: Timestamp,
    /// Commit of its newest snapshot. Without one, only the attempt's existence is known.
    pub snapshot: Option<Sha>,
}

/// The two processes of an agent's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncarnationProcess {
    /// The shim process, which supervises the agent.
    pub shim: ProcessId,
    /// The agent process.
    pub agent: ProcessId,
}

/// Owner of an incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// An attempt: a polecat (worker) that works on a bead.
    Attempt(AttemptId),
    /// A standing agent: the mayor, or a member of the crew.
    Agent(Address),
}

/// One run of an agent's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incarnation {
    /// Its id.
    pub id: IncarnationId,
    /// Attempt or agent that it is a run of.
    #[serde(flatten)]
    pub holder: Holder,
    /// Number of the run among its holder's; the first has 1.
    pub number: u32,
    /// SHA-256 of its secret; `None` until a session is about to start with it.
    #[serde(skip)]
    pub secret_hash: Option<String>,
    /// Its processes; `None` until they have started.
    pub process: Option<IncarnationProcess>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When its end was recorded.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Why it ended, in one line. The line contains words of the agent's own, so don't trust it.
    pub cause: Option<String>,
}

pub(super) fn attempt_row(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let times = Times::of(row, "attempts");
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
        opened_at: times.at("opened_at")?,
        submitted_at: times.maybe("submitted_at")?,
        head: sha("head")?,
        ended_at: times.maybe("ended_at")?,
        outcome: outcome.and_then(|word| AttemptOutcome::ALL.into_iter().find(|o| o.as_str() == word)),
        snapshot: sha("snapshot")?,
        archived_at: times.maybe("archived_at")?,
        slot: row.get("slot")?,
        runtime: row.get::<_, Option<String>>("runtime")?.and_then(|word| RuntimeChoice::parse(&word)),
        named: row.get::<_, Option<String>>("named")?.map(BeadId),
    })
}

pub(super) fn incarnation_row(row: &Row<'_>) -> rusqlite::Result<Incarnation> {
    let times = Times::of(row, "incarnations");
    let json = |column: &str| row.get::<_, Option<String>>(column);
    Ok(Incarnation {
        id: IncarnationId(row.get("id")?),
        holder: holder(row)?,
        number: row.get("number")?,
        secret_hash: row.get("secret_hash")?,
        process: json("process")?.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()?,
        opened_at: times.at("opened_at")?,
        started_at: times.maybe("started_at")?,
        ended_at: times.maybe("ended_at")?,
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
    /// Returns the attempt that it belongs to; `None` for a standing agent.
    pub fn attempt(&self) -> Option<AttemptId> {
        match &self.holder {
            Holder::Attempt(attempt) => Some(*attempt),
            Holder::Agent(_) => None,
        }
    }
}

impl View<'_> {
    /// Returns the attempt with this row id.
    pub fn attempt(&self, id: AttemptId) -> LedgerResult<Option<Attempt>> {
        self.one("SELECT * FROM attempts WHERE id = ?1", [id.0], attempt_row)
    }

    /// Returns the live attempt on a bead.
    pub fn live_attempt(&self, bead: &BeadId) -> LedgerResult<Option<Attempt>> {
        self.one("SELECT * FROM attempts WHERE bead = ?1 AND ended_at IS NULL", [bead.as_str()], attempt_row)
    }

    /// Returns all attempts on a bead, oldest first.
    pub fn attempts_on(&self, bead: &BeadId) -> LedgerResult<Vec<Attempt>> {
        self.all("SELECT * FROM attempts WHERE bead = ?1 ORDER BY number", [bead.as_str()], attempt_row)
    }

    /// Returns the attempts that are live or still have a worktree, in order of their row ids.
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

    /// Returns all attempts of a rig, oldest first.
    pub fn attempts_of_rig(&self, rig: &RigName) -> LedgerResult<Vec<Attempt>> {
        self.all("SELECT * FROM attempts WHERE rig = ?1 ORDER BY id", [rig.as_str()], attempt_row)
    }

    /// Returns the names of all workers that have ever worked in a rig.
    pub fn workers_of(&self, rig: &RigName) -> LedgerResult<Vec<String>> {
        self.all("SELECT DISTINCT worker FROM attempts WHERE rig = ?1", [rig.as_str()], |row| row.get(0))
    }

    /// Returns the commits that this worker of the rig submitted for other beads, and the snapshots of that work.
    pub fn heads_for_other_beads(&self, rig: &RigName, worker: &str, bead: &BeadId) -> LedgerResult<Vec<Sha>> {
        let sql = "SELECT head, snapshot FROM attempts WHERE rig = ?1 AND worker = ?2 AND bead != ?3 ORDER BY id DESC";
        let pairs = self.all(sql, (rig.as_str(), worker, bead.as_str()), |row| {
            Ok([row.get::<_, Option<String>>(0)?, row.get(1)?])
        })?;
        Ok(pairs.into_iter().flatten().flatten().map(Sha).collect())
    }

    /// Returns the newest attempt of a rig's worker.
    pub fn newest_attempt_of(&self, rig: &RigName, worker: &str) -> LedgerResult<Option<Attempt>> {
        let sql = "SELECT * FROM attempts WHERE rig = ?1 AND worker = ?2 ORDER BY id DESC LIMIT 1";
        self.one(sql, (rig.as_str(), worker), attempt_row)
    }

    /// Returns the attempt on a polecat's hook.
    pub fn hook_of(&self, rig: &RigName, worker: &str) -> LedgerResult<Option<Attempt>> {
        self.one(
            "SELECT * FROM attempts WHERE rig = ?1 AND worker = ?2 AND ended_at IS NULL AND submitted_at IS NULL",
            (rig.as_str(), worker),
            attempt_row,
        )
    }

    /// Returns the worker names of a rig that can't be given out: their attempt is live, or its worktree still exists.
    pub fn taken_workers(&self, rig: &RigName) -> LedgerResult<Vec<String>> {
        self.all("SELECT worker FROM attempts WHERE rig = ?1 AND archived_at IS NULL", [rig.as_str()], |row| row.get(0))
    }

    /// Returns the incarnation with this id.
    pub fn incarnation(&self, id: &IncarnationId) -> LedgerResult<Option<Incarnation>> {
        self.one("SELECT * FROM incarnations WHERE id = ?1", [id.as_str()], incarnation_row)
    }

    /// Returns the attempt that an incarnation belongs to; `None` for a standing agent.
    pub fn attempt_of(&self, incarnation: &Incarnation) -> LedgerResult<Option<Attempt>> {
        incarnation.attempt().map(|id| self.attempt(id)).transpose().map(Option::flatten)
    }

    /// Returns the address that an incarnation acts under; `None` if its attempt is not in the ledger.
    pub fn address_of(&self, incarnation: &Incarnation) -> LedgerResult<Option<Address>> {
        match &incarnation.holder {
            Holder::Attempt(attempt) => Ok(self.attempt(*attempt)?.map(|attempt| attempt.address())),
            Holder::Agent(address) => Ok(Some(address.clone())),
        }
    }

    /// Returns all incarnations of an attempt, oldest first.
    pub fn incarnations_of(&self, attempt: AttemptId) -> LedgerResult<Vec<Incarnation>> {
        self.all("SELECT * FROM incarnations WHERE attempt = ?1 ORDER BY number", [attempt.0], incarnation_row)
    }

    /// Returns all incarnations, ordered by holder and number.
    pub fn incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        self.all("SELECT * FROM incarnations ORDER BY attempt, agent, number", [], incarnation_row)
    }

    /// Returns the incarnations whose end is not recorded.
    pub fn live_incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        self.all(
            "SELECT * FROM incarnations INDEXED BY live_incarnations WHERE ended_at IS NULL
             ORDER BY attempt, agent, number",
            [],
            incarnation_row,
        )
    }
}

impl Tx<'_> {
    /// Opens an attempt and stores the steps of its molecule. Fails if the bead has a live attempt.
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
        self.give_molecule(id, new)?;
        let after = json!({ "number": number, "worker": new.worker, "branch": branch, "why": new.why });
        self.event("attempt-opened", &branch, Some(&new.bead), None, Some(&after))?;
        self.attempt(id)?.ok_or(super::LedgerError::Corrupt { what: "an attempt", text: id.to_string() })
    }

    /// Gives an attempt its molecule.
    fn give_molecule(&self, id: AttemptId, new: &NewAttempt) -> LedgerResult<()> {
        match &new.molecule {
            AttemptMolecule::Attached(molecule) => self.bind_molecule(*molecule, id),
            AttemptMolecule::New { hash, vars, steps } => {
                let (formula, rig, bead) = (new.formula.as_str(), Some(&new.rig), Some(&new.bead));
                let vars = vars.clone();
                let attempt = Some(id);
                let (parent, is_ephemeral) = (None, false);
                self.pour(&NewMolecule { formula, hash, vars, steps, rig, bead, attempt, parent, is_ephemeral })?;
                Ok(())
            }
        }
    }

    /// Records an attempt of a lost ledger. It is recorded as ended.
    pub fn restore_attempt(&self, restored: &RestoredAttempt) -> LedgerResult<AttemptId> {
        let archived_at = restored.snapshot.is_none().then(|| restored.at.to_string());
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
                restored.at.to_string(),
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

    /// Records the commit that an attempt is based on, and gives the attempt the lowest worker slot that is free.
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

    /// Records the submitted commit. The worker's hook is empty from now on.
    pub fn submit_attempt(&self, attempt: &Attempt, head: &Sha) -> LedgerResult<()> {
        self.execute(
            "UPDATE attempts SET submitted_at = ?2, head = ?3 WHERE id = ?1",
            (attempt.id.0, self.now().to_string(), head.as_str()),
        )?;
        let after = json!({ "head": head });
        self.event("attempt-submitted", &attempt.branch, Some(&attempt.bead), None, Some(&after))
    }

    /// Records the end of an attempt; does nothing if it has ended already.
    pub fn end_attempt(&self, attempt: &Attempt, outcome: AttemptOutcome) -> LedgerResult<()> {
        self.execute(
            "UPDATE attempts SET ended_at = ?2, outcome = ?3 WHERE id = ?1 AND ended_at IS NULL",
            (attempt.id.0, self.now().to_string(), outcome.as_str()),
        )?;
        if let Some(molecule) = self.molecule_of(attempt.id)? {
            self.end_molecule(molecule.id, MoleculeOutcome::Dropped)?;
        }
        let after = json!({ "outcome": outcome.as_str() });
        self.event("attempt-ended", &attempt.branch, Some(&attempt.bead), None, Some(&after))
    }

    /// Records the newest snapshot of an attempt.
    pub fn set_snapshot(&self, attempt: AttemptId, snapshot: &Sha) -> LedgerResult<()> {
        self.execute("UPDATE attempts SET snapshot = ?2 WHERE id = ?1", (attempt.0, snapshot.as_str()))?;
        Ok(())
    }

    /// Records that an attempt's worktree was moved to the archive.
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

    /// Records the hash of the secret that the incarnation's next start will use.
    pub fn set_secret(&self, id: &IncarnationId, secret_hash: &str) -> LedgerResult<()> {
        self.execute("UPDATE incarnations SET secret_hash = ?2 WHERE id = ?1", (id.as_str(), secret_hash))?;
        Ok(())
    }

    /// Records an incarnation's processes; does nothing if they are recorded already.
    pub fn record_start(&self, id: &IncarnationId, process: &IncarnationProcess) -> LedgerResult<()> {
        self.execute(
            "UPDATE incarnations SET process = ?2, started_at = ?3 WHERE id = ?1 AND started_at IS NULL",
            (id.as_str(), to_json(process)?, self.now().to_string()),
        )?;
        Ok(())
    }

    /// Records the end of an incarnation. `bead` is the bead that a polecat worked on. Returns false if the end was recorded
    /// before.
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

    /// Records why an incarnation ended.
    pub fn set_cause(&self, incarnation: &IncarnationId, cause: &str) -> LedgerResult<()> {
        let sql = "UPDATE incarnations SET cause = ?2 WHERE id = ?1";
        self.execute(sql, (incarnation.as_str(), cause)).map(|_| ())
    }
}
