/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/**
 * @file
 * libbackbone: ResNet backbones as a C library.
 *
 * It reads PyTorch checkpoints and computes, on a CPU and without Python or PyTorch, the features C2, C3, C4 and C5 of
 * an image that detectors are built on. On request it also computes the features of the stem (first convolution; C1), a
 * pooled vector and the logits of the classifier.
 *
 *     backbone *net = NULL;
 *     backbone_options options;
 *     backbone_options_init(&options, sizeof options);
 *     const float mean[] = BACKBONE_IMAGENET_MEAN, std_dev[] = BACKBONE_IMAGENET_STD_DEV;
 *     options.depth = 50, options.mean = mean, options.std_dev = std_dev;
 *     if (backbone_create(&options, &net) != BACKBONE_STATUS_OK ||
 *         backbone_load_weights(net, "resnet50.pth", 0, NULL) != BACKBONE_STATUS_OK) {
 *         fprintf(stderr, "%s\n", backbone_last_error_message());
 *         backbone_free(net);
 *         return 1;
 *     }
 *     ... decode an RGB image of 224 x 224 pixels: one byte per channel, the channels of a pixel side by side ...
 *     backbone_tensor image = {pixels, BACKBONE_DTYPE_UINT8, 0, {1, 3, 224, 224}, {150528, 1, 672, 3}};
 *     int64_t shapes[4][4];
 *     backbone_output_shapes(net, image.shape, &shapes[0][0], 4);
 *     ... describe one tensor for each row of `shapes`: memory that you own, any positive strides ...
 *     backbone_forward(net, &image, features, 4);
 *     backbone_free(net);
 *
 * Rules that hold for every function
 *
 * Errors. Every call that can fail returns a backbone_status; BACKBONE_STATUS_OK is zero. After a failure
 * backbone_last_error_message() names the argument, file or tensor at fault with its expected and actual value. Unless
 * a function says otherwise, a failed call changes nothing: handles, files and outputs keep every byte. No argument and
 * no content of a file ends the process. Pointers must be valid for what the library reads or writes through them: it
 * can only recognise NULL.
 *
 * Tensors are always described in the logical order N, C, H, W (batch, channels, rows, columns); strides alone describe
 * the layout in memory.
 *
 * Threads. Different handles are independent. Many threads may use one handle at once: backbone_forward in evaluation
 * mode and all functions with a const handle run side by side; functions that change the handle, and backbone_forward
 * in training mode, take an exclusive lock. backbone_free must be the last call. backbone_cancel ends calls that take
 * too long.
 *
 * A handle's worker threads start with its first forward pass or its first load of a megabyte or more. They work on one
 * job at a time: a forward pass that finds them busy with a load or another forward pass computes on its calling thread
 * alone, with the same result. If the system refuses a thread, the others do its work, and the handle asks for it again
 * later. Workers block all signals. The child of a fork() starts its own workers; fork while no other thread is inside
 * a call on that handle.
 *
 * A calling thread needs 128 KiB of stack for a call. Workers get the stack they need, whatever the system's default
 * is.
 *
 * Floating point. The library computes with rounding to nearest, subnormal numbers and masked exceptions, whatever the
 * calling thread has set (fesetround, feenableexcept, flush-to-zero), and restores the caller's settings and exception
 * flags before it returns: the same input gives the same bits, and a call raises no flag.
 *
 * Ownership. Strings and pointers that the library returns belong to it and are valid as long as the function's
 * description says. The library keeps no pointer that a caller passes once the call has returned, except that of
 * backbone_bind_parameters.
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
/** The same as text. */
#define BACKBONE_VERSION_STRING "0.1.0"

/** Raised when programs compiled against an older header would no longer run; it is the last number of the soname. */
#define BACKBONE_ABI_VERSION 1

/** @return The version of the library in use, "major.minor.patch". Static text, never NULL. Any thread. */
BACKBONE_API const char *backbone_version_string(void);

/**
 * @return BACKBONE_ABI_VERSION of the library in use: compare it with the macro your program was compiled with. Any
 *         thread.
 */
BACKBONE_API int32_t backbone_abi_version(void);

/* ---- Status ----------------------------------------------------------------------------------------------------- */

/** Result of a call: BACKBONE_STATUS_OK, or why it failed. */
typedef int32_t backbone_status;

/** Values of backbone_status. */
enum {
    /** The call succeeded. */
    BACKBONE_STATUS_OK = 0,
    /** An argument is NULL, out of range, or contradicts another or the state of the handle. */
    BACKBONE_STATUS_INVALID_ARGUMENT = 1,
    /** The system refused memory. */
    BACKBONE_STATUS_OUT_OF_MEMORY = 2,
    /** A file or folder does not exist. */
    BACKBONE_STATUS_FILE_NOT_FOUND = 3,
    /** The system refused to open, read or write a file. */
    BACKBONE_STATUS_IO = 4,
    /** A file is damaged, contradicts itself, or is not a supported format. */
    BACKBONE_STATUS_BAD_CHECKPOINT = 5,
    /** An intact checkpoint does not fit the network: shapes differ, no name matches, parameters or running statistics
     * are missing (unless allow_missing), the file's network has modules that this one does not compute (unless
     * ignore_modules), or, if strict, names are unexpected. The report lists the names. */
    BACKBONE_STATUS_MISMATCH = 6,
    /** The network has no parameter or buffer of that name. */
    BACKBONE_STATUS_UNKNOWN_NAME = 7,
    /** backbone_cancel ended the call. */
    BACKBONE_STATUS_CANCELLED = 8,
    /** The object belongs to another network or to an earlier state of this one: since then stages were frozen or
     * unfrozen, or weights changed. An empty tape is stale too. */
    BACKBONE_STATUS_STALE = 9,
    /** Gradients are NaN or infinite, and the call does not allow that. */
    BACKBONE_STATUS_NOT_FINITE = 10
};

/**
 * @param status  Any value, also one that is not a status.
 * @return        A short English text for it, static, never NULL. Any thread.
 */
BACKBONE_API const char *backbone_status_string(backbone_status status);

/**
 * @return Why the last failed call on this thread failed, as one line of UTF-8 text. Never NULL. It is meaningful only
 *         directly after a failure and valid until the next call of this library on the same thread. Always valid UTF-8
 *         below 512 bytes: `?` replaces control characters and bytes of paths and names that are not UTF-8, and long
 *         texts are cut between characters.
 */
BACKBONE_API const char *backbone_last_error_message(void);

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/** Bits of backbone_options.out_stages: the outputs of a forward pass, in the order C1, C2 to C5, pooled, logits. */
enum {
    BACKBONE_STAGE_C2 = 1, /**< layer1, stride 4 (1 in CIFAR's networks, whose stem has stride 1) */
    BACKBONE_STAGE_C3 = 2, /**< layer2, stride 8 (2) */
    BACKBONE_STAGE_C4 = 4, /**< layer3, stride 16 (4) */
    BACKBONE_STAGE_C5 = 8, /**< layer4, stride 32; networks of three stages have none */
    BACKBONE_STAGE_ALL = 15, /**< C2 to C5 */
    BACKBONE_STAGE_C1 = 16, /**< the stem (first convolutions) before its pooling, stride 2 (1): after its norm and
                                 ReLU; in pre-activation networks, whose stem lacks both, its last convolution */
    BACKBONE_STAGE_POOLED = 32, /**< the mean of each channel of the last stage, in pre-activation networks after their
                                     last norm and ReLU; shape (N, C, 1, 1) */
    BACKBONE_STAGE_LOGITS = 64  /**< the classifier applied to the pooled values; shape (N, num_classes, 1, 1) */
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
    /** uint8 inputs alone. float32 inputs are used unchanged: normalise them before the call. */
    BACKBONE_NORMALIZE_UINT8 = 0,
    /** float32 inputs as well, with the same formula in float32: a float32 image and a uint8 image with equal values
     * give the same bits. */
    BACKBONE_NORMALIZE_ALL = 1
};

/** Values of backbone_options.arithmetic. */
enum {
    /** Computes 3x3 convolutions by Winograd's minimal filtering where that is faster. Only rounding differs: relative
     * to the largest value of an output, C1 and C2 may be off by 5e-5, C3 and C4 by 1e-4, and C5, pooled and logits by
     * 3e-4 (docs/benchmarks.md has measured values). */
    BACKBONE_ARITHMETIC_FAST = 0,
    /** Computes every convolution by its definition, term by term. */
    BACKBONE_ARITHMETIC_DIRECT = 1
};

/** Values of backbone_options.style: which convolution of a Bottleneck (depth 50 and above) has the stride. The weights
 * do not record it; the wrong style gives wrong features. */
enum {
    BACKBONE_STYLE_PYTORCH = 0, /**< the 3x3 convolution: torchvision, timm */
    BACKBONE_STYLE_CAFFE = 1    /**< the first 1x1 convolution: weights of He et al. (MSRA), Caffe2, Detectron */
};

/** Values of backbone_options.block. Here and in the choices below, 0 means the architecture's own value. */
enum {
    BACKBONE_BLOCK_BASIC = 1,     /**< two 3x3 convolutions */
    BACKBONE_BLOCK_BOTTLENECK = 2 /**< 1x1, 3x3 and 1x1, four times as wide */
};

/** Values of backbone_options.stem. */
enum {
    BACKBONE_STEM_SINGLE = 1, /**< one convolution of 7x7, stride 2 */
    BACKBONE_STEM_DEEP = 2,   /**< three of 3x3, the first with stride 2; the first two have half the width (ResNet-C,
                                   -D, -S) */
    BACKBONE_STEM_TIERED = 3, /**< the same, but the first has three eighths of the width (ResNet-T) */
    BACKBONE_STEM_SMALL = 4   /**< one of 3x3, stride 1 (CIFAR) */
};

/** Values of backbone_options.stem_pooling. */
enum {
    BACKBONE_STEM_POOLING_MAX = 1,         /**< max pooling of 3x3, stride 2 */
    BACKBONE_STEM_POOLING_CONVOLUTION = 2, /**< a convolution of 3x3, stride 2, with its norm (ResNet-RS) */
    BACKBONE_STEM_POOLING_NONE = 3         /**< nothing (CIFAR) */
};

/** Values of backbone_options.shortcut: what a block that changes the size or the number of channels adds to its
 * branch. */
enum {
    BACKBONE_SHORTCUT_PROJECTION = 1, /**< option B: a convolution of 1x1 with the stride */
    BACKBONE_SHORTCUT_AVERAGE = 2,    /**< average pooling with the stride, then a convolution of 1x1 (ResNet-D) */
    BACKBONE_SHORTCUT_SUBSAMPLE = 3,  /**< option A: every second row and column; zeros for the added channels, half of
                                           them before the others (CIFAR) */
    BACKBONE_SHORTCUT_EVERYWHERE = 4, /**< option C: as B, in every block */
    BACKBONE_SHORTCUT_3X3 = 5,        /**< a convolution of 3x3 with the stride (SENet-154) */
    BACKBONE_SHORTCUT_NONE = 6        /**< no shortcuts: a plain network */
};

/** Values of backbone_options.norm. */
enum {
    BACKBONE_NORM_BATCH = 1, /**< BatchNorm */
    BACKBONE_NORM_GROUP = 2  /**< GroupNorm with 32 groups: no running statistics, the same in training mode; every
                                  number of channels must be a multiple of 32 */
};

/** Values of backbone_options.attention: a gate on the channels at the end of each branch. */
enum {
    BACKBONE_ATTENTION_NONE = 1,       /**< none */
    BACKBONE_ATTENTION_SE = 2,         /**< squeeze and excitation, to a sixteenth of the channels */
    BACKBONE_ATTENTION_SE_QUARTER = 3, /**< to a quarter (ResNet-RS) */
    BACKBONE_ATTENTION_ECA = 4         /**< efficient channel attention */
};

/** Values of backbone_options.anti_aliasing: what has the stride in place of 3x3 convolutions and max pooling. The
 * weights do not record it. */
enum {
    BACKBONE_ANTI_ALIASING_NONE = 1,   /**< none */
    BACKBONE_ANTI_ALIASING_BLUR = 2,   /**< a binomial filter of 3x3 with the stride (timm's resnetblur50) */
    BACKBONE_ANTI_ALIASING_AVERAGE = 3 /**< average pooling of 2x2 with the stride (timm's resnetaa50) */
};

/** Values of backbone_options.dilation_rule: the dilation of the first block of a dilated stage. The weights do not
 * record it. */
enum {
    BACKBONE_DILATION_PREVIOUS = 0, /**< that of the previous stage: torchvision, timm */
    BACKBONE_DILATION_WHOLE = 1     /**< that of the rest of the stage; in BasicBlocks only the first convolution
                                         dilates: mmdetection, detectron2 */
};

/** Initialiser of an array that options.mean may point to: ImageNet, RGB, pixels from 0 to 255. */
#define BACKBONE_IMAGENET_MEAN {123.675f, 116.28f, 103.53f}
/** The same for options.std_dev. */
#define BACKBONE_IMAGENET_STD_DEV {58.395f, 57.12f, 57.375f}

/**
 * What to build. Fill it with backbone_options_init and change what you need. New versions only append fields: a
 * smaller struct_size gives the rest their defaults, and a larger one is accepted if its extra bytes are zero.
 */
typedef struct backbone_options {
    uint32_t struct_size;      /**< sizeof(backbone_options) */
    int32_t depth;             /**< 18, 34, 50, 101 or 152; default 50. 0 if `architecture` names the network */
    int32_t in_channels;       /**< channels of the input, 1 to 4096; default 3 */
    int32_t base_channels;     /**< scales all widths by base_channels / 64; in most networks it is the width of the
                                    stem. 1 to 256; default 64 */
    uint32_t out_stages;       /**< BACKBONE_STAGE_* bits; default C2 to C5. Bits C2 to C5 that the network does not
                                    have are dropped; at least one bit must remain. Stages after the deepest requested
                                    one are not built: they have no parameters and cost nothing. Pooled and logits need
                                    all. */
    int32_t frozen_stages;     /**< as backbone_freeze; default -1 */
    int32_t norm_eval;         /**< 1: every BatchNorm uses its running statistics in training mode too; 0: only those
                                    of frozen stages do; default 0 */
    int32_t zero_init_residual; /**< 1: backbone_init_weights sets the weight of the last norm of each block to 0 (in
                                     pre-activation networks, that of the last convolution); default 0 */
    int32_t threads;           /**< threads that one forward pass may use, including the caller's, up to 1024. Default
                                    0: the CPUs that this process may use when the handle is created, by its affinity
                                    mask and the CPU quota of its control group, rounded up; but no more than the
                                    environment variable BACKBONE_NUM_THREADS says or, where that is not a number,
                                    OMP_NUM_THREADS (the first number of a list). Set-user-ID programs ignore both
                                    variables */
    int32_t channel_order;     /**< BACKBONE_CHANNELS_*, for the inputs that `normalization` names; default as given */
    const float *mean;         /**< in_channels values to subtract from the inputs that `normalization` names, in the
                                    order of the network's channels; NULL: 0 */
    const float *std_dev;      /**< in_channels positive values to divide the differences by; NULL: 1. The command and
                                    backbone.ray use ImageNet's mean and deviation by default */
    int32_t arithmetic;        /**< BACKBONE_ARITHMETIC_*; default fast */
    int32_t style;             /**< BACKBONE_STYLE_*; default pytorch; networks of BasicBlocks and pre-activation
                                    networks ignore it */
    float norm_eps;            /**< added to the variances in every norm, finite and positive; default 1e-5 */
    int32_t reserved;          /**< 0 */
    int32_t normalization;     /**< BACKBONE_NORMALIZE_*; default uint8 */
    int32_t reserved2;         /**< 0 */
    const char *architecture;  /**< name of the network, see backbone_architecture_name; `depth` must then be 0 or
                                    select the same network (50 for "resnet50"). NULL, the default: `depth` selects the
                                    network. "custom": the fields from `block_counts` on describe it, at least
                                    `block_counts` and `block` */
    int32_t num_classes;       /**< classes of the head, up to 1048576; only BACKBONE_STAGE_LOGITS builds a head.
                                    Default 0: those of the file or, without a file, of the architecture (1000; 10 for
                                    CIFAR's) */
    int32_t output_stride;     /**< 8, 16 or 32: stages that would exceed it dilate instead of striding; default 0: as
                                    `dilated_stages` says */
    uint32_t dilated_stages;   /**< BACKBONE_STAGE_C3, C4 and C5 bits: stages that dilate instead of striding
                                    (torchvision's replace_stride_with_dilation); default 0 */
    int32_t dilation_rule;     /**< BACKBONE_DILATION_*; default previous */
    int32_t block_counts[4];   /**< blocks of each stage, 1 to 1000; 0 for the last stages if the network lacks them.
                                    Here and below 0, the default, means the architecture's own value. If these fields
                                    describe another listed network, it gets that name; else it is "custom" */
    int32_t block;             /**< BACKBONE_BLOCK_* */
    int32_t groups;            /**< groups of the 3x3 convolutions of Bottlenecks (cardinality), 1 to 4096 */
    int32_t width_per_group;   /**< channels of each group in a stage of 64 channels, 1 to 4096 (torchvision's name) */
    int32_t stem;              /**< BACKBONE_STEM_* */
    int32_t stem_channels;     /**< output channels of the stem, 1 to 4096 */
    int32_t stem_pooling;      /**< BACKBONE_STEM_POOLING_* */
    int32_t shortcut;          /**< BACKBONE_SHORTCUT_* */
    int32_t norm;              /**< BACKBONE_NORM_* */
    int32_t attention;         /**< BACKBONE_ATTENTION_* */
    int32_t anti_aliasing;     /**< BACKBONE_ANTI_ALIASING_* */
    int32_t preactivation;     /**< 1: norms after convolutions; 2: before them (ResNet v2), which allows shortcut
                                    projection, average or none, stem pooling max or none, and no anti-aliasing */
    int32_t block_width_count; /**< length of `block_widths` */
    const int32_t *block_widths; /**< channels of a network that does not follow the rules (a pruned one). First two
                                      numbers: the channels after the first two convolutions of a deep stem (else 0).
                                      Then four for each block: the channels after its first convolution, after its
                                      second one, of the block, and of its gate's squeeze or the size of its ECA (0
                                      without a gate). In BasicBlocks the second and the third are equal. NULL, the
                                      default: by the rules */
} backbone_options;

/**
 * Writes the defaults. Fails for NULL and for a size below that of the first published struct. Sets the extra bytes of
 * a larger struct to zero.
 *
 * @param options      receives the defaults.
 * @param struct_size  sizeof(backbone_options) in your program.
 */
BACKBONE_API backbone_status backbone_options_init(backbone_options *options, size_t struct_size);

/**
 * Counts the names that `architecture` accepts.
 *
 * @return the number of names.
 */
BACKBONE_API size_t backbone_architecture_count(void);

/**
 * A name that `architecture` accepts: those of torchvision and timm ("resnet50", "resnext50_32x4d", "seresnet50",
 * "resnetv2_50", ...), and those of He et al. 2015 for CIFAR-10 ("resnet20", ...) and for plain networks ("plain34",
 * ...).
 *
 * @param index  below backbone_architecture_count.
 * @return text that is valid as long as the library is loaded; NULL for an index out of range.
 */
BACKBONE_API const char *backbone_architecture_name(size_t index);

/* ---- Creating a network ----------------------------------------------------------------------------------------- */

/** A ResNet, up to the deepest requested output. Its parameters have torchvision's names or, for modules that
 * torchvision lacks (deep stems, gates, pre-activation networks), timm's. */
typedef struct backbone backbone;

/**
 * Builds a network in evaluation mode. Its weights are those of backbone_init_weights with seed 0 until others are
 * written; they use memory only once they are needed.
 *
 * @param options  what to build; NULL for the defaults. Copied, with what its pointers point to.
 * @param out      receives the handle, to be freed with backbone_free; set to NULL on failure.
 */
BACKBONE_API backbone_status backbone_create(const backbone_options *options, backbone **out);

/**
 * Frees a handle and everything that belongs to it; NULL is allowed. No other call on the handle may be in progress.
 */
BACKBONE_API void backbone_free(backbone *net);

/**
 * Writes the current options: `frozen_stages` as last set, `threads` as the number of threads that a forward pass may
 * use (never 0, and not lowered while the system refuses threads), `out_stages` without bits that the network does not
 * have, `dilated_stages` in place of `output_stride` (0), and `mean`, `std_dev` and `block_widths` pointing into the
 * handle (valid until backbone_free).
 *
 * `architecture` is the name of the network, and `depth` 0 if it has no depth of its own. A network without a name is
 * called "custom"; the fields from `block_counts` on then describe it, and are 0 for other networks. backbone_create
 * builds the same network from these options. It refuses `block` -1, which marks a network whose stages have different
 * kinds of blocks: only its file describes it.
 *
 * If `out` is too small for the fields that distinguish the network, this fails with BACKBONE_STATUS_INVALID_ARGUMENT
 * and writes nothing. A network without a depth of its own needs `architecture`. A custom or dilated network needs the
 * whole struct, and so does one whose logits have another number of classes than the architecture's.
 *
 * @param out  receives them; `out->struct_size` must be set before the call.
 */
BACKBONE_API backbone_status backbone_get_options(const backbone *net, backbone_options *out);

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/**
 * Sets all parameters and buffers, including those of frozen stages. Convolutions: normally distributed with mean 0 and
 * standard deviation sqrt(2 / (out_channels * kernel_height * kernel_width)) (Kaiming, fan-out, ReLU; He et al. 2015,
 * arXiv:1502.01852), also those of SE gates. The classifier: deviation sqrt(1 / (3 * in_channels)), as in PyTorch's
 * nn.Linear, or 0.01 in pre-activation networks. ECA: deviation sqrt(1 / (3 * size)). All biases: 0. BatchNorm and
 * GroupNorm: weight 1 (or 0, see zero_init_residual); BatchNorm also running_mean 0, running_var 1 and
 * num_batches_tracked 0. The same seed gives the same weights on every machine, but not those that PyTorch draws for
 * it.
 *
 * @param seed  any number.
 */
BACKBONE_API backbone_status backbone_init_weights(backbone *net, uint64_t seed);

/** The result of a load; see "The load report". */
typedef struct backbone_report backbone_report;

/** Values of backbone_load_options.input_channels: loading a stem for F input channels into a network for N. */
enum {
    BACKBONE_INPUT_CHANNELS_EXACT = 0,  /**< F must be N */
    BACKBONE_INPUT_CHANNELS_SUM = 1,    /**< N is 1: the sum over the file's channels, for gray images */
    BACKBONE_INPUT_CHANNELS_REPEAT = 2, /**< channel c becomes F/N times the file's channel c mod F (timm's rule) */
    BACKBONE_INPUT_CHANNELS_MAP = 3,    /**< channel c becomes the file's channel channel_map[c], zeros for -1;
                                             {2, 1, 0} turns weights for BGR into weights for RGB */
    BACKBONE_INPUT_CHANNELS_FIXED = 4   /**< F must be N; backbone_create_from_file takes N from its options, where
                                             exact takes it from the file */
};

/** Values of backbone_load_options.head: how to load the classifier of a network that gives logits. */
enum {
    BACKBONE_HEAD_EXACT = 0, /**< the file must have one, with as many classes */
    BACKBONE_HEAD_NEW = 1    /**< the network's classifier keeps its values and that of the file, if any, is ignored:
                                  for training on other classes */
};

/** How to load. Fill it with backbone_load_options_init; new versions append fields, as in backbone_options. */
typedef struct backbone_load_options {
    uint32_t struct_size;       /**< sizeof(backbone_load_options) */
    int32_t strict;             /**< 1: names in the file that the network lacks are an error; default 0. Missing names
                                     are an error in both cases, unless allow_missing is 1 */
    const char *key;            /**< the keys that lead to the dict of tensors, joined by dots ("model.state_dict"; ""
                                     for the object itself); NULL, the default: found by the names in the dict */
    const char *prefix;         /**< prefix of the backbone's names ("backbone."; a missing last dot is added; "" for
                                     none); NULL, the default: found by the names */
    int32_t input_channels;     /**< BACKBONE_INPUT_CHANNELS_*; default exact */
    int32_t channel_map_length; /**< must be the network's in_channels for BACKBONE_INPUT_CHANNELS_MAP, else 0 */
    const int32_t *channel_map; /**< that many indices of the file's channels, from 0, or -1; else NULL */
    int32_t allow_missing;      /**< 0: the file must supply every parameter and running statistic of the network. 1:
                                     entries that it lacks keep their values, with `strict` too; default 0 */
    int32_t ignore_modules;     /**< 0: modules in the stem or the blocks of the file's network that this network does
                                     not have (SE, deformable convolutions, a deep stem, ...) are an error. 1: loads the
                                     rest, with a warning; default 0 */
    uint64_t max_stream_bytes;  /**< limit of bytes to read from a path that is not a regular file (a pipe, /dev/stdin);
                                     0, the default: 4 GiB */
    int32_t head;               /**< BACKBONE_HEAD_*, for networks that give logits; default exact */
    int32_t reserved;           /**< 0 */
} backbone_load_options;

/**
 * Writes the defaults, as backbone_options_init does.
 *
 * @param options      receives the defaults.
 * @param struct_size  sizeof(backbone_load_options) in your program.
 */
BACKBONE_API backbone_status backbone_load_options_init(backbone_load_options *options, size_t struct_size);

/**
 * Loads a checkpoint. Its content, not its name, decides the format:
 *
 *   - a .pth of torch.save: the zip archive of PyTorch 1.6 and later, also with deflated members or big-endian numbers;
 *     the pickles of PyTorch 0.1.10 to 1.5; the tar archive of earlier versions
 *   - a pickle of tensors or NumPy arrays, such as the .pkl files of Detectron and Python 2
 *   - a safetensors file
 *   - the index of a checkpoint in shards (model.safetensors.index.json, pytorch_model.bin.index.json), with the shards
 *     in the same folder
 *
 * The path may also name a stream: a pipe, /dev/stdin, a socket or a character device. The library reads it to its end
 * into memory, then loads it like a file; a named pipe waits for its writer. Zero bytes after the end of a checkpoint
 * are ignored.
 *
 * Tensors may be float32, float16, bfloat16 or float64 with any strides, in a dict or OrderedDict. A whole pickled
 * module in place of the dict is read as its state_dict(). Pickles are parsed, never executed; values of unknown
 * classes are skipped.
 *
 * The dict of tensors may be nested under keys (`state_dict`, `model.state_dict`, ...), and names may have a prefix of
 * any depth (`module.`, `backbone.bottom_up.`, ...). Supported names:
 *
 *   - torchvision, mmdetection and timm: conv1.weight, layer1.0.bn1.bias, layer1.0.se.fc1.weight, fc.weight
 *     (mmpretrain's SE: layer1.0.se_layer.conv1.conv.weight)
 *   - timm's pre-activation networks: stem.conv.weight, stages.0.blocks.0.norm1.bias, head.fc.weight
 *   - OpenMMLab's ConvModule: layer1.0.conv1.conv.weight, layer1.0.conv1.bn.bias
 *   - Hugging Face's ResNetModel: encoder.stages.0.layers.0.layer.0.convolution.weight
 *   - detectron2: res2.0.conv1.norm.bias
 *   - maskrcnn-benchmark: stem.conv1.weight, layer1.0.conv1.weight
 *   - Caffe2 and Detectron: res2_0_branch2a_w
 *   - pytorch-cifar: layer2.0.shortcut.0.weight, linear.weight
 *   - networks that call their stem layer0: layer0.0.weight, layer0.conv1.weight
 *   - a numbered nn.Sequential, also RCNN_base and RCNN_top: 0.weight, 4.0.conv1.weight
 *
 * The names determine keys, prefix and spelling. Exactly one dict and prefix must contain a stem and a first stage.
 * Several are an error that lists them (choose one by backbone_load_options), unless they name the same tensors. If
 * none does, as in a file of a few layers, exactly one dict must have names of a ResNet, without a prefix or prefixed
 * with `module.`.
 *
 * The file must supply every parameter and running statistic of the network, whatever values the network has: otherwise
 * the load fails with BACKBONE_STATUS_MISMATCH, unless backbone_load_options.allow_missing is 1. For a network that
 * gives logits it must also supply the classifier, with as many classes, unless backbone_load_options.head is
 * BACKBONE_HEAD_NEW; other networks ignore the file's classifier. num_batches_tracked may be missing. Weights stored in
 * parts are computed from them: pruned ones (weight_orig, weight_mask), weight norm and spectral norm. BatchNorms
 * without statistics get mean 0 and variance 1 - norm_eps, which gives exactly weight * x + bias, if the names are
 * those of Caffe2, or those of detectron2 in a file marked as converted from Caffe.
 *
 * Modules in the stem or the blocks of the file's network that this network lacks would change the features. They fail
 * the load with BACKBONE_STATUS_MISMATCH and a message that names the module, unless ignore_modules is 1. For some of
 * them another network can be built (SE, ECA, GroupNorm, a deep stem); others are never computed (CBAM, deformable
 * convolutions, convolution biases that are not zero, ...).
 *
 * The report warns of values that are NaN, infinite or beyond float32; of negative variances; of heads of segmentation
 * networks, whose backbones are mostly dilated; of another style; of a classifier that BACKBONE_HEAD_NEW ignores; and
 * of `mean` and `std_dev` that do not suit the stem.
 *
 * @param path        the file.
 * @param strict      as in backbone_load_options. With 0 or 1 it is an error if any shape differs (no broadcasting), if
 *                    no name matches, and if names are missing.
 * @param out_report  receives the report, to be freed with backbone_report_free; NULL if not wanted.
 *                    BACKBONE_STATUS_MISMATCH comes with a report too; any other failure sets it to NULL.
 *
 * The library reads and checks the whole file before it changes anything: a failed load leaves the network as it was.
 * The handle's threads share the work; their number does not affect the result.
 */
BACKBONE_API backbone_status backbone_load_weights(backbone *net, const char *path, int32_t strict,
                                                   backbone_report **out_report);

/**
 * Loads a checkpoint as backbone_load_weights does, with options.
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
 * @param data        a whole checkpoint file, aligned in any way. Only read, neither kept nor copied as a whole. NULL
 *                    is allowed for zero bytes, which count as an empty file.
 * @param size        its size in bytes.
 * @param options     NULL for the defaults.
 * @param out_report  as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_load_weights_from_memory(backbone *net, const void *data, size_t size,
                                                               const backbone_load_options *options,
                                                               backbone_report **out_report);

/**
 * Reports the content of a checkpoint without a network: it gives the report of loading the file into the network that
 * its own names and shapes describe. It fails for the same reasons and with the same messages as that load;
 * BACKBONE_STATUS_MISMATCH comes with a report too. Names and shapes that do not describe a ResNet that can be built
 * are BACKBONE_STATUS_BAD_CHECKPOINT. It reads only the values of the stem and of biases, so it cannot warn of others.
 *
 * @param path        the file.
 * @param options     as for backbone_load_weights_with; NULL for the defaults.
 * @param out_report  as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_inspect(const char *path, const backbone_load_options *options,
                                              backbone_report **out_report);

/**
 * Reports the content of a checkpoint in memory, as backbone_inspect does for a file.
 *
 * @param data        as for backbone_load_weights_from_memory.
 * @param size        its size in bytes.
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
 * @param options       as for backbone_create, but the file decides `depth` and `base_channels`, `in_channels` if
 *                      load_options.input_channels is exact, `num_classes` if it is 0, and the architecture if
 *                      `architecture` is NULL or "custom". Set it if the file does not record it, as for anti-aliasing.
 *                      NULL for the defaults.
 * @param load_options  as for backbone_load_weights_with; NULL for the defaults.
 * @param out           receives the handle, to be freed with backbone_free; set to NULL on failure.
 * @param out_report    as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_create_from_file(const char *path, const backbone_options *options,
                                                       const backbone_load_options *load_options, backbone **out,
                                                       backbone_report **out_report);

/**
 * Creates the network that a checkpoint in memory describes, as backbone_create_from_file does with a file.
 *
 * @param data          as for backbone_load_weights_from_memory.
 * @param size          its size in bytes.
 * @param options       as for backbone_create_from_file.
 * @param load_options  as for backbone_load_weights_with.
 * @param out           receives the handle, to be freed with backbone_free; set to NULL on failure.
 * @param out_report    as for backbone_load_weights.
 */
BACKBONE_API backbone_status backbone_create_from_memory(const void *data, size_t size, const backbone_options *options,
                                                         const backbone_load_options *load_options, backbone **out,
                                                         backbone_report **out_report);

/**
 * Writes all parameters and buffers to a file under their PyTorch names (float32; num_batches_tracked int64).
 *
 * @param path  a name that ends in .pth, .pt, .bin or .pth.tar, in upper or lower case, gives a zip .pth as torch.save
 *              writes a state_dict: PyTorch 1.6 and later reads it, with weights_only=True too. Any other name gives a
 *              safetensors file. The same weights give the same bytes. If the path is a symbolic link, the library
 *              writes the file that the link points to.
 *
 * The file appears under its name only when it is complete and synced, and it takes over the permissions of an existing
 * file; a failure leaves an existing file as it was. One failure comes later: if the folder cannot be synced, the new
 * file is in its place, and BACKBONE_STATUS_IO says that a power failure might undo that.
 */
BACKBONE_API backbone_status backbone_save_weights(const backbone *net, const char *path);

/**
 * Writes the weights as backbone_save_weights does, under the names of another project. That project must have a name
 * for every parameter and buffer: detectron2, for example, has none for squeeze and excitation.
 *
 * @param path   as for backbone_save_weights.
 * @param names  the project, as in BACKBONE_REPORT_DIALECT: "torchvision", "timm" (for pre-activation networks),
 *               "convmodule", "huggingface", "detectron2", "maskrcnn_benchmark", "caffe2", "layer0", "sequential" or
 *               "cifar"; NULL for those of backbone_save_weights. A tensor without such a name is
 *               BACKBONE_STATUS_INVALID_ARGUMENT, and nothing is written; num_batches_tracked is left out where the
 *               project does not store it.
 */
BACKBONE_API backbone_status backbone_save_weights_with(const backbone *net, const char *path, const char *names);

/* ---- The load report -------------------------------------------------------------------------------------------- */

/** Classes of names in a report. */
enum {
    BACKBONE_REPORT_LOADED = 0,     /**< in both, and loaded */
    BACKBONE_REPORT_MISSING = 1,    /**< in the network, not in the file */
    BACKBONE_REPORT_UNEXPECTED = 2, /**< in the file, not in the network; includes ignored modules */
    BACKBONE_REPORT_IGNORABLE = 3,  /**< without effect: num_batches_tracked that the file lacks or that is not one
                                         number, statistics that files of its dialect lack, names outside of the prefix,
                                         a classifier that this network does not build or that BACKBONE_HEAD_NEW
                                         ignores, convolution biases that are zero, counters of profilers (total_ops,
                                         total_params), and stages that this network does not build */
    BACKBONE_REPORT_MISMATCHED = 4  /**< in both, with different shapes */
};

/** Properties of a report. */
enum {
    BACKBONE_REPORT_CONTAINER = 0, /**< "zip", "legacy" (0.1.10 to 1.5), "tar", "pickle" or "safetensors" */
    BACKBONE_REPORT_WRAPPER = 1,   /**< keys that lead to the dict of tensors, "model.state_dict"; "" if it is not
                                        nested */
    BACKBONE_REPORT_PREFIX = 2,    /**< "module.", "backbone.bottom_up.", ...; "" without a prefix */
    BACKBONE_REPORT_DIALECT = 3,   /**< the project whose names the file has: "torchvision" (mmdetection, timm), "timm"
                                        (its pre-activation networks), "convmodule" (OpenMMLab), "huggingface",
                                        "detectron2", "maskrcnn_benchmark", "caffe2", "cifar", "layer0", "sequential" or
                                        "paddledetection" */
    BACKBONE_REPORT_DEPTH = 4,     /**< "50", from the file's names; "" if they do not tell, or if the network has no
                                        depth */
    BACKBONE_REPORT_BASE_CHANNELS = 5,  /**< "64": the base_channels of the file's network; "" without a stem */
    BACKBONE_REPORT_INPUT_CHANNELS = 6, /**< "3", of the file's stem; "" without a stem */
    BACKBONE_REPORT_DTYPE = 7,     /**< of the convolutions' weights: "float32", "float16", ..., or "mixed" */
    BACKBONE_REPORT_STYLE = 8,     /**< "pytorch", "caffe", or "" if unknown. The weights do not record it: the library
                                        infers it from names, marks in the file, and the scale of the stem's weights. */
    BACKBONE_REPORT_INPUT_CONVERSION = 9, /**< "sum", "repeat" or "map" if the stem was converted, else "" */
    BACKBONE_REPORT_TENSORS = 10,  /**< "161": number of tensors of known types in the dict, under any names */
    BACKBONE_REPORT_ARCHITECTURE = 11, /**< "resnet50", "wide_resnet50_2", ..., from the file's names and shapes;
                                            "custom" if they describe an unnamed network, "" if they describe none */
    BACKBONE_REPORT_CLASSES = 12,  /**< "1000": classes of the file's head; "" without one */
    BACKBONE_REPORT_ASSUMED = 13,  /**< assumptions about a network made from a file, where neither names nor shapes
                                        decide: "style pytorch, no dilation, no anti-aliasing, activation relu, ...". ""
                                        if the file was loaded into an existing network */
    BACKBONE_REPORT_OPTIMIZER = 14 /**< after backbone_load_training: the parameters that the file has optimizer state
                                        for, and how many lack it: "optimizer state of the 159 trainable parameters, in
                                        the order of the state dict". "" after other loads */
};

/** A name in a report, with its shapes. */
typedef struct backbone_report_entry {
    const char *name;          /**< in the network's spelling; in the file's for names that the network lacks */
    int32_t expected_ndim;     /**< shape in the network, -1 where it has no such name */
    int32_t actual_ndim;       /**< shape in the file, -1 where it has no such name */
    int64_t expected_shape[8]; /**< as many sizes as expected_ndim says */
    int64_t actual_shape[8];   /**< the first 8 sizes if actual_ndim exceeds 8 */
} backbone_report_entry;

/**
 * The number of names in a class (BACKBONE_REPORT_LOADED ...).
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
 * The number of warnings: reasons to doubt that the network computes what was trained.
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
 * Freezes the stem (0), the stem and the first 1..4 stages, or nothing (-1). Each call replaces the setting: a lower
 * number unfreezes. Parameters of a frozen stage are not trainable. Its BatchNorms always use and never update their
 * running statistics, whatever backbone_set_training says. Weights of frozen stages can still be loaded, initialised
 * and written. Numbers above the deepest built stage freeze all stages. The last norm of a pre-activation network is
 * part of its last stage; the classifier is never frozen.
 *
 * @param frozen_stages  -1 to 4.
 */
BACKBONE_API backbone_status backbone_freeze(backbone *net, int32_t frozen_stages);

/**
 * Selects evaluation mode (0, the mode after backbone_create) or training mode (1). In training mode the BatchNorms
 * outside of frozen stages, unless options.norm_eval is set, normalise with the statistics of the batch and update
 * running_mean, running_var (momentum 0.1, unbiased variance) and num_batches_tracked at every forward pass.
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
    BACKBONE_DTYPE_UINT8 = 1,   /**< pixels from 0 to 255; only for inputs */
    BACKBONE_DTYPE_INT64 = 2    /**< counts; only for num_batches_tracked */
};

/** One entry of the state dict: a parameter or a buffer. */
typedef struct backbone_entry_info {
    const char *name;         /**< as in PyTorch: "layer1.0.conv1.weight"; lives until backbone_free */
    int32_t dtype;            /**< FLOAT32, or INT64 for num_batches_tracked */
    int32_t ndim;             /**< 4 for convolutions, 3 for the convolutions of ECA, 2 for the classifier's weight (a
                                   convolution in pre-activation networks), 0 for num_batches_tracked, else 1 */
    int64_t shape[4];         /**< (out, in, height, width) of a convolution, (1, 1, size) in ECA, (out, in) of the
                                   classifier; unused sizes are 1 */
    int32_t is_parameter;     /**< 1 for weights and biases, 0 for buffers (running_mean, running_var, ...) */
    int32_t trainable;        /**< 1 for a parameter outside of the frozen stages that backbone_set_trainable includes
                                   (requires_grad in PyTorch) */
    int32_t batch_statistics; /**< 1 if it belongs to a BatchNorm that currently, by mode and freezing, uses the
                                   statistics of the batch (module.training in PyTorch) */
    int32_t reserved;         /**< 0 */
} backbone_entry_info;

/**
 * The number of entries of the state dict. Entries are in PyTorch's order of registration.
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
 * The index of the entry with that name; BACKBONE_STATUS_UNKNOWN_NAME if the network has no such entry.
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
 * @param size   size of `out` in bytes, exactly that of the entry (4 or 8 bytes for each element).
 */
BACKBONE_API backbone_status backbone_read_entry(const backbone *net, size_t index, void *out, size_t size);

/**
 * Copies `size` bytes at `data` to entry `index`. Frozen entries can be written too.
 *
 * @param index  of the entry, from 0.
 * @param data   the values, in the layout of backbone_read_entry.
 * @param size   their size in bytes, exactly that of the entry.
 */
BACKBONE_API backbone_status backbone_write_entry(backbone *net, size_t index, const void *data, size_t size);

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/**
 * A tensor in the caller's memory: element (n, c, h, w) is at data + n*strides[0] + ... + w*strides[3], counted in
 * elements.
 */
typedef struct backbone_tensor {
    void *data;         /**< the element (0, 0, 0, 0); may be NULL only if the tensor is empty */
    int32_t dtype;      /**< BACKBONE_DTYPE_FLOAT32, for inputs also BACKBONE_DTYPE_UINT8 */
    int32_t reserved;   /**< 0 */
    int64_t shape[4];   /**< N, C, H, W */
    int64_t strides[4]; /**< in elements; (C*H*W, H*W, W, 1) is NCHW, (H*W*C, 1, W*C, C) is NHWC. Strides of an input
                             may be zero or negative. */
} backbone_tensor;

/**
 * The shapes that backbone_forward writes: one row (N, C, H, W) for each output of options.out_stages, in the order C1,
 * C2 to C5, pooled, logits.
 *
 * @param input_shape  N >= 0, C = in_channels, H >= 1, W >= 1. With anti-aliasing H and W must be large enough that
 *                     every pooling leaves a pixel and every blur has two to mirror: for C5 at least 31 with
 *                     BACKBONE_ANTI_ALIASING_AVERAGE, 17 with BACKBONE_ANTI_ALIASING_BLUR. With the former, and in a
 *                     few other networks, branches and shortcuts round odd sizes differently: sizes that do not fit are
 *                     BACKBONE_STATUS_INVALID_ARGUMENT; multiples of 32 always fit.
 * @param out          receives `count` rows of 4 sizes.
 * @param count        the number of bits of `out_stages` in backbone_get_options: the requested outputs that the
 *                     network has.
 */
BACKBONE_API backbone_status backbone_output_shapes(const backbone *net, const int64_t input_shape[4], int64_t *out,
                                                    size_t count);

/**
 * Computes the outputs of a batch of images.
 *
 * @param input    uint8 or float32. From uint8 the library computes (x - mean[c]) / std_dev[c] in float32, with
 *                 channels in options.channel_order. It uses float32 unchanged, unless options.normalization is
 *                 BACKBONE_NORMALIZE_ALL: then it normalises float32 like uint8. Any shape that backbone_output_shapes
 *                 accepts (N = 0 computes nothing), any strides. Only read.
 * @param outputs  `count` float32 tensors in the caller's memory, one for each row of backbone_output_shapes, with its
 *                 shape. Any positive strides with which no two elements share memory: sorted by size, each stride must
 *                 exceed the span of the smaller ones. Memory between the elements is not touched. Outputs must not
 *                 overlap each other or the input. The library does not check this: outputs may be interleaved in one
 *                 block, so addresses alone cannot show it.
 * @param count    as for backbone_output_shapes.
 *
 * In evaluation mode the features of an image have the same bits for every number of threads and in every batch. In
 * training mode a BatchNorm that uses the statistics of the batch needs more than one value per channel (N * H * W of
 * its layer); otherwise the call fails and changes nothing. If memory runs out, the contents of the outputs are
 * undefined; the network stays as it was.
 *
 * A handle keeps the memory for the most recent input shapes, so that repeated shapes allocate nothing. Different sizes
 * can need differently packed copies of the weights. A handle keeps copies of at most 2.5 times the size of its
 * weights, or the copies that one input shape needs if those are larger; it packs dropped copies again when needed.
 *
 * The call succeeds even for an input on a scale that the network does not expect; backbone_warning_count counts the
 * warnings about it.
 */
BACKBONE_API backbone_status backbone_forward(backbone *net, const backbone_tensor *input,
                                              const backbone_tensor *outputs, size_t count);

/**
 * The number of warnings that backbone_forward and backbone_profile have given on this handle: reasons to doubt that
 * the inputs suit the weights. The calls themselves succeed. Each kind of warning is given once:
 *
 *   - float32 pixels, from 0 to 255 or from 0 to 1, while `mean` and `std_dev` are set but apply to uint8 alone
 *     (options.normalization)
 *   - float32 or uint8 inputs that reach the network as pixels from 0 to 255, while the loaded stem (first convolution)
 *     seems to expect inputs of deviation 1
 *   - uint8 inputs while `std_dev` is NULL and the stem does not show that it expects pixels as they are
 *   - float32 inputs around 0 or from 0 to 1, while the loaded stem, or `mean` and `std_dev`, are for pixels
 *   - NaN or infinities in the input or in the features
 *
 * The library samples 256 values of an input and 32 of each feature: an image of one colour shows nothing, and a wrong
 * input may go unnoticed. This call costs no more than reading a number.
 *
 * @param out  receives the number; it never decreases.
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
 * Ends the calls that are in progress on a handle: backbone_forward, backbone_profile, backbone_init_weights, the
 * backbone_load_weights functions, backbone_load_training, backbone_forward_train, backbone_backward,
 * backbone_feature_gradients and backbone_statistics_add, including their waits for a lock. They return
 * BACKBONE_STATUS_CANCELLED soon: within 50 ms for networks and images as detectors use them. The contents of their
 * outputs are then undefined; the network and its running statistics stay as they were. A call that was about to
 * succeed may still succeed.
 *
 * Later calls are not affected, so a cancel before its call ends nothing: repeat it until the call has returned. Calls
 * on other handles are not affected either.
 *
 * Any thread may call this, and so may a signal handler: it takes no lock, allocates nothing, and leaves errno and
 * backbone_last_error_message() unchanged. Like every call, it must return before backbone_free begins: first end the
 * thread that cancels, or clear the handle that a signal handler reads.
 *
 * @return BACKBONE_STATUS_INVALID_ARGUMENT, without a message, for NULL.
 */
BACKBONE_API backbone_status backbone_cancel(backbone *net);

/** One step of a forward pass and its time. */
typedef struct backbone_layer {
    char name[48];            /**< "layer1.0.conv1", "input", "maxpool", "output.C2", "fc"; ends with a zero */
    const char *kernel;       /**< the kernel that computed it, static: "convolutionF32_winograd4_avx2" */
    int64_t input_shape[4];   /**< N, C, H, W */
    int64_t output_shape[4];  /**< N, C, H, W */
    int64_t operations;       /**< arithmetic operations by the definition of a convolution, the classifier or an ECA:
                                   two for each product with a weight; 0 for other layers */
    int64_t bytes;            /**< bytes of activations and packed weights read or written, each counted once */
    int64_t nanoseconds;      /**< its time */
} backbone_layer;

/**
 * Computes the features as backbone_forward does, and reports the time of each layer.
 *
 * @param input      as for backbone_forward.
 * @param outputs    as for backbone_forward.
 * @param count      as for backbone_forward.
 * @param out        receives one row for each layer in the order of computation; NULL to get only their number and
 *                   compute nothing.
 * @param capacity   number of rows in `out`; less than the number of layers is an error.
 * @param out_count  receives the number of layers.
 *
 * The first forward pass with a shape packs weights before the first layer; profile the second one.
 */
BACKBONE_API backbone_status backbone_profile(backbone *net, const backbone_tensor *input,
                                              const backbone_tensor *outputs, size_t count, backbone_layer *out,
                                              size_t capacity, size_t *out_count);

/* ---- Training --------------------------------------------------------------------------------------------------- */

/**
 * The data that a forward pass keeps for the backward pass. A tape belongs to one handle and can be used for any number
 * of passes, one after the other; several tapes on a handle keep several passes. It keeps its memory until
 * backbone_tape_free.
 *
 * A training step:
 *
 *     backbone_set_training(net, 1);
 *     backbone_forward_train(net, tape, &images, features, 4);
 *     ... compute the loss and its gradient for each output ...
 *     backbone_backward(net, tape, output_gradients, 4, NULL, gradients, gradient_count, 0);
 *     backbone_optimizer_step(net, optimizer, gradients, gradient_count, 0.01, 0);
 *
 * Threads: calls with the same tape wait for each other. backbone_forward_train, backbone_backward and
 * backbone_feature_gradients with different tapes run in parallel, also with backbone_forward; only a forward pass that
 * updates running statistics (training mode without options.norm_eval) takes the handle's exclusive lock.
 * backbone_cancel ends them.
 *
 * A tape becomes stale if, after backbone_forward_train, weights of the handle are written or loaded or other stages
 * are frozen: backbone_backward then returns BACKBONE_STATUS_STALE and changes nothing. A tape of another handle is
 * stale too. Tapes can be freed before or after their handle.
 */
typedef struct backbone_tape backbone_tape;

/** Options of backbone_tape_create. */
typedef struct backbone_tape_options {
    uint32_t struct_size;   /**< sizeof(backbone_tape_options) of the caller's header */
    int32_t input_gradient; /**< 1: backbone_backward can compute the gradient of the input, also through frozen stages,
                                 which then compute and keep activations like the rest. 0 (the default): frozen stages
                                 run as in inference and keep nothing. */
    int32_t retain;         /**< 1: several backward passes may follow a forward pass. 0 (the default): the backward
                                 pass reuses the memory of the forward pass and leaves the tape empty. */
    int32_t recompute;      /**< 1: the backward pass computes the activations within each block again instead of
                                 keeping them: less memory for up to one more forward pass. Running statistics are
                                 updated once, and the gradients are the same bits. 0 (the default): they are kept. */
} backbone_tape_options;

/**
 * Sets the defaults.
 *
 * @param options      receives them.
 * @param struct_size  sizeof(backbone_tape_options).
 */
BACKBONE_API backbone_status backbone_tape_options_init(backbone_tape_options *options, size_t struct_size);

/**
 * Creates an empty tape for a handle. Large memory is only allocated by the first pass.
 *
 * @param options  copied; NULL for the defaults.
 * @param out      receives the tape, to be freed with backbone_tape_free; NULL after a failure.
 */
BACKBONE_API backbone_status backbone_tape_create(const backbone *net, const backbone_tape_options *options,
                                                  backbone_tape **out);

/** Frees a tape; NULL is allowed. No call with it may be in progress. */
BACKBONE_API void backbone_tape_free(backbone_tape *tape);

/**
 * The memory that a tape uses.
 *
 * @param out  receives the number of bytes: 0 before the first pass.
 */
BACKBONE_API backbone_status backbone_tape_bytes(const backbone *net, const backbone_tape *tape, size_t *out);

/**
 * Computes the outputs of a batch as backbone_forward does, and fills the tape.
 *
 * @param input    as for backbone_forward, but N >= 1.
 * @param outputs  as for backbone_forward.
 * @param count    as for backbone_forward.
 *
 * In training mode BatchNorms use and update statistics as backbone_set_training describes. In evaluation mode they use
 * the running statistics, and their weights and biases can still be trained. Frozen stages compute as in
 * backbone_forward in evaluation mode. At least one parameter must be trainable, unless the tape has input_gradient.
 *
 * Bits depend on shapes alone, never on threads. The bits of the outputs can differ from those of backbone_forward
 * within the accuracy of the arithmetic. After a failure the tape is empty and the contents of the outputs are
 * undefined; weights and statistics stay as they were.
 */
BACKBONE_API backbone_status backbone_forward_train(backbone *net, backbone_tape *tape, const backbone_tensor *input,
                                                    const backbone_tensor *outputs, size_t count);

/** Flags of backbone_backward. */
enum {
    /** Adds to `gradients` instead of replacing its values. */
    BACKBONE_BACKWARD_ACCUMULATE = 1
};

/**
 * Computes the gradients of the trainable parameters, and on request of the input, from those of the outputs. Uses the
 * tape that backbone_forward_train filled.
 *
 * The definitions are PyTorch's: max pooling passes the gradient to the first maximum of a window, ReLU passes 0 where
 * its result is 0, and NaN and infinities are passed on. Sums over pixels are split by shapes alone: the gradients have
 * the same bits for every number of threads.
 *
 * @param output_gradients  `count` float32 tensors, one for each output of the forward pass, with its shape and any
 *                          strides; a tensor with data NULL stands for zeros. Only read.
 * @param count             the number of outputs.
 * @param input_gradient    a float32 tensor of the input's shape with strides as for outputs. It receives the gradient
 *                          with respect to the values that the network computes with: for inputs that the library
 *                          normalises, the normalised values, with channels in the network's order. NULL if not wanted;
 *                          else the tape needs input_gradient.
 * @param gradients         receives the gradients of all trainable parameters in one vector, laid out as
 *                          backbone_trainable_slot describes; 0 for parameters that do not affect an output with a
 *                          gradient. NULL if not wanted.
 * @param gradient_count    number of floats in `gradients`: that of backbone_trainable_count.
 * @param flags             0 or BACKBONE_BACKWARD_ACCUMULATE.
 *
 * A failure before the computation begins changes nothing. After a cancelled call the gradients are undefined.
 */
BACKBONE_API backbone_status backbone_backward(backbone *net, backbone_tape *tape,
                                               const backbone_tensor *output_gradients, size_t count,
                                               const backbone_tensor *input_gradient, float *gradients,
                                               size_t gradient_count, uint32_t flags);

/**
 * Computes gradients with respect to outputs, such as those of a class's logit with respect to C5, which Grad-CAM
 * needs. Uses the tape that backbone_forward_train filled and leaves it as backbone_backward does. It computes neither
 * the gradients of parameters and input nor anything before the first requested output.
 *
 * @param output_gradients   as for backbone_backward.
 * @param count              the number of outputs.
 * @param feature_gradients  `count` float32 tensors, one for each output, with its shape and strides as for outputs;
 *                           data NULL marks an output whose gradient is not wanted. Each tensor receives the output's
 *                           own gradient from `output_gradients` plus the gradient from later outputs. Outputs before
 *                           which nothing is trained, as in frozen stages, have gradients only on a tape with
 *                           input_gradient. In networks whose blocks begin with norms, a stage's output is that of its
 *                           last block, before the next norm. No two of the tensors may share memory.
 *
 * A failure before the computation begins changes nothing. After a cancelled call the gradients are undefined.
 */
BACKBONE_API backbone_status backbone_feature_gradients(backbone *net, backbone_tape *tape,
                                                        const backbone_tensor *output_gradients, size_t count,
                                                        const backbone_tensor *feature_gradients);

/**
 * The total number of floats of all trainable parameters: the entries whose backbone_entry_info.trainable is 1.
 *
 * @param out  receives the number; 0 if everything is frozen.
 */
BACKBONE_API backbone_status backbone_trainable_count(const backbone *net, size_t *out);

/**
 * The position of an entry's gradient in the vector of all gradients. Its values are in the order of the entry's shape.
 * Trainable entries are in the order of the state dict, without gaps. Freezing other stages moves them, and so does
 * backbone_set_trainable.
 *
 * @param index   of the entry, from 0.
 * @param offset  receives the index of its first float.
 * @param count   receives the number of floats; 0 for an entry that is not trainable.
 */
BACKBONE_API backbone_status backbone_trainable_slot(const backbone *net, size_t index, size_t *offset, size_t *count);

/**
 * Copies all trainable parameters to a vector with the layout of the gradients.
 *
 * @param out    receives the values.
 * @param count  number of floats in `out`: that of backbone_trainable_count.
 */
BACKBONE_API backbone_status backbone_read_trainable(const backbone *net, float *out, size_t count);

/**
 * Copies a vector to all trainable parameters.
 *
 * @param values  with the layout of the gradients.
 * @param count   number of floats in `values`: that of backbone_trainable_count.
 */
BACKBONE_API backbone_status backbone_write_trainable(backbone *net, const float *values, size_t count);

/* ---- Training: parameters in the caller's memory ----------------------------------------------------------------- */

/**
 * Makes the network use parameters in the caller's memory instead of a copy of its own, for programs that already have
 * them in tensors. The values in that memory become the network's. Loading, backbone_init_weights, backbone_write_entry
 * and optimiser steps write to this memory; running statistics stay in the network. Filled tapes become stale.
 *
 * This is the only pointer that a network keeps. The memory must stay valid until another call of this function
 * replaces it or until backbone_free. Neither reads or writes it; only a call with NULL reads it.
 *
 * Write to the memory only while no other call uses the network, and call backbone_parameters_changed afterwards.
 *
 * @param parameters  all parameters, trainable or not, in the order of the state dict, without gaps; aligned to 4
 *                    bytes. backbone_read_trainable fills such memory while nothing is frozen. NULL: copies the values
 *                    back to the network's own memory.
 * @param count       floats of `parameters`; ignored for NULL.
 * @return BACKBONE_STATUS_OUT_OF_MEMORY or BACKBONE_STATUS_INVALID_ARGUMENT on failure, which changes nothing.
 */
BACKBONE_API backbone_status backbone_bind_parameters(backbone *net, float *parameters, size_t count);

/**
 * Reports that the caller has written to bound parameters. Forward passes use new values only after this call; filled
 * tapes become stale.
 *
 * @param entries  the entries of the state dict that have changed, as for backbone_write_entry; NULL: all.
 * @param count    number of `entries`; ignored for NULL.
 */
BACKBONE_API backbone_status backbone_parameters_changed(backbone *net, const size_t *entries, size_t count);

/* ---- Training: what is trained ---------------------------------------------------------------------------------- */

/** Values of backbone_set_trainable: which parameters outside of the frozen stages to train. */
enum {
    BACKBONE_TRAINABLE_ALL = 0,   /**< all of them: the setting after backbone_create */
    BACKBONE_TRAINABLE_NORMS = 1, /**< weights and biases of norms, for adapting to new images (TENT, Wang et al. 2021,
                                       arXiv:2006.10726) */
    BACKBONE_TRAINABLE_HEAD = 2   /**< weight and bias of the classifier (linear probe) */
};

/**
 * Chooses which parameters outside of the frozen stages to train. Each call replaces the setting, as in
 * backbone_freeze. The two settings are independent: a parameter is trainable if both allow it (see
 * backbone_entry_info.trainable). Modes of BatchNorms do not change. A change makes tapes stale, and optimisers until
 * backbone_optimizer_follow.
 *
 * With BACKBONE_TRAINABLE_HEAD, while no BatchNorm uses batch statistics, backbone_forward_train computes everything
 * before the classifier as in inference and keeps none of it.
 *
 * @param which  BACKBONE_TRAINABLE_*. The head needs a network that gives logits: BACKBONE_STATUS_INVALID_ARGUMENT
 *               otherwise.
 */
BACKBONE_API backbone_status backbone_set_trainable(backbone *net, int32_t which);

/* ---- Training: losses ------------------------------------------------------------------------------------------- */

/** The label by which backbone_cross_entropy ignores an image: PyTorch's default ignore_index. */
#define BACKBONE_IGNORED_LABEL (-100)

/**
 * Computes the mean cross entropy of logits and labels, and its gradient: PyTorch's F.cross_entropy with
 * reduction='mean'. With s the label smoothing, K classes, q = (1 - s) * [k is the label] + s / K and M labels that are
 * not ignored:
 *
 *     loss = -1/M * sum over images and classes of q * log_softmax(logits)
 *     gradient = (softmax(logits) - q) / M, 0 for ignored images
 *
 * Computes in double precision on the calling thread; any thread may call it.
 *
 * @param logits           a float32 tensor of shape (N, K, 1, 1) with any strides. Only read.
 * @param labels           N classes from 0 to K - 1, or BACKBONE_IGNORED_LABEL. Any other label is
 *                         BACKBONE_STATUS_INVALID_ARGUMENT, and so is a batch whose labels are all ignored, for which
 *                         PyTorch's loss is NaN.
 * @param count            number of labels: N.
 * @param label_smoothing  from 0 to 1; 0 for none.
 * @param out_loss         receives the loss, which is NaN or infinite if logits are; NULL if not wanted.
 * @param gradient         a float32 tensor with the shape of `logits` and strides as for outputs of backbone_forward.
 *                         It receives the gradient of the loss with respect to the logits, the input of
 *                         backbone_backward. It may share the memory of `logits` if it has the same strides. NULL if
 *                         not wanted.
 */
BACKBONE_API backbone_status backbone_cross_entropy(const backbone_tensor *logits, const int64_t *labels, size_t count,
                                                    double label_smoothing, double *out_loss,
                                                    const backbone_tensor *gradient);

/* ---- Training: optimisers --------------------------------------------------------------------------------------- */

/**
 * Updates the trainable parameters of one handle from their gradients and keeps the state of its rule between steps:
 * one float for each gradient with momentum SGD, two with AdamW.
 *
 * An optimiser becomes stale when other parameters of the handle become trainable (backbone_freeze,
 * backbone_set_trainable): its calls then return BACKBONE_STATUS_STALE and change nothing, until
 * backbone_optimizer_follow. For another handle it is always stale. Writing or loading weights does not make it stale.
 *
 * Threads: calls with the same optimiser wait for each other. Optimisers can be freed before or after their handle.
 */
typedef struct backbone_optimizer backbone_optimizer;

/** Values of backbone_optimizer_options.kind. */
enum {
    /** Stochastic gradient descent as in PyTorch's torch.optim.SGD, with the same bits as its CPU implementation.
     * With g the gradient, p the parameter, b its momentum buffer, wd the weight decay and lr the learning rate:
     * g += wd * p; b = momentum * b + (1 - dampening) * g, in the parameter's first step b = g; with Nesterov momentum
     * g += momentum * b, else g = b; p -= lr * g. */
    BACKBONE_OPTIMIZER_SGD = 0,
    /** Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101) as in PyTorch's
     * torch.optim.AdamW, without amsgrad. In step t of a parameter: p *= 1 - lr * wd; m = beta1 * m + (1 - beta1) * g;
     * v = beta2 * v + (1 - beta2) * g * g; p -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon). */
    BACKBONE_OPTIMIZER_ADAMW = 1
};

/** Bits of backbone_parameter_group.kinds. */
enum {
    BACKBONE_PARAMETERS_WEIGHTS = 1, /**< weights of convolutions and of the classifier */
    BACKBONE_PARAMETERS_NORMS = 2,   /**< weights and biases of norms */
    BACKBONE_PARAMETERS_BIASES = 4   /**< biases of convolutions and of the classifier */
};

/**
 * Parameters with a learning rate or a weight decay of their own. A parameter belongs to the first group that matches
 * both its name and its kind, if any.
 */
typedef struct backbone_parameter_group {
    const char *prefix;          /**< prefix of their names ("layer4.", "fc."); NULL for any name */
    uint32_t kinds;              /**< BACKBONE_PARAMETERS_* bits; 0 for all */
    int32_t reserved;            /**< 0 */
    double learning_rate_factor; /**< multiplies the learning rate of a step; at least 0. A struct filled with zeros has
                                      0 here: set it */
    double weight_decay;         /**< replaces that of the options for its parameters; at least 0 */
} backbone_parameter_group;

/** Options of backbone_optimizer_create. Fill it with backbone_optimizer_options_init; new versions append fields, as
 * in backbone_options. The learning rate is an argument of each step. */
typedef struct backbone_optimizer_options {
    uint32_t struct_size; /**< sizeof(backbone_optimizer_options) of the caller's header */
    int32_t kind;         /**< BACKBONE_OPTIMIZER_* */
    int32_t nesterov;     /**< of SGD: 1 for Nesterov momentum, which needs momentum and no dampening; default 0 */
    int32_t reserved;     /**< 0 */
    double momentum;      /**< of SGD, at least 0; default 0 */
    double dampening;     /**< of SGD; default 0 */
    double beta1;         /**< of AdamW, at least 0 and less than 1; default 0.9 */
    double beta2;         /**< of AdamW, at least 0 and less than 1; default 0.999 */
    double epsilon;       /**< of AdamW, at least 0; default 1e-8 */
    double weight_decay;  /**< for parameters outside of all groups, including norms and biases, at least 0; default 0
                               for SGD and 1e-2 for AdamW */
    const backbone_parameter_group *groups; /**< `group_count` groups; NULL for none */
    size_t group_count;                     /**< default 0 */
} backbone_optimizer_options;

/**
 * Writes PyTorch's defaults for a kind of optimiser.
 *
 * @param options      receives them.
 * @param struct_size  sizeof(backbone_optimizer_options).
 * @param kind         BACKBONE_OPTIMIZER_*.
 */
BACKBONE_API backbone_status backbone_optimizer_options_init(backbone_optimizer_options *options, size_t struct_size,
                                                             int32_t kind);

/**
 * Creates an optimiser for a handle that has at least one trainable parameter.
 *
 * @param options  copied, with its groups and their prefixes; NULL for SGD with its defaults.
 * @param out      receives the optimiser, to be freed with backbone_optimizer_free; NULL after a failure.
 */
BACKBONE_API backbone_status backbone_optimizer_create(const backbone *net, const backbone_optimizer_options *options,
                                                       backbone_optimizer **out);

/** Frees an optimiser; NULL is allowed. No call with it may be in progress. */
BACKBONE_API void backbone_optimizer_free(backbone_optimizer *optimizer);

/** Flags of backbone_optimizer_step. */
enum {
    /** Accepts gradients that are NaN or infinite. Without it they are BACKBONE_STATUS_NOT_FINITE. */
    BACKBONE_STEP_ALLOW_NOT_FINITE = 1
};

/**
 * Updates all trainable parameters: one step of the optimiser. Takes the handle's exclusive lock and uses its threads;
 * their number does not affect the bits. Filled tapes become stale.
 *
 * @param gradients      gradients of all trainable parameters, laid out as backbone_trainable_slot describes. Only
 *                       read.
 * @param count          number of floats in `gradients`: that of backbone_trainable_count.
 * @param learning_rate  at least 0; groups multiply it by their factor.
 * @param flags          0 or BACKBONE_STEP_ALLOW_NOT_FINITE.
 *
 * The message of BACKBONE_STATUS_NOT_FINITE names the first parameter with such a gradient. A failure changes neither
 * the parameters nor the optimiser.
 */
BACKBONE_API backbone_status backbone_optimizer_step(backbone *net, backbone_optimizer *optimizer,
                                                     const float *gradients, size_t count, double learning_rate,
                                                     uint32_t flags);

/**
 * Adapts a stale optimiser to the parameters that are trainable now. Parameters that were trainable before keep their
 * state. The others begin with their next gradient, as a parameter in PyTorch's optimisers does with its first.
 * Parameters that are no longer trainable lose their state.
 */
BACKBONE_API backbone_status backbone_optimizer_follow(const backbone *net, backbone_optimizer *optimizer);

/**
 * Scales a vector of gradients so that its Euclidean norm is at most `max_norm`: by max_norm / (norm + 1e-6), or not at
 * all if that is 1 or more (PyTorch's clip_grad_norm_). Any vector is allowed: the call uses the handle's threads only,
 * and does not lock it. The norm is summed in double precision; its bits do not depend on threads.
 *
 * @param gradients  changed in place; may be NULL if `count` is 0.
 * @param count      number of gradients; 0 is allowed.
 * @param max_norm   at least 0; infinity to only compute the norm.
 * @param out_norm   receives the norm before scaling; NULL if not wanted.
 *
 * As in PyTorch, a norm that is not finite is not an error: an infinite norm turns finite gradients into 0 and infinite
 * ones into NaN; a NaN norm turns all gradients into NaN. backbone_optimizer_step refuses NaN.
 */
BACKBONE_API backbone_status backbone_clip_gradients(const backbone *net, float *gradients, size_t count,
                                                     double max_norm, double *out_norm);

/* ---- Training: files -------------------------------------------------------------------------------------------- */

/**
 * Writes the weights and the state of an optimiser to one file, as
 * torch.save({'state_dict': model.state_dict(), 'optimizer': optimizer.state_dict()}, path) does, for
 * backbone_load_training, backbone_load_weights and PyTorch. In PyTorch, optimizer.load_state_dict needs an optimiser
 * with these groups of the trainable parameters: one for each non-empty group of the options, in their order, then one
 * for the parameters outside of all groups. Within a group parameters are in the order of the state dict.
 *
 * @param path           must end in .pth, .pt, .bin or .pth.tar. An existing file is replaced as by
 *                       backbone_save_weights.
 * @param learning_rate  that of the last step, for the file's 'lr': groups multiply it by their factor.
 */
BACKBONE_API backbone_status backbone_save_training(const backbone *net, const backbone_optimizer *optimizer,
                                                    const char *path, double learning_rate);

/**
 * Loads the weights as backbone_load_weights does and the state of an optimiser from the key 'optimizer' of the same
 * file, written by backbone_save_training or PyTorch. Loads both or changes nothing.
 *
 * The file's optimiser must be of the same kind. It stores parameters by position, without names. The library assigns
 * them in the order of the optimiser's groups or in the order of the state dict, and to the trainable parameters or to
 * all, whichever fits their number and shapes. BACKBONE_REPORT_OPTIMIZER says which it was. A parameter without state
 * begins with its next gradient. The options of `optimizer` stay; those in the file are ignored, and the report warns
 * of differences other than the learning rate. It also warns of NaN and infinities in the state.
 *
 * @param path        a file of torch.save, or a stream of one. A safetensors file, which cannot hold such state, is an
 *                    error.
 * @param out_report  as for backbone_load_weights; NULL if not wanted. Set to NULL if the optimiser's state causes
 *                    BACKBONE_STATUS_MISMATCH.
 */
BACKBONE_API backbone_status backbone_load_training(backbone *net, backbone_optimizer *optimizer, const char *path,
                                                    backbone_report **out_report);

/* ---- Statistics of new images ----------------------------------------------------------------------------------- */

/**
 * Begins to collect the statistics of BatchNorms from images, without gradients: to adapt a network to another kind of
 * images (AdaBN, Li et al. 2016, arXiv:1603.04779), or to get running statistics for the current weights (precise
 * BatchNorm). It affects the BatchNorms outside of frozen stages; without any this is BACKBONE_STATUS_INVALID_ARGUMENT.
 * Statistics collected before are dropped.
 *
 *     backbone_statistics_begin(net);
 *     for (each batch) backbone_statistics_add(net, &images);
 *     backbone_statistics_commit(net);
 */
BACKBONE_API backbone_status backbone_statistics_begin(backbone *net);

/**
 * Adds the statistics of a batch. Computes a forward pass without outputs in which the BatchNorms outside of frozen
 * stages normalise with the statistics of the batch, whatever the mode and options.norm_eval say. Takes the handle's
 * exclusive lock. Changes nothing that other calls use. backbone_cancel ends the call.
 *
 * The result is mean and variance over all values of all batches. Each batch is normalised by its own statistics, so
 * use batches as large and as mixed as in training.
 *
 * @param input  as for backbone_forward_train. As in training mode, each BatchNorm needs more than one value per
 *               channel.
 */
BACKBONE_API backbone_status backbone_statistics_add(backbone *net, const backbone_tensor *input);

/**
 * Replaces running_mean and running_var (unbiased) by the collected values, adds the number of batches to
 * num_batches_tracked, and ends collecting. BatchNorms that are frozen now, or were frozen in every add, keep their
 * statistics. Tapes become stale. Without any images it fails with BACKBONE_STATUS_INVALID_ARGUMENT, and collecting
 * goes on.
 */
BACKBONE_API backbone_status backbone_statistics_commit(backbone *net);

/** Ends collecting and changes nothing; succeeds too if nothing is being collected. */
BACKBONE_API backbone_status backbone_statistics_cancel(backbone *net);

#ifdef __cplusplus
}
#endif

#endif /* BACKBONE_H */
