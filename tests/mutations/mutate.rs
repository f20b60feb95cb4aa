//! Seeded mutations: the same bytes for the same seed and the same originals.

/// Longest input that comes out, unless the original is longer.
const INPUT_BYTES_MAX: usize = 6_000;

/// What numbers are at their edges, in the formats that write them in decimal.
const NUMBERS: &[&[u8]] = &[
    b"0",
    b"-0",
    b"-1",
    b"1",
    b"0.5",
    b"1e9",
    b"1e-9",
    b"1e308",
    b"-1e308",
    b"1e309",
    b"5e-324",
    b"255",
    b"256",
    b"65536",
    b"2147483647",
    b"4294967296",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"170141183460469231731687303715884105728",
    b"00",
    b"1.",
    b".5",
    b"1600000000.5",
];

/// xorshift64*.
pub struct Random(u64);

impl Random {
    /// Neighbouring seeds give sequences that have nothing in common.
    pub fn new(seed: u64) -> Random {
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Random((state ^ state >> 31).max(1))
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// An input made of one of the originals and pieces of others, with words of the format.
pub fn mutated(random: &mut Random, originals: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut input = originals[random.below(originals.len())].clone();
    let bytes_max = input.len().max(INPUT_BYTES_MAX);
    for _ in 0..=random.below(5) {
        step(random, &mut input, originals, words);
        input.truncate(bytes_max);
    }
    input
}

fn step(random: &mut Random, input: &mut Vec<u8>, originals: &[Vec<u8>], words: &[Vec<u8>]) {
    let at = random.below(input.len() + 1);
    let most = [1, 4, 16, 200][random.below(4)];
    let end = (at + 1 + random.below(most)).min(input.len()).max(at);
    match random.below(12) {
        0 => flip(random, input, at),
        1 => input[at..end].iter_mut().for_each(|byte| *byte = random.below(256) as u8),
        2 => insert(input, at, random.one_of(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())),
        3 => drop(input.splice(at..end, words[random.below(words.len())].iter().copied())),
        4 => number(random, input, at),
        5 => drop(input.drain(at..end)),
        6 => {
            let block = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            insert(input, to, &block);
        }
        7 => {
            let other = &originals[random.below(originals.len())];
            let from = random.below(other.len() + 1);
            let to = (from + random.below(200)).min(other.len());
            drop(input.splice(at..end, other[from..to].iter().copied()));
        }
        8 if random.below(4) == 0 => input.truncate(at),
        9 if random.below(4) == 0 => nest(random, input, at, end, words),
        10 => {
            if let (Some(here), to) = (input.get(at).copied(), random.below(input.len())) {
                input[at] = std::mem::replace(&mut input[to], here);
            }
        }
        _ => flip(random, input, at),
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(input.splice(at..at, piece.iter().copied()));
}

fn flip(random: &mut Random, input: &mut [u8], at: usize) {
    let bit = 1 << random.below(8);
    if let Some(byte) = input.get_mut(at) {
        *byte ^= bit;
    }
}

/// Puts a number at its edge in place of the next one.
fn number(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let start = input[at..].iter().position(is_part).map_or(at, |skipped| at + skipped);
    let len = input[start..].iter().take_while(|byte| is_part(byte)).count();
    drop(input.splice(start..start + len, random.one_of(NUMBERS).iter().copied()));
}

/// Repeats what opens something, and perhaps what closes it.
fn nest(random: &mut Random, input: &mut Vec<u8>, at: usize, end: usize, words: &[Vec<u8>]) {
    let times = [3, 40, 130, 3000][random.below(4)];
    let (open, close): (&[u8], &[u8]) = match random.below(4) {
        0 => (b"[", b"]"),
        1 => (b"{\"a\":", b"}"),
        2 => (&input[at..end], b""),
        _ => (words[random.below(words.len())].as_slice(), b""),
    };
    let mut block = open.repeat(times);
    if random.below(2) == 0 {
        block.extend(close.repeat(times));
    }
    block.truncate(INPUT_BYTES_MAX);
    insert(input, at, &block);
}

/// The words of a dictionary in libFuzzer's form: one in quotes on a line, with `\\`, `\"` and `\xAB`.
pub fn dictionary(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| word(line).unwrap_or_else(|| panic!("no word of a dictionary: {line}"))).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        word.push(match byte {
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                escaped => escaped,
            },
            plain => plain,
        });
    }
    Some(word)
}

#[test]
fn dictionaries_are_read() {
    assert_eq!(dictionary("\"a\"\n\"\\\\\\\"\\x0d\\xff\""), [b"a".to_vec(), b"\\\"\r\xff".to_vec()]);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (originals, words) = ([b"{\"a\": [1, 2.5]}".to_vec(), Vec::new()], [b"null".to_vec()]);
    let all = |offset: u64| -> Vec<Vec<u8>> {
        (0..500).map(|seed| mutated(&mut Random::new(seed + offset), &originals, &words)).collect()
    };
    assert_eq!(all(0), all(0));
    assert!(all(0).iter().all(|input| input.len() <= INPUT_BYTES_MAX));
    let unique: std::collections::BTreeSet<_> = all(0).into_iter().collect();
    assert!(unique.len() > 300, "only {} different inputs", unique.len());
}
