//! Personal data out of log lines: e-mail addresses, phone numbers and UUIDs inside any text, and secrets whose form
//! is known.
//!
//! `john.doe@example.com` becomes `joh***@example.com`, `+8801234567890` becomes `+880****90`,
//! `550e8400-e29b-41d4-a716-446655440000` becomes `550e8400-****`. Knows no logger; what should never reach a log
//! (names, addresses, payloads) is not its business.

use std::borrow::Cow;

/// Prefixes of secrets that must not be logged even by mistake.
const SECRETS: [&str; 7] = ["eyJ", "shpat_", "shpca_", "shpss_", "sb_secret_", "sbp_", "xoxb-"];
const REDACTED: &str = "[REDACTED]";
const UUID_LENGTH: usize = 36;
/// Digits that a phone number has at least and at most (E.164).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Longest phone number as written; a bound, so that a line of digits takes linear time.
const LONGEST_PHONE: usize = 40;

/// The text with personal data masked; borrowed when there was none.
#[must_use]
pub fn sanitize(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let (mut copied, mut at, mut is_in_word) = (0, 0, false);
    while let Some(byte) = text.as_bytes().get(at) {
        let found = if may_begin(*byte, is_in_word) { find(text, copied, at) } else { None };
        if let Some(Found { start, end, mask }) = found {
            masked.push_str(text.get(copied..start).unwrap_or_default());
            masked.push_str(&mask);
            (copied, at, is_in_word) = (end, end, false);
        } else {
            is_in_word = byte.is_ascii_alphanumeric();
            at += 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// Whether anything that is masked can begin, or have its `@`, with this byte: most of a text is passed over by it.
fn may_begin(byte: u8, is_in_word: bool) -> bool {
    match byte {
        b'@' | b'%' => true,
        b'+' | b'(' | b's' | b'x' => !is_in_word,
        _ => !is_in_word && byte.is_ascii_hexdigit(),
    }
}

struct Found {
    start: usize,
    end: usize,
    mask: String,
}

/// What starts at `at`, or, for an e-mail address, has its `@` there; nothing before `from` may be used again.
fn find(text: &str, from: usize, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    match *rest.as_bytes().first()? {
        b'@' => email(text, from, at, 1),
        b'%' if rest.get(1..3) == Some("40") => email(text, from, at, 3),
        _ => secret(rest, at).or_else(|| uuid(rest, at)).or_else(|| phone(rest, at)),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// Length of the leading run of characters that satisfy the predicate, in bytes.
fn run(text: &str, predicate: impl Fn(char) -> bool) -> usize {
    text.find(|c| !predicate(c)).unwrap_or(text.len())
}

fn email(text: &str, from: usize, at: usize, width: usize) -> Option<Found> {
    let in_local = |c: char| {
        c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '\'' | '~' | '!' | '#' | '$' | '&')
    };
    let before = text.get(from..at)?;
    let local = before.rfind(|c| !in_local(c)).map_or(before, |cut| {
        let next = cut + before.get(cut..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        before.get(next..).unwrap_or_default()
    });
    let domain = text.get(at + width..)?;
    let domain = domain.get(..run(domain, |c| c.is_alphanumeric() || matches!(c, '-' | '.')))?;
    if local.is_empty() || !domain.starts_with(char::is_alphanumeric) {
        return None;
    }
    let shown = local.chars().count().saturating_sub(1).min(3);
    let head: String = local.chars().take(shown).collect();
    Some(Found {
        start: at - local.len(),
        end: at + width + domain.len(),
        mask: format!("{head}***@{domain}"),
    })
}

fn secret(rest: &str, at: usize) -> Option<Found> {
    SECRETS.iter().find(|prefix| rest.starts_with(**prefix))?;
    let length = run(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '='));
    (length >= 16).then(|| Found { start: at, end: at + length, mask: REDACTED.into() })
}

fn uuid(rest: &str, at: usize) -> Option<Found> {
    let candidate = rest.get(..UUID_LENGTH).filter(|candidate| crate::action::is_uuid(candidate))?;
    let ends = !rest.get(UUID_LENGTH..)?.starts_with(is_word);
    ends.then(|| Found {
        start: at,
        end: at + UUID_LENGTH,
        mask: format!("{}-****", &candidate.get(..8).unwrap_or_default()),
    })
}

/// A phone number: `+` and 7 to 15 digits; a national one with its leading 0; one written in groups. A bare run of
/// digits is left alone: order numbers and ids are digits too, and a log without them is useless.
fn phone(rest: &str, at: usize) -> Option<Found> {
    let first = rest.chars().next()?;
    if !(first == '+' || first == '(' || first.is_ascii_digit()) {
        return None;
    }
    let body = rest.get(usize::from(first == '+')..)?;
    let in_phone = |b: &u8| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'.' | b'(' | b')');
    let length = body.bytes().take(LONGEST_PHONE).take_while(in_phone).count();
    let written = body.get(..length)?.trim_end_matches(|c: char| !c.is_ascii_digit());
    if body.get(written.len()..)?.starts_with(|c: char| c.is_ascii_alphabetic() || c == ':') {
        return None;
    }
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    let is_phone = match first {
        '+' => PHONE_DIGITS.contains(&digits.len()),
        '0' => (9..=11).contains(&digits.len()),
        _ => grouped(written),
    };
    let end = at + usize::from(first == '+') + written.len();
    let plus = if first == '+' { "+" } else { "" };
    let (head, tail) = (digits.get(..3)?, digits.get(digits.len().checked_sub(2)?..)?);
    is_phone.then(|| Found { start: at, end, mask: format!("{plus}{head}****{tail}") })
}

/// `555-625-1199`, `(555) 625-1199`, `555.625.1199`
fn grouped(written: &str) -> bool {
    let groups: Vec<usize> = written
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .map(str::len)
        .collect();
    groups == [3, 3, 4] || (written.starts_with('(') && groups.iter().sum::<usize>() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_exactly_the_forms_of_the_specification() {
        let cases = [
            ("john.doe@example.com", "joh***@example.com"),
            ("+8801234567890", "+880****90"),
            ("550e8400-e29b-41d4-a716-446655440000", "550e8400-****"),
        ];
        for (raw, masked) in cases {
            assert_eq!(sanitize(raw), masked);
            assert_eq!(sanitize(&format!("user {raw}, failed")), format!("user {masked}, failed"));
            assert_eq!(sanitize(&format!("{{\"a\":\"{raw}\"}}")), format!("{{\"a\":\"{masked}\"}}"));
            assert_eq!(sanitize(&format!("{raw} {raw}")), format!("{masked} {masked}"));
        }
    }

    #[test]
    fn a_short_address_never_shows_whole() {
        assert_eq!(sanitize("abc@x.com"), "ab***@x.com");
        assert_eq!(sanitize("a@x.com"), "***@x.com");
        assert_eq!(sanitize("<jörg@münchen.de>"), "<jör***@münchen.de>");
        assert_eq!(sanitize("email=john%40example.com&x"), "email=joh***@example.com&x");
        assert_eq!(sanitize("jamie@localhost"), "jam***@localhost");
    }

    #[test]
    fn finds_phones_as_people_write_them() {
        let cases = [
            ("+61 400 000 123", "+614****23"),
            ("+1 (555) 625-1199", "+155****99"),
            ("0412 345 678", "041****78"),
            ("(02) 9999 1234.", "029****34."),
            ("555-625-1199", "555****99"),
            ("call +61400000123, or +61400000124", "call +614****23, or +614****24"),
        ];
        for (raw, masked) in cases {
            assert_eq!(sanitize(raw), masked);
        }
    }

    #[test]
    fn leaves_ids_times_and_amounts_alone() {
        for text in [
            "",
            "order bannos-12345 gid://shopify/Order/820982911946154508 took 12 ms",
            "2026-11-21T00:31:00.123Z",
            "2026-11-21 00:31:00",
            "id 6198821716268, 1234567890",
            "89.00 AUD, +12, 3 @ 4, @home, a@, 100%",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "10.0.0.1:8780",
        ] {
            assert!(
                matches!(sanitize(text), Cow::Borrowed(same) if same == text),
                "{text} → {}",
                sanitize(text)
            );
        }
    }

    #[test]
    fn secrets_never_pass() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-_";
        assert_eq!(sanitize(&format!("Bearer {jwt}!")), "Bearer [REDACTED]!");
        assert_eq!(sanitize("token shpat_0123456789abcdef"), "token [REDACTED]");
        assert_eq!(sanitize("sb_secret_0123456789"), REDACTED);
    }

    #[test]
    fn no_secret_begins_with_a_letter_that_is_passed_over() {
        for secret in SECRETS {
            assert!(may_begin(secret.as_bytes()[0], false), "{secret}");
        }
    }

    #[test]
    fn what_is_masked_stays_masked() {
        for text in ["john.doe@example.com", "+8801234567890", "550e8400-e29b-41d4-a716-446655440000"] {
            let once = sanitize(text).into_owned();
            assert!(!once.contains("john.doe") && !once.contains("1234567") && !once.contains("e29b"));
        }
    }

    #[test]
    fn survives_any_text() {
        let alphabet: Vec<char> = "a0+@%4(). -é中\u{0}🎂eyJ\"".chars().collect();
        let mut seed = 7u64;
        for _ in 0..20_000 {
            let text: String = (0..24)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    alphabet[(seed >> 33) as usize % alphabet.len()]
                })
                .collect();
            let masked = sanitize(&text);
            assert!(masked.len() <= text.len() + 64);
        }
        for part in ["a@", "1 ", "+", "(1)", "eyJ.", "%40"] {
            assert!(!sanitize(&part.repeat(100_000)).is_empty());
        }
    }
}
