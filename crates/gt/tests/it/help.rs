//! Help, the list of verbs, completions.

use std::path::Path;

use crate::town::{GT, RIG, Town, output};

/// The list of verbs in the docs, which the binary writes.
const VERBS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verbs.md");

#[test]
#[expect(clippy::disallowed_methods, reason = "GT_BLESS is for whoever runs the tests, and writes the docs' file")]
fn the_docs_have_the_verbs_of_the_binary() {
    let town = Town::nowhere();
    let said = town.gt_with(town.folder(), &[], &["help", "--markdown"]).out;
    if std::env::var_os("GT_BLESS").is_some() {
        std::fs::write(VERBS, &said).unwrap();
    }
    let written = std::fs::read_to_string(VERBS).unwrap();
    assert_eq!(written, said, "gt help --markdown > docs/verbs.md");
}

#[test]
fn help_is_in_groups_and_has_topics() {
    let town = Town::nowhere();
    let say = |args: &[&str]| {
        let said = town.gt_with(town.folder(), &[], args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
        said.out
    };
    let help = say(&["help"]);
    assert_eq!(help.trim_end(), say(&["-h"]).trim_end());
    assert!(help.contains("Review and land work:\n  mq ") && help.contains("--json"), "{help}");
    assert!(help.lines().count() <= 82 && help.lines().all(|line| line.chars().count() <= 130), "{help}");
    for topic in ["town", "polecats", "refinery", "formulas", "mail", "recovery", "agents", "exit-codes", "rig"] {
        assert!(say(&["help", topic]).lines().count() > 5, "{topic}");
    }
    assert!(say(&["help", "mq", "diff"]).contains("gt mq diff"));
    assert!(say(&["completions", "--help"]).contains("bash-completion/completions/gt"));
}

#[test]
fn every_verb_has_a_man_page() {
    let town = Town::nowhere();
    let folder = town.folder().join("man/man1");
    let said = town.gt_with(town.folder(), &[], &["help", "--man", "man/man1"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let page = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let whole = page("gt.1");
    assert!(whole.starts_with(".ie") && whole.contains("gt\\-sling(1)"), "{whole}");
    assert!(page("gt-sling.1").contains("\\-\\-agent"), "{}", page("gt-sling.1"));
    let verbs = std::fs::read_to_string(VERBS).unwrap();
    let verbs = verbs.lines().filter_map(|line| line.strip_prefix("| `gt ")?.split_once('`'));
    // In a man page, an argument starts after a character that is not a letter.
    let name =
        |verb: &str| verb.split(' ').take_while(|w| w.starts_with(char::is_lowercase)).collect::<Vec<_>>().join("-");
    let missing: Vec<String> =
        verbs.map(|(verb, _)| name(verb)).filter(|verb| !folder.join(format!("gt-{verb}.1")).exists()).collect();
    assert_eq!(missing, [""; 0]);
    assert!(!folder.join("gt-sim-worker.1").exists(), "hidden ones have none");
}

#[test]
fn a_shell_completes_ids_and_names_of_the_town() {
    let town = Town::asking();
    let bead = town.bead("Fix 'the' \u{1b}[31mlogin");
    let complete = |words: &[&str]| town.ok(&[&["complete", "--", "gt"], words].concat());
    assert_eq!(complete(&["sling", ""]), format!("{bead}\tFix 'the'  [31mlogin\n{RIG}\t{}\n", town.remote().display()));
    assert_eq!(complete(&["rig", "remove", "a"]).split('\t').next(), Some(RIG));
    assert_eq!(complete(&["why", "nothing-begins-so"]), "");
    // Outside of a town, completion knows only the grammar, and does not fail.
    let nowhere = town.gt_with(Path::new("/"), &[], &["complete", "--", "gt", "mq", "approve", ""]);
    assert_eq!((nowhere.code, nowhere.out.as_str(), nowhere.err.as_str()), (0, "", ""));
    // In a real bash, through the completion script.
    let bin = Path::new(GT).parent().unwrap().display().to_string();
    let script = format!(
        "PATH={bin}:$PATH; eval \"$(gt completions bash)\"; COMP_WORDS=(gt bead show ''); COMP_CWORD=3; _gt; \
         echo \"${{COMPREPLY[@]}}\"; complete -p gt bd"
    );
    let mut bash = town.program("bash", &town.root());
    let said = output(bash.args(["-c", &script]));
    assert_eq!(said.err, "");
    assert_eq!(said.out, format!("{bead}\ncomplete -o default -F _gt gt\ncomplete -o default -F _gt bd\n"));
    // Calls it as zsh's completion system does, and shows what it finds.
    let zsh = "compdef() {}; _describe() { print -rl -- \"${(@P)2}\" }; _files() { print files }; \
               eval \"$(gt completions zsh)\"; words=(gt bead show ''); CURRENT=4; _gt; \
               words=(gt bead import x); _gt";
    check_in(&town, "zsh", &["-f", "-c"], zsh, &format!("{bead}:Fix 'the'  [31mlogin\nfiles\n"));
    let fish = "gt completions fish | source; complete -C 'gt bead show '; complete -C 'bd sho'; complete -C 'gt bead import tow'";
    let shown = "show\tShow beads in full\ntown.toml\n";
    check_in(&town, "fish", &["--no-config", "-c"], fish, &format!("{bead}\tFix 'the'  [31mlogin\n{shown}"));
}

/// Returns what a shell completes with its script, if that shell is installed.
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "finds the shell, and says what it leaves out")]
fn check_in(town: &Town, shell: &str, args: &[&str], script: &str, expected: &str) {
    assert!(town.ok(&["completions", shell]).contains("gt complete -- "), "{shell}");
    let is_there = town.program(shell, &town.root()).arg("--version").output().is_ok();
    if !is_there {
        eprintln!("skipped: there is no {shell}");
        return;
    }
    let bin = Path::new(GT).parent().unwrap().display().to_string();
    let mut program = town.program(shell, &town.root());
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let said = output(program.env("PATH", path).args(args).arg(script));
    assert_eq!((said.out.as_str(), said.err.as_str()), (expected, ""), "{shell}");
}
