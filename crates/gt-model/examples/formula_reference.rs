//! Prints the reference of all keys of formulas. Everything after `<!-- reference -->` in `docs/formulas.md` is this text.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(gt_model::formula::reference().as_bytes())
}
