//! What commands print.

use std::io::{self, Write};

use serde::Serialize;

use super::failure::{Exit, Failure};

/// Prints to standard output. A reader that has gone (`| head`) ends the command without a word, as it does other programs.
pub fn print(text: &str) {
    let mut output = io::stdout().lock();
    if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Prints one value, as JSON or for people.
///
/// # Errors
/// When the value has no JSON form.
pub fn print_as<T: Serialize>(what: &T, json: bool, text: fn(&T) -> String) -> Result<Exit, Failure> {
    let shown = if json {
        serde_json::to_string_pretty(what).map_err(|error| Failure::new("cannot print it").because(error))?
    } else {
        text(what)
    };
    print(&format!("{}\n", shown.trim_end()));
    Ok(Exit::Ok)
}
