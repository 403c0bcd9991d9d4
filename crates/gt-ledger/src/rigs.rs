//! Rigs, and the last known commits of their remotes' branches.

use std::collections::BTreeMap;

use gt_model::id::{RigName, Sha};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::json;

use super::times::Times;
use super::{LedgerResult, Tx, View, damaged};

/// A rig as the ledger knows it. Its settings are in its `rig.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RigRow {
    /// Its name.
    pub name: RigName,
    /// Prefix of its beads' ids.
    pub prefix: String,
    /// URL or path of the project's own repository.
    pub remote: String,
    /// Branch that work lands on.
    pub trunk: String,
    /// When it was added.
    pub added_at: Timestamp,
}

impl RigRow {
    /// Whether something from the time `at` belongs to this rig. A rig that was removed and added again under the same name has a
    /// new repository, and nothing from before belongs to it.
    pub fn was_there(&self, at: Timestamp) -> bool {
        at >= self.added_at
    }
}

pub(super) fn rig_name(text: &str) -> rusqlite::Result<RigName> {
    RigName::parse(text).map_err(damaged)
}

fn rig_row(row: &Row<'_>) -> rusqlite::Result<RigRow> {
    Ok(RigRow {
        name: rig_name(&row.get::<_, String>("name")?)?,
        prefix: row.get("prefix")?,
        remote: row.get("remote")?,
        trunk: row.get("trunk")?,
        added_at: Times::of(row, "rigs").at("added_at")?,
    })
}

impl View<'_> {
    /// Returns all rigs, by name.
    pub fn rigs(&self) -> LedgerResult<Vec<RigRow>> {
        self.all("SELECT * FROM rigs ORDER BY name", [], rig_row)
    }

    /// Returns the rig with this name; case is ignored.
    pub fn rig(&self, name: &str) -> LedgerResult<Option<RigRow>> {
        self.one("SELECT * FROM rigs WHERE name = ?1", [name], rig_row)
    }

    /// Returns the rig whose beads have this prefix.
    pub fn rig_of_prefix(&self, prefix: &str) -> LedgerResult<Option<RigRow>> {
        self.one("SELECT * FROM rigs WHERE prefix = ?1", [prefix], rig_row)
    }

    /// Returns the last known commits of the branches of a rig's remote.
    pub fn remote_refs(&self, rig: &RigName) -> LedgerResult<BTreeMap<String, Sha>> {
        let rows = self.all("SELECT branch, sha FROM remote_refs WHERE rig = ?1", [rig.as_str()], |row| {
            Ok((row.get(0)?, Sha(row.get(1)?)))
        })?;
        Ok(rows.into_iter().collect())
    }
}

impl Tx<'_> {
    /// Adds a rig.
    pub fn add_rig(&self, name: &RigName, prefix: &str, remote: &str, trunk: &str) -> LedgerResult<()> {
        let [prefix, remote, trunk] = [prefix, remote, trunk].map(str::to_owned);
        self.restore_rig(&RigRow { name: name.clone(), prefix, remote, trunk, added_at: self.now() })
    }

    /// Adds a rig of a lost ledger again, with the time when it was first added.
    pub fn restore_rig(&self, rig: &RigRow) -> LedgerResult<()> {
        self.execute(
            "INSERT INTO rigs VALUES (?1, ?2, ?3, ?4, ?5)",
            (rig.name.as_str(), &rig.prefix, &rig.remote, &rig.trunk, rig.added_at.to_string()),
        )?;
        let after = json!({ "prefix": rig.prefix, "remote": rig.remote, "trunk": rig.trunk });
        self.event("rig-added", rig.name.as_str(), None, None, Some(&after))
    }

    /// Deletes a rig and its conditions. Its beads stay.
    pub fn remove_rig(&self, name: &RigName) -> LedgerResult<()> {
        self.clear_rig(name)?;
        self.execute("DELETE FROM rigs WHERE name = ?1", [name.as_str()])?;
        self.event("rig-removed", name.as_str(), None, None, None)
    }

    /// Records the commits of the remote's branches.
    pub fn set_remote_refs(&self, rig: &RigName, refs: &BTreeMap<String, Sha>) -> LedgerResult<()> {
        if &self.remote_refs(rig)? == refs {
            return Ok(());
        }
        self.execute("DELETE FROM remote_refs WHERE rig = ?1", [rig.as_str()])?;
        for (branch, sha) in refs {
            self.execute("INSERT INTO remote_refs VALUES (?1, ?2, ?3)", (rig.as_str(), branch, sha.as_str()))?;
        }
        Ok(())
    }
}
