//! Finds the ledger of a project from its folders: beside the project, where a `redirect` file leads, or in the repository to
//! which the worktree belongs. These files are treated as data: a file counts only if it is small and holds one path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::jsonl::{self, Record};
use gt_world::{Disk, NodeKind};

use super::is_prefix;
use crate::town::error::Result;

/// Folder of beads.
const BEADS: &str = ".beads";

/// File in a bead folder that says where the beads are instead.
const REDIRECT: &str = "redirect";

/// Names of the bead file that is kept in git, newest name first.
const BEADS_FILES: [&str; 2] = ["issues.jsonl", "beads.jsonl"];

/// Settings file that `bd` keeps beside the beads, and its key of the prefix.
const CONFIG: &str = "config.yaml";
const CONFIG_PREFIX: &str = "issue-prefix:";

/// Number of bytes read from a small file; more than a path needs.
const SMALL_FILE_BYTES: usize = 8 * 1024;

/// Returns the target of the `redirect` file in a project's bead folder, relative to the project. Follows one redirect, not a
/// chain.
pub fn redirect(disk: &dyn Disk, project: &Path) -> Result<Option<PathBuf>> {
    let file = project.join(BEADS).join(REDIRECT);
    let target = small_text(disk, &file)?.as_deref().and_then(first_path);
    Ok(target.map(|target| project.join(target)))
}

/// Returns the bead folder that all worktrees of a repository share, if `folder` is the top of a linked worktree. It is beside
/// the repository's git folder, or inside it if the repository is bare.
pub fn shared_beads(disk: &dyn Disk, folder: &Path) -> Result<Option<PathBuf>> {
    let git = folder.join(".git");
    // A `.git` folder is a repository of its own.
    if disk.kind(&git)? != Some(NodeKind::File) {
        return Ok(None);
    }
    let Some(text) = small_text(disk, &git)? else { return Ok(None) };
    let Some(own) = text.strip_prefix("gitdir:").and_then(first_path) else { return Ok(None) };
    let own = folder.join(own);
    // A submodule's git folder has no such file.
    let Some(common) = small_text(disk, &own.join("commondir"))?.as_deref().and_then(first_path) else {
        return Ok(None);
    };
    let common = disk.real_path(&own.join(common))?;
    let top = if common.file_name().is_some_and(|name| name == ".git") { common.parent() } else { Some(&*common) };
    Ok(top.map(|top| top.join(BEADS)))
}

/// Whether a folder is inside a git repository.
pub(crate) fn is_in_git(disk: &dyn Disk, folder: &Path) -> bool {
    folder.ancestors().any(|folder| disk.exists(&folder.join(".git")))
}

/// Returns the bead file in a bead folder, with its content.
pub fn beads_file(disk: &dyn Disk, beads: &Path) -> Result<Option<(PathBuf, Vec<u8>)>> {
    for path in BEADS_FILES.map(|name| beads.join(name)) {
        if let Some(text) = disk.read_own(&path)? {
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

/// Returns the prefix of a project's beads: from its settings, else that of most beads in `text`.
pub fn known_prefix(disk: &dyn Disk, beads: &Path, text: &[u8]) -> Result<Option<String>> {
    let config = small_text(disk, &beads.join(CONFIG))?.unwrap_or_default();
    let set = config.lines().find_map(|line| line.strip_prefix(CONFIG_PREFIX));
    let set = set.map(|value| value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']));
    let set = set.map(|prefix| prefix.trim_end_matches('-')).filter(|prefix| is_prefix(prefix));
    if let Some(set) = set {
        return Ok(Some(set.to_owned()));
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for record in jsonl::records(text).flatten() {
        if let Record::Bead(bead) = record {
            *counts.entry(bead.id.prefix().to_owned()).or_default() += 1;
        }
    }
    let fits = counts.into_iter().filter(|(prefix, _)| is_prefix(prefix));
    // If several are equally frequent, take the first.
    Ok(fits.rev().max_by_key(|(_, count)| *count).map(|(prefix, _)| prefix))
}

/// Returns the text of a small file; `None` if the file is not small or not text.
fn small_text(disk: &dyn Disk, path: &Path) -> Result<Option<String>> {
    if !disk.exists(path) {
        return Ok(None);
    }
    let bytes = disk.read_part(path, 0, SMALL_FILE_BYTES + 1)?;
    let whole = bytes.filter(|bytes| bytes.len() <= SMALL_FILE_BYTES);
    Ok(whole.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// Returns the first non-empty line as a path.
fn first_path(text: &str) -> Option<PathBuf> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    (!line.contains(char::is_control)).then(|| PathBuf::from(line))
}
