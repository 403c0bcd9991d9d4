//! The frame of the command line: flags of every verb, groups of verbs in the help, and the quick path of verbs that agents call
//! often. The verbs themselves are in [`commands`](crate::commands).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, Parser, Subcommand, ValueEnum};
use gt_model::runtime::RuntimeChoice;

use crate::commands::{BeadArgs, BeadFlags, BeadVerb, Verb};

/// Many coding agents on several git repositories, and no work lost.
#[derive(Debug, Parser)]
#[command(name = "gt", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "First steps: gt demo · gt install ~/gt · gt help town\nExit codes: gt help exit-codes")]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Parses arguments that begin with a verb, by a grammar of only that verb. The whole grammar adds the global flags to each verb,
/// which takes longer than most verbs. Returns `None` for mistakes and `--help`, which need the whole grammar.
fn narrowly<C: Parser, Verbs: Subcommand>(args: &[OsString], flags: fn(Command) -> Command) -> Option<C> {
    let all = Verbs::augment_subcommands(Command::new(NAME));
    let verb = all.find_subcommand(args.get(1)?)?.clone();
    // gt has its own verb `help`.
    let grammar = flags(Command::new(NAME)).disable_help_subcommand(true).subcommand(verb);
    C::from_arg_matches(&grammar.try_get_matches_from(args).ok()?).ok()
}

/// Name of the program in grammars whose texts are not shown.
const NAME: &str = "gt";

impl Cli {
    /// Parses the calls that agents make most often, without a grammar.
    pub fn usual(args: &[OsString]) -> Option<Self> {
        let mut words: Vec<&str> = args.iter().skip(1).map(|arg| arg.to_str()).collect::<Option<_>>()?;
        let json = words.last() == Some(&"--json");
        words.truncate(words.len() - usize::from(json));
        Some(Self { global: Global { json, ..Global::default() }, verb: Verb::usual(&words)? })
    }

    /// Parses the arguments by a grammar of only their verb, if that is enough.
    pub fn narrowly(args: &[OsString]) -> Option<Self> {
        narrowly::<Self, Verb>(args, Global::augment_args)
    }
}

impl Bd {
    /// Parses the arguments by a grammar of only their verb, if that is enough.
    pub fn narrowly(args: &[OsString]) -> Option<Self> {
        narrowly::<Self, BeadVerb>(args, |command| BeadFlags::augment_args(Global::augment_args(command)))
    }
}

/// `gt` called as `bd`: only the verbs of beads, which is quicker than building the whole grammar.
#[derive(Debug, Parser)]
#[command(
    name = "bd",
    about = "Create, find, change and close beads: the tasks",
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(subcommand_help_heading = "Available Commands")]
#[command(after_help = "First steps: bd init · bd create \"Title\" · bd ready\nbd is gt bead: docs/ledger.md")]
pub struct Bd {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// The ledger, and the verb.
    #[command(flatten)]
    pub bead: BeadArgs,
}

// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Print facts as one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// The town's folder [default: $GT_TOWN, or found upwards from here]
    #[arg(long, global = true, value_name = "DIR")]
    pub town: Option<PathBuf>,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: ColorChoice,
    /// Print only facts and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log level: error, warn, info, debug, trace, or target=level,… [default: $GT_LOG]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = crate::diagnosis::parse_level, hide_short_help = true)]
    pub log_level: Option<String>,
}

/// Headings under which `gt help` and `docs/verbs.md` list the verbs.
///
/// clap cannot group commands, so a verb's display order carries its group: `#[command(display_order = Group::Land.order())]` at
/// its arguments. Inside a group, verbs stand in the order of [`Verb`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Make a town and add projects.
    Start,
    /// Say what to build.
    Assign,
    /// See what happens.
    Watch,
    /// Decide what lands.
    Land,
    /// Start, stop and configure the town.
    Town,
    /// Work and talk with agents.
    Beside,
    /// Get work back.
    Recover,
    /// Verbs that agents call.
    Agents,
    /// Parts of the town, and help.
    Other,
}

impl Group {
    /// All groups, in the order of the help.
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Assign,
        Self::Watch,
        Self::Land,
        Self::Town,
        Self::Beside,
        Self::Recover,
        Self::Agents,
        Self::Other,
    ];

    /// Returns the heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Assign => "Assign work",
            Self::Watch => "Watch progress",
            Self::Land => "Review and land work",
            Self::Town => "Run the town",
            Self::Beside => "Work beside the agents",
            Self::Recover => "Recover work",
            Self::Agents => "For agents",
            Self::Other => "Other",
        }
    }

    /// Returns the display order of the group's verbs: larger than any that clap gives by itself.
    pub const fn order(self) -> usize {
        1000 + self as usize
    }

    /// Returns the group of a verb. Hidden verbs have none.
    pub fn of(verb: &Command) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.order() == verb.get_display_order())
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Runtime of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeArg {
    /// In tmux where there is one that will do, else headless.
    Auto,
    /// In a terminal of the town's own tmux.
    Tmux,
    /// Without a terminal.
    Headless,
}

impl From<RuntimeArg> for RuntimeChoice {
    fn from(arg: RuntimeArg) -> Self {
        match arg {
            RuntimeArg::Auto => Self::Auto,
            RuntimeArg::Tmux => Self::Tmux,
            RuntimeArg::Headless => Self::Headless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &str) -> Vec<OsString> {
        words.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_verbs_own_grammar_reads_what_the_whole_one_reads() {
        for words in [
            "gt hook",
            "gt prime --json",
            "gt mail inbox",
            "gt mail inbox --unread --town /t",
            "gt sling app-1 app --json -q",
            "gt bead create Title -t bug --json",
            "gt rig gates add app test true",
            "gt log -n 5",
        ] {
            let args = args(words);
            let parsed = Cli::try_parse_from(&args).unwrap();
            assert_eq!(format!("{:?}", Cli::narrowly(&args).unwrap()), format!("{parsed:?}"), "{words}");
            let usual = Cli::usual(&args).map(|usual| format!("{usual:?}"));
            assert!(usual.is_none_or(|usual| usual == format!("{parsed:?}")), "{words}");
        }
        for words in ["bd create Title -p 1 --deps app-2 --actor ann", "bd view app-1 --json", "bd list --all -n 3"] {
            let args = args(words);
            let parsed = Bd::try_parse_from(&args).unwrap();
            assert_eq!(format!("{:?}", Bd::narrowly(&args).unwrap()), format!("{parsed:?}"), "{words}");
        }
    }

    #[test]
    fn mistakes_and_help_are_left_to_the_whole_grammar() {
        for words in ["gt", "gt --json", "gt --json hook", "gt hook --help", "gt hok", "gt prime --moment", "gt mail"] {
            assert!(Cli::narrowly(&args(words)).is_none() && Cli::usual(&args(words)).is_none(), "{words}");
        }
    }
}
