//! The last hour, minute by minute. It is filled when something happens, and needs no timer: a minute that nobody
//! has written to was a quiet one.

use std::time::Instant;

use super::Document;
use crate::limits::status::HOUR_MINUTES;

/// What happened in a minute.
#[derive(Clone, Copy, Default)]
pub struct Minute {
    /// Points and other items delivered.
    pub released: u32,
    /// Compressed bytes of them.
    pub bytes: u32,
    /// Records that waited for delivery, where somebody looked.
    pub queued: Option<u32>,
    /// What rules dropped.
    pub dropped: u32,
}

/// A ring of minutes, counted from the first one by the monotonic clock.
pub struct Hour {
    origin: Option<Instant>,
    /// Each with its number; that of the first minute is 1.
    minutes: [(u32, Minute); HOUR_MINUTES],
}

const _: () = assert!(size_of::<Hour>() <= 2_000);

impl Default for Hour {
    fn default() -> Hour {
        Hour { origin: None, minutes: [(0, Minute::default()); HOUR_MINUTES] }
    }
}

impl Hour {
    /// The minute of a time, to be added to.
    pub fn minute(&mut self, now: Instant) -> &mut Minute {
        let origin = *self.origin.get_or_insert(now);
        let number = number(origin, now);
        let (owner, minute) = &mut self.minutes[number as usize % HOUR_MINUTES];
        if *owner != number {
            (*owner, *minute) = (number, Minute::default());
        }
        minute
    }

    /// Writes the last hour as the member `hour`, the present minute last. A queue that nobody looked at is as long as
    /// it was before.
    pub fn tell(&self, now: Instant, document: &mut Document) {
        let last = number(self.origin.unwrap_or(now), now);
        document.begin("hour");
        for &key in &["released", "bytes", "queued", "dropped"] {
            let (mut numbers, mut queued) = (Vec::new(), 0);
            for ago in (0..HOUR_MINUTES as u32).rev() {
                let minute = self.of(last.saturating_sub(ago));
                queued = minute.queued.unwrap_or(queued);
                numbers.push(u64::from(match key {
                    "released" => minute.released,
                    "bytes" => minute.bytes,
                    "queued" => queued,
                    _ => minute.dropped,
                }));
            }
            document.numbers(key, &numbers);
        }
        document.end();
    }

    fn of(&self, number: u32) -> Minute {
        match self.minutes.get(number as usize % HOUR_MINUTES) {
            Some((owner, minute)) if *owner == number && number > 0 => *minute,
            _ => Minute::default(),
        }
    }
}

fn number(origin: Instant, now: Instant) -> u32 {
    let minutes = now.saturating_duration_since(origin).as_secs() / 60;
    u32::try_from(minutes).unwrap_or(u32::MAX - 1).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Object;
    use std::time::Duration;

    fn told(hour: &Hour, now: Instant, key: &str) -> Vec<u64> {
        let mut document = Document::default();
        hour.tell(now, &mut document);
        let text = document.finish();
        Object::new(&text).unwrap().member("hour").numbers(key)
    }

    #[test]
    fn a_minute_is_where_it_was_and_gone_after_an_hour() {
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes + 59);
        let mut hour = Hour::default();
        hour.minute(start).released += 7;
        hour.minute(start).queued = Some(3);
        hour.minute(at(0)).released += 1;
        hour.minute(at(2)).dropped = 5;
        let released = told(&hour, at(2), "released");
        assert_eq!((released.len(), &released[HOUR_MINUTES - 3..]), (HOUR_MINUTES, &[8, 0, 0][..]));
        assert_eq!(told(&hour, at(2), "queued")[HOUR_MINUTES - 4..], [0, 3, 3, 3], "as long as before");
        assert_eq!(told(&hour, at(2), "dropped")[HOUR_MINUTES - 1], 5);
        assert_eq!(told(&hour, at(HOUR_MINUTES as u64 - 1), "released")[0], 8);
        assert_eq!(told(&hour, at(HOUR_MINUTES as u64), "released").iter().sum::<u64>(), 0);
        hour.minute(at(HOUR_MINUTES as u64)).bytes = 1;
        assert_eq!(
            told(&hour, at(HOUR_MINUTES as u64), "released").iter().sum::<u64>(),
            0,
            "its place is taken"
        );
    }

    #[test]
    fn nothing_has_happened_yet() {
        assert_eq!(told(&Hour::default(), Instant::now(), "bytes"), [0; HOUR_MINUTES]);
    }
}
