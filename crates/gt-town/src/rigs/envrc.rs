//! A person's consent to load a project's `.envrc`: what the person sees first, and how the consent is stored.
//! [`crate::walls::direnv`] explains what the consent allows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gt_world::RunEnd;

use crate::town::error::{Error, Result};
use crate::town::person::{self, Act, Person};
use crate::town::settings;
use crate::town::{Caller, Rig, Town};
use crate::walls::contained::{self, Job};
use crate::walls::direnv::{self, FILE, File};

/// Maximum number of files in one consent.
const FILES: usize = 50;

/// Time limit for one direnv run on an `.envrc`. It may download tools.
const TIME: Duration = Duration::from_mins(10);

/// Line before direnv's list of watched files in the output.
const WATCHES: &str = "gt: direnv watches:";

/// Returns the files in the consent whose content on the trunk has changed since. `None` if there is no consent.
pub(crate) fn changed_on_trunk(town: &Town, rig: &Rig) -> Result<Option<Vec<String>>> {
    let consent = &rig.settings.env.direnv;
    let kept = town.ledger.read(|view| view.meta(&key(rig)).map_err(Error::from))?;
    let kept: Option<Blobs> = kept.and_then(|text| serde_json::from_str(&text).ok()).filter(|_| !consent.is_empty());
    let Some(kept) = kept else { return Ok(None) };
    let now = blobs(town, rig, consent.keys())?;
    Ok(Some(consent.keys().filter(|path| kept.get(*path) != now.get(*path)).cloned().collect()))
}

/// Ids of git blobs by path.
type Blobs = BTreeMap<String, String>;

fn key(rig: &Rig) -> String {
    format!("envrc:{}", rig.name())
}

fn blobs<'p>(town: &Town, rig: &Rig, paths: impl Iterator<Item = &'p String>) -> Result<Blobs> {
    let (world, repo) = (town.world(), rig.layout.repo());
    let Some(trunk) = world.repo().refs(&repo)?.remove(&rig.trunk_ref()) else { return Ok(Blobs::new()) };
    let entries = world.repo().entries(&repo, &trunk, &paths.cloned().collect::<Vec<_>>())?;
    Ok(entries.into_iter().map(|(path, entry)| (path, entry.id.to_string())).collect())
}

/// Returns the trunk's `.envrc`, which a person reads before consenting.
pub fn look(town: &Town, caller: &Caller, rig: &Rig) -> Result<File> {
    confirm(town, caller, rig)?;
    on_trunk(town, rig, |folder| envrc(town, rig, folder))
}

fn confirm(town: &Town, caller: &Caller, rig: &Rig) -> Result<Person> {
    let act = Act { refused: "allows an .envrc", what: "allow the .envrc of", on: rig.name().as_str() };
    person::confirm(town, caller, act)
}

/// Calls `act` on the gates' worktree at the trunk while no other process uses it.
fn on_trunk<T>(town: &Town, rig: &Rig, act: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let _turn = town.lock(&rig.gates_lane())?;
    let (repo, path, folder) = (town.world().repo(), rig.layout.repo(), rig.layout.gate_worktree());
    let trunk = repo.refs(&path)?.remove(&rig.trunk_ref());
    let trunk = trunk.ok_or_else(|| Error::Unknown { what: "branch", name: rig.row.trunk.clone() })?;
    let held = town.lock(&rig.repo_lane())?;
    repo.reset_gate_worktree(&held, &path, &folder, &trunk)?;
    drop(held);
    act(&folder)
}

fn envrc(town: &Town, rig: &Rig, folder: &Path) -> Result<File> {
    let file = direnv::read(town, folder, FILE)?.ok_or_else(|| cannot(&format!("{FILE} is not a plain text file")))?;
    match &file.text {
        None => Err(Error::refused(format!("the trunk of {} has no {FILE}", rig.name()), "gt rig fetch")),
        Some(text) if text.contains("source_up") => {
            Err(cannot("it loads files above the worktree (source_up), and an approval can't cover those"))
        }
        Some(_) => Ok(file),
    }
}

fn cannot(why: &str) -> Error {
    Error::refused(
        format!(".envrc can't be allowed: {why}"),
        "give gates and workers the variables that they need: gt rig set <rig> env.set.<NAME>=…, or env.pass=…",
    )
}

/// Lets direnv load the trunk's `.envrc`, whose text a person has seen. Returns all files that the consent will cover: those in
/// the worktree that direnv watches.
pub fn watched(town: &Town, caller: &Caller, rig: &Rig, seen: &File) -> Result<Vec<File>> {
    confirm(town, caller, rig)?;
    if !direnv::is_installed(town, rig) {
        return Err(Error::refused(
            "direnv is not in the PATH of agents and gates",
            "install it (https://direnv.net), then gt agent check --update",
        ));
    }
    on_trunk(town, rig, |folder| {
        if envrc(town, rig, folder)? != *seen {
            return Err(Error::refused("the .envrc of the trunk has changed since", "look at it again"));
        }
        let mut files = vec![seen.clone()];
        for path in ask(town, rig, folder)? {
            if files.iter().all(|file| file.path != path) {
                let file = direnv::read(town, folder, &path)?;
                files.push(file.ok_or_else(|| cannot(&format!("{path}, which it loads, is not a plain text file")))?);
            }
        }
        if files.len() > FILES { Err(cannot("it loads too many files")) } else { Ok(files) }
    })
}

/// Asks direnv which files of a worktree it watches.
fn ask(town: &Town, rig: &Rig, folder: &Path) -> Result<Vec<String>> {
    let log = rig.layout.gate_logs().join("direnv.log");
    let tell = format!("echo '{WATCHES}'; direnv show_dump \"$DIRENV_WATCHES\"");
    let argv = direnv::with(["sh", "-c", &tell].map(str::to_owned).to_vec());
    // An earlier consent must not influence the answer.
    let mut bare = rig.clone();
    bare.settings.env.direnv.clear();
    let result =
        contained::run(town, &bare, &Job { argv, folder, slot: None, timeout: TIME, log: &log, env: BTreeMap::new() })?;
    let text = String::from_utf8_lossy(&town.world().disk().read(&log)?.unwrap_or_default()).into_owned();
    if result.end != RunEnd::Passed {
        let what = format!("direnv could not load the .envrc of the trunk:\n{}", result.tail.join("\n"));
        return Err(Error::refused(what, format!("full output: {}", log.display())));
    }
    let told = text.rsplit_once(WATCHES).map(|(_, told)| told).unwrap_or_default();
    watches(told, folder, &town.layout.root)
}

/// Parses direnv's list of watched files and returns those in the worktree. Returns an error if one is elsewhere in the town.
/// Files outside the town belong to the person or were made by this run, so they are left out.
fn watches(told: &str, folder: &Path, town: &Path) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Watch {
        #[serde(rename = "Path")]
        path: String,
    }
    let all: Vec<Watch> = serde_json::from_str(told.trim())
        .map_err(|error| cannot(&format!("direnv does not say which files it watches ({error})")))?;
    let mut files = Vec::new();
    for Watch { path } in all {
        match Path::new(&path).strip_prefix(folder) {
            Ok(below) => files.push(below.display().to_string()),
            Err(_) if Path::new(&path).starts_with(town) => {
                return Err(cannot(&format!("it loads {path}, which is in the town and not in the worktree")));
            }
            Err(_) => {}
        }
    }
    Ok(files)
}

/// Stores a person's consent to these files as shown. An empty list withdraws the consent.
pub fn allow(town: &Town, caller: &Caller, rig: &Rig, files: &[File]) -> Result<()> {
    let person = confirm(town, caller, rig)?;
    let path = rig.layout.settings();
    settings::edit(
        town,
        &path,
        &person,
        &|bytes| settings::parse::<settings::RigSettings>(&path, bytes),
        |document| {
            let made = || {
                let mut table = toml_edit::Table::new();
                table.set_implicit(true);
                toml_edit::Item::Table(table)
            };
            let Some(env) = document.entry("env").or_insert_with(made).as_table_like_mut() else { return };
            env.remove("direnv");
            if !files.is_empty() {
                let pins: toml_edit::InlineTable = files.iter().map(|file| (&file.path, file.pin())).collect();
                env.insert("direnv", toml_edit::value(pins));
            }
        },
    )?;
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let kept = serde_json::json!(blobs(town, rig, files.iter().map(|file| &file.path))?).to_string();
    town.ledger.write(&caller.name(), "rig allow-envrc", |tx| {
        tx.set_meta(&key(rig), &kept)?;
        tx.event("envrc-allowed", rig.name().as_str(), None, None, Some(&serde_json::json!(names)))?;
        Ok::<_, Error>(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_worktree_are_pinned_and_none_above_it_is_loaded() {
        let watch = |paths: &[&str]| {
            let all: Vec<_> = paths.iter().map(|path| serde_json::json!({ "Path": path, "Exists": true })).collect();
            watches(&serde_json::to_string(&all).unwrap(), Path::new("/t/app/w"), Path::new("/t"))
        };
        let files =
            watch(&["/t/app/w/.envrc", "/t/app/w/a/.env", "/tmp/x/allow/1", "/home/me/.config/direnv/direnvrc"]);
        assert_eq!(files.unwrap(), [".envrc", "a/.env"]);
        assert!(watch(&["/t/app/.envrc"]).unwrap_err().to_string().contains("/t/app/.envrc"));
        assert!(watches("no json", Path::new("/t/app/w"), Path::new("/t")).is_err());
    }
}
