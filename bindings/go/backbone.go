// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Package backbone is libbackbone for Go: the features C2 to C5 of a ResNet, on a CPU, from the checkpoints that
// PyTorch wrote.
//
// This file is the whole binding: copy it into a folder of your module, with backbone.h beside it (or where CGO_CFLAGS
// says). Nothing is linked: the library is opened by the first call, as the file that Load names, else as the one that
// the environment variable BACKBONE_LIBRARY names, else as libbackbone.so.1 by the system's loader.
//
// Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by Close, or when it is
// collected. Goroutines may share one: forwards in evaluation mode run side by side, what changes the network waits
// until it has it alone, and a network that is closed during calls is freed after the last of them. Every failure is an
// *Error with the library's own message.
package backbone

/*
#cgo LDFLAGS: -ldl

#include <dlfcn.h>
#include <stdlib.h>

#include "backbone.h"

// The functions that are used, as the header declares them.
#define BACKBONE_FUNCTIONS(F) \
	F(version_string) F(last_error_message) F(options_init) F(create) F(free) F(get_options) F(init_weights) \
	F(load_options_init) F(load_weights_with) F(create_from_file) F(save_weights) F(report_to_json) F(report_free) \
	F(freeze) F(set_training) F(get_training) F(output_shapes) F(forward)

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

// Go may pass pointers to its memory, but none to memory that holds such pointers: tensors are made here.
static int32_t forward(backbone *net, void *input, int32_t dtype, const int64_t *shape, int nhwc, float *out0,
                       float *out1, float *out2, float *out3, const int64_t *out_shapes, size_t count) {
	float *out[4] = {out0, out1, out2, out3};
	backbone_tensor image = tensor(input, dtype, shape, nhwc), features[4];
	for (size_t i = 0; i < count; i++) features[i] = tensor(out[i], BACKBONE_DTYPE_FLOAT32, out_shapes + 4 * i, 0);
	return lib.forward(net, &image, features, count);
}
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
)

// Values of Options.OutStages (a sum), ChannelOrder, Normalization, Arithmetic and Style.
const (
	StageC2          = C.BACKBONE_STAGE_C2
	StageC3          = C.BACKBONE_STAGE_C3
	StageC4          = C.BACKBONE_STAGE_C4
	StageC5          = C.BACKBONE_STAGE_C5
	StageAll         = C.BACKBONE_STAGE_ALL
	ChannelsAsGiven  = C.BACKBONE_CHANNELS_AS_GIVEN
	ChannelsReversed = C.BACKBONE_CHANNELS_REVERSED
	NormalizeUint8   = C.BACKBONE_NORMALIZE_UINT8
	NormalizeAll     = C.BACKBONE_NORMALIZE_ALL
	ArithmeticFast   = C.BACKBONE_ARITHMETIC_FAST
	ArithmeticDirect = C.BACKBONE_ARITHMETIC_DIRECT
	StylePyTorch     = C.BACKBONE_STYLE_PYTORCH
	StyleCaffe       = C.BACKBONE_STYLE_CAFFE
)

// ABIVersion is that of the header this package was compiled with.
const ABIVersion = C.BACKBONE_ABI_VERSION

// ImageNetMean and ImageNetStdDev are for Options: RGB, pixels from 0 to 255.
var (
	ImageNetMean   = []float32{123.675, 116.28, 103.53}
	ImageNetStdDev = []float32{58.395, 57.12, 57.375}
)

// Error is what went wrong.
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

// Load opens the library, which no call before this one may have done; "" is how every first call looks for it.
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
	// Asked before anything else: another ABI may lack the other functions.
	symbol := C.CString("backbone_abi_version")
	defer C.free(unsafe.Pointer(symbol))
	function := C.dlsym(library, symbol)
	if function == nil {
		return unusable("%s is no libbackbone: it lacks backbone_abi_version", place)
	}
	if found := int(C.abi_version(function)); found != ABIVersion {
		return unusable("%s has ABI version %d; this binding needs %d", place, found, ABIVersion)
	}
	if missing := C.find_functions(library); missing != nil {
		return unusable("%s is no libbackbone: it lacks %s", place, C.GoString(missing))
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

// Options say what to build. NewOptions has the library's defaults; the zero value is none that it accepts.
type Options struct {
	Depth            int32     // 18, 34, 50, 101 or 152
	InChannels       int32     // channels of the input
	BaseChannels     int32     // width of the stem
	OutStages        uint32    // which features to compute: a sum of StageC2 and so on
	FrozenStages     int32     // as for Freeze
	NormEval         bool      // in training mode too, every BatchNorm uses its running statistics
	ZeroInitResidual bool      // InitWeights sets the weight of the last BatchNorm of each block to 0
	Threads          int32     // that one forward may use; 0: those that the system leaves to this process
	ChannelOrder     int32     // ChannelsAsGiven or ChannelsReversed, for the images that Normalization names
	Arithmetic       int32     // ArithmeticFast or ArithmeticDirect
	Style            int32     // StylePyTorch or StyleCaffe
	NormEps          float32   // added to the variances of every BatchNorm
	Normalization    int32     // NormalizeUint8 or NormalizeAll: the images that ChannelOrder, Mean and StdDev apply to
	Mean             []float32 // subtracted from those images, a value for each channel; nil: 0
	StdDev           []float32 // what they are then divided by, a value for each channel; nil: 1
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
	return &Options{
		Depth:            int32(raw.depth),
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
	}
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
	}
	free := func() {
		C.free(unsafe.Pointer(raw.mean))
		C.free(unsafe.Pointer(raw.std_dev))
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
	Prefix         *string // what the names of the backbone begin with; nil: found
	AllowMissing   bool    // weights and running statistics that the file lacks keep their values; else they are errors
	IgnoreModules  bool    // modules of the file that the network does not compute are left out; else they are errors
	MaxStreamBytes uint64  // the most bytes to read from a pipe; 0: 4 GiB
}

// Calls a function with the options as C takes them, and returns the report as JSON.
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
	var report *C.backbone_report
	err = check(func() C.int32_t { return call(&raw, &report) })
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

// Float32 describes elements that the network takes as they are, NCHW in memory. The shape is N, C, H, W.
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

// NCHW says that the elements lie in memory by planes of a channel, as PyTorch keeps tensors.
func (i Image) NCHW() Image { i.nhwc = false; return i }

// NHWC says that the elements lie in memory by pixels, as decoders of images write them.
func (i Image) NHWC() Image { i.nhwc = true; return i }

// Feature is one feature of a batch, NCHW in memory.
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

// ResNet is a ResNet without its pooling and classifier, in evaluation mode until SetTraining.
type ResNet struct {
	lock   sync.Mutex
	net    *C.backbone
	calls  int // that are in progress
	closed bool
	stages int
}

func own(net *C.backbone, stages uint32) *ResNet {
	n := &ResNet{net: net, stages: bits.OnesCount32(stages)}
	runtime.SetFinalizer(n, (*ResNet).Close)
	return n
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
	return own(net, options.outStages()), nil
}

// FromFile makes the network that a checkpoint describes, with its weights, and returns the report of the load as JSON.
// Depth, BaseChannels and InChannels of the options are those of the file.
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
	return own(net, options.outStages()), report, nil
}

func (o *Options) outStages() uint32 {
	if o == nil {
		return StageAll
	}
	return o.OutStages
}

// Close frees the network, after the last call that is in progress. It may be called again; every other method then
// fails.
func (n *ResNet) Close() error {
	n.lock.Lock()
	defer n.lock.Unlock()
	if !n.closed {
		n.closed = true
		runtime.SetFinalizer(n, nil)
		if n.calls == 0 {
			C.free_net(n.net)
		}
	}
	return nil
}

// Runs a call on the network, which stays alive for its time.
func (n *ResNet) use(body func(net *C.backbone) error) error {
	n.lock.Lock()
	if n.closed {
		n.lock.Unlock()
		return invalid("this ResNet is closed")
	}
	n.calls++
	n.lock.Unlock()
	defer func() {
		n.lock.Lock()
		defer n.lock.Unlock()
		n.calls--
		if n.closed && n.calls == 0 {
			C.free_net(n.net)
		}
	}() // which uses n: it is not collected before
	return body(n.net)
}

// InitWeights draws new weights, which are the same for the same seed.
func (n *ResNet) InitWeights(seed uint64) error {
	return n.use(func(net *C.backbone) error {
		return check(func() C.int32_t { return C.init_weights(net, C.uint64_t(seed)) })
	})
}

// LoadWeights loads a .pth, a pickle of arrays or a safetensors file, and returns a report of what was found, as JSON.
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

// SaveWeights writes the weights, as a .pth or as safetensors, by the ending of the path.
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

// Options are those of the network as they stand now, with the number of threads in use.
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

// OutputShapes are the shapes N, C, H, W of the features of images of a shape N, C, H, W, from C2 to C5.
func (n *ResNet) OutputShapes(input [4]int64) (shapes [][4]int64, err error) {
	err = n.use(func(net *C.backbone) error {
		shapes, err = n.outputShapes(net, input)
		return err
	})
	return shapes, err
}

func (n *ResNet) outputShapes(net *C.backbone, input [4]int64) ([][4]int64, error) {
	shapes := make([][4]int64, n.stages)
	return shapes, check(func() C.int32_t {
		in, out := (*C.int64_t)(&input[0]), (*C.int64_t)(&shapes[0][0])
		return C.output_shapes(net, in, out, C.size_t(n.stages))
	})
}

// Forward computes the features of a batch of images, from C2 to C5.
func (n *ResNet) Forward(image Image) (features []Feature, err error) {
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
		return forward(net, image, shapes, out)
	})
	if err != nil {
		return nil, err
	}
	return features, nil
}

// ForwardInto computes the features into the caller's memory: a slice for each of OutputShapes, NCHW.
func (n *ResNet) ForwardInto(image Image, out [][]float32) error {
	return n.use(func(net *C.backbone) error {
		shapes, err := n.outputShapes(net, image.shape)
		if err != nil {
			return err
		}
		return forward(net, image, shapes, out)
	})
}

func forward(net *C.backbone, image Image, shapes [][4]int64, out [][]float32) error {
	if err := checkCount("the input", image.count, image.shape); err != nil {
		return err
	}
	if len(out) != len(shapes) {
		return invalid("out has %d buffers; this network gives %d", len(out), len(shapes))
	}
	var pointers [4]*C.float
	for i, shape := range shapes {
		if err := checkCount(fmt.Sprintf("out[%d]", i), len(out[i]), shape); err != nil {
			return err
		}
		if len(out[i]) > 0 {
			pointers[i] = (*C.float)(&out[i][0])
		}
	}
	nhwc := C.int(flag(image.nhwc))
	return check(func() C.int32_t {
		return C.forward(net, image.data, image.dtype, (*C.int64_t)(&image.shape[0]), nhwc, pointers[0], pointers[1],
			pointers[2], pointers[3], (*C.int64_t)(&shapes[0][0]), C.size_t(len(shapes)))
	})
}
