//! The work by the client alone: a worktree made by hand, without a town and without hooks.

use std::io::Write as _;
use std::process::Stdio;
use std::time::SystemTime;

use serde_json::json;

use super::{ALONE, Talk, WORK_CALLS};
use crate::bench::{finish, path, text};
use crate::e2e::Outfit;
use crate::e2e::client::Account;
use crate::e2e::town::TownStage;

/// Lets the client work on an item in a fresh worktree. The client starts as a town would start it, but without settings.
pub fn work(outfit: &Outfit, town: &TownStage, item: usize) -> Result<Talk, String> {
    let place = town.folder.join(format!("alone-{item:02}"));
    let remote = town.folder.join("remote.git");
    finish(town.command("git").args([
        "-C",
        &path(&remote),
        "worktree",
        "add",
        "-q",
        "--detach",
        &path(&place),
        "main",
    ]))?;
    let before = town.fake.sessions().len();
    let mut client = town.command(&outfit.client.program);
    client.args(["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]);
    client.args(["--permission-mode", "bypassPermissions"]);
    client.env_remove(Account::Key.variable().0).env_remove("GT_TOWN").current_dir(&place);
    client.stdin(Stdio::piped()).stdout(Stdio::null());
    let message = json!({"type": "user", "message": {"role": "user", "content": format!("{ALONE}: item {item:02}")}});
    let started = SystemTime::now();
    let mut client = client.spawn().map_err(text)?;
    // The client ends at the end of its input, once it has answered.
    client.stdin.take().map_or(Ok(()), |mut input| writeln!(input, "{message}")).map_err(text)?;
    let status = client.wait().map_err(text)?;
    let talk = Talk::newest(town, before, started, SystemTime::now())?;
    let is_done = std::fs::read_to_string(place.join("notes.txt")).map_err(text)?.contains(&format!("done-{item:02}"));
    if status.success() && is_done && talk.calls() == WORK_CALLS {
        Ok(talk)
    } else {
        Err(format!("{status}: not as the script has it"))
    }
}
