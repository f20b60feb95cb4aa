//! Distributions: their values go to the server as they are, which summarises them there.

use std::rc::Rc;

use super::Wrapper;
use crate::aggregate::accumulator::Accumulator;
use crate::aggregate::rules::Rules;
use crate::metric::{Context, Series};

/// Keeps values; who takes them is [`crate::aggregate::Contexts::take_next`]. A rule may drop, rename and retag them; what
/// it says of `type` and `emit` does not concern them.
pub struct Distributions {
    rules: Option<Rc<Rules>>,
}

impl Distributions {
    /// Under these rules.
    pub fn under(rules: Option<&Rc<Rules>>) -> Distributions {
        Distributions { rules: rules.cloned() }
    }
}

impl Wrapper for Distributions {
    fn accumulator(&self, _: &str) -> Option<Accumulator> {
        Some(Accumulator::weighted())
    }

    fn rules(&self) -> Option<&Rc<Rules>> {
        self.rules.as_ref()
    }

    fn wrap(&self, _: &Context, _: Accumulator, _: u32, _: &mut dyn FnMut(Series)) {}
}
