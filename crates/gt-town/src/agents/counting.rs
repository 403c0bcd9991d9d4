//! Whether what a session takes can be counted, and by what. A cap holds nobody whose usage is unknown, so such kinds are
//! not started while somebody has set one.

use gt_model::clients::Client;
use gt_model::id::IncarnationId;
use gt_model::price::Prices;
use gt_model::usage::{Format, UNNAMED};
use gt_world::Runtime;
use serde::{Deserialize, Serialize};

use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::settings::{AgentPreset, SpendSettings, current};

/// Size that the record of it may have; a larger one is not ours.
const RECORD_BYTES: usize = 16 * 1024;

/// By what a session's usage is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Counting {
    /// Its client's transcript.
    Transcript {
        /// Which client's.
        #[serde(default = "client_of_old")]
        client: Client,
    },
    /// What it prints.
    Printed {
        /// In which format.
        format: Format,
        /// What a model is called that the lines do not name.
        model: String,
    },
    /// Nothing: its usage is unknown.
    Unknown,
}

/// Records of an older gt have none.
fn client_of_old() -> Client {
    Client::OF_OLD
}

impl Counting {
    /// What a kind's sessions are counted by in a runtime. A terminal's screen is not read.
    pub fn of(preset: &AgentPreset, runtime: Runtime) -> Self {
        if let Some(client) = preset.client {
            return Self::Transcript { client };
        }
        match &preset.usage {
            Some(usage) if runtime == Runtime::Headless || usage.format == Format::None => {
                Self::Printed { format: usage.format, model: usage.model.clone().unwrap_or_else(|| UNNAMED.to_owned()) }
            }
            _ => Self::Unknown,
        }
    }

    /// Notes it in a session's folder, where its agent can't write when a sandbox is around it.
    pub(crate) fn record(&self, town: &Town, incarnation: &IncarnationId) -> Result<()> {
        // Our own facts can always be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        Ok(town.world().disk().write(&town.layout.counting(incarnation), text.as_bytes())?)
    }

    /// What a session is counted by. One that an older gt has started has a transcript, if anything.
    pub(crate) fn recorded(town: &Town, incarnation: &IncarnationId) -> Result<Self> {
        let bytes = town.world().disk().read_part(&town.layout.counting(incarnation), 0, RECORD_BYTES)?;
        Ok(bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or(Self::Transcript { client: Client::OF_OLD }))
    }

    /// The format of what its client prints.
    pub fn printed_format(&self) -> Option<Format> {
        match self {
            Self::Printed { format, .. } => Some(*format),
            Self::Transcript { .. } | Self::Unknown => None,
        }
    }

    fn lacks(&self, prices: &Prices) -> Lacks {
        match self {
            Self::Unknown => Lacks::All,
            // A model that only the lines name is looked up when they have come.
            Self::Printed { format, model } if !format.names_models() && prices.of(model).is_none() => Lacks::Money,
            Self::Transcript { .. } | Self::Printed { .. } => Lacks::Nothing,
        }
    }
}

/// What can't be known of a session's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Nothing,
    Money,
    All,
}

/// The first cap that somebody has set and that could not hold, by its name in `[spend]`.
fn unheld(lacks: Lacks, spend: &SpendSettings) -> Option<&'static str> {
    let money = [("daily_usd", spend.daily_usd.unwrap_or_default()), ("attempt_usd", spend.attempt_usd)];
    let tokens = [("daily_tokens", spend.daily_tokens), ("attempt_tokens", spend.attempt_tokens)];
    let money = money.iter().find(|(_, cap)| *cap > 0.0).map(|(name, _)| *name);
    let tokens = tokens.iter().find(|(_, cap)| *cap > 0).map(|(name, _)| *name);
    match lacks {
        Lacks::Nothing => None,
        Lacks::Money => money,
        Lacks::All => money.or(tokens),
    }
}

/// Refuses a kind whose sessions no cap of the town's could hold.
pub(crate) fn admit(town: &Town, kind: &str, preset: &AgentPreset, runtime: Runtime) -> Result<()> {
    let settings = current(town);
    let counting = Counting::of(preset, runtime);
    let lacks = counting.lacks(&settings.prices.over(&town.outside.prices));
    let Some(cap) = unheld(lacks, &settings.spend) else { return Ok(()) };
    let (what, way) = match (lacks, &counting, &preset.usage) {
        (Lacks::Money, Counting::Printed { model, .. }, _) if model != UNNAMED => (
            format!("the price of {model}, which {kind} uses, is not known"),
            "[prices.models] in town.toml".to_owned(),
        ),
        (Lacks::Money, ..) => (
            format!("{kind} does not name its model, so what it takes is not known in money"),
            format!("[agents.{kind}.usage] model = \"<model>\" in town.toml"),
        ),
        (_, _, Some(_)) => (
            format!("what {kind} takes is unknown in a terminal"),
            format!("--runtime headless, or [agents.{kind}] runtime = \"headless\" in town.toml"),
        ),
        (_, _, None) => (
            format!("what {kind} takes is unknown"),
            format!(
                "[agents.{kind}.usage] format = \"<format>\" in town.toml, if it prints one that docs/agents.md has"
            ),
        ),
    };
    Err(Error::refused(
        format!("{what}, and {cap} in [spend] of town.toml could not hold: it is not started"),
        format!("{way}; or {cap} = 0"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSCRIPT: Counting = Counting::Transcript { client: Client::Claude };

    fn preset(text: &str) -> AgentPreset {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn usage_is_counted_by_a_transcript_by_what_is_printed_or_not_at_all() {
        let printed = |format, model: &str| Counting::Printed { format, model: model.to_owned() };
        let codex = "command = [\"codex\"]\nusage = { format = \"codex-jsonl\" }\n";
        let named = "command = [\"codex\"]\nusage = { format = \"codex-jsonl\", model = \"m-1\" }\n";
        for (text, headless, terminal) in [
            ("client = \"claude\"\ncommand = [\"claude\"]\n", TRANSCRIPT, TRANSCRIPT),
            ("command = [\"mine\"]\n", Counting::Unknown, Counting::Unknown),
            (codex, printed(Format::CodexJsonl, UNNAMED), Counting::Unknown),
            (named, printed(Format::CodexJsonl, "m-1"), Counting::Unknown),
            ("usage = { format = \"none\" }\n", printed(Format::None, UNNAMED), printed(Format::None, UNNAMED)),
        ] {
            let preset = preset(text);
            assert_eq!(Counting::of(&preset, Runtime::Headless), headless, "{text}");
            assert_eq!(Counting::of(&preset, Runtime::Tmux), terminal, "{text}");
        }
        assert!(toml::from_str::<AgentPreset>("usage = { format = \"codex\" }\n").is_err());
        assert_eq!(serde_json::from_str::<Counting>("{\"by\":\"transcript\"}").unwrap(), TRANSCRIPT);
    }

    #[test]
    fn a_cap_is_unheld_where_what_it_counts_is_unknown() {
        let prices: Prices = toml::from_str("[models]\nknown = { input = 1, output = 1 }\n").unwrap();
        let printed = |format, model: &str| Counting::Printed { format, model: model.to_owned() };
        let none = SpendSettings::default();
        let usd = SpendSettings { attempt_usd: 1.0, ..none };
        let tokens = SpendSettings { daily_tokens: 1, ..none };
        for (counting, by_usd, by_tokens) in [
            (TRANSCRIPT, None, None),
            (Counting::Unknown, Some("attempt_usd"), Some("daily_tokens")),
            (printed(Format::CodexJsonl, UNNAMED), Some("attempt_usd"), None),
            (printed(Format::CodexJsonl, "new-2"), Some("attempt_usd"), None),
            (printed(Format::OpencodeJsonl, "known-2"), None, None),
            (printed(Format::GeminiJsonl, UNNAMED), None, None),
            (printed(Format::None, UNNAMED), None, None),
        ] {
            let lacks = counting.lacks(&prices);
            assert_eq!(unheld(lacks, &none), None, "{counting:?}");
            assert_eq!((unheld(lacks, &usd), unheld(lacks, &tokens)), (by_usd, by_tokens), "{counting:?}");
        }
        let both = SpendSettings { daily_usd: Some(1.0), attempt_tokens: 1, ..none };
        assert_eq!(unheld(Lacks::All, &both), Some("daily_usd"));
        assert_eq!(unheld(Lacks::All, &SpendSettings { daily_usd: Some(f64::NAN), ..none }), None);
    }
}
