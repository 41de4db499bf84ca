//! CLIP's tokenizer: prompts to chunks of token ids with weights.
//!
//! The rules are CLIP's (Radford et al. 2021): NFC, white space collapsed, lower case, words split by CLIP's pattern, byte-pair
//! encoding of each word's bytes with `</w>` on the last piece. Chunks are filled as the AUTOMATIC1111 web UI does.

use std::collections::HashMap;
use std::path::Path;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, NormalizedString, Normalizer, SplitDelimiterBehavior};

use super::prompt;
use super::tokenizer_files::{END_OF_WORD, Parts};
use super::weights::TokenizerFiles;
use crate::error::{Error, Result};

/// Most chunks that a prompt may fill.
pub const MAX_CHUNKS: usize = 20;
/// A chunk that runs over ends after its last comma, if at most this many tokens follow it (the web UI's default).
const COMMA_REACH: usize = 20;
const CLIP_END: &str = "<|endoftext|>";
/// The contractions, runs of letters, single digits, and runs of other characters that CLIP takes for words.
const CLIP_WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// One input of the text encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Begin, up to [`Tokenizer::max_length`] - 2 tokens of the prompt, end, padding: [`Tokenizer::max_length`] ids.
    pub tokens: Vec<u32>,
    /// The weight of each token; 1 for begin, end and padding.
    pub weights: Vec<f32>,
    /// Position of the end token.
    pub end: usize,
}

/// A CLIP tokenizer with its special tokens, its length and any concepts learnt by textual inversion.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    encoder: tokenizers::Tokenizer,
    begin: u32,
    end: u32,
    pad: u32,
    comma: Option<u32>,
    max_length: usize,
    vocabulary_size: usize,
    /// The id that `encoder` gives to a concept's word, and the ids that stand for it.
    concepts: HashMap<u32, Vec<u32>>,
}

impl Tokenizer {
    /// Reads the tokenizer of a model.
    ///
    /// # Errors
    /// Those of [`Self::from_folder`].
    pub fn open(files: &TokenizerFiles) -> Result<Self> {
        match files {
            TokenizerFiles::Folder(folder) => Self::from_folder(folder),
            TokenizerFiles::Contents { vocab, merges, config } => Self::from_parts(vocab, merges, config),
            TokenizerFiles::Clip { pad_with_exclamation: true } => Self::clip_padded_with("!"),
            TokenizerFiles::Clip { pad_with_exclamation: false } => Self::clip(),
        }
    }

    /// Reads the `tokenizer` folder of a model in the diffusers layout: `tokenizer.json`, else `vocab.json` and
    /// `merges.txt`; `tokenizer_config.json` and `special_tokens_map.json` give length and special tokens if present
    /// (else CLIP's: 77, `<|startoftext|>`, `<|endoftext|>`, padding with the end token).
    ///
    /// # Errors
    /// [`Error::Io`] when a file is missing, [`Error::Weights`] when one is malformed, or is not CLIP's kind.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        Self::from_files(Parts::from_folder(folder)?)
    }

    /// From the contents of `vocab.json`, `merges.txt` and `tokenizer_config.json`.
    ///
    /// # Errors
    /// [`Error::Weights`] when one is malformed.
    pub fn from_parts(vocab: &str, merges: &str, config: &str) -> Result<Self> {
        Self::from_files(Parts::from_contents(vocab, merges, config)?)
    }

    /// CLIP's standard vocabulary of 49,408 tokens, padding with the end token as SD 1 does.
    ///
    /// # Errors
    /// None in practice: the vocabulary is part of the library.
    pub fn clip() -> Result<Self> {
        Self::clip_padded_with(CLIP_END)
    }

    /// CLIP's standard vocabulary, padding with the token `pad`: SD 2 pads with `"!"`, whose id is 0.
    ///
    /// # Errors
    /// [`Error::Weights`] when the vocabulary has no token `pad`.
    pub fn clip_padded_with(pad: &str) -> Result<Self> {
        Self::from_files(Parts::clip(pad)?)
    }

    /// Tokens per chunk, begin and end included: 77 for Stable Diffusion.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// How many ids there are, concepts included.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// Makes `word` in a prompt stand for `vectors` new ids, which follow the vocabulary and are returned. The text
    /// encoder needs an embedding for each (textual inversion, Gal et al. 2022). Letter case does not matter, and a
    /// word that begins or ends with a letter or digit is not found inside another.
    ///
    /// # Errors
    /// [`Error::Setting`] when the vocabulary or an earlier concept has the word, or when it is empty or holds white
    /// space or one of `()[]\`. Also when `vectors` is not 1 to [`Self::max_length`] - 2.
    pub fn add_concept(&mut self, word: &str, vectors: usize) -> Result<Vec<u32>> {
        let fault = |problem: String| Err(Error::setting(format!("concept \"{word}\""), problem));
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || "()[]\\".contains(c);
        let normalized = self.normalized(word)?;
        if normalized.is_empty() || word.contains(forbidden) {
            return fault("a concept's word must not be empty nor hold white space or ()[]\\".into());
        }
        if vectors == 0 || vectors > self.room() {
            return fault(format!("has {vectors} vectors; allowed are 1 to {}", self.room()));
        }
        // A single id: a word of the vocabulary or an earlier concept. The other test finds pieces of words.
        if self.encoded(word)?.len() == 1 || self.encoder.token_to_id(&normalized).is_some() {
            return fault("is already a word of the vocabulary or a concept; choose another word".into());
        }
        let added = self.match_whole(&normalized, false);
        let Some(id) = added.ok().and_then(|()| self.encoder.token_to_id(&normalized)) else {
            return fault("cannot be added to the vocabulary; choose another word".into());
        };
        let ids: Vec<u32> = (self.vocabulary_size as u32..).take(vectors).collect();
        self.vocabulary_size += vectors;
        self.concepts.insert(id, ids.clone());
        Ok(ids)
    }

    /// The ids of a text: no emphasis, no begin, end or padding, concepts replaced by their ids.
    ///
    /// # Errors
    /// [`Error::Setting`] when the text cannot be tokenized.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.encoded(text)?.iter().flat_map(|id| self.unit(id)).copied().collect())
    }

    /// Parses the emphasis in `prompt` (see [`prompt`]) and fills chunks with its tokens. `BREAK` starts a new chunk; a
    /// chunk that is full ends, where possible after a comma among its last 20 tokens; a concept is never divided.
    /// An empty prompt is one chunk.
    ///
    /// # Errors
    /// [`Error::Setting`] when the prompt is malformed, or has more tokens than fit into [`MAX_CHUNKS`] chunks.
    pub fn chunks(&self, prompt: &str) -> Result<Vec<Chunk>> {
        let mut encoded = Vec::new();
        for section in prompt::parse(prompt)? {
            let spans = section.iter().map(|span| Ok((self.encoded(&span.text)?, span.weight)));
            encoded.push(spans.collect::<Result<Vec<_>>>()?);
        }
        let all_ids = encoded.iter().flatten().flat_map(|(ids, _)| ids);
        let count: usize = all_ids.map(|id| self.unit(id).len()).sum();
        if count > MAX_CHUNKS * self.room() {
            let (limit, room) = (MAX_CHUNKS * self.room(), self.room());
            let problem =
                format!("has {count} tokens; at most {limit} ({MAX_CHUNKS} chunks of {room}) are allowed");
            return Err(Error::setting("prompt", problem));
        }
        let mut filler = Filler { tokenizer: self, chunks: Vec::new(), tokens: Vec::new(), last_comma: None };
        for (index, section) in encoded.iter().enumerate() {
            if index > 0 {
                filler.close()?;
            }
            for (ids, weight) in section {
                for id in ids {
                    filler.push(*id, *weight)?;
                }
            }
        }
        filler.finish()
    }

    fn from_files(parts: Parts) -> Result<Self> {
        let id = |token: &str| parts.vocabulary.get(token).copied();
        let special = |token: &str| {
            id(token)
                .ok_or_else(|| Error::weights(&parts.origin, format!("\"{token}\" is not in the vocabulary")))
        };
        let (begin, end, pad) = (special(&parts.begin)?, special(&parts.end)?, special(&parts.pad)?);
        let comma = id(&format!(",{END_OF_WORD}"));
        let vocabulary_size = parts.vocabulary.len();
        let encoder = encoder(parts.vocabulary, parts.merges, &parts.end)
            .map_err(|error| Error::weights(&parts.origin, error.to_string()))?;
        let max_length = parts.max_length;
        let concepts = HashMap::new();
        let mut tokenizer = Self { encoder, begin, end, pad, comma, max_length, vocabulary_size, concepts };
        let special = [&parts.begin, &parts.end].map(|token| (token, true));
        for (token, special) in special.into_iter().chain(parts.added.iter().map(|token| (token, false))) {
            tokenizer.match_whole(token, special).map_err(|error| {
                Error::weights(&parts.origin, format!("cannot add the token \"{token}\": {error}"))
            })?;
        }
        Ok(tokenizer)
    }

    /// Has `token` found in the text as it stands (`special`) or after normalization, before words are split.
    fn match_whole(&mut self, token: &str, special: bool) -> tokenizers::Result<()> {
        let edges = [token.chars().next(), token.chars().next_back()];
        let whole_word = edges.into_iter().flatten().any(char::is_alphanumeric);
        let added = AddedToken::from(token, special).single_word(whole_word && !special);
        self.encoder.add_tokens([added]).map(drop)
    }

    fn normalized(&self, text: &str) -> Result<String> {
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = self.encoder.get_normalizer() {
            normalizer
                .normalize(&mut normalized)
                .map_err(|error| Error::setting("concept", error.to_string()))?;
        }
        Ok(normalized.get().to_owned())
    }

    /// Tokens of the prompt that a chunk holds.
    fn room(&self) -> usize {
        self.max_length - 2
    }

    fn encoded(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.encoder.encode_fast(text, false);
        encoding
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| Error::setting("prompt", format!("cannot be tokenized: {error}")))
    }

    /// The ids that an encoded id stands for.
    fn unit<'a>(&'a self, id: &'a u32) -> &'a [u32] {
        self.concepts.get(id).map_or(std::slice::from_ref(id), Vec::as_slice)
    }
}

fn encoder(
    vocabulary: HashMap<String, u32>,
    merges: Vec<(String, String)>,
    unknown: &str,
) -> tokenizers::Result<tokenizers::Tokenizer> {
    let model = BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
        .end_of_word_suffix(END_OF_WORD.to_owned())
        .unk_token(unknown.to_owned())
        .build()?;
    let space = Replace::new(tokenizers::normalizers::replace::ReplacePattern::Regex(r"\s+".into()), " ")?;
    let words = Split::new(SplitPattern::Regex(CLIP_WORDS.into()), SplitDelimiterBehavior::Removed, true)?;
    let bytes = ByteLevel::default().add_prefix_space(false);
    let mut encoder = tokenizers::Tokenizer::new(model);
    encoder.with_normalizer(Some(Normalizers::new(vec![NFC.into(), space.into(), Lowercase.into()])))?;
    encoder.with_pre_tokenizer(Some(PreTokenizers::new(vec![words.into(), bytes.into()])));
    Ok(encoder)
}

/// Fills chunks one token at a time, as the web UI's `tokenize_line` does.
struct Filler<'a> {
    tokenizer: &'a Tokenizer,
    chunks: Vec<Chunk>,
    /// Tokens and weights of the chunk being filled.
    tokens: Vec<(u32, f32)>,
    /// Position in `tokens` of the last comma.
    last_comma: Option<usize>,
}

impl Filler<'_> {
    fn push(&mut self, id: u32, weight: f32) -> Result<()> {
        let room = self.tokenizer.room();
        if Some(id) == self.tokenizer.comma {
            self.last_comma = Some(self.tokens.len());
        } else if self.tokens.len() == room
            && let Some(comma) = self.last_comma.filter(|comma| room - comma <= COMMA_REACH)
        {
            let moved = self.tokens.split_off(comma + 1);
            self.close()?;
            self.tokens = moved;
        }
        let unit = self.tokenizer.unit(&id);
        if self.tokens.len() + unit.len() > room {
            self.close()?;
        }
        self.tokens.extend(unit.iter().map(|id| (*id, weight)));
        Ok(())
    }

    /// Ends the chunk that is being filled, even an empty one.
    fn close(&mut self) -> Result<()> {
        if self.chunks.len() == MAX_CHUNKS {
            return Err(Error::setting("prompt", format!("needs more than {MAX_CHUNKS} chunks of tokens")));
        }
        let Tokenizer { begin, end, pad, max_length, .. } = *self.tokenizer;
        let filled = std::mem::take(&mut self.tokens);
        let mut chunk = Chunk { tokens: vec![begin], weights: vec![1.0], end: filled.len() + 1 };
        for (id, weight) in filled {
            chunk.tokens.push(id);
            chunk.weights.push(weight);
        }
        chunk.tokens.push(end);
        chunk.tokens.resize(max_length, pad);
        chunk.weights.resize(max_length, 1.0);
        self.last_comma = None;
        self.chunks.push(chunk);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Chunk>> {
        if !self.tokens.is_empty() || self.chunks.is_empty() {
            self.close()?;
        }
        Ok(self.chunks)
    }
}
