//! Dates in sentences: found by the patterns of the rule book, resolved against the date of the text.
//!
//! "next Tuesday" is the first Tuesday after the date of the text, "last Tuesday" the last one before it; a bare "on
//! Tuesday" looks the way the sentence's tense looks, and so do "on the 31st" and "on New Year's Eve". A span of days (a
//! week, a month, a year) counts from its first day and ends with its last.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan};

use self::rule::{DateOp, DateRule};
use super::rulebook::RuleBook;

pub(super) mod rule;

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

/// When something is said, by the clock on the wall, and in which country that hangs, where it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wall {
    pub(super) at: DateTime,
    /// By its two letters: holidays of one name have days of their own in some countries.
    pub(super) country: Option<&'static str>,
}

impl Wall {
    pub(super) fn date(&self) -> Date {
        self.at.date()
    }
}

/// A day as a point in time: its midnight in UTC, whichever clock it was read from.
pub(super) fn micros_of(day: Date) -> i64 {
    let days = Date::constant(1970, 1, 1).until(day).map(|span| i64::from(span.get_days())).unwrap_or(0);
    days * MICROS_PER_DAY
}

/// Finds the dates of a sentence that is said at a time on the wall, left to right.
pub(super) fn find(book: &RuleBook, text: &str, now: Wall, tense: Tense) -> Vec<When> {
    let asked = Asked { book, now, tense, text };
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = book.any_date.find_at(text, from) {
        let mut end = hit.end();
        from = end;
        // "Tomorrow's meeting" and "every Tuesday" are no dates.
        if text[hit.end()..].starts_with("'s") || book.no_date.is_match(&text[..hit.start()]) {
            continue;
        }
        let rule = book.dates.iter().filter(|rule| rule.holds_in(now.country)).find_map(|rule| {
            let groups = rule.pattern().captures_at(text, hit.start())?;
            let whole = groups.get(0)?;
            (whole.start() == hit.start() && whole.end() == hit.end()).then_some((rule, groups))
        });
        let Some((rule, groups)) = rule else { continue };
        // "On the 3rd floor" and "for Christmas dinner" go on with what they are about.
        if rule.op == DateOp::MonthDay && book.ordinal_days {
            // "Am 3." has its full stop, which ends no word.
            let Some(rest) = text[end..].strip_prefix('.') else { continue };
            end = text.len() - rest.len();
        }
        if matches!(rule.op, DateOp::MonthDay | DateOp::Holiday) && !book.ends_date(&text[end..]) {
            continue;
        }
        let group = |name: &str| groups.name(name).map(|m| m.as_str().to_lowercase());
        if let Some((first, last, form)) = asked.resolve(rule, &group) {
            let absolute = matches!(rule.op, DateOp::Date | DateOp::Holiday | DateOp::Nth) && group("y").is_some();
            let kept = groups.name("keep").map(|m| m.as_str());
            let say = (!absolute).then(|| write(book, form, &group, kept, rule, first));
            found.push(When { start: first, end: last, span: hit.start()..end, say });
            from = end;
        }
    }
    found
}

/// The first and the last day that a date covers, and the form to write it in.
type Days = (Date, Date, &'static str);

/// A sentence whose dates are wanted, and when it is said.
struct Asked<'a> {
    book: &'a RuleBook,
    now: Wall,
    tense: Tense,
    text: &'a str,
}

impl Asked<'_> {
    fn resolve(&self, rule: &DateRule, group: &dyn Fn(&str) -> Option<String>) -> Option<Days> {
        let Asked { book, tense, .. } = *self;
        let today = self.now.date();
        let offset = rule.offset;
        let tense = if group("prep").is_some_and(|word| book.since.contains(&word)) { Tense::Past } else { tense };
        // "Next", "last" and "this" before what is counted.
        let which = group("which").and_then(|word| book.which.get(&word)?.parse::<i32>().ok());
        let one = |day: Date| Some((day, day, "day"));
        match rule.op {
            DateOp::Day => one(today.checked_add(offset.days()).ok()?),
            DateOp::Part => {
                let day = today.checked_add(offset.days()).ok()?;
                Some((day, day, "part"))
            }
            DateOp::Week => week(today.checked_add(offset.weeks()).ok()?),
            // What was done "over the weekend" was done on the last one, once the week has begun.
            DateOp::Weekend => {
                let over = offset == 0 && rule.part.is_none() && tense == Tense::Past;
                let workday = !matches!(today.weekday(), Weekday::Saturday | Weekday::Sunday);
                weekend(today, if over && workday { -1 } else { offset })
            }
            DateOp::Month => month(today.checked_add(offset.months()).ok()?),
            DateOp::Year => year(today.checked_add(offset.years()).ok()?),
            DateOp::Weekday => {
                let weekday = self.weekday(&group("wd")?)?;
                let nth = match (offset, tense) {
                    // Of today one says "today", or else "this Monday".
                    (0, _) if rule.part.is_some() && today.weekday() == weekday => return one(today),
                    (0, Tense::Past) => -1,
                    (0, Tense::Future) => 1,
                    (offset, _) => {
                        offset.checked_mul(group("n").map_or(Some(1), |n| self.number(&n)?.try_into().ok())?)?
                    }
                };
                one(today.nth_weekday(nth, weekday).ok()?)
            }
            // "Built in two days" tells how long it took.
            DateOp::Ago if offset > 0 && tense == Tense::Past => None,
            DateOp::Ago => {
                let n = self.number(&group("n")?)? * i64::from(offset);
                match self.unit(&group("unit")?).as_str() {
                    "day" => one(today.checked_add(Span::new().try_days(n).ok()?).ok()?),
                    "week" if n.abs() <= 2 => one(today.checked_add(Span::new().try_weeks(n).ok()?).ok()?),
                    "week" => week(today.checked_add(Span::new().try_weeks(n).ok()?).ok()?),
                    "month" => month(today.checked_add(Span::new().try_months(n).ok()?).ok()?),
                    _ => year(today.checked_add(Span::new().try_years(n).ok()?).ok()?),
                }
            }
            // "Runs ten kilometres in an hour" tells how long it takes, unless the sentence looks ahead.
            DateOp::Minutes if offset > 0 && (tense == Tense::Past || !book.soon.found_in(self.text)) => None,
            DateOp::Minutes => {
                let n = group("n").map_or(Some(1), |n| self.number(&n))?;
                let span = Span::new().try_minutes(n.checked_mul(i64::from(offset))?).ok()?;
                one(self.now.at.checked_add(span).ok()?.date())
            }
            DateOp::MonthDay => {
                let day = group("d")?.parse().ok()?;
                // "Rent is due on the 1st" of every month.
                if book.yearly.found_in(self.text) {
                    return None;
                }
                // "Thursday the 18th" may lie farther off.
                let weekday = group("wd").and_then(|wd| self.weekday(&wd));
                let reach = if weekday.is_some() { 11 } else { 2 };
                let months = match which {
                    Some(shift) => shift..=shift,
                    None if tense == Tense::Past => -reach..=0,
                    None => 0..=reach,
                };
                let mut days = months.filter_map(|shift| {
                    let month = today.first_of_month().checked_add(shift.months()).ok()?;
                    let day = Date::new(month.year(), month.month(), day).ok()?;
                    weekday.is_none_or(|weekday| day.weekday() == weekday).then_some(day)
                });
                one(match (which, tense) {
                    (Some(_), _) => days.next()?,
                    (None, Tense::Past) => days.rfind(|&day| day <= today)?,
                    (None, Tense::Future) => days.find(|&day| day >= today)?,
                })
            }
            DateOp::Holiday => self.holiday(rule, group, tense, which.filter(|which| *which != 0)),
            DateOp::Edge => {
                let (first, last, form) = self.shifted(&group("unit")?, which.unwrap_or(0))?;
                match book.edges.get(&group("edge")?)?.as_str() {
                    "start" => Some((first, first, form)),
                    "end" => Some((last, last, form)),
                    _ => {
                        let middle = first.checked_add((first.until(last).ok()?.get_days() / 2).days()).ok()?;
                        Some((middle, middle, form))
                    }
                }
            }
            DateOp::Nth => self.nth_of_month(group, tense, which),
            DateOp::Date => {
                let day = self.small(group("d"));
                if let (Some(by @ (-1 | 1)), Some(m)) = (which, self.month_named(group)) {
                    // Said in May, "last May" is not this one.
                    let here =
                        if by < 0 { today.first_of_month().yesterday() } else { today.last_of_month().tomorrow() };
                    let tense = if by < 0 { Tense::Past } else { Tense::Future };
                    return month(nearest(here.ok()?, m, 1, tense)?);
                }
                match (self.small(group("y")), self.month_named(group), day) {
                    (Some(y), Some(m), Some(d)) => one(Date::new(y, m, i8::try_from(d).ok()?).ok()?),
                    (Some(y), Some(m), None) => month(Date::new(y, m, 1).ok()?),
                    (Some(y), None, None) => year(Date::new(y, 1, 1).ok()?),
                    (None, Some(m), d) => {
                        let found = nearest(today, m, i8::try_from(d.unwrap_or(1)).ok()?, tense)?;
                        if d.is_some() { one(found) } else { month(found) }
                    }
                    _ => None,
                }
            }
        }
    }

    /// A day of every year: of the year that is said, or else the one that the tense or "last" and "next" point to.
    fn holiday(
        &self,
        rule: &DateRule,
        group: &dyn Fn(&str) -> Option<String>,
        tense: Tense,
        which: Option<i32>,
    ) -> Option<Days> {
        // What is done every year has no date; nor has what is merely liked, baked or wished for at that time.
        let loose = group("loose").is_some() && tense == Tense::Future && !self.book.soon.found_in(self.text);
        if self.book.yearly.found_in(self.text) || loose {
            return None;
        }
        let in_year = |year: i16| {
            let by_month = || Some((i8::try_from(rule.offset / 100).ok()?, i8::try_from(rule.offset % 100).ok()?));
            match rule.part.as_deref() {
                Some("easter") => easter(year)?.checked_add(rule.offset.days()).ok(),
                Some(weekday) => {
                    let ((month, nth), weekday) = (by_month()?, rule::weekday(weekday)?);
                    let nth = if nth == rule::LAST { -1 } else { nth };
                    Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()
                }
                None => {
                    let (month, day) = by_month()?;
                    Date::new(year, month, day).ok()
                }
            }
        };
        let today = self.now.date();
        let day = match (self.small(group("y")), which, tense) {
            (Some(year), _, _) => in_year(year)?,
            (None, Some(-1), _) => {
                [-1, 0].into_iter().filter_map(|by| in_year(today.year() + by)).rfind(|&day| day < today)?
            }
            (None, Some(_), _) | (None, None, Tense::Future) => {
                [0, 1].into_iter().filter_map(|by| in_year(today.year() + by)).find(|&day| day >= today)?
            }
            (None, None, Tense::Past) => {
                [-1, 0].into_iter().filter_map(|by| in_year(today.year() + by)).rfind(|&day| day <= today)?
            }
        };
        Some((day, day, "holiday"))
    }

    /// "The first week of June", "the last Friday of next month".
    fn nth_of_month(&self, group: &dyn Fn(&str) -> Option<String>, tense: Tense, which: Option<i32>) -> Option<Days> {
        let today = self.now.date();
        let first = match (self.month_named(group), self.small(group("y")), which) {
            (Some(month), Some(year), _) => Date::new(year, month, 1).ok()?,
            (Some(month), None, _) => nearest(today, month, 1, tense)?,
            (None, _, which) => today.checked_add(which.unwrap_or(0).months()).ok()?.first_of_month(),
        };
        let nth = *self.book.ordinals.get(&group("nth")?)?;
        let unit = group("unit")?;
        if let Some(weekday) = self.weekday(&unit) {
            let day = first.nth_weekday_of_month(i8::try_from(nth).ok()?, weekday).ok()?;
            return Some((day, day, "day"));
        }
        let last = first.last_of_month();
        let (start, end) = match (self.unit(&unit).as_str(), nth) {
            ("weekend", nth) => {
                let saturday = first.nth_weekday_of_month(i8::try_from(nth).ok()?, Weekday::Saturday).ok()?;
                (saturday, saturday.tomorrow().ok()?)
            }
            (_, -1) => (last.checked_sub(6.days()).ok()?, last),
            (_, nth) => {
                let start = first.checked_add((7 * (nth - 1)).days()).ok()?;
                (start, start.checked_add(6.days()).ok()?)
            }
        };
        Some((start, end, "bare month"))
    }

    /// A week, a month or a year, so many after this one.
    fn shifted(&self, unit: &str, by: i32) -> Option<Days> {
        let today = self.now.date();
        let (first, last, _) = match self.unit(unit).as_str() {
            "week" => week(today.checked_add(by.weeks()).ok()?)?,
            "month" => month(today.checked_add(by.months()).ok()?)?,
            _ => year(today.checked_add(by.years()).ok()?)?,
        };
        let form = match self.unit(unit).as_str() {
            "week" => "bare week",
            "month" => "bare month",
            _ => "bare year",
        };
        Some((first, last, form))
    }

    fn weekday(&self, word: &str) -> Option<Weekday> {
        Weekday::from_monday_one_offset(i8::try_from(*self.book.weekdays.get(word)?).ok()?).ok()
    }

    /// A month by its name or its number.
    fn month_named(&self, group: &dyn Fn(&str) -> Option<String>) -> Option<i8> {
        let month = group("m")?;
        self.book.months.get(&month).map_or_else(|| month.parse().ok(), |&month| i8::try_from(month).ok())
    }

    /// A number in digits or in words.
    fn number(&self, text: &str) -> Option<i64> {
        text.parse().ok().or_else(|| self.book.numbers.get(text).copied())
    }

    fn small(&self, text: Option<String>) -> Option<i16> {
        text?.parse().ok()
    }

    /// The English name of a unit of time.
    fn unit(&self, word: &str) -> String {
        self.book.units.get(word).map_or(word, String::as_str).to_owned()
    }
}

/// Easter Sunday of the western churches, by the rule of Gauss in the form of Lichtenberg; counted in days of March.
fn easter(year: i16) -> Option<Date> {
    let x = i32::from(year);
    let century = x / 100;
    let moon_shift = 15 + (3 * century + 3) / 4 - (8 * century + 13) / 25;
    let sun_shift = 2 - (3 * century + 3) / 4;
    let moon = x % 19;
    let seed = (19 * moon + moon_shift) % 30;
    let full_moon = 21 + seed - (seed + moon / 11) / 29;
    let first_sunday = 7 - (x + x / 4 + sun_shift) % 7;
    let march = full_moon + 7 - (full_moon - first_sunday) % 7;
    Date::new(year, 3, 1).ok()?.checked_add((march - 1).days()).ok()
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

/// Writes a resolved date, keeping a preposition that says more than "on" or "in", and the words for a holiday or a part.
fn write(
    book: &RuleBook,
    form: &str,
    group: &dyn Fn(&str) -> Option<String>,
    kept: Option<&str>,
    rule: &DateRule,
    start: Date,
) -> String {
    // The edge of a week is named by its Monday.
    let start = if form == "bare week" { week(start).map_or(start, |(monday, ..)| monday) } else { start };
    let template = book.say_date.get(form).map(String::as_str).unwrap_or("{d} {month} {year}");
    let month = book.month_names.get(usize::try_from(start.month() - 1).unwrap_or(0)).map(String::as_str);
    let text = template
        .replace("{d}", &start.day().to_string())
        .replace("{month}", month.unwrap_or_default())
        .replace("{year}", &start.year().to_string())
        .replace("{part}", group("part").as_deref().or(rule.part.as_deref()).unwrap_or("day"));
    let whole_words = matches!(form, "holiday" | "bare week" | "bare month" | "bare year");
    match (kept.filter(|_| whole_words), group("prep")) {
        (Some(kept), _) => format!("{} {text}", kept.trim_end()),
        (None, Some(prep)) => match text.split_once(' ') {
            Some((_, rest)) => format!("{prep} {rest}"),
            None => text,
        },
        (None, None) => text,
    }
}

#[cfg(test)]
mod tests;
