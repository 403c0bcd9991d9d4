//! Wrong requests: each gets a clear error, a hint and a documented exit code, and leaves nothing half done.

use crate::town::{GT, Output, RIG, Town, WORK, list, output, write};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NOT_FOUND: i32 = 3;
const REFUSED: i32 = 4;

/// A town without a deacon, so nothing changes by itself.
struct Still {
    town: Town,
}

impl Still {
    fn new() -> Self {
        Self { town: Town::new() }
    }

    /// Returns all files and all rows, without locks and the ledger's own temporary files, which come and go.
    fn state(&self) -> (Vec<String>, Vec<String>) {
        let scratch = |line: &String| ["beads.db-", "/locks/", "beads.lock"].iter().any(|part| line.contains(part));
        let mut files = self.town.listing(self.town.folder());
        files.retain(|line| !scratch(line));
        (files, self.town.rows())
    }

    #[track_caller]
    fn check(&self, args: &[&str], code: i32, error: &str, hint: &str) {
        let before = self.state();
        let output = self.town.gt(args);
        check_output(args, &output, code, error, hint);
        assert_eq!(self.state(), before, "{args:?} left something");
    }
}

#[track_caller]
fn check_output(args: &[&str], output: &Output, code: i32, error: &str, hint: &str) {
    assert_eq!(output.code, code, "gt {args:?}: {output:#?}");
    assert_eq!(output.out, "", "gt {args:?}: errors go to the error output");
    assert!(output.err.contains(error), "gt {args:?} does not say `{error}`: {}", output.err);
    let (_, said) = output.err.split_once("hint: ").unwrap_or_else(|| panic!("gt {args:?}: no hint: {}", output.err));
    assert!(said.contains(hint), "gt {args:?} does not hint at `{hint}`: {said}");
}

#[test]
fn naming_a_missing_thing_is_an_error() {
    let still = Still::new();
    let bead = still.town.bead("There");
    let no_bead: [&[&str]; 11] = [
        &["bead", "show", "nope"],
        &["bead", "update", "nope", "--title", "x"],
        &["bead", "close", "nope"],
        &["bead", "dep", "add", &bead, "nope"],
        &["bead", "create", "x", "--deps", "nope"],
        &["sling", "nope", RIG],
        &["sling", &bead, "nope", RIG],
        &["unsling", "nope"],
        &["convoy", "create", "x", "nope"],
        &["log", "nope"],
        &["mol", "status", "nope"],
    ];
    for args in no_bead {
        still.check(args, NOT_FOUND, "no bead `nope`", "gt bead list");
    }
    still.check(&["why", "nope"], NOT_FOUND, "nope", "gt bead list");
    let no_rig: [&[&str]; 11] = [
        &["sling", &bead, "nope"],
        &["do", "x", "--rig", "nope"],
        &["bead", "create", "x", "--rig", "nope"],
        &["bead", "list", "--rig", "nope"],
        &["rig", "remove", "nope", "--yes"],
        &["rig", "fetch", "nope"],
        &["rig", "release", "nope"],
        &["rig", "gates", "add", "nope", "x", "true"],
        &["refinery", "run", "nope", "--once"],
        &["witness", "run", "nope", "--once"],
        &["mq", "list", "--rig", "nope"],
    ];
    for args in no_rig {
        still.check(args, NOT_FOUND, "no rig is called `nope`", "there are: app");
    }
    still.check(&["mail", "send", "nope", "-s", "x"], USAGE, "there is no address `nope`", "there are: ");
    still.check(&["mail", "send", "overseer", "app/nope", "-s", "x"], USAGE, "there is no address", "app/witness");
    still.check(&["mail", "inbox", "--of", "nope/"], USAGE, "there is no address `nope/`", "there are: ");
    still.check(&["mail", "read", &bead], NOT_FOUND, "no mail in your inbox", "gt mail inbox");
    still.check(&["mq", "approve", "nope"], NOT_FOUND, "no merge request `nope`", "gt mq list");
    still.check(&["rig", "gates", "remove", RIG, "nope"], NOT_FOUND, "no gate `nope`", "gt rig gates list");
    still.check(&["mol", "status", &bead], NOT_FOUND, "no molecule of", "gt sling");
    still.check(&["sling", &bead, RIG, "--agent", "nope"], NOT_FOUND, "no kind of agent is called `nope`", "sim");
    still.check(&["bead", "import", "nope.jsonl"], NOT_FOUND, "nope.jsonl is missing", "path");
    still.check(&["help", "nope"], USAGE, "no verb or topic is called `nope`", "topics: ");
}

#[test]
fn a_verb_that_the_current_state_forbids_is_refused() {
    let still = Still::new();
    let town = &still.town;
    let (first, closed, slung) = (town.bead("First"), town.bead("Closed"), town.bead("Slung"));
    let blocked = town.bead_after("Blocked", &first);
    town.ok(&["bead", "close", &closed]);
    town.ok(&["sling", &slung, RIG]);
    let deferred = town.bead("Deferred");
    town.ok(&["bead", "update", &deferred, "--status", "deferred"]);
    let convoy = crate::town::text(&town.json(&["convoy", "create", "Convoy", &first])["convoy"]["id"]);

    still.check(&["sling", &blocked, RIG], REFUSED, &format!("{blocked} is blocked by {first}"), "it becomes ready");
    still.check(&["sling", &closed, RIG], REFUSED, &format!("{closed} is closed"), "--status open");
    still.check(&["sling", &deferred, RIG], REFUSED, &format!("{deferred} is deferred"), "--status open");
    still.check(&["sling", &convoy, RIG], REFUSED, &format!("{convoy} is a convoy"), "sling tasks");
    let on_hook = format!("{slung} is on the hook of app/polecats/amber");
    still.check(&["sling", &slung, RIG], REFUSED, &on_hook, &format!("gt unsling {slung}"));
    still.check(&["sling", &first, &slung, &closed, RIG], REFUSED, &on_hook, "nothing was slung");
    still.check(&["bead", "close", &slung], REFUSED, &on_hook, &format!("gt unsling {slung}"));
    still.check(&["bead", "update", &slung, "--status", "open"], REFUSED, &on_hook, "gt unsling");
    still.check(&["bead", "update", &slung, "--assignee", "me"], REFUSED, &on_hook, "gt unsling");
    still.check(&["unsling", &first], REFUSED, "is not on a worker's hook", "gt why");
    still.check(&["bead", "close", &closed], REFUSED, "is closed already", "gt bead show");
    still.check(&["bead", "close", &blocked], REFUSED, &format!("{blocked} waits for {first}"), "--force");
    still.check(&["bead", "update", &first, "--status", "closed"], REFUSED, "by its own verb", "gt bead close");
    still.check(&["bead", "dep", "add", &first, &blocked], REFUSED, "that would be a circle", "gt bead dep remove");
    still.check(&["convoy", "show", &first], REFUSED, "not a convoy", "gt convoy list");
    still.check(&["sling", &first, RIG, "--convoy", &blocked], REFUSED, "not a convoy", "gt convoy list");
    still.check(&["rig", "remove", RIG, "--yes"], REFUSED, &format!("is at work on {slung}"), "gt unsling");
    still.check(&["rig", "remove", RIG], USAGE, "needs --yes", "--dry-run");
    still.check(
        &["rig", "gates", "add", RIG, "run-tests", "true"],
        REFUSED,
        "another gate is called run-tests",
        "gates list",
    );
    for verb in [&["hook"][..], &["done"], &["step", "done"]] {
        still.check(verb, REFUSED, "overseer has no hook", "this verb is for polecats");
    }
    still.check(&["bead", "create", "  "], USAGE, "the title is empty", "one line");
    still.check(&["bead", "create", "two\nlines"], USAGE, "a title is one line", "one line");
    still.check(&["mail", "send", "overseer", "-s", "two\nlines"], USAGE, "one line", "files");
}

#[test]
fn a_rig_with_a_bad_name_or_prefix_is_refused() {
    let still = Still::new();
    let town = &still.town;
    let source = town.remote().display().to_string();
    for name in [".beads", "mayor", "deacon", "logs", "bin", "MAYOR", "../x", "a/b", "", ".", "..", "a b", ".hidden"] {
        still.check(&["rig", "add", "--prefix", "new", "--", name, &source], USAGE, "", "gt rig add vtuber");
    }
    still.check(&["rig", "add", "--", "-rf", &source], USAGE, "-rf", "gt rig add vtuber");
    let mistaken = town.gt(&["rig", "add", "-rf", &source]);
    assert_eq!(mistaken.code, USAGE, "{mistaken:?}");
    let taken = "another rig is called app";
    still.check(&["rig", "add", RIG, &source, "--prefix", "new"], REFUSED, taken, "gt rig list");
    still.check(&["rig", "add", "APP", &source, "--prefix", "new"], REFUSED, taken, "gt rig list");
    still.check(&["rig", "add", "new", &source, "--prefix", "ap"], REFUSED, "belongs to the rig app", "--prefix");
    still.check(&["rig", "add", "new", &source, "--prefix", "hq"], REFUSED, "belongs to the town itself", "--prefix");
    for prefix in ["UP", "1a", "a-", "a/b", "../x", ""] {
        still.check(&["rig", "add", "new", &source, "--prefix", prefix], USAGE, "is not a prefix", "--prefix vt");
    }
    std::fs::create_dir(town.root().join("taken")).unwrap();
    still.check(&["rig", "add", "taken", &source], REFUSED, "already exists", "choose another name");
}

#[test]
fn a_rig_with_a_bad_source_is_refused() {
    let still = Still::new();
    let town = &still.town;
    let at = |name: &str| town.folder().join(name).display().to_string();
    write(&town.folder().join("plain/file"), "no repository");
    for name in ["unborn", "alone"] {
        town.git(town.folder(), &["init", "--quiet", "--initial-branch=main", name]);
    }
    town.git(town.folder(), &["init", "--quiet", "--bare", "empty.git"]);
    write(&town.folder().join("alone/run-tests"), "true\n");
    town.git(&town.folder().join("alone"), &["add", "."]);
    town.git(&town.folder().join("alone"), &["commit", "--quiet", "-m", "Begin"]);

    let add = |source: &str, code: i32, error: &str, hint: &str| {
        still.check(&["rig", "add", "new", source], code, error, hint);
    };
    add(&at("plain"), REFUSED, "is not a git repository", "git init");
    add(&at("missing"), REFUSED, "missing is not a git repository", "git init");
    add(&at("unborn"), REFUSED, "unborn has no commit yet", "git commit");
    add(&at("empty.git"), REFUSED, "empty.git has no commit", "push a first commit");
    add(&at("alone"), REFUSED, "the branch main is checked out there", "two ways out: --make-bare-remote");
    add("", USAGE, "is not a repository", "give a URL");
    add(&format!("file://{}", at("gone.git")), FAILED, "gone.git", "check the URL");
    add("http://127.0.0.1:1/away.git", FAILED, "away.git", "check the URL, your network and your login");
    let source = town.remote().display().to_string();
    still.check(&["rig", "add", "new", &source, "--branch", "nope"], REFUSED, "has no branch nope", "it has: main");
    still.check(&["rig", "add", "new", &at("alone"), "--land-on", "main"], REFUSED, "is checked out", "two ways out");
    still.check(&["rig", "add", "--", "new", "--upload-pack=touch pwned"], USAGE, "is not a repository", "give a URL");

    // After all these refusals the name is still free, and both ways out work.
    town.ok(&["rig", "add", "new", &at("alone"), "--land-on", "gastown"]);
    town.ok(&["rig", "remove", "new", "--yes"]);
    town.ok(&["rig", "add", "new", &at("alone"), "--make-bare-remote"]);
    assert!(town.folder().join("alone.git").is_dir());
}

#[test]
fn bad_settings_are_refused() {
    let still = Still::new();
    let (town, bead) = (&still.town, still.town.bead("There"));
    let (of_town, of_rig) = (town.root().join("town.toml"), town.rig().join("rig.toml"));
    let check = |file: &std::path::Path, line: &str, error: &str, hint: &str| {
        let sound = std::fs::read_to_string(file).unwrap();
        write(file, format!("{line}\n{sound}"));
        for verb in [&["status"][..], &["sling", &bead, RIG]] {
            still.check(verb, FAILED, &format!("{} can't be used: ", file.display()), hint);
            still.check(verb, FAILED, error, hint);
        }
        write(file, &sound);
    };
    check(&of_town, "colour = 1", "unknown field `colour`", "gt help town");
    check(&of_town, "max_polecats = \"many\"", "invalid type", "gt help town");
    check(&of_town, "not toml", "line 1", "gt help town");
    check(&of_rig, "gates = []", "unknown field `gates`", "gt help rig");
    check(&of_rig, "agent = 7", "invalid type", "gt help rig");
    town.ok(&["status"]);
}

#[test]
fn a_town_in_a_bad_folder_is_refused() {
    let still = Still::new();
    let root = still.town.root().display().to_string();
    let inner = still.town.root().join("mayor/town").display().to_string();
    let full = still.town.checkout().display().to_string();
    still.check(&["install", &root], REFUSED, "a town is already at", "use it: cd ");
    still.check(&["install", &inner], REFUSED, "would be inside the town", "choose a folder outside");
    still.check(&["install", &full], REFUSED, "is not empty", "new or empty folder");
    still.check(&["install", &format!("{full}/README.md")], REFUSED, "README.md is a file", "new or empty folder");
}

#[test]
fn a_file_with_bad_lines_is_refused_and_changes_nothing() {
    let still = Still::new();
    let town = &still.town;
    let file = town.folder().join("beads.jsonl");
    let good = town.ok(&["bead", "export"]);
    let bead = |id: &str| {
        format!(
            r#"{{"id":"{id}","title":"T","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}"#
        )
    };
    for bad in ["{ not json", "[]", r#"{"title":"no id"}"#] {
        write(&file, format!("{good}{}\n{bad}\n", bead("ap-good")));
        still.check(&["bead", "import", &file.display().to_string()], REFUSED, "line 2", "--salvage");
    }
    town.ok(&["bead", "import", &file.display().to_string(), "--salvage"]);
    assert_eq!(town.status_of("ap-good"), "open", "every good line is taken where that is asked for");
}

/// Ids that would act as paths, refs, options or commands if a program took them literally.
const NASTY: &[&str] = &["../x", "ap-$(touch pwned)", "ap-a b", "ap-..lock", "AP-Ä/ö"];

#[test]
fn ids_from_outside_become_refs_and_paths_only_as_slugs() {
    let town = Town::new();
    town.settle("max_polecats = 3\n");
    town.script(WORK);
    let line = |id: &str| {
        let bead = serde_json::json!({
            "id": id, "title": format!("Do {id}"), "status": "open", "priority": 2, "issue_type": "task",
            "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
        });
        format!("{bead}\n")
    };
    let file = town.folder().join("nasty.jsonl");
    write(&file, NASTY.iter().map(|id| line(id)).collect::<String>());
    town.ok(&["bead", "import", &file.display().to_string()]);
    let outside = |town: &Town| {
        let inside = town.root().display().to_string();
        let names = town.listing(town.folder()).into_iter().filter(|line| !line.starts_with(&inside));
        names.filter(|line| !line.contains("/origin.git/") && !line.contains("/play")).collect::<Vec<_>>()
    };
    let (before, in_town, in_rig) = (outside(&town), list(&town.root()), list(&town.rig()));
    town.ok(&["up"]);
    let sling = [&["sling", "--"], NASTY, &[RIG]].concat();
    town.ok(&sling);
    town.wait_until("all to have landed", || NASTY.iter().all(|id| town.landings(id) == 1));
    town.wait_quiet();
    let closed = "SELECT count(*) FROM beads WHERE issue_type = 'task' AND status = 'closed'";
    assert_eq!(town.ask(closed), [NASTY.len().to_string()]);
    assert_eq!(outside(&town), before);
    let grown = |folder: &std::path::Path, before: &[std::path::PathBuf], known: &[&str]| {
        let new = list(folder).into_iter().filter(|path| !before.contains(path));
        let new: Vec<_> = new.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert!(new.iter().all(|name| known.contains(&name.as_str())), "{new:?}");
    };
    grown(&town.root(), &in_town, &[".archive"]);
    grown(&town.rig(), &in_rig, &[".archive"]);
    assert_eq!(list(&town.rig().join(".archive")).len(), NASTY.len());
    let is_slug = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c));
    for path in list(&town.rig().join(".archive")) {
        assert!(is_slug(path.file_name().unwrap().to_str().unwrap()), "{path:?}");
    }
    let refs = town.git(&town.repo(), &["for-each-ref", "--format=%(refname)"]);
    for name in refs.lines().filter(|name| !name.contains("/origin/")) {
        assert!(name.split('/').all(is_slug) && !name.contains(".."), "{name}");
    }
    assert!(refs.lines().any(|name| name.starts_with("refs/gt/snapshots/x-")), "{refs}");
    town.git(&town.repo(), &["fsck", "--no-progress"]);
}

#[test]
fn mistakes_in_arguments_are_documents_too() {
    let town = Town::nowhere();
    for (args, error) in [
        (&["status", "--json", "--nonsense"][..], "unexpected argument '--nonsense' found"),
        (&["--json", "slign"], "unrecognized subcommand 'slign'"),
        (&["sling", "--json"], "the following required arguments were not provided"),
        (&["bead", "--json"], "'gt bead' requires a subcommand"),
        (&["--json"], "'gt' requires a subcommand"),
        (&["bead", "create", "x", "--priority", "\u{1b}[31m", "--json"], "invalid value"),
    ] {
        let output = town.gt_with(town.folder(), &[], args);
        assert_eq!((output.code, output.err.as_str()), (2, ""), "{args:?}: {output:?}");
        let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
        assert!(document["error"].as_str().unwrap().starts_with(error), "{document}");
        assert!(!document["hint"].as_str().unwrap().is_empty(), "{document}");
        assert_eq!(document["code"], 2);
    }
    let plain = town.gt_with(town.folder(), &[], &["status", "--nonsense"]);
    assert_eq!((plain.code, plain.out.as_str()), (2, ""), "{plain:?}");
    let help = town.gt_with(town.folder(), &[], &["status", "--json", "--help"]);
    assert_eq!((help.code, help.out.contains("Usage")), (0, true), "{help:?}");
    let after = town.gt_with(town.folder(), &[], &["slign", "--", "--json"]);
    assert_eq!((after.code, after.out.as_str()), (2, ""), "{after:?}");
}

#[test]
fn no_text_of_a_beads_reaches_a_terminal_as_a_command_to_it() {
    let town = Town::new();
    let bead = town.bead("red \u{9b}31m, back \u{202e}wards");
    for words in [format!("show {bead} --json"), format!("bead show {bead} --json"), format!("bead show {bead}")] {
        // `script` gives a terminal of its own.
        let mut shell = town.program("script", &town.root());
        let shown = output(shell.args(["-qec", &format!("{GT} {words}"), "/dev/null"]).env("PAGER", "cat"));
        assert!(shown.out.contains("red ") && !shown.out.contains(['\u{9b}', '\u{202e}']), "{words}: {shown:?}");
    }
    let piped = town.ok(&["bead", "show", &bead, "--json"]);
    assert!(piped.contains("red \u{9b}31m, back \u{202e}wards"), "others get it as it is: {piped}");
}
