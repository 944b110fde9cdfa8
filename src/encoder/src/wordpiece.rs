/*!
WordPiece, streaming: characters are normalised one by one into a word, a finished word is cut greedily into the longest
pieces of the vocabulary, and every piece goes to a sink that may stop the whole. No intermediate text is built, so the
cost is bounded by what the sink wants to see and memory by one word.

Equal to the Hugging Face `BertTokenizerFast` with the same files, including its habit of recognising special tokens
such as `[SEP]` written out in the text. The Unicode tables are newer than that library's: some six hundred marks and
punctuation characters of rare scripts, unassigned in its tables, are recognised here.
*/

use crate::format::TokenizerFlags;
use crate::text::{Class, classify, is_chinese, normalize};
use crate::vocab::{PieceHash, Vocab};
use std::ops::ControlFlow;

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    /// Whether it stands for a punctuation character.
    pub punctuation: bool,
}

/// A tokenizer over the sections of a packed file.
#[derive(Clone, Copy, Debug)]
pub struct Tokenizer<'a> {
    pub vocab: Vocab<'a>,
    pub added: &'a [u8],
    pub flags: TokenizerFlags,
    pub max_piece_len: usize,
    pub max_word_chars: usize,
    pub unk: u32,
}

/// Buffers for the word at hand, kept from text to text.
#[derive(Debug, Default)]
pub struct Word {
    text: String,
    chars: usize,
    ends: Vec<(usize, PieceHash)>,
    ids: Vec<u32>,
}

impl Tokenizer<'_> {
    /// Passes the tokens of `text` to `sink` until it breaks.
    pub fn tokenize(
        &self,
        text: &str,
        word: &mut Word,
        mut sink: impl FnMut(Token) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        word.text.clear();
        word.chars = 0;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((id, len)) = self.added_token(rest) {
                self.finish(word, &mut sink)?;
                sink(Token { id, punctuation: false })?;
                rest = &rest[len..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            let alone = self.flags.split_chinese && is_chinese(c);
            if alone {
                self.finish(word, &mut sink)?;
            }
            let mut flow = ControlFlow::Continue(());
            normalize(c, self.flags, |c| {
                if flow.is_continue() {
                    flow = self.take(c, word, &mut sink);
                }
            });
            flow?;
            if alone {
                self.finish(word, &mut sink)?;
            }
        }
        self.finish(word, &mut sink)
    }

    /// The longest added token that `text` starts with, and its length.
    fn added_token(&self, text: &str) -> Option<(u32, usize)> {
        let mut best = None;
        let mut rest = self.added;
        while let Some((id, tail)) = rest.split_first_chunk() {
            let Some((len, tail)) = tail.split_first_chunk() else { break };
            let len = u32::from_le_bytes(*len) as usize;
            let Some((content, tail)) = tail.split_at_checked(len) else { break };
            rest = tail;
            // A damaged table may hold a text that ends inside a character.
            let matches = text.as_bytes().starts_with(content) && text.is_char_boundary(len);
            if matches && len > best.map_or(0, |(_, len)| len) {
                best = Some((u32::from_le_bytes(*id), len));
            }
        }
        best
    }

    /// Takes one normalised character.
    fn take(&self, c: char, word: &mut Word, sink: &mut impl FnMut(Token) -> ControlFlow<()>) -> ControlFlow<()> {
        match classify(c) {
            Class::Space => self.finish(word, sink),
            Class::Punctuation => {
                self.finish(word, sink)?;
                word.text.push(c);
                word.chars = 1;
                self.cut(word, true, sink)
            }
            Class::Word => {
                word.chars += 1;
                if word.chars <= self.max_word_chars {
                    word.text.push(c);
                }
                ControlFlow::Continue(())
            }
        }
    }

    fn finish(&self, word: &mut Word, sink: &mut impl FnMut(Token) -> ControlFlow<()>) -> ControlFlow<()> {
        if word.chars == 0 { ControlFlow::Continue(()) } else { self.cut(word, false, sink) }
    }

    /// Cuts the word into pieces, passes them on and empties the word. A word with a part that no piece covers, or one
    /// that is too long, is one unknown token.
    fn cut(
        &self,
        word: &mut Word,
        punctuation: bool,
        sink: &mut impl FnMut(Token) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        word.ids.clear();
        let mut start = 0;
        while word.chars <= self.max_word_chars && start < word.text.len() {
            let Some((end, id)) = self.longest_piece(&word.text, start, &mut word.ends) else { break };
            word.ids.push(id);
            start = end;
        }
        if word.chars > self.max_word_chars || start < word.text.len() {
            word.ids.clear();
            word.ids.push(self.unk);
        }
        word.text.clear();
        word.chars = 0;
        word.ids.iter().try_for_each(|&id| sink(Token { id, punctuation }))
    }

    /// The end and id of the longest piece of `text` that begins at `start`.
    fn longest_piece(&self, text: &str, start: usize, ends: &mut Vec<(usize, PieceHash)>) -> Option<(usize, u32)> {
        let bytes = text.as_bytes();
        let continues = start > 0;
        let mut hash = PieceHash::new(continues);
        ends.clear();
        for end in start + 1..=bytes.len().min(start + self.max_piece_len) {
            hash.push(bytes[end - 1]);
            if text.is_char_boundary(end) {
                ends.push((end, hash));
            }
        }
        let found = |&(end, hash): &(usize, PieceHash)| {
            self.vocab.find(&bytes[start..end], continues, hash).map(|id| (end, id))
        };
        ends.iter().rev().find_map(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::VocabTable;
    use proptest::prelude::*;

    const FLAGS: TokenizerFlags =
        TokenizerFlags { clean_text: true, split_chinese: true, strip_accents: true, lowercase: true };

    fn table() -> VocabTable {
        let tokens = "[UNK] [SEP] un ##aff ##able ##a hello world ! . 中 文 cafe ## # ##x é";
        let tokens: Vec<_> = tokens.split(' ').zip(0..).map(|(token, id)| (token.to_owned(), id)).collect();
        VocabTable::build(&tokens, "##")
    }

    fn with_tokenizer<T>(flags: TokenizerFlags, run: impl FnOnce(Tokenizer<'_>) -> T) -> T {
        let table = table();
        let vocab =
            Vocab { slots: &table.slots, entries: &table.entries, pieces: &table.pieces, max_probes: table.max_probes };
        let added = [&1u32.to_le_bytes()[..], &5u32.to_le_bytes(), b"[SEP]"].concat();
        let max_piece_len = table.max_piece_len;
        run(Tokenizer { vocab, added: &added, flags, max_piece_len, max_word_chars: 100, unk: 0 })
    }

    fn ids(flags: TokenizerFlags, text: &str) -> Vec<u32> {
        with_tokenizer(flags, |tokenizer| {
            let mut ids = Vec::new();
            let flow = tokenizer.tokenize(text, &mut Word::default(), |token| {
                ids.push(token.id);
                ControlFlow::Continue(())
            });
            assert!(flow.is_continue());
            ids
        })
    }

    #[test]
    fn cuts_words_greedily() {
        assert_eq!(ids(FLAGS, "unaffable"), [2, 3, 4]);
        assert_eq!(ids(FLAGS, "unaffablez"), [0]);
        assert_eq!(ids(FLAGS, "  Hello\u{0} wor\u{200b}ld!.\r\n"), [6, 7, 8, 9]);
        assert_eq!(ids(FLAGS, ""), [0u32; 0]);
    }

    #[test]
    fn separates_ideographs_and_strips_accents() {
        assert_eq!(ids(FLAGS, "中文café"), [10, 11, 12]);
        assert_eq!(ids(TokenizerFlags { split_chinese: false, ..FLAGS }, "中文"), [0]);
        assert_eq!(ids(TokenizerFlags { strip_accents: false, ..FLAGS }, "É"), [16]);
    }

    #[test]
    fn a_number_sign_is_punctuation_even_doubled() {
        assert_eq!(ids(FLAGS, "##x"), [14, 14, 0]);
    }

    #[test]
    fn recognises_special_tokens_written_out() {
        assert_eq!(ids(FLAGS, "hello[SEP]world"), [6, 1, 7]);
        assert_eq!(ids(FLAGS, "[sep]"), [0, 0, 0]);
    }

    #[test]
    fn a_word_of_more_than_the_limit_is_unknown() {
        let word = |chars: usize| "un".to_owned() + &"a".repeat(chars - 2);
        assert_eq!(ids(FLAGS, &word(100)).len(), 99);
        assert_eq!(ids(FLAGS, &word(101)), [0]);
    }

    #[test]
    fn the_sink_stops_the_work() {
        with_tokenizer(FLAGS, |tokenizer| {
            let mut seen = 0;
            let flow = tokenizer.tokenize("hello world hello", &mut Word::default(), |_| {
                seen += 1;
                if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(flow.is_break());
            assert_eq!(seen, 2);
        });
    }

    proptest! {
        #[test]
        fn any_text_yields_known_ids(text in any::<String>()) {
            prop_assert!(ids(FLAGS, &text).iter().all(|&id| id <= 16));
        }
    }
}
