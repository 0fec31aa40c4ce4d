/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/**
 * @file
 * libbackbone: the ResNet backbone as a C library.
 *
 * It reads a checkpoint as PyTorch wrote it and turns an image into the features C2, C3, C4 and C5 that detectors are
 * built on, on a CPU, without Python or PyTorch.
 *
 *     backbone *net = NULL;
 *     backbone_options options;
 *     backbone_options_init(&options, sizeof options);
 *     options.depth = 50;
 *     if (backbone_create(&options, &net) != BACKBONE_STATUS_OK ||
 *         backbone_load_weights(net, "resnet50.pth", 0, NULL) != BACKBONE_STATUS_OK) {
 *         fprintf(stderr, "%s\n", backbone_last_error_message());
 *         backbone_free(net);
 *         return 1;
 *     }
 *     backbone_tensor image = {pixels, BACKBONE_DTYPE_FLOAT32, 0, {1, 3, 224, 224}, {150528, 50176, 224, 1}};
 *     int64_t shapes[4][4];
 *     backbone_output_shapes(net, image.shape, &shapes[0][0], 4);
 *     ... describe one tensor for each row of `shapes` in memory of your own, in any strides ...
 *     backbone_forward(net, &image, features, 4);
 *     backbone_free(net);
 *
 * Rules that hold for every function
 *
 * Errors. Every call that can fail returns a backbone_status; BACKBONE_STATUS_OK is zero. After a failure
 * backbone_last_error_message() names the argument, file or tensor at fault with its expected and actual value, and
 * unless a function says otherwise nothing has changed: no handle, no file and no byte of an output. No argument and no
 * content of a file ends the process. The pointers themselves must be valid for what is read or written through them:
 * only NULL can be recognised.
 *
 * Tensors are always described in the logical order N, C, H, W (batch, channels, rows, columns); strides alone say how
 * they lie in memory.
 *
 * Threads. Different handles are independent. One handle may be used by many threads at once: backbone_forward in
 * evaluation mode and all functions that take a const handle run side by side; functions that change the handle, and
 * backbone_forward in training mode, take an exclusive lock. backbone_free must be the last call. backbone_cancel ends
 * calls that take too long.
 *
 * A handle's worker threads start with its first forward pass or its first load of a megabyte or more. They work on one
 * job at a time: a forward pass that finds them busy, with a load or another forward pass, computes on its own thread
 * alone, with the same result. If the system refuses a thread, the others do its work, and the handle asks again later.
 * Workers block all signals. The child of a fork() starts its own workers; fork while no other thread is inside a call
 * on that handle.
 *
 * A calling thread needs 128 KiB of stack for a call. Workers get what they need, whatever the default is.
 *
 * Floating point. The library computes with rounding to nearest, subnormal numbers and masked exceptions, whatever the
 * calling thread has set (fesetround, feenableexcept, flush-to-zero), and restores the caller's settings and exception
 * flags before it returns: the same input gives the same bits, and a call raises no flag.
 *
 * Ownership. Strings and pointers handed out belong to the library and live as long as the text of the function says.
 * No pointer that a caller passes is kept after the call returns.
 */

#ifndef BACKBONE_H
#define BACKBONE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Marks what the library exports. */
#if defined(__GNUC__)
#define BACKBONE_API __attribute__((visibility("default")))
#else
#define BACKBONE_API
#endif

/* ---- Version ---------------------------------------------------------------------------------------------------- */

/** The version of this header, by Semantic Versioning. */
#define BACKBONE_VERSION_MAJOR 0
/** @copydoc BACKBONE_VERSION_MAJOR */
#define BACKBONE_VERSION_MINOR 1
/** @copydoc BACKBONE_VERSION_MAJOR */
#define BACKBONE_VERSION_PATCH 0
/** The same as a text. */
#define BACKBONE_VERSION_STRING "0.1.0"

/** Changes when a program compiled against an older header could no longer run; it is the last number of the soname. */
#define BACKBONE_ABI_VERSION 1

/** @return The version of the library in use, "major.minor.patch". Static text, never NULL. Any thread. */
BACKBONE_API const char *backbone_version_string(void);

/**
 * @return BACKBONE_ABI_VERSION of the library in use: compare it with the macro your program was compiled with. Any
 *         thread.
 */
BACKBONE_API int32_t backbone_abi_version(void);

/* ---- Status ----------------------------------------------------------------------------------------------------- */

/** What became of a call: BACKBONE_STATUS_OK, or why it failed. */
typedef int32_t backbone_status;

/** Values of backbone_status. */
enum {
    /** The call has done what it says. */
    BACKBONE_STATUS_OK = 0,
    /** An argument is NULL, out of range, or contradicts another or the state of the handle. */
    BACKBONE_STATUS_INVALID_ARGUMENT = 1,
    /** The system gave no memory. */
    BACKBONE_STATUS_OUT_OF_MEMORY = 2,
    /** A file or folder does not exist. */
    BACKBONE_STATUS_FILE_NOT_FOUND = 3,
    /** The system refused to open, read or write a file. */
    BACKBONE_STATUS_IO = 4,
    /** A file is damaged, contradicts itself, or is not a supported format. */
    BACKBONE_STATUS_BAD_CHECKPOINT = 5,
    /** A sound checkpoint does not fit the network: shapes differ, no name matches, parameters or running statistics
     * are missing (unless allow_missing), the file's network has modules that this one does not compute (unless
     * ignore_modules), or, if strict, names are unexpected. The report lists the names. */
    BACKBONE_STATUS_MISMATCH = 6,
    /** The network has no parameter or buffer of that name. */
    BACKBONE_STATUS_UNKNOWN_NAME = 7,
    /** backbone_cancel ended the call. */
    BACKBONE_STATUS_CANCELLED = 8
};

/**
 * @param status  Any value, also one that is no status.
 * @return        A short English text for it, static, never NULL. Any thread.
 */
BACKBONE_API const char *backbone_status_string(backbone_status status);

/**
 * @return What went wrong in the last call on this thread that failed, as UTF-8 text in one line. Never NULL. It is
 *         meaningful only directly after a failure and valid until the next call of this library on the same thread.
 *         Always valid UTF-8 below 512 bytes: `?` replaces control characters and bytes of paths and names that are not
 *         UTF-8, and long texts are cut between characters.
 */
BACKBONE_API const char *backbone_last_error_message(void);

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/** Bits of backbone_options.out_stages. */
enum {
    BACKBONE_STAGE_C2 = 1, /**< layer1, stride 4 */
    BACKBONE_STAGE_C3 = 2, /**< layer2, stride 8 */
    BACKBONE_STAGE_C4 = 4, /**< layer3, stride 16 */
    BACKBONE_STAGE_C5 = 8, /**< layer4, stride 32 */
    BACKBONE_STAGE_ALL = 15 /**< C2 to C5 */
};

/** Values of backbone_options.channel_order. */
enum {
    /** Channel c of the network reads channel c of the input. */
    BACKBONE_CHANNELS_AS_GIVEN = 0,
    /** Channel c of the network reads channel in_channels - 1 - c of the input: BGR pixels for an RGB network. */
    BACKBONE_CHANNELS_REVERSED = 1
};

/** Values of backbone_options.normalization: the inputs that `mean`, `std_dev` and `channel_order` apply to. */
enum {
    /** uint8 inputs alone. float32 inputs are taken as they are: normalise them before the call. */
    BACKBONE_NORMALIZE_UINT8 = 0,
    /** float32 inputs as well, with the same formula in float32: a float32 image with the values of a uint8 image gives
     * the same bits. */
    BACKBONE_NORMALIZE_ALL = 1
};

/** Values of backbone_options.arithmetic. */
enum {
    /** 3x3 convolutions by Winograd's minimal filtering where it is faster: the same features but for rounding:
     * of the largest value of a stage C2 may be off by 5e-5, C3 and C4 by 1e-4 and C5 by 3e-4 (docs/speed.md has
     * measured values). */
    BACKBONE_ARITHMETIC_FAST = 0,
    /** Every convolution as it is defined, term by term. */
    BACKBONE_ARITHMETIC_DIRECT = 1
};

/** Values of backbone_options.style: where the stride of a Bottleneck (depth 50 and more) sits. No weight tells it, and
 * weights of one style compute something else in a network of the other. */
enum {
    BACKBONE_STYLE_PYTORCH = 0, /**< on the 3x3 convolution: torchvision, timm */
    BACKBONE_STYLE_CAFFE = 1    /**< on the first 1x1 convolution: weights of He et al. (MSRA), Caffe2, Detectron */
};

/** Initialiser of an array that options.mean may point to: ImageNet, RGB, pixels from 0 to 255. */
#define BACKBONE_IMAGENET_MEAN {123.675f, 116.28f, 103.53f}
/** The same for options.std_dev. */
#define BACKBONE_IMAGENET_STD_DEV {58.395f, 57.12f, 57.375f}

/**
 * What to build. Fill it with backbone_options_init and change what you need. Fields are only ever appended: a program
 * that passes a smaller struct_size gets the defaults of the rest, a larger one is accepted if its extra bytes are
 * zero.
 */
typedef struct backbone_options {
    uint32_t struct_size;      /**< sizeof(backbone_options) */
    int32_t depth;             /**< 18, 34, 50, 101 or 152; default 50 */
    int32_t in_channels;       /**< channels of the input, 1 to 4096; default 3 */
    int32_t base_channels;     /**< width of the stem, 1 to 256; default 64 */
    uint32_t out_stages;       /**< BACKBONE_STAGE_* bits, at least one; default all. Stages beyond the deepest asked
                                    for are not built: they have no parameters and cost nothing. */
    int32_t frozen_stages;     /**< as backbone_freeze; default -1 */
    int32_t norm_eval;         /**< 1: in training mode too, every BatchNorm uses its running statistics; 0: only those
                                    of frozen stages do; default 0 */
    int32_t zero_init_residual; /**< 1: backbone_init_weights sets the weight of the last BatchNorm of each block to 0;
                                     default 0 */
    int32_t threads;           /**< threads that one forward may use, the caller's included, up to 1024; default 0: the
                                    CPUs that the affinity mask and the CPU quota of the control group, rounded up,
                                    leave to this process when the handle is created, and no more than the number in
                                    the environment variable BACKBONE_NUM_THREADS or, where that has none,
                                    OMP_NUM_THREADS (of a list the first; set-user-ID programs ignore both) */
    int32_t channel_order;     /**< BACKBONE_CHANNELS_*, for the inputs that `normalization` names; default as given */
    const float *mean;         /**< in_channels values subtracted from the inputs that `normalization` names, in the
                                    order of the network's channels; NULL: 0 */
    const float *std_dev;      /**< in_channels positive values they are then divided by; NULL: 1 */
    int32_t arithmetic;        /**< BACKBONE_ARITHMETIC_*; default fast */
    int32_t style;             /**< BACKBONE_STYLE_*; default pytorch; of no effect on depths 18 and 34 */
    float norm_eps;            /**< added to the variances of every BatchNorm, finite and positive; default 1e-5 */
    int32_t reserved;          /**< 0 */
    int32_t normalization;     /**< BACKBONE_NORMALIZE_*; default uint8 */
    int32_t reserved2;         /**< 0 */
} backbone_options;

/**
 * Writes the defaults. Fails on NULL and on a size that is smaller than the first published struct. Of a larger struct
 * the extra bytes are set to zero.
 *
 * @param options      receives the defaults.
 * @param struct_size  sizeof(backbone_options) as your program was compiled.
 */
BACKBONE_API backbone_status backbone_options_init(backbone_options *options, size_t struct_size);

/* ---- Creating a network ----------------------------------------------------------------------------------------- */

/** A ResNet without its pooling and classifier, under the parameter names of torchvision and mmdetection. */
typedef struct backbone backbone;

/**
 * Builds a network in evaluation mode. Its weights are those of backbone_init_weights with seed 0 until others are
 * written; they take up memory only once they are needed.
 *
 * @param options  what to build; NULL for the defaults. Not kept; `mean` and `std_dev` are copied.
 * @param out      receives the handle, to be given to backbone_free; set to NULL on failure.
 */
BACKBONE_API backbone_status backbone_create(const backbone_options *options, backbone **out);

/**
 * Frees a handle and everything that belongs to it; NULL is allowed. No other call on the handle may be in progress.
 */
BACKBONE_API void backbone_free(backbone *net);

/**
 * The options as they stand now: `frozen_stages` as last set, `threads` as the number of threads that a forward may use
 * (never 0; a system that refuses threads leaves fewer for a while, which does not show here), `mean` and `std_dev`
 * pointing into the handle (valid until backbone_free).
 *
 * @param out  receives them; `out->struct_size` must be set before the call.
 */
BACKBONE_API backbone_status backbone_get_options(const backbone *net, backbone_options *out);

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/**
 * Sets all parameters and buffers, of frozen stages too. Convolutions: normally distributed with mean 0 and standard
 * deviation sqrt(2 / (out_channels * kernel_height * kernel_width)) (Kaiming, fan-out, ReLU; He et al. 2015,
 * arXiv:1502.01852). BatchNorm: weight 1 (or 0, see zero_init_residual), bias 0, running_mean 0, running_var 1,
 * num_batches_tracked 0. The same seed gives the same weights on every machine; they are not PyTorch's random stream.
 *
 * @param seed  any number.
 */
BACKBONE_API backbone_status backbone_init_weights(backbone *net, uint64_t seed);

/** What a load did; see "The load report". */
typedef struct backbone_report backbone_report;

/** Values of backbone_load_options.input_channels: what to do with a stem of the file for F input channels where the
 * network has N. */
enum {
    BACKBONE_INPUT_CHANNELS_EXACT = 0,  /**< F must be N */
    BACKBONE_INPUT_CHANNELS_SUM = 1,    /**< N is 1: the sum over the file's channels, for gray images */
    BACKBONE_INPUT_CHANNELS_REPEAT = 2, /**< channel c becomes F/N times the file's channel c modulo F (timm's rule) */
    BACKBONE_INPUT_CHANNELS_MAP = 3     /**< channel c becomes the file's channel channel_map[c], zeros for -1;
                                             {2, 1, 0} turns weights for BGR into weights for RGB */
};

/** How to load. Fill it with backbone_load_options_init; its fields grow as those of backbone_options do. */
typedef struct backbone_load_options {
    uint32_t struct_size;       /**< sizeof(backbone_load_options) */
    int32_t strict;             /**< 1: names of the file that the network lacks are an error; default 0. Missing names
                                     are an error in both cases, unless allow_missing is 1 */
    const char *key;            /**< the keys that lead to the dict of tensors, joined by dots ("model.state_dict"; ""
                                     for the object itself); NULL, the default: found by the names in it */
    const char *prefix;         /**< what the names of the backbone begin with ("backbone."; a missing last dot is
                                     added; "" for nothing); NULL, the default: found by the names */
    int32_t input_channels;     /**< BACKBONE_INPUT_CHANNELS_*; default exact */
    int32_t channel_map_length; /**< must be the network's in_channels for BACKBONE_INPUT_CHANNELS_MAP, else 0 */
    const int32_t *channel_map; /**< that many channels of the file from 0, or -1; else NULL */
    int32_t allow_missing;      /**< 0: the file must supply every parameter and running statistic of the network. 1:
                                     those that it lacks keep their values, with `strict` too; default 0 */
    int32_t ignore_modules;     /**< 0: modules in the stem or the blocks of the file's network that this network does
                                     not compute (SE, deformable convolutions, a deep stem, ...) are an error. 1: the
                                     rest is loaded, with a warning; default 0 */
    uint64_t max_stream_bytes;  /**< the most bytes to read from a path that is not a regular file (a pipe, /dev/stdin);
                                     0, the default: 4 GiB */
} backbone_load_options;

/**
 * Writes the defaults, as backbone_options_init does.
 *
 * @param options      receives the defaults.
 * @param struct_size  sizeof(backbone_load_options) as your program was compiled.
 */
BACKBONE_API backbone_status backbone_load_options_init(backbone_load_options *options, size_t struct_size);

/**
 * Loads a checkpoint. The kind of file is told from the content, not the name:
 *
 *   - a .pth of torch.save: the zip archive of PyTorch 1.6 and later, also with deflated members or big-endian numbers;
 *     the pickles of PyTorch 0.1.10 to 1.5; the tar archive of PyTorch before that
 *   - a pickle of NumPy arrays, as Detectron's and Python 2's .pkl are, or of tensors
 *   - a safetensors file
 *   - the index of a checkpoint in shards (model.safetensors.index.json, pytorch_model.bin.index.json), with the shards
 *     beside it
 *
 * The path may also name a stream: a pipe, /dev/stdin, a socket or a character device. It is read to its end into
 * memory and then loaded as a file; a named pipe waits for its writer. Zero bytes after the end of a checkpoint are
 * ignored.
 *
 * The tensors may be of float32, float16, bfloat16 or float64 in any strides, in a dict or OrderedDict. A whole pickled
 * module in that place is read as its state_dict(). Nothing in the file is executed; values of unknown classes are
 * skipped.
 *
 * The dict of tensors may be under keys (`state_dict`, `model.state_dict`, ...), and names may have a prefix of any
 * depth (`module.`, `backbone.bottom_up.`, ...). The names may be those of
 *
 *   - torchvision, mmdetection and timm: conv1.weight, layer1.0.bn1.bias
 *   - OpenMMLab's ConvModule: layer1.0.conv1.conv.weight, layer1.0.conv1.bn.bias
 *   - Hugging Face's ResNetModel: encoder.stages.0.layers.0.layer.0.convolution.weight
 *   - detectron2: res2.0.conv1.norm.bias
 *   - maskrcnn-benchmark: stem.conv1.weight, layer1.0.conv1.weight
 *   - Caffe2 and Detectron: res2_0_branch2a_w
 *   - networks that call their stem layer0: layer0.0.weight, layer0.conv1.weight
 *   - a numbered nn.Sequential, also RCNN_base and RCNN_top: 0.weight, 4.0.conv1.weight
 *
 * All three are found by the names: exactly one dict and prefix must hold a stem and a first stage; more than one is an
 * error that lists them (see backbone_load_options), unless they are names of the same tensors. If none does, as in a
 * file of a few layers, exactly one dict must have names of a ResNet, prefixed with `module.` or with nothing.
 *
 * A load must supply every parameter and running statistic of the network, whatever the network held before:
 * otherwise it is BACKBONE_STATUS_MISMATCH, unless backbone_load_options.allow_missing is 1. num_batches_tracked may be
 * missing. Weights that a file has in parts are computed: pruned ones (weight_orig, weight_mask), weight norm and
 * spectral norm. BatchNorms without any statistics get mean 0 and variance 1 - norm_eps, exactly weight * x + bias,
 * where the names are Caffe2's, or detectron2's in a file with a mark of its conversion from Caffe.
 *
 * Modules in the stem or the blocks of the file's network that this network does not compute (SE, CBAM, deformable
 * convolutions, GroupNorm, biases of convolutions that are not zero, a deep stem, ...) change the features: they are
 * BACKBONE_STATUS_MISMATCH, with a message that names the module, unless ignore_modules is 1.
 *
 * The report warns of values that are NaN, infinite, beyond float32, or negative variances; of heads of segmentation
 * networks, whose backbones are mostly dilated; of another style; and of `mean` and `std_dev` that do not suit the
 * stem.
 *
 * @param path        the file.
 * @param strict      as in backbone_load_options. In both cases it is an error if any shape differs (no broadcasting),
 *                    if no name matches, and if names are missing.
 * @param out_report  receives what was found, to be given to backbone_report_free; NULL if not wanted. It is also given
 *                    with BACKBONE_STATUS_MISMATCH; with any other failure it is set to NULL.
 *
 * Everything is read and checked before anything changes: a failed load leaves the network as it was. The threads of
 * the handle read together; what comes of it does not depend on how many there are.
 */
BACKBONE_API backbone_status backbone_load_weights(backbone *net, const char *path, int32_t strict,
                                                   backbone_report **out_report);

/**
 * Loads a checkpoint as backbone_load_weights does, with options; NULL for the defaults.
 *
 * @param path        as for backbone_load_weights.
 * @param options     how to load; NULL for the defaults.
 * @param out_report  as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_load_weights_with(backbone *net, const char *path,
                                                        const backbone_load_options *options,
                                                        backbone_report **out_report);

/**
 * Loads a checkpoint that is in memory, of any kind, as backbone_load_weights_with loads a file; messages name it
 * "memory of N bytes".
 *
 * @param data        a whole checkpoint file, aligned in any way. Only read, not kept, and never copied beforehand.
 *                    NULL is allowed for no bytes, which are an empty file.
 * @param size        of it in bytes.
 * @param options     NULL for the defaults.
 * @param out_report  as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_load_weights_from_memory(backbone *net, const void *data, size_t size,
                                                               const backbone_load_options *options,
                                                               backbone_report **out_report);

/**
 * Reports what a checkpoint is without a network: the report of loading it into the network that its own names and
 * shapes describe. It fails for the reasons, and with the messages, of that load; the report then comes with
 * BACKBONE_STATUS_MISMATCH. Names and shapes that describe no ResNet of a depth that can be built are
 * BACKBONE_STATUS_BAD_CHECKPOINT. Only the values of the stem and of biases are read; the report does not warn of
 * others.
 *
 * @param path        the file.
 * @param options     as for backbone_load_weights_with; NULL for the defaults.
 * @param out_report  as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_inspect(const char *path, const backbone_load_options *options,
                                              backbone_report **out_report);

/**
 * Reports what a checkpoint in memory is, as backbone_inspect does of a file.
 *
 * @param data        as for backbone_load_weights_from_memory.
 * @param size        of it in bytes.
 * @param options     as for backbone_load_weights_with.
 * @param out_report  as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_inspect_memory(const void *data, size_t size,
                                                     const backbone_load_options *options,
                                                     backbone_report **out_report);

/**
 * Creates the network that a checkpoint describes, and loads it.
 *
 * @param path          the file.
 * @param options       as for backbone_create, but `depth` and `base_channels` are those of the file, and so is
 *                      `in_channels` unless load_options.input_channels asks for a conversion; NULL for the defaults.
 * @param load_options  as for backbone_load_weights_with; NULL for the defaults.
 * @param out           receives the handle, to be given to backbone_free; set to NULL on failure.
 * @param out_report    as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_create_from_file(const char *path, const backbone_options *options,
                                                       const backbone_load_options *load_options, backbone **out,
                                                       backbone_report **out_report);

/**
 * Creates the network that a checkpoint in memory describes, as backbone_create_from_file does with a file.
 *
 * @param data          as for backbone_load_weights_from_memory.
 * @param size          of it in bytes.
 * @param options       as for backbone_create_from_file.
 * @param load_options  as for backbone_load_weights_with.
 * @param out           receives the handle, to be given to backbone_free; set to NULL on failure.
 * @param out_report    as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_create_from_memory(const void *data, size_t size, const backbone_options *options,
                                                         const backbone_load_options *load_options, backbone **out,
                                                         backbone_report **out_report);

/**
 * Writes all parameters and buffers to a file under their PyTorch names (float32; num_batches_tracked int64).
 *
 * @param path   ends in .pth, .pt, .bin or .pth.tar, in either case of letters: a zip .pth as torch.save writes a
 *               state_dict, which PyTorch 1.6 and later reads, with weights_only=True too. Else: a safetensors file.
 *               The same weights give the same bytes. If it is a symbolic link, the file behind it is written.
 *
 * The file appears under its name only when it is complete and on the disk, and has the permissions of an older file;
 * a failure leaves an older file as it was. (One failure comes later: where the folder cannot be brought to the disk,
 * the new file is in its place, and BACKBONE_STATUS_IO says that a loss of power might undo that.)
 */
BACKBONE_API backbone_status backbone_save_weights(const backbone *net, const char *path);

/* ---- The load report -------------------------------------------------------------------------------------------- */

/** Classes of names in a report. */
enum {
    BACKBONE_REPORT_LOADED = 0,     /**< in both, and loaded */
    BACKBONE_REPORT_MISSING = 1,    /**< in the network, not in the file */
    BACKBONE_REPORT_UNEXPECTED = 2, /**< in the file, not in the network; among them modules that are ignored */
    BACKBONE_REPORT_IGNORABLE = 3,  /**< of no consequence: num_batches_tracked that the file lacks or that is not one
                                         number, statistics that files of its dialect lack, names outside of the
                                         prefix, fc.*, biases of convolutions that are zero, counters of profilers
                                         (total_ops, total_params), and stages that this network does not build */
    BACKBONE_REPORT_MISMATCHED = 4  /**< in both, with different shapes */
};

/** Properties of a report. */
enum {
    BACKBONE_REPORT_CONTAINER = 0, /**< "zip", "legacy" (0.1.10 to 1.5), "tar", "pickle" or "safetensors" */
    BACKBONE_REPORT_WRAPPER = 1,   /**< keys that lead to the dict of tensors, "model.state_dict"; "" if there are none
                                        */
    BACKBONE_REPORT_PREFIX = 2,    /**< "module.", "backbone.bottom_up.", ...; "" if there is none */
    BACKBONE_REPORT_DIALECT = 3,   /**< whose names: "torchvision" (mmdetection, timm), "convmodule" (OpenMMLab),
                                        "huggingface", "detectron2", "maskrcnn_benchmark", "caffe2", "layer0",
                                        "sequential" or "paddledetection" */
    BACKBONE_REPORT_DEPTH = 4,     /**< "50" as the file's names tell, "" if they do not */
    BACKBONE_REPORT_BASE_CHANNELS = 5,  /**< "64", of the file's stem; "" if it has none */
    BACKBONE_REPORT_INPUT_CHANNELS = 6, /**< "3", of the file's stem; "" if it has none */
    BACKBONE_REPORT_DTYPE = 7,     /**< of the convolutions' weights: "float32", "float16", ..., or "mixed" */
    BACKBONE_REPORT_STYLE = 8,     /**< "pytorch", "caffe", or "" if it cannot be told. No weight tells it for certain;
                                        it is told from names, marks of the file, and the scale of the stem's weights.
                                        */
    BACKBONE_REPORT_INPUT_CONVERSION = 9, /**< "sum", "repeat" or "map" if the stem was converted, else "" */
    BACKBONE_REPORT_TENSORS = 10   /**< "161": how many tensors of known types the dict holds, under any names */
};

/** A name in a report, with its shapes. */
typedef struct backbone_report_entry {
    const char *name;          /**< as the network spells it; as the file does for names the network lacks */
    int32_t expected_ndim;     /**< shape in the network, -1 where it has no such name */
    int32_t actual_ndim;       /**< shape in the file, -1 where it has no such name */
    int64_t expected_shape[8]; /**< as many sizes as expected_ndim says */
    int64_t actual_shape[8];   /**< the first 8 sizes if actual_ndim is larger */
} backbone_report_entry;

/**
 * How many names are in a class (BACKBONE_REPORT_LOADED ...).
 *
 * @param name_class  BACKBONE_REPORT_LOADED, ...
 * @param out         receives the number.
 */
BACKBONE_API backbone_status backbone_report_count(const backbone_report *report, int32_t name_class, size_t *out);

/**
 * Name `index` of a class, in the network's order, then in the file's.
 *
 * @param name_class  BACKBONE_REPORT_LOADED, ...
 * @param index       of the name in its class, from 0.
 * @param out         receives the name and its shapes; `out->name` lives until backbone_report_free.
 */
BACKBONE_API backbone_status backbone_report_get_entry(const backbone_report *report, int32_t name_class, size_t index,
                                                       backbone_report_entry *out);

/**
 * A property (BACKBONE_REPORT_CONTAINER ...) as text that lives until backbone_report_free.
 *
 * @param property  BACKBONE_REPORT_CONTAINER, ...
 * @param out       receives the text.
 */
BACKBONE_API backbone_status backbone_report_get_property(const backbone_report *report, int32_t property,
                                                          const char **out);

/**
 * How many warnings there are: reasons to doubt that the network computes what was trained.
 *
 * @param out  receives the number.
 */
BACKBONE_API backbone_status backbone_report_warning_count(const backbone_report *report, size_t *out);

/**
 * Warning `index` as a line of text that lives until backbone_report_free.
 *
 * @param index  of the warning, from 0.
 * @param out    receives the text.
 */
BACKBONE_API backbone_status backbone_report_get_warning(const backbone_report *report, size_t index, const char **out);

/**
 * The whole report as a JSON object that lives until backbone_report_free: the properties by name ("container", ...),
 * "warnings", and an object "names" with a list for each class ("loaded", ...) of objects with "name", "expected" and
 * "actual", the shapes, null where one side has no such name.
 *
 * @param out  receives the text.
 */
BACKBONE_API backbone_status backbone_report_to_json(const backbone_report *report, const char **out);

/** Frees a report; NULL is allowed. A report is independent of the handle and may outlive it. */
BACKBONE_API void backbone_report_free(backbone_report *report);

/* ---- Freezing and modes ----------------------------------------------------------------------------------------- */

/**
 * Freezes the stem (0), the stem and the first 1..4 stages, or nothing (-1). It sets the state: a lower number
 * unfreezes. Parameters of a frozen stage are not trainable and its BatchNorms always use, and never update, their
 * running statistics, whatever backbone_set_training says. Weights can still be loaded, initialised and written.
 * Numbers beyond the deepest stage that was built freeze all there is.
 *
 * @param frozen_stages  -1 to 4.
 */
BACKBONE_API backbone_status backbone_freeze(backbone *net, int32_t frozen_stages);

/**
 * Evaluation mode (0, the mode after backbone_create) or training mode (1). In training mode the BatchNorms outside of
 * frozen stages, unless options.norm_eval is set, normalise with the statistics of the batch and update running_mean,
 * running_var (momentum 0.1, unbiased variance) and num_batches_tracked at every forward.
 *
 * @param training  0 or 1.
 */
BACKBONE_API backbone_status backbone_set_training(backbone *net, int32_t training);

/**
 * Whether the handle is in training mode: 1 or 0.
 *
 * @param out  receives 1 or 0.
 */
BACKBONE_API backbone_status backbone_get_training(const backbone *net, int32_t *out);

/* ---- Parameters and buffers ------------------------------------------------------------------------------------- */

/** Values of backbone_tensor.dtype and backbone_entry_info.dtype. */
enum {
    BACKBONE_DTYPE_FLOAT32 = 0, /**< IEEE 754 single precision */
    BACKBONE_DTYPE_UINT8 = 1,   /**< pixels from 0 to 255; of inputs only */
    BACKBONE_DTYPE_INT64 = 2    /**< counts; of num_batches_tracked only */
};

/** One entry of the state dict: a parameter or a buffer. */
typedef struct backbone_entry_info {
    const char *name;         /**< as in PyTorch: "layer1.0.conv1.weight"; lives until backbone_free */
    int32_t dtype;            /**< FLOAT32, or INT64 for num_batches_tracked */
    int32_t ndim;             /**< 0 for num_batches_tracked, else 1 or 4 */
    int64_t shape[4];         /**< (out, in, height, width) of a convolution; unused sizes are 1 */
    int32_t is_parameter;     /**< 1 for weights and biases, 0 for buffers (running_mean, running_var, ...) */
    int32_t trainable;        /**< 1 for a parameter outside of the frozen stages (requires_grad in PyTorch) */
    int32_t batch_statistics; /**< 1 if it belongs to a BatchNorm that, in the present mode and state of freezing, uses
                                   the statistics of the batch (module.training in PyTorch) */
    int32_t reserved;         /**< 0 */
} backbone_entry_info;

/**
 * The number of entries of the state dict. They are in PyTorch's order of registration.
 *
 * @param out  receives the number.
 */
BACKBONE_API backbone_status backbone_entry_count(const backbone *net, size_t *out);

/**
 * Describes entry `index`.
 *
 * @param index  of the entry, from 0.
 * @param out    receives the description.
 */
BACKBONE_API backbone_status backbone_get_entry_info(const backbone *net, size_t index, backbone_entry_info *out);

/**
 * The index of the entry with that name; BACKBONE_STATUS_UNKNOWN_NAME if there is none.
 *
 * @param name  as in PyTorch: "layer1.0.conv1.weight".
 * @param out   receives the index.
 */
BACKBONE_API backbone_status backbone_find_entry(const backbone *net, const char *name, size_t *out);

/**
 * Copies entry `index` to `out`, contiguous in the order of its shape.
 *
 * @param index  of the entry, from 0.
 * @param out    receives the values.
 * @param size   of `out` in bytes, exactly that of the entry (4 or 8 bytes an element).
 */
BACKBONE_API backbone_status backbone_read_entry(const backbone *net, size_t index, void *out, size_t size);

/**
 * Copies `size` bytes at `data` to entry `index`, as backbone_read_entry gives them; frozen entries can be written.
 *
 * @param index  of the entry, from 0.
 * @param data   the values, as backbone_read_entry gives them.
 * @param size   of them in bytes, exactly that of the entry.
 */
BACKBONE_API backbone_status backbone_write_entry(backbone *net, size_t index, const void *data, size_t size);

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/**
 * A tensor in the caller's memory: element (n, c, h, w) is at data + n*strides[0] + ... + w*strides[3], in elements.
 */
typedef struct backbone_tensor {
    void *data;         /**< the element (0, 0, 0, 0); may be NULL only if the tensor is empty */
    int32_t dtype;      /**< BACKBONE_DTYPE_FLOAT32, for inputs also BACKBONE_DTYPE_UINT8 */
    int32_t reserved;   /**< 0 */
    int64_t shape[4];   /**< N, C, H, W */
    int64_t strides[4]; /**< in elements; (C*H*W, H*W, W, 1) is NCHW, (H*W*C, 1, W*C, C) is NHWC. Those of an input may
                             be zero or negative. */
} backbone_tensor;

/**
 * The shapes that backbone_forward writes, one row (N, C, H, W) for each stage of options.out_stages from C2 to C5.
 *
 * @param input_shape  N >= 0, C = in_channels, H >= 1, W >= 1.
 * @param out          receives `count` rows of 4 sizes; `count` must be the number of stages asked for at creation.
 * @param count        the number of stages asked for at creation.
 */
BACKBONE_API backbone_status backbone_output_shapes(const backbone *net, const int64_t input_shape[4], int64_t *out,
                                                    size_t count);

/**
 * Computes the features of a batch of images.
 *
 * @param input    uint8 or float32. Of uint8, (x - mean[c]) / std_dev[c] is computed in float32, with channels in
 *                 options.channel_order. float32 is taken as it is, unless options.normalization is
 *                 BACKBONE_NORMALIZE_ALL: then it is normalised like uint8. Any N >= 0 (0 computes nothing), H >= 1 and
 *                 W >= 1, any strides. Only read.
 * @param outputs  `count` float32 tensors, one for each stage of options.out_stages from C2 to C5, in the caller's
 *                 memory with the shapes of backbone_output_shapes. Strides are the caller's choice, positive, and such
 *                 that no two elements share memory: sorted by size, each must reach beyond what the smaller ones span.
 *                 Memory between the elements is not touched. That outputs overlap neither each other nor the input is
 *                 for the caller to see to: they may lie interleaved in one block, so addresses alone do not tell.
 * @param count    the number of stages asked for at creation.
 *
 * In evaluation mode the features of an image are the same bits for every number of threads and every batch it is part
 * of. In training mode a BatchNorm that uses the statistics of the batch needs more than one value per channel
 * (N * H * W of its layer): less is an error that changes nothing. If memory runs out the contents of the outputs are
 * undefined; the network stays as it was.
 *
 * A handle keeps the memory of the input shapes it has seen last, to allocate nothing when they come again. Different
 * sizes can need differently packed copies of the weights: a handle keeps at most 2.5 times the size of its weights of
 * them, or what one input shape needs if that is more. It packs again what it had to drop.
 *
 * An input on a scale that the network does not expect gives features all the same; backbone_warning_count counts what
 * was seen.
 */
BACKBONE_API backbone_status backbone_forward(backbone *net, const backbone_tensor *input,
                                              const backbone_tensor *outputs, size_t count);

/**
 * The number of warnings that backbone_forward and backbone_profile have given on this handle: reasons to doubt that
 * the inputs are what the weights were trained for. The calls themselves succeed. Each kind is given once:
 *
 *   - float32 pixels, from 0 to 255 or from 0 to 1, while `mean` and `std_dev` are set but apply to uint8 alone
 *     (options.normalization)
 *   - float32 or uint8 inputs that reach the network as pixels from 0 to 255, while the loaded stem (first convolution)
 *     seems to expect inputs of deviation 1
 *   - float32 inputs around 0 or from 0 to 1, while the loaded stem, or `mean` and `std_dev`, are for pixels
 *   - NaN or infinities in the input or in the features
 *
 * They are found by sampling 256 values of an input and 32 of each feature: an image of one colour tells nothing, and a
 * wrong input may go unseen. This call costs no more than reading a number.
 *
 * @param out  receives the number; it never goes down.
 */
BACKBONE_API backbone_status backbone_warning_count(const backbone *net, size_t *out);

/**
 * Warning `index` as a line of text, in the order in which they were given.
 *
 * @param index  of the warning, from 0.
 * @param out    receives the text, which lives, unchanged, until backbone_free.
 */
BACKBONE_API backbone_status backbone_get_warning(const backbone *net, size_t index, const char **out);

/**
 * Ends the calls that have been entered on a handle: backbone_forward, backbone_profile, backbone_init_weights and the
 * backbone_load_weights functions, their waits for a lock included. They return BACKBONE_STATUS_CANCELLED soon, within
 * 50 ms for networks and images as detectors have them. The contents of their outputs are then undefined; the network
 * is as it was before, its running statistics too. A call that was about to succeed may still do so.
 *
 * Calls that are entered later are not affected, so a cancel that comes before its call ends nothing: repeat it until
 * the call has returned. Calls on other handles are not affected either.
 *
 * Any thread may call this, and a signal handler: it takes no lock, allocates nothing and leaves errno and
 * backbone_last_error_message() as they are. As every call, it must have returned before backbone_free begins: end the
 * thread that cancels, or clear the handle that a signal handler reads, first.
 *
 * @return BACKBONE_STATUS_INVALID_ARGUMENT, without a message, for NULL.
 */
BACKBONE_API backbone_status backbone_cancel(backbone *net);

/** What one step of a forward is, and what it took. */
typedef struct backbone_layer {
    char name[48];            /**< "layer1.0.conv1", "input", "maxpool", "output.C2"; ends with a zero */
    const char *kernel;       /**< how it was computed, static: "convolutionF32_winograd4_avx2" */
    int64_t input_shape[4];   /**< N, C, H, W */
    int64_t output_shape[4];  /**< N, C, H, W */
    int64_t operations;       /**< of the layer's definition: two for each product; 0 where nothing is multiplied */
    int64_t bytes;            /**< activations and packed weights that are read or written, each once */
    int64_t nanoseconds;      /**< what it took */
} backbone_layer;

/**
 * Computes the features as backbone_forward does, and tells what each layer took.
 *
 * @param input      as for backbone_forward.
 * @param outputs    as for backbone_forward.
 * @param count      as for backbone_forward.
 * @param out        receives one row for each layer in the order of computation; NULL to ask for their number alone,
 *                   and compute nothing.
 * @param capacity   rows that `out` has room for; fewer than there are layers is an error.
 * @param out_count  receives the number of layers.
 *
 * The first forward of a shape packs weights before the first layer; profile the second one.
 */
BACKBONE_API backbone_status backbone_profile(backbone *net, const backbone_tensor *input,
                                              const backbone_tensor *outputs, size_t count, backbone_layer *out,
                                              size_t capacity, size_t *out_count);

#ifdef __cplusplus
}
#endif

#endif /* BACKBONE_H */
