//! Nothing is built twice: warm copies for fresh worktrees, concurrent set-ups, archives without build output, and
//! gates that run once on a tree.

use std::path::{Path, PathBuf};

use crate::town::{GT, RIG, Town, list, text, write};

/// A command that prints where it runs.
const SAYS_WHERE: &str = "echo \"$PWD\" >> \"$GT_SIM_PLAY_DIR/ran\"\n";

/// A gate that builds, and prints where it ran.
fn building(more: &str) -> String {
    format!("{SAYS_WHERE}mkdir -p target/deep && echo built >> target/deep/by && ln -sf by target/deep/link\n{more}")
}

/// Creates a town whose project has this gate and these other files, is proved, and lands green work without approval.
fn town(gate: &str, files: &[(&str, &str)], settings: &str) -> Town {
    let town = Town::empty();
    let common = [("run-tests", gate), (".gitignore", "target\nnode_modules\n.venv\n"), ("README.md", "An app\n")];
    let remote = town.project("main", &[&common[..], files].concat());
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap", "--skip-proof"]);
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |text| {
        text.replace("# landing = \"ask\"", "landing = \"auto\"") + settings
    });
    town.ok(&["rig", "release", RIG]);
    town
}

fn played(town: &Town, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(town.folder().join("play").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Returns how often gates ran in the gates' worktree, and in workers' own worktrees.
fn gate_runs(town: &Town) -> (usize, usize) {
    let runs = played(town, "ran");
    let in_gate = runs.iter().filter(|at| at.ends_with("/refinery/gate")).count();
    (in_gate, runs.len() - in_gate)
}

fn act(step: &str, command: &str) -> String {
    format!("[[act]]\nstep = \"{step}\"\nrun = [\"sh\", \"-c\", {command:?}]\ncommit = \"Work\"\n")
}

/// Slings a bead whose worker plays these acts, and waits until it has landed and everything is removed.
fn land(town: &Town, title: &str, acts: &str) -> String {
    let bead = town.bead(title);
    town.script(acts);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_quiet();
    bead
}

fn warm_copies(town: &Town) -> Vec<PathBuf> {
    list(&town.rig().join("refinery/warm"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_fresh_worktree_gets_its_own_copy_of_the_trunks_build_output() {
    let town = town(&building(""), &[("requirements.txt", "one\n")], "");
    let copies = warm_copies(&town);
    assert_eq!(copies.len(), 1, "the proof of the trunk leaves one: {copies:?}");
    let built = copies[0].join("files/target/deep/by");
    assert_eq!(read(&built), "built\n");
    town.ok(&["up"]);
    // Build tools take output that is younger than the sources as built from them.
    let seen = "cat target/deep/by > seen; readlink target/deep/link >> seen
        test target/deep/by -ot run-tests && test target/deep/by -ot README.md && echo older >> seen
        echo mine >> target/deep/by; git status --porcelain | grep target >> seen || true";
    land(&town, "Look", &act("implement", seen));
    assert_eq!(town.git(&town.remote(), &["show", "main:seen"]), "built\nby\nolder");
    assert_eq!(read(&built), "built\n", "what a worker does to its copy is its own affair");
    land(&town, "Lock others", &act("implement", "cat target/deep/by > seen2; echo two > requirements.txt"));
    assert_eq!(town.git(&town.remote(), &["show", "main:seen2"]), "built");
    town.wait_until("what landed with other lock files to have one of its own", || warm_copies(&town).len() == 2);
    let copies = warm_copies(&town);
    land(&town, "Look again", &act("implement", "cat target/deep/by > seen3"));
    assert_eq!(town.git(&town.remote(), &["show", "main:seen3"]), "built");
    assert_eq!(warm_copies(&town), copies);
    town.edit(&town.rig().join("rig.toml"), |text| text + "\n[worktree]\nwarm_limit_mb = 0\n");
    land(&town, "Look for none", &act("implement", "test ! -e target && echo none > seen4"));
    town.ok(&["retention", "run"]);
    assert_eq!(warm_copies(&town), Vec::<PathBuf>::new());
}

#[test]
fn work_that_has_not_landed_leaves_no_warm_copy() {
    let town = town(&building(""), &[("requirements.txt", "one\n")], "");
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("landing = \"auto\"", "landing = \"ask\""));
    town.ok(&["up"]);
    let bead = town.bead("Lock others");
    town.script(&act("implement", "echo two > requirements.txt"));
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the work to be green", || town.conditions().contains(&"approval".to_owned()));
    assert_eq!(warm_copies(&town).len(), 1, "it is green, and not the trunk's");
    let (in_gate, _) = gate_runs(&town);
    let mr = town.ask("SELECT id FROM merge_requests").remove(0);
    // A tree that a person rejected after its gates ran is not a landed tree.
    town.ok(&["mq", "hold", &mr]);
    town.ok(&["mq", "retry", &mr]);
    town.ok(&["mq", "approve", &mr]);
    town.wait_closed(&bead);
    town.wait_quiet();
    assert_eq!(gate_runs(&town).0, in_gate, "the tree that was green is not tested again");
    town.wait_until("a warm copy of what has landed", || warm_copies(&town).len() == 2);
}

#[expect(clippy::disallowed_methods, reason = "the machine's programs are needed behind that of the test")]
fn path_behind(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// Creates a town with an `npm` in its PATH that installs one package, and prints where.
fn town_with_npm(files: &[(&str, &str)]) -> Town {
    let mut town = Town::nowhere();
    let bin = town.folder().join("programs");
    let npm = format!(
        "#!/bin/sh\ntest \"$1\" = ci && rm -rf node_modules && mkdir -p node_modules/one && echo 1 > node_modules/one/index.js\n{}",
        SAYS_WHERE.replace("ran", "npm")
    );
    write(&bin.join("npm"), npm);
    assert!(town.program("chmod", &bin).args(["+x", "npm"]).status().unwrap().success());
    town.set_env("PATH", &path_behind(&bin));
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    let gate = "test -e node_modules/one/index.js\n";
    let common = [("run-tests", gate), (".gitignore", "node_modules\n"), ("package-lock.json", "{}\n")];
    let remote = town.project("main", &[&common[..], files].concat());
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap", "--skip-proof"]);
    town.play_in_rig(RIG);
    town.ok(&["rig", "set", RIG, "worktree.setup=npm ci", "landing=auto"]);
    town.ok(&["rig", "release", RIG]);
    town.ok(&["up"]);
    town
}

#[test]
fn packages_of_unchanged_lock_files_are_installed_once() {
    let town = town_with_npm(&[("package.json", "{\"name\": \"a\"}\n")]);
    land(&town, "Use the package", &act("implement", "cat node_modules/one/index.js > seen"));
    assert_eq!(town.git(&town.remote(), &["show", "main:seen"]), "1");
    let in_workers = |town: &Town| played(town, "npm").iter().filter(|at| at.contains("/polecats/")).count();
    assert_eq!(in_workers(&town), 0, "{:?}", played(&town, "npm"));
    let logs = list(&town.rig().join("refinery/logs"));
    let told = logs.iter().map(|log| read(log)).any(|log| log.starts_with("Not run: node_modules came from"));
    assert!(told, "the set-up's log says so: {logs:?}");
    land(&town, "Take other packages", &act("implement", "echo '{ }' > package-lock.json"));
    land(&town, "Add a script", &act("implement", "echo '{\"scripts\": {\"prepare\": \"true\"}}' > package.json"));
    assert_eq!(in_workers(&town), 0);
    land(&town, "After the script", &act("implement", "echo 1 > one"));
    assert_eq!(in_workers(&town), 1, "what an installation runs may make other things");
}

#[test]
fn a_set_up_that_does_more_than_install_runs_in_each_worktree() {
    let town = town_with_npm(&[]);
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("setup = \"npm ci\"", "setup = \"npm ci && true\""));
    town.ok(&["rig", "prove", RIG]);
    land(&town, "Work", &act("implement", "echo 1 > one"));
    assert_eq!(played(&town, "npm").iter().filter(|at| at.contains("/polecats/")).count(), 1);
}

/// A process that dies while a warm copy is made or given leaves no partial copy, and the next one succeeds.
#[test]
fn a_warm_copy_is_complete_whichever_process_dies() {
    let town = town(&building(""), &[], "");
    std::fs::remove_dir_all(town.rig().join("refinery/warm")).unwrap();
    let killed = town.gt_with(&town.root(), &[("GT_FAULT", "warm:taken")], &["rig", "prove", RIG]);
    assert_ne!(killed.code, 0, "{killed:#?}");
    let is_whole = |copy: &PathBuf| !copy.file_name().unwrap().to_string_lossy().starts_with(".making-");
    assert!(!warm_copies(&town).iter().any(is_whole), "{:?}", warm_copies(&town));
    town.ok(&["rig", "prove", RIG]);
    let copies = warm_copies(&town);
    assert!(copies.len() == 1 && copies[0].join("files/target/deep/by").exists(), "{copies:?}");
    let killed = town.gt_with(&town.root(), &[("GT_FAULT", "warm:copied")], &["crew", "add", RIG, "me"]);
    assert_ne!(killed.code, 0, "{killed:#?}");
    let workspace = town.rig().join("crew/me");
    assert!(!workspace.join("target").exists());
    assert_eq!(town.git(&workspace, &["status", "--porcelain", "--ignored"]), "");
    town.ok(&["crew", "add", RIG, "me"]);
    assert_eq!(read(&workspace.join("target/deep/by")), "built\n");
    assert_eq!(warm_copies(&town), copies, "nothing is left beside it");
}

/// Copies from the overseer's own checkout are not younger than the worktree's sources either.
#[test]
fn the_overseers_build_output_is_older_than_the_sources_a_gate_tests() {
    let town = Town::empty();
    let gate = "test target/by -ot run-tests\n";
    let remote = town.project("main", &[("run-tests", gate), (".gitignore", "target\n")]);
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--skip-proof"]);
    let from = town.checkout();
    town.edit(&town.rig().join("rig.toml"), |text| {
        format!("{text}\n[worktree]\nclone = [\"target\"]\nfrom = {from:?}\n")
    });
    write(&from.join("target/by"), "theirs");
    town.ok(&["rig", "release", RIG]);
    // The second run has the same sources as the first, and the build is newer than they are.
    write(&from.join("target/by"), "theirs, later");
    town.ok(&["rig", "prove", RIG]);
}

#[test]
fn set_ups_of_one_rig_run_concurrently_up_to_the_limit() {
    // Each set-up waits for another one, and reports how many it has seen.
    let set_up = "case $PWD in */gate) exit 0;; esac; p=$GT_SIM_PLAY_DIR; touch $p/in-$$ $p/begun-$$
until test $(ls $p | grep -c ^begun) -ge $AT_LEAST; do sleep 0.05; done
sleep 0.3; ls $p | grep -c ^in- >> $p/seen; rm $p/in-$$";
    for (at_once, at_least) in [(2, 2), (1, 1)] {
        let settings = format!("\n[worktree]\nat_once = {at_once}\nsetup = {set_up:?}\nsetup_timeout_seconds = 50\n");
        let town = town("true\n", &[], "");
        town.edit(&town.rig().join("rig.toml"), |text| {
            text.replace("[env.set]\n", &format!("[env.set]\nAT_LEAST = \"{at_least}\"\n")) + &settings
        });
        town.script(crate::town::WORK);
        let beads = ["One", "Two", "Three"].map(|title| town.bead(title));
        town.ok(&["up"]);
        town.ok(&["sling", &beads[0], &beads[1], &beads[2], RIG]);
        beads.iter().for_each(|bead| town.wait_closed(bead));
        let seen: Vec<usize> = played(&town, "seen").iter().map(|count| count.trim().parse().unwrap()).collect();
        assert_eq!((seen.len(), seen.iter().max()), (3, Some(&at_once)), "{seen:?}");
    }
}

#[test]
fn an_archive_omits_only_what_can_be_built_again() {
    let files = [("vendor/target/kept.txt", "tracked\n"), ("dist/.gitignore", "*.o\n")];
    let town = town("true\n", &[], "");
    for (path, content) in files {
        write(&town.checkout().join(path), content);
    }
    town.git(&town.checkout(), &["add", "--all", "--force"]);
    town.git(&town.checkout(), &["commit", "--quiet", "-m", "Track a target"]);
    town.git(&town.checkout(), &["push", "--quiet"]);
    town.ok(&["up"]);
    let work = "mkdir -p target/deep web/node_modules .venv dist
        echo 1 > target/deep/x; echo 1 > web/node_modules/x; echo 1 > .venv/x; echo 1 > vendor/target/own.o
        echo 1 > dist/x.o; ln -s ../.. web/target; chmod a-w target/deep; echo 1 > one";
    land(&town, "Build", &act("implement", work));
    let archived = list(&town.rig().join(".archive"));
    assert_eq!(archived.len(), 1, "nothing that was set aside is left: {archived:?}");
    let there = |path: &str| archived[0].join(path).symlink_metadata().is_ok();
    for gone in ["target", "web/node_modules", ".venv"] {
        assert!(!there(gone), "{gone}");
    }
    for kept in ["one", "vendor/target/kept.txt", "vendor/target/own.o", "dist/x.o", "web/target"] {
        assert!(there(kept), "{kept}");
    }
    town.edit(&town.rig().join("rig.toml"), |text| text + "\n[worktree]\nrebuildable = [\"dist\"]\n");
    land(&town, "Build again", &act("implement", "mkdir target; echo 1 > target/x; echo 2 > one"));
    assert!(list(&town.rig().join(".archive")).iter().any(|archive| archive.join("target/x").exists()));
}

/// Files that git does not ignore are a worker's work, whatever their folder is called.
#[test]
fn tracked_work_in_a_rebuildable_folder_stays_in_the_archive() {
    let town = town("true\n", &[], "");
    town.push_a_commit(".gitignore", "*.o\n");
    town.ok(&["up"]);
    let bead = town.bead("Half");
    let work = "mkdir target; echo precious > target/notes; echo 1 > target/x.o";
    town.script(&format!(
        "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", {work:?}]\nsignal = \"half\"\nmisbehave = \"hang\"\n"
    ));
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("half");
    town.ok(&["polecat", "nuke", "app/amber", "--yes"]);
    town.wait_quiet();
    let archived = list(&town.rig().join(".archive"));
    assert_eq!(read(&archived[0].join("target/notes")), "precious\n");
    // It never landed, so the setting to delete landed archives at once does not apply.
    assert_eq!(going(&town, &["retention", "run", "--landed"]), Vec::<String>::new());
    assert_eq!(list(&town.rig().join(".archive")), archived);
}

fn going(town: &Town, args: &[&str]) -> Vec<String> {
    let report = town.json(args)["retention"].clone();
    assert_eq!(report["failed"].as_array().unwrap().len(), 0, "{report}");
    report["going"].as_array().unwrap().iter().map(|going| text(&going["name"])).collect()
}

#[test]
fn archives_of_landed_work_are_deleted_at_once_if_the_settings_say_so() {
    let town = town("true\n", &[], "");
    town.ok(&["up"]);
    let landed = land(&town, "Land", &act("implement", "echo 1 > one"));
    let lost = land(&town, "Lose its snapshot", &act("implement", "echo 1 > two"));
    town.git(&town.repo(), &["update-ref", "-d", &format!("refs/gt/snapshots/{lost}-1")]);
    let archive = |bead: &str| format!("app/.archive/amber-{bead}-1");
    let at_other_times = going(&town, &["retention", "run"]);
    assert!(!at_other_times.iter().any(|name| name.contains("archive")), "they are young: {at_other_times:?}");
    let would = going(&town, &["retention", "run", "--landed", "--dry-run"]);
    assert_eq!(would, [archive(&landed)]);
    let report = town.json(&["retention", "run", "--landed"])["retention"].clone();
    assert_eq!((&report["going"][0]["reason"], text(&report["only_copies"][0])), (&"landed".into(), archive(&lost)));
    assert!(town.root().join(archive(&lost)).exists());
    assert!(!town.root().join(archive(&landed)).exists());
    let snapshot = format!("refs/gt/snapshots/{landed}-1");
    assert_eq!(town.git(&town.repo(), &["show", &format!("{snapshot}:one")]), "1", "git has it");
    let events = town.events(&landed);
    assert!(events.contains(&"retention-removed".to_owned()), "{events:?}");
}

#[test]
fn gates_run_once_for_a_worker_and_once_for_the_town_on_one_tree() {
    let town = town(SAYS_WHERE, &[], "");
    assert_eq!(gate_runs(&town), (1, 0), "the proof");
    town.ok(&["up"]);
    let gates = format!("{GT} rig gates run");
    let acts = [
        act("preflight-tests", &format!("{gates} > $GT_SIM_PLAY_DIR/preflight")),
        act("implement", "echo 1 > one"),
        act("run-tests", &format!("{gates}; {gates} > $GT_SIM_PLAY_DIR/again")),
    ];
    land(&town, "Work", &acts.concat());
    assert!(played(&town, "preflight")[0].contains("the town has run these gates on exactly this tree"));
    assert!(played(&town, "again")[0].contains("you have run these gates on exactly this tree"));
    assert_eq!(gate_runs(&town), (2, 1), "{:?}", played(&town, "ran"));
    let forced = act("run-tests", &format!("{gates}; {gates} --again"));
    land(&town, "Work again", &[act("implement", "echo 2 > two"), forced].concat());
    assert_eq!(gate_runs(&town), (3, 3), "{:?}", played(&town, "ran"));
}

#[test]
fn gates_run_again_after_a_change_of_their_settings_or_environment() {
    let town = town(SAYS_WHERE, &[], "");
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("landing = \"auto\"", "landing = \"ask\""));
    town.ok(&["up"]);
    let bead = town.bead("Work");
    town.script(&act("implement", "echo 1 > one"));
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the work to be green", || town.conditions().contains(&"approval".to_owned()));
    let (before, _) = gate_runs(&town);
    town.ok(&["rig", "set", RIG, "env.set.MODE=other"]);
    town.wait_until("the gates to run again", || gate_runs(&town).0 > before);
}
