//! The local embedding model of this backend: found by name, mapped once, shared with every other backend.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use encoder::{Model, Output, Scratch};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::{Result, report};
use crate::gucs;

/// What this backend knows about the configured model.
struct Cached {
    /// The setting that led here: another name or directory means looking again.
    path: PathBuf,
    model: Rc<Model>,
    scratch: Scratch,
}

thread_local! {
    static CACHED: RefCell<Option<Cached>> = const { RefCell::new(None) };
    static WARNED: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Runs `work` with the configured model, or returns `None` where none is installed, and says so once per session.
fn with_model<T>(work: impl FnOnce(&Model, &mut Scratch) -> T) -> Result<Option<T>> {
    let Some(name) = gucs::embedding_model() else { return Ok(None) };
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
    let model = Rc::clone(&cached.model);
    let result = work(&model, &mut cached.scratch);
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
    Ok(Cached { path, model: Rc::new(model), scratch: Scratch::default() })
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

/// The configured model: its name, dimension and the sha-256 of its checkpoint; no row where none is installed.
#[pg_extern(stable, parallel_restricted)]
fn _embedding_model()
-> Result<TableIterator<'static, (name!(name, String), name!(dimension, i32), name!(sha256, String))>> {
    let row = with_model(|model, _| {
        let sha256: String = model.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        (model.dimension() as i32, sha256)
    })?;
    // By the name of the setting, which is what a search looks for: a pack may call itself something else.
    let name = gucs::embedding_model();
    Ok(TableIterator::new(name.zip(row).map(|(name, (dimension, sha256))| (name, dimension, sha256))))
}

/// The vector of a text to be found; NULL where no model is installed.
#[pg_extern(stable, parallel_restricted, cost = 100000)]
fn _embed_passage(content: &str) -> Result<Option<Vec<f32>>> {
    pgrx::check_for_interrupts!();
    with_model(|model, scratch| model.encode_passage(content, Output::Sentence, scratch).vector)
}

/// The vector of a question; NULL where no model is installed.
#[pg_extern(stable, parallel_restricted, cost = 100000)]
fn _embed_query(content: &str) -> Result<Option<Vec<f32>>> {
    embed_query(content)
}

/// The vector of a question; `None` where no model is installed.
pub fn embed_query(content: &str) -> Result<Option<Vec<f32>>> {
    with_model(|model, scratch| model.encode_query(content, Output::Sentence, scratch).vector)
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
