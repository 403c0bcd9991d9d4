//! Claude Code, as 2.1.330 is.

mod hooks;
mod record;
mod rules;

use super::{State, Steered};

pub(super) use hooks::{hear, render};
pub(super) use record::{printed, recorded, subagents, tool_use};
pub use rules::rules;

/// Its maker's name for it.
pub(super) const TITLE: &str = "Claude Code";

/// The longest name of a settings file of its.
const LOCAL_SETTINGS: &str = "settings.local.json";

/// Claude Code's files below the home.
pub(super) const STATE: State = State {
    folder: ".claude",
    variable: Some("CLAUDE_CONFIG_DIR"),
    files: &["settings.json", LOCAL_SETTINGS, "CLAUDE.md"],
    folders: &["plugins", "commands", "agents", "skills", "hooks", "output-styles", "rules"],
    is_settings,
    // It is replaced under a lock beside it, so sandboxes and the user can't share the file.
    replaced: Some(".claude.json"),
    by_process: &[".claude/sessions"],
    // Where it installs itself for one user.
    programs: &[".claude/local"],
    secrets: &[".claude/.credentials.json"],
    notes: &[".claude/plans", ".claude/projects", ".claude/todos", ".claude/tasks"],
    steered_by: Steered { folders: &[".claude", ".claude-plugin"], files: &["claude.md", "claude.local.md"] },
};

fn is_settings(name: &str) -> bool {
    match name.split_once('*') {
        None => name.starts_with("settings") && name.ends_with(".json"),
        Some((begin, end)) => LOCAL_SETTINGS.starts_with(begin) && LOCAL_SETTINGS.ends_with(end),
    }
}
