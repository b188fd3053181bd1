//! The country around the gate: its issuers with their keys and lists, what each generation of them says, and the codes that its
//! travellers hold. Everything is made by the publisher's own desk; what the lists say is noted beside it for the reference.

use std::{collections::BTreeMap, rc::Rc};

use authority::{
    Federation, Source,
    code::{Draft, Flaw, issue},
    key::SigningKey,
};
use trustlist::{
    code::{Colour, Format, StatusRef},
    lists::recognition::{Arrangement, Party, Route, Suspension},
    region::{NATIONAL, Region},
    status::Status,
    time::{UnixTime, Window},
};

use crate::{
    history::{Code, Forgery, IssuerIndex, Publication},
    reference,
};

/// When the world begins, in seconds since 1970.
pub const BEGINNING: i64 = 1_800_000_000;
/// Who issues: the nation, the home province, one that is recognised directly, one by the nation's countersignature, one for which the
/// nation itself issues, and one that is not recognised here.
pub const ISSUERS: [&str; 6] = ["000000", "440000", "420000", "430000", "540000", "650000"];
/// Whose gate it is.
pub const HOME: &str = "440000";
/// Codes that a status list covers.
const COVERED: u64 = 1000;
/// Somebody's name, which no byte that the gate writes may hold.
pub const NAME: &str = "欧阳*娜";
/// The last digits of a document, likewise.
pub const DOCUMENT: &str = "X90417Q";

/// Files of a mirror by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The country.
#[derive(Clone)]
pub struct Country {
    federation: Federation,
    /// What is published now.
    pub files: Rc<Files>,
    /// What was published first.
    pub first: Rc<Files>,
    /// What each generation of each issuer says.
    pub facts: BTreeMap<(Region, u64), reference::IssuerFacts>,
    /// What each generation of the nation's lists says.
    pub nation: BTreeMap<u64, reference::NationFacts>,
    /// The newest generation of each.
    pub newest: BTreeMap<Region, u64>,
    revoked: BTreeMap<Region, std::collections::BTreeSet<u64>>,
    suspensions: Vec<(reference::RegionCode, reference::RegionCode, i64, i64)>,
    /// Who has published something dated in the future.
    pub malicious: std::collections::BTreeSet<Region>,
}

/// A region by its code.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn region(code: &str) -> Region {
    code.parse().expect("a region")
}

/// A region as the reference names it.
#[must_use]
pub fn number(region: Region) -> reference::RegionCode {
    region.as_str().parse().unwrap_or(u32::MAX)
}

impl Country {
    /// The country as it is when the world begins.
    ///
    /// # Panics
    /// When the publisher's desk cannot make it.
    #[must_use]
    pub fn found() -> Country {
        let at = UnixTime(BEGINNING - 3600);
        let mut federation = Federation::new(Source::Seed([19; 32]), at).expect("a nation");
        for code in &ISSUERS[1..] {
            federation.add(region(code), None, &[Format::Mr1], at).expect("listed");
        }
        for (issuing, route) in
            [("420000", Route::Direct), ("430000", Route::Intermediary), ("540000", Route::National)]
        {
            let (issuing, relying) = (Party::Region(region(issuing)), Party::Region(region(HOME)));
            let line = Arrangement { issuing, relying, route, window: Window::default() };
            federation.lists().arrange(line).expect("arranged");
        }
        for code in &ISSUERS {
            let authority = federation.authority(region(code)).expect("an issuer");
            authority.statuses_mut().grow(COVERED, at).expect("covered");
        }
        let mut country = Country {
            federation,
            files: Rc::default(),
            first: Rc::default(),
            facts: BTreeMap::new(),
            nation: BTreeMap::new(),
            newest: BTreeMap::new(),
            revoked: BTreeMap::new(),
            suspensions: Vec::new(),
            malicious: std::collections::BTreeSet::new(),
        };
        for issuer in (0..ISSUERS.len()).rev() {
            country.publish(issuer, Publication::Routine, at.0 + 60);
        }
        country.first = Rc::clone(&country.files);
        country
    }

    /// The national root that the gate was installed with.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        self.federation.national.first_root()
    }

    /// An issuer publishes at `now`; whether it could.
    pub fn publish(&mut self, issuer: IssuerIndex, what: Publication, now: i64) -> bool {
        let region = region(ISSUERS[issuer]);
        let mut at = UnixTime(now);
        match what {
            Publication::Routine => {}
            Publication::Revokes(person) => {
                let authority = self.federation.authority(region).expect("an issuer");
                let _ = authority.statuses_mut().set(u64::from(person), Status::Revoked, at);
                self.revoked.entry(region).or_default().insert(u64::from(person));
            }
            Publication::OfTheFuture => {
                at = at.plus(200 * 86_400);
                self.malicious.insert(region);
            }
            Publication::Suspends(other, hours) => self.suspend(other, hours, at),
        }
        let Ok(authority) = self.federation.authority(region) else { return false };
        // Whoever has published in the future publishes nothing before.
        let Ok(publication) = authority.publish(at) else { return false };
        let generation = publication.generation;
        let files = Rc::make_mut(&mut self.files);
        files.extend(publication.files.into_iter().map(|(path, bytes)| (format!("{region}/{path}"), bytes)));
        let facts = reference::IssuerFacts {
            issued: at.0,
            keys: [1].into(),
            not_valid: self.revoked.get(&region).cloned().unwrap_or_default(),
            covered: COVERED,
        };
        self.facts.insert((region, generation), facts);
        if region == NATIONAL {
            self.nation.insert(generation, self.nation_facts());
        }
        self.newest.insert(region, generation);
        true
    }

    fn suspend(&mut self, other: IssuerIndex, hours: u8, at: UnixTime) {
        let until = at.plus(3600 * i64::from(hours));
        let suspension = Suspension {
            issuing: Party::Region(region(ISSUERS[other])),
            relying: Party::Region(region(HOME)),
            notice: format!("{}", at.0),
            approved_by: "国办电子政务办".to_owned(),
            instead: None,
            window: Window { from: Some(at), until: Some(until) },
        };
        if self.federation.lists().suspend(suspension).is_ok() {
            self.suspensions.push((number(region(ISSUERS[other])), number(region(HOME)), at.0, until.0));
        }
    }

    fn nation_facts(&self) -> reference::NationFacts {
        let arrangement = |issuing, route| reference::Arrangement { issuing, relying: Some(440_000), route };
        reference::NationFacts {
            issuers: ISSUERS[1..].iter().map(|code| number(region(code))).collect(),
            arrangements: [
                arrangement(420_000, reference::Route::Direct),
                arrangement(430_000, reference::Route::Intermediary),
                arrangement(540_000, reference::Route::National),
            ]
            .into(),
            suspensions: self.suspensions.clone(),
        }
    }

    /// A code's text, the same each time.
    ///
    /// # Panics
    /// When the publisher's desk cannot sign.
    #[must_use]
    pub fn text(&self, code: &Code) -> String {
        let draft = draft(code);
        let signed = match code.forgery {
            Forgery::Genuine => self.federation.issue(&draft, code.vouched, None),
            Forgery::Tampered => self.federation.issue(&draft, code.vouched, Some(Flaw::Tampered)),
            Forgery::CutShort => self.federation.issue(&draft, code.vouched, Some(Flaw::Truncated)),
            Forgery::OtherKey => {
                return issue(&draft, &SigningKey::from_seed([66; 32]), None).expect("signed");
            }
        };
        signed.expect("signed")
    }
}

/// Who signs: nobody but the nation issues for the fifth.
fn signer(code: &Code) -> (&'static str, Option<&'static str>) {
    match ISSUERS[code.issuer] {
        "540000" => ("000000", Some("540000")),
        other => (other, None),
    }
}

fn draft(code: &Code) -> Draft {
    let (issuer, on_behalf_of) = signer(code);
    Draft {
        id: Some([&[0x5a; 4][..], &code.person.to_be_bytes(), &[code.issued.to_be_bytes()[7], 7]].concat()),
        status: Some(StatusRef { index: u64::from(code.person), uri: "status/0".to_owned() }),
        name: Some(NAME.to_owned()),
        document: Some(DOCUMENT.to_owned()),
        colour: [Colour::Green, Colour::Yellow, Colour::Red][usize::from(code.colour.min(2))],
        on_behalf_of: on_behalf_of.map(region),
        ..Draft::new(region(issuer), UnixTime(BEGINNING + code.issued))
    }
}

/// A code as the reference sees it.
#[must_use]
pub fn facts(code: &Code) -> reference::CodeFacts {
    let (issuer, on_behalf_of) = signer(code);
    let from = BEGINNING + code.issued;
    reference::CodeFacts {
        issuer: number(region(issuer)),
        on_behalf_of: on_behalf_of.map(|code| number(region(code))),
        vouched: code.vouched,
        signature: if code.forgery == Forgery::Genuine {
            reference::Signature::Key(1)
        } else {
            reference::Signature::Nobody
        },
        from,
        until: from + 24 * 3600,
        colour: code.colour,
        status: Some(u64::from(code.person)),
    }
}

/// What a gate takes for the same code: who signed it, and its id.
#[must_use]
pub fn identity(code: &Code) -> (Region, Vec<u8>) {
    let draft = draft(code);
    (draft.issuer, draft.id.unwrap_or_default())
}
