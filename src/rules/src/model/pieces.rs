//! Cutting a text into pieces that one request can hold, between turns, else paragraphs, lines, sentences or words.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::PIECE_BYTES;
use crate::extract::{self, Input, Message, Role};
use crate::time;

/// A part of the text as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text; turns of a conversation are numbered.
    pub text: String,
    /// The numbers of the turns in it; empty where the text is no conversation.
    pub turns: Range<usize>,
}

/// The pieces of a text, and the turns of the conversation, if it is one.
pub fn pieces(input: &Input<'_>) -> (Vec<Piece>, Vec<Message>) {
    let messages = extract::messages(input);
    let pieces = if messages.is_empty() {
        cut(input.text, PIECE_BYTES).map(|text| Piece { text: text.to_owned(), turns: 0..0 }).collect()
    } else {
        of_conversation(&messages, &time::zone(input.zone))
    };
    (pieces, messages)
}

fn of_conversation(messages: &[Message], zone: &TimeZone) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        for part in cut(&message.content, PIECE_BYTES) {
            let line = format!("[{number}] {}: {part}\n", heading(message, zone));
            match pieces.last_mut() {
                Some(piece) if piece.text.len() + line.len() <= PIECE_BYTES => {
                    piece.text.push_str(&line);
                    piece.turns.end = number + 1;
                }
                _ => pieces.push(Piece { text: line, turns: number..number + 1 }),
            }
        }
    }
    pieces
}

/// Who speaks, and on which day.
fn heading(message: &Message, zone: &TimeZone) -> String {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    };
    let who = message.name.as_deref().unwrap_or(role);
    match message.date {
        Some(date) => format!("{who} ({})", date.on_the_wall(zone).date()),
        None => who.to_owned(),
    }
}

/// Cuts a text into parts of at most so many bytes, where the best place to do so is in the second half of a part.
fn cut(text: &str, limit: usize) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if rest.len() <= limit {
            return Some(std::mem::take(&mut rest));
        }
        let end = rest.floor_char_boundary(limit);
        let half = rest.floor_char_boundary(limit / 2);
        let place = ["\n\n", "\n", ". ", " "]
            .iter()
            .find_map(|mark| Some(half + rest[half..end].rfind(mark)? + mark.len()))
            .unwrap_or(end);
        let (part, after) = rest.split_at(place);
        rest = after.trim_start();
        Some(part.trim_end())
    })
}
