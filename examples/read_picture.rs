//! A reader that drives the eye: a picture goes in, the symbols in it come out. No list is asked and nothing is believed.
//!
//!     cargo run --package tests --example read_picture -- scanner/eye/tests/frames/gate-plain.jpg

use std::{error::Error, path::Path, process::ExitCode};

use eye::{Budget, Eye, Luma, Reader, Symbol};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: read_picture PICTURE");
        return ExitCode::from(2);
    };
    match read(Path::new(&path)) {
        Ok(symbols) if symbols.is_empty() => {
            println!("no symbol");
            ExitCode::from(12)
        }
        Ok(symbols) => {
            symbols.iter().for_each(|symbol| println!("{}", line(symbol)));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", Path::new(&path).display());
            ExitCode::FAILURE
        }
    }
}

/// The symbols of a picture.
fn read(path: &Path) -> Result<Vec<Symbol>, Box<dyn Error>> {
    let plane = image::open(path)?.into_luma8();
    let luma = Luma::new(&plane, plane.width() as usize, plane.height() as usize)?;
    // A picture is looked at once, so it may cost more than a frame; a camera's loop gives `Budget::frame(number)`, and keeps its
    // `Eye`, which remembers where it found something.
    Ok(Eye::new().read(luma, Budget::picture()).symbols)
}

/// What is printed of a symbol: where it is and how large, and not what it says.
fn line(symbol: &Symbol) -> String {
    let center = symbol.center();
    format!(
        "{:?} at level {}, around {:.0},{:.0}: {} bytes",
        symbol.version,
        symbol.ec_level,
        center.x,
        center.y,
        symbol.payload.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_a_code_gives_one_symbol_and_an_empty_one_none() {
        let frames = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scanner/eye/tests/frames");
        let symbols = read(&frames.join("gate-plain.jpg")).expect("a picture");
        assert_eq!(symbols.len(), 1);
        assert!(line(&symbols[0]).contains("at level"), "{}", line(&symbols[0]));
        assert!(read(&frames.join("gate-empty.jpg")).expect("a picture").is_empty());
        assert!(read(&frames.join("manifest.csv")).is_err(), "a table is no picture");
    }
}
