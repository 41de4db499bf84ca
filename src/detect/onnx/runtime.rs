//! Finding and loading ONNX Runtime, which is not part of this program.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;

use crate::error::{Error, Result};

/// Names the library's file.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// ONNX Runtime, loaded when a network is first opened. It is the library that [`VARIABLE`] names; else the one beside
/// the program, among the system's libraries, or in a Python package `onnxruntime`, whichever is found first.
///
/// # Errors
/// [`Error::Weights`] of `path`, which cannot be read without it.
pub fn environment(path: &Path) -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOADING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let environment = load().map_err(|problem| Error::weights(path, problem))?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// A network for a session of ONNX Runtime, on as many threads as everything else.
pub fn session(environment: &Environment, network: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_log_level(LogLevel::Fatal)?
        .with_intra_threads(rayon::current_num_threads())?
        .commit_from_memory(network)
}

fn load() -> std::result::Result<Environment, String> {
    let candidates = match env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        Some(named) => vec![PathBuf::from(named)],
        None => candidates(),
    };
    let mut failures = Vec::new();
    for library in candidates {
        let loaded = ort::init_from(&library).map_err(|error| error.to_string());
        let made = loaded.and_then(|builder| {
            builder
                .with_name(env!("CARGO_PKG_NAME"))
                .with_telemetry(false)
                .build()
                .map_err(|error| error.to_string())
        });
        match made {
            Ok(environment) => {
                environment.set_log_level(LogLevel::Fatal);
                tracing::debug!("ONNX Runtime is {}", library.display());
                return Ok(environment);
            }
            Err(problem) => failures.push(problem),
        }
    }
    Err(format!(
        "is a network for ONNX Runtime (1.17 or newer), which was not found: install it (`pip install onnxruntime`, in the \
         Python environment that is active), or name its library by the environment variable {VARIABLE} ({})",
        failures.join("; ")
    ))
}

/// Where the library may be, the likeliest first. The last name is looked up by the system.
fn candidates() -> Vec<PathBuf> {
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let name = format!("{prefix}onnxruntime{suffix}");
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.to_path_buf()));
    let beside = beside.iter().flat_map(|folder| [folder.join(&name), folder.join("../lib").join(&name)]);
    let mut found: Vec<PathBuf> = beside.filter(|library| library.is_file()).collect();
    found.extend(python_packages().iter().filter_map(|packages| {
        let folder = packages.join("onnxruntime/capi");
        // `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib`, `onnxruntime.dll`.
        entries(&folder, |file| file.starts_with(&format!("{prefix}onnxruntime.")) && file.contains(suffix))
            .pop()
    }));
    found.push(PathBuf::from(name));
    found
}

/// Folders of Python packages: of the active environment, of the user, of the system.
fn python_packages() -> Vec<PathBuf> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let own = env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    let roots = active.chain(own).chain(["/usr/local", "/usr"].map(PathBuf::from));
    let folders = roots.flat_map(|root| {
        let library = root.join("lib");
        let mut versions = entries(&library, |folder| folder.starts_with("python3"));
        // Newer versions first.
        versions.reverse();
        versions.push(root.join("Lib"));
        versions
            .into_iter()
            .flat_map(|python| ["site-packages", "dist-packages"].map(|name| python.join(name)))
    });
    folders.filter(|folder| folder.is_dir()).collect()
}

/// The entries of a folder whose names are wanted, by name; none where it cannot be read.
fn entries(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_wanted));
    let mut paths: Vec<PathBuf> = wanted.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
