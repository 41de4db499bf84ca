//! Foreign bytes: the corpus of the fuzzer, and mutations of it. No input may make a parser panic, take long, or take much memory.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};
use tempfile::TempDir;

use super::support::repository;

#[path = "../../fuzz/src/targets.rs"]
mod targets;

/// Longest time that one input may take: a hang, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most memory that the process may ever have had, in KiB.
const MEMORY: u64 = 1 << 20;
/// How long mutations are tried, and how many at most; `DREAMTUNER_MUTATIONS` tries as many as it says, however long that takes.
const TIME: Duration = Duration::from_secs(3);
const MUTATIONS: u32 = 100_000;

/// Values that are often the first to be forgotten.
const ODD: [&[u8]; 8] =
    [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80", b"-1", b"1e999", b"null", b"[]"];

/// A change of some bytes, at a place.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Write(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |place: &Index| if bytes.is_empty() { 0 } else { place.index(bytes.len()) };
        let until = |from: usize, length: usize| (from + length).min(bytes.len());
        match self {
            Self::Flip(place, bit) => {
                let at = at(place);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << (bit % 8));
            }
            Self::Write(place, new) => {
                let from = at(place);
                let until = until(from, new.len());
                bytes.splice(from..until, new.iter().copied());
            }
            Self::Insert(place, new) => {
                let from = at(place);
                bytes.splice(from..from, new.iter().copied());
            }
            Self::Remove(place, length) => {
                let from = at(place);
                let until = until(from, *length);
                bytes.drain(from..until);
            }
            Self::Repeat(place, length) => {
                let from = at(place);
                let again = bytes[from..until(from, *length)].to_vec();
                bytes.splice(from..from, again);
            }
            Self::Cut(place) => bytes.truncate(at(place)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let odd = || prop_oneof![select(&ODD[..]).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 1..8)];
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(place, bit)| Edit::Flip(place, bit)),
        4 => (any::<Index>(), odd()).prop_map(|(place, new)| Edit::Write(place, new)),
        2 => (any::<Index>(), odd()).prop_map(|(place, new)| Edit::Insert(place, new)),
        2 => (any::<Index>(), 1..64usize).prop_map(|(place, length)| Edit::Remove(place, length)),
        2 => (any::<Index>(), 1..64usize).prop_map(|(place, length)| Edit::Repeat(place, length)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ]
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(repository("fuzz/corpus")).join(name);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn withstands(name: &str) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !dreamtuner::files::is_guarded() {
            hook(panic);
        }
    }));
    let folder = TempDir::new().unwrap();
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "there are no bytes to begin with");
    let read = |bytes: &[u8]| {
        let started = Instant::now();
        targets::run(name, folder.path(), bytes);
        assert!(started.elapsed() < PATIENCE, "takes {:?}", started.elapsed());
    };
    corpus.iter().for_each(|bytes| read(bytes));
    let wanted = std::env::var("DREAMTUNER_MUTATIONS").ok().map(|number| number.parse().unwrap());
    let begun = Instant::now();
    let in_time = || wanted.is_some() || begun.elapsed() < TIME;
    let (seed, rng_algorithm) = (RngSeed::Fixed(23), RngAlgorithm::ChaCha);
    let config = Config {
        cases: wanted.unwrap_or(MUTATIONS),
        rng_seed: seed,
        rng_algorithm,
        failure_persistence: None,
        ..Config::default()
    };
    let tried = Cell::new(0);
    TestRunner::new(config)
        .run(&(any::<Index>(), vec(edit(), 1..6)), |(chosen, edits)| {
            if in_time() {
                let mut bytes = chosen.get(&corpus).clone();
                edits.iter().for_each(|edit| edit.apply(&mut bytes));
                read(&bytes);
                tried.set(tried.get() + 1);
            }
            Ok(())
        })
        .unwrap();
    let most = most_memory();
    let seconds = begun.elapsed().as_secs_f64();
    println!("| `{name}` | {} | {} | {seconds:.0} s | {} MiB |", corpus.len(), tried.get(), most >> 10);
    assert!(most < MEMORY, "{most} KiB of memory were in use");
}

/// The most memory that this process has had, in KiB; 0 where the system does not say.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

macro_rules! targets {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                withstands(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_tested() {
            let tested = [$(stringify!($name)),*];
            assert!(targets::TARGETS.iter().map(|(name, _)| *name).eq(tested));
        }
    };
}

targets! {
    bvh,
    config,
    dance,
    data_folder,
    journal,
    kept_poses,
    lora,
    noise,
    onnx,
    options,
    picture,
    png_text,
    pose_json,
    prompt,
    record,
    rig,
    safetensors,
    skeleton_frames,
    subject,
    tokenizer,
    video,
    weights_index,
}
