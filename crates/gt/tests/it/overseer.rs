//! Tests of how the overseer is recognised: they check what gates, set-up, acceptance commands and agents without their token
//! can do through `gt`.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt, and lends it terminals")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt::sim::script::Script;
use gt_town::town::identity;
use gt_town::town::person;

use crate::sandbox::has_bwrap;
use crate::simulated::SimTown;
use crate::terminals::has_tmux;
use crate::town::{GT, Output, RIG, Town, WORK, output, text, write};

/// Script that calls verbs which change a town, as a caller without rights would: unchanged, without any environment,
/// and as an orphan in a session of its own. `$1` names the place, `$2` is the folder for reports.
const ATTEMPTS: &str = r#"
place=$1 reports=$2
bead=$(gt bead list 2>/dev/null | sed -n 's/^\(ap-[a-z0-9]*\).*/\1/p' | head -1)
town=$GT_TOWN mr=$(gt mq list --json 2>/dev/null | sed -n 's/.*"id": *"\(mr-[^"]*\)".*/\1/p' | head -1)
cleared() { env -i PATH="$PATH" HOME="$HOME" GT_TOWN="$town" "$@"; }
orphan() {
    rm -f "$reports/$place.rc"
    (setsid env -i PATH="$PATH" HOME="$HOME" GT_TOWN="$town" sh -c '"$@"; echo $? > "$0.rc"' "$reports/$place" "$@" < /dev/null > "$reports/$place.said" 2>&1 &)
    while [ ! -s "$reports/$place.rc" ]; do sleep 0.05; done
    cat "$reports/$place.said"
    return "$(cat "$reports/$place.rc")"
}
attempt() {
    name=$1; shift
    if said=$("$@" 2>&1); then word=yes; else word=no; fi
    echo "$place $name $word $(printf %s "$said" | tr '\n' ' ')" >> "$reports/$place.new"
}
rm -f "$reports/$place.new"
attempt list gt rig gates list app
attempt show gt bead list
attempt bd bd list
attempt version gt --version
for how in env cleared orphan; do
    attempt $how-bead $how gt bead create stray --rig app
    attempt $how-approve $how gt mq approve "${mr:-mr-none}"
    attempt $how-trust $how gt rig set app trust=bypass
    attempt $how-gate $how gt rig gates add app evil true
done
attempt token-bead env GT_INCARNATION=amber-a1-1.0123 gt bead create stray --rig app
attempt db-bead env BEADS_DB="$town/.beads/beads.db" bd create stray
attempt raised-bead sh -c 'prlimit --pid $$ --locks=unlimited 2> /dev/null; exec gt bead create stray --rig app'
attempt lowered-bead sh -c 'prlimit --pid $$ --locks=1:1; exec gt bead create stray --rig app'
attempt update gt bead update "${bead:-ap-none}" --title stray
attempt close gt bead close "${bead:-ap-none}" --force --reason stray
attempt ungate gt rig gates remove app run-tests
attempt landing gt rig set app landing=auto
attempt release gt rig release app
attempt prove gt rig gates run app
attempt add gt rig add other "$town/app/.repo.git" --prefix ot --skip-proof
attempt remove gt rig remove app --yes
attempt mail gt mail send overseer -s stray -m stray
attempt sling gt sling "${bead:-ap-none}" app
attempt unsling gt unsling "${bead:-ap-none}"
attempt convoy gt convoy create stray "${bead:-ap-none}"
attempt pause gt pause
attempt up gt up
attempt down gt down --now
attempt deacon gt deacon run
attempt boot gt boot run
attempt rebuild gt ledger rebuild --from jsonl --yes
attempt vacuum gt ledger vacuum
attempt adopt gt town adopt
attempt key gt town key "$HOME/stray.key"
attempt crew gt crew add app stray
attempt mayor gt mayor ask stray
attempt retention gt retention run
attempt refinery gt refinery run app --once
attempt done gt done
attempt inbox-of gt mail inbox --of overseer
mv "$reports/$place.new" "$reports/$place"
"#;

/// Verbs that a gate may call.
const READS: &[&str] = &["list", "show", "bd", "version"];

/// Creates a town that asks before it lands, and whose gate, set-up and acceptance commands try the verbs.
fn town(sandbox: &str) -> Town {
    let town = Town::asking();
    let home = town.folder().join("home");
    let reports = home.join(".cache/reports");
    std::fs::create_dir_all(&reports).unwrap();
    write(&home.join("attempts.sh"), ATTEMPTS);
    // In a place where a sandboxed worker finds it too.
    let (script, play) = (reports.join("script.toml"), reports.join("play"));
    write(&script, WORK);
    std::fs::create_dir(&play).unwrap();
    town.edit(&town.rig().join("rig.toml"), |text| {
        let text =
            text.replace(&town.folder().join("script.toml").display().to_string(), &script.display().to_string());
        text.replace(&town.folder().join("play").display().to_string(), &play.display().to_string())
    });
    let call = |place: &str| format!("sh {}/attempts.sh {place} {}", home.display(), reports.display());
    let formula = format!(
        "formula = \"short\"\nversion = 1\n[[steps]]\nid = \"implement\"\ntitle = \"Work\"\n\
         acceptance = [\"gt:commits\", \"{}\"]\n",
        call("acceptance")
    );
    write(&town.root().join(".beads/formulas/short.toml"), formula);
    town.edit(&town.rig().join("rig.toml"), |text| {
        let gate = format!("sh ./run-tests && {}", call("gate"));
        let text = text.replace("\"sh ./run-tests\"", &format!("{gate:?}"));
        let worktree = format!("[worktree]\nsetup = {:?}\n", call("setup"));
        format!("formula = \"short\"\nruntime = \"headless\"\nsandbox = \"{sandbox}\"\n{text}\n{worktree}")
    });
    town
}

/// Returns what succeeded at a place, and the messages there.
fn report(town: &Town, place: &str) -> BTreeMap<String, (bool, String)> {
    let file = town.folder().join("home/.cache/reports").join(place);
    town.wait_until(&format!("the report of {place}"), || file.exists());
    let report = std::fs::read_to_string(file).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        (words[1].to_owned(), (words[2] == "yes", words[3].to_owned()))
    };
    report.lines().map(line).collect()
}

/// Returns the state that none of the attempts may change.
fn state(town: &Town) -> (String, Vec<String>, Vec<String>) {
    let settings = std::fs::read_to_string(town.rig().join("rig.toml")).unwrap();
    let beads = town.ask("SELECT id || title FROM beads WHERE issue_type = 'task' ORDER BY id");
    (settings, beads, town.ask("SELECT count(*) FROM rigs UNION ALL SELECT count(*) FROM agents"))
}

fn check_reads_only(town: &Town, place: &str) {
    let report = report(town, place);
    assert!(report.len() > 40, "{report:?}");
    for (name, (reached, said)) in &report {
        assert_eq!(*reached, READS.contains(&name.as_str()), "{place} {name}: {said}");
    }
    // The refusal says why and what works. Verbs that any agent is refused, and missing things, have other errors.
    let elsewhere = |name: &str| ["done", "inbox-of"].contains(&name) || place != "gate" && name.ends_with("-approve");
    for (name, (_, said)) in report.iter().filter(|(name, (reached, _))| !reached && !elsewhere(name)) {
        let why = said.contains("so gt only reads for them: nothing was changed") && said.contains("gt rig gates list");
        assert!(why, "{place} {name}: {said}");
    }
}

fn check_commands(sandbox: &str) {
    let town = town(sandbox);
    let bead = town.bead("Work");
    let before = state(&town);
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    for place in ["setup", "acceptance", "gate"] {
        check_reads_only(&town, place);
    }
    town.wait_until("the approval to be asked for", || town.conditions().contains(&"approval".to_owned()));
    assert_eq!(state(&town), before);
    assert_eq!(town.ask("SELECT count(*) FROM merge_requests WHERE approved_by IS NOT NULL"), ["0"]);
    assert_eq!(town.status_of(&bead), "in_progress");
    // The person outside still may do it.
    town.ok(&["mq", "approve", "--all"]);
    town.wait_closed(&bead);
}

#[test]
fn gates_set_up_and_acceptance_commands_can_only_read() {
    check_commands("none");
}

#[test]
fn sandboxed_gates_set_up_and_acceptance_commands_can_only_read() {
    if has_bwrap() {
        check_commands("bwrap");
    }
}

fn check_lost(town: &Town, place: &str) {
    for (name, (reached, said)) in report(town, place) {
        let own = ["version"].contains(&name.as_str());
        assert_eq!(reached, own, "{place} {name}: {said}");
        if name == "orphan-approve" || name == "cleared-trust" {
            assert!(said.contains("belongs to an agent's session"), "{place} {name}: {said}");
        }
    }
}

/// A worker, a hook of its commit, and the mayor, each without its token.
#[test]
fn an_agent_without_its_token_has_no_rights() {
    let town = Town::asking();
    let home = town.folder().join("home");
    let reports = home.join(".cache/reports");
    std::fs::create_dir_all(&reports).unwrap();
    write(&home.join("attempts.sh"), ATTEMPTS);
    let call =
        |place: &str| format!("env -u GT_INCARNATION sh {0}/attempts.sh {place} {0}/.cache/reports", home.display());
    let mayor = home.join("mayor.sh");
    write(&mayor, format!("{}\nexit 0\n", call("mayor")));
    town.settle(&format!("[mayor]\nagent = \"scripted\"\n[agents.scripted]\ncommand = [\"sh\", {mayor:?}]\n"));
    let hook = format!("mkdir h && printf '#!/bin/sh\\n{}\\n' > h/pre-commit && chmod +x h/pre-commit", call("hook"));
    let work = format!(
        "{}; {hook}; echo x > x; git add x; git -c core.hooksPath=$PWD/h commit -qm x; rm -r h",
        call("worker")
    );
    let act = format!("[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", {work:?}]\n");
    town.script(&act);
    let bead = town.bead("Work");
    let before = state(&town);
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    check_lost(&town, "worker");
    check_lost(&town, "hook");
    town.ok(&["mayor", "start"]);
    check_lost(&town, "mayor");
    town.wait_until("the approval to be asked for", || town.conditions().contains(&"approval".to_owned()));
    let (settings, beads, _) = state(&town);
    assert_eq!((&settings, &beads), (&before.0, &before.1));
}

/// In the simulated world a process has no ancestors: its variable marks it as a gate.
#[test]
fn a_simulated_gate_can_only_read_too() {
    let town = SimTown::new("", &Script::default());
    let env = BTreeMap::from([("GT_GATE".to_owned(), town.town.layout.root.display().to_string())]);
    let caller = identity::caller(&town.town, &BTreeMap::new()).unwrap();
    assert!(caller.is_overseer());
    let caller = identity::caller(&town.town, &env).unwrap();
    assert!(caller.is_gate() && !caller.is_overseer());
    let written = town.town.ledger.write("gate", "test", |_| Ok::<_, gt_town::Error>(()));
    let locked = town.town.lock(&gt_town::town::Lane::Rigs).map(drop);
    let asked = person::require(&caller, "approves").map(drop);
    for refused in [written, locked, asked] {
        assert!(refused.unwrap_err().to_string().contains("so gt only reads for them"));
    }
}

/// This project's own tests do the same: they create towns and are their overseers. Gates in those towns can only read.
#[test]
fn a_gate_can_make_a_town_of_its_own() {
    let town = Town::asking();
    let report = town.folder().join("home/report");
    let inner = r#"set -e
own=$(mktemp -d); cd "$own"; unset GT_TOWN GT_GATE
git init -q -b main project; cd project; git config user.name T; git config user.email t@example.invalid
printf '%s\n' 'gt bead create stray --rig p 2>/dev/null && exit 1; exit 0' > run-tests
git add -A; git commit -qm x; git clone -q --bare . ../p.git; cd ..
gt install t; cd t
gt rig add p "$own/p.git" --prefix pp
gt rig set p landing=auto
gt rig gates add p second "test -e run-tests"
gt bead create mine --rig p
gt rig gates run p
gt bead list
cd /; rm -rf "$own"
"#;
    let file = town.folder().join("home/inner.sh");
    write(&file, inner);
    town.edit(&town.rig().join("rig.toml"), |text| {
        text.replace("\"sh ./run-tests\"", &format!("\"sh {} > {} 2>&1\"", file.display(), report.display()))
    });
    let run = town.gt(&["rig", "gates", "run", RIG]);
    let said = std::fs::read_to_string(&report).unwrap();
    assert_eq!(run.code, 0, "{run:?}\n{said}");
    assert!(said.contains("mine") && said.contains("green run-tests"), "{said}");
    assert_eq!(town.json(&["bead", "list"]).as_array().unwrap().len(), 0);
}

/// Script that tries what a gate reaches besides `gt`, in the sandbox and without it.
const REACHES: &str = r#"
reports=$1 rig="$GT_TOWN/app" repo="$GT_TOWN/app/.repo.git"
attempt() { name=$1; shift; if sh -c "$*" > /dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi >> "$reports/reach"; }
rm -f "$reports/reach"
attempt key "cat ~/.ssh/id_rsa"
attempt login "cat ~/.claude/.credentials.json"
attempt state "cat ~/.claude.json"
attempt remote "git ls-remote REMOTE"
attempt ledger "test -w $GT_TOWN/.beads/beads.db"
attempt settings "test -w $rig/rig.toml"
attempt objects "test -w $repo/objects"
attempt admin "test -w $repo/worktrees/gate || test -w $repo/worktrees/*/index"
attempt other "ls $rig/polecats/*"
attempt logs "ls $rig/refinery/logs"
attempt sessions "ls $GT_TOWN/deacon/sessions"
attempt lead "echo 'gitdir: /x' > .git; git rev-parse HEAD"
attempt home "echo x >> ~/.bashrc"
attempt overseer "cat FOLDER/overseer.key"
attempt cache "echo x > ~/.cache/mine"
attempt work "echo x > made && rm made"
attempt git "git status && git log -1 && git diff --exit-code"
attempt scratch "echo x > /tmp/scratch"
exit 0
"#;

const GATES_OWN: &[&str] = &["cache", "work", "git", "scratch"];

fn reaches(sandbox: &str) -> BTreeMap<String, bool> {
    let town = Town::new();
    let home = town.folder().join("home");
    let reports = home.join(".cache/reports");
    std::fs::create_dir_all(&reports).unwrap();
    for path in [".ssh/id_rsa", ".claude/.credentials.json", ".claude.json", ".bashrc"] {
        write(&home.join(path), "secret");
    }
    let key = town.folder().join("overseer.key");
    town.ok(&["town", "key", &key.display().to_string()]);
    let script = REACHES.replace("REMOTE", &town.remote().display().to_string());
    let file = home.join("reach.sh");
    write(&file, script.replace("FOLDER", &town.folder().display().to_string()));
    town.edit(&town.rig().join("rig.toml"), |text| {
        let run = format!("\"sh {} {}\"", file.display(), reports.display());
        format!("sandbox = \"{sandbox}\"\n{}", text.replace("\"sh ./run-tests\"", &run))
    });
    town.ok(&["rig", "gates", "run", RIG]);
    let report = std::fs::read_to_string(reports.join("reach")).unwrap();
    let line = |line: &str| line.split_once(' ').map(|(name, said)| (name.to_owned(), said == "yes"));
    report.lines().filter_map(line).collect()
}

#[test]
fn a_sandboxed_gate_reaches_only_its_worktree_and_caches() {
    if !has_bwrap() {
        return;
    }
    let reached = reaches("bwrap");
    assert_eq!(reached.len(), 18, "{reached:?}");
    for (name, reached) in &reached {
        let own = GATES_OWN.contains(&name.as_str()) || name == "lead";
        // Git could not be led elsewhere, so it still works there.
        assert_eq!(*reached, own, "{name}");
    }
    // Without a sandbox the gate reaches everything that this test looks for.
    let open = reaches("none");
    let kept: Vec<&String> = open.iter().filter(|(_, yes)| !**yes).map(|(name, _)| name).collect();
    assert!(
        kept.iter().all(|name| ["lead", "other", "sessions", "git"].contains(&name.as_str())),
        "not reached: {kept:?}"
    );
}

#[test]
fn without_a_working_sandbox_no_gate_runs_and_none_is_red() {
    let town = Town::new();
    let ran = town.folder().join("home/ran");
    town.edit(&town.rig().join("rig.toml"), |text| {
        let text = text.replace("\"sh ./run-tests\"", &format!("\"touch {}\"", ran.display()));
        format!("sandbox = \"bwrap\"\n{}", text.replace("[env.set]", "[env.set]\nPATH = \"/nowhere\""))
    });
    let run = town.gt(&["rig", "gates", "run", RIG]);
    assert_eq!(run.code, 5, "a person is needed: {run:?}");
    assert!(run.err.contains("app has sandbox = \"bwrap\", but no bwrap is in the PATH"), "{run:?}");
    assert!(!ran.exists(), "nothing ran");
    assert!(!town.conditions().contains(&"rig-held".to_owned()), "nothing is said of the trunk");
}

/// A stand-in for bubblewrap that fails as bubblewrap does when it can't make its walls.
#[test]
fn a_failing_sandbox_is_not_a_red_gate_and_a_gate_can_not_fake_it() {
    if !has_bwrap() {
        return;
    }
    let town = Town::new();
    town.edit(&town.rig().join("rig.toml"), |text| {
        format!("sandbox = \"bwrap\"\n{}", text.replace("\"sh ./run-tests\"", "\"echo 'bwrap: no walls' >&2; exit 1\""))
    });
    let pretended = town.gt(&["rig", "gates", "run", RIG]);
    assert_eq!(pretended.code, 1, "red: {pretended:?}");
    let tools = town.folder().join("tools");
    write(
        &tools.join("bwrap"),
        "#!/bin/sh\ncase \"$*\" in */refinery/gate*) echo \"bwrap: Can't make walls\" >&2; exit 1;; esac\n",
    );
    output(town.program("chmod", town.folder()).args(["+x", "tools/bwrap"]));
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("[env.set]", &format!("[env.set]\nPATH = {path:?}")));
    let failed = town.gt(&["rig", "gates", "run", RIG]);
    assert_eq!(failed.code, 5, "{failed:?}");
    assert!(failed.err.contains("bubblewrap can't run its gates: bwrap: Can't make walls"), "{failed:?}");
}

/// Creates a merge request that waits for approval, in a town that requires this confirmation.
fn waiting(confirm: &str) -> (Town, String) {
    let town = Town::asking();
    let bead = town.bead("Work");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the approval to be asked for", || town.conditions().contains(&"approval".to_owned()));
    town.ok(&["down"]);
    let mr = town.ask("SELECT id FROM merge_requests").remove(0);
    town.edit(&town.root().join("town.toml"), |text| format!("{text}\n{confirm}"));
    (town, mr)
}

fn approved(town: &Town) -> bool {
    town.ask("SELECT count(*) FROM merge_requests WHERE approved_by IS NOT NULL") == ["1"]
}

/// Calls a shell in a terminal and types these words repeatedly.
pub fn typed(town: &Town, word: &str, command: &str) -> Output {
    let quoted = command.replace('\'', "'\\''");
    let line = format!("(while sleep 0.3 && echo {word}; do :; done) | timeout 30 script -qec '{quoted}' /dev/null");
    output(town.program("sh", &town.root()).args(["-c", &line]))
}

#[test]
fn an_approval_can_require_a_word_typed_in_a_terminal_of_no_agent() {
    if !Path::new("/usr/bin/script").exists() || !Path::new("/usr/bin/prlimit").exists() {
        return;
    }
    let (town, mr) = waiting("[overseer]\nconfirm = \"tty\"\n");
    let refused = output(town.program("setsid", &town.root()).args(["-w", GT, "mq", "approve", &mr]));
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("confirmation in a terminal, but this process has none"), "{refused:?}");
    let approve = format!("{GT} mq approve {mr}");
    let wrong = typed(&town, "yes", &approve);
    assert!(wrong.out.contains("not confirmed") && !approved(&town), "{wrong:?}");
    let settings = typed(&town, &mr, &format!("{GT} rig set app trust=bypass; {GT} rig gates add app evil true"));
    assert!(settings.out.matches("not confirmed").count() == 2, "{settings:?}");
    // The terminal's session began below a shim, so it is marked, even if the caller removed its own mark.
    let of_agent = typed(&town, &mr, &format!("(sleep 0.5; {approve}) & prlimit --pid $$ --locks=1000:1000; wait"));
    assert!(of_agent.out.contains("this terminal is an agent's") && !approved(&town), "{of_agent:?}");
    let background = typed(&town, &mr, &format!("set -m; {approve} & wait"));
    assert!(background.out.contains("in its background") && !approved(&town), "{background:?}");
    let confirmed = typed(&town, &mr, &approve);
    assert!(
        confirmed.out.contains(&format!("approve {mr}? Type {mr} to confirm:")) && approved(&town),
        "{confirmed:?}"
    );
}

#[test]
fn an_approval_can_require_a_key_that_agents_can_not_read() {
    let (town, mr) = waiting("");
    let key = town.folder().join("home/.config/gt/overseer.key");
    let inside = town.gt(&["town", "key", "app/key"]);
    assert_eq!(inside.code, 4, "{inside:?}");
    town.ok(&["town", "key", &key.display().to_string()]);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let settings = std::fs::read_to_string(town.root().join("town.toml")).unwrap();
    let secret = std::fs::read_to_string(&key).unwrap();
    assert!(settings.contains("confirm = \"key\"") && !settings.contains(secret.trim()), "{settings}");
    let away = town.folder().join("away.key");
    std::fs::rename(&key, &away).unwrap();
    let refused = |why: &str, call: Output| {
        assert!(call.code == 5 && call.err.contains(why), "{call:?}");
        assert!(call.err.contains("GT_OVERSEER_KEY_FILE="), "{call:?}");
    };
    refused("overseer.key is not there", town.gt(&["mq", "approve", &mr]));
    refused("is not there", town.gt(&["rig", "set", RIG, "landing=auto"]));
    refused("is not there", town.gt(&["town", "key", "/nowhere/other"]));
    write(&key, "0123\n");
    refused("has a different key", town.gt(&["rig", "gates", "add", RIG, "evil", "true"]));
    assert!(!approved(&town));
    let away = away.display().to_string();
    let by_variable = town.gt_with(&town.root(), &[("GT_OVERSEER_KEY_FILE", away.as_str())], &["mq", "approve", &mr]);
    assert!(by_variable.code == 0 && approved(&town), "{by_variable:?}");
    // Reads the key from a program, as a password manager provides it.
    let piped = format!("cat {away} | GT_OVERSEER_KEY_FILE=/dev/stdin {GT} rig set {RIG} landing=auto");
    let piped = output(town.program("sh", &town.root()).args(["-c", &piped]));
    assert_eq!(piped.code, 0, "{piped:?}");
    std::fs::copy(&away, &key).unwrap();
    town.ok(&["rig", "set", RIG, "landing=ask"]);
}

/// In the town's own tmux every process counts as an agent's, even if a person typed there.
#[test]
fn a_new_window_in_the_towns_tmux_counts_as_an_agents() {
    if !has_tmux() {
        return;
    }
    let town = Town::asking();
    town.script(&format!("[[act]]\nstep = \"implement\"\nsignal = \"there\"\nawait = \"enough\"\n{WORK}"));
    let bead = town.bead("Work");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG, "--runtime", "tmux"]);
    town.wait_for_mark("there");
    let plan: serde_json::Value =
        serde_json::from_slice(&std::fs::read(town.session(&bead).0.join("plan.json")).unwrap()).unwrap();
    let (folder, server) = (text(&plan["terminal"]["folder"]), text(&plan["terminal"]["server"]));
    let said = town.folder().join("said");
    let command = format!(
        "cd {}; env -i HOME=$HOME {GT} rig set app trust=bypass > {1} 2>&1; mv {1} {1}.done",
        town.root().display(),
        said.display()
    );
    let mut tmux = town.program("tmux", town.folder());
    let window = output(tmux.env("TMUX_TMPDIR", &folder).args(["-L", &server, "new-window", "-d", &command]));
    assert_eq!(window.code, 0, "{window:?}");
    let done = PathBuf::from(format!("{}.done", said.display()));
    town.wait_until("the window's word", || done.exists());
    let said = std::fs::read_to_string(done).unwrap();
    assert!(said.contains("belongs to an agent's session"), "{said}");
    town.signal("enough");
}
