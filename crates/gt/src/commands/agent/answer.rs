//! `gt agent answer`.

use clap::{Args, ValueEnum};
use gt_town::moments::asking::{self, Answer};

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Answer a question that an agent asks in its terminal: may it use a tool, is a folder or a key trusted
///
/// An agent without a terminal asks nothing: `gt status` shows under "needs you" what it was denied, and the command that allows it.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The agent's address, as `gt status` shows it
    address: String,
    /// The answer
    #[arg(value_enum)]
    answer: AnswerArg,
}

/// Answer of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AnswerArg {
    /// This once
    Yes,
    /// No; the agent is told so, and continues without
    No,
    /// Now, and from now on without asking, for all agents of the rig: gt rig allow
    Always,
}

/// Runs `gt agent answer`.
pub fn answer(args: &AnswerArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let answer = match args.answer {
        AnswerArg::Yes => Answer::Yes,
        AnswerArg::No => Answer::No,
        AnswerArg::Always => Answer::Always,
    };
    let answered = asking::answer(&context.town, &context.caller, &args.address, answer)?;
    if console.is_json() {
        return console.facts("gt.answered/1", "answered", answered);
    }
    console.say(&format!("answered {}: {}", answered.address, printable(&answered.asked)))?;
    if let Some(allowed) = &answered.allowed {
        console.say(&format!("allowed without asking from now on: {}", printable(allowed)))?;
    }
    Ok(0)
}
