//! A status list by way of a delta from the one that is held, where the repository offers one and it is shorter.
//!
//! Whatever goes wrong here is no fault of anybody's who matters: the whole list is fetched then.

use std::collections::BTreeMap;

use trustlist::{
    region::Region,
    status::delta,
    tuf::{self, Answer, Trusted, schema::TargetFile},
};

use super::Mirror;

/// The target `name` as it was signed for, made from `held`; `None` where no delta leads there.
pub(super) fn by_delta(
    mirror: &mut dyn Mirror,
    issuer: Region,
    trusted: &Trusted,
    stated: &BTreeMap<String, TargetFile>,
    name: &str,
    held: &[u8],
) -> Option<Vec<u8>> {
    let wanted = stated.get(name)?;
    let way = delta::name(name, held);
    let offered = stated.get(&way).filter(|offered| offered.length < wanted.length)?;
    let request = tuf::target_request(trusted, &way, offered);
    let Answer::Bytes(bytes) = mirror.fetch(&format!("{issuer}/targets/{}", request.path), request.limit) else {
        log::debug!("{issuer}/{way}: not to be had; the whole list is fetched");
        return None;
    };
    // Signed bytes alone reach the parser.
    if !offered.is(&bytes) {
        log::warn!("{issuer}/{way}: it is not what was signed; the whole list is fetched");
        return None;
    }
    match delta::follow(&bytes, held, |made| wanted.is(made)) {
        Ok(made) => Some(made),
        Err(fault) => {
            log::warn!("{issuer}/{way}: {fault}; the whole list is fetched");
            None
        }
    }
}
