//! Verbs of the Go `bd` that have no use here: explains why, and what to type instead.
//!
//! A script may go on after a verb that only maintains `bd`'s database. It must stop after a verb whose result it would use.

use std::ffi::OsString;

use clap::error::ErrorKind;
use serde_json::json;

use crate::console::Console;
use crate::error::{CliError, CliResult};

/// A verb that gt does not have.
struct Absent {
    verb: &'static str,
    why: &'static str,
    instead: &'static str,
    /// Whether a script may go on, since it loses nothing.
    is_harmless: bool,
}

const fn nothing_to_do(verb: &'static str, why: &'static str, instead: &'static str) -> Absent {
    Absent { verb, why, instead, is_harmless: true }
}

const fn not_here(verb: &'static str, why: &'static str, instead: &'static str) -> Absent {
    Absent { verb, why, instead, is_harmless: false }
}

const KEPT: &str = "every change is in the ledger at once, and there is no server to sync with";
const SHARE: &str = "`gt sync` shares a town's ledger; `bd export -o .beads/issues.jsonl` writes the file for git";
const COPY: &str = "`gt ledger backup` copies the ledger while others write";
const STEPS: &str = "workers follow molecules of a town";
const TRACKER: &str = "gt exchanges nothing with other trackers";
const SAME: &str = "another verb does that";
const BY_FILE: &str = "`bd export` and `bd import` exchange JSONL";

const ABSENT: &[Absent] = &[
    nothing_to_do("sync", KEPT, SHARE),
    nothing_to_do("dolt", KEPT, SHARE),
    nothing_to_do("vc", KEPT, "`bd history <id>` shows the changes of a bead"),
    nothing_to_do("branch", KEPT, "`bd history <id>` shows the changes of a bead"),
    nothing_to_do("federation", KEPT, SHARE),
    nothing_to_do("repo", KEPT, SHARE),
    nothing_to_do("daemon", KEPT, "`gt up` starts the daemon of a town"),
    nothing_to_do("daemons", KEPT, "`gt up` starts the daemon of a town"),
    nothing_to_do("hooks", "git hooks have nothing to do, since beads are not in commits", SHARE),
    nothing_to_do("hook", "git hooks have nothing to do, since beads are not in commits", SHARE),
    nothing_to_do("backup", "the ledger is one file", COPY),
    nothing_to_do("gc", "nothing is left over", "`gt ledger vacuum` frees unused space"),
    nothing_to_do("compact", "nothing is shortened", "`gt ledger vacuum` frees unused space"),
    nothing_to_do("flatten", "there are no commits to flatten", "`gt ledger vacuum` frees unused space"),
    nothing_to_do("cleanup", "nothing is left over", "`bd delete <id>` deletes a bead"),
    nothing_to_do(
        "upgrade",
        "`bd` is a part of gt, and is brought up to date with it",
        "`bd version` says which it is",
    ),
    nothing_to_do("onboard", "nothing is written into your project", "`bd setup <client>` prints what to put where"),
    nothing_to_do("bootstrap", "a ledger is made by one verb", "`bd init`"),
    nothing_to_do("audit", "the ledger records each change by itself", "`bd history <id>`"),
    nothing_to_do("preflight", "what must pass is a setting of the rig", "`gt rig gates list <rig>`"),
    nothing_to_do("thanks", "the Go `bd` thanks those who made it", "https://github.com/steveyegge/beads"),
    not_here("mol", STEPS, "`gt mol`: `gt mol status <bead>` shows where one is"),
    not_here("pour", STEPS, "`gt mol pour <formula> --var <name>=<value>`"),
    not_here("wisp", STEPS, "`gt mol pour <formula> --ephemeral`"),
    not_here("formula", STEPS, "`gt formula`: `gt formula list`"),
    not_here("cook", STEPS, "`gt formula plan <formula> --var <name>=<value>` prints what would be poured"),
    not_here("swarm", STEPS, "`gt convoy` groups beads that land together"),
    not_here(
        "gate",
        "steps of molecules have gates, beads have none",
        "`gt step gate open <molecule>/<step>`; `bd dep add <id> <other>` makes one bead wait for another",
    ),
    not_here("merge-slot", "merges take turns by themselves", "`gt mq list` shows the queue"),
    not_here("mail", "mail belongs to towns", "`gt mail`"),
    not_here("human", "what needs a person is shown by the town", "`gt status`"),
    not_here("sql", "the ledger's tables are not an interface", "`bd query`, or `bd export`"),
    not_here("graph", "one verb draws every graph", "`bd dep tree <id>`, with --mermaid as a flowchart"),
    not_here("diff", "the ledger has no commits", "`bd history <id>`"),
    not_here("restore", "a copy of the ledger is put back as a whole", "`gt ledger restore <file>`"),
    not_here("worktree", "worktrees of a town are made by it", "`gt sling <bead>`, or `git worktree add`"),
    not_here("rename", "an id never changes", "`bd create` and `bd supersede <old> --with <new>`"),
    not_here("rename-prefix", "an id never changes", "`bd config set issue_prefix <new>` is for new beads"),
    not_here("assign", SAME, "`bd update <id> --assignee <name>`"),
    not_here("priority", SAME, "`bd update <id> --priority <0 to 4>`"),
    not_here("tag", SAME, "`bd label add <id> <label>`"),
    not_here("link", SAME, "`bd dep add <id> <other> --type related`"),
    not_here("children", SAME, "`bd list --parent <id>`"),
    not_here("todo", SAME, "`bd create \"Title\"`, `bd list --type task`"),
    not_here("batch", "several beads are made at once by one verb", "`bd create --graph <plan>`, or `--file <list>`"),
    not_here("duplicates", "the doctor names beads that say the same", "`bd doctor --check=validate`"),
    not_here("find-duplicates", "the doctor names beads that say the same", "`bd doctor --check=validate`"),
    not_here("orphans", "commits are not searched for ids", "`bd repair-deps`, for dependencies on what is not there"),
    not_here("kv", SAME, "`bd config set <key> <value>`"),
    not_here("state", "a state is a label", "`bd label list <id>`"),
    not_here("set-state", "a state is a label", "`bd label add <id> <name>:<value>`"),
    not_here("prune", "what is deleted leaves a tombstone", "`bd delete <id>`"),
    not_here("purge", "what is deleted leaves a tombstone", "`bd delete <id>`"),
    not_here("promote", "an ephemeral bead stays one", "`bd create` makes one that is kept"),
    not_here("template", "templates belong to towns", "`gt formula list`"),
    not_here("ship", "nothing waits for other projects here", "`bd close <id>`"),
    not_here("rules", "rules for agents are the client's", "`bd setup <client>`"),
    not_here("admin", "the ledger as a file has verbs of its own", "`gt ledger`"),
    not_here("context", SAME, "`bd where`"),
    not_here("completion", SAME, "`gt completions <shell>`"),
    not_here("jira", TRACKER, BY_FILE),
    not_here("linear", TRACKER, BY_FILE),
    not_here("github", TRACKER, BY_FILE),
    not_here("gitlab", TRACKER, BY_FILE),
    not_here("ado", TRACKER, BY_FILE),
    not_here("notion", TRACKER, BY_FILE),
];

/// Answers a call of a verb that the grammar does not know, if the Go `bd` has it.
pub fn answer(args: &[OsString], error: &clap::Error, console: &mut Console<'_>) -> Option<CliResult> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let verb = args.get(1)?.to_str()?;
    let absent = ABSENT.iter().find(|absent| absent.verb == verb)?;
    let what = format!("bd {verb}: {}", absent.why);
    if !absent.is_harmless {
        return Some(Err(CliError::Failed { what, hint: absent.instead.to_owned() }));
    }
    Some(if console.is_json() {
        console.document(&json!({ "status": "nothing_to_do", "message": what, "instead": absent.instead }))
    } else {
        console.line(&format!("{what}; {}", absent.instead)).map(|()| 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_name_every_verb_that_is_not_here() {
        let docs = include_str!("../../../../../docs/ledger.md");
        for absent in ABSENT {
            assert!(docs.contains(&format!("`{}`", absent.verb)), "docs/ledger.md does not name `{}`", absent.verb);
        }
    }
}
