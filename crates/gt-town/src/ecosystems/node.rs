//! Node packages: decides which of their scripts become gates, and answers the table's conditions about them.

use gt_model::check_kind::{Kind, Scripts};
use serde_json::Value;

use super::Rule;
use super::project::{Project, join};
use super::table::Place;
use super::{Found, Origin};
use crate::town::error::Result;

/// Tables of a manifest that name packages.
const DEPENDENCIES: &[&str] = &["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// Names of test scripts if none is called `test`, in order of preference.
const TEST_NAMES: &[&str] =
    &["test:unit", "test:ci", "tests", "unit", "test:run", "jest", "vitest", "mocha", "ci", "check"];

/// Parts of a script at the top of a workspace that show that it runs the members too.
const RUNS_MEMBERS: &[&str] = &[
    "turbo",
    "nx ",
    "lerna",
    "--workspaces",
    "-ws",
    " -r ",
    "--recursive",
    "workspaces ",
    "--filter",
    "wsrun",
    "wireit",
    "moon ",
    "rush ",
    "jest",
    "vitest",
];

/// A package's manifest.
#[derive(Clone, Debug, Default)]
pub struct Package(Value);

impl Package {
    /// Reads the manifest of a folder in a project.
    pub fn of(project: &Project<'_>, folder: &str) -> Result<Self> {
        Ok(Self(project.data(&join(folder, "package.json"))?))
    }

    fn scripts(&self) -> Scripts {
        let scripts = self.0["scripts"].as_object().into_iter().flatten();
        Scripts(scripts.filter_map(|(name, line)| Some((name.clone(), line.as_str()?.to_owned()))).collect())
    }

    /// Whether it has a test script. The one that `npm init` writes only says that there is none.
    fn has_test(&self) -> bool {
        self.0["scripts"]["test"].as_str().is_some_and(|script| !script.contains("no test specified"))
    }

    fn needs_others(&self) -> bool {
        let is_full = |name: &str| self.0[name].as_object().is_some_and(|table| !table.is_empty());
        DEPENDENCIES.iter().any(|name| is_full(name))
    }

    /// Returns `@1.2.3` if the manifest names the version of its package manager.
    fn manager_version(&self) -> Option<String> {
        let (_, version) = self.0["packageManager"].as_str()?.split_once('@')?;
        let plain: String = version.chars().take_while(|c| c.is_ascii_alphanumeric() || ".-".contains(*c)).collect();
        (!plain.is_empty()).then(|| format!("@{plain}"))
    }
}

/// Answers the table's conditions about a Node package.
pub fn look(place: &mut Place<'_>) -> Result<()> {
    if !place.project.has("package.json") {
        return Ok(());
    }
    let package = Package::of(&place.project, "")?;
    let members = members(&place.project, &package)?;
    let needs_others = members.iter().try_fold(package.needs_others(), |known, member| {
        Ok::<_, crate::town::error::Error>(known || Package::of(&place.project, member)?.needs_others())
    })?;
    let is_bun_test =
        |name: &str| [".test.ts", ".test.js", ".test.tsx", "_test.ts"].iter().any(|end| name.ends_with(end));
    let facts = [
        ("dependencies", needs_others || !members.is_empty()),
        ("test-script", package.has_test()),
        ("bun-tests", !place.project.files(is_bun_test)?.is_empty()),
    ];
    place.facts.extend(facts.iter().filter(|(_, holds)| *holds).map(|(name, _)| (*name).to_owned()));
    let version = match package.manager_version() {
        Some(version) => version,
        None => version_by_lock(&place.project)?,
    };
    place.words.insert("version".to_owned(), version);
    Ok(())
}

/// Returns the version of pnpm that wrote a lock file. Other versions refuse to respect the file.
fn version_by_lock(project: &Project<'_>) -> Result<String> {
    let lock = project.text("pnpm-lock.yaml")?.unwrap_or_default();
    let first = lock.lines().find_map(|line| line.strip_prefix("lockfileVersion:"));
    let version = match first.map(|text| text.trim().trim_matches(['\'', '"'])) {
        Some(text) if text.starts_with("5.") => "@7",
        Some(text) if text.starts_with("6.") => "@8",
        Some(text) if text.starts_with("9.") => "@9",
        _ => "",
    };
    Ok(version.to_owned())
}

/// Returns the folders of a package's workspaces.
fn members(project: &Project<'_>, package: &Package) -> Result<Vec<String>> {
    let listed = &package.0["workspaces"];
    let own = listed.as_array().or_else(|| listed["packages"].as_array()).cloned();
    let pnpm = project.data("pnpm-workspace.yaml")?["packages"].as_array().cloned();
    let mut folders = Vec::new();
    for pattern in own.into_iter().chain(pnpm).flatten() {
        let Some(pattern) = pattern.as_str().filter(|pattern| !pattern.starts_with('!')) else { continue };
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        match pattern.strip_suffix("/**").or_else(|| pattern.strip_suffix("/*")) {
            Some(above) => folders.extend(project.names(above)?.into_iter().map(|name| join(above, &name))),
            None if pattern == "*" => folders.extend(project.names("")?),
            None => folders.push(pattern.to_owned()),
        }
    }
    folders.retain(|folder| project.has(&join(folder, "package.json")));
    folders.dedup();
    Ok(folders)
}

/// Name of the word that tells how a tool above the package managers runs a script in all members.
const TOOL: &str = "members-tool";

/// Records the rule of such a tool for the package manager's rule, which comes later.
pub(crate) fn note_tool(place: &mut Place<'_>, rule: &Rule) {
    if let (None, Some(members)) = (&rule.scripts, &rule.members) {
        place.words.insert(TOOL.to_owned(), members.clone());
    }
}

/// Whether a project that nx knows has a test target, which need not be a script.
fn has_test_target(project: &Project<'_>) -> Result<bool> {
    for file in project.files(|name| name == "project.json")? {
        if project.data(&file)?["targets"]["test"].is_object() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds the gates of a package from its scripts.
pub fn gates(place: &Place<'_>, rule: &Rule, found: &mut Found) -> Result<()> {
    let Some(run) = &rule.scripts else { return Ok(()) };
    let package = Package::of(&place.project, "")?;
    let (scripts, test) = (package.scripts(), test_script(&package));
    let mut members_have_tests = false;
    for member in members(&place.project, &package)? {
        members_have_tests |= Package::of(&place.project, &member)?.has_test();
    }
    let line = |pattern: &str, script: &str| -> Result<String> {
        let call = place.fill(rule, &pattern.replace("{script}", script))?;
        // npm has a shorter form of this command.
        let rest = call.strip_prefix("npm run test").filter(|rest| rest.is_empty() || rest.starts_with(' '));
        Ok(rest.map_or(call.clone(), |rest| format!("npm test{rest}")))
    };
    let reached = test.as_deref().map(|name| scripts.reached(name)).unwrap_or_default();
    for (script, kind) in others(&scripts, &reached) {
        let origin = Origin::file(&format!("package.json, script {script}"));
        found.gate(&format!("{}-{}", rule.of_program(), script.replace(':', "-")), kind, line(run, &script)?, origin);
    }
    let runs_members =
        |name: &String| scripts.0.get(name).is_some_and(|line| RUNS_MEMBERS.iter().any(|word| line.contains(word)));
    let tool = place.words.get(TOOL);
    if tool.is_some() && !members_have_tests {
        members_have_tests = has_test_target(&place.project)?;
    }
    match (tool.or(rule.members.as_ref()), test) {
        // The script at the top may not test the members.
        (Some(all), test) if members_have_tests && !test.as_ref().is_some_and(runs_members) => {
            let origin = Origin::file("package.json, script test of each member");
            found.gate(&format!("{}-test", rule.of_program()), Kind::Test, line(all, "test")?, origin);
        }
        (_, Some(test)) => {
            let origin = Origin::file(&format!("package.json, script {test}"));
            let run = format!("{}{}{}", before(&scripts, &test), line(run, &test)?, behind(&scripts, &test));
            found.gate(&format!("{}-test", rule.of_program()), Kind::Test, run, origin);
        }
        (_, None) => {}
    }
    Ok(())
}

/// Returns the flag that makes a test runner exit by itself.
fn behind(scripts: &Scripts, test: &str) -> &'static str {
    let line = scripts.0.get(test).map(String::as_str).unwrap_or_default();
    if line.starts_with("ng test") && !line.contains("--watch") {
        " -- --watch=false --browsers=ChromeHeadless"
    } else {
        ""
    }
}

fn before(scripts: &Scripts, test: &str) -> &'static str {
    let line = scripts.0.get(test).map(String::as_str).unwrap_or_default();
    let watches = line.contains("react-scripts test") || line.contains("craco test");
    if watches { "CI=true " } else { "" }
}

/// Returns the script that tests a package. A script that runs until it is stopped does not count.
fn test_script(package: &Package) -> Option<String> {
    let scripts = package.scripts();
    let is_fit = |name: &str| {
        let kinds = scripts.kinds(name);
        !kinds.iter().any(|kind| matches!(kind, Kind::Publish | Kind::Endless))
    };
    if package.has_test() && is_fit("test") {
        return Some("test".to_owned());
    }
    let tests = |name: &&str| scripts.kinds(name).contains(&Kind::Test) && is_fit(name) && !is_aside(name);
    let preferred = TEST_NAMES.iter().copied().find(tests);
    let any = || scripts.0.keys().map(String::as_str).find(tests);
    preferred.or_else(any).map(str::to_owned)
}

/// Parts of names of scripts that are for interactive use or need more than a checkout.
const ASIDE: &[&str] = &[
    "watch",
    "fix",
    "dev",
    "serve",
    "start",
    "debug",
    "e2e",
    "browser",
    "browsers",
    "bench",
    "benchmark",
    "perf",
    "prepare",
    "prepublish",
    "prepublishOnly",
    "postinstall",
    "install",
    "version",
    "update",
    "snapshot",
    "coverage",
    "docs",
    "doc",
    "storybook",
    "integration",
    "staged",
    "ui",
    "example",
    "examples",
    "size",
    "smoke",
];

fn is_aside(name: &str) -> bool {
    let is_hook = name.strip_prefix("pre").or_else(|| name.strip_prefix("post")).is_some_and(|rest| !rest.is_empty());
    is_hook && !name.starts_with("prettier") || name.split([':', '-', '.']).any(|part| ASIDE.contains(&part))
}

/// Returns the scripts beside the tests that become gates, by purpose: lint, format, types, then build.
fn others(scripts: &Scripts, tested: &[String]) -> Vec<(String, Kind)> {
    let mut covered: Vec<String> = tested.to_vec();
    let mut chosen = Vec::new();
    for kind in [Kind::Lint, Kind::Format, Kind::Types, Kind::Build] {
        let mut names: Vec<&String> = scripts.0.keys().collect();
        // Prefer a script named after its purpose; the others may be parts of it.
        names.sort_by_key(|name| (!is_called_for(name, kind), name.len()));
        for name in names {
            let kinds = scripts.kinds(name);
            let fits = match kind {
                Kind::Build => is_called_for(name, kind) && kinds.contains(&kind),
                kind => {
                    kinds.contains(&kind)
                        && kinds.iter().all(|kind| matches!(kind, Kind::Lint | Kind::Format | Kind::Types))
                }
            };
            let is_allowed =
                !kinds.iter().any(|kind| matches!(kind, Kind::Publish | Kind::Endless | Kind::Rewrite | Kind::SetUp));
            if fits && is_allowed && !is_aside(name) && !covered.contains(name) && name != "test" {
                covered.extend(scripts.reached(name));
                chosen.push((name.clone(), kind));
            }
        }
    }
    chosen
}

fn is_called_for(name: &str, kind: Kind) -> bool {
    match kind {
        Kind::Lint => name == "lint",
        Kind::Format => ["format:check", "check:format", "format-check", "prettier"].contains(&name),
        Kind::Types => ["typecheck", "type-check", "types", "check-types", "tsc"].contains(&name),
        Kind::Build => name == "build" || name == "compile",
        _ => false,
    }
}
