//! The story that the matrix plays repeatedly: short, but with everything that can happen to a bead on its way.

use gt::demo::story::{CONFLICTING, PREFIX, RIG, SHOPS};
use gt::sim::script::Script;
use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest};
use gt_model::jsonl::{self, Record};
use jiff::Timestamp;

/// Id of the convoy that has all beads; `gt demo verify` looks for it.
pub const CONVOY: &str = gt::demo::story::CONVOY;

/// Bead whose first attempt is red.
pub const RED: &str = "demo-b1";

/// Its beads.
pub const BEADS: [&str; 3] = [RED, CONFLICTING[0], CONFLICTING[1]];

/// Beads that a person slings. The deacon feeds the third one as soon as the convoy has begun.
pub const SLING: [&str; 4] = ["sling", RED, CONFLICTING[0], RIG];

/// Settings that let a run end soon.
pub const SETTINGS: &str = "max_polecats = 3\npatrol_seconds = 1\nlinger_seconds = 0\nback_off_seconds = 0\n";

/// A molecule with the name of the built-in one, without the steps where nothing is decided.
pub const FORMULA: &str = r#"
formula = "mol-polecat-work"
version = 1
type = "workflow"

[[steps]]
id = "load-context"
title = "Read"

[[steps]]
id = "implement"
title = "Do it"
needs = ["load-context"]
acceptance = ["gt:own-branch", "gt:commits"]

[[steps]]
id = "prepare-for-review"
title = "Rebase"
needs = ["implement"]
acceptance = ["gt:own-branch", "gt:clean", "gt:rebased"]

[[steps]]
id = "submit-and-exit"
title = "Submit"
needs = ["prepare-for-review"]
"#;

/// Acts of the workers. The two that conflict submit when both have rebased, so that one of them meets the other.
const SCRIPT: &str = r##"
[[act]]
bead = "demo-b1"
step = "implement"
write = { "lib/notices.sh" = "notice() { echo \"Notice: $1\"; }\n", "tests/notices.sh" = "expect \"$(notice \"Fair\")\" \"Notice: Fair\"\n" }
commit = "Put up a notice board"

[[act]]
bead = "demo-b1"
step = "submit-and-exit"
attempt = 1
write = { "lib/notices.sh" = "notice() { echo \"NOTICE! $1\"; }\n" }
commit = "Polish the wording"

[[act]]
bead = "demo-c1"
step = "implement"
attempt = 1
write = { "{shops}" = "{head}meat_shop() { echo \"meat\"; }\n", "tests/meat.sh" = "expect \"$(meat_shop)\" \"meat\"\n" }
commit = "Open a butcher's"

[[act]]
bead = "demo-c2"
step = "implement"
attempt = 1
write = { "{shops}" = "{head}flower_shop() { echo \"flowers\"; }\n", "tests/flowers.sh" = "expect \"$(flower_shop)\" \"flowers\"\n" }
commit = "Open a florist's"

[[act]]
bead = "demo-c1"
step = "submit-and-exit"
attempt = 1
signal = "c1-rebased"
await = "c2-rebased"

[[act]]
bead = "demo-c2"
step = "submit-and-exit"
attempt = 1
signal = "c2-rebased"
await = "c1-rebased"
"##;

const HEAD: &str = "# Every shop of the street.\\nbread_shop() { echo \\\"bread\\\"; }\\n";

/// Returns the workers' script.
pub fn script() -> Script {
    Script::parse(&SCRIPT.replace("{shops}", SHOPS).replace("{head}", HEAD)).unwrap()
}

/// Returns the beads and their convoy as JSONL.
pub fn beads_jsonl(now: Timestamp) -> String {
    assert!(BEADS.iter().all(|bead| bead.starts_with(PREFIX)));
    let tracks = |bead: &&str| Dependency {
        issue_id: CONVOY.into(),
        depends_on_id: (*bead).into(),
        kind: DepType::Tracks,
        created_at: Some(now.to_string()),
        rest: Rest::new(),
    };
    let dependencies = BEADS.iter().map(tracks).collect();
    let convoy = Bead { issue_type: BeadType::Convoy, dependencies, ..Bead::new(CONVOY.into(), "In time", now) };
    let beads = BEADS.iter().map(|id| Bead::new((*id).into(), id, now)).chain([convoy]);
    jsonl::write(&beads.map(|bead| Record::Bead(Box::new(bead))).collect::<Vec<_>>())
}
