//! A nation that lost its root, or had it stolen, is founded anew: no chain leads from the old root to the new one, so somebody who stands at the
//! gate says which it is, after its fingerprint was read out to him.
//!
//! The lists under the new root are verified whole first, and must be above every generation that was ever accepted here. Then they are in force
//! at once, without a trial: what they replace is signed by keys that nobody may believe any more.

use cache::trust_store::{self, Slot, StoredRepository, TrustStore};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trustlist::{
    region::NATIONAL,
    time::Moment,
    trust::Trust,
    tuf::{self, Trusted},
};

use super::{Outcome, Recorder};
use crate::{
    error::Error,
    lists::{self, Mirror},
};

/// What was done, for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founded {
    /// SHA-256 of the first root that counted before, in hexadecimal.
    pub old: String,
    /// SHA-256 of the first root that counts from here on.
    pub new: String,
    /// The generation that came into force with it.
    pub generation: u64,
}

fn fingerprint(root: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(root))
}

/// Puts the nation's lists from `mirror` in force under a root that somebody vouches for, where this device trusts another one. `None` where it
/// trusts none yet, or has this one in its chain: then everything goes its usual way.
///
/// # Errors
/// When the lists do not verify under that root, are not above the floor, or the store cannot be written. Nothing has changed then.
pub(super) fn found_anew(
    store: &mut TrustStore,
    mirror: &mut dyn Mirror,
    vouched: &[u8],
    moment: Moment,
) -> Result<Option<Outcome>, Error> {
    let held = store.roots(NATIONAL)?;
    let Some((_, old)) = held.first().filter(|_| held.iter().all(|(_, root)| root != vouched)) else {
        return Ok(None);
    };
    let refused = |refusal| Error::DoesNotVerify(NATIONAL, refusal);
    let mut trusted = Trusted::from_root(vouched).map_err(Error::Root)?;
    let mut roots = vec![(trusted.root().signed.version, vouched.to_vec())];
    {
        let inner = lists::Metadata { mirror: &mut *mirror, issuer: NATIONAL };
        let mut metadata = Recorder { inner, roots: &mut roots };
        tuf::refresh(&mut trusted, moment.certain(), &mut metadata).map_err(refused)?;
    }
    let timestamp = trusted.timestamp().expect("a refresh that succeeds has one");
    let generation = timestamp.signed.version;
    if let Some(issued) = timestamp.signed.issued.filter(|issued| moment.is_before(*issued)) {
        return Err(Error::FoundedAhead(issued));
    }
    let targets = lists::targets(mirror, NATIONAL, &trusted, None, lists::MAX_TOGETHER).map_err(refused)?;
    Trust::assemble(trusted.repository(NATIONAL, targets.clone()), Vec::new())
        .map_err(|error| Error::Unusable(NATIONAL.to_string(), error))?;
    let repository = StoredRepository {
        generation,
        timestamp: timestamp.bytes.clone(),
        snapshot: trusted.snapshot().map(|snapshot| snapshot.bytes.clone()).unwrap_or_default(),
        targets_role: trusted.targets("targets").map(|role| role.bytes.clone()).unwrap_or_default(),
        targets,
    };
    let founded = Founded { old: fingerprint(old), new: fingerprint(vouched), generation };
    let word = serde_json::to_string(&founded).expect("plain data");
    let before = store.repository(NATIONAL, Slot::Current)?.map(|held| held.generation);
    match store.found_anew(NATIONAL, &roots, &repository, &word)? {
        trust_store::Founding::Done => Ok(Some(Outcome::Updated { from: before, to: generation })),
        trust_store::Founding::NotAbove(floor) => {
            Err(Error::NotAboveFloor { found: generation, floor: floor.generation })
        }
    }
}
