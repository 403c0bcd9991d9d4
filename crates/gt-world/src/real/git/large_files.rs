//! Large files: git stores pointers to them, and git-lfs transfers their contents.

use std::path::Path;

use gt_model::id::Sha;

use super::Git;
use super::admin::required;
use super::command::{Answer, shown};
use super::control::{self, LARGE_FILES_FILTER};
use super::filters::has_large_files_program;
use super::refs::{bare, object};
use super::worktree::head;
use crate::{Held, Referred, WorldError, WorldResult};

/// File where a project says where its large files are, and which of them it wants.
const SETTINGS_FILE: &str = ".lfsconfig";

/// Settings from that file that are passed on in a bare repository, where git-lfs does not look for the file.
const SETTINGS: &[&str] = &["lfs.url", "lfs.pushurl", "lfs.fetchinclude", "lfs.fetchexclude"];

/// Signs in git-lfs's output that a commit refers to contents that the remote lacks.
const MISSING: &[&str] = &["missing object", "does not exist", "(missing)", "(corrupt)"];

/// Puts the contents of large files into a worktree.
pub(super) fn pull(git: &Git, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
    let place = required(repo, path)?.place();
    // The bare repository fetches them, since a worker's worktree has no credentials.
    let fetched = fetch(git, held, repo, &head(git, &place)?)?;
    if fetched == Referred::There {
        git.act(held, &place, "lfs").arg("checkout").ok()?;
    }
    Ok(fetched)
}

/// Fetches the large files of a commit.
pub(super) fn fetch(git: &Git, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
    require_installed(git)?;
    settle(git, held, repo)?;
    ask_remote(git, held, repo, "fetch", commit)
}

/// Uploads the large files of a commit to the remote.
pub(super) fn push(git: &Git, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
    require_installed(git)?;
    ask_remote(git, held, repo, "push", commit)
}

fn require_installed(git: &Git) -> WorldResult<()> {
    if has_large_files_program(git)? {
        return Ok(());
    }
    let text = "the rig has large files (lfs = true), and git-lfs is not installed; \
                install it: apt-get install git-lfs, or https://git-lfs.com";
    Err(WorldError::Unexpected(text.to_owned()))
}

/// Makes our git, and the git in all worktrees of the repository, hand large files to git-lfs, whatever the user has configured.
fn settle(git: &Git, held: &Held, repo: &Path) -> WorldResult<()> {
    control::hand_over_large_files(repo)?;
    let config = || git.act(held, &bare(repo), "config").arg("--file").arg(repo.join("config"));
    let (last, _) = LARGE_FILES_FILTER[LARGE_FILES_FILTER.len() - 1];
    if config().args(["--get", &format!("filter.lfs.{last}")]).expect(&[0, 1])?.code == 0 {
        return Ok(());
    }
    let set = |(key, value): &(&str, &str)| config().args([&format!("filter.lfs.{key}"), *value]).ok().map(|_| ());
    LARGE_FILES_FILTER.iter().try_for_each(set)
}

fn ask_remote(git: &Git, held: &Held, repo: &Path, act: &str, commit: &Sha) -> WorldResult<Referred> {
    let settings = settings(git, repo, commit)?;
    let options: Vec<&str> = settings.iter().flat_map(|setting| ["-c", setting]).collect();
    let call = git.act(held, &bare(repo), "lfs").git_options(&options).args([act, "origin", object(commit)?]);
    let call = call.limit(git.remote_patience);
    let answer = call.answer()?;
    if answer.code == 0 {
        return Ok(Referred::There);
    }
    let said = words(&answer);
    if MISSING.iter().any(|sign| said.contains(sign)) { Ok(Referred::Missing(said)) } else { Err(call.failed(said)) }
}

/// Returns git-lfs's messages from both streams.
fn words(answer: &Answer) -> String {
    let printed = answer.lines();
    let printed = printed.iter().filter(|line| !line.contains('%')).map(String::as_str);
    let said: Vec<&str> = printed.chain(answer.stderr.lines()).filter(|line| !line.trim().is_empty()).collect();
    said[said.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

/// How many lines an error quotes.
const QUOTED_LINES: usize = 5;

/// Returns the project's settings for git-lfs from a commit.
fn settings(git: &Git, repo: &Path, commit: &Sha) -> WorldResult<Vec<String>> {
    let blob = format!("{}:{SETTINGS_FILE}", object(commit)?);
    let there = git.question(&bare(repo), "cat-file").args(["-e", &blob]).answer()?;
    if there.code != 0 {
        return Ok(Vec::new());
    }
    let answer = git.question(&bare(repo), "config").args(["--blob", &blob, "--list", "-z"]).ok()?;
    let pairs: Vec<String> = answer.fields().map(shown).collect();
    // Each pair is a key, a newline, and the value.
    let pairs = pairs.iter().filter_map(|pair| pair.split_once('\n'));
    Ok(pairs.filter(|(key, _)| SETTINGS.contains(key)).map(|(key, value)| format!("{key}={value}")).collect())
}
