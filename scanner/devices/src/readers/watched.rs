//! Something that bytes come from, waited for no longer than it takes to notice that a text has ended or that the end is asked for.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Listener, NOTICE, framing::Framing};
use crate::moment;

/// Bytes read at once.
const AT_ONCE: usize = 4096;

/// Waits until one of these can be read; which can.
///
/// # Errors
/// When the system cannot wait for them.
pub(super) fn ready<'a>(files: impl Iterator<Item = &'a dyn AsFd>, at_most: Duration) -> io::Result<Vec<bool>> {
    let mut files: Vec<PollFd<'_>> = files.map(|file| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN)).collect();
    let at_most =
        Timespec { tv_sec: at_most.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: at_most.subsec_nanos().into() };
    match poll(&mut files, Some(&at_most)) {
        Ok(_) => Ok(files.iter().map(|file| !file.revents().is_empty()).collect()),
        Err(rustix::io::Errno::INTR) => Ok(vec![false; files.len()]),
        Err(error) => Err(error.into()),
    }
}

/// Waits until this can be read; `false` when nothing came in time.
///
/// # Errors
/// When the system cannot wait for it.
pub(super) fn wait(file: impl AsFd, at_most: Duration) -> io::Result<bool> {
    Ok(ready(std::iter::once(&file as &dyn AsFd), at_most)?[0])
}

/// Something that bytes come from.
pub(super) trait Source {
    /// Reads what is there, waiting for it; `None` when nothing came in time.
    fn read(&mut self, bytes: &mut [u8], at_most: Duration) -> io::Result<Option<usize>>;
}

/// A file.
pub(super) struct Watched<F>(pub(super) F);

impl<F: AsFd> Source for Watched<F> {
    fn read(&mut self, bytes: &mut [u8], at_most: Duration) -> io::Result<Option<usize>> {
        if !wait(&self.0, at_most)? {
            return Ok(None);
        }
        Ok(Some(rustix::io::read(&self.0, bytes)?))
    }
}

/// Hands the texts of one sender over until it ends, or nobody listens.
///
/// # Errors
/// When it cannot be read any more.
pub(super) fn texts(mut from: impl Source, listener: &Listener) -> io::Result<()> {
    let mut framing = Framing::new(moment::now());
    let mut bytes = [0; AT_ONCE];
    while !listener.stopped() {
        let wait = framing.silent_in(moment::now()).map_or(NOTICE, |silent| silent.min(NOTICE));
        let read = from.read(&mut bytes, wait)?;
        let now = moment::now();
        framing.look(now);
        let goes_on = match read {
            None => framing.silence(now).is_none_or(|piece| listener.hand_over(piece)),
            Some(0) => {
                framing.finish().map(|piece| listener.hand_over(piece));
                return Ok(());
            }
            Some(count) => {
                let mut pieces = bytes[..count].iter().filter_map(|byte| framing.take(*byte, now));
                pieces.all(|piece| listener.hand_over(piece))
            }
        };
        if !goes_on {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::atomic::Ordering, thread};

    use super::*;
    use crate::readers::tests::listener;

    #[test]
    fn a_request_to_stop_is_noticed_while_nothing_comes_and_what_comes_is_read_to_the_end() {
        let (input, mut output) = io::pipe().expect("a pipe");
        let (listener, texts_of) = listener(4);
        let stop = listener.stop.clone();
        let reading = thread::spawn(move || texts(Watched(input), &listener));
        output.write_all(b"one\ntwo\n").expect("sent");
        assert_eq!([texts_of.recv().expect("one").text(), texts_of.recv().expect("two").text()], ["one", "two"]);
        output.write_all(b"without an end").expect("sent");
        assert_eq!(texts_of.recv().expect("ended by silence").text(), "without an end");
        stop.store(true, Ordering::Relaxed);
        // The other end stays open: without looking up this would never end.
        reading.join().expect("no panic").expect("no error");
        drop(output);
    }

    #[test]
    fn what_is_sent_before_the_end_is_a_text_although_nothing_ended_it() {
        let (input, mut output) = io::pipe().expect("a pipe");
        output.write_all(b"one\r\ntwo").expect("sent");
        drop(output);
        let (listener, heard) = listener(4);
        texts(Watched(input), &listener).expect("no error");
        drop(listener);
        assert_eq!(heard.into_iter().map(|heard| heard.text()).collect::<Vec<_>>(), ["one", "two"]);
    }
}
