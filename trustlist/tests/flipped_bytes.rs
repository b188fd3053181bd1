//! No flipped byte is ever admitted: every byte of a good code of every format, changed in every way that a few bits allow.

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use support::{
    judge,
    mint::{Draft, NOW, ed25519, entry, es256, hc1_text, mr1_text, spki},
    trust_of,
};
use trustlist::{code::Format, trust::Trust, verdict::Verdict};

/// A good message of a format, the way from a message to a text, and lists by which it counts.
type Case = (Vec<u8>, fn(&[u8]) -> String, Trust);

fn cases() -> Vec<Case> {
    let list = |id: &str, format: Format, key| trust_of(BTreeMap::from([(id.to_owned(), vec![key])]), format, NOW);
    let raw = ed25519().verifying_key().to_bytes();
    vec![
        (Draft::mr1().ed25519(), mr1_text, list("440000", Format::Mr1, entry("EdDSA", &raw, "MR1"))),
        (Draft::hc1().es256(), hc1_text, list("DE", Format::Hc1, entry("ES256", &spki(&es256()), "HC1"))),
    ]
}

fn admitted(text: &str, trust: &Trust) -> bool {
    judge(text, trust, NOW).is_some_and(|decision| decision.verdict == Verdict::Admit)
}

#[test]
fn no_message_with_one_byte_changed_is_admitted() {
    for (message, text, trust) in cases() {
        assert!(admitted(&text(&message), &trust));
        for index in 0..message.len() {
            for mask in [0x01, 0x02, 0x20, 0x40, 0x80, 0xff] {
                let mut changed = message.clone();
                changed[index] ^= mask;
                assert!(!admitted(&text(&changed), &trust), "byte {index} of {} with {mask:#04x}", message.len());
            }
        }
    }
}

#[test]
fn no_message_cut_short_is_admitted() {
    for (message, text, trust) in cases() {
        assert!((0..message.len()).all(|length| !admitted(&text(&message[..length]), &trust)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_with_characters_changed_is_admitted(
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]"), 1..4),
    ) {
        for (message, text, trust) in cases() {
            let good = text(&message);
            let mut changed: Vec<u8> = good.clone().into_bytes();
            for (index, character) in &changes {
                let index = index.index(changed.len());
                changed[index] = character.as_bytes()[0];
            }
            let changed = String::from_utf8(changed).expect("ASCII");
            // The exception: a stream that inflates to the same message, in a format that is always compressed.
            let same = changed == good || inflates_to(&changed, &message);
            prop_assert!(same || !admitted(&changed, &trust));
        }
    }

    #[test]
    fn no_text_whatever_stops_the_judge(body in "[0-9A-Z $%*+./:-]{0,600}", prefix in "(MR1:|HC1:|NZCP:/1/)") {
        for (_, _, trust) in cases() {
            let text = format!("{prefix}{body}");
            prop_assert!(!admitted(&text, &trust));
        }
    }
}

fn inflates_to(text: &str, message: &[u8]) -> bool {
    let Some(body) = text.strip_prefix("HC1:") else { return false };
    let bytes = trustlist::code::text::base45(body).and_then(|bytes| trustlist::code::text::inflate(&bytes));
    bytes.is_ok_and(|bytes| bytes == message)
}

#[test]
fn the_texts_begin_as_their_formats_say() {
    for format in Format::ALL {
        assert_eq!(Format::claimed_by(&format!("{}:/1/", format.code())), Some(format));
    }
    assert_eq!(Format::claimed_by("https://example.org/HC1:"), None);
}
