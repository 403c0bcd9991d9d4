//! `gt sim-worker`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::Process;
use crate::error::{CliError, CliResult};

/// Play a script instead of thinking
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct SimWorkerArgs {
    /// The script [default: $GT_SIM_SCRIPT]
    #[arg(long)]
    script: Option<PathBuf>,
    /// The folder of the workers' marks [default: $GT_SIM_PLAY_DIR]
    #[arg(long)]
    play_dir: Option<PathBuf>,
}

/// Runs `gt sim-worker`.
pub fn sim_worker(args: &SimWorkerArgs, process: &Process) -> CliResult {
    let env = |name: &str| process.env.get(name).map(OsString::from);
    let Some(args) = crate::sim::process::PlayArgs::resolve(args.script.clone(), args.play_dir.clone(), env) else {
        let what = "no script given".to_owned();
        return Err(CliError::Usage { what, hint: "--script <file>, or GT_SIM_SCRIPT".to_owned() });
    };
    Ok(crate::sim::process::play(&args))
}
