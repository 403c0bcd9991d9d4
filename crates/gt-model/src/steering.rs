//! Finds files of a project that control tools on developers' machines: coding agents, editors, git and package managers.
//!
//! The next agent or person that opens the project reads such a file, and often runs it. So if a worker commits one, a person
//! must review it before it lands, whatever the gates say.

use crate::clients;

/// Tool that a file controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Steers {
    /// Coding agents: their settings, hooks, tools and standing instructions.
    Agents,
    /// Editors: their tasks and settings.
    Editors,
    /// Git: hooks that run at commits and checkouts.
    Hooks,
    /// Servers that git and package managers send to and fetch from, with the logins for them.
    Servers,
}

impl Steers {
    /// Returns the name of the tool for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "coding agents",
            Self::Editors => "editors",
            Self::Hooks => "git hooks",
            Self::Servers => "where files come from and go to",
        }
    }
}

/// Folders at any depth, by their names in lower case. Those of known clients are in [`clients::State`].
const FOLDERS: &[(&str, Steers)] = &[
    (".agents", Steers::Agents),
    (".cursor", Steers::Agents),
    (".windsurf", Steers::Agents),
    (".clinerules", Steers::Agents),
    (".roo", Steers::Agents),
    (".kiro", Steers::Agents),
    (".continue", Steers::Agents),
    (".amp", Steers::Agents),
    (".pi", Steers::Agents),
    (".vscode", Steers::Editors),
    (".idea", Steers::Editors),
    (".fleet", Steers::Editors),
    (".zed", Steers::Editors),
    (".devcontainer", Steers::Editors),
    (".nvim", Steers::Editors),
    (".husky", Steers::Hooks),
    (".githooks", Steers::Hooks),
    (".git-hooks", Steers::Hooks),
    ("githooks", Steers::Hooks),
    ("git-hooks", Steers::Hooks),
    (".lefthook", Steers::Hooks),
];

/// Files at any depth, likewise.
const FILES: &[(&str, Steers)] = &[
    ("agents.md", Steers::Agents),
    ("agents.override.md", Steers::Agents),
    ("agent.md", Steers::Agents),
    (".mcp.json", Steers::Agents),
    ("mcp.json", Steers::Agents),
    (".cursorrules", Steers::Agents),
    (".windsurfrules", Steers::Agents),
    (".roomodes", Steers::Agents),
    (".aider.conf.yml", Steers::Agents),
    (".envrc", Steers::Editors),
    (".exrc", Steers::Editors),
    (".vimrc", Steers::Editors),
    (".nvimrc", Steers::Editors),
    (".nvim.lua", Steers::Editors),
    (".dir-locals.el", Steers::Editors),
    ("lefthook.yml", Steers::Hooks),
    ("lefthook.yaml", Steers::Hooks),
    ("lefthook.toml", Steers::Hooks),
    (".lefthook.yml", Steers::Hooks),
    (".pre-commit-config.yaml", Steers::Hooks),
    (".pre-commit-hooks.yaml", Steers::Hooks),
    (".overcommit.yml", Steers::Hooks),
    (".huskyrc", Steers::Hooks),
    (".simple-git-hooks.json", Steers::Hooks),
    (".lfsconfig", Steers::Servers),
    (".npmrc", Steers::Servers),
    (".yarnrc", Steers::Servers),
    (".yarnrc.yml", Steers::Servers),
    ("pip.conf", Steers::Servers),
    (".pypirc", Steers::Servers),
];

/// Names of git's hooks, in a folder for hooks of any name.
const HOOKS: &[&str] = &[
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "post-rewrite",
    "pre-merge-commit",
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "reference-transaction",
    "fsmonitor-watchman",
    "post-index-change",
];

/// How many paths a sentence names.
const NAMED: usize = 4;

/// Returns the tool that a file of the project controls, by its path; `None` if it controls none.
pub fn of(path: &str) -> Option<Steers> {
    let path = path.to_lowercase();
    let mut parts = path.split('/').rev();
    let name = parts.next().unwrap_or_default();
    let folders: Vec<&str> = parts.collect();
    // A link or a submodule with such a name stands for the folder.
    let is_in = |folder: &&str| folders.contains(folder) || name == *folder;
    let of_clients = |is_so: &dyn Fn(&clients::Steered) -> bool| {
        clients::states().any(|state| is_so(&state.steered_by)).then_some(Steers::Agents)
    };
    let by_folder = of_clients(&|by| by.folders.iter().any(is_in))
        .or_else(|| FOLDERS.iter().find(|(folder, _)| is_in(folder)).map(|(_, steers)| *steers));
    let by_name = || {
        of_clients(&|by| by.files.contains(&name))
            .or_else(|| FILES.iter().find(|(file, _)| name == *file).map(|(_, steers)| *steers))
    };
    let is_hook = HOOKS.contains(&name.split('.').next().unwrap_or_default())
        && folders.first().is_some_and(|folder| folder.contains("hook"));
    by_folder
        .or_else(by_name)
        .or(is_hook.then_some(Steers::Hooks))
        .or(name.ends_with(".code-workspace").then_some(Steers::Editors))
        .or((name.ends_with(".instructions.md") || name.ends_with(".mdc")).then_some(Steers::Agents))
}

/// Explains why a person must review a change of these paths; `None` if none of them controls a tool.
pub fn why<'p>(paths: impl IntoIterator<Item = &'p str>) -> Option<String> {
    let mut found: Vec<(Steers, &str)> = paths.into_iter().filter_map(|path| Some((of(path)?, path))).collect();
    found.sort_unstable();
    let kinds: std::collections::BTreeSet<Steers> = found.iter().map(|(steers, _)| *steers).collect();
    if kinds.is_empty() {
        return None;
    }
    let kinds: Vec<&str> = kinds.into_iter().map(Steers::as_str).collect();
    let named: Vec<String> = found.iter().take(NAMED).map(|(_, path)| crate::foreign::one_line(path)).collect();
    let more = found.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("it changes what steers {}: {}{more}", kinds.join(" and "), named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_others_than_the_code_is_known_by_its_path() {
        for (path, expected) in [
            (".claude/settings.json", Some(Steers::Agents)),
            ("sub/.claude/agents/x.md", Some(Steers::Agents)),
            (".Claude/settings.local.json", Some(Steers::Agents)),
            (".claude", Some(Steers::Agents)),
            ("CLAUDE.md", Some(Steers::Agents)),
            ("docs/Agents.md", Some(Steers::Agents)),
            (".mcp.json", Some(Steers::Agents)),
            (".codex/config.toml", Some(Steers::Agents)),
            (".github/copilot-instructions.md", Some(Steers::Agents)),
            (".github/instructions/rust.instructions.md", Some(Steers::Agents)),
            (".cursor/rules/a.mdc", Some(Steers::Agents)),
            (".vscode/tasks.json", Some(Steers::Editors)),
            ("app.code-workspace", Some(Steers::Editors)),
            (".envrc", Some(Steers::Editors)),
            (".husky/pre-commit", Some(Steers::Hooks)),
            (".githooks/x", Some(Steers::Hooks)),
            ("scripts/hooks/pre-push", Some(Steers::Hooks)),
            ("tools/git_hooks/post-checkout.sh", Some(Steers::Hooks)),
            (".pre-commit-config.yaml", Some(Steers::Hooks)),
            (".lfsconfig", Some(Steers::Servers)),
            ("packages/a/.npmrc", Some(Steers::Servers)),
            ("src/claude.rs", None),
            ("src/agents/mod.rs", None),
            ("docs/claude/notes.md", None),
            ("src/hooks/useState.ts", None),
            ("src/pre-commit.rs", None),
            (".gitattributes", None),
            ("README.md", None),
            ("", None),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }

    #[test]
    fn a_change_of_them_is_said_in_one_sentence() {
        assert_eq!(why(["src/a.rs", "README.md"]), None);
        let paths = ["src/a.rs", ".vscode/tasks.json", "CLAUDE.md"];
        let expected = "it changes what steers coding agents and editors: CLAUDE.md, .vscode/tasks.json";
        assert_eq!(why(paths).as_deref(), Some(expected));
        let many: Vec<String> = (0..6).map(|n| format!(".claude/{n}")).collect();
        assert!(why(many.iter().map(String::as_str)).unwrap().ends_with(".claude/3 and 2 more"));
        assert!(!why([".claude/a\nb"]).unwrap().contains('\n'));
    }
}
