//! Files of git's configuration as lists of entries. The town writes them itself and reads them through git.

use std::path::Path;

use super::Git;
use super::command::{Answer, Place};
use crate::WorldResult;

/// A key with a value. The key is as `git config --list` prints it: section and name in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
}

pub(super) fn entry(key: impl Into<String>, value: impl Into<String>) -> Entry {
    Entry { key: key.into(), value: value.into() }
}

/// Returns the entries as the text of a file.
pub(super) fn text(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for Entry { key, value } in entries {
        let Some((section, name)) = key.rsplit_once('.') else { continue };
        let header = match section.split_once('.') {
            Some((section, sub)) => format!("{section} {}", quoted(sub)),
            None => section.to_owned(),
        };
        if header != last {
            text.push_str(&format!("[{header}]\n"));
            last = header;
        }
        text.push_str(&format!("\t{name} = {}\n", quoted(value)));
    }
    text
}

/// Quotes a value for git's configuration files.
pub(super) fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{escaped}\"")
}

/// Reads the entries of a file, without the files that it includes. The inner `Err` holds git's message if git can't read it.
pub(super) fn read(git: &Git, file: &Path) -> WorldResult<Result<Vec<Entry>, String>> {
    let call = git.question(&Place::Nowhere, "config").arg("--file").arg(file);
    let answer = call.args(["--no-includes", "--list", "-z"]).answer()?;
    Ok(if answer.code == 0 { Ok(entries(&answer)) } else { Err(answer.complaint()) })
}

/// Returns the value of a key in the overseer's own configuration for all repositories. `kind` is the type as which git reads it.
pub(super) fn personal(git: &Git, key: &str, kind: Option<&str>) -> WorldResult<Option<String>> {
    let call = git.question(&Place::Nowhere, "config").args(["--global", "--includes"]);
    let call = call.args(kind.map(|kind| format!("--type={kind}")));
    let answer = call.args(["--get", key]).answer()?;
    Ok((answer.code == 0).then(|| answer.line()))
}

fn entries(answer: &Answer) -> Vec<Entry> {
    // Each field is a key, a newline, and the value. A key alone means true.
    let fields = answer.fields().map(|field| String::from_utf8_lossy(field).into_owned());
    fields
        .map(|field| match field.split_once('\n') {
            Some((key, value)) => entry(key, value),
            None => entry(field, "true"),
        })
        .collect()
}

/// Returns the values of a key, in their order.
pub(super) fn values<'e>(entries: &'e [Entry], key: &str) -> Vec<&'e str> {
    entries.iter().filter(|entry| entry.key == key).map(|entry| entry.value.as_str()).collect()
}

/// Whether `there` has the same values as `wanted` for each key of `wanted`.
pub(super) fn agrees(there: &[Entry], wanted: &[Entry]) -> bool {
    wanted.iter().all(|entry| values(there, &entry.key) == values(wanted, &entry.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_written_as_git_reads_them() {
        let entries = [
            entry("core.bare", "false"),
            entry("core.worktree", "../../a \"b\"\\\n#c"),
            entry("url.gt://.pushinsteadof", ""),
            entry("url.gt://.pushinsteadof", "git@"),
            entry("remote.a.b\"c.url", " x "),
        ];
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        crate::Disk::write(&crate::real::RealDisk, &file, text(&entries).as_bytes()).unwrap();
        assert_eq!(read(&Git::default(), &file).unwrap(), Ok(entries.to_vec()));
        crate::Disk::write(&crate::real::RealDisk, &file, b"[core]\n\tbare\n").unwrap();
        assert_eq!(read(&Git::default(), &file).unwrap(), Ok(vec![entry("core.bare", "true")]));
        crate::Disk::write(&crate::real::RealDisk, &file, b"[core\n").unwrap();
        assert!(read(&Git::default(), &file).unwrap().is_err());
    }
}
