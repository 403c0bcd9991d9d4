//! Looking at a town: its status, why a thing is as it is, and whether all is well.

use gt_model::bead::{Bead, Status};
use gt_model::effect::Effect;
use gt_model::id::{BeadId, MrId};
use gt_model::queue::MrStatus;
use serde::Serialize;

use crate::agents::{launch, readiness};
use crate::error::{Error, Result};
use crate::hook;
use crate::ledger::{Attempt, Blocker, Condition, EffectRow, MergeRequest, View};
use crate::moments::{self, HookTrouble};
use crate::outage;
use crate::refinery;
use crate::retention::{self, Holding, size_text};
use crate::sandbox;
use crate::sessions;
use crate::settings::Sandbox;
use crate::spend;
use crate::standing::{self, AgentStatus};
use crate::town::{Rig, Town};
use crate::usage::{self, Cost};
use crate::worker_env;
use crate::world::SessionState;

/// A town at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct TownStatus {
    /// Whether the deacon runs.
    pub deacon: bool,
    /// What needs a person, first of all.
    pub needs_you: Vec<Condition>,
    /// Its rigs.
    pub rigs: Vec<RigStatus>,
    /// The mayor and crew.
    pub agents: Vec<AgentStatus>,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
    /// Its merge requests that are not over.
    pub queue: Vec<QueueItem>,
    /// Beads that could be slung now.
    pub ready: usize,
    /// Calls of clients' hooks that went wrong of late.
    pub hooks: Option<HookTrouble>,
}

/// A rig at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct RigStatus {
    /// Its name.
    pub name: String,
    /// What is pushed to.
    pub remote: String,
    /// On which branch.
    pub trunk: String,
    /// `ask` or `auto`.
    pub landing: String,
    /// Names of its gates.
    pub gates: Vec<String>,
    /// What its workers are.
    pub agents: Agents,
}

/// What the workers of a rig are, and what they may do.
#[derive(Clone, Debug, Serialize)]
pub struct Agents {
    /// Their kind.
    pub kind: Option<String>,
    /// What they may do without asking.
    pub mode: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A worker at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerStatus {
    /// Its address.
    pub worker: String,
    /// What it works on.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// Which attempt.
    pub attempt: u32,
    /// Which incarnation.
    pub incarnation: u32,
    /// What it is doing, in words.
    pub doing: String,
}

/// A merge request at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct QueueItem {
    /// The request.
    #[serde(flatten)]
    pub mr: MergeRequest,
    /// Its derived status.
    pub status: MrStatus,
}

/// Kinds of condition that only a person can end.
const FOR_A_PERSON: &[&str] = &[
    "approval",
    "quarantine",
    "rig-held",
    "ungated",
    "trunk-red",
    "foreign-ref",
    "effect",
    "unlanded",
    "patrol",
    "refinery",
    "remote",
    "set-up",
    "feed",
    "paused",
    spend::CAP,
    "deacon",
    readiness::WORKER_CONDITION,
    readiness::KIND_CONDITION,
    "limit",
    outage::OUTAGE,
    "login",
    "asks",
    "long-tool",
    standing::GAVE_UP,
    standing::UNHEARD,
];

/// The town's status.
pub fn status(town: &Town) -> Result<TownStatus> {
    let rigs = town.rigs()?;
    let deacon = town.deacon_runs()?;
    let now = town.world().clock().now();
    let hooks = moments::trouble(town)?;
    town.ledger.read(|view| {
        let attempts = view.present_attempts()?.into_iter().filter(|a| a.archived_at.is_none());
        let workers = attempts.map(|attempt| worker_status(town, view, &attempt)).collect::<Result<Vec<_>>>()?;
        let needs_you = view.conditions()?.into_iter().filter(|c| FOR_A_PERSON.contains(&c.kind.as_str())).collect();
        Ok(TownStatus {
            deacon,
            needs_you,
            rigs: rigs.iter().map(|rig| rig_status(town, rig)).collect(),
            agents: standing::all_in(town, view)?,
            workers,
            queue: queue(view, &rigs, None, false)?,
            ready: usize::try_from(view.count_ready(now, None)?).unwrap_or(usize::MAX),
            hooks,
        })
    })
}

fn rig_status(town: &Town, rig: &Rig) -> RigStatus {
    RigStatus {
        name: rig.name().to_string(),
        remote: rig.row.remote.clone(),
        trunk: rig.row.trunk.clone(),
        landing: format!("{:?}", rig.settings.landing).to_lowercase(),
        gates: rig.settings.gate.iter().map(|gate| gate.name.clone()).collect(),
        agents: Agents {
            kind: rig.settings.agent.clone().or_else(|| town.settings.agent.clone()),
            mode: launch::mode(&rig.settings).as_str(),
            why: launch::why_mode(&rig.settings),
        },
    }
}

fn worker_status(town: &Town, view: &View<'_>, attempt: &Attempt) -> Result<WorkerStatus> {
    let incarnations = view.incarnations_of(attempt.id)?;
    let title = view.bead(&attempt.bead)?.map(|bead| bead.title).unwrap_or_default();
    Ok(WorkerStatus {
        worker: attempt.address().to_string(),
        bead: attempt.bead.clone(),
        title,
        attempt: attempt.number,
        incarnation: incarnations.last().map_or(0, |i| i.number),
        doing: doing(town, view, attempt)?,
    })
}

/// What an attempt is at, in words, from facts.
pub(crate) fn doing(town: &Town, view: &View<'_>, attempt: &Attempt) -> Result<String> {
    if attempt.submitted_at.is_some() || attempt.ended_at.is_some() {
        return Ok("submitted; session and worktree are going".to_owned());
    }
    let Some(newest) = view.incarnations_of(attempt.id)?.pop() else {
        if spend::is_reached(view)? {
            return Ok("waiting: the day's cap on spending is reached (gt cost)".to_owned());
        }
        let effects = view.open_effects()?;
        let waiting = effects.iter().find(|row| row.bead.as_ref() == Some(&attempt.bead));
        return Ok(waiting.map_or("waiting to be started".to_owned(), waiting_for));
    };
    if let Some(why) = readiness::held(view, attempt)? {
        return Ok(why);
    }
    let steps = view.steps(attempt.id)?;
    let at = hook::current(&steps).map_or("all steps done".to_owned(), |step| {
        format!("step {}/{} {}", step.position + 1, steps.len(), step.step.id)
    });
    Ok(match town.world().sessions().state(&town.layout.session(&newest.id))? {
        _ if newest.ended_at.is_some() => format!("ended, to be started again; at {at}"),
        SessionState::NotStarted => "session to be started".to_owned(),
        SessionState::Running { agent, .. } => format!("{at} (pid {})", agent.pid),
        SessionState::Ended(_) => format!("has just ended; at {at}"),
        SessionState::Unknown(why) => format!("unknown: {why}"),
    })
}

fn waiting_for(row: &EffectRow) -> String {
    match &row.last_error {
        Some(error) => format!("{}, tried {} times: {error}", row.effect.kind(), row.tries),
        None => format!("waiting for {}", row.effect.kind()),
    }
}

/// Merge requests with their status: of one rig where given, those that are over too where `all`.
pub fn queue(view: &View<'_>, rigs: &[Rig], only: Option<&Rig>, all: bool) -> Result<Vec<QueueItem>> {
    let requests = if all { view.merge_requests()? } else { view.open_merge_requests(None)? };
    let mut items = Vec::new();
    for mr in requests {
        let Some(rig) = rigs.iter().find(|rig| rig.name() == &mr.rig) else { continue };
        if only.is_none_or(|only| only.name() == rig.name()) {
            let status = refinery::status(view, rig, &mr)?;
            items.push(QueueItem { mr, status });
        }
    }
    Ok(items)
}

/// Why a bead is as it is: the facts that decide it.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The answer in one line.
    pub answer: String,
    /// What to do about it, where there is something.
    pub next: Option<String>,
    /// The bead.
    pub bead: BeadId,
    /// What holds it back.
    pub blockers: Vec<Blocker>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Its merge requests.
    pub merge_requests: Vec<QueueItem>,
    /// Effects that are to be done for it.
    pub effects: Vec<EffectRow>,
    /// What is wrong with it.
    pub conditions: Vec<Condition>,
    /// What all work on it took so far.
    pub cost: Cost,
}

/// Explains a bead, or the bead of a merge request.
pub fn why(town: &Town, id: &BeadId) -> Result<Why> {
    let rigs = town.rigs()?;
    let deacon = town.deacon_runs()?;
    let now = town.world().clock().now();
    town.ledger.read(|view| {
        let mr = view.merge_request(&MrId(id.0.clone()))?;
        let id = mr.map_or_else(|| id.clone(), |mr| mr.bead);
        let bead = crate::beads::require(view, &id)?;
        let attempts = view.attempts_on(&id)?;
        let items = queue(view, &rigs, None, true)?.into_iter().filter(|item| item.mr.bead == id).collect::<Vec<_>>();
        let lands = |row: &EffectRow| match &row.effect {
            Effect::Land { landing } => items.iter().any(|item| item.mr.landing == Some(*landing)),
            _ => false,
        };
        let open = view.open_effects()?.into_iter();
        let effects: Vec<_> = open.filter(|row| row.bead.as_ref() == Some(&id) || lands(row)).collect();
        let held = view.is_held(now, &id)?;
        let blockers = view.blockers(&id)?;
        let conditions = view.conditions()?.into_iter().filter(|c| concerns(c, &id, &items)).collect::<Vec<_>>();
        let cost = usage::of_bead(town, view, &id)?;
        let mut why = Why {
            answer: String::new(),
            next: None,
            bead: id,
            blockers,
            attempts,
            merge_requests: items,
            effects,
            conditions,
            cost,
        };
        (why.answer, why.next) = answer(town, view, &bead, &why, held)?;
        if why.next.is_none() && !deacon && !why.effects.is_empty() {
            why.next = Some("gt up".to_owned());
        }
        Ok(why)
    })
}

fn concerns(condition: &Condition, bead: &BeadId, items: &[QueueItem]) -> bool {
    condition.subject == bead.0 || items.iter().any(|item| item.mr.id.0 == condition.subject)
}

fn answer(town: &Town, view: &View<'_>, bead: &Bead, why: &Why, held: bool) -> Result<(String, Option<String>)> {
    let id = &bead.id;
    if bead.status == Status::Closed {
        let reason = bead.close_reason.as_deref().unwrap_or("no reason was given");
        return Ok((format!("{id} is closed: {reason}"), None));
    }
    if let Some(attempt) = why.attempts.iter().find(|a| a.is_hooked()) {
        return Ok((format!("{id} is on the hook of {}: {}", attempt.address(), doing(town, view, attempt)?), None));
    }
    if let Some(item) = why.merge_requests.iter().find(|item| item.mr.ended_at.is_none()) {
        return Ok(queue_answer(item, &why.effects));
    }
    if let Some(condition) = why.conditions.iter().find(|c| c.kind == "quarantine") {
        let next = format!("look at it, then: gt sling {id} <rig>");
        return Ok((format!("{id} waits for a person: {}", condition.text), Some(next)));
    }
    if bead.status != Status::Open {
        return Ok((format!("{id} is {}", bead.status), Some(format!("gt bead update {id} --status open"))));
    }
    if held {
        let by: Vec<&str> = why.blockers.iter().map(|b| b.id.as_str()).collect();
        return Ok((format!("{id} waits for {}", by.join(", ")), None));
    }
    if !bead.issue_type.is_work() {
        return Ok((format!("{id} is a {}: nobody works on it", bead.issue_type), None));
    }
    Ok((format!("{id} is ready"), Some(format!("gt sling {id} <rig>"))))
}

fn queue_answer(item: &QueueItem, effects: &[EffectRow]) -> (String, Option<String>) {
    let id = &item.mr.id;
    let landing = effects.iter().find(|row| matches!(row.effect, Effect::Land { .. }));
    match &item.status {
        MrStatus::Waiting => (format!("{id} waits for its turn in the merge queue of {}", item.mr.rig), None),
        MrStatus::NeedsApproval => {
            (format!("{id} is green and waits for a person"), Some(format!("gt mq approve {id}")))
        }
        MrStatus::Held(why) => (format!("{id} is held: {why}"), Some(format!("gt mq approve {id} tries it again"))),
        MrStatus::Landing if landing.is_some_and(|row| row.last_error.is_some()) => {
            let next = "gt refinery run --once tries it now".to_owned();
            (format!("{id} is landing: {}", landing.map(waiting_for).unwrap_or_default()), Some(next))
        }
        MrStatus::Landing => (format!("{id} is landing"), None),
        MrStatus::Ended(end) => (format!("{id} is over: {}", end.as_str()), None),
    }
}

/// One thing that the doctor looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do, where it is not well.
    pub hint: Option<String>,
}

fn check(name: &str, problem: Option<(String, &str)>, fine: &str) -> Check {
    let name = name.to_owned();
    match problem {
        None => Check { name, ok: true, detail: fine.to_owned(), hint: None },
        Some((detail, hint)) => Check { name, ok: false, detail, hint: Some(hint.to_owned()) },
    }
}

/// The oldest git that the rigs' set-up works with.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// Looks at everything that the town's flow needs.
pub fn doctor(town: &Town) -> Result<Vec<Check>> {
    let mut checks = vec![git_check(town), ledger_check(town)?, bin_check(town), effects_check(town)?];
    for rig in town.rigs()? {
        checks.push(repo_check(town, &rig)?);
        checks.push(gates_check(&rig));
        checks.push(agent_check(town, &rig));
        checks.push(runtime_check(town, &rig));
        checks.extend(sandbox_check(town, &rig));
        checks.push(formula_check(town, &rig));
        checks.push(remote_check(town, &rig));
    }
    checks.push(disk_check(town)?);
    checks.extend(retention::holdings(town)?.into_iter().map(holding_check));
    checks.push(conditions_check(town)?);
    Ok(checks)
}

fn git_check(town: &Town) -> Check {
    let version = match town.world().repo().version() {
        Ok(version) => version,
        Err(error) => return check("git", Some((error.to_string(), "install git 2.38 or newer")), ""),
    };
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let old = (found < OLDEST_GIT).then(|| (format!("git {version} is too old"), "install git 2.38 or newer"));
    check("git", old, &format!("git {version}"))
}

fn ledger_check(town: &Town) -> Result<Check> {
    let complaints = town.ledger.integrity()?;
    let problem = complaints.first().map(|c| (c.clone(), "restore it from a backup of .beads/beads.db"));
    Ok(check("ledger", problem, "sound"))
}

fn bin_check(town: &Town) -> Check {
    let gt = town.layout.bin().join("gt");
    let missing = (!town.world().disk().exists(&gt)).then(|| {
        (format!("{} leads nowhere", gt.display()), "link it to your gt: ln -sf \"$(command -v gt)\" <town>/bin/gt")
    });
    check("agents' gt", missing, "bin/gt is there")
}

fn effects_check(town: &Town) -> Result<Check> {
    let rows = town.ledger.read(|view| view.open_effects().map_err(Error::from))?;
    let stuck: Vec<String> = rows.iter().filter(|r| r.gave_up).map(waiting_for).collect();
    let problem = (!stuck.is_empty()).then(|| (stuck.join("; "), "mend the cause, then: gt doctor --retry"));
    Ok(check("effects", problem, "none was given up"))
}

fn repo_check(town: &Town, rig: &Rig) -> Result<Check> {
    let name = format!("{}: repository", rig.name());
    let refs = match town.world().repo().refs(&rig.layout.repo()) {
        Ok(refs) => refs,
        Err(error) => return Ok(check(&name, Some((error.to_string(), "gt rig remove, then gt rig add")), "")),
    };
    let missing = (!refs.contains_key(&rig.trunk_ref()))
        .then(|| (format!("{} was never fetched", rig.trunk_ref()), "gt rig fetch"));
    Ok(check(&name, missing, "sound"))
}

fn gates_check(rig: &Rig) -> Check {
    let none = rig.settings.gate.is_empty() && !rig.settings.allow_ungated;
    let problem = none.then(|| ("no gate, so nothing lands".to_owned(), "gt rig gates add <rig> <name> \"<command>\""));
    let names: Vec<&str> = rig.settings.gate.iter().map(|gate| gate.name.as_str()).collect();
    check(&format!("{}: gates", rig.name()), problem, &names.join(", "))
}

/// Whether the program that workers are started with can be found with the PATH that they get.
fn agent_check(town: &Town, rig: &Rig) -> Check {
    let name = format!("{}: agent", rig.name());
    let kind = rig.settings.agent.as_deref().or(town.settings.agent.as_deref());
    let Some(kind) = kind else {
        return check(&name, Some(("no kind is set".to_owned(), "agent = \"<kind>\" in rig.toml or town.toml")), "");
    };
    let preset = match town.agent(kind) {
        Ok(preset) => preset,
        Err(error) => return check(&name, Some((error.to_string(), "define it in town.toml")), ""),
    };
    let program = preset.command.first().cloned().unwrap_or_default();
    let bin = town.layout.bin().join("gt").display().to_string();
    let program = program.replace("{gt}", &bin);
    let env = worker_env::environment(town, Some(rig), Some(&preset), None);
    let path = env.get("PATH").cloned().unwrap_or_default();
    let exists = |path: std::path::PathBuf| town.world().disk().exists(&path);
    let found = program.contains('/') && exists(program.clone().into())
        || path.split(':').any(|folder| exists(std::path::Path::new(folder).join(&program)));
    let problem = (!found).then(|| {
        (format!("{kind}: `{program}` is not in the workers' PATH"), "install it, or mend its command in town.toml")
    });
    check(&name, problem, &format!("{kind}: {program}"))
}

/// Whether the tmux is there that the rig's sessions are to run in.
fn runtime_check(town: &Town, rig: &Rig) -> Check {
    let env = worker_env::environment(town, Some(rig), None, None);
    let (problem, fine) = match sessions::choose(town, Some(rig), None, &env) {
        Ok(runtime) => (None, runtime.as_str()),
        Err(error) => (Some((error.to_string(), "install tmux, or set runtime = \"auto\"")), ""),
    };
    check(&format!("{}: runtime", rig.name()), problem, fine)
}

/// Whether the sandbox can be made that the rig wants.
fn sandbox_check(town: &Town, rig: &Rig) -> Option<Check> {
    let name = format!("{}: sandbox", rig.name());
    let env = worker_env::environment(town, Some(rig), None, None);
    match rig.settings.sandbox {
        Sandbox::None => None,
        Sandbox::Bwrap => Some(match sandbox::bwrap(town, rig, &env) {
            Ok(program) => check(&name, None, &program.display().to_string()),
            Err(error) => {
                check(&name, Some((error.to_string(), "install bubblewrap, or gt rig set <rig> sandbox=none")), "")
            }
        }),
    }
}

fn formula_check(town: &Town, rig: &Rig) -> Check {
    let name = format!("{}: formula", rig.name());
    match town.formula(rig, &rig.settings.formula) {
        Ok(formula) => check(&name, None, &format!("{}, {} steps", formula.formula, formula.steps.len())),
        Err(error) => check(&name, Some((error.to_string(), "mend or remove that file")), ""),
    }
}

fn remote_check(town: &Town, rig: &Rig) -> Check {
    let name = format!("{}: remote", rig.name());
    match town.world().repo().ask_remote(&rig.row.remote) {
        Err(error) => check(&name, Some((error.to_string(), "check the URL, your network and your login")), ""),
        Ok(facts) => {
            let gone = (!facts.branches.contains_key(&rig.row.trunk))
                .then(|| (format!("it has no branch {}", rig.row.trunk), "look at the remote"));
            check(&name, gone, &format!("{} has {}", rig.row.remote, rig.row.trunk))
        }
    }
}

/// A disk that is nearly full is worth knowing; what can go, goes by itself.
fn disk_check(town: &Town) -> Result<Check> {
    let free = town.world().disk().free_space(&town.layout.root)?;
    let wanted = town.settings.retention.limits().min_free;
    let mut check = check("disk", None, &format!("{} free", size_text(free)));
    if free < wanted {
        check.detail = format!("{} free, less than the {} of archive_min_free_gb", size_text(free), size_text(wanted));
        check.hint = Some("gt retention run --dry-run says what would go; make room elsewhere".to_owned());
    }
    Ok(check)
}

fn holding_check(holding: Holding) -> Check {
    let Holding { name, count, bytes, oldest } = holding;
    let oldest = oldest.map(|at| format!(", oldest of {}", at.get(..10).unwrap_or(&at))).unwrap_or_default();
    check(&format!("size of {name}"), None, &format!("{} in {count}{oldest}", size_text(bytes)))
}

fn conditions_check(town: &Town) -> Result<Check> {
    let conditions = town.ledger.read(|view| view.conditions().map_err(Error::from))?;
    let texts: Vec<String> = conditions.iter().map(|c| format!("{}: {}", c.key, c.text)).collect();
    let problem = (!texts.is_empty()).then(|| (texts.join("; "), "gt status says what each needs"));
    Ok(check("conditions", problem, "nothing is wrong"))
}
