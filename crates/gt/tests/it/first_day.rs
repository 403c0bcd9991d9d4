//! The first commands of a new user.

use crate::town::{RIG, Town, finish};

#[test]
fn a_bead_goes_to_its_own_rig_and_status_shows_it() {
    let town = Town::asking();
    let remote = town.remote().display().to_string();
    town.ok(&["rig", "add", "other", &remote, "--prefix", "ot", "--skip-proof"]);
    let (own, others) = (town.bead("Own"), town.ok(&["bead", "q", "Others", "--rig", "other"]).trim().to_owned());
    let status = town.ok(&["status"]);
    assert!(status.contains("the town is down: gt up; 2 beads ready"), "{status}");
    let mixed = town.gt(&["sling", &own, &others]);
    assert!(mixed.code == 2 && mixed.err.contains("several rigs: app, other"), "{mixed:?}");
    let slung = town.ok(&["sling", &others]);
    assert!(slung.contains(&format!("{others} -> other/polecats/amber (attempt 1)")), "{slung}");
    let unknown = town.gt(&["sling", &own, "nowhere"]);
    assert!(unknown.code == 3 && unknown.err.contains("no rig is called `nowhere`"), "{unknown:?}");
    assert!(town.ok(&["sling", &own, RIG]).contains("-> app/polecats/amber"));

    // `gt status` is short by default, and complete with --long.
    let (short, long) = (town.ok(&["status"]), town.ok(&["status", "--long"]));
    assert!(short.contains("2 workers; 0 beads ready") && !short.contains("lands on"), "{short}");
    assert!(long.contains("rig other: lands on main") && long.contains("not synced to a remote"), "{long}");
    let mut watch = town.start(&[], &["status", "--watch"]);
    town.ok(&["unsling", &own]);
    town.let_patrols_pass();
    watch.kill().unwrap();
    let watched = finish(watch).out;
    assert!(watched.contains("2 workers; 0 beads ready") || watched.contains("1 bead ready"), "{watched}");

    // `gt` tells its build, and whether the daemon is of another build.
    let version = town.ok(&["--version"]);
    let build = version.split_once("(build ").unwrap().1.trim_end().trim_end_matches(')').to_owned();
    town.ok(&["up"]);
    assert!(town.gt(&["doctor"]).out.contains(&format!("deacon: it runs, as this build ({build})")));
    let copy = town.folder().join("another-gt");
    std::fs::copy(crate::town::GT, &copy).unwrap();
    let doctor = finish(
        town.program(&copy.display().to_string(), &town.root())
            .arg("doctor")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert!(doctor.out.contains(&format!("FAIL  deacon: it runs build {build}, and this gt is build ")), "{doctor:?}");
}

#[test]
fn landed_commits_follow_the_settings() {
    let town = Town::new();
    let nobody = town.gt(&["rig", "set", RIG, "commits.author=overseer"]);
    assert!(nobody.code == 5 && nobody.err.contains("gt does not know it"), "{nobody:?}");
    let wrong = town.gt(&["rig", "set", RIG, "commits.author=me"]);
    assert!(wrong.code == 1 && wrong.err.contains("worker-and-overseer"), "{wrong:?}");
    town.ok(&["town", "set", "commits.overseer=Ann Lee <ann@example.org>", "commits.sign_off=true"]);
    town.ok(&["rig", "set", RIG, "commits.author=overseer", "commits.subject={kind}: {title}", "commits.body=bead"]);
    let bead = town.ok(&["bead", "q", "Greet", "-t", "feature", "-d", "Say it in French.", "--rig", RIG]);
    let bead = bead.trim();
    town.ok(&["up"]);
    town.ok(&["sling", bead]);
    town.ok(&["crew", "add", RIG, "me"]);
    town.wait_closed(bead);
    let said = town.git(&town.remote(), &["log", "-1", "--format=%an <%ae>|%cn|%B", "main"]);
    let trailers = format!("Bead: {bead}\nWorker: app/polecats/amber\nMerge-Request: mr-{bead}-1");
    let signed = "Signed-off-by: Ann Lee <ann@example.org>";
    assert_eq!(
        said.trim_end(),
        format!("Ann Lee <ann@example.org>|Gas Town|feat: Greet\n\nSay it in French.\n\n{trailers}\n{signed}")
    );
    let workspace = town.rig().join("crew/me");
    town.wait_until("the workspace", || workspace.join("README.md").exists());
    assert_eq!(
        town.git(&workspace, &["config", "--worktree", "user.email"]),
        "ann@example.org",
        "crew is the person's own"
    );
}
