//! The mayor, played by the real client like its workers: from what a person asks for to the answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::town::{Runtime, TownStage};
use super::{Outfit, Scenario};

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-mayor-headless", run: |outfit| builds(outfit, Runtime::Headless) },
    Scenario { name: "town-mayor-tmux", run: |outfit| builds(outfit, Runtime::Tmux) },
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
