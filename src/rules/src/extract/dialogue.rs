//! What people say to each other: answers, advice, and plans of long ago.

use serde_json::{Value, json};

use super::tests::{NOW, written};
use super::{Extraction, Input, extract};

const DAY: i64 = 86_400_000_000;

fn read_at(now: i64, turns: &[(&str, &str)]) -> Extraction {
    let date = crate::time::format_micros(NOW);
    let message =
        |(name, text): &(&str, &str)| json!({ "role": "user", "name": name, "content": text, "timestamp": date });
    let text = Value::Array(turns.iter().map(message).collect()).to_string();
    extract(&Input { text: &text, now, ..Input::default() })
}

/// Each memory with its turn and the other turn whose words it holds.
fn seen(turns: &[(&str, &str)]) -> Vec<(String, Option<usize>, Option<usize>)> {
    let found = read_at(NOW, turns);
    found.memories.into_iter().map(|memory| (memory.content, memory.message, memory.context_message)).collect()
}

fn memory(content: &str, turn: usize, context: Option<usize>) -> (String, Option<usize>, Option<usize>) {
    (content.to_owned(), Some(turn), context)
}

#[test]
fn an_answer_brings_its_question() {
    assert_eq!(
        seen(&[
            ("Ben", "Wow, a whole week in the mountains! How did everybody like the cold?"),
            ("Ann", "They were tired and hungry. I bought a new tent."),
        ]),
        [
            memory("Ann answered \"How did everybody like the cold?\": They were tired and hungry", 1, Some(0)),
            memory("Ann bought a new tent", 1, None),
        ]
    );
    // A thing that the question names is named instead of repeating the question.
    assert_eq!(
        seen(&[("Ben", "How are the twins?"), ("Ann", "They were tired and hungry. I bought a new tent.")])[0],
        memory("Ann said of the twins: They were tired and hungry", 1, Some(0))
    );
    assert_eq!(
        seen(&[("Ben", "Where will everybody sleep?"), ("Ann", "A cabin near Bergen, Ben!")]),
        [memory("Ann answered \"Where will everybody sleep?\": A cabin near Bergen", 1, Some(0))]
    );
}

#[test]
fn a_question_is_answered_once_and_soon_and_by_somebody_else() {
    let twice =
        seen(&[("Ben", "What did you see in Oslo?"), ("Ann", "Polar ships mostly. Old boats and a hall of maps.")]);
    assert_eq!(
        twice,
        [
            memory("Ann answered \"What did you see in Oslo?\": Polar ships mostly", 1, Some(0)),
            memory("Ann said: Old boats and a hall of maps", 1, None),
        ]
    );
    let own = seen(&[("Ann", "What did you see in Oslo?"), ("Ann", "Polar ships, wooden boats, old maps and dogs.")]);
    assert_eq!(own, [memory("Ann said: Polar ships, wooden boats, old maps and dogs", 1, None)]);
    let sentence = seen(&[("Ben", "What did you see in Oslo?"), ("Ann", "I went to Bergen last week.")]);
    assert_eq!(sentence, [memory("Ann went to Bergen in the week of 1 May 2023", 1, None)]);
}

#[test]
fn a_statement_brings_the_question_that_it_answers() {
    // The first that may hold it: the hobby lasts and stays as it is, and so does what has a date of its own.
    assert_eq!(
        seen(&[
            ("Ben", "That bike looks fast! What got you into racing?"),
            ("Ann", "I love bikes. I was bored to death. I'm training with the village club."),
        ]),
        [
            memory("Ann loves bikes", 1, None),
            memory("Ann answered \"What got you into racing?\": Ann was bored to death", 1, Some(0)),
            memory("Ann is training with the village club", 1, None),
        ]
    );
    // Said to the one who asked: that goes without saying.
    assert_eq!(
        seen(&[("Ben", "Any idea for my cake?"), ("Ann", "You can replace the butter with coconut oil.")]),
        [memory("Ann answered \"Any idea for my cake?\": You can replace the butter with coconut oil", 1, Some(0))]
    );
    for answer in ["I live in Oslo.", "I don't eat meat.", "I'm flying to Rome next Friday."] {
        let plain = seen(&[("Ben", "Nice weather."), ("Ann", answer)]);
        assert_eq!(seen(&[("Ben", "What is new with you?"), ("Ann", answer)]), plain, "{answer}");
        assert_eq!(plain.len(), 1, "{answer}");
    }
}

#[test]
fn a_picture_is_kept_with_the_words_that_it_came_with() {
    assert_eq!(
        seen(&[("Ben", "Hello!"), ("Ann", "I love kites. I'm building a new kite. [image: a red kite on a table]")]),
        [
            memory("Ann loves kites", 1, None),
            memory("Ann is building a new kite [image: a red kite on a table]", 1, None),
        ]
    );
    assert_eq!(
        seen(&[("Ben", "Hello!"), ("Ann", "Look! [image: a red kite on a wooden table]")]),
        [memory("Ann said: [image: a red kite on a wooden table]", 1, None)]
    );
    // A turn ends by asking although a picture follows.
    assert_eq!(
        seen(&[("Ben", "Who made it? [image: a red kite]"), ("Ann", "The twins of the baker next door.")])[1].2,
        Some(0)
    );
}

#[test]
fn courtesy_answers_nothing() {
    for answer in ["Yes!", "They're great.", "Thanks, Ben!", "It was nice.", "No, sorry."] {
        assert_eq!(seen(&[("Ben", "How did the twins like the mountains?"), ("Ann", answer)]), [], "{answer}");
    }
}

#[test]
fn a_pronoun_names_the_turn_that_it_points_to() {
    assert_eq!(
        seen(&[("Ben", "My sister Eva called me."), ("Ben", "She is a surgeon in Oslo."), ("Ann", "I like jazz.")]),
        [
            memory("Ben's sister Eva called them", 0, None),
            memory("Ben's sister Eva is a surgeon in Oslo", 1, Some(0)),
            memory("Ann likes jazz", 2, None),
        ]
    );
}

#[test]
fn advice_is_said_to_the_listener() {
    let advice = "You can replace the butter in cakes with coconut oil.";
    assert_eq!(
        seen(&[("Ann", "I bake a lot."), ("Ben", advice)])[1..],
        [memory("Ben said to Ann: You can replace the butter in cakes with coconut oil", 1, None)]
    );
    // Of three people it is not known whom "you" means, and praise is no advice.
    assert_eq!(seen(&[("Ann", "I bake a lot."), ("Eva", "Hello!"), ("Ben", advice)]).len(), 1);
    assert_eq!(
        seen(&[("Ann", "I bake a lot."), ("Ben", "You are so good at that! Stay safe and see you soon.")]).len(),
        1
    );
    let asides = read_at(NOW, &[("Ann", "I bake a lot."), ("Ben", advice)]).memories;
    assert!(asides[1].aside && !asides[0].aside);
}

#[test]
fn a_plan_that_was_over_when_it_is_read_stays() {
    let turns = [("Ann", "I'm flying to Rome next Friday."), ("Ben", "Have fun!")];
    let ahead = read_at(NOW, &turns);
    assert_eq!(
        ahead.memories.iter().map(written).collect::<Vec<_>>(),
        ["event dynamic at 2023-05-12 until 2023-05-13 | Ann is flying to Rome on 12 May 2023"]
    );
    let over = read_at(NOW + 400 * DAY, &turns);
    assert_eq!(
        over.memories.iter().map(written).collect::<Vec<_>>(),
        ["event dynamic at 2023-05-12 | Ann is flying to Rome on 12 May 2023"]
    );
}

/// What the user's answer to a question of the assistant teaches.
fn answered(question: &str, answer: &str) -> Vec<String> {
    let text = json!([{ "role": "assistant", "content": question }, { "role": "user", "content": answer }]).to_string();
    let input = Input { text: &text, now: NOW, ..Input::default() };
    extract(&input).memories.iter().map(written).collect()
}

#[test]
fn short_answers_to_the_assistant_state_what_it_asked() {
    for (question, answer, expected) in [
        ("Where do you live now?", "In Lisbon, since March.", "fact static home | User lives in Lisbon, since March"),
        ("Great! Where do you live?", "Lisbon", "fact static home | User lives in Lisbon"),
        ("Where are you from?", "From Porto.", "fact static origin | User is from Porto"),
        ("And where do you work?", "At Siemens", "fact static employer | User works at Siemens"),
        ("What do you do for a living?", "Nurse", "fact static job | User works as a nurse"),
        ("How old are you?", "34", "fact static age | User is 34 years old"),
        ("What's your name?", "Clara", "fact static name | User's name is Clara"),
        ("What's your favorite color?", "Green.", "preference static favorite.color | User's favorite color is Green"),
        ("How many kids do you have?", "Two, a boy and a girl.", "fact static | User has two kids, a boy and a girl"),
        ("Do you have any pets?", "Yes, two cats.", "fact static | User has two cats"),
        ("Do you have a dog?", "Yes", "fact static | User has a dog"),
        ("Do you have a dog?", "Yes, I do!", "fact static | User has a dog"),
        ("Do you like tea?", "Yes, I love green tea.", "preference static | User loves green tea"),
        ("Do you have a dog?", "No, I don't.", "fact dynamic negated | User does not have a dog"),
        ("Do you have a dog?", "No.", "fact dynamic negated | User does not have a dog"),
        ("Are you vegetarian?", "Yes, since 2019.", "fact static diet at 2019-01-01 | User is vegetarian, since 2019"),
        ("Are you married?", "Nope", "fact dynamic negated | User is not married"),
        ("Do you smoke?", "No, never.", "fact dynamic negated | User does not smoke"),
        ("Do you like jazz?", "Yeah!", "preference static | User likes jazz"),
        ("Do you like jazz?", "Not really.", "preference static negated | User does not like jazz"),
        ("Do you speak Spanish?", "Yes.", "fact static | User speaks Spanish"),
        ("How often do you run?", "Twice a week.", "fact dynamic | User runs twice a week"),
        ("Have you ever been to Japan?", "Yes, twice.", "event dynamic | User has been to Japan, twice"),
        ("Can you swim?", "No", "fact dynamic negated | User cannot swim"),
    ] {
        assert_eq!(answered(question, answer), [expected], "{question} {answer}");
    }
}

#[test]
fn who_does_not_answer_the_assistant_states_nothing() {
    for (question, answer) in [
        ("Where do you live?", "No idea."),
        ("Where do you live?", "Why do you ask?"),
        ("Where do you live?", "That's private."),
        ("Where do you live?", "Maybe in Rome soon."),
        ("Where do you work?", "It depends."),
        ("How old are you?", "Guess!"),
        ("Do you have any pets?", "Not sure."),
        ("Do you have any questions?", "Yes"),
        ("Do you like this?", "Yes"),
        ("Do you live in Rome or in Oslo?", "Yes"),
        ("Are you sure?", "Yes."),
        ("Do you want me to book it?", "Yes, please."),
        ("Have you ever been to Japan?", "Maybe."),
        ("What's your favorite color?", "Never mind."),
        ("What's your name?", "Tell me yours first."),
    ] {
        assert!(answered(question, answer).is_empty(), "{question} {answer}: {:?}", answered(question, answer));
    }
    // The sentence of the user's own is read instead, and what nobody asked is no answer.
    assert_eq!(answered("Where do you live?", "I moved to Oslo."), ["fact static home | User moved to Oslo"]);
    let later = json!([
        { "role": "assistant", "content": "Where do you live?" },
        { "role": "user", "content": "Hello." },
        { "role": "assistant", "content": "Hi!" },
        { "role": "user", "content": "Lisbon" },
    ]);
    let text = later.to_string();
    let input = Input { text: &text, now: NOW, ..Input::default() };
    assert!(extract(&input).memories.is_empty());
}

#[test]
fn one_answer_to_two_questions_states_two_things() {
    let text = json!([
        { "role": "assistant", "content": "Do you smoke?" },
        { "role": "user", "content": "No." },
        { "role": "assistant", "content": "Do you have a car?" },
        { "role": "user", "content": "No." },
    ])
    .to_string();
    let input = Input { text: &text, now: NOW, ..Input::default() };
    let found: Vec<_> =
        extract(&input).memories.into_iter().map(|m| (m.content, m.message, m.context_message)).collect();
    assert_eq!(found, [memory("User does not smoke", 1, Some(0)), memory("User does not have a car", 3, Some(2))]);
}
