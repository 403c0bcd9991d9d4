//! Sample projects, one for each ecosystem or variant, with the gates and the set-up that they should get.

use gt_world::real::RealDisk;

use super::*;

/// A sample project.
#[derive(Default)]
struct Sample<'s> {
    /// Description.
    name: &'s str,
    /// Files with their texts.
    files: &'s [(&'s str, &'s str)],
    /// Programs in the workers' PATH.
    programs: &'s [&'s str],
    /// Expected gates.
    gates: &'s [&'s str],
    /// Expected set-up.
    set_up: &'s [&'s str],
}

fn look(files: &[(&str, &str)], programs: &[&str], own: &[Rule]) -> Found {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        RealDisk.write(&folder.path().join(path), text.as_bytes()).unwrap();
    }
    find(&RealDisk, folder.path(), &Knowledge { own, has_program: &|program| programs.contains(&program) }).unwrap()
}

fn runs(found: &Found) -> Vec<&str> {
    found.gates.iter().map(|found| found.gate.run.as_str()).collect()
}

impl Sample<'_> {
    fn check(&self) {
        assert_eq!(self.differs(), None);
    }

    /// Returns the actual result if it differs from the expected one.
    fn differs(&self) -> Option<String> {
        let found = look(self.files, self.programs, &[]);
        let is_same = runs(&found) == self.gates && found.set_up == self.set_up;
        (!is_same).then(|| format!("{}: {:?}: {:#?} {:#?}", self.name, self.files, runs(&found), found.set_up))
    }
}

fn check(files: &[(&str, &str)], gates: &[&str], set_up: &[&str]) {
    Sample { name: "", files, gates, set_up, ..Sample::default() }.check();
}

const PACKAGE: &str = "[package]\nname = \"a\"\n";
const WORKSPACE: &str = "[workspace]\nmembers = [\"a\"]\n";
const SCRIPT: &str = "{\"scripts\": {\"test\": \"node t.js\"}}";
const NEEDS: &str = "{\"scripts\": {\"test\": \"mocha\"}, \"devDependencies\": {\"mocha\": \"1\"}}";
const NO_TEST: &str = "{\"scripts\": {\"test\": \"echo \\\"Error: no test specified\\\" && exit 1\"}}";
const PLAIN_TEST: (&str, &str) = ("tests/test_a.py", "import a\n\ndef test_a():\n    assert a.one() == 1\n");
const CLASS: &str = "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n";
const BUILT: &str = "[build-system]\nrequires = []\n[project]\nname = \"a\"\n";
const PYTEST: &str = ".venv/bin/python -m pytest -q";
const CMAKE: &str = "cmake -S . -B .build && echo '*' > .build/.gitignore && cmake --build .build --parallel";

#[test]
fn each_ecosystem_is_known_by_its_files() {
    let venv = |packages: &str| {
        format!("python3 -m venv .venv && echo '*' > .venv/.gitignore && .venv/bin/python -m pip install -q{packages}")
    };
    let ctest = format!("{CMAKE} && ctest --test-dir .build --output-on-failure --no-tests=error");
    let (tox, dev, hatch, pipfile) = (
        venv(" tox"),
        venv(" attrs pytest 'ruff>=0.4' pytest"),
        venv(" -e '.' coverage pytest pytest"),
        venv(" pytest"),
    );
    let samples = [
        Sample {
            name: "a Rust package with a benchmark",
            files: &[("Cargo.toml", PACKAGE), ("benches/b.rs", "")],
            gates: &["cargo test", "cargo test --benches --no-run"],
            ..Sample::default()
        },
        Sample {
            name: "a Rust workspace",
            files: &[("Cargo.toml", WORKSPACE), ("Cargo.lock", ""), ("a/Cargo.toml", PACKAGE)],
            gates: &["cargo test --workspace --locked"],
            ..Sample::default()
        },
        Sample {
            name: "npm with a lock file",
            files: &[("package.json", NEEDS), ("package-lock.json", "")],
            gates: &["npm test"],
            set_up: &["npm ci"],
            ..Sample::default()
        },
        Sample {
            name: "npm without a lock file",
            files: &[("package.json", NEEDS)],
            gates: &["npm test"],
            set_up: &["npm install --no-package-lock --no-audit --no-fund"],
            ..Sample::default()
        },
        Sample {
            name: "Node without packages",
            files: &[("package.json", SCRIPT)],
            gates: &["npm test"],
            ..Sample::default()
        },
        Sample {
            name: "pnpm",
            files: &[("package.json", NEEDS), ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n")],
            programs: &["pnpm"],
            gates: &["pnpm run test"],
            set_up: &["pnpm install --frozen-lockfile"],
        },
        Sample {
            name: "pnpm that is not installed",
            files: &[("package.json", NEEDS), ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n")],
            gates: &["npx --yes pnpm@8 run test"],
            set_up: &["npx --yes pnpm@8 install --frozen-lockfile"],
            ..Sample::default()
        },
        Sample {
            name: "a pnpm workspace",
            files: &[
                ("package.json", "{\"packageManager\": \"pnpm@9.1.0+sha256.ab\"}"),
                ("pnpm-workspace.yaml", "packages:\n  - 'packages/*'\n"),
                ("packages/a/package.json", SCRIPT),
            ],
            programs: &["pnpm"],
            gates: &["pnpm -r --include-workspace-root --if-present run test"],
            set_up: &["pnpm install"],
        },
        Sample {
            name: "yarn 1",
            files: &[("package.json", NEEDS), ("yarn.lock", "# yarn lockfile v1\n")],
            programs: &["yarn"],
            gates: &["yarn run test"],
            set_up: &["yarn install --non-interactive --frozen-lockfile"],
        },
        Sample {
            name: "yarn berry",
            files: &[("package.json", NEEDS), ("yarn.lock", "# x\n\n__metadata:\n  version: 8\n")],
            programs: &["yarn"],
            gates: &["yarn run test"],
            set_up: &["yarn install --immutable"],
        },
        Sample {
            name: "yarn berry by packageManager",
            files: &[(
                "package.json",
                "{\"packageManager\": \"yarn@4.2.2\", \"scripts\": {\"test\": \"x\"}, \"dependencies\": {\"a\": \"1\"}}",
            )],
            gates: &["npx --yes @yarnpkg/cli-dist@4.2.2 run test"],
            set_up: &["npx --yes @yarnpkg/cli-dist@4.2.2 install"],
            ..Sample::default()
        },
        Sample {
            name: "bun with its own tests",
            files: &[
                ("package.json", "{\"devDependencies\": {\"a\": \"1\"}}"),
                ("bun.lock", ""),
                ("src/a.test.ts", ""),
            ],
            programs: &["bun"],
            gates: &["bun test"],
            set_up: &["bun install --frozen-lockfile"],
        },
        Sample {
            name: "deno",
            files: &[("deno.json", "{\"tasks\": {\"test\": \"deno test\"}}")],
            gates: &["deno task test"],
            ..Sample::default()
        },
        Sample {
            name: "turborepo",
            files: &[
                (
                    "package.json",
                    "{\"workspaces\": [\"apps/*\"], \"scripts\": {\"test\": \"turbo run test\", \"lint\": \"turbo run lint\"}}",
                ),
                ("turbo.json", "{}"),
                ("package-lock.json", ""),
                ("apps/a/package.json", SCRIPT),
            ],
            gates: &["npm run lint", "npm test"],
            set_up: &["npm ci"],
            ..Sample::default()
        },
        Sample {
            name: "turborepo without scripts at the top",
            files: &[
                ("package.json", "{\"workspaces\": [\"apps/*\"], \"devDependencies\": {\"turbo\": \"2\"}}"),
                ("turbo.json", "{\"tasks\": {\"test\": {}}}"),
                ("package-lock.json", ""),
                ("apps/a/package.json", SCRIPT),
            ],
            gates: &["npx turbo run test"],
            set_up: &["npm ci"],
            ..Sample::default()
        },
        Sample {
            name: "turborepo of version 1 with pnpm",
            files: &[
                ("package.json", "{}"),
                ("pnpm-workspace.yaml", "packages:\n  - 'apps/*'\n"),
                ("pnpm-lock.yaml", ""),
                ("turbo.json", "{\"pipeline\": {\"test\": {\"dependsOn\": [\"^build\"]}}}"),
                ("apps/a/package.json", SCRIPT),
            ],
            programs: &["pnpm"],
            gates: &["pnpm exec turbo run test"],
            set_up: &["pnpm install --frozen-lockfile"],
        },
        Sample {
            name: "turbo that builds only",
            files: &[
                ("package.json", "{\"workspaces\": [\"apps/*\"]}"),
                ("turbo.json", "{\"tasks\": {\"build\": {}}}"),
                ("package-lock.json", ""),
                ("apps/a/package.json", SCRIPT),
            ],
            gates: &["npm test --workspaces --include-workspace-root --if-present"],
            set_up: &["npm ci"],
            ..Sample::default()
        },
        Sample {
            name: "nx with targets and yarn",
            files: &[
                ("package.json", "{\"devDependencies\": {\"nx\": \"20\"}}"),
                ("nx.json", "{}"),
                ("yarn.lock", "# yarn lockfile v1\n"),
                ("libs/a/project.json", "{\"targets\": {\"test\": {\"executor\": \"@nx/jest:jest\"}}}"),
            ],
            programs: &["yarn"],
            gates: &["yarn run nx run-many -t test"],
            set_up: &["yarn install --non-interactive --frozen-lockfile"],
        },
        Sample {
            name: "nx without any test",
            files: &[("package.json", "{\"devDependencies\": {\"nx\": \"20\"}}"), ("nx.json", "{}")],
            ..Sample::default()
        },
        Sample {
            name: "TypeScript with all kinds of scripts",
            files: &[(
                "package.json",
                "{\"scripts\": {\"test\": \"vitest run\", \"lint\": \"eslint .\", \"lint:fix\": \"eslint . --fix\", \"typecheck\": \"tsc --noEmit\", \"build\": \"tsup\", \"dev\": \"tsup --watch\", \"format\": \"prettier --write .\", \"format:check\": \"prettier --check .\", \"release\": \"npm run build && npm publish\"}}",
            )],
            gates: &["npm run lint", "npm run format:check", "npm run typecheck", "npm run build", "npm test"],
            ..Sample::default()
        },
        Sample {
            name: "tests under another name",
            files: &[("package.json", "{\"scripts\": {\"watch\": \"mocha --watch\", \"unit\": \"mocha\"}}")],
            gates: &["npm run unit"],
            ..Sample::default()
        },
        Sample {
            name: "a lint that is part of the tests",
            files: &[("package.json", "{\"scripts\": {\"test\": \"npm run lint && ava\", \"lint\": \"xo\"}}")],
            gates: &["npm test"],
            ..Sample::default()
        },
        Sample {
            name: "create-react-app",
            files: &[("package.json", "{\"scripts\": {\"test\": \"react-scripts test\"}}")],
            gates: &["CI=true npm test"],
            ..Sample::default()
        },
        Sample {
            name: "uv",
            files: &[
                ("pyproject.toml", "[project]\nname = \"a\"\n[dependency-groups]\ntest = [\"pytest\"]\n"),
                ("uv.lock", ""),
                PLAIN_TEST,
            ],
            programs: &["uv"],
            gates: &[PYTEST],
            set_up: &["uv sync -q --locked --group test"],
        },
        Sample {
            name: "uv that is not installed",
            files: &[
                (
                    "pyproject.toml",
                    "[project]\nname = \"a\"\n[dependency-groups]\ndev = [{ include-group = \"test\" }, \"ruff>=0.4\"]\ntest = [\"attrs\", \"pytest\"]\n",
                ),
                ("uv.lock", ""),
                PLAIN_TEST,
            ],
            gates: &[PYTEST],
            set_up: &[&venv(" attrs pytest attrs pytest 'ruff>=0.4' pytest")],
            ..Sample::default()
        },
        Sample {
            name: "groups for tests, by pip",
            files: &[
                (
                    "pyproject.toml",
                    "[project]\nname = \"a\"\n[dependency-groups]\ntest = [\"attrs\", \"pytest\", \"ruff>=0.4\"]\n",
                ),
                PLAIN_TEST,
            ],
            gates: &[PYTEST],
            set_up: &[&dev],
            ..Sample::default()
        },
        Sample {
            name: "poetry",
            files: &[
                (
                    "pyproject.toml",
                    "[tool.poetry]\nname = \"a\"\n[tool.poetry.group.test.dependencies]\npytest = \"^8\"\n",
                ),
                ("poetry.lock", ""),
                PLAIN_TEST,
            ],
            programs: &["poetry"],
            gates: &[PYTEST],
            set_up: &["POETRY_VIRTUALENVS_IN_PROJECT=true poetry install -q --with test"],
        },
        Sample {
            name: "pdm",
            files: &[
                ("pyproject.toml", "[project]\nname = \"a\"\n[project.optional-dependencies]\ntest = [\"pytest\"]\n"),
                ("pdm.lock", ""),
                PLAIN_TEST,
            ],
            programs: &["pdm"],
            gates: &[PYTEST],
            set_up: &["PDM_IGNORE_SAVED_PYTHON=1 pdm install -q --frozen-lockfile -G test"],
        },
        Sample {
            name: "hatch",
            files: &[
                (
                    "pyproject.toml",
                    "[build-system]\nrequires = [\"hatchling\"]\n[project]\nname = \"a\"\n[tool.hatch.envs.default]\ndependencies = [\"coverage\", \"pytest\"]\n",
                ),
                PLAIN_TEST,
            ],
            gates: &[PYTEST],
            set_up: &[&hatch],
            ..Sample::default()
        },
        Sample {
            name: "tox",
            files: &[
                (
                    "tox.ini",
                    "[tox]\nenvlist = py3\n\n[testenv]\ndeps =\n    pytest\ncommands =\n    pytest {posargs}\n",
                ),
                ("setup.py", ""),
                PLAIN_TEST,
            ],
            gates: &[".venv/bin/python -m tox run -q -e py"],
            set_up: &[&tox, ".venv/bin/python -m tox run -q -e py --notest"],
            ..Sample::default()
        },
        Sample {
            name: "tox whose tests are of one version",
            files: &[
                ("tox.ini", "[testenv]\ncommands =\n    py312: pytest\n    py38: pytest -x\n"),
                ("setup.py", ""),
                PLAIN_TEST,
            ],
            gates: &[PYTEST],
            set_up: &[&venv(" -e '.' pytest")],
            ..Sample::default()
        },
        Sample {
            name: "nox",
            files: &[("noxfile.py", "@nox.session\ndef tests(session):\n    session.run('pytest')\n")],
            gates: &[".venv/bin/python -m nox --error-on-missing-interpreters -s tests --force-python python3"],
            set_up: &[&venv(" nox")],
            ..Sample::default()
        },
        Sample {
            name: "a Pipfile",
            files: &[("Pipfile", "[packages]\n"), PLAIN_TEST],
            gates: &[PYTEST],
            set_up: &[&pipfile],
            ..Sample::default()
        },
        Sample {
            name: "Python's own tests",
            files: &[("pyproject.toml", "[project]\nname = \"a\"\n"), ("test_a.py", CLASS)],
            gates: &["python3 -m unittest discover"],
            ..Sample::default()
        },
        Sample { name: "a Go module", files: &[("go.mod", "")], gates: &["go test ./..."], ..Sample::default() },
        Sample {
            name: "a Go workspace",
            files: &[("go.work", ""), ("a/go.mod", "")],
            gates: &["go list -f '{{.Dir}}/...' -m | xargs go test"],
            ..Sample::default()
        },
        Sample {
            name: "the Maven wrapper",
            files: &[("mvnw", ""), ("pom.xml", "")],
            gates: &["sh ./mvnw -B -ntp test"],
            ..Sample::default()
        },
        Sample {
            name: "Maven",
            files: &[("pom.xml", ""), ("core/pom.xml", "")],
            gates: &["mvn -B -ntp test"],
            ..Sample::default()
        },
        Sample {
            name: "the Gradle wrapper",
            files: &[("gradlew", ""), ("settings.gradle.kts", ""), ("app/build.gradle.kts", "")],
            gates: &["sh ./gradlew --no-daemon --console=plain check"],
            ..Sample::default()
        },
        Sample {
            name: ".NET",
            files: &[
                ("App.sln", "Project(\"{9A}\") = \"App\", \"App\\App.csproj\", \"{1C}\"\n"),
                ("App/App.csproj", ""),
                ("packages.lock.json", "{}"),
            ],
            gates: &["MSBUILDDISABLENODEREUSE=1 dotnet test --nologo --no-restore"],
            set_up: &["dotnet restore --locked-mode"],
            ..Sample::default()
        },
        Sample {
            name: "Ruby with rspec",
            files: &[("Gemfile", ""), ("Gemfile.lock", ""), ("spec/spec_helper.rb", "")],
            gates: &["BUNDLE_PATH=.bundle/gems bundle exec rspec"],
            set_up: &[
                "mkdir -p .bundle/gems && echo '*' > .bundle/gems/.gitignore && BUNDLE_PATH=.bundle/gems BUNDLE_FROZEN=true bundle install --quiet",
            ],
            ..Sample::default()
        },
        Sample {
            name: "PHP with phpunit",
            files: &[("composer.json", "{}"), ("phpunit.xml.dist", "")],
            gates: &["vendor/bin/phpunit"],
            set_up: &["composer install --quiet --no-progress"],
            ..Sample::default()
        },
        Sample {
            name: "PHP with a script",
            files: &[("composer.json", "{\"scripts\": {\"test\": \"phpunit\"}}")],
            gates: &["composer run-script test"],
            set_up: &["composer install --quiet --no-progress"],
            ..Sample::default()
        },
        Sample {
            name: "Perl",
            files: &[("Makefile.PL", ""), ("t/basic.t", "")],
            gates: &["prove -lr t"],
            ..Sample::default()
        },
        Sample {
            name: "Perl with parts in C",
            files: &[("Makefile.PL", ""), ("Fast.xs", ""), ("t/basic.t", "")],
            gates: &["perl Makefile.PL && make test"],
            ..Sample::default()
        },
        Sample {
            name: "Elixir",
            files: &[("mix.exs", ""), ("mix.lock", "")],
            gates: &["mix test"],
            set_up: &[
                "mix local.hex --force --if-missing && mix local.rebar --force --if-missing && mix deps.get --check-locked",
            ],
            ..Sample::default()
        },
        Sample {
            name: "CMake with tests",
            files: &[("CMakeLists.txt", "project(a C)\nenable_testing()\n")],
            gates: &[&ctest],
            ..Sample::default()
        },
        Sample {
            name: "CMake without tests",
            files: &[("CMakeLists.txt", "project(a C)\nadd_executable(a a.c)\n")],
            gates: &[CMAKE],
            ..Sample::default()
        },
        Sample {
            name: "meson",
            files: &[("meson.build", "project('a', 'c')\n")],
            gates: &[
                "(test -e .build/build.ninja || meson setup .build) && echo '*' > .build/.gitignore && meson test -C .build --print-errorlogs",
            ],
            ..Sample::default()
        },
        Sample {
            name: "autotools",
            files: &[("configure.ac", ""), ("Makefile.am", "")],
            gates: &["autoreconf -i && ./configure && make check"],
            ..Sample::default()
        },
        Sample {
            name: "make with another build below, and scripts of CI that go there",
            files: &[
                ("Makefile", "test: all\n"),
                ("a.c", ""),
                ("cmake/CMakeLists.txt", "project(a)\n"),
                ("vs/a.sln", "Project(\"{8B}\") = \"a\", \"a.vcxproj\", \"{E8}\"\n"),
                (
                    ".github/workflows/ci.yml",
                    "on: push\njobs:\n  b:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          mkdir b\n          cd b\n          cmake ..\n",
                ),
            ],
            gates: &[
                "cd cmake && cmake -S . -B .build && echo '*' > .build/.gitignore && cmake --build .build --parallel",
                "make test",
            ],
            ..Sample::default()
        },
        Sample {
            name: "make check",
            files: &[("Makefile", "all:\n\ncheck: all\n"), ("a.c", "")],
            gates: &["make check"],
            ..Sample::default()
        },
        Sample {
            name: "make without tests",
            files: &[("Makefile", "test := x\nall:\n"), ("src/a.c", "")],
            gates: &["make"],
            ..Sample::default()
        },
        Sample {
            name: "just",
            files: &[("justfile", "default: test\n\ntest *args:\n    true\n")],
            gates: &["just test"],
            ..Sample::default()
        },
        Sample {
            name: "Taskfile",
            files: &[("Taskfile.yml", "version: '3'\ntasks:\n  test:\n    cmds: [go test]\n")],
            gates: &["task test"],
            ..Sample::default()
        },
        Sample {
            name: "pre-commit",
            files: &[("go.mod", ""), (".pre-commit-config.yaml", "")],
            programs: &["pre-commit"],
            gates: &["go test ./...", "SKIP=no-commit-to-branch pre-commit run --all-files --show-diff-on-failure"],
            ..Sample::default()
        },
        Sample {
            name: "a back end and a front end",
            files: &[
                ("server/go.mod", ""),
                ("web/package.json", NEEDS),
                ("web/package-lock.json", ""),
                ("docs/package.json", SCRIPT),
            ],
            gates: &["cd server && go test ./...", "cd web && npm test"],
            set_up: &["(cd web && npm ci)"],
            ..Sample::default()
        },
        Sample {
            name: "Rust with a front end",
            files: &[
                ("Cargo.toml", WORKSPACE),
                ("a/Cargo.toml", PACKAGE),
                ("ui/package.json", SCRIPT),
                ("examples/x/package.json", SCRIPT),
            ],
            gates: &["cargo test --workspace", "cd ui && npm test"],
            ..Sample::default()
        },
        Sample { name: "nothing that is known", files: &[("README.md", "make test\n")], ..Sample::default() },
    ];
    assert!(samples.len() >= 45);
    let different: Vec<String> = samples.iter().filter_map(Sample::differs).collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn all_members_of_a_rust_workspace_are_tested_by_the_lock_file() {
    check(&[("Cargo.toml", PACKAGE)], &["cargo test"], &[]);
    check(&[("Cargo.toml", PACKAGE), ("Cargo.lock", "")], &["cargo test --locked"], &[]);
    check(&[("Cargo.toml", WORKSPACE)], &["cargo test --workspace"], &[]);
    let both = format!("{WORKSPACE}{PACKAGE}");
    check(&[("Cargo.toml", &both), ("Cargo.lock", "")], &["cargo test --workspace --locked"], &[]);
    check(&[("Cargo.toml", "# no [workspace] here\n[package]\nname = \"a\"\n")], &["cargo test"], &[]);
    check(&[("Cargo.toml", "[workspace.dependencies]\n")], &["cargo test --workspace"], &[]);
}

#[test]
fn all_members_of_a_node_workspace_are_tested() {
    let all = "npm test --workspaces --include-workspace-root --if-present";
    check(&[("package.json", NO_TEST)], &[], &[]);
    check(&[("package.json", "{\"devDependencies\": {\"test\": \"1\"}}")], &[], &[]);
    check(&[("package.json", "no json: \"test\"")], &[], &[]);
    for listed in ["[\"packages/*\"]", "{\"packages\": [\"./packages/a/\"]}"] {
        let top = format!("{{\"workspaces\": {listed}, \"scripts\": {{\"test\": \"true\"}}}}");
        let install = "npm install --no-package-lock --no-audit --no-fund";
        check(&[("package.json", &top), ("packages/a/package.json", SCRIPT)], &[all], &[install]);
        check(&[("package.json", &top), ("packages/a/package.json", NO_TEST)], &["npm test"], &[install]);
    }
}

#[test]
fn python_is_tested_in_an_environment_of_the_worktree() {
    let venv = |packages: &str| {
        format!("python3 -m venv .venv && echo '*' > .venv/.gitignore && .venv/bin/python -m pip install -q {packages}")
    };
    let class = ("test_a.py", CLASS);
    check(&[("pyproject.toml", BUILT), PLAIN_TEST], &[PYTEST], &[&venv("-e '.' pytest")]);
    check(&[("pyproject.toml", BUILT)], &[], &[]);
    check(&[("pyproject.toml", BUILT), class], &[".venv/bin/python -m unittest discover"], &[&venv("-e '.'")]);
    let extras =
        format!("{BUILT}[project.optional-dependencies]\ndocs = []\ntest = []\ndev = []\n[tool.pytest.ini_options]\n");
    check(&[("pyproject.toml", &extras), class], &[PYTEST], &[&venv("-e '.[test,dev]' pytest")]);
    let needs = "[project]\nname = \"a\"\ndependencies = [\"attrs\"]\n";
    check(&[("pyproject.toml", needs), class], &[".venv/bin/python -m unittest discover"], &[&venv("-e '.'")]);
    let script = [("requirements.txt", "attrs\n"), ("requirements-dev.txt", "pytest\n"), class];
    check(&script, &[PYTEST], &[&venv("-r requirements.txt -r requirements-dev.txt pytest")]);
    let apart = ("tests/test_a.py", class.1);
    check(&[("setup.py", ""), apart], &[".venv/bin/python -m unittest discover -s tests"], &[&venv("-e '.'")]);
    check(
        &[("setup.py", ""), apart, ("tests/__init__.py", "")],
        &[".venv/bin/python -m unittest discover"],
        &[&venv("-e '.'")],
    );
    check(
        &[("setup.cfg", "[metadata]\nname = a\n[options.extras_require]\ntest =\n    pytest\n"), PLAIN_TEST],
        &[PYTEST],
        &[&venv("-e '.[test]' pytest")],
    );
    check(
        &[("setup.py", "setup(extras_require={'testing': ['x']})"), PLAIN_TEST],
        &[PYTEST],
        &[&venv("-e '.[testing]' pytest")],
    );
    check(&[("script.py", "print(1)\n"), class], &[], &[]);
}

#[test]
fn each_go_module_is_tested() {
    check(&[("go.mod", ""), ("tools/x/go.mod", "")], &["go test ./...", "cd tools/x && go test ./..."], &[]);
    check(&[("go.mod", ""), ("vendor/x/go.mod", ""), ("a b/go.mod", "")], &["go test ./..."], &[]);
}

#[test]
fn a_projects_own_commands_come_last() {
    check(&[("run-tests", ""), ("test.sh", "")], &["sh ./run-tests", "sh ./test.sh"], &[]);
    check(&[("Makefile", "all:\n\ntest: all\n")], &["make test"], &[]);
    check(&[("Makefile", "tests:\n")], &[], &[]);
    check(&[("Makefile", "test:\n"), ("go.mod", "")], &["go test ./..."], &[]);
}

#[test]
fn a_town_has_rules_of_its_own() {
    let own: Vec<Rule> = toml::from_str::<BTreeMap<String, Vec<Rule>>>(
        "[[ecosystem]]\nname = \"go\"\nwhen = [\"go.mod\"]\ngates = [{ name = \"t\", run = \"gotestsum\" }]\n\
         [[ecosystem]]\nname = \"ours\"\nwhen = [\"BUILD.ours ~ ^test\"]\ngates = [{ name = \"ours\", run = \"ours test\" }]\n",
    )
    .unwrap()
    .remove("ecosystem")
    .unwrap();
    let found = look(&[("go.mod", ""), ("BUILD.ours", "test: a\n")], &[], &own);
    assert_eq!(runs(&found), ["ours test", "gotestsum"]);
}

pub(super) type Pairs = Vec<(String, String)>;

/// Returns gates with their origin, commands left out with the reason, and notes.
pub(super) fn ci(files: &[(&str, &str)]) -> (Pairs, Pairs, Vec<String>) {
    let found = look(files, &[], &[]);
    let gates = found.gates.iter().map(|found| (found.gate.run.clone(), found.from.clone())).collect();
    let omitted = found.omitted.iter().map(|omitted| (omitted.run.clone(), omitted.why.clone())).collect();
    (gates, omitted, found.notes)
}

pub(super) fn pairs(expected: &[(&str, &str)]) -> Pairs {
    expected.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[test]
fn what_ci_runs_completes_what_the_files_tell() {
    let workflow = "on: [push]\njobs:\n  test:\n    strategy:\n      matrix:\n        os: [a, b]\n    services:\n      postgres: {image: x}\n    steps:\n      - run: rustup component add clippy\n      - run: cargo test --workspace\n      - run: cargo test --all-features\n      - run: cargo test ${{ matrix.flags }} --features x\n      - run: |\n          cargo fmt --all -- --check\n          cargo clippy -- -D warnings\n      - run: cargo publish --token ${{ secrets.TOKEN }}\n      - run: cargo fmt\n  deploy:\n    steps:\n      - run: cargo clippy --all-features\n";
    let (gates, omitted, notes) = ci(&[("Cargo.toml", WORKSPACE), (".github/workflows/ci.yml", workflow)]);
    assert_eq!(
        gates,
        pairs(&[
            ("cargo test --workspace", "Cargo.toml; also in ci.yml, job test"),
            ("cargo test --all-features", "ci.yml, job test"),
            ("cargo fmt --all -- --check", "ci.yml, job test"),
            ("cargo clippy -- -D warnings", "ci.yml, job test"),
        ])
    );
    assert!(
        omitted.contains(&(
            "cargo test ${{ matrix.flags }} --features x".to_owned(),
            "it needs a value of its workflow's, such as the matrix's".to_owned()
        )),
        "{omitted:?}"
    );
    assert!(
        omitted.contains(&(
            "cargo publish --token ${{ secrets.TOKEN }}".to_owned(),
            "it publishes, deploys, or sends something away".to_owned()
        )),
        "{omitted:?}"
    );
    assert_eq!(
        notes,
        [
            "ci.yml, job test: its matrix (os) is not repeated; gates run once, here",
            "ci.yml, job test: its services are not started: postgres"
        ]
    );
}

#[test]
fn what_ci_does_without_is_no_gate() {
    let package = "{\"scripts\": {\"test\": \"jest\", \"lint\": \"eslint .\", \"build\": \"tsc\"}}";
    let workflow = "on:\n  pull_request:\njobs:\n  a:\n    steps:\n      - run: npm ci\n      - run: npm run build\n      - run: npm t\n";
    let (gates, omitted, _) = ci(&[("package.json", package), (".github/workflows/a.yml", workflow)]);
    assert_eq!(
        gates,
        pairs(&[
            ("npm run build", "package.json, script build; also in a.yml, job a"),
            ("npm test", "package.json, script test; also in a.yml, job a")
        ])
    );
    assert_eq!(omitted, pairs(&[("npm run lint", "CI does not run it")]));
}

#[test]
fn ci_tells_what_python_needs_beside_the_project() {
    let workflow = "on: push\njobs:\n  a:\n    steps:\n      - run: |\n          python -m pip install --upgrade pip tox\n          pip install -r requirements/ci.txt hypothesis\n      - run: pytest --cov\n      - run: ruff check .\n";
    let files =
        [("pyproject.toml", BUILT), PLAIN_TEST, ("requirements/ci.txt", ""), (".github/workflows/a.yml", workflow)];
    let found = look(&files, &[], &[]);
    assert_eq!(runs(&found), [PYTEST, ".venv/bin/python -m ruff check ."]);
    assert!(found.set_up[0].ends_with("-e '.' pytest -r requirements/ci.txt hypothesis ruff"), "{:?}", found.set_up);
}

#[test]
fn nothing_that_publishes_becomes_a_gate() {
    let lines = [
        "npm publish",
        "make deploy",
        "cargo test && git push",
        "docker push a/b",
        "./gradlew publish",
        "twine upload dist/*",
        "npm test && npm run release",
        "ssh host make test",
        "kubectl apply -f x && pytest",
    ];
    let script: String = lines.iter().map(|line| format!("    - {line}\n")).collect();
    let gitlab = format!(
        "stages: [test, deploy]\ntest:\n  stage: test\n  script:\n{script}prod:\n  stage: deploy\n  script: [make test]\npages:\n  script: [make check]\nnight:\n  when: manual\n  script: [make lint]\n"
    );
    let (gates, omitted, _) = ci(&[(".gitlab-ci.yml", &gitlab)]);
    assert_eq!(gates, pairs(&[]));
    for line in lines {
        assert!(omitted.iter().any(|(run, _)| run == line), "{line}: {omitted:?}");
    }
}

#[test]
fn gitlab_is_read_too() {
    let gitlab = "variables: {A: b}\ninclude: x.yml\ntest:\n  services: [postgres:15]\n  script:\n    - make lint\n    - make test\n.hidden:\n  script: [make check]\n";
    let (gates, _, notes) = ci(&[(".gitlab-ci.yml", gitlab), ("Makefile", "test:\nlint:\n")]);
    assert_eq!(
        gates,
        pairs(&[
            ("make test", "Makefile; also in .gitlab-ci.yml, job test"),
            ("make lint", ".gitlab-ci.yml, job test")
        ])
    );
    assert_eq!(
        notes,
        [
            ".gitlab-ci.yml: what it includes is not read",
            ".gitlab-ci.yml, job test: its services are not started: postgres:15"
        ]
    );
}
