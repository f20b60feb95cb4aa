//! What a Redis tells of itself, and whether it will do.

use super::judge::span;
use super::{Finding, Trouble};
use crate::protocol::redis::Value;
use crate::queue::look::{Held, access_rules};

/// The text of a reply.
pub fn text(reply: Option<&Value>) -> Option<String> {
    match reply {
        Some(Value::BulkString(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// A line of `INFO`: `name:value`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    for line in info.lines() {
        if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
            return Some(value.trim_end());
        }
    }
    None
}

/// `Redis 7.0.15`
pub fn version(info: &str) -> String {
    for (name, of) in [("valkey_version", "Valkey "), ("redis_version", "Redis ")] {
        if let Some(version) = field(info, name) {
            return [of, version].concat();
        }
    }
    "a version it does not tell".to_owned()
}

/// What it does when its memory is full.
pub fn memory(info: &str) -> Finding {
    let policy = field(info, "maxmemory_policy").unwrap_or("noeviction");
    let used = field(info, "used_memory_human").unwrap_or("?");
    let limit = match (field(info, "maxmemory"), field(info, "maxmemory_human")) {
        (Some("0"), _) | (_, None) => ["no limit", ""],
        (_, Some(most)) => ["of ", most],
    };
    let detail = [policy, ", ", used, " used, ", &limit.concat()].concat();
    match policy {
        "noeviction" => Finding::good(detail),
        _ => Finding::warning(detail, Trouble::RedisPolicy),
    }
}

/// What outlives it. `save` is when snapshots are made, where it may be seen.
pub fn disk(info: &str, save: Option<&str>) -> Finding {
    for name in ["rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status"] {
        if field(info, name) == Some("err") {
            return Finding::bad([name, " is err"].concat(), Trouble::RedisDisk);
        }
    }
    if field(info, "aof_enabled") == Some("1") {
        return Finding::good("append-only file");
    }
    let was_saved = field(info, "rdb_last_bgsave_time_sec").is_some_and(|seconds| !seconds.starts_with('-'));
    match save {
        Some("") => Finding::warning("neither append-only file nor snapshots", Trouble::RedisForgets),
        Some(when) => Finding::good(["snapshots (save ", when, ")"].concat()),
        None if was_saved => Finding::good("snapshots"),
        None => Finding::warning("no append-only file, and no snapshot yet", Trouble::RedisForgets),
    }
}

/// Whether it takes writes.
pub fn role(info: &str) -> Finding {
    match field(info, "role") {
        Some("slave" | "replica") => {
            let master = field(info, "master_host").unwrap_or("another");
            Finding::bad(["replica of ", master].concat(), Trouble::RedisReplica)
        }
        role => Finding::good(role.unwrap_or("master")),
    }
}

/// Whether something was refused of the rights that are needed: the commands, and the words to the first of them.
/// `user` is as whom the agent logs in.
#[inline(never)]
pub fn rights(names: &str, words: &str, user: &str) -> Finding {
    const STATES: &[(&str, Trouble)] = &[
        ("READONLY", Trouble::RedisReplica),
        ("OOM", Trouble::RedisFull),
        ("MISCONF", Trouble::RedisDisk),
        ("ERR unknown command", Trouble::RedisOld),
        ("CROSSSLOT", Trouble::RedisCluster),
        ("MOVED", Trouble::RedisCluster),
    ];
    if words.is_empty() {
        return Finding::good("may do all that the agent does");
    }
    for (code, trouble) in STATES {
        if words.starts_with(code) {
            return Finding::bad(["refused, ", code, ": ", names].concat(), *trouble);
        }
    }
    lacking(["refused: ", names].concat(), user)
}

/// A right is missing.
pub fn lacking(detail: String, user: &str) -> Finding {
    let mut found = Finding::bad(detail, Trouble::RedisRights);
    found.advice += &[" ACL SETUSER ", user, " ", &access_rules()].concat();
    found
}

/// What a queue holds, and whether it waits for longer than it should.
#[inline(never)]
pub fn queue(held: Held, now_s: f64, waits_s_max: f64, trouble: Trouble) -> Finding {
    if held.records == 0 {
        return Finding::good("empty");
    }
    let oldest_s = now_s - held.oldest_s;
    let (oldest, newest) = (span(oldest_s), span(now_s - held.newest_s));
    let detail = [&held.records.to_string(), " waiting, ", &newest, " to ", &oldest, " old"].concat();
    match oldest_s > waits_s_max {
        true => Finding::warning(detail, trouble),
        false => Finding::good(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory_human:1.02M\r\nmaxmemory:0\r\n\
        maxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\nrdb_last_bgsave_status:ok\r\n\
        rdb_last_bgsave_time_sec:-1\r\naof_enabled:0\r\n# Replication\r\nrole:master\r\n";

    #[test]
    fn what_it_tells_is_read() {
        assert_eq!(version(INFO), "Redis 7.0.15");
        assert_eq!(version("redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n"), "Valkey 8.0.1");
        assert_eq!(memory(INFO), Finding::good("noeviction, 1.02M used, no limit"));
        let evicts = INFO.replace("noeviction", "allkeys-lru").replace("maxmemory:0", "maxmemory:9");
        assert_eq!(memory(&evicts).advice, Trouble::RedisPolicy.advice());
        assert_eq!(memory(&evicts).detail, "allkeys-lru, 1.02M used, of 0B");
        assert_eq!(role(INFO), Finding::good("master"));
        assert_eq!(
            role("role:slave\r\nmaster_host:a\r\n"),
            Finding::bad("replica of a", Trouble::RedisReplica)
        );
        // A server that tells nothing has nothing against it.
        assert_eq!((memory("").verdict, role("").verdict), (Verdict::Good, Verdict::Good));
    }

    #[test]
    fn what_outlives_it() {
        assert_eq!(disk(INFO, Some("")).verdict, Verdict::Warning);
        assert_eq!(disk(INFO, None).verdict, Verdict::Warning);
        assert_eq!(disk(INFO, Some("3600 1")), Finding::good("snapshots (save 3600 1)"));
        assert_eq!(disk(&INFO.replace("sec:-1", "sec:0"), None), Finding::good("snapshots"));
        assert_eq!(
            disk(&INFO.replace("aof_enabled:0", "aof_enabled:1"), None),
            Finding::good("append-only file")
        );
        let failing = INFO.replace("bgsave_status:ok", "bgsave_status:err");
        assert_eq!(disk(&failing, Some("3600 1")).advice, Trouble::RedisDisk.advice());
    }

    #[test]
    fn a_refusal_is_of_a_right_or_of_a_state() {
        let refused = |words: &str| rights("ZADD", words, "pi");
        assert_eq!(rights("", "", "pi").verdict, Verdict::Good);
        let found = refused("NOPERM this user has no permissions to run the 'zadd' command");
        assert_eq!(found.detail, "refused: ZADD");
        assert!(
            found.advice.contains(": ACL SETUSER pi ~chouette:* +exec +watch +unwatch +multi +exists "),
            "{}",
            found.advice
        );
        for (words, trouble) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", Trouble::RedisFull),
            ("READONLY You can't write against a read only replica.", Trouble::RedisReplica),
            ("MISCONF Redis is configured to save RDB snapshots", Trouble::RedisDisk),
            ("ERR unknown command 'ZADD'", Trouble::RedisOld),
        ] {
            assert_eq!(refused(words).advice, trouble.advice(), "{words}");
        }
    }

    #[test]
    fn a_queue_may_wait_but_not_for_ever() {
        let held = |records| Held { records, oldest_s: 900.0, newest_s: 990.0 };
        assert_eq!(queue(held(0), 1e3, 1.0, Trouble::QueueRaw), Finding::good("empty"));
        let told = "7 waiting, 10 s to 100 s old";
        assert_eq!(queue(held(7), 1e3, 100.0, Trouble::QueueRaw), Finding::good(told));
        assert_eq!(queue(held(7), 1e3, 99.0, Trouble::QueueRaw), Finding::warning(told, Trouble::QueueRaw));
        // A clock that was ahead, and a queue that has lost its keys.
        let lost = Held { records: 7, oldest_s: f64::INFINITY, newest_s: f64::INFINITY };
        assert_eq!(queue(lost, 1e3, 99.0, Trouble::QueueRaw), Finding::good("7 waiting, 0 s to 0 s old"));
        assert_eq!(queue(held(7), 1.0, 99.0, Trouble::QueueRaw).detail, "7 waiting, 0 s to 0 s old");
    }
}
