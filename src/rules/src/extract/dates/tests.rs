//! Dates as people write them.

use super::*;
use crate::extract::zones;

/// 8 May 2023, nobody knows where.
const MONDAY: Wall = Wall { at: Date::constant(2023, 5, 8).at(0, 0, 0, 0), country: None };

fn resolved(text: &str, tense: Tense) -> Vec<(String, String, String)> {
    find(RuleBook::english(), text, MONDAY, tense)
        .into_iter()
        .map(|when| (when.start.to_string(), when.end.to_string(), when.say.unwrap_or_default()))
        .collect()
}

#[test]
fn relative_dates_are_resolved() {
    let cases = [
        ("went there yesterday", Tense::Past, "2023-05-07", "2023-05-07", "on 7 May 2023"),
        ("the day before yesterday it rained", Tense::Past, "2023-05-06", "2023-05-06", "on 6 May 2023"),
        ("flies tomorrow", Tense::Future, "2023-05-09", "2023-05-09", "on 9 May 2023"),
        ("dinner tonight", Tense::Future, "2023-05-08", "2023-05-08", "on the night of 8 May 2023"),
        ("slept badly last night", Tense::Past, "2023-05-07", "2023-05-07", "on the night of 7 May 2023"),
        ("next Tuesday", Tense::Future, "2023-05-09", "2023-05-09", "on 9 May 2023"),
        ("next Monday", Tense::Future, "2023-05-15", "2023-05-15", "on 15 May 2023"),
        ("last Monday", Tense::Past, "2023-05-01", "2023-05-01", "on 1 May 2023"),
        ("met on Friday", Tense::Past, "2023-05-05", "2023-05-05", "on 5 May 2023"),
        ("meets on Friday", Tense::Future, "2023-05-12", "2023-05-12", "on 12 May 2023"),
        ("last week", Tense::Past, "2023-05-01", "2023-05-07", "in the week of 1 May 2023"),
        ("next week", Tense::Future, "2023-05-15", "2023-05-21", "in the week of 15 May 2023"),
        ("last weekend", Tense::Past, "2023-05-06", "2023-05-07", "on the weekend of 6 May 2023"),
        ("this weekend", Tense::Future, "2023-05-13", "2023-05-14", "on the weekend of 13 May 2023"),
        ("last month", Tense::Past, "2023-04-01", "2023-04-30", "in April 2023"),
        ("next month", Tense::Future, "2023-06-01", "2023-06-30", "in June 2023"),
        ("last year", Tense::Past, "2022-01-01", "2022-12-31", "in 2022"),
        ("in 2 days", Tense::Future, "2023-05-10", "2023-05-10", "on 10 May 2023"),
        ("three days ago", Tense::Past, "2023-05-05", "2023-05-05", "on 5 May 2023"),
        ("two weeks ago", Tense::Past, "2023-04-24", "2023-04-24", "on 24 April 2023"),
        ("a few months ago", Tense::Past, "2023-02-01", "2023-02-28", "in February 2023"),
        ("ten years ago", Tense::Past, "2013-01-01", "2013-12-31", "in 2013"),
        ("by next Friday", Tense::Future, "2023-05-12", "2023-05-12", "by 12 May 2023"),
        ("on 3 June", Tense::Future, "2023-06-03", "2023-06-03", "on 3 June 2023"),
        ("on June 3rd", Tense::Past, "2022-06-03", "2022-06-03", "on 3 June 2022"),
        ("in January", Tense::Past, "2023-01-01", "2023-01-31", "in January 2023"),
        ("in January", Tense::Future, "2024-01-01", "2024-01-31", "in January 2024"),
    ];
    for (text, tense, start, end, say) in cases {
        let expected = vec![(start.to_owned(), end.to_owned(), say.to_owned())];
        assert_eq!(resolved(text, tense), expected, "{text}");
    }
}

#[test]
fn absolute_dates_keep_their_words() {
    for (text, start, end) in [
        ("on 7 May 2023", "2023-05-07", "2023-05-07"),
        ("May 7, 2023", "2023-05-07", "2023-05-07"),
        ("2023-05-07", "2023-05-07", "2023-05-07"),
        ("in March 2021", "2021-03-01", "2021-03-31"),
        ("in 2019", "2019-01-01", "2019-12-31"),
    ] {
        let expected = vec![(start.to_owned(), end.to_owned(), String::new())];
        assert_eq!(resolved(text, Tense::Past), expected, "{text}");
    }
}

#[test]
fn habits_and_nonsense_are_no_dates() {
    for text in ["every Tuesday", "each Friday", "31 February 2023", "in 999 days' notice of nothing", "may I"] {
        let found = resolved(text, Tense::Past);
        assert!(found.is_empty() || text.starts_with("in 999"), "{text}: {found:?}");
    }
}

#[test]
fn days_are_midnights() {
    assert_eq!(micros_of(Date::constant(1970, 1, 2)), 86_400_000_000);
    assert_eq!(micros_of(Date::constant(1969, 12, 31)), -86_400_000_000);
}

fn check(book: &RuleBook, now: Wall, cases: &[(&str, Tense, &str, &str, &str)]) {
    for (text, tense, start, end, say) in cases {
        let found: Vec<(String, String, String)> = find(book, text, now, *tense)
            .into_iter()
            .map(|when| (when.start.to_string(), when.end.to_string(), when.say.unwrap_or_default()))
            .collect();
        let expected = match *start {
            "" => Vec::new(),
            start => vec![(start.to_owned(), if end.is_empty() { start } else { end }.to_owned(), (*say).to_owned())],
        };
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn days_of_a_month_that_is_not_named() {
    use Tense::{Future, Past};
    let cases = [
        ("flies on the 31st", Future, "2023-05-31", "", "on 31 May 2023"),
        ("flies on the 8th", Future, "2023-05-08", "", "on 8 May 2023"),
        ("flies on the 5th at noon", Future, "2023-06-05", "", "on 5 June 2023"),
        ("must pay by the 1st", Future, "2023-06-01", "", "by 1 June 2023"),
        ("flew on the 5th", Past, "2023-05-05", "", "on 5 May 2023"),
        ("flew on the 31st", Past, "2023-03-31", "", "on 31 March 2023"),
        ("flies on the 3rd of next month", Future, "2023-06-03", "", "on 3 June 2023"),
        ("flew on the 3rd of last month", Past, "2023-04-03", "", "on 3 April 2023"),
        ("starts on Monday the 15th", Future, "2023-05-15", "", "on 15 May 2023"),
        ("starts on Thursday the 18th at noon", Future, "2023-05-18", "", "on 18 May 2023"),
        ("met on Friday, the 13th", Past, "2023-01-13", "", "on 13 January 2023"),
        ("pays rent on the 1st", Future, "", "", ""),
        ("moves next May", Future, "2024-05-01", "2024-05-31", "in May 2024"),
        ("moved last June", Past, "2022-06-01", "2022-06-30", "in June 2022"),
        ("moved last May", Past, "2022-05-01", "2022-05-31", "in May 2022"),
        ("flies on the 3rd of June", Future, "2023-06-03", "", "on 3 June 2023"),
        ("lives on the 3rd floor", Future, "", "", ""),
        ("won on the 2nd try", Past, "", "", ""),
        ("flies on the 32nd", Future, "", "", ""),
        ("flies on the 31st of next month", Future, "", "", ""),
    ];
    check(RuleBook::english(), MONDAY, &cases);
}

#[test]
fn hours_and_minutes_from_now() {
    use Tense::{Future, Past};
    let cases = [
        ("has a meeting in 45 minutes", Future, "2023-05-08", "", "on 8 May 2023"),
        ("is leaving in an hour", Future, "2023-05-09", "", "on 9 May 2023"),
        ("is leaving in half an hour", Future, "2023-05-08", "", "on 8 May 2023"),
        ("has a call 20 minutes from now", Future, "2023-05-08", "", "on 8 May 2023"),
        ("left two hours ago", Past, "2023-05-08", "", "on 8 May 2023"),
        ("has a call tomorrow", Future, "2023-05-09", "", "on 9 May 2023"),
        ("runs 10 km in an hour", Future, "", "", ""),
        ("cleaned it in 45 minutes", Past, "", "", ""),
    ];
    check(RuleBook::english(), Wall { at: MONDAY.at.date().at(23, 10, 0, 0), ..MONDAY }, &cases);
}

#[test]
fn holidays_of_the_calendar() {
    use Tense::{Future, Past};
    let cases = [
        ("flies on Christmas Eve", Future, "2023-12-24", "", "on Christmas Eve (24 December 2023)"),
        ("goes home for Christmas", Future, "", "", ""),
        ("is going home for Christmas", Future, "2023-12-25", "", "for Christmas (25 December 2023)"),
        ("got a bike for Christmas", Past, "2022-12-25", "", "for Christmas (25 December 2022)"),
        ("met on New Year's Eve", Past, "2022-12-31", "", "on New Year's Eve (31 December 2022)"),
        ("will marry on Valentine's Day", Future, "2024-02-14", "", "on Valentine's Day (14 February 2024)"),
        ("married on Valentine's Day 2020", Past, "2020-02-14", "", ""),
        ("was in Rome last Halloween", Past, "2022-10-31", "", "last Halloween (31 October 2022)"),
        ("visits Ann next Easter", Future, "2024-03-31", "", "next Easter (31 March 2024)"),
        ("was ill on Good Friday", Past, "2023-04-07", "", "on Good Friday (7 April 2023)"),
        ("always eats fish on Christmas Eve", Future, "", "", ""),
        ("loves Christmas", Future, "", "", ""),
        ("is cooking for Christmas dinner", Future, "", "", ""),
    ];
    check(RuleBook::english(), MONDAY, &cases);
}

#[test]
fn easter_is_where_the_church_puts_it() {
    let days = [
        (1818, 3, 22),
        (1943, 4, 25),
        (2000, 4, 23),
        (2008, 3, 23),
        (2023, 4, 9),
        (2024, 3, 31),
        (2038, 4, 25),
        (2049, 4, 18),
    ];
    for (year, month, day) in days {
        assert_eq!(easter(year), Some(Date::constant(year, month, day)));
    }
}

#[test]
fn counted_days_weeks_and_edges() {
    use Tense::{Future, Past};
    let cases = [
        ("met two Fridays ago", Past, "2023-04-28", "", "on 28 April 2023"),
        ("met a couple of Mondays ago", Past, "2023-04-24", "", "on 24 April 2023"),
        ("met on the Friday before last", Past, "2023-04-28", "", "on 28 April 2023"),
        ("meets the Friday after next", Future, "2023-05-19", "", "on 19 May 2023"),
        ("was ill the week before last", Past, "2023-04-24", "2023-04-30", "in the week of 24 April 2023"),
        ("was ill the month before last", Past, "2023-03-01", "2023-03-31", "in March 2023"),
        ("is off the week after next", Future, "2023-05-22", "2023-05-28", "in the week of 22 May 2023"),
        ("moves at the end of the month", Future, "2023-05-31", "", "at the end of May 2023"),
        ("must be done by the end of next week", Future, "2023-05-21", "", "by the end of the week of 15 May 2023"),
        ("started at the beginning of last year", Past, "2022-01-01", "", "at the beginning of 2022"),
        ("starts in the middle of next month", Future, "2023-06-15", "", "in the middle of June 2023"),
        ("by end of year", Future, "2023-12-31", "", "by end of 2023"),
        ("is away the first week of June", Future, "2023-06-01", "2023-06-07", "the first week of June 2023"),
        ("is away in the last week of June 2024", Future, "2024-06-24", "2024-06-30", ""),
        ("meets on the first Monday of June", Future, "2023-06-05", "", "on 5 June 2023"),
        ("meets on the last Friday of next month", Future, "2023-06-30", "", "on 30 June 2023"),
        ("was away the second weekend of April", Past, "2023-04-08", "2023-04-09", "the second weekend of April 2023"),
        ("works in the first week", Future, "", "", ""),
    ];
    check(RuleBook::english(), MONDAY, &cases);
}

#[test]
fn the_same_in_german() {
    use Tense::{Future, Past};
    let cases = [
        ("fliegt am 31. nach Rom", Future, "2023-05-31", "", "am 31. Mai 2023"),
        ("muss bis zum 1. zahlen", Future, "2023-06-01", "", "bis 1. Juni 2023"),
        ("fliegt am 3. Juni", Future, "2023-06-03", "", "am 3. Juni 2023"),
        ("war am 3. Tag krank", Past, "", "", ""),
        ("hat in einer Stunde einen Termin", Future, "2023-05-09", "", "am 9. Mai 2023"),
        ("läuft 10 km in 50 Minuten", Future, "", "", ""),
        ("fährt an Heiligabend nach Hause", Future, "2023-12-24", "", "an Heiligabend (24. Dezember 2023)"),
        ("war an Silvester in Rom", Past, "2022-12-31", "", "an Silvester (31. Dezember 2022)"),
        ("heiratet am Valentinstag", Future, "2024-02-14", "", "am Valentinstag (14. Februar 2024)"),
        ("isst an Weihnachten immer Fisch", Future, "", "", ""),
        ("fuhr am vorletzten Freitag", Past, "2023-04-28", "", "am 28. April 2023"),
        ("fuhr vor zwei Freitagen", Past, "2023-04-28", "", "am 28. April 2023"),
        ("fährt übernächsten Freitag", Future, "2023-05-19", "", "am 19. Mai 2023"),
        ("zieht Ende des Monats um", Future, "2023-05-31", "", "Ende Mai 2023"),
        ("ist in der ersten Woche im Juni weg", Future, "2023-06-01", "2023-06-07", "in der ersten Woche im Juni 2023"),
    ];
    check(RuleBook::of(Some("de")), Wall { at: MONDAY.at.date().at(23, 10, 0, 0), ..MONDAY }, &cases);
}

#[test]
fn today_is_not_called_by_its_weekday() {
    use Tense::{Future, Past};
    let cases = [
        ("met on Monday", Past, "2023-05-01", "", "on 1 May 2023"),
        ("meets on Monday", Future, "2023-05-15", "", "on 15 May 2023"),
        ("has been ill since Monday", Past, "2023-05-01", "", "since 1 May 2023"),
        ("meets this Monday", Future, "2023-05-08", "", "on 8 May 2023"),
        ("met this Monday", Past, "2023-05-08", "", "on 8 May 2023"),
        ("meets this Friday", Future, "2023-05-12", "", "on 12 May 2023"),
        ("met this Friday", Past, "2023-05-05", "", "on 5 May 2023"),
    ];
    check(RuleBook::english(), MONDAY, &cases);
    let cases = [
        ("war am Montag krank", Past, "2023-05-01", "", "am 1. Mai 2023"),
        ("fliegt diesen Montag", Future, "2023-05-08", "", "am 8. Mai 2023"),
    ];
    check(RuleBook::of(Some("de")), MONDAY, &cases);
}

#[test]
fn the_weekend_lies_behind_in_the_past_tense() {
    use Tense::{Future, Past};
    let on = |day: i8| Wall { at: Date::constant(2023, 5, day).at(12, 0, 0, 0), ..MONDAY };
    let last = ("2023-05-06", "2023-05-07", "on the weekend of 6 May 2023");
    let next = ("2023-05-13", "2023-05-14", "on the weekend of 13 May 2023");
    for (text, tense, day, (start, end, say)) in [
        ("went camping over the weekend", Past, 8, last),
        ("went camping this weekend", Past, 9, last),
        ("went camping on the weekend", Past, 12, last),
        ("went camping over the weekend", Past, 7, last),
        ("went camping over the weekend", Past, 13, next),
        ("is going camping over the weekend", Future, 8, next),
        ("is going camping this weekend", Future, 13, next),
        ("booked a hut for the coming weekend", Past, 8, ("2023-05-13", "2023-05-14", "on the weekend of 13 May 2023")),
    ] {
        check(RuleBook::english(), on(day), &[(text, tense, start, end, say)]);
    }
    for (text, tense, start, end) in [
        ("war am Wochenende zelten", Past, "2023-05-06", "2023-05-07"),
        ("war übers Wochenende zelten", Past, "2023-05-06", "2023-05-07"),
        ("fährt am Wochenende weg", Future, "2023-05-13", "2023-05-14"),
        ("fährt am kommenden Wochenende weg", Future, "2023-05-13", "2023-05-14"),
    ] {
        let say = format!("am Wochenende vom {}. Mai 2023", start[8..].trim_start_matches('0'));
        check(RuleBook::of(Some("de")), MONDAY, &[(text, tense, start, end, say.as_str())]);
    }
}

#[test]
fn holidays_are_where_their_country_has_them() {
    let day = |text: &str, zone: &str| {
        let wall = Wall { country: zones::country(zone), ..MONDAY };
        let book = RuleBook::of(text.contains("tag").then_some("de"));
        find(book, text, wall, Tense::Future).first().map(|when| when.start.to_string()).unwrap_or_default()
    };
    for (text, zone, expected) in [
        ("will visit her on Mother's Day", "America/Chicago", "2023-05-14"),
        ("will visit her on Mother's Day", "Europe/Berlin", "2023-05-14"),
        ("will visit her on Mothers Day", "Europe/London", "2024-03-10"),
        ("will visit her on Mother's Day", "Europe/Madrid", "2024-05-05"),
        ("will visit her on Mother's Day", "Europe/Stockholm", "2023-05-28"),
        ("will visit her on Mother's Day", "Europe/Warsaw", "2023-05-26"),
        ("will visit her on Mother's Day", "Africa/Cairo", ""),
        ("will visit her on Mother's Day", "UTC", ""),
        ("will visit him on Father's Day", "Europe/London", "2023-06-18"),
        ("will visit him on Father's Day", "Australia/Sydney", "2023-09-03"),
        ("will visit him on Father's Day", "Europe/Berlin", "2023-05-18"),
        ("will visit him on Father's Day", "Europe/Rome", "2024-03-19"),
        ("flies home on Thanksgiving", "America/New_York", "2023-11-23"),
        ("flies home on Thanksgiving", "US/Pacific", "2023-11-23"),
        ("flies home on Thanksgiving Day", "America/Toronto", "2023-10-09"),
        ("flies home on Thanksgiving", "Europe/Berlin", ""),
        ("flies home on Canadian Thanksgiving", "Europe/Berlin", "2023-10-09"),
        ("is moving on Labor Day", "America/Denver", "2023-09-04"),
        ("is moving on Labour Day", "Pacific/Auckland", "2023-10-23"),
        ("is moving on Labour Day", "Asia/Kolkata", "2024-05-01"),
        ("is moving on Labour Day", "Australia/Perth", ""),
        ("is moving on Memorial Day", "America/Phoenix", "2023-05-29"),
        ("besucht sie am Muttertag", "UTC", "2023-05-14"),
        ("wandert am Vatertag", "Europe/Berlin", "2023-05-18"),
        ("wandert am Vatertag", "Europe/Vienna", "2023-06-11"),
        ("wandert am Vatertag", "UTC", ""),
    ] {
        assert_eq!(day(text, zone), expected, "{text} in {zone}");
    }
    let all = RuleBook::english().dates.iter().chain(&RuleBook::of(Some("de")).dates);
    let countries: Vec<&str> = all.flat_map(DateRule::countries).collect();
    assert!(countries.iter().all(|country| zones::has_country(country)), "{countries:?}");
}
