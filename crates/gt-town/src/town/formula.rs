//! Formulas of a town: where they lie and which one a name means.
//!
//! [`Town::formula`] looks for a formula in the rig's folder, in the town's folder, and in the binary, in this order, and puts it together
//! with the formulas that it refers to and with the overlays of each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::bead::Bead;
use gt_model::formula::{Act, Formula, FormulaError, Library, Overlay, Patrol, Resolved};

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Formulas in the binary, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("dep-update", include_str!("../../formulas/dep-update.toml")),
    ("mol-boot-triage", include_str!("../../formulas/mol-boot-triage.toml")),
    ("mol-code-review", include_str!("../../formulas/mol-code-review.toml")),
    ("mol-conflict-resolve", include_str!("../../formulas/mol-conflict-resolve.toml")),
    ("mol-deacon-patrol", include_str!("../../formulas/mol-deacon-patrol.toml")),
    ("mol-dog-backup", include_str!("../../formulas/mol-dog-backup.toml")),
    ("mol-dog-compactor", include_str!("../../formulas/mol-dog-compactor.toml")),
    ("mol-dog-doctor", include_str!("../../formulas/mol-dog-doctor.toml")),
    ("mol-dog-orphan-scan", include_str!("../../formulas/mol-dog-orphan-scan.toml")),
    ("mol-dog-reaper", include_str!("../../formulas/mol-dog-reaper.toml")),
    ("mol-dog-restore-drill", include_str!("../../formulas/mol-dog-restore-drill.toml")),
    ("mol-plan", include_str!("../../formulas/mol-plan.toml")),
    ("mol-polecat-report", include_str!("../../formulas/mol-polecat-report.toml")),
    ("mol-polecat-work", include_str!("../../formulas/mol-polecat-work.toml")),
    ("mol-refinery-patrol", include_str!("../../formulas/mol-refinery-patrol.toml")),
    ("mol-shutdown", include_str!("../../formulas/mol-shutdown.toml")),
    ("mol-witness-patrol", include_str!("../../formulas/mol-witness-patrol.toml")),
    ("security-audit", include_str!("../../formulas/security-audit.toml")),
    ("shiny", include_str!("../../formulas/shiny.toml")),
    ("tdd-cycle", include_str!("../../formulas/tdd-cycle.toml")),
    ("towers-of-hanoi", include_str!("../../formulas/towers-of-hanoi.toml")),
];

/// Endings of formula files: our own, and those of beads and the Go Gas Town.
const ENDINGS: [&str; 3] = ["toml", "formula.toml", "formula.json"];

/// A formula with everything that it is made of.
#[derive(Clone, Debug)]
pub struct Found {
    /// The formula, put together and checked.
    pub resolved: Resolved,
    /// Where its texts were read from, its own first.
    pub origins: Vec<Origin>,
}

/// Where a text was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The binary. The value is the formula's name.
    BuiltIn(String),
}

impl Origin {
    /// Returns the name that errors show.
    fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn(name) => format!("{name}.toml"),
        }
    }
}

impl Town {
    /// Returns the formula with this name, as a rig sees it, or as the town does.
    pub fn formula(&self, rig: Option<&Rig>, name: &str) -> Result<Found> {
        let mut reader = Reader { town: self, rig, library: Library::default(), origins: Vec::new() };
        if !reader.read(name)? {
            return Err(Error::UnknownFormula(name.to_owned()));
        }
        while let Some(missing) = reader.library.missing().map(str::to_owned) {
            if !reader.read(&missing)? {
                reader.library.absent(&missing);
            }
        }
        let resolved = reader.library.resolve(name).map_err(|source| unusable(name, source))?;
        Ok(Found { resolved, origins: reader.origins })
    }
}

/// The acts of a patrol, in order.
#[derive(Debug)]
pub struct PatrolActs {
    /// The acts.
    pub acts: Vec<Act>,
    /// Why the formula of the town can't be used, if so. The acts are then those of the formula in the binary.
    pub fault: Option<Error>,
}

impl Town {
    /// Returns the acts of a patrol as its formula says. A formula with a mistake must not stop a patrol, so the one in the binary
    /// replaces it.
    pub fn patrol(&self, rig: Option<&Rig>, patrol: Patrol) -> PatrolActs {
        let known = || self.patrols.borrow().get(patrol.formula()).cloned();
        let texts = match self.texts_of(rig, patrol.formula()) {
            Ok(texts) => texts,
            Err(fault) => return PatrolActs { acts: built_in_acts(patrol), fault: Some(fault) },
        };
        // Reading a formula takes longer than most looks, and it rarely changes.
        if let Some((_, acts)) = known().filter(|(of, _)| *of == texts) {
            return PatrolActs { acts, fault: None };
        }
        match self.read_patrol(rig, patrol) {
            Ok((acts, is_alone)) => {
                if is_alone {
                    self.patrols.borrow_mut().insert(patrol.formula(), (texts, acts.clone()));
                }
                PatrolActs { acts, fault: None }
            }
            Err(fault) => PatrolActs { acts: built_in_acts(patrol), fault: Some(fault) },
        }
    }

    /// Returns the acts, and whether the formula refers to no other.
    fn read_patrol(&self, rig: Option<&Rig>, patrol: Patrol) -> Result<(Vec<Act>, bool)> {
        let found = self.formula(rig, patrol.formula())?;
        let plan = found.resolved.plan(&BTreeMap::new()).map_err(|source| found.unusable(source))?;
        let acts = plan.acts(patrol).map_err(|what| Error::refused(what, "gt formula acts lists them"))?;
        Ok((acts, found.resolved.is_alone()))
    }

    /// Returns the texts of a formula and its overlays. A change of the formula changes them.
    fn texts_of(&self, rig: Option<&Rig>, name: &str) -> Result<Vec<String>> {
        let reader = Reader { town: self, rig, library: Library::default(), origins: Vec::new() };
        let own = reader.own(name)?.map(|(_, text)| text).into_iter();
        let overlays =
            reader.folders().into_iter().map(|folder| reader.text(&folder.join(format!("{name}.overlay.toml"))));
        let overlays: Vec<Option<String>> = overlays.collect::<Result<_>>()?;
        Ok(own.chain(overlays.into_iter().map(Option::unwrap_or_default)).collect())
    }
}

/// Returns the acts of a patrol's formula in the binary.
fn built_in_acts(patrol: Patrol) -> Vec<Act> {
    let (name, text) = BUILT_IN.iter().find(|(name, _)| *name == patrol.formula()).copied().unwrap_or_default();
    let mut library = Library::default();
    // They always parse: a test reads them.
    let acts = Formula::parse(name, text).and_then(|formula| {
        library.add(formula);
        library.resolve(name)?.plan(&BTreeMap::new())
    });
    acts.ok().and_then(|plan| plan.acts(patrol).ok()).unwrap_or_default()
}

/// Acts of patrols that were read before, each with the texts that they were read from, by the formula's name.
pub type KnownPatrols = RefCell<BTreeMap<&'static str, (Vec<String>, Vec<Act>)>>;

fn unusable(name: &str, source: FormulaError) -> Error {
    Error::Formula { name: name.to_owned(), source }
}

/// Whether a name can be the name of a file in a folder of formulas.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Reads formulas that refer to each other.
struct Reader<'t> {
    town: &'t Town,
    rig: Option<&'t Rig>,
    library: Library,
    origins: Vec<Origin>,
}

impl Reader<'_> {
    /// Reads a formula and its overlays into the library. Returns whether there is one.
    fn read(&mut self, name: &str) -> Result<bool> {
        if !is_plain(name) {
            return Ok(false);
        }
        let Some((origin, text)) = self.own(name)? else { return Ok(false) };
        self.library.add(Formula::parse(&origin.shown(), &text).map_err(|source| unusable(name, source))?);
        self.origins.push(origin);
        let mut before = None;
        // The town's overlay applies before the rig's.
        for folder in self.folders().into_iter().rev() {
            let path = folder.join(format!("{name}.overlay.toml"));
            let Some(text) = self.text(&path)? else { continue };
            // The rig's folder is usually a link to the town's.
            if before.as_ref() != Some(&text) {
                let overlay = Overlay::parse(&path.display().to_string(), &text);
                self.library.overlay(overlay.map_err(|source| unusable(name, source))?);
                self.origins.push(Origin::File(path));
            }
            before = Some(text);
        }
        Ok(true)
    }

    /// Returns the folders that may hold formulas, the first first. A rig's folder is usually a link to the town's.
    fn folders(&self) -> Vec<PathBuf> {
        let town = self.town.layout.formulas();
        self.rig.map(|rig| rig.layout.formulas()).into_iter().chain([town]).collect()
    }

    /// Returns the text of a formula without its overlays.
    fn own(&self, name: &str) -> Result<Option<(Origin, String)>> {
        for folder in self.folders() {
            for ending in ENDINGS {
                let path = folder.join(format!("{name}.{ending}"));
                if let Some(text) = self.text(&path)? {
                    return Ok(Some((Origin::File(path), text)));
                }
            }
        }
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        Ok(built_in.map(|(name, text)| (Origin::BuiltIn((*name).to_owned()), (*text).to_owned())))
    }

    fn text(&self, path: &Path) -> Result<Option<String>> {
        let bytes = self.town.world().disk().read_own(path)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl Found {
    /// Returns the error that this formula can't be used.
    pub fn unusable(&self, source: FormulaError) -> Error {
        unusable(&self.resolved.formula.name, source)
    }

    /// Adds a bead's id and title to the values of the variables `issue` and `title`, where the formula declares them and they
    /// have no value.
    pub fn add_bead(&self, vars: &mut BTreeMap<String, String>, bead: &Bead) {
        for (name, value) in [("issue", bead.id.as_str()), ("title", bead.title.as_str())] {
            if self.resolved.formula.vars.contains_key(name) {
                vars.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    }
}
