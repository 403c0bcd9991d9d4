//! Asks remotes, fetches from them, and moves their branches.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::id::Sha;

use super::command::{Answer, Call, Place};
use super::refs::{self, BRANCHES, REMOTE_BRANCHES, bare, branch_ref, contains, object};
use super::{Git, control, upstream_tags};
use crate::{Held, Push, RemoteFacts, WorldError, WorldResult};

/// Asks a remote for its branches.
pub(super) fn ask(git: &Git, url: &str) -> WorldResult<RemoteFacts> {
    let call = git.question(&Place::Nowhere, "ls-remote").args(["--symref", "--end-of-options", url]);
    let call = call.limit(git.remote_patience);
    let answer = reached(&call, url)?;
    let lines = answer.lines();
    let head = lines.iter().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
    let head_branch = head.and_then(|name| name.strip_prefix(BRANCHES)).map(str::to_owned);
    Ok(RemoteFacts { head_branch, branches: branches(&answer) })
}

/// Parses branches (short names) from the output of `git ls-remote`.
fn branches(answer: &Answer) -> BTreeMap<String, Sha> {
    let lines = answer.lines();
    let branches = lines.iter().filter_map(|line| {
        let (sha, name) = line.split_once('\t')?;
        Some((name.strip_prefix(BRANCHES)?.to_owned(), Sha::from(sha)))
    });
    branches.collect()
}

/// Makes a call that fails only if the remote can't be reached.
pub(super) fn reached(call: &Call<'_>, url: &str) -> WorldResult<Answer> {
    let answer = call.answer()?;
    if answer.code == 0 { Ok(answer) } else { Err(unreachable(url, &answer)) }
}

fn unreachable(url: &str, answer: &Answer) -> WorldError {
    WorldError::Unreachable { url: url.to_owned(), text: with_way_out(answer.complaint()) }
}

/// Returns git's message. If a transport is forbidden, adds what the user can do.
fn with_way_out(complaint: String) -> String {
    let Some((_, rest)) = complaint.split_once("transport '") else { return complaint };
    match rest.split_once("' not allowed") {
        Some((name, _)) if name != "ext" => format!(
            "{complaint}\nThe town uses file, git, http(s) and ssh; to allow another: \
             git config --global protocol.{name}.allow always"
        ),
        _ => complaint,
    }
}

/// Returns the URL of `origin`, for messages.
fn origin(git: &Git, repo: &Path) -> WorldResult<String> {
    let answer = git.question(&bare(repo), "config").args(["--get", "remote.origin.url"]).expect(&[0, 1])?;
    Ok(answer.line())
}

/// Fetches all branches and tags of `origin`. Tags become exactly those of the remote; all others are removed.
pub(super) fn fetch(git: &Git, held: &Held, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
    let call = git.act(held, &bare(repo), "fetch");
    let call = call.args(["--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--update-shallow", "origin"]);
    let call = call.args([control::FETCH, FETCH_TAGS]);
    let call = call.limit(git.remote_patience);
    let url = origin(git, repo)?;
    let fetched = upstream_tags::around(repo, || {
        reached(&call, &url)?;
        control::share_shallow(&control::folder(repo), repo)?;
        refs::under(git, repo, &[REMOTE_BRANCHES, upstream_tags::TAGS])
    })?;
    let short = |name: String| name.strip_prefix(REMOTE_BRANCHES).map(str::to_owned);
    Ok(fetched.into_iter().filter_map(|(name, sha)| Some((short(name)?, sha))).collect())
}

/// Refspec that fetches the remote's tags under their own names. `git describe`, and tools that derive a version from tags, then
/// find them in each worktree.
const FETCH_TAGS: &str = "+refs/tags/*:refs/tags/*";

/// The remote of a rig's repository.
const ORIGIN: &str = "origin";

/// A push of one branch.
pub(super) struct Move<'a> {
    pub(super) git: &'a Git,
    pub(super) held: &'a Held,
    pub(super) repo: &'a Path,
    /// [`ORIGIN`], or an address.
    pub(super) remote: &'a str,
    pub(super) branch: &'a str,
    pub(super) new: &'a Sha,
    pub(super) expected: Option<&'a Sha>,
}

/// Moves a branch of the remote by compare-and-swap.
pub(super) fn push(
    git: &Git,
    held: &Held,
    repo: &Path,
    branch: &str,
    new: &Sha,
    expected: Option<&Sha>,
) -> WorldResult<Push> {
    let wanted = Move { git, held, repo, remote: ORIGIN, branch, new, expected };
    let result = wanted.push()?;
    if result == Push::Done {
        wanted.note()?;
    }
    Ok(result)
}

impl Move<'_> {
    /// Moves the branch, unless that would lose a commit.
    pub(super) fn push(&self) -> WorldResult<Push> {
        branch_ref(self.branch)?;
        if let Some(expected) = self.expected
            && !contains(self.git, self.repo, self.new, expected)?
        {
            let (new, expected, branch) = (self.new.short(), expected.short(), self.branch);
            let text = format!("{new} does not contain {expected}: {branch} would lose commits");
            return Err(WorldError::Unexpected(text));
        }
        self.make()
    }

    fn unreachable(&self, answer: &Answer) -> WorldResult<WorldError> {
        Ok(unreachable(&self.address()?, answer))
    }

    fn address(&self) -> WorldResult<String> {
        if self.remote == ORIGIN { origin(self.git, self.repo) } else { Ok(self.remote.to_owned()) }
    }

    fn make(&self) -> WorldResult<Push> {
        match self.remote_value()? {
            now if now.as_ref() == Some(self.new) => return Ok(Push::Done),
            now if now.as_ref() != self.expected => return Ok(Push::Moved),
            _ => {}
        }
        let answer = self.call()?.answer()?;
        if answer.code == 0 {
            return Ok(Push::Done);
        }
        let Some(reason) = refusal(&answer) else { return Err(self.unreachable(&answer)?) };
        // The reason is text for people. A question to the remote, and not that text, tells whether the branch moved.
        match self.remote_value()? {
            now if now.as_ref() == Some(self.new) => Ok(Push::Done),
            now if now.as_ref() != self.expected || is_race(&reason) => Ok(Push::Moved),
            _ => Ok(Push::Refused(with_remote_words(&reason, &answer.stderr))),
        }
    }

    fn call(&self) -> WorldResult<Call<'_>> {
        let name = branch_ref(self.branch)?;
        let expected = self.expected.map_or(Ok(""), object)?;
        let lease = format!("--force-with-lease={name}:{expected}");
        let refspec = format!("{}:{name}", object(self.new)?);
        let call = self.git.act(self.held, &bare(self.repo), "push");
        Ok(call
            .args(["--no-verify", "--porcelain", &lease, "--end-of-options", self.remote, &refspec])
            .limit(self.git.remote_patience))
    }

    /// Returns where the remote's branch is now.
    fn remote_value(&self) -> WorldResult<Option<Sha>> {
        let name = branch_ref(self.branch)?;
        let call = self.git.question(&bare(self.repo), "ls-remote").args(["--end-of-options", self.remote, &name]);
        let answer = reached(&call.limit(self.git.remote_patience), &self.address()?)?;
        // The pattern also matches refs with a longer path that ends like this one.
        Ok(branches(&answer).remove(self.branch))
    }

    /// Records where the remote's branch is, as a fetch would.
    fn note(&self) -> WorldResult<()> {
        let name = format!("{REMOTE_BRANCHES}{}", self.branch);
        let args = ["--no-deref", "--end-of-options", &name, object(self.new)?];
        // The push is done even if this fails, and the next fetch records it.
        self.git.act(self.held, &bare(self.repo), "update-ref").args(args).answer().map(|_| ())
    }
}

/// Returns why the remote refused a ref, from the output of `git push --porcelain`; `None` if the push did not reach the remote.
pub(super) fn refusal(answer: &Answer) -> Option<String> {
    let lines = answer.lines();
    let line = lines.iter().find(|line| line.starts_with("!\t"))?;
    let summary = line.rsplit('\t').next()?;
    let reason = summary.split_once('(').and_then(|(_, reason)| reason.strip_suffix(')'));
    Some(reason.unwrap_or(summary).to_owned())
}

/// Whether a reason means that another process is moving the branch right now.
fn is_race(reason: &str) -> bool {
    let races = ["stale info", "fetch first", "non-fast-forward", "but expected", "reference already exists"];
    races.iter().any(|race| reason.contains(race))
}

/// Returns the reason together with the remote's other messages (from its hook).
pub(super) fn with_remote_words(reason: &str, stderr: &str) -> String {
    let words = stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
    let words: Vec<_> = words.filter(|line| !line.is_empty()).collect();
    let last = &words[words.len().saturating_sub(5)..];
    if last.is_empty() { reason.to_owned() } else { format!("{reason}: {}", last.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stdout: &str, expected: Option<&str>) {
        let answer = Answer { code: 1, stdout: stdout.as_bytes().to_owned(), stderr: String::new() };
        assert_eq!(refusal(&answer).as_deref(), expected, "{stdout}");
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        check("To /r\n!\ta:refs/heads/b\t[rejected] (stale info)\nDone\n", Some("stale info"));
        check("!\ta:refs/heads/b\t[remote rejected] (hook declined (twice))\n", Some("hook declined (twice)"));
        check("To /r\n \ta:b\t1..2\nDone\n", None);
        check("", None);
    }

    #[test]
    fn a_refused_transport_says_how_it_is_allowed() {
        let check = |text: &str, hint: Option<&str>| {
            let said = with_way_out(text.to_owned());
            assert_eq!(said.strip_prefix(text).unwrap().contains("protocol."), hint.is_some(), "{said}");
            assert!(hint.is_none_or(|hint| said.ends_with(hint)), "{said}");
        };
        check("fatal: transport 'hg' not allowed", Some("protocol.hg.allow always"));
        check("fatal: transport 'ext' not allowed", None);
        check("fatal: no such host", None);
    }

    #[test]
    fn the_remotes_own_words_are_kept() {
        let stderr = "remote: go away        \nremote: \nerror: failed to push some refs\n";
        assert_eq!(with_remote_words("pre-receive hook declined", stderr), "pre-receive hook declined: go away");
        assert_eq!(with_remote_words("no", "error: x"), "no");
    }
}
