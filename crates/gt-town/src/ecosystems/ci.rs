//! Reads a project's CI files, which show best what its maintainers test. It only reads: no command runs exactly as written
//! there, and no command that publishes or deploys ever runs.

use gt_model::check_kind::{Kind, commands, of_line};
use serde_json::Value;

use super::project::{Project, at, join};
use super::yaml;
use crate::town::error::Result;

mod forms;

use forms::{DEPLOYS, FORMS, Form, select};

/// Folders of workflows in GitHub's format.
const WORKFLOWS: &[&str] = &[".github/workflows", ".forgejo/workflows", ".gitea/workflows"];

/// Maximum number of workflows that are read, and of lines in all of them.
const FILES: usize = 20;
const LINES: usize = 400;

/// Files of CI systems that hold a program or are for another system. They are only mentioned, not read.
const UNREAD: &[&str] =
    &["Jenkinsfile", "appveyor.yml", ".appveyor.yml", ".cirrus.star", ".drone.star", ".drone.jsonnet"];

/// A command line in a CI file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// File and job.
    pub from: String,
    /// Command.
    pub run: String,
    /// Folder where it runs; "" is the top.
    pub folder: String,
    /// Purposes of the command.
    pub kinds: Vec<Kind>,
    /// Reason why it can't be a gate, if it can't.
    pub left_out: Option<String>,
}

/// Content of a project's CI files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ci {
    /// Commands in file order.
    pub lines: Vec<Line>,
    /// Parts of the files that gt does not support.
    pub notes: Vec<String>,
}

/// Reads the CI files.
pub fn read(project: &Project<'_>) -> Result<Ci> {
    let mut ci = Ci::default();
    for folder in WORKFLOWS {
        let names = project.names(folder)?;
        let names = names.iter().filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"));
        for name in names.take(FILES) {
            ci.workflow(name, &project.data(&join(folder, name))?);
        }
    }
    ci.gitlab(&project.data(".gitlab-ci.yml")?);
    for form in FORMS {
        ci.files_of(form, project)?;
    }
    for file in UNREAD.iter().filter(|file| project.has(file)) {
        ci.notes.push(format!("{file} is not read"));
    }
    ci.lines.truncate(LINES);
    ci.notes.dedup();
    Ok(ci)
}

/// Properties that all lines of a job share.
#[derive(Clone, Default)]
struct Job {
    from: String,
    folder: String,
    left_out: Option<String>,
}

impl Job {
    /// Reads the properties that a file, a job or a step sets for its commands.
    fn read(&mut self, form: &Form, value: &Value) {
        let folder = form.folders.iter().flat_map(|place| select(value, place)).find_map(|(_, folder)| folder.as_str());
        if let Some(folder) = folder {
            folder.clone_into(&mut self.folder);
        }
        let why = form.why_not(value).or_else(|| form.why_secret(value));
        self.left_out = self.left_out.take().or(why.map(str::to_owned));
    }
}

impl Ci {
    fn workflow(&mut self, file: &str, workflow: &Value) {
        if !is_for_changes(&workflow["on"]) {
            if !workflow["on"].is_null() {
                self.notes.push(format!("{file} is not for each change, and is left out"));
            }
            return;
        }
        let folder = text(workflow, "defaults.run.working-directory");
        for (name, job) in workflow["jobs"].as_object().into_iter().flatten() {
            let mut common = Job { from: format!("{file}, job {name}"), folder: folder.clone(), left_out: None };
            self.job(&mut common, name, job);
            for step in job["steps"].as_array().into_iter().flatten() {
                let mut common = common.clone();
                common.folder = first_text(&[text(step, "working-directory"), common.folder]);
                if has_secret(step) {
                    common.left_out = Some("it needs a secret".to_owned());
                }
                if step["continue-on-error"] == true {
                    common.left_out = Some("it may fail there".to_owned());
                }
                if let Some(run) = step["run"].as_str() {
                    self.script(&common, run);
                }
            }
        }
    }

    /// Reads the properties that a GitHub job sets around its steps.
    fn job(&mut self, common: &mut Job, name: &str, job: &Value) {
        let from = common.from.clone();
        common.folder = first_text(&[text(job, "defaults.run.working-directory"), common.folder.clone()]);
        if let Some(matrix) = at(job, "strategy.matrix").and_then(Value::as_object) {
            let keys: Vec<&str> =
                matrix.keys().map(String::as_str).filter(|key| *key != "include" && *key != "exclude").collect();
            self.notes.push(format!("{from}: its matrix ({}) is not repeated; gates run once, here", keys.join(", ")));
        }
        self.services(&from, &job["services"]);
        if !job["container"].is_null() {
            self.notes.push(format!("{from}: its container is not used"));
        }
        if let Some(called) = job["uses"].as_str() {
            self.notes.push(format!("{from}: the workflow {called} that it calls is not read"));
        }
        let runs_on = job["runs-on"].as_str().unwrap_or_default();
        common.left_out = if is_of_release(name) || !job["environment"].is_null() {
            Some(DEPLOYS.to_owned())
        } else if runs_on.starts_with("windows") || runs_on.starts_with("macos") {
            Some(format!("its job is for {runs_on}"))
        } else if job["continue-on-error"] == true {
            Some("its job may fail there".to_owned())
        } else if has_secret(&job["env"]) {
            Some("its job needs a secret".to_owned())
        } else {
            None
        };
    }

    fn services(&mut self, from: &str, services: &Value) {
        let names: Vec<String> = match services {
            Value::Object(table) => table.keys().cloned().collect(),
            Value::Array(list) => list
                .iter()
                .filter_map(|one| one.as_str().or(one["name"].as_str()).or(one["image"].as_str()))
                .map(str::to_owned)
                .collect(),
            Value::String(name) => vec![name.clone()],
            _ => Vec::new(),
        };
        if !names.is_empty() {
            self.notes.push(format!("{from}: its services are not started: {}", names.join(", ")));
        }
    }

    fn gitlab(&mut self, file: &Value) {
        const NOT_JOBS: &[&str] = &[
            "stages",
            "variables",
            "include",
            "default",
            "image",
            "services",
            "cache",
            "before_script",
            "after_script",
            "workflow",
            "spec",
        ];
        let Some(table) = file.as_object() else { return };
        if !file["include"].is_null() {
            self.notes.push(".gitlab-ci.yml: what it includes is not read".to_owned());
        }
        self.services(".gitlab-ci.yml", &file["services"]);
        for (name, job) in table.iter().filter(|(name, _)| !name.starts_with('.') && !NOT_JOBS.contains(&name.as_str()))
        {
            if !job.is_object() {
                continue;
            }
            let mut common = Job { from: format!(".gitlab-ci.yml, job {name}"), ..Job::default() };
            self.services(&common.from, &job["services"]);
            if !job["parallel"]["matrix"].is_null() {
                self.notes.push(format!("{}: its matrix is not repeated; gates run once, here", common.from));
            }
            let stage = job["stage"].as_str().unwrap_or_default();
            let is_by_hand = job["when"] == "manual";
            let is_of_tags = job["only"].as_array().is_some_and(|only| only.iter().all(|one| one == "tags"));
            if is_of_release(name) || is_of_release(stage) || name == "pages" || !job["environment"].is_null() {
                common.left_out = Some(DEPLOYS.to_owned());
            } else if is_by_hand || is_of_tags {
                common.left_out = Some("its job is not for each change".to_owned());
            } else if job["allow_failure"] == true {
                common.left_out = Some("its job may fail there".to_owned());
            }
            for key in ["before_script", "script"] {
                let own = if job[key].is_null() { &file[key] } else { &job[key] };
                forms::texts(own).into_iter().for_each(|run| self.script(&common, run));
            }
        }
    }

    fn files_of(&mut self, form: &Form, project: &Project<'_>) -> Result<()> {
        for place in form.files {
            for file in project.matching(place)?.into_iter().take(FILES) {
                let text = project.text(&file)?.unwrap_or_default();
                let documents = yaml::documents(&text);
                if documents.is_none() {
                    self.notes.push(format!("{file} can't be read"));
                }
                documents.iter().flatten().for_each(|document| self.file(form, &file, document));
            }
        }
        Ok(())
    }

    fn file(&mut self, form: &Form, file: &str, document: &Value) {
        let mut around = Job { from: file.to_owned(), ..Job::default() };
        self.around(form, &mut around, document);
        if let Some((key, commands)) =
            form.implied.filter(|(key, at)| !document[*key].is_null() && document[*at].is_null())
        {
            self.notes.push(format!("{file}: what its {key} stands for without a {commands} is not read"));
        }
        for (name, job) in form.jobs.iter().flat_map(|place| select(document, place)) {
            // A file that is itself a job has already been examined.
            let is_file = std::ptr::eq(job, document);
            let name = forms::name_of(&name, job);
            let mut common = Job { from: format!("{file}, job {name}"), ..around.clone() };
            if !is_file {
                self.around(form, &mut common, job);
            }
            common.left_out = if is_of_release(&name) { Some(DEPLOYS.to_owned()) } else { common.left_out };
            let unused = form.uses.and_then(|place| forms::why_not_used(document, place, &name));
            common.left_out = common.left_out.or(unused.map(str::to_owned));
            for steps in form.steps.iter().flat_map(|place| select(job, place)) {
                self.steps(form, &common, steps.1);
            }
        }
    }

    /// Reads the properties that a file or a job sets around its steps.
    fn around(&mut self, form: &Form, common: &mut Job, value: &Value) {
        common.read(form, value);
        for (_, services) in form.services.iter().flat_map(|place| select(value, place)) {
            let own = usize::from(form.first_is_own);
            let others = services.as_array().map(|all| all.iter().skip(own).cloned().collect());
            self.services(&common.from, &others.map_or_else(|| services.clone(), Value::Array));
        }
        if form.matrix.iter().any(|place| !select(value, place).is_empty()) {
            self.notes.push(format!("{}: its matrix is not repeated; gates run once, here", common.from));
        }
    }

    /// Reads the steps of a job, or a job that is itself a step.
    fn steps(&mut self, form: &Form, job: &Job, steps: &Value) {
        let steps = steps.as_array().map_or_else(|| vec![steps], |steps| steps.iter().collect());
        let mut unread = Vec::new();
        for step in steps {
            let mut common = job.clone();
            common.read(form, step);
            unread.extend(form.unread_in(step));
            let commands = form.commands.iter().flat_map(|place| select(step, place));
            commands.flat_map(|(_, commands)| forms::texts(commands)).for_each(|run| self.script(&common, run));
        }
        unread.dedup();
        if !unread.is_empty() {
            self.notes.push(format!("{}: what comes by {} is not read", job.from, unread.join(", ")));
        }
    }

    /// Takes the lines of a script as separate commands. Leaves the script out if its lines depend on each other.
    fn script(&mut self, job: &Job, script: &str) {
        let script = script.replace("\\\n", " ");
        let is_program = script.lines().any(|line| {
            let first = line.trim_start().split([' ', ';', '(']).next().unwrap_or_default();
            ["if", "for", "while", "case", "function", "do", "until", "cd", "pushd"].contains(&first)
                || line.contains("<<") && !line.contains(">>")
        });
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let kinds = of_line(line);
            if !kinds.iter().any(|kind| kind.is_check() || matches!(kind, Kind::SetUp | Kind::Publish)) {
                continue;
            }
            let publishes = kinds.contains(&Kind::Publish).then(|| PUBLISHES.to_owned());
            let left_out = publishes.or_else(|| job.left_out.clone());
            let left_out = left_out.or_else(|| why_left_out(line, &kinds, is_program, &job.folder));
            let run = line.split_whitespace().collect::<Vec<_>>().join(" ");
            self.lines.push(Line { from: job.from.clone(), run, folder: plain_folder(&job.folder), kinds, left_out });
        }
    }
}

/// Reason for leaving out commands that reach beyond the machine.
const PUBLISHES: &str = "it publishes, deploys, or sends something away";

fn why_left_out(line: &str, kinds: &[Kind], is_program: bool, folder: &str) -> Option<String> {
    let changes_shell = |words: &Vec<String>| ["cd", "source", ".", "export"].contains(&words[0].as_str());
    let why = if kinds.contains(&Kind::Rewrite) {
        "it changes files"
    } else if line.contains("secrets.") {
        "it needs a secret"
    } else if ["{{", "<<"].iter().any(|begin| line.contains(begin) || folder.contains(begin)) {
        "it needs a value of its workflow's, such as the matrix's"
    } else if is_program {
        "it is part of a longer script"
    } else if line.contains(['$', '`']) {
        "it needs variables of its job"
    } else if line.contains('>') || line.contains("sudo ") {
        "it does more than to check"
    } else if commands(line).iter().any(changes_shell) {
        "it changes the shell for what follows"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// Whether a workflow runs for ordinary pushes or merge requests.
fn is_for_changes(on: &Value) -> bool {
    let is_one = |name: &str| ["push", "pull_request", "merge_group", "pull_request_target"].contains(&name);
    match on {
        Value::String(name) => is_one(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is_one),
        Value::Object(table) => table.iter().any(|(name, how)| {
            let only_tags = !how["tags"].is_null() && how["branches"].is_null();
            is_one(name) && !only_tags
        }),
        _ => false,
    }
}

fn is_of_release(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(['-', '_', ' ', ':', '.'])
        .any(|word| ["release", "publish", "deploy", "deployment", "upload"].contains(&word))
}

fn has_secret(value: &Value) -> bool {
    // Every run gets this token, and no test needs it.
    let text = value.to_string().replace("secrets.GITHUB_TOKEN", "");
    text.contains("secrets.")
}

fn text(value: &Value, keys: &str) -> String {
    at(value, keys).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn first_text(texts: &[String]) -> String {
    texts.iter().find(|text| !text.is_empty()).cloned().unwrap_or_default()
}

fn plain_folder(folder: &str) -> String {
    folder.trim_start_matches("./").trim_end_matches('/').trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
