//! Tags of the remote, as the last fetch found them. A worker can write refs but not this list, which is in the control folder.
//! So the list tells the remote's tags from those that a worker made or moved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::id::Sha;

use super::control;
use crate::real::disk::{RealDisk, found, io_error, read_whole, replace_for_now};
use crate::{Disk as _, WorldResult};

/// Prefix of tags.
pub(super) const TAGS: &str = "refs/tags/";

/// Last line of the list. The town does not wait for the disk when it writes the list, so a power cut can leave a part of it.
const END: &str = "end";

fn list(repo: &Path) -> PathBuf {
    control::folder(repo).join("upstream-tags")
}

/// Runs a fetch that returns the refs now equal to the remote's, and writes down the tags among them. During the fetch, and after
/// one that was killed, there is no list, so that a new tag is not taken for a worker's.
pub(super) fn around(
    repo: &Path,
    fetch: impl FnOnce() -> WorldResult<BTreeMap<String, Sha>>,
) -> WorldResult<BTreeMap<String, Sha>> {
    let file = list(repo);
    let before = found(read_whole(&file)).map_err(io_error("read", &file))?;
    RealDisk.remove(&file)?;
    let fetched = fetch();
    let after = match &fetched {
        Ok(refs) => Some(text(refs).into_bytes()),
        Err(_) => before,
    };
    after.map(|bytes| replace_for_now(&file, &bytes)).transpose()?;
    fetched
}

fn text(refs: &BTreeMap<String, Sha>) -> String {
    let tags = refs.iter().filter(|(name, _)| name.starts_with(TAGS));
    tags.map(|(name, sha)| format!("{sha} {name}\n")).chain([format!("{END}\n")]).collect()
}

/// Returns the remote's tags (full names) at the last fetch; `None` if there is no complete list.
pub(super) fn read(repo: &Path) -> WorldResult<Option<BTreeMap<String, Sha>>> {
    let file = list(repo);
    let Some(bytes) = found(read_whole(&file)).map_err(io_error("read", &file))? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let Some(tags) = text.strip_suffix(&format!("{END}\n")) else { return Ok(None) };
    let tag = |line: &str| line.split_once(' ').map(|(sha, name)| (name.to_owned(), Sha::from(sha)));
    Ok(Some(tags.lines().filter_map(tag).collect()))
}
