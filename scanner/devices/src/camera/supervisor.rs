//! The thread that owns a camera: opens it, hands its newest frame over, and opens it anew, with patience, when it is lost.
//!
//! Nothing else happens here, so that a driver that hangs or panics takes only pictures away. A camera is lost when it says so,
//! cannot be opened, or has given no whole picture for the deadline (damaged ones are no pictures); it is back with the first
//! whole picture, not with the opening, which proves nothing. Every loss and every return is told once.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use host::{backoff::Backoff, config};

use super::{FrameSource, Next, SourceError, open};
use crate::frame::{Damage, Frame, SlotSender};
use crate::moment;

/// Shortest pause before another attempt; it doubles up to the configured longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How soon a request to stop is noticed.
const NOTICE: Duration = Duration::from_millis(100);

/// What the camera's owner has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// Pictures arrive, for the first time or again.
    Back {
        /// What the source is and how it delivers.
        source: String,
    },
    /// No pictures arrive, and why. Told once, however often opening fails after it.
    Lost {
        /// What happened and what to try.
        why: String,
    },
    /// Something arrived that is no whole picture.
    Damaged(Damage),
    /// The source has no more pictures, as intended; the thread ends.
    Ended,
}

impl fmt::Display for SourceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Back { source } => write!(f, "pictures arrive from {source}"),
            Self::Lost { why } => write!(f, "no pictures: {why}"),
            Self::Damaged(damage) => write!(f, "a damaged picture: {damage}"),
            Self::Ended => f.write_str("there are no more pictures"),
        }
    }
}

/// Starts the thread of one camera. It ends when `stop` is set, when nobody takes frames any more, or when the source ends.
pub fn supervise(
    camera: config::Camera,
    slot: SlotSender<Frame>,
    events: impl FnMut(SourceEvent) + Send + 'static,
    stop: Arc<AtomicBool>,
) -> JoinHandle<()> {
    let patience = Patience { deadline: camera.deadline, longest_pause: camera.retry_at_most };
    supervise_with(move || open(&camera), patience, slot, events, stop)
}

/// How long a source may be silent, and how long the pauses between attempts grow.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a whole picture for this long, a source is lost.
    pub deadline: Duration,
    /// Longest pause between attempts.
    pub longest_pause: Duration,
}

/// The same for any way of opening a source: the demonstration's drawn travellers, or a test's script.
pub fn supervise_with(
    opener: impl FnMut() -> Result<Box<dyn FrameSource>, SourceError> + Send + 'static,
    patience: Patience,
    slot: SlotSender<Frame>,
    events: impl FnMut(SourceEvent) + Send + 'static,
    stop: Arc<AtomicBool>,
) -> JoinHandle<()> {
    thread::Builder::new()
        .name("camera".to_owned())
        .spawn(move || Supervisor { opener, patience, slot, events, stop, told: None }.run())
        .expect("a machine that cannot start one thread at start-up cannot run this daemon")
}

struct Supervisor<O, E> {
    opener: O,
    patience: Patience,
    slot: SlotSender<Frame>,
    events: E,
    stop: Arc<AtomicBool>,
    /// What the listener knows: pictures arrive, or not, or nothing yet.
    told: Option<SourceState>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceState {
    Delivers,
    Lost,
}

/// How one source's life ended.
enum Ending {
    /// Somebody asked for it, or has no use for frames any more.
    Stopped,
    /// It has no more.
    Ended,
    /// It is lost.
    Lost(String),
}

impl<O, E> Supervisor<O, E>
where
    O: FnMut() -> Result<Box<dyn FrameSource>, SourceError>,
    E: FnMut(SourceEvent),
{
    fn run(mut self) {
        let backoff = Backoff { first: FIRST_PAUSE, cap: self.patience.longest_pause };
        let mut failures = 0;
        while !self.stopped() {
            // Drivers speak through a crate that panics on what it does not expect; that is a lost camera, no lost daemon.
            let life = catch_unwind(AssertUnwindSafe(|| self.one_life()));
            if self.told == Some(SourceState::Delivers) {
                failures = 0;
            }
            match life.unwrap_or_else(|_| Ending::Lost("the camera's driver failed in an unexpected way".to_owned())) {
                Ending::Stopped => return,
                Ending::Ended => {
                    (self.events)(SourceEvent::Ended);
                    return;
                }
                Ending::Lost(why) => self.lost(why),
            }
            failures += 1;
            self.rest(backoff.pause(failures));
        }
    }

    /// Opens, delivers until it ends, and drops the source: a camera can only be opened anew when nobody holds it.
    fn one_life(&mut self) -> Ending {
        let mut source = match (self.opener)() {
            Ok(source) => source,
            Err(error) => return Ending::Lost(error.to_string()),
        };
        let mut last_whole = moment::now();
        loop {
            if self.stopped() {
                return Ending::Stopped;
            }
            let left = self.patience.deadline.saturating_sub(moment::now().saturating_duration_since(last_whole));
            match source.next(left.min(NOTICE)) {
                Next::Frame(frame) => {
                    last_whole = moment::now();
                    self.delivers(source.as_ref());
                    if !self.slot.put(frame) {
                        return Ending::Stopped;
                    }
                    continue;
                }
                Next::Damaged(damage) => (self.events)(SourceEvent::Damaged(damage)),
                Next::Timeout => {}
                Next::End => return Ending::Ended,
                Next::Gone(error) => return Ending::Lost(error.to_string()),
            }
            if moment::now().saturating_duration_since(last_whole) >= self.patience.deadline {
                let deadline = self.patience.deadline;
                return Ending::Lost(format!("{} gave no whole picture for {deadline:?}", source.describe()));
            }
        }
    }

    fn delivers(&mut self, source: &dyn FrameSource) {
        if self.told != Some(SourceState::Delivers) {
            self.told = Some(SourceState::Delivers);
            (self.events)(SourceEvent::Back { source: source.describe() });
        }
    }

    fn lost(&mut self, why: String) {
        if self.told != Some(SourceState::Lost) {
            self.told = Some(SourceState::Lost);
            (self.events)(SourceEvent::Lost { why });
        }
    }

    /// Waits, but not for a request to stop.
    fn rest(&self, pause: Duration) {
        let until = moment::now() + pause;
        while !self.stopped() {
            let left = until.saturating_duration_since(moment::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(NOTICE));
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use std::time::Instant;

    use super::*;
    use crate::frame::{Buffer, Slot, slot};

    const SOON: Duration = Duration::from_secs(20);
    const QUICK: Patience = Patience { deadline: Duration::from_millis(40), longest_pause: Duration::from_millis(1) };

    /// What a scripted camera does, one after the other; after the last it is silent.
    #[derive(Clone, Copy)]
    enum Does {
        Deliver,
        Damage,
        Unplug,
        Panic,
        End,
    }

    struct Script(Vec<Does>);

    impl FrameSource for Script {
        fn next(&mut self, deadline: Duration) -> Next {
            if self.0.is_empty() {
                thread::sleep(deadline);
                return Next::Timeout;
            }
            match self.0.remove(0) {
                Does::Deliver => Next::Frame(
                    Frame::new(Buffer::from(vec![0; 400]), 20, 20, 0, Instant::now()).expect("a small frame"),
                ),
                Does::Damage => Next::Damaged(Damage::Flagged),
                Does::Unplug => Next::Gone(SourceError::Absent("the camera".to_owned())),
                Does::Panic => panic!("a driver's crate gave up"),
                Does::End => Next::End,
            }
        }

        fn describe(&self) -> String {
            "a script".to_owned()
        }
    }

    /// Plays one life after the other; without more lives, opening fails. Listens until it was told `count` times, and a little longer.
    fn play(lives: &[&[Does]], count: usize) -> (Vec<String>, Instant) {
        let mut lives: Vec<Vec<Does>> = lives.iter().rev().map(|life| life.to_vec()).collect();
        let (told, heard) = mpsc::channel();
        let (sender, _receiver) = slot();
        let stop = Arc::new(AtomicBool::new(false));
        let opener = move || -> Result<Box<dyn FrameSource>, SourceError> {
            lives.pop().map_or_else(
                || Err(SourceError::Absent("it".to_owned())),
                |life| Ok(Box::new(Script(life)) as Box<dyn FrameSource>),
            )
        };
        let events = move |event: SourceEvent| told.send(event).expect("heard");
        let thread = supervise_with(opener, QUICK, sender, events, stop.clone());
        let mut all = Vec::new();
        while let Ok(event) = heard.recv_timeout(if all.len() < count { SOON } else { QUICK.deadline * 3 }) {
            all.push(event.to_string());
        }
        stop.store(true, Ordering::Relaxed);
        let asked = Instant::now();
        thread.join().expect("ended");
        (all, asked)
    }

    #[test]
    fn a_camera_that_is_unplugged_and_plugged_in_again_is_lost_once_and_back_once() {
        let (told, asked) =
            play(&[&[Does::Deliver, Does::Deliver, Does::Unplug], &[], &[Does::Deliver, Does::Unplug]], 4);
        assert_eq!(
            told,
            [
                "pictures arrive from a script",
                "no pictures: the camera is not there: check its plug, then `checkpointd camera list`",
                "pictures arrive from a script",
                "no pictures: the camera is not there: check its plug, then `checkpointd camera list`",
            ]
        );
        assert!(asked.elapsed() < SOON, "a stop is noticed while it waits");
    }

    #[test]
    fn a_camera_that_opens_and_sends_nothing_or_only_damage_is_lost() {
        let silence = "no pictures: a script gave no whole picture for 40ms";
        assert_eq!(play(&[&[]], 1).0, [silence]);
        let (told, _) = play(&[&[Does::Damage, Does::Damage]], 3);
        let damaged = "a damaged picture: the driver marked the buffer as damaged";
        assert_eq!(told, [damaged, damaged, silence]);
    }

    #[test]
    fn a_driver_that_panics_is_a_lost_camera_and_comes_back() {
        let (told, _) = play(&[&[Does::Deliver, Does::Panic], &[Does::Deliver, Does::End]], 4);
        assert_eq!(
            told,
            [
                "pictures arrive from a script",
                "no pictures: the camera's driver failed in an unexpected way",
                "pictures arrive from a script",
                "there are no more pictures",
            ]
        );
    }

    #[test]
    fn a_camera_that_is_not_there_is_told_once_however_often_it_is_tried() {
        assert_eq!(play(&[], 1).0.len(), 1);
    }

    #[test]
    fn frames_reach_the_lane_and_the_thread_ends_when_nobody_takes_them() {
        let (sender, receiver) = slot();
        let folder = tempfile::tempdir().expect("a folder");
        image::GrayImage::new(30, 20).save(folder.path().join("a.png")).expect("written");
        let camera =
            config::Camera { device: config::Device::Pictures(folder.path().to_owned()), ..config::Camera::default() };
        let thread = supervise(camera, sender, |_| {}, Arc::default());
        let Slot::Filled(frame) = receiver.take(Instant::now() + SOON) else { panic!("a frame") };
        assert_eq!((frame.width(), frame.height()), (30, 20));
        drop(receiver);
        thread.join().expect("ended");
    }
}
