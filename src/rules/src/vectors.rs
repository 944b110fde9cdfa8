//! Vectors from an embeddings endpoint: how texts are put into requests, what is asked, and what of an answer is believed.
//!
//! An answer is one for all texts of its request or for none: a vector that was given to the wrong text, has another
//! length or holds what is no number would spoil every search that meets it. Nothing here calls anybody.

use std::fmt;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::wording::estimate_tokens;

/// Why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadVectors {
    /// It is not what an embeddings endpoint answers.
    NotEmbeddings,
    /// It has another number of vectors than the request had texts.
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The numbers by which it puts vectors in order are not one for each text.
    Order,
    /// A vector has another length than the model is said to have.
    Dimension {
        /// How long it is.
        found: usize,
        /// How long it should be.
        expected: usize,
    },
    /// A vector holds what is no finite number, or nothing but zeros.
    NotAVector,
}

impl fmt::Display for BadVectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadVectors::NotEmbeddings => f.write_str("the answer holds no embeddings"),
            BadVectors::Count { found, expected } => write!(f, "the answer has {found} vectors for {expected} texts"),
            BadVectors::Order => f.write_str("the answer does not say which vector is whose"),
            BadVectors::Dimension { found, expected } => {
                write!(f, "the answer has vectors of {found} dimensions, and the model is set up with {expected}")
            }
            BadVectors::NotAVector => f.write_str("the answer has a vector that is none"),
        }
    }
}

impl std::error::Error for BadVectors {}

/// What is believed of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// The vectors, of length one, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of the request, where the endpoint counts them.
    pub tokens: u64,
}

/// The body of a request. `shortened_to` asks the model for vectors of so many dimensions.
pub fn request(model: &str, texts: &[&str], shortened_to: Option<usize>) -> Value {
    let mut request = json!({"model": model, "input": texts, "encoding_format": "float"});
    if let Some(dimension) = shortened_to {
        request["dimensions"] = dimension.into();
    }
    request
}

/// Which texts go into one request, in their order: at most so many, and at most about so many tokens, but for a text
/// that has more by itself.
pub fn portions<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    max_texts: usize,
    max_tokens: usize,
) -> Vec<Range<usize>> {
    let mut portions: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (at, text) in texts.into_iter().enumerate() {
        let tokens = estimate_tokens(text);
        match portions.last_mut() {
            Some(portion) if portion.len() < max_texts && used + tokens <= max_tokens => {
                portion.end = at + 1;
                used += tokens;
            }
            _ => {
                portions.push(at..at + 1);
                used = tokens;
            }
        }
    }
    portions
}

/// Reads the body that an endpoint answered with to a request of `count` texts.
pub fn read(body: &[u8], count: usize, dimension: usize) -> Result<Vectors, BadVectors> {
    let body: Value = serde_json::from_slice(body).map_err(|_| BadVectors::NotEmbeddings)?;
    let data = body["data"].as_array().ok_or(BadVectors::NotEmbeddings)?;
    if data.len() != count {
        return Err(BadVectors::Count { found: data.len(), expected: count });
    }
    let mut vectors = vec![Vec::new(); count];
    for (item, place) in data.iter().zip(order(data)?) {
        let vector = numbers(&item["embedding"])?;
        if vector.len() != dimension {
            return Err(BadVectors::Dimension { found: vector.len(), expected: dimension });
        }
        vectors[place] = normalised(&vector).ok_or(BadVectors::NotAVector)?;
    }
    Ok(Vectors { vectors, tokens: body["usage"]["prompt_tokens"].as_u64().unwrap_or_default() })
}

/// The place of each vector. Where none has a number, they are in order.
fn order(data: &[Value]) -> Result<Vec<usize>, BadVectors> {
    if data.iter().all(|item| item["index"].is_null()) {
        return Ok((0..data.len()).collect());
    }
    let mut free = vec![true; data.len()];
    let place = |item: &Value| {
        let place = item["index"].as_u64().and_then(|index| usize::try_from(index).ok())?;
        std::mem::take(free.get_mut(place)?).then_some(place)
    };
    data.iter().map(place).collect::<Option<_>>().ok_or(BadVectors::Order)
}

/// The elements of a vector: an array of numbers, or the same as 32-bit floats in base64, which some servers prefer.
fn numbers(given: &Value) -> Result<Vec<f32>, BadVectors> {
    match given {
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_f64().map(|number| number as f32))
            .collect::<Option<_>>()
            .ok_or(BadVectors::NotAVector),
        Value::String(text) => {
            let bytes = STANDARD.decode(text).map_err(|_| BadVectors::NotAVector)?;
            let (floats, rest) = bytes.as_chunks();
            if rest.is_empty() {
                Ok(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            } else {
                Err(BadVectors::NotAVector)
            }
        }
        _ => Err(BadVectors::NotEmbeddings),
    }
}

/// The vector of length one in the same direction; `None` where there is none.
pub fn normalised(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let fits = length.is_finite() && length > 0.0;
    fits.then(|| vector.iter().map(|value| (f64::from(*value) / length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: Value) -> Vec<u8> {
        json!({"object": "list", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}})
            .to_string()
            .into_bytes()
    }

    fn item(index: impl Into<Value>, embedding: impl Into<Value>) -> Value {
        json!({"object": "embedding", "index": index.into(), "embedding": embedding.into()})
    }

    #[test]
    fn asks_for_all_texts_at_once() {
        let plain = request("some-model", &["a", "b"], None);
        assert_eq!(plain, json!({"model": "some-model", "input": ["a", "b"], "encoding_format": "float"}));
        assert_eq!(request("some-model", &["a"], Some(256))["dimensions"], 256);
    }

    #[test]
    fn vectors_are_put_in_order_and_normalised() {
        let body = answer(json!([item(1, json!([0, 2])), item(0, json!([3.0, 4.0]))]));
        let read = read(&body, 2, 2).unwrap();
        assert_eq!(read.vectors, [[0.6, 0.8], [0.0, 1.0]]);
        assert_eq!(read.tokens, 7);
    }

    #[test]
    fn without_numbers_the_order_is_that_of_the_answer() {
        let body = answer(json!([{"embedding": [1, 0]}, {"embedding": [0, 1]}]));
        assert_eq!(read(&body, 2, 2).unwrap().vectors, [[1.0, 0.0], [0.0, 1.0]]);
        let uncounted = json!({"data": [{"embedding": [1]}]}).to_string();
        assert_eq!(read(uncounted.as_bytes(), 1, 1), Ok(Vectors { vectors: vec![vec![1.0]], tokens: 0 }));
    }

    #[test]
    fn base64_is_read_as_well() {
        let bytes: Vec<u8> = [0.0_f32, -5.0].into_iter().flat_map(f32::to_le_bytes).collect();
        let body = |bytes: &[u8]| answer(json!([item(0, STANDARD.encode(bytes))]));
        assert_eq!(read(&body(&bytes), 1, 2).unwrap().vectors, [[0.0, -1.0]]);
        assert_eq!(read(&body(&bytes[..7]), 1, 2), Err(BadVectors::NotAVector));
        let nan: Vec<u8> = [f32::NAN, 1.0].into_iter().flat_map(f32::to_le_bytes).collect();
        assert_eq!(read(&body(&nan), 1, 2), Err(BadVectors::NotAVector));
        assert_eq!(read(&answer(json!([item(0, "no base64!")])), 1, 2), Err(BadVectors::NotAVector));
    }

    #[test]
    fn what_is_wrong_with_one_vector_is_wrong_with_all() {
        let good = || item(0, json!([1, 0]));
        let cases = [
            (json!([good()]), BadVectors::Count { found: 1, expected: 2 }),
            (
                json!([good(), item(1, json!([1, 0])), item(2, json!([1, 0]))]),
                BadVectors::Count { found: 3, expected: 2 },
            ),
            (json!([good(), item(0, json!([1, 0]))]), BadVectors::Order),
            (json!([good(), item(2, json!([1, 0]))]), BadVectors::Order),
            (json!([good(), item(Value::Null, json!([1, 0]))]), BadVectors::Order),
            (json!([good(), item(1, json!([1, 0, 0]))]), BadVectors::Dimension { found: 3, expected: 2 }),
            (json!([good(), item(1, json!([0, 0]))]), BadVectors::NotAVector),
            (json!([good(), item(1, json!([null, 1]))]), BadVectors::NotAVector),
            (json!([good(), item(1, json!([1e300, 1]))]), BadVectors::NotAVector),
            (json!([good(), item(1, Value::Null)]), BadVectors::NotEmbeddings),
            (json!({"0": good()}), BadVectors::NotEmbeddings),
        ];
        for (data, expected) in cases {
            assert_eq!(read(&answer(data.clone()), 2, 2), Err(expected), "{data}");
        }
        for body in ["", "{}", "<html>It works!</html>", r#"{"data": [{"index": 0, "embedding": [0.1, 0."#] {
            assert_eq!(read(body.as_bytes(), 1, 2), Err(BadVectors::NotEmbeddings), "{body}");
        }
    }

    #[test]
    fn requests_have_limits() {
        let texts = ["one two", "three", "four five six", "seven"];
        let ends = |max_texts, max_tokens| -> Vec<usize> {
            portions(texts, max_texts, max_tokens).iter().map(|portion| portion.end).collect()
        };
        assert_eq!(ends(10, 1000), [4]);
        assert_eq!(ends(3, 1000), [3, 4]);
        assert_eq!(ends(1, 1000), [1, 2, 3, 4]);
        // Tokens are estimated: 2, 2, 3 and 2 of them.
        assert_eq!(ends(10, 5), [2, 4]);
        assert_eq!(ends(10, 1), [1, 2, 3, 4]);
        assert_eq!(portions(texts, 3, 1000)[1], 3..4);
        assert!(portions([], 10, 1000).is_empty());
    }
}
