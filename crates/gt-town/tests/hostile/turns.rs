//! Turns of the mayor and crew, which no attempt's cap limits. The test plays the clients: a transcript, and marks.

use gt_ledger::{AgentChoice, Incarnation};
use gt_model::address::Address;
use gt_model::clients::Client;
use gt_model::id::IncarnationId;
use gt_model::moment::{Moment, NUDGE_LINE};
use gt_town::admission::spend;
use gt_town::mail::post;
use gt_town::moments::{self, Call};
use gt_town::patrol::standing::{self, AgentDoing};
use gt_world::Clock;
use serde_json::json;

use super::*;

const TRANSCRIPT: &str = "/home/.claude/projects/m/s.jsonl";

/// Creates a town with these caps whose mayor has begun.
fn begun(caps: &str) -> Scene {
    let hearing = "[agents.hears]\ncommand = [\"hears\"]\ninput = \"stream-json\"\nusage = { format = \"none\" }\n[mayor]\nagent = \"hears\"\n";
    let prices = "[prices.models]\nknown = { input = 10, output = 50 }\n";
    let mut scene = scene(&format!("{TOWN}{hearing}{prices}[spend]\n{caps}"), &["app"]);
    scene.world.disk().create_dir(Path::new("/town/mayor")).unwrap();
    standing::start(&scene.town, &Caller::overseer(), &Address::Mayor, &AgentChoice::default()).unwrap();
    scene.look();
    let input = json!({ "session_id": "s", "transcript_path": TRANSCRIPT, "source": "startup" }).to_string();
    moments::start(&scene.town, &scene.mayor().id, Client::Claude, input.as_bytes()).unwrap();
    scene
}

impl Scene {
    fn mayor(&self) -> Incarnation {
        let newest = |view: &gt_ledger::View<'_>| view.newest_incarnation_of_agent(&Address::Mayor);
        self.town.ledger.read(|view| Ok::<_, Error>(newest(view)?)).unwrap().unwrap()
    }

    fn mayor_is_over(&self) -> bool {
        self.mayor().ended_at.is_some()
    }

    /// Calls a hook of the mayor's client. Returns whether it was told to end its turn.
    fn calls(&self, moment: Moment, more: &serde_json::Value) -> bool {
        self.world.advance(Duration::from_millis(5));
        let caller = Caller { incarnation: Some(self.mayor().id), ..Caller::role(Address::Mayor) };
        let mut input = json!({ "session_id": "s", "hook_event_name": "X", "cwd": "/town/mayor", "tool_name": "Read" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let input = input.to_string();
        let call = Call { client: Client::Claude, moment, input: input.as_bytes(), seen: None };
        let answer = moments::answer(&self.town, &caller, &call).unwrap().unwrap_or_default();
        answer.contains("\"continue\":false") || answer.contains("\"decision\":\"block\"")
    }

    /// Uses a tool. Returns whether the turn ends with it.
    fn tool(&self) -> bool {
        self.calls(Moment::BeforeTool, &json!({})) || self.calls(Moment::AfterTool, &json!({}))
    }

    fn prompt(&self, words: &str) -> bool {
        self.calls(Moment::Prompt, &json!({ "prompt": words }))
    }

    /// Records an answer of the model with this many tokens.
    fn answers(&self, id: &str, tokens: u64) {
        self.world.advance(Duration::from_millis(5));
        let usage = json!({ "input_tokens": tokens, "output_tokens": 0 });
        let line = json!({ "type": "assistant", "timestamp": self.world.now().to_string(),
            "message": { "id": id, "model": "known-1", "usage": usage } });
        let before = self.world.disk().read(Path::new(TRANSCRIPT)).unwrap().unwrap_or_default();
        let text = [before, format!("{line}\n").into_bytes()].concat();
        self.world.disk().write(Path::new(TRANSCRIPT), &text).unwrap();
    }

    fn once(&mut self) {
        self.world.advance(Duration::from_secs(1));
        deacon::look(&self.town, &mut self.memory).unwrap();
    }

    fn mayor_was_nudged(&self) -> usize {
        let id: IncarnationId = self.mayor().id;
        let heard = self.world.heard(&self.town.layout.session(&id));
        heard.iter().filter(|line| *line == NUDGE_LINE).count()
    }

    fn mail_mayor(&self) {
        self.town
            .ledger
            .write("x", "mail", |tx| post::send(tx, Address::Overseer, vec![Address::Mayor], "Do", "this"))
            .unwrap();
    }
}

#[test]
fn the_daily_cap_ends_the_mayors_turn_after_its_tool_and_starts_no_other() {
    let mut scene = begun("daily_usd = 1\n");
    assert!(!scene.prompt("plan") && !scene.tool());
    // 1.20 dollars, in the middle of a turn: the very next look notices it, not one half a minute later.
    scene.answers("a", 120_000);
    assert!(!scene.calls(Moment::BeforeTool, &json!({})), "nothing is known of it yet");
    scene.once();
    assert_eq!(scene.conditions(), ["spend:town"]);
    assert!(scene.calls(Moment::AfterTool, &json!({})), "the tool that it was in is its last");
    assert!(scene.prompt("go on all the same"), "no turn is begun");
    scene.mail_mayor();
    for _ in 0..20 {
        scene.look();
    }
    assert_eq!((scene.mayor_was_nudged(), scene.mayor_is_over()), (0, false), "mail wakes it only when that is over");
    let doing = standing::status(&scene.town, &Address::Mayor).unwrap().doing;
    assert!(matches!(&doing, AgentDoing::Capped(why) if why.contains("gt resume --spend")), "{doing:?}");
    assert!(spend::resume(&scene.town, &Caller::overseer()).unwrap());
    scene.look();
    assert!(scene.mayor_was_nudged() > 0);
    assert!(!scene.prompt("plan on") && !scene.tool());
}

#[test]
fn a_denied_tool_or_one_of_a_subagent_ends_the_turn_too() {
    let mut scene = begun("daily_tokens = 100\n");
    scene.prompt("plan");
    scene.answers("a", 100);
    scene.once();
    assert!(scene.calls(Moment::BeforeTool, &json!({ "agent_id": "sub" })), "its own agents' tools are refused");
    assert!(scene.calls(Moment::BeforeTool, &json!({ "tool_name": "Bash", "tool_input": { "command": "sudo x" } })));
}

#[test]
fn a_turn_over_the_attempt_cap_ends_and_a_persons_command_starts_another() {
    let mut scene = begun("attempt_tokens = 1000\n");
    scene.prompt("plan");
    scene.answers("a", 600);
    scene.calls(Moment::Stop, &json!({}));
    scene.look();
    // A new turn does not count usage of earlier ones.
    scene.prompt("more");
    scene.answers("b", 600);
    scene.once();
    assert_eq!(scene.conditions(), [""; 0]);
    scene.answers("c", 400);
    scene.once();
    assert_eq!(scene.conditions(), ["turn-spend:mayor/"]);
    assert!(scene.tool(), "it ends");
    scene.mail_mayor();
    scene.look();
    assert_eq!(scene.mayor_was_nudged(), 0);
    let inbox = scene.town.ledger.read(|view| Ok::<_, Error>(view.inbox(&Address::Overseer, false)?)).unwrap();
    assert!(inbox.iter().any(|mail| mail.body.contains("a turn of mayor/ used more than one turn may")), "{inbox:?}");
    assert!(spend::resume(&scene.town, &Caller::overseer()).unwrap());
    scene.look();
    assert_eq!(scene.conditions(), [""; 0], "counted anew, though no turn ended since");
    assert!(scene.mayor_was_nudged() > 0);
    assert!(!scene.prompt("on") && !scene.tool());
}

#[test]
fn a_refused_stop_ends_no_turn_and_another_deacon_knows_the_usage() {
    let mut scene = begun("attempt_tokens = 1000\n");
    scene.prompt("plan");
    scene.answers("a", 600);
    scene.mail_mayor();
    let urgent = json!({});
    scene.calls(Moment::AfterTool, &urgent);
    scene.memory = Memory::default();
    scene.answers("b", 500);
    scene.once();
    assert_eq!(scene.conditions(), ["turn-spend:mayor/"]);
}

#[test]
fn a_client_that_ignores_the_end_of_its_turn_loses_its_session() {
    let mut scene = begun("daily_tokens = 100\n");
    scene.prompt("plan");
    scene.answers("a", 100);
    scene.once();
    // During a long tool the client does not call its model.
    for _ in 0..60 {
        scene.once();
    }
    assert!(!scene.mayor_is_over());
    for id in ["b", "c", "d"] {
        scene.answers(id, 100);
        scene.once();
    }
    scene.look();
    assert!(scene.mayor_is_over());
    let before = scene.mayor().id;
    scene.mail_mayor();
    for _ in 0..20 {
        scene.look();
    }
    assert_eq!(scene.mayor().id, before, "and is not started again");
    spend::resume(&scene.town, &Caller::overseer()).unwrap();
    scene.look();
    assert_ne!(scene.mayor().id, before);
}

#[test]
fn a_worker_at_the_daily_cap_continues_up_to_twice_the_cap() {
    let mut scene = begun("daily_tokens = 1000\n");
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    let worker = scene.attempts(&bead)[0].clone();
    let run = scene.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(worker.id)?)).unwrap().pop().unwrap();
    let input = json!({ "session_id": "w", "transcript_path": "/w.jsonl", "source": "startup" }).to_string();
    moments::start(&scene.town, &run.id, Client::Claude, input.as_bytes()).unwrap();
    let took = |scene: &Scene, tokens: u64| {
        let line = json!({ "type": "assistant", "timestamp": scene.world.now().to_string(), "message": {
            "id": format!("w{tokens}"), "model": "known-1", "usage": { "input_tokens": tokens } } });
        let before = scene.world.disk().read(Path::new("/w.jsonl")).unwrap().unwrap_or_default();
        scene.world.disk().write(Path::new("/w.jsonl"), &[before, format!("{line}\n").into_bytes()].concat()).unwrap();
    };
    scene.answers("mayor", 500);
    took(&scene, 600);
    scene.look();
    assert_eq!(
        (scene.conditions(), scene.attempts(&bead)[0].ended_at.is_some()),
        (vec!["spend:town".to_owned()], false)
    );
    took(&scene, 1400);
    scene.look();
    assert!(scene.attempts(&bead)[0].ended_at.is_some(), "by itself twice as much as all may in a day");
}

#[test]
fn asking_a_mayor_without_a_kind_of_agent_names_the_setting() {
    let check = |town_toml: &str, rigs: &[&str], what: &str, hint: &str| {
        let scene = scene(town_toml, rigs);
        let error = gt_town::patrol::mayor::ask(&scene.town, &Caller::overseer(), "Are you there?").unwrap_err();
        let told = (error.to_string(), error.hint().unwrap_or_default());
        assert!(told.0.contains(what) && told.1.contains(hint), "{told:?}");
        assert!(scene.town.ledger.read(|view| view.agents()).unwrap().is_empty(), "nothing was begun");
    };
    let hint = "at the top of /town/town.toml";
    check(
        TOWN,
        &["app"],
        "app has agent = \"idle\", for its own workers and crew only",
        &format!("agent = \"idle\" {hint}"),
    );
    check(TOWN, &[], "no kind of agent is set for the mayor", &format!("agent = \"<kind>\" {hint}"));
    check(&format!("{TOWN}[mayor]\nagent = \"nope\"\n"), &["app"], "no kind of agent is called `nope`", "");
}
