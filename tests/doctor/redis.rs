//! Redis: what it tells, what it lets the agent do, what waits in it.

use crate::support::agent::{self, Agent};
use crate::support::bench::{arrives, push_gauge};
use crate::support::intake::Intake;
use crate::support::queues::{RAW, WRAPPED, raw_record, wrapped_record};
use crate::support::redis::{Client, Options, RedisServer};
use crate::support::{PATIENT, SOON, unix_now_f64, wait_until};
use crate::{MARK, Told, examine};
use chouette_iot::doctor::Trouble;
use chouette_iot::limits::doctor::{CHECK_S, WAITING_INTERVALS};

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

fn told_of(redis: &RedisServer, more: &[(&str, &str)]) -> Told {
    let url = redis.url();
    examine(&[&[("REDIS_URL", url.as_str())], more].concat())
}

/// How often this Redis was changed.
fn changes(client: &mut Client) -> String {
    let info: String = client.run(&["INFO", "persistence"]);
    info.lines().find(|line| line.starts_with("rdb_changes_since_last_save:")).unwrap().to_owned()
}

#[test]
fn a_sound_redis_is_ticked_off_and_left_as_it_was_found() {
    let Some(redis) = RedisServer::start_with(&Options { append_only: true, ..Options::default() }) else {
        return;
    };
    let mut client = redis.client();
    push_gauge(&mut client, "waiting", 1.0);
    let before = changes(&mut client);
    let told = told_of(&redis, &[]);
    told.expect("tcp redis", "good", "127.0.0.1:")
        .expect("redis", "good", "logged in, Redis ")
        .expect("redis memory", "good", "noeviction")
        .expect("redis disk", "good", "append-only file")
        .expect("redis role", "good", "master")
        .expect("redis rights", "good", "may do all")
        .expect("agent", "good", "none is at work")
        .expect("queue raw", "good", "1 waiting, 30 s to 30 s old")
        .expect("queue metrics", "good", "empty");
    assert!(!told.has("queue events"), "an empty queue that most have no use for is passed over");
    assert_eq!(changes(&mut client), before);
    assert_eq!(client.run::<Vec<String>>(&["KEYS", "*"]).len(), 2);
}

#[test]
fn an_agent_that_works_is_named_and_its_port_is_its_own() {
    let Some(redis) = RedisServer::start() else { return };
    let intake = Intake::accepting();
    let port = crate::local::free_udp_port().to_string();
    let env = agent::with(agent::env(&redis.url(), &intake), &[("DOGSTATSD_PORT", &port)]);
    let _agent = Agent::run(&env);
    let mut client = redis.client();
    assert!(wait_until(SOON, || client.holder().is_some()));
    let holder = client.holder().unwrap();
    told_of(&redis, &[("DOGSTATSD_PORT", &port)])
        .expect("agent", "good", &format!("{holder} is at work here"))
        .expect("dogstatsd", "good", "taken, by the agent");
    // It does not disturb the agent either.
    push_gauge(&mut client, "after", 1.0);
    assert!(arrives(&intake, "after", SOON));
}

#[test]
fn a_password_that_is_wrong_or_missing() {
    let options = Options { password: Some("hunter2-right"), ..Options::default() };
    let Some(redis) = RedisServer::start_with(&options) else { return };
    for (password, words) in [("", "NOAUTH"), ("hunter2-wrong", "WRONGPASS")] {
        told_of(&redis, &[("REDIS_PASSWORD", password)])
            .fails("redis", words, Trouble::RedisPassword)
            .expect("redis rights", "skipped", "not logged in")
            .expect("queues", "skipped", "not logged in");
    }
    told_of(&redis, &[("REDIS_PASSWORD", "hunter2-right")]).expect("redis", "good", "logged in");
    let Some(open) = RedisServer::start() else { return };
    told_of(&open, &[("REDIS_PASSWORD", "hunter2-none")]).fails(
        "redis",
        "without any password",
        Trouble::RedisPassword,
    );
}

#[test]
fn rights_that_are_missing_are_named_and_those_advised_are_all_the_agent_needs() {
    let Some(redis) = RedisServer::start() else { return };
    let mut client = redis.client();
    let user = [("REDIS_USERNAME", "pi"), ("REDIS_PASSWORD", MARK)];
    let mut allow = |rules: &[&str]| {
        let reset = ["ACL", "SETUSER", "pi", "reset", "on", ">hunter2"];
        client.run::<()>(&[&reset[..], rules].concat());
    };
    // Not even the log-in.
    allow(&["~*", "+ping"]);
    told_of(&redis, &user).fails("redis", "NOPERM", Trouble::RedisRights);
    // All but some commands, and all but some keys.
    allow(&["~*", "+@all", "-zremrangebyrank", "-watch"]);
    told_of(&redis, &user).fails("redis rights", "refused: WATCH, ZREMRANGEBYRANK", Trouble::RedisRights);
    allow(&["~chouette:metrics:*", "+@all"]);
    told_of(&redis, &user).fails(
        "redis rights",
        "refused: WATCH, EXISTS, UNLINK, GET, SET, DEL, PTTL, PEXPIRE",
        Trouble::RedisRights,
    );
    allow(&["~*", "+@all", "-multi"]);
    let told = told_of(&redis, &user);
    told.fails("redis rights", "refused: MULTI", Trouble::RedisRights);
    // What is advised will do.
    let advice = told.check("redis rights").advice.clone();
    let rules = advice.rsplit_once("ACL SETUSER pi ").unwrap().1;
    allow(&rules.split(' ').collect::<Vec<_>>());
    told_of(&redis, &user)
        .expect("redis rights", "good", "may do all")
        .warns("redis memory", "INFO is denied", Trouble::RedisInfo)
        .expect("redis disk", "skipped", "INFO is denied");
    let intake = Intake::accepting();
    let mut admin = redis.client();
    push_gauge(&mut admin, "allowed", 1.0);
    let env = agent::with(agent::env(&redis.url(), &intake), &user);
    let mut once = Agent::run_once(&env);
    assert_eq!(once.wait(PATIENT), Some(0), "{}", once.stderr());
    assert!(arrives(&intake, "allowed", SOON), "{}", once.stderr());
    assert!(!once.stderr().contains("NOPERM"), "{}", once.stderr());
}

#[test]
fn a_redis_that_may_drop_what_it_holds() {
    let Some(redis) = RedisServer::start() else { return };
    let mut client = redis.client();
    client.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let told = told_of(&redis, &[]);
    told.warns("redis memory", "allkeys-lru", Trouble::RedisPolicy)
        .warns("redis disk", "neither", Trouble::RedisForgets)
        .expect("redis rights", "good", "");
    client.run::<()>(&["CONFIG", "SET", "save", "300 1"]);
    told_of(&redis, &[]).expect("redis disk", "good", "snapshots (save 300 1)");
}

#[test]
fn a_redis_that_takes_no_writes() {
    let Some(redis) = RedisServer::start() else { return };
    let mut client = redis.client();
    // Nothing runs at that port: it is a replica all the same.
    client.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    told_of(&redis, &[]).fails("redis role", "replica of 127.0.0.1", Trouble::RedisReplica).fails(
        "redis rights",
        "READONLY",
        Trouble::RedisReplica,
    );
    client.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    client.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    told_of(&redis, &[]).fails("redis rights", "OOM", Trouble::RedisFull);
    client.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    client.run::<()>(&["CONFIG", "SET", "save", "300 1"]);
    std::fs::remove_dir_all(redis.data_dir()).unwrap();
    client.run::<redis::Value>(&["BGSAVE"]);
    let failed = |client: &mut Client| {
        client.run::<String>(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err")
    };
    assert!(wait_until(SOON, || failed(&mut client)));
    told_of(&redis, &[]).fails("redis disk", "rdb_last_bgsave_status is err", Trouble::RedisDisk).fails(
        "redis rights",
        "MISCONF",
        Trouble::RedisDisk,
    );
}

#[test]
fn a_command_that_goes_by_another_name() {
    let options = Options {
        arguments: &["--rename-command", "UNLINK", "", "--enable-debug-command", "yes"],
        ..Options::default()
    };
    let Some(redis) = RedisServer::start_with(&options) else { return };
    told_of(&redis, &[]).fails("redis rights", "ERR unknown command: UNLINK", Trouble::RedisOld);
}

#[test]
fn what_waits_for_too_long_is_told_of() {
    let Some(redis) = RedisServer::start() else { return };
    let mut client = redis.client();
    let before = |seconds: f64| unix_now_f64() - seconds;
    let raw = |at_s| raw_record("old", "gauge", "1", at_s, &[]);
    let old = before(WAITING_INTERVALS * 10.0 + 60.0);
    client.push(RAW, "old", Some(old), Some(raw(old).as_bytes()));
    let old = before(WAITING_INTERVALS * 60.0 + 120.0);
    let record = wrapped_record("old", "gauge", old, 1.0, &[]);
    client.push(WRAPPED, "old", Some(old), Some(record.as_bytes()));
    client.run::<()>(&["LPUSH", "chouette:events:wrapped.keys", "no set"]);
    let told = told_of(&redis, &[]);
    told.warns("queue raw", "1 waiting, 100 s to 100 s old", Trouble::QueueRaw)
        .warns("queue metrics", "1 waiting, 6 min to 6 min old", Trouble::QueueUnsent)
        .fails("queue events", "WRONGTYPE", Trouble::QueueType);
    // With longer intervals that is as it should be.
    let longer = [("AGGREGATE_INTERVAL", "60"), ("RELEASE_INTERVAL", "600")];
    told_of(&redis, &longer).expect("queue raw", "good", "1 waiting").expect(
        "queue metrics",
        "good",
        "1 waiting",
    );
}

#[test]
fn a_node_of_a_cluster() {
    let arguments = ["--cluster-enabled", "yes"];
    let options = Options { arguments: &arguments, ..Options::default() };
    let Some(mut redis) = RedisServer::prepare(&options) else { return };
    redis.launch();
    told_of(&redis, &[]).fails("redis", "CLUSTERDOWN", Trouble::RedisCluster);
}

/// A server that says the same to whoever comes, as often as something comes.
fn saying(words: &'static [u8]) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:hunter2-password@{}", listener.local_addr().unwrap());
    let accepting = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        for mut stream in accepting.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut some = [0; 4096];
                while matches!(stream.read(&mut some), Ok(1..)) && stream.write_all(words).is_ok() {}
            });
        }
    });
    (listener, url)
}

#[test]
fn what_is_no_redis_or_not_ready() {
    for (words, detail, trouble) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "not a reply of Redis", Trouble::RedisStrange),
        (
            b"-ERR unknown command 'AUTH', with args beginning with: 'hunter2-password'\r\n+OK\r\n",
            "unknown command 'AUTH', with args beginning with: '***'",
            Trouble::RedisStrange,
        ),
        (b"+OK\r\n-LOADING Redis is loading the dataset in memory\r\n", "LOADING", Trouble::RedisLoading),
        (
            b"-DENIED Redis is running in protected mode because protected mode is enabled\r\n+OK\r\n",
            "DENIED",
            Trouble::RedisProtected,
        ),
        (b"-ERR max number of clients reached\r\n+OK\r\n", "max number", Trouble::RedisRefuses),
        (b"", &format!("no answer within {CHECK_S} s"), Trouble::RedisSilent),
    ] {
        let (_listener, url) = saying(words);
        examine(&[("REDIS_URL", &url)])
            .expect("tcp redis", "good", "")
            .fails("redis", detail, trouble)
            .expect("agent", "skipped", "not logged in");
    }
}
