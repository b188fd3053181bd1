//! `scan --explain`: what the eye saw of a picture, stage by stage, for whoever asks why a code is not read.
//!
//! The search is made again with notes taken, so an ordinary scan pays nothing for it. What is written shows the picture, and with it
//! the code: an installer's own test code belongs before the camera then, not a traveller's.

use std::{fs, path::Path};

use devices::frame::Frame;
use eye::{Budget, Eye, cause, explain, presence::Watch};
use image::{ExtendedColorType, ImageFormat};

use crate::commands::failure::Failure;

/// Writes `<picture>.txt`, a line for each thing seen or decided and at last why nothing was read, and `<picture>-<stage>.png` for bits, candidates, grid and samples.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(eye: &mut Eye, folder: &Path, picture: &Path, frame: &Frame) -> Result<(), Failure> {
    let failed = |path: &Path| Failure::new(format!("cannot write {}", path.display()));
    let (_, notes) = eye.explain(frame.luma(), Budget::picture());
    fs::create_dir_all(folder).map_err(|error| failed(folder).because(error))?;
    let name = picture.file_name().unwrap_or_default().to_string_lossy();
    let mut told: String = notes.iter().map(|note| format!("{note}\n")).collect();
    let luma = frame.luma();
    if let Some(finding) = cause::find(luma, &notes, Watch::default().look(luma)) {
        told += &format!("not read, {finding}\n");
    }
    let text = folder.join(format!("{name}.txt"));
    fs::write(&text, told).map_err(|error| failed(&text).because(error))?;
    for stage in explain::pictures(frame.luma(), &notes) {
        let path = folder.join(format!("{name}-{}.png", stage.name));
        let size = |side: usize| u32::try_from(side).expect("a frame's sides are bounded");
        let (width, height) = (size(stage.width), size(stage.height));
        image::save_buffer_with_format(&path, &stage.rgb, width, height, ExtendedColorType::Rgb8, ImageFormat::Png)
            .map_err(|error| failed(&path).because(error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::frame;

    #[test]
    fn a_picture_is_told_in_lines_and_in_four_stages() {
        let folder = tempfile::tempdir().expect("a folder");
        let code = qrcode::QrCode::new(b"explain").expect("fits");
        let side = (code.width() + 8) * 4;
        let dark = |x: usize, y: usize| {
            let inside = |at: usize| (at / 4).checked_sub(4).filter(|module| *module < code.width());
            inside(x).zip(inside(y)).is_some_and(|(x, y)| code[(x, y)] == qrcode::Color::Dark)
        };
        let pixels = (0..side * side).map(|i| if dark(i % side, i / side) { 20 } else { 230 }).collect();
        let path = folder.path().join("code.png");
        image::GrayImage::from_raw(side as u32, side as u32, pixels).expect("fits").save(&path).expect("written");
        let into = folder.path().join("why");
        write(&mut Eye::new(), &into, &path, &frame::read_picture(&path).expect("a picture")).expect("written");
        let told = fs::read_to_string(into.join("code.png.txt")).expect("told");
        assert!(told.starts_with("level 1:1\n") && told.trim_end().ends_with(": read"), "{told}");
        for stage in ["bits", "candidates", "grid", "samples"] {
            image::open(into.join(format!("code.png-{stage}.png"))).expect(stage);
        }
    }
}
