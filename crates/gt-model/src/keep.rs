//! Patterns for caches that stay between two gate runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Patterns for paths inside a worktree. `*` and `?` stand for characters within one name, `**` for any number of folders. A
/// pattern without a slash matches a name at any depth; one with a slash starts at the top folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Keep {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    parts: Vec<String>,
}

/// A pattern that matches nothing inside a worktree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can't be kept: name files or folders inside the worktree, without `..` and `.git`, as in keep = [\"target\"]"
)]
pub struct BadPattern(String);

impl Keep {
    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a pattern matches this path itself. Everything below it is then kept as well.
    pub fn matches(&self, path: &[u8]) -> bool {
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        self.patterns.iter().any(|pattern| parts_match(&pattern.parts, &names))
    }

    /// Whether a pattern matches this path or a folder that contains it.
    pub fn covers(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        ends.chain([path.len()]).any(|end| self.matches(&path[..end]))
    }
}

impl TryFrom<Vec<String>> for Keep {
    type Error = BadPattern;

    fn try_from(texts: Vec<String>) -> Result<Self, BadPattern> {
        Ok(Self { patterns: texts.into_iter().map(Pattern::parse).collect::<Result<_, _>>()? })
    }
}

impl From<Keep> for Vec<String> {
    fn from(keep: Keep) -> Self {
        keep.patterns.into_iter().map(|pattern| pattern.text).collect()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.patterns.iter().map(|pattern| pattern.text.as_str()).collect();
        f.write_str(&texts.join(", "))
    }
}

impl Pattern {
    fn parse(text: String) -> Result<Self, BadPattern> {
        let inner = text.trim_end_matches('/');
        let anchored = inner.contains('/');
        let mut parts: Vec<String> = inner.strip_prefix('/').unwrap_or(inner).split('/').map(str::to_owned).collect();
        let is_bad = |part: &String| ["", ".", "..", ".git"].contains(&part.as_str()) || part.contains('\0');
        // A pattern that matches everything does not name a cache.
        let only_wild = parts.iter().all(|part| part.chars().all(|c| c == '*'));
        if only_wild || parts.iter().any(is_bad) {
            return Err(BadPattern(text));
        }
        if !anchored {
            parts.insert(0, "**".to_owned());
        }
        Ok(Self { text, parts })
    }
}

fn parts_match(parts: &[String], names: &[&[u8]]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return names.is_empty() };
    if part == "**" {
        return (0..=names.len()).any(|skipped| parts_match(rest, &names[skipped..]));
    }
    names.split_first().is_some_and(|(name, others)| name_matches(part.as_bytes(), name) && parts_match(rest, others))
}

fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|taken| name_matches(rest, &name[taken..])),
        (Some((b'?', rest)), Some((_, others))) => name_matches(rest, others),
        (Some((wanted, rest)), Some((there, others))) => wanted == there && name_matches(rest, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(text: &str) -> Keep {
        Keep::try_from(vec![text.to_owned()]).unwrap()
    }

    #[test]
    fn patterns_name_paths_as_ignore_files_do() {
        let cases = [
            ("target", "target", true),
            ("target", "crates/a/target", true),
            ("target/", "target", true),
            ("target", "targets", false),
            ("target", "target/debug", false),
            ("/target", "target", true),
            ("/target", "a/target", false),
            ("build/cache", "build/cache", true),
            ("build/cache", "a/build/cache", false),
            ("build/cache", "build", false),
            ("packages/*/dist", "packages/web/dist", true),
            ("packages/*/dist", "packages/web/deep/dist", false),
            ("packages/**/dist", "packages/web/deep/dist", true),
            ("**/dist", "dist", true),
            ("*.cache", "a/x.cache", true),
            ("?.o", "a.o", true),
            ("?.o", "ab.o", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(keep(pattern).matches(path.as_bytes()), expected, "{pattern} {path}");
        }
        assert!(!Keep::default().matches(b"target") && Keep::default().is_empty());
    }

    #[test]
    fn what_is_below_a_kept_folder_is_covered() {
        for (path, expected) in [("target", true), ("target/a/b", true), ("a/target/x", true), ("src/a", false)] {
            assert_eq!(keep("target").covers(path.as_bytes()), expected, "{path}");
        }
        assert!(keep("build/cache").covers(b"build/cache/x") && !keep("build/cache").covers(b"build/x"));
    }

    #[test]
    fn what_is_no_cache_inside_the_worktree_is_refused() {
        for text in ["", "/", ".", "..", "../target", "a/../b", ".git", "a/.git", "*", "**", "/*", "a//b"] {
            assert_eq!(Keep::try_from(vec![text.to_owned()]), Err(BadPattern(text.to_owned())), "{text}");
        }
    }
}
