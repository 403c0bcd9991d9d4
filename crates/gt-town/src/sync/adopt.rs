//! Imports beads from elsewhere: from a `.beads` folder with JSONL files, or from a whole town of the Go Gas Town as far as its
//! files show. It only reads these files and treats their content as data.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use gt_model::jsonl::{self, Record};
use gt_world::Disk;
use serde::{Deserialize, Serialize};

use crate::sync::port::{self, ImportOptions, Imported};
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Names of the bead file, newest name first.
const FILES: [&str; 2] = ["issues.jsonl", "beads.jsonl"];

/// Maximum number of rigs and routes of one town, and the size limit of its small files, in bytes.
const PLACES_LIMIT: usize = 1000;
const SMALL_FILE_LIMIT: u64 = 1024 * 1024;

/// Size limit of a bead file, in bytes.
const FILE_LIMIT: u64 = 4 * 1024 * 1024 * 1024;

/// Contents of a folder.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// Bead files.
    pub files: Vec<FoundFile>,
    /// Rigs of the town.
    pub rigs: Vec<FoundRig>,
    /// Other remarks.
    pub notes: Vec<String>,
}

/// A bead file.
#[derive(Clone, Debug, Serialize)]
pub struct FoundFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Number of beads in it.
    pub beads: usize,
    /// Prefixes of their ids.
    pub prefixes: BTreeSet<String>,
    /// Result of the import, or of its rehearsal.
    pub imported: Imported,
}

/// A rig of a Go town.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundRig {
    /// Its name.
    pub name: String,
    /// URL of its project.
    pub url: Option<String>,
    /// Prefix of its beads' ids.
    pub prefix: Option<String>,
    /// Whether this town already has a rig with that name.
    pub known: bool,
}

/// The needed part of a Go town's `mayor/rigs.json`.
#[derive(Debug, Default, Deserialize)]
struct RigsFile {
    #[serde(default)]
    rigs: std::collections::BTreeMap<String, RigEntry>,
}

#[derive(Debug, Deserialize)]
struct RigEntry {
    #[serde(default)]
    git_url: Option<String>,
    #[serde(default)]
    beads: Option<RigBeads>,
}

#[derive(Debug, Deserialize)]
struct RigBeads {
    #[serde(default)]
    prefix: Option<String>,
}

/// A line of `.beads/routes.jsonl`.
#[derive(Debug, Deserialize)]
struct Route {
    path: String,
}

/// Imports the beads in `folder`. If a line of any file can't be read, returns an error and imports none, unless `options` asks
/// to salvage the good lines.
pub fn beads(town: &Town, caller: &Caller, folder: &Path, options: ImportOptions) -> Result<Found> {
    let disk = town.world().disk();
    if !disk.exists(folder) {
        return Err(Error::MissingFile(folder.to_owned()));
    }
    let mut found = Found { rigs: rigs(town, folder)?, ..Found::default() };
    let mut texts = Vec::new();
    for beads in folders(disk, folder, &found.rigs)? {
        match file_in(disk, &beads) {
            Some(path) => texts.push(read(disk, &path, FILE_LIMIT)?.map(|text| (path, text))),
            None if has_database(disk, &beads) => found.notes.push(format!(
                "{} has a database but no issues.jsonl: let its own bd write one (bd export -o issues.jsonl)",
                beads.display()
            )),
            None => {}
        }
    }
    let texts: Vec<(PathBuf, Vec<u8>)> = texts.into_iter().flatten().collect();
    if texts.is_empty() {
        let what = format!("no issues.jsonl at {}", folder.display());
        let hint =
            found.notes.first().cloned().unwrap_or_else(|| "name a project, its .beads folder, or a town".into());
        return Err(Error::Refused { what, hint });
    }
    for (path, text) in &texts {
        let imported = named(path, port::import(town, caller, text, ImportOptions { rehearse: true, ..options }))?;
        let (beads, prefixes) = counted(text);
        found.files.push(FoundFile { path: path.clone(), beads, prefixes, imported });
    }
    if !options.rehearse {
        // Import one after the other, now that all are readable. A repeated import continues where an earlier one ended.
        for (file, (path, text)) in found.files.iter_mut().zip(&texts) {
            file.imported = named(path, port::import(town, caller, text, options))?;
        }
    }
    Ok(found)
}

/// Adds the file's name to the error of an import.
fn named(path: &Path, result: Result<Imported>) -> Result<Imported> {
    result.map_err(|error| match error {
        Error::Refused { what, hint } => Error::Refused { what: format!("{}: {what}", path.display()), hint },
        other => other,
    })
}

fn counted(text: &[u8]) -> (usize, BTreeSet<String>) {
    let (mut beads, mut prefixes) = (0, BTreeSet::new());
    for record in jsonl::records(text).flatten() {
        if let Record::Bead(bead) = record {
            beads += 1;
            if !prefixes.contains(bead.id.prefix()) {
                prefixes.insert(bead.id.prefix().to_owned());
            }
        }
    }
    (beads, prefixes)
}

/// Returns the bead folders: the given one and those of the town's rigs.
fn folders(disk: &dyn Disk, folder: &Path, rigs: &[FoundRig]) -> Result<Vec<PathBuf>> {
    let is_beads = folder.file_name().is_some_and(|name| name == ".beads") || file_in(disk, folder).is_some();
    let top = if is_beads { folder.to_owned() } else { folder.join(".beads") };
    let mut folders = vec![top.clone()];
    for path in routes(disk, &top)?.into_iter().chain(rigs.iter().map(|rig| PathBuf::from(&rig.name))) {
        for place in [path.clone(), path.join("mayor/rig")] {
            let beads = folder.join(&place).join(".beads");
            if is_below(&place) && disk.exists(&beads) {
                folders.push(redirected(disk, folder, &beads)?);
            }
        }
    }
    let mut seen = BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders.truncate(PLACES_LIMIT);
    Ok(folders)
}

/// Returns the folder to which a bead folder redirects, if that is below the town; otherwise the bead folder itself.
fn redirected(disk: &dyn Disk, town: &Path, beads: &Path) -> Result<PathBuf> {
    let Some(text) = read(disk, &beads.join("redirect"), SMALL_FILE_LIMIT)? else { return Ok(beads.to_owned()) };
    let target = PathBuf::from(String::from_utf8_lossy(&text).trim());
    // The path is relative to the folder that holds `.beads`. Resolve `..` by name only.
    let mut at = beads.parent().unwrap_or(beads).to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => _ = at.pop(),
            Component::Normal(name) => at.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Ok(beads.to_owned()),
        }
    }
    Ok(if at.starts_with(town) && disk.exists(&at) { at } else { beads.to_owned() })
}

/// Whether a path that a file names stays below the folder to which it is joined.
fn is_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn routes(disk: &dyn Disk, beads: &Path) -> Result<Vec<PathBuf>> {
    let text = read(disk, &beads.join("routes.jsonl"), SMALL_FILE_LIMIT)?.unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    let routes = lines.filter_map(|line| serde_json::from_slice::<Route>(line).ok());
    Ok(routes.map(|route| PathBuf::from(route.path)).take(PLACES_LIMIT).collect())
}

fn rigs(town: &Town, folder: &Path) -> Result<Vec<FoundRig>> {
    let path = folder.join("mayor/rigs.json");
    let Some(text) = read(town.world().disk(), &path, SMALL_FILE_LIMIT)? else { return Ok(Vec::new()) };
    let file: RigsFile = serde_json::from_slice(&text).map_err(|error| Error::Refused {
        what: format!("{} can't be read: {error}", path.display()),
        hint: "fix it, or import the .beads of each rig separately".to_owned(),
    })?;
    let known = town.ledger.read(|view| Ok::<_, Error>(view.rigs()?))?;
    let rig = |(name, entry): (String, RigEntry)| FoundRig {
        known: known.iter().any(|rig| rig.name.as_str() == name),
        url: entry.git_url,
        prefix: entry.beads.and_then(|beads| beads.prefix),
        name,
    };
    Ok(file.rigs.into_iter().take(PLACES_LIMIT).map(rig).collect())
}

fn file_in(disk: &dyn Disk, beads: &Path) -> Option<PathBuf> {
    FILES.iter().map(|name| beads.join(name)).find(|path| disk.exists(path))
}

fn has_database(disk: &dyn Disk, beads: &Path) -> bool {
    ["beads.db", "dolt", "embeddeddolt"].iter().any(|name| disk.exists(&beads.join(name)))
}

/// Returns a file's bytes; `None` if it does not exist.
fn read(disk: &dyn Disk, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    if !disk.exists(path) {
        return Ok(None);
    }
    if disk.size(path)? > limit {
        let what = format!("{} is larger than {limit} bytes", path.display());
        return Err(Error::refused(what, "split it"));
    }
    Ok(disk.read(path)?)
}
