//! The deep reference pack: values of PyTorch and torchvision for weights and inputs that a generator reproduces.
//!
//! The generator is defined in the header of the pack's `make_reference.py`; cases are discovered from `manifest.json`.

use std::collections::BTreeMap;

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{self, Tally, Worst};
use alnm_deep::{
    Backbone, CrossEntropyLoss, FeatureExtractor, GradCamOptions, Head, Initialisation, Network, Optimiser, Predictor,
    StateDict, Tensor, Trainer, WeightDecayRule, grad_cam, rotate,
};
use ndarray::Array2;
use serde_json::Value;

#[test]
fn conformance() {
    let Some(pack) = Pack::open("deep") else { return };
    let manifest: Value = pack.json("manifest.json");
    let seed = manifest["seed"].as_u64().expect("the manifest states its seed");
    let mut sections: BTreeMap<String, Tally> = BTreeMap::new();
    for case in &pack.cases() {
        let (kind, name) = (text(case, "kind"), text(case, "name"));
        let new = || Tally::new(kind).worst(Worst::PartOfTolerance);
        let tally = sections.entry(kind.to_owned()).or_insert_with(new);
        tally.case(name);
        match kind {
            "eval" => evaluation(case, seed, tally),
            "train" => training(case, seed, tally),
            "gradcam" => class_activation(case, seed, tally),
            "rotate" => rotation(case, seed, tally),
            "resize" => resize(case, seed, manifest["tolerances"]["resize"].as_f64().expect("a tolerance"), tally),
            "generator" => generator(case, seed, tally),
            other => panic!("{name}: unknown kind of case {other}"),
        }
    }
    tally::finish(sections.into_values());
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("`{key}` is missing"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// splitmix64 from a name and the pack's seed, in [0, 1).
fn draws(name: &str, seed: u64, count: usize) -> impl Iterator<Item = f64> + use<> {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut state = hash ^ seed;
    (0..count).map(move |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / (1u64 << 24) as f64
    })
}

/// Weights as the pack's generator fills them.
fn filled(backbone: Backbone, head: Head, seed: u64) -> Network {
    let mut network = Network::initialised(backbone, head, Initialisation::default());
    let mut state = network.state_dict();
    let norms: Vec<String> =
        state.keys().filter_map(|key| key.strip_suffix(".running_mean").map(str::to_owned)).collect();
    let basic = matches!(backbone, Backbone::ResNet18 | Backbone::ResNet34);
    for (key, tensor) in &mut state {
        let (module, leaf) = key.rsplit_once('.').expect("names have a module");
        let is_norm = norms.iter().any(|norm| norm == module);
        let ends_block = module.ends_with("bn3") || (module.ends_with("bn2") && basic);
        let fan_in: usize = tensor.shape()[1..].iter().product();
        let is_head_bias = module == "head" && leaf == "bias";
        let values = draws(&format!("{backbone}/{key}"), seed, tensor.values().len()).map(|u| match leaf {
            "weight" if is_norm && ends_block => 0.2 + 0.2 * u,
            "weight" if is_norm => 0.5 + u,
            "weight" => (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt(),
            "running_var" => 0.5 + u,
            _ if is_head_bias => 0.0,
            _ => (2.0 * u - 1.0) * 0.1,
        });
        let values: Vec<f32> = values.map(|value| value as f32).collect();
        tensor.values_mut().copy_from_slice(&values);
    }
    network.load_state_dict(state).expect("the state is the network's own");
    network
}

fn backbone(case: &Value) -> Backbone {
    text(case, "model").parse().expect("a backbone of the crate")
}

fn shape(case: &Value) -> Vec<usize> {
    numbers(&case["input_shape"]).iter().map(|n| *n as usize).collect()
}

fn input_values(case: &Value, seed: u64) -> Vec<f32> {
    let name = case["input_name"].as_str().map_or_else(|| format!("input/{}", text(case, "name")), str::to_owned);
    draws(&name, seed, shape(case).iter().product()).map(|u| (2.0 * u - 1.0) as f32).collect()
}

fn input(case: &Value, seed: u64) -> Tensor {
    let shape: [usize; 4] = shape(case).try_into().expect("four dimensions");
    Tensor::from_nchw(shape, &input_values(case, seed)).expect("as many values as the shape asks for")
}

fn evaluation(case: &Value, seed: u64, tally: &mut Tally) {
    let network = filled(backbone(case), Head::None, seed);
    let output = Predictor::new(&network).output(input(case, seed), "fc").expect("the pack's images fit the network");
    let expected: Vec<f64> = case["output_f64"].as_array().expect("a list").iter().flat_map(numbers).collect();
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (index, (got, want)) in output.as_slice().iter().zip(&expected).enumerate() {
        tally.difference(format_args!("output {index}"), (f64::from(*got) - want).abs(), 2e-4 * largest);
    }
}

fn optimiser(case: &Value) -> (Optimiser, f64) {
    match text(case, "optimiser") {
        "sgd" => (Optimiser::Sgd { momentum: 0.9, weight_decay: 1e-4 }, 1e-2),
        "adamw" => (Optimiser::adamw(1e-2), 1e-4),
        other => panic!("unknown optimiser {other}"),
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// The pack's names put `backbone.` before those of torchvision.
fn torchvision(name: &str) -> &str {
    name.strip_prefix("backbone.").unwrap_or(name)
}

/// Norms within 2e-3 relative and first elements within 2e-3 of the norm.
fn compare_norms(expected: &Value, got: &StateDict, what: &str, tally: &mut Tally) {
    for (name, value) in expected.as_object().expect("a table") {
        let tensor = got[torchvision(name)].values();
        let (want, first) = match value.as_array() {
            Some(_) => (numbers(value)[0], Some(numbers(value)[1])),
            None => (value.as_f64().expect("a number"), None),
        };
        tally.difference(format_args!("{what}: norm of {name}"), (norm(tensor) - want).abs(), 2e-3 * want);
        if let Some(first) = first {
            tally.difference(
                format_args!("{what}: first of {name}"),
                (f64::from(tensor[0]) - first).abs(),
                2e-3 * want,
            );
        }
    }
}

fn training(case: &Value, seed: u64, tally: &mut Tally) {
    let (optimiser, learning_rate) = optimiser(case);
    let network = filled(backbone(case), Head::Logit, seed);
    let mut trainer = Trainer::new(network, optimiser, WeightDecayRule::All).expect("the network has a head");
    let labels: Vec<bool> = numbers(&case["labels"]).iter().map(|label| *label > 0.5).collect();
    let (exact, single) = (numbers(&case["losses_f64"]), numbers(&case["losses_torch_f32"]));
    for (step, (exact, single)) in exact.iter().zip(&single).enumerate() {
        let gradients =
            trainer.gradients(input(case, seed), &labels, CrossEntropyLoss::default(), 0).expect("the batch fits");
        let allowed = (1e-3 * exact.abs()).max(10.0 * (single - exact).abs());
        tally.difference(format_args!("loss of step {step}"), (gradients.loss() - exact).abs(), allowed);
        if step == 0 {
            let named = trainer.named_gradients(&gradients);
            compare_norms(&case["step0_grad_norm_and_first"], &named, "gradient", tally);
        }
        trainer.update(&gradients, learning_rate);
    }
    let state = trainer.network().state_dict();
    compare_norms(&case["params_norm_and_first_after"], &state, "parameter", tally);
    compare_norms(&case["running_stats_norm_after"], &state, "statistic", tally);
}

fn class_activation(case: &Value, seed: u64, tally: &mut Tally) {
    let backbone = backbone(case);
    let network = filled(backbone, Head::None, seed);
    let index = case["class_index"].as_u64().expect("a class") as usize;
    let options = GradCamOptions::default().with_output("fc", index);
    let map = grad_cam(&network, &input(case, seed), &options).expect("the case fits");
    for (pixel, (got, want)) in map.iter().zip(numbers(&case["map_f64"])).enumerate() {
        tally.difference(format_args!("pixel {pixel}"), (f64::from(*got) - want).abs(), 2e-3);
    }
}

fn rotation(case: &Value, seed: u64, tally: &mut Tally) {
    let shape = shape(case);
    let image = Array2::from_shape_vec((shape[1], shape[2]), input_values(case, seed)).expect("a plane");
    let turned = rotate(&image, case["degrees"].as_f64().expect("an angle"));
    for (pixel, (got, want)) in turned.iter().zip(numbers(&case["values"])).enumerate() {
        tally.difference(format_args!("pixel {pixel}"), (f64::from(*got) - want).abs(), 1e-5);
    }
}

fn generator(case: &Value, seed: u64, tally: &mut Tally) {
    let state = filled(backbone(case), Head::None, seed).state_dict();
    let values = state[text(case, "key")].values();
    for (index, (got, want)) in values.iter().zip(numbers(&case["values"])).enumerate() {
        tally.difference(format_args!("value {index}"), (f64::from(*got) - want).abs(), 1e-7);
    }
}

fn resize(case: &Value, seed: u64, tolerance: f64, tally: &mut Tally) {
    let shape = shape(case);
    let image = Array2::from_shape_vec((shape[2], shape[3]), input_values(case, seed)).expect("a plane");
    let resized = alnm_imaging::region::resize_bilinear(image.view(), 224, 224).expect("the image is not empty");
    for (row, expected) in [0, 111, 223].into_iter().zip(case["rows_0_111_223"].as_array().expect("three rows")) {
        for (column, want) in numbers(expected).iter().enumerate() {
            tally.difference(
                format_args!("pixel ({row}, {column})"),
                (f64::from(resized[[row, column]]) - want).abs(),
                tolerance,
            );
        }
    }
}
