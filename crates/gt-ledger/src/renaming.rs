//! Renames beads: changes a bead's id and everything that refers to it.

use gt_model::bead::Bead;
use gt_model::id::BeadId;
use gt_model::merge::{self, Renamed};
use serde_json::json;

use super::{LedgerResult, Tx};

/// Tables with a bead's own rows, and their id columns.
const OWN: [(&str, &str); 4] =
    [("beads", "id"), ("labels", "issue_id"), ("comments", "issue_id"), ("dependencies", "issue_id")];

/// Columns of other rows that contain ids of beads.
const REFERENCES: [(&str, &str); 14] = [
    ("dependencies", "depends_on_id"),
    ("dependencies", "owner"),
    ("attempts", "convoy"),
    ("effects", "bead"),
    ("molecules", "bead"),
    ("molecules", "convoy"),
    ("steps", "bead"),
    ("merge_requests", "bead"),
    ("swarms", "convoy"),
    ("swarm_members", "bead"),
    ("deliveries", "mail"),
    ("elsewhere", "bead"),
    ("unsettled_convoys", "convoy"),
    ("events", "bead"),
];

/// Changes that need more than a new value in one column. An attempt's names in git stay, and a condition's key contains its
/// subject.
const SPECIAL: [&str; 3] = [
    "UPDATE attempts SET bead = ?2, named = coalesce(named, ?1) WHERE bead = ?1",
    "UPDATE OR REPLACE conditions SET subject = ?2, key = kind || ':' || ?2 WHERE subject = ?1",
    "UPDATE events SET subject = ?2 WHERE bead = ?2 AND subject = ?1",
];

impl Tx<'_> {
    /// Changes the id of a bead from `rename.from` to `rename.to`: in its rows, edges, attempts, merge requests and history. If a
    /// bead with the new id exists, it is the same bead; the two are merged.
    pub fn rename_bead(&self, rename: &Renamed) -> LedgerResult<()> {
        let (from, to) = (&rename.from, &rename.to);
        let both = (from.as_str(), to.as_str());
        let change = |(table, column): &(&str, &str)| {
            self.execute(&format!("UPDATE OR REPLACE {table} SET {column} = ?2 WHERE {column} = ?1"), both).map(drop)
        };
        let mut waiting: Vec<BeadId> = self.dependents(from)?.into_iter().map(|dep| dep.issue_id).collect();
        waiting.dedup();
        // Rows of several tables that refer to each other change, so foreign keys are checked at the commit.
        self.connection.pragma_update(None, "defer_foreign_keys", true)?;
        if self.has_bead(to)? {
            self.unite(from, to)?;
        } else {
            OWN.iter().try_for_each(change)?;
        }
        REFERENCES.iter().try_for_each(change)?;
        for sql in SPECIAL {
            self.execute(sql, both)?;
        }
        // This row still exists only if the two beads were merged.
        self.execute("DELETE FROM beads WHERE id = ?1", [from.as_str()])?;
        for id in waiting.iter().filter(|id| *id != from) {
            let (old, new) = (json!({ "depends_on_id": from }), json!({ "depends_on_id": to }));
            self.event("dependency-renamed", id.as_str(), Some(id), Some(&old), Some(&new))?;
        }
        self.event("bead-renamed", to.as_str(), Some(to), Some(&json!({ "id": from })), Some(&json!({ "id": to })))
    }

    /// Merges the two rows of one bead into the row with the new id.
    fn unite(&self, from: &BeadId, to: &BeadId) -> LedgerResult<()> {
        let renamed = |bead: Bead| Bead { id: to.clone(), ..bead };
        let (old, new) = (self.bead(from)?.map(renamed), self.bead(to)?);
        let (merged, _) = merge::merge_bead(None, old.as_ref(), new.as_ref());
        match (new, merged) {
            (Some(new), Some(merged)) => self.import_bead(Some(&new), &merged, None),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use gt_world::real::RealWorld;

    /// Columns with these names contain ids of beads, in every table.
    const NAMES: [&str; 6] = ["bead", "convoy", "mail", "issue_id", "depends_on_id", "owner"];

    #[test]
    fn every_column_that_refers_to_a_bead_follows_when_it_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(RealWorld::new(Path::new("").to_owned()));
        let ledger = super::super::Ledger::create(&folder.path().join("beads.db"), world).unwrap();
        let columns = ledger
            .read(|view| {
                let sql =
                    "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'";
                view.all(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            })
            .unwrap();
        for (table, column) in columns.iter().filter(|(_, column)| NAMES.contains(&column.as_str())) {
            let known = OWN.iter().chain(&REFERENCES).any(|known| *known == (table.as_str(), column.as_str()));
            assert!(
                known || SPECIAL.iter().any(|sql| sql.contains(&format!("UPDATE {table} SET {column}"))),
                "{table}.{column}"
            );
        }
        for (table, column) in OWN.iter().chain(&REFERENCES) {
            assert!(
                columns.iter().any(|known| *known == ((*table).to_owned(), (*column).to_owned())),
                "{table}.{column}"
            );
        }
    }
}
