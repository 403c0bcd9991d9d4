//! The sample project: a street of shell functions with a test suite that needs `sh` and nothing else.

/// Includes a file of the sample project in the binary.
macro_rules! project_files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("project/", $path)))),*] };
}

const FILES: &[(&str, &str)] = project_files![
    "README.md",
    "lib/shops.sh",
    "lib/street.sh",
    "lib/words.sh",
    "run-tests",
    "tests/shops.sh",
    "tests/street.sh",
    "tests/words.sh",
];

/// Returns the project's first commit: paths and texts, ordered by path.
pub fn files() -> Vec<(&'static str, &'static str)> {
    FILES.to_vec()
}
