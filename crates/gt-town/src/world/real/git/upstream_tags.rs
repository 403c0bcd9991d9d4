//! Tags of the remote, as the last fetch found them. A worker can write refs; it can't write this list, which lies in the
//! control folder. So a tag that a worker made or moved is told from one of the remote's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::id::Sha;

use super::{Git, control, refs};
use crate::world::real::disk::{RealDisk, found, io_error, read_whole};
use crate::world::{Disk as _, WorldResult};

/// Where tags are kept.
const TAGS: &str = "refs/tags/";

fn list(repo: &Path) -> PathBuf {
    control::folder(repo).join("upstream-tags")
}

/// Fetches, and writes down the tags that this has made the remote's. Meanwhile, and after a fetch that was killed, there is no
/// list, so that a tag that has just arrived is not taken for a worker's.
pub(super) fn around<T>(git: &Git, repo: &Path, fetch: impl FnOnce() -> WorldResult<T>) -> WorldResult<()> {
    let file = list(repo);
    let before = found(read_whole(&file)).map_err(io_error("read", &file))?;
    RealDisk.remove(&file)?;
    let fetched = fetch();
    let text = match (&fetched, before) {
        (Ok(_), _) => refs::under(git, repo, TAGS)?.iter().map(|(name, sha)| format!("{sha} {name}\n")).collect(),
        (Err(_), Some(before)) => String::from_utf8_lossy(&before).into_owned(),
        (Err(_), None) => return fetched.map(drop),
    };
    RealDisk.write(&file, text.as_bytes())?;
    fetched.map(drop)
}

/// The remote's tags (full names) of the last fetch; `None` where there was none, or it goes on.
pub(super) fn read(repo: &Path) -> WorldResult<Option<BTreeMap<String, Sha>>> {
    let file = list(repo);
    let Some(bytes) = found(read_whole(&file)).map_err(io_error("read", &file))? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let tag = |line: &str| line.split_once(' ').map(|(sha, name)| (name.to_owned(), Sha::from(sha)));
    Ok(Some(text.lines().filter_map(tag).collect()))
}
