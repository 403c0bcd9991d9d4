//! Looks at snapshots, and gets work back out of them.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::id::Sha;

use super::Git;
use super::admin::required;
use super::command::{Place, SKIP_LARGE_FILES, shown};
use super::refs::{bare, object, tree_of};
use super::scratch::Scratch;
use super::worktree::head;
use crate::real::disk::{RealDisk, io_error, make_parent};
use crate::{Change, Disk as _, Held, SnapshotFacts, WorldError, WorldResult};

/// Returns what the repository records about a snapshot.
pub(super) fn facts(git: &Git, repo: &Path, snapshot: &Sha) -> WorldResult<SnapshotFacts> {
    let format = "--format=%P%x00%ct%x00%B";
    let call = git.question(&bare(repo), "rev-list").args(["-1", "--no-commit-header", "--encoding=UTF-8", format]);
    let text = call.arg(object(snapshot)?).ok()?.line();
    let mut fields = text.splitn(3, '\0');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (parents, taken_at, message) = (next(), next(), next());
    let mut parents = parents.split(' ').filter(|id| !id.is_empty()).map(Sha::from);
    let head = parents.next();
    let (Some(head), Ok(taken_at)) = (head, taken_at.parse()) else {
        return Err(WorldError::Unexpected(format!("{} is not a snapshot", snapshot.short())));
    };
    Ok(SnapshotFacts { commit: snapshot.clone(), head, before: parents.next(), taken_at, message })
}

/// Makes the files of a worktree those of a snapshot, and leaves HEAD and index unchanged.
pub(super) fn into_worktree(git: &Git, held: &Held, repo: &Path, path: &Path, snapshot: &Sha) -> WorldResult<()> {
    let place = required(repo, path)?.place();
    let tree = tree_of(git, repo, snapshot)?;
    if tree == tree_of(git, repo, &head(git, &place)?)? {
        return Ok(());
    }
    // Without `--staged` the index stays; with `--no-overlay` git removes files that the snapshot lacks.
    let source = format!("--source={}", object(snapshot)?);
    let restore = |skip: &str| {
        let call = git.act(held, &place, "restore").args([&source, "--worktree", "--no-overlay"]);
        call.args(["--ignore-skip-worktree-bits", "--", ":/"]).env(SKIP_LARGE_FILES, skip).ok().map(|_| ())
    };
    // A worker's own large files are on this machine. If one is missing, its pointer has to do.
    restore("0").or_else(|_| restore("1"))
}

/// Returns the paths that differ between two commits.
pub(super) fn changed_paths(git: &Git, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, Change>> {
    let call = git.question(&bare(repo), "diff-tree").args(["-r", "-z", "--name-status", "--no-renames"]);
    let answer = call.args([object(from)?, object(to)?, "--"]).ok()?;
    let fields: Vec<_> = answer.fields().collect();
    let changes = fields.chunks_exact(2).map(|pair| {
        let change = match pair[0] {
            b"A" => Change::Added,
            b"D" => Change::Removed,
            _ => Change::Changed,
        };
        (shown(pair[1]), change)
    });
    Ok(changes.collect())
}

/// Returns what one commit changed since it left another.
pub(super) fn diff_text(git: &Git, repo: &Path, from: &Sha, to: &Sha, stat: bool) -> WorldResult<String> {
    let form = if stat { "--stat" } else { "--patch" };
    let call = git.question(&bare(repo), "diff").args([form, "--no-ext-diff", "--no-textconv", "--no-color"]);
    let range = format!("{}...{}", object(from)?, object(to)?);
    Ok(String::from_utf8_lossy(&call.args([range.as_str(), "--"]).ok()?.stdout).into_owned())
}

/// Writes the files of a commit into a new folder.
pub(super) fn export(git: &Git, held: &Held, repo: &Path, commit: &Sha, to: &Path) -> WorldResult<()> {
    // Checked before anything is made: without the commit there is nothing to write.
    let tree = tree_of(git, repo, commit)?;
    make_parent(to)?;
    // Fails if anything is there already, even a link or an empty folder.
    std::fs::create_dir(to).map_err(io_error("make the new folder", to))?;
    let written = write_files(git, held, repo, &tree, to);
    if written.is_err() {
        // We have just made this folder. The first error is the one that matters.
        let _ = RealDisk.remove(to);
    }
    written
}

fn write_files(git: &Git, held: &Held, repo: &Path, tree: &Sha, to: &Path) -> WorldResult<()> {
    let (repo_path, to) = (std::path::absolute(repo), to.canonicalize());
    let place =
        Place::Files { repo: repo_path.map_err(io_error("find", repo))?, path: to.map_err(io_error("find", repo))? };
    let index = Scratch::new(repo)?;
    let act = |verb: &str| git.act(held, &place, verb).env("GIT_INDEX_FILE", index.path());
    act("read-tree").arg(object(tree)?).ok()?;
    act("checkout-index").args(["--all", "--force", "--quiet"]).ok().map(|_| ())
}
