// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// The commands of bindings/tests/probe.c, through the binding.

#[path = "../backbone.rs"]
mod backbone;

use std::io::{BufRead, Write};
use std::path::Path;

use backbone::{ffi, Error, Feature, Image, Layout, LoadOptions, Options, ResNet};
use backbone::{Optimizer, OptimizerOptions, ParameterGroup, Tape, TapeOptions};

fn report(outcome: Result<String, Error>) {
    match outcome {
        Ok(text) => println!("{}", text),
        Err(Error { status, message, report: None }) => println!("error {} {}", status, message),
        Err(Error { status, message, report: Some(json) }) => println!("error {} {} report {}", status, message, json),
    }
    std::io::stdout().flush().unwrap();
}

macro_rules! layout {
    ($name:expr, $kind:ty, $($field:ident)*) => {{
        let place = std::mem::MaybeUninit::<$kind>::uninit();
        let base = place.as_ptr();
        let mut lines = vec![format!("{} {}", $name, std::mem::size_of::<$kind>())];
        $({
            let field = unsafe { std::ptr::addr_of!((*base).$field) };
            lines.push(format!("{} {} {}", stringify!($field), field as usize - base as usize, size_of_target(field)));
        })*
        lines.join("\n")
    }};
}

fn size_of_target<T>(_: *const T) -> usize {
    std::mem::size_of::<T>()
}

fn layout(name: &str) -> String {
    match name {
        "backbone_options" => layout!(name, ffi::Options, struct_size depth in_channels base_channels out_stages
            frozen_stages norm_eval zero_init_residual threads channel_order mean std_dev arithmetic style norm_eps
            reserved normalization reserved2 architecture num_classes output_stride dilated_stages dilation_rule
            block_counts block groups width_per_group stem stem_channels stem_pooling shortcut norm attention
            anti_aliasing preactivation block_width_count block_widths),
        "backbone_load_options" => layout!(name, ffi::LoadOptions, struct_size strict key prefix input_channels
            channel_map_length channel_map allow_missing ignore_modules max_stream_bytes head reserved),
        "backbone_report_entry" => layout!(name, ffi::ReportEntry, name expected_ndim actual_ndim expected_shape
            actual_shape),
        "backbone_entry_info" => layout!(name, ffi::EntryInfo, name dtype ndim shape is_parameter trainable
            batch_statistics reserved),
        "backbone_tensor" => layout!(name, ffi::Tensor, data dtype reserved shape strides),
        "backbone_layer" => layout!(name, ffi::Layer, name kernel input_shape output_shape operations bytes
            nanoseconds),
        "backbone_tape_options" => layout!(name, ffi::TapeOptions, struct_size input_gradient retain recompute),
        "backbone_parameter_group" => layout!(name, ffi::ParameterGroup, prefix kinds reserved learning_rate_factor
            weight_decay),
        "backbone_optimizer_options" => layout!(name, ffi::OptimizerOptions, struct_size kind nesterov reserved momentum
            dampening beta1 beta2 epsilon weight_decay groups group_count),
        _ => panic!("no struct {}", name),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("'{}' is not a number", word))
}

fn numbers(word: &str) -> Vec<f32> {
    if word == "-" {
        return Vec::new();
    }
    word.split(',').map(number).collect()
}

fn optional(word: &str) -> Option<String> {
    Some(word.to_string()).filter(|word| word != "-")
}

fn create(words: &[&str]) -> Result<ResNet, Error> {
    let mut options = Options::new()?;
    options.depth = number(words[1]);
    options.in_channels = number(words[2]);
    options.base_channels = number(words[3]);
    options.out_stages = number(words[4]);
    options.frozen_stages = number(words[5]);
    options.norm_eval = words[6] == "1";
    options.zero_init_residual = words[7] == "1";
    options.threads = number(words[8]);
    options.channel_order = number(words[9]);
    options.arithmetic = number(words[10]);
    options.style = number(words[11]);
    options.norm_eps = number(words[12]);
    options.mean = numbers(words[13]);
    options.std_dev = numbers(words[14]);
    ResNet::new(&options)
}

// A depth that is not given is 0: its default would contradict the name.
fn named(words: &[&str]) -> Result<ResNet, Error> {
    let mut options = Options::new()?;
    options.architecture = optional(words[1]);
    options.depth = optional(words[2]).map_or(0, |word| number(&word));
    options.base_channels = 4;
    options.threads = 2;
    ResNet::new(&options)
}

fn list(text: &str) -> Vec<i32> {
    text.split(',').map(number).collect()
}

fn listed(values: &[i32]) -> String {
    if values.is_empty() {
        return "-".into();
    }
    values.iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

// The defaults with what the words say.
fn given(words: &[&str]) -> Result<Options, Error> {
    let mut o = Options::new()?;
    for word in words {
        let (name, value) = word.split_once('=').unwrap();
        match name {
            "depth" => o.depth = number(value),
            "in_channels" => o.in_channels = number(value),
            "base_channels" => o.base_channels = number(value),
            "out_stages" => o.out_stages = number(value),
            "threads" => o.threads = number(value),
            "num_classes" => o.num_classes = number(value),
            "output_stride" => o.output_stride = number(value),
            "dilated_stages" => o.dilated_stages = number(value),
            "dilation_rule" => o.dilation_rule = number(value),
            "block" => o.block = number(value),
            "groups" => o.groups = number(value),
            "width_per_group" => o.width_per_group = number(value),
            "stem" => o.stem = number(value),
            "stem_channels" => o.stem_channels = number(value),
            "stem_pooling" => o.stem_pooling = number(value),
            "shortcut" => o.shortcut = number(value),
            "norm" => o.norm = number(value),
            "attention" => o.attention = number(value),
            "anti_aliasing" => o.anti_aliasing = number(value),
            "preactivation" => o.preactivation = number(value),
            "architecture" => o.architecture = Some(value.to_string()),
            "block_counts" => list(value).iter().zip(&mut o.block_counts).for_each(|(value, count)| *count = *value),
            "block_widths" => o.block_widths = list(value),
            _ => panic!("no field {}", name),
        }
    }
    Ok(o)
}

fn bits(values: &[f32]) -> String {
    if values.is_empty() {
        return "-".into();
    }
    values.iter().map(|value| value.to_bits().to_string()).collect::<Vec<_>>().join(",")
}

fn options(net: &ResNet) -> Result<String, Error> {
    let o = net.options()?;
    let (norm_eval, zero_init) = (i32::from(o.norm_eval), i32::from(o.zero_init_residual));
    let first = format!("{} {} {} {} {}", o.depth, o.in_channels, o.base_channels, o.out_stages, o.frozen_stages);
    let second = format!("{} {} {} {} {}", norm_eval, zero_init, o.threads, o.channel_order, o.arithmetic);
    let floats = format!("{} {} {}", bits(&[o.norm_eps]), bits(&o.mean), bits(&o.std_dev));
    let architecture = o.architecture.unwrap_or_else(|| "-".into());
    let more = [
        o.num_classes, o.output_stride, o.dilated_stages as i32, o.dilation_rule, o.block, o.groups, o.width_per_group,
        o.stem, o.stem_channels, o.stem_pooling, o.shortcut, o.norm, o.attention, o.anti_aliasing, o.preactivation,
    ];
    let more = more.iter().map(|value| value.to_string()).collect::<Vec<_>>().join(" ");
    let lists = format!("{} {}", listed(&o.block_counts), listed(&o.block_widths));
    Ok(format!("options {} {} {} {} {} {} {}", first, second, o.style, floats, more, lists, architecture))
}

fn load_options(words: &[&str]) -> LoadOptions {
    LoadOptions {
        strict: words[2] == "1",
        key: optional(words[3]),
        prefix: optional(words[4]),
        allow_missing: words[5] == "1",
        ignore_modules: words[6] == "1",
        max_stream_bytes: number(words[7]),
        head: number(words[8]),
    }
}

fn shape(words: &[&str]) -> [i64; 4] {
    [number(words[0]), number(words[1]), number(words[2]), number(words[3])]
}

fn with_image<T>(words: &[&str], body: impl FnOnce(Image<'_>) -> T) -> T {
    let bytes = std::fs::read(words[7]).unwrap();
    let floats: Vec<f32> = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let layout = if words[2] == "nhwc" { Layout::Nhwc } else { Layout::Nchw };
    let shape = shape(&words[3..]);
    let image = if words[1] == "uint8" { Image::uint8(&bytes, shape) } else { Image::float32(&floats, shape) };
    body(image.with_layout(layout))
}

fn write(path: &str, features: &[Feature]) {
    let bytes = features.iter().flat_map(|feature| feature.data.iter().flat_map(|value| value.to_le_bytes()));
    std::fs::write(path, bytes.collect::<Vec<u8>>()).unwrap();
}

// Buffers for the features of images of this shape; `short` of so many elements each.
fn buffers(net: &ResNet, input: [i64; 4], short: i64) -> Result<Vec<Feature>, Error> {
    let new = |shape: [i64; 4]| Feature { data: vec![-1.0; (shape.iter().product::<i64>() - short) as usize], shape };
    Ok(net.output_shapes(input)?.into_iter().map(new).collect())
}

fn forward_into(net: &ResNet, words: &[&str], short: i64, count: usize) -> Result<Vec<Feature>, Error> {
    let mut features = buffers(net, shape(&words[3..]), short)?;
    features.truncate(count);
    let mut outputs: Vec<&mut [f32]> = features.iter_mut().map(|feature| &mut feature.data[..]).collect();
    with_image(words, |image| net.forward_into(image, &mut outputs))?;
    Ok(features)
}

// ---- Training ----

#[derive(Default)]
struct Training {
    tape: Option<Tape>,
    optimizer: Option<Optimizer>,
    input: [i64; 4],
    features: Vec<Feature>,
    loss_gradient: Option<Feature>,
    gradients: Vec<f32>,
}

fn optimizer(net: &ResNet, words: &[&str]) -> Result<Optimizer, Error> {
    let mut o = OptimizerOptions::new(number(words[1]))?;
    o.nesterov = words[2] == "1";
    let fields =
        [&mut o.momentum, &mut o.dampening, &mut o.beta1, &mut o.beta2, &mut o.epsilon, &mut o.weight_decay];
    for (field, word) in fields.into_iter().zip(&words[3..]) {
        *field = optional(word).map_or(*field, |word| number(&word));
    }
    for word in &words[9..] {
        let parts: Vec<&str> = word.split(':').collect();
        o.groups.push(ParameterGroup {
            prefix: optional(parts[0]).unwrap_or_default(),
            kinds: number(parts[1]),
            learning_rate_factor: number(parts[2]),
            weight_decay: number(parts[3]),
        });
    }
    net.optimizer(&o)
}

fn given_gradients<'a>(t: &'a Training, words: &[&str]) -> Vec<Option<&'a Feature>> {
    if words[1] == "features" {
        return t.features.iter().map(Some).collect();
    }
    let missing = t.features.len() - 1;
    (0..missing).map(|_| None).chain([t.loss_gradient.as_ref()]).collect()
}

fn feature_gradients(net: &ResNet, t: &Training, words: &[&str], less: usize, most: usize) -> Result<(), Error> {
    let mut wanted: Vec<Option<Feature>> = Vec::new();
    for (feature, bit) in t.features.iter().zip(words[2].chars()).take(most) {
        let data = vec![0.0; feature.data.len() - less];
        wanted.push((bit == '1').then(|| Feature { data, shape: feature.shape }));
    }
    let mut written: Vec<Option<&mut Feature>> = wanted.iter_mut().map(Option::as_mut).collect();
    net.feature_gradients(t.tape.as_ref().unwrap(), &given_gradients(t, words), &mut written)?;
    write(words[3], &wanted.into_iter().flatten().collect::<Vec<_>>());
    Ok(())
}

fn backward(net: &ResNet, t: &mut Training, words: &[&str], with_input: bool) -> Result<(), Error> {
    if words[2] == "0" {
        t.gradients = vec![0.0; net.trainable_count()?];
    }
    let tape = t.tape.as_ref().unwrap();
    let mut input = with_input.then(|| Feature::new(t.input));
    let mut gradients = std::mem::take(&mut t.gradients);
    let result = net.backward(tape, &given_gradients(t, words), input.as_mut(), Some(&mut gradients), words[2] == "1");
    t.gradients = gradients;
    result?;
    let all = Feature { data: t.gradients.clone(), shape: [0; 4] };
    write(words[3], &input.into_iter().chain([all]).collect::<Vec<_>>());
    Ok(())
}

fn train(net: &ResNet, t: &mut Training, words: &[&str]) -> Result<String, Error> {
    let ok = |_| "ok".to_string();
    match words[0] {
        "trainable" => {
            net.set_trainable(number(words[1]))?;
            Ok(format!("trainable {}", net.trainable_count()?))
        }
        "slot" => net.trainable_slot(number(words[1])).map(|slot| format!("slot {} {}", slot.start, slot.len())),
        "tape" => {
            let options = TapeOptions {
                input_gradient: words[1] == "1",
                retain: words[2] == "1",
                ..TapeOptions::default()
            };
            t.tape = Some(net.tape(options)?);
            Ok("ok".into())
        }
        "forward_train" => {
            let tape = t.tape.as_ref().unwrap();
            t.features = with_image(words, |image| net.forward_train(tape, image))?;
            t.input = shape(&words[3..]);
            write(words[8], &t.features);
            Ok("ok".into())
        }
        "bytes" => Ok(format!("bytes {}", net.tape_bytes(t.tape.as_ref().unwrap())?)),
        "loss" => {
            let labels: Vec<i64> = words[1].split(',').map(number).collect();
            let (loss, gradient) = backbone::cross_entropy(t.features.last().unwrap(), &labels, number(words[2]))?;
            t.loss_gradient = Some(gradient);
            Ok(format!("loss {}", loss.to_bits()))
        }
        "backward" => backward(net, t, words, false).map(ok),
        "backward_input" => backward(net, t, words, true).map(ok),
        "feature_gradients" => feature_gradients(net, t, words, 0, 7).map(ok),
        "feature_gradients_short" => feature_gradients(net, t, words, 1, 7).map(ok),
        "feature_gradients_fewer" => feature_gradients(net, t, words, 0, 1).map(ok),
        "clip" => Ok(format!("norm {}", net.clip_gradients(&mut t.gradients, number(words[1]))?.to_bits())),
        "optimizer" => {
            t.optimizer = Some(optimizer(net, words)?);
            Ok("ok".into())
        }
        "step" => {
            let optimizer = t.optimizer.as_ref().unwrap();
            net.step(optimizer, &t.gradients, number(words[1]), words[2] == "1").map(ok)
        }
        "spoil" => {
            t.gradients[0] = f32::INFINITY;
            Ok("ok".into())
        }
        "follow" => net.follow(t.optimizer.as_ref().unwrap()).map(ok),
        "parameters" => {
            t.gradients = net.read_trainable()?;
            net.write_trainable(&t.gradients)?;
            write(words[1], &[Feature { data: t.gradients.clone(), shape: [0; 4] }]);
            Ok("ok".into())
        }
        "save_training" => net.save_training(t.optimizer.as_ref().unwrap(), words[1], number(words[2])).map(ok),
        "load_training" => {
            Ok(format!("ok report {}", net.load_training(t.optimizer.as_ref().unwrap(), words[1])?))
        }
        "save_as" => net.save_weights_with(words[1], words[2]).map(ok),
        command => panic!("no command {}", command),
    }
}

fn run(net: &mut Option<ResNet>, training: &mut Training, words: &[&str]) -> Result<String, Error> {
    let ok = |_| "ok".to_string();
    match words[0] {
        "open" => return backbone::load(Some(Path::new(words[1]))).map(ok),
        "version" => {
            let version = backbone::version()?;
            let abi = unsafe { (backbone::functions()?.backbone_abi_version)() };
            return Ok(format!("version {} abi {}", version, abi));
        }
        "functions" => return Ok(ffi::Functions::NAMES.join(" ")),
        "layout" => return Ok(words[1..].iter().map(|name| layout(name)).collect::<Vec<_>>().join("\n")),
        "architectures" => return Ok(format!("architectures {}", backbone::architectures()?.join(" "))),
        "create" | "named" | "build" => {
            *net = Some(match words[0] {
                "create" => create(words)?,
                "named" => named(words)?,
                _ => ResNet::new(&given(&words[1..])?)?,
            });
            return Ok("created".into());
        }
        "from_file" => {
            let (created, report) = ResNet::from_file(words[1], &given(&words[9..])?, &load_options(words))?;
            *net = Some(created);
            return Ok(format!("created report {}", report));
        }
        "close" => {
            *net = None;
            return Ok("closed".into());
        }
        "free" => {
            if words[1] == "tape" {
                training.tape = None;
            } else {
                training.optimizer = None;
            }
            return Ok("ok".into());
        }
        _ => {}
    }
    let net = net.as_ref().expect("a network");
    match words[0] {
        "options" => options(net),
        "init" => net.init_weights(number(words[1])).map(ok),
        "load" => Ok(format!("ok report {}", net.load_weights(words[1], &load_options(words))?)),
        "save" => net.save_weights(words[1]).map(ok),
        "freeze" => net.freeze(number(words[1])).map(ok),
        "training" => {
            net.set_training(words[1] == "1")?;
            Ok(format!("training {}", i32::from(net.training()?)))
        }
        "shapes" => {
            let rows = net.output_shapes(shape(&words[1..]))?;
            Ok(rows.iter().flatten().fold("shapes".to_string(), |text, size| format!("{} {}", text, size)))
        }
        "forward" => {
            let features = with_image(words, |image| net.forward(image))?;
            let shapes: Vec<_> = features.iter().map(|feature| feature.shape).collect();
            assert_eq!(shapes, net.output_shapes(shape(&words[3..]))?);
            write(words[8], &features);
            Ok("ok".into())
        }
        "forward_into" => forward_into(net, words, 0, 7).map(|features| write(words[8], &features)).map(ok),
        "cancel" => std::thread::scope(|scope| {
            let call = scope.spawn(|| with_image(words, |image| net.forward(image)));
            while !call.is_finished() {
                net.cancel();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            call.join().unwrap().map(|_| "not cancelled".into())
        }),
        "forward_short" => forward_into(net, words, 1, 7).map(|_| "ok".into()),
        "forward_fewer" => forward_into(net, words, 0, 1).map(|_| "ok".into()),
        _ => train(net, training, words),
    }
}

fn main() {
    let mut net = None;
    let mut training = Training::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        report(run(&mut net, &mut training, &words));
    }
}
