//! Packs a published checkpoint: `pack_model DIR OUT.mpm [--name NAME] [--precision int8|bf16|f32]
//! [--query-prefix TEXT] [--passage-prefix TEXT]`.

use encoder::pack::{PackOptions, pack};
use encoder::{Model, Precision};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: pack_model DIR OUT [--name NAME] [--precision int8|bf16|f32] \
                     [--query-prefix TEXT] [--passage-prefix TEXT]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("pack_model: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let mut options = PackOptions::default();
    let mut paths = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--name" => options.name = Some(value()?),
            "--query-prefix" => options.query_prefix = Some(value()?),
            "--passage-prefix" => options.passage_prefix = Some(value()?),
            "--precision" => {
                let name = value()?;
                options.precision = Precision::parse(&name).ok_or(format!("unknown precision \"{name}\""))?;
            }
            option if option.starts_with("--") => return Err(format!("unknown option {option}\n{USAGE}")),
            _ => paths.push(argument),
        }
    }
    let [directory, out] = paths.as_slice() else {
        return Err(USAGE.to_owned());
    };
    let packed = pack(Path::new(directory), Path::new(out), &options).map_err(|error| error.to_string())?;
    let model = Model::open(out).map_err(|error| error.to_string())?;
    model.verify().map_err(|error| error.to_string())?;
    let sha256: String = packed.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "{out}: {} {}, {} dimensions, {} tokens, {} bytes, from sha256 {sha256}",
        packed.name,
        model.precision().name(),
        packed.dimension,
        packed.max_tokens,
        packed.file_len,
    ))
}
