//! `gt formula new`.

use clap::{Args, ValueEnum};
use gt_town::Error;
use gt_town::town::person;

use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Write a new formula, or an overlay over one, for you to edit
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Its name, for example mol-mine
    name: String,
    /// Kind of the formula
    #[arg(long, value_enum, default_value_t)]
    kind: KindArg,
    /// Write an overlay that changes the formula of this name
    #[arg(long, conflicts_with = "kind")]
    overlay: bool,
}

/// Kinds of formulas that are written from a template.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum KindArg {
    /// Steps for one bead
    #[default]
    Workflow,
    /// Legs for several workers, and a synthesis
    Convoy,
}

const WORKFLOW: &str = r#"formula = "{name}"
version = 1
description = """
The purpose, in one line.
"""

# Values that the steps use as {{issue}}. `gt sling` gives issue and title the values of the bead.
[vars.issue]
description = "The bead"
required = true

[[steps]]
id = "do"
title = "Do {{issue}}"
description = """
The work, and what must be true at the end.
"""
# acceptance = ["gt:clean", "make test"]     # `gt step done` refuses while one of these fails; gt formula acts lists gt:…

[[steps]]
id = "hand-in"
title = "Hand {{issue}} in"
needs = ["do"]                               # ids of steps that come first
description = """
Type: gt done
"""
# run = ["make", "report"]                   # the town runs it, instead of an agent
# gate = { type = "human", ask = "May it go on?" }
"#;

const CONVOY: &str = r#"formula = "{name}"
version = 1
type = "convoy"
description = """
The purpose, in one line.
"""

[vars.topic]
description = "What the legs look at"
required = true

# Each leg is a bead for a worker of its own.
[[legs]]
id = "one"
title = "Look at {{topic}} from one side"
description = """
The work of this leg.
"""

[[legs]]
id = "other"
title = "Look at {{topic}} from the other side"
description = """
The work of this leg.
"""

# It begins when all legs are closed.
[synthesis]
title = "Put the findings on {{topic}} together"
description = """
The work of the synthesis.
"""
"#;

const OVERLAY: &str = r#"overlay = "{name}"

# Leave steps out.
# skip = ["preflight-tests"]

# Add a step after another one (or `before` it). `target` is the id of a step, or a pattern: "*-tests".
# [[insert]]
# target = "self-review"
# after = [{ id = "changelog", title = "Say what changed", description = "Add a line to CHANGES." }]

# Add text to a step.
# [[append]]
# id = "implement"
# description = "Write a test first."

# Replace keys of a step.
# [[replace]]
# id = "run-tests"
# acceptance = ["make check"]
"#;

/// Runs `gt formula new`.
pub fn new(args: &NewArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    person::require(&context.caller, "writes formulas")?;
    let name = &args.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        let hint = "letters, digits, - and _: gt formula new mol-mine".to_owned();
        return Err(CliError::Usage { what: format!("`{name}` can't be the name of a formula"), hint });
    }
    let known = context.town.formulas(None)?.contains_key(name);
    let (file, text) = match (args.overlay, args.kind) {
        (true, _) if !known => return Err(Error::UnknownFormula(name.clone()).into()),
        (true, _) => (format!("{name}.overlay.toml"), OVERLAY),
        (false, _) if known => {
            let hint = format!("gt formula edit {name}, or gt formula new {name} --overlay");
            return Err(CliError::Usage { what: format!("there is a formula {name}"), hint });
        }
        (false, KindArg::Workflow) => (format!("{name}.toml"), WORKFLOW),
        (false, KindArg::Convoy) => (format!("{name}.toml"), CONVOY),
    };
    let path = context.town.layout.formulas().join(file);
    if context.town.world().disk().exists(&path) {
        let hint = format!("gt formula edit {name} --overlay");
        return Err(CliError::Usage { what: format!("{} is there", path.display()), hint });
    }
    context.town.world().disk().write(&path, text.replace("{name}", name).as_bytes()).map_err(Error::from)?;
    if console.is_json() {
        return console.facts("gt.formula-new/1", "file", path.display().to_string());
    }
    console.say(&format!("{} is written", path.display()))?;
    let overlay = if args.overlay { " --overlay" } else { "" };
    console.say(&format!("next: gt formula edit {name}{overlay}, then gt formula check {name}"))?;
    Ok(0)
}
