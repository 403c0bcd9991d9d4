//! Molecules: formulas that were poured, and the engine that runs them.
//!
//! [`pour`] plans a formula and stores its steps. A molecule on a worker's hook is followed by the worker (`work/hook.rs`). The
//! engine does the rest: [`look`] opens gates, closes groups and hands out steps for agents as beads, and [`run`] runs commands.
//! [`steps`] has what people do to single steps, [`words`] describes what a step waits for, [`upgrade`] moves a molecule to a newer formula, and
//! [`trial`] runs a plan to its end without doing anything.
//!
//! A crash loses nothing. Each change of a step is one transaction, and a command whose result was not recorded runs again.

mod acts;
mod bond;
mod gates;
mod hand_out;
mod order;
mod pass;
mod run;
mod schedule;
pub mod steps;
mod tidy;
pub mod trial;
pub mod upgrade;
pub mod words;

pub use order::{Order, attach, plan, pour};
pub use pass::{Job, Pass, look};
pub use run::run;
