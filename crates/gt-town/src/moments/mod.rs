//! Moments of a session: the calls of clients' hooks, and a person's ways to reach a running agent.
//!
//! [`answer`] is the door for hooks: a client calls `gt` at a start, a prompt, a tool or a stop, and gets an answer within
//! milliseconds. [`nudge`] wakes an idle agent. [`asking`] finds an agent's question on its terminal and types a person's
//! answer. [`allow`] keeps the patterns that a person allows agents beyond their work.
//!
//! A moment records marks and delivers mail. It does not start, stop or judge agents: the deacon and the witness do, from the
//! marks.

pub mod allow;
mod answer;
pub mod asking;
pub mod nudge;

pub use answer::*;
