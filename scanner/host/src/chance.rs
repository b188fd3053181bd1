//! The one place that asks the machine for chance.

/// Fills bytes that nobody can guess: ids, keys, secrets.
///
/// # Errors
/// The system has no randomness.
pub fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

/// 0 to 1, another each time, for jitter; the middle where the system has no randomness: jitter is no secret.
#[must_use]
pub fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
