//! The fake model server as a separate process.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use gt_testkit::fake_model::{FakeModel, Script};

/// Flags of `fake-model`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// The script, in JSON; otherwise every answer is a short text
    #[arg(long)]
    script: Option<PathBuf>,
    /// The port; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Append each request to this file, a line of JSON each
    #[arg(long)]
    log: Option<PathBuf>,
}

/// Prints the base URL, and serves until killed.
pub fn serve(args: &Args) -> Result<(), String> {
    let script = args.script.as_ref().map(|file| {
        let json = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        Script::parse(&json).map_err(|e| format!("{}: {e}", file.display()))
    });
    let script = script.transpose()?.unwrap_or_default();
    let fake = FakeModel::start(script, args.port, args.log.as_deref()).map_err(|e| e.to_string())?;
    println!("{}", fake.url());
    loop {
        std::thread::park();
    }
}
