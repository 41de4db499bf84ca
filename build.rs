//! Tells the crate whether the weights of its embedded networks lie beside it: a package of the registry has no room for them.

use std::path::Path;

/// A file of each network.
const EMBEDDED: [&str; 2] = ["models/mini/unet/config.json", "models/movenet/thunder.safetensors"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(embedded_weights)");
    for path in EMBEDDED {
        println!("cargo::rerun-if-changed={path}");
    }
    let is_wanted = std::env::var_os("CARGO_FEATURE_BUILTIN").is_some();
    if is_wanted && EMBEDDED.iter().all(|path| Path::new(path).exists()) {
        println!("cargo::rustc-cfg=embedded_weights");
    }
}
