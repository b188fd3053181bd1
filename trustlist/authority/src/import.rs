//! Certificates of other countries become issuers: X.509, from single files or from the lists that are about.
//!
//! A certificate that cannot be used is left out and named; it never stops the others. Its chain is not looked at: whoever imports
//! it vouches for it.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::Deserialize;
use trustlist::{
    code::{Format, KeyState, hc1::certificate},
    key::{Algorithm, KeyId, PublicKey},
    lists::keys::{KeyEntry, KeyUse},
    region::Region,
    time::Window,
};
use x509_cert::{
    Certificate,
    der::{Decode, DecodePem, Encode},
};

/// Where certificates go that name no country.
pub const NOWHERE: &str = "XX";
/// Certificates read from one list. Stops a list of a million from being written into every gate.
pub const MAX_CERTIFICATES: usize = 8192;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Keys by country.
    pub entries: BTreeMap<Region, Vec<KeyEntry>>,
    /// What was left out, and why.
    pub left_out: Vec<(String, String)>,
    seen: BTreeSet<KeyId>,
}

/// An object of a list, in the spellings of the lists that are about.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    country: Option<String>,
    #[serde(alias = "rawData", alias = "x5c", alias = "der")]
    certificate: String,
}

/// A DID document, as far as it is read.
#[derive(Deserialize)]
struct DidDocument {
    #[serde(rename = "verificationMethod")]
    methods: Vec<Method>,
    /// The methods that may sign, by DID URL.
    #[serde(rename = "assertionMethod")]
    assertion: Vec<String>,
}

#[derive(Deserialize)]
struct Method {
    id: String,
    #[serde(rename = "publicKeyJwk")]
    key: Jwk,
}

/// A key in JSON (RFC 7518 §6.2).
#[derive(Deserialize)]
struct Jwk {
    crv: String,
    x: String,
    y: String,
}

impl Jwk {
    /// The SubjectPublicKeyInfo (RFC 5480 §2) of a key on P-256, if it is one.
    fn spki(&self) -> Option<Vec<u8>> {
        const HEAD: [u8; 27] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
        ];
        let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok().filter(|part| part.len() == 32);
        let spki = [&HEAD[..], &part(&self.x)?, &part(&self.y)?].concat();
        (self.crv == "P-256" && PublicKey::from_spki(&spki, Algorithm::Es256).is_ok()).then_some(spki)
    }
}

impl Found {
    /// Takes the certificates of a JSON list: `[{"country": "DE", "certificate": "<DER in Base64>"}, …]`, or the same under
    /// `"certificates"`; also `"rawData"` as the EU's gateway calls them.
    ///
    /// # Errors
    /// When the text is no such list, or too long a one.
    pub fn list(&mut self, bytes: &[u8], format: Format, nowhere: Region) -> Result<(), String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum List {
            Bare(Vec<Listed>),
            Wrapped { certificates: Vec<Listed> },
        }
        let list: List = serde_json::from_slice(bytes).map_err(|_| {
            "no list of certificates: wanted is [{\"country\": \"DE\", \"certificate\": \"<DER in Base64>\"}, …]"
                .to_owned()
        })?;
        let (List::Bare(listed) | List::Wrapped { certificates: listed }) = list;
        if listed.len() > MAX_CERTIFICATES {
            return Err(format!("{} certificates; at most {MAX_CERTIFICATES} are read", listed.len()));
        }
        for (index, listed) in listed.into_iter().enumerate() {
            let name = format!("[{index}]");
            match BASE64.decode(listed.certificate.trim().as_bytes()) {
                Ok(der) => self.certificate(&name, &der, listed.country.as_deref(), format, nowhere),
                Err(_) => self.left_out.push((name, "its certificate is not in Base64".to_owned())),
            }
        }
        Ok(())
    }

    /// Takes one certificate, DER or PEM, for `country` or for the one that it names itself.
    pub fn certificate(&mut self, name: &str, bytes: &[u8], country: Option<&str>, format: Format, nowhere: Region) {
        match read(bytes, country, format, nowhere) {
            // The same certificate twice is not worth a word.
            Ok((_, kid, _)) if !self.seen.insert(kid) => (),
            Ok((country, _, entry)) => self.entries.entry(country).or_default().push(entry),
            Err(why) => self.left_out.push((name.to_owned(), why)),
        }
    }

    /// Takes the P-256 keys of a DID document (W3C "Decentralized Identifiers"), each known by the DID URL it stands under: how the
    /// New Zealand COVID Pass publishes them.
    ///
    /// # Errors
    /// When the text is no such document.
    pub fn did(&mut self, bytes: &[u8], region: Region, format: Format) -> Result<(), String> {
        let document: DidDocument = serde_json::from_slice(bytes).map_err(|_| "no DID document".to_owned())?;
        for method in document.methods.into_iter().take(MAX_CERTIFICATES) {
            let Some(spki) = document.assertion.contains(&method.id).then(|| method.key.spki()).flatten() else {
                self.left_out.push((method.id, "no P-256 key that asserts".to_owned()));
                continue;
            };
            if self.seen.insert(KeyId::of(method.id.as_bytes())) {
                self.entries.entry(region).or_default().push(KeyEntry {
                    algorithm: Algorithm::Es256,
                    public_key: Some(BASE64.encode(&spki)),
                    certificate: None,
                    name: Some(method.id),
                    formats: vec![format],
                    use_for: KeyUse::Code,
                    kinds: BTreeSet::new(),
                    window: Window::default(),
                    state: KeyState::Active,
                });
            }
        }
        Ok(())
    }

    /// How many certificates there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn read(
    bytes: &[u8],
    country: Option<&str>,
    format: Format,
    nowhere: Region,
) -> Result<(Region, KeyId, KeyEntry), String> {
    let certificate = Certificate::from_der(bytes)
        .or_else(|_| Certificate::from_pem(bytes))
        .map_err(|_| "no X.509 certificate in DER or PEM".to_owned())?;
    let der = certificate.to_der().map_err(|_| "no X.509 certificate in DER or PEM".to_owned())?;
    let signer = certificate::read(&der).map_err(|bad| bad.to_string())?;
    let stated = |name: &x509_cert::name::Name| name.country().ok().flatten().map(|country| country.to_string());
    let tbs = certificate.tbs_certificate();
    let countries = [country.map(str::to_owned), stated(tbs.subject()), stated(tbs.issuer())];
    let region = countries
        .into_iter()
        .flatten()
        .find_map(|country| country.to_ascii_uppercase().parse::<Region>().ok().filter(|region| region.is_country()))
        .unwrap_or(nowhere);
    let entry = KeyEntry {
        algorithm: signer.public.algorithm(),
        public_key: None,
        certificate: Some(BASE64.encode(&der)),
        name: None,
        formats: vec![format],
        use_for: KeyUse::Code,
        kinds: BTreeSet::new(),
        window: Window::default(),
        state: KeyState::Active,
    };
    Ok((region, signer.kid, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed P-256 certificate of "C=DE, CN=Test DSC", made with OpenSSL for this test.
    const GERMAN: &str = include_str!("../tests/dsc-de.pem");

    fn nowhere() -> Region {
        NOWHERE.parse().expect("two letters")
    }

    #[test]
    fn a_certificate_goes_to_the_country_that_the_list_or_it_itself_names() {
        let mut found = Found::default();
        found.certificate("file", GERMAN.as_bytes(), None, Format::Hc1, nowhere());
        assert_eq!(found.entries.keys().map(ToString::to_string).collect::<Vec<_>>(), ["DE"]);
        found.certificate("again", GERMAN.as_bytes(), Some("FR"), Format::Hc1, nowhere());
        assert_eq!((found.len(), found.left_out.len()), (1, 0), "the same certificate twice is one");

        let der = BASE64.decode(GERMAN.lines().filter(|line| !line.starts_with('-')).collect::<String>().as_bytes());
        let text = BASE64.encode(&der.expect("Base64"));
        let list =
            format!(r#"{{"certificates": [{{"country": "common", "rawData": "{text}"}}, {{"certificate": "!"}}]}}"#);
        let mut found = Found::default();
        found.list(list.as_bytes(), Format::Hc1, nowhere()).expect("a list");
        assert!(found.entries.contains_key(&"DE".parse().expect("a country")));
        assert_eq!(found.left_out, [("[1]".to_owned(), "its certificate is not in Base64".to_owned())]);
    }

    #[test]
    fn what_is_no_certificate_is_named_and_left_out() {
        let mut found = Found::default();
        found.certificate("notes.txt", b"hello", None, Format::Hc1, nowhere());
        assert_eq!(found.left_out[0].0, "notes.txt");
        assert!(found.is_empty());
        assert!(found.list(b"{}", Format::Hc1, nowhere()).is_err());
    }

    #[test]
    fn the_key_of_a_did_document_is_known_by_its_url() {
        let text = include_str!("../../../tests/vectors/nzcp/did.json");
        let mut found = Found::default();
        found.did(text.as_bytes(), "NZ".parse().expect("two letters"), Format::Nzcp).expect("a document");
        let entry = &found.entries.values().next().expect("one country")[0];
        assert_eq!(entry.name.as_deref(), Some("did:web:nzcp.covid19.health.nz#key-1"));
        assert!(found.left_out.is_empty());
        assert!(found.did(b"[]", nowhere(), Format::Nzcp).is_err());
    }
}
