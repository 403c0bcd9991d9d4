//! Adds projects to the town as rigs, proves and changes their gates, and removes rigs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gt_ledger::TOWN_PREFIX;
use gt_ledger::{Agent, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::id::{RigName, Sha};
use gt_world::{Disk, FolderFacts, Held, LARGE_FILES, ObjectFormat, Push, RemoteFacts};
use serde::Serialize;

use crate::ecosystems::{self, Found, FoundGate, Knowledge, Omitted};
use crate::rigs::destination::{self, Destination};
use crate::rigs::gates::{self, Breaking, GateRun, GatesRun, Progress, Silent, Subject, Tested};
use crate::rigs::reading;
use crate::rigs::setup;
use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::layout::RigLayout;
use crate::town::person::{self, Act, Person};
use crate::town::settings::{self, Gate, RigSettings, Sandbox, WorktreeSettings};
use crate::town::{Caller, Rig, Town};
use crate::walls::reach::{self, LeftOut};
use crate::walls::worker_env;

mod fix;
mod seen;

pub use fix::{Fixed, fix};
pub use seen::{Repeated, Seen, repeat, seen};

/// Request to add a rig.
#[derive(Clone, Debug, Default)]
pub struct NewRig {
    /// Name of the rig.
    pub name: String,
    /// URL or path of the project's repository.
    pub source: String,
    /// Prefix of its beads' ids; derived from the name if absent.
    pub prefix: Option<String>,
    /// Trunk; the remote's default branch if absent.
    pub branch: Option<String>,
    /// Whether to make a bare copy beside a folder that has no remote. The copy becomes its `origin`.
    pub make_bare_remote: bool,
    /// Branch to land on instead of the one that is checked out. It is created if missing.
    pub land_on: Option<String>,
    /// Whether to skip running the gates on the trunk.
    pub skip_proof: bool,
    /// Whether the caller runs the gates later, after showing what would run. The rig is held until then.
    pub leave_unproved: bool,
    /// Whether to report only and create nothing.
    pub dry_run: bool,
}

/// Result of adding a rig.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    /// Name of the rig.
    pub name: RigName,
    /// Prefix of its beads' ids.
    pub prefix: String,
    /// Repository that work is pushed to.
    pub remote: String,
    /// Branch that work lands on.
    pub trunk: String,
    /// Reason for choosing that remote, if it is not simply the given one.
    pub remote_note: Option<String>,
    /// Warnings about what could still refuse a landing, and other facts worth knowing.
    pub warnings: Vec<String>,
    /// Gates that were found and written to `rig.toml`.
    pub gates: Vec<FoundGate>,
    /// Commands in the project's CI that did not become gates.
    pub omitted: Vec<Omitted>,
    /// Other notes on how the project is tested.
    pub notes: Vec<String>,
    /// Set-up of new worktrees.
    pub worktree: WorktreeSettings,
    /// Folders of the overseer's PATH that its workers and gates do not get.
    pub left_out: Vec<LeftOut>,
    /// Links that lead out of its worktrees.
    pub leads_out: Vec<String>,
    /// Result of the gates on the trunk.
    pub proof: Option<GatesRun>,
    /// Reason why the rig is held, if it is.
    pub held: Option<String>,
}

/// File that marks a rig's folder as unfinished. The next `rig add` with that name starts over.
const UNFINISHED: &str = ".adding";

/// Returns rigs whose `rig add` was interrupted before the town knew them. Empty while a rig is being added.
pub fn unfinished(town: &Town) -> Result<Vec<String>> {
    if town.try_lock(&Lane::Rigs)?.is_none() {
        return Ok(Vec::new());
    }
    let disk = town.world().disk();
    let names = disk.list(&town.layout.root)?.into_iter();
    let known: BTreeSet<String> = town.rigs()?.iter().map(|rig| rig.name().to_string()).collect();
    let is_unfinished = |name: &String| disk.exists(&town.layout.root.join(name).join(UNFINISHED));
    Ok(names.filter(|name| !known.contains(name) && is_unfinished(name)).collect())
}

/// Adds a rig completely, or changes nothing.
pub fn add(town: &Town, caller: &Caller, new: &NewRig) -> Result<Added> {
    let name = RigName::parse(&new.name)?;
    let by = confirm(town, caller, "adds rigs", "add the rig", name.as_str())?;
    let held = town.lock(&Lane::Rigs)?;
    let prefix = free_prefix(town, &name, new.prefix.as_deref())?;
    let layout = town.layout.rig(&name);
    let disk = town.world().disk();
    if disk.exists(&layout.root) && !disk.exists(&layout.root.join(UNFINISHED)) {
        let what = format!("{} already exists", layout.root.display());
        return Err(Error::refused(what, "choose another name, or move the folder away"));
    }
    let Destination { url: remote, note: remote_note, mut warnings } = destination::find(town, new, &held)?;
    let (trunk, format) = find_trunk(town, new, &remote)?;
    warnings.extend(destination::require_takes(town, new, &remote, &trunk)?);
    warnings.extend(mayor_sees_later(town)?);
    disk.remove(&layout.root)?;
    let site = Site { name, prefix, remote, trunk, format, remote_note, warnings, by };
    if new.dry_run {
        let shown = show(town, new, &held, site);
        disk.remove(&layout.root)?;
        return shown;
    }
    let added = build(town, caller, new, &held, site);
    // Once the rig is in the ledger, its folder must stay.
    if added.is_err() && disk.exists(&layout.root.join(UNFINISHED)) {
        disk.remove(&layout.root)?;
    }
    added
}

/// Returns a note that a running mayor can't see the new rig yet. Its sandbox shows what existed when its session started.
fn mayor_sees_later(town: &Town) -> Result<Option<String>> {
    let runs =
        || town.ledger.read(|view| Ok::<_, Error>(!view.live_incarnations_of_agent(&Address::Mayor)?.is_empty()));
    let sees_later = town.settings.mayor.sandbox != Sandbox::None && runs()?;
    Ok(sees_later
        .then(|| "the mayor's sandbox includes it from its next session: gt mayor stop, gt mayor start".to_owned()))
}

/// Asks a person to confirm an act on a rig.
fn confirm(town: &Town, caller: &Caller, refused: &str, what: &str, rig: &str) -> Result<Person> {
    person::confirm(town, caller, Act { refused, what, on: rig })
}

/// Facts settled before anything is created.
struct Site {
    name: RigName,
    prefix: String,
    remote: String,
    trunk: String,
    format: ObjectFormat,
    remote_note: Option<String>,
    warnings: Vec<String>,
    by: Person,
}

impl Site {
    /// Returns the result for a rig whose commands have not run yet.
    fn added(self, found: Found, worktree: WorktreeSettings) -> Added {
        Added {
            name: self.name,
            prefix: self.prefix,
            remote: self.remote,
            trunk: self.trunk,
            remote_note: self.remote_note,
            warnings: self.warnings,
            gates: found.gates,
            omitted: found.omitted,
            notes: found.notes,
            worktree,
            left_out: Vec::new(),
            leads_out: Vec::new(),
            proof: None,
            held: None,
        }
    }
}

/// Returns a prefix that no other rig uses, after checking that the name is free as well.
fn free_prefix(town: &Town, name: &RigName, wanted: Option<&str>) -> Result<String> {
    let prefix = wanted.map_or_else(|| prefix_from(name), str::to_owned);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts_well = prefix.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || prefix.len() > 20 || !prefix.chars().all(plain) || prefix.ends_with('-') {
        return Err(Error::Usage {
            what: format!("`{prefix}` is not a prefix"),
            hint: "use 1 to 20 lower-case letters, digits or `-`, starting with a letter: --prefix vt".to_owned(),
        });
    }
    town.ledger.read(|view| {
        if let Some(rig) = view.rig(name.as_str())? {
            return Err(Error::refused(format!("another rig is called {}", rig.name), "gt rig list"));
        }
        let taken_by = view.rig_of_prefix(&prefix)?.map(|rig| format!("the rig {}", rig.name));
        let taken_by = taken_by.or((prefix == TOWN_PREFIX).then(|| "the town itself".to_owned()));
        match taken_by {
            Some(by) => {
                Err(Error::refused(format!("the prefix {prefix} belongs to {by}"), "choose one: --prefix <prefix>"))
            }
            None => Ok(prefix.clone()),
        }
    })
}

fn prefix_from(name: &RigName) -> String {
    let lower = name.as_str().to_ascii_lowercase().replace('_', "-");
    let trimmed: String = lower.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(12).collect();
    let trimmed = trimmed.trim_matches('-');
    if trimmed.is_empty() { format!("r{lower}") } else { trimmed.to_owned() }
}

/// Returns the branch that work lands on, which must have a commit, and the remote's object format.
fn find_trunk(town: &Town, new: &NewRig, remote: &str) -> Result<(String, ObjectFormat)> {
    let facts = town.world().repo().ask_remote(remote)?;
    let Some(any) = facts.branches.values().next() else {
        return Err(Error::refused(format!("{remote} has no commit"), "push a first commit to it"));
    };
    let format = ObjectFormat::of(any.as_str()).unwrap_or_default();
    Ok((choose_trunk(new, remote, &facts)?, format))
}

fn choose_trunk(new: &NewRig, remote: &str, facts: &RemoteFacts) -> Result<String> {
    if let Some(branch) = &new.land_on {
        require_room(branch, facts)?;
        return Ok(branch.clone());
    }
    let names = || facts.branches.keys().take(8).cloned().collect::<Vec<_>>().join(", ");
    match new.branch.clone().or_else(|| facts.head_branch.clone()) {
        Some(branch) if facts.branches.contains_key(&branch) => Ok(branch),
        Some(branch) => Err(Error::refused(format!("{remote} has no branch {branch}"), format!("it has: {}", names()))),
        None => Err(Error::refused(
            format!("{remote} does not say which branch is its trunk"),
            format!("--branch <one of {}>", names()),
        )),
    }
}

/// Returns an error if a branch's name conflicts with an existing one. Git stores branches as files, so `x/y` can't exist beside
/// `x`.
fn require_room(branch: &str, facts: &RemoteFacts) -> Result<()> {
    let is_below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    let in_the_way = |there: &&String| is_below(branch, there) || is_below(there, branch);
    let Some(there) = facts.branches.keys().find(in_the_way) else { return Ok(()) };
    let what = format!("there can be no branch {branch}: the remote has a branch {there}");
    Err(Error::refused(
        what,
        "choose a name that is neither below nor above another branch (git can't have both a and a/b)",
    ))
}

/// Reports what a rig would be. Works in a temporary folder.
fn show(town: &Town, new: &NewRig, held: &Held, site: Site) -> Result<Added> {
    let (_, found, worktree) = look(town, new, held, &site)?;
    let left_out = reach::left_out(town, None);
    Ok(Added { left_out, ..site.added(found, worktree) })
}

/// Fetches the project and finds out how it is tested. Returns its branches and the findings.
fn look(
    town: &Town,
    new: &NewRig,
    held: &Held,
    site: &Site,
) -> Result<(BTreeMap<String, Sha>, Found, WorktreeSettings)> {
    let disk = town.world().disk();
    let repo = town.world().repo();
    let layout = town.layout.rig(&site.name);
    disk.write(&layout.root.join(UNFINISHED), b"")?;
    repo.create(held, &layout.repo(), &site.remote, site.format)?;
    let mut branches = repo.fetch(held, &layout.repo())?;
    let is_new = new.land_on.is_some() && !branches.contains_key(&site.trunk);
    if is_new {
        let start = start_of_new_trunk(town, &site.remote, &branches)?;
        if !new.dry_run {
            make_trunk(town, held, &layout.repo(), &site.trunk, &start)?;
        }
        branches.insert(site.trunk.clone(), start);
    }
    let trunk = branches
        .get(&site.trunk)
        .cloned()
        .ok_or_else(|| Error::Unknown { what: "branch", name: site.trunk.clone() })?;
    if !(is_new && new.dry_run) {
        require_push(town, held, site, &layout.repo(), &trunk)?;
    }
    let filters = repo.filters(&layout.repo(), &trunk)?;
    require_large_files(town, &filters)?;
    repo.reset_gate_worktree(held, &layout.repo(), &layout.gate_worktree(), &trunk)?;
    let mut found = look_at(town, &layout.gate_worktree())?;
    found.notes.extend(against_attributes(&repo.against_attributes(&layout.repo(), &layout.gate_worktree())?));
    let checkout = checkout(town, &new.source)?;
    let worktree = setup::propose(town, &layout.gate_worktree(), checkout, &found.set_up, &filters);
    Ok((branches, found, worktree))
}

/// Makes the rig's folder of formulas: a link to the town's. Replaces what is there.
pub(crate) fn link_formulas(disk: &dyn Disk, layout: &RigLayout) -> Result<()> {
    disk.create_dir(&layout.root.join(".beads"))?;
    disk.remove(&layout.formulas())?;
    Ok(disk.link(&layout.formulas(), Path::new("../../.beads/formulas"))?)
}

fn build(town: &Town, caller: &Caller, new: &NewRig, held: &Held, site: Site) -> Result<Added> {
    let disk = town.world().disk();
    let layout = town.layout.rig(&site.name);
    let (branches, found, worktree) = look(town, new, held, &site)?;
    let gates = found.plain_gates();
    disk.write(&layout.settings(), settings_text(&gates, &worktree).as_bytes())?;
    for folder in [layout.root.join("polecats"), layout.root.join("witness"), layout.root.join("crew")] {
        disk.create_dir(&folder)?;
    }
    link_formulas(disk, &layout)?;
    // Hold the rig until it is proved. A process killed before then must not leave a rig that looks proved.
    let held_because = match (gates.is_empty(), new.skip_proof) {
        (true, _) => Some(NO_GATE.to_owned()),
        (false, false) => Some(unproved(&site.name)),
        (false, true) => None,
    };
    town.ledger.write(&caller.name(), "rig add", |tx| {
        tx.add_rig(&site.name, &site.prefix, &site.remote, &site.trunk)?;
        tx.set_remote_refs(&site.name, &branches)?;
        if let Some(why) = &held_because {
            tx.raise(ConditionKind::RigHeld, site.name.as_str(), why)?;
        }
        reading::decide(tx, &site.name)?;
        Ok::<_, Error>(())
    })?;
    disk.remove(&layout.root.join(UNFINISHED))?;
    let rig = town.rig(site.name.as_str())?;
    // The rig exists from here on. A failed proof holds it but undoes nothing.
    let is_proved_here = !new.skip_proof && !new.leave_unproved && !gates.is_empty();
    let proof = if is_proved_here { prove_new(town, caller, &rig, &site.by, &Proving::default())? } else { None };
    town.wake();
    let held =
        town.ledger.read(|view| view.condition(ConditionKind::RigHeld, site.name.as_str()).map_err(Error::from))?;
    Ok(Added {
        left_out: reach::left_out(town, Some(&rig)),
        leads_out: reach::leads_out(town, &rig),
        proof,
        held: held.map(|c| c.text),
        ..site.added(found, worktree)
    })
}

/// Finds out how a project in a folder is tested, given what this town's workers and gates can run.
pub fn look_at(town: &Town, folder: &Path) -> Result<Found> {
    let disk = town.world().disk();
    let env = worker_env::environment(town, None, None, None);
    let path = env.get("PATH").cloned().unwrap_or_default();
    let has_program = |program: &str| path.split(':').any(|folder| disk.exists(&Path::new(folder).join(program)));
    ecosystems::find(disk, folder, &Knowledge { own: &town.settings.ecosystem, has_program: &has_program })
}

/// Maximum number of files that a note names.
const FILES_NAMED: usize = 5;

/// Describes files that git would commit in a different form than the trunk holds. They delay no work.
fn against_attributes(files: &[String]) -> Option<String> {
    let named = files.iter().take(FILES_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if files.len() > FILES_NAMED { ", …" } else { "" };
    let count = files.len();
    (count > 0).then(|| {
        format!(
            "the trunk stores {count} file(s) differently than its .gitattributes say: {named}{more}; git may show \
             them as changed, but gt does not count that as work (git add --renormalize . repairs it)"
        )
    })
}

/// Returns an error for a remote that can be read but not pushed to.
fn require_push(town: &Town, held: &Held, site: &Site, repo: &Path, at: &Sha) -> Result<()> {
    let why = town.world().repo().try_push(held, repo, &site.trunk, at)?;
    let refused = |why| {
        let what = format!("{} can be read but not pushed to, so nothing could land: {why}", site.remote);
        Error::refused(what, destination::MAY_PUSH)
    };
    why.map_or(Ok(()), |why| Err(refused(why)))
}

/// Returns an error if the project needs git-lfs and it is missing. Without it, a checkout is incomplete.
fn require_large_files(town: &Town, filters: &BTreeSet<String>) -> Result<()> {
    let unserved = town.world().repo().unserved(filters)?;
    let missing = unserved.iter().find(|damage| damage.what == LARGE_FILES);
    missing.map_or(Ok(()), |missing| Err(Error::refused(&missing.found, INSTALL_LFS)))
}

/// Hint for a missing git-lfs.
pub(crate) const INSTALL_LFS: &str = "install git-lfs: apt-get install git-lfs, or https://git-lfs.com";

const NO_GATE: &str = "no gate was found, so gates can't show that work is green; add one with `gt rig gates add`, or \
                       set `allow_ungated = true` in rig.toml if none is needed; then `gt rig release`";

/// Returns the reason why a new rig is held until its gates have run, however `gt rig add` ended.
fn unproved(rig: &RigName) -> String {
    format!("its gates were not run on the trunk yet: `gt rig prove {rig}` runs them")
}

fn start_of_new_trunk(town: &Town, remote: &str, branches: &BTreeMap<String, Sha>) -> Result<Sha> {
    let head = town.world().repo().ask_remote(remote)?.head_branch;
    let start = head.and_then(|branch| branches.get(&branch).cloned()).or_else(|| branches.values().next().cloned());
    start.ok_or_else(|| Error::refused(format!("{remote} has no commit"), "push a first commit to it"))
}

fn make_trunk(town: &Town, held: &Held, repo: &Path, branch: &str, start: &Sha) -> Result<()> {
    match town.world().repo().push(held, repo, branch, start, None)? {
        Push::Done | Push::Moved => Ok(()),
        Push::Refused(why) => {
            Err(Error::refused(format!("the remote refused the branch {branch}: {why}"), "create it there yourself"))
        }
    }
}

/// Returns the overseer's own checkout if the rig was added by its folder.
fn checkout<'a>(town: &Town, source: &'a str) -> Result<Option<&'a Path>> {
    if destination::is_url(source) {
        return Ok(None);
    }
    let folder = Path::new(source);
    let is_checkout = matches!(town.world().repo().folder(folder)?, FolderFacts::Checkout { .. });
    Ok(is_checkout.then_some(folder))
}

fn settings_text(gates: &[Gate], worktree: &WorktreeSettings) -> String {
    let mut text = "\
# Settings of this rig. Every key has a default: `gt config list --rig` shows them, `gt rig set` changes them.
version = 1
# landing = \"ask\"    # what is green waits for `gt mq approve`; \"auto\" lands it
"
    .to_owned();
    if !worktree.is_empty() {
        text.push_str("\n[worktree]\n");
        text.push_str(&toml::to_string(&beyond_defaults(worktree)).unwrap_or_default());
    }
    for gate in gates {
        text.push_str("\n[[gate]]\n");
        text.push_str(&toml::to_string(gate).unwrap_or_default());
    }
    text
}

/// Returns the worktree settings that differ from the defaults.
fn beyond_defaults(worktree: &WorktreeSettings) -> toml::Table {
    let table = |settings: &WorktreeSettings| toml::Table::try_from(settings).unwrap_or_default();
    let defaults = table(&WorktreeSettings::default());
    table(worktree).into_iter().filter(|(key, value)| defaults.get(key) != Some(value)).collect()
}

/// Options for proving a rig.
pub struct Proving<'p> {
    /// Receives progress.
    pub progress: &'p dyn Progress,
    /// Whether a gate must fail when a file is broken.
    pub negative: Negative,
    /// Gates that the rig can do without. If they fail and all others pass, they are removed from `rig.toml`.
    pub optional: &'p [String],
}

impl Default for Proving<'_> {
    fn default() -> Self {
        Self { progress: &Silent, negative: Negative::WhereCheap, optional: &[] }
    }
}

impl Proving<'_> {
    /// Returns the limit, in milliseconds, for breaking files: gates that took longer are not tested this way. `None`: break
    /// none.
    fn within_ms(&self, rig: &Rig) -> Option<u64> {
        match self.negative {
            Negative::WhereCheap => rig.settings.prove_negative.then_some(CHEAP_MS),
            Negative::Always => Some(u64::MAX),
        }
    }
}

/// Whether a proof breaks files on purpose, to see whether the gates fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negative {
    /// Only if the gates are quick.
    WhereCheap,
    /// Always.
    Always,
}

/// Limit in milliseconds under which gates count as quick.
const CHEAP_MS: u64 = 30_000;

/// Runs the gates on the trunk. A failure holds the rig; success releases it.
pub fn prove(town: &Town, caller: &Caller, rig: &Rig) -> Result<GatesRun> {
    prove_as(town, caller, rig, &Proving::default())
}

/// Proves like [`prove`], with progress and options.
pub fn prove_as(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<GatesRun> {
    let person = confirm(town, caller, "has gates run on the trunk", "run the gates of", rig.name().as_str())?;
    prove_by(town, caller, rig, &person, proving)
}

/// Proves a rig that was just added. If the gates can't run, holds the rig instead of returning an error.
pub fn prove_added(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<Option<GatesRun>> {
    // The person confirmed this when adding the rig.
    let person = person::require(caller, "has gates run on the trunk")?;
    prove_new(town, caller, rig, &person, proving)
}

fn prove_by(town: &Town, caller: &Caller, rig: &Rig, by: &Person, proving: &Proving<'_>) -> Result<GatesRun> {
    let (tree, mut run) = run_on_trunk(town, rig, proving)?;
    // Store the verdict on the trunk's tree, so that neither the refinery nor a worker that starts there runs the gates again.
    let verdict = (run.passed() && !run.gates.is_empty()).then(|| run.verdict());
    do_without(town, rig, by, proving.optional, &mut run)?;
    let seen = Seen::of(town, rig, &run, proving)?;
    town.ledger.write(&caller.name(), "prove", |tx| {
        // This run replaces whatever held the rig before.
        tx.clear(ConditionKind::RigHeld, rig.name().as_str())?;
        if let Some(verdict) = &verdict {
            tx.set_verdict(rig.name(), &tree, &rig.settings.gates_hash(), verdict)?;
        }
        if let Some(seen) = &seen {
            seen.keep(tx, rig)?;
        }
        if let Some(why) = why_held(rig, &run) {
            tx.raise(ConditionKind::RigHeld, rig.name().as_str(), &why)?;
        }
        Ok::<_, Error>(())
    })?;
    Ok(run)
}

fn why_held(rig: &Rig, run: &GatesRun) -> Option<String> {
    if let Some(red) = run.gates.iter().find(|gate| !gate.passed) {
        let first = red.failure.as_deref().and_then(|failure| failure.lines().next()).unwrap_or_default();
        let remedy = red.remedy.as_ref().map(|remedy| format!("; {}", remedy.text)).unwrap_or_default();
        let all = if red.log.is_empty() { String::new() } else { format!(" (full output: {})", red.log) };
        return Some(format!("its trunk is red: {first}{all}{remedy}"));
    }
    let file = run.blind_to().filter(|_| rig.settings.prove_negative)?;
    Some(format!(
        "its gates stay green though {file} is broken, so they test another tree, or not that file: fix them, then gt \
         rig prove {}; or set prove_negative = false in rig.toml if this file needs no test",
        rig.name()
    ))
}

/// Removes gates from `rig.toml` that fail on the trunk and that the rig can do without, if all others pass.
fn do_without(town: &Town, rig: &Rig, by: &Person, optional: &[String], run: &mut GatesRun) -> Result<()> {
    let can_go = |gate: &GateRun| !gate.passed && optional.contains(&gate.name);
    let others_are_green =
        run.gates.iter().all(|gate| gate.passed || can_go(gate)) && run.gates.iter().any(|gate| gate.passed);
    if !others_are_green || !run.gates.iter().any(can_go) {
        return Ok(());
    }
    let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut run.gates).into_iter().partition(can_go);
    (run.gates, run.left_out) = (kept, gone);
    take_out(town, rig, by, &run.left_out)
}

/// Removes gates from `rig.toml` and leaves them in a comment.
fn take_out(town: &Town, rig: &Rig, by: &Person, gone: &[GateRun]) -> Result<()> {
    edit(town, rig, by, |document| {
        let mut comment = document.trailing().as_str().unwrap_or_default().to_owned();
        for gate in gone {
            let run = rig
                .settings
                .gate
                .iter()
                .find(|known| known.name == gate.name)
                .map(|known| known.run.replace('\n', " "));
            let run = run.unwrap_or_default();
            comment.push_str(&format!("\n# Left out, since it was red on the trunk: gate {}: {run}\n", gate.name));
        }
        if let Some(gates) = document.get_mut("gate").and_then(|item| item.as_array_of_tables_mut()) {
            let is_gone = |name: &str| gone.iter().any(|gate| gate.name == name);
            gates.retain(|table| !table.get("name").and_then(|name| name.as_str()).is_some_and(is_gone));
        }
        document.set_trailing(comment);
    })?;
    Ok(())
}

fn prove_new(town: &Town, caller: &Caller, rig: &Rig, by: &Person, proving: &Proving<'_>) -> Result<Option<GatesRun>> {
    match prove_by(town, caller, rig, by, proving) {
        Ok(run) => Ok(Some(run)),
        Err(error @ Error::Ledger(_)) => Err(error),
        Err(error) => {
            let text = format!("its gates could not be run on the trunk: {error}");
            town.ledger.write(&caller.name(), "prove", |tx| {
                tx.clear(ConditionKind::RigHeld, rig.name().as_str())?;
                tx.raise(ConditionKind::RigHeld, rig.name().as_str(), &text).map_err(Error::from)
            })?;
            Ok(None)
        }
    }
}

/// Returns the reason why a rig is held, if it is.
pub fn why_is_held(town: &Town, rig: &Rig) -> Result<Option<String>> {
    let held =
        town.ledger.read(|view| view.condition(ConditionKind::RigHeld, rig.name().as_str()).map_err(Error::from))?;
    Ok(held.map(|condition| condition.text))
}

/// Runs the gates on the trunk. Returns its tree as well.
fn run_on_trunk(town: &Town, rig: &Rig, proving: &Proving<'_>) -> Result<(Sha, GatesRun)> {
    // The refinery uses the same worktree, so take its lane.
    let turn = town.lock(&rig.gates_lane())?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let refs = repo.refs(&path)?;
    let trunk =
        refs.get(&rig.trunk_ref()).ok_or_else(|| Error::Unknown { what: "branch", name: rig.row.trunk.clone() })?;
    let tree = repo.tree_of(&path, trunk)?;
    // Use no caches: prove the trunk alone.
    let subject = Subject { commit: trunk, tree: &tree, label: "proof", clean: true, batch: &[] };
    let breaking = Breaking { within_ms: proving.within_ms(rig), optional: proving.optional };
    let run = gates::prove(town, rig, &turn, &subject, proving.progress, breaking).map(Tested::into_run)?;
    Ok((tree, run))
}

/// Removes the hold of a rig. If the rig has gates, they must first pass on the trunk.
pub fn release(town: &Town, caller: &Caller, rig: &Rig) -> Result<Option<GatesRun>> {
    release_as(town, caller, rig, &Proving::default())
}

/// Releases like [`release`], with progress and options.
pub fn release_as(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<Option<GatesRun>> {
    let person = confirm(town, caller, "releases rigs", "release the rig", rig.name().as_str())?;
    let accepted = town.ledger.write(&caller.name(), "rig release", |tx| {
        tx.clear(ConditionKind::SettingsChanged, rig.name().as_str()).map_err(Error::from)
    });
    accepted?;
    if rig.settings.gate.is_empty() && !rig.settings.allow_ungated {
        return Err(Error::refused(
            format!("the rig {} has no gate", rig.name()),
            "gt rig gates add <rig> <name> \"<command>\"",
        ));
    }
    if !rig.settings.gate.is_empty() {
        return prove_by(town, caller, rig, &person, proving).map(Some);
    }
    town.ledger.write(&caller.name(), "rig release", |tx| {
        tx.clear(ConditionKind::RigHeld, rig.name().as_str())?;
        Ok::<_, Error>(())
    })?;
    Ok(None)
}

/// Adds a gate to `rig.toml` and keeps the rest of the file.
pub fn add_gate(town: &Town, caller: &Caller, rig: &Rig, gate: &Gate) -> Result<RigSettings> {
    let person = confirm(town, caller, "adds gates", "add a gate to", rig.name().as_str())?;
    if rig.settings.gate.iter().any(|g| g.name == gate.name) {
        return Err(Error::refused(format!("another gate is called {}", gate.name), "gt rig gates list"));
    }
    edit(town, rig, &person, |document| {
        let mut table = toml_edit::Table::new();
        table["name"] = toml_edit::value(&gate.name);
        table["run"] = toml_edit::value(&gate.run);
        let gates = document.entry("gate").or_insert(toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
        if let Some(gates) = gates.as_array_of_tables_mut() {
            gates.push(table);
        }
    })
}

/// Removes a gate from `rig.toml`.
pub fn remove_gate(town: &Town, caller: &Caller, rig: &Rig, name: &str) -> Result<RigSettings> {
    let person = confirm(town, caller, "removes gates", "remove a gate from", rig.name().as_str())?;
    if !rig.settings.gate.iter().any(|g| g.name == name) {
        return Err(Error::Unknown { what: "gate", name: name.to_owned() });
    }
    edit(town, rig, &person, |document| {
        if let Some(gates) = document.get_mut("gate").and_then(|item| item.as_array_of_tables_mut()) {
            gates.retain(|table| table.get("name").and_then(|n| n.as_str()) != Some(name));
        }
    })
}

fn edit(town: &Town, rig: &Rig, by: &Person, change: impl FnOnce(&mut toml_edit::DocumentMut)) -> Result<RigSettings> {
    let path = rig.layout.settings();
    settings::edit(town, &path, by, &|bytes| settings::parse(&path, bytes), change)
}

/// Removes a rig from the town. Its folder moves to the town's archive and its beads stay. Returns the folder's new path.
pub fn remove(town: &Town, caller: &Caller, rig: &Rig, dry_run: bool) -> Result<PathBuf> {
    if dry_run {
        person::require(caller, "removes rigs")?;
    } else {
        confirm(town, caller, "removes rigs", "remove the rig", rig.name().as_str())?;
    }
    let _held = town.lock(&Lane::Rigs)?;
    town.ledger.read(|view| refuse_busy(view, rig))?;
    let archive = town.layout.archive();
    let number = town.world().disk().list(&archive)?.len() + 1;
    let to = archive.join(format!("{}-{number}", rig.name()));
    if !dry_run {
        town.ledger.write(&caller.name(), "rig remove", |tx| {
            // Check again, because a bead may have been slung meanwhile.
            refuse_busy(tx, rig)?;
            for row in tx.open_effects()?.iter().filter(|row| row.rig.as_ref() == Some(rig.name())) {
                tx.withdraw(row.id)?;
            }
            tx.remove_rig(rig.name()).map_err(Error::from)
        })?;
        town.world().disk().create_dir(&archive)?;
        town.world().disk().rename(&rig.layout.root, &to)?;
        town.wake();
    }
    Ok(to)
}

fn refuse_busy(view: &View<'_>, rig: &Rig) -> Result<()> {
    let present = view.present_attempts()?.into_iter().filter(|a| &a.rig == rig.name());
    let busy: Vec<String> = present.map(|a| a.bead.0).collect();
    let crew: Vec<_> = view.agents()?.into_iter().filter(|agent| agent.rig() == Some(rig.name())).collect();
    if let Some(first) = crew.first() {
        let names = crew.iter().map(Agent::name).collect::<Vec<_>>().join(", ");
        let hint = format!("gt crew remove {} {}", rig.name(), first.name());
        return Err(Error::refused(format!("the rig {} has crew: {names}", rig.name()), hint));
    }
    if busy.is_empty() {
        return Ok(());
    }
    let what = format!("the rig {} is at work on {}", rig.name(), busy.join(", "));
    Err(Error::refused(what, "wait for them to land, or take them back: gt unsling <bead>"))
}
