//! Who is told of readiness under which token. A connection owns the next token too, for its resolver.

use mio::Token;

use crate::agent::Stream;

/// Signals.
pub const SIGNALS: Token = Token(0);
/// The connection to Redis.
pub const REDIS: Token = Token(2);
/// The UDP socket of DogStatsD, and its unix socket.
pub const DATAGRAMS: Token = Token(4);
/// The child that writes for the embedded queue.
pub const SPOOL: Token = Token(16);
/// The socket that tells how it goes.
pub const STATUS: Token = Token(18);
/// The first of the collectors' own; see [`super::plugin_io::PluginIo`].
pub const PLUGINS: Token = Token(32);

/// The connection to the intake of a stream.
pub fn intake(stream: Stream) -> Token {
    Token(match stream {
        Stream::Metrics => 6,
        Stream::Logs => 8,
        Stream::Distributions => 10,
        Stream::Events => 12,
        Stream::Checks => 14,
    })
}
