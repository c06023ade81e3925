//! A received JSON body: is it JSON, is it shallow enough, can the database hold it? And where its pieces are.
//!
//! All of that is found in one pass over the bytes, with a stack of fixed size, so that no body can exhaust the call
//! stack. What comes of it is a list of places, eight bytes for each name and value; nothing is copied or built. Knows
//! nothing of what the document means.

mod number;
mod pass;

use std::fmt;

/// Deepest nesting that is read.
pub const DEEPEST: usize = 64;

/// Why a body cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// Not JSON, or not UTF-8.
    NotJson,
    /// Nested deeper than [`DEEPEST`].
    TooDeep,
    /// JSON that a `jsonb` column refuses: a NUL character, half a surrogate pair, a number without bounds.
    Unstorable,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("is not JSON"),
            Self::TooDeep => write!(f, "is nested deeper than {DEEPEST} levels"),
            Self::Unstorable => {
                f.write_str("holds a NUL character, half a surrogate pair or a number out of range")
            }
        }
    }
}

impl std::error::Error for DocumentError {}

/// A body that is JSON, with the places of its pieces.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
}

/// A name or a value: where it begins, and for a list or an object which piece comes behind it, for anything else where
/// it ends. The pieces of an object are names and values in turn, those of a list its elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    begin: u32,
    end: u32,
}

impl Piece {
    /// Beside the end of a text: it holds escapes.
    const ESCAPED: u32 = 1 << 31;
}

impl<'a> Document<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong first; `Unstorable` only when nothing else is.
    pub fn read(body: &'a [u8]) -> Result<Self, DocumentError> {
        let text = std::str::from_utf8(body).map_err(|_| DocumentError::NotJson)?;
        let (pieces, storable) = pass::over(body)?;
        if storable { Ok(Self { text, pieces }) } else { Err(DocumentError::Unstorable) }
    }

    /// The first byte of a piece, by which its kind is known; that of `null` for none.
    pub(crate) fn first(&self, place: u32) -> u8 {
        let piece = self.pieces.get(place as usize);
        piece.and_then(|piece| self.text.as_bytes().get(piece.begin as usize)).copied().unwrap_or(b'n')
    }

    /// A piece that is no list and no object, as it is written, and whether there are escapes in it.
    pub(crate) fn written(&self, place: u32) -> Option<(&'a str, bool)> {
        let piece = self.pieces.get(place as usize)?;
        let end = piece.end & !Piece::ESCAPED;
        Some((self.text.get(piece.begin as usize..end as usize)?, end != piece.end))
    }

    /// The place behind a piece with all that is in it.
    pub(crate) fn behind(&self, place: u32) -> u32 {
        match self.first(place) {
            b'{' | b'[' => self.pieces.get(place as usize).map_or(place + 1, |piece| piece.end),
            _ => place + 1,
        }
    }
}

/// Checks a body of which the pieces are not wanted.
///
/// # Errors
/// As [`Document::read`].
pub fn check(body: &[u8]) -> Result<(), DocumentError> {
    Document::read(body).map(|_| ())
}

#[cfg(test)]
mod tests;
