//! The command line of Gas Town: it reads arguments, calls the engine, and prints text or JSON.
//!
//! [`run`] carries out one call of `gt` inside the calling process, so that simulated workers use the same verbs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser};
use gt_model::price::Prices;
use gt_town::agents::clients;
use gt_town::town::settings::AgentPreset;
use gt_town::{BuiltIn, Outside, Town};
use gt_world::World;
use gt_world::faults::Faults;
use gt_world::real::RealWorld;
use serde::de::DeserializeOwned;

mod cli;
mod commands;
pub mod console;
mod context;
pub mod demo;
mod diagnosis;
mod drawing;
mod editor;
pub mod error;
mod pager;
mod progress;
pub mod sim;
mod words;

use cli::{Bd, Cli, Global};
use commands::Verb;
use console::Console;
use error::CliError;

/// Exit code of a failure of gt itself.
pub const EXIT_INTERNAL: u8 = 70;

/// Surroundings of a call of `gt`.
#[derive(Clone)]
pub struct Process {
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Working folder.
    pub cwd: PathBuf,
    /// Access to the outside world, and what else the engine gets.
    pub outside: Outside,
    /// Open town of a simulated world, if any.
    pub town: Option<Rc<Town>>,
}

/// Why a call of `gt` could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The working folder or the path of our own program is not available.
    #[error("the working folder or the path of gt can't be read: {0}")]
    Io(#[from] std::io::Error),
}

impl Process {
    /// Describes this process in the real world.
    pub fn real(
        env: BTreeMap<String, String>,
        cwd: std::io::Result<PathBuf>,
        gt: std::io::Result<PathBuf>,
    ) -> Result<Self, StartError> {
        let gt = gt?;
        let world: Arc<dyn World> = Arc::new(RealWorld::new(gt.clone()));
        let once = env.get("GT_FAULT_ONCE").map(PathBuf::from);
        let faults = env.get("GT_FAULT").map_or_else(Faults::none, |text| Faults::parse(text, once));
        let outside = Outside {
            build: build_of(&gt),
            world,
            env: env.clone(),
            gt,
            presets: presets(),
            prices: prices(),
            entropy: Arc::new(gt_world::real::entropy),
            faults,
        };
        Ok(Self { env, cwd: cwd?, outside, town: None })
    }
}

/// Identifies the build of a gt binary: its version, and what tells one file from another of the same version.
pub fn build_of(gt: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let version = env!("CARGO_PKG_VERSION");
    match std::fs::metadata(gt) {
        Ok(file) => format!("{version}-{}-{}-{}", file.size(), file.mtime(), file.ino()),
        Err(_) => version.to_owned(),
    }
}

/// Returns the kinds of agent that come with the binary.
pub fn presets() -> BuiltIn<BTreeMap<String, AgentPreset>> {
    BuiltIn::new(|| built_in(&(include_str!("presets.toml").to_owned() + &clients::presets())))
}

/// Returns the prices of models' tokens that come with the binary.
pub fn prices() -> BuiltIn<Prices> {
    BuiltIn::new(|| built_in(include_str!("prices.toml")))
}

/// Parses a file built into the binary. It always parses: a test reads it.
fn built_in<T: DeserializeOwned + Default>(text: &str) -> T {
    toml::from_str(text).unwrap_or_default()
}

/// One call of `gt`.
pub struct Invocation<'a> {
    /// All arguments, with the program's name first.
    pub args: Vec<OsString>,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Error output.
    pub err: &'a mut dyn Write,
    /// Whether standard output is a terminal.
    pub terminal: bool,
}

/// Carries out one call of `gt`. Returns its exit code.
pub fn run(invocation: Invocation<'_>, process: &Process) -> u8 {
    let (args, is_bd) = as_gt(invocation.args);
    let json = asks_for_json(&args);
    let mut console = Console::new(invocation.out, invocation.err, invocation.terminal);
    // Clients' hooks call often, with exactly these words: skip building the whole grammar for them.
    if let Some((moment, client)) = commands::moment::words(&args) {
        return commands::moment::call(moment, client, &Global::default(), process, &mut console).unwrap_or(0);
    }
    if is_bd {
        console.speak_as_bd();
        console.frame_as_bd(&process.env);
    }
    // Clap may have to report something before it knows the flags.
    console.configure(&Global { json, ..Global::default() }, process);
    let parsed = if is_bd { parse_bd(&args) } else { parse(&args) };
    if let (true, Err(error)) = (is_bd, &parsed)
        && let Some(answer) = commands::unlike_ours(&args, error, &mut console)
    {
        return code_of(is_bd, answer.unwrap_or_else(|error| console.fail(&error)));
    }
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) if json && error.use_stderr() => return code_of(is_bd, console.fail(&CliError::from(error))),
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayVersion => {
            let said = console.line(&format!("gt {} (build {})", env!("CARGO_PKG_VERSION"), process.outside.build));
            return u8::from(said.is_err());
        }
        Err(error) => return code_of(is_bd, console.usage(&error)),
    };
    console.configure(&cli.global, process);
    let span = diagnosis::begin(&cli, &args, is_bd, process);
    let code = match span.in_scope(|| diagnosis::ended(commands::dispatch(cli, process, &mut console))) {
        Ok(code) => code,
        Err(CliError::Closed) => 0,
        Err(error) => console.fail(&if is_bd { commands::in_bds_words(error) } else { error }),
    };
    code_of(is_bd, code)
}

/// Maps an exit code: tools of `bd` know only 0 and 1.
fn code_of(is_bd: bool, code: u8) -> u8 {
    if is_bd { code.min(1) } else { code }
}

/// Whether `--json` is among the arguments, for arguments that do not parse otherwise.
fn asks_for_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}

/// Returns the arguments, with the help and version words of `bd` translated, and whether gt was called as `bd`.
fn as_gt(mut args: Vec<OsString>) -> (Vec<OsString>, bool) {
    let name = args.first().and_then(|arg| Path::new(arg).file_name());
    if name.is_none_or(|name| name != "bd") {
        return (args, false);
    }
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("--version" | "-V") => args[1] = "version".into(),
        Some("help") => {
            args.remove(1);
            args.push("--help".into());
        }
        _ => {}
    }
    (args, true)
}

/// Parses the arguments by a grammar that is built as a whole.
fn wholly<C: FromArgMatches>(grammar: &mut clap::Command, args: &[OsString]) -> Result<C, clap::Error> {
    C::from_arg_matches(&grammar.try_get_matches_from_mut(args)?)
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let quickly = Cli::usual(args).or_else(|| Cli::narrowly(args)).map_or_else(|| Cli::try_parse_from(args), Ok);
    // Only the whole grammar knows all texts of help.
    quickly.or_else(|_| wholly(&mut commands::grammar(), args))
}

/// Parses `bd` as `gt bead`, and builds only that part of the grammar.
fn parse_bd(args: &[OsString]) -> Result<Cli, clap::Error> {
    let quickly = Bd::narrowly(args).map_or_else(|| Bd::try_parse_from(args), Ok);
    let Bd { global, mut bead } = quickly.or_else(|_| {
        let mut grammar = Bd::command();
        grammar.build();
        wholly(&mut grammar, args)
    })?;
    bead.flags.as_bd = true;
    Ok(Cli { global, verb: Verb::Bead(Box::new(bead)) })
}
