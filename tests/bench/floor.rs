//! What Redis itself sets as the limit: a program that fetches the records of a queue and throws them away.
//!
//! ```text
//! floor PORT DB QUEUE                   keys in chunks, their values, nothing else
//! floor PORT DB QUEUE python RECORDS    the commands of the Python version, which stores RECORDS per bucket
//! ```
//!
//! It always has a request under way while it reads a reply, and looks at nothing but lengths. Prints four numbers:
//! records, wall ms, CPU ms, peak KiB. Built by `tests/bench/run.sh` with optimisation and nothing but the standard
//! library.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

const CHUNK_KEYS: usize = 500;
/// The bucket of the benchmark.
const BUCKET_RECORDS: usize = 2_000;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, db, queue, mode @ ..] = &arguments[..] else {
        return Err(io::Error::other("floor PORT DB QUEUE [python RECORDS]"));
    };
    let started = Instant::now();
    let socket = TcpStream::connect(("127.0.0.1", port.parse().map_err(io::Error::other)?))?;
    socket.set_nodelay(true)?;
    let mut redis = Redis { replies: BufReader::with_capacity(64 << 10, socket.try_clone()?), socket };
    redis.send(&[&[b"SELECT", db.as_bytes()]])?;
    redis.skip()?;
    let queue = Queue { keys: format!("{queue}.keys"), values: format!("{queue}.values") };
    let records = match mode {
        [name, stored] if name == "python" => as_python(&mut redis, &queue, stored.parse().map_err(io::Error::other)?)?,
        _ => fetch(&mut redis, &queue)?,
    };
    let wall_ms = started.elapsed().as_secs_f64() * 1e3;
    println!("{records} {wall_ms:.3} {:.3} {}", cpu_ms(), peak_kib());
    Ok(())
}

struct Queue {
    keys: String,
    values: String,
}

/// Keys and values in chunks. The request for the next chunk is sent before the values of this one are read.
fn fetch(redis: &mut Redis, queue: &Queue) -> io::Result<usize> {
    let mut records = 0;
    redis.send(&[&range(queue, 0).each()])?;
    let mut keys = redis.keys()?;
    let mut asked = CHUNK_KEYS;
    redis.send(&[&range(queue, asked).each(), &values(queue, &keys)])?;
    while !keys.is_empty() {
        let next = redis.keys()?;
        asked += CHUNK_KEYS;
        if !next.is_empty() {
            redis.send(&[&range(queue, asked).each(), &values(queue, &next)])?;
        }
        records += redis.skip()?;
        keys = next;
    }
    Ok(records)
}

struct Range([String; 5]);

impl Range {
    fn each(&self) -> Vec<&[u8]> {
        self.0.iter().map(String::as_bytes).collect()
    }
}

fn range(queue: &Queue, from: usize) -> Range {
    let last = from + CHUNK_KEYS - 1;
    Range(["ZRANGE".into(), queue.keys.clone(), from.to_string(), last.to_string(), "WITHSCORES".into()])
}

fn values<'a>(queue: &'a Queue, keys: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
    let mut command: Vec<&[u8]> = vec![b"HMGET", queue.values.as_bytes()];
    command.extend(keys.iter().map(Vec::as_slice));
    command
}

/// All keys at once; then bucket by bucket: values, what they became, removal by key.
fn as_python(redis: &mut Redis, queue: &Queue, stored: usize) -> io::Result<usize> {
    redis.send(&[&[b"ZRANGE", queue.keys.as_bytes(), b"0", b"-1", b"WITHSCORES"]])?;
    let keys = redis.keys()?;
    for (number, bucket) in keys.chunks(BUCKET_RECORDS).enumerate() {
        redis.send(&[&values(queue, bucket)])?;
        redis.skip()?;
        let mut scores = String::new();
        let mut names = String::new();
        let mut text = String::new();
        let mut spans = Vec::new();
        for i in 0..stored {
            let name = names.len();
            let _ = write!(names, "{:08x}-0000-4000-8000-{:012x}", number * stored + i, i * 7_919);
            let score = scores.len();
            let _ = write!(scores, "{}.25", 1_700_000_000 + number * 10);
            let value = text.len();
            let _ = write!(
                text,
                "{{\"metric\": \"app.module.metric{}\", \"tags\": [\"room:{}\", \"unit:u{}\"], \"points\": [[{}.2512345, {}.5]], \
                 \"type\": \"count\", \"interval\": 10}}",
                i % 200, i % 8, i % 25, 1_700_000_000 + number * 10, i
            );
            spans.push((name..names.len(), score..scores.len(), value..text.len()));
        }
        let mut zadd: Vec<&[u8]> = vec![b"ZADD", b"chouette:metrics:wrapped.keys"];
        let mut hset: Vec<&[u8]> = vec![b"HSET", b"chouette:metrics:wrapped.values"];
        for (name, score, value) in spans {
            zadd.extend([scores[score].as_bytes(), names[name.clone()].as_bytes()]);
            hset.extend([names[name].as_bytes(), text[value].as_bytes()]);
        }
        redis.send(&[&[b"MULTI"], &zadd, &hset, &[b"EXEC"]])?;
        let mut zrem: Vec<&[u8]> = vec![b"ZREM", queue.keys.as_bytes()];
        zrem.extend(bucket.iter().map(Vec::as_slice));
        let mut hdel: Vec<&[u8]> = vec![b"HDEL", queue.values.as_bytes()];
        hdel.extend(bucket.iter().map(Vec::as_slice));
        redis.skip_all(4)?;
        redis.send(&[&[b"MULTI"], &zrem, &hdel, &[b"EXEC"]])?;
        redis.skip_all(4)?;
    }
    Ok(keys.len())
}

struct Redis {
    socket: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Redis {
    /// Sends commands in one write.
    fn send(&mut self, commands: &[&[&[u8]]]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for command in commands {
            write!(bytes, "*{}\r\n", command.len())?;
            for argument in *command {
                write!(bytes, "${}\r\n", argument.len())?;
                bytes.extend_from_slice(argument);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.socket.write_all(&bytes)
    }

    /// Type and number of the next line.
    fn head(&mut self) -> io::Result<(u8, i64)> {
        let mut line = Vec::new();
        self.replies.read_until(b'\n', &mut line)?;
        let [kind, rest @ .., b'\r', b'\n'] = &line[..] else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if *kind == b'-' {
            return Err(io::Error::other(String::from_utf8_lossy(rest).into_owned()));
        }
        let number = std::str::from_utf8(rest).ok().and_then(|text| text.parse().ok());
        Ok((*kind, number.unwrap_or(-1)))
    }

    /// The members of a list of members and scores.
    fn keys(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let (_, elements) = self.head()?;
        let mut keys = Vec::with_capacity(elements as usize / 2);
        for i in 0..elements {
            let (_, length) = self.head()?;
            if i % 2 == 0 {
                let mut key = vec![0; length as usize + 2];
                self.replies.read_exact(&mut key)?;
                key.truncate(length as usize);
                keys.push(key);
            } else {
                self.pass(length as usize + 2)?;
            }
        }
        Ok(keys)
    }

    /// Passes over a reply; gives the number of its elements.
    fn skip(&mut self) -> io::Result<usize> {
        match self.head()? {
            (b'$', length @ 0..) => self.pass(length as usize + 2).map(|()| 1),
            (b'*', elements @ 0..) => {
                for _ in 0..elements {
                    self.skip()?;
                }
                Ok(elements as usize)
            }
            _ => Ok(1),
        }
    }

    fn skip_all(&mut self, replies: usize) -> io::Result<()> {
        (0..replies).try_for_each(|_| self.skip().map(drop))
    }

    fn pass(&mut self, mut bytes: usize) -> io::Result<()> {
        while bytes > 0 {
            let there = self.replies.fill_buf()?.len().min(bytes);
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.replies.consume(there);
            bytes -= there;
        }
        Ok(())
    }
}

fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e6
}

fn peak_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
