//! Every value of a histogram, in pieces: a million of them are never copied to a larger place, and sorting is spread
//! over the time in which they come.

/// Values of a piece.
const PIECE: usize = 8 << 10;

/// Values by their rank. Piece by piece they are sorted, and a rank is searched in all pieces at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// Full, and sorted.
    pieces: Vec<Vec<f64>>,
    /// The one that grows; sorted by [`Values::sort`].
    open: Vec<f64>,
    sum: f64,
}

impl Values {
    /// Adds a value and gives back by how many bytes the memory grew.
    pub fn push(&mut self, value: f64) -> usize {
        if self.open.len() == PIECE {
            self.sort();
            let room = Vec::with_capacity(PIECE);
            self.pieces.push(std::mem::replace(&mut self.open, room));
            self.open.push(value);
            self.sum += value;
            return PIECE * size_of::<f64>();
        }
        let before = self.open.capacity();
        self.open.push(value);
        self.sum += value;
        (self.open.capacity() - before) * size_of::<f64>()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.pieces.len() * PIECE + self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their sum, added up in the order in which they came.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        self.all().flatten().copied()
    }

    /// To be called before [`Values::at`].
    pub fn sort(&mut self) {
        self.open.sort_unstable_by(f64::total_cmp);
    }

    /// The value at an index of all in order, see [`f64::total_cmp`].
    pub fn at(&self, index: usize) -> Option<f64> {
        if self.pieces.is_empty() {
            return self.open.get(index).copied();
        }
        if index >= self.len() {
            return None;
        }
        // The least value that more than `index` values are not above: halving finds it, and it is one of them.
        let ends = |piece: &Vec<f64>| Some((place(*piece.first()?), place(*piece.last()?)));
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for (first, last) in self.all().filter_map(ends) {
            (low, high) = (low.min(first), high.max(last));
        }
        while low < high {
            let middle = low.midpoint(high);
            // It rounds towards zero, and `middle` has to stay below `high`.
            let middle = if middle == high { middle - 1 } else { middle };
            let up_to = |piece: &Vec<f64>| piece.partition_point(|value| place(*value) <= middle);
            if self.all().map(up_to).sum::<usize>() > index { high = middle } else { low = middle + 1 }
        }
        Some(f64::from_bits(mirrored(low) as u64))
    }

    fn all(&self) -> impl Iterator<Item = &Vec<f64>> {
        self.pieces.iter().chain([&self.open])
    }
}

/// A double as an integer that is in the same order, see [`f64::total_cmp`].
fn place(value: f64) -> i64 {
    mirrored(value.to_bits() as i64)
}

/// Doubles below zero stand the other way round. Twice is as it was.
fn mirrored(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_one_sorted_list() {
        let mut state: u64 = 1;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i32
        };
        for (count, spread) in
            [(1, 10), (PIECE, 100), (PIECE + 1, 1_000_000), (3 * PIECE + 17, 7), (40_000, i32::MAX)]
        {
            let list: Vec<_> = (0..count).map(|_| f64::from(random() % spread - spread / 2) / 8.0).collect();
            let mut values = Values::default();
            let grown: usize = list.iter().map(|value| values.push(*value)).sum();
            assert_eq!((values.len(), values.sum()), (count, list.iter().sum()));
            assert!(
                (count * 8..=count.next_power_of_two().max(4) * 8).contains(&grown),
                "{grown} bytes for {count}"
            );
            values.sort();
            let mut sorted = list;
            sorted.sort_unstable_by(f64::total_cmp);
            for index in (0..count).step_by(997).chain([count - 1]) {
                assert_eq!(values.at(index), Some(sorted[index]), "{index} of {count}");
            }
            assert_eq!(values.at(count), None);
        }
    }

    #[test]
    fn the_order_is_that_of_doubles() {
        let ordered =
            [f64::NEG_INFINITY, f64::MIN, -1.0, -f64::MIN_POSITIVE, -0.0, 0.0, 1e-300, 1.0, f64::MAX];
        assert!(ordered.windows(2).all(|pair| place(pair[0]) < place(pair[1])));
        let mut values = Values::default();
        for i in 0..=PIECE {
            values.push(ordered[i % ordered.len()]);
        }
        values.sort();
        assert_eq!((values.at(0), values.at(PIECE)), (Some(f64::NEG_INFINITY), Some(f64::MAX)));
    }
}
