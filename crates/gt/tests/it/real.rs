//! A whole town in a temporary folder, with real git and real workers through the built `gt`. The test itself is the
//! deacon, so that it decides when the deacon looks.

#![expect(
    clippy::disallowed_methods,
    reason = "a test calls the built gt as a person does, and plays its workers' marks"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gt::demo::run::{Folders, kill_hard, make_project};
use gt::demo::story::RIG;
use gt::sim::script::Script;
use gt_ledger::Incarnation;
use gt_town::patrol::deacon::{self, Memory};
use gt_town::{Outside, Town};
use gt_world::faults::Faults;
use gt_world::real::{Git, RealWorld, entropy};
use tempfile::TempDir;

use crate::both_worlds::Scene;

/// The built `gt`.
const GT: &str = env!("CARGO_BIN_EXE_gt");

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A real town. Dropping it takes the town down.
pub struct RealTown {
    folders: Folders,
    env: BTreeMap<String, String>,
    town: Town,
    memory: RefCell<Memory>,
    // Last, so that the folder is removed last.
    _folder: TempDir,
}

impl RealTown {
    /// Creates a town with the demo's project as its one rig, whose workers play `script`. `settings` are lines of
    /// town.toml.
    pub fn new(settings: &str, prefix: &str, script: &Script) -> Self {
        let folder = TempDir::new().unwrap();
        // The temporary folder's name may contain a link, and the town's paths must be the real ones.
        let root = folder.path().canonicalize().unwrap();
        let (folders, env) = (Folders::new(&root), environment(&root));
        let remote = make_project(&root).unwrap();
        std::fs::create_dir_all(folders.play()).unwrap();
        std::fs::write(folders.script(), script.to_toml().unwrap()).unwrap();
        gt(&root, &env, &["install", folders.town().to_str().unwrap()]);
        std::fs::write(folders.town().join("town.toml"), format!("version = 1\nagent = \"sim\"\n{settings}")).unwrap();
        gt(&folders.town(), &env, &["rig", "add", RIG, remote.to_str().unwrap(), "--prefix", prefix]);
        settle_rig(&folders);
        let town = Town::open(&folders.town(), outside(&env)).unwrap();
        Self { folders, env, town, memory: RefCell::default(), _folder: folder }
    }
}

impl Drop for RealTown {
    fn drop(&mut self) {
        // Ends all running processes, also if the test has failed.
        let _ = command(&self.folders.town(), &self.env, &["down", "--now"]).output();
    }
}

/// Returns a person's environment without any user's git settings.
fn environment(home: &Path) -> BTreeMap<String, String> {
    let variables = [
        ("HOME", home.to_str().unwrap()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn outside(env: &BTreeMap<String, String>) -> Outside {
    let git = Git::with_environment(env.iter().map(|(name, value)| (name.into(), value.into())));
    Outside {
        build: gt::build_of(Path::new(GT)),
        world: Arc::new(RealWorld::with_git(PathBuf::from(GT), git)),
        env: env.clone(),
        gt: PathBuf::from(GT),
        presets: gt::presets(),
        prices: gt::prices(),
        entropy: Arc::new(entropy),
        faults: Faults::none(),
    }
}

fn settle_rig(folders: &Folders) {
    let path = folders.town().join(RIG).join("rig.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("# landing = \"ask\"", "landing = \"auto\"");
    let (script, play) = (folders.script(), folders.play());
    let env = format!("\n[env.set]\nGT_SIM_SCRIPT = {script:?}\nGT_SIM_PLAY_DIR = {play:?}\n");
    std::fs::write(path, text + &env).unwrap();
}

fn command(cwd: &Path, env: &BTreeMap<String, String>, args: &[&str]) -> Command {
    let mut command = Command::new(GT);
    command.args(args).current_dir(cwd).env_clear().envs(env);
    command
}

/// Calls a verb as a person, which must succeed.
fn gt(cwd: &Path, env: &BTreeMap<String, String>, args: &[&str]) -> String {
    let output = command(cwd, env, args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "gt {}: {said}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

impl Scene for RealTown {
    fn town(&self) -> &Town {
        &self.town
    }

    fn overseer(&self, args: &[&str]) {
        gt(&self.folders.town(), &self.env, args);
    }

    fn import(&self, jsonl: &str) {
        let path = self.folders.beads();
        std::fs::write(&path, jsonl).unwrap();
        self.overseer(&["bead", "import", path.to_str().unwrap()]);
    }

    fn look(&self) -> bool {
        deacon::look(&self.town, &mut self.memory.borrow_mut()).unwrap()
    }

    fn let_work(&self) {
        self.town.world().clock().pause(LOOK_EVERY);
    }

    fn mark(&self, mark: &str) {
        std::fs::write(self.folders.play().join(mark), "").unwrap();
    }

    fn is_marked(&self, mark: &str) -> bool {
        self.folders.play().join(mark).exists()
    }

    fn kill(&self, incarnation: &Incarnation) {
        kill_hard(&incarnation.process.as_ref().expect("it was started").agent);
    }

    /// Returns the logs of all sessions.
    fn last_words(&self) -> String {
        let sessions = self.folders.town().join("deacon/sessions");
        let logs = std::fs::read_dir(sessions).into_iter().flatten().flatten().map(|entry| entry.path().join("log"));
        logs.map(|log| format!("{}\n{}", log.display(), std::fs::read_to_string(&log).unwrap_or_default())).collect()
    }
}
