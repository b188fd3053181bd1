//! Document signer certificates (X.509, RFC 5280): the key, its validity and what it may sign. Their chain is not looked at: that the
//! trust list names a certificate is what makes it count.

use std::{collections::HashSet, fmt};

use x509_cert::{
    Certificate,
    der::{Decode, Encode, oid::ObjectIdentifier},
    ext::pkix::ExtendedKeyUsage,
};

use super::super::{Kind, Usage};
use crate::{
    key::{Algorithm, BadKey, KeyId, PublicKey},
    time::{UnixTime, Window},
};

/// Longest certificate read.
const MAX_CERTIFICATE: usize = 16 * 1024;

/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// Curve `secp384r1` (RFC 5480 §2.1.1.1).
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `rsaEncryption` and `id-RSASSA-PSS` (RFC 4055 §1.2, §3.1).
const RSA: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10")];

/// Extended key usages (volume 5 §4.1.2), in both spellings that issuers use.
const KINDS: [(ObjectIdentifier, Kind); 6] = [
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.1847.2021.1.1"), Kind::Test),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.1847.2021.1.2"), Kind::Vaccination),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.1847.2021.1.3"), Kind::Recovery),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.0.1847.2021.1.1"), Kind::Test),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.0.1847.2021.1.2"), Kind::Vaccination),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.0.1847.2021.1.3"), Kind::Recovery),
];

/// What a certificate says of its key.
#[derive(Clone, Debug)]
pub struct Signer {
    /// First 8 bytes of SHA-256 over the certificate (volume 1 §3.3.2).
    pub kid: KeyId,
    /// The key.
    pub public: PublicKey,
    /// The certificate's validity.
    pub window: Window,
    /// All kinds, where the certificate names none.
    pub usage: Usage,
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCertificate {
    /// No DER certificate.
    NotACertificate,
    /// Its key cannot be used.
    Key(BadKey),
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACertificate => f.write_str("the bytes are no X.509 certificate in DER"),
            Self::Key(bad) => write!(f, "the certificate's key cannot be used: {bad}"),
        }
    }
}

impl std::error::Error for BadCertificate {}

/// Reads a certificate in DER.
///
/// # Errors
/// When it is none, or its key is not on P-256 or P-384 or RSA of a usable size.
pub fn read(der: &[u8]) -> Result<Signer, BadCertificate> {
    if der.len() > MAX_CERTIFICATE {
        return Err(BadCertificate::NotACertificate);
    }
    let certificate = Certificate::from_der(der).map_err(|_| BadCertificate::NotACertificate)?;
    let tbs = certificate.tbs_certificate();
    let key = tbs.subject_public_key_info();
    let spki = key.to_der().map_err(|_| BadCertificate::NotACertificate)?;
    let algorithm = match key.algorithm.oid {
        EC => {
            let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
            if curve == Some(P384) { Algorithm::Es384 } else { Algorithm::Es256 }
        }
        oid if RSA.contains(&oid) => Algorithm::Ps256,
        _ => return Err(BadCertificate::Key(BadKey::Unsupported)),
    };
    let public = match algorithm {
        // The key inside is the same under both identifiers; a reader of the whole structure knows only `rsaEncryption`.
        Algorithm::Ps256 => PublicKey::rsa(key.subject_public_key.raw_bytes()),
        other => PublicKey::from_spki(&spki, other),
    };
    let public = public.map_err(BadCertificate::Key)?;
    let validity = tbs.validity();
    let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    // `notAfter` is the last second inside (RFC 5280 §4.1.2.5); a window ends at the first one after.
    let window = Window {
        from: Some(UnixTime(seconds(validity.not_before))),
        until: Some(UnixTime(seconds(validity.not_after)).plus(1)),
    };
    let usages = tbs.get_extension::<ExtendedKeyUsage>().map_err(|_| BadCertificate::NotACertificate)?;
    let kinds: HashSet<Kind> = usages
        .iter()
        .flat_map(|(_, usage)| &usage.0)
        .filter_map(|oid| KINDS.iter().find(|(known, _)| known == oid).map(|(_, kind)| *kind))
        .collect();
    let usage = if kinds.is_empty() { Usage::Codes } else { Usage::Kinds(kinds) };
    Ok(Signer { kid: KeyId::of(der), public, window, usage })
}
