//! The one pass over a body: grammar, depth, what can be stored, and the places of all pieces.

use super::{DEEPEST, DocumentError, Piece, number};

/// Bytes of a body for each piece that room is made for at first; real orders have 10 to 12, as Shopify sends them.
const BYTES_PER_PIECE: usize = 10;
/// Longest body whose places have room.
const LONGEST: usize = Piece::ESCAPED as usize - 1;

/// Goes over a body that is UTF-8. Gives its pieces, and whether all of them can be stored.
///
/// # Errors
/// When it is not JSON, or nested too deep, whichever comes first.
pub(super) fn over(body: &[u8]) -> Result<(Vec<Piece>, bool), DocumentError> {
    if body.len() > LONGEST {
        return Err(DocumentError::NotJson);
    }
    let pieces = Vec::with_capacity(body.len() / BYTES_PER_PIECE + 1);
    let mut pass = Pass { body, at: 0, pieces, storable: true, open: [0; DEEPEST], kinds: 0, depth: 0 };
    pass.whole()?;
    Ok((pass.pieces, pass.storable))
}

struct Pass<'a> {
    body: &'a [u8],
    at: usize,
    pieces: Vec<Piece>,
    storable: bool,
    /// Where the lists and objects stand that are open.
    open: [u32; DEEPEST],
    /// Which of them are objects: a bit for each, the innermost lowest.
    kinds: u64,
    depth: usize,
}

// Positions and counts of pieces fit: a body is shorter than 2 GiB.
#[allow(clippy::cast_possible_truncation)]
impl Pass<'_> {
    fn whole(&mut self) -> Result<(), DocumentError> {
        loop {
            let opened = self.value()?;
            if !(opened || self.next()?) {
                return Ok(());
            }
        }
    }

    /// One value; of a list or an object that is not empty its beginning. Tells whether a value follows in it.
    #[inline]
    fn value(&mut self) -> Result<bool, DocumentError> {
        match self.solid() {
            Some(b'"') => self.string()?,
            Some(b'{') => return self.open(true, b'}'),
            Some(b'[') => return self.open(false, b']'),
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            _ => {
                let rest = self.body.get(self.at..).unwrap_or_default();
                let (length, storable) = number::length(rest).ok_or(DocumentError::NotJson)?;
                self.storable &= storable;
                self.scalar(length);
            }
        }
        Ok(false)
    }

    /// What stands behind a value. Tells whether another one follows.
    #[inline]
    fn next(&mut self) -> Result<bool, DocumentError> {
        loop {
            let byte = self.solid();
            if self.depth == 0 {
                return if byte.is_none() { Ok(false) } else { Err(DocumentError::NotJson) };
            }
            let in_object = self.kinds & 1 == 1;
            match byte {
                Some(b',') => {
                    self.at += 1;
                    if in_object {
                        self.name()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if in_object => self.close(),
                Some(b']') if !in_object => self.close(),
                _ => return Err(DocumentError::NotJson),
            }
        }
    }

    /// The next byte that is no white space. It is left where it is.
    #[inline]
    fn solid(&mut self) -> Option<u8> {
        match self.body.get(self.at) {
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => self.solid_behind_space(),
        }
    }

    #[cold]
    fn solid_behind_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.body.get(self.at) {
            self.at += 1;
        }
        self.body.get(self.at).copied()
    }

    fn open(&mut self, object: bool, end: u8) -> Result<bool, DocumentError> {
        let place = self.open.get_mut(self.depth).ok_or(DocumentError::TooDeep)?;
        *place = self.pieces.len() as u32;
        self.depth += 1;
        self.kinds = self.kinds << 1 | u64::from(object);
        self.pieces.push(Piece { begin: self.at as u32, end: 0 });
        self.at += 1;
        if self.solid() == Some(end) {
            self.close();
            return Ok(false);
        }
        if object {
            self.name()?;
        }
        Ok(true)
    }

    #[inline]
    fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
        self.kinds >>= 1;
        let end = self.pieces.len() as u32;
        let opened = self.open.get(self.depth).and_then(|place| self.pieces.get_mut(*place as usize));
        if let Some(piece) = opened {
            piece.end = end;
        }
    }

    /// A name with its colon.
    #[inline]
    fn name(&mut self) -> Result<(), DocumentError> {
        if self.solid() != Some(b'"') {
            return Err(DocumentError::NotJson);
        }
        self.string()?;
        if self.solid() != Some(b':') {
            return Err(DocumentError::NotJson);
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), DocumentError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(DocumentError::NotJson);
        }
        self.scalar(word.len());
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, length: usize) {
        let begin = self.at as u32;
        self.at += length;
        self.pieces.push(Piece { begin, end: self.at as u32 });
    }

    #[inline]
    fn string(&mut self) -> Result<(), DocumentError> {
        let begin = self.at;
        let end = begin + 1 + plain(self.body.get(begin + 1..).unwrap_or_default());
        if self.body.get(end) != Some(&b'"') {
            return self.string_with_escapes(begin, end);
        }
        self.at = end + 1;
        self.pieces.push(Piece { begin: begin as u32, end: self.at as u32 });
        Ok(())
    }

    /// A string that is plain up to `at`.
    #[cold]
    fn string_with_escapes(&mut self, begin: usize, at: usize) -> Result<(), DocumentError> {
        self.at = at;
        loop {
            match self.body.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                // A control character, or the end.
                _ => return Err(DocumentError::NotJson),
            }
            self.at += plain(self.body.get(self.at..).unwrap_or_default());
        }
        self.at += 1;
        self.pieces.push(Piece { begin: begin as u32, end: self.at as u32 | Piece::ESCAPED });
        Ok(())
    }

    fn escape(&mut self) -> Result<(), DocumentError> {
        match self.body.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = self.unit()?;
                let high = (0xd800..0xdc00).contains(&unit);
                if high && self.body.get(self.at..self.at + 2) == Some(br"\u") {
                    let before = self.at;
                    if (0xdc00..0xe000).contains(&self.unit()?) {
                        return Ok(());
                    }
                    // What follows is not its other half: it is looked at by itself.
                    self.at = before;
                }
                self.storable &= unit != 0 && !(0xd800..0xe000).contains(&unit);
            }
            _ => return Err(DocumentError::NotJson),
        }
        Ok(())
    }

    /// The four digits of an escape.
    fn unit(&mut self) -> Result<u32, DocumentError> {
        let digits = self.body.get(self.at + 2..self.at + 6).ok_or(DocumentError::NotJson)?;
        self.at += 6;
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(DocumentError::NotJson)?;
            Ok(unit << 4 | digit)
        })
    }
}

/// One in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// How many bytes of a string stand before the next quote, backslash or control character. Eight are looked at together:
/// bodies are long.
#[inline]
fn plain(text: &[u8]) -> usize {
    let mut seen = 0;
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let zero_in = |word: u64| word.wrapping_sub(EACH) & !word;
        let quote = zero_in(word ^ (EACH * u64::from(b'"')));
        let backslash = zero_in(word ^ (EACH * u64::from(b'\\')));
        let control = word.wrapping_sub(EACH * 0x20) & !word;
        // The lowest of these bits is the first such byte; above it a borrow may have set others.
        let stops = (quote | backslash | control) & (EACH << 7);
        if stops != 0 {
            return seen + stops.trailing_zeros() as usize / 8;
        }
        seen += 8;
        rest = behind;
    }
    let stops = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    seen + rest.iter().position(stops).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_what_is_plain_wherever_it_is() {
        for length in 0..40 {
            for filling in [b' ', b'a', b'!', b'#', b'[', b']', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff] {
                let text = vec![filling; length];
                assert_eq!(plain(&text), length);
                for (at, end) in (0..length).flat_map(|at| [b'"', b'\\', 0, b'\n', 0x1f].map(|end| (at, end)))
                {
                    let mut text = text.clone();
                    text[at] = end;
                    assert_eq!(plain(&text), at, "{text:?}");
                }
            }
        }
    }
}
