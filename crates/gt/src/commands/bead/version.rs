//! `gt bead version`.

use clap::Args;
use serde_json::json;

use crate::console::Console;
use crate::error::CliResult;

/// Print which version of `bd` this is, and which gt
#[derive(Debug, Args)]
pub struct VersionArgs;

/// Version of Go `bd` whose command line this is.
pub const LEVEL: &str = "1.0.4";

/// Runs `gt bead version`.
pub fn version(_args: &VersionArgs, console: &mut Console<'_>) -> CliResult {
    let own = format!("gt {}", env!("CARGO_PKG_VERSION"));
    if console.is_json() {
        return console.document(&json!({ "version": LEVEL, "build": own }));
    }
    console.line(&format!("bd version {LEVEL} ({own})"))?;
    Ok(0)
}
