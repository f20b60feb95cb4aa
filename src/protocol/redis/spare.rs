//! Buffers that are used again.
//!
//! A backlog is read in thousands of chunks, each in buffers of the same sizes. An allocator that is easy on memory gives
//! the pages of a large buffer back at once, and asking for them again takes longer than filling them.

use std::cell::RefCell;

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_MAX};

/// Smaller ones are not worth keeping.
const BYTES_MIN: usize = 4 << 10;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with room if there is one to spare.
pub(super) fn take() -> Vec<u8> {
    SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Keeps a buffer that nobody needs any more.
pub(super) fn give(mut buffer: Vec<u8>) {
    if (BYTES_MIN..=SPARE_BUFFER_BYTES_MAX).contains(&buffer.capacity()) {
        buffer.clear();
        // At the end of the thread there is nobody to keep it for.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_BUFFERS_MAX {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_buffers_of_bounded_size_are_kept() {
        while take().capacity() > 0 {}
        give(Vec::with_capacity(SPARE_BUFFER_BYTES_MAX + 1));
        give(Vec::with_capacity(BYTES_MIN - 1));
        assert_eq!(take().capacity(), 0);
        for _ in 0..2 * SPARE_BUFFERS_MAX {
            give(vec![1; BYTES_MIN]);
        }
        for _ in 0..SPARE_BUFFERS_MAX {
            let buffer = take();
            assert!(buffer.is_empty() && buffer.capacity() >= BYTES_MIN);
        }
        assert_eq!(take().capacity(), 0);
    }
}
