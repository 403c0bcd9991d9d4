//! Decides whether and how a session's usage can be counted. A cap cannot hold an agent whose usage is unknown, so the town
//! does not start such kinds while a cap is set.

use gt_model::clients::Client;
use gt_model::id::IncarnationId;
use gt_model::price::Prices;
use gt_model::usage::{Format, UNNAMED};
use gt_world::Runtime;
use serde::{Deserialize, Serialize};

use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::settings::{AgentPreset, SpendSettings, current};

/// Maximum size of the record in bytes; a larger one is not the town's.
const RECORD_BYTES: usize = 16 * 1024;

/// Source of a session's usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Counting {
    /// The transcript of its client.
    Transcript {
        /// Client that writes the transcript.
        #[serde(default = "client_of_old")]
        client: Client,
    },
    /// The lines that its client prints.
    Printed {
        /// Format of these lines.
        format: Format,
        /// Model for lines that name none.
        model: String,
    },
    /// No source: the usage is unknown.
    Unknown,
}

/// Client for records of an older gt, which name none.
fn client_of_old() -> Client {
    Client::OF_OLD
}

impl Counting {
    /// Returns how sessions of a kind are counted in a runtime. The town does not read usage from a terminal's screen.
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

    /// Records the source in a session's folder, at a place that an agent in a sandbox can't write.
    pub(crate) fn record(&self, town: &Town, incarnation: &IncarnationId) -> Result<()> {
        // Our own data always serializes.
        let text = serde_json::to_string(self).unwrap_or_default();
        Ok(town.world().disk().write(&town.layout.counting(incarnation), text.as_bytes())?)
    }

    /// Reads how a session is counted. A session that an older gt started has a transcript at most.
    pub(crate) fn recorded(town: &Town, incarnation: &IncarnationId) -> Result<Self> {
        let bytes = town.world().disk().read_part(&town.layout.counting(incarnation), 0, RECORD_BYTES)?;
        Ok(bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or(Self::Transcript { client: Client::OF_OLD }))
    }

    /// Returns the format of the client's printed lines, if they are counted.
    pub fn printed_format(&self) -> Option<Format> {
        match self {
            Self::Printed { format, .. } => Some(*format),
            Self::Transcript { .. } | Self::Unknown => None,
        }
    }

    fn lacks(&self, prices: &Prices) -> Lacks {
        match self {
            Self::Unknown => Lacks::All,
            // If only the lines name the model, its price is looked up once they have come.
            Self::Printed { format, model } if !format.names_models() && prices.of(model).is_none() => Lacks::Money,
            Self::Transcript { .. } | Self::Printed { .. } => Lacks::Nothing,
        }
    }
}

/// Unknown parts of a session's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Nothing,
    Money,
    All,
}

/// Returns the name in `[spend]` of the first cap that is set and could not hold.
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

/// Refuses a kind whose sessions a cap of the town could not hold.
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
            format!("{kind} does not name its model, so its cost is unknown"),
            format!("[agents.{kind}.usage] model = \"<model>\" in town.toml"),
        ),
        (_, _, Some(_)) => (
            format!("the usage of {kind} is unknown in a terminal"),
            format!("--runtime headless, or [agents.{kind}] runtime = \"headless\" in town.toml"),
        ),
        (_, _, None) => (
            format!("the usage of {kind} is unknown"),
            format!(
                "[agents.{kind}.usage] format = \"<format>\" in town.toml, if it prints one that docs/agents.md has"
            ),
        ),
    };
    Err(Error::refused(
        format!("{what}, so {cap} in [spend] of town.toml could not be enforced: it is not started"),
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
