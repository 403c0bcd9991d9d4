//! Checks of a formula that need no values.

use std::collections::{BTreeMap, BTreeSet};

use super::RULE_LIMIT;
use super::condition::{Condition, Is};
use super::library::{Resolved, references};
use super::source::{At, Finding, Findings, Text};
use super::syntax::{
    AspectRule, CheckTemplate, Formula, FormulaKind, LoopTemplate, Output, RoundsTemplate, RunTemplate, StepTemplate,
};
use super::text::{Piece, env_name, pieces, undeclared};
use super::vars::{Var, VarKind};

/// Names that texts of legs may use.
const LEG_NAMES: &[&str] = &["leg.id", "leg.title", "leg.focus", "output.directory", "output.file"];

/// Names that texts of rounds may use.
const ROUND_NAMES: &[&str] = &["item", "index"];

/// Checks a formula and those whose steps it uses.
pub(super) fn statics(resolved: &Resolved) -> Vec<Finding> {
    let mut check =
        Check { resolved, formula: &resolved.formula, used: BTreeSet::new(), findings: Findings::default() };
    check.formula();
    let mut findings = check.findings;
    let parts = resolved.used.values().filter(|formula| formula.name != resolved.formula.name);
    for part in parts.filter(|part| matches!(part.kind, FormulaKind::Expansion | FormulaKind::Aspect)) {
        let mut check = Check { resolved, formula: part, used: BTreeSet::new(), findings: Findings::default() };
        check.formula();
        findings.append(check.findings.sorted());
    }
    findings.sorted()
}

/// Checks a formula without those that it refers to.
pub(super) fn alone(formula: &Formula) -> Vec<Finding> {
    statics(&Resolved::alone(formula))
}

/// Returns the names of variables that a formula declares and does not use.
pub(super) fn unused(formula: &Formula) -> BTreeSet<String> {
    let resolved = Resolved::alone(formula);
    let mut check = Check { resolved: &resolved, formula, used: BTreeSet::new(), findings: Findings::default() };
    check.formula();
    formula.vars.keys().filter(|name| !check.used.contains(*name)).cloned().collect()
}

struct Check<'f> {
    resolved: &'f Resolved,
    formula: &'f Formula,
    used: BTreeSet<String>,
    findings: Findings,
}

impl<'f> Check<'f> {
    fn formula(&mut self) {
        let formula = self.formula;
        self.references();
        self.rules();
        self.environment();
        self.list(&formula.steps, &[], &mut Vec::new());
        self.list(&formula.legs, LEG_NAMES, &mut Vec::new());
        if let Some(synthesis) = &formula.synthesis {
            self.synthesis(synthesis);
        }
        for rule in &formula.aspects {
            self.rule(rule);
        }
        for rule in &formula.expansions {
            let see = &mut |text: &'f Text| self.text(text, &[]);
            rule.expand.vars.iter().for_each(|(_, value)| see(value));
        }
        self.shared_texts();
        self.unused();
    }

    fn shared_texts(&mut self) {
        if let Some(base) = &self.formula.base {
            self.text(base, LEG_NAMES);
        }
        if let Some(Output::Files { directory, leg_pattern, synthesis }) = &self.formula.output {
            for text in [directory, leg_pattern, synthesis].into_iter().flatten() {
                self.text(text, &["leg.id"]);
            }
        }
    }

    fn error(&mut self, at: &At, message: String) {
        self.findings.push(at.error(message));
    }

    fn references(&mut self) {
        for name in references(self.formula) {
            if self.resolved.absent.contains(&name.value) {
                let known = self.resolved.used.keys().map(String::as_str);
                let error = name.at.error(format!("no formula is called `{}`", name.value));
                self.findings.push(error.nearest(&name.value, known));
            }
        }
    }

    fn rules(&mut self) {
        let count = self.formula.aspects.len().max(self.formula.expansions.len());
        if count > RULE_LIMIT {
            self.error(&self.formula.at, format!("with what it extends, the formula has more than {RULE_LIMIT} rules"));
        }
    }

    /// Two variables must not have the same name in the environment.
    fn environment(&mut self) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, var) in &self.formula.vars {
            if let Some(other) = seen.insert(env_name(name), name) {
                self.error(&var.at, format!("`{name}` and `{other}` are both {} in the environment", env_name(name)));
            }
        }
    }

    fn synthesis(&mut self, step: &'f StepTemplate) {
        let ids: BTreeSet<&str> = self.formula.legs.iter().map(|leg| leg.id.value.as_str()).collect();
        self.needs(step, &[ids]);
        step.texts(&mut |text| self.text(text, &["output.directory", "output.file"]));
    }

    fn rule(&mut self, rule: &'f AspectRule) {
        let mut ids = Vec::new();
        rule.before.iter().chain(&rule.after).for_each(|step| ids.push(step));
        self.unique(&ids);
        for step in ids {
            // Needs of an aspect's steps are ids of the formula that it is applied to: the plan checks them.
            self.texts(step, &[]);
            self.list(
                step.children(),
                &[],
                &mut vec![BTreeSet::from_iter(step.needs().iter().map(|n| n.value.as_str()))],
            );
        }
    }

    /// Checks steps whose ids are in one namespace. `outer` has the ids of the namespaces around.
    fn list(&mut self, steps: &'f [StepTemplate], names: &[&str], outer: &mut Vec<BTreeSet<&'f str>>) {
        let mut all = Vec::new();
        flatten(steps, &mut all);
        self.unique(&all);
        outer.push(all.iter().map(|step| step.id.value.as_str()).collect());
        for step in all {
            self.needs(step, outer);
            self.texts(step, names);
            if step.repeat.is_some() {
                let inside = [names, ROUND_NAMES].concat();
                self.list(step.children(), &inside, outer);
            }
        }
        outer.pop();
    }

    fn unique(&mut self, steps: &[&StepTemplate]) {
        let mut seen = BTreeSet::new();
        for step in steps {
            if !seen.insert(step.id.value.as_str()) {
                self.error(&step.id.at, format!("two steps are called `{}`", step.id.value));
            }
        }
    }

    fn needs(&mut self, step: &StepTemplate, outer: &[BTreeSet<&str>]) {
        for need in step.needs() {
            if self.findings.is_full() {
                return;
            }
            let id = need.value.as_str();
            if !outer.iter().any(|ids| ids.contains(id)) && !is_composed(id, outer) {
                let error = need.at.error(format!("step `{}` needs `{id}`, which is no step", step.id.value));
                self.findings.push(error.nearest(id, outer.iter().flatten().copied()));
            }
        }
    }

    fn texts(&mut self, step: &'f StepTemplate, names: &[&str]) {
        let inside = if step.repeat.is_some() { [names, ROUND_NAMES].concat() } else { names.to_vec() };
        step.texts(&mut |text| self.text(text, &inside));
        if let Some(condition) = &step.when {
            self.condition(condition, &inside);
        }
        if let Some(repeat) = &step.repeat {
            self.repeat(repeat, names, step.children.is_some());
        }
        if let Some(RunTemplate::Script(script)) = &step.run {
            let vars = self.formula.vars.keys().filter(|name| script.value.contains(&env_name(name)));
            self.used.extend(vars.cloned());
        }
        if let Some(on_complete) = &step.on_complete {
            for (_, value) in &on_complete.vars {
                self.item_text(value, &inside);
            }
        }
    }

    /// Checks the value of a bonded formula's variable, which may use fields of an item.
    fn item_text(&mut self, text: &Text, names: &[&str]) {
        for piece in pieces(&text.value) {
            if let Piece::Var { name, whole } = piece {
                let is_item = name == "index" || name == "item" || name.starts_with("item.");
                if !is_item {
                    self.name(text, name, whole, names);
                }
            }
        }
    }

    fn text(&mut self, text: &Text, names: &[&str]) {
        for piece in pieces(&text.value) {
            if let Piece::Var { name, whole } = piece {
                self.name(text, name, whole, names);
            }
        }
    }

    fn name(&mut self, text: &Text, name: &str, whole: &str, names: &[&str]) {
        if self.formula.vars.contains_key(name) {
            self.used.insert(name.to_owned());
        } else if !names.contains(&name) && !self.findings.is_full() {
            let known = self.formula.vars.keys().map(String::as_str).chain(names.iter().copied());
            self.findings.push(undeclared(text, name, whole, known));
        }
    }

    fn condition(&mut self, condition: &Condition, names: &[&str]) {
        for test in condition.tests() {
            let text = Text { value: String::new(), at: condition.at.clone() };
            self.name(&text, &test.var, &test.var, names);
            if let (Some(var), Is::Equal(value) | Is::Unequal(value)) = (self.formula.vars.get(&test.var), &test.is)
                && !can_be(var, value)
            {
                let at = condition.at.within(value);
                self.error(&at, format!("`{}` is never `{value}`", test.var));
            }
        }
    }

    fn repeat(&mut self, repeat: &'f LoopTemplate, names: &[&str], has_children: bool) {
        match &repeat.rounds {
            RoundsTemplate::Count(text) | RoundsTemplate::Range(text) => {
                if text.value == "0" && has_children {
                    self.error(&text.at, "no round is ever done, so its steps are never reached".to_owned());
                }
                self.text(text, names);
                self.range(text);
            }
            RoundsTemplate::Items(items) => items.iter().for_each(|item| self.text(item, names)),
            RoundsTemplate::Over(name) => self.over(name),
            RoundsTemplate::Until { check, .. } => self.check(check, names),
        }
    }

    /// Notes the variables that the range of a loop uses in single braces.
    fn range(&mut self, text: &Text) {
        for piece in pieces(&text.value) {
            if let Piece::Given { name, .. } = piece {
                self.used.extend(self.formula.vars.get_key_value(name).map(|(name, _)| name.clone()));
            }
        }
    }

    fn check(&mut self, check: &'f CheckTemplate, names: &[&str]) {
        check.texts(&mut |text| self.text(text, names));
    }

    fn over(&mut self, name: &Text) {
        let whole = name.value.clone();
        match self.formula.vars.get(&name.value).map(|var| var.kind) {
            Some(VarKind::List) => drop(self.used.insert(whole)),
            Some(_) => self.error(&name.at, format!("`{whole}` is not a list")),
            None => self.name(name, &whole, &whole, &[]),
        }
    }

    fn unused(&mut self) {
        for (name, var) in &self.formula.vars {
            if !self.used.contains(name) {
                let message = format!("variable `{name}` is declared and never used");
                self.findings.push(var.at.error_unless_foreign(message));
            }
        }
    }
}

/// Collects steps and their parts, except for parts in rounds, which have a namespace of their own.
fn flatten<'f>(steps: &'f [StepTemplate], all: &mut Vec<&'f StepTemplate>) {
    for step in steps {
        all.push(step);
        if step.repeat.is_none() {
            flatten(step.children(), all);
        }
    }
}

/// Returns whether an id can be one of a part: `<id of a step>.<more>`. The plan checks it.
fn is_composed(id: &str, outer: &[BTreeSet<&str>]) -> bool {
    let prefixes = id.match_indices('.').map(|(at, _)| &id[..at]);
    prefixes.into_iter().any(|prefix| outer.iter().any(|ids| ids.contains(prefix)))
}

/// Returns whether a variable can have a value.
fn can_be(var: &Var, value: &str) -> bool {
    match var.kind {
        VarKind::Enum => value.is_empty() || var.values.iter().any(|known| known == value),
        VarKind::Bool => ["true", "false", ""].contains(&value),
        VarKind::String | VarKind::Number | VarKind::List => true,
    }
}
