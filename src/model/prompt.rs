//! Emphasis in prompts, as users of the AUTOMATIC1111 web UI write it.
//!
//! | written | meaning |
//! |---|---|
//! | `(word)` | weight × 1.1 |
//! | `[word]` | weight ÷ 1.1 |
//! | `(word:1.3)` | weight × 1.3 |
//! | `\(` `\)` `\[` `\]` `\\` | the character itself |
//! | `BREAK` | what follows goes into the next chunk of tokens |
//!
//! Brackets nest and need not balance: an open one reaches to the end, a closing one too many is text. The rules are
//! those of `parse_prompt_attention` in the web UI (`modules/prompt_parser.py`), with one difference: `BREAK` works
//! inside brackets too, where the web UI takes it for a word of negative weight.

use crate::error::{Error, Result};

/// Weights of a span's text may lie between minus this and this.
pub const MAX_WEIGHT: f64 = 10.0;
/// Longest prompt, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How many brackets may be open at once.
pub const MAX_DEPTH: usize = 100;

const ROUND_FACTOR: f64 = 1.1;
const SQUARE_FACTOR: f64 = 1.0 / 1.1;
const BREAK: &str = "BREAK";

/// A piece of a prompt with one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The text, without brackets and escapes; never empty.
    pub text: String,
    /// Its weight, within ±[`MAX_WEIGHT`]; 1 is neutral.
    pub weight: f32,
}

/// Splits `prompt` into sections (separated by `BREAK`, so there is always at least one) and these into spans.
///
/// Neighbouring spans of a section differ in weight or are separated by emphasis of nothing; an empty section has none.
///
/// # Errors
/// [`Error::Setting`] when the prompt is longer than [`MAX_BYTES`] or brackets nest deeper than [`MAX_DEPTH`]. Also
/// when a weight is not a number, or the product of the weights around a text exceeds ±[`MAX_WEIGHT`].
pub fn parse(prompt: &str) -> Result<Vec<Vec<Span>>> {
    if prompt.len() > MAX_BYTES {
        return Err(Error::setting(
            "prompt",
            format!("{} bytes long; at most {MAX_BYTES} are allowed", prompt.len()),
        ));
    }
    let mut parser = Parser::default();
    let mut rest = prompt;
    while !rest.is_empty() {
        let (piece, length) = next_piece(rest);
        let (matched, remainder) = rest.split_at(length);
        parser.take(piece, matched)?;
        rest = remainder;
    }
    parser.finish()
}

/// What the scanner tells apart.
enum Piece<'a> {
    /// A character freed of its backslash (empty for a lone backslash, which disappears).
    Escaped(&'a str),
    OpenRound,
    OpenSquare,
    CloseRound,
    CloseSquare,
    /// `:number)`, closing a round bracket.
    Weight(&'a str),
    Text,
}

/// The piece at the start of `rest`, which is not empty, and its length in bytes.
fn next_piece(rest: &str) -> (Piece<'_>, usize) {
    const SYNTAX: [char; 6] = ['\\', '(', ')', '[', ']', ':'];
    match rest.as_bytes().first() {
        Some(b'\\') => match rest.as_bytes().get(1) {
            Some(b'(' | b')' | b'[' | b']' | b'\\') => (Piece::Escaped(&rest[1..2]), 2),
            _ => (Piece::Escaped(""), 1),
        },
        Some(b'(') => (Piece::OpenRound, 1),
        Some(b'[') => (Piece::OpenSquare, 1),
        Some(b')') => (Piece::CloseRound, 1),
        Some(b']') => (Piece::CloseSquare, 1),
        Some(b':') => match weight_suffix(rest) {
            Some((number, length)) => (Piece::Weight(number), length),
            None => (Piece::Text, 1),
        },
        _ => (Piece::Text, rest.find(SYNTAX).unwrap_or(rest.len())),
    }
}

/// Reads `: +1.5 )` at the start of `rest`: the number as written, and the length of all.
fn weight_suffix(rest: &str) -> Option<(&str, usize)> {
    let number = rest.strip_prefix(':')?.trim_start();
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let tail = digits.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if tail.len() == digits.len() {
        return None;
    }
    let after = tail.trim_start().strip_prefix(')')?;
    Some((&number[..number.len() - tail.len()], rest.len() - after.len()))
}

enum Item {
    Text(String, f64),
    Break,
}

#[derive(Default)]
struct Parser {
    items: Vec<Item>,
    /// For each open bracket, the index of the first item within.
    round: Vec<usize>,
    square: Vec<usize>,
}

impl Parser {
    fn take(&mut self, piece: Piece<'_>, matched: &str) -> Result<()> {
        match piece {
            Piece::Escaped(text) => self.items.push(Item::Text(text.to_owned(), 1.0)),
            Piece::OpenRound => self.round.push(self.items.len()),
            Piece::OpenSquare => self.square.push(self.items.len()),
            Piece::Weight(number) => match self.round.pop() {
                Some(start) => self.multiply(start, weight(number)?),
                None => self.text(matched),
            },
            Piece::CloseRound => match self.round.pop() {
                Some(start) => self.multiply(start, ROUND_FACTOR),
                None => self.text(matched),
            },
            Piece::CloseSquare => match self.square.pop() {
                Some(start) => self.multiply(start, SQUARE_FACTOR),
                None => self.text(matched),
            },
            Piece::Text => self.text(matched),
        }
        if self.round.len() + self.square.len() > MAX_DEPTH {
            return Err(Error::setting("prompt", format!("more than {MAX_DEPTH} brackets are open at once")));
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        for (index, part) in split_at_breaks(text).into_iter().enumerate() {
            if index > 0 {
                self.items.push(Item::Break);
            }
            self.items.push(Item::Text(part.to_owned(), 1.0));
        }
    }

    fn multiply(&mut self, start: usize, factor: f64) {
        for item in self.items.iter_mut().skip(start) {
            if let Item::Text(_, weight) = item {
                *weight *= factor;
            }
        }
    }

    fn finish(mut self) -> Result<Vec<Vec<Span>>> {
        for start in std::mem::take(&mut self.round) {
            self.multiply(start, ROUND_FACTOR);
        }
        for start in std::mem::take(&mut self.square) {
            self.multiply(start, SQUARE_FACTOR);
        }
        let mut sections: Vec<Vec<(String, f64)>> = vec![Vec::new()];
        for item in self.items {
            match (item, sections.last_mut()) {
                (Item::Text(text, weight), Some(section)) => match section.last_mut() {
                    Some((before, same)) if *same == weight => before.push_str(&text),
                    _ => section.push((text, weight)),
                },
                (Item::Break, _) | (_, None) => sections.push(Vec::new()),
            }
        }
        sections.into_iter().map(checked_spans).collect()
    }
}

/// The spans that hold text, each with its weight checked.
fn checked_spans(section: Vec<(String, f64)>) -> Result<Vec<Span>> {
    let filled = section.into_iter().filter(|(text, _)| !text.is_empty());
    filled
        .map(|(text, weight)| {
            if weight.abs() <= MAX_WEIGHT {
                return Ok(Span { text, weight: weight as f32 });
            }
            let problem = format!(
                "the weight of \"{}\" is {weight}; allowed are -{MAX_WEIGHT} to {MAX_WEIGHT}",
                excerpt(&text)
            );
            Err(Error::setting("prompt", problem))
        })
        .collect()
}

fn weight(number: &str) -> Result<f64> {
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => {
            let problem =
                format!("\"{}\" is not a weight; write a number such as (word:1.3)", excerpt(number));
            Err(Error::setting("prompt", problem))
        }
    }
}

/// Splits at each `BREAK` that is a word of its own, and drops the white space around it.
fn split_at_breaks(text: &str) -> Vec<&str> {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(BREAK) {
        let (before, after) = (&text[..at], &text[at + BREAK.len()..]);
        if before.ends_with(is_word) || after.starts_with(is_word) {
            continue;
        }
        parts.push(text[start..at].trim_end());
        start = text.len() - after.trim_start().len();
    }
    parts.push(&text[start..]);
    parts
}

/// The beginning of `text`, for a message.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 40;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
