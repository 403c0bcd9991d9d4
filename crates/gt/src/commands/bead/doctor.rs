//! `gt bead doctor`.

use clap::{Args, ValueEnum};
use gt_ledger::{BeadFilter, View};
use gt_model::bead::{Bead, Status};
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::sync::solo::{self, OddWord};
use gt_town::work::beads;
use serde_json::{Value, json};

use super::repair_deps::remove_dangling;
use super::version::LEVEL;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Check the ledger: its file, cycles, dependencies on missing beads
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct DoctorArgs {
    /// Only this check: validate (the beads' data) or pollution (beads that tests left)
    #[arg(long, value_enum)]
    check: Option<DoctorCheck>,
    /// Remove dependencies on missing beads
    #[arg(long)]
    fix: bool,
    /// With --check=pollution: delete those beads
    #[arg(long)]
    clean: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Check of the doctor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DoctorCheck {
    /// The data of beads.
    Validate,
    /// Beads that tests left.
    Pollution,
}

/// Severity of a finding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Error,
    Warning,
}

impl Weight {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A check, and its finding if it failed.
struct Check {
    name: &'static str,
    found: Option<(Weight, String)>,
}

impl Check {
    fn new(name: &'static str, weight: Weight, bad: bool, text: impl FnOnce() -> String) -> Self {
        Self { name, found: bad.then(|| (weight, text())) }
    }

    fn json(&self) -> Value {
        let (status, message) = self.found.as_ref().map_or(("ok", ""), |(weight, text)| (weight.word(), text));
        json!({ "name": self.name, "status": status, "message": message })
    }

    fn is_grave(&self) -> bool {
        self.found.as_ref().is_some_and(|(weight, _)| *weight == Weight::Error)
    }
}

fn way(ids: &[BeadId]) -> String {
    ids.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" -> ")
}

fn cycles(view: &View<'_>) -> Result<Check, Error> {
    let cycles = view.cycles()?;
    Ok(Check::new("cycles", Weight::Error, !cycles.is_empty(), || {
        cycles.iter().take(5).map(|cycle| way(cycle)).collect::<Vec<_>>().join("; ")
    }))
}

fn dangling(view: &View<'_>) -> Result<Check, Error> {
    let count = view.dangling()?.len();
    Ok(Check::new("dangling dependencies", Weight::Warning, count > 0, || {
        format!("{count} on beads that are not there; bd repair-deps shows them, with --fix it removes them")
    }))
}

fn undated(view: &View<'_>) -> Result<Check, Error> {
    let closed = BeadFilter { status: Some(Status::Closed), ..BeadFilter::default() };
    let count = view.beads(&closed)?.into_iter().filter(|bead| bead.closed_at.is_none()).count();
    Ok(Check::new("closed without a time", Weight::Warning, count > 0, || format!("{count} beads")))
}

fn odd_words(view: &View<'_>) -> Result<Check, Error> {
    let odd = solo::odd_words(view)?;
    Ok(Check::new("unknown words", Weight::Warning, !odd.is_empty(), || {
        let shown = |odd: &OddWord| format!("{} ({} beads)", odd.error, odd.beads);
        let more = "bd config set status.custom (or types.custom) adds a word; bd update changes a bead's";
        format!("{}; {more}", odd.iter().take(5).map(shown).collect::<Vec<_>>().join("; "))
    }))
}

/// Finds open beads with the same title and description.
fn twins(view: &View<'_>) -> Result<Check, Error> {
    let mut open = view.beads(&BeadFilter::default())?;
    open.sort_by(|a, b| (&a.title, &a.description).cmp(&(&b.title, &b.description)));
    let same = |pair: &&[Bead]| pair[0].title == pair[1].title && pair[0].description == pair[1].description;
    let found: Vec<String> =
        open.windows(2).filter(same).map(|pair| format!("{} and {}", pair[0].id, pair[1].id)).collect();
    Ok(Check::new("duplicates", Weight::Warning, !found.is_empty(), || found.join("; ")))
}

fn left_by_tests(view: &View<'_>) -> Result<Check, Error> {
    let count = polluted(view)?.len();
    Ok(Check::new("beads that tests left", Weight::Warning, count > 0, || {
        format!("{count}; bd doctor --check=pollution shows them")
    }))
}

/// Runs `gt bead doctor`.
pub fn doctor(args: &DoctorArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.check == Some(DoctorCheck::Pollution) {
        return pollution(*args, context, console);
    }
    if args.clean {
        return Err(CliError::usage("--clean needs --check=pollution", "bd doctor --check=pollution --clean --yes"));
    }
    if args.fix {
        remove_dangling(context)?;
    }
    let checks = if args.check == Some(DoctorCheck::Validate) {
        context.town.ledger.read(|view| {
            Ok::<_, Error>(vec![twins(view)?, dangling(view)?, left_by_tests(view)?, cycles(view)?, undated(view)?])
        })?
    } else {
        let complaints = context.town.ledger.integrity()?;
        let file = Check::new("file", Weight::Error, !complaints.is_empty(), || complaints.join("; "));
        let more = |view: &View<'_>| Ok::<_, Error>([cycles(view)?, dangling(view)?, undated(view)?, odd_words(view)?]);
        [file].into_iter().chain(context.town.ledger.read(more)?).collect()
    };
    let is_well = !checks.iter().any(Check::is_grave);
    if console.is_json() {
        let list: Vec<Value> = checks.iter().map(Check::json).collect();
        let path = context.town.ledger.path();
        console.document(&json!({ "path": path, "checks": list, "overall_ok": is_well, "cli_version": LEVEL }))?;
        return Ok(u8::from(!is_well));
    }
    for check in &checks {
        let line = match &check.found {
            None => format!("{}  {}", console.green("ok"), check.name),
            Some((_, text)) => format!("{}  {}: {}", console.red("look"), check.name, printable(text)),
        };
        console.line(&line)?;
    }
    Ok(u8::from(!is_well))
}

/// First words of titles that tests typically give to beads.
const TEST_WORDS: [&str; 7] = ["test", "testing", "dummy", "sample", "foo", "tmp", "asdf"];

/// Finds open beads that a test may have left: the title begins with such a word, and the bead has no further text.
fn polluted(view: &View<'_>) -> Result<Vec<Bead>, Error> {
    let is_left = |bead: &Bead| {
        let first = bead.title.to_lowercase();
        let first = first.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
        let says_nothing = bead.description.is_empty() && bead.acceptance_criteria.is_empty() && bead.notes.is_empty();
        let is_alone = bead.dependencies.is_empty() && bead.comments.is_empty() && bead.assignee.is_none();
        TEST_WORDS.contains(&first.as_str()) && says_nothing && is_alone
    };
    Ok(view
        .beads(&BeadFilter { status: Some(Status::Open), ..BeadFilter::default() })?
        .into_iter()
        .filter(is_left)
        .collect())
}

/// Runs `doctor --check=pollution`.
fn pollution(args: DoctorArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let found = context.town.ledger.read(polluted)?;
    if args.clean && !args.yes {
        return Err(CliError::usage(
            "nothing was deleted",
            "look at them without --clean first; --clean --yes deletes them",
        ));
    }
    if args.clean {
        for bead in &found {
            beads::delete(&context.town, &context.caller, &bead.id, Some("left by a test"))?;
        }
    }
    if console.is_json() {
        let one = |bead: &Bead| {
            let reasons = ["a title as tests have them, and nothing else"];
            json!({ "id": bead.id, "title": bead.title, "score": 0.7, "reasons": reasons, "created_at": bead.created_at.text })
        };
        let deleted = if args.clean { found.len() } else { 0 };
        return console.document(&json!({
            "polluted_count": found.len(), "high_confidence": 0, "medium_confidence": found.len(),
            "issues": found.iter().map(one).collect::<Vec<_>>(), "deleted": deleted,
        }));
    }
    for bead in &found {
        let word = if args.clean { "deleted  " } else { "" };
        console.line(&format!("{word}{}  {}", bead.id, printable(&bead.title)))?;
    }
    if found.is_empty() {
        console.say("no bead looks as if a test had left it")?;
    }
    Ok(0)
}

/// Checks the ledger, as `doctor` does without flags.
pub fn check(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    doctor(&DoctorArgs::default(), context, console)
}
