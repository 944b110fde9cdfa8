use super::*;
use crate::extract::Message;
use serde_json::json;

/// 2026-03-02, a Monday.
const NOW: i64 = 1_772_409_600_000_000;

fn spec(key: &str, field_type: &str) -> FieldSpec {
    FieldSpec { key: key.into(), field_type: field_type.into(), ..FieldSpec::default() }
}

fn schema() -> Vec<FieldSpec> {
    vec![
        spec("name", "text"),
        spec("city", "text"),
        spec("age", "number"),
        spec("vegan", "boolean"),
        spec("interests", "array"),
        FieldSpec { enum_values: vec!["free".into(), "team".into()], ..spec("plan", "select") },
        FieldSpec { pattern: Some(r"order (\d{4})".into()), ..spec("last_order", "text") },
    ]
}

fn question<'a>(text: &'a str, schema: &'a [FieldSpec]) -> Question<'a> {
    Question {
        model: "some-model",
        input: Input { text, now: NOW, schema, ..Input::default() },
        descriptions: &[],
        instructions: &[],
    }
}

fn piece_of(question: &Question<'_>) -> (Piece, Vec<Message>) {
    let (mut pieces, messages) = pieces(&question.input);
    assert_eq!(pieces.len(), 1);
    (pieces.remove(0), messages)
}

/// What an endpoint answers when the model says this.
fn completion(content: &str) -> Vec<u8> {
    json!({
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, "refusal": null}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980},
    })
    .to_string()
    .into_bytes()
}

fn memory(content: &str) -> Value {
    json!({
        "content": content, "subject": "User", "kind": "fact", "is_static": true, "confidence": 0.9, "importance": 0.6,
        "event_date": null, "forget_after": null, "turn": null, "slot": null, "value": null, "negated": false,
    })
}

fn read_about(text: &str, said: Value) -> Result<Answer, BadAnswer> {
    let schema = schema();
    let question = question(text, &schema);
    let (piece, messages) = piece_of(&question);
    read(&completion(&said.to_string()), &question, &piece, &messages)
}

// ------------------------------------------------------------------------------------------------- the request

/// Every object of a strict schema names all its members as required and allows no others.
fn assert_strict(schema: &Value) {
    if schema["type"] == "object" {
        let members: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut required: Vec<&str> =
            schema["required"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        required.sort_unstable();
        let mut sorted = members.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, required);
        assert_eq!(schema["additionalProperties"], false);
    }
    match schema {
        Value::Object(members) => members.values().for_each(assert_strict),
        Value::Array(items) => items.iter().for_each(assert_strict),
        _ => {}
    }
}

#[test]
fn the_schema_is_made_from_the_profile() {
    let schema = schema();
    let question = question("text", &schema);
    let (piece, _) = piece_of(&question);
    let request = request(&question, &piece);
    assert_eq!(request["model"], "some-model");
    let format = &request["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
    let answer = &format["json_schema"]["schema"];
    assert_strict(answer);
    let mut branches: Vec<(Value, Value)> = answer["properties"]["fields"]["items"]["anyOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|branch| (branch["properties"]["key"]["enum"].clone(), branch["properties"]["value"].clone()))
        .collect();
    branches.sort_by_key(|(keys, _)| keys.to_string());
    assert_eq!(
        branches,
        [
            (json!(["age"]), json!({"type": "number"})),
            (json!(["interests"]), json!({"type": "array", "items": {"type": "string"}})),
            (json!(["name", "city", "last_order"]), json!({"type": "string"})),
            (json!(["plan"]), json!({"type": "string", "enum": ["free", "team"]})),
            (json!(["vegan"]), json!({"type": "boolean"})),
        ]
    );
    let memory = &answer["properties"]["memories"]["items"]["properties"];
    assert_eq!(memory["plan_change"]["enum"], json!(["cancelled", "moved", null]));
    assert_eq!(memory["kind"]["enum"], json!(["fact", "preference", "event", "context"]));
    assert_eq!(memory["event_date"], json!({"type": ["string", "null"]}));
}

#[test]
fn without_fields_none_are_asked_for() {
    let question = question("text", &[]);
    let (piece, messages) = piece_of(&question);
    let schema = &request(&question, &piece)["response_format"]["json_schema"]["schema"];
    assert_strict(schema);
    assert_eq!(schema["required"], json!(["memories"]));
    let answer = read(&completion(r#"{"memories": []}"#), &question, &piece, &messages);
    assert_eq!(answer.unwrap().memories, Vec::<Value>::new());
}

#[test]
fn the_prompt_says_whom_and_what() {
    let schema = schema();
    let mut question = question("text", &schema);
    let descriptions = [None, Some("where they live {{date}}".to_owned())];
    question.input.subject_name = Some("Ada");
    question.descriptions = &descriptions;
    question.instructions = &["  Note allergies.", "", "This is a clinic."];
    let (piece, _) = piece_of(&question);
    let request = request(&question, &piece);
    assert_eq!(request["messages"][1], json!({"role": "user", "content": "text"}));
    let prompt = request["messages"][0]["content"].as_str().unwrap();
    for part in [
        "The person is called Ada.",
        "against 2026-03-02;",
        "- `city`: a short text; where they live {{date}}\n",
        "- `plan`: one of free, team\n",
        r"- `last_order`: a short text; only what this regular expression finds, its first group if it has one: `order (\d{4})`",
        "# What this application wants\n\nNote allergies.\n\nThis is a clinic.\n",
    ] {
        assert!(prompt.contains(part), "{part} in:\n{prompt}");
    }
    assert_eq!(prompt.matches("{{").count(), 1, "what a value says is no place:\n{prompt}");
    question.input.subject_name = None;
    question.instructions = &[];
    let prompt = super::request(&question, &piece)["messages"][0]["content"].to_string();
    assert!(prompt.contains("call them \\\"User\\\"") && !prompt.contains("What this application wants"), "{prompt}");
}

#[test]
fn a_long_text_is_cut_where_it_may_be() {
    let paragraph = format!("{}.", "word ".repeat(200).trim());
    let text = [paragraph.as_str(); 40].join("\n\n");
    let (pieces, messages) = pieces(&Input { text: &text, now: NOW, ..Input::default() });
    assert!(messages.is_empty());
    assert!(pieces.len() >= 4 && pieces.iter().all(|piece| piece.text.len() <= PIECE_BYTES));
    assert!(pieces.iter().all(|piece| piece.text.starts_with("word") && piece.text.ends_with("word.")));
    let joined: Vec<&str> = pieces.iter().flat_map(|piece| piece.text.split_whitespace()).collect();
    assert_eq!(joined, text.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_text_without_any_gap_is_cut_between_characters() {
    let text = "é".repeat(PIECE_BYTES);
    let (pieces, _) = pieces(&Input { text: &text, now: NOW, ..Input::default() });
    assert_eq!(pieces.iter().map(|piece| piece.text.len()).sum::<usize>(), text.len());
    assert!(pieces.iter().all(|piece| piece.text.len() <= PIECE_BYTES));
}

#[test]
fn a_conversation_is_cut_between_turns_and_numbered() {
    let turns: Vec<Value> = (0..300)
        .map(|turn| json!({"role": if turn % 2 == 0 { "user" } else { "assistant" }, "content": format!("Turn {turn}: {}", "x ".repeat(60))}))
        .collect();
    let text = json!(turns).to_string();
    let (pieces, messages) = pieces(&Input { text: &text, now: NOW, ..Input::default() });
    assert_eq!(messages.len(), 300);
    assert!(pieces.len() > 2);
    assert_eq!(pieces.first().unwrap().turns.start, 0);
    assert_eq!(pieces.last().unwrap().turns.end, 300);
    assert!(pieces.windows(2).all(|pair| pair[0].turns.end == pair[1].turns.start));
    assert!(pieces[0].text.starts_with("[0] user: Turn 0: x "));
    assert!(pieces[0].text.contains("\n[1] assistant: Turn 1: x "));
}

// -------------------------------------------------------------------------------------------------- the answer

#[test]
fn what_is_well_formed_is_taken() {
    let answer = read_about(
        "I live in Rome. See order 4711.",
        json!({
            "fields": [
                {"key": "city", "value": " Rome ", "confidence": 0.97},
                {"key": "age", "value": 41, "confidence": 1.0},
                {"key": "plan", "value": "TEAM", "confidence": 0.5},
                {"key": "last_order", "value": "4711", "confidence": 0.9},
            ],
            "memories": [
                {"content": " User lives in Rome. ", "subject": "User", "kind": "fact", "is_static": true, "confidence": 1,
                 "importance": 7, "event_date": null, "forget_after": null, "turn": null},
                {"content": "User flies to Oslo on 2026-03-10.", "subject": "User", "kind": "event", "is_static": false,
                 "confidence": 0.9, "importance": 0.456, "event_date": "2026-03-10", "forget_after": "2026-03-11", "turn": 5},
            ],
        }),
    )
    .unwrap();
    assert_eq!(
        answer.fields,
        [
            json!({"key": "city", "value": "Rome", "confidence": 0.97}),
            json!({"key": "age", "value": 41, "confidence": 0.99}),
            json!({"key": "plan", "value": "team", "confidence": 0.5}),
            json!({"key": "last_order", "value": "4711", "confidence": 0.9}),
        ]
    );
    assert_eq!(
        answer.memories,
        [
            json!({"content": "User lives in Rome.", "kind": "fact", "is_static": true, "confidence": 0.99, "importance": 1.0,
                   "event_date": null, "forget_after": null, "speaker": null, "sequence": null, "conversation_id": null}),
            json!({"content": "User flies to Oslo on 2026-03-10.", "kind": "event", "is_static": false, "confidence": 0.9,
                   "importance": 0.46, "event_date": "2026-03-10T00:00:00.000Z", "forget_after": "2026-03-11T00:00:00.000Z",
                   "speaker": null, "sequence": null, "conversation_id": null}),
        ]
    );
    assert_eq!((answer.notes, answer.tokens), (Vec::new(), (900, 80)));
}

#[test]
fn a_memory_knows_the_turn_it_was_said_in() {
    let schema = schema();
    let text = "Ada (2026-02-27): I moved to Rome.\nBob (2026-02-28): How nice!\nAda (2026-02-28): And I sing.\n";
    let question = question(text, &schema);
    let (piece, messages) = piece_of(&question);
    assert_eq!(piece.turns, 0..3);
    let said = |turn: i32| {
        let mut memory = memory("Ada sings.");
        memory["subject"] = json!("Ada");
        memory["turn"] = json!(turn);
        let body = completion(&json!({"fields": [], "memories": [memory]}).to_string());
        read(&body, &question, &piece, &messages).unwrap().memories.remove(0)
    };
    let memory = said(2);
    assert_eq!((&memory["speaker"], &memory["sequence"]), (&json!("Ada"), &json!(2)));
    assert_eq!(memory["event_date"], "2026-02-28T00:00:00.000Z");
    assert_eq!((&said(3)["sequence"], &said(-1)["speaker"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_memory_knows_the_slot_it_fills() {
    let said = |subject: &str, slot: &str, negated: bool| {
        let mut memory = memory(&format!("{subject} lives in Rome."));
        for (name, value) in [
            ("subject", json!(subject)),
            ("slot", json!(slot)),
            ("value", json!(" Rome ")),
            ("negated", json!(negated)),
        ] {
            memory[name] = value;
        }
        read_about("I live in Rome.", json!({"fields": [], "memories": [memory]})).unwrap().memories.remove(0)
    };
    let own = said("User", "home", false);
    assert_eq!((&own["slot"], &own["slot_value"], &own["negated"]), (&json!("home"), &json!("Rome"), &json!(false)));
    assert_eq!(said("Ada Byron", "home", false)["slot"], "home of ada byron");
    assert_eq!((&own["denied_fields"], &said("User", "home", true)["denied_fields"]), (&json!([]), &json!(["city"])));
    assert_eq!(said("User", "hobby", false)["slot"], Value::Null);
}

#[test]
fn a_memory_knows_the_plan_that_it_ends_or_moves() {
    let said = |change: Value, plan: Value, event_date: Value, planned_for: Value| {
        let mut memory = memory("User's dentist appointment was moved.");
        memory["plan_change"] = change;
        memory["plan"] = plan;
        memory["event_date"] = event_date;
        memory["planned_for"] = planned_for;
        let answer = read_about("text", json!({"fields": [], "memories": [memory]})).unwrap();
        answer.memories.into_iter().next().unwrap()
    };
    let cancelled = said(json!("cancelled"), json!("my dentist appointment"), Value::Null, json!("2026-03-05"));
    let plan = |day: Value, moved: bool| json!({"words": ["dentist"], "sorts": ["appointment"], "day": day, "moved": moved, "only_known": false});
    assert_eq!(cancelled["calls_off"], plan(json!("2026-03-05T00:00:00.000Z"), false));
    assert_eq!((&cancelled["kind"], &cancelled["forget_after"]), (&json!("event"), &Value::Null));
    // What takes place on a day stops mattering when that is over.
    let moved = said(json!("moved"), json!("dentist appointment"), json!("2026-03-09"), Value::Null);
    assert_eq!(moved["calls_off"], plan(Value::Null, true));
    assert_eq!(moved["forget_after"], "2026-03-10T00:00:00.000Z");
    // Another day that nobody knows is none.
    assert_eq!(said(json!("moved"), json!("dentist"), Value::Null, Value::Null)["calls_off"]["moved"], false);
    for (change, plan) in [
        (Value::Null, json!("dentist")),
        (json!("perhaps"), json!("dentist")),
        (json!("moved"), json!("the")),
        (json!("cancelled"), Value::Null),
    ] {
        assert_eq!(said(change, plan, json!("2026-03-09"), Value::Null).get("calls_off"), None);
    }
}

#[test]
fn what_is_malformed_is_left_out_and_said() {
    let long = format!("User {}", "x".repeat(MAX_CONTENT));
    let unnamed = memory("Likes tea.");
    let mut strange = memory("User likes tea.");
    strange["kind"] = json!("profile_field");
    let mut forged = memory("User likes jazz.");
    forged["id"] = json!("mem_1");
    forged["version"] = json!(9);
    let answer = read_about(
        "text",
        json!({
            "fields": [
                {"key": "age", "value": "old", "confidence": 0.9},
                {"key": "plan", "value": "gold", "confidence": 0.9},
                {"key": "last_order", "value": "9999", "confidence": 0.9},
                {"key": "city", "value": "Ro\u{0}me", "confidence": 0.9},
                {"key": "interests", "value": ["a\u{0}b"], "confidence": 0.9},
                {"key": "password", "value": "x", "confidence": 0.9},
            ],
            "memories": [memory(&long), unnamed, strange, "User sings.", forged, memory("user LIKES jazz."), memory("User\u{0} x")],
        }),
    )
    .unwrap();
    assert_eq!(answer.memories.len(), 1);
    assert_eq!(answer.memories[0]["content"], "User likes jazz.");
    assert!(answer.memories[0].get("id").is_none() && answer.memories[0].get("version").is_none());
    assert_eq!(answer.fields, Vec::<Value>::new());
    assert_eq!(
        answer.notes,
        [
            "left out 5 of the model's memories: malformed, too long or too many",
            "left out the model's values of these fields: age, plan, last_order, city, interests, one that the schema does not have",
        ]
    );
}

#[test]
fn an_answer_has_a_most_memories() {
    let memories: Vec<Value> =
        (0..MAX_MEMORIES + 3).map(|number| memory(&format!("User has the number {number}."))).collect();
    let answer = read_about("text", json!({"fields": [], "memories": memories})).unwrap();
    assert_eq!(answer.memories.len(), MAX_MEMORIES);
    assert!(answer.notes[0].starts_with("left out 3 "));
}

#[test]
fn what_is_wrong_as_a_whole_is_an_error() {
    let schema = schema();
    let question = question("text", &schema);
    let (piece, messages) = piece_of(&question);
    let read = |body: &[u8]| read(body, &question, &piece, &messages).unwrap_err();
    let said = |content: &str| read(&completion(content));
    assert_eq!(read(b"<html>"), BadAnswer::NotACompletion);
    assert_eq!(read(b"[]"), BadAnswer::NotACompletion);
    assert_eq!(read(br#"{"choices": []}"#), BadAnswer::NotACompletion);
    assert_eq!(read(br#"{"choices": [{"message": {"content": null}}]}"#), BadAnswer::NotACompletion);
    assert_eq!(read(br#"{"choices": [{"message": {"content": null, "refusal": "I cannot."}}]}"#), BadAnswer::Refused);
    assert_eq!(read(br#"{"choices": [{"finish_reason": "length", "message": {"content": "{}"}}]}"#), BadAnswer::CutOff);
    assert_eq!(said(r#"{"fields": [], "memories": [{"content": "User"#), BadAnswer::CutOff);
    assert_eq!(said("Sure! Here you are."), BadAnswer::NotJson);
    assert_eq!(said("[1]"), BadAnswer::WrongShape("it is no object"));
    assert_eq!(said(r#"{"fields": []}"#), BadAnswer::WrongShape("it has no memories"));
    assert_eq!(said(r#"{"memories": []}"#), BadAnswer::WrongShape("it has no fields"));
    assert_eq!(said(r#"{"fields": [7], "memories": []}"#), BadAnswer::WrongShape("a field has no key"));
    assert_eq!(
        said(r#"{"fields": [], "memories": [{"text": "User sings."}]}"#),
        BadAnswer::WrongShape("none of its memories has what a memory needs")
    );
}

#[test]
fn a_fence_around_the_answer_is_forgiven() {
    let schema = schema();
    let question = question("text", &schema);
    let (piece, messages) = piece_of(&question);
    let body = completion("```json\n{\"fields\": [], \"memories\": []}\n```");
    assert_eq!(read(&body, &question, &piece, &messages).unwrap().tokens, (900, 80));
}

#[test]
fn the_built_in_extractor_reads_the_same_piece() {
    let schema = schema();
    let turns: Vec<Value> = (0..200)
        .map(|turn| json!({"role": "user", "content": format!("I like the number {turn}. {}", "Well. ".repeat(20))}))
        .chain([json!({"role": "user", "content": "My name is Ada Lovelace."})])
        .collect();
    let text = json!(turns).to_string();
    let question = question(&text, &schema);
    let (pieces, messages) = pieces(&question.input);
    assert!(pieces.len() > 1);
    let found: Vec<Extraction> = pieces.iter().map(|piece| without_model(&question, piece, &messages)).collect();
    let whole = extract(&question.input);
    assert_eq!(found.iter().map(|found| found.memories.len()).sum::<usize>(), whole.memories.len());
    assert!(found[0].memories.iter().any(|memory| memory.content.contains("number 3")));
    let named = |found: &Extraction| found.fields.iter().any(|field| field.key == "name");
    assert!(!named(&found[0]) && named(found.last().unwrap()));
}
