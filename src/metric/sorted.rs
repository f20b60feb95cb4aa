//! Maps and sets of few entries as one sorted list. A tree of the standard library is a few kilobytes of code more for
//! each type that it is made of, and pays only where there are thousands of entries that come in no order.

use std::borrow::Borrow;

/// A map; it is gone through in the order of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedMap<K, V>(Vec<(K, V)>);

/// A set; it is gone through in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedSet<T>(Vec<T>);

impl<K: Ord, V> SortedMap<K, V> {
    /// An empty one.
    pub const fn new() -> SortedMap<K, V> {
        SortedMap(Vec::new())
    }

    /// What stands at `key`; the default from now on if there was nothing.
    pub fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.0.insert(place, (key, V::default()));
            place
        });
        &mut self.0[place].1
    }

    /// What stands at `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.0.binary_search_by(|(other, _)| other.borrow().cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// What stands at `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Puts a value at `key`; gives back the one that stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => self.0.get_mut(place).map(|(_, old)| std::mem::replace(old, value)),
            Err(place) => {
                self.0.insert(place, (key, value));
                None
            }
        }
    }

    /// Takes away what stands at `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.place(key).ok().map(|place| self.0.remove(place).1)
    }

    /// Where `key` stands, or where it would.
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// The keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The entries.
    pub fn iter(&self) -> std::slice::Iter<'_, (K, V)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Ord> SortedSet<T> {
    /// An empty one.
    pub const fn new() -> SortedSet<T> {
        SortedSet(Vec::new())
    }

    /// Adds `item`; false if it was there.
    pub fn insert(&mut self, item: T) -> bool {
        let place = self.0.binary_search(&item);
        if let Err(place) = place {
            self.0.insert(place, item);
        }
        place.is_err()
    }

    /// Whether `item` is there.
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.binary_search_by(|other| other.borrow().cmp(item)).is_ok()
    }

    /// Takes the last one away.
    pub fn pop_last(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// The items.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V> Default for SortedMap<K, V> {
    fn default() -> SortedMap<K, V> {
        SortedMap::new()
    }
}

impl<T: Ord> Default for SortedSet<T> {
    fn default() -> SortedSet<T> {
        SortedSet::new()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Ord, V: Default> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> SortedMap<K, V> {
        let mut map = SortedMap::new();
        entries.into_iter().for_each(|(key, value)| *map.entry(key) = value);
        map
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> SortedSet<T> {
        let mut set = SortedSet::new();
        items.into_iter().for_each(|item| {
            set.insert(item);
        });
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_in_order_and_holds_a_key_once() {
        let mut map = SortedMap::new();
        for key in ["b", "c", "a", "b"] {
            *map.entry(key.to_owned()) += 1;
        }
        assert_eq!(
            map.iter().map(|(key, value)| (key.as_str(), *value)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("c", 1)]
        );
        assert_eq!((map.get("b"), map.get("d"), map.len()), (Some(&2), None, 3));
        assert!(SortedMap::<u8, u8>::new().is_empty());
        assert_eq!(map.clone().into_iter().map(|(_, count)| count).sum::<i32>(), 4);
    }

    #[test]
    fn entries_of_a_map_come_and_go() {
        let mut map: SortedMap<u32, char> = [(7, 'g'), (5, 'e')].into_iter().collect();
        assert_eq!((map.insert(6, 'f'), map.insert(5, 'E'), map.remove(&9)), (None, Some('e'), None));
        *map.get_mut(&6).unwrap() = 'F';
        assert_eq!((map.remove(&7), map.get_mut(&7)), (Some('g'), None));
        assert_eq!(map.keys().rev().copied().collect::<Vec<_>>(), [6, 5]);
        assert_eq!(map.values().collect::<String>(), "EF");
    }

    #[test]
    fn a_set_is_in_order_and_holds_an_item_once() {
        let mut set: SortedSet<u32> = [5, 1, 3, 5].into_iter().collect();
        assert_eq!((set.insert(4), set.insert(4), set.len()), (true, false, 4));
        assert_eq!(set.iter().copied().collect::<Vec<_>>(), [1, 3, 4, 5]);
        assert!(set.contains(&3) && !set.contains(&2));
        assert_eq!((set.pop_last(), set.contains(&5), set.is_empty()), (Some(5), false, false));
    }
}
