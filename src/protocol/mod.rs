//! Wire formats as pure state machines: bytes in, bytes out; no socket, no clock.

pub mod http;
pub mod redis;
pub mod url;
