//! From steps as written to parts with unique ids: conditions, loops, children and expansions.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::fill::{self, acceptance, leaf};
use super::library::Resolved;
use super::source::{At, Finding, Text};
use super::step::{Step, StepKind, Until};
use super::syntax::{ExpandTemplate, Formula, FormulaKind, LoopTemplate, RoundsTemplate, StepTemplate};
use super::text::{Scope, Value};
use super::{DEPTH_LIMIT, EDGE_LIMIT, PLANNED_ID_LIMIT, ROUND_LIMIT, STEP_LIMIT, VISIT_LIMIT, glob, sum};

/// Id as a rule or step names it, with its place.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub id: String,
    pub at: At,
}

/// A planned step whose needs are not complete yet.
#[derive(Debug)]
pub(super) struct Part {
    pub step: Step,
    pub at: At,
    pub needs: Vec<Need>,
    /// Position of the group that it is in.
    pub parent: Option<usize>,
    /// Place in the order: that of the written step, and how far before or after it an aspect put it.
    pub order: (usize, i64),
    /// Whether an aspect added it.
    pub is_added: bool,
}

/// Surroundings of a list of steps.
#[derive(Clone)]
pub(super) struct Context {
    pub scope: Scope,
    /// Planned ids by ids as written, of the namespaces around. The innermost comes last.
    pub names: Vec<Rc<HashMap<String, String>>>,
    pub parent: Option<usize>,
    pub depth: usize,
}

impl Context {
    fn inside(&self, parent: usize) -> Self {
        Self { parent: Some(parent), depth: self.depth + 1, ..self.clone() }
    }

    /// Returns the planned id of a step of the innermost namespace.
    fn id(&self, written: &Text) -> String {
        let names = self.names.last().and_then(|names| names.get(&written.value));
        names.cloned().unwrap_or_else(|| written.value.clone())
    }
}

pub(super) struct Unroll<'r> {
    pub resolved: &'r Resolved,
    /// Whether conditions count, or every step is planned.
    pub keeps_all: bool,
    pub parts: Vec<Part>,
    pub index: HashMap<String, usize>,
    /// Needs of the steps that a condition dropped.
    pub dropped: HashMap<String, Vec<Need>>,
    /// Names of the expansions that are being done.
    stack: Vec<String>,
    /// Positions of the rules of `compose.expand` that matched a step.
    pub matched: Vec<bool>,
    visits: usize,
    edges: usize,
}

impl<'r> Unroll<'r> {
    pub fn new(resolved: &'r Resolved, keeps_all: bool) -> Self {
        Self {
            resolved,
            keeps_all,
            parts: Vec::new(),
            index: HashMap::new(),
            dropped: HashMap::new(),
            stack: Vec::new(),
            matched: vec![false; resolved.formula.expansions.len()],
            visits: 0,
            edges: 0,
        }
    }

    /// Plans a list of steps in a namespace of its own. `prefix` comes before their ids.
    pub fn namespace(&mut self, steps: &[StepTemplate], prefix: &str, cx: &Context) -> Result<(), Finding> {
        let mut names = HashMap::new();
        name_all(steps, prefix, &cx.scope, &mut names);
        let mut cx = cx.clone();
        cx.names.push(Rc::new(names));
        self.list(steps, &cx)
    }

    pub fn list(&mut self, steps: &[StepTemplate], cx: &Context) -> Result<(), Finding> {
        steps.iter().try_for_each(|step| self.step(step, cx))
    }

    fn step(&mut self, step: &StepTemplate, cx: &Context) -> Result<(), Finding> {
        self.visit(&step.id.at, cx.depth)?;
        let id = cx.id(&step.id);
        let needs = needs(step, cx)?;
        if self.is_off(step, &cx.scope) {
            self.drop_step(step, &id, needs, cx);
            return Ok(());
        }
        match &step.repeat {
            Some(repeat) => self.repeat(step, repeat, &id, needs, cx),
            None => self.once(step, id, needs, None, cx),
        }
    }

    fn visit(&mut self, at: &At, depth: usize) -> Result<(), Finding> {
        self.visits += 1;
        if self.visits > VISIT_LIMIT || self.parts.len() >= STEP_LIMIT {
            return Err(at.error(format!("the plan has more than {STEP_LIMIT} steps")));
        }
        if depth > DEPTH_LIMIT {
            return Err(at.error(format!("the plan is more than {DEPTH_LIMIT} levels deep")));
        }
        Ok(())
    }

    /// Returns whether an overlay skips the step, or its condition is false. A condition on the item of a round counts in the rounds.
    fn is_off(&self, step: &StepTemplate, scope: &Scope) -> bool {
        if step.is_skipped || self.keeps_all {
            return step.is_skipped;
        }
        let Some(condition) = &step.when else { return false };
        let is_for_rounds = condition.tests().any(|test| scope.var(&test.var).is_none());
        !is_for_rounds && !condition.holds(scope)
    }

    /// Counts needs. Fails if all together are too many.
    pub fn need(&mut self, count: usize, at: &At) -> Result<(), Finding> {
        self.edges += count;
        if self.edges > EDGE_LIMIT {
            return Err(at.error(format!("the steps of the plan need each other more than {EDGE_LIMIT} times")));
        }
        Ok(())
    }

    fn drop_step(&mut self, step: &StepTemplate, id: &str, needs: Vec<Need>, cx: &Context) {
        for child in step.children() {
            let parent = Need { id: id.to_owned(), at: step.id.at.clone() };
            self.drop_step(child, &cx.id(&child.id), vec![parent], cx);
        }
        self.dropped.insert(id.to_owned(), needs);
    }

    /// Plans a step that is not repeated, or one round of it.
    fn once(
        &mut self,
        step: &StepTemplate,
        id: String,
        needs: Vec<Need>,
        round: Option<u32>,
        cx: &Context,
    ) -> Result<(), Finding> {
        if let Some(children) = &step.children {
            let group = self.group(step, id.clone(), needs, round, cx)?;
            let inside = cx.inside(group);
            return match round {
                Some(_) => self.namespace(children, &format!("{id}."), &inside),
                None => self.list(children, &inside),
            };
        }
        match self.expansion(step, &id) {
            Some(expand) => {
                let group = self.group(step, id, needs, round, cx)?;
                self.expand(&expand, group, cx)
            }
            None => {
                let mut planned = leaf(step, id, &cx.scope)?;
                planned.round = round;
                self.add(planned, needs, &step.id.at, cx)?;
                Ok(())
            }
        }
    }

    /// Returns the expansion of a step: its own, or that of a rule.
    fn expansion(&mut self, step: &StepTemplate, id: &str) -> Option<ExpandTemplate> {
        let rules = &self.resolved.formula.expansions;
        let rule =
            rules.iter().position(|rule| glob::matches(&rule.target.value, id)).filter(|_| self.stack.is_empty());
        if let Some(rule) = rule {
            self.matched[rule] = true;
        }
        step.expand.clone().or_else(|| rule.map(|rule| rules[rule].expand.clone()))
    }

    /// Adds the group of a step with parts, and before it the step for its gate.
    fn group(
        &mut self,
        step: &StepTemplate,
        id: String,
        needs: Vec<Need>,
        round: Option<u32>,
        cx: &Context,
    ) -> Result<usize, Finding> {
        let mut group = fill::group(step, id, &cx.scope)?;
        group.round = round;
        let Some(gate) = group.gate.take() else { return self.add(group, needs, &step.id.at, cx) };
        let gate_id = format!("{}.gate", group.id);
        let title = group.title.clone();
        let gate = Step { id: gate_id.clone(), title, gate: Some(gate), kind: StepKind::Gate, ..Step::default() };
        self.add(gate, needs, &step.id.at, cx)?;
        self.add(group, vec![Need { id: gate_id, at: step.id.at.clone() }], &step.id.at, cx)
    }

    pub fn add(&mut self, step: Step, needs: Vec<Need>, at: &At, cx: &Context) -> Result<usize, Finding> {
        self.visit(at, cx.depth)?;
        if step.id.len() > PLANNED_ID_LIMIT {
            return Err(at.error(format!("the planned id is longer than {PLANNED_ID_LIMIT} bytes")));
        }
        self.need(needs.len(), at)?;
        let position = self.parts.len();
        if self.index.insert(step.id.clone(), position).is_some() || self.dropped.contains_key(&step.id) {
            return Err(at.error(format!("two planned steps are called `{}`", step.id)));
        }
        let parent = cx.parent;
        self.parts.push(Part { step, at: at.clone(), needs, parent, order: (position, 0), is_added: false });
        Ok(position)
    }

    fn repeat(
        &mut self,
        step: &StepTemplate,
        repeat: &LoopTemplate,
        id: &str,
        needs: Vec<Need>,
        cx: &Context,
    ) -> Result<(), Finding> {
        let rounds = rounds(repeat, &cx.scope)?;
        let mut group = fill::loop_group(step, id.to_owned(), &cx.scope)?;
        if let RoundsTemplate::Until { check, max } = &repeat.rounds {
            group.until = Some(Until { check: acceptance(check, &cx.scope)?, max: *max });
        }
        let group = self.add(group, needs, &step.id.at, cx)?;
        let mut before: Option<Need> = None;
        for (at, item) in rounds.into_iter().enumerate() {
            let mut inside = cx.inside(group);
            inside.scope = round_scope(&cx.scope, repeat, at + 1, item);
            if self.is_off(step, &inside.scope) {
                continue;
            }
            let id = format!("{id}.{}", at + 1);
            let needs = if step.parallel == Some(true) { None } else { before.take() };
            before = Some(Need { id: id.clone(), at: step.id.at.clone() });
            self.once(step, id, needs.into_iter().collect(), Some(at as u32 + 1), &inside)?;
        }
        Ok(())
    }

    /// Plans the template of an expansion as the parts of a group.
    fn expand(&mut self, expand: &ExpandTemplate, group: usize, cx: &Context) -> Result<(), Finding> {
        let name = &expand.formula;
        if self.stack.contains(&name.value) {
            let way =
                self.stack.iter().map(String::as_str).chain([name.value.as_str()]).collect::<Vec<_>>().join(" -> ");
            return Err(name.at.error(format!("expansions contain each other: {way}")));
        }
        let resolved = self.resolved;
        let formula = resolved.used.get(&name.value).filter(|formula| formula.kind == FormulaKind::Expansion);
        let Some(formula) = formula else {
            let known = resolved.used.values().filter(|formula| formula.kind == FormulaKind::Expansion);
            let error = name.at.error(format!("no formula of type expansion is called `{}`", name.value));
            return Err(error.nearest(&name.value, known.map(|formula| formula.name.as_str())));
        };
        let target = &self.parts[group].step;
        let scope = cx
            .scope
            .of(expansion_vars(expand, formula, &cx.scope)?)
            .giving("target", target.id.as_str())
            .giving("target.id", target.id.as_str())
            .giving("target.title", target.title.as_str())
            .giving("target.description", target.description.as_str());
        let prefix = format!("{}.", target.id);
        self.stack.push(name.value.clone());
        let inside = Context { scope, names: Vec::new(), parent: Some(group), depth: cx.depth + 1 };
        self.namespace(&formula.steps, &prefix, &inside)?;
        self.stack.pop();
        Ok(())
    }
}

/// Fills `names` with the planned ids of steps and their parts, except for parts in rounds.
fn name_all(steps: &[StepTemplate], prefix: &str, scope: &Scope, names: &mut HashMap<String, String>) {
    for step in steps {
        let filled = scope.fill(&step.id).unwrap_or_default();
        let id = if filled == step.id.value { format!("{prefix}{filled}") } else { filled };
        names.insert(step.id.value.clone(), id);
        if step.repeat.is_none() {
            name_all(step.children(), prefix, scope, names);
        }
    }
}

/// Returns the planned ids that a step needs. An id that is no written one may be that of a part: the plan checks it.
fn needs(step: &StepTemplate, cx: &Context) -> Result<Vec<Need>, Finding> {
    let planned = |need: &Text| {
        let id = cx.names.iter().rev().find_map(|names| names.get(&need.value)).cloned();
        let id = id.map_or_else(|| cx.scope.fill(need), Ok)?;
        Ok(Need { id, at: need.at.clone() })
    };
    step.needs().iter().map(planned).collect()
}

/// Returns the items of the rounds of a loop.
fn rounds(repeat: &LoopTemplate, scope: &Scope) -> Result<Vec<Option<String>>, Finding> {
    let items = match &repeat.rounds {
        RoundsTemplate::Count(text) => {
            let count = number(&scope.fill(text)?, text)?;
            vec![
                None;
                usize::try_from(count).ok().filter(|count| *count <= ROUND_LIMIT).ok_or_else(|| too_many(&text.at))?
            ]
        }
        RoundsTemplate::Range(text) => range(text, scope)?,
        RoundsTemplate::Items(items) => {
            items.iter().map(|item| scope.fill(item).map(Some)).collect::<Result<_, _>>()?
        }
        RoundsTemplate::Over(name) => match scope.vars.get(&name.value).and_then(|value| value.items.as_ref()) {
            Some(items) => items.iter().cloned().map(Some).collect(),
            None => return Err(name.at.error(format!("`{}` is not a list", name.value))),
        },
        RoundsTemplate::Until { max, .. } => vec![None; *max as usize],
    };
    if items.len() > ROUND_LIMIT { Err(too_many(&repeat.at)) } else { Ok(items) }
}

fn too_many(at: &At) -> Finding {
    at.error(format!("a loop has 0 to {ROUND_LIMIT} rounds"))
}

fn number(filled: &str, text: &Text) -> Result<i64, Finding> {
    sum::evaluate(filled).ok_or_else(|| {
        text.at
            .error(format!("`{}` is no number", crate::foreign::cut(filled, 60)))
            .hint("a sum has whole numbers, `+ - * / ^` and parentheses")
    })
}

/// Returns the numbers of `a..b`. Beads writes variables in single braces there.
fn range(text: &Text, scope: &Scope) -> Result<Vec<Option<String>>, Finding> {
    let vars = scope.vars.iter().fold(scope.clone(), |scope, (name, value)| scope.giving(name, value.text.as_str()));
    let filled = vars.fill(text)?;
    let Some((first, last)) = filled.split_once("..") else { return Err(text.at.error("a range is `a..b`")) };
    let (first, last) = (number(first, text)?, number(last, text)?);
    let count = last.checked_sub(first).and_then(|count| usize::try_from(count.checked_add(1)?.max(0)).ok());
    if count.is_none_or(|count| count > ROUND_LIMIT) {
        return Err(too_many(&text.at));
    }
    Ok((first..=last).map(|number| Some(number.to_string())).collect())
}

fn round_scope(scope: &Scope, repeat: &LoopTemplate, index: usize, item: Option<String>) -> Scope {
    let item = item.unwrap_or_else(|| index.to_string());
    let scope = scope.with("index", index.to_string()).with("item", item.as_str());
    match &repeat.var {
        Some(name) => scope.giving(name, item),
        None => scope,
    }
}

fn expansion_vars(
    expand: &ExpandTemplate,
    formula: &Formula,
    scope: &Scope,
) -> Result<BTreeMap<String, Value>, Finding> {
    let mut given = BTreeMap::new();
    for (name, value) in &expand.vars {
        if !formula.vars.contains_key(&name.value) {
            let error = name.at.error(format!("formula {} has no variable `{}`", formula.name, name.value));
            return Err(error.nearest(&name.value, formula.vars.keys().map(String::as_str)));
        }
        given.insert(name.value.as_str(), (scope.fill(value)?, &value.at));
    }
    let value = |(name, var): (&String, &super::vars::Var)| {
        let own = given.get(name.as_str());
        let value = var.value(own.map(|(text, _)| text.as_str()));
        let at = own.map_or(&expand.formula.at, |(_, at)| *at);
        value.map(|value| (name.clone(), value)).map_err(|why| at.error(format!("variable `{name}` {why}")))
    };
    formula.vars.iter().map(value).collect()
}
