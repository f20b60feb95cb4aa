//! The disk of the embedded queue: a directory that one agent has for itself, and a child process that reads, writes
//! and syncs, because a card may take seconds for that.
//!
//! The child is this program again with a hidden argument, `chouette-iot __spool`. It is started when there is
//! something to do and ends when there has been nothing for a while. Its standard input is a socket that operations
//! come through and answers go back through ([`crate::queue::spool::operation`]); its standard output is the locked
//! directory, so the lock lasts as long as agent or child do: an agent that starts after another was killed does not
//! meet that one's child at work.

mod child;
mod directory;
mod link;
mod writer;

pub use child::{room_bytes, served_as_child};
pub use directory::Directory;
pub use link::{EmbeddedLink, Place};
pub use writer::Writer;

/// The name of a file.
fn name(segment: u32) -> String {
    format!("{segment:08x}.spool")
}

/// The number in the name of a file; `None` of one that is not ours.
fn number(name: &str) -> Option<u32> {
    let number = u32::from_str_radix(name.strip_suffix(".spool")?, 16).ok()?;
    (self::name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for segment in [0, 42, u32::MAX] {
            assert_eq!(number(&name(segment)), Some(segment));
        }
        for other in ["2a.spool", "0000002A.spool", "+000002a.spool", "0000002a", "lost+found"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
