// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Package backbone is libbackbone for Go: features, logits and gradients of a ResNet, on a CPU, from PyTorch
// checkpoints.
//
// This file is the whole binding: copy it into a folder of your module, with backbone.h beside it (or where CGO_CFLAGS
// says). Nothing is linked: the library is opened by the first call, as the file that Load names, else as the one that
// the environment variable BACKBONE_LIBRARY names, else as libbackbone.so.1 by the system's loader.
//
// Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by Close, or when it is
// collected. Goroutines may share one: forward passes in evaluation mode run side by side, calls that change the
// network take an exclusive lock, and a network that is closed during calls is freed after the last of them. Every
// failure is an *Error with the library's own message.
package backbone

/*
#cgo LDFLAGS: -ldl

#include <dlfcn.h>
#include <stdlib.h>

#include "backbone.h"

// The functions that are used, as the header declares them.
#define BACKBONE_FUNCTIONS(F) \
	F(version_string) F(last_error_message) F(options_init) F(architecture_count) F(architecture_name) F(create) \
	F(free) F(get_options) F(init_weights) F(load_options_init) F(load_weights_with) F(create_from_file) \
	F(save_weights) F(save_weights_with) F(report_to_json) F(report_free) F(freeze) F(set_training) F(get_training) \
	F(output_shapes) F(forward) F(cancel) F(tape_options_init) F(tape_create) F(tape_free) F(tape_bytes) \
	F(forward_train) F(backward) F(feature_gradients) F(trainable_count) F(trainable_slot) F(read_trainable) \
	F(write_trainable) F(set_trainable) F(cross_entropy) F(optimizer_options_init) F(optimizer_create) F(optimizer_free) \
	F(optimizer_step) F(optimizer_follow) F(clip_gradients) F(save_training) F(load_training) F(statistics_begin) \
	F(statistics_add) F(statistics_commit) F(statistics_cancel)

static struct {
#define F(name) __typeof__(backbone_##name) *name;
	BACKBONE_FUNCTIONS(F)
#undef F
} lib;

// Finds the functions; the name of one that is missing, or NULL.
static const char *find_functions(void *library) {
#define F(name) \
	if ((lib.name = (__typeof__(lib.name))dlsym(library, "backbone_" #name)) == NULL) return "backbone_" #name;
	BACKBONE_FUNCTIONS(F)
#undef F
	return NULL;
}

static int32_t abi_version(void *function) { return ((int32_t (*)(void))function)(); }

// Go calls no function pointers of C.
static const char *version_string(void) { return lib.version_string(); }
static const char *last_error_message(void) { return lib.last_error_message(); }
static int32_t options_init(backbone_options *options, size_t size) { return lib.options_init(options, size); }
static size_t architecture_count(void) { return lib.architecture_count(); }
static const char *architecture_name(size_t index) { return lib.architecture_name(index); }
static int32_t create(const backbone_options *options, backbone **out) { return lib.create(options, out); }
static void free_net(backbone *net) { lib.free(net); }
static int32_t get_options(const backbone *net, backbone_options *out) { return lib.get_options(net, out); }
static int32_t init_weights(backbone *net, uint64_t seed) { return lib.init_weights(net, seed); }
static int32_t load_options_init(backbone_load_options *options, size_t size) {
	return lib.load_options_init(options, size);
}
static int32_t load_weights_with(backbone *net, const char *path, const backbone_load_options *options,
                                 backbone_report **out) {
	return lib.load_weights_with(net, path, options, out);
}
static int32_t create_from_file(const char *path, const backbone_options *options, const backbone_load_options *how,
                                backbone **out, backbone_report **out_report) {
	return lib.create_from_file(path, options, how, out, out_report);
}
static int32_t save_weights(const backbone *net, const char *path) { return lib.save_weights(net, path); }
static int32_t save_weights_with(const backbone *net, const char *path, const char *names) {
	return lib.save_weights_with(net, path, names);
}
static int32_t report_to_json(const backbone_report *report, const char **out) {
	return lib.report_to_json(report, out);
}
static void report_free(backbone_report *report) { lib.report_free(report); }
static int32_t freeze(backbone *net, int32_t frozen_stages) { return lib.freeze(net, frozen_stages); }
static int32_t set_training(backbone *net, int32_t training) { return lib.set_training(net, training); }
static int32_t get_training(const backbone *net, int32_t *out) { return lib.get_training(net, out); }
static int32_t output_shapes(const backbone *net, const int64_t *shape, int64_t *out, size_t count) {
	return lib.output_shapes(net, shape, out, count);
}

// Describes the elements of a tensor whose batch, channels, rows and columns are in `shape`.
static backbone_tensor tensor(void *data, int32_t dtype, const int64_t *shape, int nhwc) {
	int64_t n = shape[0], c = shape[1], h = shape[2], w = shape[3];
	backbone_tensor result = {data, dtype, 0, {n, c, h, w}, {c * h * w, h * w, w, 1}};
	if (nhwc) {
		result.strides[0] = h * w * c;
		result.strides[1] = 1;
		result.strides[2] = w * c;
		result.strides[3] = c;
	}
	return result;
}

// Go may pass pointers to its memory, but none to memory that holds such pointers: tensors are made here. With a tape
// it is a forward pass for training.
static int32_t forward(backbone *net, backbone_tape *tape, void *input, int32_t dtype, const int64_t *shape, int nhwc,
                       float *out0, float *out1, float *out2, float *out3, float *out4, float *out5, float *out6,
                       const int64_t *out_shapes, size_t count) {
	float *out[7] = {out0, out1, out2, out3, out4, out5, out6};
	backbone_tensor image = tensor(input, dtype, shape, nhwc), features[7];
	for (size_t i = 0; i < count; i++) features[i] = tensor(out[i], BACKBONE_DTYPE_FLOAT32, out_shapes + 4 * i, 0);
	if (tape != NULL) return lib.forward_train(net, tape, &image, features, count);
	return lib.forward(net, &image, features, count);
}

static int32_t cancel(backbone *net) { return lib.cancel(net); }
static int32_t tape_create(const backbone *net, int32_t input_gradient, int32_t retain, int32_t recompute,
		backbone_tape **out) {
	backbone_tape_options options;
	int32_t status = lib.tape_options_init(&options, sizeof options);
	if (status != BACKBONE_STATUS_OK) return status;
	options.input_gradient = input_gradient;
	options.retain = retain;
	options.recompute = recompute;
	return lib.tape_create(net, &options, out);
}
static void tape_free(backbone_tape *tape) { lib.tape_free(tape); }
static int32_t tape_bytes(const backbone *net, const backbone_tape *tape, size_t *out) {
	return lib.tape_bytes(net, tape, out);
}
static int32_t backward(backbone *net, backbone_tape *tape, float *g0, float *g1, float *g2, float *g3, float *g4,
                        float *g5, float *g6, const int64_t *shapes, size_t count, float *input,
                        const int64_t *input_shape, float *gradients, size_t gradient_count, uint32_t flags) {
	float *given[7] = {g0, g1, g2, g3, g4, g5, g6};
	backbone_tensor outputs[7], of_input = tensor(input, BACKBONE_DTYPE_FLOAT32, input_shape, 0);
	for (size_t i = 0; i < count; i++) outputs[i] = tensor(given[i], BACKBONE_DTYPE_FLOAT32, shapes + 4 * i, 0);
	return lib.backward(net, tape, outputs, count, input == NULL ? NULL : &of_input, gradients, gradient_count, flags);
}
static int32_t feature_gradients(backbone *net, backbone_tape *tape, float *g0, float *g1, float *g2, float *g3,
                                 float *g4, float *g5, float *g6, const int64_t *shapes, size_t count, float *f0,
                                 float *f1, float *f2, float *f3, float *f4, float *f5, float *f6,
                                 const int64_t *feature_shapes) {
	float *given[7] = {g0, g1, g2, g3, g4, g5, g6}, *wanted[7] = {f0, f1, f2, f3, f4, f5, f6};
	backbone_tensor outputs[7], features[7];
	for (size_t i = 0; i < count; i++) {
		outputs[i] = tensor(given[i], BACKBONE_DTYPE_FLOAT32, shapes + 4 * i, 0);
		features[i] = tensor(wanted[i], BACKBONE_DTYPE_FLOAT32, feature_shapes + 4 * i, 0);
	}
	return lib.feature_gradients(net, tape, outputs, count, features);
}
static int32_t trainable_count(const backbone *net, size_t *out) { return lib.trainable_count(net, out); }
static int32_t trainable_slot(const backbone *net, size_t index, size_t *offset, size_t *count) {
	return lib.trainable_slot(net, index, offset, count);
}
static int32_t read_trainable(const backbone *net, float *out, size_t count) {
	return lib.read_trainable(net, out, count);
}
static int32_t write_trainable(backbone *net, const float *values, size_t count) {
	return lib.write_trainable(net, values, count);
}
static int32_t set_trainable(backbone *net, int32_t which) { return lib.set_trainable(net, which); }
static int32_t cross_entropy(float *logits, const int64_t *shape, const int64_t *labels, size_t count,
                             double label_smoothing, double *loss, float *gradient) {
	backbone_tensor input = tensor(logits, BACKBONE_DTYPE_FLOAT32, shape, 0);
	backbone_tensor output = tensor(gradient, BACKBONE_DTYPE_FLOAT32, shape, 0);
	return lib.cross_entropy(&input, labels, count, label_smoothing, loss, &output);
}
static int32_t optimizer_options_init(backbone_optimizer_options *options, size_t size, int32_t kind) {
	return lib.optimizer_options_init(options, size, kind);
}
static int32_t optimizer_create(const backbone *net, const backbone_optimizer_options *options,
                                backbone_optimizer **out) {
	return lib.optimizer_create(net, options, out);
}
static void optimizer_free(backbone_optimizer *optimizer) { lib.optimizer_free(optimizer); }
static int32_t optimizer_step(backbone *net, backbone_optimizer *optimizer, const float *gradients, size_t count,
                              double learning_rate, uint32_t flags) {
	return lib.optimizer_step(net, optimizer, gradients, count, learning_rate, flags);
}
static int32_t optimizer_follow(const backbone *net, backbone_optimizer *optimizer) {
	return lib.optimizer_follow(net, optimizer);
}
static int32_t clip_gradients(const backbone *net, float *gradients, size_t count, double max_norm, double *norm) {
	return lib.clip_gradients(net, gradients, count, max_norm, norm);
}
static int32_t save_training(const backbone *net, const backbone_optimizer *optimizer, const char *path,
                             double learning_rate) {
	return lib.save_training(net, optimizer, path, learning_rate);
}
static int32_t load_training(backbone *net, backbone_optimizer *optimizer, const char *path, backbone_report **out) {
	return lib.load_training(net, optimizer, path, out);
}
static int32_t statistics_begin(backbone *net) { return lib.statistics_begin(net); }
static int32_t statistics_add(backbone *net, void *input, int32_t dtype, const int64_t *shape, int nhwc) {
	backbone_tensor image = tensor(input, dtype, shape, nhwc);
	return lib.statistics_add(net, &image);
}
static int32_t statistics_commit(backbone *net) { return lib.statistics_commit(net); }
static int32_t statistics_cancel(backbone *net) { return lib.statistics_cancel(net); }
*/
import "C"

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Values of Error.Status.
const (
	StatusInvalidArgument = C.BACKBONE_STATUS_INVALID_ARGUMENT
	StatusOutOfMemory     = C.BACKBONE_STATUS_OUT_OF_MEMORY
	StatusFileNotFound    = C.BACKBONE_STATUS_FILE_NOT_FOUND
	StatusIO              = C.BACKBONE_STATUS_IO // also: the library cannot be used
	StatusBadCheckpoint   = C.BACKBONE_STATUS_BAD_CHECKPOINT
	StatusMismatch        = C.BACKBONE_STATUS_MISMATCH
	StatusUnknownName     = C.BACKBONE_STATUS_UNKNOWN_NAME
	StatusCancelled       = C.BACKBONE_STATUS_CANCELLED
	StatusStale           = C.BACKBONE_STATUS_STALE
	StatusNotFinite       = C.BACKBONE_STATUS_NOT_FINITE
)

// Values of Options.OutStages (a sum), ChannelOrder, Normalization, Arithmetic, Style and the fields below them.
const (
	StageC2                = C.BACKBONE_STAGE_C2
	StageC3                = C.BACKBONE_STAGE_C3
	StageC4                = C.BACKBONE_STAGE_C4
	StageC5                = C.BACKBONE_STAGE_C5
	StageAll               = C.BACKBONE_STAGE_ALL // C2 to C5
	StageC1                = C.BACKBONE_STAGE_C1
	StagePooled            = C.BACKBONE_STAGE_POOLED
	StageLogits            = C.BACKBONE_STAGE_LOGITS
	ChannelsAsGiven        = C.BACKBONE_CHANNELS_AS_GIVEN
	ChannelsReversed       = C.BACKBONE_CHANNELS_REVERSED
	NormalizeUint8         = C.BACKBONE_NORMALIZE_UINT8
	NormalizeAll           = C.BACKBONE_NORMALIZE_ALL
	ArithmeticFast         = C.BACKBONE_ARITHMETIC_FAST
	ArithmeticDirect       = C.BACKBONE_ARITHMETIC_DIRECT
	StylePyTorch           = C.BACKBONE_STYLE_PYTORCH
	StyleCaffe             = C.BACKBONE_STYLE_CAFFE
	BlockBasic             = C.BACKBONE_BLOCK_BASIC
	BlockBottleneck        = C.BACKBONE_BLOCK_BOTTLENECK
	StemSingle             = C.BACKBONE_STEM_SINGLE
	StemDeep               = C.BACKBONE_STEM_DEEP
	StemTiered             = C.BACKBONE_STEM_TIERED
	StemSmall              = C.BACKBONE_STEM_SMALL
	StemPoolingMax         = C.BACKBONE_STEM_POOLING_MAX
	StemPoolingConvolution = C.BACKBONE_STEM_POOLING_CONVOLUTION
	StemPoolingNone        = C.BACKBONE_STEM_POOLING_NONE
	ShortcutProjection     = C.BACKBONE_SHORTCUT_PROJECTION
	ShortcutAverage        = C.BACKBONE_SHORTCUT_AVERAGE
	ShortcutSubsample      = C.BACKBONE_SHORTCUT_SUBSAMPLE
	ShortcutEverywhere     = C.BACKBONE_SHORTCUT_EVERYWHERE
	Shortcut3x3            = C.BACKBONE_SHORTCUT_3X3
	ShortcutNone           = C.BACKBONE_SHORTCUT_NONE
	NormBatch              = C.BACKBONE_NORM_BATCH
	NormGroup              = C.BACKBONE_NORM_GROUP
	AttentionNone          = C.BACKBONE_ATTENTION_NONE
	AttentionSE            = C.BACKBONE_ATTENTION_SE
	AttentionSEQuarter     = C.BACKBONE_ATTENTION_SE_QUARTER
	AttentionECA           = C.BACKBONE_ATTENTION_ECA
	AntiAliasingNone       = C.BACKBONE_ANTI_ALIASING_NONE
	AntiAliasingBlur       = C.BACKBONE_ANTI_ALIASING_BLUR
	AntiAliasingAverage    = C.BACKBONE_ANTI_ALIASING_AVERAGE
	DilationPrevious       = C.BACKBONE_DILATION_PREVIOUS
	DilationWhole          = C.BACKBONE_DILATION_WHOLE
)

// Values of LoadOptions.Head.
const (
	HeadExact = C.BACKBONE_HEAD_EXACT
	HeadNew   = C.BACKBONE_HEAD_NEW
)

// Values of SetTrainable, OptimizerOptions.Kind and ParameterGroup.Kinds (a sum), and the label of an image that does
// not count.
const (
	TrainableAll      = C.BACKBONE_TRAINABLE_ALL
	TrainableNorms    = C.BACKBONE_TRAINABLE_NORMS
	TrainableHead     = C.BACKBONE_TRAINABLE_HEAD
	OptimizerSGD      = C.BACKBONE_OPTIMIZER_SGD
	OptimizerAdamW    = C.BACKBONE_OPTIMIZER_ADAMW
	ParametersWeights = C.BACKBONE_PARAMETERS_WEIGHTS
	ParametersNorms   = C.BACKBONE_PARAMETERS_NORMS
	ParametersBiases  = C.BACKBONE_PARAMETERS_BIASES
	IgnoredLabel      = C.BACKBONE_IGNORED_LABEL
)

// ABIVersion is that of the header this package was compiled with.
const ABIVersion = C.BACKBONE_ABI_VERSION

// ImageNetMean and ImageNetStdDev are for Options: RGB, pixels from 0 to 255.
var (
	ImageNetMean   = []float32{123.675, 116.28, 103.53}
	ImageNetStdDev = []float32{58.395, 57.12, 57.375}
)

// Error is a failed call.
type Error struct {
	Status  int    // StatusInvalidArgument and so on
	Message string // one line that names the argument, file or tensor at fault
	Report  string // of a load that was refused because the checkpoint does not fit (StatusMismatch), as JSON
}

func (e *Error) Error() string { return e.Message }

func invalid(format string, values ...any) error {
	return &Error{Status: StatusInvalidArgument, Message: fmt.Sprintf(format, values...)}
}

func unusable(format string, values ...any) error {
	return &Error{Status: StatusIO, Message: fmt.Sprintf(format, values...)}
}

var (
	loadLock   sync.Mutex
	loadedFrom string
)

// Load opens the library, before any other call; "" is how every first call looks for it.
func Load(path string) error {
	loadLock.Lock()
	defer loadLock.Unlock()
	if loadedFrom != "" {
		if path != "" {
			return unusable("libbackbone is loaded already, from %s", loadedFrom)
		}
		return nil
	}
	place := path
	if place == "" {
		place = os.Getenv("BACKBONE_LIBRARY")
	}
	if place == "" {
		place = fmt.Sprintf("libbackbone.so.%d", ABIVersion)
	}
	if err := open(place); err != nil {
		return err
	}
	loadedFrom = place
	return nil
}

func open(place string) error {
	name, err := cString("the library's path", place)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(name))
	runtime.LockOSThread() // dlerror speaks of the last call of the thread
	defer runtime.UnlockOSThread()
	library := C.dlopen(name, C.RTLD_NOW)
	if library == nil {
		return unusable("libbackbone cannot be loaded: %s. It is looked for as the file that Load names, as the one "+
			"that the environment variable BACKBONE_LIBRARY names, and as libbackbone.so.%d by the system's loader.",
			C.GoString(C.dlerror()), ABIVersion)
	}
	// Checked first: another ABI may lack the other functions.
	symbol := C.CString("backbone_abi_version")
	defer C.free(unsafe.Pointer(symbol))
	function := C.dlsym(library, symbol)
	if function == nil {
		return unusable("%s is not libbackbone: it lacks backbone_abi_version", place)
	}
	if found := int(C.abi_version(function)); found != ABIVersion {
		return unusable("%s has ABI version %d; this binding needs %d", place, found, ABIVersion)
	}
	if missing := C.find_functions(library); missing != nil {
		return unusable("%s is not libbackbone: it lacks %s", place, C.GoString(missing))
	}
	return nil
}

// Version is that of the library, "major.minor.patch".
func Version() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return C.GoString(C.version_string()), nil
}

// Architectures returns the names that Options.Architecture accepts: "resnet50", "wide_resnet50_2", ...
func Architectures() ([]string, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	names := make([]string, C.architecture_count())
	for i := range names {
		names[i] = C.GoString(C.architecture_name(C.size_t(i)))
	}
	return names, nil
}

// Makes a call, and an error of its status: the message belongs to the thread of the system that made it.
func check(call func() C.int32_t) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := call(); status != C.BACKBONE_STATUS_OK {
		return &Error{Status: int(status), Message: C.GoString(C.last_error_message())}
	}
	return nil
}

// A C string, to be freed; C would take a zero byte for its end.
func cString(label, text string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, invalid("%s contains a zero byte", label)
	}
	return C.CString(text), nil
}

// Options say what to build. NewOptions has the library's defaults; it refuses the zero value.
type Options struct {
	Depth            int32     // 18, 34, 50, 101 or 152; set it to 0 if Architecture selects the network
	Architecture     string    // name of the network, one of Architectures; "": Depth selects it
	InChannels       int32     // channels of the input
	BaseChannels     int32     // width of the stem
	OutStages        uint32    // what to compute: a sum of StageC2 and so on
	FrozenStages     int32     // as for Freeze
	NormEval         bool      // every BatchNorm uses its running statistics in training mode too
	ZeroInitResidual bool      // InitWeights sets the weight of the last BatchNorm of each block to 0
	Threads          int32     // threads for one forward pass; 0: those that the system allows this process
	ChannelOrder     int32     // ChannelsAsGiven or ChannelsReversed, for the images that Normalization names
	Arithmetic       int32     // ArithmeticFast or ArithmeticDirect
	Style            int32     // StylePyTorch or StyleCaffe
	NormEps          float32   // added to the variances in every norm
	Normalization    int32     // NormalizeUint8 or NormalizeAll: the images that ChannelOrder, Mean and StdDev apply to
	Mean             []float32 // subtracted from those images, a value for each channel; nil: 0
	StdDev           []float32 // what they are then divided by, a value for each channel; nil: 1
	NumClasses       int32     // of the head, which StageLogits builds; 0: those of the file or of the architecture
	OutputStride     int32     // 8, 16 or 32: stages that would stride beyond it dilate; 0: as DilatedStages says
	DilatedStages    uint32    // that dilate instead of striding: a sum of StageC3, StageC4 and StageC5
	DilationRule     int32     // DilationPrevious or DilationWhole
	BlockCounts      [4]int32  // blocks of each stage; here and below 0, the default, is what the architecture has
	Block            int32     // BlockBasic or BlockBottleneck
	Groups           int32     // of the 3x3 convolutions of Bottlenecks
	WidthPerGroup    int32     // of each group in a stage of 64 channels
	Stem             int32     // StemSingle and so on
	StemChannels     int32     // that the stem gives
	StemPooling      int32     // StemPoolingMax and so on
	Shortcut         int32     // ShortcutProjection and so on
	Norm             int32     // NormBatch or NormGroup
	Attention        int32     // AttentionNone and so on
	AntiAliasing     int32     // AntiAliasingNone and so on
	Preactivation    int32     // 1: norms after the convolutions, 2: before them
	BlockWidths      []int32   // channels inside the stem and the blocks (see backbone.h); nil: the architecture's
}

// NewOptions returns the library's defaults: a ResNet-50 for three channels with all features, and nothing frozen.
func NewOptions() (*Options, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	var raw C.backbone_options
	if err := check(func() C.int32_t { return C.options_init(&raw, C.sizeof_backbone_options) }); err != nil {
		return nil, err
	}
	return optionsOf(&raw), nil
}

func optionsOf(raw *C.backbone_options) *Options {
	values := func(pointer *C.float) []float32 {
		if pointer == nil {
			return nil
		}
		return append([]float32(nil), unsafe.Slice((*float32)(pointer), int(raw.in_channels))...)
	}
	options := &Options{
		Depth:            int32(raw.depth),
		Architecture:     C.GoString(raw.architecture), // "" for NULL
		InChannels:       int32(raw.in_channels),
		BaseChannels:     int32(raw.base_channels),
		OutStages:        uint32(raw.out_stages),
		FrozenStages:     int32(raw.frozen_stages),
		NormEval:         raw.norm_eval != 0,
		ZeroInitResidual: raw.zero_init_residual != 0,
		Threads:          int32(raw.threads),
		ChannelOrder:     int32(raw.channel_order),
		Arithmetic:       int32(raw.arithmetic),
		Style:            int32(raw.style),
		NormEps:          float32(raw.norm_eps),
		Normalization:    int32(raw.normalization),
		Mean:             values(raw.mean),
		StdDev:           values(raw.std_dev),
		NumClasses:       int32(raw.num_classes),
		OutputStride:     int32(raw.output_stride),
		DilatedStages:    uint32(raw.dilated_stages),
		DilationRule:     int32(raw.dilation_rule),
		Block:            int32(raw.block),
		Groups:           int32(raw.groups),
		WidthPerGroup:    int32(raw.width_per_group),
		Stem:             int32(raw.stem),
		StemChannels:     int32(raw.stem_channels),
		StemPooling:      int32(raw.stem_pooling),
		Shortcut:         int32(raw.shortcut),
		Norm:             int32(raw.norm),
		Attention:        int32(raw.attention),
		AntiAliasing:     int32(raw.anti_aliasing),
		Preactivation:    int32(raw.preactivation),
	}
	for i, count := range raw.block_counts {
		options.BlockCounts[i] = int32(count)
	}
	if raw.block_widths != nil {
		widths := unsafe.Slice((*int32)(raw.block_widths), int(raw.block_width_count))
		options.BlockWidths = append([]int32(nil), widths...)
	}
	return options
}

func flag(value bool) C.int32_t {
	if value {
		return 1
	}
	return 0
}

// The struct of C, and what frees the memory that it points to. A nil pointer stands for the defaults.
func (o *Options) raw() (*C.backbone_options, func(), error) {
	if o == nil {
		return nil, func() {}, nil
	}
	raw := &C.backbone_options{
		struct_size:        C.sizeof_backbone_options,
		depth:              C.int32_t(o.Depth),
		in_channels:        C.int32_t(o.InChannels),
		base_channels:      C.int32_t(o.BaseChannels),
		out_stages:         C.uint32_t(o.OutStages),
		frozen_stages:      C.int32_t(o.FrozenStages),
		norm_eval:          flag(o.NormEval),
		zero_init_residual: flag(o.ZeroInitResidual),
		threads:            C.int32_t(o.Threads),
		channel_order:      C.int32_t(o.ChannelOrder),
		arithmetic:         C.int32_t(o.Arithmetic),
		style:              C.int32_t(o.Style),
		norm_eps:           C.float(o.NormEps),
		normalization:      C.int32_t(o.Normalization),
		num_classes:        C.int32_t(o.NumClasses),
		output_stride:      C.int32_t(o.OutputStride),
		dilated_stages:     C.uint32_t(o.DilatedStages),
		dilation_rule:      C.int32_t(o.DilationRule),
		block:              C.int32_t(o.Block),
		groups:             C.int32_t(o.Groups),
		width_per_group:    C.int32_t(o.WidthPerGroup),
		stem:               C.int32_t(o.Stem),
		stem_channels:      C.int32_t(o.StemChannels),
		stem_pooling:       C.int32_t(o.StemPooling),
		shortcut:           C.int32_t(o.Shortcut),
		norm:               C.int32_t(o.Norm),
		attention:          C.int32_t(o.Attention),
		anti_aliasing:      C.int32_t(o.AntiAliasing),
		preactivation:      C.int32_t(o.Preactivation),
	}
	for i, count := range o.BlockCounts {
		raw.block_counts[i] = C.int32_t(count)
	}
	free := func() {
		C.free(unsafe.Pointer(raw.mean))
		C.free(unsafe.Pointer(raw.std_dev))
		C.free(unsafe.Pointer(raw.architecture))
		C.free(unsafe.Pointer(raw.block_widths))
	}
	if o.Architecture != "" {
		name, err := cString("architecture", o.Architecture)
		if err != nil {
			return nil, nil, err
		}
		raw.architecture = name
	}
	if len(o.BlockWidths) > 0 {
		raw.block_widths = (*C.int32_t)(C.malloc(C.size_t(len(o.BlockWidths)) * C.sizeof_int32_t))
		raw.block_width_count = C.int32_t(len(o.BlockWidths))
		copy(unsafe.Slice((*int32)(raw.block_widths), len(o.BlockWidths)), o.BlockWidths)
	}
	for _, array := range []struct {
		label  string
		values []float32
		out    **C.float
	}{{"mean", o.Mean, &raw.mean}, {"std_dev", o.StdDev, &raw.std_dev}} {
		if array.values == nil {
			continue
		}
		if len(array.values) != int(o.InChannels) {
			free()
			return nil, nil, invalid("%s has %d values; it must have one for each of in_channels, %d", array.label,
				len(array.values), o.InChannels)
		}
		// One more than needed: C.malloc of nothing may give NULL, which stands for something else.
		*array.out = (*C.float)(C.malloc(C.size_t(len(array.values)+1) * C.sizeof_float))
		copy(unsafe.Slice((*float32)(*array.out), len(array.values)), array.values)
	}
	return raw, free, nil
}

// LoadOptions say how to load a checkpoint; nil or the zero value finds everything by the names in it.
type LoadOptions struct {
	Strict         bool    // names of the file that the network lacks are errors
	Key            *string // the keys that lead to the dict of tensors, joined by dots; nil: found
	Prefix         *string // prefix of the backbone's names; nil: found
	AllowMissing   bool    // weights and running statistics that the file lacks keep their values; else they are errors
	IgnoreModules  bool    // modules of the file that the network does not compute are left out; else they are errors
	MaxStreamBytes uint64  // the most bytes to read from a pipe; 0: 4 GiB
	Head           int32   // HeadExact or HeadNew: how to load the classifier, in a network that gives logits
}

// Calls a function with the options as C structs, and returns the report as JSON.
func loading(o *LoadOptions, call func(*C.backbone_load_options, **C.backbone_report) C.int32_t) (string, error) {
	var raw C.backbone_load_options
	err := check(func() C.int32_t { return C.load_options_init(&raw, C.sizeof_backbone_load_options) })
	if err != nil {
		return "", err
	}
	if o != nil {
		raw.strict = flag(o.Strict)
		raw.allow_missing = flag(o.AllowMissing)
		raw.ignore_modules = flag(o.IgnoreModules)
		raw.max_stream_bytes = C.uint64_t(o.MaxStreamBytes)
		raw.head = C.int32_t(o.Head)
		for _, text := range []struct {
			label string
			value *string
			out   **C.char
		}{{"key", o.Key, &raw.key}, {"prefix", o.Prefix, &raw.prefix}} {
			if text.value == nil {
				continue
			}
			if *text.out, err = cString(text.label, *text.value); err != nil {
				return "", err
			}
			defer C.free(unsafe.Pointer(*text.out))
		}
	}
	return reported(func(report **C.backbone_report) C.int32_t { return call(&raw, report) })
}

// Calls a function that gives a report, and returns that as JSON.
func reported(call func(**C.backbone_report) C.int32_t) (string, error) {
	var report *C.backbone_report
	err := check(func() C.int32_t { return call(&report) })
	if report == nil {
		return "", err
	}
	defer C.report_free(report)
	var text *C.char
	if failure := check(func() C.int32_t { return C.report_to_json(report, &text) }); failure != nil {
		return "", failure
	}
	if failure, ok := err.(*Error); ok {
		failure.Report = C.GoString(text)
		return "", failure
	}
	return C.GoString(text), nil
}

// Image is a batch of images in the caller's memory: what Float32 and Uint8 return.
type Image struct {
	data  unsafe.Pointer
	count int
	dtype C.int32_t
	shape [4]int64
	nhwc  bool
}

// Float32 describes elements that the network uses unchanged, NCHW in memory. The shape is N, C, H, W.
func Float32(elements []float32, shape [4]int64) Image {
	image := Image{count: len(elements), dtype: C.BACKBONE_DTYPE_FLOAT32, shape: shape}
	if len(elements) > 0 {
		image.data = unsafe.Pointer(&elements[0])
	}
	return image
}

// Uint8 describes pixels of which the network computes (x - mean) / std_dev, NHWC in memory. The shape is N, C, H, W
// all the same.
func Uint8(elements []byte, shape [4]int64) Image {
	image := Image{count: len(elements), dtype: C.BACKBONE_DTYPE_UINT8, shape: shape, nhwc: true}
	if len(elements) > 0 {
		image.data = unsafe.Pointer(&elements[0])
	}
	return image
}

// NCHW says that the elements are in memory by planes of a channel, as in PyTorch's tensors.
func (i Image) NCHW() Image { i.nhwc = false; return i }

// NHWC says that the elements are in memory by pixels, as image decoders write them.
func (i Image) NHWC() Image { i.nhwc = true; return i }

// Feature is one output for a batch, or its gradient, NCHW in memory. Pooled and logits are of shape N, C, 1, 1.
type Feature struct {
	Data  []float32
	Shape [4]int64 // N, C, H, W
}

// The product of a shape; the largest int64 where it is larger.
func elements(shape [4]int64) int64 {
	product := uint64(1)
	for _, size := range shape {
		high, low := bits.Mul64(product, uint64(size))
		if high != 0 || low > math.MaxInt64 {
			return math.MaxInt64
		}
		product = low
	}
	return int64(product)
}

func checkCount(label string, count int, shape [4]int64) error {
	if int64(count) == elements(shape) {
		return nil
	}
	return invalid("%s has %d elements; shape (%d, %d, %d, %d) needs %d", label, count, shape[0], shape[1], shape[2],
		shape[3], elements(shape))
}

// What the library gave, to be freed when it is closed and the last call has left it.
type owned struct {
	lock   sync.Mutex
	name   string
	free   func() // which must not know the owner: a circle is not collected
	calls  int    // that are in progress
	closed bool
}

func (o *owned) close() error {
	o.lock.Lock()
	defer o.lock.Unlock()
	if !o.closed {
		o.closed = true
		if o.calls == 0 {
			o.free()
		}
	}
	return nil
}

// Runs a call, during which what it uses stays alive.
func (o *owned) during(body func() error) error {
	o.lock.Lock()
	if o.closed {
		o.lock.Unlock()
		return invalid("this %s is closed", o.name)
	}
	o.calls++
	o.lock.Unlock()
	defer func() {
		o.lock.Lock()
		defer o.lock.Unlock()
		o.calls--
		if o.closed && o.calls == 0 {
			o.free()
		}
	}() // which uses o: it is not collected before
	return body()
}

// ResNet is a ResNet, in evaluation mode until SetTraining.
type ResNet struct {
	owned
	net     *C.backbone
	outputs int
}

// A network of fewer stages gives fewer of the requested outputs: their number is that of its own options.
func own(net *C.backbone) (*ResNet, error) {
	n := &ResNet{net: net, owned: owned{name: "ResNet", free: func() { C.free_net(net) }}}
	runtime.SetFinalizer(n, (*ResNet).Close)
	options, err := n.Options()
	if err != nil {
		n.Close()
		return nil, err
	}
	n.outputs = bits.OnesCount32(options.OutStages)
	return n, nil
}

// New makes a network with random weights, those of InitWeights(0). nil stands for NewOptions.
func New(options *Options) (*ResNet, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	raw, free, err := options.raw()
	if err != nil {
		return nil, err
	}
	defer free()
	var net *C.backbone
	if err := check(func() C.int32_t { return C.create(raw, &net) }); err != nil {
		return nil, err
	}
	return own(net)
}

// FromFile makes the network that a checkpoint describes, with its weights, and returns the report of the load as JSON.
// The file determines BaseChannels, InChannels and the architecture, unless the options name one.
func FromFile(path string, options *Options, loadOptions *LoadOptions) (*ResNet, string, error) {
	if err := Load(""); err != nil {
		return nil, "", err
	}
	raw, free, err := options.raw()
	if err != nil {
		return nil, "", err
	}
	defer free()
	file, err := cString("path", path)
	if err != nil {
		return nil, "", err
	}
	defer C.free(unsafe.Pointer(file))
	var net *C.backbone
	report, err := loading(loadOptions, func(how *C.backbone_load_options, out **C.backbone_report) C.int32_t {
		return C.create_from_file(file, raw, how, &net, out)
	})
	if err != nil {
		if net != nil {
			C.free_net(net)
		}
		return nil, "", err
	}
	made, err := own(net)
	return made, report, err
}

// Close frees the network, after the last call that is in progress. It may be called again; every other method then
// fails.
func (n *ResNet) Close() error {
	runtime.SetFinalizer(n, nil)
	return n.close()
}

// Runs a call on the network, which stays alive for its time.
func (n *ResNet) use(body func(net *C.backbone) error) error {
	return n.during(func() error { return body(n.net) })
}

// InitWeights draws new weights, which are the same for the same seed.
func (n *ResNet) InitWeights(seed uint64) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.init_weights(net, C.uint64_t(seed)) })
	})
}

// LoadWeights loads a .pth, a pickle of arrays or a safetensors file, and returns the load report as JSON.
// A failed load changes nothing; the error for a file that does not fit has the report.
func (n *ResNet) LoadWeights(path string, options *LoadOptions) (report string, err error) {
	err = n.use(func(net *C.backbone) error {
		file, err := cString("path", path)
		if err != nil {
			return err
		}
		defer C.free(unsafe.Pointer(file))
		report, err = loading(options, func(how *C.backbone_load_options, out **C.backbone_report) C.int32_t {
			return C.load_weights_with(net, file, how, out)
		})
		return err
	})
	return report, err
}

// SaveWeights writes the weights, as a .pth or as safetensors, by the suffix of the path.
func (n *ResNet) SaveWeights(path string) error {
	return n.use(func(net *C.backbone) error {
		file, err := cString("path", path)
		if err != nil {
			return err
		}
		defer C.free(unsafe.Pointer(file))
		return check(func() C.int32_t { return C.save_weights(net, file) })
	})
}

// SaveWeightsWith writes the weights under the names of another project ("detectron2", ...; see backbone.h).
func (n *ResNet) SaveWeightsWith(path, names string) error {
	return n.use(func(net *C.backbone) error {
		file, err := cString("path", path)
		if err != nil {
			return err
		}
		defer C.free(unsafe.Pointer(file))
		whose, err := cString("names", names)
		if err != nil {
			return err
		}
		defer C.free(unsafe.Pointer(whose))
		return check(func() C.int32_t { return C.save_weights_with(net, file, whose) })
	})
}

// Freeze freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1).
func (n *ResNet) Freeze(frozenStages int32) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.freeze(net, C.int32_t(frozenStages)) })
	})
}

// SetTraining enters or leaves training mode.
func (n *ResNet) SetTraining(training bool) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.set_training(net, flag(training)) })
	})
}

// Training says whether the network is in training mode.
func (n *ResNet) Training() (bool, error) {
	var value C.int32_t
	err := n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.get_training(net, &value) })
	})
	return value != 0, err
}

// Options returns the current options of the network, with the number of threads in use. Architecture is always set; it
// is "custom", and Depth 0, for a network that only its file describes.
func (n *ResNet) Options() (options *Options, err error) {
	err = n.use(func(net *C.backbone) error {
		raw := C.backbone_options{struct_size: C.sizeof_backbone_options}
		if err := check(func() C.int32_t { return C.get_options(net, &raw) }); err != nil {
			return err
		}
		options = optionsOf(&raw)
		return nil
	})
	return options, err
}

// OutputShapes are the shapes N, C, H, W of the outputs for images of a shape N, C, H, W: C1, C2 to C5, pooled, logits,
// as far as they were requested.
func (n *ResNet) OutputShapes(input [4]int64) (shapes [][4]int64, err error) {
	err = n.use(func(net *C.backbone) error {
		shapes, err = n.outputShapes(net, input)
		return err
	})
	return shapes, err
}

func (n *ResNet) outputShapes(net *C.backbone, input [4]int64) ([][4]int64, error) {
	shapes := make([][4]int64, n.outputs)
	return shapes, check(func() C.int32_t {
		in, out := (*C.int64_t)(&input[0]), (*C.int64_t)(&shapes[0][0])
		return C.output_shapes(net, in, out, C.size_t(n.outputs))
	})
}

// Forward computes the outputs for a batch of images, in the order of OutputShapes.
func (n *ResNet) Forward(image Image) ([]Feature, error) { return n.features(nil, image) }

func (n *ResNet) features(tape *C.backbone_tape, image Image) (features []Feature, err error) {
	err = n.use(func(net *C.backbone) error {
		shapes, err := n.outputShapes(net, image.shape)
		if err != nil {
			return err
		}
		// Before memory is spent on an image that is wrong.
		if err := checkCount("the input", image.count, image.shape); err != nil {
			return err
		}
		out := make([][]float32, len(shapes))
		for i, shape := range shapes {
			out[i] = make([]float32, elements(shape))
			features = append(features, Feature{out[i], shape})
		}
		return forward(net, tape, image, shapes, out)
	})
	if err != nil {
		return nil, err
	}
	return features, nil
}

// ForwardInto computes the outputs into the caller's memory: a slice for each of OutputShapes, NCHW.
func (n *ResNet) ForwardInto(image Image, out [][]float32) error { return n.into(nil, image, out) }

func (n *ResNet) into(tape *C.backbone_tape, image Image, out [][]float32) error {
	return n.use(func(net *C.backbone) error {
		shapes, err := n.outputShapes(net, image.shape)
		if err != nil {
			return err
		}
		return forward(net, tape, image, shapes, out)
	})
}

func forward(net *C.backbone, tape *C.backbone_tape, image Image, shapes [][4]int64, out [][]float32) error {
	if err := checkCount("the input", image.count, image.shape); err != nil {
		return err
	}
	if len(out) != len(shapes) {
		return invalid("out has %d buffers; this network gives %d", len(out), len(shapes))
	}
	var pointers [7]*C.float
	for i, shape := range shapes {
		if err := checkCount(fmt.Sprintf("out[%d]", i), len(out[i]), shape); err != nil {
			return err
		}
		pointers[i] = floats(out[i])
	}
	nhwc := C.int(flag(image.nhwc))
	return check(func() C.int32_t {
		return C.forward(net, tape, image.data, image.dtype, (*C.int64_t)(&image.shape[0]), nhwc, pointers[0],
			pointers[1], pointers[2], pointers[3], pointers[4], pointers[5], pointers[6],
			(*C.int64_t)(&shapes[0][0]), C.size_t(len(shapes)))
	})
}

// Where the elements are, NULL for none.
func floats(values []float32) *C.float {
	if len(values) == 0 {
		return nil
	}
	return (*C.float)(&values[0])
}

// Cancel ends the calls in progress in other goroutines: they return an error of StatusCancelled, and the network is
// unchanged. Later calls are not affected.
func (n *ResNet) Cancel() error {
	return n.use(func(net *C.backbone) error {
		C.cancel(net)
		return nil
	})
}

// Tape is the data that a forward pass keeps for the backward pass. It may be closed before or after its network, and
// is closed when it is collected.
type Tape struct {
	owned
	tape *C.backbone_tape
}

// TapeOptions are those of NewTape; nil stands for none of them.
type TapeOptions struct {
	InputGradient bool // Backward can compute the gradient of the input, also through frozen stages
	Retain        bool // several backward passes can follow a forward pass
	Recompute     bool // the backward pass recomputes activations within blocks instead of keeping them
}

// NewTape makes an empty tape for this network.
func (n *ResNet) NewTape(options *TapeOptions) (tape *Tape, err error) {
	if options == nil {
		options = &TapeOptions{}
	}
	err = n.use(func(net *C.backbone) error {
		var raw *C.backbone_tape
		err := check(func() C.int32_t {
			return C.tape_create(net, flag(options.InputGradient), flag(options.Retain), flag(options.Recompute), &raw)
		})
		if err == nil {
			tape = &Tape{tape: raw, owned: owned{name: "Tape", free: func() { C.tape_free(raw) }}}
			runtime.SetFinalizer(tape, (*Tape).Close)
		}
		return err
	})
	return tape, err
}

// Close frees the tape, after the last call that is in progress. It may be called again.
func (t *Tape) Close() error {
	runtime.SetFinalizer(t, nil)
	return t.close()
}

// TapeBytes is the memory that a tape uses, in bytes.
func (n *ResNet) TapeBytes(tape *Tape) (int, error) {
	var bytes C.size_t
	err := n.use(func(net *C.backbone) error {
		return tape.during(func() error {
			return check(func() C.int32_t { return C.tape_bytes(net, tape.tape, &bytes) })
		})
	})
	return int(bytes), err
}

// ForwardTrain computes the outputs as Forward does, and fills the tape for Backward.
func (n *ResNet) ForwardTrain(tape *Tape, image Image) (features []Feature, err error) {
	err = tape.during(func() error {
		features, err = n.features(tape.tape, image)
		return err
	})
	return features, err
}

// ForwardTrainInto is ForwardTrain into the caller's memory, as ForwardInto.
func (n *ResNet) ForwardTrainInto(tape *Tape, image Image, out [][]float32) error {
	return tape.during(func() error { return n.into(tape.tape, image, out) })
}

// Backward computes the gradients of the trainable parameters from those of the outputs, where nil stands for zeros.
//
// inputGradient, of the shape of the images, receives the gradient for them, which the tape's options must allow; nil
// if it is not wanted. gradients has TrainableCount elements; nil if they are not wanted. accumulate adds to the
// existing values.
func (n *ResNet) Backward(tape *Tape, outputGradients []*Feature, inputGradient *Feature, gradients []float32,
	accumulate bool) error {
	pointers, shapes, err := n.gradients("output_gradients", outputGradients)
	if err != nil {
		return err
	}
	var input *C.float
	var inputShape [4]int64
	if inputGradient != nil {
		if err := checkCount("input_gradient", len(inputGradient.Data), inputGradient.Shape); err != nil {
			return err
		}
		input, inputShape = floats(inputGradient.Data), inputGradient.Shape
	}
	var flags C.uint32_t
	if accumulate {
		flags = C.BACKBONE_BACKWARD_ACCUMULATE
	}
	return n.use(func(net *C.backbone) error {
		return tape.during(func() error {
			return check(func() C.int32_t {
				return C.backward(net, tape.tape, pointers[0], pointers[1], pointers[2], pointers[3], pointers[4],
					pointers[5], pointers[6], (*C.int64_t)(&shapes[0][0]), C.size_t(len(outputGradients)), input,
					(*C.int64_t)(&inputShape[0]), floats(gradients), C.size_t(len(gradients)), flags)
			})
		})
	})
}

// FeatureGradients computes the gradients with respect to outputs, such as those of a class's logit with respect to C5,
// from those of the outputs, where nil stands for zeros.
//
// featureGradients has as many, of the shapes of the outputs, which receive them; nil where they are not wanted. No two
// may share memory. Outputs of frozen stages have gradients only on a tape with InputGradient.
func (n *ResNet) FeatureGradients(tape *Tape, outputGradients, featureGradients []*Feature) error {
	given, shapes, err := n.gradients("output_gradients", outputGradients)
	if err != nil {
		return err
	}
	wanted, wantedShapes, err := n.gradients("feature_gradients", featureGradients)
	if err != nil {
		return err
	}
	if len(outputGradients) != len(featureGradients) {
		return invalid("%d feature_gradients for %d output_gradients; pass one for each", len(featureGradients),
			len(outputGradients))
	}
	return n.use(func(net *C.backbone) error {
		return tape.during(func() error {
			return check(func() C.int32_t {
				return C.feature_gradients(net, tape.tape, given[0], given[1], given[2], given[3], given[4], given[5],
					given[6], (*C.int64_t)(&shapes[0][0]), C.size_t(len(outputGradients)), wanted[0], wanted[1],
					wanted[2], wanted[3], wanted[4], wanted[5], wanted[6], (*C.int64_t)(&wantedShapes[0][0]))
			})
		})
	})
}

// The arguments of the C functions for a gradient of each output, nil if it has none.
func (n *ResNet) gradients(label string, gradients []*Feature) (pointers [7]*C.float, shapes [7][4]int64, err error) {
	if len(gradients) > len(pointers) {
		return pointers, shapes, invalid("%s has %d gradients; this network gives %d outputs", label, len(gradients),
			n.outputs)
	}
	for i, gradient := range gradients {
		if gradient == nil {
			continue
		}
		err := checkCount(fmt.Sprintf("%s[%d]", label, i), len(gradient.Data), gradient.Shape)
		if err != nil {
			return pointers, shapes, err
		}
		pointers[i], shapes[i] = floats(gradient.Data), gradient.Shape
	}
	return pointers, shapes, nil
}

// SetTrainable chooses which parameters outside of the frozen stages are trained: TrainableAll and so on.
func (n *ResNet) SetTrainable(which int32) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.set_trainable(net, C.int32_t(which)) })
	})
}

// TrainableCount is how many floats all trainable parameters together have.
func (n *ResNet) TrainableCount() (int, error) {
	var count C.size_t
	err := n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.trainable_count(net, &count) })
	})
	return int(count), err
}

// TrainableSlot is where the gradient of an entry of the state dict is among all gradients; count is 0 for one that is
// not trainable.
func (n *ResNet) TrainableSlot(index int) (offset, count int, err error) {
	var first, size C.size_t
	err = n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.trainable_slot(net, C.size_t(index), &first, &size) })
	})
	return int(first), int(size), err
}

// ReadTrainable copies all trainable parameters to a slice of TrainableCount elements.
func (n *ResNet) ReadTrainable(out []float32) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.read_trainable(net, floats(out), C.size_t(len(out))) })
	})
}

// WriteTrainable copies a slice to all trainable parameters.
func (n *ResNet) WriteTrainable(values []float32) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.write_trainable(net, floats(values), C.size_t(len(values))) })
	})
}

// ClipGradients scales gradients so that their Euclidean norm is at most maxNorm, and returns the norm before.
func (n *ResNet) ClipGradients(gradients []float32, maxNorm float64) (float64, error) {
	var norm C.double
	err := n.use(func(net *C.backbone) error {
		return check(func() C.int32_t {
			return C.clip_gradients(net, floats(gradients), C.size_t(len(gradients)), C.double(maxNorm), &norm)
		})
	})
	return float64(norm), err
}

// CrossEntropy is the mean cross entropy of logits N, K, 1, 1 and N labels, and its gradient with respect to the
// logits. Images with the label IgnoredLabel are ignored.
func CrossEntropy(logits Feature, labels []int64, labelSmoothing float64) (float64, *Feature, error) {
	if err := Load(""); err != nil {
		return 0, nil, err
	}
	if err := checkCount("logits", len(logits.Data), logits.Shape); err != nil {
		return 0, nil, err
	}
	gradient := &Feature{make([]float32, len(logits.Data)), logits.Shape}
	var loss C.double
	var first *C.int64_t
	if len(labels) > 0 {
		first = (*C.int64_t)(&labels[0])
	}
	err := check(func() C.int32_t {
		return C.cross_entropy(floats(logits.Data), (*C.int64_t)(&gradient.Shape[0]), first, C.size_t(len(labels)),
			C.double(labelSmoothing), &loss, floats(gradient.Data))
	})
	if err != nil {
		return 0, nil, err
	}
	return float64(loss), gradient, nil
}

// ParameterGroup is parameters with a learning rate or a weight decay of their own. A parameter belongs to the first
// group that matches it.
type ParameterGroup struct {
	Prefix             string  // prefix of their names; "": any name
	Kinds              uint32  // a sum of ParametersWeights and so on; 0: all
	LearningRateFactor float64 // multiplies the learning rate of a step: mind that the zero value freezes
	WeightDecay        float64 // in place of the options'
}

// OptimizerOptions are the fields of backbone_optimizer_options; NewOptimizerOptions has PyTorch's defaults.
type OptimizerOptions struct {
	Kind        int32   // OptimizerSGD or OptimizerAdamW
	Nesterov    bool    // of SGD
	Momentum    float64 // of SGD
	Dampening   float64 // of SGD
	Beta1       float64 // of AdamW
	Beta2       float64 // of AdamW
	Epsilon     float64 // of AdamW
	WeightDecay float64 // for parameters outside of all groups
	Groups      []ParameterGroup
}

// NewOptimizerOptions returns the defaults of OptimizerSGD or OptimizerAdamW.
func NewOptimizerOptions(kind int32) (*OptimizerOptions, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	var raw C.backbone_optimizer_options
	err := check(func() C.int32_t {
		return C.optimizer_options_init(&raw, C.sizeof_backbone_optimizer_options, C.int32_t(kind))
	})
	if err != nil {
		return nil, err
	}
	return &OptimizerOptions{
		Kind:        int32(raw.kind),
		Nesterov:    raw.nesterov != 0,
		Momentum:    float64(raw.momentum),
		Dampening:   float64(raw.dampening),
		Beta1:       float64(raw.beta1),
		Beta2:       float64(raw.beta2),
		Epsilon:     float64(raw.epsilon),
		WeightDecay: float64(raw.weight_decay),
	}, nil
}

// Optimizer is SGD or AdamW with its state. It may be closed before or after its network, and is closed when it is
// collected.
type Optimizer struct {
	owned
	optimizer *C.backbone_optimizer
}

// NewOptimizer makes a new optimiser for the parameters that are trainable now.
func (n *ResNet) NewOptimizer(o *OptimizerOptions) (optimizer *Optimizer, err error) {
	raw := C.backbone_optimizer_options{
		struct_size:  C.sizeof_backbone_optimizer_options,
		kind:         C.int32_t(o.Kind),
		nesterov:     flag(o.Nesterov),
		momentum:     C.double(o.Momentum),
		dampening:    C.double(o.Dampening),
		beta1:        C.double(o.Beta1),
		beta2:        C.double(o.Beta2),
		epsilon:      C.double(o.Epsilon),
		weight_decay: C.double(o.WeightDecay),
		group_count:  C.size_t(len(o.Groups)),
	}
	if len(o.Groups) > 0 {
		raw.groups = (*C.backbone_parameter_group)(C.calloc(raw.group_count, C.sizeof_backbone_parameter_group))
		defer C.free(unsafe.Pointer(raw.groups))
		for i, group := range o.Groups {
			to := &unsafe.Slice(raw.groups, len(o.Groups))[i]
			to.kinds = C.uint32_t(group.Kinds)
			to.learning_rate_factor = C.double(group.LearningRateFactor)
			to.weight_decay = C.double(group.WeightDecay)
			if to.prefix, err = cString("prefix", group.Prefix); err != nil {
				return nil, err
			}
			defer C.free(unsafe.Pointer(to.prefix))
		}
	}
	err = n.use(func(net *C.backbone) error {
		var made *C.backbone_optimizer
		err := check(func() C.int32_t { return C.optimizer_create(net, &raw, &made) })
		if err == nil {
			free := func() { C.optimizer_free(made) }
			optimizer = &Optimizer{optimizer: made, owned: owned{name: "Optimizer", free: free}}
			runtime.SetFinalizer(optimizer, (*Optimizer).Close)
		}
		return err
	})
	return optimizer, err
}

// Close frees the optimiser, after the last call that is in progress. It may be called again.
func (o *Optimizer) Close() error {
	runtime.SetFinalizer(o, nil)
	return o.close()
}

// Runs a call on the network and an optimiser.
func (n *ResNet) with(o *Optimizer, call func(*C.backbone, *C.backbone_optimizer) C.int32_t) error {
	return n.use(func(net *C.backbone) error {
		return o.during(func() error { return check(func() C.int32_t { return call(net, o.optimizer) }) })
	})
}

// Step updates all trainable parameters from their gradients: one step of the optimiser. Gradients that are NaN or
// infinite are an error of StatusNotFinite, unless allowNotFinite.
func (n *ResNet) Step(optimizer *Optimizer, gradients []float32, learningRate float64, allowNotFinite bool) error {
	var flags C.uint32_t
	if allowNotFinite {
		flags = C.BACKBONE_STEP_ALLOW_NOT_FINITE
	}
	return n.with(optimizer, func(net *C.backbone, raw *C.backbone_optimizer) C.int32_t {
		count := C.size_t(len(gradients))
		return C.optimizer_step(net, raw, floats(gradients), count, C.double(learningRate), flags)
	})
}

// Follow adapts a stale optimiser to the parameters that are trainable now.
func (n *ResNet) Follow(optimizer *Optimizer) error {
	return n.with(optimizer, func(net *C.backbone, raw *C.backbone_optimizer) C.int32_t {
		return C.optimizer_follow(net, raw)
	})
}

// SaveTraining writes the weights and the state of an optimiser to one file that PyTorch can read.
func (n *ResNet) SaveTraining(optimizer *Optimizer, path string, learningRate float64) error {
	file, err := cString("path", path)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(file))
	return n.with(optimizer, func(net *C.backbone, raw *C.backbone_optimizer) C.int32_t {
		return C.save_training(net, raw, file, C.double(learningRate))
	})
}

// LoadTraining loads what SaveTraining or PyTorch wrote, and returns a report as JSON.
func (n *ResNet) LoadTraining(optimizer *Optimizer, path string) (report string, err error) {
	file, err := cString("path", path)
	if err != nil {
		return "", err
	}
	defer C.free(unsafe.Pointer(file))
	err = n.use(func(net *C.backbone) error {
		return optimizer.during(func() error {
			report, err = reported(func(out **C.backbone_report) C.int32_t {
				return C.load_training(net, optimizer.optimizer, file, out)
			})
			return err
		})
	})
	return report, err
}

// BeginStatistics begins to collect the statistics of BatchNorms from images: backbone_statistics_begin.
func (n *ResNet) BeginStatistics() error {
	return n.use(func(net *C.backbone) error { return check(func() C.int32_t { return C.statistics_begin(net) }) })
}

// AddStatistics adds the statistics of a batch.
func (n *ResNet) AddStatistics(image Image) error {
	if err := checkCount("the input", image.count, image.shape); err != nil {
		return err
	}
	return n.use(func(net *C.backbone) error {
		nhwc := C.int(flag(image.nhwc))
		return check(func() C.int32_t {
			return C.statistics_add(net, image.data, image.dtype, (*C.int64_t)(&image.shape[0]), nhwc)
		})
	})
}

// CommitStatistics replaces the running statistics by the collected ones.
func (n *ResNet) CommitStatistics() error {
	return n.use(func(net *C.backbone) error { return check(func() C.int32_t { return C.statistics_commit(net) }) })
}

// CancelStatistics ends collecting and changes nothing.
func (n *ResNet) CancelStatistics() error {
	return n.use(func(net *C.backbone) error { return check(func() C.int32_t { return C.statistics_cancel(net) }) })
}
