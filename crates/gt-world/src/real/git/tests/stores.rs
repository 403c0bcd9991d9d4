//! Stores of workers in sandboxes, in the state in which a hostile worker may leave them.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::Candidate;
use crate::real::door;

/// A rig with a worktree `w` whose worker keeps its objects in a store of its own.
struct Scene {
    rig: Rig,
    store: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let rig = Rig::new();
        door::guard(&rig.at(""));
        rig.worktree("w");
        let store = rig.repo().join("gt-own/w");
        RealDisk.create_dir(&store.join("objects/info")).unwrap();
        RealDisk.create_dir(&rig.repo().join("gt-shared/objects")).unwrap();
        put(store.join("objects/info/alternates"), format!("{}\n", rig.repo().join("gt-shared/objects").display()));
        Self { rig, store }
    }

    /// Runs the worker's own git, which writes to its store.
    fn worker(&self, verb: &str, args: &[&str]) -> String {
        let call = self.rig.git.question(&Place::Folder(self.rig.at("w")), verb).args(args);
        let call = call.env("GIT_OBJECT_DIRECTORY", self.store.join("objects"));
        let call = call.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.rig.repo().join("objects"));
        call.env("GIT_OPTIONAL_LOCKS", "1").ok().unwrap().line()
    }

    fn commit(&self, name: &str, text: &str) -> Sha {
        put(self.rig.at("w").join(name), text);
        self.worker("add", &["-A"]);
        self.worker("commit", &["--quiet", "-m", name]);
        Sha::from(self.worker("rev-parse", &["HEAD"]))
    }

    fn loose(&self, id: &str) -> PathBuf {
        self.store.join("objects").join(&id[..2]).join(&id[2..])
    }

    /// Returns the text of an object if the rig's own objects include it.
    fn rig_has(&self, id: &str) -> Option<String> {
        self.rig.git.refs(&self.rig.repo()).unwrap();
        let answer = self.rig.try_run(&self.rig.repo(), "cat-file", &["blob", id]);
        (answer.code == 0).then(|| answer.line())
    }
}

#[test]
fn what_a_worker_makes_is_the_rigs_as_soon_as_the_town_looks() {
    let scene = Scene::new();
    let (rig, trunk) = (&scene.rig, scene.rig.trunk());
    let head = scene.commit("one", "1\n");
    assert!(scene.loose(&head.0).exists());
    let facts = rig.git.worktree(&rig.repo(), &rig.at("w")).unwrap().unwrap();
    assert_eq!((facts.head, facts.dirty), (head.clone(), Vec::new()));
    assert!(rig.git.contains(&rig.repo(), &head, &trunk).unwrap());
    assert!(matches!(rig.git.squash(&rig.held, &rig.repo(), &trunk, &head, "m").unwrap(), Candidate::Clean { .. }));
    let left: Vec<_> = fs::read_dir(scene.store.join("objects")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name == "info" || name == "pack"), "{left:?}");
    // A second run, with work that has continued.
    let next = scene.commit("two", "2\n");
    let name = "refs/gt/snapshots/x-1";
    rig.git.snapshot(&rig.held, &rig.repo(), &rig.at("w"), name, "m").unwrap();
    assert_eq!(rig.git.commits_between(&rig.repo(), &head, &next).unwrap(), 1);
    scene.commit("three", "3\n");
    rig.git.archive_worktree(&rig.held, &rig.repo(), &rig.at("w"), &rig.at("archive/w")).unwrap();
    assert!(!scene.store.exists());
    assert_eq!(rig.text_in(&Sha::from("refs/heads/polecat/w"), "three"), "3");
}

#[test]
fn an_object_that_is_not_what_its_name_says_is_not_taken_over() {
    let scene = Scene::new();
    let head = scene.commit("one", "bad\n");
    let (bad, good) = (scene.worker("rev-parse", &["HEAD:one"]), scene.worker("hash-object", &["-w", "one"]));
    assert_eq!(bad, good);
    put(scene.rig.at("w/one"), "good\n");
    let good = scene.worker("hash-object", &["-w", "one"]);
    let (file, true_bytes) = (scene.loose(&bad), fs::read(scene.loose(&bad)).unwrap());
    let witness = scene.rig.at("witness");
    put(&witness, &true_bytes);
    let other_bytes = fs::read(scene.loose(&good)).unwrap();
    let plants: [&dyn Fn(); 7] = [
        &|| put(&file, &other_bytes),
        &|| put(&file, ""),
        &|| put(&file, &true_bytes[..true_bytes.len() - 2]),
        &|| put(&file, [&true_bytes[..], b"more"].concat()),
        &|| put(&file, "blob 4\0bad\n"),
        // Valid content, from a place that the worker may not read.
        &|| symlink(&witness, &file).unwrap(),
        &|| fs::create_dir(&file).unwrap(),
    ];
    for (number, plant) in plants.iter().enumerate() {
        RealDisk.create_dir(file.parent().unwrap()).unwrap();
        RealDisk.remove(&file).unwrap();
        plant();
        assert_eq!(scene.rig_has(&bad), None, "{number}");
        let squash = scene.rig.git.squash(&scene.rig.held, &scene.rig.repo(), &scene.rig.trunk(), &head, "m").unwrap();
        assert!(matches!(squash, Candidate::Broken { .. }), "{number}: {squash:?}");
    }
    assert_eq!(scene.rig_has(&good).as_deref(), Some("good"));
    assert_eq!(fs::read(&witness).unwrap(), true_bytes);
    RealDisk.remove(&file).unwrap();
    RealDisk.create_dir(file.parent().unwrap()).unwrap();
    put(&file, &true_bytes);
    assert_eq!(scene.rig_has(&bad).as_deref(), Some("bad"));
}

#[test]
fn links_in_a_store_lead_nowhere() {
    let scene = Scene::new();
    let secret = scene.rig.at("secret");
    scene.rig.run(&scene.rig.at(""), "init", &["--quiet", "secret"]);
    scene.rig.commit(&secret, "key", "secret\n");
    let id = scene.rig.run(&secret, "rev-parse", &["HEAD:key"]);
    let objects = secret.join(".git/objects");
    scene.rig.run(&secret, "repack", &["-a", "--quiet"]);
    symlink(objects.join(&id[..2]), scene.store.join("objects").join(&id[..2])).unwrap();
    symlink(objects.join("pack"), scene.store.join("objects/pack")).unwrap();
    symlink(&objects, scene.store.join("lfs")).unwrap();
    assert_eq!(scene.rig_has(&id), None);
    assert!(objects.join(&id[..2]).join(&id[2..]).exists() && fs::read_dir(objects.join("pack")).unwrap().count() > 0);
}

#[test]
fn packs_are_taken_over_by_what_is_in_them() {
    let scene = Scene::new();
    let head = scene.commit("one", "packed\n");
    let blob = scene.worker("rev-parse", &["HEAD:one"]);
    let call = |verb: &str, args: &[&str]| scene.worker(verb, args);
    // A pack that the worker made, whose index claims that the file has another content.
    call("repack", &["-a", "-l", "--quiet"]);
    for folder in fs::read_dir(scene.store.join("objects")).unwrap().flatten().filter(|e| e.file_name().len() == 2) {
        fs::remove_dir_all(folder.path()).unwrap();
    }
    let pack = scene.store.join("objects/pack");
    let index = fs::read_dir(&pack)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .find(|path| path.extension().is_some_and(|e| e == "idx"));
    let index = index.unwrap();
    let mut bytes = fs::read(&index).unwrap();
    let as_bytes =
        |id: &str| -> Vec<u8> { (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()).collect() };
    let at = bytes.windows(20).position(|window| window == as_bytes(&blob)).unwrap();
    let mut lie = as_bytes(&blob);
    lie[19] ^= 1;
    bytes[at..at + 20].copy_from_slice(&lie);
    fs::set_permissions(&index, fs::Permissions::from_mode(0o644)).unwrap();
    put(&index, bytes);
    assert_eq!(scene.rig_has(&blob).as_deref(), Some("packed"));
    let hex: String = lie.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(scene.rig_has(&hex), None);
    assert_eq!(fs::read_dir(&pack).unwrap().count(), 0);
    assert!(scene.rig.git.contains(&scene.rig.repo(), &head, &scene.rig.trunk()).unwrap());
    // A file that is not a pack does not stop the others.
    put(pack.join("pack-x.pack"), "PACK");
    put(pack.join("pack-x.idx"), "");
    assert_eq!(scene.rig_has(&blob).as_deref(), Some("packed"));
}

#[test]
fn large_files_are_taken_over_by_what_is_in_them() {
    let scene = Scene::new();
    let oid = gt_model::id::sha256_hex("large\n");
    let place = |root: &Path, oid: &str| root.join("objects").join(&oid[..2]).join(&oid[2..4]).join(oid);
    let (lfs, false_oid) = (scene.rig.repo().join("lfs"), "7".repeat(64));
    for (oid, text) in [(&oid, "large\n"), (&false_oid, "other\n")] {
        put(place(&scene.store.join("lfs"), oid), text);
    }
    scene.rig.git.refs(&scene.rig.repo()).unwrap();
    assert_eq!(fs::read_to_string(place(&lfs, &oid)).unwrap(), "large\n");
    assert!(!place(&lfs, &false_oid).exists());
}
