//! Ledgers that belong to no town: the `.beads` folder of a project, with the same engine. Their beads are never slung, and the
//! built-in defaults replace a town's settings.

use std::collections::BTreeMap;
use std::path::Path;

use gt_ledger::{self, Ledger, LedgerError, View, WRITE_DEADLINE};
use gt_model::bead::Status;
use gt_model::vocabulary::{self, UnknownWord};

use crate::town::error::{Error, Result};
use crate::town::settings::TownSettings;
use crate::town::{Caller, Outside, Town};
use crate::work::beads::PREFIX_KEY;

mod found;

pub(crate) use found::is_in_git;
pub use found::{beads_file, known_prefix, redirect, shared_beads};

/// Name of the ledger file in a `.beads` folder. Other programs use other names, and their files are left alone.
pub const FILE: &str = "gt.db";

/// Prefix used if a folder's name yields none.
const FALLBACK_PREFIX: &str = "bd";

const PREFIX_HINT: &str =
    "a prefix has letters, digits, `-` and `_` and starts with a letter: for example --prefix app";

/// Longest allowed prefix, in bytes.
const PREFIX_LIMIT: usize = 40;

/// Opens the ledger in the file `path`.
pub fn open(path: &Path, outside: Outside) -> Result<Town> {
    let ledger = Ledger::open_within(path, outside.world.clone(), outside.faults.clone(), WRITE_DEADLINE)?;
    let is_shared = is_in_git(outside.world.disk(), path.parent().unwrap_or(path));
    Ok(around(path, outside, ledger.shared(is_shared)))
}

/// Creates a ledger in the folder `beads`. New beads get this prefix.
pub fn create(beads: &Path, prefix: &str, outside: Outside) -> Result<Town> {
    let path = beads.join(FILE);
    let disk = outside.world.disk();
    if disk.exists(&path) {
        return Err(LedgerError::Exists(path).into());
    }
    if !is_prefix(prefix) {
        return Err(Error::Usage { what: format!("`{prefix}` can't be a prefix"), hint: PREFIX_HINT.to_owned() });
    }
    disk.create_dir(beads)?;
    // Build it under a temporary name, because a ledger without a prefix is unusable.
    let half = beads.join(HALF_MADE);
    for left in gt_ledger::files(&half) {
        disk.remove(&left)?;
    }
    let ledger = Ledger::create(&half, outside.world.clone())?;
    ledger.write("gt", "init", |tx| tx.set_meta(PREFIX_KEY, prefix).map_err(Error::from))?;
    ledger.settle()?;
    drop(ledger);
    // SQLite would apply a log that an earlier ledger left to this one.
    for left in &gt_ledger::files(&path)[1..] {
        disk.remove(left)?;
    }
    disk.rename(&half, &path)?;
    if !disk.exists(&beads.join(".gitignore")) {
        disk.write(&beads.join(".gitignore"), IGNORED.as_bytes())?;
    }
    open(&path, outside)
}

/// Files in the folder that git should ignore.
const IGNORED: &str = "gt.db\ngt.db-*\nbeads.lock\nbackups/\n.gt.db.making*\nmade-below\n";

/// Temporary name of a ledger under construction.
const HALF_MADE: &str = ".gt.db.making";

fn around(path: &Path, outside: Outside, ledger: Ledger) -> Town {
    let beads = path.parent().unwrap_or(path);
    let layout = crate::town::layout::Layout::new(beads.parent().unwrap_or(beads));
    let ledger = ledger.settling_convoys(gt_ledger::settle_convoys);
    Town::around(layout, ledger, TownSettings::default(), outside)
}

/// Prefix of the settings keys that people and tools store in the ledger. gt itself uses only [`PREFIX_KEY`].
const SETTING: &str = "config.";

/// Longest allowed settings key, in bytes.
const KEY_LIMIT: usize = 100;

/// Returns the settings stored in the ledger.
pub fn settings(view: &View<'_>) -> Result<BTreeMap<String, String>> {
    let all = view.metas(SETTING)?;
    Ok(all.into_iter().map(|(key, value)| (key.trim_start_matches(SETTING).to_owned(), value)).collect())
}

/// Setting that adds words for a status: `in_review,qa:wip`. The part after a colon belongs to the Go `bd` and is ignored here.
pub const ADDED_STATUSES: &str = "status.custom";

/// Setting that adds words for a type of bead, as [`ADDED_STATUSES`] does for a status.
pub const ADDED_TYPES: &str = "types.custom";

/// Returns the words that such a setting adds.
pub fn added_words(view: &View<'_>, key: &str) -> Result<Vec<String>> {
    let all = settings(view)?;
    let words = all.get(key).map_or("", String::as_str).split(',');
    let words = words.map(|word| word.split(':').next().unwrap_or(word).trim().to_owned());
    Ok(words.filter(|word| !word.is_empty()).collect())
}

/// An unknown word in imported beads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddWord {
    /// The word, and what is wrong with it.
    pub error: UnknownWord,
    /// Number of beads that have it.
    pub beads: u64,
}

/// Returns imported words for a status or type that a user could not type.
pub fn odd_words(view: &View<'_>) -> Result<Vec<OddWord>> {
    let (statuses, types) = (added_words(view, ADDED_STATUSES)?, added_words(view, ADDED_TYPES)?);
    let (by_status, by_type) = view.words()?;
    let by_status = by_status.into_iter().filter(|(word, _)| word != Status::Tombstone.as_str());
    let of_status = by_status.map(|(word, beads)| (vocabulary::status(&word, &statuses).err(), beads));
    let of_type = by_type.into_iter().map(|(word, beads)| (vocabulary::bead_type(&word, &types).err(), beads));
    let odd = of_status.chain(of_type).filter_map(|(error, beads)| Some(OddWord { error: error?, beads }));
    Ok(odd.collect())
}

/// Sets or removes a setting.
pub fn set(town: &Town, caller: &Caller, key: &str, value: Option<&str>) -> Result<()> {
    let usage = |what: String, hint: &str| Error::Usage { what, hint: hint.to_owned() };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key.is_empty() || key.len() > KEY_LIMIT || !key.chars().all(fits) {
        return Err(usage("that is not the key of a setting".to_owned(), "a key is letters, digits, `.`, `_` and `-`"));
    }
    let key = format!("{SETTING}{key}");
    if let Some(value) = value.filter(|value| key == PREFIX_KEY && !is_prefix(value)) {
        return Err(usage(format!("`{value}` can't be a prefix"), PREFIX_HINT));
    }
    town.ledger.write(&caller.name(), "config", |tx| match value {
        Some(value) => Ok(tx.set_meta(&key, value)?),
        None => Ok(tx.drop_meta(&key).map(drop)?),
    })
}

/// Whether new ids can start with this prefix.
pub(crate) fn is_prefix(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.len() <= PREFIX_LIMIT
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(fits)
        && !text.ends_with('-')
}

/// Derives a prefix from a folder's name: in lower case, with dashes for characters that a prefix can't have, and trimmed at both
/// ends.
pub fn prefix_of(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let kept: String = name.chars().map(|c| if fits(c) { c } else { '-' }).take(PREFIX_LIMIT).collect();
    let kept = kept.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).trim_matches('-');
    if is_prefix(kept) { kept.to_owned() } else { FALLBACK_PREFIX.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_comes_from_the_folders_name() {
        for (folder, prefix) in [
            ("/src/My App", "my-app"),
            ("/src/.dotfiles", "dotfiles"),
            ("/src/2048", "bd"),
            ("/", "bd"),
            ("/src/vtüber-", "vt-ber"),
            ("/src/--x--", "x"),
        ] {
            assert_eq!(prefix_of(Path::new(folder)), prefix, "{folder}");
        }
    }

    #[test]
    fn what_a_shell_or_a_path_would_take_apart_is_no_prefix() {
        for text in ["", "-rf", "../x", "a b", "a/", "9a", "a-", "a\n"] {
            assert!(!is_prefix(text), "{text:?}");
        }
    }
}
