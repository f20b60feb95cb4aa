//! An HTTP proxy: `CONNECT` is let through to where it asks, or refused as told.

use super::http::{self, RawRequest};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What the proxy does with a `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// Says this and closes.
    Says(String),
    /// Takes the request and says nothing.
    Silent,
}

struct Shared {
    gate: Mutex<Gate>,
    requests: Mutex<Vec<(Instant, RawRequest)>>,
    stopped: AtomicBool,
}

/// The proxy; it ends on drop.
pub struct ConnectProxy {
    shared: Arc<Shared>,
    pub port: u16,
}

impl ConnectProxy {
    /// Listens on a port of the kernel's choice.
    pub fn start(gate: Gate) -> ConnectProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            gate: Mutex::new(gate),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || {
                    let _ = serve(stream, &shared);
                });
            }
        });
        ConnectProxy { shared, port }
    }

    pub fn set(&self, gate: Gate) {
        *self.shared.gate.lock().unwrap() = gate;
    }

    /// What was asked, and when.
    pub fn requests(&self) -> Vec<(Instant, RawRequest)> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn serve(mut near: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    let Some(request) = http::read_request(&mut near, &mut buffer)? else {
        return Ok(());
    };
    let target = request.path.clone();
    let gate = shared.gate.lock().unwrap().clone();
    shared.requests.lock().unwrap().push((Instant::now(), request));
    match gate {
        Gate::Says(text) => near.write_all(text.as_bytes()),
        Gate::Silent => io::copy(&mut near, &mut io::sink()).map(|_| ()),
        Gate::Open => {
            let mut far = TcpStream::connect(target)?;
            near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let (mut near_again, mut far_again) = (near.try_clone()?, far.try_clone()?);
            let forth = std::thread::spawn(move || {
                let _ = io::copy(&mut near_again, &mut far_again);
                let _ = far_again.shutdown(Shutdown::Write);
            });
            let copied = io::copy(&mut far, &mut near).map(|_| ());
            let _ = near.shutdown(Shutdown::Both);
            let _ = forth.join();
            copied
        }
    }
}
