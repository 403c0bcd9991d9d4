//! Files of clients below the user's home: their settings, logins and notes. The sandbox and the guard use this list.

use super::Client;

/// Files of one client. Paths are relative to the user's home, or to the client's folder where the field says so.
#[derive(Debug)]
pub struct State {
    /// The client's folder.
    pub folder: &'static str,
    /// The variable that moves it.
    pub variable: Option<&'static str>,
    /// Settings in its folder, and words for every session: an agent reads them, and can't change them.
    pub files: &'static [&'static str],
    /// Folders in it of plugins, commands, hooks and the like: likewise.
    pub folders: &'static [&'static str],
    /// Whether a file in a folder of that name, wherever it lies, is one of settings; or a pattern that such a file fits.
    pub is_settings: fn(&str) -> bool,
    /// A file right in the home that the client replaces as a whole: sandboxes begin with a copy of it.
    pub replaced: Option<&'static str>,
    /// Folders that tell by numbers of processes which sessions run: each sandbox counts its own.
    pub by_process: &'static [&'static str],
    /// Folders with the client's own program: an agent reads them.
    pub programs: &'static [&'static str],
    /// Files with logins, which are never shown.
    pub secrets: &'static [&'static str],
    /// Folders where an agent may write by its client's tools: plans, memory.
    pub notes: &'static [&'static str],
    /// Folders and files of a project that steer the client, in small letters.
    pub steered_by: Steered,
}

/// Names, in small letters, of what steers a client in a project, wherever it lies.
#[derive(Debug)]
pub struct Steered {
    /// Of folders.
    pub folders: &'static [&'static str],
    /// Of files.
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

/// Clients without an adapter, which a kind of agent may be all the same.
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

/// The states of all clients, those without an adapter as well.
pub fn states() -> impl Iterator<Item = &'static State> {
    Client::ALL.into_iter().map(Client::state).chain(OTHERS)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use super::*;

    /// A sandbox lets agents write there: the home itself must not be one.
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
