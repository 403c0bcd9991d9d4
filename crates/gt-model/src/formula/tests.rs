mod hostile;
mod imported;

use std::collections::BTreeMap;

use super::*;

/// A library of formulas: names of files and their texts.
fn library(files: &[(&str, &str)]) -> Library {
    let mut library = Library::default();
    for (file, text) in files {
        if file.ends_with(".overlay.toml") {
            library.overlay(Overlay::parse(file, text).unwrap_or_else(|error| panic!("{error}")));
        } else {
            library.add(Formula::parse(file, text).unwrap_or_else(|error| panic!("{error}")));
        }
    }
    while let Some(name) = library.missing().map(str::to_owned) {
        library.absent(&name);
    }
    library
}

fn workflow(steps: &str) -> String {
    format!("formula = 'f'\nversion = 1\n{steps}")
}

fn values(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Plans the formula `f` of one file.
fn plan(steps: &str, given: &[(&str, &str)]) -> Result<Plan, FormulaError> {
    let mut library = Library::default();
    library.add(Formula::parse("f.toml", &workflow(steps))?);
    library.resolve("f")?.plan(&values(given))
}

/// Plans and shows each step as `id: title <- needs`.
fn shown(steps: &[Step]) -> Vec<String> {
    let one = |step: &Step| {
        let title = if step.title.is_empty() { String::new() } else { format!(" {}", step.title) };
        let needs = if step.needs.is_empty() { String::new() } else { format!(" <- {}", step.needs.join(" ")) };
        format!("{}:{title}{needs}", step.id)
    };
    steps.iter().map(one).collect()
}

fn check_plan(steps: &str, given: &[(&str, &str)], expected: &[&str]) {
    let plan = plan(steps, given).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown(&plan.steps), expected, "{steps}");
}

fn errors(steps: &str) -> String {
    plan(steps, &[]).expect_err(steps).to_string()
}

fn check_error(steps: &str, expected: &str) {
    let error = errors(steps);
    assert!(error.contains(expected), "{steps}\n{error}");
}

#[test]
fn an_error_shows_the_place() {
    let error = errors("[[steps]]\nid = 'a'\n  need = ['b'] # x");
    assert_eq!(
        error,
        "unknown key `need`\n --> f.toml:5:3\n  |\n5 |   need = ['b'] # x\n  |   ^^^^\n  = did you mean `needs`?"
    );
    let error = errors("[[steps]]\nid = 'a'\ntitle = \"\"\"\nline {{isue}}\"\"\"\n[[steps]]\nid='b'\n[vars.issue]");
    assert!(
        error.contains("f.toml:6:6\n  |\n6 | line {{isue}}\"\"\"\n  |      ^^^^^^^^\n  = did you mean `issue`?"),
        "{error}"
    );
    assert!(error.contains("variable `issue` is declared and never used"), "{error}");
}

#[test]
fn mistakes_are_named() {
    check_error("[[steps]]\nid='a'\n[[steps]]\nid='a'", "two steps are called `a`");
    check_error("[[steps]]\nid='a'\nneeds=['b']", "needs `b`, which is no step");
    check_error("[[steps]]\nid='a'\nneeds=['b']\n[[steps]]\nid='b'\nneeds=['a']", "wait for each other: a -> b -> a");
    check_error("[[steps]]\nid='a'\ntitle='{{x}}'", "`{{x}}` is not declared");
    check_error("[[steps]]\nid='a'\ntitle='{{ if x }}'", "`{{ if x }}` is not a variable");
    check_error("[[steps]]\nid='a'\nacceptance=['gt:claen']", "did you mean `gt:clean`?");
    check_error("[[steps]]\nid='a b'", "an id has 1 to 100 letters");
    check_error("[[steps]]\ntitle='a'", "`id` is missing");
    check_error("[[steps]]\nid='a'\nneeds='b'", "`needs` is a list of texts");
    check_error("[[steps]]\nid='a'\ntimeout='soon'", "`timeout` is a duration");
    check_error("[[steps]]\nid='a'\nretries=99", "`retries` is a number from 0 to 10");
    check_error("[[steps]]\nid='a'\nwhen='{{x}} == yes'\n[vars.x]\ntype='bool'", "`x` is never `yes`");
    check_error("[[steps]]\nid='a'\nwhen='{{x}} == fast'\n[vars.x]\nvalues=['slow']", "`x` is never `fast`");
    check_error("[[steps]]\nid='a'\nwhen='a b'", "this condition can't be read");
    check_error("[[steps]]\nid='a'\ngate={type='moon'}", "`moon` is no type of gate");
    check_error("[[steps]]\nid='a'\ngate={type='timer', ask='x'}", "a gate of type timer has no `ask`");
    check_error("[[steps]]\nid='a'\nexpand='nothing'", "no formula of type expansion is called `nothing`");
    check_error("[[steps]]\nid='a'\nchildren=[{id='b'}]\nrun=['x']", "a step with `children` has no `run`");
    check_error("[[steps]]\nid='a'\nloop={count=2, over=['x']}", "a loop has one of");
    check_error("[[steps]]\nid='a'\nloop={until='true'}", "`max` is missing");
    check_error("[[steps]]\nid='a'\nloop={count=0}\nchildren=[{id='b'}]", "never reached");
    check_error("[[steps]]\nid='a'\non_complete={for_each='x', bond='f'}", "`for_each` is `output.<field>`");
    check_error("[[aspects]]\ntarget='b'\nbefore=[{id='c'}]\n[[steps]]\nid='a'", "no step matches `b`");
    check_error("legs=[]\n[[steps]]\nid='a'", "a formula of type convoy has no `steps`");
    check_error("", "a formula of type workflow has `steps`");
    check_error("type='workflow'\nsteps=1", "`steps` is a list of tables");
    check_error("extends='f'\n[[steps]]\nid='a'", "formulas extend each other: f -> f");
    check_error("[vars]\na-b='1'\na_b='1'\n[[steps]]\nid='a'\ntitle='{{a-b}}{{a_b}}'", "GT_VAR_a_b in the environment");
    check_error("[[steps]\nid='a'", "unclosed array table");
    let newer = Formula::parse("f.toml", "formula='f'\nversion=2\n[[steps]]\nid='a'").unwrap_err().to_string();
    assert!(newer.contains("version 2 is newer"), "{newer}");
}

#[test]
fn values_are_checked_against_their_variables() {
    let check = |var: &str, value: &str, expected: Option<&str>| {
        let steps = format!("[vars.x]\n{var}\n[[steps]]\nid='a'\ntitle='{{{{x}}}}'");
        match (plan(&steps, &[("x", value)]), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (other, _) => panic!("{var} {value}: {other:?}"),
        }
    };
    check("type='number'", "1.5", None);
    check("type='number'", "many", Some("is a number, not `many`"));
    check("type='bool'", "yes", Some("is true or false"));
    check("values=['a', 'b']", "b", None);
    check("values=['a', 'b']", "c", Some("is one of a, b, not `c`"));
    check("pattern='[a-z]+'", "abc", None);
    check("pattern='[a-z]+'", "abc1", Some("does not match its pattern"));
    check("type='list'\npattern='[a-z]+'", "a, b", None);
    check("type='list'\npattern='[a-z]+'", "[\"a\", \"B\"]", Some("does not match"));
    check("type='list'", "[1]", Some("is a list"));
    let missing = plan("[vars.x]\nrequired=true\n[[steps]]\nid='a'\ntitle='{{x}}'", &[]).unwrap_err().to_string();
    assert!(missing.contains("variable `x` needs a value\n --> f.toml:3:7"), "{missing}");
    let unknown = plan("[vars.xy]\n[[steps]]\nid='a'\ntitle='{{xy}}'", &[("xz", "")]).unwrap_err().to_string();
    assert!(unknown.contains("has no variable `xz`") && unknown.contains("did you mean `xy`?"), "{unknown}");
    check_error("[vars.x]\ntype='number'\ndefault='a'\n[[steps]]\nid='a'\ntitle='{{x}}'", "the default is a number");
    check_error("[vars.x]\npattern='('\n[[steps]]\nid='a'\ntitle='{{x}}'", "a pattern that can't be used");
}

#[test]
fn steps_come_after_what_they_need_and_values_are_data() {
    let steps = "[vars.issue]\nrequired=true\n[[steps]]\nid='b'\nneeds=['a']\ntitle='Do {{issue}}!'\n[[steps]]\nid='a'";
    check_plan(steps, &[("issue", "{{issue}} $(rm)")], &["a:", "b: Do {{issue}} $(rm)! <- a"]);
}

#[test]
fn a_dropped_step_leaves_its_needs_to_those_that_need_it() {
    let steps = "[vars.mode]\nvalues=['fast', 'slow']\ndefault='fast'\n[[steps]]\nid='a'\n[[steps]]\nid='b'\nneeds=['a']\n\
                 when='{{mode}} == slow'\nchildren=[{id='b1'}]\n[[steps]]\nid='c'\nneeds=['b1']\n[[steps]]\nid='d'\n\
                 when='!{{mode}} or {{mode}} != slow and {{mode}}'";
    check_plan(steps, &[], &["a:", "c: <- a", "d:"]);
    check_plan(steps, &[("mode", "slow")], &["a:", "b1: <- a", "b: <- a b1", "c: <- b1"]);
}

#[test]
fn children_close_their_parent() {
    let steps = "[[steps]]\nid='a'\n[[steps]]\nid='p'\nneeds=['a']\nmodel='m'\nacceptance=['gt:clean']\nchildren=[{id='x'}, \
                 {id='y', needs=['x'], agent='k'}]\n[[steps]]\nid='z'\nneeds=['p']";
    check_plan(steps, &[], &["a:", "x: <- a", "y: <- x", "p: <- a x y", "z: <- p"]);
    let steps = plan(steps, &[]).unwrap().steps;
    assert_eq!((steps[1].parent.as_deref(), steps[1].model.as_deref()), (Some("p"), Some("m")));
    assert_eq!(steps[2].acceptance, [Acceptance::Act(Act::Clean)], "the last part runs the checks");
    assert!(steps[1].acceptance.is_empty() && steps[3].acceptance.is_empty());
    assert_eq!(steps[3].kind, StepKind::Group);
}

#[test]
fn loops_are_unrolled() {
    check_plan(
        "[vars.discs]\ntype='number'\ndefault=2\n[[steps]]\nid='m'\ntitle='Move {{index}}'\nloop={count='2^{{discs}} - 1'}",
        &[],
        &["m.1: Move 1", "m.2: Move 2 <- m.1", "m.3: Move 3 <- m.2", "m: Move * <- m.1 m.2 m.3"],
    );
    let over = "[vars.files]\ntype='list'\n[[steps]]\nid='r'\nparallel=true\nloop={over='{{files}}'}\nchildren=[{id='read', \
                title='{{item}}'}, {id='write', needs=['read']}]\n[[steps]]\nid='end'\nneeds=['r']";
    check_plan(over, &[], &["r:", "end: <- r"]);
    check_plan(
        over,
        &[("files", "a,b")],
        &[
            "r.1.read: a",
            "r.1.write: <- r.1.read",
            "r.1: <- r.1.read r.1.write",
            "r.2.read: b",
            "r.2.write: <- r.2.read",
            "r.2: <- r.2.read r.2.write",
            "r: <- r.1 r.2",
            "end: <- r",
        ],
    );
    let steps = plan("[[steps]]\nid='t'\nloop={until='gt:gates', max=3}", &[]).unwrap().steps;
    assert_eq!(steps.iter().map(|step| step.round).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None]);
    assert_eq!(steps[3].until, Some(Until { check: Acceptance::Act(Act::Gates), max: 3 }));
    check_plan(
        "[[steps]]\nid='o'\nloop={over=['x','y']}\nwhen='{{item}} != x'\ntitle='{{item}}'",
        &[],
        &["o.2: y", "o: * <- o.2"],
    );
}

#[test]
fn runs_get_values_as_arguments_or_environment() {
    let steps = "[vars.x]\n[[steps]]\nid='a'\nrun=['echo', 'is {{x}}', '$GT_VAR_x']\n[[steps]]\nid='b'\nrun='echo \"$GT_VAR_x\"'\n\
                 [[steps]]\nid='c'\nrun='gt:gates'\nacceptance=['test -e {{x}}']";
    let nasty = "a b\"; rm -rf / #";
    let steps = plan(steps, &[("x", nasty)]).unwrap().steps;
    let argv = vec!["echo".to_owned(), format!("is {nasty}"), "$GT_VAR_x".to_owned()];
    assert_eq!(steps[0].kind, StepKind::Run(Run::Argv(argv)));
    assert_eq!(steps[1].kind, StepKind::Run(Run::Script("echo \"$GT_VAR_x\"".to_owned())));
    assert_eq!(steps[1].env, values(&[("GT_VAR_x", nasty)]));
    assert_eq!(steps[2].kind, StepKind::Run(Run::Act(Act::Gates)));
    assert_eq!(steps[2].acceptance, [Acceptance::Command(vec!["test".into(), "-e".into(), nasty.into()])]);
    check_error("[vars.x]\n[[steps]]\nid='a'\nrun='echo {{x}}'", "write \"$GT_VAR_x\", or a list");
}

#[test]
fn gates_hold_steps_back() {
    let steps = "[vars.b]\n[[steps]]\nid='ask'\ngate={type='human', ask='Is {{b}} good?', timeout='1d'}\n[[steps]]\nid='go'\n\
                 description='Go.'\ngate={type='bead', bead='{{b}}'}\n[[steps]]\nid='p'\ngate={type='timer', after='1h30m'}\n\
                 children=[{id='x', run=['y'], gate={type='command', run='true'}}]";
    let steps = plan(steps, &[("b", "gt-1")]).unwrap().steps;
    let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["ask", "go", "p.gate", "x", "p"]);
    assert_eq!(steps[0].kind, StepKind::Gate);
    let human = Opens::Human { ask: Some("Is gt-1 good?".into()), who: None };
    assert_eq!(steps[0].gate, Some(Gate { opens: human, timeout_seconds: Some(86_400) }));
    assert_eq!(steps[1].kind, StepKind::Agent);
    assert_eq!(steps[2].gate.as_ref().unwrap().opens, Opens::After { seconds: 5400 });
    assert_eq!((steps[3].needs.as_slice(), steps[4].gate.as_ref()), (["p.gate".to_owned()].as_slice(), None));
    assert!(matches!(&steps[3].gate.as_ref().unwrap().opens, Opens::Command { every_seconds: 60, .. }));
}

const TDD: &str = "formula='tdd'\nversion=1\ntype='expansion'\n[vars.lang]\ndefault='rust'\n[[template]]\nid='{target}.red'\n\
                   title='Test {target.title} in {{lang}}'\n[[template]]\nid='green'\nneeds=['{target}.red']\n";

fn plan_of(library: &Library, given: &[(&str, &str)]) -> Vec<Step> {
    let resolved = library.resolve("f").unwrap_or_else(|error| panic!("{error}"));
    resolved.plan(&values(given)).unwrap_or_else(|error| panic!("{error}")).steps
}

#[test]
fn an_expansion_gives_a_step_its_parts() {
    let f = workflow(
        "[vars.l]\n[[steps]]\nid='a'\n[[steps]]\nid='do'\nneeds=['a']\ntitle='{{l}}'\nacceptance=['gt:commits']\n\
         expand={formula='tdd', vars={lang='{{l}}'}}\n[[steps]]\nid='z'\nneeds=['do']",
    );
    let library = library(&[("f.toml", &f), ("tdd.toml", TDD)]);
    let steps = plan_of(&library, &[("l", "{target} {{lang}}")]);
    let title = "{target} {{lang}}";
    let expected = [
        "a:",
        &format!("do.red: Test {title} in {title} <- a"),
        "do.green: <- do.red",
        &format!("do: {title} <- a do.red do.green"),
        "z: <- do",
    ];
    assert_eq!(shown(&steps), expected);
    assert_eq!(steps[2].acceptance, [Acceptance::Act(Act::Commits)]);
}

#[test]
fn a_formula_extends_another_and_expands_its_steps() {
    let base = "formula='base'\nversion=1\n[vars.x]\ndefault='1'\n[[steps]]\nid='a'\ntitle='{{x}}'\n[[steps]]\nid='b'\nneeds=['a']";
    let f = "formula='f'\nversion=1\nextends='base'\n[vars.x]\ndefault='2'\n[[steps]]\nid='c'\nneeds=['b']\n\
             [[compose.expand]]\ntarget='b'\nformula='tdd'";
    let library = library(&[("base.toml", base), ("f.toml", f), ("tdd.toml", TDD)]);
    let expected = ["a: 2", "b.red: Test  in rust <- a", "b.green: <- b.red", "b: <- a b.red b.green", "c: <- b"];
    assert_eq!(shown(&plan_of(&library, &[])), expected);
}

#[test]
fn aspects_go_around_steps() {
    let scan = "formula='scan'\nversion=1\ntype='aspect'\n[[aspects]]\ntarget='*'\naround={before=[{id='{step.id}.pre'}], \
                after=[{id='{step.id}.post', title='after {step.title}'}, {id='{step.id}.log'}]}";
    let f = workflow("aspects=['scan']\n[[steps]]\nid='a'\n[[steps]]\nid='b'\ntitle='B'\nneeds=['a']");
    let library = library(&[("f.toml", &f), ("scan.toml", scan)]);
    let expected = [
        "a.pre:",
        "a: <- a.pre",
        "a.post: after  <- a",
        "a.log: <- a.post",
        "b.pre: <- a a.log",
        "b: B <- b.pre",
        "b.post: after B <- b",
        "b.log: <- b.post",
    ];
    assert_eq!(shown(&plan_of(&library, &[])), expected);
}

#[test]
fn an_overlay_changes_a_formula() {
    let f = workflow(
        "[[steps]]\nid='a'\ntitle='A'\ndescription='one'\n[[steps]]\nid='b'\nneeds=['a']\n[[steps]]\nid='c'\nneeds=['b']",
    );
    let overlay = "overlay='f'\nskip=['b']\n[[replace]]\nid='a'\ntitle='X'\n[[append]]\nid='a'\ndescription='two'\n[[append]]\n\
                   id='end'\nneeds=['c']\n[[insert]]\ntarget='c'\nbefore=[{id='c0'}]\nafter=[{id='c2'}]";
    let steps = plan_of(&library(&[("f.toml", &f), ("f.overlay.toml", overlay)]), &[]);
    assert_eq!(shown(&steps), ["a: X", "c0: <- a", "c: <- c0", "c2: <- c", "end: <- c c2"]);
    assert_eq!(steps[0].description, "one\n\ntwo");
    let wrong = library(&[("f.toml", &f), ("f.overlay.toml", "overlay='f'\nskip=['bb']")]).resolve("f").unwrap_err();
    assert!(wrong.to_string().contains("has no step `bb`\n --> f.overlay.toml:2:7"), "{wrong}");
}

#[test]
fn legs_wait_for_no_other_and_the_synthesis_for_all() {
    let f = workflow(
        "[inputs.pr]\nrequired=true\n[prompts]\nbase='Look at {{pr}}: {{leg.focus}}. Write {{output.directory}}/{{output.file}}.'\n\
         [output]\ndirectory='r/{{pr}}'\nleg_pattern='{{leg.id}}.md'\nsynthesis='all.md'\n[[legs]]\nid='a'\nfocus='speed'\n\
         formula='mol-x'\n[[legs]]\nid='b'\ndescription='more'\n[synthesis]\ntitle='Sum up in {{output.file}}'",
    );
    let plan = library(&[("f.toml", &f), ("mol-x.toml", "formula='mol-x'\nversion=1\n[[steps]]\nid='x'")])
        .resolve("f")
        .unwrap()
        .plan(&values(&[("pr", "7")]))
        .unwrap();
    assert_eq!((plan.kind, plan.product), (FormulaKind::Convoy, Product::Files("r/7".into())));
    assert_eq!(shown(&plan.steps), ["a:", "b:", "synthesis: Sum up in all.md <- a b"]);
    assert_eq!(plan.steps[0].description, "Look at 7: speed. Write r/7/a.md.\n\n");
    assert_eq!(plan.steps[0].formula.as_deref(), Some("mol-x"));
}

#[test]
fn what_follows_a_step_comes_from_its_output() {
    let steps = "[vars.rig]\n[[steps]]\nid='a'\non_complete={for_each='output.found.all', bond='mol-x', vars={n='{{index}}', \
                 w='{{item.name}} of {{rig}}', whole='{item}'}}";
    let f = workflow(steps);
    let mol =
        "formula='mol-x'\nversion=1\n[vars]\nn=''\nw=''\nwhole=''\n[[steps]]\nid='x'\ntitle='{{n}}{{w}}{{whole}}'";
    let steps = plan_of(&library(&[("f.toml", &f), ("mol-x.toml", mol)]), &[("rig", "{{item}}")]);
    let on_complete = steps[0].on_complete.as_ref().unwrap();
    let output = serde_json::json!({"found": {"all": [{"name": "amber"}, 7]}});
    let bonds = on_complete.bonds(&output).unwrap();
    assert_eq!(bonds[0], values(&[("n", "1"), ("w", "amber of {{item}}"), ("whole", "{\"name\":\"amber\"}")]));
    assert_eq!(bonds[1], values(&[("n", "2"), ("w", " of {{item}}"), ("whole", "7")]));
    assert_eq!(on_complete.bonds(&serde_json::json!({"found": []})), None);
}

#[test]
fn rows_of_older_molecules_are_read() {
    let row = r#"{"id":"a","title":"A","description":"","needs":["b"],"acceptance":["own-branch",{"command":["make","test"]}]}"#;
    let step: Step = serde_json::from_str(row).unwrap();
    assert_eq!(
        step.acceptance,
        [Acceptance::Act(Act::OwnBranch), Acceptance::Command(vec!["make".into(), "test".into()])]
    );
    assert_eq!((step.kind.clone(), step.retries), (StepKind::Agent, 0));
    assert_eq!(serde_json::to_string(&step).unwrap(), row, "what is not used is not written");
    let steps = plan(
        "[[steps]]\nid='p'\ngate={type='timer', at='2027-01-31T09:00:00Z', timeout='1h'}\nloop={until='true', max=2}",
        &[],
    )
    .unwrap()
    .steps;
    for step in steps {
        let row = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<Step>(&row).unwrap(), step, "{row}");
    }
}
