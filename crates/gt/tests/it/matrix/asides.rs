//! Acts that the main story does not contain: verbs of people, workers that hang, crash and move refs, failing
//! acts, a red trunk, a rig without gates.

use std::time::Duration;

use gt::demo::story::RIG;
use gt::sim::script::Script;
use gt_model::bead::{Bead, Status};
use gt_model::jsonl::{self, Record};
use gt_model::queue::MrEnd;
use gt_town::Error;
use gt_town::patrol::standing::{self, AgentDoing};
use gt_world::Disk as _;
use serde_json::Value;

use crate::simulated::{REMOTE, SimTown};

/// Settings that make workers die and hang within few rounds.
pub const SETTINGS: &str = "max_polecats = 4\nlinger_seconds = 0\nback_off_seconds = 0\nmax_incarnations = 3\n\
                            quiet_minutes = 1\n";

/// Bead whose first worker hangs and whose next one lands.
const HANGS: &str = "demo-h1";
/// Bead whose workers die at once.
const CRASHES: &str = "demo-k1";
/// Bead that a person takes back.
const UNSLUNG: &str = "demo-u1";

const SCRIPT: &str = r#"
[[act]]
bead = "demo-h1"
step = "load-context"
incarnation = 1
misbehave = "hang"

[[act]]
bead = "demo-h1"
step = "implement"
write = { "lib/bench.sh" = "bench() { echo \"room\"; }\n", "tests/bench.sh" = "expect \"$(bench)\" \"room\"\n" }
commit = "Set up a bench"

[[act]]
bead = "demo-k1"
misbehave = "crash"

[[act]]
bead = "demo-u1"
misbehave = "hang"

[[act]] # whatever else there is: it is put off
step = "implement"
incarnation = 1
run = ["gt", "done", "--status", "deferred", "--message", "some other day"]
misbehave = "exit"
"#;

/// Returns the workers' script.
pub fn script() -> Script {
    Script::parse(SCRIPT).unwrap()
}

/// The remote of a second rig, which has no gates.
const BARE_REMOTE: &str = "https://forge.invalid/bare.git";

/// Limit on the rounds until any awaited event.
const LIMIT: u32 = 600;

/// Longer than one look, so that pauses and periods of silence end soon.
const SOON: Duration = Duration::from_secs(3);

/// Plays all acts. Returns the number of rounds since an actor died.
pub fn play(town: &SimTown) -> u32 {
    let mut aside = Aside { town, recovery: 0 };
    aside.people_write();
    aside.rig_without_gates();
    aside.acts_fail();
    aside.standing_agents();
    aside.workers_misbehave();
    aside.trunk_is_red();
    aside.lands();
    aside.settings_are_damaged();
    aside.until("everything to be cleared away", |town| {
        let left = town.town.ledger.read(|view| {
            Ok::<_, Error>(
                view.open_effects()?.len() + view.present_attempts()?.len() + view.live_incarnations()?.len(),
            )
        });
        left.unwrap() == 0
    });
    aside.recovery
}

struct Aside<'t> {
    town: &'t SimTown,
    recovery: u32,
}

impl Aside<'_> {
    fn rounds(&mut self, count: u32) {
        for _ in 0..count {
            self.town.tick();
            self.town.export();
            self.town.world.advance(SOON);
            self.recovery += u32::from(!self.town.kills.deaths().is_empty());
        }
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&SimTown) -> bool) {
        for _ in 0..LIMIT {
            if is_so(self.town) {
                return;
            }
            self.rounds(1);
        }
        panic!("waited in vain for {what}: {}\n{:?}", self.town.gt(&["status"]), self.town.errors());
    }

    /// Calls a verb that creates something. Returns its id.
    fn made(&self, args: &[&str], path: &str) -> String {
        let text = self.town.gt(&[args, &["--json"]].concat());
        let document: Value = serde_json::from_str(&text).unwrap();
        document.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {text}")).to_owned()
    }

    fn people_write(&self) {
        let now = self.town.town.world().clock().now();
        let beads = [HANGS, CRASHES, UNSLUNG].map(|id| Record::Bead(Box::new(Bead::new(id.into(), id, now))));
        self.town.import(&jsonl::write(&beads));
        let (one, two) = (self.bead("One"), self.bead("Two"));
        self.town.gt(&["bead", "dep", "add", &one, &two]);
        self.town.gt(&["bead", "dep", "remove", &one, &two]);
        let convoy = self.made(&["convoy", "create", "Both", &one], "/convoy/id");
        self.town.gt(&["convoy", "add", &convoy, &two]);
        self.town.gt(&["bead", "close", &one, &two]);
        self.town.gt(&["mail", "send", "overseer", "-s", "Hello", "-m", "Good day"]);
        let mail = self.town.town.ledger.read(|view| Ok::<_, Error>(view.all_mail()?)).unwrap();
        let hello = mail.iter().find(|mail| mail.subject == "Hello").unwrap();
        self.town.gt(&["mail", "read", hello.id.as_str()]);
        self.town.gt(&["pause"]);
        self.town.gt(&["resume"]);
    }

    fn bead(&self, title: &str) -> String {
        self.made(&["bead", "create", title, "--rig", RIG], "/id")
    }

    fn rig_without_gates(&self) {
        self.town.world.add_remote(BARE_REMOTE, "main", &[("README.md", "Nothing else\n")]);
        self.town.gt(&["rig", "add", "bare", BARE_REMOTE, "--prefix", "ba", "--yes"]);
        self.edit("bare", |text| text.replace("version = 1", "version = 1\nallow_ungated = true"));
        self.town.gt(&["rig", "release", "bare"]);
        self.town.gt(&["rig", "remove", "bare", "--yes"]);
    }

    fn edit(&self, rig: &str, change: impl FnOnce(String) -> String) {
        let path = self.town.town.layout.root.join(rig).join("rig.toml");
        let text = String::from_utf8(self.town.world.read(&path).unwrap().unwrap()).unwrap();
        self.town.world.write(&path, change(text).as_bytes()).unwrap();
    }

    /// Makes adding a worktree fail until the engine gives up, and lets a person retry it.
    fn acts_fail(&mut self) {
        self.town.gt(&["do", "Look around", "--rig", RIG]);
        // A call that was repeated after a kill made two of them. One failure more than needed, because a killed actor
        // may have used one without recording it.
        let present = self.town.town.ledger.read(|view| Ok::<_, Error>(view.present_attempts()?.len())).unwrap();
        for _ in 0..=present * gt_model::effect::EFFECT_TRIES as usize {
            self.town.world.fail_next("add_worktree", "disk full");
        }
        self.until("all acts to be given up", |town| {
            let open = town.town.ledger.read(|view| Ok::<_, Error>(view.open_effects()?)).unwrap();
            condition(town, "effect") && open.iter().all(|row| row.gave_up)
        });
        self.town.gt(&["doctor", "--retry"]);
        self.until("the bead to be put off", |town| {
            town.town.ledger.read(|view| Ok::<_, Error>(view.present_attempts()?.is_empty())).unwrap()
        });
    }

    /// Asks, stops and starts a mayor, and adds and removes crew.
    fn standing_agents(&mut self) {
        self.town.gt(&["crew", "add", RIG, "ann"]);
        self.town.gt(&["crew", "start", RIG, "ann"]);
        self.town.gt(&["mayor", "ask", "What is there?"]);
        self.until("both to sleep", asleep(2));
        self.town.gt(&["mayor", "stop"]);
        self.town.gt(&["mayor", "start"]);
        self.until("the mayor to sleep", asleep(2));
        self.town.gt(&["mayor", "stop"]);
        self.town.gt(&["crew", "remove", RIG, "ann"]);
    }

    fn workers_misbehave(&mut self) {
        self.edit(RIG, |text| text.replace("landing = \"auto\"", "landing = \"ask\""));
        self.town.gt(&["sling", HANGS, CRASHES, UNSLUNG, RIG]);
        self.until("the bead to be recovered", |town| condition(town, "quarantine"));
        self.make_stray_branch();
        self.town.gt(&["unsling", UNSLUNG]);
        self.town.gt(&["bead", "close", CRASHES, UNSLUNG]);
    }

    /// Creates a branch as a worker would, in any worktree.
    fn make_stray_branch(&self) {
        let polecats = self.town.town.layout.root.join(RIG).join("polecats");
        let worktree = polecats.join(&self.town.world.list(&polecats).unwrap()[0]);
        let head = self.town.world.head(&worktree).unwrap();
        self.town.world.move_ref(&worktree, "refs/heads/stray", Some(&head)).unwrap();
    }

    fn trunk_is_red(&mut self) {
        let commit = |text: &str| {
            self.town.world.commit_to_remote(REMOTE, "main", &[("lib/broken.sh", text)], "News").unwrap();
        };
        commit("broken\n");
        self.until("the trunk to be found red", |town| condition(town, "trunk-red"));
        self.town.world.commit_to_remote(REMOTE, "main", &[("lib/broken.sh", "# Mended.\n")], "News").unwrap();
        self.town.gt(&["refinery", "run", "--once", RIG]);
    }

    fn lands(&mut self) {
        self.until("the question", |town| condition(town, "approval"));
        self.town.world.fail_next("push", "the line is cut");
        self.town.gt(&["mq", "approve", "--all"]);
        self.until("the landing", |town| {
            let requests = town.town.ledger.read(|view| Ok::<_, Error>(view.merge_requests()?)).unwrap();
            requests.iter().any(|mr| mr.outcome == Some(MrEnd::Merged))
        });
    }

    /// Damages a settings file: a patrol fails until the file is whole again.
    fn settings_are_damaged(&mut self) {
        let path = self.town.town.layout.root.join(RIG).join("rig.toml");
        let sound = self.town.world.read(&path).unwrap().unwrap();
        self.town.world.write(&path, b"{ damaged").unwrap();
        self.town.look();
        self.town.look();
        assert!(condition(self.town, "patrol"));
        self.town.world.write(&path, &sound).unwrap();
        self.until("the patrol to go well", |town| !condition(town, "patrol"));
    }
}

/// Returns whether this many standing agents have read their mail.
fn asleep(count: usize) -> impl Fn(&SimTown) -> bool {
    move |town| {
        let all = standing::all(&town.town).unwrap();
        all.iter().filter(|agent| agent.mail == 0 && agent.doing == AgentDoing::Asleep).count() == count
    }
}

fn condition(town: &SimTown, kind: &str) -> bool {
    let found =
        town.town.ledger.read(|view| Ok::<_, Error>(view.conditions()?.iter().any(|c| c.kind.as_str() == kind)));
    found.unwrap()
}

/// Returns everything that is wrong.
pub fn problems(town: &SimTown) -> Vec<String> {
    let mut problems = Vec::new();
    let status = |id: &str| town.town.ledger.read(|view| Ok::<_, Error>(view.bead(&id.into())?.map(|b| b.status)));
    for bead in [HANGS, CRASHES, UNSLUNG] {
        if status(bead).unwrap() != Some(Status::Closed) {
            problems.push(format!("{bead} is not closed"));
        }
    }
    let landed = town.landed();
    if landed != [HANGS] {
        problems.push(format!("on the trunk: {landed:?}"));
    }
    let agents = standing::all(&town.town).unwrap();
    let agents: Vec<_> = agents.into_iter().map(|agent| (agent.agent.address.to_string(), agent.doing)).collect();
    if agents != [("mayor/".to_owned(), AgentDoing::Stopped)] {
        problems.push(format!("standing agents: {agents:?}"));
    }
    let conditions = town.town.ledger.read(|view| Ok::<_, Error>(view.conditions()?)).unwrap();
    // A condition about a foreign ref is left for a person to see.
    let unexpected = conditions.iter().filter(|c| c.kind.as_str() != "foreign-ref");
    problems.extend(unexpected.map(|c| format!("condition {}: {}", c.kind, c.text)));
    problems
}
