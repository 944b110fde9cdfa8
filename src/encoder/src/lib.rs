/*!
A BERT-family sentence encoder that runs inside a database backend.

One design decision shapes the crate: **a model is a file that is mapped, never loaded**. [`pack`] turns a published
checkpoint into one file whose weights already lie in the order the kernels read them, together with its vocabulary as
a ready hash table. [`Model::open`] maps that file read only, so a hundred backends share one copy in the page cache
and each of them owns little more than the buffers of the text it is encoding ([`Scratch`]).

The forward pass is single-threaded, takes no locks, makes no system calls and is bounded by the model's longest input.
In the default precision, int8, every kernel computes the same bits on every CPU: a vector made on a primary equals the
one made on its standby.

The pieces, in the order a text meets them: `text` (what BERT's normaliser does to characters), `wordpiece` and `vocab`
(token ids), `forward` (the transformer) over `simd` (kernels, chosen once at run time), `output` (sentence vector,
token codes). `format` and `map` describe the packed file, `pack` writes it.
*/
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod error;
mod format;
mod forward;
mod map;
mod model;
mod output;
pub mod pack;
mod simd;
#[cfg(test)]
mod tests;
mod text;
mod vocab;
mod wordpiece;

pub use error::Error;
pub use format::{Pooling, Precision};
pub use forward::Scratch;
pub use model::Model;
pub use output::{Encoding, Output, TokenCodes, TokenVectors};
