//! A row for what somebody at this gate said of the nation's root, whichever process took the word.

use std::path::Path;

use cache::{
    log::{Event, UnixMillis, Writer},
    trust_store::{Note, TrustStore},
};
use sync::update::founding::Founded;
use trustlist::time::Moment;

/// Looks for such a word whenever the nation's lists change.
#[derive(Default)]
pub struct FoundingWatch {
    seen: Option<u64>,
}

impl FoundingWatch {
    /// Hands the log a row of what was said and is not in it yet. Where it could not be handed over it is tried again.
    pub fn look(&mut self, store: &Path, writer: &Writer, generation: u64, moment: Moment) {
        if self.seen == Some(generation) {
            return;
        }
        if !store.exists() {
            return;
        }
        let told = TrustStore::open(store).and_then(|mut store| {
            let word = store.note(Note::Founded)?;
            if let Some(Founded { old, new, generation }) = word.and_then(|word| serde_json::from_str(&word).ok()) {
                log::warn!("another first root of the nation counts by somebody's word: {new}, and no longer {old}");
                let event = Event::Root { old, new, generation };
                writer.with_log(move |log| log.record(&event, UnixMillis::from(moment.at), moment.trust))?;
                store.set_note(Note::Founded, None)?;
            }
            Ok(())
        });
        match told {
            Ok(()) => self.seen = Some(generation),
            Err(fault) => log::debug!("whether the nation was founded anew is not known: {fault}"),
        }
    }
}
