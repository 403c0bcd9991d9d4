//! `gt demo verify`: inspects a finished demo from outside, and reports whether everything is as it must be.
//!
//! It does not trust the engine: it reads git, the process table and the ledger (read-only) separately, and compares them. No
//! check depends on the success of another one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gt_ledger::{Incarnation, Landing, Ledger, LedgerError, LedgerResult, Mail, MergeRequest, RigRow, Swarm, View};
use gt_model::bead::{Bead, DepType, Status};
use gt_model::id::{BeadId, Sha};
use gt_model::protocol::Message;
use gt_model::queue::MrEnd;
use gt_town::town::layout::Layout;
use gt_town::town::settings::{self, RigSettings};
use gt_world::real::RealWorld;
use serde::Serialize;

use super::run::Folders;
use super::story::CONVOY;

mod outside;
mod processes;

use outside::{RemoteCopy, TrunkCommit};
pub use processes::{Stray, still_runs, strays};

/// State of a finished demo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every check, in a fixed order.
    pub checks: Vec<Check>,
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check.
    pub name: &'static str,
    /// Whether it passed.
    pub ok: bool,
    /// Result; for a failure, the fault and its place.
    pub detail: String,
}

impl Report {
    /// Whether all checks passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }

    /// Returns the names of the checks that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The folder holds no town.
    #[error("no demo at {}: neither it nor its folder `town` has a town.toml", .0.display())]
    NoTown(PathBuf),
    /// The town's ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Checks the demo in `dir`, which is the folder that `gt demo` made, or a town.
pub fn verify(dir: &Path) -> Result<Report, VerifyError> {
    let dir = dir.canonicalize().map_err(|_| VerifyError::NoTown(dir.to_owned()))?;
    let town = town_in(&dir).ok_or_else(|| VerifyError::NoTown(dir.clone()))?;
    // A read-only ledger uses nothing of its world.
    let ledger = Ledger::open_read_only(&town.ledger(), Arc::new(RealWorld::new(PathBuf::new())))?;
    let facts = ledger.read(Facts::gather)?;
    let mut checks = vec![check("ledger", ledger.integrity().map_err(|e| e.to_string()), "sound")];
    checks.extend(facts.check_ledger());
    checks.extend(facts.rigs.iter().flat_map(|rig| facts.check_rig(&town, rig)));
    checks.push(check("processes", left_processes(&dir), "none left"));
    Ok(Report { checks })
}

/// Returns the town of a demo's folder.
fn town_in(dir: &Path) -> Option<Layout> {
    [Folders::new(dir).town(), dir.to_owned()]
        .iter()
        .map(|root| Layout::new(root))
        .find(|town| town.settings().is_file())
}

/// List of faults, or the reason why the check could not look.
type Findings = Result<Vec<String>, String>;

fn check(name: &'static str, findings: Findings, good: &str) -> Check {
    let problems = findings.unwrap_or_else(|why| vec![format!("can't be checked: {why}")]);
    let detail = if problems.is_empty() { good.to_owned() } else { problems.join("; ") };
    Check { name, ok: problems.is_empty(), detail }
}

fn left_processes(dir: &Path) -> Findings {
    Ok(strays(dir).map_err(|e| e.to_string())?.iter().map(Stray::to_string).collect())
}

/// Facts from the ledger.
#[derive(Clone, Debug, Default)]
struct Facts {
    rigs: Vec<RigRow>,
    convoy: Option<Bead>,
    /// Members of the convoy; `None` where the ledger has no such bead.
    members: BTreeMap<BeadId, Option<Bead>>,
    requests: Vec<MergeRequest>,
    landings: Vec<Landing>,
    incarnations: Vec<Incarnation>,
    swarms: Vec<Swarm>,
    mail: Vec<Mail>,
    /// Number of times that the ledger reports the convoy as landed.
    convoy_landings: usize,
}

impl Facts {
    fn gather(view: &View<'_>) -> LedgerResult<Self> {
        let rigs = view.rigs()?;
        let convoy = view.bead(&CONVOY.into())?;
        let tracked = convoy.iter().flat_map(|bead| &bead.dependencies).filter(|d| d.kind == DepType::Tracks);
        let members = tracked.map(|d| Ok((d.depends_on_id.clone(), view.bead(&d.depends_on_id)?)));
        let members = members.collect::<LedgerResult<_>>()?;
        let mut incarnations = Vec::new();
        for rig in &rigs {
            for attempt in view.attempts_of_rig(&rig.name)? {
                incarnations.extend(view.incarnations_of(attempt.id)?);
            }
        }
        let events = view.events(0, None, u32::MAX)?;
        Ok(Self {
            members,
            incarnations,
            convoy_landings: events.iter().filter(|e| e.event == "convoy-landed" && e.subject == CONVOY).count(),
            requests: view.merge_requests()?,
            landings: view.landings()?,
            swarms: view.swarms()?,
            mail: view.all_mail()?,
            rigs,
            convoy,
        })
    }

    fn check_ledger(&self) -> Vec<Check> {
        vec![
            check("convoy", Ok(self.convoy_problems()), "landed once"),
            check("swarms", Ok(self.swarm_problems()), &format!("{} started and completed", self.swarms.len())),
            check("sessions", Ok(self.session_problems()), "none live"),
        ]
    }

    fn check_rig(&self, town: &Layout, rig: &RigRow) -> Vec<Check> {
        let landings: Vec<&Landing> = self.landings.iter().filter(|landing| landing.rig == rig.name).collect();
        let copy = RemoteCopy::of(&rig.remote, &rig.trunk);
        let copy = copy.as_ref().map_err(Clone::clone);
        let commits = copy.clone().and_then(RemoteCopy::trunk);
        let of_trunk = |problems: &dyn Fn(&[TrunkCommit]) -> Vec<String>| commits.clone().map(|all| problems(&all));
        let green = copy.and_then(|copy| {
            let positions = positions(&commits.clone()?, &landings);
            red_positions(copy, &positions, &settings_of(town, rig)?)
        });
        vec![
            check(
                "beads",
                of_trunk(&|all| self.bead_problems(all)),
                &format!("{} landed once each", self.members.len()),
            ),
            check(
                "trunk",
                of_trunk(&|all| self.trunk_problems(&landings, all)),
                &format!("{} landings", landings.len()),
            ),
            check("gates", green, "every trunk position is green"),
            check("remote", foreign_refs(rig), "nothing but the trunk"),
            check("worktrees", left_worktrees(town, rig), "none left"),
        ]
    }

    /// Checks that every member landed exactly once, as the ledger says, and is closed.
    fn bead_problems(&self, commits: &[TrunkCommit]) -> Vec<String> {
        let mut problems: Vec<String> =
            self.members.iter().flat_map(|(id, bead)| self.member_problems(id, bead.as_ref(), commits)).collect();
        if self.members.is_empty() {
            problems.push(format!("{CONVOY} has no members"));
        }
        for commit in commits {
            for bead in commit.beads.iter().filter(|bead| !self.members.contains_key(&BeadId::from(bead.as_str()))) {
                problems.push(format!("commit {} is of {bead}, which is no member of {CONVOY}", commit.sha.short()));
            }
        }
        problems
    }

    fn member_problems(&self, id: &BeadId, bead: Option<&Bead>, commits: &[TrunkCommit]) -> Vec<String> {
        let mut problems = Vec::new();
        let landed: Vec<&Sha> =
            commits.iter().filter(|c| c.beads.iter().any(|b| b == id.as_str())).map(|c| &c.sha).collect();
        let merged: Vec<&MergeRequest> =
            self.requests.iter().filter(|mr| &mr.bead == id && mr.outcome == Some(MrEnd::Merged)).collect();
        match (&landed[..], &merged[..]) {
            ([commit], [mr]) if mr.commit_landed.as_ref() == Some(*commit) => {}
            ([], _) => problems.push(format!("{id}: no commit on the trunk")),
            ([commit], [mr]) => problems.push(format!(
                "{id}: commit {} is on the trunk, {} says {}",
                commit.short(),
                mr.id,
                mr.commit_landed.as_ref().map_or("nothing", Sha::short)
            )),
            ([_], merged) => problems.push(format!("{id}: {} merged merge requests in the ledger", merged.len())),
            (many, _) => {
                let shas: Vec<&str> = many.iter().map(|sha| sha.short()).collect();
                problems.push(format!("{id}: landed {} times: {}", many.len(), shas.join(", ")));
            }
        }
        match bead.map(|bead| &bead.status) {
            Some(Status::Closed) => {}
            Some(status) => problems.push(format!("{id}: {status}, not closed")),
            None => problems.push(format!("{id}: not in the ledger")),
        }
        problems
    }

    /// Checks that the landings, in order, lead from the first commit to the remote's tip and explain each commit between.
    fn trunk_problems(&self, landings: &[&Landing], commits: &[TrunkCommit]) -> Vec<String> {
        let Some(first) = commits.first() else { return vec!["the trunk has no commit".to_owned()] };
        let mut problems = Vec::new();
        let mut at = &first.sha;
        for landing in landings {
            if &landing.onto != at {
                let (id, onto) = (landing.id, landing.onto.short());
                problems.push(format!("landing {id} was built on {onto}, but the trunk was at {}", at.short()));
            }
            if !commits.iter().any(|commit| commit.sha == landing.tip) {
                problems.push(format!("landing {}'s tip {} is not on the trunk", landing.id, landing.tip.short()));
            }
            at = &landing.tip;
        }
        if let Some(tip) = commits.last().filter(|tip| &tip.sha != at) {
            let (tip, at) = (tip.sha.short(), at.short());
            problems.push(format!("the remote's trunk is at {tip}, the last landing went to {at}"));
        }
        problems.extend(self.unexplained(landings, &commits[1..]));
        problems
    }

    fn unexplained(&self, landings: &[&Landing], commits: &[TrunkCommit]) -> Vec<String> {
        let finished: BTreeSet<i64> = landings.iter().map(|landing| landing.id).collect();
        let in_landing = |mr: &&MergeRequest| mr.landing.is_some_and(|id| finished.contains(&id));
        let explained: BTreeSet<&Sha> =
            self.requests.iter().filter(in_landing).filter_map(|mr| mr.commit_landed.as_ref()).collect();
        let foreign = commits.iter().filter(|commit| !explained.contains(&commit.sha));
        foreign.map(|c| format!("commit {} is on the trunk, and no landing explains it", c.sha.short())).collect()
    }

    fn convoy_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match self.convoy.as_ref().map(|bead| &bead.status) {
            Some(Status::Closed) => {}
            Some(status) => problems.push(format!("{CONVOY} is {status}, not closed")),
            None => problems.push(format!("{CONVOY} is not in the ledger")),
        }
        if self.convoy_landings != 1 {
            problems.push(format!("{CONVOY} was said to have landed {} times, not once", self.convoy_landings));
        }
        problems
    }

    /// Checks that each batch is completed, and was announced and completed by one mail each.
    fn swarm_problems(&self) -> Vec<String> {
        let (started, completed) = self.swarm_mail();
        let mut problems = Vec::new();
        for swarm in &self.swarms {
            let id = swarm.id.to_string();
            if swarm.completed_at.is_none() {
                problems.push(format!("swarm {id} is not completed"));
            }
            for (word, mails) in [("SWARM_START", &started), ("SWARM_COMPLETE", &completed)] {
                let count = mails.get(&id).map_or(0, BTreeSet::len);
                if count != 1 {
                    problems.push(format!("swarm {id} has {count} mails {word}, not one"));
                }
            }
        }
        let known: BTreeSet<String> = self.swarms.iter().map(|swarm| swarm.id.to_string()).collect();
        let unknown: BTreeSet<&String> =
            started.keys().chain(completed.keys()).filter(|id| !known.contains(*id)).collect();
        problems.extend(unknown.iter().map(|id| format!("mail about swarm {id}, which is not in the ledger")));
        if self.swarms.is_empty() {
            problems.push("no swarm in the ledger".to_owned());
        }
        problems
    }

    /// Returns the mails that start and complete a swarm, by the swarm's id; copies of one mail count once.
    fn swarm_mail(&self) -> (SwarmMail<'_>, SwarmMail<'_>) {
        let (mut started, mut completed) = (SwarmMail::new(), SwarmMail::new());
        for mail in &self.mail {
            match Message::parse(&mail.subject, &mail.body) {
                Ok(Message::SwarmStart { swarm, .. }) => started.entry(swarm).or_default().insert(&mail.id),
                Ok(Message::SwarmComplete { swarm, .. }) => completed.entry(swarm).or_default().insert(&mail.id),
                _ => false,
            };
        }
        (started, completed)
    }

    /// Checks that no session is live, by the ledger and by the process table.
    fn session_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for incarnation in &self.incarnations {
            let id = &incarnation.id;
            if incarnation.ended_at.is_none() {
                problems.push(format!("{id} is live in the ledger"));
            }
            for (what, process) in incarnation.process.iter().flat_map(|p| [("shim", &p.shim), ("agent", &p.agent)]) {
                if still_runs(process) {
                    problems.push(format!("the {what} of {id} still runs (pid {})", process.pid));
                }
            }
        }
        problems
    }
}

type SwarmMail<'a> = BTreeMap<String, BTreeSet<&'a BeadId>>;

/// Returns the trunk's recorded positions in order: the first commit, and each landing's tip.
fn positions(commits: &[TrunkCommit], landings: &[&Landing]) -> Vec<Sha> {
    commits.first().map(|first| &first.sha).into_iter().chain(landings.iter().map(|l| &l.tip)).cloned().collect()
}

fn settings_of(town: &Layout, rig: &RigRow) -> Result<RigSettings, String> {
    let path = town.rig(&rig.name).settings();
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    settings::parse(&path, &bytes).map_err(|e| e.to_string())
}

/// Checks out every position in a fresh folder and runs the rig's gates there.
fn red_positions(copy: &RemoteCopy, positions: &[Sha], settings: &RigSettings) -> Findings {
    if settings.gate.is_empty() {
        return Err("rig.toml has no gate".to_owned());
    }
    let mut red = Vec::new();
    for position in positions {
        match copy.check_out(position) {
            Ok(folder) => red.extend(
                settings
                    .gate
                    .iter()
                    .filter_map(|gate| outside::run_gate(&folder, gate).err())
                    .map(|failure| format!("the trunk at {} is red: {failure}", position.short())),
            ),
            Err(why) => red.push(format!("{} can't be checked out: {why}", position.short())),
        }
    }
    Ok(red)
}

/// Finds refs of the remote other than its trunk.
fn foreign_refs(rig: &RigRow) -> Findings {
    let trunk = format!("refs/heads/{}", rig.trunk);
    let refs = outside::remote_refs(&rig.remote)?;
    let foreign = refs.into_iter().filter(|name| name != "HEAD" && *name != trunk);
    Ok(foreign.map(|name| format!("{} has {name}", rig.remote)).collect())
}

/// Finds worktrees of a rig and folders of workers that still exist.
fn left_worktrees(town: &Layout, rig: &RigRow) -> Findings {
    let layout = town.rig(&rig.name);
    let may_stay = [layout.repo(), layout.gate_worktree(), layout.root.join("mayor/rig")];
    let worktrees = outside::worktrees(&layout.repo())?;
    let left = worktrees.iter().filter(|path| !may_stay.contains(path));
    let mut problems: Vec<String> = left.map(|path| format!("git has a worktree at {}", path.display())).collect();
    let folders = match std::fs::read_dir(layout.worktree("")) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(problems),
        folders => folders.map_err(|e| e.to_string())?,
    };
    let folders = folders.filter_map(Result::ok).map(|entry| entry.path());
    problems.extend(folders.map(|path| format!("the folder {} is there", path.display())));
    Ok(problems)
}

#[cfg(test)]
mod tests;
