//! `dreamtuner farm plan`: how long many machines take.

use std::path::PathBuf;

use clap::Args;
use dreamtuner::animate::status::{ShotStatus, status};
use dreamtuner::farm::plan::{Costs, Failures, Forecast, forecast};
use dreamtuner::{Error, Result};
use indicatif::FormattedDuration;
use serde_json::json;

use crate::say::print;

/// Options of `dreamtuner farm plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The folder that `dreamtuner split` or `batch` has made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// How many machines there are
    #[arg(long, value_name = "COUNT,...", value_delimiter = ',', default_value = "1,4,16,64")]
    machines: Vec<usize>,
    /// Seconds for a frame; what the finished shots took where absent
    #[arg(long, value_name = "SECONDS")]
    seconds_per_frame: Option<f64>,
    /// Seconds from the start of a task to its first frame; what the finished shots took where absent
    #[arg(long, value_name = "SECONDS")]
    start_up: Option<f64>,
    /// Each machine fails once in so many hours of its work, on average; never where absent
    #[arg(long, value_name = "HOURS")]
    fails_every: Option<f64>,
    /// Seconds after which a machine that failed works again, and its task is in the queue again
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0, requires = "fails_every")]
    back_after: f64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints what is expected.
pub fn plan(arguments: &PlanArgs) -> Result<()> {
    let shots = status(&arguments.folder)?;
    let left = shots.iter().filter(|shot| !shot.is_complete);
    let left: Vec<usize> = left.map(|shot| shot.shot.rendered().saturating_sub(shot.finished)).collect();
    let per_frame = arguments.seconds_per_frame.or(mean(&shots, |shot| shot.seconds_per_frame));
    let unknown = "is needed: no shot is finished yet that would tell; \
                   `dreamtuner animate --split FOLDER --shot 0` renders one";
    let costs = Costs {
        per_frame: per_frame.ok_or_else(|| Error::setting("seconds-per-frame", unknown))?,
        start: arguments.start_up.or(mean(&shots, |shot| shot.start_seconds)).unwrap_or(0.0),
        failures: arguments.fails_every.map(|hours| Failures {
            every: hours * 3600.0,
            back_after: arguments.back_after,
            seed: 0,
        }),
    };
    let of_machines = |machines: &usize| forecast(&left, *machines, &costs);
    let forecasts = arguments.machines.iter().map(of_machines).collect::<Result<Vec<_>>>()?;
    let Costs { start, per_frame, .. } = costs;
    if arguments.json {
        let rows: Vec<_> = forecasts.iter().map(as_json).collect();
        let text = json!({
            "start_seconds": start, "seconds_per_frame": per_frame, "shots": left.len(), "machines": rows,
        });
        return print(&text.to_string());
    }
    let (count, frames) = (left.len(), left.iter().sum::<usize>());
    let of = format!(
        "{count} shots, {frames} frames; {per_frame:.2} s a frame, {start:.1} s before the first of a shot"
    );
    print(&forecasts.iter().map(row).fold(format!("{of}\n{HEAD}"), |text, row| format!("{text}\n{row}")))
}

/// The mean of what is known of shots.
pub fn mean(shots: &[ShotStatus], of: fn(&ShotStatus) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = shots.iter().filter_map(of).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

const HEAD: &str = "machines   done after    machine hours   idle   failures";

fn row(of: &Forecast) -> String {
    let (done, hours) = (FormattedDuration(of.until_done).to_string(), of.work.as_secs_f64() / 3600.0);
    let idle = 100.0 * of.idle;
    format!("{:<10} {done:<13} {hours:<15.2} {:<6} {}", of.machines, format!("{idle:.0} %"), of.failures)
}

fn as_json(of: &Forecast) -> serde_json::Value {
    json!({
        "machines": of.machines,
        "seconds": of.until_done.as_secs_f64(),
        "machine_hours": of.work.as_secs_f64() / 3600.0,
        "idle": of.idle,
        "failures": of.failures,
    })
}
