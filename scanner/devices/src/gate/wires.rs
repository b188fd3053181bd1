//! A lane's GPIO lines: relay, lights, sounder, passage sensor and fire contact, through the kernel's character device.
//!
//! Two threads a lane, and the lane waits for neither. One owns the outputs and obeys [`Panel`]; the other waits for edges and tells both the
//! first (fire reaches the relay without the lane) and the lane. All outputs are *off* from the moment the lines are had until the lane
//! speaks, and again at the end. A process that dies gives its lines back, and what they do then is the board's wiring: see `hardware.md`.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use gpiocdev::{
    Request,
    line::{EdgeDetection, EdgeKind, Value, Values},
};
use host::config;
use lane::signal::{Cues, Signal};

use super::{
    ContactEvent,
    lines::{self, ChipLine, WiringFault},
    panel::{Levels, Panel, PanelCommand},
    wiring::{self, Role},
};
use crate::moment;

/// How soon the end is noticed by the thread that waits for edges, and how often the fire contact's level is read beside its edges.
const NOTICE: Duration = Duration::from_millis(100);
/// Contacts bounce, and a beam flickers at its edge: what is shorter is not told.
const BOUNCE: Duration = Duration::from_millis(20);
/// Pause before lines that stopped working (an expander that was unplugged) are asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Two threads, and how the lane speaks with them.
#[derive(Debug)]
pub struct Wires {
    orders: Sender<Option<PanelCommand>>,
    sensed: Receiver<(ContactEvent, Instant)>,
    trouble: Arc<Trouble>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Why outputs and inputs do not work now.
#[derive(Debug, Default)]
struct Trouble(Mutex<[Option<String>; 2]>);

impl Trouble {
    fn set(&self, whose: usize, what: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[whose] = what;
    }
}

const OUTPUTS: usize = 0;
const INPUTS: usize = 1;

/// Asks for lines of one kind, again and again.
#[derive(Debug)]
struct Asking {
    chip: PathBuf,
    consumer: String,
    lines: Vec<ChipLine>,
}

impl Wires {
    /// Takes a lane's lines with every output off; `None` when it has none.
    ///
    /// # Errors
    /// When a line cannot be had.
    pub fn connect(lane: &config::Lane, cues: &Cues) -> Result<Option<Wires>, WiringFault> {
        let wires = wiring::configured(lane);
        if wires.is_empty() {
            return Ok(None);
        }
        let chip = lines::open(lane)?;
        let found =
            wires.iter().map(|wire| lines::find(&chip, wire)).collect::<Result<Vec<ChipLine>, WiringFault>>()?;
        let (inputs, outputs): (Vec<ChipLine>, Vec<ChipLine>) =
            found.into_iter().partition(|line| line.role.is_input());
        let asking =
            |lines| Asking { chip: chip.path().to_owned(), consumer: format!("checkpointd lane {}", lane.id), lines };
        let (outputs, inputs) = (asking(outputs), asking(inputs));
        // Asked for here once, so that what is wrong is said at the start.
        let (driven, heard) = (outputs.outputs()?, inputs.inputs()?);
        let panel = Panel::new(longest(lane), Signal::alarm(cues));
        let (orders, taken) = mpsc::channel();
        let (tell, sensed) = mpsc::channel();
        let (trouble, stop) = (Arc::<Trouble>::default(), Arc::<AtomicBool>::default());
        let mut threads = Vec::new();
        {
            let trouble = Arc::clone(&trouble);
            threads.push(spawn("gate", move || drive(&outputs, driven, panel, &taken, &trouble)));
        }
        if heard.is_some() {
            let (orders, trouble, stop) = (orders.clone(), Arc::clone(&trouble), Arc::clone(&stop));
            let mut listener = Listener { asking: inputs, orders, tell, alarm: false };
            threads.push(spawn("contacts", move || listener.listen(heard, &trouble, &stop)));
        }
        Ok(Some(Wires { orders, sensed, trouble, stop, threads }))
    }

    /// Hands an order over.
    pub fn order(&self, order: PanelCommand) {
        // The thread is there as long as this is.
        let _ = self.orders.send(Some(order));
    }

    /// What the inputs said since this was asked last and when, oldest first.
    pub fn sensed(&self) -> Option<(ContactEvent, Instant)> {
        self.sensed.try_recv().ok()
    }

    /// Why lines do not work now.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.0.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.iter().flatten().next().cloned()
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.orders.send(None);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the gate's lines panicked");
            }
        }
    }
}

/// Longer than the lane ever keeps a gate open: somebody stands in the beam at the last moment, and stays.
fn longest(lane: &config::Lane) -> Duration {
    lane.gate.open_for * 2 + Duration::from_secs(1)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).expect("a thread for the gate's lines")
}

impl Asking {
    fn outputs(&self) -> Result<Option<Request>, WiringFault> {
        self.request(|builder| {
            for line in &self.lines {
                lines::select(builder, *line).as_output(Value::Inactive);
            }
        })
    }

    fn inputs(&self) -> Result<Option<Request>, WiringFault> {
        self.request(|builder| {
            for line in &self.lines {
                lines::select(builder, *line)
                    .as_input()
                    .with_edge_detection(EdgeDetection::BothEdges)
                    .with_debounce_period(BOUNCE);
            }
        })
    }

    fn request(&self, add: impl FnOnce(&mut gpiocdev::request::Builder)) -> Result<Option<Request>, WiringFault> {
        if self.lines.is_empty() {
            return Ok(None);
        }
        let mut builder = Request::builder();
        builder.on_chip(&self.chip).with_consumer(self.consumer.clone());
        add(&mut builder);
        builder.request().map(Some).map_err(|cause| WiringFault::Refused(self.chip.clone(), cause))
    }

    /// Every output at what it is to be.
    fn set(&self, request: &Request, levels: Levels) -> gpiocdev::Result<()> {
        let mut values = Values::default();
        for line in &self.lines {
            let on = match line.role {
                Role::Relay => levels.relay,
                Role::Green => levels.lights.green,
                Role::Amber => levels.lights.amber,
                Role::Red => levels.lights.red,
                Role::Buzzer => levels.buzzer,
                Role::Passage | Role::Fire => continue,
            };
            values.set(line.offset, on.into());
        }
        request.set_values(&values)
    }
}

/// Obeys orders and time until the end, which switches everything off.
fn drive(
    asking: &Asking,
    mut lines: Option<Request>,
    mut panel: Panel,
    orders: &Receiver<Option<PanelCommand>>,
    trouble: &Trouble,
) {
    let began = moment::now();
    let mut shown = Levels::default();
    loop {
        let now = moment::now().saturating_duration_since(began);
        let (levels, next) = panel.at(now);
        let mut patience = next.map(|next| next.saturating_sub(now));
        if !asking.lines.is_empty() {
            let again = lines.is_none();
            if again {
                lines =
                    asking.outputs().inspect_err(|fault| trouble.set(OUTPUTS, Some(fault.to_string()))).ok().flatten();
            }
            let set = lines.as_ref().filter(|_| again || levels != shown).map(|lines| asking.set(lines, levels));
            match set {
                Some(Ok(())) => trouble.set(OUTPUTS, None),
                Some(Err(cause)) => {
                    trouble.set(OUTPUTS, Some(WiringFault::Refused(asking.chip.clone(), cause).to_string()));
                    lines = None;
                }
                None => (),
            }
            if lines.is_none() {
                patience = Some(AGAIN.min(patience.unwrap_or(AGAIN)));
            }
            shown = levels;
        }
        let order = match patience {
            Some(patience) => orders.recv_timeout(patience),
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(Some(order)) => panel.take(order, moment::now().saturating_duration_since(began)),
            Err(RecvTimeoutError::Timeout) => (),
            Ok(None) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Some(lines) = lines
        && let Err(cause) = asking.set(&lines, Levels::default())
    {
        log::error!("the gate's lines cannot be switched off: {cause}");
    }
}

/// Waits for edges.
#[derive(Debug)]
struct Listener {
    asking: Asking,
    orders: Sender<Option<PanelCommand>>,
    tell: Sender<(ContactEvent, Instant)>,
    alarm: bool,
}

impl Listener {
    fn listen(&mut self, mut lines: Option<Request>, trouble: &Trouble, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let heard = match &lines {
                Some(lines) => self.hear(lines).map_err(|cause| WiringFault::Refused(self.asking.chip.clone(), cause)),
                None => self.asking.inputs().map(|found| lines = found),
            };
            trouble.set(INPUTS, heard.as_ref().err().map(ToString::to_string));
            if heard.is_err() {
                lines = None;
                thread::sleep(AGAIN);
            }
        }
    }

    /// Waits a moment for edges. The fire contact is read as a level: it may have been closed before anybody listened.
    fn hear(&mut self, lines: &Request) -> gpiocdev::Result<()> {
        if let Some(fire) = self.line(Role::Fire) {
            self.alarm(lines.value(fire)? == Value::Active);
        }
        if !lines.wait_edge_event(NOTICE)? {
            return Ok(());
        }
        while lines.has_edge_event()? {
            let event = lines.read_edge_event()?;
            if Some(event.offset) == self.line(Role::Passage) {
                let sensed = if event.kind == EdgeKind::Rising { ContactEvent::InBeam } else { ContactEvent::BeamFree };
                // Nobody listens any more only at the end.
                let _ = self.tell.send((sensed, moment::now()));
            }
        }
        Ok(())
    }

    fn line(&self, role: Role) -> Option<u32> {
        self.asking.lines.iter().find(|line| line.role == role).map(|line| line.offset)
    }

    fn alarm(&mut self, alarm: bool) {
        if alarm == self.alarm {
            return;
        }
        self.alarm = alarm;
        let _ = self.orders.send(Some(PanelCommand::Alarm(alarm)));
        let _ = self.tell.send((if alarm { ContactEvent::Alarm } else { ContactEvent::AlarmOver }, moment::now()));
    }
}
