//! Usage of agents, its caps, and API outages. The test plays the clients: a transcript, and marks.

use gt_ledger::{AttemptOutcome, Incarnation};
use gt_model::clients::Client;
use gt_model::condition::ConditionKind;
use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, NUDGE_LINE};
use gt_town::admission::spend;
use gt_town::admission::usage::{self, By, Report};
use gt_town::moments;
use gt_town::patrol::witness;
use gt_world::Clock;
use jiff::SignedDuration;
use serde_json::json;

use super::*;

const TRANSCRIPT: &str = "/home/.claude/projects/x/s.jsonl";
const HEARING: &str = "[agents.hears]\ncommand = [\"hears\"]\ninput = \"stream-json\"\nusage = { format = \"none\" }\n";
const HOUR: u64 = 3600;

/// Creates a town whose agents accept input, with these caps, and prices of one model.
fn town(caps: &str) -> Scene {
    let prices = "[prices]\ndate = \"then\"\n[prices.models]\nknown = { input = 10, output = 50 }\n";
    let scene = scene(&format!("{TOWN}{HEARING}{prices}[spend]\n{caps}"), &["app"]);
    set_rig(&scene.town, "app", &RIG.replace("idle", "hears"));
    scene
}

/// Returns a line of a transcript.
fn answer(id: &str, model: &str, input: u64, at: &str) -> String {
    let usage = json!({ "input_tokens": input, "output_tokens": 0 });
    json!({ "type": "assistant", "timestamp": at, "message": { "id": id, "model": model, "usage": usage } }).to_string()
        + "\n"
}

impl Scene {
    fn begun(&mut self, title: &str) -> BeadId {
        let bead = self.bead_of("app", title);
        self.sling("app", std::slice::from_ref(&bead));
        self.look();
        bead
    }

    fn incarnations(&self, bead: &BeadId) -> Vec<Incarnation> {
        let attempt = self.attempts(bead).pop().unwrap().id;
        self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt)?)).unwrap()
    }

    fn newest(&self, bead: &BeadId) -> IncarnationId {
        self.incarnations(bead).pop().unwrap().id
    }

    fn mark(&self, bead: &BeadId, name: &str) {
        self.world.advance(Duration::from_millis(1));
        let mark = Mark::at(u64::try_from(self.world.monotonic().as_micros()).unwrap());
        let path = self.town.layout.moments(&self.newest(bead)).join(name);
        self.world.disk().mark(&path, serde_json::to_string(&mark).unwrap().as_bytes()).unwrap();
    }

    /// Starts a session of the client of a bead's worker.
    fn session(&self, bead: &BeadId, transcript: &str, source: &str) {
        let input = json!({ "session_id": "s", "transcript_path": transcript, "source": source }).to_string();
        moments::start(&self.town, &self.newest(bead), Client::Claude, input.as_bytes()).unwrap();
    }

    fn says(&self, file: &str, text: &str) {
        self.world.disk().write(Path::new(file), text.as_bytes()).unwrap();
    }

    /// Ends the client's turn, and lets the deacon look.
    fn turn_over(&mut self, bead: &BeadId) {
        self.mark(bead, "prompt");
        self.mark(bead, "after-tool");
        let waiting =
            Mark { background: 1, ..Mark::at(u64::try_from(self.world.monotonic().as_micros()).unwrap() + 1) };
        let path = self.town.layout.moments(&self.newest(bead)).join("stop");
        self.world.disk().mark(&path, serde_json::to_string(&waiting).unwrap().as_bytes()).unwrap();
        self.look();
    }

    fn took(&self, by: By) -> Vec<(String, u64)> {
        let Report { rows, .. } = usage::report(&self.town, by, "").unwrap();
        rows.into_iter().map(|row| (row.key.unwrap_or_default(), row.cost.tokens)).collect()
    }

    fn day(&self) -> String {
        self.world.now().to_string()[..10].to_owned()
    }

    fn now(&self) -> String {
        self.world.now().to_string()
    }

    fn heard(&self, bead: &BeadId) -> usize {
        let heard = self.world.heard(&self.town.layout.session(&self.newest(bead)));
        heard.iter().filter(|line| *line == NUDGE_LINE).count()
    }

    fn is_capped(&self) -> bool {
        self.conditions().contains(&"spend:town".to_owned())
    }

    /// Lets time pass, with looks in between as a deacon makes them.
    fn pass(&mut self, seconds: u64) {
        let step = if seconds >= HOUR { 100 } else { 20 };
        for _ in 0..seconds.div_ceil(step) {
            self.world.advance(Duration::from_secs(step));
            deacon::look(&self.town, &mut self.memory).unwrap();
        }
    }
}

#[test]
fn usage_is_counted_once_however_often_it_is_read() {
    let mut scene = town("");
    let bead = scene.begun("One");
    scene.session(&bead, TRANSCRIPT, "startup");
    let first = answer("a", "known-1", 100, &scene.now());
    scene.says(TRANSCRIPT, &format!("{first}{first}junk\n"));
    scene.says("/home/.claude/projects/x/s/subagents/agent-1.jsonl", &answer("sub", "known-1", 7, &scene.now()));
    scene.turn_over(&bead);
    assert_eq!(scene.took(By::Bead), [(bead.to_string(), 107)]);
    scene.says(TRANSCRIPT, &format!("{first}{first}junk\n{}", answer("b", "new", 30, &scene.now())));
    // Another deacon, which does not know what was read.
    scene.memory = Memory::default();
    scene.turn_over(&bead);
    assert_eq!(scene.took(By::Model), [("known-1".to_owned(), 107), ("new".to_owned(), 30)]);
    // After /clear the client has another transcript, and the first one still counts.
    scene.session(&bead, "/home/.claude/projects/x/t.jsonl", "clear");
    scene.says("/home/.claude/projects/x/t.jsonl", &answer("c", "known-1", 1000, &scene.now()));
    scene.work(&bead, "one.txt");
    for _ in 0..6 {
        scene.look();
    }
    assert_eq!(scene.took(By::Worker), [("app/polecats/amber".to_owned(), 1137)]);
    assert_eq!(scene.took(By::Agent), [("hears".to_owned(), 1137)]);
    let cost = scene.town.ledger.read(|view| usage::of_bead(&scene.town, view, &bead)).unwrap();
    assert_eq!(cost.words(), "1.1k tokens, about $0.01 plus the unknown cost of new");
    assert_eq!(usage::report(&scene.town, By::Day, "2999-01-01").unwrap().rows.len(), 0);
}

#[test]
fn a_resumed_session_does_not_count_earlier_usage_again() {
    let mut scene = town("");
    let bead = scene.begun("One");
    let old = answer("old", "known-1", 5000, &scene.now());
    scene.says(TRANSCRIPT, &old);
    scene.world.advance(Duration::from_secs(9));
    scene.session(&bead, TRANSCRIPT, "resume");
    scene.world.advance(Duration::from_secs(1));
    scene.says(TRANSCRIPT, &format!("{old}{}", answer("own", "known-1", 3, &scene.now())));
    scene.turn_over(&bead);
    assert_eq!(scene.took(By::Bead), [(bead.to_string(), 3)]);
}

#[test]
fn a_transcript_at_an_unsafe_path_is_not_read() {
    let mut scene = town("");
    let bead = scene.begun("One");
    scene.says("/secret", &answer("a", "known-1", 5000, &scene.now()));
    scene.world.disk().link(Path::new("/home/link.jsonl"), Path::new("/secret")).unwrap();
    for path in ["/home/link.jsonl", "relative.jsonl", "/home", "/nowhere.jsonl"] {
        scene.session(&bead, path, "clear");
        scene.turn_over(&bead);
    }
    assert_eq!(scene.took(By::Bead), []);
}

#[test]
fn a_reached_daily_cap_starts_nothing_until_the_next_day_or_a_persons_command() {
    let mut scene = town("daily_tokens = 1000\n");
    let bead = scene.begun("One");
    scene.session(&bead, TRANSCRIPT, "startup");
    scene.says(TRANSCRIPT, &answer("a", "known-1", 999, &scene.now()));
    scene.turn_over(&bead);
    assert!(!scene.is_capped());
    scene.says(TRANSCRIPT, &(answer("a", "known-1", 999, &scene.now()) + &answer("b", "known-1", 1, &scene.now())));
    scene.turn_over(&bead);
    assert!(scene.is_capped());
    let next = scene.begun("Two");
    assert!(scene.attempts(&next)[0].base.is_none() && scene.incarnations(&bead).len() == 1);
    // A clock that is set back does not lift the cap.
    scene.world.turn_wall_clock(SignedDuration::from_hours(-48));
    scene.look();
    assert!(scene.is_capped());
    scene.world.turn_wall_clock(SignedDuration::from_hours(48));
    scene.look();
    assert!(!spend::resume(&scene.town, &Caller::role(scene.attempts(&bead)[0].address())).is_ok_and(|news| news));
    assert!(spend::resume(&scene.town, &Caller::overseer()).unwrap());
    scene.look();
    assert!(!scene.is_capped());
    assert!(scene.attempts(&next)[0].base.is_some());
    // As much again as the cap, and no more.
    let more = answer("a", "known-1", 1000, &scene.now()) + &answer("c", "known-1", 1000, &scene.now());
    scene.says("/more.jsonl", &more);
    scene.session(&bead, "/more.jsonl", "clear");
    scene.turn_over(&bead);
    assert!(scene.is_capped());
    let (day, third) = (scene.day(), scene.begun("Three"));
    while scene.day() == day {
        assert!(scene.attempts(&third)[0].base.is_none());
        scene.pass(HOUR);
    }
    scene.look();
    assert!(!scene.is_capped(), "another day");
    assert!(scene.attempts(&third)[0].base.is_some());
}

#[test]
fn a_raised_cap_applies_at_once_and_a_passed_day_ends_a_cap_whatever_the_clock_says() {
    let mut scene = town("daily_usd = 0.001\n");
    let bead = scene.begun("One");
    scene.session(&bead, TRANSCRIPT, "startup");
    scene.says(TRANSCRIPT, &answer("a", "known-1", 100, &scene.now()));
    scene.turn_over(&bead);
    assert!(scene.is_capped());
    let toml = |usd: &str| {
        format!("{TOWN}{HEARING}[prices.models]\nknown = {{ input = 10, output = 50 }}\n[spend]\ndaily_usd = {usd}\n")
    };
    scene.says("/town/town.toml", &toml("1"));
    scene.look();
    assert!(!scene.is_capped());
    scene.says("/town/town.toml", &toml("0.0001"));
    scene.look();
    assert!(scene.is_capped());
    scene.world.turn_wall_clock(SignedDuration::from_hours(-24 * 365));
    scene.pass(23 * HOUR);
    assert!(scene.is_capped());
    scene.pass(2 * HOUR);
    assert!(!scene.is_capped());
}

#[test]
fn an_attempt_over_its_cap_is_parked_with_its_work_for_a_person() {
    let mut scene = town("attempt_tokens = 1000\n");
    let bead = scene.begun("One");
    scene.commit(&bead, "one.txt");
    scene.session(&bead, TRANSCRIPT, "startup");
    scene.says(TRANSCRIPT, &answer("a", "known-1", 1000, &scene.now()));
    scene.turn_over(&bead);
    for _ in 0..3 {
        scene.look();
    }
    let attempt = scene.attempts(&bead).pop().unwrap();
    assert_eq!((attempt.outcome, scene.bead(&bead).status), (Some(AttemptOutcome::Parked), Status::Open));
    assert!(attempt.snapshot.is_some() && attempt.archived_at.is_some());
    let refs = scene.world.repo().refs(&scene.rig("app").layout.repo()).unwrap();
    assert!(refs.contains_key(&format!("refs/heads/{}", attempt.branch)), "{refs:?}");
    assert_eq!(scene.conditions(), [format!("quarantine:{bead}")]);
    assert!(scene.world.live_sessions().is_empty());
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    assert_eq!((scene.bead(&bead).status, scene.conditions().len()), (Status::InProgress, 0), "a person has looked");
}

#[test]
fn f20_during_an_api_outage_no_worker_is_replaced_and_one_tries_first() {
    let mut scene = town("");
    let beads = [scene.begun("One"), scene.begun("Two")];
    let third = scene.bead_of("app", "Three");
    for bead in &beads {
        scene.mark(bead, "prompt");
        scene.mark(bead, "outage");
    }
    let heard = |scene: &Scene| beads.each_ref().map(|bead| scene.heard(bead));
    scene.look();
    assert_eq!((scene.conditions(), heard(&scene)), (vec!["outage:hears".to_owned()], [0, 0]));
    scene.sling("app", std::slice::from_ref(&third));
    scene.look();
    assert!(scene.attempts(&third)[0].base.is_none(), "nothing is begun");
    scene.pass(40);
    assert_eq!(heard(&scene), [1, 0], "one tries");
    scene.mark(&beads[0], "prompt");
    scene.mark(&beads[0], "outage");
    // The try fails, so the pause doubles.
    scene.pass(100);
    assert_eq!(heard(&scene), [1, 0]);
    scene.pass(60);
    assert_eq!(heard(&scene), [2, 0]);
    scene.mark(&beads[0], "prompt");
    scene.pass(60);
    assert_eq!((scene.conditions(), heard(&scene)), (vec!["outage:hears".to_owned()], [2, 0]), "no answer yet");
    scene.mark(&beads[0], "before-tool");
    scene.pass(20);
    assert_eq!(heard(&scene), [2, 1], "there was an answer: all go on");
    scene.mark(&beads[1], "prompt");
    scene.look();
    assert_eq!((scene.conditions(), beads.each_ref().map(|bead| scene.incarnations(bead).len())), (vec![], [1, 1]));
    assert!(scene.attempts(&third)[0].base.is_some());
}

#[test]
fn f20_a_worker_that_ends_in_an_api_outage_starts_again_without_a_failure() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.begun("One");
    for (tries, minutes) in [1, 2, 4, 8, 15, 15].into_iter().enumerate() {
        scene.mark(&bead, "outage");
        scene.pass(minutes * 60);
        assert_eq!(scene.incarnations(&bead).len(), tries + 1);
        // These clients accept no input, so the worker that tries starts again.
        scene.pass(120);
        assert_eq!(scene.incarnations(&bead).len(), tries + 2);
    }
    assert_eq!(scene.conditions(), [format!("outage:{}", "idle")]);
    scene.mark(&bead, "prompt");
    scene.mark(&bead, "after-tool");
    scene.look();
    assert_eq!(scene.conditions(), [""; 0]);
    let explained = witness::explain(&scene.town, &scene.attempts(&bead)[0]).unwrap();
    assert!(explained.facts.iter().any(|fact| fact.starts_with("incarnations that count: 1 of ")), "{explained:?}");
}

#[test]
fn f20_a_limit_ends_at_the_recorded_time_and_not_at_the_printed_one() {
    let mut scene = town("");
    let bead = scene.begun("One");
    scene.session(&bead, TRANSCRIPT, "startup");
    scene.mark(&bead, "limit");
    scene.look();
    let until = |scene: &Scene| {
        let condition =
            scene.town.ledger.read(|view| Ok::<_, Error>(view.condition(ConditionKind::Limit, "hears")?)).unwrap();
        condition.unwrap().until.unwrap()
    };
    let reset = scene.world.now().as_second() + 7200;
    assert!(until(&scene).as_second() < reset, "half an hour for want of a word");
    scene.says(TRANSCRIPT, &format!("{}\n", json!({ "type": "assistant", "quotaLimits": { "resetsAt": reset } })));
    scene.look();
    assert_eq!(until(&scene).as_second(), reset);
    scene.pass(7100);
    assert_eq!((scene.conditions().len(), scene.incarnations(&bead).len()), (1, 1));
    scene.pass(200);
    assert_eq!((scene.conditions().len(), scene.incarnations(&bead).len()), (0, 2));
}
