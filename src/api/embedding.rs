//! The local embedding model of this backend: found by name, mapped once, shared with every other backend.

mod asked;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

use encoder::{Model, Output, Scratch};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{Result, report};
use crate::gucs;
use crate::vector::HalfVectorBuf;

/// What this backend knows about the configured model.
struct Cached {
    /// The setting that led here: another name or directory means looking again.
    path: PathBuf,
    model: Model,
    scratch: Scratch,
    /// What was made of texts that are about to be written.
    ahead: HashMap<String, Passage>,
}

/// What is stored of a text to be found.
struct Passage {
    code: Vec<u8>,
    vector: Vec<f32>,
    tokens: Vec<u8>,
}

impl Passage {
    fn of(content: &str, model: &Model, scratch: &mut Scratch) -> Self {
        let encoding = model.encode_passage(content, Output::Codes, scratch);
        let code = SentenceCode::of(&encoding.vector).to_bytes();
        Passage { code, vector: encoding.vector, tokens: encoding.tokens.word_bytes() }
    }
}

thread_local! {
    static CACHED: RefCell<Option<Cached>> = const { RefCell::new(None) };
    static WARNED: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Runs `work` with the configured model, or returns `None` where none is installed, and says so once per session.
fn with_model<T>(work: impl FnOnce(&Model, &mut Scratch) -> T) -> Result<Option<T>> {
    with_cached(|cached| work(&cached.model, &mut cached.scratch))
}

/// The same, with whatever else is kept of the model.
fn with_cached<T>(work: impl FnOnce(&mut Cached) -> T) -> Result<Option<T>> {
    let Some(name) = gucs::embedding_model().filter(|_| !gucs::is_embedding_model_remote()) else { return Ok(None) };
    let path = model_path(&name)?;
    let cached = CACHED.take().filter(|cached| cached.path == path);
    let mut cached = match cached {
        Some(cached) => cached,
        None if !path.exists() => {
            warn_once(&name, path);
            return Ok(None);
        }
        None => open(&name, path)?,
    };
    let result = work(&mut cached);
    CACHED.set(Some(cached));
    Ok(Some(result))
}

fn open(name: &str, path: PathBuf) -> Result<Cached> {
    let damaged = |cause: encoder::Error| {
        report(PgSqlErrorCode::ERRCODE_DATA_CORRUPTED, format!("cannot use embedding model \"{name}\""))
            .set_detail(format!("{}: {cause}.", path.display()))
            .set_hint(
                "Pack the model again, or set memory_profile.embedding_model to another one or to an empty string.",
            )
    };
    let model = Model::open(&path).map_err(damaged)?;
    Ok(Cached { path, model, scratch: Scratch::default(), ahead: HashMap::new() })
}

/// Where a model of this name lies. The name must not lead out of the directory.
fn model_path(name: &str) -> Result<PathBuf> {
    rules::ids::check_metadata_key(name).map_err(|cause| {
        report(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, format!("invalid embedding model name \"{name}\""))
            .set_detail(format!("Name: {cause}."))
    })?;
    let directory = gucs::model_directory().map_or_else(default_directory, PathBuf::from);
    Ok(directory.join(format!("{name}.mpm")))
}

/// `extension/memory_profile` below PostgreSQL's share directory.
fn default_directory() -> PathBuf {
    let mut share = [0 as std::ffi::c_char; pg_sys::MAXPGPATH as usize];
    #[allow(unsafe_code)]
    // SAFETY: get_share_path writes a NUL-terminated path of at most MAXPGPATH bytes into the buffer, and my_exec_path
    // is set before any library is loaded.
    let share = unsafe {
        pg_sys::get_share_path((&raw const pg_sys::my_exec_path).cast(), share.as_mut_ptr());
        std::ffi::CStr::from_ptr(share.as_ptr())
    };
    PathBuf::from(share.to_string_lossy().into_owned()).join("extension").join("memory_profile")
}

fn warn_once(name: &str, path: PathBuf) {
    if WARNED.with_borrow(|warned| warned.as_ref() == Some(&path)) {
        return;
    }
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        format!("embedding model \"{name}\" is not installed: searching by words alone"),
        "memory_profile",
    )
    .set_detail(format!("There is no file {}.", path.display()))
    .set_hint("Install a packed model there, or set memory_profile.embedding_model to an empty string to silence this.")
    .report(PgLogLevel::WARNING);
    WARNED.set(Some(path));
}

/// The configured model: its name, dimension and the sha-256 of its checkpoint, which a remote one has not; no row where
/// none is installed or set up.
#[pg_extern(stable, parallel_restricted)]
fn _embedding_model()
-> Result<TableIterator<'static, (name!(name, String), name!(dimension, i32), name!(sha256, Option<String>))>> {
    let row = match gucs::embeddings() {
        Some(remote) => Some((remote.dimension as i32, None)),
        None => with_model(|model, _| {
            let sha256: String = model.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
            (model.dimension() as i32, Some(sha256))
        })?,
    };
    // By the name of the setting, which is what a search looks for: a pack may call itself something else.
    let name = gucs::embedding_model();
    Ok(TableIterator::new(name.zip(row).map(|(name, (dimension, sha256))| (name, dimension, sha256))))
}

/// What is stored of a text to be found: its vector, the code of the vector and those of its tokens; no row where no
/// model is installed, or a remote one is asked later.
#[pg_extern(stable, parallel_restricted, cost = 100000, requires = ["halfvec"])]
#[allow(clippy::type_complexity, reason = "pgrx reads the row type from the signature")]
fn _encode(
    content: &str,
) -> Result<TableIterator<'static, (name!(code, Vec<u8>), name!(embedding, HalfVectorBuf), name!(tokens, Vec<u8>))>> {
    pgrx::check_for_interrupts!();
    let row = with_cached(|cached| -> Result<_> {
        let made;
        let passage = match cached.ahead.get(content) {
            Some(passage) => passage,
            None => {
                made = Passage::of(content, &cached.model, &mut cached.scratch);
                &made
            }
        };
        Ok((passage.code.clone(), HalfVectorBuf::convert(&passage.vector)?, passage.tokens.clone()))
    })?;
    Ok(TableIterator::new(row.transpose()?))
}

/// Encodes texts that are about to be written, in place of those of the last call: until then `_encode` need not compute
/// anything for them. So whoever writes can have this done before taking a lock, and for many texts in a row, which the
/// encoder does more quickly than when other work empties the processor's caches in between.
#[pg_extern(volatile, parallel_restricted)]
fn _encode_ahead(contents: Vec<String>) -> Result<()> {
    with_cached(|cached| cached.ahead.clear())?;
    for content in contents {
        pgrx::check_for_interrupts!();
        with_cached(|cached| {
            let passage = Passage::of(&content, &cached.model, &mut cached.scratch);
            cached.ahead.insert(content, passage);
        })?;
    }
    Ok(())
}

/// Vectors that follow one another as 32-bit floats, little endian, each with its code.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the row type from the signature")]
fn _unpack_embeddings(
    packed: &[u8],
    dimension: i32,
) -> TableIterator<'static, (name!(place, i32), name!(code, Vec<u8>), name!(embedding, Vec<f32>))> {
    let values: Vec<f32> = packed.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let vectors = values.chunks_exact(dimension.max(1).unsigned_abs() as usize);
    let rows = vectors.zip(1..).map(|(vector, place)| (place, SentenceCode::of(vector).to_bytes(), vector.to_vec()));
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// The vector of a question; NULL where no model is installed.
#[pg_extern(stable, parallel_restricted, cost = 100000)]
fn _embed_query(content: &str) -> Result<Option<Vec<f32>>> {
    with_model(|model, scratch| model.encode_query(content, Output::Sentence, scratch).vector)
}

/// How many tokens each text has for the configured model, or by the estimate of the rules where none is installed.
#[pg_extern(stable, parallel_restricted)]
fn _count_tokens(texts: Vec<String>) -> Result<Vec<i32>> {
    let count = |texts: &[String], count: &dyn Fn(&str) -> usize| -> Vec<i32> {
        texts.iter().map(|text| i32::try_from(count(text)).unwrap_or(i32::MAX)).collect()
    };
    let counted = with_model(|model, _| count(&texts, &|text| model.count_tokens(text)))?;
    Ok(counted.unwrap_or_else(|| count(&texts, &rules::wording::estimate_tokens)))
}

/// Whether the vector of a question can be known: it is given, or there is a model that the session can ask. Where there
/// should be one and is not, this says so once per session.
pub fn is_usable(given: Option<&[f32]>) -> Result<bool> {
    if given.is_some() {
        return Ok(true);
    }
    match gucs::embeddings() {
        Some(remote) => Ok(remote.query_timeout.is_some()),
        None => Ok(with_model(|_, _| ())?.is_some()),
    }
}

/// How many dimensions the vectors of the configured model have; `None` where there is no model.
fn dimension() -> Result<Option<usize>> {
    match gucs::embeddings() {
        Some(remote) => Ok(Some(remote.dimension)),
        None => with_model(|model, _| model.dimension()),
    }
}

/// Bytes of the code of a vector of the configured model; none where there is no model.
pub fn code_len() -> Result<usize> {
    Ok(dimension()?.map_or(0, |dimension| kernels::sign_code_len(dimension) + size_of::<f32>()))
}

/// The vector of a question that a caller gives, of length one; an error where it cannot be compared with any.
pub fn given(vector: &[f32]) -> Result<Vec<f32>> {
    let Some(dimension) = dimension()? else {
        return Err(report(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "there is no embedding model to compare the vector of the question with",
        )
        .set_hint("Set memory_profile.embedding_model to the model that the vector is of."));
    };
    if vector.len() != dimension {
        return Err(report(
            PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
            format!("the vector of the question has {} dimensions, not {dimension}", vector.len()),
        )
        .set_detail("It is compared with those of the model that memory_profile.embedding_model names."));
    }
    rules::vectors::normalised(vector).ok_or_else(|| {
        report(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION, "the vector of the question is zero, or holds what is no number")
    })
}

/// A question as the model sees it, ready to be compared with what is stored of texts.
pub struct Meaning {
    /// Its vector.
    pub vector: Vec<f32>,
    /// The vector in int8, up to a factor.
    coded: Vec<i8>,
    scale: f32,
    /// Its tokens in int8, one after the other, with the factor of each.
    tokens: Vec<i8>,
    token_scales: Vec<f32>,
}

/// The meaning of a question, whose vector may be given; `None` where it cannot be known.
pub fn understand(question: &str, given: Option<&[f32]>) -> Result<Option<Meaning>> {
    if let Some(vector) = given {
        return Ok(Some(Meaning::of_vector(vector.to_vec())));
    }
    if let Some(remote) = gucs::embeddings() {
        return Ok(remote
            .query_timeout
            .and_then(|timeout| asked::vector(&remote, question, timeout))
            .map(Meaning::of_vector));
    }
    let encoding = with_model(|model, scratch| model.encode_query(question, Output::Vectors, scratch))?;
    Ok(encoding.map(|encoding| {
        let kernels = kernels::best();
        let vectors = &encoding.token_vectors;
        let dimension = encoding.vector.len();
        // Punctuation means nothing; a question of nothing else keeps it.
        let words = (0..vectors.len()).filter(|at| !vectors.is_punctuation(*at)).count();
        let (mut tokens, mut token_scales) = (Vec::new(), Vec::new());
        for at in (0..vectors.len()).filter(|at| words == 0 || !vectors.is_punctuation(*at)) {
            let from = tokens.len();
            tokens.resize(from + dimension, 0);
            token_scales.push(kernels.quantize(vectors.vector(at), &mut tokens[from..]));
        }
        Meaning { tokens, token_scales, ..Meaning::of_vector(encoding.vector) }
    }))
}

impl Meaning {
    /// That of a vector of which no tokens are known: late interaction has nothing to say of it.
    fn of_vector(vector: Vec<f32>) -> Self {
        let mut coded = vec![0; vector.len()];
        let scale = kernels::best().quantize(&vector, &mut coded);
        Meaning { vector, coded, scale, tokens: Vec::new(), token_scales: Vec::new() }
    }

    /// Bytes of the stored code of a vector that this one can be compared with.
    pub fn code_len(&self) -> usize {
        kernels::sign_code_len(self.vector.len())
    }

    /// Estimates the cosines with texts by the codes of their vectors, which follow one another, and their factors.
    pub fn cosines(&self, codes: &[u8], factors: &[f32]) -> Vec<f32> {
        let mut sums = vec![0; factors.len()];
        kernels::best().sign_dot_i8_many(&self.coded, codes, &mut sums);
        sums.iter().zip(factors).map(|(sum, factor)| (self.scale * *sum as f32 * factor).clamp(-1.0, 1.0)).collect()
    }

    /// How many tokens it has.
    pub fn tokens(&self) -> usize {
        self.token_scales.len()
    }

    /// How well each token of the question is met by the nearest token of a text: the largest cosine with the sign vectors
    /// of the text's tokens. Nothing if either has no tokens.
    pub fn maxima(&self, codes: &[u8]) -> Vec<f32> {
        let dimension = self.vector.len();
        if codes.is_empty() || !codes.len().is_multiple_of(self.code_len()) {
            return Vec::new();
        }
        let mut maxima = vec![0.0; self.tokens()];
        kernels::best().maxima_i8(&self.tokens, &self.token_scales, dimension, codes, &mut maxima);
        let length = (dimension as f32).sqrt();
        maxima.iter_mut().for_each(|maximum| *maximum /= length);
        maxima
    }
}

/// The stored code of a text's vector: the sign of each element, and a factor that makes an estimate of the cosine out of
/// the signed sum of another vector. The factor is one over the sum of the absolute values: with it the estimate of a
/// vector's cosine with itself is exact, and that with others has no bias.
pub struct SentenceCode<'a> {
    /// The signs, a bit each.
    pub signs: Cow<'a, [u8]>,
    /// The factor.
    pub factor: f32,
}

impl<'a> SentenceCode<'a> {
    fn of(vector: &[f32]) -> SentenceCode<'static> {
        let mut signs = vec![0; kernels::sign_code_len(vector.len())];
        kernels::best().pack_signs(vector, &mut signs);
        let sum: f32 = vector.iter().map(|value| value.abs()).sum();
        SentenceCode { signs: signs.into(), factor: if sum > 0.0 { 1.0 / sum } else { 0.0 } }
    }

    fn to_bytes(&self) -> Vec<u8> {
        [&self.signs[..], &self.factor.to_le_bytes()].concat()
    }

    /// Reads a stored code.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (signs, factor) = bytes.split_last_chunk()?;
        Some(SentenceCode { signs: signs.into(), factor: f32::from_le_bytes(*factor) })
    }
}

/// Reads a packed model in full and compares it with its checksum.
#[pg_extern(volatile, parallel_restricted)]
fn embedding_model_verify(name: &str) -> Result<bool> {
    let path = model_path(name)?;
    if !path.exists() {
        return Err(report(
            PgSqlErrorCode::ERRCODE_UNDEFINED_FILE,
            format!("embedding model \"{name}\" is not installed"),
        )
        .set_detail(format!("There is no file {}.", path.display())));
    }
    let opened = open(name, path)?;
    opened.model.verify().map_err(|cause| {
        report(PgSqlErrorCode::ERRCODE_DATA_CORRUPTED, format!("embedding model \"{name}\" is damaged"))
            .set_detail(format!("{cause}."))
            .set_hint("Pack the model again.")
    })?;
    Ok(true)
}
