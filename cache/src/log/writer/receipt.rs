//! The promise of a row: what a lane holds while its row is on its way, and what the writer owes it.

use std::{
    fmt,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use uuid::Uuid;

use super::{
    super::{
        WriteFault,
        admissions::{InFlight, Mover, Reserved},
        chain::Head,
    },
    ahead::AheadMark,
};

/// A row's place once it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk, here.
    Committed(Head),
    /// Not within the time given. It may still come: ask again.
    Late,
    /// It is not in the log and will not be.
    Failed(WriteFault),
}

/// The promise of an append. Dropping it does not take the row back.
#[derive(Debug)]
#[must_use = "a gate moves on the receipt"]
pub struct Receipt {
    pub(super) id: Uuid,
    pub(super) answer: Receiver<Result<Head, WriteFault>>,
    pub(super) opening: Option<(Mover, Arc<AheadMark>, u64)>,
}

impl Receipt {
    /// The row's identity, known before it is committed.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The gate moves although the row is late. Only for the receipt of an [`Opening`], and only when it says `true`: otherwise the row
    /// was decided about meanwhile, and [`Receipt::wait`] tells how.
    #[must_use]
    pub fn gate_moves(&self) -> bool {
        let Some((mover, ahead, at_most)) = &self.opening else { return false };
        let moves = mover.moves();
        if moves {
            ahead.mark(*at_most);
        }
        moves
    }

    /// Waits for the disk, at most this long.
    pub fn wait(&self, at_most: Duration) -> Written {
        match self.answer.recv_timeout(at_most) {
            Ok(Ok(head)) => Written::Committed(head),
            Ok(Err(fault)) => Written::Failed(fault),
            Err(RecvTimeoutError::Timeout) => Written::Late,
            Err(RecvTimeoutError::Disconnected) => Written::Failed(WriteFault::Closed),
        }
    }
}

/// A place among the openings: the row whose gate may move before it is durable.
#[must_use = "dropped, the place is free again"]
pub struct Opening(pub(super) InFlight);

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

impl Opening {
    /// The code that is used with it, and the window within which it is used once.
    pub fn using(self, reserved: Option<Reserved>, window: Duration) -> Opening {
        Opening(self.0.using(reserved, window))
    }
}

/// Whoever waits for a change on its way, and the change's place among the rows that are not durable.
pub(super) struct Waiting {
    pub(super) answer: Option<SyncSender<Result<Head, WriteFault>>>,
    pub(super) in_flight: Option<InFlight>,
}

impl Waiting {
    /// Nobody waits: the change opens no gate, and its sender asks for no answer.
    pub(super) const NOBODY: Waiting = Waiting { answer: None, in_flight: None };

    /// The change has been decided about: frees its place, and tells whoever waits.
    pub(super) fn settle(self, result: Result<Head, WriteFault>) {
        // Settled first: whoever hears the answer may ask the next question at once.
        match (&result, self.in_flight) {
            (Ok(_), Some(in_flight)) => in_flight.durable(),
            (_, in_flight) => drop(in_flight),
        }
        if let Some(answer) = self.answer {
            // The lane may have given up waiting; the row is in the log all the same.
            let _ = answer.send(result);
        }
    }
}
