//! The certificate by which the desk's machine knows this gate: made here once, signed by nobody else.
//!
//! No authority can vouch for a box without a network. Whoever sits at the desk compares its fingerprint with the one that the box prints, or
//! brings the certificate over by hand. It has no end: a gate may not know the date.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc};

use data_encoding::HEXUPPER;
use host::atomic_file::{self, Readers};
use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig},
};

/// The files, below the state folder.
const CERTIFICATE: &str = "desk.crt";
const KEY: &str = "desk.key";

/// A certificate and its key (DER).
pub struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    /// The one in this folder; made for these names, where there is none.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn open_or_make(state: &Path, names: Vec<String>) -> io::Result<Identity> {
        let read = || {
            Ok::<_, io::Error>(Identity {
                certificate: fs::read(state.join(CERTIFICATE))?,
                key: fs::read(state.join(KEY))?,
            })
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            read => return read,
        }
        let made = make(names).map_err(io::Error::other)?;
        atomic_file::replace(&state.join(KEY), &made.key, Readers::Owner)?;
        atomic_file::replace(&state.join(CERTIFICATE), &made.certificate, Readers::Usual)?;
        Ok(made)
    }

    /// What takes connections with it.
    ///
    /// # Errors
    /// When the files are no certificate and its key.
    pub fn acceptor(self) -> Result<TlsAcceptor, rustls::Error> {
        let key = rustls::pki_types::PrivateKeyDer::try_from(self.key)
            .map_err(|why| rustls::Error::General(why.to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.into()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Elliptic, because browsers do not take Ed25519 in certificates.
fn make(names: Vec<String>) -> Result<Identity, rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "checkpointd desk");
    let certificate = params.self_signed(&key)?;
    Ok(Identity { certificate: certificate.der().to_vec(), key: key.serialize_der() })
}

/// The fingerprint of the certificate in this folder, as browsers show it: SHA-256, in pairs.
///
/// # Errors
/// When it cannot be read.
pub fn fingerprint(state: &Path) -> io::Result<String> {
    let digest = HEXUPPER.encode(&Sha256::digest(fs::read(state.join(CERTIFICATE))?));
    let pairs: Vec<&str> = (0..digest.len()).step_by(2).map(|at| &digest[at..at + 2]).collect();
    Ok(pairs.join(":"))
}

/// By which names and addresses the desk's machine may call this one.
#[must_use]
pub fn names(host: Option<String>, listen: SocketAddr) -> Vec<String> {
    let address = (!listen.ip().is_unspecified()).then(|| listen.ip().to_string());
    host.into_iter().chain(address).chain(["checkpointd.local".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_the_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = || names(Some("gate-7".to_owned()), SocketAddr::from(([192, 0, 2, 7], 8471)));
        assert_eq!(names(), ["gate-7", "192.0.2.7", "checkpointd.local"]);
        let first = Identity::open_or_make(folder.path(), names()).expect("made");
        let print = fingerprint(folder.path()).expect("there");
        assert_eq!(print.len(), 95, "{print}");
        let again = Identity::open_or_make(folder.path(), Vec::new()).expect("read");
        assert_eq!(first.certificate, again.certificate);
        assert!(again.acceptor().is_ok());
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(folder.path().join(KEY)).expect("there").permissions(),
            );
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn half_a_certificate_is_no_identity() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Identity::open_or_make(folder.path(), Vec::new()).expect("made"));
        fs::write(folder.path().join(KEY), b"x").expect("written");
        assert!(Identity::open_or_make(folder.path(), Vec::new()).expect("read").acceptor().is_err());
    }
}
