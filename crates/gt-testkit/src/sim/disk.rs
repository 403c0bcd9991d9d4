//! Files, folders, links, locks and wakes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use gt_world::{Disk, Held, HeldGuard, NodeKind, WorldError, WorldResult};

use super::objects::{Blob, Tree};
use super::{SimWorld, State};

/// Limit on the number of links in one path.
const LINK_LIMIT: usize = 40;

/// A node on the disk.
#[derive(Clone, Debug)]
enum Node {
    Folder,
    File { content: Blob, touched: Option<i64> },
    Link(PathBuf),
}

/// All files, folders and links, by absolute path. The root folder always exists.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<PathBuf, Node>,
    /// Folders within which no link is followed.
    guarded: BTreeSet<PathBuf>,
}

impl Nodes {
    /// Returns the path with its links resolved, up to [`LINK_LIMIT`] of them.
    fn resolve(&self, path: &Path) -> PathBuf {
        let mut path = plain(path);
        for _ in 0..LINK_LIMIT {
            let Some((link, target)) = self.first_link(&path) else { break };
            let folder = link.parent().unwrap_or(Path::new("/"));
            let rest = path.strip_prefix(&link).unwrap_or(Path::new(""));
            path = plain(&folder.join(target).join(rest));
        }
        path
    }

    /// Resolves as [`Self::resolve`] does, but leaves a link at the very end.
    fn resolve_parent(&self, path: &Path) -> PathBuf {
        let path = plain(path);
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => self.resolve(parent).join(name),
            _ => path,
        }
    }

    fn first_link(&self, path: &Path) -> Option<(PathBuf, &PathBuf)> {
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        above.into_iter().find_map(|at| match self.nodes.get(at) {
            Some(Node::Link(target)) => Some((at.to_owned(), target)),
            _ => None,
        })
    }

    /// Refuses a path in a guarded folder with a link on its way.
    fn require_no_link_before(&self, act: &'static str, path: &Path) -> WorldResult<()> {
        plain(path).parent().map_or(Ok(()), |folder| self.require_no_link(act, path, folder))
    }

    /// Refuses such a path also if the link is at its end.
    fn require_no_link_to(&self, act: &'static str, path: &Path) -> WorldResult<()> {
        self.require_no_link(act, path, &plain(path))
    }

    fn require_no_link(&self, act: &'static str, path: &Path, way: &Path) -> WorldResult<()> {
        let is_guarded = |at: &Path| self.guarded.iter().any(|root| at.starts_with(root) && at != root);
        let is_link = |at: &Path| matches!(self.nodes.get(at), Some(Node::Link(_)));
        let mut above: Vec<&Path> = way.ancestors().collect();
        above.reverse();
        match above.into_iter().find(|at| is_guarded(at) && is_link(at)) {
            Some(at) => Err(WorldError::Led { act, path: path.to_owned(), at: at.to_owned() }),
            None => Ok(()),
        }
    }

    /// In a guarded folder, removes a link that a write will replace.
    fn unlink_guarded(&mut self, path: &Path) {
        if self.require_no_link_to("write", path).is_err() {
            self.nodes.remove(&plain(path));
        }
    }

    /// Yields `path` itself and all nodes below it.
    fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a Node)> {
        let from: (Bound<&Path>, Bound<&Path>) = (Bound::Included(path), Bound::Unbounded);
        self.nodes.range::<Path, _>(from).take_while(move |(at, _)| at.starts_with(path))
    }

    pub(super) fn is_folder(&self, path: &Path) -> bool {
        let path = self.resolve(path);
        path.parent().is_none() || matches!(self.nodes.get(&path), Some(Node::Folder))
    }

    /// Whether anything is at `path`, even a link that leads nowhere.
    pub(super) fn exists(&self, path: &Path) -> bool {
        let path = self.resolve_parent(path);
        path.parent().is_none() || self.nodes.contains_key(&path)
    }

    pub(super) fn read(&self, path: &Path) -> WorldResult<Option<Blob>> {
        match self.nodes.get(&self.resolve(path)) {
            Some(Node::File { content, .. }) => Ok(Some(content.clone())),
            Some(Node::Folder) => Err(io("read", path, ErrorKind::IsADirectory)),
            Some(Node::Link(_)) => Err(io("read", path, ErrorKind::Other)),
            None => Ok(None),
        }
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> WorldResult<()> {
        let path = self.resolve(path);
        for folder in path.ancestors().filter(|at| at.parent().is_some()) {
            match self.nodes.get(folder) {
                Some(Node::Folder) => break,
                Some(_) => return Err(io("create", &path, ErrorKind::NotADirectory)),
                None => {}
            }
        }
        for folder in path.ancestors().filter(|at| at.parent().is_some()) {
            if self.nodes.insert(folder.to_owned(), Node::Folder).is_some() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, path: &Path, content: Blob) -> WorldResult<()> {
        self.put(path, content, None)
    }

    fn put(&mut self, path: &Path, content: Blob, touched: Option<i64>) -> WorldResult<()> {
        let path = self.resolve(path);
        if self.is_folder(&path) {
            return Err(io("write", &path, ErrorKind::IsADirectory));
        }
        self.create_dir(path.parent().unwrap_or(Path::new("/")))?;
        self.nodes.insert(path, Node::File { content, touched });
        Ok(())
    }

    fn touch(&mut self, path: &Path, seconds: i64) -> WorldResult<()> {
        let content = self.read(path)?.unwrap_or_default();
        self.put(path, content, Some(seconds))
    }

    /// Returns when the file at `path` was last touched, in seconds since the epoch.
    fn touched(&self, path: &Path) -> Option<i64> {
        match self.nodes.get(path) {
            Some(Node::File { touched, .. }) => *touched,
            _ => None,
        }
    }

    /// Returns when a file in `folder` was last touched, in seconds since the epoch.
    pub(super) fn last_touch_in(&self, folder: &Path) -> Option<i64> {
        let touches = self.below(folder).filter_map(|(_, node)| match node {
            Node::File { touched, .. } => *touched,
            _ => None,
        });
        touches.max()
    }

    fn kind(&self, path: &Path) -> Option<NodeKind> {
        Some(match self.nodes.get(&self.resolve_parent(path))? {
            Node::Folder => NodeKind::Folder,
            Node::File { .. } => NodeKind::File,
            Node::Link(_) => NodeKind::Link,
        })
    }

    fn size(&self, path: &Path) -> u64 {
        let path = self.resolve_parent(path);
        let sizes = self.below(&path).map(|(_, node)| match node {
            Node::File { content, .. } => content.len() as u64,
            _ => 0,
        });
        sizes.sum()
    }

    /// Renames a node, with everything below it.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> WorldResult<()> {
        let (from, to) = (self.resolve_parent(from), self.resolve_parent(to));
        if !self.nodes.contains_key(&from) {
            return Err(io("rename", &from, ErrorKind::NotFound));
        }
        if self.exists(&to) {
            let (from, to) = (from.display(), to.display());
            return Err(WorldError::Unexpected(format!("can't rename {from} to {to}: something already exists there")));
        }
        if to.starts_with(&from) {
            return Err(io("rename", &from, ErrorKind::InvalidInput));
        }
        if !to.parent().is_some_and(|parent| self.is_folder(parent)) {
            return Err(io("rename", &to, ErrorKind::NotFound));
        }
        for (at, node) in self.take(&from) {
            self.nodes.insert(moved(&at, &from, &to), node);
        }
        Ok(())
    }

    /// Removes `path` and everything below it. Returns whether anything was there.
    pub(super) fn remove(&mut self, path: &Path) -> bool {
        let path = self.resolve_parent(path);
        !self.take(&path).is_empty()
    }

    /// Removes a file. Also removes, as git does, the folders below `top` that it leaves empty.
    pub(super) fn remove_file(&mut self, path: &Path, top: &Path) {
        self.remove(path);
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != top) {
            if self.below(folder).nth(1).is_some() {
                break;
            }
            self.nodes.remove(folder);
        }
    }

    fn take(&mut self, path: &Path) -> Vec<(PathBuf, Node)> {
        let taken: Vec<_> = self.below(path).map(|(at, node)| (at.clone(), node.clone())).collect();
        for (at, _) in &taken {
            self.nodes.remove(at);
        }
        taken
    }

    fn list(&self, path: &Path) -> Vec<String> {
        let path = self.resolve(path);
        let children = self.below(&path).filter(|(at, _)| at.parent() == Some(&*path));
        let mut names: Vec<String> = children.map(|(at, _)| super::short_name(at)).collect();
        names.sort();
        names
    }

    fn link(&mut self, at: &Path, target: &Path) -> WorldResult<bool> {
        let at = self.resolve_parent(at);
        if self.nodes.contains_key(&at) {
            return Ok(false);
        }
        self.create_dir(at.parent().unwrap_or(Path::new("/")))?;
        self.nodes.insert(at, Node::Link(target.to_owned()));
        Ok(true)
    }

    /// Returns all files below `folder`, by their relative path.
    pub(super) fn files_below(&self, folder: &Path) -> Tree {
        let folder = self.resolve(folder);
        let mut files = Tree::new();
        for (at, node) in self.below(&folder) {
            if let (Ok(name), Node::File { content, .. }) = (at.strip_prefix(&folder), node) {
                files.insert(name.to_string_lossy().into_owned(), content.clone());
            }
        }
        files
    }
}

/// Returns the path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

/// Returns the path that `path`, below `from`, has after `from` was renamed to `to`.
fn moved(path: &Path, from: &Path, to: &Path) -> PathBuf {
    match path.strip_prefix(from) {
        Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
        Ok(rest) => to.join(rest),
        Err(_) => path.to_owned(),
    }
}

fn io(act: &'static str, path: &Path, kind: ErrorKind) -> WorldError {
    WorldError::Io { act, path: path.to_owned(), source: kind.into() }
}

impl State {
    /// Forgets what depends on a removed path: repositories, worktrees and the records of ended sessions.
    fn forget_below(&mut self, path: &Path) {
        self.repos.retain(|at, _| !at.starts_with(path));
        self.worktrees.retain(|at, _| !at.starts_with(path));
        self.archives.retain(|at| !at.starts_with(path));
        self.sessions.forget_ended_below(path);
    }

    /// Moves repositories and archives with their folder. Records of worktrees stay: git does not notice such a move either.
    fn move_below(&mut self, from: &Path, to: &Path) {
        let repos = std::mem::take(&mut self.repos);
        self.repos = repos.into_iter().map(|(at, repo)| (moved(&at, from, to), repo)).collect();
        let archives: BTreeSet<PathBuf> = std::mem::take(&mut self.archives);
        self.archives = archives.iter().map(|at| moved(at, from, to)).collect();
        self.sessions.move_below(|at| moved(at, from, to));
    }
}

impl SimWorld {
    /// Returns how often the wake-up `path` was triggered.
    pub fn wakes(&self, path: &Path) -> u64 {
        self.locked().wakes.get(path).copied().unwrap_or_default()
    }

    /// Puts the whole disk on a network file system of this kind.
    pub fn set_network(&self, kind: Option<&'static str>) {
        self.locked().network = kind;
    }

    /// Sets how many bytes are free on the disk. Before the first call the disk has no limit.
    pub fn set_free_space(&self, bytes: u64) {
        self.locked().free_space = Some(bytes);
    }

    /// Takes a lock, which is released when the result is dropped.
    fn take_lock(&self, path: &Path) -> Option<Held> {
        let mut state = self.locked();
        if !state.locks.insert(path.to_owned()) {
            return None;
        }
        let (world, locked) = (self.clone(), path.to_owned());
        let free = move || {
            world.locked().locks.remove(&locked);
        };
        Some(Held { file: None, path: path.to_owned(), on_drop: Some(HeldGuard(Box::new(free))) })
    }
}

impl Disk for SimWorld {
    fn guard(&self, root: &Path) {
        self.locked().disk.guarded.insert(plain(root));
    }

    fn read_own(&self, path: &Path) -> WorldResult<Option<Vec<u8>>> {
        Ok(self.locked().disk.read(path)?.map(|content| content.to_vec()))
    }

    fn list_own(&self, path: &Path) -> WorldResult<Vec<String>> {
        Ok(self.locked().disk.list(path))
    }

    fn read(&self, path: &Path) -> WorldResult<Option<Vec<u8>>> {
        self.locked().disk.require_no_link_to("read", path)?;
        self.read_own(path)
    }

    fn read_part(&self, path: &Path, from: u64, at_most: usize) -> WorldResult<Option<Vec<u8>>> {
        let state = self.locked();
        let led = state.disk.require_no_link_to("read", path).is_err();
        if led || state.disk.kind(path) != Some(NodeKind::File) {
            return Ok(None);
        }
        let content = state.disk.read(path)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(content.map(|content| content.iter().copied().skip(from).take(at_most).collect()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        let mut state = self.acting("write")?;
        state.disk.require_no_link_before("write", path)?;
        state.disk.unlink_guarded(path);
        state.disk.write(path, bytes.into())?;
        state.note(format!("write {}", path.display()));
        Ok(())
    }

    /// The simulation has only one user.
    fn create_private_dir(&self, path: &Path) -> WorldResult<()> {
        self.create_dir(path)
    }

    fn write_private(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        if self.exists(path) {
            let source = ErrorKind::AlreadyExists.into();
            return Err(WorldError::Io { act: "write", path: path.to_owned(), source });
        }
        self.write(path, bytes)
    }

    fn create_dir(&self, path: &Path) -> WorldResult<()> {
        let mut state = self.acting("create_dir")?;
        state.disk.require_no_link_to("make the folder", path)?;
        if !state.disk.is_folder(path) {
            state.disk.create_dir(path)?;
            state.note(format!("create_dir {}", path.display()));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> WorldResult<()> {
        let mut state = self.acting("rename")?;
        state.disk.require_no_link_before("rename", from)?;
        state.disk.require_no_link_before("rename", to)?;
        state.disk.rename(from, to)?;
        state.move_below(from, to);
        state.note(format!("rename {} {}", from.display(), to.display()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> WorldResult<()> {
        let mut state = self.acting("remove")?;
        state.disk.require_no_link_before("remove", path)?;
        if state.disk.remove(path) {
            state.forget_below(path);
            state.note(format!("remove {}", path.display()));
        }
        Ok(())
    }

    fn real_path(&self, path: &Path) -> WorldResult<PathBuf> {
        Ok(self.locked().disk.resolve(path))
    }

    fn is_same(&self, one: &Path, other: &Path) -> WorldResult<bool> {
        Ok(one == other && self.exists(one))
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.locked();
        state.disk.require_no_link_before("look at", path).is_ok() && state.disk.exists(path)
    }

    fn list(&self, path: &Path) -> WorldResult<Vec<String>> {
        self.locked().disk.require_no_link_to("list", path)?;
        self.list_own(path)
    }

    fn link(&self, at: &Path, target: &Path) -> WorldResult<()> {
        let mut state = self.acting("link")?;
        state.disk.require_no_link_before("link", at)?;
        if state.disk.link(at, target)? {
            state.note(format!("link {} {}", at.display(), target.display()));
        }
        Ok(())
    }

    fn touch(&self, path: &Path) -> WorldResult<()> {
        let mut state = self.acting("touch")?;
        state.disk.require_no_link_to("touch", path)?;
        let now = state.now().as_second();
        state.disk.touch(path, now)?;
        state.note(format!("touch {}", path.display()));
        Ok(())
    }

    fn mark(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        let mut state = self.acting("mark")?;
        state.disk.require_no_link_before("write", path)?;
        state.disk.unlink_guarded(path);
        let above = path.parent().and_then(Path::parent);
        if !above.is_some_and(|above| state.disk.is_folder(above)) {
            return Err(io("write", path, ErrorKind::NotFound));
        }
        let now = state.now().as_second();
        state.disk.put(path, bytes.into(), Some(now))?;
        state.note(format!("mark {}", path.display()));
        Ok(())
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        let mut state = self.acting("append")?;
        state.disk.require_no_link_before("write", path)?;
        state.disk.unlink_guarded(path);
        if !path.parent().is_some_and(|folder| state.disk.is_folder(folder)) {
            return Err(io("write", path, ErrorKind::NotFound));
        }
        let before = state.disk.read(path)?.unwrap_or_default();
        state.disk.write(path, [&before[..], bytes].concat().into())
    }

    fn copy(&self, from: &Path, to: &Path) -> WorldResult<()> {
        let mut state = self.acting("copy")?;
        state.disk.require_no_link_before("copy to", to)?;
        if state.disk.exists(to) {
            let (from, to) = (from.display(), to.display());
            return Err(WorldError::Unexpected(format!("can't copy {from} to {to}: something already exists there")));
        }
        let nodes: Vec<(PathBuf, Node)> =
            state.disk.below(from).map(|(path, node)| (path.clone(), node.clone())).collect();
        if nodes.is_empty() {
            return Err(io("copy", from, ErrorKind::NotFound));
        }
        for (path, node) in nodes {
            let below = path.strip_prefix(from).unwrap_or(&path);
            let at = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            match node {
                Node::File { content, .. } => state.disk.put(&at, content, None)?,
                Node::Folder => state.disk.create_dir(&at)?,
                Node::Link(target) => _ = state.disk.link(&at, &target)?,
            }
        }
        state.note(format!("copy {} {}", from.display(), to.display()));
        Ok(())
    }

    /// The simulation's copies have no time of their own.
    fn copy_older(&self, from: &Path, to: &Path, _latest: i64) -> WorldResult<()> {
        self.copy(from, to)
    }

    fn oldest_below(&self, folder: &Path) -> WorldResult<Option<i64>> {
        let state = self.locked();
        Ok(state.disk.below(folder).filter_map(|(path, _)| state.disk.touched(path)).min())
    }

    fn touched(&self, path: &Path) -> WorldResult<Option<i64>> {
        let state = self.locked();
        state.disk.require_no_link_before("look at", path)?;
        Ok(state.disk.touched(path))
    }

    fn kind(&self, path: &Path) -> WorldResult<Option<NodeKind>> {
        let state = self.locked();
        state.disk.require_no_link_before("look at", path)?;
        Ok(state.disk.kind(path))
    }

    fn size(&self, path: &Path) -> WorldResult<u64> {
        Ok(self.locked().disk.size(path))
    }

    fn network(&self, _path: &Path) -> WorldResult<Option<&'static str>> {
        Ok(self.locked().network)
    }

    fn free_space(&self, _path: &Path) -> WorldResult<u64> {
        Ok(self.locked().free_space.unwrap_or(u64::MAX))
    }

    fn try_lock(&self, path: &Path) -> WorldResult<Option<Held>> {
        self.acting("try_lock")?.disk.require_no_link_to("open", path)?;
        Ok(self.take_lock(path))
    }

    /// No other process runs while this waits, so it does not wait.
    fn lock(&self, path: &Path, _deadline: Duration) -> WorldResult<Option<Held>> {
        self.acting("lock")?.disk.require_no_link_to("open", path)?;
        Ok(self.take_lock(path))
    }

    fn wake(&self, path: &Path) {
        let mut state = self.locked();
        *state.wakes.entry(path.to_owned()).or_default() += 1;
        state.note(format!("wake {}", path.display()));
    }

    /// In the simulation, the wake-up does not tell whether the deacon runs.
    fn is_awaited(&self, _path: &Path) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(files: &[&str]) -> SimWorld {
        let world = SimWorld::new();
        for file in files {
            world.write(Path::new(file), file.as_bytes()).unwrap();
        }
        world
    }

    fn text(world: &SimWorld, path: &str) -> Option<String> {
        Disk::read(world, Path::new(path)).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_disk_keeps_to_its_contract() {
        crate::disk_contract::check_disk_contract(&SimWorld::new(), Path::new("/place"));
    }

    #[test]
    fn writing_makes_folders() {
        let world = world(&["/gt/b/two", "/gt/a", "/gt/b/c/three"]);
        assert_eq!(world.list(Path::new("/gt")).unwrap(), ["a", "b"]);
        assert_eq!(world.list(Path::new("/gt/b")).unwrap(), ["c", "two"]);
        assert_eq!(world.list(Path::new("/nowhere")).unwrap(), Vec::<String>::new());
        assert!(world.write(Path::new("/gt/a/below"), b"").is_err(), "a file is no folder");
        assert!(world.write(Path::new("/gt/b"), b"").is_err(), "a folder is no file");
        assert!(Disk::read(&world, Path::new("/gt/b")).is_err(), "a folder can't be read");
    }

    #[test]
    fn rename_moves_all_and_never_replaces() {
        let world = world(&["/gt/a/x/1", "/gt/a/2", "/gt/ab", "/gt/b"]);
        let rename = |from: &str, to: &str| world.rename(Path::new(from), Path::new(to));
        assert!(rename("/gt/a", "/gt/b").is_err(), "the target is there");
        assert!(rename("/gt/none", "/gt/c").is_err(), "nothing to rename");
        assert!(rename("/gt/a", "/gt/no/c").is_err(), "the target's folder is not there");
        assert!(rename("/gt/a", "/gt/a/y").is_err(), "into itself");
        rename("/gt/a", "/gt/c").unwrap();
        assert_eq!(world.list(Path::new("/gt")).unwrap(), ["ab", "b", "c"]);
        assert_eq!(text(&world, "/gt/c/x/1").as_deref(), Some("/gt/a/x/1"));
    }

    #[test]
    fn remove_takes_all_below_and_nothing_beside() {
        let world = world(&["/gt/a/x/1", "/gt/ab"]);
        world.remove(Path::new("/gt/a")).unwrap();
        world.remove(Path::new("/gt/a")).unwrap();
        assert_eq!(world.list(Path::new("/gt")).unwrap(), ["ab"]);
        assert!(!Disk::exists(&world, Path::new("/gt/a/x/1")));
    }

    #[test]
    fn links_are_followed_but_removed_as_links() {
        let world = world(&["/gt/formulas/f"]);
        let link = Path::new("/gt/rig/formulas");
        world.link(link, Path::new("../formulas")).unwrap();
        world.link(link, Path::new("../formulas")).unwrap();
        world.link(Path::new("/gt/formulas/f"), Path::new("x")).unwrap();
        assert_eq!(text(&world, "/gt/rig/formulas/f").as_deref(), Some("/gt/formulas/f"));
        world.write(Path::new("/gt/rig/formulas/g"), b"g").unwrap();
        assert_eq!(world.list(link).unwrap(), ["f", "g"]);
        world.remove(link).unwrap();
        assert_eq!(world.list(Path::new("/gt/formulas")).unwrap(), ["f", "g"]);
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let world = SimWorld::new();
        let (path, other) = (Path::new("/gt/lock"), Path::new("/gt/other"));
        let held = world.try_lock(path).unwrap();
        assert!(held.is_some());
        assert!(world.try_lock(path).unwrap().is_none());
        assert!(world.lock(path, Duration::from_secs(1)).unwrap().is_none());
        assert!(world.try_lock(other).unwrap().is_some());
        drop(held);
        assert!(world.lock(path, Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn an_act_fails_once_for_each_time_it_was_told_to() {
        let world = SimWorld::new();
        world.fail_next("write", "disk full");
        let path = Path::new("/gt/a");
        assert_eq!(world.write(path, b"1").unwrap_err().to_string(), "disk full");
        assert!(!Disk::exists(&world, path));
        world.write(path, b"1").unwrap();
        world.wake(path);
        assert_eq!((world.wakes(path), world.wakes(Path::new("/gt"))), (1, 0));
        assert_eq!(world.journal(), ["write /gt/a", "wake /gt/a"]);
    }
}
