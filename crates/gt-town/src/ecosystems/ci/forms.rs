//! Descriptions, as data, of CI systems whose YAML files hold jobs, steps and shell commands: where each system keeps what.
//!
//! A place is a list of keys with dots between them. `*` stands for each entry of a list or table, `*x` for each key that ends in
//! x, and "" for the value itself.

use serde_json::Value;

/// Description of one CI system's files.
pub(super) struct Form {
    /// Paths of its files; the last part may contain `*`.
    pub files: &'static [&'static str],
    /// Places of jobs in a file.
    pub jobs: &'static [&'static str],
    /// Places of steps in a job.
    pub steps: &'static [&'static str],
    /// Places of commands in a step.
    pub commands: &'static [&'static str],
    /// Places of the working folder of a job or step.
    pub folders: &'static [&'static str],
    /// Places of services, in a file or a job.
    pub services: &'static [&'static str],
    /// Places of the matrix, in a file or job: the values for which a job runs several times.
    pub matrix: &'static [&'static str],
    /// Places of variables, in a job or a step.
    pub variables: &'static [&'static str],
    /// Marks that keep the commands of a file, a job or a step from being gates.
    pub marks: &'static [Mark],
    /// Keys of a file, a job or a step that bring commands which gt does not read.
    pub unread: &'static [&'static str],
    /// Steps that are not commands. If this is not empty, every other step is reported as not read.
    pub harmless: &'static [&'static str],
    /// Whether the first service of a job is the container in which the job itself runs.
    pub first_is_own: bool,
    /// Place that says when a job is used; none: every job is used as it stands.
    pub uses: Option<&'static str>,
    /// A key of a file that stands for commands, if another key is missing.
    pub implied: Option<(&'static str, &'static str)>,
}

/// Values that most of them share.
const PLAIN: Form = Form {
    files: &[],
    jobs: &[],
    steps: &[""],
    commands: &[],
    folders: &[],
    services: &[],
    matrix: &[],
    variables: &[],
    marks: &[],
    unread: &[],
    harmless: &[],
    first_is_own: false,
    uses: None,
    implied: None,
};

/// A place, the possible beginnings of its value (empty: any value), and the meaning. In a list, every entry must match.
pub(super) struct Mark(&'static str, &'static [&'static str], pub &'static str);

pub(super) const DEPLOYS: &str = "its job publishes or deploys";
const NOT_EACH: &str = "its job is not for each change";
const MAY_FAIL: &str = "its job may fail there";
const ELSEWHERE: &str = "its job is for another system";
const NEEDS_SECRET: &str = "its job needs a secret";

/// Events that are not a change under review or on a branch.
const OTHER_EVENTS: &[&str] =
    &["tag", "cron", "manual", "release", "promote", "rollback", "deployment", "custom", "pull_request_closed"];

const WOODPECKER: Form = Form {
    files: &[".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/*.yml", ".woodpecker/*.yaml"],
    jobs: &["steps.*", "pipeline.*"],
    commands: &["commands"],
    folders: &["directory"],
    services: &["services"],
    matrix: &["matrix"],
    variables: &["environment", "secrets"],
    marks: &[
        Mark("when.event", OTHER_EVENTS, NOT_EACH),
        Mark("when.*.event", OTHER_EVENTS, NOT_EACH),
        Mark("when.cron", &[], NOT_EACH),
        Mark("failure", &["ignore"], MAY_FAIL),
        Mark("labels.platform", &["windows", "darwin"], ELSEWHERE),
    ],
    unread: &["settings"],
    ..PLAIN
};

/// CI systems other than GitHub workflows and GitLab pipelines.
pub(super) const FORMS: &[Form] = &[
    Form {
        files: &[".circleci/config.yml"],
        jobs: &["jobs.*"],
        steps: &["steps"],
        commands: &["run", "run.command"],
        services: &["docker"],
        first_is_own: true,
        uses: Some("workflows.*.jobs.*"),
        folders: &["run.working_directory", "working_directory"],
        variables: &["environment", "run.environment"],
        marks: &[
            Mark("macos", &[], ELSEWHERE),
            Mark("executor", &["win", "macos"], ELSEWHERE),
            Mark("executor.name", &["win", "macos"], ELSEWHERE),
            Mark("run.when", &["on_fail"], NOT_EACH),
        ],
        harmless: &[
            "run",
            "checkout",
            "setup_remote_docker",
            "add_ssh_keys",
            "save_cache",
            "restore_cache",
            "store_artifacts",
            "store_test_results",
            "persist_to_workspace",
            "attach_workspace",
        ],
        ..PLAIN
    },
    Form {
        files: &["azure-pipelines.yml", "azure-pipelines.yaml", ".azure-pipelines.yml"],
        jobs: &["", "jobs.*", "stages.*.jobs.*"],
        steps: &["steps", "strategy.runOnce.deploy.steps"],
        commands: &["script", "bash"],
        folders: &["workingDirectory"],
        services: &["services"],
        matrix: &["strategy.matrix"],
        variables: &["env"],
        marks: &[
            Mark("deployment", &[], DEPLOYS),
            Mark("continueOnError", &["true"], MAY_FAIL),
            Mark("pool.vmImage", &["win", "mac", "vs20"], ELSEWHERE),
        ],
        unread: &["task", "template", "pwsh", "powershell"],
        ..PLAIN
    },
    Form {
        files: &[".travis.yml"],
        jobs: &["", "jobs.include.*", "matrix.include.*"],
        commands: &["before_install", "install", "before_script", "script"],
        services: &["services"],
        matrix: &["env.jobs", "env.matrix"],
        marks: &[
            Mark("os", &["osx", "windows"], ELSEWHERE),
            Mark("if", &["tag ", "type = cron", "type = api"], NOT_EACH),
            Mark("stage", &["deploy", "release", "publish"], DEPLOYS),
        ],
        unread: &["deploy", "import"],
        implied: Some(("language", "script")),
        ..PLAIN
    },
    WOODPECKER,
    Form {
        files: &[".drone.yml", ".drone.yaml"],
        marks: &[
            Mark("when.event", OTHER_EVENTS, NOT_EACH),
            Mark("trigger.event", OTHER_EVENTS, NOT_EACH),
            Mark("when.event.include", OTHER_EVENTS, NOT_EACH),
            Mark("trigger.event.include", OTHER_EVENTS, NOT_EACH),
            Mark("failure", &["ignore"], MAY_FAIL),
            Mark("platform.os", &["windows", "darwin"], ELSEWHERE),
        ],
        matrix: &[],
        ..WOODPECKER
    },
    Form {
        files: &[".cirrus.yml", ".cirrus.yaml"],
        jobs: &["task", "task#*", "*_task"],
        commands: &["*script"],
        folders: &["env.CIRRUS_WORKING_DIR"],
        matrix: &["matrix", "container.matrix"],
        variables: &["env"],
        marks: &[
            Mark("allow_failures", &["true"], MAY_FAIL),
            Mark("trigger_type", &["manual"], NOT_EACH),
            Mark("only_if", &["$CIRRUS_TAG", "\"$CIRRUS_TAG", "$CIRRUS_CRON"], NOT_EACH),
            Mark("macos_instance", &[], ELSEWHERE),
            Mark("windows_container", &[], ELSEWHERE),
            Mark("freebsd_instance", &[], ELSEWHERE),
        ],
        ..PLAIN
    },
    Form {
        files: &[".buildkite/pipeline.yml", ".buildkite/pipeline.yaml", "buildkite.yml"],
        jobs: &["steps.*", "steps.*.steps.*"],
        commands: &["command", "commands"],
        matrix: &["matrix"],
        variables: &["env"],
        marks: &[
            Mark("soft_fail", &["true"], MAY_FAIL),
            Mark("if", &["build.tag"], NOT_EACH),
            Mark("agents.os", &["mac", "darwin", "win"], ELSEWHERE),
        ],
        unread: &["plugins", "trigger"],
        ..PLAIN
    },
    Form {
        files: &["bitbucket-pipelines.yml"],
        jobs: &[
            "pipelines.default.*.step",
            "pipelines.default.*.parallel.*.step",
            "pipelines.default.*.parallel.steps.*.step",
            "pipelines.pull-requests.*.*.step",
        ],
        commands: &["script"],
        services: &["services"],
        marks: &[
            Mark("deployment", &[], DEPLOYS),
            Mark("trigger", &["manual"], NOT_EACH),
            Mark("runs-on", &["windows", "macos"], ELSEWHERE),
        ],
        ..PLAIN
    },
];

/// Keys that hold a job's name if its place does not name it.
const NAMES: &[&str] = &["name", "label", "job", "deployment", "displayName", "stage", "key"];

/// Returns the values at a place. Each comes with the last key that `*` stood for, else its own name, else its number.
pub(super) fn select<'v>(value: &'v Value, place: &str) -> Vec<(String, &'v Value)> {
    let mut found = vec![(String::new(), value)];
    for part in place.split('.').filter(|part| !part.is_empty()) {
        found = found.into_iter().flat_map(|(name, value)| entries(value, part, name)).collect();
    }
    found.retain(|(_, value)| !value.is_null());
    found
}

fn entries<'v>(value: &'v Value, part: &str, name: String) -> Vec<(String, &'v Value)> {
    let Some((begin, end)) = part.split_once('*') else {
        return value.get(part).map(|value| (name, value)).into_iter().collect();
    };
    let fits = |key: &str| key.len() >= begin.len() + end.len() && key.starts_with(begin) && key.ends_with(end);
    match value {
        Value::Object(table) => {
            table.iter().filter(|(key, _)| fits(key)).map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(list) if begin.is_empty() && end.is_empty() => {
            list.iter().enumerate().map(|(at, value)| ((at + 1).to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the name of a job for people.
pub(super) fn name_of(by_place: &str, job: &Value) -> String {
    let own = NAMES.iter().find_map(|key| job[*key].as_str());
    let is_key = by_place.starts_with(|c: char| !c.is_ascii_digit()) && !by_place.starts_with("task#");
    match own {
        Some(own) if !is_key => own.to_owned(),
        _ if by_place.is_empty() => "default".to_owned(),
        _ => by_place.to_owned(),
    }
}

/// Returns commands as written: a text, or a list of texts.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

impl Form {
    /// Returns the reason why nothing in this file, job or step is a gate, if there is one.
    pub(crate) fn why_not(&self, value: &Value) -> Option<&'static str> {
        let is_marked = |Mark(place, words, _): &&Mark| {
            select(value, place).iter().any(|(_, value)| match value {
                Value::Bool(is) => *is && (words.is_empty() || words.contains(&"true")),
                Value::String(text) => begins(text, words),
                Value::Array(list) => {
                    !list.is_empty() && list.iter().all(|one| begins(one.as_str().unwrap_or_default(), words))
                }
                _ => words.is_empty(),
            })
        };
        self.marks.iter().find(is_marked).map(|mark| mark.2)
    }

    /// Returns the reason for a job or step whose variables contain a secret.
    pub(crate) fn why_secret(&self, value: &Value) -> Option<&'static str> {
        const WORDS: &[&str] = &["secrets.", "from_secret", "ENCRYPTED[", "\"secure\":"];
        let has_secret =
            self.variables.iter().flat_map(|place| select(value, place).into_iter().map(move |found| (place, found)));
        let mut texts = has_secret.map(|(place, (_, value))| (place, value.to_string()));
        let is_secret = texts.any(|(place, text)| *place == "secrets" || WORDS.iter().any(|word| text.contains(word)));
        is_secret.then_some(NEEDS_SECRET)
    }

    /// Returns the names of things that bring commands here but are not read.
    pub(crate) fn unread_in(&self, value: &Value) -> Vec<String> {
        let keys = self.unread.iter().filter(|key| value.get(**key).is_some_and(|value| !value.is_null()));
        let named =
            keys.map(|key| value[*key].as_str().map_or_else(|| (*key).to_owned(), |what| format!("{key} {what}")));
        let mut unread: Vec<String> = named.map(|name| name.lines().next().unwrap_or_default().to_owned()).collect();
        if !self.harmless.is_empty() {
            let keys: Vec<&str> = match value {
                Value::String(name) => vec![name],
                Value::Object(table) => table.keys().map(String::as_str).collect(),
                _ => Vec::new(),
            };
            unread.extend(keys.into_iter().filter(|key| !self.harmless.contains(key)).map(str::to_owned));
        }
        unread
    }
}

fn begins(text: &str, words: &[&str]) -> bool {
    words.is_empty() || words.iter().any(|word| text.starts_with(word))
}

/// Returns the reason why a CircleCI job is no gate, from the workflows that use it. At least one of them must run for every
/// change.
pub(super) fn why_not_used(file: &Value, place: &str, job: &str) -> Option<&'static str> {
    let workflows = select(file, place);
    if workflows.is_empty() {
        return None;
    }
    let uses = workflows.iter().filter_map(|(_, used)| match used {
        Value::String(name) => (name == job).then_some(&Value::Null),
        used => used.get(job),
    });
    let whys: Vec<Option<&str>> = uses.map(why_not_so).collect();
    if whys.contains(&None) { None } else { whys.into_iter().flatten().next().or(Some(NOT_EACH)) }
}

fn why_not_so(used: &Value) -> Option<&'static str> {
    if used["context"] != Value::Null {
        Some(NEEDS_SECRET)
    } else if used["type"] == "approval" || used["filters"]["branches"]["ignore"] == "/.*/" {
        Some(NOT_EACH)
    } else {
        None
    }
}
