//! `sandbox = "bwrap"`: what a hostile agent reaches with the sandbox and without it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test stands outside of gt: it asks by itself what is there, and says what it leaves out"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::terminals::has_tmux;
use crate::town::{RIG, Town, list, write};

/// Returns whether bubblewrap works here. If not, says so, or fails if it is required.
pub fn has_bwrap() -> bool {
    let args = ["--ro-bind", "/", "/", "--dev", "/dev", "true"];
    let works = std::process::Command::new("bwrap").args(args).output().is_ok_and(|output| output.status.success());
    let required = std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "bwrap"));
    assert!(works || !required, "GT_REQUIRE names bwrap, and there is none that works");
    if !works {
        eprintln!("skipped: no bwrap works here");
    }
    works
}

/// An agent that breaks every rule that only software enforces, writes down what it reached, and then does its work.
const AGENT: &str = r#"
report="$HOME/.claude/report"
rig="$GT_TOWN/app" repo="$GT_TOWN/app/.repo.git" past="-c core.hooksPath=/dev/null"
attempt() { name=$1; shift; if sh -c "$*" > /dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi >> "$report.new"; }
attempt push "git -C $repo push REMOTE $(git rev-parse HEAD):refs/heads/stray"
attempt remote "git ls-remote REMOTE"
attempt key "cat ~/.ssh/id_rsa"
attempt netrc "grep . ~/.netrc"
attempt trunk "cat $rig/mayor/rig/file || touch $rig/mayor/rig/file"
attempt other-read "cat ../other/file"
attempt other-write "echo x > ../other/file"
attempt other-ref "git $past update-ref refs/heads/other HEAD"
attempt new-ref "git $past -C $repo branch mine $(git rev-parse HEAD)"
attempt trunk-ref "git $past update-ref refs/remotes/origin/main HEAD"
attempt pin "git $past update-ref refs/gt/mr/mine HEAD"
attempt town-settings "mv $GT_TOWN/town.toml $GT_TOWN/t && mv $GT_TOWN/t $GT_TOWN/town.toml || echo >> $GT_TOWN/town.toml"
attempt rig-settings "mv $rig/rig.toml $rig/r && mv $rig/r $rig/rig.toml || echo >> $rig/rig.toml"
attempt rules "echo >> $repo/gt-hooks/reference-transaction"
attempt worktree-rules "echo >> $repo/worktrees/$(basename $PWD)/gt-rules"
attempt config "git config core.x y"
attempt control "echo >> $repo/gt-control/config"
attempt object-facts "echo x > $repo/objects/info/new"
attempt stores "mkdir -p $repo/gt-own/x"
trunk=$(git rev-parse refs/remotes/origin/main) && loose="$(echo "$trunk" | cut -c1-2)/$(echo "$trunk" | cut -c3-)"
attempt objects "for at in objects gt-shared/objects; do chmod u+w $repo/\$at/$loose && mv $repo/\$at/$loose $repo/x && mv $repo/x $repo/\$at/$loose && exit; done; exit 1"
attempt gate-logs "ls -d $rig/refinery/logs"
attempt town-logs "ls -d $GT_TOWN/logs"
attempt locks "ls -d $GT_TOWN/deacon/locks"
attempt records "cat $GT_TOWN/deacon/sessions/*/plan.json"
attempt session-locks "ls $GT_TOWN/deacon/sessions/*/lock"
attempt backups "touch $GT_TOWN/.beads/backups/x"
attempt formulas "touch $GT_TOWN/.beads/formulas/x"
attempt git-link "test -w .git"
touch $repo/mine $repo/shallow
mkdir -p $repo/refs/origin $repo/refs/refs/gt/mr && git rev-parse HEAD > $repo/refs/origin/main && echo junk > "$repo/refs/a b"
attempt exclude "mkdir -p $repo/info && test -w $repo/info"
attempt yarns-programs "mkdir -p ~/.yarn/bin && echo x > ~/.yarn/bin/git"
attempt pnpms-programs "echo x > ~/.local/share/pnpm/git"
mkdir -p ~/.cache/git && echo x > ~/.cache/git/credential
attempt foreign-branches "git rev-parse -q --verify refs/heads/polecat/other/x"
attempt tag-logs "mkdir -p $repo/logs/refs/tags/x"
attempt home "echo >> ~/.bashrc"
touch ~/new
attempt client-settings "echo >> ~/.claude/settings.json"
attempt made-settings "echo x > ~/.codex/config.toml"
attempt plugins "mkdir -p ~/.claude/plugins/evil"
attempt commands "mkdir -p ~/.claude/commands && echo x > ~/.claude/commands/x.md"
attempt skills "mkdir -p ~/.claude/skills/x"
attempt client-hooks "mkdir -p ~/.claude/hooks && echo x > ~/.claude/hooks/x"
attempt memory "echo x >> ~/.claude/CLAUDE.md"
attempt prompts "mkdir -p ~/.codex/prompts && echo x > ~/.codex/prompts/x.md"
attempt swapped-plugins "mkdir -p ~/.claude/plugins && mv ~/.claude/plugins ~/.claude/p && mv ~/.claude/p ~/.claude/plugins"
attempt swapped-programs "mv ~/.cache/tools ~/.cache/t && mkdir -p ~/.cache/tools/bin && echo x > ~/.cache/tools/bin/git && rm -r ~/.cache/tools && mv ~/.cache/t ~/.cache/tools"
attempt linked-logins "cat ~/.config/gh/token || cat ~/dotfiles/gh/token"
attempt processes "grep -qsz '^deacon$' /proc/[0-9]*/cmdline"
attempt lost-identity "env -u GT_INCARNATION gt status 2>&1 | grep 'GT_INCARNATION'"
attempt terminals "ls -d $GT_TOWN/deacon/tmux-*"
attempt temporary "test -e FOLDER/script.toml"
attempt services "test -e /run/beside"
attempt mine "echo x > note && git add note && git $past commit -m Note && git stash list"
attempt stash "echo y > note && git stash && git stash apply && git checkout note"
attempt state "echo x > ~/.claude/state && grep known ~/.claude.json && echo x > ~/.claude.json"
attempt scratch "echo x > /tmp/scratch && cat /tmp/scratch"
attempt bead "gt bead update $(git symbolic-ref --short HEAD | sed 's,.*/,,;s,-[0-9]*$,,') --notes found"
finish() {
    echo 1 > c && git add c && git commit -qm one && one=$(git rev-parse HEAD) && echo 2 > c && git commit -qam two
    git cherry-pick "$one" > /dev/null 2>&1 && exit 1
    echo 3 > c && git add c && git cherry-pick --continue > /dev/null && echo 4 > c && git stash -q && git stash drop -q
    git merge -q --no-ff -m merged "$one" > /dev/null && git reset -q --hard HEAD && git commit -q --amend -m three
    ls "$(git rev-parse --git-dir)" | grep -E 'CHERRY_PICK_HEAD|AUTO_MERGE' >&2
}
rm -r $repo/refs/origin "$repo/refs/a b"
finish 2> /tmp/words
git pack-refs --all 2> /dev/null && echo "refs were packed" >> /tmp/words
git rev-parse -q --verify HEAD > /dev/null || echo "the branch is lost" >> /tmp/words
attempt finishing "! grep . /tmp/words"
cat /tmp/words
mv "$report.new" "$report"
for step in 1 2 3 4 5 6 7 8 9; do gt step done || break; done
gt done
"#;

/// Results that an agent has with or without a sandbox.
const OWN: &[&str] = &["mine", "stash", "finishing", "state", "scratch", "bead", "lost-identity"];

/// Creates a town whose agent is [`AGENT`], with things in it that do not belong to the agent.
fn town(sandbox: &str) -> Town {
    let mut town = Town::new();
    let home = town.folder().join("home");
    // A folder of programs inside a cache.
    let path = format!("{}:{}", std::env::var("PATH").unwrap(), home.join(".cache/tools/bin").display());
    town.set_env("PATH", &path);
    for (path, text) in [
        (home.join(".ssh/id_rsa"), "key"),
        (home.join(".netrc"), "password"),
        (home.join(".bashrc"), ""),
        (home.join(".claude.json"), "known"),
        (home.join(".claude/settings.json"), "{}"),
        (home.join(".codex/state"), ""),
        (home.join(".yarn/berry/x"), ""),
        (home.join(".cache/x"), ""),
        (home.join(".cache/tools/bin/x"), ""),
        (home.join(".config/x"), ""),
        (home.join("dotfiles/gh/token"), "token"),
        (home.join(".local/share/pnpm/store/x"), ""),
        (town.rig().join("mayor/rig/file"), "trunk"),
        (town.rig().join("polecats/other/file"), "other"),
        (town.root().join("deacon/tmux-99/socket"), ""),
        (town.root().join(".beads/backups/old.db"), ""),
    ] {
        write(&path, text);
    }
    let tip = town.git(&town.repo(), &["rev-parse", "refs/remotes/origin/main"]);
    for branch in ["other", "polecat/other/x"] {
        town.git(&town.repo(), &["update-ref", &format!("refs/heads/{branch}"), &tip]);
    }
    std::os::unix::fs::symlink(home.join("dotfiles/gh"), home.join(".config/gh")).unwrap();
    let agent = AGENT.replace("REMOTE", &town.remote().display().to_string());
    let file = home.join("agent.sh");
    write(&file, agent.replace("FOLDER", &town.folder().display().to_string()));
    town.settle(&format!("[agents.probe]\ncommand = [\"sh\", {file:?}]\n"));
    town.edit(&town.rig().join("rig.toml"), |text| {
        format!("agent = \"probe\"\nruntime = \"headless\"\nsandbox = \"{sandbox}\"\n{text}")
    });
    town
}

fn report_of(town: &Town) -> PathBuf {
    town.folder().join("home/.claude/report")
}

/// Returns what the agent reached.
fn reached(town: &Town) -> BTreeMap<String, bool> {
    town.wait_until("the agent to report", || report_of(town).exists());
    let report = std::fs::read_to_string(report_of(town)).unwrap();
    let line = |line: &str| line.split_once(' ').map(|(name, said)| (name.to_owned(), said == "yes"));
    report.lines().filter_map(line).collect()
}

fn check_sandboxed(runtime: &str, town: &Town) {
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("\"headless\"", &format!("\"{runtime}\"")));
    let bead = town.bead("Try everything");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    for (name, reached) in reached(town) {
        assert_eq!(reached, OWN.contains(&name.as_str()), "{name}");
    }
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
    let home = town.folder().join("home");
    let kept = std::fs::read_to_string(home.join(".claude.json")).unwrap();
    assert!(!home.join("new").exists() && kept == "known", "the user's home is as it was");
    let of_repository =
        ["mine", "shallow", "refs/origin", "refs/a b", "refs/refs"].map(|name| town.repo().join(name).exists());
    assert_eq!(of_repository, [false; 5], "what it put beside the repository's files was the sandbox's");
    let settings = std::fs::read_to_string(home.join(".codex/config.toml")).unwrap();
    assert!(
        settings.is_empty() && !home.join(".gemini").exists(),
        "what an agent could have made is empty: {settings}"
    );
    let refs = town.git(&town.remote(), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main", "nothing but the landing reached the remote");
    assert!(town.gt(&["doctor"]).out.contains("app: sandbox"));
    town.wait_quiet();
}

#[test]
fn a_sandboxed_agent_reaches_only_its_own_files_and_its_work_lands() {
    if has_bwrap() {
        check_sandboxed("headless", &town("bwrap"));
    }
}

#[test]
fn the_sandbox_also_hides_a_home_behind_a_link() {
    if has_bwrap() {
        let mut town = town("bwrap");
        let (home, link) = (town.folder().join("home"), town.folder().join("link"));
        std::os::unix::fs::symlink(&home, &link).unwrap();
        town.set_env("HOME", &link.display().to_string());
        // A client's state and a cache in other places, too.
        for name in [".claude", ".cache"] {
            std::fs::rename(home.join(name), home.join("dotfiles").join(name)).unwrap();
            std::os::unix::fs::symlink(home.join("dotfiles").join(name), home.join(name)).unwrap();
        }
        check_sandboxed("headless", &town);
    }
}

#[test]
fn a_link_from_a_cache_to_programs_of_the_path_is_reported() {
    if !has_bwrap() {
        return;
    }
    let town = town("bwrap");
    let (tools, keys) = (town.folder().join("home/.cache/tools"), town.folder().join("home/.ssh"));
    std::fs::remove_dir_all(&tools).unwrap();
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink(&keys, tools.join("bin")).unwrap();
    let bead = town.bead("Never run");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let refused = "SELECT last_error FROM effects WHERE kind = 'start-session' AND last_error IS NOT NULL";
    town.wait_until("the start to be refused", || !town.ask(refused).is_empty());
    assert!(town.ask(refused)[0].contains("a link leads from there"), "{:?}", town.ask(refused));
    assert!(!report_of(&town).exists(), "nothing ran");
}

#[test]
fn a_sandboxed_agent_in_a_terminal_reaches_nothing_more() {
    if has_bwrap() && has_tmux() {
        check_sandboxed("tmux", &town("bwrap"));
    }
}

#[test]
fn a_sandboxed_session_ends_with_all_its_processes() {
    if !has_bwrap() {
        return;
    }
    let town = town("bwrap");
    let agent = "setsid sleep 1000 &\n(sleep 1000; :) &\ntrap 'echo ended >> ~/.claude/report; exit' TERM\n\
        sleep 1000 &\necho begun > ~/.claude/report\nwait\n";
    write(&town.folder().join("home/agent.sh"), agent);
    let bead = town.bead("Never end");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the agent to begin", || report_of(&town).exists());
    town.wait_until("the start to be recorded", || town.status_of(&bead) == "in_progress");
    let sleeps = || town.running().iter().filter(|process| process.contains("sleep 1000")).count();
    assert!(sleeps() >= 3, "{:?}", town.running());
    town.ok(&["unsling", &bead]);
    town.wait_quiet();
    assert_eq!(sleeps(), 0, "{:?}", town.running());
    let report = std::fs::read_to_string(report_of(&town)).unwrap();
    assert_eq!(report, "begun\nended\n", "it was asked politely, not killed with its sandbox");
}

#[test]
fn an_agent_can_not_extend_what_its_successor_may_write() {
    if !has_bwrap() {
        return;
    }
    let town = town("bwrap");
    let agent = "echo begun >> ~/.claude/report\n(cat ~/.ssh/id_rsa || ls ~/.ssh) >> ~/.claude/report\n\
        echo \"gitdir: $HOME/.ssh\" > .git || rm -f .git || mv .git old || cat ~/.claude/go\n\
        until [ -e ~/.claude/go ]; do sleep 0.05; done\nexit 1\n";
    write(&town.folder().join("home/agent.sh"), agent);
    let bead = town.bead("Lead it astray");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the agent to try", || report_of(&town).exists());
    let link = town.rig().join("polecats/amber/.git");
    let ours = std::fs::read_to_string(&link).unwrap();
    assert!(ours.contains("/.repo.git/worktrees/"), "the link is not the agent's to write: {ours}");
    // The state that an agent without a sandbox could have left.
    write(&link, format!("gitdir: {}\n", town.folder().join("home/.ssh").display()));
    write(&town.folder().join("home/.claude/go"), "");
    let report = || std::fs::read_to_string(report_of(&town)).unwrap_or_default();
    let refused = "SELECT last_error FROM effects WHERE kind = 'start-session' AND last_error IS NOT NULL";
    town.wait_until("its successor", || report().lines().count() > 1 || !town.ask(refused).is_empty());
    assert_eq!(report(), "begun\n", "what was hidden stays hidden");
    assert!(town.ask(refused)[0].contains("points outside the rig's repository"), "{:?}", town.ask(refused));
}

/// The same agent without a sandbox, to show that the test above would see a failure.
#[test]
fn an_agent_without_a_sandbox_reaches_all_of_it() {
    let town = town("none");
    let bead = town.bead("Try everything");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let reached = reached(&town);
    let kept: Vec<&str> = reached.iter().filter(|(_, yes)| !**yes).map(|(name, _)| name.as_str()).collect();
    // Not on every machine, or stopped by git itself.
    let (elsewhere, own) = (["services"], OWN.iter().all(|name| reached[*name]));
    assert!(own && kept.iter().all(|name| elsewhere.contains(name)), "not reached: {kept:?}");
}

#[test]
fn without_a_working_sandbox_no_worker_starts() {
    let town = town("bwrap");
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("[env.set]", "[env.set]\nPATH = \"/nowhere\""));
    let bead = town.bead("Never run bare");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let refused = "SELECT count(*) FROM effects WHERE kind = 'start-session' AND last_error IS NOT NULL";
    town.wait_until("the start to be refused", || town.ask(refused) == ["1"]);
    let why = town.ok(&["why", &bead]);
    assert!(why.contains("app has sandbox = \"bwrap\", but no bwrap is in the PATH"), "{why}");
    let doctor = town.gt(&["doctor"]);
    assert!(doctor.code != 0 && doctor.out.contains("gt rig set <rig> sandbox=none"), "{doctor:?}");
    assert!(!report_of(&town).exists(), "nothing ran without it");
    assert!(town.running().iter().all(|process| !process.contains("agent.sh")));
}

/// An agent that puts links to a person's file and folder wherever the town, a shim or a gate may write next, fakes its
/// own end, and then does its work.
const PLANTER: &str = r#"
rig="$GT_TOWN/app" repo="$GT_TOWN/app/.repo.git" beads="$GT_TOWN/.beads"
session=$(ls -d "$GT_TOWN"/deacon/sessions/*)
plant() {
    target=$1; shift
    for name in "$@"; do mkdir -p "$(dirname "$name")"; rm -rf "$name"; ln -s "$HOME/$target" "$name"; done
}
(
plant notes "$rig"/refinery/logs/set-up-gate.log "$rig"/refinery/logs/set-up-amber-1.log "$rig"/refinery/logs/set-up-amber-2.log
plant notes "$rig"/refinery/logs/proof-tests.log "$rig"/refinery/set-up.key "$rig"/.beads/issues.jsonl
for n in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do plant notes "$rig/refinery/logs/$n-tests.log"; done
plant folder "$rig/.archive" "$GT_TOWN/.archive" "$rig/refinery/gate" "$beads/backups" "$GT_TOWN/deacon/locks"
plant notes "$GT_TOWN"/logs/hooks.log "$GT_TOWN"/logs/deacon.jsonl "$GT_TOWN"/logs/verbs.jsonl "$GT_TOWN/deacon/heartbeat"
plant notes "$beads/issues.jsonl" "$beads/town.json"
plant notes "$session"/output.log "$session"/shim.log "$session"/started.json "$session"/grace "$session"/lock "$session"/life
plant notes "$session"/moments/stop "$session"/moments/after-tool "$session"/moments/client.json
plant notes "$session"/logs/hooks.log "$session"/logs/acceptance.log "$session"/logs/acceptance-tests.log
plant notes "$repo/info/exclude" "$repo/packed-refs" "$repo/objects/info/alternates" "$repo/config" .git.archived/link .git.archived/admin
plant folder "$repo/gt-scratch" "$repo/gt-hooks" "$repo/refs/heads/polecat/birch" "$repo/logs/refs/heads/polecat/birch"
mkdir -p "$session" && echo '{"code":0,"signal":null,"reason":"exited"}' > "$session/exit.json"
) > /dev/null 2>&1
touch "$HOME/.claude/planted"
until [ -e "$HOME/.claude/go" ]; do sleep 0.05; done
rm -rf .git.archived
git symbolic-ref HEAD > note && git add note && git commit -qm Note
for step in 1 2 3 4 5 6 7 8 9; do gt step done || break; done
gt done
"#;

#[test]
fn the_town_follows_no_link_that_an_agent_planted() {
    if !has_bwrap() {
        return;
    }
    let town = town("bwrap");
    let home = town.folder().join("home");
    write(&home.join("agent.sh"), PLANTER);
    write(&home.join("notes"), "mine");
    write(&home.join("folder/kept"), "mine");
    town.edit(&town.rig().join("rig.toml"), |text| format!("{text}\n[worktree]\nsetup = \"echo set up\"\n"));
    let bead = town.bead("Plant links");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the agent to plant", || home.join(".claude/planted").exists());
    town.wait_until("the start to be recorded", || town.status_of(&bead) == "in_progress");
    town.let_patrols_pass();
    let ended = "SELECT count(*) FROM incarnations WHERE ended_at IS NOT NULL";
    assert_eq!(town.ask(ended), ["0"], "a feigned end is none");
    write(&home.join(".claude/go"), "");
    town.wait_closed(&bead);
    town.wait_quiet();
    // The next worker is set up and gated in the folders where that agent was.
    let next = town.bead("Come after it");
    town.ok(&["sling", &next, RIG]);
    town.wait_closed(&next);
    town.wait_quiet();
    assert_eq!(std::fs::read_to_string(home.join("notes")).unwrap(), "mine");
    assert_eq!(list(&home.join("folder")), [home.join("folder/kept")]);
    let sessions = town.root().join("deacon/sessions");
    let own = |path: &PathBuf| {
        let path = path.strip_prefix(&sessions).map(|path| path.to_string_lossy().into_owned());
        path.is_ok_and(|path| path.contains("/moments/") || path.contains("/logs/"))
    };
    // The deacon exports beads a while after they changed, and then replaces the link at that path.
    let elsewhere = || town.links_to(&home).into_iter().filter(|path| !own(path)).collect::<Vec<_>>();
    town.wait_until("the last link to be written over", || elsewhere().is_empty());
    // The conditions name refs that `town` itself has made.
    assert_eq!(town.conditions(), ["foreign-ref", "foreign-ref"]);
}

/// A mayor that tries forbidden things, writes down what it reached, and plans.
const MAYOR: &str = r#"
report="$HOME/.claude/report"
rig="$GT_TOWN/app" repo="$GT_TOWN/app/.repo.git"
attempt() { name=$1; shift; if sh -c "$*" > /dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi >> "$report.new"; }
attempt key "cat ~/.ssh/id_rsa"
attempt remote "git ls-remote REMOTE"
attempt worker-read "cat $rig/polecats/other/file"
attempt worker-write "mkdir -p $rig/polecats/other && echo x > $rig/polecats/other/file && ls -d $rig/polecats/amber"
attempt trunk-write "echo x > $rig/mayor/rig/README.md"
attempt rig-settings "mv $rig/rig.toml $rig/r && mv $rig/r $rig/rig.toml || echo >> $rig/rig.toml"
attempt town-settings "mv $GT_TOWN/town.toml $GT_TOWN/t && mv $GT_TOWN/t $GT_TOWN/town.toml || echo >> $GT_TOWN/town.toml"
attempt repository "test -w $repo || git -C $repo branch mine refs/remotes/origin/main"
attempt locks "ls -d $GT_TOWN/deacon/locks"
attempt records "cat $GT_TOWN/deacon/sessions/*/plan.json"
attempt home "echo >> ~/.bashrc"
attempt client-settings "echo >> ~/.claude/settings.json"
attempt temporary "test -e FOLDER/script.toml"
attempt processes "grep -qsz '^deacon$' /proc/[0-9]*/cmdline"
attempt trunk-read "for i in 1 2 3 4 5 6 7 8 9; do [ -e $rig/mayor/rig/README.md ] || sleep 1; done; cat $rig/mayor/rig/README.md"
attempt history "git -C $rig/mayor/rig log -1 --format=%s && git -C $rig/mayor/rig show HEAD:README.md"
attempt notes "echo x > notes && cat notes"
attempt bead "gt bead create Planned --rig app --json | sed -n 's/.*\"id\": *\"\([^\"]*\)\".*/\1/p' | head -n 1 > bead && test -s bead"
attempt sling 'gt sling $(cat bead) app'
attempt mail "gt mail send overseer -s Planned -m Done"
mv "$report.new" "$report"
exec sleep 600
"#;

/// Results that a sandboxed mayor needs for its work.
const MAYORS: &[&str] = &["trunk-read", "history", "notes", "bead", "sling", "mail"];

#[test]
fn a_sandboxed_mayor_reads_the_code_plans_and_reaches_nothing_else() {
    if !has_bwrap() {
        return;
    }
    let town = Town::new();
    let home = town.folder().join("home");
    for (path, text) in [
        (home.join(".ssh/id_rsa"), "key"),
        (home.join(".bashrc"), ""),
        (home.join(".claude/settings.json"), "{}"),
        (town.rig().join("polecats/other/file"), "other"),
    ] {
        write(&path, text);
    }
    let file = home.join("mayor.sh");
    let script = MAYOR.replace("REMOTE", &town.remote().display().to_string());
    write(&file, script.replace("FOLDER", &town.folder().display().to_string()));
    town.settle(&format!(
        "[agents.planner]\ncommand = [\"sh\", {file:?}]\n[mayor]\nagent = \"planner\"\nsandbox = \"bwrap\"\n"
    ));
    town.script(crate::town::WORK);
    town.ok(&["up"]);
    town.ok(&["mayor", "start", "--runtime", "headless"]);
    let reached = reached(&town);
    assert_eq!(reached.len(), MAYOR.lines().filter(|line| line.starts_with("attempt ")).count(), "{reached:?}");
    for (name, reached) in &reached {
        assert_eq!(*reached, MAYORS.contains(&name.as_str()), "{name}");
    }
    let bead = std::fs::read_to_string(town.root().join("mayor/bead")).unwrap();
    town.wait_closed(bead.trim());
    assert!(town.gt(&["doctor"]).out.contains("mayor: sandbox"));
    town.ok(&["mayor", "stop"]);
    assert!(town.running().iter().all(|process| !process.contains("mayor.sh")), "{:?}", town.running());
}

#[test]
fn without_a_working_sandbox_the_mayor_does_not_start() {
    let town = Town::new();
    let file = town.folder().join("home/mayor.sh");
    write(&file, "echo ran > ~/.claude/report\n");
    town.settle(&format!(
        "[agents.planner]\ncommand = [\"sh\", {file:?}]\nenv = {{ PATH = \"/nowhere\" }}\n[mayor]\nagent = \"planner\"\n\
         sandbox = \"bwrap\"\n"
    ));
    town.ok(&["up"]);
    town.gt(&["mayor", "start", "--runtime", "headless"]);
    let refused = "SELECT last_error FROM effects WHERE kind = 'start-session' AND last_error IS NOT NULL";
    town.wait_until("the start to be refused", || !town.ask(refused).is_empty());
    assert!(
        town.ask(refused)[0].contains("[mayor] sandbox = \"bwrap\" is set, but no bwrap"),
        "{:?}",
        town.ask(refused)
    );
    assert!(!report_of(&town).exists(), "nothing ran without it");
}
