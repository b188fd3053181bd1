//! How much work and memory lists may cost a device, counted: for one issuer, and for all together.

use std::collections::{BTreeMap, BTreeSet};

use authority::{Federation, Source, key::KeyType, status::shard};
use trustlist::{
    lists::keys::KeyUse,
    region::{NATIONAL, Region},
    status::{MAX_INFLATED, MAX_INFLATED_TOGETHER, MAX_LISTS, Room, StatusArray},
    time::UnixTime,
    trust::{Assembly, Repository, Trust},
};

const NOW: UnixTime = UnixTime(1_612_137_600);
const KEYS: Source = Source::Seed([7; 32]);

struct Country {
    files: BTreeMap<String, Vec<u8>>,
    provinces: Vec<Region>,
}

impl Country {
    fn new() -> Country {
        let mut federation = Federation::of_provinces(KEYS, NOW).expect("founded");
        let provinces = federation.issuers.keys().copied().collect();
        Country { files: federation.publish(NOW).expect("published"), provinces }
    }

    /// An issuer's repository, as it was published and with more targets.
    fn repository(&self, issuer: Region, more: BTreeMap<String, Vec<u8>>) -> Repository {
        let below = format!("{issuer}/targets/");
        let published = self.files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&below)?, bytes)));
        // A target's file name begins with its hash.
        let named = published.map(|(path, bytes)| {
            let (folder, file) =
                path.rsplit_once('/').map_or((String::new(), path), |(folder, file)| (format!("{folder}/"), file));
            (folder + file.split_once('.').expect("a hash").1, bytes.clone())
        });
        let targets = named.chain(more).collect();
        let none = BTreeSet::new();
        Repository { issuer, generation: 1, issued: NOW, expires: NOW, arrived: None, root_keys: none, targets }
    }

    /// So many lists of an issuer, signed by its own key, of so many bytes each once they are inflated.
    fn lists(&self, issuer: Region, number: usize, inflated: usize) -> BTreeMap<String, Vec<u8>> {
        let key = KEYS
            .key(issuer, &format!("{:?}-0", KeyUse::Status), KeyType::Ed25519)
            .expect("keys of a seed are always there");
        let array = StatusArray::from_bytes(vec![0; inflated]);
        let list = |number: usize| {
            let name = format!("status/{number}");
            let list = shard(&name, &array, NOW, None, &key, None).expect("signed");
            (name, list)
        };
        (0..number).map(list).collect()
    }

    fn national(&self) -> Repository {
        self.repository(NATIONAL, BTreeMap::new())
    }
}

fn read(trust: &Trust, issuer: Region) -> usize {
    trust.issuer(issuer).map_or(0, |issuer| issuer.statuses.len())
}

#[test]
fn an_issuers_lists_are_read_to_their_bound_in_number_and_in_bytes_once_inflated() {
    let country = Country::new();
    let greedy = country.provinces[0];
    for (number, inflated, most) in [
        (MAX_LISTS + 20, 1, MAX_LISTS),
        (7, MAX_INFLATED, MAX_INFLATED_TOGETHER / MAX_INFLATED),
        (3, MAX_INFLATED + 1, 0),
    ] {
        let lists = country.lists(greedy, number, inflated);
        let (trust, faults) =
            Trust::assemble(country.national(), vec![country.repository(greedy, lists)]).expect("readable");
        assert_eq!(read(&trust, greedy), most, "{number} lists of {inflated} bytes: {faults:?}");
        assert!(faults.iter().all(|fault| fault.issuer == greedy) && !faults.is_empty(), "{faults:?}");
    }
}

#[test]
fn all_issuers_together_are_read_to_the_devices_bound_and_whoever_comes_last_goes_without() {
    let country = Country::new();
    for (what, room, most) in [
        ("number", Room { lists: 7, ..Room::DEVICE }, 7),
        ("bytes inflated", Room { inflated: 5 * 4096, ..Room::DEVICE }, 5),
        ("nothing", Room { lists: 0, ..Room::DEVICE }, 0),
    ] {
        let mut assembly = Assembly::begin_within(&country.national(), room).expect("readable");
        let order: Vec<Region> = assembly.order().iter().copied().filter(|issuer| *issuer != NATIONAL).collect();
        for issuer in &order[..5] {
            assembly.take(&country.repository(*issuer, country.lists(*issuer, 3, 4096)));
        }
        let (trust, faults) = assembly.end();
        let read: Vec<usize> = order[..5].iter().map(|issuer| read(&trust, *issuer)).collect();
        assert_eq!(read.iter().sum::<usize>(), most, "{what}: {read:?}");
        assert!(read.is_sorted_by(|first, second| first >= second), "{what}: in the nation's order: {read:?}");
        assert!(faults.iter().any(|fault| fault.what.contains("no room")), "{what}: {faults:?}");
    }
}

#[test]
fn a_list_that_is_damaged_costs_its_issuer_what_reading_it_may_have_cost() {
    let country = Country::new();
    let (clumsy, next) = (country.provinces[0], country.provinces[1]);
    let mut lists = country.lists(clumsy, 8, 4096);
    for list in lists.values_mut() {
        let middle = list.len() / 2;
        list[middle] ^= 1;
    }
    let good = country.lists(clumsy, 9, 4096).split_off("status/8");
    lists.extend(good);
    let others = vec![country.repository(clumsy, lists), country.repository(next, country.lists(next, 3, 4096))];
    let (trust, faults) = Trust::assemble(country.national(), others).expect("readable");
    assert_eq!(read(&trust, clumsy), 0, "five that may have been bombs use up an issuer's share: {faults:?}");
    assert_eq!(read(&trust, next), 3, "and nobody else's");
}
