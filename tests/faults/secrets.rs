//! Secrets in files, and where they must not be seen.
