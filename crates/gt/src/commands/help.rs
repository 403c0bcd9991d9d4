//! Help beyond `--help`: topics, exit codes, completions.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::console::Console;
use crate::error::{CliError, CliResult, EXIT_CODES};

/// Topics of `gt help <topic>`.
const TOPICS: &[(&str, &str)] = &[
    ("town", include_str!("../help/town.txt")),
    ("rig", include_str!("../help/rig.txt")),
    ("polecats", include_str!("../help/polecats.txt")),
    ("refinery", include_str!("../help/refinery.txt")),
    ("mail", include_str!("../help/mail.txt")),
    ("recovery", include_str!("../help/recovery.txt")),
];

/// `gt help`.
pub fn help(words: &[String], console: &mut Console<'_>) -> CliResult {
    let mut command = Cli::command();
    command.build();
    let Some(first) = words.first() else {
        console.line(&command.render_help().to_string())?;
        return Ok(0);
    };
    if first == "exit-codes" {
        for (code, meaning) in EXIT_CODES {
            console.line(&format!("{code:>3}  {meaning}"))?;
        }
        return Ok(0);
    }
    let mut found = &mut command;
    for (at, word) in words.iter().enumerate() {
        match found.find_subcommand_mut(word) {
            Some(next) => found = next,
            None if at == 0 => return topic(first, console),
            None => return Err(unknown(word)),
        }
    }
    console.line(&found.render_long_help().to_string())?;
    // A verb may be a topic as well: `gt help rig`.
    if words.len() == 1
        && let Some((_, text)) = TOPICS.iter().find(|(name, _)| name == first)
    {
        console.line(text.trim_end())?;
    }
    Ok(0)
}

fn topic(name: &str, console: &mut Console<'_>) -> CliResult {
    let (_, text) = TOPICS.iter().find(|(topic, _)| *topic == name).ok_or_else(|| unknown(name))?;
    console.line(text.trim_end())?;
    Ok(0)
}

fn unknown(word: &str) -> CliError {
    let topics: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
    CliError::Usage {
        what: format!("no verb or topic is called `{word}`"),
        hint: format!("topics: {}, exit-codes; verbs: gt help", topics.join(", ")),
    }
}

/// `gt completions`.
pub fn completions(shell: clap_complete::Shell, console: &mut Console<'_>) -> CliResult {
    clap_complete::generate(shell, &mut Cli::command(), "gt", console.out());
    Ok(0)
}
