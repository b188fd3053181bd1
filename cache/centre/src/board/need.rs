//! Who needs somebody: pure, from what a post last said and when it was last heard.
//!
//! A post that says nothing is the loudest: it is listed from the registry, so that one that died, or never came, cannot vanish.

use std::time::Duration;

use cache::exchange::Vitals;

/// A post is gone when nothing was heard of it for this long: three health lines.
pub const GONE: Duration = Duration::from_secs(15 * 60);
/// Rows that wait longer have a network that is gone, or a centre that is.
const OUTBOX_S: i64 = 3600;
/// Age of lists above which they are old.
const LIST_S: i64 = crate::facts::OLD_LIST;
/// Free space below which a log will end, in MiB.
const DISK_MIB: u64 = 500;
/// Hotter boards slow down.
const HOT_MC: i64 = 80_000;
/// Scans that a lane must have missed by its own rhythm before its silence means something: chance alone does that in less than one
/// case of a hundred (Poisson, e⁻⁵).
const MISSED: f64 = 5.0;
/// Shortest silence that is looked at.
pub const SILENCE: Duration = Duration::from_secs(600);
/// A lane without a rhythm yet is silent after a day.
const NO_RHYTHM: Duration = Duration::from_secs(86_400);

/// What is wrong at a post, the worst first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Something is not as it was signed: fork, cut log, two boxes, a foreign log.
    Alarm(String),
    /// Nothing was ever heard of it.
    NeverSeen,
    /// Nothing was heard of it for long.
    Gone,
    /// A lane's pictures cannot be believed.
    Camera(String),
    /// A lane is silent against its own rhythm.
    Silent(String),
    /// Nothing confirms its clock.
    Clock(String),
    /// Rows wait for more than an hour.
    Outbox(u64),
    /// Its lists are old.
    Lists(i64),
    /// Its disk is nearly full.
    Disk(u64),
    /// Its board is hot.
    Hot(i64),
    /// What its lanes show as attention.
    Attention(String),
}

/// What a board knows of a post.
#[derive(Clone, Debug, Default)]
pub struct Known<'k> {
    /// How long ago anything was heard of it; never where none.
    pub silence: Option<Duration>,
    /// Alarms that were not cleared.
    pub alarms: &'k [String],
    /// Its clock's trust, in its last health line.
    pub trust: Option<&'k str>,
    /// Its last health line.
    pub vitals: Option<&'k Vitals>,
    /// Lanes that are silent.
    pub silent: &'k [String],
}

/// All needs, the worst first.
#[must_use]
pub fn needs(known: &Known<'_>) -> Vec<Need> {
    let mut needs: Vec<Need> = known.alarms.iter().cloned().map(Need::Alarm).collect();
    match known.silence {
        None => needs.push(Need::NeverSeen),
        Some(silence) if silence > GONE => needs.push(Need::Gone),
        Some(_) => {}
    }
    needs.extend(known.silent.iter().cloned().map(Need::Silent));
    if let Some(trust) = known.trust.filter(|trust| !matches!(*trust, "synced" | "holdover")) {
        needs.push(Need::Clock(trust.to_owned()));
    }
    if let Some(vitals) = known.vitals {
        needs.extend(vitals.cameras.iter().filter(|(_, good)| !**good).map(|(lane, _)| Need::Camera(lane.clone())));
        if vitals.outbox_age_s.is_some_and(|age| age > OUTBOX_S) {
            needs.push(Need::Outbox(vitals.outbox));
        }
        if let Some(oldest) = vitals.list_age_s.values().copied().max().filter(|age| *age > LIST_S) {
            needs.push(Need::Lists(oldest));
        }
        needs.extend(vitals.disk_free_mib.filter(|free| *free < DISK_MIB).map(Need::Disk));
        needs.extend(vitals.temperature_mc.filter(|heat| *heat > HOT_MC).map(Need::Hot));
        needs.extend(vitals.attentions.iter().cloned().map(Need::Attention));
    }
    needs.sort();
    needs
}

/// Whether a lane's silence means something: it missed scans by its own rhythm, or has no rhythm yet and was silent for a day.
#[must_use]
pub fn silent(silence: Duration, expected: Option<f64>) -> bool {
    match expected {
        Some(expected) => silence >= SILENCE && expected >= MISSED,
        None => silence >= NO_RHYTHM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_shown_and_the_worst_comes_first() {
        let vitals = Vitals {
            cameras: [("1".to_owned(), false), ("2".to_owned(), true)].into(),
            list_age_s: [("420000".parse().expect("a region"), 100_000)].into(),
            disk_free_mib: Some(20),
            outbox: 7,
            outbox_age_s: Some(7200),
            ..Vitals::default()
        };
        let alarms = ["fork".to_owned()];
        let known = Known {
            silence: Some(GONE * 2),
            alarms: &alarms,
            trust: Some("floor-only"),
            vitals: Some(&vitals),
            silent: &[],
        };
        let expected = [
            Need::Alarm("fork".into()),
            Need::Gone,
            Need::Camera("1".into()),
            Need::Clock("floor-only".into()),
            Need::Outbox(7),
            Need::Lists(100_000),
            Need::Disk(20),
        ];
        assert_eq!(needs(&known), expected);
        assert_eq!(needs(&Known::default()), [Need::NeverSeen]);
        let fine = Known { silence: Some(Duration::from_secs(60)), trust: Some("synced"), ..Known::default() };
        assert_eq!(needs(&fine), []);
    }

    #[test]
    fn a_lane_is_silent_by_its_own_rhythm() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert!(silent(minutes(12), Some(40.0)), "a busy lane");
        assert!(!silent(minutes(12), Some(0.3)), "a quiet lane, or a busy one at night");
        assert!(!silent(minutes(5), Some(40.0)), "too short to tell");
        assert!(!silent(minutes(600), None) && silent(minutes(1500), None), "no rhythm yet");
    }
}
