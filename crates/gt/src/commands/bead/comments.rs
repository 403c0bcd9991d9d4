//! `gt bead comments`.

use clap::Args;
use serde_json::Value;

use super::comment::add_comment;
use crate::commands::bead::text::{FromArgs, TextArgs};
use crate::commands::bead::{found_bead, shapes};
use crate::console::{Console, printable, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// List a bead's comments: `comments <id>`; or add one: `comments add <id> <text>`
#[derive(Debug, Args)]
pub struct CommentsArgs {
    /// The bead; or `add`, a bead and a text
    #[arg(required = true)]
    words: Vec<String>,
    /// Source of the text.
    #[command(flatten)]
    from: FromArgs,
    /// The author [default: you]; an agent has the name of its session
    #[arg(long, short)]
    author: Option<String>,
    #[arg(long, hide = true)]
    local_time: bool,
}

/// Runs `gt bead comments`.
pub fn comments(args: &CommentsArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let id = match args.words.as_slice() {
        [add, id, text @ ..] if add == "add" => {
            let text = TextArgs { text: text.to_vec(), from: args.from.clone() };
            return add_comment(id, &text, args.author.as_deref(), context, console);
        }
        [id] => id,
        _ => return Err(CliError::usage("name one bead", "bd comments <id>, or bd comments add <id> <text>")),
    };
    let bead = found_bead(id, context)?;
    if console.is_json() {
        return console.document(&Value::from(shapes::comments(&bead)));
    }
    for comment in &bead.comments {
        let (author, at) = (printable(&comment.author), printable(&comment.created_at));
        console.line(&format!("{author} ({at}): {}", printable_lines(&comment.text)))?;
    }
    Ok(0)
}
