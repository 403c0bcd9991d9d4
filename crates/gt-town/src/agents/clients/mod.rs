//! Actions of clients with an adapter, such as writing settings or looking for a login.
//!
//! Each client has one folder, and this module one function for each thing that differs between clients. Pure knowledge about
//! clients is in `gt_model::clients`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gt_model::clients::Client;
use gt_world::{ContainedCommand, RunEnd};
use serde_json::Value;

use super::check::Finding;
use super::hooks::Hooks;
use super::launch::Launch;
use crate::town::error::Result;
use crate::town::settings::AgentPreset;
use crate::town::{Rig, Town};

mod claude;
mod echo;

/// Time limit for a client to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// Returns the kinds of agent that come with the clients, as part of a file of presets.
pub fn presets() -> String {
    let preset = |client: &Client| match client {
        Client::Claude => claude::PRESET,
        Client::Echo => "",
    };
    Client::ALL.iter().map(preset).collect()
}

/// Writes a session's settings into its folder `dir` and completes its environment.
pub(super) fn prepare(
    client: Client,
    town: &Town,
    launch: &Launch<'_>,
    program: &str,
    dir: &Path,
    env: &mut BTreeMap<String, String>,
) -> Result<()> {
    match client {
        Client::Claude => claude::prepare(town, launch, program, dir, env),
        Client::Echo => echo::prepare(town, dir),
    }
}

/// Returns what an administrator's settings say about our hooks.
pub(super) fn hooks(client: Client, town: &Town, preset: &AgentPreset, env: &BTreeMap<String, String>) -> Hooks {
    match client {
        Client::Claude => claude::hooks(town, preset, env),
        Client::Echo => Hooks::On,
    }
}

/// Returns the version that a program prints; `None` where it prints none in its client's form, or can't run.
pub(super) fn version(
    client: Client,
    town: &Town,
    program: &str,
    env: &BTreeMap<String, String>,
    log: &Path,
) -> Result<Option<String>> {
    match client {
        Client::Claude => claude::version(town, program, env, log),
        Client::Echo => version_line(town, program, env, log),
    }
}

/// Findings about a client's account, made before anything starts.
#[derive(Default)]
pub(crate) struct Looked {
    /// Whether an account is logged in, and whether the client would ask its first questions.
    pub account: Vec<Finding>,
    /// Questions that the client would ask in each rig.
    pub of_rigs: Vec<Finding>,
}

/// Checks the account of a kind of agent, and what its client would ask in these rigs. Uses no network.
pub(super) fn look(
    client: Client,
    town: &Town,
    kind: &str,
    preset: &AgentPreset,
    env: &BTreeMap<String, String>,
    rigs: &[Rig],
) -> Result<Looked> {
    match client {
        Client::Claude => claude::look(town, kind, preset, env, rigs),
        Client::Echo => Ok(Looked::default()),
    }
}

/// Returns what a person must do to make the client's account usable again.
pub(super) fn log_in(client: Client, preset: &AgentPreset) -> String {
    match client {
        Client::Claude => claude::log_in(preset),
        Client::Echo => "it needs no account".to_owned(),
    }
}

/// Turns a message of a client's stream into lines for people; no lines where it says nothing to people. `None` where it is
/// not a message of any client.
pub(super) fn said(message: &Value) -> Option<Vec<String>> {
    Client::ALL.into_iter().find_map(|client| match client {
        Client::Claude => claude::said(message),
        Client::Echo => None,
    })
}

/// Returns the first line of a program's version output; `None` where there is none, or where it can't run.
fn version_line(town: &Town, program: &str, env: &BTreeMap<String, String>, log: &Path) -> Result<Option<String>> {
    let command = ContainedCommand {
        argv: vec![program.to_owned(), "--version".to_owned()],
        cwd: town.layout.root.clone(),
        env: env.iter().filter(|(name, _)| !name.starts_with("GT_")).map(|(n, v)| (n.clone(), v.clone())).collect(),
        timeout: VERSION_LIMIT,
        log: log.to_owned(),
    };
    let result = town.world().sessions().run(&command)?;
    Ok(Some(result.tail).filter(|_| result.end == RunEnd::Passed).and_then(|tail| tail.into_iter().next()))
}

/// Quotes a word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
