"""Calls every operation of the `beads-mcp` package against the `bd` under test, and looks at what each answers.

Run in an empty folder, which gets a ledger: `python mcp_client.py <bd>`. Prints the name of each operation that did what it
should, one a line, first those of its client, then those of its server, which is asked through standard input and output.
"""

import asyncio
import os
import sys

from beads_mcp import bd_client, models
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

BD = sys.argv[1]
HERE = os.getcwd()


def went_well(name):
    print(name, flush=True)


def expect(name, is_so, answer):
    if not is_so:
        raise SystemExit(f"{name} answered {answer!r}")
    went_well(name)


async def refused(call):
    try:
        answer = await call
    except bd_client.BdCommandError as error:
        return str(error)
    raise SystemExit(f"this was not refused: {answer!r}")


def ids(beads):
    return sorted(bead.id for bead in beads)


async def use_client():
    bd = bd_client.BdCliClient(bd_path=BD, working_dir=HERE, actor="ann")
    made = await bd.init(models.InitParams(prefix="mc"))
    expect("init", "mc" in made, made)
    await bd._check_version()
    first = await bd.create(models.CreateIssueParams(title="Draw the map", priority=1, issue_type="bug"))
    expect("create", (first.title, first.priority, first.issue_type) == ("Draw the map", 1, "bug"), first)
    second = await bd.create(
        models.CreateIssueParams(
            title="Sail there",
            description="By the map",
            design="A sloop",
            acceptance="Land is seen",
            external_ref="gh-7",
            assignee="eve",
            labels=["sea", "far"],
            deps=[first.id],
        )
    )
    expect("create with all there is", second.id != first.id and second.labels == ["sea", "far"], second)
    third = await bd.create(models.CreateIssueParams(title="Dig", id="mc-dig"))
    expect("create with an id", third.id == "mc-dig", third)

    await bd.add_dependency(models.AddDependencyParams(issue_id=third.id, depends_on_id=second.id))
    shown = await bd.show(models.ShowIssueParams(issue_id=second.id))
    expect("show", [b.title for b in shown.dependencies] == ["Draw the map"] and shown.external_ref == "gh-7", shown)
    expect("add_dependency", ids(shown.dependents) == [third.id], shown)
    ready = await bd.ready(models.ReadyWorkParams(limit=5, priority=1, issue_type="bug", sort_policy="oldest"))
    expect("ready", ids(ready) == [first.id], ready)
    listed = await bd.list_issues(models.ListIssuesParams(status="open", labels=["sea"], assignee="eve", limit=5))
    expect("list", ids(listed) == [second.id] and listed[0].dependency_count == 1, listed)
    blocked = await bd.blocked()
    expect("blocked", {b.id: b.blocked_by for b in blocked} == {second.id: [first.id], third.id: [second.id]}, blocked)

    changed = await bd.update(models.UpdateIssueParams(issue_id=second.id, priority=0, title="Sail out", notes="Wind"))
    expect("update", (changed.priority, changed.title, changed.notes) == (0, "Sail out", "Wind"), changed)
    claimed = await bd.claim(models.ClaimIssueParams(issue_id=first.id))
    expect("claim", (claimed.status, claimed.assignee) == ("in_progress", "ann"), claimed)
    why = await refused(bd.close(models.CloseIssueParams(issue_id=second.id)))
    expect("a refusal's reason", first.id in why and "waits for" in why, why)
    why = await refused(bd.show(models.ShowIssueParams(issue_id="mc-none")))
    expect("a missing bead", "no issue found" in why, why)
    closed = await bd.close(models.CloseIssueParams(issue_id=first.id, reason="Drawn"))
    expect("close", [(b.id, b.status) for b in closed] == [(first.id, "closed")], closed)
    opened = await bd.reopen(models.ReopenIssueParams(issue_ids=[first.id], reason="A reef is missing"))
    expect("reopen", [(b.id, b.status) for b in opened] == [(first.id, "open")], opened)

    await bd.add_comment(models.AddCommentParams(issue_id=second.id, text="West, then south"))
    remarks = await bd.list_comments(models.ListCommentsParams(issue_id=second.id))
    expect("comment", [(r.author, r.text) for r in remarks] == [("ann", "West, then south")], remarks)
    went_well("comments")
    await bd.add_note(models.AddNoteParams(issue_id=second.id, text="Stars"))
    shown = await bd.show(models.ShowIssueParams(issue_id=second.id))
    expect("note", shown.notes == "Wind\nStars", shown.notes)
    stats = await bd.stats()
    expect("stats", (stats.summary.total_issues, stats.summary.blocked_issues) == (3, 2), stats)
    guide = await bd.quickstart()
    expect("quickstart", "bd init" in guide, guide)

    plan = await bd.inspect_migration()
    expect("inspect_migration", plan["current_state"]["issue_count"] == 3 and plan["warnings"] == [], plan)
    schema = await bd.get_schema_info()
    expect("schema", "beads" in schema["schema"]["tables"] and schema["schema"]["detected_prefix"] == "mc", schema)
    orphans = await bd.repair_deps(fix=True)
    expect("repair_deps", (orphans["orphans_found"], orphans["fixed"]) == (0, 0), orphans)
    await bd.create(models.CreateIssueParams(title="test 123"))
    left = await bd.detect_pollution()
    expect("detect_pollution", [b["title"] for b in left["issues"]] == ["test 123"], left)
    left = await bd.detect_pollution(clean=True)
    left = await bd.detect_pollution()
    expect("detect_pollution with clean", left["polluted_count"] == 0, left)
    checks = await bd.validate(fix_all=True)
    expect("validate", checks["overall_ok"] and len(checks["checks"]) > 3, checks)
    return first.id, second.id


async def use_server(first, second):
    env = {**os.environ, "BEADS_PATH": BD, "BEADS_ACTOR": "ann"}
    server = StdioTransport(command=sys.executable, args=["-m", "beads_mcp"], env=env, cwd=HERE)
    async with Client(server) as client:

        async def call(tool, **words):
            answer = await client.call_tool(tool, words)
            return str(answer.structured_content or answer.content)

        async def has(tool, wanted, **words):
            answer = await call(tool, **words)
            expect(f"tool {tool}", wanted in answer, answer)

        await has("discover_tools", "claim")
        await has("get_tool_info", "issue_id", tool_name="show")
        await has("context", HERE, workspace_root=HERE)
        await has("create", "created", title="Sell the map", deps=[first])
        await has("list", "Sell the map")
        await has("ready", first)
        await has("show", "By the map", issue_id=second)
        await has("claim", "claimed", issue_id=first)
        await has("update", "updated", issue_id=first, design="On vellum")
        await has("dep", "Added", issue_id="mc-dig", depends_on_id=first, dep_type="related")
        await has("comment", second, issue_id=second, text="Land!")
        await has("comments", "Land!", issue_id=second)
        await has("note", second, issue_id=second, text="A second reef")
        await has("blocked", second)
        await has("stats", "total_issues")
        await has("close", "closed", issue_id=first)
        await has("reopen", "reopened", issue_ids=[first])
        await has("admin", "overall_ok", action="validate")
        tools = {tool.name for tool in await client.list_tools()}
        expect("tools", len(tools) == 18, tools)


async def main():
    await use_server(*await use_client())


asyncio.run(main())
