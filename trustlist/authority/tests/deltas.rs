//! Deltas of status lists, whatever the lists: they lead to the newest bit for bit, and a wrong one leads nowhere.

use authority::{deltas::between, key::SigningKey, status::shard};
use proptest::prelude::*;
use trustlist::{
    status::{
        Status, StatusArray,
        delta::{Delta, Fault, follow},
    },
    time::UnixTime,
};

const ISSUED: UnixTime = UnixTime(1_612_137_600);
const STATUSES: [Status; 4] = [Status::Valid, Status::Revoked, Status::Suspended, Status::Unknown];

fn key() -> SigningKey {
    SigningKey::from_seed([5; 32])
}

fn signed(array: &StatusArray, issued: UnixTime, ttl: Option<i64>) -> Vec<u8> {
    shard("status/0", array, issued, ttl, &key(), None).expect("signed")
}

fn array(codes: usize, set: &[(prop::sample::Index, usize)]) -> StatusArray {
    let mut array = StatusArray::valid(codes);
    for (index, status) in set.iter().filter(|_| codes > 0) {
        assert!(array.set(index.index(codes) as u64, STATUSES[*status]));
    }
    array
}

fn lists() -> impl Strategy<Value = StatusArray> {
    (0_usize..5000, prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4), 0..300))
        .prop_map(|(codes, set)| array(codes, &set))
}

proptest! {
    #[test]
    fn a_delta_leads_from_any_list_to_any_other_bit_for_bit(
        (old, new) in (lists(), lists()),
        later in 0_i64..1 << 37,
        ttl in prop::option::of(0_i64..100_000),
    ) {
        let (held, wanted) = (signed(&old, ISSUED, None), signed(&new, ISSUED.plus(later), ttl));
        let delta = between(&held, &wanted).expect("a delta");
        prop_assert_eq!(Delta::read(&delta).and_then(|delta| delta.apply(&held)), Ok(wanted));
    }

    #[test]
    fn a_delta_with_a_byte_changed_or_cut_short_never_gives_another_list(
        (old, new) in (lists(), lists()),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let (held, wanted) = (signed(&old, ISSUED, None), signed(&new, ISSUED.plus(60), None));
        let delta = between(&held, &wanted).expect("a delta");
        let at = at.index(delta.len());
        let mut changed = delta.clone();
        changed[at] ^= flip;
        for wrong in [&changed, &delta[..at]] {
            if let Ok(made) = follow(wrong, &held, |made| made == wanted) {
                // One thing may be said in two ways: a list unlike the signed one never comes of it.
                prop_assert_eq!(&made, &wanted);
            }
        }
        prop_assert_eq!(follow(&delta, &wanted, |made| made == held), Err(Fault::OtherContent), "from another list");
    }
}

#[test]
fn lists_of_a_key_that_signs_otherwise_each_time_are_taken_as_they_are_held() {
    let key = SigningKey::generate(authority::key::KeyType::Rsa).expect("randomness");
    let shard = |array: &StatusArray, held| shard("status/0", array, ISSUED, None, &key, held).expect("signed");
    let (mut array, first) = (StatusArray::valid(100), shard(&StatusArray::valid(100), None));
    assert_ne!(shard(&array, None), first, "a signature with randomness in it");
    assert_eq!(shard(&array, Some(&first)), first);
    array.set(1, Status::Revoked);
    assert_ne!(shard(&array, Some(&first)), first);
    assert_eq!(StatusArray::of_shard(&shard(&array, Some(&first))).expect("a list"), array);
}
