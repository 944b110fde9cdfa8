//! The closer look at a short list: vectors in full, and the question's tokens against those of each text.

use pgrx::spi::SpiClient;
use rules::rank::Late;

use super::Side;
use super::queries::Queries;
use super::stream::stream;
use crate::api::embedding::Meaning;
use crate::error::Result;

/// What the closer look found of one text.
#[derive(Clone, Default)]
pub struct Look {
    cosine: Option<f32>,
    maxima: Vec<f32>,
}

impl Look {
    /// As the scoring takes it.
    pub fn late(&self) -> Late<'_> {
        Late { cosine: self.cosine, maxima: &self.maxima }
    }
}

/// Compares the question with the texts of a short list, token by token.
pub fn look(
    client: &SpiClient<'_>,
    side: Side,
    model: i16,
    meaning: &Meaning,
    list: &[([u8; 16], &str)],
) -> Result<Vec<Look>> {
    let mut looks = vec![Look::default(); list.len()];
    let keys: Vec<pgrx::Uuid> = list.iter().map(|(key, _)| pgrx::Uuid::from_bytes(*key)).collect();
    let ids: Vec<String> = list.iter().map(|(_, id)| (*id).to_owned()).collect();
    let arguments = [keys.into(), ids.into(), model.into(), meaning.vector.clone().into()];
    stream(client, Queries::of(side).tokens, &arguments, true, |row| {
        let place = row.get::<i64>(0).and_then(|place| usize::try_from(place - 1).ok());
        if let Some(look) = place.and_then(|place| looks.get_mut(place)) {
            look.cosine = row.get::<f64>(1).map(|cosine| cosine as f32).filter(|cosine| cosine.is_finite());
            look.maxima = meaning.maxima(row.bytes(2));
        }
        Ok(())
    })?;
    Ok(looks)
}
