//! The work through the town: the benchmark makes a bead, slings it, and waits until it has landed.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde_json::Value;

use super::{FILE_RULES, Talk};
use crate::bench::report::Row;
use crate::bench::text;
use crate::e2e::town::{RIG, TownStage};

/// The course of one bead.
pub struct Slung {
    /// The conversation of its session.
    pub talk: Talk,
    sling_verb: Duration,
    until_start: Duration,
    until_landed: Duration,
    whole: Duration,
}

/// Makes a bead of an item, slings it, and waits until it has landed and its session is over.
pub fn work(town: &TownStage, item: usize) -> Result<Slung, String> {
    let before = town.fake.sessions().len();
    let bead = town.beads(&[&format!("Do item {item:02}")])?.remove(0);
    let (began, start) = (SystemTime::now(), Instant::now());
    town.gt(&["sling", &bead, RIG])?;
    let sling_verb = start.elapsed();
    // The wait is only for one event at the end, so that the questions meanwhile cost the machine little.
    let ended = town.until("the end of the session", || {
        std::thread::sleep(Duration::from_millis(500));
        time_of(town, &bead, "bead-landed").ok()?;
        time_of(town, &bead, "incarnation-ended").ok()
    })?;
    let at = |event: &str| time_of(town, &bead, event);
    let (hooked, started, submitted, landed) =
        (at("bead-hooked")?, at("effect-add-worktree")?, at("attempt-submitted")?, at("bead-landed")?);
    Ok(Slung {
        talk: Talk::newest(town, before, started, ended)?,
        sling_verb,
        until_start: super::since(hooked, started),
        until_landed: super::since(submitted, landed),
        whole: super::since(began, landed),
    })
}

/// Returns when, by the ledger, an event first happened to a bead.
fn time_of(town: &TownStage, bead: &str, event: &str) -> Result<SystemTime, String> {
    let log = town.facts(&["log", bead, "-n", "1000"])?;
    let found = log["events"].as_array().and_then(|events| events.iter().find(|e| e["event"] == event));
    let at = found.and_then(|event: &Value| event["at"].as_str()).ok_or_else(|| format!("{bead}: no {event}"))?;
    Ok(at.parse::<Timestamp>().map_err(text)?.into())
}

/// Returns the rows that show how the time is spent.
pub fn rows(alone: &[Talk], slung: &[Slung]) -> Vec<Row> {
    let each = |pick: &dyn Fn(&Slung) -> Duration| slung.iter().map(pick).collect::<Vec<_>>();
    let by_hand = |pick: &dyn Fn(&Talk) -> Duration| alone.iter().map(pick).collect::<Vec<_>>();
    let row = |name: &str, pick: &dyn Fn(&Slung) -> Duration| Row::times(name, &each(pick));
    let beside = |name: &str, pick: &dyn Fn(&Talk) -> Duration| {
        Row::times(name, &each(&|slung| pick(&slung.talk))).beside(&by_hand(pick), None)
    };
    let both = || slung.iter().zip(alone);
    let more = |name: &str, pick: &dyn Fn(&Slung, &Talk) -> f64| {
        let values = both().map(|(slung, alone)| pick(slung, alone)).collect();
        Row { name: name.to_owned(), unit: "ms", values, ..Row::default() }
    };
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let count = |name: &str, pick: &dyn Fn(&Talk) -> usize| Row {
        name: name.to_owned(),
        values: slung.iter().map(|slung| pick(&slung.talk) as f64).collect(),
        peer: alone.iter().map(|alone| pick(alone) as f64).collect(),
        ..Row::default()
    };
    vec![
        row("`gt sling` to landed", &|s| s.whole).beside(&by_hand(&Talk::whole), None),
        more("  more than the client alone", &|s, a| ms(s.whole) - ms(a.whole())),
        row("  of it `gt sling`, the whole process", &|s| s.sling_verb),
        row("  of it sling committed to worktree added", &|s| s.until_start),
        beside("  of it start decided to first request (start and prompt moments)", &Talk::until_first_request),
        beside("  of it read and edit, with their moments", &Talk::files),
        more("    more for a tool (two moments)", &|s, a| {
            (ms(s.talk.files()) - ms(a.files())) / FILE_RULES.len() as f64
        }),
        beside("  of it commit (of the client alone, its first use of a shell)", &Talk::commit),
        row("  of it steps and submitting, as tools of the client", &|s| s.talk.steps()),
        row("  of it submitted to landed (refinery, gate `true`)", &|s| s.until_landed),
        beside("start decided to session's end", &Talk::whole),
        beside("  of it after the last request", &Talk::after_last_request),
        count("requests of the model", &|talk| talk.turns.len()),
        count("tools called", &Talk::calls),
    ]
}
