//! A due date in any of the forms in which delivery apps and people write one.
//!
//! `2025-10-02`, `2/10/2025` (day first), `2 October 2025`, `October 2, 2025`, months in full or short, ordinals
//! (`2nd`), a weekday before it or not, anything after it. A date that does not exist is no date; a two-digit year is
//! no date either, because nobody can tell which end of it is the year. The weekday is not compared: where the two
//! disagree, the date is what the buyer picked. A time of day or offset is ignored: the date is the store's own.

use crate::calendar::{Date, month_by_name, number};

/// Years in which a due date can lie.
const YEARS: std::ops::RangeInclusive<u32> = 2000..=2199;
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const FILLERS: [&str; 4] = ["the", "of", "on", "by"];

/// What one piece of a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Number { value: u32, digits: usize },
    Month(u32),
}

/// The date of an attribute: what stands before "between".
pub(super) fn of_attribute(text: &str) -> Option<Date> {
    let lower = text.to_ascii_lowercase();
    parse(lower.get(..lower.find("between").unwrap_or(lower.len()))?)
}

/// The date at the beginning of a text.
pub(super) fn parse(text: &str) -> Option<Date> {
    let mut pieces = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '/' | '-' | '.' | '(' | ')'))
        .filter(|word| !word.is_empty())
        .skip_while(|word| is_weekday(word))
        .filter(|word| !FILLERS.iter().any(|filler| filler.eq_ignore_ascii_case(word)))
        .map(piece);
    let (first, second, third) = (pieces.next()??, pieces.next()??, pieces.next()??);
    use Piece::{Month, Number};
    let (year, month, day) = match (first, second, third) {
        (Number { value: year, digits: 4 }, Number { value: month, .. }, Number { value: day, .. })
        | (Number { value: year, digits: 4 }, Month(month), Number { value: day, .. })
        | (Number { value: day, .. }, Number { value: month, .. }, Number { value: year, digits: 4 })
        | (Number { value: day, .. }, Month(month), Number { value: year, digits: 4 })
        | (Month(month), Number { value: day, .. }, Number { value: year, digits: 4 }) => (year, month, day),
        _ => return None,
    };
    YEARS.contains(&year).then(|| Date::new(i32::try_from(year).ok()?, month, day))?
}

fn is_weekday(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.len() >= 3 && WEEKDAYS.iter().any(|day| day.starts_with(&word))
}

fn piece(word: &str) -> Option<Piece> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return month_by_name(word).map(Piece::Month);
    }
    let (digits, suffix) = word.split_at(digits);
    let ordinal = ["st", "nd", "rd", "th"].iter().any(|ending| suffix.eq_ignore_ascii_case(ending));
    let time = suffix.starts_with(['T', 't']) && suffix.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    (suffix.is_empty() || ordinal || time)
        .then(|| number(digits).map(|value| Piece::Number { value, digits: digits.len() }))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate};

    fn date(text: &str) -> Option<String> {
        of_attribute(text).map(|date| date.to_string())
    }

    #[test]
    fn reads_every_form_that_is_listed_with_and_without_weekday() {
        for form in [
            "2025-10-02",
            "2/10/2025",
            "02/10/2025",
            "2 October 2025",
            "02 oct 2025",
            "2 Oct. 2025",
            "2nd October 2025",
            "2nd of October, 2025",
            "2-Oct-2025",
            "October 2, 2025",
            "Oct 2nd 2025",
            "2025/10/02",
            "2025 October 2",
            "2.10.2025",
        ] {
            for before in ["", "Thursday ", "Thu, ", "thurs. ", "THURSDAY, the ", "Friday "] {
                for after in [
                    "",
                    " ",
                    " between 10:00 and 14:00",
                    " BETWEEN 1 and 2",
                    ", 10:00 AM - 2:00 PM",
                    " at noon",
                ] {
                    let text = format!("{before}{form}{after}");
                    assert_eq!(date(&text).as_deref(), Some("2025-10-02"), "{text}");
                }
            }
        }
        assert_eq!(date("2025-10-02T10:00:00+10:00").as_deref(), Some("2025-10-02"));
    }

    #[test]
    fn the_day_comes_first() {
        assert_eq!(date("3/4/2025").as_deref(), Some("2025-04-03"));
        assert_eq!(date("4/25/2025"), None);
    }

    #[test]
    fn a_date_that_does_not_exist_is_no_date() {
        for text in [
            "2025-02-29",
            "2025-13-01",
            "2025-00-10",
            "31/4/2025",
            "31 April 2025",
            "0 May 2025",
            "30 February 2024",
            "2/10/25",
            "2/10",
            "October 2025",
            "1999-10-02",
            "20251-10-02",
            "2025-10-02x",
            "99999999999-1-1",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(date("29 February 2024").as_deref(), Some("2024-02-29"));
    }

    #[test]
    fn what_is_no_date_is_no_date() {
        for text in [
            "",
            "between 10:00 and 14:00",
            "ASAP",
            "tomorrow",
            "Thursday",
            "-",
            "//",
            "٢/١٠/٢٠٢٥",
            "2nd",
            "\u{0}",
            "🎂",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn agrees_with_a_second_library_on_every_day_of_a_century() {
        let mut day = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
        while day.year() < 2100 {
            let expected = day.to_string();
            for form in ["%Y-%m-%d", "%-d/%-m/%Y", "%A %-d %B %Y", "%a, %d %b %Y"] {
                let text = day.format(form).to_string();
                assert_eq!(date(&text).as_deref(), Some(expected.as_str()), "{text}");
            }
            day = day.succ_opt().unwrap();
        }
    }
}
