//! The PATH of agents and gates: the overseer's, as their shell last had it; and it always contains `gt`.

#![expect(
    clippy::disallowed_methods,
    reason = "a test stands outside of gt: it makes programs, and looks at what agents have written"
)]

use crate::town::{GT, RIG, Town, write};

/// Steps that record what a login shell, a plain shell and a shell with an empty environment find.
const LOGIN: &str = r#"
[[act]]
step = "implement"
run = ["sh", "-c", '''
cd "$GT_SIM_PLAY_DIR" || exit 1
bash -lc 'gt hook' > login 2>&1
bash -lc 'bash -c "gt hook"' > nested 2>&1
bash -c 'PATH=/usr/bin:/bin; gt hook' > lost 2>&1
bash -lc 'echo "$PATH"' > path 2>&1
sed -n 's/^- If your shell does not find gt: it is \(.*\)\.$/\1/p' prime > gt
sh -c 'PATH=/usr/bin:/bin; "$(cat gt)" hook' > named 2>&1
cd - && echo done > done.txt
''']
commit = "Do the work"
"#;

/// Returns the stored PATH from the ledger.
fn stored(town: &Town) -> String {
    town.ask("SELECT value FROM meta WHERE key = 'path'").pop().unwrap()
}

fn played(town: &Town, name: &str) -> String {
    std::fs::read_to_string(town.folder().join("play").join(name)).unwrap_or_default()
}

#[test]
fn a_workers_login_shell_finds_gt() {
    let town = Town::new();
    town.script(
        &LOGIN.replace("cd \"$GT_SIM_PLAY_DIR\"", "gt prime > \"$GT_SIM_PLAY_DIR/prime\"; cd \"$GT_SIM_PLAY_DIR\""),
    );
    // A profile as most systems have it.
    write(&town.folder().join("home/.bash_profile"), "PATH=/usr/local/bin:/usr/bin:/bin\nexport PATH\n");
    let bead = town.bead("A thing");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    for name in ["login", "nested", "named"] {
        assert!(played(&town, name).contains(&format!("On your hook: {bead}")), "{name}: {}", played(&town, name));
    }
    assert!(!played(&town, "lost").contains("On your hook"), "a test that can fail: {}", played(&town, "lost"));
    let (bin, path) = (town.root().join("bin").display().to_string(), played(&town, "path"));
    assert!(path.starts_with(&format!("{bin}:")) && path.trim().ends_with(":/usr/bin:/bin"), "{path}");
}

#[test]
fn workers_find_later_installed_programs_after_gt_up_or_an_update() {
    let mut town = Town::new();
    let tools = town.folder().join("later");
    write(&tools.join("late-agent"), "#!/bin/sh\n");
    std::process::Command::new("chmod").arg("+x").arg(tools.join("late-agent")).status().unwrap();
    town.edit(&town.root().join("town.toml"), |text| text + "\n[agents.late]\ncommand = [\"late-agent\"]\n");
    let missing = town.gt(&["agent", "check", "late"]);
    assert!(missing.code == 5 && missing.out.contains("then gt agent check late --update"), "{missing:?}");
    let before = stored(&town);
    town.set_env("PATH", &format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
    // `gt agent check` alone changes nothing, and says what `--update` would change.
    let looked = town.gt(&["agent", "check", "late"]);
    assert!(looked.out.contains(&format!("yours differs: +{}", tools.display())), "{looked:?}");
    assert_eq!(stored(&town), before);
    let updated = town.gt(&["agent", "check", "late", "--update"]);
    assert!(updated.err.contains(&format!("+{}", tools.display())), "{updated:?}");
    assert!(updated.out.contains(&tools.join("late-agent").display().to_string()), "{updated:?}");
    // If the folder is no longer in the PATH, `gt up` removes it, and names the kind of agent that loses its program.
    town.edit(&town.root().join("town.toml"), |text| text.replacen("agent = \"sim\"", "agent = \"late\"", 1));
    town.set_env("PATH", &std::env::var("PATH").unwrap());
    let up = town.gt(&["up"]);
    assert!(up.err.contains(&format!("-{}", tools.display())), "{up:?}");
    assert!(up.err.contains("`late-agent` is not in the workers' PATH"), "{up:?}");
    assert_eq!(stored(&town), std::env::var("PATH").unwrap());
    let doctor = town.gt(&["doctor"]);
    assert!(doctor.out.contains("PATH"), "{doctor:?}");
}

#[test]
fn gt_never_stores_the_path_of_an_agent_or_gate() {
    let town = Town::new();
    let odd = "/odd/place";
    // A gate and a worker with a PATH of their own.
    town.ok(&[
        "rig",
        "gates",
        "add",
        RIG,
        "odd",
        &format!(
            "PATH={odd}:$PATH {GT} agent check sim --update 2>/dev/null; PATH={odd}:$PATH {GT} up 2>/dev/null; true"
        ),
    ]);
    town.script(&format!(
        "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", '''PATH={odd}:$PATH gt agent check sim --update; PATH={odd}:$PATH gt up; echo x > x.txt''']\ncommit = \"Do\"\n"
    ));
    let bead = town.bead("A thing");
    town.ok(&["up"]);
    let before = stored(&town);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(stored(&town), before);
    // The town's own folder comes first for agents, and is never part of the stored PATH.
    let bin = town.root().join("bin").display().to_string();
    let updated = town.gt_with(
        town.folder(),
        &[("PATH", &format!("{bin}:{before}")), ("GT_TOWN", &town.root().display().to_string())],
        &["agent", "check", "sim", "--update"],
    );
    assert!(updated.err.contains("already"), "{updated:?}");
    assert_eq!(stored(&town), before);
}

#[test]
fn settings_that_drop_a_clients_hooks_are_refused() {
    let town = Town::empty();
    let plain = std::fs::read_to_string(town.root().join("town.toml")).unwrap();
    let set = |more: &str| write(&town.root().join("town.toml"), format!("{plain}\n{more}"));
    set("[agents.claude]\ncommand = [\"/opt/claude\", \"{prompt}\"]\n");
    let refused = town.gt(&["status"]);
    assert!(refused.code != 0 && refused.err.contains("[agents.claude] command has no {settings}"), "{refused:?}");
    set("[agents.claude]\ncommand = [\"/opt/claude\"]\n");
    let shown = town.ok(&["agent", "show", "claude"]);
    assert_eq!(shown.matches("\"/opt/claude\"").count(), 3, "{shown}");
    assert!(shown.contains("{settings}") && shown.contains("{prompt}"), "{shown}");
}
