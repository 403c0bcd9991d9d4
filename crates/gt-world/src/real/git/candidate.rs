//! Commits that are built without a checkout.

use std::path::Path;

use gt_model::id::Sha;
use gt_model::landing::Landing;

use super::command::{Call, shown};
use super::refs::{bare, object, tree_of};
use super::scratch::Scratch;
use super::{Git, TOWN_IDENTITY};
use crate::{Candidate, Held, WorldError, WorldResult};

/// The git verb that merges without a checkout.
pub(super) const MERGE: &str = "merge-tree";

/// Its exit code for a merge with conflicts.
pub(super) const CONFLICT: i32 = 1;

/// Makes a call of [`MERGE`] merge `head` onto `onto` by the attributes of `onto`. A branch must not decide how it is merged.
pub(super) fn merged<'a>(call: Call<'a>, onto: &Sha, head: &Sha) -> WorldResult<Call<'a>> {
    let (onto, head) = (object(onto)?, object(head)?);
    // Set by a variable, because a git that does not know it ignores it.
    let call = call.env("GIT_ATTR_SOURCE", onto);
    Ok(call.args(["--write-tree", "--name-only", "-z", "--no-messages", onto, head]))
}

/// Applies the changes of `head` to `onto`, as one commit.
pub(super) fn squash(
    git: &Git,
    held: &Held,
    repo: &Path,
    onto: &Sha,
    head: &Sha,
    landing: &Landing,
) -> WorldResult<Candidate> {
    let onto_id = object(onto)?;
    let merge = merged(git.act(held, &bare(repo), MERGE), onto, head)?;
    if let Some(why) = missing(git, repo, onto, head)? {
        return Ok(Candidate::Broken { why });
    }
    let answer = merge.expect(&[0, CONFLICT])?;
    let mut fields = answer.fields();
    let tree = Sha::from(shown(fields.next().unwrap_or_default()).trim_end());
    object(&tree)?;
    if answer.code == CONFLICT {
        return Ok(Candidate::Conflict { files: fields.map(shown).collect() });
    }
    if tree == tree_of(git, repo, onto)? {
        return Ok(Candidate::Empty);
    }
    let mut signatures = Signatures::of(git, repo, head)?;
    if let Some(author) = &landing.author {
        (signatures.name, signatures.mail) = (author.name.clone(), author.mail.clone());
    }
    let text = Scratch::with(repo, &with_last_newline(&landing.message))?;
    let call = git.act(held, &bare(repo), "commit-tree").args(["-p", onto_id, "-F"]).arg(text.path()).arg(&tree.0);
    let commit = Sha::from(signatures.sign(call).ok()?.line());
    Ok(Candidate::Clean { commit, tree })
}

/// Returns git's message if objects of `head` that `onto` does not have are missing. No other step checks files that a merge
/// leaves unchanged, and a checkout that fails later would stop all other branches too.
fn missing(git: &Git, repo: &Path, onto: &Sha, head: &Sha) -> WorldResult<Option<String>> {
    let whole = |of: &Sha, known: &[&str]| {
        let call = git.question(&bare(repo), "rev-list").args(["--objects", "--quiet", object(of)?]);
        let answer = call.args(known).arg("--").answer()?;
        Ok::<_, WorldError>(if answer.code == 0 { None } else { Some(answer.complaint()) })
    };
    let Some(why) = whole(head, &["--not", object(onto)?])? else { return Ok(None) };
    // If the trunk itself lacks them, the branch is not at fault.
    match whole(onto, &["--max-count=1"])? {
        None => Ok(Some(why)),
        Some(why) => Err(WorldError::Unexpected(format!("{} is damaged: {why}", repo.display()))),
    }
}

/// Author and committer of a commit, with their times.
#[derive(Debug)]
pub(super) struct Signatures {
    name: String,
    mail: String,
    author_date: String,
    committer_date: String,
}

impl Signatures {
    pub(super) fn of(git: &Git, repo: &Path, commit: &Sha) -> WorldResult<Self> {
        let format = "--format=%an%x00%ae%x00%ad%x00%cd";
        let call = git.question(&bare(repo), "rev-list").args(["-1", "--no-commit-header", "--date=raw"]);
        let answer = call.args(["--encoding=UTF-8", format, object(commit)?]).ok()?;
        let line = answer.line();
        let mut fields = line.split('\0').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let (name, mail, author_date, committer_date) = (next(), next(), next(), next());
        Ok(Self { name: usable_name(name), mail, author_date, committer_date })
    }

    /// Makes `call` commit as this commit's author, with the town as committer, at this commit's times.
    pub(super) fn sign<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.env("GIT_AUTHOR_NAME", &self.name)
            .env("GIT_AUTHOR_EMAIL", &self.mail)
            .env("GIT_AUTHOR_DATE", usable_date(&self.author_date))
            .env("GIT_COMMITTER_NAME", TOWN_IDENTITY.0)
            .env("GIT_COMMITTER_EMAIL", TOWN_IDENTITY.1)
            .env("GIT_COMMITTER_DATE", usable_date(&self.committer_date))
    }
}

/// Returns a name that git accepts. Git strips characters that may not stand at a name's ends, and refuses a name of which
/// nothing is left; commits by other tools may have such a name.
fn usable_name(name: String) -> String {
    let stripped = |c: char| c <= ' ' || ".,:;<>\"\\'".contains(c);
    if name.chars().all(stripped) { "unknown".to_owned() } else { name }
}

/// Returns the date in the form that git reads as seconds since the epoch for any number; the epoch if there is no date.
fn usable_date(raw: &str) -> String {
    if raw.is_empty() { "@0 +0000".to_owned() } else { format!("@{raw}") }
}

/// Returns the message as a commit stores it.
pub(super) fn with_last_newline(message: &str) -> String {
    let newline = if message.ends_with('\n') { "" } else { "\n" };
    format!("{message}{newline}")
}
