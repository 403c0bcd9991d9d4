//! Current gate run of each rig, and how long its gates usually take.

use gt_model::id::{AttemptId, MrId, RigName, Sha};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;

use super::rigs::rig_name;
use super::times::Times;
use super::{LedgerResult, Tx, View, json_column, to_json};

/// A run of a rig's gates that has begun and whose end is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gating {
    /// Rig whose gates run.
    pub rig: RigName,
    /// First part of the names of its logs.
    pub label: String,
    /// Commit under test.
    pub commit: Sha,
    /// Merge requests that it would land; empty if the trunk itself is tested.
    pub batch: Vec<MrId>,
    /// Gate that runs; `None` during the set-up of the worktree.
    pub gate: Option<String>,
    /// Position of that gate; the first has 1.
    pub place: u32,
    /// Number of gates.
    pub gates: u32,
    /// When the run began.
    pub begun_at: Timestamp,
    /// When the current gate began.
    pub gate_begun_at: Timestamp,
}

/// How many recent runs the usual duration is the median of.
const RUNS_COMPARED: u32 = 9;

fn gating_row(row: &Row<'_>) -> rusqlite::Result<Gating> {
    let times = Times::of(row, "gating");
    Ok(Gating {
        rig: rig_name(&row.get::<_, String>("rig")?)?,
        label: row.get("label")?,
        commit: Sha(row.get("commit_tested")?),
        batch: json_column(row, "batch")?,
        gate: row.get("gate")?,
        place: row.get("place")?,
        gates: row.get("gates")?,
        begun_at: times.at("begun_at")?,
        gate_begun_at: times.at("gate_begun_at")?,
    })
}

impl View<'_> {
    /// Returns the rig's current gate run: the last one whose end is not recorded.
    pub fn gating(&self, rig: &RigName) -> LedgerResult<Option<Gating>> {
        self.one("SELECT * FROM gating WHERE rig = ?1", [rig.as_str()], gating_row)
    }

    /// Whether the gates passed in an attempt's own worktree when that last contained this tree.
    pub fn was_green_for(&self, attempt: AttemptId, tree: &Sha, gates_hash: &str) -> LedgerResult<bool> {
        let sql = "SELECT 1 FROM worker_gates WHERE attempt = ?1 AND tree = ?2 AND gates_hash = ?3";
        Ok(self.one(sql, (attempt.0, tree.as_str(), gates_hash), |_| Ok(()))?.is_some())
    }

    /// Returns the median duration of a rig's recent successful runs of these gates, in milliseconds. `None` if there was none.
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
    /// Records that the gates passed in an attempt's own worktree, on this tree.
    pub fn set_worker_gates(&self, attempt: AttemptId, tree: &Sha, gates_hash: &str) -> LedgerResult<()> {
        self.execute(
            "INSERT OR REPLACE INTO worker_gates (attempt, tree, gates_hash, at) VALUES (?1, ?2, ?3, ?4)",
            (attempt.0, tree.as_str(), gates_hash, self.now().to_string()),
        )?;
        Ok(())
    }

    /// Records the current gate run of a rig.
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
                gating.begun_at.to_string(),
                gating.gate_begun_at.to_string(),
            ],
        )?;
        Ok(())
    }

    /// Records that no gate of a rig runs.
    pub fn clear_gating(&self, rig: &RigName) -> LedgerResult<()> {
        self.execute("DELETE FROM gating WHERE rig = ?1", [rig.as_str()])?;
        Ok(())
    }
}
