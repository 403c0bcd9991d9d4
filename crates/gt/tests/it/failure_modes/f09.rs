//! `gt` builds a worker's environment from nothing, and identifies a worker only by its token.

use std::collections::BTreeMap;

use crate::clients;
use crate::town::{RIG, Town, WORK};

const SECRETS: &[&str] =
    &["ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GT_FAULT_X"];

/// The worker writes down its environment, and continues.
const DUMP: &str = r#"
[[act]]
step = "load-context"
run = ["sh", "-c", 'env > "$GT_SIM_PLAY_DIR/dump" && mv "$GT_SIM_PLAY_DIR/dump" "$GT_SIM_PLAY_DIR/worker.env"']
"#;

const HANG: &str = "[[act]]\nstep = \"implement\"\nsignal = \"hanging\"\nmisbehave = \"hang\"\n";

fn variables(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn dumped(town: &Town, file: &str) -> BTreeMap<String, String> {
    variables(&std::fs::read_to_string(town.folder().join("play").join(file)).unwrap())
}

#[test]
fn f09_neither_worker_nor_gate_gets_secrets_of_the_overseer() {
    let mut town = Town::new();
    for name in SECRETS {
        town.set_env(name, "hush");
    }
    for name in ["FOR_RIG", "FOR_AGENT", "FOR_NOBODY"] {
        town.set_env(name, "told");
    }
    town.settle(
        "[agents.sim]\ncommand = [\"{gt}\", \"sim-worker\"]\nenv_pass = [\"FOR_AGENT\"]\nenv = { KIND = \"mine\" }\n",
    );
    let gate = format!("env > {}", town.folder().join("play/gate.env").display());
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("[env.set]", "[env]\npass = [\"FOR_RIG\"]\n[env.set]"));
    town.ok(&["rig", "gates", "add", RIG, "look", &gate]);
    town.script(&format!("{DUMP}{WORK}"));
    let bead = town.bead("Look around");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);

    let (worker, gate) = (dumped(&town, "worker.env"), dumped(&town, "gate.env"));
    for (who, env) in [("worker", &worker), ("gate", &gate)] {
        for name in SECRETS.iter().chain(&["FOR_NOBODY"]) {
            assert!(!env.contains_key(*name), "{who} has {name}");
        }
        assert!(!env.values().any(|value| value.contains("hush")), "{who}: {env:?}");
        assert_eq!(env.get("FOR_RIG").map(String::as_str), Some("told"), "{who}: {env:?}");
        assert!(env["PATH"].starts_with(&town.root().join("bin").display().to_string()), "{who}: {env:?}");
    }
    assert_eq!((worker.get("FOR_AGENT"), worker.get("KIND")), (Some(&"told".to_owned()), Some(&"mine".to_owned())));
    assert_eq!((gate.get("FOR_AGENT"), gate.get("KIND"), gate.get("GT_INCARNATION")), (None, None, None));
    assert!(worker.contains_key("GT_INCARNATION"));
}

#[test]
fn f09_a_wrong_token_writes_nothing() {
    let town = Town::new();
    town.script(&format!("{DUMP}{HANG}"));
    let bead = town.bead("Hang");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("hanging");
    let token = dumped(&town, "worker.env")["GT_INCARNATION"].clone();
    let (id, secret) = token.rsplit_once('.').unwrap();
    let verbs: [&[&str]; 7] = [
        &["done"],
        &["step", "done"],
        &["hook"],
        &["prime"],
        &["bead", "create", "Sneaky"],
        &["bead", "update", &bead, "--notes", "sneaky"],
        &["mail", "send", "overseer", "-s", "sneaky"],
    ];
    let refused = |token: &str, why: &str| {
        // The town's roles may write meanwhile; a refused caller would write as a worker or as the overseer.
        let written = "SELECT count(*) FROM events WHERE actor = 'overseer' OR actor LIKE '%/polecats/%'";
        let before = town.ask(written);
        for verb in verbs {
            let output = town.gt_with(&town.rig(), &[("GT_INCARNATION", token)], verb);
            assert_eq!((output.code, output.err.contains(why)), (4, true), "{verb:?} as {token}: {output:?}");
            assert!(output.err.contains("hint: "), "{output:?}");
        }
        assert_eq!(town.ask(written), before, "{token}");
    };
    let own = town.gt_with(&town.root(), &[("GT_INCARNATION", &token)], &["hook", "--json"]);
    assert_eq!((own.code, own.out.contains(&bead)), (0, true), "{own:?}");
    for wrong in [format!("{id}.{}", "0".repeat(secret.len())), format!("{id}."), format!("nobody.{secret}"), id.into()]
    {
        refused(&wrong, "GT_INCARNATION is not a token of this town");
    }
    refused("", "GT_INCARNATION is not a token of this town");

    // The test kills the first incarnation, and the second takes over: the token of the first is then invalid.
    let (_, _, agent) = town.session(&bead);
    gt::demo::run::kill_hard(&agent);
    let second = "SELECT count(*) FROM incarnations WHERE number = 2 AND started_at IS NOT NULL";
    town.wait_until("the second incarnation", || town.ask(second) == ["1"]);
    refused(&token, &format!("superseded: incarnation {id} is over"));
    town.ok(&["unsling", &bead]);
    town.wait_quiet();
    refused(&token, &format!("superseded: incarnation {id} is over"));
}

#[test]
fn f09_an_agent_without_its_token_does_not_count_as_the_overseer() {
    let town = Town::new();
    let lose = |how: &str, mark: &str| {
        let command = format!("{how} env -u GT_INCARNATION gt bead create Sneaky > $GT_SIM_PLAY_DIR/{mark} 2>&1");
        format!("[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", '{command}; true']\n")
    };
    let wait = "[[act]]\nstep = \"self-review\"\nsignal = \"asked\"\nawait = \"seen\"\n";
    let script = [lose("", "direct"), lose("setsid --wait", "apart"), WORK.to_owned(), wait.to_owned()].concat();
    town.script(&script);
    let bead = town.bead("Lose the token");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("asked");
    for mark in ["direct", "apart"] {
        let said = std::fs::read_to_string(town.folder().join("play").join(mark)).unwrap();
        assert!(said.contains("belongs to an agent's session, but carries no GT_INCARNATION"), "{mark}: {said}");
    }
    assert_eq!(town.ask("SELECT count(*) FROM beads WHERE title = 'Sneaky'"), ["0"]);
    town.signal("seen");
    town.wait_closed(&bead);
}

#[test]
fn f09_a_key_in_the_environment_pays_only_if_the_settings_say_so() {
    let mut town = clients::town("headless", "");
    for name in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
        town.set_env(name, "hush");
    }
    town.set_env("CLAUDE_CONFIG_DIR", "/moved/by/the/user");
    // This holds even if a rig passes the key on, as it may do for its gates.
    town.edit(&town.rig().join("rig.toml"), |text| {
        text.replace("[env.set]", "[env]\npass = [\"ANTHROPIC_API_KEY\"]\n[env.set]")
    });
    let keys = |town: &Town| {
        let env = variables(&clients::noted(town, "client.env"));
        assert_eq!(env["CLAUDE_CONFIG_DIR"], "/moved/by/the/user");
        assert_eq!((env["DISABLE_AUTOUPDATER"].as_str(), env.get("IS_SANDBOX")), ("1", None));
        assert!(env["CLAUDE_CODE_TMPDIR"].starts_with(&town.root().join("deacon/sessions").display().to_string()));
        ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"].map(|name| env.contains_key(name))
    };
    let bead = clients::slung(&town, "Work");
    town.wait_closed(&bead);
    assert_eq!(keys(&town), [false, false]);

    town.ok(&["down"]);
    town.edit(&town.root().join("town.toml"), |text| text + "[agents.claude]\nauth = \"api-key\"\n");
    let bead = clients::slung(&town, "Work more");
    town.wait_closed(&bead);
    assert_eq!(keys(&town), [true, true]);
}
