//! The one place that asks the machine for chance, and what is made of it where nobody must guess less than a number.

/// Fills bytes that nobody can guess: ids, keys, secrets.
///
/// # Errors
/// The system has no randomness.
pub fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

/// A number for jitter, another each time; the middle where the system has no randomness: jitter is no secret.
#[must_use]
pub fn number() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}
