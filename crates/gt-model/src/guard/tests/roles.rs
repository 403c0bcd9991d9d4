//! Differences between roles.

use super::*;

#[test]
fn the_mayor_edits_no_project() {
    let place = mayor_place();
    check_refused_for(
        Role::Mayor,
        &place,
        "gt bead create, gt sling",
        &[
            "echo x > ~/gt/app/mayor/rig/a.rs",
            "sed -i s/a/b/ ../app/mayor/rig/a.rs",
            "cd ../app/mayor/rig && touch x",
            "git commit -m x",
            "git -C ../app/mayor/rig commit -am x",
            "cd ~/gt/app/mayor/rig && git add -A",
            "git -C ../app/mayor/rig checkout main",
            "git push",
            "cp x ~/gt/app/crew/ann/",
            "touch ~/project/x",
        ],
    );
    check_refused_for(Role::Mayor, &place, "gt rig fetch <rig>", &["git -C ../app/mayor/rig fetch"]);
    check_refused_for(Role::Mayor, &place, "pid", &["pkill claude"]);
    check_allowed_for(
        Role::Mayor,
        &place,
        &[
            "gt sling app-1 app-2 app",
            "gt bead create 'Fix it' --rig app",
            "gt bead close app-3 --reason duplicate",
            "gt convoy list",
            "gt unsling app-1",
            "echo plan > notes.md",
            "cd ../app/mayor/rig && git log && rg TODO",
            "git -C ../app/mayor/rig show HEAD",
            "cat ~/gt/app/mayor/rig/README.md",
            "git commit -m x --help",
        ],
    );
    for (path, allowed) in [
        ("notes.md", true),
        ("/home/ann/gt/mayor/plan.md", true),
        ("/tmp/x", true),
        ("/home/ann/gt/app/mayor/rig/a.rs", false),
        ("/home/ann/gt/town.toml", false),
    ] {
        assert_eq!(judge(Role::Mayor, &file("Edit", path), &place) == Verdict::Allowed, allowed, "{path}");
    }
}

#[test]
fn a_crew_works_like_a_person_but_leaves_the_trunk_and_workers_alone() {
    let place = crew_place();
    check_refused_for(
        Role::Crew,
        &place,
        "push a branch of your own",
        &[
            "git push origin main",
            "git push origin HEAD:main",
            "git push -f origin +x:refs/heads/main",
            "git push --all",
            "git push --mirror origin",
        ],
    );
    let on_trunk = Place { branch: Some("main".into()), ..place.clone() };
    check_refused_for(Role::Crew, &on_trunk, "push a branch of your own", &["git push", "git push origin HEAD"]);
    check_refused_for(
        Role::Crew,
        &place,
        "your own workspace",
        &["git -C ../../polecats/amber commit -m x", "cd ../../polecats/amber && git reset --hard"],
    );
    check_refused_for(
        Role::Crew,
        &place,
        "gt mail send",
        &["echo x > ../../polecats/amber/a", "rm ~/gt/app/.repo.git/config"],
    );
    check_allowed_for(
        Role::Crew,
        &place,
        &[
            "git push",
            "git push -u origin HEAD",
            "git push origin ann/idea",
            "git fetch && git rebase origin/main",
            "git checkout -b other",
            "git stash pop",
            "git config user.name Ann",
            "npm i -g x",
            "pip install x",
            "sudo apt install x",
            "pkill node",
            "gt sling app-1 app",
            "echo x > ~/notes.md",
            "cd ../../polecats/amber && git log",
        ],
    );
}

#[test]
fn roles_follow_from_addresses() {
    let role = |text: &str| Role::of(&Address::parse(text).unwrap());
    assert_eq!(role("app/polecats/amber"), Role::Polecat);
    assert_eq!(role("mayor/"), Role::Mayor);
    assert_eq!(role("app/crew/ann"), Role::Crew);
    assert_eq!(
        (role("deacon/dogs/rex"), role("app/witness"), role("overseer")),
        (Role::Other, Role::Other, Role::Other)
    );
    check_allowed_for(Role::Other, &place(), &["git push", "sudo ls", "echo x > /etc/x", "gt down"]);
}

#[test]
fn calls_of_other_clients_are_understood() {
    let judged = |text: &str| judge(Role::Polecat, &serde_json::from_str(text).unwrap(), &place()).line();
    assert!(
        judged(r#"{"tool_name":"Bash","tool_input":{"command":"git push","description":"x"},"cwd":"/"}"#).is_some()
    );
    assert!(judged(r#"{"tool":"shell","input":{"command":["bash","-lc","git push"]}}"#).is_some());
    assert!(judged(r#"{"tool":"run_shell_command","input":{"command":"git push"}}"#).is_some());
    assert!(judged(r#"{"tool":"exec_command","input":{"cmd":"git push"}}"#).is_some());
    assert!(judged(r#"{"tool":"write_file","input":{"path":"/etc/hosts"}}"#).is_some());
    for odd in [
        r#"{"tool":"Bash"}"#,
        r#"{"tool":"Bash","input":null}"#,
        r#"{"tool":"Bash","input":{"command":[1,{}]}}"#,
        r#"{"tool":"Write","input":{"file_path":7}}"#,
    ] {
        assert_eq!(judged(odd), None, "{odd}");
    }
}
