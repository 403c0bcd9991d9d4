//! Compares the changes that a worker had before it brought its branch up to date with the trunk with those that it submits.
//! Reports which of its own changes are missing.
//!
//! A change is lost if it is neither in the submitted files, nor on the trunk, nor at another place of the submission, and no
//! later commit of the worker removed it. Lines are compared without surrounding white space and by their number of occurrences.
//! So a line that was moved or indented differently counts as kept. Lines without a letter or digit don't count, and neither do
//! conflict markers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::id::Sha;

/// Entry of a tree at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Mode in git's digits: `100644`, `100755`, `120000`, `160000`.
    pub mode: String,
    /// Id of the blob; for a submodule, of the commit.
    pub id: Sha,
}

/// Mode of a submodule, which has no content in the repository.
pub const SUBMODULE: &str = "160000";

/// A run of changed lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Number of the first line in the new file.
    pub line: u32,
    /// Lines that were added.
    pub added: Vec<String>,
    /// Lines that were removed.
    pub removed: Vec<String>,
}

/// Change of a path between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Path in the new commit; for a deleted file, in the old one.
    pub path: String,
    /// Path in the old commit. It differs if the file was renamed.
    pub from: String,
    /// Entry in the old commit.
    pub old: Option<Entry>,
    /// Entry in the new commit.
    pub new: Option<Entry>,
    /// Changed lines; `None` for content without lines.
    pub hunks: Option<Vec<Hunk>>,
}

/// One version of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Entry of the tree.
    pub entry: Option<Entry>,
    /// Lines, if it has some.
    pub lines: Vec<String>,
}

/// Versions of one file that decide whether a change of it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Version that the worker's change started from.
    pub before: Version,
    /// The worker's own version.
    pub own: Version,
    /// Version on the trunk that the submission is based on.
    pub trunk: Version,
    /// Submitted version.
    pub submitted: Version,
    /// Path of the submitted version.
    pub at: Option<String>,
}

/// A change of the worker's own that is missing in its submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Path of the file.
    pub path: String,
    /// Part of the change that is missing.
    #[serde(flatten)]
    pub what: LostWhat,
}

/// Part of a file's change that is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum LostWhat {
    /// The file itself, which the worker had created or changed.
    File,
    /// The deletion of the file: it exists again.
    Deletion,
    /// The content, which has no lines to compare: it is as on the trunk.
    Content,
    /// The executable bit.
    Mode,
    /// Some lines.
    Lines {
        /// Number of the first line in the worker's version.
        first: u32,
        /// Number of the last line.
        last: u32,
        /// Lines that the worker had added and that are missing.
        gone: Vec<String>,
        /// Lines that the worker had removed and that are there again.
        back: Vec<String>,
    },
}

/// How many lines of a change are shown, and how many characters of each.
const SHOWN_LINES: usize = 3;
const SHOWN_CHARS: usize = 100;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = clean(&self.path);
        match &self.what {
            LostWhat::File => write!(f, "{path}: it is not there"),
            LostWhat::Deletion => write!(f, "{path}: it is there again"),
            LostWhat::Content => write!(f, "{path}: it is as the trunk has it"),
            LostWhat::Mode => write!(f, "{path}: its executable bit is as before"),
            LostWhat::Lines { first, last, gone, back } => {
                write!(f, "{path}:{first}")?;
                if last > first {
                    write!(f, "-{last}")?;
                }
                let shown = |lines: &'_ [String], sign: &'static str| {
                    let more = lines.len().saturating_sub(SHOWN_LINES);
                    let lines = lines.iter().take(SHOWN_LINES).map(|line| format!("\n    {sign} {}", clean(line)));
                    let text: String = lines.collect();
                    if more == 0 { text } else { format!("{text}\n    {sign} ({more} more)") }
                };
                write!(f, "{}{}", shown(gone, "gone: "), shown(back, "again:"))
            }
        }
    }
}

/// Returns text of others on one line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect()
}

/// Number of occurrences of each line, without surrounding white space.
type Counts<'a> = BTreeMap<&'a str, i64>;

fn count<'a>(lines: impl IntoIterator<Item = &'a String>) -> Counts<'a> {
    let mut counts = Counts::new();
    for line in lines {
        *counts.entry(line.trim()).or_default() += 1;
    }
    counts
}

fn of(counts: &Counts<'_>, line: &str) -> i64 {
    counts.get(line).copied().unwrap_or_default()
}

/// Prefixes of the lines that git writes into a conflict. They are not a worker's work.
const CONFLICT: [&str; 3] = ["<<<<<<< ", "||||||| ", ">>>>>>> "];

fn says_something(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric) && !CONFLICT.iter().any(|mark| line.starts_with(mark))
}

/// Returns the paths that a worker's file may have in the submission, the likeliest first. `moved` contains the trunk's own
/// renames.
pub fn places(own: &FileChange, submitted: &[FileChange], moved: &BTreeMap<String, String>) -> Vec<String> {
    let on_trunk = moved.get(&own.from).or_else(|| moved.get(&own.path)).unwrap_or(&own.from);
    let renamed = submitted.iter().find(|change| &change.from == on_trunk && change.new.is_some());
    let mut places = vec![own.path.clone()];
    for place in renamed.map(|change| &change.path).into_iter().chain([on_trunk]) {
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
    places
}

/// Returns which of the worker's own changes are missing. `own` contains its changes before the comparison, `submitted` those of
/// the submission, and `later` those of its own commits afterwards. `versions` finds the files of a change.
pub fn lost<E>(
    own: &[FileChange],
    submitted: &[FileChange],
    later: &[FileChange],
    mut versions: impl FnMut(&FileChange) -> Result<Versions, E>,
) -> Result<Vec<Lost>, E> {
    let elsewhere = Elsewhere::of(submitted, later);
    let mut lost = Vec::new();
    for change in own {
        let same = submitted.iter().any(|other| other == change);
        if !same {
            lost.extend(elsewhere.lost(change, &versions(change)?));
        }
    }
    Ok(lost)
}

/// Lines submitted at any place, and deliberate later changes.
struct Elsewhere<'a> {
    submitted: &'a [FileChange],
    later: &'a [FileChange],
    added: Counts<'a>,
    taken_out: Counts<'a>,
    put_in: Counts<'a>,
}

fn lines_of<'a>(
    changes: &'a [FileChange],
    side: impl Fn(&'a Hunk) -> &'a Vec<String> + 'a,
) -> impl Iterator<Item = &'a String> {
    changes.iter().flat_map(|change| change.hunks.iter().flatten()).flat_map(side)
}

impl<'a> Elsewhere<'a> {
    fn of(submitted: &'a [FileChange], later: &'a [FileChange]) -> Self {
        Self {
            added: count(lines_of(submitted, |hunk| &hunk.added)),
            taken_out: count(lines_of(later, |hunk| &hunk.removed)),
            put_in: count(lines_of(later, |hunk| &hunk.added)),
            submitted,
            later,
        }
    }

    fn lost(&self, change: &FileChange, files: &Versions) -> Vec<Lost> {
        let whole = |what| vec![Lost { path: change.path.clone(), what }];
        let there = files.submitted.entry.as_ref();
        match (&change.new, &change.hunks) {
            (None, _) if there.is_some() && files.trunk.entry.is_some() && !self.touched_later(change) => {
                whole(LostWhat::Deletion)
            }
            (None, _) => Vec::new(),
            (Some(new), Some(hunks)) => self.lost_of_text(change, new, hunks, files),
            (Some(new), None) => self.lost_content(change, new, files).map(whole).unwrap_or_default(),
        }
    }

    /// Whether a later commit of the worker created or deleted the whole file, or changed content without lines.
    fn touched_later(&self, change: &FileChange) -> bool {
        let mut later = self.later.iter().filter(|later| later.path == change.path || later.from == change.path);
        later.any(|later| {
            later.old.is_none() || later.new.is_none() || later.hunks.is_none() || later.from != later.path
        })
    }

    fn lost_content(&self, change: &FileChange, new: &Entry, files: &Versions) -> Option<LostWhat> {
        let there = files.submitted.entry.as_ref();
        let moved = self.submitted.iter().any(|other| other.new.as_ref().is_some_and(|entry| entry.id == new.id));
        if there == Some(new) || moved || self.touched_later(change) {
            return None;
        }
        match there {
            None => Some(LostWhat::File),
            Some(there) if there.id == new.id => self.lost_mode(change, new, there),
            Some(_) if there == files.trunk.entry.as_ref() || there == files.before.entry.as_ref() => {
                Some(LostWhat::Content)
            }
            // A third content: the worker made it so on purpose.
            Some(_) => None,
        }
    }

    fn lost_mode(&self, change: &FileChange, new: &Entry, there: &Entry) -> Option<LostWhat> {
        let was = change.old.as_ref().map_or(PLAIN, |old| &old.mode);
        let later = self.later.iter().any(|later| later.path == change.path);
        (was != new.mode && there.mode != new.mode && !later).then_some(LostWhat::Mode)
    }

    fn lost_of_text(&self, change: &FileChange, new: &Entry, hunks: &[Hunk], files: &Versions) -> Vec<Lost> {
        let lost = |what| Lost { path: change.path.clone(), what };
        let lines = self.lost_lines(hunks, files);
        match &files.submitted.entry {
            None if self.touched_later(change) => Vec::new(),
            None if hunks.is_empty() || all_gone(hunks, &lines) => vec![lost(LostWhat::File)],
            None => lines.into_iter().map(lost).collect(),
            Some(there) => {
                let file = self.is_renamed_back(change, files).then_some(LostWhat::File);
                let mode = self.lost_mode(change, new, there);
                lines.into_iter().chain(file).chain(mode).map(lost).collect()
            }
        }
    }

    fn is_renamed_back(&self, change: &FileChange, files: &Versions) -> bool {
        change.from != change.path && files.at.as_ref() == Some(&change.from) && !self.touched_later(change)
    }

    fn lost_lines(&self, hunks: &[Hunk], files: &Versions) -> Vec<LostWhat> {
        let sides = Sides::of(files);
        let here = self.submitted.iter().filter(|change| Some(&change.path) == files.at.as_ref());
        let here = count(here.flat_map(|change| change.hunks.iter().flatten()).flat_map(|hunk| &hunk.added));
        let moved = |line: &str| of(&self.added, line) - of(&here, line);
        let lost = hunks.iter().filter_map(|hunk| {
            let gone = picked(&hunk.added, |line| sides.gone(line) > moved(line) + of(&self.taken_out, line));
            let back = picked(&hunk.removed, |line| sides.back(line) > of(&self.put_in, line));
            let last = hunk.line + u32::try_from(hunk.added.len()).unwrap_or(u32::MAX).saturating_sub(1);
            let nothing = gone.is_empty() && back.is_empty();
            (!nothing).then_some(LostWhat::Lines { first: hunk.line, last, gone, back })
        });
        lost.collect()
    }
}

/// Mode of an ordinary file.
const PLAIN: &str = "100644";

fn picked(lines: &[String], is_lost: impl Fn(&str) -> bool) -> Vec<String> {
    lines.iter().filter(|line| says_something(line) && is_lost(line.trim())).cloned().collect()
}

/// Whether the worker had added lines and all of them are lost.
fn all_gone(hunks: &[Hunk], lines: &[LostWhat]) -> bool {
    let told = hunks.iter().flat_map(|hunk| &hunk.added).filter(|line| says_something(line)).count();
    let gone: usize =
        lines.iter().map(|what| if let LostWhat::Lines { gone, .. } = what { gone.len() } else { 0 }).sum();
    told > 0 && told == gone
}

/// Number of occurrences of each line in each version.
struct Sides<'a> {
    before: Counts<'a>,
    own: Counts<'a>,
    trunk: Counts<'a>,
    submitted: Counts<'a>,
}

impl<'a> Sides<'a> {
    fn of(files: &'a Versions) -> Self {
        Self {
            before: count(&files.before.lines),
            own: count(&files.own.lines),
            trunk: count(&files.trunk.lines),
            submitted: count(&files.submitted.lines),
        }
    }

    /// Returns how many more occurrences of a line the worker had added.
    fn delta(&self, line: &str) -> i64 {
        of(&self.own, line) - of(&self.before, line)
    }

    /// Returns how many occurrences of a line that the worker had added are missing. The trunk may have added the same line.
    fn gone(&self, line: &str) -> i64 {
        let delta = self.delta(line);
        if delta <= 0 {
            return 0;
        }
        (of(&self.trunk, line) + delta).min(of(&self.own, line)) - of(&self.submitted, line)
    }

    /// Returns how many occurrences of a line that the worker had removed are there again.
    fn back(&self, line: &str) -> i64 {
        let delta = self.delta(line);
        if delta >= 0 {
            return 0;
        }
        of(&self.submitted, line) - (of(&self.trunk, line) + delta).max(0)
    }
}

#[cfg(test)]
mod tests;
