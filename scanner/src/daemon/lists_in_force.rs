//! The lists in force, as lanes see them, and how the lists are, as the report sees them. The list updater fills both.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use sync::{
    lists::{ListRemark, LoadedLists},
    update::{activation::PendingUpdate, round::LastSync},
};
use tokio::sync::watch;
use trustlist::trust::Trust;

/// The lists that everybody judges by, replaced as one value. Clones are the same lists.
#[derive(Clone)]
pub struct ListsInForce {
    trust: Arc<ArcSwap<Trust>>,
    wanted: Arc<AtomicBool>,
}

impl ListsInForce {
    /// Begins with these.
    pub fn new(trust: Trust) -> ListsInForce {
        ListsInForce { trust: Arc::new(ArcSwap::from_pointee(trust)), wanted: Arc::default() }
    }

    /// The lists of this moment.
    pub fn now(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// A code asks for newer lists than are here.
    pub fn want_newer(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether a code asked for newer lists since this was last asked.
    pub fn newer_are_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Puts newer lists in force, whole, and what is to be said of them beside.
    pub fn replace(&self, lists: LoadedLists, health: &ListsHealth) {
        self.trust.store(Arc::new(lists.trust));
        health.0.send_modify(|now| now.remarks = lists.remarks);
    }
}

/// How the lists are: what the report says of them beside their ages. Clones are the same.
#[derive(Clone, Default)]
pub struct ListsHealth(watch::Sender<ListsState>);

/// What is said of the lists at one moment.
#[derive(Clone, Debug, Default)]
pub struct ListsState {
    /// What is not as it should be with where they come from.
    pub remarks: Vec<ListRemark>,
    /// Newer lists that wait, and why.
    pub held: Option<PendingUpdate>,
    /// What came of the latest sync, whoever did it.
    pub sync: LastSync,
}

impl ListsHealth {
    /// As it is at this moment.
    pub fn now(&self) -> ListsState {
        self.0.borrow().clone()
    }

    /// What came of a sync that could write nothing into the store.
    pub fn sync_failed(&self, why: String) {
        self.0.send_modify(|now| now.sync.last_result = Some(why));
    }

    /// What the store says of the latest sync.
    pub fn synced(&self, sync: LastSync) {
        self.0.send_modify(|now| now.sync = sync);
    }

    /// What waits now; what waited before.
    pub fn hold(&self, held: Option<PendingUpdate>) -> Option<PendingUpdate> {
        let mut before = None;
        self.0.send_modify(|now| before = std::mem::replace(&mut now.held, held));
        before
    }
}
