//! The plugin `k8s`.

/// Most pods whose values are sent; further ones are only counted.
pub const PODS_MAX: usize = 1_000;

/// Most characters of a name that become a tag. No name in Kubernetes is longer.
pub const NAME_CHARS_MAX: usize = 253;

/// Largest summary that is read; 200 pods take 2 MB.
pub const SUMMARY_BYTES_MAX: usize = 8 << 20;
