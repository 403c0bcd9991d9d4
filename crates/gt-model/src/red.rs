//! Explains from its output why a gate or a set-up fails although the code may be right, and suggests a remedy.

use serde::{Deserialize, Serialize};

/// Kind of cause that lies outside the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A variable that workers and gates don't get.
    Variable,
    /// A missing browser.
    Browser,
    /// A missing service: a database, a queue, docker.
    Service,
    /// No network access.
    Network,
    /// A wrong version of a language or tool.
    Version,
    /// A package that is not installed.
    Module,
    /// A program that does not exist.
    Program,
    /// A lock file that does not match.
    LockFile,
    /// Too little memory or disk, or a limit of the machine.
    Machine,
    /// A timeout.
    Time,
}

/// Facts about a failed command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Red<'a> {
    /// The command line.
    pub run: &'a str,
    /// Exit code, if it ended by itself.
    pub code: Option<i32>,
    /// Whether it exceeded its time limit.
    pub timed_out: bool,
    /// End of its output.
    pub said: &'a str,
    /// Whether the rig has set-up commands.
    pub has_set_up: bool,
    /// Variables of the person's environment that it did not get.
    pub stripped: &'a [String],
}

/// A likely cause, with a remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// Kind of the cause.
    pub cause: Cause,
    /// Explanation for people.
    pub text: String,
    /// Variable of the person's environment that the command lacked, if that is the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

/// Phrases in output, in lower case, with the causes that they show. The first match counts: the phrases at the front are rarer
/// and more reliable.
const SIGNS: &[(&str, Cause)] = &[
    ("executable doesn't exist at", Cause::Browser),
    ("playwright install", Cause::Browser),
    ("chromium", Cause::Browser),
    ("chrome_bin", Cause::Browser),
    ("no binary for chrome", Cause::Browser),
    ("geckodriver", Cause::Browser),
    ("chromedriver", Cause::Browser),
    ("could not find chrome", Cause::Browser),
    ("cannot open display", Cause::Browser),
    ("cannot connect to the docker daemon", Cause::Service),
    ("docker.sock", Cause::Service),
    ("could not find a valid docker environment", Cause::Service),
    ("econnrefused", Cause::Service),
    ("connection refused", Cause::Service),
    ("can't connect to mysql", Cause::Service),
    ("could not connect to server", Cause::Service),
    (" enotfound", Cause::Network),
    ("eai_again", Cause::Network),
    ("getaddrinfo", Cause::Network),
    ("could not resolve host", Cause::Network),
    ("could not resolve proxy", Cause::Network),
    ("temporary failure in name resolution", Cause::Network),
    ("name or service not known", Cause::Network),
    ("no address associated with hostname", Cause::Network),
    ("network is unreachable", Cause::Network),
    ("unknownhostexception", Cause::Network),
    ("spurious network error", Cause::Network),
    ("failed to download", Cause::Network),
    ("failed to fetch", Cause::Network),
    ("newconnectionerror", Cause::Network),
    ("etimedout", Cause::Network),
    ("lock file needs to be updated but", Cause::LockFile),
    ("cannot update the lock file", Cause::LockFile),
    ("package.json and package-lock.json", Cause::LockFile),
    ("err_pnpm_outdated_lockfile", Cause::LockFile),
    ("your lockfile needs to be updated", Cause::LockFile),
    ("lockfile would have been modified", Cause::LockFile),
    ("unsupported engine", Cause::Version),
    ("ebadengine", Cause::Version),
    ("requires rustc", Cause::Version),
    ("rust-version", Cause::Version),
    ("is not installed. try: rustup", Cause::Version),
    ("toolchain '", Cause::Version),
    ("could not choose a version of cargo", Cause::Version),
    ("rustup could not choose", Cause::Version),
    ("requires a different python", Cause::Version),
    ("requires-python", Cause::Version),
    ("requires python", Cause::Version),
    ("requires go >=", Cause::Version),
    ("go.mod requires go", Cause::Version),
    ("unsupported class file major version", Cause::Version),
    ("unsupportedclassversionerror", Cause::Version),
    ("invalid target release", Cause::Version),
    ("release version", Cause::Version),
    ("your ruby version is", Cause::Version),
    ("your php version", Cause::Version),
    ("the engine \"node\" is incompatible", Cause::Version),
    ("compatible .net sdk was not found", Cause::Version),
    ("no java runtime", Cause::Version),
    ("java_home", Cause::Version),
    ("modulenotfounderror", Cause::Module),
    ("no module named", Cause::Module),
    ("cannot find module", Cause::Module),
    ("cannot find package", Cause::Module),
    ("err_module_not_found", Cause::Module),
    ("could not resolve \"", Cause::Module),
    ("loaderror: cannot load such file", Cause::Module),
    ("bundler::gemnotfound", Cause::Module),
    ("could not find gem", Cause::Module),
    ("vendor/autoload.php", Cause::Module),
    ("unchecked dependencies for environment", Cause::Module),
    ("fatal error: ", Cause::Module),
    ("can't locate ", Cause::Module),
    ("no space left on device", Cause::Machine),
    ("out of memory", Cause::Machine),
    ("signal: 9", Cause::Machine),
    ("too many open files", Cause::Machine),
    ("command not found", Cause::Program),
    (": not found", Cause::Program),
    ("no such file or directory: '.venv", Cause::Module),
    ("enoent", Cause::Program),
    ("no such command:", Cause::Program),
    ("is not installed", Cause::Program),
];

/// Phrases of programs for a missing variable.
const ASKS_FOR: &[&str] = &[
    "environment variable",
    "env var",
    "keyerror",
    "is not set",
    "must be set",
    "undefined variable",
    "missing required",
];

/// Returns the likely cause of a command's failure, if its output shows one.
pub fn explain(red: &Red<'_>) -> Option<Remedy> {
    let small = red.said.to_lowercase();
    if red.timed_out {
        return Some(remedy(
            Cause::Time,
            red,
            "it exceeded its time limit: raise timeout_seconds (for a set-up, setup_timeout_seconds) in rig.toml, or \
             find out what it waits for",
        ));
    }
    let said = without_offers(red.said);
    if let Some(name) = red.stripped.iter().find(|name| names(&said, name)) {
        let text = format!(
            "it names the variable {name}, which you have and gates do not get: [env] pass = [\"{name}\"] in rig.toml, if it is no secret that agents may not see"
        );
        return Some(Remedy { cause: Cause::Variable, text, variable: Some(name.clone()) });
    }
    if let Some(name) = asked_for(&said) {
        let text = format!("it asks for the variable {name}: [env.set] in rig.toml sets one for workers and gates");
        return Some(Remedy { cause: Cause::Variable, text, variable: None });
    }
    if let Some((_, cause)) = SIGNS.iter().find(|(sign, _)| small.contains(sign)) {
        return Some(remedy(*cause, red, ""));
    }
    match red.code {
        Some(127) => Some(remedy(Cause::Program, red, "")),
        Some(137) => Some(remedy(Cause::Machine, red, "")),
        _ => None,
    }
}

/// Variables that tools suggest for more output after any failure. Naming them does not mean that they are missing.
const OFFERED: &[&str] = &["RUST_BACKTRACE", "RUST_LOG", "NODE_OPTIONS", "PYTEST_ADDOPTS"];

/// Returns the output without the lines that suggest such a variable.
fn without_offers(said: &str) -> String {
    let offers = |line: &&str| OFFERED.iter().any(|name| line.contains(name));
    said.lines().filter(|line| !offers(line)).collect::<Vec<_>>().join("\n")
}

/// Whether a text contains a name as a whole word.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // Short names and names in lower case are ordinary words of some language.
    let is_telling = name.len() > 3 && name.chars().any(|c| c.is_ascii_uppercase());
    is_telling
        && text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back().is_none_or(|c| !is_part(c));
            before && text[at + name.len()..].chars().next().is_none_or(|c| !is_part(c))
        })
}

/// Returns the variable that a line asks for: a word in capitals beside one of the phrases for this.
fn asked_for(said: &str) -> Option<String> {
    let asks = |line: &&str| {
        let small = line.to_lowercase();
        ASKS_FOR.iter().any(|words| small.contains(words))
    };
    let is_name = |word: &&str| {
        word.len() > 3
            && word.contains('_')
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    said.lines().rev().filter(asks).find_map(|line| {
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).find(is_name).map(str::to_owned)
    })
}

fn remedy(cause: Cause, red: &Red<'_>, text: &str) -> Remedy {
    let text = match cause {
        _ if !text.is_empty() => text.to_owned(),
        Cause::Browser => "it needs a browser: install it on this machine, or replace the gate: gt rig gates add, \
                           remove".to_owned(),
        Cause::Service => "it needs a service that does not run here: start it on this machine, or use a gate without \
                           it".to_owned(),
        Cause::Network => "it could not reach the network: fetch in the set-up what it needs, or try again".to_owned(),
        Cause::LockFile => "the lock file does not match the project's requirements: update it on the trunk".to_owned(),
        Cause::Version => "it needs another version of its language or tools: install that one, then gt agent check \
                           --update copies your PATH".to_owned(),
        Cause::Module if red.has_set_up => "a package is missing: the set-up does not install all that it needs: \
                                            change [worktree] setup in rig.toml".to_owned(),
        Cause::Module => "a package is missing, and the rig has no set-up that would install it: [worktree] setup in rig.toml; gt rig prove --fix proposes one".to_owned(),
        Cause::Program => format!("{} is not in the workers' PATH: install it, then gt agent check --update copies \
                                   your PATH", program(red)),
        Cause::Machine => "the machine has too little memory or disk, or too few file handles".to_owned(),
        Cause::Variable | Cause::Time => String::new(),
    };
    Remedy { cause, text, variable: None }
}

/// Returns the program that was not found, from the shell's message; otherwise the program of the command.
fn program(red: &Red<'_>) -> String {
    let named = red.said.lines().rev().find_map(|line| {
        let before = line.strip_suffix(": not found").or_else(|| line.strip_suffix(": command not found"))?;
        before.rsplit(": ").next().map(str::to_owned)
    });
    let own =
        crate::check_kind::commands(red.run).last().and_then(|words| crate::check_kind::bare(words).first().cloned());
    named.or(own).map_or("a program".to_owned(), |name| format!("`{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_a_tool_offers_is_no_cause() {
        let stripped = ["RUST_BACKTRACE".to_owned()];
        let said = "thread 'a' panicked\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        let red = Red { run: "cargo test", code: Some(101), said, stripped: &stripped, ..Red::default() };
        assert_eq!(explain(&red), None);
        assert_eq!(explain(&Red { stripped: &[], ..red }), None);
    }

    #[test]
    fn the_cause_is_told_by_what_was_said() {
        let stripped = ["DATABASE_URL".to_owned(), "FOO".to_owned(), "RUSTUP_TOOLCHAIN".to_owned()];
        for (said, code, expected, words) in [
            ("sh: 1: pnpm: not found", 127, Some(Cause::Program), "`pnpm`"),
            ("bash: line 1: cargo: command not found", 127, Some(Cause::Program), "`cargo`"),
            ("", 127, Some(Cause::Program), "`make`"),
            ("ModuleNotFoundError: No module named 'attrs'", 1, Some(Cause::Module), "no set-up"),
            (
                "Can't locate Test/Deep.pm in @INC (you may need to install the Test::Deep module)",
                2,
                Some(Cause::Module),
                "no set-up",
            ),
            ("Error: Cannot find module 'left-pad'", 1, Some(Cause::Module), "no set-up"),
            ("npm error code ENOTFOUND\nnpm error network", 1, Some(Cause::Network), "network"),
            ("connect ECONNREFUSED 127.0.0.1:5432", 1, Some(Cause::Service), "service"),
            ("browserType.launch: Executable doesn't exist at /x", 1, Some(Cause::Browser), "browser"),
            ("error: rustup could not choose a version of cargo to run", 1, Some(Cause::Version), "version"),
            ("ERROR: Package 'a' requires a different Python: 3.8 not in '>=3.11'", 1, Some(Cause::Version), "version"),
            ("panicked: DATABASE_URL: NotPresent", 101, Some(Cause::Variable), "pass = [\"DATABASE_URL\"]"),
            ("KeyError: 'API_KEY'", 1, Some(Cause::Variable), "API_KEY"),
            (
                "error: the lock file needs to be updated but --locked was passed",
                101,
                Some(Cause::LockFile),
                "lock file",
            ),
            ("assertion `left == right` failed", 101, None, ""),
            ("MY_DATABASE_URL and FOO", 1, None, ""),
        ] {
            let found =
                explain(&Red { run: "make test", code: Some(code), said, stripped: &stripped, ..Red::default() });
            assert_eq!(found.as_ref().map(|remedy| remedy.cause), expected, "{said}: {found:?}");
            assert!(found.is_none_or(|remedy| remedy.text.contains(words)), "{said}");
        }
    }

    #[test]
    fn a_command_that_took_too_long_is_told_as_that() {
        let red = Red { timed_out: true, said: "connection refused", ..Red::default() };
        assert_eq!(explain(&red).map(|remedy| remedy.cause), Some(Cause::Time));
    }
}
