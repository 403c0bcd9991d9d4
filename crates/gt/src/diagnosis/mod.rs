//! Diagnosis: logs the engine's `tracing` events. The daemons always log. A verb logs only where a person asks for it, by
//! `GT_LOG` or `--log-level`. Without either there is no subscriber, and an event costs one comparison.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::str::FromStr as _;

use clap::CommandFactory as _;
use gt_town::town::layout::Layout;
use gt_world::LOG_VARIABLE;
use tracing::{Level, Span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::Process;
use crate::cli::{Bd, Cli, Global};
use crate::commands::Verb;
use crate::context::find_town;
use crate::error::{CliError, CliResult};

mod line;
mod log;
mod show;

pub use line::{Line, words};
pub use log::{Log, rotated};
pub use show::{Wanted, show_logs};

use line::Lines;

/// Default log level of the daemons.
const DAEMONS_LEVEL: Level = Level::INFO;

/// Parses a level, or targets with levels (`info,gt_town=debug`), as in `GT_LOG` and `--log-level`.
pub fn parse_level(text: &str) -> Result<String, String> {
    let read = Targets::from_str(text).map_err(|error| error.to_string());
    read.map(|_| text.to_owned())
        .map_err(|why| format!("{why}; one of error, warn, info, debug, trace, or target=level,…"))
}

/// Returns the level that this call asks for, if any.
pub fn level<'a>(global: &'a Global, process: &'a Process) -> Option<&'a str> {
    let said = global.log_level.as_ref().or_else(|| process.env.get(LOG_VARIABLE));
    said.map(String::as_str).filter(|level| !level.is_empty())
}

/// Starts to log this call, where that is wanted. Returns its span. Leaves the arguments out, since they may hold anything.
pub fn begin(cli: &Cli, args: &[OsString], is_bd: bool, process: &Process) -> Span {
    if process.town.is_none() {
        match cli.verb {
            Verb::Deacon(_) => of_daemon("deacon", &cli.global, process),
            Verb::Boot(_) => of_daemon("boot", &cli.global, process),
            _ => of_verb(&cli.global, process),
        }
    }
    tracing::error_span!("verb", verb = verb(args, is_bd))
}

/// Logs how a verb ended.
pub fn ended(result: CliResult) -> CliResult {
    match &result {
        Ok(code) => tracing::debug!(code, "the verb has ended"),
        Err(CliError::Closed) => {}
        Err(error) => tracing::error!(error = error as &(dyn std::error::Error + 'static), "the verb failed"),
    }
    result
}

/// Returns the verb among the arguments, and no other argument.
fn verb(args: &[OsString], is_bd: bool) -> String {
    let mut grammar = if is_bd { Bd::command() } else { Cli::command() };
    grammar.build();
    let (mut names, mut at) = (vec![grammar.get_name().to_owned()], &grammar);
    for verb in args.iter().skip(1) {
        if let Some(next) = at.find_subcommand(verb) {
            names.push(next.get_name().to_owned());
            at = next;
        }
    }
    names.join(" ")
}

/// Logs what a verb does, where that is wanted: to the error output and, in a town, to its log of verbs.
fn of_verb(global: &Global, process: &Process) {
    let Some(level) = level(global, process) else { return };
    let Ok(targets) = Targets::from_str(level) else {
        // If this fails, no output is left on which to report it.
        let _ =
            writeln!(std::io::stderr(), "warning: {LOG_VARIABLE} names no level that can be read: nothing is logged");
        return;
    };
    install("gt", log_in(global, process, Layout::verbs_log), true, targets);
}

/// Logs what a daemon of a town does, and its panics, since it has no error output.
fn of_daemon(role: &'static str, global: &Global, process: &Process) {
    let said = level(global, process).and_then(|level| Targets::from_str(level).ok());
    let targets = said.unwrap_or_else(|| Targets::new().with_default(DAEMONS_LEVEL));
    install(role, log_in(global, process, Layout::deacon_log), false, targets);
    std::panic::set_hook(Box::new(|panic| tracing::error!(panic = %panic, "a thread panicked")));
}

fn log_in(global: &Global, process: &Process, file: fn(&Layout) -> PathBuf) -> Option<Log> {
    let layout = Layout::new(&find_town(global, process).ok()?);
    let world = process.outside.world.clone();
    world.disk().guard(&layout.root);
    world.disk().exists(&layout.settings()).then(|| Log::new(world, file(&layout)))
}

/// Installs the subscriber. The first one of a process stays, since a simulated worker calls many verbs.
fn install(role: &'static str, log: Option<Log>, to_stderr: bool, targets: Targets) {
    let lines = Lines::new(role, log, to_stderr);
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(targets).with(lines));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_are_read() {
        for text in ["error", "warn", "info", "DEBUG", "trace", "off", "info,gt_town=debug", "gt_town::effects=trace"] {
            assert_eq!(parse_level(text), Ok(text.to_owned()));
        }
        for text in ["gt_town=loud", "info,gt=="] {
            assert!(parse_level(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_verb_is_told_without_its_arguments() {
        let args = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(verb(&args("gt --json mail send mayor/ -m secret"), false), "gt mail send");
        assert_eq!(verb(&args("bd create secret"), true), "bd create");
        assert_eq!(verb(&args("gt hook"), false), "gt hook");
    }
}
