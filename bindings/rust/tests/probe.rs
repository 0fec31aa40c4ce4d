// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// The commands of bindings/tests/probe.c, through the binding.

#[path = "../backbone.rs"]
mod backbone;

use std::io::{BufRead, Write};
use std::path::Path;

use backbone::{ffi, Error, Feature, Image, Layout, LoadOptions, Options, ResNet};

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
            reserved normalization reserved2),
        "backbone_load_options" => layout!(name, ffi::LoadOptions, struct_size strict key prefix input_channels
            channel_map_length channel_map allow_missing ignore_modules max_stream_bytes),
        "backbone_report_entry" => layout!(name, ffi::ReportEntry, name expected_ndim actual_ndim expected_shape
            actual_shape),
        "backbone_entry_info" => layout!(name, ffi::EntryInfo, name dtype ndim shape is_parameter trainable
            batch_statistics reserved),
        "backbone_tensor" => layout!(name, ffi::Tensor, data dtype reserved shape strides),
        "backbone_layer" => layout!(name, ffi::Layer, name kernel input_shape output_shape operations bytes
            nanoseconds),
        _ => panic!("no struct {}", name),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("'{}' is no number", word))
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
    Ok(format!("options {} {} {} {}", first, second, o.style, floats))
}

fn load_options(words: &[&str]) -> LoadOptions {
    LoadOptions {
        strict: words[2] == "1",
        key: optional(words[3]),
        prefix: optional(words[4]),
        allow_missing: words[5] == "1",
        ignore_modules: words[6] == "1",
        max_stream_bytes: number(words[7]),
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

fn run(net: &mut Option<ResNet>, words: &[&str]) -> Result<String, Error> {
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
        "create" => {
            *net = Some(create(words)?);
            return Ok("created".into());
        }
        "from_file" => {
            let (created, report) = ResNet::from_file(words[1], &Options::new()?, &load_options(words))?;
            *net = Some(created);
            return Ok(format!("created report {}", report));
        }
        "close" => {
            *net = None;
            return Ok("closed".into());
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
        "forward_into" => forward_into(net, words, 0, 4).map(|features| write(words[8], &features)).map(ok),
        "forward_short" => forward_into(net, words, 1, 4).map(|_| "ok".into()),
        "forward_fewer" => forward_into(net, words, 0, 1).map(|_| "ok".into()),
        command => panic!("no command {}", command),
    }
}

fn main() {
    let mut net = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        report(run(&mut net, &words));
    }
}
