//! A whole country in memory: the national platform and its issuers, each with keys of its own. For tests and demonstrations;
//! in the world each authority has a machine of its own and hands over nothing but its first root.

use std::collections::BTreeMap;

use trustlist::{
    code::Format,
    lists::Names,
    region::{NATIONAL, Region},
    time::UnixTime,
    trust::{Trust, TrustError},
};

use crate::{
    authority::{Authority, AuthorityError, CodeError, Plan, Source},
    code::{Draft, Flaw},
    import::Found,
    national::{ListError, National, Newcomer},
    regions::PROVINCES,
    terms::Terms,
};

/// The national platform and its issuers.
#[derive(Clone, Debug)]
pub struct Federation {
    /// The national platform.
    pub national: Authority,
    /// The others by region.
    pub issuers: BTreeMap<Region, Authority>,
    source: Source,
}

impl Federation {
    /// A national platform that knows nobody yet.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn new(source: Source, at: UnixTime) -> Result<Federation, AuthorityError> {
        let national = Authority::init(NATIONAL, &Plan::default(), Terms::default(), source, at)?;
        Ok(Federation { national, issuers: BTreeMap::new(), source })
    }

    /// All 34 provinces under their national platform. Nobody recognises anybody yet.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn of_provinces(source: Source, at: UnixTime) -> Result<Federation, AuthorityError> {
        let mut federation = Federation::new(source, at)?;
        for province in &PROVINCES {
            federation.add(province.region(), None, &[Format::Mr1], at)?;
        }
        Ok(federation)
    }

    /// Makes an issuer and lists it. Names come from the table of provinces when absent.
    ///
    /// # Errors
    /// When the list does not bear it, or the machine gives no randomness.
    pub fn add(
        &mut self,
        id: Region,
        names: Option<Names>,
        formats: &[Format],
        at: UnixTime,
    ) -> Result<&mut Authority, AuthorityError> {
        let authority = Authority::init(id, &Plan::default(), Terms::default(), self.source, at)?;
        self.national.national_mut()?.add(Newcomer {
            id,
            names,
            parent: None,
            scope: Vec::new(),
            formats: formats.to_vec(),
            mirrors: Vec::new(),
            root: authority.first_root().to_vec(),
        })?;
        Ok(self.issuers.entry(id).or_insert(authority))
    }

    /// Lists countries by their certificates, making those that are not there yet.
    ///
    /// # Errors
    /// As for [`Federation::add`], or when a certificate is listed already.
    pub fn import(&mut self, found: Found, formats: &[Format], at: UnixTime) -> Result<(), AuthorityError> {
        for (country, entries) in found.entries {
            if !self.issuers.contains_key(&country) {
                self.add(country, None, formats, at)?;
            }
            let authority = self.authority(country)?;
            entries.into_iter().try_for_each(|entry| authority.add_entry(entry).map(|_| ()))?;
        }
        Ok(())
    }

    /// The national lists, to be changed.
    pub fn lists(&mut self) -> &mut National {
        self.national.national_mut().expect("the national platform keeps the national lists")
    }

    /// An issuer, or the national platform.
    ///
    /// # Errors
    /// When there is none.
    pub fn authority(&mut self, id: Region) -> Result<&mut Authority, AuthorityError> {
        if id == NATIONAL {
            return Ok(&mut self.national);
        }
        self.issuers.get_mut(&id).ok_or(AuthorityError::List(ListError::UnknownIssuer(id)))
    }

    /// Publishes every repository: files by path as on a mirror, `<issuer>/metadata/…` and `<issuer>/targets/…`.
    ///
    /// # Errors
    /// With the first one that cannot be published.
    pub fn publish(&mut self, at: UnixTime) -> Result<BTreeMap<String, Vec<u8>>, AuthorityError> {
        let mut mirror = BTreeMap::new();
        for authority in self.issuers.values_mut().chain(std::iter::once(&mut self.national)) {
            let publication = authority.publish(at)?;
            let paths = publication.files.into_iter();
            mirror.extend(paths.map(|(path, bytes)| (format!("{}/{path}", publication.issuer), bytes)));
        }
        Ok(mirror)
    }

    /// Signs a code of the draft's issuer; `vouched` asks the national platform for its countersignature.
    ///
    /// # Errors
    /// When there is no such issuer, or it has no key.
    pub fn issue(&self, draft: &Draft, vouched: bool, flaw: Option<Flaw>) -> Result<String, CodeError> {
        let national = Some(&self.national).filter(|_| draft.issuer == NATIONAL);
        // A city without keys of its own is spoken for by its province.
        let speaker = || self.issuers.get(&draft.issuer).or_else(|| self.issuers.get(&draft.issuer.province()));
        let authority = national.or_else(speaker);
        let unknown = || AuthorityError::List(ListError::UnknownIssuer(draft.issuer));
        authority.ok_or_else(unknown)?.issue(draft, vouched.then_some(&self.national), flaw)
    }

    /// What a gate would trust after it has verified everything that was published last: for tests that are not about the transport.
    ///
    /// # Errors
    /// When the published national lists cannot be read.
    ///
    /// # Panics
    /// When nothing was published yet.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        let repository = |authority: &Authority| authority.repository().expect("the federation was published");
        let issuers = self.issuers.values().map(repository).collect();
        Trust::assemble(repository(&self.national), issuers).map(|(trust, _)| trust)
    }
}

#[cfg(test)]
mod tests {
    use trustlist::{
        code::{Colour, StatusRef},
        judge::{Context, Outcome, decide},
        lists::recognition::{Arrangement, Party, Route, Suspension},
        status::Status,
        time::{Moment, Window},
        tuf::{self, Answer, Request, Trusted},
        verdict::Reason,
    };

    use super::*;

    const MORNING: UnixTime = UnixTime(1_612_137_600);

    fn region(text: &str) -> Region {
        text.parse().expect("a region")
    }

    fn party(text: &str) -> Party {
        Party::Region(region(text))
    }

    fn country() -> Federation {
        let mut country = Federation::of_provinces(Source::Seed([1; 32]), MORNING).expect("a country");
        let lists = country.lists();
        for (issuing, route) in
            [("440000", Route::Direct), ("430000", Route::Intermediary), ("420000", Route::National)]
        {
            let (issuing, relying) = (party(issuing), party("110000"));
            lists.arrange(Arrangement { issuing, relying, route, window: Window::default() }).expect("arranged");
        }
        let guangdong = country.authority(region("440000")).expect("an issuer");
        guangdong.statuses_mut().grow(1000, MORNING).expect("a list");
        guangdong.statuses_mut().set(7, Status::Revoked, MORNING).expect("covered");
        country
    }

    fn judged(trust: &Trust, text: &str) -> Reason {
        let moment = Moment::synced(MORNING.plus(60));
        let context = Context { moment, relying: region("110000"), profile: None };
        match decide(text, trust, &context) {
            Outcome::Judged(judgement) => judgement.decision().reason,
            Outcome::NotAPassCode => panic!("no pass code"),
        }
    }

    #[test]
    fn codes_of_a_published_country_are_judged_as_its_lists_say() {
        let mut country = country();
        country.publish(MORNING).expect("published");
        let trust = country.trust().expect("readable lists");
        let status = |index| Some(StatusRef { index, uri: "status/0".to_owned() });
        let draft = |issuer| Draft::new(region(issuer), MORNING);
        for (draft, vouched, flaw, reason) in [
            (draft("110000"), false, None, Reason::Ok),
            (draft("110100"), false, None, Reason::Ok),
            (draft("440000"), false, None, Reason::Ok),
            (Draft { status: status(6), ..draft("440000") }, false, None, Reason::Ok),
            (Draft { status: status(7), ..draft("440000") }, false, None, Reason::Revoked),
            (Draft { status: status(1000), ..draft("440000") }, false, None, Reason::StatusUnknown),
            (draft("430000"), true, None, Reason::Ok),
            (draft("430000"), false, None, Reason::NotVouched),
            (Draft { on_behalf_of: Some(region("420000")), ..draft("000000") }, false, None, Reason::Ok),
            (draft("420000"), false, None, Reason::NotVouched),
            (draft("310000"), false, None, Reason::NotRecognised),
            (Draft { colour: Colour::Red, ..draft("440000") }, false, None, Reason::ColourRed),
            (Draft { expires: MORNING.plus(-600), ..draft("440000") }, false, None, Reason::Expired),
            (draft("440000"), false, Some(Flaw::Forged), Reason::BadSignature),
            (draft("440000"), false, Some(Flaw::UnknownKey), Reason::UnknownKey),
        ] {
            let text = country.issue(&draft, vouched, flaw).expect("a code");
            assert_eq!(judged(&trust, &text), reason, "{draft:?} vouched {vouched} {flaw:?}");
        }
    }

    #[test]
    fn a_suspension_counts_until_it_is_lifted() {
        let mut country = country();
        let suspension = Suspension {
            issuing: party("440000"),
            relying: party("110000"),
            notice: "2021-7".to_owned(),
            approved_by: "国办电子政务办".to_owned(),
            instead: None,
            window: Window { from: Some(MORNING), until: None },
        };
        country.lists().suspend(suspension.clone()).expect("suspended");
        assert_eq!(country.lists().suspend(suspension), Err(ListError::AlreadyThere("suspension")));
        country.publish(MORNING).expect("published");
        let text = country.issue(&Draft::new(region("440000"), MORNING), false, None).expect("a code");
        assert_eq!(judged(&country.trust().expect("lists"), &text), Reason::RecognitionSuspended);

        country.lists().resume("2021-7", MORNING.plus(30)).expect("lifted");
        country.publish(MORNING.plus(30)).expect("published");
        assert_eq!(judged(&country.trust().expect("lists"), &text), Reason::Ok);
        assert!(country.lists().resume("2021-7", MORNING.plus(40)).is_err());
    }

    #[test]
    fn the_judges_own_client_accepts_every_repository_from_its_first_root() {
        let mut country = country();
        let mirror = country.publish(MORNING).expect("published");
        for authority in country.issuers.values().chain([&country.national]) {
            let issuer = authority.issuer();
            let mut fetch = |request: &Request| match mirror.get(&format!("{issuer}/metadata/{}", request.path)) {
                Some(bytes) => Answer::Bytes(bytes.clone()),
                None => Answer::NotFound,
            };
            let mut trusted = Trusted::from_root(authority.first_root()).expect("a root");
            tuf::refresh(&mut trusted, MORNING, &mut fetch).expect("accepted");
            assert_eq!(trusted.timestamp().and_then(|timestamp| timestamp.signed.issued), Some(MORNING));
            for (name, bytes) in authority.targets(MORNING).expect("targets") {
                let target =
                    tuf::find_target(&mut trusted, &name, MORNING, &mut fetch).expect("looked for").expect("named");
                let path = tuf::target_request(&trusted, &name, &target).path;
                assert_eq!(mirror.get(&format!("{issuer}/targets/{path}")), Some(&bytes));
                assert!(target.is(&bytes));
            }
        }
    }

    #[test]
    fn a_publication_without_news_makes_a_new_timestamp_only() {
        let mut country = country();
        let first = country.publish(MORNING).expect("published");
        let second = country.publish(MORNING.plus(3600)).expect("published");
        let changed = |(path, bytes): (&String, &Vec<u8>)| (first.get(path) != Some(bytes)).then(|| path.clone());
        let changed: Vec<String> = second.iter().filter_map(changed).collect();
        assert_eq!(changed.len(), 35);
        assert!(changed.iter().all(|path| path.ends_with("/metadata/timestamp.json")));
        assert_eq!(country.publish(MORNING).err(), Some(AuthorityError::BackInTime { last: MORNING.plus(3600) }));
    }
}
