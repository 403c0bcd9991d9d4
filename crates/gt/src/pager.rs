//! Shows long text in the person's own pager.

#![expect(
    clippy::disallowed_methods,
    reason = "a person's own program on the person's own terminal, beside the engine"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

/// Default pager: exits at once where all fits on the screen, shows colours, leaves the text on the screen.
const DEFAULT: &str = "less -FRX";

/// Exit code of a shell that does not find the program.
const NOT_FOUND: i32 = 127;

/// Shows a text, and waits until the person has read it. Returns false, with nothing shown, where there is no pager.
pub fn show(text: &str, env: &BTreeMap<String, String>) -> bool {
    let named = env.get("GT_PAGER").or_else(|| env.get("PAGER")).map_or(DEFAULT, |named| named.trim());
    if named.is_empty() || named == "cat" {
        return false;
    }
    let child = Command::new("sh").args(["-c", named]).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut input) = child.stdin.take() {
        // A person who has read enough closes the pager, so a failed write is no error.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().is_ok_and(|status| status.code() != Some(NOT_FOUND))
}
