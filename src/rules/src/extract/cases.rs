//! The sentences of the case files of each language: how many are read as the file says, and which are not.

use serde_json::json;

use super::tests::{NOW, written};
use super::{Extraction, FieldSpec, Input, extract};

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

    fn read(&self, text: &str, language: &str) -> Extraction {
        let message = |name: &str, text: &str| json!({ "role": "user", "name": name, "content": text });
        let (text, schema) = match self {
            Reading::Text(schema) => (text.to_owned(), schema.as_slice()),
            Reading::User => (json!([{ "role": "user", "content": text }]).to_string(), [].as_slice()),
            Reading::Conversation => {
                (json!([message("Ben", "Hi Ann!"), message("Ann", text)]).to_string(), [].as_slice())
            }
        };
        extract(&Input { text: &text, now: NOW, schema, language: Some(language), ..Input::default() })
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

/// A language, its files, how many cases it has at least and which share of them must be right.
const LANGUAGES: [(&str, &[&str], usize, f64); 2] = [
    (
        "en",
        &[
            include_str!("../../data/en.cases"),
            include_str!("../../data/en.traps.cases"),
            include_str!("../../data/en.chat.cases"),
        ],
        600,
        0.95,
    ),
    ("de", &[include_str!("../../data/de.cases")], 120, 0.9),
];

#[test]
fn the_sentences_of_the_case_files_are_read_as_they_say() {
    for (language, files, least, bar) in LANGUAGES {
        let mut reading = Reading::Text(Vec::new());
        let mut cases: Vec<(String, Vec<&str>, Vec<String>)> = Vec::new();
        for line in files.iter().flat_map(|file| file.lines()) {
            if let Some(heading) = line.strip_prefix("== ") {
                reading = Reading::parse(heading);
            } else if let Some(text) = line.strip_prefix("> ") {
                let extraction = reading.read(text, language);
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
        let (all, names) = (cases.len(), names.collect::<String>());
        let report = format!("{language}: {:.1} % of {all} cases are right; wrong:\n{names}", 100.0 * share);
        println!("{report}");
        assert!(all >= least, "only {all} cases were read");
        assert!(share >= bar, "{report}");
    }
}
