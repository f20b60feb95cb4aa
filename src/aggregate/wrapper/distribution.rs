//! Distributions: their values go to the server as they are, which summarises them there.

use super::Wrapper;
use crate::aggregate::accumulator::Accumulator;
use crate::metric::{Context, Series};

/// Keeps values; who takes them is [`crate::aggregate::Contexts::take_next`].
pub struct Distributions;

impl Wrapper for Distributions {
    fn accumulator(&self, _: &str) -> Option<Accumulator> {
        Some(Accumulator::weighted())
    }

    fn wrap(&self, _: &Context, _: Accumulator, _: u32, _: &mut dyn FnMut(Series)) {}
}
