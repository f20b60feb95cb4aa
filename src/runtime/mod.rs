//! The shell around the agent: the only place with mio, sockets, processes, files and clocks.
//!
//! [`event_loop`] is the one loop. A [`queue_link`] is its way to the queues: [`redis_link`] keeps the connection to
//! Redis, [`spool`] has the embedded queue and writes what that is not to lose. [`http_client`] keeps a connection to a
//! server; it and Redis' stand on [`connection`], which resolves ([`resolver`]), dials, tunnels ([`proxy`]) and
//! encrypts ([`tls`]). [`dogstatsd`] receives datagrams. An [`outlet`] is the way to an intake.
//! [`reading`] reads the plugins without the loop, and [`metrics`] tells what they would send. [`notify`] tells the
//! service manager how it goes, [`status`] whoever asks. [`setup`] makes all of it from the configuration.
//! [`doctor`] tries each link of the chain without the loop. [`terminal`] is where both are read, [`log_output`] where
//! log lines go, and [`probe`] measures how late the loop is.

pub mod child;
pub mod clock;
pub mod connection;
pub mod doctor;
pub mod dogstatsd;
pub mod event_loop;
pub mod host_root;
pub mod http_client;
pub mod identity;
pub mod log_output;
pub mod metrics;
pub mod notify;
pub mod outlet;
pub mod plugin_io;
pub mod probe;
pub mod progress;
pub mod proxy;
pub mod queue_link;
pub mod reading;
pub mod redis_link;
pub mod resolver;
pub mod setup;
pub mod signals;
pub mod socket_file;
pub mod spool;
pub mod status;
pub mod terminal;
pub mod timer_wheel;
pub mod tls;
pub mod tokens;
