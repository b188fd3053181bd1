//! Statuses as they are signed: two bits a code, packed.

use super::{Status, deflate::deflate, packed};

/// A packed array of statuses: four to a byte, counted from the least significant end (draft §4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusArray(Vec<u8>);

impl StatusArray {
    /// `codes` valid codes, rounded up to a whole byte.
    #[must_use]
    pub fn valid(codes: usize) -> StatusArray {
        StatusArray(vec![0; codes.div_ceil(4)])
    }

    /// The array whose packed bytes these are.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> StatusArray {
        StatusArray(bytes)
    }

    /// The statuses in a signed shard, which is verified elsewhere.
    ///
    /// # Errors
    /// With what is wrong with it, in words.
    pub fn of_shard(bytes: &[u8]) -> Result<StatusArray, String> {
        packed(bytes).map(StatusArray)
    }

    /// The one zlib stream in which these statuses are signed.
    #[must_use]
    pub fn deflate(&self) -> Vec<u8> {
        deflate(&self.0)
    }

    /// The packed bytes, given up.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The packed bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many codes there are, in whole bytes.
    #[must_use]
    pub fn codes(&self) -> u64 {
        self.0.len() as u64 * 4
    }

    /// How the code at `index` stands.
    #[must_use]
    pub fn status(&self, index: u64) -> Status {
        let byte = usize::try_from(index / 4).ok().and_then(|at| self.0.get(at));
        byte.map_or(Status::Unknown, |byte| Status::of_bits(byte >> (index % 4 * 2)))
    }

    /// Sets the code at `index`; false when the array does not reach so far.
    pub fn set(&mut self, index: u64, status: Status) -> bool {
        let Some(byte) = usize::try_from(index / 4).ok().and_then(|at| self.0.get_mut(at)) else { return false };
        let shift = index % 4 * 2;
        *byte = *byte & !(3 << shift) | status.bits() << shift;
        true
    }
}
