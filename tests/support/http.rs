//! HTTP/1.1 as a server reads it, strict enough to notice what an intake would refuse.

use std::io::{self, Read};

/// A request longer than this ends the connection.
const REQUEST_BYTES_MAX: usize = 80 << 20;

/// Unix seconds as HTTP headers write them.
pub fn date(unix_s: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    let (mut year, mut day, mut month) = (1970, days, 0);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    format!(
        "{}, {:02} {} {year} {:02}:{:02}:{:02} GMT",
        WEEKDAYS[usize::try_from(days % 7).unwrap()],
        day + 1,
        MONTHS[month],
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// One request as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    pub method: String,
    pub path: String,
    /// Names in lower case, in the order they were sent.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Head and body.
    pub wire_bytes: usize,
}

impl RawRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one request. `buffer` holds what came after the previous one. None: the peer closed between two requests.
pub fn read_request(stream: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<Option<RawRequest>> {
    let head_end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if !read_more(stream, buffer)? {
            return if buffer.is_empty() { Ok(None) } else { Err(cut()) };
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).map_err(|_| wrong("the head is not text"))?;
    let mut lines = head.split("\r\n");
    let request_line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, path, "HTTP/1.1"] = request_line[..] else {
        return Err(wrong("no HTTP/1.1 request line"));
    };
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = RawRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: Vec::new(),
        wire_bytes: 0,
    };
    let end =
        if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            read_chunks(stream, buffer, head_end, &mut request.body)?
        } else {
            let length = match request.header("content-length") {
                Some(value) => value.parse().map_err(|_| wrong("content-length is no number"))?,
                None => 0,
            };
            fill(stream, buffer, head_end + length)?;
            request.body = buffer[head_end..head_end + length].to_vec();
            head_end + length
        };
    request.wire_bytes = end;
    buffer.drain(..end);
    Ok(Some(request))
}

/// Reads a chunked body that begins at `at`; gives back where it ends.
fn read_chunks(
    stream: &mut dyn Read,
    buffer: &mut Vec<u8>,
    mut at: usize,
    body: &mut Vec<u8>,
) -> io::Result<usize> {
    loop {
        let line_end = loop {
            if let Some(end) = find(&buffer[at..], b"\r\n") {
                break at + end;
            }
            let length = buffer.len();
            fill(stream, buffer, length + 1)?;
        };
        let size = std::str::from_utf8(&buffer[at..line_end]).map_err(|_| wrong("chunk size"))?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| wrong("chunk size"))?;
        let start = line_end + 2;
        fill(stream, buffer, start + size + 2)?;
        body.extend_from_slice(&buffer[start..start + size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(at);
        }
    }
}

/// Reads until the buffer holds `length` bytes.
fn fill(stream: &mut dyn Read, buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    if length > REQUEST_BYTES_MAX {
        return Err(wrong("the request is too long"));
    }
    while buffer.len() < length {
        if !read_more(stream, buffer)? {
            return Err(cut());
        }
    }
    Ok(())
}

fn read_more(stream: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk)?;
    buffer.extend_from_slice(&chunk[..count]);
    Ok(count > 0)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "cut in the middle of a request")
}
