//! A country on one page: 34 regions and a city, their keys and lists, and travellers with good and bad codes.
//!
//! Made by the publisher's desk in memory, with keys that are no secret. A gate is built without this folder.

use std::collections::BTreeMap;

use authority::{
    code::{Draft, Flaw, IssueError, issue, issue_flawed},
    key::{KeyError, SigningKey},
    regions::PROVINCES,
    repository::{self, Lifetimes, Roles, Versions},
    status,
};
use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use sha2::{Digest, Sha256};
use trustlist::{
    code::{Colour, Format, KeyState, StatusRef, Visit},
    key::Algorithm,
    lists::{
        Names,
        keys::{KeyEntry, KeyUse, Keys},
        policy::{Policy, Profile},
        recognition::{Arrangement, Party, Recognition, Route, Suspension},
        risk::{RiskArea, RiskAreas, RiskLevel},
        trustlist::{IssuerEntry, TrustList},
    },
    region::{NATIONAL, Region},
    status::{Status, StatusArray},
    time::{UnixTime, Window},
    verdict::Reason,
};

/// Whose gate the demonstration is.
pub const GATE: &str = "440000";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Files by path below a mirror's top, and who comes to the gate.
#[derive(Debug)]
pub struct Country {
    /// Every repository.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Everybody who comes, in order.
    pub travellers: Vec<Traveller>,
}

/// Somebody who holds up a phone.
#[derive(Clone, Debug)]
pub struct Traveller {
    /// What there is to know, for the terminal.
    pub who: &'static str,
    /// What the symbol says.
    pub text: String,
    /// What should come of it; `None` for a symbol that is no pass code.
    pub expected: Option<Reason>,
}

/// Makes the country as it stands at `now`.
///
/// # Errors
/// When this machine gives no randomness.
pub fn country(now: UnixTime) -> Result<Country, IssueError> {
    Ok(Country { files: repositories(now)?, travellers: travellers(now)? })
}

fn region(code: &str) -> Region {
    code.parse().expect("the demonstration names real regions")
}

/// A key of an issuer. `kind` keeps an issuer's keys apart.
fn key(issuer: Region, kind: &str) -> SigningKey {
    SigningKey::from_seed(Sha256::digest(format!("checkpointd demonstration {issuer} {kind}")).into())
}

fn issuers() -> Vec<(Region, Names)> {
    let name = |zh: &str, en: &str| Names { zh: zh.to_owned(), en: en.to_owned() };
    let provinces = PROVINCES.iter().map(|province| (province.region(), name(province.zh, province.en)));
    let others = [(NATIONAL, name("国家平台", "National platform")), (region("420100"), name("武汉市", "Wuhan"))];
    others.into_iter().chain(provinces).collect()
}

/// How long ago an issuer published: most this morning, one the day before yesterday, one last week, and one never to this gate.
fn age(issuer: Region) -> Option<i64> {
    match issuer.as_str() {
        "620000" => Some(30 * HOUR),
        "630000" => Some(10 * DAY),
        "640000" => None,
        _ => Some(2 * HOUR),
    }
}

fn repositories(now: UnixTime) -> Result<BTreeMap<String, Vec<u8>>, KeyError> {
    let lifetimes = Lifetimes::default();
    let mut files = BTreeMap::new();
    let mut put = |issuer: Region, root: Vec<u8>, published: BTreeMap<String, Vec<u8>>| {
        files.insert(format!("{issuer}/metadata/1.root.json"), root);
        files.extend(published.into_iter().map(|(path, bytes)| (format!("{issuer}/{path}"), bytes)));
    };
    let mut national = BTreeMap::new();
    let mut entries = Vec::new();
    let founded = now.plus(-60 * DAY);
    for (issuer, name) in issuers() {
        let roles = Roles::from_seed(&format!("checkpointd demonstration {issuer}"));
        let root = repository::root(&roles, None, 1, founded.plus(lifetimes.root))?;
        entries.push(IssuerEntry {
            id: issuer,
            name,
            level: ["national", "province", "city", "county"][usize::from(issuer.level())].to_owned(),
            parent: (issuer.level() == 2).then(|| issuer.province()),
            scope: vec![issuer],
            formats: vec![Format::Mr1],
            root_sha256: HEXLOWER.encode(&Sha256::digest(&root)),
            mirrors: Vec::new(),
        });
        if issuer == NATIONAL {
            continue;
        }
        national.insert(format!("roots/{issuer}.json"), root.clone());
        if let Some(age) = age(issuer) {
            let at = now.plus(-age);
            let targets = own_targets(issuer, at)?;
            put(issuer, root, repository::publish(&roles, Versions::FIRST, lifetimes, &targets, at)?);
        }
    }
    let at = now.plus(-2 * HOUR);
    national.extend(own_targets(NATIONAL, at)?);
    national.insert("trustlist.json".to_owned(), json(&TrustList { issuers: entries, configuration_key: None }));
    national.insert("recognition.json".to_owned(), json(&recognition(now)));
    national.insert("policy.json".to_owned(), json(&policy()));
    national.insert("risk-areas.json".to_owned(), json(&risk_areas(now)));
    let roles = Roles::from_seed(&format!("checkpointd demonstration {NATIONAL}"));
    let root = repository::root(&roles, None, 1, founded.plus(lifetimes.root))?;
    put(NATIONAL, root, repository::publish(&roles, Versions::FIRST, lifetimes, &national, at)?);
    Ok(files)
}

/// `keys.json` and one status shard of an issuer.
fn own_targets(issuer: Region, at: UnixTime) -> Result<BTreeMap<String, Vec<u8>>, KeyError> {
    let entry = |kind: &str, use_for, state| KeyEntry {
        algorithm: Algorithm::EdDsa,
        public_key: Some(BASE64.encode(&key(issuer, kind).public_bytes())),
        certificate: None,
        formats: vec![Format::Mr1],
        use_for,
        kinds: std::collections::BTreeSet::new(),
        window: Window::default(),
        state,
    };
    let keys = Keys {
        keys: vec![
            entry("code", KeyUse::Code, KeyState::Active),
            entry("retired", KeyUse::Code, KeyState::Retired { at: at.plus(-30 * DAY) }),
            entry("revoked", KeyUse::Code, KeyState::Revoked),
            entry("status", KeyUse::Status, KeyState::Active),
        ],
    };
    let mut statuses = StatusArray::valid(10_000);
    statuses.set(REVOKED, Status::Revoked);
    statuses.set(SUSPENDED, Status::Suspended);
    let shard = status::shard("status/0", &statuses, at, DAY, &key(issuer, "status"))?;
    Ok(BTreeMap::from([("keys.json".to_owned(), json(&keys)), ("status/0".to_owned(), shard)]))
}

const REVOKED: u64 = 4711;
const SUSPENDED: u64 = 4712;

fn recognition(now: UnixTime) -> Recognition {
    let since = Window { from: Some(now.plus(-30 * DAY)), until: None };
    let line = |issuing: Party, relying: Party, route| Arrangement { issuing, relying, route, window: since };
    let of = |code: &str| Party::Region(region(code));
    let direct = ["420000", "420100", "430000", "620000", "630000", "640000"];
    let by_platform = ["310000", "330000", "510000", "500000"];
    let mut arrangements: Vec<Arrangement> =
        direct.iter().map(|code| line(of(code), of(GATE), Route::Direct)).collect();
    arrangements.extend(by_platform.iter().map(|code| line(of(code), Party::Everybody, Route::Intermediary)));
    arrangements.push(line(of("540000"), Party::Everybody, Route::National));
    arrangements.push(line(of("130000"), of(GATE), Route::Direct));
    let suspension = Suspension {
        issuing: of("130000"),
        relying: of(GATE),
        notice: "〔2021〕3号".to_owned(),
        approved_by: "联防联控机制".to_owned(),
        instead: Some("国家码".to_owned()),
        window: Window { from: Some(now.plus(-5 * DAY)), until: Some(now.plus(9 * DAY)) },
    };
    Recognition { arrangements, suspensions: vec![suspension] }
}

fn policy() -> Policy {
    let profile = Profile { max_code_age_s: Some(7 * DAY), ..Profile::default() };
    Policy {
        default: "spring-festival".to_owned(),
        profiles: BTreeMap::from([("spring-festival".to_owned(), profile)]),
    }
}

fn risk_areas(now: UnixTime) -> RiskAreas {
    let window = Window { from: Some(now.plus(-10 * DAY)), until: Some(now.plus(10 * DAY)) };
    let area = |code: &str, level, zh: &str, en: &str| RiskArea {
        area: region(code),
        level,
        name: Names { zh: zh.to_owned(), en: en.to_owned() },
        window,
    };
    RiskAreas {
        areas: vec![
            area("130104", RiskLevel::High, "石家庄市桥西区", "Qiaoxi, Shijiazhuang"),
            area("220500", RiskLevel::Medium, "通化市", "Tonghua"),
        ],
    }
}

/// Everybody who comes to the gate, and why each is there.
fn travellers(now: UnixTime) -> Result<Vec<Traveller>, IssueError> {
    let issued = now.plus(-HOUR);
    let of = |code: &str| Draft {
        name: Some("张*".to_owned()),
        document: Some("0427".to_owned()),
        status: Some(StatusRef { index: 1000 + issued.0.unsigned_abs() % 1000, uri: "status/0".to_owned() }),
        ..Draft::new(region(code), issued)
    };
    let home = || of(GATE);
    let signed = |draft: &Draft| issue(draft, &key(draft.issuer, "code"), None);
    let with = |draft: &Draft, kind: &str| issue(draft, &key(draft.issuer, kind), None);
    let vouched = |draft: &Draft| issue(draft, &key(draft.issuer, "code"), Some(&key(NATIONAL, "code")));
    let flawed = |draft: &Draft, flaw| issue_flawed(draft, &key(draft.issuer, "code"), None, flaw);
    let status = |index| Some(StatusRef { index, uri: "status/0".to_owned() });
    let visited = |area: &str| vec![Visit { area: region(area), last_day: now.0 / DAY - 3 }];
    let mut all = Vec::new();
    let mut add = |who, text, expected| all.push(Traveller { who, text, expected: Some(expected) });
    add("from Guangdong, green", signed(&home())?, Reason::Ok);
    add("from Hubei, by the direct route", signed(&of("420000"))?, Reason::Ok);
    add("from Wuhan, a city with a code of its own", signed(&of("420100"))?, Reason::Ok);
    add("from Shanghai, vouched for by the national platform", vouched(&of("310000"))?, Reason::Ok);
    add("from Shanghai, without the vouching", signed(&of("310000"))?, Reason::NotVouched);
    let on_behalf = Draft { on_behalf_of: Some(region("540000")), ..of("000000") };
    add("from Tibet, with the national code", signed(&on_behalf)?, Reason::Ok);
    add("from Hebei, whose recognition is suspended", signed(&of("130000"))?, Reason::RecognitionSuspended);
    add("from Xinjiang, without an arrangement", signed(&of("650000"))?, Reason::NotRecognised);
    add("from Gansu, whose list is a day old", signed(&of("620000"))?, Reason::OkGrace);
    add("from Qinghai, whose list is ten days old", signed(&of("630000"))?, Reason::ListStale);
    add("from Ningxia, whose list never came", signed(&of("640000"))?, Reason::ListMissing);
    add("yellow", signed(&Draft { colour: Colour::Yellow, ..home() })?, Reason::ColourYellow);
    add("red", signed(&Draft { colour: Colour::Red, ..home() })?, Reason::ColourRed);
    add("back from a risk area", signed(&Draft { itinerary: visited("130104"), ..home() })?, Reason::RiskArea);
    add(
        "with yesterday's code",
        signed(&Draft { expires: now.plus(-12 * HOUR), issued_at: now.plus(-36 * HOUR), ..home() })?,
        Reason::Expired,
    );
    let tomorrow = Draft { not_before: Some(now.plus(12 * HOUR)), expires: now.plus(36 * HOUR), ..home() };
    add("with tomorrow's code", signed(&tomorrow)?, Reason::NotYetValid);
    let old = Draft { issued_at: now.plus(-9 * DAY), expires: now.plus(DAY), ..home() };
    add("with a code of last week", signed(&old)?, Reason::CodeTooOld);
    add("with a revoked code", signed(&Draft { status: status(REVOKED), ..home() })?, Reason::Revoked);
    add("with a suspended code", signed(&Draft { status: status(SUSPENDED), ..home() })?, Reason::StatusSuspended);
    add(
        "with a code whose status nobody knows",
        signed(&Draft { status: status(999_999), ..home() })?,
        Reason::StatusUnknown,
    );
    add("with a forged code", flawed(&home(), Flaw::Forged)?, Reason::BadSignature);
    add("with a code that was changed", flawed(&home(), Flaw::Tampered)?, Reason::BadSignature);
    add("with a code of an unknown key", flawed(&home(), Flaw::UnknownKey)?, Reason::UnknownKey);
    add("with a code of a retired key", with(&home(), "retired")?, Reason::KeyRetired);
    add("with a code of a revoked key", with(&home(), "revoked")?, Reason::KeyRevoked);
    add(
        "with a code that Hunan signed in Guangdong's name",
        issue(&home(), &key(region("430000"), "code"), None)?,
        Reason::IssuerOutOfScope,
    );
    add("with a code of a country nobody lists", signed(&of("990000"))?, Reason::UnknownIssuer);
    add("with half a code", flawed(&home(), Flaw::Truncated)?, Reason::Malformed);
    all.push(Traveller { who: "with a bus ticket", text: "https://bus.example/t/48151623".to_owned(), expected: None });
    Ok(all)
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("lists are plain data")
}

#[cfg(test)]
mod tests {
    use trustlist::{
        judge::{Context, Outcome, decide},
        time::{Moment, TimeTrust},
    };

    use super::*;
    use crate::lists;

    const NOW: UnixTime = UnixTime(1_612_137_600);

    #[test]
    fn every_traveller_gets_what_is_expected() {
        let country = country(NOW).expect("made");
        let mirror = tempfile::tempdir().expect("a folder");
        for (path, bytes) in &country.files {
            let path = mirror.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        let trust = lists::from_folder(mirror.path()).expect("verified");
        let context =
            Context { moment: Moment { at: NOW, trust: TimeTrust::Synced }, relying: region(GATE), profile: None };
        for traveller in &country.travellers {
            let reason = match decide(&traveller.text, &trust, &context) {
                Outcome::NotAPassCode => None,
                Outcome::Judged(judgement) => Some(judgement.decision().reason),
            };
            assert_eq!(reason, traveller.expected, "{}", traveller.who);
        }
        assert_eq!(PROVINCES.len(), 34);
    }
}
