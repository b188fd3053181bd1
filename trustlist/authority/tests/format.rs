//! `trustlist/FORMAT.md` holds what it says: every worked example is taken out of the document and made and read again here.

use std::collections::{BTreeMap, BTreeSet};

use authority::{
    code::{ConfigurationDraft, Draft, issue, issue_configuration},
    deltas::between,
    key::SigningKey,
    mirror::{Index, Newest},
    status::shard,
};
use data_encoding::{BASE64, HEXLOWER};
use trustlist::{
    code::{Colour, StatusRef, Visit, cose, text},
    configuration::{self, Context, Direction, Settings, Wifi},
    judge::{self, Decision, Outcome, decide},
    key::{KeyId, PublicKey},
    lists::recognition::Route,
    region::{NATIONAL, Region},
    status::{Status, StatusArray, delta},
    time::{Moment, UnixTime},
    trust::{Repository, Trust},
    verdict::Reason,
};

const DOCUMENT: &str = include_str!("../../FORMAT.md");
/// 2021-02-01T00:00:00Z.
const ISSUED: UnixTime = UnixTime(1_612_137_600);

/// The fenced blocks of the document that have a name: ```` ```hex claims ````.
fn blocks() -> BTreeMap<&'static str, String> {
    let mut blocks = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        let Some((kind, name)) = line.strip_prefix("```").and_then(|rest| rest.split_once(' ')) else { continue };
        let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let content = match kind {
            // Bytes before the remark, without the spaces between them.
            "hex" => content.iter().flat_map(|line| line.split('#').next()).collect::<String>().replace(' ', ""),
            "text" => content.concat(),
            _ => content.join("\n"),
        };
        blocks.insert(name, content);
    }
    blocks
}

fn bytes(blocks: &BTreeMap<&str, String>, name: &str) -> Vec<u8> {
    let block = blocks.get(name).unwrap_or_else(|| panic!("the document has no block {name}"));
    HEXLOWER.decode(block.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn key(blocks: &BTreeMap<&str, String>, name: &str) -> SigningKey {
    SigningKey::from_seed(bytes(blocks, name).try_into().expect("32 bytes"))
}

fn region(code: &str) -> Region {
    code.parse().expect("a region")
}

/// The draft that the document describes in words.
fn draft() -> Draft {
    Draft {
        id: Some((1..=8).collect()),
        status: Some(StatusRef { index: 4711, uri: "status/0".to_owned() }),
        name: Some("张*".to_owned()),
        document: Some("0427".to_owned()),
        colour: Colour::Green,
        itinerary: vec![Visit { area: region("440300"), last_day: 18_655 }],
        ..Draft::new(region("440000"), ISSUED)
    }
}

#[test]
fn the_keys_have_the_ids_that_the_document_says() {
    let blocks = blocks();
    let key = key(&blocks, "issuer-seed");
    assert_eq!(HEXLOWER.encode(&key.public_bytes()), blocks["issuer-public"]);
    assert_eq!(KeyId::of(&key.public_bytes()).to_string(), blocks["kid"]);
}

#[test]
fn the_message_is_made_of_the_parts_that_the_document_shows() {
    let blocks = blocks();
    let [protected, claims, signed] = ["protected", "claims", "to-be-signed"].map(|name| bytes(&blocks, name));
    assert_eq!(cose::to_be_signed(&protected, &claims), signed);
    let public = PublicKey::ed25519(&bytes(&blocks, "issuer-public")).expect("a key");
    assert!(public.verify(&signed, &bytes(&blocks, "signature")));
    let mut message = vec![0xd2, 0x84];
    let put = |message: &mut Vec<u8>, bytes: &[u8]| {
        match u8::try_from(bytes.len()).expect("a short example") {
            length @ 0..24 => message.push(0x40 | length),
            length => message.extend([0x58, length]),
        }
        message.extend(bytes);
    };
    put(&mut message, &protected);
    message.push(0xa0);
    put(&mut message, &claims);
    put(&mut message, &bytes(&blocks, "signature"));
    let carried = text::base45(blocks["code"].strip_prefix("MR1:").expect("the prefix")).expect("Base45");
    let carried = if text::is_zlib(&carried) { text::inflate(&carried).expect("zlib") } else { carried };
    assert_eq!(HEXLOWER.encode(&carried), HEXLOWER.encode(&message));
}

#[test]
fn the_codes_are_what_an_issuer_makes_of_the_draft() {
    let blocks = blocks();
    let (issuer, platform) = (key(&blocks, "issuer-seed"), key(&blocks, "platform-seed"));
    assert_eq!(issue(&draft(), &issuer, None).expect("a code"), blocks["code"]);
    assert_eq!(issue(&draft(), &issuer, Some(&platform)).expect("a code"), blocks["vouched-code"]);
    let platform = PublicKey::ed25519(&platform.public_bytes()).expect("a key");
    let covered = cose::to_be_countersigned(
        &bytes(&blocks, "protected"),
        &bytes(&blocks, "countersigner-protected"),
        &bytes(&blocks, "claims"),
        &bytes(&blocks, "signature"),
    );
    assert!(platform.verify(&covered, &bytes(&blocks, "countersignature")));
}

/// The document's lists as a gate holds them after verification.
fn trust(blocks: &BTreeMap<&str, String>) -> Trust {
    let repository = |issuer, targets: &[(&str, &str)]| Repository {
        issuer,
        generation: 1,
        issued: ISSUED,
        expires: ISSUED.plus(86_400),
        arrived: None,
        root_keys: BTreeSet::new(),
        targets: targets
            .iter()
            .map(|(target, block)| ((*target).to_owned(), blocks[block].clone().into_bytes()))
            .collect(),
    };
    let national = repository(
        NATIONAL,
        &[
            ("trustlist.json", "trustlist.json"),
            ("recognition.json", "recognition.json"),
            ("policy.json", "policy.json"),
            ("risk-areas.json", "risk-areas.json"),
            ("keys.json", "platform-keys.json"),
        ],
    );
    let guangdong = repository(region("440000"), &[("keys.json", "keys.json")]);
    let (trust, faults) = Trust::assemble(national, vec![guangdong]).expect("readable lists");
    assert!(faults.is_empty(), "{faults:?}");
    trust
}

fn judged(trust: &Trust, text: &str, relying: &str) -> Decision {
    let moment = Moment::synced(ISSUED.plus(60));
    let context = judge::Context { moment, relying: region(relying), profile: None };
    match decide(text, trust, &context) {
        Outcome::Judged(judgement) => judgement.close().0,
        Outcome::NotAPassCode => panic!("no pass code"),
    }
}

#[test]
fn the_lists_are_readable_and_judge_the_codes_as_the_document_says() {
    let blocks = blocks();
    let trust = trust(&blocks);
    // No status list is among the examples, so a code that refers to one is referred; the draft without it goes through.
    assert_eq!(judged(&trust, &blocks["code"], "440000").reason, Reason::StatusUnknown);
    let unlisted = Draft { status: None, ..draft() };
    let (issuer, platform) = (key(&blocks, "issuer-seed"), key(&blocks, "platform-seed"));
    let plain = issue(&unlisted, &issuer, None).expect("a code");
    let vouched = issue(&unlisted, &issuer, Some(&platform)).expect("a code");
    assert_eq!(judged(&trust, &plain, "440000").reason, Reason::Ok, "at home");
    assert_eq!(judged(&trust, &plain, "420000").route, Some(Route::Direct));
    assert_eq!(judged(&trust, &plain, "310000").reason, Reason::NotVouched);
    assert_eq!(judged(&trust, &vouched, "310000").route, Some(Route::Intermediary));
    assert_eq!(judged(&trust, &plain, "110000").reason, Reason::RecognitionSuspended);
    assert_eq!(judged(&trust, &plain, "650000").reason, Reason::NotRecognised);
    let entry = &serde_json::from_str::<serde_json::Value>(&blocks["keys.json"]).expect("JSON")["keys"][0];
    let listed = BASE64.decode(entry["public_key"].as_str().expect("a key").as_bytes()).expect("Base64");
    assert_eq!(listed, bytes(&blocks, "issuer-public"));
}

#[test]
fn the_configuration_code_is_made_and_taken_as_the_document_says() {
    let blocks = blocks();
    let key = key(&blocks, "configuration-seed");
    let settings = Settings {
        lane: Some("east-1".to_owned()),
        direction: Some(Direction::Exit),
        wifi: Some(Wifi { name: b"Station".to_vec(), passphrase: "rush hour".to_owned() }),
        ..Settings::default()
    };
    let expires = ISSUED.plus(86_400);
    let draft = ConfigurationDraft { to: "gate-7".to_owned(), number: 1, issued_at: ISSUED, expires, settings };
    let code = issue_configuration(&draft, &key).expect("a code");
    let message = text::base45(code.strip_prefix("MRC1:").expect("the prefix")).expect("Base45");
    let claims = bytes(&blocks, "configuration-claims");
    assert!(message.windows(claims.len()).any(|window| window == claims), "{}", HEXLOWER.encode(&message));
    assert_eq!(code, blocks["configuration-code"]);
    let moment = Moment::synced(ISSUED.plus(60));
    let context = Context { window: true, checkpoint: "gate-7", moment, taken: 0 };
    let order = configuration::decide(&code, &trust(&blocks), &context).expect("taken");
    assert_eq!((order.number, order.settings), (1, draft.settings));
}

#[test]
fn the_status_bytes_say_what_stands_beside_them() {
    let array = StatusArray::from_bytes(bytes(&blocks(), "status-bytes"));
    let said: Vec<Status> = (0..9).map(|index| array.status(index)).collect();
    use Status::{Revoked, Suspended, Unknown, Valid};
    assert_eq!(said, [Valid, Revoked, Suspended, Unknown, Valid, Valid, Revoked, Valid, Unknown]);
}

/// The list that the document shows, and the one after it.
fn example_lists(blocks: &BTreeMap<&str, String>) -> [Vec<u8>; 2] {
    let mut first = bytes(blocks, "status-bytes");
    first.resize(16, 0);
    let first = StatusArray::from_bytes(first);
    let mut longer = first.bytes().to_vec();
    longer.resize(18, 0);
    let mut second = StatusArray::from_bytes(longer);
    for (index, status) in [(0, Status::Revoked), (6, Status::Valid), (40, Status::Suspended)] {
        assert!(second.set(index, status));
    }
    let key = key(blocks, "issuer-seed");
    [(first, ISSUED), (second, ISSUED.plus(3600))]
        .map(|(list, issued)| shard("status/0", &list, issued, None, &key, None).expect("signed"))
}

#[test]
fn the_status_list_and_its_delta_are_the_bytes_that_the_document_shows() {
    let blocks = blocks();
    let [held, new] = example_lists(&blocks);
    assert_eq!(HEXLOWER.encode(&held), blocks["status-list"]);
    assert_eq!(HEXLOWER.encode(&new), blocks["next-status-list"]);
    let packed = StatusArray::of_shard(&held).expect("a list").deflate();
    assert_eq!(HEXLOWER.encode(&packed), blocks["deflated"]);
    assert_eq!(delta::name("status/0", &held), blocks["delta-name"]);
    let delta = between(&held, &new).expect("a delta");
    assert_eq!(HEXLOWER.encode(&delta), blocks["delta"]);
    assert_eq!(delta::follow(&delta, &held, |made| made == new), Ok(new));
}

#[test]
fn the_index_is_made_as_it_stands_there() {
    let newest = |root_version: u64, version: u64| {
        Ok(Newest {
            root_version,
            root: format!("{{\"root\":{root_version}}}").into(),
            timestamp: format!("{{\"signatures\":[],\"signed\":{{\"_type\":\"timestamp\",\"version\":{version}}}}}")
                .into(),
        })
    };
    let index = Index::of(&BTreeMap::from([(NATIONAL, newest(2, 7)), (region("420000"), newest(1, 9))]));
    let block = format!("{}\n", blocks()["index"]);
    assert_eq!(String::from_utf8(index.bytes).expect("UTF-8"), block);
}
