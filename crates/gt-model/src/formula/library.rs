//! Formulas that refer to each other: what is needed, what a formula extends, and overlays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::source::{At, Finding, Findings, FormulaError, Source, Text};
use super::syntax::{Formula, FormulaKind, Overlay, StepTemplate};
use super::{LIBRARY_LIMIT, check};
use crate::id::sha256_hex;

/// Maximum number of formulas that extend each other in one chain.
const CHAIN_LIMIT: usize = 16;

/// Maximum number of formulas that are put together for one, each time that it is extended.
const EXTENDED_LIMIT: usize = 2000;

/// Formulas that are being extended.
#[derive(Default)]
struct Chain {
    names: Vec<String>,
    visits: usize,
}

/// Formulas and overlays that are at hand.
///
/// The caller adds a formula, and then those that [`missing`](Self::missing) names until it names none.
#[derive(Clone, Debug, Default)]
pub struct Library {
    formulas: BTreeMap<String, Formula>,
    overlays: BTreeMap<String, Vec<Overlay>>,
    absent: BTreeSet<String>,
}

/// A formula with all that it is made of. It passed all checks that need no values.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The formula, with what it extends and its overlays.
    pub formula: Formula,
    /// SHA-256 in hex of all texts that it is made of: its own, those of formulas that it extends, of its overlays, and of
    /// expansions and aspects. Formulas that are poured for its items or legs do not count.
    pub hash: String,
    /// Formulas that its steps refer to, by name.
    pub(super) used: BTreeMap<String, Formula>,
    /// Names that are referred to and that no formula has.
    pub(super) absent: BTreeSet<String>,
}

impl Resolved {
    /// Whether the formula refers to no other formula.
    pub fn is_alone(&self) -> bool {
        self.used.is_empty() && self.formula.extends.is_empty()
    }

    /// Returns a formula without those that it refers to.
    pub(super) fn alone(formula: &Formula) -> Self {
        Self { formula: formula.clone(), hash: String::new(), used: BTreeMap::new(), absent: BTreeSet::new() }
    }

    /// Returns what [`Library::check`] says of it.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = self.formula.findings.clone();
        findings.extend(self.plan_sample().err());
        findings
    }
}

impl Library {
    /// Adds a formula.
    pub fn add(&mut self, formula: Formula) {
        self.formulas.insert(formula.name.clone(), formula);
    }

    /// Adds an overlay. Overlays of one formula apply in the order in which they were added.
    pub fn overlay(&mut self, overlay: Overlay) {
        self.overlays.entry(overlay.name.clone()).or_default().push(overlay);
    }

    /// Records that no formula has this name.
    pub fn absent(&mut self, name: &str) {
        self.absent.insert(name.to_owned());
    }

    /// Returns the name of a formula that is referred to and is not at hand. `None` if all are, or if there are too many.
    pub fn missing(&self) -> Option<&str> {
        if self.formulas.len() >= LIBRARY_LIMIT {
            return None;
        }
        let overlaid = self.overlays.values().flatten().flat_map(|overlay| {
            let steps = overlay.replace.iter().chain(&overlay.append);
            steps.chain(overlay.insert.iter().flat_map(|rule| rule.before.iter().chain(&rule.after)))
        });
        let names = self.formulas.values().flat_map(references).chain(overlaid.flat_map(step_references));
        let is_known = |name: &str| self.formulas.contains_key(name) || self.absent.contains(name);
        names.map(|text| text.value.as_str()).find(|name| !is_known(name) && !name.contains("{{"))
    }

    /// Returns a formula with what it extends and its overlays, checked. Values of variables are checked by
    /// [`Resolved::plan`].
    pub fn resolve(&self, name: &str) -> Result<Resolved, FormulaError> {
        let (resolved, findings) = self.put_together(name)?;
        let mut all = Findings::default();
        all.append(findings);
        all.append(check::statics(&resolved));
        all.or(resolved).map(|(mut resolved, findings)| {
            resolved.formula.findings = findings;
            resolved
        })
    }

    /// Returns all that can be said about a formula without values for its variables: errors, and keys without a meaning here.
    /// To find cycles and limits it plans all steps, whatever their conditions say, with values that the variables may have.
    pub fn check(&self, name: &str) -> Vec<Finding> {
        match self.resolve(name) {
            Ok(resolved) => resolved.check(),
            Err(error) => error.0,
        }
    }

    fn put_together(&self, name: &str) -> Result<(Resolved, Vec<Finding>), FormulaError> {
        let mut findings = Vec::new();
        let mut chain = Chain::default();
        let formula = self.extended(name, None, &mut chain, &mut findings)?;
        let mut used = BTreeMap::new();
        for other in self.formulas.keys().filter(|other| *other != name) {
            chain.names.clear();
            let formula = self.extended(other, None, &mut chain, &mut Vec::new());
            used.extend(formula.ok().map(|formula| (formula.name.clone(), formula)));
        }
        let hash = self.hash(&formula);
        Ok((Resolved { formula, hash, used, absent: self.absent.clone() }, findings))
    }

    fn hash(&self, resolved: &Formula) -> String {
        let mut names = BTreeSet::from([resolved.name.as_str()]);
        while let Some(more) = names.iter().flat_map(|name| self.made_of(name)).find(|name| !names.contains(name)) {
            names.insert(more);
        }
        let mut text = String::new();
        for name in names {
            let formula = self.formulas.get(name).map(|formula| &formula.at.source);
            let overlays = self.overlays.get(name).into_iter().flatten().map(|overlay| &overlay.at.source);
            for source in formula.into_iter().chain(overlays) {
                text.push_str(&format!("{}\n{}", source.text.len(), source.text));
            }
        }
        sha256_hex(&text)
    }

    /// Returns the names of the formulas that one is made of: those that it extends, expansions and aspects.
    fn made_of(&self, name: &str) -> Vec<&str> {
        let Some(formula) = self.formulas.get(name) else { return Vec::new() };
        let extends = formula.extends.iter().map(|name| name.value.as_str());
        let is_part = |name: &&str| {
            let kind = self.formulas.get(*name).map(|formula| formula.kind);
            matches!(kind, Some(FormulaKind::Expansion | FormulaKind::Aspect))
        };
        let parts = references(formula).into_iter().map(|name| name.value.as_str()).filter(is_part);
        extends.chain(parts).filter(|name| self.formulas.contains_key(*name)).collect()
    }

    /// Returns a formula on top of those that it extends, with overlays.
    fn extended(
        &self,
        name: &str,
        from: Option<&At>,
        chain: &mut Chain,
        findings: &mut Vec<Finding>,
    ) -> Result<Formula, FormulaError> {
        let Some(own) = self.formulas.get(name) else { return Err(no_formula(name, from, self).into()) };
        let place = from.unwrap_or(&own.at);
        if chain.names.iter().any(|known| known == name) || chain.names.len() >= CHAIN_LIMIT {
            let way = chain.names.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" -> ");
            return Err(place.error(format!("formulas extend each other: {way}")).into());
        }
        chain.visits += 1;
        if chain.visits > EXTENDED_LIMIT {
            return Err(place.error("too many formulas extend each other").into());
        }
        chain.names.push(name.to_owned());
        let mut own = own.clone();
        findings.append(&mut own.findings);
        let mut formula: Option<Formula> = None;
        for parent in std::mem::take(&mut own.extends) {
            let parent = self.extended(&parent.value, Some(&parent.at), chain, findings)?;
            formula = Some(match formula {
                Some(before) => over(before, parent),
                None => parent,
            });
        }
        chain.names.pop();
        let mut formula = match formula {
            Some(parent) => over(parent, own),
            None => own,
        };
        for overlay in self.overlays.get(name).into_iter().flatten() {
            findings.extend(overlay.findings.iter().cloned());
            super::overlay::apply(&mut formula, overlay)?;
        }
        Ok(formula)
    }
}

fn no_formula(name: &str, from: Option<&At>, library: &Library) -> Finding {
    let known = library.formulas.keys().map(String::as_str);
    let nowhere =
        At { source: Arc::new(Source { file: name.to_owned(), text: String::new() }), span: super::Span::default() };
    from.unwrap_or(&nowhere).error(format!("no formula is called `{name}`")).nearest(name, known)
}

/// Puts a formula on top of its parent.
fn over(parent: Formula, own: Formula) -> Formula {
    let mut vars = parent.vars;
    vars.extend(own.vars);
    let kind = if own.kind == FormulaKind::Workflow { parent.kind } else { own.kind };
    Formula {
        description: if own.description.is_empty() { parent.description } else { own.description },
        kind,
        vars,
        steps: steps_over(parent.steps, own.steps),
        legs: steps_over(parent.legs, own.legs),
        synthesis: own.synthesis.or(parent.synthesis),
        aspects: [parent.aspects, own.aspects].concat(),
        aspect_names: [parent.aspect_names, own.aspect_names].concat(),
        expansions: [parent.expansions, own.expansions].concat(),
        output: own.output.or(parent.output),
        durable: own.durable.or(parent.durable),
        base: own.base.or(parent.base),
        ..own
    }
}

fn steps_over(mut steps: Vec<StepTemplate>, own: Vec<StepTemplate>) -> Vec<StepTemplate> {
    for step in own {
        match steps.iter_mut().find(|known| known.id.value == step.id.value) {
            Some(known) => *known = step,
            None => steps.push(step),
        }
    }
    steps
}

/// Returns the names of formulas that a formula refers to.
pub(super) fn references(formula: &Formula) -> Vec<&Text> {
    let mut names: Vec<&Text> = formula.extends.iter().chain(&formula.aspect_names).collect();
    names.extend(formula.expansions.iter().map(|rule| &rule.expand.formula));
    let added = formula.aspects.iter().flat_map(|rule| rule.before.iter().chain(&rule.after));
    let steps = formula.steps.iter().chain(&formula.legs).chain(&formula.synthesis).chain(added);
    names.extend(steps.flat_map(step_references));
    names
}

fn step_references(step: &StepTemplate) -> Vec<&Text> {
    let mut names: Vec<&Text> = step.children().iter().flat_map(step_references).collect();
    names.extend(step.expand.as_ref().map(|expand| &expand.formula));
    names.extend(step.on_complete.as_ref().map(|on_complete| &on_complete.bond));
    names.extend(&step.formula);
    names
}
