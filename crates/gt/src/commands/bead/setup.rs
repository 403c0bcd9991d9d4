//! `gt bead setup`.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::console::Console;
use crate::error::CliResult;

/// Print instructions for a coding agent, and the file where they go; nothing is written
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// The agent's client
    #[arg(required_unless_present = "list")]
    client: Option<SetupClient>,
    /// Print only the text, for example to append it to a file
    #[arg(long)]
    print: bool,
    /// List the clients
    #[arg(long)]
    list: bool,
}

/// Client of coding agents that has instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SetupClient {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// Cursor.
    Cursor,
}

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

/// Runs `gt bead setup`. Writes nothing, since the files belong to the project and are in its git.
pub fn setup(args: &SetupArgs, console: &mut Console<'_>) -> CliResult {
    let client = args.client;
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
    if args.print {
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
