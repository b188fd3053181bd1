//! Keys in hardware, through PKCS#11: a smart card, a token on USB, a security module in a rack. Or in the software that stands in for
//! one in tests.
//!
//! The private half never leaves the token. What lies in `keys/` instead of a key is a note of where it is: module, token, id, public half.
//! The PIN is in no note and on no command line; it is read from the file that `AUTHORITY_PIN_FILE` names. A session is opened for one
//! signature and closed again: an authority signs a few times a day.

use std::path::{Path, PathBuf};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::key::kind::{KeyError, KeyType, random};

/// Where the PIN is read from: the first line of this file.
pub const PIN_FILE: &str = "AUTHORITY_PIN_FILE";
/// `CKA_EC_PARAMS` of P-256: its object identifier in DER.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `CKA_EC_PARAMS` of Ed25519: its name as a PrintableString in DER (PKCS#11 3.0 §2.3.5), which tokens of version 2 know, too.
const ED25519: &[u8] = b"\x13\x0cedwards25519";

/// A token, by the module that speaks to it and its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The maker's PKCS#11 library.
    pub module: PathBuf,
    /// The token's label.
    pub label: String,
}

/// A key in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey {
    token: Token,
    /// `CKA_ID`, in hexadecimal.
    id: String,
    key_type: KeyType,
    /// The public half as `keys.json` states it, in hexadecimal.
    public: String,
}

impl TokenKey {
    /// Has the token make a key that it will never give away.
    ///
    /// # Errors
    /// When the token cannot be used, or makes no such keys.
    pub fn generate(token: Token, key_type: KeyType) -> Result<TokenKey, KeyError> {
        let (mechanism, parameters) = match key_type {
            KeyType::Ecdsa => (Mechanism::EccKeyPairGen, P256),
            KeyType::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, ED25519),
            KeyType::Rsa => {
                return Err(KeyError::Token(
                    "keys in hardware are of the kind ecdsa or ed25519; choose one of them".to_owned(),
                ));
            }
        };
        let id = random::<16>()?.to_vec();
        let label = b"authority".to_vec();
        let session = token.session()?;
        let public_template = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(parameters.to_vec()),
            Attribute::Id(id.clone()),
            Attribute::Label(label.clone()),
        ];
        let private_template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Id(id.clone()),
            Attribute::Label(label),
        ];
        let made = session.generate_key_pair(&mechanism, &public_template, &private_template);
        let (public, _) = made.map_err(|error| token.failed("makes no such key", &error))?;
        let point = point(&session, public).ok_or_else(|| token.unfit("it does not tell the key's public half"))?;
        let public = match key_type {
            KeyType::Ed25519 => point,
            _ => p256::PublicKey::from_sec1_bytes(&point)
                .map_err(|_| token.unfit("its public half is no point of P-256"))?
                .to_public_key_der()
                .map_err(|_| token.unfit("its public half has no DER form"))?
                .into_vec(),
        };
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        Ok(TokenKey { id: hex(&id), public: hex(&public), key_type, token })
    }

    /// What kind of key it is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The public half.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(self.public.as_bytes()).unwrap_or_default()
    }

    /// The public half in PEM, of an ECDSA key.
    #[must_use]
    pub fn public_pem(&self) -> Option<String> {
        let key = p256::PublicKey::from_public_key_der(&self.public_bytes()).ok()?;
        key.to_public_key_pem(LineEnding::LF).ok()
    }

    /// Whether the note can be used at all.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check(&self) -> Result<(), KeyError> {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes());
        let fits = match (self.key_type, hex(&self.public)) {
            (KeyType::Ed25519, Ok(public)) => public.len() == 32,
            (KeyType::Ecdsa, Ok(public)) => p256::PublicKey::from_public_key_der(&public).is_ok(),
            _ => false,
        };
        if fits && hex(&self.id).is_ok() { Ok(()) } else { Err(KeyError::NotAKey) }
    }

    /// Signs in the token: Ed25519, or ECDSA as r ‖ s.
    ///
    /// # Errors
    /// When the token is not there, refuses the PIN, or does not hold the key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let session = self.token.session()?;
        let id = data_encoding::HEXLOWER.decode(self.id.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(id)];
        let found = session.find_objects(&wanted).map_err(|error| self.token.failed("cannot be searched", &error))?;
        let key = *found.first().ok_or_else(|| self.token.unfit("it does not hold the key; put in the right one"))?;
        let signature = match self.key_type {
            KeyType::Ed25519 => {
                session.sign(&Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), key, message)
            }
            _ => session.sign(&Mechanism::Ecdsa, key, &Sha256::digest(message)),
        };
        signature.map_err(|error| self.token.failed("does not sign", &error))
    }
}

impl Token {
    /// A session in which the user is logged in.
    fn session(&self) -> Result<Session, KeyError> {
        let pin = pin()?;
        let module = Pkcs11::new(&self.module).map_err(|error| self.failed("cannot be reached", &error))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => (),
            Err(error) => return Err(self.failed("cannot be reached", &error)),
        }
        let slots = module.get_slots_with_token().map_err(|error| self.failed("cannot be reached", &error))?;
        let ours = |slot: &cryptoki::slot::Slot| {
            module.get_token_info(*slot).is_ok_and(|facts| facts.label().trim_end() == self.label)
        };
        let slot =
            slots.into_iter().find(ours).ok_or_else(|| self.unfit("no token of this label is there; put it in"))?;
        let session = module.open_rw_session(slot).map_err(|error| self.failed("opens no session", &error))?;
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                Err(self.unfit("it refuses the PIN; mind that it locks itself after a few wrong ones"))
            }
            Err(error) => Err(self.failed("does not let the user in", &error)),
        }
    }

    fn failed(&self, what: &str, error: &Error) -> KeyError {
        KeyError::Token(format!("the token \"{}\" behind {} {what}: {error}", self.label, self.module.display()))
    }

    fn unfit(&self, why: &str) -> KeyError {
        KeyError::Token(format!("the token \"{}\" behind {}: {why}", self.label, self.module.display()))
    }
}

fn pin() -> Result<AuthPin, KeyError> {
    let path = std::env::var_os(PIN_FILE).ok_or_else(|| {
        KeyError::Token(format!(
            "a key is in a token, and nobody said its PIN: put it into a file and name that in {PIN_FILE}"
        ))
    })?;
    let text = std::fs::read_to_string(&path).map_err(|error| {
        KeyError::Token(format!("the PIN cannot be read from {}: {error}", Path::new(&path).display()))
    })?;
    Ok(AuthPin::new(text.lines().next().unwrap_or_default().into()))
}

/// The public point: an OCTET STRING in DER around it (PKCS#11 2.40 §2.3.3), which a few tokens leave out.
fn point(session: &Session, key: ObjectHandle) -> Option<Vec<u8>> {
    let attributes = session.get_attributes(key, &[AttributeType::EcPoint]).ok()?;
    let bytes = attributes.into_iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(bytes) => Some(bytes),
        _ => None,
    })?;
    match bytes.as_slice() {
        [0x04, length, rest @ ..] if usize::from(*length) == rest.len() => Some(rest.to_vec()),
        _ => Some(bytes),
    }
}
