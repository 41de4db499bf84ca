//! `--grid`: a picture for each value of an option.

use std::str::FromStr;

use dreamtuner::still::Labels;
use dreamtuner::{Error, Result};

/// Most pictures of a grid.
const MOST_CELLS: usize = 10_000;
/// Options of the machine, which is the same for all pictures.
const OF_THE_MACHINE: [&str; 4] = ["device", "dtype", "low-memory", "threads"];

/// An option with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    name: String,
    values: Vec<String>,
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, values) =
            text.split_once('=').ok_or_else(|| format!("{text}: not of the form option=values"))?;
        let between = if values.contains('|') { '|' } else { ',' };
        let values: Vec<String> = values.split(between).map(|value| value.trim().to_owned()).collect();
        let name = name.trim().trim_start_matches("--").to_owned();
        match OF_THE_MACHINE.contains(&name.as_str()) {
            true => Err(format!("{name}: is the same for all pictures")),
            false => Ok(Self { name, values }),
        }
    }
}

/// What pictures differ in.
#[derive(Debug)]
pub struct Grid {
    /// For each picture, row by row, the options that it has of its own.
    pub cells: Vec<Vec<(String, String)>>,
    /// What stands beside the pictures.
    pub labels: Labels,
}

impl Grid {
    /// The pictures for all values of up to two axes. `number` is one too: so many seeds from `seed` on.
    ///
    /// # Errors
    /// [`Error::Setting`]: more axes, an option twice, too many pictures.
    pub fn new(axes: &[Axis], number: u32, seed: u64) -> Result<Self> {
        let mut axes = axes.to_vec();
        if number > 1 {
            let values = (0..u64::from(number)).map(|place| seed.wrapping_add(place).to_string()).collect();
            axes.push(Axis { name: "seed".into(), values });
        }
        let fail = |problem: String| Err(Error::setting("grid", problem));
        let count = axes.iter().map(|axis| axis.values.len()).try_fold(1usize, usize::checked_mul);
        if count.is_none_or(|count| count > MOST_CELLS) {
            return fail(format!("gives more than {MOST_CELLS} pictures"));
        }
        match axes.as_slice() {
            [] => Ok(Self { cells: vec![Vec::new()], labels: Labels::default() }),
            [axis] => {
                let cells: Vec<_> = axis.values.iter().map(|value| vec![axis.with(value)]).collect();
                let labels = axis.values.iter().map(|value| axis.label(value)).collect();
                Ok(Self { cells, labels: Labels::Each(labels) })
            }
            [across, down] if across.name != down.name => {
                let row = |below: &String| {
                    let cell = |value: &String| vec![across.with(value), down.with(below)];
                    across.values.iter().map(cell).collect::<Vec<_>>()
                };
                Ok(Self {
                    cells: down.values.iter().flat_map(row).collect(),
                    labels: Labels::Table {
                        corner: across.name.clone(),
                        columns: across.values.clone(),
                        rows: down.values.iter().map(|value| down.label(value)).collect(),
                    },
                })
            }
            [axis, _] => fail(format!("{} is there twice", axis.name)),
            _ => fail(format!("{} options, counting -n; 2 are allowed", axes.len())),
        }
    }
}

impl Axis {
    fn with(&self, value: &str) -> (String, String) {
        (self.name.clone(), value.to_owned())
    }

    fn label(&self, value: &str) -> String {
        format!("{} {value}", self.name)
    }
}
