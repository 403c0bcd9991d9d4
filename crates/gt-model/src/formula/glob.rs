//! Patterns of ids: `*` stands for any characters, `?` for one.

/// Returns whether the whole text matches. The time is the product of the lengths at most.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, at)) => {
                    star = Some((after, at + 1));
                    (p, t) = (after, at + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    #[test]
    fn patterns_match_whole_ids() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(super::matches(pattern, text), expected, "{pattern} {text}");
        };
        check("implement", "implement", true);
        check("implement", "implement.1", false);
        check("*.implement", "a.b.implement", true);
        check("a*b*c", "a-b-b-c", true);
        check("a?c", "abc", true);
        check("*", "", true);
        check("?", "", false);
        check("a*b", "ac", false);
    }
}
