//! Runs of the gates without any cache, and what they confirm.

use gt_model::id::{RigName, Sha};
use rusqlite::Row;
use serde::Serialize;
use serde_json::json;

use super::{LedgerResult, Tx, Verdict, View};

/// A run of a rig's gates without any cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CleanRun {
    /// The last landing that it looks at; 0: none was there.
    pub landing: i64,
    /// The commit that was tested.
    pub commit: Sha,
    /// Its tree.
    pub tree: Sha,
    /// Whether all gates were green.
    pub passed: bool,
    /// The failing gate and its last lines.
    pub failure: Option<String>,
    /// Where its whole output is.
    pub log: String,
    /// When it ended.
    pub at: String,
}

/// Landings that were gated with caches, and that no clean run has looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarmLandings {
    /// How many.
    pub count: u64,
    /// When the first of them landed.
    pub first_at: Option<String>,
    /// The row id of the last.
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
        at: row.get("at")?,
    })
}

fn warm_row(row: &Row<'_>) -> rusqlite::Result<WarmLandings> {
    Ok(WarmLandings { count: row.get::<_, i64>(0)?.unsigned_abs(), first_at: row.get(1)?, last: row.get(2)? })
}

impl View<'_> {
    /// The last clean run of a rig.
    pub fn last_clean_run(&self, rig: &RigName) -> LedgerResult<Option<CleanRun>> {
        self.one("SELECT * FROM clean_runs WHERE rig = ?1 ORDER BY id DESC LIMIT 1", [rig.as_str()], clean_run_row)
    }

    /// The last green one.
    pub fn last_green_clean_run(&self, rig: &RigName) -> LedgerResult<Option<CleanRun>> {
        let sql = "SELECT * FROM clean_runs WHERE rig = ?1 AND passed ORDER BY id DESC LIMIT 1";
        self.one(sql, [rig.as_str()], clean_run_row)
    }

    /// Landings of a rig that were gated with caches, after the landing with this row id.
    pub fn warm_landings(&self, rig: &RigName, after: i64) -> LedgerResult<WarmLandings> {
        let sql = "SELECT count(*), min(landed_at), max(id) FROM landings
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
