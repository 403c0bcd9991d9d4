//! `gt completions`.

use clap::{Args, ValueEnum};

use crate::cli::Group;
use crate::console::Console;
use crate::error::CliResult;

/// Print completions for a shell; they complete the ids of the town, too
///
/// bash:  gt completions bash > ~/.local/share/bash-completion/completions/gt
///
/// zsh:   gt completions zsh > <a folder of your $fpath>/_gt
///
/// fish:  gt completions fish > ~/.config/fish/completions/gt.fish
///
/// Or for this shell only: eval "$(gt completions bash)". `gt` must be in your PATH.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, display_order = Group::Other.order())]
pub struct CompletionsArgs {
    /// The shell
    shell: ShellArg,
}

/// Shells that have completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ShellArg {
    /// GNU bash, 4 or newer.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// Runs `gt completions`.
pub fn completions(args: &CompletionsArgs, console: &mut Console<'_>) -> CliResult {
    let text = match args.shell {
        ShellArg::Bash => include_str!("../complete/gt.bash"),
        ShellArg::Zsh => include_str!("../complete/gt.zsh"),
        ShellArg::Fish => include_str!("../complete/gt.fish"),
    };
    console.line(text.trim_end())?;
    Ok(0)
}
