//! Beads out of the ledger and into it, as JSONL.

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

/// Up to which event the exported files are, as a setting of the ledger's.
const EXPORTED_KEY: &str = "exported_seq";

/// How an import is to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Take every good line though others can't be read.
    pub salvage: bool,
    /// Let a version that is not older take the place of ours, instead of merging the two.
    pub replace: bool,
    /// Only say what it would do.
    pub rehearse: bool,
}

/// What an import did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// Beads that were not there before.
    pub added: usize,
    /// Beads that the file's version changed.
    pub updated: usize,
    /// Beads that stayed as they were.
    pub kept: usize,
    /// Beads that somebody works on here: not touched.
    pub held: Vec<BeadId>,
    /// Values of ours that stayed although the file says something else.
    pub kept_values: Values,
    /// Values of ours that the file's took the place of; the audit has them.
    pub replaced_values: Values,
    /// Beads that got new ids, since others that were made apart from them keep theirs.
    pub renamed: Vec<Renamed>,
    /// Lines that are no beads, kept as they are.
    pub foreign: usize,
    /// Lines that can't be read.
    pub bad_lines: Vec<String>,
    /// Lines with an escaped NUL character, which was read as U+FFFD.
    pub nul_lines: Vec<usize>,
}

/// Values that lost against others: the first ones, and how many there are beyond.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Values {
    /// The first ones.
    pub first: Vec<Lost>,
    /// How many more there are.
    pub more: usize,
}

/// How many values a report lists, so that it does not grow as large as the ledger.
const VALUES_LISTED: usize = 1000;

impl Values {
    fn add(&mut self, losses: Vec<Loss>) {
        let room = VALUES_LISTED.saturating_sub(self.first.len());
        self.more += losses.len().saturating_sub(room);
        self.first.extend(losses.into_iter().take(room).map(Lost::from));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.first.len() + self.more
    }
}

/// From how many bytes on an import is mended once, at its end.
const BULK_BYTES: usize = 256 * 1024;

/// Imports JSONL. A line that can't be read refuses the whole, unless what is good is to be salvaged.
pub fn import(town: &Town, caller: &Caller, text: &[u8], options: ImportOptions) -> Result<Imported> {
    let imported = import_into(&town.ledger, &caller.name(), text, options)?;
    if !options.rehearse {
        town.wake();
    }
    Ok(imported)
}

/// A line of a file, read.
type Line = std::result::Result<Record, LineError>;

/// How many lines are handed over at once by who reads them ahead, and how often before the first are taken.
const LINES_AT_ONCE: usize = 256;
const AHEAD: usize = 8;

/// Hands on what each line of `text` says. Of a large text the lines are read on a thread of their own, ahead of what is done
/// with them.
fn ahead(text: &[u8], mut take: impl FnMut(Line) -> Result<()>) -> Result<()> {
    if text.len() <= BULK_BYTES {
        return jsonl::records(text).try_for_each(take);
    }
    let (read, come) = std::sync::mpsc::sync_channel::<Vec<Line>>(AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = jsonl::records(text).peekable();
            // When nothing more is taken, nothing more is read.
            while lines.peek().is_some() && read.send(lines.by_ref().take(LINES_AT_ONCE).collect()).is_ok() {}
        });
        // Taken into the closure, so that the thread ends with it.
        let come = come;
        come.iter().flatten().try_for_each(&mut take)
    })
}

/// How an import ends without leaving anything in the ledger.
enum Undone {
    /// By an error.
    Failed(Error),
    /// As it should: it was a rehearsal.
    Rehearsed(Box<Imported>),
    /// To begin anew: these beads get new ids first, since what was taken in before them may refer to them.
    Again(Apart),
}

impl<E: Into<Error>> From<E> for Undone {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// As [`import`], into a ledger that need not be a town's.
pub fn import_into(ledger: &Ledger, actor: &str, text: &[u8], options: ImportOptions) -> Result<Imported> {
    let mut renamed = Apart::default();
    loop {
        // Most files are read once: nothing in them was made apart from what is here.
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

/// How many bad lines a refusal shows.
const BAD_LINES_SHOWN: usize = 5;

fn refuse_bad_lines(bad_lines: &[String]) -> Result<()> {
    if bad_lines.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = bad_lines.iter().take(BAD_LINES_SHOWN).map(String::as_str).collect();
    let what = format!("{} lines can't be read, so nothing was imported:\n{}", bad_lines.len(), shown.join("\n"));
    Err(Error::refused(what, "--salvage takes every good line and names each bad one"))
}

/// An import under way.
#[derive(Default)]
struct Import {
    options: ImportOptions,
    /// Beads of the ledger, and of the file, that get new ids, as an earlier run found.
    renamed: Apart,
    /// Further ones, which this run has found.
    apart: Apart,
    report: Imported,
    /// What is to be mended at the end, where that costs less than for each bead.
    bulk: Option<Bulk>,
    /// The prefix of the bead before: lines that are no beads belong to it.
    prefix: String,
    /// Beads that were open here and are over now.
    over: Vec<BeadId>,
}

impl Import {
    fn run(mut self, tx: &Tx<'_>, text: &[u8]) -> std::result::Result<Imported, Undone> {
        let lines = || text.iter().filter(|byte| **byte == b'\n').count();
        self.bulk = (text.len() > BULK_BYTES).then(|| tx.begin_bulk(lines())).transpose()?;
        TOWN_PREFIX.clone_into(&mut self.prefix);
        for rename in self.renamed.ours.clone() {
            // One that is not here is in the file, which says two beads with one id.
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
            // What is refused in the end needs no more taking.
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

    /// What our version of a bead and the file's are together.
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

/// Which beads to export.
#[derive(Clone, Debug, Default)]
pub struct ExportFilter {
    /// Only of these prefixes; all, where none are given.
    pub prefixes: Vec<String>,
    /// Ephemeral ones too, which files in git do not have.
    pub wisps: bool,
}

/// How many beads are read for an export at once, so that a large ledger is never in memory as beads.
const EXPORTED_AT_ONCE: u32 = 2000;

/// Beads as JSONL: lines that are no beads first, then the beads by id in byte order.
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

/// Writes the exported files of town and rigs anew of which something has changed since.
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
        // What can't be read there, since an agent has put something else in its place, is replaced too.
        let there = town.world().disk().read(&path).ok().flatten();
        if there.as_deref() != Some(text.as_bytes()) {
            town.world().disk().write(&path, text.as_bytes())?;
        }
    }
    // Said last: whoever dies before writes the same files again.
    town.ledger.write("deacon/", "export", |tx| tx.set_meta(EXPORTED_KEY, &newest.to_string()).map_err(Error::from))
}

/// The exported files of which something changed after the event `exported`; all, where that is not known.
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
