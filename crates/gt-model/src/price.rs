//! What tokens cost, by a table with a date.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::usage::Tokens;

/// Tokens that prices are for.
const PER: f64 = 1_000_000.0;

/// What reading from the cache costs, as a part of the price of input, where the table does not say.
const CACHE_READ: f64 = 0.1;

/// What writing to the cache for five minutes costs likewise.
const CACHE_WRITE_5M: f64 = 1.25;

/// What writing to the cache for an hour costs likewise.
const CACHE_WRITE_1H: f64 = 2.0;

/// Prices of models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// From when they are.
    pub date: String,
    /// By a part of the model's name; the longest that fits counts.
    pub models: BTreeMap<String, Price>,
}

/// The price of one model, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of what it reads.
    pub input: f64,
    /// Of what it writes.
    pub output: f64,
    /// Of what it reads from the cache; a tenth of `input` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Of what is written to the cache for five minutes; 1.25 times `input` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<f64>,
    /// Of what is written to the cache for an hour; twice `input` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<f64>,
}

impl Prices {
    /// These over those of `base`: a model's price is taken whole, the date where one is said.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let date = if self.date.is_empty() { &base.date } else { &self.date };
        let mut models = base.models.clone();
        models.extend(self.models.clone());
        Self { date: date.clone(), models }
    }

    /// The price of a model; `None` where the table does not know it.
    pub fn of(&self, model: &str) -> Option<&Price> {
        let fitting = self.models.iter().filter(|(part, _)| model.contains(part.as_str()));
        fitting.max_by_key(|(part, _)| part.len()).map(|(_, price)| price)
    }

    /// What tokens of a model cost, in US dollars; `None` where the table does not know it.
    pub fn cost(&self, model: &str, tokens: &Tokens) -> Option<f64> {
        self.of(model).map(|price| price.cost(tokens))
    }
}

impl Price {
    /// What tokens cost, in US dollars: never less than nothing.
    pub fn cost(&self, tokens: &Tokens) -> f64 {
        let parts = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (tokens.cache_read, self.cache_read.unwrap_or(self.input * CACHE_READ)),
            (tokens.cache_write_5m, self.cache_write_5m.unwrap_or(self.input * CACHE_WRITE_5M)),
            (tokens.cache_write_1h, self.cache_write_1h.unwrap_or(self.input * CACHE_WRITE_1H)),
        ];
        #[expect(clippy::cast_precision_loss, reason = "a sum of money about which nothing is exact")]
        let cost = |(tokens, price): (u64, f64)| tokens as f64 * if price.is_finite() { price.max(0.0) } else { 0.0 };
        parts.map(cost).iter().sum::<f64>() / PER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(text: &str) -> Prices {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_longest_name_that_fits_gives_the_price() {
        let base = prices(
            "date = \"then\"\n[models]\nopus-5 = { input = 5, output = 25 }\nopus-5-5 = { input = 4, output = 20, cache_read = 0.2 }\n",
        );
        let million = Tokens { input: 1_000_000, output: 100_000, cache_read: 1_000_000, ..Tokens::default() };
        let check = |prices: &Prices, model: &str, expected: Option<f64>| {
            let cost = prices.cost(model, &million).map(|cost| (cost * 1e6).round() / 1e6);
            assert_eq!(cost, expected, "{model}");
        };
        check(&base, "claude-opus-5-5", Some(6.2));
        check(&base, "eu.anthropic.claude-opus-5-5-20261001-v1:0", Some(6.2));
        check(&base, "claude-opus-5", Some(8.0));
        check(&base, "claude-opus-4", None);
        let own = prices("[models]\nopus-4 = { input = 0, output = 0 }\n").over(&base);
        check(&own, "claude-opus-4", Some(0.0));
        check(&own, "claude-opus-5", Some(8.0));
        assert_eq!(own.date, "then");
    }

    #[test]
    fn caches_have_their_usual_prices_and_nonsense_costs_nothing() {
        let write = Tokens { cache_write_5m: 1_000_000, cache_write_1h: 1_000_000, ..Tokens::default() };
        assert!((prices("[models]\nm = { input = 4, output = 20 }\n").cost("m", &write).unwrap() - 13.0).abs() < 1e-9);
        let odd = Price { input: f64::NAN, output: -3.0, ..Price::default() };
        assert_eq!(odd.cost(&Tokens { input: 9, output: 9, ..write }), 0.0);
    }
}
