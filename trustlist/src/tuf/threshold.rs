//! Whether enough of a role's keys signed (specification §5.3.4 and its like).

use std::collections::BTreeSet;

use data_encoding::HEXLOWER_PERMISSIVE;

use super::{
    refusal::{Refusal, Why},
    schema::{Envelope, RoleKeys},
};

/// Checks that a threshold of a role's keys signed. A key counts once, whatever ids it goes by and however its bytes are written: in
/// hexadecimal of either case, in PEM with other line breaks, as a compressed point.
pub(super) fn check_threshold(role: &str, envelope: &Envelope, keys: &RoleKeys<'_>) -> Result<(), Refusal> {
    let mut good = BTreeSet::new();
    for signature in &envelope.signatures {
        if !keys.role.keyids.contains(&signature.keyid) {
            continue;
        }
        let Some(key) = keys.keys.get(&signature.keyid).and_then(|key| key.public()) else { continue };
        let Ok(bytes) = HEXLOWER_PERMISSIVE.decode(signature.sig.as_bytes()) else { continue };
        let fingerprint = key.fingerprint();
        if !good.contains(&fingerprint) && key.verify_metadata(&envelope.canonical, &bytes) {
            good.insert(fingerprint);
        }
    }
    let threshold = keys.role.threshold;
    if threshold > 0 && good.len() as u64 >= threshold {
        Ok(())
    } else {
        Err(Refusal::new(role, Why::Signatures { good: good.len(), threshold }))
    }
}
