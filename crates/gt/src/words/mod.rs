//! Words for the engine's facts, as people read them in texts and in the JSON of `--json`.

mod answer;
mod doing;
mod json;
mod todo;

pub use answer::{answer, next};
pub use doing::{agent, attempt, worker};
pub use json::Worded;
pub use todo::{hint, todo};

#[cfg(test)]
mod tests;
