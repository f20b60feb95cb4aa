//! The collector question by question, and its documents with bytes changed at random.

use super::*;
use crate::collect::fake::{self, FakeBoard, Random};
use std::collections::BTreeMap;

fn answer(status: u16, body: &str) -> Reply {
    fake::answer(status, body.as_bytes())
}

/// One reading, driven by hand.
struct Talk {
    docker: Docker,
    /// Paths that were asked for and not answered, by ticket.
    open: BTreeMap<u32, String>,
    most_open: usize,
    lines: Vec<String>,
    errors: Vec<String>,
}

impl Talk {
    fn begin() -> Talk {
        let mut talk = Talk {
            docker: Docker::default(),
            open: BTreeMap::new(),
            most_open: 0,
            lines: Vec::new(),
            errors: Vec::new(),
        };
        talk.step(|docker, reading| docker.begin(reading));
        talk
    }

    fn step(&mut self, call: impl FnOnce(&mut Docker, &mut Reading<'_>) -> Result<(), CollectError>) {
        let board = FakeBoard::default();
        let mut reading = Reading::new(&board);
        self.errors.extend(call(&mut self.docker, &mut reading).err().map(|e| e.to_string()));
        for (ticket, question) in reading.questions {
            let Question::Http { request, body_bytes_max } = question else {
                panic!("{question:?}");
            };
            let expected = if request.path == LIST_PATH { LIST_BYTES_MAX } else { STATS_BYTES_MAX };
            assert_eq!(body_bytes_max, expected, "{}", request.path);
            assert_eq!(request.authority, "docker");
            assert!(self.open.insert(ticket, request.path).is_none(), "ticket {ticket} twice");
        }
        self.most_open = self.most_open.max(self.open.len());
        let line = |g: &Gauge| {
            let name = g.name.strip_prefix("Chouette.docker.").unwrap();
            format!("{name} {} {}", g.tags.as_str(), g.value.python_str())
        };
        self.lines.extend(reading.gauges.iter().map(line));
    }

    fn reply(&mut self, path: &str, reply: Reply) {
        let asked = self.open.iter().find(|(_, asked)| *asked == path);
        let ticket = *asked.unwrap_or_else(|| panic!("{path} was not asked: {:?}", self.open)).0;
        self.open.remove(&ticket);
        self.step(|docker, reading| docker.reply(ticket, reply, reading));
    }

    /// Answers everything there is to answer.
    fn reply_all(&mut self, mut reply: impl FnMut(&str) -> Reply) {
        while let Some((_, path)) = self.open.first_key_value() {
            let path = path.clone();
            self.reply(&path, reply(&path));
        }
    }
}

fn path(id: &str) -> String {
    format!("/containers/{id}/stats?stream=false&one-shot=true")
}

fn list(ids: impl IntoIterator<Item = usize>) -> String {
    let entries = ids.into_iter().map(|n| format!(r#"{{"Id":"id{n}","Names":["/c{n}"]}}"#));
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}

const STATS: &str = r#"{"memory_stats":{"usage":5},"cpu_stats":{"cpu_usage":{"total_usage":6}}}"#;

#[test]
fn the_list_first_then_each_container() {
    let mut talk = Talk::begin();
    let list = r#"[{"Id":"aa","Names":["/one"]},{"Id":"bb","Names":["two","/three"]}]"#;
    talk.reply(LIST_PATH, answer(200, list));
    let named = r#"{"name":"/One","memory_stats":{"usage":0},"cpu_stats":{"cpu_usage":{"total_usage":7}}}"#;
    talk.reply(&path("bb"), answer(200, STATS));
    talk.reply(&path("aa"), answer(200, named));
    let expected = [
        "memory.usage [\"container:two\"] 5",
        "cpu.usage [\"container:two\"] 6",
        "memory.usage [\"container:One\"] 0",
        "cpu.usage [\"container:One\"] 7",
    ];
    assert_eq!((talk.lines.as_slice(), talk.errors.len()), (&expected.map(str::to_owned)[..], 0));
    assert!(talk.open.is_empty());
}

#[test]
fn a_few_at_a_time_until_all_were_asked() {
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list(0..50)));
    assert_eq!(talk.open.len(), PARALLEL);
    talk.reply_all(|_| answer(200, STATS));
    assert_eq!((talk.most_open, talk.lines.len(), talk.errors.len()), (PARALLEL, 100, 0));
}

#[test]
fn there_is_a_most_of_containers() {
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list(0..CONTAINERS_MAX + 3)));
    talk.reply_all(|_| answer(200, STATS));
    assert_eq!(talk.lines.len(), 2 * CONTAINERS_MAX);
    assert_eq!(talk.errors, [format!("{LIST_PATH}: only the first {CONTAINERS_MAX} containers are read")]);
}

#[test]
fn a_container_that_is_gone_is_no_failure() {
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list(0..5)));
    talk.reply(&path("id0"), answer(404, r#"{"message":"No such container: id0"}"#));
    talk.reply(&path("id1"), answer(409, r#"{"cause":"container state improper"}"#));
    talk.reply(&path("id2"), answer(500, r#"{"message":"no such container"}"#));
    let stopped = r#"{"name":"/c3","memory_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0}}}"#;
    talk.reply(&path("id3"), answer(200, stopped));
    talk.reply(&path("id4"), answer(200, "{}"));
    assert!(talk.lines.is_empty() && talk.errors.is_empty(), "{:?} {:?}", talk.lines, talk.errors);
}

#[test]
fn without_memory_accounting_the_processor_is_left() {
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list([1])));
    let stats = r#"{"memory_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":9}}}"#;
    talk.reply(&path("id1"), answer(200, stats));
    assert_eq!(talk.lines, ["cpu.usage [\"container:c1\"] 9"]);
}

#[test]
fn a_failing_container_costs_only_itself() {
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list(0..9)));
    talk.reply_all(|asked| match asked {
        _ if asked == path("id1") => answer(500, r#"{"message":"out of\norder"}"#),
        _ if asked == path("id2") => answer(200, "{\"memory_stats\""),
        _ if asked == path("id3") => Reply::Http(Err("too late".to_owned())),
        _ => answer(200, STATS),
    });
    assert_eq!(talk.lines.len(), 12);
    let expected = [
        "container c1: answered 500: out of?order",
        "container c2: not JSON at byte 15",
        "container c3: too late",
    ];
    assert_eq!(talk.errors, expected);
}

#[test]
fn a_daemon_that_has_fallen_silent_is_not_asked_on() {
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list(0..200)));
    let mut asked = 0;
    talk.reply_all(|_| {
        asked += 1;
        Reply::Http(Err("too late".to_owned()))
    });
    assert_eq!(asked, SILENCES_MAX + PARALLEL - 1);
    let rest = "containers: the rest is not asked for after so many failures";
    assert!(talk.errors.iter().any(|error| error.ends_with(rest)), "{:?}", talk.errors);
    talk.step(|docker, reading| docker.begin(reading));
    talk.reply(LIST_PATH, answer(200, &list([1])));
    assert!(talk.open.values().eq([&path("id1")]), "{:?}", talk.open);
}

#[test]
fn an_identifier_is_no_way_to_another_path() {
    let odd = ["../../info", "..", ".", "", "a b", "a?x=1", "a%2f", "a/b", "ü", "-a", "a\\u0000"];
    let entries = odd.map(|id| format!(r#"{{"Id":"{id}","Names":["/x"]}}"#)).join(",");
    let long = "a".repeat(NAME_CHARS_MAX + 1);
    let list = format!(r#"[{entries},{{"Id":"{long}"}},{{"Id":5}},{{}},null,{{"Id":"a_b.c-d","Names":7}}]"#);
    let mut talk = Talk::begin();
    talk.reply(LIST_PATH, answer(200, &list));
    assert!(talk.open.values().eq([&path("a_b.c-d")]), "{:?}", talk.open);
    assert_eq!(talk.errors, [format!("{LIST_PATH}: {} without a usable Id", odd.len() + 4)]);
    talk.reply(&path("a_b.c-d"), answer(200, STATS));
    assert_eq!(talk.lines[0], "memory.usage [\"container:a_b.c-d\"] 5");
}

#[test]
fn no_list_no_containers() {
    for (reply, error) in [
        (answer(400, r#"{"message":"client version too old"}"#), "answered 400: client version too old"),
        (answer(500, "<html>"), "answered 500"),
        (answer(200, r#"{"message":"x"}"#), "an object at byte 0, expected a list"),
        (answer(200, "[{]"), "not JSON at byte 2"),
        (Reply::Http(Err("/x.sock: no such file".to_owned())), "/x.sock: no such file"),
        (
            Reply::Http(Err("/x.sock: permission denied".to_owned())),
            "/x.sock: permission denied; the agent's user has to be in the group of that socket",
        ),
    ] {
        let mut talk = Talk::begin();
        talk.reply(LIST_PATH, reply);
        assert_eq!(talk.errors, [format!("{LIST_PATH}: {error}")]);
        assert!(talk.open.is_empty());
    }
    for empty in ["[]", "null\n"] {
        let mut talk = Talk::begin();
        talk.reply(LIST_PATH, answer(200, empty));
        assert!(talk.open.is_empty() && talk.errors.is_empty());
    }
}

#[test]
fn mutated_documents_never_panic() {
    const MUTATIONS: u64 = 20_000;
    let case = include_str!("../../../tests/fixtures/plugins/docker_mixed.json");
    let (list, stats) = case.split_once("\"list\": ").unwrap().1.split_once(",\n  \"stats\": ").unwrap();
    let stats = stats.split_once("\"a1b2c3\": ").unwrap().1.split_once(",\n   \"0000\"").unwrap().0;
    assert!(answer::containers(list.as_bytes()).is_ok() && answer::stats(stats.as_bytes()).is_ok());
    for seed in 1..=MUTATIONS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut talk = Talk::begin();
        talk.reply(LIST_PATH, answer(200, &random.mutate(list)));
        let asked: Vec<String> = talk.open.values().cloned().collect();
        for path in asked {
            let id = path.strip_prefix("/containers/").unwrap().split_once('/').unwrap();
            assert_eq!(id.1, "stats?stream=false&one-shot=true", "seed {seed}");
        }
        let status = [200, 200, 200, 404, 500][random.below(5)];
        talk.reply_all(|_| answer(status, &random.mutate(stats)));
        assert!(talk.most_open <= PARALLEL, "seed {seed}");
    }
}
