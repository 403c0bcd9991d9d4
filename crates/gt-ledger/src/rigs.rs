//! Rigs, and where their remotes' branches were when last seen.

use std::collections::BTreeMap;

use gt_model::id::{RigName, Sha};
use rusqlite::Row;
use serde::Serialize;
use serde_json::json;

use super::{LedgerResult, Tx, View, damaged};

/// A rig, as the ledger knows it; its settings are in its `rig.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RigRow {
    /// Its name.
    pub name: RigName,
    /// The prefix of its beads' ids.
    pub prefix: String,
    /// The URL or path of the project's own repository.
    pub remote: String,
    /// The branch that work lands on.
    pub trunk: String,
    /// When it was added.
    pub added_at: String,
}

impl RigRow {
    /// Whether something of that time is this rig's: one that was removed and added again under the same name has a
    /// repository of its own, and knows nothing of what was before.
    pub fn was_there(&self, at: &str) -> bool {
        let parsed = (at.parse::<jiff::Timestamp>(), self.added_at.parse::<jiff::Timestamp>());
        matches!(parsed, (Ok(at), Ok(added)) if at >= added)
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
        added_at: row.get("added_at")?,
    })
}

impl View<'_> {
    /// All rigs, by name.
    pub fn rigs(&self) -> LedgerResult<Vec<RigRow>> {
        self.all("SELECT * FROM rigs ORDER BY name", [], rig_row)
    }

    /// The rig of that name, whatever its case.
    pub fn rig(&self, name: &str) -> LedgerResult<Option<RigRow>> {
        self.one("SELECT * FROM rigs WHERE name = ?1", [name], rig_row)
    }

    /// The rig whose beads have that prefix.
    pub fn rig_of_prefix(&self, prefix: &str) -> LedgerResult<Option<RigRow>> {
        self.one("SELECT * FROM rigs WHERE prefix = ?1", [prefix], rig_row)
    }

    /// Where the branches of a rig's remote were, as far as we know.
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
        self.restore_rig(&RigRow { name: name.clone(), prefix, remote, trunk, added_at: self.now().to_string() })
    }

    /// Adds a rig that was there at another time, of a ledger that was lost.
    pub fn restore_rig(&self, rig: &RigRow) -> LedgerResult<()> {
        self.execute(
            "INSERT INTO rigs VALUES (?1, ?2, ?3, ?4, ?5)",
            (rig.name.as_str(), &rig.prefix, &rig.remote, &rig.trunk, &rig.added_at),
        )?;
        let after = json!({ "prefix": rig.prefix, "remote": rig.remote, "trunk": rig.trunk });
        self.event("rig-added", rig.name.as_str(), None, None, Some(&after))
    }

    /// Forgets a rig, and what was wrong with it; its beads stay.
    pub fn remove_rig(&self, name: &RigName) -> LedgerResult<()> {
        self.clear_rig(name)?;
        self.execute("DELETE FROM rigs WHERE name = ?1", [name.as_str()])?;
        self.event("rig-removed", name.as_str(), None, None, None)
    }

    /// Records where the remote's branches are.
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
