//! The shim of a contained command.
#![expect(clippy::disallowed_methods, reason = "the shim starts its command, and reckons its deadlines on its own")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::output::Output;
use super::record::{COULD_NOT_START, COULD_NOT_START_CODE, PROTOCOL};
use super::stand_apart;
use super::tree::{self, Bell, Order, Outcome, Overseer, Why, watch};
use crate::{Above, ENDED_BY_REQUEST, Exit, Runtime};

/// How long a tree may take to end, after its command has ended or has run out of time, before the shim uses force.
const GRACE: Duration = Duration::from_secs(1);
/// How often the shim looks at the clock if nothing happens.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The report that a command's shim writes to its stdout, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub protocol: u32,
    pub end: CommandEnd,
    pub took_micros: u64,
    pub tail: Vec<String>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommandEnd {
    Ended(Exit),
    TimedOut,
}

/// Runs a command to its end. The caller holds the other end of stdin: when that closes, the caller is gone. The caller has
/// opened the log, which is stderr: the shim opens nothing by a path that an agent may have prepared.
pub(super) fn contain(timeout_millis: u64, argv: &[OsString]) -> ExitCode {
    match run(Duration::from_millis(timeout_millis), argv) {
        Ok(report) => match serde_json::to_writer(io::stdout(), &report) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            // The caller gets no report, and finds the error in the log.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(timeout: Duration, argv: &[OsString]) -> io::Result<Report> {
    stand_apart(Runtime::Headless, Above::Command)?;
    let bell = Bell::install()?;
    let (reader, writer) = io::pipe()?;
    let mut output = Output::new(reader, File::from(io::stderr().as_fd().try_clone_to_owned()?));
    let begun = Instant::now();
    let child = Command::new(&argv[0])
        .args(&argv[1..])
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .spawn();
    let (end, over_at) = match child {
        Ok(child) => {
            let mut overseer = Caller { deadline: begun.checked_add(timeout), lifeline: io::stdin(), bell: &bell };
            let outcome = watch(Pid::from_child(&child), &bell, &mut output, &mut overseer);
            (end_of(outcome), outcome.at)
        }
        Err(error) => (could_not_start(&argv[0], &error, &mut output), Instant::now()),
    };
    output.finish();
    let took_micros = u64::try_from((over_at - begun).as_micros()).unwrap_or(u64::MAX);
    Ok(Report { protocol: PROTOCOL, end, took_micros, tail: output.tail() })
}

fn could_not_start(program: &OsString, error: &io::Error, output: &mut Output) -> CommandEnd {
    let reason = format!("{COULD_NOT_START}: {}: {error}", program.display());
    output.say(&reason);
    CommandEnd::Ended(Exit { code: Some(COULD_NOT_START_CODE), signal: None, reason })
}

fn end_of(outcome: Outcome) -> CommandEnd {
    let reason = match outcome.why {
        Why::TimedOut => return CommandEnd::TimedOut,
        Why::Requested | Why::CallerGone | Why::TownGone | Why::HungUp => ENDED_BY_REQUEST,
        Why::Over if outcome.status.is_some_and(|status| status.signaled()) => "ended by a signal",
        Why::Over => "exited",
    };
    CommandEnd::Ended(tree::exit(outcome.status, reason))
}

/// Decides when a command's tree must end.
struct Caller<'a> {
    deadline: Option<Instant>,
    lifeline: io::Stdin,
    bell: &'a Bell,
}

impl Caller<'_> {
    fn is_gone(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.lifeline, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}

impl Overseer for Caller<'_> {
    fn order(&mut self, now: Instant) -> Option<Order> {
        let why = if self.deadline.is_some_and(|deadline| now >= deadline) {
            Why::TimedOut
        } else if self.is_gone() {
            Why::CallerGone
        } else if self.bell.take_end_request() {
            Why::Requested
        } else {
            return None;
        };
        Some(Order { why, grace: GRACE })
    }

    fn look_again(&self, now: Instant) -> Duration {
        let left = self.deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(now));
        left.min(LOOK_AGAIN)
    }

    fn listens_to(&self) -> Option<BorrowedFd<'_>> {
        Some(self.lifeline.as_fd())
    }

    fn leftover_grace(&self) -> Duration {
        GRACE
    }
}
