//! Dates in sentences: found by the patterns of the rule book, resolved against the date of the text.
//!
//! "next Tuesday" is the first Tuesday after the date of the text, "last Tuesday" the last one before it; a bare "on
//! Tuesday" looks the way the sentence's tense looks. A span of days (a week, a month, a year) counts from its first day
//! and ends with its last.

use std::ops::Range;

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::rulebook::{DateOp, DateRule, RuleBook};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A date found in a sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct When {
    /// First day.
    pub(super) start: Date,
    /// Last day.
    pub(super) end: Date,
    /// Where it stands in the sentence.
    pub(super) span: Range<usize>,
    /// What to write in its place, when what is written depends on the date of the text.
    pub(super) say: Option<String>,
}

/// The way an unfinished date looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tense {
    Past,
    Future,
}

/// The day of a point in time.
pub(super) fn day_of(micros: i64) -> Date {
    let epoch = Date::constant(1970, 1, 1);
    let days = Span::new().try_days(micros.div_euclid(MICROS_PER_DAY));
    days.and_then(|days| epoch.checked_add(days)).unwrap_or(epoch)
}

/// The first microsecond of a day.
pub(super) fn micros_of(day: Date) -> i64 {
    let days = Date::constant(1970, 1, 1).until(day).map(|span| i64::from(span.get_days())).unwrap_or(0);
    days * MICROS_PER_DAY
}

/// The first microsecond after a day.
pub(super) fn after(day: Date) -> i64 {
    micros_of(day) + MICROS_PER_DAY
}

/// Finds the dates of a sentence, left to right.
pub(super) fn find(book: &RuleBook, text: &str, today: Date, tense: Tense) -> Vec<When> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = book.any_date.find_at(text, from) {
        from = hit.end();
        // "Tomorrow's meeting" and "every Tuesday" are no dates.
        if text[hit.end()..].starts_with("'s") || book.no_date.is_match(&text[..hit.start()]) {
            continue;
        }
        let rule = book.dates.iter().find_map(|rule| {
            let groups = rule.pattern.captures_at(text, hit.start())?;
            let whole = groups.get(0)?;
            (whole.start() == hit.start() && whole.end() == hit.end()).then_some((rule, groups))
        });
        let Some((rule, groups)) = rule else { continue };
        let group = |name: &str| groups.name(name).map(|m| m.as_str().to_lowercase());
        if let Some((start, end, form)) = resolve(book, rule, &group, today, tense) {
            let absolute = rule.op == DateOp::Date && (group("y").is_some());
            let say = (!absolute).then(|| write(book, form, &group, rule, start));
            found.push(When { start, end, span: hit.range(), say });
        }
    }
    found
}

/// The days that a found date covers, and the form to write it in.
fn resolve(
    book: &RuleBook,
    rule: &DateRule,
    group: &dyn Fn(&str) -> Option<String>,
    today: Date,
    tense: Tense,
) -> Option<(Date, Date, &'static str)> {
    let offset = rule.offset;
    let tense = if group("prep").is_some_and(|word| book.since.contains(&word)) { Tense::Past } else { tense };
    let one = |day: Date| Some((day, day, "day"));
    match rule.op {
        DateOp::Day => one(today.checked_add(offset.days()).ok()?),
        DateOp::Part => {
            let day = today.checked_add(offset.days()).ok()?;
            Some((day, day, "part"))
        }
        DateOp::Week => week(today.checked_add(offset.weeks()).ok()?),
        DateOp::Weekend => weekend(today, offset),
        DateOp::Month => month(today.checked_add(offset.months()).ok()?),
        DateOp::Year => year(today.checked_add(offset.years()).ok()?),
        DateOp::Weekday => {
            let weekday =
                Weekday::from_monday_one_offset(i8::try_from(*book.weekdays.get(&group("wd")?)?).ok()?).ok()?;
            let nth = match (offset, tense) {
                (1, _) => 1,
                (-1, _) => -1,
                (_, Tense::Past) if today.weekday() == weekday => return one(today),
                (_, Tense::Past) => -1,
                (_, Tense::Future) => 1,
            };
            one(today.nth_weekday(nth, weekday).ok()?)
        }
        // "Built in two days" tells how long it took.
        DateOp::Ago if offset > 0 && tense == Tense::Past => None,
        DateOp::Ago => {
            let n = group("n")?;
            let n = n.parse().ok().or_else(|| book.numbers.get(&n).copied())? * i64::from(offset);
            let unit = group("unit")?;
            match book.units.get(&unit).unwrap_or(&unit).as_str() {
                "day" => one(today.checked_add(Span::new().try_days(n).ok()?).ok()?),
                "week" if n.abs() <= 2 => one(today.checked_add(Span::new().try_weeks(n).ok()?).ok()?),
                "week" => week(today.checked_add(Span::new().try_weeks(n).ok()?).ok()?),
                "month" => month(today.checked_add(Span::new().try_months(n).ok()?).ok()?),
                _ => year(today.checked_add(Span::new().try_years(n).ok()?).ok()?),
            }
        }
        DateOp::Date => {
            let number = |name: &str| group(name).and_then(|text| text.parse::<i16>().ok());
            let named_month = group("m").and_then(|m| match book.months.get(&m) {
                Some(&month) => i8::try_from(month).ok(),
                None => m.parse().ok(),
            });
            match (number("y"), named_month, number("d")) {
                (Some(y), Some(m), Some(d)) => one(Date::new(y, m, i8::try_from(d).ok()?).ok()?),
                (Some(y), Some(m), None) => month(Date::new(y, m, 1).ok()?),
                (Some(y), None, None) => year(Date::new(y, 1, 1).ok()?),
                (None, Some(m), d) => {
                    let d = i8::try_from(d.unwrap_or(1)).ok()?;
                    let day = nearest(today, m, d, tense)?;
                    if number("d").is_some() { one(day) } else { month(day) }
                }
                _ => None,
            }
        }
    }
}

/// The day and month of the year that the tense points to.
fn nearest(today: Date, month: i8, day: i8, tense: Tense) -> Option<Date> {
    let this = Date::new(today.year(), month, day).ok()?;
    let shift = match tense {
        Tense::Past if this > today => -1,
        Tense::Future if (this.year(), this.month()) < (today.year(), today.month()) || (day > 1 && this < today) => 1,
        _ => 0,
    };
    Date::new(today.year() + shift, month, day).ok()
}

fn week(day: Date) -> Option<(Date, Date, &'static str)> {
    let monday = day.checked_sub(i32::from(day.weekday().to_monday_zero_offset()).days()).ok()?;
    Some((monday, monday.checked_add(6.days()).ok()?, "week"))
}

fn weekend(today: Date, offset: i32) -> Option<(Date, Date, &'static str)> {
    let (monday, _, _) = week(today)?;
    // On a weekend "last weekend" is the one before, on a weekday the one that has just been: both lie in the week before.
    let saturday = monday.checked_add((7 * offset + 5).days()).ok()?;
    Some((saturday, saturday.checked_add(1.days()).ok()?, "weekend"))
}

fn month(day: Date) -> Option<(Date, Date, &'static str)> {
    Some((day.first_of_month(), day.last_of_month(), "month"))
}

fn year(day: Date) -> Option<(Date, Date, &'static str)> {
    Some((day.first_of_year(), day.last_of_year(), "year"))
}

/// A day as it is written.
pub(super) fn on_day(book: &RuleBook, day: Date) -> String {
    let month = book.month_names.get(usize::try_from(day.month() - 1).unwrap_or(0)).map(String::as_str);
    let template = book.say_date.get("day").map(String::as_str).unwrap_or("{d} {month} {year}");
    let text = template.replace("{d}", &day.day().to_string()).replace("{month}", month.unwrap_or_default());
    text.replace("{year}", &day.year().to_string())
}

/// Writes a resolved date, keeping a preposition that says more than "on" or "in".
fn write(book: &RuleBook, form: &str, group: &dyn Fn(&str) -> Option<String>, rule: &DateRule, start: Date) -> String {
    let template = book.say_date.get(form).map(String::as_str).unwrap_or("{d} {month} {year}");
    let month = book.month_names.get(usize::try_from(start.month() - 1).unwrap_or(0)).map(String::as_str);
    let text = template
        .replace("{d}", &start.day().to_string())
        .replace("{month}", month.unwrap_or_default())
        .replace("{year}", &start.year().to_string())
        .replace("{part}", group("part").as_deref().or(rule.part.as_deref()).unwrap_or("day"));
    match group("prep") {
        Some(prep) => match text.split_once(' ') {
            Some((_, rest)) => format!("{prep} {rest}"),
            None => text,
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, tense: Tense) -> Vec<(String, String, String)> {
        // A Monday.
        let today = Date::constant(2023, 5, 8);
        find(RuleBook::english(), text, today, tense)
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
    fn micros_and_days_agree() {
        for micros in [0, -1, 1, 1_700_000_000_000_000, -62_000_000_000_000_000] {
            let day = day_of(micros);
            assert!(micros_of(day) <= micros && micros < after(day), "{micros}");
        }
        assert_eq!(day_of(i64::MAX), Date::constant(1970, 1, 1));
    }
}
