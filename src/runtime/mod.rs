//! The only place with sockets, processes, files and clocks; nothing here waits.

pub mod child;
pub mod connection;
pub mod http_client;
pub mod proxy;
pub mod resolver;
pub mod tls;
