//! The mayor, played by the real client like its workers: from what a person asks for to the answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::town::{Runtime, Terms, TownStage};
use super::{Outfit, Scenario};

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-mayor-headless", run: |outfit| builds(outfit, Runtime::Headless) },
    Scenario { name: "town-mayor-tmux", run: |outfit| builds(outfit, Runtime::Tmux) },
    Scenario { name: "town-cap-headless", run: |outfit| capped(outfit, Runtime::Headless) },
    Scenario { name: "town-cap-tmux", run: |outfit| capped(outfit, Runtime::Tmux) },
];

/// What the person asks for.
const REQUEST: &str = "A street with a shop, please";

/// How long a mayor that has nothing to do is watched.
const REST: Duration = Duration::from_secs(15);

/// How this mayor thinks: one piece, and one that depends on it; when a batch is over, what is ready now; when nothing
/// is, the person is told. Each rule looks at what was said and done so far, never at how often it was asked.
fn mayor() -> Value {
    let gt = |command: &str| json!([{"tool": "Bash", "input": {"command": command, "description": "hand out"}}]);
    let me = "You are the mayor";
    let first = "(?<first>ap-[a-z0-9]+) made: Lay the street";
    let second = "(?<second>ap-[a-z0-9]+) made: Open a shop";
    let street = "gt bead create 'Lay the street' --rig app --acceptance 'there is a file'";
    let shop = "gt bead create 'Open a shop' --rig app --acceptance 'there is a file' --deps {{first}}";
    json!([
        {"name": "batch over", "when": {"anywhere": me, "last": "SWARM_COMPLETE", "results": second},
            "calls": gt("gt bead ready --rig app")},
        {"name": "go on", "when": {"anywhere": me, "result": "Open a shop", "ran": "gt bead ready", "results": second},
            "calls": gt("gt sling {{second}} app")},
        {"name": "tell", "when": {"anywhere": me, "ran": "gt bead ready", "result": "^\\s*$|no |nothing|BEAD"},
            "unless": {"ran": "-s Built"}, "calls": gt("gt mail send overseer -s Built -m 'The street has a shop.'")},
        {"name": "plan", "when": {"anywhere": me, "last": "A street with a shop"}, "unless": {"ran": "Lay the street"},
            "calls": gt(street)},
        {"name": "plan on", "when": {"anywhere": me, "result": first}, "unless": {"ran": "Open a shop"},
            "calls": gt(shop)},
        {"name": "bind", "when": {"anywhere": me, "result": second, "results": first},
            "calls": gt("gt convoy create 'A street with a shop' {{first}} {{second}} --manual")},
        {"name": "hand out", "when": {"anywhere": me, "result": "convoy hq-\\S+ made", "results": first},
            "calls": gt("gt sling {{first}} app")},
        {"name": "rest", "when": {"anywhere": me}, "text": "My turn is over."},
    ])
}

/// Request → beads, a convoy, a sling → landed → SWARM_COMPLETE → what depended on it → landed → the person is told; and
/// then nobody is asked anything any more.
fn builds(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    TownStage::with(outfit, runtime, &mayor(), |town| {
        town.gt(&["mayor", "ask", REQUEST])?;
        let told = town.until("the person to be told", || {
            let inbox = town.facts(&["mail", "inbox"]).ok()?;
            inbox["mail"].as_array()?.iter().find(|mail| mail["subject"] == "Built").cloned()
        })?;
        if told["from"] != "mayor/" {
            return Err(format!("not the mayor told: {told}"));
        }
        let beads = town.facts(&["bead", "list", "--all", "--rig", "app"])?;
        let works: Vec<String> = beads
            .as_array()
            .map_or(Vec::new(), |all| all.iter().filter_map(|bead| bead["id"].as_str().map(str::to_owned)).collect());
        if works.len() != 2 {
            return Err(format!("not two beads: {beads}"));
        }
        works.iter().try_for_each(|bead| town.landed(bead))?;
        town.heard(&["You are the mayor", REQUEST, "SWARM_COMPLETE"])?;
        std::thread::sleep(Duration::from_secs(5));
        let asked = town.fake.asked().len();
        std::thread::sleep(REST);
        let more = town.fake.asked().len() - asked;
        if more > 0 {
            return Err(format!("{more} model calls in {} s with nothing to do", REST.as_secs()));
        }
        Ok(format!("two beads by the mayor's hand, {asked} requests in all, none in {} s of rest", REST.as_secs()))
    })
}

/// A mayor whose turn goes round in circles is ended by the day's cap, after its tool; and goes on by a person's word.
fn capped(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let look =
        json!([{"tool": "Bash", "input": {"command": "gt status >/dev/null; echo LOOKED", "description": "look"}}]);
    let dear = json!({"input": 10_000, "output": 100});
    let rules = json!([
        {"when": {"anywhere": "You are the mayor"}, "unless": {"ran": "LOOKED"}, "calls": look, "usage": dear},
        // Every other answer breaks off, and is asked for and paid all the same.
        {"when": {"anywhere": "You are the mayor", "result": "LOOKED"}, "calls": look, "usage": dear, "fault": "cut-late"},
    ]);
    let quick = Terms::quick(runtime);
    let pace = format!("{}\n[spend]\ndaily_tokens = 100000", quick.pace);
    TownStage::on(outfit, Terms { pace: pace.leak(), ..quick }, &rules, |town| {
        town.gt(&["mayor", "ask", REQUEST])?;
        let text = town.until("the cap", || town.condition("spend"))?["text"].to_string();
        let asked = town.until("the turn's end", || {
            let asked = town.fake.asked().len();
            std::thread::sleep(Duration::from_secs(4));
            (town.fake.asked().len() == asked).then_some(asked)
        })?;
        std::thread::sleep(Duration::from_secs(6));
        if town.fake.asked().len() != asked {
            return Err(format!("{} requests after its turn's end", town.fake.asked().len() - asked));
        }
        if !town.gt(&["mayor", "status"])?.contains("gt resume --spend") {
            return Err(town.gt(&["mayor", "status"])?);
        }
        town.gt(&["resume", "--spend"])?;
        town.gt(&["mayor", "ask", "And now?"])?;
        town.until("its going on", || (town.fake.asked().len() > asked).then_some(()))?;
        Ok(format!("{text}: ended after {asked} requests, and gone on by a person's word"))
    })
}
