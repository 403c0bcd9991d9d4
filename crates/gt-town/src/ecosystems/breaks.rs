//! Finds files that a project's tests depend on. A proof breaks them on purpose to see whether the gates really test this tree.

use std::collections::BTreeMap;

use super::project::{Project, join};
use super::uses;
use crate::town::error::Result;

/// A file to break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Its path from the top of the project.
    pub file: String,
    /// Replacement text that no tool accepts.
    pub text: &'static str,
}

/// Maximum number of files that are broken, one after the other.
const LIMIT: usize = 5;

/// Maximum number of files that are read to find out what tests use.
const READ: usize = 200;

/// Text that is invalid in every language but PHP.
const BROKEN: &str = ")]} broken on purpose, to see whether the gates turn red: (\" ' \n";

/// Text that is invalid in PHP, for which the other would be plain text.
const BROKEN_PHP: &str = "<?php )]} broken on purpose, to see whether the gates turn red\n";

fn broken(file: String) -> Break {
    let text = if file.ends_with(".php") { BROKEN_PHP } else { BROKEN };
    Break { file, text }
}

/// Finds files in each part of a project that its tests certainly use. Returns none if that can't be determined.
pub fn find(project: &Project<'_>) -> Result<Vec<Break>> {
    let mut files = rust(project)?;
    files.extend(node(project)?);
    files.extend(python(project)?);
    files.extend(go(project)?);
    files.extend(compiled(project)?);
    files.extend(uses::most_used(project)?);
    files.dedup();
    files.truncate(LIMIT);
    Ok(files.into_iter().map(broken).collect())
}

/// Returns the library or program of each member.
fn rust(project: &Project<'_>) -> Result<Vec<String>> {
    let manifest = project.data("Cargo.toml")?;
    let mut folders = if manifest["package"].is_object() { vec![String::new()] } else { Vec::new() };
    let excluded = |folder: &String| {
        let list = manifest["workspace"]["exclude"].as_array().into_iter().flatten();
        list.filter_map(serde_json::Value::as_str).any(|path| folder == path)
    };
    for pattern in manifest["workspace"]["members"].as_array().into_iter().flatten().filter_map(|one| one.as_str()) {
        match pattern.strip_suffix("/*") {
            Some(above) => folders.extend(project.names(above)?.iter().map(|name| join(above, name))),
            None => folders.push(pattern.to_owned()),
        }
    }
    let source = |folder: String| {
        let sources = ["src/lib.rs", "src/main.rs"].map(|file| join(&folder, file));
        sources.into_iter().find(|file| project.has(file) && project.has(&join(&folder, "Cargo.toml")))
    };
    Ok(folders.into_iter().filter(|folder| !excluded(folder)).filter_map(source).collect())
}

/// Returns the file that most tests import, for a package without members and for each member.
fn node(project: &Project<'_>) -> Result<Vec<String>> {
    if !project.has("package.json") {
        return Ok(Vec::new());
    }
    let is_test = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_source = [".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx"].iter().any(|end| name.ends_with(end));
        let is_called = name.contains(".test.")
            || name.contains(".spec.")
            || name.starts_with("test.")
            || name.starts_with("test-");
        is_source && (is_called || path.split('/').any(|part| ["test", "tests", "__tests__"].contains(&part)))
    };
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let files = project.files(|name| name.ends_with('s') || name.ends_with('x'))?;
    for test in files.iter().filter(|path| is_test(path)).take(READ) {
        let text = project.text(test)?.unwrap_or_default();
        for path in imports(&text) {
            let file = resolve(project, test, &path).filter(|file| !is_test(file));
            if let Some(file) = file {
                *used.entry(file).or_default() += 1;
            }
        }
    }
    Ok(most(used).into_iter().collect())
}

/// Returns the relative imports of a JavaScript text.
fn imports(text: &str) -> Vec<String> {
    let words = ["from", "import", "require(", "import("];
    let mut found = Vec::new();
    for line in text.lines() {
        for quote in ['\'', '"'] {
            let mut parts = line.split(quote);
            let Some(mut before) = parts.next() else { continue };
            while let (Some(path), Some(after)) = (parts.next(), parts.next()) {
                if words.iter().any(|word| before.trim_end().ends_with(word)) && path.starts_with('.') {
                    found.push(path.to_owned());
                }
                before = after;
            }
        }
    }
    found
}

/// Returns the file that a relative import names.
fn resolve(project: &Project<'_>, from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    let base = parts.join("/");
    let ends = ["", ".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx", "/index.js", "/index.ts", "/index.mjs"];
    // TypeScript imports `a.js` when it means `a.ts`.
    let stem = base.strip_suffix(".js").unwrap_or(&base).to_owned();
    let named =
        ends.iter().map(|end| format!("{base}{end}")).chain([".ts", ".tsx"].iter().map(|end| format!("{stem}{end}")));
    let found: Vec<String> = named.map(|file| file.trim_start_matches('/').to_owned()).collect();
    let main = || {
        let package = project.data(&join(&base, "package.json")).unwrap_or_default();
        let main = package["main"].as_str().unwrap_or("index.js").trim_start_matches("./").to_owned();
        Some(join(&base, &main)).filter(|file| project.has(file))
    };
    found.into_iter().find(|file| project.has(file) && !file.ends_with(".json")).or_else(main)
}

/// Returns the module that most tests import.
fn python(project: &Project<'_>) -> Result<Vec<String>> {
    let is_test = |name: &str| name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"));
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for test in project.files(is_test)?.iter().take(READ) {
        let text = project.text(test)?.unwrap_or_default();
        for line in text.lines() {
            let Some(module) = line.strip_prefix("import ").or_else(|| line.strip_prefix("from ")) else { continue };
            let name = module.split([' ', '.', ',']).next().unwrap_or_default();
            if name.is_empty() {
                continue;
            }
            let places = ["", "src", "lib", "python"].map(|folder| join(folder, name));
            let files = places.iter().flat_map(|place| [format!("{place}/__init__.py"), format!("{place}.py")]);
            if let Some(file) = files.into_iter().find(|file| project.has(file) && !file.starts_with("test")) {
                *used.entry(file).or_default() += 1;
            }
        }
    }
    Ok(most(used).into_iter().collect())
}

fn most(used: BTreeMap<String, usize>) -> Option<String> {
    used.into_iter().max_by_key(|(_, count)| *count).map(|(file, _)| file)
}

/// Returns a file beside a test for each module.
fn go(project: &Project<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for manifest in project.files(|name| name == "go.mod")? {
        let module = manifest.strip_suffix("go.mod").unwrap_or_default();
        let files = project.files(|name| name.ends_with("_test.go"))?;
        let folder_of = |file: &str| file.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
        for test in files.iter().filter(|file| file.starts_with(module)) {
            let folder = folder_of(test);
            let beside = project.names(&folder)?.into_iter().find(|name| {
                let is_for_all = !name.contains('_');
                name.ends_with(".go") && is_for_all && !name.starts_with('.')
            });
            if let Some(name) = beside {
                found.push(join(&folder, &name));
                break;
            }
        }
    }
    Ok(found)
}

/// Sources that are all compiled before any test: the file that shows this, the folders of the sources and their suffix.
const COMPILED: &[(&str, &[&str], &str)] = &[
    ("pom.xml", &["src/main/java"], ".java"),
    ("build.gradle", &["src/main/java", "src/main/kotlin"], ""),
    ("build.gradle.kts", &["src/main/java", "src/main/kotlin"], ""),
    ("mix.exs", &["lib"], ".ex"),
    ("Package.swift", &["Sources"], ".swift"),
];

fn compiled(project: &Project<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (_, folders, end) in COMPILED.iter().filter(|(sign, ..)| project.has(sign)) {
        let is_source = |name: &str| {
            if end.is_empty() { name.ends_with(".java") || name.ends_with(".kt") } else { name.ends_with(end) }
        };
        let files = project.deep_files(folders, &is_source)?;
        // Ignore files that only describe a module or package.
        let mut files = files.into_iter().filter(|file| !file.ends_with("-info.java"));
        found.extend(files.next());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gt_world::Disk as _;
    use gt_world::real::RealDisk;

    #[test]
    fn what_tests_use_is_found() {
        let check = |files: &[(&str, &str)], expected: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            for (path, text) in files {
                RealDisk.write(&folder.path().join(path), text.as_bytes()).unwrap();
            }
            let found = find(&Project { disk: &RealDisk, folder: folder.path() }).unwrap();
            let found: Vec<&str> = found.iter().map(|found| found.file.as_str()).collect();
            assert_eq!(found, expected, "{files:?}");
        };
        let package = "[package]\nname = \"a\"\n";
        check(&[("Cargo.toml", package), ("src/main.rs", "")], &["src/main.rs"]);
        let workspace = format!("[workspace]\nmembers = [\"a\", \"crates/*\"]\nexclude = [\"crates/x\"]\n{package}");
        check(
            &[
                ("Cargo.toml", &workspace),
                ("src/lib.rs", ""),
                ("a/Cargo.toml", package),
                ("a/src/lib.rs", ""),
                ("crates/b/Cargo.toml", package),
                ("crates/b/src/main.rs", ""),
                ("crates/x/Cargo.toml", package),
                ("crates/x/src/lib.rs", ""),
            ],
            &["src/lib.rs", "a/src/lib.rs", "crates/b/src/main.rs"],
        );
        check(
            &[
                ("package.json", "{}"),
                ("lib/a.js", ""),
                ("lib/b.ts", ""),
                (
                    "test/x.js",
                    "import a from \"../lib/a\";\nconst b = require('../lib/b.js'), c = require('./help');\n",
                ),
                ("test/help.js", ""),
                ("lib/b.test.ts", "import { b } from './b';\n"),
            ],
            &["lib/b.ts"],
        );
        check(
            &[("package.json", "{\"main\": \"./main.js\"}"), ("main.js", ""), ("test.js", "require('.')")],
            &["main.js"],
        );
        check(&[("package.json", "{}"), ("test.js", "require('left-pad')")], &[]);
        check(
            &[
                ("src/shop/__init__.py", ""),
                ("tests/test_a.py", "import os\nimport shop\nfrom shop.b import c\n"),
                ("shop.txt", ""),
            ],
            &["src/shop/__init__.py"],
        );
        check(&[("tool.py", ""), ("test_tool.py", "from tool import x\n")], &["tool.py"]);
        check(&[("go.mod", ""), ("b/b.go", ""), ("b/b_test.go", ""), ("b/a_windows.go", "")], &["b/b.go"]);
        check(
            &[("pom.xml", ""), ("src/main/java/org/x/y/z/A.java", ""), ("src/main/java/module-info.java", "")],
            &["src/main/java/org/x/y/z/A.java"],
        );
        check(&[("run-tests", "true")], &[]);
        check(
            &[
                ("CMakeLists.txt", ""),
                ("src/shop.h", ""),
                ("src/shop.c", ""),
                ("tests/help.h", ""),
                ("tests/shop_test.c", "#include <stdio.h>\n#include \"help.h\"\n# include \"shop.h\"\n"),
            ],
            &["src/shop.h"],
        );
        // A file that all tests share is what uses the project. A part that two tests use may not even be built.
        check(
            &[
                ("json.c", ""),
                ("extra.h", ""),
                ("tests/common.h", "#include \"../json.c\"\n"),
                ("tests/a.c", "#include \"common.h\"\n"),
                ("tests/b.c", "#include \"common.h\"\n"),
                ("tests/c.c", "#include \"common.h\"\n"),
                ("tests/d.c", "#include \"../extra.h\"\n"),
                ("tests/e.c", "#include \"../extra.h\"\n"),
            ],
            &["json.c"],
        );
        check(&[("json.h", ""), ("test.c", "#include \"json.h\"\n")], &["json.h"]);
        check(
            &[
                ("Shop/Shop.csproj", ""),
                ("Shop/Till.cs", ""),
                ("Shop.Tests/Shop.Tests.csproj", "  <ProjectReference Include=\"..\\Shop\\Shop.csproj\" />\n"),
                ("Shop.Tests/TillTests.cs", ""),
            ],
            &["Shop/Till.cs"],
        );
        check(
            &[
                ("lib/shop.rb", ""),
                ("lib/shop/till.rb", ""),
                ("test/a_test.rb", "require 'minitest/autorun'\nrequire \"shop\"\n"),
                ("test/b_test.rb", "require_relative '../lib/shop'\n"),
                ("spec/till_spec.rb", "require 'shop/till'\n"),
            ],
            &["lib/shop.rb"],
        );
        check(
            &[
                ("composer.json", "{\"autoload\": {\"psr-4\": {\"Shop\\\\\": \"src/\"}}}"),
                ("src/Till.php", ""),
                ("tests/TillTest.php", "<?php\nuse PHPUnit\\Framework\\TestCase;\nuse Shop\\Till;\n"),
            ],
            &["src/Till.php"],
        );
        check(&[("lib/Try/Tiny.pm", ""), ("t/a.t", "use strict;\nuse Try::Tiny;\n")], &["lib/Try/Tiny.pm"]);
        check(
            &[
                ("till.sh", ""),
                ("tests/till_test.sh", "#!/bin/sh\n. ./till.sh\n"),
                ("tests/run.sh", "sh tests/till_test.sh"),
            ],
            &["till.sh"],
        );
        check(&[("till.sh", ""), ("run-tests", "sh \"${here}/till.sh\" 3\n")], &["till.sh"]);
    }
}
