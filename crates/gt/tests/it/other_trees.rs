//! Parts of the overseer's environment that lead to another tree than the one under test.

use std::os::unix::fs::symlink;

use crate::town::{RIG, Town, text, write};

/// Creates a town whose overseer has these folders, relative to the temporary folder, before the usual PATH.
fn town_with_path(folders: &[&str]) -> Town {
    let mut town = Town::nowhere();
    let own: Vec<String> = folders.iter().map(|folder| town.folder().join(folder).display().to_string()).collect();
    #[expect(clippy::disallowed_methods, reason = "the machine's programs are needed behind those of the test")]
    let rest = std::env::var("PATH").unwrap();
    town.set_env("PATH", &format!("{}:{rest}", own.join(":")));
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    town
}

fn add_rig(town: &Town) -> serde_json::Value {
    town.json(&["rig", "add", RIG, &town.checkout().display().to_string(), "--prefix", "ap"])["rig"].clone()
}

#[test]
fn folders_of_one_environment_or_project_are_left_out_of_path() {
    let left_out = [
        "venv/bin",
        "linked-venv/bin",
        "old-venv/bin",
        "conda/envs/shop/bin",
        "x/node_modules/.bin",
        "x/vendor/bin",
        "project/scripts",
        "clone/scripts",
        "linked-scripts",
    ];
    let kept = ["conda/bin", "bin", "src/tools/bin"];
    let town = town_with_path(&[&left_out[..], &kept[..]].concat());
    let at = |path: &str| town.folder().join(path);
    town.project(
        "main",
        &[("run-tests", "echo \"$PATH\" > \"$OUT\"; test -n \"$PYTHONNOUSERSITE\"\n"), ("scripts/x", "")],
    );
    for file in [
        "venv/pyvenv.cfg",
        "old-venv/bin/activate_this.py",
        "conda/envs/shop/conda-meta/x",
        "conda/conda-meta/x",
        "clone/scripts/x",
        "bin/x",
        "conda/bin/x",
        "src/tools/bin/x",
    ] {
        write(&at(file), "");
    }
    std::fs::create_dir_all(at("venv/bin")).unwrap();
    symlink(at("venv"), at("linked-venv")).unwrap();
    symlink(at("project/scripts"), at("linked-scripts")).unwrap();
    let origin = town.remote().display().to_string();
    town.git(&at("clone"), &["init", "--quiet"]);
    town.git(&at("clone"), &["remote", "add", "origin", origin.trim_end_matches(".git")]);
    let folders = |paths: &[&str]| paths.iter().map(|path| at(path).display().to_string()).collect::<Vec<_>>();
    town.ok(&["rig", "add", RIG, &origin, "--skip-proof"]);
    town.ok(&["rig", "remove", RIG, "--yes"]);
    let added = add_rig(&town);
    let told: Vec<String> = added["left_out"].as_array().unwrap().iter().map(|out| text(&out["folder"])).collect();
    assert_eq!(told, folders(&left_out));
    let out = at("path");
    town.edit(&town.rig().join("rig.toml"), |text| text + &format!("\n[env.set]\nOUT = {out:?}\n"));
    town.ok(&["rig", "release", RIG]);
    let path = std::fs::read_to_string(&out).unwrap();
    let path: Vec<&str> = path.trim().split(':').collect();
    assert!(left_out.iter().all(|folder| !path.contains(&at(folder).to_str().unwrap())), "{path:?}");
    assert_eq!(path[1..=kept.len()], folders(&kept), "{path:?}");
    let checked = town.ok(&["agent", "check", "sim", "--rig", RIG]);
    assert!(checked.contains("left out of PATH") && checked.contains("venv/bin"), "{checked}");
}

#[test]
fn a_set_up_that_installs_another_tree_makes_nothing_green() {
    let town = Town::empty();
    town.project("main", &[("run-tests", "true\n"), ("src/a.js", ""), (".gitignore", "node_modules\n.venv\n")]);
    write(&town.folder().join("elsewhere/x"), "");
    add_rig(&town);
    let (checkout, elsewhere) =
        (town.checkout().display().to_string(), town.folder().join("elsewhere").display().to_string());
    let packages = ".venv/lib/python3.11/site-packages";
    let venv = |line: &str| format!("mkdir -p {packages} .venv/bin; touch .venv/pyvenv.cfg; {line}");
    let cases = [
        ("mkdir -p node_modules; ln -s ../src node_modules/own".to_owned(), None),
        (format!("mkdir -p node_modules; ln -s {elsewhere} node_modules/other"), None),
        (format!("mkdir -p node_modules; ln -s {checkout} node_modules/shop"), Some("node_modules/shop")),
        (format!("mkdir -p node_modules/@a; ln -s {checkout}/src node_modules/@a/b"), Some("node_modules/@a/b")),
        (venv(&format!("echo $PWD/src > {packages}/own.pth")), None),
        (venv(&format!("echo {checkout}/src > {packages}/shop.pth")), Some("shop.pth")),
        (
            venv(&format!("echo \"M = {{'a': '{checkout}/src'}}\" > {packages}/__editable___a.py")),
            Some("__editable___a.py"),
        ),
        (venv(&format!("echo \"VIRTUAL_ENV='{checkout}/.venv'\" > .venv/bin/activate")), Some(".venv/bin/activate")),
    ];
    for (set_up, expected) in cases {
        town.edit(&town.rig().join("rig.toml"), |text| {
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("setup =")).collect();
            lines.join("\n").replace("[worktree]\n", &format!("[worktree]\nsetup = {set_up:?}\n")) + "\n"
        });
        let output = town.gt(&["rig", "gates", "run"]);
        assert_eq!(output.code == 0, expected.is_none(), "{set_up}: {output:#?}");
        if let Some(at) = expected {
            let told = format!("{at} leads to {checkout}, which is another tree");
            assert!(output.out.contains(&told), "{set_up}: {output:#?}");
        }
    }
}

#[test]
fn the_doctor_reports_what_can_not_be_kept_out() {
    let mut town = Town::nowhere();
    for (name, value) in [("PYTHONPATH", "/home/me/shop/src"), ("GIT_PREFIX", "x/"), ("NODE_PATH", "rel")] {
        town.set_env(name, value);
    }
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    town.project("main", &[("run-tests", "test -z \"$GIT_PREFIX\"\n"), ("package.json", "{}")]);
    let home = town.folder().join("home");
    write(&home.join(".cargo/config.toml"), "[build]\ntarget-dir = \"/builds\"\n");
    write(&home.join(".config/go/env"), "GOPROXY=x\nGOFLAGS=-mod=mod\n");
    write(
        &home.join(".local/lib/python3.11/site-packages/shop.egg-link"),
        format!("{}\n.\n", town.checkout().display()),
    );
    write(&town.folder().join("node_modules/x"), "");
    add_rig(&town);
    town.edit(&town.rig().join("rig.toml"), |text| {
        text + "\n[env]\npass = [\"PYTHONPATH\", \"GIT_PREFIX\", \"NODE_PATH\"]\n[env.set]\nCARGO_TARGET_DIR = \"/builds\"\n"
    });
    let checked = town.ok(&["agent", "check", "sim", "--rig", RIG]);
    let checked = checked.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "[env] pass gives PYTHONPATH=/home/me/shop/src",
        "[env.set] gives CARGO_TARGET_DIR=/builds",
        "~/.cargo/config.toml has build.target-dir = /builds",
        "go env -w has set GOFLAGS=-mod=mod",
        "shop.egg-link installs the checkout",
        "node_modules lies above the worktrees",
    ] {
        assert!(checked.contains(told), "{told}: {checked}");
    }
    assert!(!checked.contains("NODE_PATH"), "{checked}");
    town.ok(&["rig", "release", RIG]);
}

#[test]
fn variables_of_toolchains_reach_gates_and_others_are_reported() {
    let mut town = Town::nowhere();
    for (name, value) in [
        ("RUSTUP_HOME", "/opt/rustup"),
        ("CARGO_HOME", "/opt/cargo"),
        ("VOLTA_HOME", "/opt/volta"),
        ("MISE_DATA_DIR", "/opt/mise"),
        ("VIRTUAL_ENV", "/home/me/venv"),
        ("SHOP_TOKEN", "hush"),
        ("SSH_AUTH_SOCK", "/tmp/x"),
    ] {
        town.set_env(name, value);
    }
    town.gt_with(town.folder(), &[], &["install", "town"]);
    town.settle("");
    let gate = "test \"$RUSTUP_HOME $CARGO_HOME $VOLTA_HOME $MISE_DATA_DIR\" = '/opt/rustup /opt/cargo /opt/volta /opt/mise'\n\
                test -z \"$VIRTUAL_ENV$SHOP_TOKEN\"\n";
    town.project("main", &[("run-tests", &format!("set -e\n{gate}"))]);
    assert_eq!(add_rig(&town)["held"], serde_json::Value::Null);
    let checked = town.ok(&["agent", "check", "sim", "--rig", RIG]);
    assert!(checked.contains("SHOP_TOKEN, VIRTUAL_ENV;"), "{checked}");
    assert!(!checked.contains("hush"), "{checked}");
}
