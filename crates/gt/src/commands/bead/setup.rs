//! Verbs that tell people and coding agents how to work with beads: `prime`, `quickstart`, `setup`.

use gt_town::town::memory;
use serde_json::json;

use super::open;
use crate::Process;
use crate::cli::{BeadFlags, Global, SetupClient};
use crate::console::{Console, printable};
use crate::error::CliResult;

/// Runs `prime`: prints how to work here, and what is remembered. Without a ledger nothing is remembered.
pub fn prime(
    full: bool,
    flags: &BeadFlags,
    global: &Global,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    console.line(PRIME)?;
    if full {
        console.line(PRIME_FULL)?;
    }
    let remembered = match open(flags, global, process) {
        Ok(context) => context.town.ledger.read(memory::all)?,
        Err(_) => return Ok(0),
    };
    if !remembered.is_empty() {
        console.line("\nWhat was remembered:")?;
    }
    for (key, text) in &remembered {
        console.line(&format!("- [{}] {}", printable(key), printable(text)))?;
    }
    Ok(0)
}

const PRIME: &str = "\
# Beads: the work that is to be done here

- `bd ready` lists what can be worked on now; `bd show <id>` says what one is about.
- `bd update <id> --claim` takes one: it is yours, or you are told whose it is.
- `bd create \"Title\" -t bug -p 1 -d \"What and why\"` makes one; `--deps discovered-from:<id>` says what it came from.
- `bd dep add <id> <other>` makes one wait for another; `bd blocked` lists what waits.
- `bd note <id> \"…\"` keeps what you found; `bd comment <id> \"…\"` remarks.
- `bd close <id> --reason \"…\" --suggest-next` when it is done. Nothing else is to be saved: every change is kept at once.";

const PRIME_FULL: &str = "
## Quality

- `bd lint` names beads whose texts lack what their kind needs; `bd doctor` checks the ledger, `bd dep cycles` its graph.
- `bd search`, before you make one: another may say the same. `bd duplicate <id> --of <other>` closes one of the two.

## In the course of time

- `bd defer <id> --until +2d` puts one off, `bd undefer` takes that back; `bd supersede <old> --with <new>` replaces one.
- `bd stale` lists what nobody has touched for long; `bd epic close-eligible` closes epics whose parts are done.
- `bd remember \"…\"` keeps something for every session to come: conventions, traps. `bd memories`, `bd forget <key>`.";

/// Runs `quickstart`.
pub fn quickstart(console: &mut Console<'_>) -> CliResult {
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
  bd update <id> --claim               takes one
  bd show <id>                         says all there is to say of it
  bd close <id> --reason \"…\"           closes it; what waited for it is ready now

Look
  bd list, bd blocked, bd stats        all, what waits for which, numbers
  bd dep tree <id>                     draws what it depends on

For programs every verb takes --json. For a coding agent: bd setup claude, codex or cursor.
Every change is kept at once, in one file; bd export -o .beads/issues.jsonl writes the beads for git.
Coming from the Go bd: docs/ledger.md says what differs.";

/// Text for an agent in a project's own file.
const SECTION: &str = "\
## Tasks

This project keeps its tasks as beads. Run `bd prime` before you begin, and follow it. Do not keep lists of tasks in files.";

struct Place {
    client: SetupClient,
    name: &'static str,
    /// File that the client reads, which the project has in git.
    file: &'static str,
    /// Beginning of the file.
    head: &'static str,
}

const PLACES: &[Place] = &[
    Place { client: SetupClient::Claude, name: "claude", file: "CLAUDE.md", head: "" },
    Place { client: SetupClient::Codex, name: "codex", file: "AGENTS.md", head: "" },
    Place {
        client: SetupClient::Cursor,
        name: "cursor",
        file: ".cursor/rules/beads.mdc",
        head: "---\nalwaysApply: true\n---\n",
    },
];

/// Runs `setup`. Writes nothing, since the files belong to the project and are in its git.
pub fn setup(client: Option<SetupClient>, print: bool, console: &mut Console<'_>) -> CliResult {
    let Some(place) = PLACES.iter().find(|place| Some(place.client) == client) else {
        if console.is_json() {
            return console.document(&json!({ "clients": PLACES.iter().map(|p| p.name).collect::<Vec<_>>() }));
        }
        for place in PLACES {
            console.line(&format!("{:<8} {}", place.name, place.file))?;
        }
        return Ok(0);
    };
    let text = format!("{}{SECTION}", place.head);
    if console.is_json() {
        return console.document(&json!({ "client": place.name, "file": place.file, "text": text, "written": false }));
    }
    if print {
        console.line(&text)?;
        return Ok(0);
    }
    let (name, file) = (place.name, place.file);
    let folder = file.rsplit_once('/').map(|(folder, _)| format!("mkdir -p {folder} && ")).unwrap_or_default();
    console.line(&format!(
        "Nothing was written: {file} belongs to the project. This is what goes there:\n\n{text}\n\n\
         To put it there: {folder}bd setup {name} --print >> {file}"
    ))?;
    Ok(0)
}
