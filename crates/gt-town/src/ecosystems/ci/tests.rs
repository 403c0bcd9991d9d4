//! Tests for each CI system's files: the commands that become gates, and the others with the reason.

use super::super::corpus::{ci, pairs};

/// A file, the resulting gates with their origin, the commands left out with the reason, and the notes.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const PUBLISHES: &str = "it publishes, deploys, or sends something away";

const CASES: &[Case] = &[
    (
        ".circleci/config.yml",
        "version: 2.1
orbs: {node: circleci/node@5}
jobs:
  check:
    docker: [{image: cimg/rust}, {image: postgres}]
    working_directory: sub
    steps:
      - checkout
      - restore_cache: {key: a}
      - node/install
      - run: make lint
      - run: {name: Test, command: make test}
      - run: make test-<< parameters.kind >>
      - run: make publish
  mac:
    macos: {xcode: 15}
    steps: [{run: ctest}]
  release:
    steps: [{run: pytest}]
  nightly:
    steps: [{run: go test ./...}]
  signed:
    steps: [{run: tox}]
workflows:
  main:
    jobs:
      - check
      - mac
      - release
      - signed: {context: keys}
      - nightly: {filters: {branches: {ignore: /.*/}, tags: {only: /.*/}}}
",
        &[
            ("cd sub && make lint", ".circleci/config.yml, job check"),
            ("cd sub && make test", ".circleci/config.yml, job check"),
        ],
        &[
            ("make test-<< parameters.kind >>", "it needs a value of its workflow's, such as the matrix's"),
            ("make publish", PUBLISHES),
            ("ctest", "its job is for another system"),
            ("pytest", "its job publishes or deploys"),
            ("go test ./...", "its job is not for each change"),
            ("tox", "its job needs a secret"),
        ],
        &[
            ".circleci/config.yml, job check: its services are not started: postgres",
            ".circleci/config.yml, job check: what comes by node/install is not read",
        ],
    ),
    (
        "azure-pipelines.yml",
        "trigger: [main]
stages:
- stage: Build
  jobs:
  - job: linux
    pool: {vmImage: ubuntu-latest}
    strategy: {matrix: {a: {v: 1}}}
    steps:
    - task: UseNode@1
    - script: make lint
    - bash: make test
    - script: make check-$(v)
    - script: make typecheck
      continueOnError: true
  - job: win
    pool: {vmImage: windows-latest}
    steps: [{script: ctest}]
  - deployment: prod
    strategy: {runOnce: {deploy: {steps: [{script: pytest}]}}}
",
        &[("make lint", "azure-pipelines.yml, job linux"), ("make test", "azure-pipelines.yml, job linux")],
        &[
            ("make check-$(v)", "it needs variables of its job"),
            ("make typecheck", "its job may fail there"),
            ("ctest", "its job is for another system"),
            ("pytest", "its job publishes or deploys"),
        ],
        &[
            "azure-pipelines.yml, job linux: its matrix is not repeated; gates run once, here",
            "azure-pipelines.yml, job linux: what comes by task UseNode@1 is not read",
        ],
    ),
    (
        "azure-pipelines.yml",
        "steps:\n- script: make test\n",
        &[("make test", "azure-pipelines.yml, job default")],
        &[],
        &[],
    ),
    (
        ".travis.yml",
        "language: c
services: [redis]
install: pip install x
script:
  - make lint
  - make test
  - curl -T a https://example.org
deploy: {provider: npm}
jobs:
  include:
    - {name: mac, os: osx, script: ctest}
    - {stage: deploy, script: pytest}
    - {name: types, script: make typecheck}
",
        &[("make lint", ".travis.yml, job default"), ("make test", ".travis.yml, job default")],
        &[
            ("curl -T a https://example.org", PUBLISHES),
            ("ctest", "its job is for another system"),
            ("pytest", "its job publishes or deploys"),
            ("make typecheck", "the tests build the same"),
        ],
        &[
            ".travis.yml: its services are not started: redis",
            ".travis.yml, job default: what comes by deploy is not read",
        ],
    ),
    (
        ".travis.yml",
        "language: go\n",
        &[],
        &[],
        &[".travis.yml: what its language stands for without a script is not read"],
    ),
    (
        ".woodpecker/ci.yaml",
        "matrix: {V: [1, 2]}
services: {db: {image: postgres}}
steps:
  lint: {image: a, commands: [make lint]}
  test: {image: a, commands: [make test, \"make check-${V}\"]}
  tagged: {image: a, commands: [ctest], when: {event: tag}}
  notify: {image: plugin, settings: {a: b}}
  secret: {image: a, commands: [tox], environment: {T: {from_secret: t}}}
  deploy: {image: a, commands: [pytest]}
",
        &[("make lint", ".woodpecker/ci.yaml, job lint"), ("make test", ".woodpecker/ci.yaml, job test")],
        &[
            ("make check-${V}", "it needs variables of its job"),
            ("ctest", "its job is not for each change"),
            ("tox", "its job needs a secret"),
            ("pytest", "its job publishes or deploys"),
        ],
        &[
            ".woodpecker/ci.yaml: its services are not started: db",
            ".woodpecker/ci.yaml: its matrix is not repeated; gates run once, here",
            ".woodpecker/ci.yaml, job notify: what comes by settings is not read",
        ],
    ),
    (
        ".drone.yml",
        "kind: pipeline
name: a
steps:
- {name: lint, commands: [make lint]}
---
kind: pipeline
name: b
steps:
- {name: test, commands: [make test]}
- {name: weak, commands: [tox], failure: ignore}
---
kind: pipeline
name: c
trigger: {event: [tag, promote]}
steps:
- {name: more, commands: [ctest]}
",
        &[("make lint", ".drone.yml, job lint"), ("make test", ".drone.yml, job test")],
        &[("tox", "its job may fail there"), ("ctest", "its job is not for each change")],
        &[],
    ),
    (
        ".cirrus.yml",
        "task:
  name: Linux
  lint_script: make lint
  test_script: [make test]
task:
  name: BSD
  freebsd_instance: {image: a}
  test_script: ctest
weak_task:
  allow_failures: true
  script: tox
secret_task:
  env: {T: 'ENCRYPTED[abc]'}
  script: pytest
",
        &[("make lint", ".cirrus.yml, job Linux"), ("make test", ".cirrus.yml, job Linux")],
        &[
            ("ctest", "its job is for another system"),
            ("tox", "its job may fail there"),
            ("pytest", "its job needs a secret"),
        ],
        &[],
    ),
    (
        ".buildkite/pipeline.yml",
        "steps:
- label: lint
  command: make lint
- wait
- group: tests
  steps:
  - {label: test, commands: [make test], plugins: [{docker: {image: a}}]}
- block: Release?
- {label: publish, command: pytest}
- {label: weak, command: tox, soft_fail: true}
- {trigger: other}
",
        &[("make lint", ".buildkite/pipeline.yml, job lint"), ("make test", ".buildkite/pipeline.yml, job test")],
        &[("pytest", "its job publishes or deploys"), ("tox", "its job may fail there")],
        &[
            ".buildkite/pipeline.yml, job 7: what comes by trigger other is not read",
            ".buildkite/pipeline.yml, job test: what comes by plugins is not read",
        ],
    ),
    (
        "bitbucket-pipelines.yml",
        "pipelines:
  default:
  - step: {name: lint, script: [make lint], services: [docker]}
  - parallel:
    - step: {name: test, script: [make test]}
  - step: {name: prod, deployment: production, script: [pytest]}
  custom:
    x: [{step: {script: [ctest]}}]
",
        &[("make lint", "bitbucket-pipelines.yml, job lint"), ("make test", "bitbucket-pipelines.yml, job test")],
        &[("pytest", "its job publishes or deploys")],
        &["bitbucket-pipelines.yml, job lint: its services are not started: docker"],
    ),
];

#[test]
fn what_other_systems_run_is_read_likewise() {
    for (file, text, gates, omitted, notes) in CASES {
        let (found, left, said) = ci(&[(file, text)]);
        assert_eq!(found, pairs(gates), "{file}: gates");
        assert_eq!(left, pairs(omitted), "{file}: left out");
        assert_eq!(said, *notes, "{file}: notes");
    }
}

#[test]
fn what_is_no_yaml_of_steps_is_told_by_name() {
    for (file, said) in [
        ("Jenkinsfile", "Jenkinsfile is not read"),
        ("appveyor.yml", "appveyor.yml is not read"),
        (".travis.yml", ".travis.yml can't be read"),
    ] {
        let (gates, omitted, notes) = ci(&[(file, "a: [b")]);
        assert!(gates.is_empty() && omitted.is_empty() && notes == [said], "{notes:?}");
    }
}

#[test]
fn no_shape_of_a_file_is_a_fault() {
    for form in super::FORMS {
        let file = form.files[0].replace('*', "a");
        for text in [
            "",
            "a",
            "[]",
            "- - a\n",
            "steps: a\njobs: [a, {steps: {a: b}}]\nworkflows: [a]\ntask: []\nscript: {a: 1}\n",
            "steps: {a: [b]}\npipelines: {default: {step: 1}}\n",
        ] {
            let (gates, ..) = ci(&[(&file, text)]);
            assert!(gates.is_empty(), "{file}: {text}");
        }
    }
}
