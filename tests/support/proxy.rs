//! A proxy in front of Redis that spoils the conversation at an exact place.
//!
//! It forwards one command at a time and waits for its reply, so 'the reply to EXEC is lost' means that Redis has
//! carried it out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{PATIENT, wait_until};

/// What to do with the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Carries out commands of this name and closes instead of passing the reply on; so many times.
    LoseReply {
        command: &'static str,
        times: u32,
    },
    /// Takes commands of this name and closes without carrying them out; so many times.
    LoseCommand {
        command: &'static str,
        times: u32,
    },
    /// Takes commands and never answers, on the connections of now and later ones.
    Hang,
    /// Passes replies on one byte at a time.
    Trickle,
    /// Takes so long over each command, as a slow link does.
    Slow(Duration),
    /// Keeps commands of this name, and what follows on their connections, until [`RedisProxy::deliver`], and then
    /// carries them out even where the client has long gone: a packet that was slow. So many times.
    Delay {
        command: &'static str,
        times: u32,
    },
}

#[derive(Debug)]
struct Shared {
    trouble: Mutex<Trouble>,
    commands: Mutex<Vec<String>>,
    stopped: AtomicBool,
    delivered: AtomicBool,
    late_replies: AtomicUsize,
    upstream: PathBuf,
}

/// The proxy; it ends on drop.
pub struct RedisProxy {
    shared: Arc<Shared>,
    port: u16,
}

impl RedisProxy {
    /// Listens on a port of the kernel's choice, in front of a unix socket.
    pub fn start(upstream: &Path) -> RedisProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            trouble: Mutex::new(Trouble::None),
            commands: Mutex::default(),
            stopped: AtomicBool::new(false),
            delivered: AtomicBool::new(false),
            late_replies: AtomicUsize::new(0),
            upstream: upstream.to_owned(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || {
                    let _ = serve(&stream, &shared);
                });
            }
        });
        RedisProxy { shared, port }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn set(&self, trouble: Trouble) {
        *self.shared.trouble.lock().unwrap() = trouble;
    }

    /// Whether trouble that happens a number of times has happened as often.
    pub fn is_spent(&self) -> bool {
        *self.shared.trouble.lock().unwrap() == Trouble::None
    }

    /// Lets what was delayed go on, and waits until so many commands of it were carried out.
    pub fn deliver(&self, commands: usize) {
        self.shared.delivered.store(true, Ordering::SeqCst);
        assert!(wait_until(PATIENT, || self.shared.late_replies.load(Ordering::SeqCst) >= commands));
    }

    /// The names of the commands so far, in upper case.
    pub fn commands(&self) -> Vec<String> {
        self.shared.commands.lock().unwrap().clone()
    }
}

impl Drop for RedisProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// What happens to one command.
enum Fate {
    Pass,
    LoseReply,
    LoseCommand,
    Hang,
    Trickle,
    Slow(Duration),
    Delay,
}

impl Shared {
    fn fate(&self, command: &str) -> Fate {
        let mut trouble = self.trouble.lock().unwrap();
        let fate = match &mut *trouble {
            Trouble::None => Fate::Pass,
            Trouble::Hang => Fate::Hang,
            Trouble::Trickle => Fate::Trickle,
            Trouble::Slow(each) => Fate::Slow(*each),
            Trouble::LoseReply { command: spoiled, times } if *spoiled == command => {
                *times -= 1;
                Fate::LoseReply
            }
            Trouble::LoseCommand { command: spoiled, times } if *spoiled == command => {
                *times -= 1;
                Fate::LoseCommand
            }
            Trouble::Delay { command: spoiled, times } if *spoiled == command => {
                *times -= 1;
                Fate::Delay
            }
            Trouble::LoseReply { .. } | Trouble::LoseCommand { .. } | Trouble::Delay { .. } => Fate::Pass,
        };
        if let Trouble::LoseReply { times: 0, .. }
        | Trouble::LoseCommand { times: 0, .. }
        | Trouble::Delay { times: 0, .. } = *trouble
        {
            *trouble = Trouble::None;
        }
        fate
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut requests = BufReader::new(client.try_clone()?);
    let upstream = UnixStream::connect(&shared.upstream)?;
    let mut replies = BufReader::new(upstream.try_clone()?);
    let (mut upstream, mut client) = (upstream, client);
    let mut is_late = false;
    loop {
        let mut request = Vec::new();
        copy_frame(&mut requests, &mut request)?;
        let command = name_of(&request);
        shared.commands.lock().unwrap().push(command.clone());
        let fate = shared.fate(&command);
        match fate {
            Fate::LoseCommand => return Ok(()),
            Fate::Hang => {
                io::copy(&mut requests, &mut io::sink())?;
                return Ok(());
            }
            Fate::Pass | Fate::LoseReply | Fate::Trickle => upstream.write_all(&request)?,
            Fate::Slow(each) => {
                std::thread::sleep(each);
                upstream.write_all(&request)?;
            }
            Fate::Delay => {
                is_late = wait_until(PATIENT, || shared.delivered.load(Ordering::SeqCst));
                upstream.write_all(&request)?;
            }
        }
        let mut reply = Vec::new();
        copy_frame(&mut replies, &mut reply)?;
        match fate {
            Fate::LoseReply => return Ok(()),
            Fate::Trickle => {
                for byte in reply {
                    client.write_all(&[byte])?;
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
            // Nobody listens any more.
            _ if is_late => {
                shared.late_replies.fetch_add(1, Ordering::SeqCst);
            }
            _ => client.write_all(&reply)?,
        }
    }
}

/// Copies one value of RESP 2 or 3 as it stands.
fn copy_frame(from: &mut impl BufRead, to: &mut Vec<u8>) -> io::Result<()> {
    let start = to.len();
    if from.read_until(b'\n', to)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = std::str::from_utf8(&to[start..]).unwrap_or_default().trim_end();
    let (kind, count) = line.split_at_checked(1).unwrap_or_default();
    let count: i64 = count.parse().unwrap_or(-1);
    match kind {
        "$" | "=" if count >= 0 => {
            let length = u64::try_from(count + 2).unwrap_or(0);
            from.take(length).read_to_end(to).map(|_| ())
        }
        "*" | "~" => (0..count).try_for_each(|_| copy_frame(from, to)),
        "%" => (0..2 * count).try_for_each(|_| copy_frame(from, to)),
        _ => Ok(()),
    }
}

/// The name in a command that is an array of bulk strings.
fn name_of(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    text.split("\r\n").nth(2).unwrap_or_default().to_ascii_uppercase()
}
