//! Steps that aspects put around steps.

use super::library::Resolved;
use super::source::{Finding, Text};
use super::syntax::{AspectRule, FormulaKind, StepTemplate};
use super::text::Scope;
use super::unroll::{Context, Need, Unroll};
use super::{glob, plan};

/// Applies the rules of a formula and of the aspects that it names.
pub(super) fn apply(unroll: &mut Unroll<'_>, scope: &Scope) -> Result<(), Finding> {
    let resolved = unroll.resolved;
    for rule in &resolved.formula.aspects {
        apply_rule(unroll, rule, scope)?;
    }
    for name in &resolved.formula.aspect_names {
        let (rules, scope) = named(resolved, name, scope)?;
        for rule in rules {
            apply_rule(unroll, rule, &scope)?;
        }
    }
    Ok(())
}

fn named<'r>(resolved: &'r Resolved, name: &Text, scope: &Scope) -> Result<(&'r [AspectRule], Scope), Finding> {
    let formula = resolved.used.get(&name.value).filter(|formula| formula.kind == FormulaKind::Aspect);
    let Some(formula) = formula else {
        let known = resolved.used.values().filter(|formula| formula.kind == FormulaKind::Aspect);
        let error = name.at.error(format!("no formula of type aspect is called `{}`", name.value));
        return Err(error.nearest(&name.value, known.map(|formula| formula.name.as_str())));
    };
    let values = plan::values(formula, &Default::default())
        .map_err(|_| name.at.error(format!("aspect {} needs values for its variables, but gets none", formula.name)))?;
    Ok((&formula.aspects, scope.of(values)))
}

fn apply_rule(unroll: &mut Unroll<'_>, rule: &AspectRule, scope: &Scope) -> Result<(), Finding> {
    let is_target = |id: &str| glob::matches(&rule.target.value, id);
    let targets: Vec<usize> = (0..unroll.parts.len())
        .filter(|at| !unroll.parts[*at].is_added && is_target(&unroll.parts[*at].step.id))
        .collect();
    if targets.is_empty() && rule.must_match && !unroll.dropped.keys().any(|id| is_target(id)) {
        let error = rule.target.at.error(format!("no step matches `{}`", rule.target.value));
        return Err(error.nearest(&rule.target.value, unroll.index.keys().map(String::as_str)));
    }
    targets.into_iter().try_for_each(|target| around(unroll, rule, target, scope))
}

fn around(unroll: &mut Unroll<'_>, rule: &AspectRule, target: usize, scope: &Scope) -> Result<(), Finding> {
    let part = &unroll.parts[target];
    let (id, at) = (part.step.id.clone(), part.at.clone());
    let scope = scope.giving("step.id", id.as_str()).giving("step.title", part.step.title.as_str());
    let cx = Context { scope, names: Vec::new(), parent: part.parent, depth: 1 };
    let own = Need { id: id.clone(), at };
    if let (Some(first), Some(last)) = chain(unroll, &rule.before, target, -1, &cx)? {
        let needs = std::mem::replace(&mut unroll.parts[target].needs, vec![last]);
        unroll.parts[first].needs.extend(needs);
    }
    let existing = unroll.parts.len();
    if let (Some(first), Some(last)) = chain(unroll, &rule.after, target, 1, &cx)? {
        wait_for(unroll, &id, &last, existing)?;
        unroll.parts[first].needs.push(own);
    }
    Ok(())
}

/// Lets the steps that need a step also need another.
fn wait_for(unroll: &mut Unroll<'_>, id: &str, last: &Need, existing: usize) -> Result<(), Finding> {
    let needs_it = |needs: &Vec<Need>| needs.iter().any(|need| need.id == id);
    let parts = unroll.parts[..existing].iter_mut().map(|part| &mut part.needs);
    let waiting: Vec<_> = parts.chain(unroll.dropped.values_mut()).filter(|needs| needs_it(needs)).collect();
    let count = waiting.len();
    waiting.into_iter().for_each(|needs| needs.push(last.clone()));
    unroll.need(count, &last.at)
}

/// Adds steps that follow each other. Returns the position of the first and the id of the last.
fn chain(
    unroll: &mut Unroll<'_>,
    steps: &[StepTemplate],
    target: usize,
    side: i64,
    cx: &Context,
) -> Result<(Option<usize>, Option<Need>), Finding> {
    let (mut first, mut last) = (None, None::<Need>);
    let count = steps.len() as i64;
    for (at, step) in (0i64..).zip(steps) {
        let position = unroll.parts.len();
        unroll.namespace(std::slice::from_ref(step), "", cx)?;
        let Some(part) = unroll.parts.get(position) else { continue };
        let need = Need { id: main_id(unroll, position, &part.step.id), at: step.id.at.clone() };
        let (base, own) = unroll.parts[target].order;
        let order = (base, own + if side < 0 { at - count } else { at + 1 });
        for part in &mut unroll.parts[position..] {
            (part.order, part.is_added) = (order, true);
        }
        let main = unroll.index.get(&need.id).copied().unwrap_or(position);
        match last.replace(need) {
            Some(before) => unroll.parts[position].needs.push(before),
            None => first = Some(position),
        }
        debug_assert!(main >= position);
    }
    Ok((first, last))
}

/// Returns the id of the step that was added first, or of the group behind its gate.
fn main_id(unroll: &Unroll<'_>, position: usize, id: &str) -> String {
    match id.strip_suffix(".gate").filter(|group| unroll.index.get(*group) == Some(&(position + 1))) {
        Some(group) => group.to_owned(),
        None => id.to_owned(),
    }
}
