//! Towns whose workers are a client with hooks: a shell script called `claude` that stands in for Claude Code, does what
//! a file tells it to, and writes down what it was started with.

#![expect(
    clippy::disallowed_methods,
    reason = "a test stands outside of gt: it plays the client and looks at its files"
)]

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use gt_world::real::RealWorld;
use gt_world::{Said, World};
use serde_json::Value;

use crate::town::{GT, Output, RIG, Town, text, write};

/// The stand-in for the client. `play/manner` says how it behaves: well, as if no user were logged in, and so on.
const CLIENT: &str = r#"#!/bin/sh
play=$(dirname "$0")/../play
: "${GT_SIM_SCRIPT:=$play/../script.toml}" "${GT_SIM_PLAY_DIR:=$play}"
export GT_SIM_SCRIPT GT_SIM_PLAY_DIR
if [ "$1" = --version ]; then echo "2.1.330 (Claude Code)"; exit 0; fi
env > "$play/client.env"
printf '%s\n' "$@" > "$play/client.args"
settings=; stream=
for word in "$@"; do
    [ "$before" = --settings ] && settings=$word
    [ "$word" = --input-format ] && stream=yes
    before=$word
done
[ -n "$stream" ] && read -r first && printf '%s\n' "$first" > "$play/client.input"
begin() {
    mkdir -p "$(dirname "$settings")/moments"
    : > "$(dirname "$settings")/moments/start"
}
echo started >> "$play/starts"
case $(cat "$play/manner") in
    well) begin; exec gt sim-worker ;;
    login) echo "Not logged in · Please run /login"; exit 1 ;;
    limit) echo "Claude usage limit reached. Your limit will reset at 3am"; exit 1 ;;
    outage) echo "API Error: 529 Overloaded"; exit 1 ;;
    crash) echo "Segmentation fault"; exit 139 ;;
    quote) begin; echo "test limits::says_usage_limit_reached ... ok: usage limit reached"; exec sleep 600 ;;
    silent) exec sleep 600 ;;
    slow) until [ -e "$play/go" ]; do sleep 0.05; done; begin; exec gt sim-worker ;;
    key) printf 'Detected a custom API key in your environment\n Do you want to use this API key?\n > 1. No\n'; exec sleep 600 ;;
    log-in) printf ' Select login method:\n\n \342\235\257 1. With a plan\n   2. By tokens\n'; exec sleep 600 ;;
    trust)
        printf ' Quick safety check: Is this a project you created or one you trust?\n > No, exit\n'
        read -r answer
        [ "$answer" = yes ] || exit 1
        printf '\033[2J\033[H'; begin; exec gt sim-worker ;;
esac
"#;

/// Creates a town with the rig [`RIG`] whose workers are the stand-in, behaving well, in the given runtime.
pub fn town(runtime: &str, more: &str) -> Town {
    let mut town = Town::nowhere();
    let tools = install(&town);
    town.set_env("PATH", &format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
    let installed = town.gt_with(town.folder(), &[], &["install", "town"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    town.settle(&format!("runtime = \"{runtime}\"\n{more}"));
    let remote = town.project("main", &[("run-tests", "test ! -e red\n"), ("README.md", "An app\n")]);
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.script(crate::town::WORK);
    town.ok(&["rig", "set", RIG, "agent=claude", "landing=auto"]);
    manner(&town, "well");
    town
}

/// Sets how clients behave that start from now on.
pub fn manner(town: &Town, word: &str) {
    write(&play(town, "manner"), word);
}

/// Installs the client in a folder for tools. Returns the folder.
pub fn install(town: &Town) -> PathBuf {
    install_in(town, "tools")
}

/// Installs the client in a folder of this name. Returns the folder.
pub fn install_in(town: &Town, name: &str) -> PathBuf {
    let tools = town.folder().join(name);
    write(&tools.join("claude"), CLIENT);
    std::process::Command::new("chmod").arg("+x").arg(tools.join("claude")).status().unwrap();
    tools
}

/// Puts a login into the town's home, as the client itself would.
pub fn log_in(town: &Town) {
    let home = town.folder().join("home");
    let token = "{\"claudeAiOauth\":{\"accessToken\":\"oat-hush\",\"subscriptionType\":\"max\"}}";
    write(&home.join(".claude/.credentials.json"), token);
    let account = "{\"hasCompletedOnboarding\":true,\"oauthAccount\":{\"emailAddress\":\"a@example.org\"}}";
    write(&home.join(".claude.json"), account);
}

/// Returns the path of a file with instructions for the client, or with its notes.
pub fn play(town: &Town, name: &str) -> PathBuf {
    town.folder().join("play").join(name)
}

/// Returns what the client has written down.
pub fn noted(town: &Town, name: &str) -> String {
    std::fs::read_to_string(play(town, name)).unwrap_or_default()
}

/// Returns how often a client was started.
pub fn starts(town: &Town) -> usize {
    noted(town, "starts").lines().count()
}

/// Creates a bead, slings it, and returns its id.
pub fn slung(town: &Town, title: &str) -> String {
    let bead = town.bead(title);
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    bead
}

/// Types a line into the terminal of a bead's session, as a person would.
pub fn type_in(town: &Town, bead: &str, line: &str) {
    let world: Arc<dyn World> = Arc::new(RealWorld::new(GT.into()));
    assert_eq!(world.sessions().say(&town.session(bead).0, line).unwrap(), Said::Sent);
}

#[test]
fn a_client_gets_settings_a_prompt_and_its_own_session() {
    let town = town("headless", "");
    let home = town.folder().join("home");
    write(&home.join(".claude.json"), "{\"mine\":1}");
    write(&home.join(".claude/settings.json"), "{\"hooks\":{}}");
    let before = town.listing(&home);
    let bead = slung(&town, "Work");
    town.wait_closed(&bead);

    let args: Vec<String> = noted(&town, "client.args").lines().map(str::to_owned).collect();
    let after = |word: &str| args[args.iter().position(|arg| arg == word).unwrap() + 1].clone();
    assert_eq!((after("--permission-mode"), after("--input-format")), ("acceptEdits".into(), "stream-json".into()));
    let (folder, _, _) = town.session(&bead);
    assert_eq!(after("--settings"), folder.join("settings.json").display().to_string());
    assert_eq!(after("--session-id").len(), 36);
    let first: Value = serde_json::from_str(&noted(&town, "client.input")).unwrap();
    let prompt = text(&first["message"]["content"][0]["text"]);
    assert!(prompt.contains(&bead) && prompt.contains("gt prime"), "{prompt}");

    let settings: Value = serde_json::from_slice(&std::fs::read(folder.join("settings.json")).unwrap()).unwrap();
    assert!(settings["hooks"]["StopFailure"].is_array(), "2.1.330 knows it: {settings}");
    let hook = text(&settings["hooks"]["Stop"][0]["hooks"][0]["command"]);
    assert!(hook.contains("/bin/gt' moment stop --client claude"), "{hook}");
    let allowed = settings["permissions"]["allow"].to_string();
    assert_eq!(settings["disableAllHooks"], false, "whatever the project says");
    assert!(allowed.contains("Bash(gt:*)") && allowed.contains("Bash(sh ./run-tests:*)"), "{allowed}");

    assert_eq!(town.listing(&home), before, "nothing of the user's is touched");
    let landed = town.git(&town.remote(), &["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(landed, format!("README.md\nrun-tests\nwork/{bead}.txt"), "nothing of ours is in the project");
}

#[test]
fn peek_shows_what_a_client_does_from_its_stream() {
    let town = town("headless", "");
    let lines = r#"{"type":"system","subtype":"init","session_id":"u","model":"m","permissionMode":"acceptEdits"}
{"type":"assistant","session_id":"u","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"gt prime"}}]}}"#;
    let act =
        format!("[[act]]\nstep = \"implement\"\nrun = [\"printf\", \"%s\\n\", '''{lines}''']\nskip_default = true\n");
    town.script(&format!(
        "{act}\n[[act]]\nstep = \"implement\"\nsignal = \"said\"\nawait = \"seen\"\n{}",
        crate::town::WORK
    ));
    let bead = slung(&town, "Stream");
    town.wait_for_mark("said");
    let address = text(&town.json(&["bead", "show", &bead])[0]["assignee"]);
    let peeked = town.ok(&["peek", &address]);
    assert!(peeked.contains("> Bash: gt prime") && !peeked.contains("session_id"), "{peeked}");
    assert!(town.ok(&["peek", &address, "--raw"]).contains("\"session_id\""));
    town.signal("seen");
    town.wait_closed(&bead);
}

#[test]
fn a_start_waits_until_the_previous_client_has_begun() {
    let town = town("headless", "[agents.claude]\nstagger_seconds = 600\n");
    manner(&town, "slow");
    let first = slung(&town, "First");
    town.wait_until("the first start", || starts(&town) == 1);
    let second = slung(&town, "Second");
    let waits = "SELECT count(*) FROM effects WHERE done_at IS NULL AND kind = 'start-session'";
    town.wait_until("the second to be next", || town.ask(waits) == ["1"]);
    town.let_patrols_pass();
    assert_eq!(starts(&town), 1, "the second waits for the first");
    town.signal("go");
    town.wait_closed(&first);
    town.wait_closed(&second);
    assert_eq!(starts(&town), 2);
}

#[test]
fn gt_down_does_not_wait_for_a_client_that_never_began() {
    let town = town("headless", "[agents.claude]\nready_seconds = 600\n");
    manner(&town, "silent");
    slung(&town, "Work");
    town.wait_until("the start", || starts(&town) == 1);
    let said = town.ok(&["down"]);
    assert!(said.contains("ended session amber-a1-1"), "{said}");
    town.wait_ended();
}

fn check(town: &Town, args: &[&str], code: i32) -> (Output, Vec<(String, String)>) {
    let plain = town.gt(&[&["agent", "check"], args].concat());
    assert_eq!(plain.code, code, "{plain:?}");
    let output = town.gt(&[&["agent", "check"], args, &["--json"]].concat());
    assert_eq!(output.code, code, "{output:?}");
    let facts: Value = serde_json::from_str(&output.out).unwrap();
    let findings = facts["check"]["findings"].as_array().unwrap().clone();
    (plain, findings.iter().map(|f| (text(&f["what"]), text(&f["level"]))).collect())
}

fn level<'a>(findings: &'a [(String, String)], what: &str) -> &'a str {
    &findings.iter().find(|(name, _)| name == what).unwrap_or_else(|| panic!("no {what}: {findings:?}")).1
}

#[test]
fn a_check_says_what_is_missing_and_never_a_secret() {
    let mut town = town("headless", "");
    town.set_env("ANTHROPIC_API_KEY", "sk-ant-hush");
    let (said, findings) = check(&town, &["claude"], 5);
    assert_eq!((level(&findings, "program"), level(&findings, "login")), ("ok", "bad"), "{findings:?}");
    assert_eq!(level(&findings, "app: gate run-tests"), "ok", "{findings:?}");
    assert!(said.out.contains("ANTHROPIC_API_KEY of your environment is not passed"), "{}", said.out);

    log_in(&town);
    let (said, findings) = check(&town, &["claude"], 0);
    assert_eq!(level(&findings, "login"), "ok");
    assert!(said.out.contains("logged in: max, a@example.org"), "{}", said.out);
    assert!(!said.out.contains("hush"), "{}", said.out);

    town.ok(&["rig", "gates", "add", RIG, "lint", "no-such-linter --all"]);
    let (said, findings) = check(&town, &["claude", "--rig", RIG], 5);
    assert_eq!(level(&findings, "app: gate lint"), "bad");
    assert!(said.out.contains("`no-such-linter` is not in the workers' PATH"), "{}", said.out);
    town.ok(&["rig", "gates", "remove", RIG, "lint"]);

    town.edit(&town.root().join("town.toml"), |text| text + "[agents.claude]\nauth = \"api-key\"\n");
    let (said, findings) = check(&town, &["claude"], 0);
    assert_eq!(level(&findings, "who pays"), "ok");
    assert!(said.out.contains("the account of the key in ANTHROPIC_API_KEY") && !said.out.contains("hush"));

    let managed = town.folder().join("managed");
    let setting = format!("managed_settings = [\"{0}/all.json\", \"{0}/all.d\"]\n", managed.display());
    town.edit(&town.root().join("town.toml"), |text| text + &setting);
    assert_eq!(level(&check(&town, &["claude"], 0).1, "hooks"), "ok");
    // `gt` follows an administrator's own link, and never waits for something that is not a file.
    write(&managed.join("kept/off"), "{\"disableAllHooks\": true}");
    std::os::unix::fs::symlink(managed.join("kept/off"), managed.join("all.json")).unwrap();
    let (said, findings) = check(&town, &["claude"], 5);
    assert_eq!(level(&findings, "hooks"), "bad");
    assert!(said.out.contains("`disableAllHooks` in") && said.out.contains("allow_without_hooks"), "{}", said.out);
    let doctor = town.gt(&["doctor"]).out;
    assert!(doctor.contains("claude: hooks") && doctor.contains("`disableAllHooks` in"), "{doctor}");
    std::fs::remove_file(managed.join("all.json")).unwrap();
    let fifo = managed.join("all.d/1.json");
    write(&managed.join("all.d/2.json"), "{}");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (said, findings) = check(&town, &["claude"], 0);
    assert_eq!(level(&findings, "hooks"), "warn");
    assert!(said.out.contains("1.json can't be read"), "{}", said.out);

    town.edit(&town.root().join("town.toml"), |text| text + "command = [\"no-claude\"]\n");
    assert_eq!(level(&check(&town, &["claude"], 5).1, "program"), "bad");
    let unknown = town.gt(&["agent", "check", "nobody"]);
    assert_eq!((unknown.code, unknown.err.contains("no kind of agent is called `nobody`")), (3, true), "{unknown:?}");
}

#[test]
fn a_kind_of_ones_own_is_a_few_lines_and_a_built_in_one_is_changed_by_one() {
    let town = town(
        "headless",
        "[agents.claude]\nenv = { MINE = \"1\", ANTHROPIC_API_KEY = \"hush\" }\n[agents.own]\ncommand = [\"own-agent\", \"{prompt}\"]\n",
    );
    let listed = town.json(&["agent", "list"]);
    let kinds: Vec<(String, String)> =
        listed["agents"].as_array().unwrap().iter().map(|a| (text(&a["kind"]), text(&a["source"]))).collect();
    let expected = [
        ("claude", "town.toml over gt"),
        ("codex", "gt"),
        ("gemini", "gt"),
        ("opencode", "gt"),
        ("own", "town.toml"),
        ("sim", "gt"),
    ];
    assert_eq!(kinds, expected.map(|(kind, source)| (kind.to_owned(), source.to_owned())));
    let shown = town.json(&["agent", "show", "claude"]);
    let env = &shown["agent"]["preset"]["env"];
    assert_eq!((text(&env["MINE"]), text(&env["DISABLE_AUTOUPDATER"])), ("1".into(), "1".into()), "{shown}");
    let plain = town.ok(&["agent", "show", "claude"]);
    assert!(plain.contains("[agents.claude]") && !plain.contains("hush"), "{plain}");
}

#[test]
fn a_rigs_trust_is_a_persons_word_that_is_recorded_and_obeyed() {
    let town = town("headless", "");
    let file = town.rig().join("rig.toml");
    town.edit(&file, |text| format!("# Ours, and dear to us.\n{text}"));
    let gates = town.json(&["rig", "gates", "list", RIG]);
    assert!(
        town.ok(&["status", "--long"])
            .contains("claude, accept-edits (there is no sandbox, and trust=bypass is not set)")
    );
    town.ok(&["rig", "set", RIG, "trust=bypass", "runtime=headless"]);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.starts_with("# Ours, and dear to us.\n") && kept.contains("trust = \"bypass\""), "{kept}");
    assert_eq!(town.json(&["rig", "gates", "list", RIG]), gates);
    let events =
        "SELECT subject || ' ' || before || ' ' || after FROM events WHERE event = 'rig-set' AND actor = 'overseer'";
    assert!(town.ask(events).contains(&"app: trust \"accept-edits\" \"bypass\"".to_owned()), "{:?}", town.ask(events));
    assert!(town.ok(&["status", "--long"]).contains("claude, bypass (a person set trust"));

    let bead = slung(&town, "Work");
    town.wait_closed(&bead);
    assert!(noted(&town, "client.args").contains("--permission-mode\nbypassPermissions\n"));
    let env = noted(&town, "client.env");
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(env.contains("IS_SANDBOX=1"), is_root, "only root needs it");

    let refused = |args: &[&str], code: i32, why: &str| {
        let before = std::fs::read_to_string(&file).unwrap();
        let output = town.gt(&[&["rig", "set", RIG], args].concat());
        assert_eq!((output.code, output.err.contains(why)), (code, true), "{output:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    };
    refused(&["trust=always"], 2, "trust takes one of: accept-edits, bypass");
    refused(&["gate=none"], 2, "gt rig gates add");
    refused(&["landing"], 2, "`landing` is not key=value");
    refused(&["agent=nobody"], 3, "no kind of agent is called `nobody`");
    town.ok(&["rig", "set", RIG, "trust="]);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("trust"));
}

#[test]
fn what_a_person_allows_is_kept_with_the_comments_and_reaches_the_client() {
    let town = town("headless", "");
    let (rig, whole) = (town.rig().join("rig.toml"), town.root().join("town.toml"));
    town.edit(&rig, |text| format!("# Ours, and dear to us.\n{text}"));
    town.ok(&["rig", "allow", RIG, "npm run lint"]);
    town.ok(&["rig", "allow", RIG, "Bash(make check:*)"]);
    town.ok(&["rig", "allow", RIG, "npm run lint"]);
    town.ok(&["mayor", "allow", "WebFetch"]);
    let kept = std::fs::read_to_string(&rig).unwrap();
    assert!(kept.starts_with("# Ours, and dear to us.\n"), "{kept}");
    assert!(kept.contains("allow = [\"npm run lint\", \"make check\"]"), "{kept}");
    assert!(std::fs::read_to_string(&whole).unwrap().contains("allow = [\"WebFetch\"]"));
    assert_eq!(town.ok(&["rig", "allow", RIG, "--list"]), "npm run lint\nmake check\n");
    for (pattern, why) in [
        ("git push", "a worker is refused that"),
        ("bash -c", "would allow everything"),
        ("Bash", "would allow everything"),
        ("a && b", "not the first words of one command"),
        ("", "not the first words of one command"),
    ] {
        let output = town.gt(&["rig", "allow", RIG, pattern]);
        assert!(output.code == 2 && output.err.contains(why), "{pattern}: {output:?}");
    }
    let bead = slung(&town, "Work");
    town.wait_closed(&bead);
    let args = noted(&town, "client.args");
    let settings = args.lines().skip_while(|line| *line != "--settings").nth(1).unwrap();
    let settings = std::fs::read_to_string(settings).unwrap();
    assert!(settings.contains("Bash(npm run lint:*)") && settings.contains("Bash(make check:*)"), "{settings}");
    town.ok(&["rig", "allow", RIG, "--remove", "npm run lint"]);
    assert_eq!(town.ok(&["rig", "allow", RIG, "--list"]), "make check\n");
    assert_eq!(town.gt(&["rig", "allow", RIG, "--remove", "npm run lint"]).code, 3);
}

#[test]
fn f01_a_client_that_is_killed_while_its_log_speaks_of_limits_goes_on() {
    let town = town("headless", "");
    manner(&town, "quote");
    let bead = slung(&town, "Work on limits");
    let said = |log: &std::path::Path| std::fs::read_to_string(log).is_ok_and(|log| log.contains("usage limit"));
    town.wait_until("the start to be recorded", || town.status_of(&bead) == "in_progress");
    let (folder, _, agent) = town.session(&bead);
    town.wait_until("its words", || said(&folder.join("output.log")));
    manner(&town, "well");
    gt::demo::run::kill_hard(&agent);
    town.wait_closed(&bead);
    assert_eq!(starts(&town), 2);
}
