//! Every point once, with real git and real processes: the first process of the town that reaches it aborts.

#![expect(clippy::print_stdout, reason = "each run says what was killed and what came of it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use gt::demo::run::{kill_hard, make_project};
use gt::demo::story::{PREFIX, RIG};

use super::story;
use crate::simulated::may_be_done;
use crate::town::{Output, Town, identity_of, text, write};

/// Exit code of a call that a signal ended.
const DIED: i32 = -1;

/// A town where the first process that reaches a point dies there.
struct Armed {
    town: Town,
    point: String,
    /// Calls of the person that died, or were needed because another process died.
    typed_again: u32,
}

impl Armed {
    fn new(point: &str) -> Self {
        let mut town = Town::nowhere();
        let once = town.folder().join("died").display().to_string();
        town.set_env("GT_FAULT", point);
        town.set_env("GT_FAULT_ONCE", &once);
        Self { town, point: point.to_owned(), typed_again: 0 }
    }

    fn has_a_death(&self) -> bool {
        self.town.folder().join("died").exists()
    }

    /// Calls a verb as a person: again if it died; then it may be refused because it is done.
    fn gt_at(&mut self, cwd: &Path, args: &[&str]) -> Output {
        let first = self.town.gt_with(cwd, &[], args);
        if first.code != DIED {
            assert_eq!(first.code, 0, "{}: gt {}: {first:?}", self.point, args.join(" "));
            return first;
        }
        self.typed_again += 1;
        let again = self.town.gt_with(cwd, &[], args);
        assert!(again.code == 0 || may_be_done(&self.point), "{}: gt {} again: {again:?}", self.point, args.join(" "));
        again
    }

    fn gt(&mut self, args: &[&str]) -> Output {
        self.gt_at(&self.town.root(), args)
    }

    /// Creates town, rig and beads.
    fn set_up(&mut self) {
        let folder = self.town.folder().to_owned();
        let remote = make_project(&folder).unwrap();
        let script = story::script().to_toml().unwrap();
        self.town.script(&script);
        self.gt_at(&folder, &["install", "town"]);
        let root = self.town.root();
        write(&root.join("town.toml"), format!("version = 1\nagent = \"sim\"\n{}", story::SETTINGS));
        write(&root.join(".beads/formulas/mol-polecat-work.toml"), story::FORMULA);
        self.gt(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", PREFIX]);
        if self.town.conditions().iter().any(|kind| kind == "rig-held") {
            self.gt(&["rig", "release", RIG]);
        }
        self.arm_workers();
        let beads = folder.join("beads.jsonl");
        write(&beads, story::beads_jsonl(gt_testkit::sim::START));
        self.gt(&["bead", "import", &beads.display().to_string()]);
    }

    /// Sets the fault point for workers, who get only the variables that their rig gives them.
    fn arm_workers(&self) {
        let path = self.town.root().join(RIG).join("rig.toml");
        // With something to set up, so that a process can die in this effect.
        let settings = "landing = \"auto\"\nworktree.min_free_disk_mb = 1";
        self.town.edit(&path, |text| text.replace("# landing = \"ask\"", settings));
        self.town.play_in_rig(RIG);
        let once = self.town.folder().join("died");
        let point = &self.point;
        self.town.edit(&path, |text| text + &format!("GT_FAULT = {point:?}\nGT_FAULT_ONCE = {once:?}\n"));
    }

    /// Waits until everything has landed and is removed. If the town does not run, takes it up again.
    fn wait_for_end(&mut self) {
        let mut looks = 0;
        let closed = format!("SELECT count(*) FROM beads WHERE id = '{}' AND status = 'closed'", story::CONVOY);
        let left = "SELECT (SELECT count(*) FROM effects WHERE done_at IS NULL) + \
                    (SELECT count(*) FROM attempts WHERE archived_at IS NULL)";
        let is_up = |town: &Town| town.deacon().is_some();
        let mut ups = 0;
        self.town.wait_until(&format!("the end, after {}", self.point), || {
            looks += 1;
            if looks % LOOKS_FOR_DEACON == 0 && !is_up(&self.town) {
                ups += u32::from(self.town.gt(&["up"]).code == 0);
            }
            self.town.ask(&closed) == ["1"] && self.town.ask(left) == ["0"]
        });
        self.typed_again += ups;
    }

    /// Returns the recovery that was needed, as the ledger shows it.
    fn recovery(&self) -> String {
        let mut text = format!("{} calls typed again", self.typed_again);
        for (what, event) in [("starts of the deacon", "deacon-ended"), ("deaths of workers", "incarnation-ended")] {
            let condition = if event == "deacon-ended" { "" } else { " AND after NOT LIKE '%\"code\":0%'" };
            let query = format!("SELECT count(*) FROM events WHERE event = '{event}'{condition}");
            write!(text, ", {} {what}", self.town.ask(&query).join("")).unwrap();
        }
        text
    }
}

/// Number of looks between two checks that a deacon runs: about two seconds.
const LOOKS_FOR_DEACON: u32 = 40;

/// Plays the story with this death. Returns a line about it.
fn play(point: &str) -> String {
    let mut armed = Armed::new(point);
    armed.set_up();
    armed.gt(&["up"]);
    armed.gt(&story::SLING);
    if point.starts_with("commit:boot:") {
        // Boot writes a file when its deacon has died.
        kill_hard(&identity_of(armed.town.deacon().unwrap()).unwrap());
    }
    if point.contains(":undo-ref:") {
        let trunk = armed.town.git(&armed.town.root().join(RIG).join(".repo.git"), &["rev-parse", "origin/main"]);
        armed.town.git(&armed.town.root().join(RIG).join(".repo.git"), &["update-ref", "refs/heads/stray", &trunk]);
    }
    armed.wait_for_end();
    armed.gt(&["down"]);
    assert!(armed.has_a_death(), "{point} was never reached");
    check(&armed.town, point);
    format!("{point}: {}: ok", armed.recovery())
}

/// Checks a town that is down, from outside.
fn check(town: &Town, point: &str) {
    let root = town.root().display().to_string();
    let mut verify = town.program(crate::town::GT, "/".as_ref());
    let verify = verify.env_remove("GT_FAULT").args(["demo", "verify", &root]);
    let report = crate::town::output(verify);
    assert_eq!(report.code, 0, "{point}: {}\n{}", report.out, town.dump());
    // A condition about a foreign ref is left for a person to see.
    let unexpected = town.conditions().into_iter().filter(|kind| kind != "foreign-ref");
    assert_eq!(unexpected.collect::<Vec<_>>(), [""; 0], "{point}");
    let attempts: usize = text(&town.ask("SELECT count(*) FROM attempts")[0].clone().into()).parse().unwrap();
    let incarnations: usize = town.ask("SELECT count(*) FROM incarnations")[0].parse().unwrap();
    assert!((4..=6).contains(&attempts) && incarnations <= attempts + 1, "{point}: {attempts}, {incarnations}");
}

/// Points outside the story: creating the town, draining it, those of boot, and those after a stray branch.
const BESIDE: [&str; 5] = ["commit:install", "commit:draining", "commit:boot", "commit:undo-ref", "effect:undo-ref"];

/// A real run takes seconds, so by default the test tries one point in this many, always the same ones. The simulated
/// half tries all of them each time.
const SAMPLE_EVERY: usize = 12;

#[expect(clippy::disallowed_methods, reason = "how much is tried is for whoever starts the test to say")]
fn whole_matrix() -> bool {
    std::env::var("GT_MATRIX").is_ok_and(|what| what == "all")
}

#[test]
fn the_real_story_ends_well_whichever_process_dies_at_any_point() {
    let beside = BESIDE.iter().flat_map(|what| [format!("{what}:before"), format!("{what}:after")]);
    let points: BTreeSet<String> = super::simulated::passed().into_iter().chain(beside).collect();
    let every = if whole_matrix() { 1 } else { SAMPLE_EVERY };
    println!("{} points, every {every}. of them (GT_MATRIX=all for all)", points.len());
    let points: Vec<String> = points.into_iter().step_by(every).collect();
    let lines = super::for_all(&points, |point| {
        let line = std::panic::catch_unwind(|| play(point));
        let ended_well = line.is_ok();
        let line = line.unwrap_or_else(|_| format!("{point}: FAILED"));
        println!("{line}");
        (line, ended_well)
    });
    let failed: BTreeSet<&String> = lines.iter().filter(|(_, ok)| !ok).map(|(line, _)| line).collect();
    println!("{} points, {} failed", lines.len(), failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}
