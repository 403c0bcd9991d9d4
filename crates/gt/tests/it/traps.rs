//! Prompts that no person sees: no process that an agent or a gate starts may wait at one.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use crate::terminals::has_tmux;
use crate::town::{RIG, Town, output, write};

/// A program that waits for a person. The town's user has configured it, and tools find it under its names.
const WAITS: &str = "#!/bin/sh\necho \"opened: $0 $*\" >> \"$HOME/opened\"\nexec sleep 600\n";

/// Commands that open editors, pagers and prompts. One that must be ended counts as 124.
const TRAPS: &str = r#"
report="$HOME/traps-$1"
try() { name=$1; shift; timeout 20 sh -c "$*" > /dev/null 2>&1; echo "$name $?" >> "$report.new"; }
mkdir -p "$HOME/play-$1"; cd "$HOME/play-$1"; rm -rf r; git init -q -b main r; cd r
git config user.name W; git config user.email w@example.invalid
echo one > file; git add file; git commit -qm one
try no-message "echo x >> file; git commit -a"
git commit -qam two; git switch -qc side HEAD~1; echo side > file; git commit -qam side
try rebase "git rebase main; echo both > file; git add file; git rebase --continue"
try amend "git commit --amend"
try interactive "git rebase -i HEAD~1"
try merge "git switch -q main; git merge --no-ff side"
try tag "git tag -a v1"
try pager "git -c core.pager=waits -p log"
try own-editor "git -c core.editor=waits commit --amend --allow-empty"
try editor '$EDITOR file'
try visual '$VISUAL file'
try paged 'echo x | $PAGER'
try password "git ls-remote http://127.0.0.1:PORT/private"
try ssh '$SSH_ASKPASS "Are you sure you want to continue connecting?"'
try input "cat"
env > "$HOME/env-$1"
mv "$report.new" "$report"
"#;

/// Expected end of each: it continues with what is there, or it is refused.
const ENDS: &[(&str, u32)] = &[
    ("no-message", 1),
    ("rebase", 0),
    ("amend", 0),
    ("interactive", 0),
    ("merge", 0),
    ("tag", 128),
    ("pager", 0),
    ("own-editor", 0),
    ("editor", 1),
    ("visual", 1),
    ("paged", 0),
    ("password", 128),
    ("ssh", 1),
    ("input", 0),
];

/// Starts a server that requires a password.
fn private_server() -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer =
                "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// Creates a town of a user who has configured editors and pagers in every possible way.
fn town_of_traps(runtime: &str) -> Town {
    let mut town = Town::nowhere();
    for name in ["vi", "vim", "nano", "editor", "less", "more", "pager", "ssh-askpass", "waits"] {
        write(&town.folder().join("tools").join(name), WAITS);
    }
    output(town.program("sh", town.folder()).args(["-c", "chmod +x tools/*"]));
    let path = format!("{}:{}", town.folder().join("tools").display(), std::env::var("PATH").unwrap());
    town.set_env("PATH", &path);
    for name in ["EDITOR", "VISUAL", "GIT_EDITOR", "PAGER", "GIT_PAGER", "GIT_ASKPASS", "SSH_ASKPASS"] {
        town.set_env(name, "waits");
    }
    let config = town.folder().join("gitconfig");
    write(&config, "[core]\neditor = waits\npager = waits\n[sequence]\neditor = waits\n");
    town.set_env("GIT_CONFIG_GLOBAL", &config.display().to_string());
    write(
        &town.folder().join("home/.gitconfig"),
        "[core]\neditor = waits\npager = waits\n[sequence]\neditor = waits\n",
    );
    assert_eq!(town.gt_with(town.folder(), &[], &["install", "town"]).code, 0);
    town.settle(&format!("runtime = \"{runtime}\"\n"));
    let script = town.folder().join("home/traps.sh");
    write(&script, TRAPS.replace("PORT", &private_server().to_string()));
    let remote = town.project("main", &[("run-tests", "exit 0\n")]);
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town
}

fn script(town: &Town, place: &str) -> String {
    format!("sh {} {place}", town.folder().join("home/traps.sh").display())
}

fn check(town: &Town, place: &str) {
    let home = town.folder().join("home");
    let report = home.join(format!("traps-{place}"));
    town.wait_until(&format!("the traps of {place}"), || report.exists());
    let text = std::fs::read_to_string(report).unwrap();
    let line = |line: &str| line.split_once(' ').map(|(name, code)| (name.to_owned(), code.parse().unwrap()));
    let ended: BTreeMap<String, u32> = text.lines().filter_map(line).collect();
    let expected: BTreeMap<String, u32> = ENDS.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect();
    assert_eq!(ended, expected, "{place}: {}", std::fs::read_to_string(home.join("opened")).unwrap_or_default());
    assert!(!home.join("opened").exists(), "{place}");
}

fn variables(file: PathBuf) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn check_worker_and_commands(runtime: &str) {
    let town = town_of_traps(runtime);
    town.edit(&town.rig().join("rig.toml"), |text| {
        let text = text.replace("\"sh ./run-tests\"", &format!("{:?}", script(&town, "gate")));
        format!("{text}\n[worktree]\nsetup = {:?}\n", script(&town, "set-up"))
            .replace("[env.set]", "[env.set]\nVISUAL = \"false\"\nPIP_NO_INPUT = \"0\"")
    });
    town.script(&format!(
        "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", \"{} < /dev/null\"]\nwrite = {{ \"x\" = \"x\" }}\ncommit = \"x\"\n",
        script(&town, "worker")
    ));
    let bead = town.bead("Work");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    for place in ["set-up", "worker", "gate"] {
        check(&town, place);
    }
    let (worker, gate) =
        (variables(town.folder().join("home/env-worker")), variables(town.folder().join("home/env-gate")));
    for env in [&worker, &gate] {
        let says = |name: &str, value: &str| assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
        says("GIT_TERMINAL_PROMPT", "0");
        says("SSH_ASKPASS_REQUIRE", "force");
        says("DEBIAN_FRONTEND", "noninteractive");
        // The settings of the rig apply.
        says("PIP_NO_INPUT", "0");
        for name in ["CI", "GPG_TTY", "DISPLAY", "GIT_ASKPASS"] {
            assert!(!env.contains_key(name), "{name}");
        }
    }
    assert!(worker.contains_key("GT_INCARNATION") && !gate.contains_key("GT_INCARNATION"));
    assert_eq!(gate.get("GT_GATE"), Some(&town.root().display().to_string()));
}

#[test]
fn no_command_waits_for_a_person_without_a_terminal() {
    check_worker_and_commands("headless");
}

#[test]
fn no_command_waits_for_a_person_in_a_terminal() {
    if has_tmux() {
        check_worker_and_commands("tmux");
    }
}

/// The worker of a reported case: step 8 of its formula makes it rebase, which stops at a conflict.
#[test]
fn a_rebase_continues_after_a_conflict() {
    let town = town_of_traps("headless");
    town.script(
        "[[act]]\nstep = \"implement\"\nwrite = { \"README.md\" = \"worker\\n\" }\ncommit = \"Worker\"\nsignal = \"written\"\nawait = \"pushed\"\n\
         [[act]]\nstep = \"prepare-for-review\"\nrun = [\"sh\", \"-c\", \"gt rig fetch; git rebase -q origin/main; echo both > README.md; \
         git add -A; timeout 20 git rebase --continue || echo $? > $HOME/stuck; git log -1 --format=%s > $HOME/kept\"]\nskip_default = true\n",
    );
    let bead = town.bead("Work");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("written");
    town.push_a_commit("README.md", "human\n");
    town.signal("pushed");
    let kept = town.folder().join("home/kept");
    town.wait_until("the rebase", || kept.exists() && !std::fs::read_to_string(&kept).unwrap().is_empty());
    assert!(!town.folder().join("home/stuck").exists() && !town.folder().join("home/opened").exists());
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "Worker\n", "with its own message");
}
