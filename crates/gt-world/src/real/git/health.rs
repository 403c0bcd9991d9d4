//! Checks whether a rig's repository is as the town made it, for the git of workers. Tools and tests write into the files that
//! all worktrees share, mostly by accident.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::config::{self, Entry, entry};
use super::control::NO_BRANCH;
use super::refs::{bare, under};
use super::repository::{REPOSITORY_SETTINGS, object_format};
use super::{Git, broken_refs, hooks};
use crate::real::RealClock;
use crate::real::disk::{RealDisk, io_error, read_whole, rename_to_free};
use crate::{Clock as _, Damage, Disk as _, Held, ObjectFormat, RepoHealth, WorldResult};

/// Files whose change triggers a closer inspection.
const WATCHED: &[&str] =
    &["HEAD", "config", "config.worktree", "info/grafts", "objects/info/alternates", broken_refs::ASIDE];

/// File with the settings of the bare repository alone.
const OWN_SETTINGS: &str = "config.worktree";

/// Settings that git itself writes when it makes a repository, by what the file system supports.
const GITS_OWN: &[&str] = &["core.filemode", "core.ignorecase", "core.symlinks", "core.precomposeunicode"];

/// Refs of commits that replace others, for every git without a setting against it.
const REPLACEMENTS: &str = "refs/replace/";

/// File that gives commits other parents, for every git without a setting against it.
const GRAFTS: &str = "info/grafts";

/// File where a repository names other sources of objects.
const ALTERNATES: &str = "objects/info/alternates";

/// Returns a text that changes when one of the watched files or a worktree's own settings change.
pub(super) fn sign(repo: &Path) -> String {
    let mut files: Vec<_> = WATCHED.iter().map(|name| repo.join(name)).collect();
    files.extend([repo.join(hooks::FOLDER), repo.join(hooks::FOLDER).join(hooks::GUARD)]);
    let worktrees = fs::read_dir(repo.join("worktrees")).into_iter().flatten().flatten();
    let mut own: Vec<_> = worktrees.map(|entry| entry.path().join("config.worktree")).collect();
    own.sort();
    let signs = files.iter().chain(&own).map(|file| match file.symlink_metadata() {
        Ok(facts) => {
            format!("{} {} {} {} {}", facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec(), facts.mode())
        }
        Err(_) => "-".to_owned(),
    });
    let is_whole = repo.join("refs").is_dir() && repo.join("objects").is_dir();
    format!("{is_whole}\n{}", signs.collect::<Vec<_>>().join("\n"))
}

/// Returns how the repository differs from what the town made.
pub(super) fn inspect(git: &Git, repo: &Path, url: &str) -> WorldResult<RepoHealth> {
    let mut health = RepoHealth::default();
    if !repo.join("objects").is_dir() {
        health.lost.push(damage("objects", "the folder with all commits and files is gone"));
        return Ok(health);
    }
    health.damage = broken_files(git, repo)?;
    match settings(git, repo)? {
        Ok(there) => {
            health.damage.extend(wrong_settings(&there, &wanted(repo, url)));
            health.additions.extend(additions(&there, &wanted(repo, url)));
        }
        Err(why) => health.damage.push(damage("config", &why)),
    }
    health.damage.extend(
        hooks::broken(repo)?.iter().map(|name| damage(&format!("gt-hooks/{name}"), "not as the town wrote it")),
    );
    health.additions.extend(hooks::foreign(repo)?.into_iter().map(|name| format!("the hook {name} in gt-hooks")));
    health.damage.extend(foreign_history(git, repo)?);
    health.damage.extend(broken_refs::untold(repo));
    // If git does not accept the folder as a repository, its refs are checked after the repair.
    health.damage.extend(broken_refs::unmended(git, repo).unwrap_or_default());
    health.lost.extend(alternates(repo));
    Ok(health)
}

fn damage(what: &str, found: &str) -> Damage {
    Damage { what: what.to_owned(), found: found.to_owned() }
}

fn broken_files(git: &Git, repo: &Path) -> WorldResult<Vec<Damage>> {
    let mut broken = Vec::new();
    if read_whole(&repo.join("HEAD")).ok().as_deref() != Some(head().as_bytes()) {
        broken.push(damage("HEAD", "not the one that says that the repository has no checkout"));
    }
    if !is_bare(git, repo)? {
        broken.push(damage(OWN_SETTINGS, "does not say that the repository itself is bare"));
    }
    if !repo.join("refs").is_dir() {
        broken.push(damage("refs", "the folder is gone, so git does not recognise the repository"));
    }
    Ok(broken)
}

/// Whether the repository itself is bare. That is its own setting, since its worktrees are not bare.
fn is_bare(git: &Git, repo: &Path) -> WorldResult<bool> {
    let own = config::read(git, &repo.join(OWN_SETTINGS))?;
    Ok(own.is_ok_and(|own| config::values(&own, "core.bare") == ["true"]))
}

fn head() -> String {
    format!("ref: refs/heads/{NO_BRANCH}\n")
}

/// Returns the settings that all worktrees share, and those of the bare repository alone.
fn settings(git: &Git, repo: &Path) -> WorldResult<Result<Vec<Entry>, String>> {
    let file = repo.join("config");
    if !file.is_file() {
        return Ok(Err("the file is gone".to_owned()));
    }
    config::read(git, &file)
}

/// Returns the settings that the town wrote.
fn wanted(repo: &Path, url: &str) -> Vec<Entry> {
    let mut wanted: Vec<Entry> =
        REPOSITORY_SETTINGS.iter().map(|(key, value)| entry(key.to_ascii_lowercase(), *value)).collect();
    wanted.push(entry("remote.origin.url", url));
    if object_format(repo) != ObjectFormat::default() {
        wanted.push(entry("extensions.objectformat", object_format(repo).as_str()));
    }
    wanted
}

/// Whether a setting decides if and where git works in a repository. Only the town's own values of those may be there.
fn is_vital(key: &str) -> bool {
    matches!(key, "core.bare" | "core.worktree" | "core.repositoryformatversion") || key.starts_with("extensions.")
}

fn wrong_settings(there: &[Entry], wanted: &[Entry]) -> Vec<Damage> {
    let mut wrong: Vec<Damage> = Vec::new();
    let keys = there.iter().filter(|entry| is_vital(&entry.key)).chain(wanted).map(|entry| &entry.key);
    for key in keys {
        let (is, should) = (config::values(there, key), config::values(wanted, key));
        if is != should && wrong.iter().all(|known| known.what != *key) {
            wrong.push(damage(key, &format!("{}; the town wrote {}", said(&is), said(&should))));
        }
    }
    wrong
}

fn said(values: &[&str]) -> String {
    if values.is_empty() { "nothing".to_owned() } else { format!("`{}`", values.join("`, `")) }
}

/// Returns the settings that others have added. They explain what git does, so people see them; the town leaves them alone.
fn additions(there: &[Entry], wanted: &[Entry]) -> Vec<String> {
    let ours = |key: &str| wanted.iter().any(|entry| entry.key == key);
    let known = |key: &str| ours(key) || is_vital(key) || GITS_OWN.contains(&key) || key.starts_with("filter.lfs.");
    let added = there.iter().filter(|entry| !known(&entry.key));
    added.map(|entry| format!("{}={}", entry.key, entry.value)).collect()
}

/// Returns the files and refs that make git show another history than the commits hold.
fn foreign_history(git: &Git, repo: &Path) -> WorldResult<Vec<Damage>> {
    let mut found = Vec::new();
    // If git does not accept the folder as a repository, its refs are checked after the repair.
    for name in under(git, repo, &[REPLACEMENTS]).unwrap_or_default().into_keys() {
        found.push(damage(&name, "makes git show another object instead of this one"));
    }
    if fs::metadata(repo.join(GRAFTS)).is_ok_and(|facts| facts.len() > 0) {
        found.push(damage(GRAFTS, "gives commits other parents than they have"));
    }
    Ok(found)
}

fn alternates(repo: &Path) -> Option<Damage> {
    let text = String::from_utf8(read_whole(&repo.join(ALTERNATES)).ok()?).ok()?;
    let sources: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let found = format!("objects may come from {}, and are lost when that goes", sources.join(", "));
    (!sources.is_empty()).then(|| damage(ALTERNATES, &found))
}

/// Repairs what can be repaired.
pub(super) fn mend(git: &Git, held: &Held, repo: &Path, url: &str, all: bool) -> WorldResult<Vec<Damage>> {
    let found = inspect(git, repo, url)?;
    if !found.lost.is_empty() && !repo.join("objects").is_dir() {
        return Ok(Vec::new());
    }
    RealDisk.create_dir(&repo.join("refs"))?;
    if read_whole(&repo.join("HEAD")).ok().as_deref() != Some(head().as_bytes()) {
        RealDisk.write(&repo.join("HEAD"), head().as_bytes())?;
    }
    if !is_bare(git, repo)? {
        RealDisk.write(&repo.join(OWN_SETTINGS), config::text(&[entry("core.bare", "true")]).as_bytes())?;
    }
    mend_settings(git, repo, url)?;
    hooks::install(repo)?;
    broken_refs::set_aside(git, held, repo)?;
    broken_refs::tell(repo)?;
    let is_history = |damage: &Damage| damage.what == GRAFTS || damage.what.starts_with(REPLACEMENTS);
    if all {
        // Git finds replacements only in what it accepts as a repository, which may be so only after the repair.
        for damage in foreign_history(git, repo)? {
            take_away(git, held, repo, &damage.what)?;
        }
        return Ok(found.damage);
    }
    Ok(found.damage.into_iter().filter(|damage| !is_history(damage)).collect())
}

/// Writes the settings again where they are wrong: ours, followed by what others have added. Keeps unreadable settings under
/// another name. Holds git's own lock meanwhile, so that no tool's write is lost.
fn mend_settings(git: &Git, repo: &Path, url: &str) -> WorldResult<()> {
    let (file, wanted) = (repo.join("config"), wanted(repo, url));
    let (mut locked, lock) = lock(git, &file)?;
    let others = match settings(git, repo)? {
        Ok(there) if wrong_settings(&there, &wanted).is_empty() => return RealDisk.remove(&lock),
        Ok(there) => beside(there, &wanted),
        Err(_) => {
            keep_aside(&file)?;
            vec![entry("core.filemode", "true")]
        }
    };
    let text = config::text(&[wanted, others].concat());
    locked.write_all(text.as_bytes()).and_then(|()| locked.sync_all()).map_err(io_error("write", &lock))?;
    fs::rename(&lock, &file).map_err(io_error("replace", &file))
}

fn beside(mut there: Vec<Entry>, wanted: &[Entry]) -> Vec<Entry> {
    there.retain(|entry| !is_vital(&entry.key) && config::values(wanted, &entry.key).is_empty());
    there
}

fn keep_aside(file: &Path) -> WorldResult<()> {
    if !RealDisk.exists(file) {
        return Ok(());
    }
    let free = (1..).map(|number| file.with_extension(format!("damaged-{number}"))).find(|to| !RealDisk.exists(to));
    free.map_or(Ok(()), |to| rename_to_free(file, &to))
}

/// Takes git's lock of a settings file. A lock file that stays the same for the whole patience was left by a killed git.
fn lock(git: &Git, file: &Path) -> WorldResult<(fs::File, PathBuf)> {
    let lock = file.with_extension("lock");
    let end = RealClock.monotonic() + git.lock_patience;
    loop {
        match fs::File::options().write(true).create_new(true).open(&lock) {
            Ok(made) => return Ok((made, lock)),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error("write", &lock)(error)),
            Err(_) if RealClock.monotonic() >= end => RealDisk.remove(&lock)?,
            Err(_) => RealClock.pause(git.lock_patience / 20),
        }
    }
}

/// Removes a replacement or the grafts. The objects stay.
fn take_away(git: &Git, held: &Held, repo: &Path, what: &str) -> WorldResult<()> {
    if what == GRAFTS {
        return RealDisk.remove(&repo.join(GRAFTS));
    }
    git.act(held, &bare(repo), "update-ref").args(["--no-deref", "-d", "--end-of-options", what]).ok().map(|_| ())
}
