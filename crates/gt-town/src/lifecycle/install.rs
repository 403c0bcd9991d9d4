//! Creates a town completely, or changes nothing.

use std::path::Path;

use gt_ledger::Ledger;

use crate::sync;
use crate::town::error::{Error, Result};
use crate::town::layout::Layout;
use crate::town::shipped;
use crate::town::{Outside, Town};
use crate::walls::worker_env::PATH_KEY;

const TOWN_TOML: &str = "\
# Settings of this town. Every key has a default: `gt config list` shows them, `gt config explain <key>` says what they
# mean, `gt town set <key>=<value>` changes them. What you append here by hand works too.
version = 1

# Dollars of a day, by list prices (gt cost), after which no new work starts until the next; 0: no limit. Once it is
# set here, kinds of agent whose usage is unknown are not started. There are also daily_tokens and, after which one
# attempt is parked, attempt_usd and attempt_tokens.
# spend.daily_usd = 100
";

/// Creates a town at `root`, which must be a new or empty folder. `remote` is the repository that its ledger is synced with.
pub fn install(root: &Path, outside: &Outside, remote: Option<&str>) -> Result<Town> {
    remote.map_or(Ok(()), sync::check_remote)?;
    require_room(root, outside)?;
    make_aside(root, outside, remote, |at| {
        let ledger = Ledger::create(&Layout::new(at).ledger(), outside.world.clone())?;
        let ledger = ledger.with_faults(outside.faults.clone());
        record_origin(&ledger, outside)
    })?;
    settle_in(Town::open(root, outside.clone())?)
}

/// Binds a new town to its place and creates its repository. If the process dies before that, `gt up` does it.
fn settle_in(town: Town) -> Result<Town> {
    town.ledger.write("overseer", "install", |_| Ok::<_, Error>(()))?;
    sync::make(&town)?;
    Ok(town)
}

/// Creates a town at `root` with a ledger that is not a file, such as a simulated one.
pub fn install_over(root: &Path, outside: &Outside, ledger: Ledger) -> Result<Town> {
    require_room(root, outside)?;
    make_aside(root, outside, None, |_| record_origin(&ledger, outside))?;
    settle_in(Town::with_ledger(root, outside.clone(), ledger)?)
}

/// Returns an error unless the town gets a folder of its own outside all other towns.
fn require_room(root: &Path, outside: &Outside) -> Result<()> {
    let disk = outside.world.disk();
    if disk.exists(&Layout::new(root).settings()) {
        return Err(Error::TownExists(root.to_owned()));
    }
    if let Some(outer) = root.ancestors().skip(1).find(|above| disk.exists(&Layout::new(above).settings())) {
        let what = format!("{} would be inside the town {}", root.display(), outer.display());
        return Err(Error::refused(what, "choose a folder outside of it"));
    }
    // Read the path to find out. Listing a file gives no names, just as for an empty folder.
    if matches!(disk.read(root), Ok(Some(_))) {
        let what = format!("{} is a file", root.display());
        return Err(Error::refused(what, "a town needs a new or empty folder: gt install <path>"));
    }
    if !disk.list(root)?.is_empty() {
        return Err(Error::NotEmpty(root.to_owned()));
    }
    Ok(())
}

fn make_aside(
    root: &Path,
    outside: &Outside,
    remote: Option<&str>,
    make_ledger: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let disk = outside.world.disk();
    let aside = aside(root)?;
    let made = make(&aside, outside, remote, make_ledger).and_then(|()| {
        disk.remove(root)?;
        Ok(disk.rename(&aside, root)?)
    });
    if made.is_err() {
        disk.remove(&aside)?;
    }
    made
}

/// Returns the temporary folder where a town is created before it gets its name. A killed install then leaves no partial town.
fn aside(root: &Path) -> Result<std::path::PathBuf> {
    let name = root.file_name().and_then(|name| name.to_str()).ok_or_else(|| Error::Usage {
        what: format!("{} can't be a town's folder", root.display()),
        hint: "gt install ~/gt".to_owned(),
    })?;
    Ok(root.with_file_name(format!(".{name}.gt-installing")))
}

fn make(
    at: &Path,
    outside: &Outside,
    remote: Option<&str>,
    make_ledger: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let disk = outside.world.disk();
    let layout = Layout::new(at);
    disk.remove(at)?;
    // Only its owner may read the folder, because it will hold what agents say and are told.
    disk.create_private_dir(at)?;
    for folder in [
        layout.formulas(),
        layout.bin(),
        layout.logs(),
        layout.deacon().join("locks"),
        at.join("mayor"),
        at.join("directives"),
    ] {
        disk.create_dir(&folder)?;
    }
    for name in ["gt", "bd"] {
        disk.link(&layout.bin().join(name), &outside.gt)?;
    }
    shipped::write(disk, &layout.formulas())?;
    make_ledger(at)?;
    disk.write(&layout.settings(), settings_text(remote).as_bytes())?;
    Ok(())
}

fn settings_text(remote: Option<&str>) -> String {
    let sync = remote.map(|remote| format!("\nsync.remote = {}\n", toml::Value::from(remote)));
    format!("{TOWN_TOML}{}", sync.unwrap_or_default())
}

/// Records the town's id and the overseer's current PATH.
fn record_origin(ledger: &Ledger, outside: &Outside) -> Result<()> {
    let id = gt_model::id::hex(&(outside.entropy)());
    let path = outside.env.get("PATH").cloned().unwrap_or_default();
    ledger.write("overseer", "install", |tx| {
        tx.set_meta("town_id", &id)?;
        tx.set_meta(PATH_KEY, &path)?;
        tx.event("town-installed", &id, None, None, None)?;
        Ok(())
    })
}
