//! Pictures to train on: a folder as Hugging Face's `imagefolder` lays it out.
//!
//! `metadata.jsonl` has a JSON object a line: `file_name` (the picture), `mask_file_name` (where its subject is), `caption` or
//! `text`. An object may also have `control_file_name` (what a ControlNet is shown) and `identity` (pictures with the same value
//! show the same subject). File names are relative to the folder. `dreamtuner puppet dataset` writes such folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, Rgb, RgbImage};
use rayon::prelude::*;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::{picture_size, read_picture, read_text};
use crate::frame::MAX_SIDE;
use crate::picture::{Fit, fit_image};

const METADATA: &str = "metadata.jsonl";
/// Largest `metadata.jsonl` that is read, in bytes.
const MAX_METADATA_BYTES: u64 = 1 << 30;
/// More broken pictures than one in so many: something is wrong with the folder.
const MOST_BROKEN: usize = 20;

/// One picture with all that belongs to it, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The picture.
    pub image: PathBuf,
    /// Where its subject is: white.
    pub mask: PathBuf,
    /// What a ControlNet is shown.
    pub control: Option<PathBuf>,
    /// What it shows, in words.
    pub caption: String,
    /// Who it shows.
    identity: Option<String>,
}

/// The pictures of an example, all of one size.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// The picture.
    pub image: RgbImage,
    /// Where its subject is.
    pub mask: GrayImage,
    /// What a ControlNet is shown.
    pub control: Option<RgbImage>,
}

/// A folder of examples.
#[derive(Debug)]
pub struct DataFolder {
    /// Those that can be used.
    pub examples: Vec<Example>,
    /// The examples of each subject, by place, in the order of the file; without identities every example is a subject of its own.
    pub subjects: Vec<Vec<usize>>,
    /// Those that cannot: what is wrong with each.
    pub broken: Vec<String>,
    /// BLAKE3 of `metadata.jsonl`, in hexadecimal.
    pub fingerprint: String,
}

impl DataFolder {
    /// Reads a folder's list and looks at the head of every picture. `caption` names the column with the captions; `caption`, else
    /// `text` where absent.
    ///
    /// # Errors
    /// A folder without a list, lines that are not as above, more than one broken picture in twenty.
    pub fn open(folder: &Path, caption: Option<&str>) -> Result<Self> {
        let path = folder.join(METADATA);
        let text = read_text(&path, MAX_METADATA_BYTES)?;
        let lines: Vec<(usize, &str)> =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
        let examples = lines
            .par_iter()
            .map(|&(number, line)| {
                example(folder, line, caption)
                    .map_err(|problem| Error::input(&path, format!("line {}: {problem}", number + 1)))
            })
            .collect::<Result<Vec<_>>>()?;
        let problems: Vec<Option<String>> = examples.par_iter().map(Example::problem).collect();
        let broken: Vec<String> = problems.iter().flatten().cloned().collect();
        let first = broken.first().map_or("", String::as_str);
        if let Some(problem) = too_many(broken.len(), examples.len(), first) {
            return Err(Error::input(&path, problem));
        }
        let examples: Vec<Example> = examples
            .into_iter()
            .zip(problems)
            .filter_map(|(example, problem)| problem.is_none().then_some(example))
            .collect();
        if examples.is_empty() {
            return Err(Error::input(&path, "lists no pictures"));
        }
        let subjects = subjects(&examples);
        let fingerprint = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok(Self { examples, subjects, broken, fingerprint })
    }

    /// Number of examples, broken ones included.
    pub fn all(&self) -> usize {
        self.examples.len() + self.broken.len()
    }
}

/// What is to be said where too many of a folder's pictures are broken, such as `example`.
pub(super) fn too_many(broken: usize, of: usize, example: &str) -> Option<String> {
    let problem =
        || format!("{broken} of {of} pictures are broken, more than one in {MOST_BROKEN}, such as {example}");
    (broken * MOST_BROKEN > of).then(problem)
}

fn example(folder: &Path, line: &str, caption: Option<&str>) -> std::result::Result<Example, String> {
    let row: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let missing = |name: &str| format!("has no text called {name}");
    let names = caption.map_or_else(|| vec!["caption", "text"], |name| vec![name]);
    let caption = names.iter().find_map(|name| text(name)).ok_or_else(|| missing(names[0]))?;
    let file = |name: &str| text(name).map(|file| folder.join(file));
    Ok(Example {
        image: file("file_name").ok_or_else(|| missing("file_name"))?,
        mask: file("mask_file_name").ok_or_else(|| missing("mask_file_name"))?,
        control: file("control_file_name"),
        caption,
        identity: row.get("identity").filter(|identity| !identity.is_null()).map(Value::to_string),
    })
}

/// Places of examples that show the same subject.
fn subjects(examples: &[Example]) -> Vec<Vec<usize>> {
    let mut subjects: Vec<Vec<usize>> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, example) in examples.iter().enumerate() {
        let subject = match &example.identity {
            Some(identity) => *known.entry(identity).or_insert(subjects.len()),
            None => subjects.len(),
        };
        if subject == subjects.len() {
            subjects.push(Vec::new());
        }
        subjects[subject].push(place);
    }
    subjects
}

impl Example {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.image, &self.mask].into_iter().chain(&self.control)
    }

    /// What is wrong with the heads of its files.
    fn problem(&self) -> Option<String> {
        let mut first = None;
        for path in self.files() {
            let size = match picture_size(path) {
                Ok(size) => size,
                Err(error) => return Some(error.to_string()),
            };
            if size.0.max(size.1) > MAX_SIDE || size.0.min(size.1) == 0 {
                return Some(format!(
                    "{}: {}×{}; 1 to {MAX_SIDE} is allowed",
                    path.display(),
                    size.0,
                    size.1
                ));
            }
            let wanted = *first.get_or_insert(size);
            if wanted != size {
                let problem = format!("{}×{}, its picture is {}×{}", size.0, size.1, wanted.0, wanted.1);
                return Some(format!("{}: {problem}", path.display()));
            }
        }
        None
    }

    /// Reads its pictures, cut and scaled to `width` × `height`.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that cannot be decoded.
    pub fn read(&self, width: u32, height: u32) -> Result<Pictures> {
        let fitted = |image: RgbImage| fit_image(&image, width, height, Fit::Cover, Rgb([0; 3]));
        let mask = fitted(read_picture(&self.mask)?.to_rgb8());
        let control = self.control.as_ref().map(|path| Ok::<_, Error>(fitted(read_picture(path)?.to_rgb8())));
        Ok(Pictures {
            image: fitted(read_picture(&self.image)?.to_rgb8()),
            mask: GrayImage::from_fn(width, height, |x, y| Luma([mask.get_pixel(x, y).0[0]])),
            control: control.transpose()?,
        })
    }
}
