//! Slots between the lanes and the pages: the newest value wins, a writer never waits, a reader never gets a backlog.

use std::collections::BTreeMap;

use lane::screen::{Attention, LaneState};
use tokio::sync::watch;
use trustlist::code::MaskedName;

use crate::{
    view::{Besides, DegradedState, Hello, Preview},
    visitor::Visitor,
};

/// The slots of one lane, on the lane's side.
#[derive(Clone, Debug)]
pub struct LaneScreen {
    state: watch::Sender<LaneState>,
    preview: watch::Sender<Option<Preview>>,
    name: watch::Sender<Option<MaskedName>>,
    besides: watch::Sender<Besides>,
}

impl Default for LaneScreen {
    fn default() -> LaneScreen {
        LaneScreen {
            state: watch::Sender::new(LaneState::Closed),
            preview: watch::Sender::new(None),
            name: watch::Sender::new(None),
            besides: watch::Sender::new(Besides::default()),
        }
    }
}

impl LaneScreen {
    /// Fills the screen with `state`.
    pub fn show(&self, state: LaneState) {
        self.state.send_replace(state);
    }

    /// Shows the newest aiming picture.
    pub fn preview(&self, preview: Preview) {
        self.preview.send_replace(Some(preview));
    }

    /// Shows the bearer's name, or takes it away.
    pub fn name(&self, name: Option<MaskedName>) {
        self.name.send_replace(name);
    }

    /// Whether anybody looks; a preview need not be made for nobody.
    #[must_use]
    pub fn watched(&self) -> bool {
        self.preview.receiver_count() > 0
    }
}

/// What one page listens to.
#[derive(Debug)]
pub struct Subscription {
    /// Said once, first.
    pub hello: Hello,
    /// The lane's state.
    pub state: watch::Receiver<LaneState>,
    /// The lane's aiming picture, and the bearer's name while it is shown; of the house's visitors only.
    pub person: Option<Person>,
    /// The device's degraded states.
    pub band: watch::Receiver<Vec<DegradedState>>,
    /// Which other lanes judge, and whether this device admits anybody.
    pub besides: watch::Receiver<Besides>,
}

/// What a screen shows of whoever stands before it.
#[derive(Debug)]
pub struct Person {
    /// The lane's aiming picture.
    pub preview: watch::Receiver<Option<Preview>>,
    /// The bearer's name, while it is shown.
    pub name: watch::Receiver<Option<MaskedName>>,
}

/// All slots of the device.
#[derive(Debug)]
pub struct Hub {
    hello: Hello,
    lanes: BTreeMap<String, LaneScreen>,
    band: watch::Sender<Vec<DegradedState>>,
}

impl Hub {
    /// Over the slots that the lanes fill; `hello` is what each page is told first, with the lane's name after the checkpoint's.
    #[must_use]
    pub fn new(hello: Hello, lanes: BTreeMap<String, LaneScreen>) -> Hub {
        Hub { hello, lanes, band: watch::Sender::new(Vec::new()) }
    }

    /// Replaces the calm band on every screen, if it says anything new.
    pub fn band(&self, mut faults: Vec<DegradedState>) {
        faults.sort();
        faults.dedup();
        self.band.send_if_modified(|band| {
            let new = *band != faults;
            *band = faults;
            new
        });
    }

    /// Tells each lane's page which others judge, and whether anybody can be admitted here at all.
    pub fn besides(&self, refers_everybody: bool) {
        let judges = |screen: &LaneScreen| {
            !matches!(
                *screen.state.borrow(),
                LaneState::Closed | LaneState::Attention { hint: Attention::CameraLost | Attention::Fire }
            )
        };
        let judging: Vec<&String> =
            self.lanes.iter().filter(|(_, screen)| judges(screen)).map(|(name, _)| name).collect();
        for (name, screen) in &self.lanes {
            let lanes = judging.iter().filter(|other| **other != name).map(|other| (*other).clone()).collect();
            let now = Besides { lanes, refers_everybody };
            screen.besides.send_if_modified(|besides| {
                let new = *besides != now;
                *besides = now;
                new
            });
        }
    }

    /// A page's side of `lane`, or of the first lane when the page names none, as much of it as the visitor may see.
    #[must_use]
    pub fn subscribe(&self, lane: Option<&str>, visitor: Visitor) -> Option<Subscription> {
        let (name, screen) = match lane {
            Some(lane) => self.lanes.get_key_value(lane)?,
            None => self.lanes.first_key_value()?,
        };
        Some(Subscription {
            hello: Hello { place: format!("{} · {name}", self.hello.place), ..self.hello.clone() },
            state: screen.state.subscribe(),
            person: (visitor == Visitor::House)
                .then(|| Person { preview: screen.preview.subscribe(), name: screen.name.subscribe() }),
            band: self.band.subscribe(),
            besides: screen.besides.subscribe(),
        })
    }
}
