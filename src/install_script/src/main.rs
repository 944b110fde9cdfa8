//! Writes the extension's install script from the library that was just built.
//!
//! pgrx leaves a description of every SQL object in a section of the shared library. Reading it back here, instead
//! of through `cargo pgrx`, keeps the generated `CREATE FUNCTION` statements type-checked against the Rust code
//! without asking everybody who builds the extension to compile a tool of three hundred crates first.
//!
//! Usage: `install_script LIBRARY CONTROL_FILE OUTPUT`

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use object::{Object, ObjectSection};
use pgrx_sql_entity_graph::section::{decode_entities, is_schema_section_name};
use pgrx_sql_entity_graph::{ControlFile, PgrxSql, SqlGraphEntity};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [library, control, output] = arguments.as_slice() else {
        return Err("usage: install_script LIBRARY CONTROL_FILE OUTPUT".into());
    };

    let bytes = fs::read(library).map_err(|error| format!("cannot read {library}: {error}"))?;
    let section = schema_section(&bytes)?;
    let mut entities = vec![SqlGraphEntity::ExtensionRoot(ControlFile::from_path_with_cargo_version(
        Path::new(control),
        env!("CARGO_PKG_VERSION"),
    )?)];
    entities.extend(decode_entities(section)?);

    let script = PgrxSql::build(entities.into_iter(), "memory_profile".to_owned(), false)?.to_sql()?;
    fs::write(output, script).map_err(|error| format!("cannot write {output}: {error}"))?;
    Ok(())
}

/// Finds the section in which pgrx describes the SQL objects of the library.
fn schema_section(library: &[u8]) -> Result<&[u8], Box<dyn Error>> {
    let object = object::File::parse(library)?;
    for section in object.sections() {
        if is_schema_section_name(section.name()?) {
            return Ok(section.data()?);
        }
    }
    Err("the library has no pgrx schema section: was it stripped, or linked with --gc-sections?".into())
}
