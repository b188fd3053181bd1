//! Batches of rows: what parses stays within its bounds, and nothing a stranger writes is proven by a device's key.
#![no_main]

use cache::{
    exchange::batch::{Batch, MAX_ROW, MAX_ROWS, gunzip},
    log::note::NoteSigner,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let device = NoteSigner::new("gate-3", &[5; 32]).expect("a name").verifier();
    let inflated = gunzip(data);
    for bytes in [Some(data), inflated.as_deref().ok()].into_iter().flatten() {
        if let Ok(batch) = Batch::parse(bytes) {
            assert!(batch.rows.len() <= MAX_ROWS && batch.rows.iter().all(|row| row.len() <= MAX_ROW));
            let _ = batch.verify(&device);
        }
    }
});
