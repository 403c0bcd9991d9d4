//! The story of the demo: its beads, which of them start first, and what the workers do.
//!
//! Everything in it really happens; the engine knows nothing of the story:
//!
//! - [`CONFLICTING`]: two beads build on the same plot. Each worker submits only when the other one has rebased too, so
//!   one of them meets the conflict in the refinery, is sent back, and keeps both sides at its second attempt.
//! - [`BREAKS_GATES`]: its worker changes a text after its last test run; the refinery's gates are red, the second
//!   attempt fixes it.
//! - [`KILLED`]: its worker is killed half way; the next incarnation finds the half-written file and goes on.
//! - `demo-a1` to `demo-a3` and `demo-d1` use what earlier beads built, and would be red without it on the trunk.

use std::collections::BTreeMap;

use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest};
use gt_model::id::BeadId;
use gt_model::jsonl::{self, Record};
use gt_town::town::settings::Gate;
use jiff::Timestamp;

use crate::sim::script::{Act, FilePath, Mark, Misbehaviour, Pace, Script, ScriptError};

/// Name of the rig.
pub const RIG: &str = "street";

/// Prefix of the beads' ids.
pub const PREFIX: &str = "demo";

/// Convoy of all beads.
pub const CONVOY: &str = "hq-demo";

/// Number of workers that the town must allow at once: two wait for each other.
pub const MIN_POLECATS: u32 = 2;

/// The two beads that conflict. They are slung before all others, so that both get a worker at once.
pub const CONFLICTING: [&str; 2] = ["demo-c1", "demo-c2"];

/// Bead whose first attempt breaks the gates.
pub const BREAKS_GATES: &str = "demo-b1";

/// Bead whose first worker is killed half way.
pub const KILLED: &str = "demo-e1";

/// Mark that the worker to be killed sets when it is half way.
pub const HALF_WAY: &str = "half-way";

/// Pause at each step, in milliseconds: long enough to watch, short enough for half a minute in all.
const STEP_MS: u64 = 300;

/// Milliseconds by which the seed may make a worker slower at each step.
const SEEDED_MS: u64 = 150;

/// A bead of the story and what its worker does at `implement`.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Id of the bead.
    pub id: &'static str,
    /// Title of the bead.
    pub title: &'static str,
    /// Task of the bead.
    pub description: &'static str,
    /// Beads that must have landed first.
    pub needs: &'static [&'static str],
    /// Files that the worker writes whole.
    pub writes: &'static [(&'static str, &'static str)],
    /// Files that the worker appends to.
    pub appends: &'static [(&'static str, &'static str)],
}

const SHOPS_HEAD: &str = "# Every shop of the street, one function a line. A new shop takes the free plot.\n\
                          bread_shop() { echo \"bread\"; }\n";

/// The file that both of [`CONFLICTING`] change.
pub const SHOPS: &str = "lib/shops.sh";

const MEAT: &str = "meat_shop() { echo \"meat\"; }\n";
const FLOWERS: &str = "flower_shop() { echo \"flowers\"; }\n";

const NO_FILES: &[(&str, &str)] = &[];

/// The work beads, by id.
pub const TASKS: &[Task] = &[
    Task {
        id: "demo-a1",
        title: "Put up lamps",
        description: "`lamp_light` answers with a light.",
        needs: &[],
        writes: &[
            ("lib/lamps.sh", "# Lamps.\nlamp_light() { echo \"a light\"; }\n"),
            ("tests/lamps.sh", "expect \"$(lamp_light)\" \"a light\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: "demo-a2",
        title: "Employ a lamplighter",
        description: "`lamplighter_brings` uses `lamp_light`.",
        needs: &["demo-a1"],
        writes: &[
            ("lib/lamplighter.sh", "# Needs the lamps.\nlamplighter_brings() { echo \"$1 brings $(lamp_light)\"; }\n"),
            ("tests/lamplighter.sh", "expect \"$(lamplighter_brings \"Ada\")\" \"Ada brings a light\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: "demo-a3",
        title: "Light the street at dusk",
        description: "`dusk_falls` uses `lamplighter_brings`.",
        needs: &["demo-a2"],
        writes: &[
            (
                "lib/dusk.sh",
                "# Needs the lamplighter.\ndusk_falls() { echo \"At dusk $(lamplighter_brings \"$1\")\"; }\n",
            ),
            ("tests/dusk.sh", "expect \"$(dusk_falls \"Ada\")\" \"At dusk Ada brings a light\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: BREAKS_GATES,
        title: "Put up a notice board",
        description: "`notice_post` answers with the notice.",
        needs: &[],
        writes: &[
            (NOTICES, "# The notice board.\nnotice_post() { echo \"Notice: $1\"; }\n"),
            ("tests/notices.sh", "expect \"$(notice_post \"Fair on Sunday\")\" \"Notice: Fair on Sunday\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: CONFLICTING[0],
        title: "Open a butcher's on the free plot",
        description: "`meat_shop` sells meat.",
        needs: &[],
        writes: &[(SHOPS, MEAT), ("tests/meat.sh", "expect \"$(meat_shop)\" \"meat\"\n")],
        appends: NO_FILES,
    },
    Task {
        id: CONFLICTING[1],
        title: "Open a florist's on the free plot",
        description: "`flower_shop` sells flowers.",
        needs: &[],
        writes: &[(SHOPS, FLOWERS), ("tests/flowers.sh", "expect \"$(flower_shop)\" \"flowers\"\n")],
        appends: NO_FILES,
    },
    Task {
        id: "demo-d1",
        title: "Hold a market day",
        description: "`market_day` names what both new shops sell.",
        needs: &CONFLICTING,
        writes: &[
            (
                "lib/market.sh",
                "# Needs both new shops.\nmarket_day() { echo \"$(words_both \"$(meat_shop)\" \"$(flower_shop)\")\"; }\n",
            ),
            ("tests/market.sh", "expect \"$(market_day)\" \"meat and flowers\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: KILLED,
        title: "Build a fountain",
        description: "`fountain_sound` splashes.",
        needs: &[],
        writes: &[
            (FOUNTAIN, "# The fountain.\nfountain_sound() { echo \"$(words_shout \"splash\")\"; }\n"),
            ("tests/fountain.sh", "expect \"$(fountain_sound)\" \"splash!\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: "demo-f1",
        title: "Set up a bench",
        description: "`bench_seat` has room.",
        needs: &[],
        writes: &[
            ("lib/bench.sh", "# The bench.\nbench_seat() { echo \"room for $1\"; }\n"),
            ("tests/bench.sh", "expect \"$(bench_seat \"two\")\" \"room for two\"\n"),
        ],
        appends: NO_FILES,
    },
    Task {
        id: "demo-g1",
        title: "Say how to join in",
        description: "The README says how a newcomer adds something to the street.",
        needs: &[],
        writes: NO_FILES,
        appends: &[(
            "README.md",
            "\n## Joining in\n\nAdd a function to `lib/`, and what it must answer to `tests/`.\n",
        )],
    },
];

const NOTICES: &str = "lib/notices.sh";
const FOUNTAIN: &str = "lib/fountain.sh";

/// File of [`BREAKS_GATES`] after the last-minute polish: its tests are red.
const POLISHED_NOTICES: &str = "# The notice board.\nnotice_post() { echo \"NOTICE! $1\"; }\n";

/// Text that the worker of [`KILLED`] has written when it is killed.
const HALF_A_FOUNTAIN: &str = "# The fountain. (To be gone on with.)\n";

impl Task {
    /// Returns the whole texts that the task writes. Gives the shops' file by its new line alone, since two tasks share the rest.
    fn files(&self) -> BTreeMap<String, String> {
        let whole =
            |path: &str, text: &str| if path == SHOPS { format!("{SHOPS_HEAD}{text}") } else { text.to_owned() };
        self.writes.iter().map(|(path, text)| ((*path).to_owned(), whole(path, text))).collect()
    }

    /// Applies the worker's changes to a tree.
    pub fn apply(&self, tree: &mut BTreeMap<String, String>) {
        tree.extend(self.files());
        for (path, text) in self.appends {
            tree.entry((*path).to_owned()).or_default().push_str(text);
        }
    }
}

/// Makes the tree that [`BREAKS_GATES`] submits at its first attempt.
pub fn break_gates(tree: &mut BTreeMap<String, String>) {
    tree.insert(NOTICES.to_owned(), POLISHED_NOTICES.to_owned());
}

/// Returns the shops' file with both new shops, the first of `order` above the other.
pub fn merged_shops(order: [&str; 2]) -> String {
    let line = |id: &str| if id == CONFLICTING[0] { MEAT } else { FLOWERS };
    order.iter().fold(SHOPS_HEAD.to_owned(), |text, id| text + line(id))
}

/// Returns the gates that a merge must pass.
pub fn gates() -> Vec<Gate> {
    vec![Gate { name: "tests".to_owned(), run: "sh ./run-tests".to_owned(), timeout_seconds: 60 }]
}

/// Returns the beads and their convoy as a JSONL file.
pub fn beads_jsonl(now: Timestamp) -> String {
    let tracks = TASKS.iter().map(|task| edge(CONVOY, task.id, DepType::Tracks, now)).collect();
    let convoy = Bead {
        issue_type: BeadType::Convoy,
        dependencies: tracks,
        ..Bead::new(CONVOY.into(), "A street worth living in", now)
    };
    let beads = TASKS.iter().map(|task| task.bead(now)).chain([convoy]);
    jsonl::write(&beads.map(|bead| Record::Bead(Box::new(bead))).collect::<Vec<_>>())
}

impl Task {
    fn bead(&self, now: Timestamp) -> Bead {
        Bead {
            description: self.description.to_owned(),
            dependencies: self.needs.iter().map(|need| edge(self.id, need, DepType::Blocks, now)).collect(),
            ..Bead::new(self.id.into(), self.title, now)
        }
    }
}

fn edge(from: &str, to: &str, kind: DepType, now: Timestamp) -> Dependency {
    let (issue_id, depends_on_id) = (BeadId::from(from), BeadId::from(to));
    Dependency { issue_id, depends_on_id, kind, created_at: Some(now.to_string()), rest: Rest::new() }
}

/// Returns the beads that are slung at the start, in this order; the others follow as they become ready. The seed changes the
/// order, but the two that wait for each other stay in front, so that both have a worker even if there are few workers.
pub fn slung_first(seed: u64) -> Vec<&'static str> {
    let mut random = Random(seed);
    let mut pair = CONFLICTING;
    let mut others = ["demo-a1", KILLED, BREAKS_GATES, "demo-f1", "demo-g1"];
    if seed != 0 {
        random.shuffle(&mut pair);
        random.shuffle(&mut others);
    }
    pair.into_iter().chain(others).collect()
}

/// Returns the script of the workers. The seed changes their pace.
pub fn script(seed: u64) -> Result<Script, ScriptError> {
    let mut random = Random(seed);
    let mut acts = Vec::new();
    for task in TASKS {
        acts.push(Act { wait_ms: Some(random.below(SEEDED_MS)), ..at(task.id, None) });
        if task.id == KILLED {
            acts.extend(killed_half_way()?);
        }
        acts.push(task.implement()?);
    }
    acts.push(polish()?);
    for (bead, other) in [(0, 1), (1, 0)] {
        acts.push(meet(CONFLICTING[bead], CONFLICTING[other])?);
    }
    Ok(Script { pace: Pace { step_ms: STEP_MS }, acts })
}

fn at(bead: &str, step: Option<&str>) -> Act {
    Act { bead: Some(bead.to_owned()), step: step.map(str::to_owned), ..Act::default() }
}

fn paths<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Result<BTreeMap<FilePath, String>, ScriptError> {
    files.into_iter().map(|(path, text)| Ok((FilePath::try_from(path.to_owned())?, text))).collect()
}

impl Task {
    fn implement(&self) -> Result<Act, ScriptError> {
        let files = self.files();
        Ok(Act {
            write: paths(files.iter().map(|(path, text)| (path.as_str(), text.clone())))?,
            append: paths(self.appends.iter().map(|(path, text)| (*path, (*text).to_owned())))?,
            commit: Some(self.title.to_owned()),
            ..at(self.id, Some("implement"))
        })
    }
}

/// Acts of the killed worker: the first incarnation stops half way and hangs; the second expects the first one's file.
fn killed_half_way() -> Result<[Act; 2], ScriptError> {
    let first_attempt =
        |incarnation| Act { attempt: Some(1), incarnation: Some(incarnation), ..at(KILLED, Some("implement")) };
    let half = Act {
        write: paths([(FOUNTAIN, HALF_A_FOUNTAIN.to_owned())])?,
        signal: Some(mark(HALF_WAY)?),
        misbehave: Some(Misbehaviour::Hang),
        ..first_attempt(1)
    };
    let found = ["test", "-f", FOUNTAIN].map(str::to_owned).to_vec();
    Ok([half, Act { run: found, ..first_attempt(2) }])
}

/// Act that changes a file after the last test run.
fn polish() -> Result<Act, ScriptError> {
    Ok(Act {
        attempt: Some(1),
        write: paths([(NOTICES, POLISHED_NOTICES.to_owned())])?,
        commit: Some("Polish the wording".to_owned()),
        ..at(BREAKS_GATES, Some("submit-and-exit"))
    })
}

/// Act that marks that this bead has rebased, and submits when the other one has too.
fn meet(bead: &str, other: &str) -> Result<Act, ScriptError> {
    let rebased = |bead: &str| mark(&format!("{bead}-rebased"));
    Ok(Act {
        attempt: Some(1),
        signal: Some(rebased(bead)?),
        wait_for: Some(rebased(other)?),
        ..at(bead, Some("submit-and-exit"))
    })
}

fn mark(name: &str) -> Result<Mark, ScriptError> {
    Mark::try_from(name.to_owned())
}

/// Random numbers by SplitMix64 (Steele, Lea and Flood, 2014): small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, (self.next() % (end as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests;
