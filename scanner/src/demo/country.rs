//! A country on one page: 34 regions and a city, their keys and lists, and travellers with good and bad codes.
//!
//! Made by the publisher's desk in memory, with keys that are no secret. A gate is built without this folder.

use std::collections::BTreeMap;

use authority::{
    AuthorityError, CodeError, Federation, Source,
    code::{Draft, Flaw, issue},
    key::{KeyType, SigningKey},
};
use trustlist::{
    code::{Colour, Format, KeyState, StatusRef, Visit},
    lists::{
        Names,
        keys::KeyUse,
        policy::{Policy, Profile},
        recognition::{Arrangement, Party, Route, Suspension},
        risk::{RiskArea, RiskLevel},
    },
    region::{NATIONAL, Region},
    status::Status,
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
pub fn country(now: UnixTime) -> Result<Country, CodeError> {
    let mut federation = found(now)?;
    let keys = turn_keys(&mut federation, now)?;
    Ok(Country { files: publish(&mut federation, now)?, travellers: travellers(&federation, &keys, now)? })
}

fn region(code: &str) -> Region {
    code.parse().expect("the demonstration names real regions")
}

const REVOKED: u64 = 4711;
const SUSPENDED: u64 = 4712;

/// All 34 regions at the level of a province, Wuhan with a code of its own, and who recognises whom.
fn found(now: UnixTime) -> Result<Federation, AuthorityError> {
    let founded = now.plus(-60 * DAY);
    let mut federation = Federation::of_provinces(Source::Seed([34; 32]), founded)?;
    let wuhan = Names { zh: "武汉市".to_owned(), en: "Wuhan".to_owned() };
    federation.add(region("420100"), Some(wuhan), &[Format::Mr1], founded)?;
    let codes: Vec<Region> = federation.issuers.keys().copied().chain([NATIONAL]).collect();
    for issuer in codes {
        let statuses = federation.authority(issuer)?.statuses_mut();
        statuses.grow(10_000, founded).expect("ten thousand codes fit one shard");
        for (index, status) in [(REVOKED, Status::Revoked), (SUSPENDED, Status::Suspended)] {
            statuses.set(index, status, founded).expect("both are among the ten thousand");
        }
    }
    let lists = federation.lists();
    let of = |code: &str| Party::Region(region(code));
    let since = Window { from: Some(now.plus(-30 * DAY)), until: None };
    let gate = of(GATE);
    let mut arrange = |issuing, relying, route| lists.arrange(Arrangement { issuing, relying, route, window: since });
    for direct in ["130000", "420000", "420100", "430000", "620000", "630000", "640000"] {
        arrange(of(direct), gate, Route::Direct)?;
    }
    for by_platform in ["310000", "330000", "500000", "510000"] {
        arrange(of(by_platform), Party::Everybody, Route::Intermediary)?;
    }
    arrange(of("540000"), Party::Everybody, Route::National)?;
    lists.suspend(Suspension {
        issuing: of("130000"),
        relying: gate,
        notice: "〔2021〕3号".to_owned(),
        approved_by: "联防联控机制".to_owned(),
        instead: Some("国家码".to_owned()),
        window: Window { from: Some(now.plus(-5 * DAY)), until: Some(now.plus(9 * DAY)) },
    })?;
    let profile = Profile { max_code_age_s: Some(7 * DAY), ..Profile::default() };
    let default = "spring-festival".to_owned();
    let named = Profile { show_name: true, ..profile.clone() };
    let profiles = BTreeMap::from([(default.clone(), profile), ("spring-festival-names".to_owned(), named)]);
    lists.policy = Policy { default, profiles };
    for (code, level, zh, en) in [
        ("130104", RiskLevel::High, "石家庄市桥西区", "Qiaoxi, Shijiazhuang"),
        ("220500", RiskLevel::Medium, "通化市", "Tonghua"),
    ] {
        lists.list_area(RiskArea {
            area: region(code),
            level,
            name: Names { zh: zh.to_owned(), en: en.to_owned() },
            window: Window { from: Some(now.plus(-10 * DAY)), until: Some(now.plus(10 * DAY)) },
        })?;
    }
    Ok(federation)
}

/// Keys of the gate's own province that are no longer good for new codes.
struct SpentKeys {
    retired: SigningKey,
    revoked: SigningKey,
}

fn turn_keys(federation: &mut Federation, now: UnixTime) -> Result<SpentKeys, AuthorityError> {
    let home = federation.authority(region(GATE))?;
    let retired = home.signing_key(KeyUse::Code, now)?.clone();
    let revoked = SigningKey::generate(KeyType::Ed25519)?;
    let kid = home.add_key(revoked.clone(), KeyUse::Code, now.plus(-50 * DAY))?;
    home.rotate_key(KeyUse::Code, SigningKey::generate(KeyType::Ed25519)?, now.plus(-30 * DAY))?;
    home.set_key_state(kid, KeyState::Revoked)?;
    Ok(SpentKeys { retired, revoked })
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

fn publish(federation: &mut Federation, now: UnixTime) -> Result<BTreeMap<String, Vec<u8>>, AuthorityError> {
    let mut mirror = BTreeMap::new();
    let Federation { national, issuers, .. } = federation;
    for authority in issuers.values_mut().chain(std::iter::once(national)) {
        let issuer = authority.issuer();
        if let Some(age) = age(issuer) {
            let files = authority.publish(now.plus(-age))?.files;
            mirror.extend(files.into_iter().map(|(path, bytes)| (format!("{issuer}/{path}"), bytes)));
        }
    }
    Ok(mirror)
}

/// Everybody who comes to the gate, and why each is there.
fn travellers(federation: &Federation, keys: &SpentKeys, now: UnixTime) -> Result<Vec<Traveller>, CodeError> {
    let issued = now.plus(-HOUR);
    let of = |code: &str| Draft {
        name: Some("张*".to_owned()),
        document: Some("0427".to_owned()),
        status: Some(StatusRef { index: 1234, uri: "status/0".to_owned() }),
        ..Draft::new(region(code), issued)
    };
    let home = || of(GATE);
    let signed = |draft: &Draft| federation.issue(draft, false, None);
    let vouched = |draft: &Draft| federation.issue(draft, true, None);
    let flawed = |draft: &Draft, flaw| federation.issue(draft, false, Some(flaw));
    let hunan = federation.issuers[&region("430000")].signing_key(KeyUse::Code, now)?;
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
    add("with a code of a retired key", issue(&home(), &keys.retired, None)?, Reason::KeyRetired);
    add("with a code of a revoked key", issue(&home(), &keys.revoked, None)?, Reason::KeyRevoked);
    add("with a code that Hunan signed in Guangdong's name", issue(&home(), hunan, None)?, Reason::IssuerOutOfScope);
    add(
        "with a code of a country nobody lists",
        issue(&of("990000"), &SigningKey::from_seed([99; 32]), None)?,
        Reason::UnknownIssuer,
    );
    add("with half a code", flawed(&home(), Flaw::Truncated)?, Reason::Malformed);
    all.push(Traveller { who: "with a bus ticket", text: "https://bus.example/t/48151623".to_owned(), expected: None });
    Ok(all)
}

#[cfg(test)]
mod tests {
    use trustlist::{
        judge::{Context, Outcome, decide},
        time::Moment,
    };

    use super::*;
    use sync::lists;

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
        let context = Context { moment: Moment::synced(NOW), relying: region(GATE), profile: None };
        for traveller in &country.travellers {
            let reason = match decide(&traveller.text, &trust, &context) {
                Outcome::NotAPassCode => None,
                Outcome::Judged(judgement) => Some(judgement.decision().reason),
            };
            assert_eq!(reason, traveller.expected, "{}", traveller.who);
        }
    }
}
