//! The mayor, played by the real client like its workers: from a person's request to the answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::asking::{as_it_comes, asked_nothing, whole_log};
use super::town::{Runtime, Terms, TownStage};
use super::{Outfit, Scenario};

/// The scenarios of this module.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-mayor-headless", run: |outfit| builds(outfit, Runtime::Headless) },
    Scenario { name: "town-mayor-tmux", run: |outfit| builds(outfit, Runtime::Tmux) },
    Scenario { name: "town-cap-headless", run: |outfit| capped(outfit, Runtime::Headless) },
    Scenario { name: "town-cap-tmux", run: |outfit| capped(outfit, Runtime::Tmux) },
];

/// The person's request.
const REQUEST: &str = "A street with a shop, please";

/// How long a mayor without work is watched.
const REST: Duration = Duration::from_secs(15);

/// A request to the mayor, and the beads that the mayor makes of it: one piece, and one that depends on it.
pub struct Plan {
    /// Words of the person's request.
    pub request: &'static str,
    /// A file of the project that the mayor reads first.
    pub file: &'static str,
    /// The piece that can begin.
    pub first: &'static str,
    /// The piece that depends on it.
    pub second: &'static str,
    /// Whether the mayor slings the second piece itself, or leaves that to the deacon.
    pub is_manual: bool,
}

/// Words with which a mayor tells the person that everything is built.
pub const BUILT: &str = "All of it is built";

impl Plan {
    /// Returns this mayor's rules. It first reads the code, with the client's tool and in a shell as agents do.
    /// When a batch is over, it slings what is ready; when nothing is ready, it tells the person. Each rule looks at what was
    /// said and done so far, never at the number of requests.
    pub fn rules(&self) -> Value {
        let gt = |command: &str| json!([{"tool": "Bash", "input": {"command": command, "description": "hand out"}}]);
        let Self { request, file, first: first_title, second: second_title, is_manual } = *self;
        let me = "You are the mayor";
        let first = format!("(?<first>[a-z]+-[a-z0-9]+) created: {first_title}");
        let second = format!("(?<second>[a-z]+-[a-z0-9]+) created: {second_title}");
        let make_first = format!("gt bead create '{first_title}' --rig app --acceptance 'there is a file'");
        let make_second =
            format!("gt bead create '{second_title}' --rig app --acceptance 'there is a file' --deps {{{{first}}}}");
        let manual = if is_manual { " --manual" } else { "" };
        let bind = format!("gt convoy create '{request}' {{{{first}}}} {{{{second}}}}{manual}");
        let town = [me, "it is (?<town>/\\S+)/bin/gt\\."];
        let read = json!([{"tool": "Read", "input": {"file_path": format!("{{{{town}}}}/app/mayor/rig/{file}")}}]);
        let look = gt(&format!(
            "cd {{{{town}}}}/app/mayor/rig && ls && rg -n . {file} | head -3; cat {file}; sed -n 1,3p {file}; \
             git log --oneline -3; git -C {{{{town}}}}/app/mayor/rig show --stat HEAD; echo THE-CODE-IS-READ"
        ));
        let tell = gt(&format!("gt mail send overseer -s Built -m '{BUILT}.'"));
        json!([
            {"name": "batch over", "when": {"anywhere": me, "last": if is_manual { "SWARM_COMPLETE" } else { "Convoy landed" },
                "results": second}, "calls": gt("gt bead ready --rig app")},
            {"name": "go on", "when": {"anywhere": me, "result": second_title, "ran": "gt bead ready", "results": second},
                "calls": gt("gt sling {{second}} app")},
            {"name": "tell", "when": {"anywhere": me, "ran": "gt bead ready", "result": "^\\s*$|no |nothing|BEAD"},
                "unless": {"ran": "-s Built"}, "calls": tell},
            {"name": "read", "when": {"anywhere": town, "last": request}, "unless": {"ran": "Read: "}, "calls": read},
            {"name": "look", "when": {"anywhere": town, "ran": "Read: "}, "unless": {"ran": "THE-CODE-IS-READ"}, "calls": look},
            {"name": "plan", "when": {"anywhere": me, "result": "THE-CODE-IS-READ"}, "calls": gt(&make_first)},
            {"name": "plan on", "when": {"anywhere": me, "result": first}, "calls": gt(&make_second)},
            {"name": "bind", "when": {"anywhere": me, "result": second, "results": first}, "calls": gt(&bind)},
            {"name": "hand out", "when": {"anywhere": me, "result": "convoy hq-\\S+ made", "results": first},
                "calls": gt("gt sling {{first}} app && gt mail send overseer -s Planned -m 'Two beads, one after the other.'")},
            {"name": "rest", "when": {"anywhere": me}, "text": "My turn is over."},
        ])
    }
}

const STREET: Plan =
    Plan { request: REQUEST, file: "notes.txt", first: "Lay the street", second: "Open a shop", is_manual: true };

/// Request → reading the code → beads, a convoy, a sling → landed → SWARM_COMPLETE → the dependent bead → landed → the mayor
/// tells the person. The person has not said what agents may do, and no one is asked. After that, the model gets no more
/// requests.
fn builds(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    TownStage::on(outfit, as_it_comes(runtime), &STREET.rules(), |town| {
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
        town.heard(&["You are the mayor", REQUEST, "SWARM_COMPLETE", "THE-CODE-IS-READ"])?;
        asked_nothing(&town.fake, &whole_log(town)?)?;
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

/// The day's cap ends a mayor whose turn goes round in circles, after its tool. A person's command lets it continue.
fn capped(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let look =
        json!([{"tool": "Bash", "input": {"command": "gt status >/dev/null; echo LOOKED", "description": "look"}}]);
    let dear = json!({"input": 10_000, "output": 100});
    let rules = json!([
        {"when": {"anywhere": "You are the mayor"}, "unless": {"ran": "LOOKED"}, "calls": look, "usage": dear},
        // Every other answer breaks off; it counts as a request and costs money all the same.
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
