use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Compiled, Decimal, Filter, MAX_CONDITIONS, Param, Target, fold_case};

const TARGET: Target = Target { metadata: "m.metadata", fold_case: "fold_case" };

fn parse(filters: Value) -> Filter {
    Filter::parse(&filters).unwrap_or_else(|error| panic!("{filters}: {error}"))
}

/// The filter of one condition.
fn only(condition: Value) -> Filter {
    parse(json!({ "AND": [condition] }))
}

fn compiled(filter: &Filter) -> (String, Vec<(&'static str, String)>) {
    let Compiled { sql, params } = filter.compile(TARGET, 1);
    let params = params.into_iter().map(|param| match param {
        Param::Text(text) => ("text", text),
        Param::Json(text) => ("jsonb", text),
        Param::Numeric(text) => ("numeric", text),
    });
    (sql, params.collect())
}

#[test]
fn the_documented_example_is_read_and_compiled() {
    let filter = parse(json!({"AND": [
        {"key": "group", "negate": false, "value": "jira_users"},
        {"filterType": "numeric", "key": "timestamp", "negate": false, "numericOperator": ">", "value": "1742745777"}
    ]}));
    let (sql, params) = compiled(&filter);
    assert_eq!(
        sql,
        "(((m.metadata) @> $1::jsonb) AND (coalesce((CASE jsonb_typeof((m.metadata) -> $2::text) \
         WHEN 'number' THEN ((m.metadata) ->> $2::text)::numeric \
         WHEN 'string' THEN CASE WHEN ((m.metadata) ->> $2::text) COLLATE \"C\" ~ \
         '^[+-]?([0-9]{1,64}([.][0-9]{0,64})?|[.][0-9]{1,64})([eE][+-]?[0-9]{1,3})?$' \
         THEN ((m.metadata) ->> $2::text)::numeric END END) > $3::numeric, false)))"
    );
    assert_eq!(
        params,
        [
            ("jsonb", r#"{"group":"jira_users"}"#.to_owned()),
            ("text", "timestamp".to_owned()),
            ("numeric", "1742745777".to_owned())
        ]
    );
    assert!(filter.matches(&json!({"group": "jira_users", "timestamp": 1742745778})));
    assert!(filter.matches(&json!({"group": "jira_users", "timestamp": "1742745777.5"})));
    assert!(!filter.matches(&json!({"group": "jira_users", "timestamp": 1742745777})));
    assert!(!filter.matches(&json!({"group": "jira_users"})));
}

#[test]
fn equality_compares_text() {
    for (metadata, value, expected) in [
        (json!({"k": "a"}), json!("a"), true),
        (json!({"k": "A"}), json!("a"), false),
        (json!({"k": 5}), json!("5"), true),
        (json!({"k": 5.0}), json!("5"), true),
        (json!({"k": "5"}), json!(5), true),
        (json!({"k": "5"}), json!(5.0), true),
        (json!({"k": "5.0"}), json!(5), false),
        (json!({"k": 5}), json!("5.0"), false),
        (json!({"k": 1e21}), json!("1000000000000000000000"), true),
        (json!({"k": 0.001}), json!("0.001"), true),
        (json!({"k": -0.0}), json!("0"), true),
        (json!({"k": true}), json!("true"), true),
        (json!({"k": "true"}), json!(true), true),
        (json!({"k": true}), json!("TRUE"), false),
        (json!({"k": ["a"]}), json!("a"), false),
        (json!({"k": ["a"]}), json!("[\"a\"]"), false),
        (json!({"k": null}), json!("null"), false),
        (json!({"a": {"b": 1}}), json!("1"), false),
        (json!({}), json!("a"), false),
        (json!({}), json!(""), false),
        (json!(null), json!("a"), false),
        (json!(["k"]), json!("k"), false),
    ] {
        let plain = only(json!({"key": "k", "value": value}));
        let negated = only(json!({"key": "k", "value": value, "negate": true}));
        assert_eq!(plain.matches(&metadata), expected, "{metadata} {value}");
        assert_eq!(negated.matches(&metadata), !expected, "not {metadata} {value}");
    }
    let (sql, params) = compiled(&only(json!({"key": "k", "value": 5, "negate": "true"})));
    assert_eq!(sql, "(NOT ((m.metadata) @> $1::jsonb OR (m.metadata) @> $2::jsonb))");
    assert_eq!(params, [("jsonb", r#"{"k":"5"}"#.to_owned()), ("jsonb", r#"{"k":5}"#.to_owned())]);
    assert_eq!(compiled(&only(json!({"key": "k", "value": "05"}))).1.len(), 1);
    assert_eq!(compiled(&only(json!({"key": "k", "value": "1e5"}))).1.len(), 1);
    assert_eq!(compiled(&only(json!({"key": "k", "value": "false"}))).1[1].1, r#"{"k":false}"#);
}

#[test]
fn a_dot_in_a_key_is_no_path() {
    let filter = only(json!({"key": "a.b", "value": "x"}));
    assert!(filter.matches(&json!({"a.b": "x"})));
    assert!(!filter.matches(&json!({"a": {"b": "x"}})));
}

#[test]
fn string_contains_knows_no_wildcards() {
    let contains = |value: &str, ignore: bool| {
        only(json!({"key": "k", "value": value, "filterType": "string_contains", "ignoreCase": ignore}))
    };
    assert!(contains("50%", false).matches(&json!({"k": "saved 50% today"})));
    assert!(!contains("5_%", false).matches(&json!({"k": "saved 50% today"})));
    assert!(!contains("Saved", false).matches(&json!({"k": "saved"})));
    assert!(contains("ΣΊΣΥΦΟΣ", true).matches(&json!({"k": "ο σίσυφος και"})));
    assert!(contains("1", false).matches(&json!({"k": 512})));
    assert!(contains("ru", false).matches(&json!({"k": true})));
    assert!(!contains("a", false).matches(&json!({"k": ["a"]})));
    assert!(contains("", false).matches(&json!({"k": "x"})));
    assert!(!contains("", false).matches(&json!({})));
    let negated = only(json!({"key": "k", "value": "a", "filterType": "string_contains", "negate": true}));
    assert!(
        negated.matches(&json!({})) && negated.matches(&json!({"k": "b"})) && !negated.matches(&json!({"k": "ab"}))
    );
}

#[test]
fn array_contains_finds_whole_strings() {
    let has = |value: Value, more: Value| {
        let mut condition = json!({"key": "k", "value": value, "filterType": "array_contains"});
        condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        only(condition)
    };
    assert!(has(json!("a"), json!({})).matches(&json!({"k": ["b", "a"]})));
    assert!(!has(json!("a"), json!({})).matches(&json!({"k": ["ab", "A"]})));
    assert!(has(json!("a"), json!({"ignoreCase": "true"})).matches(&json!({"k": ["ab", "A"]})));
    assert!(!has(json!("a"), json!({})).matches(&json!({"k": "a"})));
    assert!(has(json!(5), json!({})).matches(&json!({"k": ["5"]})));
    assert!(!has(json!(5), json!({})).matches(&json!({"k": [5]})));
    assert!(has(json!("a"), json!({"negate": true})).matches(&json!({})));
    assert_eq!(compiled(&has(json!("a"), json!({}))).1, [("jsonb", r#"{"k":["a"]}"#.to_owned())]);
}

#[test]
fn numeric_compares_values_and_negate_flips_the_operator() {
    // Each operator against 5: below, equal, above, a string number, no number, missing; then the same negated.
    let metadata = [
        json!({"k": 4.9}),
        json!({"k": 5.0}),
        json!({"k": "5.01"}),
        json!({"k": "many"}),
        json!({"k": true}),
        json!({}),
    ];
    for (operator, plain, negated) in [
        ("<", "100000", "011000"),
        ("<=", "110000", "001000"),
        (">", "001000", "110000"),
        (">=", "011000", "100000"),
        ("=", "010000", "101111"),
    ] {
        for (negate, expected) in [(false, plain), (true, negated)] {
            let filter = only(
                json!({"key": "k", "value": "5", "filterType": "numeric", "numericOperator": operator, "negate": negate}),
            );
            let found: String = metadata.iter().map(|m| if filter.matches(m) { '1' } else { '0' }).collect();
            assert_eq!(found, expected, "{operator} {negate}");
        }
    }
    assert!(only(json!({"key": "k", "value": 5, "filterType": "numeric"})).matches(&json!({"k": "5.00"})));
    for text in ["NaN", "Infinity", "0x5", "5 ", "", ".", "1e9999", "5e", "--5", &"9".repeat(65)] {
        let filter = only(json!({"key": "k", "value": "0", "filterType": "numeric", "numericOperator": ">"}));
        assert!(!filter.matches(&json!({"k": text})), "{text:?}");
    }
    // Beyond what a double holds.
    let exact = only(json!({"key": "k", "value": "9007199254740993", "filterType": "numeric"}));
    assert!(exact.matches(&json!({"k": 9007199254740993u64})) && !exact.matches(&json!({"k": 9007199254740992u64})));
}

#[test]
fn ignore_case_is_free_of_locale() {
    let filter = only(json!({"key": "k", "value": "ÉCOLE", "ignoreCase": true}));
    assert!(filter.matches(&json!({"k": "École"})));
    assert!(!filter.matches(&json!({"k": "Ecole"})));
    assert!(only(json!({"key": "k", "value": "TRUE", "ignoreCase": true})).matches(&json!({"k": true})));
    assert_eq!(fold_case("ΟΔΟΣ"), fold_case("οδος"));
    let (sql, params) = compiled(&filter);
    assert!(sql.contains("fold_case((CASE jsonb_typeof"), "{sql}");
    assert_eq!(params[1], ("text", "école".to_owned()));
}

#[test]
fn groups_nest_and_empty_ones_have_their_meaning() {
    let filter = parse(json!({"OR": [
        {"key": "a", "value": "1"},
        {"AND": [{"key": "b", "value": "2"}, {"OR": [{"key": "c", "value": "3"}, {"key": "c", "value": "4"}]}]}
    ]}));
    assert!(filter.matches(&json!({"a": 1})));
    assert!(filter.matches(&json!({"b": "2", "c": "4"})));
    assert!(!filter.matches(&json!({"b": "2", "c": "5"})));
    for none in [json!({}), json!(null), json!({"AND": []}), json!({"AND": null, "OR": null}), json!("{\"AND\":[]}")] {
        let filter = parse(none);
        assert!(filter.is_empty() && filter.matches(&json!({})));
        assert_eq!(compiled(&filter), ("true".to_owned(), vec![]));
    }
    let nothing = parse(json!({"OR": []}));
    assert!(!nothing.is_empty() && !nothing.matches(&json!({})));
    assert_eq!(compiled(&nothing).0, "false");
    let nulls =
        json!({"AND": [{"key": "a", "value": "1", "filterType": null, "negate": null, "AND": null}], "OR": null});
    assert_eq!(parse(nulls), only(json!({"key": "a", "value": "1"})));
}

#[test]
fn a_json_string_is_read_as_what_it_holds() {
    let object = json!({"AND": [{"key": "a", "value": "1"}]});
    assert_eq!(parse(json!(object.to_string())), parse(object));
}

#[test]
fn parameters_are_numbered_from_where_the_caller_says() {
    let filter = parse(json!({"AND": [{"key": "a", "value": "x"}, {"key": "b", "value": "y"}]}));
    assert_eq!(filter.compile(TARGET, 7).sql, "(((m.metadata) @> $7::jsonb) AND ((m.metadata) @> $8::jsonb))");
}

#[test]
fn faults_name_their_place_in_the_documented_words() {
    const STRUCTURE: &str = "Invalid filter structure";
    const KEY: &str = "Invalid metadata key: contains unsafe characters";
    const COMPLEX: &str = "Query exceeds maximum complexity";
    let good = json!({"key": "a", "value": "1"});
    let deep = |levels: usize| (1..levels).fold(json!({"AND": [good]}), |inner, _| json!({ "AND": [inner] }));
    let deepest = format!("filters{}", ".AND[0]".repeat(8));
    assert!(Filter::parse(&deep(8)).is_ok());
    assert!(Filter::parse(&json!({ "OR": vec![good.clone(); MAX_CONDITIONS] })).is_ok());
    for (filters, message, path) in [
        (json!([]), STRUCTURE, "filters"),
        (json!(5), STRUCTURE, "filters"),
        (json!("{not json"), STRUCTURE, "filters"),
        (json!("\"{}\""), STRUCTURE, "filters"),
        (good.clone(), STRUCTURE, "filters"),
        (json!({"and": [good]}), STRUCTURE, "filters"),
        (json!({"AND": [good], "OR": [good]}), STRUCTURE, "filters"),
        (json!({"AND": good}), STRUCTURE, "filters.AND"),
        (json!({"AND": ["a"]}), STRUCTURE, "filters.AND[0]"),
        (json!({"AND": [good], "NOT": []}), STRUCTURE, "filters.NOT"),
        (json!({"AND": [good, {"value": "1"}]}), STRUCTURE, "filters.AND[1].key"),
        (json!({"AND": [good, {"key": "a b", "value": "1"}]}), KEY, "filters.AND[1].key"),
        (json!({"AND": [{"key": "a'; --", "value": "1"}]}), KEY, "filters.AND[0].key"),
        (json!({"AND": [{"key": "a".repeat(65), "value": "1"}]}), STRUCTURE, "filters.AND[0].key"),
        (json!({"AND": [{"key": "", "value": "1"}]}), STRUCTURE, "filters.AND[0].key"),
        (json!({"AND": [{"key": 1, "value": "1"}]}), STRUCTURE, "filters.AND[0].key"),
        (json!({"AND": [{"key": "a"}]}), STRUCTURE, "filters.AND[0].value"),
        (json!({"AND": [{"key": "a", "value": null}]}), STRUCTURE, "filters.AND[0].value"),
        (json!({"AND": [{"key": "a", "value": ["x"]}]}), STRUCTURE, "filters.AND[0].value"),
        (json!({"AND": [{"key": "a", "value": "x\u{0}"}]}), STRUCTURE, "filters.AND[0].value"),
        (json!({"AND": [{"key": "a", "value": "x", "filterType": "regex"}]}), STRUCTURE, "filters.AND[0].filterType"),
        (json!({"AND": [{"key": "a", "value": "x", "filterType": "numeric"}]}), STRUCTURE, "filters.AND[0].value"),
        (json!({"AND": [{"key": "a", "value": "x", "negate": 1}]}), STRUCTURE, "filters.AND[0].negate"),
        (json!({"AND": [{"key": "a", "value": "x", "ignoreCase": "yes"}]}), STRUCTURE, "filters.AND[0].ignoreCase"),
        (
            json!({"AND": [{"key": "a", "value": "1", "filterType": "numeric", "numericOperator": "!="}]}),
            STRUCTURE,
            "filters.AND[0].numericOperator",
        ),
        (
            json!({"AND": [{"key": "a", "value": "1", "numericOperator": ">"}]}),
            STRUCTURE,
            "filters.AND[0].numericOperator",
        ),
        (json!({"AND": [{"key": "a", "value": "1", "operator": ">"}]}), STRUCTURE, "filters.AND[0].operator"),
        (json!({"OR": [{"AND": [{"key": "é", "value": "1"}]}]}), KEY, "filters.OR[0].AND[0].key"),
        (deep(9), COMPLEX, deepest.as_str()),
        (json!({ "OR": vec![good.clone(); MAX_CONDITIONS + 1] }), COMPLEX, "filters.OR[200]"),
        (json!({ "OR": vec![json!({"AND": []}); MAX_CONDITIONS] }), COMPLEX, "filters.OR[199]"),
    ] {
        let error = Filter::parse(&filters).expect_err(&filters.to_string());
        assert_eq!((error.message(), error.path.as_str()), (message, path), "{filters}");
        assert!(error.detail().starts_with(&format!("{path}: ")), "{error}");
    }
}

#[test]
fn decimals_have_one_plain_form() {
    for (text, plain) in [
        ("0", "0"),
        ("-0.00", "0"),
        ("+007", "7"),
        ("5.", "5"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("1.50e1", "15"),
        ("-12.340", "-12.34"),
        ("1E-3", "0.001"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ] {
        assert_eq!(Decimal::parse(text).map(|d| d.to_string()).as_deref(), Some(plain), "{text}");
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["a", "A", "ab", "true", "5", "5.0", "-1", "1e2", "", "x%", "é", "[\"a\"]", "05"])
            .prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-3i64..7).prop_map(Value::from),
        prop::sample::select(vec![5.0, 100.0, 0.5, -1.0, 1e20]).prop_map(Value::from),
    ]
}

fn metadata() -> impl Strategy<Value = Value> {
    let items = prop::collection::vec(prop::sample::select(vec!["a", "A", "5", "true"]), 0..3).prop_map(Value::from);
    prop::collection::btree_map("[a-c]", prop_oneof![3 => scalar(), 1 => items], 0..4).prop_map(|map| json!(map))
}

fn condition() -> impl Strategy<Value = Value> {
    let filter_type = prop::sample::select(vec!["metadata", "string_contains", "array_contains"]);
    let text = ("[a-c]", scalar(), filter_type, any::<bool>(), any::<bool>()).prop_map(|(key, value, kind, not, ignore)| {
        json!({"key": key, "value": value, "filterType": kind, "negate": not, "ignoreCase": ignore})
    });
    let operator = prop::sample::select(vec!["<", "<=", ">", ">=", "="]);
    let number = ("[a-c]", -3i64..7, operator, any::<bool>()).prop_map(|(key, value, operator, not)| {
        json!({"key": key, "value": value, "filterType": "numeric", "numericOperator": operator, "negate": not})
    });
    prop_oneof![text, number]
}

proptest! {
    #[test]
    fn negation_is_the_complement_except_of_orderings(mut given in condition(), row in metadata()) {
        let plain = only(given.clone()).matches(&row);
        let negated = given["negate"] == json!(true);
        given["negate"] = json!(!negated);
        let other = only(given.clone()).matches(&row);
        if given["filterType"] == "numeric" && given["numericOperator"] != "=" {
            prop_assert!(!(plain && other));
        } else {
            prop_assert_ne!(plain, other);
        }
    }

    #[test]
    fn groups_are_the_logic_of_their_parts(parts in prop::collection::vec(condition(), 0..4), row in metadata()) {
        let each: Vec<bool> = parts.iter().map(|part| only(part.clone()).matches(&row)).collect();
        prop_assert_eq!(parse(json!({ "AND": parts })).matches(&row), each.iter().all(|part| *part));
        prop_assert_eq!(parse(json!({ "OR": parts })).matches(&row), each.iter().any(|part| *part));
    }

    #[test]
    fn no_input_reaches_the_sql(key in "[a-zA-Z0-9_.-]{1,64}", value in any::<String>(), kind in 0usize..3, flags: [bool; 2]) {
        prop_assume!(!value.contains('\0'));
        let kind = ["metadata", "string_contains", "array_contains"][kind];
        let sql = |key: &str, value: &str| {
            only(json!({"key": key, "value": value, "filterType": kind, "negate": flags[0], "ignoreCase": flags[1]}))
                .compile(TARGET, 1)
        };
        let given = sql(&key, &value);
        // The same text for any input; an equality has a second form for what reads as a number or boolean.
        let (plain, second) = (sql("k", "v").sql, sql("k", "1").sql);
        prop_assert!(given.sql == plain || given.sql == second);
        for number in 1..=given.params.len() {
            let placeholder = format!("${number}::");
            prop_assert!(given.sql.contains(&placeholder));
        }
        prop_assert!(given.params.len() <= 2);
    }

    #[test]
    fn reading_never_panics(text in "[\\[\\]{}\",:ANDORkeyvalu0-9 ]{0,60}") {
        let _ = Filter::parse(&json!(text));
        let _ = Decimal::parse(&text);
    }

    #[test]
    fn decimals_order_as_numbers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, x in 0u32..7, y in 0u32..7) {
        // a / 10^x against b / 10^y, exactly, in integers.
        let text = |n: i64, scale: u32| format!("{n}e-{scale}");
        let exact = (a as i128 * 10i128.pow(y)).cmp(&(b as i128 * 10i128.pow(x)));
        let (left, right) = (Decimal::parse(&text(a, x)).unwrap(), Decimal::parse(&text(b, y)).unwrap());
        prop_assert_eq!(left.cmp(&right), exact);
        prop_assert_eq!(left == right, exact.is_eq());
        prop_assert_eq!(Decimal::parse(&left.to_string()).unwrap(), left);
    }
}
