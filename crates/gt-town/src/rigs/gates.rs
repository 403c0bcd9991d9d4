//! Gates: the commands that a merge must pass. This module runs them and reports the results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Gating, Verdict, View};
use gt_model::address::Address;
use gt_model::id::{MrId, Sha};
use gt_model::keep::Keep;
use gt_model::red::{self, Red, Remedy};
use gt_world::{CheckedOut, Held, Rules, RunEnd};
use jiff::Timestamp;
use serde::Serialize;

use crate::ecosystems;
use crate::rigs::setup::{self, SetUp};
use crate::rigs::warm;
use crate::town::error::{Error, Result};
use crate::town::settings::Gate;
use crate::town::{Rig, Town};
use crate::walls::contained::{self, Job};
use crate::walls::reach;
use crate::walls::worker_env;

/// The run that proved a tree green (all gates passed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GreenBy {
    /// The town's own run, in the gates' worktree.
    Town,
    /// The worker's run.
    Worker,
}

impl GreenBy {
    /// Returns the phrase that a worker reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Town => "the town has run these gates on exactly this tree",
            Self::Worker => "you have run these gates on exactly this tree",
        }
    }
}

/// Result of running all gates.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GatesRun {
    /// Each gate that ran. A run for a landing stops at the first failure; a proof runs all gates.
    pub gates: Vec<GateRun>,
    /// Untracked caches that the rig keeps and that were in the worktree before the run.
    pub kept: Vec<String>,
    /// Results with files broken on purpose; empty if that was not tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// Gates that the rig turned out not to need: they fail on the trunk and are not tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<GateRun>,
    /// The earlier run that proved the tree green, if it made this run unnecessary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<GreenBy>,
}

/// Result of the gates on the trunk with one file broken on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Path of the broken file.
    pub file: String,
    /// Name of the gate that failed, as at least one should.
    pub red: Option<String>,
}

/// Result of one gate.
#[derive(Clone, Debug, Serialize)]
pub struct GateRun {
    /// Name of the gate.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// Description of the failure.
    pub failure: Option<String>,
    /// Probable cause and remedy, if the failure does not look like the code's fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// Duration in milliseconds.
    pub took_ms: u64,
    /// Path of the log with its output.
    pub log: String,
}

impl GateRun {
    /// Marks the gate as failed for a reason besides its own output.
    fn fail(&mut self, why: &str) {
        self.passed = false;
        self.failure = Some(self.failure.take().map_or(why.to_owned(), |said| format!("{said}\n{why}")));
    }
}

impl GatesRun {
    /// Whether earlier runs had left anything in the worktree.
    pub(crate) fn is_warm(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Whether all gates passed.
    pub fn passed(&self) -> bool {
        self.gates.iter().all(|gate| gate.passed)
    }

    /// Returns the first broken file that made no gate fail.
    pub fn blind_to(&self) -> Option<&str> {
        self.broken.iter().find(|broken| broken.red.is_none()).map(|broken| broken.file.as_str())
    }

    /// Describes the first failure, if there is one.
    pub fn failure(&self) -> Option<String> {
        self.gates.iter().find_map(|gate| gate.failure.clone())
    }

    /// Converts the run to the form that the ledger stores.
    pub fn verdict(&self) -> Verdict {
        Verdict {
            passed: self.passed(),
            failure: self.failure(),
            log: self.gates.last().map(|gate| gate.log.clone()).unwrap_or_default(),
            took_ms: self.took_ms(),
            warm: self.is_warm(),
        }
    }

    /// Returns the total duration in milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.gates.iter().map(|gate| gate.took_ms).sum()
    }
}

/// Outcome for a commit: a run of the gates, or something that the commit refers to and no remote has yet.
pub enum Tested {
    /// The gates ran.
    Run(GatesRun),
    /// The gates could not run, because this is missing.
    Missing(String),
}

impl Tested {
    /// Converts to a run. Something missing counts as a failure.
    pub(crate) fn into_run(self) -> GatesRun {
        match self {
            Self::Run(run) => run,
            Self::Missing(why) => GatesRun { gates: vec![not_set_up(why)], ..GatesRun::default() },
        }
    }
}

/// Returns the failed result that replaces gates that could not run.
fn not_set_up(why: String) -> GateRun {
    let name = "set-up".to_owned();
    GateRun { name, passed: false, failure: Some(why), remedy: None, took_ms: 0, log: String::new() }
}

/// Receives progress of a proof, to show to a waiting person.
pub trait Progress {
    /// A command starts; its output goes to `log`.
    fn begins(&self, what: &str, run: &str, log: &Path);
    /// The command has ended.
    fn ends(&self);
}

/// Ignores progress.
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _what: &str, _run: &str, _log: &Path) {}
    fn ends(&self) {}
}

/// Options for running a rig's gates.
struct How<'a> {
    /// Runs all gates, not only up to the first failure, and reports a failed set-up like a failed gate.
    all: bool,
    progress: &'a dyn Progress,
    breaking: Breaking<'a>,
}

/// Options for breaking files on purpose in a proof.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaking<'a> {
    /// Break files only if the gates passed within this time, in milliseconds; `None`: never.
    pub within_ms: Option<u64>,
    /// Gates that are allowed to fail.
    pub optional: &'a [String],
}

impl Breaking<'_> {
    fn is_due(&self, run: &GatesRun) -> bool {
        let is_fine = |gate: &GateRun| gate.passed || self.optional.contains(&gate.name);
        let is_green = run.gates.iter().all(is_fine) && run.gates.iter().any(|gate| gate.passed);
        is_green && self.within_ms.is_some_and(|limit| run.took_ms() <= limit)
    }
}

/// Place for the gates' logs, one file for each gate.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a> {
    /// Folder of the logs.
    pub folder: &'a Path,
    /// Prefix of the file names.
    pub label: &'a str,
}

impl Logs<'_> {
    fn of(self, gate: &Gate) -> PathBuf {
        self.of_name(&gate.name)
    }

    fn of_name(self, gate: &str) -> PathBuf {
        self.folder.join(format!("{}-{}.log", self.label, gt_model::id::slug(gate)))
    }
}

/// A commit that the gates test.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The commit.
    pub commit: &'a Sha,
    /// Its tree. The files on disk must have exactly this tree id.
    pub tree: &'a Sha,
    /// Prefix of the logs' names.
    pub label: &'a str,
    /// Whether to delete even the caches that the rig keeps.
    pub clean: bool,
    /// Merge requests that it would land. Empty for the trunk itself.
    pub batch: &'a [MrId],
}

/// A run of gates in progress, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// Current activity.
    #[serde(flatten)]
    pub gating: Gating,
    /// Whole seconds since the run started.
    pub elapsed_s: u64,
    /// Whole seconds since the current gate started.
    pub gate_elapsed_s: u64,
    /// Usual duration of a whole run, in whole seconds; `None` if no successful run of these gates is known.
    pub usual_s: Option<u64>,
    /// File that receives the gate's output; `None` during set-up.
    pub log: Option<PathBuf>,
}

impl Running {
    /// Describes the run for one merge request.
    pub fn words(&self, of: &MrId) -> String {
        let Gating { gate, place, gates, batch, .. } = &self.gating;
        let what = match gate {
            Some(gate) if *gates > 1 => {
                format!("gate {gate} ({place} of {gates}) has run for {}", span(self.gate_elapsed_s))
            }
            Some(gate) => format!("gate {gate} has run for {}", span(self.gate_elapsed_s)),
            None => format!("its worktree has been set up for {}", span(self.elapsed_s)),
        };
        let usual = self.usual_s.map(|usual| format!(", all gates usually take {}", span(usual))).unwrap_or_default();
        let others: Vec<&str> = batch.iter().filter(|mr| *mr != of).map(MrId::as_str).collect();
        let others = if others.is_empty() { String::new() } else { format!(", together with {}", others.join(", ")) };
        format!("{what}{usual}{others}")
    }
}

/// Formats seconds for people.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns the rig's gates run in progress, if there is one. The holder of the gates' lane records it.
pub fn running(town: &Town, view: &View<'_>, rig: &Rig) -> Result<Option<Running>> {
    let Some(gating) = view.gating(rig.name())? else { return Ok(None) };
    // A killed process leaves its record behind, but not its lock.
    if !town.refinery_is_at_work(rig)? {
        return Ok(None);
    }
    let usual = view.usual_gate_ms(rig.name(), &rig.settings.gates_hash())?;
    let now = town.world().clock().now();
    let since = |at: Timestamp| u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0);
    let logs = rig.layout.gate_logs();
    let log = gating.gate.as_ref().map(|gate| Logs { folder: &logs, label: &gating.label }.of_name(gate));
    Ok(Some(Running {
        elapsed_s: since(gating.begun_at),
        gate_elapsed_s: since(gating.gate_begun_at),
        usual_s: usual.map(|ms| ms.div_ceil(1000)),
        log,
        gating,
    }))
}

/// Keeps the record of a gates run in progress.
struct Record<'t> {
    town: &'t Town,
    gating: Gating,
}

impl<'t> Record<'t> {
    fn begin(town: &'t Town, rig: &Rig, subject: &Subject<'_>) -> Result<Self> {
        let now = town.world().clock().now();
        let gating = Gating {
            rig: rig.name().clone(),
            label: subject.label.to_owned(),
            commit: subject.commit.clone(),
            batch: subject.batch.to_vec(),
            gate: None,
            place: 0,
            gates: u32::try_from(rig.settings.gate.len()).unwrap_or(u32::MAX),
            begun_at: now,
            gate_begun_at: now,
        };
        let record = Self { town, gating };
        record.write()?;
        Ok(record)
    }

    fn at(&mut self, gate: &Gate) -> Result<()> {
        self.gating.gate = Some(gate.name.clone());
        self.gating.place += 1;
        self.gating.gate_begun_at = self.town.world().clock().now();
        self.write()
    }

    fn write(&self) -> Result<()> {
        // This record need not survive a power failure, because the gates don't survive it either.
        self.town.ledger.write_for_now(&self.actor(), "gating", |tx| tx.set_gating(&self.gating).map_err(Error::from))
    }

    fn end(&self) -> Result<()> {
        self.town.ledger.write_for_now(&self.actor(), "gating", |tx| Ok(tx.clear_gating(&self.gating.rig)?))
    }

    fn actor(&self) -> String {
        Address::Refinery(self.gating.rig.clone()).to_string()
    }
}

/// Checks out a commit in the rig's gate worktree, sets it up and runs the rig's gates. Returns an error if the files on disk
/// can't be made equal to the commit's tree, because the gates would then test something else.
pub fn test(town: &Town, rig: &Rig, turn: &Held, subject: &Subject<'_>) -> Result<Tested> {
    let how = How { all: false, progress: &Silent, breaking: Breaking::default() };
    test_as(town, rig, turn, subject, &how)
}

/// Runs every gate for a person, even after a failure. If all pass quickly enough, breaks files that the tests use, one after the
/// other. A gate should fail for each of them.
pub fn prove(
    town: &Town,
    rig: &Rig,
    turn: &Held,
    subject: &Subject<'_>,
    progress: &dyn Progress,
    breaking: Breaking<'_>,
) -> Result<Tested> {
    test_as(town, rig, turn, subject, &How { all: true, progress, breaking })
}

fn test_as(town: &Town, rig: &Rig, turn: &Held, subject: &Subject<'_>, how: &How<'_>) -> Result<Tested> {
    let mut record = Record::begin(town, rig, subject)?;
    let tested = test_recorded(town, rig, turn, subject, &mut record, how);
    record.end()?;
    tested
}

fn test_recorded(
    town: &Town,
    rig: &Rig,
    turn: &Held,
    subject: &Subject<'_>,
    record: &mut Record<'_>,
    how: &How<'_>,
) -> Result<Tested> {
    let keep = if subject.clean { Keep::default() } else { rig.settings.keep.clone() };
    let rules = Rules { keep, submodules: rig.settings.worktree.submodules, conversions: false };
    let trial = Trial { town, rig, turn, subject, folder: rig.layout.gate_worktree(), rules };
    let (kept, watch) = match trial.check_out()? {
        Prepared::Missing(why) => return Ok(Tested::Missing(why)),
        Prepared::Ready { kept, watch } => (kept, watch),
    };
    let mut run = GatesRun { kept, ..GatesRun::default() };
    warm::forget_gates(town, rig)?;
    if let Some(setup) = &rig.settings.worktree.setup {
        how.progress.begins("set-up", setup, &setup::gate_log(rig));
    }
    let set_up = setup::gate_worktree(town, rig, &trial.folder, subject, &run.kept);
    how.progress.ends();
    let unfit = match set_up {
        Err(Error::Refused { what, .. }) if how.all => {
            let (run_by, log) = (rig.settings.worktree.setup.as_deref().unwrap_or_default(), setup::gate_log(rig));
            let remedy = explain(town, rig, run_by, &end_of(town, &log), &what);
            let log = log.display().to_string();
            run.gates.push(GateRun { remedy, log, ..not_set_up(what) });
            return Ok(Tested::Run(run));
        }
        Err(error) => return Err(error),
        Ok(set_up) => set_up,
    };
    let unfit = match unfit {
        SetUp::Blocked(why) => Some(why),
        SetUp::Done { ran: true } => watch.changes()?.map(|changes| format!("the set-up {changes}")),
        SetUp::Done { ran: false } => None,
    };
    let unfit = unfit.or_else(|| reach::in_worktree(town, rig, &trial.folder).into_iter().next());
    match unfit {
        Some(why) => run.gates.push(not_set_up(why)),
        None => {
            // Caches from earlier runs may come from a tree that never landed.
            let is_cold = !run.is_warm();
            let set_up = is_cold.then(|| warm::made_by_set_up(town, rig, &trial.folder, subject.tree)).transpose()?;
            let logs = Logs { folder: &rig.layout.gate_logs(), label: subject.label };
            let begins = &mut |gate: &Gate| record.at(gate);
            let place = Place { folder: &trial.folder, logs, watch: Some(&watch), how };
            run_each(town, rig, &place, begins, &mut run)?;
            if let Some(set_up) = set_up.filter(|_| run.passed()) {
                warm::note_gates(town, rig, subject.tree, set_up)?;
            }
            if run.passed() && subject.batch.is_empty() {
                warm::keep_of_trunk(town, rig, subject.tree)?;
            }
            if how.breaking.is_due(&run) {
                warm::forget_gates(town, rig)?;
                run.broken = break_each(town, rig, &place, &run)?;
            }
        }
    }
    Ok(Tested::Run(run))
}

/// Breaks files that the tests use, one after the other, and records whether a gate fails. The worktree belongs to the gates, so
/// the next run cleans up whatever is left.
fn break_each(town: &Town, rig: &Rig, place: &Place<'_>, run: &GatesRun) -> Result<Vec<Broken>> {
    let disk = town.world().disk();
    let mut tried = Vec::new();
    for broken in ecosystems::breaks(disk, place.folder)? {
        let path = place.folder.join(&broken.file);
        let Some(before) = disk.read(&path)? else { continue };
        disk.write(&path, broken.text.as_bytes())?;
        let logs = Logs { folder: place.logs.folder, label: "broken" };
        let mut red = None;
        let is_green = |gate: &&Gate| run.gates.iter().any(|result| result.name == gate.name && result.passed);
        for gate in rig.settings.gate.iter().filter(is_green) {
            place.how.progress.begins(&format!("{} with {} broken", gate.name, broken.file), &gate.run, &logs.of(gate));
            let result = run_one(town, rig, gate, place.folder, &logs.of(gate));
            place.how.progress.ends();
            if !result?.passed {
                red = Some(gate.name.clone());
                break;
            }
        }
        disk.write(&path, &before)?;
        tried.push(Broken { file: broken.file, red });
    }
    Ok(tried)
}

/// Looks in a failed command's output for a cause other than the code.
fn explain(town: &Town, rig: &Rig, run: &str, said: &str, failure: &str) -> Option<Remedy> {
    let first = failure.lines().next().unwrap_or_default();
    let code = first.split("exit code ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    red::explain(&Red {
        run,
        code,
        timed_out: first.contains("not over after"),
        said,
        has_set_up: rig.settings.worktree.setup.is_some(),
        stripped: &worker_env::stripped(town, Some(rig)),
    })
}

/// Number of bytes at the end of a log that are searched for a cause.
const REASON_BYTES: u64 = 32 * 1024;

/// Returns the end of a log.
fn end_of(town: &Town, log: &Path) -> String {
    let disk = town.world().disk();
    let from = disk.size(log).unwrap_or_default().saturating_sub(REASON_BYTES);
    let bytes = disk.read_part(log, from, REASON_BYTES as usize).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a worktree is ready for gates.
enum Prepared<'t> {
    /// Ready: it holds the tracked files and these caches, nothing else.
    Ready {
        /// Paths of the caches.
        kept: Vec<String>,
        /// Watch on the tracked files.
        watch: Watch<'t>,
    },
    /// The commit refers to this, which can't be found anywhere.
    Missing(String),
}

impl Prepared<'_> {
    /// Returns the state of the worktree if it differs from the required tree.
    fn other_tree(&self) -> Result<Option<CheckedOut>> {
        let watch = match self {
            Self::Ready { watch, .. } if !watch.before.changed.is_empty() => watch,
            _ => return Ok(None),
        };
        // Git itself can check files out in a different form than it stores them.
        Ok(Some(watch.look(true)?).filter(|found| !found.changed.is_empty()))
    }
}

/// The gate worktree while it is prepared for a commit.
struct Trial<'t> {
    town: &'t Town,
    rig: &'t Rig,
    turn: &'t Held,
    subject: &'t Subject<'t>,
    folder: PathBuf,
    rules: Rules,
}

impl Trial<'_> {
    fn check_out(&self) -> Result<Prepared<'_>> {
        let prepared = self.put()?;
        if prepared.other_tree()?.is_none() {
            return Ok(prepared);
        }
        // The index hides a file, or a file was written meanwhile: make the worktree again.
        let (repo, held) = (self.town.world().repo(), self.town.lock(&self.rig.repo_lane())?);
        repo.remove_gate_worktree(&held, &self.rig.layout.repo(), &self.folder)?;
        drop(held);
        let prepared = self.put()?;
        prepared.other_tree()?.map_or(Ok(prepared), |found| Err(self.other_tree(&found)))
    }

    fn put(&self) -> Result<Prepared<'_>> {
        let (repo, path) = (self.town.world().repo(), self.rig.layout.repo());
        let held = self.town.lock(&self.rig.repo_lane())?;
        repo.reset_gate_worktree(&held, &path, &self.folder, self.subject.commit)?;
        drop(held);
        if let Some(missing) = setup::fetch_referred(self.town, self.rig, self.turn, &self.folder)? {
            return Ok(Prepared::Missing(missing));
        }
        let kept = repo.clear_checkout(self.turn, &path, &self.folder, self.subject.tree, &self.rules)?.kept;
        let watch = Watch::begin(self.town, self.rig, &self.folder, self.subject.tree, true)?;
        Ok(Prepared::Ready { kept, watch })
    }

    fn other_tree(&self, found: &CheckedOut) -> Error {
        let Subject { commit, tree, .. } = self.subject;
        let files = named(found.changed.keys());
        let what = format!(
            "the gates were not run on {}: its tree is {tree}, and what git checks out is the tree {} (not as in the \
             commit: {files})",
            commit.short(),
            found.tree
        );
        let repo = self.rig.layout.repo();
        let hint = format!(
            "objects in the repository may be damaged or changed: git -C {0} fsck --full names them; remove those \
             files, then git -C {0} fetch --refetch origin",
            repo.display()
        );
        Error::refused(what, hint)
    }
}

/// Maximum number of paths in one line.
const NAMED_PATHS: usize = 10;

fn named<'p>(paths: impl ExactSizeIterator<Item = &'p String>) -> String {
    let more = paths.len().saturating_sub(NAMED_PATHS);
    let names = paths.take(NAMED_PATHS).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

/// Watches whether the tracked files of a worktree stay unchanged.
struct Watch<'t> {
    town: &'t Town,
    rig: &'t Rig,
    folder: &'t Path,
    tree: Sha,
    /// Whether only gates work here, so that git may run with all its filters.
    is_gates: bool,
    before: CheckedOut,
}

impl<'t> Watch<'t> {
    fn begin(town: &'t Town, rig: &'t Rig, folder: &'t Path, tree: &Sha, is_gates: bool) -> Result<Self> {
        let before = CheckedOut { tree: tree.clone(), changed: BTreeMap::new() };
        let mut watch = Self { town, rig, folder, tree: tree.clone(), is_gates, before };
        watch.before = watch.look(false)?;
        Ok(watch)
    }

    fn look(&self, conversions: bool) -> Result<CheckedOut> {
        let submodules = self.is_gates && self.rig.settings.worktree.submodules;
        let rules = Rules { submodules, conversions, ..Rules::default() };
        Ok(self.town.world().repo().compare_checkout(&self.rig.layout.repo(), self.folder, &self.tree, &rules)?)
    }

    /// Describes the tracked files that have changed, if any.
    fn changes(&self) -> Result<Option<String>> {
        Ok(words_of(&self.changed()?))
    }

    /// Returns the tracked files that have changed.
    fn changed(&self) -> Result<Vec<String>> {
        let mut changed = self.look(false)?.since(&self.before);
        if !changed.is_empty() && self.is_gates {
            // Ignore changes that git's filters explain, such as large files that replaced their pointers.
            let found = self.look(true)?;
            changed.retain(|path| found.changed.contains_key(path));
        }
        Ok(changed)
    }
}

fn words_of(changed: &[String]) -> Option<String> {
    (!changed.is_empty()).then(|| format!("changed tracked files: {}", named(changed.iter())))
}

/// Runs a rig's gates in an agent's worktree, in order, up to the first failure. Checks that the tracked files match `head`.
pub fn run(town: &Town, rig: &Rig, folder: &Path, head: Option<&Sha>, logs: Logs<'_>) -> Result<GatesRun> {
    let mut run = GatesRun::default();
    let tree = head.map(|head| town.world().repo().tree_of(&rig.layout.repo(), head)).transpose()?;
    let watch = tree.map(|tree| Watch::begin(town, rig, folder, &tree, false)).transpose()?;
    let how = How { all: false, progress: &Silent, breaking: Breaking::default() };
    let place = Place { folder, logs, watch: watch.as_ref(), how: &how };
    run_each(town, rig, &place, &mut |_| Ok(()), &mut run)?;
    Ok(run)
}

/// Runs the gates like [`run`], at the commit that the folder has checked out. If the folder is no worktree, tracked files are
/// not compared.
pub fn run_by_agent(town: &Town, rig: &Rig, folder: &Path, logs: Logs<'_>) -> Result<GatesRun> {
    let facts = town.world().repo().worktree(&rig.layout.repo(), folder)?;
    run(town, rig, folder, facts.as_ref().map(|facts| &facts.head), logs)
}

/// Place where gates run, and the checks on it.
struct Place<'a> {
    folder: &'a Path,
    logs: Logs<'a>,
    watch: Option<&'a Watch<'a>>,
    how: &'a How<'a>,
}

fn run_each(
    town: &Town,
    rig: &Rig,
    place: &Place<'_>,
    begins: &mut dyn FnMut(&Gate) -> Result<()>,
    run: &mut GatesRun,
) -> Result<()> {
    let mut known: Vec<String> = Vec::new();
    for gate in &rig.settings.gate {
        begins(gate)?;
        let log = place.logs.of(gate);
        place.how.progress.begins(&gate.name, &gate.run, &log);
        let result = run_one(town, rig, gate, place.folder, &log);
        place.how.progress.ends();
        let mut result = result?;
        if let Some(failure) = &result.failure {
            result.remedy = explain(town, rig, &gate.run, &end_of(town, &log), failure);
        }
        // Changes by earlier gates are not the fault of this gate.
        let changed = place.watch.map(Watch::changed).transpose()?.unwrap_or_default();
        let own: Vec<String> = changed.iter().filter(|path| !known.contains(path)).cloned().collect();
        known = changed;
        if let Some(changes) = words_of(&own) {
            result.fail(&format!("gate `{}` {changes}", gate.name));
        }
        let red = !result.passed;
        run.gates.push(result);
        if red && !place.how.all {
            break;
        }
    }
    Ok(())
}

fn run_one(town: &Town, rig: &Rig, gate: &Gate, folder: &Path, log: &Path) -> Result<GateRun> {
    let argv = vec!["sh".to_owned(), "-c".to_owned(), gate.run.clone()];
    let timeout = Duration::from_secs(gate.timeout_seconds);
    let result = contained::run(town, rig, &Job { argv, folder, slot: None, timeout, log, env: BTreeMap::new() })?;
    let failure = match &result.end {
        RunEnd::Passed => None,
        RunEnd::Failed(exit) => Some(match (exit.code, exit.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => exit.reason.clone(),
        }),
        RunEnd::TimedOut => Some(format!("not finished after {} s", gate.timeout_seconds)),
    };
    let failure = failure.map(|what| format!("gate `{}`: {what}\n{}", gate.name, result.tail.join("\n")));
    Ok(GateRun {
        name: gate.name.clone(),
        passed: failure.is_none(),
        failure: failure.map(|text| text.trim_end().to_owned()),
        remedy: None,
        took_ms: u64::try_from(result.took.as_millis()).unwrap_or(u64::MAX),
        log: log.display().to_string(),
    })
}
