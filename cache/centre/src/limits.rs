//! What one post, and one address that fails to prove itself, may cost: leaky buckets. Pure; the moment is an argument.

use std::{collections::HashMap, hash::Hash, time::Duration};

/// How much, how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Per second, in the long run.
    pub per_second: f64,
    /// At once.
    pub burst: f64,
}

/// One bucket for each key. Buckets that have run empty are forgotten, so that invented keys do not fill the memory.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    levels: HashMap<K, (f64, Duration)>,
    /// Most keys at once; beyond, keys that are not known yet must wait.
    most: usize,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Empty buckets.
    #[must_use]
    pub fn new(rate: Rate, most: usize) -> Buckets<K> {
        Buckets { rate, levels: HashMap::new(), most }
    }

    /// Pours `amount` into a bucket at `now` (time since any fixed moment), or says how long to wait. What is larger than a bucket
    /// fits into an empty one.
    pub fn take(&mut self, key: K, amount: f64, now: Duration) -> Result<(), Duration> {
        if self.levels.len() >= self.most && !self.levels.contains_key(&key) {
            let rate = self.rate;
            self.levels.retain(|_, bucket| level(rate, *bucket, now) > 0.0);
            if self.levels.len() >= self.most {
                return Err(Duration::from_secs(1));
            }
        }
        let bucket = self.levels.entry(key).or_insert((0.0, now));
        let before = level(self.rate, *bucket, now);
        let over = before + amount.min(self.rate.burst) - self.rate.burst;
        if over > 0.0 {
            return Err(Duration::from_secs_f64((over / self.rate.per_second).min(3600.0)));
        }
        *bucket = (before + amount, now);
        Ok(())
    }
}

fn level(rate: Rate, (level, at): (f64, Duration), now: Duration) -> f64 {
    (level - rate.per_second * now.saturating_sub(at).as_secs_f64()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_post_that_floods_waits_and_the_next_one_does_not_notice() {
        let mut buckets = Buckets::new(Rate { per_second: 10.0, burst: 100.0 }, 10);
        assert_eq!(buckets.take("gate-1", 100.0, SECOND), Ok(()));
        assert_eq!(buckets.take("gate-1", 20.0, SECOND), Err(2 * SECOND));
        assert_eq!(buckets.take("gate-2", 100.0, SECOND), Ok(()));
        assert_eq!(buckets.take("gate-1", 20.0, 3 * SECOND), Ok(()), "as it was told");
    }

    #[test]
    fn what_is_larger_than_a_bucket_is_taken_when_the_bucket_is_empty_and_paid_for_afterwards() {
        let mut buckets = Buckets::new(Rate { per_second: 10.0, burst: 100.0 }, 10);
        assert_eq!(buckets.take("gate-1", 300.0, SECOND), Ok(()));
        assert_eq!(buckets.take("gate-1", 1.0, SECOND), Err(Duration::from_secs_f64(20.1)));
    }

    #[test]
    fn invented_names_do_not_fill_the_memory() {
        let mut buckets = Buckets::new(Rate { per_second: 1.0, burst: 1.0 }, 2);
        assert!(buckets.take(1, 1.0, SECOND).is_ok() && buckets.take(2, 1.0, SECOND).is_ok());
        assert_eq!(buckets.take(3, 1.0, SECOND), Err(SECOND));
        assert_eq!(buckets.take(3, 1.0, 2 * SECOND), Ok(()), "the others have run empty");
    }
}
