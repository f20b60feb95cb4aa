//! Each odd shape a record can have, and seeded mutations of them.

use super::*;
use crate::release::Random;

fn writer(tags: &[&str], host: Option<&str>) -> EntryWriter {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    EntryWriter::new(&Common { host: host.map(str::to_owned), tags })
}

fn entry_of(writer: &EntryWriter, raw: &str) -> Result<String, RecordError> {
    let mut out = Vec::new();
    writer.write(raw.as_bytes(), &mut out).map(|_| String::from_utf8(out).unwrap())
}

fn plain(raw: &str) -> String {
    entry_of(&writer(&[], None), raw).unwrap()
}

/// Whether text is JSON that any server reads: the reader takes it, and outside of strings there is no literal
/// that only Python knows.
fn is_strict_json(text: &[u8]) -> bool {
    let Ok(mut reader) = Reader::from_bytes(text) else {
        return false;
    };
    let is_json = reader.skip().and_then(|()| reader.end()).is_ok();
    is_json && without_infinities(std::str::from_utf8(text).unwrap()).is_none()
}

#[test]
fn a_record_of_the_log_handler_gets_its_tags_joined_and_a_host() {
    let raw = r#"{"date": "2020-09-13T12:26:40.500000", "ddsource": "python", "ddtags": ["env:lab", "room:1"], "level": "INFO", "message": {"text": "hello", "n": 1.50}, "service": "door", "took": 1e3}"#;
    let entry = entry_of(&writer(&["site:garden", "fleet:pi"], Some("shed-1")), raw).unwrap();
    assert_eq!(
        entry,
        r#"{"date":"2020-09-13T12:26:40.500000","ddsource":"python","ddtags":"env:lab,room:1,site:garden,fleet:pi","level":"INFO","message":{"text": "hello", "n": 1.50},"service":"door","took":1e3,"host":"shed-1","hostname":"shed-1"}"#
    );
}

#[test]
fn whatever_else_a_record_holds_goes_out_byte_for_byte() {
    for raw in [
        "{}",
        r#"{"a":1.0,"b":-0,"c":123456789012345678901234567890,"d":1E+2,"e":1e999,"f":0.10}"#,
        r#"{"same":1,"same":2,"":{"x" : [ 1,2 ]}}"#,
        r#"{"lone":"\ud800","pair":"\ud83d\ude00","slash":"\/","é":"\u00e9"}"#,
        r#"{"k\u0065y":"NaN and -Infinity","message":"say \"NaN\" \\"}"#,
        r#"{"date":null,"message":["a",{"b":[]}],"level":true}"#,
    ] {
        assert_eq!(plain(raw), raw);
    }
    assert_eq!(plain(" {\n\t\"a\" :\r 1 ,\"b\": [ 1 ] } "), r#"{"a":1,"b":[ 1 ]}"#);
}

#[test]
fn odd_tags_are_told_sensibly_or_left_out() {
    let with_globals = writer(&["g:1"], None);
    for (tags, alone, with_global) in [
        (r#"["a:b","c:d"]"#, r#""a:b,c:d""#, r#""a:b,c:d,g:1""#),
        (r#""a:b,c:d""#, r#""a:b,c:d""#, r#""a:b,c:d,g:1""#),
        (r#""a,,b ""#, r#""a,,b ""#, r#""a,,b ,g:1""#),
        (r#"["q\"\u00e9\ud800"]"#, r#""q\"\u00e9\ud800""#, r#""q\"\u00e9\ud800,g:1""#),
        (
            r#"[1,2.50,true,null,[1],{"a":1},"","x",NaN,-Infinity]"#,
            r#""1,2.50,true,x""#,
            r#""1,2.50,true,x,g:1""#,
        ),
        (r#"{"a":"b","c":1,"d":null,"e":[1]}"#, r#""a:b,c:1""#, r#""a:b,c:1,g:1""#),
        ("5", r#""5""#, r#""5,g:1""#),
        ("false", r#""false""#, r#""false,g:1""#),
        ("null", "", r#""g:1""#),
        ("NaN", "", r#""g:1""#),
        ("[]", "", r#""g:1""#),
        ("[[],null]", "", r#""g:1""#),
        ("{}", "", r#""g:1""#),
        (r#""""#, "", r#""g:1""#),
    ] {
        let raw = format!(r#"{{"a":1,"ddtags":{tags},"z":2}}"#);
        let member = if alone.is_empty() { String::new() } else { format!(r#""ddtags":{alone},"#) };
        assert_eq!(plain(&raw), format!(r#"{{"a":1,{member}"z":2}}"#), "{tags}");
        let entry = entry_of(&with_globals, &raw).unwrap();
        assert_eq!(entry, format!(r#"{{"a":1,"ddtags":{with_global},"z":2}}"#), "{tags}");
    }
    assert_eq!(entry_of(&with_globals, "{}").unwrap(), r#"{"ddtags":"g:1"}"#);
    assert_eq!(plain(r#"{"ddtags":["a"],"x":1,"ddt\u0061gs":["b"]}"#), r#"{"x":1,"ddt\u0061gs":"b"}"#);
    let quoted = writer(&["a:\"\u{1}"], None);
    assert_eq!(entry_of(&quoted, "{}").unwrap(), r#"{"ddtags":"a:\"\u0001"}"#);
}

#[test]
fn a_record_keeps_the_host_it_brings() {
    let hosted = writer(&[], Some("pi \"1\""));
    assert_eq!(entry_of(&hosted, "{}").unwrap(), r#"{"host":"pi \"1\"","hostname":"pi \"1\""}"#);
    for raw in [r#"{"host":"own"}"#, r#"{"hostname":"own","a":1}"#, r#"{"host":null}"#] {
        assert_eq!(entry_of(&hosted, raw).unwrap(), raw);
    }
}

#[test]
fn what_is_no_object_is_no_log() {
    for raw in [
        "",
        " ",
        "[]",
        r#"[{"message":"a"}]"#,
        r#""text""#,
        "5",
        "null",
        "NaN",
        "{",
        r#"{"a":1}x"#,
        r#"{"a":}"#,
    ] {
        assert_eq!(entry_of(&writer(&[], None), raw), Err(RecordError::MalformedLog), "{raw}");
    }
    let mut out = Vec::new();
    let error = writer(&[], None).write(b"{\"message\":\"\xff\"}", &mut out);
    assert_eq!(error, Err(RecordError::MalformedLog));
}

#[test]
fn literals_that_only_python_knows_become_null() {
    for (raw, expected) in [
        (r#"{"a":NaN}"#, r#"{"a":null}"#),
        (
            r#"{"a":[Infinity, -Infinity,{"NaN":NaN,"b":"NaN, \"Infinity\" \\"}],"c":-1}"#,
            r#"{"a":[null, null,{"NaN":null,"b":"NaN, \"Infinity\" \\"}],"c":-1}"#,
        ),
    ] {
        let mut out = Vec::new();
        let changes = writer(&[], None).write(raw.as_bytes(), &mut out);
        assert_eq!(changes, Ok(Changes { not_finite: true, truncated: false }));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

#[test]
fn the_longest_field_of_an_entry_that_is_too_long_is_cut() {
    let long = "é\"".repeat(LOG_ENTRY_BYTES_MAX / 2);
    let mut quoted = String::new();
    json::push_string(&long, &mut quoted);
    let lists = format!("[{quoted}, 1]");
    for value in [&quoted, &lists] {
        let raw = format!(r#"{{"date":"d","message":{value},"level":"INFO"}}"#);
        let mut out = Vec::new();
        let changes = writer(&["a:b"], Some("h")).write(raw.as_bytes(), &mut out).unwrap();
        assert!(changes.truncated);
        assert!(is_strict_json(&out));
        assert!((LOG_ENTRY_BYTES_MAX - 8..=LOG_ENTRY_BYTES_MAX).contains(&out.len()), "{}", out.len());
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(r#"{"date":"d","message":""#), "a text in the same place");
        assert!(text.ends_with(
            r#"","level":"INFO","ddtags":"a:b","host":"h","hostname":"h","chouette_truncated":true}"#
        ));
    }
    let exact = format!(r#"{{"m":"{}"}}"#, "x".repeat(LOG_ENTRY_BYTES_MAX - 8));
    assert_eq!(exact.len(), LOG_ENTRY_BYTES_MAX);
    assert_eq!(plain(&exact), exact, "the longest that goes out whole");
}

#[test]
fn several_long_fields_are_cut_and_what_cannot_be_is_too_large() {
    let long = "x".repeat(LOG_ENTRY_BYTES_MAX);
    let raw = format!(r#"{{"a":"{long}","b":"{long}","c":"{long}"}}"#);
    let entry = plain(&raw);
    assert!(entry.len() <= LOG_ENTRY_BYTES_MAX && is_strict_json(entry.as_bytes()));

    let uncut = "u".repeat(LOG_FIELD_BYTES_UNCUT - 2);
    let raw = format!(r#"{{"a":"{uncut}","b":"{long}","c":"{uncut}"}}"#);
    let entry = plain(&raw);
    assert_eq!(entry.matches(&format!(r#""{uncut}""#)).count(), 2, "short fields are left alone");

    let too_large = Err(RecordError::LogTooLarge);
    let key = format!(r#"{{"{long}":1,"message":"{long}"}}"#);
    assert_eq!(entry_of(&writer(&[], None), &key), too_large, "a key is not cut");
    assert_eq!(too_large.clone().unwrap_err().to_string(), "a log that is too large");
    let short = format!(r#""k":"{}","#, "x".repeat(900)).repeat(1_200);
    assert_eq!(entry_of(&writer(&[], None), &format!(r#"{{{short}"z":1}}"#)), too_large);
    let many = format!("{{{}\"z\":1}}", r#""k":1,"#.repeat(LOG_FIELDS_MAX));
    assert_eq!(entry_of(&writer(&[], None), &many), too_large);
}

#[test]
fn deep_nesting_costs_nothing() {
    let raw = format!(r#"{{"a":{}NaN{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(is_strict_json(plain(&raw).as_bytes()));
}

/// Whatever bytes a record is made of, the entry is JSON that any server reads, or there is none.
#[test]
fn seeded_mutations_never_make_a_body_that_is_no_json() {
    const SEED: u64 = 0x5eed_1095;
    let records = [
        r#"{"date": "2020-09-13T12:26:40", "ddtags": ["a:b", "c:d"], "level": "INFO", "message": {"text": "x\"y"}}"#,
        r#"{"ddtags":{"a":"b","c":null},"host":"h","x":[NaN,-Infinity,1e5,"\ud800"],"y":Infinity}"#,
        r#"{"ddtags":"a,b","message":"NaN \\\" Infinity","took":-1.50e-3,"ok":true,"none":null}"#,
    ];
    let pieces: [&[u8]; 16] = [
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"NaN",
        b"-Infinity",
        b"\\ud83d",
        b"\xff",
        b" ",
        b"1",
        b"null",
        b"\"ddtags\":",
    ];
    let mut random = Random::new(SEED);
    let mut below = |n: usize| usize::try_from(random.below(n as u64)).unwrap();
    let writers = [writer(&[], None), writer(&["g:\"1\""], Some("h\\"))];
    let mut readable = 0;
    for round in 0..20_000 {
        let mut raw = records[below(records.len())].as_bytes().to_vec();
        for _ in 0..below(4) {
            let at = below(raw.len() + 1);
            match below(3) {
                0 => drop(raw.splice(at..at, pieces[below(pieces.len())].iter().copied())),
                1 if at < raw.len() => raw[at] = below(256) as u8,
                _ => raw.truncate(raw.len().max(1) - usize::from(at % 2 == 0)),
            }
        }
        let mut out = Vec::new();
        if writers[below(2)].write(&raw, &mut out).is_ok() {
            readable += 1;
            let shown = String::from_utf8_lossy(&raw);
            assert!(is_strict_json(&out), "seed {SEED:#x}, round {round}: {shown}");
            assert_eq!(out.first(), Some(&b'{'));
        }
    }
    assert!(readable > 5_000, "only {readable} of the records were readable");
}
