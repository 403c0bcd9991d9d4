//! Worktree set-up: prepares a new worktree so that its user can build in it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use gt_ledger::Attempt;
use gt_world::{Disk, Held, LARGE_FILES, NodeKind, Referred, Rules, RunEnd, WorldError};

use crate::rigs::gates::Subject;
use crate::rigs::warm;
use crate::town::error::{Error, Result};
use crate::town::settings::WorktreeSettings;
use crate::town::{Rig, Town};
use crate::walls::contained::{self, Job};

/// File beside the gate worktree with the key of its last set-up and the folders that it made, one per line.
const KEY_FILE: &str = "set-up.key";

/// Proposes a set-up from the files in a project, the needs of its gates, the filters in its git attributes, and the overseer's
/// checkout if there is one.
pub(crate) fn propose(
    town: &Town,
    folder: &Path,
    checkout: Option<&Path>,
    set_up: &[String],
    filters: &BTreeSet<String>,
) -> WorktreeSettings {
    let disk = town.world().disk();
    let mut settings = WorktreeSettings {
        setup: (!set_up.is_empty()).then(|| set_up.join(" && ")),
        submodules: disk.exists(&folder.join(".gitmodules")),
        lfs: filters.contains(LARGE_FILES),
        ..WorktreeSettings::default()
    };
    let Some(checkout) = checkout else { return settings };
    let only_there = |name: &str| disk.exists(&checkout.join(name)) && !disk.exists(&folder.join(name));
    settings.copy = [".env"].into_iter().filter(|name| only_there(name)).map(str::to_owned).collect();
    let installs = set_up.iter().any(|line| line.starts_with("npm "));
    if !installs && only_there("node_modules") {
        settings.clone.push("node_modules".to_owned());
    }
    // Set this even if nothing is copied. Gates must not reach that folder.
    settings.from = Some(checkout.to_owned());
    settings
}

/// Sets up a worker's worktree: fetches submodules and large files, copies the configured files, then runs the rig's command. A
/// repeated call copies nothing that exists, and runs the command again.
pub fn worktree(town: &Town, rig: &Rig, held: &Held, attempt: &Attempt) -> Result<()> {
    let folder = rig.layout.worktree(&attempt.worker);
    require_free_disk(town, rig, &folder)?;
    if let Some(missing) = fetch_referred(town, rig, held, &folder)?
        // If the work was sent back for this reason, the worker repairs it.
        && attempt.started_from.is_none()
    {
        return Err(Error::refused(missing, "look at the trunk, then: gt doctor --retry"));
    }
    if let Some(blocked) = copy_in(town, rig, &folder)?
        // Likewise, the worker removes the link or does without the copies.
        && attempt.started_from.is_none()
    {
        return Err(Error::refused(blocked, COPY_HINT));
    }
    let label = format!("{}-{}", attempt.worker, attempt.id);
    finish(town, rig, &folder, attempt.slot, &label)
}

/// Copies what the town has already built into a worktree, and runs the set-up if anything is still missing.
fn finish(town: &Town, rig: &Rig, folder: &Path, slot: Option<u32>, label: &str) -> Result<()> {
    let given = warm::give(town, rig, folder, label)?;
    let Some(tree) = given.tree.as_ref().filter(|_| given.has_set_up && rig.settings.worktree.setup.is_some()) else {
        return run(town, rig, folder, slot, label);
    };
    let text = format!(
        "Not run: {} came from what was built of the tree {tree}, with the same lock files and nothing else to set up.\n",
        given.paths.join(", ")
    );
    Ok(town.world().disk().write(&log_of(rig, label), text.as_bytes())?)
}

/// Sets up a crew member's workspace in the same way.
pub fn workspace(town: &Town, rig: &Rig, held: &Held, folder: &Path, label: &str) -> Result<()> {
    require_free_disk(town, rig, folder)?;
    if let Some(missing) = fetch_referred(town, rig, held, folder)? {
        return Err(Error::refused(missing, "look at the trunk, then add the workspace again"));
    }
    if let Some(blocked) = copy_in(town, rig, folder)? {
        return Err(Error::refused(blocked, COPY_HINT));
    }
    finish(town, rig, folder, None, label)
}

/// Hint for a link that blocks a copy.
const COPY_HINT: &str = "name another place in [worktree] copy or clone of rig.toml, or take it out of the trunk, then: \
                         gt doctor --retry";

/// Outcome of setting up a gate worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetUp {
    /// It is set up.
    Done {
        /// Whether its command ran.
        ran: bool,
    },
    /// A link or file in the commit stands where a folder for copies must be, so the commit can't pass.
    Blocked(String),
}

/// Sets up the gate worktree, which contains the commit's files and the caches in `kept`, nothing else. Skips the command if
/// everything that it made last time was kept and the lock files are the same.
pub(crate) fn gate_worktree(
    town: &Town,
    rig: &Rig,
    folder: &Path,
    subject: &Subject<'_>,
    kept: &[String],
) -> Result<SetUp> {
    let disk = town.world().disk();
    let (key, record) = (key(town, rig, folder)?, folder.with_file_name(KEY_FILE));
    if let Some(blocked) = copy_in(town, rig, folder)? {
        return Ok(SetUp::Blocked(blocked));
    }
    let ran = rig.settings.worktree.setup.is_some() && !is_done(town, &record, &key, kept)?;
    if ran {
        disk.remove(&record)?;
        require_free_disk(town, rig, folder)?;
        run(town, rig, folder, None, "gate")?;
        if let Some(made) = made(town, rig, folder, subject)? {
            disk.write(&record, [vec![key], made].concat().join("\n").as_bytes())?;
        }
    }
    Ok(SetUp::Done { ran })
}

/// Whether a set-up with this key was done and everything that it made was kept.
fn is_done(town: &Town, record: &Path, key: &str, kept: &[String]) -> Result<bool> {
    let bytes = town.world().disk().read(record)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let is_same = lines.next() == Some(key);
    let mut made = lines.peekable();
    Ok(is_same && made.peek().is_some() && made.all(|path| kept.iter().any(|kept| kept == path)))
}

/// Returns what a set-up made if the rig keeps all of it. Copied files don't count, because they are copied each time.
fn made(town: &Town, rig: &Rig, folder: &Path, subject: &Subject<'_>) -> Result<Option<Vec<String>>> {
    let settings = &rig.settings.worktree;
    let rules = Rules { keep: rig.settings.keep.clone(), submodules: settings.submodules, ..Rules::default() };
    let found = town.world().repo().untracked(&rig.layout.repo(), folder, subject.tree, &rules)?;
    let is_copied = |path: &String| {
        let mut names = settings.copy.iter().chain(&settings.clone);
        names.any(|name| path.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let all_kept = found.others.iter().all(is_copied) && !found.kept.iter().any(|path| path.contains('\n'));
    Ok(all_kept.then_some(found.kept))
}

/// Fetches submodules and large files, if the rig has any. Returns a description of content that no remote has.
pub(crate) fn fetch_referred(town: &Town, rig: &Rig, held: &Held, folder: &Path) -> Result<Option<String>> {
    let settings = &rig.settings.worktree;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    if settings.submodules
        && let Referred::Missing(why) = repo.check_out_submodules(held, &path, folder)?
    {
        return Ok(Some(format!("the submodules can't be checked out: {why}")));
    }
    if settings.lfs
        && let Referred::Missing(why) = repo.pull_large_files(held, &path, folder)?
    {
        return Ok(Some(format!("the remote does not have its large files: {why}")));
    }
    Ok(None)
}

fn key(town: &Town, rig: &Rig, folder: &Path) -> Result<String> {
    let settings = &rig.settings.worktree;
    let inputs = warm::inputs_of(town, rig, folder)?;
    let said = format!("{:?}\0{:?}\0{:?}", settings.setup, settings.copy, settings.clone);
    Ok(gt_model::id::sha256_hex(&[said, inputs.locks, inputs.manifests].join("\0")))
}

fn require_free_disk(town: &Town, rig: &Rig, folder: &Path) -> Result<()> {
    let wanted = rig.settings.worktree.min_free_disk_mb;
    if wanted == 0 {
        return Ok(());
    }
    let free = town.world().disk().free_space(folder)? / (1024 * 1024);
    if free >= wanted {
        return Ok(());
    }
    let what = format!("{free} MB are free at {}, but the rig needs {wanted}", folder.display());
    Err(Error::refused(what, "free some disk, or lower min_free_disk_mb in rig.toml"))
}

/// Copies untracked files and folders (`.env`, `node_modules`) from the configured place. Existing files stay, so no tracked file
/// is ever overwritten. Nothing is copied through a link: the commit controls the folders, so a link could lead a secret
/// anywhere. Returns what blocks a copy, if anything does.
fn copy_in(town: &Town, rig: &Rig, folder: &Path) -> Result<Option<String>> {
    let settings = &rig.settings.worktree;
    let names: Vec<&String> = settings.copy.iter().chain(&settings.clone).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let from = settings.from.as_ref().ok_or_else(|| Error::NeedsPerson {
        what: format!("{} does not say where to copy from", rig.layout.settings().display()),
        hint: "[worktree] from = \"<folder of your checkout>\"".to_owned(),
    })?;
    if let Some(name) = names.iter().find(|name| !is_plain(name)) {
        let what = format!("`{name}` is not a path inside the worktree");
        let hint = "name files and folders below the top, without .. and .git".to_owned();
        return Err(Error::Usage { what, hint });
    }
    // Exclude the names first, so that git never sees a copy as a new file.
    rig.layout.excludes().iter().try_for_each(|file| exclude(town, file, &names))?;
    // Build results of another tree must not look newer than this tree's sources, or build tools would reuse them.
    let latest = town.world().disk().oldest_below(folder)?.map_or(0, |oldest| oldest.saturating_sub(1));
    for name in names {
        if let Some(blocked) = copy_one(town.world().disk(), from, folder, name, latest)? {
            return Ok(Some(blocked));
        }
    }
    Ok(None)
}

/// Copies one entry. Returns what blocks it, if anything does.
fn copy_one(disk: &dyn Disk, from: &Path, folder: &Path, name: &str, latest: i64) -> Result<Option<String>> {
    let (source, target) = (from.join(name), folder.join(name));
    if !disk.exists(&source) || disk.exists(&target) {
        return Ok(None);
    }
    match disk.copy_older(&source, &target, latest) {
        Ok(()) => return Ok(None),
        Err(WorldError::Led { .. }) => {}
        Err(WorldError::Io { source, .. }) if source.kind() == ErrorKind::NotADirectory => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Some(format!("`{name}` can't be copied into the worktree: {}", in_the_way(disk, folder, name))))
}

/// Describes the part of a path in a worktree that should be a folder but is not.
fn in_the_way(disk: &dyn Disk, folder: &Path, name: &str) -> String {
    let mut above: Vec<&Path> = Path::new(name).ancestors().skip(1).filter(|at| !at.as_os_str().is_empty()).collect();
    above.reverse();
    let found = above.into_iter().find_map(|at| match disk.kind(&folder.join(at)) {
        Ok(Some(NodeKind::Link)) => {
            Some(format!("`{}` is a link in this commit, and gt follows no link", at.display()))
        }
        Ok(Some(NodeKind::File)) => Some(format!("`{}` is a file in this commit", at.display())),
        _ => None,
    });
    found.unwrap_or_else(|| "something in its way changes".to_owned())
}

fn is_plain(name: &str) -> bool {
    let plain = |part: Component<'_>| match part {
        Component::Normal(part) => !part.eq_ignore_ascii_case(".git"),
        _ => false,
    };
    !name.is_empty() && Path::new(name).components().all(plain)
}

/// Hides copied files from git in all worktrees of the rig, whatever the project ignores.
fn exclude(town: &Town, path: &Path, names: &[&String]) -> Result<()> {
    let before = town.world().disk().read(path)?.unwrap_or_default();
    let mut text = String::from_utf8_lossy(&before).into_owned();
    for name in names {
        let line = format!("/{name}");
        if !text.lines().any(|known| known == line) {
            text.push_str(&format!("{line}\n"));
        }
    }
    if text.as_bytes() == before { Ok(()) } else { Ok(town.world().disk().write(path, text.as_bytes())?) }
}

/// Returns the log file for the set-up of the gates' worktree.
pub(crate) fn gate_log(rig: &Rig) -> PathBuf {
    log_of(rig, "gate")
}

fn log_of(rig: &Rig, label: &str) -> PathBuf {
    rig.layout.gate_logs().join(format!("set-up-{label}.log"))
}

fn run(town: &Town, rig: &Rig, folder: &Path, slot: Option<u32>, label: &str) -> Result<()> {
    let settings = &rig.settings.worktree;
    let Some(command) = &settings.setup else { return Ok(()) };
    let log = log_of(rig, label);
    let argv = vec!["sh".to_owned(), "-c".to_owned(), command.clone()];
    let timeout = Duration::from_secs(settings.setup_timeout_seconds);
    let result = contained::run(town, rig, &Job { argv, folder, slot, timeout, log: &log, env: BTreeMap::new() })?;
    let why = match result.end {
        RunEnd::Passed => return Ok(()),
        RunEnd::Failed(exit) => exit.code.map_or("failed".to_owned(), |code| format!("failed with exit code {code}")),
        RunEnd::TimedOut => format!("was not finished after {} s", settings.setup_timeout_seconds),
    };
    let what = format!("the set-up `{command}` {why}:\n{}", result.tail.join("\n"));
    Err(Error::refused(what, format!("full output: {}; the command is [worktree] setup in rig.toml", log.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use gt_world::real::RealDisk;

    #[test]
    fn only_paths_inside_of_a_worktree_are_copied_to() {
        for (name, plain) in [
            (".env", true),
            ("config/dev.env", true),
            ("a/.gitignore", true),
            ("", false),
            ("/etc/passwd", false),
            ("..", false),
            ("a/../b", false),
            ("./a", false),
            (".git", false),
            (".git/hooks/pre-commit", false),
            ("lib/.GIT/config", false),
        ] {
            assert_eq!(is_plain(name), plain, "{name}");
        }
    }

    /// Obstacles that a commit can put at `config/sub/dev.env`, with the resulting message.
    #[test]
    fn nothing_is_copied_through_what_a_commit_puts_in_the_way() {
        type Plant = fn(&Path, &Path);
        let folder = |path: &Path| fs::create_dir_all(path).unwrap();
        let cases: &[(&str, Plant, Option<&str>)] = &[
            ("nothing", |_, _| {}, None),
            ("the folder", |at, _| fs::create_dir_all(at.join("config/sub")).unwrap(), None),
            (
                "a link to a folder outside",
                |at, out| symlink(out, at.join("config")).unwrap(),
                Some("`config` is a link"),
            ),
            (
                "a link within the worktree",
                |at, _| {
                    fs::create_dir_all(at.join("real/sub")).unwrap();
                    symlink("real", at.join("config")).unwrap();
                },
                Some("`config` is a link"),
            ),
            (
                "a deeper link",
                |at, out| {
                    fs::create_dir(at.join("config")).unwrap();
                    symlink(out, at.join("config/sub")).unwrap();
                },
                Some("`config/sub` is a link"),
            ),
            (
                "a link to nowhere",
                |at, out| symlink(out.join("new"), at.join("config")).unwrap(),
                Some("`config` is a link"),
            ),
            (
                "a link of the kernel's",
                |at, _| symlink("/proc/self/cwd", at.join("config")).unwrap(),
                Some("`config` is a link"),
            ),
            ("a file", |at, _| fs::File::create(at.join("config")).map(drop).unwrap(), Some("`config` is a file")),
        ];
        for (what, plant, expected) in cases {
            let place = tempfile::tempdir().unwrap();
            let at = |name: &str| place.path().join(name);
            folder(&at("town/tree"));
            folder(&at("out/sub"));
            folder(&at("from/config/sub"));
            RealDisk.write(&at("from/config/sub/dev.env"), b"secret").unwrap();
            RealDisk.guard(&at("town"));
            plant(&at("town/tree"), &at("out"));
            let said = copy_one(&RealDisk, &at("from"), &at("town/tree"), "config/sub/dev.env", i64::MAX).unwrap();
            let named = expected.is_none_or(|expected| said.as_deref().is_some_and(|said| said.contains(expected)));
            assert!(said.is_some() == expected.is_some() && named, "{what}: {said:?}");
            let copied = fs::read(at("town/tree/config/sub/dev.env")).ok();
            assert_eq!(copied.is_some(), expected.is_none(), "{what}");
            assert_eq!(
                (RealDisk.list(&at("out")).unwrap(), RealDisk.list(&at("out/sub")).unwrap()),
                (vec!["sub".to_owned()], vec![]),
                "{what}"
            );
        }
    }

    #[test]
    fn what_a_commit_has_at_the_very_place_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        RealDisk.write(&at("from/.env"), b"secret").unwrap();
        RealDisk.write(&at("out"), b"theirs").unwrap();
        fs::create_dir_all(at("town/tree")).unwrap();
        RealDisk.guard(&at("town"));
        symlink(at("out"), at("town/tree/.env")).unwrap();
        assert_eq!(copy_one(&RealDisk, &at("from"), &at("town/tree"), ".env", i64::MAX).unwrap(), None);
        assert_eq!(fs::read(at("out")).unwrap(), b"theirs");
        assert!(at("town/tree/.env").is_symlink());
    }
}
