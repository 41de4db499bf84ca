//! `dreamtuner batch`: many clips as one, for many machines.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::animate::Batch;
use dreamtuner::animate::batch::{BATCH, BatchClip};
use dreamtuner::files::{read_options, read_text};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::{Error, Result};
use serde_json::json;
use toml::Table;

use crate::animate::AnimateArgs;
use crate::batch_table::clips;
use crate::config_file::{self, named_by};
use crate::exit;
use crate::progress::Display;
use crate::say::{print, say};
use crate::signal::stop_on_signal;
use crate::split::{CLIP, DivisionArgs, OPTIONS, absolute, split_into};

/// Shown below the help of `batch`.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner batch clips.toml -o all.batch
  dreamtuner farm slurm all.batch --submit -- --partition gpu --gres gpu:1
  dreamtuner animate --split all.batch --shot 0          # or shot by shot
  dreamtuner merge all.batch

clips.toml: any options of animate, for all clips; under [each] lists of which every combination is a clip:
  output = \"out/{reference}-{pose}-{seed}.mp4\"
  steps = 20
  [each]
  reference = [\"hero.png\", \"villain.png\"]
  pose = [\"wave.json\", \"dance.mp4\"]
  seed = [1, 2]";

/// Options of `dreamtuner batch`.
#[derive(Debug, Args)]
pub struct BatchArgs {
    /// The clips: .toml, or .csv with a line for each clip and options as its columns
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// The new folder for all clips; what was cut off goes on
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Options of all clips, as TOML; those of the table win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    division: DivisionArgs,
    /// Events as JSON on the standard output, one a line
    #[arg(long)]
    json: bool,
}

/// A clip of the table.
struct Row {
    options: AnimateArgs,
    output: PathBuf,
    /// Its folder in the one of all clips.
    folder: String,
}

/// Splits each clip of a table.
pub fn batch(arguments: &BatchArgs) -> Result<i32> {
    let (table, target) = (&arguments.table, &arguments.output);
    let shared = arguments.config.as_deref().map_or(Ok(Table::new()), read_options)?;
    let rows = clips(table, &shared)?.into_iter().enumerate();
    let rows = rows.map(|(number, options)| row(table, number, options)).collect::<Result<Vec<_>>>()?;
    let file = target.join(BATCH);
    if file.exists() {
        return Err(Error::output(target, "already holds clips"));
    }
    // All that can be found wrong in options and names, before the first one is read.
    for row in &rows {
        row.options.job()?;
        Reservation::new(vec![Wanted::clip(&row.output)], &[table], false)?;
    }
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = Display::new(arguments.json);
    let mut batch = Batch { clips: Vec::new() };
    let mut first = 0;
    for Row { options, output, folder } in rows {
        let own = target.join(&folder);
        let split = if is_split(&options, &own)? {
            dreamtuner::animate::split::Split::read(&own)
        } else {
            split_into(&options, &own, arguments.division.division(), &interrupt, &mut display)
        };
        if matches!(split, Err(Error::Interrupted)) {
            return Ok(exit::INTERRUPTED);
        }
        let shots = split?.shots.len();
        let last = (first + shots).saturating_sub(1);
        if arguments.json {
            display.event(json!({"event": "clip", "folder": own, "output": output, "shots": shots}));
        } else {
            say(format_args!("shots {first} to {last}: {}", output.display()));
        }
        batch.clips.push(BatchClip { folder: folder.into(), output, shots });
        first += shots;
    }
    let text = serde_json::to_vec_pretty(&batch).map_err(|error| Error::output(&file, error.to_string()))?;
    let mut reserved =
        Reservation::begin(vec![Wanted::File(file.clone())], &[table], false, &format!("{batch:?}"))?;
    reserved.file(&file)?.write_bytes(&text)?;
    reserved.finish()?;
    if arguments.json {
        display.event(json!({"event": "batch", "shots": first, "written": target}));
        return Ok(exit::SUCCESS);
    }
    print(&target.display().to_string())?;
    Ok(exit::SUCCESS)
}

fn row(table: &Path, number: usize, mut options: Table) -> Result<Row> {
    let output = options.insert("output".into(), CLIP.into());
    let output = absolute(Path::new(output.as_ref().and_then(|output| output.as_str()).unwrap_or_default()))?;
    let name: String = output.file_stem().unwrap_or_default().to_string_lossy().into();
    let problem = |problem| Error::input(table, format!("clip {}: {problem}", number + 1));
    let options: AnimateArgs =
        config_file::options_from(table, &options).map_err(|error| problem(error.to_string()))?;
    options.refuse_outputs().map_err(|error| problem(error.to_string()))?;
    Ok(Row { options, output, folder: format!("{number:05}-{name}.split") })
}

/// Whether a clip was split before into its folder, from the same options.
fn is_split(options: &AnimateArgs, folder: &Path) -> Result<bool> {
    const LONGEST: u64 = 1 << 24;
    let file = folder.join(OPTIONS);
    Ok(file.exists() && read_text(&file, LONGEST)? == config_file::text(options, &file)?)
}

/// The command line with a shot of many clips named by the folder of its own clip, and its number there.
///
/// # Errors
/// A damaged folder, and a shot that is not there.
pub fn addressed(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    if arguments.get(1).is_none_or(|command| command != "animate") {
        return Ok(arguments);
    }
    let named = named_by("--split", &arguments).zip(named_by("--shot", &arguments));
    let shot = named.as_ref().and_then(|(_, shot)| shot.to_str()?.parse().ok());
    let Some((folder, shot)) = named.as_ref().map(|(folder, _)| Path::new(folder)).zip(shot) else {
        return Ok(arguments);
    };
    let Some(batch) = Batch::read(folder)? else { return Ok(arguments) };
    let (clip, shot) = batch.clip_of(shot)?;
    let mut split = OsString::from("--split=");
    split.push(folder.join(&clip.folder));
    // The last one wins.
    Ok(arguments.into_iter().chain([split, format!("--shot={shot}").into()]).collect())
}
