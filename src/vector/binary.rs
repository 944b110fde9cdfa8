//! The binary form, big-endian: dimensions (16 bits), a reserved 16-bit zero, then the elements.

use super::check_dimensions;
use super::element::Element;
use super::fault::Fault;

const PREFIX: usize = 4;

/// Reads a vector from the start of a message; gives it and the number of bytes it took.
pub fn decode<E: Element>(message: &[u8], typmod: i32) -> Result<(Vec<E>, usize), Fault> {
    let &[d0, d1, u0, u1, ref body @ ..] = message else {
        return Err(Fault::Truncated);
    };
    let dimensions = usize::from(u16::from_be_bytes([d0, d1]));
    let reserved = u16::from_be_bytes([u0, u1]);

    check_dimensions::<E>(dimensions, typmod)?;
    if reserved != 0 {
        return Err(Fault::ReservedField { value: reserved });
    }
    let Some(body) = body.get(..dimensions * E::BYTES) else {
        return Err(Fault::Truncated);
    };
    let elements: Vec<E> = body.chunks_exact(E::BYTES).map(E::from_wire).collect();
    // Without an early end, which would keep the loops from using vector instructions.
    if !elements.iter().fold(true, |finite, element| finite & element.is_finite()) {
        elements.iter().try_for_each(|element| element.check().map(drop))?;
    }
    Ok((elements, PREFIX + body.len()))
}

/// Length of the binary form of a vector.
pub fn encoded_len<E: Element>(elements: &[E]) -> usize {
    PREFIX + size_of_val(elements)
}

/// Writes the binary form into `out`, which is `encoded_len` long.
pub fn encode<E: Element>(elements: &[E], out: &mut [u8]) {
    let (prefix, body) = out.split_at_mut(PREFIX);
    prefix[..2].copy_from_slice(&(elements.len() as u16).to_be_bytes());
    prefix[2..].fill(0);
    for (element, bytes) in elements.iter().zip(body.chunks_exact_mut(E::BYTES)) {
        element.to_wire(bytes);
    }
}

#[cfg(test)]
mod tests {
    use half::f16;
    use proptest::prelude::*;

    use super::*;
    use crate::vector::{MAX_DIMENSIONS, cases};

    fn message(dimensions: u16, reserved: u16, body: &[u8]) -> Vec<u8> {
        [&dimensions.to_be_bytes()[..], &reserved.to_be_bytes(), body].concat()
    }

    #[test]
    fn the_form_is_pgvectors() {
        let mut out = vec![0xff; encoded_len(&[1.0_f32, -2.5])];
        encode(&[1.0_f32, -2.5], &mut out);
        assert_eq!(out, [0, 2, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0]);

        let halves = [f16::from_f32(1.0), f16::from_f32(-2.5)];
        let mut out = vec![0xff; encoded_len(&halves)];
        encode(&halves, &mut out);
        assert_eq!(out, [0, 2, 0, 0, 0x3c, 0, 0xc1, 0]);
    }

    #[test]
    fn only_the_vector_is_taken_from_a_message() {
        let bytes = [message(1, 0, &1.5_f32.to_be_bytes()), vec![7; 9]].concat();
        assert_eq!(decode::<f32>(&bytes, -1), Ok((vec![1.5], 8)));
        assert_eq!(decode::<f32>(&bytes, 1), Ok((vec![1.5], 8)));
    }

    #[test]
    fn malformed_messages_are_refused() {
        let one = 1.0_f32.to_be_bytes();
        assert_eq!(decode::<f32>(&[0, 1, 0], -1), Err(Fault::Truncated));
        assert_eq!(decode::<f32>(&message(2, 0, &one), -1), Err(Fault::Truncated));
        assert_eq!(decode::<f32>(&message(0, 0, &[]), -1), Err(Fault::NoDimensions { kind: "vector" }));
        assert_eq!(decode::<f32>(&message(16_001, 0, &[]), -1), Err(Fault::TooManyDimensions { kind: "vector" }));
        assert_eq!(decode::<f16>(&message(u16::MAX, 0, &[]), -1), Err(Fault::TooManyDimensions { kind: "halfvec" }));
        assert_eq!(decode::<f32>(&message(1, 3, &one), -1), Err(Fault::ReservedField { value: 3 }));
        assert_eq!(
            decode::<f32>(&message(1, 0, &one), 2),
            Err(Fault::UndeclaredDimensions { kind: "vector", declared: 2, actual: 1 })
        );
        assert_eq!(
            decode::<f32>(&message(1, 0, &f32::NAN.to_be_bytes()), -1),
            Err(Fault::NotANumber { kind: "vector" })
        );
        assert_eq!(
            decode::<f16>(&message(1, 0, &f16::NEG_INFINITY.to_be_bytes()), -1),
            Err(Fault::Infinite { kind: "halfvec" })
        );
    }

    proptest! {
        #![proptest_config(cases(4096))]

        #[test]
        fn what_is_sent_is_received(bits in prop::collection::vec(any::<u32>(), 1..100)) {
            let elements: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|x| x.is_finite()).collect();
            prop_assume!(!elements.is_empty());
            let mut out = vec![0; encoded_len(&elements)];
            encode(&elements, &mut out);
            prop_assert_eq!(decode::<f32>(&out, elements.len() as i32), Ok((elements, out.len())));
        }

        #[test]
        fn no_bytes_crash_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..64), typmod in -1..20_i32) {
            if let Ok((elements, taken)) = decode::<f32>(&bytes, typmod) {
                prop_assert!(taken <= bytes.len());
                prop_assert!((1..=MAX_DIMENSIONS).contains(&elements.len()));
                prop_assert!(elements.iter().all(|element| element.is_finite()));
            }
        }

        #[test]
        fn no_body_crashes_the_decoder(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = message((body.len() / 2) as u16, 0, &body);
            if let Ok((elements, taken)) = decode::<f16>(&bytes, -1) {
                prop_assert_eq!(taken, 4 + 2 * elements.len());
                prop_assert!(elements.iter().all(|element| element.is_finite()));
            }
        }
    }
}
