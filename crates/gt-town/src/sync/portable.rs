//! Content of the ledger's branch: beads as other towns should see them, and the town's own settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_ledger::{Attempt, Elsewhere, LedgerError, RigRow, View};
use gt_model::bead::{Bead, Status};
use gt_model::id::{BeadId, slug};
use gt_model::jsonl::Record;
use gt_model::merge::{foreign_assignee, set_held_since};

use super::parts::{self, is_beads_file};
use crate::town::Town;
use crate::town::error::{Error, Result};

/// Maximum size of an exported settings file, in bytes. No person writes that much by hand.
const SETTINGS_LIMIT_BYTES: usize = 1 << 20;

/// File with the version of the branch's layout.
pub(super) const VERSION_FILE: &str = "VERSION";

/// Its content.
pub(super) const VERSION: &str = "2\n";

/// Accepted contents. In version 1 each prefix had one file of any length.
pub(super) const READABLE_VERSIONS: &[&str] = &["1", "2"];

/// Folder of the towns' settings, with one folder for each town.
const TOWNS: &str = "towns/";

/// File with the facts about a town's rigs that only the ledger holds.
const RIGS: &str = "rigs.json";

/// Number of beads read at a time.
const READ_AT_ONCE: u32 = 2000;

/// Whether only this town writes the file.
pub(super) fn is_own(town_id: &str, path: &str) -> bool {
    path == VERSION_FILE || is_beads_file(path) || path.starts_with(&own_folder(town_id))
}

/// Returns the file of a town's rigs.
pub(super) fn rigs_file(town_id: &str) -> String {
    format!("{}{RIGS}", own_folder(town_id))
}

fn own_folder(town_id: &str) -> String {
    format!("{TOWNS}{}/", slug(town_id))
}

/// View of this town's beads for other towns.
pub(super) struct Outlook {
    town_id: String,
    elsewhere: BTreeMap<BeadId, Elsewhere>,
    attempts: BTreeMap<BeadId, Attempt>,
}

impl Outlook {
    pub(super) fn of(view: &View<'_>, town_id: &str) -> Result<Self> {
        let attempts = view.live_attempts()?.into_iter().map(|attempt| (attempt.bead.clone(), attempt)).collect();
        Ok(Self { town_id: town_id.to_owned(), elsewhere: view.elsewhere()?, attempts })
    }

    /// Returns a bead as others see it: with the worker of this town and the start of its work, or with the pending change that
    /// others made.
    pub(super) fn shown(&self, bead: Bead) -> Bead {
        let is_over = matches!(bead.status, Status::Closed | Status::Tombstone);
        match self.elsewhere.get(&bead.id) {
            Some(state) if !is_over => state.apply(&bead),
            _ => self.held(bead),
        }
    }

    /// Returns a bead with the mark that this town works on it, if it does.
    pub(super) fn held(&self, bead: Bead) -> Bead {
        let Some(attempt) = self.attempts.get(&bead.id) else { return bead };
        let mut held = bead;
        held.assignee = Some(foreign_assignee(&self.town_id, &attempt.address().to_string()));
        set_held_since(&mut held, Some(&attempt.opened_at.to_string()));
        held
    }

    /// Returns the records of a prefix in file order.
    pub(super) fn records(&self, view: &View<'_>, prefix: &str) -> Result<Vec<Record>> {
        let others = view.foreign_records(prefix)?.into_iter().map(|line| Record::Other { line });
        let mut records: Vec<Record> = others.collect();
        let prefixes = [prefix.to_owned()];
        let mut after = String::new();
        loop {
            let beads = view.beads_after(&after, &prefixes, false, READ_AT_ONCE)?;
            let Some(last) = beads.last() else { return Ok(records) };
            after.clone_from(&last.id.0);
            records.extend(beads.into_iter().map(|bead| Record::Bead(Box::new(self.shown(bead)))));
        }
    }
}

/// Returns all prefixes that have anything to export.
pub(super) fn prefixes(view: &View<'_>) -> Result<BTreeSet<String>> {
    Ok(view.prefixes()?.into_iter().chain(view.foreign_prefixes()?).collect())
}

/// Returns all files that this town writes, from its current ledger and settings.
pub(super) fn files(town: &Town, town_id: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = town.ledger.read(|view| {
        let outlook = Outlook::of(view, town_id)?;
        let mut files = BTreeMap::new();
        for prefix in prefixes(view)? {
            let parts = parts::files(&prefix, &outlook.records(view, &prefix)?);
            files.extend(parts.into_iter().map(|(path, text)| (path, text.into_bytes())));
        }
        Ok::<_, Error>(files)
    })?;
    files.insert(VERSION_FILE.to_owned(), VERSION.as_bytes().to_vec());
    add_settings(town, &own_folder(town_id), &mut files)?;
    Ok(files)
}

/// Returns the text with the facts about rigs that only the ledger holds: prefix, remote and trunk.
fn rigs_text(rigs: &[RigRow]) -> Result<Vec<u8>> {
    let corrupt = |e: serde_json::Error| LedgerError::Corrupt { what: "a rig", text: e.to_string() };
    let mut text = serde_json::to_vec_pretty(rigs).map_err(corrupt)?;
    text.push(b'\n');
    Ok(text)
}

fn add_settings(town: &Town, folder: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut add = |name: String, path: &Path| -> Result<()> {
        let bytes = town.world().disk().read_own(path)?.filter(|bytes| bytes.len() <= SETTINGS_LIMIT_BYTES);
        files.extend(bytes.map(|bytes| (format!("{folder}{name}"), bytes)));
        Ok(())
    };
    add("town.toml".to_owned(), &town.layout.settings())?;
    let rigs = town.ledger.read(|view| view.rigs().map_err(Error::from))?;
    for rig in &rigs {
        add(format!("rigs/{}.toml", rig.name), &town.layout.rig(&rig.name).settings())?;
    }
    let formulas = town.layout.formulas();
    for name in town.world().disk().list_own(&formulas)? {
        // The record of shipped formulas is about this machine's gt.
        if let Some(stem) = name.strip_suffix(".toml").filter(|stem| !stem.starts_with('.')) {
            add(format!("formulas/{}.toml", slug(stem)), &formulas.join(&name))?;
        }
    }
    files.insert(format!("{folder}{RIGS}"), rigs_text(&rigs)?);
    Ok(())
}
