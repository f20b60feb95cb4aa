//! Records nobody should write.
