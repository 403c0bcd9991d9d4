//! Exports beads from the ledger to JSONL, and imports them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gt_ledger::TOWN_PREFIX;
use gt_ledger::{Bulk, Ledger, Tx, View};
use gt_model::bead::{Bead, Status};
use gt_model::id::BeadId;
use gt_model::jsonl::{self, LineError, Record};
use gt_model::merge::{self, Apart, Loss, Renamed, TakenAway};
use serde::Serialize;

use crate::sync::Lost;
use crate::sync::rebuild;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::convoy;

/// Ledger setting with the last event that the exported files include.
const EXPORTED_KEY: &str = "exported_seq";

/// Options of an import.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Import every readable line even if others can't be read.
    pub salvage: bool,
    /// Let the file's version replace ours if it is not older, instead of merging the two.
    pub replace: bool,
    /// Only report what would happen.
    pub rehearse: bool,
}

/// Result of an import.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// Number of beads that were new.
    pub added: usize,
    /// Number of beads that the file's version changed.
    pub updated: usize,
    /// Number of beads that stayed unchanged.
    pub kept: usize,
    /// Beads that were left unchanged because a worker or person here is working on them.
    pub held: Vec<BeadId>,
    /// Our values that stayed although the file has others.
    pub kept_values: Values,
    /// Our values that the file's values replaced. The audit log has them.
    pub replaced_values: Values,
    /// Beads that got new ids, because a different bead with the same id keeps it.
    pub renamed: Vec<Renamed>,
    /// Number of lines that are not beads. They are kept unchanged.
    pub foreign: usize,
    /// Unreadable lines.
    pub bad_lines: Vec<String>,
    /// Lines with an escaped NUL character, which was read as U+FFFD.
    pub nul_lines: Vec<usize>,
}

/// Values that lost against others: the first ones, and the number of the rest.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Values {
    /// The first ones.
    pub first: Vec<Lost>,
    /// Number of the rest.
    pub more: usize,
}

/// Maximum number of values in a report, so that it does not grow as large as the ledger.
const VALUES_LISTED: usize = 1000;

impl Values {
    fn add(&mut self, losses: Vec<Loss>) {
        let room = VALUES_LISTED.saturating_sub(self.first.len());
        self.more += losses.len().saturating_sub(room);
        self.first.extend(losses.into_iter().take(room).map(Lost::from));
    }

    /// Returns the total number.
    pub fn count(&self) -> usize {
        self.first.len() + self.more
    }
}

/// Minimum size in bytes of an import that updates derived data only once, at its end.
const BULK_BYTES: usize = 256 * 1024;

/// Imports JSONL. If a line can't be read, returns an error and imports nothing, unless `options` asks to salvage the good lines.
pub fn import(town: &Town, caller: &Caller, text: &[u8], options: ImportOptions) -> Result<Imported> {
    let imported = import_into(&town.ledger, &caller.name(), text, options)?;
    if !options.rehearse {
        town.wake();
    }
    Ok(imported)
}

/// A parsed line of a file.
type Line = std::result::Result<Record, LineError>;

/// Number of lines that the reading thread hands over at a time, and number of batches that it may be ahead.
const LINES_AT_ONCE: usize = 256;
const AHEAD: usize = 8;

/// Passes each parsed line of `text` to `take`. For a large text, a separate thread parses ahead.
fn ahead(text: &[u8], mut take: impl FnMut(Line) -> Result<()>) -> Result<()> {
    if text.len() <= BULK_BYTES {
        return jsonl::records(text).try_for_each(take);
    }
    let (read, come) = std::sync::mpsc::sync_channel::<Vec<Line>>(AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = jsonl::records(text).peekable();
            // When the receiver stops, the thread stops reading.
            while lines.peek().is_some() && read.send(lines.by_ref().take(LINES_AT_ONCE).collect()).is_ok() {}
        });
        // Move it into the closure, so that the thread ends when the closure does.
        let come = come;
        come.iter().flatten().try_for_each(&mut take)
    })
}

/// Reasons for rolling back an import.
enum Undone {
    /// It failed.
    Failed(Error),
    /// It was a rehearsal; this is its result.
    Rehearsed(Box<Imported>),
    /// It must start again. These beads get new ids first, because beads imported before them may refer to them.
    Again(Apart),
}

impl<E: Into<Error>> From<E> for Undone {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Imports like [`import`] into a ledger that need not belong to a town.
pub fn import_into(ledger: &Ledger, actor: &str, text: &[u8], options: ImportOptions) -> Result<Imported> {
    let mut renamed = Apart::default();
    loop {
        // Most files need only one pass, because no bead in them conflicts with a different bead here.
        let begun = Import { options, renamed: renamed.clone(), ..Import::default() };
        match ledger.write(actor, "import", |tx| begun.run(tx, text)) {
            Ok(report) => return Ok(report),
            Err(Undone::Rehearsed(report)) => return Ok(*report),
            Err(Undone::Failed(error)) => return Err(error),
            Err(Undone::Again(more)) => {
                renamed.ours.extend(more.ours);
                renamed.theirs.extend(more.theirs);
            }
        }
    }
}

/// Maximum number of bad lines that an error shows.
const BAD_LINES_SHOWN: usize = 5;

fn refuse_bad_lines(bad_lines: &[String]) -> Result<()> {
    if bad_lines.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = bad_lines.iter().take(BAD_LINES_SHOWN).map(String::as_str).collect();
    let what = format!("{} lines can't be read, so nothing was imported:\n{}", bad_lines.len(), shown.join("\n"));
    Err(Error::refused(what, "--salvage imports every good line and names each bad one"))
}

/// An import in progress.
#[derive(Default)]
struct Import {
    options: ImportOptions,
    /// Beads of the ledger and of the file that get new ids, found by an earlier pass.
    renamed: Apart,
    /// Further ones that this pass has found.
    apart: Apart,
    report: Imported,
    /// Derived data to update at the end, if that costs less than an update for each bead.
    bulk: Option<Bulk>,
    /// Prefix of the previous bead. Lines that are not beads belong to it.
    prefix: String,
    /// Beads that were open here and that the import has ended.
    over: Vec<BeadId>,
}

impl Import {
    fn run(mut self, tx: &Tx<'_>, text: &[u8]) -> std::result::Result<Imported, Undone> {
        let lines = || text.iter().filter(|byte| **byte == b'\n').count();
        self.bulk = (text.len() > BULK_BYTES).then(|| tx.begin_bulk(lines())).transpose()?;
        TOWN_PREFIX.clone_into(&mut self.prefix);
        for rename in self.renamed.ours.clone() {
            // If the bead is not in the ledger, the file has two beads with this id.
            if tx.bead(&rename.from)?.is_some_and(|bead| Renamed::of(&bead).to == rename.to) {
                self.give_id(tx, rename)?;
            }
        }
        ahead(text, |record| self.take_line(tx, record))?;
        if !self.options.salvage {
            refuse_bad_lines(&self.report.bad_lines)?;
        }
        if !self.apart.ours.is_empty() || !self.apart.theirs.is_empty() {
            return Err(Undone::Again(self.apart));
        }
        self.report.nul_lines = jsonl::lines_with_nul(text).collect();
        self.report.renamed.extend(std::mem::take(&mut self.renamed.theirs));
        if self.options.rehearse {
            return Err(Undone::Rehearsed(Box::new(self.report)));
        }
        Ok(self.finish(tx)?)
    }

    fn take_line(&mut self, tx: &Tx<'_>, line: Line) -> Result<()> {
        match line {
            Err(error) => self.report.bad_lines.push(error.to_string()),
            // The import will be refused, so skip the rest.
            Ok(_) if !self.options.salvage && !self.report.bad_lines.is_empty() => {}
            Ok(mut record) => {
                merge::rename([&mut record], &self.renamed.theirs);
                self.take(tx, &record)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, tx: &Tx<'_>, record: &Record) -> Result<()> {
        match record {
            Record::Bead(bead) => {
                self.take_bead(tx, bead)?;
                if bead.id.prefix() != self.prefix {
                    bead.id.prefix().clone_into(&mut self.prefix);
                }
            }
            Record::Other { line } => {
                tx.keep_foreign_record(&self.prefix, line)?;
                self.report.foreign += 1;
            }
        }
        Ok(())
    }

    fn take_bead(&mut self, tx: &Tx<'_>, bead: &Bead) -> Result<()> {
        let is_new = self.bulk.as_ref().is_some_and(|bulk| bulk.lacks(&bead.id));
        match if is_new { None } else { tx.bead(&bead.id)? } {
            None => {
                tx.import_bead(None, bead, self.bulk.as_mut())?;
                self.report.added += 1;
            }
            Some(ours) if &ours == bead => self.report.kept += 1,
            Some(ours) if merge::are_apart(&ours, bead) && merge::keeps_id(&ours, bead) => {
                self.apart.theirs.push(Renamed::of(bead));
            }
            Some(ours) if merge::are_apart(&ours, bead) => {
                let rename = Renamed::of(&ours);
                if self.renamed.ours.contains(&rename) {
                    self.give_id(tx, rename)?;
                    self.take_bead(tx, bead)?;
                } else {
                    self.apart.ours.push(rename);
                }
            }
            Some(_) if tx.live_attempt(&bead.id)?.is_some() => self.report.held.push(bead.id.clone()),
            Some(ours) => {
                let after = self.united(tx, &ours, bead)?;
                if after == ours {
                    self.report.kept += 1;
                    return Ok(());
                }
                tx.import_bead(Some(&ours), &after, self.bulk.as_mut())?;
                self.report.updated += 1;
                let is_over = |bead: &Bead| matches!(bead.status, Status::Closed | Status::Tombstone);
                if is_over(&after) && !is_over(&ours) {
                    self.over.push(bead.id.clone());
                }
            }
        }
        Ok(())
    }

    /// Gives a bead of the ledger its new id.
    fn give_id(&mut self, tx: &Tx<'_>, rename: Renamed) -> Result<()> {
        tx.rename_bead(&rename)?;
        self.bulk.iter_mut().for_each(Bulk::forget_ids);
        self.report.renamed.push(rename);
        Ok(())
    }

    /// Merges our version of a bead with the file's.
    fn united(&mut self, tx: &Tx<'_>, ours: &Bead, theirs: &Bead) -> Result<Bead> {
        if self.options.replace {
            let is_older = theirs.updated_at.at < ours.updated_at.at;
            return Ok(if is_older { ours.clone() } else { theirs.clone() });
        }
        let away = if TakenAway::matters(ours, theirs) { tx.taken_away(&ours.id)? } else { TakenAway::default() };
        let merge::Import { bead, kept, replaced } = merge::import_bead(ours, theirs, &away);
        self.report.kept_values.add(kept);
        self.report.replaced_values.add(replaced);
        Ok(bead)
    }

    fn finish(self, tx: &Tx<'_>) -> Result<Imported> {
        if let Some(bulk) = self.bulk {
            tx.finish_bulk(bulk)?;
        }
        for id in &self.over {
            convoy::bead_finished(tx, id, "failed")?;
        }
        Ok(self.report)
    }
}

/// Selection of beads to export.
#[derive(Clone, Debug, Default)]
pub struct ExportFilter {
    /// Only these prefixes; empty for all.
    pub prefixes: Vec<String>,
    /// Whether to include ephemeral beads, which files in git omit.
    pub wisps: bool,
}

/// Number of beads read at a time, so that a large ledger is never in memory as beads.
const EXPORTED_AT_ONCE: u32 = 2000;

/// Returns beads as JSONL: first the lines that are not beads, then the beads by id in byte order.
pub fn export(view: &View<'_>, what: &ExportFilter) -> Result<String> {
    let prefixes = if what.prefixes.is_empty() { view.foreign_prefixes()? } else { what.prefixes.clone() };
    let mut others = Vec::new();
    for prefix in prefixes {
        others.extend(view.foreign_records(&prefix)?.into_iter().map(|line| Record::Other { line }));
    }
    let mut text = jsonl::write(&others);
    let mut after = String::new();
    loop {
        let beads = view.beads_after(&after, &what.prefixes, what.wisps, EXPORTED_AT_ONCE)?;
        let Some(last) = beads.last() else { return Ok(text) };
        after.clone_from(&last.id.0);
        for bead in &beads {
            jsonl::append_bead(&mut text, bead);
            text.push('\n');
        }
    }
}

/// Rewrites the exported files of the town and its rigs whose content has changed.
pub fn export_changed(town: &Town) -> Result<()> {
    let (newest, exported) = town.ledger.read(|view| {
        let newest = view.last_events(None, 1)?.last().map_or(0, |event| event.seq);
        Ok::<_, Error>((newest, view.meta(EXPORTED_KEY)?.and_then(|text| text.parse::<i64>().ok())))
    })?;
    if exported == Some(newest) {
        return Ok(());
    }
    let files = town.ledger.read(|view| changed_files(town, view, exported))?;
    for (path, text) in files {
        // Also replace a file that can't be read because an agent has put something else in its place.
        let there = town.world().disk().read(&path).ok().flatten();
        if there.as_deref() != Some(text.as_bytes()) {
            town.world().disk().write(&path, text.as_bytes())?;
        }
    }
    // Record this last. If the process dies before, the same files are written again.
    town.ledger.write("deacon/", "export", |tx| tx.set_meta(EXPORTED_KEY, &newest.to_string()).map_err(Error::from))
}

/// Returns the exported files with changes after the event `exported`; all files if that is unknown.
fn changed_files(town: &Town, view: &View<'_>, exported: Option<i64>) -> Result<BTreeMap<PathBuf, String>> {
    let changed = exported.map(|seq| view.prefixes_changed_after(seq)).transpose()?.flatten();
    let is_changed = |prefix: &String| changed.as_ref().is_none_or(|changed| changed.contains(prefix));
    let mut files = BTreeMap::new();
    let rigs = view.rigs()?;
    for rig in &rigs {
        let path = town.layout.rig(&rig.name).export();
        if is_changed(&rig.prefix) || !town.world().disk().exists(&path) {
            files.insert(path, export(view, &ExportFilter { prefixes: vec![rig.prefix.clone()], wisps: false })?);
        }
    }
    let is_own = |prefix: &String| rigs.iter().all(|rig| &rig.prefix != prefix);
    let mut own: Vec<String> = view.prefixes()?.into_iter().chain(view.foreign_prefixes()?).filter(is_own).collect();
    own.push(TOWN_PREFIX.to_owned());
    own.sort();
    own.dedup();
    files.insert(town.layout.facts_export(), rebuild::facts_text(view)?);
    let path = town.layout.town_export();
    if own.iter().any(is_changed) || !town.world().disk().exists(&path) {
        files.insert(path, export(view, &ExportFilter { prefixes: own, wisps: false })?);
    }
    Ok(files)
}
