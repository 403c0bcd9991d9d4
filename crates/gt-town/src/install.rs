//! Making a town: all of it, or nothing.

use std::path::Path;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::town::{Outside, Town};
use crate::worker_env::PATH_KEY;

const TOWN_TOML: &str = "\
# Settings of this town. Every key has a default; `gt help town` explains them.
version = 1
";

/// Makes a town at `root`: a new folder, or an empty one.
pub fn install(root: &Path, outside: &Outside) -> Result<Town> {
    let disk = outside.world.disk();
    if disk.exists(&Layout::new(root).settings()) {
        return Err(Error::TownExists(root.to_owned()));
    }
    if let Some(outer) = root.ancestors().skip(1).find(|above| disk.exists(&Layout::new(above).settings())) {
        let what = format!("{} would be inside the town {}", root.display(), outer.display());
        return Err(Error::refused(what, "choose a folder outside of it"));
    }
    // Asked by reading it: the names in a file are none, as those in an empty folder.
    if matches!(disk.read(root), Ok(Some(_))) {
        let what = format!("{} is a file", root.display());
        return Err(Error::refused(what, "a town wants a new or empty folder: gt install <path>"));
    }
    if !disk.list(root)?.is_empty() {
        return Err(Error::NotEmpty(root.to_owned()));
    }
    let aside = aside(root)?;
    let made = make(&aside, outside).and_then(|()| {
        disk.remove(root)?;
        Ok(disk.rename(&aside, root)?)
    });
    if let Err(error) = made {
        disk.remove(&aside)?;
        return Err(error);
    }
    Town::open(root, outside.clone())
}

/// Where the town is made before it gets its name, so that a killed install leaves no half town.
fn aside(root: &Path) -> Result<std::path::PathBuf> {
    let name = root.file_name().and_then(|name| name.to_str()).ok_or_else(|| Error::Usage {
        what: format!("{} can't be a town's folder", root.display()),
        hint: "gt install ~/gt".to_owned(),
    })?;
    Ok(root.with_file_name(format!(".{name}.gt-installing")))
}

fn make(at: &Path, outside: &Outside) -> Result<()> {
    let disk = outside.world.disk();
    let layout = Layout::new(at);
    disk.remove(at)?;
    for folder in
        [layout.formulas(), layout.bin(), layout.logs(), layout.deacon(), at.join("mayor"), at.join("directives")]
    {
        disk.create_dir(&folder)?;
    }
    for name in ["gt", "bd"] {
        disk.link(&layout.bin().join(name), &outside.gt)?;
    }
    let ledger = Ledger::create(&layout.ledger(), outside.world.clone())?;
    record_origin(&ledger, outside)?;
    drop(ledger);
    disk.write(&layout.settings(), TOWN_TOML.as_bytes())?;
    Ok(())
}

/// Writes down what a town is bound to: its id, and the overseer's PATH as it is now.
pub fn record_origin(ledger: &Ledger, outside: &Outside) -> Result<()> {
    let id = gt_model::id::hex(&(outside.entropy)());
    let path = outside.env.get("PATH").cloned().unwrap_or_default();
    ledger.write("overseer", "install", |tx| {
        tx.set_meta("town_id", &id)?;
        tx.set_meta(PATH_KEY, &path)?;
        tx.event("town-installed", &id, None, None, None)?;
        Ok(())
    })
}
