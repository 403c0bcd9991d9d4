//! Describes why an agent's run ended: how its process exited, where it was, what gt refused to do for it, and its last output.

use gt_ledger::{Attempt, Incarnation};
use gt_model::foreign;
use gt_model::moment::Mark;
use gt_model::words::times;
use gt_world::{ENDED_BY_REQUEST, Exit};

use crate::agents::marks;
use crate::agents::readiness;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::hook;

/// Longest text of one cause, in bytes.
const CAUSE_BYTES: usize = 600;

/// Longest text of one cause when several are in one line, in bytes.
const SHORT_BYTES: usize = 240;

/// Maximum number of last output lines, and of bytes in each.
const LINES: usize = 3;
const LINE_BYTES: usize = 140;

/// Records a refusal to a caller. It is reported if the run ends because of it. A failure to record it is ignored.
pub(crate) fn note_refusal(town: &Town, caller: &Caller, what: &str) {
    let Some(incarnation) = &caller.incarnation else { return };
    let text = foreign::one_line(foreign::cut(what, gt_model::moment::KEPT_TEXT_BYTES));
    let mark = Mark { text: Some(text), ..marks::now(town.world()) };
    let _unrecorded = marks::write_refused(town, incarnation, &mark);
}

/// Forgets an earlier refusal, because a step has been closed since.
pub(crate) fn forget_refusal(town: &Town, caller: &Caller) {
    let Some(incarnation) = &caller.incarnation else { return };
    if marks::refused(town, incarnation).is_ok_and(|refused| refused.is_some()) {
        let _stale = marks::write_refused(town, incarnation, &Mark::default());
    }
}

/// Records the refusal in a result, if there is one, and returns the result.
pub(crate) fn noting_refusal<T>(town: &Town, caller: &Caller, result: Result<T>) -> Result<T> {
    if let Err(error @ Error::Refused { .. }) = &result {
        note_refusal(town, caller, &error.to_string());
    }
    result
}

/// Describes the cause of a run's end. Omits whatever can't be found out.
pub(crate) fn of(town: &Town, attempt: Option<&Attempt>, incarnation: &Incarnation, exit: &Exit) -> String {
    let mut parts = vec![end(town, attempt, incarnation, exit)];
    if let Some(at) = attempt.and_then(|attempt| step(town, attempt)) {
        parts[0].push_str(&format!(", at step {at}"));
    }
    if let Ok(Some(refused)) = marks::refused(town, &incarnation.id) {
        parts.push(format!("refused to it last: {refused}"));
    }
    if !exit.could_not_start() {
        let lines = readiness::last_words(town, &incarnation.id).unwrap_or_default();
        let last = lines[lines.len().saturating_sub(LINES)..].iter();
        let last: Vec<&str> = last.map(|line| foreign::cut(line.trim(), LINE_BYTES)).collect();
        if !last.is_empty() {
            parts.push(format!("its last lines: {}", last.join(" / ")));
        }
    }
    let cause = foreign::one_line(&parts.join("; "));
    foreign::cut(&cause, CAUSE_BYTES).to_owned()
}

/// Describes how its process ended.
fn end(town: &Town, attempt: Option<&Attempt>, incarnation: &Incarnation, exit: &Exit) -> String {
    let folder = attempt.map(|attempt| town.layout.rig(&attempt.rig).worktree(&attempt.worker));
    let gone = folder.is_some_and(|folder| !town.world().disk().exists(&folder));
    let how = match (exit.code, exit.signal) {
        _ if exit.could_not_start() => exit.reason.clone(),
        _ if exit.reason == ENDED_BY_REQUEST => asked_to_end(town, incarnation),
        (Some(0), _) => "it ended by itself, as if its work were done".to_owned(),
        (Some(code), _) => format!("{} with code {code}", exit.reason),
        (None, Some(signal)) => format!("{} {signal}", exit.reason.replace("ended by a signal", "ended by signal")),
        (None, None) => exit.reason.clone(),
    };
    if gone { format!("its worktree was deleted, and {how}") } else { how }
}

/// Describes why the town ended it, with the requests to end that it had ignored.
fn asked_to_end(town: &Town, incarnation: &Incarnation) -> String {
    let reactions = town.ledger.read(|view| Ok::<_, Error>(view.reactions(&incarnation.id)?)).ok();
    let nudges = reactions.as_ref().map_or(0, |reactions| reactions.starting("nudge:").count());
    let spared = reactions.as_ref().and_then(|reactions| reactions.spared());
    match (spared, nudges) {
        (Some(why), _) => format!("it was ended ({why})"),
        (None, 0) => "it was ended".to_owned(),
        (None, 1) => "it was idle, was told once to continue, and was ended".to_owned(),
        (None, times) => format!("it was idle, was told {times} times to continue, and was ended"),
    }
}

fn step(town: &Town, attempt: &Attempt) -> Option<String> {
    let steps = town.ledger.read(|view| Ok::<_, Error>(view.steps(attempt.id)?)).ok()?;
    let now = hook::current(&steps)?;
    Some(format!("{} ({} of {})", now.step.id, now.position + 1, steps.len()))
}

/// Describes the end of each run. Consecutive runs with the same end share one entry: `1 to 3: …; 4: …`.
pub(crate) fn each(incarnations: &[Incarnation]) -> Vec<String> {
    let mut runs: Vec<(u32, u32, &str)> = Vec::new();
    for incarnation in incarnations.iter().filter(|incarnation| incarnation.ended_at.is_some()) {
        let cause = incarnation.cause.as_deref().or(incarnation.exit.as_ref().map(|exit| exit.reason.as_str()));
        let cause = cause.unwrap_or("not known");
        match runs.last_mut() {
            Some((_, to, same)) if *same == cause => *to = incarnation.number,
            _ => runs.push((incarnation.number, incarnation.number, cause)),
        }
    }
    let words = |(from, to, cause): (u32, u32, &str)| match from == to {
        true => format!("{from}: {cause}"),
        false => format!("{from} to {to}: {cause}"),
    };
    runs.into_iter().map(words).collect()
}

/// Describes why a bead is taken back from its worker: the last refusal, if it kept the worker from finishing, and how its
/// sessions ended.
pub(crate) fn given_up(refused: Option<&str>, incarnations: &[Incarnation]) -> String {
    let (count, causes) = (incarnations.len(), in_a_line(incarnations));
    let left = incarnations.iter().all(|i| i.exit.as_ref().is_some_and(|exit| exit.code == Some(0)));
    let times = times(u32::try_from(count).unwrap_or(u32::MAX));
    match refused {
        Some(refused) if left => {
            let refused = foreign::cut(refused, SHORT_BYTES);
            format!("its worker could not continue and gave up {times}: {refused} (its sessions: {causes})")
        }
        _ => format!("its worker died {times}: {causes}"),
    }
}

/// Describes the end of each run in one line.
pub(crate) fn in_a_line(incarnations: &[Incarnation]) -> String {
    let cut = |cause: String| match foreign::cut(&cause, SHORT_BYTES) {
        short if short.len() < cause.len() => format!("{short}…"),
        whole => whole.to_owned(),
    };
    each(incarnations).into_iter().map(cut).collect::<Vec<_>>().join("; ")
}
