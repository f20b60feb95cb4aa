//! Clocks that start wrong, step and stand still.
