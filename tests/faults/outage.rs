//! The intake is gone for hours.
