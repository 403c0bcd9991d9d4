//! Permissions: acts that an agent may do without asking a person. These are what its rig needs, what its work consists of, and
//! reading its own places.
//!
//! [`permit`] decides for one tool use whether a person must be asked. It is the counterpart of [`super::judge`], which decides
//! what a role may never do. For tool uses that neither of them knows, the client decides, and asks. Unlike the guard, this
//! module must be certain: it grants a command line only if it grants every program in it, with every file that the line opens.
//! It grants no act on something that can't be known before the command runs.

use std::path::{Path, PathBuf};

use super::script::{Owner, Scene};
use super::shell::{self, Command, MAX_DEPTH};
use super::{MAX_COMMAND_BYTES, Place, Role, ToolCall, field, path_of};

mod pattern;
mod programs;

pub use pattern::{Pattern, PatternError, suggestion};

/// Permissions of an agent in one place: acts that need no question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Patterns of commands (by their first words) and of tools.
    pub patterns: Vec<Pattern>,
    /// Command lines that are granted literally.
    pub lines: Vec<String>,
    /// Folders that it may read, in addition to its own and those for temporary files.
    pub reads: Vec<PathBuf>,
}

/// Gas Town's own programs, and the verbs of git that a worker needs for its work. Verbs of git that only read are listed in
/// `GIT_READS`.
pub const WORK: &[&str] = &[
    "gt",
    "bd",
    "git add",
    "git commit",
    "git restore",
    "git rebase",
    "git merge",
    "git cherry-pick",
    "git revert",
    "git mv",
    "git rm",
    "git checkout",
    "git reset",
    "git stash apply",
    "git status",
    "git diff",
    "git log",
    "git show",
];

/// Programs that only read, with any arguments. Used in rules of clients that know only the first words of a command.
pub const READING: &[&str] =
    &["cat", "head", "tail", "ls", "wc", "grep", "nl", "cut", "diff", "stat", "pwd", "git blame", "git ls-files"];

impl Grants {
    /// Creates the grants for an agent that may run these command lines. Each line is granted literally, and each program in it
    /// also with further words.
    pub fn of(lines: Vec<String>, patterns: Vec<Pattern>, reads: Vec<PathBuf>) -> Self {
        let within = lines.iter().flat_map(|line| pattern::within(line));
        let work = WORK.iter().map(|words| Pattern::words(words));
        Self { patterns: work.chain(within).chain(patterns).collect(), lines, reads }
    }
}

/// Decision on a tool use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// No person must be asked.
    Granted,
    /// It looks like a granted act but does more. A person must see it, even if the client's own rules allow it.
    Ask,
    /// The client decides.
    Open,
}

/// Facts about files that words alone don't tell.
pub trait Files {
    /// Returns the path with all links resolved.
    fn real(&self, path: &Path) -> PathBuf;
    /// Whether git would treat the folder, or one above it, as a repository that is part of the project's own files. The settings
    /// of such a repository can name programs to run.
    fn is_trap(&self, folder: &Path) -> bool;
}

/// Decides whether an agent may use a tool in this way without asking. The caller must have run the guard before.
pub fn permit(role: Role, call: &ToolCall, place: &Place, grants: &Grants, files: &dyn Files) -> Permit {
    let mut walk = Walk { scene: Scene::new(role, place), grants, files, depth: 0, asks: false };
    let granted = match call.tool.to_ascii_lowercase().as_str() {
        "bash" => field(&call.input, &["command"]).is_some_and(|text| walk.line(text)),
        "read" | "grep" | "glob" | "ls" | "notebookread" => match path_of(&call.input) {
            Some(path) => walk.may_read(path) || walk.tool(&call.tool),
            None => walk.may_read(".") || walk.tool(&call.tool),
        },
        _ => walk.tool(&call.tool),
    };
    match granted {
        true => Permit::Granted,
        false if walk.asks => Permit::Ask,
        false => Permit::Open,
    }
}

/// State of one decision.
struct Walk<'a> {
    scene: Scene<'a>,
    grants: &'a Grants,
    files: &'a dyn Files,
    depth: usize,
    /// Whether something is granted by its name but not by what it does.
    asks: bool,
}

impl Walk<'_> {
    fn tool(&self, name: &str) -> bool {
        self.grants.patterns.iter().any(|pattern| pattern.is_tool(name))
    }

    /// Judges a whole command line.
    fn line(&mut self, text: &str) -> bool {
        if self.grants.lines.iter().any(|line| line.trim() == text.trim()) {
            return true;
        }
        if text.len() > MAX_COMMAND_BYTES || self.depth >= MAX_DEPTH {
            return false;
        }
        let script = shell::read(text, &self.scene.variables());
        if !script.unread.is_empty() || script.items.is_empty() {
            return false;
        }
        self.depth += 1;
        let granted = self.script(&script);
        self.depth -= 1;
        granted
    }

    fn script(&mut self, script: &shell::Script) -> bool {
        let mut outer = Vec::new();
        let mut granted = true;
        for item in &script.items {
            match item {
                shell::Item::Enter => outer.push(self.scene.cwd.clone()),
                shell::Item::Leave => {
                    if let Some(cwd) = outer.pop() {
                        self.scene.cwd = cwd;
                    }
                }
                // Judges every command, because a later one may need to ask as well.
                shell::Item::Run(command) => granted &= self.command(script, command),
            }
        }
        granted
    }

    fn command(&mut self, script: &shell::Script, command: &Command) -> bool {
        let opens = command.writes.iter().all(|word| word.is_known() && self.may_write(&word.text))
            && command.reads.iter().all(|word| word.is_known() && self.may_read(&word.text));
        let granted = self.program(script, command);
        opens && granted
    }

    /// Whether a path is in a folder that may be read, both as written and with links resolved.
    fn may_read(&self, path: &str) -> bool {
        let Some(path) = self.scene.resolve(path) else { return false };
        path == Path::new("/dev/null") || self.is_readable(&path) && self.is_readable(&self.files.real(&path))
    }

    fn is_readable(&self, path: &Path) -> bool {
        matches!(self.scene.owner_of(path), Owner::Own | Owner::Temporary)
            || self.grants.reads.iter().any(|folder| path.starts_with(folder))
            || self.grants.patterns.iter().filter_map(Pattern::folder).any(|folder| path.starts_with(folder))
    }

    /// Whether a path is the agent's own or temporary, both as written and with links resolved.
    fn may_write(&self, path: &str) -> bool {
        let is_ours = |path: &Path| matches!(self.scene.owner_of(path), Owner::Own | Owner::Temporary);
        let Some(path) = self.scene.resolve(path) else { return false };
        is_ours(&path) && is_ours(&self.files.real(&path))
    }
}

#[cfg(test)]
mod tests;
