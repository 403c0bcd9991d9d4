//! Finds out where the work of a new rig will land, and whether the remote would accept it. Whatever would refuse the first
//! landing is found before any work is done.

use std::path::{Path, PathBuf};

use gt_world::{FolderFacts, Held, NamedRemote, OnCheckedOut, Receiving};

use crate::rigs::rig::NewRig;
use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// The repository that work will be pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// URL or path of the repository.
    pub url: String,
    /// Reason for choosing this repository, if it is not simply the given one.
    pub note: Option<String>,
    /// Other facts that the user should know.
    pub warnings: Vec<String>,
}

/// Whether git would treat a text as a URL for a transport. It does if the text has a scheme, or a host before the first colon.
/// The host can be an alias in the user's own settings.
pub fn is_url(source: &str) -> bool {
    let host = source.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'));
    source.contains("://") || host
}

/// Returns the repository that work will be pushed to, and why.
pub fn find(town: &Town, new: &NewRig, held: &Held) -> Result<Destination> {
    if new.source.starts_with('-') || new.source.is_empty() {
        return Err(Error::Usage {
            what: format!("`{}` is not a repository", new.source),
            hint: "give a URL, or the path of a folder: gt rig add app ~/src/app".to_owned(),
        });
    }
    if is_url(&new.source) {
        return Ok(Destination { url: new.source.clone(), note: None, warnings: Vec::new() });
    }
    let folder = Path::new(&new.source);
    let shown = folder.display().to_string();
    match town.world().repo().folder(folder)? {
        FolderFacts::NoRepository => Err(Error::refused(
            format!("{shown} is not a git repository"),
            "give the folder that holds .git, or a URL; a new project starts with git init and a first commit",
        )),
        FolderFacts::Bare => Ok(Destination { url: shown, note: None, warnings: Vec::new() }),
        FolderFacts::Checkout { has_commit: false, .. } => {
            Err(Error::refused(format!("{shown} has no commit yet"), "make a first commit: git commit"))
        }
        FolderFacts::Checkout { branch, .. } => {
            let remotes = town.world().repo().remotes(folder)?;
            match choose(&new.name, &shown, &remotes)? {
                Some(remote) => of_remote(town, new, folder, remote, held),
                None => of_checkout(town, new, folder, branch.as_deref(), held),
            }
        }
    }
}

/// Chooses the remote of a checkout that work lands on: `origin`, else the one that the branch tracks, else the only one.
fn choose<'r>(rig: &str, shown: &str, remotes: &'r [NamedRemote]) -> Result<Option<&'r NamedRemote>> {
    let with_address: Vec<&NamedRemote> = remotes.iter().filter(|remote| remote.url.is_some()).collect();
    let named = |is_it: fn(&NamedRemote) -> bool| with_address.iter().copied().find(|remote| is_it(remote));
    let chosen = named(|remote| remote.name == "origin").or_else(|| named(|remote| remote.is_tracked));
    match (chosen, &with_address[..]) {
        (Some(remote), _) => Ok(Some(remote)),
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only)),
        (None, several) => {
            let one =
                |remote: &&NamedRemote| format!("{} ({})", remote.name, remote.url.as_deref().unwrap_or_default());
            let list = several.iter().map(one).collect::<Vec<_>>().join(", ");
            let what = format!("{shown} has several remotes, and its branch follows none of them: {list}");
            Err(Error::refused(what, format!("name the one on which work lands: gt rig add {rig} <its address>")))
        }
    }
}

fn of_remote(town: &Town, new: &NewRig, folder: &Path, remote: &NamedRemote, held: &Held) -> Result<Destination> {
    let (shown, name) = (folder.display(), &remote.name);
    let written = remote.push_url.as_ref().or(remote.url.as_ref()).cloned().unwrap_or_default();
    let url = absolute_url(folder, &written);
    if remote.push_url.is_some()
        && !is_url(&url)
        && town.world().repo().folder(Path::new(&url))? == FolderFacts::NoRepository
    {
        let what = format!("{shown} pushes to its remote {name} at `{written}`, which is not a repository");
        let hint = format!("name the one on which work lands: gt rig add {} <url-or-path>", new.name);
        return Err(Error::refused(what, hint));
    }
    let follows = if name != "origin" && remote.is_tracked { ", which its branch follows" } else { "" };
    let note = format!("{shown} has the remote {name}{follows}: work will be pushed to {written}");
    if new.make_bare_remote
        && let Some(there) = town.world().repo().receiving(&url)?
        && let FolderFacts::Checkout { origin: None, .. } = town.world().repo().folder(&there.folder)?
    {
        let mut made = make_bare_remote(town, &there.folder, held)?;
        made.warnings
            .push(format!("{shown} still has {written} as {name}: git -C {shown} remote set-url {name} {}", made.url));
        return Ok(made);
    }
    Ok(Destination { url, note: Some(note), warnings: Vec::new() })
}

/// Makes a relative URL of a remote absolute. It is relative to the repository that names it.
fn absolute_url(folder: &Path, url: &str) -> String {
    if is_url(url) || Path::new(url).is_absolute() { url.to_owned() } else { folder.join(url).display().to_string() }
}

fn make_bare_remote(town: &Town, folder: &Path, held: &Held) -> Result<Destination> {
    let shown = folder.display().to_string();
    let bare = PathBuf::from(format!("{}.git", shown.trim_end_matches('/')));
    if town.world().disk().exists(&bare) {
        return Err(Error::refused(format!("{} already exists", bare.display()), "gt rig add <name> <that folder>"));
    }
    town.world().repo().make_bare_remote(held, folder, &bare)?;
    let note = format!("a bare copy was made at {}; {shown} has it as origin now", bare.display());
    Ok(Destination { url: bare.display().to_string(), note: Some(note), warnings: Vec::new() })
}

/// Returns the destination for a checkout without a remote: a bare copy if the user asked for one, else the checkout itself.
/// Returns an error if work would land on the checked-out branch and the checkout refuses that.
fn of_checkout(
    town: &Town,
    new: &NewRig,
    folder: &Path,
    checked_out: Option<&str>,
    held: &Held,
) -> Result<Destination> {
    let shown = folder.display().to_string();
    if new.make_bare_remote {
        return make_bare_remote(town, folder, held);
    }
    let trunk = new.land_on.as_deref().or(new.branch.as_deref()).or(checked_out);
    let there = town.world().repo().receiving(&shown)?.unwrap_or_default();
    if trunk.is_some() && trunk == checked_out && there.on_checked_out == OnCheckedOut::Refuses {
        return Err(Error::refused(
            format!(
                "{shown} has no remote, and the branch {} is checked out there: landing on it would pull the files from under you",
                trunk.unwrap_or_default()
            ),
            WAYS_OUT,
        ));
    }
    let note = format!("{shown} has no remote: work will be pushed to it, on another branch than is checked out");
    let follows = format!("{shown} has no remote: work will be pushed to it, as its receive.denyCurrentBranch allows");
    Ok(Destination { url: shown, note: Some(if trunk == checked_out { follows } else { note }), warnings: Vec::new() })
}

/// Hint for a trunk that is checked out in the repository that would receive it.
const WAYS_OUT: &str =
    "two ways out: --make-bare-remote (a bare copy beside it becomes its origin), or --land-on <another branch>";

/// Returns an error if a remote on this machine would refuse the first landing. Otherwise returns warnings about what could still
/// refuse it.
pub(crate) fn require_takes(town: &Town, new: &NewRig, url: &str, trunk: &str) -> Result<Vec<String>> {
    let Some(there) = town.world().repo().receiving(url)? else { return Ok(Vec::new()) };
    let origin = match town.world().repo().folder(&there.folder)? {
        FolderFacts::Checkout { origin, .. } => origin,
        FolderFacts::Bare | FolderFacts::NoRepository => None,
    };
    if let Some(refusal) = refusal(&there, trunk) {
        let hint = if refusal.is_of_branch { way_out(new, &there, origin.as_deref()) } else { refusal.hint };
        return Err(Error::refused(refusal.what, hint));
    }
    Ok(warnings(&there, trunk))
}

fn way_out(new: &NewRig, there: &Receiving, origin: Option<&str>) -> String {
    let folder = there.folder.display();
    match origin {
        Some(origin) => format!(
            "{folder} has a remote of its own, {origin}: gt rig add {} {folder} lands there; or --land-on <another branch>",
            new.name
        ),
        None => WAYS_OUT.to_owned(),
    }
}

/// Reason why a remote would refuse every landing.
struct Refusal {
    what: String,
    hint: String,
    is_of_branch: bool,
}

fn refusal(there: &Receiving, trunk: &str) -> Option<Refusal> {
    if let Some((_, at)) = there.checked_out.iter().find(|(branch, _)| branch == trunk)
        && there.on_checked_out == OnCheckedOut::Refuses
    {
        let (folder, at) = (there.folder.display(), at.display());
        let what =
            format!("{folder} refuses pushes to its branch {trunk}, which is checked out in {at}: nothing could land");
        return Some(Refusal { what, hint: WAYS_OUT.to_owned(), is_of_branch: true });
    }
    let folder = there.unwritable.as_ref()?;
    let what = format!("you can read {} but not write there, so gt could push nothing to it", folder.display());
    let hint = "give yourself the right to write there, or name a repository that you may push to".to_owned();
    Some(Refusal { what, hint, is_of_branch: false })
}

/// Returns warnings about problems that only a landing can reveal.
fn warnings(there: &Receiving, trunk: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let folder = there.folder.display();
    if there.checked_out.iter().any(|(branch, _)| branch == trunk) {
        warnings.push(match there.on_checked_out {
            OnCheckedOut::Updates => format!("{trunk} is checked out in {folder}: a landing changes the files there, and is refused while they are changed"),
            _ => format!("{trunk} is checked out in {folder}: a landing moves the branch, and the files there stay behind"),
        });
    }
    if !there.hooks.is_empty() {
        warnings.push(format!("{folder} has hooks that may refuse a landing: {}", there.hooks.join(", ")));
    }
    if there.is_shallow {
        warnings.push(format!("{folder} is a shallow clone: the history before its first commits is missing"));
    }
    warnings
}

/// Returns what would refuse the rig's next landing, and a hint, for `gt doctor`.
pub fn complaint(town: &Town, rig: &Rig) -> Result<Option<(String, String)>> {
    if let Some(there) = town.world().repo().receiving(&rig.row.remote)?
        && let Some(refusal) = refusal(&there, &rig.row.trunk)
    {
        let leave = format!(
            "check out another branch there, or: git -C {} config receive.denyCurrentBranch updateInstead",
            there.folder.display()
        );
        return Ok(Some((refusal.what, if refusal.is_of_branch { leave } else { refusal.hint })));
    }
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let Some(at) = refs.get(&rig.trunk_ref()) else { return Ok(None) };
    let held = town.lock(&rig.remote_lane())?;
    let why = town.world().repo().try_push(&held, &rig.layout.repo(), &rig.row.trunk, at)?;
    Ok(why.map(|why| (format!("{} can be read but not pushed to: {why}", rig.row.remote), MAY_PUSH.to_owned())))
}

/// Hint for a remote that refuses pushes.
pub(crate) const MAY_PUSH: &str =
    "set up a login that git uses without asking (an SSH key, a credential helper), or use the address for pushes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_path_as_git_tells_it() {
        for (text, expected) in [
            ("https://host/x", true),
            ("git@host:x.git", true),
            ("host:x/y.git", true),
            ("file:///x", true),
            ("/a:b/c", false),
            ("./a:b", false),
            ("../x", false),
            ("x/y:z", false),
            (":x", false),
            ("app", false),
        ] {
            assert_eq!(is_url(text), expected, "{text}");
        }
    }

    #[test]
    fn the_remote_is_origin_or_what_the_branch_follows_or_the_only_one() {
        let remote = |text: &str| {
            let (name, is_tracked) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
            NamedRemote { name: name.to_owned(), url: Some(format!("/{name}")), push_url: None, is_tracked }
        };
        let check = |remotes: &[&str], expected: std::result::Result<Option<&str>, &str>| {
            let remotes: Vec<_> = remotes.iter().map(|text| remote(text)).collect();
            let chosen = choose("app", "/src", &remotes);
            match (chosen, expected) {
                (Ok(chosen), Ok(expected)) => assert_eq!(chosen.map(|remote| remote.name.as_str()), expected),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (chosen, expected) => panic!("{chosen:?} {expected:?}"),
            }
        };
        check(&[], Ok(None));
        check(&["origin"], Ok(Some("origin")));
        check(&["upstream*", "origin"], Ok(Some("origin")));
        check(&["upstream"], Ok(Some("upstream")));
        check(&["fork", "upstream*"], Ok(Some("upstream")));
        check(&["fork", "upstream"], Err("fork (/fork), upstream (/upstream)"));
        let named_only = NamedRemote { name: "x".to_owned(), ..NamedRemote::default() };
        assert_eq!(choose("app", "/src", &[named_only]).unwrap(), None, "it has no address");
    }

    #[test]
    fn what_would_refuse_a_landing_is_told_from_what_may() {
        let there = |branch: &str, on_checked_out| Receiving {
            folder: "/real".into(),
            checked_out: vec![(branch.to_owned(), "/real".into())],
            on_checked_out,
            ..Receiving::default()
        };
        let is_refused = |there: &Receiving| refusal(there, "main").is_some();
        assert!(is_refused(&there("main", OnCheckedOut::Refuses)));
        for fine in [
            there("dev", OnCheckedOut::Refuses),
            there("main", OnCheckedOut::Updates),
            there("main", OnCheckedOut::Ignores),
        ] {
            assert!(!is_refused(&fine), "{fine:?}");
            assert_eq!(warnings(&fine, "main").len(), usize::from(fine.on_checked_out != OnCheckedOut::Refuses));
        }
        let unwritable = Receiving { unwritable: Some("/real/objects".into()), ..there("dev", OnCheckedOut::Refuses) };
        assert!(is_refused(&unwritable));
        let odd =
            Receiving { hooks: vec!["update".to_owned()], is_shallow: true, ..there("dev", OnCheckedOut::Refuses) };
        assert_eq!(warnings(&odd, "main").len(), 2);
    }
}
