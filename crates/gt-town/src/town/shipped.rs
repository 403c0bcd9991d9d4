//! The formulas that gt ships, as files of the town that a person can read and edit.
//!
//! `.shipped.toml` beside them records the hash of each text as gt wrote it. So an upgrade of gt replaces a file that is still as
//! it was written, and leaves one alone that a person has edited or removed.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::id::sha256_hex;
use gt_world::Disk;
use serde::Serialize;

use crate::town::Town;
use crate::town::error::Result;
use crate::town::formula::BUILT_IN;

/// Name of the record, in the folder of formulas.
const RECORD: &str = ".shipped.toml";

/// Hashes of the texts as gt wrote them, by name.
type Record = BTreeMap<String, String>;

/// State of a shipped formula's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as this gt ships it.
    Same,
    /// It is as an older gt wrote it: [`refresh`] replaces it.
    Older,
    /// A person edited the text that this gt ships.
    Edited,
    /// A person edited the text that an older gt wrote, and this gt ships another.
    EditedOutdated,
    /// A person removed it: the text in the binary applies.
    Removed,
    /// It was never written: [`refresh`] writes it.
    Unwritten,
}

/// A shipped formula and its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shipped {
    /// Name.
    pub name: &'static str,
    /// State of the file.
    pub state: State,
    /// Text that this gt ships.
    #[serde(skip)]
    pub ours: &'static str,
    /// Text of the file, if it is there.
    #[serde(skip)]
    pub theirs: Option<String>,
}

/// Returns the state of each shipped formula.
pub fn states(town: &Town) -> Result<Vec<Shipped>> {
    look(town.world().disk(), &town.layout.formulas())
}

/// Writes the files that are missing or as an older gt wrote them. Returns their names. It costs a few reads if there are none.
pub fn refresh(town: &Town) -> Result<Vec<&'static str>> {
    write(town.world().disk(), &town.layout.formulas())
}

/// Writes the files of a folder; see [`refresh`].
pub(crate) fn write(disk: &dyn Disk, folder: &Path) -> Result<Vec<&'static str>> {
    let before = record(disk, folder)?;
    let mut after = before.clone();
    let mut written = Vec::new();
    for Shipped { name, state, ours, .. } in look(disk, folder)? {
        if matches!(state, State::Older | State::Unwritten) {
            disk.write(&file(folder, name), ours.as_bytes())?;
            written.push(name);
        }
        if matches!(state, State::Older | State::Unwritten | State::Same) {
            after.insert(name.to_owned(), sha256_hex(ours));
        }
    }
    if after != before {
        save(disk, folder, &after)?;
    }
    Ok(written)
}

fn look(disk: &dyn Disk, folder: &Path) -> Result<Vec<Shipped>> {
    let record = record(disk, folder)?;
    let look_at = |(name, ours): &(&'static str, &'static str)| {
        let bytes = disk.read_own(&file(folder, name))?;
        let theirs = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let state = state(record.get(*name).map(String::as_str), ours, theirs.as_deref());
        Ok(Shipped { name, state, ours, theirs })
    };
    BUILT_IN.iter().map(look_at).collect()
}

/// Returns the state of a file from the hash that is recorded for it, the text that this gt ships and the text of the file.
fn state(recorded: Option<&str>, ours: &str, theirs: Option<&str>) -> State {
    match (recorded, theirs) {
        (_, Some(theirs)) if theirs == ours => State::Same,
        (Some(recorded), Some(theirs)) if recorded == sha256_hex(theirs) => State::Older,
        (Some(recorded), Some(_)) if recorded != sha256_hex(ours) => State::EditedOutdated,
        (_, Some(_)) => State::Edited,
        (Some(_), None) => State::Removed,
        (None, None) => State::Unwritten,
    }
}

fn file(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join(format!("{name}.toml"))
}

/// Reads the record. A record that can't be read counts as empty: then every file that differs counts as edited.
fn record(disk: &dyn Disk, folder: &Path) -> Result<Record> {
    let bytes = disk.read_own(&folder.join(RECORD))?.unwrap_or_default();
    Ok(toml::from_str(&String::from_utf8_lossy(&bytes)).unwrap_or_default())
}

fn save(disk: &dyn Disk, folder: &Path, record: &Record) -> Result<()> {
    let lines = record.iter().map(|(name, hash)| format!("{name} = \"{hash}\"\n"));
    let text =
        format!("# Hashes of the shipped formulas as gt wrote them. gt reads it to see which ones you edited.\n{}", {
            lines.collect::<String>()
        });
    Ok(disk.write(&folder.join(RECORD), text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_no_person_changed_are_replaced() {
        let hash = sha256_hex;
        let check = |recorded: Option<&str>, theirs: Option<&str>, expected: State| {
            let recorded = recorded.map(hash);
            assert_eq!(state(recorded.as_deref(), "new", theirs), expected, "{recorded:?} {theirs:?}");
        };
        check(None, None, State::Unwritten);
        check(Some("old"), None, State::Removed);
        check(Some("old"), Some("old"), State::Older);
        check(Some("old"), Some("mine"), State::EditedOutdated);
        check(Some("new"), Some("mine"), State::Edited);
        check(None, Some("mine"), State::Edited);
        check(None, Some("new"), State::Same);
    }
}
