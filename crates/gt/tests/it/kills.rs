//! Kills actors in the simulated world: records which fault points each actor passes, and kills one actor at one point.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use gt_world::faults::Faults;

/// An actor in a simulated town.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    Deacon,
    Refinery,
    Worker,
    Overseer,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deacon => "deacon",
            Self::Refinery => "refinery",
            Self::Worker => "worker",
            Self::Overseer => "overseer",
        })
    }
}

/// One kill: the actor, the point, and at which pass of the point, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    pub point: String,
    pub actor: Actor,
    pub pass: u32,
}

/// Number of passes of each point by each actor.
pub type Passes = BTreeMap<(String, Actor), u32>;

/// Payload of a killed actor's unwinding.
struct Killed;

#[derive(Default)]
struct State {
    acting: Vec<Actor>,
    passes: Passes,
    kill: Option<Kill>,
    /// Points where an actor was killed.
    deaths: Vec<String>,
}

/// Watches a town's fault points. Clones share their state.
#[derive(Clone, Default)]
pub struct Kills(Arc<Mutex<State>>);

impl Kills {
    /// Creates it with one kill, or with none.
    pub fn new(kill: Option<Kill>) -> Self {
        Self(Arc::new(Mutex::new(State { kill, ..State::default() })))
    }

    /// Returns the fault points for the town.
    pub fn faults(&self) -> Faults {
        let kills = self.clone();
        Faults::watched(move |point| kills.pass(point))
    }

    /// Returns how often each actor passed each point.
    pub fn passes(&self) -> Passes {
        self.with(|state| state.passes.clone())
    }

    /// Returns where actors have died so far.
    pub fn deaths(&self) -> Vec<String> {
        self.with(|state| state.deaths.clone())
    }

    /// Lets an actor act. Returns `None` if it died; then everything that it had in memory is gone.
    pub fn act<T>(&self, actor: Actor, deed: impl FnOnce() -> T) -> Option<T> {
        self.with(|state| state.acting.push(actor));
        let result = catch_unwind(AssertUnwindSafe(deed));
        self.with(|state| state.acting.pop());
        match result {
            Ok(value) => Some(value),
            Err(death) if death.is::<Killed>() => None,
            Err(other) => resume_unwind(other),
        }
    }

    fn pass(&self, point: &str) {
        if self.with(|state| state.pass(point)) {
            // No panic hook runs, because this is not a failure.
            resume_unwind(Box::new(Killed));
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut State) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Returns whether the actor dies at this pass.
    fn pass(&mut self, point: &str) -> bool {
        let Some(actor) = self.acting.last().copied() else { return false };
        let passes = self.passes.entry((point.to_owned(), actor)).or_default();
        *passes += 1;
        let dies = self
            .kill
            .as_ref()
            .is_some_and(|kill| (kill.point.as_str(), kill.actor, kill.pass) == (point, actor, *passes));
        if dies {
            self.deaths.push(point.to_owned());
        }
        dies
    }
}
