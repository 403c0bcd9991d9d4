//! `gt demo`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};
use gt_model::bead::Status;
use gt_model::id::BeadId;
use gt_model::runtime::RuntimeChoice;
use gt_town::{Error, Town};
use gt_world::TOKEN_VARIABLE;
use verify::{say_report, verify_folder};

use crate::Invocation;
use crate::Process;
use crate::cli::{Group, RuntimeArg};
use crate::console::Console;
use crate::context::absolute;
use crate::demo::progress::{self, Board};
use crate::demo::run::{self as pieces, Folders};
use crate::demo::story;
use crate::error::{CliError, CliResult};

mod verify;

/// Watch a whole town work on a sample project, from nothing to a landed convoy
#[derive(Debug, Args)]
#[command(display_order = Group::Start.order())]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    /// Verify a kept demo instead
    #[command(subcommand)]
    verb: Option<DemoVerb>,
    /// Create the town and the project in this new or empty folder [default: a temporary one]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the folder, to look at it afterwards
    #[arg(long)]
    keep: bool,
    /// Number of workers at once; the story needs two that meet
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=30))]
    polecats: u32,
    /// Vary the workers' pace by this seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run sessions in terminals of the town's tmux, or without
    #[arg(long, value_enum, default_value_t = RuntimeArg::Headless)]
    runtime: RuntimeArg,
}

// Its verbs. A doc comment would replace that of `gt demo`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum DemoVerb {
    Verify(verify::VerifyArgs),
}

/// Time limit for the story.
const STORY_LIMIT: Duration = Duration::from_mins(5);

/// Time between two checks of the ledger.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs `gt demo`.
pub fn demo(args: &DemoArgs, process: &Process, console: &mut Console<'_>) -> CliResult {
    if let Some(DemoVerb::Verify(args)) = &args.verb {
        return verify::verify(args, process, console);
    }
    let (folder, temporary) = folder(args, process)?;
    let mut demo = Demo::new(args, process, &folder)?;
    let played = demo.play(console);
    // Nothing may keep running, also after a failure.
    let stopped = demo.stop(console);
    let report = played.and_then(|took| stopped.and_then(|()| Ok((verify_folder(&folder)?, took))));
    let keep = args.keep || !temporary || report.as_ref().map_or(true, |(report, _)| !report.passed());
    if keep {
        console.note(&format!("kept: {}  (check it again: gt demo verify {0})", folder.display()))?;
    } else {
        process.outside.world.disk().remove(&folder).map_err(Error::from)?;
    }
    let (report, took) = report?;
    say_report(&report, Some(took), console)
}

/// Returns the folder to work in, and whether to delete it afterwards.
fn folder(args: &DemoArgs, process: &Process) -> Result<(PathBuf, bool), CliError> {
    let Some(dir) = &args.dir else {
        let made = tempfile::Builder::new().prefix("gt-demo-").tempdir()?;
        // The name may lead through a link, and the town's paths must be the real ones.
        return Ok((made.keep().canonicalize()?, true));
    };
    let dir = absolute(process, dir);
    let disk = process.outside.world.disk();
    if !disk.list(&dir).map_err(Error::from)?.is_empty() {
        return Err(Error::NotEmpty(dir).into());
    }
    disk.create_dir(&dir).map_err(Error::from)?;
    Ok((dir, false))
}

struct Demo<'a> {
    args: &'a DemoArgs,
    process: Process,
    folders: Folders,
    interrupted: Arc<AtomicBool>,
}

impl<'a> Demo<'a> {
    fn new(args: &'a DemoArgs, process: &Process, folder: &Path) -> Result<Self, CliError> {
        let folders = Folders::new(folder);
        let mut process = process.clone();
        // The demo's town must not depend on the caller's town or place.
        for env in [&mut process.env, &mut process.outside.env] {
            env.remove("GT_TOWN");
            env.remove(TOKEN_VARIABLE);
        }
        process.cwd = folder.to_owned();
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, interrupted.clone())?;
        }
        Ok(Self { args, process, folders, interrupted })
    }

    /// Sets everything up and watches until the convoy has landed. Returns how long that took.
    fn play(&mut self, console: &mut Console<'_>) -> Result<Duration, CliError> {
        let clock = self.process.outside.world.clock();
        let start = clock.monotonic();
        self.set_up(console)?;
        self.watch(start, console)?;
        Ok(self.process.outside.world.clock().monotonic() - start)
    }

    fn set_up(&mut self, console: &mut Console<'_>) -> Result<(), CliError> {
        let root = self.process.cwd.clone();
        let failed =
            |e: pieces::SetUpError| CliError::Failed { what: e.to_string(), hint: "is git installed?".to_owned() };
        let remote = pieces::make_project(&root).map_err(failed)?;
        pieces::write_story(&root, self.args.seed, self.process.outside.world.clock().now()).map_err(failed)?;
        let path = |path: PathBuf| path.display().to_string();
        self.gt(&["install", &path(self.folders.town())], console)?;
        self.process.cwd = self.folders.town();
        self.settle_town()?;
        self.gt(&["rig", "add", story::RIG, &path(remote), "--prefix", story::PREFIX], console)?;
        self.settle_rig()?;
        self.gt(&["bead", "import", &path(self.folders.beads())], console)?;
        self.gt(&["up"], console)?;
        let mut sling = vec!["sling"];
        sling.extend(story::slung_first(self.args.seed));
        sling.push(story::RIG);
        self.gt(&sling, console)
    }

    /// Writes the settings that a person would write into town.toml.
    fn settle_town(&self) -> Result<(), CliError> {
        let text = format!(
            "version = 1\nagent = \"sim\"\nmax_polecats = {}\npatrol_seconds = 1\nlinger_seconds = 5\nruntime = \"{}\"\n",
            self.args.polecats,
            RuntimeChoice::from(self.args.runtime).as_str()
        );
        self.write(&self.folders.town().join("town.toml"), &text)
    }

    /// Writes the settings that a person would write into rig.toml: green work lands without asking, workers play the script.
    fn settle_rig(&self) -> Result<(), CliError> {
        let path = self.folders.town().join(story::RIG).join("rig.toml");
        let bytes = self.process.outside.world.disk().read(&path).map_err(Error::from)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace("# landing = \"ask\"", "landing = \"auto\"");
        let (script, play) = (self.folders.script(), self.folders.play());
        let env = format!(
            "\n[env.set]\nGT_SIM_SCRIPT = {}\nGT_SIM_PLAY_DIR = {}\n",
            toml::Value::from(script.display().to_string()),
            toml::Value::from(play.display().to_string())
        );
        self.write(&path, &(text + &env))
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), CliError> {
        Ok(self.process.outside.world.disk().write(path, text.as_bytes()).map_err(Error::from)?)
    }

    /// Runs one verb, as a person would type it.
    fn gt(&self, words: &[&str], console: &mut Console<'_>) -> Result<(), CliError> {
        console.note(&format!("$ gt {}", words.join(" ")))?;
        let args: Vec<OsString> = ["gt"].iter().chain(words).map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let invocation = Invocation { args, out: &mut out, err: &mut err, terminal: false };
        let code = crate::run(invocation, &self.process);
        for line in String::from_utf8_lossy(&out).lines() {
            console.note(&format!("  {line}"))?;
        }
        if code == 0 {
            return Ok(());
        }
        let what = format!("gt {} ended with {code}: {}", words.join(" "), String::from_utf8_lossy(&err).trim());
        Err(CliError::Failed { what, hint: "the demo's folder is kept: look at its logs".to_owned() })
    }

    fn watch(&self, start: Duration, console: &mut Console<'_>) -> Result<(), CliError> {
        let town = Town::open(&self.folders.town(), self.process.outside.clone())?;
        let clock = town.world().clock();
        let mut board = if console.is_terminal() && !console.is_json() {
            Board::terminal()
        } else {
            Board::plain(Box::new(std::io::stderr()))
        };
        let beads: Vec<BeadId> = story::TASKS.iter().map(|task| task.id.into()).collect();
        loop {
            let lines = town.ledger.read(|view| progress::lines(view, town.world().clock().now(), &beads))?;
            board.show(clock.monotonic() - start, &lines)?;
            town.ledger.read(|view| pieces::kill_half_way(&self.folders.play(), view))?;
            if is_over(&town)? {
                return Ok(());
            }
            self.check_end(clock.monotonic() - start)?;
            clock.pause(LOOK_EVERY);
        }
    }

    fn check_end(&self, elapsed: Duration) -> Result<(), CliError> {
        let failed = |what: &str| CliError::Failed {
            what: what.to_owned(),
            hint: "gt demo --keep, then gt status there".to_owned(),
        };
        if self.interrupted.load(Ordering::SeqCst) {
            return Err(failed("interrupted"));
        }
        if elapsed > STORY_LIMIT {
            return Err(failed("the convoy did not land in time"));
        }
        Ok(())
    }

    fn stop(&self, console: &mut Console<'_>) -> Result<(), CliError> {
        if !self.folders.town().join("town.toml").exists() {
            return Ok(());
        }
        self.gt(&["down", "--now"], console)
    }
}

/// Whether the convoy has landed and every worktree of its workers is in the archive.
fn is_over(town: &Town) -> Result<bool, CliError> {
    Ok(town.ledger.read(|view| {
        let landed = view.bead(&story::CONVOY.into())?.is_some_and(|convoy| convoy.status == Status::Closed);
        let cleared = view.present_attempts()?.is_empty() && view.open_effects()?.is_empty();
        Ok::<_, Error>(landed && cleared)
    })?)
}
