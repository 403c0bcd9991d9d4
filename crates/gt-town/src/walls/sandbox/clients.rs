//! What is a person's in the state of clients: settings, and what a client reads or runs by itself the next time, outside of any
//! sandbox. An agent reads it, and can't change it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What of one client's state is not an agent's to change.
pub(super) struct Client {
    /// The client's folder, below the user's home.
    folder: &'static str,
    /// The variable that moves it.
    variable: Option<&'static str>,
    /// Settings, and words for every session.
    pub(super) files: &'static [&'static str],
    /// Plugins, commands, hooks and the like.
    pub(super) folders: &'static [&'static str],
}

pub(super) const CLIENTS: &[Client] = &[
    Client {
        folder: ".claude",
        variable: Some("CLAUDE_CONFIG_DIR"),
        files: &["settings.json", "settings.local.json", "CLAUDE.md"],
        folders: &["plugins", "commands", "agents", "skills", "hooks", "output-styles", "rules"],
    },
    Client {
        folder: ".codex",
        variable: Some("CODEX_HOME"),
        files: &["config.toml", "hooks.json", "AGENTS.md", "AGENTS.override.md"],
        folders: &["prompts", "skills", "rules", "plugins"],
    },
    Client {
        folder: ".gemini",
        variable: None,
        files: &["settings.json", "GEMINI.md"],
        folders: &["extensions", "commands", "policies", "skills", "agents", "hooks"],
    },
    Client {
        folder: ".qwen",
        variable: None,
        files: &["settings.json", "QWEN.md"],
        folders: &["extensions", "commands", "skills", "agents"],
    },
    Client {
        folder: ".config/opencode",
        variable: None,
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
    },
    Client {
        folder: ".copilot",
        variable: None,
        files: &["config.json", "mcp-config.json", "copilot-instructions.md"],
        folders: &["agents", "skills", "hooks", "installed-plugins"],
    },
    // Language servers that it has downloaded.
    Client { folder: ".local/share/opencode", variable: None, files: &[], folders: &["bin"] },
];

impl Client {
    /// Where the client's state is: in the home, and where the variable says.
    pub(super) fn places(&self, home: &Path, env: &BTreeMap<String, String>) -> Vec<PathBuf> {
        let moved = self.variable.and_then(|name| env.get(name)).map(PathBuf::from);
        [home.join(self.folder)].into_iter().chain(moved.filter(|path| path.is_absolute())).collect()
    }
}

/// The folders to which variables move the state of clients.
pub(super) fn moved(env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let variables = CLIENTS.iter().filter_map(|client| client.variable);
    variables.filter_map(|name| env.get(name)).map(PathBuf::from).filter(|path| path.is_absolute()).collect()
}
