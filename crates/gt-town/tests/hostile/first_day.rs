//! What a new user meets: mail that must arrive, rigs that were removed.

use gt_model::address::Address;
use gt_town::ledger::Priority;
use gt_town::{needs, post};

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
fn mail_to_a_worker_is_for_its_attempt_only() {
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
    assert!(needs(&scene).is_empty(), "{:?}", needs(&scene));
}

#[test]
fn many_mails_fill_no_screen() {
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
    let raised = |tx: &gt_town::ledger::Tx<'_>| {
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
            tx.raise(kind, subject, "it is so")?;
        }
        Ok::<_, Error>(())
    };
    town.ledger.write("test", "raise", raised).unwrap();
    assert!(scene.conditions().contains(&format!("quarantine:{given_up}")), "{:?}", scene.conditions());
    rig::remove(town, &caller, &scene.rig("app"), false).unwrap();
    assert_eq!(scene.conditions(), ["limit:app", "paused:<town>", "rig-held:apple"], "these are not the rig's");
}
