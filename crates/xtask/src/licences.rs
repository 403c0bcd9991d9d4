//! Licences of dependencies: only those that let us ship under MIT OR Apache-2.0.

use std::process::Command;

use serde_json::Value;

/// Licences that any dependency may have.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks every package of the lock file.
pub fn check() -> Result<(), String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .map_err(|e| format!("cargo can't be started: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let bad: Vec<String> = packages.iter().filter(|p| !is_allowed(p["license"].as_str())).map(describe).collect();
    if !bad.is_empty() {
        return Err(format!("licences that are not on the list:\n{}", bad.join("\n")));
    }
    println!("licences: {} packages, all allowed", packages.len());
    Ok(())
}

fn describe(package: &Value) -> String {
    format!("{} {}: {}", package["name"], package["version"], package["license"])
}

/// Whether a licence expression can be satisfied: each `AND` part needs one allowed alternative.
fn is_allowed(expression: Option<&str>) -> bool {
    let Some(expression) = expression else { return false };
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|part| part.split(" OR ").any(|licence| ALLOWED.contains(&licence.trim())))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn an_expression_is_met_or_not() {
        for met in
            ["MIT", "MIT OR Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0", "MIT/Apache-2.0"]
        {
            assert!(is_allowed(Some(met)), "{met}");
        }
        for not_met in ["GPL-3.0", "MIT AND GPL-3.0", ""] {
            assert!(!is_allowed(Some(not_met)), "{not_met}");
        }
        assert!(!is_allowed(None));
    }
}
