//! Formulas of a town: where they lie and which one a name means.
//!
//! [`Town::formula`] looks for a formula in the rig's folder, in the town's folder, and in the binary, in this order, and puts it together
//! with the formulas that it refers to and with the overlays of each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::bead::Bead;
use gt_model::formula::{Act, Finding, Formula, FormulaError, Library, Overlay, Patrol, Resolved};

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
    /// The project's repository, as the overseer allowed it.
    Project {
        /// Name of the rig.
        rig: String,
        /// Path in the repository.
        path: String,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn(_) => f.write_str("this gt"),
            Self::Project { rig, path } => write!(f, "{path} of the project of {rig}, as you allowed it"),
        }
    }
}

impl Origin {
    /// Returns the name that errors show.
    fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn(name) => format!("{name}.toml"),
            Self::Project { path, .. } => path.clone(),
        }
    }
}

impl Town {
    /// Returns the formula with this name, as a rig sees it, or as the town does.
    pub fn formula(&self, rig: Option<&Rig>, name: &str) -> Result<Found> {
        let reader = Reader::of(self, rig)?.all(name)?;
        let resolved = reader.library.resolve(name).map_err(|source| unusable(name, source))?;
        Ok(Found { resolved, origins: reader.origins })
    }

    /// Returns all that can be said about a formula without values for its variables, also about the files that it is made of.
    pub fn check_formula(&self, rig: Option<&Rig>, name: &str) -> Result<Vec<Finding>> {
        findings(Reader::of(self, rig)?.all(name).map(|reader| reader.library.check(name)))
    }

    /// Checks a text as the formula of a file, together with the formulas that it refers to. Returns the formula's name, if it has
    /// one, and all findings.
    pub fn check_formula_text(
        &self,
        rig: Option<&Rig>,
        file: &str,
        text: &str,
    ) -> Result<(Option<String>, Vec<Finding>)> {
        if file.ends_with(OVERLAY) {
            return self.check_overlay_text(rig, file, text);
        }
        let formula = match Formula::parse(file, text) {
            Ok(formula) => formula,
            Err(error) => return Ok((None, error.0)),
        };
        let name = formula.name.clone();
        let mut reader = Reader::of(self, rig)?;
        reader.library.add(formula);
        let checked =
            reader.overlays(&name).and_then(|()| reader.references()).map(|reader| reader.library.check(&name));
        Ok((Some(name), findings(checked)?))
    }

    fn check_overlay_text(&self, rig: Option<&Rig>, file: &str, text: &str) -> Result<(Option<String>, Vec<Finding>)> {
        let overlay = match Overlay::parse(file, text) {
            Ok(overlay) => overlay,
            Err(error) => return Ok((None, error.0)),
        };
        let name = overlay.name.clone();
        let mut reader = Reader::of(self, rig)?;
        let (origin, text) = reader.own(&name)?.ok_or_else(|| Error::UnknownFormula(name.clone()))?;
        let checked =
            Formula::parse(&origin.shown(), &text).map_err(|source| unusable(&name, source)).and_then(|formula| {
                reader.library.add(formula);
                reader.library.overlay(overlay);
                Ok(reader.references()?.library.check(&name))
            });
        Ok((Some(name), findings(checked)?))
    }

    /// Returns the names of all formulas that a rig sees, or the town, and where each comes from.
    pub fn formulas(&self, rig: Option<&Rig>) -> Result<BTreeMap<String, Origin>> {
        let reader = Reader::of(self, rig)?;
        let mut all: BTreeMap<String, Origin> = BTreeMap::new();
        all.extend(BUILT_IN.iter().map(|(name, _)| ((*name).to_owned(), Origin::BuiltIn((*name).to_owned()))));
        for shelf in reader.shelves().into_iter().rev() {
            match shelf {
                Shelf::Folder(folder) => {
                    let files = self.world().disk().list_own(&folder)?;
                    let formula =
                        |file: &String| Some((formula_name(file)?.to_owned(), Origin::File(folder.join(file))));
                    all.extend(files.iter().filter_map(formula));
                }
                Shelf::Project => all.extend(reader.allowed.keys().filter_map(|path| {
                    Some((formula_name(path.rsplit('/').next()?)?.to_owned(), reader.project(path)?))
                })),
            }
        }
        Ok(all)
    }

    /// Returns the texts of a project's formulas that the overseer has allowed, by path in its repository.
    pub(crate) fn allowed_formulas(&self, rig: &Rig) -> Result<BTreeMap<String, String>> {
        let kept = self.ledger.read(|view| view.meta(&allowed_key(rig)).map_err(Error::from))?;
        Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
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
        let reader = Reader::of(self, rig)?;
        let own = reader.own(name)?.map(|(_, text)| text).into_iter();
        let overlays = reader.shelves().into_iter().map(|shelf| reader.on_shelf(&shelf, &format!("{name}{OVERLAY}")));
        let overlays: Vec<Option<(Origin, String)>> = overlays.collect::<Result<_>>()?;
        let overlays = overlays.into_iter().map(|overlay| overlay.map(|(_, text)| text).unwrap_or_default());
        Ok(own.chain(overlays).collect())
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

/// Key under which the ledger keeps the allowed formulas of a project.
pub(crate) fn allowed_key(rig: &Rig) -> String {
    format!("formulas:{}", rig.name())
}

/// Folder of formulas in a project's repository.
pub const PROJECT_FOLDER: &str = ".gastown/formulas";

/// Ending of overlays.
const OVERLAY: &str = ".overlay.toml";

/// Returns the name of the formula that a file holds. `None` for overlays and other files.
pub(crate) fn formula_name(file: &str) -> Option<&str> {
    if file.ends_with(OVERLAY) {
        return None;
    }
    let name = [".formula.toml", ".formula.json", ".toml"].iter().find_map(|ending| file.strip_suffix(ending))?;
    is_plain(name).then_some(name)
}

/// Returns the findings of a formula that may be unusable.
fn findings(checked: Result<Vec<Finding>>) -> Result<Vec<Finding>> {
    match checked {
        Err(Error::Formula { fault, .. }) => Ok(fault.0),
        other => other,
    }
}

fn unusable(name: &str, fault: FormulaError) -> Error {
    Error::Formula { name: name.to_owned(), fault }
}

/// Whether a name can be the name of a file in a folder of formulas.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A place that may hold formulas.
enum Shelf {
    /// A folder of the town.
    Folder(PathBuf),
    /// The project's repository.
    Project,
}

/// Reads formulas that refer to each other.
struct Reader<'t> {
    town: &'t Town,
    rig: Option<&'t Rig>,
    /// Texts of the project's allowed formulas.
    allowed: BTreeMap<String, String>,
    library: Library,
    origins: Vec<Origin>,
}

impl<'t> Reader<'t> {
    fn of(town: &'t Town, rig: Option<&'t Rig>) -> Result<Self> {
        let allowed = rig.map_or_else(|| Ok(BTreeMap::new()), |rig| town.allowed_formulas(rig))?;
        Ok(Self { town, rig, allowed, library: Library::default(), origins: Vec::new() })
    }

    /// Reads a formula with all that it refers to.
    fn all(mut self, name: &str) -> Result<Self> {
        if !self.read(name)? {
            return Err(Error::UnknownFormula(name.to_owned()));
        }
        self.references()
    }

    /// Reads what the formulas in the library refer to.
    fn references(mut self) -> Result<Self> {
        while let Some(missing) = self.library.missing().map(str::to_owned) {
            if !self.read(&missing)? {
                self.library.absent(&missing);
            }
        }
        Ok(self)
    }

    /// Reads a formula and its overlays into the library. Returns whether there is one.
    fn read(&mut self, name: &str) -> Result<bool> {
        if !is_plain(name) {
            return Ok(false);
        }
        let Some((origin, text)) = self.own(name)? else { return Ok(false) };
        self.library.add(Formula::parse(&origin.shown(), &text).map_err(|source| unusable(name, source))?);
        self.origins.push(origin);
        self.overlays(name)?;
        Ok(true)
    }

    /// Reads the overlays of a formula: the town's applies before the project's, and that before the rig's.
    fn overlays(&mut self, name: &str) -> Result<()> {
        for shelf in self.shelves().into_iter().rev() {
            let Some((origin, text)) = self.on_shelf(&shelf, &format!("{name}{OVERLAY}"))? else { continue };
            let overlay = Overlay::parse(&origin.shown(), &text);
            self.library.overlay(overlay.map_err(|source| unusable(name, source))?);
            self.origins.push(origin);
        }
        Ok(())
    }

    /// Returns the places that may hold formulas, the first first. A rig's folder is usually a link to the town's.
    fn shelves(&self) -> Vec<Shelf> {
        let town = self.town.layout.formulas();
        let own = self.rig.map(|rig| rig.layout.formulas()).filter(|own| !self.is_same(own, &town)).map(Shelf::Folder);
        let project = (!self.allowed.is_empty()).then_some(Shelf::Project);
        own.into_iter().chain(project).chain([Shelf::Folder(town)]).collect()
    }

    fn is_same(&self, own: &Path, town: &Path) -> bool {
        let real = |path: &Path| self.town.world().disk().real_path(path).ok();
        real(own).is_some_and(|own| Some(own) == real(town))
    }

    /// Returns the text of a formula without its overlays.
    fn own(&self, name: &str) -> Result<Option<(Origin, String)>> {
        for shelf in self.shelves() {
            for ending in ENDINGS {
                if let Some(found) = self.on_shelf(&shelf, &format!("{name}.{ending}"))? {
                    return Ok(Some(found));
                }
            }
        }
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        Ok(built_in.map(|(name, text)| (Origin::BuiltIn((*name).to_owned()), (*text).to_owned())))
    }

    fn on_shelf(&self, shelf: &Shelf, file: &str) -> Result<Option<(Origin, String)>> {
        match shelf {
            Shelf::Folder(folder) => {
                let path = folder.join(file);
                let bytes = self.town.world().disk().read_own(&path)?;
                Ok(bytes.map(|bytes| (Origin::File(path), String::from_utf8_lossy(&bytes).into_owned())))
            }
            Shelf::Project => {
                let path = format!("{PROJECT_FOLDER}/{file}");
                Ok(self.allowed.get(&path).cloned().and_then(|text| Some((self.project(&path)?, text))))
            }
        }
    }

    fn project(&self, path: &str) -> Option<Origin> {
        Some(Origin::Project { rig: self.rig?.name().to_string(), path: path.to_owned() })
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
