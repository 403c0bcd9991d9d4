//! Commands from a document, for a test to run as a reader would type them.
//!
//! A comment right before a shell block says that a test runs the block: `<!-- run: <name>[, <when>] -->`. Other words than `run`
//! have a meaning of the test's own (such as `type`, for text that is typed into a terminal, and `append`, for text that is
//! appended to a settings file).

/// A block that a test runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// How the test uses it: `run`, `type`.
    pub how: String,
    /// Its story.
    pub name: String,
    /// The condition that must hold before.
    pub when: Option<String>,
    /// The commands.
    pub commands: String,
}

/// Returns the marked blocks of a Markdown document, in order. A mark that no block follows directly is an error.
pub fn blocks(document: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some((how, rest)) = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->")?.split_once(": "))
        else {
            continue;
        };
        if !matches!(lines.next(), Some("```sh" | "```toml")) {
            return Err(format!("no block is behind `{line}`"));
        }
        let commands: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let (name, when) = rest.split_once(", ").map_or((rest, None), |(name, when)| (name, Some(when.to_owned())));
        blocks.push(Block { how: how.to_owned(), name: name.to_owned(), when, commands: commands.join("\n") });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_blocks_are_found_and_no_others() {
        let found =
            blocks("# A\n```sh\nrm -rf\n```\n<!-- run: one, when green -->\n```sh\na\nb # c\n```\nmore\n").unwrap();
        let block = |how: &str| Block {
            how: how.to_owned(),
            name: "one".to_owned(),
            when: Some("when green".to_owned()),
            commands: "a\nb # c".to_owned(),
        };
        assert_eq!(found, [block("run")]);
        assert!(blocks("<!-- run: one -->\n\n```sh\n```\n").is_err());
    }
}
