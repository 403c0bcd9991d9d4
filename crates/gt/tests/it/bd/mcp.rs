//! The `beads-mcp` package from PyPI: its client and server are written for the Go `bd`, and run here against ours.

use std::io::Write as _;

use super::Project;
use crate::town::output;

/// Calls every operation and prints the name of each one that worked.
const CALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/bd/mcp_client.py");

/// Returns a Python that has the package. Returns `None` if `$GT_BEADS_MCP` names none; fails then if the test is
/// required.
#[expect(clippy::disallowed_methods, reason = "which tools the machine has is for the test to find out")]
fn python() -> Option<String> {
    let named = std::env::var("GT_BEADS_MCP").ok().filter(|path| std::path::Path::new(path).is_file());
    let required =
        std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "beads-mcp"));
    assert!(named.is_some() || !required, "GT_REQUIRE names beads-mcp, and GT_BEADS_MCP names no Python that has it");
    if named.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: GT_BEADS_MCP names no Python that has beads-mcp");
    }
    named
}

const OF_THE_CLIENT: &[&str] = &[
    "init",
    "create",
    "create with all there is",
    "create with an id",
    "show",
    "add_dependency",
    "ready",
    "list",
    "blocked",
    "update",
    "claim",
    "a refusal's reason",
    "a missing bead",
    "close",
    "reopen",
    "comment",
    "comments",
    "note",
    "stats",
    "quickstart",
    "inspect_migration",
    "schema",
    "repair_deps",
    "detect_pollution",
    "detect_pollution with clean",
    "validate",
];

const OF_THE_SERVER: &[&str] = &[
    "discover_tools",
    "get_tool_info",
    "context",
    "create",
    "list",
    "ready",
    "show",
    "claim",
    "update",
    "dep",
    "comment",
    "comments",
    "note",
    "blocked",
    "stats",
    "close",
    "reopen",
    "admin",
];

#[test]
fn every_operation_of_beads_mcp_works() {
    let Some(python) = python() else { return };
    let project = Project::bare();
    let mut command = project.program(&python);
    let said = output(command.env("BEADS_PATH", &project.bd).args([CALLS, project.bd.as_str()]));
    assert_eq!(said.code, 0, "{said:#?}");
    let names: Vec<&str> = said.out.lines().collect();
    let tools: Vec<String> = OF_THE_SERVER.iter().map(|name| format!("tool {name}")).collect();
    let expected: Vec<&str> =
        OF_THE_CLIENT.iter().copied().chain(tools.iter().map(String::as_str)).chain(["tools"]).collect();
    assert_eq!(names, expected, "each did, and none was left out");
}
