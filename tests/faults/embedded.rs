//! The agent on its embedded queue, without Redis: ended, killed, cut off, with a disk that is full, foreign or
//! damaged.
//!
//! A program counts through DogStatsD: each number is one count with a context of its own, so that it is seen of each
//! whether it arrived, and once, and one in a context that all share, so that their sum shows what is lost of a second
//! that two agents have a part of.

mod crash;
mod damage;
mod disks;
mod outage;
mod quiet;
mod standby;
