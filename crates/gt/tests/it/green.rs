//! Green means that exactly this tree passed, alone. Leftovers of earlier runs, changes by gates and damaged objects
//! make nothing green.

use crate::town::{RIG, Town, text};

/// Creates a town whose project has these files (`run-tests` is the gate) and whose rig lands green work without
/// approval. `more` comes first in its settings.
fn town(files: &[(&str, &str)], more: &str) -> Town {
    let town = Town::empty();
    let gate = files.iter().find(|(name, _)| *name == "run-tests").map(|(_, text)| format!("{AT_THE_GATE}{text}"));
    let text = |name: &str, text| if name == "run-tests" { gate.as_deref().unwrap_or(text) } else { text };
    let files: Vec<_> = files.iter().map(|(name, content)| (*name, text(name, content))).collect();
    let remote = town.project("main", &files);
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    town.edit(&town.rig().join("rig.toml"), |text| {
        text.replace("# landing = \"ask\"", "landing = \"auto\"").replacen("\n[", &format!("\n{more}\n["), 1)
    });
    town.play_in_rig(RIG);
    town
}

/// The start of a gate that is always green in a worker's own worktree, because workers run gates too.
const AT_THE_GATE: &str = "case $PWD in */gate) ;; *) exit 0;; esac\n";

/// An act of one bead's worker.
fn act(bead: &str, command: &str) -> String {
    format!(
        "[[act]]\nbead = \"{bead}\"\nstep = \"implement\"\nrun = [\"sh\", \"-c\", {command:?}]\ncommit = \"Work\"\n"
    )
}

/// Slings beads one after the other. Each worker runs the given command.
fn land(town: &Town, commands: &[&str]) -> Vec<String> {
    let beads: Vec<String> = commands.iter().map(|command| town.bead(command)).collect();
    let acts: Vec<String> = beads.iter().zip(commands).map(|(bead, command)| act(bead, command)).collect();
    town.script(&acts.concat());
    for bead in &beads {
        town.ok(&["sling", bead, RIG]);
        town.wait_closed(bead);
    }
    beads
}

fn gates_run(town: &Town) -> (bool, String) {
    let output = town.gt(&["rig", "gates", "run", "--json"]);
    let run: serde_json::Value = serde_json::from_str(&output.out).unwrap_or_else(|e| panic!("{e}: {output:#?}"));
    let gates = run["run"]["gates"].as_array().unwrap();
    let failures: Vec<String> = gates.iter().filter_map(|gate| gate["failure"].as_str().map(str::to_owned)).collect();
    (output.code == 0, failures.join("\n"))
}

#[test]
fn a_gate_sees_no_files_of_an_earlier_run() {
    let gate = "set -e
for left in build out.log new nested kept/deep pipe empty excluded; do
  test ! -e $left || { echo \"$left was left\"; exit 1; }
done
test \"$(cat README.md)\" = 'An app'
mkdir -p build/closed/in empty kept/deep nested excluded; echo 1 > build/closed/in/x; echo 1 > kept/deep/x
echo 1 > out.log; echo 1 > new; mkfifo pipe; git init -q nested; git init -q build/nested; echo 1 > excluded/x
git update-index --assume-unchanged README.md
git add -f new build/closed/in/x
ln -s ../../../project link
chmod -R a-w build/closed
# A process that outlives its gate would change what the next one sees.
(setsid sh -c 'sleep 3; while :; do echo changed > README.md; mkdir -p build; sleep 0.05; done' &)
";
    let files = [("run-tests", gate), ("README.md", "An app\n"), (".gitignore", "build/\n*.log\nnested\n")];
    let town = town(&files, "");
    let exclude = town.repo().join("info/exclude");
    std::fs::create_dir_all(exclude.parent().unwrap()).unwrap();
    crate::town::write(&exclude, "/excluded\n");
    town.ok(&["up"]);
    land(&town, &["echo 1 > one", "echo 2 > two"]);
}

#[test]
fn work_that_only_an_old_build_makes_green_does_not_land() {
    let gate = "mkdir -p build\n[ ! -e gen.sh ] || sh gen.sh > build/out\ngrep -q result build/out\n";
    let town = town(&[("run-tests", gate), ("gen.sh", "echo result\n"), (".gitignore", "build/\n")], "");
    town.ok(&["up"]);
    land(&town, &["echo note > note"]);
    let red = town.bead("Tidy up");
    town.script(&act(&red, "git rm -q gen.sh; echo note > note2"));
    town.ok(&["sling", &red, RIG]);
    town.wait_until("the work to be sent back", || town.events(&red).contains(&"mr-rework".to_owned()));
    assert_eq!(town.landings(&red), 0);
}

#[test]
fn a_gate_that_changes_tracked_files_is_red() {
    let files = [("f", "bad\n"), ("d/g", "1\n"), ("run", "#!/bin/sh\n"), ("other", "1\n"), (".gitignore", "*.o\n")];
    let town = town(&files, "");
    let changed = "gate `check` changed tracked files: ";
    let cases = [
        ("true", None),
        ("touch f; mkdir -p build; echo 1 > build/x; echo 1 > x.o", None),
        // A formatter that should only check would turn its own repair green.
        ("sed -i s/bad/good/ f; grep -q good f", Some("f")),
        ("echo 2 > d/g; rm f", Some("d/g, f")),
        ("echo 2 > f; git add f; git commit -qm mine", Some("f")),
        ("echo 2 > f; git update-index --assume-unchanged f", Some("f")),
        ("echo bab > f; touch -r other f", Some("f")),
        ("chmod +x f", Some("f")),
        ("rm f; ln -s other f", Some("f")),
        ("mv d e; ln -s e d", Some("d/g")),
        ("rm f; mkdir f", Some("f")),
        ("git rm -q --cached f", None),
        ("echo 2 > f; echo bad > f", None),
    ];
    for (command, expected) in cases {
        let gates =
            format!("\n[[gate]]\nname = \"check\"\nrun = \"{command}\"\n[[gate]]\nname = \"after\"\nrun = \"true\"\n");
        town.edit(&town.rig().join("rig.toml"), |text| text.split("\n[[gate]]").next().unwrap().to_owned() + &gates);
        let (green, failure) = gates_run(&town);
        let expected = expected.map_or(String::new(), |files| format!("{changed}{files}"));
        assert_eq!((green, failure), (expected.is_empty(), expected), "{command}");
    }
    // A gate that also fails reports both, and the next run starts clean.
    let both = "\n[[gate]]\nname = \"check\"\nrun = \"echo 2 > f; echo what is wrong; exit 3\"\n";
    town.edit(&town.rig().join("rig.toml"), |text| text.split("\n[[gate]]").next().unwrap().to_owned() + both);
    let (green, failure) = gates_run(&town);
    assert!(!green && failure.contains("exit code 3") && failure.contains("what is wrong"), "{failure}");
    assert!(failure.ends_with(&format!("{changed}f")), "{failure}");
    // A set-up that changes tracked files is red too.
    let gates = "\n[[gate]]\nname = \"check\"\nrun = \"true\"\n[worktree]\nsetup = \"echo 2 > f\"\n";
    town.edit(&town.rig().join("rig.toml"), |text| text.split("\n[[gate]]").next().unwrap().to_owned() + gates);
    assert_eq!(gates_run(&town), (false, "the set-up changed tracked files: f".to_owned()));
    assert_eq!(town.conditions(), ["rig-held"]);
}

#[test]
fn a_damaged_git_object_lands_nothing() {
    let town = town(&[("run-tests", "grep -q green code\n"), ("code", "green\n"), ("red", "red\n")], "");
    // The object that git reads for the new file has another file's content: the gate would be green.
    let lie = "cp red code && git add code && \
        repo=$(git rev-parse --git-common-dir)/objects && red=$(git rev-parse :code) && \
        green=$(git rev-parse HEAD:code) && \
        path() { echo \"$repo/$(echo $1 | cut -c1-2)/$(echo $1 | cut -c3-)\"; } && \
        rm -f \"$(path $red)\" && cp \"$(path $green)\" \"$(path $red)\"";
    let bead = town.bead("Lie");
    town.script(&act(&bead, lie));
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the refinery to say so", || town.conditions().contains(&"refinery".to_owned()));
    let told = town.ok(&["status"]);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("its tree is") && told.contains("what git checks out is the tree"), "{told}");
    assert_eq!(town.landings(&bead), 0);
    assert_eq!(town.ask("SELECT count(*) FROM verdicts WHERE NOT passed"), ["0"], "that is not red");
    // The deacon may be in its own round.
    town.wait_until("a round by hand to say so too", || {
        let output = town.gt(&["refinery", "run", "--once"]);
        assert_ne!(output.code, 0, "{output:#?}");
        output.err.contains("fsck")
    });
}

#[test]
fn a_clean_run_finds_work_that_only_a_kept_cache_made_green() {
    let gate = "test -e good || test -e cache/good || exit 1\nmkdir -p cache; cp good cache/good 2>/dev/null || true\n";
    let files = [("run-tests", gate), ("good", "1\n"), ("lock", "1\n"), (".gitignore", "cache/\ndeps/\n")];
    let count = "set-ups";
    let settings = "keep = [\"cache\", \"deps\"]\nclean_every = 2";
    let town = town(&files, settings);
    let count = town.folder().join(count);
    let set_up = format!("mkdir -p deps; echo 1 > deps/x; case $PWD in */gate) echo x >> {};; esac", count.display());
    town.edit(&town.rig().join("rig.toml"), |text| text + &format!("[worktree]\nsetup = {set_up:?}\n"));
    let set_ups = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
    town.ok(&["rig", "release", RIG]);
    assert_eq!(set_ups(), 1);
    town.ok(&["up"]);
    let beads = land(&town, &["echo 1 > one", "git rm -q good"]);
    town.wait_until("the clean run", || town.conditions().contains(&"clean-red".to_owned()));
    assert_eq!(set_ups(), 2, "all that the set-up makes is kept, so only the clean run did it again");
    assert_eq!(town.ask("SELECT warm FROM landings ORDER BY id"), ["1", "1"]);
    assert_eq!(town.ask("SELECT landing, passed FROM clean_runs").len(), 1);
    let tree = town.git(&town.remote(), &["rev-parse", "main^{tree}"]);
    let status = town.json(&["status"]);
    let need = &status["status"]["needs_you"][0];
    let told = text(&need["text"]);
    assert!(told.contains(tree.trim()) && told.contains("landed as green with kept caches"), "{told}");
    assert_eq!(text(&need["next"]), "gt why app, fix the trunk, then gt refinery confirm app");
    // Now the caches are those of the clean run: the same work would not land again.
    let output = town.gt(&["refinery", "confirm", "--json"]);
    assert_eq!(output.code, 1, "{output:#?}");
    let mended = land(&town, &["echo 1 > good"]);
    town.wait_until("a green clean run", || !town.conditions().contains(&"clean-red".to_owned()));
    assert_eq!(town.ask("SELECT passed FROM clean_runs ORDER BY id DESC LIMIT 1"), ["1"]);
    for bead in beads.iter().chain(&mended) {
        assert_eq!(town.landings(bead), 1);
    }
    // A process that dies at the end of the clean run has recorded it or not. The next run works in both cases.
    town.ok(&["down"]);
    let recorded = || town.ask("SELECT count(*) FROM clean_runs")[0].parse::<u32>().unwrap();
    for (point, more) in [("before", 0), ("after", 1)] {
        let (before, fault) = (recorded(), format!("commit:clean run:{point}"));
        let killed = town.gt_with(&town.root(), &[("GT_FAULT", &fault)], &["refinery", "confirm"]);
        assert!(killed.code != 0 && recorded() == before + more, "{point}: {killed:#?}");
        town.ok(&["refinery", "confirm"]);
        assert_eq!(recorded(), before + more + 1);
    }
}

#[test]
fn a_gate_that_changes_the_gates_settings_holds_the_rig_until_a_person_releases_it() {
    // The gate changes the settings only in the gates' worktree, not in the worker's own run.
    let gate = "case $PWD in */gate) test ! -e evil || echo '# mine' >> \"$GT_GATE/app/rig.toml\";; esac\n";
    let town = town(&[("run-tests", gate)], "");
    let bead = town.bead("Be judged by nobody");
    let act = |attempt: u32, run: &str| {
        format!(
            "[[act]]\nstep = \"implement\"\nattempt = {attempt}\nrun = [\"sh\", \"-c\", \"{run}\"]\ncommit = \"Do\"\n"
        )
    };
    town.script(&(act(1, "echo 1 > evil") + &act(2, "rm evil; echo 1 > good")));
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("it to be told", || town.conditions().contains(&"settings-changed".to_owned()));
    let needs = town.json(&["status"])["status"]["needs_you"].to_string();
    assert!(needs.contains("app/rig.toml was changed while") && needs.contains("+ # mine"), "{needs}");
    assert!(needs.contains("gt rig release app"), "{needs}");
    let held = town.gt(&["refinery", "run", "--once"]);
    assert!(format!("{held:?}").contains("the rig is held"), "{held:?}");
    let tidy = || town.edit(&town.rig().join("rig.toml"), |text| text.replace("# mine\n", ""));
    let verdicts = || town.ask("SELECT count(*) FROM verdicts WHERE passed = 0");
    assert_eq!((town.landings(&bead), verdicts()), (0, vec!["0".to_owned()]), "it is neither green nor red");

    // After its release the rig tries again, and the gate changes the settings again.
    tidy();
    town.ok(&["rig", "release", RIG]);
    town.wait_until("it to be told again", || town.conditions().contains(&"settings-changed".to_owned()));
    assert_eq!(town.landings(&bead), 0);
    let mr = text(&town.json(&["mq", "list"])["merge_requests"][0]["id"]);
    town.ok(&["mq", "reject", &mr, "--note", "It writes the settings"]);
    tidy();
    town.ok(&["rig", "release", RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
    assert_eq!(town.conditions(), Vec::<String>::new());
}
