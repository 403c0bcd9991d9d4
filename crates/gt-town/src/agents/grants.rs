//! Permissions that an agent has without asking: from its role, its rig's settings, and a person's additions.
//!
//! The town reads this one list anew at each use of a tool ([`crate::moments`]), so new permissions and new rigs apply to running
//! agents too. A client's settings get as much of the list as the client's own rules can express.

use std::path::{Path, PathBuf};

use gt_model::address::Address;
use gt_model::guard::permit::{Files, Grants, Pattern};
use gt_world::Disk;

use super::launch::rig_commands;
use crate::town::error::{Error, Result};
use crate::town::settings;
use crate::town::{Rig, Town};

/// Returns the grants of the agent at an address, from the present settings.
pub fn of(town: &Town, address: &Address) -> Result<Grants> {
    match address.rig() {
        Some(rig) => Ok(of_rig(&town.rig(rig.as_str())?)),
        None => of_mayor(town),
    }
}

/// Returns the grants of a rig's agents.
pub fn of_rig(rig: &Rig) -> Grants {
    let settings = &rig.settings;
    Grants::of(rig_commands(settings), patterns(&settings.allow), vec![rig.layout.mayor_worktree()])
}

/// Returns the mayor's grants: it may read each rig's code.
fn of_mayor(town: &Town) -> Result<Grants> {
    let rows = town.ledger.read(|view| view.rigs().map_err(Error::from))?;
    let reads = rows.iter().map(|row| town.layout.rig(&row.name).mayor_worktree()).collect();
    Ok(Grants::of(Vec::new(), patterns(&settings::current(town).mayor.allow), reads))
}

/// Parses patterns. An invalid one grants nothing; `gt doctor` reports it.
fn patterns(allow: &[String]) -> Vec<Pattern> {
    allow.iter().filter_map(|text| Pattern::parse(text).ok()).collect()
}

/// Files as they are on this machine.
pub struct OnDisk<'w>(pub &'w dyn Disk);

/// Maximum number of parent folders that are searched.
const MAX_ABOVE: usize = 64;

impl Files for OnDisk<'_> {
    /// Resolves links. Where the path does not exist yet, resolves the part of it that does.
    fn real(&self, path: &Path) -> PathBuf {
        for there in path.ancestors().take(MAX_ABOVE) {
            if let Ok(real) = self.0.real_path(there) {
                let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
                return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
            }
        }
        path.to_owned()
    }

    fn is_trap(&self, folder: &Path) -> bool {
        for folder in folder.ancestors().take(MAX_ABOVE) {
            if self.0.exists(&folder.join(".git")) {
                return false;
            }
            if ["HEAD", "objects", "refs"].iter().all(|part| self.0.exists(&folder.join(part))) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gt_model::guard::permit::{Permit, permit};
    use gt_model::guard::{Place, Role, ToolCall, Verdict, judge};
    use serde_json::json;

    use super::*;

    struct Plain;

    impl Files for Plain {
        fn real(&self, path: &Path) -> PathBuf {
            path.to_owned()
        }
        fn is_trap(&self, _: &Path) -> bool {
            false
        }
    }

    fn files(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !["tests", "world"].contains(&name.as_str()) {
                files(&path, ends, found);
            } else if ends.iter().any(|end| name.ends_with(end)) && !name.contains("tests") {
                found.push(path);
            }
        }
    }

    /// Collects texts that agents read: formulas, first prompts, answers of hooks, refusals, errors with their hints.
    fn texts() -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        files(&root.join("formulas"), &[".toml"], &mut found);
        files(&root.join("src"), &[".rs", ".md"], &mut found);
        files(&root.join("../gt-model/src/guard"), &[".rs"], &mut found);
        files(&root.join("../gt-model/src/moment"), &[".rs"], &mut found);
        files(&root.join("../gt-model/src/clients"), &[".rs"], &mut found);
        files(&root.join("../gt/src/commands"), &[".rs"], &mut found);
        let is_test = |line: &str| line.trim_start().starts_with("#[cfg(test)]");
        let is_comment = |line: &&str| !line.trim_start().starts_with("//");
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().take_while(|line| !is_test(line)).filter(is_comment);
            lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ").replace("\\\"", "\"")
        };
        found.iter().map(read).collect()
    }

    /// Verbs of git that agents type; in prose, other words follow "git".
    const VERBS: &[&str] = &[
        "add",
        "commit",
        "diff",
        "log",
        "status",
        "show",
        "restore",
        "rebase",
        "merge",
        "checkout",
        "reset",
        "stash",
        "cherry-pick",
        "revert",
        "switch",
        "blame",
        "fetch",
        "push",
        "pull",
        "branch",
        "mv",
        "rm",
        "am",
        "apply",
        "clean",
    ];

    /// Collects the commands that a text tells its reader to type, with placeholders filled in.
    fn commands(text: &str) -> BTreeSet<String> {
        let mut commands = BTreeSet::new();
        for program in ["gt", "bd", "git"] {
            let needle = format!("{program} ");
            for (at, _) in text.match_indices(&needle) {
                let before = text[..at].chars().next_back().unwrap_or(' ');
                let rest = &text[at + needle.len()..];
                let verb: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
                let is_typed = verb.len() > 1 && (program != "git" || VERBS.contains(&verb.as_str()));
                if before.is_alphanumeric() || "/-_.\"".contains(before) && before != '"' || !is_typed {
                    continue;
                }
                let end = rest.find(['`', '\n', ';', ')', ',', '…']).unwrap_or(rest.len());
                let end = rest[..end].find(". ").or(rest[..end].find("\" ")).unwrap_or(end).min(end);
                let typed: String =
                    rest[..end].replace(['<', '>', '{', '}', '|', '[', ']', '"', '\'', '&', '$', '('], "");
                commands.insert(format!("{program} {}", typed.trim().trim_end_matches(['.', ':'])));
            }
        }
        commands
    }

    #[test]
    fn what_our_texts_tell_an_agent_to_type_needs_no_question() {
        let own = PathBuf::from("/town/app/polecats/amber");
        let place = Place {
            town: "/town".into(),
            rig: Some("/town/app".into()),
            cwd: own.clone(),
            own,
            branch: Some("polecat/amber".to_owned()),
            trunk: Some("main".to_owned()),
            ..Place::default()
        };
        let grants = Grants::of(Vec::new(), Vec::new(), Vec::new());
        let all: BTreeSet<String> = texts().iter().flat_map(|text| commands(text)).collect();
        for known in ["gt rig fetch", "gt prime", "git rebase", "git status", "gt rig gates run"] {
            assert!(all.iter().any(|command| command.starts_with(known)), "{known} is in no text: {all:#?}");
        }
        let asked: Vec<&String> = all
            .iter()
            .filter(|command| {
                let call = ToolCall { tool: "Bash".to_owned(), input: json!({ "command": command }) };
                // No text tells an agent to type a refused command: it names one only as forbidden, or for a person.
                let is_refused = judge(Role::Polecat, &call, &place) != Verdict::Allowed;
                !is_refused && permit(Role::Polecat, &call, &place, &grants, &Plain) != Permit::Granted
            })
            .collect();
        assert!(asked.is_empty(), "an agent would have to ask for: {asked:#?}");
        assert!(all.len() > 100, "{all:#?}");
    }
}
