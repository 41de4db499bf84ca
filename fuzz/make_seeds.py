#!/usr/bin/env python3
"""Makes the corpus that fuzzing begins with, from files of the repository and of common tools (ffmpeg, ImageMagick).

    cargo build --release && python3 fuzz/make_seeds.py target/release/dreamtuner
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
FIXTURES = ROOT / "tests" / "fixtures"
HERO = ROOT / "examples" / "hero.png"


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def tool(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def made(suffix, *command):
    """The bytes of the file that a command writes; OUT stands for its name."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/out{suffix}"
        tool(*[path if part == "OUT" else part for part in command])
        return pathlib.Path(path).read_bytes()


def safetensors(tensors, metadata=None):
    """A safetensors file of zeros and small numbers: name to (dtype, shape)."""
    sizes = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U32": 4, "F64": 8}
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape) in tensors.items():
        count = 1
        for side in shape:
            count *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + count * sizes[dtype]]}
        values = [0.01 * (place % 7) for place in range(count)]
        form = {"F32": "f", "F64": "d", "F16": "e"}.get(dtype)
        data += struct.pack(f"<{count}{form}", *values) if form else bytes(count * sizes[dtype])
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def pictures():
    convert = lambda suffix, *options: made(suffix, "convert", HERO, "-resize", "24x24", *options, "OUT")
    white = ("-background", "white", "-flatten")
    put("picture", "rgba.png", convert(".png"))
    put("picture", "interlaced.png", convert(".png", "-interlace", "PNG", "-colors", "16", "-define", "png:color-type=3"))
    put("picture", "gray16.png", convert(".png", "-depth", "16", "-colorspace", "gray"))
    put("picture", "plain.jpg", convert(".jpg", *white))
    put("picture", "progressive.jpg", convert(".jpg", *white, "-interlace", "JPEG", "-sampling-factor", "4:2:0"))
    put("picture", "cmyk.jpg", convert(".jpg", *white, "-colorspace", "CMYK"))
    put("picture", "plain.gif", convert(".gif"))
    put("picture", "plain.bmp", convert(".bmp"))
    put("picture", "plain.tif", convert(".tif"))
    put("picture", "lzw.tif", convert(".tif", "-compress", "LZW"))
    put("picture", "lossy.webp", made(".webp", "ffmpeg", "-i", HERO, "-vf", "scale=24:24", "OUT"))
    put("picture", "lossless.webp", made(".webp", "ffmpeg", "-i", HERO, "-vf", "scale=24:24", "-lossless", "1", "OUT"))


def videos():
    film = ("ffmpeg", "-f", "lavfi", "-i", "testsrc=s=32x32:r=8:d=0.4", "-f", "lavfi", "-i", "sine=d=0.4")
    for name, options in {
        "h264.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"),
        "vp9.webm": ("-c:v", "libvpx-vp9", "-c:a", "libopus"),
        "ffv1.mkv": ("-c:v", "ffv1", "-c:a", "flac"),
        "prores.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
        "mpeg4.avi": ("-c:v", "mpeg4", "-c:a", "mp3"),
    }.items():
        put("video", name, made(f"-{name}", *film, *options, "OUT"))
    put("video", "plain.gif", made(".gif", "ffmpeg", "-f", "lavfi", "-i", "testsrc=s=32x32:r=8:d=0.4", "OUT"))
    frames = made(".rgb", "ffmpeg", "-i", ROOT / "poses" / "walk.mp4", "-frames:v", "3", "-vf", "scale=32:32",
                  "-f", "rawvideo", "-pix_fmt", "rgb24", "OUT")
    put("skeleton_frames", "walk.rgb", bytes([31, 31]) + frames)
    bars = made(".rgb", "ffmpeg", "-f", "lavfi", "-i", "testsrc=s=32x32:r=8:d=0.3", "-f", "rawvideo", "-pix_fmt", "rgb24", "OUT")
    put("skeleton_frames", "bars.rgb", bytes([31, 31]) + bars)


def poses():
    walk = json.loads((ROOT / "poses" / "walk.json").read_text())
    for name in ("mixamo.bvh", "others.bvh"):
        put("bvh", name, (FIXTURES / "bvh" / name).read_bytes())
    put("pose_json", "comfy.json", json.dumps(walk[:2]))
    put("pose_json", "openpose.json", json.dumps({"version": 1.3, "people": [{
        "person_id": [-1], "pose_keypoints_2d": [10, 20, 0.9] * 25, "face_keypoints_2d": [10, 20, 0.5] * 70,
        "hand_left_keypoints_2d": [1, 2, 0.3] * 21, "hand_right_keypoints_2d": []}]}))
    put("pose_json", "coco.json", json.dumps({
        "images": [{"id": 1, "width": 64, "height": 64}, {"id": 2, "width": 64, "height": 64}],
        "annotations": [{"image_id": 1, "keypoints": [20, 20, 2] * 17}, {"image_id": 2, "keypoints": [21, 20, 2] * 17}]}))
    put("pose_json", "results.json", json.dumps([
        {"image_id": 1, "category_id": 1, "keypoints": [20, 20, 1] * 17, "score": 0.9},
        {"image_id": "b", "category_id": 1, "keypoints": [20, 22, 1] * 17, "score": 0.9}]))
    put("pose_json", "frames.json", json.dumps({"fps": 12.5, "frames": [None, [], [[0.1, 0.2, 1]] * 17, [
        {"keypoints": [0.1, 0.3, 1] * 17}, {"keypoints": None}]]}))
    put("pose_json", "numbered.json", json.dumps([{"canvas_width": 64, "canvas_height": 48, "people": [
        {"person_id": [1], "pose_keypoints_2d": [9, 8, 1] * 18}]}]))
    for dance in sorted((ROOT / "src" / "puppet" / "choreography" / "dances").glob("[bw]*.txt")):
        put("dance", dance.name, dance.read_bytes())


def weights():
    lora = {}
    for layer in ("down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", "mid_block_attentions_0_proj_in"):
        lora[f"lora_unet_{layer}.lora_down.weight"] = ("F16", [2, 8])
        lora[f"lora_unet_{layer}.lora_up.weight"] = ("F16", [8, 2])
        lora[f"lora_unet_{layer}.alpha"] = ("F32", [])
    put("lora", "kohya.safetensors", safetensors(lora, {"ss_network_dim": "2"}))
    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    put("lora", "diffusers.safetensors", safetensors({f"{layer}.lora_A.weight": ("F32", [2, 8]), f"{layer}.lora_B.weight": ("F32", [8, 2])}))
    for name in ("a1111", "embedding"):
        put("lora", f"{name}.safetensors", (FIXTURES / "sd1" / "textual_inversion" / f"{name}.safetensors").read_bytes())
    unet = {"conv_in.weight": ("F32", [4, 4, 3, 3]), "conv_in.bias": ("F16", [4]), "time_embedding.linear_1.weight": ("BF16", [4, 4]),
            "conv_out.weight": ("F64", [4, 4, 3, 3]), "conv_norm_out.weight": ("I64", [4])}
    put("safetensors", "unet.safetensors", safetensors(unet, {"format": "pt"}))
    vae = {"first_stage_model.encoder.conv_in.weight": ("F32", [4, 3, 3, 3]), "first_stage_model.quant_conv.weight": ("F32", [8, 8, 1, 1]),
           "cond_stage_model.transformer.text_model.embeddings.position_ids": ("I64", [1, 77]),
           "model.diffusion_model.input_blocks.0.0.weight": ("F32", [4, 4, 3, 3])}
    put("safetensors", "single.safetensors", safetensors(vae))
    put("safetensors", "control.safetensors", safetensors({"control_model.zero_convs.0.0.weight": ("F32", [4, 4, 1, 1]),
                                                           "control_model.input_hint_block.0.weight": ("F32", [4, 3, 3, 3])}))
    put("safetensors", "pickle.safetensors", b"\x80\x02}q\x00.")
    put("noise", "noise.safetensors", safetensors({"latent": ("F32", [1, 4, 2, 2]), "reference": ("F16", [1, 4, 2, 2]),
                                                    "lambda": ("F64", [3]), "step.1": ("BF16", [1, 4, 2, 2])}))
    index = (FIXTURES / "sd1" / "sharded" / "controlnet" / "diffusion_pytorch_model.safetensors.index.json").read_text()
    short = json.loads(index)
    short["weight_map"] = dict.fromkeys(list(short["weight_map"])[:6], "a.safetensors")
    put("weights_index", "index.json", json.dumps(short))
    for part in ("unet", "vae", "text_encoder", "controlnet"):
        put("config", f"{part}.json", (FIXTURES / "sd1" / part / "config.json").read_bytes())
    put("config", "scheduler.json", (FIXTURES / "sd1" / "scheduler" / "scheduler_config.json").read_bytes())
    put("config", "subject.json", (FIXTURES / "subject" / "config.json").read_bytes())
    put("config", "image_encoder.json", (ROOT / "models" / "mini" / "image_encoder" / "config.json").read_bytes())
    for name in ("dwpose", "yolox"):
        put("onnx", f"{name}.onnx", (FIXTURES / "whole_body" / f"{name}.onnx").read_bytes())


def texts():
    folder = FIXTURES / "sd1" / "tokenizer"
    merges = (folder / "merges.txt").read_text().splitlines()[:40]
    vocab = json.loads((folder / "vocab.json").read_text())
    wanted = {"".join(line.split()) for line in merges[1:]} | {part for line in merges[1:] for part in line.split()}
    small = {word: place for place, word in enumerate(
        [word for word in vocab if word in wanted or len(word) <= 5 and word.endswith("</w>") or len(word) == 1 or "|" in word])}
    config = (folder / "tokenizer_config.json").read_text()
    put("tokenizer", "parts", "\0".join([json.dumps(small), "\n".join(merges), config]))
    whole = json.loads((folder / "tokenizer.json").read_text())
    whole["model"]["vocab"] = small
    whole["model"]["merges"] = [line for line in whole["model"]["merges"]][:len(merges) - 1]
    put("tokenizer", "tokenizer.json", json.dumps(whole))
    put("prompt", "weights", "a (hero:1.3), [night], ((snow)) \\(left\\) {curly} <lora:x:1> BREAK (a, (b:0.5):1.1)")
    put("prompt", "parameters", "smile, beach\nNegative prompt: lowres\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.5, "
        'Seed: 1, Size: 512x768, Lora hashes: "a: 1, b: 2", Version: v1')
    put("options", "animate.toml", 'reference = "hero.png"\nsteps = 20\nfps = 12.5\nlora = ["a:1", "b:0.5"]\n'
        'overwrite = true\nprompt = """a\nb"""\nwhen = 1979-05-27T07:32:00Z\n[table]\nx = { y = [1, [2, 0x3]] }\n')
    put("data_folder", "metadata.jsonl", '{"file_name": "a.png", "mask_file_name": "b.png", "caption": "a hero", "identity": 3}\n'
        '{"file_name": "a.png", "mask_file_name": "b.png", "control_file_name": null, "text": "x"}\n')
    put("data_folder", "dreambooth.txt", "subject_name,class\nred,square\ncat2,cat\n\nObject Prompts\nprompt_list = [\n"
        "'a {0} {1} in the snow'.format(unique_token, class_token),\n]\n\nLive Subject Prompts\n'a {0} {1} asleep'.format(unique_token, class_token),\n")


def of_the_program(program):
    tiny = ["--model", FIXTURES / "sd1", "--steps", "1", "--size", "16x16", "--reference", HERO, "--reference-pose", "none"]
    # figure.png is HERO at 48x48 pixels, by ffmpeg's area filter; figure.rig.png was written beside this.
    rig = made(".rig.json", program, "rig", ROOT / "fuzz" / "figure.png", "--reference-pose",
               ROOT / "examples" / "hero.pose.json", "-o", "OUT")
    put("rig", "figure.rig.json", rig.replace(b"out.rig.png", b"figure.rig.png"))
    put("png_text", "image.png", made(".png", program, "image", *tiny, "--prompt", "smile, café, 夜", "-o", "OUT"))
    subject = {"word": ("F32", [1, 8]), "unet.mid_block.attentions.0.proj_in.lora_A.weight": ("F32", [2, 8]),
               "unet.mid_block.attentions.0.proj_in.lora_B.weight": ("F32", [8, 2])}
    notes = {"word": "<h>", "class": "puppet", "template": "a {}", "steps": 1}
    put("subject", "small.subject", safetensors(subject, {"subject": json.dumps(notes)}))
    plan = json.dumps({"dreamtuner": "0", "frames": 2, "settings": {"seed": 1}})
    latent = safetensors({"latent": ("F32", [1, 4, 2, 2])})
    picture = made(".png", "convert", HERO, "-resize", "8x8", "OUT")
    for place, (name, data) in enumerate({"plan": plan.encode(), "latent": latent, "picture": picture,
                                          "trajectory": safetensors({"0.1.reference": ("F16", [1, 4, 8])})}.items()):
        put("journal", name, bytes([place]) + data)
    put("kept_poses", "one.safetensors", safetensors(
        {"people": ("U32", [1]), "points": ("F32", [0, 128, 3]), "times": ("F64", [1]), "cuts": ("U32", [0])},
        {"key": "key", "width": "64", "height": "48", "rate": "24", "per": "1", "audio": "false"}))
    put("kept_poses", "person.safetensors", safetensors(
        {"people": ("U32", [1]), "points": ("F32", [1, 128, 3]), "times": ("F64", [1]), "cuts": ("U32", [1])},
        {"key": "key", "width": "64", "height": "48", "rate": "30000", "per": "1001", "audio": "true"}))
    put("record", "record", '{"dreamtuner":"0.1.0","key":"key"}\n{"output":"/out.mp4","bytes":12,"modified":1700000000000000000}\n'
        '{"complete":{"keeps_frames":true}}\n')


def main():
    pictures()
    videos()
    poses()
    weights()
    texts()
    of_the_program(sys.argv[1])


main()
