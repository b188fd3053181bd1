//! Faults that were found once, to be put back: a world that does not notice them has an oracle too few.

/// A fault in the glue between the gate's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutation {
    /// Whatever the centre's address answers with 200 counts as a receipt.
    AnyAnswerIsAReceipt,
    /// Whether a code was used is asked of the log alone; nothing is reserved before the gate moves.
    NothingReserved,
    /// Gates that run ahead of the disk are neither bounded nor counted.
    OpeningsUncounted,
    /// The gate moves before its row is known to be written, whatever becomes of it.
    GateBeforeRow,
    /// The floor of time is what any one issuer has signed.
    OneIssuerMovesTheFloor,
    /// A clock that nobody confirms is believed like one that a time service confirms.
    UnsureClockBelieved,
    /// The stored floor of time never follows a confirmed clock down.
    FloorNeverFollows,
    /// Retention believes the wall clock, whoever set it.
    RetentionByWallClock,
    /// A code is named by its id alone, without its issuer.
    TokenWithoutIssuer,
    /// Lists dated in the future count at once, and for the time.
    FutureListsTaken,
    /// After a failed round the mirrors are asked no more.
    MirrorsGivenUp,
    /// The lane keeps the codes that it saw, in a file beside the log.
    TextsKept,
}
