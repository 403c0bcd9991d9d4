//! Prepares the start of a session: its command, its input, its environment, its client's settings.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::guard::permit::Grants;
use gt_model::id::{IncarnationId, sha256_hex};
use gt_world::{Runtime, user_message};

use super::clients;
use crate::town::Town;
use crate::town::error::Result;
use crate::town::layout::settings_file;
use crate::town::settings::{AgentPreset, InputKind, MayorSettings, PermissionMode, RigSettings, Sandbox};
use crate::walls::worker_env;

/// Request to start a session.
pub struct Launch<'a> {
    /// Preset of the kind.
    pub preset: &'a AgentPreset,
    /// Incarnation that the session is for.
    pub incarnation: &'a IncarnationId,
    /// Secret that differs in every attempt to start; the client's name for the session is derived from it.
    pub secret: &'a str,
    /// First prompt.
    pub prompt: &'a str,
    /// Runtime of the session.
    pub runtime: Runtime,
    /// Permission mode.
    pub mode: PermissionMode,
    /// Uses that it may make without asking, in any mode.
    pub grants: &'a Grants,
}

/// Command and input of a session's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// First text on its standard input, if it has one.
    pub input: Option<String>,
}

/// Prepares a start: writes the client's settings into the session's folder, fills the placeholders of `env` (the agent's whole
/// environment) and adds to it.
pub fn prepare(town: &Town, launch: &Launch<'_>, env: &mut BTreeMap<String, String>) -> Result<Launched> {
    let preset = launch.preset;
    let dir = town.layout.session(launch.incarnation);
    town.world().disk().create_private_dir(&dir)?;
    write_bash_env(town)?;
    let fill = |text: &str| fill(town, launch, &dir, text);
    for name in preset.env.keys() {
        if let Some(value) = env.get_mut(name) {
            *value = fill(value);
        }
    }
    let command = match launch.runtime {
        Runtime::Headless if !preset.headless.is_empty() => &preset.headless,
        Runtime::Headless | Runtime::Tmux => &preset.command,
    };
    let argv: Vec<String> = command.iter().map(|arg| fill(arg)).collect();
    if let Some(client) = preset.client {
        clients::prepare(client, town, launch, &argv[0], &dir, env)?;
    }
    let streams = launch.runtime == Runtime::Headless && preset.input == Some(InputKind::StreamJson);
    Ok(Launched { argv, input: streams.then(|| user_message(launch.prompt)) })
}

/// Writes the file for bash. A town of an earlier gt has none, and that of a moved town names another folder.
fn write_bash_env(town: &Town) -> Result<()> {
    let (file, text) = (town.layout.bash_env(), worker_env::bash_env(&town.layout.bin()));
    if town.world().disk().read(&file).ok().flatten().as_deref() != Some(text.as_bytes()) {
        town.world().disk().write(&file, text.as_bytes())?;
    }
    Ok(())
}

fn fill(town: &Town, launch: &Launch<'_>, dir: &Path, text: &str) -> String {
    let mode = launch.preset.modes.get(&launch.mode).map_or(launch.mode.as_str(), String::as_str);
    // The prompt comes last, so that placeholders in its own text stay as they are.
    text.replace("{gt}", &town.layout.bin().join("gt").display().to_string())
        .replace("{town}", &town.layout.root.display().to_string())
        .replace("{session_dir}", &dir.display().to_string())
        .replace("{settings}", &settings_file(dir).display().to_string())
        .replace("{session}", &session_uuid(launch.incarnation, launch.secret))
        .replace("{mode}", mode)
        .replace("{prompt}", launch.prompt)
}

/// Derives the client's name for a session: a UUID (version 8, RFC 9562) from the incarnation and the secret of this start,
/// since no client accepts a name twice.
pub(crate) fn session_uuid(incarnation: &IncarnationId, secret: &str) -> String {
    let hash = sha256_hex(&format!("{incarnation}.{secret}"));
    let variant = ["8", "9", "a", "b"][usize::from(hash.as_bytes()[16]) % 4];
    format!("{}-{}-8{}-{variant}{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32])
}

/// Returns the permission mode of a rig's agents: everything, where they have a sandbox or where a person has said so.
pub fn mode(rig: &RigSettings) -> PermissionMode {
    match rig.sandbox {
        Sandbox::Bwrap => PermissionMode::Bypass,
        Sandbox::None => rig.trust,
    }
}

/// Returns the permission mode of the mayor: everything, where it has a sandbox or where a person has said so.
pub(crate) fn mayors_mode(mayor: &MayorSettings) -> PermissionMode {
    match mayor.sandbox {
        Sandbox::Bwrap => PermissionMode::Bypass,
        Sandbox::None => mayor.trust,
    }
}

/// Explains the mode of a rig's agents to people.
pub(crate) fn why_mode(rig: &RigSettings) -> &'static str {
    match (rig.sandbox, rig.trust) {
        (Sandbox::Bwrap, _) => "it runs in a sandbox",
        (Sandbox::None, PermissionMode::Bypass) => "a person set trust = \"bypass\" in rig.toml",
        (Sandbox::None, PermissionMode::AcceptEdits) => "there is no sandbox, and trust=bypass is not set",
    }
}

/// Returns the rig's command lines that its agents may run without asking: its set-up and its gates.
pub(crate) fn rig_commands(rig: &RigSettings) -> Vec<String> {
    rig.worktree.setup.iter().cloned().chain(rig.gate.iter().map(|gate| gate.run.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_uuid_of_its_own_for_every_start_that_is_tried() {
        let of = |incarnation: &str, secret: &str| session_uuid(&IncarnationId(incarnation.to_owned()), secret);
        let one = of("amber-1-1", "secret");
        assert_eq!(one, of("amber-1-1", "secret"));
        assert_eq!(one.len(), 36);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
        assert_eq!(&one[14..15], "8");
        assert!("89ab".contains(&one[19..20]), "{one}");
        assert_ne!(one, of("amber-1-2", "secret"));
        assert_ne!(one, of("amber-1-1", "another"));
    }

    #[test]
    fn everything_is_allowed_only_in_a_sandbox_or_by_a_persons_word() {
        let rig = RigSettings::default();
        assert_eq!(mode(&rig), PermissionMode::AcceptEdits);
        assert_eq!(mode(&RigSettings { trust: PermissionMode::Bypass, ..rig.clone() }), PermissionMode::Bypass);
        assert_eq!(mode(&RigSettings { sandbox: Sandbox::Bwrap, ..rig }), PermissionMode::Bypass);
    }
}
