//! Merge requests, verdicts of the gates, and landings.

use gt_model::id::{AttemptId, BeadId, MrId, RigName, Sha};
use gt_model::landed::{Doubt, Origin};
use gt_model::queue::{MrEnd, StackEntry};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::json;

use super::rigs::rig_name;
use super::times::Times;
use super::{Attempt, LedgerResult, Tx, View, damaged, to_json};

/// Submitted branch that waits to land, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MergeRequest {
    /// Its id.
    pub id: MrId,
    /// Bead that the work is for.
    pub bead: BeadId,
    /// Attempt that submitted it.
    pub attempt: AttemptId,
    /// Rig that it belongs to.
    pub rig: RigName,
    /// Branch that it should land on.
    pub target: String,
    /// The worker's branch.
    pub branch: String,
    /// Submitted commit. The ref `refs/gt/mr/<id>` pins it.
    pub head: Sha,
    /// Trunk commit that the attempt was based on.
    pub base: Sha,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Person who approved it.
    pub approved_by: Option<String>,
    /// Why it is held back.
    pub held: Option<String>,
    /// Tree that landing it would produce, from the last try.
    pub candidate_tree: Option<Sha>,
    /// Row id of the landing that contains it.
    pub landing: Option<i64>,
    /// Its own commit in that landing.
    pub commit_landed: Option<Sha>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<MrEnd>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Author of the submitted commits; `None` until checked.
    pub origin: Option<Origin>,
    /// Why it can't land as the work of its own bead.
    pub doubt: Option<Doubt>,
    /// The worker's own work that is missing from the submitted commit, as the worker describes it.
    pub dropped: Option<String>,
    /// Why a person must review it before it lands. Empty: no review is needed. `None`: not checked yet.
    pub review: Option<String>,
}

impl MergeRequest {
    /// Returns why a person must review it, if there is a reason.
    pub fn reason(&self) -> Option<&str> {
        self.review.as_deref().filter(|why| !why.is_empty())
    }

    /// Returns the ref that pins its head.
    pub fn pin(&self) -> String {
        format!("refs/gt/mr/{}", self.id)
    }

    /// Returns the ref that keeps its landing commit.
    pub fn landing_ref(&self) -> String {
        format!("refs/gt/landing/{}", self.id)
    }
}

/// Result of running the gates on a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether all gates passed.
    pub passed: bool,
    /// Name of the failing gate and the last lines of its output.
    pub failure: Option<String>,
    /// Path of the whole output.
    pub log: String,
    /// Run time of the gates, in milliseconds.
    pub took_ms: u64,
    /// Whether caches of earlier runs existed. A clean run must confirm such a result.
    pub warm: bool,
}

/// One move of the remote's trunk branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Landing {
    /// Its row id.
    pub id: i64,
    /// Rig that it belongs to.
    pub rig: RigName,
    /// Branch that it moves.
    pub target: String,
    /// Commit that the branch must be at before the move.
    pub onto: Sha,
    /// Commit that the branch moves to.
    pub tip: Sha,
    /// Tree of `tip`. It passed the gates.
    pub tree: Sha,
    /// When the remote accepted it.
    pub landed_at: Option<Timestamp>,
    /// When the queue gave it up.
    pub abandoned_at: Option<Timestamp>,
}

fn mr_row(row: &Row<'_>) -> rusqlite::Result<MergeRequest> {
    let times = Times::of(row, "merge_requests");
    let outcome: Option<String> = row.get("outcome")?;
    Ok(MergeRequest {
        id: MrId(row.get("id")?),
        bead: BeadId(row.get("bead")?),
        attempt: AttemptId(row.get("attempt")?),
        rig: rig_name(&row.get::<_, String>("rig")?)?,
        target: row.get("target")?,
        branch: row.get("branch")?,
        head: Sha(row.get("head")?),
        base: Sha(row.get("base")?),
        submitted_at: times.at("submitted_at")?,
        approved_by: row.get("approved_by")?,
        held: row.get("held")?,
        candidate_tree: row.get::<_, Option<String>>("candidate_tree")?.map(Sha),
        landing: row.get("landing")?,
        commit_landed: row.get::<_, Option<String>>("commit_landed")?.map(Sha),
        ended_at: times.maybe("ended_at")?,
        outcome: outcome.and_then(|word| MrEnd::parse(&word)),
        failure: row.get("failure")?,
        origin: row.get::<_, Option<String>>("origin")?.and_then(|word| Origin::parse(&word)),
        doubt: row
            .get::<_, Option<String>>("doubt")?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(damaged)?,
        dropped: row.get("dropped")?,
        review: row.get("review")?,
    })
}

fn verdict_row(row: &Row<'_>) -> rusqlite::Result<Verdict> {
    Ok(Verdict {
        passed: row.get(0)?,
        failure: row.get(1)?,
        log: row.get(2)?,
        took_ms: row.get::<_, i64>(3)?.unsigned_abs(),
        warm: row.get(4)?,
    })
}

fn landing_row(row: &Row<'_>) -> rusqlite::Result<Landing> {
    let times = Times::of(row, "landings");
    Ok(Landing {
        id: row.get("id")?,
        rig: rig_name(&row.get::<_, String>("rig")?)?,
        target: row.get("target")?,
        onto: Sha(row.get("onto")?),
        tip: Sha(row.get("tip")?),
        tree: Sha(row.get("tree")?),
        landed_at: times.maybe("landed_at")?,
        abandoned_at: times.maybe("abandoned_at")?,
    })
}

impl View<'_> {
    /// Returns the merge request with this id.
    pub fn merge_request(&self, id: &MrId) -> LedgerResult<Option<MergeRequest>> {
        self.one("SELECT * FROM merge_requests WHERE id = ?1", [id.as_str()], mr_row)
    }

    /// Returns the merge requests that have not ended, first submitted first. With `rig`, only those of that rig.
    pub fn open_merge_requests(&self, rig: Option<&RigName>) -> LedgerResult<Vec<MergeRequest>> {
        self.all(
            "SELECT * FROM merge_requests WHERE ended_at IS NULL AND (?1 IS NULL OR rig = ?1) ORDER BY submitted_at, id",
            [rig.map(RigName::as_str)],
            mr_row,
        )
    }

    /// Returns all merge requests, first submitted first.
    pub fn merge_requests(&self) -> LedgerResult<Vec<MergeRequest>> {
        self.all("SELECT * FROM merge_requests ORDER BY submitted_at, id", [], mr_row)
    }

    /// Returns the merge requests that have landed in a rig, first submitted first.
    pub fn landed_merge_requests(&self, rig: &RigName) -> LedgerResult<Vec<MergeRequest>> {
        let sql = "SELECT * FROM merge_requests WHERE rig = ?1 AND outcome = 'merged' AND commit_landed IS NOT NULL
                   ORDER BY submitted_at, id";
        self.all(sql, [rig.as_str()], mr_row)
    }

    /// Returns the merge requests of a landing, in the order of their commits.
    pub fn merge_requests_of_landing(&self, landing: i64) -> LedgerResult<Vec<MergeRequest>> {
        self.all("SELECT * FROM merge_requests WHERE landing = ?1 ORDER BY submitted_at, id", [landing], mr_row)
    }

    /// Returns how often the queue sent work on a bead back.
    pub fn rework_count(&self, bead: &BeadId) -> LedgerResult<u32> {
        let sql = "SELECT count(*) FROM merge_requests WHERE bead = ?1 AND outcome = 'rework'";
        Ok(self.one(sql, [bead.as_str()], |row| row.get(0))?.unwrap_or(0))
    }

    /// Returns the landing commit of a bead in a rig.
    pub fn landed_commit(&self, rig: &RigName, bead: &BeadId) -> LedgerResult<Option<Sha>> {
        self.one(
            "SELECT commit_landed FROM merge_requests WHERE rig = ?1 AND bead = ?2 AND outcome = 'merged'
             ORDER BY ended_at DESC LIMIT 1",
            (rig.as_str(), bead.as_str()),
            |row| Ok(Sha(row.get(0)?)),
        )
    }

    /// Returns the verdict on a tree, if the gates ran on it with their current configuration.
    pub fn verdict(&self, rig: &RigName, tree: &Sha, gates_hash: &str) -> LedgerResult<Option<Verdict>> {
        self.one(
            "SELECT passed, failure, log, took_ms, warm FROM verdicts WHERE rig = ?1 AND tree = ?2 AND gates_hash = ?3",
            (rig.as_str(), tree.as_str(), gates_hash),
            verdict_row,
        )
    }

    /// Returns the last verdict on a tree, with any configuration of the gates.
    pub fn last_verdict(&self, rig: &RigName, tree: &Sha) -> LedgerResult<Option<Verdict>> {
        self.one(
            "SELECT passed, failure, log, took_ms, warm FROM verdicts WHERE rig = ?1 AND tree = ?2 ORDER BY at DESC LIMIT 1",
            (rig.as_str(), tree.as_str()),
            verdict_row,
        )
    }

    /// Returns the rig's open landing: it is decided, and the remote has neither accepted it nor has the queue given it up.
    pub fn open_landing(&self, rig: &RigName) -> LedgerResult<Option<Landing>> {
        self.one(
            "SELECT * FROM landings WHERE rig = ?1 AND landed_at IS NULL AND abandoned_at IS NULL",
            [rig.as_str()],
            landing_row,
        )
    }

    /// Returns the landing with this row id.
    pub fn landing(&self, id: i64) -> LedgerResult<Option<Landing>> {
        self.one("SELECT * FROM landings WHERE id = ?1", [id], landing_row)
    }

    /// Returns all landings that the remote accepted, in order.
    pub fn landings(&self) -> LedgerResult<Vec<Landing>> {
        self.all("SELECT * FROM landings WHERE landed_at IS NOT NULL ORDER BY id", [], landing_row)
    }
}

impl Tx<'_> {
    /// Queues a submitted attempt. It supersedes an older merge request of the same bead.
    pub fn open_merge_request(
        &self,
        attempt: &Attempt,
        target: &str,
        head: &Sha,
        base: &Sha,
    ) -> LedgerResult<MergeRequest> {
        let id = MrId(format!("mr-{}-{}", attempt.slug(), attempt.number));
        self.execute(
            "UPDATE merge_requests SET ended_at = ?2, outcome = 'superseded' WHERE bead = ?1 AND ended_at IS NULL",
            (attempt.bead.as_str(), self.now().to_string()),
        )?;
        self.execute(
            "INSERT INTO merge_requests (id, bead, attempt, rig, target, branch, head, base, submitted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            rusqlite::params![
                id.as_str(),
                attempt.bead.as_str(),
                attempt.id.0,
                attempt.rig.as_str(),
                target,
                attempt.branch,
                head.as_str(),
                base.as_str(),
                self.now().to_string(),
            ],
        )?;
        self.event("mr-opened", id.as_str(), Some(&attempt.bead), None, Some(&json!({ "head": head })))?;
        self.merge_request(&id)?.ok_or(super::LedgerError::Corrupt { what: "a merge request", text: id.0 })
    }

    /// Records who approved a merge request. The approval lifts a hold.
    pub fn approve(&self, mr: &MergeRequest) -> LedgerResult<()> {
        self.execute(
            "UPDATE merge_requests SET approved_by = ?2, held = NULL WHERE id = ?1",
            (mr.id.as_str(), self.actor()),
        )?;
        self.event("mr-approved", mr.id.as_str(), Some(&mr.bead), None, None)
    }

    /// Records why a person must review a merge request. Empty: no review is needed.
    pub fn set_review(&self, mr: &MergeRequest, why: &str) -> LedgerResult<()> {
        self.execute("UPDATE merge_requests SET review = ?2 WHERE id = ?1", (mr.id.as_str(), why))?;
        if why.is_empty() {
            return Ok(());
        }
        self.event("mr-review", mr.id.as_str(), Some(&mr.bead), None, Some(&json!({ "why": why })))
    }

    /// Holds a merge request back, with the reason `why`.
    pub fn hold(&self, mr: &MergeRequest, why: &str) -> LedgerResult<()> {
        if mr.held.as_deref() == Some(why) {
            return Ok(());
        }
        self.execute("UPDATE merge_requests SET held = ?2 WHERE id = ?1", (mr.id.as_str(), why))?;
        self.event("mr-held", mr.id.as_str(), Some(&mr.bead), None, Some(&json!({ "why": why })))
    }

    /// Lifts a hold and clears a doubt. If their reason still exists, the next check records it again. Returns false if there was
    /// neither.
    pub fn unhold(&self, mr: &MergeRequest) -> LedgerResult<bool> {
        if mr.held.is_none() && mr.doubt.is_none() {
            return Ok(false);
        }
        self.execute("UPDATE merge_requests SET held = NULL, doubt = NULL WHERE id = ?1", [mr.id.as_str()])?;
        let was = json!({ "was": mr.held, "doubt": mr.doubt });
        self.event("mr-retried", mr.id.as_str(), Some(&mr.bead), None, Some(&was))?;
        Ok(true)
    }

    /// Records who made the submitted commits, and which of its own work the worker says is missing from them.
    pub fn set_origin(&self, mr: &MrId, origin: Origin, dropped: Option<&str>) -> LedgerResult<()> {
        self.execute(
            "UPDATE merge_requests SET origin = ?2, dropped = ?3 WHERE id = ?1",
            (mr.as_str(), origin.as_str(), dropped),
        )?;
        Ok(())
    }

    /// Records why a merge request can't land as the work of its own bead.
    pub fn set_doubt(&self, mr: &MergeRequest, doubt: &Doubt) -> LedgerResult<()> {
        if mr.doubt.as_ref() == Some(doubt) {
            return Ok(());
        }
        let text = to_json(doubt)?;
        self.execute("UPDATE merge_requests SET doubt = ?2 WHERE id = ?1", (mr.id.as_str(), text))?;
        self.event("mr-doubted", mr.id.as_str(), Some(&mr.bead), None, Some(&json!(doubt)))
    }

    /// Records the tree that landing a merge request would produce.
    pub fn set_candidate(&self, mr: &MrId, tree: &Sha) -> LedgerResult<()> {
        self.execute("UPDATE merge_requests SET candidate_tree = ?2 WHERE id = ?1", (mr.as_str(), tree.as_str()))?;
        Ok(())
    }

    /// Records the end of a merge request; does nothing if it has ended already.
    pub fn end_merge_request(&self, mr: &MergeRequest, end: MrEnd, failure: Option<&str>) -> LedgerResult<()> {
        self.execute(
            "UPDATE merge_requests SET ended_at = ?2, outcome = ?3, failure = ?4, landing = iif(?3 = 'merged', landing, NULL)
             WHERE id = ?1 AND ended_at IS NULL",
            (mr.id.as_str(), self.now().to_string(), end.as_str(), failure),
        )?;
        let after = json!({ "failure": failure });
        self.event(&format!("mr-{}", end.as_str()), mr.id.as_str(), Some(&mr.bead), None, Some(&after))
    }

    /// Records the result of running the gates on a tree.
    pub fn set_verdict(&self, rig: &RigName, tree: &Sha, gates_hash: &str, verdict: &Verdict) -> LedgerResult<()> {
        self.execute(
            "INSERT OR REPLACE INTO verdicts (rig, tree, gates_hash, passed, failure, log, took_ms, at, warm)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            rusqlite::params![
                rig.as_str(),
                tree.as_str(),
                gates_hash,
                verdict.passed,
                verdict.failure,
                verdict.log,
                i64::try_from(verdict.took_ms).unwrap_or(i64::MAX),
                self.now().to_string(),
                verdict.warm,
            ],
        )?;
        Ok(())
    }

    /// Records the decision to land a tested stack. A rig's branch has at most one open landing.
    pub fn open_landing_of(
        &self,
        rig: &RigName,
        target: &str,
        onto: &Sha,
        stack: &[StackEntry],
    ) -> LedgerResult<Option<i64>> {
        let Some(tip) = stack.last() else { return Ok(None) };
        self.execute(
            "INSERT INTO landings (rig, target, onto, tip, tree, decided_at, warm) VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(
                 (SELECT warm FROM verdicts WHERE rig = ?1 AND tree = ?5 ORDER BY at DESC LIMIT 1), 0))",
            (rig.as_str(), target, onto.as_str(), tip.commit.as_str(), tip.tree.as_str(), self.now().to_string()),
        )?;
        let id = self.connection.last_insert_rowid();
        for entry in stack {
            self.execute(
                "UPDATE merge_requests SET landing = ?2, commit_landed = ?3 WHERE id = ?1 AND ended_at IS NULL",
                (entry.mr.as_str(), id, entry.commit.as_str()),
            )?;
        }
        Ok(Some(id))
    }

    /// Records that the remote accepted a landing.
    pub fn finish_landing(&self, landing: &Landing) -> LedgerResult<()> {
        self.execute(
            "UPDATE landings SET landed_at = ?2 WHERE id = ?1 AND landed_at IS NULL",
            (landing.id, self.now().to_string()),
        )?;
        let after = json!({ "onto": landing.onto, "tip": landing.tip });
        self.event("landed", landing.id.to_string().as_str(), None, None, Some(&after))
    }

    /// Gives a landing up. Its merge requests wait again.
    pub fn abandon_landing(&self, landing: &Landing, why: &str) -> LedgerResult<()> {
        self.execute(
            "UPDATE landings SET abandoned_at = ?2, why = ?3 WHERE id = ?1",
            (landing.id, self.now().to_string(), why),
        )?;
        self.execute(
            "UPDATE merge_requests SET landing = NULL, commit_landed = NULL WHERE landing = ?1 AND ended_at IS NULL",
            [landing.id],
        )?;
        self.event("landing-abandoned", &landing.id.to_string(), None, None, Some(&json!({ "why": why })))
    }

    /// Records the commit that brought a merge request to the trunk.
    pub fn set_landed_commit(&self, mr: &MrId, commit: &Sha) -> LedgerResult<()> {
        self.execute("UPDATE merge_requests SET commit_landed = ?2 WHERE id = ?1", (mr.as_str(), commit.as_str()))?;
        Ok(())
    }

    /// Records that landed work is no longer on the trunk and must not return to it.
    pub fn unland(&self, mr: &MergeRequest, why: &str) -> LedgerResult<()> {
        self.execute(
            "UPDATE merge_requests SET outcome = ?2, failure = ?3, commit_landed = NULL, landing = NULL WHERE id = ?1",
            (mr.id.as_str(), MrEnd::Rejected.as_str(), why),
        )?;
        let was = json!({ "commit_landed": mr.commit_landed });
        self.event("mr-unlanded", mr.id.as_str(), Some(&mr.bead), Some(&was), Some(&json!({ "why": why })))
    }

    /// Deletes the failed verdicts of a rig, so that the gates run again on those trees.
    pub fn forget_red_verdicts(&self, rig: &RigName) -> LedgerResult<()> {
        self.execute("DELETE FROM verdicts WHERE rig = ?1 AND NOT passed", [rig.as_str()])?;
        Ok(())
    }
}
