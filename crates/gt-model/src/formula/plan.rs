//! From a resolved formula and values to a plan.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use super::library::Resolved;
use super::source::{Finding, Findings, FormulaError, Text};
use super::step::{Acceptance, Plan, Product, StepKind};
use super::syntax::{Formula, FormulaKind, Output, StepTemplate};
use super::text::{Scope, Value};
use super::unroll::{Context, Need, Part, Unroll};
use super::{EDGE_LIMIT, TEXT_LIMIT, aspects};

impl Resolved {
    /// Plans the formula with values for its variables. The same formula and values always give the same plan.
    ///
    /// Fails if a value is missing, unknown or of another kind, or if the plan has a cycle or exceeds a limit.
    pub fn plan(&self, given: &BTreeMap<String, String>) -> Result<Plan, FormulaError> {
        let values = values(&self.formula, given)?;
        Ok(self.plan_with(values, false)?)
    }

    /// Returns values that the variables may have: their defaults where they have some.
    pub fn sample(&self) -> BTreeMap<String, String> {
        let samples = self.formula.vars.iter();
        samples.map(|(name, var)| (name.clone(), var.sample_text())).collect()
    }

    /// Plans all steps, whatever their conditions say, with values that the variables may have.
    pub(super) fn plan_sample(&self) -> Result<(), Finding> {
        if !matches!(self.formula.kind, FormulaKind::Workflow | FormulaKind::Convoy) {
            return Ok(());
        }
        let samples = self.formula.vars.iter().map(|(name, var)| (name.clone(), var.sample()));
        self.plan_with(samples.collect(), true).map(drop)
    }

    fn plan_with(&self, values: BTreeMap<String, Value>, keeps_all: bool) -> Result<Plan, Finding> {
        let formula = &self.formula;
        let vars = values.iter().map(|(name, value)| (name.clone(), value.text.clone())).collect();
        let scope = Scope::new(values);
        let product = product(formula, &scope)?;
        let mut unroll = Unroll::new(self, keeps_all);
        match formula.kind {
            FormulaKind::Workflow => workflow(&mut unroll, &scope)?,
            FormulaKind::Convoy => convoy(&mut unroll, &scope)?,
            FormulaKind::Expansion | FormulaKind::Aspect => {
                let error = formula.at.error("this formula can't be poured: it changes other formulas");
                return Err(error.hint("name it in `expand` or `aspects` of a workflow"));
            }
        }
        let parts = finish(unroll)?;
        let steps = ordered(parts)?.into_iter().map(|part| part.step).collect();
        let durable = formula.durable.unwrap_or(true);
        Ok(Plan { formula: formula.name.clone(), kind: formula.kind, durable, product, vars, steps })
    }
}

/// Returns the values of a formula's variables from what is given and the defaults.
pub(super) fn values(
    formula: &Formula,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, FormulaError> {
    let mut findings = Findings::default();
    for name in given.keys().filter(|name| !formula.vars.contains_key(*name)) {
        let error = formula.at.error(format!("formula {} has no variable `{name}`", formula.name));
        findings.push(error.nearest(name, formula.vars.keys().map(String::as_str)));
    }
    let mut values = BTreeMap::new();
    for (name, var) in &formula.vars {
        match var.value(given.get(name).map(String::as_str)) {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(why) => findings.push(var.at.error(format!("variable `{name}` {why}"))),
        }
    }
    findings.or(values).map(|(values, _)| values)
}

fn product(formula: &Formula, scope: &Scope) -> Result<Product, Finding> {
    Ok(match &formula.output {
        Some(Output::Report) => Product::Report,
        Some(Output::Files { directory: Some(directory), .. }) => Product::Files(scope.fill(directory)?),
        Some(Output::Code | Output::Files { .. }) | None => Product::Code,
    })
}

fn workflow(unroll: &mut Unroll<'_>, scope: &Scope) -> Result<(), Finding> {
    let resolved = unroll.resolved;
    let cx = Context { scope: scope.clone(), names: Vec::new(), parent: None, depth: 0 };
    unroll.namespace(&resolved.formula.steps, "", &cx)?;
    for (rule, matched) in resolved.formula.expansions.iter().zip(&unroll.matched) {
        if !matched && unroll.dropped.is_empty() {
            let error = rule.target.at.error(format!("no step matches `{}`", rule.target.value));
            return Err(error.nearest(&rule.target.value, unroll.index.keys().map(String::as_str)));
        }
    }
    aspects::apply(unroll, scope)
}

fn convoy(unroll: &mut Unroll<'_>, scope: &Scope) -> Result<(), Finding> {
    let formula = &unroll.resolved.formula;
    let names = formula.legs.iter().map(|leg| (leg.id.value.clone(), leg.id.value.clone())).collect();
    let names = vec![std::rc::Rc::new(names)];
    for leg in &formula.legs {
        let scope = leg_scope(formula, leg, scope)?;
        let cx = Context { scope, names: names.clone(), parent: None, depth: 0 };
        unroll.list(std::slice::from_ref(&with_base(formula, leg)), &cx)?;
    }
    let Some(synthesis) = &formula.synthesis else { return Ok(()) };
    let mut synthesis = synthesis.clone();
    let all = || formula.legs.iter().map(|leg| leg.id.clone()).collect();
    synthesis.needs.get_or_insert_with(all);
    let file = match &formula.output {
        Some(Output::Files { synthesis, .. }) => synthesis.as_ref(),
        _ => None,
    };
    let scope = output_scope(formula, file, scope)?;
    unroll.list(&[synthesis], &Context { scope, names, parent: None, depth: 0 })
}

/// Returns a leg with the common text before its description.
fn with_base(formula: &Formula, leg: &StepTemplate) -> StepTemplate {
    let Some(base) = &formula.base else { return leg.clone() };
    let own = leg.description.as_ref().map_or("", |text| text.value.as_str());
    let description = Text { value: format!("{}\n\n{own}", base.value.trim_end()), at: base.at.clone() };
    StepTemplate { description: Some(description), ..leg.clone() }
}

fn leg_scope(formula: &Formula, leg: &StepTemplate, scope: &Scope) -> Result<Scope, Finding> {
    let scope = scope.with("leg.id", leg.id.value.as_str());
    let filled = |text: &Option<Text>| text.as_ref().map_or(Ok(String::new()), |text| scope.fill(text));
    let (focus, file) = (filled(&leg.focus)?, leg_file(formula));
    let scope = scope.with("leg.focus", focus);
    let scope = output_scope(formula, file, &scope)?;
    let title = leg.title.as_ref().map_or(Ok(String::new()), |title| scope.with("leg.title", "").fill(title))?;
    Ok(scope.with("leg.title", title))
}

fn leg_file(formula: &Formula) -> Option<&Text> {
    match &formula.output {
        Some(Output::Files { leg_pattern, .. }) => leg_pattern.as_ref(),
        _ => None,
    }
}

fn output_scope(formula: &Formula, file: Option<&Text>, scope: &Scope) -> Result<Scope, Finding> {
    let directory = match &formula.output {
        Some(Output::Files { directory: Some(directory), .. }) => scope.fill(directory)?,
        _ => String::new(),
    };
    let file = file.map_or(Ok(String::new()), |file| scope.fill(file))?;
    Ok(scope.with("output.directory", directory).with("output.file", file))
}

/// Completes the needs of all parts, and gives the checks of groups to their last parts.
fn finish(unroll: Unroll<'_>) -> Result<Vec<Part>, Finding> {
    let Unroll { mut parts, index, dropped, .. } = unroll;
    let mut edges = 0;
    for at in 0..parts.len() {
        let (needs, seen) = without_dropped(&parts[at].needs, &dropped);
        parts[at].needs = needs;
        inherit(&mut parts, at, &index);
        check_needs(&parts[at], &index)?;
        edges += parts[at].needs.len() + seen + 1;
        if edges > EDGE_LIMIT {
            let message = format!("the steps of the plan need each other more than {EDGE_LIMIT} times");
            return Err(parts[at].at.error(message));
        }
    }
    move_checks(&mut parts)?;
    for at in 0..parts.len() {
        if let Some(parent) = parts[at].parent {
            parts[at].step.parent = Some(parts[parent].step.id.clone());
            let need = Need { id: parts[at].step.id.clone(), at: parts[at].at.clone() };
            parts[parent].needs.push(need);
        }
    }
    Ok(parts)
}

/// Replaces each need of a dropped step by what that step needed. Also returns how many needs it followed.
fn without_dropped(needs: &[Need], dropped: &HashMap<String, Vec<Need>>) -> (Vec<Need>, usize) {
    if needs.iter().all(|need| !dropped.contains_key(&need.id)) {
        return (needs.to_vec(), 0);
    }
    let (mut kept, mut seen) = (Vec::new(), HashSet::new());
    let mut left: Vec<&Need> = needs.iter().rev().collect();
    while let Some(need) = left.pop() {
        if !seen.insert(need.id.as_str()) {
            continue;
        }
        match dropped.get(&need.id) {
            Some(instead) => left.extend(instead.iter().rev()),
            None => kept.push(need.clone()),
        }
    }
    (kept, seen.len())
}

/// A part that needs no other part of its group needs what the group needs. Agent and model come from the group too.
fn inherit(parts: &mut [Part], at: usize, index: &HashMap<String, usize>) {
    let Some(parent) = parts[at].parent else { return };
    let is_first =
        !parts[at].needs.iter().any(|need| index.get(&need.id).is_some_and(|other| is_in(parts, *other, parent)));
    let needs = if is_first { parts[parent].needs.clone() } else { Vec::new() };
    let (agent, model) = (parts[parent].step.agent.clone(), parts[parent].step.model.clone());
    let part = &mut parts[at];
    part.needs.extend(needs);
    part.step.agent = part.step.agent.take().or(agent);
    part.step.model = part.step.model.take().or(model);
}

/// Returns whether a part is inside of a group, at any depth.
fn is_in(parts: &[Part], mut at: usize, group: usize) -> bool {
    while let Some(parent) = parts[at].parent {
        if parent == group {
            return true;
        }
        at = parent;
    }
    false
}

fn check_needs(part: &Part, index: &HashMap<String, usize>) -> Result<(), Finding> {
    match part.needs.iter().find(|need| !index.contains_key(&need.id)) {
        Some(need) => {
            let error = need.at.error(format!("step `{}` needs `{}`, which is no step", part.step.id, need.id));
            Err(error.nearest(&need.id, index.keys().map(String::as_str).collect::<BTreeSet<_>>()))
        }
        None => Ok(()),
    }
}

/// Gives the checks of groups to those of their parts that no other part needs.
fn move_checks(parts: &mut [Part]) -> Result<(), Finding> {
    let has_checks = |part: &Part| part.step.kind == StepKind::Group && !part.step.acceptance.is_empty();
    if !parts.iter().any(has_checks) {
        return Ok(());
    }
    let mut last: HashMap<usize, Vec<usize>> = HashMap::new();
    let needed: HashSet<(Option<usize>, &str)> =
        parts.iter().flat_map(|part| part.needs.iter().map(|need| (part.parent, need.id.as_str()))).collect();
    for (at, part) in parts.iter().enumerate() {
        if let Some(parent) = part.parent.filter(|_| !needed.contains(&(part.parent, &part.step.id))) {
            last.entry(parent).or_default().push(at);
        }
    }
    let mut moved = 0;
    for group in 0..parts.len() {
        if !has_checks(&parts[group]) {
            continue;
        }
        let checks = std::mem::take(&mut parts[group].step.acceptance);
        let takers = last.get(&group).map_or(&[][..], Vec::as_slice);
        moved += takers.len() * checks.iter().map(check_size).sum::<usize>();
        if takers.is_empty() || moved > TEXT_LIMIT {
            let why = if takers.is_empty() { "no part that runs them" } else { "too many parts that run them" };
            return Err(parts[group].at.error(format!("step `{}` has checks, but {why}", parts[group].step.id)));
        }
        takers.iter().for_each(|at| parts[*at].step.acceptance.extend(checks.iter().cloned()));
    }
    Ok(())
}

/// Returns about how many bytes a check takes.
fn check_size(check: &Acceptance) -> usize {
    match check {
        Acceptance::Act(_) => 32,
        Acceptance::Command(argv) => 32 + argv.iter().map(|word| 32 + word.len()).sum::<usize>(),
    }
}

/// Sorts the parts so that each comes after those that it needs, as close to the written order as possible.
fn ordered(mut parts: Vec<Part>) -> Result<Vec<Part>, Finding> {
    let mut by_order: Vec<usize> = (0..parts.len()).collect();
    by_order.sort_by_key(|at| (parts[*at].order, *at));
    let rank: HashMap<usize, usize> = by_order.iter().enumerate().map(|(rank, at)| (*at, rank)).collect();
    let index: HashMap<&str, usize> = parts.iter().enumerate().map(|(at, part)| (part.step.id.as_str(), at)).collect();
    let needs: Vec<Vec<usize>> = parts
        .iter()
        .map(|part| {
            part.needs.iter().map(|need| index[need.id.as_str()]).collect::<BTreeSet<_>>().into_iter().collect()
        })
        .collect();
    let order = topological(&needs, &by_order, &rank).map_err(|left| cycle(&parts, &needs, &left))?;
    for (at, needs) in needs.iter().enumerate() {
        let mut needs = needs.clone();
        needs.sort_by_key(|need| rank[need]);
        parts[at].step.needs = needs.into_iter().map(|need| parts[need].step.id.clone()).collect();
    }
    let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|at| parts[at].take()).collect())
}

/// Returns an order in which each position comes after those that it needs, or the positions that are in cycles or after them.
fn topological(
    needs: &[Vec<usize>],
    by_order: &[usize],
    rank: &HashMap<usize, usize>,
) -> Result<Vec<usize>, Vec<usize>> {
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (at, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|need| dependants[*need].push(at));
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        by_order.iter().filter(|at| open[**at] == 0).map(|at| Reverse(rank[at])).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(next)) = ready.pop() {
        let at = by_order[next];
        order.push(at);
        for dependant in &dependants[at] {
            open[*dependant] -= 1;
            if open[*dependant] == 0 {
                ready.push(Reverse(rank[dependant]));
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err((0..needs.len()).filter(|at| open[*at] > 0).collect()) }
}

/// Returns the error about a cycle among the parts that are left.
fn cycle(parts: &[Part], needs: &[Vec<usize>], left: &[usize]) -> Finding {
    let left: BTreeSet<usize> = left.iter().copied().collect();
    let mut way: Vec<usize> = left.first().copied().into_iter().collect();
    let mut at = way[0];
    let start = loop {
        at = needs[at].iter().copied().find(|need| left.contains(need)).unwrap_or(at);
        match way.iter().position(|known| *known == at) {
            Some(start) => break start,
            None => way.push(at),
        }
    };
    let ids = way[start..].iter().chain([&way[start]]).map(|at| parts[*at].step.id.as_str()).collect::<Vec<_>>();
    let first = &parts[way[start]];
    let at = first.needs.first().map_or(&first.at, |need| &need.at);
    at.error(format!("steps wait for each other: {}", ids.join(" -> ")))
}
