//! An engine on a serial port: 8 data bits, no parity, one stop bit.

use std::{io, path::Path};

use super::{Listener, NOTICE, lines};

/// Reads until it is unplugged.
pub(super) fn read(port: &Path, baud: u32, listener: &Listener) -> io::Result<()> {
    let name = port.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let port = serialport::new(name, baud).timeout(NOTICE).open().map_err(io::Error::from)?;
    lines::read(port, listener)
}
