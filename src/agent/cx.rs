//! What all stages share, and how it is lent to them while an event is handled.

use std::cell::RefCell;
use std::rc::Rc;

use super::belief::Belief;
use super::ids::Ids;
use super::lease::Holding;
use super::line::Line;
use super::past::Past;
use super::warnings::Warnings;
use super::{Action, Now, Settings};
use crate::queue::Entry;
use crate::release::{Delivered, Random};
use crate::telemetry::{self, Counters, Telemetry};

/// What every stage needs.
pub(super) struct Shared {
    pub settings: Settings,
    pub line: Line,
    pub telemetry: Telemetry,
    pub warnings: Warnings,
    pub random: Random,
    pub ids: Ids,
    pub delivered: Rc<RefCell<Delivered>>,
    pub holding: Holding,
    pub belief: Belief,
    pub past: Past,
    pub stopping: bool,
    /// Whether nothing may be changed but what is in memory.
    pub is_dry_run: bool,
}

/// What the stages share while an event is handled.
pub(super) struct Cx<'a> {
    pub now: Now,
    pub settings: &'a Settings,
    pub line: &'a mut Line,
    pub telemetry: &'a mut Telemetry,
    pub warnings: &'a mut Warnings,
    pub random: &'a mut Random,
    pub ids: &'a mut Ids,
    pub delivered: &'a Rc<RefCell<Delivered>>,
    pub holding: &'a mut Holding,
    pub belief: &'a mut Belief,
    pub past: &'a mut Past,
    pub actions: &'a mut Vec<Action>,
    pub stopping: bool,
    pub is_dry_run: bool,
}

impl Cx<'_> {
    /// The records that tell what a transaction drops; and what is to be counted in memory when it was carried out,
    /// because there is no time to stamp them with.
    pub fn told_of(&mut self, dropped: Counters) -> (Vec<Entry>, Counters) {
        if !self.settings.send_self_metrics {
            return Default::default();
        }
        if !self.is_clock_believable() {
            return (Vec::new(), dropped);
        }
        let interval_s = self.settings.aggregate_interval_s;
        let series = telemetry::dropped_series(&dropped, interval_s, self.now.wall_s);
        (self.ids.entries(&series), Counters::new())
    }

    pub fn is_clock_believable(&self) -> bool {
        self.belief.is_believable(self.now, self.settings)
    }
}

impl Shared {
    pub fn new(name: String, settings: Settings, mut random: Random, is_dry_run: bool) -> Shared {
        Shared {
            settings,
            line: Line::default(),
            telemetry: Telemetry::default(),
            warnings: Warnings::default(),
            ids: Ids::new(&mut random),
            random,
            delivered: Rc::default(),
            holding: Holding::new(name),
            belief: Belief::default(),
            past: Past::default(),
            stopping: false,
            is_dry_run,
        }
    }

    pub fn cx<'a>(&'a mut self, now: Now, actions: &'a mut Vec<Action>) -> Cx<'a> {
        Cx {
            now,
            settings: &self.settings,
            line: &mut self.line,
            telemetry: &mut self.telemetry,
            warnings: &mut self.warnings,
            random: &mut self.random,
            ids: &mut self.ids,
            delivered: &self.delivered,
            holding: &mut self.holding,
            belief: &mut self.belief,
            past: &mut self.past,
            actions,
            stopping: self.stopping,
            is_dry_run: self.is_dry_run,
        }
    }
}
