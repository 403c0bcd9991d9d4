//! The doctor: checks that everything a session needs is present, and says how to fix what is not.

use std::collections::BTreeMap;

use gt_ledger as ledger;
use gt_model::clients::Client;
use gt_model::condition::ConditionKind;
use gt_model::id::BeadId;
use gt_world::{Damage, LARGE_FILES};
use serde::Serialize;

use crate::agents;
use crate::agents::check::{Finding, Level};
use crate::agents::sessions;
use crate::agents::wanted;
use crate::keep::retention::{self, Holding, size_text};
use crate::keep::upkeep;
use crate::lifecycle::updown;
use crate::patrol::needs::{self, Need, Todo};
use crate::refinery::queue;
use crate::rigs::destination;
use crate::rigs::envrc;
use crate::rigs::formulas;
use crate::rigs::rig;
use crate::sync::solo;
use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::settings::Sandbox;
use crate::town::shipped::{self, State};
use crate::town::{Rig, Town};
use crate::view::doing::waiting_for;
use crate::walls::direnv;
use crate::walls::sandbox;
use crate::walls::worker_env;

/// Result of one check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Subject of the check.
    pub name: String,
    /// Whether it is in order.
    pub ok: bool,
    /// Whether it seems in order but deserves attention.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub warn: bool,
    /// Finding.
    pub detail: String,
    /// How to fix it, if it is not in order.
    pub hint: Option<Hint>,
}

/// How to fix what a check found.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Hint {
    /// A hint of the check's own, in words.
    Text(String),
    /// Action of a person about a need.
    Todo(Todo),
}

fn check(name: &str, problem: Option<(String, &str)>, fine: &str) -> Check {
    let name = name.to_owned();
    match problem {
        None => Check { name, ok: true, warn: false, detail: fine.to_owned(), hint: None },
        Some((detail, hint)) => Check { name, ok: false, warn: false, detail, hint: Some(Hint::Text(hint.to_owned())) },
    }
}

/// Oldest version of git that supports the set-up of rigs.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// Free disk space in bytes below which it is pointless to start anything.
const DISK_FLOOR: u64 = 100 * 1024 * 1024;

/// Checks everything that the town's work needs. If all is in order, a session can start.
pub fn doctor(town: &Town) -> Result<Vec<Check>> {
    let mut checks = vec![
        git_check(town),
        ledger_check(town)?,
        beads_check(town)?,
        deacon_check(town)?,
        bin_check(town),
        effects_check(town)?,
    ];
    checks.extend(former_check(town));
    checks.extend(older_logs_check(town));
    checks.extend(rig::unfinished(town)?.into_iter().map(|name| unfinished_check(&name)));
    let rigs = town.rigs()?;
    checks.extend(agent_checks(town, &rigs)?);
    for rig in &rigs {
        checks.extend(repo_checks(town, rig)?);
        checks.extend(filter_checks(town, rig)?);
        checks.extend(merge_check(town, rig));
        checks.push(gates_check(rig));
        checks.extend(seen_check(town, rig)?);
        checks.extend(direnv_check(town, rig)?);
        checks.push(runtime_check(town, rig));
        checks.extend(sandbox_check(town, rig));
        checks.push(formula_check(town, rig));
        checks.extend(formulas_check(town, rig)?);
        checks.extend(allowed_check(town, rig)?);
        checks.push(remote_check(town, rig));
    }
    checks.extend(mayors_sandbox_check(town));
    checks.extend(shipped_check(town)?);
    checks.push(disk_check(town)?);
    checks.extend(retention::holdings(town)?.into_iter().map(holding_check));
    checks.extend(needs_checks(town)?);
    Ok(checks)
}

/// Reports an unfinished rig. The town does not know it, and nothing uses it.
fn unfinished_check(name: &str) -> Check {
    let hint = "run the same gt rig add again, which starts over; or remove the folder";
    check(&format!("rig {name}"), Some((format!("gt rig add {name} was interrupted before the rig existed"), hint)), "")
}

/// Checks the deacon. A town that is down is in order; a town that should be up but has no deacon is not.
fn deacon_check(town: &Town) -> Result<Check> {
    let name = "deacon";
    if town.deacon_runs()? {
        let (runs, own) = (desired::build(town)?, &town.outside.build);
        let other = runs.filter(|runs| runs != own).map(|runs| {
            (
                format!("it runs build {runs}, and this gt is build {own}"),
                "gt up: this build takes over; sessions continue",
            )
        });
        return Ok(check(name, other, &format!("it runs, as this build ({own})")));
    }
    if desired::is_wanted_up(town)? && !town.boot_runs()? {
        return Ok(check(name, Some(("the town should be up, but nothing runs".to_owned(), "gt up")), ""));
    }
    Ok(Check { hint: Some(Hint::Todo(Todo::StartTown)), ..check(name, None, "the town is down: nothing is started") })
}

/// Checks for boot and deacon of an earlier town at this path. If they are too old to notice, they act on this one.
fn former_check(town: &Town) -> Option<Check> {
    let former = updown::former_daemons(town);
    let pids = former.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
    let hint = format!("they end by themselves within seconds; if not: kill {pids}");
    let found = (format!("processes of another town at this path still run: {pids}"), hint.as_str());
    (!former.is_empty()).then(|| check("former town", Some(found), ""))
}

/// Logs that an older gt has left, which nothing reads or removes.
fn older_logs_check(town: &Town) -> Option<Check> {
    let mut older = town.layout.older_logs().into_iter().filter(|log| town.world().disk().exists(log));
    older.next()?;
    let detail = "an older gt has left deacon.log and deacon-errors.log in logs/: nothing reads them any more";
    let hint = Some("delete them if you do not need them; the log is now: gt log --deacon".to_owned());
    Some(Check {
        name: "older logs".to_owned(),
        ok: true,
        warn: true,
        detail: detail.to_owned(),
        hint: hint.map(Hint::Text),
    })
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

/// Checks for beads that wait for each other in a cycle, and for unknown statuses and types. Only an import causes these.
fn beads_check(town: &Town) -> Result<Check> {
    let (cycles, odd) = town.ledger.read(|view| Ok::<_, Error>((view.cycles()?, solo::odd_words(view)?)))?;
    let way = |cycle: &Vec<BeadId>| cycle.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" -> ");
    let problem = match (cycles.first(), odd.first()) {
        (Some(cycle), _) => {
            Some((format!("wait for each other: {}", way(cycle)), "gt bead dep cycles shows all; gt bead dep remove"))
        }
        (None, Some(odd)) => {
            Some((format!("{} ({} beads)", odd.error, odd.beads), "gt bead doctor lists all; gt bead update"))
        }
        (None, None) => None,
    };
    Ok(check("beads", problem, "no bead waits for itself"))
}

fn bin_check(town: &Town) -> Check {
    let gt = town.layout.bin().join("gt");
    let missing = (!town.world().disk().exists(&gt)).then(|| {
        (
            format!("{} is a link to a missing file", gt.display()),
            "link it to your gt: ln -sf \"$(command -v gt)\" <town>/bin/gt",
        )
    });
    check("agents' gt", missing, "bin/gt is there")
}

fn effects_check(town: &Town) -> Result<Check> {
    let rows = town.ledger.read(|view| view.open_effects().map_err(Error::from))?;
    let stuck: Vec<String> = rows.iter().filter(|r| r.gave_up).map(waiting_for).collect();
    let problem = (!stuck.is_empty()).then(|| (stuck.join("; "), "fix the cause, then: gt doctor --retry"));
    Ok(check("effects", problem, "none was given up"))
}

/// Checks that the rig's repository is as the town made it, and that it was fetched.
fn repo_checks(town: &Town, rig: &Rig) -> Result<Vec<Check>> {
    let name = format!("{}: repository", rig.name());
    let bad = |damage: &Damage, hint: &str| check(&name, Some((upkeep::words(damage), hint)), "");
    let health = match town.world().repo().inspect(&rig.layout.repo(), &rig.row.remote) {
        Ok(health) => health,
        Err(error) => return Ok(vec![check(&name, Some((error.to_string(), REMAKE)), "")]),
    };
    let mut checks: Vec<Check> = health.damage.iter().map(|damage| bad(damage, "gt doctor --fix")).collect();
    checks.extend(health.lost.iter().map(|lost| bad(lost, lost_hint(lost))));
    if checks.is_empty() {
        checks.push(fetched_check(town, rig, &name, &health.additions)?);
    }
    Ok(checks)
}

/// Hint: a rig can always be created again from its remote.
const REMAKE: &str = "gt rig remove, then gt rig add";

fn lost_hint(lost: &Damage) -> &'static str {
    match lost.what.as_str() {
        "objects" => REMAKE,
        _ => "git -C <rig>/.repo.git repack -a, then remove that file if no agent needs it",
    }
}

fn fetched_check(town: &Town, rig: &Rig, name: &str, additions: &[String]) -> Result<Check> {
    let refs = match town.world().repo().refs(&rig.layout.repo()) {
        Ok(refs) => refs,
        Err(error) => return Ok(check(name, Some((error.to_string(), REMAKE)), "")),
    };
    let missing = (!refs.contains_key(&rig.trunk_ref()))
        .then(|| (format!("{} was never fetched", rig.trunk_ref()), "gt rig fetch"));
    let added = format!("sound; tools of the project added {}", additions.join(", "));
    Ok(check(name, missing, if additions.is_empty() { "sound" } else { &added }))
}

/// Checks for merge drivers that the trunk names and this machine lacks. This is only a warning: git silently merges such files
/// as text.
fn merge_check(town: &Town, rig: &Rig) -> Option<Check> {
    let repo = rig.layout.repo();
    // The repository's own check reports a failure here.
    let refs = town.world().repo().refs(&repo).ok()?;
    let unknown = town.world().repo().unknown_merge_drivers(&repo, refs.get(&rig.trunk_ref())?).ok()?;
    let first = unknown.first()?.clone();
    let names = unknown.into_iter().collect::<Vec<_>>().join(", ");
    let detail = format!(
        ".gitattributes names merge drivers that your git does not know: {names}; git merges those files as text"
    );
    let hint = Some(format!("git config --global merge.{first}.driver \"<command>\""));
    Some(Check { hint: hint.map(Hint::Text), ..check(&format!("{}: merges", rig.name()), None, &detail) })
}

fn gates_check(rig: &Rig) -> Check {
    let none = rig.settings.gate.is_empty() && !rig.settings.allow_ungated;
    let problem = none.then(|| ("no gate, so nothing lands".to_owned(), "gt rig gates add <rig> <name> \"<command>\""));
    let names: Vec<&str> = rig.settings.gate.iter().map(|gate| gate.name.as_str()).collect();
    check(&format!("{}: gates", rig.name()), problem, &names.join(", "))
}

/// Reports the last negative proof: whether the gates failed when files were broken on purpose, when, and on which commit.
fn seen_check(town: &Town, rig: &Rig) -> Result<Option<Check>> {
    if rig.settings.gate.is_empty() {
        return Ok(None);
    }
    let name = format!("{}: what gates see", rig.name());
    let warn = |detail: String| {
        let hint = Some(format!("gt rig prove {} --negative, or gt doctor --deep for all rigs", rig.name()));
        Check { warn: true, hint: hint.map(Hint::Text), ..check(&name, None, &detail) }
    };
    let seen = rig::seen(town, rig)?.filter(rig::Seen::is_tried);
    let Some(seen) = seen else {
        let untried = "not tested yet whether these gates turn red when a file is broken";
        let is_wanted = rig.settings.prove_negative;
        return Ok(Some(if is_wanted { warn(untried.to_owned()) } else { check(&name, None, NOT_WANTED) }));
    };
    let at: Option<jiff::Timestamp> = seen.at.parse().ok();
    let at = at.map(|at| format!(" {}", at.strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
    let when = format!("tried{at} on {}", seen.commit.get(..10).unwrap_or(&seen.commit));
    if let Some(file) = &seen.missed {
        let hint =
            format!("fix them, then gt rig prove {} --negative; or prove_negative = false in rig.toml", rig.name());
        let missed = format!("they stay green though {file} is broken ({when})");
        let fine = format!("{missed}, which prove_negative = false allows");
        return Ok(Some(check(&name, rig.settings.prove_negative.then_some((missed, hint.as_str())), &fine)));
    }
    let said = match seen.broken.as_slice() {
        [] => format!("gt knows no file that the tests surely use, so it broke none ({when})"),
        files => format!("they turn red when a file is broken: {} ({when})", files.join(", ")),
    };
    let is_stale = rig.settings.prove_negative && !seen.broken.is_empty() && seen.is_stale(town, rig)?;
    Ok(Some(if is_stale { warn(format!("{said}; the trunk has moved since")) } else { check(&name, None, &said) }))
}

/// Text for gates that need not fail.
const NOT_WANTED: &str = "prove_negative = false: gt breaks no file on purpose";

/// Checks that the allowed `.envrc` is still the trunk's, and that direnv is installed.
fn direnv_check(town: &Town, rig: &Rig) -> Result<Option<Check>> {
    let Some(changed) = envrc::changed_on_trunk(town, rig)? else { return Ok(None) };
    let hint = format!("gt rig allow-envrc {0}; gt rig allow-envrc {0} --remove takes it back", rig.name());
    let why = if changed.is_empty() {
        (!direnv::is_installed(town, rig)).then(|| ("direnv is not in the PATH of agents and gates".to_owned(), &*hint))
    } else {
        Some((format!("not loaded: on the trunk, {} differs from what you allowed", changed.join(", ")), &*hint))
    };
    Ok(Some(check(&format!("{}: direnv", rig.name()), why, "the trunk's .envrc is the one that you allowed")))
}

/// Reports what `gt agent check` says for each kind of agent that workers or the mayor use.
fn agent_checks(town: &Town, rigs: &[Rig]) -> Result<Vec<Check>> {
    let mut kinds: BTreeMap<String, Vec<Rig>> = BTreeMap::new();
    let mut checks = Vec::new();
    for rig in rigs {
        match rig.settings.agent.as_ref().or(town.settings.agent.as_ref()) {
            Some(kind) => kinds.entry(kind.clone()).or_default().push(rig.clone()),
            None => {
                let hint = format!("agent = \"{}\" in town.toml; gt agent list shows the kinds", Client::OFFERED[0]);
                let none = ("no kind is set".to_owned(), hint.as_str());
                checks.push(check(&format!("{}: agent", rig.name()), Some(none), ""));
            }
        }
    }
    let standing = town.ledger.read(|view| view.agents().map_err(Error::from))?;
    for agent in standing.into_iter().filter(ledger::Agent::is_wanted) {
        // If none is set, the start reports it.
        if let Ok(kind) = wanted::wanted_kind(town, &agent) {
            kinds.entry(kind).or_default();
        }
    }
    for (kind, rigs) in kinds {
        checks.extend(kind_checks(town, &kind, &rigs));
    }
    Ok(checks)
}

fn kind_checks(town: &Town, kind: &str, rigs: &[Rig]) -> Vec<Check> {
    let findings = match agents::check::check(town, kind, rigs) {
        Ok(findings) => findings,
        Err(error) => {
            let hint = "gt agent list shows the kinds; define it in town.toml";
            return vec![check(&format!("agent {kind}"), Some((error.to_string(), hint)), "")];
        }
    };
    // Other checks below cover these, or they are the rig's own choice.
    let said_elsewhere = |what: &str| ["terminal", ": sandbox", ": permissions"].iter().any(|end| what.ends_with(end));
    findings.into_iter().filter(|finding| !said_elsewhere(&finding.what)).map(|f| agent_check(kind, f)).collect()
}

fn agent_check(kind: &str, finding: Finding) -> Check {
    let name = if finding.what.contains(": ") { finding.what } else { format!("{kind}: {}", finding.what) };
    let ok = finding.level != Level::Bad;
    Check { name, ok, warn: false, detail: finding.found, hint: finding.next.filter(|_| !ok).map(Hint::Text) }
}

/// Checks that tmux is installed if the rig's sessions should run in it.
fn runtime_check(town: &Town, rig: &Rig) -> Check {
    let env = worker_env::environment(town, Some(rig), None, None);
    let (problem, fine) = match sessions::choose(town, Some(rig), None, None, &env) {
        Ok(runtime) => (None, runtime.as_str()),
        Err(error) => (Some((error.to_string(), "install tmux, or set runtime = \"auto\"")), ""),
    };
    check(&format!("{}: runtime", rig.name()), problem, fine)
}

/// Checks that the rig's sandbox can be created.
fn sandbox_check(town: &Town, rig: &Rig) -> Option<Check> {
    let name = format!("{}: sandbox", rig.name());
    let env = worker_env::environment(town, Some(rig), None, None);
    match rig.settings.sandbox {
        Sandbox::None => None,
        Sandbox::Bwrap => Some(match sandbox::bwrap(town, rig, &env) {
            Ok(bwrap) => check(&name, None, &bwrap.words()),
            Err(error) => {
                check(&name, Some((error.to_string(), "install bubblewrap, or gt rig set <rig> sandbox=none")), "")
            }
        }),
    }
}

fn mayors_sandbox_check(town: &Town) -> Option<Check> {
    let env = worker_env::environment(town, None, None, None);
    match town.settings.mayor.sandbox {
        Sandbox::None => None,
        Sandbox::Bwrap => Some(match sandbox::mayors_bwrap(town, &env) {
            Ok(bwrap) => check("mayor: sandbox", None, &bwrap.words()),
            Err(error) => {
                check("mayor: sandbox", Some((error.to_string(), error.hint().as_deref().unwrap_or_default())), "")
            }
        }),
    }
}

fn formula_check(town: &Town, rig: &Rig) -> Check {
    let name = format!("{}: formula", rig.name());
    match town.formula(Some(rig), &rig.settings.formula) {
        Ok(formula) => check(
            &name,
            None,
            &format!("{}, {} steps", formula.resolved.formula.name, formula.resolved.formula.steps.len()),
        ),
        Err(error) => check(&name, Some((error.to_string(), "fix or remove that file")), ""),
    }
}

/// Checks the rig's link to the town's formulas. Says nothing if it is in order.
fn formulas_check(town: &Town, rig: &Rig) -> Result<Option<Check>> {
    let damage = upkeep::formulas_damage(town, rig)?;
    let name = format!("{}: formulas", rig.name());
    Ok(damage.map(|damage| check(&name, Some((damage.to_owned(), "gt doctor --fix")), "")))
}

/// Warns if the project's formulas on the trunk differ from those that a person allowed.
fn allowed_check(town: &Town, rig: &Rig) -> Result<Option<Check>> {
    // The repository's own check reports a trunk that can't be read.
    let changed = formulas::changed_on_trunk(town, rig).ok().flatten().unwrap_or_default();
    if changed.is_empty() {
        return Ok(None);
    }
    let detail = format!("on the trunk, {} differs from what you allowed, which applies", changed.join(", "));
    let hint = Some(Hint::Text(format!("gt rig allow-formulas {}", rig.name())));
    Ok(Some(Check { warn: true, hint, ..check(&format!("{}: project's formulas", rig.name()), None, &detail) }))
}

/// Warns of shipped formulas that a person edited and that this gt ships with another text.
fn shipped_check(town: &Town) -> Result<Option<Check>> {
    let outdated = shipped::states(town)?.into_iter().filter(|formula| formula.state == State::EditedOutdated);
    let names: Vec<&str> = outdated.map(|formula| formula.name).collect();
    let Some(first) = names.first() else { return Ok(None) };
    let detail = format!("you edited {}, and this gt ships a newer text", names.join(", "));
    let hint = format!("gt formula diff {first} shows it; without the file, the shipped text applies");
    let hint = Some(Hint::Text(hint));
    Ok(Some(Check { warn: true, hint, ..check("formulas", None, &detail) }))
}

fn remote_check(town: &Town, rig: &Rig) -> Check {
    let name = format!("{}: remote", rig.name());
    match town.world().repo().ask_remote(&rig.row.remote) {
        Err(error) => check(&name, Some((error.to_string(), "check the URL, your network and your login")), ""),
        Ok(facts) => {
            let gone = (!facts.branches.contains_key(&rig.row.trunk))
                .then(|| (format!("it has no branch {}", rig.row.trunk), "look at the remote".to_owned()));
            let problem = match gone {
                None => {
                    destination::complaint(town, rig).unwrap_or_else(|error| Some((error.to_string(), String::new())))
                }
                gone => gone,
            };
            let problem = problem.as_ref().map(|(what, hint)| (what.clone(), hint.as_str()));
            check(&name, problem, &format!("{} has {}, and takes pushes", rig.row.remote, rig.row.trunk))
        }
    }
}

/// Checks for git filters that the trunk uses and this machine lacks. Without git-lfs, checkouts are incomplete. Other filters
/// are missing in the user's own checkouts too.
fn filter_checks(town: &Town, rig: &Rig) -> Result<Vec<Check>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let refs = repo.refs(&path).unwrap_or_default();
    let Some(trunk) = refs.get(&rig.trunk_ref()) else { return Ok(Vec::new()) };
    let unserved = repo.unserved(&repo.filters(&path, trunk)?)?;
    let name = format!("{}: filters", rig.name());
    let one = |damage: &Damage| match damage.what.as_str() {
        LARGE_FILES => check(&name, Some((upkeep::words(damage), rig::INSTALL_LFS)), ""),
        filter => Check {
            hint: Some(Hint::Text(format!(
                "git config --global filter.{filter}.smudge \"<command>\", and .clean, as the project says"
            ))),
            ..check(&name, None, &upkeep::words(damage))
        },
    };
    Ok(unserved.iter().map(one).collect())
}

/// Warns of a nearly full disk. Retention deletes what it may by itself.
fn disk_check(town: &Town) -> Result<Check> {
    let free = town.world().disk().free_space(&town.layout.root)?;
    let wanted = town.settings.retention.limits().min_free;
    let mut check = check("disk", None, &format!("{} free", size_text(free)));
    if free < DISK_FLOOR {
        check.ok = false;
    }
    if free < wanted {
        check.detail = format!("{} free, less than archive_min_free_gb ({})", size_text(free), size_text(wanted));
        let hint = "gt retention run --dry-run shows what can be deleted; free other space too";
        check.hint = Some(Hint::Text(hint.to_owned()));
    }
    Ok(check)
}

fn holding_check(holding: Holding) -> Check {
    let Holding { name, count, bytes, oldest } = holding;
    let oldest = oldest.map(|at| format!(", oldest of {}", at.get(..10).unwrap_or(&at))).unwrap_or_default();
    check(&format!("size of {name}"), None, &format!("{} in {count}{oldest}", size_text(bytes)))
}

/// Reports what needs a person, with commands. Work that waits for approval and mail are not problems.
fn needs_checks(town: &Town) -> Result<Vec<Check>> {
    let rigs = town.rigs()?;
    let needs = town.ledger.read(|view| needs::all(view, &queue::items(town, view, &rigs, None, false)?))?;
    let needs: Vec<_> = needs
        .into_iter()
        .filter(|need| ![ConditionKind::Approval, ConditionKind::Mail].contains(&need.condition.kind))
        .collect();
    if needs.is_empty() {
        return Ok(vec![check("conditions", None, "nothing is wrong")]);
    }
    let one = |Need { condition: ledger::Condition { key: name, text: detail, .. }, next }| Check {
        name,
        ok: false,
        warn: false,
        detail,
        hint: Some(Hint::Todo(next)),
    };
    Ok(needs.into_iter().map(one).collect())
}
