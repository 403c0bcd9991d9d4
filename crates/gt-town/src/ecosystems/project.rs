//! Reads a project's files to find out what it is. Follows no link out of the project.

use std::path::Path;

use gt_world::{Disk, NodeKind};
use regex_lite::Regex;
use serde_json::Value;

use super::yaml;
use crate::town::error::Result;

/// Maximum number of bytes read from a file.
const FILE_BYTES: usize = 4 * 1024 * 1024;

/// Maximum depth of a file search, and maximum number of entries.
const DEPTH: usize = 4;
const ENTRIES: usize = 5_000;

/// Maximum depth of sources that have a folder for each part of a package's name.
const DEEP: usize = 12;

/// Folders that hold other projects' files or tools' output.
const NOT_LOOKED_INTO: &[&str] =
    &["node_modules", "vendor", "testdata", "target", "venv", "third_party", "site-packages", "dist", "build"];

/// A project in a folder. Links to other places are ignored.
#[derive(Clone, Copy)]
pub struct Project<'p> {
    /// The disk.
    pub disk: &'p dyn Disk,
    /// The folder.
    pub folder: &'p Path,
}

impl Project<'_> {
    /// Returns a file's text.
    pub fn text(&self, file: &str) -> Result<Option<String>> {
        let bytes = self.disk.read_part(&self.folder.join(file), 0, FILE_BYTES)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether this is a file.
    pub fn has(&self, file: &str) -> bool {
        self.disk.kind(&self.folder.join(file)).is_ok_and(|kind| kind == Some(NodeKind::File))
    }

    /// Whether this is a folder.
    pub(crate) fn has_folder(&self, folder: &str) -> bool {
        self.disk.kind(&self.folder.join(folder)).is_ok_and(|kind| kind == Some(NodeKind::Folder))
    }

    /// Returns the sorted names in a folder; empty if it does not exist.
    pub fn names(&self, folder: &str) -> Result<Vec<String>> {
        let mut names = self.disk.list(&self.folder.join(folder))?;
        names.sort();
        Ok(names)
    }

    /// Returns the files that match a pattern whose last part may contain `*`.
    pub fn matching(&self, pattern: &str) -> Result<Vec<String>> {
        let (folder, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let Some((begin, end)) = last.split_once('*') else {
            return Ok(if self.has(pattern) { vec![pattern.to_owned()] } else { Vec::new() });
        };
        let fits =
            |name: &String| name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end);
        let paths = self.names(folder)?.into_iter().filter(fits).map(|name| join(folder, &name));
        Ok(paths.filter(|path| self.has(path)).collect())
    }

    /// Whether a file's text matches.
    pub fn matches(&self, file: &str, regex: &Regex) -> Result<bool> {
        Ok(self.text(file)?.is_some_and(|text| regex.is_match(&text)))
    }

    /// Returns a file's data, parsed by the format that its name implies.
    pub fn data(&self, file: &str) -> Result<Value> {
        let Some(text) = self.text(file)? else { return Ok(Value::Null) };
        let data = match file.rsplit('.').next().unwrap_or_default() {
            "json" | "jsonc" => serde_json::from_str(&text).ok(),
            "yml" | "yaml" => yaml::parse(&text),
            _ => toml::from_str::<toml::Table>(&text).ok().and_then(|table| serde_json::to_value(table).ok()),
        };
        Ok(data.unwrap_or_default())
    }

    /// Returns the paths of files with wanted names, upper folders first.
    pub fn files(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.walk(DEPTH, &mut |_, path, name| {
            if wanted(name) && self.has(path) {
                found.push(path.to_owned());
            }
        })?;
        Ok(found)
    }

    /// Returns the files with wanted names below some folders, at any depth.
    pub(crate) fn deep_files(&self, folders: &[&str], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for folder in folders {
            let below = Project { disk: self.disk, folder: &self.folder.join(folder) };
            below.walk(DEEP, &mut |_, path, name| {
                if wanted(name) && below.has(path) {
                    found.push(join(folder, path));
                }
            })?;
        }
        Ok(found)
    }

    /// Returns the subfolders, upper ones first.
    pub fn folders(&self, depth: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.walk(depth, &mut |is_folder, path, _| {
            if is_folder {
                found.push(path.to_owned());
            }
        })?;
        Ok(found)
    }

    fn walk(&self, depth: usize, see: &mut dyn FnMut(bool, &str, &str)) -> Result<()> {
        let (mut folders, mut seen) = (vec![String::new()], 0);
        for _ in 0..depth {
            let mut below = Vec::new();
            for folder in folders {
                for name in self.names(&folder)? {
                    seen += 1;
                    if seen > ENTRIES {
                        return Ok(());
                    }
                    let path = join(&folder, &name);
                    let is_wanted = !name.starts_with('.') && !NOT_LOOKED_INTO.contains(&name.as_str());
                    let is_folder = is_wanted && self.has_folder(&path);
                    see(is_folder, &path, &name);
                    if is_folder {
                        below.push(path);
                    }
                }
            }
            folders = below;
        }
        Ok(())
    }
}

/// Returns the path of a name in a folder; "" is the top.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Returns the value at nested keys, given with dots between them.
pub fn at<'v>(value: &'v Value, keys: &str) -> Option<&'v Value> {
    keys.split('.').try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}
