//! What the gate does by the clock: it hears the time, asks its mirror, carries rows to its centre, and forgets what is old.

use std::time::Duration;

use cache::log::{Body, Event, query::Filter, retention::Retention};
use trustlist::time::{Moment, TimeTrust};

use super::{MINUTE, World};
use crate::{
    history::{CentreState, DiskState, Micros, MirrorState},
    mirror::SimulatedMirror,
    mutation::Mutation,
    oracles,
};

/// Rounds of the clock between two sweeps of what is old.
const RETENTION_EVERY: Micros = 60;
/// Batches of one minute.
const BATCHES: usize = 8;

impl World<'_> {
    pub(super) fn minute(&mut self) {
        self.hear_time();
        if self.gate.is_none() {
            return;
        }
        self.open_what_can_be_opened();
        let (reading, now, instant) = (self.reading(), self.monotonic(), self.machine.now());
        let Some(gate) = &mut self.gate else { return };
        let judged = gate.judged(reading);
        gate.report_time(judged, now);
        let asks = gate.schedule.due(instant);
        self.write_soon();
        if self.disk_state == DiskState::Hangs {
            return;
        }
        if asks {
            self.ask_mirror();
        }
        self.carry();
        if (self.now / MINUTE).is_multiple_of(RETENTION_EVERY) {
            self.prune();
        }
    }

    pub(super) fn ask_mirror(&mut self) {
        self.ledger.rounds += 1;
        let files = match self.mirror {
            MirrorState::Frozen => &self.frozen,
            MirrorState::RolledBack => &self.country.first,
            _ => &self.country.files,
        };
        let mut mirror = SimulatedMirror { state: self.mirror, files: std::rc::Rc::clone(files), asked: 0 };
        let (reading, instant) = (self.reading(), self.machine.now());
        let root = self.country.root().to_vec();
        let jitter = fastrand::Rng::with_seed(self.history.seed ^ self.now).f64();
        let mutation = self.mutation;
        let Some(gate) = &mut self.gate else { return };
        let moment = gate.judged(reading).moment;
        let before = gate.in_force.clone();
        let well = gate.sync(&self.places, &mut mirror, &root, moment).unwrap_or(false);
        gate.schedule.ended(well, instant, jitter);
        if !well && mutation == Some(Mutation::MirrorsGivenUp) {
            gate.schedule.not_before(Duration::from_secs(1 << 40), instant);
        }
        let generations: Vec<(String, u64)> =
            gate.in_force.iter().map(|(issuer, generation)| (issuer.to_string(), *generation)).collect();
        let back = oracles::lists_never_go_back(&mut self.ledger, gate);
        let future = if moment.is_confirmed() {
            oracles::no_list_is_of_the_future(&before, gate, &self.country, moment.at.0)
        } else {
            Ok(())
        };
        self.note((well, mirror.asked, generations));
        self.hold("lists_never_go_back", back);
        self.hold("no_list_is_of_the_future", future);
    }

    /// Rows go to the centre.
    fn carry(&mut self) {
        let (now, at, instant) = (self.monotonic(), self.wall(), self.machine.now());
        let Some(log) = self.gate.as_mut().and_then(|gate| gate.log.as_mut()) else { return };
        let Some(mut upload) = log.upload.take() else { return };
        for _ in 0..BATCHES {
            self.ledger.batches += 1;
            if !upload.step(log, &mut self.centre, (now, at), instant).unwrap_or(false) {
                break;
            }
        }
        log.upload = Some(upload);
        let word = oracles::acknowledged_rows_are_at_the_centre(&log.reader, &self.centre);
        // An answer that was lost leaves the centre ahead of the gate, never behind.
        if self.centre.state != CentreState::AnswersLost {
            self.hold("acknowledged_rows_are_at_the_centre", word);
        }
    }

    /// What is old goes.
    pub(super) fn prune(&mut self) {
        if self.disk_state == DiskState::Hangs {
            return;
        }
        let (reading, instant) = (self.reading(), self.machine.now());
        let Some(gate) = &mut self.gate else { return };
        let mut moment = gate.judged(reading).moment;
        if self.mutation == Some(Mutation::RetentionByWallClock) {
            moment = Moment { trust: TimeTrust::Synced, ..moment };
        }
        let Some(log) = &mut gate.log else { return };
        let retention = Retention::of(self.history.setup.keep_days);
        let Ok(removed) = log.worker.between(instant, |log| log.retain(retention, moment)) else { return };
        if removed.rows == 0 {
            return;
        }
        let filter = Filter { events: true, newest_first: true, ..Filter::default() };
        let mut through = 0;
        let _ = log.reader.each(&filter, |row| match row.entry().map(|entry| entry.body) {
            Ok(Body::Event(Event::Retention { through: last, .. })) => {
                through = last;
                false
            }
            _ => true,
        });
        let Ok(Some(id)) = log.reader.log_id() else { return };
        let gone = self.ledger.durable.iter().filter(|(_, (of, head))| *of == id && head.seq <= through);
        let times = gone.filter_map(|(row, (_, head))| Some((head.seq, *self.ledger.written.get(row)?)));
        let times: Vec<(u64, Micros)> = times.collect();
        let youngest = times.iter().map(|(_, at)| *at).max();
        let unsent =
            times.iter().filter(|(seq, _)| !self.centre.rows.contains_key(&(id, *seq))).map(|(_, at)| *at).max();
        let setup = self.history.setup;
        self.note((removed.rows, removed.keys, removed.unsent));
        if let Some(youngest) = youngest {
            let word = oracles::nothing_young_is_deleted(&self.ledger, &setup, self.now, youngest);
            self.hold("nothing_young_is_deleted", word);
        }
        // After a centre has lost its database, what it had acknowledged may be gone already.
        if let Some(unsent) = unsent.filter(|_| removed.unsent > 0) {
            let word = oracles::owed_rows_stay(&setup, self.now, unsent);
            self.hold("owed_rows_stay", word);
        }
    }

    /// The operator reads everything.
    pub(super) fn export(&mut self) {
        if self.disk_state != DiskState::Hangs {
            self.look_at_everything();
        }
    }
}
