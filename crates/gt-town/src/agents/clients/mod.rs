//! Clients with an adapter, as far as something is done with them: settings are written, a login is looked for.
//!
//! One folder per client, and one function here for each thing that differs between them. What is pure about a client is in
//! `gt_model::clients`.

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

/// How long a client may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// The kinds of agent that come with the clients, as a part of a file of presets.
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

/// What an administrator's settings say of our hooks.
pub(super) fn hooks(client: Client, town: &Town, preset: &AgentPreset, env: &BTreeMap<String, String>) -> Hooks {
    match client {
        Client::Claude => claude::hooks(town, preset, env),
        Client::Echo => Hooks::On,
    }
}

/// The version that a program says; `None` where it says none as this client does, or can't be run.
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

/// What is found of a client's account before anything is started.
#[derive(Default)]
pub(crate) struct Looked {
    /// Whether somebody is logged in, and whether the client would ask its first questions.
    pub account: Vec<Finding>,
    /// What the client would ask in each rig.
    pub of_rigs: Vec<Finding>,
}

/// Looks at the account of a kind of agent, and at what its client would ask in these rigs. The network is not asked.
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

/// What a person does so that the client's account can be used again.
pub(super) fn log_in(client: Client, preset: &AgentPreset) -> String {
    match client {
        Client::Claude => claude::log_in(preset),
        Client::Echo => "it needs no account".to_owned(),
    }
}

/// The lines that a message of a client's stream reads like: none where it says nothing to people. `None` where it is no
/// message of any client's.
pub(super) fn said(message: &Value) -> Option<Vec<String>> {
    Client::ALL.into_iter().find_map(|client| match client {
        Client::Claude => claude::said(message),
        Client::Echo => None,
    })
}

/// The first line that a program says of its version; `None` where it says nothing, or can't be run.
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

/// A word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
