//! Fresh worktrees that build: proved gates in several ecosystems, set-up, copied files, slots.

use std::io::Write as _;
use std::path::Path;

use crate::town::{RIG, Town, list, text, write};

/// Creates a town where `tool` is found although the home is empty. Returns `None` if the machine lacks the tool,
/// unless it is required.
#[expect(clippy::disallowed_methods, reason = "which tools the machine has is for the test to find out")]
pub fn town_with(tool: &str) -> Option<Town> {
    let path = std::env::var("PATH").unwrap();
    // The cargo that runs this test, not a launcher that looks for toolchains in the home.
    let own = Path::new(env!("CARGO")).parent().unwrap();
    let path = if tool == "cargo" { format!("{}:{path}", own.display()) } else { path };
    let found = path.split(':').any(|folder| Path::new(folder).join(tool).is_file());
    let required = std::env::var("GT_REQUIRE")
        .is_ok_and(|names| names.split([',', ' ']).any(|name| name == tool.trim_start_matches("git-")));
    assert!(found || !required, "{tool} is required and is not there");
    if !found {
        let _ = writeln!(std::io::stderr(), "skipped: there is no {tool}");
        return None;
    }
    let mut town = Town::nowhere();
    town.set_env("PATH", &path);
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    Some(town)
}

fn check_proof(tool: &str, files: &[(&str, &str)], gate: &str) {
    let Some(town) = town_with(tool) else { return };
    town.project("main", files);
    let added = town.json(&["rig", "add", RIG, &town.checkout().display().to_string()]);
    assert_eq!(text(&added["rig"]["gates"][0]["run"]), gate);
    assert_eq!(added["rig"]["proof"]["gates"][0]["passed"], true, "{added}");
    assert!(added["rig"]["held"].is_null(), "{added}");
}

#[test]
fn a_shell_project_is_proved() {
    check_proof("sh", &[("run-tests", "sh tests/one.sh\n"), ("tests/one.sh", "test 1 -eq 1\n")], "sh ./run-tests");
}

#[test]
fn a_rust_project_is_proved() {
    let manifest = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lib = "pub fn two() -> u32 { 2 }\n#[test]\nfn it_is_two() { assert_eq!(two(), 2); }\n";
    let files = [("Cargo.toml", manifest), ("src/lib.rs", lib), (".gitignore", "target\nCargo.lock\n")];
    check_proof("cargo", &files, "cargo test");
}

#[test]
fn a_node_project_is_proved() {
    let manifest = "{ \"name\": \"sample\", \"scripts\": { \"test\": \"node test.js\" } }\n";
    check_proof("npm", &[("package.json", manifest), ("test.js", "require('assert').equal(1 + 1, 2);\n")], "npm test");
}

#[test]
fn a_python_project_is_proved() {
    let manifest = "[project]\nname = \"sample\"\nversion = \"0.1.0\"\n";
    let test = "import unittest\n\n\nclass Sum(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1 + 1, 2)\n";
    let files = [("pyproject.toml", manifest), ("test_sum.py", test), (".gitignore", "__pycache__\n")];
    check_proof("python3", &files, "python3 -m unittest discover");
}

#[test]
fn a_project_of_c_and_make_is_proved() {
    let makefile = "check: a\n\t./a\na: a.c\n\tcc -o a a.c\n";
    let files = [("Makefile", makefile), ("a.c", "int main(void) { return 1 + 1 != 2; }\n"), (".gitignore", "a\n")];
    check_proof("make", &files, "make check");
}

/// Creates a project whose gate and whose work both need files outside git.
fn needy() -> Town {
    let town = Town::empty();
    let gate = "test \"$(cat built.ignored)\" = \"token 1234\"\n";
    town.project("main", &[("run-tests", gate), (".gitignore", "*.ignored\n"), ("README.md", "An app\n")]);
    write(&town.checkout().join(".env"), "token 1234\n");
    town
}

const BUILD: &str = "cp .env built.ignored";

#[test]
fn a_worktree_gets_files_that_git_does_not_hold() {
    let town = needy();
    let added = town.json(&["rig", "add", RIG, &town.checkout().display().to_string(), "--prefix", "ap"]);
    assert_eq!(added["rig"]["worktree"]["copy"][0], ".env", "what only the checkout has is proposed: {added}");
    assert_eq!(added["rig"]["proof"]["gates"][0]["passed"], false, "without the set-up nothing is built");
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |toml| {
        let toml = toml.replace("[worktree]\n", &format!("[worktree]\nsetup = \"{BUILD}\"\n"));
        toml.replace("# landing = \"ask\"", "landing = \"auto\"")
            .replace("[env.set]\n", "[env.set]\nPORT = \"80{slot}\"\n")
    });
    town.ok(&["rig", "release", RIG]);
    town.script("[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", \"cat built.ignored && echo $PORT > port.txt\"]\ncommit = \"Write the port\"\n");
    let bead = town.bead("Need a build");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.git(&town.remote(), &["show", "main:port.txt"]).trim(), "800");
    let names = town.git(&town.remote(), &["ls-tree", "-r", "--name-only", "main"]);
    assert!(!names.contains(".env"), "what was copied is never committed: {names}");
    assert_eq!(std::fs::read_to_string(town.checkout().join(".env")).unwrap(), "token 1234\n");
}

#[test]
fn a_failing_set_up_is_reported_and_starts_no_session() {
    let town = Town::new();
    town.edit(&town.rig().join("rig.toml"), |toml| toml + "\n[worktree]\nsetup = \"echo no compiler here; exit 3\"\n");
    let bead = town.bead("Need a compiler");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the failure to be told", || town.ok(&["why", &bead]).contains("no compiler here"));
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["0"]);
    town.edit(&town.rig().join("rig.toml"), |toml| toml.replace("echo no compiler here; exit 3", "true"));
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}

/// If a commit replaces the folder of a copy by a link, nothing is copied through the link: the work is red, is sent
/// back with that reason, and can be repaired like any other.
#[test]
fn a_commit_that_redirects_copies_by_a_link_is_sent_back_and_gets_none() {
    let town = Town::new();
    let drop = town.folder().join("home/drop");
    std::fs::create_dir_all(&drop).unwrap();
    write(&town.checkout().join("config/dev.env"), "secret\n");
    let (from, drop_text) = (town.checkout(), drop.display().to_string());
    town.edit(&town.rig().join("rig.toml"), |toml| {
        format!("{toml}\n[worktree]\ncopy = [\"config/dev.env\"]\nfrom = {from:?}\n")
    });
    let turn = format!(
        "if test -L config; then rm config && echo mended > note; else rm -rf config && ln -s {drop_text} config; fi"
    );
    town.script(&format!(
        "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", {turn:?}]\ncommit = \"Lead or mend\"\n"
    ));
    let bead = town.bead("Lead it astray");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    let reasons = town.ask("SELECT failure FROM merge_requests WHERE failure IS NOT NULL ORDER BY rowid");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains("`config` is a link in this commit"), "{reasons:?}");
    assert_eq!(list(&drop), Vec::<std::path::PathBuf>::new(), "nothing was copied through the link");
    assert_eq!(town.git(&town.remote(), &["ls-tree", "--name-only", "main", "note", "config"]), "note");
}

/// Creates a town whose project has the submodule `lib`; its gate needs the file in it.
pub fn town_with_submodule() -> Town {
    let mut town = Town::nowhere();
    // The user's own git must allow that a submodule comes from a folder.
    let config = town.folder().join("gitconfig");
    write(&config, "[protocol \"file\"]\n\tallow = always\n");
    town.set_env("GIT_CONFIG_GLOBAL", &config.display().to_string());
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    town.project("main", &[("run-tests", "test \"$(cat lib/word)\" = hello\n"), ("README.md", "An app\n")]);
    let lib = town.folder().join("lib");
    write(&lib.join("word"), "hello\n");
    for args in [&["init", "--quiet", "--initial-branch=main"][..], &["add", "-A"], &["commit", "--quiet", "-m", "Lib"]]
    {
        town.git(&lib, args);
    }
    let project = town.checkout();
    town.git(&project, &["submodule", "--quiet", "add", &lib.display().to_string(), "lib"]);
    town.git(&project, &["commit", "--quiet", "-am", "Add lib"]);
    town.git(&project, &["push", "--quiet", "origin", "main"]);
    town
}

#[test]
fn workers_gates_and_the_archive_have_submodules() {
    let town = town_with_submodule();
    let added = town.json(&["rig", "add", RIG, &town.remote().display().to_string(), "--prefix", "ap"]);
    assert_eq!(added["rig"]["worktree"]["submodules"], true, "{added}");
    assert_eq!(added["rig"]["proof"]["gates"][0]["passed"], true, "{added}");
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |toml| toml.replace("# landing = \"ask\"", "landing = \"auto\""));
    town.script("[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", \"cp lib/word copy\"]\ncommit = \"Copy\"\n");
    let bead = town.bead("Needs the submodule");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_quiet();
    assert_eq!(town.git(&town.remote(), &["show", "main:copy"]).trim(), "hello");
    assert_eq!(town.conditions(), Vec::<String>::new());
    let archived = list(&town.rig().join(".archive"));
    let lib = archived[0].join("lib");
    assert_eq!(std::fs::read_to_string(lib.join("word")).unwrap(), "hello\n");
    assert_eq!(town.git(&lib, &["log", "--format=%s"]).trim(), "Lib", "its repository came along");
}

/// A person moves `lib` on the trunk and adds the submodule `more`, while the worker works.
fn move_submodules(town: &Town) -> std::path::PathBuf {
    let script = town.folder().join("move");
    let (lib, more) = (town.folder().join("lib"), town.folder().join("more"));
    let text = format!(
        "set -e; unset $(git rev-parse --local-env-vars); git config --global user.name A; git config --global user.email a@b\n\
         git config --global protocol.file.allow always\n\
         cd {lib}; echo again >> word; git commit -qam Again; git clone -q {lib} {more}\n\
         cd {project}; git -C lib pull -q origin main; sed -i 's/= hello/!= other/' run-tests\n\
         git submodule --quiet add {more} more; git commit -qam Both; git push -q origin main\n",
        lib = lib.display(),
        more = more.display(),
        project = town.checkout().display(),
    );
    write(&script, &text);
    script
}

#[test]
fn gt_catch_up_updates_submodules() {
    let town = town_with_submodule();
    town.ok(&["rig", "add", RIG, &town.remote().display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |toml| toml.replace("# landing = \"ask\"", "landing = \"auto\""));
    let script = move_submodules(&town);
    let act = format!(
        "sh {} && echo 1 > own && git add own && git commit -qm Own && gt catch-up && git submodule update --init \
         && cat lib/word more/word > copy",
        script.display()
    );
    town.script(&format!("[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", \"{act}\"]\ncommit = \"Copy\"\n"));
    let bead = town.bead("Sees the submodules");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.git(&town.remote(), &["show", "main:copy"]).trim(), "hello\nagain\nhello\nagain");
    assert_eq!(town.ask("SELECT outcome FROM attempts"), ["landed"]);
}

#[test]
fn work_with_an_unpublished_submodule_commit_is_sent_back() {
    let town = town_with_submodule();
    town.ok(&["rig", "add", RIG, &town.remote().display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |toml| toml.replace("# landing = \"ask\"", "landing = \"auto\""));
    // The worker commits in the submodule, and can't push that commit. When it learns this, it goes back to the old
    // commit.
    let inside = "cd lib && echo more >> more && git add more && git commit -qm More";
    let back = "git checkout -q HEAD~1 -- lib && git submodule --quiet update --force && echo 1 > one";
    town.script(&format!(
        "[[act]]\nstep = \"implement\"\nattempt = 1\nrun = [\"sh\", \"-c\", \"{inside}\"]\ncommit = \"Move lib\"\n\
         [[act]]\nstep = \"branch-setup\"\nattempt = 2\nrun = [\"sh\", \"-c\", \"{back}\"]\ncommit = \"One\"\n",
    ));
    let bead = town.bead("Moves the submodule");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    let why = town.ask("SELECT failure FROM merge_requests ORDER BY submitted_at");
    assert!(why[0].contains("the submodules can't be checked out"), "{why:?}");
    assert_eq!(town.ask("SELECT outcome FROM attempts ORDER BY number"), ["rework", "landed"]);
}

#[test]
fn workers_and_gates_have_large_files_and_these_land() {
    let Some(town) = town_with("git-lfs") else { return };
    let gate = "test \"$(cat big.bin)\" = big\n! grep -q git-lfs new.bin\n";
    let attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n";
    town.project("main", &[("run-tests", gate), (".gitattributes", attributes)]);
    let project = town.checkout();
    town.git(&project, &["lfs", "install", "--local"]);
    write(&project.join("big.bin"), "big\n");
    town.git(&project, &["add", "--all"]);
    town.git(&project, &["commit", "--quiet", "-m", "Big"]);
    town.git(&project, &["push", "--quiet", "origin", "main"]);
    let added = town.json(&["rig", "add", RIG, &town.remote().display().to_string(), "--prefix", "ap"]);
    assert_eq!(added["rig"]["worktree"]["lfs"], true, "{added}");
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |toml| toml.replace("# landing = \"ask\"", "landing = \"auto\""));
    let act = "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", \"cat big.bin big.bin > new.bin\"]\n";
    town.script(&format!("{act}commit = \"Grow\"\n"));
    let bead = town.bead("Grow");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert!(town.git(&town.remote(), &["show", "main:new.bin"]).contains("git-lfs"), "git has a pointer");
    town.git(&project, &["pull", "--quiet"]);
    assert_eq!(std::fs::read_to_string(project.join("new.bin")).unwrap(), "big\nbig\n", "and the remote what it means");
}
