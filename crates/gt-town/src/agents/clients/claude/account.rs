//! The user's account at the client: whether it is usable, and how the user logs in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::clients::Client;
use gt_world::Runtime;
use serde_json::Value;

use crate::agents::check::{Finding, bad, ok};
use crate::agents::clients::Looked;
use crate::agents::sessions;
use crate::town::error::Result;
use crate::town::settings::{AgentPreset, Auth};
use crate::town::{Rig, Town};
use crate::walls::worker_env;

/// Returns what a person must do to make the account usable again.
pub(crate) fn log_in(preset: &AgentPreset) -> String {
    format!("run {}, and /login", preset.command.first().map_or(Client::Claude.as_str(), String::as_str))
}

/// Checks the account, and what the client asks before it begins.
pub(crate) fn look(
    town: &Town,
    kind: &str,
    preset: &AgentPreset,
    env: &BTreeMap<String, String>,
    rigs: &[Rig],
) -> Result<Looked> {
    let account = account(town, env)?;
    let of_rigs = rigs.iter().filter_map(|rig| trust(town, preset, rig, &account)).collect();
    Ok(Looked { account: login(kind, preset, &account, env), of_rigs })
}

fn login(kind: &str, preset: &AgentPreset, account: &Account, env: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let by_key = preset.auth == Some(Auth::ApiKey) || preset.api_keys.iter().any(|name| env.contains_key(name));
    match &account.login {
        Some(login) => findings.push(ok("login", format!("logged in: {login}"))),
        None if by_key => findings.push(ok("login", "not logged in, and not needed: a key pays")),
        None => findings.push(bad(
            "login",
            "no login of yours was found",
            format!("run claude, and /login; or let a key pay: [agents.{kind}] auth = \"api-key\" in town.toml"),
        )),
    }
    if !account.onboarded {
        findings.push(bad(
            "first start",
            "you have never started it, so it would ask its first questions",
            "run claude once",
        ));
    }
    findings
}

/// Reports whether the client would ask to trust the repository's folder. It asks once per repository where it has a terminal.
fn trust(town: &Town, preset: &AgentPreset, rig: &Rig, account: &Account) -> Option<Finding> {
    let what = format!("{}: trust", rig.name());
    let env = worker_env::environment(town, Some(rig), Some(preset), None);
    let in_terminal =
        sessions::choose(town, Some(rig), Some(preset), None, &env).is_ok_and(|runtime| runtime == Runtime::Tmux);
    let repository = rig.layout.repo();
    if !in_terminal || account.trusted.contains(&repository) {
        return in_terminal.then(|| ok(&what, "you have said that its folder is trusted"));
    }
    // The person opens a worktree, since the client stores an answer for the repository of its present folder. The bare
    // repository's own folder would count as the town's.
    let next = format!(
        "once: gt crew add {} me && cd {} && claude, answer that you trust it, and leave with /exit",
        rig.name(),
        rig.layout.crew("me").display()
    );
    Some(bad(&what, "each worker would ask whether its folder is trusted", next))
}

/// Returns where the client keeps its state: where the user has moved it, or in the home folder.
pub(super) fn state(env: &BTreeMap<String, String>) -> Option<Places> {
    let known = Client::Claude.state();
    let config = known.replaced?;
    if let Some(moved) = env.get(known.variable?).filter(|dir| !dir.is_empty()) {
        let folder = PathBuf::from(moved);
        return Some(Places { config: folder.join(config), folder });
    }
    let home = PathBuf::from(env.get("HOME")?);
    Some(Places { config: home.join(config), folder: home.join(known.folder) })
}

/// Places of the client's state.
pub(super) struct Places {
    pub(super) folder: PathBuf,
    config: PathBuf,
}

/// Facts about an account that need no network. The town checks that secrets exist but does not read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Account {
    /// Plan of the login, as far as the client's files name it.
    login: Option<String>,
    /// Folders that the user has trusted in the client's dialog.
    trusted: Vec<PathBuf>,
    /// Whether the user has finished the welcome of the first start.
    onboarded: bool,
}

/// Reads the account from the client's files.
fn account(town: &Town, env: &BTreeMap<String, String>) -> Result<Account> {
    let Some(state) = state(env) else { return Ok(Account::default()) };
    let read = |path: &Path| -> Result<Value> {
        let bytes = town.world().disk().read(path)?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    };
    let config = read(&state.config)?;
    let credentials = read(&state.folder.join(".credentials.json"))?;
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let has_token = is_text(&credentials["claudeAiOauth"]["accessToken"])
        || env.get("CLAUDE_CODE_OAUTH_TOKEN").is_some_and(|token| !token.is_empty());
    let plan = credentials["claudeAiOauth"]["subscriptionType"].as_str().unwrap_or("plan");
    let who = config["oauthAccount"]["emailAddress"].as_str();
    let login = has_token.then(|| who.map_or(plan.to_owned(), |who| format!("{plan}, {who}")));
    let projects = config["projects"].as_object();
    let trusted = projects.into_iter().flatten().filter(|(_, project)| project["hasTrustDialogAccepted"] == true);
    Ok(Account {
        login,
        trusted: trusted.map(|(folder, _)| folder.into()).collect(),
        onboarded: config["hasCompletedOnboarding"] == true,
    })
}
