//! Texts that a caller gives as words, in a file, or on standard input.

use std::path::{Path, PathBuf};

use clap::Args;
use gt_town::Error;

use crate::context::{Context, text_or_stdin};
use crate::error::CliError;

/// A text from words, from standard input or from a file.
#[derive(Clone, Debug, Args)]
pub struct TextArgs {
    /// The text; `-` reads it from standard input
    pub text: Vec<String>,
    /// Its source, if not the words.
    #[command(flatten)]
    pub from: FromArgs,
}

/// Source of a text.
#[derive(Clone, Debug, Args)]
pub struct FromArgs {
    /// Read the text from standard input
    #[arg(long)]
    stdin: bool,
    /// Read the text from a file
    #[arg(long, short)]
    file: Option<PathBuf>,
}

impl TextArgs {
    /// Returns the text.
    pub fn read(&self, context: &Context<'_>) -> Result<String, CliError> {
        match &self.from.file {
            Some(file) => text_of(file, context),
            None if self.from.stdin => text_or_stdin("-".to_owned()),
            None => text_or_stdin(self.text.join(" ")),
        }
    }
}

/// Maximum bytes of a text that is read from a file or from standard input.
const TEXT_LIMIT: u64 = 4 * 1024 * 1024;

/// Reads a text from a file; `-` is standard input.
pub fn text_of(file: &Path, context: &Context<'_>) -> Result<String, CliError> {
    if file.as_os_str() == "-" {
        return text_or_stdin("-".to_owned());
    }
    let path = context.process.cwd.join(file);
    let disk = context.town.world().disk();
    if disk.exists(&path) && disk.size(&path).map_err(Error::from)? > TEXT_LIMIT {
        return Err(CliError::usage(
            &format!("{} is larger than {TEXT_LIMIT} bytes", path.display()),
            "give a smaller text",
        ));
    }
    let bytes = disk.read_own(&path).map_err(Error::from)?.ok_or(Error::MissingFile(path))?;
    String::from_utf8(bytes).map_err(|_| CliError::usage("that file is not UTF-8", "save it as UTF-8"))
}
