//! Runs of the gates without any cache, and the landings that they confirm.

use gt_model::id::{RigName, Sha};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::json;

use super::times::Times;
use super::{LedgerResult, Tx, Verdict, View};

/// A run of a rig's gates without any cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CleanRun {
    /// Row id of the last landing that the run covers; 0 if there was none.
    pub landing: i64,
    /// Commit that was tested.
    pub commit: Sha,
    /// Tree of that commit.
    pub tree: Sha,
    /// Whether all gates passed.
    pub passed: bool,
    /// Name of the failing gate and the last lines of its output.
    pub failure: Option<String>,
    /// Path of the whole output.
    pub log: String,
    /// When the run ended.
    pub at: Timestamp,
}

/// Landings whose gates ran with caches, and that no clean run has covered yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarmLandings {
    /// Number of these landings.
    pub count: u64,
    /// When the first of them landed.
    pub first_at: Option<Timestamp>,
    /// Row id of the last of them.
    pub last: Option<i64>,
}

fn clean_run_row(row: &Row<'_>) -> rusqlite::Result<CleanRun> {
    Ok(CleanRun {
        landing: row.get("landing")?,
        commit: Sha(row.get("commit_tested")?),
        tree: Sha(row.get("tree")?),
        passed: row.get("passed")?,
        failure: row.get("failure")?,
        log: row.get("log")?,
        at: Times::of(row, "clean_runs").at("at")?,
    })
}

fn warm_row(row: &Row<'_>) -> rusqlite::Result<WarmLandings> {
    Ok(WarmLandings {
        count: row.get::<_, i64>("count")?.unsigned_abs(),
        first_at: Times::of(row, "landings").maybe("first_at")?,
        last: row.get("last")?,
    })
}

impl View<'_> {
    /// Returns the last clean run of a rig.
    pub fn last_clean_run(&self, rig: &RigName) -> LedgerResult<Option<CleanRun>> {
        self.one("SELECT * FROM clean_runs WHERE rig = ?1 ORDER BY id DESC LIMIT 1", [rig.as_str()], clean_run_row)
    }

    /// Returns the last successful clean run of a rig.
    pub fn last_green_clean_run(&self, rig: &RigName) -> LedgerResult<Option<CleanRun>> {
        let sql = "SELECT * FROM clean_runs WHERE rig = ?1 AND passed ORDER BY id DESC LIMIT 1";
        self.one(sql, [rig.as_str()], clean_run_row)
    }

    /// Returns the landings of a rig whose gates ran with caches, after the landing with row id `after`.
    pub fn warm_landings(&self, rig: &RigName, after: i64) -> LedgerResult<WarmLandings> {
        let sql = "SELECT ?1 AS rig, count(*) AS count, min(landed_at) AS first_at, max(id) AS last FROM landings
             WHERE rig = ?1 AND id > ?2 AND warm AND landed_at IS NOT NULL";
        Ok(self.one(sql, (rig.as_str(), after), warm_row)?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Records a clean run.
    pub fn add_clean_run(
        &self,
        rig: &RigName,
        landing: i64,
        commit: &Sha,
        tree: &Sha,
        verdict: &Verdict,
    ) -> LedgerResult<()> {
        self.execute(
            "INSERT INTO clean_runs (rig, landing, commit_tested, tree, passed, failure, log, took_ms, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            rusqlite::params![
                rig.as_str(),
                landing,
                commit.as_str(),
                tree.as_str(),
                verdict.passed,
                verdict.failure,
                verdict.log,
                i64::try_from(verdict.took_ms).unwrap_or(i64::MAX),
                self.now().to_string(),
            ],
        )?;
        let after = json!({ "commit": commit, "tree": tree, "passed": verdict.passed });
        self.event("clean-run", rig.as_str(), None, None, Some(&after))
    }
}
