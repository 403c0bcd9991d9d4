//! `gt help`: verbs in groups, topics, exit codes, the list of verbs for the docs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use gt_town::Error;

use crate::Process;
use crate::cli::{Cli, Group};
use crate::console::{Console, printable};
use crate::error::{CliError, CliResult, EXIT_CODES};

/// Explain a verb or a topic: town, rig, polecats, refinery, formulas, mail, recovery, agents, exit-codes
#[derive(Debug, Args)]
#[command(display_order = Group::Other.order())]
pub struct HelpArgs {
    /// The verb or topic
    words: Vec<String>,
    /// Print the list of all verbs, as docs/verbs.md has it
    #[arg(long, hide = true)]
    markdown: bool,
    /// Write a man page for each verb to a folder, gt.1 and so on: gt help --man ~/.local/share/man/man1
    #[arg(long, value_name = "DIR", conflicts_with_all = ["words", "markdown"])]
    man: Option<PathBuf>,
}

/// Topics of `gt help <topic>`.
const TOPICS: &[(&str, &str)] = &[
    ("town", include_str!("../help/town.txt")),
    ("rig", include_str!("../help/rig.txt")),
    ("polecats", include_str!("../help/polecats.txt")),
    ("refinery", include_str!("../help/refinery.txt")),
    ("formulas", include_str!("../help/formulas.txt")),
    ("mail", include_str!("../help/mail.txt")),
    ("recovery", include_str!("../help/recovery.txt")),
    ("agents", include_str!("../help/agents.txt")),
];

/// Topic whose text is the binary's own table of exit codes.
const EXIT_CODES_TOPIC: &str = "exit-codes";

/// Returns the whole grammar: all texts of help, with the verbs in groups.
pub fn command() -> Command {
    let mut command = Cli::command();
    // Texts of a verb are known only once it is built.
    command.build();
    let groups = groups_text(&command);
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}{{after-help}}"
    ))
}

fn groups_text(command: &Command) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let _ = writeln!(text, "{}:", group.heading());
        for verb in verbs_of(group, command) {
            let _ = writeln!(text, "  {:<12} {}", verb.get_name(), about(verb));
        }
        text.push('\n');
    }
    text
}

fn verbs_of(group: Group, command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(move |verb| Group::of(verb) == Some(group))
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// Runs `gt help`.
pub fn help(args: &HelpArgs, process: &Process, console: &mut Console<'_>) -> CliResult {
    let HelpArgs { words, markdown, man } = args;
    if let Some(folder) = man {
        return man_pages(folder, process, console);
    }
    let mut command = command();
    if *markdown {
        console.line(verbs_markdown(&command).trim_end())?;
        return Ok(0);
    }
    let Some(first) = words.first() else {
        console.line(&command.render_help().to_string())?;
        return Ok(0);
    };
    if first == EXIT_CODES_TOPIC {
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

/// Runs `gt help --man`.
fn man_pages(folder: &Path, process: &Process, console: &mut Console<'_>) -> CliResult {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    render("gt", &command, &mut pages)?;
    let (disk, folder) = (process.outside.world.disk(), process.cwd.join(folder));
    disk.create_dir(&folder).map_err(Error::from)?;
    for (name, page) in &pages {
        disk.write(&folder.join(format!("{name}.1")), page).map_err(Error::from)?;
    }
    console.line(&format!("wrote {} pages to {}", pages.len(), printable(&folder.display().to_string())))?;
    Ok(0)
}

/// Renders the pages of a verb and of those below it, each with its name.
fn render(name: &str, command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), CliError> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(name).render(&mut page).map_err(CliError::Io)?;
    pages.push((name.to_owned(), page));
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    shown.into_iter().try_for_each(|verb| render(&format!("{name}-{}", verb.get_name()), verb, pages))
}

fn topic(name: &str, console: &mut Console<'_>) -> CliResult {
    let (_, text) = TOPICS.iter().find(|(topic, _)| *topic == name).ok_or_else(|| unknown(name))?;
    console.line(text.trim_end())?;
    Ok(0)
}

fn unknown(word: &str) -> CliError {
    CliError::Usage {
        what: format!("no verb or topic is called `{word}`"),
        hint: format!("topics: {}; verbs: gt help", topics().join(", ")),
    }
}

/// Returns the names of all topics.
pub fn topics() -> Vec<&'static str> {
    TOPICS.iter().map(|(name, _)| *name).chain([EXIT_CODES_TOPIC]).collect()
}

/// Renders the list of verbs for `docs/verbs.md`.
fn verbs_markdown(command: &Command) -> String {
    let mut text =
        "# Verbs\n\nWritten by `gt help --markdown`; a test compares. `gt help <verb>` says what each takes.\n"
            .to_owned();
    for group in Group::ALL {
        let _ = write!(text, "\n## {}\n\n| verb | |\n|---|---|\n", group.heading());
        verbs_of(group, command).for_each(|verb| rows(verb, "gt", &mut text));
    }
    text
}

fn rows(command: &Command, before: &str, text: &mut String) {
    let name = format!("{before} {}", command.get_name());
    let subs: Vec<&Command> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
    if !command.is_subcommand_required_set() {
        let arguments: String = command.get_positionals().map(|arg| format!(" {arg}")).collect();
        let about = about(command).replace('|', "\\|");
        let _ = writeln!(text, "| `{name}{}` | {about} |", arguments.replace('|', "\\|"));
    }
    for sub in subs.into_iter().filter(|sub| sub.get_name() != "help") {
        rows(sub, &name, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_that_is_shown_has_a_group() {
        let command = command();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let without: Vec<&str> = shown.filter(|verb| Group::of(verb).is_none()).map(Command::get_name).collect();
        assert_eq!(without, [""; 0]);
    }

    /// Returns the files that the verbs below a command should have, under `commands/`.
    fn files(command: &Command, below: &str) -> Vec<String> {
        let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help" || below.is_empty());
        let file = |verb: &Command| {
            let path = format!("{below}{}", verb.get_name().replace('-', "_"));
            if verb.has_subcommands() { files(verb, &format!("{path}/")) } else { vec![format!("{path}.rs")] }
        };
        verbs.flat_map(file).collect()
    }

    #[test]
    fn each_verb_has_a_file_of_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
        let all = files(&command(), "");
        let missing: Vec<&String> = all.iter().filter(|file| !folder.join(file).exists()).collect();
        assert!(missing.is_empty() && all.len() > 100, "{missing:?} of {}", all.len());
    }

    #[test]
    fn topics_fit_on_a_screen_and_name_verbs_that_there_are() {
        let command = command();
        for (name, text) in TOPICS {
            assert!(text.lines().all(|line| line.chars().count() <= 125), "{name}: a line is too long");
            for line in text.lines().filter_map(|line| line.strip_prefix("  gt ")) {
                let mut at = &command;
                for word in line.split([' ', ',', '|']) {
                    let Some(next) = at.find_subcommand(word) else { break };
                    at = next;
                }
                assert!(!at.is_subcommand_required_set(), "{name}: gt {line}");
            }
        }
    }
}
