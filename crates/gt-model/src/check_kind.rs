//! Finds out the purpose of a command line: tests, lints, builds, set-up, or publishing something.
//!
//! Scripts and CI files of projects contain command lines under arbitrary names. The programs that a line runs tell its purpose;
//! its name may not.

use std::collections::BTreeMap;

/// Purpose of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Lints the code.
    Lint,
    /// Checks the code's format.
    Format,
    /// Checks types without building anything.
    Types,
    /// Builds.
    Build,
    /// Runs tests.
    Test,
    /// Installs what the other commands need.
    SetUp,
    /// Deploys, publishes or pushes something. Gt never runs such a command.
    Publish,
    /// Changes the files that it looks at.
    Rewrite,
    /// Runs until a person ends it: a watcher, a server.
    Endless,
}

use Kind::{Build, Endless, Format, Lint, Publish, Rewrite, SetUp, Test, Types};

impl Kind {
    /// Whether a command of this kind may be a gate.
    pub fn is_check(self) -> bool {
        matches!(self, Lint | Format | Types | Build | Test)
    }

    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Lint => "lint",
            Format => "format",
            Types => "types",
            Build => "build",
            Test => "test",
            SetUp => "set-up",
            Publish => "publish",
            Rewrite => "rewrite",
            Endless => "endless",
        }
    }
}

/// Commands by their first words. The longest match counts.
const COMMANDS: &[(&str, Kind)] = &[
    // Tests.
    ("cargo test", Test),
    ("cargo t", Test),
    ("cargo nextest", Test),
    ("cargo llvm-cov", Test),
    ("cargo tarpaulin", Test),
    ("go test", Test),
    ("gotestsum", Test),
    ("npm test", Test),
    ("npm t", Test),
    ("pnpm test", Test),
    ("yarn test", Test),
    ("bun test", Test),
    ("deno test", Test),
    ("node --test", Test),
    ("tsx --test", Test),
    ("jest", Test),
    ("vitest", Test),
    ("mocha", Test),
    ("ava", Test),
    ("tap", Test),
    ("tape", Test),
    ("uvu", Test),
    ("jasmine", Test),
    ("qunit", Test),
    ("karma", Test),
    ("c8", Test),
    ("nyc", Test),
    ("borp", Test),
    ("lab", Test),
    ("tsd", Types),
    ("react-scripts test", Test),
    ("ng test", Test),
    ("playwright test", Test),
    ("cypress run", Test),
    ("turbo test", Test),
    ("turbo run test", Test),
    ("nx test", Test),
    ("pytest", Test),
    ("py.test", Test),
    ("unittest", Test),
    ("trial", Test),
    ("tox", Test),
    ("nox", Test),
    ("hatch test", Test),
    ("coverage run", Test),
    ("python setup.py test", Test),
    ("mvn test", Test),
    ("mvn verify", Test),
    ("mvn package", Test),
    ("mvn install", Test),
    ("gradle test", Test),
    ("gradle check", Test),
    ("gradle build", Test),
    ("dotnet test", Test),
    ("rspec", Test),
    ("rake test", Test),
    ("rake spec", Test),
    ("rails test", Test),
    ("minitest", Test),
    ("phpunit", Test),
    ("pest", Test),
    ("composer test", Test),
    ("mix test", Test),
    ("ctest", Test),
    ("meson test", Test),
    ("make test", Test),
    ("make check", Test),
    ("just test", Test),
    ("task test", Test),
    ("bats", Test),
    ("prove", Test),
    ("busted", Test),
    ("swift test", Test),
    ("stack test", Test),
    ("cabal test", Test),
    ("zig build test", Test),
    ("dart test", Test),
    ("flutter test", Test),
    ("sbt test", Test),
    ("bazel test", Test),
    // Lints.
    ("cargo clippy", Lint),
    ("cargo deny", Lint),
    ("go vet", Lint),
    ("golangci-lint", Lint),
    ("staticcheck", Lint),
    ("npm run lint", Lint),
    ("yarn lint", Lint),
    ("pnpm lint", Lint),
    ("eslint", Lint),
    ("oxlint", Lint),
    ("biome", Lint),
    ("standard", Lint),
    ("semistandard", Lint),
    ("xo", Lint),
    ("stylelint", Lint),
    ("tslint", Lint),
    ("markdownlint", Lint),
    ("turbo lint", Lint),
    ("turbo run lint", Lint),
    ("ruff", Lint),
    ("flake8", Lint),
    ("pylint", Lint),
    ("bandit", Lint),
    ("pre-commit run", Lint),
    ("rubocop", Lint),
    ("standardrb", Lint),
    ("phpstan", Lint),
    ("psalm", Lint),
    ("phpcs", Lint),
    ("mix credo", Lint),
    ("shellcheck", Lint),
    ("make lint", Lint),
    ("just lint", Lint),
    ("task lint", Lint),
    ("checkstyle", Lint),
    ("ktlint", Lint),
    ("detekt", Lint),
    ("clang-tidy", Lint),
    ("cppcheck", Lint),
    // Format.
    ("cargo fmt", Format),
    ("rustfmt", Format),
    ("gofmt", Format),
    ("gofumpt", Format),
    ("prettier", Format),
    ("dprint check", Format),
    ("black", Format),
    ("isort", Format),
    ("ruff format", Format),
    ("mix format", Format),
    ("dotnet format", Format),
    ("php-cs-fixer", Format),
    ("pint", Format),
    ("clang-format", Format),
    ("taplo", Format),
    // Types.
    ("cargo check", Types),
    ("vue-tsc", Types),
    ("svelte-check", Types),
    ("flow", Types),
    ("mypy", Types),
    ("pyright", Types),
    ("basedpyright", Types),
    ("ty check", Types),
    ("pyre", Types),
    ("mix dialyzer", Types),
    ("sorbet", Types),
    ("srb", Types),
    // Builds.
    ("cargo build", Build),
    ("cargo b", Build),
    ("cargo doc", Build),
    ("go build", Build),
    ("tsc", Build),
    ("rollup", Build),
    ("webpack", Build),
    ("vite build", Build),
    ("esbuild", Build),
    ("tsup", Build),
    ("tsdown", Build),
    ("unbuild", Build),
    ("parcel build", Build),
    ("swc", Build),
    ("babel", Build),
    ("next build", Build),
    ("nuxt build", Build),
    ("astro build", Build),
    ("ng build", Build),
    ("react-scripts build", Build),
    ("turbo build", Build),
    ("turbo run build", Build),
    ("npm run build", Build),
    ("mvn compile", Build),
    ("gradle assemble", Build),
    ("dotnet build", Build),
    ("cmake", Build),
    ("ninja", Build),
    ("meson compile", Build),
    ("meson setup", Build),
    ("make", Build),
    ("make all", Build),
    ("make build", Build),
    ("mix compile", Build),
    ("swift build", Build),
    ("zig build", Build),
    ("bazel build", Build),
    // Set-up.
    ("npm ci", SetUp),
    ("npm install", SetUp),
    ("npm i", SetUp),
    ("yarn", SetUp),
    ("yarn install", SetUp),
    ("pnpm install", SetUp),
    ("pnpm i", SetUp),
    ("bun install", SetUp),
    ("corepack", SetUp),
    ("pip install", SetUp),
    ("pip3 install", SetUp),
    ("uv sync", SetUp),
    ("uv pip", SetUp),
    ("uv venv", SetUp),
    ("poetry install", SetUp),
    ("pdm install", SetUp),
    ("pdm sync", SetUp),
    ("pipenv install", SetUp),
    ("pipx install", SetUp),
    ("python -m venv", SetUp),
    ("go mod download", SetUp),
    ("go install", SetUp),
    ("cargo install", SetUp),
    ("cargo fetch", SetUp),
    ("rustup", SetUp),
    ("bundle install", SetUp),
    ("gem install", SetUp),
    ("composer install", SetUp),
    ("composer update", SetUp),
    ("mix deps.get", SetUp),
    ("mix local.hex", SetUp),
    ("mix local.rebar", SetUp),
    ("dotnet restore", SetUp),
    ("apt", SetUp),
    ("apt-get", SetUp),
    ("brew", SetUp),
    ("make install", SetUp),
    ("playwright install", SetUp),
    // Endless.
    ("vite", Endless),
    ("vite dev", Endless),
    ("vite preview", Endless),
    ("next dev", Endless),
    ("next start", Endless),
    ("nodemon", Endless),
    ("webpack serve", Endless),
    ("webpack-dev-server", Endless),
    ("react-scripts start", Endless),
    ("ng serve", Endless),
    ("http-server", Endless),
    ("cypress open", Endless),
    ("cargo watch", Endless),
    // Commands that publish something.
    ("npm publish", Publish),
    ("pnpm publish", Publish),
    ("yarn publish", Publish),
    ("yarn npm publish", Publish),
    ("npm version", Publish),
    ("npm dist-tag", Publish),
    ("lerna publish", Publish),
    ("lerna version", Publish),
    ("changeset", Publish),
    ("changeset publish", Publish),
    ("semantic-release", Publish),
    ("release-it", Publish),
    ("standard-version", Publish),
    ("np", Publish),
    ("gh-pages", Publish),
    ("gh", Publish),
    ("glab", Publish),
    ("cargo publish", Publish),
    ("cargo release", Publish),
    ("cargo yank", Publish),
    ("goreleaser", Publish),
    ("twine", Publish),
    ("uv publish", Publish),
    ("poetry publish", Publish),
    ("pdm publish", Publish),
    ("hatch publish", Publish),
    ("flit publish", Publish),
    ("mvn deploy", Publish),
    ("mvn release:perform", Publish),
    ("gradle publish", Publish),
    ("dotnet nuget", Publish),
    ("nuget push", Publish),
    ("gem push", Publish),
    ("rake release", Publish),
    ("mix hex.publish", Publish),
    ("docker push", Publish),
    ("docker buildx", Publish),
    ("docker compose", Publish),
    ("docker login", Publish),
    ("podman push", Publish),
    ("skopeo", Publish),
    ("git push", Publish),
    ("git tag", Publish),
    ("git commit", Publish),
    ("ssh", Publish),
    ("scp", Publish),
    ("sftp", Publish),
    ("rsync", Publish),
    ("aws", Publish),
    ("gcloud", Publish),
    ("gsutil", Publish),
    ("az", Publish),
    ("kubectl", Publish),
    ("helm", Publish),
    ("terraform apply", Publish),
    ("terraform destroy", Publish),
    ("pulumi", Publish),
    ("ansible", Publish),
    ("ansible-playbook", Publish),
    ("serverless", Publish),
    ("sls", Publish),
    ("cdk", Publish),
    ("sam", Publish),
    ("vercel", Publish),
    ("netlify", Publish),
    ("wrangler", Publish),
    ("firebase", Publish),
    ("heroku", Publish),
    ("fly", Publish),
    ("flyctl", Publish),
    ("railway", Publish),
    ("eas", Publish),
    ("fastlane", Publish),
    ("cap", Publish),
    ("surge", Publish),
    ("codecov", Publish),
    ("coveralls", Publish),
    ("curl", Publish),
    ("wget", SetUp),
];

/// Words that mean publishing in the name of any script or target.
const PUBLISHING_WORDS: &[&str] = &["publish", "deploy", "release", "upload", "rollout", "promote"];

/// Commands that rewrite files unless one of these flags is given.
const REWRITES_UNLESS: &[(&str, &[&str])] = &[
    ("cargo fmt", &["--check"]),
    ("rustfmt", &["--check"]),
    ("gofmt", &["-l", "-d"]),
    ("gofumpt", &["-l", "-d"]),
    ("prettier", &["--check", "-c", "-l", "--list-different"]),
    ("black", &["--check", "--diff"]),
    ("isort", &["--check", "--check-only", "-c", "--diff"]),
    ("ruff format", &["--check", "--diff"]),
    ("mix format", &["--check-formatted"]),
    ("dotnet format", &["--verify-no-changes"]),
    ("php-cs-fixer", &["--dry-run"]),
    ("pint", &["--test"]),
    ("clang-format", &["--dry-run", "-n"]),
];

/// Programs that run another one, which follows in their arguments.
const WRAPPERS: &[&str] = &[
    "npx",
    "bunx",
    "pnpx",
    "time",
    "sudo",
    "env",
    "cross-env",
    "cross-env-shell",
    "dotenv",
    "xvfb-run",
    "exec",
    "command",
    "nice",
    "timeout",
    "dotenvx",
];

/// Wrappers of two words.
const WRAPPERS_OF_TWO: &[(&str, &str)] = &[
    ("pnpm", "exec"),
    ("pnpm", "dlx"),
    ("yarn", "dlx"),
    ("yarn", "exec"),
    ("npm", "exec"),
    ("bun", "x"),
    ("poetry", "run"),
    ("uv", "run"),
    ("uv", "tool"),
    ("pdm", "run"),
    ("pipenv", "run"),
    ("rye", "run"),
    ("hatch", "run"),
    ("bundle", "exec"),
    ("coverage", "run"),
    ("python", "-m"),
    ("python3", "-m"),
    ("nix", "develop"),
];

/// Splits a shell line into its simple commands, each as its words.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word, mut quote) = (Vec::new(), Vec::new(), String::new(), None);
    let end_word = |word: &mut String, words: &mut Vec<String>| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    for c in line.replace("\\\n", " ").chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '&' | '|' | ';' | '\n' | '(' | ')') => {
                end_word(&mut word, &mut words);
                if !words.is_empty() {
                    all.push(std::mem::take(&mut words));
                }
            }
            (None, c) if c.is_whitespace() => end_word(&mut word, &mut words),
            (None, c) => word.push(c),
        }
    }
    end_word(&mut word, &mut words);
    if !words.is_empty() {
        all.push(words);
    }
    all
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with('-')
    })
}

/// Returns the words of a command from its own program on, without variables, wrappers and the program's folder.
pub fn bare(words: &[String]) -> Vec<String> {
    let mut words: Vec<String> = words.to_vec();
    loop {
        let skip = match words.as_slice() {
            [first, ..] if is_assignment(first) => 1,
            [first, second, ..] if WRAPPERS_OF_TWO.contains(&(plain(first), second.as_str())) => 2,
            [first, _, ..] if WRAPPERS.contains(&plain(first)) => 1,
            [flag, _, ..] if flag.starts_with('-') => 1,
            _ => break,
        };
        words.drain(..skip);
    }
    if let Some(first) = words.first_mut() {
        *first = match plain(first) {
            "mvnw" | "mvnw.cmd" => "mvn".to_owned(),
            "gradlew" | "gradlew.bat" => "gradle".to_owned(),
            "python3" => "python".to_owned(),
            other => other.to_owned(),
        };
    }
    // `sh ./gradlew test` is a call of gradle.
    if matches!(words.as_slice(), [shell, script, ..] if (shell == "sh" || shell == "bash") && script.contains('/')) {
        return bare(&words[1..]);
    }
    words
}

/// Returns a program's name without its folder and, for Node's programs, without the package's version.
fn plain(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.split('@').next().filter(|name| !name.is_empty()).unwrap_or(name)
}

/// Returns the purpose of one simple command.
pub fn of_command(words: &[String]) -> Option<Kind> {
    let words = bare(words);
    // Flags between a program and its verb don't count: `mvn -B test`.
    let dense: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with(['-', '+'])).collect();
    let (exact, dense) = (words.join(" "), dense.join(" "));
    let begins =
        |text: &str, of: &str| text.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let kind = {
        let found = COMMANDS.iter().filter(|(begin, _)| begins(&exact, begin) || begins(&dense, begin));
        found.max_by_key(|(begin, _)| begin.len()).map(|(_, kind)| *kind)
    };
    let has = |flags: &[&str]| words.iter().any(|word| flags.contains(&word.split('=').next().unwrap_or(word)));
    let runs_named = |word: &&str| dense.split(' ').nth(1) == Some(word) || dense.split(' ').nth(2) == Some(word);
    let is_runner = matches!(
        words.first().map(String::as_str),
        Some(
            "npm"
                | "pnpm"
                | "yarn"
                | "bun"
                | "make"
                | "just"
                | "task"
                | "rake"
                | "composer"
                | "gradle"
                | "mvn"
                | "lerna"
                | "nx"
                | "turbo"
        )
    );
    if is_runner && PUBLISHING_WORDS.iter().any(runs_named) {
        return Some(Publish);
    }
    let unless = REWRITES_UNLESS.iter().filter(|(begin, _)| begins(&exact, begin)).max_by_key(|(begin, _)| begin.len());
    if unless.is_some_and(|(_, flags)| !has(flags))
        || has(&["--fix", "--write", "--fix-only", "-w", "--apply", "-i"])
            && kind.is_some_and(|kind| matches!(kind, Lint | Format))
    {
        return Some(Rewrite);
    }
    if kind.is_some()
        && has(&["--watch", "--watchAll", "-w", "watch"])
        && !words.iter().any(|word| word == "--watch=false" || word == "--watchAll=false")
    {
        return Some(Endless);
    }
    if kind == Some(Test) && begins(&exact, "karma start") && !has(&["--single-run"]) {
        return Some(Endless);
    }
    match kind {
        Some(Build) if begins(&exact, "tsc") && has(&["--noEmit"]) => Some(Types),
        Some(Lint) if begins(&exact, "ruff") && dense.contains("format") => Some(Format),
        kind => kind,
    }
}

/// Returns the purposes of all commands of a line.
pub fn of_line(line: &str) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = commands(line).iter().filter_map(|words| of_command(words)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// How deep scripts may call each other.
const SCRIPTS_DEPTH: usize = 8;

/// Scripts of a Node package.
#[derive(Clone, Debug, Default)]
pub struct Scripts(pub BTreeMap<String, String>);

impl Scripts {
    /// Returns the purposes of a script, including those of scripts that it calls and that run before and after it.
    pub fn kinds(&self, name: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.reached(name).iter().flat_map(|name| of_line(&self.0[name])).collect();
        if PUBLISHING_WORDS.iter().any(|word| name.split([':', '-']).any(|part| part == *word)) {
            kinds.push(Publish);
        }
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// Returns the scripts that run when this one does, including itself.
    pub fn reached(&self, name: &str) -> Vec<String> {
        let mut reached = Vec::new();
        self.reach(name, SCRIPTS_DEPTH, &mut reached);
        reached
    }

    fn reach(&self, name: &str, depth: usize, reached: &mut Vec<String>) {
        if depth == 0 || reached.iter().any(|known| known == name) {
            return;
        }
        let Some(line) = self.0.get(name) else { return };
        reached.push(name.to_owned());
        let around = [format!("pre{name}"), format!("post{name}")];
        for called in around.into_iter().chain(self.called(line)) {
            self.reach(&called, depth - 1, reached);
        }
    }

    /// Returns the scripts that a line calls by their names.
    fn called(&self, line: &str) -> Vec<String> {
        let mut called = Vec::new();
        for words in commands(line) {
            let words = bare(&words);
            let mut rest = words.iter().skip(1).filter(|word| !word.starts_with('-'));
            let first = words.first().map(String::as_str).unwrap_or_default();
            match first {
                "npm" | "pnpm" | "yarn" | "bun" => {
                    let name =
                        rest.next().filter(|word| *word != "run" && *word != "run-script").or_else(|| rest.next());
                    called.extend(name.cloned());
                }
                "run-s" | "run-p" | "npm-run-all" | "npm-run-all2" | "wireit" => called.extend(rest.cloned()),
                "concurrently" => {
                    called.extend(words.iter().filter_map(|word| word.strip_prefix("npm:")).map(str::to_owned));
                }
                _ => {}
            }
        }
        let matching = |pattern: &String| -> Vec<String> {
            match pattern.split_once('*') {
                Some((begin, _)) => self.0.keys().filter(|name| name.starts_with(begin)).cloned().collect(),
                None => vec![pattern.clone()],
            }
        };
        called.iter().flat_map(matching).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_tells_what_it_is_for() {
        for (line, expected) in [
            ("cargo test --workspace", &[Test][..]),
            ("RUST_BACKTRACE=1 cargo +nightly test", &[Test]),
            ("cargo fmt --all -- --check", &[Format]),
            ("cargo fmt", &[Rewrite]),
            ("npx --yes eslint@9 . && prettier --check .", &[Lint, Format]),
            ("eslint . --fix", &[Rewrite]),
            ("tsc --noEmit -p .", &[Types]),
            ("tsc -p .", &[Build]),
            ("tsc --watch", &[Endless]),
            ("vitest", &[Test]),
            ("jest --watch", &[Endless]),
            ("react-scripts test --watchAll=false", &[Test]),
            ("karma start", &[Endless]),
            ("karma start --single-run", &[Test]),
            ("./mvnw -B -ntp verify", &[Test]),
            ("sh ./gradlew --no-daemon check", &[Test]),
            ("./gradlew publish", &[Publish]),
            ("poetry run pytest -q", &[Test]),
            ("python -m pip install -e .", &[SetUp]),
            ("python3 -m pytest", &[Test]),
            ("ruff format --check .", &[Format]),
            ("ruff format .", &[Rewrite]),
            ("ruff check src", &[Lint]),
            ("make deploy", &[Publish]),
            ("yarn release", &[Publish]),
            ("npm run build && npm publish", &[Build, Publish]),
            ("bundle exec rspec | tee log", &[Test]),
            ("echo 'npm publish'", &[]),
            ("git push origin main", &[Publish]),
            ("curl -X POST https://example.org", &[Publish]),
            ("", &[]),
        ] {
            assert_eq!(of_line(line), expected, "{line}");
        }
    }

    #[test]
    fn a_script_is_what_it_reaches() {
        let scripts = [
            ("test", "run-s lint:* unit"),
            ("lint:js", "eslint ."),
            ("lint:css", "stylelint ."),
            ("unit", "c8 mocha"),
            ("preunit", "npm run build"),
            ("build", "rollup -c"),
            ("ship", "npm run build && npm run send"),
            ("send", "npm publish"),
            ("loop", "npm run loop"),
            ("deploy:docs", "node x.js"),
        ];
        let scripts = Scripts(scripts.map(|(name, line)| (name.to_owned(), line.to_owned())).into());
        assert_eq!(scripts.kinds("test"), [Lint, Build, Test]);
        assert_eq!(scripts.kinds("ship"), [Build, Publish]);
        assert_eq!(scripts.kinds("deploy:docs"), [Publish]);
        assert_eq!(scripts.reached("loop"), ["loop"]);
        assert_eq!(scripts.kinds("none"), []);
    }
}
