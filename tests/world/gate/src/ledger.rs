//! What the world knows to have happened, whatever the gate says of it.

use std::collections::{BTreeMap, BTreeSet};

use cache::log::chain::Head;
use trustlist::region::Region;
use uuid::Uuid;

use crate::history::{Code, Micros};

/// A gate that opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// When, in the world's time.
    pub at: Micros,
    /// When, by the gate's clock, in milliseconds since 1970.
    pub wall_ms: i64,
    /// The lane.
    pub lane: usize,
    /// The row.
    pub row: Uuid,
    /// The code.
    pub code: Code,
    /// The process that opened it, counted from the first.
    pub process: u32,
    /// Its row was said to be durable.
    pub durable: bool,
    /// It was said that its row failed.
    pub failed: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Gates that opened.
    pub openings: Vec<Opening>,
    /// Rows that were said to be durable, and where.
    pub durable: BTreeMap<Uuid, (Uuid, Head)>,
    /// What each place of each log holds.
    pub places: BTreeMap<(Uuid, u64), [u8; 32]>,
    /// Generations that were in force, the highest of each issuer.
    pub in_force: BTreeMap<Region, u64>,
    /// When each row was handed over, by its place, in the world's time.
    pub written: BTreeMap<Uuid, Micros>,
    /// When the clock was last set, or confirmed by nobody, in the world's time.
    pub clock_unsteady: Micros,
    /// Codes for which the row of an admission was handed over.
    pub handed: BTreeSet<(Region, Vec<u8>)>,
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Verdicts by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Presentations.
    pub presented: u64,
    /// Rounds of the mirrors.
    pub rounds: u64,
    /// Batches that the centre answered.
    pub batches: u64,
}
