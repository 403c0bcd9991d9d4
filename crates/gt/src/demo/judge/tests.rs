use std::path::Path;

use super::*;
use crate::demo::story::{self, BREAKS_GATES, CONFLICTING, SHOPS, TASKS};

type Files = BTreeMap<String, String>;

fn base() -> Files {
    crate::demo::project::files().into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

fn with(mut tree: Files, ids: &[&str]) -> Files {
    for id in ids {
        TASKS.iter().find(|task| task.id == *id).unwrap().apply(&mut tree);
    }
    if CONFLICTING.iter().all(|id| ids.contains(id)) {
        tree.insert(SHOPS.to_owned(), story::merged_shops(CONFLICTING));
    }
    tree
}

#[expect(clippy::disallowed_methods, reason = "a test that compares with the real shell")]
fn shell_says(tree: &Files) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in tree {
        let path = folder.path().join(Path::new(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = std::process::Command::new("sh").arg("./run-tests").current_dir(folder.path()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[track_caller]
fn check(what: &str, tree: &Files, green: bool) {
    let (shell_green, shell_text) = shell_says(tree);
    let judged = gates_pass(tree);
    assert_eq!((shell_green, judged.is_ok()), (green, green), "{what}: sh: {shell_text}, here: {judged:?}");
}

#[test]
fn the_judge_agrees_with_the_shell_on_every_tree_of_the_story() {
    check("base", &base(), true);
    for task in TASKS {
        check(task.id, &with(base(), &[task.id]), task.needs.is_empty());
        check(task.id, &with(with(base(), task.needs), &[task.id]), task.id != "demo-a3");
    }
    check("the chain", &with(base(), &["demo-a1", "demo-a2", "demo-a3"]), true);
    check("a link is missing", &with(base(), &["demo-a1", "demo-a3"]), false);
    let mut tree = base();
    for task in TASKS {
        tree = with(tree, &[task.id]);
        if task.id == CONFLICTING[1] {
            tree.insert(SHOPS.to_owned(), story::merged_shops(CONFLICTING));
        }
        check(&format!("up to {}", task.id), &tree, true);
    }
    story::break_gates(&mut tree);
    check("broken at the end", &tree, false);
    check("mended", &with(tree, &[BREAKS_GATES]), true);
}

#[test]
fn both_orders_of_the_merged_conflict_are_green_and_one_side_alone_is_red() {
    let [first, second] = CONFLICTING;
    for order in [[first, second], [second, first]] {
        let mut tree = with(base(), &CONFLICTING);
        tree.insert(SHOPS.to_owned(), story::merged_shops(order));
        check("merged", &tree, true);
        check("with a market", &with(tree, &["demo-d1"]), true);
    }
    let mut lost = with(base(), &CONFLICTING);
    lost.insert(SHOPS.to_owned(), with(base(), &[first])[SHOPS].clone());
    check("one side lost", &lost, false);
}

#[test]
fn damage_is_red() {
    let damage = |what: &str, path: &str, text: &str| {
        let mut tree = base();
        tree.insert(path.to_owned(), text.to_owned());
        check(what, &tree, false);
    };
    let markers = "<<<<<<< ours\na() { echo \"1\"; }\n=======\nb() { echo \"2\"; }\n>>>>>>> theirs\n";
    damage("conflict markers", "lib/shops.sh", markers);
    damage("no function any more", "lib/street.sh", "");
    damage("an open quote", "lib/more.sh", "more() { echo \"; }\n");
    damage("another text", "tests/street.sh", "expect \"$(street_sign)\" \"Welcome\"\n");
    let mut gone = base();
    gone.remove("run-tests");
    check("run-tests is gone", &gone, false);
    let mut untested = base();
    untested.retain(|path, _| !path.starts_with("tests/"));
    check("no tests", &untested, false);
}
