//! Files that are made to do harm: each gives an error within limits.

use super::*;

fn check_refused(steps: &str, expected: &str) {
    let error = errors(steps);
    let start = steps.chars().take(100).collect::<String>();
    assert!(error.contains(expected), "{start}\n{}", error.chars().take(2000).collect::<String>());
    assert!(error.len() < 64 * 1024, "{start}: the error has {} bytes", error.len());
}

#[test]
fn a_huge_file_is_refused_before_it_is_parsed() {
    check_refused(&format!("# {}", "x".repeat(10_000_000)), "the limit is 1048576");
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [100, 10_000, 200_000] {
        let lists = format!("x = {}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(plan(&lists, &[]).is_err());
        let keys = format!("x{} = 1", ".x".repeat(depth));
        assert!(plan(&keys, &[]).is_err());
        let tables = format!("x = {}1{}", "{a=".repeat(depth), "}".repeat(depth));
        assert!(plan(&tables, &[]).is_err());
        let json = format!("{{\"x\":{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Formula::parse("f.json", &json).is_err());
        let json = format!("{{\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Formula::parse("f.json", &json).is_err());
    }
    let children = (0..20).fold("{id='a'}".to_owned(), |inner, at| format!("{{id='s{at}', children=[{inner}]}}"));
    check_refused(&format!("steps=[{children}]"), "levels deep");
}

#[test]
fn huge_counts_are_refused() {
    check_refused("[[steps]]\nid='a'\nloop={count=1000000000}", "`count` is a number from 0 to 10000");
    check_refused("[[steps]]\nid='a'\nloop={count='10^9'}", "a loop has 0 to 10000 rounds");
    check_refused("[[steps]]\nid='a'\nloop={count='9^99^9'}", "is no number");
    check_refused(
        "[[steps]]\nid='a'\nloop={range='-9223372036854775807..9223372036854775807'}",
        "a loop has 0 to 10000",
    );
    check_refused("[[steps]]\nid='a'\nloop={until='true', max=1000000}", "`max` is a number from 1 to 100");
    check_refused(
        "[[steps]]\nid='a'\nloop={count=5000}\nchildren=[{id='b', loop={count=5000}}]",
        "more than 10000 steps",
    );
    check_refused(
        "[vars.x]\n[[steps]]\nid='a'\nloop={count=5000}\nchildren=[{id='b', when='{{x}}', loop={count=5000}},{id='c',loop={count=9000}}]",
        "more than 10000 steps",
    );
    let never = "[vars.x]\n[[steps]]\nid='a'\nloop={count=10000}\nchildren=[{id='b', loop={count=10000}, when='{{x}} == {{index}}'}]";
    assert!(plan(never, &[]).is_err());
}

#[test]
fn expansions_do_not_explode() {
    let one = |name: &str, next: &str| {
        format!(
            "formula='{name}'\nversion=1\ntype='expansion'\ntemplate=[{{id='a', expand='{next}'}}, {{id='b', expand='{next}'}}]"
        )
    };
    let bomb: Vec<(String, String)> =
        (0..30).map(|at| (format!("x{at}"), one(&format!("x{at}"), &format!("x{}", at + 1)))).collect();
    let mut library = Library::default();
    library.add(Formula::parse("f.toml", &workflow("[[steps]]\nid='a'\nexpand='x0'")).unwrap());
    bomb.iter().for_each(|(name, text)| library.add(Formula::parse(name, text).unwrap()));
    library.add(Formula::parse("x30", "formula='x30'\nversion=1\ntype='expansion'\ntemplate=[{id='a'}]").unwrap());
    let error = library.resolve("f").unwrap().plan(&values(&[])).unwrap_err().to_string();
    assert!(error.contains("levels deep") || error.contains("more than 10000 steps"), "{error}");
    library.add(Formula::parse("x3", &one("x3", "x1")).unwrap());
    let error = library.check("f").iter().map(ToString::to_string).collect::<String>();
    assert!(error.contains("expansions contain each other: x0 -> x1 -> x2 -> x3 -> x1"), "{error}");
}

#[test]
fn formulas_that_extend_each_other_end() {
    let mut library = Library::default();
    for at in 0..12 {
        let extends: Vec<String> = (0..8).map(|_| format!("'e{}'", at + 1)).collect();
        let text = format!("formula='e{at}'\nversion=1\nextends=[{}]\n[[steps]]\nid='a'", extends.join(","));
        library.add(Formula::parse("e", &text).unwrap());
    }
    library.add(Formula::parse("e", "formula='e12'\nversion=1\n[[steps]]\nid='a'").unwrap());
    let error = library.resolve("e0").unwrap_err().to_string();
    assert!(error.contains("too many formulas extend each other"), "{error}");
}

#[test]
fn texts_do_not_explode() {
    let value = "v".repeat(60_000);
    let vars = "[vars.x]\nrequired=true\n";
    let check = |steps: &str, expected: &str| {
        let error = plan(&format!("{vars}{steps}"), &[("x", &value)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&format!("[[steps]]\nid='a'\ntitle='{}'", "{{x}}".repeat(1000)), "the text has more than 1048576 bytes");
    check("[[steps]]\nid='a'\nloop={count=9000}\ntitle='{{x}}'", "the texts of the plan have more than");
    check("[[steps]]\nid='a'\nloop={count=9000}\nrun=['true', '{{x}}']", "the texts of the plan have more than");
    check("[[steps]]\nid='a'\nloop={count=9000}\nrun='true # $GT_VAR_x'", "the texts of the plan have more than");
    check("[[steps]]\nid='a'\nmodel='{{x}}'", "a name has up to 200 bytes");
    let checks = vec!["'true'"; 3000].join(",");
    let steps = format!("[[steps]]\nid='a'\nacceptance=[{checks}]\nchildren=[{{id='b', loop={{count=1}}}}");
    let many: String = (0..3000).map(|at| format!(", {{id='c{at}'}}")).collect();
    check_refused(&format!("{steps}{many}]"), "too many parts that run them");
    let labels = vec!["''"; 100_000].join(",");
    check_refused(
        &format!("[[steps]]\nid='a'\nloop={{count=9000}}\nlabels=[{labels}]"),
        "the texts of the plan have more than",
    );
    assert!(plan(&format!("{vars}[[steps]]\nid='a'\ntitle='{{{{x}}}}'"), &[("x", &"v".repeat(70_000))]).is_err());
}

#[test]
fn needs_do_not_explode() {
    let many: String = (0..4000).map(|at| format!("[[steps]]\nid='s{at}'\n")).collect();
    let all = (0..4000).map(|at| format!("'s{at}'")).collect::<Vec<_>>().join(",");
    check_refused(
        &format!("{many}[[steps]]\nid='a'\nloop={{count=1000}}\nchildren=[{{id='b', needs=[{all}]}}]"),
        "need each other more than",
    );
    let rules: String = (0..499).map(|at| format!("[[aspects]]\ntarget='a'\nafter=[{{id='x{at}'}}]\n")).collect();
    let waiting: String = (0..4000).map(|at| format!("[[steps]]\nid='s{at}'\nneeds=['a']\n")).collect();
    check_refused(&format!("{rules}[[steps]]\nid='a'\n{waiting}"), "need each other more than");
    let rules: String = (0..600).map(|at| format!("[[aspects]]\ntarget='a'\nafter=[{{id='x{at}'}}]\n")).collect();
    check_refused(&format!("{rules}[[steps]]\nid='a'"), "`aspects` has more than 500 items");
}

#[test]
fn many_mistakes_give_few_findings() {
    let keys: String = (0..50_000).map(|at| format!("k{at}=1\n")).collect();
    check_refused(&format!("{keys}[[steps]]\nid='a'"), "unknown key `k0`");
    let names: String = (0..60_000).map(|at| format!("{{{{v{at}}}}} ")).collect();
    check_refused(&format!("[[steps]]\nid='a'\ntitle='{names}'"), "`{{v0}}` is not declared");
    let needs: String = (0..9000).map(|at| format!("[[steps]]\nid='step{at}'\nneeds=['stpe{at}']\n")).collect();
    check_refused(&needs, "which is no step");
    check_refused(&"[[steps]]\nid='a'\n".repeat(50_000), "more than 10000 steps");
    let words = (0..100_000).map(|at| at.to_string()).collect::<Vec<_>>().join(" ");
    check_refused(
        &format!("[[steps]]\nid='a'\nacceptance=['{words}']"),
        "a command has a program and up to 1000 words",
    );
}

#[test]
fn values_with_the_text_of_toml_or_a_shell_stay_values() {
    for value in
        ["\"]\n[[steps]]\nid='evil'", "'; rm -rf /; '", "$(reboot)", "{{x}}", "{target}", "`id`", "\u{1b}[2J", "a\0b"]
    {
        let steps = "[vars.x]\n[[steps]]\nid='a'\ntitle='{{x}}'\nrun='echo \"$GT_VAR_x\"'\n[[steps]]\nid='b'\ndescription='{{x}}'";
        let planned = plan(steps, &[("x", value)]).unwrap().steps;
        assert_eq!(planned.len(), 2);
        assert_eq!((planned[0].title.as_str(), planned[1].description.as_str()), (value, value));
        assert_eq!(planned[0].kind, StepKind::Run(Run::Script("echo \"$GT_VAR_x\"".to_owned())));
    }
    let error = plan("[vars.x]\n[[steps]]\nid='a'\nrun=['echo', '{{x}}']", &[("x", "a\0b")]).unwrap_err().to_string();
    assert!(error.contains("can't contain a NUL"), "{error}");
    let shown = errors("\"\\u001b[2J\" = 1 # \u{202e}");
    assert!(shown.chars().all(|c| c == '\n' || !crate::foreign::is_unseen(c)), "{shown:?}");
}
