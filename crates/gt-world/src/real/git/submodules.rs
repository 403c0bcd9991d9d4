//! Submodules of a worktree. Each is a repository of its own, in the worktree's administrative folder.
//!
//! `git submodule update` would check them out with the configuration in those repositories, which a worker or a gate may have
//! written. So this module uses plumbing, with a control folder for each submodule.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use gt_model::id::Sha;

use super::Git;
use super::admin::{Admin, real, required};
use super::command::{Answer, Call, Place, path_from, shown};
use super::config::{self, entry, quoted};
use super::control::{self, way};
use super::refs::{bare, object};
use super::worktree::{put, rules, status, tame};
use crate::real::disk::{RealDisk, found, io_error, read_whole};
use crate::{Disk as _, Held, Referred, WorldError, WorldResult};

/// Folder of an administrative folder, or of a submodule's repository, for the repositories of submodules.
pub(super) const MODULES: &str = "modules";

/// File of a submodule's repository with the settings that keep a worker's git away from the submodule's remote.
const RULES: &str = "gt-config";

/// The mode with which an index holds a submodule.
const SUBMODULE: &[u8] = b"160000 ";

/// Limit on the nesting of submodules; a submodule may contain itself.
const DEPTH_LIMIT: usize = 32;

/// The file of a commit that says where its submodules come from.
const LIST: &str = ":.gitmodules";

/// Signs that a commit refers to an object that the remote gives no client.
const MISSING: &[&str] = &["not our ref", "unadvertised object", "not allowed", "couldn't find remote ref"];

/// Entries of a submodule's repository that survive a new checkout. All others are a worker's or a gate's. The hooks are the
/// worker's own too, but they stay.
const KEPT: &[&str] =
    &["HEAD", "config", "objects", "refs", "packed-refs", "index", "shallow", "info", "hooks", MODULES, RULES];

/// Accepted ways to bring a submodule's checkout to its commit. The town treats them all alike. A command is not accepted.
const UPDATES: &[&str] = &["checkout", "rebase", "merge", "none"];

/// Checks out the submodules of a worktree, recursively.
pub(super) fn check_out(git: &Git, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
    let admin = required(repo, path)?;
    let url = git.question(&bare(repo), "config").args(["--get", "remote.origin.url"]).expect(&[0, 1])?.line();
    let top = Holder { place: admin.place(), git_dir: admin.folder.clone(), path: admin.path.clone(), url };
    let job = Job { git, held, admin: &admin };
    match job.check_out_in(&top, DEPTH_LIMIT) {
        Ok(()) => Ok(Referred::There),
        Err(Stop::Missing(why)) => Ok(Referred::Missing(why)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Why submodules are not checked out.
enum Stop {
    /// A commit refers to an object that the remote gives no client.
    Missing(String),
    /// The checkout failed.
    Failed(WorldError),
}

impl Stop {
    fn missing(why: impl Into<String>) -> Self {
        Self::Missing(why.into())
    }
}

impl From<WorldError> for Stop {
    fn from(error: WorldError) -> Self {
        Self::Failed(error)
    }
}

type Step<T> = Result<T, Stop>;

/// A checkout that contains submodules: a worktree, or a submodule.
struct Holder {
    place: Place,
    git_dir: PathBuf,
    path: PathBuf,
    /// The base of relative addresses.
    url: String,
}

/// A submodule, as its holder's index and `.gitmodules` describe it.
#[derive(Debug)]
struct Module {
    path: PathBuf,
    name: String,
    commit: Sha,
    url: String,
    /// Whether the project wants the commit alone, without its history.
    is_shallow: bool,
}

struct Job<'a> {
    git: &'a Git,
    held: &'a Held,
    admin: &'a Admin,
}

impl Job<'_> {
    fn check_out_in(&self, holder: &Holder, depth: usize) -> Step<()> {
        let modules = self.listed(holder)?;
        if depth == 0 && !modules.is_empty() {
            return Err(Stop::missing(format!("submodules are nested more than {DEPTH_LIMIT} deep")));
        }
        if depth == DEPTH_LIMIT && !modules.is_empty() {
            set(self.git, self.held, &self.admin.folder.join("config.worktree"), "submodule.active", ".")?;
        }
        for module in modules {
            self.make_known(holder, &module)?;
            let inside = self.check_out_one(holder, &module)?;
            self.check_out_in(&inside, depth - 1)?;
        }
        Ok(())
    }

    /// Tells workers' git what `git submodule init` would. That command then writes nothing, so it works where the settings that
    /// all worktrees share are read-only.
    fn make_known(&self, holder: &Holder, module: &Module) -> WorldResult<()> {
        let own = if holder.git_dir == self.admin.folder { "config.worktree" } else { "config" };
        for (key, value) in [("url", module.url.as_str()), ("update", "checkout")] {
            let key = format!("submodule.{}.{key}", module.name);
            set(self.git, self.held, &holder.git_dir.join(own), &key, value)?;
        }
        Ok(())
    }

    /// Returns the submodules in a checkout's index.
    fn listed(&self, holder: &Holder) -> Step<Vec<Module>> {
        let links = links(self.git, &holder.place)?;
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.git.question(&holder.place, "config").args(["--blob", LIST, "--list", "-z"]);
        let answer = call.answer()?;
        if answer.code != 0 {
            let path = links[0].0.display();
            return Err(Stop::missing(format!("no submodule mapping for {path}: {}", answer.complaint())));
        }
        let settings = Settings::read(&answer);
        links.into_iter().map(|(path, commit)| settings.module(holder, path, commit)).collect()
    }

    /// Brings one submodule to its commit. Makes a half-made or damaged one again.
    fn check_out_one(&self, holder: &Holder, module: &Module) -> Step<Holder> {
        match self.try_one(holder, module) {
            Err(Stop::Failed(_)) => {
                RealDisk.remove(&holder.git_dir.join(MODULES).join(&module.name))?;
                clear_way(&holder.path, &module.path)?;
                RealDisk.remove(&holder.path.join(&module.path))?;
                self.try_one(holder, module)
            }
            done => done,
        }
    }

    fn try_one(&self, holder: &Holder, module: &Module) -> Step<Holder> {
        let git_dir = self.git_dir(holder, module)?;
        self.bind(holder, module, &git_dir)?;
        control::make_module(self.git, self.admin, &git_dir, &module.url)?;
        self.have_commit(&git_dir, module)?;
        let path = holder.path.join(&module.path);
        clear_way(&holder.path, &module.path)?;
        RealDisk.create_dir(&path)?;
        RealDisk.write(&path.join(".git"), format!("gitdir: {}\n", way(&path, &git_dir).display()).as_bytes())?;
        let place = self.place(&git_dir, Some(&path));
        put(self.git, self.held, &place, &git_dir, &module.commit)?;
        self.git.act(self.held, &place, "clean").args(["-ffd", "--quiet"]).ok()?;
        Ok(Holder { place, git_dir, path, url: module.url.clone() })
    }

    fn place(&self, git_dir: &Path, path: Option<&Path>) -> Place {
        place(self.admin, git_dir, path)
    }

    /// Returns the submodule's repository. Makes it if needed, and removes the files in it that are not the town's.
    fn git_dir(&self, holder: &Holder, module: &Module) -> Step<PathBuf> {
        let modules = holder.git_dir.join(MODULES);
        let git_dir = modules.join(&module.name);
        for folder in Path::new(&module.name).ancestors().skip(1).filter(|part| !part.as_os_str().is_empty()) {
            if is_repository(&modules.join(folder)) {
                return Err(Stop::missing(format!(
                    "the repository of the submodule {} is inside that of another submodule",
                    module.name
                )));
            }
        }
        if real(&git_dir) != git_dir {
            clear_way(&holder.git_dir, &Path::new(MODULES).join(&module.name))?;
        }
        if is_repository(&git_dir) {
            tame(&git_dir, KEPT)?;
        }
        if !is_repository(&git_dir) {
            RealDisk.remove(&git_dir)?;
            self.init(&git_dir, module)?;
        }
        Ok(git_dir)
    }

    fn init(&self, git_dir: &Path, module: &Module) -> WorldResult<()> {
        RealDisk.create_dir(git_dir)?;
        let call = self.git.act(self.held, &Place::Nowhere, "init").args(["--quiet", "--bare", "--template="]);
        let format = format!("--object-format={}", format_of(&module.commit));
        let call = call.args(["--initial-branch", control::NO_BRANCH, &format]).env("GIT_DEFAULT_REF_FORMAT", "files");
        call.arg(git_dir).ok().map(|_| ())
    }

    /// Gives a submodule's repository the worker's name, and an address for pushes whose protocol no git speaks.
    fn bind(&self, holder: &Holder, module: &Module, git_dir: &Path) -> WorldResult<()> {
        let own = self.admin.folder.join("config.worktree");
        let identity = (get(self.git, &own, "user.name")?, get(self.git, &own, "user.email")?);
        let mut entries = rules(&identity, &module.url);
        entries.push(entry("submodule.active", "."));
        write(&git_dir.join(RULES), &config::text(&entries))?;
        let worktree = way(git_dir, &holder.path.join(&module.path));
        write(&git_dir.join("config"), &own_settings(module, &worktree))
    }

    /// Fetches the submodule's commit if it is missing.
    fn have_commit(&self, git_dir: &Path, module: &Module) -> Step<()> {
        let commit = object(&module.commit)?;
        if self.has(git_dir, commit)? {
            return Ok(());
        }
        if module.is_shallow && self.fetch(git_dir, &["--no-tags", "--depth=1", "origin", commit])?.is_ok() {
            return Ok(());
        }
        self.fetch(git_dir, &["origin"])?.map_err(Stop::missing)?;
        if self.has(git_dir, commit)? {
            return Ok(());
        }
        self.fetch(git_dir, &["--no-tags", "origin", commit])?.map_err(Stop::missing)
    }

    fn has(&self, git_dir: &Path, commit: &str) -> WorldResult<bool> {
        let peeled = format!("{commit}^{{commit}}");
        Ok(self.git.question(&self.place(git_dir, None), "cat-file").args(["-e", &peeled]).answer()?.code == 0)
    }

    /// Fetches. The inner error has git's message if the remote lacks what was asked for.
    fn fetch(&self, git_dir: &Path, args: &[&str]) -> WorldResult<Result<(), String>> {
        let call = self.git.act(self.held, &self.place(git_dir, None), "fetch");
        let call = call.args(["--quiet", "--no-write-fetch-head", "--update-shallow"]).args(args);
        let call = call.limit(self.git.remote_patience);
        let answer = call.answer()?;
        if answer.code == 0 {
            control::share_shallow(&control::of_module(self.admin, git_dir), git_dir)?;
            return Ok(Ok(()));
        }
        fetch_error(&call, &answer)
    }
}

fn fetch_error(call: &Call<'_>, answer: &Answer) -> WorldResult<Result<(), String>> {
    let is_missing = MISSING.iter().any(|sign| answer.stderr.contains(sign));
    if is_missing { Ok(Err(answer.complaint())) } else { Err(call.failed(answer.complaint())) }
}

/// Returns the place of a submodule's repository, with its control folder, and with or without its checkout.
pub(super) fn place(admin: &Admin, git_dir: &Path, path: Option<&Path>) -> Place {
    Place::Module {
        repo: admin.repo(),
        control: control::of_module(admin, git_dir),
        git_dir: git_dir.to_owned(),
        path: path.map(Path::to_owned),
    }
}

/// Returns the paths and commits of the submodules in an index.
fn links(git: &Git, place: &Place) -> WorldResult<Vec<(PathBuf, Sha)>> {
    let answer = git.question(place, "ls-files").args(["--stage", "-z"]).ok()?;
    // Each field is `<mode> <object> <stage>`, a tab, and the path.
    let links = answer.fields().filter(|field| field.starts_with(SUBMODULE)).filter_map(|field| {
        let tab = field.iter().position(|byte| *byte == b'\t')?;
        let commit = field[..tab].split(|byte| *byte == b' ').nth(1)?;
        Some((path_from(&field[tab + 1..]), Sha::from(shown(commit))))
    });
    Ok(links.collect())
}

/// Contents of `.gitmodules`, by the submodules' names.
struct Settings(BTreeMap<String, BTreeMap<String, String>>);

impl Settings {
    fn read(answer: &Answer) -> Self {
        let mut modules: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        // Each field is a key, a newline, and the value.
        for field in answer.fields().map(shown) {
            let Some((key, value)) = field.split_once('\n') else { continue };
            if let Some((name, key)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) {
                modules.entry(name.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
            }
        }
        Self(modules)
    }

    fn module(&self, holder: &Holder, path: PathBuf, commit: Sha) -> Step<Module> {
        let is_it =
            |settings: &BTreeMap<String, String>| settings.get("path").is_some_and(|there| path == Path::new(there));
        let Some((name, settings)) = self.0.iter().find(|(_, settings)| is_it(settings)) else {
            return Err(Stop::missing(format!("no submodule mapping in .gitmodules for {}", path.display())));
        };
        let value = |key: &str| settings.get(key).map(String::as_str);
        let refused = |key: &str| Stop::missing(format!("invalid value for submodule.{name}.{key} in .gitmodules"));
        if !is_plain(name) {
            return Err(refused("name"));
        }
        if value("update").is_some_and(|update| !UPDATES.contains(&update)) {
            return Err(refused("update"));
        }
        let url = value("url").filter(|url| is_address(url)).ok_or_else(|| refused("url"))?;
        let is_shallow = value("shallow").is_some_and(|text| ["true", "1", "yes", "on"].contains(&text));
        Ok(Module { url: absolute(&holder.url, url), path, name: name.clone(), commit, is_shallow })
    }
}

/// Whether a submodule's name is a path down into the folder of repositories.
fn is_plain(name: &str) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    !name.is_empty() && !name.contains('\\') && Path::new(name).components().all(is_plain)
}

fn is_address(url: &str) -> bool {
    !url.is_empty() && !url.starts_with('-') && !url.contains(char::is_control)
}

/// Returns the absolute address of a submodule. Its own may be relative to that of its holder, as in git-submodule(1).
fn absolute(holder: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let (mut base, mut rest, mut separator) = (holder.trim_end_matches('/'), url, '/');
    loop {
        if let Some(below) = rest.strip_prefix("./") {
            rest = below;
        } else if let Some(above) = rest.strip_prefix("../") {
            rest = above;
            // In `host:path`, the first part of the path has no slash before it.
            match (base.rfind('/'), base.rfind(':')) {
                (Some(slash), _) => base = &base[..slash],
                (None, Some(colon)) => (base, separator) = (&base[..colon], ':'),
                (None, None) => base = ".",
            }
        } else {
            break format!("{base}{separator}{}", rest.trim_end_matches('/'));
        }
    }
}

/// Returns the name of the hash that made an object's id.
fn format_of(id: &Sha) -> &'static str {
    if id.0.len() == 64 { "sha256" } else { "sha1" }
}

/// Returns the text of a submodule repository's configuration for workers' git.
fn own_settings(module: &Module, worktree: &Path) -> String {
    let (version, extension) = match format_of(&module.commit) {
        "sha256" => ("1", "[extensions]\n\tobjectFormat = sha256\n"),
        _ => ("0", ""),
    };
    let (worktree, url) = (quoted(&worktree.to_string_lossy()), quoted(&module.url));
    format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n\
         \tworktree = {worktree}\n{extension}[remote \"origin\"]\n\turl = {url}\n\tfetch = {}\n[include]\n\tpath = {RULES}\n",
        control::FETCH
    )
}

fn write(file: &Path, text: &str) -> WorldResult<()> {
    let is_there = file.symlink_metadata().is_ok_and(|facts| facts.is_file());
    if is_there && RealDisk.read(file)?.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    RealDisk.write(file, text.as_bytes())
}

fn is_repository(git_dir: &Path) -> bool {
    let is = |name: &str, is_folder: bool| {
        let kind = git_dir.join(name).symlink_metadata();
        kind.is_ok_and(|facts| facts.is_dir() == is_folder && !facts.is_symlink())
    };
    is("HEAD", false) && is("config", false) && is("objects", true) && is("refs", true)
}

/// Removes anything on the way down to `inside` that is not a folder: a link would lead elsewhere.
fn clear_way(top: &Path, inside: &Path) -> WorldResult<()> {
    let mut path = top.to_owned();
    for part in inside.components() {
        path.push(part);
        if path.symlink_metadata().is_ok_and(|facts| !facts.is_dir()) {
            return RealDisk.remove(&path);
        }
    }
    Ok(())
}

/// Returns the submodules with changes against their commit. Only looks at those that the town checked out; others have no
/// control folder.
pub(super) fn changed_inside(git: &Git, admin: &Admin) -> WorldResult<Vec<String>> {
    changed_in(git, admin, &admin.place(), &admin.folder, &admin.path, DEPTH_LIMIT)
}

fn changed_in(
    git: &Git,
    admin: &Admin,
    holder: &Place,
    git_dir: &Path,
    path: &Path,
    depth: usize,
) -> WorldResult<Vec<String>> {
    let mut changed = Vec::new();
    if depth == 0 || !git_dir.join(MODULES).is_dir() {
        return Ok(changed);
    }
    for (inside, _) in links(git, holder)? {
        let checkout = path.join(&inside);
        let Some(git_dir) = checked_out(admin, &checkout) else { continue };
        let place = place(admin, &git_dir, Some(&checkout));
        let differs = !status(git, &place)?.stdout.is_empty()
            || !changed_in(git, admin, &place, &git_dir, &checkout, depth - 1)?.is_empty();
        if differs {
            changed.push(inside.display().to_string());
        }
    }
    Ok(changed)
}

/// Returns the repository of a submodule's checkout, if the town made it.
fn checked_out(admin: &Admin, checkout: &Path) -> Option<PathBuf> {
    let link = checkout.join(".git");
    if real(checkout) != *checkout || !link.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let text = read_whole(&link).ok()?;
    let target = text.strip_prefix(b"gitdir: ")?;
    let git_dir = real(&checkout.join(path_from(target.strip_suffix(b"\n").unwrap_or(target))));
    let is_ours = git_dir.starts_with(admin.folder.join(MODULES)) && is_repository(&git_dir);
    (is_ours && control::of_module(admin, &git_dir).is_dir()).then_some(git_dir)
}

fn get(git: &Git, file: &Path, key: &str) -> WorldResult<String> {
    let call = git.question(&Place::Nowhere, "config").arg("--file").arg(file).args(["--get", key]);
    Ok(call.expect(&[0, 1])?.line())
}

fn set(git: &Git, held: &Held, file: &Path, key: &str, value: &str) -> WorldResult<()> {
    let call = git.act(held, &Place::Nowhere, "config").arg("--file").arg(file);
    call.args(["--replace-all", key, value]).ok().map(|_| ())
}

/// Returns the repositories of a worktree's submodules, each before the ones nested in it.
fn repositories(admin: &Admin) -> WorldResult<Vec<PathBuf>> {
    let mut repositories = Vec::new();
    gather(&admin.folder.join(MODULES), &mut repositories, DEPTH_LIMIT)?;
    Ok(repositories)
}

/// Collects repositories recursively. A submodule's name may have slashes, so its repository may be deeper.
fn gather(folder: &Path, into: &mut Vec<PathBuf>, depth: usize) -> WorldResult<()> {
    let Some(entries) = found(fs::read_dir(folder)).map_err(io_error("list", folder))?.filter(|_| depth > 0) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(io_error("list", folder))?;
        let path = entry.path();
        if !entry.file_type().map_err(io_error("look at", &path))?.is_dir() {
            continue;
        }
        if path.join("HEAD").is_file() && path.join("config").is_file() {
            gather(&path.join(MODULES), into, depth - 1)?;
            into.push(path);
        } else {
            gather(&path, into, depth - 1)?;
        }
    }
    Ok(())
}

/// Repoints the submodules of a worktree that was moved to `to`: their repositories will be in `kept/admin` below it. Unchanged
/// links would lead to the next worktree of the same name.
pub(super) fn move_along(git: &Git, held: &Held, admin: &Admin, to: &Path, kept: &Path) -> WorldResult<()> {
    let to = real(to);
    for module in repositories(admin)? {
        let Ok(inside) = module.strip_prefix(&admin.folder) else { continue };
        let worktree = get(git, &module.join("config"), "core.worktree")?;
        let worktree = plain(&module.join(path_from(worktree.as_bytes())));
        // This submodule was moved already, or a worker put it elsewhere.
        let Ok(checkout) = worktree.strip_prefix(&admin.path) else { continue };
        let link = to.join(checkout).join(".git");
        let is_ours = link.parent().is_some_and(|folder| real(folder) == to.join(checkout));
        if !is_ours || !link.symlink_metadata().is_ok_and(|facts| facts.is_file()) {
            continue;
        }
        let repository = kept.join("admin").join(inside);
        let text = format!("gitdir: {}\n", up_from(checkout).join(&repository).display());
        RealDisk.write(&link, text.as_bytes())?;
        let back = up_from(&repository).join(checkout).display().to_string();
        set(git, held, &module.join("config"), "core.worktree", &back)?;
    }
    Ok(())
}

/// Returns the way up from a folder to the start of its relative path.
fn up_from(path: &Path) -> PathBuf {
    path.components().map(|_| Component::ParentDir).collect()
}

/// Returns a path without `..`, resolved by its text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relative_to_the_holders() {
        let check = |holder: &str, url: &str, expected: &str| assert_eq!(absolute(holder, url), expected, "{url}");
        check("https://h/a/b.git", "../c.git", "https://h/a/c.git");
        check("https://h/a/b.git/", "../../x/c", "https://h/x/c");
        check("git@h:a/b", "../c", "git@h:a/c");
        check("git@h:b", "../c", "git@h:c");
        check("/r/b", "./c/", "/r/b/c");
        check("/r/b", "https://h/c", "https://h/c");
        check("/r/b", "c", "c");
    }

    #[test]
    fn names_lead_down_and_addresses_are_no_options() {
        let names = ["lib", "a/b", "a.b", "..b"];
        assert!(names.iter().all(|name| is_plain(name)));
        assert!(!["", "..", "a/../b", "/a", "a/./../..", "a\\..\\b"].iter().any(|name| is_plain(name)));
        assert!(is_address("../x") && !is_address("-ux") && !is_address("") && !is_address("a\nb"));
    }

    #[test]
    fn ways_up_and_plain_paths_are_reckoned_from_the_text() {
        assert_eq!(up_from(Path::new("a/b")), Path::new("../.."));
        assert_eq!(plain(Path::new("/r/modules/x/../../../w/x")), Path::new("/w/x"));
    }
}
