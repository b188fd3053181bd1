//! The bytes of an `MRC1` configuration code: the message of a pass code, with other claims, under its own prefix.

use ciborium::Value;
use coset::{CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use trustlist::{
    code::cwt,
    configuration::{self as mrc1, Direction, Settings, Wifi},
    time::UnixTime,
};

use super::{
    IssueError,
    mr1::{encode, map, text},
};
use crate::key::{KeyType, SigningKey};

/// What a configuration code shall say.
#[derive(Clone, Debug)]
pub struct ConfigurationDraft {
    /// The checkpoint that it is for, or `*`.
    pub to: String,
    /// Its number: higher than any the checkpoint took before.
    pub number: u64,
    /// When it is made.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// What it sets.
    pub settings: Settings,
}

/// Signs `draft` with a key of use `configuration`.
///
/// # Errors
/// When the key is not Ed25519.
pub fn issue_configuration(draft: &ConfigurationDraft, key: &SigningKey) -> Result<String, IssueError> {
    if key.key_type() != KeyType::Ed25519 {
        return Err(IssueError::NotEd25519);
    }
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(key.kid().0.to_vec()).build();
    let message = CoseSign1Builder::new()
        .protected(protected)
        .payload(claims(draft))
        .try_create_signature(&[], |bytes| key.sign(bytes))?
        .build();
    let bytes = message.to_tagged_vec().expect("a message of plain values has an encoding");
    Ok(format!("{}{}", mrc1::PREFIX, base45::encode(bytes)))
}

fn claims(draft: &ConfigurationDraft) -> Vec<u8> {
    encode(&map([
        (cwt::EXP, Some(draft.expires.0.into())),
        (cwt::IAT, Some(draft.issued_at.0.into())),
        (mrc1::TO, Some(text(&draft.to))),
        (mrc1::NUMBER, Some(draft.number.into())),
        (mrc1::SETTINGS, Some(settings(&draft.settings))),
    ]))
}

fn settings(settings: &Settings) -> Value {
    let direction = |direction: Direction| match direction {
        Direction::Entry => 0.into(),
        Direction::Exit => 1.into(),
    };
    let texts = |list: &Vec<String>| Value::Array(list.iter().map(|one| text(one)).collect());
    map([
        (mrc1::LANE, settings.lane.as_deref().map(text)),
        (mrc1::DIRECTION, settings.direction.map(direction)),
        (mrc1::MIRRORS, settings.mirrors.as_ref().map(texts)),
        (mrc1::PROFILE, settings.profile.as_deref().map(text)),
        (mrc1::WIFI, settings.wifi.as_ref().map(wifi)),
    ])
}

fn wifi(network: &Wifi) -> Value {
    map([
        (mrc1::WIFI_NAME, Some(Value::Bytes(network.name.clone()))),
        (mrc1::WIFI_PASSPHRASE, Some(text(&network.passphrase))),
    ])
}
