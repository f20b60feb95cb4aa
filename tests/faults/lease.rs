//! Two agents on one Redis.
