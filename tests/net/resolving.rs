//! Look-ups by the real program, and by programs that are not it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use chouette_iot::limits::ADDRESSES_MAX;
use chouette_iot::runtime::resolver::{Lookup, ResolveError};
use mio::Poll;

use crate::support::{TOKEN, WAIT, turn};

fn resolve(host: &str, program: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut poll = Poll::new().unwrap();
    let now = Instant::now();
    let mut lookup = Lookup::start(host, 8125, Path::new(program), TOKEN, poll.registry(), now)?;
    for _ in 0..100 {
        if let Some(answer) = lookup.drive(now) {
            lookup.close(poll.registry());
            return answer;
        }
        turn(&mut poll, WAIT);
    }
    panic!("no answer");
}

#[test]
fn this_program_resolves() {
    let program = env!("CARGO_BIN_EXE_chouette-iot");
    let addresses = resolve("localhost", program).unwrap();
    assert!(!addresses.is_empty() && addresses.len() <= ADDRESSES_MAX);
    assert!(
        addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 8125),
        "{addresses:?}"
    );
    // Longer than a name can be: refused without asking anyone.
    let name = "a".repeat(300);
    let error = resolve(&name, program).unwrap_err();
    assert!(matches!(&error, ResolveError::Refused { what, .. } if !what.is_empty()), "{error:?}");
    assert!(!error.to_string().contains("lookup address information"), "{error}");
}

#[test]
fn other_programs_are_not_believed() {
    for (program, expected) in
        [("true", "no answer"), ("echo", "unreadable answer"), ("yes", "answer too long")]
    {
        let error = resolve("example.com", program).unwrap_err();
        assert_eq!(error.to_string(), format!("name example.com: resolver process: {expected}"));
    }
}
