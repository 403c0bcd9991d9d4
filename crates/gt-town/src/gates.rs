//! Gates: the commands that a merge must pass, where they are found, and how they are run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::address::Address;
use gt_model::id::{MrId, Sha};
use gt_model::keep::Keep;
use serde::Serialize;

use crate::contained::{self, Job};
use crate::error::{Error, Result};
use crate::ledger::{Gating, Verdict, View};
use crate::reach;
use crate::settings::Gate;
use crate::setup::{self, SetUp};
use crate::town::{Rig, Town};
use crate::world::{CheckedOut, Held, Rules, RunEnd};

/// What a run of all gates gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GatesRun {
    /// Each gate that was run; the first red one is the last.
    pub gates: Vec<GateRun>,
    /// What was in the worktree beside what git tracks, left by earlier runs: caches that the rig keeps.
    pub kept: Vec<String>,
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
    pub fn is_warm(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Whether all were green.
    pub fn passed(&self) -> bool {
        self.gates.iter().all(|gate| gate.passed)
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
    pub fn into_run(self) -> GatesRun {
        match self {
            Self::Run(run) => run,
            Self::Missing(why) => GatesRun { gates: vec![not_set_up(why)], kept: Vec::new() },
        }
    }
}

/// What stands in the place of gates that could not be run.
fn not_set_up(why: String) -> GateRun {
    GateRun { name: "set-up".to_owned(), passed: false, failure: Some(why), took_ms: 0, log: String::new() }
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
    let mut record = Record::begin(town, rig, subject)?;
    let tested = test_recorded(town, rig, turn, subject, &mut record);
    record.end()?;
    tested
}

fn test_recorded(
    town: &Town,
    rig: &Rig,
    turn: &Held,
    subject: &Subject<'_>,
    record: &mut Record<'_>,
) -> Result<Tested> {
    let keep = if subject.clean { Keep::default() } else { rig.settings.keep.clone() };
    let rules = Rules { keep, submodules: rig.settings.worktree.submodules, conversions: false };
    let trial = Trial { town, rig, turn, subject, folder: rig.layout.gate_worktree(), rules };
    let (kept, watch) = match trial.check_out()? {
        Prepared::Missing(why) => return Ok(Tested::Missing(why)),
        Prepared::Ready { kept, watch } => (kept, watch),
    };
    let mut run = GatesRun { gates: Vec::new(), kept };
    let unfit = match setup::gate_worktree(town, rig, &trial.folder, subject, &run.kept)? {
        SetUp::Blocked(why) => Some(why),
        SetUp::Done { ran: true } => watch.changes()?.map(|changes| format!("the set-up {changes}")),
        SetUp::Done { ran: false } => None,
    };
    let unfit = unfit.or_else(|| reach::in_worktree(town, rig, &trial.folder).into_iter().next());
    match unfit {
        Some(why) => run.gates.push(not_set_up(why)),
        None => {
            let logs = Logs { folder: &rig.layout.gate_logs(), label: subject.label };
            let begins = &mut |gate: &Gate| record.at(gate);
            run_each(town, rig, &Place { folder: &trial.folder, logs, watch: Some(&watch) }, begins, &mut run)?;
        }
    }
    Ok(Tested::Run(run))
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
        let (repo, held) = (self.town.world().repo(), self.town.lock(&self.rig.repo_lock())?);
        repo.remove_gate_worktree(&held, &self.rig.layout.repo(), &self.folder)?;
        drop(held);
        let prepared = self.put()?;
        prepared.other_tree()?.map_or(Ok(prepared), |found| Err(self.other_tree(&found)))
    }

    fn put(&self) -> Result<Prepared<'_>> {
        let (repo, path) = (self.town.world().repo(), self.rig.layout.repo());
        let held = self.town.lock(&self.rig.repo_lock())?;
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
        let mut changed = self.look(false)?.since(&self.before);
        if !changed.is_empty() && self.is_gates {
            // Large files that were put in the place of their pointers, and the like.
            let found = self.look(true)?;
            changed.retain(|path| found.changed.contains_key(path));
        }
        Ok((!changed.is_empty()).then(|| format!("changed tracked files: {}", named(changed.iter()))))
    }
}

/// Runs a rig's gates in the worktree of an agent, at whose `head` its tracked files are looked at; in order, up to the
/// first red one.
pub fn run(town: &Town, rig: &Rig, folder: &Path, head: Option<&Sha>, logs: Logs<'_>) -> Result<GatesRun> {
    let mut run = GatesRun::default();
    let tree = head.map(|head| town.world().repo().tree_of(&rig.layout.repo(), head)).transpose()?;
    let watch = tree.map(|tree| Watch::begin(town, rig, folder, &tree, false)).transpose()?;
    run_each(town, rig, &Place { folder, logs, watch: watch.as_ref() }, &mut |_| Ok(()), &mut run)?;
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
}

fn run_each(
    town: &Town,
    rig: &Rig,
    place: &Place<'_>,
    begins: &mut dyn FnMut(&Gate) -> Result<()>,
    run: &mut GatesRun,
) -> Result<()> {
    for gate in &rig.settings.gate {
        begins(gate)?;
        let mut result = run_one(town, rig, gate, place.folder, &place.logs.of(gate))?;
        if let Some(changes) = place.watch.map(Watch::changes).transpose()?.flatten() {
            result.fail(&format!("gate `{}` {changes}", gate.name));
        }
        let red = !result.passed;
        run.gates.push(result);
        if red {
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
        took_ms: u64::try_from(result.took.as_millis()).unwrap_or(u64::MAX),
        log: log.display().to_string(),
    })
}
