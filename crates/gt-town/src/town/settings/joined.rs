//! Joins tables in settings files that people appended to. A table that occurs twice becomes one table, and a file-level setting
//! below a table moves to the file level. A duplicate key stays an error that names both lines.

use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, DocumentMut, Item, Key, Table, TableLike, TomlError};

use super::{SettingsError, is_rigs};
use crate::town::config;

/// Beginnings of the TOML parser's messages for a duplicate key and for a table that is already defined in another form.
const DUPLICATE: &[&str] = &["duplicate key", "cannot extend value"];

/// Parses a settings file for editing. In the result, each table occurs once.
pub(crate) fn document(path: &Path, text: &str) -> Result<DocumentMut, SettingsError> {
    let failed = |text: String| SettingsError { path: path.to_owned(), text };
    let parts = Parts::of(text).map_err(failed)?;
    let mut documents = parts.0.iter().map(|part| part.document.clone().into_mut());
    let mut document = documents.next().unwrap_or_default();
    for next in documents {
        let comments = [&document, &next].map(|document| document.trailing().as_str().unwrap_or_default().to_owned());
        document.set_trailing(comments.concat());
        merge(document.as_table_mut(), next.into_table(), &[]).map_err(|key| failed(parts.twice(&key, &key)))?;
    }
    lift(is_rigs(path), &mut document).map_err(|(first, again)| failed(parts.twice(&first, &again)))?;
    Ok(document)
}

/// A file split where an already existing table begins again.
struct Parts<'t>(Vec<Part<'t>>);

struct Part<'t> {
    /// Number of lines above this part.
    above: usize,
    document: Document<&'t str>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        loop {
            let above = lines(&text[..text.len() - rest.len()]);
            let error = match Document::parse(rest) {
                Ok(document) => {
                    parts.push(Part { above, document });
                    return Ok(Self(parts));
                }
                Err(error) => error,
            };
            let at = begun_again(rest, &error).ok_or_else(|| said_twice(rest, above, &error))?;
            let document = Document::parse(&rest[..at]).map_err(|error| words(&error))?;
            parts.push(Part { above, document });
            rest = &rest[at..];
        }
    }

    /// Returns the error text for a key that is set twice.
    fn twice(&self, first: &[String], again: &[String]) -> String {
        let first_line = self.0.iter().find_map(|part| part.line(first));
        let again_line = self.0.iter().rev().find_map(|part| part.line(again));
        given_twice(&first.join("."), first_line.unwrap_or_default(), again_line.unwrap_or_default())
    }
}

impl Part<'_> {
    /// Returns the line of a key, counted from 1.
    fn line(&self, key: &[String]) -> Option<usize> {
        let start = start_of(self.document.as_table(), key)?;
        Some(self.above + lines(&self.document.raw()[..start]) + 1)
    }
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}

fn given_twice(key: &str, first: usize, again: usize) -> String {
    format!("`{key}` is given on line {first} and on line {again}: take one of them out")
}

fn words(error: &TomlError) -> String {
    error.to_string().trim_end().to_owned()
}

fn where_twice(error: &TomlError) -> Option<Range<usize>> {
    error.span().filter(|_| DUPLICATE.iter().any(|begin| error.message().starts_with(begin)))
}

/// Returns the offset of the line where an existing table begins again.
fn begun_again(text: &str, error: &TomlError) -> Option<usize> {
    let at = where_twice(error)?.start;
    let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    (begin > 0 && text[begin..].trim_start().starts_with('[')).then_some(begin)
}

/// Returns the error text for an unreadable text. For a duplicate key it names both lines.
fn said_twice(text: &str, above: usize, error: &TomlError) -> String {
    let both = || {
        let span = where_twice(error)?;
        let begin = text[..span.start].rfind('\n')? + 1;
        let before = Document::parse(&text[..begin]).ok()?;
        let first = last_key(before.as_table(), &text[span.clone()])?;
        let line = |at: usize| above + lines(&text[..at]) + 1;
        Some(given_twice(&text[span.clone()], line(first), line(span.start)))
    };
    both().unwrap_or_else(|| words(error))
}

/// Returns the offset of the last key with that name: the one in the last table of a text.
fn last_key(table: &dyn TableLike, name: &str) -> Option<usize> {
    let of_item = |(key, item): (&str, &Item)| {
        let own = table.key(key).filter(|key| key.get() == name).and_then(|key| Some(key.span()?.start));
        own.max(below(item).filter_map(|table| last_key(table, name)).max())
    };
    table.iter().filter_map(of_item).max()
}

/// Returns the item if it is a table, and all tables inside it.
fn below(item: &Item) -> Box<dyn Iterator<Item = &dyn TableLike> + '_> {
    match item {
        Item::ArrayOfTables(tables) => Box::new(tables.iter().map(|table| table as &dyn TableLike)),
        other => Box::new(other.as_table_like().into_iter()),
    }
}

fn start_of(table: &dyn TableLike, key: &[String]) -> Option<usize> {
    let (first, rest) = key.split_first()?;
    let (own, item) = table.get_key_value(first)?;
    if rest.is_empty() {
        return own.span().map(|span| span.start);
    }
    below(item).find_map(|table| start_of(table, rest))
}

/// Merges one table into another. Returns the key that both have, if there is one.
fn merge(into: &mut Table, mut from: Table, path: &[String]) -> Result<(), Vec<String>> {
    let names: Vec<String> = from.iter().map(|(name, _)| name.to_owned()).collect();
    for (key, item) in names.iter().filter_map(|name| from.remove_entry(name)) {
        let path = [path, &[key.get().to_owned()]].concat();
        put(into, &key, item, path)?;
    }
    Ok(())
}

fn put(into: &mut Table, key: &Key, item: Item, path: Vec<String>) -> Result<(), Vec<String>> {
    let there = into.entry_format(key).or_insert(Item::None);
    if there.is_inline_table() && item.is_table() {
        // An inline table in braces can't hold the comments and lines of the other table.
        *there = Item::Table(std::mem::take(there).into_table().unwrap_or_default());
        into.key_mut(key.get()).iter_mut().for_each(|key| key.leaf_decor_mut().clear());
    }
    let there = into.entry_format(key).or_insert(Item::None);
    match (there, item) {
        (there @ Item::None, item) => *there = item,
        (Item::ArrayOfTables(there), Item::ArrayOfTables(more)) => there.extend(more),
        (Item::Table(there), Item::Table(more)) => merge(there, more, &path)?,
        _ => return Err(path),
    }
    Ok(())
}

/// Moves file-level settings out of tables that do not know that key. Returns two keys that set the same thing, if there are
/// such.
fn lift(of_rig: bool, document: &mut DocumentMut) -> Result<(), (Vec<String>, Vec<String>)> {
    let mut moved = Vec::new();
    for (name, item) in document.as_table_mut().iter_mut() {
        take_misplaced(of_rig, item, &[name.get().to_owned()], &mut moved);
    }
    for (path, key, item) in moved {
        put(document.as_table_mut(), &key, item, vec![key.get().to_owned()]).map_err(|first| (first, path))?;
    }
    Ok(())
}

/// Old place, key and value of a setting.
type Misplaced = (Vec<String>, Key, Item);

fn take_misplaced(of_rig: bool, item: &mut Item, path: &[String], moved: &mut Vec<Misplaced>) {
    let tables: Vec<&mut Table> = match item {
        Item::Table(table) => vec![table],
        Item::ArrayOfTables(tables) => tables.iter_mut().collect(),
        _ => return,
    };
    for table in tables {
        let below = |name: &str| [path, &[name.to_owned()]].concat();
        let is_misplaced = |name: &str| {
            !config::leads_to_key(of_rig, &below(name)) && config::leads_to_key(of_rig, &[name.to_owned()])
        };
        let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            if is_misplaced(&name) {
                moved.extend(table.remove_entry(&name).map(|(key, item)| (below(&name), key, item)));
            } else if let Some(item) = table.get_mut(&name) {
                take_misplaced(of_rig, item, &below(&name), moved);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the parsed form of a rig's file, or the error text.
    fn read(text: &str) -> String {
        document(Path::new("/town/app/rig.toml"), text).map_or_else(|error| error.text, |document| document.to_string())
    }

    #[test]
    fn what_was_appended_is_read_as_it_is_meant() {
        let check = |text: &str, expected: &str| assert_eq!(read(text), expected, "{text}");
        check("version = 1\n", "version = 1\n");
        check(
            "[worktree]\nfrom = \"/a\" # mine\n\n[[gate]]\nname = \"a\"\nrun = \"[b]\"\n\n# Mine\n[worktree]\n# installs\nsetup = \"x\"\n",
            "[worktree]\nfrom = \"/a\" # mine\n# installs\nsetup = \"x\"\n\n[[gate]]\nname = \"a\"\nrun = \"[b]\"\n\n# Mine\n",
        );
        check("worktree.from = \"/a\"\n[worktree]\nlfs = true\n", "worktree.from = \"/a\"\nworktree.lfs = true\n");
        check("env = { pass = [] }\n[env.set]\nA = \"1\"\n", "[env]\npass = []\n[env.set]\nA = \"1\"\n");
        check(
            "[env.set]\nA = \"\"\"\n[env.set]\n\"\"\"\n[env.set]\nB = '1'\n[env.set]\nC = '2'\n",
            "[env.set]\nA = \"\"\"\n[env.set]\n\"\"\"\nB = '1'\nC = '2'\n",
        );
        check(
            "version = 1\n\n[[gate]]\nname = \"a\"\nrun = \"b\"\n# cached\nkeep = [\"target\"]\nenv.set.A = \"1\"\n",
            "version = 1\n# cached\nkeep = [\"target\"]\nenv.set.A = \"1\"\n\n[[gate]]\nname = \"a\"\nrun = \"b\"\n",
        );
        check("[env.set]\nagent = \"x\"\n", "[env.set]\nagent = \"x\"\n");
        check(
            "[worktree]\nlfs = true\n[[gate]]\nname = \"a\"\n[worktree]\nsubmodules = true\n[[gate]]\nname = \"b\"\n",
            "[worktree]\nlfs = true\nsubmodules = true\n[[gate]]\nname = \"a\"\n[[gate]]\nname = \"b\"\n",
        );
    }

    #[test]
    fn a_key_that_is_given_twice_is_told_with_both_lines() {
        let check = |text: &str, key: &str, first: usize, again: usize| {
            assert_eq!(read(text), given_twice(key, first, again), "{text}");
        };
        check("[worktree]\nlfs = true\n\n[worktree]\nsetup = \"x\"\nlfs = false\n", "worktree.lfs", 2, 6);
        check("worktree.lfs = true\n[worktree]\nlfs = false\n", "worktree.lfs", 1, 3);
        check("version = 1\nkeep = []\n[[gate]]\nname = \"a\"\nkeep = [\"b\"]\n", "keep", 2, 5);
        check("[worktree]\nfrom = \"a\"\nfrom = \"b\"\n", "from", 2, 3);
        check("landing = \"ask\"\n[env.set]\nlanding = \"x\"\n[env]\npass = []\npass = []\n", "pass", 5, 6);
        check("[env.set]\nA = \"1\"\n[env.set]\nB = \"1\"\n[env.set]\nA = \"2\"\n", "env.set.A", 2, 6);
    }
}
