//! A person's consent to use the formulas that a project carries in its repository, in `.gastown/formulas/`.
//!
//! A formula says what runs and what workers are told, so a push to the trunk must not change it by itself. The ledger keeps the
//! texts that the person has seen and allowed, and only these are used until the person allows others.

use std::collections::BTreeMap;

use gt_model::formula::FILE_LIMIT;
use serde_json::json;

use crate::town::error::{Error, Result};
use crate::town::formula::{PROJECT_FOLDER, allowed_key};
use crate::town::person::{self, Act, Person};
use crate::town::{Caller, Rig, Town};

/// Maximum number of files in one consent.
const FILES: usize = 100;

/// Mode of a plain file in git, executable or not.
const PLAIN_MODES: [&str; 2] = ["100644", "100755"];

/// Texts of formulas and overlays by path in the repository.
pub type Texts = BTreeMap<String, String>;

fn confirm(town: &Town, caller: &Caller, rig: &Rig) -> Result<Person> {
    let act = Act { refused: "allows a project's formulas", what: "allow the formulas of", on: rig.name().as_str() };
    person::confirm(town, caller, act)
}

/// Returns the formulas of the project's trunk as it was last fetched. Links and other things that are no plain files are left
/// out.
pub fn on_trunk(town: &Town, rig: &Rig) -> Result<Texts> {
    let (world, repo) = (town.world(), rig.layout.repo());
    let trunk = world.repo().refs(&repo)?.remove(&rig.trunk_ref());
    let trunk = trunk.ok_or_else(|| Error::Unknown { what: "branch", name: rig.row.trunk.clone() })?;
    let entries = world.repo().entries(&repo, &trunk, &[format!("{PROJECT_FOLDER}/")])?;
    let mut texts = Texts::new();
    for (path, entry) in entries {
        let is_formula = path.ends_with(".toml") || path.ends_with(".formula.json");
        if is_formula && PLAIN_MODES.contains(&entry.mode.as_str()) {
            texts.insert(path, text(town, rig, &entry.id)?);
        }
        if texts.len() > FILES {
            return Err(cannot(rig, &format!("more than {FILES} files")));
        }
    }
    Ok(texts)
}

fn text(town: &Town, rig: &Rig, blob: &gt_model::id::Sha) -> Result<String> {
    let lines = town.world().repo().lines(&rig.layout.repo(), blob)?;
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if text.len() > FILE_LIMIT { Err(cannot(rig, "a file that is too large")) } else { Ok(text) }
}

fn cannot(rig: &Rig, why: &str) -> Error {
    Error::refused(
        format!("the formulas of {} can't be used: {PROJECT_FOLDER} has {why}", rig.name()),
        "the project has to change them",
    )
}

/// Returns the formulas of the trunk that a person has not allowed yet as they are, and those that are allowed and not on the
/// trunk any more.
pub fn news(town: &Town, rig: &Rig) -> Result<Texts> {
    let allowed = town.allowed_formulas(rig)?;
    let mut news = on_trunk(town, rig)?;
    news.retain(|path, text| allowed.get(path) != Some(text));
    Ok(news)
}

/// Returns the paths whose content on the trunk differs from what a person allowed. `None` if there is no consent.
pub(crate) fn changed_on_trunk(town: &Town, rig: &Rig) -> Result<Option<Vec<String>>> {
    let allowed = town.allowed_formulas(rig)?;
    if allowed.is_empty() {
        return Ok(None);
    }
    let now = on_trunk(town, rig)?;
    let paths = allowed.keys().chain(now.keys().filter(|path| !allowed.contains_key(*path)));
    Ok(Some(paths.filter(|path| allowed.get(*path) != now.get(*path)).cloned().collect()))
}

/// Stores a person's consent to these texts, and withdraws it from all others. None: withdraws it altogether.
pub fn allow(town: &Town, caller: &Caller, rig: &Rig, texts: &Texts) -> Result<()> {
    confirm(town, caller, rig)?;
    town.ledger.write(&caller.name(), "rig allow-formulas", |tx| {
        tx.set_meta(&allowed_key(rig), &json!(texts).to_string())?;
        let paths: Vec<&String> = texts.keys().collect();
        tx.event("formulas-allowed", rig.name().as_str(), None, None, Some(&json!(paths)))?;
        Ok::<_, Error>(())
    })
}
