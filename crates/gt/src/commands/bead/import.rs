//! `gt bead import`.

use std::path::PathBuf;

use clap::Args;
use gt_town::Error;
use gt_town::sync::port::{self, ImportOptions, Imported};
use serde_json::json;

use crate::commands::sync::{nul_line, renamed_lines};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Import beads from a JSONL file, and merge them with those in the ledger
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file; `-` for standard input [default: standard input, or .beads/issues.jsonl]
    file: Option<PathBuf>,
    /// The file
    #[arg(long, short, hide = true, conflicts_with = "file")]
    input: Option<PathBuf>,
    /// How.
    #[command(flatten)]
    how: ImportFlags,
}

/// How beads are imported.
#[derive(Clone, Copy, Debug, Args)]
pub struct ImportFlags {
    /// Only say what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Import every valid line even if others can't be read
    #[arg(long)]
    salvage: bool,
    /// Replace a bead here by the version in the file unless that is older, instead of merging the two
    #[arg(long)]
    replace: bool,
}

impl From<ImportFlags> for ImportOptions {
    fn from(flags: ImportFlags) -> Self {
        let ImportFlags { dry_run: rehearse, salvage, replace } = flags;
        Self { salvage, replace, rehearse }
    }
}

/// Reads what to import: a file, standard input, or the file beside the ledger where neither is given.
fn imported(file: Option<&PathBuf>, context: &Context<'_>) -> Result<Vec<u8>, CliError> {
    let beside = context.town.ledger.path().with_file_name("issues.jsonl");
    let path = match file {
        Some(file) if file.as_os_str() == "-" => None,
        Some(file) => Some(context.process.cwd.join(file)),
        None if std::io::IsTerminal::is_terminal(&std::io::stdin()) => Some(beside),
        None => None,
    };
    let Some(path) = path else {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)?;
        return Ok(bytes);
    };
    let read = context.town.world().disk().read_own(&path).map_err(Error::from)?;
    Ok(read.ok_or_else(|| Error::MissingFile(path))?)
}

/// Runs `gt bead import`.
pub fn import(args: &ImportArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let options = ImportOptions::from(args.how);
    let text = imported(args.file.as_ref().or(args.input.as_ref()), context)?;
    let done = port::import(&context.town, &context.caller, &text, options)?;
    say_unread(&done, console)?;
    if console.is_json() {
        return console.document(&json!({
            "schema": "gt.import/1",
            "created": done.added,
            "updated": done.updated,
            "unchanged": done.kept,
            "skipped": done.bad_lines.len(),
            "dry_run": options.rehearse,
            "imported": done,
        }));
    }
    let would = if options.rehearse { "would be: " } else { "" };
    let (added, updated, kept) = (done.added, done.updated, done.kept);
    console.say(&format!("{would}{added} beads added, {updated} updated, {kept} kept as they were"))?;
    say_imported(&done, console)?;
    Ok(0)
}

/// Reports the lines that could not be read, or not as they are.
fn say_unread(done: &Imported, console: &mut Console<'_>) -> Result<(), CliError> {
    for line in &done.bad_lines {
        console.note(&format!("not taken: {}", printable(line)))?;
    }
    for line in &done.nul_lines {
        console.note(&nul_line(&format!("line {line}")))?;
    }
    Ok(())
}

/// Maximum number of values shown of each kind, and maximum characters of one.
const VALUES_SHOWN: usize = 20;

const VALUE_CHARS: usize = 60;

/// Reports what the import kept and replaced in existing beads, and which beads it did not touch.
pub fn say_imported(done: &Imported, console: &mut Console<'_>) -> Result<(), CliError> {
    let short = |text: &str| {
        let shown: String = text.chars().take(VALUE_CHARS).collect();
        let cut = if shown.len() < text.len() { "…" } else { "" };
        if text.is_empty() { "nothing".to_owned() } else { format!("\"{}{cut}\"", printable(&shown)) }
    };
    for (values, is_replaced) in [(&done.replaced_values, true), (&done.kept_values, false)] {
        for value in values.first.iter().take(VALUES_SHOWN) {
            let (kept, lost) = (short(&value.kept), short(&value.lost));
            let what = if is_replaced {
                format!("{lost} was replaced by {kept}")
            } else {
                format!("{kept} was kept; the file says {lost}")
            };
            console.say(&format!("  {} {}: {what}", printable(value.bead.as_str()), printable(&value.key)))?;
        }
        let more = values.count().saturating_sub(VALUES_SHOWN);
        if more > 0 {
            let what = if is_replaced { "replaced" } else { "kept" };
            console.say(&format!("  {more} more values were {what}: --json lists {}", values.first.len()))?;
        }
    }
    for line in renamed_lines(&done.renamed) {
        console.say(&line)?;
    }
    for id in &done.held {
        console.say(&format!("{} is being worked on here: not touched", printable(id.as_str())))?;
    }
    Ok(())
}
