//! Keys of formula files, as tables. The parser, its errors and the reference in the documentation all come from here.

use std::fmt::Write as _;

use super::act::Act;

/// A key that a formula may have.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    /// Kind of value, as it appears after "is a".
    pub holds: &'static str,
    pub meaning: &'static str,
}

/// Meaning of a key of another system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It means the same as this key.
    Named(&'static str),
    /// It is read: the sentence says as what.
    Read(&'static str),
    /// The formula works without it: the sentence says why.
    Ignored(&'static str),
    /// The formula would not mean the same without it: the sentence says what to write instead.
    Refused(&'static str),
}

/// Part of a formula file with keys of its own.
#[derive(Debug)]
pub(super) struct Section {
    /// Title in the reference.
    pub title: &'static str,
    /// Sentence under the title.
    pub about: &'static str,
    pub keys: &'static [Key],
    /// Keys of the Go Gas Town and of beads.
    pub foreign: &'static [(&'static str, Foreign)],
}

impl Section {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(super) fn foreign(&self, name: &str) -> Option<(&'static str, Foreign)> {
        self.foreign.iter().find(|(known, _)| *known == name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

const fn key(name: &'static str, holds: &'static str, meaning: &'static str) -> Key {
    Key { name, holds, meaning }
}

use Foreign::{Ignored, Named, Read, Refused};

pub(super) static TOP: Section = Section {
    title: "Top level",
    about: "The keys of a formula file.",
    keys: &[
        key("formula", "text", "Name of the formula: the file's name without `.toml`. Required."),
        key("description", "text", "Purpose, for people."),
        key(
            "type",
            "text",
            "`workflow` (steps for one bead, the default), `convoy` (legs for several workers, and a synthesis), `expansion` (a template that other formulas put in place of a step) or `aspect` (steps that other formulas put around theirs).",
        ),
        key("version", "whole number", "Version of the language: 1. Required."),
        key(
            "extends",
            "text or list of texts",
            "Formulas to start from. Steps with the same id replace theirs; others come after them. Vars are added to theirs.",
        ),
        key("vars", "table", "Variables: `[vars.<name>]`, or `<name> = \"default\"`."),
        key("inputs", "table", "The same as `vars`, under the name that convoy formulas use."),
        key("steps", "list of tables", "Steps of a workflow: `[[steps]]`."),
        key(
            "template",
            "list of tables",
            "Steps of an expansion: `[[template]]`. They have the keys of steps. Ids and texts may use `{target}`, `{target.title}` and `{target.description}` of the step that they replace; an id without `{target}` gets `<target>.` in front.",
        ),
        key("legs", "list of tables", "Legs of a convoy: `[[legs]]`. Each becomes a bead for a worker of its own."),
        key("synthesis", "table", "Step of a convoy after its legs."),
        key("aspects", "list", "Names of aspect formulas, and rules of this formula's own: `[[aspects]]`."),
        key("compose", "table", "Formulas that change steps of this one."),
        key(
            "output",
            "text or table",
            "Product of the work: `\"code\"` (the default), `\"report\"` (findings are the product), or where legs write.",
        ),
        key(
            "pour",
            "text or bool",
            "`\"durable\"` or true: the molecule's steps are kept (the default). `\"ephemeral\"` or false: they are left out of git.",
        ),
    ],
    foreign: &[
        ("advice", Named("aspects")),
        ("phase", Read("`vapor` is `pour = \"ephemeral\"`, `liquid` is `pour = \"durable\"`")),
        ("prompts", Read("`prompts.base` comes before the description of each leg")),
        ("pointcuts", Ignored("the target of each rule says where it applies")),
        ("squash", Ignored("a digest is no matter of the formula here")),
        ("presets", Ignored("name the legs that are not wanted with `when`")),
        ("review_only", Ignored("`output = \"report\"` says that no commits are expected")),
        ("execution", Ignored("any worker can continue a molecule here")),
        ("source", Ignored("where a formula lies is found by its name")),
        ("agent", Ignored("the agent of all steps is the rig's; a step may have its own `agent`")),
    ],
};

pub(super) static VAR: Section = Section {
    title: "Variables",
    about: "`[vars.<name>]`. Names have letters, digits, `_` and `-`. Texts use a variable as `{{name}}`; a value is data, so nothing in it is replaced again. A variable without value and default is empty, or no, or no items.",
    keys: &[
        key("description", "text", "Meaning, for people."),
        key(
            "type",
            "text",
            "`string` (the default), `number`, `bool`, `enum` or `list` (of texts; given as `a,b` or as `[\"a\", \"b\"]`).",
        ),
        key("default", "text, number, bool or list of texts", "Value if none is given."),
        key("required", "bool", "Whether a value must be given."),
        key("values", "list of texts", "Values of an enum."),
        key("pattern", "text", "Regular expression that a value matches as a whole. For a list: each item."),
    ],
    foreign: &[
        ("enum", Named("values")),
        ("required_unless", Ignored("whether one of several is given is not checked here")),
    ],
};

pub(super) static STEP: Section = Section {
    title: "Steps",
    about: "`[[steps]]`, `[[template]]`, `[[steps.children]]`, and the steps of aspects. A step without `run`, `gate` and parts is for an agent.",
    keys: &[
        key("id", "text", "Id, unique in the formula: letters, digits, `_`, `-` and `.`. Required."),
        key("title", "text", "One line."),
        key("description", "text", "Work to do, and what must be true at the end."),
        key("needs", "list of texts", "Ids of steps that must be closed first."),
        key(
            "acceptance",
            "list of checks",
            "Checks that must pass before the step counts as done. A check is `gt:<act>` or a command: a text that is split at white space, or a list of texts. Exit code 0 passes. On a step with parts, the parts that no other part needs run them.",
        ),
        key(
            "run",
            "list of texts or text",
            "The engine runs this: a program with its arguments (a list), `gt:<act>`, or the text of a shell script. `{{name}}` is replaced inside one argument. A script gets values only by its environment, as `$GT_VAR_<name>`, with `_` for `-`.",
        ),
        key(
            "gate",
            "table",
            "Holds the step back until the gate opens. A step with a gate and neither `description` nor `run` closes when its gate opens.",
        ),
        key(
            "when",
            "text",
            "Condition on variables: `{{name}}`, `!{{name}}`, `{{name}} == value`, `{{name}} != value`, joined by `and` and `or` (`and` binds closer). If it is false, the step is dropped with its parts; steps that need it need what it needed.",
        ),
        key("loop", "table", "Repeats the step: the rounds are its parts `<id>.1`, `<id>.2`, …"),
        key("expand", "table or text", "Parts of the step come from the template of an expansion formula."),
        key(
            "children",
            "list of tables",
            "Parts of the step, which closes when they are closed. A part that needs no other part waits for what the step needs.",
        ),
        key(
            "parallel",
            "bool",
            "On a loop: rounds do not wait for each other. Steps that are handed out as beads wait for their needs only, with or without this key.",
        ),
        key("agent", "text", "Kind of agent that works on the step when it is handed out as a bead. Parts inherit it."),
        key(
            "model",
            "text",
            "Kept with the step and otherwise ignored: an agent uses the model of its kind. Parts inherit it.",
        ),
        key("timeout", "duration", "Limit of time for `run`, such as `90s`, `10m`, `2h` or `1d`. Default: 30m."),
        key(
            "retries",
            "whole number",
            "How often a failed `run` is tried again (0 to 10), after pauses that double from 10 seconds.",
        ),
        key("priority", "whole number", "Order among open steps: 0 (first) to 4."),
        key("labels", "list of texts", "Labels."),
        key("on_complete", "table", "Pours a formula for each item of the step's output."),
    ],
    foreign: &[
        ("depends_on", Named("needs")),
        ("condition", Named("when")),
        ("waits_for", Read("`children-of(<id>)` is a need; `all-children` is so always")),
        ("expand_vars", Read("they are `expand.vars`")),
        ("type", Ignored("steps are rows of a molecule, not beads with a type")),
        ("assignee", Ignored("the worker whose hook holds the molecule takes the step")),
        ("notes", Ignored("write it into the description")),
        ("metadata", Ignored("steps have no metadata")),
        ("output", Ignored("a step's output is what its worker gives to it")),
        ("focus", Ignored("only legs have a focus")),
        ("args", Ignored("write it into the description")),
    ],
};

pub(super) static LOOP: Section = Section {
    title: "Loops",
    about: "`loop = { … }` on a step, with one of `count`, `over` and `until`. Texts of the rounds may use `{{index}}` (from 1) and, with `over`, `{{item}}`. Unless the step is `parallel`, each round needs the one before.",
    keys: &[
        key(
            "count",
            "whole number or text",
            "Number of rounds. A text may use variables, `+ - * / ^` and parentheses: `\"2^{{discs}} - 1\"`.",
        ),
        key(
            "over",
            "text or list of texts",
            "A round for each item: a list, or `\"{{name}}\"` of a variable of type list.",
        ),
        key(
            "until",
            "check",
            "A round is followed by the next one until this check (as in `acceptance`) passes. Rounds after that are skipped.",
        ),
        key("max", "whole number", "Maximum number of rounds with `until` (1 to 100). Required there."),
    ],
    foreign: &[
        ("range", Read("`a..b` is a loop over these numbers")),
        ("var", Read("name of the item in texts, as `{name}`")),
        ("body", Read("they are the step's `children`")),
    ],
};

pub(super) static EXPAND: Section = Section {
    title: "Expansions",
    about: "`expand = { … }` on a step. `expand = \"name\"` is short for `expand = { formula = \"name\" }`.",
    keys: &[
        key("formula", "text", "Name of a formula of type `expansion`. Required."),
        key("vars", "table of texts", "Values for its variables. They may use variables of this formula."),
    ],
    foreign: &[],
};

pub(super) static GATE: Section = Section {
    title: "Gates",
    about: "`gate = { type = \"…\", … }` on a step.",
    keys: &[
        key("type", "text", "`human`, `timer`, `bead`, `mail`, `merge` or `command`. Required."),
        key("ask", "text", "human: the question to answer."),
        key("who", "text", "human: address of the person or agent who decides. Without it, the overseer."),
        key("after", "duration", "timer: time to wait after the step's needs are closed."),
        key("at", "text", "timer: time to wait for, as in `2027-01-31T09:00:00Z`."),
        key(
            "bead",
            "text",
            "bead: opens when this bead is closed. merge: opens when its work has landed; without it, the molecule's own bead.",
        ),
        key("from", "text", "mail: address of the sender."),
        key("subject", "text", "mail: text that the subject contains."),
        key("run", "check", "command: opens when this check (as in `acceptance`) passes."),
        key("every", "duration", "command: pause between two tries. Default: 1m."),
        key("timeout", "duration", "How long to wait. Then the step fails."),
    ],
    foreign: &[
        ("id", Read("for `bead` it is the bead")),
        ("condition", Refused("write `type = \"command\"` and a command as `run`")),
    ],
};

pub(super) static ON_COMPLETE: Section = Section {
    title: "On completion",
    about: "`on_complete = { … }` on a step. Steps that need it also wait for all that was poured.",
    keys: &[
        key(
            "for_each",
            "text",
            "List in the step's output (JSON): `output.<field>`, `output.<field>.<field>`. Required.",
        ),
        key("bond", "text", "Formula to pour for each item. Required."),
        key(
            "vars",
            "table of texts",
            "Values for its variables. They may use `{{item}}`, `{{item.<field>}}`, `{{index}}` (from 1) and variables of this formula.",
        ),
        key("parallel", "bool", "Whether all run at once (the default), or one after the other."),
    ],
    foreign: &[("sequential", Read("it is `parallel = false`"))],
};

pub(super) static LEG: Section = Section {
    title: "Legs",
    about: "`[[legs]]` of a convoy formula. Texts may use `{{leg.id}}`, `{{leg.title}}`, `{{leg.focus}}`, `{{output.directory}}` and `{{output.file}}`.",
    keys: &[
        key("id", "text", "Id, unique in the formula. Required."),
        key("title", "text", "Title of the leg's bead."),
        key("description", "text", "Description of the leg's bead."),
        key("focus", "text", "What this leg looks at, in a few words."),
        key("needs", "list of texts", "Ids of legs that must be closed first."),
        key("when", "text", "Condition on variables, as on steps."),
        key("formula", "text", "Formula that the leg's worker follows. Without it, the rig's."),
        key("agent", "text", "Kind of agent."),
        key("model", "text", "Kept with the step and otherwise ignored: an agent uses the model of its kind."),
        key("priority", "whole number", "Priority of the bead: 0 to 4."),
        key("labels", "list of texts", "Labels of the bead."),
    ],
    foreign: &[("depends_on", Named("needs"))],
};

pub(super) static SYNTHESIS: Section = Section {
    title: "Synthesis",
    about: "`[synthesis]` of a convoy formula. It becomes a bead that waits for the legs.",
    keys: &[
        key("title", "text", "Title of the bead."),
        key("description", "text", "Description of the bead. It may use `{{output.directory}}` and `{{output.file}}`."),
        key("needs", "list of texts", "Ids of the legs to wait for. Without it, all."),
        key("formula", "text", "Formula that the worker follows. Without it, the rig's."),
        key("agent", "text", "Kind of agent."),
        key("model", "text", "Kept with the step and otherwise ignored: an agent uses the model of its kind."),
        key("priority", "whole number", "Priority of the bead: 0 to 4."),
        key("labels", "list of texts", "Labels of the bead."),
    ],
    foreign: &[("depends_on", Named("needs"))],
};

pub(super) static ASPECT: Section = Section {
    title: "Aspects",
    about: "`[[aspects]]`: steps around steps. Ids and texts of the added steps may use `{step.id}` and `{step.title}`. Steps that need the target then need the steps after it too.",
    keys: &[
        key("target", "text", "Pattern of ids of steps: `*` stands for any characters, `?` for one. Required."),
        key("before", "list of tables", "Steps before the target, one after the other. They have the keys of steps."),
        key("after", "list of tables", "Steps after the target, one after the other."),
        key("around", "table", "`before` and `after` together."),
    ],
    foreign: &[
        ("id", Refused("legs that analyse are `[[legs]]` of a formula of type convoy")),
        ("title", Ignored("it belongs to a leg")),
        ("focus", Ignored("it belongs to a leg")),
        ("description", Ignored("it belongs to a leg")),
    ],
};

pub(super) static AROUND: Section = Section {
    title: "Around",
    about: "`around = { … }` of an aspect.",
    keys: &[
        key("before", "list of tables", "Steps before the target."),
        key("after", "list of tables", "Steps after the target."),
    ],
    foreign: &[],
};

pub(super) static COMPOSE: Section = Section {
    title: "Composition",
    about: "`[compose]`.",
    keys: &[
        key("aspects", "list of texts", "Names of aspect formulas to apply."),
        key("expand", "list of tables", "Expansions of steps, by pattern: `[[compose.expand]]`."),
    ],
    foreign: &[
        ("map", Named("expand")),
        ("bond_points", Ignored("`needs` of a step says where it belongs")),
        ("hooks", Ignored("no formula is attached by a label here")),
        ("branch", Refused("write `needs` of the steps")),
        ("gate", Refused("write `gate` of the step")),
    ],
};

pub(super) static COMPOSE_EXPAND: Section = Section {
    title: "Expansion by pattern",
    about: "`[[compose.expand]]`.",
    keys: &[
        key("target", "text", "Pattern of ids of steps, as in aspects. Required."),
        key("formula", "text", "Name of a formula of type `expansion`. Required."),
        key("vars", "table of texts", "Values for its variables."),
    ],
    foreign: &[("with", Named("formula")), ("select", Named("target"))],
};

pub(super) static OUTPUT: Section = Section {
    title: "Output",
    about: "`[output]` of a convoy formula.",
    keys: &[
        key("directory", "text", "Folder that the legs write to: `{{output.directory}}`."),
        key(
            "leg_pattern",
            "text",
            "File of a leg in that folder: `{{output.file}}` of a leg. It may use `{{leg.id}}`.",
        ),
        key("synthesis", "text", "File of the synthesis in that folder: `{{output.file}}` of the synthesis."),
    ],
    foreign: &[],
};

pub(super) static PROMPTS: Section = Section { title: "", about: "", keys: &[key("base", "text", "")], foreign: &[] };

pub(super) static OVERLAY: Section = Section {
    title: "Overlays",
    about: "`<name>.overlay.toml`, next to formulas, changes the formula `<name>` without a copy of it.",
    keys: &[
        key("overlay", "text", "Name of the formula. Required."),
        key("vars", "table", "Variables to add, or to define in another way."),
        key("skip", "list of texts", "Ids of steps to drop. Steps that need one need what it needed."),
        key("replace", "list of tables", "`[[replace]]`: the id of a step, and the keys to replace."),
        key(
            "append",
            "list of tables",
            "`[[append]]`: the id of a step; its `description`, `needs`, `acceptance` and `labels` are added at the end. If no step has the id, the step comes at the end of the formula.",
        ),
        key("insert", "list of tables", "`[[insert]]`: steps before or after a step, with the keys of aspects."),
    ],
    foreign: &[("step-overrides", Read("`mode` says whether it is `replace`, `append` or `skip`"))],
};

pub(super) static OVERRIDE: Section = Section {
    title: "",
    about: "",
    keys: &[key("step_id", "text", ""), key("mode", "text", ""), key("description", "text", "")],
    foreign: &[],
};

/// Sections of the reference, in order.
pub(super) static SECTIONS: &[&Section] = &[
    &TOP,
    &VAR,
    &STEP,
    &LOOP,
    &EXPAND,
    &GATE,
    &ON_COMPLETE,
    &LEG,
    &SYNTHESIS,
    &ASPECT,
    &AROUND,
    &COMPOSE,
    &COMPOSE_EXPAND,
    &OUTPUT,
    &OVERLAY,
];

/// Returns the reference of all keys and acts, in Markdown.
pub fn reference() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        write!(text, "### {}\n\n{}\n\n| key | value | meaning |\n|---|---|---|\n", section.title, section.about).ok();
        for key in section.keys {
            writeln!(text, "| `{}` | {} | {} |", key.name, key.holds, key.meaning).ok();
        }
        text.push('\n');
    }
    text.push_str("### Acts\n\nThe words after `gt:` in `run`, `acceptance`, `until` and gates.\n\n| act | meaning |\n|---|---|\n");
    for act in Act::ALL {
        writeln!(text, "| `gt:{}` | {} |", act.name(), act.meaning()).ok();
    }
    text.push_str(&foreign_reference());
    text
}

fn foreign_reference() -> String {
    let mut text = "\n### Keys of other systems\n\nFiles written for the Go Gas Town and for beads may have these keys too.\n\n| where | key | here |\n|---|---|---|\n".to_owned();
    for section in SECTIONS {
        for (name, means) in section.foreign {
            let here = match means {
                Named(own) => format!("`{own}`"),
                Read(how) => (*how).to_owned(),
                Ignored(why) => format!("ignored: {why}"),
                Refused(instead) => format!("refused: {instead}"),
            };
            writeln!(text, "| {} | `{name}` | {here} |", section.title).ok();
        }
    }
    text
}
