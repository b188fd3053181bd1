//! A file that is waited for, but never for so long that a request to stop goes unnoticed.

use std::{
    io::{self, Read},
    os::fd::AsFd,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::NOTICE;

/// Waits until something can be read there.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing came within [`NOTICE`].
pub(super) fn wait(file: impl AsFd) -> io::Result<()> {
    let at_most = Timespec { tv_sec: 0, tv_nsec: NOTICE.subsec_nanos().into() };
    match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&at_most))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Reads like this, without a buffer of its own.
pub(super) struct Watched<F>(pub(super) F);

impl<F: AsFd> Read for Watched<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        wait(&self.0)?;
        Ok(rustix::io::read(&self.0, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, atomic::Ordering, mpsc},
    };

    use super::*;
    use crate::readers::{Listener, lines};

    #[test]
    fn a_request_to_stop_is_noticed_while_nothing_comes_and_what_comes_is_read_to_the_end() {
        let (input, mut output) = io::pipe().expect("a pipe");
        let (sender, texts) = mpsc::sync_channel(4);
        let listener = Listener { texts: sender, stop: Arc::default(), answer: None };
        let stop = listener.stop.clone();
        let reading = std::thread::spawn(move || lines::read(Watched(input), &listener));
        output.write_all(b"one\ntwo\n").expect("sent");
        let heard = || texts.recv().expect("a text").apart().0;
        assert_eq!([heard(), heard()], ["one", "two"]);
        stop.store(true, Ordering::Relaxed);
        // The other end stays open: without looking up this would never end.
        reading.join().expect("no panic").expect("no error");
        drop(output);
    }
}
