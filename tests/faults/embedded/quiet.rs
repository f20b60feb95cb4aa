//! While all is well: no byte to the card, no process for it. And what a reload leaves as it is.

use crate::support::alone::{Alone, Counter, writer_of};
use crate::support::behaviour::status;
use crate::support::figures::figure;
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, wait_until};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn while_releases_succeed_nothing_is_written() {
    const RELEASES: usize = 10;
    let alone = Alone::new(|_| status(202));
    let changes = [
        ("SPOOL_AFTER", "1"),
        ("SEND_SELF_METRICS", "true"),
        ("COLLECTOR_PLUGINS", "host"),
        ("HOST_COLLECTOR_METRICS", r#"["la"]"#),
    ];
    let agent = alone.run(&changes);
    let counter = Counter::start(&alone, 2, Duration::from_millis(10));
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut looks, mut seen) = (0, Vec::new());
            while !is_over.load(Ordering::SeqCst) {
                looks += 1;
                seen.extend(alone.files().into_iter().map(|file| file.display().to_string()));
                seen.extend(writer_of(&agent).map(|writer| format!("process {writer}")));
                std::thread::sleep(Duration::from_millis(5));
            }
            (looks, seen)
        });
        let released = alone.intake.wait_for(PATIENT, |requests| requests.len() >= RELEASES);
        is_over.store(true, Ordering::SeqCst);
        assert!(released, "{}", agent.stderr());
        watcher.join().unwrap()
    });
    assert_eq!(seen.1, Vec::<String>::new(), "{}", agent.stderr());
    let sent = counter.finish();
    alone.comes(&agent, PATIENT, |came| came.all >= sent.sum()).is_exactly(&sent);
    let store = Store::acknowledged(&alone.intake.requests());
    let told: Vec<&str> =
        store.names().into_iter().filter(|name| name.starts_with("chouette.spool")).collect();
    assert!(told.is_empty(), "{told:?}");
    assert!(!store.series("Chouette.host.la").is_empty(), "the board is read as well");
    let value = format!(
        "no file and no process in {} looks; {} counts and {} series at the intake",
        seen.0,
        sent.at.len(),
        store.0.len()
    );
    figure("embedded quiet", &format!("{RELEASES} releases"), &value);
}

#[test]
fn a_reload_keeps_the_queue_and_says_what_counts_later() {
    let alone = Alone::new(|_| status(503));
    let write = |changes: &[(&str, &str)]| {
        let text: String =
            alone.env(changes).iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
        alone.dir.write("env", &text)
    };
    let file = write(&[("SPOOL_AFTER", "300")]);
    let arguments = ["run", "--env-file", file.to_str().unwrap()];
    let mut agent = crate::support::agent::Agent::spawn(&arguments, &Vec::new());
    alone.is_received_by(&agent);
    let counter = Counter::start(&alone, 1, Duration::from_millis(10));
    assert!(alone.intake.wait_for(SOON, |requests| requests.len() >= 2));
    const LATER: &str = "count from the next start on";
    agent.signal("HUP");
    let is_read = wait_until(SOON, || agent.stderr().matches("queue in memory and").count() == 2);
    assert!(is_read, "{}", agent.stderr());
    assert!(!agent.stderr().contains(LATER), "{}", agent.stderr());
    for changes in [
        &[("SPOOL_AFTER", "1")][..],
        &[("SPOOL_MEMORY_MAX", "300000")],
        &[("SPOOL_DISK_MAX", "2000000")],
        &[("SPOOL_PATH", "/nowhere")],
        &[("CHOUETTE_STORAGE_TYPE", "redis"), ("REDIS_URL", "redis://127.0.0.1:1")],
    ] {
        let before = agent.stderr().matches(LATER).count();
        write(changes);
        agent.signal("HUP");
        let is_told = wait_until(SOON, || agent.stderr().matches(LATER).count() > before);
        assert!(is_told, "{changes:?}\n{}", agent.stderr());
    }
    assert!(agent.is_running());
    let sent = counter.finish();
    alone.intake.behave(|_| status(202));
    alone.comes(&agent, PATIENT, |came| came.all >= sent.sum()).is_exactly(&sent);
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
}
