//! The sentences of `data/en.cases` and `data/en.traps.cases`: how many are read as the file says, and which are not.

use serde_json::json;

use super::tests::{NOW, written};
use super::{Extraction, FieldSpec, Input, extract};

/// The share that must be right.
const BAR: f64 = 0.95;

const FIELDS: &str = "with the fields ";

/// How the sentences of a part of the file are read.
enum Reading {
    Text(Vec<FieldSpec>),
    User,
    Conversation,
}

impl Reading {
    fn parse(heading: &str) -> Reading {
        match heading {
            "as a message of the user" => Reading::User,
            "as a message of Ann to Ben" => Reading::Conversation,
            _ => {
                let fields = heading.strip_prefix(FIELDS).unwrap_or_else(|| panic!("unknown heading: {heading}"));
                Reading::Text(fields.split("; ").map(field).collect())
            }
        }
    }

    fn read(&self, text: &str) -> Extraction {
        let message = |name: &str, text: &str| json!({ "role": "user", "name": name, "content": text });
        let (text, schema) = match self {
            Reading::Text(schema) => (text.to_owned(), schema.as_slice()),
            Reading::User => (json!([{ "role": "user", "content": text }]).to_string(), [].as_slice()),
            Reading::Conversation => {
                (json!([message("Ben", "Hi Ann!"), message("Ann", text)]).to_string(), [].as_slice())
            }
        };
        extract(&Input { text: &text, input_type: None, now: NOW, schema, subject_name: None })
    }
}

/// "ticket text /T-\d+/" or "plan select free|team": a field of the schema.
fn field(text: &str) -> FieldSpec {
    let mut words = text.splitn(3, ' ');
    let (key, field_type, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
    let pattern = rest.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let values =
        if pattern.is_none() { rest.split('|').filter(|value| !value.is_empty()).collect() } else { Vec::new() };
    FieldSpec {
        key: key.unwrap_or_default().to_owned(),
        field_type: field_type.unwrap_or("text").to_owned(),
        enum_values: values.into_iter().map(str::to_owned).collect(),
        pattern: pattern.map(str::to_owned),
        label: None,
    }
}

#[test]
fn the_sentences_of_the_case_file_are_read_as_it_says() {
    let mut reading = Reading::Text(Vec::new());
    let mut cases: Vec<(String, Vec<&str>, Vec<String>)> = Vec::new();
    for line in [include_str!("../../data/en.cases"), include_str!("../../data/en.traps.cases")]
        .into_iter()
        .flat_map(str::lines)
    {
        if let Some(heading) = line.strip_prefix("== ") {
            reading = Reading::parse(heading);
        } else if let Some(text) = line.strip_prefix("> ") {
            let extraction = reading.read(text);
            let fields = extraction.fields.iter().map(|field| format!("{} = {}", field.key, field.value));
            let seen = fields.chain(extraction.memories.iter().map(written)).collect();
            cases.push((text.to_owned(), Vec::new(), seen));
        } else if !line.is_empty()
            && !line.starts_with('#')
            && let Some((_, expected, _)) = cases.last_mut()
        {
            expected.push(line);
        }
    }
    let wrong: Vec<_> = cases.iter().filter(|(_, expected, seen)| expected != seen).collect();
    let share = 1.0 - wrong.len() as f64 / cases.len() as f64;
    let names =
        wrong.iter().map(|(text, expected, seen)| format!("{text}\n  expected {expected:#?}\n  seen {seen:#?}\n"));
    let report =
        format!("{:.1} % of {} cases are right; wrong:\n{}", 100.0 * share, cases.len(), names.collect::<String>());
    println!("{report}");
    assert!(cases.len() >= 400, "only {} cases were read", cases.len());
    assert!(share >= BAR, "{report}");
}
