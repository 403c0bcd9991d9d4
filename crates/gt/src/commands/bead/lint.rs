//! `gt bead lint`: finds sections that a bead's texts lack.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_model::bead::{Bead, BeadType, Status};
use gt_town::Error;
use gt_town::work::beads;
use serde_json::json;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List beads whose texts lack sections that their type needs
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Only these beads [default: all open ones]
    ids: Vec<String>,
    /// Only of this type
    #[arg(long = "type", short = 't')]
    issue_type: Option<String>,
    /// With this status, or `all`
    #[arg(long, short)]
    status: Option<String>,
}

const STEPS: &str = "Steps to Reproduce";
const ACCEPTANCE: &str = "Acceptance Criteria";
const SUCCESS: &str = "Success Criteria";

/// Returns the sections that a bead of this kind should have.
fn sections(kind: &BeadType) -> &'static [&'static str] {
    match kind {
        BeadType::Bug => &[STEPS, ACCEPTANCE],
        BeadType::Task | BeadType::Feature => &[ACCEPTANCE],
        BeadType::Epic => &[SUCCESS],
        _ => &[],
    }
}

/// Returns the sections that a bead lacks. A heading anywhere in its texts counts; the criteria have a field of their own.
fn missing(bead: &Bead) -> Vec<&'static str> {
    let text = format!("{}\n{}", bead.description, bead.acceptance_criteria).to_lowercase();
    let is_there = |section: &str| {
        let has_field = section != STEPS && !bead.acceptance_criteria.trim().is_empty();
        has_field || text.contains(&section.to_lowercase())
    };
    sections(&bead.issue_type).iter().copied().filter(|section| !is_there(section)).collect()
}

/// Runs `gt bead lint`. In words, exit code 1 reports a missing section to scripts; JSON has the number.
pub fn lint(args: &LintArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let LintArgs { ids, issue_type: kind, status } = args;
    let found = context.town.ledger.read(|view| {
        if !ids.is_empty() {
            return ids.iter().map(|text| beads::require(view, &beads::resolve(view, text)?)).collect();
        }
        let status = status.as_deref().unwrap_or(Status::Open.as_str());
        let is_all = status == "all";
        let filter =
            BeadFilter { all: is_all, status: (!is_all).then(|| Status::from(status)), ..BeadFilter::default() };
        Ok::<Vec<Bead>, Error>(view.beads(&filter)?)
    })?;
    let is_meant = |bead: &&Bead| kind.as_ref().is_none_or(|kind| bead.issue_type.as_str() == kind);
    let lacking: Vec<(&Bead, Vec<&str>)> = found
        .iter()
        .filter(is_meant)
        .map(|bead| (bead, missing(bead)))
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    let total: usize = lacking.iter().map(|(_, missing)| missing.len()).sum();
    if console.is_json() {
        let one = |(bead, missing): &(&Bead, Vec<&str>)| {
            let headings: Vec<String> = missing.iter().map(|section| format!("## {section}")).collect();
            json!({ "id": bead.id, "title": bead.title, "type": bead.issue_type.as_str(), "missing": headings,
                    "warnings": missing.len() })
        };
        let results: Vec<_> = lacking.iter().map(one).collect();
        return console.document(&json!({ "total": total, "issues": results.len(), "results": results }));
    }
    for (bead, missing) in &lacking {
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        console.line(&format!("{id} [{}]: {title}", printable(bead.issue_type.as_str())))?;
        for section in missing {
            console.line(&format!("  missing: {section}"))?;
        }
    }
    if lacking.is_empty() {
        console.say("no bead lacks a section that its type needs")?;
    }
    Ok(u8::from(!lacking.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_there_by_its_heading_or_its_field() {
        let bead = |kind: BeadType, description: &str, acceptance: &str| Bead {
            issue_type: kind,
            description: description.to_owned(),
            acceptance_criteria: acceptance.to_owned(),
            ..Bead::new("vt-1".into(), "T", jiff::Timestamp::UNIX_EPOCH)
        };
        for (bead, lacks) in [
            (bead(BeadType::Bug, "", ""), vec![STEPS, ACCEPTANCE]),
            (bead(BeadType::Bug, "## steps to reproduce\n1.", "it is gone"), vec![]),
            (bead(BeadType::Bug, "", "it is gone"), vec![STEPS]),
            (bead(BeadType::Epic, "Success criteria: all", ""), vec![]),
            (bead(BeadType::Chore, "", ""), vec![]),
        ] {
            assert_eq!(missing(&bead), lacks, "{bead:?}");
        }
    }
}
