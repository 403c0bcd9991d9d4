//! Towns in the in-memory world, with people and workers who act at an unexpected moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gt_ledger::{Attempt, Ledger};
use gt_model::bead::{Bead, DepType, Status};
use gt_model::id::BeadId;
use gt_testkit::sim::{AgentFactory, SimAgent, SimWorld, Turn};
use gt_town::patrol::deacon::{self, Memory};
use gt_town::refinery;
use gt_town::rigs::rig::{self, NewRig};
use gt_town::work::beads::{self, NewBead};
use gt_town::work::done::{self, Exit};
use gt_town::work::sling::{self, SlingOptions};
use gt_town::{Caller, Error, Outside, Rig, Town};
use gt_world::faults::Faults;
use gt_world::{RunEnd, RunResult, SessionPlan, World};

const FORMULA: &str = "formula = \"short\"\ndescription = \"One step.\"\nversion = 1\ntype = \"workflow\"\n\n[[steps]]\nid = \"work\"\ntitle = \"Work\"\ndescription = \"Do it.\"\n";
const TOWN: &str = "version = 1\n[agents.idle]\ncommand = [\"idle\"]\nusage = { format = \"none\" }\n[agents.other]\ncommand = [\"other\"]\n";
const RIG: &str = "version = 1\nlanding = \"auto\"\nformula = \"short\"\nagent = \"idle\"\n\n[[gate]]\nname = \"test\"\nrun = \"sh ./test.sh\"\n";

struct Idle;

impl SimAgent for Idle {
    fn turn(&mut self) -> Turn {
        Turn::Wait
    }
}

struct Idles;

impl AgentFactory for Idles {
    fn start(&self, _plan: &SessionPlan) -> Result<Box<dyn SimAgent>, String> {
        Ok(Box::new(Idle))
    }
}

/// A town whose agents sit idle, so that the test plays them.
struct Scene {
    world: SimWorld,
    town: Town,
    memory: Memory,
    folder: tempfile::TempDir,
}

fn scene(town_toml: &str, rigs: &[&str]) -> Scene {
    let world = SimWorld::new();
    world.set_agents(Idles);
    let outside = Outside {
        build: "test".to_owned(),
        world: Arc::new(world.clone()),
        env: BTreeMap::new(),
        gt: "/bin/gt".into(),
        presets: Default::default(),
        prices: Default::default(),
        entropy: Arc::new(|| [7; 16]),
        faults: Faults::none(),
    };
    let disk = world.disk();
    disk.write(Path::new("/town/town.toml"), town_toml.as_bytes()).unwrap();
    disk.write(Path::new("/town/.beads/formulas/short.toml"), FORMULA.as_bytes()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(&folder.path().join("beads.db"), outside.world.clone()).unwrap();
    let town = Town::with_ledger(Path::new("/town"), outside, ledger).unwrap();
    for name in rigs {
        world.add_remote(&remote(name), "main", &[("test.sh", "exit 0\n"), ("a.txt", "a\n")]);
        add_rig(&town, name);
    }
    Scene { world, town, memory: Memory::default(), folder }
}

fn remote(rig: &str) -> String {
    format!("https://forge.example/{rig}.git")
}

fn add_rig(town: &Town, name: &str) {
    let new = NewRig { name: name.to_owned(), source: remote(name), ..NewRig::default() };
    rig::add(town, &Caller::overseer(), &new).unwrap();
    set_rig(town, name, RIG);
}

fn set_rig(town: &Town, name: &str, text: &str) {
    town.world().disk().write(&PathBuf::from(format!("/town/{name}/rig.toml")), text.as_bytes()).unwrap();
}

impl Scene {
    /// Opens the same town as another process would.
    fn second_handle(&self) -> Town {
        let outside = self.town.outside.clone();
        let ledger = Ledger::open(&self.folder.path().join("beads.db"), outside.world.clone(), Faults::none()).unwrap();
        Town::with_ledger(Path::new("/town"), outside, ledger).unwrap()
    }

    fn rig(&self, name: &str) -> Rig {
        self.town.rig(name).unwrap()
    }

    fn bead_of(&self, rig: &str, title: &str) -> BeadId {
        let new = NewBead { prefix: self.rig(rig).row.prefix, title: title.to_owned(), ..NewBead::default() };
        beads::create(&self.town, &Caller::overseer(), &new).unwrap().id
    }

    fn sling(&self, rig: &str, beads: &[BeadId]) -> Vec<Attempt> {
        let options = SlingOptions::default();
        sling::sling(&self.town, &Caller::overseer(), beads, &self.rig(rig), &options).unwrap().attempts
    }

    /// Creates a bead of the rig app and slings it. Returns the bead.
    fn slung(&mut self, title: &str) -> BeadId {
        let bead = self.bead_of("app", title);
        self.sling("app", std::slice::from_ref(&bead));
        self.look();
        bead
    }

    /// Lets the deacon look until nothing changes.
    fn look(&mut self) {
        for _ in 0..5 {
            self.world.advance(Duration::from_secs(5));
            deacon::look(&self.town, &mut self.memory).unwrap();
        }
    }

    fn bead(&self, id: &BeadId) -> Bead {
        self.town.ledger.read(|view| Ok::<_, Error>(view.bead(id)?.unwrap())).unwrap()
    }

    fn attempts(&self, id: &BeadId) -> Vec<Attempt> {
        self.town.ledger.read(|view| Ok::<_, Error>(view.attempts_on(id)?)).unwrap()
    }

    fn conditions(&self) -> Vec<String> {
        let all = self.town.ledger.read(|view| Ok::<_, Error>(view.conditions()?)).unwrap();
        all.into_iter().map(|c| c.key).collect()
    }

    /// The worker of a bead commits `file` and submits.
    fn work(&self, id: &BeadId, file: &str) {
        self.commit(id, file);
        self.world.advance(Duration::from_secs(1));
        self.done(id, Exit::Completed).unwrap();
    }

    fn commit(&self, id: &BeadId, file: &str) {
        let attempt = self.attempts(id).pop().unwrap();
        self.commit_as(id, &attempt.address().to_string(), &[(file, &format!("{id}\n"))]);
    }

    /// Commits files in the worktree of a bead's worker, as an author with this name.
    fn commit_as(&self, id: &BeadId, name: &str, files: &[(&str, &str)]) {
        let path = self.worktree(id);
        for (file, text) in files {
            self.world.write_file(&path, file, text).unwrap();
        }
        self.world.commit_all(&path, "Work", &(name.to_owned(), "w@example.org".to_owned())).unwrap();
    }

    /// Returns the worktree of a bead's newest worker.
    fn worktree(&self, id: &BeadId) -> PathBuf {
        let attempt = self.attempts(id).pop().unwrap();
        self.rig(attempt.rig.as_str()).layout.worktree(&attempt.worker)
    }

    fn done(&self, id: &BeadId, exit: Exit) -> gt_town::Result<done::Submitted> {
        let attempt = self.attempts(id).pop().unwrap();
        let incarnations = self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap();
        let incarnation = incarnations.last().map(|i| i.id.clone());
        done::done(&self.town, &Caller { incarnation, ..Caller::role(attempt.address()) }, &exit.into())
    }
}

#[path = "hostile/convoys.rs"]
mod convoys;
#[path = "hostile/first_day.rs"]
mod first_day;
#[path = "hostile/hooks.rs"]
mod hooks;
#[path = "hostile/keep.rs"]
mod keep;
#[path = "hostile/landed.rs"]
mod landed;
#[path = "hostile/molecule_kills.rs"]
mod molecule_kills;
#[path = "hostile/molecules.rs"]
mod molecules;
#[path = "hostile/patrols.rs"]
mod patrols;
#[path = "hostile/refinery_races.rs"]
mod refinery_races;
#[path = "hostile/remote_away.rs"]
mod remote_away;
#[path = "hostile/rigs.rs"]
mod rigs;
#[path = "hostile/runtimes.rs"]
mod runtimes;
#[path = "hostile/shipped.rs"]
mod shipped;
#[path = "hostile/slots.rs"]
mod slots;
#[path = "hostile/spend.rs"]
mod spend;
#[path = "hostile/turns.rs"]
mod turns;
#[path = "hostile/unslung.rs"]
mod unslung;
