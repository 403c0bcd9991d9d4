//! What an agent may do without asking a person: what its rig needs, what its work is made of, and reading its places.
//!
//! [`permit`] says of one use of a tool whether nobody need be asked. It is the other side of [`super::judge`], which says
//! what is never for the role: what neither of them knows is the client's own affair, which asks. Unlike the guard, this
//! must be sure: a command line is granted when every program in it is, with every file that it opens; what can't be known
//! before it runs is granted to no program that acts on it.

use std::path::{Path, PathBuf};

use super::script::{Owner, Scene};
use super::shell::{self, Command, MAX_DEPTH};
use super::{MAX_COMMAND_BYTES, Place, Role, ToolCall, field, path_of};

mod pattern;
mod programs;

pub use pattern::{Pattern, PatternError, suggestion};

/// What an agent of one place may do without asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Commands by their first words, and tools.
    pub patterns: Vec<Pattern>,
    /// Command lines that are granted as they are.
    pub lines: Vec<String>,
    /// Folders that it may read, beside its own and those for temporary files.
    pub reads: Vec<PathBuf>,
}

/// Programs of ours, and git's verbs with which a worker does its work. Verbs of git that only read are known elsewhere.
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

/// Programs that read only, and nothing else, whatever they are given: for rules of clients that know no more than the first
/// words of a command.
pub const READING: &[&str] =
    &["cat", "head", "tail", "ls", "wc", "grep", "nl", "cut", "diff", "stat", "pwd", "git blame", "git ls-files"];

impl Grants {
    /// The grants of one who may run these command lines, each as it is and each program of it with more words.
    pub fn of(lines: Vec<String>, patterns: Vec<Pattern>, reads: Vec<PathBuf>) -> Self {
        let within = lines.iter().flat_map(|line| pattern::within(line));
        let work = WORK.iter().map(|words| Pattern::words(words));
        Self { patterns: work.chain(within).chain(patterns).collect(), lines, reads }
    }
}

/// What is said of a use of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Nobody need be asked.
    Granted,
    /// It looks like what is granted, and does more: a person has to see it, whatever the client thinks of it.
    Ask,
    /// The client decides.
    Open,
}

/// What of files words alone don't tell.
pub trait Files {
    /// Where a path leads in the end, links followed.
    fn real(&self, path: &Path) -> PathBuf;
    /// Whether git would take the folder, or one above it, for a repository that is a part of the project's own files: its
    /// settings can name programs.
    fn is_trap(&self, folder: &Path) -> bool;
}

/// Says whether an agent may use a tool so without asking. What the guard refuses has to be refused before.
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

/// One look at a use of a tool.
struct Walk<'a> {
    scene: Scene<'a>,
    grants: &'a Grants,
    files: &'a dyn Files,
    depth: usize,
    /// Whether something was granted by its name, and is not by what it does.
    asks: bool,
}

impl Walk<'_> {
    fn tool(&self, name: &str) -> bool {
        self.grants.patterns.iter().any(|pattern| pattern.is_tool(name))
    }

    /// A whole command line.
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
                // All of it is looked at: what asks does so wherever it stands.
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

    /// Whether a path is in a folder that may be read, by its words and in the end.
    fn may_read(&self, path: &str) -> bool {
        let Some(path) = self.scene.resolve(path) else { return false };
        path == Path::new("/dev/null") || self.is_readable(&path) && self.is_readable(&self.files.real(&path))
    }

    fn is_readable(&self, path: &Path) -> bool {
        matches!(self.scene.owner_of(path), Owner::Own | Owner::Temporary)
            || self.grants.reads.iter().any(|folder| path.starts_with(folder))
            || self.grants.patterns.iter().filter_map(Pattern::folder).any(|folder| path.starts_with(folder))
    }

    /// Whether a path is the agent's own, or for temporary files, by its words and in the end.
    fn may_write(&self, path: &str) -> bool {
        let is_ours = |path: &Path| matches!(self.scene.owner_of(path), Owner::Own | Owner::Temporary);
        let Some(path) = self.scene.resolve(path) else { return false };
        is_ours(&path) && is_ours(&self.files.real(&path))
    }
}

#[cfg(test)]
mod tests;
