// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

//! libbackbone for Rust: features, logits and gradients of a ResNet, on a CPU, from PyTorch checkpoints.
//!
//! This file is the whole binding, and needs the standard library of Rust 1.63 alone: copy it into a project and write
//! `mod backbone;`. (Edition 2024 wants the one block of `extern "C"` below to begin with `unsafe`, which Rust 1.63
//! does not know.) Nothing is linked: the library is opened by the first call, as the file that [`load`] names, else as
//! the one that the environment variable `BACKBONE_LIBRARY` names, else as `libbackbone.so.1` by the system's loader.
//!
//! Shapes are always in the order N, C, H, W, whatever the order in memory. A [`ResNet`] frees its memory when it is
//! dropped, and the borrow checker keeps it until the last call has returned. Threads may share it: forward passes in
//! evaluation mode run side by side, and calls that change the network take an exclusive lock. Every failure is an
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
    pub const STATUS_STALE: i32 = 9;
    pub const STATUS_NOT_FINITE: i32 = 10;

    pub const STAGE_C2: u32 = 1;
    pub const STAGE_C3: u32 = 2;
    pub const STAGE_C4: u32 = 4;
    pub const STAGE_C5: u32 = 8;
    pub const STAGE_ALL: u32 = 15;
    pub const STAGE_C1: u32 = 16;
    pub const STAGE_POOLED: u32 = 32;
    pub const STAGE_LOGITS: u32 = 64;

    pub const CHANNELS_AS_GIVEN: i32 = 0;
    pub const CHANNELS_REVERSED: i32 = 1;
    pub const NORMALIZE_UINT8: i32 = 0;
    pub const NORMALIZE_ALL: i32 = 1;

    pub const ARITHMETIC_FAST: i32 = 0;
    pub const ARITHMETIC_DIRECT: i32 = 1;

    pub const STYLE_PYTORCH: i32 = 0;
    pub const STYLE_CAFFE: i32 = 1;

    pub const BLOCK_BASIC: i32 = 1;
    pub const BLOCK_BOTTLENECK: i32 = 2;

    pub const STEM_SINGLE: i32 = 1;
    pub const STEM_DEEP: i32 = 2;
    pub const STEM_TIERED: i32 = 3;
    pub const STEM_SMALL: i32 = 4;

    pub const STEM_POOLING_MAX: i32 = 1;
    pub const STEM_POOLING_CONVOLUTION: i32 = 2;
    pub const STEM_POOLING_NONE: i32 = 3;

    pub const SHORTCUT_PROJECTION: i32 = 1;
    pub const SHORTCUT_AVERAGE: i32 = 2;
    pub const SHORTCUT_SUBSAMPLE: i32 = 3;
    pub const SHORTCUT_EVERYWHERE: i32 = 4;
    pub const SHORTCUT_3X3: i32 = 5;
    pub const SHORTCUT_NONE: i32 = 6;

    pub const NORM_BATCH: i32 = 1;
    pub const NORM_GROUP: i32 = 2;

    pub const ATTENTION_NONE: i32 = 1;
    pub const ATTENTION_SE: i32 = 2;
    pub const ATTENTION_SE_QUARTER: i32 = 3;
    pub const ATTENTION_ECA: i32 = 4;

    pub const ANTI_ALIASING_NONE: i32 = 1;
    pub const ANTI_ALIASING_BLUR: i32 = 2;
    pub const ANTI_ALIASING_AVERAGE: i32 = 3;

    pub const DILATION_PREVIOUS: i32 = 0;
    pub const DILATION_WHOLE: i32 = 1;

    pub const INPUT_CHANNELS_EXACT: i32 = 0;
    pub const INPUT_CHANNELS_SUM: i32 = 1;
    pub const INPUT_CHANNELS_REPEAT: i32 = 2;
    pub const INPUT_CHANNELS_MAP: i32 = 3;
    pub const INPUT_CHANNELS_FIXED: i32 = 4;

    pub const HEAD_EXACT: i32 = 0;
    pub const HEAD_NEW: i32 = 1;

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
    pub const REPORT_ARCHITECTURE: i32 = 11;
    pub const REPORT_CLASSES: i32 = 12;
    pub const REPORT_ASSUMED: i32 = 13;
    pub const REPORT_OPTIMIZER: i32 = 14;

    pub const DTYPE_FLOAT32: i32 = 0;
    pub const DTYPE_UINT8: i32 = 1;
    pub const DTYPE_INT64: i32 = 2;

    pub const BACKWARD_ACCUMULATE: u32 = 1;

    pub const TRAINABLE_ALL: i32 = 0;
    pub const TRAINABLE_NORMS: i32 = 1;
    pub const TRAINABLE_HEAD: i32 = 2;

    pub const IGNORED_LABEL: i64 = -100;

    pub const OPTIMIZER_SGD: i32 = 0;
    pub const OPTIMIZER_ADAMW: i32 = 1;

    pub const PARAMETERS_WEIGHTS: u32 = 1;
    pub const PARAMETERS_NORMS: u32 = 2;
    pub const PARAMETERS_BIASES: u32 = 4;

    pub const STEP_ALLOW_NOT_FINITE: u32 = 1;

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

    /// `backbone_tape`, which is opaque.
    #[repr(C)]
    pub struct Tape {
        _private: [u8; 0],
    }

    /// `backbone_optimizer`, which is opaque.
    #[repr(C)]
    pub struct Optimizer {
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
        pub architecture: *const c_char,
        pub num_classes: i32,
        pub output_stride: i32,
        pub dilated_stages: u32,
        pub dilation_rule: i32,
        pub block_counts: [i32; 4],
        pub block: i32,
        pub groups: i32,
        pub width_per_group: i32,
        pub stem: i32,
        pub stem_channels: i32,
        pub stem_pooling: i32,
        pub shortcut: i32,
        pub norm: i32,
        pub attention: i32,
        pub anti_aliasing: i32,
        pub preactivation: i32,
        pub block_width_count: i32,
        pub block_widths: *const i32,
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
        pub head: i32,
        pub reserved: i32,
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

    /// `backbone_tape_options`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct TapeOptions {
        pub struct_size: u32,
        pub input_gradient: i32,
        pub retain: i32,
        pub recompute: i32,
    }

    /// `backbone_parameter_group`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct ParameterGroup {
        pub prefix: *const c_char,
        pub kinds: u32,
        pub reserved: i32,
        pub learning_rate_factor: f64,
        pub weight_decay: f64,
    }

    /// `backbone_optimizer_options`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct OptimizerOptions {
        pub struct_size: u32,
        pub kind: i32,
        pub nesterov: i32,
        pub reserved: i32,
        pub momentum: f64,
        pub dampening: f64,
        pub beta1: f64,
        pub beta2: f64,
        pub epsilon: f64,
        pub weight_decay: f64,
        pub groups: *const ParameterGroup,
        pub group_count: usize,
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
        fn backbone_architecture_count() -> usize;
        fn backbone_architecture_name(index: usize) -> *const c_char;
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
        fn backbone_save_weights_with(net: *const Backbone, path: *const c_char, names: *const c_char) -> i32;
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
        fn backbone_tape_options_init(options: *mut TapeOptions, struct_size: usize) -> i32;
        fn backbone_tape_create(net: *const Backbone, options: *const TapeOptions, out: *mut *mut Tape) -> i32;
        fn backbone_tape_free(tape: *mut Tape);
        fn backbone_tape_bytes(net: *const Backbone, tape: *const Tape, out: *mut usize) -> i32;
        fn backbone_forward_train(
            net: *mut Backbone, tape: *mut Tape, input: *const Tensor, outputs: *const Tensor, count: usize,
        ) -> i32;
        fn backbone_backward(
            net: *mut Backbone, tape: *mut Tape, output_gradients: *const Tensor, count: usize,
            input_gradient: *const Tensor, gradients: *mut f32, gradient_count: usize, flags: u32,
        ) -> i32;
        fn backbone_feature_gradients(
            net: *mut Backbone, tape: *mut Tape, output_gradients: *const Tensor, count: usize,
            feature_gradients: *const Tensor,
        ) -> i32;
        fn backbone_trainable_count(net: *const Backbone, out: *mut usize) -> i32;
        fn backbone_trainable_slot(
            net: *const Backbone, index: usize, offset: *mut usize, count: *mut usize,
        ) -> i32;
        fn backbone_read_trainable(net: *const Backbone, out: *mut f32, count: usize) -> i32;
        fn backbone_write_trainable(net: *mut Backbone, values: *const f32, count: usize) -> i32;
        fn backbone_bind_parameters(net: *mut Backbone, parameters: *mut f32, count: usize) -> i32;
        fn backbone_parameters_changed(net: *mut Backbone, entries: *const usize, count: usize) -> i32;
        fn backbone_set_trainable(net: *mut Backbone, which: i32) -> i32;
        fn backbone_cross_entropy(
            logits: *const Tensor, labels: *const i64, count: usize, label_smoothing: f64, out_loss: *mut f64,
            gradient: *const Tensor,
        ) -> i32;
        fn backbone_optimizer_options_init(options: *mut OptimizerOptions, struct_size: usize, kind: i32) -> i32;
        fn backbone_optimizer_create(
            net: *const Backbone, options: *const OptimizerOptions, out: *mut *mut Optimizer,
        ) -> i32;
        fn backbone_optimizer_free(optimizer: *mut Optimizer);
        fn backbone_optimizer_step(
            net: *mut Backbone, optimizer: *mut Optimizer, gradients: *const f32, count: usize, learning_rate: f64,
            flags: u32,
        ) -> i32;
        fn backbone_optimizer_follow(net: *const Backbone, optimizer: *mut Optimizer) -> i32;
        fn backbone_clip_gradients(
            net: *const Backbone, gradients: *mut f32, count: usize, max_norm: f64, out_norm: *mut f64,
        ) -> i32;
        fn backbone_save_training(
            net: *const Backbone, optimizer: *const Optimizer, path: *const c_char, learning_rate: f64,
        ) -> i32;
        fn backbone_load_training(
            net: *mut Backbone, optimizer: *mut Optimizer, path: *const c_char, out: *mut *mut Report,
        ) -> i32;
        fn backbone_statistics_begin(net: *mut Backbone) -> i32;
        fn backbone_statistics_add(net: *mut Backbone, input: *const Tensor) -> i32;
        fn backbone_statistics_commit(net: *mut Backbone) -> i32;
        fn backbone_statistics_cancel(net: *mut Backbone) -> i32;
    }
}

// ---- Errors ----

/// A failed call.
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

/// Opens the library, before any other call.
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

/// The names that [`Options::architecture`] accepts: "resnet50", "wide_resnet50_2", ...
pub fn architectures() -> Result<Vec<String>, Error> {
    let lib = functions()?;
    // Safe: each index is below the count, so the library returns a string.
    unsafe {
        let count = (lib.backbone_architecture_count)();
        Ok((0..count).map(|index| text((lib.backbone_architecture_name)(index))).collect())
    }
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
            let message = format!("{} is not libbackbone: it lacks {}", place, function);
            return Err(Error::new(ffi::STATUS_IO, message));
        }
        Ok(pointer)
    };
    // Checked first: another ABI may lack the other functions.
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

/// Options of a network: the fields of `backbone_options`, with the library's defaults from [`Options::new`].
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// 18, 34, 50, 101 or 152. Set it to 0 if `architecture` selects the network.
    pub depth: i32,
    /// Name of the network, one of [`architectures`]. `None`: `depth` selects it.
    pub architecture: Option<String>,
    /// Channels of the input.
    pub in_channels: i32,
    /// Width of the stem.
    pub base_channels: i32,
    /// What to compute: `ffi::STAGE_*` bits.
    pub out_stages: u32,
    /// As for [`ResNet::freeze`].
    pub frozen_stages: i32,
    /// Every BatchNorm uses its running statistics in training mode too.
    pub norm_eval: bool,
    /// [`ResNet::init_weights`] sets the weight of the last BatchNorm of each block to 0.
    pub zero_init_residual: bool,
    /// Threads for one forward pass; 0: those that the system allows this process.
    pub threads: i32,
    /// `ffi::CHANNELS_*`, for the images that `normalization` names.
    pub channel_order: i32,
    /// `ffi::ARITHMETIC_*`.
    pub arithmetic: i32,
    /// `ffi::STYLE_*`.
    pub style: i32,
    /// Added to the variances in every norm.
    pub norm_eps: f32,
    /// `ffi::NORMALIZE_*`: the images that `channel_order`, `mean` and `std_dev` apply to.
    pub normalization: i32,
    /// Subtracted from those images, a value for each channel; empty: 0.
    pub mean: Vec<f32>,
    /// Divides the differences, a value for each channel; empty: 1.
    pub std_dev: Vec<f32>,
    /// Classes of the head, which `ffi::STAGE_LOGITS` builds; 0: those of the file or of the architecture.
    pub num_classes: i32,
    /// 8, 16 or 32: stages that would exceed it dilate instead; 0: as `dilated_stages` says.
    pub output_stride: i32,
    /// Stages that dilate instead of striding: a sum of `ffi::STAGE_C3`, `STAGE_C4` and `STAGE_C5`.
    pub dilated_stages: u32,
    /// `ffi::DILATION_*`.
    pub dilation_rule: i32,
    /// Blocks of each stage. Here and below 0, the default, means the architecture's own value.
    pub block_counts: [i32; 4],
    /// `ffi::BLOCK_*`.
    pub block: i32,
    /// Of the 3x3 convolutions of Bottlenecks.
    pub groups: i32,
    /// Of each group in a stage of 64 channels.
    pub width_per_group: i32,
    /// `ffi::STEM_*`.
    pub stem: i32,
    /// Output channels of the stem.
    pub stem_channels: i32,
    /// `ffi::STEM_POOLING_*`.
    pub stem_pooling: i32,
    /// `ffi::SHORTCUT_*`.
    pub shortcut: i32,
    /// `ffi::NORM_*`.
    pub norm: i32,
    /// `ffi::ATTENTION_*`.
    pub attention: i32,
    /// `ffi::ANTI_ALIASING_*`.
    pub anti_aliasing: i32,
    /// 1: norms after the convolutions, 2: before them.
    pub preactivation: i32,
    /// Channels inside the stem and the blocks (see `backbone.h`); empty: the architecture's own.
    pub block_widths: Vec<i32>,
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

    // Safe if `mean` and `std_dev` are NULL or hold `in_channels` values, `block_widths` is NULL or holds
    // `block_width_count`, and `architecture` is NULL or a string.
    unsafe fn from_raw(raw: &ffi::Options) -> Self {
        let values = |pointer: *const f32| {
            if pointer.is_null() {
                return Vec::new();
            }
            std::slice::from_raw_parts(pointer, raw.in_channels as usize).to_vec()
        };
        let architecture = raw.architecture;
        let widths = raw.block_widths;
        Options {
            depth: raw.depth,
            architecture: if architecture.is_null() { None } else { Some(text(architecture)) },
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
            num_classes: raw.num_classes,
            output_stride: raw.output_stride,
            dilated_stages: raw.dilated_stages,
            dilation_rule: raw.dilation_rule,
            block_counts: raw.block_counts,
            block: raw.block,
            groups: raw.groups,
            width_per_group: raw.width_per_group,
            stem: raw.stem,
            stem_channels: raw.stem_channels,
            stem_pooling: raw.stem_pooling,
            shortcut: raw.shortcut,
            norm: raw.norm,
            attention: raw.attention,
            anti_aliasing: raw.anti_aliasing,
            preactivation: raw.preactivation,
            block_widths: if widths.is_null() {
                Vec::new()
            } else {
                std::slice::from_raw_parts(widths, raw.block_width_count as usize).to_vec()
            },
        }
    }

    // The struct of C, which points into `self` and into the string; both must outlive the call.
    fn raw(&self) -> Result<(ffi::Options, Option<CString>), Error> {
        let architecture = self.architecture.as_deref().map(|name| c_text("architecture", name)).transpose()?;
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
        let raw = ffi::Options {
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
            architecture: architecture.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
            num_classes: self.num_classes,
            output_stride: self.output_stride,
            dilated_stages: self.dilated_stages,
            dilation_rule: self.dilation_rule,
            block_counts: self.block_counts,
            block: self.block,
            groups: self.groups,
            width_per_group: self.width_per_group,
            stem: self.stem,
            stem_channels: self.stem_channels,
            stem_pooling: self.stem_pooling,
            shortcut: self.shortcut,
            norm: self.norm,
            attention: self.attention,
            anti_aliasing: self.anti_aliasing,
            preactivation: self.preactivation,
            block_width_count: self.block_widths.len() as i32,
            block_widths: if self.block_widths.is_empty() { ptr::null() } else { self.block_widths.as_ptr() },
        };
        Ok((raw, architecture))
    }
}

/// How to load a checkpoint; `LoadOptions::default()` finds everything by the names in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Names in the file that the network lacks are errors.
    pub strict: bool,
    /// The keys that lead to the dict of tensors, joined by dots.
    pub key: Option<String>,
    /// Prefix of the backbone's names.
    pub prefix: Option<String>,
    /// Weights and running statistics that the file lacks keep their values; otherwise they are errors.
    pub allow_missing: bool,
    /// Modules of the file's stem and blocks that the network does not compute are left out; otherwise they are errors.
    pub ignore_modules: bool,
    /// Limit of bytes to read from a pipe; 0: 4 GiB.
    pub max_stream_bytes: u64,
    /// `ffi::HEAD_*`: how to load the classifier, in a network that gives logits.
    pub head: i32,
}

// Calls a function with the options as C structs, and turns the report into text.
fn loading(
    lib: &'static ffi::Functions,
    options: &LoadOptions,
    call: impl FnOnce(*const ffi::LoadOptions, *mut *mut ffi::Report) -> i32,
) -> Result<String, Error> {
    let of = |label, value: &Option<String>| value.as_deref().map(|value| c_text(label, value)).transpose();
    let (key, prefix) = (of("key", &options.key)?, of("prefix", &options.prefix)?);
    let pointer = |value: &Option<CString>| value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
    // Safe: as in Options::new; the strings outlive the call.
    unsafe {
        let mut raw: ffi::LoadOptions = mem::zeroed();
        check(lib, (lib.backbone_load_options_init)(&mut raw, mem::size_of_val(&raw)))?;
        raw.strict = options.strict.into();
        raw.key = pointer(&key);
        raw.prefix = pointer(&prefix);
        raw.allow_missing = options.allow_missing.into();
        raw.ignore_modules = options.ignore_modules.into();
        raw.max_stream_bytes = options.max_stream_bytes;
        raw.head = options.head;
        reported(lib, |report| call(&raw, report))
    }
}

// Calls a function that gives a report, and turns that into text.
fn reported(
    lib: &'static ffi::Functions,
    call: impl FnOnce(*mut *mut ffi::Report) -> i32,
) -> Result<String, Error> {
    // Safe: the report is freed once.
    unsafe {
        let mut report = ptr::null_mut();
        let failure = check(lib, call(&mut report)).err();
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
    /// Planes of one channel after another, as in PyTorch's tensors.
    Nchw,
    /// All channels of one pixel after another, as image decoders write them.
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
    /// Elements that the network uses unchanged, NCHW in memory; `shape` is (N, C, H, W).
    pub fn float32(elements: &'a [f32], shape: [i64; 4]) -> Self {
        Image { elements: Elements::Float32(elements), shape, layout: Layout::Nchw }
    }

    /// Pixels of which the network computes (x - mean) / std_dev, NHWC in memory; `shape` is (N, C, H, W) all the same.
    pub fn uint8(elements: &'a [u8], shape: [i64; 4]) -> Self {
        Image { elements: Elements::Uint8(elements), shape, layout: Layout::Nhwc }
    }

    /// The same elements, in memory in that order.
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

/// One output for a batch, or its gradient, NCHW in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// The elements.
    pub data: Vec<f32>,
    /// (N, C, H, W).
    pub shape: [i64; 4],
}

impl Feature {
    /// Zeros.
    pub fn new(shape: [i64; 4]) -> Self {
        Feature { data: vec![0.0; elements(shape) as usize], shape }
    }

    // C's struct serves tensors that are only read as well as those that are written.
    fn tensor(&self, label: &str) -> Result<ffi::Tensor, Error> {
        check_count(label, self.data.len(), self.shape)?;
        Ok(tensor(self.data.as_ptr() as *mut c_void, ffi::DTYPE_FLOAT32, self.shape, Layout::Nchw))
    }

    fn tensor_mut(&mut self, label: &str) -> Result<ffi::Tensor, Error> {
        check_count(label, self.data.len(), self.shape)?;
        Ok(tensor(self.data.as_mut_ptr().cast(), ffi::DTYPE_FLOAT32, self.shape, Layout::Nchw))
    }
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

// ---- Training ----

/// The data that a forward pass keeps for the backward pass: [`ResNet::tape`]. It may outlive its network.
pub struct Tape {
    lib: &'static ffi::Functions,
    tape: *mut ffi::Tape,
}

// As for ResNet: the library locks.
unsafe impl Send for Tape {}
unsafe impl Sync for Tape {}

impl Drop for Tape {
    fn drop(&mut self) {
        unsafe { (self.lib.backbone_tape_free)(self.tape) }
    }
}

/// Options of [`ResNet::tape`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TapeOptions {
    /// [`ResNet::backward`] can compute the gradient of the input, also through frozen stages.
    pub input_gradient: bool,
    /// Several backward passes can follow a forward pass.
    pub retain: bool,
    /// The backward pass recomputes activations within blocks instead of keeping them.
    pub recompute: bool,
}

/// SGD or AdamW with its state: [`ResNet::optimizer`]. It may outlive its network.
pub struct Optimizer {
    lib: &'static ffi::Functions,
    optimizer: *mut ffi::Optimizer,
}

// As for ResNet: the library locks.
unsafe impl Send for Optimizer {}
unsafe impl Sync for Optimizer {}

impl Drop for Optimizer {
    fn drop(&mut self) {
        unsafe { (self.lib.backbone_optimizer_free)(self.optimizer) }
    }
}

/// Parameters with a learning rate or a weight decay of their own. A parameter belongs to the first group that matches
/// it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterGroup {
    /// Prefix of their names; empty: any name.
    pub prefix: String,
    /// A sum of `ffi::PARAMETERS_*`; 0: all.
    pub kinds: u32,
    /// Multiplies the learning rate of a step.
    pub learning_rate_factor: f64,
    /// Replaces that of the options.
    pub weight_decay: f64,
}

impl Default for ParameterGroup {
    fn default() -> Self {
        ParameterGroup { prefix: String::new(), kinds: 0, learning_rate_factor: 1.0, weight_decay: 0.0 }
    }
}

/// Options of [`ResNet::optimizer`]: the fields of `backbone_optimizer_options`, with PyTorch's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerOptions {
    /// `ffi::OPTIMIZER_*`.
    pub kind: i32,
    /// Of SGD: Nesterov momentum.
    pub nesterov: bool,
    /// Of SGD.
    pub momentum: f64,
    /// Of SGD.
    pub dampening: f64,
    /// Of AdamW.
    pub beta1: f64,
    /// Of AdamW.
    pub beta2: f64,
    /// Of AdamW.
    pub epsilon: f64,
    /// For parameters outside of all groups.
    pub weight_decay: f64,
    /// Parameters with options of their own.
    pub groups: Vec<ParameterGroup>,
}

impl OptimizerOptions {
    /// The defaults of `ffi::OPTIMIZER_SGD` or `ffi::OPTIMIZER_ADAMW`.
    pub fn new(kind: i32) -> Result<Self, Error> {
        let lib = functions()?;
        // Safe: as in Options::new.
        let raw = unsafe {
            let mut raw: ffi::OptimizerOptions = mem::zeroed();
            check(lib, (lib.backbone_optimizer_options_init)(&mut raw, mem::size_of_val(&raw), kind))?;
            raw
        };
        Ok(OptimizerOptions {
            kind: raw.kind,
            nesterov: raw.nesterov != 0,
            momentum: raw.momentum,
            dampening: raw.dampening,
            beta1: raw.beta1,
            beta2: raw.beta2,
            epsilon: raw.epsilon,
            weight_decay: raw.weight_decay,
            groups: Vec::new(),
        })
    }
}

/// The mean cross entropy of logits (N, K, 1, 1) and N labels, and its gradient with respect to the logits. Images with
/// the label `ffi::IGNORED_LABEL` are ignored.
pub fn cross_entropy(logits: &Feature, labels: &[i64], label_smoothing: f64) -> Result<(f64, Feature), Error> {
    let lib = functions()?;
    let input = logits.tensor("logits")?;
    let mut gradient = Feature::new(logits.shape);
    let (output, mut loss) = (gradient.tensor_mut("the gradient")?, 0.0);
    // Safe: both have the elements of their shape, and nobody else has the gradient.
    check(lib, unsafe {
        let (first, count) = (labels.as_ptr(), labels.len());
        (lib.backbone_cross_entropy)(&input, first, count, label_smoothing, &mut loss, &output)
    })?;
    Ok((loss, gradient))
}

// ---- The network ----

/// A ResNet, in evaluation mode until [`ResNet::set_training`].
pub struct ResNet {
    lib: &'static ffi::Functions,
    net: *mut ffi::Backbone,
    outputs: usize,
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
        let (raw, _architecture) = options.raw()?;
        let mut net = ptr::null_mut();
        // Safe: `raw` points into `options` and `_architecture`, which outlive the call.
        check(lib, unsafe { (lib.backbone_create)(&raw, &mut net) })?;
        ResNet { lib, net, outputs: 0 }.counted()
    }

    // A network of fewer stages gives fewer of the requested outputs.
    fn counted(mut self) -> Result<Self, Error> {
        self.outputs = self.options()?.out_stages.count_ones() as usize;
        Ok(self)
    }

    /// The network that a checkpoint describes, with its weights, and the report of the load as JSON.
    ///
    /// The file determines `base_channels`, `in_channels` and the architecture, unless the options name one.
    pub fn from_file(
        path: impl AsRef<Path>,
        options: &Options,
        load_options: &LoadOptions,
    ) -> Result<(Self, String), Error> {
        let lib = functions()?;
        let path = c_path(path.as_ref())?;
        let (raw, _architecture) = options.raw()?;
        let mut net = ptr::null_mut();
        // Safe: as in `new`; all that is pointed to outlives the call.
        let result = loading(lib, load_options, |how, report| unsafe {
            (lib.backbone_create_from_file)(path.as_ptr(), &raw, how, &mut net, report)
        });
        // Owned before a failure to read the report could lose it.
        let net = ResNet { lib, net, outputs: 0 };
        let report = result?;
        Ok((net.counted()?, report))
    }

    /// Draws new weights, which are the same for the same seed.
    pub fn init_weights(&self, seed: u64) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_init_weights)(self.net, seed) })
    }

    /// Loads a `.pth`, a pickle of arrays or a safetensors file, and returns the load report as JSON.
    ///
    /// A failed load changes nothing. If the file does not fit, the error has the report.
    pub fn load_weights(&self, path: impl AsRef<Path>, options: &LoadOptions) -> Result<String, Error> {
        let path = c_path(path.as_ref())?;
        loading(self.lib, options, |how, report| unsafe {
            (self.lib.backbone_load_weights_with)(self.net, path.as_ptr(), how, report)
        })
    }

    /// Writes the weights, as a `.pth` or as safetensors, by the suffix of the path.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        check(self.lib, unsafe { (self.lib.backbone_save_weights)(self.net, path.as_ptr()) })
    }

    /// Writes the weights under the names of another project ("detectron2", ...; see `backbone.h`).
    pub fn save_weights_with(&self, path: impl AsRef<Path>, names: &str) -> Result<(), Error> {
        let (path, names) = (c_path(path.as_ref())?, c_text("names", names)?);
        check(self.lib, unsafe { (self.lib.backbone_save_weights_with)(self.net, path.as_ptr(), names.as_ptr()) })
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

    /// The current options, with the number of threads in use.
    ///
    /// `architecture` is always set; it is "custom", and `depth` 0, for a network that only its file describes.
    pub fn options(&self) -> Result<Options, Error> {
        // Safe: as in Options::new; the values are copied while the network lives.
        unsafe {
            let mut raw: ffi::Options = mem::zeroed();
            raw.struct_size = mem::size_of_val(&raw) as u32;
            check(self.lib, (self.lib.backbone_get_options)(self.net, &mut raw))?;
            Ok(Options::from_raw(&raw))
        }
    }

    /// The shapes (N, C, H, W) of the outputs for images of a shape (N, C, H, W): C1, C2 to C5, pooled, logits, as far
    /// as they were requested.
    pub fn output_shapes(&self, input: [i64; 4]) -> Result<Vec<[i64; 4]>, Error> {
        let mut shapes = vec![[0i64; 4]; self.outputs];
        // Safe: `shapes` has `outputs` rows of four.
        check(self.lib, unsafe {
            (self.lib.backbone_output_shapes)(self.net, input.as_ptr(), shapes.as_mut_ptr().cast(), self.outputs)
        })?;
        Ok(shapes)
    }

    /// The outputs for a batch of images, in the order of [`ResNet::output_shapes`]. Pooled and logits are of shape
    /// (N, C, 1, 1).
    pub fn forward(&self, image: Image<'_>) -> Result<Vec<Feature>, Error> {
        self.features(image, |outputs| self.forward_into(image, outputs))
    }

    // New memory, and what `compute` writes into it.
    fn features(
        &self,
        image: Image<'_>,
        compute: impl FnOnce(&mut [&mut [f32]]) -> Result<(), Error>,
    ) -> Result<Vec<Feature>, Error> {
        let shapes = self.output_shapes(image.shape)?;
        image.tensor()?; // Before memory is spent on an image that is wrong.
        let mut features: Vec<Feature> = shapes.into_iter().map(Feature::new).collect();
        let mut outputs: Vec<&mut [f32]> = features.iter_mut().map(|feature| &mut feature.data[..]).collect();
        compute(&mut outputs)?;
        Ok(features)
    }

    /// Computes the features into the caller's memory, a slice for each of [`ResNet::output_shapes`], NCHW.
    pub fn forward_into(&self, image: Image<'_>, outputs: &mut [&mut [f32]]) -> Result<(), Error> {
        let (input, tensors) = self.tensors(image, outputs)?;
        // Safe: every slice has the elements of its shape, and Rust's borrows keep them apart.
        check(self.lib, unsafe { (self.lib.backbone_forward)(self.net, &input, tensors.as_ptr(), tensors.len()) })
    }

    // The C structs of an image and outputs, which have to outlive the call.
    fn tensors(
        &self,
        image: Image<'_>,
        outputs: &mut [&mut [f32]],
    ) -> Result<(ffi::Tensor, Vec<ffi::Tensor>), Error> {
        let shapes = self.output_shapes(image.shape)?;
        let input = image.tensor()?;
        if outputs.len() != self.outputs {
            let (given, needed) = (outputs.len(), self.outputs);
            return Err(Error::invalid(format!("out has {} buffers; this network gives {}", given, needed)));
        }
        let mut tensors = Vec::with_capacity(outputs.len());
        for (index, (output, shape)) in outputs.iter_mut().zip(shapes).enumerate() {
            check_count(&format!("out[{}]", index), output.len(), shape)?;
            tensors.push(tensor(output.as_mut_ptr().cast(), ffi::DTYPE_FLOAT32, shape, Layout::Nchw));
        }
        Ok((input, tensors))
    }

    /// An empty tape for this network.
    pub fn tape(&self, options: TapeOptions) -> Result<Tape, Error> {
        let mut tape = ptr::null_mut();
        // Safe: as in Options::new.
        unsafe {
            let mut raw: ffi::TapeOptions = mem::zeroed();
            check(self.lib, (self.lib.backbone_tape_options_init)(&mut raw, mem::size_of_val(&raw)))?;
            raw.input_gradient = options.input_gradient.into();
            raw.retain = options.retain.into();
            raw.recompute = options.recompute.into();
            check(self.lib, (self.lib.backbone_tape_create)(self.net, &raw, &mut tape))?;
        }
        Ok(Tape { lib: self.lib, tape })
    }

    /// The memory that a tape uses, in bytes.
    pub fn tape_bytes(&self, tape: &Tape) -> Result<usize, Error> {
        let mut bytes = 0;
        check(self.lib, unsafe { (self.lib.backbone_tape_bytes)(self.net, tape.tape, &mut bytes) })?;
        Ok(bytes)
    }

    /// Computes the outputs as [`ResNet::forward`] does, and fills the tape for [`ResNet::backward`].
    pub fn forward_train(&self, tape: &Tape, image: Image<'_>) -> Result<Vec<Feature>, Error> {
        self.features(image, |outputs| self.forward_train_into(tape, image, outputs))
    }

    /// The same into the caller's memory, as [`ResNet::forward_into`].
    pub fn forward_train_into(
        &self,
        tape: &Tape,
        image: Image<'_>,
        outputs: &mut [&mut [f32]],
    ) -> Result<(), Error> {
        let (input, tensors) = self.tensors(image, outputs)?;
        // Safe: as in `forward_into`.
        check(self.lib, unsafe {
            (self.lib.backbone_forward_train)(self.net, tape.tape, &input, tensors.as_ptr(), tensors.len())
        })
    }

    /// Computes the gradients of the trainable parameters from those of the outputs, where `None` stands for zeros.
    ///
    /// `input_gradient`, of the shape of the images, receives the gradient for them; the tape's options must allow it.
    /// `gradients` has [`ResNet::trainable_count`] floats; `None` if they are not wanted. `accumulate` adds to the
    /// existing values.
    pub fn backward(
        &self,
        tape: &Tape,
        output_gradients: &[Option<&Feature>],
        input_gradient: Option<&mut Feature>,
        gradients: Option<&mut [f32]>,
        accumulate: bool,
    ) -> Result<(), Error> {
        let missing = tensor(ptr::null_mut(), ffi::DTYPE_FLOAT32, [0; 4], Layout::Nchw);
        let mut tensors = Vec::with_capacity(output_gradients.len());
        for (index, gradient) in output_gradients.iter().enumerate() {
            let label = format!("output_gradients[{}]", index);
            tensors.push(gradient.map_or(Ok(missing), |gradient| gradient.tensor(&label))?);
        }
        let input = input_gradient.map(|gradient| gradient.tensor_mut("input_gradient")).transpose()?;
        let input = input.as_ref().map_or(ptr::null(), |tensor| tensor as *const ffi::Tensor);
        let (first, count) = gradients.map_or((ptr::null_mut(), 0), |all| (all.as_mut_ptr(), all.len()));
        let flags = if accumulate { ffi::BACKWARD_ACCUMULATE } else { 0 };
        // Safe: every tensor has the elements of its shape, and what is written is borrowed for that.
        check(self.lib, unsafe {
            let (net, tape) = (self.net, tape.tape);
            (self.lib.backbone_backward)(net, tape, tensors.as_ptr(), tensors.len(), input, first, count, flags)
        })
    }

    /// Computes the gradients with respect to outputs from those of the outputs, where `None` stands for zeros.
    ///
    /// `feature_gradients` has as many, of the shapes of the outputs, which receive them; `None` where they are not
    /// wanted.
    pub fn feature_gradients(
        &self,
        tape: &Tape,
        output_gradients: &[Option<&Feature>],
        feature_gradients: &mut [Option<&mut Feature>],
    ) -> Result<(), Error> {
        // The C function has one count for both.
        if output_gradients.len() != feature_gradients.len() {
            return Err(Error::invalid(format!(
                "{} feature_gradients for {} output_gradients; pass one for each",
                feature_gradients.len(),
                output_gradients.len()
            )));
        }
        let missing = tensor(ptr::null_mut(), ffi::DTYPE_FLOAT32, [0; 4], Layout::Nchw);
        let (mut given, mut wanted) = (Vec::new(), Vec::new());
        for (index, gradient) in output_gradients.iter().enumerate() {
            let label = format!("output_gradients[{}]", index);
            given.push(gradient.map_or(Ok(missing), |gradient| gradient.tensor(&label))?);
        }
        for (index, gradient) in feature_gradients.iter_mut().enumerate() {
            let label = format!("feature_gradients[{}]", index);
            wanted.push(gradient.as_mut().map_or(Ok(missing), |gradient| gradient.tensor_mut(&label))?);
        }
        // Safe: every tensor has the elements of its shape, and what is written is borrowed for that.
        check(self.lib, unsafe {
            let (net, tape) = (self.net, tape.tape);
            (self.lib.backbone_feature_gradients)(net, tape, given.as_ptr(), given.len(), wanted.as_ptr())
        })
    }

    /// Chooses which parameters outside of the frozen stages are trained: `ffi::TRAINABLE_*`.
    pub fn set_trainable(&self, which: i32) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_set_trainable)(self.net, which) })
    }

    /// The total number of floats of all trainable parameters.
    pub fn trainable_count(&self) -> Result<usize, Error> {
        let mut count = 0;
        check(self.lib, unsafe { (self.lib.backbone_trainable_count)(self.net, &mut count) })?;
        Ok(count)
    }

    /// Where the gradient of entry `index` of the state dict is among all gradients; empty if it is not trainable.
    pub fn trainable_slot(&self, index: usize) -> Result<std::ops::Range<usize>, Error> {
        let (mut offset, mut count) = (0, 0);
        check(self.lib, unsafe { (self.lib.backbone_trainable_slot)(self.net, index, &mut offset, &mut count) })?;
        Ok(offset..offset + count)
    }

    /// All trainable parameters in one vector.
    pub fn read_trainable(&self) -> Result<Vec<f32>, Error> {
        let mut values = vec![0.0; self.trainable_count()?];
        check(self.lib, unsafe {
            (self.lib.backbone_read_trainable)(self.net, values.as_mut_ptr(), values.len())
        })?;
        Ok(values)
    }

    /// Copies a vector to all trainable parameters.
    pub fn write_trainable(&self, values: &[f32]) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_write_trainable)(self.net, values.as_ptr(), values.len()) })
    }

    /// Keeps the parameters in memory of the caller; null copies them back.
    ///
    /// # Safety
    ///
    /// `parameters` points to all `count` parameters, in the order of the state dict, until the network is dropped or
    /// bound to other memory; and nobody writes there while another call uses the network.
    pub unsafe fn bind_parameters(&self, parameters: *mut f32, count: usize) -> Result<(), Error> {
        check(self.lib, (self.lib.backbone_bind_parameters)(self.net, parameters, count))
    }

    /// Reports that bound parameters of some entries of the state dict were written; `None`: of all.
    pub fn parameters_changed(&self, entries: Option<&[usize]>) -> Result<(), Error> {
        let (start, count) = entries.map_or((std::ptr::null(), 0), |entries| (entries.as_ptr(), entries.len()));
        check(self.lib, unsafe { (self.lib.backbone_parameters_changed)(self.net, start, count) })
    }

    /// Scales gradients so that their Euclidean norm is at most `max_norm`, and returns the norm before.
    pub fn clip_gradients(&self, gradients: &mut [f32], max_norm: f64) -> Result<f64, Error> {
        let mut norm = 0.0;
        check(self.lib, unsafe {
            let (first, count) = (gradients.as_mut_ptr(), gradients.len());
            (self.lib.backbone_clip_gradients)(self.net, first, count, max_norm, &mut norm)
        })?;
        Ok(norm)
    }

    /// A new optimiser for the parameters that are trainable now.
    pub fn optimizer(&self, options: &OptimizerOptions) -> Result<Optimizer, Error> {
        let mut prefixes = Vec::with_capacity(options.groups.len());
        for group in &options.groups {
            prefixes.push(c_text("prefix", &group.prefix)?);
        }
        let group = |(group, prefix): (&ParameterGroup, &CString)| ffi::ParameterGroup {
            prefix: prefix.as_ptr(),
            kinds: group.kinds,
            reserved: 0,
            learning_rate_factor: group.learning_rate_factor,
            weight_decay: group.weight_decay,
        };
        let groups: Vec<ffi::ParameterGroup> = options.groups.iter().zip(&prefixes).map(group).collect();
        let raw = ffi::OptimizerOptions {
            struct_size: mem::size_of::<ffi::OptimizerOptions>() as u32,
            kind: options.kind,
            nesterov: options.nesterov.into(),
            reserved: 0,
            momentum: options.momentum,
            dampening: options.dampening,
            beta1: options.beta1,
            beta2: options.beta2,
            epsilon: options.epsilon,
            weight_decay: options.weight_decay,
            groups: if groups.is_empty() { ptr::null() } else { groups.as_ptr() },
            group_count: groups.len(),
        };
        let mut optimizer = ptr::null_mut();
        // Safe: the groups and their prefixes outlive the call.
        check(self.lib, unsafe { (self.lib.backbone_optimizer_create)(self.net, &raw, &mut optimizer) })?;
        Ok(Optimizer { lib: self.lib, optimizer })
    }

    /// Updates all trainable parameters from their gradients: one step of the optimiser.
    ///
    /// Gradients that are NaN or infinite are an error of `ffi::STATUS_NOT_FINITE`, unless `allow_not_finite`.
    pub fn step(
        &self,
        optimizer: &Optimizer,
        gradients: &[f32],
        learning_rate: f64,
        allow_not_finite: bool,
    ) -> Result<(), Error> {
        let flags = if allow_not_finite { ffi::STEP_ALLOW_NOT_FINITE } else { 0 };
        check(self.lib, unsafe {
            let (first, count) = (gradients.as_ptr(), gradients.len());
            (self.lib.backbone_optimizer_step)(self.net, optimizer.optimizer, first, count, learning_rate, flags)
        })
    }

    /// Adapts a stale optimiser to the parameters that are trainable now.
    pub fn follow(&self, optimizer: &Optimizer) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_optimizer_follow)(self.net, optimizer.optimizer) })
    }

    /// Writes the weights and the state of an optimiser to one file that PyTorch can read.
    pub fn save_training(
        &self,
        optimizer: &Optimizer,
        path: impl AsRef<Path>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        check(self.lib, unsafe {
            (self.lib.backbone_save_training)(self.net, optimizer.optimizer, path.as_ptr(), learning_rate)
        })
    }

    /// Loads what [`ResNet::save_training`] or PyTorch wrote, and returns a report, as JSON.
    pub fn load_training(&self, optimizer: &Optimizer, path: impl AsRef<Path>) -> Result<String, Error> {
        let path = c_path(path.as_ref())?;
        reported(self.lib, |report| unsafe {
            (self.lib.backbone_load_training)(self.net, optimizer.optimizer, path.as_ptr(), report)
        })
    }

    /// Begins to collect the statistics of BatchNorms from images: `backbone_statistics_begin`.
    pub fn begin_statistics(&self) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_statistics_begin)(self.net) })
    }

    /// Adds the statistics of a batch.
    pub fn add_statistics(&self, image: Image<'_>) -> Result<(), Error> {
        let input = image.tensor()?;
        check(self.lib, unsafe { (self.lib.backbone_statistics_add)(self.net, &input) })
    }

    /// Replaces the running statistics by the collected ones.
    pub fn commit_statistics(&self) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_statistics_commit)(self.net) })
    }

    /// Ends collecting and changes nothing.
    pub fn cancel_statistics(&self) -> Result<(), Error> {
        check(self.lib, unsafe { (self.lib.backbone_statistics_cancel)(self.net) })
    }

    /// Ends the calls in progress in other threads: they return an error of `ffi::STATUS_CANCELLED`, and the network is
    /// unchanged. Later calls are not affected.
    pub fn cancel(&self) {
        // Safe: the library allows it at any time before the handle is freed.
        unsafe { (self.lib.backbone_cancel)(self.net) };
    }
}
