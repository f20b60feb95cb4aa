//! A dry run: the batch that would be sent is shown. Nothing leaves the queue, not even what is too old or cannot be
//! sent, so the run ends with this one batch.

use super::{Loading, Releaser, State};
use crate::agent::Action;
use crate::agent::cx::Cx;
use crate::queue::Entry;
use crate::release::{Payload, PayloadWriter};

impl Releaser {
    /// Loads what is left when the records that are too old are passed over.
    pub(super) fn load_fresh(&mut self, all_are_fresh: bool, cx: &mut Cx<'_>) {
        let mut loading = Loading::from_queue(self.stream, cx);
        if !all_are_fresh {
            log::warn!("dry run: {} would be dropped unsent", self.stream.expiry_topic());
            loading.pass_over_before(self.stream.cutoff_s(cx.now.wall_s, cx.settings));
        }
        self.load(loading, cx);
    }

    /// What is in no queue is to be shown with what is.
    pub fn add_unstored(&mut self, entries: impl IntoIterator<Item = Entry>) {
        if let Some(unstored) = &mut self.unstored {
            unstored.extend(entries);
        }
    }

    pub(super) fn has_unstored(&self) -> bool {
        self.unstored.as_ref().is_some_and(|unstored| !unstored.is_empty())
    }

    /// Fills a batch up with it: it is younger than what lies in the queue.
    pub(super) fn load_unstored(&mut self, loading: &mut Loading, cx: &mut Cx<'_>) {
        for entry in self.unstored.iter_mut().flat_map(|unstored| unstored.drain(..)) {
            if !loading.more {
                loading.add_unstored(&entry, cx);
            }
        }
    }

    pub(super) fn write_text(&mut self, mut writer: Box<PayloadWriter>, is_empty: bool) {
        if is_empty {
            return self.end_dry_run();
        }
        writer.keep_text();
        self.state = State::Writing(writer);
    }

    /// Needs no lease: whoever has it meanwhile is not disturbed.
    pub(super) fn show(&mut self, mut payload: Payload, cx: &mut Cx<'_>) {
        let text = std::mem::take(&mut payload.body);
        let compressed_bytes = payload.compressed_bytes;
        cx.actions.push(Action::Show { stream: self.stream, text, compressed_bytes });
        self.state = State::Sending { payload, since: cx.now.mono, acknowledges: false };
    }

    /// The batch was shown.
    pub fn shown(&mut self) {
        if self.is_sending() {
            self.end_dry_run();
        }
    }

    fn end_dry_run(&mut self) {
        if self.more {
            log::info!("dry run: more {} wait; only the first batch is shown", self.stream.name());
        }
        self.finish(true);
    }
}
