//! Finds what leads from the overseer's environment to another tree than the one under test. The town keeps it out of gates
//! and workers, or reports it.
//!
//! An activated environment with an editable install, a linked package or a variable such as `PYTHONPATH` can make a gate
//! test the overseer's own checkout. Such a gate is green whatever the work is.

use std::path::{Path, PathBuf};

use gt_world::{Disk, NodeKind};
use serde::Serialize;

use crate::town::{Rig, Town};
use crate::walls::worker_env;

/// Bytes that are read of a file.
const FILE_BYTES: usize = 256 * 1024;

/// Number of folders above a path that are searched.
const ANCESTORS: usize = 12;

/// A folder of the overseer's PATH that agents and gates do not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Path of the folder.
    pub folder: String,
    /// Environment or project of the folder.
    pub why: String,
}

impl LeftOut {
    /// Describes several folders in one line for people; `None` where there are none.
    pub fn words(all: &[Self]) -> Option<String> {
        let all: Vec<String> = all.iter().map(|out| format!("{} ({})", out.folder, out.why)).collect();
        (!all.is_empty()).then(|| format!("left out of PATH: {}", all.join(", ")))
    }
}

/// Trees of a rig's project other than the worktree under test.
struct Trees<'t> {
    disk: &'t dyn Disk,
    /// Checkouts among the overseer's folders.
    checkouts: Vec<PathBuf>,
    /// Remote of the project: any checkout with this origin is another tree too.
    remote: Option<String>,
    /// Folder of the town, whose other worktrees are other trees too.
    town: PathBuf,
}

impl<'t> Trees<'t> {
    fn of(town: &'t Town, rig: Option<&Rig>) -> Self {
        let disk = town.world().disk();
        let remote = rig.map(|rig| rig.row.remote.clone());
        let is_checkout = |path: &PathBuf| disk.exists(&path.join(".git"));
        let local = remote.iter().map(PathBuf::from).filter(|path| path.is_absolute()).filter(is_checkout);
        let from = rig.and_then(|rig| rig.settings.worktree.from.clone());
        let checkouts = from.into_iter().chain(local).map(|path| real(disk, &path)).collect();
        Self { disk, checkouts, remote, town: real(disk, &town.layout.root) }
    }

    /// Returns the tree that contains a path, if that is another tree of this project.
    fn other(&self, path: &Path) -> Option<PathBuf> {
        let path = real(self.disk, path);
        if let Some(checkout) = self.checkouts.iter().find(|checkout| path.starts_with(checkout)) {
            return (!path.starts_with(&self.town)).then(|| checkout.clone());
        }
        path.ancestors().take(ANCESTORS).find(|above| self.is_clone(above)).map(Path::to_owned)
    }

    fn is_clone(&self, folder: &Path) -> bool {
        let text = text(self.disk, &folder.join(".git/config"));
        let urls = text.lines().filter_map(|line| line.trim().strip_prefix("url")?.trim_start().strip_prefix('='));
        let plain = |url: &str| url.trim().trim_end_matches('/').trim_end_matches(".git").to_owned();
        self.remote.as_deref().is_some_and(|remote| urls.map(plain).any(|url| url == plain(remote)))
    }
}

fn real(disk: &dyn Disk, path: &Path) -> PathBuf {
    disk.real_path(path).unwrap_or_else(|_| path.to_owned())
}

/// Reads the beginning of a file; empty where it can't be read.
fn text(disk: &dyn Disk, path: &Path) -> String {
    let bytes = disk.read_part(path, 0, FILE_BYTES).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Removes from a PATH the folders that belong to one project or one environment. Returns the rest and what was removed.
pub(crate) fn sift(town: &Town, rig: Option<&Rig>, path: &str) -> (String, Vec<LeftOut>) {
    let trees = Trees::of(town, rig);
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for folder in path.split(':') {
        match belongs(&trees, Path::new(folder)) {
            Some(why) => left_out.push(LeftOut { folder: folder.to_owned(), why }),
            None => kept.push(folder),
        }
    }
    (kept.join(":"), left_out)
}

/// Returns what a folder of a PATH belongs to, unless that is the machine or its user.
fn belongs(trees: &Trees<'_>, folder: &Path) -> Option<String> {
    if !folder.is_absolute() {
        return None;
    }
    if ["node_modules/.bin", "vendor/bin"].iter().any(|end| folder.ends_with(end)) {
        return Some("programs of one project".to_owned());
    }
    for folder in [folder.to_owned(), real(trees.disk, folder)] {
        let Some(above) = folder.parent() else { continue };
        let has = |path: PathBuf| trees.disk.exists(&path);
        let is_conda = above.parent().is_some_and(|envs| envs.ends_with("envs")) && has(above.join("conda-meta"));
        if has(above.join("pyvenv.cfg")) || has(folder.join("activate_this.py")) || is_conda {
            return Some("an environment of Python's".to_owned());
        }
    }
    let tree = trees.other(folder)?;
    Some(format!("in the checkout {}", tree.display()))
}

/// Returns the folders of the PATH that a rig's workers and gates do not get.
pub fn left_out(town: &Town, rig: Option<&Rig>) -> Vec<LeftOut> {
    sift(town, rig, &worker_env::whole_path(town)).1
}

/// Variables that point git to another repository; the town never passes them on.
pub(crate) const NEVER_PASSED: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// Variables that make tools take code or build products from elsewhere.
const LEADING_OUT: &[&str] = &[
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "NODE_PATH",
    "NODE_OPTIONS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "GOFLAGS",
    "GOWORK",
    "RUBYLIB",
    "RUBYOPT",
    "BUNDLE_GEMFILE",
    "PERL5LIB",
    "CLASSPATH",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
];

/// Lists what leads out of a rig's worktrees and is not kept out, each as a sentence for people.
pub fn leads_out(town: &Town, rig: &Rig) -> Vec<String> {
    let env = worker_env::environment(town, Some(rig), None, None);
    let mut found: Vec<String> = LEADING_OUT.iter().filter_map(|name| variable(rig, name, env.get(*name)?)).collect();
    let trees = Trees::of(town, Some(rig));
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    let home = env.get("HOME").map(PathBuf::from).unwrap_or_default();
    let prefixes = path.split(':').map(Path::new).filter(|folder| folder.ends_with("bin")).filter_map(Path::parent);
    let mut prefixes: Vec<PathBuf> = prefixes.map(Path::to_owned).chain([home.join(".local")]).collect();
    prefixes.sort();
    prefixes.dedup();
    found.extend(prefixes.iter().flat_map(|prefix| installed_from(&trees, prefix)));
    let cargo = env.get("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    found.extend(shared_builds(trees.disk, &home, &cargo));
    found.extend(above(trees.disk, &rig.layout.gate_worktree()));
    found
}

fn variable(rig: &Rig, name: &str, value: &str) -> Option<String> {
    // A relative path or a plain option leads nowhere else.
    let leads = value.split([':', '=', ' ', ',']).any(|part| part.starts_with('/')) || value.contains("-mod");
    let how = if rig.settings.env.set.contains_key(name) { "[env.set]" } else { "[env] pass" };
    leads.then(|| format!("{how} gives {name}={value}"))
}

/// Finds packages of a Python installation that are a checkout of the project.
fn installed_from(trees: &Trees<'_>, prefix: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in python_packages(trees.disk, prefix) {
        for (file, path) in linked_paths(trees.disk, &folder) {
            if let Some(tree) = trees.other(&path) {
                found.push(format!("{} installs the checkout {} for Python", file.display(), tree.display()));
            }
        }
    }
    found
}

/// Returns the folders where a Python installation has its packages.
fn python_packages(disk: &dyn Disk, prefix: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for lib in ["lib", "lib64"] {
        let versions = disk.list(&prefix.join(lib)).unwrap_or_default();
        for version in versions.iter().filter(|name| name.starts_with("python3")) {
            folders.extend(["site-packages", "dist-packages"].map(|name| prefix.join(lib).join(version).join(name)));
        }
    }
    folders
}

/// Finds files in a folder of Python packages that point to packages elsewhere. Returns each file with its target.
fn linked_paths(disk: &dyn Disk, folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let is_link =
        |name: &String| name.ends_with(".pth") || name.ends_with(".egg-link") || name.starts_with("__editable__");
    let names = disk.list(folder).unwrap_or_default();
    let files = names.iter().filter(|name| is_link(name)).map(|name| folder.join(name));
    files.flat_map(|file| paths_in(&text(disk, &file)).into_iter().map(move |path| (file.clone(), path))).collect()
}

/// Returns the absolute paths in a text: whole lines, and quoted parts.
fn paths_in(text: &str) -> Vec<PathBuf> {
    let quoted = text.split(['\'', '"']).skip(1).step_by(2);
    text.lines().map(str::trim).chain(quoted).filter(|part| part.starts_with('/')).map(PathBuf::from).collect()
}

/// Finds settings of the overseer that make all projects build in one place.
fn shared_builds(disk: &dyn Disk, home: &Path, cargo: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in ["config.toml", "config"].map(|name| cargo.join(name)) {
        let config: toml::Table = toml::from_str(&text(disk, &file)).unwrap_or_default();
        let target = config.get("build").and_then(|build| build.get("target-dir")).and_then(toml::Value::as_str);
        found.extend(
            target.map(|target| format!("{} has build.target-dir = {target}, for all projects", shown(home, &file))),
        );
    }
    let go = text(disk, &home.join(".config/go/env"));
    let lines = go.lines().filter(|line| ["GOFLAGS=", "GOWORK="].iter().any(|name| line.starts_with(name)));
    found.extend(lines.map(|line| format!("go env -w has set {line}")));
    found
}

/// Shortens a path as people write it, with `~` for their home.
fn shown(home: &Path, path: &Path) -> String {
    path.strip_prefix(home).map_or_else(|_| path.display().to_string(), |below| format!("~/{}", below.display()))
}

/// Per file of a project: the files that its tools also look for in the folders above a worktree.
const LOOKED_FOR_ABOVE: &[(&str, &[&str])] =
    &[("package.json", &["node_modules", "package.json"]), ("go.mod", &["go.work"]), ("Cargo.toml", &["Cargo.toml"])];

fn above(disk: &dyn Disk, worktree: &Path) -> Vec<String> {
    let wanted = LOOKED_FOR_ABOVE.iter().filter(|(own, _)| disk.exists(&worktree.join(own)));
    let names: Vec<&&str> = wanted.flat_map(|(_, names)| *names).collect();
    let folders: Vec<&Path> = worktree.ancestors().skip(1).collect();
    let paths = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let there = paths.filter(|path| disk.exists(path));
    there.map(|path| format!("{} lies above the worktrees, where tools find it", path.display())).collect()
}

/// Finds the parts of a worktree, made by a set-up or copied, that lead to another tree of the project.
pub(crate) fn in_worktree(town: &Town, rig: &Rig, folder: &Path) -> Vec<String> {
    let trees = Trees::of(town, Some(rig));
    let own = real(trees.disk, folder);
    let leads = |at: PathBuf, path: &Path| {
        let is_elsewhere = !real(trees.disk, path).starts_with(&own);
        let tree = is_elsewhere.then(|| trees.other(path)).flatten()?;
        let at = at.strip_prefix(folder).unwrap_or(&at).display().to_string();
        Some(format!("{at} leads to {}, which is another tree", tree.display()))
    };
    let packages = linked_packages(trees.disk, folder).into_iter().filter_map(|at| leads(at.clone(), &at));
    let python = environments(trees.disk, folder).into_iter().filter_map(|(at, path)| leads(at, &path));
    packages.chain(python).collect()
}

/// Finds links among a worktree's Node packages.
fn linked_packages(disk: &dyn Disk, folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        disk.list(folder).unwrap_or_default().iter().map(|name| folder.join(name)).collect()
    };
    let is_scope = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('@'));
    let top = list(&folder.join("node_modules"));
    let scoped: Vec<PathBuf> = top.iter().filter(|path| is_scope(path)).flat_map(|path| list(path)).collect();
    let is_link = |path: &PathBuf| disk.kind(path).is_ok_and(|kind| kind == Some(NodeKind::Link));
    top.into_iter().chain(scoped).filter(is_link).collect()
}

/// Finds the paths that a worktree's Python environments name: where they were made, and what is installed from elsewhere.
fn environments(disk: &dyn Disk, folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for name in [".venv", "venv", "env"] {
        let environment = folder.join(name);
        if !disk.exists(&environment.join("pyvenv.cfg")) {
            continue;
        }
        let activate = environment.join("bin/activate");
        found.extend(paths_in(&text(disk, &activate)).into_iter().map(|path| (activate.clone(), path)));
        found.extend(python_packages(disk, &environment).iter().flat_map(|folder| linked_paths(disk, folder)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_lines_and_in_quotes() {
        let text = "/home/me/shop\nimport x\nMAPPING = {'shop': '/home/me/src', \"b\": \"rel\"}\n/opt\n";
        let paths: Vec<String> = paths_in(text).iter().map(|path| path.display().to_string()).collect();
        assert_eq!(paths, ["/home/me/shop", "/opt", "/home/me/src"]);
    }
}
