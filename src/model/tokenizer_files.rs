//! The parts of a tokenizer as they lie in files: vocabulary, merges, special tokens.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::files;

const MAX_FILE_BYTES: u64 = 64 << 20;
const MAX_VOCABULARY: usize = 1_000_000;
const MAX_LENGTH: usize = 4096;
/// CLIP's own length, used where the files state none.
const CLIP_LENGTH: usize = 77;
const BEGIN: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// Marks the last piece of a word in the vocabulary.
pub(super) const END_OF_WORD: &str = "</w>";
/// OpenAI's merges; see `models/clip-tokenizer/LICENSE`.
static CLIP_MERGES: &[u8] = include_bytes!("../../models/clip-tokenizer/bpe_simple_vocab_16e6.txt.gz");
/// Ids of the standard vocabulary: 256 bytes, the same 256 at the end of a word, the merges, begin and end.
const CLIP_VOCABULARY: usize = 49_408;

/// Everything that makes a CLIP tokenizer.
pub(super) struct Parts {
    /// Token to id; the ids are 0 to the number of tokens - 1.
    pub vocabulary: HashMap<String, u32>,
    pub merges: Vec<(String, String)>,
    /// Tokens that are found in the text before words are split, beyond begin and end.
    pub added: Vec<String>,
    pub begin: String,
    pub end: String,
    pub pad: String,
    /// Tokens per chunk, begin and end included.
    pub max_length: usize,
    /// Where the parts come from, for messages.
    pub origin: PathBuf,
}

impl Parts {
    /// Reads `tokenizer.json`, or `vocab.json` and `merges.txt`, and the settings beside them.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let config = read_optional_object(&folder.join("tokenizer_config.json"))?;
        let special = read_optional_object(&folder.join("special_tokens_map.json"))?;
        let whole = folder.join("tokenizer.json");
        let (vocabulary, merges, mut added) = if whole.is_file() {
            from_tokenizer_json(&whole, read_object(&whole)?)?
        } else {
            let (vocab, list) = (folder.join("vocab.json"), folder.join("merges.txt"));
            let vocabulary = vocabulary(&vocab, &read_object(&vocab)?)?;
            (vocabulary, merges_from_lines(&list, &read_text(&list)?)?, Vec::new())
        };
        let later = folder.join("added_tokens.json");
        for (token, id) in read_optional_object(&later)? {
            added.push((id_from_json(&later, &token, &id)?, token));
        }
        Self::new(folder, vocabulary, merges, added, Settings::from_json(folder, &config, &special)?)
    }

    /// From the contents of `vocab.json`, `merges.txt` and `tokenizer_config.json`.
    pub fn from_contents(vocab: &str, merges: &str, config: &str) -> Result<Self> {
        let path = Path::new("vocab.json");
        let vocabulary = vocabulary(path, &parse_object(path, vocab)?)?;
        let merges = merges_from_lines(Path::new("merges.txt"), merges)?;
        let path = Path::new("tokenizer_config.json");
        let settings = Settings::from_json(path, &parse_object(path, config)?, &Map::new())?;
        Self::new(Path::new("tokenizer"), vocabulary, merges, Vec::new(), settings)
    }

    /// The standard vocabulary, built from the merges as OpenAI's `SimpleTokenizer` does.
    pub fn clip(pad: &str) -> Result<Self> {
        let origin = Path::new("the built-in CLIP vocabulary");
        let mut text = String::new();
        GzDecoder::new(CLIP_MERGES).read_to_string(&mut text).map_err(|error| Error::io(origin, error))?;
        let symbols = byte_symbols();
        let count = CLIP_VOCABULARY - 2 * symbols.len() - 2;
        // The first line is a title.
        let merges = text.lines().skip(1).take(count).map(|line| pair(line).map(own));
        let merges: Vec<_> =
            merges.collect::<Option<_>>().ok_or_else(|| Error::weights(origin, "malformed merges"))?;
        let bytes = symbols.iter().map(|symbol| symbol.to_string());
        let last_bytes = symbols.iter().map(|symbol| format!("{symbol}{END_OF_WORD}"));
        let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
        let special = [BEGIN, END].map(str::to_owned);
        let vocabulary = bytes.chain(last_bytes).chain(merged).chain(special).zip(0..).collect();
        let settings = Settings {
            begin: BEGIN.into(),
            end: END.into(),
            pad: pad.into(),
            max_length: CLIP_LENGTH,
            added: Vec::new(),
        };
        Self::new(origin, vocabulary, merges, Vec::new(), settings)
    }

    fn new(
        origin: &Path,
        mut vocabulary: HashMap<String, u32>,
        merges: Vec<(String, String)>,
        mut listed: Vec<(u32, String)>,
        settings: Settings,
    ) -> Result<Self> {
        let fault = |problem: String| Err(Error::weights(origin, problem));
        listed.extend(settings.added);
        let mut added = Vec::new();
        for (id, token) in listed {
            // Tokens of the vocabulary itself are often listed again: begin, end, and SD 2's "!" for padding, which
            // stays an ordinary word in a prompt, as in training.
            if !token.is_empty() && !vocabulary.contains_key(&token) {
                vocabulary.insert(token.clone(), id);
                added.push(token);
            }
        }
        check_ids(origin, &vocabulary)?;
        for (index, (left, right)) in merges.iter().enumerate() {
            let merged = format!("{left}{right}");
            if let Some(piece) =
                [left, right, &merged].into_iter().find(|piece| !vocabulary.contains_key(*piece))
            {
                return fault(format!(
                    "merge {index} (\"{left} {right}\") needs \"{piece}\", which the vocabulary lacks"
                ));
            }
        }
        for token in [&settings.begin, &settings.end, &settings.pad] {
            if !vocabulary.contains_key(token) {
                return fault(format!("the special token \"{token}\" is not in the vocabulary"));
            }
        }
        let Settings { begin, end, pad, max_length, .. } = settings;
        Ok(Self { vocabulary, merges, added, begin, end, pad, max_length, origin: origin.to_path_buf() })
    }
}

/// What `tokenizer_config.json` and `special_tokens_map.json` say.
struct Settings {
    begin: String,
    end: String,
    pad: String,
    max_length: usize,
    added: Vec<(u32, String)>,
}

impl Settings {
    fn from_json(path: &Path, config: &Map<String, Value>, special: &Map<String, Value>) -> Result<Self> {
        // As transformers reads them: the older file for special tokens counts unless the newer list is there.
        let listed = config.get("added_tokens_decoder").and_then(Value::as_object);
        let token = |name: &str| {
            let older = special.get(name).and_then(token_text).filter(|_| listed.is_none());
            older.or_else(|| config.get(name).and_then(token_text)).map(str::to_owned)
        };
        let end = token("eos_token").unwrap_or_else(|| END.to_owned());
        let mut added = Vec::new();
        for (id, value) in listed.into_iter().flatten() {
            match (id.parse::<u32>(), token_text(value)) {
                (Ok(id), Some(text)) => added.push((id, text.to_owned())),
                _ => return Err(Error::weights(path, format!("added_tokens_decoder: \"{id}\" is no token"))),
            }
        }
        Ok(Self {
            begin: token("bos_token").unwrap_or_else(|| BEGIN.to_owned()),
            pad: token("pad_token").unwrap_or_else(|| end.clone()),
            end,
            max_length: max_length(path, config.get("model_max_length"))?,
            added,
        })
    }
}

/// A token is written as text, or as an object that holds it.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

fn max_length(path: &Path, value: Option<&Value>) -> Result<usize> {
    // transformers writes 1e30 for "not known".
    const NOT_KNOWN: f64 = 1e29;
    let Some(value) = value.filter(|value| !value.is_null() && value.as_f64().is_none_or(|v| v < NOT_KNOWN))
    else {
        return Ok(CLIP_LENGTH);
    };
    match value.as_u64().map(usize::try_from) {
        Some(Ok(length)) if (3..=MAX_LENGTH).contains(&length) => Ok(length),
        _ => Err(Error::weights(path, format!("model_max_length is {value}; allowed are 3 to {MAX_LENGTH}"))),
    }
}

type TokenizerJson = (HashMap<String, u32>, Vec<(String, String)>, Vec<(u32, String)>);

/// Vocabulary, merges and added tokens of a `tokenizer.json`. Its other parts are CLIP's, which are the same everywhere.
fn from_tokenizer_json(path: &Path, root: Map<String, Value>) -> Result<TokenizerJson> {
    let fault = |problem: &str| Error::weights(path, problem);
    let model = root.get("model").and_then(Value::as_object).ok_or_else(|| fault("has no \"model\""))?;
    let suffix = model.get("end_of_word_suffix").and_then(Value::as_str);
    if model.get("type").is_some_and(|kind| kind != "BPE") || suffix != Some(END_OF_WORD) {
        return Err(fault("is not a CLIP tokenizer (byte-pair encoding with \"</w>\" at the end of words)"));
    }
    let vocab =
        model.get("vocab").and_then(Value::as_object).ok_or_else(|| fault("has no \"model.vocab\""))?;
    let list =
        model.get("merges").and_then(Value::as_array).ok_or_else(|| fault("has no \"model.merges\""))?;
    let merges = list.iter().enumerate().map(|(index, merge)| {
        let parts = match merge {
            Value::String(line) => pair(line),
            Value::Array(parts) => match parts.as_slice() {
                [left, right] => left.as_str().zip(right.as_str()),
                _ => None,
            },
            _ => None,
        };
        parts.map(own).ok_or_else(|| fault(&format!("merge {index} is not a pair of tokens: {merge}")))
    });
    let mut added = Vec::new();
    for token in root.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let (Some(text), Some(id)) = (token_text(token), token.get("id")) else {
            return Err(fault(&format!("added token without id or content: {token}")));
        };
        added.push((id_from_json(path, text, id)?, text.to_owned()));
    }
    Ok((vocabulary(path, vocab)?, merges.collect::<Result<_>>()?, added))
}

fn vocabulary(path: &Path, json: &Map<String, Value>) -> Result<HashMap<String, u32>> {
    json.iter().map(|(token, id)| Ok((token.clone(), id_from_json(path, token, id)?))).collect()
}

fn id_from_json(path: &Path, token: &str, id: &Value) -> Result<u32> {
    let value = id.as_u64().filter(|value| *value < MAX_VOCABULARY as u64);
    let value = value.and_then(|value| u32::try_from(value).ok());
    value.ok_or_else(|| {
        Error::weights(
            path,
            format!("the id of \"{token}\" is {id}; allowed are 0 to {}", MAX_VOCABULARY - 1),
        )
    })
}

/// Ids are 0 to the number of tokens - 1, each once: they index the rows of an embedding table.
fn check_ids(origin: &Path, vocabulary: &HashMap<String, u32>) -> Result<()> {
    let mut seen = vec![false; vocabulary.len()];
    for (token, id) in vocabulary {
        match seen.get_mut(*id as usize) {
            Some(seen) if !*seen => *seen = true,
            found => {
                let problem = if found.is_some() { "is used twice" } else { "leaves a gap below it" };
                let count = vocabulary.len();
                return Err(Error::weights(
                    origin,
                    format!("id {id} (\"{token}\") {problem}; there are {count} tokens"),
                ));
            }
        }
    }
    Ok(())
}

fn merges_from_lines(path: &Path, text: &str) -> Result<Vec<(String, String)>> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    lines
        .map(|(index, line)| {
            let fault =
                || Error::weights(path, format!("line {}: expected two tokens, found {line:?}", index + 1));
            pair(line).map(own).ok_or_else(fault)
        })
        .collect()
}

fn pair(line: &str) -> Option<(&str, &str)> {
    line.trim_end()
        .split_once(' ')
        .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
}

fn own((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

/// One printable character for each byte, in the order of the vocabulary (GPT-2's `bytes_to_unicode`).
fn byte_symbols() -> Vec<char> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let shown = (0..=u8::MAX).filter(printable).map(char::from);
    let hidden = (0..=u8::MAX).filter(|byte| !printable(byte)).zip('\u{100}'..);
    shown.chain(hidden.map(|(_, symbol)| symbol)).collect()
}

fn read_text(path: &Path) -> Result<String> {
    let text = files::read_text(path, MAX_FILE_BYTES).map_err(Error::of_weights)?;
    if text.is_empty() { Err(Error::weights(path, "is empty")) } else { Ok(text) }
}

fn parse_object(path: &Path, text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| Error::weights(path, format!("is not a JSON object: {error}")))
}

fn read_object(path: &Path) -> Result<Map<String, Value>> {
    parse_object(path, &read_text(path)?)
}

fn read_optional_object(path: &Path) -> Result<Map<String, Value>> {
    if path.exists() { read_object(path) } else { Ok(Map::new()) }
}
