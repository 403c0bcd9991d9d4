//! `gt demo verify`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::Process;
use crate::console::Console;
use crate::context::absolute;
use crate::demo::verify::{self, Report};
use crate::error::{CliError, CliResult};

/// Check a finished demo from the outside: git, the process table, the ledger read-only
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The demo's folder
    dir: PathBuf,
}

/// Runs `gt demo verify`.
pub fn verify(args: &VerifyArgs, process: &Process, console: &mut Console<'_>) -> CliResult {
    say_report(&verify_folder(&absolute(process, &args.dir))?, None, console)
}

/// Checks the demo in a folder.
pub fn verify_folder(folder: &Path) -> Result<Report, CliError> {
    verify::verify(folder).map_err(|error| CliError::Failed {
        what: error.to_string(),
        hint: "gt demo --keep makes one and keeps it".to_owned(),
    })
}

/// Prints the checks, and how long the demo took.
pub fn say_report(report: &Report, took: Option<Duration>, console: &mut Console<'_>) -> CliResult {
    let code = u8::from(!report.passed());
    if console.is_json() {
        let seconds = took.map(|took| took.as_secs_f64());
        console.document(&json!({
            "schema": "gt.demo/1", "passed": report.passed(), "seconds": seconds, "checks": report.checks,
        }))?;
        return Ok(code);
    }
    for check in &report.checks {
        let mark = if check.ok { console.green("ok  ") } else { console.red("FAIL") };
        console.line(&format!("{mark}  {}: {}", check.name, check.detail))?;
    }
    if let Some(took) = took {
        console.line(&format!("the convoy landed after {:.1} s", took.as_secs_f64()))?;
    }
    Ok(code)
}
