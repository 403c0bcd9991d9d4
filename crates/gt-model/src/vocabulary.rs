//! Words that people type for a status, a type of bead or a type of dependency: known words, their synonyms, and suggestions for
//! mistyped ones.
//!
//! Beads from files keep any word ([`crate::bead`]), but words that a person types are checked here. Otherwise a typing error
//! could give a bead a status that no verb handles.

use crate::bead::{BeadType, DepType, Status};

/// A word that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} `{word}`")]
pub struct UnknownWord {
    /// Kind of word: "status", "issue type" or "dependency type".
    pub what: &'static str,
    /// The word as typed.
    pub word: String,
    /// Known word that was probably meant.
    pub nearest: Option<String>,
    /// All words that are allowed.
    pub known: Vec<String>,
}

impl UnknownWord {
    /// Returns a hint with the words to type instead.
    pub fn hint(&self) -> String {
        let known = self.known.join(", ");
        match &self.nearest {
            Some(nearest) => format!("did you mean `{nearest}`? Known: {known}"),
            None => format!("known: {known}"),
        }
    }
}

/// Synonyms for statuses.
const STATUS_ALIASES: &[(&str, &str)] = &[
    ("in-progress", "in_progress"),
    ("inprogress", "in_progress"),
    ("in progress", "in_progress"),
    ("wip", "in_progress"),
    ("done", "closed"),
    ("complete", "closed"),
    ("completed", "closed"),
    ("resolved", "closed"),
    ("todo", "open"),
    ("new", "open"),
    ("on-hold", "deferred"),
];

/// Synonyms for types of beads.
const TYPE_ALIASES: &[(&str, &str)] = &[
    ("feat", "feature"),
    ("enhancement", "feature"),
    ("fix", "bug"),
    ("defect", "bug"),
    ("dec", "decision"),
    ("adr", "decision"),
    ("investigation", "spike"),
    ("timebox", "spike"),
    ("user-story", "story"),
    ("user_story", "story"),
    ("ms", "milestone"),
    ("mr", "merge-request"),
    ("mol", "molecule"),
];

/// Status that only deletion sets.
const TOMBSTONE: &str = "tombstone";

/// Parses a status. `added` contains the words that the project has added.
pub fn status(word: &str, added: &[String]) -> Result<Status, UnknownWord> {
    let known: Vec<&str> = Status::KNOWN.iter().copied().filter(|known| *known != TOMBSTONE).collect();
    choose("status", word, &known, STATUS_ALIASES, added).map(|word| Status::from(word.as_str()))
}

/// Parses a type of bead. `added` contains the words that the project has added.
pub fn bead_type(word: &str, added: &[String]) -> Result<BeadType, UnknownWord> {
    choose("issue type", word, BeadType::KNOWN, TYPE_ALIASES, added).map(|word| BeadType::from(word.as_str()))
}

/// Meaning of a word for a dependency: its type and its direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Type of the dependency.
    pub kind: DepType,
    /// Whether the named bead depends on the new one, instead of the other way round.
    pub is_reversed: bool,
}

/// Parses the word in `<word>:<id>` for a new bead. `blocks:X` means that the new bead blocks X; `depends-on:X` and
/// `blocked-by:X` mean that it waits for X. All other words are types of the new bead's dependency on X.
pub fn wording(word: &str) -> Result<Wording, UnknownWord> {
    const WAITS: [&str; 2] = ["blocked-by", "depends-on"];
    let known: Vec<&str> = WAITS.iter().chain(DepType::KNOWN).copied().collect();
    let word = choose("dependency type", word, &known, &[], &[])?;
    let kind = if WAITS.contains(&word.as_str()) { DepType::Blocks } else { DepType::from(word.as_str()) };
    Ok(Wording { is_reversed: word == DepType::Blocks.as_str(), kind })
}

/// Parses a type of dependency for which both beads are named.
pub fn dep_type(word: &str) -> Result<DepType, UnknownWord> {
    wording(word).map(|wording| wording.kind)
}

fn choose(
    what: &'static str,
    word: &str,
    known: &[&str],
    aliases: &[(&str, &str)],
    added: &[String],
) -> Result<String, UnknownWord> {
    // A word that a project has added keeps its own meaning, even if it is a synonym here.
    if let Some(own) = added.iter().find(|own| *own == word) {
        return Ok(own.clone());
    }
    let lower = word.trim().to_lowercase();
    let of_alias = aliases.iter().find(|(alias, _)| *alias == lower).map(|(_, meant)| *meant);
    if let Some(meant) = of_alias.or_else(|| known.iter().copied().find(|known| *known == lower)) {
        return Ok(meant.to_owned());
    }
    let all: Vec<&str> = known.iter().copied().chain(added.iter().map(String::as_str)).collect();
    Err(UnknownWord {
        what,
        word: word.to_owned(),
        nearest: nearest(&lower, all.iter().copied()).map(str::to_owned),
        known: all.into_iter().map(str::to_owned).collect(),
    })
}

/// Returns the known word that a mistyped one resembles; `None` if none does.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, known) = known.into_iter().map(|known| (distance(word, known), known)).min()?;
    (distance <= 1 + word.chars().count() / 4).then_some(known)
}

/// Returns the number of letters to add, remove or change to turn one word into the other (Levenshtein distance). Only the first
/// `LONGEST` letters of `word` count, which is more than any known word has.
fn distance(word: &str, known: &str) -> usize {
    const LONGEST: usize = 40;
    let word: Vec<char> = word.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (at, letter) in known.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for i in 0..word.len() {
            let changed = diagonal + usize::from(word[i] != letter);
            diagonal = row[i + 1];
            row[i + 1] = changed.min(diagonal + 1).min(row[i] + 1);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_that_is_known_or_was_added() {
        let added = ["in_review".to_owned(), "done".to_owned()];
        let check = |word: &str, added: &[String], expected: &str| {
            assert_eq!(status(word, added).unwrap().as_str(), expected, "{word}");
        };
        check("open", &[], "open");
        check("In-Progress", &[], "in_progress");
        check("done", &[], "closed");
        check("done", &added, "done");
        check("in_review", &added, "in_review");
        for (word, nearest) in [("opne", Some("open")), ("clsoed", Some("closed")), ("xyzzy", None), ("", None)] {
            assert_eq!(status(word, &[]).unwrap_err().nearest.as_deref(), nearest, "{word}");
        }
        assert!(status("tombstone", &[]).is_err(), "only deleting makes one");
        assert_eq!(status("in_reviw", &added).unwrap_err().nearest.as_deref(), Some("in_review"));
    }

    #[test]
    fn a_type_is_one_that_is_known_or_was_added() {
        assert_eq!(bead_type("feat", &[]), Ok(BeadType::Feature));
        assert_eq!(bead_type("Bug", &[]), Ok(BeadType::Bug));
        assert_eq!(bead_type("ritual", &["ritual".to_owned()]).unwrap().as_str(), "ritual");
        let error = bead_type("taks", &[]).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.nearest.as_deref()), ("invalid issue type `taks`", Some("task")));
        assert!(error.hint().starts_with("did you mean `task`? Known: bug, "), "{}", error.hint());
    }

    #[test]
    fn words_for_a_dependency_say_who_waits() {
        let check = |word: &str, kind: DepType, is_reversed: bool| {
            assert_eq!(wording(word), Ok(Wording { kind, is_reversed }), "{word}");
        };
        check("depends-on", DepType::Blocks, false);
        check("blocked-by", DepType::Blocks, false);
        check("blocks", DepType::Blocks, true);
        check("discovered-from", DepType::DiscoveredFrom, false);
        check("parent-child", DepType::ParentChild, false);
        assert_eq!(wording("blokcs").unwrap_err().nearest.as_deref(), Some("blocks"));
        assert!(wording("").is_err());
    }

    #[test]
    fn every_alias_means_a_known_word() {
        for (alias, meant) in STATUS_ALIASES {
            assert!(Status::KNOWN.contains(meant) && !Status::KNOWN.contains(alias), "{alias}");
        }
        for (alias, meant) in TYPE_ALIASES {
            assert!(BeadType::KNOWN.contains(meant) && !BeadType::KNOWN.contains(alias), "{alias}");
        }
    }
}
