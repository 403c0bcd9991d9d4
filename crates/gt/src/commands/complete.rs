//! `gt complete`: what could come next on a command line, live ids included. Shells call this hidden verb.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, Command};
use gt_ledger::BeadFilter;
use gt_model::bead::BeadType;
use gt_town::town::config::keys::{RIG, TOWN};
use gt_town::{Error, Town};

use crate::Process;
use crate::cli::Global;
use crate::commands::help;
use crate::console::{Console, printable};
use crate::context::{TownHandle, open_town};
use crate::error::CliResult;

/// Maximum number of ids of one kind that are offered.
const LIVE_LIMIT: u32 = 200;

/// A word that could come next, and what it is.
type Candidate = (String, String);

/// Print what could come next on a command line, for shells
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct CompleteArgs {
    /// The command line up to the cursor, the program's name first
    #[arg(last = true)]
    words: Vec<String>,
}

/// Runs `gt complete`: prints a line for each candidate, `<word>\t<what it is>`. Leaves out what it can't find: no person reads an error here.
pub fn complete(args: &CompleteArgs, process: &Process, console: &mut Console<'_>) -> CliResult {
    let command = help::command();
    let line = Line::read(&command, &args.words);
    let live = |kind| live(kind, line.town.as_deref(), process);
    for (word, what) in line.candidates(&live) {
        if word.starts_with(&line.current) {
            console.line(&format!("{}\t{}", printable(&word), printable(&what)))?;
        }
    }
    Ok(0)
}

/// A parsed command line up to the cursor.
struct Line<'c> {
    /// Verb at the end of the line.
    verb: &'c Command,
    /// Names on the way to the verb.
    path: Vec<&'c str>,
    /// Number of positional words so far.
    positionals: usize,
    /// Flag whose value comes next.
    awaits: Option<&'c Arg>,
    /// Typed part of the word at the cursor.
    current: String,
    /// Value of `--town`.
    town: Option<String>,
}

impl<'c> Line<'c> {
    fn read(root: &'c Command, words: &[String]) -> Self {
        let (current, before) = words.split_last().map_or((String::new(), &[][..]), |(last, all)| (last.clone(), all));
        let mut line = Self { verb: root, path: Vec::new(), positionals: 0, awaits: None, current, town: None };
        if before.first().is_some_and(|name| name.rsplit('/').next() == Some("bd")) {
            line.word("bead");
        }
        for word in before.iter().skip(1) {
            line.word(word);
        }
        line
    }

    fn word(&mut self, word: &str) {
        if let Some(arg) = self.awaits.take() {
            if arg.get_id() == "town" {
                self.town = Some(word.to_owned());
            }
        } else if let Some(flag) = word.strip_prefix('-') {
            self.awaits = self.flag(flag).filter(|arg| takes_value(arg));
        } else if let Some(verb) = self.verb.find_subcommand(word).filter(|_| self.positionals == 0) {
            self.verb = verb;
            self.path.push(verb.get_name());
        } else {
            self.positionals += 1;
        }
    }

    /// Returns the flag that a word is, given without its first dash. A word with `=` has its value already.
    fn flag(&self, word: &str) -> Option<&'c Arg> {
        let is = |arg: &&Arg| match word.strip_prefix('-') {
            Some(long) => arg.get_long() == Some(long),
            None => arg.get_short().map(String::from).as_deref() == Some(word),
        };
        self.verb.get_arguments().find(is)
    }

    fn candidates(&self, live: &dyn Fn(Live) -> Vec<Candidate>) -> Vec<Candidate> {
        if let Some(arg) = self.awaits {
            return self.values(arg, live);
        }
        if self.current.starts_with('-') {
            return self.verb.get_arguments().filter_map(long).collect();
        }
        if self.path == ["help"] {
            let topics = help::topics().into_iter().map(|topic| (topic.to_owned(), "topic".to_owned()));
            return topics.chain(self.verbs_of_gt(live)).collect();
        }
        let verbs = visible(self.verb);
        if !verbs.is_empty() && self.positionals == 0 {
            return verbs;
        }
        let all: Vec<&Arg> = self.verb.get_positionals().collect();
        let last = all.last().filter(|arg| takes_many(arg));
        all.get(self.positionals).or(last).map_or_else(Vec::new, |arg| self.values(arg, live))
    }

    fn verbs_of_gt(&self, _live: &dyn Fn(Live) -> Vec<Candidate>) -> Vec<Candidate> {
        visible(&help::command())
    }

    fn values(&self, arg: &Arg, live: &dyn Fn(Live) -> Vec<Candidate>) -> Vec<Candidate> {
        let known = arg.get_possible_values();
        if !known.is_empty() && takes_value(arg) {
            let what = |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string);
            return known.iter().map(|v| (v.get_name().to_owned(), what(v).unwrap_or_default())).collect();
        }
        kinds(&self.path, arg.get_id().as_str()).iter().flat_map(|kind| live(*kind)).collect()
    }
}

fn visible(command: &Command) -> Vec<Candidate> {
    let subs = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    subs.map(|sub| (sub.get_name().to_owned(), sub.get_about().map(ToString::to_string).unwrap_or_default())).collect()
}

fn long(arg: &Arg) -> Option<Candidate> {
    let name = arg.get_long().filter(|_| !arg.is_hide_set())?;
    Some((format!("--{name}"), arg.get_help().map(ToString::to_string).unwrap_or_default()))
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn takes_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Kinds of names that a town has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Live {
    Rigs,
    Kinds,
    Beads,
    Convoys,
    MergeRequests,
    Workers,
    Agents,
    Mail,
    Formulas,
    Molecules,
    Steps,
    TownKeys,
    RigKeys,
    NewTownKeys,
    NewRigKeys,
}

/// Returns the kinds of names that an argument of a verb takes.
fn kinds(path: &[&str], arg: &str) -> &'static [Live] {
    match (path, arg) {
        (["rig", "add", ..], _) => &[],
        (["rig", "set"], "settings") => &[Live::NewRigKeys],
        (["town", "set"], "settings") => &[Live::NewTownKeys],
        (["config", "set"], "settings") => &[Live::NewTownKeys, Live::NewRigKeys],
        (["config", ..], "key") => &[Live::TownKeys, Live::RigKeys],
        (["formula", "new"], _) => &[],
        (_, "formula" | "formulas") => &[Live::Formulas],
        (["mol", ..], "bead") => &[Live::Molecules, Live::Beads],
        (_, "molecule") => &[Live::Molecules],
        (["step", ..], "step") => &[Live::Steps],
        (_, "rig") | (["rig", ..], "name") => &[Live::Rigs],
        (_, "agent" | "kind") => &[Live::Kinds],
        (["sling"], "words") => &[Live::Beads, Live::Rigs],
        (["mq", ..], "id" | "ids") => &[Live::MergeRequests],
        (["convoy", ..], "id") | (_, "convoy") => &[Live::Convoys],
        (["mail", ..], "id") => &[Live::Mail],
        (["why" | "show"], "id") => {
            &[Live::Beads, Live::MergeRequests, Live::Convoys, Live::Workers, Live::Agents, Live::Rigs]
        }
        (["polecat", ..], "which") => &[Live::Workers, Live::Beads],
        (_, "bead" | "beads" | "on" | "deps" | "which") | (["bead", ..], "id" | "ids") => &[Live::Beads],
        (_, "address" | "session" | "to" | "of") => &[Live::Workers, Live::Agents],
        _ => &[],
    }
}

/// Returns keys of settings with their meaning; for setting them, each followed by `=`.
fn keys(kind: Live) -> Option<Vec<Candidate>> {
    let (keys, end) = match kind {
        Live::TownKeys => (TOWN, ""),
        Live::RigKeys => (RIG, ""),
        Live::NewTownKeys => (TOWN, "="),
        Live::NewRigKeys => (RIG, "="),
        _ => return None,
    };
    Some(keys.iter().map(|key| (format!("{}{end}", key.name), key.text.to_owned())).collect())
}

/// Returns the present names; none where there is no town.
fn live(kind: Live, town: Option<&str>, process: &Process) -> Vec<Candidate> {
    if let Some(keys) = keys(kind) {
        return keys;
    }
    let global = Global { town: town.map(PathBuf::from), ..Global::default() };
    let Ok(town) = open_town(&global, process) else { return Vec::new() };
    found(kind, &town).unwrap_or_default()
}

fn found(kind: Live, town: &TownHandle) -> Result<Vec<Candidate>, Error> {
    let town: &Town = town;
    town.ledger.read(|view| {
        Ok(match kind {
            Live::Rigs => view.rigs()?.into_iter().map(|rig| (rig.name.to_string(), rig.remote)).collect(),
            Live::Kinds => {
                let kinds = town.settings.agents.keys().chain(town.outside.presets.keys());
                kinds.map(|kind| (kind.clone(), "kind of agent".to_owned())).collect()
            }
            Live::Beads => {
                let filter = BeadFilter { limit: Some(LIVE_LIMIT), ..BeadFilter::default() };
                let beads = view.beads(&filter)?.into_iter();
                let beads = beads.filter(|bead| ![BeadType::Message, BeadType::Convoy].contains(&bead.issue_type));
                beads.map(|bead| (bead.id.0, bead.title)).collect()
            }
            Live::Convoys => {
                let filter =
                    BeadFilter { issue_type: Some(BeadType::Convoy), limit: Some(LIVE_LIMIT), ..BeadFilter::default() };
                view.beads(&filter)?.into_iter().map(|bead| (bead.id.0, bead.title)).collect()
            }
            Live::MergeRequests => {
                let open = view.open_merge_requests(None)?.into_iter();
                open.map(|mr| (mr.id.0, format!("of {}", mr.bead))).collect()
            }
            Live::Workers => {
                let hooked = view.present_attempts()?.into_iter().filter(gt_ledger::Attempt::is_hooked);
                hooked.map(|attempt| (attempt.address().to_string(), format!("on {}", attempt.bead))).collect()
            }
            Live::Agents => {
                let agents = view.agents()?.into_iter().filter(|agent| agent.removed_at.is_none());
                agents.map(|agent| (agent.address.to_string(), "agent".to_owned())).collect()
            }
            Live::Mail => {
                let mail = view.inbox(&gt_model::address::Address::Overseer, false)?.into_iter();
                mail.map(|mail| (mail.id.0, mail.subject)).collect()
            }
            Live::Formulas => {
                let formulas = town.formulas(None)?.into_iter();
                formulas.map(|(name, origin)| (name, origin.to_string())).collect()
            }
            Live::Molecules => {
                let live = view.live_molecules()?.into_iter();
                live.map(|molecule| (molecule.id.to_string(), molecule.formula)).collect()
            }
            Live::Steps => {
                let steps = view.live_molecules()?.into_iter().map(|molecule| {
                    let ready = view.ready_steps(molecule.id)?.into_iter();
                    Ok(ready.map(move |step| (format!("{}/{}", molecule.id, step.step.id), step.step.title)))
                });
                steps.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect()
            }
            Live::TownKeys | Live::RigKeys | Live::NewTownKeys | Live::NewRigKeys => keys(kind).unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_understood_up_to_the_cursor() {
        let command = help::command();
        let live = |kind: Live| vec![(format!("<{kind:?}>"), String::new())];
        let check = |line: &str, expected: &[&str]| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let line = Line::read(&command, &words);
            let found: Vec<String> = line.candidates(&live).into_iter().map(|(word, _)| word).collect();
            let missing: Vec<_> = expected.iter().filter(|word| !found.contains(&(**word).to_owned())).collect();
            assert!(missing.is_empty() && expected.is_empty() == found.is_empty(), "{words:?}: {found:?}");
        };
        check("gt ", &["status", "mq", "do"]);
        check("gt mq ", &["list", "diff", "approve"]);
        check("gt mq approve ", &["<MergeRequests>"]);
        check("gt mq approve mr-1 ", &["<MergeRequests>"]);
        check("gt --town /t mq diff ", &["<MergeRequests>"]);
        check("gt mq diff --", &["--stat", "--json", "--town"]);
        check("gt do x --rig ", &["<Rigs>"]);
        check("gt do x --runtime ", &["tmux", "headless"]);
        check("gt sling ap-1 ", &["<Beads>", "<Rigs>"]);
        check("gt why ", &["<Beads>", "<Convoys>", "<Workers>"]);
        check("gt peek ", &["<Workers>", "<Agents>"]);
        check("gt rig remove ", &["<Rigs>"]);
        check("gt rig add ", &[]);
        check("gt config get ", &["<TownKeys>", "<RigKeys>"]);
        check("gt config explain ", &["<TownKeys>", "<RigKeys>"]);
        check("gt rig set app ", &["<NewRigKeys>"]);
        check("gt rig set app landing=auto ", &["<NewRigKeys>"]);
        check("gt town set ", &["<NewTownKeys>"]);
        let told = keys(Live::NewRigKeys).unwrap();
        assert!(told.iter().any(|(key, text)| key == "landing=" && !text.is_empty()), "{told:?}");
        check("gt agent check ", &["<Kinds>"]);
        check("gt help ", &["refinery", "exit-codes", "status"]);
        check("gt completions ", &["bash", "zsh", "fish"]);
        check("bd show ", &["<Beads>"]);
        check("gt mail read ", &["<Mail>"]);
        check("gt formula plan ", &["<Formulas>"]);
        check("gt formula new ", &[]);
        check("gt mol upgrade ", &["<Molecules>"]);
        check("gt mol status ", &["<Molecules>", "<Beads>"]);
        check("gt mol pour x --bead ", &["<Beads>"]);
        check("gt step gate open ", &["<Steps>"]);
        check("gt nonsense ", &[]);
    }
}
