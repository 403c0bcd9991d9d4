//! Proofs of a rig: `gt` explains what is red, green gates turn red when the code is broken, and nothing runs that the
//! person has not seen.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::overseer::typed;
use crate::setup::town_with;
use crate::town::{GT, Output, RIG, Town, finish, identity_of, output, text, write};

const TEST: &str = "import unittest\n\nimport shop\n\n\nclass Sum(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(shop.total([1, 2]), 3)\n";

/// Creates a town and a project that uses only Python's standard library. Returns `None` if there is no Python.
fn python() -> Option<(Town, String)> {
    let town = town_with("python3")?;
    let manifest = "[project]\nname = \"shop\"\nversion = \"1\"\n";
    let shop = "def total(prices):\n    return sum(prices)\n";
    let files =
        [("pyproject.toml", manifest), ("shop.py", shop), ("test_shop.py", TEST), (".gitignore", "__pycache__\n")];
    let remote = town.project("main", &files).display().to_string();
    Some((town, remote))
}

#[test]
fn gates_that_test_another_tree_are_found_by_breaking_this_one() {
    let Some((town, _)) = python() else { return };
    let added = town.json(&["rig", "add", RIG, &town.checkout().display().to_string()]);
    let broken = &added["rig"]["proof"]["broken"];
    assert_eq!(broken, &serde_json::json!([{"file": "shop.py", "red": "unittest"}]), "{added}");
    assert!(added["rig"]["held"].is_null(), "{added}");
    let doctor = town.gt(&["doctor"]).out;
    assert!(doctor.contains("ok    app: what gates see: they turn red when a file is broken: shop.py"), "{doctor}");

    let elsewhere = format!("cd {} && python3 -m unittest discover", town.checkout().display());
    let rig_toml = town.rig().join("rig.toml");
    town.edit(&rig_toml, |text| text.replace("python3 -m unittest discover", &elsewhere));
    let proved = town.gt(&["rig", "prove", RIG, "--negative"]);
    assert_eq!(proved.code, 1, "{proved:#?}");
    assert!(proved.out.contains("no gate turned red when shop.py was broken"), "{proved:#?}");
    assert!(proved.out.contains("rig app is held: its gates stay green though shop.py is broken"), "{proved:#?}");
    let doctor = town.gt(&["doctor"]).out;
    assert!(doctor.contains("FAIL  app: what gates see: they stay green though shop.py is broken"), "{doctor}");

    // A proposed gate of the trunk replaces only a red gate.
    town.edit(&rig_toml, |text| text.replace(&elsewhere, "false"));
    let fixed = town.ok(&["rig", "prove", RIG, "--fix"]);
    assert!(fixed.contains("changed in rig.toml: gate unittest: python3 -m unittest discover"), "{fixed}");
    assert!(fixed.contains("rig app is proved"), "{fixed}");
}

#[test]
fn the_doctor_reports_the_last_negative_proof_and_repeats_it() {
    let Some((town, remote)) = python() else { return };
    town.ok(&["rig", "add", RIG, &remote, "--skip-proof"]);
    let seen = || {
        let doctor = town.gt(&["doctor"]).out;
        let line = doctor.lines().find(|line| line.contains("app: what gates see")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{doctor}"))
    };
    let never = seen();
    let untried = "warn  app: what gates see: not tested yet whether these gates turn red when a file is broken";
    assert_eq!(never, untried);
    assert!(town.gt(&["doctor"]).out.contains("hint: gt rig prove app --negative, or gt doctor --deep for all rigs"));
    let deep = town.gt(&["doctor", "--deep"]).out;
    let turn_red = "app: what gates see: they turn red when a file is broken: shop.py (tried 20";
    assert!(deep.contains(&format!("ok    {turn_red}")), "{deep}");
    let commit = town.remote_branch("main")[..10].to_owned();
    assert!(seen().ends_with(&format!(" UTC on {commit})")), "{}", seen());

    // If the gates are quick, the doctor repeats the proof on the current trunk.
    let moved = town.push_a_commit("more.py", "x = 1\n")[..10].to_owned();
    town.ok(&["rig", "fetch", RIG]);
    assert!(seen().starts_with("ok") && seen().ends_with(&format!(" UTC on {moved})")), "{}", seen());

    // If they are slow, it reports the last result with its age. A proof that breaks nothing does not replace it.
    let ledger = rusqlite::Connection::open(town.root().join(".beads/beads.db")).unwrap();
    let slow = "UPDATE meta SET value = json_set(value, '$.took_ms', 3600000) WHERE key = 'gates-seen:app'";
    assert_eq!(ledger.execute(slow, []).unwrap(), 1);
    drop(ledger);
    town.push_a_commit("most.py", "x = 1\n");
    town.ok(&["rig", "fetch", RIG]);
    let stale = seen();
    assert!(stale.starts_with(&format!("warn  {turn_red}")), "{stale}");
    assert!(stale.ends_with(&format!(" on {moved}); the trunk has moved since")), "{stale}");
    town.ok(&["rig", "set", RIG, "prove_negative=false"]);
    town.ok(&["rig", "prove", RIG]);
    assert!(seen().starts_with(&format!("ok    {turn_red}")) && seen().contains(&moved), "{}", seen());
    town.ok(&["rig", "set", RIG, "prove_negative="]);
    town.gt(&["doctor", "--deep"]);
    assert!(seen().starts_with("ok") && !seen().contains(&moved), "{}", seen());
}

#[test]
fn rig_add_runs_nothing_that_the_person_has_not_seen() {
    let Some((town, remote)) = python() else { return };
    let shown = town.ok(&["rig", "add", RIG, &remote, "--dry-run"]);
    assert!(shown.contains("gate unittest: python3 -m unittest discover  (pyproject.toml)"), "{shown}");
    assert!(shown.contains("nothing was made or run") && !town.rig().exists(), "{shown}");

    let url = format!("file://{remote}");
    let added = town.gt(&["rig", "add", RIG, &url]);
    assert!(added.out.contains("gate unittest") && !added.out.contains("green unittest"), "{added:#?}");
    let words = "held: its gates were not run on the trunk yet: `gt rig prove app` runs them";
    assert!(added.out.contains(words), "{added:#?}");
    assert!(added.err.contains("nothing of it was run"), "{added:#?}");
    assert!(town.ok(&["rig", "prove", RIG]).contains("green unittest"));
    town.ok(&["rig", "remove", RIG, "--yes"]);
    assert!(town.ok(&["rig", "add", RIG, &url, "--yes", "--prefix", "bp"]).contains("green unittest"));
}

#[test]
fn a_killed_proof_leaves_the_rig_held_with_a_reason() {
    let Some((town, remote)) = python() else { return };
    let cut = town.gt_with(&town.root(), &[("GT_FAULT", "commit:prove:before")], &["rig", "add", RIG, &remote]);
    assert_ne!(cut.code, 0);
    let why = town.ok(&["why", RIG]);
    assert!(why.contains("its gates were not run on the trunk yet: `gt rig prove app` runs them"), "{why}");
}

/// Calls `gt` in its own process group, and sends the group an interrupt as soon as `mark` exists, as a terminal does
/// for Ctrl-C.
fn interrupted(town: &Town, mark: &str, args: &[&str]) -> Output {
    // A shell that runs the tests in the background makes them ignore SIGINT; `env` restores the default.
    let mut command = town.program("env", &town.root());
    command.arg("--default-signal=INT").arg(GT).args(args).process_group(0);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    town.wait_for_mark(mark);
    let group = format!("-{}", child.id());
    assert_eq!(output(town.program("kill", town.folder()).args(["-s", "INT", "--", &group])).code, 0);
    finish(child)
}

#[test]
fn an_interrupted_proof_leaves_a_reason_and_no_process() {
    let town = Town::empty();
    let play = town.folder().join("play");
    let gate = format!("cd {}\n(exec sleep 1000) &\necho $$ $! > pids && touch begun\nwait\n", play.display());
    let remote = town.project("main", &[("run-tests", &gate)]).display().to_string();
    for args in [&["rig", "add", RIG, &remote][..], &["rig", "prove", RIG]] {
        let cut = interrupted(&town, "begun", args);
        assert_ne!(cut.code, 0, "{cut:#?}");
        let pids = std::fs::read_to_string(play.join("pids")).unwrap();
        for pid in pids.split_whitespace().map(|pid| pid.parse().unwrap()) {
            town.wait_until("the gate's processes to end", || identity_of(pid).is_none());
        }
        std::fs::remove_file(play.join("begun")).unwrap();
        let words = "its gates were not run on the trunk yet: `gt rig prove app` runs them";
        let list = town.gt(&["rig", "list"]);
        assert!(list.err.contains(&format!("app is held: {words}")), "{list:#?}");
        let status = town.ok(&["status"]);
        assert!(status.contains(words) && status.contains("gt why app, then gt rig prove app"), "{status}");
        let doctor = town.gt(&["doctor"]).out;
        assert!(doctor.contains(&format!("FAIL  rig-held:app: {words}")), "{doctor}");
    }
    town.push_a_commit("run-tests", "true\n");
    town.ok(&["rig", "fetch", RIG]);
    assert!(town.ok(&["rig", "prove", RIG]).contains("rig app is proved"));
}

#[test]
fn the_doctor_names_a_rig_whose_adding_was_interrupted() {
    let town = Town::empty();
    let remote = town.project("main", &[("run-tests", "true\n")]).display().to_string();
    let cut = town.gt_with(&town.root(), &[("GT_FAULT", "commit:rig add:before")], &["rig", "add", RIG, &remote]);
    assert_ne!(cut.code, 0);
    let words = "gt rig add app was interrupted before the rig existed";
    let doctor = town.gt(&["doctor"]).out;
    assert!(doctor.contains(&format!("FAIL  rig app: {words}")), "{doctor}");
    assert!(town.gt(&["rig", "list"]).err.contains(words));
    town.ok(&["rig", "add", RIG, &remote]);
    assert!(!town.gt(&["doctor"]).out.contains(words) && !town.gt(&["rig", "list"]).err.contains(words));
}

#[test]
fn fix_gives_a_red_gate_the_persons_path_but_asks_about_variables() {
    let mut town = Town::empty();
    let gate = "late-tool || exit\ntest -n \"$SHOP_DATABASE\" || { echo \"KeyError: 'SHOP_DATABASE'\"; exit 1; }\n";
    let remote = town.project("main", &[("run-tests", gate)]).display().to_string();
    let added = town.ok(&["rig", "add", RIG, &remote]);
    assert!(added.contains("`late-tool` is not in the workers' PATH"), "{added}");

    let later = town.folder().join("later");
    let tool = later.join("late-tool");
    write(&tool, "#!/bin/sh\n");
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", later.display(), town.var("PATH"));
    town.set_env("PATH", &path);
    town.set_env("SHOP_DATABASE", "hush");
    let fix = ["rig", "prove", RIG, "--fix"];
    // Without a terminal `gt` can't ask a person.
    let fixed = output(town.program("setsid", &town.root()).args(["-w", GT]).args(fix));
    let taken = format!("the PATH of agents and gates is that of this shell now: +{}", later.display());
    assert!(fixed.code == 1 && fixed.out.contains(&taken), "{fixed:#?}");
    assert!(!fixed.err.contains("warning: "), "each kind of agent has its program still: {fixed:#?}");
    let told = "SHOP_DATABASE is not passed on, since agents could read it; this does so: gt rig set app env.pass=SHOP_DATABASE";
    assert!(fixed.err.contains(told) && !fixed.out.contains("hush"), "{fixed:#?}");
    let passed = || town.ok(&["config", "get", "env.pass", "--rig", RIG]).trim().to_owned();
    assert_eq!(passed(), "");

    if !Path::new("/usr/bin/script").exists() {
        return;
    }
    let fix = format!("{GT} {}", fix.join(" "));
    let denied = typed(&town, "no", &fix);
    assert!(denied.out.contains("names SHOP_DATABASE, which you have") && passed().is_empty(), "{denied:#?}");
    let allowed = typed(&town, "yes", &fix);
    assert!(allowed.out.contains("rig app is proved") && passed().contains("SHOP_DATABASE"), "{allowed:#?}");
}

#[test]
fn a_proof_runs_all_gates_and_explains_red_ones() {
    let mut town = Town::nowhere();
    town.set_env("SHOP_DATABASE", "postgres://me:hush@localhost/shop");
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    let remote = town.project("main", &[("run-tests", "true\n")]);
    town.ok(&["rig", "add", RIG, &remote.display().to_string()]);
    let gates = [
        ("missing", "no-such-tool --check", "`no-such-tool` is not in the workers' PATH"),
        (
            "module",
            "echo \"Error: Cannot find module 'left-pad'\"; exit 1",
            "the rig has no set-up that would install it",
        ),
        ("variable", "echo \"KeyError: 'SHOP_DATABASE'\"; exit 1", "pass = [\"SHOP_DATABASE\"]"),
        ("service", "echo connect ECONNREFUSED 127.0.0.1:5432; exit 1", "it needs a service"),
        ("code", "echo assertion failed; exit 1", ""),
    ];
    for (name, run, _) in gates {
        town.ok(&["rig", "gates", "add", RIG, name, run]);
    }
    let proved = town.gt(&["rig", "prove", RIG, "--json"]);
    assert_eq!(proved.code, 1, "{proved:#?}");
    let document: serde_json::Value = serde_json::from_str(&proved.out).unwrap();
    let run = document["run"]["gates"].as_array().unwrap();
    assert_eq!(run.len(), 1 + gates.len(), "{document}");
    for (result, (name, _, words)) in run[1..].iter().zip(gates) {
        assert_eq!((text(&result["name"]).as_str(), result["passed"] == true), (name, false), "{document}");
        let remedy = result["remedy"]["text"].as_str().unwrap_or_default();
        assert!(remedy.contains(words) && remedy.is_empty() == words.is_empty(), "{name}: {remedy}");
    }
    assert!(!proved.out.contains("hush"), "{proved:#?}");
    assert!(text(&document["held"]).contains("`no-such-tool` is not in the workers' PATH"), "{document}");
}

#[test]
fn a_lint_that_is_red_on_the_trunk_does_not_hold_the_rig() {
    let Some(town) = town_with("npm") else { return };
    let manifest = "{ \"scripts\": { \"test\": \"node test.js\", \"lint\": \"eslint-of-nowhere . && eslint .\" } }\n";
    let lib = "exports.two = () => 2;\n";
    let test = "require('assert').equal(require('./lib').two(), 2);\n";
    town.project("main", &[("package.json", manifest), ("lib.js", lib), ("test.js", test)]);
    let added = town.json(&["rig", "add", RIG, &town.checkout().display().to_string()]);
    assert!(added["rig"]["held"].is_null(), "{added}");
    assert_eq!(added["rig"]["proof"]["left_out"][0]["name"], "npm-lint", "{added}");
    assert_eq!(added["rig"]["proof"]["broken"][0]["red"], "npm-test", "{added}");
    let written = std::fs::read_to_string(town.rig().join("rig.toml")).unwrap();
    assert!(written.contains("# Left out, since it was red on the trunk: gate npm-lint: npm run lint\n"), "{written}");
    assert!(!written.contains("name = \"npm-lint\""), "{written}");
}
