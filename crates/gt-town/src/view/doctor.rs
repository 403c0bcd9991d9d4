//! The doctor: whether everything is there that a session needs, and what mends what is not.

use std::collections::BTreeMap;

use gt_ledger as ledger;
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
use crate::patrol::needs::{self, Need};
use crate::refinery::queue;
use crate::rigs::destination;
use crate::rigs::envrc;
use crate::rigs::rig;
use crate::sync::solo;
use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::settings::Sandbox;
use crate::town::{Rig, Town};
use crate::view::observe::waiting_for;
use crate::walls::direnv;
use crate::walls::sandbox;
use crate::walls::worker_env;

/// One thing that the doctor looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// Whether it is well as far as is known, and ought to be looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub warn: bool,
    /// What was found.
    pub detail: String,
    /// What to do, where it is not well.
    pub hint: Option<String>,
}

fn check(name: &str, problem: Option<(String, &str)>, fine: &str) -> Check {
    let name = name.to_owned();
    match problem {
        None => Check { name, ok: true, warn: false, detail: fine.to_owned(), hint: None },
        Some((detail, hint)) => Check { name, ok: false, warn: false, detail, hint: Some(hint.to_owned()) },
    }
}

/// The oldest git that the rigs' set-up works with.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// Below this much free disk nothing is begun with any hope.
const DISK_FLOOR: u64 = 100 * 1024 * 1024;

/// Looks at everything that the town's flow needs. Where all is well, a session can be started.
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
        checks.push(remote_check(town, rig));
    }
    checks.extend(mayors_sandbox_check(town));
    checks.push(disk_check(town)?);
    checks.extend(retention::holdings(town)?.into_iter().map(holding_check));
    checks.extend(needs_checks(town)?);
    Ok(checks)
}

/// Nothing of it is known to the town, and nothing of it is used.
fn unfinished_check(name: &str) -> Check {
    let hint = "type that gt rig add again: it begins anew; or remove the folder";
    check(&format!("rig {name}"), Some((format!("gt rig add {name} was cut short before the rig was there"), hint)), "")
}

/// A town that is down is as somebody wanted it; one that is to be up and has no deacon is not well.
fn deacon_check(town: &Town) -> Result<Check> {
    let name = "deacon";
    if town.deacon_runs()? {
        let (runs, own) = (desired::build(town)?, &town.outside.build);
        let other = runs.filter(|runs| runs != own).map(|runs| {
            (
                format!("it runs build {runs}, and this gt is build {own}"),
                "gt up: this build takes over; sessions go on",
            )
        });
        return Ok(check(name, other, &format!("it runs, as this build ({own})")));
    }
    if desired::is_wanted_up(town)? && !town.boot_runs()? {
        return Ok(check(name, Some(("the town is to be up, and nothing runs".to_owned(), "gt up")), ""));
    }
    Ok(Check { hint: Some("gt up".to_owned()), ..check(name, None, "the town is down: nothing is started") })
}

/// Boot and deacon of a town that was here before act on this one, if they are too old to notice.
fn former_check(town: &Town) -> Option<Check> {
    let former = updown::former_daemons(town);
    let pids = former.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
    let hint = format!("they end by themselves within seconds; if they do not: kill {pids}");
    let found = (format!("processes of another town at this path run: {pids}"), hint.as_str());
    (!former.is_empty()).then(|| check("former town", Some(found), ""))
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

/// Whether beads wait for each other in a circle, or have a status or type that nobody knows: only an import brings such.
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
    Ok(check("beads", problem, "none waits in a circle"))
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

/// Whether the rig's repository is as the town made it, and was fetched.
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

/// A rig can always be made again from its remote.
const REMAKE: &str = "gt rig remove, then gt rig add";

fn lost_hint(lost: &Damage) -> &'static str {
    match lost.what.as_str() {
        "objects" => REMAKE,
        _ => "git -C <rig>/.repo.git repack -a, then remove that file, if no agent needs it",
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

/// Merge drivers that the trunk names and this machine has not got. Nothing is wrong with that: git merges such files as
/// text, and says nothing.
fn merge_check(town: &Town, rig: &Rig) -> Option<Check> {
    let repo = rig.layout.repo();
    // What can't be had is the repository's own check.
    let refs = town.world().repo().refs(&repo).ok()?;
    let unknown = town.world().repo().unknown_merge_drivers(&repo, refs.get(&rig.trunk_ref())?).ok()?;
    let first = unknown.first()?.clone();
    let names = unknown.into_iter().collect::<Vec<_>>().join(", ");
    let detail = format!(".gitattributes names merge drivers that your git does not know: {names}; it merges as text");
    let hint = Some(format!("git config --global merge.{first}.driver \"<command>\""));
    Some(Check { hint, ..check(&format!("{}: merges", rig.name()), None, &detail) })
}

fn gates_check(rig: &Rig) -> Check {
    let none = rig.settings.gate.is_empty() && !rig.settings.allow_ungated;
    let problem = none.then(|| ("no gate, so nothing lands".to_owned(), "gt rig gates add <rig> <name> \"<command>\""));
    let names: Vec<&str> = rig.settings.gate.iter().map(|gate| gate.name.as_str()).collect();
    check(&format!("{}: gates", rig.name()), problem, &names.join(", "))
}

/// What the last negative proof said: whether the gates turned red when files were broken on purpose, when, and on what.
fn seen_check(town: &Town, rig: &Rig) -> Result<Option<Check>> {
    if rig.settings.gate.is_empty() {
        return Ok(None);
    }
    let name = format!("{}: what gates see", rig.name());
    let warn = |detail: String| {
        let hint = Some(format!("gt rig prove {} --negative, or gt doctor --deep for all rigs", rig.name()));
        Check { warn: true, hint, ..check(&name, None, &detail) }
    };
    let seen = rig::seen(town, rig)?.filter(rig::Seen::is_tried);
    let Some(seen) = seen else {
        let untried = "it was not tried whether these gates turn red where a file is broken";
        let is_wanted = rig.settings.prove_negative;
        return Ok(Some(if is_wanted { warn(untried.to_owned()) } else { check(&name, None, NOT_WANTED) }));
    };
    let at: Option<jiff::Timestamp> = seen.at.parse().ok();
    let at = at.map(|at| format!(" {}", at.strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
    let when = format!("tried{at} on {}", seen.commit.get(..10).unwrap_or(&seen.commit));
    if let Some(file) = &seen.missed {
        let hint =
            format!("mend them, then gt rig prove {} --negative; or prove_negative = false in rig.toml", rig.name());
        let missed = format!("they stay green though {file} is broken ({when})");
        let fine = format!("{missed}, which prove_negative = false allows");
        return Ok(Some(check(&name, rig.settings.prove_negative.then_some((missed, hint.as_str())), &fine)));
    }
    let said = match seen.broken.as_slice() {
        [] => format!("no file is known that the tests surely use, so none was broken ({when})"),
        files => format!("they turn red where a file is broken: {} ({when})", files.join(", ")),
    };
    let is_stale = rig.settings.prove_negative && !seen.broken.is_empty() && seen.is_stale(town, rig)?;
    Ok(Some(if is_stale { warn(format!("{said}; the trunk has moved since")) } else { check(&name, None, &said) }))
}

/// What is said of gates that need not turn red.
const NOT_WANTED: &str = "prove_negative = false: no file is broken on purpose";

/// Whether the `.envrc` that was allowed is still the trunk's, and direnv is there.
fn direnv_check(town: &Town, rig: &Rig) -> Result<Option<Check>> {
    let Some(changed) = envrc::changed_on_trunk(town, rig)? else { return Ok(None) };
    let hint = format!("gt rig allow-envrc {0}; gt rig allow-envrc {0} --remove takes it back", rig.name());
    let why = if changed.is_empty() {
        (!direnv::is_installed(town, rig)).then(|| ("direnv is not in the PATH of agents and gates".to_owned(), &*hint))
    } else {
        Some((format!("not loaded: on the trunk {} is not what you allowed", changed.join(", ")), &*hint))
    };
    Ok(Some(check(&format!("{}: direnv", rig.name()), why, "the trunk's .envrc is the one that you allowed")))
}

/// What `gt agent check` says of each kind that workers, or the mayor, are.
fn agent_checks(town: &Town, rigs: &[Rig]) -> Result<Vec<Check>> {
    let mut kinds: BTreeMap<String, Vec<Rig>> = BTreeMap::new();
    let mut checks = Vec::new();
    for rig in rigs {
        match rig.settings.agent.as_ref().or(town.settings.agent.as_ref()) {
            Some(kind) => kinds.entry(kind.clone()).or_default().push(rig.clone()),
            None => {
                let none =
                    ("no kind is set".to_owned(), "agent = \"claude\" in town.toml; gt agent list shows the kinds");
                checks.push(check(&format!("{}: agent", rig.name()), Some(none), ""));
            }
        }
    }
    let standing = town.ledger.read(|view| view.agents().map_err(Error::from))?;
    for agent in standing.into_iter().filter(ledger::Agent::is_wanted) {
        // Where none is set, its own start says so.
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
    // What is looked at below for itself, and what is a rig's own choice.
    let said_elsewhere = |what: &str| ["terminal", ": sandbox", ": permissions"].iter().any(|end| what.ends_with(end));
    findings.into_iter().filter(|finding| !said_elsewhere(&finding.what)).map(|f| agent_check(kind, f)).collect()
}

fn agent_check(kind: &str, finding: Finding) -> Check {
    let name = if finding.what.contains(": ") { finding.what } else { format!("{kind}: {}", finding.what) };
    let ok = finding.level != Level::Bad;
    Check { name, ok, warn: false, detail: finding.found, hint: finding.next.filter(|_| !ok) }
}

/// Whether the tmux is there that the rig's sessions are to run in.
fn runtime_check(town: &Town, rig: &Rig) -> Check {
    let env = worker_env::environment(town, Some(rig), None, None);
    let (problem, fine) = match sessions::choose(town, Some(rig), None, None, &env) {
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

/// Filters that the trunk hands files to and that are not here. Without git-lfs nothing can be checked out as it is meant;
/// another filter is one that the user's own checkouts do without, too.
fn filter_checks(town: &Town, rig: &Rig) -> Result<Vec<Check>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let refs = repo.refs(&path).unwrap_or_default();
    let Some(trunk) = refs.get(&rig.trunk_ref()) else { return Ok(Vec::new()) };
    let unserved = repo.unserved(&repo.filters(&path, trunk)?)?;
    let name = format!("{}: filters", rig.name());
    let one = |damage: &Damage| match damage.what.as_str() {
        LARGE_FILES => check(&name, Some((upkeep::words(damage), rig::INSTALL_LFS)), ""),
        filter => Check {
            hint: Some(format!(
                "git config --global filter.{filter}.smudge \"<command>\", and .clean, as the project says"
            )),
            ..check(&name, None, &upkeep::words(damage))
        },
    };
    Ok(unserved.iter().map(one).collect())
}

/// A disk that is nearly full is worth knowing; what can go, goes by itself.
fn disk_check(town: &Town) -> Result<Check> {
    let free = town.world().disk().free_space(&town.layout.root)?;
    let wanted = town.settings.retention.limits().min_free;
    let mut check = check("disk", None, &format!("{} free", size_text(free)));
    if free < DISK_FLOOR {
        check.ok = false;
    }
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

/// What needs a person, each with what to type. Work that waits for approval is no trouble, and mail is none.
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
    let one = |need: Need| check(&need.condition.key, Some((need.condition.text, &need.next)), "");
    Ok(needs.into_iter().map(one).collect())
}
