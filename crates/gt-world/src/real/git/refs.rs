//! Refs and commits of a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::Sha;

use super::Git;
use super::command::Place;
use crate::{Held, WorldError, WorldResult};

/// Prefix of the remote's branches.
pub(super) const REMOTE_BRANCHES: &str = "refs/remotes/origin/";
/// Prefix of branches.
pub(super) const BRANCHES: &str = "refs/heads/";

/// Options for fetching a ledger's branch and nothing else.
pub(super) const LEDGER_FETCH_OPTIONS: [&str; 4] = ["--quiet", "--no-tags", "--no-write-fetch-head", "--refmap="];

/// Returns the place of a repository. A checkout's repository belongs to a person, who configures it. All other repositories are
/// rigs'.
pub(super) fn bare(repo: &Path) -> Place {
    let path = std::path::absolute(repo).unwrap_or_else(|_| repo.to_owned());
    if path.ends_with(".git") { Place::Bare(path) } else { Place::Rig(path) }
}

/// Checks that `sha` is a full object id, so that git can't take it for anything else.
pub(super) fn object(sha: &Sha) -> WorldResult<&str> {
    let text = sha.as_str();
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if hexadecimal && matches!(text.len(), 40 | 64) {
        return Ok(text);
    }
    Err(WorldError::Unexpected(format!("`{text}` is not a full object id")))
}

/// Checks a full ref name by git's rules (git-check-ref-format).
pub(super) fn ref_name(name: &str) -> WorldResult<&str> {
    let bad_part = |part: &str| part.is_empty() || part.starts_with(['.', '-']) || part.ends_with(".lock");
    let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let bad = !name.starts_with("refs/")
        || name.split('/').any(bad_part)
        || name.contains("..")
        || name.contains("@{")
        || name.ends_with('.')
        || name.contains(bad_char);
    if bad {
        Err(WorldError::Unexpected(format!(
            "`{}` is not a valid name of a branch or ref",
            name.trim_start_matches(BRANCHES)
        )))
    } else {
        Ok(name)
    }
}

/// Returns the full ref name of a branch.
pub(super) fn branch_ref(branch: &str) -> WorldResult<String> {
    let name = format!("{BRANCHES}{branch}");
    ref_name(&name)?;
    Ok(name)
}

/// Returns all refs but symbolic ones.
pub(super) fn all(git: &Git, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
    under(git, repo, &["refs/"])
}

/// Returns all refs below these prefixes (full names), but symbolic ones, which have no value of their own.
pub(super) fn under(git: &Git, repo: &Path, prefixes: &[&str]) -> WorldResult<BTreeMap<String, Sha>> {
    let format = "--format=%(objectname) %(refname) %(symref)";
    let answer = git.question(&bare(repo), "for-each-ref").arg(format).args(prefixes).ok()?;
    let lines = answer.lines();
    let refs = lines.iter().filter_map(|line| {
        let (sha, rest) = line.split_once(' ')?;
        let (name, symbolic) = rest.split_once(' ')?;
        symbolic.is_empty().then(|| (name.to_owned(), Sha::from(sha)))
    });
    Ok(refs.collect())
}

/// Returns the commit that a ref (full name) or another name stands for; `None` if there is none.
pub(super) fn commit_at(git: &Git, place: &Place, name: &str) -> WorldResult<Option<Sha>> {
    let peeled = format!("{name}^{{commit}}");
    let call = git.question(place, "rev-parse").args(["--verify", "--quiet", "--end-of-options", &peeled]);
    let answer = call.expect(&[0, 1])?;
    Ok((answer.code == 0).then(|| Sha::from(answer.line())))
}

/// Returns the value of a ref, even if it is not a commit.
fn value(git: &Git, repo: &Path, name: &str) -> WorldResult<Option<Sha>> {
    let call = git.question(&bare(repo), "rev-parse").args(["--verify", "--quiet", "--end-of-options", name]);
    let answer = call.expect(&[0, 1])?;
    Ok((answer.code == 0).then(|| Sha::from(answer.line())))
}

/// Sets a ref by compare-and-swap.
pub(super) fn set(
    git: &Git,
    held: &Held,
    repo: &Path,
    name: &str,
    to: &Sha,
    expected: Option<&Sha>,
) -> WorldResult<()> {
    let (name, to_id) = (ref_name(name)?, object(to)?);
    let now = value(git, repo, name)?;
    if now.as_ref() == Some(to) {
        return Ok(());
    }
    if now.as_ref() != expected {
        return Err(moved(name, now.as_ref(), expected));
    }
    let absent = "0".repeat(to_id.len());
    let old = expected.map_or(Ok(absent.as_str()), object)?;
    git.act(held, &bare(repo), "update-ref").args(["--no-deref", "--end-of-options", name, to_id, old]).ok()?;
    Ok(())
}

fn moved(name: &str, now: Option<&Sha>, expected: Option<&Sha>) -> WorldError {
    let said = |sha: Option<&Sha>| sha.map_or("not there".to_owned(), |sha| format!("at {}", sha.short()));
    WorldError::Unexpected(format!("the ref {name} is {}; it should be {}", said(now), said(expected)))
}

/// Deletes a ref.
pub(super) fn delete(git: &Git, held: &Held, repo: &Path, name: &str) -> WorldResult<()> {
    let name = ref_name(name)?;
    // To git, too, deleting a missing ref is no error.
    git.act(held, &bare(repo), "update-ref").args(["--no-deref", "-d", "--end-of-options", name]).ok()?;
    Ok(())
}

/// Whether one commit is another or in its history.
pub(super) fn contains(git: &Git, repo: &Path, descendant: &Sha, ancestor: &Sha) -> WorldResult<bool> {
    let (descendant, ancestor) = (object(descendant)?, object(ancestor)?);
    let call = git.question(&bare(repo), "merge-base").args(["--is-ancestor", ancestor, descendant]);
    Ok(call.expect(&[0, 1])?.code == 0)
}

/// Returns the nearest common ancestors of two commits.
pub(super) fn merge_bases(git: &Git, repo: &Path, one: &Sha, other: &Sha) -> WorldResult<Vec<Sha>> {
    let call = git.question(&bare(repo), "merge-base").args(["--all", object(one)?, object(other)?]);
    Ok(call.expect(&[0, 1])?.lines().into_iter().map(Sha::from).collect())
}

/// Limit on the objects of each sort in one command line, far below what it can hold.
pub(super) const AT_ONCE: usize = 8_000;

/// Whether a new commit at some tips is in the history of one of `heads`, that is, whether two listings have a commit in common.
/// If commit dates contradict the commit order, git may also list known commits; it never leaves out a new one.
pub(super) fn share_news(git: &Git, repo: &Path, tips: &[Sha], known: &[Sha], heads: &[Sha]) -> WorldResult<bool> {
    if heads.is_empty() {
        return Ok(false);
    }
    let news = listed(git, repo, tips, known)?;
    Ok(!news.is_empty() && !news.is_disjoint(&listed(git, repo, heads, known)?))
}

/// Returns the commits in the history of `of` that are not in the history of `known`. Only the first [`AT_ONCE`] known ones
/// count.
pub(super) fn listed(git: &Git, repo: &Path, of: &[Sha], known: &[Sha]) -> WorldResult<BTreeSet<Sha>> {
    let known = &known[..known.len().min(AT_ONCE)];
    let mut found = BTreeSet::new();
    for of in of.chunks(AT_ONCE) {
        let of = of.iter().map(object).collect::<WorldResult<Vec<_>>>()?;
        let known = known.iter().map(object).collect::<WorldResult<Vec<_>>>()?;
        let call = git.question(&bare(repo), "rev-list").arg("--ignore-missing").args(of);
        let answer = call.arg("--not").args(known).arg("--").ok()?;
        found.extend(answer.lines().into_iter().map(Sha::from));
    }
    Ok(found)
}

/// Returns how many commits `head` has that `base` lacks.
pub(super) fn commits_between(git: &Git, repo: &Path, base: &Sha, head: &Sha) -> WorldResult<u64> {
    let range = format!("{}..{}", object(base)?, object(head)?);
    let call = git.question(&bare(repo), "rev-list").args(["--count", &range, "--"]);
    let line = call.ok()?.line();
    line.parse().map_err(|_| call.failed(format!("`{line}` is not a count")))
}

/// Returns the tree of a commit.
pub(super) fn tree_of(git: &Git, repo: &Path, commit: &Sha) -> WorldResult<Sha> {
    let tree = format!("{}^{{commit}}^{{tree}}", object(commit)?);
    let call = git.question(&bare(repo), "rev-parse").args(["--verify", "--end-of-options", &tree]);
    Ok(Sha::from(call.ok()?.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_object_ids_reach_git() {
        fn check(text: &str, fine: bool) {
            assert_eq!(object(&Sha::from(text)).is_ok(), fine, "{text}");
        }
        check(&"0a".repeat(20), true);
        check(&"f0".repeat(32), true);
        check("HEAD", false);
        check("", false);
        check(&"-a".repeat(20), false);
        check(&"AB".repeat(20), false);
    }

    #[test]
    fn only_names_that_git_takes_are_refs() {
        fn check(name: &str, fine: bool) {
            assert_eq!(ref_name(name).is_ok(), fine, "{name}");
        }
        for name in ["refs/heads/main", "refs/gt/snapshots/a.b-1", "refs/heads/a/b@c", "refs/heads/é"] {
            check(name, true);
        }
        for name in ["HEAD", "-d", "refs/heads/", "refs//x", "refs/heads/-x", "refs/a..b", "refs/a.lock", "refs/a b"] {
            check(name, false);
        }
        for name in ["refs/a:b", "refs/a*", "refs/a.", "refs/.a", "refs/a@{1}", "refs/a\n", "refs/a\\b", "refs/a^"] {
            check(name, false);
        }
    }
}
