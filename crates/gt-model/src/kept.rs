//! Compares what a worker had changed before it brought its branch up to the trunk with what it submits, and says what of
//! its own is gone.
//!
//! A change is lost where neither the submitted files, nor the trunk, nor another place of what is submitted has it, and
//! no commit that the worker made afterwards took it out. Lines are compared without the white space around them, by how
//! often they occur, so that what moved, or was indented anew, counts as kept; lines without a letter or digit do not count, nor do
//! the marks of a conflict.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::id::Sha;

/// What a tree has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Git's mode, as its digits: `100644`, `100755`, `120000`, `160000`.
    pub mode: String,
    /// The blob; of a submodule the commit.
    pub id: Sha,
}

/// The mode of a submodule, which has no content in the repository.
pub const SUBMODULE: &str = "160000";

/// Some lines in a row that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The number of the first line in the new file.
    pub line: u32,
    /// Lines that are new.
    pub added: Vec<String>,
    /// Lines that are gone.
    pub removed: Vec<String>,
}

/// What changed at a path between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The path in the new commit; of what was deleted, in the old one.
    pub path: String,
    /// The path in the old commit: another one where it was renamed.
    pub from: String,
    /// What the old commit has.
    pub old: Option<Entry>,
    /// What the new one has.
    pub new: Option<Entry>,
    /// The lines that changed; `None` for what has no lines.
    pub hunks: Option<Vec<Hunk>>,
}

/// One version of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// What is there.
    pub entry: Option<Entry>,
    /// Its lines, where it has some.
    pub lines: Vec<String>,
}

/// The versions of one file that decide whether a change of it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// From which the worker's change started.
    pub before: Version,
    /// As the worker had it.
    pub own: Version,
    /// On the trunk that is submitted upon.
    pub trunk: Version,
    /// As it is submitted.
    pub submitted: Version,
    /// At which path it is submitted.
    pub at: Option<String>,
}

/// A change of the worker's own that is not in what it submits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The file.
    pub path: String,
    /// What of it.
    #[serde(flatten)]
    pub what: LostWhat,
}

/// What of a file is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum LostWhat {
    /// The file itself, which the worker had made or changed.
    File,
    /// That the worker had deleted it: it is there again.
    Deletion,
    /// What the worker had made of it, which can't be told by lines: it is as the trunk has it.
    Content,
    /// Whether it can be executed.
    Mode,
    /// Some lines.
    Lines {
        /// The first, as the worker had it.
        first: u32,
        /// The last.
        last: u32,
        /// Lines of the worker's that are gone.
        gone: Vec<String>,
        /// Lines that the worker had taken out, and that are there again.
        back: Vec<String>,
    },
}

/// How many lines of one change are shown, and of how many characters.
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

/// Text of others on one line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect()
}

/// Counts of lines, without the white space around them.
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

/// How git begins the lines by which it shows a conflict: they are nobody's work.
const CONFLICT: [&str; 3] = ["<<<<<<< ", "||||||| ", ">>>>>>> "];

fn says_something(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric) && !CONFLICT.iter().any(|mark| line.starts_with(mark))
}

/// Where a file of the worker's may be in what is submitted: the likeliest first. `moved` are the trunk's own renames.
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

/// What of the worker's own changes is gone. `own` is what it had changed, `submitted` what it submits, `later` what its
/// own commits changed after it had been compared; `versions` finds the files of a change.
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

/// What is submitted at any place, and what was changed on purpose afterwards.
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

    /// Whether a later commit of the worker's made or unmade the file as a whole, or changed what has no lines.
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
            // A third content: the worker has made it so.
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

/// The mode of a file that nothing is said of.
const PLAIN: &str = "100644";

fn picked(lines: &[String], is_lost: impl Fn(&str) -> bool) -> Vec<String> {
    lines.iter().filter(|line| says_something(line) && is_lost(line.trim())).cloned().collect()
}

/// Whether all lines that the worker had put in are lost, and it had put in some.
fn all_gone(hunks: &[Hunk], lines: &[LostWhat]) -> bool {
    let told = hunks.iter().flat_map(|hunk| &hunk.added).filter(|line| says_something(line)).count();
    let gone: usize =
        lines.iter().map(|what| if let LostWhat::Lines { gone, .. } = what { gone.len() } else { 0 }).sum();
    told > 0 && told == gone
}

/// How often each line is in each version.
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

    /// How many more of a line the worker had put in.
    fn delta(&self, line: &str) -> i64 {
        of(&self.own, line) - of(&self.before, line)
    }

    /// How many of a line that the worker had put in are missing. The trunk may have put in the same.
    fn gone(&self, line: &str) -> i64 {
        let delta = self.delta(line);
        if delta <= 0 {
            return 0;
        }
        (of(&self.trunk, line) + delta).min(of(&self.own, line)) - of(&self.submitted, line)
    }

    /// How many of a line that the worker had taken out are there again.
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
