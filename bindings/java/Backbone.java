// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import com.sun.jna.Function;
import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.DoubleByReference;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * libbackbone for Java: features, logits and gradients of a ResNet, on a CPU, from PyTorch checkpoints.
 *
 * <p>This file is the whole binding; it needs Java 17 and JNA. The library is opened by the first call, as the file
 * that {@link #load} names, else as the one that the environment variable BACKBONE_LIBRARY names, else as
 * libbackbone.so.1 by the system's loader.
 *
 * <p>Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by {@code close}, or
 * when it is collected. Threads may share one: forward passes in evaluation mode run side by side, calls that change
 * the network take an exclusive lock, and a network that is closed during calls is freed after the last of them. Every
 * failure of the library is a {@link Failure} with its own message. (The message is kept for each thread of the system:
 * call from platform threads, not from virtual ones.)
 */
public final class Backbone {
    public static final int ABI_VERSION = 1;

    public static final int STATUS_INVALID_ARGUMENT = 1;
    public static final int STATUS_OUT_OF_MEMORY = 2;
    public static final int STATUS_FILE_NOT_FOUND = 3;
    public static final int STATUS_IO = 4;
    public static final int STATUS_BAD_CHECKPOINT = 5;
    public static final int STATUS_MISMATCH = 6;
    public static final int STATUS_UNKNOWN_NAME = 7;
    public static final int STATUS_CANCELLED = 8;
    public static final int STATUS_STALE = 9;
    public static final int STATUS_NOT_FINITE = 10;

    public static final int STAGE_C2 = 1;
    public static final int STAGE_C3 = 2;
    public static final int STAGE_C4 = 4;
    public static final int STAGE_C5 = 8;
    public static final int STAGE_ALL = 15;
    public static final int STAGE_C1 = 16;
    public static final int STAGE_POOLED = 32;
    public static final int STAGE_LOGITS = 64;

    public static final int CHANNELS_AS_GIVEN = 0;
    public static final int CHANNELS_REVERSED = 1;
    public static final int NORMALIZE_UINT8 = 0;
    public static final int NORMALIZE_ALL = 1;

    public static final int ARITHMETIC_FAST = 0;
    public static final int ARITHMETIC_DIRECT = 1;

    public static final int STYLE_PYTORCH = 0;
    public static final int STYLE_CAFFE = 1;

    public static final int BLOCK_BASIC = 1;
    public static final int BLOCK_BOTTLENECK = 2;

    public static final int STEM_SINGLE = 1;
    public static final int STEM_DEEP = 2;
    public static final int STEM_TIERED = 3;
    public static final int STEM_SMALL = 4;

    public static final int STEM_POOLING_MAX = 1;
    public static final int STEM_POOLING_CONVOLUTION = 2;
    public static final int STEM_POOLING_NONE = 3;

    public static final int SHORTCUT_PROJECTION = 1;
    public static final int SHORTCUT_AVERAGE = 2;
    public static final int SHORTCUT_SUBSAMPLE = 3;
    public static final int SHORTCUT_EVERYWHERE = 4;
    public static final int SHORTCUT_3X3 = 5;
    public static final int SHORTCUT_NONE = 6;

    public static final int NORM_BATCH = 1;
    public static final int NORM_GROUP = 2;

    public static final int ATTENTION_NONE = 1;
    public static final int ATTENTION_SE = 2;
    public static final int ATTENTION_SE_QUARTER = 3;
    public static final int ATTENTION_ECA = 4;

    public static final int ANTI_ALIASING_NONE = 1;
    public static final int ANTI_ALIASING_BLUR = 2;
    public static final int ANTI_ALIASING_AVERAGE = 3;

    public static final int DILATION_PREVIOUS = 0;
    public static final int DILATION_WHOLE = 1;

    public static final int HEAD_EXACT = 0;
    public static final int HEAD_NEW = 1;

    public static final int TRAINABLE_ALL = 0;
    public static final int TRAINABLE_NORMS = 1;
    public static final int TRAINABLE_HEAD = 2;

    public static final long IGNORED_LABEL = -100;

    public static final int OPTIMIZER_SGD = 0;
    public static final int OPTIMIZER_ADAMW = 1;

    public static final int PARAMETERS_WEIGHTS = 1;
    public static final int PARAMETERS_NORMS = 2;
    public static final int PARAMETERS_BIASES = 4;

    private static final int BACKWARD_ACCUMULATE = 1;
    private static final int STEP_ALLOW_NOT_FINITE = 1;

    private static final int DTYPE_FLOAT32 = 0;
    private static final int DTYPE_UINT8 = 1;

    private Backbone() {}

    /** For {@link Options#mean}: ImageNet, RGB, pixels from 0 to 255. */
    public static float[] imagenetMean() {
        return new float[] {123.675f, 116.28f, 103.53f};
    }

    /** For {@link Options#stdDev}. */
    public static float[] imagenetStdDev() {
        return new float[] {58.395f, 57.12f, 57.375f};
    }

    // ---- Errors ----

    /** What went wrong, in the library's words. */
    public static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final int status;
        private final String report;

        private Failure(int status, String message, String report) {
            super(message);
            this.status = status;
            this.report = report;
        }

        /** One of {@code STATUS_*}; STATUS_IO where the library cannot be used. */
        public int status() {
            return status;
        }

        /** The report of a load that was refused because the checkpoint does not fit, as JSON, or null. */
        public String report() {
            return report;
        }
    }

    private static Failure invalid(String format, Object... values) {
        return new Failure(STATUS_INVALID_ARGUMENT, String.format(format, values), null);
    }

    private static Failure unusable(String format, Object... values) {
        return new Failure(STATUS_IO, String.format(format, values), null);
    }

    // ---- The library ----

    private static final String[] FUNCTIONS = {
        "version_string", "last_error_message", "options_init", "architecture_count", "architecture_name", "create",
        "free", "get_options", "init_weights", "load_options_init", "load_weights_with", "create_from_file",
        "save_weights", "save_weights_with", "report_to_json", "report_free", "freeze", "set_training", "get_training",
        "output_shapes", "forward", "cancel", "tape_options_init", "tape_create", "tape_free", "tape_bytes",
        "forward_train", "backward", "feature_gradients", "trainable_count", "trainable_slot", "read_trainable",
        "write_trainable", "set_trainable", "cross_entropy", "optimizer_options_init", "optimizer_create",
        "optimizer_free", "optimizer_step", "optimizer_follow", "clip_gradients", "save_training", "load_training",
        "statistics_begin", "statistics_add", "statistics_commit", "statistics_cancel"
    };
    private static Map<String, Function> functions;
    private static String loadedFrom;

    /** Opens the library, before any other call; null: as every first call looks for it. */
    public static synchronized void load(String path) {
        if (functions != null) {
            if (path != null) throw unusable("libbackbone is loaded already, from %s", loadedFrom);
            return;
        }
        String variable = System.getenv("BACKBONE_LIBRARY");
        String place = path != null ? path : variable;
        if (place == null || place.isEmpty()) place = "libbackbone.so." + ABI_VERSION;
        functions = functionsOf(place);
        loadedFrom = place;
    }

    private static Map<String, Function> functionsOf(String place) {
        NativeLibrary library;
        try {
            final int now = 2; // RTLD_NOW
            library = NativeLibrary.getInstance(place, Map.of(Library.OPTION_OPEN_FLAGS, now));
        } catch (UnsatisfiedLinkError error) {
            throw unusable(
                    "libbackbone cannot be loaded: %s. It is looked for as the file that load() names, as the one that "
                            + "the environment variable BACKBONE_LIBRARY names, and as libbackbone.so.%d by the "
                            + "system's loader.",
                    String.join(" ", error.getMessage().split("\\s*\n\\s*")), ABI_VERSION);
        }
        // Checked first: another ABI may lack the other functions.
        int found = function(library, place, "abi_version").invokeInt(new Object[0]);
        if (found != ABI_VERSION) {
            throw unusable("%s has ABI version %d; this binding needs %d", place, found, ABI_VERSION);
        }
        Map<String, Function> result = new HashMap<>();
        for (String name : FUNCTIONS) result.put(name, function(library, place, name));
        return result;
    }

    private static Function function(NativeLibrary library, String place, String name) {
        try {
            return library.getFunction("backbone_" + name);
        } catch (UnsatisfiedLinkError error) {
            throw unusable("%s is not libbackbone: it lacks backbone_%s", place, name);
        }
    }

    private static synchronized Function function(String name) {
        load(null);
        return functions.get(name);
    }

    /** The version of the library, "major.minor.patch". */
    public static String version() {
        return function("version_string").invokePointer(new Object[0]).getString(0, "UTF-8");
    }

    /** The names that {@link Options#architecture} accepts: "resnet50", "wide_resnet50_2", ... */
    public static List<String> architectures() {
        long count = function("architecture_count").invokeLong(new Object[0]);
        List<String> names = new ArrayList<>();
        for (long index = 0; index < count; index++) {
            names.add(function("architecture_name").invokePointer(new Object[] {index}).getString(0, "UTF-8"));
        }
        return names;
    }

    private static void check(String name, Object... arguments) {
        int status = function(name).invokeInt(arguments);
        if (status == 0) return;
        Pointer message = function("last_error_message").invokePointer(new Object[0]);
        throw new Failure(status, message.getString(0, "UTF-8"), null);
    }

    /** Text for C, which would end at a zero byte. */
    private static Memory cText(String label, String text) {
        if (text.indexOf('\0') >= 0) throw invalid("%s contains a zero byte", label);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Memory memory = new Memory(bytes.length + 1L);
        memory.write(0, bytes, 0, bytes.length);
        memory.setByte(bytes.length, (byte) 0);
        return memory;
    }

    // ---- The structs of backbone.h ----

    /** backbone_options. */
    @FieldOrder({
        "struct_size", "depth", "in_channels", "base_channels", "out_stages", "frozen_stages", "norm_eval",
        "zero_init_residual", "threads", "channel_order", "mean", "std_dev", "arithmetic", "style", "norm_eps",
        "reserved", "normalization", "reserved2", "architecture", "num_classes", "output_stride", "dilated_stages",
        "dilation_rule", "block_counts", "block", "groups", "width_per_group", "stem", "stem_channels", "stem_pooling",
        "shortcut", "norm", "attention", "anti_aliasing", "preactivation", "block_width_count", "block_widths"
    })
    public static class COptions extends Structure {
        public int struct_size;
        public int depth;
        public int in_channels;
        public int base_channels;
        public int out_stages;
        public int frozen_stages;
        public int norm_eval;
        public int zero_init_residual;
        public int threads;
        public int channel_order;
        public Pointer mean;
        public Pointer std_dev;
        public int arithmetic;
        public int style;
        public float norm_eps;
        public int reserved;
        public int normalization;
        public int reserved2;
        public Pointer architecture;
        public int num_classes;
        public int output_stride;
        public int dilated_stages;
        public int dilation_rule;
        public int[] block_counts = new int[4];
        public int block;
        public int groups;
        public int width_per_group;
        public int stem;
        public int stem_channels;
        public int stem_pooling;
        public int shortcut;
        public int norm;
        public int attention;
        public int anti_aliasing;
        public int preactivation;
        public int block_width_count;
        public Pointer block_widths;
    }

    /** backbone_load_options. */
    @FieldOrder({
        "struct_size", "strict", "key", "prefix", "input_channels", "channel_map_length", "channel_map",
        "allow_missing", "ignore_modules", "max_stream_bytes", "head", "reserved"
    })
    public static class CLoadOptions extends Structure {
        public int struct_size;
        public int strict;
        public Pointer key;
        public Pointer prefix;
        public int input_channels;
        public int channel_map_length;
        public Pointer channel_map;
        public int allow_missing;
        public int ignore_modules;
        public long max_stream_bytes;
        public int head;
        public int reserved;
    }

    /** backbone_tensor. */
    @FieldOrder({"data", "dtype", "reserved", "shape", "strides"})
    public static class CTensor extends Structure {
        public Pointer data;
        public int dtype;
        public int reserved;
        public long[] shape = new long[4];
        public long[] strides = new long[4];

        void set(Pointer data, int dtype, long[] shape, boolean nhwc) {
            long c = shape[1], h = shape[2], w = shape[3];
            this.data = data;
            this.dtype = dtype;
            this.shape = shape.clone();
            this.strides = nhwc ? new long[] {h * w * c, 1, w * c, c} : new long[] {c * h * w, h * w, w, 1};
            write();
        }
    }

    /** backbone_tape_options. */
    @FieldOrder({"struct_size", "input_gradient", "retain", "recompute"})
    public static class CTapeOptions extends Structure {
        public int struct_size;
        public int input_gradient;
        public int retain;
        public int recompute;
    }

    /** backbone_parameter_group. */
    @FieldOrder({"prefix", "kinds", "reserved", "learning_rate_factor", "weight_decay"})
    public static class CParameterGroup extends Structure {
        public Pointer prefix;
        public int kinds;
        public int reserved;
        public double learning_rate_factor;
        public double weight_decay;
    }

    /** backbone_optimizer_options. */
    @FieldOrder({
        "struct_size", "kind", "nesterov", "reserved", "momentum", "dampening", "beta1", "beta2", "epsilon",
        "weight_decay", "groups", "group_count"
    })
    public static class COptimizerOptions extends Structure {
        public int struct_size;
        public int kind;
        public int nesterov;
        public int reserved;
        public double momentum;
        public double dampening;
        public double beta1;
        public double beta2;
        public double epsilon;
        public double weight_decay;
        public Pointer groups;
        public long group_count;
    }

    // ---- Options ----

    /** What to build; a new object has the library's defaults: a ResNet-50, three channels, all features. */
    public static final class Options {
        /** 18, 34, 50, 101 or 152. Set it to 0 if {@code architecture} selects the network. */
        public int depth;
        /** Name of the network, one of {@link #architectures}; null: {@code depth} selects it. */
        public String architecture;
        /** Channels of the input. */
        public int inChannels;
        /** Width of the stem. */
        public int baseChannels;
        /** What to compute: a sum of {@code STAGE_*}. */
        public int outStages;
        /** As for {@link ResNet#freeze}. */
        public int frozenStages;
        /** Every BatchNorm uses its running statistics in training mode too. */
        public boolean normEval;
        /** {@link ResNet#initWeights} sets the weight of the last BatchNorm of each block to 0. */
        public boolean zeroInitResidual;
        /** Threads for one forward pass; 0: those that the system allows this process. */
        public int threads;
        /** {@code CHANNELS_*}, for the images that {@code normalization} names. */
        public int channelOrder;
        /** {@code ARITHMETIC_*}. */
        public int arithmetic;
        /** {@code STYLE_*}. */
        public int style;
        /** Added to the variances in every norm. */
        public float normEps;
        /** {@code NORMALIZE_*}: the images that channelOrder, mean and stdDev apply to. */
        public int normalization;
        /** Subtracted from those images, a value for each channel; null: 0. */
        public float[] mean;
        /** What they are then divided by, a value for each channel; null: 1. */
        public float[] stdDev;
        /** Classes of the head, which {@code STAGE_LOGITS} builds; 0: those of the file or of the architecture. */
        public int numClasses;
        /** 8, 16 or 32: stages that would exceed it dilate instead; 0: as {@code dilatedStages} says. */
        public int outputStride;
        /** Stages that dilate instead of striding: a sum of {@code STAGE_C3}, C4 and C5. */
        public int dilatedStages;
        /** {@code DILATION_*}. */
        public int dilationRule;
        /** Blocks of each stage. Here and below 0, the default, means the architecture's own value. */
        public int[] blockCounts;
        /** {@code BLOCK_*}. */
        public int block;
        /** Of the 3x3 convolutions of Bottlenecks. */
        public int groups;
        /** Of each group in a stage of 64 channels. */
        public int widthPerGroup;
        /** {@code STEM_*}. */
        public int stem;
        /** Output channels of the stem. */
        public int stemChannels;
        /** {@code STEM_POOLING_*}. */
        public int stemPooling;
        /** {@code SHORTCUT_*}. */
        public int shortcut;
        /** {@code NORM_*}. */
        public int norm;
        /** {@code ATTENTION_*}. */
        public int attention;
        /** {@code ANTI_ALIASING_*}. */
        public int antiAliasing;
        /** 1: norms after the convolutions, 2: before them. */
        public int preactivation;
        /** Channels inside the stem and the blocks (see backbone.h); null: the architecture's own. */
        public int[] blockWidths;

        public Options() {
            this(new COptions(), true);
        }

        private Options(COptions raw, boolean defaults) {
            if (defaults) check("options_init", raw, (long) raw.size());
            depth = raw.depth;
            architecture = raw.architecture == null ? null : raw.architecture.getString(0, "UTF-8");
            inChannels = raw.in_channels;
            baseChannels = raw.base_channels;
            outStages = raw.out_stages;
            frozenStages = raw.frozen_stages;
            normEval = raw.norm_eval != 0;
            zeroInitResidual = raw.zero_init_residual != 0;
            threads = raw.threads;
            channelOrder = raw.channel_order;
            arithmetic = raw.arithmetic;
            style = raw.style;
            normEps = raw.norm_eps;
            normalization = raw.normalization;
            mean = raw.mean == null ? null : raw.mean.getFloatArray(0, inChannels);
            stdDev = raw.std_dev == null ? null : raw.std_dev.getFloatArray(0, inChannels);
            numClasses = raw.num_classes;
            outputStride = raw.output_stride;
            dilatedStages = raw.dilated_stages;
            dilationRule = raw.dilation_rule;
            blockCounts = raw.block_counts.clone();
            block = raw.block;
            groups = raw.groups;
            widthPerGroup = raw.width_per_group;
            stem = raw.stem;
            stemChannels = raw.stem_channels;
            stemPooling = raw.stem_pooling;
            shortcut = raw.shortcut;
            norm = raw.norm;
            attention = raw.attention;
            antiAliasing = raw.anti_aliasing;
            preactivation = raw.preactivation;
            blockWidths = raw.block_widths == null ? null : raw.block_widths.getIntArray(0, raw.block_width_count);
        }

        /** The struct, which keeps alive what it points to. */
        private COptions raw() {
            COptions raw = new COptions();
            raw.struct_size = raw.size();
            raw.depth = depth;
            raw.in_channels = inChannels;
            raw.base_channels = baseChannels;
            raw.out_stages = outStages;
            raw.frozen_stages = frozenStages;
            raw.norm_eval = normEval ? 1 : 0;
            raw.zero_init_residual = zeroInitResidual ? 1 : 0;
            raw.threads = threads;
            raw.channel_order = channelOrder;
            raw.mean = perChannel("mean", mean);
            raw.std_dev = perChannel("std_dev", stdDev);
            raw.arithmetic = arithmetic;
            raw.style = style;
            raw.norm_eps = normEps;
            raw.normalization = normalization;
            raw.architecture = architecture == null ? null : cText("architecture", architecture);
            raw.num_classes = numClasses;
            raw.output_stride = outputStride;
            raw.dilated_stages = dilatedStages;
            raw.dilation_rule = dilationRule;
            if (blockCounts.length > 4) {
                throw invalid("block_counts has %d numbers; it must have at most 4", blockCounts.length);
            }
            System.arraycopy(blockCounts, 0, raw.block_counts, 0, blockCounts.length);
            raw.block = block;
            raw.groups = groups;
            raw.width_per_group = widthPerGroup;
            raw.stem = stem;
            raw.stem_channels = stemChannels;
            raw.stem_pooling = stemPooling;
            raw.shortcut = shortcut;
            raw.norm = norm;
            raw.attention = attention;
            raw.anti_aliasing = antiAliasing;
            raw.preactivation = preactivation;
            if (blockWidths != null && blockWidths.length > 0) {
                Memory widths = new Memory(4L * blockWidths.length);
                widths.write(0, blockWidths, 0, blockWidths.length);
                raw.block_widths = widths;
                raw.block_width_count = blockWidths.length;
            }
            return raw;
        }

        private Memory perChannel(String label, float[] values) {
            if (values == null) return null;
            if (values.length != inChannels) {
                throw invalid(
                        "%s has %d values; it must have one for each of in_channels, %d",
                        label, values.length, inChannels);
            }
            Memory memory = new Memory(4L * Math.max(values.length, 1));
            memory.write(0, values, 0, values.length);
            return memory;
        }
    }

    /** How to load a checkpoint; a new object finds everything by the names in it. */
    public static final class LoadOptions {
        /** Names in the file that the network lacks are errors. */
        public boolean strict;
        /** The keys that lead to the dict of tensors, joined by dots; null: found. */
        public String key;
        /** Prefix of the backbone's names; null: found. */
        public String prefix;
        /** Weights and running statistics that the file lacks keep their values; otherwise they are errors. */
        public boolean allowMissing;
        /** Modules of the file that the network does not compute are left out; otherwise they are errors. */
        public boolean ignoreModules;
        /** The most bytes to read from a pipe, as an unsigned number; 0: 4 GiB. */
        public long maxStreamBytes;
        /** {@code HEAD_*}: how to load the classifier, in a network that gives logits. */
        public int head;

        public LoadOptions() {}
    }

    private interface Load {
        void call(CLoadOptions how, PointerByReference report);
    }

    /** Calls a function with the options as C structs, and returns the report as JSON. */
    private static String loading(LoadOptions options, Load load) {
        CLoadOptions raw = new CLoadOptions();
        check("load_options_init", raw, (long) raw.size());
        if (options != null) {
            raw.strict = options.strict ? 1 : 0;
            raw.key = options.key == null ? null : cText("key", options.key);
            raw.prefix = options.prefix == null ? null : cText("prefix", options.prefix);
            raw.allow_missing = options.allowMissing ? 1 : 0;
            raw.ignore_modules = options.ignoreModules ? 1 : 0;
            raw.max_stream_bytes = options.maxStreamBytes;
            raw.head = options.head;
        }
        try {
            return reported(report -> load.call(raw, report));
        } finally {
            Reference.reachabilityFence(raw);
        }
    }

    private interface Reported {
        void call(PointerByReference report);
    }

    /** Calls a function that gives a report, and returns that as JSON. */
    private static String reported(Reported call) {
        PointerByReference report = new PointerByReference();
        try {
            call.call(report);
            return json(report.getValue());
        } catch (Failure failure) {
            if (report.getValue() == null) throw failure;
            throw new Failure(failure.status(), failure.getMessage(), json(report.getValue()));
        } finally {
            if (report.getValue() != null) function("report_free").invokeVoid(new Object[] {report.getValue()});
        }
    }

    private static String json(Pointer report) {
        PointerByReference text = new PointerByReference();
        check("report_to_json", report, text);
        return text.getValue().getString(0, "UTF-8");
    }

    // ---- Images and features ----

    /** A batch of images: what {@link #float32} and {@link #uint8} return. Its memory must not change during a call. */
    public static final class Image {
        private final Buffer buffer;
        private final int dtype;
        private final long[] shape;
        private final boolean nhwc;

        private Image(Buffer buffer, int dtype, long[] shape, boolean nhwc) {
            if (shape.length != 4) throw invalid("the shape has %d sizes; it must have N, C, H and W", shape.length);
            this.buffer = buffer;
            this.dtype = dtype;
            this.shape = shape.clone();
            this.nhwc = nhwc;
        }

        /** The same elements, in memory by planes of a channel, as in PyTorch's tensors. */
        public Image nchw() {
            return new Image(buffer, dtype, shape, false);
        }

        /** The same elements, in memory by pixels, as image decoders write them. */
        public Image nhwc() {
            return new Image(buffer, dtype, shape, true);
        }
    }

    /** Elements that the network takes as they are, NCHW in memory, copied by this call; the shape is N, C, H, W. */
    public static Image float32(float[] elements, long... shape) {
        return float32(floats(elements.length).put(elements).flip(), shape);
    }

    /** The remaining elements of a direct buffer in native order, which are not copied. */
    public static Image float32(FloatBuffer elements, long... shape) {
        return new Image(elements, DTYPE_FLOAT32, shape, false);
    }

    /** Pixels of which the network computes (x - mean) / stdDev, NHWC in memory, copied; the shape is N, C, H, W. */
    public static Image uint8(byte[] elements, long... shape) {
        return uint8(ByteBuffer.allocateDirect(elements.length).put(elements).flip(), shape);
    }

    /** The remaining pixels of a direct buffer, which are not copied. */
    public static Image uint8(ByteBuffer elements, long... shape) {
        return new Image(elements, DTYPE_UINT8, shape, true);
    }

    /** One output for a batch, or its gradient: elements, NCHW, and shape; pooled and logits have N, C, 1, 1. */
    public record Feature(float[] data, long[] shape) {
        /** Describes a copy of the elements to C; the copy lives as long as its struct. */
        private void describe(String label, CTensor tensor) {
            Memory copy = memory(label);
            copy.write(0, data, 0, data.length);
            tensor.set(copy, DTYPE_FLOAT32, shape, false);
        }

        private Memory memory(String label) {
            if (shape.length != 4) throw invalid("the shape has %d sizes; it must have N, C, H and W", shape.length);
            checkCount(label, data.length, shape);
            return new Memory(4L * Math.max(data.length, 1));
        }
    }

    /** A direct buffer of so many zeros: for gradients and other values that C reads and writes without a copy. */
    public static FloatBuffer floats(long count) {
        int bytes = Math.toIntExact(Math.multiplyExact(4, count));
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
    }

    private static long elements(long[] shape) {
        long product = 1;
        for (long size : shape) {
            if (Math.multiplyHigh(product, size) != 0 || product * size < 0) return Long.MAX_VALUE;
            product *= size;
        }
        return product;
    }

    /** The start of the remaining elements of a direct buffer, which must be as many as the shape has. */
    private static Pointer pointer(String label, Buffer buffer, long[] shape) {
        checkCount(label, buffer.remaining(), shape);
        return pointer(label, buffer);
    }

    private static void checkCount(String label, long count, long[] shape) {
        if (count == elements(shape)) return;
        throw invalid(
                "%s has %d elements; shape (%d, %d, %d, %d) needs %d",
                label, count, shape[0], shape[1], shape[2], shape[3], elements(shape));
    }

    private static Pointer pointer(String label, Buffer buffer) {
        boolean swapped = buffer instanceof FloatBuffer floats && floats.order() != ByteOrder.nativeOrder();
        if (!buffer.isDirect() || swapped) throw invalid("%s must be a direct buffer in native order", label);
        int size = buffer instanceof FloatBuffer ? 4 : 1;
        return Native.getDirectBufferPointer(buffer).share((long) size * buffer.position());
    }

    // ---- The network ----

    private static final Cleaner CLEANER = Cleaner.create();

    /** What the library gave, freed when it is closed, or its owner collected, and the last call has left it. */
    private static final class Handle implements Runnable {
        private final Pointer pointer;
        private final String name;
        private final String free;
        private int calls;
        private boolean closed;

        Handle(Pointer pointer, String name, String free) {
            this.pointer = pointer;
            this.name = name;
            this.free = free;
        }

        synchronized Pointer enter() {
            if (closed) throw invalid("this %s is closed", name);
            calls++;
            return pointer;
        }

        synchronized void leave() {
            calls--;
            if (closed && calls == 0) free();
        }

        @Override
        public synchronized void run() {
            if (closed) return;
            closed = true;
            if (calls == 0) free();
        }

        private void free() {
            function(free).invokeVoid(new Object[] {pointer});
        }
    }

    private interface Call<T> {
        T with(Pointer pointer);
    }

    /** What has a handle. */
    private abstract static sealed class Owner implements AutoCloseable permits ResNet, Tape, Optimizer {
        private final Handle handle;
        private final Cleaner.Cleanable cleanable;

        private Owner(Handle handle) {
            this.handle = handle;
            cleanable = CLEANER.register(this, handle);
        }

        /** Frees it, after the last call that is in progress. Every other method then fails. */
        @Override
        public void close() {
            cleanable.clean();
        }

        <T> T use(Call<T> call) {
            Pointer pointer = handle.enter();
            try {
                return call.with(pointer);
            } finally {
                handle.leave();
                Reference.reachabilityFence(this);
            }
        }
    }

    // ---- Training ----

    /**
     * The data that a forward pass keeps for the backward pass: {@link ResNet#tape}. Close it before or after its
     * network.
     */
    public static final class Tape extends Owner {
        private Tape(Pointer pointer) {
            super(new Handle(pointer, "Tape", "tape_free"));
        }
    }

    /** Options of {@link ResNet#tape}; both are off in a new object. */
    public static final class TapeOptions {
        /** {@link ResNet#backward} can compute the gradient of the input, also through frozen stages. */
        public boolean inputGradient;
        /** Several backward passes can follow a forward pass. */
        public boolean retain;
        /** The backward pass recomputes activations within blocks instead of keeping them. */
        public boolean recompute;

        public TapeOptions() {}
    }

    /** SGD or AdamW with its state: {@link ResNet#optimizer}. Close it before or after its network. */
    public static final class Optimizer extends Owner {
        private Optimizer(Pointer pointer) {
            super(new Handle(pointer, "Optimizer", "optimizer_free"));
        }
    }

    /**
     * Parameters with a learning rate or a weight decay of their own; a parameter belongs to the first group that fits.
     *
     * @param prefix prefix of their names; "": any name
     * @param kinds a sum of {@code PARAMETERS_*}; 0: all
     * @param learningRateFactor multiplies the learning rate of a step
     * @param weightDecay in place of the options'
     */
    public record ParameterGroup(String prefix, int kinds, double learningRateFactor, double weightDecay) {}

    /** Options of {@link ResNet#optimizer}; a new object has PyTorch's defaults. */
    public static final class OptimizerOptions {
        /** {@code OPTIMIZER_*}. */
        public final int kind;
        /** Of SGD: Nesterov momentum. */
        public boolean nesterov;
        /** Of SGD. */
        public double momentum;
        /** Of SGD. */
        public double dampening;
        /** Of AdamW. */
        public double beta1;
        /** Of AdamW. */
        public double beta2;
        /** Of AdamW. */
        public double epsilon;
        /** For parameters outside of all groups. */
        public double weightDecay;
        /** Parameters with options of their own. */
        public List<ParameterGroup> groups = List.of();

        /** The defaults of {@code OPTIMIZER_SGD} or {@code OPTIMIZER_ADAMW}. */
        public OptimizerOptions(int kind) {
            COptimizerOptions raw = new COptimizerOptions();
            check("optimizer_options_init", raw, (long) raw.size(), kind);
            this.kind = kind;
            nesterov = raw.nesterov != 0;
            momentum = raw.momentum;
            dampening = raw.dampening;
            beta1 = raw.beta1;
            beta2 = raw.beta2;
            epsilon = raw.epsilon;
            weightDecay = raw.weight_decay;
        }

        private Pointer create(Pointer net) {
            COptimizerOptions raw = new COptimizerOptions();
            raw.struct_size = raw.size();
            raw.kind = kind;
            raw.nesterov = nesterov ? 1 : 0;
            raw.momentum = momentum;
            raw.dampening = dampening;
            raw.beta1 = beta1;
            raw.beta2 = beta2;
            raw.epsilon = epsilon;
            raw.weight_decay = weightDecay;
            raw.group_count = groups.size();
            CParameterGroup[] array = (CParameterGroup[]) new CParameterGroup().toArray(Math.max(groups.size(), 1));
            for (int i = 0; i < groups.size(); i++) {
                ParameterGroup group = groups.get(i);
                array[i].prefix = cText("prefix", group.prefix());
                array[i].kinds = group.kinds();
                array[i].learning_rate_factor = group.learningRateFactor();
                array[i].weight_decay = group.weightDecay();
                array[i].write();
            }
            raw.groups = array[0].getPointer();
            PointerByReference out = new PointerByReference();
            check("optimizer_create", net, raw, out);
            Reference.reachabilityFence(array);
            return out.getValue();
        }
    }

    /** A loss and its gradient with respect to the logits. */
    public record Loss(double value, Feature gradient) {}

    /**
     * The mean cross entropy of logits N, K, 1, 1 and N labels, and its gradient with respect to the logits.
     *
     * @param labels of images; {@link #IGNORED_LABEL} for one that does not count
     */
    public static Loss crossEntropy(Feature logits, long[] labels, double labelSmoothing) {
        CTensor input = new CTensor();
        CTensor output = new CTensor();
        logits.describe("logits", input);
        Memory gradient = logits.memory("logits");
        output.set(gradient, DTYPE_FLOAT32, logits.shape(), false);
        DoubleByReference loss = new DoubleByReference();
        check("cross_entropy", input, labels.clone(), (long) labels.length, labelSmoothing, loss, output);
        float[] values = gradient.getFloatArray(0, logits.data().length);
        return new Loss(loss.getValue(), new Feature(values, logits.shape().clone()));
    }

    /** A ResNet, in evaluation mode until {@link #setTraining}. */
    public static final class ResNet extends Owner {
        private final int outputCount;
        private final String report;

        private ResNet(Pointer pointer, String report) {
            super(new Handle(pointer, "ResNet", "free"));
            this.report = report;
            // A network of fewer stages gives fewer of the requested outputs.
            outputCount = Integer.bitCount(options().outStages);
        }

        /** A network with random weights, those of {@code initWeights(0)}. */
        public static ResNet create(Options options) {
            PointerByReference out = new PointerByReference();
            COptions raw = options.raw();
            check("create", raw, out);
            Reference.reachabilityFence(raw);
            return new ResNet(out.getValue(), null);
        }

        /**
         * The network that a checkpoint describes, with its weights; {@link #report} says what was found in it.
         *
         * @param options as for create; the file determines baseChannels, inChannels and the architecture, unless
         *     options.architecture names it
         * @param loadOptions as for loadWeights; null for the defaults
         */
        public static ResNet fromFile(Path path, Options options, LoadOptions loadOptions) {
            return fromFile(path.toString(), options, loadOptions);
        }

        /** As the other, for a path that is text. */
        public static ResNet fromFile(String path, Options options, LoadOptions loadOptions) {
            PointerByReference out = new PointerByReference();
            Memory file = cText("path", path);
            COptions raw = options.raw();
            String report =
                    loading(loadOptions, (how, result) -> check("create_from_file", file, raw, how, out, result));
            Reference.reachabilityFence(raw);
            return new ResNet(out.getValue(), report);
        }

        /** The report of {@link #fromFile} as JSON; null for a network that was made otherwise. */
        public String report() {
            return report;
        }

        private void call(String name, Object... more) {
            use(net -> {
                Object[] arguments = new Object[more.length + 1];
                arguments[0] = net;
                System.arraycopy(more, 0, arguments, 1, more.length);
                check(name, arguments);
                return null;
            });
        }

        /** Draws new weights, which are the same for the same seed. */
        public void initWeights(long seed) {
            call("init_weights", seed);
        }

        /**
         * Loads a .pth, a pickle of arrays or a safetensors file. A failed load changes nothing.
         *
         * @param options null for the defaults
         * @return a report of what was found, as JSON; the failure for a file that does not fit has it too
         */
        public String loadWeights(String path, LoadOptions options) {
            return use(net -> {
                Memory file = cText("path", path);
                return loading(options, (how, report) -> check("load_weights_with", net, file, how, report));
            });
        }

        /** Writes the weights, as a .pth or as safetensors, by the suffix of the path. */
        public void saveWeights(String path) {
            call("save_weights", cText("path", path));
        }

        /** Writes the weights under the names of another project ("detectron2", ...; see backbone.h). */
        public void saveWeightsWith(String path, String names) {
            call("save_weights_with", cText("path", path), cText("names", names));
        }

        /** Freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1). */
        public void freeze(int frozenStages) {
            call("freeze", frozenStages);
        }

        /** Enters or leaves training mode. */
        public void setTraining(boolean training) {
            call("set_training", training ? 1 : 0);
        }

        /** Whether the network is in training mode. */
        public boolean training() {
            IntByReference value = new IntByReference();
            call("get_training", value);
            return value.getValue() != 0;
        }

        /**
         * The current options, with the number of threads in use.
         *
         * <p>architecture is never null; it is "custom", and depth 0, for a network that only its file describes.
         */
        public Options options() {
            return use(net -> {
                COptions raw = new COptions();
                raw.struct_size = raw.size();
                check("get_options", net, raw);
                return new Options(raw, false);
            });
        }

        /**
         * The shapes N, C, H, W of the outputs for images of a shape N, C, H, W: C1, C2 to C5, pooled, logits, as far
         * as they were requested.
         */
        public long[][] outputShapes(long... shape) {
            if (shape.length != 4) throw invalid("the shape has %d sizes; it must have N, C, H and W", shape.length);
            return use(net -> outputShapes(net, shape));
        }

        private long[][] outputShapes(Pointer net, long[] shape) {
            long[] rows = new long[4 * outputCount];
            check("output_shapes", net, shape.clone(), rows, (long) outputCount);
            long[][] result = new long[outputCount][4];
            for (int i = 0; i < rows.length; i++) result[i / 4][i % 4] = rows[i];
            return result;
        }

        /** The outputs for a batch of images, in the order of {@link #outputShapes}. */
        public List<Feature> forward(Image image) {
            return features("forward", null, image);
        }

        private List<Feature> features(String name, Pointer tape, Image image) {
            return use(net -> {
                long[][] shapes = outputShapes(net, image.shape);
                pointer("the input", image.buffer, image.shape); // before memory is spent on one that is wrong
                FloatBuffer[] out = new FloatBuffer[shapes.length];
                for (int i = 0; i < out.length; i++) {
                    long bytes = 4 * elements(shapes[i]);
                    if (bytes > Integer.MAX_VALUE) throw invalid("out[%d] would have more than 2^31 bytes", i);
                    out[i] = floats(bytes / 4);
                }
                compute(name, net, tape, image, shapes, out);
                List<Feature> features = new ArrayList<>();
                for (int i = 0; i < out.length; i++) {
                    float[] data = new float[out[i].remaining()];
                    out[i].get(data);
                    features.add(new Feature(data, shapes[i]));
                }
                return features;
            });
        }

        /** Computes the outputs into the caller's direct buffers, one for each of outputShapes; NCHW. */
        public void forwardInto(Image image, FloatBuffer... out) {
            use(net -> {
                compute("forward", net, null, image, outputShapes(net, image.shape), out);
                return null;
            });
        }

        private void compute(
                String name, Pointer net, Pointer tape, Image image, long[][] shapes, FloatBuffer[] out) {
            CTensor input = new CTensor();
            input.set(pointer("the input", image.buffer, image.shape), image.dtype, image.shape, image.nhwc);
            if (out.length != outputCount) {
                throw invalid("out has %d buffers; this network gives %d", out.length, outputCount);
            }
            CTensor[] outputs = (CTensor[]) new CTensor().toArray(outputCount);
            for (int i = 0; i < outputCount; i++) {
                String label = "out[" + i + "]";
                if (out[i].isReadOnly()) throw invalid("%s is read-only", label);
                outputs[i].set(pointer(label, out[i], shapes[i]), DTYPE_FLOAT32, shapes[i], false);
            }
            try {
                Pointer first = outputs[0].getPointer();
                if (tape == null) check(name, net, input.getPointer(), first, (long) outputCount);
                else check(name, net, tape, input.getPointer(), first, (long) outputCount);
            } finally {
                Reference.reachabilityFence(input);
                Reference.reachabilityFence(outputs);
                Reference.reachabilityFence(image);
                Reference.reachabilityFence(out);
            }
        }

        /** Ends the calls in progress in other threads: they fail with STATUS_CANCELLED and change nothing. */
        public void cancel() {
            use(net -> function("cancel").invokeInt(new Object[] {net}));
        }

        /** An empty tape for this network; null options are the defaults. */
        public Tape tape(TapeOptions options) {
            CTapeOptions raw = new CTapeOptions();
            check("tape_options_init", raw, (long) raw.size());
            raw.input_gradient = options != null && options.inputGradient ? 1 : 0;
            raw.retain = options != null && options.retain ? 1 : 0;
            raw.recompute = options != null && options.recompute ? 1 : 0;
            PointerByReference out = new PointerByReference();
            call("tape_create", raw, out);
            return new Tape(out.getValue());
        }

        /** The memory that a tape uses, in bytes. */
        public long tapeBytes(Tape tape) {
            LongByReference bytes = new LongByReference();
            tape.use(pointer -> {
                call("tape_bytes", pointer, bytes);
                return null;
            });
            return bytes.getValue();
        }

        /** The outputs as {@link #forward} computes them; fills the tape for {@link #backward}. */
        public List<Feature> forwardTrain(Tape tape, Image image) {
            return tape.use(pointer -> features("forward_train", pointer, image));
        }

        /** The same into the caller's direct buffers, as {@link #forwardInto}. */
        public void forwardTrainInto(Tape tape, Image image, FloatBuffer... out) {
            tape.use(pointer -> use(net -> {
                compute("forward_train", net, pointer, image, outputShapes(net, image.shape), out);
                return null;
            }));
        }

        /**
         * Computes the gradients of the trainable parameters from those of the outputs.
         *
         * @param outputGradients one for each output; null stands for zeros
         * @param gradients a direct buffer of {@link #trainableCount} elements; null if they are not wanted
         * @param accumulate adds to the existing gradients
         */
        public void backward(Tape tape, List<Feature> outputGradients, FloatBuffer gradients, boolean accumulate) {
            backward(tape, outputGradients, null, null, gradients, accumulate);
        }

        /**
         * The same with the gradient of the input, which the tape's options must allow.
         *
         * @param inputGradient a direct buffer that receives it, NCHW
         * @param inputShape the shape of the images
         */
        public void backward(
                Tape tape,
                List<Feature> outputGradients,
                FloatBuffer inputGradient,
                long[] inputShape,
                FloatBuffer gradients,
                boolean accumulate) {
            CTensor[] outputs = tensors(outputGradients);
            long count = outputGradients.size();
            CTensor input = new CTensor();
            if (inputGradient != null) {
                input.set(pointer("input_gradient", inputGradient, inputShape), DTYPE_FLOAT32, inputShape, false);
            }
            Pointer ofInput = inputGradient == null ? null : input.getPointer();
            Pointer all = gradients == null ? null : pointer("gradients", gradients);
            long floats = gradients == null ? 0 : gradients.remaining();
            int flags = accumulate ? BACKWARD_ACCUMULATE : 0;
            tape.use(pointer -> {
                call("backward", pointer, outputs[0].getPointer(), count, ofInput, all, floats, flags);
                return null;
            });
            Reference.reachabilityFence(outputs);
            Reference.reachabilityFence(input);
            Reference.reachabilityFence(inputGradient);
            Reference.reachabilityFence(gradients);
        }

        // The C structs of the gradients of outputs, with room for at least one.
        private static CTensor[] tensors(List<Feature> outputGradients) {
            int count = outputGradients.size();
            CTensor[] outputs = (CTensor[]) new CTensor().toArray(Math.max(count, 1));
            for (int i = 0; i < count; i++) {
                Feature gradient = outputGradients.get(i);
                if (gradient == null) outputs[i].set(null, DTYPE_FLOAT32, new long[4], false);
                else gradient.describe("output_gradients[" + i + "]", outputs[i]);
            }
            return outputs;
        }

        /**
         * Computes the gradients with respect to outputs, such as those of a class's logit with respect to C5, from
         * those of the outputs. Outputs of frozen stages have gradients only on a tape with inputGradient.
         *
         * @param outputGradients as for {@link #backward}
         * @param inputShape the shape of the images
         * @param out direct buffers that receive them, one for each of {@link #outputShapes}, NCHW; null for those that
         *     are not wanted
         */
        public void featureGradients(
                Tape tape, List<Feature> outputGradients, long[] inputShape, FloatBuffer... out) {
            long[][] shapes = outputShapes(inputShape);
            CTensor[] outputs = tensors(outputGradients);
            CTensor[] features = (CTensor[]) new CTensor().toArray(outputCount);
            // The C function has one count for both.
            if (outputGradients.size() != out.length) {
                throw invalid("%d feature_gradients for %d output_gradients; pass one for each", out.length,
                        outputGradients.size());
            }
            for (int i = 0; i < Math.min(out.length, outputCount); i++) {
                String label = "feature_gradients[" + i + "]";
                if (out[i] != null && out[i].isReadOnly()) throw invalid("%s is read-only", label);
                Pointer data = out[i] == null ? null : pointer(label, out[i], shapes[i]);
                features[i].set(data, DTYPE_FLOAT32, shapes[i], false);
            }
            tape.use(pointer -> {
                Pointer first = features[0].getPointer();
                call("feature_gradients", pointer, outputs[0].getPointer(), (long) out.length, first);
                return null;
            });
            Reference.reachabilityFence(outputs);
            Reference.reachabilityFence(features);
            Reference.reachabilityFence(out);
        }

        /** Chooses which parameters outside of the frozen stages are trained: {@code TRAINABLE_*}. */
        public void setTrainable(int which) {
            call("set_trainable", which);
        }

        /** How many floats all trainable parameters together have. */
        public long trainableCount() {
            LongByReference count = new LongByReference();
            call("trainable_count", count);
            return count.getValue();
        }

        /** A part of the vector of all gradients; empty for an entry that is not trainable. */
        public record Slot(long offset, long count) {}

        /** Where the gradient of an entry of the state dict is in the vector of all gradients. */
        public Slot trainableSlot(long index) {
            LongByReference offset = new LongByReference();
            LongByReference count = new LongByReference();
            call("trainable_slot", index, offset, count);
            return new Slot(offset.getValue(), count.getValue());
        }

        /** Calls a function of the network and a vector of floats. */
        private void vector(String name, String label, FloatBuffer values, Object... more) {
            Object[] arguments = new Object[more.length + 2];
            arguments[0] = pointer(label, values);
            arguments[1] = (long) values.remaining();
            System.arraycopy(more, 0, arguments, 2, more.length);
            call(name, arguments);
            Reference.reachabilityFence(values);
        }

        /** Copies all trainable parameters to a direct buffer of trainableCount elements. */
        public void readTrainable(FloatBuffer out) {
            vector("read_trainable", "out", out);
        }

        /** Copies a direct buffer to all trainable parameters. */
        public void writeTrainable(FloatBuffer values) {
            vector("write_trainable", "values", values);
        }

        /** Scales gradients so that their Euclidean norm is at most {@code maxNorm}; the norm before. */
        public double clipGradients(FloatBuffer gradients, double maxNorm) {
            DoubleByReference norm = new DoubleByReference();
            vector("clip_gradients", "gradients", gradients, maxNorm, norm);
            return norm.getValue();
        }

        /** A new optimiser for the parameters that are trainable now. */
        public Optimizer optimizer(OptimizerOptions options) {
            return new Optimizer(use(options::create));
        }

        /**
         * Updates all trainable parameters from their gradients: one step of the optimiser.
         *
         * @param allowNotFinite computes also with gradients that are NaN or infinite, which otherwise fails with
         *     STATUS_NOT_FINITE
         */
        public void step(Optimizer optimizer, FloatBuffer gradients, double learningRate, boolean allowNotFinite) {
            Pointer all = pointer("gradients", gradients);
            int flags = allowNotFinite ? STEP_ALLOW_NOT_FINITE : 0;
            optimizer.use(pointer -> {
                call("optimizer_step", pointer, all, (long) gradients.remaining(), learningRate, flags);
                return null;
            });
            Reference.reachabilityFence(gradients);
        }

        /** Adapts a stale optimiser to the parameters that are trainable now. */
        public void follow(Optimizer optimizer) {
            optimizer.use(pointer -> {
                call("optimizer_follow", pointer);
                return null;
            });
        }

        /** Writes the weights and the state of an optimiser to one file that PyTorch can read. */
        public void saveTraining(Optimizer optimizer, String path, double learningRate) {
            optimizer.use(pointer -> {
                call("save_training", pointer, cText("path", path), learningRate);
                return null;
            });
        }

        /** Loads what saveTraining or PyTorch wrote; a report of what was found, as JSON. */
        public String loadTraining(Optimizer optimizer, String path) {
            Memory file = cText("path", path);
            return optimizer.use(pointer -> reported(report -> call("load_training", pointer, file, report)));
        }

        /** Begins to collect the statistics of BatchNorms from images: backbone_statistics_begin. */
        public void beginStatistics() {
            call("statistics_begin");
        }

        /** Adds the statistics of a batch. */
        public void addStatistics(Image image) {
            CTensor input = new CTensor();
            input.set(pointer("the input", image.buffer, image.shape), image.dtype, image.shape, image.nhwc);
            call("statistics_add", input.getPointer());
            Reference.reachabilityFence(input);
            Reference.reachabilityFence(image);
        }

        /** Replaces the running statistics by the collected ones. */
        public void commitStatistics() {
            call("statistics_commit");
        }

        /** Ends collecting and changes nothing. */
        public void cancelStatistics() {
            call("statistics_cancel");
        }
    }
}
