//! Figures: medians, and the median of ratios pair by pair.

use std::time::Duration;

use serde_json::{Value, json};

/// One measurement.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Name of the measurement.
    pub name: String,
    /// Unit of the values.
    pub unit: &'static str,
    /// The values, in the order of the measurements.
    pub values: Vec<f64>,
    /// The peer's values, pair by pair; empty if there is no peer.
    pub peer: Vec<f64>,
    /// Upper limit that the median of the ratios should keep.
    pub aim: Option<f64>,
}

impl Row {
    /// Makes a row of times in milliseconds.
    pub fn times(name: &str, values: &[Duration]) -> Self {
        Self { name: name.to_owned(), unit: "ms", values: millis(values), ..Self::default() }
    }

    /// Adds a peer's times, pair by pair.
    #[must_use]
    pub fn beside(self, peer: &[Duration], aim: Option<f64>) -> Self {
        Self { peer: millis(peer), aim, ..self }
    }

    /// Makes a row of a single count.
    pub fn single(name: &str, unit: &'static str, value: f64) -> Self {
        Self { name: name.to_owned(), unit, values: vec![value], ..Self::default() }
    }

    /// Returns the median of the ratios, if there is a peer.
    fn ratio(&self) -> Option<f64> {
        let ratios: Vec<f64> = self.values.iter().zip(&self.peer).map(|(own, peer)| own / peer).collect();
        (!ratios.is_empty()).then(|| quantile(&ratios, 0.5))
    }

    fn json(&self) -> Value {
        let at = |quantile_at| quantile(&self.values, quantile_at);
        let peer = (!self.peer.is_empty()).then(|| quantile(&self.peer, 0.5));
        json!({
            "name": self.name, "unit": self.unit, "n": self.values.len(),
            "p10": at(0.1), "median": at(0.5), "p90": at(0.9),
            "peer_median": peer, "ratio": self.ratio(), "aim": self.aim,
        })
    }

    fn text(&self) -> String {
        let at = |quantile_at| quantile(&self.values, quantile_at);
        let (unit, n) = (self.unit, self.values.len());
        let own = match n {
            1 => format!("{:.1} {unit}", at(0.5)),
            _ => format!("{:.1} {unit} (p10 {:.1}, p90 {:.1}, n {n})", at(0.5), at(0.1), at(0.9)),
        };
        let Some(ratio) = self.ratio() else { return format!("{}: {own}", self.name) };
        let aim = self
            .aim
            .map_or(String::new(), |aim| format!(", aim {aim}: {}", if ratio <= aim { "met" } else { "MISSED" }));
        format!("{}: {own}; peer {:.1} {unit}; ratio {ratio:.2}{aim}", self.name, quantile(&self.peer, 0.5))
    }
}

fn millis(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1000.0).collect()
}

/// Returns the value below which this part of the values lies.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1)) as f64 * part;
    let (low, high) = (sorted.get(at.floor() as usize), sorted.get(at.ceil() as usize));
    match (low, high) {
        (Some(low), Some(high)) => low + (high - low) * at.fract(),
        _ => f64::NAN,
    }
}

/// Result of one benchmark.
#[derive(Clone, Debug)]
pub struct Report {
    /// The benchmark's name.
    pub what: String,
    /// The machine.
    pub machine: String,
    /// The measurements.
    pub rows: Vec<Row>,
}

impl Report {
    /// Returns the report as JSON for programs.
    pub fn json(&self) -> String {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({ "schema": "gt.bench/1", "bench": self.what, "machine": self.machine, "rows": rows }).to_string()
    }

    /// Returns the report as text for people.
    pub fn text(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(|row| format!("  {}", row.text())).collect();
        format!("bench {} ({})\n{}", self.what, self.machine, rows.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        for (values, part, expected) in
            [(vec![3.0], 0.9, 3.0), (vec![4.0, 1.0, 2.0], 0.5, 2.0), (vec![1.0, 2.0], 0.5, 1.5)]
        {
            assert!((quantile(&values, part) - expected).abs() < 1e-9, "{values:?} at {part}");
        }
    }

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_and_not_of_the_medians() {
        let row = Row { values: vec![1.0, 10.0, 4.0], peer: vec![1.0, 2.0, 4.0], ..Row::default() };
        assert_eq!(row.ratio(), Some(1.0));
        assert_eq!(Row::single("x", "ms", 1.0).ratio(), None);
    }
}
