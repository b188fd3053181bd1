//! Power, and processes that end and begin.

use cache::log::lived::Uptime;
use uuid::Uuid;

use super::{Item, World};
use crate::{
    gate::Gate,
    history::{BootClock, DiskState, Micros, SECOND},
    oracles,
};
use simulated_disk::Faults;

/// A killed process is started again after so long.
const RESTART: Micros = 2 * SECOND;

impl World<'_> {
    /// A process starts, with what the disk gives it.
    pub(super) fn boot(&mut self) {
        let gate = Gate::start(self.processes, self.history.setup, &self.machine, self.mutation);
        self.gate = Some(gate);
        self.open_what_can_be_opened();
        if self.processes == 0 {
            // The gate was set up with the lists of the day.
            self.ask_mirror();
        }
        self.look_at_everything();
    }

    /// The log and the lists, where they are not open yet.
    pub(super) fn open_what_can_be_opened(&mut self) {
        if self.disk_state == DiskState::Hangs {
            return;
        }
        let (uptime, at) = (Uptime { boot: self.clock.boot.0, up: self.up() }, self.wall());
        let Some(gate) = &mut self.gate else { return };
        if gate.log.is_none() {
            match gate.open_log(&self.places, uptime, at) {
                Ok(()) => self.note("log open"),
                Err(fault) => {
                    gate.log = None;
                    self.note(fault.to_string().len());
                }
            }
        }
        let Some(gate) = &mut self.gate else { return };
        if gate.trust.is_none() && gate.load_lists(&self.places).is_ok() {
            let word = oracles::lists_never_go_back(&mut self.ledger, gate);
            self.hold("lists_never_go_back", word);
        }
    }

    pub(super) fn cut_power(&mut self, seconds: u32, amid: bool, clock: BootClock) {
        if amid && let Some(gate) = &mut self.gate {
            // The last transaction is written, and its flush does not come back before the light goes out.
            self.disk.set_faults(Faults { flush_error: 1000, ..Faults::default() });
            gate.write();
        }
        self.disk.cut_power();
        self.process_ends();
        self.set_disk(self.disk_state);
        let off = Micros::from(seconds) * SECOND;
        self.clock.boot = (Uuid::from_u64_pair(1, u64::from(self.processes) + 1), self.now + off);
        self.clock.heard = None;
        self.clock.battery = clock == BootClock::Battery;
        self.clock.offset_ms = match clock {
            BootClock::Battery => self.clock.offset_ms,
            BootClock::Stopped => self.clock.offset_ms - i64::from(seconds) * 1000,
            BootClock::Epoch => -self.true_ms() - i64::from(seconds) * 1000,
        };
        if clock != BootClock::Battery {
            self.ledger.clock_unsteady = self.now;
        }
        self.at(off, Item::Boot(self.processes));
    }

    pub(super) fn kill(&mut self) {
        self.disk.kill();
        self.process_ends();
        self.at(RESTART, Item::Boot(self.processes));
    }

    /// Whatever the process held in memory is gone.
    fn process_ends(&mut self) {
        self.gate = None;
        self.late.clear();
        self.waiting.iter_mut().for_each(|waiting| *waiting = None);
        self.inbox.iter_mut().for_each(std::collections::VecDeque::clear);
        self.writes_at = None;
        self.processes += 1;
        self.note("the process ends");
    }
}
