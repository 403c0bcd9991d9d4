//! The whole way of a bead by hand, with every verb that a person types, in a repository of their own.

use serde_json::Value;

use crate::town::{RIG, Town, WORK, list, text, write};

/// Returns the shape of a JSON document: schemas and keys as they are, everything else by its kind.
fn shape(value: &Value) -> String {
    render(value, 0)
}

fn render(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) if text.starts_with("gt.") => text.clone(),
        Value::String(_) => "text".to_owned(),
        Value::Array(items) => items.first().map_or("[]".to_owned(), |first| format!("[{}]", render(first, depth))),
        Value::Object(entries) => {
            let fields = entries.iter().map(|(key, value)| format!("{key}: {}", render(value, depth + 1)));
            let fields: Vec<String> = fields.collect();
            let line = fields.join(", ");
            let indent = "  ".repeat(depth + 1);
            if line.len() <= 100 && !line.contains('\n') {
                return format!("{{{line}}}");
            }
            format!("{{\n{indent}{}\n{}}}", fields.join(&format!("\n{indent}")), "  ".repeat(depth))
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order; most lines are snapshots")]
fn a_project_of_ones_own_from_install_to_a_landed_convoy() {
    let town = Town::nowhere();
    let remote = town.project("main", &[("run-tests", "test ! -e red\n"), ("README.md", "An app\n")]);
    let project = town.checkout().display().to_string();

    let installed = town.gt_with(town.folder(), &[], &["install", "town", "--json"]);
    insta::assert_snapshot!(shape(&serde_json::from_str(&installed.out).unwrap()), @"{schema: gt.install/1, town: text}");
    town.settle("");
    let added = town.json(&["rig", "add", RIG, &project]);
    insta::assert_snapshot!(shape(&added), @r"
    {
      schema: gt.rig/1
      rig: {
        name: text
        prefix: text
        remote: text
        trunk: text
        remote_note: text
        warnings: []
        gates: [{name: text, run: text, kind: text, from: text, optional: bool}]
        omitted: []
        notes: []
        worktree: {setup_timeout_seconds: number, from: text, min_free_disk_mb: number}
        left_out: []
        leads_out: []
        proof: {gates: [{name: text, passed: bool, failure: null, took_ms: number, log: text}], kept: []}
        held: null
      }
    }
    ");
    assert_eq!(text(&added["rig"]["remote"]), remote.display().to_string(), "a folder with a remote means that one");
    assert_eq!(added["rig"]["gates"][0]["run"], "sh ./run-tests", "gates are found, shown and pinned");
    assert_eq!(added["rig"]["proof"]["gates"][0]["passed"], true);
    town.play_in_rig(RIG);
    town.script(WORK);
    insta::assert_snapshot!(shape(&town.json(&["rig", "list"])), @r"
    {
      schema: gt.rigs/1
      rigs: [{
        name: text
        remote: text
        trunk: text
        landing: text
        gates: [text]
        agents: {kind: text, mode: text, why: text}
      }]
    }
    ");
    insta::assert_snapshot!(shape(&town.json(&["rig", "gates", "list"])), @"{schema: gt.gates/1, gates: [{name: text, run: text}]}");
    insta::assert_snapshot!(shape(&town.json(&["rig", "gates", "run"])), @r"
    {
      schema: gt.gates-run/1
      run: {gates: [{name: text, passed: bool, failure: null, took_ms: number, log: text}], kept: []}
    }
    ");

    beads_by_hand(&town);
    let (first, second) = (town.bead("First"), town.bead("Second"));
    town.ok(&["bead", "dep", "add", &second, &first]);
    let ready = town.json(&["bead", "ready"]);
    assert_eq!(ready.as_array().unwrap().iter().map(|bead| text(&bead["id"])).collect::<Vec<_>>(), [first.as_str()]);

    let convoy = town.json(&["convoy", "create", "Both", &first]);
    insta::assert_snapshot!(shape(&convoy), @r"
    {
      schema: gt.convoy/1
      convoy: {
        id: text
        title: text
        state: text
        landed: bool
        members: [{id: text, title: text, status: text, state: text}]
      }
    }
    ");
    let convoy = text(&convoy["convoy"]["id"]);
    town.ok(&["convoy", "add", &convoy, &second]);
    insta::assert_snapshot!(shape(&town.json(&["convoy", "list"])), @r"
    {
      schema: gt.convoys/1
      convoys: [{
        id: text
        title: text
        state: text
        landed: bool
        members: [{id: text, title: text, status: text, state: text}]
      }]
    }
    ");

    let slung = town.json(&["sling", &first, RIG]);
    insta::assert_snapshot!(shape(&slung), @r"
    {
      schema: gt.slung/1
      slung: {
        attempts: [{
          id: number
          bead: text
          number: number
          rig: text
          worker: text
          agent: text
          formula: text
          branch: text
          convoy: text
          swarm: number
          started_from: null
          why: null
          base: null
          opened_at: text
          submitted_at: null
          head: null
          ended_at: null
          outcome: null
          snapshot: null
          archived_at: null
          slot: null
          runtime: null
        }]
        convoys: [text]
        swarms: [number]
      }
    }
    ");
    assert_eq!(text(&slung["slung"]["convoys"][0]), convoy, "into the convoy that tracks it");
    insta::assert_snapshot!(shape(&town.json(&["why", &first])), @r"
    {
      schema: gt.why/1
      why: {
        answer: text
        next: text
        bead: text
        blockers: []
        attempts: [{
          id: number
          bead: text
          number: number
          rig: text
          worker: text
          agent: text
          formula: text
          branch: text
          convoy: text
          swarm: number
          started_from: null
          why: null
          base: null
          opened_at: text
          submitted_at: null
          head: null
          ended_at: null
          outcome: null
          snapshot: null
          archived_at: null
          slot: null
          runtime: null
        }]
        merge_requests: []
        effects: [{
          id: number
          effect: {kind: text, attempt: number}
          rig: text
          bead: text
          delay: {secs: number, nanos: number}
          run: number
          tries: number
          last_error: null
          gave_up: bool
        }]
        conditions: []
        cost: {
          answers: number
          input: number
          output: number
          cache_read: number
          cache_write_5m: number
          cache_write_1h: number
          tokens: number
          usd: number
          unpriced: []
          uncounted: number
        }
      }
    }
    ");
    insta::assert_snapshot!(shape(&town.json(&["unsling", &first])), @r"
    {
      schema: gt.unslung/1
      attempts: [{
        id: number
        bead: text
        number: number
        rig: text
        worker: text
        agent: text
        formula: text
        branch: text
        convoy: text
        swarm: number
        started_from: null
        why: null
        base: null
        opened_at: text
        submitted_at: null
        head: null
        ended_at: null
        outcome: null
        snapshot: null
        archived_at: null
        slot: null
        runtime: null
      }]
    }
    ");
    assert_eq!(town.status_of(&first), "open");
    let said = town.ok(&["sling", &first, RIG]);
    assert!(said.contains("(attempt 2)") && said.contains("queued: no deacon runs; gt up starts it"), "{said}");

    insta::assert_snapshot!(shape(&town.json(&["up"])), @"{schema: gt.up/1, started: bool}");
    let (queue, approved) = approve_when_asked(&town, &first);
    insta::assert_snapshot!(shape(&queue), @r"
    {
      schema: gt.queue/1
      merge_requests: [{
        id: text
        bead: text
        attempt: number
        rig: text
        target: text
        branch: text
        head: text
        base: text
        submitted_at: text
        approved_by: null
        held: null
        candidate_tree: text
        landing: null
        commit_landed: null
        ended_at: null
        outcome: null
        failure: null
        origin: text
        doubt: null
        dropped: null
        review: text
        status: {state: text}
        gating: null
      }]
    }
    ");
    insta::assert_snapshot!(shape(&approved), @"{schema: gt.approved/1, approved: [text]}");
    // The deacon slings the second bead when the first has landed.
    approve_when_asked(&town, &second);
    insta::assert_snapshot!(shape(&town.json(&["mol", "status", &first])), @r"
    {
      schema: gt.molecule/1
      molecule: {
        id: number
        formula: text
        hash: text
        vars: {issue: text, title: text}
        rig: text
        bead: text
        attempt: number
        convoy: null
        parent: null
        is_ephemeral: bool
        poured_at: text
        poured_by: text
        ended_at: text
        outcome: text
        digest: null
      }
      attempt: {
        id: number
        bead: text
        number: number
        rig: text
        worker: text
        agent: text
        formula: text
        branch: text
        convoy: text
        swarm: number
        started_from: null
        why: null
        base: text
        opened_at: text
        submitted_at: text
        head: text
        ended_at: text
        outcome: text
        snapshot: text
        archived_at: text
        slot: number
        runtime: null
      }
      steps: [{
        position: number
        step: {id: text, title: text, description: text, needs: [], acceptance: []}
        done_at: text
        note: null
        state: text
        waits: number
        waits_for: null
      }]
      newer: bool
    }
    ");
    insta::assert_snapshot!(shape(&town.json(&["log", &first, "-n", "1"])), @r"
    {
      schema: gt.log/1
      events: [{
        seq: number
        at: text
        actor: text
        verb: text
        event: text
        subject: text
        bead: text
        before: null
        after: null
      }]
    }
    ");
    assert_eq!(town.json(&["convoy", "show", &convoy])["convoy"]["landed"], true);
    mail_tells(&town, &convoy);
    town.wait_quiet();
    let doctor = town.json(&["doctor"]);
    insta::assert_snapshot!(shape(&doctor), @"{schema: gt.doctor/1, checks: [{name: text, ok: bool, detail: text, hint: null}]}");
    insta::assert_snapshot!(shape(&town.json(&["down"])), @"{schema: gt.down/1, ended: {deacon: bool, sessions: []}}");
    let checkout = town.git(&town.checkout(), &["status", "--porcelain", "--branch"]);
    assert_eq!(checkout, "## main...origin/main", "the person's own checkout was not touched");
}

/// Creates, changes and closes beads.
fn beads_by_hand(town: &Town) {
    let made = town.json(&["bead", "create", "Odd job", "-p", "1", "-t", "bug", "-l", "small", "-d", "Do it."]);
    insta::assert_snapshot!(shape(&made), @r"
    {
      id: text
      title: text
      description: text
      status: text
      priority: number
      issue_type: text
      created_at: text
      created_by: text
      updated_at: text
      labels: [text]
      schema_version: number
    }
    ");
    let id = text(&made["id"]);
    assert!(id.starts_with("app-"), "{id}");
    let changed = town.json(&["bead", "update", &id, "--title", "Odder job", "--add-label", "big", "--notes", "Hm."]);
    assert_eq!(
        (text(&changed[0]["title"]), changed[0]["labels"].to_string()),
        ("Odder job".into(), "[\"small\",\"big\"]".into())
    );
    assert_eq!(town.json(&["bead", "list", "--label", "big"]).as_array().unwrap().len(), 1);
    // The same verb, called as `bd`.
    let bd = town.root().join("bin/bd");
    let by_bd =
        crate::town::output(town.program(&bd.display().to_string(), &town.root()).args(["show", &id, "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&by_bd.out).unwrap(), town.json(&["bead", "show", &id]));
    let other = town.bead("Other");
    town.ok(&["bead", "dep", "add", &other, &id]);
    let circle = town.gt(&["bead", "dep", "add", &id, &other]);
    assert_eq!((circle.code, circle.err.contains("that would be a circle")), (4, true), "{circle:?}");
    town.ok(&["bead", "dep", "remove", &other, &id]);
    town.ok(&["bead", "close", &id, &other, "--reason", "not needed"]);
    assert_eq!(town.json(&["bead", "list"]), serde_json::json!([]));
    assert_eq!(town.json(&["bead", "list", "--all"]).as_array().unwrap().len(), 2);
}

/// Waits until a bead's work is green, approves it, and waits until it has landed. Returns the outputs of `mq list` and
/// `mq approve`.
fn approve_when_asked(town: &Town, bead: &str) -> (Value, Value) {
    let waits = format!("SELECT count(*) FROM merge_requests WHERE bead = '{bead}' AND ended_at IS NULL");
    town.wait_until("a person to be asked", || town.conditions() == ["approval"] && town.ask(&waits) == ["1"]);
    let queue = town.json(&["mq", "list"]);
    let status = town.json(&["status"]);
    assert_eq!(status["status"]["queue"][0]["bead"], *bead, "{status}");
    let approved = town.json(&["mq", "approve", &text(&queue["merge_requests"][0]["id"])]);
    town.wait_closed(bead);
    (queue, approved)
}

/// Checks who gets mail: the mayor about batches; the overseer about the convoy, once.
fn mail_tells(town: &Town, convoy: &str) {
    let subjects = |of: &str| {
        let inbox = town.json(&["mail", "inbox", "--of", of]);
        inbox["mail"].as_array().unwrap().iter().map(|mail| text(&mail["subject"])).collect::<Vec<_>>()
    };
    let mayor = subjects("mayor/");
    assert!(mayor.iter().filter(|subject| subject.starts_with("SWARM_COMPLETE")).count() >= 2, "{mayor:?}");
    // A listed mail can be read; another agent's mail stays unread.
    for mail in town.json(&["mail", "inbox", "--of", "mayor/"])["mail"].as_array().unwrap() {
        let (id, was_read) = (text(&mail["id"]), &mail["delivery"]["read_at"]);
        let own = town.gt(&["mail", "read", &id]);
        assert!(own.err.contains(&format!("gt mail read {id} --of mayor/")), "{own:?}");
        let read = town.json(&["mail", "read", &id, "--of", "mayor/"])["mail"].clone();
        assert_eq!((&read["subject"], &read["delivery"]["read_at"]), (&mail["subject"], was_read), "{read}");
    }
    let (news, all) = (town.ok(&["log", "-n", "1000"]), town.ok(&["log", "-n", "1000", "--all"]));
    assert!(news.contains("  landed  ") && !news.contains("  effect-"), "{news}");
    assert!(all.contains("  effect-") && all.lines().count() > news.lines().count(), "{all}");
    // Roles that are code archive their mail when they have handled it; it is still a bead.
    let started = town.ask("SELECT title FROM beads WHERE issue_type = 'message' AND title LIKE 'SWARM_START%'");
    assert!(started.len() >= 2, "{started:?}");
    let landed = format!("Convoy landed: Both ({convoy})");
    assert_eq!(subjects("overseer").iter().filter(|subject| **subject == landed).count(), 1);
    let sent = town.json(&["mail", "send", "overseer", "-s", "Well done", "-m", "All of it."]);
    insta::assert_snapshot!(shape(&sent), @"{schema: gt.mail-sent/1, id: text}");
    let read = town.json(&["mail", "read", &text(&sent["id"])]);
    insta::assert_snapshot!(shape(&read), @r"
    {
      schema: gt.mail/1
      mail: {
        id: text
        from: text
        to: text
        subject: text
        body: text
        priority: text
        sent_at: text
        delivered_at: null
        delivered_by: null
        read_at: null
        acted_at: null
      }
    }
    ");
    assert_eq!(read["mail"]["body"], "All of it.");
    assert!(!subjects("overseer").is_empty());
}

#[test]
fn patrols_called_by_hand_land_work_without_a_deacon() {
    let town = Town::asking();
    // The worker counts as working until a patrol has looked at it.
    let wait = "[[act]]\nstep = \"implement\"\nsignal = \"busy\"\nawait = \"go\"\n";
    town.script(&format!("{wait}[[act]]\nstep = \"prepare-for-review\"\nskip_default = true\n{WORK}"));
    let done = town.ok(&["do", "Just do it"]);
    assert!(done.contains("watch: gt status"), "{done}");
    let bead = town.ask("SELECT bead FROM attempts").remove(0);
    let round = town.json(&["refinery", "run", "--once"]);
    insta::assert_snapshot!(shape(&round), @"{schema: gt.round/1, round: {landed: [], reworked: [], gated: [], doubted: [], stopped: null}}");
    let patrol = town.json(&["witness", "run", "--once"]);
    insta::assert_snapshot!(shape(&patrol), @"{schema: gt.patrol/1, findings: [{worker: text, bead: text, verdict: text}]}");
    insta::assert_snapshot!(shape(&town.json(&["status"])), @r"
    {
      schema: gt.status/1
      status: {
        deacon: bool
        needs_you: []
        rigs: [{
          name: text
          remote: text
          trunk: text
          landing: text
          gates: [text]
          agents: {kind: text, mode: text, why: text}
        }]
        agents: []
        workers: [{
          worker: text
          bead: text
          title: text
          attempt: number
          incarnation: number
          doing: text
          refused: null
          pid: number
          since: text
        }]
        queue: []
        ready: number
        hooks: null
        sync: {remote: null, last: null}
      }
    }
    ");
    town.signal("go");
    town.wait_until("the work to be green", || {
        town.ok(&["refinery", "run", "--once"]);
        town.conditions() == ["approval"]
    });
    town.ok(&["mq", "approve", &bead]);
    let landed = town.json(&["refinery", "run", "--once"]);
    assert_eq!(landed["round"]["landed"].as_array().unwrap().len(), 1, "{landed}");
    assert_eq!((town.status_of(&bead), town.landings(&bead)), ("closed".to_owned(), 1));
    town.wait_until("the worktree to go", || {
        town.ok(&["witness", "run", "--once"]);
        list(&town.rig().join("polecats")).is_empty()
    });
    assert_eq!(town.deacon(), None, "none was started on the way");
}

#[test]
fn a_rigs_own_formula_can_add_a_step() {
    let town = Town::new();
    let built_in = include_str!("../../../gt-town/formulas/mol-polecat-work.toml");
    let tenth = "[[steps]]\nid = \"write-changelog\"\ntitle = \"Say what changed\"\nneeds = [\"self-review\"]\n\
                 description = \"A line in CHANGES\"\nacceptance = [\"test -f CHANGES\"]\n\n[[steps]]\nid = \"run-tests\"";
    let changed = built_in.replace("[[steps]]\nid = \"run-tests\"", tenth);
    let changed = changed.replace(
        "needs = [\"self-review\"]\ndescription = \"\"\"\nRun `gt rig gates run`",
        "needs = [\"write-changelog\"]\ndescription = \"\"\"\nRun `gt rig gates run`",
    );
    assert_eq!(changed.matches("write-changelog").count(), 2);
    let formulas = town.rig().join(".beads/formulas");
    assert!(formulas.is_symlink(), "a link to the town's, until the rig has its own");
    std::fs::remove_file(&formulas).unwrap();
    write(&formulas.join("mol-polecat-work.toml"), &changed);
    town.script(&format!(
        "{WORK}[[act]]\nstep = \"write-changelog\"\nwrite = {{ CHANGES = \"A line\\n\" }}\ncommit = \"Say it\"\n"
    ));
    let bead = town.bead("With a changelog");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    let molecule = town.json(&["mol", "status", &bead]);
    let steps = molecule["steps"].as_array().unwrap();
    let ids: Vec<&str> =
        steps.iter().map(|step| step["id"].as_str().or(step["step"]["id"].as_str()).unwrap()).collect();
    assert_eq!((ids.len(), ids[5]), (10, "write-changelog"), "{ids:?}");
    assert!(steps.iter().all(|step| !step["done_at"].is_null()), "{molecule}");
    assert_eq!(town.git(&town.remote(), &["show", "main:CHANGES"]), "A line");
}

#[test]
fn a_deleted_convoy_accepts_no_more_beads() {
    let town = Town::new();
    let [first, second] = ["First", "Second"].map(|title| town.bead(title));
    let convoy = town.json(&["convoy", "create", "Both", &first, &second]);
    let convoy = text(&convoy["convoy"]["id"]);
    town.ok(&["bead", "delete", &convoy, "--force"]);
    town.ok(&["sling", &first, RIG]);
    let slung_in = town.ask("SELECT convoy FROM swarms");
    assert!(slung_in.len() == 1 && slung_in[0] != convoy, "{slung_in:?}");
}
