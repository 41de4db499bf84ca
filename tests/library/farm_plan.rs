//! How long many machines take, foretold.

use dreamtuner::farm::plan::{Costs, Failures, Forecast, forecast};
use proptest::prelude::*;

const PLAIN: Costs = Costs { per_frame: 2.0, start: 10.0, failures: None };

fn of(frames: &[usize], machines: usize, costs: &Costs) -> Forecast {
    forecast(frames, machines, costs).unwrap()
}

fn seconds(forecast: &Forecast) -> f64 {
    forecast.until_done.as_secs_f64()
}

#[test]
fn machines_take_the_next_shot_once_they_are_free() {
    // 30, 20 and 14 seconds: the third goes to the machine that is free first.
    let two = of(&[10, 5, 2], 2, &PLAIN);
    assert_eq!((seconds(&two), two.work.as_secs_f64()), (34.0, 64.0));
    assert!((two.idle - (1.0 - 64.0 / 68.0)).abs() < 1e-9);
    let one = of(&[10, 5, 2], 1, &PLAIN);
    assert_eq!((seconds(&one), one.idle), (64.0, 0.0));
    // No more machines than shots have work.
    let many = of(&[10, 5, 2], 10_000, &PLAIN);
    assert_eq!(seconds(&many), 30.0);
    assert!((many.idle - (1.0 - 64.0 / 300_000.0)).abs() < 1e-9);
    assert_eq!(seconds(&of(&[], 4, &PLAIN)), 0.0);
}

#[test]
fn a_task_goes_on_after_its_last_finished_frame() {
    // One machine, one shot: all frames but those in progress count, each start is paid again.
    let failures = Failures { every: 400.0, back_after: 60.0, seed: 7 };
    let costs = Costs { failures: Some(failures), ..PLAIN };
    let failing = of(&[1000], 1, &costs);
    let lost = failing.work.as_secs_f64() - 2010.0;
    let each = lost / failing.failures as f64;
    assert!(failing.failures > 1, "{failing:?}");
    assert!((0.0..=PLAIN.start + PLAIN.per_frame).contains(&each), "{each} s lost at each failure");
    let waited = seconds(&failing) - failing.work.as_secs_f64();
    assert!((waited - 60.0 * failing.failures as f64).abs() < 1e-3, "{waited}");
}

#[test]
fn failures_come_as_often_as_is_said() {
    let failures = Failures { every: 3600.0, back_after: 0.0, seed: 1 };
    let costs = Costs { failures: Some(failures), ..PLAIN };
    let failing = of(&[100; 20_000], 10_000, &costs);
    let expected = failing.work.as_secs_f64() / 3600.0;
    let share = failing.failures as f64 / expected;
    assert!((0.95..1.05).contains(&share), "{} failures in {expected} hours", failing.failures);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |costs: &Costs, machines| forecast(&[10], machines, costs).unwrap_err().to_string();
    assert!(refused(&PLAIN, 0).contains("machines"));
    assert!(refused(&PLAIN, 100_001).contains("1 to 100000"));
    assert!(refused(&Costs { per_frame: f64::NAN, ..PLAIN }, 1).contains("seconds-per-frame"));
    assert!(refused(&Costs { start: -1.0, ..PLAIN }, 1).contains("start-up"));
    let failing =
        |every, back_after| Costs { failures: Some(Failures { every, back_after, seed: 0 }), ..PLAIN };
    assert!(refused(&failing(0.0, 1.0), 1).contains("fails-every"));
    assert!(refused(&failing(10.0, f64::INFINITY), 1).contains("back-after"));
    assert!(refused(&failing(0.01, 1.0), 1).contains("again and again"));
}

proptest! {
    #[test]
    fn forecasts_lie_within_the_bounds_of_graham(
        frames in prop::collection::vec(1_usize..500, 1..60),
        machines in 1_usize..50,
    ) {
        let forecast = of(&frames, machines, &PLAIN);
        let takes = |frames: &usize| PLAIN.start + *frames as f64 * PLAIN.per_frame;
        let (work, longest) = (frames.iter().map(takes).sum::<f64>(), frames.iter().map(takes).fold(0.0, f64::max));
        prop_assert!((forecast.work.as_secs_f64() - work).abs() < 1e-3);
        prop_assert!(seconds(&forecast) >= (work / machines as f64).max(longest) - 1e-3);
        prop_assert!(seconds(&forecast) <= work / machines as f64 + longest + 1e-3);
        prop_assert!((0.0..1.0).contains(&forecast.idle));
    }
}
