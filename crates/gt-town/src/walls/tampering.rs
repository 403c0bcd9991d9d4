//! Detects settings that change while agents' code runs. Without a sandbox a gate can write the file that says what gates are.
//! The town can't stop that. It compares the files before and after, and has a person look before anything else lands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::condition::ConditionKind;

use crate::town::error::{Error, Result};
use crate::town::settings::accepted::is_accepted;
use crate::town::{Rig, Town};

/// Lines of a difference that a condition shows, and characters of each.
const LINES_SHOWN: usize = 8;
const WIDTH: usize = 100;

/// Actor that reports changed settings.
const ACTOR: &str = "gates";

/// Settings of a town and its rigs at one time.
pub(crate) struct Before(BTreeMap<PathBuf, File>);

struct File {
    /// Rig of the file; `None` for the town's own.
    rig: Option<String>,
    text: String,
}

impl Before {
    pub(crate) fn look(town: &Town) -> Result<Self> {
        let rigs = town.rigs()?;
        let of_rigs = rigs.iter().map(|rig| (rig.layout.settings(), Some(rig.name().to_string())));
        let files = of_rigs.chain([(town.layout.settings(), None)]);
        let read = |(path, rig): (PathBuf, Option<String>)| Ok((path.clone(), File { rig, text: text(town, &path)? }));
        Ok(Self(files.map(read).collect::<Result<_>>()?))
    }

    /// Raises a condition for each changed file, unless a person's verb wrote its present text. Returns what has changed,
    /// in words. `by` names what ran, in `rig`.
    pub(crate) fn compare(&self, town: &Town, rig: &Rig, by: &str) -> Result<Option<String>> {
        let mut changed = Vec::new();
        for (path, file) in &self.0 {
            let now = text(town, path)?;
            if now != file.text && !is_accepted(town, path, &now)? {
                let held = file.rig.clone().unwrap_or_else(|| rig.name().to_string());
                let name = path.strip_prefix(&town.layout.root).unwrap_or(path).display();
                let text = format!(
                    "{name} was changed while `{by}` ran for {}: {}. Nothing lands until you have looked at that file",
                    rig.name(),
                    difference(&file.text, &now)
                );
                town.ledger.write(ACTOR, "gates", |tx| {
                    tx.raise(ConditionKind::SettingsChanged, &held, &text).map_err(Error::from)
                })?;
                changed.push(name.to_string());
            }
        }
        Ok((!changed.is_empty()).then(|| format!("{} was changed while it ran", changed.join(", "))))
    }
}

fn text(town: &Town, path: &Path) -> Result<String> {
    let bytes = town.world().disk().read_own(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lists the lines that are gone and those that are new.
fn difference(before: &str, now: &str) -> String {
    let missing = |from: &str, other: &str, sign: char| {
        let lines = from.lines().filter(|line| !line.trim().is_empty() && !other.lines().any(|there| there == *line));
        lines.map(|line| format!("{sign} {}", line.chars().take(WIDTH).collect::<String>())).collect::<Vec<_>>()
    };
    let lines = [missing(before, now, '-'), missing(now, before, '+')].concat();
    match lines.len() {
        0 => "its lines are in another order".to_owned(),
        count if count > LINES_SHOWN => format!("{} and {} more", lines[..LINES_SHOWN].join("; "), count - LINES_SHOWN),
        _ => lines.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_by_its_lines() {
        let check = |before: &str, now: &str, expected: &str| assert_eq!(difference(before, now), expected);
        check("a = 1\nb = 2\n", "a = 1\nb = 3\n", "- b = 2; + b = 3");
        check("a\nb\n", "b\na\n", "its lines are in another order");
        check("", &"x\ny\n".repeat(9), &format!("{} and 10 more", ["+ x; + y"; 4].join("; ")));
    }
}
