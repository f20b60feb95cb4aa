//! Files of the embedded queue.
//!
//! An input is frames, each a byte of kind, two of length and as many more, which get the mark and the checksum that a
//! frame needs; the first bit of the kind begins another file. What is left at the end stands there as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chouette_iot::protocol::redis::Found;
use chouette_iot::queue::spool::frame::Writer;
use chouette_iot::queue::spool::operation::{Operation, Outcome};
use chouette_iot::queue::spool::{Answer, Ask, Settings, Spool};
use chouette_iot::queue::{Entry, Stream, Trace};

const FIRST: u32 = 16;
const SETTINGS: Settings =
    Settings { memory_bytes_max: 1 << 20, disk_bytes_max: 16 << 20, after: Duration::from_secs(300) };

type Files = BTreeMap<u32, Vec<u8>>;

fn files(mut data: &[u8]) -> Files {
    let (mut files, mut writer, mut number) = (Files::new(), Writer::new(FIRST, 0), FIRST);
    while let Some((&[kind, a, b], rest)) = data.split_first_chunk::<3>() {
        let Some((payload, rest)) = rest.split_at_checked(usize::from(u16::from_le_bytes([a, b]))) else {
            break;
        };
        if kind >= 0x80 {
            files.insert(number, std::mem::replace(&mut writer, Writer::new(number + 1, 0)).into_bytes());
            number += 1;
        }
        writer.push(kind & 0x7f, payload);
        data = rest;
    }
    files.insert(number, [writer.into_bytes(), data.to_vec()].concat());
    files
}

struct Rig {
    spool: Spool<()>,
    files: Files,
    now: Instant,
}

impl Rig {
    fn start(files: Files) -> Rig {
        let list: Vec<_> = files.iter().map(|(number, bytes)| (*number, bytes.len() as u64)).collect();
        Rig { spool: Spool::new(SETTINGS, Some(&list), 0), files, now: Instant::now() }
    }

    fn ask(&mut self, ask: Ask) -> Answer {
        self.spool.ask((), ask, self.now);
        while let Some(operation) = self.spool.take_operation() {
            let outcome = match operation {
                Operation::Read(number) => Outcome::Contents(self.files[&number].clone()),
                Operation::Append { segment, at, bytes, .. } => {
                    let file = self.files.entry(segment).or_default();
                    assert_eq!(file.len(), at as usize);
                    file.extend(bytes);
                    Outcome::Done
                }
                Operation::Truncate(..) => panic!("nothing has failed"),
                Operation::Delete(number) => {
                    self.files.remove(&number);
                    Outcome::Done
                }
            };
            self.spool.done(outcome, self.now);
        }
        self.spool.take_answer().expect("an answer").1
    }

    fn drain(&mut self, queue: Stream) -> BTreeSet<Vec<u8>> {
        let mut all = BTreeSet::new();
        loop {
            let ask = Ask::Keys { queue, rank: 0, count: 100, before_s: None };
            let Answer::Keys(listed, _) = self.ask(ask) else { panic!() };
            if listed.is_empty() {
                assert_eq!(self.ask(Ask::Size(queue)), Answer::Size(0));
                return all;
            }
            let keys: Vec<_> = listed.keys().map(<[u8]>::to_vec).collect();
            let Answer::Values(values) = self.ask(Ask::Values(queue, keys.clone(), usize::MAX)) else {
                panic!()
            };
            assert!(values.iter().all(|found| matches!(found, Found::Value(_))), "listed without a value");
            let unique: BTreeSet<_> = keys.iter().cloned().collect();
            assert_eq!(unique.len(), keys.len(), "a key twice in a list");
            all.extend(unique);
            let removed = self.ask(Ask::Remove(queue, keys, Trace::default()));
            assert_eq!(removed, Answer::Removed { is_durable: true });
        }
    }
}

/// What [`super::TARGETS`] calls `spool`.
pub fn spool(data: &[u8]) {
    let files = files(data);
    let mut rig = Rig::start(files.clone());
    let found: Vec<_> = Stream::ALL.into_iter().map(|queue| rig.drain(queue)).collect();
    assert!(rig.files.is_empty(), "files stay that hold nothing");
    assert_eq!(rig.spool.figures().memory_bytes, 0);
    assert!(rig.spool.take_failure().is_none() && rig.spool.take_dropped().is_empty());

    // A start that releases nothing changes nothing, and what is stored then is found too.
    let mut rig = Rig::start(files);
    let entry = Entry { key: "\u{1f989}".into(), score_s: 7.0, json: b"{}".to_vec() };
    rig.ask(Ask::Store(Stream::Checks, vec![entry]));
    assert_eq!(rig.ask(Ask::Save), Answer::Saved(true));
    let mut rig = Rig::start(rig.files);
    for (queue, mut expected) in Stream::ALL.into_iter().zip(found) {
        if queue == Stream::Checks {
            expected.insert("\u{1f989}".into());
        }
        assert_eq!(rig.drain(queue), expected, "{queue:?}");
    }
}
