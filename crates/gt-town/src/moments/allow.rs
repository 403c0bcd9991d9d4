//! Permissions that a person gives agents beyond their work: patterns in `rig.toml`, and for the mayor in `town.toml`.
//!
//! A new pattern takes effect at once, also for running agents: [`crate::moments`] reads the settings at each use of a tool.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gt_ledger::{Condition, Priority, Tx};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::foreign;
use gt_model::guard::permit::Pattern;

use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::town::person::{self, Act, Person};
use crate::town::settings::{self, RigSettings, TownSettings};
use crate::town::{Caller, Rig, Town};

/// Bytes of a pattern that a mail's subject shows.
const SUBJECT_BYTES: usize = 100;

/// Agents that may use a pattern.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'r> {
    /// All agents of a rig.
    Rig(&'r Rig),
    /// The mayor.
    Mayor,
}

impl Whom<'_> {
    fn file(self, town: &Town) -> PathBuf {
        match self {
            Self::Rig(rig) => rig.layout.settings(),
            Self::Mayor => town.layout.settings(),
        }
    }

    /// Returns the patterns that the settings allow now.
    pub fn allowed(self, town: &Town) -> Vec<String> {
        match self {
            Self::Rig(rig) => rig.settings.allow.clone(),
            Self::Mayor => settings::current(town).mayor.allow,
        }
    }

    /// Name of these agents in events.
    fn name(self) -> String {
        match self {
            Self::Rig(rig) => rig.name().to_string(),
            Self::Mayor => "mayor/".to_owned(),
        }
    }

    /// Requires a person to confirm a change of the allowed patterns.
    fn confirm(self, town: &Town, caller: &Caller, what: &str) -> Result<Person> {
        let name = self.name();
        person::confirm(town, caller, Act { refused: "says what agents may do", what, on: name.trim_end_matches('/') })
    }

    /// Whether a condition is about one of these agents.
    fn concerns(self, condition: &Condition) -> bool {
        match self {
            Self::Rig(rig) => {
                condition.subject.strip_prefix(rig.name().as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            Self::Mayor => condition.is_of("mayor/"),
        }
    }
}

/// Allows a tool, or commands that begin with these words. Returns the pattern as it is stored.
pub fn add(town: &Town, caller: &Caller, whom: Whom<'_>, text: &str) -> Result<String> {
    let person = whom.confirm(town, caller, "allow more to")?;
    let pattern = Pattern::parse(text).map_err(|why| Error::Usage {
        what: format!("`{text}` can't be allowed: {why}"),
        hint:
            "name the first words of a command, such as \"npm run lint\", or a tool of the client's, such as WebFetch"
                .to_owned(),
    })?;
    let pattern = pattern.to_string();
    if !whom.allowed(town).contains(&pattern) {
        change(town, whom, &person, |list| list.push(pattern.as_str()))?;
    }
    town.ledger.write(&caller.name(), "allow", |tx| {
        tx.event("allowed", &whom.name(), None, None, Some(&pattern.as_str().into()))?;
        let mut denied = BTreeSet::new();
        for condition in tx.conditions()?.iter().filter(|c| c.kind == ConditionKind::Denied && whom.concerns(c)) {
            let Some((agent, what)) = condition.subject.split_once(' ') else { continue };
            if what == pattern || what.starts_with(&format!("{pattern} ")) {
                tx.clear(ConditionKind::Denied, &condition.subject)?;
                denied.extend(Address::parse(agent));
            }
        }
        tell(tx, caller, denied, &pattern)
    })?;
    Ok(pattern)
}

/// Mails agents that were denied this use: they went on without it, or wait for it.
fn tell(tx: &Tx<'_>, caller: &Caller, agents: BTreeSet<Address>, pattern: &str) -> Result<()> {
    for agent in agents {
        let subject = format!("Allowed now: {}", foreign::cut(pattern, SUBJECT_BYTES));
        let body = format!("You were denied `{pattern}`. It is allowed now: if your work needs it, try it again.");
        post::send_as(tx, caller.address.clone(), vec![agent], &subject, &body, Priority::High)?;
    }
    Ok(())
}

/// Removes an allowed pattern.
pub fn remove(town: &Town, caller: &Caller, whom: Whom<'_>, text: &str) -> Result<()> {
    let person = whom.confirm(town, caller, "allow less to")?;
    let known = whom.allowed(town);
    let wanted = Pattern::parse(text).map_or_else(|_| text.to_owned(), |pattern| pattern.to_string());
    let is_it = |kept: &str| kept == text || kept == wanted;
    if !known.iter().any(|kept| is_it(kept)) {
        return Err(Error::Unknown { what: "pattern", name: text.to_owned() });
    }
    change(town, whom, &person, |list| list.retain(|kept| !kept.as_str().is_some_and(is_it)))?;
    town.ledger.write(&caller.name(), "allow", |tx| {
        tx.event("allowed-no-more", &whom.name(), None, None, Some(&text.into())).map_err(Error::from)
    })
}

fn change(town: &Town, whom: Whom<'_>, by: &Person, change: impl FnOnce(&mut toml_edit::Array)) -> Result<()> {
    let path = whom.file(town);
    let check = |bytes: &[u8]| match whom {
        Whom::Rig(_) => settings::parse::<RigSettings>(&path, bytes).map(drop),
        Whom::Mayor => settings::parse::<TownSettings>(&path, bytes).map(drop),
    };
    settings::edit(town, &path, by, &check, |document| {
        let table = match whom {
            Whom::Rig(_) => document.as_table_mut(),
            Whom::Mayor => match document.entry("mayor").or_insert(toml_edit::table()).as_table_mut() {
                Some(table) => table,
                None => return,
            },
        };
        if let Some(list) = table.entry("allow").or_insert(toml_edit::value(toml_edit::Array::new())).as_array_mut() {
            change(list);
        }
    })
}
