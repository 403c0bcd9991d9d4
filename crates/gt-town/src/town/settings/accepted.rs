//! Records the settings texts that a person's verb has written. Any other change of such a file while commands run is tampering.

use std::path::Path;

use gt_ledger::Tx;
use gt_model::id::sha256_hex;

use crate::town::Town;
use crate::town::error::{Error, Result};

fn key(path: &Path) -> String {
    format!("accepted-settings:{}", path.display())
}

/// Records that a person's verb writes this text into a settings file.
pub(crate) fn accept(tx: &Tx<'_>, path: &Path, text: &str) -> Result<()> {
    tx.set_meta(&key(path), &sha256_hex(text)).map_err(Error::from)
}

pub(crate) fn is_accepted(town: &Town, path: &Path, text: &str) -> Result<bool> {
    let accepted = town.ledger.read(|view| view.meta(&key(path)).map_err(Error::from))?;
    Ok(accepted.is_some_and(|accepted| accepted == sha256_hex(text)))
}
