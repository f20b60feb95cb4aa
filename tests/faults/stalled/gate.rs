//! A relay in front of a server, which can be shut: then what goes to the server still does, and of what comes back
//! only the beginning gets through.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The relay. Its thread ends with the test's process.
pub struct Gate {
    port: u16,
    state: Arc<State>,
}

struct State {
    /// How many bytes get back on a connection.
    bytes_back: AtomicU64,
    connections: AtomicUsize,
}

impl Gate {
    /// Listens on every address of the namespace.
    pub fn in_front_of(server: u16, bytes_back: u64) -> Gate {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state =
            Arc::new(State { bytes_back: AtomicU64::new(bytes_back), connections: AtomicUsize::new(0) });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let bytes_back = shared.bytes_back.load(Ordering::SeqCst);
                // How a connection ends is up to both its ends.
                std::thread::spawn(move || relay(&client, server, bytes_back));
            }
        });
        Gate { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections from now on get everything back.
    pub fn open(&self) {
        self.state.bytes_back.store(u64::MAX, Ordering::SeqCst);
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

fn relay(client: &TcpStream, server: u16, bytes_back: u64) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            let copied = io::copy(&mut &*client, &mut &server);
            server.shutdown(Shutdown::Both).and(copied)
        });
        let back = io::copy(&mut (&server).take(bytes_back), &mut &*client)?;
        if back < bytes_back {
            client.shutdown(Shutdown::Both)?;
        }
        // A shut gate keeps the connection until the client gives up.
        there.join().map_or(Ok(()), |copied| copied.map(drop))
    })
}
