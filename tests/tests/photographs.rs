//! Real photographs of QR codes with known texts: what share is read. The photographs are by others and lie beside the project; where they
//! do not, the test says so and passes.

use std::{collections::BTreeMap, fs, path::Path};

use data_encoding::HEXLOWER;
use eye::{Budget, Eye, Reader};

/// Less than this share of the photographs that anybody can read would be a step back.
const FLOOR: f64 = 0.85;

#[test]
fn most_photographs_that_anybody_can_read_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/photos");
    let Ok(manifest) = fs::read_to_string(folder.join("manifest.csv")) else {
        println!("the photographs are not beside the project; nothing is read");
        return;
    };
    let mut sets: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut eye = Eye::new();
    for line in manifest.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [file, set, .., expected] = fields.as_slice() else { continue };
        if expected.is_empty() {
            continue;
        }
        let frame = devices::frame::read_picture(&folder.join(file)).expect("a picture");
        let reading = eye.read(frame.luma(), Budget::picture());
        let read = reading.symbols.iter().any(|symbol| {
            let payload = HEXLOWER.encode(&symbol.payload);
            expected.split('|').any(|expected| expected == payload)
        });
        let count = sets.entry((*set).to_owned()).or_default();
        count.0 += usize::from(read);
        count.1 += 1;
    }
    let (read, all) = sets.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    for (set, (read, all)) in &sets {
        println!("{set:<22} {read:>3} of {all}");
    }
    println!("photographs read: {read} of {all}");
    assert!(read as f64 >= FLOOR * all as f64, "{read} of {all}");
}
