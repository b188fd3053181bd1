//! Frames that were missed once, by name. A frame that is read today is read tomorrow.

use eye::{Budget, Eye, Luma, Reader};

fn unhex(text: &str) -> Vec<u8> {
    let nibble = |c: u8| (c as char).to_digit(16).expect("the manifest is in hex") as u8;
    text.as_bytes().chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

#[test]
fn every_named_frame_is_read_as_a_picture_and_within_three_frames_of_a_stream() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frames");
    let manifest = std::fs::read_to_string(format!("{folder}/manifest.csv")).expect("it lies beside the frames");
    let mut eye = Eye::new();
    for line in manifest.lines().skip(1) {
        let mut cells = line.splitn(3, ',');
        let (file, payload) = (cells.next().expect("a name"), unhex(cells.next().expect("a payload")));
        let image = image::open(format!("{folder}/{file}")).expect("an image").to_luma8();
        let luma = Luma::new(image.as_raw(), image.width() as usize, image.height() as usize).expect("fits");
        let mut budgets = vec![Budget::picture()];
        budgets.extend((0..3).map(Budget::frame));
        let read: Vec<Vec<u8>> =
            budgets.into_iter().flat_map(|b| eye.read(luma, b).symbols).map(|s| s.payload).collect();
        if payload.is_empty() {
            assert!(read.is_empty(), "{file}: a payload that is not there");
        } else {
            assert!(read.iter().all(|p| *p == payload), "{file}: a false payload");
            assert!(read.len() >= 2, "{file} is read {} times", read.len());
        }
    }
}
