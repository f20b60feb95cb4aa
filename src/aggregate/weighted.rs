//! Values of which each stands for several: of a histogram or distribution that was sampled.
//!
//! As in Datadog's own agent
//! (<https://github.com/DataDog/datadog-agent/blob/main/pkg/metrics/histogram.go>) a value counts as often as 1 ÷ rate,
//! rounded down, and adds itself times 1 ÷ rate to the sum.

use super::values::Values;

/// Values with their weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weighted {
    values: Vec<(f64, u32)>,
    sum: f64,
}

impl Weighted {
    /// These values, one of each.
    pub fn from_values(values: &Values) -> Weighted {
        Weighted { values: values.iter().map(|value| (value, 1)).collect(), sum: values.sum() }
    }

    /// Adds a value; gives back by how many bytes the memory grew.
    pub fn add(&mut self, value: f64, weight: f64) -> usize {
        let before = self.values.capacity();
        // The cast keeps to the bounds.
        self.values.push((value, weight.max(1.0) as u32));
        self.sum += value * weight;
        (self.values.capacity() - before) * size_of::<(f64, u32)>()
    }

    /// The values and their weights, sorted since [`Weighted::sort`].
    pub fn values(&self) -> &[(f64, u32)] {
        &self.values
    }

    /// Brings the values in order, for [`Weighted::at`].
    pub fn sort(&mut self) {
        self.values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    }

    /// The sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values these stand for.
    pub fn count(&self) -> u64 {
        self.values.iter().map(|(_, weight)| u64::from(*weight)).sum()
    }

    /// The value at an index of the sorted list in which each stands as often as it weighs.
    pub fn at(&self, index: u64) -> Option<f64> {
        let mut below = 0;
        let found = self.values.iter().find(|(_, weight)| {
            below += u64::from(*weight);
            index < below
        });
        found.map(|(value, _)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_as_often_as_it_weighs() {
        let mut weighted = {
            let mut values = Values::default();
            values.push(5.0);
            Weighted::from_values(&values)
        };
        weighted.add(1.0, 1.0 / 0.3);
        weighted.add(9.0, 1.0);
        weighted.sort();
        assert_eq!(weighted.count(), 5, "3, rounded down, and two");
        let all: Vec<_> = (0..6).map_while(|index| weighted.at(index)).collect();
        assert_eq!(all, [1.0, 1.0, 1.0, 5.0, 9.0]);
        assert!((weighted.sum() - (14.0 + 1.0 / 0.3)).abs() < 1e-12);
        weighted.add(2.0, f64::MAX);
        assert_eq!(weighted.count(), u64::from(u32::MAX) + 5);
        assert!((0..9).map(|_| weighted.add(7.0, 1.0)).sum::<usize>() > 0, "memory grew");
    }
}
