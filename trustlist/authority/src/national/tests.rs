//! What the national lists bear and what they do not.

use trustlist::lists::{recognition::Route, risk::RiskLevel};

use super::*;
use crate::{
    authority::{Authority, Plan, Source},
    metadata::Role,
};

const MORNING: UnixTime = UnixTime(1_612_137_600);

fn region(text: &str) -> Region {
    text.parse().expect("a region")
}

fn authority(id: &str) -> Authority {
    Authority::init(region(id), &Plan::default(), Default::default(), Source::Seed([1; 32]), MORNING).expect("made")
}

fn newcomer(id: &str) -> Newcomer {
    Newcomer {
        id: region(id),
        names: None,
        parent: None,
        scope: Vec::new(),
        formats: Vec::new(),
        mirrors: Vec::new(),
        root: authority(id).first_root().to_vec(),
    }
}

fn named(id: &str) -> Newcomer {
    let names = Some(Names { zh: "某地".to_owned(), en: "Somewhere".to_owned() });
    Newcomer { names, ..newcomer(id) }
}

fn lists() -> National {
    let mut lists = National::new(authority("000000").first_root());
    lists.add(newcomer("420000")).expect("Hubei");
    lists
}

#[test]
fn an_issuer_is_listed_once_with_what_follows_from_its_code() {
    let mut lists = lists();
    let hubei = lists.issuer(region("420000")).expect("listed").clone();
    assert_eq!((hubei.name.en.as_str(), hubei.level.as_str()), ("Hubei", "province"));
    assert_eq!((hubei.parent, hubei.scope.as_slice()), (Some(NATIONAL), &[region("420000")][..]));
    assert_eq!(lists.add(newcomer("420000")), Err(ListError::DuplicateIssuer(region("420000"))));
    let wuhan = lists.add(named("420100")).expect("Wuhan");
    assert_eq!((wuhan.parent, wuhan.level.as_str()), (Some(region("420000")), "city"));
    assert_eq!(lists.retire(region("420000")), Err(ListError::HasChildren(region("420100"))));
    assert_eq!(lists.retire(region("420100")), Ok(()));
    assert_eq!(lists.check(), Ok(()));
}

#[test]
fn an_issuer_that_lies_nowhere_has_no_name_or_no_root_is_refused() {
    let mut lists = lists();
    for nowhere in ["990000", "999999", "440099"] {
        let nowhere = Newcomer { id: region(nowhere), ..newcomer("440000") };
        assert!(matches!(lists.add(nowhere).err(), Some(ListError::UnknownRegion(_))));
    }
    assert_eq!(lists.add(newcomer("440300")).err(), Some(ListError::NoNames(region("440300"))));
    let rootless = Newcomer { root: b"{}".to_vec(), ..newcomer("440000") };
    assert!(matches!(lists.add(rootless).err(), Some(ListError::NotARoot(_))));
    let orphan = Newcomer { parent: Some(region("310000")), ..newcomer("440000") };
    assert_eq!(lists.add(orphan).err(), Some(ListError::UnknownIssuer(region("310000"))));
}

#[test]
fn a_root_key_is_one_issuers_alone() {
    let mut lists = lists();
    let copied = Newcomer { root: authority("420000").first_root().to_vec(), ..newcomer("440000") };
    let twice = ListError::RootOfAnother { issuer: region("440000"), other: region("420000") };
    assert_eq!(lists.add(copied).err(), Some(twice.clone()));
    let own = authority("440000");
    let mut shared = own.root().expect("a root");
    shared.give(Role::Timestamp, &authority("420000").private[0]);
    let shared = metadata::sign(&shared, [&own.private[0]]).expect("signed");
    assert_eq!(lists.add(Newcomer { root: shared, ..newcomer("440000") }).err(), Some(twice));
    lists.add(newcomer("440000")).expect("its own root");
    assert_eq!(lists.check(), Ok(()));
}

#[test]
fn two_issuers_speak_for_one_region_only_when_one_stands_above_the_other() {
    let mut lists = lists();
    let elsewhere = Newcomer { scope: vec![region("440100")], ..named("420100") };
    assert!(matches!(lists.add(elsewhere).err(), Some(ListError::ForeignScope { .. })));
    let rival = Newcomer { parent: Some(NATIONAL), ..named("420100") };
    assert!(matches!(lists.add(rival).err(), Some(ListError::OverlappingScope { .. })));
    assert_eq!(lists.check(), Ok(()), "what was refused left nothing behind");
}

#[test]
fn an_arrangement_needs_an_issuer_a_place_and_a_time() {
    let mut lists = lists();
    let arrangement = |issuing: &str, relying: &str| Arrangement {
        issuing: Party::Region(region(issuing)),
        relying: Party::Region(region(relying)),
        route: Route::Direct,
        window: Window::default(),
    };
    assert_eq!(lists.arrange(arrangement("440000", "420000")), Err(ListError::UnknownIssuer(region("440000"))));
    assert_eq!(lists.arrange(arrangement("420000", "990000")), Err(ListError::UnknownRegion(region("990000"))));
    let window = Window { from: Some(MORNING), until: Some(MORNING) };
    let never = Arrangement { window, ..arrangement("420100", "440000") };
    assert_eq!(lists.arrange(never), Err(ListError::EmptyWindow));
    assert_eq!(lists.arrange(arrangement("420100", "440000")), Ok(()));
    assert_eq!(lists.arrange(arrangement("420100", "440000")), Err(ListError::AlreadyThere("arrangement")));
    assert_eq!(lists.end_arrangement(|listed| listed.route == Route::Direct), Ok(1));
    assert!(lists.end_arrangement(|_| true).is_err());
}

#[test]
fn an_area_that_is_cleared_stays_listed_for_visits_before_that() {
    let mut lists = lists();
    let area = RiskArea {
        area: region("420102"),
        level: RiskLevel::High,
        name: Names::default(),
        window: Window { from: Some(MORNING), until: None },
    };
    assert_eq!(lists.list_area(area.clone()), Ok(()));
    assert_eq!(lists.list_area(area), Err(ListError::AlreadyThere("risk area")));
    assert_eq!(lists.clear_area(region("420102"), MORNING.plus(10)), Ok(()));
    assert_eq!(lists.risk_areas.areas[0].window.until, Some(MORNING.plus(10)));
    assert!(lists.clear_area(region("420102"), MORNING.plus(20)).is_err());
}
