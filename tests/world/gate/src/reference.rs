//! The rules once more, as a table: what must be so for a gate to let somebody through. Written from the contract and not from the
//! judge, from facts that the world knows because it made them; nothing of it reads a code, checks a signature or shares a line with
//! the judge. It only forbids: an admission that a rule forbids is a fault of the judge (or of the rule).

use std::collections::{BTreeMap, BTreeSet};

/// A region by its division code: `440000`.
pub type RegionCode = u32;
/// Seconds since 1970.
pub type Seconds = i64;

const HOUR: Seconds = 3600;
const DAY: Seconds = 24 * HOUR;
/// Clocks of issuers and gates may differ by so much.
const SKEW: Seconds = 300;
/// The age at which a list refers everybody.
const STALE: Seconds = 7 * DAY;
/// The age at which it refers everybody from elsewhere.
const RESTRICTED: Seconds = 3 * DAY;
/// The national platform.
const NATION: RegionCode = 0;

/// Whose signature a code has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// The issuer's key of that number, as its key list has them.
    Key(u32),
    /// Nobody's: forged, changed, cut short.
    Nobody,
}

/// What the world made a code from.
#[derive(Clone, Debug)]
pub struct CodeFacts {
    /// Who issued it.
    pub issuer: RegionCode,
    /// For whom the national platform speaks.
    pub on_behalf_of: Option<RegionCode>,
    /// Whether the national platform countersigned.
    pub vouched: bool,
    /// Whose signature it has.
    pub signature: Signature,
    /// From when it is valid.
    pub from: Seconds,
    /// Until when.
    pub until: Seconds,
    /// 0 green, 1 yellow, 2 red.
    pub colour: u8,
    /// Its place in the issuer's status lists.
    pub status: Option<u64>,
}

/// What one issuer's repository of one generation says.
#[derive(Clone, Debug, Default)]
pub struct IssuerFacts {
    /// When it was published.
    pub issued: Seconds,
    /// Keys that may sign codes.
    pub keys: BTreeSet<u32>,
    /// Codes that are revoked or suspended.
    pub not_valid: BTreeSet<u64>,
    /// How many codes the status lists cover.
    pub covered: u64,
}

/// A way of recognition from a region, to a region or to everybody (`None`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrangement {
    /// Whose codes.
    pub issuing: RegionCode,
    /// At whose gates.
    pub relying: Option<RegionCode>,
    /// `direct`, `intermediary` or `national`.
    pub route: Route,
}

/// The three routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// The issuer's own signature.
    Direct,
    /// The national platform's countersignature.
    Intermediary,
    /// The national platform's own code.
    National,
}

/// What the nation's lists of one generation say.
#[derive(Clone, Debug, Default)]
pub struct NationFacts {
    /// Who is listed.
    pub issuers: BTreeSet<RegionCode>,
    /// Who recognises whom.
    pub arrangements: BTreeSet<Arrangement>,
    /// Pairs whose recognition is suspended: issuing, relying, from, until.
    pub suspensions: Vec<(RegionCode, RegionCode, Seconds, Seconds)>,
}

/// Everything that a gate had when it decided.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The code.
    pub code: &'a CodeFacts,
    /// Whose gate it is.
    pub relying: RegionCode,
    /// What the gate's clock shows.
    pub now: Seconds,
    /// Whether anybody confirms it.
    pub confirmed: bool,
    /// The earliest that it can be.
    pub floor: Seconds,
    /// The nation's lists that are in force there.
    pub nation: &'a NationFacts,
    /// The issuers' lists that are in force there.
    pub issuers: &'a BTreeMap<RegionCode, IssuerFacts>,
}

/// A rule's name, and whether it forbids.
type Rule = (&'static str, fn(&Case<'_>) -> bool);

/// All of them. Order does not matter: one is enough.
pub const RULES: &[Rule] = &[
    ("nobody signed it", |case| case.code.signature == Signature::Nobody),
    ("its issuer is not listed", |case| case.code.issuer != NATION && !case.nation.issuers.contains(&case.code.issuer)),
    ("the gate has no list of its issuer", |case| !case.issuers.contains_key(&case.code.issuer)),
    ("no key of the issuer's list made the signature", |case| match (case.code.signature, list(case)) {
        (Signature::Key(key), Some(list)) => !list.keys.contains(&key),
        _ => true,
    }),
    ("it is not valid yet", |case| case.now.max(case.floor) + SKEW < case.code.from),
    ("it has expired", |case| case.now - SKEW >= case.code.until),
    ("the issuer's list is too old", |case| age(case).is_none_or(|age| age > STALE)),
    ("the issuer's list is too old for codes from elsewhere", |case| {
        !at_home(case) && age(case).is_none_or(|age| age > RESTRICTED)
    }),
    ("nobody confirms the clock, and it is from elsewhere", |case| !at_home(case) && !case.confirmed),
    ("its colour is not green", |case| case.code.colour != 0),
    ("its status is not good", |case| match (case.code.status, list(case)) {
        (None, _) => false,
        (Some(index), Some(list)) => list.not_valid.contains(&index) || index >= list.covered,
        (Some(_), None) => true,
    }),
    ("recognition is suspended", |case| {
        !at_home(case)
            && case.nation.suspensions.iter().any(|(issuing, relying, from, until)| {
                *issuing == speaks_for(case) && *relying == case.relying && (*from..*until).contains(&case.now)
            })
    }),
    ("nothing recognises it here", |case| !at_home(case) && !recognised(case)),
];

/// The first rule that forbids the admission; `None` where it may be given.
#[must_use]
pub fn forbidden(case: &Case<'_>) -> Option<&'static str> {
    RULES.iter().find(|(_, forbids)| forbids(case)).map(|(name, _)| *name)
}

fn list<'a>(case: &'a Case<'_>) -> Option<&'a IssuerFacts> {
    case.issuers.get(&case.code.issuer)
}

/// How old what is known of the issuer is: its own list or the nation's, whichever is older.
fn age(case: &Case<'_>) -> Option<Seconds> {
    let nation = case.issuers.get(&NATION)?;
    Some(case.now - list(case)?.issued.min(nation.issued))
}

/// Whose codes it is about: a national code speaks for a region.
fn speaks_for(case: &Case<'_>) -> RegionCode {
    case.code.on_behalf_of.filter(|_| case.code.issuer == NATION).unwrap_or(case.code.issuer)
}

fn province(region: RegionCode) -> RegionCode {
    region / 10_000 * 10_000
}

fn at_home(case: &Case<'_>) -> bool {
    province(speaks_for(case)) == province(case.relying)
}

fn recognised(case: &Case<'_>) -> bool {
    let region = speaks_for(case);
    case.nation.arrangements.iter().any(|arrangement| {
        let covers = arrangement.issuing == region || arrangement.issuing == province(region);
        let here =
            arrangement.relying.is_none_or(|relying| relying == case.relying || relying == province(case.relying));
        let satisfied = match arrangement.route {
            Route::Direct => case.code.issuer != NATION,
            Route::Intermediary => case.code.vouched,
            Route::National => case.code.issuer == NATION,
        };
        covers && here && satisfied
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = 1_800_000_000;
    const HOME: RegionCode = 440_000;

    fn good() -> (CodeFacts, NationFacts, BTreeMap<RegionCode, IssuerFacts>) {
        let code = CodeFacts {
            issuer: HOME,
            on_behalf_of: None,
            vouched: false,
            signature: Signature::Key(1),
            from: NOW - HOUR,
            until: NOW + DAY,
            colour: 0,
            status: Some(7),
        };
        let list = IssuerFacts { issued: NOW - HOUR, keys: [1].into(), not_valid: [9].into(), covered: 100 };
        let issuers = [HOME, 420_000, NATION].map(|region| (region, list.clone())).into();
        let arrangements = [
            Arrangement { issuing: 420_000, relying: Some(HOME), route: Route::Direct },
            Arrangement { issuing: 540_000, relying: None, route: Route::National },
        ];
        let nation = NationFacts {
            issuers: [HOME, 420_000].into(),
            arrangements: arrangements.into(),
            suspensions: vec![(130_000, HOME, NOW - DAY, NOW + DAY)],
        };
        (code, nation, issuers)
    }

    fn verdict(change: impl FnOnce(&mut CodeFacts)) -> Option<&'static str> {
        let (mut code, nation, issuers) = good();
        change(&mut code);
        let (now, floor) = (NOW, NOW - DAY);
        let case = Case { code: &code, relying: HOME, now, confirmed: true, floor, nation: &nation, issuers: &issuers };
        forbidden(&case)
    }

    #[test]
    fn good_codes_by_each_route_may_pass() {
        assert_eq!(verdict(|_| ()), None);
        assert_eq!(verdict(|code| code.issuer = 420_000), None);
        assert_eq!(
            verdict(|code| {
                code.issuer = NATION;
                code.on_behalf_of = Some(540_000);
            }),
            None
        );
    }

    #[test]
    fn each_rule_forbids_what_its_name_says() {
        assert_eq!(verdict(|code| code.signature = Signature::Nobody), Some("nobody signed it"));
        assert_eq!(verdict(|code| code.issuer = 310_000), Some("its issuer is not listed"));
        assert_eq!(
            verdict(|code| code.signature = Signature::Key(2)),
            Some("no key of the issuer's list made the signature")
        );
        assert_eq!(verdict(|code| code.from = NOW + HOUR), Some("it is not valid yet"));
        assert_eq!(verdict(|code| code.until = NOW - HOUR), Some("it has expired"));
        assert_eq!(verdict(|code| code.colour = 2), Some("its colour is not green"));
        assert_eq!(verdict(|code| code.status = Some(9)), Some("its status is not good"));
        assert_eq!(verdict(|code| code.status = Some(100)), Some("its status is not good"));
        assert_eq!(
            verdict(|code| {
                code.issuer = NATION;
                code.on_behalf_of = Some(130_000);
            }),
            Some("recognition is suspended")
        );
        assert_eq!(
            verdict(|code| {
                code.issuer = NATION;
                code.on_behalf_of = Some(420_000);
            }),
            Some("nothing recognises it here")
        );
    }
}
