//! Progress of a running demo: a line per bead that says what the bead is doing now.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use gt_ledger::{Attempt, Incarnation, LedgerResult, MergeRequest, View};
use gt_model::bead::{Bead, Status};
use gt_model::id::{BeadId, Sha};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

/// Progress of a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Id of the bead.
    pub bead: String,
    /// Title of the bead.
    pub title: String,
    /// Its current state.
    pub doing: String,
    /// Whether it is finished.
    pub done: bool,
}

/// Display for the lines.
pub struct Board {
    target: Target,
    shown: BTreeMap<String, String>,
}

/// Redraws lines on a terminal; in a pipe, prints only what has changed.
enum Target {
    Terminal(MultiProgress, BTreeMap<String, ProgressBar>),
    Plain(Box<dyn Write>),
}

/// Layout of a bead's line on a terminal.
const TEMPLATE: &str = "{prefix} {wide_msg}";

impl Board {
    /// Makes a board on the terminal of the error output, which redraws each line in its place.
    pub fn terminal() -> Self {
        Self { target: Target::Terminal(MultiProgress::new(), BTreeMap::new()), shown: BTreeMap::new() }
    }

    /// Makes a board that prints a line for each change.
    pub fn plain(out: Box<dyn Write>) -> Self {
        Self { target: Target::Plain(out), shown: BTreeMap::new() }
    }

    /// Shows what has changed since the last call; `elapsed` counts from the demo's start.
    pub fn show(&mut self, elapsed: Duration, lines: &[Line]) -> std::io::Result<()> {
        for line in lines {
            if self.shown.insert(line.bead.clone(), line.doing.clone()).as_ref() == Some(&line.doing) {
                continue;
            }
            match &mut self.target {
                Target::Plain(out) => {
                    writeln!(out, "{:6.1}s  {}  {}", elapsed.as_secs_f64(), line.bead, line.doing)?;
                    out.flush()?;
                }
                Target::Terminal(board, bars) => {
                    let bar = bars.entry(line.bead.clone()).or_insert_with(|| board.add(new_bar()));
                    redraw(bar, line);
                }
            }
        }
        Ok(())
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn redraw(bar: &ProgressBar, line: &Line) {
    bar.set_prefix(if line.done { "✓" } else { "·" });
    let text = format!("{:<8}  {:<34}  {}", line.bead, line.title, line.doing);
    if line.done {
        bar.finish_with_message(text);
    } else {
        bar.set_message(text);
    }
    bar.tick();
}

/// Reads from the ledger what each of these beads is doing. Leaves out missing beads.
pub fn lines(view: &View<'_>, now: Timestamp, beads: &[BeadId]) -> LedgerResult<Vec<Line>> {
    let beads: Vec<Bead> = beads.iter().filter_map(|id| view.bead(id).transpose()).collect::<LedgerResult<_>>()?;
    let requests = view.merge_requests()?;
    beads.iter().map(|bead| line(view, now, bead, &requests)).collect()
}

fn line(view: &View<'_>, now: Timestamp, bead: &Bead, requests: &[MergeRequest]) -> LedgerResult<Line> {
    let facts = match view.live_attempt(&bead.id)? {
        Some(attempt) => Facts {
            incarnations: view.incarnations_of(attempt.id)?,
            step: view.steps(attempt.id)?.into_iter().find(|step| step.done_at.is_none()).map(|step| step.step.id),
            attempt: Some(attempt),
            ..Facts::default()
        },
        None => Facts {
            blockers: view.blockers(now, &bead.id)?.into_iter().map(|blocker| blocker.id).collect(),
            ..Facts::default()
        },
    };
    let request = requests.iter().rev().find(|mr| mr.bead == bead.id).cloned();
    Ok(Line {
        bead: bead.id.to_string(),
        title: bead.title.clone(),
        doing: doing(&bead.status, &Facts { request, ..facts }),
        done: bead.status == Status::Closed,
    })
}

/// Facts that decide what a bead is doing.
#[derive(Clone, Debug, Default)]
struct Facts {
    /// Live attempt, with its incarnations and its present step.
    attempt: Option<Attempt>,
    incarnations: Vec<Incarnation>,
    step: Option<String>,
    /// Last merge request.
    request: Option<MergeRequest>,
    /// Beads that hold this one back, if it has no live attempt.
    blockers: Vec<BeadId>,
}

fn doing(status: &Status, facts: &Facts) -> String {
    let landed = facts.request.as_ref().and_then(|mr| mr.commit_landed.as_ref()).map(Sha::short);
    match (&facts.attempt, &facts.request) {
        _ if *status == Status::Closed => landed.map_or("closed".to_owned(), |sha| format!("landed as {sha}")),
        (Some(attempt), Some(mr)) if attempt.submitted_at.is_some() => match (&mr.held, mr.landing) {
            (Some(why), _) => format!("held: {why}"),
            (None, Some(_)) => "landing".to_owned(),
            (None, None) => format!("waits in the merge queue{}", after(attempt)),
        },
        (Some(attempt), _) => working(attempt, facts),
        (None, Some(mr)) if mr.failure.is_some() => "sent back".to_owned(),
        (None, _) if facts.blockers.is_empty() => "ready".to_owned(),
        (None, _) => {
            let blockers: Vec<&str> = facts.blockers.iter().map(BeadId::as_str).collect();
            format!("waits for {}", blockers.join(", "))
        }
    }
}

fn after(attempt: &Attempt) -> String {
    if attempt.number > 1 { format!(" (attempt {})", attempt.number) } else { String::new() }
}

fn working(attempt: &Attempt, facts: &Facts) -> String {
    let Some(last) = facts.incarnations.last() else { return format!("waits for a worker{}", after(attempt)) };
    let mut who = attempt.worker.clone();
    if attempt.number > 1 {
        who.push_str(&format!(", attempt {}", attempt.number));
    }
    if last.number > 1 {
        who.push_str(&format!(", start {}", last.number));
    }
    let what = match (&last.started_at, &last.ended_at, &facts.step) {
        (_, Some(_), _) => "lost its worker",
        (None, None, _) => "is being set up",
        (Some(_), None, Some(step)) => step,
        (Some(_), None, None) => "submits",
    };
    format!("{what} ({who})")
}

#[cfg(test)]
mod tests;
