//! Beads written as Markdown: `## Title`, then text, then `### Priority`, `### Type` and the like.

/// A bead of a Markdown file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Title, from the heading.
    pub title: String,
    /// Text after the heading, or under `### Description`.
    pub description: String,
    /// Text under `### Design`.
    pub design: String,
    /// Text under `### Acceptance Criteria`.
    pub acceptance: String,
    /// Number under `### Priority`; `None` where it is not from 0 to 4.
    pub priority: Option<i64>,
    /// Word under `### Type`.
    pub issue_type: Option<String>,
    /// Name under `### Assignee`.
    pub assignee: String,
    /// Words under `### Labels`, separated by commas or line ends.
    pub labels: Vec<String>,
    /// Words under `### Dependencies`, separated in the same way.
    pub dependencies: Vec<String>,
}

/// Parses the beads of a file, in order. Ignores headings inside code blocks.
pub fn beads(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut section = String::new();
    let mut body = String::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let heading = if in_code { None } else { line.split_once(' ') };
        match heading {
            Some(("##", title)) => {
                close(&mut items, &section, &mut body);
                section.clear();
                items.push(Item { title: title.trim().to_owned(), ..Item::default() });
            }
            Some(("###", name)) if !items.is_empty() => {
                close(&mut items, &section, &mut body);
                section = name.trim().to_lowercase();
            }
            _ => {
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    close(&mut items, &section, &mut body);
    items
}

/// Assigns the text so far to its section. Text under an unknown heading stays in the description.
fn close(items: &mut [Item], section: &str, body: &mut String) {
    let text = std::mem::take(body);
    let text = text.trim();
    let Some(item) = items.last_mut().filter(|_| !text.is_empty()) else { return };
    match section {
        "" | "description" => append(&mut item.description, text),
        "design" => append(&mut item.design, text),
        "acceptance criteria" | "acceptance" => append(&mut item.acceptance, text),
        "priority" => item.priority = text.trim_start_matches(['P', 'p']).parse().ok().filter(|n| (0..=4).contains(n)),
        "type" => item.issue_type = Some(text.to_lowercase()),
        "assignee" => item.assignee = text.to_owned(),
        "labels" => item.labels = words(text),
        "dependencies" => item.dependencies = words(text),
        other => append(&mut item.description, &format!("### {other}\n{text}")),
    }
}

fn append(to: &mut String, text: &str) {
    if !to.is_empty() {
        to.push_str("\n\n");
    }
    to.push_str(text);
}

fn words(text: &str) -> Vec<String> {
    let parts = text.split([',', '\n']).map(|word| word.trim().trim_start_matches("- ").trim());
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_a_bead_and_its_sections_are_its_fields() {
        let text = "# Plan\nwords\n\n## One\nWhy.\n```\n## no heading\n```\n### Priority\nP1\n### Labels\na, b\n- c\n\
                    ### Risks\nsome\n## Two\n### Type\nBug\n### Priority\n9\n### Dependencies\nblocks:x-1";
        let read = beads(text);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].description, "Why.\n```\n## no heading\n```\n\n### risks\nsome");
        assert_eq!((read[0].priority, read[0].labels.join(" ")), (Some(1), "a b c".to_owned()));
        assert_eq!((read[1].title.as_str(), read[1].issue_type.as_deref()), ("Two", Some("bug")));
        assert_eq!((read[1].priority, read[1].dependencies.as_slice()), (None, &["blocks:x-1".to_owned()][..]));
    }

    #[test]
    fn a_file_without_headings_has_no_beads() {
        assert_eq!(beads(""), []);
        assert_eq!(beads("### Type\nbug\n#### deep"), []);
    }
}
