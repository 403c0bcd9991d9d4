//! Rules for gt's own verbs: which role may use which. Gt refuses much of this itself; the guard refuses it before anything runs.

use super::script::{Call, Owner, Scene};
use super::shell::Word;
use super::{Refusal, Role, refuse};

/// Judges a call of `gt` or `bd`.
pub(super) fn judge(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    let words = verbs(call);
    if is_elsewhere(scene, call) || call.has(&["-h", "--help"]) {
        return None;
    }
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let (first, second, rest) = match call.program {
        "bd" => ("bead", word(0), words.get(1..)),
        _ => (word(0), word(1), words.get(2..)),
    };
    if let ("mq", "approve") = (first, second) {
        return refuse("only a person approves what lands", "end your turn; gt why <bead> says what is waited for");
    }
    // Clients allow gt everywhere, and this verb would run any program.
    if let ("session", "contain" | "host") | ("sim-worker", _) = (first, second) {
        return refuse(format!("gt {first} starts programs for gt itself"), "run the program by itself");
    }
    if first == "moment" {
        return refuse("gt moment is for your client's hooks", "gt prime, gt hook and gt mail say what there is");
    }
    match scene.role {
        Role::Polecat => {
            closing(scene, call, first, second, rest.unwrap_or_default()).or_else(|| others(call, first, second))
        }
        Role::Mayor | Role::Crew | Role::Other => None,
    }
}

/// Returns the words that are neither options nor values of options that every verb has.
fn verbs<'a>(call: &Call<'a>) -> Vec<&'a str> {
    let mut words = Vec::new();
    let mut args = call.args.iter();
    while let Some(word) = args.next() {
        match word.text.as_str() {
            "--town" | "--color" => {
                args.next();
            }
            text if text.starts_with('-') => {}
            text => words.push(text),
        }
    }
    words
}

/// Whether the call is for another town: one that a test made in a temporary folder.
fn is_elsewhere(scene: &Scene<'_>, call: &Call<'_>) -> bool {
    let mut args = call.args.iter().map(|word| word.text.as_str());
    let by_option = args.find_map(|text| text.strip_prefix("--town").map(str::to_owned)).and_then(|rest| {
        match rest.strip_prefix('=') {
            Some(path) => Some(path.to_owned()),
            None => args.next().map(str::to_owned),
        }
    });
    let named = by_option.or_else(|| call.env("GT_TOWN").map(|word: &Word| word.text.clone()));
    named.is_some_and(|town| scene.owner(&town) == Some(Owner::Temporary))
}

/// Refuses closing a bead with code by hand. Such a bead closes when its work lands.
fn closing(scene: &Scene<'_>, call: &Call<'_>, first: &str, second: &str, rest: &[&str]) -> Option<Refusal> {
    let by_status =
        matches!(second, "update" | "edit") && call.args.windows(2).any(|pair| closes(&pair[0].text, &pair[1].text));
    let closes = matches!(second, "close" | "done" | "delete" | "rm" | "supersede" | "duplicate") || by_status;
    if first != "bead" || !closes {
        return None;
    }
    let own = scene.place.bead.as_deref();
    let is_own = rest.is_empty() || own.is_none() || rest.iter().any(|word| Some(*word) == own);
    let is_unknown = rest.iter().any(|word| word.contains(super::shell::UNKNOWN));
    if is_own || is_unknown { refuse("your bead closes when your work has landed", "gt done") } else { None }
}

fn closes(option: &str, value: &str) -> bool {
    matches!(option, "--status" | "-s") && value == "closed"
        || option == "--status=closed"
        || value == "--status=closed"
}

/// Refuses verbs of other roles.
fn others(call: &Call<'_>, first: &str, second: &str) -> Option<Refusal> {
    let whose = match (first, second) {
        ("sling" | "unsling" | "do", _) => "the mayor's and the deacon's",
        ("polecat", "nuke" | "recover") | ("session", "stop" | "attach") => "the overseer's",
        ("up" | "down" | "pause" | "resume" | "install" | "uninstall" | "town" | "boot" | "deacon", _) => {
            "the overseer's"
        }
        ("rig", "add" | "remove" | "release" | "set" | "trust") | ("retention", "run") => "the overseer's",
        ("rig", "gates") if call.operands().any(|word| matches!(word.text.as_str(), "add" | "remove")) => {
            "the overseer's"
        }
        ("mq", "" | "list" | "show" | "status" | "diff") => return None,
        ("mq", _) | ("refinery", "run") => "the refinery's",
        ("witness", "run") => "the witness's",
        ("agent", "set" | "add" | "remove") | ("crew", "add" | "remove" | "start" | "stop") => "the overseer's",
        ("mayor", "start" | "stop" | "attach") => "the overseer's",
        ("doctor", _) if call.has(&["--retry", "--fix"]) => "the overseer's",
        _ => return None,
    };
    let verb = if second.is_empty() || matches!(first, "sling" | "unsling" | "do") {
        first.to_owned()
    } else {
        format!("{first} {second}")
    };
    refuse(format!("gt {verb} is {whose}"), "gt mail send mayor/ says what you need; gt done hands in your work")
}
