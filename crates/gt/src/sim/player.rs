//! Decides what a simulated worker does next. It has no IO: everything that it touches is behind [`Stage`].
//!
//! The worker asks `gt hook --json` for its step and does the script's acts for it. Then it does what any worker does there
//! ([`default_deeds`]), closes the step, and asks again. It does one action a turn, so that a simulated town can interleave
//! many workers in its own order.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

use super::script::{Act, FilePath, Mark, Misbehaviour, Place, Script};

/// Exit code of `gt step done` when one of the step's own checks failed.
pub const REFUSED: i32 = 4;

/// Retries of a refused step about which the worker can do nothing.
const RETRIES: u32 = 1;

/// Retries of a refused step before which the worker repeats its deeds. Another landing may have come between a rebase and its
/// check, and that may happen more than once.
const RETRIES_WITH_DEEDS: u32 = 3;

/// Pause before a refused step is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Pause between two checks for a mark.
pub const AWAIT_PAUSE: Duration = Duration::from_millis(50);

/// Checks for a mark before the worker gives up: about five minutes.
pub const AWAIT_LIMIT: u32 = 6_000;

/// Pause of a hanging worker between two turns in which it does nothing.
const HANG_PAUSE: Duration = Duration::from_secs(3_600);

/// Step at which the worker submits its work instead of closing the step.
const SUBMIT: &str = "submit-and-exit";

/// Result of a deed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// Output; it may be empty for a program other than `gt`.
    pub out: String,
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Makes the file hold this text.
    Write(FilePath, String),
    /// Makes the file end with this text.
    Append(FilePath, String),
    /// Removes the file.
    Remove(FilePath),
    /// Applies a unified diff, unless it is already applied.
    Patch(String),
}

/// Everything that a worker can touch.
pub trait Stage {
    /// Calls `gt`.
    fn gt(&mut self, args: &[&str]) -> Outcome;
    /// Changes a file of the worktree.
    fn edit(&mut self, edit: &Edit) -> Outcome;
    /// Commits everything in the worktree. Returns code 0 where there is nothing to commit.
    fn commit(&mut self, message: &str) -> Outcome;
    /// Brings the worktree's branch up to a ref, unless it contains that: by a rebase, or by a merge where the branch has merge
    /// commits. With `union`, keeps the lines of both sides where they conflict. First aborts an unfinished rebase or merge.
    fn rebase(&mut self, onto: &str, union: bool) -> Outcome;
    /// Runs a command in the worktree.
    fn command(&mut self, argv: &[String]) -> Outcome;
    /// Sets a mark.
    fn signal(&mut self, mark: &Mark) -> Outcome;
    /// Whether a mark is set.
    fn is_signalled(&mut self, mark: &Mark) -> bool;
    /// Waits for this time.
    fn pause(&mut self, how_long: Duration);
    /// Does something wrong that reaches beyond the worktree's files and `gt`: crash, wrong-branch, flood, orphan,
    /// move-ref, push.
    fn misbehave(&mut self, misbehaviour: Misbehaviour);
    /// Prints a line to the session's log.
    fn say(&mut self, line: &str);
}

/// The worker's hook: the work that it is to do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hook {
    /// Bead on the hook.
    pub bead: HookBead,
    /// Attempt at the bead.
    pub attempt: HookAttempt,
    /// Number of this start of the worker.
    pub incarnation: u32,
    /// Step to do; `None` when all are done or none can be done now.
    pub step: Option<HookStep>,
    /// Reason why no step can be done now.
    #[serde(default)]
    pub waits_for: Option<String>,
    /// Ref of the trunk as last fetched.
    pub trunk_ref: String,
}

/// The bead on a hook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookBead {
    /// Id of the bead.
    pub id: String,
    /// Title of the bead.
    pub title: String,
}

/// The attempt on a hook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookAttempt {
    /// Number of the attempt; 1 for the bead's first.
    pub number: u32,
}

/// The step on a hook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookStep {
    /// Id of the step.
    pub id: String,
}

/// Output of `gt hook --json`.
#[derive(Deserialize)]
struct HookAnswer {
    schema: String,
    hook: Option<Hook>,
}

/// Schema of `gt hook --json` that a worker can read.
pub const HOOK_SCHEMA: &str = "gt.hook/1";

/// Reads the output of `gt hook --json`; `None` where the hook is empty.
pub fn read_hook(text: &str) -> Result<Option<Hook>, String> {
    let answer: HookAnswer = serde_json::from_str(text).map_err(|e| format!("`gt hook --json`: {e}"))?;
    if answer.schema == HOOK_SCHEMA {
        Ok(answer.hook)
    } else {
        Err(format!("`gt hook --json` answers with `{}`, not with `{HOOK_SCHEMA}`", answer.schema))
    }
}

/// One action of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks for the hook and plans the actions that follow.
    Look,
    /// Calls a verb of `gt`.
    Gt {
        /// Arguments of the verb.
        args: Vec<String>,
        /// Whether to go on after a failure.
        may_fail: bool,
    },
    /// Closes a step, and retries a refusal up to a limit.
    Close {
        /// Step to close.
        step: String,
        /// Number of retries left.
        retries: u32,
        /// Actions to repeat before each retry.
        again: Vec<Action>,
    },
    /// Changes a file.
    Edit(Edit),
    /// Runs a command.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
        /// Whether to go on after a failure.
        may_fail: bool,
    },
    /// Commits everything.
    Commit(String),
    /// Brings the branch up to a ref, keeping both sides of a conflict.
    Rebase(String),
    /// Sets a mark.
    Signal(Mark),
    /// Waits for a mark; the number counts the checks so far.
    Await(Mark, u32),
    /// Waits for this time.
    Pause(Duration),
    /// Does something wrong.
    Misbehave(Misbehaviour),
    /// Does nothing, forever.
    Hang,
    /// Ends the worker with an exit code.
    End(i32),
}

/// Result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The worker acted.
    Acted,
    /// The worker waits for a mark, or hangs.
    Waiting,
    /// The worker has ended, with this exit code.
    Ended(i32),
}

/// Exit code of a process that SIGKILL ended, as a shell reports it.
const KILLED: i32 = 137;

/// A worker that plays a script.
#[derive(Clone, Debug)]
pub struct Player {
    script: Script,
    plan: VecDeque<Action>,
}

impl Player {
    /// Makes a worker at its start.
    pub fn new(script: Script) -> Self {
        Self { script, plan: VecDeque::new() }
    }

    /// Does the next action.
    pub fn turn(&mut self, stage: &mut dyn Stage) -> Turn {
        match self.plan.pop_front().unwrap_or(Action::Look) {
            Action::Look => self.look(stage),
            Action::Close { step, retries, again } => self.close(stage, step, retries, again),
            Action::Await(mark, looks) => self.wait_for(stage, mark, looks),
            Action::Misbehave(Misbehaviour::Crash) => {
                stage.misbehave(Misbehaviour::Crash);
                self.end(KILLED)
            }
            Action::Hang => {
                self.plan.push_front(Action::Hang);
                stage.pause(HANG_PAUSE);
                Turn::Waiting
            }
            Action::End(code) => self.end(code),
            action => self.do_simply(stage, &action),
        }
    }

    /// Ends the worker: every later turn returns the same.
    fn end(&mut self, code: i32) -> Turn {
        self.plan = VecDeque::from([Action::End(code)]);
        Turn::Ended(code)
    }

    fn look(&mut self, stage: &mut dyn Stage) -> Turn {
        let answer = stage.gt(&["hook", "--json"]);
        if answer.code != 0 {
            return self.fail(stage, &format!("`gt hook` failed ({})", answer.code));
        }
        match read_hook(&answer.out) {
            Ok(Some(hook)) if hook.step.is_none() && hook.waits_for.is_some() => {
                stage.pause(AWAIT_PAUSE);
                Turn::Waiting
            }
            Ok(Some(hook)) => {
                let step = hook.step.as_ref().map_or(SUBMIT, |step| &step.id);
                stage.say(&format!("{} at {step}", hook.bead.id));
                self.plan = plan(&self.script, &hook);
                Turn::Acted
            }
            Ok(None) => self.end(0),
            Err(why) => self.fail(stage, &why),
        }
    }

    fn close(&mut self, stage: &mut dyn Stage, step: String, retries: u32, again: Vec<Action>) -> Turn {
        match stage.gt(&["step", "done", &step]).code {
            0 => Turn::Acted,
            REFUSED if retries > 0 => {
                let deeds = again.clone();
                self.plan = [Action::Pause(RETRY_PAUSE)].into_iter().chain(deeds).collect();
                self.plan.push_back(Action::Close { step, retries: retries - 1, again });
                Turn::Acted
            }
            code => self.fail(stage, &format!("`gt step done {step}` failed ({code})")),
        }
    }

    fn wait_for(&mut self, stage: &mut dyn Stage, mark: Mark, looks: u32) -> Turn {
        if stage.is_signalled(&mark) {
            return Turn::Acted;
        }
        if looks == AWAIT_LIMIT {
            return self.fail(stage, &format!("waited too long for the mark {mark}"));
        }
        self.plan.push_front(Action::Await(mark, looks + 1));
        stage.pause(AWAIT_PAUSE);
        Turn::Waiting
    }

    fn do_simply(&mut self, stage: &mut dyn Stage, action: &Action) -> Turn {
        let (outcome, may_fail) = match action {
            Action::Gt { args, may_fail } => {
                (stage.gt(&args.iter().map(String::as_str).collect::<Vec<_>>()), *may_fail)
            }
            Action::Edit(edit) => (stage.edit(edit), false),
            Action::Run { argv, may_fail } => (stage.command(argv), *may_fail),
            Action::Commit(message) => (stage.commit(message), false),
            Action::Rebase(onto) => (stage.rebase(onto, true), false),
            Action::Signal(mark) => (stage.signal(mark), false),
            Action::Pause(how_long) => {
                stage.pause(*how_long);
                (Outcome::default(), false)
            }
            Action::Misbehave(misbehaviour) => {
                stage.misbehave(*misbehaviour);
                (Outcome::default(), false)
            }
            Action::Look | Action::Close { .. } | Action::Await(..) | Action::Hang | Action::End(_) => {
                (Outcome::default(), false)
            }
        };
        if outcome.code == 0 || may_fail {
            return Turn::Acted;
        }
        self.fail(stage, &format!("{action:?} failed ({}): {}", outcome.code, outcome.out.trim_end()))
    }

    fn fail(&mut self, stage: &mut dyn Stage, why: &str) -> Turn {
        stage.say(&format!("giving up: {why}"));
        self.end(1)
    }
}

/// Plans the actions for the hook's step, from its first pause to its closing.
pub fn plan(script: &Script, hook: &Hook) -> VecDeque<Action> {
    let step = hook.step.as_ref().map_or(SUBMIT, |step| &step.id);
    let place = Place { bead: &hook.bead.id, step, attempt: hook.attempt.number, incarnation: hook.incarnation };
    let acts: Vec<&Act> = script.acts.iter().filter(|act| act.applies(place)).collect();
    let mut plan = VecDeque::new();
    if !script.pace.step().is_zero() {
        plan.push_back(Action::Pause(script.pace.step()));
    }
    plan.extend(acts.iter().flat_map(|act| deeds(act, &hook.bead.id)));
    let skips = acts.iter().any(|act| act.skip_default);
    let deeds = if skips { Vec::new() } else { default_deeds(step, hook) };
    plan.extend(deeds.iter().cloned());
    if step != SUBMIT {
        let retries = if deeds.is_empty() { RETRIES } else { RETRIES_WITH_DEEDS };
        plan.push_back(Action::Close { step: step.to_owned(), retries, again: deeds });
    }
    plan
}

/// Returns the deeds of an act, in their order.
fn deeds(act: &Act, bead: &str) -> Vec<Action> {
    let mut deeds = Vec::new();
    deeds.extend(act.wait_ms.map(|ms| Action::Pause(Duration::from_millis(ms))));
    deeds.extend(act.write.iter().map(|(path, text)| Action::Edit(Edit::Write(path.clone(), text.clone()))));
    deeds.extend(act.append.iter().map(|(path, text)| Action::Edit(Edit::Append(path.clone(), text.clone()))));
    deeds.extend(act.remove.iter().map(|path| Action::Edit(Edit::Remove(path.clone()))));
    deeds.extend(act.patch.iter().map(|diff| Action::Edit(Edit::Patch(diff.clone()))));
    if !act.run.is_empty() {
        deeds.push(Action::Run { argv: act.run.clone(), may_fail: act.may_fail });
    }
    deeds.extend(act.commit.iter().map(|message| Action::Commit(message.clone())));
    deeds.extend(act.signal.iter().map(|mark| Action::Signal(mark.clone())));
    deeds.extend(act.wait_for.iter().map(|mark| Action::Await(mark.clone(), 0)));
    deeds.extend(act.misbehave.into_iter().flat_map(|misbehaviour| wrongs(misbehaviour, bead)));
    deeds
}

fn wrongs(misbehaviour: Misbehaviour, bead: &str) -> Vec<Action> {
    match misbehaviour {
        Misbehaviour::Hang => vec![Action::Hang],
        Misbehaviour::Exit => vec![Action::End(0)],
        Misbehaviour::Lie => vec![gt(&["done"], true), Action::End(0)],
        Misbehaviour::Close => vec![gt(&["bead", "close", bead], true)],
        Misbehaviour::Dirty => dirty_file().into_iter().collect(),
        Misbehaviour::Crash
        | Misbehaviour::WrongBranch
        | Misbehaviour::Flood
        | Misbehaviour::Orphan
        | Misbehaviour::MoveRef
        | Misbehaviour::Push => vec![Action::Misbehave(misbehaviour)],
    }
}

/// File that [`Misbehaviour::Dirty`] leaves.
pub const DIRTY_FILE: &str = "left-behind.txt";

fn dirty_file() -> Option<Action> {
    let path = FilePath::try_from(DIRTY_FILE.to_owned()).ok()?;
    Some(Action::Edit(Edit::Write(path, "not committed\n".to_owned())))
}

fn gt(args: &[&str], may_fail: bool) -> Action {
    Action::Gt { args: args.iter().map(|arg| (*arg).to_owned()).collect(), may_fail }
}

/// Returns what every worker does at a step. It only closes an unknown step.
pub fn default_deeds(step: &str, hook: &Hook) -> Vec<Action> {
    let notes = format!("Did what \"{}\" asks for.", hook.bead.title);
    match step {
        "load-context" => vec![gt(&["prime"], false)],
        "prepare-for-review" => vec![
            // The rebase may stop at a conflict; the worker resolves that by keeping both sides.
            gt(&["catch-up"], true),
            Action::Rebase(hook.trunk_ref.clone()),
            gt(&["bead", "update", &hook.bead.id, "--notes", &notes], false),
        ],
        SUBMIT => vec![gt(&["done"], false), Action::End(0)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
