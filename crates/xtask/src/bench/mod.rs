//! Benchmarks: temporary towns, measured beside what a person would do by hand in the same run.

use clap::{Args as ClapArgs, ValueEnum};

mod claude;
mod formula;
mod idle;
mod ledger;
mod machine;
mod past;
pub mod plain;
mod recovery;
mod report;
mod sling;
mod town;
mod verbs;

use report::Report;
pub use town::{finish, path, text};

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Verbs that agents say often, beside the smallest process there is
    Verbs,
    /// First local effect of a sling to its session, beside `git worktree add` and a session by hand
    Sling,
    /// Death of a worker, and of everything, to the next start
    Recovery,
    /// What a town without work costs
    Idle,
    /// Beads: verbs, import, export and thirty writers, in ledgers of 100 to 100,000
    Ledger,
    /// The real Claude Code and a fake model: a bead by the client alone, and through the town; a mayor that sleeps
    Claude,
    /// Formulas: reading, checking and planning; steps of a molecule a second, with 127, 511 and 1,023 of them
    Formula,
}

/// Flags of `bench`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Benchmark to run
    #[arg(value_enum)]
    what: What,
    /// How often [default: 200 verbs, 20 slings, 10 deaths, 40 verbs of beads, 5 beads by the client]
    #[arg(long)]
    pairs: Option<usize>,
    /// How often everything is killed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// For how many seconds an idle town is watched
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many landed beads a town has behind it: verbs, sling, recovery and idle
    #[arg(long, default_value_t = 0)]
    behind: u32,
    /// This `gt` instead of a release build of this workspace
    #[arg(long)]
    gt: Option<std::path::PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs a benchmark, and prints its result.
pub fn run(args: &Args) -> Result<(), String> {
    if args.what == What::Formula {
        let before = machine::line();
        let rows = formula::measure(args.pairs.unwrap_or(2000).max(1))?;
        return say(args, before, rows);
    }
    let gt = match &args.gt {
        Some(gt) => gt.canonicalize().map_err(|e| format!("{}: {e}", gt.display()))?,
        None => crate::soak::build()?,
    };
    if args.what == What::Claude && crate::e2e::inside().is_none() {
        return claude::enter(args, &gt);
    }
    let pairs = |default: usize| args.pairs.unwrap_or(default).max(1);
    let before = machine::line();
    let rows = match args.what {
        What::Verbs => verbs::measure(&gt, pairs(200), args.behind)?,
        What::Sling => sling::measure(&gt, pairs(20), args.behind)?,
        What::Recovery => recovery::measure(&gt, pairs(10), args.rounds, args.behind)?,
        What::Idle => idle::measure(&gt, args.seconds, args.behind)?,
        What::Ledger => ledger::measure(&gt, pairs(40))?,
        What::Claude => claude::measure(&gt, pairs(5), args.seconds)?,
        What::Formula => Vec::new(),
    };
    say(args, before, rows)
}

fn say(args: &Args, machine: String, rows: Vec<report::Row>) -> Result<(), String> {
    let report = Report { what: format!("{:?}", args.what).to_lowercase(), machine, rows };
    println!("{}", if args.json { report.json() } else { report.text() });
    Ok(())
}
