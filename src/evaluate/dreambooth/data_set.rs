//! The data set's layout: a folder of pictures for each subject, and `prompts_and_classes.txt`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::files::read_text;
use crate::video::pictures_in;

/// The file that names subjects, their classes and the prompts.
const MAX_BYTES: u64 = 1 << 20;
const INDEX: &str = "prompts_and_classes.txt";
/// Heading of the table of subjects.
const TABLE: &str = "subject_name,class";
/// What the heading of a list of prompts ends with.
const PROMPTS: &str = "Prompts";
/// What the heading of the prompts for animals begins with.
const LIVE: &str = "Live";
/// The classes of the data set that are alive.
const LIVE_CLASSES: [&str; 2] = ["cat", "dog"];

/// Subjects with their pictures and prompts.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The subjects, in the order of the file.
    pub subjects: Vec<Subject>,
}

/// One subject.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name, which is that of its folder.
    pub name: String,
    /// What it is: a word or two of the prompts.
    pub class: String,
    /// Its real pictures, in natural order.
    pub pictures: Vec<PathBuf>,
    /// The prompts for it.
    pub prompts: Arc<[Prompt]>,
}

/// A prompt as the file has it: `{0}` stands for the subject's word, `{1}` for its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt(pub String);

impl Prompt {
    /// The text for a class, without a word for the subject.
    pub fn text(&self, class: &str) -> String {
        let text = self.0.replace("{0}", "").replace("{1}", class);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl DataSet {
    /// Opens the folder, or a checkout of the data set's repository, which has it in `dataset`. Subjects of the classes cat and dog
    /// get the prompts for live subjects, others those for objects; where the file has only one list, it is everybody's.
    ///
    /// # Errors
    /// A file that is missing or not of this form, a subject without pictures.
    pub fn open(folder: &Path) -> Result<Self> {
        let inner = folder.join("dataset");
        let folder = if inner.join(INDEX).is_file() { inner.as_path() } else { folder };
        let path = folder.join(INDEX);
        let text = read_text(&path, MAX_BYTES)?;
        let index = Index::parse(&text).map_err(|problem| Error::input(&path, problem))?;
        let subjects = index.subjects.into_iter().map(|(name, class)| {
            let pictures = pictures_in(&folder.join(&name))?;
            if pictures.is_empty() {
                return Err(Error::input(folder.join(&name), "holds no pictures"));
            }
            let live = LIVE_CLASSES.contains(&class.as_str());
            let prompts = if live { &index.live } else { &index.objects };
            Ok(Subject { name, class, pictures, prompts: prompts.clone() })
        });
        Ok(Self { subjects: subjects.collect::<Result<_>>()? })
    }

    /// The subjects called `names` alone.
    ///
    /// # Errors
    /// [`Error::Setting`] for a name that is none.
    pub fn only(mut self, names: &[String]) -> Result<Self> {
        let known: Vec<String> = self.subjects.iter().map(|subject| subject.name.clone()).collect();
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            return Err(Error::setting("only", format!("{name}: there are {}", known.join(", "))));
        }
        self.subjects.retain(|subject| names.contains(&subject.name));
        Ok(self)
    }
}

/// What the file says.
struct Index {
    subjects: Vec<(String, String)>,
    objects: Arc<[Prompt]>,
    live: Arc<[Prompt]>,
}

impl Index {
    /// Reads the file, or says what is wrong with it.
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let (mut subjects, mut objects, mut live) = (Vec::new(), Vec::new(), Vec::new());
        let mut section = Section::Before;
        for (number, line) in text.lines().map(str::trim).enumerate() {
            match (section, line.chars().next()) {
                _ if line == TABLE => section = Section::Subjects,
                _ if line.ends_with(PROMPTS) && line.starts_with(LIVE) => section = Section::Live,
                _ if line.ends_with(PROMPTS) => section = Section::Objects,
                (Section::Subjects, Some(_)) => {
                    let (name, class) = line.split_once(',').unwrap_or((line, ""));
                    let plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
                    if class.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                        let number = number + 1;
                        return Err(format!(
                            "line {number}: \"{line}\" is not of the form subject_name,class"
                        ));
                    }
                    if subjects.iter().any(|(known, _)| known == name) {
                        return Err(format!("line {}: {name} is there twice", number + 1));
                    }
                    subjects.push((name.to_owned(), class.to_owned()));
                }
                (Section::Objects, Some(quote @ ('\'' | '"'))) => objects.extend(quoted(line, quote)),
                (Section::Live, Some(quote @ ('\'' | '"'))) => live.extend(quoted(line, quote)),
                _ => {}
            }
        }
        if subjects.is_empty() {
            return Err(format!("names no subjects: a table with the heading {TABLE} is expected"));
        }
        if objects.is_empty() && live.is_empty() {
            return Err(format!(
                "holds no prompts: lists with headings that end with {PROMPTS} are expected"
            ));
        }
        let [mut objects, mut live] = [objects, live].map(Arc::<[Prompt]>::from);
        if objects.is_empty() {
            objects = live.clone();
        }
        if live.is_empty() {
            live = objects.clone();
        }
        Ok(Self { subjects, objects, live })
    }
}

/// Which part of the file a line is in.
#[derive(Clone, Copy)]
enum Section {
    Before,
    Subjects,
    Objects,
    Live,
}

/// The prompt in a line that begins with a quotation mark: `'a {0} {1} in the jungle'.format(unique_token, class_token),`.
fn quoted(line: &str, quote: char) -> Option<Prompt> {
    let text = line.split(".format(").next()?.strip_prefix(quote)?;
    Some(Prompt(text[..text.rfind(quote)?].to_owned()))
}
