//! Permissions of an agent as the client's own rules, as far as these can express them.

use std::collections::BTreeSet;

use crate::guard::permit::{Grants, Pattern, READING};

/// The rules for these grants.
pub fn rules(grants: &Grants) -> Vec<String> {
    let named = grants.patterns.iter().filter_map(rule);
    let reading = READING.iter().map(|words| format!("Bash({words}:*)"));
    // A rule's absolute path has two slashes.
    let folders = grants.reads.iter().map(|folder| format!("Read(/{}/**)", folder.display()));
    let mut rules: Vec<String> = named.chain(reading).chain(folders).collect();
    let mut seen = BTreeSet::new();
    rules.retain(|rule| seen.insert(rule.clone()));
    rules
}

/// The rule that says the same as a pattern; `None` where none does.
fn rule(pattern: &Pattern) -> Option<String> {
    match pattern {
        Pattern::Command(words) => {
            let plain = |c: char| c.is_alphanumeric() || "./_-=+,:@%".contains(c);
            let all_plain = words.iter().all(|word| !word.is_empty() && word.chars().all(plain));
            all_plain.then(|| format!("Bash({}:*)", words.join(" ")))
        }
        Pattern::Tool { .. } => Some(pattern.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_said_as_a_rule() {
        for (text, expected) in [
            ("npm run lint", "Bash(npm run lint:*)"),
            ("npm run:*", "Bash(npm run:*)"),
            ("npm run *", "Bash(npm run:*)"),
            ("Bash(make check:*)", "Bash(make check:*)"),
            ("  ./x.sh ", "Bash(./x.sh:*)"),
            ("WebFetch", "WebFetch"),
            ("WebFetch(domain:docs.rs)", "WebFetch(domain:docs.rs)"),
            ("Read(//usr/include/**)", "Read(//usr/include/**)"),
            ("mcp__x__y", "mcp__x__y"),
            ("python3 -m pytest", "Bash(python3 -m pytest:*)"),
            ("CI=1 make", "Bash(CI=1 make:*)"),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!(rule(&pattern).as_deref(), Some(expected), "{text}");
        }
    }
}
