//! What makes two samples one series: the same name, type and tags.

use super::Tags;

/// Name, type and tag set of a stream of samples.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context {
    /// Metric name, unescaped.
    pub name: Box<str>,
    /// Type as the application wrote it.
    pub kind: Box<str>,
    /// Canonical tags.
    pub tags: Tags,
}
