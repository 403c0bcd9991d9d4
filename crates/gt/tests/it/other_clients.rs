//! Towns whose workers are clients without hooks. Shell scripts stand in for them under their names, and print what the
//! real ones were seen to print.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt: it plays the client")]

use serde_json::Value;

use crate::town::{RIG, Town, WORK, text, write};

/// Each client: its name, its version, the line that `gt peek` shows at the end of its turn, and its output at the end
/// of its work, with 1000 tokens read from the cache, 2000 other tokens, and 100 written.
const CLIENTS: &[(&str, &str, &str, &str)] = &[
    (
        "codex",
        "codex-cli 0.171.0",
        "= turn over",
        r#"{"type":"turn.completed","usage":{"input_tokens":3000,"cached_input_tokens":1000,"cache_write_input_tokens":0,"output_tokens":100,"reasoning_output_tokens":40}}"#,
    ),
    (
        "opencode",
        "1.18.33",
        "",
        r#"{"type":"step_finish","timestamp":1796027361517,"part":{"id":"prt_1","type":"step-finish","tokens":{"total":3100,"input":2000,"output":60,"reasoning":40,"cache":{"write":0,"read":1000}},"cost":0}}"#,
    ),
    (
        "gemini",
        "0.61.0",
        "= turn over",
        r#"{"type":"result","status":"success","stats":{"total_tokens":3100,"models":{"gemini-x":{"total_tokens":3100,"input_tokens":3000,"output_tokens":60,"cached":1000,"input":2000}}}}"#,
    ),
];

/// Creates a town that has each client in its PATH, and allows them everything.
fn town(more: &str) -> Town {
    let mut town = Town::nowhere();
    let tools = town.folder().join("tools");
    for (name, version, _, usage) in CLIENTS {
        let program = tools.join(name);
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{version}'; exit 0; fi\n\
             printf '%s\\n' \"$@\" > \"$GT_SIM_PLAY_DIR/{name}.args\"\n\
             says=$(cat \"$GT_SIM_PLAY_DIR/{name}.says\" 2>/dev/null)\n\
             [ -z \"$says\" ] || {{ printf '%s\\n' \"$says\"; exit 1; }}\n\
             echo '{{\"type\":\"other\"}}'\ngt sim-worker || exit 1\necho '{usage}'\n"
        );
        write(&program, script);
        std::process::Command::new("chmod").arg("+x").arg(&program).status().unwrap();
    }
    town.set_env("PATH", &format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
    let installed = town.gt_with(town.folder(), &[], &["install", "town"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    town.settle(more);
    // Each client prints its usage at the very end.
    town.edit(&town.root().join("town.toml"), |text| text.replace("linger_seconds = 2", "linger_seconds = 600"));
    let remote = town.project("main", &[("run-tests", "true\n"), ("README.md", "An app\n")]);
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.script(WORK);
    town.ok(&["rig", "set", RIG, "landing=auto", "trust=bypass"]);
    town
}

fn row<'a>(rows: &'a Value, key: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no {key}: {rows}"))
}

#[test]
fn a_client_without_hooks_lands_a_bead_and_its_printed_usage_is_counted() {
    // A cap in money does not stop the start of a client whose usage is counted and priced.
    let town = town(
        "[spend]\nattempt_usd = 50\n[prices.models]\n\"m-1\" = { input = 10, output = 100 }\n\
         \"gemini-x\" = { input = 10, output = 100 }\n[agents.codex.usage]\nformat = \"codex-jsonl\"\nmodel = \"m-1\"\n\
         [agents.opencode.usage]\nformat = \"opencode-jsonl\"\nmodel = \"m-1\"\n",
    );
    town.ok(&["up"]);
    let beads: Vec<String> = CLIENTS.iter().map(|(name, ..)| town.bead(&format!("Work of {name}"))).collect();
    for (bead, (name, ..)) in beads.iter().zip(CLIENTS) {
        town.ok(&["sling", bead, RIG, "--agent", name]);
    }
    for (bead, (name, _, turn_over, _)) in beads.iter().zip(CLIENTS) {
        town.wait_closed(bead);
        town.wait_until("its usage", || town.json(&["cost", "--by", "bead"]).to_string().contains(bead.as_str()));
        let facts = town.json(&["cost", "--by", "bead"]);
        let row = row(&facts["cost"]["report"]["rows"], bead).clone();
        let seen = ["input", "output", "cache_read"].map(|field| row[field].as_u64().unwrap());
        assert_eq!(seen, [2000, 100, 1000], "{name}: {row}");
        // 2000 · 10 + 100 · 100 + 1000 · 1, per million.
        assert_eq!(row["usd"].as_f64().map(|usd| (usd * 1000.0).round()), Some(31.0), "{name}: {row}");
        let args = std::fs::read_to_string(town.folder().join(format!("play/{name}.args"))).unwrap();
        assert!(args.contains("gt prime") && args.contains(bead.as_str()), "{name}: {args}");
        assert!(args.contains("json"), "without a terminal, though there is tmux: {args}");
        let session = town.session(bead).0;
        let peek = town.ok(&["peek", session.file_name().unwrap().to_str().unwrap()]);
        assert!(peek.contains(turn_over) && !peek.contains("tokens"), "{name}: {peek}");
    }
    for (name, version, ..) in CLIENTS {
        let check = town.ok(&["agent", "check", name]);
        assert!(check.contains(version) && check.contains("from what it prints"), "{check}");
        assert!(check.contains("warn  login: there is no ~/"), "{check}");
    }
}

#[test]
fn the_output_of_a_client_without_hooks_tells_why_it_does_not_start() {
    let town = town("");
    town.ok(&["up"]);
    for (name, says, condition) in [
        (
            "codex",
            r#"{"type":"turn.failed","error":{"message":"You’ve hit your usage limit. Try again later."}}"#,
            "limit:codex",
        ),
        (
            "opencode",
            r#"{"type":"error","error":{"name":"APIError","data":{"message":"The server had an error","statusCode":500}}}"#,
            "outage:opencode",
        ),
        (
            "gemini",
            "Please set an Auth method in your /home/me/.gemini/settings.json or specify GEMINI_API_KEY",
            "agent:app:gemini",
        ),
    ] {
        write(&town.folder().join(format!("play/{name}.says")), says);
        let bead = town.bead(name);
        town.ok(&["sling", &bead, RIG, "--agent", name]);
        town.wait_until(condition, || town.ask("SELECT key FROM conditions").contains(&condition.to_owned()));
        let status = town.ok(&["status"]);
        assert!(!status.contains("died"), "{status}");
    }
}

#[test]
fn a_client_with_unknown_usage_does_not_start_under_a_cap() {
    let own = "[agents.mine]\ncommand = [\"sh\", \"-c\", \"gt sim-worker\", \"{prompt}\"]\n";
    let town = town(own);
    town.ok(&["up"]);
    let bead = town.bead("Work of mine");
    town.ok(&["sling", &bead, RIG, "--agent", "mine"]);
    town.wait_closed(&bead);
    let (cost, show) = (town.ok(&["cost"]), town.ok(&["show", &bead]));
    assert!(cost.contains("unknown, and not in this: what one session of mine took"), "{cost}");
    assert!(show.contains("unknown for one session"), "{show}");
    assert_eq!(town.json(&["cost"])["cost"]["report"]["uncounted"][0][0], "mine");

    let second = town.bead("More");
    let refused = |cap: &str, args: &[&str], why: &str, way: &str| {
        town.settle(&format!("{own}[spend]\n{cap} = 5\n"));
        let output = town.gt(args);
        assert_eq!(output.code, 4, "{output:?}");
        assert!(output.err.contains(why) && output.err.contains(cap) && output.err.contains(way), "{output:?}");
    };
    let sling = |kind| ["sling", second.as_str(), RIG, "--agent", kind];
    let terminal = ["sling", second.as_str(), RIG, "--agent", "codex", "--runtime", "tmux"];
    refused("attempt_usd", &sling("mine"), "the usage of mine is unknown", "[agents.mine.usage]");
    refused("daily_tokens", &sling("mine"), "the usage of mine is unknown", "[agents.mine.usage]");
    refused("daily_usd", &sling("codex"), "codex does not name its model", "[agents.codex.usage] model");
    refused("daily_tokens", &terminal, "unknown in a terminal", "--runtime headless");
    refused(
        "attempt_usd",
        &["mayor", "start", "--agent", "mine"],
        "the usage of mine is unknown",
        "[agents.mine.usage]",
    );
    let check = town.gt(&["agent", "check", "mine"]);
    assert_eq!((check.code, check.out.contains("bad   usage: the usage of mine is unknown")), (5, true), "{check:?}");
    assert_eq!(town.status_of(&second), "open", "nothing was claimed");
}

#[test]
fn a_client_that_can_not_be_held_to_a_mode_starts_only_if_everything_is_allowed() {
    let town = town("");
    town.ok(&["rig", "set", RIG, "trust="]);
    let bead = town.bead("Work");
    let refused = town.gt(&["sling", &bead, RIG, "--agent", "gemini"]);
    assert_eq!((refused.code, refused.err.contains("gt rig set app trust=bypass")), (4, true), "{refused:?}");
    let refused = town.gt(&["mayor", "start", "--agent", "gemini"]);
    assert_eq!((refused.code, refused.err.contains("[mayor] trust = \"bypass\"")), (4, true), "{refused:?}");
    let check = town.gt(&["agent", "check", "gemini", "--rig", RIG]);
    assert!(
        check.code == 5 && text(&Value::from(check.out.clone())).contains("can't be kept to accept-edits"),
        "{check:?}"
    );
}
