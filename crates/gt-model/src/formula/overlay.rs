//! Changes of a formula by an overlay.

use super::source::{Findings, FormulaError, Text};
use super::syntax::{Formula, Overlay, StepTemplate};

/// Applies an overlay. Each rule must find its step.
pub(super) fn apply(formula: &mut Formula, overlay: &Overlay) -> Result<(), FormulaError> {
    let mut findings = Findings::default();
    formula.vars.extend(overlay.vars.clone());
    for step in &overlay.replace {
        match find(formula, &step.id.value) {
            Some(known) => replace(known, step),
            None => findings.push(unknown(formula, &step.id)),
        }
    }
    for step in &overlay.append {
        match find(formula, &step.id.value) {
            Some(known) => append(known, step),
            None => formula.steps.push(step.clone()),
        }
    }
    for id in &overlay.skip {
        match find(formula, &id.value) {
            // Steps that need it need what it needed, as for a condition that is false.
            Some(known) => known.is_skipped = true,
            None => findings.push(unknown(formula, id)),
        }
    }
    formula.aspects.extend(overlay.insert.iter().cloned());
    findings.or(()).map(|_| ())
}

fn unknown(formula: &Formula, id: &Text) -> super::Finding {
    let mut known = Vec::new();
    ids(&formula.steps, &mut known);
    id.at.error(format!("formula {} has no step `{}`", formula.name, id.value)).nearest(&id.value, known)
}

fn ids<'f>(steps: &'f [StepTemplate], known: &mut Vec<&'f str>) {
    for step in steps {
        known.push(&step.id.value);
        ids(step.children(), known);
    }
}

fn find<'f>(formula: &'f mut Formula, id: &str) -> Option<&'f mut StepTemplate> {
    let legs = &mut formula.legs;
    find_in(&mut formula.steps, id).or_else(|| find_in(legs, id))
}

fn find_in<'f>(steps: &'f mut [StepTemplate], id: &str) -> Option<&'f mut StepTemplate> {
    steps.iter_mut().find_map(|step| match step.id.value == id {
        true => Some(step),
        false => find_in(step.children.as_deref_mut().unwrap_or_default(), id),
    })
}

/// Takes the keys that the overlay writes.
fn replace(known: &mut StepTemplate, new: &StepTemplate) {
    macro_rules! take {
        ($($field:ident)*) => {
            $(if new.$field.is_some() {
                known.$field = new.$field.clone();
            })*
        };
    }
    take!(title description needs acceptance run gate when repeat expand children parallel agent model);
    take!(timeout_seconds retries priority labels on_complete focus formula);
}

fn append(known: &mut StepTemplate, new: &StepTemplate) {
    if let Some(more) = &new.description {
        known.description = Some(match &known.description {
            Some(text) => Text { value: format!("{}\n\n{}", text.value.trim_end(), more.value), at: more.at.clone() },
            None => more.clone(),
        });
    }
    extend(&mut known.needs, &new.needs);
    extend(&mut known.acceptance, &new.acceptance);
    extend(&mut known.labels, &new.labels);
}

fn extend<T: Clone>(known: &mut Option<Vec<T>>, more: &Option<Vec<T>>) {
    if let Some(more) = more {
        known.get_or_insert_default().extend(more.iter().cloned());
    }
}
