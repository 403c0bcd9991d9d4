//! Formulas in whole towns, as the help says how to write them: an overlay that adds a step to the polecat's life, a gate for a person,
//! a formula that runs by itself, commands that the town runs, and a deacon that dies meanwhile.

use gt::demo::run::kill_hard;
use serde_json::Value;

use crate::town::{RIG, Town, WORK, identity_of, write};

/// Writes a file into the town's folder of formulas.
fn formula(town: &Town, file: &str, text: &str) {
    let path = town.root().join(".beads/formulas").join(file);
    write(&path, text);
    let name = file.split('.').next().unwrap();
    town.ok(&["formula", "check", name]);
}

/// Returns the state of each step of a molecule.
fn states(town: &Town, molecule: &str) -> Vec<(String, String)> {
    let status = town.json(&["mol", "status", molecule]);
    let steps = status["steps"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    steps.map(|step| (text(&step["step"]["id"]), text(&step["state"]))).collect()
}

fn state(town: &Town, molecule: &str, step: &str) -> String {
    states(town, molecule).into_iter().find(|(id, _)| id == step).unwrap_or_else(|| panic!("no step {step}")).1
}

fn outcome(town: &Town, molecule: &str) -> Value {
    town.json(&["mol", "show", molecule])["molecule"]["molecule"]["outcome"].clone()
}

/// Runs a formula by itself. Returns the molecule's id.
fn run(town: &Town, name: &str) -> String {
    let ran = town.json(&["formula", "run", name, "--rig", RIG]);
    format!("mol-{}", ran["molecule"]["id"])
}

#[test]
fn an_overlay_adds_a_step_to_the_polecats_life_and_a_gate_for_a_person() {
    let town = Town::new();
    town.script(&format!(
        "{WORK}\n[[act]]\nstep = \"changelog\"\nwrite = {{ \"CHANGES\" = \"one more\\n\" }}\ncommit = \"Say what changed\"\n"
    ));
    formula(
        &town,
        "mol-polecat-work.overlay.toml",
        r#"overlay = "mol-polecat-work"
[[insert]]
target = "self-review"
after = [{ id = "changelog", title = "Say what {{issue}} changed", description = "Add a line to CHANGES.", acceptance = ["test -f CHANGES"] }]
[[insert]]
target = "implement"
before = [{ id = "may-it", title = "May {{issue}} begin?", gate = { type = "human", ask = "May it begin?" } }]
"#,
    );
    let bead = town.bead("Greet");
    let plan = town.ok(&["formula", "plan", "mol-polecat-work", "--bead", &bead]);
    assert!(plan.contains(&format!("Say what {bead} changed")), "{plan}");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the gate", || town.conditions().contains(&"gate".to_owned()));
    town.let_patrols_pass();
    let status = town.ok(&["status"]);
    assert!(status.contains("May it begin?") && status.contains("gt step gate open"), "{status}");
    assert_eq!(state(&town, &bead, "implement"), "open");
    let molecule = format!("mol-{}", town.json(&["mol", "status", &bead])["molecule"]["id"]);
    town.ok(&["step", "gate", "open", &format!("{molecule}/may-it"), "--note", "yes"]);
    town.wait_closed(&bead);
    assert!(states(&town, &bead).iter().all(|(_, state)| state == "done"), "{:?}", states(&town, &bead));
    assert_eq!(town.git(&town.remote(), &["show", "main:CHANGES"]), "one more");
    town.wait_until("the gate's condition to go", || town.conditions().is_empty());
}

#[test]
fn a_convoy_formula_runs_by_itself() {
    let town = Town::new();
    formula(
        &town,
        "mol-look.toml",
        r#"formula = "mol-look"
version = 1
type = "convoy"
[[legs]]
id = "one"
title = "Look from one side"
[[legs]]
id = "other"
title = "Look from the other side"
[synthesis]
title = "Put it together"
"#,
    );
    town.ok(&["up"]);
    let molecule = run(&town, "mol-look");
    town.wait_until("the molecule to end", || outcome(&town, &molecule) == "done");
    let steps = town.json(&["mol", "steps", &molecule]);
    for step in steps["steps"].as_array().unwrap() {
        assert_eq!(town.status_of(step["bead"].as_str().unwrap()), "closed", "{step}");
        assert_eq!(step["state"], "done", "{step}");
    }
    assert_eq!(steps["steps"].as_array().unwrap().len(), 3);
    assert!(town.ok(&["mol", "squash", &molecule]).contains("synthesis done"));
}

#[test]
fn the_town_runs_commands_again_and_a_person_decides_about_one_that_fails() {
    let town = Town::new();
    let tried = town.folder().join("tried").display().to_string();
    formula(
        &town,
        "mol-report.toml",
        &format!(
            r#"formula = "mol-report"
version = 1
[vars.word]
default = "it's; $(touch nothing)"
[[steps]]
id = "again"
title = "Fail once"
run = "test -e {tried} || {{ touch {tried}; echo not yet; exit 1; }}; echo \"captured $GT_VAR_word\""
retries = 1
[[steps]]
id = "fails"
title = "Fail"
run = ["sh", "-c", "echo it is broken; exit 3"]
needs = ["again"]
[[steps]]
id = "last"
title = "Go on"
run = ["true"]
needs = ["fails"]
"#
        ),
    );
    town.ok(&["up"]);
    let molecule = run(&town, "mol-report");
    town.wait_until("the failure", || town.conditions().contains(&"step-failed".to_owned()));
    let again = town.json(&["step", "show", &format!("{molecule}/again")]);
    assert_eq!(again["step"]["step"]["tries"], 1, "{again}");
    assert!(again["step"]["step"]["output"].as_str().unwrap().contains("captured it's; $(touch nothing)"), "{again}");
    let failed = town.ok(&["step", "show", &format!("{molecule}/fails")]);
    assert!(failed.contains("it is broken") && failed.contains("a person decides"), "{failed}");
    assert_eq!(state(&town, &molecule, "last"), "open");
    town.ok(&["step", "skip", &format!("{molecule}/fails"), "--note", "known"]);
    town.wait_until("the molecule to end", || outcome(&town, &molecule) == "done");
    assert!(town.conditions().is_empty(), "{:?}", town.conditions());
}

#[test]
fn a_command_whose_deacon_dies_runs_again_and_ends_once() {
    let town = Town::new();
    let runs = town.folder().join("runs");
    let go = town.folder().join("go");
    formula(
        &town,
        "mol-long.toml",
        &format!(
            r#"formula = "mol-long"
version = 1
[[steps]]
id = "long"
title = "Take long"
run = "echo run >> {}; while ! test -e {}; do sleep 0.1; done"
"#,
            runs.display(),
            go.display()
        ),
    );
    town.ok(&["up"]);
    let molecule = run(&town, "mol-long");
    let count = || std::fs::read_to_string(&runs).unwrap_or_default().lines().count();
    town.wait_until("the command to run", || count() == 1);
    kill_hard(&identity_of(town.deacon().unwrap()).unwrap());
    town.wait_until("the command to run again", || count() == 2);
    write(&go, "");
    town.wait_until("the molecule to end", || outcome(&town, &molecule) == "done");
    let ended = town.ask("SELECT count(*) FROM events WHERE event = 'step-done' AND subject = 'long'");
    assert_eq!(ended, ["1"]);
    town.ok(&["down"]);
    town.wait_ended();
}

#[test]
fn shipped_formulas_are_files_and_an_edited_one_is_left_alone() {
    let town = Town::new();
    let file = town.root().join(".beads/formulas/mol-polecat-work.toml");
    let shipped = std::fs::read_to_string(&file).unwrap();
    let record = town.root().join(".beads/formulas/.shipped.toml");
    let as_of_older = |text: &str| {
        write(&record, format!("mol-polecat-work = \"{}\"\n", gt_model::id::sha256_hex(text)));
    };
    let older = format!("{shipped}# older\n");
    write(&file, &older);
    as_of_older(&older);
    town.ok(&["up"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), shipped, "an unedited one is brought up to date");
    let edited = format!("{shipped}# mine\n");
    write(&file, &edited);
    as_of_older(&older);
    town.ok(&["up"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
    assert!(town.ok(&["formula", "diff"]).contains("+# mine"));
    let doctor = town.gt(&["doctor"]).out;
    assert!(doctor.contains("you edited mol-polecat-work"), "{doctor}");
    let link = town.rig().join(".beads/formulas");
    std::fs::remove_file(&link).unwrap();
    assert!(town.gt(&["doctor"]).out.contains("its link to the town's formulas is missing"));
    town.gt(&["doctor", "--fix"]);
    assert!(link.join("mol-polecat-work.toml").is_file());
    town.ok(&["down"]);
}

#[test]
fn formulas_of_the_project_are_used_as_they_were_when_a_person_allowed_them() {
    let town = Town::new();
    let text =
        |title: &str| format!("formula = \"mol-own\"\nversion = 1\n[[steps]]\nid = \"a\"\ntitle = \"{title}\"\n");
    let path = ".gastown/formulas/mol-own.toml";
    std::fs::create_dir_all(town.checkout().join(".gastown/formulas")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", town.checkout().join(".gastown/formulas/link.toml")).unwrap();
    town.push_a_commit(path, &text("First"));
    town.ok(&["rig", "fetch", RIG]);
    assert_eq!(town.gt(&["formula", "plan", "mol-own"]).code, 3);
    assert_eq!(town.gt(&["rig", "allow-formulas", RIG]).code, 1, "no person was there to ask");
    let allowed = town.ok(&["rig", "allow-formulas", RIG, "--yes"]);
    assert!(allowed.contains("First") && !allowed.contains("link.toml"), "{allowed}");
    assert!(town.ok(&["formula", "plan", "mol-own"]).contains("First"));
    town.push_a_commit(path, &text("Second"));
    town.ok(&["rig", "fetch", RIG]);
    assert!(town.ok(&["formula", "plan", "mol-own"]).contains("First"));
    assert!(town.gt(&["doctor"]).out.contains("differs from what you allowed"));
    town.ok(&["rig", "allow-formulas", RIG, "--yes"]);
    assert!(town.ok(&["formula", "plan", "mol-own"]).contains("Second"));
    town.ok(&["rig", "allow-formulas", RIG, "--remove"]);
    assert_eq!(town.gt(&["formula", "plan", "mol-own"]).code, 3);
}

#[test]
fn a_newer_formula_changes_a_molecule_only_when_a_person_says_so() {
    let town = Town::new();
    let step = |id: &str, title: &str, needs: &str| {
        format!("[[steps]]\nid = \"{id}\"\ntitle = \"{title}\"\nneeds = [{needs}]\ngate = {{ type = \"human\" }}\n")
    };
    let text = |steps: &[String]| format!("formula = \"mol-two\"\nversion = 1\n{}", steps.concat());
    formula(&town, "mol-two.toml", &text(&[step("a", "Old", ""), step("b", "Old", "'a'"), step("c", "Old", "'b'")]));
    let molecule = run(&town, "mol-two");
    formula(&town, "mol-two.toml", &text(&[step("a", "New", ""), step("b", "New", ""), step("d", "New", "'b'")]));
    let status = town.json(&["mol", "status", &molecule]);
    assert_eq!((&status["newer"], &status["steps"][1]["step"]["title"]), (&true.into(), &"Old".into()));
    let upgrade = town.json(&["mol", "upgrade", &molecule])["upgrade"].clone();
    assert_eq!(upgrade["moved"], serde_json::json!(["a"]), "{upgrade}");
    let left: Vec<&str> =
        upgrade["left"].as_array().unwrap().iter().map(|left| left["step"].as_str().unwrap()).collect();
    assert_eq!(left, ["b", "c", "d"]);
    let titles = town.json(&["mol", "steps", &molecule]);
    assert_eq!(
        (&titles["steps"][0]["step"]["title"], &titles["steps"][1]["step"]["title"]),
        (&"New".into(), &"Old".into())
    );
    assert_eq!(town.json(&["mol", "status", &molecule])["newer"], false);
    assert!(town.ok(&["why", &molecule]).contains("waits for"));
    town.ok(&["mol", "burn", &molecule]);
    assert_eq!(outcome(&town, &molecule), "burned");
}
