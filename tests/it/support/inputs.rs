//! Inputs for tools: each choice of what a caller may mean, and hostile ones.

use drydock::tools::{CallContext, Registry, ToolOutcome, ToolSpec, Toolbox};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

/// Hostile inputs for each tool.
const INPUTS: usize = 200;

/// Every choice of arguments for a tool, by the values that an argument may have. An argument without values is left out.
pub fn choices(tool: &ToolSpec, values: impl Fn(&str, &Value) -> Vec<Value>) -> Vec<Value> {
    let mut all = vec![Map::new()];
    for (name, spec) in tool.input_schema["properties"].as_object().into_iter().flatten() {
        let values = values(name, spec);
        if !values.is_empty() {
            let with = |value: &Value| {
                let value = value.clone();
                all.iter().cloned().map(move |mut arguments| {
                    arguments.insert(name.clone(), value.clone());
                    arguments
                })
            };
            all = values.iter().flat_map(with).collect();
        }
    }
    all.into_iter().map(Value::Object).collect()
}

/// The places of the secrets that come out, but for what was given and is quoted by an error.
pub fn leaks<'s>(secrets: &[(&'s str, &str)], arguments: &Value, outcome: &ToolOutcome) -> Vec<&'s str> {
    let (given, all) =
        (arguments.to_string(), format!("{}{}{:?}", outcome.text, outcome.structured, outcome.pending));
    let leaks = |secret: &str| all.contains(secret) && !(given.contains(secret) && outcome.is_error);
    secrets.iter().filter(|(_, secret)| leaks(secret)).map(|(place, _)| *place).collect()
}

/// The values that an argument may have in earnest, so that hostile ones come as far as honest ones do.
fn honest(words: &[Value], spec: &Value) -> BoxedStrategy<Value> {
    let words = match (words, spec["enum"].as_array(), spec["type"].as_str()) {
        ([], Some(choices), _) => choices.clone(),
        ([], None, Some("boolean")) => vec![true.into()],
        ([], None, Some("integer")) => vec![5.into()],
        ([], None, _) => vec!["x".into()],
        (words, _, _) => words.to_vec(),
    };
    prop::sample::select(words).boxed()
}

fn hostile() -> BoxedStrategy<Value> {
    let texts = [
        "../../../etc/passwd",
        "..%2f..%2fapi%2fv1%2fsecrets",
        "/etc/shadow",
        "shop/../../kube-system",
        "a/b",
        ".",
        "..",
        "\0",
        "a\0b",
        "\u{1b}[31mred\u{1b}[0m",
        "a\r\nHost: evil",
        "x\ny",
        "'; drop table x; --",
        "$(rm -rf /)",
        "`id`",
        "{{7*7}}",
        "%s%s%n",
        "\u{202e}txt.exe",
        "\u{feff}",
        "e\u{301}\u{327}",
        "\u{1F469}\u{200D}\u{1F680}",
        "한국어",
        "NaN",
        "-1",
        "1e999",
        "9223372036854775808",
        "true",
        "null",
        "[]",
        "{}",
        "*",
        "?",
        "(((((((((((a+)+)+",
        "(?P<x>",
        "a=b,c in (d),!e",
        "metadata.name=x&limit=1",
        "x?dryRun=&force=true",
        "x#y",
        "kind: [",
        "a: &a [*a]",
        "---\n---\n",
        "- - - - - - -",
        "!!binary x",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: ../x}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [1], namespace: {a: b}}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: '../../kube-system'}\n",
    ];
    prop_oneof![
        4 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => prop::sample::select(vec![json!(-1), json!(0), json!(1e308), json!(2_147_483_648_u64), json!(65_536)]),
        2 => "\\PC{0,60}".prop_map(Value::from),
        1 => "[\\x00-\\x1f\\x7f\u{80}-\u{9f}]{1,40}".prop_map(Value::from),
        1 => (1000_usize..40_000).prop_map(|length| "a".repeat(length).into()),
        1 => (100_usize..3000).prop_map(|length| "\u{1F600}".repeat(length).into()),
        1 => (2_usize..120).prop_map(nested),
        1 => (100_usize..2000).prop_map(|length| vec![0; length].into()),
        1 => prop::collection::vec("\\PC{0,8}", 0..4).prop_map(Value::from),
        1 => prop::collection::btree_map("\\PC{0,8}", "\\PC{0,8}", 0..4)
            .prop_map(|members| members.into_iter().map(|(name, text)| (name, Value::from(text))).collect()),
    ]
    .boxed()
}

fn nested(depth: usize) -> Value {
    (0..depth)
        .fold(Value::Null, |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
}

/// Arguments of which some are honest, some hostile, and some are left out; now and then something that is no object.
fn arguments(tool: &ToolSpec, words: impl Fn(&str) -> Vec<Value>) -> BoxedStrategy<Value> {
    let properties = tool.input_schema["properties"].as_object().cloned().unwrap_or_default();
    let mut members: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .iter()
        .map(|(name, spec)| {
            let (name, honest) = (name.clone(), honest(&words(name), spec));
            let value =
                prop_oneof![2 => honest.prop_map(Some), 2 => hostile().prop_map(Some), 1 => Just(None)];
            value.prop_map(move |value| Some((name.clone(), value?))).boxed()
        })
        .collect();
    members.push(("\\PC{0,12}", hostile()).prop_map(Some).boxed());
    let object =
        members.prop_map(|members| members.into_iter().flatten().collect::<Map<String, Value>>().into());
    prop_oneof![20 => object, 1 => hostile()].boxed()
}

/// What is wrong with an outcome.
pub fn faults(outcome: &ToolOutcome, max_bytes: usize) -> Vec<&'static str> {
    let text = &outcome.text;
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    let longest = text.len().max(outcome.structured.to_string().len());
    let is_line = !text.is_empty() && !text.contains('\n') && text.chars().count() <= 2000;
    let found = [
        (text.contains("fault of its own"), "a fault of the tool"),
        (longest > max_bytes, "too long"),
        (text.contains(is_control), "control characters"),
        (outcome.is_error && !is_line, "not one line"),
        (outcome.is_error && outcome.structured["error"] != text.as_str(), "no error for programs"),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, fault)| fault).collect()
}

/// Calls each of these tools two hundred times, with the same inputs each time. `words` are the values that an argument
/// may have in earnest; `harm` tells of what was asked since the last call whether it does harm.
pub async fn assault(
    tools: &Registry,
    named: impl Fn(&str) -> bool,
    caller: &CallContext,
    words: impl Fn(&str) -> Vec<Value>,
    harm: impl Fn() -> Option<String>,
) {
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let mut wrong = Vec::new();
    for tool in tools.list(caller).await.unwrap().iter().filter(|tool| named(&tool.name)) {
        let inputs = arguments(tool, &words);
        let mut errors = 0;
        for _ in 0..INPUTS {
            let arguments = inputs.new_tree(&mut runner).unwrap().current();
            let outcome = tools.call(&tool.name, arguments.clone(), caller).await;
            let mut faults: Vec<String> =
                faults(&outcome, caller.max_bytes).into_iter().map(str::to_owned).collect();
            faults.extend(harm());
            if !faults.is_empty() {
                let short = |text: &str| text.chars().take(400).collect::<String>();
                let (given, said) = (short(&arguments.to_string()), short(&outcome.text));
                wrong.push(format!("{faults:?} {} {given}: {said:?}", tool.name));
            }
            errors += usize::from(outcome.is_error);
        }
        assert!(errors > 5, "{}: only {errors} of {INPUTS} inputs were refused", tool.name);
    }
    let shown: Vec<&String> = wrong.iter().take(30).collect();
    assert!(wrong.is_empty(), "{} calls went wrong: {shown:#?}", wrong.len());
}
