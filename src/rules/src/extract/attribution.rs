//! What is told of one person is never learned of another: texts that name several, in every form there is.

use serde_json::json;

use super::tests::{NOW, written};
use super::{Extraction, Input, extract};

fn read(text: &str, name: Option<&str>) -> Extraction {
    extract(&Input { text, now: NOW, subject_name: name, ..Input::default() })
}

fn contents(extraction: &Extraction) -> Vec<&str> {
    extraction.memories.iter().map(|memory| memory.content.as_str()).collect()
}

fn keys(extraction: &Extraction) -> Vec<&str> {
    extraction.fields.iter().map(|field| field.key.as_str()).collect()
}

#[test]
fn a_list_under_a_name_is_about_the_person() {
    let text = "# Ann\n- Lives in Rome\n- Works at Acme\n- Likes jazz and hates olives\n- Doesn't eat meat\n- Dog named Rex\n\n\
                ## Work\n- Software engineer at Acme\n\n## Project Apollo\n- Works on Linux\n";
    let expected = [
        "Ann lives in Rome",
        "Ann works at Acme",
        "Ann likes jazz",
        "Ann hates olives",
        "Ann does not eat meat",
        "Ann has a dog named Rex",
        "Ann is a software engineer at Acme",
    ];
    assert_eq!(contents(&read(text, None)), expected);
    assert_eq!(contents(&read(text, Some("Ann Lee")))[0], "Ann Lee lives in Rome");
    assert_eq!(contents(&read(text, Some("Bob"))), Vec::<&str>::new());
    assert_eq!(contents(&read("- Lives in Rome\n- Vegetarian", None)), ["User lives in Rome", "User is vegetarian"]);
}

#[test]
fn the_head_of_a_mail_says_nothing_of_anybody() {
    let body = "Hi Alice,\n\nI moved to Zurich last week.\n\nCheers,\nBob\n\n> On Monday, Alice wrote:\n> I live in Paris now.\n";
    for sender in ["bob@corp.com", "Bob Smith <bob@corp.com>", "Bob Smith"] {
        let mail = format!(
            "From: {sender}\nTo: alice@corp.com\nSubject: My move\nDate: Mon, 8 May 2023 09:12:00 +0200\n\n{body}"
        );
        assert_eq!(contents(&read(&mail, None)), ["User moved to Zurich in the week of 1 May 2023"], "{sender}");
    }
    assert_eq!(contents(&read("Name: Bob\nFrom: Zurich", None)), ["User's name is Bob", "Bob is from Zurich"]);
}

#[test]
fn what_is_taken_back_in_the_next_message_is_what_its_speaker_said() {
    let talk = |answer: &str, correction: &str| {
        let turns = json!([{ "role": "user", "content": "I own a boat. I live in Rome." },
            { "role": "assistant", "content": answer }, { "role": "user", "content": correction }]);
        read(&turns.to_string(), None)
    };
    let corrected = talk("A fine city!", "Sorry, I meant Florence.");
    assert_eq!(contents(&corrected), ["User owns a boat", "User lives in Florence"]);
    assert_eq!(corrected.memories[1].message, Some(2));
    for (answer, correction) in [
        // An answer, and words that are none of what was said.
        ("Is your sister there, too?", "No, I meant Ann."),
        ("A fine city!", "No, I meant Thursday."),
        ("A fine city!", "No, I meant Florence, not Pisa."),
    ] {
        assert_eq!(contents(&talk(answer, correction)), ["User owns a boat", "User lives in Rome"], "{correction}");
    }
}

#[test]
fn a_project_is_nobody() {
    let text = "# About me\n- Lives in Rome\n\n## Project Apollo\n- Lives on AWS\n- Uses Rust\n";
    let learned = read(text, None);
    assert_eq!(contents(&learned), ["User lives in Rome"]);
    assert_eq!(keys(&learned), ["timezone"]);
}

#[test]
fn a_list_about_a_thing_is_about_nobody() {
    for text in [
        "# Python\n- Is a language\n- Has many libraries\n- Works on Linux\n",
        "# Kubernetes\n- Runs containers\n- Has many objects\n- Works with YAML\n",
        "# Meeting notes with the vendor\n- Likes our offer\n- Lives up to expectations\n",
        "## Release plan\n- Has two phases\n",
    ] {
        assert_eq!(contents(&read(text, None)), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn each_of_several_people_has_their_own() {
    let list = "# Ann\n- Lives in Rome\n\n# Bob\n- Lives in Oslo\n";
    let table = "| Name | City |\n|---|---|\n| Ann | Rome |\n| Bob | Oslo |\n";
    let csv = "name,city\nAnn,Rome\nBob,Oslo\n";
    let form = "Name: Ann\nCity: Rome\n\nName: Bob\nCity: Oslo\n";
    let records = r#"[{"name":"Ann","city":"Rome"},{"name":"Bob","city":"Oslo"}]"#;
    let lines = "Ann: I live in Rome.\nBob: I live in Oslo.\n";
    let messages = r#"[{"role":"assistant","content":"Hello!"},{"role":"user","name":"Ann","content":"I live in Rome."},
        {"role":"user","name":"Bob","content":"I live in Oslo."}]"#;
    for text in [list, table, csv, form, records, lines, messages] {
        let several = read(text, None);
        let seen: Vec<_> = several.memories.iter().map(written).collect();
        let expected = ["fact static home of ann | Ann lives in Rome", "fact static home of bob | Bob lives in Oslo"];
        assert_eq!(seen, expected, "{text}");
        assert_eq!(keys(&several), Vec::<&str>::new(), "{text}");
        let one = read(text, Some("Bob Stone"));
        let seen: Vec<_> = one.memories.iter().map(written).collect();
        assert_eq!(seen, ["fact static home | Bob Stone lives in Oslo"], "{text}");
        assert_eq!(keys(&one), ["timezone"], "{text}");
    }
}

#[test]
fn whoever_speaks_besides_the_user_teaches_nothing() {
    assert_eq!(contents(&read("User: I live in Rome.\nBob: I live in Oslo.", None)), ["User lives in Rome"]);
    assert_eq!(contents(&read("User: hi\nBob: I live in Oslo.", Some("Ann"))), Vec::<&str>::new());
    assert_eq!(contents(&read("Bob: I live in Oslo.\nBob: I like tea.", Some("Ann"))), Vec::<&str>::new());
    // A name that the sender gives the user is the subject's, be it a handle.
    let handle = json!([{ "role": "user", "name": "ann_92", "content": "I live in Rome." }]).to_string();
    assert_eq!(contents(&read(&handle, Some("Ann Lee"))), ["Ann Lee lives in Rome"]);
    // Words before a colon that are no name are none here either.
    assert_eq!(
        contents(&read("Update: I moved to Oslo.\nNote: I like tea.", None)),
        ["User moved to Oslo", "User likes tea"]
    );
}

#[test]
fn what_belongs_to_another_bears_their_name() {
    let text = r#"{"name":"Ann","location":{"city":"Oslo","country":"Norway"},"company":{"name":"Acme","city":"Berlin"},
        "friends":[{"name":"Bob","city":"Paris"}],"manager":{"name":"Zoe","email":"zoe@x.org"},"pets":[{"name":"Rex","type":"dog"}]}"#;
    let extraction = read(text, None);
    assert_eq!(
        contents(&extraction),
        [
            "User's name is Ann",
            "Ann lives in Oslo",
            "Ann's country is Norway",
            "Ann works at Acme",
            "Ann's company city is Berlin",
            "Ann's friends: Bob (city Paris)",
            "Ann's manager name is Zoe",
            "Ann's manager email is zoe@x.org",
            "Ann's pets: Rex (type dog)",
        ]
    );
    assert_eq!(keys(&extraction), ["name", "timezone"]);
}

#[test]
fn front_matter_speaks_of_the_document_and_of_its_person() {
    let text = "---\ntitle: My trip\nauthor: Bob\nname: Ann Lee\ncity: \"Rome\"\ninterests: [chess, tea]\nmanager:\n  name: Zoe\n---\n\nHello\n";
    assert_eq!(
        contents(&read(text, None)),
        [
            "User's name is Ann Lee",
            "Ann Lee lives in Rome",
            "Ann Lee is interested in chess",
            "Ann Lee is interested in tea",
            "Ann Lee's manager name is Zoe",
        ]
    );
}

#[test]
fn the_second_key_of_a_slot_does_not_contradict_the_first() {
    let seen = read("City: Rome\nLocation: the harbour\nCountry: Italy\n", None);
    assert_eq!(contents(&seen), ["User lives in Rome", "User's location is the harbour", "User's country is Italy"]);
}

#[test]
fn a_log_may_be_a_table() {
    let expected = [
        "event dynamic at 2026-01-03 | User signed up for gym (minutes 10) on 3 January 2026",
        "event dynamic at 2026-01-05 | User ran 5 km, slowly (minutes 30) on 5 January 2026",
    ];
    let csv =
        "date,time,activity,minutes\n2026-01-03,10:22,signed up for gym,10\n2026-01-05,07:10,\"ran 5 km, slowly\",30\n";
    let table = "| date | activity | minutes |\n|---|---|---|\n| 2026-01-03 | signed up for gym | 10 |\n| 2026-01-05 | ran 5 km, slowly | 30 |\n";
    for text in [csv, table] {
        let seen: Vec<_> = read(text, None).memories.iter().map(written).collect();
        assert_eq!(seen, expected, "{text}");
    }
    let columns = read("2026-01-03,10:22,signed up for gym\n2026-01-05;07:10;ran 5 km\n", None);
    assert_eq!(contents(&columns), ["User signed up for gym on 3 January 2026", "User ran 5 km on 5 January 2026"]);
    assert_eq!(columns.memories[0].event_date, crate::time::parse_micros("2026-01-03T10:22").ok());
}
