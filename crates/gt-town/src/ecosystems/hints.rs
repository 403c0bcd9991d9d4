//! Completes the findings in a project's files with the commands that its CI runs.

use gt_model::check_kind::{Kind, bare, commands};

use super::ci::{self, Line};
use super::project::Project;
use super::{Found, FoundGate, Omitted, Origin, is_plain};
use crate::town::error::Result;

/// Maximum number of gates that CI may add.
const ADDED: usize = 6;

/// Flags that turn the same command into a different test.
const OTHER_TESTS: &[&str] = &["--all-features", "--no-default-features", "--features", "-race"];

/// Python programs that run as modules of the worktree's own environment.
const PYTHON_TOOLS: &[&str] =
    &["ruff", "mypy", "black", "isort", "flake8", "pylint", "pyright", "bandit", "codespell", "pytest"];

/// Packages for Python's own packaging, which an environment already has or does not need.
const PYTHON_MACHINERY: &[&str] = &[
    "pip",
    "setuptools",
    "wheel",
    "tox",
    "nox",
    "build",
    "twine",
    "poetry",
    "hatch",
    "uv",
    "pdm",
    "codecov",
    "coveralls",
    "pre-commit",
    "virtualenv",
    "tox-gh-actions",
    "flit",
    "cibuildwheel",
];

/// Start of a set-up that creates a Python environment with pip.
const BY_PIP: &str = "python3 -m venv .venv";

/// Adds the commands of a project's CI files to the findings.
pub fn complete(project: &Project<'_>, found: &mut Found) -> Result<()> {
    let ci = ci::read(project)?;
    if ci.lines.is_empty() && ci.notes.is_empty() {
        return Ok(());
    }
    found.notes.extend(ci.notes);
    let usable: Vec<&Line> = ci.lines.iter().filter(|line| line.left_out.is_none()).collect();
    leave_out_unchecked(found, &usable);
    set_up_python(project, found, &usable);
    for line in &ci.lines {
        take(found, line);
    }
    found.omitted.dedup_by(|one, other| one.run == other.run && one.why == other.why);
    Ok(())
}

/// Removes gates for things that the project's CI does not check, if it checks anything: its maintainers do without them.
fn leave_out_unchecked(found: &mut Found, lines: &[&Line]) {
    if !lines.iter().any(|line| line.kinds.contains(&Kind::Test)) {
        return;
    }
    let is_run = |gate: &FoundGate| {
        let script = gate.from.rsplit_once("script ").map(|(_, script)| script);
        lines.iter().any(|line| {
            let by_name = script.is_some_and(|script| line.run.split_whitespace().any(|word| word == script));
            by_name || line.kinds.iter().any(|kind| kind.as_str() == gate.kind)
        })
    };
    let (kept, left): (Vec<_>, Vec<_>) = std::mem::take(&mut found.gates)
        .into_iter()
        .partition(|gate| gate.kind == "test" || gate.kind == "build" && gate.from == "Cargo.toml" || is_run(gate));
    found.gates = kept;
    let omitted = left.into_iter().map(|gate| Omitted {
        run: gate.gate.run,
        from: gate.from,
        why: "CI does not run it".to_owned(),
    });
    found.omitted.extend(omitted);
}

fn take(found: &mut Found, line: &Line) {
    let Some(kind) = line.kinds.iter().copied().filter(|kind| kind.is_check()).max() else {
        if line.kinds.contains(&Kind::Publish) {
            omit(found, line, line.left_out.as_deref().unwrap_or("it publishes"));
        }
        return;
    };
    if let Some(known) = same(found, line, kind) {
        if !known.from.contains(&line.from) && !known.from.contains("; also in ") {
            known.from = format!("{}; also in {}", known.from, line.from);
        }
        return;
    }
    if let Some(why) = &line.left_out {
        return omit(found, line, why);
    }
    if !is_plain(&line.folder) {
        return omit(found, line, "its folder can't be named in a shell");
    }
    match why_not_added(found, line, kind) {
        Some(why) => omit(found, line, why),
        None => add(found, line, kind),
    }
}

fn omit(found: &mut Found, line: &Line, why: &str) {
    let omitted = Omitted { run: line.run.clone(), from: line.from.clone(), why: why.to_owned() };
    let is_known = found.omitted.iter().any(|known| known.run == omitted.run);
    if !is_known {
        found.omitted.push(omitted);
    }
}

/// Returns program and action: `cargo test`, `npm lint`.
fn act(run: &str) -> String {
    let first = commands(run)
        .into_iter()
        .map(|words| bare(&words))
        .find(|words| words.first().is_some_and(|word| word != "cd"));
    let words: Vec<String> =
        first.into_iter().flatten().filter(|word| !word.starts_with(['-', '+']) && word != "run").take(2).collect();
    let act = words.join(" ");
    if act == "npm t" { "npm test".to_owned() } else { act }
}

/// Returns the gate that does the same as a line.
fn same<'f>(found: &'f mut Found, line: &Line, kind: Kind) -> Option<&'f mut FoundGate> {
    let (acts, other) = (act(&line.run), OTHER_TESTS.iter().find(|flag| line.run.contains(**flag)));
    let is_same = |gate: &FoundGate| {
        let in_folder = gate.gate.run.strip_prefix("cd ").map_or("", |rest| rest.split(' ').next().unwrap_or_default());
        // A CI step that tests one file or package counts as the gate that tests everything.
        gate.kind == kind.as_str()
            && in_folder == line.folder
            && other.is_none_or(|flag| gate.gate.run.contains(*flag))
            && act(&gate.gate.run).split(' ').next() == acts.split(' ').next()
            && (kind == Kind::Test || act(&gate.gate.run) == acts)
    };
    found.gates.iter_mut().find(|gate| is_same(gate))
}

fn why_not_added(found: &Found, line: &Line, kind: Kind) -> Option<&'static str> {
    let has_tests = found.gates.iter().any(|gate| gate.kind == "test");
    let is_other = OTHER_TESTS.iter().any(|flag| line.run.contains(flag));
    let added =
        found.gates.iter().filter(|gate| gate.from.contains(", job ") && !gate.from.contains("; also in")).count();
    match kind {
        Kind::Test if has_tests && !is_other => Some("other gates run the tests"),
        Kind::Build | Kind::Types
            if has_tests
                && ["cargo", "go", "mvn", "gradle", "make", "cmake", "dotnet"]
                    .contains(&act(&line.run).split(' ').next().unwrap_or_default()) =>
        {
            Some("the tests build the same")
        }
        Kind::Build if has_tests && act(&line.run).starts_with("python") => Some("it makes a package"),
        _ if added >= ADDED => Some("there are enough gates of CI's"),
        _ => None,
    }
}

fn add(found: &mut Found, line: &Line, kind: Kind) {
    let has_environment = found.set_up.iter().any(|run| run.contains(".venv"))
        || found.gates.iter().any(|gate| gate.gate.run.starts_with(".venv/"));
    let words = commands(&line.run).first().map(|words| bare(words)).unwrap_or_default();
    let tool = words.first().map(String::as_str).unwrap_or_default();
    let mut run = line.run.clone();
    if PYTHON_TOOLS.contains(&tool) {
        if !has_environment || commands(&line.run).len() > 1 {
            return omit(found, line, "there is no environment of the worktree's for it");
        }
        run = format!(".venv/bin/python -m {}", line.run[line.run.find(tool).unwrap_or_default()..].trim());
        install(found, tool);
    }
    found.folder = line.folder.clone();
    let name = format!(
        "{}{}",
        act(&line.run),
        OTHER_TESTS.iter().filter(|flag| line.run.contains(**flag)).map(|flag| format!(" {flag}")).collect::<String>()
    );
    found.gate(&gt_model::id::slug(&name), kind, run, Origin::file(&line.from));
    found.folder.clear();
    if let Some(last) = found.gates.last_mut().filter(|gate| gate.from.ends_with(&line.from)) {
        // CI's own files are at the top, whatever folder a line names.
        last.from.clone_from(&line.from);
        // Gates that only CI suggests are optional.
        last.optional = kind != Kind::Test || last.gate.run.contains("--");
    }
}

/// Installs a package into the worktree's environment, if pip creates that.
fn install(found: &mut Found, package: &str) {
    let Some(set_up) = found.set_up.iter_mut().find(|run| run.starts_with(BY_PIP)) else { return };
    let is_there = set_up
        .split_whitespace()
        .any(|word| word.trim_matches('\'').split(['=', '<', '>', '~', '[', '!']).next() == Some(package));
    if !is_there {
        set_up.push_str(&format!(" {package}"));
    }
}

/// Installs for Python whatever CI installs beside the project.
fn set_up_python(project: &Project<'_>, found: &mut Found, lines: &[&Line]) {
    for line in lines.iter().filter(|line| line.kinds == [Kind::SetUp] && line.folder.is_empty()) {
        for words in commands(&line.run) {
            let words = bare(&words);
            let is_pip = words.first().is_some_and(|word| word == "pip" || word == "pip3");
            if !is_pip || words.get(1).is_none_or(|word| word != "install") {
                continue;
            }
            let mut rest = words[2..].iter();
            while let Some(word) = rest.next() {
                match word.as_str() {
                    "-r" | "--requirement" => {
                        let file = rest.next().filter(|file| is_plain(file) && project.has(file));
                        if let (Some(file), Some(set_up)) = (file, by_pip(found))
                            && !set_up.contains(&format!("-r {file}"))
                        {
                            set_up.push_str(&format!(" -r {file}"));
                        }
                    }
                    word if word.starts_with("-") || word.starts_with('.') || word.contains('/') => {}
                    word if PYTHON_MACHINERY
                        .contains(&word.split(['=', '<', '>', '~', '[', '!']).next().unwrap_or_default()) => {}
                    word if is_plain(word) => install(found, word),
                    _ => {}
                }
            }
        }
    }
}

fn by_pip(found: &mut Found) -> Option<&mut String> {
    found.set_up.iter_mut().find(|run| run.starts_with(BY_PIP))
}
