//! What is on a leaf, seen as a whole and in part.

use crate::page::{Entry, PAGE, Place, leaf, plant_for_tests, push};

const IDS: [u64; 6] = [9, 5, 7, 4, 7, 8];

#[test]
fn a_narrowed_leaf_is_a_part_of_the_whole() {
    let mut page = [0; PAGE];
    plant_for_tests(&mut page, 3, 2);
    for (i, id) in (0_u8..).zip(IDS) {
        let factors = [f32::from(i), -f32::from(i)];
        push(&mut page, Entry { id, row: u64::from(i) << 16 | 1, factors: &factors, code: &[i, i + 100, i + 200] });
    }
    let whole = leaf(&page, 1).unwrap();
    for (first, last, places) in [(0, 99, 0..6), (7, 7, 2..5), (4, 5, 1..4), (8, 8, 5..6), (9, 9, 0..1), (6, 6, 0..0)] {
        let part = whole.narrowed(first, last);
        assert_eq!(part.len(), places.len(), "{first} to {last}");
        assert_eq!(part.codes(), &whole.codes()[places.start * 3..places.end * 3]);
        let entries = |place: &Place<2>| (place.id(), place.row(), place.factor(0), place.factor(1));
        let expected: Vec<_> = whole.places().map(entries).skip(places.start).take(places.len()).collect();
        assert_eq!(part.places().map(entries).collect::<Vec<_>>(), expected);
        assert_eq!(part.places::<3>().len(), 0);
        for (i, place) in places.enumerate() {
            part.entry(i, |entry| whole.entry(place, |same| assert_eq!(entry, same)));
            assert_eq!((part.id(i), part.factor(i, 1)), (IDS[place], -(place as f32)));
        }
    }
    assert_eq!(whole.narrowed(4, 8).narrowed(7, 7).codes(), whole.narrowed(7, 7).codes());
}
