//! Signs commits with the overseer's key and git configuration, outside every sandbox.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::id::Sha;
use gt_model::landing::Person;

use super::candidate::Signatures;
use super::command::shown;
use super::refs::{bare, object, tree_of};
use super::scratch::Scratch;
use super::{Git, config};
use crate::{Held, WorldError, WorldResult};

/// How long a signature may take. No person answers a program that asks for a passphrase here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the file of the overseer's private key. The setting may name the public key beside it, or a key that is in no file.
pub(super) fn key(git: &Git) -> WorldResult<Option<PathBuf>> {
    let said = config::personal(git, "user.signingKey", Some("path"))?.map(PathBuf::from);
    let file = said.filter(|file| file.is_absolute());
    Ok(file.map(|file| if file.extension().is_some_and(|end| end == "pub") { file.with_extension("") } else { file }))
}

/// Builds the same commit on `parent`, signed.
pub(super) fn signed(
    git: &Git,
    held: &Held,
    repo: &Path,
    commit: &Sha,
    parent: &Sha,
    committer: Option<&Person>,
) -> WorldResult<Sha> {
    let raw = git.question(&bare(repo), "cat-file").args(["commit", object(commit)?]).ok()?;
    let text = shown(&raw.stdout);
    let Some((_, message)) = text.split_once("\n\n") else {
        return Err(WorldError::Unexpected(format!("{} is a commit without a message", commit.short())));
    };
    let message = Scratch::with(repo, message)?;
    let tree = tree_of(git, repo, commit)?;
    let call = git.act(held, &bare(repo), "commit-tree").args(["-S", "-p", object(parent)?, "-F"]).arg(message.path());
    let call = Signatures::of(git, repo, commit)?.sign(call.arg(object(&tree)?).limit(PATIENCE));
    let call = match committer {
        Some(person) => call.env("GIT_COMMITTER_NAME", &person.name).env("GIT_COMMITTER_EMAIL", &person.mail),
        None => call,
    };
    Ok(Sha::from(call.ok()?.line()))
}
