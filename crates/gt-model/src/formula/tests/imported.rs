//! Files of other systems: what is accepted, what is said about them, and what they become.

use super::*;

const GO: &str = r#"
description = "Feed the cats"
formula = "cats"
version = 7
phase = "vapor"
[squash]
trigger = "on_complete"
[vars]
[vars.cat]
required = true
default = "Tom"
[vars.bowls]
type = "int"
default = "2"
[vars.spare]
default = "x"
[[steps]]
id = "open"
type = "task"
title = "Open {{.cat}}'s tin of {{brand}}"
acceptance = "The tin is open"
[[steps]]
id = "fill"
depends_on = ["open"]
condition = "{{cat}} != none"
[steps.loop]
range = "1..{bowls}"
var = "bowl"
[[steps.loop.body]]
id = "one"
title = "Fill bowl {bowl}"
[[steps]]
id = "wash"
waits_for = "children-of(fill)"
expand = "soap"
expand_vars = { brand = "{{cat}}" }
gate = { type = "timer", timeout = "1h" }
[[advice]]
target = "open"
[advice.before]
id = "{step.id}-look"
"#;

fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.at.line_and_column().0, finding.message)).collect()
}

#[test]
fn a_foreign_file_is_checked_key_by_key() {
    let formula = Formula::parse("cats.formula.toml", GO).unwrap();
    let expected = [
        "6: `squash` has no meaning here",
        "11: a required variable has no default",
        "19: `type` has no meaning here",
        "21: criteria as a text are no checks, so they become a part of the description",
    ];
    assert_eq!(said(&formula.findings), expected);
    assert!(formula.findings.iter().all(|finding| finding.severity == Severity::Ignored));
    let ours = Formula::parse("cats.toml", GO).unwrap_err().to_string();
    assert!(ours.contains("version 7 is newer") && ours.contains("`acceptance` is a list of checks"), "{ours}");
}

#[test]
fn a_foreign_file_becomes_ours() {
    let imported = import("cats.toml", GO).unwrap();
    assert_eq!(
        said(&imported.findings).last().unwrap(),
        "15: variable `spare` is declared and never used, so it was left out"
    );
    let expected = r#"formula = "cats"
description = "Feed the cats"
version = 1
pour = "ephemeral"

[vars.cat]
default = "Tom"

[vars.bowls]
type = "number"
default = "2"

[[steps]]
id = "open"
title = "Open {{cat}}'s tin of {{{{brand}}"
description = "Done when: The tin is open"

[[steps]]
id = "fill"
needs = ["open"]
when = "{{cat}} != none"

[steps.loop]
count = "{{bowls}}"

[[steps.children]]
id = "one"
title = "Fill bowl {{item}}"

[[steps]]
id = "wash"
needs = ["fill"]

[steps.gate]
type = "timer"
after = "1h"

[steps.expand]
formula = "soap"

[steps.expand.vars]
brand = "{{cat}}"

[[aspects]]
target = "open"

[[aspects.before]]
id = "{step.id}-look"
"#;
    assert_eq!(imported.text, expected);
    let soap =
        "formula='soap'\nversion=1\ntype='expansion'\n[vars]\nbrand=''\n[[template]]\nid='rub'\ntitle='{{brand}}'";
    let library = library(&[("cats.toml", &imported.text), ("soap.toml", soap)]);
    assert_eq!(library.check("cats"), []);
    let plan = library.resolve("cats").unwrap().plan(&values(&[])).unwrap();
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        ids,
        ["open-look", "open", "fill.1.one", "fill.1", "fill.2.one", "fill.2", "fill", "wash.gate", "wash.rub", "wash"]
    );
    assert_eq!(plan.steps[1].title, "Open Tom's tin of {{brand}}");
}

#[test]
fn json_is_read_with_places() {
    let json = "{\"formula\": \"f\", \"version\": 1,\n \"steps\": [{\"id\": \"a\", \"neds\": []}]}";
    let error = Formula::parse("f.formula.json", json).unwrap_err().to_string();
    assert!(error.contains("unknown key `neds`\n --> f.formula.json:2:25"), "{error}");
    let broken = Formula::parse("f.json", "{\"formula\": \"f\",\n  oops}").unwrap_err().to_string();
    assert!(broken.contains("key must be a string\n --> f.json:2:"), "{broken}");
    let twice = Formula::parse("f.json", "{\"formula\": \"f\", \"formula\": \"g\"}").unwrap_err().to_string();
    assert!(twice.contains("this key is written twice"), "{twice}");
}

#[test]
fn what_would_mean_something_else_is_refused() {
    let check = |steps: &str, expected: &str| {
        let error = import("f.toml", &format!("formula='f'\nversion=1\n{steps}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("[[steps]]\nid='a'\ngate={type='gh:run', id='x'}", "`gh:run` is no type of gate");
    check("[[steps]]\nid='a'\nloop={until=\"x.status == 'complete'\", max=3}", "a condition on a step's status");
    check("[compose]\nbranch=[]\n[[steps]]\nid='a'", "`branch` has no meaning here");
    check("[[aspects]]\nid='x'\ntarget='y'\n[[steps]]\nid='a'", "`id` has no meaning here");
}

#[test]
fn every_key_of_the_reference_is_read() {
    let place = |section: &str, key: &str| {
        let value = format!("{key} = 1979-05-27");
        match section {
            "Top level" => value,
            "Variables" => format!("[vars.x]\n{value}"),
            "Steps" => format!("[[steps]]\n{value}"),
            "Loops" => format!("[[steps]]\nid='a'\n[steps.loop]\n{value}"),
            "Expansions" => format!("[[steps]]\nid='a'\n[steps.expand]\n{value}"),
            "Gates" => format!("[[steps]]\nid='a'\n[steps.gate]\n{value}"),
            "On completion" => format!("[[steps]]\nid='a'\n[steps.on_complete]\n{value}"),
            "Legs" => format!("[[legs]]\n{value}"),
            "Synthesis" => format!("[synthesis]\n{value}"),
            "Aspects" => format!("[[aspects]]\n{value}"),
            "Around" => format!("[[aspects]]\ntarget='x'\n[aspects.around]\n{value}"),
            "Composition" => format!("[compose]\n{value}"),
            "Expansion by pattern" => format!("[[compose.expand]]\n{value}"),
            "Output" => format!("[output]\n{value}"),
            other => panic!("{other}"),
        }
    };
    let extra = |section: &str, key: &str| match (section, key) {
        ("Loops", "max") => "until='true'\n",
        ("Gates", "ask" | "who" | "timeout") => "type='human'\n",
        ("Gates", "after" | "at") => "type='timer'\n",
        ("Gates", "bead") => "type='bead'\n",
        ("Gates", "from" | "subject") => "type='mail'\n",
        ("Gates", "run" | "every") => "type='command'\nx='",
        ("On completion", "bond" | "vars" | "parallel") => "for_each='output.x'\n",
        _ => "",
    };
    for section in keys::SECTIONS.iter().filter(|section| section.title != "Overlays") {
        for key in section.keys {
            let extra = extra(section.title, key.name).trim_end_matches("x='");
            let bond = if section.title == "On completion" && key.name != "bond" { "bond='f'\n" } else { "" };
            let needed = match (section.title, key.name) {
                ("Steps" | "Legs", name) if name != "id" => "id='a'\n",
                ("Gates", "every") => "run='true'\n",
                ("Expansions", "vars") => "formula='f'\n",
                ("Aspects", name) if name != "target" => "target='x'\n",
                ("Expansion by pattern", "vars") => "target='x'\nformula='f'\n",
                ("Expansion by pattern", "formula") => "target='x'\n",
                _ => "",
            };
            let at = format!("{} = 1979-05-27", key.name);
            let text = place(section.title, key.name).replace(&at, &format!("{extra}{bond}{needed}{at}"));
            let head = ["formula='f'\n", "version=1\n"]
                .into_iter()
                .filter(|line| !line.starts_with(&format!("{}=", key.name)));
            let head: String =
                if section.title == "Top level" { head.collect() } else { "formula='f'\nversion=1\n".to_owned() };
            let text = head + &text;
            let error = Formula::parse("f.toml", &text).expect_err(&text).to_string();
            assert!(error.contains(&format!("| {at}")), "{text}\n{error}");
        }
    }
}
