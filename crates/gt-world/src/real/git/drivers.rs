//! Programs that git runs on files: filters and merge drivers. A project's attributes name them. Only the overseer's own
//! configuration of git decides which program a name means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gt_model::id::Sha;

use super::Git;
use super::candidate::MERGE;
use super::command::{Answer, Place, shown};
use super::refs::{bare, object};
use crate::real::RealClock;
use crate::{Clock as _, WorldResult};

/// How long a read of the overseer's configuration stays valid. A call of `gt` reads it once at most; the deacon runs for days.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// The git verb that fills a worktree from outside it.
const FILLING: &str = "worktree";

/// The driver name that a project gives for files of beads (`issues.jsonl merge=beads`).
pub(super) const BEADS: &str = "beads";

/// Arguments that make `gt` merge files of beads.
pub(super) const MERGE_BEADS: &str = "ledger merge-driver %O %A %B";

/// The program of large files. It is made to run in a worktree, and is found by PATH.
const LARGE_FILES: &str = "git-lfs";

/// Merges that git does itself.
const BUILT_IN: &[&str] = &["text", "binary", "union"];

/// File where a project says how its files are merged.
const ATTRIBUTES: &str = ".gitattributes";

/// The overseer's configuration by repository, each with the time of its reading.
pub(super) type Known = BTreeMap<PathBuf, (Duration, Arc<Drivers>)>;

/// The programs in the overseer's configuration.
#[derive(Debug, Default)]
pub(super) struct Drivers {
    /// Settings of filters, by their keys.
    filters: BTreeMap<String, String>,
    /// Names of merge drivers.
    merges: BTreeSet<String>,
}

impl Drivers {
    fn read(answer: &Answer) -> Self {
        let mut drivers = Self::default();
        // Each field is a key, a newline, and the value. The last of several values counts.
        for field in answer.fields().map(shown) {
            let Some((key, value)) = field.split_once('\n') else { continue };
            match key.split_once('.').and_then(|(section, rest)| Some((section, rest.rsplit_once('.')?))) {
                Some(("filter", (_, "clean" | "smudge" | "process"))) => {
                    drivers.filters.insert(key.to_owned(), value.to_owned());
                }
                Some(("merge", (name, "driver"))) => _ = drivers.merges.insert(name.to_owned()),
                _ => {}
            }
        }
        drivers
    }

    /// Returns settings that run filters outside the worktree. A program that is named by a relative path, or that looks for its
    /// parts in its working folder, must not find an agent's file.
    fn away_from_worktrees(&self) -> Vec<(String, String)> {
        let led = self.filters.iter().filter(|(_, command)| !command.is_empty() && program(command) != LARGE_FILES);
        led.map(|(key, command)| (key.clone(), format!("cd / && {command}"))).collect()
    }
}

fn program(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or_default()
}

/// Returns the settings that a call needs beside the common ones. Where there are files, each verb that writes an index may
/// compare a file with it, and run a filter for that.
pub(super) fn settings(git: &Git, repo: &Path, verb: &str, has_files: bool) -> WorldResult<Vec<(String, String)>> {
    if has_files || verb == FILLING {
        return Ok(known(git, repo)?.away_from_worktrees());
    }
    let beads = git.gt.as_ref().filter(|gt| verb == MERGE && gt.is_absolute());
    match beads {
        Some(gt) if !known(git, repo)?.merges.contains(BEADS) => Ok(vec![merge_beads_by(gt)]),
        _ => Ok(Vec::new()),
    }
}

fn merge_beads_by(gt: &Path) -> (String, String) {
    // Git runs the command in a shell.
    let program = gt.to_string_lossy().replace('\'', "'\\''");
    (format!("merge.{BEADS}.driver"), format!("'{program}' {MERGE_BEADS}"))
}

/// Returns the overseer's configuration for a repository.
fn known(git: &Git, repo: &Path) -> WorldResult<Arc<Drivers>> {
    let now = RealClock.monotonic();
    let known = || git.drivers.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, drivers)) = known().get(repo)
        && now.saturating_sub(*at) < KNOWN_FOR
    {
        return Ok(Arc::clone(drivers));
    }
    let answer = git.question(&Place::Rig(repo.to_owned()), "config").args(["--list", "-z"]).ok()?;
    let drivers = Arc::new(Drivers::read(&answer));
    known().insert(repo.to_owned(), (now, Arc::clone(&drivers)));
    Ok(drivers)
}

/// Whether the overseer has a driver for files of beads.
pub(super) fn has_own_for_beads(git: &Git, repo: &Path) -> WorldResult<bool> {
    Ok(known(git, repo)?.merges.contains(BEADS))
}

/// Returns the merge drivers that a commit's attributes name and no configuration defines. Git silently merges such files as
/// text.
pub(super) fn unknown_merges(git: &Git, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>> {
    let blob = format!("{}:{ATTRIBUTES}", object(commit)?);
    let answer = git.question(&bare(repo), "cat-file").args(["blob", &blob]).answer()?;
    if answer.code != 0 {
        return Ok(BTreeSet::new());
    }
    let named = named_merges(&String::from_utf8_lossy(&answer.stdout));
    let known = known(git, repo)?;
    let is_known = |name: &String| BUILT_IN.contains(&name.as_str()) || name == BEADS || known.merges.contains(name);
    Ok(named.into_iter().filter(|name| !is_known(name)).collect())
}

fn named_merges(attributes: &str) -> BTreeSet<String> {
    let lines = attributes.lines().filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.split_whitespace().skip(1));
    words.filter_map(|word| word.strip_prefix("merge=")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drivers(text: &str) -> Drivers {
        Drivers::read(&Answer { code: 0, stdout: text.replace('|', "\0").into_bytes(), stderr: String::new() })
    }

    #[test]
    fn filters_of_the_overseers_find_nothing_in_a_worktree() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> =
                expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(drivers(text).away_from_worktrees(), expected, "{text}");
        };
        check("filter.x.clean\n./tools/clean %f|", &[("filter.x.clean", "cd / && ./tools/clean %f")]);
        check("filter.a.b.smudge\npython3 -m nb|", &[("filter.a.b.smudge", "cd / && python3 -m nb")]);
        check("filter.x.process\na|filter.x.process\nb|", &[("filter.x.process", "cd / && b")]);
        check("filter.lfs.clean\ngit-lfs clean -- %f|filter.lfs.process\ngit-lfs filter-process|", &[]);
        check("filter.x.clean\n|filter.x.required\ntrue|user.name\nx|", &[]);
        // Only the program git-lfs itself is exempt, not a program of that name elsewhere.
        check("filter.lfs.clean\n./git-lfs clean|", &[("filter.lfs.clean", "cd / && ./git-lfs clean")]);
    }

    #[test]
    fn merge_drivers_are_known_by_their_names() {
        let known = drivers("merge.beads.driver\nbd merge|merge.x.name\nx|merge.conflictstyle\ndiff3|").merges;
        assert_eq!(known, BTreeSet::from(["beads".to_owned()]));
        let named = named_merges("# a merge=no\n*.md merge=union text\nmerge=path -merge\nx merge=ours\n");
        assert_eq!(named, BTreeSet::from(["ours".to_owned(), "union".to_owned()]));
    }

    #[test]
    fn the_program_that_merges_beads_is_one_word_to_a_shell() {
        let (key, value) = merge_beads_by(Path::new("/a b/it's/gt"));
        assert_eq!(
            (key.as_str(), value.as_str()),
            ("merge.beads.driver", "'/a b/it'\\''s/gt' ledger merge-driver %O %A %B")
        );
    }
}
