//! Files of clients below the user's home: their settings, logins and notes. The sandbox and the guard use this list.

use super::Client;

/// Files of one client. Paths are relative to the user's home, or to the client's folder where the field says so.
#[derive(Debug)]
pub struct State {
    /// The client's folder.
    pub folder: &'static str,
    /// Environment variable with another place for that folder, if the client has one.
    pub variable: Option<&'static str>,
    /// Files in the client's folder with settings and instructions for every session. Agents can read them but not change them.
    pub files: &'static [&'static str],
    /// Folders in the client's folder with plugins, commands, hooks and the like. Agents can read them but not change them.
    pub folders: &'static [&'static str],
    /// Whether this file name, or a pattern that could match it, names a settings file in a folder like the client's, wherever that
    /// folder is.
    pub is_settings: fn(&str) -> bool,
    /// File directly in the home that the client always rewrites completely. Each sandbox starts with a copy of it.
    pub replaced: Option<&'static str>,
    /// Folders where the client lists its running sessions by process id. Each sandbox gets its own, because it numbers processes
    /// itself.
    pub by_process: &'static [&'static str],
    /// Folders with the client's own program. Agents can read them.
    pub programs: &'static [&'static str],
    /// Files with logins, which the guard lets no agent read.
    pub secrets: &'static [&'static str],
    /// Folders where agents may write with their client's tools: plans, memory.
    pub notes: &'static [&'static str],
    /// Folders and files of a project that steer the client.
    pub steered_by: Steered,
}

/// Names, in lower case, of folders and files that steer a client, anywhere in a project.
#[derive(Debug)]
pub struct Steered {
    /// Names of folders.
    pub folders: &'static [&'static str],
    /// Names of files.
    pub files: &'static [&'static str],
}

/// A client's state if only its folder is known.
pub(super) const UNKNOWN: State = State {
    folder: "",
    variable: None,
    files: &[],
    folders: &[],
    is_settings: |_| false,
    replaced: None,
    by_process: &[],
    programs: &[],
    secrets: &[],
    notes: &[],
    steered_by: Steered { folders: &[], files: &[] },
};

/// Clients without an adapter (the code for one client's hooks and records). A kind of agent may still run them.
const OTHERS: &[State] = &[
    State {
        folder: ".codex",
        variable: Some("CODEX_HOME"),
        files: &["config.toml", "hooks.json", "AGENTS.md", "AGENTS.override.md"],
        folders: &["prompts", "skills", "rules", "plugins"],
        is_settings: |name| name == "config.toml",
        secrets: &[".codex/auth.json"],
        steered_by: Steered { folders: &[".codex"], files: &[] },
        ..UNKNOWN
    },
    State {
        folder: ".gemini",
        files: &["settings.json", "GEMINI.md"],
        folders: &["extensions", "commands", "policies", "skills", "agents", "hooks"],
        is_settings: |name| name == "settings.json",
        secrets: &[".gemini/oauth_creds.json"],
        steered_by: Steered { folders: &[".gemini"], files: &["gemini.md"] },
        ..UNKNOWN
    },
    State {
        folder: ".qwen",
        files: &["settings.json", "QWEN.md"],
        folders: &["extensions", "commands", "skills", "agents"],
        is_settings: |name| name == "settings.json",
        steered_by: Steered { folders: &[".qwen"], files: &["qwen.md"] },
        ..UNKNOWN
    },
    State {
        folder: ".copilot",
        files: &["config.json", "mcp-config.json", "copilot-instructions.md"],
        folders: &["agents", "skills", "hooks", "installed-plugins"],
        steered_by: Steered { folders: &[".copilot"], files: &["copilot-instructions.md"] },
        ..UNKNOWN
    },
    State {
        folder: ".config/opencode",
        files: &["opencode.json", "opencode.jsonc", "AGENTS.md", "package.json"],
        folders: &[
            "plugin",
            "plugins",
            "command",
            "commands",
            "agent",
            "agents",
            "tool",
            "tools",
            "skill",
            "skills",
            "mode",
            "modes",
            "node_modules",
        ],
        secrets: &[".local/share/opencode/auth.json"],
        steered_by: Steered { folders: &[".opencode"], files: &["opencode.json", "opencode.jsonc"] },
        ..UNKNOWN
    },
    // Language servers that it has downloaded.
    State { folder: ".local/share/opencode", folders: &["bin"], ..UNKNOWN },
];

/// Returns the files of all clients, including those without an adapter.
pub fn states() -> impl Iterator<Item = &'static State> {
    Client::ALL.into_iter().map(Client::state).chain(OTHERS)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use super::*;

    /// A sandbox lets agents write in some of these folders, so none may be the home itself.
    #[test]
    fn every_folder_is_one_below_the_home() {
        for state in states() {
            let paths = [state.by_process, state.programs, state.secrets, state.notes].concat();
            for path in paths.into_iter().chain([state.folder]).chain(state.replaced) {
                let is_below = |part: Component<'_>| matches!(part, Component::Normal(_));
                assert!(!path.is_empty() && Path::new(path).components().all(is_below), "{path:?} of {state:?}");
            }
        }
    }
}
