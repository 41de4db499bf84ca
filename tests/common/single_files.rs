//! Single files of weights that are in the fixtures already, under other names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// `sd1/single/{file}.safetensors` of the fixtures in `folder`, written anew: `sd1/single/{file}.json` tells its names, and
/// for each a part of `sd1`, the name and the shape of that part's tensor. A whole model is in bf16, with what else such files
/// hold.
pub fn single_file(folder: &Path, file: &str) -> PathBuf {
    let names = read(&folder.join(format!("sd1/single/{file}.json")));
    let names: BTreeMap<String, (String, String, Vec<usize>)> = serde_json::from_slice(&names).unwrap();
    let parts: BTreeMap<&str, Vec<u8>> =
        names.values().map(|(part, ..)| (&**part, weights(folder, part))).collect();
    let parts: BTreeMap<&str, SafeTensors> =
        parts.iter().map(|(part, bytes)| (*part, SafeTensors::deserialize(bytes).unwrap())).collect();
    let others = folder.join(format!("sd1/single/{file}.others.safetensors"));
    let others = others.exists().then(|| read(&others));
    let others = others.as_ref().map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, (part, other, shape)) in &names {
        let tensor = parts[&**part].tensor(other).unwrap();
        let (dtype, bytes) = match others {
            Some(_) => (Dtype::BF16, in_bf16(&tensor)),
            None => (tensor.dtype(), tensor.data().to_vec()),
        };
        tensors.push((name.clone(), dtype, shape.clone(), bytes));
    }
    for (name, tensor) in others.iter().flat_map(SafeTensors::iter) {
        tensors.push((name.to_owned(), tensor.dtype(), tensor.shape().to_vec(), tensor.data().to_vec()));
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    // Tests run side by side: each has a file of its own.
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("single-{}", std::process::id()));
    std::fs::create_dir_all(&own).unwrap();
    let path = own.join(format!("{file}.safetensors"));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn weights(folder: &Path, part: &str) -> Vec<u8> {
    let names = ["diffusion_pytorch_model.safetensors", "model.safetensors"];
    let path =
        names.map(|name| folder.join("sd1").join(part).join(name)).into_iter().find(|path| path.exists());
    read(&path.unwrap_or_else(|| panic!("no weights of {part}")))
}

/// The same values: every fixture's are exact in all of these types.
fn in_bf16(tensor: &TensorView) -> Vec<u8> {
    let values = match tensor.dtype() {
        Dtype::F16 => {
            tensor.data().chunks(2).map(|bytes| f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()).collect()
        }
        Dtype::F32 => tensor
            .data()
            .chunks(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    values.into_iter().flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect()
}
