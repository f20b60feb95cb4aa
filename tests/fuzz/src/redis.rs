//! What Redis may answer: the codec gives the same however the bytes were cut on their way.

use chouette_iot::protocol::redis::{Codec, Found, Replies, Request, Value, cmd};

/// What [`super::TARGETS`] calls `redis_replies`. Its first byte says how the rest is cut and asked for.
pub fn redis_replies(data: &[u8]) {
    let Some((seed, stream)) = data.split_first() else {
        return;
    };
    let (whole, whole_failed) = replies([stream].into_iter(), *seed);
    let (cut, cut_failed) = replies(super::pieces(stream, *seed), *seed);
    // By their text: a double that is no number equals nothing.
    let texts = |replies: &[Replies]| -> Vec<String> { replies.iter().map(|r| format!("{r:?}")).collect() };
    if whole_failed {
        // Whoever refuses a stream may do so later where it comes in pieces.
        assert!(texts(&cut).starts_with(&texts(&whole)), "{cut:?} in pieces, {whole:?} in one");
    } else {
        assert_eq!(texts(&cut), texts(&whole), "cut differently, read differently");
    }
    assert_eq!(cut_failed, whole_failed, "refused only in one of the ways");
    let bytes: usize = whole.iter().map(bytes_of).sum();
    // An error is told in the words of the library.
    assert!(bytes <= 64 * stream.len(), "{bytes} bytes out of {}", stream.len());
}

/// The replies to some requests, and whether the stream was refused.
pub fn replies<'a>(stream: impl Iterator<Item = &'a [u8]>, seed: u8) -> (Vec<Replies>, bool) {
    let mut codec = Codec::default();
    let mut expected = 0;
    for request in 0..8 {
        let count = 1 + usize::from(seed.rotate_left(request) % 3);
        let mut sent = Request::new();
        for _ in 0..count {
            sent.push(&cmd("PING"));
        }
        // Every other one has its lists packed.
        if (seed ^ request as u8) & 1 == 1 {
            sent.pack();
        }
        codec.sent(&sent);
        expected += count;
    }
    let mut complete = Vec::new();
    let failed = stream.into_iter().any(|piece| match codec.receive(piece, &mut complete) {
        Ok(()) => false,
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "{error}");
            true
        }
    });
    let got: usize = complete.iter().map(|replies| replies.len() + replies.lists.len()).sum();
    assert!(got <= expected);
    assert_eq!(complete.len() + codec.in_flight(), 8);
    (complete, failed)
}

fn bytes_of(replies: &Replies) -> usize {
    let packed = replies.lists.iter().flat_map(|list| list.iter()).map(|found| match found {
        Found::Value(bytes) => 1 + bytes.len(),
        _ => 1,
    });
    packed.sum::<usize>() + replies.iter().map(size).sum::<usize>()
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::BulkString(bytes) => bytes.len(),
        Value::SimpleString(text) => text.len(),
        Value::Array(values) | Value::Set(values) => values.iter().map(size).sum(),
        Value::Map(members) => members.iter().map(|(key, value)| size(key) + size(value)).sum(),
        Value::VerbatimString { text, .. } => text.len(),
        _ => 0,
    }
}
