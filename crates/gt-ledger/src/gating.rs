//! What a rig's gates are doing now, and how long they usually take.

use gt_model::id::{AttemptId, MrId, RigName, Sha};
use rusqlite::Row;
use serde::Serialize;

use super::rigs::rig_name;
use super::{LedgerResult, Tx, View, json_column, to_json};

/// A run of a rig's gates that has begun and is not known to be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gating {
    /// The rig.
    pub rig: RigName,
    /// How the names of its logs begin.
    pub label: String,
    /// The commit that is tested.
    pub commit: Sha,
    /// The merge requests that it would land; none: it is the trunk itself.
    pub batch: Vec<MrId>,
    /// The gate that runs; `None` while the worktree is set up.
    pub gate: Option<String>,
    /// Its place, 1 for the first.
    pub place: u32,
    /// How many gates there are.
    pub gates: u32,
    /// When the run began.
    pub begun_at: String,
    /// When this gate began.
    pub gate_begun_at: String,
}

/// Runs of which the median says how long the gates usually take.
const RUNS_COMPARED: u32 = 9;

fn gating_row(row: &Row<'_>) -> rusqlite::Result<Gating> {
    Ok(Gating {
        rig: rig_name(&row.get::<_, String>("rig")?)?,
        label: row.get("label")?,
        commit: Sha(row.get("commit_tested")?),
        batch: json_column(row, "batch")?,
        gate: row.get("gate")?,
        place: row.get("place")?,
        gates: row.get("gates")?,
        begun_at: row.get("begun_at")?,
        gate_begun_at: row.get("gate_begun_at")?,
    })
}

impl View<'_> {
    /// What a rig's gates did last, if that was not recorded as over.
    pub fn gating(&self, rig: &RigName) -> LedgerResult<Option<Gating>> {
        self.one("SELECT * FROM gating WHERE rig = ?1", [rig.as_str()], gating_row)
    }

    /// Whether the gates were green in an attempt's own worktree when it last held this tree.
    pub fn was_green_for(&self, attempt: AttemptId, tree: &Sha, gates_hash: &str) -> LedgerResult<bool> {
        let sql = "SELECT 1 FROM worker_gates WHERE attempt = ?1 AND tree = ?2 AND gates_hash = ?3";
        Ok(self.one(sql, (attempt.0, tree.as_str(), gates_hash), |_| Ok(()))?.is_some())
    }

    /// How long a rig's green runs of these gates took lately, in milliseconds: the median. `None` where there was none.
    pub fn usual_gate_ms(&self, rig: &RigName, gates_hash: &str) -> LedgerResult<Option<u64>> {
        let sql = format!(
            "SELECT took_ms FROM (SELECT took_ms, passed, gates_hash FROM verdicts INDEXED BY verdicts_of WHERE rig = ?1
                 ORDER BY at DESC LIMIT {}) WHERE passed AND gates_hash = ?2 LIMIT {RUNS_COMPARED}",
            4 * RUNS_COMPARED
        );
        let mut took = self.all(&sql, (rig.as_str(), gates_hash), |row| row.get::<_, i64>(0))?;
        took.sort_unstable();
        Ok(took.get(took.len() / 2).map(|ms| ms.unsigned_abs()))
    }
}

impl Tx<'_> {
    /// Records that the gates were green in an attempt's own worktree, on this tree.
    pub fn set_worker_gates(&self, attempt: AttemptId, tree: &Sha, gates_hash: &str) -> LedgerResult<()> {
        self.execute(
            "INSERT OR REPLACE INTO worker_gates (attempt, tree, gates_hash, at) VALUES (?1, ?2, ?3, ?4)",
            (attempt.0, tree.as_str(), gates_hash, self.now().to_string()),
        )?;
        Ok(())
    }

    /// Records what a rig's gates are doing.
    pub fn set_gating(&self, gating: &Gating) -> LedgerResult<()> {
        self.execute(
            "INSERT OR REPLACE INTO gating VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            rusqlite::params![
                gating.rig.as_str(),
                gating.label,
                gating.commit.as_str(),
                to_json(&gating.batch)?,
                gating.gate,
                gating.place,
                gating.gates,
                gating.begun_at,
                gating.gate_begun_at,
            ],
        )?;
        Ok(())
    }

    /// Records that a rig's gates do nothing.
    pub fn clear_gating(&self, rig: &RigName) -> LedgerResult<()> {
        self.execute("DELETE FROM gating WHERE rig = ?1", [rig.as_str()])?;
        Ok(())
    }
}
