//! Agent presets: a town's own over those in the binary.

use std::collections::BTreeMap;

use super::AgentPreset;
use crate::town::error::{Error, Result};

/// Presets by kind of agent.
pub type Presets = BTreeMap<String, AgentPreset>;

/// Returns the preset of a kind: the town's own over the one in the binary.
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

/// Checks a town's own presets. A preset without its client's hooks or its first prompt would start agents without a guard or
/// without work. Returns a description of the first fault.
pub(crate) fn faulty(own: &Presets, built_in: &Presets) -> Option<String> {
    own.iter().find_map(|(kind, own)| {
        let base = built_in.get(kind);
        let whole = base.map_or_else(|| own.clone(), |base| own.over(base));
        let (key, place) = whole.lacks(base).into_iter().next()?;
        let what = match place {
            "{settings}" => "the client's hooks (guard, mail, stop)",
            _ => "the agent's first prompt",
        };
        Some(format!(
            "[agents.{kind}] {key} has no {place}, so it would lack {what}. One word, {key} = \
             [\"<path>\"], names another program and keeps the arguments"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A preset like the one in the binary: one command for a terminal, and one without whose prompt comes through standard
    /// input.
    const CLIENT: &str = "[claude]\nclient = \"claude\"\ninput = \"stream-json\"\n\
        command = [\"claude\", \"--settings\", \"{settings}\", \"{prompt}\"]\n\
        headless = [\"claude\", \"-p\", \"--settings\", \"{settings}\"]\n\
        resume = [\"claude\", \"--settings\", \"{settings}\", \"--resume\", \"{session}\"]\n\
        [plain]\ncommand = [\"plain\", \"run\", \"{prompt}\"]\n";

    #[test]
    fn one_word_changes_the_program_and_keeps_the_arguments() {
        let built_in = presets(CLIENT);
        let commands = |own: &str| {
            let seen = preset(&presets(own), &built_in, "claude").unwrap();
            [seen.command, seen.headless, seen.resume].map(|command| command.join(" "))
        };
        let all = |program: &str| {
            [
                format!("{program} --settings {{settings}} {{prompt}}"),
                format!("{program} -p --settings {{settings}}"),
                format!("{program} --settings {{settings}} --resume {{session}}"),
            ]
        };
        assert_eq!(commands("[claude]\nenv = { A = \"1\" }\n"), all("claude"));
        assert_eq!(commands("[claude]\ncommand = [\"/opt/claude\"]\n"), all("/opt/claude"));
        let [command, headless, _] = commands("[claude]\nheadless = [\"other\"]\n");
        assert_eq!((command, headless), (all("claude")[0].clone(), all("other")[1].clone()));
        // A town's own arguments are used unchanged. The other commands run the same program.
        let [command, headless, resume] = commands("[claude]\ncommand = [\"x\", \"{settings}\", \"{prompt}\"]\n");
        assert_eq!(command, "x {settings} {prompt}");
        assert_eq!([headless, resume], [all("x")[1].clone(), all("x")[2].clone()]);
        // A new kind has no base to merge with.
        assert_eq!(preset(&presets("[mine]\ncommand = [\"mine\"]\n"), &built_in, "mine").unwrap().command, ["mine"]);
    }

    #[test]
    fn a_preset_that_loses_its_hooks_or_its_prompt_says_which() {
        let built_in = presets(CLIENT);
        let check = |own: &str, expected: Option<&str>| {
            let found = faulty(&presets(own), &built_in);
            match expected {
                None => assert_eq!(found, None, "{own}"),
                Some(start) => assert!(found.as_ref().is_some_and(|why| why.starts_with(start)), "{own}: {found:?}"),
            }
        };
        check("[claude]\ncommand = [\"/opt/claude\"]\n", None);
        check("[claude]\ncommand = [\"c\", \"{settings}\", \"{prompt}\"]\n", None);
        check("[claude]\ncommand = [\"c\", \"{prompt}\"]\n", Some("[agents.claude] command has no {settings}"));
        check(
            "[claude]\ncommand = [\"c\", \"--settings={settings}\"]\n",
            Some("[agents.claude] command has no {prompt}"),
        );
        check("[claude]\nheadless = [\"c\", \"-p\"]\n", Some("[agents.claude] headless has no {settings}"));
        check("[plain]\ncommand = [\"plain\", \"run\"]\n", Some("[agents.plain] command has no {prompt}"));
        check("[mine]\ncommand = [\"mine\", \"x\"]\n", None);
        check(
            "[mine]\nclient = \"claude\"\ncommand = [\"mine\", \"x\"]\n",
            Some("[agents.mine] command has no {settings}"),
        );
    }

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
