//! Files that clients send as `multipart/form-data`.

use pgrx::prelude::*;
use rules::upload;
use serde_json::{Map, Value, json};

use crate::api::jsonb::JsonB;
use crate::error::{Result, invalid_parameter_because};

/// A form with a file: `{"fields": {name: text}, "file": {"name", "media_type", "type", "text"}}`; without `text` where
/// the file is of a kind that cannot be read, without `file` where there is none.
#[pg_extern(immutable, parallel_safe)]
fn _upload(content_type: Option<&str>, body: &[u8]) -> Result<JsonB> {
    let malformed = |cause: String| invalid_parameter_because("the request body is not a valid form", cause);
    let parts = upload::parts(content_type.unwrap_or_default(), body).map_err(|error| malformed(error.to_string()))?;
    let (mut fields, mut file) = (Map::new(), None);
    for part in &parts {
        if let Some(name) = &part.file {
            // A browser sends a field in which nothing was chosen as an empty file without a name.
            let chosen = !(name.is_empty() && part.data.is_empty());
            if part.name == "file" && chosen {
                let read = upload::text_of(part);
                file = Some(json!({
                    "name": name, "media_type": part.media_type,
                    "type": read.as_ref().map(|(kind, _)| kind), "text": read.as_ref().map(|(_, text)| text),
                }));
            }
        } else {
            let text = std::str::from_utf8(part.data).ok().filter(|text| !text.contains('\0'));
            let text = text.ok_or_else(|| malformed(format!("the field {} is not text", part.name)))?;
            fields.insert(part.name.clone(), Value::from(text));
        }
    }
    Ok(JsonB(json!({ "fields": fields, "file": file })))
}

/// The text of a string that is a web page or a piece of one; NULL for any other.
#[pg_extern(immutable, parallel_safe)]
fn _page_text(content: &str) -> Option<String> {
    upload::page_text(content)
}
