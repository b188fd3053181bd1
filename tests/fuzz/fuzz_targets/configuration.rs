//! Any text as a configuration code: no panic, and nothing is set without a key, in a window or out of one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trustlist::{
    configuration::{Context, Refusal, decide, well_formed},
    time::{Moment, UnixTime},
    trust::Trust,
};

fuzz_target!(|data: &[u8]| {
    // As a symbol's text, and as the message behind one, so that the fuzzer need not find Base45.
    let texts = [String::from_utf8_lossy(data).into_owned(), base45::encode(data)];
    for text in texts.map(|text| format!("MRC1:{text}")) {
        let moment = Moment::synced(UnixTime(0));
        let open = Context { window: true, checkpoint: "gate-7", moment, taken: 0 };
        assert!(decide(&text, &Trust::none(), &open).is_err(), "believed without a key");
        let closed = Context { window: false, ..open };
        assert_eq!(decide(&text, &Trust::none(), &closed), Err(Refusal::NoWindow));
        let _ = well_formed(&text);
    }
});
