//! Options outside their ranges: each refused by its name on the command line, before anything long begins.

use super::support::{Stage, run};

/// Runs with a model that does not exist: settings must be found wrong before weights are touched.
#[track_caller]
fn refused_at_once(stage: &Stage, arguments: &str, pieces: &[&str]) {
    stage.refuses(&format!("--model absent {arguments}"), 2, pieces);
}

#[test]
fn numbers_out_of_range() {
    let stage = Stage::new(2);
    for (option, values) in [
        ("reference-weight", "-1 -0.5 NaN inf 1e9"),
        ("previous-weight", "-1 NaN inf"),
        ("first-weight", "-0.1 NaN inf"),
        ("guidance-scale", "-1 NaN inf 101"),
        ("reference-scale", "-1 NaN inf 101"),
        ("reference-probability", "-0.1 1.1 NaN inf"),
        ("less-noise", "-1 NaN inf 1e9"),
        ("more-noise", "-1 NaN inf 1e9"),
        ("start", "-1 NaN inf"),
        ("end", "-1 0 NaN inf"),
        ("fps", "0 -1 NaN inf 1e9 1e-9"),
    ] {
        for value in values.split(' ') {
            let shown = value.parse::<f64>().unwrap().to_string();
            refused_at_once(&stage, &format!("--{option} {value}"), &[&format!("--{option}"), &shown]);
        }
    }
    for interval in ["-0.1:1", "0:1.1", "0.6:0.4", "NaN:1", "0:NaN", "0.5", "a:b"] {
        let option = format!("--guidance-interval={interval}");
        refused_at_once(&stage, &option, &["--guidance-interval", interval, "START:END"]);
    }
    refused_at_once(&stage, "--fps=-inf", &["--fps", "-inf"]);
    refused_at_once(&stage, "--guidance classifier-free --guidance-scale NaN", &["--guidance-scale", "NaN"]);
    refused_at_once(&stage, "--start 2 --end 1", &["--end", "1 s", "2 s"]);
}

#[test]
fn whole_numbers_out_of_range() {
    let stage = Stage::new(2);
    for option in ["steps", "clip-skip", "threads", "deep-cache"] {
        refused_at_once(&stage, &format!("--{option} 0"), &[&format!("--{option}"), "0"]);
    }
    refused_at_once(&stage, "--threads 100000", &["--threads", "100000", "1024"]);
    refused_at_once(&stage, "--deep-cache 21", &["--deep-cache", "21", "20"]);
    for option in ["steps", "clip-skip", "threads", "seed", "quality", "feature-memory", "vae-tile"] {
        for value in ["-1", "1.5", "many", "99999999999999999999999"] {
            refused_at_once(&stage, &format!("--{option} {value}"), &[&format!("--{option}"), value]);
        }
    }
    // These depend on the model or on the kind of output.
    stage.refuses("--steps 1001", 2, &["--steps", "1001", "1000"]);
    stage.refuses("--sampler lcm --steps 51", 2, &["--steps", "51", "50"]);
    stage.refuses("--clip-skip 9", 2, &["--clip-skip", "9", "1 to"]);
    stage.refuses("--vae-tile 3", 2, &["--vae-tile", "3", "multiples of"]);
    stage.refuses("--quality 60 -o x.mp4", 2, &["--quality", "60", "51"]);
    stage.refuses("--quality 20 -o x.gif", 2, &["--quality", "20"]);
    stage.refuses("--fps 100 -o x.gif", 2, &["--fps", "100", "50"]);
    stage.refuses("--quality 256", 2, &["--quality", "256"]);
}

#[test]
fn sizes() {
    let stage = Stage::new(1);
    for size in ["0x0", "0x32", "32x0", "100000x32", "32x8193", "4294967295x4294967295"] {
        refused_at_once(&stage, &format!("--size {size}"), &["--size", size, "8192"]);
    }
    for size in ["32", "32x", "axb", "32x32x32", "1e2x32", "99999999999x1"] {
        refused_at_once(&stage, &format!("--size {size}"), &["--size", size]);
    }
}

#[test]
fn names_that_are_not_known() {
    let stage = Stage::new(1);
    for (option, known) in [
        ("sampler", "dpm++-2m-karras"),
        ("device", "cuda:N"),
        ("dtype", "bf16"),
        ("fit", "contain"),
        ("guidance", "classifier-free"),
        ("prediction", "v_prediction"),
        ("pose-kind", "control"),
        ("person", "largest"),
    ] {
        refused_at_once(&stage, &format!("--{option} moon"), &[&format!("--{option}"), "moon", known]);
    }
    refused_at_once(&stage, "--device cuda:x", &["--device", "cuda:x"]);
    refused_at_once(&stage, "--unknown", &["--unknown"]);
    #[cfg(not(feature = "cuda"))]
    refused_at_once(&stage, "--device cuda", &["--device", "cuda"]);
}

#[test]
fn control_nets_and_loras() {
    let stage = Stage::new(1);
    for (options, piece) in [
        ("strength=-1", "-1"),
        ("strength=NaN", "NaN"),
        ("strength=11", "11"),
        ("start=0.6,end=0.5", "0.6"),
        ("end=1.5", "1.5"),
        ("start=inf", "inf"),
        ("strength=much", "much"),
        ("force=1", "force"),
        ("force", "force"),
    ] {
        refused_at_once(&stage, &format!("--controlnet model,{options}"), &["--controlnet", piece]);
    }
    for weight in ["NaN", "inf", "-11", "1e9"] {
        refused_at_once(&stage, &format!("--lora absent.safetensors:{weight}"), &["--lora"]);
    }
    let fixtures = super::support::repository("tests/fixtures");
    let without = super::support::text(&super::single_files::single_file(&fixtures, "model"));
    let configs = super::support::model();
    let arguments = format!("--model {without} --model-config {configs}");
    stage.refuses(&arguments, 2, &["--controlnet", "none of its own"]);
}

#[test]
fn starts_beyond_the_end() {
    let stage = Stage::new(24);
    stage.refuses("--start 1", 2, &["--start", "1 s", "dance.json"]);
    stage.refuses("--start 100", 2, &["--start", "100 s", "dance.json"]);
    let wave = super::support::text(&super::support::repository("poses/wave.mp4"));
    stage.refuses(&format!("--pose {wave} --start 100"), 2, &["--start", "100 s", "wave.mp4"]);
    stage.animate("--end 100 --start 0.95 --steps 1").succeeded();
}

#[test]
fn prompts() {
    let stage = Stage::new(1);
    let prompted = |option: &str, text: &str, model: &str| {
        let mut command = stage.animate_command(&format!("--steps 1 {model}"));
        command.args([option, text]);
        command
    };
    for option in ["--prompt", "--negative-prompt", "--reference-prompt"] {
        stage.refuses_command(prompted(option, "(bright:1.2.3)", "--model absent"), 2, &[option, "1.2.3"]);
        stage.refuses_command(prompted(option, "(bright:99)", "--model absent"), 2, &[option, "99"]);
        let long = "word ".repeat(25_000);
        stage.refuses_command(prompted(option, &long, ""), 2, &[option, "tokens", "at most"]);
    }
    // 10,000 words either fit or are refused by their number.
    let long = run(prompted("--prompt", &"word ".repeat(10_000), ""));
    if long.code != Some(0) {
        long.failed(2, &["--prompt", "tokens", "at most"]);
    }
    let odd = "🕺 ünïcödé \u{0} \u{202e} ((( [[[ \\";
    run(prompted("--prompt", &odd.replace('\0', ""), "")).succeeded();
}

#[test]
fn configuration_files() {
    let stage = Stage::new(1);
    let config = |content: &str, pieces: &[&str]| {
        stage.write("render.toml", content);
        let pieces = [&["render.toml"], pieces].concat();
        stage.refuses("--config render.toml", 3, &pieces);
    };
    config("colour = 3", &["colour", "no such option"]);
    config("steps = \"many\"", &["many", "--steps"]);
    config("steps = 2.5", &["2.5", "--steps"]);
    config("steps = true", &["--steps"]);
    config("keep-frames = \"yes\"", &["keep-frames"]);
    config("seed = -4", &["-4", "--seed"]);
    config("sampler = \"moon\"", &["moon", "dpm++-2m"]);
    config("prompt = { a = 1 }", &["prompt"]);
    config("prompt = ", &[]);
    config("config = \"render.toml\"", &["config", "no such option"]);
    config("help = true", &["help", "no such option"]);
    stage.write("render.toml", [0xff, 0xfe, 0]);
    stage.refuses("--config render.toml", 3, &["render.toml", "utf-8"]);
    stage.refuses("--config absent.toml", 5, &["absent.toml", "No such file"]);
    stage.write("render.toml", "steps = 1\nkeep-frames = true\noverwrite = false\ncompare = true\n");
    stage.animate("--config render.toml").succeeded();
    assert!(stage.path("out.compare.mkv").exists() && stage.path("out.mkv.frames/000000.png").exists());
}

#[test]
fn what_is_missing_is_named() {
    let stage = Stage::new(1);
    let mut command = stage.program();
    command.args(["animate", "--pose", "dance.json"]);
    stage.refuses_command(command, 2, &["--reference", "--output"]);
}
