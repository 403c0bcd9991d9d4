//! `gt formula import`.

use std::path::{Path, PathBuf};

use clap::Args;
use gt_model::formula::{Finding, import as convert};
use gt_town::Error;
use gt_town::town::person;
use serde_json::json;

use super::{has_error, say_findings};
use crate::console::{Console, printable};
use crate::context::{Context, absolute};
use crate::error::{CliError, CliResult};

/// Convert formulas of beads and the Go Gas Town into files of this town
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A file (*.formula.toml, *.formula.json) or a folder of such files
    path: PathBuf,
    /// Write over formulas that are there
    #[arg(long)]
    force: bool,
}

/// Maximum number of files that are converted at once.
const FILES: usize = 500;

/// Outcome for one file.
struct Outcome {
    file: String,
    /// File that was written.
    written: Option<String>,
    findings: Vec<Finding>,
    /// Why it was not written although the formula is sound.
    kept: Option<String>,
}

/// Runs `gt formula import`.
pub fn import(args: &ImportArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    person::require(&context.caller, "imports formulas")?;
    let files = files(context, &absolute(context.process, &args.path))?;
    let outcomes = files.iter().map(|file| one(context, file, args.force)).collect::<Result<Vec<_>, _>>()?;
    let all_written = outcomes.iter().all(|outcome| outcome.written.is_some());
    if console.is_json() {
        let facts = outcomes
            .iter()
            .map(|one| json!({ "file": one.file, "written": one.written, "findings": one.findings, "kept": one.kept }));
        console.facts("gt.formula-import/1", "files", facts.collect::<Vec<_>>())?;
        return Ok(u8::from(!all_written));
    }
    for outcome in &outcomes {
        let is_bad = say_findings(&outcome.findings, console)?;
        let file = printable(&outcome.file);
        match (&outcome.written, &outcome.kept) {
            (Some(written), _) => console.say(&format!("{file}: written to {}", printable(written)))?,
            (None, Some(why)) => console.say(&format!("{file}: not written: {why}"))?,
            (None, None) if is_bad => console.say(&format!("{file}: not written: it would not mean the same here"))?,
            (None, None) => {}
        }
    }
    Ok(u8::from(!all_written))
}

/// Returns the file, or the formulas of the folder.
fn files(context: &Context<'_>, path: &Path) -> Result<Vec<PathBuf>, CliError> {
    let disk = context.town.world().disk();
    let names = disk.list_own(path).unwrap_or_default();
    let is_formula = |name: &&String| name.ends_with(".formula.toml") || name.ends_with(".formula.json");
    let files: Vec<PathBuf> = names.iter().filter(is_formula).take(FILES).map(|name| path.join(name)).collect();
    if !files.is_empty() {
        return Ok(files);
    }
    if names.is_empty() {
        return Ok(vec![path.to_owned()]);
    }
    let hint = "their names end with .formula.toml or .formula.json".to_owned();
    Err(CliError::Failed { what: format!("{} has no formulas", path.display()), hint })
}

fn one(context: &Context<'_>, path: &Path, force: bool) -> Result<Outcome, CliError> {
    let disk = context.town.world().disk();
    let file = path.display().to_string();
    let bytes = disk.read_own(path).map_err(Error::from)?;
    let bytes = bytes.ok_or_else(|| Error::Unknown { what: "file", name: file.clone() })?;
    let imported = match convert(&file, &String::from_utf8_lossy(&bytes)) {
        Ok(imported) => imported,
        Err(error) => return Ok(Outcome { file, written: None, findings: error.0, kept: None }),
    };
    debug_assert!(!has_error(&imported.findings));
    let (findings, name) = (imported.findings, imported.name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.starts_with('.') || !name.chars().all(is_plain) {
        let kept = Some(format!("`{}` can't be the name of a file", printable(&name)));
        return Ok(Outcome { file, written: None, findings, kept });
    }
    let to = context.town.layout.formulas().join(format!("{name}.toml"));
    if disk.exists(&to) && !force {
        let kept = Some(format!("{} is there: --force writes over it", to.display()));
        return Ok(Outcome { file, written: None, findings, kept });
    }
    disk.write(&to, imported.text.as_bytes()).map_err(Error::from)?;
    Ok(Outcome { file, written: Some(to.display().to_string()), findings, kept: None })
}
