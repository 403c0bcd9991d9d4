//! Computes the cost of tokens from a dated price table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::usage::Tokens;

/// Number of tokens that a price is for.
const PER: f64 = 1_000_000.0;

/// Default price for reading from the cache, as a fraction of the input price.
const CACHE_READ: f64 = 0.1;

/// Default price for writing to the five-minute cache, as a multiple of the input price.
const CACHE_WRITE_5M: f64 = 1.25;

/// Default price for writing to the one-hour cache, as a multiple of the input price.
const CACHE_WRITE_1H: f64 = 2.0;

/// Prices of models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// Date of the prices.
    pub date: String,
    /// Prices by a part of the model's name. Of several matching parts, the longest counts.
    pub models: BTreeMap<String, Price>,
}

/// Prices of one model, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Price of input.
    pub input: f64,
    /// Price of output.
    pub output: f64,
    /// Price of reading from the cache; a tenth of `input` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Price of writing to the five-minute cache; 1.25 times `input` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<f64>,
    /// Price of writing to the one-hour cache; twice `input` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<f64>,
}

impl Prices {
    /// Returns these prices on top of those of `base`. A model's prices are taken as a whole; the date is taken if it is not
    /// empty.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let date = if self.date.is_empty() { &base.date } else { &self.date };
        let mut models = base.models.clone();
        models.extend(self.models.clone());
        Self { date: date.clone(), models }
    }

    /// Returns the prices of a model; `None` if the table does not contain it.
    pub fn of(&self, model: &str) -> Option<&Price> {
        let fitting = self.models.iter().filter(|(part, _)| model.contains(part.as_str()));
        fitting.max_by_key(|(part, _)| part.len()).map(|(_, price)| price)
    }

    /// Returns the cost of a model's tokens, in US dollars; `None` if the table does not contain the model.
    pub fn cost(&self, model: &str, tokens: &Tokens) -> Option<f64> {
        self.of(model).map(|price| price.cost(tokens))
    }
}

impl Price {
    /// Returns the cost of tokens, in US dollars; never negative.
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
