//! Snapshots: a commit of the whole state of a worktree, taken without touching the worktree.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gt_model::id::Sha;

use super::admin::required;
use super::candidate::with_last_newline;
use super::command::{Answer, Call, Place, path_from, shown};
use super::refs::{self, bare, commit_at, object, ref_name};
use super::scratch::Scratch;
use super::worktree::head;
use super::{Git, TOWN_IDENTITY, submodules};
use crate::real::disk::RealDisk;
use crate::{Disk as _, Held, Snapshot, WorldResult, snapshot_message};

/// The mode with which a tree holds a repository inside the repository: only its commit.
const NESTED_REPOSITORY: &[u8] = b"160000";

/// Makes git report a repository inside the worktree only if it is at another commit.
const COMMITS_ONLY: &str = "--ignore-submodules=dirty";

/// Exit code of a git that continued after errors.
const SOME_FAILED: i32 = 1;

/// Limit on the number of paths that one call gets as arguments.
const PATHS_PER_CALL: usize = 500;

/// Saves the state of the worktree at `path` to the ref `name`.
pub(super) fn take(
    git: &Git,
    held: &Held,
    repo: &Path,
    path: &Path,
    name: &str,
    message: &str,
) -> WorldResult<Snapshot> {
    ref_name(name)?;
    let admin = required(repo, path)?;
    let place = admin.place();
    let head = head(git, &place)?;
    let index = Scratch::copy_of(repo, &admin.folder.join("index"))?;
    let mut copy = IndexCopy { git, held, place: &place, path: &admin.path, index: &index, options: Vec::new() };
    let mut skipped = copy.take_in(&head)?;
    skipped.extend(submodules::changed_inside(git, &admin)?);
    let skipped: Vec<_> = skipped.into_iter().collect();
    let tree = Sha::from(copy.act("write-tree").ok()?.line());
    let before = commit_at(git, &bare(repo), name)?;
    if let Some(commit) = &before
        && is_same(git, repo, commit, &tree, &head)?
    {
        return Ok(Snapshot { commit: commit.clone(), skipped });
    }
    let message = snapshot_message(message, &skipped);
    let commit = commit(git, held, repo, &tree, [Some(&head), before.as_ref()].into_iter().flatten(), &message)?;
    refs::set(git, held, repo, name, &commit, before.as_ref())?;
    Ok(Snapshot { commit, skipped })
}

/// Whether a snapshot holds this tree on this head.
fn is_same(git: &Git, repo: &Path, snapshot: &Sha, tree: &Sha, head: &Sha) -> WorldResult<bool> {
    let parent = commit_at(git, &bare(repo), &format!("{}^1", object(snapshot)?))?;
    Ok(parent.as_ref() == Some(head) && refs::tree_of(git, repo, snapshot)? == *tree)
}

/// Makes a commit by the town. Moves no ref.
pub(super) fn commit<'a>(
    git: &Git,
    held: &Held,
    repo: &Path,
    tree: &Sha,
    parents: impl Iterator<Item = &'a Sha>,
    message: &str,
) -> WorldResult<Sha> {
    let text = Scratch::with(repo, &with_last_newline(message))?;
    let mut call = git.act(held, &bare(repo), "commit-tree");
    for parent in parents {
        call = call.args(["-p", object(parent)?]);
    }
    let (name, mail) = TOWN_IDENTITY;
    let call = call.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", mail);
    let call = call.env("GIT_COMMITTER_NAME", name).env("GIT_COMMITTER_EMAIL", mail);
    Ok(Sha::from(call.arg("-F").arg(text.path()).arg(object(tree)?).ok()?.line()))
}

/// A copy of a worktree's index, to which the state of the files is added.
struct IndexCopy<'a> {
    git: &'a Git,
    held: &'a Held,
    place: &'a Place,
    /// The worktree.
    path: &'a Path,
    index: &'a Scratch,
    /// Options that all calls on this copy need.
    options: Vec<String>,
}

impl IndexCopy<'_> {
    fn act(&self, verb: &str) -> Call<'_> {
        let options: Vec<_> = self.options.iter().map(String::as_str).collect();
        self.git.act(self.held, self.place, verb).git_options(&options).env("GIT_INDEX_FILE", self.index.path())
    }

    /// Adds all files that can be added. Returns the paths that can't. Git would look into a repository inside the worktree with
    /// that repository's own configuration, which can name programs. So only the commit of such a repository is added, by
    /// plumbing.
    fn take_in(&mut self, head: &Sha) -> WorldResult<BTreeSet<String>> {
        let listed = self.entries(head)?;
        let entries: Vec<_> = listed.fields().filter_map(Entry::parse).collect();
        self.unhide(&entries)?;
        let nested: BTreeSet<&[u8]> =
            entries.iter().filter(|entry| entry.is_nested()).map(|entry| entry.path).collect();
        let mut answer = self.add_all(&nested).answer()?;
        if ![0, SOME_FAILED].contains(&answer.code) {
            self.leave_out_filters()?;
            answer = self.add_all(&nested).expect(&[0, SOME_FAILED])?;
        }
        let mut skipped = unreadable_folders(&answer.stderr);
        skipped.extend(self.take_commits(&nested)?);
        skipped.extend(self.left_out()?);
        skipped.extend(self.nested(head)?);
        skipped.extend(self.settle_unmerged()?);
        Ok(skipped)
    }

    /// Lists the index. If it is damaged, makes it again from HEAD, so that the content of HEAD and the files is still saved.
    fn entries(&self, head: &Sha) -> WorldResult<Answer> {
        let list = || self.act("ls-files").args(["--stage", "-v", "-z"]);
        let answer = list().answer()?;
        if answer.code == 0 {
            return Ok(answer);
        }
        RealDisk.remove(self.index.path())?;
        self.act("read-tree").arg(object(head)?).ok()?;
        list().ok()
    }

    /// Removes index flags that make git leave out existing files.
    fn unhide(&self, entries: &[Entry<'_>]) -> WorldResult<()> {
        let hidden = entries.iter().filter(|entry| entry.is_assumed());
        self.update(&["--no-assume-unchanged"], hidden.map(|entry| entry.path))?;
        let is_there =
            |entry: &&Entry<'_>| entry.is_left_out() && RealDisk.exists(&self.path.join(path_from(entry.path)));
        self.update(&["--no-skip-worktree"], entries.iter().filter(is_there).map(|entry| entry.path))
    }

    fn update<'b>(&self, options: &[&str], paths: impl Iterator<Item = &'b [u8]>) -> WorldResult<()> {
        let paths: Vec<_> = paths.map(path_from).collect();
        let call = |paths: &[PathBuf]| self.act("update-index").args(options).arg("--").args(paths).ok().map(|_| ());
        paths.chunks(PATHS_PER_CALL).try_for_each(call)
    }

    fn add_all(&self, nested: &BTreeSet<&[u8]>) -> Call<'_> {
        let mut call = self.act("add").args(["-A", "--ignore-errors", "--sparse", "--", "."]);
        for path in nested {
            let mut exclude = OsString::from(":(exclude,literal,top)");
            exclude.push(path_from(path));
            call = call.arg(exclude);
        }
        call
    }

    /// Adds the commits of repositories inside the worktree. Returns those whose commit can't be read.
    fn take_commits(&self, nested: &BTreeSet<&[u8]>) -> WorldResult<BTreeSet<String>> {
        let take = |paths: &mut dyn Iterator<Item = &[u8]>| self.update(&["--add", "--remove"], paths);
        if take(&mut nested.iter().copied()).is_ok() {
            return Ok(BTreeSet::new());
        }
        let failed = nested.iter().filter(|path| take(&mut std::iter::once(**path)).is_err());
        Ok(failed.map(|path| shown(path)).collect())
    }

    /// Makes git add files as they are, by the attributes of an empty tree. A filter that fails (a missing `git-lfs`) ends git at
    /// once, even if git is told to ignore errors.
    fn leave_out_filters(&mut self) -> WorldResult<()> {
        let empty = self.act("hash-object").args(["-w", "-t", "tree", "/dev/null"]).ok()?.line();
        self.options = [format!("--attr-source={empty}"), "-c".to_owned(), "core.autocrlf=false".to_owned()].into();
        Ok(())
    }

    /// Returns the paths that are not in the index as they are on disk.
    fn left_out(&self) -> WorldResult<BTreeSet<String>> {
        let others = self.act("ls-files").args(["--others", "--exclude-standard", "-z"]).ok()?;
        let changed = self.act("diff-files").args(["--name-only", "--no-renames", "-z", COMMITS_ONLY]).ok()?;
        Ok(others.fields().chain(changed.fields()).map(shown).collect())
    }

    /// Returns the repositories inside the worktree that differ from HEAD. Of these, only the commit is saved.
    fn nested(&self, head: &Sha) -> WorldResult<BTreeSet<String>> {
        let call = self.act("diff-index").args(["--cached", "--raw", "--no-renames", COMMITS_ONLY, "-z"]);
        let answer = call.args([object(head)?, "--"]).ok()?;
        let fields: Vec<_> = answer.fields().collect();
        // Each pair is `:<old mode> <new mode> …`, then the path.
        let pairs = fields.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        let is_nested = |facts: &[u8]| facts.split(|byte| *byte == b' ').nth(1) == Some(NESTED_REPOSITORY);
        Ok(pairs.filter(|(facts, _)| is_nested(facts)).map(|(_, path)| shown(path)).collect())
    }

    /// Removes paths from the index that are still in conflict because their files could not be read. A tree can't hold a
    /// conflict.
    fn settle_unmerged(&self) -> WorldResult<BTreeSet<String>> {
        let answer = self.act("diff-files").args(["--name-only", "--diff-filter=U", "-z", COMMITS_ONLY]).ok()?;
        let unmerged: Vec<_> = answer.fields().collect();
        for paths in unmerged.chunks(PATHS_PER_CALL) {
            let paths = paths.iter().map(|path| path_from(path));
            self.act("update-index").args(["--force-remove", "--"]).args(paths).ok()?;
        }
        Ok(unmerged.into_iter().map(shown).collect())
    }
}

/// One entry of an index.
struct Entry<'a> {
    /// Git's mark for it: a lower-case letter if it is assumed unchanged, `S` if it is left out of the worktree.
    mark: u8,
    mode: &'a [u8],
    path: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Parses a line of `git ls-files --stage -v`: mark, mode, object and stage, a tab, the path.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let mut facts = line[..tab].split(|byte| *byte == b' ');
        Some(Self { mark: *facts.next()?.first()?, mode: facts.next()?, path: &line[tab + 1..] })
    }

    fn is_nested(&self) -> bool {
        self.mode == NESTED_REPOSITORY
    }

    fn is_assumed(&self) -> bool {
        self.mark.is_ascii_lowercase()
    }

    fn is_left_out(&self) -> bool {
        self.mark.eq_ignore_ascii_case(&b'S')
    }
}

/// Returns the folders that git could not look into. Only git's error output names them.
fn unreadable_folders(stderr: &str) -> BTreeSet<String> {
    let named = |line: &str| {
        let (_, rest) = line.split_once("could not open directory '")?;
        Some(rest.rsplit_once("': ")?.0.to_owned())
    };
    stderr.lines().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_an_index_are_read() {
        let check = |line: &str, expected: Option<(bool, bool, bool)>| {
            let entry = Entry::parse(line.as_bytes()).filter(|entry| entry.path == b"a\tb");
            let said = entry.map(|entry| (entry.is_nested(), entry.is_assumed(), entry.is_left_out()));
            assert_eq!(said, expected, "{line}");
        };
        check("H 100644 0a 0\ta\tb", Some((false, false, false)));
        check("H 160000 0a 0\ta\tb", Some((true, false, false)));
        check("h 100644 0a 0\ta\tb", Some((false, true, false)));
        check("S 100644 0a 0\ta\tb", Some((false, false, true)));
        check("s 100644 0a 0\ta\tb", Some((false, true, true)));
        check("", None);
    }

    #[test]
    fn folders_that_git_could_not_look_into_are_named() {
        let stderr = "warning: could not open directory 'a/it's/': Permission denied\nother\n";
        assert_eq!(unreadable_folders(stderr), BTreeSet::from(["a/it's/".to_owned()]));
    }
}
