//! Acts that only a person may perform, and how a person proves to be one.
//!
//! The ancestor processes identify the caller ([`crate::town::identity`]). A town can require more (`[overseer] confirm`): a word
//! typed on the terminal, or a key. It applies to acts that let work land, change settings, destroy or spend.

use std::path::{Path, PathBuf};

use gt_ledger::LedgerError;
use gt_model::id::{hex, sha256_hex};

use crate::town::error::{Error, Result};
use crate::town::settings::{self, Confirm, OverseerSettings, TownSettings};
use crate::town::{Caller, Outside, Town};

/// Environment variable that names the file with the overseer's key.
pub const KEY_FILE_VARIABLE: &str = "GT_OVERSEER_KEY_FILE";

/// Prefix of a key's hash in the settings.
const HASH: &str = "sha256:";

/// Number of bytes read from a key file; more than any key has.
const KEY_BYTES: usize = 1024;

/// Proof that the caller is a person. Only this module creates it. Functions that change a town's settings require one.
#[derive(Debug)]
pub struct Person(());

/// An act that a town may require a person to confirm.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// Phrase for the refusal, as in "only a person … rigs".
    pub refused: &'a str,
    /// The act in the imperative, such as "approve".
    pub what: &'a str,
    /// Object of the act. A person types it to confirm.
    pub on: &'a str,
}

/// Refuses agents and gates. `refused` names the act in the third person, such as "approves".
pub fn require(caller: &Caller, refused: &str) -> Result<Person> {
    require_or(caller, refused, "ask the overseer by mail")
}

/// Refuses agents and gates, and tells them what to do instead.
pub fn require_or(caller: &Caller, refused: &str, instead: &str) -> Result<Person> {
    match caller {
        caller if caller.is_overseer() => Ok(Person(())),
        caller if caller.is_gate() => Err(LedgerError::Confined.into()),
        _ => Err(Error::refused(format!("only a person {refused}"), instead)),
    }
}

/// Refuses agents and gates, and asks a person for confirmation if the town requires it.
pub fn confirm(town: &Town, caller: &Caller, act: Act<'_>) -> Result<Person> {
    let person = require(caller, act.refused)?;
    confirm_by(&town.settings.overseer, &town.outside, act)?;
    Ok(person)
}

/// Asks a person to confirm an act as these settings require.
pub(crate) fn confirm_by(settings: &OverseerSettings, outside: &Outside, act: Act<'_>) -> Result<()> {
    match settings.confirm {
        Confirm::None => Ok(()),
        Confirm::Tty => on_terminal(outside, act),
        Confirm::Key => by_key(settings, outside, act),
    }
}

fn on_terminal(outside: &Outside, act: Act<'_>) -> Result<()> {
    let Act { what, on, .. } = act;
    let question = format!("{what} {on}? Type {on} to confirm: ");
    match outside.world.sessions().ask_person(&question) {
        Ok(answer) if answer.trim() == on => Ok(()),
        Ok(_) => {
            Err(Error::refused(format!("{what} {on}: not confirmed"), "run it again, and type the requested word"))
        }
        Err(why) => Err(Error::NeedsPerson {
            what: format!("{what} {on}: this town requires confirmation in a terminal, but {why}"),
            hint: "run it in a terminal of your own; without a terminal, use [overseer] confirm = \"key\" in town.toml"
                .to_owned(),
        }),
    }
}

fn by_key(settings: &OverseerSettings, outside: &Outside, act: Act<'_>) -> Result<()> {
    let Act { what, on, .. } = act;
    let refuse = |why: String| {
        let hint = format!("{KEY_FILE_VARIABLE}=<file with the key>, or key_file in [overseer] of town.toml");
        Err(Error::NeedsPerson { what: format!("{what} {on}: this town requires the overseer's key, but {why}"), hint })
    };
    let Some(hash) = settings.key.as_deref().and_then(|key| key.strip_prefix(HASH)) else {
        return refuse("town.toml names none: gt town key <file> makes one".to_owned());
    };
    let named = outside.env.get(KEY_FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(file) = named.or_else(|| settings.key_file.clone()) else {
        return refuse("its file is not named".to_owned());
    };
    match read_key(outside, &file) {
        Ok(Some(key)) if sha256_hex(&key) == hash => Ok(()),
        Ok(Some(_)) => refuse(format!("{} has a different key", file.display())),
        Ok(None) => refuse(format!("{} is not there", file.display())),
        Err(error) => refuse(error.to_string()),
    }
}

fn read_key(outside: &Outside, file: &Path) -> Result<Option<String>> {
    let bytes = outside.world.disk().read(file)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(KEY_BYTES)]).trim().to_owned()))
}

/// Creates a key in a new file and makes the town require it from now on. `town.toml` stores its hash, where a sandboxed agent
/// can't change it. Every sandbox hides the file.
pub fn make_key(town: &Town, caller: &Caller, file: &Path) -> Result<PathBuf> {
    let act = Act { refused: "makes the overseer's key", what: "make a new key for", on: "overseer" };
    let person = match town.settings.overseer.key {
        Some(_) => confirm(town, caller, act)?,
        None => require(caller, act.refused)?,
    };
    let disk = town.world().disk();
    if file.starts_with(&town.layout.root) {
        let what = format!("{} is in the town, where agents read", file.display());
        return Err(Error::refused(what, "name a file outside of it: gt town key ~/.config/gt/overseer.key"));
    }
    if disk.exists(file) {
        return Err(Error::refused(format!("{} already exists", file.display()), "name a new file"));
    }
    let key = hex(&[(town.outside.entropy)(), (town.outside.entropy)()].concat());
    disk.write_private(file, format!("{key}\n").as_bytes())?;
    let path = town.layout.settings();
    let read = |bytes: &[u8]| settings::parse::<TownSettings>(&path, bytes);
    settings::edit(town, &path, &person, &read, |document| {
        let overseer = document.entry("overseer").or_insert(toml_edit::table());
        overseer["confirm"] = toml_edit::value("key");
        overseer["key"] = toml_edit::value(format!("{HASH}{}", sha256_hex(&key)));
        overseer["key_file"] = toml_edit::value(file.display().to_string());
    })?;
    town.ledger.write(&caller.name(), "town key", |tx| {
        tx.event("overseer-key", "town", None, None, None).map_err(Error::from)
    })?;
    Ok(file.to_owned())
}
