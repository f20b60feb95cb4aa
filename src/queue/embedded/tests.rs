//! The commands that the agent gives, and what it reads in the replies.

use std::time::Duration;

use super::*;
use crate::limits::CHUNK_KEYS;
use crate::protocol::redis::cmd;
use crate::queue::{self, Records, WRAPPED_EVENTS, WRAPPED_LOGS, WRAPPED_METRICS};

const NAME: &str = "board:1:abc";

struct Board {
    queue: Embedded,
    now: Instant,
}

impl Board {
    fn new(memory_bytes_max: usize) -> Board {
        let settings =
            Settings { memory_bytes_max, disk_bytes_max: 1 << 20, after: Duration::from_secs(300) };
        Board { queue: Embedded::new(settings, None, 1), now: Instant::now() }
    }

    fn ask(&mut self, request: &Request) -> Replies {
        self.queue.send(request, self.now);
        let replies = self.queue.take_replies().expect("memory answers at once");
        assert!(self.queue.take_replies().is_none());
        replies
    }

    fn store(&mut self, queue: queue::Queue, entries: &[Entry]) {
        let mut records = Records::default();
        records.extend(entries);
        let mut request = Request::new();
        request.begin();
        queue::store(&mut request, queue, &records);
        request.commit();
        queue::transaction(&self.ask(&request)).expect("stored");
    }

    fn size(&mut self, queue: queue::Queue) -> u64 {
        let replies = self.ask(&queue::queue_size(queue));
        queue::size_of(&replies[0]).expect("a size")
    }

    fn keys(&mut self, rank: usize) -> Listed {
        let mut request = Request::new();
        queue::key_chunk(&mut request, WRAPPED_METRICS, rank, CHUNK_KEYS);
        queue::listed(&mut self.ask(&request)).expect("keys")
    }
}

fn entry(at: usize, json: &[u8]) -> Entry {
    Entry { key: format!("k{at:04}"), score_s: at as f64 + 0.5, json: json.to_vec() }
}

#[test]
fn the_lease_is_whose_who_asks() {
    let mut board = Board::new(1 << 20);
    let taken = queue::lease_of(&board.ask(&queue::take_lease(NAME, Duration::from_secs(15)))).unwrap();
    assert_eq!((taken.holder.as_deref(), taken.no_memory), (Some(NAME), false));
    assert!(taken.delivered.is_empty() && taken.newest_s.is_none() && taken.lasts.is_none());
    queue::renewed(&board.ask(&queue::renew_lease(Duration::from_secs(15))), NAME).unwrap();
    queue::guarded(&board.ask(&queue::guard(Duration::from_secs(15))), NAME, false).unwrap();
    let survey = queue::survey_of(&board.ask(&queue::survey(Duration::from_secs(15)))).unwrap();
    assert_eq!(survey, queue::Survey { claimed: (0, 0), raw: 0, oldest_raw_s: None });
    board.ask(&queue::give_back_lease());
    assert!(queue::renewed(&board.ask(&queue::renew_lease(Duration::from_secs(15))), NAME).is_err());
}

#[test]
fn records_are_stored_listed_read_and_removed() {
    let mut board = Board::new(1 << 20);
    board.store(WRAPPED_METRICS, &[entry(2, b"two"), entry(1, b"one"), entry(3, b"three")]);
    board.store(WRAPPED_EVENTS, &[entry(9, b"nine")]);
    assert_eq!([WRAPPED_METRICS, WRAPPED_EVENTS, WRAPPED_LOGS].map(|queue| board.size(queue)), [3, 1, 0]);

    let listed = board.keys(0);
    assert_eq!(listed.keys().collect::<Vec<_>>(), [b"k0001", b"k0002", b"k0003"]);
    assert_eq!((listed.score_s(0), listed.is_cut), (Some(1.5), false));
    assert_eq!(board.keys(2).keys().collect::<Vec<_>>(), [b"k0003"]);
    let expired =
        queue::listed(&mut board.ask(&queue::expired_keys(WRAPPED_METRICS, 2.5, CHUNK_KEYS))).unwrap();
    assert_eq!(expired.keys().collect::<Vec<_>>(), [b"k0001"], "what is as old as the bound stays");

    let mut request = Request::new();
    let keys = [&b"k0003"[..], b"gone", b"k0001"];
    queue::value_chunk(&mut request, WRAPPED_METRICS, keys.into_iter(), 1 << 10);
    let (values, came) = queue::values_of(&mut board.ask(&request), 3).unwrap();
    assert_eq!(came, 3);
    let expected = [Found::Value(b"three"), Found::Nothing, Found::Value(b"one")];
    assert_eq!(values.iter().collect::<Vec<_>>(), expected);

    let trace = Trace { told: vec![entry(7, b"told")], delivered: Some((b"12345678".to_vec(), 4)) };
    let removal = queue::acknowledge(WRAPPED_METRICS, [&b"k0001"[..], b"k0002"].into_iter(), &trace);
    queue::transaction(&board.ask(&removal)).unwrap();
    assert_eq!(board.keys(0).keys().collect::<Vec<_>>(), [b"k0003", b"k0007"]);
    let known = queue::lease_of(&board.ask(&queue::take_lease(NAME, Duration::from_secs(15)))).unwrap();
    assert_eq!(known.delivered, [b"12345678"]);
}

#[test]
fn values_beyond_the_room_are_asked_for_again() {
    let mut board = Board::new(8 << 20);
    let large = vec![b'x'; 200_000];
    let entries: Vec<Entry> = (0..12).map(|at| entry(at, &large)).collect();
    board.store(WRAPPED_METRICS, &entries);
    let mut request = Request::new();
    queue::value_chunk(&mut request, WRAPPED_METRICS, entries.iter().map(|e| e.key.as_bytes()), 1 << 20);
    let room = request.room().total_bytes_max;
    let (values, came) = queue::values_of(&mut board.ask(&request), 12).unwrap();
    assert_eq!((values.len(), came), (12, (room / large.len()).min(12)));
}

#[test]
fn keys_beyond_the_memory_of_a_list_come_when_those_before_are_gone() {
    let mut board = Board::new(256 << 10);
    let entries: Vec<Entry> = (0..300).map(|at| entry(at, &[b'x'; 500])).collect();
    board.store(WRAPPED_METRICS, &entries);
    let first = board.keys(0);
    assert!(first.is_cut && !first.is_empty() && first.len() < 300, "{}", first.len());
    let second = board.keys(first.len());
    assert!(second.is_cut && second.is_empty(), "no more before these are gone");
    let removal = queue::acknowledge(WRAPPED_METRICS, first.keys(), &Trace::default());
    queue::transaction(&board.ask(&removal)).unwrap();
    assert_eq!(board.keys(0).key(0), Some(format!("k{:04}", first.len()).as_bytes()));
}

#[test]
fn a_command_that_is_not_known_is_no_reply_and_refuses_its_transaction() {
    let mut board = Board::new(1 << 20);
    let mut request = Request::new();
    request
        .push(cmd("FLUSHALL").arg("now"))
        .push(cmd("SCAN").arg(0))
        .push(cmd("HMGET").arg("other").arg("k"));
    assert_eq!(&board.ask(&request)[..], [Value::Nil, Value::Nil, Value::Nil]);
    let mut request = Request::new();
    let removal = cmd("ZREM").arg(WRAPPED_METRICS.keys).arg("k0001").clone();
    request.begin().push(&removal).push(cmd("ZADD").arg("other").arg(1).arg("k")).commit();
    board.store(WRAPPED_METRICS, &[entry(1, b"one")]);
    assert_eq!(queue::transaction(&board.ask(&request)), Err(queue::QueueError::Touched));
    assert_eq!(board.size(WRAPPED_METRICS), 1);
}

#[test]
fn what_happened_is_told_once() {
    let mut board = Board::new(256 << 10);
    assert_eq!(board.queue.take_report(), None);
    let entries: Vec<Entry> = (0..600).map(|at| entry(at, &[b'x'; 500])).collect();
    board.store(WRAPPED_METRICS, &entries);
    let report = board.queue.take_report().expect("not all had room");
    let [Dropped { queue: Stream::Metrics, reason: "spool_memory_full", keys, unnamed: 0 }] =
        &report.dropped[..]
    else {
        panic!("{:?}", report.dropped)
    };
    assert_eq!(keys[0], b"k0000", "the oldest");
    assert_eq!(keys.len() as u64 + board.size(WRAPPED_METRICS), 600);
    assert_eq!(board.queue.take_report(), None);
}

#[test]
fn replies_come_in_the_order_of_the_requests_even_where_the_disk_is_waited_for() {
    let settings =
        Settings { memory_bytes_max: 1 << 20, disk_bytes_max: 1 << 20, after: Duration::from_secs(300) };
    let (mut queue, now) = (Embedded::new(settings, Some(&[(5, 10)]), 1), Instant::now());
    queue.send(&queue::queue_size(WRAPPED_METRICS), now);
    queue.send(&queue::renew_lease(Duration::from_secs(1)), now);
    assert!(queue.take_replies().is_none(), "what the file holds is not known yet");
    queue.pump(now);
    assert_eq!(queue.take_operation(), Some(Operation::Read(5)));
    queue.done(Ok(Outcome::Contents(b"garbage!!!".to_vec())), now);
    assert_eq!(queue.take_replies().expect("a size")[0], Value::Int(0));
    assert_eq!(queue.take_replies().expect("the lease").len(), 2);
    assert_eq!(queue.take_report().map(|report| report.torn), Some(1));
}

#[test]
fn the_last_word_is_told_when_it_is_written() {
    let settings =
        Settings { memory_bytes_max: 1 << 20, disk_bytes_max: 1 << 20, after: Duration::from_secs(300) };
    let (queue, now) = (Embedded::new(settings, Some(&[]), 1), Instant::now());
    let mut board = Board { queue, now };
    board.store(WRAPPED_METRICS, &[entry(1, b"one")]);
    assert_eq!(board.queue.take_operation(), None, "while releases succeed nothing is written");
    board.queue.save(now);
    assert_eq!(board.queue.is_saved(), None);
    let Some(Operation::Append { bytes, .. }) = board.queue.take_operation() else { panic!("no write") };
    assert!(bytes.windows(5).any(|window| window == b"k0001"));
    board.queue.done(Ok(Outcome::Done), now);
    assert_eq!(board.queue.is_saved(), Some(true));
    assert!(board.queue.take_report().is_some_and(|report| report.written_bytes > 0));
}
