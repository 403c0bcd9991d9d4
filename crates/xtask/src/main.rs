//! Checks and generators for developers: `cargo xtask <verb>`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a developer's tool that runs cargo and gt, and is no part of either"
)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod e2e;
mod fake_model;
mod licences;
mod picture;
mod rigs;
mod soak;

/// Checks and generators for developers of Gas Town.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run something again and again, and say how often it was green
    Soak {
        /// Test to repeat
        #[command(subcommand)]
        what: Soak,
    },
    /// Measure, each time beside what a person would do by hand; docs/benchmarks.md has the method
    Bench(bench::Args),
    /// Run real coding clients against a fake model, on loopback only; docs/agents.md says what was seen
    E2e(e2e::Args),
    /// Serve a script as a model would, at 127.0.0.1, until killed
    FakeModel(fake_model::Args),
    /// Write a row of each line of standard input: what `bench ledger` compares with
    #[command(hide = true)]
    PlainWriter {
        /// The database
        file: std::path::PathBuf,
    },
    /// Add real repositories as rigs, each in a town of its own, and print what was found and what was red; docs/ecosystems.md
    Rigs(rigs::Args),
    /// Run the demo, and draw what it prints for the README
    Picture(picture::Args),
    /// Check that every dependency's licence is one of those that we allow
    Licences,
}

#[derive(Debug, Subcommand)]
enum Soak {
    /// `gt demo`, with another seed each time
    Demo {
        /// How often
        #[arg(long, default_value_t = 5)]
        runs: u64,
        /// The first seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Workers at once; otherwise 4, 2, 3 in turn
        #[arg(long)]
        polecats: Option<u32>,
        /// Runtime of sessions: headless, tmux, auto
        #[arg(long, default_value = "headless")]
        runtime: String,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Soak { what: Soak::Demo { runs, seed, polecats, runtime } } => soak::demo(runs, seed, polecats, &runtime),
        Verb::Bench(args) => bench::run(&args),
        Verb::E2e(args) => e2e::run(&args),
        Verb::FakeModel(args) => fake_model::serve(&args),
        Verb::PlainWriter { file } => bench::plain::write(&file),
        Verb::Picture(args) => picture::write(&args),
        Verb::Rigs(args) => rigs::run(&args).map_err(|error| error.to_string()),
        Verb::Licences => licences::check(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
