//! Verbs for settings: list, get, set, edit, explain.

use gt_town::Rig;
use gt_town::town::config::keys::{self, Key, Kind};
use gt_town::town::config::{self, Changed, Setting, Whose};
use gt_town::town::person;

use crate::cli::SettingsVerb;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::editor;
use crate::error::{CliError, CliResult};

/// Runs `gt config …`.
pub fn run(verb: &SettingsVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        SettingsVerb::List { rig, set } => {
            let rig = rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
            list(context, whose(rig.as_ref()), *set, console)
        }
        SettingsVerb::Get { key, rig } => {
            let rig = rig_for(context, rig.as_deref(), &[key])?;
            get(context, whose(rig.as_ref()), key, console)
        }
        SettingsVerb::Set { settings, rig } => {
            let pairs = pairs(settings)?;
            let names: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
            let rig = rig_for(context, rig.as_deref(), &names)?;
            set(context, whose(rig.as_ref()), &pairs, console)
        }
        SettingsVerb::Edit { rig } => {
            let rig = rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
            edit(context, whose(rig.as_ref()), console)
        }
        SettingsVerb::Explain { key } => explain(key.as_deref(), console),
    }
}

fn whose(rig: Option<&Rig>) -> Whose<'_> {
    rig.map_or(Whose::Town, Whose::Rig)
}

/// Returns the named rig or, for keys that only rigs have, the rig of the caller's place.
fn rig_for(context: &Context<'_>, named: Option<&str>, names: &[impl AsRef<str>]) -> Result<Option<Rig>, CliError> {
    let is_rigs = |name: &str| config::is_key(true, name) && !config::is_key(false, name);
    match named {
        Some(name) => Ok(Some(context.town.rig(name)?)),
        None if names.iter().any(|name| is_rigs(name.as_ref())) => context.rig(None).map(Some),
        None => Ok(None),
    }
}

/// Parses assignments of the form `key=value`.
pub fn pairs(settings: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let pair = |text: &String| {
        let found = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = found.ok_or_else(|| CliError::Usage {
            what: format!("`{text}` is no key=value"),
            hint: "for example: gt rig set <rig> landing=auto, gt town set max_polecats=9".to_owned(),
        })?;
        Ok((key.trim().to_owned(), value.trim().to_owned()))
    };
    settings.iter().map(pair).collect()
}

/// Changes settings. Prints the old values, the new ones, and when they take effect.
pub fn set(
    context: &Context<'_>,
    whose: Whose<'_>,
    pairs: &[(String, String)],
    console: &mut Console<'_>,
) -> CliResult {
    let changed = config::set(&context.town, &context.caller, whose, pairs)?;
    let (schema, name) = match whose {
        Whose::Town => ("gt.town-set/1", "the town".to_owned()),
        Whose::Rig(rig) => ("gt.rig-set/2", format!("rig {}", rig.name())),
    };
    if console.is_json() {
        return console.facts(schema, "changed", changed);
    }
    for Changed { key, before, after, heard } in changed {
        let [before, after] = [before, after].map(|value| value.unwrap_or_else(|| "-".to_owned()));
        console.say(&format!("{name}: {key} was {}, is {}; it {heard}", printable(&before), printable(&after)))?;
    }
    Ok(0)
}

fn list(context: &Context<'_>, whose: Whose<'_>, only_set: bool, console: &mut Console<'_>) -> CliResult {
    let mut settings = config::list(&context.town, whose)?;
    settings.retain(|setting| setting.is_set || !only_set);
    if console.is_json() {
        return console.facts("gt.config/1", "settings", settings);
    }
    let mut table = Table::new(&["KEY", "VALUE", "SAID BY"]);
    for Setting { key, value, is_set, .. } in settings {
        let by = if is_set { "the file" } else { "default" };
        table.row([key.as_str(), value.as_deref().unwrap_or("-"), by]);
    }
    console.table(&table)?;
    if let Whose::Town = whose {
        console.note("a rig's: gt config list --rig <rig>; what they mean: gt config explain <key>")?;
    }
    Ok(0)
}

fn get(context: &Context<'_>, whose: Whose<'_>, key: &str, console: &mut Console<'_>) -> CliResult {
    let setting = config::get(&context.town, whose, key)?;
    if console.is_json() {
        return console.facts("gt.setting/1", "setting", setting);
    }
    console.line(&printable(setting.value.as_deref().unwrap_or_default()))?;
    Ok(0)
}

fn edit(context: &Context<'_>, whose: Whose<'_>, console: &mut Console<'_>) -> CliResult {
    person::require(&context.caller, "edits settings")?;
    let before = config::text(&context.town, whose)?;
    let edited = editor::edit(&before, ".toml", &context.process.env)?;
    if edited.text == before {
        console.say("nothing was changed")?;
        return Ok(0);
    }
    if let Err(error) = config::replace(&context.town, &context.caller, whose, &before, &edited.text) {
        let kept = edited.keep()?;
        console.note(&format!("nothing was changed; what you wrote is in {}", kept.display()))?;
        return Err(error.into());
    }
    console.say(&format!("{} is changed", whose.file(&context.town).display()))?;
    Ok(0)
}

fn explain(key: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let of = |file, keys: &'static [Key]| keys.iter().map(move |key| (file, key)).collect::<Vec<_>>();
    let found = match key {
        Some(name) => config::explain(name),
        None => [of("town.toml", keys::TOWN), of("rig.toml", keys::RIG)].concat(),
    };
    if found.is_empty() {
        return Err(CliError::Usage {
            what: format!("`{}` is no setting", key.unwrap_or_default()),
            hint: "gt config explain names all".to_owned(),
        });
    }
    if console.is_json() {
        let facts: Vec<_> = found.iter().map(|(file, key)| facts(file, key)).collect();
        return console.facts("gt.config-explain/1", "keys", facts);
    }
    for (file, key) in &found {
        let default = key.default.filter(|default| !default.is_empty());
        let default = default.map(|default| format!("; {default} where the file says nothing")).unwrap_or_default();
        console.line(&format!("{}  ({file})", console.bold(key.name)))?;
        console.line(&format!("  {}", key.text))?;
        console.line(&format!("  takes {}{default}; a change {}", takes(key.kind), key.heard.words()))?;
    }
    Ok(0)
}

fn facts(file: &str, key: &Key) -> serde_json::Value {
    serde_json::json!({
        "key": key.name, "file": file, "takes": takes(key.kind), "default": key.default, "heard": key.heard.words(),
        "text": key.text,
    })
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Choice(words) => format!("one of: {}", words.join(", ")),
        Kind::Number(least, most) if most >= i64::from(u32::MAX) => format!("a whole number, {least} or more"),
        Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Amount => "an amount, 0 or more".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::List => "texts with commas between them, or a list of TOML's".to_owned(),
        Kind::Command => "a program and its arguments, or a list of TOML's".to_owned(),
        Kind::Any => "a value as TOML has it".to_owned(),
        Kind::ByVerb(verb) => format!("nothing here; what changes it: {verb}"),
    }
}
