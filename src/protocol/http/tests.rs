//! Requests as written, answers as read.

mod pieces;

use super::*;

const LIMIT: usize = 4096;

fn exchange() -> Exchange {
    Exchange::new(Request::get("example.com", "/"), LIMIT).unwrap()
}

/// Feeds pieces of the given sizes (the last one repeats), then the end of the connection if nothing came of it.
fn feed(answer: &[u8], sizes: impl IntoIterator<Item = usize>) -> (Need, bool) {
    let mut exchange = exchange();
    let mut sizes = sizes.into_iter();
    let mut rest = answer;
    let mut size = usize::MAX;
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size).clamp(1, rest.len());
        let (piece, tail) = rest.split_at(size);
        rest = tail;
        match exchange.input(piece) {
            Need::More => {}
            over => return (over, false),
        }
    }
    (exchange.eof(), true)
}

fn done(answer: &str) -> Response {
    match feed(answer.as_bytes(), []) {
        (Need::Done(response), _) => response,
        other => panic!("{other:?} for {answer:?}"),
    }
}

fn failed(answer: &str) -> HttpError {
    match feed(answer.as_bytes(), []) {
        (Need::Failed(error), _) => error,
        other => panic!("{other:?} for {answer:?}"),
    }
}

#[test]
fn requests_carry_no_header_too_many() {
    let request = Request::get("example.com:8428", "/a?b=c");
    let exchange = Exchange::new(request, LIMIT).unwrap();
    let agent = concat!("user-agent: chouette-iot/", env!("CARGO_PKG_VERSION"), "\r\n");
    let expected = format!("GET /a?b=c HTTP/1.1\r\n{agent}host: example.com:8428\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(exchange.output()), expected);

    let request = Request::post("example.com", "/p", b"hello".to_vec()).with_header("DD-API-KEY", "k");
    let exchange = Exchange::new(request, LIMIT).unwrap();
    let expected = format!(
        "POST /p HTTP/1.1\r\ncontent-length: 5\r\n{agent}host: example.com\r\ndd-api-key: k\r\n\r\nhello"
    );
    assert_eq!(String::from_utf8_lossy(exchange.output()), expected);
}

#[test]
fn large_and_empty_bodies_are_sent_whole() {
    for length in [0, 1, 8191, 8192, 8193, 100_000] {
        let body: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let exchange = Exchange::new(Request::post("h", "/", body.clone()), LIMIT).unwrap();
        let head_end = exchange.output().windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&exchange.output()[..head_end]).into_owned();
        assert!(head.contains(&format!("content-length: {length}\r\n")), "{head}");
        assert_eq!(exchange.output()[head_end..], body);
    }
}

#[test]
fn bad_requests_are_refused_without_their_values() {
    for request in [
        Request::get("h", "/").with_header("DD-API-KEY", "hunter2\r\nx: y"),
        Request::get("hunter2 h", "/"),
        Request::get("h", "/ hunter2"),
        Request::get("", ""),
    ] {
        let error = Exchange::new(request, LIMIT).unwrap_err();
        assert!(error.to_string().starts_with("request cannot be written: "), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn credentials_of_the_authority_become_a_header() {
    let exchange = Exchange::new(Request::get("user:secret@h:1", "/"), LIMIT).unwrap();
    let head = String::from_utf8_lossy(exchange.output()).into_owned();
    assert!(
        head.contains("authorization: Basic dXNlcjpzZWNyZXQ=\r\n") && head.contains("host: h:1\r\n"),
        "{head}"
    );
}

#[test]
fn plain_answers() {
    let response = done(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Location: /there\r\nContent-Length: 2\r\n\r\nno",
    );
    let expected = Response {
        status: 429,
        retry_after: Some(RetryAfter::Seconds(7)),
        date: Some(784_111_777),
        location: Some("/there".to_owned()),
        body: b"no".to_vec(),
        keep_alive: true,
    };
    assert_eq!(response, expected);
}

#[test]
fn framings_and_reuse() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, body, keep_alive) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), "", true),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "", true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_owned(), "", true),
        ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1\r\n\r\nx".to_owned(), "x", true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx".to_owned(), "x", false),
        ("HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 1\r\n\r\nx".to_owned(), "x", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx".to_owned(), "x", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy".to_owned(), "x", false),
        ("HTTP/1.1 200 OK\r\n\r\nall of it".to_owned(), "all of it", false),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), "", false),
        (format!("{chunked}0\r\n\r\n"), "", true),
        (format!("{chunked}3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), "abc0123456789", true),
        (format!("{chunked}3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"), "abc", true),
        (format!("{chunked}3\r\nabc\r\n0\r\n\r\nHTTP"), "abc", false),
        (format!("{chunked}3\r\nabc\r\n0\r\n"), "abc", false),
        ("HTTP/1.1 200 OK\nContent-Length: 1\n\nx".to_owned(), "x", true),
    ] {
        let response = done(&answer);
        assert_eq!(String::from_utf8_lossy(&response.body), body, "{answer:?}");
        assert_eq!(response.keep_alive, keep_alive, "{answer:?}");
    }
}

#[test]
fn interim_answers_are_skipped() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
                  HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok";
    for sizes in [usize::MAX, 1, 7] {
        let (need, at_eof) = feed(answer.as_bytes(), [sizes]);
        let Need::Done(response) = need else { panic!("{need:?}") };
        assert_eq!((response.status, response.body.as_slice(), response.keep_alive), (202, &b"ok"[..], true));
        assert!(!at_eof);
    }
}

/// What comes along behind an interim answer is not a part of its head.
#[test]
fn a_large_answer_may_come_along_with_an_interim_one() {
    let body = "x".repeat(HEAD_BYTES_MAX + 1);
    let answer = format!(
        "\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut exchange = Exchange::new(Request::get("h", "/"), body.len()).unwrap();
    let need = exchange.input(answer.as_bytes());
    assert!(matches!(&need, Need::Done(response) if response.body == body.as_bytes()), "{need:?}");
}

#[test]
fn failures_say_what_is_wrong() {
    assert_eq!(failed(""), HttpError::Closed { received_bytes: 0 });
    assert_eq!(failed("HTTP/1.1 200"), HttpError::Closed { received_bytes: 12 });
    assert_eq!(
        failed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"),
        HttpError::Closed { received_bytes: 40 }
    );
    assert!(matches!(failed("SSH-2.0-OpenSSH_9.2\r\n"), HttpError::Protocol(_)));
    assert!(matches!(failed("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), HttpError::Protocol(_)));
    assert!(matches!(
        failed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        HttpError::Protocol(_)
    ));
    assert_eq!(
        failed("HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n"),
        HttpError::TooLarge { body_bytes_max: LIMIT }
    );
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
    assert_eq!(failed(&long), HttpError::HeadTooLarge);
    let open_end = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(LIMIT + 1));
    assert_eq!(failed(&open_end), HttpError::TooLarge { body_bytes_max: LIMIT });
    let full = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(LIMIT));
    assert_eq!(done(&full).body.len(), LIMIT);
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let mut exchange = exchange();
    assert_eq!(exchange.input(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Need::More);
    for _ in 0..100_000 {
        match exchange.input(b"1\r\nx\r\n") {
            Need::More => assert!(exchange.received_bytes() <= HEAD_BYTES_MAX + 2 * LIMIT + 1024),
            need => {
                return assert_eq!(need, Need::Failed(HttpError::TooLarge { body_bytes_max: LIMIT }));
            }
        }
    }
    panic!("never refused");
}

#[test]
fn a_body_that_is_too_large_is_not_kept_to_its_end() {
    const CHUNK_BYTES: usize = 4096;
    let body_bytes_max = 16 * HEAD_BYTES_MAX;
    let mut exchange = Exchange::new(Request::get("example.com", "/"), body_bytes_max).unwrap();
    exchange.input(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [format!("{CHUNK_BYTES:x}\r\n").as_bytes(), &[b'x'; CHUNK_BYTES], b"\r\n"].concat();
    while exchange.input(&chunk) == Need::More {}
    let kept_bytes_max = HEAD_BYTES_MAX + body_bytes_max + 2 * CHUNK_BYTES;
    assert!(exchange.received_bytes() <= kept_bytes_max, "{}", exchange.received_bytes());
}
