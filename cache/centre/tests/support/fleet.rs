//! A fleet of simulated gates that a test disturbs, and what must hold afterwards.

use std::time::Duration;

use centre::{
    database::Database,
    simulate::{Fault, Plan, Report, enrol, run},
};

use super::{Centre, World};

/// Twenty gates, a tenth of them troublesome, for `time`; two seconds after their beginning they are disturbed.
pub async fn fleet(world: &World, centre: &Centre, time: Duration, disturb: impl AsyncFnOnce()) -> Report {
    let plan = Plan {
        url: centre.url.clone(),
        ca: None,
        gates: 20,
        rate: 400.0,
        batch: 5,
        time,
        backlog: 50,
        health: Duration::from_secs(2),
        faults: vec![Fault::Storm, Fault::Rubbish, Fault::Clock, Fault::Repeat],
        prefix: "sim".to_owned(),
    };
    let database = Database::new(&world.postgres.settings(&world.database), 2).expect("good settings");
    let gates = enrol(&plan, &database, &centre.pinned).await.expect("enrolled");
    let running = tokio::spawn(async move { run(&plan, gates, |_| {}).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    disturb().await;
    running.await.expect("ended").expect("ran")
}

/// Every row exactly once, no gap, no wrong answer, and chains that hold.
pub fn whole(world: &World, report: &Report) {
    assert_eq!((report.wrong, report.acknowledged), (0, report.made), "{report:?}");
    assert!(report.refused > 0, "{report:?}");
    let counted = world.ask("SELECT count(*), count(DISTINCT (log, seq)) FROM entries");
    assert_eq!(counted, format!("{0}|{0}", report.made), "every row exactly once");
    assert_eq!(world.ask("SELECT sum(seq) FROM logs"), report.made.to_string(), "and no gap");
    for post in ["sim-1", "sim-2", "sim-11", "sim-20"] {
        let verified = world.command(&["verify", "--post", post]);
        assert!(verified.starts_with("sound"), "{verified}");
    }
}
