//! Who is told of readiness under which token. A connection owns the next token too, for its resolver.

use mio::Token;

/// Signals.
pub const SIGNALS: Token = Token(0);
/// The connection to Redis.
pub const REDIS: Token = Token(2);
/// The connection to the intake of metrics.
pub const METRICS: Token = Token(4);
/// The connection to the intake of logs.
pub const LOGS: Token = Token(6);
/// The child that writes for the embedded queue.
pub const SPOOL: Token = Token(8);
/// The first of the collectors' own; see [`super::plugin_io::PluginIo`].
pub const PLUGINS: Token = Token(16);
