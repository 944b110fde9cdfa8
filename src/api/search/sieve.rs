//! What passes a filter, looked for from the best on.
//!
//! To test all texts of a large subject takes longer than all else of a search, and of most filters the hundred that are
//! looked at closer pass among the first few hundred. So these are tested by their keys, and as many more as the share that
//! passed lets expect, until there are enough: the same ones that would come if all had been tested. Of a filter that
//! keeps nearly all texts out, all are tested in one pass after all.

use std::collections::HashSet;

use pgrx::datum::DatumWithOid;
use pgrx::spi::SpiClient;
use rules::filter::Filter;

use super::Side;
use super::pool::Pool;
use super::queries::{Keys, Queries, filtered};
use super::scan;
use super::stream::stream;
use crate::error::{Result, internal};

/// A text by its pool and its place there.
pub type Place = (usize, usize);

/// Texts that are tested at first, for each one that is wanted.
const FIRST: usize = 4;

/// From how many times as many texts on only the best are tested: a look-up by the key takes longer than a row of a pass.
const MANY: usize = 4;

/// A filter and what is known of the texts.
pub struct Sieve<'a> {
    side: Side,
    keys: &'a Keys,
    filter: &'a Filter,
    pools: &'a [Pool],
    tested: HashSet<Place>,
    all_tested: bool,
}

impl<'a> Sieve<'a> {
    /// One that has tested nothing.
    pub fn new(side: Side, keys: &'a Keys, filter: &'a Filter, pools: &'a [Pool]) -> Self {
        Sieve { side, keys, filter, pools, tested: HashSet::new(), all_tested: false }
    }

    /// The best that pass, so many. `best` gives the best of those that were not yet found to fail.
    pub fn best(
        &mut self,
        client: &SpiClient<'_>,
        wanted: usize,
        best: impl Fn(usize) -> Vec<Place>,
    ) -> Result<Vec<Place>> {
        let texts: usize = self.pools.iter().map(Pool::len).sum();
        let mut most = FIRST * wanted;
        while most.saturating_mul(MANY) <= texts {
            let mut list = best(most);
            let before = self.tested.len();
            self.test(client, &list)?;
            list.retain(|(pool, text)| self.pools[*pool].is_eligible(*text));
            if list.len() >= wanted {
                list.truncate(wanted);
                return Ok(list);
            }
            let (tested, lacking) = (self.tested.len(), wanted - list.len());
            if list.is_empty() || tested == before {
                break;
            }
            // A quarter more than expected: among so few the share is not exactly known.
            let expected = (lacking * tested).div_ceil(list.len()) * 5 / 4;
            most = list.len() + expected.max(tested);
        }
        scan::select_eligible(client, self.side, self.keys, self.filter, self.pools)?;
        self.all_tested = true;
        Ok(best(wanted))
    }

    /// Tests those of some texts that were not tested before; what fails is not eligible any more.
    pub fn test(&mut self, client: &SpiClient<'_>, texts: &[Place]) -> Result<()> {
        if self.all_tested {
            return Ok(());
        }
        let new: Vec<Place> = texts.iter().copied().filter(|place| self.tested.insert(*place)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut subjects = Vec::with_capacity(new.len());
        let mut ids = Vec::with_capacity(new.len());
        for (pool, text) in &new {
            subjects.push(pgrx::Uuid::from_bytes(self.pools[*pool].subject));
            ids.push(self.pools[*pool].id(*text)?.to_owned());
        }
        let (sql, parameters) = filtered(Queries::of(self.side).passing, self.filter, 3);
        let mut arguments: Vec<DatumWithOid<'_>> = vec![subjects.into(), ids.into()];
        arguments.extend(parameters.iter().map(|parameter| DatumWithOid::from(parameter.as_str().to_owned())));
        let mut fails = vec![true; new.len()];
        // Callers shape filters as they like: their texts must not pile up among the kept plans.
        stream(client, &sql, &arguments, false, |row| {
            let place = row.get::<i64>(0).and_then(|place| usize::try_from(place - 1).ok());
            let fails = place.and_then(|place| fails.get_mut(place));
            *fails.ok_or_else(|| internal("a text that was not asked for"))? = false;
            Ok(())
        })?;
        for ((pool, text), _) in new.into_iter().zip(fails).filter(|(_, fails)| *fails) {
            self.pools[pool].forbid(text);
        }
        Ok(())
    }
}
