//! A Unix socket of ours: any program of the installer's may send texts to it.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixListener,
    },
    path::Path,
    thread,
};

use super::{Listener, NOTICE, lines};

/// Accepts one sender after the other.
pub(super) fn serve(path: &Path, listener: &Listener) -> io::Result<()> {
    // Left over from a daemon that was killed; anything but a socket is somebody else's and stays.
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    socket.set_nonblocking(true)?;
    while !listener.stopped() {
        match socket.accept() {
            Ok((sender, _)) => {
                sender.set_nonblocking(false)?;
                sender.set_read_timeout(Some(NOTICE))?;
                if let Err(error) = lines::read(sender, listener) {
                    log::debug!("a sender at {} ended: {error}", path.display());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(NOTICE / 10),
            Err(error) => return Err(error),
        }
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        os::unix::net::UnixStream,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
        time::Duration,
    };

    use super::*;

    #[test]
    fn two_senders_after_each_other_are_heard_and_the_socket_is_gone_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("codes");
        let (sender, texts) = mpsc::sync_channel(4);
        let stop = Arc::new(AtomicBool::new(false));
        let listener = Listener { texts: sender, stop: Arc::clone(&stop), answer: None };
        let there = path.clone();
        let thread = thread::spawn(move || serve(&there, &listener));
        for text in ["MR1:A", "MR1:B"] {
            let mut stream = loop {
                match UnixStream::connect(&path) {
                    Ok(stream) => break stream,
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            };
            writeln!(stream, "{text}").expect("sent");
            let heard = texts.recv_timeout(Duration::from_secs(20)).expect("heard");
            assert_eq!(heard.apart().0, text);
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().expect("no panic").expect("an orderly end");
        assert!(!path.exists());
    }
}
