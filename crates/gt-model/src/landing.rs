//! Composes the commit that lands work: its author and its message.

use serde::Deserialize;

use crate::bead::BeadType;
use crate::foreign;

/// Maximum length of a subject, in characters.
const SUBJECT_LIMIT: usize = 100;

/// Maximum size of a bead's text in a commit, in bytes.
const BODY_LIMIT: usize = 8 * 1024;

/// A name and a mail address, as git stores them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Person {
    /// Name of the person.
    pub name: String,
    /// Mail address.
    pub mail: String,
}

impl Person {
    /// Creates a person; `None` if git could not write this name and address.
    pub fn new(name: &str, mail: &str) -> Option<Self> {
        let (name, mail) = (name.trim(), mail.trim());
        let is_plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control() || "<>".contains(c));
        let has_letters = name.chars().any(char::is_alphanumeric);
        let is_fine = is_plain(name) && has_letters && is_plain(mail) && !mail.contains(' ');
        is_fine.then(|| Self { name: name.to_owned(), mail: mail.to_owned() })
    }
}

impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <{}>", self.name, self.mail)
    }
}

impl TryFrom<String> for Person {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<'));
        let person = parts.and_then(|(name, mail)| Self::new(name, mail));
        person.ok_or_else(|| format!("`{text}` is not a name with an address, as in Ann Lee <ann@example.org>"))
    }
}

/// Author of commits that land.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Author {
    /// The worker that did the work.
    #[default]
    Worker,
    /// The worker, with the overseer as a co-author.
    WorkerAndOverseer,
    /// The overseer. A trailer names the worker.
    Overseer,
    /// A person that the settings name. A trailer names the worker.
    Named(Person),
}

impl TryFrom<String> for Author {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "worker" => Ok(Self::Worker),
            "worker-and-overseer" => Ok(Self::WorkerAndOverseer),
            "overseer" => Ok(Self::Overseer),
            _ => Person::try_from(text)
                .map(Self::Named)
                .map_err(|why| format!("{why}; or one of: worker, worker-and-overseer, overseer")),
        }
    }
}

/// Text of the bead in the message, below its subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// No text.
    #[default]
    None,
    /// Description of the bead.
    Bead,
    /// Messages of the worker's commits.
    Commits,
}

/// Form of landing commits. `None` means the value of the town's settings, or the default if they have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// Author of the commits.
    pub author: Option<Author>,
    /// Name and address of the overseer; if absent, those of the overseer's git.
    pub overseer: Option<Person>,
    /// Template of the subject, in which `{title}`, `{bead}`, `{type}` (of the bead) and `{kind}` (feat, fix, chore, …) are
    /// replaced.
    pub subject: Option<String>,
    /// Text below the subject.
    pub body: Option<Body>,
    /// Whether the message is signed off: by the overseer, or by the named author.
    pub sign_off: Option<bool>,
    /// Whether to sign the commit with the overseer's key. If absent, the overseer's git decides.
    pub sign: Option<bool>,
}

impl Style {
    /// Returns these settings on top of those of `base`.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            author: self.author.clone().or_else(|| base.author.clone()),
            overseer: self.overseer.clone().or_else(|| base.overseer.clone()),
            subject: self.subject.clone().or_else(|| base.subject.clone()),
            body: self.body.or(base.body),
            sign_off: self.sign_off.or(base.sign_off),
            sign: self.sign.or(base.sign),
        }
    }

    /// Whether composing a commit needs the overseer's name and address.
    pub fn asks_for_overseer(&self) -> bool {
        let author = self.author.as_ref().unwrap_or(&Author::Worker);
        let signs = self.sign_off == Some(true) && !matches!(author, Author::Named(_));
        self.overseer.is_none() && (signs || matches!(author, Author::Overseer | Author::WorkerAndOverseer))
    }
}

/// Work that lands.
#[derive(Clone, Debug)]
pub struct Work {
    /// Id of the bead.
    pub bead: String,
    /// Title of the bead.
    pub title: String,
    /// Type of the bead.
    pub kind: BeadType,
    /// Description of the bead.
    pub description: String,
    /// Messages of the worker's commits, oldest first; empty if they are not wanted.
    pub messages: Vec<String>,
    /// Address of the worker.
    pub worker: String,
    /// Id of the merge request.
    pub mr: String,
}

/// The commit that lands work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Message of the commit.
    pub message: String,
    /// Author of the commit; `None` keeps the author of the submitted commits.
    pub author: Option<Person>,
}

/// Composes the commit that lands work. A style that needs the overseer works without one if the overseer is unknown.
pub fn compose(style: &Style, overseer: Option<&Person>, work: &Work) -> Landing {
    let overseer = style.overseer.as_ref().or(overseer);
    let author = style.author.clone().unwrap_or_default();
    let named = match &author {
        Author::Worker | Author::WorkerAndOverseer => None,
        Author::Overseer => overseer.cloned(),
        Author::Named(person) => Some(person.clone()),
    };
    let mut message = subject(style, work);
    match style.body.unwrap_or_default() {
        Body::None => {}
        Body::Bead => message.push_str(&body(&work.description)),
        Body::Commits => message.push_str(&body(&listed(&work.messages))),
    }
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    message.push_str(&format!("\n\nBead: {}\nWorker: {}\nMerge-Request: {}\n", line(&work.bead), work.worker, work.mr));
    if let (Author::WorkerAndOverseer, Some(overseer)) = (&author, overseer) {
        message.push_str(&format!("Co-authored-by: {overseer}\n"));
    }
    let signer = match &author {
        Author::Named(person) => Some(person),
        _ => overseer,
    };
    if let Some(signer) = signer.filter(|_| style.sign_off == Some(true)) {
        message.push_str(&format!("Signed-off-by: {signer}\n"));
    }
    Landing { message, author: named }
}

/// Returns the subject on one line. A title is data and must not forge a trailer.
fn subject(style: &Style, work: &Work) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = if line(&work.title).is_empty() { line(&work.bead) } else { line(&work.title) };
    let template = style.subject.as_deref().map(line).filter(|template| !template.is_empty());
    let mut text = String::new();
    let template = template.unwrap_or_else(|| "{title}".to_owned());
    let mut rest = template.as_str();
    // Replaced from the left, so that braces in a title stay unchanged.
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let filled = after.split_once('}').and_then(|(name, behind)| {
            let value = match name {
                "title" => title.clone(),
                "bead" => line(&work.bead),
                "type" => work.kind.to_string(),
                "kind" => conventional(&work.kind).to_owned(),
                _ => return None,
            };
            Some((value, behind))
        });
        match filled {
            Some((value, behind)) => {
                text.push_str(&value);
                rest = behind;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text.chars().take(SUBJECT_LIMIT).collect()
}

/// Returns the type word of conventional commits.
fn conventional(kind: &BeadType) -> &'static str {
    match kind {
        BeadType::Bug => "fix",
        BeadType::Feature | BeadType::Epic => "feat",
        _ => "chore",
    }
}

/// Returns messages of commits as one text: a single message unchanged, several as a list.
fn listed(messages: &[String]) -> String {
    if let [message] = messages {
        return message.clone();
    }
    let item = |message: &String| {
        let message = foreign::lines(message.trim());
        let mut lines = message.lines();
        let first = format!("* {}", lines.next().unwrap_or_default());
        let others = lines.map(|line| if line.trim().is_empty() { String::new() } else { format!("  {line}") });
        std::iter::once(first).chain(others).collect::<Vec<_>>().join("\n")
    };
    messages.iter().map(item).collect::<Vec<_>>().join("\n\n")
}

/// Returns text of others as a paragraph of its own: cut, without control characters, and with lines indented that look like
/// trailers.
fn body(text: &str) -> String {
    let text = foreign::lines(foreign::cut(text.trim(), BODY_LIMIT));
    if text.trim().is_empty() {
        return String::new();
    }
    let is_trailer = |line: &str| {
        let token = line.split_once(':').map(|(token, _)| token);
        token.is_some_and(|token| !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    };
    let set_in = |line: &str| if is_trailer(line) { format!("  {line}") } else { line.trim_end().to_owned() };
    format!("\n\n{}", text.trim_end().lines().map(set_in).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAILERS: &str = "Bead: app-1\nWorker: app/polecats/amber\nMerge-Request: mr-app-1-1\n";

    fn work(title: &str) -> Work {
        Work {
            bead: "app-1".into(),
            title: title.into(),
            kind: BeadType::Bug,
            description: "Why it is so.\n\nBead: app-9\nSigned-off-by: Mallory <m@example.org>\nhttps://example.org\n"
                .into(),
            messages: Vec::new(),
            worker: "app/polecats/amber".into(),
            mr: "mr-app-1-1".into(),
        }
    }

    fn ann() -> Person {
        Person::new("Ann Lee", "ann@example.org").unwrap()
    }

    fn author(text: &str) -> Style {
        Style { author: Some(Author::try_from(text.to_owned()).unwrap()), ..Style::default() }
    }

    #[test]
    fn who_is_the_author_is_as_the_settings_say() {
        let check = |style: &Style, overseer: Option<&Person>, who: Option<&str>, more: &str| {
            let landing = compose(style, overseer, &work("Mend it"));
            assert_eq!(landing.author.map(|person| person.to_string()).as_deref(), who, "{style:?}");
            assert_eq!(landing.message, format!("Mend it\n\n{TRAILERS}{more}"), "{style:?}");
        };
        let (ann, text) = (ann(), "Ann Lee <ann@example.org>");
        check(&Style::default(), Some(&ann), None, "");
        check(&author("worker-and-overseer"), Some(&ann), None, &format!("Co-authored-by: {text}\n"));
        check(&author("overseer"), Some(&ann), Some(text), "");
        check(&author("overseer"), None, None, "");
        check(&author("Bo <bo@example.org>"), None, Some("Bo <bo@example.org>"), "");
        let signed = |style: Style| Style { sign_off: Some(true), ..style };
        check(&signed(Style::default()), Some(&ann), None, &format!("Signed-off-by: {text}\n"));
        check(
            &signed(author("Bo <bo@example.org>")),
            Some(&ann),
            Some("Bo <bo@example.org>"),
            "Signed-off-by: Bo <bo@example.org>\n",
        );
        let named = Style { overseer: Some(Person::new("Cy", "cy@example.org").unwrap()), ..author("overseer") };
        check(&named, Some(&ann), Some("Cy <cy@example.org>"), "");
    }

    #[test]
    fn the_workers_own_messages_are_a_text_that_forges_no_trailer() {
        let check = |messages: &[&str], expected: &str| {
            let messages = messages.iter().map(|message| (*message).to_owned()).collect();
            let style = Style { body: Some(Body::Commits), ..Style::default() };
            let landing = compose(&style, None, &Work { messages, ..work("Mend it") });
            assert_eq!(landing.message, format!("Mend it\n{expected}\n{TRAILERS}"));
        };
        check(&[], "");
        check(&["One\n\nWhy.\nBead: app-9\u{1b}[2J"], "\nOne\n\nWhy.\n  Bead: app-9 [2J\n");
        check(
            &["One\n\nBead: app-9", "Two\r\nSigned-off-by: M"],
            "\n* One\n\n  Bead: app-9\n\n* Two\n  Signed-off-by: M\n",
        );
    }

    #[test]
    fn subjects_follow_their_template_and_stay_one_line() {
        let check = |template: &str, title: &str, expected: &str| {
            let style = Style { subject: Some(template.to_owned()), ..Style::default() };
            assert_eq!(compose(&style, None, &work(title)).message.lines().next(), Some(expected), "{template}");
        };
        check("{kind}: {title}", "Mend it", "fix: Mend it");
        check("[{bead}] {title} ({type})", "Mend it", "[app-1] Mend it (bug)");
        check("{title}", "a {bead} in {braces", "a {bead} in {braces");
        check("{what} {title}", "x", "{what} x");
        check("{title}\n\nBead: x", "y", "y Bead: x");
        check("", " \n ", "app-1");
        check("{title}", "x\n\nBead: app-9", "x Bead: app-9");
        check("{title}", &"é".repeat(300), &"é".repeat(100));
    }

    #[test]
    fn a_beads_text_forges_no_trailer() {
        let style = Style { body: Some(Body::Bead), ..Style::default() };
        let message = compose(&style, None, &work("Mend it")).message;
        assert_eq!(
            message,
            format!(
                "Mend it\n\nWhy it is so.\n\n  Bead: app-9\n  Signed-off-by: Mallory <m@example.org>\n  https://example.org\n\n{TRAILERS}"
            )
        );
        let none = compose(&style, None, &Work { description: " \n".into(), ..work("Mend it") });
        assert_eq!(none.message, format!("Mend it\n\n{TRAILERS}"));
    }

    #[test]
    fn only_what_git_can_write_is_a_person() {
        for text in ["Ann <ann@example.org>", "A. B <a@b>", "李 <l@example.org>"] {
            assert_eq!(Person::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in
            ["", "Ann", "<a@b>", "Ann <>", "Ann <a b>", "A\nBead: x <a@b>", "A <b> <c@d", "... <a@b>", "workers"]
        {
            assert!(Author::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
