//! Agents stay within their mandate: they have their own branch and no remote. A new rig lands only what a person
//! approves.

use crate::town::{RIG, Town, WORK, text};

#[test]
fn f22_a_new_rig_lands_only_what_a_person_approved() {
    let town = Town::asking();
    let before = town.remote_branch("main");
    let bead = town.bead("Ask first");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("a person to be asked", || town.conditions() == ["approval"]);
    town.let_patrols_pass();
    assert_eq!(town.remote_branch("main"), before);
    assert_eq!(town.json(&["mq", "list"])["merge_requests"][0]["status"]["state"], "needs-approval");
    let why = town.ok(&["why", &bead]);
    assert!(why.contains("is green and waits for a person"), "{why}");
    town.ok(&["mq", "approve", &bead]);
    town.wait_closed(&bead);
    assert_eq!((town.landings(&bead), town.conditions()), (1, Vec::new()));
    assert_eq!(town.ask("SELECT approved_by FROM merge_requests"), ["overseer"]);
}

#[test]
fn f22_an_agent_can_not_approve() {
    let town = Town::asking();
    let approve = r#"run = ["sh", "-c", 'gt mq approve --all > $GT_SIM_PLAY_DIR/said 2>&1; true']"#;
    town.script(&format!("{WORK}[[act]]\nstep = \"implement\"\n{approve}\n"));
    let bead = town.bead("Approve myself");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("a person to be asked", || town.conditions() == ["approval"]);
    let said = std::fs::read_to_string(town.folder().join("play/said")).unwrap();
    assert!(said.contains("only a person approves"), "{said}");
    assert_eq!(town.ask("SELECT count(*) FROM merge_requests WHERE approved_by IS NOT NULL"), ["0"]);
}

#[test]
fn f22_a_worker_can_not_push_or_move_other_refs() {
    let town = Town::new();
    town.script(&format!(
        "{WORK}[[act]]\nstep = \"self-review\"\nmisbehave = \"push\"\n\
         [[act]]\nstep = \"self-review\"\nmisbehave = \"move-ref\"\n\
         [[act]]\nstep = \"self-review\"\nrun = [\"sh\", \"-c\", 'git --git-dir \"$(git rev-parse --git-common-dir)\" \
         update-ref refs/heads/mine $(git rev-parse HEAD); git tag mine; true']\n"
    ));
    let bead = town.bead("Misbehave");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_quiet();
    let refs = |repo: &std::path::Path| town.git(repo, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs(&town.remote()), "refs/heads/main");
    let left = refs(&town.repo());
    let foreign: Vec<&str> =
        left.lines().filter(|name| !name.starts_with("refs/gt/") && !name.starts_with("refs/remotes/")).collect();
    assert_eq!(foreign, Vec::<&str>::new(), "foreign refs are undone");
    let status = town.json(&["status"]);
    let told: Vec<String> = status["status"]["needs_you"].as_array().unwrap().iter().map(|c| text(&c["key"])).collect();
    // The tag was never created: the worktree's hook refused it. The deacon finds and undoes what got past the hook.
    let expected = ["refs/heads/mine", "refs/heads/stray"].map(|name| format!("foreign-ref:{RIG}:{name}"));
    assert_eq!(told, expected);
    assert!(left.contains("refs/gt/foreign/"), "what they pointed to is kept: {left}");
    assert!(town.ok(&["why", RIG]).contains("was created by another program"));
    assert_eq!(town.landings(&bead), 1, "the work itself lands all the same");
}

/// Pushes from a clone, with a git that does not have the worktree's settings.
fn push_from_a_clone(to: &str) -> String {
    let push = format!(
        "c=$(mktemp -d) && git clone -q . \"$c/c\" && git -C \"$c/c\" push -q \"$1\" HEAD:refs/heads/{to}; e=$?; \
         rm -rf \"$c\"; exit $e"
    );
    format!(
        "{WORK}[[act]]\nstep = \"self-review\"\nattempt = 1\nrun = [\"sh\", \"-c\", '{push}', \"sh\", \"REMOTE\"]\n"
    )
}

fn check_foreign_push(branch: &str) {
    let town = Town::new();
    let (bead, other) = (town.bead("Push"), town.bead("Be good"));
    let wait = format!("[[act]]\nbead = \"{other}\"\nstep = \"submit-and-exit\"\nsignal = \"ready\"\nawait = \"go\"\n");
    let push = push_from_a_clone(branch).replace("REMOTE", &town.remote().display().to_string());
    let push = push.replace("attempt = 1", &format!("bead = \"{bead}\""));
    town.script(&format!("{wait}{push}"));
    town.ok(&["up"]);
    town.ok(&["sling", &bead, &other, RIG]);
    town.wait_for_mark("ready");
    town.wait_until("the rig to be held", || town.conditions().contains(&"rig-held".to_owned()));
    town.signal("go");
    town.wait_until("the other to be submitted", || {
        town.ask(&format!("SELECT count(*) FROM merge_requests WHERE bead = '{other}'")) == ["1"]
    });
    let before = town.remote_branch("main");
    town.let_patrols_pass();
    assert_eq!(town.remote_branch("main"), before, "nothing more lands");
    assert_eq!((town.landings(&bead), town.landings(&other)), (0, 0));
    let why = town.ok(&["why", RIG]);
    assert!(why.contains(&format!("the remote's branch {branch} got commit")), "{why}");
    assert!(why.contains("which the refinery did not land"), "{why}");
    let third = town.bead("Third");
    let refused = town.gt(&["sling", &third, RIG]);
    assert_eq!((refused.code, refused.err.contains("the rig app is held")), (4, true), "{refused:?}");
    // A person looked at it and lets the rig continue.
    town.ok(&["rig", "release", RIG]);
    town.wait_closed(&other);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&other), 1);
}

#[test]
fn f22_a_workers_push_to_the_trunk_stops_the_rig() {
    check_foreign_push("main");
}

#[test]
fn f22_a_workers_push_to_another_branch_stops_the_rig() {
    check_foreign_push("stray");
}
