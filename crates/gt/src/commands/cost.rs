//! `gt cost`.

use clap::{Args, ValueEnum};
use gt_town::admission::spend;
use gt_town::admission::usage::By;
use gt_town::admission::usage::{self, Cost, Report};

use crate::cli::Group;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show how many tokens models used, and about how much they cost
#[derive(Debug, Args)]
#[command(display_order = Group::Watch.order())]
pub struct CostArgs {
    /// Group by this
    #[arg(long, value_enum, default_value = "day")]
    by: ByArg,
    /// Only since then: the last days (7d; today is 1d), or a date (2026-11-22)
    #[arg(long, value_name = "DAYS|DATE")]
    since: Option<String>,
}

/// Property by which costs are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ByArg {
    /// Bead
    Bead,
    /// Worker
    Worker,
    /// Rig
    Rig,
    /// Model
    Model,
    /// Convoy
    Convoy,
    /// Day
    Day,
    /// Kind of agent
    Agent,
}

impl From<ByArg> for By {
    fn from(by: ByArg) -> Self {
        match by {
            ByArg::Bead => Self::Bead,
            ByArg::Worker => Self::Worker,
            ByArg::Rig => Self::Rig,
            ByArg::Model => Self::Model,
            ByArg::Convoy => Self::Convoy,
            ByArg::Day => Self::Day,
            ByArg::Agent => Self::Agent,
        }
    }
}

/// Runs `gt cost`.
pub fn cost(args: &CostArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let town = &context.town;
    let since = args.since.as_deref().map(|word| usage::since_day(town, word).ok_or_else(|| unknown_since(word)));
    let report = usage::report(town, args.by.into(), &since.transpose()?.unwrap_or_default())?;
    let today = spend::today(town)?;
    if console.is_json() {
        let facts = serde_json::json!({ "report": report, "today": today, "about": ABOUT });
        return console.facts("gt.cost/1", "cost", facts);
    }
    say_report(&report, console)?;
    console.line(&format!("today: {}", printable(&today.words())))?;
    Ok(0)
}

/// Note that applies to all amounts of money.
const ABOUT: &str = "money is about what the API's list prices come to; who pays for a plan does not pay by tokens";

fn unknown_since(word: &str) -> CliError {
    CliError::Usage {
        what: format!("`{word}` is neither a number of days nor a date"),
        hint: "--since 7d, or --since 2026-11-22".to_owned(),
    }
}

fn say_report(report: &Report, console: &mut Console<'_>) -> Result<(), CliError> {
    if report.rows.is_empty() {
        console.line("nothing was counted yet: usage is read from what clients write or print (gt help town)")?;
        return say_uncounted(report, console);
    }
    let by = format!("{:?}", report.by).to_uppercase();
    let mut table = Table::new(&[&by, "ANSWERS", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITTEN", "ABOUT"]);
    for row in &report.rows {
        table.row(cells(row.key.as_deref().unwrap_or("-"), &row.cost));
    }
    if report.rows.len() > 1 {
        table.row(cells("all", &report.total));
    }
    console.table(&table)?;
    console.line(&format!("list prices of {}; {ABOUT}", printable(&report.prices_of)))?;
    if !report.total.unpriced.is_empty() {
        let models = printable(&report.total.unpriced.join(", "));
        console.line(&format!("no price is known of {models}: their money is not in this ([prices] in town.toml)"))?;
    }
    say_uncounted(report, console)
}

fn say_uncounted(report: &Report, console: &mut Console<'_>) -> Result<(), CliError> {
    for (kind, sessions) in &report.uncounted {
        let count = if *sessions == 1 { "one session".to_owned() } else { format!("{sessions} sessions") };
        let kind = printable(kind);
        console
            .line(&format!("unknown, and not in this: what {count} of {kind} took (gt agent check {kind} says why)"))?;
    }
    Ok(())
}

fn cells(key: &str, cost: &Cost) -> Vec<String> {
    let tokens = &cost.sum.tokens;
    let written = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
    let mut cells = vec![key.to_owned(), cost.sum.answers.to_string()];
    cells.extend([tokens.input, tokens.output, tokens.cache_read, written].map(usage::short));
    cells.push(match (cost.usd > 0.0, cost.unpriced.is_empty()) {
        (_, true) => format!("${:.2}", cost.usd),
        (true, false) => format!("${:.2} and more", cost.usd),
        (false, false) => "?".to_owned(),
    });
    cells
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_built_in_prices_are_complete_and_have_a_date() {
        let prices: gt_model::price::Prices = toml::from_str(include_str!("../prices.toml")).unwrap();
        assert!(prices.date.parse::<jiff::civil::Date>().is_ok(), "{}", prices.date);
        assert!(prices.models.values().all(|price| price.input > 0.0 && price.output > price.input));
        let of = |model: &str| prices.of(model).map(|price| price.input);
        assert_eq!(
            ["claude-opus-5-5", "claude-opus-4-1-20250805", "claude-opus-4-7"].map(of),
            [Some(4.0), Some(15.0), Some(5.0)]
        );
        assert_eq!(["claude-haiku-4-5-20251001", "gpt-9"].map(of), [Some(1.0), None]);
    }
}
