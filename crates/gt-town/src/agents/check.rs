//! Checks of a kind of agent that need no network: is its program there, who pays, what may it do, and does it find what the
//! gates run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gt_model::usage::Format;
use gt_world::{ContainedCommand, RunEnd, Runtime};
use serde::Serialize;

use super::counting::{self, Counting};
use super::hooks::{self, Hooks};
use super::{clients, launch};
use crate::agents::sessions;
use crate::town::error::Result;
use crate::town::settings::{AgentPreset, Auth, PermissionMode, Sandbox};
use crate::town::{Rig, Town};
use crate::walls::reach::{self, LeftOut};
use crate::walls::sandbox;
use crate::walls::worker_env;

pub use crate::walls::worker_env::{PathNews, take_path};

/// Time limit for finding a program.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All is well.
    Ok,
    /// Worth knowing.
    Warn,
    /// Agents of this kind will not work until a person has done something.
    Bad,
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the checked thing.
    pub what: String,
    /// How severe the result is.
    pub level: Level,
    /// Result of the check.
    pub found: String,
    /// Command or advice for a person, if any.
    pub next: Option<String>,
}

fn finding(what: &str, level: Level, found: impl Into<String>, next: Option<String>) -> Finding {
    Finding { what: what.to_owned(), level, found: found.into(), next }
}

pub(super) fn ok(what: &str, found: impl Into<String>) -> Finding {
    finding(what, Level::Ok, found, None)
}

fn warn(what: &str, found: impl Into<String>, next: impl Into<String>) -> Finding {
    finding(what, Level::Warn, found, Some(next.into()))
}

pub(super) fn bad(what: &str, found: impl Into<String>, next: impl Into<String>) -> Finding {
    finding(what, Level::Bad, found, Some(next.into()))
}

/// Finds programs that the town's kinds of agent need and that are not in the agents' PATH.
pub fn missing_programs(town: &Town) -> Result<Vec<Finding>> {
    let settings = &town.settings;
    let of_rigs: Vec<String> = town.rigs()?.into_iter().filter_map(|rig| rig.settings.agent).collect();
    let kinds = settings.agent.iter().chain(&settings.mayor.agent).chain(&of_rigs);
    let kinds: std::collections::BTreeSet<&String> = kinds.collect();
    let mut missing = Vec::new();
    for kind in kinds {
        // Another finding reports a missing kind, where it is wanted.
        let Ok(preset) = town.agent(kind) else { continue };
        let env = worker_env::environment(town, None, Some(&preset), None);
        let found = program(town, kind, &preset, &env)?;
        missing.extend(Some(found).filter(|finding| finding.level == Level::Bad));
    }
    Ok(missing)
}

/// Checks a kind of agent as the workers of `rigs` would get it. The findings hold no secret.
pub fn check(town: &Town, kind: &str, rigs: &[Rig]) -> Result<Vec<Finding>> {
    let preset = town.agent(kind)?;
    let env = worker_env::environment(town, None, Some(&preset), None);
    let mut findings = vec![path(town), program(town, kind, &preset, &env)?];
    match preset.client {
        Some(client) => {
            let looked = clients::look(client, town, kind, &preset, &env, rigs)?;
            findings.extend(looked.account);
            findings.push(payer(town, &preset, &env));
            findings.push(hooked(town, kind, &preset));
            findings.extend(looked.of_rigs);
        }
        None => {
            findings.extend(left_login(town, &preset));
            findings.extend((!preset.api_keys.is_empty()).then(|| payer(town, &preset, &env)));
        }
    }
    findings.push(usage(town, kind, &preset, &env));
    findings.push(terminal(town, &env));
    for rig in rigs {
        findings.push(mode(kind, &preset, rig));
        findings.extend(around(town, &preset, rig));
        findings.extend(tools(town, &preset, rig)?);
        findings.push(alone(town, rig));
        findings.push(variables(town, rig));
    }
    Ok(findings)
}

/// Reports the PATH of agents and gates, and how it differs from the caller's own.
pub(crate) fn path(town: &Town) -> Finding {
    let kept = worker_env::kept_path(town).unwrap_or_default();
    let own = worker_env::callers_path(town);
    let news = own.and_then(|own| PathNews::between(&kept, &own).words());
    match news {
        None => ok("PATH", kept),
        Some(news) => warn("PATH", format!("{kept} (yours differs: {news})"), "gt agent check --update takes yours"),
    }
}

/// Finds the first word of the command and, where the client is known, its version.
fn program(town: &Town, kind: &str, preset: &AgentPreset, env: &BTreeMap<String, String>) -> Result<Finding> {
    let word = preset.command[0].replace("{gt}", &town.layout.bin().join("gt").display().to_string());
    let Some(path) = find(town, env, &town.layout.root, &word)? else {
        let next = match preset.client {
            Some(client) => format!(
                "install {}, then gt agent check {kind} --update; or name it: [agents.{kind}] command = [\"<path>\"] in \
                 town.toml",
                client.title()
            ),
            None => {
                format!("install it, then gt agent check {kind} --update; or fix [agents.{kind}] command in town.toml")
            }
        };
        return Ok(bad("program", format!("`{word}` is not in the workers' PATH"), next));
    };
    let Some(client) = preset.client else { return without_adapter(town, preset, &path, env) };
    Ok(match clients::version(client, town, &word, env, &log(town))? {
        Some(version) => ok("program", format!("{path}, {version}")),
        None => {
            let next = format!("run it yourself: {path} --version");
            warn("program", format!("{path} does not say its version as {} does", client.title()), next)
        }
    })
}

/// Asks a program without an adapter for its version, but only if its preset names a version that was tried. Any other program
/// might start to work when asked.
fn without_adapter(town: &Town, preset: &AgentPreset, path: &str, env: &BTreeMap<String, String>) -> Result<Finding> {
    let Some(tried) = &preset.tried else { return Ok(ok("program", path)) };
    let argv = vec![path.to_owned(), "--version".to_owned()];
    let (cwd, env) = (town.layout.root.clone(), env.clone());
    let command = ContainedCommand { argv, cwd, env, timeout: LOOK_LIMIT, log: log(town) };
    let result = town.world().sessions().run(&command)?;
    let said = result.tail.iter().rev().find(|line| line.chars().any(|c| c.is_ascii_digit()));
    Ok(match said.filter(|_| result.end == RunEnd::Passed) {
        Some(version) if has_version(version, tried) => ok("program", format!("{path}, {version}")),
        Some(version) => {
            warn("program", format!("{path}, {version}; {tried} was tried"), "try one bead first, and look at gt peek")
        }
        None => {
            warn("program", format!("{path} does not say its version"), format!("run it yourself: {path} --version"))
        }
    })
}

/// Whether a program's answer names this version.
fn has_version(answer: &str, version: &str) -> bool {
    answer.split(|c: char| c.is_whitespace() || c == 'v').any(|word| word == version)
}

/// Whether a file exists that a login leaves. Does not read that file.
fn left_login(town: &Town, preset: &AgentPreset) -> Option<Finding> {
    let home = Path::new(town.outside.env.get("HOME")?);
    let names: Vec<&str> = preset.logins.iter().map(String::as_str).collect();
    if names.is_empty() || preset.auth == Some(Auth::ApiKey) {
        return None;
    }
    Some(match names.iter().find(|name| town.world().disk().exists(&home.join(name))) {
        Some(name) => ok("login", format!("there is ~/{name}")),
        None => warn(
            "login",
            format!("there is no ~/{}", names.join(", ~/")),
            format!("start {} once and log in, or let a key pay: auth = \"api-key\"", preset.command[0]),
        ),
    })
}

/// Reports how usage of this kind is counted, and whether caps let it start.
fn usage(town: &Town, kind: &str, preset: &AgentPreset, env: &BTreeMap<String, String>) -> Finding {
    let what = "usage";
    let runtime = sessions::choose(town, None, Some(preset), None, env).unwrap_or(Runtime::Headless);
    if let Err(error) = counting::admit(town, kind, preset, runtime) {
        return bad(what, error.to_string(), error.hint().unwrap_or_default());
    }
    match Counting::of(preset, runtime) {
        Counting::Transcript { .. } => ok(what, "from its client's transcript"),
        Counting::Printed { format: Format::None, .. } => ok(what, "it asks no model"),
        Counting::Printed { .. } => ok(what, "from what it prints, without a terminal"),
        Counting::Unknown => {
            warn(what, "unknown", "caps do not apply to it; docs/agents.md says how usage can be read")
        }
    }
}

/// Reports which account pays for this kind's sessions.
fn payer(town: &Town, preset: &AgentPreset, env: &BTreeMap<String, String>) -> Finding {
    let what = "who pays";
    let is_set = |env: &BTreeMap<String, String>, name: &&String| env.get(*name).is_some_and(|value| !value.is_empty());
    let passed = preset.api_keys.iter().find(|name| is_set(env, name));
    let outside = preset.api_keys.iter().find(|name| is_set(&town.outside.env, name));
    match (preset.auth.unwrap_or_default(), passed, outside) {
        (Auth::ApiKey, Some(name), _) => ok(what, format!("the account of the key in {name}")),
        (Auth::ApiKey, None, _) => {
            let names = preset.api_keys.join(" or ");
            bad(
                what,
                format!("auth = \"api-key\" is set, but {names} is not"),
                format!("set {names}, then gt down && gt up"),
            )
        }
        (Auth::Login, Some(name), _) => warn(
            what,
            format!("the account of the key that town.toml sets as {name}"),
            "auth = \"api-key\" says so openly",
        ),
        (Auth::Login, None, Some(name)) => ok(what, format!("your login; {name} of your environment is not passed")),
        (Auth::Login, None, None) => ok(what, "your login"),
    }
}

/// Reports whether the client will run our hooks.
fn hooked(town: &Town, kind: &str, preset: &AgentPreset) -> Finding {
    let what = "hooks";
    let found = hooks::of(town, preset);
    match &found {
        Hooks::On => ok(what, found.to_string()),
        Hooks::Unknown { .. } => warn(what, found.to_string(), "look at that file: it may turn hooks off"),
        Hooks::Off { .. } if !preset.needs_hooks() => {
            warn(what, found.to_string(), "you have allowed that, so its agents run without a guard")
        }
        Hooks::Off { key, .. } => bad(
            what,
            found.to_string(),
            format!(
                "have `{key}` removed from that file; or let its agents run without a guard: [agents.{kind}] \
                 allow_without_hooks = true in town.toml"
            ),
        ),
    }
}

fn terminal(town: &Town, env: &BTreeMap<String, String>) -> Finding {
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    match town.world().sessions().tmux(path) {
        Ok(version) => ok("terminal", version),
        Err(why) => {
            warn("terminal", format!("{why}: sessions have no terminal"), "install tmux 3.0 or newer to attach to them")
        }
    }
}

fn mode(kind: &str, preset: &AgentPreset, rig: &Rig) -> Finding {
    let what = format!("{}: permissions", rig.name());
    let (mode, why) = (launch::mode(&rig.settings), launch::why_mode(&rig.settings));
    let found = format!("{}: {why}", mode.as_str());
    if !preset.has_mode(mode) {
        let next = format!("gt rig set {0} trust=bypass, or gt rig set {0} sandbox=bwrap", rig.name());
        return bad(&what, format!("{kind} can't be kept to {found}"), next);
    }
    match mode {
        PermissionMode::AcceptEdits if preset.client.is_none() => {
            ok(&what, format!("{kind} asks for permission as its own settings say; gt does not control it"))
        }
        PermissionMode::Bypass => ok(&what, found),
        PermissionMode::AcceptEdits => {
            let next =
                format!("where a worker stops to ask: gt rig set {} trust=bypass, once you trust it so", rig.name());
            warn(&what, found, next)
        }
    }
}

/// Reports whether the sandbox that the rig wants is available.
fn around(town: &Town, preset: &AgentPreset, rig: &Rig) -> Option<Finding> {
    let what = format!("{}: sandbox", rig.name());
    let env = worker_env::environment(town, Some(rig), Some(preset), None);
    match rig.settings.sandbox {
        Sandbox::None => None,
        Sandbox::Bwrap => Some(match sandbox::bwrap(town, rig, &env) {
            Ok(bwrap) => ok(&what, bwrap.words()),
            Err(error) => bad(&what, error.to_string(), error.hint().unwrap_or_default()),
        }),
    }
}

/// Reports whether anything leads from the rig's worktrees to another tree, which gates would test instead.
fn alone(town: &Town, rig: &Rig) -> Finding {
    let what = format!("{}: other trees", rig.name());
    let leads_out = reach::leads_out(town, rig);
    if leads_out.is_empty() {
        let out = LeftOut::words(&reach::left_out(town, Some(rig)));
        return ok(&what, out.unwrap_or("nothing leads to one".to_owned()));
    }
    warn(&what, leads_out.join("; "), "a gate may test what is there instead of the work; see docs/security.md")
}

/// Maximum number of names in one line.
const NAMED_VARIABLES: usize = 40;

/// Reports which variables of the caller the rig's workers and gates do not get.
fn variables(town: &Town, rig: &Rig) -> Finding {
    let what = format!("{}: variables", rig.name());
    let names = worker_env::stripped(town, Some(rig));
    if names.is_empty() {
        return ok(&what, "workers and gates get all of your variables that a build may ask for");
    }
    let more = names.len().saturating_sub(NAMED_VARIABLES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let listed = names.iter().take(NAMED_VARIABLES).map(String::as_str).collect::<Vec<_>>().join(", ");
    ok(&what, format!("not passed: {listed}{more}; [env] pass in rig.toml passes those that it names"))
}

/// Reports whether the first programs of set-up and gates exist in the workers' environment.
fn tools(town: &Town, preset: &AgentPreset, rig: &Rig) -> Result<Vec<Finding>> {
    let env = worker_env::environment(town, Some(rig), Some(preset), None);
    let setup = rig.settings.worktree.setup.iter().map(|run| ("set-up".to_owned(), run));
    let gates = rig.settings.gate.iter().map(|gate| (format!("gate {}", gate.name), &gate.run));
    let mut findings = Vec::new();
    for (name, run) in setup.chain(gates) {
        let what = format!("{}: {name}", rig.name());
        let word = first_word(run);
        findings.push(match word {
            // A file of the project, or a line that only a shell can resolve.
            None => ok(&what, format!("`{run}` is the project's own")),
            Some(word) => match find(town, &env, &rig.layout.root, word)? {
                Some(path) => ok(&what, path),
                None => bad(
                    &what,
                    format!("`{word}` is not in the workers' PATH"),
                    "install it, then gt agent check --update",
                ),
            },
        });
    }
    Ok(findings)
}

/// Returns the first program of a command line; `None` for a path, and for anything but a plain word.
fn first_word(line: &str) -> Option<&str> {
    let word = line.split_whitespace().find(|word| !is_assignment(word))?;
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c));
    plain.then_some(word)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Returns the path where a shell would find a program.
fn find(town: &Town, env: &BTreeMap<String, String>, cwd: &Path, word: &str) -> Result<Option<String>> {
    let argv = ["sh", "-c", "command -v -- \"$1\"", "sh", word].map(str::to_owned).to_vec();
    let env = env.clone();
    let command = ContainedCommand { argv, cwd: cwd.to_owned(), env, timeout: LOOK_LIMIT, log: log(town) };
    let result = town.world().sessions().run(&command)?;
    Ok((result.end == RunEnd::Passed).then(|| result.tail.into_iter().next().unwrap_or_else(|| word.to_owned())))
}

fn log(town: &Town) -> std::path::PathBuf {
    town.layout.logs().join("agent-check.log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_as_a_word_of_its_own() {
        for (answer, expected) in [
            ("codex-cli 0.171.0", true),
            ("1.0 v0.171.0", true),
            ("0.171.0", true),
            ("0.171.01", false),
            ("10.171.0", false),
            ("", false),
        ] {
            assert_eq!(has_version(answer, "0.171.0"), expected, "{answer}");
        }
    }

    #[test]
    fn the_program_of_a_command_line_is_its_first_plain_word() {
        for (line, expected) in [
            ("cargo test --all", Some("cargo")),
            ("RUST_LOG=debug A=1 cargo test", Some("cargo")),
            ("  make", Some("make")),
            ("./run-tests", None),
            ("(cd x && make)", None),
            ("$TOOL test", None),
            ("A=1", None),
            ("", None),
        ] {
            assert_eq!(first_word(line), expected, "{line}");
        }
    }
}
