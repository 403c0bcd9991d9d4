//! Draws graphs for people: a tree in the terminal, a Mermaid flowchart, or a graph for Graphviz. All graphs that gt draws come from here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::console::printable;

/// A node of a graph, in reading order: each comes before its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name of the node in the graph.
    pub id: String,
    /// Text of the node.
    pub label: String,
    /// Distance from the top.
    pub depth: usize,
    /// Parent of the node, and the kind of edge to it.
    pub parent: Option<(String, String)>,
    /// Whether the node appeared before; its children are drawn only there.
    pub again: bool,
    /// Whether the node has more children than are drawn.
    pub cut: bool,
}

/// Draws the tree as lines of text, with the usual branches.
pub fn tree(nodes: &[Node]) -> Vec<String> {
    // Going upwards shows whether a node is the last of its siblings.
    let mut has_next: Vec<bool> = Vec::new();
    let mut lines: Vec<String> = Vec::with_capacity(nodes.len());
    for node in nodes.iter().rev() {
        let is_last = !has_next.get(node.depth).copied().unwrap_or(false);
        has_next.resize(node.depth + 1, false);
        has_next[node.depth] = true;
        lines.push(line(node, is_last, &has_next));
    }
    lines.reverse();
    lines
}

fn line(node: &Node, is_last: bool, has_next: &[bool]) -> String {
    let mut line = String::new();
    for more in has_next.iter().take(node.depth).skip(1) {
        line.push_str(if *more { "│   " } else { "    " });
    }
    if node.depth > 0 {
        line.push_str(if is_last { "└── " } else { "├── " });
    }
    let _ = write!(line, "{}", printable(&node.id));
    if node.again {
        line.push_str(" (above)");
        return line;
    }
    let _ = write!(line, "  {}", printable(&node.label));
    if let Some((_, kind)) = &node.parent
        && kind != "blocks"
    {
        let _ = write!(line, "  [{}]", printable(kind));
    }
    if node.cut {
        line.push_str("  …");
    }
    line
}

/// Draws the graph as a Mermaid flowchart.
pub fn mermaid(nodes: &[Node]) -> String {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = "flowchart TD\n".to_owned();
    for node in nodes {
        let number = names.len();
        if !names.contains_key(node.id.as_str()) {
            names.insert(&node.id, number);
            let _ = writeln!(text, "  n{number}[\"{}: {}\"]", escaped(&node.id), escaped(&node.label));
        }
    }
    let mut drawn = BTreeSet::new();
    for node in nodes {
        let Some((parent, kind)) = &node.parent else { continue };
        let (Some(from), Some(to)) = (names.get(parent.as_str()), names.get(node.id.as_str())) else { continue };
        if drawn.insert((from, to, kind)) {
            let _ = writeln!(text, "  n{from} -->|{}| n{to}", escaped(kind));
        }
    }
    text
}

/// Draws the graph in the language of Graphviz.
pub fn dot(nodes: &[Node]) -> String {
    let quoted = |text: &str| format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = "digraph {\n  node [shape=box];\n".to_owned();
    let mut seen = BTreeSet::new();
    for node in nodes.iter().filter(|node| seen.insert(&node.id)) {
        let _ = writeln!(text, "  {} [label={}];", quoted(&node.id), quoted(&format!("{}: {}", node.id, node.label)));
    }
    for (node, (parent, _)) in nodes.iter().filter_map(|node| Some((node, node.parent.as_ref()?))) {
        let _ = writeln!(text, "  {} -> {};", quoted(parent), quoted(&node.id));
    }
    text + "}\n"
}

/// Escapes a text for a Mermaid label, so that nothing in it ends the label or begins markup.
fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        '"' | '#' | '&' | '<' | '>' | '|' | '[' | ']' | '`' | '\\' => format!("#{};", c as u32),
        c => c.to_string(),
    };
    printable(text).chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, depth: usize, parent: &str) -> Node {
        let parent = Some((parent.to_owned(), "blocks".to_owned())).filter(|(id, _)| !id.is_empty());
        Node { id: id.to_owned(), label: format!("the {id}"), depth, parent, ..Node::default() }
    }

    fn diamond() -> Vec<Node> {
        vec![
            node("a", 0, ""),
            node("b", 1, "a"),
            node("d", 2, "b"),
            node("c", 1, "a"),
            Node { again: true, ..node("d", 2, "c") },
            Node { parent: Some(("a".to_owned(), "related".to_owned())), cut: true, ..node("e", 1, "a") },
        ]
    }

    #[test]
    fn a_tree_has_branches_and_tells_each_node_once() {
        let drawn = tree(&diamond()).join("\n");
        assert_eq!(
            drawn,
            "a  the a\n├── b  the b\n│   └── d  the d\n├── c  the c\n│   └── d (above)\n└── e  the e  [related]  …"
        );
    }

    #[test]
    fn a_flowchart_has_each_node_and_each_edge_once() {
        let drawn = mermaid(&diamond());
        assert_eq!(drawn.matches("the d").count(), 1);
        assert_eq!(drawn.matches("-->").count(), 5);
        assert!(drawn.contains("n0 -->|related| n4"), "{drawn}");
    }

    #[test]
    fn a_label_can_neither_end_nor_steer_anything() {
        let nasty = Node { label: "x\"]\n  click a \u{1b}[31m<script>".to_owned(), ..node("a", 0, "") };
        let drawn = mermaid(std::slice::from_ref(&nasty));
        assert_eq!(drawn.lines().count(), 2);
        assert!(!drawn.contains('\u{1b}') && !drawn.contains('<') && drawn.contains("#34;#93;"), "{drawn}");
        assert!(!tree(&[nasty])[0].contains('\u{1b}'));
    }
}
