//! Injection: text of beads, branches and mail is data. It never becomes shell code, a format, an option or keystrokes.

use crate::town::{RIG, Town, text, write};

/// An agent that does its work, and writes down its arguments and what was typed into its terminal.
const AGENT: &str = r#"
bead=$(git symbolic-ref --short HEAD); bead=${bead##*/}; bead=${bead%-*}
printf '%s\n' "$@" > "$HOME/words-$bead"
env > "$HOME/env-$bead"
gt prime > "$HOME/prime-$bead"
gt mail inbox >> "$HOME/prime-$bead"
git branch 'a$(touch>FOLDER/pwned)' 2> /dev/null
git branch 'a;touch>FOLDER/pwned' 2> /dev/null
timeout --foreground 1 cat > "$HOME/keys-$bead"
echo done > "$bead.txt"
git add --all
git commit --quiet --message 'a$(touch FOLDER/pwned)`touch FOLDER/pwned`;touch FOLDER/pwned'
for step in 1 2 3 4 5 6 7 8 9; do git rebase --quiet origin/main; gt step done --note '$(touch FOLDER/pwned)' || break; done
gt done
"#;

/// Text that would run something if a program interpreted it: shells in and out of quotes, tmux's formats and keys, our
/// own placeholders in commands, git's trailers and options.
const HOSTILE: &[&str] = &[
    "$(touch FOLDER/pwned) `touch FOLDER/pwned`",
    "'; touch FOLDER/pwned; '\"; touch FOLDER/pwned; \"",
    "#(touch FOLDER/pwned) #{q:window_name} %H C-c Enter ; touch FOLDER/pwned",
    "{prompt} {gt} {town} {settings} {slot} | touch FOLDER/pwned &",
    "Fix it --no-verify --upload-pack=touch${IFS}FOLDER/pwned",
];

#[test]
fn f23_text_of_beads_branches_and_mail_is_never_run_or_typed() {
    let town = Town::new();
    let fill = |text: &str| text.replace("FOLDER", &town.folder().display().to_string());
    let home = town.folder().join("home");
    let agent = home.join("agent.sh");
    write(&agent, fill(AGENT));
    town.settle(&format!("[agents.probe]\ncommand = [\"sh\", {agent:?}, \"{{prompt}}\"]\n"));
    town.edit(&town.rig().join("rig.toml"), |text| format!("agent = \"probe\"\n{text}"));
    // Names of the remote's branches are foreign text too.
    for branch in ["a$(touch>FOLDER/pwned)", "a;touch>FOLDER/pwned", "-delete"] {
        let branch = format!("refs/heads/{}", fill(branch));
        town.git(&town.checkout(), &["push", "--quiet", "origin", &format!("HEAD:{branch}")]);
    }
    let titles: Vec<String> = HOSTILE.iter().map(|title| fill(title)).collect();
    let beads: Vec<String> = titles.iter().map(|title| town.bead(title)).collect();
    for (bead, title) in beads.iter().zip(&titles) {
        town.ok(&["bead", "update", bead, "--description", title, "--notes", title]);
    }
    town.ok(&["up"]);
    let all: Vec<&str> = beads.iter().map(String::as_str).chain([RIG]).collect();
    town.ok(&[&["sling"][..], &all].concat());
    town.wait_until("a worker to begin", || home.join(format!("words-{}", beads[0])).exists());
    let worker = text(&town.json(&["bead", "show", &beads[0]])[0]["assignee"]);
    for title in &titles {
        town.ok(&["mail", "send", &worker, "-s", title, "-m", title]);
    }
    for bead in &beads {
        town.wait_closed(bead);
        assert_eq!(town.landings(bead), 1, "{bead}");
    }
    town.wait_quiet();
    assert!(!town.folder().join("pwned").exists(), "nothing of it was run");
    for (bead, title) in beads.iter().zip(&titles) {
        assert_eq!(text(&town.json(&["bead", "show", bead])[0]["title"]), *title, "nothing of it was lost");
        let read = |what: &str| std::fs::read_to_string(home.join(format!("{what}-{bead}"))).unwrap();
        let words = read("words");
        assert!(words.contains(bead) && words.lines().count() == 1, "the prompt is one word: {words}");
        assert!(!words.contains("pwned") && !read("env").contains("pwned"), "and holds no text of others");
        assert!(read("prime").contains(title), "which reaches the agent as what it reads: {}", read("prime"));
        assert_eq!(read("keys"), "", "and nothing was typed");
    }
}
