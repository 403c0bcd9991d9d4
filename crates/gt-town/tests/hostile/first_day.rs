//! Situations of a new user: mail that must arrive, and removed rigs.

use gt_ledger::{Gating, Priority, Verdict};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::id::MrId;
use gt_town::effects::Wait;
use gt_town::mail::post;
use gt_town::patrol::needs;
use gt_town::refinery::queue::QueueItem;
use gt_town::refinery::review;
use gt_town::town::desired;
use gt_town::view::answer::Answer;
use gt_town::view::doing::{StepAt, WorkerDoing};
use gt_town::view::observe;

use super::*;

fn send(scene: &Scene, from: &Caller, to: &str, subject: &str) -> gt_town::Result<BeadId> {
    post::send_from(&scene.town, from, &[to.to_owned()], subject, "what I need", Priority::Normal)
}

fn subjects(scene: &Scene, of: &Address) -> Vec<String> {
    post::inbox(&scene.town, of, false).unwrap().into_iter().map(|mail| mail.subject).collect()
}

fn needs(scene: &Scene) -> Vec<String> {
    let all = scene.town.ledger.read(|view| needs::all(view, &[])).unwrap();
    all.into_iter().map(|need| need.condition.text).collect()
}

fn worker_of(scene: &Scene, bead: &BeadId) -> Address {
    scene.attempts(bead).pop().unwrap().address()
}

#[test]
fn mail_to_a_worker_reaches_only_its_attempt() {
    let mut scene = scene(TOWN, &["app"]);
    let first = scene.slung("First");
    let amber = worker_of(&scene, &first);
    let as_text = amber.to_string();
    send(&scene, &Caller::overseer(), &as_text, "About the first").unwrap();
    assert_eq!(subjects(&scene, &amber), ["About the first"]);
    scene.work(&first, "one.txt");
    let refused = send(&scene, &Caller::overseer(), &as_text, "Too late").unwrap_err();
    assert!(matches!(&refused, Error::Refused { .. }) && refused.to_string().contains(first.as_str()), "{refused}");
    for _ in 0..30 {
        scene.look();
    }
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    scene.look();
    let refused = send(&scene, &Caller::overseer(), &as_text, "Far too late").unwrap_err();
    assert!(refused.to_string().contains("not at work any more"), "{refused}");

    let second = scene.slung("Second");
    assert_eq!(worker_of(&scene, &second), amber, "the name is used again");
    assert_eq!(subjects(&scene, &amber), [""; 0], "the first worker never read it, and it is not the second's");
    let undelivered = scene.town.ledger.read(|view| Ok::<_, Error>(view.undelivered(&amber, Priority::Low)?)).unwrap();
    assert!(undelivered.is_empty());
    send(&scene, &Caller::overseer(), &as_text, "About the second").unwrap();
    assert_eq!(subjects(&scene, &amber), ["About the second"]);
}

#[test]
fn a_worker_s_call_for_help_reaches_people() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("Ask");
    let worker = Caller::role(worker_of(&scene, &bead));
    for (to, subject) in [
        ("app/witness", format!("HELP {bead}")),
        ("app/refinery", "the trunk is red".to_owned()),
        ("deacon/", format!("ESCALATION {bead}")),
        ("overseer", "Which colour?".to_owned()),
    ] {
        send(&scene, &worker, to, &subject).unwrap();
        scene.look();
        refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
        let needs = needs(&scene);
        let expected = format!("{} writes: {subject}", worker.address);
        assert!(needs.contains(&expected), "{to}: {needs:?}");
        let code = Address::parse(to).unwrap();
        assert!(!post::is_code(&code) || subjects(&scene, &code).is_empty(), "{to} has handled it");
    }
    let mayor = subjects(&scene, &Address::Mayor);
    assert!(!mayor.iter().any(|subject| subject.starts_with("HELP")), "there is none: {mayor:?}");
    for mail in scene.town.ledger.read(post::for_overseer).unwrap() {
        post::read(&scene.town, &Address::Overseer, &mail.id).unwrap();
    }
    assert!(!needs(&scene).iter().any(|need| need.contains(" writes: ")), "{:?}", needs(&scene));
}

#[test]
fn many_mails_are_shortened_to_one_screen() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("Ask");
    let worker = Caller::role(worker_of(&scene, &bead));
    for n in 0..7 {
        send(&scene, &worker, "overseer", &format!("Question {n}")).unwrap();
    }
    let needs = needs(&scene);
    assert_eq!((needs.len(), needs[5].as_str()), (6, "2 more of agents' mail to you are unread"));
}

#[test]
fn a_removed_rig_leaves_nothing_that_needs_a_person() {
    let mut scene = scene(TOWN, &["app", "apple"]);
    let given_up = scene.slung("One");
    let caller = Caller::overseer();
    scene.done(&given_up, Exit::Escalated).unwrap();
    for _ in 0..30 {
        scene.look();
    }
    let town = &scene.town;
    let raised = |tx: &gt_ledger::Tx<'_>| {
        for (kind, subject) in [
            ("rig-held", "app"),
            ("trunk-red", "app"),
            ("paused", "app"),
            ("foreign-ref", "app:refs/heads/x"),
            ("agent", "app:idle"),
            ("denied", "app/polecats/amber npm run build"),
            ("limit", "app"),
            ("rig-held", "apple"),
            ("paused", "<town>"),
        ] {
            tx.raise(ConditionKind::parse(kind), subject, "it is so")?;
        }
        Ok::<_, Error>(())
    };
    town.ledger.write("test", "raise", raised).unwrap();
    assert!(scene.conditions().contains(&format!("quarantine:{given_up}")), "{:?}", scene.conditions());
    rig::remove(town, &caller, &scene.rig("app"), false).unwrap();
    assert_eq!(scene.conditions(), ["limit:app", "paused:<town>", "rig-held:apple"], "these are not the rig's");
}

fn doing(scene: &Scene, bead: &BeadId) -> WorkerDoing {
    let status = observe::status(&scene.town).unwrap();
    status.workers.into_iter().find(|worker| &worker.bead == bead).unwrap().doing
}

#[test]
fn a_waiting_worker_names_what_it_waits_for() {
    let mut scene = scene(&format!("max_polecats = 2\n{TOWN}"), &["app", "lib"]);
    let (one, two) = (scene.slung("One"), scene.bead_of("lib", "Two"));
    scene.sling("lib", std::slice::from_ref(&two));
    scene.look();
    let three = scene.slung("Three");
    let holders = ["app/polecats/amber", "lib/polecats/amber"].map(|text| Address::parse(text).unwrap());
    let slots = WorkerDoing::Waits(Wait::Slots(2, holders.into()));
    assert_eq!(doing(&scene, &three), slots);
    let answer = observe::why(&scene.town, &three).unwrap().answer;
    assert!(matches!(&answer, Answer::OnHook { doing, .. } if *doing == slots), "{answer:?}");
    let caller = Caller::overseer();
    desired::pause(&scene.town, &caller, Some(scene.rig("app").name())).unwrap();
    assert_eq!(doing(&scene, &three), WorkerDoing::Waits(Wait::Paused));
    desired::resume(&scene.town, &caller, Some(scene.rig("app").name())).unwrap();
    let limited = |tx: &gt_ledger::Tx<'_>| tx.raise(ConditionKind::Limit, "idle", "used up").map_err(Error::from);
    scene.town.ledger.write("test", "raise", limited).unwrap();
    assert_eq!(doing(&scene, &three), WorkerDoing::Waits(Wait::Parked("idle".to_owned())));
    let works = doing(&scene, &one);
    assert!(matches!(works, WorkerDoing::Works(StepAt::Step { number: 1, of: 1, .. })), "{works:?}");
}

/// Records a run of the gates of app, as a refinery does.
fn gating(scene: &Scene, batch: &[MrId], begun_at: jiff::Timestamp) -> Gating {
    Gating {
        rig: scene.rig("app").name().clone(),
        label: "0123456789".to_owned(),
        commit: "0".repeat(40).as_str().into(),
        batch: batch.to_vec(),
        gate: Some("test".to_owned()),
        place: 1,
        gates: 2,
        begun_at,
        gate_begun_at: begun_at,
    }
}

#[test]
fn status_shows_gates_only_while_a_process_runs_them() {
    let mut scene = scene(TOWN, &["app"]);
    scene.world.disk().create_dir(Path::new("/town/deacon/locks")).unwrap();
    let (one, two) = (scene.slung("One"), scene.slung("Two"));
    for bead in [&one, &two] {
        scene.work(bead, &format!("{bead}.txt"));
    }
    let queue = |scene: &Scene| observe::status(&scene.town).unwrap().queue;
    let ids: Vec<MrId> = queue(&scene).into_iter().map(|item| item.mr.id).collect();
    let begun = scene.town.world().clock().now();
    let record = gating(&scene, &ids[..1], begun);
    scene.town.ledger.write("test", "gating", |tx| tx.set_gating(&record).map_err(Error::from)).unwrap();
    assert!(queue(&scene).iter().all(|item| item.gating.is_none()), "a killed refinery's record says nothing");

    let turn = scene.town.lock(&scene.rig("app").gates_lane()).unwrap();
    scene.world.advance(Duration::from_secs(75));
    let items = queue(&scene);
    let running = items[0].gating.as_ref().unwrap();
    assert_eq!(running.elapsed_s, 75);
    // The proof of the trunk counts as a run, which took no time here.
    assert_eq!(running.words(&ids[0]), "gate test (1 of 2) has run for 1 min 15 s, all gates usually take 0 s");
    assert!(items[1].gating.is_none(), "it is not in the batch");
    let why = observe::why(&scene.town, &one).unwrap();
    let is_gated = |item: &QueueItem| item.mr.id == ids[0] && item.gating.is_some();
    assert!(matches!(&why.answer, Answer::InQueue { item, .. } if is_gated(item)), "{:?}", why.answer);
    drop(turn);

    // The next run begins with its own record, and leaves none.
    for _ in 0..30 {
        scene.look();
    }
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    let left = scene.town.ledger.read(|view| Ok::<_, Error>(view.gating(&record.rig)?)).unwrap();
    assert_eq!((left, scene.bead(&one).status), (None, Status::Closed));
}

#[test]
fn the_usual_duration_is_the_median_of_green_runs_of_the_same_gates() {
    let scene = scene(TOWN, &["app"]);
    let rig = scene.rig("app").name().clone();
    let usual =
        |scene: &Scene| scene.town.ledger.read(|view| Ok::<_, Error>(view.usual_gate_ms(&rig, "now")?)).unwrap();
    assert_eq!(usual(&scene), None);
    for (n, (hash, passed, took_ms)) in
        [("now", true, 4000), ("now", true, 9000), ("now", true, 5000), ("now", false, 1), ("then", true, 2)]
            .into_iter()
            .enumerate()
    {
        let verdict = Verdict { passed, failure: None, log: String::new(), took_ms, warm: false };
        let tree = format!("{n:040}").as_str().into();
        let set = |tx: &gt_ledger::Tx<'_>| tx.set_verdict(&rig, &tree, hash, &verdict).map_err(Error::from);
        scene.town.ledger.write("test", "verdict", set).unwrap();
    }
    assert_eq!(usual(&scene), Some(5000));
}

#[test]
fn only_a_bead_s_own_commits_are_counted() {
    let mut scene = scene(TOWN, &["app"]);
    let (slow, quick) = (scene.slung("Slow"), scene.slung("Quick"));
    scene.work(&quick, "quick.txt");
    for _ in 0..30 {
        scene.look();
    }
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    scene.look();
    assert_eq!(scene.bead(&quick).status, Status::Closed);
    // After a rebase, the other worker's commit is below its own.
    scene.commit(&slow, "slow.txt");
    let refs = scene.town.world().repo().refs(&scene.rig("app").layout.repo()).unwrap();
    scene.world.rebase(&scene.worktree(&slow), &refs[&scene.rig("app").trunk_ref()], false).unwrap();
    scene.done(&slow, Exit::Completed).unwrap();
    let commits = |scene: &Scene| review::show(&scene.town, slow.as_str()).unwrap().commits;
    assert_eq!(commits(&scene), Some(1));
    for _ in 0..30 {
        scene.look();
    }
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    scene.look();
    assert_eq!((scene.bead(&slow).status, commits(&scene)), (Status::Closed, Some(1)));
}
