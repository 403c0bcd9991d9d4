//! Verbs that move beads into the ledger and out of it: `import` and `export`.

use std::path::{Path, PathBuf};

use gt_town::Error;
use gt_town::sync::port::{self, ExportFilter, ImportOptions, Imported};
use serde_json::json;

use super::prefix_of;
use crate::commands::sync::{nul_line, renamed_lines};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Reads what to import: a file, standard input, or the file beside the ledger where neither is given.
fn imported(file: Option<PathBuf>, context: &Context<'_>) -> Result<Vec<u8>, CliError> {
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

/// Runs `import`.
pub fn import(
    file: Option<PathBuf>,
    options: ImportOptions,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let text = imported(file, context)?;
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

/// Runs `export`.
pub fn export(
    rig: Option<&str>,
    output: Option<&Path>,
    wisps: bool,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let what = ExportFilter { prefixes: prefix_of(context, rig)?.into_iter().collect(), wisps };
    let (text, left_out) = context.town.ledger.read(|view| {
        let left_out = if wisps { 0 } else { view.count_wisps(&what.prefixes)? };
        Ok::<_, Error>((port::export(view, &what)?, left_out))
    })?;
    if left_out > 0 {
        console.note(&format!("{left_out} ephemeral beads (wisps) are left out: --wisps writes them too"))?;
    }
    let Some(output) = output.filter(|path| path.as_os_str() != "-") else {
        let text = console.json(&text);
        console.out().write_all(text.as_bytes())?;
        return Ok(0);
    };
    let path = context.process.cwd.join(output);
    let disk = context.town.world().disk();
    // Writes through a link, which stays a link.
    let file = if disk.exists(&path) { disk.real_path(&path).map_err(Error::from)? } else { path.clone() };
    disk.write(&file, text.as_bytes()).map_err(Error::from)?;
    console.say(&format!("{} lines written to {}", text.lines().count(), path.display()))?;
    Ok(0)
}
