//! Keys of records in the wrapped queues: unique across restarts and agents, and short, since each stands
//! twice in Redis.

use crate::release::Random;

/// Makes keys of a random prefix and a counter.
pub(super) struct Ids {
    prefix: u64,
    counter: u64,
}

impl Ids {
    pub fn new(random: &mut Random) -> Ids {
        Ids { prefix: random.next(), counter: 0 }
    }

    pub fn next(&mut self) -> String {
        self.counter += 1;
        format!("{:016x}-{:x}", self.prefix, self.counter)
    }
}
