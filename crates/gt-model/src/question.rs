//! Questions on a client's terminal: the possible answers, and the key that leads to one.
//!
//! All clients draw their questions in the same way: a list of answers, one of them marked. The screen is the only source of
//! information, so gt presses one key at a time and looks at the screen again.

/// Sign before the selected answer.
const MARK: char = '❯';

/// How many lines around the marked one are searched for the other answers.
const AROUND: usize = 8;

/// How many lines at the end of the screen are searched for a question.
const LINES: usize = 40;

/// Reply of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Yes, this once.
    Yes,
    /// No.
    No,
}

/// Key to press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Moves to the answer above.
    Up,
    /// Moves to the answer below.
    Down,
    /// Confirms the selected answer.
    Enter,
    /// Rejects all answers.
    Escape,
}

/// Next step towards an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Press this key.
    Press {
        /// Key to press.
        key: Key,
        /// Whether the key gives the answer.
        last: bool,
    },
    /// The screen shows no question.
    Nothing,
    /// The screen shows a question that has no answers yes and no.
    Other,
}

/// Whether the screen shows a question.
pub fn is_asked(screen: &str) -> bool {
    next(screen, Reply::No) != Step::Nothing
}

/// Returns the next key on the way to an answer.
pub fn next(screen: &str, reply: Reply) -> Step {
    let lines: Vec<&str> = screen.lines().filter(|line| !line.trim().is_empty()).collect();
    let lines = &lines[lines.len().saturating_sub(LINES)..];
    let Some(at) = lines.iter().rposition(|line| is_marked(line)) else { return Step::Nothing };
    let from = at.saturating_sub(AROUND);
    let answers: Vec<(usize, &str)> = lines
        .iter()
        .enumerate()
        .skip(from)
        .take(AROUND + at - from + 1)
        .map(|(line, text)| (line, label(text)))
        .filter(|(_, label)| says(label, "Yes") || says(label, "No"))
        .collect();
    let has = |word: &str| answers.iter().any(|(_, label)| says(label, word));
    if !has("Yes") || !has("No") {
        return if lines[at..].iter().any(|line| is_footer(line)) { Step::Other } else { Step::Nothing };
    }
    let Some(wanted) = wanted(&answers, reply) else { return Step::Other };
    let key = match wanted.cmp(&at) {
        std::cmp::Ordering::Less => Key::Up,
        std::cmp::Ordering::Greater => Key::Down,
        std::cmp::Ordering::Equal => Key::Enter,
    };
    Step::Press { key, last: key == Key::Enter }
}

/// Returns the line of the answer that says this and allows no more than that.
fn wanted(answers: &[(usize, &str)], reply: Reply) -> Option<usize> {
    let of = |word: &str| answers.iter().filter(move |(_, label)| says(label, word)).copied().collect::<Vec<_>>();
    match reply {
        Reply::No => of("No").first().map(|(line, _)| *line),
        Reply::Yes => {
            let yes = of("Yes");
            let plain = yes.iter().find(|(_, label)| *label == "Yes");
            let once = yes.iter().find(|(_, label)| !for_more(label));
            plain.or(once).or(yes.first()).map(|(line, _)| *line)
        }
    }
}

/// Whether an answer allows more than the question asks for.
fn for_more(label: &str) -> bool {
    let label = label.to_lowercase();
    ["ask again", "auto", "always", "all edits", "bypass"].iter().any(|words| label.contains(words))
}

fn is_marked(line: &str) -> bool {
    line.trim_start().strip_prefix(MARK).is_some_and(|rest| !rest.trim().is_empty())
}

fn is_footer(line: &str) -> bool {
    ["Esc to cancel", "Enter to select", "Enter to confirm"].iter().any(|words| line.contains(words))
}

/// Returns an answer's text without mark and number.
fn label(line: &str) -> &str {
    let line = line.trim().trim_start_matches(['│', ' ']).trim_start_matches(MARK).trim();
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix('.') {
        Some(rest) if rest.len() < line.len() => rest.trim_matches(['│', ' ']),
        _ => line.trim_matches(['│', ' ']),
    }
}

fn says(label: &str, word: &str) -> bool {
    label.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERMISSION: &str = "● Bash(git push)\n\n Bash command\n   git push\n\n Do you want to proceed?\n ❯ 1. Yes\n   2. Yes, and don’t ask again for: git push *\n   3. Yes, and switch to auto mode · auto mode handles these prompts for you\n   4. No\n\n Esc to cancel · Tab to amend\n";
    const TRUST: &str = " Is this a project you created or one you trust?\n\n ❯ No, exit\n   Yes, I trust this folder\n\n Enter to confirm · Esc to cancel\n";
    const KEY: &str = "Detected a custom API key in your environment\n Do you want to use this API key?\n\n   1. Yes\n ❯ 2. No (recommended)\n\n Enter to confirm · Esc to cancel\n";
    const CHOICE: &str = "Which one?\n\n❯ 1. Alpha\n     a\n  2. Beta\n     b\n  3. Type something.\n\n  4. Chat about this\n\nEnter to select · ↑/↓ to navigate · Esc to cancel\n";
    const PROMPT: &str = "❯ go\n● Bash(git push)\n  ⎿  Interrupted · What should Claude do instead?\n──────\n❯ \n──────\n  ⏵⏵ accept edits on (shift+tab to cycle)\n";

    #[test]
    fn one_key_at_a_time_leads_to_the_answer() {
        let press = |key, last| Step::Press { key, last };
        for (screen, reply, expected) in [
            (PERMISSION, Reply::Yes, press(Key::Enter, true)),
            (PERMISSION, Reply::No, press(Key::Down, false)),
            (TRUST, Reply::Yes, press(Key::Down, false)),
            (TRUST, Reply::No, press(Key::Enter, true)),
            (KEY, Reply::Yes, press(Key::Up, false)),
            (KEY, Reply::No, press(Key::Enter, true)),
            (CHOICE, Reply::Yes, Step::Other),
            (PROMPT, Reply::Yes, Step::Nothing),
            ("", Reply::No, Step::Nothing),
            ("❯ Yes, go on please\n● Done.", Reply::Yes, Step::Nothing),
        ] {
            assert_eq!(next(screen, reply), expected, "{screen}");
        }
        assert!([PERMISSION, TRUST, KEY, CHOICE].iter().all(|screen| is_asked(screen)) && !is_asked(PROMPT));
    }

    #[test]
    fn yes_is_for_this_once() {
        let plan = "Would you like to proceed?\n\n ❯ 1. Yes, and use auto mode\n   2. Yes, manually approve edits\n   3. No, keep planning\n";
        assert_eq!(next(plan, Reply::Yes), Step::Press { key: Key::Down, last: false });
        let only = "Run without asking?\n ❯ 1. No, exit\n   2. Yes, always\n";
        assert_eq!(next(only, Reply::Yes), Step::Press { key: Key::Down, last: false });
    }
}
