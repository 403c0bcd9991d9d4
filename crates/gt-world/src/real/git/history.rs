//! Answers questions about the contents and the origin of commits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange};
use gt_model::landed::BranchCommit;

use super::admin::attached;
use super::candidate::{CONFLICT, MERGE, merged};
use super::command::{self, Call, shown};
use super::diff;
use super::refs::{self, bare, object, tree_of};
use super::scratch::Scratch;
use super::{Git, TOWN_IDENTITY};
use crate::history::{COMMITS_LIMIT, CaughtUp, History, TOUCHING_LIMIT, Titled, Way};
use crate::real::RealDisk;
use crate::{Disk as _, WorldError, WorldResult};

/// Limit on the number of paths in one question.
const PATHS_AT_ONCE: usize = 200;

/// Length of the shortest text that counts as an abbreviated id.
const SHORTEST_ID: usize = 7;

impl History for Git {
    fn commits_of(&self, repo: &Path, head: &Sha, known: &[Sha]) -> WorldResult<Vec<BranchCommit>> {
        let known = known.iter().take(refs::AT_ONCE).map(object).collect::<WorldResult<Vec<_>>>()?;
        let limit = format!("--max-count={COMMITS_LIMIT}");
        let call = self.question(&bare(repo), "rev-list").args(["--ignore-missing", "--no-commit-header", &limit]);
        let call = call.args(["--encoding=UTF-8", "--format=%H%x00%P%x00%at%x00%cn", object(head)?]);
        let answer = call.arg("--not").args(known).arg("--").ok()?;
        Ok(answer.lines().iter().filter_map(|line| branch_commit(line)).collect())
    }

    fn messages(&self, repo: &Path, head: &Sha, known: &[Sha]) -> WorldResult<Vec<String>> {
        let known = known.iter().take(refs::AT_ONCE).map(object).collect::<WorldResult<Vec<_>>>()?;
        let limit = format!("--max-count={COMMITS_LIMIT}");
        let call = self.question(&bare(repo), "rev-list").args(["--ignore-missing", "--no-commit-header", &limit]);
        let call = call.args(["--no-merges", "--reverse", "--encoding=UTF-8", "--format=%B%x00", object(head)?]);
        let answer = call.arg("--not").args(known).arg("--").ok()?;
        // Git also ends each message with a newline.
        let messages = answer.fields().map(|field| shown(field).trim().to_owned());
        Ok(messages.filter(|message| !message.is_empty()).collect())
    }

    fn made_in(&self, repo: &Path, path: &Path) -> WorldResult<BTreeSet<Sha>> {
        let Some(admin) = attached(repo, path)? else { return Ok(BTreeSet::new()) };
        let log = RealDisk.read(&admin.folder.join("logs/HEAD"))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&log).lines().filter_map(made_by).collect())
    }

    fn brings(&self, repo: &Path, onto: &Sha, head: &Sha) -> WorldResult<bool> {
        changes(self, repo, &merged(self.question(&bare(repo), MERGE), onto, head)?, onto)
    }

    fn still_has(&self, repo: &Path, tip: &Sha, commit: &Sha) -> WorldResult<bool> {
        let Some(parent) = only_parent(self, repo, commit)? else { return Ok(false) };
        // This commit puts the tip's files on the commit's own parent, so that git merges exactly what the commit changed.
        let text = Scratch::with(repo, "Compared\n")?;
        let call = self.question(&bare(repo), "commit-tree").args(["-p", object(&parent)?, "-F"]).arg(text.path());
        let call = signed(call).arg(&tree_of(self, repo, tip)?.0);
        let there = Sha::from(call.ok()?.line());
        Ok(!self.brings(repo, &there, commit)?)
    }

    fn find_commit(&self, repo: &Path, id: &str) -> WorldResult<Option<Sha>> {
        let is_id = id.len() >= SHORTEST_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Ok(None);
        }
        let name = format!("{id}^{{commit}}");
        let call = self.question(&bare(repo), "rev-parse").args(["--verify", "--quiet", "--end-of-options", &name]);
        let answer = call.answer()?;
        Ok((answer.code == 0).then(|| Sha::from(answer.line())))
    }

    fn touching(&self, repo: &Path, from: &Sha, to: &Sha, paths: &[String]) -> WorldResult<Vec<Titled>> {
        let (range, limit) = (format!("{}..{}", object(from)?, object(to)?), format!("--max-count={TOUCHING_LIMIT}"));
        let call = self.question(&bare(repo), "rev-list").git_options(&["--literal-pathspecs"]);
        let call = call.args(["--no-commit-header", "--encoding=UTF-8", "--format=%H %s", &limit, &range, "--"]);
        let answer = call.args(paths.iter().take(PATHS_AT_ONCE)).ok()?;
        let titled = |line: &String| {
            let (commit, title) = line.split_once(' ')?;
            Some(Titled { commit: Sha::from(commit), title: title.to_owned() })
        };
        Ok(answer.lines().iter().filter_map(titled).collect())
    }

    fn missing_from(&self, repo: &Path, tip: &Sha, commits: &[Sha]) -> WorldResult<BTreeSet<Sha>> {
        if commits.is_empty() {
            return Ok(BTreeSet::new());
        }
        let beyond = refs::listed(self, repo, commits, std::slice::from_ref(tip))?;
        Ok(commits.iter().filter(|commit| beyond.contains(*commit)).cloned().collect())
    }

    fn changes(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<Vec<FileChange>> {
        let call = self.question(&bare(repo), "diff-tree").args(diff::OPTIONS);
        Ok(diff::read(&call.args([object(from)?, object(to)?, "--"]).ok()?.stdout))
    }

    fn changes_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Vec<FileChange>> {
        let call = self.question(&bare(repo), "diff-tree").args(["--root", "--no-commit-id"]).args(diff::OPTIONS);
        Ok(diff::read(&call.args([object(commit)?, "--"]).ok()?.stdout))
    }

    fn renames(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, String>> {
        let call = self.question(&bare(repo), "diff-tree").args(["-r", "-M", "-z", "--raw", "--diff-filter=R"]);
        let answer = call.args([object(from)?, object(to)?, "--"]).ok()?;
        let (renamed, _) = diff::records(&answer.stdout);
        Ok(renamed.into_iter().map(|change| (change.from, change.path)).collect())
    }

    fn entries(&self, repo: &Path, commit: &Sha, paths: &[String]) -> WorldResult<BTreeMap<String, Entry>> {
        let mut entries = BTreeMap::new();
        for paths in paths.chunks(PATHS_AT_ONCE) {
            let call = self.question(&bare(repo), "ls-tree").git_options(&["--literal-pathspecs"]);
            let answer = call.args(["-z", "--full-tree", object(commit)?, "--"]).args(paths).ok()?;
            entries.extend(answer.fields().filter_map(listed_entry));
        }
        Ok(entries)
    }

    fn lines(&self, repo: &Path, blob: &Sha) -> WorldResult<Vec<String>> {
        let answer = self.question(&bare(repo), "cat-file").args(["blob", object(blob)?]).ok()?;
        Ok(answer.lines())
    }

    fn under_way(&self, repo: &Path, path: &Path) -> WorldResult<Option<&'static str>> {
        let Some(admin) = attached(repo, path)? else { return Ok(None) };
        let is_there = |(name, _): &&(&str, _)| RealDisk.exists(&admin.folder.join(name));
        Ok(UNDER_WAY.iter().find(is_there).map(|(_, word)| *word))
    }

    fn catch_up(&self, _repo: &Path, path: &Path, onto: &Sha, way: Way) -> WorldResult<CaughtUp> {
        let onto = object(onto)?;
        let end = match way {
            Way::Rebase => command::as_caller(path, &[&[PLAINLY, REBASING].concat(), &[onto][..]].concat())?,
            Way::Merge => command::as_caller(path, &[&[PLAINLY, MERGING].concat(), &[onto][..]].concat())?,
        };
        if end.code == 0 {
            return Ok(CaughtUp::Done);
        }
        let unmerged = command::as_caller(path, &["diff", "--name-only", "-z", "--diff-filter=U"])?;
        let files: Vec<String> = unmerged.fields().map(shown).collect();
        if !files.is_empty() {
            return Ok(CaughtUp::Conflict { files });
        }
        let verb = if way == Way::Rebase { "rebase" } else { "merge" };
        Err(WorldError::Git { verb: verb.to_owned(), repo: path.to_owned(), text: end.complaint() })
    }

    fn update_submodules(&self, path: &Path) -> WorldResult<Option<String>> {
        let end = command::as_caller(path, UPDATING_SUBMODULES)?;
        Ok((end.code != 0).then(|| end.complaint()))
    }
}

/// Files in a worktree's folder that git keeps during an operation, each with the operation's name.
const UNDER_WAY: &[(&str, &str)] = &[
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
];

/// Overrides of user settings that would make a rebase or merge do more, or less, than asked.
const PLAINLY: &[&str] =
    &["-c", "rebase.updateRefs=false", "-c", "rebase.autoStash=false", "-c", "merge.autoStash=false"];

/// How submodules, new ones too, follow their branch. The command writes nothing into the settings that all worktrees share,
/// which a sandbox makes read-only. It ignores the update modes that the project or the worker has set.
const UPDATING_SUBMODULES: &[&str] =
    &["-c", "submodule.active=.", "submodule", "--quiet", "update", "--recursive", "--checkout"];

/// Arguments that replay commits on the trunk.
const REBASING: &[&str] = &["rebase", "--quiet", "--no-autosquash"];

/// Arguments that merge the trunk.
const MERGING: &[&str] = &["merge", "--quiet", "--no-edit", "--no-squash", "--commit", "--ff"];

/// Parses `100644 blob <id>`, a tab, a path. `None` for a folder.
fn listed_entry(field: &[u8]) -> Option<(String, Entry)> {
    let text = shown(field);
    let (head, path) = text.split_once('\t')?;
    let mut parts = head.split(' ');
    let (mode, kind, id) = (parts.next()?, parts.next()?, parts.next()?);
    (kind != "tree").then(|| (path.to_owned(), Entry { mode: mode.to_owned(), id: Sha::from(id) }))
}

fn branch_commit(line: &str) -> Option<BranchCommit> {
    let mut fields = line.splitn(4, '\0');
    let commit = Sha::from(fields.next()?);
    let parents = fields.next()?.split(' ').filter(|id| !id.is_empty()).count();
    let authored_at = fields.next()?.parse().unwrap_or_default();
    Some(BranchCommit { commit, committer: fields.next()?.to_owned(), parents, authored_at })
}

/// Whether a merge would change `onto`, or fail.
fn changes(git: &Git, repo: &Path, merge: &Call<'_>, onto: &Sha) -> WorldResult<bool> {
    let answer = merge.expect(&[0, CONFLICT])?;
    if answer.code == CONFLICT {
        return Ok(true);
    }
    let tree = Sha::from(shown(answer.fields().next().unwrap_or_default()).trim_end());
    Ok(tree != tree_of(git, repo, onto)?)
}

fn only_parent(git: &Git, repo: &Path, commit: &Sha) -> WorldResult<Option<Sha>> {
    let call = git.question(&bare(repo), "rev-list").args(["-1", "--no-commit-header", "--format=%P"]);
    let line = call.arg(object(commit)?).ok()?.line();
    let mut parents = line.split(' ').filter(|id| !id.is_empty()).map(Sha::from);
    Ok(parents.next().filter(|_| parents.next().is_none()))
}

/// Gives a commit fixed names and times. The same input then gives the same commit, so a repeated question adds no object.
fn signed<'a>(call: Call<'a>) -> Call<'a> {
    let (name, mail) = TOWN_IDENTITY;
    let named = call.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", mail).env("GIT_COMMITTER_NAME", name);
    named.env("GIT_COMMITTER_EMAIL", mail).env("GIT_AUTHOR_DATE", "@0 +0000").env("GIT_COMMITTER_DATE", "@0 +0000")
}

/// Beginnings of the reasons that git logs for a move of HEAD when git itself made the commit to which it moves HEAD.
const MADE: &[&str] = &[
    "commit:",
    "commit (",
    "cherry-pick:",
    "cherry-pick (",
    "revert:",
    "revert (",
    "am:",
    "rebase (pick):",
    "rebase (reword):",
    "rebase (edit):",
    "rebase (squash):",
    "rebase (fixup):",
    "rebase (continue):",
    "rebase (merge):",
];

/// Returns the commit that a line of a reflog says was made. Each line has the old value, the new one, the actor, the time, and
/// after a tab the reason.
fn made_by(line: &str) -> Option<Sha> {
    let (head, why) = line.split_once('\t')?;
    let merged = (why.starts_with("merge ") || why.starts_with("pull")) && why.contains("Merge made by");
    let after = Sha::from(head.split(' ').nth(1)?);
    (merged || MADE.iter().any(|made| why.starts_with(made))).then_some(after).filter(|sha| object(sha).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reflog_tells_what_was_made_from_what_was_moved_to() {
        let (old, new) = ("0".repeat(40), "a1".repeat(20));
        let check = |why: &str, made: bool| {
            let line = format!("{old} {new} amber <a@b> 1700000000 +0000\t{why}");
            assert_eq!(made_by(&line), made.then(|| Sha::from(new.as_str())), "{why}");
        };
        for why in ["commit: Work", "commit (amend): Work", "commit (merge): Both", "commit (initial): x"] {
            check(why, true);
        }
        for why in ["cherry-pick: x", "revert: x", "rebase (pick): x", "rebase (continue): x", "am: x"] {
            check(why, true);
        }
        check("merge origin/main: Merge made by the 'ort' strategy.", true);
        check("merge origin/main: Fast-forward", false);
        check("pull: Fast-forward", false);
        for why in ["reset: moving to origin/main", "checkout: moving from a to b", "rebase (start): checkout main"] {
            check(why, false);
        }
        check("rebase (finish): returning to refs/heads/x", false);
        check("rebase: fast-forward", false);
        check("", false);
        assert_eq!(made_by("nonsense"), None);
        assert_eq!(made_by("a b\tcommit: x"), None, "no object id");
    }
}
