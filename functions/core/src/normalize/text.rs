//! Text as people typed it, made fit for a label and a database: no control or invisible characters, no markup,
//! spaces where spaces belong, and an end.
//!
//! Only tags of a known name are taken for markup: a kitchen that never sees `<no nuts>` because somebody typed it in
//! angle brackets is worse off than one that sees a stray tag.

/// Longest single-line text, in characters.
pub(super) const LINE: usize = 255;
/// Longest text of several lines, in characters.
pub(super) const BLOCK: usize = 5000;

const TAGS: [&str; 34] = [
    "a", "b", "i", "u", "s", "p", "br", "hr", "div", "span", "em", "strong", "small", "h1", "h2", "h3", "h4",
    "h5", "h6", "ul", "ol", "li", "table", "tr", "td", "th", "font", "center", "img", "script", "style",
    "iframe", "svg", "body",
];
const ENTITIES: [(&str, &str); 6] =
    [("&amp;", "&"), ("&quot;", "\""), ("&#39;", "'"), ("&#039;", "'"), ("&apos;", "'"), ("&nbsp;", " ")];

/// How many times the longest result is looked at: what stands behind is cut off before anything is cleaned.
const SLACK: usize = 8;

/// One line: every run of white space is one space. `None` when nothing is left.
pub(super) fn line(text: &str, longest: usize) -> Option<String> {
    if is_fit(text, longest) {
        return Some(text.to_owned());
    }
    finish(&words(&clean(head(text, longest))), longest)
}

/// Whether nothing has to be done with a line, as is the rule.
fn is_fit(text: &str, longest: usize) -> bool {
    let mut before = b' ';
    let plain = text.bytes().all(|byte| {
        let fits = byte.is_ascii_graphic() && !matches!(byte, b'<' | b'&') || byte == b' ' && before != b' ';
        before = byte;
        fits
    });
    plain && before != b' ' && text.len() <= longest
}

/// Several lines: each trimmed, empty ones at most one in a row.
pub(super) fn block(text: &str, longest: usize) -> Option<String> {
    let clean = clean(head(text, longest));
    let mut lines: Vec<String> = Vec::new();
    for line in clean.split('\n').map(words) {
        if !(line.is_empty() && lines.last().is_none_or(String::is_empty)) {
            lines.push(line);
        }
    }
    finish(&lines.join("\n"), longest)
}

fn head(text: &str, longest: usize) -> &str {
    text.char_indices().nth(longest * SLACK).map_or(text, |(at, _)| text.get(..at).unwrap_or_default())
}

fn words(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for word in line.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

fn finish(text: &str, longest: usize) -> Option<String> {
    let end = text.char_indices().nth(longest).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end).unwrap_or_default().trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Without markup, control and invisible characters; line breaks as `\n`.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '<'
            && let Some((tag, after)) = tag(rest)
        {
            // Words on both sides of a tag stay apart only where the tag breaks the line.
            if matches!(tag, "br" | "p" | "div" | "li" | "tr" | "hr") {
                clean.push('\n');
            }
            rest = after;
            continue;
        }
        if c == '&'
            && let Some((entity, meaning)) = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity))
        {
            clean.push_str(meaning);
            rest = rest.get(entity.len()..).unwrap_or_default();
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\r' if rest.starts_with('\n') => {}
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' => clean.push(' '),
            // Joiners shape emoji and Indic scripts; between plain letters they only hide.
            '\u{200c}' | '\u{200d}' => {
                let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !c.is_whitespace());
                if joins(clean.chars().next_back()) && joins(rest.chars().next()) {
                    clean.push(c);
                }
            }
            c if is_invisible(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// The name of the known tag that the text starts with, and what follows the tag.
fn tag(text: &str) -> Option<(&'static str, &str)> {
    let inner = text.get(1..)?;
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    let length = inner.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (name, rest) = inner.split_at(length);
    let known = TAGS.iter().find(|tag| tag.eq_ignore_ascii_case(name))?;
    // A tag is short; the limit keeps a text full of `<a` from being searched to its end again and again.
    let near = rest.char_indices().nth(500).map_or(rest, |(at, _)| rest.get(..at).unwrap_or_default());
    let end = near.find('>').filter(|_| near.starts_with([' ', '>', '/', '\n', '\t']))?;
    Some((known, rest.get(end + 1..).unwrap_or_default()))
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<String> {
        line(text, LINE)
    }

    #[test]
    fn trims_and_joins_white_space() {
        assert_eq!(one("  Jamie \t\r\n  Rivera\u{a0} ").as_deref(), Some("Jamie Rivera"));
        for text in ["", "   ", "\u{200b}\u{feff}", "<br>", "\u{0}\u{1}", "&nbsp;"] {
            assert_eq!(one(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_fit_stays_as_it_is() {
        let pieces = ["a", " ", "&", "<", ";", "\u{e9}", "\u{7f}", "\t", "amp", "br>"];
        for mut number in 0..10_usize.pow(4) {
            let mut text = String::new();
            while number > 0 {
                text.push_str(pieces[number % 10]);
                number /= 10;
            }
            for longest in 0..7 {
                let cleaned = finish(&words(&clean(head(&text, longest))), longest);
                assert_eq!(line(&text, longest), cleaned, "{text:?}");
            }
        }
    }

    #[test]
    fn removes_what_cannot_be_seen() {
        assert_eq!(one("Va\u{0}ni\u{200b}lla\u{202e}\u{7f}\u{ad}").as_deref(), Some("Vanilla"));
        assert_eq!(one("Van\u{200d}illa").as_deref(), Some("Vanilla"));
    }

    #[test]
    fn keeps_what_joins_letters_of_other_scripts_and_emoji() {
        for text in ["👩‍🍳", "क्‍ष", "測試商品", "Ünïcødé", "🎂 Café"] {
            assert_eq!(one(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn removes_markup_and_nothing_that_only_looks_like_it() {
        assert_eq!(one("<b>Vanilla</b> <SPAN class=\"x\">Bean</span>").as_deref(), Some("Vanilla Bean"));
        assert_eq!(one("<script>alert(1)</script>").as_deref(), Some("alert(1)"));
        assert_eq!(one("Salt &amp; Pepper&#39;s").as_deref(), Some("Salt & Pepper's"));
        for text in
            ["I <3 cake", "a < b > c", "<no nuts>", "< b>", "<", "<b", "5 > 4", "&lt;b&gt;", "<bob@x>"]
        {
            assert_eq!(one(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block(" a \r\n\r\n\r\n b<br/>c\n", BLOCK).as_deref(), Some("a\n\nb\nc"));
        assert_eq!(block("\n\n", BLOCK), None);
    }

    #[test]
    fn ends_at_the_cap_between_characters() {
        assert_eq!(line(&"é".repeat(1000), 10).unwrap(), "é".repeat(10));
        assert_eq!(line("ab cd", 3).as_deref(), Some("ab"));
        assert_eq!(block(&"🎂".repeat(9000), BLOCK).unwrap().chars().count(), BLOCK);
    }

    #[test]
    fn a_hostile_text_takes_linear_time() {
        let text = "<a ".repeat(300_000);
        assert!(line(&text, LINE).is_some());
    }
}
