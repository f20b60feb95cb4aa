//! Messages as the documentation describes them, and what is none.

use super::*;
use crate::limits::NAME_BYTES_MAX;
use crate::metric::{Elements, Value};

/// What a message of a metric says: `name type weight timestamp tags values`.
fn metric(message: &str) -> Result<String, MessageError> {
    match Parser::default().parse(message.as_bytes())? {
        Message::Metric(metric) => Ok(shown(&metric)),
        other => panic!("{message}: {other:?}"),
    }
}

fn shown(metric: &Metric<'_>) -> String {
    let values: Vec<String> = metric.samples(5.0).map(|sample| shown_value(sample.value)).collect();
    let timestamp = metric.samples(5.0).next().map(|sample| sample.timestamp).unwrap_or_default();
    let (name, kind, weight, tags) = (metric.name, metric.kind.as_str(), metric.weight, metric.tags);
    format!("{name} {kind} {weight} {timestamp} {tags} {}", values.join(","))
}

fn shown_value(value: Value<'_>) -> String {
    match value {
        Value::Number(number) => number.python_str(),
        Value::Set(elements) => {
            elements.iter().map(|element| String::from_utf8_lossy(element).into_owned()).collect()
        }
    }
}

fn event(message: &str) -> Result<String, MessageError> {
    match Parser::default().parse(message.as_bytes())? {
        Message::Event(event) => Ok(format!("{event:?}")),
        other => panic!("{message}: {other:?}"),
    }
}

fn check(message: &str) -> Result<String, MessageError> {
    match Parser::default().parse(message.as_bytes())? {
        Message::Check(check) => Ok(format!("{check:?}")),
        other => panic!("{message}: {other:?}"),
    }
}

#[test]
fn each_type_is_what_the_documentation_says() {
    for (message, expected) in [
        ("board.resets:1|c", "board.resets count 1 5 [] 1"),
        ("tank.level:0.25|g", "tank.level gauge 1 5 [] 0.25"),
        ("door.time:320|ms", "door.time histogram 1 5 [] 320"),
        ("song.length:240|h|@0.5", "song.length histogram 2 5 [] 240"),
        ("queue.wait:1.5|d", "queue.wait distribution 1 5 [] 1.5"),
        ("users.uniques:ann|s", "users.uniques set 1 5 [] sann"),
        ("resets:3|c|#room:shed,old", r#"resets count 1 5 ["old","room:shed"] 3"#),
        ("resets:3|c|@0.5|#room:shed", r#"resets count 2 5 ["room:shed"] 6"#),
        ("resets:3|c|#room:shed|@0.25", r#"resets count 4 5 ["room:shed"] 12"#),
    ] {
        assert_eq!(metric(message).as_deref(), Ok(expected), "{message}");
    }
}

#[test]
fn packed_values_share_everything_else() {
    for (message, expected) in [
        ("wait:1:2.5:-3|h|#a:b", r#"wait histogram 1 5 ["a:b"] 1,2.5,-3"#),
        ("wait:1:2|c|@0.1", "wait count 10 5 [] 10,20"),
        ("wait:21::22:|d", "wait distribution 1 5 [] 21,22"),
        ("wait:7:8|g", "wait gauge 1 5 [] 7,8"),
        ("who:a:b|s", "who set 1 5 [] sa:b"),
    ] {
        assert_eq!(metric(message).as_deref(), Ok(expected), "{message}");
    }
}

#[test]
fn containers_and_what_nobody_knows_are_passed_over() {
    for (message, expected) in [
        (
            "a:1|c|#b:c|c:83c0a99c0a54c0c187f461c7980e9b57f3f6a8b0c918c8d93df19a9de6f3fe1d",
            r#"a count 1 5 ["b:c"] 1"#,
        ),
        ("a:1|c|c:ci-1,in-2|e:it-false,cn-x,pu-y|card:low|#x", r#"a count 1 5 ["x"] 1"#),
        ("a:1|c|", "a count 1 5 [] 1"),
        ("a:1|c||z:9|#", "a count 1 5 [] 1"),
        ("a:1|c|#one|#two", r#"a count 1 5 ["two"] 1"#),
        ("a:1|c|#,,dd.internal.entity_id:x,dd.internal.card:none,k", r#"a count 1 5 ["k"] 1"#),
        ("a:1|c|#k:v,k:v,k:w", r#"a count 1 5 ["k:v","k:w"] 1"#),
        ("a:1|c|#host:pi,ü:\"", r#"a count 1 5 ["host:pi","ü:\""] 1"#),
    ] {
        assert_eq!(metric(message).as_deref(), Ok(expected), "{message}");
    }
}

#[test]
fn a_timestamp_is_for_counts_and_gauges() {
    assert_eq!(metric("a:15|c|#b|T1656581400").as_deref(), Ok(r#"a count 1 1656581400 ["b"] 15"#));
    assert_eq!(metric("a:15:16|g|T1656581400").as_deref(), Ok("a gauge 1 1656581400 [] 15,16"));
    for (message, error) in [
        ("a:1|c|T", MessageError::BadTimestamp),
        ("a:1|c|T0", MessageError::BadTimestamp),
        ("a:1|c|T-5", MessageError::BadTimestamp),
        ("a:1|c|T1.5", MessageError::BadTimestamp),
        ("a:1|c|T99999999999999999999", MessageError::BadTimestamp),
        ("a:1|h|T1656581400", MessageError::Timestamped),
        ("a:1|d|T1656581400", MessageError::Timestamped),
        ("a:1|s|T1656581400", MessageError::Timestamped),
    ] {
        assert_eq!(metric(message), Err(error), "{message}");
    }
}

#[test]
fn numbers_are_decimal_and_finite_and_integers_stay_integers() {
    for (value, expected) in [
        ("0", "0"),
        ("-7", "-7"),
        ("+7", "7"),
        ("007", "7"),
        ("1.0", "1.0"),
        (".5", "0.5"),
        ("5.", "5.0"),
        ("1e3", "1000.0"),
        ("9007199254740993", "9007199254740993"),
        ("9223372036854775808", "9223372036854775808"),
    ] {
        assert_eq!(metric(&format!("a:{value}|g")), Ok(format!("a gauge 1 5 [] {expected}")), "{value}");
    }
    for (value, error) in [
        ("x", MessageError::BadValue),
        ("1 ", MessageError::BadValue),
        ("-", MessageError::BadValue),
        ("1.2.3", MessageError::BadValue),
        ("0x10", MessageError::BadValue),
        ("1:x", MessageError::BadValue),
        ("::", MessageError::BadValue),
        ("nan", MessageError::NotFinite),
        ("-inf", MessageError::NotFinite),
        ("1e999", MessageError::NotFinite),
    ] {
        assert_eq!(metric(&format!("a:{value}|g")), Err(error), "{value}");
    }
    assert_eq!(metric("a:1e308|c|@0.001"), Err(MessageError::NotFinite));
    assert_eq!(metric("a:1.5|c|@0.1").as_deref(), Ok("a count 10 5 [] 15.0"));
}

#[test]
fn a_rate_is_above_zero_and_at_most_one() {
    assert_eq!(metric("a:1|c|@1").as_deref(), Ok("a count 1 5 [] 1"));
    assert_eq!(metric("a:1|c|@1.0").as_deref(), Ok("a count 1 5 [] 1"));
    assert_eq!(metric("a:1|g|@0.1").as_deref(), Ok("a gauge 10 5 [] 1"), "a gauge is what it is");
    for rate in ["0", "-0.5", "1.5", "nan", "inf", "", "x", "1e-320"] {
        assert_eq!(metric(&format!("a:1|c|@{rate}")), Err(MessageError::BadRate), "{rate}");
    }
}

#[test]
fn what_is_no_message_says_why() {
    for (message, error) in [
        ("rubbish", MessageError::Malformed),
        ("a:1", MessageError::Malformed),
        (":1|c", MessageError::Malformed),
        ("a:|c", MessageError::Malformed),
        ("a|1:2|c", MessageError::Malformed),
        ("a:1|", MessageError::UnknownType),
        ("a:1|m", MessageError::UnknownType),
        ("a:1|c ", MessageError::UnknownType),
    ] {
        assert_eq!(metric(message), Err(error), "{message}");
    }
    assert_eq!(Parser::default().parse(b"a\xff:1|c"), Err(MessageError::NotUtf8));
    let named = |bytes: usize| metric(&format!("{}:1|c", "n".repeat(bytes))).map(drop);
    assert_eq!((named(NAME_BYTES_MAX), named(NAME_BYTES_MAX + 1)), (Ok(()), Err(MessageError::TooLarge)));
    let tagged = |tags: usize| {
        let tags: Vec<String> = (0..tags).map(|i| format!("t{i}")).collect();
        metric(&format!("a:1|c|#{}", tags.join(","))).map(drop)
    };
    assert_eq!((tagged(TAGS_MAX), tagged(TAGS_MAX + 1)), (Ok(()), Err(MessageError::TooLarge)));
    let long = |bytes: usize| metric(&format!("a:1|c|#{}", "t".repeat(bytes - r#"[""]"#.len()))).map(drop);
    assert_eq!((long(TAGS_BYTES_MAX), long(TAGS_BYTES_MAX + 1)), (Ok(()), Err(MessageError::TooLarge)));
}

#[test]
fn events_have_their_fields() {
    let all =
        "_e{8,11}:door\\nup|open for 5 |d:1600000000|h:pi|k:doors|p:low|s:shed|t:warning|#room:shed|c:x";
    let mut parser = Parser::default();
    let Ok(Message::Event(found)) = parser.parse(all.as_bytes()) else { panic!("no event") };
    let expected = Event {
        title: "door\\nup",
        text: "open for 5 ",
        timestamp_s: Some(1_600_000_000),
        host: Some("pi"),
        aggregation_key: Some("doors"),
        priority: Priority::Low,
        source_type: Some("shed"),
        alert_type: AlertType::Warning,
        tags: r#"["room:shed"]"#,
    };
    assert_eq!(found, expected);
    assert_eq!(Event::with_line_breaks(found.title), "door\nup");
    let plain = event("_e{1,0}:a|").unwrap();
    assert!(plain.contains(r#"title: "a", text: """#) && plain.contains("Normal") && plain.contains("Info"));
    let odd = event("_e{1,1}:a|b|d:x|p:high|t:bad|h:|z|zz:1").unwrap();
    assert!(odd.contains("timestamp_s: None, host: None") && odd.contains("Normal") && odd.contains("Info"));
    assert!(event("_e{2,2}:ü|ö|#x").unwrap().contains(r#"title: "ü", text: "ö""#), "lengths are bytes");
    assert!(
        event("_e{3,3}:a|b|c|d|#x").unwrap().contains(r#"title: "a|b", text: "c|d""#),
        "nothing is escaped"
    );
}

#[test]
fn an_event_whose_lengths_do_not_fit_is_none() {
    for message in [
        "_e{0,1}:|a",
        "_e{1,9}:a|b",
        "_e{1}:a|b",
        "_e{a,b}:a|b",
        "_e{-1,1}:a|b",
        "_e{1,1}a|b",
        "_e{1,1:a|b",
        "_e{1,1}:ü|b",
        "_e{18446744073709551615,1}:a|b",
        "_e{",
    ] {
        assert_eq!(event(message), Err(MessageError::BadEvent), "{message}");
    }
}

#[test]
fn checks_have_their_fields() {
    let mut parser = Parser::default();
    let all = b"_sc|door.up|2|d:1600000000|h:pi|#room:shed|c:x|m:stuck: it\\nhurts";
    let Ok(Message::Check(found)) = parser.parse(all) else { panic!("no check") };
    let expected = Check {
        name: "door.up",
        status: Status::Critical,
        timestamp_s: Some(1_600_000_000),
        host: Some("pi"),
        tags: r#"["room:shed"]"#,
        message: Some("stuck: it\\nhurts"),
    };
    assert_eq!(found, expected);
    assert!(check("_sc|a|3").unwrap().contains("Unknown"));
    assert!(check("_sc|a|0|d:x|h:").unwrap().contains("timestamp_s: None, host: None"));
    for message in ["_sc|", "_sc||0", "_sc|a", "_sc|a|", "_sc|a|4", "_sc|a|00"] {
        assert_eq!(check(message), Err(MessageError::BadCheck), "{message}");
    }
    assert_eq!(metric("_scores:1|c").as_deref(), Ok("_scores count 1 5 [] 1"));
}

#[test]
fn a_datagram_is_read_line_by_line() {
    let lines = |datagram: &[u8], is_cut| -> Vec<String> {
        let shown = |line: Result<&[u8], MessageError>| match line {
            Ok(line) => String::from_utf8_lossy(line).into_owned(),
            Err(error) => error.reason().to_owned(),
        };
        messages(datagram, is_cut).map(shown).collect()
    };
    assert_eq!(lines(b"a:1|c\nb:2|c", false), ["a:1|c", "b:2|c"]);
    assert_eq!(lines(b"\na:1|c\r\n\n", false), ["a:1|c"]);
    assert_eq!(lines(b"a:1|c\nb:2", true), ["a:1|c", "cut"]);
    assert_eq!(lines(b"b:2", true), ["cut"]);
    assert_eq!(lines(b"", false), [""; 0]);
}

#[test]
fn nothing_is_left_of_the_message_before() {
    let mut parser = Parser::default();
    let mut parse = |message: &str| match parser.parse(message.as_bytes()) {
        Ok(Message::Metric(metric)) => shown(&metric),
        other => format!("{other:?}"),
    };
    assert_eq!(parse("a:1:2|c|#x,y"), r#"a count 1 5 ["x","y"] 1,2"#);
    assert_eq!(parse("a:3|c|#x,y"), r#"a count 1 5 ["x","y"] 3"#);
    assert_eq!(parse("a:4|c"), "a count 1 5 [] 4");
    let many: Vec<String> = (0..=TAGS_MAX).map(|i| i.to_string()).collect();
    let many = format!("a:1|c|#{}", many.join(","));
    assert_eq!(parse(&many), "Err(TooLarge)");
    assert_eq!(parse(&many), "Err(TooLarge)", "neither are its tags taken for known ones");
    assert_eq!(parse("a:5|c|#x,y"), r#"a count 1 5 ["x","y"] 5"#);
    assert_eq!(parse("b:o:p|s"), "b set 1 5 [] so:p");
    assert_eq!(Elements::new(b"s", &[1]).iter().count(), 1);
}

#[test]
fn what_a_large_message_needed_is_given_back() {
    let mut parser = Parser::default();
    let large = format!("a:{}1|g", "1:".repeat(SCRATCH_BYTES_KEPT));
    assert!(parser.parse(large.as_bytes()).is_ok());
    assert!(parser.values.capacity() * size_of::<Number>() > SCRATCH_BYTES_KEPT);
    assert!(parser.parse(b"a:1|g").is_ok());
    assert!(parser.values.capacity() * size_of::<Number>() <= SCRATCH_BYTES_KEPT);
}
