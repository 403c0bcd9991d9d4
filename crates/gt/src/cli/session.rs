//! What sessions run in.

use clap::ValueEnum;
use gt_model::runtime::RuntimeChoice;

/// What sessions run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeArg {
    /// In tmux where there is one that will do, else headless.
    Auto,
    /// In a terminal of the town's own tmux.
    Tmux,
    /// Without a terminal.
    Headless,
}

impl From<RuntimeArg> for RuntimeChoice {
    fn from(arg: RuntimeArg) -> Self {
        match arg {
            RuntimeArg::Auto => Self::Auto,
            RuntimeArg::Tmux => Self::Tmux,
            RuntimeArg::Headless => Self::Headless,
        }
    }
}
