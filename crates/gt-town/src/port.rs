//! Beads out of the ledger and into it, as JSONL.

use std::collections::BTreeMap;

use gt_model::bead::{Bead, Status};
use gt_model::id::BeadId;
use gt_model::jsonl::{self, LineError, Record};
use serde::Serialize;

use crate::convoy;
use crate::error::{Error, Result};
use crate::ledger::{BeadFilter, View};
use crate::town::{Caller, TOWN_PREFIX, Town};

/// Up to which event the exported files are, as a setting of the ledger's.
const EXPORTED_KEY: &str = "exported_seq";

/// What an import did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// Beads that were not there before.
    pub added: usize,
    /// Beads that were replaced by a newer version.
    pub updated: usize,
    /// Beads that were the same, or newer here.
    pub kept: usize,
    /// Beads that somebody works on here: not touched.
    pub held: Vec<BeadId>,
    /// Lines that are no beads, kept as they are.
    pub foreign: usize,
    /// Lines that can't be read.
    pub bad_lines: Vec<String>,
}

/// Imports JSONL. A line that can't be read refuses the whole, unless `salvage`: then every good line is taken.
pub fn import(town: &Town, caller: &Caller, text: &[u8], salvage: bool) -> Result<Imported> {
    let parsed = jsonl::parse(text);
    let bad_lines: Vec<String> = parsed.errors.iter().map(LineError::to_string).collect();
    if !bad_lines.is_empty() && !salvage {
        let shown: Vec<&str> = bad_lines.iter().take(5).map(String::as_str).collect();
        let what = format!("{} lines can't be read, so nothing was imported:\n{}", bad_lines.len(), shown.join("\n"));
        return Err(Error::refused(what, "--salvage takes every good line and names each bad one"));
    }
    let imported = town.ledger.write(&caller.name(), "import", |tx| {
        let mut report = Imported { bad_lines, ..Imported::default() };
        let mut prefix = TOWN_PREFIX.to_owned();
        for record in &parsed.records {
            match record {
                Record::Bead(bead) => {
                    take_bead(tx, bead, &mut report)?;
                    prefix = prefix_of(bead).to_owned();
                }
                Record::Other { line } => {
                    tx.keep_foreign_record(&prefix, line)?;
                    report.foreign += 1;
                }
            }
        }
        Ok::<_, Error>(report)
    })?;
    town.wake();
    Ok(imported)
}

fn take_bead(tx: &crate::ledger::Tx<'_>, bead: &Bead, report: &mut Imported) -> Result<()> {
    match tx.bead(&bead.id)? {
        None => {
            tx.import_bead(bead)?;
            report.added += 1;
        }
        Some(ours) if &ours == bead || ours.updated_at.at > bead.updated_at.at => report.kept += 1,
        Some(_) if tx.live_attempt(&bead.id)?.is_some() => report.held.push(bead.id.clone()),
        Some(ours) => {
            tx.import_bead(bead)?;
            report.updated += 1;
            let is_over = |bead: &Bead| matches!(bead.status, Status::Closed | Status::Tombstone);
            if is_over(bead) && !is_over(&ours) {
                convoy::bead_finished(tx, &bead.id, "failed")?;
            }
        }
    }
    Ok(())
}

fn prefix_of(bead: &Bead) -> &str {
    bead.id.as_str().rsplit_once('-').map_or("", |(prefix, _)| prefix)
}

/// Beads as JSONL: of one prefix, or all.
pub fn export(view: &View<'_>, prefix: Option<&str>) -> Result<String> {
    let filter = BeadFilter { prefix: prefix.map(str::to_owned), all: true, ..BeadFilter::default() };
    let beads = view.beads(&filter)?.into_iter().filter(|bead| !bead.ephemeral);
    let mut records: Vec<Record> = beads.map(|bead| Record::Bead(Box::new(bead))).collect();
    let prefixes = match prefix {
        Some(prefix) => vec![prefix.to_owned()],
        None => view.prefixes()?,
    };
    for prefix in prefixes {
        records.extend(view.foreign_records(&prefix)?.into_iter().map(|line| Record::Other { line }));
    }
    Ok(jsonl::write(&records))
}

/// Writes the exported files of town and rigs anew, if anything has changed since.
pub fn export_changed(town: &Town) -> Result<()> {
    let (newest, exported) = town.ledger.read(|view| {
        let newest = view.last_events(None, 1)?.last().map_or(0, |event| event.seq);
        Ok::<_, Error>((newest, view.meta(EXPORTED_KEY)?))
    })?;
    if exported.and_then(|text| text.parse::<i64>().ok()) == Some(newest) {
        return Ok(());
    }
    let files = town.ledger.read(|view| {
        let mut files = BTreeMap::new();
        for rig in view.rigs()? {
            files.insert(town.layout.rig(&rig.name).export(), export(view, Some(&rig.prefix))?);
        }
        let rigs: Vec<String> = view.rigs()?.into_iter().map(|rig| rig.prefix).collect();
        let mut own = String::new();
        for prefix in view.prefixes()?.iter().filter(|prefix| !rigs.contains(prefix)) {
            own.push_str(&export(view, Some(prefix))?);
        }
        files.insert(town.layout.town_export(), own);
        Ok::<_, Error>(files)
    })?;
    for (path, text) in files {
        if town.world().disk().read(&path)?.as_deref() != Some(text.as_bytes()) {
            town.world().disk().write(&path, text.as_bytes())?;
        }
    }
    town.ledger.write("deacon/", "export", |tx| tx.set_meta(EXPORTED_KEY, &newest.to_string()).map_err(Error::from))
}
