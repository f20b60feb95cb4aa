//! A request taken apart again, for who answers it in Redis' place.

use super::Request;
use super::framing::{header_of, line_end};

impl Request {
    /// The commands, each as its words.
    ///
    /// ```
    /// use chouette_iot::protocol::redis::{Request, cmd};
    ///
    /// let mut request = Request::new();
    /// request.push(cmd("ZREM").arg("k").arg("")).commit();
    /// let commands: Vec<_> = request.commands().collect();
    /// assert_eq!(commands, [vec![&b"ZREM"[..], b"k", b""], vec![b"EXEC"]]);
    /// ```
    pub fn commands(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let words = take_length(b'*', &mut rest)?;
            (0..words).map(|_| take_word(&mut rest)).collect()
        })
    }
}

fn take_length(kind: u8, rest: &mut &[u8]) -> Option<usize> {
    let (header, after) = rest.split_at_checked(line_end(rest)?)?;
    let (found, length) = header_of(header).ok()?;
    *rest = after;
    length.filter(|_| found == kind)
}

fn take_word<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(b'$', rest)?;
    let (word, after) = rest.split_at_checked(length)?;
    *rest = after.strip_prefix(b"\r\n")?;
    Some(word)
}
