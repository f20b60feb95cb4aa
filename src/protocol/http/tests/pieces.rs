//! Answers in pieces, and mangled.

use super::*;

/// A large answer in small pieces: the time this takes would show a cost that grows with the square.
#[test]
fn large_answers_in_small_pieces() {
    let body = vec![b'x'; 4 << 20];
    let mut exchange = Exchange::new(Request::get("h", "/"), body.len()).unwrap();
    assert_eq!(exchange.input(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Need::More);
    for chunk in body.chunks(1024) {
        assert_eq!(exchange.input(b"400\r\n"), Need::More);
        assert_eq!(exchange.input(chunk), Need::More);
        assert_eq!(exchange.input(b"\r\n"), Need::More);
    }
    let need = exchange.input(b"0\r\n\r\n");
    assert!(matches!(need, Need::Done(response) if response.body == body));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn sizes(&mut self) -> Vec<usize> {
        let largest = [1, 3, 40, 400][self.below(4)];
        (0..4096).map(|_| 1 + self.below(largest)).collect()
    }

    fn mutate(&mut self, answer: &mut Vec<u8>) {
        const TOKENS: [&[u8]; 10] = [
            b"\r\n",
            b"\r\n\r\n",
            b"0\r\n\r\n",
            b"ffffffffffffffff\r\n",
            b"Content-Length: 18446744073709551615\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"HTTP/1.1 100 \r\n\r\n",
            b"HTTP/1.1 999 x\r\n",
            b"\0",
            b"\xff\xfe",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(answer.len() + 1);
            match self.below(5) {
                0 => answer.truncate(at),
                1 => drop(answer.splice(at..at, TOKENS[self.below(TOKENS.len())].iter().copied())),
                2 => drop(answer.drain(at..(at + self.below(9)).min(answer.len()))),
                3 => {
                    let again = answer[at..(at + self.below(60)).min(answer.len())].to_vec();
                    drop(answer.splice(at..at, again));
                }
                _ => {
                    if let Some(byte) = answer.get_mut(at) {
                        *byte = self.below(256) as u8;
                    }
                }
            }
        }
    }
}

const SAMPLES: [&str; 7] = [
    "HTTP/1.1 202 Accepted\r\ncontent-type: text/json\r\ncontent-length: 15\r\n\r\n{\"status\":\"ok\"}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10;a=b\r\n0123456789abcdef\r\n0\r\nT: x\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.0 503 Service Unavailable\r\nRetry-After: 10\r\n\r\nlater",
    "HTTP/1.1 413 Too Large\r\nConnection: close\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 3\r\n\r\nabc",
    "garbage",
];

#[test]
fn pieces_make_no_difference() {
    let mut random = Random(0x5eed_0001);
    for sample in SAMPLES {
        let (whole, _) = feed(sample.as_bytes(), []);
        assert_eq!(feed(sample.as_bytes(), [1]).0, whole, "{sample:?}");
        for _ in 0..50 {
            let sizes = random.sizes();
            assert_eq!(feed(sample.as_bytes(), sizes.clone()).0, whole, "{sample:?} in {sizes:?}");
        }
    }
}

#[test]
fn mangled_answers_never_panic_and_pieces_make_no_difference() {
    let seed = 0x00c4_0e77_e001;
    let mut random = Random(seed);
    for round in 0..20_000 {
        let mut answer = SAMPLES[random.below(SAMPLES.len())].as_bytes().to_vec();
        random.mutate(&mut answer);
        let context = || format!("seed {seed:#x}, round {round}: {:?}", String::from_utf8_lossy(&answer));
        let (whole, _) = feed(&answer, []);
        match (whole, feed(&answer, random.sizes()).0) {
            // What follows an answer is seen only where it came along with it.
            (Need::Done(whole), Need::Done(pieces)) => {
                assert_eq!(whole, Response { keep_alive: whole.keep_alive, ..pieces }, "{}", context());
            }
            (Need::Failed(_), Need::Failed(_)) => {}
            (whole, pieces) => panic!("{whole:?} but {pieces:?}, {}", context()),
        }
    }
}
