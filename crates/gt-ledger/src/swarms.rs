//! Swarms: batches of beads that one `gt sling` call, or one round of feeding a convoy, dispatched.

use gt_model::id::{BeadId, RigName};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;

use super::rigs::rig_name;
use super::times::Times;
use super::{LedgerResult, Tx, View};

/// A batch of dispatched beads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Swarm {
    /// Its row id.
    pub id: i64,
    /// Convoy that its beads belong to.
    pub convoy: BeadId,
    /// Rig that they were dispatched to.
    pub rig: RigName,
    /// Person or agent that dispatched them.
    pub dispatched_by: String,
    /// When they were dispatched.
    pub started_at: Timestamp,
    /// When the last bead of the batch was finished.
    pub completed_at: Option<Timestamp>,
}

/// A bead of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SwarmMember {
    /// Id of the bead.
    pub bead: BeadId,
    /// `merged` or `failed`; `None` until finished.
    pub outcome: Option<String>,
}

fn swarm_row(row: &Row<'_>) -> rusqlite::Result<Swarm> {
    let times = Times::of(row, "swarms");
    Ok(Swarm {
        id: row.get("id")?,
        convoy: BeadId(row.get("convoy")?),
        rig: rig_name(&row.get::<_, String>("rig")?)?,
        dispatched_by: row.get("dispatched_by")?,
        started_at: times.at("started_at")?,
        completed_at: times.maybe("completed_at")?,
    })
}

impl View<'_> {
    /// Returns all batches, oldest first.
    pub fn swarms(&self) -> LedgerResult<Vec<Swarm>> {
        self.all("SELECT * FROM swarms ORDER BY id", [], swarm_row)
    }

    /// Returns the open convoys that have a dispatched batch.
    pub fn open_convoys_begun(&self) -> LedgerResult<Vec<BeadId>> {
        let sql = "SELECT id FROM beads INDEXED BY open_convoys WHERE issue_type = 'convoy' AND status NOT IN ('closed', 'tombstone')
                       AND EXISTS (SELECT 1 FROM swarms WHERE convoy = beads.id) ORDER BY id";
        self.all(sql, [], |row| Ok(BeadId(row.get(0)?)))
    }

    /// Returns the beads of a batch.
    pub fn swarm_members(&self, swarm: i64) -> LedgerResult<Vec<SwarmMember>> {
        self.all("SELECT bead, outcome FROM swarm_members WHERE swarm = ?1 ORDER BY bead", [swarm], |row| {
            Ok(SwarmMember { bead: BeadId(row.get(0)?), outcome: row.get(1)? })
        })
    }

    /// Returns the batches that wait for a bead.
    pub fn open_swarms_of(&self, bead: &BeadId) -> LedgerResult<Vec<Swarm>> {
        self.all(
            "SELECT s.* FROM swarms s JOIN swarm_members m ON m.swarm = s.id
             WHERE m.bead = ?1 AND m.outcome IS NULL ORDER BY s.id",
            [bead.as_str()],
            swarm_row,
        )
    }
}

impl Tx<'_> {
    /// Opens a batch. Returns its row id.
    pub fn open_swarm(&self, convoy: &BeadId, rig: &RigName, beads: &[BeadId]) -> LedgerResult<i64> {
        self.execute(
            "INSERT INTO swarms (convoy, rig, dispatched_by, started_at) VALUES (?1, ?2, ?3, ?4)",
            (convoy.as_str(), rig.as_str(), self.actor(), self.now().to_string()),
        )?;
        let id = self.connection.last_insert_rowid();
        for bead in beads {
            self.execute("INSERT INTO swarm_members (swarm, bead) VALUES (?1, ?2)", (id, bead.as_str()))?;
        }
        self.event("swarm-started", &id.to_string(), None, None, None)?;
        Ok(id)
    }

    /// Records that a bead of a batch is finished.
    pub fn finish_member(&self, swarm: i64, bead: &BeadId, outcome: &str) -> LedgerResult<()> {
        self.execute(
            "UPDATE swarm_members SET outcome = ?3 WHERE swarm = ?1 AND bead = ?2 AND outcome IS NULL",
            (swarm, bead.as_str(), outcome),
        )?;
        Ok(())
    }

    /// Completes a batch if all its beads are finished. Returns true only for the call that completes it.
    pub fn complete_swarm(&self, swarm: i64) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE swarms SET completed_at = ?2 WHERE id = ?1 AND completed_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM swarm_members WHERE swarm = ?1 AND outcome IS NULL)",
            (swarm, self.now().to_string()),
        )?;
        if changed == 1 {
            self.event("swarm-completed", &swarm.to_string(), None, None, None)?;
        }
        Ok(changed == 1)
    }
}
