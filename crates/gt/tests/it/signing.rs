//! Landed commits are signed if the overseer's git signs, and nothing waits for a passphrase.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test stands outside of gt: it asks by itself what is there, and says what it leaves out"
)]

use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::has_bwrap;
use crate::town::{RIG, Town, write};

/// Creates a town of Ann's, whose git signs with a key that has this passphrase. Returns `None` and prints why if no
/// key can be made.
fn town(passphrase: &str) -> Option<(Town, PathBuf)> {
    let there = Command::new("ssh-keygen").arg("-?").output().is_ok();
    let required =
        std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "ssh-keygen"));
    assert!(there || !required, "GT_REQUIRE names ssh-keygen, and there is none");
    if !there {
        println!("skipped: there is no ssh-keygen");
        return None;
    }
    let mut town = Town::new();
    let key = town.folder().join("home/keys/sign");
    std::fs::create_dir(key.parent().unwrap()).unwrap();
    let made = town
        .program("ssh-keygen", town.folder())
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let config = town.folder().join("gitconfig");
    write(
        &config,
        format!(
            "[user]\n name = Ann Lee\n email = ann@example.org\n signingKey = {}.pub\n[commit]\n gpgSign = true\n[gpg]\n format = ssh\n",
            key.display()
        ),
    );
    town.set_env("GIT_CONFIG_GLOBAL", &config.display().to_string());
    Some((town, key))
}

/// Returns the signer of the commit at the tip of the trunk (by public key), its committer and its message.
fn tip(town: &Town, key: &std::path::Path) -> String {
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = town.folder().join("signers");
    write(&signers, format!("ann@example.org {public}"));
    let known = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    town.git(&town.remote(), &["-c", &known, "log", "-1", "--format=%G? %GS|%an|%cn <%ce>|%B", "main"])
}

#[test]
fn landed_commits_are_signed_with_the_overseers_key_and_workers_commits_are_not() {
    let Some((town, key)) = town("") else { return };
    town.script(
        "[[act]]\nstep = \"implement\"\ncommit = \"Greet\\n\\nIn French.\\n\\nBead: ap-9\\nSigned-off-by: M <m@example.org>\"\n\
         run = [\"sh\", \"-c\", \"echo bonjour > greeting\"]\n",
    );
    town.ok(&["rig", "set", RIG, "commits.body=commits"]);
    let bead = town.bead("Say it");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    let trailers = format!("Bead: {bead}\nWorker: app/polecats/amber\nMerge-Request: mr-{bead}-1");
    assert_eq!(
        tip(&town, &key).trim_end(),
        format!(
            "G ann@example.org|app/polecats/amber|Ann Lee <ann@example.org>|Say it\n\nGreet\n\nIn French.\n\n  Bead: ap-9\n  \
             Signed-off-by: M <m@example.org>\n\n{trailers}"
        )
    );
    let own = town.git(&town.repo(), &["log", "-1", "--format=%G?%s", &format!("refs/gt/mr/mr-{bead}-1")]);
    assert_eq!(own.trim_end(), "NGreet", "the worker's own commit");
    // A rig may turn signing off.
    town.ok(&["rig", "set", RIG, "commits.sign=false"]);
    town.script("[[act]]\nstep = \"implement\"\ncommit = \"Part\"\nrun = [\"sh\", \"-c\", \"echo adieu > parting\"]\n");
    let second = town.bead("Part");
    town.ok(&["sling", &second, RIG]);
    town.wait_closed(&second);
    let unsigned = tip(&town, &key);
    assert!(unsigned.starts_with("N |app/polecats/amber|Gas Town <gt@localhost>|Part"), "{unsigned}");
}

#[test]
fn a_key_that_needs_a_passphrase_holds_the_landing_and_is_reported() {
    let Some((town, key)) = town("secret words") else { return };
    let bead = town.bead("Say it");
    let before = town.remote_branch("main");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("the landing to be held", || town.conditions().iter().any(|key| key.contains("refinery")));
    let status = town.ok(&["status"]);
    assert!(status.contains("can't be signed, so it does not land"), "{status}");
    // Meanwhile the daemon has its own rounds.
    town.wait_until("a round of a person's", || {
        let round = town.gt(&["refinery", "run", RIG, "--once"]);
        assert!(round.code != 0, "{round:?}");
        round.err.contains("ssh-add") && round.err.contains(&format!("gt rig set {RIG} commits.sign=false"))
    });
    assert_eq!(town.remote_branch("main"), before, "nothing lands unsigned");
    // The key is unlocked, so the next try lands.
    let unlocked = town
        .program("ssh-keygen", town.folder())
        .args(["-q", "-p", "-P", "secret words", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(unlocked.unwrap().success());
    town.wait_closed(&bead);
    assert!(tip(&town, &key).starts_with("G ann@example.org|"));
    town.wait_until("the condition to be over", || town.conditions().is_empty());
}

#[test]
fn a_sandbox_hides_the_signing_key() {
    if !has_bwrap() {
        return;
    }
    let Some((town, key)) = town("") else { return };
    let beside = key.with_file_name("beside");
    write(&beside, "seen\n");
    let gate = format!("grep -q seen {} && ! grep -q PRIVATE {}", beside.display(), key.display());
    town.ok(&["rig", "gates", "add", RIG, "hidden", &gate]);
    let bare = town.gt(&["rig", "prove", RIG]);
    assert!(bare.code == 1 && bare.out.contains("red hidden"), "{bare:#?}");
    town.ok(&["rig", "set", RIG, "sandbox=bwrap"]);
    let walled = town.gt(&["rig", "prove", RIG]);
    assert!(walled.out.contains("green hidden"), "{walled:#?}");
}
