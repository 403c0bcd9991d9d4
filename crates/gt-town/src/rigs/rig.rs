//! Rigs: adding a project to the town, its gates, and taking it out again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gt_ledger::TOWN_PREFIX;
use gt_ledger::{Agent, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::id::{RigName, Sha};
use gt_world::{FolderFacts, Held, LARGE_FILES, ObjectFormat, Push, RemoteFacts};
use serde::Serialize;

use crate::ecosystems::{self, Found, FoundGate, Knowledge, Omitted};
use crate::rigs::destination::{self, Destination};
use crate::rigs::gates::{self, Breaking, GateRun, GatesRun, Progress, Silent, Subject, Tested};
use crate::rigs::reading;
use crate::rigs::setup;
use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::person::{self, Act, Person};
use crate::town::settings::{self, Gate, RigSettings, Sandbox, WorktreeSettings};
use crate::town::{Caller, Rig, Town};
use crate::walls::reach::{self, LeftOut};
use crate::walls::worker_env;

mod fix;
mod seen;

pub use fix::{Fixed, fix};
pub use seen::{Repeated, Seen, repeat, seen};

/// A rig to be added.
#[derive(Clone, Debug, Default)]
pub struct NewRig {
    /// Its name.
    pub name: String,
    /// URL or path of the project's repository.
    pub source: String,
    /// The prefix of its beads' ids; made from the name where absent.
    pub prefix: Option<String>,
    /// The trunk; the remote's own where absent.
    pub branch: Option<String>,
    /// For a folder without a remote: make a bare copy beside it, which becomes its `origin`.
    pub make_bare_remote: bool,
    /// Land on this branch instead of the one that is checked out; made where it is not there.
    pub land_on: Option<String>,
    /// Do not run the gates on the trunk.
    pub skip_proof: bool,
    /// Leave that to the caller, who shows first what would be run: until then the rig is held.
    pub leave_unproved: bool,
    /// Only look, and make nothing.
    pub dry_run: bool,
}

/// What adding a rig found and did.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    /// Its name.
    pub name: RigName,
    /// Its prefix.
    pub prefix: String,
    /// What will be pushed to.
    pub remote: String,
    /// On which branch.
    pub trunk: String,
    /// Why that is the remote, where it is not simply what was given.
    pub remote_note: Option<String>,
    /// What may refuse a landing there all the same, or is worth knowing besides.
    pub warnings: Vec<String>,
    /// The gates that were found and pinned.
    pub gates: Vec<FoundGate>,
    /// What of the project's CI was not made a gate.
    pub omitted: Vec<Omitted>,
    /// What else is worth knowing about how it is tested.
    pub notes: Vec<String>,
    /// How fresh worktrees are set up.
    pub worktree: WorktreeSettings,
    /// Folders of the overseer's PATH that its workers and gates do not get.
    pub left_out: Vec<LeftOut>,
    /// What leads out of its worktrees.
    pub leads_out: Vec<String>,
    /// What they said of the trunk.
    pub proof: Option<GatesRun>,
    /// Why the rig is held, if it is.
    pub held: Option<String>,
}

/// Says that a rig's folder is not finished; the next `rig add` of that name starts over.
const UNFINISHED: &str = ".adding";

/// Rigs whose `rig add` was cut short before the town knew them. None while one is being added.
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

/// Adds a rig: all of it, or nothing.
pub fn add(town: &Town, caller: &Caller, new: &NewRig) -> Result<Added> {
    let name = RigName::parse(&new.name)?;
    let by = confirm(town, caller, "adds rigs", "add the rig", name.as_str())?;
    let held = town.lock(&Lane::Rigs)?;
    let prefix = free_prefix(town, &name, new.prefix.as_deref())?;
    let layout = town.layout.rig(&name);
    let disk = town.world().disk();
    if disk.exists(&layout.root) && !disk.exists(&layout.root.join(UNFINISHED)) {
        let what = format!("{} is there already", layout.root.display());
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
    // Once the ledger has the rig, its folder is no leftover.
    if added.is_err() && disk.exists(&layout.root.join(UNFINISHED)) {
        disk.remove(&layout.root)?;
    }
    added
}

/// A sandbox shows what was there when its session started.
fn mayor_sees_later(town: &Town) -> Result<Option<String>> {
    let runs =
        || town.ledger.read(|view| Ok::<_, Error>(!view.live_incarnations_of_agent(&Address::Mayor)?.is_empty()));
    let sees_later = town.settings.mayor.sandbox != Sandbox::None && runs()?;
    Ok(sees_later
        .then(|| "the mayor's sandbox shows it from its next session on: gt mayor stop, gt mayor start".to_owned()))
}

/// Has a person confirm what is done to a rig.
fn confirm(town: &Town, caller: &Caller, refused: &str, what: &str, rig: &str) -> Result<Person> {
    person::confirm(town, caller, Act { refused, what, on: rig })
}

/// What was settled before anything is made.
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
    /// The rig as it is before anything of it was run or looked at.
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

/// The prefix, which must be nobody's yet; and the name, likewise.
fn free_prefix(town: &Town, name: &RigName, wanted: Option<&str>) -> Result<String> {
    let prefix = wanted.map_or_else(|| prefix_from(name), str::to_owned);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts_well = prefix.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || prefix.len() > 20 || !prefix.chars().all(plain) || prefix.ends_with('-') {
        return Err(Error::Usage {
            what: format!("`{prefix}` is no prefix"),
            hint: "use 1 to 20 lower-case letters, digits or `-`, starting with a letter: --prefix vt".to_owned(),
        });
    }
    town.ledger.read(|view| {
        if let Some(rig) = view.rig(name.as_str())? {
            return Err(Error::refused(format!("a rig is called {} already", rig.name), "gt rig list"));
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

/// The branch that work lands on, which must have a commit, and how the remote names its objects.
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

/// Git keeps branches as files: there is no `x/y` beside an `x`.
fn require_room(branch: &str, facts: &RemoteFacts) -> Result<()> {
    let is_below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
    let in_the_way = |there: &&String| is_below(branch, there) || is_below(there, branch);
    let Some(there) = facts.branches.keys().find(in_the_way) else { return Ok(()) };
    let what = format!("there can be no branch {branch}: the remote has a branch {there}");
    Err(Error::refused(
        what,
        "choose a name that neither begins with another branch's name and a / nor is such a beginning",
    ))
}

/// What a rig would be, found out in a folder that goes afterwards.
fn show(town: &Town, new: &NewRig, held: &Held, site: Site) -> Result<Added> {
    let (_, found, worktree) = look(town, new, held, &site)?;
    let left_out = reach::left_out(town, None);
    Ok(Added { left_out, ..site.added(found, worktree) })
}

/// Fetches the project, and finds out what it is tested with. Answers with its branches, and what was found.
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

fn build(town: &Town, caller: &Caller, new: &NewRig, held: &Held, site: Site) -> Result<Added> {
    let disk = town.world().disk();
    let layout = town.layout.rig(&site.name);
    let (branches, found, worktree) = look(town, new, held, &site)?;
    let gates = found.plain_gates();
    disk.write(&layout.settings(), settings_text(&gates, &worktree).as_bytes())?;
    for folder in [layout.root.join("polecats"), layout.root.join("witness"), layout.root.join("crew")] {
        disk.create_dir(&folder)?;
    }
    disk.create_dir(&layout.root.join(".beads"))?;
    disk.link(&layout.formulas(), Path::new("../../.beads/formulas"))?;
    // Held until it is proved: whoever is killed before must not leave a rig that looks as if it were.
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
    // The rig is there from here on: what can't be proved holds it, and undoes nothing.
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

/// Finds out what a project in a folder is tested with, as this town's workers and gates could run it.
pub fn look_at(town: &Town, folder: &Path) -> Result<Found> {
    let disk = town.world().disk();
    let env = worker_env::environment(town, None, None, None);
    let path = env.get("PATH").cloned().unwrap_or_default();
    let has_program = |program: &str| path.split(':').any(|folder| disk.exists(&Path::new(folder).join(program)));
    ecosystems::find(disk, folder, &Knowledge { own: &town.settings.ecosystem, has_program: &has_program })
}

/// How many files a note names.
const FILES_NAMED: usize = 5;

/// Tells of files that git would commit otherwise than the trunk holds them. Nobody's work is held up by them.
fn against_attributes(files: &[String]) -> Option<String> {
    let named = files.iter().take(FILES_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if files.len() > FILES_NAMED { ", …" } else { "" };
    let count = files.len();
    (count > 0).then(|| {
        format!(
            "the trunk holds {count} file(s) otherwise than its .gitattributes say: {named}{more}; git may show them as \
             changed, gt counts that as nobody's work (git add --renormalize . mends it)"
        )
    })
}

/// Refuses a remote that can be read and not pushed to.
fn require_push(town: &Town, held: &Held, site: &Site, repo: &Path, at: &Sha) -> Result<()> {
    let why = town.world().repo().try_push(held, repo, &site.trunk, at)?;
    let refused = |why| {
        let what = format!("{} can be read and not pushed to, so nothing could land: {why}", site.remote);
        Error::refused(what, destination::MAY_PUSH)
    };
    why.map_or(Ok(()), |why| Err(refused(why)))
}

/// Without git-lfs a project that needs it can't be checked out as it is meant.
fn require_large_files(town: &Town, filters: &BTreeSet<String>) -> Result<()> {
    let unserved = town.world().repo().unserved(filters)?;
    let missing = unserved.iter().find(|damage| damage.what == LARGE_FILES);
    missing.map_or(Ok(()), |missing| Err(Error::refused(&missing.found, INSTALL_LFS)))
}

/// What to do where git-lfs is missing.
pub(crate) const INSTALL_LFS: &str = "install git-lfs: apt-get install git-lfs, or https://git-lfs.com";

const NO_GATE: &str = "no gate was found, so nothing could be shown to be green; `gt rig gates add` names one, or `allow_ungated = true` in rig.toml is your word that none is needed; then `gt rig release`";

/// Why a new rig is held until its gates were run, whatever ended `gt rig add` before.
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
            Err(Error::refused(format!("the remote refused the branch {branch}: {why}"), "make it there yourself"))
        }
    }
}

/// The overseer's own checkout, where the rig was added by its folder.
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

/// What of the settings of worktrees does not hold without being said.
fn beyond_defaults(worktree: &WorktreeSettings) -> toml::Table {
    let table = |settings: &WorktreeSettings| toml::Table::try_from(settings).unwrap_or_default();
    let defaults = table(&WorktreeSettings::default());
    table(worktree).into_iter().filter(|(key, value)| defaults.get(key) != Some(value)).collect()
}

/// How a rig is proved.
pub struct Proving<'p> {
    /// Is told what is run.
    pub progress: &'p dyn Progress,
    /// Whether the gates must turn red where a file is broken.
    pub negative: Negative,
    /// Gates that the rig can do without: where they are red, and the others are green, they are taken out of `rig.toml`.
    pub optional: &'p [String],
}

impl Default for Proving<'_> {
    fn default() -> Self {
        Self { progress: &Silent, negative: Negative::WhereCheap, optional: &[] }
    }
}

impl Proving<'_> {
    /// Milliseconds that green gates take at most where files are broken; `None`: none is.
    fn within_ms(&self, rig: &Rig) -> Option<u64> {
        match self.negative {
            Negative::WhereCheap => rig.settings.prove_negative.then_some(CHEAP_MS),
            Negative::Always => Some(u64::MAX),
        }
    }
}

/// Whether a proof breaks files on purpose, to see whether the gates turn red.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negative {
    /// Where the gates take little time.
    WhereCheap,
    /// Whatever it takes.
    Always,
}

/// Milliseconds that the gates take at most where it is cheap to run them on broken files too.
const CHEAP_MS: u64 = 30_000;

/// Runs the gates on the trunk; a red trunk holds the rig, and a green one releases it.
pub fn prove(town: &Town, caller: &Caller, rig: &Rig) -> Result<GatesRun> {
    prove_as(town, caller, rig, &Proving::default())
}

/// The same, with progress, and as deep as is asked for.
pub fn prove_as(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<GatesRun> {
    let person = confirm(town, caller, "has gates run on the trunk", "run the gates of", rig.name().as_str())?;
    prove_by(town, caller, rig, &person, proving)
}

/// The first proof of a rig that was just added: what can't be run holds it, and is no error.
pub fn prove_added(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<Option<GatesRun>> {
    // What adding it has confirmed is confirmed.
    let person = person::require(caller, "has gates run on the trunk")?;
    prove_new(town, caller, rig, &person, proving)
}

fn prove_by(town: &Town, caller: &Caller, rig: &Rig, by: &Person, proving: &Proving<'_>) -> Result<GatesRun> {
    let (tree, mut run) = run_on_trunk(town, rig, proving)?;
    // What is known of the trunk's tree need not be found out again: by the refinery, by who begins at it.
    let verdict = (run.passed() && !run.gates.is_empty()).then(|| run.verdict());
    do_without(town, rig, by, proving.optional, &mut run)?;
    let seen = Seen::of(town, rig, &run, proving)?;
    town.ledger.write(&caller.name(), "prove", |tx| {
        // What held it before is told by this run.
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
        let all = if red.log.is_empty() { String::new() } else { format!(" (all of it: {})", red.log) };
        return Some(format!("its trunk is red: {first}{all}{remedy}"));
    }
    let file = run.blind_to().filter(|_| rig.settings.prove_negative)?;
    Some(format!(
        "its gates stay green though {file} is broken, so they test something else, or not all: mend them, then gt rig \
         prove {}; or prove_negative = false in rig.toml is your word that this file need not be tested",
        rig.name()
    ))
}

/// Takes gates out of `rig.toml` that are red on the trunk and that the rig can do without, where the others are green.
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

/// Takes gates out of `rig.toml`; a comment keeps what they were.
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

/// Why a rig is held, if it is.
pub fn why_is_held(town: &Town, rig: &Rig) -> Result<Option<String>> {
    let held =
        town.ledger.read(|view| view.condition(ConditionKind::RigHeld, rig.name().as_str()).map_err(Error::from))?;
    Ok(held.map(|condition| condition.text))
}

/// Runs the gates on the trunk; answers with its tree, too.
fn run_on_trunk(town: &Town, rig: &Rig, proving: &Proving<'_>) -> Result<(Sha, GatesRun)> {
    // The refinery's own turn: it uses the same worktree.
    let turn = town.lock(&rig.gates_lane())?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let refs = repo.refs(&path)?;
    let trunk =
        refs.get(&rig.trunk_ref()).ok_or_else(|| Error::Unknown { what: "branch", name: rig.row.trunk.clone() })?;
    let tree = repo.tree_of(&path, trunk)?;
    // Without any cache: what is proved is the trunk alone.
    let subject = Subject { commit: trunk, tree: &tree, label: "proof", clean: true, batch: &[] };
    let breaking = Breaking { within_ms: proving.within_ms(rig), optional: proving.optional };
    let run = gates::prove(town, rig, &turn, &subject, proving.progress, breaking).map(Tested::into_run)?;
    Ok((tree, run))
}

/// Takes a hold off a rig; if it has gates, they must be green on the trunk first.
pub fn release(town: &Town, caller: &Caller, rig: &Rig) -> Result<Option<GatesRun>> {
    release_as(town, caller, rig, &Proving::default())
}

/// The same, with progress.
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

/// Adds a gate to `rig.toml`, leaving the rest of the file as it is.
pub fn add_gate(town: &Town, caller: &Caller, rig: &Rig, gate: &Gate) -> Result<RigSettings> {
    let person = confirm(town, caller, "adds gates", "add a gate to", rig.name().as_str())?;
    if rig.settings.gate.iter().any(|g| g.name == gate.name) {
        return Err(Error::refused(format!("a gate is called {} already", gate.name), "gt rig gates list"));
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

/// Takes a rig out of the town. Its folder goes into the town's archive, its beads stay. Answers with where it went.
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
            // Asked again: a bead may have been slung meanwhile.
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
