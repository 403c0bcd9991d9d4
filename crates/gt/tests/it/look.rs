//! A person looks at the work and decides what becomes of it.

use crate::town::{GT, RIG, Town, WORK, finish, output, text, write};

/// Creates a town whose rig needs approval, with one bead whose green work waits for it.
fn waiting() -> (Town, String, String) {
    let town = Town::asking();
    let bead = town.bead("Look at me");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let mr = wait_for_green(&town, &bead);
    (town, bead, mr)
}

/// Waits until the newest work on a bead is green. Returns its merge request.
fn wait_for_green(town: &Town, bead: &str) -> String {
    let newest = format!("SELECT id FROM merge_requests WHERE bead = '{bead}' AND ended_at IS NULL");
    town.wait_until("the work to be green", || town.conditions() == ["approval"] && town.ask(&newest).len() == 1);
    town.ask(&newest).remove(0)
}

fn work_of(bead: &str) -> String {
    format!("work/{bead}.txt")
}

#[test]
fn mq_show_and_diff_show_work_before_it_lands() {
    let (town, bead, mr) = waiting();
    town.push_a_commit("beside.txt", "the trunk went on\n");
    town.ok(&["rig", "fetch", RIG]);
    let shown = town.json(&["mq", "show", &bead]);
    assert_eq!(
        (text(&shown["schema"]), text(&shown["merge_request"]["id"])),
        ("gt.merge-request/1".into(), mr.clone())
    );
    assert_eq!(shown["merge_request"]["commits"], 1);
    assert_eq!(shown["merge_request"]["verdict"]["passed"], true);
    let patch = town.ok(&["mq", "diff", &mr]);
    assert!(patch.contains(&format!("+++ b/{}", work_of(&bead))) && patch.contains("+done"), "{patch}");
    assert!(!patch.contains("beside.txt") && !patch.contains('\u{1b}'), "the work alone, plain in a pipe: {patch}");
    let stat = town.ok(&["mq", "diff", &mr, "--stat"]);
    assert!(stat.contains("1 file changed, 1 insertion(+)") && !stat.contains("+done"), "{stat}");
    let facts = town.json(&["mq", "diff", &bead]);
    assert_eq!((text(&facts["schema"]), &facts["diff"]["lands"]), ("gt.mq-diff/1".into(), &true.into()));
    assert_eq!(text(&facts["diff"]["onto"]), town.remote_branch("main"), "against the trunk as it is now");
    let log = town.json(&["mq", "log", &mr]);
    assert_eq!(
        (text(&log["schema"]), text(&log["log"]["gates"][0]["gate"])),
        ("gt.mq-log/1".into(), "run-tests".into())
    );
    assert!(town.ok(&["mq", "log", &mr]).contains("== run-tests"));
}

#[test]
fn a_conflict_is_named_and_the_submitted_work_is_shown() {
    let (town, bead, mr) = waiting();
    town.push_a_commit(&work_of(&bead), "another's\n");
    town.ok(&["mq", "hold", &mr]);
    town.ok(&["rig", "fetch", RIG]);
    let diff = town.gt(&["mq", "diff", &mr]);
    assert!(diff.err.contains(&format!("it conflicts with main in {}", work_of(&bead))), "{diff:?}");
    assert!(diff.out.contains("+done"), "{diff:?}");
}

#[test]
fn a_checkout_of_a_merge_request_can_be_built_fetched_and_removed() {
    let (town, bead, mr) = waiting();
    let folder = town.folder().join("a look");
    let words = folder.display().to_string();
    let made = town.json(&["mq", "checkout", &mr, &words]);
    assert_eq!(std::fs::read_to_string(folder.join(work_of(&bead))).unwrap(), "done\n");
    assert_eq!(town.git(&folder, &["rev-parse", "HEAD"]), text(&made["checkout"]["head"]));
    // Nothing that a person does there reaches the queue: `gt` creates no branch and pushes nothing.
    let mut switch = town.program("git", &folder);
    assert_ne!(output(switch.args(["switch", "-c", "mine"])).code, 0);
    let mut push = town.program("git", &folder);
    assert_ne!(output(push.args(["push", "origin", "HEAD:refs/heads/mine"])).code, 0);
    // A person types the printed command in a clone of their own.
    let fetch = text(&made["checkout"]["fetch"]);
    let mut shell = town.program("sh", &town.checkout());
    let fetched = output(shell.args(["-c", &fetch]));
    assert_eq!(fetched.code, 0, "{fetch}: {fetched:?}");
    assert_eq!(town.git(&town.checkout(), &["rev-parse", &mr]), text(&made["checkout"]["head"]));
    // A second call leaves the checkout as it is, and keeps what a person has written there.
    write(&folder.join("mine.txt"), "mine\n");
    assert_eq!(town.json(&["mq", "checkout", &mr, &words]), made);
    let refused = town.gt(&["mq", "checkout", &mr, &words, "--remove"]);
    assert_eq!((refused.code, refused.err.contains("changes of yours")), (4, true), "{refused:?}");
    std::fs::remove_file(folder.join("mine.txt")).unwrap();
    town.ok(&["mq", "checkout", &mr, &words, "--remove"]);
    assert!(!folder.exists());
    // `gt` creates no checkout in a folder that has other files, nor inside the town.
    let other = town.checkout().display().to_string();
    assert_eq!(town.gt(&["mq", "checkout", &mr, &other]).code, 4);
    assert_eq!(town.gt(&["mq", "checkout", &mr, &other, "--remove"]).code, 4);
    let inside = town.rig().join("x").display().to_string();
    assert_eq!(town.gt(&["mq", "checkout", &mr, &inside]).code, 4);
    // Without a folder as argument, the checkout is below $TMPDIR.
    let tmp = town.folder().join("tmp").display().to_string();
    let said = town.gt_with(&town.root(), &[("TMPDIR", &tmp)], &["mq", "checkout", &mr]);
    assert!(said.code == 0 && said.out.contains(&format!(" is in {tmp}/gt-")), "{said:?}");
    town.ok(&["mq", "approve", &mr]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}

#[test]
fn a_rejection_note_reaches_the_worker_of_the_next_attempt() {
    let (town, bead, mr) = waiting();
    let more = "[[act]]\nstep = \"branch-setup\"\nattempt = 2\nrun = [\"sh\", \"-c\", \
                \"gt prime > told.txt\"]\ncommit = \"Keep what I was told\"\n";
    town.script(&format!("{WORK}{more}"));
    let silent = town.gt(&["mq", "reject", &mr, "--note", " "]);
    assert_eq!(silent.code, 2, "{silent:?}");
    town.ok(&["mq", "reject", &mr, "--note", "Say it in French."]);
    let again = town.gt(&["mq", "reject", &mr, "--note", "Again."]);
    assert_eq!((again.code, again.err.contains("is over: rework")), (4, true), "{again:?}");
    let next = wait_for_green(&town, &bead);
    assert_ne!(next, mr);
    town.ok(&["mq", "approve", &next]);
    town.wait_closed(&bead);
    let told = town.git(&town.remote(), &["show", "main:told.txt"]);
    assert!(told.contains("Say it in French."), "{told}");
    let why = town.ask(&format!("SELECT why FROM attempts WHERE bead = '{bead}' AND number = 2"));
    assert_eq!(why, ["a person looked at it and sent it back: Say it in French."]);
}

#[test]
fn a_held_merge_request_needs_a_person_and_lands_only_after_mq_retry() {
    let (town, bead, mr) = waiting();
    town.ok(&["mq", "hold", &mr, "--note", "until Monday"]);
    town.ok(&["rig", "set", RIG, "landing=auto"]);
    let needs = town.json(&["status"])["status"]["needs_you"].clone();
    assert_eq!((text(&needs[0]["kind"]), needs.as_array().unwrap().len()), ("held".into(), 1), "{needs}");
    assert_eq!(text(&needs[0]["next"]), format!("gt mq show {mr}, then gt mq retry {mr}"));
    town.let_patrols_pass();
    assert_eq!(town.landings(&bead), 0);
    assert!(town.ok(&["why", &bead]).contains("is held: until Monday"));
    let released = town.json(&["mq", "release", &mr]);
    assert_eq!(text(&released["schema"]), "gt.merge-requests/1");
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
    assert_eq!(town.gt(&["mq", "retry", &mr]).code, 4, "it is over");
}

#[test]
fn a_cancelled_merge_request_never_lands_and_frees_its_bead() {
    let (town, bead, mr) = waiting();
    let head = text(&town.json(&["mq", "show", &mr])["merge_request"]["head"]);
    town.ok(&["mq", "cancel", &mr, "--note", "Not wanted"]);
    assert_eq!(town.status_of(&bead), "open");
    town.wait_quiet();
    assert_eq!(town.conditions(), [""; 0]);
    assert_eq!(town.git(&town.repo(), &["rev-parse", &format!("refs/gt/mr/{mr}")]), head, "its commits are kept");
    town.ok(&["sling", &bead, RIG]);
    let next = wait_for_green(&town, &bead);
    town.ok(&["mq", "approve", &next]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}

#[test]
fn an_agent_can_not_decide_about_merge_requests() {
    let town = Town::asking();
    let words = ["hold x", "retry x", "cancel x", "reject x --note y"];
    let runs: String = words.iter().map(|verb| format!("gt mq {verb} >> $GT_SIM_PLAY_DIR/said 2>&1; ")).collect();
    town.script(&format!("[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", '{runs} true']\n{WORK}"));
    let bead = town.bead("Ask for nothing");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    wait_for_green(&town, &bead);
    let said = std::fs::read_to_string(town.folder().join("play/said")).unwrap();
    assert_eq!(said.matches("error: only a person").count(), words.len(), "{said}");
}

#[test]
fn show_tells_the_story_of_any_id() {
    let (town, bead, mr) = waiting();
    let story = town.json(&["show", &bead])["story"].clone();
    assert_eq!((text(&story["kind"]), text(&story["title"])), ("bead".into(), "Look at me".into()));
    assert_eq!((&story["attempts"][0]["commits"], text(&story["merge_requests"][0]["id"])), (&1.into(), mr.clone()));
    assert_eq!(text(&story["next"]), format!("gt mq diff {mr}, then gt mq approve {mr}"));
    let screen = town.ok(&["show", &bead]);
    assert!(screen.lines().count() <= 24, "one screen: {screen}");
    let worker = text(&story["attempts"][0]["worker"]);
    let session = text(&story["attempts"][0]["sessions"][0]["id"]);
    let convoy = text(&story["convoys"][0]);
    for (id, kind) in
        [(&mr, "merge-request"), (&worker, "worker"), (&session, "session"), (&convoy, "convoy"), (&RIG.into(), "rig")]
    {
        assert_eq!(text(&town.json(&["show", id])["story"]["kind"]), kind, "{id}");
        assert!(!town.ok(&["show", id]).is_empty());
        town.ok(&["why", id.as_str()].map(|word| if word == session { bead.as_str() } else { word }));
    }
    assert!(town.ok(&["why", &convoy]).contains(&format!("{convoy} waits for 1 of its beads")));
    assert_eq!(town.gt(&["show", "nothing-there"]).code, 3);
    assert_eq!(town.gt(&["show", "app/polecats/nobody"]).code, 3);
}

#[test]
fn a_pager_is_used_only_in_a_terminal() {
    let (town, _, mr) = waiting();
    let diff = town.gt_with(&town.root(), &[("PAGER", "echo paged")], &["mq", "diff", &mr]);
    assert!(diff.out.contains("+done") && !diff.out.contains("paged"), "{diff:?}");
    // `script` gives a terminal of its own.
    let mut shell = town.program("script", &town.root());
    let line = format!("{GT} mq diff {mr}");
    let shown =
        output(shell.args(["-qec", &line, "/dev/null"]).env("PAGER", "sed 's/^/paged: /'").env("TERM", "xterm"));
    assert!(shown.out.contains("paged: ") && shown.out.contains("+done"), "{shown:?}");
}

/// Changes that steer agents, editors or git hooks wait for a person, even if the rig lands green work without
/// approval.
#[test]
fn changes_that_steer_agents_wait_for_a_person_even_with_automatic_landing() {
    let town = Town::new();
    town.script(
        "[[act]]\nstep = \"implement\"\nskip_default = true\nrun = [\"sh\", \"-c\", \"bead=$(gt hook --json | grep -o 'ap-[a-z0-9]*' | head -n 1); \
         case $(gt hook) in *Steer*) mkdir -p .claude; echo '{\\\"disableAllHooks\\\":true}' >.claude/settings.json;; esac; \
         mkdir -p work; echo done >work/$bead.txt; git add -A; git diff --cached --quiet || git commit -qm Do\"]\n",
    );
    let (steers, plain) = (town.bead("Steer others"), town.bead("Do the work"));
    town.ok(&["up"]);
    town.ok(&["sling", &steers, &plain, RIG]);
    let mr = wait_for_green(&town, &steers);
    let why = "it changes what steers coding agents: .claude/settings.json";
    town.wait_closed(&plain);
    assert_ne!(town.status_of(&steers), "closed", "{}", town.dump());
    for said in [town.ok(&["status"]), town.ok(&["why", &steers]), town.ok(&["mq", "show", &mr])] {
        assert!(said.contains(why), "{said}");
    }
    // Another worker of the same batch changes no such file.
    assert!(!town.git(&town.remote(), &["ls-tree", "-r", "--name-only", "main"]).contains(".claude"));
    town.ok(&["mq", "approve", &mr]);
    town.wait_closed(&steers);
    assert!(town.git(&town.remote(), &["ls-tree", "-r", "--name-only", "main"]).contains(".claude/settings.json"));
}

#[test]
fn a_person_can_follow_gates_while_they_run() {
    let town = Town::asking();
    let go = town.folder().join("play/go");
    // This holds for the refinery's run, not for the worker's own.
    let waits = format!("case $PWD in */refinery/gate) while [ ! -e {} ]; do sleep 0.05; done;; esac", go.display());
    let gate = format!("echo first; {waits}; echo last");
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("\"sh ./run-tests\"", &format!("{gate:?}")));
    let bead = town.bead("Watch me");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the gate to run", || town.ok(&["status"]).contains("gate run-tests has run for"));
    let mr = text(&town.json(&["mq", "list"])["merge_requests"][0]["id"]);
    assert!(town.ok(&["mq", "list"]).contains("gate run-tests has run for"));
    assert!(
        town.ok(&["why", &mr[..mr.len() - 2]]).contains(&format!("gt mq log {mr} --follow")),
        "a part of an id does"
    );
    assert!(town.ok(&["mq", "log", &mr]).contains("first\n"), "what it has printed so far");
    let follow = town.start(&[], &["mq", "log", &mr, "--follow"]);
    // A setting that a person changes while the daemon runs applies, although the refinery is working.
    town.settle("max_polecats = 0\n");
    // A change by a person's verb does not count as tampering by the gate.
    town.ok(&["town", "set", "linger_seconds=3"]);
    let second = town.bead("Wait");
    town.ok(&["sling", &second, RIG]);
    town.wait_until("the limit to hold", || town.ok(&["why", &second]).contains("max_polecats = 0,"));
    town.let_patrols_pass();
    assert_eq!(town.ask("SELECT count(*) FROM attempts WHERE base IS NOT NULL"), ["1"]);
    town.signal("go");
    let followed = finish(follow);
    assert_eq!(followed.code, 0, "{followed:?}");
    assert!(followed.out.contains("first\nlast\n") && followed.out.contains("green, needs approval"), "{followed:?}");
    town.settle("");
    town.wait_until("the second worker", || town.ask("SELECT count(*) FROM attempts WHERE base IS NOT NULL") == ["2"]);
}
