//! Kinds of agent: where their presets come from, how they are started, and whether they have.
//!
//! A kind is data ([`AgentPreset`]); where a client has hooks, an adapter knows its settings file and its state.

use std::collections::BTreeMap;

pub mod check;
mod claude;
pub mod launch;
pub mod readiness;
pub mod text;

use crate::error::{Error, Result};
use crate::settings::AgentPreset;

/// Presets by the name of their kind.
pub type Presets = BTreeMap<String, AgentPreset>;

/// The preset of a kind: the town's own over the one that comes with the binary.
pub fn preset(own: &Presets, built_in: &Presets, kind: &str) -> Result<AgentPreset> {
    let preset = match (own.get(kind), built_in.get(kind)) {
        (Some(own), Some(base)) => own.over(base),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => {
            let known = own.keys().chain(built_in.keys()).cloned().collect::<std::collections::BTreeSet<_>>();
            return Err(Error::UnknownAgent { kind: kind.to_owned(), known: known.into_iter().collect() });
        }
    };
    if preset.command.is_empty() {
        let hint = format!("add to town.toml: [agents.{kind}] command = [\"<program>\", \"{{prompt}}\"]");
        return Err(Error::refused(format!("the kind of agent `{kind}` has no command"), hint));
    }
    Ok(preset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presets(text: &str) -> Presets {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_towns_preset_changes_what_it_names_and_leaves_the_rest() {
        let built_in = presets(
            "[claude]\ncommand = [\"claude\", \"{prompt}\"]\nclient = \"claude\"\nenv = { A = \"1\", B = \"2\" }\nready_seconds = 120\n[claude.shows]\nlogin = [\"log in\"]\n",
        );
        let own = presets("[claude]\nenv = { B = \"3\" }\n[mine]\ncommand = [\"mine\"]\n[none]\nauth = \"api-key\"\n");
        let seen = preset(&own, &built_in, "claude").unwrap();
        let env = [("A", "1"), ("B", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(seen, AgentPreset { env: env.into(), ..built_in["claude"].clone() });
        assert_eq!(preset(&own, &built_in, "mine").unwrap(), own["mine"]);
        assert!(preset(&own, &built_in, "none").unwrap_err().to_string().contains("has no command"));
        let error = preset(&own, &built_in, "other").unwrap_err();
        assert!(matches!(&error, Error::UnknownAgent { known, .. } if known == &["claude", "mine", "none"]), "{error}");
    }
}
