//! Dates and instants, as far as they are needed: valid days, RFC 3339 in, UTC out, dates of HTTP headers.
//!
//! Knows no clock and no time zones: an instant carries its own offset, a day carries none.

use std::fmt;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAY_S: i64 = 24 * 60 * 60;

/// A day that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: i32,
    month: u32,
    day: u32,
}

impl Date {
    /// The day, when the calendar has it.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&day).then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        // The year is taken to begin in March, so that the leap day is its last.
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// The day that many days after 1970-01-01.
    #[must_use]
    pub fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = (shifted + 2) % 12 + 1;
        let year = days.div_euclid(146_097) * 400 + year_of_era + i64::from(month <= 2);
        Self {
            year: i32::try_from(year).unwrap_or(i32::MAX),
            month: u32::try_from(month).unwrap_or(1),
            day: u32::try_from(day).unwrap_or(1),
        }
    }

    /// Its year.
    #[must_use]
    pub fn year(self) -> i32 {
        self.year
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// The number of a month by its English name, full or cut to at least three letters.
#[must_use]
pub fn month_by_name(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| name.len() >= 3 && month.starts_with(&name))?;
    u32::try_from(at + 1).ok()
}

/// An instant, to the microsecond, as Postgres keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    micros: i64,
}

impl Timestamp {
    /// Reads RFC 3339, with `T` or a space, between the years 1970 and 9998. Anything else, an instant without
    /// offset included, is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, rest) = (text.get(..10)?, text.get(10..)?);
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let [year, month, day] = numbers(date, '-')?;
        let date = Date::new(i32::try_from(year).ok()?, month, day)?;
        let [hour, minute, second] = numbers(rest.get(..8)?, ':')?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let rest = rest.get(8..)?;
        let (fraction, offset) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
            None => ("", rest),
        };
        if rest.starts_with('.') && fraction.is_empty() {
            return None;
        }
        let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        let of_day = i64::from(hour * 3600 + minute * 60 + second);
        let seconds = date.days() * DAY_S + of_day - offset_seconds(offset)?;
        let at = Self { micros: seconds * 1_000_000 + micros };
        (1970..9999).contains(&Date::from_days(seconds.div_euclid(DAY_S)).year).then_some(at)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.micros.div_euclid(1_000_000)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with a fraction only when there is one: one instant has one spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.seconds().rem_euclid(DAY_S);
        let date = Date::from_days(self.seconds().div_euclid(DAY_S));
        write!(f, "{date}T{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)?;
        match self.micros.rem_euclid(1_000_000) {
            0 => f.write_str("Z"),
            micros => write!(f, ".{micros:06}Z"),
        }
    }
}

/// An instant in milliseconds since 1970 as RFC 3339 in UTC, always to the millisecond: `2026-11-21T00:00:00.000Z`. A line of
/// the log begins with it, so that no formatter is asked.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    let seconds = ms / 1000;
    let date = Date::from_days(i64::try_from(seconds).unwrap_or(i64::MAX).div_euclid(DAY_S));
    let part = |unit: u64, of: u64| u32::try_from(seconds / unit % of).unwrap_or_default();
    let parts = [
        (date.year.unsigned_abs(), 4, '-'),
        (date.month, 2, '-'),
        (date.day, 2, 'T'),
        (part(3600, 24), 2, ':'),
        (part(60, 60), 2, ':'),
        (part(1, 60), 2, '.'),
        (u32::try_from(ms % 1000).unwrap_or_default(), 3, 'Z'),
    ];
    let mut text = String::with_capacity(24);
    for (number, digits, then) in parts {
        text.extend(
            (0..digits).rev().filter_map(|place| char::from_digit(number / 10_u32.pow(place) % 10, 10)),
        );
        text.push(then);
    }
    text
}

/// Reads the date of an HTTP header (`Sun, 06 Nov 1994 08:49:37 GMT`) as seconds since 1970.
#[must_use]
pub fn http_date(text: &str) -> Option<i64> {
    let mut words = text.split_once(',')?.1.split_ascii_whitespace();
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if words.next() != Some("GMT") || words.next().is_some() {
        return None;
    }
    let date = Date::new(number(year)?.try_into().ok()?, month_by_name(month)?, number(day)?)?;
    let [hour, minute, second] = numbers(time, ':')?;
    (hour < 24 && minute < 60 && second < 61)
        .then(|| date.days() * DAY_S + i64::from(hour * 3600 + minute * 60 + second))
}

fn offset_seconds(text: &str) -> Option<i64> {
    let sign = match text.get(..1)? {
        "Z" | "z" => return (text.len() == 1).then_some(0),
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = (text.get(1..3)?, text.get(3..)?);
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|_| minutes.len() == 2)?);
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

/// Three numbers of fixed width around a separator: `2026-11-21`, `08:49:37`.
fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    let widths = matches!((a.len(), b.len(), c.len()), (2 | 4, 2, 2));
    (widths && parts.next().is_none()).then_some([number(a)?, number(b)?, number(c)?])
}

/// Digits and nothing else, at most nine of them.
pub(crate) fn number(text: &str) -> Option<u32> {
    (text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};

    #[test]
    fn has_the_same_days_as_a_second_library() {
        for days in -720_000..=3_000_000 {
            if days % 7 != 0 && !(-3000..40_000).contains(&days) {
                continue;
            }
            let theirs = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Duration::days(days);
            let ours = Date::from_days(days);
            assert_eq!((ours.year, ours.month, ours.day), (theirs.year(), theirs.month(), theirs.day()));
            assert_eq!(ours.days(), days);
            assert_eq!(Date::new(ours.year, ours.month, ours.day), Some(ours));
        }
    }

    #[test]
    fn knows_which_days_exist() {
        for year in [1900, 2000, 2024, 2025, 2100, 2400] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let theirs = NaiveDate::from_ymd_opt(year, month, day).is_some();
                    assert_eq!(Date::new(year, month, day).is_some(), theirs, "{year}-{month}-{day}");
                }
            }
        }
    }

    #[test]
    fn writes_instants_as_a_second_library_does() {
        for ms in
            (0..4_000_000_000_000_u64).step_by(9_876_543_211).chain([999, 951_782_399_999, 1_709_164_800_000])
        {
            let theirs = DateTime::from_timestamp_millis(ms.try_into().unwrap()).unwrap();
            assert_eq!(rfc3339(ms), theirs.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
    }

    #[test]
    fn reads_instants_as_a_second_library_does() {
        for text in [
            "2026-02-09T12:07:34+11:00",
            "2025-01-23T21:57:18-05:00",
            "2025-07-16T20:09:07+05:30",
            "2026-06-25T01:33:55Z",
            "2026-06-25T01:33:55.123Z",
            "2026-06-25t01:33:55.1234567z",
            "2024-02-29T23:59:59.999999-12:00",
            "1970-01-01T00:00:00Z",
        ] {
            let theirs = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
            let ours = Timestamp::parse(text).unwrap();
            assert_eq!(ours.micros, theirs.timestamp_micros(), "{text}");
            let again = ours.to_string();
            assert_eq!(DateTime::parse_from_rfc3339(&again).unwrap().timestamp_micros(), ours.micros);
        }
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        assert_eq!(Timestamp::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn one_instant_has_one_spelling() {
        let utc = Timestamp::parse("2026-02-09T01:07:34Z").unwrap();
        assert_eq!(Timestamp::parse("2026-02-09T12:07:34+11:00"), Some(utc));
        assert_eq!(Timestamp::parse("2026-02-09 12:07:34.000+1100"), Some(utc));
        assert_eq!(utc.to_string(), "2026-02-09T01:07:34Z");
        assert!(utc < Timestamp::parse("2026-02-09T01:07:34.000001Z").unwrap());
    }

    #[test]
    fn refuses_what_postgres_would_refuse_or_guess() {
        for text in [
            "",
            "now",
            "infinity",
            "2026-02-09",
            "2026-02-09T12:07:34",
            "2026-02-30T12:07:34Z",
            "2026-13-01T12:07:34Z",
            "2026-02-09T24:00:00Z",
            "2026-02-09T12:07:61Z",
            "2026-02-09T12:07:34+99:00",
            "2026-02-09T12:07:34.Z",
            "2026-02-09T12:07:34Zz",
            "0001-01-01T00:00:00+10:00",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-12:00",
            "99999-12-31T23:59:59Z",
            "２０２６-02-09T12:07:34Z",
            "1770000000",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn reads_the_date_of_a_header() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "120",
            "Sun, 6 Foo 1994 1:1:1 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn finds_months_by_name() {
        assert_eq!(month_by_name("October"), Some(10));
        assert_eq!(month_by_name("oct"), Some(10));
        assert_eq!(month_by_name("Sept"), Some(9));
        assert_eq!(month_by_name("may"), Some(5));
        for name in ["", "o", "oc", "octobers", "é"] {
            assert_eq!(month_by_name(name), None);
        }
    }
}
