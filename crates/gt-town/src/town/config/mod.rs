//! Reads and changes single settings by name. A change keeps the rest of the file, including its comments.

use std::path::PathBuf;

use serde::Serialize;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::town::error::{Error, Result};
use crate::town::person::{self, Act, Person};
use crate::town::settings::presets;
use crate::town::settings::{self, RigSettings, TownSettings};
use crate::town::{Caller, Rig, Town};

pub mod keys;

use keys::{Heard, Key, Kind};

/// The file that a setting belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'r> {
    /// The town's: `town.toml`.
    Town,
    /// A rig's: its `rig.toml`.
    Rig(&'r Rig),
}

/// A setting with its current value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Name of the key.
    pub key: String,
    /// Value in TOML syntax; `None` if there is none.
    pub value: Option<String>,
    /// Whether the file sets it. If not, `value` is the default.
    pub is_set: bool,
    /// Explanation for people.
    pub text: &'static str,
}

/// Result of changing one setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Name of the key.
    pub key: String,
    /// Effective value before the change.
    pub before: Option<String>,
    /// Value in the file after the change.
    pub after: Option<String>,
    /// When the change takes effect, as a phrase.
    pub heard: &'static str,
}

impl Whose<'_> {
    /// Returns the path of the file.
    pub fn file(self, town: &Town) -> PathBuf {
        match self {
            Self::Town => town.layout.settings(),
            Self::Rig(rig) => rig.layout.settings(),
        }
    }

    /// Returns the keys that the file may have.
    pub fn keys(self) -> &'static [Key] {
        match self {
            Self::Town => keys::TOWN,
            Self::Rig(_) => keys::RIG,
        }
    }

    fn confirm(self, town: &Town, caller: &Caller) -> Result<Person> {
        let act = match self {
            Self::Town => Act { refused: "changes a town's settings", what: "change settings of", on: "town" },
            Self::Rig(rig) => {
                Act { refused: "changes a rig's settings", what: "change settings of", on: rig.name().as_str() }
            }
        };
        person::confirm(town, caller, act)
    }

    /// Returns the start of the command line that sets a key in this file.
    fn verb(self) -> String {
        match self {
            Self::Town => "gt town set".to_owned(),
            Self::Rig(rig) => format!("gt rig set {}", rig.name()),
        }
    }

    /// Parses the text of the file. Returns an error if gt could not use it.
    fn check(self, town: &Town, bytes: &[u8]) -> std::result::Result<Read, settings::SettingsError> {
        let path = self.file(town);
        match self {
            Self::Town => settings::load(&town.outside, &path, bytes).map(|settings| Read::Town(Box::new(settings))),
            Self::Rig(_) => settings::parse(&path, bytes).map(|settings| Read::Rig(Box::new(settings))),
        }
    }
}

/// Settings parsed from a candidate text.
enum Read {
    Town(Box<TownSettings>),
    Rig(Box<RigSettings>),
}

impl Read {
    /// Checks the names in the settings. Returns an error if one of them does not exist, such as an unknown kind of agent.
    fn check_names(&self, town: &Town, whose: Whose<'_>) -> Result<()> {
        let commits = match self {
            Self::Town(settings) => settings.commits.clone(),
            Self::Rig(settings) => settings.commits.over(&town.settings.commits),
        };
        if commits.asks_for_overseer() && town.world().repo().overseer()?.is_none() {
            return Err(Error::NeedsPerson {
                what: "commits that land carry your name, but gt does not know it".to_owned(),
                hint: "commits.overseer=\"Ann <ann@example.org>\", or git config --global user.name and user.email"
                    .to_owned(),
            });
        }
        match (self, whose) {
            (Self::Town(settings), _) => {
                let mut named = settings.agent.iter().chain(&settings.mayor.agent);
                named.try_for_each(|kind| presets::preset(&settings.agents, &town.outside.presets, kind).map(drop))
            }
            (Self::Rig(settings), Whose::Rig(rig)) => {
                settings.agent.iter().try_for_each(|kind| town.agent(kind).map(drop))?;
                town.formula(Some(rig), &settings.formula).map(drop)
            }
            (Self::Rig(_), Whose::Town) => Ok(()),
        }
    }
}

/// Finds the key with that name. Returns it with the parts of the name.
fn find(whose: Whose<'_>, name: &str) -> Result<(&'static Key, Vec<String>)> {
    let parts = parts(name);
    let found = parts.as_deref().and_then(|parts| whose.keys().iter().find(|key| fits(key.name, parts)));
    match (found, parts) {
        (Some(key), Some(parts)) => Ok((key, parts)),
        _ => Err(unknown(whose, name)),
    }
}

/// Whether a key of that name exists in the town's file, or in a rig's file if `of_rig`.
pub fn is_key(of_rig: bool, name: &str) -> bool {
    let keys = if of_rig { keys::RIG } else { keys::TOWN };
    parts(name).is_some_and(|parts| keys.iter().any(|key| fits(key.name, &parts)))
}

/// Whether these parts are a prefix of some key's name in the town's file, or in a rig's file if `of_rig`.
pub(crate) fn leads_to_key(of_rig: bool, parts: &[String]) -> bool {
    let keys = if of_rig { keys::RIG } else { keys::TOWN };
    let begins = |name: &str| {
        let wanted: Vec<&str> = name.split('.').collect();
        wanted.len() >= parts.len() && wanted.iter().zip(parts).all(|(wanted, part)| *wanted == "*" || wanted == part)
    };
    keys.iter().any(|key| begins(key.name))
}

/// Finds every key with that name. Both files can have one. `name` may contain `*`.
pub fn explain(name: &str) -> Vec<(&'static str, &'static Key)> {
    let of = |file: &'static str, keys: &'static [Key]| {
        let parts = parts(name);
        let is = move |key: &&Key| key.name == name || parts.as_deref().is_some_and(|parts| fits(key.name, parts));
        keys.iter().filter(is).map(move |key| (file, key)).collect::<Vec<_>>()
    };
    [of("town.toml", keys::TOWN), of("rig.toml", keys::RIG)].concat()
}

fn parts(name: &str) -> Option<Vec<String>> {
    let keys = toml_edit::Key::parse(name).ok()?;
    Some(keys.iter().map(|key| key.get().to_owned()).collect())
}

fn fits(pattern: &str, parts: &[String]) -> bool {
    let wanted: Vec<&str> = pattern.split('.').collect();
    wanted.len() == parts.len()
        && wanted.iter().zip(parts).all(|(wanted, part)| (*wanted == "*" && !part.is_empty()) || wanted == part)
}

fn unknown(whose: Whose<'_>, name: &str) -> Error {
    let elsewhere = match whose {
        Whose::Town => is_key(true, name).then(|| format!("it is a setting of rigs: gt rig set <rig> {name}=…")),
        Whose::Rig(_) => is_key(false, name).then(|| format!("it is a setting of the town: gt town set {name}=…")),
    };
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().replace('-', "_");
    let is_near = |key: &&Key| {
        let own = key.name.rsplit('.').find(|part| *part != "*").unwrap_or_default();
        let start = last.get(..3.min(last.len())).unwrap_or(&last);
        !last.is_empty() && (own.starts_with(start) || own.contains(&last) || last.contains(own))
    };
    let near: Vec<&str> = whose.keys().iter().filter(is_near).map(|key| key.name).take(8).collect();
    let all = || whose.keys().iter().map(|key| key.name).filter(|name| !name.contains('*')).collect::<Vec<_>>();
    let hint = elsewhere.unwrap_or_else(|| {
        let names = if near.is_empty() { all() } else { near };
        format!("one of: {}; gt config explain says what each means", names.join(", "))
    });
    Error::Usage { what: format!("`{name}` is not a setting"), hint }
}

/// Parses a text as a value of that key.
fn value(key: &Key, name: &str, text: &str) -> Result<Value> {
    let as_toml = || text.parse::<Value>().ok();
    let wrong = |takes: String| Error::Usage {
        what: format!("{name} takes {takes}, not `{text}`"),
        hint: format!("gt config explain {}", key.name),
    };
    match key.kind {
        Kind::Text => Ok(text.into()),
        Kind::Choice(words) if words.contains(&text) => Ok(text.into()),
        Kind::Choice(words) => Err(wrong(format!("one of: {}", words.join(", ")))),
        Kind::Number(least, most) => match text.replace('_', "").parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number.into()),
            _ if most >= i64::from(u32::MAX) => Err(wrong(format!("a whole number, {least} or more"))),
            _ => Err(wrong(format!("a whole number from {least} to {most}"))),
        },
        Kind::Amount => match text.parse::<f64>() {
            Ok(amount) if amount.is_finite() && amount >= 0.0 && amount.fract() == 0.0 && amount < 1e15 =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
                Ok((amount as i64).into())
            }
            Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(amount.into()),
            _ => Err(wrong("an amount, 0 or more".to_owned())),
        },
        Kind::Flag => text.parse::<bool>().map(Value::from).map_err(|_| wrong("true or false".to_owned())),
        Kind::List | Kind::Command if text.trim_start().starts_with('[') => {
            as_toml().filter(Value::is_array).ok_or_else(|| wrong("a list such as [\"a\", \"b\"]".to_owned()))
        }
        Kind::List => Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()),
        Kind::Command => Ok(text.split_whitespace().collect()),
        Kind::Any => Ok(as_toml().unwrap_or_else(|| text.into())),
        Kind::ByVerb(verb) => {
            Err(Error::Usage { what: format!("{name} can't be set with this verb"), hint: format!("use: {verb}") })
        }
    }
}

/// Changes several settings, all or none. An empty value removes the setting. Only a person may do this; the ledger records it.
pub fn set(town: &Town, caller: &Caller, whose: Whose<'_>, pairs: &[(String, String)]) -> Result<Vec<Changed>> {
    let person = whose.confirm(town, caller)?;
    let mut changes = Vec::new();
    for (name, text) in pairs {
        let (key, parts) = find(whose, name)?;
        let value =
            if text.is_empty() && !matches!(key.kind, Kind::ByVerb(_)) { None } else { Some(value(key, name, text)?) };
        changes.push((name, key, parts, value));
    }
    let mut changed = Vec::new();
    let check = |bytes: &[u8]| -> Result<()> { whose.check(town, bytes)?.check_names(town, whose) };
    settings::try_edit(town, &whose.file(town), &person, &check, |document| {
        for (name, key, parts, value) in changes {
            let before = look_up(document, &parts).map(words).or_else(|| default(key));
            match value {
                Some(value) => put(document, &parts, value).ok_or_else(|| not_a_table(name))?,
                None => take_out(document, &parts),
            }
            let after = look_up(document, &parts).map(words).or_else(|| default(key));
            changed.push(Changed { key: name.clone(), before, after, heard: key.heard.words() });
        }
        Ok(())
    })?;
    record(town, caller, whose, &changed)?;
    Ok(changed)
}

fn record(town: &Town, caller: &Caller, whose: Whose<'_>, changed: &[Changed]) -> Result<()> {
    let (verb, event) = match whose {
        Whose::Town => ("town set", "town-set"),
        Whose::Rig(_) => ("rig set", "rig-set"),
    };
    town.ledger.write(&caller.name(), verb, |tx| {
        for Changed { key, before, after, .. } in changed {
            let subject = match whose {
                Whose::Town => key.clone(),
                Whose::Rig(rig) => format!("{}: {key}", rig.name()),
            };
            let (before, after) = (serde_json::json!(before), serde_json::json!(after));
            tx.event(event, &subject, None, Some(&before), Some(&after))?;
        }
        Ok::<_, Error>(())
    })?;
    town.wake();
    Ok(())
}

fn not_a_table(name: &str) -> Error {
    Error::Usage {
        what: format!("the file has a value above `{name}` that is not a table"),
        hint: "gt config edit changes it by hand".to_owned(),
    }
}

/// Formats a value for people: texts without quotes, everything else as TOML.
fn words(item: &Item) -> String {
    match item {
        Item::Value(Value::String(text)) => text.value().clone(),
        Item::Value(value) => value.clone().decorated("", "").to_string(),
        other => other.to_string().trim().to_owned(),
    }
}

/// Returns the effective value of a key that the file does not set.
fn default(key: &Key) -> Option<String> {
    key.default.filter(|default| !default.is_empty()).map(str::to_owned)
}

fn look_up<'d>(document: &'d DocumentMut, parts: &[String]) -> Option<&'d Item> {
    parts.iter().try_fold(document.as_item(), |item, part| item.get(part.as_str())).filter(|item| !item.is_none())
}

/// Inserts a value at its place and keeps the comments around it. Returns `None` if a part of the path is not a table.
fn put(document: &mut DocumentMut, parts: &[String], value: Value) -> Option<()> {
    let (last, above) = parts.split_last()?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in above {
        let made = || {
            let mut made = Table::new();
            made.set_implicit(true);
            Item::Table(made)
        };
        table = table.entry(part).or_insert_with(made).as_table_like_mut()?;
    }
    let item = table.entry(last).or_insert(Item::None);
    let around = item.as_value().map(|old| old.decor().clone());
    let mut value = value;
    if let Some(around) = around {
        *value.decor_mut() = around;
    }
    *item = Item::Value(value);
    Some(())
}

fn take_out(document: &mut DocumentMut, parts: &[String]) {
    let Some((last, above)) = parts.split_last() else { return };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in above {
        match table.get_mut(part).and_then(Item::as_table_like_mut) {
            Some(next) => table = next,
            None => return,
        }
    }
    table.remove(last);
}

/// Lists all settings of a file: those that it sets and the defaults of the others.
pub fn list(town: &Town, whose: Whose<'_>) -> Result<Vec<Setting>> {
    let document = document(town, whose)?;
    let mut all = Vec::new();
    for key in whose.keys() {
        let mut found = Vec::new();
        matching(document.as_item(), &key.name.split('.').collect::<Vec<_>>(), "", &mut found);
        if found.is_empty() && !key.name.contains('*') {
            all.push(Setting { key: key.name.to_owned(), value: default(key), is_set: false, text: key.text });
        }
        let set = |(name, value)| Setting { key: name, value: Some(value), is_set: true, text: key.text };
        all.extend(found.into_iter().map(set));
    }
    Ok(all)
}

/// Collects all settings below an item whose names fit a name with `*` in it.
fn matching(item: &Item, parts: &[&str], prefix: &str, found: &mut Vec<(String, String)>) {
    let Some((first, rest)) = parts.split_first() else {
        if !item.is_none() {
            found.push((prefix.to_owned(), words(item)));
        }
        return;
    };
    let below = |name: &str| {
        let name = toml_edit::Key::new(name).to_string();
        if prefix.is_empty() { name } else { format!("{prefix}.{name}") }
    };
    let Some(table) = item.as_table_like() else { return };
    if *first == "*" {
        table.iter().for_each(|(name, item)| matching(item, rest, &below(name), found));
    } else if let Some(item) = table.get(first) {
        matching(item, rest, &below(first), found);
    }
}

/// Returns one setting.
pub fn get(town: &Town, whose: Whose<'_>, name: &str) -> Result<Setting> {
    let (key, parts) = find(whose, name)?;
    let document = document(town, whose)?;
    let set = look_up(&document, &parts).map(words);
    let is_set = set.is_some();
    let value = set.or_else(|| default(key));
    Ok(Setting { key: name.to_owned(), value, is_set, text: key.text })
}

fn document(town: &Town, whose: Whose<'_>) -> Result<DocumentMut> {
    Ok(settings::document(&whose.file(town), &text(town, whose)?)?)
}

/// Returns the text of a settings file.
pub fn text(town: &Town, whose: Whose<'_>) -> Result<String> {
    let path = whose.file(town);
    let bytes = town.world().disk().read_own(&path)?.ok_or_else(|| Error::MissingFile(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Replaces the text `before` by `after`. Returns an error if gt can't use the new text or if the file changed meanwhile.
pub fn replace(town: &Town, caller: &Caller, whose: Whose<'_>, before: &str, after: &str) -> Result<()> {
    let person = whose.confirm(town, caller)?;
    if text(town, whose)? != before {
        let what = format!("another program changed {} meanwhile", whose.file(town).display());
        return Err(Error::refused(what, format!("look at it, then edit again; or {} <key>=<value>", whose.verb())));
    }
    let check = |bytes: &[u8]| -> Result<()> { whose.check(town, bytes)?.check_names(town, whose) };
    settings::try_edit(town, &whose.file(town), &person, &check, |document| {
        *document = settings::document(&whose.file(town), after)?;
        Ok(())
    })?;
    record(
        town,
        caller,
        whose,
        &[Changed { key: "the file".to_owned(), before: None, after: None, heard: Heard::AtOnce.words() }],
    )
}

#[cfg(test)]
mod tests;
