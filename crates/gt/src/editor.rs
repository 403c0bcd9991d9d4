//! Opens the person's own editor on a copy of a text.

#![expect(
    clippy::disallowed_methods,
    reason = "a person's own program on the person's own terminal, beside the engine"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::error::CliError;

/// A text that a person has edited, in a file that is deleted with this value unless it is kept.
pub struct Edited {
    /// Text as the person left it.
    pub text: String,
    file: tempfile::NamedTempFile,
}

impl Edited {
    /// Keeps the file. Returns its path.
    pub fn keep(self) -> Result<PathBuf, CliError> {
        let (_, path) = self.file.keep().map_err(|error| CliError::Io(error.error))?;
        Ok(path)
    }
}

/// Lets the person edit a text, in a file whose name ends with `suffix`.
pub fn edit(text: &str, suffix: &str, env: &BTreeMap<String, String>) -> Result<Edited, CliError> {
    let named = ["VISUAL", "EDITOR"].iter().filter_map(|name| env.get(*name)).find(|named| !named.trim().is_empty());
    let editor = named.map_or("vi", String::as_str);
    // Only the owner may read it, since that may hold for the file that it copies.
    let mut file = tempfile::Builder::new().prefix("gt-").suffix(suffix).tempfile()?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    let run = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path()).status()?;
    if !run.success() {
        return Err(CliError::Usage {
            what: format!("the editor `{editor}` failed, so nothing was changed"),
            hint: "EDITOR names another one".to_owned(),
        });
    }
    let text = std::fs::read_to_string(file.path())?;
    Ok(Edited { text, file })
}
