//! What a card may give back: files that are cut, flipped, emptied, foreign. The start never fails, what can be read
//! is delivered, once, and what cannot is counted.

use crate::support::alone::{Alone, Counter, Sent};
use crate::support::behaviour::status;
use crate::support::figures::figure;
use crate::support::{PATIENT, SOON, wait_until};
use chouette_iot::release::Random;

use std::path::{Path, PathBuf};
use std::time::Duration;

const ROUNDS: u64 = 12;
const SELF_METRICS: (&str, &str) = ("SEND_SELF_METRICS", "true");

/// What was done to the files.
#[derive(Debug, Default)]
struct Done {
    flipped: usize,
    cut: usize,
    foreign: usize,
}

/// An agent ends amid an outage: some files, and what is in them.
fn left(alone: &Alone) -> Sent {
    alone.intake.behave(|_| status(503));
    let mut agent = alone.run(&[("SPOOL_AFTER", "1"), ("SPOOL_MEMORY_MAX", "262144")]);
    let counter = Counter::start(alone, 20, Duration::from_millis(20));
    std::thread::sleep(Duration::from_millis(2_500));
    let sent = counter.finish();
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert!(alone.files().len() > 2, "{:?}", alone.files());
    sent
}

fn flip(file: &Path, random: &mut Random) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = random.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << random.below(8);
    std::fs::write(file, bytes).unwrap();
}

fn cut(file: &Path, random: &mut Random) {
    let length = std::fs::metadata(file).unwrap().len();
    std::fs::File::options().write(true).open(file).unwrap().set_len(random.below(length)).unwrap();
}

fn noise(random: &mut Random) -> Vec<u8> {
    (0..random.below(100_000)).map(|_| random.below(256) as u8).collect()
}

/// Does what the round's number says.
fn damage(alone: &Alone, round: u64, random: &mut Random) -> Done {
    let files: Vec<PathBuf> = alone.files();
    let any = |random: &mut Random| files[random.below(files.len() as u64) as usize].clone();
    let mut done = Done::default();
    if round & 1 > 0 {
        for _ in 0..=random.below(4) {
            flip(&any(random), random);
            done.flipped += 1;
        }
    }
    if round & 2 > 0 {
        cut(&any(random), random);
        done.cut = 1;
    }
    if round & 4 > 0 || round == 0 {
        let spool = alone.spool();
        std::fs::write(spool.join("00000007.spool"), noise(random)).unwrap();
        std::fs::write(spool.join("fffffff0.spool"), noise(random)).unwrap();
        std::fs::write(spool.join("00000009.spool"), "").unwrap();
        std::fs::create_dir(spool.join("00000008.spool")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", spool.join("0000000a.spool")).unwrap();
        std::fs::write(spool.join("\u{1F989}.spool"), noise(random)).unwrap();
        done.foreign = 6;
    }
    done
}

/// What a round came to.
#[derive(Debug)]
struct Ended {
    done: Done,
    sent: usize,
    missing: usize,
    told: u64,
}

fn round(number: u64) -> Ended {
    let alone = Alone::new(|_| status(202));
    let sent = left(&alone);
    let mut random = Random::new(900 + number);
    let done = damage(&alone, number, &mut random);
    alone.intake.behave(|_| status(202));
    let mut agent = alone.run(&[SELF_METRICS]);
    let told = || alone.told("spool_damaged") + alone.told("spool_torn");
    let is_ours = |file: &PathBuf| !file.is_dir() && file.is_ascii_named();
    let came =
        alone.comes(&agent, PATIENT, |came| !came.ones.is_empty() && !alone.files().iter().any(is_ours));
    // A cut between two records cannot be told from the end of a file, and may be where bits were flipped.
    if done.cut == 0 && done.flipped + done.foreign > 0 {
        assert!(wait_until(SOON, || told() > 0), "round {number}: {done:?} is not told");
    }
    came.is_nothing_twice();
    // It goes on as if nothing had been.
    alone.send("after:1|c");
    assert!(crate::support::bench::arrives(&alone.intake, "after", PATIENT), "{}", agent.stderr());
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let ended = Ended { missing: came.missing(&sent).len(), sent: sent.at.len(), told: told(), done };
    // Two of a number stand in frames of their own, the count and the sum that all share.
    if ended.done.cut == 0 {
        assert!(ended.missing <= ended.done.flipped, "round {number}: {ended:?}");
    }
    ended
}

trait AsciiNamed {
    fn is_ascii_named(&self) -> bool;
}

impl AsciiNamed for PathBuf {
    fn is_ascii_named(&self) -> bool {
        self.file_name().is_some_and(|name| name.to_string_lossy().is_ascii())
    }
}

#[test]
fn whatever_is_in_the_directory_the_start_succeeds_and_the_rest_arrives() {
    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ROUNDS).map(|number| scope.spawn(move || round(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a round, as its thread says")).collect()
    });
    let total = |of: fn(&Ended) -> usize| ended.iter().map(of).sum::<usize>();
    let value = format!(
        "{} flipped bits, {} cuts, {} foreign files; {} counts left, {} missing, none twice, {} damages told",
        total(|e| e.done.flipped),
        total(|e| e.done.cut),
        total(|e| e.done.foreign),
        total(|e| e.sent),
        total(|e| e.missing),
        total(|e| e.told as usize),
    );
    figure("embedded damage", &format!("{ROUNDS} starts"), &value);
}
