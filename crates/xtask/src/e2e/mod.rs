//! Real coding clients, run against a fake model in a network namespace that has only loopback.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::{Args as ClapArgs, ValueEnum};

mod asking;
pub mod client;
mod facts;
mod mayor;
pub mod processes;
mod readme;
pub mod stage;
mod terminal;
pub mod town;
mod work;

use client::Client;
use tempfile::TempDir;

/// Variable with the client's program, set in the process that runs inside the namespace.
const INSIDE: &str = "GT_E2E_INSIDE";

/// A real client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Claude Code, of a fixed version
    Claude,
}

/// Flags of `e2e`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Client to run
    #[arg(value_enum)]
    client: Kind,
    /// Only scenarios whose name contains one of these
    names: Vec<String>,
    /// List the scenarios and run none
    #[arg(long)]
    list: bool,
    /// Keep the folders of what went well too
    #[arg(long)]
    keep: bool,
    /// This `gt` instead of a build of this workspace
    #[arg(long)]
    gt: Option<PathBuf>,
}

/// A scenario. It returns what it saw.
struct Scenario {
    name: &'static str,
    run: fn(&Outfit) -> Result<String, String>,
}

/// Programs and options of the scenarios.
pub struct Outfit {
    /// The client, and the `gt` that it works with.
    pub client: Client,
    /// Whether all folders are kept.
    pub keep: bool,
}

impl Outfit {
    /// Deletes a scenario's folder if the scenario succeeded and the folder is not to be kept. Otherwise prints the folder's
    /// path.
    fn put_away(&self, folder: TempDir, result: Result<String, String>) -> Result<String, String> {
        if result.is_ok() && !self.keep {
            return result;
        }
        let kept = format!("\n    kept: {}", folder.keep().display());
        result.map(|saw| saw + &kept).map_err(|why| why + &kept)
    }
}

/// Runs the scenarios. Outside the namespace, prepares what they need and runs this program again inside.
pub fn run(args: &Args) -> Result<(), String> {
    let chosen = chosen(&args.names)?;
    if args.list {
        chosen.iter().for_each(|scenario| println!("{}", scenario.name));
        return Ok(());
    }
    match inside() {
        Some(client) => play(args, client, &chosen),
        None => within(LOOPBACK_ONLY, |command| {
            let gt = match &args.gt {
                Some(gt) => gt.canonicalize().map_err(|e| format!("{}: {e}", gt.display()))?,
                None => crate::soak::build_debug()?,
            };
            command.args(["e2e", "claude", "--gt"]).arg(gt).args(&args.names).args(args.keep.then_some("--keep"));
            Ok(())
        }),
    }
}

/// Flags of `unshare` for a namespace that has only loopback.
const LOOPBACK_ONLY: &[&str] = &["-rn"];

/// The same flags with a process namespace, so that everything that is started there can be counted.
pub const OWN_PROCESSES: &[&str] = &["-rn", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Returns the client, in a process that runs inside the namespace.
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Runs this program again inside the namespace, with the words that `say` adds. Skips the run if something that it needs is
/// missing, unless the run is required.
pub fn within(namespace: &[&str], say: impl FnOnce(&mut Command) -> Result<(), String>) -> Result<(), String> {
    match missing(namespace) {
        Ok(client) => enter(namespace, &client, say),
        Err(why) if required() => Err(format!("GT_REQUIRE names claude, and {why}")),
        Err(why) => {
            println!("skipped: {why}");
            Ok(())
        }
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, String> {
    let is_named = |scenario: &&Scenario| names.is_empty() || names.iter().any(|n| scenario.name.contains(n.as_str()));
    let chosen: Vec<_> = facts::ALL
        .iter()
        .chain(work::ALL)
        .chain(mayor::ALL)
        .chain(asking::ALL)
        .chain(readme::ALL)
        .filter(is_named)
        .collect();
    if chosen.is_empty() { Err(format!("no scenario is called {}", names.join(" or "))) } else { Ok(chosen) }
}

fn required() -> bool {
    std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "claude"))
}

/// Returns the client. The error says what is missing.
fn missing(namespace: &[&str]) -> Result<PathBuf, String> {
    let works = |words: &[&str]| {
        let output = Command::new(words[0]).args(&words[1..]).output();
        output.map_err(|e| format!("there is no {}: {e}", words[0])).map(|output| output.status.success())
    };
    if !works(&["tmux", "-V"])? {
        return Err("tmux does not work".to_owned());
    }
    if !works(&[&["unshare"], namespace, &["ip", "link", "set", "lo", "up"]].concat())? {
        return Err(format!("there can be no namespace (unshare {}, ip link)", namespace.join(" ")));
    }
    client::install()
}

fn enter(
    namespace: &[&str],
    client: &Path,
    say: impl FnOnce(&mut Command) -> Result<(), String>,
) -> Result<(), String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new("unshare");
    // The shell stays: as the first process in the namespace it reaps the orphans.
    command.args(namespace).args(["sh", "-c", "ip link set lo up && \"$@\"; exit $?", "sh"]).arg(this);
    say(&mut command)?;
    let status = command.env(INSIDE, client).status().map_err(|e| format!("unshare can't be started: {e}"))?;
    if status.success() { Ok(()) } else { Err("not all went well".to_owned()) }
}

fn play(args: &Args, program: PathBuf, chosen: &[&Scenario]) -> Result<(), String> {
    let gt = args.gt.clone().ok_or("--gt is missing")?;
    let outfit = Outfit { client: Client { program, gt }, keep: args.keep };
    let begin = Instant::now();
    let mut red = Vec::new();
    for scenario in chosen {
        let start = Instant::now();
        let result = (scenario.run)(&outfit);
        let took = start.elapsed().as_secs_f64();
        let (word, saw) = match &result {
            Ok(saw) => ("ok ", saw),
            Err(why) => ("RED", why),
        };
        println!("{word} {:<28} {took:>5.1} s  {saw}", scenario.name);
        if result.is_err() {
            red.push(scenario.name);
        }
    }
    println!("{} of {} went well, in {:.0} s", chosen.len() - red.len(), chosen.len(), begin.elapsed().as_secs_f64());
    if red.is_empty() { Ok(()) } else { Err(format!("red: {}", red.join(", "))) }
}
