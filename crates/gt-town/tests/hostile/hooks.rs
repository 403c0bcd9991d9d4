//! Clients that do not run our hooks: turned off by an administrator, or silent in the middle of a session. The test
//! plays the clients: settings files, a transcript, and marks.

use gt_ledger::{AgentChoice, Incarnation};
use gt_model::address::Address;
use gt_model::clients::Client;
use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, Moment};
use gt_town::agents::check::{self, Level};
use gt_town::agents::hooks;
use gt_town::agents::sessions;
use gt_town::moments::{self, Call};
use gt_town::patrol::mayor;
use gt_town::patrol::needs;
use gt_town::patrol::standing::{self, AgentDoing};
use gt_world::Clock;
use serde_json::json;

use super::*;

const TRANSCRIPT: &str = "/home/.claude/projects/x/s.jsonl";
const FILE: &str = "/etc/claude-code/managed-settings.json";
const FOLDER: &str = "/etc/claude-code/managed-settings.d";
const CLIENT: &str = "[agents.client]\nclient = \"claude\"\n\
    command = [\"client\", \"--settings\", \"{settings}\", \"{prompt}\"]\n\
    env = { HOME = \"/own\" }\n\
    managed_settings = [\"/etc/claude-code/managed-settings.json\", \"/etc/claude-code/managed-settings.d\"]\n";
/// Folder of the client's own state.
const STATE: &str = "/own/.claude";
const OFF: &str = "{\"disableAllHooks\": true}";

/// Creates a town whose workers and mayor are a client with hooks.
fn town(more: &str) -> Scene {
    let scene = scene(&format!("{TOWN}{CLIENT}{more}[mayor]\nagent = \"client\"\n"), &["app"]);
    set_rig(&scene.town, "app", &RIG.replace("idle", "client"));
    scene.world.disk().create_dir(Path::new("/town/mayor")).unwrap();
    scene
}

impl Scene {
    fn all_incarnations(&self, bead: &BeadId) -> Vec<Incarnation> {
        let attempt = self.attempts(bead).pop().unwrap().id;
        self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt)?)).unwrap()
    }

    fn worker(&self, bead: &BeadId) -> IncarnationId {
        self.all_incarnations(bead).pop().unwrap().id
    }

    /// Returns whether the newest session of a bead's worker was started, and whether it has ended.
    fn is_started_and_over(&self, bead: &BeadId) -> (bool, bool) {
        let newest = self.all_incarnations(bead).pop().unwrap();
        (newest.started_at.is_some(), newest.ended_at.is_some())
    }

    fn managed(&self, path: &str, text: &str) {
        self.world.disk().write(Path::new(path), text.as_bytes()).unwrap();
    }

    /// Slings a new bead, whose worker's client has started and called its hook.
    fn hooked(&mut self, title: &str) -> BeadId {
        let bead = self.slung(title);
        let input = json!({ "session_id": "s", "transcript_path": TRANSCRIPT, "source": "startup" }).to_string();
        moments::start(&self.town, &self.worker(&bead), Client::Claude, input.as_bytes()).unwrap();
        self.look();
        bead
    }

    /// Calls a hook of a worker's client.
    fn hook(&self, bead: &BeadId, moment: Moment, command: &str) -> String {
        self.world.advance(Duration::from_millis(5));
        let attempt = self.attempts(bead).pop().unwrap();
        let caller = Caller { incarnation: Some(self.worker(bead)), ..Caller::role(attempt.address()) };
        let input = json!({ "session_id": "s", "hook_event_name": "X", "cwd": self.worktree(bead),
            "tool_name": "Bash", "tool_input": { "command": command } })
        .to_string();
        let call = Call { client: Client::Claude, moment, input: input.as_bytes(), seen: None };
        moments::answer(&self.town, &caller, &call).unwrap().unwrap_or_default()
    }

    /// Appends an answer that uses a tool to the client's transcript.
    fn wrote(&self, id: &str, more: &serde_json::Value) {
        let mut line = json!({ "type": "assistant", "timestamp": self.world.now().to_string(),
            "message": { "id": id, "model": "m", "content": [{ "type": "text" }, { "type": "tool_use", "name": "Bash" }],
                "usage": { "input_tokens": 1, "output_tokens": 1 } } });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let before = self.world.disk().read(Path::new(TRANSCRIPT)).unwrap().unwrap_or_default();
        let text = [before, format!("{line}\n").into_bytes()].concat();
        self.world.disk().write(Path::new(TRANSCRIPT), &text).unwrap();
    }

    fn wrote_some(&mut self, ids: std::ops::Range<u32>, more: &serde_json::Value) {
        for id in ids {
            self.wrote(&format!("m{id}"), more);
            self.world.advance(Duration::from_secs(1));
            deacon::look(&self.town, &mut self.memory).unwrap();
        }
    }

    fn needs_with_next(&self) -> Vec<String> {
        let needs = self.town.ledger.read(|view| needs::all(view, &[])).unwrap();
        needs.into_iter().map(|need| format!("{} → {:?}", need.condition.text, need.next)).collect()
    }
}

#[test]
fn hooks_turned_off_by_an_administrator_are_found_in_every_file() {
    let check = |files: &[(&str, &str)], expected: Option<&str>| {
        let scene = town("");
        files.iter().for_each(|(path, text)| scene.managed(path, text));
        let found = hooks::of(&scene.town, &scene.town.agent("client").unwrap());
        assert_eq!(found.are_off(), expected.is_some_and(|words| !words.contains("can't be read")), "{found}");
        if let Some(words) = expected {
            assert!(found.to_string().contains(words), "{words}: {found}");
        }
    };
    let in_folder = |name: &str| format!("{FOLDER}/{name}");
    let (first, last, other) = (in_folder("10-a.json"), in_folder("90-b.json"), in_folder("notes.txt"));
    check(&[], None);
    check(&[(FILE, "{\"disableAllHooks\": false, \"hooks\": {}}")], None);
    check(&[(FILE, "{\"allowManagedHooksOnly\": \"true\"}")], None);
    check(&[(FILE, OFF)], Some("`disableAllHooks` in /etc/claude-code/managed-settings.json"));
    check(&[(FILE, "{\"allowManagedHooksOnly\": true}")], Some("`allowManagedHooksOnly` in"));
    check(&[(FILE, "{}"), (&last, OFF)], Some("90-b.json"));
    check(&[(&first, OFF), (&last, "{\"disableAllHooks\": false}")], None);
    check(&[(&first, "{\"disableAllHooks\": false}"), (&last, OFF)], Some("90-b.json"));
    check(
        &[(FILE, "{\"allowManagedHooksOnly\": true}"), (&last, "{\"disableAllHooks\": false}")],
        Some("allowManaged"),
    );
    check(
        &[(&format!("{STATE}/remote-settings.json"), OFF), (&last, "{\"disableAllHooks\": false}")],
        Some("remote-settings"),
    );
    check(&[(&format!("{STATE}/settings.json"), OFF)], None);
    check(&[(&other, OFF)], None);
    check(&[(FILE, "not JSON"), (&last, OFF)], Some("90-b.json"));
    check(&[(FILE, "not JSON")], Some("can't be read"));
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    check(&[(FILE, &large)], Some("can't be read: it is too large"));
}

#[test]
fn no_session_starts_without_hooks_and_work_continues_when_they_are_on_again() {
    let mut scene = town("");
    scene.managed(FILE, OFF);
    let bead = scene.slung("Work");
    assert_eq!(scene.conditions(), ["hooks:client"]);
    assert!(scene.all_incarnations(&bead).iter().all(|one| one.started_at.is_none()), "nothing was started");
    let needs = scene.needs_with_next();
    assert!(needs[0].contains("`disableAllHooks` in /etc/") && needs[0].contains("CheckKind(\"client\")"), "{needs:?}");
    let findings = check::check(&scene.town, "client", &[scene.rig("app")]).unwrap();
    let found = findings.iter().find(|finding| finding.what == "hooks").unwrap();
    assert_eq!(found.level, Level::Bad);
    assert!(found.next.as_ref().unwrap().contains("allow_without_hooks"), "{found:?}");
    // A standing agent does not start either, and the caller is told why.
    let status = standing::start(&scene.town, &Caller::overseer(), &Address::Mayor, &AgentChoice::default()).unwrap();
    scene.look();
    assert!(
        !status.running && matches!(&status.doing, AgentDoing::Fails(why) if why.contains("`disableAllHooks`")),
        "{status:?}"
    );
    assert!(scene.world.live_sessions().is_empty(), "{:?}", scene.world.live_sessions());

    scene.managed(FILE, "{}");
    scene.look();
    assert_eq!(scene.conditions(), [""; 0]);
    assert_eq!(scene.is_started_and_over(&bead), (true, false));
    assert_eq!(scene.world.live_sessions().len(), 2, "the mayor as well");
}

#[test]
fn sessions_end_when_their_hooks_are_turned_off_and_that_counts_as_no_failure() {
    let mut scene = town("");
    let bead = scene.hooked("Work");
    let first = scene.worker(&bead);
    for _ in 0..7 {
        scene.managed(FILE, OFF);
        scene.look();
        assert_eq!((scene.conditions(), scene.world.live_sessions().len()), (vec!["hooks:client".to_owned()], 0));
        scene.managed(FILE, "{}");
        scene.look();
        assert_eq!((scene.conditions(), scene.is_started_and_over(&bead)), (vec![], (true, false)));
    }
    assert_ne!(scene.worker(&bead), first);
    assert_eq!(scene.attempts(&bead).len(), 1, "the bead is not given up");
}

#[test]
fn a_person_may_allow_a_client_without_hooks() {
    let mut scene = town("allow_without_hooks = true\nready_seconds = 20\n");
    scene.managed(FILE, OFF);
    let bead = scene.slung("Work");
    for _ in 0..5 {
        scene.look();
    }
    assert_eq!((scene.conditions(), scene.is_started_and_over(&bead)), (vec![], (true, false)));
    let findings = check::check(&scene.town, "client", &[]).unwrap();
    assert_eq!(findings.iter().find(|finding| finding.what == "hooks").unwrap().level, Level::Warn);
    let attempt = scene.attempts(&bead).pop().unwrap();
    let verdict = gt_town::patrol::witness::explain(&scene.town, &attempt).unwrap().words;
    assert_eq!(verdict, "working", "no first moment is waited for");
    // Its first prompt names `gt prime`, because no hook tells it of its work.
    let newest = scene.all_incarnations(&bead).pop().unwrap();
    let prompt = gt_town::agents::seat::of(&scene.town, &newest).unwrap().unwrap().prompt;
    assert!(prompt.contains("Run `gt prime` now"), "{prompt}");
}

#[test]
fn calls_of_an_agents_own_gt_do_not_prove_that_hooks_run() {
    let mut scene = town("ready_seconds = 20\n");
    let bead = scene.slung("Work");
    let path = scene.town.layout.moments(&scene.worker(&bead)).join("refused");
    scene.world.disk().mark(&path, serde_json::to_string(&Mark::at(1)).unwrap().as_bytes()).unwrap();
    for _ in 0..3 {
        scene.look();
    }
    let worker = scene.attempts(&bead).pop().unwrap().address();
    assert_eq!(scene.conditions(), [format!("start:{worker}")]);
    assert!(scene.needs_with_next()[0].contains("no sign of life"), "{:?}", scene.needs_with_next());
}

#[test]
fn a_session_that_uses_tools_without_hooks_is_ended_and_reported() {
    let mut scene = town("");
    let bead = scene.hooked("Work");
    scene.hook(&bead, Moment::BeforeTool, "ls");
    scene.wrote("m0", &json!({}));
    scene.hook(&bead, Moment::AfterTool, "ls");
    scene.look();
    scene.wrote_some(1..3, &json!({}));
    scene.look();
    assert_eq!(scene.conditions(), [""; 0], "two may be on their way");
    scene.wrote_some(3..6, &json!({}));
    scene.look();
    let worker = scene.attempts(&bead).pop().unwrap().address();
    assert_eq!(scene.conditions(), [format!("start:{worker}")]);
    assert_eq!((scene.is_started_and_over(&bead), scene.all_incarnations(&bead).len()), ((true, true), 1));
    let needs = scene.needs_with_next();
    assert!(needs[0].contains("without calling Gas Town's hooks") && needs[0].contains("RetryStart"), "{needs:?}");
    for _ in 0..20 {
        scene.look();
    }
    assert_eq!(scene.all_incarnations(&bead).len(), 1, "it is not started again before a person has looked");
    gt_town::patrol::retry::starts(&scene.town, &Caller::overseer()).unwrap();
    scene.look();
    assert_eq!((scene.conditions(), scene.is_started_and_over(&bead)), (vec![], (true, false)));
}

#[test]
fn any_hook_call_counts_as_a_sign_of_hooks() {
    type Play = fn(&Scene, &BeadId, u32);
    let plays: [(&str, Play); 4] = [
        ("refused", |scene, bead, _| {
            let answer = scene.hook(bead, Moment::BeforeTool, "git push origin main");
            assert!(answer.contains("\"deny\""), "{answer}");
        }),
        ("used", |scene, bead, _| {
            scene.hook(bead, Moment::BeforeTool, "ls");
            scene.hook(bead, Moment::AfterTool, "ls");
        }),
        ("failed", |scene, bead, turn| {
            scene.world.advance(Duration::from_secs(2));
            moments::note_failure(
                scene.town.world(),
                &scene.town.layout,
                "before-tool",
                &scene.worker(bead),
                &format!("locked {turn}"),
            );
        }),
        ("a subagent's", |_, _, _| {}),
    ];
    for (name, play) in plays {
        let mut scene = town("");
        let bead = scene.hooked("Work");
        scene.hook(&bead, Moment::BeforeTool, "ls");
        for turn in 0..12 {
            play(&scene, &bead, turn);
            let more = if name == "a subagent's" { json!({ "isSidechain": true }) } else { json!({}) };
            scene.wrote_some(turn..turn + 1, &more);
        }
        assert_eq!((scene.conditions(), scene.is_started_and_over(&bead)), (vec![], (true, false)), "{name}");
    }
}

#[test]
fn ten_tools_of_one_answer_count_as_one_answer() {
    let mut scene = town("");
    let bead = scene.hooked("Work");
    scene.hook(&bead, Moment::BeforeTool, "ls");
    scene.look();
    for _ in 0..10 {
        scene.wrote("one", &json!({}));
    }
    scene.look();
    scene.look();
    assert_eq!((scene.conditions(), scene.is_started_and_over(&bead)), (vec![], (true, false)));
}

#[test]
fn a_caller_that_waits_for_the_mayor_is_told_that_it_waits_for_a_person() {
    let mut scene = town("");
    scene.managed(FILE, OFF);
    let asked = mayor::ask(&scene.town, &Caller::overseer(), "What is to be done?").unwrap();
    scene.look();
    let mut heard = Vec::new();
    let mut waits = |need: &needs::Need| heard.push(need.condition.key.clone());
    let answer = mayor::wait_for_answer(&scene.town, &asked.mail, Duration::from_secs(3), &mut waits).unwrap();
    assert_eq!((answer, heard), (None, vec!["hooks:client".to_owned()]), "each is told once");
}

#[test]
fn the_end_of_a_session_reports_what_was_denied() {
    let mut scene = town("");
    let bead = scene.hooked("Work");
    let answer = scene.hook(&bead, Moment::Permission, "npm run build");
    assert!(answer.contains("denied: Bash: npm run build"), "{answer}");
    let session = sessions::find(&scene.town, &scene.attempts(&bead)[0].address().to_string()).unwrap();
    sessions::stop(&scene.town, &Caller::overseer(), &session).unwrap();
    scene.look();
    let first = scene.all_incarnations(&bead).remove(0);
    let cause = first.cause.unwrap();
    let refused = "refused to it last: denied (gt rig allow app \"npm run build\" allows it): Bash: npm run build";
    assert!(cause.contains(refused), "{cause}");
    let told = gt_town::patrol::witness::explain(&scene.town, &scene.attempts(&bead)[0]).unwrap().facts.join("\n");
    assert!(told.contains("npm run build"), "{told}");
}

#[test]
fn an_unusable_account_is_reported_with_the_way_to_log_in() {
    for (more, words) in [
        ("", "run client, and /login"),
        ("auth = \"api-key\"\napi_keys = [\"A_KEY\"]\n", "set a key that is valid (A_KEY)"),
    ] {
        let mut scene = town(more);
        let bead = scene.hooked("Work");
        let attempt = scene.attempts(&bead).pop().unwrap();
        let caller = Caller { incarnation: Some(scene.worker(&bead)), ..Caller::role(attempt.address()) };
        let input =
            json!({ "session_id": "s", "hook_event_name": "StopFailure", "cwd": "/", "error": "authentication_failed",
            "last_assistant_message": "401" })
            .to_string();
        let call = Call { client: Client::Claude, moment: Moment::StopFailure, input: input.as_bytes(), seen: None };
        moments::answer(&scene.town, &caller, &call).unwrap();
        scene.look();
        assert_eq!(scene.conditions(), ["login:client"]);
        let told = scene.needs_with_next();
        assert!(told[0].contains(words) && told[0].contains("LogIn(\"client\")"), "{told:?}");
    }
}

#[test]
fn each_question_at_a_start_is_reported_by_its_kind() {
    let names = "shows = { trust = [\"trust it?\"], mode = [\"without asking?\"], key = [\"that key?\"], welcome = [\"style?\"], \
                 login = [\"log in:\"] }\n";
    for (screen, words) in [
        ("trust it?", "it asks whether to trust this folder"),
        ("without asking?", "it asks whether to work without asking for permission"),
        ("Detected.\nUse that KEY?", "it asks whether to use the API key in its environment"),
        ("style?", "it asks the questions of its first start"),
        ("log in:", "nobody is logged in"),
    ] {
        let mut scene = town(names);
        let bead = scene.slung("Work");
        scene.world.put_out(&scene.town.layout.session(&scene.worker(&bead)), screen);
        scene.look();
        let told = scene.needs_with_next();
        assert!(told.len() == 1 && told[0].contains(words), "{screen}: {told:?}");
    }
}
