//! Whole texts of every format, and what must hold for any text at all.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::json;

use super::rulebook::RuleBook;
use super::*;
use crate::time::format_micros;

/// Monday, 8 May 2023, 10:00 UTC.
pub(super) const NOW: i64 = 1_683_540_000_000_000;

fn read(text: &str, input_type: Option<&str>, name: Option<&str>) -> Extraction {
    extract(&Input { text, input_type, now: NOW, subject_name: name, ..Input::default() })
}

fn contents(extraction: &Extraction) -> Vec<&str> {
    extraction.memories.iter().map(|memory| memory.content.as_str()).collect()
}

fn field<'a>(extraction: &'a Extraction, key: &str) -> Option<&'a serde_json::Value> {
    extraction.fields.iter().find(|field| field.key == key).map(|field| &field.value)
}

fn day(at: i64) -> String {
    format_micros(at).map(|text| text[..10].to_owned()).unwrap_or_default()
}

/// A memory as the case file writes it.
pub(super) fn written(memory: &Memory) -> String {
    let mut head = format!("{} {}", memory.kind.as_str(), if memory.is_static { "static" } else { "dynamic" });
    if memory.negated {
        head.push_str(" negated");
    }
    if let Some(slot) = &memory.slot {
        head.push_str(&format!(" {slot}"));
    }
    if let Some(at) = memory.event_date {
        head.push_str(&format!(" at {}", day(at)));
    }
    if let Some(at) = memory.forget_after {
        head.push_str(&format!(" until {}", day(at)));
    }
    format!("{head} | {}", memory.content)
}

#[test]
fn every_rule_of_the_books_compiles() {
    assert_eq!(languages().collect::<Vec<_>>(), ["en", "de"]);
    for language in languages() {
        let book = RuleBook::of(Some(language));
        assert!(book.rules.len() > 80, "{language}");
        for rule in &book.rules {
            assert!(!rule.pattern().is_match(""), "{language}: rule {} matches the empty text", rule.id);
            assert!(rule.meaning.confidence <= MAX_CONFIDENCE && rule.meaning.importance <= 1.0, "{}", rule.id);
        }
        for rule in &book.dates {
            assert!(!rule.pattern().is_match(""), "{language}: a date is nothing");
        }
        assert!(book.keys.iter().all(|meaning| meaning.say.as_deref().is_some_and(|say| say.contains("{v}"))));
        // A slot means the same in every language.
        assert_eq!(book.single, RuleBook::english().single, "{language}");
    }
}

#[test]
fn a_language_without_rules_is_read_as_english() {
    let read = |language| {
        let input = Input { text: "I live in Oslo.", now: NOW, language, ..Input::default() };
        extract(&input)
    };
    assert_eq!(read(Some("tlh")), read(None));
    assert_eq!(contents(&read(Some("en"))), ["User lives in Oslo"]);
    assert_eq!(contents(&read(Some("de"))), Vec::<&str>::new());
}

#[test]
fn a_known_name_words_the_memories() {
    let extraction = read("I love my dog and I've moved to Oslo. My sister visited me.", None, Some("Sarah"));
    assert_eq!(
        contents(&extraction),
        ["Sarah loves their dog", "Sarah has moved to Oslo", "Sarah's sister visited them"]
    );
    assert!(extraction.memories.iter().all(|memory| memory.subject.as_deref() == Some("Sarah")));
}

#[test]
fn a_transcript_teaches_what_the_user_says() {
    let text = "User: Hi, I'm Sarah Chen.\nI live in Berlin.\nAssistant: I live in the cloud. Do you like tea?\n\
                User: Yes, I love green tea. My email is sarah@x.org\n";
    let extraction = read(text, Some("chat history"), None);
    assert_eq!(
        contents(&extraction),
        [
            "User's name is Sarah Chen",
            "Sarah Chen lives in Berlin",
            "Sarah Chen loves green tea",
            "Sarah Chen's email is sarah@x.org"
        ]
    );
    assert_eq!(field(&extraction, "name"), Some(&json!("Sarah Chen")));
    assert_eq!(field(&extraction, "timezone"), Some(&json!("Europe/Berlin")));
    let turns: Vec<_> = extraction.messages.iter().map(|m| (m.role, m.content.as_str())).collect();
    assert_eq!(turns[0], (Role::User, "Hi, I'm Sarah Chen.\nI live in Berlin."));
    assert_eq!(turns[1].0, Role::Assistant);
    assert_eq!(turns.len(), 3);
    assert_eq!(&text[extraction.memories[1].evidence.clone()], "I live in Berlin.");
}

#[test]
fn named_speakers_teach_about_themselves() {
    let text = "[2023-07-02 13:56] Nora: I went to a pottery workshop yesterday.\n\
                [2023-07-02 13:57] Ines: Cool! I have two kids.\n[2023-07-02 13:58] Nora: I love painting.\n";
    let both = read(text, None, None);
    assert_eq!(
        contents(&both),
        ["Nora went to a pottery workshop on 1 July 2023", "Ines has two kids", "Nora loves painting"]
    );
    assert!(both.fields.is_empty());
    assert_eq!(both.messages.len(), 3);
    assert_eq!(both.messages[1].name.as_deref(), Some("Ines"));
    assert_eq!(both.messages[0].date.map(|date| day(date.micros)).as_deref(), Some("2023-07-02"));
    let one = read(text, None, Some("Nora"));
    assert_eq!(one.memories.len(), 2);
    assert!(one.memories.iter().all(|memory| memory.content.starts_with("Nora")));
}

#[test]
fn a_message_array_teaches_what_the_user_says() {
    let text = r#"{"messages":[{"role":"system","content":"I live in Rome"},
        {"role":"user","content":"I live in Berlin.\nI like \"Dune\"","timestamp":"2024-01-05T10:00:00Z"},
        {"role":"assistant","content":"I love it"},
        {"role":"user","content":[{"type":"text","text":"I went hiking yesterday."}],"timestamp":1704448800}]}"#;
    let extraction = read(text, None, Some("Ann"));
    assert_eq!(
        contents(&extraction),
        ["Ann lives in Berlin", "Ann likes \"Dune\"", "Ann went hiking on 4 January 2024"]
    );
    assert_eq!(extraction.messages.len(), 4);
    assert_eq!(&text[extraction.memories[2].evidence.clone()], "I went hiking yesterday.");
    assert_eq!(
        extraction.memories.iter().map(|memory| memory.message).collect::<Vec<_>>(),
        [Some(1), Some(1), Some(3)]
    );
    let plain = r#"[{"role":"user","content":"I am a nurse."},{"role":"assistant","content":"I am a bot."}]"#;
    assert_eq!(contents(&read(plain, None, None)), ["User is a nurse"]);
}

#[test]
fn a_message_says_where_it_belongs() {
    let text = r#"[{"speaker":"Ann","text":"I live in Oslo. I like tea.","conversation_id":"c-7","sequence":41,"date":"2024-01-05"},
        {"speaker":"Bob","text":"Cool!","conversation_id":"c-7","sequence":42}]"#;
    let extraction = read(text, None, None);
    let message = &extraction.messages[0];
    assert_eq!((message.conversation.as_deref(), message.sequence), (Some("c-7"), Some(41)));
    assert_eq!(message.date.map(|date| day(date.micros)).as_deref(), Some("2024-01-05"));
    assert_eq!(extraction.memories.iter().map(|memory| memory.message).collect::<Vec<_>>(), [Some(0), Some(0)]);
    assert_eq!(read("I live in Oslo.", None, None).memories[0].message, None);
}

#[test]
fn remarks_to_an_assistant_are_kept_beside_what_was_learned_only() {
    let text = |said: &str| {
        json!([{ "role": "assistant", "content": "Hello!" }, { "role": "user", "name": "Ann", "content": said }])
            .to_string()
    };
    let alone = read(&text("The Seine flows through Paris into the sea."), None, None);
    assert_eq!(contents(&alone), Vec::<&str>::new());
    let beside = read(&text("I moved to Paris. The Seine flows past the kitchen."), None, None);
    assert_eq!(contents(&beside), ["Ann moved to Paris", "Ann said: The Seine flows past the kitchen"]);
    assert_eq!((beside.memories[1].kind, beside.memories[1].confidence), (Kind::Context, 0.5));
}

#[test]
fn a_pronoun_in_an_answer_is_what_was_asked_about() {
    let text = "Ann: How is your new boat?\nBen: It leaks at the bow and needs paint.\nAnn: Thanks!\nBen: I met my sister Eva.\nBen: She is a doctor.\nAnn: Is she in town?\n";
    let extraction = read(text, Some("transcript"), None);
    assert_eq!(
        contents(&extraction),
        [
            "Ben said of their new boat: It leaks at the bow and needs paint",
            "Ben met their sister Eva",
            "Ben's sister Eva is a doctor"
        ]
    );
}

#[test]
fn a_json_object_fills_fields_and_memories() {
    let text = r#"{"user":{"first_name":"Ann","last_name":"Lee","email":"ann@x.org"},"age":31,"address":{"city":"Oslo"},
        "interests":["chess","tea"],"preferences":{"theme":"dark"},"id":"x1","favoriteColor":"blue",
        "bio":"Ann works at Equinor. She loves skiing.","missing":null}"#;
    let extraction = read(text, Some("json"), None);
    assert_eq!(field(&extraction, "name"), Some(&json!("Ann Lee")));
    assert_eq!(field(&extraction, "email"), Some(&json!("ann@x.org")));
    assert_eq!(field(&extraction, "timezone"), Some(&json!("Europe/Oslo")));
    let seen = contents(&extraction);
    for expected in [
        "Ann Lee is 31 years old",
        "Ann Lee lives in Oslo",
        "Ann Lee is interested in chess",
        "Ann Lee is interested in tea",
        "Ann Lee's theme preference is dark",
        "Ann Lee's favorite color is blue",
        "Ann Lee works at Equinor",
        "Ann Lee loves skiing",
    ] {
        assert!(seen.contains(&expected), "{expected} is not in {seen:#?}");
    }
    assert!(!seen.iter().any(|content| content.contains("x1") || content.contains("null")));
    let age = extraction.memories.iter().find(|m| m.content.ends_with("years old")).map(|m| &text[m.evidence.clone()]);
    assert_eq!(age, Some("31"));
}

#[test]
fn markdown_gives_its_pairs_lists_and_prose() {
    let text = "# Profile\n\n- **Name:** Tom Hardy\n- Location: Prague\n- Email: tom@x.cz\n\n## Interests\n\n- climbing\n- jazz\n\n\
                ## Notes\n\nI moved here in 2020. I am allergic to nuts.\n\n> I live on Mars\n\n```\nI live on Pluto\n```\n\n\
                | Key | Value |\n|---|---|\n| Job | baker |\n";
    let extraction = read(text, Some("markdown"), None);
    assert_eq!(
        contents(&extraction),
        [
            "User's name is Tom Hardy",
            "Tom Hardy lives in Prague",
            "Tom Hardy's email is tom@x.cz",
            "Tom Hardy is interested in climbing",
            "Tom Hardy is interested in jazz",
            "Tom Hardy moved here in 2020",
            "Tom Hardy is allergic to nuts",
            "Tom Hardy works as baker",
        ]
    );
    assert_eq!(&text[extraction.memories[3].evidence.clone()], "climbing");
}

#[test]
fn an_activity_log_gives_dated_events() {
    let text = "2024-05-01 09:12 Opened project Apollo\n2024-05-01 10:00 User logged in from Berlin\n\
                [2024-05-02T11:00:00Z] I ran 5 km\n2024-05-03 INFO page view\n";
    let extraction = read(text, Some("activity log"), Some("Kim"));
    let seen: Vec<_> = extraction.memories.iter().map(written).collect();
    assert_eq!(
        seen,
        [
            "event dynamic at 2024-05-01 | Kim opened project Apollo on 1 May 2024",
            "event dynamic at 2024-05-01 | Kim logged in from Berlin on 1 May 2024",
            "event dynamic at 2024-05-02 | Kim ran 5 km",
            "event dynamic at 2024-05-03 | Kim's activity: page view on 3 May 2024",
        ]
    );
    let records = r#"[{"timestamp":"2024-05-01T09:00:00Z","event":"played_song","item":"Yesterday"}]"#;
    assert_eq!(read(records, None, None).memories.len(), 1);
}

#[test]
fn a_description_is_about_its_subject_and_nobody_else() {
    let text = "Zoë Müller is a 32-year-old designer from Toronto. She lives in Berlin with her cat Milo and works at Acme. \
                She doesn't like coffee. Bob lives in Paris. He likes tea.";
    let extraction = read(text, Some("character description"), None);
    assert_eq!(field(&extraction, "name"), Some(&json!("Zoë Müller")));
    let seen = contents(&extraction);
    for expected in [
        "Zoë Müller is 32 years old",
        "Zoë Müller lives in Berlin with her cat Milo",
        "Zoë Müller works at Acme",
        "Zoë Müller does not like coffee",
    ] {
        assert!(seen.contains(&expected), "{expected} is not in {seen:#?}");
    }
    assert!(!seen.iter().any(|content| content.contains("Paris") || content.contains("tea")), "{seen:?}");
}

#[test]
fn custom_fields_are_filled_by_name_pattern_and_list() {
    let spec = |key: &str, field_type: &str| FieldSpec {
        key: key.into(),
        field_type: field_type.into(),
        ..FieldSpec::default()
    };
    let schema = [
        spec("job_title", "text"),
        spec("company", "text"),
        spec("shoe_size", "number"),
        FieldSpec { label: Some("seat".into()), ..spec("seat_preference", "text") },
        FieldSpec { pattern: Some(r"\b(CUST-\d{4})\b".into()), ..spec("customer_no", "text") },
        FieldSpec { enum_values: vec!["beginner".into(), "expert".into()], ..spec("expertise_level", "select") },
        spec("interests", "array"),
        spec("birthday", "date"),
        FieldSpec { pattern: Some("(".into()), ..spec("broken", "text") },
    ];
    let text = "I'm a designer at Acme. My shoe size is 42. My seat is by the window. My number is CUST-1234. \
                I'm an expert in Rust. I love chess. I love tea. I was born on 3 May 1990.";
    let extraction = extract(&Input { text, now: NOW, schema: &schema, ..Input::default() });
    let seen: Vec<_> = extraction.fields.iter().map(|field| (field.key.as_str(), field.value.clone())).collect();
    assert_eq!(
        seen,
        [
            ("job_title", json!("designer")),
            ("company", json!("Acme")),
            ("shoe_size", json!(42)),
            ("seat_preference", json!("by the window")),
            ("customer_no", json!("CUST-1234")),
            ("expertise_level", json!("expert")),
            ("interests", json!(["chess", "tea"])),
            ("birthday", json!("1990-05-03")),
        ]
    );
    assert!(extraction.notes.iter().any(|note| note.contains("broken")));
    assert!(extraction.fields.iter().all(|field| field.confidence <= MAX_CONFIDENCE));
}

#[test]
fn the_surer_value_wins_and_the_later_of_equals() {
    let extraction = read("I'm in Berlin. My timezone is EST.", None, None);
    assert_eq!(field(&extraction, "timezone"), Some(&json!("America/New_York")));
    let extraction = read("My email is a@x.org. My email is b@x.org.", None, None);
    assert_eq!(field(&extraction, "email"), Some(&json!("b@x.org")));
}

#[test]
fn what_is_left_out_is_counted() {
    let extraction = read("Do you know me? If I were rich I'd sail. I live in Rome.", None, None);
    assert!(extraction.notes.contains(&"left out 1 questions".to_owned()), "{:?}", extraction.notes);
    assert!(extraction.notes.contains(&"left out 1 hypotheticals".to_owned()));
    assert!(read("lovely weather", None, None).notes.contains(&"nothing was learned".to_owned()));
    assert_eq!(read("", None, None), Extraction::default());
}

#[test]
fn a_mebibyte_of_anything_is_read_in_bounded_time() {
    // Unoptimised code reads an eighth of it; what is quadratic takes hours either way.
    let size = if cfg!(debug_assertions) { MAX_INPUT_BYTES / 8 } else { MAX_INPUT_BYTES };
    let many: String = (0..size / 24).map(|n| format!("I own a bike number {n}. ")).collect();
    let texts = [
        "x".repeat(size),
        "I ".repeat(size / 2),
        "[".repeat(size),
        "[{\"a\":".repeat(size / 6),
        "\"I am \"".repeat(size / 7),
        "a: b\n".repeat(size / 5),
        "User: I\n".repeat(size / 8),
        "- I like\n".repeat(size / 9),
        "and I live in and ".repeat(size / 18),
        ". ".repeat(size / 2),
        "é".repeat(size),
        "I live in Berlin. ".repeat(size / 18),
        format!("{{\"a\":\"{}\"}}", "I like tea. ".repeat(size / 13)),
        "# Ann\n".repeat(size / 6),
        "| a | b |\n|---|---|\n".repeat(size / 20),
        format!("name,city\n{}", (0..size / 24).map(|n| format!("Ann{n} Lee,Rome\n")).collect::<String>()),
        (0..size / 32).map(|n| format!("# Ann{n}\n- Lives in Rome\n")).collect(),
        many,
    ];
    for text in texts {
        let started = Instant::now();
        let extraction = read(&text, None, None);
        assert!(extraction.memories.len() <= MAX_MEMORIES);
        assert!(
            started.elapsed().as_secs() < 60,
            "{:?} for {:?}…",
            started.elapsed(),
            text.chars().take(20).collect::<String>()
        );
    }
}

/// What must hold whatever was read.
fn check(text: &str, extraction: &Extraction) {
    let within = |range: &Range<usize>| {
        assert!(range.start <= range.end, "{range:?}");
        assert!(text.get(range.clone()).is_some(), "{range:?} is no part of {text:?}");
    };
    for memory in &extraction.memories {
        within(&memory.evidence);
        memory.context.iter().for_each(within);
        assert!(memory.confidence <= MAX_CONFIDENCE && memory.confidence > 0.0);
        assert!((0.0..=1.0).contains(&memory.importance));
        assert!(!memory.content.trim().is_empty());
        assert!(!memory.content.contains(rulebook::SUBJECT), "{:?}", memory.content);
    }
    for field in &extraction.fields {
        within(&field.evidence);
        assert!(field.confidence <= MAX_CONFIDENCE);
    }
    extraction.messages.iter().for_each(|message| within(&message.span));
}

const PHRASES: [&str; 34] = [
    "I ",
    "am ",
    "I'm ",
    "my ",
    "live in ",
    "Berlin",
    "李雷 ",
    "and ",
    "User: ",
    "\n",
    ". ",
    "\"",
    "? ",
    "- ",
    "# ",
    "{\"a\":",
    "}",
    "next Tuesday ",
    "2024-05-01 ",
    "we ",
    "Sarah's ",
    "\u{1} ",
    "é’",
    "not ",
    "\nAnn: ",
    "\nBen: ",
    "She's ",
    "It ",
    "Here's my ",
    "Thanks, Ben",
    "last week was wild",
    "painting ",
    "dyed ",
    "--",
];

const GERMAN: [&str; 24] = [
    "Ich ",
    "ich ",
    "bin ",
    "wohne ",
    "in ",
    "Berlin",
    "und ",
    "mein ",
    "meine ",
    "wir ",
    "mich ",
    "weil ",
    ", ",
    ". ",
    "3. ",
    "Mai ",
    "nächsten Dienstag ",
    "nicht ",
    "Evas ",
    "Sie ",
    "„",
    "“",
    "\n- ",
    "mag ",
];

proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,200}", name in proptest::option::of("\\PC{0,12}"), kind in 0usize..4) {
        let kind = [None, Some("chat history"), Some("activity log"), Some("character description")][kind];
        check(&text, &read(&text, kind, name.as_deref()));
    }

    #[test]
    fn no_sequence_of_telling_words_breaks_it(words in proptest::collection::vec(0..PHRASES.len(), 0..40), kind in 0usize..4) {
        let text: String = words.iter().map(|&at| PHRASES[at]).collect();
        let kind = [None, Some("chat history"), Some("activity log"), Some("character description")][kind];
        let first = read(&text, kind, None);
        check(&text, &first);
        prop_assert_eq!(first, read(&text, kind, None));
    }

    #[test]
    fn no_sequence_of_telling_words_breaks_german(words in proptest::collection::vec(0..GERMAN.len(), 0..40)) {
        let text: String = words.iter().map(|&at| GERMAN[at]).collect();
        check(&text, &extract(&Input { text: &text, now: NOW, subject_name: Some("Eva Maß"), language: Some("de"), ..Input::default() }));
    }

    #[test]
    fn any_time_is_survived(now in any::<i64>()) {
        let text = "I went home yesterday. I fly to Rome next Tuesday, in 3 weeks or in 999 years.";
        let extraction = extract(&Input { text, now, ..Input::default() });
        check(text, &extraction);
    }
}

#[test]
fn days_are_those_of_the_place_where_something_is_said() {
    let plan = |timestamp: &str, zone: Option<&str>| {
        let text =
            json!([{ "role": "user", "content": "I'm flying to Rome tomorrow.", "timestamp": timestamp }]).to_string();
        let input = Input { text: &text, now: NOW, zone, ..Input::default() };
        let memory = extract(&input).memories.remove(0);
        (memory.content, memory.forget_after.and_then(format_micros).unwrap_or_default())
    };
    for (timestamp, zone, day, end) in [
        ("2024-05-07T23:30:00-07:00", None, "8 May 2024", "2024-05-09T07:00:00.000Z"),
        ("2024-05-07T23:30:00-07:00", Some("Europe/Berlin"), "8 May 2024", "2024-05-09T07:00:00.000Z"),
        ("2024-05-08T06:30:00Z", Some("America/Los_Angeles"), "8 May 2024", "2024-05-09T07:00:00.000Z"),
        ("2024-05-08T06:30:00Z", None, "9 May 2024", "2024-05-10T00:00:00.000Z"),
        ("2024-05-08", Some("America/Los_Angeles"), "9 May 2024", "2024-05-10T07:00:00.000Z"),
        ("2024-05-08T01:00:00", Some("Asia/Tokyo"), "9 May 2024", "2024-05-09T15:00:00.000Z"),
        ("2024-05-08T20:00:00Z", Some("Asia/Tokyo"), "10 May 2024", "2024-05-10T15:00:00.000Z"),
    ] {
        assert_eq!(
            plan(timestamp, zone),
            (format!("User is flying to Rome on {day}"), end.to_owned()),
            "{timestamp} {zone:?}"
        );
    }
}

#[test]
fn the_subject_is_known_by_former_names() {
    let former = ["Katherine Hill".to_owned()];
    let input =
        Input { text: "", now: NOW, subject_name: Some("Kate Miller"), former_names: &former, ..Input::default() };
    let turns = "Katherine: I live in Rome.\nBob: I live in Oslo.\nKatherine: I love tea.\nBob: I love beer.";
    assert_eq!(
        contents(&extract(&Input { text: turns, ..input })),
        ["Kate Miller lives in Rome", "Kate Miller loves tea"]
    );
    assert_eq!(contents(&extract(&Input { text: "Katherine works at Acme.", ..input })), ["Kate Miller works at Acme"]);
}

#[test]
fn a_span_of_days_ends_with_its_last() {
    let extraction = read("I will be at the conference from the 13th to the 15th.", Some("chat"), None);
    assert_eq!(contents(&extraction), ["User will be at the conference from 13 May 2023 to 15 May 2023"]);
    assert_eq!(extraction.memories[0].forget_after.map(day).as_deref(), Some("2023-05-16"));
}
