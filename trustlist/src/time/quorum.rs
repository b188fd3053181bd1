//! What issuers' signed times say together. One issuer's word about the time speaks for that issuer; what many independent ones have
//! signed, the device believes.
//!
//! The threat is a publisher's clock that runs ahead, or a stolen timestamp key: alone it must not move the floor of a device, or one
//! province closes every gate of the country with a date in 2099.

use std::collections::{BTreeMap, BTreeSet};

use super::UnixTime;
use crate::region::Region;

/// SHA-256 of a public key in one canonical form.
pub type Fingerprint = [u8; 32];

/// When an issuer says that it signed last, and with whose keys it may say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The issuer.
    pub issuer: Region,
    /// The issue time of its newest verified timestamp.
    pub issued: UnixTime,
    /// The keys of its root. Issuers that share one are one party.
    pub root_keys: BTreeSet<Fingerprint>,
}

/// The newest moment at or after which enough independent voters have signed; `None` where fewer than two are held.
///
/// A province has one vote however many of its cities publish, and so have the nation and a country; those that share a root key have
/// one together. Enough is a third of the voters, at least two and at most five. Of two voters so the older counts.
#[must_use]
pub fn quorum(votes: &[Vote]) -> Option<UnixTime> {
    let mut moments: Vec<UnixTime> = parties(votes).into_iter().map(|party| party.issued).collect();
    if moments.len() < 2 {
        return None;
    }
    let needed = moments.len().div_ceil(3).clamp(2, 5);
    moments.sort_unstable_by(|one, other| other.cmp(one));
    moments.get(needed - 1).copied()
}

/// Who votes as one: the newest of what its members signed, since any of them can sign for all.
struct Party {
    issued: UnixTime,
    root_keys: BTreeSet<Fingerprint>,
}

fn parties(votes: &[Vote]) -> Vec<Party> {
    let mut by_province: BTreeMap<Region, Party> = BTreeMap::new();
    for vote in votes {
        let party = by_province
            .entry(vote.issuer.province())
            .or_insert_with(|| Party { issued: vote.issued, root_keys: BTreeSet::new() });
        party.issued = party.issued.max(vote.issued);
        party.root_keys.extend(&vote.root_keys);
    }
    let mut parties: Vec<Party> = Vec::new();
    for mut party in by_province.into_values() {
        // Whoever shares a key with it joins it; those were strangers to each other before.
        let (shared, others): (Vec<Party>, Vec<Party>) =
            parties.into_iter().partition(|other| !other.root_keys.is_disjoint(&party.root_keys));
        for other in shared {
            party.issued = party.issued.max(other.issued);
            party.root_keys.extend(other.root_keys);
        }
        parties = others;
        parties.push(party);
    }
    parties
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORNING: UnixTime = UnixTime(1_612_137_600);
    const YEAR_2099: UnixTime = UnixTime(4_070_908_800);

    fn vote(issuer: &str, issued: UnixTime, key: u8) -> Vote {
        Vote { issuer: issuer.parse().expect("a region"), issued, root_keys: BTreeSet::from([[key; 32]]) }
    }

    /// The nation and provinces, each a minute after the one before.
    fn country(provinces: u8) -> Vec<Vote> {
        let province = |number: u8| vote(&format!("{}0000", 10 + number), MORNING.plus(i64::from(number) * 60), number);
        std::iter::once(vote("000000", MORNING, 0)).chain((1..=provinces).map(province)).collect()
    }

    #[test]
    fn one_province_of_2099_does_not_move_the_time_of_a_country() {
        let mut votes = country(34);
        let honest = quorum(&votes).expect("many voters");
        votes[7].issued = YEAR_2099;
        let with_it = quorum(&votes).expect("many voters");
        assert!(with_it < MORNING.plus(86_400) && with_it >= honest, "{with_it}");
    }

    #[test]
    fn as_many_as_are_asked_for_move_it_and_one_less_does_not() {
        for (provinces, needed) in [(1, 2), (2, 2), (5, 2), (6, 3), (11, 4), (12, 5), (34, 5)] {
            let with = |ahead: usize| {
                let mut votes = country(provinces);
                votes.iter_mut().take(ahead).for_each(|vote| vote.issued = YEAR_2099);
                quorum(&votes).expect("two at least")
            };
            assert_eq!(with(needed), YEAR_2099, "{needed} of {provinces} and the nation");
            assert!(with(needed - 1) < YEAR_2099, "one less than {needed} of {provinces} and the nation");
        }
    }

    #[test]
    fn one_issuer_is_no_quorum_and_of_two_the_older_counts() {
        assert_eq!(quorum(&[]), None);
        assert_eq!(quorum(&[vote("440000", YEAR_2099, 1)]), None);
        assert_eq!(quorum(&[vote("440000", YEAR_2099, 1), vote("000000", MORNING, 2)]), Some(MORNING));
    }

    #[test]
    fn the_cities_of_a_province_have_one_vote_with_it() {
        let cities = (0..9_u8).map(|city| vote(&format!("440{city}00"), YEAR_2099, 40 + city));
        assert_eq!(quorum(&cities.clone().collect::<Vec<_>>()), None, "they are one voter");
        let votes: Vec<Vote> = country(34).into_iter().chain(cities).collect();
        assert!(quorum(&votes).expect("many voters") < YEAR_2099);
    }

    #[test]
    fn issuers_that_share_a_root_key_have_one_vote_also_by_way_of_a_third() {
        let mut votes = country(12);
        for vote in &mut votes[1..=5] {
            vote.issued = YEAR_2099;
        }
        assert_eq!(quorum(&votes), Some(YEAR_2099), "five strangers are enough");
        // 1 shares a key with 3, 3 with 5.
        votes[3].root_keys.extend([[1; 32], [5; 32]]);
        assert!(quorum(&votes).expect("many voters") < YEAR_2099);
    }

    #[test]
    fn a_list_of_the_past_takes_no_vote_from_the_others() {
        let mut votes = country(4);
        votes[0].issued = UnixTime(0);
        votes[1].issued = UnixTime(i64::MIN);
        assert!(quorum(&votes).expect("many voters") >= MORNING);
    }
}
