//! The only place with mio, sockets, processes, files and clocks.

pub mod clock;
pub mod host_root;
pub mod signals;
pub mod timer_wheel;
