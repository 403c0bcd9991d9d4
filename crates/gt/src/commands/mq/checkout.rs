//! `gt mq checkout`.

use std::path::{Path, PathBuf};

use clap::Args;
use gt_model::id::MrId;
use gt_town::refinery::review;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Write a merge request's files to a folder to try them, and print how to fetch it into your own clone
#[derive(Debug, Args)]
pub struct CheckoutArgs {
    /// Its id, a unique part of it, or its bead's id
    id: String,
    /// A new folder [default: a temporary one]
    folder: Option<PathBuf>,
    /// Delete that folder
    #[arg(long)]
    remove: bool,
}

/// Runs `gt mq checkout`.
pub fn checkout(args: &CheckoutArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mr = review::find(&context.town, &args.id)?.id;
    let folder = args.folder.as_deref().map_or_else(|| temporary(context, &mr), |folder| absolute(context, folder));
    if args.remove {
        review::remove_checkout(&context.town, mr.as_str(), &folder)?;
        if console.is_json() {
            return console.facts("gt.mq-checkout-removed/1", "folder", folder.display().to_string());
        }
        console.say(&format!("{} is deleted; {mr} is unchanged", folder.display()))?;
        return Ok(0);
    }
    let made = review::checkout(&context.town, mr.as_str(), &folder)?;
    if console.is_json() {
        return console.facts("gt.mq-checkout/1", "checkout", made);
    }
    console.line(&format!("{} at {} is in {}", made.mr, made.head.short(), made.folder.display()))?;
    if let Some(note) = &made.note {
        console.line(&format!("  {}", printable(note)))?;
    }
    console.line("  look, build and run there: gt moves no branch and pushes nothing")?;
    console.line(&format!("  to delete it: gt mq checkout {} {} --remove", made.mr, made.folder.display()))?;
    console.line("to have it in your own clone, type there:")?;
    console.line(&format!("  {}", made.fetch))?;
    Ok(0)
}

/// Returns a folder for one merge request of this town, the same each time.
fn temporary(context: &Context<'_>, mr: &MrId) -> PathBuf {
    let base = context.process.env.get("TMPDIR").filter(|dir| !dir.is_empty()).map_or("/tmp", String::as_str);
    let town = gt_model::id::sha256_hex(&context.town.layout.root.display().to_string());
    absolute(context, Path::new(base)).join(format!("gt-{}-{mr}", &town[..8]))
}

fn absolute(context: &Context<'_>, path: &Path) -> PathBuf {
    crate::context::absolute(context.process, path)
}
