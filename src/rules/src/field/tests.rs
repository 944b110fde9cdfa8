use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FieldType, InvalidValue, time_zone, validate};

fn stored(field_type: FieldType, value: Value) -> Option<Value> {
    validate(field_type, &[], &value).ok()
}

/// Asserts that each given value is stored in the expected form, or refused where that is `None`.
fn check(field_type: FieldType, table: &[(Value, Option<Value>)]) {
    for (given, expected) in table {
        assert_eq!(stored(field_type, given.clone()), *expected, "{} {given}", field_type.as_str());
    }
}

#[test]
fn types_have_their_names() {
    for field_type in FieldType::ALL {
        assert_eq!(field_type.as_str().parse(), Ok(field_type));
    }
    assert!(
        "string".parse::<FieldType>().unwrap_err().to_string().starts_with("field type must be one of text, email")
    );
}

#[test]
fn nothing_is_no_value_of_any_type() {
    for field_type in FieldType::ALL {
        for blank in [json!(null), json!(""), json!(" \t\n"), json!([])] {
            assert_eq!(validate(field_type, &["".into()], &blank), Err(InvalidValue::Blank), "{field_type:?} {blank}");
        }
        assert!(validate(field_type, &[], &json!({"a": 1})).is_err());
    }
}

#[test]
fn texts() {
    check(
        FieldType::Text,
        &[
            (json!(" Sarah Chen "), Some(json!("Sarah Chen"))),
            (json!("two\nlines"), Some(json!("two\nlines"))),
            (json!("a\u{0}b"), None),
            (json!("a\u{1b}b"), None),
            (json!(5), None),
            (json!(true), None),
            (json!("é".repeat(4096)), Some(json!("é".repeat(4096)))),
        ],
    );
    assert_eq!(
        validate(FieldType::Text, &[], &json!("x".repeat(4097))).unwrap_err().to_string(),
        "must have at most 4096 characters, this one has 4097"
    );
}

#[test]
fn emails() {
    check(
        FieldType::Email,
        &[
            (json!("sarah@example.com"), Some(json!("sarah@example.com"))),
            (json!(" Sarah.Chen+x@Example.CO.uk "), Some(json!("Sarah.Chen+x@example.co.uk"))),
            (json!("jürgen@müller.de"), Some(json!("jürgen@müller.de"))),
            (json!("not-an-email"), None),
            (json!("a@b"), None),
            (json!("@example.com"), None),
            (json!("a@"), None),
            (json!("a@b@c.com"), None),
            (json!("a b@c.com"), None),
            (json!(".a@c.com"), None),
            (json!("a..b@c.com"), None),
            (json!("a@-c.com"), None),
            (json!("a@c..com"), None),
            (json!("a@127.0.0.1"), None),
            (json!(format!("{}@c.com", "a".repeat(65))), None),
            (json!(7), None),
        ],
    );
}

#[test]
fn time_zones() {
    check(
        FieldType::Timezone,
        &[
            (json!("America/New_York"), Some(json!("America/New_York"))),
            (json!("america/new_york"), Some(json!("America/New_York"))),
            (json!("US/Eastern"), Some(json!("US/Eastern"))),
            (json!("Asia/Calcutta"), Some(json!("Asia/Calcutta"))),
            (json!("Europe/Kyiv"), Some(json!("Europe/Kyiv"))),
            (json!("Europe/Kiev"), Some(json!("Europe/Kiev"))),
            (json!("utc"), Some(json!("UTC"))),
            (json!("Etc/GMT+5"), Some(json!("Etc/GMT+5"))),
            (json!("EST"), Some(json!("EST"))),
            (json!("Mars/Olympus_Mons"), None),
            (json!("New York"), None),
            (json!("../../etc/passwd"), None),
            (json!("+02:00"), None),
            (json!("posixrules"), None),
            (json!("Factory"), None),
            (json!(5), None),
        ],
    );
    assert_eq!(time_zone("europe/BERLIN"), Some("Europe/Berlin"));
}

#[test]
fn numbers_and_booleans() {
    check(
        FieldType::Number,
        &[
            (json!(42), Some(json!(42))),
            (json!(-1.5), Some(json!(-1.5))),
            (json!(" 42 "), Some(json!(42))),
            (json!("1e3"), Some(json!(1000.0))),
            (json!("NaN"), None),
            (json!("1e999"), None),
            (json!("0x10"), None),
            (json!("forty"), None),
            (json!(true), None),
        ],
    );
    check(
        FieldType::Boolean,
        &[
            (json!(true), Some(json!(true))),
            (json!("False"), Some(json!(false))),
            (json!("yes"), None),
            (json!(1), None),
        ],
    );
}

#[test]
fn dates() {
    check(
        FieldType::Date,
        &[
            (json!("1990-03-04"), Some(json!("1990-03-04"))),
            (json!("2024-02-29"), Some(json!("2024-02-29"))),
            (json!("2024-12-15T10:30:00Z"), Some(json!("2024-12-15T10:30:00.000Z"))),
            (json!("2024-12-15T10:30:00+02:00"), Some(json!("2024-12-15T08:30:00.000Z"))),
            (json!("2023-02-29"), None),
            (json!("04/03/1990"), None),
            (json!("1990"), None),
            (json!("19900304"), None),
            (json!("yesterday"), None),
            (json!(19900304), None),
        ],
    );
}

#[test]
fn urls() {
    check(
        FieldType::Url,
        &[
            (json!("HTTPS://Example.COM/Path?q=A#f"), Some(json!("https://example.com/Path?q=A#f"))),
            (json!("http://localhost:8080"), Some(json!("http://localhost:8080"))),
            (json!("https://[::1]:443/x"), Some(json!("https://[::1]:443/x"))),
            (json!("https://münchen.de/ä"), Some(json!("https://münchen.de/ä"))),
            (json!("example.com"), None),
            (json!("https://"), None),
            (json!("https:///path"), None),
            (json!("javascript:alert(1)"), None),
            (json!("ftp://example.com"), None),
            (json!("https://exa mple.com"), None),
            (json!("https://a..b"), None),
            (json!("https://a:99999/"), None),
            (json!("https://a:+1/"), None),
            (json!("https://[zz]/"), None),
        ],
    );
}

#[test]
fn phones() {
    check(
        FieldType::Phone,
        &[
            (json!("+1 (415) 555-2671"), Some(json!("+14155552671"))),
            (json!("0151/2345678"), Some(json!("01512345678"))),
            (json!("+44 20 7946 0958"), Some(json!("+442079460958"))),
            (json!("123456"), None),
            (json!("+1234567890123456"), None),
            (json!("+0123456789"), None),
            (json!("555-CALL-NOW"), None),
            (json!("1+4155552671"), None),
            (json!(4155552671u64), None),
        ],
    );
}

#[test]
fn selects() {
    let values: Vec<String> = ["formal", "Casual", "A", "a"].map(String::from).to_vec();
    let pick = |text: &str| validate(FieldType::Select, &values, &json!(text));
    assert_eq!(pick("formal"), Ok(json!("formal")));
    assert_eq!(pick(" CASUAL "), Ok(json!("Casual")));
    assert_eq!(pick("a"), Ok(json!("a")));
    assert_eq!(pick("terse").unwrap_err().to_string(), "must be one of formal, Casual, A, a");
    assert_eq!(validate(FieldType::Select, &["b".into(), "B".into()], &json!("b ")), Ok(json!("b")));
    let umlauts: Vec<String> = ["ÄB".into(), "Äb".into()].to_vec();
    assert!(validate(FieldType::Select, &umlauts, &json!("äb")).is_err());
    assert_eq!(validate(FieldType::Select, &[], &json!("x")), Err(InvalidValue::NotAllowed(vec![])));
}

#[test]
fn arrays() {
    check(
        FieldType::Array,
        &[
            (json!([" hiking ", "chess", "hiking"]), Some(json!(["hiking", "chess"]))),
            (json!([1, true, "x"]), Some(json!([1, true, "x"]))),
            (json!("hiking"), None),
            (json!(["a", ["b"]]), None),
            (json!(vec!["x"; 101]), None),
        ],
    );
    assert_eq!(
        validate(FieldType::Array, &[], &json!(["a", null])).unwrap_err().to_string(),
        "item 1 must not be null or blank"
    );
}

#[test]
fn undeclared_fields_take_the_type_of_their_value() {
    assert_eq!(FieldType::infer(&json!("x")), Some(FieldType::Text));
    assert_eq!(FieldType::infer(&json!(["x"])), Some(FieldType::Array));
    assert_eq!(FieldType::infer(&json!({})), None);
    assert_eq!(FieldType::Email.trait_type(), "string");
    assert_eq!(FieldType::Select.trait_type(), "enum");
}

proptest! {
    #[test]
    fn what_is_stored_is_accepted_unchanged(field_type in proptest::sample::select(&FieldType::ALL[..]), text in any::<String>()) {
        let values = [text.trim().to_owned()];
        if let Ok(once) = validate(field_type, &values, &json!(text)) {
            prop_assert_eq!(validate(field_type, &values, &once), Ok(once));
        }
    }

    #[test]
    fn likely_forms_are_stable(text in prop_oneof![
        "[a-zA-Z0-9.]{1,8}@[a-zA-Z0-9.-]{1,8}\\.[a-zA-Z]{2,4}",
        "https?://[a-zA-Z0-9.]{1,10}(:[0-9]{1,5})?(/[a-zA-Z]{0,5})?",
        "\\+?[0-9 ().-]{5,20}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?)?",
    ]) {
        for field_type in FieldType::ALL {
            if let Ok(once) = validate(field_type, &[], &json!(text)) {
                prop_assert_eq!(validate(field_type, &[], &once), Ok(once));
            }
        }
    }
}
