//! Agents that can't begin: limits, API outages, logins. The test's clock moves only on command.

use std::time::Duration;

use gt::demo::story::RIG;
use gt::sim::script::Script;
use gt_ledger::{Condition, LedgerError};
use gt_model::address::Address;
use gt_model::bead::{Bead, Status};
use gt_model::jsonl::{self, Record};
use gt_town::Error;
use gt_town::patrol::standing::AgentDoing;
use gt_world::{Exit, World as _};
use jiff::SignedDuration;

use crate::simulated::{ClientManner, SimTown};

/// Limit on the rounds until any awaited event.
const LIMIT: u32 = 1000;

const WORK: &str = r#"
[[act]]
bead = "demo-a"
step = "implement"
append = { "README.md" = "\nOne.\n" }
commit = "Work"

[[act]]
bead = "demo-b"
step = "implement"
write = { "notes/two.txt" = "Two.\n" }
commit = "Work"
"#;

/// A town whose agents are clients.
fn town() -> SimTown {
    let settings = "linger_seconds = 0\nback_off_seconds = 0\n[agents.claude]\nstagger_seconds = 0\n";
    let town = SimTown::new(settings, &Script::parse(WORK).unwrap());
    town.edit_rig(|text| format!("agent = \"claude\"\n{text}"));
    town
}

/// Creates a bead and slings it.
fn slung(town: &SimTown, id: &str) {
    let bead = Bead::new(id.into(), "Work", town.town.world().clock().now());
    town.import(&jsonl::write(&[Record::Bead(Box::new(bead))]));
    town.gt(&["sling", id, RIG]);
}

fn until(town: &SimTown, what: &str, is_so: impl Fn(&SimTown) -> bool) {
    let found = (0..LIMIT).any(|_| {
        town.tick();
        is_so(town)
    });
    assert!(found, "{what}: {:?}, {:?}\n{}", conditions(town), town.errors(), town.last_said(20));
}

/// Lets this much time pass, with looks in between.
fn pass(town: &SimTown, how_long: Duration) {
    let end = town.world.clock().monotonic() + how_long;
    while town.world.clock().monotonic() < end {
        let left = end - town.world.clock().monotonic();
        town.world.advance(left.min(Duration::from_secs(50)));
        town.tick();
    }
}

fn conditions(town: &SimTown) -> Vec<Condition> {
    town.town.ledger.read(|view| Ok::<_, Error>(view.conditions()?)).unwrap()
}

fn keys(town: &SimTown) -> Vec<String> {
    conditions(town).into_iter().map(|condition| condition.key).collect()
}

fn until_closed(town: &SimTown, id: &str) {
    until(town, "the end of the work", |town| {
        let bead = town.town.ledger.read(|view| Ok::<_, Error>(view.bead(&id.into())?)).unwrap();
        bead.is_some_and(|bead| bead.status == Status::Closed)
    });
}

fn opened(town: &SimTown) -> usize {
    town.events().iter().filter(|event| event.event == "incarnation-opened").count()
}

/// Returns how often a person got an escalation.
fn escalations(town: &SimTown) -> usize {
    let inbox = town.town.ledger.read(|view| Ok::<_, Error>(view.inbox(&Address::Overseer, false)?)).unwrap();
    inbox.iter().filter(|mail| mail.subject.starts_with("ESCALATION")).count()
}

/// Checks that slung workers wait for the limit that the first one met at its start, and that the limit ends without a
/// person.
fn check_limit(words: &'static str, until_time: &str, turned: i64) {
    let town = town();
    *town.client.borrow_mut() = ClientManner::Exit(words);
    slung(&town, "demo-a");
    until(&town, "the limit", |town| !conditions(town).is_empty());
    slung(&town, "demo-b");
    let limit = conditions(&town).remove(0);
    assert_eq!(limit.key, "limit:claude", "{limit:?}");
    assert!(limit.text.contains(words.lines().next().unwrap()), "{limit:?}");
    assert_eq!(&limit.until.unwrap().to_string()[..16], until_time);
    let left = limit.until.unwrap().duration_since(town.world.clock().now());
    town.world.turn_wall_clock(SignedDuration::from_hours(turned));
    pass(&town, left.unsigned_abs() - Duration::from_secs(90));
    let seen = (keys(&town), opened(&town), escalations(&town));
    assert_eq!(seen, (vec!["limit:claude".to_owned()], 1, 0), "nobody is started, or asked");

    *town.client.borrow_mut() = ClientManner::Well;
    pass(&town, Duration::from_secs(120));
    until_closed(&town, "demo-a");
    until_closed(&town, "demo-b");
    assert_eq!((keys(&town), opened(&town)), (vec![], 3));
    assert_eq!(town.errors(), [""; 0]);
}

#[test]
fn f20_a_limit_met_at_a_start_ends_at_its_stated_time() {
    // The world begins at midnight UTC.
    check_limit("You've hit your limit · resets 3pm (Europe/Berlin)", "2030-01-01T14:00", 0);
    check_limit("Claude usage limit reached\nresets in 2h", "2030-01-01T02:00", 0);
}

#[test]
fn f20_a_limit_without_a_stated_end_is_tried_again_after_half_an_hour() {
    check_limit("Claude usage limit reached. Your limit will reset at 3am", "2030-01-01T00:30", 0);
    // A clock that is set back makes no wait longer.
    check_limit("Claude usage limit reached.", "2030-01-01T00:30", -48);
}

#[test]
fn f20_a_limit_that_continues_counts_as_no_failure_of_a_worker() {
    let town = town();
    *town.client.borrow_mut() = ClientManner::Exit("You've hit your weekly limit");
    slung(&town, "demo-a");
    until(&town, "the limit", |town| keys(town) == ["limit:claude"]);
    pass(&town, Duration::from_hours(12));
    assert!(opened(&town) > 22, "tried every half an hour: {}", opened(&town));
    assert_eq!(keys(&town), ["limit:claude"]);
    *town.client.borrow_mut() = ClientManner::Well;
    pass(&town, Duration::from_mins(30));
    until_closed(&town, "demo-a");
    let attempts = town.events().iter().filter(|event| event.event == "attempt-opened").count();
    assert_eq!((keys(&town), attempts), (vec![], 1));
}

#[test]
fn f20_a_worker_that_never_began_starts_afresh_after_a_limit_on_its_screen() {
    let town = town();
    *town.client.borrow_mut() = ClientManner::Ask("Claude usage limit reached · resets in 1h");
    slung(&town, "demo-a");
    until(&town, "the limit", |town| keys(town) == ["limit:claude"]);
    *town.client.borrow_mut() = ClientManner::Well;
    pass(&town, Duration::from_mins(58));
    assert_eq!((keys(&town), opened(&town)), (vec!["limit:claude".to_owned()], 1), "it is left alone");
    pass(&town, Duration::from_mins(4));
    until_closed(&town, "demo-a");
    assert_eq!((keys(&town), opened(&town)), (vec![], 2));
}

/// Checks that one worker at a time tries an API that does not answer, after pauses that double.
fn check_outage(manner: ClientManner) {
    let town = town();
    *town.client.borrow_mut() = manner;
    slung(&town, "demo-a");
    until(&town, "the outage", |town| keys(town) == ["outage:claude"]);
    slung(&town, "demo-b");
    pass(&town, Duration::from_secs(45));
    assert_eq!((keys(&town), opened(&town)), (vec!["outage:claude".to_owned()], 1));
    pass(&town, Duration::from_secs(30));
    until(&town, "the second try", |town| opened(town) == 2);
    // The pause is two minutes now.
    pass(&town, Duration::from_secs(100));
    assert_eq!((keys(&town), opened(&town)), (vec!["outage:claude".to_owned()], 2));
    *town.client.borrow_mut() = ClientManner::Well;
    pass(&town, Duration::from_secs(60));
    until_closed(&town, "demo-a");
    pass(&town, Duration::from_mins(11));
    until_closed(&town, "demo-b");
    assert_eq!((keys(&town), opened(&town), escalations(&town)), (vec![], 4, 0));
}

#[test]
fn f20_one_worker_tries_an_api_that_does_not_answer_at_a_start() {
    check_outage(ClientManner::Exit("API Error: 529 Overloaded"));
    check_outage(ClientManner::Ask("Unable to connect to Anthropic services"));
}

/// Creates a town with a mayor that is a client, and starts it.
fn with_mayor(manner: ClientManner) -> SimTown {
    let town = town();
    *town.client.borrow_mut() = manner;
    town.gt(&["mayor", "start", "--agent", "claude"]);
    town
}

fn mayor_session(town: &SimTown) -> std::path::PathBuf {
    let mayor = Address::Mayor;
    let newest = town.town.ledger.read(|view| Ok::<_, Error>(view.newest_incarnation_of_agent(&mayor)?)).unwrap();
    town.town.layout.session(&newest.unwrap().id)
}

fn doing(town: &SimTown) -> AgentDoing {
    gt_town::patrol::standing::status(&town.town, &Address::Mayor).unwrap().doing
}

#[test]
fn f20_a_mayor_whose_api_does_not_answer_retries_in_its_session_after_pauses_that_double() {
    let town = with_mayor(ClientManner::Well);
    until(&town, "its start", |town| matches!(doing(town), AgentDoing::Runs(_)));
    (0..5).for_each(|_| town.tick());
    *town.client.borrow_mut() = ClientManner::Tell("outage");
    town.gt(&["mail", "send", "mayor/", "-s", "A question"]);
    until(&town, "the outage", |town| keys(town) == ["outage:claude"]);
    let (dir, lines) = (mayor_session(&town), |town: &SimTown| town.world.heard(&mayor_session(town)).len());
    assert_eq!(lines(&town), 1);
    slung(&town, "demo-a");
    pass(&town, Duration::from_secs(45));
    assert_eq!(lines(&town), 1, "it waits, as workers do");
    until(&town, "its first try", |town| lines(town) == 2);
    pass(&town, Duration::from_secs(110));
    assert_eq!((lines(&town), opened(&town)), (2, 1), "two minutes now, and nobody else tries");
    *town.client.borrow_mut() = ClientManner::Well;
    until(&town, "its second try", |town| lines(town) == 3);
    until(&town, "the end of the outage", |town| keys(town).is_empty());
    until_closed(&town, "demo-a");
    assert_eq!((mayor_session(&town), lines(&town)), (dir, 3), "in the same session, and no further line");
}

#[test]
fn f20_a_mayor_that_meets_a_limit_or_an_outage_at_its_start_starts_again_by_itself() {
    for (words, key, pause) in [
        ("Claude usage limit reached, resets in 3h", "limit:claude", Duration::from_hours(3)),
        ("API Error: 500", "outage:claude", Duration::from_secs(60)),
    ] {
        let town = with_mayor(ClientManner::Exit(words));
        until(&town, "the limit", |town| keys(town) == [key]);
        pass(&town, pause - Duration::from_secs(30));
        assert_eq!((keys(&town), opened(&town)), (vec![key.to_owned()], 1));
        *town.client.borrow_mut() = ClientManner::Well;
        until(&town, "its second start", |town| opened(town) == 2 && matches!(doing(town), AgentDoing::Runs(_)));
        pass(&town, Duration::from_mins(15));
        assert_eq!((keys(&town), opened(&town)), (vec![], 2));
    }
}

#[test]
fn f20_a_mayor_that_does_not_start_is_reported_once_and_not_restarted_forever() {
    for (words, name, starts) in [
        ("Not logged in · Please run /login", "nobody is logged in", 1),
        ("Segmentation fault", "it ends before it has begun", 2),
    ] {
        let town = with_mayor(ClientManner::Exit(words));
        until(&town, "a person to be told", |town| keys(town) == ["start:mayor/"]);
        pass(&town, Duration::from_mins(20));
        let told = conditions(&town).remove(0).text;
        assert!(told.contains(name) && told.contains("gt doctor --retry") && told.contains(words), "{told}");
        assert_eq!((keys(&town), opened(&town)), (vec!["start:mayor/".to_owned()], starts));
        let found = doing(&town);
        assert!(matches!(&found, AgentDoing::Fails(why) if why.contains(name)), "{found:?}");
        *town.client.borrow_mut() = ClientManner::Well;
        town.gt(&["doctor", "--retry"]);
        until(&town, "its start", |town| matches!(doing(town), AgentDoing::Runs(_)));
        assert_eq!((keys(&town), opened(&town)), (vec![], starts + 1));
    }
}

#[test]
fn f20_a_mayor_that_is_silent_past_the_deadline_is_reported_and_not_ended() {
    let town = with_mayor(ClientManner::Ask("…"));
    pass(&town, Duration::from_secs(100));
    assert_eq!(keys(&town), [""; 0], "its time is not over");
    // The second look is the first that compares with an earlier one.
    pass(&town, Duration::from_secs(150));
    assert_eq!(keys(&town), ["start:mayor/"]);
    assert!(conditions(&town)[0].text.contains("no sign of life by the deadline"));
    pass(&town, Duration::from_hours(2));
    assert_eq!((keys(&town), opened(&town)), (vec!["start:mayor/".to_owned()], 1));
    // A person stops it.
    *town.client.borrow_mut() = ClientManner::Well;
    town.gt(&["mayor", "stop"]);
    assert_eq!(keys(&town), [""; 0]);
    town.gt(&["mayor", "start"]);
    until(&town, "its start", |town| matches!(doing(town), AgentDoing::Runs(_)));
}

#[test]
fn f24_only_the_newest_past_of_a_standing_agent_is_read() {
    let town = town();
    let newest = |above: u32, at_most: u32| {
        let mayor = &Address::Mayor;
        let found = town.town.ledger.read(|view| view.newest_incarnations_of_agent(mayor, above, at_most));
        found.unwrap_or_else(|error: LedgerError| panic!("{error}")).iter().map(|i| i.number).collect::<Vec<_>>()
    };
    assert_eq!(newest(0, 9), [0; 0]);
    let opened = town.town.ledger.write("overseer", "agent start", |tx| {
        let mayor = tx.add_agent(&Address::Mayor)?;
        let end = Exit { code: Some(0), signal: None, reason: "exited".to_owned() };
        for number in 1..=100 {
            let id = tx.open_agent_incarnation(&mayor)?;
            if number != 50 {
                let incarnation = tx.incarnation(&id)?.unwrap();
                tx.record_end(&incarnation, None, &end)?;
            }
        }
        tx.live_incarnations_of_agent(&Address::Mayor)
    });
    assert_eq!(opened.unwrap_or_else(|error: LedgerError| panic!("{error}")).len(), 1);
    assert_eq!(newest(0, 3), [98, 99, 100]);
    assert_eq!(newest(99, 9), [100]);
    assert_eq!(newest(100, 9), [0; 0]);
}

#[test]
fn f20_crew_that_does_not_start_is_reported_whatever_the_rigs_workers_do() {
    let town = town();
    town.gt(&["crew", "add", RIG, "max"]);
    *town.client.borrow_mut() = ClientManner::Exit("Not logged in · Please run /login");
    town.gt(&["crew", "start", RIG, "max"]);
    let key = "start:street/crew/max";
    until(&town, "a person to be told", |town| keys(town) == [key]);
    *town.client.borrow_mut() = ClientManner::Well;
    slung(&town, "demo-a");
    until_closed(&town, "demo-a");
    assert_eq!((keys(&town), opened(&town)), (vec![key.to_owned()], 2), "its own start is not tried again for that");
    town.gt(&["crew", "start", RIG, "max"]);
    until(&town, "its start", |town| keys(town).is_empty() && opened(town) == 3);
}

#[test]
fn standing_agents_and_workers_of_a_kind_start_one_after_the_other() {
    let settings = "[agents.claude]\nstagger_seconds = 30\n";
    let town = SimTown::new(settings, &Script::parse(WORK).unwrap());
    town.edit_rig(|text| format!("agent = \"claude\"\n{text}"));
    *town.client.borrow_mut() = ClientManner::Ask("…");
    town.gt(&["mayor", "start", "--agent", "claude"]);
    until(&town, "its start", |town| town.world.live_sessions().len() == 1);
    slung(&town, "demo-a");
    pass(&town, Duration::from_secs(20));
    assert_eq!(town.world.live_sessions().len(), 1, "the worker waits for the mayor's first moment");
    *town.client.borrow_mut() = ClientManner::Well;
    // Its time has passed.
    pass(&town, Duration::from_secs(20));
    until_closed(&town, "demo-a");
}
