//! What collectors are told: lines of tegrastats, answers of a kubelet, of Docker and of Redis.

use std::collections::VecDeque;
use std::io;

use chouette_iot::collect::tegrastats::{Group, line::Line, value::Engine};
use chouette_iot::collect::{
    CollectError, Collector, DiskSpace, Gauge, HostFiles, Options, Question, Reading, Reply, board, k8s,
    plugin,
};
use chouette_iot::limits::docker::{CONTAINERS_MAX, PARALLEL};
use chouette_iot::limits::tegrastats::{FORM_CHARS_MAX, ITEMS_MAX};
use chouette_iot::limits::{PROBLEM_CHARS_MAX, PROBLEMS_MAX};
use chouette_iot::metric::{Series, Tags};
use chouette_iot::protocol::http::{Exchange, Response};
use chouette_iot::release::{Batch, Common, Fit, SeriesBatch};

use super::assert_printable;
use super::records::check_written;

/// Replies to one reading.
const REPLIES_MAX: usize = 2 * CONTAINERS_MAX;
const LINES_MAX: usize = 64;

/// A board without a file.
struct Nothing;

impl HostFiles for Nothing {
    fn read(&self, _: &str) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn disk_space(&self, _: &str) -> io::Result<DiskSpace> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn is_foreign(&self) -> bool {
        false
    }

    fn own_file(&self, path: &str) -> io::Result<String> {
        self.read(path)
    }
}

pub(crate) fn collector(name: &str) -> Box<dyn Collector> {
    let all = r#"{"pods":["memory","cpu","network"],
        "node":["memory","cpu","network","filesystem","inodes"]}"#;
    let groups = k8s::Groups::from_json(all).expect("all groups");
    let options = Options {
        k8s: k8s::Options { authority: "node:10250".to_owned(), token_path: None, groups },
        capture_interval_s: 30,
        board_groups: board::Group::WORDS.iter().map(|(_, group)| *group).collect(),
        tegrastats_groups: Group::WORDS.iter().map(|(_, group)| *group).collect(),
        tegrastats_path: "/usr/bin/tegrastats".to_owned(),
        ..Options::default()
    };
    (plugin(name).expect("a plugin").build)(&options)
}

/// A reading is what the table of plugins says it is, and can be stored and released.
pub(crate) fn check(name: &str, gauges: &[Gauge], result: Result<(), CollectError>) {
    if let Err(error) = result {
        assert_printable(&error, (PROBLEMS_MAX + 1) * (PROBLEM_CHARS_MAX + 2));
    }
    let mut batch = SeriesBatch::new(Common::default(), Default::default());
    for gauge in gauges {
        let documented = plugin(name).unwrap().metrics.iter().find(|metric| metric.name == gauge.name);
        let documented = documented.unwrap_or_else(|| panic!("{} is not documented", gauge.name));
        let strings: Vec<_> = gauge.tags.iter().collect();
        assert_eq!(Tags::from_strings(&strings), gauge.tags, "tags that are not canonical");
        let mut keys: Vec<_> = strings.iter().filter_map(|tag| tag.split(':').next()).collect();
        let mut expected = documented.tags.to_vec();
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected, "tags of {}", gauge.name);
        assert!(gauge.value.is_finite());
        let series = Series::gauge(gauge.name, gauge.tags.clone(), gauge.value, 1.6e9);
        let mut text = Vec::new();
        series.write_json(&mut text);
        check_written(&series, &text);
        assert_eq!(batch.add(b"key", &text), Ok(Fit::Taken), "what is read cannot be released");
    }
}

/// What [`super::TARGETS`] calls `tegrastats`: a turn for each line.
pub fn tegrastats(data: &[u8]) {
    let mut collector = collector("tegrastats");
    for raw in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let text = String::from_utf8_lossy(raw);
        let line = Line::parse(&text);
        check_line(&line);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(Line::parse(&words.join(" ")), line, "blanks between words matter");
        let mut reading = Reading::new(&Nothing);
        let begun = collector.begin(&mut reading);
        check("tegrastats", &[], begun);
        let told = collector.reply(0, Reply::Line(raw.to_vec()), &mut reading);
        assert!(line.is_known() || reading.gauges.is_empty(), "a reading out of nothing");
        check("tegrastats", &reading.gauges, told);
        assert!(reading.questions.len() <= 2);
    }
}

fn check_line(line: &Line) {
    for memory in [line.ram, line.swap].into_iter().flatten() {
        memory.used_bytes.checked_add(memory.free_bytes).expect("a size that 64 bits hold");
    }
    let cores = line.cores.iter().map(|(_, core)| core);
    for Engine { load_percent, frequency_hz } in cores.chain([&line.gpu, &line.emc]) {
        assert!(load_percent.is_none_or(|load| (0.0..=100.0).contains(&load.as_f64())), "{load_percent:?}");
        assert!(frequency_hz.is_none_or(|hertz| hertz <= 100_000_000_000), "{frequency_hz:?}");
    }
    assert!(line.cores.windows(2).all(|pair| pair[0].0 < pair[1].0), "{:?}", line.cores);
    assert!(line.cores.iter().all(|(number, _)| *number < ITEMS_MAX));
    assert!(line.zones.items.iter().all(|(_, celsius)| (-273.15..=1000.0).contains(&celsius.as_f64())));
    assert!(line.rails.items.iter().all(|(_, mw)| *mw < 1_000_000_000_000));
    let zones = line.zones.items.iter().map(|(name, _)| name);
    let rails = line.rails.items.iter().map(|(name, _)| name);
    for names in [zones.collect::<Vec<_>>(), rails.collect()] {
        assert!(names.len() <= ITEMS_MAX);
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }
    assert!(line.odd.len() <= ITEMS_MAX);
    for (_, form) in &line.odd {
        assert!(form.chars().count() <= 2 * FORM_CHARS_MAX + 16, "{form:?}");
        let value = form.split_once(['@', ' ']).map_or("", |(_, value)| value);
        let is_form = |c: char| !c.is_control() && (!c.is_ascii_digit() || c == '0');
        assert!(form.starts_with("more than ") || value.chars().all(is_form), "{form:?}");
    }
}

fn http_reply(status: u16, body: &[u8]) -> Reply {
    let body = body.to_vec();
    Reply::Http(Ok(Response {
        status,
        retry_after: None,
        date: None,
        location: None,
        body,
        keep_alive: true,
    }))
}

/// What [`super::TARGETS`] calls `kubelet`.
pub fn kubelet(data: &[u8]) {
    let mut collector = collector("k8s");
    let mut readings = (0..2).map(|_| {
        let mut reading = Reading::new(&Nothing);
        collector.begin(&mut reading).expect("no token is needed");
        assert_eq!(reading.questions.len(), 1);
        let told = collector.reply(0, http_reply(200, data), &mut reading);
        (reading.gauges, told)
    });
    let (first, second) = (readings.next().unwrap(), readings.next().unwrap());
    assert_eq!(first, second, "something is kept from one reading to the next");
    check("k8s", &first.0, first.1);
}

/// What [`super::TARGETS`] calls `docker`. The first line is the list; the others are what containers answer, in
/// turns, each after a status perhaps.
pub fn docker(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let list = lines.next().unwrap_or_default();
    let answers: Vec<&[u8]> = lines.take(LINES_MAX).collect();
    let mut collector = collector("docker");
    let mut reading = Reading::new(&Nothing);
    collector.begin(&mut reading).expect("it only asks");
    let mut open: VecDeque<(u32, Question)> = reading.questions.drain(..).collect();
    let mut replies = 0;
    while let Some((ticket, question)) = open.pop_front() {
        let Question::Http { request, .. } = question else { panic!("{question:?}") };
        let (status, body) = match replies {
            0 => (200, list),
            n => split_status(answers.get(n % answers.len().max(1)).copied().unwrap_or_default()),
        };
        if replies < 4 {
            let sent = Exchange::new(request.clone(), 0).expect("a request that can be written");
            let lines = sent.output().split(|byte| *byte == b'\n').count();
            assert!(lines <= 6, "a container's name went into the head: {request:?}");
        }
        let depth = request.path.split('/').inspect(|part| assert!(*part != ".." && *part != ".")).count();
        assert!(request.path.starts_with("/containers/") && depth <= 4, "{request:?}");
        replies += 1;
        assert!(replies <= REPLIES_MAX, "it never ends");
        let before = reading.gauges.len();
        let told = collector.reply(ticket, http_reply(status, body), &mut reading);
        assert!(reading.gauges.len() <= before + 2);
        check("docker", &reading.gauges[before..], told);
        open.extend(reading.questions.drain(..));
        assert!(open.len() <= PARALLEL);
    }
}

/// `404 {"message":"x"}` is a refusal.
fn split_status(answer: &[u8]) -> (u16, &[u8]) {
    let status = answer.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    match status {
        Some(status @ 200..) => (status, &answer[3..]),
        _ => (200, answer),
    }
}

/// What [`super::TARGETS`] calls `dramatiq`: the replies of Redis to one question after the other.
pub fn dramatiq(data: &[u8]) {
    let (replies, _) = super::redis::replies([data].into_iter(), 0);
    let mut collector = collector("dramatiq");
    let mut reading = Reading::new(&Nothing);
    collector.begin(&mut reading).expect("it only asks");
    for reply in replies {
        let Some((ticket, question)) = reading.questions.pop() else {
            break;
        };
        let Question::Redis(request) = question else { panic!("{question:?}") };
        assert!(request.replies() > 0 && reading.questions.is_empty());
        let told = collector.reply(ticket, Reply::Redis(Ok(reply.into_values())), &mut reading);
        check("dramatiq", &reading.gauges, told);
    }
}
