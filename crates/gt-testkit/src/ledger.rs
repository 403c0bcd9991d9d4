//! Generated ledgers of any size. The same numbers give the same ledger.

use std::fmt::Write;

/// The size and shape of a generated ledger.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Number of beads.
    pub beads: usize,
    /// Number of dependencies.
    pub dependencies: usize,
    /// Whether each bead is blocked by the previous one, and by nothing else.
    pub chain: bool,
}

/// A small generator of random-looking numbers, the same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// Returns the next number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }

    fn one<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for at in 0..words {
            text.push_str(if at == 0 { "" } else { " " });
            text.push_str(self.one(WORDS));
            // Real texts use thousands of different words.
            let number = self.below(3000);
            if number.is_multiple_of(3) {
                let _ = write!(text, "{number}");
            }
        }
        text
    }
}

const WORDS: &[&str] = &[
    "login", "parser", "fails", "when", "the", "queue", "is", "empty", "retry", "after", "timeout", "add", "tests",
    "for", "cache", "of", "worker", "session", "and", "document", "flag", "remove", "old", "index", "slow", "query",
];

/// Returns the id of the n-th bead of a generated ledger.
pub fn id(n: usize) -> String {
    format!("vt-{n:06}")
}

/// Returns a ledger as JSONL, beads in the order of their ids: two thirds are closed, a few are in each other state. Edges lead
/// to earlier beads, a third of them to parents.
pub fn jsonl(shape: Shape) -> String {
    let mut numbers = Numbers(7);
    let mut text = String::with_capacity(shape.beads * 600);
    for n in 0..shape.beads {
        let status = if shape.chain { "open" } else { numbers.one(STATUSES) };
        let day = 1 + n % 28;
        let _ = write!(
            text,
            r#"{{"id":"{}","title":"{}","description":"{}","status":"{status}","priority":{},"issue_type":"{}","#,
            id(n),
            numbers.text(6),
            numbers.text(40),
            numbers.below(5),
            numbers.one(&["task", "task", "bug", "feature", "chore", "epic"]),
        );
        let time = format!("2026-01-{day:02}T10:{:02}:{:02}.123456Z", n / 60 % 60, n % 60);
        let _ = write!(text, r#""created_at":"{time}","created_by":"ann","updated_at":"{time}""#);
        if status == "closed" {
            let _ = write!(text, r#","closed_at":"{time}","close_reason":"done""#);
        }
        if n.is_multiple_of(4) {
            let _ = write!(text, r#","labels":["{}"]"#, numbers.one(&["area/ui", "area/engine", "urgent"]));
        }
        write_edges(&mut text, &mut numbers, shape, n);
        text.push_str("}\n");
    }
    text
}

const STATUSES: &[&str] = &["closed", "closed", "closed", "closed", "open", "in_progress"];

fn write_edges(text: &mut String, numbers: &mut Numbers, shape: Shape, n: usize) {
    let targets: Vec<(String, &str)> = if shape.chain {
        n.checked_sub(1).map(|before| (id(before), "blocks")).into_iter().collect()
    } else {
        // Spread evenly, so that the total is exactly the requested number, except for the first bead's edges.
        let count = (n + 1) * shape.dependencies / shape.beads - n * shape.dependencies / shape.beads;
        let count = if n == 0 { 0 } else { count };
        (0..count).map(|_| (id(numbers.below(n)), numbers.one(&["blocks", "parent-child", "related"]))).collect()
    };
    for (at, (target, kind)) in targets.iter().enumerate() {
        text.push_str(if at == 0 { r#","dependencies":["# } else { "," });
        let _ = write!(
            text,
            r#"{{"issue_id":"{}","depends_on_id":"{target}","type":"{kind}","created_at":"2026-01-01T00:00:00Z"}}"#,
            id(n)
        );
    }
    text.push_str(if targets.is_empty() { "" } else { "]" });
}
