//! How long many machines take for the shots of a clip: a simulation of a queue, as Slurm and Deadline Cloud have one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use dreamtuner_random::Random;

use crate::error::{Error, Result};

/// Most machines that are simulated.
pub const MOST_MACHINES: usize = 100_000;
/// Failures of one task after which a farm is not worth simulating.
const MOST_FAILURES: usize = 1000;

/// What tasks take, and what goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Seconds for a frame.
    pub per_frame: f64,
    /// Seconds from the start of a task to its first frame: weights are read.
    pub start: f64,
    /// What goes wrong; nothing where absent.
    pub failures: Option<Failures>,
}

/// How often machines fail while they work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failures {
    /// Mean seconds of one machine's work from a failure to the next one.
    pub every: f64,
    /// Seconds until the machine works again, and its task is in the queue again.
    pub back_after: f64,
    /// Decides when they fail.
    pub seed: u64,
}

/// What is expected of some machines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// How many machines there are.
    pub machines: usize,
    /// Until the last shot is rendered.
    pub until_done: Duration,
    /// The time of all machines in which they work.
    pub work: Duration,
    /// The share of all machines' time in which they wait, until the last shot is rendered, 0 to 1.
    pub idle: f64,
    /// How often a machine has failed.
    pub failures: usize,
}

impl Costs {
    /// Refuses what cannot be.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        let is_time = |seconds: f64| (0.0..=1e9).contains(&seconds);
        let refused = |name: &str, seconds: f64| {
            Err(Error::setting(name, format!("{seconds}; 0 to 1e9 seconds are allowed")))
        };
        match self {
            costs if !is_time(costs.per_frame) => refused("seconds-per-frame", costs.per_frame),
            costs if !is_time(costs.start) => refused("start-up", costs.start),
            Self { failures: Some(failures), .. } if failures.every.is_nan() || failures.every <= 0.0 => {
                Err(Error::setting("fails-every", "more than 0 hours are needed"))
            }
            Self { failures: Some(failures), .. } if !is_time(failures.back_after) => {
                refused("back-after", failures.back_after)
            }
            _ => Ok(()),
        }
    }
}

/// A task of the queue.
struct Task {
    /// Frames that are still to be rendered.
    frames: usize,
    failures: usize,
}

/// Gives shots of so many `frames` to `machines`, in their order: each takes the next one once it is free. A task whose machine fails goes on
/// after its last finished frame, on any machine.
///
/// # Errors
/// [`Error::Setting`] for costs that cannot be, no machine or more than [`MOST_MACHINES`], and machines that fail before they have rendered
/// a frame, again and again.
pub fn forecast(frames: &[usize], machines: usize, costs: &Costs) -> Result<Forecast> {
    costs.check()?;
    if !(1..=MOST_MACHINES).contains(&machines) {
        return Err(Error::setting("machines", format!("{machines}; 1 to {MOST_MACHINES} are allowed")));
    }
    let mut random =
        Random::named(costs.failures.map_or(0, |failures| failures.seed), "failures of machines");
    let mut tasks: Vec<Task> = frames.iter().map(|frames| Task { frames: *frames, failures: 0 }).collect();
    // When each task can begin, and when each machine is free, in nanoseconds.
    let mut queue: BinaryHeap<Reverse<(u64, usize)>> =
        (0..tasks.len()).map(|task| Reverse((0, task))).collect();
    let mut free: BinaryHeap<Reverse<u64>> = (0..machines).map(|_| Reverse(0)).collect();
    let (mut end, mut work, mut failures) = (0, 0.0, 0);
    while let (Some(Reverse((ready, number))), Some(Reverse(idle_since))) = (queue.pop(), free.pop()) {
        let begin = ready.max(idle_since);
        let task = &mut tasks[number];
        let needed = costs.start + task.frames as f64 * costs.per_frame;
        let failure = costs.failures.map(|failures| (failures, failures.next(&mut random)));
        let Some((failure, after)) = failure.filter(|(_, after)| *after < needed) else {
            work += needed;
            end = end.max(begin + nanoseconds(needed));
            free.push(Reverse(begin + nanoseconds(needed)));
            continue;
        };
        let rendered = ((after - costs.start).max(0.0) / costs.per_frame) as usize;
        task.frames -= rendered.min(task.frames);
        task.failures += 1;
        if task.failures > MOST_FAILURES {
            let problem = "machines fail before a frame is rendered, again and again";
            return Err(Error::setting("fails-every", problem));
        }
        (work, failures) = (work + after, failures + 1);
        let again = begin + nanoseconds(after + failure.back_after);
        queue.push(Reverse((again, number)));
        free.push(Reverse(again));
    }
    let held = machines as f64 * seconds(end);
    let idle = if held > 0.0 { (1.0 - work / held).max(0.0) } else { 0.0 };
    let work = Duration::from_secs_f64(work);
    Ok(Forecast { machines, until_done: Duration::from_nanos(end), work, idle, failures })
}

impl Failures {
    /// Seconds of work until the next one: they come at any time, as likely.
    fn next(&self, random: &mut Random) -> f64 {
        // 1 − u is above 0, so that its logarithm is finite.
        -self.every * f64::from(1.0 - random.unit()).ln()
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
