//! `gt bead quickstart`.

use clap::Args;
use serde_json::json;

use crate::console::Console;
use crate::error::CliResult;

/// Print the first steps, for people
#[derive(Debug, Args)]
pub struct QuickstartArgs;

/// Runs `gt bead quickstart`.
pub fn quickstart(_args: &QuickstartArgs, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.document(&json!({ "text": QUICKSTART }));
    }
    console.line(QUICKSTART)?;
    Ok(0)
}

const QUICKSTART: &str = "\
Beads: Dependency-Aware Tasks for People and Agents

Begin
  bd init                              makes a ledger in this folder's .beads; --prefix app for ids like app-3f2
  bd create \"Log in with a code\"       makes a bead; -t bug -p 1 -d \"What and why\" says more of it
  bd create \"Test it\" --deps <id>      makes one that waits for another

Work
  bd ready                             lists what can be worked on now
  bd update <id> --claim               claims one
  bd show <id>                         shows it in full
  bd close <id> --reason \"…\"           closes it; what waited for it is ready now

Look
  bd list, bd blocked, bd stats        all, what waits for which, numbers
  bd dep tree <id>                     draws what it depends on

For programs every verb takes --json. For a coding agent: bd setup claude, codex or cursor.
Every change is stored at once, in one file; bd export -o .beads/issues.jsonl writes the beads for git.
Coming from the Go bd: docs/ledger.md says what differs.";
