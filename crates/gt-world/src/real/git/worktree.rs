//! Worktrees: makes them, inspects them, puts them back to a commit, archives them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::id::Sha;

use super::admin::{Admin, MAKING, all, attached, real, recorded, required};
use super::checkout::{self, PLAIN};
use super::command::{Answer, Place, shown};
use super::config::{self, Entry, entry};
use super::hooks;
use super::refs::{BRANCHES, bare, branch_ref, commit_at, object};
use super::{Git, TOWN_IDENTITY, control, drivers, stores, submodules};
use crate::real::RealClock;
use crate::real::disk::{RealDisk, found, io_error, read_whole, rename_to_free, replace_for_now};
use crate::{Clock as _, DIRTY_LIMIT, Disk as _, Held, NodeKind, WorktreeFacts, WorktreePlan, WorldError, WorldResult};

/// Folder in an archived worktree for git's former records of it.
const ARCHIVED_ADMIN: &str = ".git.archived";

/// Address for a worker's pushes: its protocol is one that no git speaks. Git's error names it, so it says what to do instead.
const REFUSED: &str = "gt-refused-run-gt-done://";

/// Prefixes of the addresses to which a worker can't push. The empty one covers all addresses. The others are there because the
/// longest match wins, and the user may have rewriting rules.
const REFUSED_PREFIXES: &[&str] =
    &["", "/", "./", "../", "file://", "https://", "http://", "ssh://", "git@", "git://", "git+ssh://", "ssh+git://"];

/// Files of a gate worktree's administrative folder that survive a move to another commit. A gate may have left the others:
/// settings of its own, an unfinished merge or rebase, links to files that git would write to.
const KEPT_OF_GATES: &[&str] =
    &["HEAD", "commondir", "gitdir", "index", "locked", "gt-rules", "gt-hooks-asked", "gt-hooks-answer", "modules"];

/// Git's mark for a file that differs from the index, while the index equals HEAD for it.
const MODIFIED: &[u8] = b" M ";

/// End of the name of git's attributes files. An index of version 4 leaves out the part that a name shares with the previous one.
/// That is hardly ever more than the dot and a letter or two.
const ATTRIBUTES: &[u8] = b"attributes";

/// Pause between two checks whether the next second has begun.
const MOMENT: Duration = Duration::from_millis(50);

/// Returns what is in a worktree.
pub(super) fn facts(git: &Git, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>> {
    let Some(admin) = attached(repo, path)?.filter(|admin| !admin.is_half_made()) else { return Ok(None) };
    let place = admin.place();
    let head = head(git, &place)?;
    Ok(Some(WorktreeFacts { branch: branch(git, &place)?, dirty: dirty(git, &admin, &head)?, head }))
}

/// Repairs the links between a repository and its worktrees after both were copied or moved.
pub(super) fn repair(git: &Git, held: &Held, repo: &Path, paths: &[PathBuf]) -> WorldResult<()> {
    if paths.is_empty() {
        return Ok(());
    }
    // Git fails if one of the paths is not a worktree (any more), but repairs the others first.
    git.act(held, &bare(repo), "worktree").arg("repair").args(paths).expect(&[0, 1])?;
    let mended = paths.iter().map(|path| attached(repo, path));
    mended.filter_map(Result::transpose).try_for_each(|admin| admin?.link())
}

/// Returns where the worktree's own git last put its branch. Git logs that in this worktree's reflog, and in no other one's.
pub(super) fn own_position(repo: &Path, path: &Path, branch: &str) -> WorldResult<Option<Sha>> {
    let Some(admin) = attached(repo, path)?.filter(|admin| !admin.is_half_made()) else { return Ok(None) };
    let read = |name: &str| RealDisk.read(&admin.folder.join(name)).map(Option::unwrap_or_default);
    if read("HEAD")? != format!("ref: {}\n", branch_ref(branch)?).as_bytes() {
        return Ok(None);
    }
    let log = read("logs/HEAD")?;
    // Each line has the old value, the new one, and the actor with a reason.
    let last = log.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    let after = last.and_then(|line| line.split(|byte| *byte == b' ').nth(1));
    Ok(after.map(|after| Sha::from(shown(after))).filter(|sha| object(sha).is_ok()))
}

/// Returns the commit that is checked out.
pub(super) fn head(git: &Git, place: &Place) -> WorldResult<Sha> {
    let none = || git.question(place, "rev-parse").failed("HEAD names no commit".to_owned());
    commit_at(git, place, "HEAD")?.ok_or_else(none)
}

/// Returns the branch that is checked out.
pub(super) fn branch(git: &Git, place: &Place) -> WorldResult<Option<String>> {
    let answer = git.question(place, "symbolic-ref").args(["--quiet", "HEAD"]).expect(&[0, 1])?;
    Ok(answer.line().strip_prefix(BRANCHES).map(str::to_owned))
}

/// Returns the uncommitted paths. Git would look into a repository inside the worktree with that one's own configuration, so it
/// is told not to. The town itself looks into those that it checked out. Files that differ only because the checkout wrote them
/// otherwise than git would commit them are left out, since no worker changed them.
fn dirty(git: &Git, admin: &Admin, head: &Sha) -> WorldResult<Vec<String>> {
    let answer = status(git, &admin.place())?;
    // Each field is two letters and a blank, then the path.
    let modified: BTreeSet<_> = answer.fields().filter_map(|f| f.strip_prefix(MODIFIED)).map(<[u8]>::to_vec).collect();
    let as_written = if modified.is_empty() { modified } else { checkout::as_written(git, admin, head, &modified)? };
    let paths = answer.fields().filter_map(|field| field.get(3..)).filter(|path| !as_written.contains(*path));
    let mut dirty: Vec<_> = paths.take(DIRTY_LIMIT).map(shown).collect();
    let inside = submodules::changed_inside(git, admin)?;
    let new: Vec<_> = inside.into_iter().filter(|path| !dirty.contains(path)).collect();
    dirty.extend(new);
    dirty.truncate(DIRTY_LIMIT);
    Ok(dirty)
}

/// Returns the differences from HEAD in a checkout, without changes inside its submodules.
pub(super) fn status(git: &Git, place: &Place) -> WorldResult<Answer> {
    let call = git.question(place, "status").args(["--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"]);
    call.arg("--ignore-submodules=dirty").ok()
}

/// Makes a worktree, or finishes one.
pub(super) fn add(git: &Git, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
    object(&plan.start)?;
    plan.branch.as_deref().map(branch_ref).transpose()?;
    if let Some(admin) = kept(repo, &plan.path)? {
        check_branch(git, &admin, plan)?;
        return settle(git, repo, &admin, plan);
    }
    forget_gone(repo)?;
    make(git, held, repo, plan)?;
    let admin = required(repo, &plan.path)?;
    // Git has linked the checkout by the path through our control folder, so the link is written again.
    admin.link()?;
    settle(git, repo, &admin, plan)?;
    settle_index(git, &admin)?;
    admin.finish()
}

/// Makes git take the files of a fresh checkout for unchanged. Git looks into files that are not older than its index, by the
/// second, and finds a change if a file in the commit contradicts its own attributes. No worker uses the worktree yet.
fn settle_index(git: &Git, admin: &Admin) -> WorldResult<()> {
    let index = admin.folder.join("index");
    if !names_attributes(&index)? || status(git, &admin.place())?.stdout.is_empty() {
        return Ok(());
    }
    let made = RealDisk.touched(&index)?;
    while made.is_some() && RealDisk.touched(&index)? == made {
        RealClock.pause(MOMENT);
        RealDisk.touch(&index)?;
    }
    Ok(())
}

/// Whether a fresh index names an attributes file. This searches the index's bytes. To ask git would take as long as all its
/// other work for a small worktree.
fn names_attributes(index: &Path) -> WorldResult<bool> {
    let bytes = found(read_whole(index)).map_err(io_error("read", index))?.unwrap_or_default();
    Ok(bytes.windows(ATTRIBUTES.len()).any(|window| window == ATTRIBUTES))
}

/// Returns the worktree that is already at `path`, and restores a lost link. Removes a half-made one, which no worker has used.
fn kept(repo: &Path, path: &Path) -> WorldResult<Option<Admin>> {
    let Some(admin) = recorded(repo, path)? else { return Ok(None) };
    if admin.is_half_made() {
        RealDisk.remove(&admin.path)?;
        RealDisk.remove(&admin.folder)?;
        return Ok(None);
    }
    if path.is_dir() && admin.has_lost_link() {
        admin.link()?;
    }
    Ok(Some(admin).filter(Admin::is_linked))
}

/// Makes git forget worktrees whose folders are gone, so that their branches can be checked out again. Unlike `git worktree
/// prune`, keeps those that have only lost their link, since the link can be restored.
fn forget_gone(repo: &Path) -> WorldResult<()> {
    let gone = all(repo)?.into_iter().filter(|admin| !RealDisk.exists(&admin.path));
    gone.into_iter().try_for_each(|admin| RealDisk.remove(&admin.folder))
}

fn check_branch(git: &Git, admin: &Admin, plan: &WorktreePlan) -> WorldResult<()> {
    let there = branch(git, &admin.place())?;
    if there == plan.branch {
        return Ok(());
    }
    let said = |branch: &Option<String>| branch.clone().unwrap_or("no branch".to_owned());
    let (path, there, wanted) = (plan.path.display(), said(&there), said(&plan.branch));
    Err(WorldError::Unexpected(format!("the worktree {path} is on {there}, not on {wanted}")))
}

fn make(git: &Git, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
    // The worker's git removes this folder with the last worktree, and git can't make it through our link to it.
    RealDisk.create_dir(&repo.join("worktrees"))?;
    let place = bare(repo);
    // Without a branch no worker commits here, so the files follow the project's settings and not the user's.
    let plain = if plan.branch.is_none() { PLAIN } else { &[] };
    let add = || {
        let call = git.act(held, &place, "worktree").git_options(plain);
        call.args(["add", "--quiet", "--lock", "--reason", MAKING])
    };
    let path = std::path::absolute(&plan.path).unwrap_or_else(|_| plan.path.clone());
    let start = object(&plan.start)?;
    let Some(branch) = &plan.branch else { return add().arg("--detach").arg(&path).arg(start).ok().map(|_| ()) };
    // The branch is usually new. If it is not, git says so.
    match add().args(["--no-track", "-b", branch]).arg(&path).arg(start).ok() {
        Err(_) if commit_at(git, &bare(repo), &branch_ref(branch)?)?.is_some() => {
            add().arg(&path).arg(branch).ok().map(|_| ())
        }
        made => made.map(|_| ()),
    }
}

/// Restores the settings and rules of an existing worktree.
pub(super) fn settle_again(git: &Git, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
    match attached(repo, &plan.path)?.filter(|admin| !admin.is_half_made()) {
        Some(admin) => settle(git, repo, &admin, plan),
        None => Ok(()),
    }
}

/// Writes a worktree's own settings and rules if they are missing. Does not wait for the disk: git does not wait for the
/// checkout's files either, and each later session checks again.
fn settle(git: &Git, repo: &Path, admin: &Admin, plan: &WorktreePlan) -> WorldResult<()> {
    hooks::install(repo)?;
    hooks::set_rules(admin, plan.branch.as_deref())?;
    let remote = match &plan.remote {
        Some(remote) => remote.clone(),
        None => git.question(&bare(repo), "config").args(["--get", "remote.origin.url"]).expect(&[0, 1])?.line(),
    };
    let file = admin.folder.join("config.worktree");
    let rules = [own_settings(repo, admin, plan, &remote), beads_driver(git, repo)?].concat();
    let text = config::text(&[&rules[..], &habits()].concat());
    let there = RealDisk.read(&file)?;
    if there.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    let others = match there.map(|_| config::read(git, &file)).transpose()? {
        Some(Ok(there)) if config::agrees(&there, &rules) => return Ok(()),
        Some(Ok(there)) => beside(there, &rules),
        // The file is damaged or missing.
        Some(Err(_)) | None => habits(),
    };
    replace_for_now(&file, config::text(&[rules, others].concat()).as_bytes())
}

/// Returns the settings of a worktree that are not ours, such as those of a sparse checkout.
fn beside(mut there: Vec<Entry>, rules: &[Entry]) -> Vec<Entry> {
    there.retain(|entry| rules.iter().all(|rule| rule.key != entry.key));
    there
}

/// Returns the mandatory settings of a worktree: its kind, its committer, its hooks, and that it pushes nothing. They override
/// anything that tools write into the settings that all worktrees share.
fn own_settings(repo: &Path, admin: &Admin, plan: &WorktreePlan, remote: &str) -> Vec<Entry> {
    let checkout = control::way(&real(&admin.folder), &real(&admin.path));
    let mut entries = vec![
        entry("core.bare", "false"),
        entry("core.worktree", checkout.to_string_lossy()),
        entry("core.hookspath", hooks::folder(repo).to_string_lossy()),
    ];
    entries.extend(rules(&plan.identity, remote));
    entries
}

/// Returns the driver that merges files of beads in a worker's own merges, unless the user has one.
fn beads_driver(git: &Git, repo: &Path) -> WorldResult<Vec<Entry>> {
    if drivers::has_own_for_beads(git, repo)? {
        return Ok(Vec::new());
    }
    let key = format!("merge.{}.driver", drivers::BEADS);
    Ok(vec![entry(key, format!("gt {}", drivers::MERGE_BEADS))])
}

/// Returns the first settings of a fresh worktree. They make its files those of the commit, whatever the user has configured for
/// their own files. They are written only where the settings are missing or damaged, so they
/// do not change work in progress.
fn habits() -> Vec<Entry> {
    let entries = [
        ("core.autocrlf", "false"),
        ("core.eol", "lf"),
        ("core.ignorecase", "false"),
        ("core.symlinks", "true"),
        ("core.filemode", "true"),
        ("i18n.commitencoding", "UTF-8"),
    ];
    entries.map(|(key, value)| entry(key, value)).into()
}

/// Returns the settings of a repository that a worker uses: its committer, and that it pushes nothing.
pub(super) fn rules((name, email): &(String, String), remote: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    // The user's own author or committer name would override the plain name.
    for section in ["user", "author", "committer"] {
        entries.extend([entry(format!("{section}.name"), name), entry(format!("{section}.email"), email)]);
    }
    let fixed = [
        ("commit.gpgsign", "false"),
        ("push.default", "nothing"),
        ("credential.helper", ""),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("core.logallrefupdates", "true"),
    ];
    entries.extend(fixed.map(|(key, value)| entry(key, value)));
    // The longest match wins. With the whole address here, no rewriting rule of the user's can be longer.
    let refused = REFUSED_PREFIXES.iter().chain([&remote].into_iter().filter(|remote| !remote.is_empty()));
    entries.extend(refused.map(|prefix| entry(format!("url.{REFUSED}.pushinsteadof"), *prefix)));
    entries.push(entry("remote.origin.pushurl", format!("{REFUSED}origin")));
    entries
}

/// Puts a gate worktree at `commit`.
pub(super) fn reset_gate(git: &Git, held: &Held, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()> {
    object(commit)?;
    if let Some(admin) = attached(repo, path)?.filter(|admin| !admin.is_half_made()) {
        let place = admin.place();
        tame(&admin.folder, KEPT_OF_GATES)?;
        settle(git, repo, &admin, &gate_plan(path, commit))?;
        if put(git, held, &place, &admin.folder, commit).is_ok() {
            return Ok(());
        }
    }
    // Checked first: without the commit, the worktree would be removed for nothing.
    super::refs::tree_of(git, repo, commit)?;
    remove_gate(repo, path)?;
    add(git, held, repo, &gate_plan(path, commit))
}

fn gate_plan(path: &Path, commit: &Sha) -> WorktreePlan {
    let identity = (TOWN_IDENTITY.0.to_owned(), TOWN_IDENTITY.1.to_owned());
    WorktreePlan { path: path.to_owned(), branch: None, start: commit.clone(), identity, remote: None }
}

/// Removes all entries from a git folder that are not in `kept`, and all links: git would write to their targets.
pub(super) fn tame(folder: &Path, kept: &[&str]) -> WorldResult<()> {
    for entry in std::fs::read_dir(folder).map_err(io_error("list", folder))? {
        let entry = entry.map_err(io_error("list", folder))?;
        let is_link = entry.file_type().map_err(io_error("look at", &entry.path()))?.is_symlink();
        if is_link || !kept.iter().any(|name| entry.file_name() == *name) {
            RealDisk.remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether the index tells git to ignore some files. Git would leave those unchanged.
fn has_hidden_flags(git: &Git, place: &Place) -> bool {
    let Ok(answer) = git.question(place, "ls-files").args(["-v", "-z"]).ok() else { return true };
    answer.fields().any(|field| field[0] == b'S' || field[0].is_ascii_lowercase())
}

/// Makes a checkout hold what `commit` holds; untracked files stay. If the index hides changes from git, or git can't work with
/// it, it is made again from the commit and the files.
pub(super) fn put(git: &Git, held: &Held, place: &Place, git_dir: &Path, commit: &Sha) -> WorldResult<()> {
    let index = git_dir.join("index");
    if has_hidden_flags(git, place) {
        RealDisk.remove(&index)?;
    }
    if put_once(git, held, place, commit).is_ok() {
        return Ok(());
    }
    RealDisk.remove(&index)?;
    put_once(git, held, place, commit)
}

fn put_once(git: &Git, held: &Held, place: &Place, commit: &Sha) -> WorldResult<()> {
    let call = git.act(held, place, "checkout").git_options(PLAIN);
    call.args(["--quiet", "--force", "--detach", object(commit)?]).ok().map(|_| ())
}

/// Removes a gate worktree.
pub(super) fn remove_gate(repo: &Path, path: &Path) -> WorldResult<()> {
    let recorded = recorded(repo, path)?;
    RealDisk.remove(path)?;
    if let Some(admin) = recorded {
        RealDisk.remove(&admin.folder)?;
        control::forget_modules(&admin)?;
    }
    Ok(())
}

/// Renames a worktree to `to`, and makes git forget it.
pub(super) fn archive(git: &Git, held: &Held, repo: &Path, path: &Path, to: &Path) -> WorldResult<()> {
    let recorded = recorded(repo, path)?;
    if RealDisk.exists(path) {
        crate::real::disk::make_parent(to)?;
        clear_way(path)?;
        rename_to_free(path, to)?;
    }
    if RealDisk.exists(to) {
        if let Some(admin) = &recorded {
            submodules::move_along(git, held, admin, to, Path::new(ARCHIVED_ADMIN))?;
        }
        detach(to, recorded.as_ref())?;
    }
    if let Some(admin) = recorded {
        RealDisk.remove(&admin.folder)?;
        control::forget_modules(&admin)?;
        stores::close(git, repo, &admin.folder)?;
    }
    Ok(())
}

/// Renames a file that a worker has put where the archive keeps git's records. It is the worker's, and stays among the worker's
/// files.
fn clear_way(path: &Path) -> WorldResult<()> {
    let taken = path.join(ARCHIVED_ADMIN);
    let free = |n: &u32| !RealDisk.exists(&path.join(format!("{ARCHIVED_ADMIN}.{n}")));
    match (1..).find(free).filter(|_| RealDisk.exists(&taken)) {
        Some(n) => rename_to_free(&taken, &path.join(format!("{ARCHIVED_ADMIN}.{n}"))),
        None => Ok(()),
    }
}

/// Removes the link to the repository from an archived checkout. Keeps the link and git's records of the worktree beside the
/// checkout. An unchanged link would lead to the next worktree of the same name.
fn detach(to: &Path, recorded: Option<&Admin>) -> WorldResult<()> {
    let (link, kept) = (to.join(".git"), to.join(ARCHIVED_ADMIN));
    let move_in = |from: PathBuf, name: &str| match kept.join(name) {
        target if RealDisk.exists(&from) && !RealDisk.exists(&target) => rename_to_free(&from, &target),
        _ => Ok(()),
    };
    if RealDisk.kind(&link)?.is_some_and(|kind| kind != NodeKind::Folder) {
        RealDisk.create_dir(&kept)?;
        move_in(link, "link")?;
    }
    match recorded {
        Some(admin) => RealDisk.create_dir(&kept).and_then(|()| move_in(admin.folder.clone(), "admin")),
        None => Ok(()),
    }
}
