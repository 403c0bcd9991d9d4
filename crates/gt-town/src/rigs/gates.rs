//! Gates: the commands that a merge must pass, where they are found, and how they are run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Gating, Verdict, View};
use gt_model::address::Address;
use gt_model::id::{MrId, Sha};
use gt_model::keep::Keep;
use gt_model::red::{self, Red, Remedy};
use gt_world::{CheckedOut, Held, Rules, RunEnd};
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

/// By whose run a tree is known to be green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GreenBy {
    /// The town's, in the gates' worktree.
    Town,
    /// The worker's own.
    Worker,
}

impl GreenBy {
    /// In words, for a worker.
    pub fn words(self) -> &'static str {
        match self {
            Self::Town => "the town has run these gates on this very tree",
            Self::Worker => "you have run these gates on this very tree",
        }
    }
}

/// What a run of all gates gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GatesRun {
    /// Each gate that was run. On the way to a landing the first red one is the last; a proof tries all.
    pub gates: Vec<GateRun>,
    /// What was in the worktree beside what git tracks, left by earlier runs: caches that the rig keeps.
    pub kept: Vec<String>,
    /// What they said where a file was broken on purpose; empty where that was not tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// Gates that the rig was found to have no use for: red on its trunk, and no tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<GateRun>,
    /// By whose earlier run the tree is known to be green, where that spared this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<GreenBy>,
}

/// What the gates said of the trunk with one file broken on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The file.
    pub file: String,
    /// The gate that turned red, as one has to.
    pub red: Option<String>,
}

/// What one gate gave.
#[derive(Clone, Debug, Serialize)]
pub struct GateRun {
    /// Its name.
    pub name: String,
    /// Whether it was green.
    pub passed: bool,
    /// What went wrong.
    pub failure: Option<String>,
    /// Why that may be, where it does not look like the code's fault, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Where its output is.
    pub log: String,
}

impl GateRun {
    /// Makes it red, for a reason beside what it may have said itself.
    fn fail(&mut self, why: &str) {
        self.passed = false;
        self.failure = Some(self.failure.take().map_or(why.to_owned(), |said| format!("{said}\n{why}")));
    }
}

impl GatesRun {
    /// Whether anything was left in the worktree by earlier runs.
    pub(crate) fn is_warm(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Whether all were green.
    pub fn passed(&self) -> bool {
        self.gates.iter().all(|gate| gate.passed)
    }

    /// The first file that no gate missed though it was broken.
    pub fn blind_to(&self) -> Option<&str> {
        self.broken.iter().find(|broken| broken.red.is_none()).map(|broken| broken.file.as_str())
    }

    /// What went wrong, if anything did.
    pub fn failure(&self) -> Option<String> {
        self.gates.iter().find_map(|gate| gate.failure.clone())
    }

    /// The run as the ledger keeps it.
    pub fn verdict(&self) -> Verdict {
        Verdict {
            passed: self.passed(),
            failure: self.failure(),
            log: self.gates.last().map(|gate| gate.log.clone()).unwrap_or_default(),
            took_ms: self.took_ms(),
            warm: self.is_warm(),
        }
    }

    /// How long all took, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.gates.iter().map(|gate| gate.took_ms).sum()
    }
}

/// What is said of a commit: the gates' word, or what it refers to and nobody has, which may come yet.
pub enum Tested {
    /// The gates were run.
    Run(GatesRun),
    /// They could not be: this is missing.
    Missing(String),
}

impl Tested {
    /// As a run: what is missing counts as red.
    pub(crate) fn into_run(self) -> GatesRun {
        match self {
            Self::Run(run) => run,
            Self::Missing(why) => GatesRun { gates: vec![not_set_up(why)], ..GatesRun::default() },
        }
    }
}

/// What stands in the place of gates that could not be run.
fn not_set_up(why: String) -> GateRun {
    let name = "set-up".to_owned();
    GateRun { name, passed: false, failure: Some(why), remedy: None, took_ms: 0, log: String::new() }
}

/// Is told what of a proof begins: for people who wait.
pub trait Progress {
    /// A command begins, whose output goes to `log`.
    fn begins(&self, what: &str, run: &str, log: &Path);
    /// It is over.
    fn ends(&self);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _what: &str, _run: &str, _log: &Path) {}
    fn ends(&self) {}
}

/// How a rig's gates are tried.
struct How<'a> {
    /// All of them, not only up to the first red one; and a set-up that fails is told like a red gate.
    all: bool,
    progress: &'a dyn Progress,
    breaking: Breaking<'a>,
}

/// Whether a proof breaks files on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaking<'a> {
    /// Where the gates were green in at most this time, in milliseconds; `None`: never.
    pub within_ms: Option<u64>,
    /// Gates that do not matter where they are red.
    pub optional: &'a [String],
}

impl Breaking<'_> {
    fn is_due(&self, run: &GatesRun) -> bool {
        let is_fine = |gate: &GateRun| gate.passed || self.optional.contains(&gate.name);
        let is_green = run.gates.iter().all(is_fine) && run.gates.iter().any(|gate| gate.passed);
        is_green && self.within_ms.is_some_and(|limit| run.took_ms() <= limit)
    }
}

/// Where gates put their output: a file for each.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a> {
    /// In which folder.
    pub folder: &'a Path,
    /// How the files' names begin.
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

/// A commit that the gates are to judge.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The commit.
    pub commit: &'a Sha,
    /// Its tree: what is on the disk must give this very id.
    pub tree: &'a Sha,
    /// Names the logs.
    pub label: &'a str,
    /// Whether even the caches go that the rig keeps.
    pub clean: bool,
    /// The merge requests that it would land; none: it is the trunk itself.
    pub batch: &'a [MrId],
}

/// A run of gates that goes on now, for people to see.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// What runs.
    #[serde(flatten)]
    pub gating: Gating,
    /// Whole seconds since the run began.
    pub elapsed_s: u64,
    /// Whole seconds since this gate began.
    pub gate_elapsed_s: u64,
    /// How long a whole run usually takes, in whole seconds; `None` where no green run of these gates is known.
    pub usual_s: Option<u64>,
    /// The file that the gate's output goes to; `None` during the set-up.
    pub log: Option<PathBuf>,
}

impl Running {
    /// What runs, in words, as told of one merge request.
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

/// Seconds as people say them.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The gates of a rig that run now, if they do: recorded by the one who holds the rig's turn.
pub fn running(town: &Town, view: &View<'_>, rig: &Rig) -> Result<Option<Running>> {
    let Some(gating) = view.gating(rig.name())? else { return Ok(None) };
    // One that was killed leaves its record behind, and not its lock.
    if !town.refinery_is_at_work(rig)? {
        return Ok(None);
    }
    let usual = view.usual_gate_ms(rig.name(), &rig.settings.gates_hash())?;
    let since = |at: &str| {
        let now = town.world().clock().now();
        let age = at.parse::<jiff::Timestamp>().map(|at| now.duration_since(at).as_secs());
        age.ok().and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)
    };
    let logs = rig.layout.gate_logs();
    let log = gating.gate.as_ref().map(|gate| Logs { folder: &logs, label: &gating.label }.of_name(gate));
    Ok(Some(Running {
        elapsed_s: since(&gating.begun_at),
        gate_elapsed_s: since(&gating.gate_begun_at),
        usual_s: usual.map(|ms| ms.div_ceil(1000)),
        log,
        gating,
    }))
}

/// Keeps the record of what a rig's gates do.
struct Record<'t> {
    town: &'t Town,
    gating: Gating,
}

impl<'t> Record<'t> {
    fn begin(town: &'t Town, rig: &Rig, subject: &Subject<'_>) -> Result<Self> {
        let now = town.world().clock().now().to_string();
        let gating = Gating {
            rig: rig.name().clone(),
            label: subject.label.to_owned(),
            commit: subject.commit.clone(),
            batch: subject.batch.to_vec(),
            gate: None,
            place: 0,
            gates: u32::try_from(rig.settings.gate.len()).unwrap_or(u32::MAX),
            begun_at: now.clone(),
            gate_begun_at: now,
        };
        let record = Self { town, gating };
        record.write()?;
        Ok(record)
    }

    fn at(&mut self, gate: &Gate) -> Result<()> {
        self.gating.gate = Some(gate.name.clone());
        self.gating.place += 1;
        self.gating.gate_begun_at = self.town.world().clock().now().to_string();
        self.write()
    }

    fn write(&self) -> Result<()> {
        // With the machine's power, the gates are gone too.
        self.town.ledger.write_for_now(&self.actor(), "gating", |tx| tx.set_gating(&self.gating).map_err(Error::from))
    }

    fn end(&self) -> Result<()> {
        self.town.ledger.write_for_now(&self.actor(), "gating", |tx| Ok(tx.clear_gating(&self.gating.rig)?))
    }

    fn actor(&self) -> String {
        Address::Refinery(self.gating.rig.clone()).to_string()
    }
}

/// Puts the rig's gate worktree at a commit, sets it up, and runs the rig's gates in it. An error where the files on the
/// disk can't be made those of the commit's tree: then the gates would judge something else.
pub fn test(town: &Town, rig: &Rig, turn: &Held, subject: &Subject<'_>) -> Result<Tested> {
    let how = How { all: false, progress: &Silent, breaking: Breaking::default() };
    test_as(town, rig, turn, subject, &how)
}

/// The same for a person who wants to know all: every gate is tried, whatever the others say. Where they are green, and
/// quick enough, files that the tests use are then broken, one after the other, and a gate has to turn red.
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
            // What was kept of earlier runs may be of a tree that never landed.
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

/// Breaks files of the worktree that the tests use, one after the other, and sees whether a gate turns red. The worktree is
/// the gates' own: whatever is left of this goes before the next run.
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

/// Why a command is red, from what it said, where that does not look like the code's fault.
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

/// Bytes of the end of a log in which a reason is looked for.
const REASON_BYTES: u64 = 32 * 1024;

/// The end of a log.
fn end_of(town: &Town, log: &Path) -> String {
    let disk = town.world().disk();
    let from = disk.size(log).unwrap_or_default().saturating_sub(REASON_BYTES);
    let bytes = disk.read_part(log, from, REASON_BYTES as usize).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a worktree is ready for gates.
enum Prepared<'t> {
    /// It is: there is nothing beside tracked files but these caches.
    Ready {
        /// Their paths.
        kept: Vec<String>,
        /// Tracked files as they are.
        watch: Watch<'t>,
    },
    /// The commit refers to this, which is nowhere.
    Missing(String),
}

impl Prepared<'_> {
    /// What is in the worktree, where that is not the tree that is to be there.
    fn other_tree(&self) -> Result<Option<CheckedOut>> {
        let watch = match self {
            Self::Ready { watch, .. } if !watch.before.changed.is_empty() => watch,
            _ => return Ok(None),
        };
        // Git itself may have written files in another form than it keeps them.
        Ok(Some(watch.look(true)?).filter(|found| !found.changed.is_empty()))
    }
}

/// The gate worktree, on its way to a commit.
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
        // An index that hides a file, or a file that was written meanwhile: all is made anew.
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
            "objects may be damaged or changed: git -C {0} fsck --full names them; remove those files, then \
             git -C {0} fetch --refetch origin",
            repo.display()
        );
        Error::refused(what, hint)
    }
}

/// Paths that one line names.
const NAMED_PATHS: usize = 10;

fn named<'p>(paths: impl ExactSizeIterator<Item = &'p String>) -> String {
    let more = paths.len().saturating_sub(NAMED_PATHS);
    let names = paths.take(NAMED_PATHS).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

/// Sees whether the tracked files of a worktree stay as they are.
struct Watch<'t> {
    town: &'t Town,
    rig: &'t Rig,
    folder: &'t Path,
    tree: Sha,
    /// Whether nobody but gates works in it, so that git may be asked with all its filters.
    is_gates: bool,
    before: CheckedOut,
}

impl<'t> Watch<'t> {
    fn begin(town: &'t Town, rig: &'t Rig, folder: &'t Path, tree: &Sha, is_gates: bool) -> Result<Self> {
        let before = CheckedOut { tree: tree.clone(), changed: std::collections::BTreeMap::new() };
        let mut watch = Self { town, rig, folder, tree: tree.clone(), is_gates, before };
        watch.before = watch.look(false)?;
        Ok(watch)
    }

    fn look(&self, conversions: bool) -> Result<CheckedOut> {
        let submodules = self.is_gates && self.rig.settings.worktree.submodules;
        let rules = Rules { submodules, conversions, ..Rules::default() };
        Ok(self.town.world().repo().compare_checkout(&self.rig.layout.repo(), self.folder, &self.tree, &rules)?)
    }

    /// In words, which tracked files have changed.
    fn changes(&self) -> Result<Option<String>> {
        Ok(words_of(&self.changed()?))
    }

    /// The tracked files that have changed.
    fn changed(&self) -> Result<Vec<String>> {
        let mut changed = self.look(false)?.since(&self.before);
        if !changed.is_empty() && self.is_gates {
            // Large files that were put in the place of their pointers, and the like.
            let found = self.look(true)?;
            changed.retain(|path| found.changed.contains_key(path));
        }
        Ok(changed)
    }
}

fn words_of(changed: &[String]) -> Option<String> {
    (!changed.is_empty()).then(|| format!("changed tracked files: {}", named(changed.iter())))
}

/// Runs a rig's gates in the worktree of an agent, at whose `head` its tracked files are looked at; in order, up to the
/// first red one.
pub fn run(town: &Town, rig: &Rig, folder: &Path, head: Option<&Sha>, logs: Logs<'_>) -> Result<GatesRun> {
    let mut run = GatesRun::default();
    let tree = head.map(|head| town.world().repo().tree_of(&rig.layout.repo(), head)).transpose()?;
    let watch = tree.map(|tree| Watch::begin(town, rig, folder, &tree, false)).transpose()?;
    let how = How { all: false, progress: &Silent, breaking: Breaking::default() };
    let place = Place { folder, logs, watch: watch.as_ref(), how: &how };
    run_each(town, rig, &place, &mut |_| Ok(()), &mut run)?;
    Ok(run)
}

/// The same, at whatever commit the folder is, if it is a worktree at all.
pub fn run_by_agent(town: &Town, rig: &Rig, folder: &Path, logs: Logs<'_>) -> Result<GatesRun> {
    let facts = town.world().repo().worktree(&rig.layout.repo(), folder)?;
    run(town, rig, folder, facts.as_ref().map(|facts| &facts.head), logs)
}

/// Where gates run, and what is looked at there.
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
        // What gates before it have changed is no fault of this one's.
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
    let result = contained::run(town, rig, &Job { argv, folder, slot: None, timeout, log })?;
    let failure = match &result.end {
        RunEnd::Passed => None,
        RunEnd::Failed(exit) => Some(match (exit.code, exit.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => exit.reason.clone(),
        }),
        RunEnd::TimedOut => Some(format!("not over after {} s", gate.timeout_seconds)),
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
