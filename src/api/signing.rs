//! Signatures of texts and blocks of them, as SQL asks for them; the crate `rules` has the layout.

use std::collections::{HashMap, HashSet};

use pgrx::prelude::*;
use rules::signature::{self, Damaged, Facts, Record};
use rules::{digest, lexemes, rank};

use super::embedding;
use crate::error::{Result, internal};

/// The signature of a text whose words, as text search sees them, are the text form of a `tsvector`, in one record or several;
/// without a code it has room for one.
#[pg_extern(stable, parallel_restricted)]
#[allow(clippy::too_many_arguments, reason = "they are the columns that a signature is made of")]
fn _signature(
    id: &str,
    content: &str,
    words: &str,
    importance: f32,
    speaker: Option<&str>,
    conversation: Option<&str>,
    sequence: Option<i32>,
    day: Option<i32>,
    ordinal: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    forgotten: bool,
    model: Option<i16>,
    code: Option<&[u8]>,
    heard: default!(Option<Vec<i32>>, "NULL"),
) -> Result<Vec<Vec<u8>>> {
    let words = lexemes::read(words);
    let speaker = speaker.or_else(|| rank::spoken_by(content));
    let facts = Facts {
        traits: rank::cues::of_text(content).bits().into(),
        importance,
        length: words.iter().map(|(_, count)| count).sum(),
        sequence,
        day,
        speaker: speaker.map_or([0, 0], rank::speaker_hashes),
        content: signature::hash(content.trim()),
        conversation: conversation.map_or(0, signature::long_hash),
        ordinal,
        updated_at,
        expires_at,
        forgotten,
        model: model.filter(|_| code.is_some()).map_or(0, i16::cast_unsigned),
    };
    let own = words.iter().map(|(lexeme, count)| (signature::term(lexeme), *count));
    let heard: Vec<u32> = heard.into_iter().flatten().map(i32::cast_unsigned).collect();
    let terms = signature::terms(own, &heard);
    let room = match code {
        Some(_) => Vec::new(),
        None => vec![0; embedding::code_len()?],
    };
    Ok(signature::write(id, &facts, code.unwrap_or(&room), &terms))
}

/// The hashes by which signatures know words.
#[pg_extern(immutable, parallel_safe)]
fn _terms(lexemes: Vec<String>) -> Vec<i32> {
    lexemes.iter().map(|lexeme| signature::term(lexeme).cast_signed()).collect()
}

/// Bytes of records that a block takes.
#[pg_extern(immutable, parallel_safe)]
fn _signature_block_size() -> i32 {
    signature::BLOCK as i32
}

/// For each of some records, in order, the number of the block that it goes to.
#[pg_extern(immutable, parallel_safe)]
fn _signature_blocks(records: Array<'_, &[u8]>) -> Vec<i32> {
    let ends = signature::pack(records.iter().map(|record| record.map_or(0, <[u8]>::len)));
    let mut block = 0;
    let place = |at: usize| {
        block += usize::from(at >= ends[block]);
        block as i32
    };
    (0..records.len()).map(place).collect()
}

/// Blocks that a digest describes.
#[pg_extern(immutable, parallel_safe)]
fn _digest_blocks() -> i32 {
    digest::BLOCKS as i32
}

/// The blocks of a subject from which on it has digests.
#[pg_extern(immutable, parallel_safe)]
fn _digest_first() -> i32 {
    digest::FIRST as i32
}

/// Digests that a writer makes at once.
#[pg_extern(immutable, parallel_safe)]
fn _digest_at_once() -> i32 {
    digest::AT_ONCE as i32
}

/// The digest of some blocks, each with its number counted from the first, in their order: how many texts it counts, what else
/// they count for, where their words stand, bucket by bucket, and the codes of their vectors in pieces, with how many of them have one and
/// of which model.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the row type from the signature")]
fn _digest(
    blocks: Vec<i32>,
    signatures: Array<'_, &[u8]>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(texts, i32),
            name!(head, Vec<u8>),
            name!(words, Vec<Vec<u8>>),
            name!(model, Option<i16>),
            name!(coded, i32),
            name!(codes, Vec<Vec<u8>>),
        ),
    >,
> {
    let number = |block: &i32| usize::try_from(*block).map_err(internal);
    let numbers: Vec<usize> = blocks.iter().map(number).collect::<Result<_>>()?;
    let made = digest::make(numbers.into_iter().zip(signatures.iter().map(Option::unwrap_or_default)));
    let made = made.map_err(damaged)?;
    let texts = i32::try_from(made.counted.texts).map_err(internal)?;
    let model = Some(made.model.cast_signed()).filter(|model| *model != 0);
    Ok(TableIterator::once((texts, made.head, made.buckets, model, made.coded.cast_signed(), made.codes)))
}

/// A block without the records of some texts.
#[pg_extern(immutable, parallel_safe)]
fn _signatures_without(block: &[u8], ids: Vec<String>) -> Result<Vec<u8>> {
    let ids: HashSet<&[u8]> = ids.iter().map(String::as_bytes).collect();
    let left = signature::without(block, |id| ids.contains(id)).map_err(damaged)?;
    Ok(left.unwrap_or_else(|| block.to_vec()))
}

/// A block in which what may change of a text has changed.
#[pg_extern(immutable, parallel_safe)]
fn _signatures_revised(
    block: &[u8],
    id: &str,
    importance: f32,
    updated_at: i64,
    expires_at: Option<i64>,
    forgotten: bool,
) -> Result<Vec<u8>> {
    let change = |facts: &mut Facts| *facts = Facts { importance, updated_at, expires_at, forgotten, ..*facts };
    Ok(signature::revised(block, id.as_bytes(), None, change).map_err(damaged)?.unwrap_or_else(|| block.to_vec()))
}

/// A block with the codes of vectors that some of its texts have got, where there is room for them.
#[pg_extern(immutable, parallel_safe)]
fn _signatures_coded(block: &[u8], ids: Vec<String>, model: i16, codes: Array<'_, &[u8]>) -> Result<Vec<u8>> {
    let codes: HashMap<&[u8], &[u8]> = ids.iter().map(String::as_bytes).zip(codes.iter().flatten()).collect();
    let mut coded = block.to_vec();
    for record in signature::records(block) {
        let record = record.map_err(damaged)?;
        if let (Some(_), Some(code)) = (record.facts, codes.get(record.id)) {
            let change = |facts: &mut Facts| facts.model = model.cast_unsigned();
            if let Some(revised) = signature::revised(&coded, record.id, Some(code), change).map_err(damaged)? {
                coded = revised;
            }
        }
    }
    Ok(coded)
}

/// Whether a block has the codes of another model than this one.
#[pg_extern(immutable, parallel_safe)]
fn _signatures_lack(block: &[u8], model: i16) -> Result<bool> {
    Ok(lacking(block, model).next().transpose()?.is_some())
}

/// The ids of the texts in a block that have no code of this model.
#[pg_extern(immutable, parallel_safe)]
fn _signatures_lacking(block: &[u8], model: i16) -> Result<Vec<String>> {
    let id = |record: Result<Record<'_>>| Ok(str::from_utf8(record?.id).map_err(|_| damaged(Damaged))?.to_owned());
    lacking(block, model).map(id).collect()
}

/// The records of a block that describe texts without a code of this model; what is damaged among them is an error.
fn lacking(block: &[u8], model: i16) -> impl Iterator<Item = Result<Record<'_>>> {
    let lacks = move |record: &Record<'_>| record.facts.is_some_and(|facts| facts.model != model.cast_unsigned());
    signature::records(block)
        .map(|record| record.map_err(damaged))
        .filter(move |record| record.as_ref().map_or(true, lacks))
}

/// How a damaged block is reported.
pub fn damaged(cause: Damaged) -> pg_sys::panic::ErrorReport {
    internal(cause).set_hint("Write the signatures anew with memory_profile.search_refresh().")
}
