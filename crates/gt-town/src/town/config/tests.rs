use std::path::Path;

use super::*;
use crate::town::settings::SpendSettings;

fn key_of(keys: &'static [Key], name: &str) -> &'static Key {
    keys.iter().find(|key| fits(key.name, &parts(name).unwrap())).unwrap()
}

/// Returns the text of a file after one setting in it was changed.
fn set_in(text: &str, name: &str, said: &str) -> String {
    let keys = if is_key(true, name) { keys::RIG } else { keys::TOWN };
    let mut document: DocumentMut = text.parse().unwrap();
    put(&mut document, &parts(name).unwrap(), value(key_of(keys, name), name, said).unwrap()).unwrap();
    document.to_string()
}

#[test]
fn comments_and_order_stay() {
    let check = |before: &str, name: &str, said: &str, after: &str| assert_eq!(set_in(before, name, said), after);
    check(
        "version = 1\n# four\nmax_polecats = 4 # so\n",
        "max_polecats",
        "9",
        "version = 1\n# four\nmax_polecats = 9 # so\n",
    );
    check(
        "# a\nversion = 1\n\n[spend]\n# b\n",
        "max_polecats",
        "9",
        "# a\nversion = 1\nmax_polecats = 9\n\n[spend]\n# b\n",
    );
    check(
        "version = 1\n[spend]\ndaily_usd = 100\n",
        "spend.daily_usd",
        "2.5",
        "version = 1\n[spend]\ndaily_usd = 2.5\n",
    );
    check("version = 1\n", "spend.attempt_tokens", "1_000", "version = 1\n\n[spend]\nattempt_tokens = 1000\n");
    check("", "env.set.PORT", "80{slot}", "[env.set]\nPORT = \"80{slot}\"\n");
    check("[env]\nset = { A = \"1\" }\n", "env.set.B", "2", "[env]\nset = { A = \"1\" , B = \"2\" }\n");
    check("", "worktree.copy", ".env, a b", "[worktree]\ncopy = [\".env\", \"a b\"]\n");
    check(
        "",
        "agents.mine.command",
        "my-agent --prompt {prompt}",
        "[agents.mine]\ncommand = [\"my-agent\", \"--prompt\", \"{prompt}\"]\n",
    );
    check(
        "",
        "agents.mine.command",
        "[\"my agent\", \"{prompt}\"]",
        "[agents.mine]\ncommand = [\"my agent\", \"{prompt}\"]\n",
    );
    check("", "clean_every", "10", "clean_every = 10\n");
    check("", "clean_every", "6h", "clean_every = \"6h\"\n");
    check(
        "",
        "prices.models.\"a-1.5\"",
        "{ input = 1.0, output = 2.0 }",
        "[prices.models]\n\"a-1.5\" = { input = 1.0, output = 2.0 }\n",
    );
}

#[test]
fn what_a_key_does_not_take_is_refused_in_words() {
    let check = |keys, name: &str, said: &str, expected: &str| {
        let error = value(key_of(keys, name), name, said).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(keys::TOWN, "max_polecats", "0", "takes a whole number from 1 to 1000, not `0`");
    check(keys::TOWN, "max_polecats", "many", "takes a whole number from 1 to 1000, not `many`");
    check(keys::TOWN, "spend.daily_usd", "-1", "takes an amount, 0 or more");
    check(keys::TOWN, "spend.daily_usd", "NaN", "takes an amount, 0 or more");
    check(keys::RIG, "landing", "maybe", "takes one of: ask, auto, not `maybe`");
    check(keys::RIG, "allow_ungated", "yes", "takes true or false");
    check(keys::RIG, "keep", "[1", "takes a list such as");
    check(keys::RIG, "gate", "x", "can't be set with this verb");
    check(keys::TOWN, "overseer.key", "sha256:0", "can't be set with this verb");
    assert!(value(key_of(keys::RIG, "gate"), "gate", "x").unwrap_err().hint().unwrap().contains("gt rig gates add"));
}

#[test]
fn a_wrong_name_is_led_to_the_right_one() {
    let check = |name: &str, expected: &str| {
        let error = find(Whose::Town, name).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(error.to_string().contains(name) && hint.contains(expected), "{hint}");
    };
    check("max-polecats", "max_polecats");
    check("polecats", "max_polecats");
    check("landing", "it is a setting of rigs: gt rig set <rig> landing=…");
    check("daily_usd", "spend.daily_usd");
    check("", "max_polecats");
    check("agents.mine.comand", "agents.*.command");
}

/// Returns the keys that the parser of a file accepts, taken from its error message.
fn known<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str) -> Vec<String> {
    let error = settings::parse::<T>(Path::new("x.toml"), text.as_bytes()).unwrap_err().text;
    let list = error.split_once("expected ").unwrap().1;
    let list = list.lines().next().unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_that_is_read_can_be_set_and_every_other_one_is_not() {
    let check = |keys: &'static [Key], prefix: &str, known: Vec<String>| {
        let mut listed: Vec<String> = keys
            .iter()
            .filter_map(|key| key.name.strip_prefix(prefix))
            .map(|rest| rest.split('.').next().unwrap_or_default().to_owned())
            .collect();
        listed.dedup();
        let mut known = known;
        listed.sort();
        known.sort();
        listed.dedup();
        assert_eq!(listed, known, "`{prefix}`: each key that serde reads has a line in keys.rs, and no other");
    };
    check(keys::TOWN, "", known::<TownSettings>("zzz = 1"));
    for table in ["retention", "spend", "prices", "mayor", "sync", "overseer", "commits"] {
        check(keys::TOWN, &format!("{table}."), known::<TownSettings>(&format!("[{table}]\nzzz = 1")));
    }
    check(keys::TOWN, "agents.*.", known::<TownSettings>("[agents.x]\nzzz = 1"));
    check(keys::RIG, "", known::<RigSettings>("zzz = 1"));
    for table in ["env", "worktree", "commits"] {
        check(keys::RIG, &format!("{table}."), known::<RigSettings>(&format!("[{table}]\nzzz = 1")));
    }
}

#[test]
fn what_is_said_to_hold_without_a_setting_does() {
    let all = |keys: &'static [Key]| {
        let with_default = keys.iter().filter(|key| !matches!(key.kind, Kind::ByVerb(_)));
        let mut document = DocumentMut::new();
        for (key, default) in with_default.filter_map(|key| Some((key, key.default?))) {
            let value = value(key, key.name, default).unwrap();
            put(&mut document, &parts(key.name).unwrap(), value).unwrap();
        }
        document.to_string()
    };
    let mut town: TownSettings = settings::parse(Path::new("town.toml"), all(keys::TOWN).as_bytes()).unwrap();
    // An explicit value differs from an absent one, so compare the effective values.
    assert_eq!(town.spend.daily_usd, Some(SpendSettings::default().daily_usd()));
    town.spend.daily_usd = None;
    assert_eq!(town, TownSettings::default());
    let rig: RigSettings = settings::parse(Path::new("rig.toml"), all(keys::RIG).as_bytes()).unwrap();
    assert_eq!(rig, RigSettings::default());
}

#[test]
fn a_key_that_fell_into_a_table_is_read_where_it_belongs() {
    let text = "version = 1\n[spend]\ndaily_usd = 50\nagent = \"mine\"\n";
    let town: TownSettings = settings::parse(Path::new("/town/town.toml"), text.as_bytes()).unwrap();
    assert_eq!((town.agent.as_deref(), town.spend.daily_usd), (Some("mine"), Some(50.0)));
    let text =
        "[worktree]\nlfs = true\n[[gate]]\nname = \"a\"\nrun = \"b\"\nkeep = [\"target\"]\n[worktree]\nsetup = \"x\"\n";
    let rig: RigSettings = settings::parse(Path::new("/town/app/rig.toml"), text.as_bytes()).unwrap();
    assert!(!rig.keep.is_empty() && rig.worktree.lfs && rig.worktree.setup.as_deref() == Some("x"), "{rig:?}");
}

#[test]
fn what_is_wrong_in_a_file_that_was_joined_is_still_told() {
    let check = |text: &str, expected: &[&str]| {
        let error = settings::parse::<RigSettings>(Path::new("/town/app/rig.toml"), text.as_bytes()).unwrap_err().text;
        assert!(expected.iter().all(|words| error.contains(words)), "{error}");
    };
    check("version = 1\ncolour = 1", &["line 2", "unknown field `colour`"]);
    check("[env]\npass = []\n[env]\ncolour = 1", &["unknown field `colour`"]);
    check("[env]\npass = []\n[env]\npass = []", &["`env.pass`", "line 2", "line 4"]);
    check("a = \n[env]\n[env]\n", &["line 1"]);
}
