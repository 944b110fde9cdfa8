use proptest::prelude::*;

use super::*;

fn relation(new: &str, known: &str) -> Option<Relation> {
    let read = |text| Statement::read(text, Some("Sarah Chen")).unwrap();
    let (a, b) = (read(new), read(known));
    let relation = a.relation_to(&b);
    match relation {
        Some(Relation::Extends) => assert!(a.gists_of_beginnings().contains(&b.gist()), "{new} | {known}"),
        Some(_) => assert_eq!(a.gist(), b.gist(), "{new} | {known}"),
        None => {}
    }
    relation
}

/// The pairs of the set, each with its section.
fn pairs() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut section = "";
    let mut pairs = Vec::new();
    for line in include_str!("../../data/en.paraphrases").lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((a, b)) = line.split_once(" | ").filter(|_| !line.starts_with('#')) {
            pairs.push((section, a, b));
        }
    }
    pairs
}

#[test]
fn no_two_statements_that_differ_pass_for_one() {
    let pairs = pairs();
    let wrong: Vec<_> =
        pairs.iter().filter(|(section, a, b)| *section != "same" && relation(a, b) == Some(Relation::Same)).collect();
    assert!(pairs.iter().filter(|(section, ..)| *section != "same").count() >= 150);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn most_paraphrases_pass() {
    let same: Vec<_> = pairs().into_iter().filter(|(section, ..)| *section == "same").collect();
    let missed: Vec<_> = same.iter().filter(|(_, a, b)| relation(a, b) != Some(Relation::Same)).collect();
    assert!(same.len() >= 150);
    assert!(missed.len() * 10 <= same.len() * 4, "missed {} of {}", missed.len(), same.len());
    assert!(same.iter().all(|(_, a, b)| relation(a, b) != Some(Relation::Contradicts)));
}

#[test]
fn it_holds_both_ways() {
    for (_, a, b) in pairs() {
        for both_ways in [Relation::Same, Relation::Contradicts] {
            assert_eq!(relation(a, b) == Some(both_ways), relation(b, a) == Some(both_ways), "{a} | {b}");
        }
    }
}

#[test]
fn a_denial_contradicts_what_it_denies() {
    for (new, known) in [
        ("User does not like tea", "User likes tea"),
        ("User no longer lives in Berlin", "User lives in Berlin"),
        ("User does not work at Acme any more", "User works for Acme"),
        ("User never eats meat", "User eats meat"),
        ("User quit smoking", "User smokes"),
        ("User stopped playing chess", "User plays chess"),
        ("User has no children", "User has children"),
        ("User isn't allergic to peanuts", "User is allergic to peanuts"),
        ("User likes tea", "User doesn't like tea"),
        ("User dislikes tea", "User likes tea"),
        ("User loves tea", "User hates tea"),
        ("User is fond of tea", "User cannot stand tea"),
    ] {
        assert_eq!(relation(new, known), Some(Relation::Contradicts), "{new} | {known}");
    }
    // Not to hate is less than to like, and no denial of it.
    for text in ["User does not hate tea", "User no longer dislikes tea"] {
        assert_eq!(Statement::read(text, None), None, "{text}");
    }
    for (new, known) in [
        ("User does not like tea", "User likes coffee"),
        ("User does not like tea", "User likes green tea"),
        ("User did not go to Rome", "User goes to Rome"),
        ("User's sister does not smoke", "User smokes"),
        ("User quit the job at Acme", "User works at Acme"),
        ("User never smokes", "User does not smoke"),
    ] {
        assert_eq!(relation(new, known), None, "{new} | {known}");
    }
}

#[test]
fn a_detail_extends() {
    for (new, known) in [
        ("User has a dog named Rex", "User has a dog"),
        ("User works at Acme as a nurse", "User is employed by Acme"),
        ("User lives in Berlin with her sister", "User lives in Berlin"),
    ] {
        assert_eq!(relation(new, known), Some(Relation::Extends), "{new} | {known}");
        assert_eq!(relation(known, new), None, "{new} | {known}");
    }
    for (new, known) in [
        ("User has a dog", "User has"),
        ("User does not like green tea", "User does not like"),
        ("User's sister has a dog", "User has a dog"),
    ] {
        assert_eq!(relation(new, known), None, "{new} | {known}");
    }
}

#[test]
fn the_subject_goes_by_several_names() {
    assert_eq!(relation("Sarah lives in Berlin", "User lives in Berlin"), Some(Relation::Same));
    assert_eq!(relation("Sarah Chen lives in Berlin", "Sarah resides in Berlin"), Some(Relation::Same));
    assert_eq!(relation("Chen lives in Berlin", "User lives in Berlin"), None);
}

#[test]
fn what_is_no_statement_is_not_compared() {
    let turns = ["Ann: I like tea", "Dr. Ann Lee: Yes", "Does User like tea?"];
    for text in ["", "  ", "?!", "the", &"word ".repeat(100)].into_iter().chain(turns) {
        assert_eq!(Statement::read(text, None), None, "{text}");
    }
}

#[test]
fn values_of_a_slot_are_compared_by_what_they_name() {
    for (a, b) in [("Berlin", "berlin"), ("Berlin", "Berlin, Germany"), ("the Hague", "Hague"), ("30", "30")] {
        assert!(same_value(a, b) && same_value(b, a), "{a} | {b}");
    }
    for (a, b) in
        [("Berlin", "Bern"), ("Paris, France", "Paris, Texas"), ("", "Berlin"), ("30", "31"), ("York", "New York")]
    {
        assert!(!same_value(a, b) && !same_value(b, a), "{a} | {b}");
    }
}

#[test]
fn gists_never_change() {
    let gist = |text| Statement::read(text, None).map(|statement| statement.gist());
    assert_eq!(gist("User likes tea"), gist("User does not enjoy tea"));
    assert_eq!(gist("User likes tea"), Some(GIST_OF_LIKES_TEA));
}

/// Stored in databases: after a change of the hash, what was written before is not recognised any more.
const GIST_OF_LIKES_TEA: i64 = 4_038_185_798_346_790_440;

proptest! {
    #[test]
    fn any_text_says_the_same_as_itself(text in ".{0,200}") {
        if let Some(statement) = Statement::read(&text, None) {
            prop_assert_eq!(statement.relation_to(&statement), Some(Relation::Same));
        }
    }

    #[test]
    fn relations_are_found_by_the_gist(a in "(user|ann|not|never|likes|tea|7|no longer|does|smoke|in|'s| ){1,12}",
                                       b in "(user|ann|not|never|likes|tea|7|no longer|does|smoke|in|'s| ){1,12}") {
        if let (Some(a), Some(b)) = (Statement::read(&a, None), Statement::read(&b, None)) {
            match a.relation_to(&b) {
                Some(Relation::Extends) => prop_assert!(a.gists_of_beginnings().contains(&b.gist())),
                Some(_) => prop_assert_eq!(a.gist(), b.gist()),
                None => {}
            }
        }
    }
}

#[test]
fn statements_meet_by_their_text_their_gist_or_a_beginning() {
    let met = |texts: &[&str]| {
        let (mut gists, mut places) = (Vec::new(), Vec::new());
        for (text, place) in texts.iter().zip(1..) {
            if let Some(statement) = Statement::read(text, None) {
                gists.push(statement.gist());
                gists.extend(statement.gists_of_beginnings());
            }
            places.resize(gists.len(), place);
        }
        let mut met: Vec<i32> = meeting(texts, &gists, &places).into_iter().collect();
        met.sort_unstable();
        met
    };
    assert_eq!(met(&[]), [0; 0]);
    assert_eq!(met(&["User likes green tea", "User likes black coffee", "Is it late?"]), [0; 0]);
    assert_eq!(met(&["Is it late?", "User likes green tea", "Is it late?"]), [1, 3]);
    assert_eq!(met(&["User likes green tea", "User has a dog", "User does not like green tea"]), [1, 3]);
    assert_eq!(met(&["User went to Rome with her sister", "User has a dog", "User went to Rome"]), [1, 3]);
    assert_eq!(met(&["User went to Rome", "User went to Rome with her sister", "User went to Rome in May"]), [1, 2, 3]);
}
