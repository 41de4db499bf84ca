//! Prompts: emphasis, tokens, chunks.

use std::fs;
use std::path::{Path, PathBuf};

use dreamtuner::error::Error;
use dreamtuner::model::{MAX_CHUNKS, Tokenizer, prompt};
use proptest::prelude::*;

/// A small tokenizer in the form of CLIP's: 715 tokens, 40 per chunk.
fn small() -> Tokenizer {
    Tokenizer::from_folder(&root("tests/fixtures/text/tokenizer")).unwrap()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The spans of a prompt without BREAK.
fn spans(text: &str) -> Vec<(String, f32)> {
    let sections = prompt::parse(text).unwrap();
    assert_eq!(sections.len(), 1, "{text}");
    sections.into_iter().flatten().map(|span| (span.text, span.weight)).collect()
}

fn assert_spans(text: &str, expected: &[(&str, f64)]) {
    let expected: Vec<_> = expected.iter().map(|(text, weight)| (text.to_string(), *weight as f32)).collect();
    assert_eq!(spans(text), expected, "{text}");
}

fn message(error: Error) -> String {
    assert!(matches!(error, Error::Setting { .. }), "{error:?}");
    error.to_string()
}

// --- emphasis ---

/// The examples in the documentation of the web UI's `parse_prompt_attention`.
#[test]
fn emphasis_follows_the_documented_examples() {
    assert_spans("normal text", &[("normal text", 1.0)]);
    assert_spans("an (important) word", &[("an ", 1.0), ("important", 1.1), (" word", 1.0)]);
    assert_spans("(unbalanced", &[("unbalanced", 1.1)]);
    assert_spans(r"\(literal\]", &[("(literal]", 1.0)]);
    assert_spans("(unnecessary)(parens)", &[("unnecessaryparens", 1.1)]);
    assert_spans(
        "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        &[
            ("a ", 1.0),
            ("house", 1.5730000000000004),
            (" ", 1.1),
            ("on", 1.0),
            (" a ", 1.1),
            ("hill", 0.55),
            (", sun, ", 1.1),
            ("sky", 1.4641000000000006),
            (".", 1.1),
        ],
    );
}

#[test]
fn emphasis_accepts_what_users_write() {
    assert_spans("", &[]);
    assert_spans("([])", &[]);
    assert_spans("[a]", &[("a", 1.0 / 1.1)]);
    assert_spans("[a", &[("a", 1.0 / 1.1)]);
    assert_spans("(a: 1.3 )", &[("a", 1.3)]);
    assert_spans(
        "(a:.5)(b:2.)(c:+1)(d:-2)(e:0)",
        &[("a", 0.5), ("b", 2.0), ("c", 1.0), ("d", -2.0), ("e", 0.0)],
    );
    assert_spans("((a:20):0.1)", &[("a", 2.0)]);
    assert_spans("[a:1.3)", &[("a:1.3)", 1.0 / 1.1)]);
    assert_spans("a) b] c:2)", &[("a) b] c:2)", 1.0)]);
    assert_spans("ratio 16:9 (x: y)", &[("ratio 16:9 ", 1.0), ("x: y", 1.1)]);
    assert_spans(r"back\slash and \\ and \", &[(r"backslash and \ and ", 1.0)]);
    assert_spans(r"(name \(series\):1.2)", &[("name (series)", 1.2)]);
    assert_spans("(Ünï 日本:1.5)😀", &[("Ünï 日本", 1.5), ("😀", 1.0)]);
}

#[test]
fn break_separates_sections_and_keeps_emphasis() {
    let texts = |text: &str| -> Vec<Vec<(String, f32)>> {
        let sections = prompt::parse(text).unwrap();
        sections.into_iter().map(|s| s.into_iter().map(|span| (span.text, span.weight)).collect()).collect()
    };
    let one = |text: &str| vec![(text.to_string(), 1.0)];
    assert_eq!(texts("a, BREAK b"), [one("a,"), one("b")]);
    assert_eq!(texts("a BREAK  BREAK\nb"), [one("a"), vec![], one("b")]);
    assert_eq!(texts("BREAK"), [vec![], vec![]] as [Vec<(String, f32)>; 2]);
    assert_eq!(texts("BREAKFAST _BREAK aBREAK break"), [one("BREAKFAST _BREAK aBREAK break")]);
    let strong = |text: &str| vec![(text.to_string(), 1.2)];
    assert_eq!(texts("(a BREAK b:1.2)"), [strong("a"), strong("b")]);
}

#[test]
fn weights_out_of_range_are_refused() {
    for (text, part) in [
        ("(a word:11)", "the weight of \"a word\" is 11; allowed are -10 to 10"),
        ("(a:-10.5)", "is -10.5"),
        ("((((a:9))))", "allowed are -10 to 10"),
        ("(a:1.2.3)", "\"1.2.3\" is not a weight"),
        ("(a:.)", "\".\" is not a weight"),
        (&format!("(a:{})", "9".repeat(400)), "is not a weight"),
        (&"(".repeat(200), "more than 100 brackets"),
        (&"a".repeat(prompt::MAX_BYTES + 1), "1048577 bytes long; at most 1048576"),
    ] {
        let error = message(prompt::parse(text).unwrap_err());
        assert!(error.starts_with("prompt: ") && error.contains(part), "{error}");
        assert!(error.len() < 200, "{error}");
    }
    assert_spans("(a:10)(b:-10)", &[("a", 10.0), ("b", -10.0)]);
}

// --- tokens ---

/// Ids that transformers' CLIPTokenizer gives; see `make.py` beside the file.
#[test]
fn tokens_equal_transformers() {
    let cases: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root("tests/fixtures/text/tokens.json")).unwrap()).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 30);
    for (name, tokenizer) in [("clip", Tokenizer::clip().unwrap()), ("small", small())] {
        for case in cases {
            let text = case["prompt"].as_str().unwrap();
            let expected: Vec<u32> = serde_json::from_value(case[name].clone()).unwrap();
            assert_eq!(tokenizer.encode(text).unwrap(), expected, "{name}: {text:?}");
        }
    }
}

#[test]
fn all_ways_to_load_agree() {
    let folder = root("tests/fixtures/text/tokenizer");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in ["vocab.json", "merges.txt", "tokenizer_config.json"] {
        fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    let parts =
        Tokenizer::from_parts(&read("vocab.json"), &read("merges.txt"), &read("tokenizer_config.json"));
    let text = "red ponytail hair, (green eyes:1.2), Ünknown 😀 BREAK it's a halo";
    let expected = small().chunks(text).unwrap();
    assert_eq!(expected.len(), 2);
    for tokenizer in [parts.unwrap(), Tokenizer::from_folder(copy.path()).unwrap()] {
        assert_eq!((tokenizer.max_length(), tokenizer.vocabulary_size()), (40, 715));
        assert_eq!(tokenizer.chunks(text).unwrap(), expected);
    }
}

#[test]
fn special_tokens_and_length_come_from_the_files() {
    let source = root("tests/fixtures/text/tokenizer");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for name in ["vocab.json", "merges.txt"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    let first = || {
        let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
        (tokenizer.max_length(), tokenizer.chunks("").unwrap()[0].tokens[..4].to_vec())
    };
    assert_eq!(first(), (77, vec![713, 714, 714, 714]));
    // SD 2 pads with "!"; transformers writes 1e30 for an unknown length.
    write(
        "tokenizer_config.json",
        r#"{"model_max_length": 1000000000000000019884624838656, "pad_token": "<|endoftext|>"}"#,
    );
    write("special_tokens_map.json", r#"{"pad_token": "!", "bos_token": {"content": "<|startoftext|>"}}"#);
    assert_eq!(first(), (77, vec![713, 714, 0, 0]));
    write(
        "tokenizer_config.json",
        r#"{"model_max_length": 20, "pad_token": "<|endoftext|>",
            "added_tokens_decoder": {"714": {"content": "<|endoftext|>"}, "715": {"content": "<New>"}}}"#,
    );
    assert_eq!(first(), (20, vec![713, 714, 714, 714]));
    let mut tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    assert_eq!(tokenizer.vocabulary_size(), 716);
    assert!(message(tokenizer.add_concept("<new>", 1).unwrap_err()).contains("already"));
    assert_eq!(tokenizer.encode("red<NEW>hair").unwrap(), [550, 715, 532]);
}

#[test]
fn malformed_files_are_refused() {
    let vocab = fs::read_to_string(root("tests/fixtures/text/tokenizer/vocab.json")).unwrap();
    let merges = fs::read_to_string(root("tests/fixtures/text/tokenizer/merges.txt")).unwrap();
    for (vocab, merges, config, part) in [
        ("[]", merges.as_str(), "{}", "vocab.json: is not a JSON object"),
        (r#"{"a": 4294967295}"#, "", "{}", "the id of \"a\" is 4294967295; allowed are 0 to 999999"),
        (r#"{"a": -1}"#, "", "{}", "the id of \"a\" is -1"),
        (r#"{"a": 0, "b": 2}"#, "", "{}", "id 2 (\"b\") leaves a gap"),
        (r#"{"a": 0, "b": 0}"#, "", "{}", "is used twice"),
        (r#"{"a": 0}"#, "", "{}", "the special token \"<|startoftext|>\" is not in the vocabulary"),
        (r#"{"a": 0}"#, "a a", "{}", "merge 0 (\"a a\") needs \"aa\""),
        (&vocab, "#version\ne x t r a", "{}", "merges.txt: line 2: expected two tokens"),
        (&vocab, &merges, r#"{"model_max_length": 2}"#, "model_max_length is 2; allowed are 3 to 4096"),
        (&vocab, &merges, r#"{"model_max_length": "long"}"#, "model_max_length is \"long\""),
        (&vocab, &merges, r#"{"pad_token": "[PAD]"}"#, "\"[PAD]\" is not in the vocabulary"),
        (&vocab, &merges, "", "tokenizer_config.json: is not a JSON object"),
    ] {
        let error = Tokenizer::from_parts(vocab, merges, config).unwrap_err();
        assert!(matches!(error, Error::Weights { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error} should say {part}");
    }
}

#[test]
fn malformed_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Tokenizer::from_folder(folder.path()).unwrap_err().to_string();
    assert!(load().contains("vocab.json"), "{}", load());
    for (text, part) in [
        ("", "tokenizer.json: is empty"),
        ("{}", "has no \"model\""),
        (r#"{"model": {"type": "WordPiece", "vocab": {}}}"#, "is not a CLIP tokenizer"),
        (
            r#"{"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {}, "merges": [3]}}"#,
            "merge 0",
        ),
        (
            r#"{"model": {"end_of_word_suffix": "</w>", "vocab": {}, "merges": []}, "added_tokens": [{"id": 1}]}"#,
            "added token without id or content",
        ),
    ] {
        fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        assert!(load().contains(part), "{} should say {part}", load());
    }
    fs::write(folder.path().join("tokenizer.json"), [0xFF, 0xFE]).unwrap();
    assert!(load().contains("UTF-8"), "{}", load());
}

// --- chunks ---

#[test]
fn a_short_prompt_is_one_padded_chunk() {
    let clip = Tokenizer::clip().unwrap();
    assert_eq!((clip.max_length(), clip.vocabulary_size()), (77, 49_408));
    let chunks = clip.chunks("a (photo:1.5)").unwrap();
    let [chunk] = chunks.as_slice() else { panic!("{chunks:?}") };
    assert_eq!(chunk.tokens[..5], [49_406, 320, 1125, 49_407, 49_407]);
    assert_eq!(chunk.weights[..5], [1.0, 1.0, 1.5, 1.0, 1.0]);
    assert_eq!((chunk.tokens.len(), chunk.weights.len(), chunk.end), (77, 77, 3));
    let padded = Tokenizer::clip_padded_with("!").unwrap().chunks("a photo!").unwrap();
    assert_eq!(padded[0].tokens[..6], [49_406, 320, 1125, 256, 49_407, 0]);
    assert!(Tokenizer::clip_padded_with("[PAD]").is_err());
    for empty in ["", "  ", "()"] {
        let chunks = clip.chunks(empty).unwrap();
        assert_eq!((chunks.len(), chunks[0].end), (1, 1));
    }
}

/// Lengths of the chunks of `prompt`, without begin, end and padding.
fn lengths(tokenizer: &Tokenizer, prompt: &str) -> Vec<usize> {
    tokenizer.chunks(prompt).unwrap().iter().map(|chunk| chunk.end - 1).collect()
}

#[test]
fn long_prompts_fill_chunks() {
    let clip = Tokenizer::clip().unwrap();
    let words = |count: usize| "cat ".repeat(count);
    assert_eq!(lengths(&clip, &words(75)), [75]);
    assert_eq!(lengths(&clip, &words(76)), [75, 1]);
    assert_eq!(lengths(&clip, &format!("{}BREAK a cat", words(75))), [75, 2]);
    assert_eq!(lengths(&clip, "a BREAK BREAK a cat BREAK"), [1, 0, 2]);
    // What follows the last comma moves on when it is at most 20 tokens away, the comma included.
    assert_eq!(lengths(&clip, &format!("{}, {}", words(55), words(30))), [56, 30]);
    assert_eq!(lengths(&clip, &format!("{}, {}", words(54), words(30))), [75, 10]);
    assert_eq!(lengths(&clip, &format!("{}, {}", words(74), words(3))), [75, 3]);
    assert_eq!(lengths(&clip, &format!("{}, {}", words(75), words(3))), [75, 4]);
}

#[test]
fn too_long_a_prompt_is_refused() {
    let clip = Tokenizer::clip().unwrap();
    assert_eq!(lengths(&clip, &"cat ".repeat(75 * MAX_CHUNKS)).len(), MAX_CHUNKS);
    let error = message(clip.chunks(&"cat ".repeat(10_000)).unwrap_err());
    assert!(error.contains("10000 tokens; at most 1500 (20 chunks of 75)"), "{error}");
    for text in ["a ".repeat(1 << 19), "a".repeat(1 << 20), "(a".repeat(99) + &"[a]".repeat(300_000)] {
        message(clip.chunks(&text).unwrap_err());
    }
    let error = message(clip.chunks(&"BREAK ".repeat(100_000)).unwrap_err());
    assert!(error.contains("more than 20 chunks"), "{error}");
}

// --- concepts ---

#[test]
fn concepts_become_new_ids() {
    let mut clip = Tokenizer::clip().unwrap();
    assert_eq!(clip.add_concept("<cat-Toy>", 2).unwrap(), [49_408, 49_409]);
    assert_eq!(clip.add_concept("zzstyle", 1).unwrap(), [49_410]);
    assert_eq!(clip.vocabulary_size(), 49_411);
    let chunk = &clip.chunks("a (<CAT-toy>:1.5), ZzStyle").unwrap()[0];
    assert_eq!(chunk.tokens[..7], [49_406, 320, 49_408, 49_409, 267, 49_410, 49_407]);
    assert_eq!(chunk.weights[1..5], [1.0, 1.5, 1.5, 1.0]);
    // Not inside other words.
    assert!(clip.encode("zzstyles azzstyle").unwrap().iter().all(|id| *id < 49_408));
    // Never divided between chunks.
    assert_eq!(lengths(&clip, &format!("{} <cat-toy>", "cat ".repeat(74))), [74, 2]);
    for (word, vectors, part) in [
        ("<CAT-TOY>", 1, "already"),
        ("cat", 1, "already a word of the vocabulary"),
        ("sty", 1, "already"),
        ("<|endoftext|>", 1, "already"),
        ("", 1, "empty"),
        ("two words", 1, "white space"),
        ("a(b", 1, "()[]"),
        ("qqxx", 0, "0 vectors"),
        ("qqxx", 76, "76 vectors; allowed are 1 to 75"),
    ] {
        let error = message(clip.add_concept(word, vectors).unwrap_err());
        assert!(error.contains(part), "{error} should say {part}");
    }
    assert_eq!(clip.vocabulary_size(), 49_411);
}

// --- any text ---

/// Text rich in what the parser and the tokenizer treat specially.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        prop::sample::select(vec![
            "(",
            ")",
            "[",
            "]",
            ":",
            "\\",
            ":1.3)",
            ": -0.5 )",
            "BREAK",
            " BREAK ",
            ",",
            " ",
            "\n",
            "'s",
            "<|endoftext|>",
            "<toy>",
            "red hair",
            "9",
            "é",
            "日本",
            "😀",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[a-z ,]{0,12}",
    ];
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunks_hold_every_token_once(text in texts()) {
        let mut tokenizer = small();
        tokenizer.add_concept("<toy>", 3).unwrap();
        let Ok(chunks) = tokenizer.chunks(&text) else { return Ok(()) };
        let length = tokenizer.max_length();
        let mut found = Vec::new();
        for chunk in &chunks {
            prop_assert_eq!((chunk.tokens.len(), chunk.weights.len()), (length, length));
            prop_assert!((1..length).contains(&chunk.end));
            prop_assert_eq!((chunk.tokens[0], chunk.tokens[chunk.end]), (713, 714));
            prop_assert!(chunk.tokens[chunk.end..].iter().all(|id| *id == 714));
            prop_assert!(chunk.weights[chunk.end..].iter().chain(&chunk.weights[..1]).all(|weight| *weight == 1.0));
            found.extend(chunk.tokens[1..chunk.end].iter().copied().zip(chunk.weights[1..chunk.end].iter().copied()));
        }
        let mut expected = Vec::new();
        for span in prompt::parse(&text).unwrap().into_iter().flatten() {
            expected.extend(tokenizer.encode(&span.text).unwrap().into_iter().map(|id| (id, span.weight)));
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn text_without_syntax_is_left_alone(text in r"[^()\[\]\\:]{1,80}") {
        prop_assume!(!text.contains("BREAK"));
        prop_assert_eq!(spans(&text), vec![(text.clone(), 1.0)]);
    }

    #[test]
    fn escaped_text_is_literal(text in r"[a-z()\[\]\\ ]{1,60}") {
        let escaped: String = text.chars().flat_map(|c| if "()[]\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
        prop_assert_eq!(spans(&escaped), vec![(text.clone(), 1.0)]);
    }
}
