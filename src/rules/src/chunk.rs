//! Cutting a document into the passages that are embedded and searched.
//!
//! A document is first seen as blocks: headings, paragraphs, list items, turns of a conversation. Blocks are packed into
//! chunks up to a budget of tokens; a heading starts a new chunk and is kept with every chunk below it. A block over the
//! budget is cut at its sentences, a sentence over it at its words, and only a word over it inside. JSON is cut between the
//! elements of its arrays and the members of its objects, as deep as need be. Each chunk but the first of a section repeats
//! the end of the one before it, by whole pieces, up to the overlap asked for.

mod json;

use std::ops::Range;

pub use json::is_json;

use crate::extract::sentence::sentences;

/// What the text is, which decides where it may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChunkKind {
    /// Running text: paragraphs end with an empty line.
    #[default]
    Text,
    /// Headings, paragraphs, lists, fenced code.
    Markdown,
    /// Every line is a turn, or an entry of a log.
    Chat,
    /// Valid JSON: the elements of arrays and the members of objects belong together.
    Json,
}

/// A passage of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub position: usize,
    /// The text: `start..end` of the document.
    pub content: String,
    /// The heading above it, if any.
    pub heading: Option<String>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The longest summary, in characters.
const MAX_SUMMARY: usize = 300;

/// How deep JSON is cut by its structure; what is nested deeper is cut like text. Each level reads the text once.
const MAX_JSON_DEPTH: usize = 16;

/// The longest title, in characters.
const MAX_TITLE: usize = 120;

/// Cuts a text, counting tokens by an estimate that suits English word pieces.
pub fn chunk(text: &str, kind: ChunkKind, max_tokens: usize, overlap: usize) -> Vec<Chunk> {
    chunk_with(text, kind, max_tokens, overlap, &estimate)
}

/// About how many tokens a text has: 1.3 to a word, and no fewer than one to six bytes, for text without spaces.
pub fn estimate(text: &str) -> usize {
    let words = text.split_whitespace().count();
    (words * 13).div_ceil(10).max(text.trim().len().div_ceil(6))
}

/// Cuts a text with a counter of its own. The counter sees each piece once or twice, so a real tokenizer will do.
pub fn chunk_with(
    text: &str,
    kind: ChunkKind,
    max_tokens: usize,
    overlap: usize,
    count: &dyn Fn(&str) -> usize,
) -> Vec<Chunk> {
    let budget = max_tokens.max(1);
    let overlap = overlap.min(budget / 2);
    let mut packer =
        Packer { text, budget, overlap, heading: None, pieces: Vec::new(), fresh: false, chunks: Vec::new() };
    let json_depth = if kind == ChunkKind::Json { MAX_JSON_DEPTH } else { 0 };
    for block in blocks(text, kind) {
        if let Some(title) = block.heading {
            packer.close(true);
            packer.heading = Some(title);
        }
        for piece in pieces(text, block.range, json_depth, budget, count) {
            let tokens = count(&text[piece.clone()]);
            packer.add(piece, tokens);
        }
    }
    packer.close(true);
    packer.chunks
}

/// A title for a document: its first heading, else its first line, shortened at a word.
pub fn title(text: &str) -> Option<String> {
    if is_json(text) {
        return json::title(text).map(|title| shortened(&plain(&title), MAX_TITLE)).filter(|title| !title.is_empty());
    }
    let heading = lines(text).find_map(|line| heading_of(&text[line]).map(str::to_owned));
    let first = || lines(text).map(|line| text[line].trim()).find(|line| !line.is_empty()).map(str::to_owned);
    heading.or_else(first).map(|title| shortened(&plain(&title), MAX_TITLE)).filter(|title| !title.is_empty())
}

/// The first sentences of a document, as many as fit into 300 characters.
pub fn summary(text: &str) -> Option<String> {
    if is_json(text) {
        return json::prose(text, MAX_SUMMARY * 32).as_deref().and_then(summary_of_prose);
    }
    summary_of_prose(text)
}

fn summary_of_prose(text: &str) -> Option<String> {
    // What does not fit is not read: four bytes to a character, and room for markup.
    let mut end = text.len().min(MAX_SUMMARY * 32);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    let mut out = String::new();
    for block in blocks(head, ChunkKind::Markdown).into_iter().filter(|block| block.heading.is_none()) {
        for sentence in sentences(&head[block.range.clone()]) {
            let sentence = plain(&head[block.range.clone()][sentence]);
            let length = out.chars().count() + sentence.chars().count() + 1;
            if length > MAX_SUMMARY {
                let cut = if out.is_empty() { shortened(&sentence, MAX_SUMMARY) } else { out };
                return Some(cut).filter(|cut| !cut.is_empty());
            }
            if !out.is_empty() && !sentence.is_empty() {
                out.push(' ');
            }
            out.push_str(&sentence);
        }
    }
    Some(out).filter(|out| !out.is_empty())
}

struct Packer<'a> {
    text: &'a str,
    budget: usize,
    overlap: usize,
    heading: Option<String>,
    pieces: Vec<(Range<usize>, usize)>,
    /// Something was added that the last chunk does not hold.
    fresh: bool,
    chunks: Vec<Chunk>,
}

impl Packer<'_> {
    fn add(&mut self, piece: Range<usize>, tokens: usize) {
        let used: usize = self.pieces.iter().map(|(_, tokens)| tokens).sum();
        if !self.pieces.is_empty() && used + tokens > self.budget {
            self.close(false);
            // The carried pieces give way to the new one.
            while !self.pieces.is_empty() && self.pieces.iter().map(|(_, t)| t).sum::<usize>() + tokens > self.budget {
                self.pieces.remove(0);
            }
        }
        self.pieces.push((piece, tokens));
        self.fresh = true;
    }

    /// Ends the chunk; unless a section ends with it, its last pieces begin the next.
    fn close(&mut self, section: bool) {
        if let (true, Some((first, _)), Some((last, _))) = (self.fresh, self.pieces.first(), self.pieces.last()) {
            let (start, end) = (first.start, last.end);
            self.chunks.push(Chunk {
                position: self.chunks.len(),
                content: self.text[start..end].to_owned(),
                heading: self.heading.clone(),
                start,
                end,
            });
        }
        self.fresh = false;
        let mut carried = 0;
        let keep = self.pieces.iter().rev().take_while(|(_, tokens)| {
            carried += tokens;
            !section && carried <= self.overlap
        });
        let keep = keep.count();
        // A chunk is never carried over whole: that would repeat it.
        let keep = if keep == self.pieces.len() { keep.saturating_sub(1) } else { keep };
        self.pieces.drain(..self.pieces.len() - keep);
    }
}

/// A part of the document that belongs together.
struct Block {
    range: Range<usize>,
    /// The title, when the block is a heading.
    heading: Option<String>,
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        start..start + line.trim_end().len()
    })
}

/// The title of a Markdown heading.
fn heading_of(line: &str) -> Option<&str> {
    let rest = line.trim_start().trim_start_matches('#');
    let level = line.trim_start().len() - rest.len();
    let title = rest.trim().trim_end_matches('#').trim();
    ((1..=6).contains(&level) && rest.starts_with([' ', '\t']) && !title.is_empty()).then_some(title)
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    line.starts_with("- ")
        || line.starts_with("* ")
        || line.starts_with("+ ")
        || (1..=3).contains(&digits) && (line[digits..].starts_with(". ") || line[digits..].starts_with(") "))
}

fn blocks(text: &str, kind: ChunkKind) -> Vec<Block> {
    if kind == ChunkKind::Json {
        let whole = trimmed(text, 0..text.len());
        let parts = whole.clone().and_then(|whole| json::parts(text, whole));
        return parts
            .unwrap_or_else(|| whole.into_iter().collect())
            .into_iter()
            .map(|range| Block { range, heading: None })
            .collect();
    }
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let mut fenced = false;
    for line in lines(text) {
        let content = &text[line.clone()];
        let fence = kind == ChunkKind::Markdown && content.trim_start().starts_with("```");
        let inside = fenced;
        fenced ^= fence;
        if inside || fence {
            let start = open.take().map_or(line.start, |range| range.start);
            open = Some(start..line.end);
            if inside && fence {
                found.extend(open.take().map(|range| Block { range, heading: None }));
            }
            continue;
        }
        let heading = if kind == ChunkKind::Markdown { heading_of(content) } else { None };
        let starts = kind == ChunkKind::Chat || heading.is_some() || kind == ChunkKind::Markdown && is_item(content);
        if content.trim().is_empty() || starts {
            found.extend(open.take().map(|range| Block { range, heading: None }));
        }
        if let Some(title) = heading {
            // Every chunk below carries the heading: a line without end must not be carried whole.
            found.push(Block { range: line, heading: Some(shortened(&plain(title), MAX_TITLE)) });
        } else if !content.trim().is_empty() {
            let start = open.take().map_or(line.start, |range| range.start);
            open = Some(start..line.end);
        }
    }
    found.extend(open.map(|range| Block { range, heading: None }));
    found
}

/// A block in pieces that fit the budget: whole, else its parts if it is JSON, else its sentences, else runs of words, else runs of characters.
fn pieces(
    text: &str,
    block: Range<usize>,
    json_depth: usize,
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> Vec<Range<usize>> {
    let whole = &text[block.clone()];
    if count(whole) <= budget {
        return trimmed(text, block).into_iter().collect();
    }
    let parts = if json_depth > 0 { json::parts(text, block.clone()) } else { None };
    if let Some(parts) = parts {
        return parts.into_iter().flat_map(|part| pieces(text, part, json_depth - 1, budget, count)).collect();
    }
    let mut out = Vec::new();
    for sentence in sentences(whole) {
        let range = block.start + sentence.start..block.start + sentence.end;
        if count(&text[range.clone()]) <= budget {
            out.push(range);
        } else {
            words(text, range, budget, count, &mut out);
        }
    }
    out
}

/// Runs of words, counted one word at a time: a run may hold fewer tokens than the sum says, never more.
fn words(text: &str, range: Range<usize>, budget: usize, count: &dyn Fn(&str) -> usize, out: &mut Vec<Range<usize>>) {
    let piece = &text[range.clone()];
    let mut run: Option<(Range<usize>, usize)> = None;
    let mut at = 0;
    for word in piece.split_inclusive(char::is_whitespace) {
        let start = range.start + at;
        at += word.len();
        let Some(word) = trimmed(text, start..start + word.len()) else { continue };
        let tokens = count(&text[word.clone()]);
        run = match run.take() {
            Some((range, used)) if used + tokens <= budget => Some((range.start..word.end, used + tokens)),
            ended => {
                out.extend(ended.map(|(range, _)| range));
                if tokens <= budget {
                    Some((word, tokens))
                } else {
                    characters(text, word, tokens, budget, out);
                    None
                }
            }
        };
    }
    out.extend(run.map(|(range, _)| range));
}

/// Equal parts of a word that is over the budget, cut between characters.
fn characters(text: &str, word: Range<usize>, tokens: usize, budget: usize, out: &mut Vec<Range<usize>>) {
    let step = (word.len() / tokens.div_ceil(budget).max(1)).max(1);
    let mut start = word.start;
    while start < word.end {
        let mut end = (start + step).min(word.end);
        while !text.is_char_boundary(end) {
            end += 1;
        }
        out.push(start..end);
        start = end;
    }
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let piece = &text[range.clone()];
    let start = range.start + piece.len() - piece.trim_start().len();
    let end = start + piece.trim().len();
    (start < end).then_some(start..end)
}

/// A line without marks of emphasis and lists.
fn plain(text: &str) -> String {
    let text = text.trim().trim_start_matches('#').trim_start();
    let text = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")).unwrap_or(text);
    text.replace("**", "").replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most so many characters, cut after a word when there is one.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let end = text.char_indices().nth(most - 1).map_or(text.len(), |(at, _)| at);
    let cut = &text[..end];
    let cut = cut.rfind(' ').filter(|at| *at > end / 2).map_or(cut, |at| &cut[..at]);
    format!("{}…", cut.trim_end_matches([',', ';', ' ', '.']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [ChunkKind; 4] = [ChunkKind::Text, ChunkKind::Markdown, ChunkKind::Chat, ChunkKind::Json];

    #[test]
    fn markdown_is_cut_at_headings_which_stay_with_their_text() {
        let text = "# Sarah\n\nShe lives in Berlin.\n\n## Work\n\n- designer\n- at Acme\n";
        let chunks = chunk(text, ChunkKind::Markdown, 100, 10);
        let seen: Vec<_> = chunks.iter().map(|c| (c.heading.as_deref(), c.content.as_str())).collect();
        assert_eq!(
            seen,
            [(Some("Sarah"), "# Sarah\n\nShe lives in Berlin."), (Some("Work"), "## Work\n\n- designer\n- at Acme"),]
        );
    }

    #[test]
    fn paragraphs_are_packed_and_overlap_by_whole_sentences() {
        let text = "One two three four. Five six seven eight. Nine ten eleven twelve. Last words stand here.";
        let chunks = chunk(text, ChunkKind::Text, 12, 6);
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[0].content, "One two three four. Five six seven eight.");
        assert_eq!(chunks[1].content, "Five six seven eight. Nine ten eleven twelve.");
        assert_eq!(chunks[2].content, "Nine ten eleven twelve. Last words stand here.");
    }

    #[test]
    fn turns_and_fences_stay_whole() {
        let chat = "User: hello there my friend\nAssistant: hello to you as well\nUser: how are things going";
        let chunks = chunk(chat, ChunkKind::Chat, 8, 0);
        assert_eq!(chunks.iter().map(|c| c.content.as_str()).collect::<Vec<_>>(), chat.lines().collect::<Vec<_>>());
        let code = "text\n```\n# not a heading\n\ncode\n```\nmore";
        let chunks = chunk(code, ChunkKind::Markdown, 100, 0);
        assert!(chunks.iter().all(|c| c.heading.is_none()), "{chunks:?}");
    }

    #[test]
    fn json_is_cut_between_its_parts() {
        let turns: Vec<_> =
            (0..4).map(|i| format!(r#"{{"role": "user", "content": "I have been to village {i}"}}"#)).collect();
        let chunks = chunk(&format!("[{}]", turns.join(", ")), ChunkKind::Json, 14, 0);
        assert_eq!(chunks.iter().map(|c| c.content.as_str()).collect::<Vec<_>>(), turns);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(is_json(&deep) && chunk(&deep, ChunkKind::Json, 100, 0).len() > 100);
        let nested = r#"{"a": {"long": "one two three four five six", "short": 1}, "b": [1, 2]}"#;
        let chunks = chunk(nested, ChunkKind::Json, 10, 0);
        let seen: Vec<_> = chunks.iter().map(|c| c.content.as_str()).collect();
        assert_eq!(seen, [r#""long": "one two three four five six""#, r#""short": 1}, "b": [1, 2]"#]);
    }

    #[test]
    fn a_word_over_the_budget_is_cut_between_characters() {
        let word = "ä".repeat(100);
        let chunks = chunk(&word, ChunkKind::Text, 5, 2);
        assert!(chunks.len() > 5);
        assert_eq!(chunk_with("a b c", ChunkKind::Text, 1, 0, &|t| t.len()).len(), 3);
        assert!(chunk("", ChunkKind::Text, 10, 0).is_empty());
        assert!(!chunk("x y", ChunkKind::Text, 0, 9).is_empty());
    }

    #[test]
    fn titles_and_summaries() {
        assert_eq!(title("intro\n# The *one* **title** #\ntext").as_deref(), Some("The *one* title"));
        assert_eq!(title("\n\nFirst line\nsecond").as_deref(), Some("First line"));
        assert_eq!(title("  \n"), None);
        assert_eq!(title(&"word ".repeat(100)).map(|t| t.chars().count() <= 120), Some(true));
        assert_eq!(summary("# T\n\nOne. Two.\n\n- three").as_deref(), Some("One. Two. three"));
        let long = summary(&format!("Short one. {}. Tail.", "long ".repeat(80)));
        assert_eq!(long.as_deref(), Some("Short one."));
        assert_eq!(summary(&"é".repeat(5000)).map(|s| s.chars().count() <= 300), Some(true));
        assert_eq!(summary(" "), None);
    }

    #[test]
    fn a_mebibyte_without_structure_takes_linear_time() {
        // Unoptimised code reads an eighth of it; what is quadratic takes hours either way.
        let size = if cfg!(debug_assertions) { 1 << 17 } else { 1 << 20 };
        let started = std::time::Instant::now();
        for pattern in ["x", "[{(", "a ", "\"", "# "] {
            let text = pattern.repeat(size / pattern.len());
            for kind in KINDS {
                assert!(!chunk(&text, kind, 200, 40).is_empty());
            }
            assert!(title(&text).is_some_and(|title| title.chars().count() <= MAX_TITLE));
            assert!(summary(&text).is_none_or(|summary| summary.chars().count() <= MAX_SUMMARY));
        }
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }

    proptest! {
        #[test]
        fn chunks_are_slices_in_order_that_cover_every_word(
            text in "(?s)[ \\n#a-zA-Zé李\\-.!?\"]{0,400}",
            budget in 1usize..60,
            overlap in 0usize..30,
            kind in 0usize..4,
        ) {
            let chunks = chunk(&text, KINDS[kind], budget, overlap);
            let mut covered = vec![false; text.len()];
            for (at, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.position, at);
                prop_assert_eq!(&text[chunk.start..chunk.end], chunk.content.as_str());
                prop_assert!(chunk.start < chunk.end);
                if at > 0 {
                    prop_assert!(chunks[at - 1].start < chunk.start && chunks[at - 1].end < chunk.end);
                }
                covered[chunk.start..chunk.end].fill(true);
            }
            for (at, c) in text.char_indices() {
                prop_assert!(covered[at] || c.is_whitespace(), "byte {} of {:?} is in no chunk", at, text);
            }
        }
    }
}
