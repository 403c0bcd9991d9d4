//! The town's git neither runs nor trusts anything that agents, gates and a project's tools can write.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::real::git::tests::large_files::has_lfs;
use crate::{History as _, Rules};

/// An act, with the name of its method.
type Act = (&'static str, fn(&Scene) -> String);

/// A rig in use. Two scenes are identical down to the last commit.
struct Scene {
    rig: Rig,
    trunk: Sha,
    /// A second commit on the trunk.
    side: Sha,
    /// A worker's commit.
    head: Sha,
    lfs: bool,
}

const SNAPSHOT: &str = "refs/gt/snapshots/w-1";

impl Scene {
    fn new() -> Self {
        let mut rig = Rig::empty();
        program(&rig, "gt-canary");
        for (name, value) in [("GIT_COMMITTER_DATE", "@1700000001 +0000"), ("GIT_AUTHOR_DATE", "@1700000001 +0000")] {
            rig.git.environment.push((name.into(), value.into()));
        }
        let bin = rig.at("bin");
        let path = rig.git.environment.iter_mut().find(|(name, _)| name == "PATH").unwrap();
        path.1 = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path.1))).unwrap();
        let rig = submodules::filled(rig.filled());
        let lfs = has_lfs(&rig);
        let seed = rig.at("seed");
        if lfs {
            rig.run(&seed, "lfs", &["install", "--local", "--skip-repo"]);
            put(seed.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n");
        }
        rig.commit(&seed, "big.bin", "big\n");
        if lfs {
            rig.run(&seed, "lfs", &["push", "origin", "HEAD"]);
        }
        rig.run(&seed, "push", &["--quiet", "origin", "HEAD:main"]);
        rig.git.fetch(&rig.held, &rig.repo()).unwrap();
        let trunk = rig.trunk();
        let side = rig.commit(&rig.worktree("other"), "side", "side\n");
        let w = rig.worktree("w");
        rig.git.check_out_submodules(&rig.held, &rig.repo(), &w).unwrap();
        put(w.join(".gitattributes"), "* filter=evil diff=evil merge=evil\n");
        put(
            w.join(".lfsconfig"),
            "[lfs]\n\tstandalonetransferagent = evil\n[lfs \"customtransfer.evil\"]\n\tpath = gt-canary\n",
        );
        let head = rig.commit(&w, "base", "base\nmore\n");
        put(w.join("base"), "base\nmore\nuncommitted\n");
        put(w.join("untracked"), "untracked\n");
        rig.run(&w, "init", &["--quiet", "--initial-branch=main", "nest"]);
        rig.commit(&w.join("nest"), "inside", "1\n");
        rig.run(&w, "add", &["nest"]);
        put(w.join("nest/inside"), "2\n");
        rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &rig.at("gate"), &trunk).unwrap();
        rig.git.check_out_submodules(&rig.held, &rig.repo(), &rig.at("gate")).unwrap();
        rig.run(&rig.at(""), "init", &["--quiet", "--initial-branch=main", "solo"]);
        rig.commit(&rig.at("solo"), "solo", "solo\n");
        put(rig.at("precious"), "precious\n");
        Self { rig, trunk, side, head, lfs }
    }

    /// Returns an act's result as text, without the scene's path.
    fn said(&self, result: impl Debug) -> String {
        format!("{result:?}").replace(&*self.rig.at("").to_string_lossy(), "ROOT")
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.rig.at(name)).unwrap_or_else(|error| format!("{name}: {error}"))
    }

    fn with_lfs(&self, act: impl FnOnce() -> String) -> String {
        if self.lfs { act() } else { "no git-lfs".to_owned() }
    }

    fn ran(&self) -> Option<String> {
        fs::read_to_string(self.rig.at("bin/ran")).ok()
    }
}

/// Writes a program that leaves a trace, and otherwise acts as a filter.
fn program(rig: &Rig, name: &str) {
    let path = rig.at("bin").join(name);
    put(&path, "#!/bin/sh\necho \"$0 $* in $PWD\" >> \"${0%/*}/ran\"\nexec cat\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns settings each of which would make git run a program, or misjudge something.
fn evil_settings(rig: &Rig) -> String {
    let canary = rig.at("bin/gt-canary").display().to_string();
    let attributes = rig.at("bin/attributes").display().to_string();
    let origin = rig.at("origin").display().to_string();
    put(&attributes, "* filter=evil diff=evil merge=evil\n");
    put(rig.at("bin/excludes"), "*\n");
    for hook in HOOKS {
        let path = rig.at("bin/hooks").join(hook);
        put(&path, format!("#!/bin/sh\necho \"hook {hook}\" >> '{}'\n", rig.at("bin/ran").display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (hooks, excludes) = (rig.at("bin/hooks"), rig.at("bin/excludes"));
    format!(
        "[core]\n\thooksPath = {}\n\tfsmonitor = {canary}\n\tsshCommand = {canary}\n\tgitProxy = {canary}\n\
         \tpager = {canary}\n\teditor = {canary}\n\taskPass = {canary}\n\tattributesFile = {attributes}\n\
         \texcludesFile = {}\n\talternateRefsCommand = {canary}\n\tcommitGraph = true\n\tsparseCheckout = true\n\
         \tautocrlf = true\n\tignoreStat = true\n\
         [filter \"evil\"]\n\tclean = {canary}\n\tsmudge = {canary}\n\tprocess = {canary}\n\trequired = true\n\
         [filter \"lfs\"]\n\tclean = {canary}\n\tsmudge = {canary}\n\tprocess = {canary}\n\
         [diff]\n\texternal = {canary}\n\tignoreSubmodules = all\n[diff \"evil\"]\n\tcommand = {canary}\n\ttextconv = {canary}\n\tcachetextconv = true\n\
         [diff \"lfs\"]\n\tcommand = {canary}\n\ttextconv = {canary}\n\
         [merge]\n\tdefault = evil\n[merge \"evil\"]\n\tdriver = {canary} %A\n[merge \"lfs\"]\n\tdriver = {canary} %A\n\
         [credential]\n\thelper = !{canary}\n[gpg]\n\tprogram = {canary}\n[commit]\n\tgpgSign = true\n\
         [sequence]\n\teditor = {canary}\n[alias]\n\tstatus = !{canary}\n\tlfs = !{canary}\n\tfetch = !{canary}\n\
         [submodule]\n\tactive = .\n\trecurse = true\n\tpropagateBranches = true\n\
         [submodule \"lib\"]\n\tupdate = !{canary}\n\turl = ext::{canary}\n\tignore = all\n\
         [status]\n\tsubmoduleSummary = true\n[push]\n\trecurseSubmodules = on-demand\n[fetch]\n\trecurseSubmodules = true\n\
         [remote \"origin\"]\n\tuploadpack = {canary}\n\treceivepack = {canary}\n\tvcs = canary\n\tproxy = {canary}\n\
         \tfetch = +refs/heads/main:refs/heads/polecat/stolen\n\tpushurl = ext::{canary}\n\tpartialclonefilter = blob:none\n\tpromisor = true\n\
         [url \"ext::{canary} \"]\n\tinsteadOf = {origin}\n\tpushInsteadOf = {origin}\n\
         [protocol]\n\tallow = always\n[protocol \"ext\"]\n\tallow = always\n\
         [lfs]\n\tstandalonetransferagent = evil\n\turl = https://127.0.0.1:9/\n\
         [lfs \"customtransfer.evil\"]\n\tpath = {canary}\n[lfs \"extension.evil\"]\n\tclean = {canary}\n\tsmudge = {canary}\n\tpriority = 1\n\
         [uploadpack]\n\tpackObjectsHook = {canary}\n[gc]\n\trecentObjectsHook = {canary}\n\
         [interactive]\n\tdiffFilter = {canary}\n[trace2]\n\teventTarget = {}\n[include]\n\tpath = {}\n",
        hooks.display(),
        excludes.display(),
        rig.at("bin/ran").display(),
        rig.at("bin/included").display(),
    )
}

const HOOKS: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "push-to-checkout",
    "reference-transaction",
    "sendemail-validate",
];

/// Plants all of them, wherever a worker, a gate or a tool of the project can write.
fn plant(scene: &Scene) {
    let rig = &scene.rig;
    let (repo, w, gate) = (rig.repo(), rig.at("w"), rig.at("gate"));
    let evil = evil_settings(rig);
    put(rig.at("bin/included"), "[core]\n\tfsmonitor = gt-canary\n");
    for folder in [
        repo.clone(),
        w.join("nest/.git"),
        repo.join("worktrees/w/modules/lib"),
        repo.join("worktrees/gate/modules/lib"),
    ] {
        for file in ["config", "config.worktree"] {
            let before = fs::read_to_string(folder.join(file)).unwrap_or_default();
            put(folder.join(file), before + &evil);
        }
        put(folder.join("info/attributes"), "* filter=evil diff=evil merge=evil\n");
        put(folder.join("info/exclude"), "*\n");
        put(folder.join("info/sparse-checkout"), "/nothing\n");
        plant_hooks(rig, &folder.join("hooks"));
    }
    plant_hooks(rig, &repo.join("gt-hooks"));
    for name in ["w", "gate", "other"] {
        let file = repo.join("worktrees").join(name).join("config.worktree");
        put(&file, fs::read_to_string(&file).unwrap() + &evil);
        put(repo.join("worktrees").join(name).join("info/sparse-checkout"), "/nothing\n");
    }
    plant_false_objects(scene);
    // Links through which git would write.
    let admin = repo.join("worktrees/gate");
    fs::copy(admin.join("index"), rig.at("precious-index")).unwrap();
    for (from, to) in
        [("logs/HEAD", "precious"), ("index", "precious-index"), ("ORIG_HEAD", "precious"), ("info", "bin")]
    {
        RealDisk.remove(&admin.join(from)).unwrap();
        symlink(rig.at(to), admin.join(from)).unwrap();
    }
    let module = admin.join("modules/lib");
    for name in ["logs/HEAD", "FETCH_HEAD"] {
        RealDisk.remove(&module.join(name)).unwrap();
        RealDisk.create_dir(module.join(name).parent().unwrap()).unwrap();
        symlink(rig.at("precious"), module.join(name)).unwrap();
    }
    put(gate.join("lib/.git"), format!("gitdir: {}\n", w.join("nest/.git").display()));
}

fn plant_hooks(rig: &Rig, folder: &Path) {
    for hook in HOOKS {
        RealDisk.remove(&folder.join(hook)).unwrap();
        RealDisk.create_dir(folder).unwrap();
        fs::copy(rig.at("bin/hooks").join(hook), folder.join(hook)).unwrap();
    }
}

/// Plants replacements, grafts, and a truncated or invented history.
fn plant_false_objects(scene: &Scene) {
    let (rig, repo) = (&scene.rig, scene.rig.repo());
    let make = |kind: &str, text: &str| {
        let file = rig.file(text);
        rig.run(&repo, "hash-object", &["--no-filters", "-w", "-t", kind, file.to_str().unwrap()])
    };
    let id = |name: &str| rig.run(&repo, "rev-parse", &[name]);
    let tree = id(&format!("{}^{{tree}}", scene.trunk));
    let commit = make("commit", &format!("tree {tree}\nauthor E <e> 1 +0000\ncommitter E <e> 1 +0000\n\nevil\n"));
    let blob = make("blob", "evil\n");
    let base = id(&format!("{}:base", scene.head));
    // This comes first: git writes no commit-graph where history is changed.
    by_hand(rig, &repo, &["commit-graph", "write", "--reachable"]);
    orphan(&repo.join("objects/info/commit-graph"), &scene.head);
    put(repo.join("refs/replace").join(&scene.head.0), format!("{commit}\n"));
    put(repo.join("refs/replace").join(&base), format!("{blob}\n"));
    // A packed ref whose name sorts after all others.
    rig.run(&repo, "pack-refs", &["--all", "--prune"]);
    let packed = fs::read_to_string(repo.join("packed-refs")).unwrap();
    put(repo.join("packed-refs"), format!("{packed}{commit} refs/replace/{}\n", scene.side));
    put(repo.join("refs/replace").join(&scene.trunk.0), format!("{commit}\n"));
    put(repo.join("info/grafts"), format!("{}\n", scene.head));
    put(repo.join("shallow"), format!("{}\n", scene.head));
    put(repo.join("objects/pack/multi-pack-index"), "MIDX");
}

/// Runs git as people do, with everything that is configured.
#[expect(clippy::disallowed_methods, reason = "a test plays a person, whose git has none of our settings")]
fn by_hand(rig: &Rig, folder: &Path, args: &[&str]) -> String {
    let mut git = std::process::Command::new("git");
    git.args(args).current_dir(folder).env_clear().envs(rig.git.environment.iter().cloned());
    String::from_utf8(git.output().unwrap().stdout).unwrap()
}

/// Changes a commit-graph to say that a commit has no parent (gitformat-commit-graph(5)).
fn orphan(graph: &Path, commit: &Sha) {
    let mut bytes = fs::read(graph).unwrap();
    let number = |bytes: &[u8], at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let chunks: BTreeSet<usize> = (0..usize::from(bytes[6])).map(|chunk| 8 + 12 * chunk).collect();
    let find =
        |name: &[u8]| chunks.iter().find(|at| &bytes[**at..**at + 4] == name).map(|at| number(&bytes, at + 4)).unwrap();
    let (ids, data) = (find(b"OIDL"), find(b"CDAT"));
    let hex = |at: usize| bytes[at..at + 20].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let place = (0..).map(|place| ids + 20 * place).position(|at| hex(at) == commit.0).unwrap();
    let parents = data + 36 * place + 20;
    for parent in [parents, parents + 4] {
        bytes[parent..parent + 4].copy_from_slice(&0x7000_0000_u32.to_be_bytes());
    }
    fs::set_permissions(graph, fs::Permissions::from_mode(0o644)).unwrap();
    put(graph, bytes);
}

/// All acts of the trait, in an order in which each finds what it needs.
const ACTS: &[Act] = &[
    ("version", |s| s.said(s.rig.git.version())),
    ("overseer", |s| s.said(s.rig.git.overseer())),
    ("folder", |s| s.said(["seed", "w", "rig.git", "bin"].map(|name| s.rig.git.folder(&s.rig.at(name)).is_ok()))),
    ("ask_remote", |s| s.said(s.rig.git.ask_remote(s.rig.at("origin").to_str().unwrap()))),
    ("remotes", |s| s.said(s.rig.git.remotes(&s.rig.at("solo")))),
    ("receiving", |s| s.said(s.rig.git.receiving(s.rig.at("origin").to_str().unwrap()))),
    ("try_push", |s| s.said(s.rig.git.try_push(&s.rig.held, &s.rig.repo(), "main", &s.trunk))),
    ("filters", |s| s.said(s.rig.git.filters(&s.rig.repo(), &s.head))),
    ("against_attributes", |s| s.said(s.rig.git.against_attributes(&s.rig.repo(), &s.rig.at("w")))),
    ("unserved", |s| s.said(s.rig.git.unserved(&BTreeSet::from(["planted".to_owned(), "lfs".to_owned()])))),
    ("worktree", |s| s.said(s.rig.git.worktree(&s.rig.repo(), &s.rig.at("w")))),
    ("own_position", |s| s.said(s.rig.git.own_position(&s.rig.repo(), &s.rig.at("w"), "polecat/w"))),
    ("snapshot", |s| {
        let taken = s.rig.git.snapshot(&s.rig.held, &s.rig.repo(), &s.rig.at("w"), SNAPSHOT, "m").unwrap();
        s.said((&taken, s.rig.git.tree_of(&s.rig.repo(), &taken.commit)))
    }),
    ("snapshot_facts", |s| s.said(s.rig.git.snapshot_facts(&s.rig.repo(), &snapshot(s)))),
    ("create", |s| {
        let url = s.rig.at("origin").display().to_string();
        s.said(s.rig.git.create(&s.rig.held, &s.rig.repo(), &url, ObjectFormat::Sha1))
    }),
    ("sign", |s| s.said(s.rig.git.sign(&s.rig.repo()).is_empty())),
    // Its findings differ between the two scenes.
    ("inspect", |s| s.said(s.rig.git.inspect(&s.rig.repo(), s.rig.at("origin").to_str().unwrap()).is_ok())),
    ("make_bare_remote", |s| {
        let made = s.rig.git.make_bare_remote(&s.rig.held, &s.rig.at("solo"), &s.rig.at("solo.git"));
        s.said((made, s.rig.git.ask_remote(s.rig.at("solo.git").to_str().unwrap())))
    }),
    ("fetch", |s| s.said(s.rig.git.fetch(&s.rig.held, &s.rig.repo()))),
    ("upstream_tags", |s| s.said(s.rig.git.upstream_tags(&s.rig.repo()))),
    ("refs", |s| {
        let mut refs = s.rig.git.refs(&s.rig.repo()).unwrap();
        refs.retain(|name, _| !name.starts_with("refs/replace/"));
        s.said(refs)
    }),
    ("set_ref", |s| s.said(s.rig.git.set_ref(&s.rig.held, &s.rig.repo(), "refs/gt/x", &s.head, None))),
    ("delete_ref", |s| s.said(s.rig.git.delete_ref(&s.rig.held, &s.rig.repo(), "refs/gt/x"))),
    ("contains", |s| {
        let contains = |one: &Sha, other: &Sha| s.rig.git.contains(&s.rig.repo(), one, other);
        s.said((contains(&s.head, &s.trunk), contains(&s.trunk, &s.head), contains(&s.side, &s.trunk)))
    }),
    ("merge_bases", |s| s.said(s.rig.git.merge_bases(&s.rig.repo(), &s.head, &s.side))),
    ("commits_between", |s| s.said(s.rig.git.commits_between(&s.rig.repo(), &s.trunk, &s.head))),
    ("share_news", |s| {
        let [trunk, side, head] = [&s.trunk, &s.side, &s.head].map(std::slice::from_ref);
        let share = |tips: &[Sha], heads: &[Sha]| s.rig.git.share_news(&s.rig.repo(), tips, trunk, heads);
        s.said((share(head, head), share(side, head), share(trunk, head)))
    }),
    ("tree_of", |s| s.said([&s.head, &s.side, &s.trunk].map(|commit| s.rig.git.tree_of(&s.rig.repo(), commit)))),
    ("unknown_merge_drivers", |s| s.said(s.rig.git.unknown_merge_drivers(&s.rig.repo(), &s.head))),
    ("squash_as", |s| {
        let author = gt_model::landing::Person::new("Ann", "ann@example.org");
        let landing = gt_model::landing::Landing { message: "m".to_owned(), author };
        s.said(s.rig.git.squash_as(&s.rig.held, &s.rig.repo(), &s.side, &s.head, &landing))
    }),
    ("signs_commits", |s| s.said(s.rig.git.signs_commits())),
    ("signing_key", |s| s.said(s.rig.git.signing_key())),
    // There is no key here. The test shows that git asks no program of the agent's for one.
    ("signed_commit", |s| {
        let signed = s.rig.git.signed_commit(&s.rig.held, &s.rig.repo(), &s.head, &s.trunk, None);
        s.said(signed.is_err())
    }),
    ("squash", |s| s.said(s.rig.git.squash(&s.rig.held, &s.rig.repo(), &s.side, &s.head, "m"))),
    ("changed_paths", |s| s.said(s.rig.git.changed_paths(&s.rig.repo(), &s.trunk, &s.head))),
    ("diff_text", |s| s.said([false, true].map(|stat| s.rig.git.diff_text(&s.rig.repo(), &s.trunk, &s.head, stat)))),
    ("commits_of", |s| s.said(s.rig.git.commits_of(&s.rig.repo(), &s.head, std::slice::from_ref(&s.trunk)))),
    ("messages", |s| s.said(s.rig.git.messages(&s.rig.repo(), &s.head, std::slice::from_ref(&s.trunk)))),
    ("made_in", |s| s.said(s.rig.git.made_in(&s.rig.repo(), &s.rig.at("w")))),
    ("brings", |s| {
        let brings = |onto: &Sha, head: &Sha| s.rig.git.brings(&s.rig.repo(), onto, head);
        s.said((brings(&s.side, &s.head), brings(&s.head, &s.trunk)))
    }),
    ("still_has", |s| {
        let has = |tip: &Sha, commit: &Sha| s.rig.git.still_has(&s.rig.repo(), tip, commit);
        s.said((has(&s.head, &s.head), has(&s.side, &s.head)))
    }),
    ("find_commit", |s| s.said([&s.head, &s.side].map(|commit| s.rig.git.find_commit(&s.rig.repo(), &commit.0[..12])))),
    ("touching", |s| {
        let (repo, paths) = (s.rig.repo(), ["base".to_owned()]);
        s.said((
            s.rig.git.touching(&repo, &s.trunk, &s.head, &paths),
            s.rig.git.touching(&repo, &s.head, &s.side, &paths),
        ))
    }),
    ("missing_from", |s| {
        s.said(s.rig.git.missing_from(&s.rig.repo(), &s.side, &[s.trunk.clone(), s.head.clone(), s.side.clone()]))
    }),
    ("changes", |s| s.said(s.rig.git.changes(&s.rig.repo(), &s.trunk, &s.head))),
    ("changes_of", |s| s.said([&s.head, &s.side].map(|commit| s.rig.git.changes_of(&s.rig.repo(), commit)))),
    ("renames", |s| s.said(s.rig.git.renames(&s.rig.repo(), &s.trunk, &s.head))),
    ("entries", |s| {
        let paths = ["base", "own", ".gitattributes"].map(str::to_owned);
        s.said(s.rig.git.entries(&s.rig.repo(), &s.head, &paths))
    }),
    ("lines", |s| {
        let entries = s.rig.git.entries(&s.rig.repo(), &s.head, &["base".to_owned()]).unwrap();
        s.said(s.rig.git.lines(&s.rig.repo(), &entries["base"].id))
    }),
    ("under_way", |s| s.said(s.rig.git.under_way(&s.rig.repo(), &s.rig.at("w")))),
    ("push", |s| {
        let pushed = s.rig.git.push(&s.rig.held, &s.rig.repo(), "landed", &s.head, None);
        s.said((pushed, s.rig.git.ask_remote(s.rig.at("origin").to_str().unwrap())))
    }),
    ("fetch_large_files", |s| s.with_lfs(|| s.said(s.rig.git.fetch_large_files(&s.rig.held, &s.rig.repo(), &s.head)))),
    ("push_large_files", |s| s.with_lfs(|| s.said(s.rig.git.push_large_files(&s.rig.held, &s.rig.repo(), &s.head)))),
    ("add_worktree", |s| {
        let added = s.rig.git.add_worktree(&s.rig.held, &s.rig.repo(), &plan(s));
        s.said((added, s.text("new/base"), s.text("new/big.bin")))
    }),
    ("settle_worktree", |s| s.said(s.rig.git.settle_worktree(&s.rig.held, &s.rig.repo(), &plan(s)))),
    ("restore_snapshot", |s| {
        let restored = s.rig.git.restore_snapshot(&s.rig.held, &s.rig.repo(), &s.rig.at("new"), &snapshot(s));
        s.said((restored, s.text("new/base"), s.text("new/untracked")))
    }),
    ("reset_gate_worktree", |s| {
        let reset = s.rig.git.reset_gate_worktree(&s.rig.held, &s.rig.repo(), &s.rig.at("gate"), &s.head);
        s.said((reset, s.text("gate/base"), s.text("gate/own")))
    }),
    ("check_out_submodules", |s| {
        let out = s.rig.git.check_out_submodules(&s.rig.held, &s.rig.repo(), &s.rig.at("gate"));
        s.said((
            out,
            s.text("gate/lib/own"),
            s.text("gate/lib/inner/deep"),
            s.rig.git.worktree(&s.rig.repo(), &s.rig.at("gate")),
        ))
    }),
    ("compare_checkout", |s| {
        let compare = |conversions: bool| {
            s.rig.git.compare_checkout(&s.rig.repo(), &s.rig.at("gate"), &tree(s), &rules(conversions))
        };
        s.said([false, true].map(compare))
    }),
    ("untracked", |s| s.said(s.rig.git.untracked(&s.rig.repo(), &s.rig.at("gate"), &tree(s), &rules(true)))),
    ("clear_checkout", |s| {
        put(s.rig.at("gate/left"), "x");
        let cleared = s.rig.git.clear_checkout(&s.rig.held, &s.rig.repo(), &s.rig.at("gate"), &tree(s), &rules(true));
        s.said((cleared, s.text("gate/left"), s.text("gate/lib/own")))
    }),
    ("pull_large_files", |s| {
        s.with_lfs(|| s.said(s.rig.git.pull_large_files(&s.rig.held, &s.rig.repo(), &s.rig.at("gate"))))
    }),
    ("export_tree", |s| {
        let exported = s.rig.git.export_tree(&s.rig.held, &s.rig.repo(), &s.head, &s.rig.at("out"));
        s.said((exported, s.text("out/base"), s.text("out/.gitattributes")))
    }),
    ("archive_worktree", |s| {
        let archived = s.rig.git.archive_worktree(&s.rig.held, &s.rig.repo(), &s.rig.at("w"), &s.rig.at("archive/w"));
        s.said((archived, s.text("archive/w/base")))
    }),
    ("repair_worktrees", |s| {
        fs::rename(s.rig.at("new"), s.rig.at("moved")).unwrap();
        let repaired = s.rig.git.repair_worktrees(&s.rig.held, &s.rig.repo(), &[s.rig.at("moved")]);
        s.said((repaired, s.rig.git.worktree(&s.rig.repo(), &s.rig.at("moved"))))
    }),
    ("mend", |s| {
        let url = s.rig.at("origin").display().to_string();
        s.said(s.rig.git.mend(&s.rig.held, &s.rig.repo(), &url, true).is_ok())
    }),
    ("remove_gate_worktree", |s| s.said(s.rig.git.remove_gate_worktree(&s.rig.held, &s.rig.repo(), &s.rig.at("gate")))),
];

/// Acts that run the worker's own git, in the worker's session.
const OF_WORKERS: &[&str] = &["catch_up", "update_submodules"];

fn tree(scene: &Scene) -> Sha {
    scene.rig.git.tree_of(&scene.rig.repo(), &scene.head).unwrap()
}

fn rules(conversions: bool) -> Rules {
    Rules { submodules: true, conversions, ..Rules::default() }
}

fn snapshot(scene: &Scene) -> Sha {
    scene.rig.git.refs(&scene.rig.repo()).unwrap()[SNAPSHOT].clone()
}

fn plan(scene: &Scene) -> WorktreePlan {
    WorktreePlan { start: scene.head.clone(), ..scene.rig.plan("new") }
}

/// Returns the acts of the trait, and of the one on which it builds, from their source files.
fn all_acts() -> BTreeSet<&'static str> {
    let sources = [("Repo", include_str!("../../../repo.rs")), ("History", include_str!("../../../history.rs"))];
    let bodies = sources.map(|(name, source)| {
        let body = source.split_once(&format!("pub trait {name}")).unwrap().1;
        body.split_once("\n}\n").unwrap().0
    });
    let lines = bodies.into_iter().flat_map(str::lines);
    lines.filter_map(|line| Some(line.strip_prefix("    fn ")?.split_once('(')?.0)).collect()
}

#[test]
fn every_act_is_among_those_that_are_tried() {
    let tried = ACTS.iter().map(|(name, _)| *name).chain(OF_WORKERS.iter().copied());
    assert_eq!(tried.collect::<BTreeSet<_>>(), all_acts());
}

#[test]
fn no_act_runs_or_believes_what_agents_can_write() {
    let (fair, hostile) = (Scene::new(), Scene::new());
    assert_eq!((&fair.head, &fair.side), (&hostile.head, &hostile.side));
    plant(&hostile);
    assert_eq!(hostile.ran(), None, "planting runs nothing");
    for (name, act) in ACTS {
        let (expected, said) = (act(&fair), act(&hostile));
        assert_eq!(said, expected, "{name}");
        assert_eq!(hostile.ran(), None, "{name}");
    }
    assert_eq!((fair.ran(), hostile.text("precious")), (None, "precious\n".to_owned()));
}

#[test]
fn the_canary_sings_where_git_works_by_what_is_planted() {
    let scene = Scene::new();
    plant(&scene);
    let rig = &scene.rig;
    by_hand(rig, &rig.at("w"), &["status", "--porcelain"]);
    assert!(scene.ran().is_some_and(|ran| ran.contains("gt-canary")), "{:?}", scene.ran());
    // A folder with objects and refs only, so that no setting stops git on its way to them.
    let tree = |name: &Sha| by_hand(rig, &rig.repo().join("gt-control"), &["rev-parse", &format!("{name}^{{tree}}")]);
    assert_eq!(tree(&scene.head), tree(&scene.trunk), "a replacement is believed");
    RealDisk.remove(&rig.repo().join("refs/replace")).unwrap();
    let parents = by_hand(rig, &rig.repo().join("gt-control"), &["rev-list", "--count", &scene.head.0]);
    assert_eq!(parents.trim(), "1", "a commit-graph is believed");
}

#[test]
fn objects_of_elsewhere_are_refused() {
    let rig = Rig::new();
    put(rig.repo().join("objects/info/alternates"), "");
    rig.git.refs(&rig.repo()).unwrap();
    for leave in [
        (|rig, file| put(file, format!("{}\n", rig))) as fn(String, &Path),
        |rig, file| symlink(format!("{rig}/nowhere"), file).unwrap(),
        |_, file| fs::create_dir(file).unwrap(),
    ] {
        let file = rig.repo().join("objects/info/alternates");
        RealDisk.remove(&file).unwrap();
        leave(rig.at("seed/.git/objects").display().to_string(), &file);
        let error = rig.git.refs(&rig.repo()).unwrap_err().to_string();
        assert!(error.contains("sources of objects"), "{error}");
        assert!(rig.git.fetch(&rig.held, &rig.repo()).is_err());
    }
}

#[test]
fn a_file_that_the_index_hides_is_in_the_snapshot() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.commit(&path, "second", "2\n");
    rig.commit(&path, "gone", "3\n");
    for (name, flag) in [("base", "--assume-unchanged"), ("second", "--skip-worktree"), ("gone", "--skip-worktree")] {
        rig.run(&path, "update-index", &[flag, name]);
        put(path.join(name), "changed\n");
    }
    fs::remove_file(path.join("gone")).unwrap();
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, SNAPSHOT, "m").unwrap();
    let text = |name: &str| rig.text_in(&snapshot.commit, name);
    assert_eq!(["base", "second", "gone"].map(text), ["changed", "changed", "3"]);
}

#[test]
fn a_transport_that_runs_a_program_is_refused_wherever_it_is_named() {
    let rig = Rig::new();
    let witness = rig.at("witness");
    for url in [format!("ext::touch {}", witness.display()), "fd::0".to_owned(), "gt-no-such::x".to_owned()] {
        let error = rig.git.ask_remote(&url).unwrap_err().to_string();
        assert!(error.contains("not allowed"), "{url}: {error}");
        rig.git.create(&rig.held, &rig.repo(), &url, ObjectFormat::Sha1).unwrap();
        assert!(rig.git.fetch(&rig.held, &rig.repo()).unwrap_err().to_string().contains("not allowed"));
    }
    assert!(!witness.exists());
}

#[test]
fn a_repository_of_an_older_gt_gets_its_control_folder_when_it_is_used() {
    let rig = Rig::new();
    let (control, trunk) = (rig.repo().join("gt-control"), rig.trunk());
    put(rig.repo().join("info/exclude"), "/copied\n");
    fs::remove_dir_all(&control).unwrap();
    let path = rig.worktree("w");
    put(path.join("copied"), "x");
    assert!(rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().dirty.is_empty());
    rig.commit(&rig.at("seed"), "more", "more\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:main"]);
    let fetched = rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    assert_ne!(fetched["main"], trunk);
    // A half-made folder is repaired.
    RealDisk.remove(&control.join("version")).unwrap();
    RealDisk.remove(&control.join("refs")).unwrap();
    put(control.join("config"), "broken");
    assert_eq!(rig.git.refs(&rig.repo()).unwrap()["refs/remotes/origin/main"], fetched["main"]);
}
