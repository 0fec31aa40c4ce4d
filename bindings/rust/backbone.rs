// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

//! libbackbone for Rust: the features C2 to C5 of a ResNet, on a CPU, from the checkpoints that PyTorch wrote.
//!
//! This file is the whole binding, and needs the standard library of Rust 1.63 alone: copy it into a project and write
//! `mod backbone;`. (Edition 2024 wants the one block of `extern "C"` below to begin with `unsafe`, which Rust 1.63
//! does not know.) Nothing is linked: the library is opened by the first call, as the file that [`load`] names, else as
//! the one that the environment variable `BACKBONE_LIBRARY` names, else as `libbackbone.so.1` by the system's loader.
//!
//! Shapes are always in the order N, C, H, W, whatever the order in memory. A [`ResNet`] frees its memory when it is
//! dropped, and the borrow checker keeps it until the last call has returned. It may be shared by threads: forwards in
//! evaluation mode run side by side, and what changes the network waits until it has it alone. Every failure is an
//! [`Error`] with the library's own message.
#![allow(dead_code, unsafe_op_in_unsafe_fn)] // A project uses what it needs, and may be of any edition.

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::path::Path;
use std::sync::Mutex;
use std::{fmt, mem, ptr};

/// `backbone.h` in Rust, whole and as it is: see there. Everything below is made of it.
pub mod ffi {
    use super::*;

    pub const ABI_VERSION: i32 = 1;

    pub const STATUS_OK: i32 = 0;
    pub const STATUS_INVALID_ARGUMENT: i32 = 1;
    pub const STATUS_OUT_OF_MEMORY: i32 = 2;
    pub const STATUS_FILE_NOT_FOUND: i32 = 3;
    pub const STATUS_IO: i32 = 4;
    pub const STATUS_BAD_CHECKPOINT: i32 = 5;
    pub const STATUS_MISMATCH: i32 = 6;
    pub const STATUS_UNKNOWN_NAME: i32 = 7;
    pub const STATUS_CANCELLED: i32 = 8;

    pub const STAGE_C2: u32 = 1;
    pub const STAGE_C3: u32 = 2;
    pub const STAGE_C4: u32 = 4;
    pub const STAGE_C5: u32 = 8;
    pub const STAGE_ALL: u32 = 15;

    pub const CHANNELS_AS_GIVEN: i32 = 0;
    pub const CHANNELS_REVERSED: i32 = 1;
    pub const NORMALIZE_UINT8: i32 = 0;
    pub const NORMALIZE_ALL: i32 = 1;

    pub const ARITHMETIC_FAST: i32 = 0;
    pub const ARITHMETIC_DIRECT: i32 = 1;

    pub const STYLE_PYTORCH: i32 = 0;
    pub const STYLE_CAFFE: i32 = 1;

    pub const INPUT_CHANNELS_EXACT: i32 = 0;
    pub const INPUT_CHANNELS_SUM: i32 = 1;
    pub const INPUT_CHANNELS_REPEAT: i32 = 2;
    pub const INPUT_CHANNELS_MAP: i32 = 3;

    pub const REPORT_LOADED: i32 = 0;
    pub const REPORT_MISSING: i32 = 1;
    pub const REPORT_UNEXPECTED: i32 = 2;
    pub const REPORT_IGNORABLE: i32 = 3;
    pub const REPORT_MISMATCHED: i32 = 4;

    pub const REPORT_CONTAINER: i32 = 0;
    pub const REPORT_WRAPPER: i32 = 1;
    pub const REPORT_PREFIX: i32 = 2;
    pub const REPORT_DIALECT: i32 = 3;
    pub const REPORT_DEPTH: i32 = 4;
    pub const REPORT_BASE_CHANNELS: i32 = 5;
    pub const REPORT_INPUT_CHANNELS: i32 = 6;
    pub const REPORT_DTYPE: i32 = 7;
    pub const REPORT_STYLE: i32 = 8;
    pub const REPORT_INPUT_CONVERSION: i32 = 9;
    pub const REPORT_TENSORS: i32 = 10;

    pub const DTYPE_FLOAT32: i32 = 0;
    pub const DTYPE_UINT8: i32 = 1;
    pub const DTYPE_INT64: i32 = 2;

    /// `backbone`, which is opaque.
    #[repr(C)]
    pub struct Backbone {
        _private: [u8; 0],
    }

    /// `backbone_report`, which is opaque.
    #[repr(C)]
    pub struct Report {
        _private: [u8; 0],
    }

    /// `backbone_options`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Options {
        pub struct_size: u32,
        pub depth: i32,
        pub in_channels: i32,
        pub base_channels: i32,
        pub out_stages: u32,
        pub frozen_stages: i32,
        pub norm_eval: i32,
        pub zero_init_residual: i32,
        pub threads: i32,
        pub channel_order: i32,
        pub mean: *const f32,
        pub std_dev: *const f32,
        pub arithmetic: i32,
        pub style: i32,
        pub norm_eps: f32,
        pub reserved: i32,
        pub normalization: i32,
        pub reserved2: i32,
    }

    /// `backbone_load_options`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct LoadOptions {
        pub struct_size: u32,
        pub strict: i32,
        pub key: *const c_char,
        pub prefix: *const c_char,
        pub input_channels: i32,
        pub channel_map_length: i32,
        pub channel_map: *const i32,
        pub allow_missing: i32,
        pub ignore_modules: i32,
        pub max_stream_bytes: u64,
    }

    /// `backbone_report_entry`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct ReportEntry {
        pub name: *const c_char,
        pub expected_ndim: i32,
        pub actual_ndim: i32,
        pub expected_shape: [i64; 8],
        pub actual_shape: [i64; 8],
    }

    /// `backbone_entry_info`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct EntryInfo {
        pub name: *const c_char,
        pub dtype: i32,
        pub ndim: i32,
        pub shape: [i64; 4],
        pub is_parameter: i32,
        pub trainable: i32,
        pub batch_statistics: i32,
        pub reserved: i32,
    }

    /// `backbone_tensor`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Tensor {
        pub data: *mut c_void,
        pub dtype: i32,
        pub reserved: i32,
        pub shape: [i64; 4],
        pub strides: [i64; 4],
    }

    /// `backbone_layer`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Layer {
        pub name: [c_char; 48],
        pub kernel: *const c_char,
        pub input_shape: [i64; 4],
        pub output_shape: [i64; 4],
        pub operations: i64,
        pub bytes: i64,
        pub nanoseconds: i64,
    }

    // Makes a struct with a pointer to each function, and what finds them in the library.
    macro_rules! functions {
        ($(fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)?;)*) => {
            /// The functions of the header, by name.
            pub struct Functions {
                $(pub $name: unsafe extern "C" fn($($kind),*) $(-> $result)?,)*
            }

            impl Functions {
                /// The names of all functions.
                pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

                // Safe to call where `symbol` gives the addresses of these functions in a library of this ABI.
                pub(super) unsafe fn find(symbol: impl Fn(&str) -> Result<*mut c_void, Error>) -> Result<Self, Error> {
                    Ok(Functions { $($name: mem::transmute(symbol(stringify!($name))?),)* })
                }
            }
        };
    }

    functions! {
        fn backbone_version_string() -> *const c_char;
        fn backbone_abi_version() -> i32;
        fn backbone_status_string(status: i32) -> *const c_char;
        fn backbone_last_error_message() -> *const c_char;
        fn backbone_options_init(options: *mut Options, struct_size: usize) -> i32;
        fn backbone_create(options: *const Options, out: *mut *mut Backbone) -> i32;
        fn backbone_free(net: *mut Backbone);
        fn backbone_get_options(net: *const Backbone, out: *mut Options) -> i32;
        fn backbone_init_weights(net: *mut Backbone, seed: u64) -> i32;
        fn backbone_load_options_init(options: *mut LoadOptions, struct_size: usize) -> i32;
        fn backbone_load_weights(net: *mut Backbone, path: *const c_char, strict: i32, out: *mut *mut Report) -> i32;
        fn backbone_load_weights_with(
            net: *mut Backbone, path: *const c_char, options: *const LoadOptions, out: *mut *mut Report,
        ) -> i32;
        fn backbone_load_weights_from_memory(
            net: *mut Backbone, data: *const c_void, size: usize, options: *const LoadOptions, out: *mut *mut Report,
        ) -> i32;
        fn backbone_inspect(path: *const c_char, options: *const LoadOptions, out: *mut *mut Report) -> i32;
        fn backbone_inspect_memory(
            data: *const c_void, size: usize, options: *const LoadOptions, out: *mut *mut Report,
        ) -> i32;
        fn backbone_create_from_file(
            path: *const c_char, options: *const Options, load_options: *const LoadOptions, out: *mut *mut Backbone,
            out_report: *mut *mut Report,
        ) -> i32;
        fn backbone_create_from_memory(
            data: *const c_void, size: usize, options: *const Options, load_options: *const LoadOptions,
            out: *mut *mut Backbone, out_report: *mut *mut Report,
        ) -> i32;
        fn backbone_save_weights(net: *const Backbone, path: *const c_char) -> i32;
        fn backbone_report_count(report: *const Report, name_class: i32, out: *mut usize) -> i32;
        fn backbone_report_get_entry(
            report: *const Report, name_class: i32, index: usize, out: *mut ReportEntry,
        ) -> i32;
        fn backbone_report_get_property(report: *const Report, property: i32, out: *mut *const c_char) -> i32;
        fn backbone_report_warning_count(report: *const Report, out: *mut usize) -> i32;
        fn backbone_report_get_warning(report: *const Report, index: usize, out: *mut *const c_char) -> i32;
        fn backbone_report_to_json(report: *const Report, out: *mut *const c_char) -> i32;
        fn backbone_report_free(report: *mut Report);
        fn backbone_freeze(net: *mut Backbone, frozen_stages: i32) -> i32;
        fn backbone_set_training(net: *mut Backbone, training: i32) -> i32;
        fn backbone_get_training(net: *const Backbone, out: *mut i32) -> i32;
        fn backbone_entry_count(net: *const Backbone, out: *mut usize) -> i32;
        fn backbone_get_entry_info(net: *const Backbone, index: usize, out: *mut EntryInfo) -> i32;
        fn backbone_find_entry(net: *const Backbone, name: *const c_char, out: *mut usize) -> i32;
        fn backbone_read_entry(net: *const Backbone, index: usize, out: *mut c_void, size: usize) -> i32;
        fn backbone_write_entry(net: *mut Backbone, index: usize, data: *const c_void, size: usize) -> i32;
        fn backbone_output_shapes(net: *const Backbone, input_shape: *const i64, out: *mut i64, count: usize) -> i32;
        fn backbone_forward(net: *mut Backbone, input: *const Tensor, outputs: *const Tensor, count: usize) -> i32;
        fn backbone_warning_count(net: *const Backbone, out: *mut usize) -> i32;
        fn backbone_get_warning(net: *const Backbone, index: usize, out: *mut *const c_char) -> i32;
        fn backbone_cancel(net: *mut Backbone) -> i32;
        fn backbone_profile(
            net: *mut Backbone, input: *const Tensor, outputs: *const Tensor, count: usize, out: *mut Layer,
            capacity: usize, out_count: *mut usize,
        ) -> i32;
    }
}

// ---- Errors ----

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// One of `ffi::STATUS_*`; `STATUS_IO` where the library cannot be used.
    pub status: i32,
    /// One line for people that names the argument, file or tensor at fault.
    pub message: String,
    /// The report of a load that was refused because the checkpoint does not fit (`STATUS_MISMATCH`), as JSON.
    pub report: Option<String>,
}

impl Error {
    fn new(status: i32, message: String) -> Self {
        Error { status, message, report: None }
    }

    fn invalid(message: String) -> Self {
        Error::new(ffi::STATUS_INVALID_ARGUMENT, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

// ---- The library ----

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

// RTLD_NOW, the same number on every Linux.
const NOW: c_int = 2;

// The library and where it came from, for the rest of the process.
static LOADED: Mutex<Option<(&'static ffi::Functions, String)>> = Mutex::new(None);

/// Opens the library, which no call before this one may have done.
///
/// With `None` it is looked for as every first call looks for it. It is an error if it cannot be opened, or has another
/// ABI version than this binding.
pub fn load(path: Option<&Path>) -> Result<(), Error> {
    functions_of(path).map(|_| ())
}

/// The version of the library, "major.minor.patch".
pub fn version() -> Result<String, Error> {
    let lib = functions_of(None)?;
    Ok(unsafe { text((lib.backbone_version_string)()) })
}

/// The functions of the header, for what this binding does not wrap.
pub fn functions() -> Result<&'static ffi::Functions, Error> {
    functions_of(None)
}

fn functions_of(path: Option<&Path>) -> Result<&'static ffi::Functions, Error> {
    let mut loaded = LOADED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some((functions, place)) = &*loaded {
        return match path {
            None => Ok(functions),
            Some(_) => Err(Error::new(ffi::STATUS_IO, format!("libbackbone is loaded already, from {}", place))),
        };
    }
    let place = match path {
        Some(path) => path.to_string_lossy().into_owned(),
        None => match std::env::var("BACKBONE_LIBRARY") {
            Ok(variable) if !variable.is_empty() => variable,
            _ => format!("libbackbone.so.{}", ffi::ABI_VERSION),
        },
    };
    let functions: &'static ffi::Functions = Box::leak(Box::new(open(&place)?));
    *loaded = Some((functions, place));
    Ok(functions)
}

fn open(place: &str) -> Result<ffi::Functions, Error> {
    let name = c_text("the library's path", place)?;
    // Safe: the strings end with zeros. What a library does when it is loaded is its own affair.
    let library = unsafe { dlopen(name.as_ptr(), NOW) };
    if library.is_null() {
        let reason = unsafe { text(dlerror()) };
        return Err(Error::new(
            ffi::STATUS_IO,
            format!(
                "libbackbone cannot be loaded: {}. It is looked for as the file that load() names, as the one that the \
                 environment variable BACKBONE_LIBRARY names, and as libbackbone.so.{} by the system's loader.",
                reason,
                ffi::ABI_VERSION
            ),
        ));
    }
    let symbol = |function: &str| {
        let pointer = unsafe { dlsym(library, c_text("a name", function)?.as_ptr()) };
        if pointer.is_null() {
            let message = format!("{} is no libbackbone: it lacks {}", place, function);
            return Err(Error::new(ffi::STATUS_IO, message));
        }
        Ok(pointer)
    };
    // Asked before anything else: another ABI may lack the other functions.
    let abi_version: unsafe extern "C" fn() -> i32 = unsafe { mem::transmute(symbol("backbone_abi_version")?) };
    let found = unsafe { abi_version() };
    if found != ffi::ABI_VERSION {
        let message = format!("{} has ABI version {}; this binding needs {}", place, found, ffi::ABI_VERSION);
        return Err(Error::new(ffi::STATUS_IO, message));
    }
    unsafe { ffi::Functions::find(symbol) }
}

// Safe for strings of the library, which end with a zero.
unsafe fn text(pointer: *const c_char) -> String {
    CStr::from_ptr(pointer).to_string_lossy().into_owned()
}

fn c_text(label: &str, value: &str) -> Result<CString, Error> {
    CString::new(value).map_err(|_| Error::invalid(format!("{} contains a zero byte", label)))
}

#[cfg(unix)]
fn c_path(path: &Path) -> Result<CString, Error> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::invalid("path contains a zero byte".into()))
}

fn check(lib: &ffi::Functions, status: i32) -> Result<(), Error> {
    if status == ffi::STATUS_OK {
        return Ok(());
    }
    // The message belongs to this thread, which has called nothing since.
    Err(Error::new(status, unsafe { text((lib.backbone_last_error_message)()) }))
}

// ---- Options ----

/// What to build: the fields of `backbone_options`, with the library's defaults from [`Options::new`].
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// 18, 34, 50, 101 or 152.
    pub depth: i32,
    /// Channels of the input.
    pub in_channels: i32,
    /// Width of the stem.
    pub base_channels: i32,
    /// Which features to compute: `ffi::STAGE_*` bits.
    pub out_stages: u32,
    /// As for [`ResNet::freeze`].
    pub frozen_stages: i32,
    /// In training mode too, every BatchNorm uses its running statistics.
    pub norm_eval: bool,
    /// [`ResNet::init_weights`] sets the weight of the last BatchNorm of each block to 0.
    pub zero_init_residual: bool,
    /// Threads that one forward may use; 0: those that the system leaves to this process.
    pub threads: i32,
    /// `ffi::CHANNELS_*`, for the images that `normalization` names.
    pub channel_order: i32,
    /// `ffi::ARITHMETIC_*`.
    pub arithmetic: i32,
    /// `ffi::STYLE_*`.
    pub style: i32,
    /// Added to the variances of every BatchNorm.
    pub norm_eps: f32,
    /// `ffi::NORMALIZE_*`: the images that `channel_order`, `mean` and `std_dev` apply to.
    pub normalization: i32,
    /// Subtracted from those images, a value for each channel; empty: 0.
    pub mean: Vec<f32>,
    /// What they are then divided by, a value for each channel; empty: 1.
    pub std_dev: Vec<f32>,
}

/// For `Options::mean`: ImageNet, RGB, pixels from 0 to 255.
pub const IMAGENET_MEAN: [f32; 3] = [123.675, 116.28, 103.53];
/// For `Options::std_dev`.
pub const IMAGENET_STD_DEV: [f32; 3] = [58.395, 57.12, 57.375];

impl Options {
    /// The library's defaults: a ResNet-50 for three channels with all features, and nothing frozen.
    pub fn new() -> Result<Self, Error> {
        let lib = functions()?;
        // Safe: zeros are a value of every field, and the library writes no more than the size it is told.
        unsafe {
            let mut raw: ffi::Options = mem::zeroed();
            check(lib, (lib.backbone_options_init)(&mut raw, mem::size_of_val(&raw)))?;
            Ok(Options::from_raw(&raw))
        }
    }

    // Safe if `mean` and `std_dev` are NULL or hold `in_channels` values.
    unsafe fn from_raw(raw: &ffi::Options) -> Self {
        let values = |pointer: *const f32| {
            if pointer.is_null() {
                return Vec::new();
            }
            std::slice::from_raw_parts(pointer, raw.in_channels as usize).to_vec()
        };
        Options {
            depth: raw.depth,
            in_channels: raw.in_channels,
            base_channels: raw.base_channels,
            out_stages: raw.out_stages,
            frozen_stages: raw.frozen_stages,
            norm_eval: raw.norm_eval != 0,
            zero_init_residual: raw.zero_init_residual != 0,
            threads: raw.threads,
            channel_order: raw.channel_order,
            arithmetic: raw.arithmetic,
            style: raw.style,
            norm_eps: raw.norm_eps,
            normalization: raw.normalization,
            mean: values(raw.mean),
            std_dev: values(raw.std_dev),
        }
    }

    // Points into `self`.
    fn raw(&self) -> Result<ffi::Options, Error> {
        let pointer = |label: &str, values: &[f32]| {
            if values.is_empty() {
                return Ok(ptr::null());
            }
            if values.len() as i64 != i64::from(self.in_channels) {
                let (count, channels) = (values.len(), self.in_channels);
                let rule = format!("it must have one for each of in_channels, {}", channels);
                return Err(Error::invalid(format!("{} has {} values; {}", label, count, rule)));
            }
            Ok(values.as_ptr())
        };
        Ok(ffi::Options {
            struct_size: mem::size_of::<ffi::Options>() as u32,
            depth: self.depth,
            in_channels: self.in_channels,
            base_channels: self.base_channels,
            out_stages: self.out_stages,
            frozen_stages: self.frozen_stages,
            norm_eval: self.norm_eval.into(),
            zero_init_residual: self.zero_init_residual.into(),
            threads: self.threads,
            channel_order: self.channel_order,
            mean: pointer("mean", &self.mean)?,
            std_dev: pointer("std_dev", &self.std_dev)?,
            arithmetic: self.arithmetic,
            style: self.style,
            norm_eps: self.norm_eps,
            reserved: 0,
            normalization: self.normalization,
            reserved2: 0,
        })
    }
}

/// How to load a checkpoint; `LoadOptions::default()` finds everything by the names in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Names of the file that the network lacks are errors.
    pub strict: bool,
    /// The keys that lead to the dict of tensors, joined by dots.
    pub key: Option<String>,
    /// What the names of the backbone begin with.
    pub prefix: Option<String>,
    /// Weights and running statistics that the file lacks keep their values; otherwise they are errors.
    pub allow_missing: bool,
    /// Modules of the file's stem and blocks that the network does not compute are left out; otherwise they are errors.
    pub ignore_modules: bool,
    /// The most bytes to read from a pipe; 0: 4 GiB.
    pub max_stream_bytes: u64,
}

// Calls a function with the options as C takes them, and turns the report into text.
fn loading(
    lib: &'static ffi::Functions,
    options: &LoadOptions,
    call: impl FnOnce(*const ffi::LoadOptions, *mut *mut ffi::Report) -> i32,
) -> Result<String, Error> {
    let of = |label, value: &Option<String>| value.as_deref().map(|value| c_text(label, value)).transpose();
    let (key, prefix) = (of("key", &options.key)?, of("prefix", &options.prefix)?);
    let pointer = |value: &Option<CString>| value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
    // Safe: as in Options::new; the strings outlive the call, and the report is freed once.
    unsafe {
        let mut raw: ffi::LoadOptions = mem::zeroed();
        check(lib, (lib.backbone_load_options_init)(&mut raw, mem::size_of_val(&raw)))?;
        raw.strict = options.strict.into();
        raw.key = pointer(&key);
        raw.prefix = pointer(&prefix);
        raw.allow_missing = options.allow_missing.into();
        raw.ignore_modules = options.ignore_modules.into();
        raw.max_stream_bytes = options.max_stream_bytes;
        let mut report = ptr::null_mut();
        let failure = check(lib, call(&raw, &mut report)).err();
        let mut json = None;
        if !report.is_null() {
            let mut pointer = ptr::null();
            let status = (lib.backbone_report_to_json)(report, &mut pointer);
            let result = check(lib, status).map(|()| text(pointer));
            (lib.backbone_report_free)(report);
            json = Some(result?);
        }
        match failure {
            Some(error) => Err(Error { report: json, ..error }),
            None => Ok(json.unwrap_or_default()),
        }
    }
}

// ---- Images and features ----

/// How the elements of an image follow each other in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Whole planes of one channel after another, as PyTorch keeps tensors.
    Nchw,
    /// All channels of one pixel after another, as decoders of images write them.
    Nhwc,
}

#[derive(Debug, Clone, Copy)]
enum Elements<'a> {
    Float32(&'a [f32]),
    Uint8(&'a [u8]),
}

/// A batch of images in the caller's memory.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    elements: Elements<'a>,
    shape: [i64; 4],
    layout: Layout,
}

impl<'a> Image<'a> {
    /// Elements that the network takes as they are, NCHW in memory; `shape` is (N, C, H, W).
    pub fn float32(elements: &'a [f32], shape: [i64; 4]) -> Self {
        Image { elements: Elements::Float32(elements), shape, layout: Layout::Nchw }
    }

    /// Pixels of which the network computes (x - mean) / std_dev, NHWC in memory; `shape` is (N, C, H, W) all the same.
    pub fn uint8(elements: &'a [u8], shape: [i64; 4]) -> Self {
        Image { elements: Elements::Uint8(elements), shape, layout: Layout::Nhwc }
    }

    /// The same elements, which lie in memory in that order.
    pub fn with_layout(self, layout: Layout) -> Self {
        Image { layout, ..self }
    }

    fn tensor(&self) -> Result<ffi::Tensor, Error> {
        let (data, dtype, count) = match self.elements {
            Elements::Float32(elements) => (elements.as_ptr() as *mut c_void, ffi::DTYPE_FLOAT32, elements.len()),
            Elements::Uint8(elements) => (elements.as_ptr() as *mut c_void, ffi::DTYPE_UINT8, elements.len()),
        };
        check_count("the input", count, self.shape)?;
        Ok(tensor(data, dtype, self.shape, self.layout))
    }
}

/// One feature of a batch, NCHW in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// The elements.
    pub data: Vec<f32>,
    /// (N, C, H, W).
    pub shape: [i64; 4],
}

fn elements(shape: [i64; 4]) -> i64 {
    shape.iter().fold(1, |product: i64, &size| product.saturating_mul(size))
}

fn check_count(label: &str, count: usize, shape: [i64; 4]) -> Result<(), Error> {
    if count as i64 == elements(shape) {
        return Ok(());
    }
    let [n, c, h, w] = shape;
    let needed = elements(shape);
    let message = format!("{} has {} elements; shape ({}, {}, {}, {}) needs {}", label, count, n, c, h, w, needed);
    Err(Error::invalid(message))
}

fn tensor(data: *mut c_void, dtype: i32, shape: [i64; 4], layout: Layout) -> ffi::Tensor {
    let [_, c, h, w] = shape;
    let strides = match layout {
        Layout::Nchw => [c * h * w, h * w, w, 1],
        Layout::Nhwc => [h * w * c, 1, w * c, c],
    };
    ffi::Tensor { data, dtype, reserved: 0, shape, strides }
}

// ---- The network ----

/// A ResNet without its pooling and classifier, in evaluation mode until [`ResNet::set_training`].
pub struct ResNet {
    lib: &'static ffi::Functions,
    net: *mut ffi::Backbone,
    stages: usize,
}

// The library locks: any thread may make any call, and `drop` has the network alone.
unsafe impl Send for ResNet {}
unsafe impl Sync for ResNet {}

impl Drop for ResNet {
    fn drop(&mut self) {
        unsafe { (self.lib.backbone_free)(self.net) }
    }
}

impl fmt::Debug for ResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResNet").field(&self.options()).finish()
    }
}

impl ResNet {
    /// A network with random weights, those of `init_weights(0)`.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let lib = functions()?;
        let raw = options.raw()?;
        let mut net = ptr::null_mut();
        // Safe: `raw` points into `options`, which outlives the call.
        check(lib, unsafe { (lib.backbone_create)(&raw, &mut net) })?;
        Ok(ResNet { lib, net, stages: options.out_stages.count_ones() as usize })
    }

    /// The network that a checkpoint describes, with its weights, and the report of the load as JSON.
    ///
    /// `depth`, `base_channels` and `in_channels` of the options are those of the file.
    pub fn from_file(
        path: impl AsRef<Path>,
        options: &Options,
        load_options: &LoadOptions,
    ) -> Result<(Self, String), Error> {
        let lib = functions()?;
        let (path, raw) = (c_path(path.as_ref())?, options.raw()?);
        let mut net = ptr::null_mut();
        // Safe: as in `new`; all that is pointed to outlives the call.
        let result = loading(lib, load_options, |how, report| unsafe {
            (lib.backbone_create_from_file)(path.as_ptr(), &raw, how, &mut net, report)
        });
        // Owned before a failure to read the report could lose it.
        let net = ResNet { lib, net, stages: options.out_stages.count_ones() as usize };
        result.map(|report| (net, report))
    }

    /// Draws new weights, which are the same for the same seed.
    pub fn init_weights(&self, seed: u64) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_init_weights)(self.net, seed) })
    }

    /// Loads a `.pth`, a pickle of arrays or a safetensors file, and returns a report of what was found, as JSON.
    ///
    /// A failed load changes nothing. If the file does not fit, the error has the report.
    pub fn load_weights(&self, path: impl AsRef<Path>, options: &LoadOptions) -> Result<String, Error> {
        let path = c_path(path.as_ref())?;
        loading(self.lib, options, |how, report| unsafe {
            (self.lib.backbone_load_weights_with)(self.net, path.as_ptr(), how, report)
        })
    }

    /// Writes the weights, as a `.pth` or as safetensors, by the ending of the path.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        check(self.lib, unsafe { (self.lib.backbone_save_weights)(self.net, path.as_ptr()) })
    }

    /// Freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1).
    pub fn freeze(&self, frozen_stages: i32) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_freeze)(self.net, frozen_stages) })
    }

    /// Enters or leaves training mode.
    pub fn set_training(&self, training: bool) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_set_training)(self.net, training.into()) })
    }

    /// Whether the network is in training mode.
    pub fn training(&self) -> Result<bool, Error> {
        let mut value = 0;
        check(self.lib, unsafe { (self.lib.backbone_get_training)(self.net, &mut value) })?;
        Ok(value != 0)
    }

    /// The options as they stand now, with the number of threads in use.
    pub fn options(&self) -> Result<Options, Error> {
        // Safe: as in Options::new; the values are copied while the network lives.
        unsafe {
            let mut raw: ffi::Options = mem::zeroed();
            raw.struct_size = mem::size_of_val(&raw) as u32;
            check(self.lib, (self.lib.backbone_get_options)(self.net, &mut raw))?;
            Ok(Options::from_raw(&raw))
        }
    }

    /// The shapes (N, C, H, W) of the features of images of a shape (N, C, H, W), from C2 to C5.
    pub fn output_shapes(&self, input: [i64; 4]) -> Result<Vec<[i64; 4]>, Error> {
        let mut shapes = vec![[0i64; 4]; self.stages];
        // Safe: there are `stages` rows of four.
        check(self.lib, unsafe {
            (self.lib.backbone_output_shapes)(self.net, input.as_ptr(), shapes.as_mut_ptr().cast(), self.stages)
        })?;
        Ok(shapes)
    }

    /// The features of a batch of images, from C2 to C5.
    pub fn forward(&self, image: Image<'_>) -> Result<Vec<Feature>, Error> {
        let shapes = self.output_shapes(image.shape)?;
        image.tensor()?; // Before memory is spent on an image that is wrong.
        let new = |shape| Feature { data: vec![0.0; elements(shape) as usize], shape };
        let mut features: Vec<Feature> = shapes.into_iter().map(new).collect();
        let mut outputs: Vec<&mut [f32]> = features.iter_mut().map(|feature| &mut feature.data[..]).collect();
        self.forward_into(image, &mut outputs)?;
        Ok(features)
    }

    /// Computes the features into the caller's memory, a slice for each of [`ResNet::output_shapes`], NCHW.
    pub fn forward_into(&self, image: Image<'_>, outputs: &mut [&mut [f32]]) -> Result<(), Error> {
        let shapes = self.output_shapes(image.shape)?;
        let input = image.tensor()?;
        if outputs.len() != self.stages {
            let (given, stages) = (outputs.len(), self.stages);
            return Err(Error::invalid(format!("out has {} buffers; this network gives {}", given, stages)));
        }
        let mut tensors = Vec::with_capacity(outputs.len());
        for (index, (output, shape)) in outputs.iter_mut().zip(shapes).enumerate() {
            check_count(&format!("out[{}]", index), output.len(), shape)?;
            tensors.push(tensor(output.as_mut_ptr().cast(), ffi::DTYPE_FLOAT32, shape, Layout::Nchw));
        }
        // Safe: every slice has the elements of its shape, and Rust's borrows keep them apart.
        check(self.lib, unsafe { (self.lib.backbone_forward)(self.net, &input, tensors.as_ptr(), tensors.len()) })
    }

    /// Ends the calls that other threads have entered: they return an error of `ffi::STATUS_CANCELLED`, and the network
    /// is as it was. Later calls are not affected.
    pub fn cancel(&self) {
        // Safe: the library allows it at any time before the handle is freed.
        unsafe { (self.lib.backbone_cancel)(self.net) };
    }
}
