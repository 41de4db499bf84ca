//! Single files of weights that are in the fixtures already, under other names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

/// `sd1/single/{part}.safetensors` of the fixtures in `folder`, written anew: `sd1/single/{part}.json` tells its names, and
/// for each the name and shape of a tensor of `sd1/{part}`.
pub fn single_file(folder: &Path, part: &str) -> PathBuf {
    let read =
        |path: PathBuf| std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let names = read(folder.join(format!("sd1/single/{part}.json")));
    let names: BTreeMap<String, (String, Vec<usize>)> = serde_json::from_slice(&names).unwrap();
    let weights = read(folder.join(format!("sd1/{part}/diffusion_pytorch_model.safetensors")));
    let weights = SafeTensors::deserialize(&weights).unwrap();
    let renamed = names.into_iter().map(|(name, (other, shape))| {
        let tensor = weights.tensor(&other).unwrap();
        (name, TensorView::new(tensor.dtype(), shape, tensor.data()).unwrap())
    });
    // Tests run side by side: each has a file of its own.
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("single-{}", std::process::id()));
    std::fs::create_dir_all(&own).unwrap();
    let path = own.join(format!("{part}.safetensors"));
    std::fs::write(&path, safetensors::serialize(renamed, None).unwrap()).unwrap();
    path
}
