//! The board itself.
