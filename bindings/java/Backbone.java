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
import com.sun.jna.ptr.IntByReference;
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
 * libbackbone for Java: the features C2 to C5 of a ResNet, on a CPU, from the checkpoints that PyTorch wrote.
 *
 * <p>This file is the whole binding; it needs Java 17 and JNA. The library is opened by the first call, as the file
 * that {@link #load} names, else as the one that the environment variable BACKBONE_LIBRARY names, else as
 * libbackbone.so.1 by the system's loader.
 *
 * <p>Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by {@code close}, or
 * when it is collected. Threads may share one: forwards in evaluation mode run side by side, what changes the network
 * waits until it has it alone, and a network that is closed during calls is freed after the last of them. Every failure
 * of the library is a {@link Failure} with its own message. (The message is kept for each thread of the system: call
 * from platform threads, not from virtual ones.)
 */
public final class Backbone {
    public static final int ABI_VERSION = 1;

    public static final int STATUS_INVALID_ARGUMENT = 1;
    public static final int STATUS_OUT_OF_MEMORY = 2;
    public static final int STATUS_FILE_NOT_FOUND = 3;
    public static final int STATUS_IO = 4;
    public static final int STATUS_BAD_CHECKPOINT = 5;
    public static final int STATUS_MISMATCH = 6;

    public static final int STAGE_C2 = 1;
    public static final int STAGE_C3 = 2;
    public static final int STAGE_C4 = 4;
    public static final int STAGE_C5 = 8;
    public static final int STAGE_ALL = 15;

    public static final int CHANNELS_AS_GIVEN = 0;
    public static final int CHANNELS_REVERSED = 1;
    public static final int NORMALIZE_UINT8 = 0;
    public static final int NORMALIZE_ALL = 1;

    public static final int ARITHMETIC_FAST = 0;
    public static final int ARITHMETIC_DIRECT = 1;

    public static final int STYLE_PYTORCH = 0;
    public static final int STYLE_CAFFE = 1;

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
        "version_string", "last_error_message", "options_init", "create", "free", "get_options", "init_weights",
        "load_options_init", "load_weights_with", "create_from_file", "save_weights", "report_to_json", "report_free",
        "freeze", "set_training", "get_training", "output_shapes", "forward"
    };
    private static Map<String, Function> functions;
    private static String loadedFrom;

    /** Opens the library, which no call before this one may have done; null: as every first call looks for it. */
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
        // Asked before anything else: another ABI may lack the other functions.
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
            throw unusable("%s is no libbackbone: it lacks backbone_%s", place, name);
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

    private static void check(String name, Object... arguments) {
        int status = function(name).invokeInt(arguments);
        if (status == 0) return;
        Pointer message = function("last_error_message").invokePointer(new Object[0]);
        throw new Failure(status, message.getString(0, "UTF-8"), null);
    }

    /** Text as C takes it, which would take a zero byte for its end. */
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
        "reserved", "normalization", "reserved2"
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
    }

    /** backbone_load_options. */
    @FieldOrder({
        "struct_size", "strict", "key", "prefix", "input_channels", "channel_map_length", "channel_map",
        "allow_missing", "ignore_modules", "max_stream_bytes"
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

    // ---- Options ----

    /** What to build; a new object has the library's defaults: a ResNet-50, three channels, all features. */
    public static final class Options {
        /** 18, 34, 50, 101 or 152. */
        public int depth;
        /** Channels of the input. */
        public int inChannels;
        /** Width of the stem. */
        public int baseChannels;
        /** Which features to compute: a sum of {@code STAGE_*}. */
        public int outStages;
        /** As for {@link ResNet#freeze}. */
        public int frozenStages;
        /** In training mode too, every BatchNorm uses its running statistics. */
        public boolean normEval;
        /** {@link ResNet#initWeights} sets the weight of the last BatchNorm of each block to 0. */
        public boolean zeroInitResidual;
        /** Threads that one forward may use; 0: those that the system leaves to this process. */
        public int threads;
        /** {@code CHANNELS_*}, for the images that {@code normalization} names. */
        public int channelOrder;
        /** {@code ARITHMETIC_*}. */
        public int arithmetic;
        /** {@code STYLE_*}. */
        public int style;
        /** Added to the variances of every BatchNorm. */
        public float normEps;
        /** {@code NORMALIZE_*}: the images that channelOrder, mean and stdDev apply to. */
        public int normalization;
        /** Subtracted from those images, a value for each channel; null: 0. */
        public float[] mean;
        /** What they are then divided by, a value for each channel; null: 1. */
        public float[] stdDev;

        public Options() {
            this(new COptions(), true);
        }

        private Options(COptions raw, boolean defaults) {
            if (defaults) check("options_init", raw, (long) raw.size());
            depth = raw.depth;
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
        /** Names of the file that the network lacks are errors. */
        public boolean strict;
        /** The keys that lead to the dict of tensors, joined by dots; null: found. */
        public String key;
        /** What the names of the backbone begin with; null: found. */
        public String prefix;
        /** Weights and running statistics that the file lacks keep their values; otherwise they are errors. */
        public boolean allowMissing;
        /** Modules of the file that the network does not compute are left out; otherwise they are errors. */
        public boolean ignoreModules;
        /** The most bytes to read from a pipe, as an unsigned number; 0: 4 GiB. */
        public long maxStreamBytes;

        public LoadOptions() {}
    }

    private interface Load {
        void call(CLoadOptions how, PointerByReference report);
    }

    /** Calls a function with the options as C takes them, and returns the report as JSON. */
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
        }
        PointerByReference report = new PointerByReference();
        try {
            load.call(raw, report);
            return json(report.getValue());
        } catch (Failure failure) {
            if (report.getValue() == null) throw failure;
            throw new Failure(failure.status(), failure.getMessage(), json(report.getValue()));
        } finally {
            if (report.getValue() != null) function("report_free").invokeVoid(new Object[] {report.getValue()});
            Reference.reachabilityFence(raw);
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

        /** The same elements, which lie in memory by planes of a channel, as PyTorch keeps tensors. */
        public Image nchw() {
            return new Image(buffer, dtype, shape, false);
        }

        /** The same elements, which lie in memory by pixels, as decoders of images write them. */
        public Image nhwc() {
            return new Image(buffer, dtype, shape, true);
        }
    }

    /** Elements that the network takes as they are, NCHW in memory, copied by this call; the shape is N, C, H, W. */
    public static Image float32(float[] elements, long... shape) {
        FloatBuffer buffer = ByteBuffer.allocateDirect(Math.multiplyExact(4, elements.length))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        return float32(buffer.put(elements).flip(), shape);
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

    /** One feature of a batch: its elements, NCHW, and its shape N, C, H, W. */
    public record Feature(float[] data, long[] shape) {}

    private static long elements(long[] shape) {
        long product = 1;
        for (long size : shape) {
            if (Math.multiplyHigh(product, size) != 0 || product * size < 0) return Long.MAX_VALUE;
            product *= size;
        }
        return product;
    }

    /** Where the remaining elements of a direct buffer begin, if there are as many as the shape has. */
    private static Pointer pointer(String label, Buffer buffer, long[] shape) {
        if (buffer.remaining() != elements(shape)) {
            throw invalid(
                    "%s has %d elements; shape (%d, %d, %d, %d) needs %d",
                    label, buffer.remaining(), shape[0], shape[1], shape[2], shape[3], elements(shape));
        }
        boolean swapped = buffer instanceof FloatBuffer floats && floats.order() != ByteOrder.nativeOrder();
        if (!buffer.isDirect() || swapped) throw invalid("%s must be a direct buffer in native order", label);
        int size = buffer instanceof FloatBuffer ? 4 : 1;
        return Native.getDirectBufferPointer(buffer).share((long) size * buffer.position());
    }

    // ---- The network ----

    private static final Cleaner CLEANER = Cleaner.create();

    /** A {@code backbone *} that is freed when it is closed, or its owner collected, and the last call has left it. */
    private static final class Handle implements Runnable {
        private final Pointer pointer;
        private int calls;
        private boolean closed;

        Handle(Pointer pointer) {
            this.pointer = pointer;
        }

        synchronized Pointer enter() {
            if (closed) throw invalid("this ResNet is closed");
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
            function("free").invokeVoid(new Object[] {pointer});
        }
    }

    /** A ResNet without its pooling and classifier, in evaluation mode until {@link #setTraining}. */
    public static final class ResNet implements AutoCloseable {
        private final Handle handle;
        private final Cleaner.Cleanable cleanable;
        private final int stages;
        private final String report;

        private ResNet(Pointer pointer, int outStages, String report) {
            handle = new Handle(pointer);
            cleanable = CLEANER.register(this, handle);
            stages = Integer.bitCount(outStages);
            this.report = report;
        }

        /** A network with random weights, those of {@code initWeights(0)}. */
        public static ResNet create(Options options) {
            PointerByReference out = new PointerByReference();
            COptions raw = options.raw();
            check("create", raw, out);
            Reference.reachabilityFence(raw);
            return new ResNet(out.getValue(), options.outStages, null);
        }

        /**
         * The network that a checkpoint describes, with its weights; {@link #report} says what was found in it.
         *
         * @param options as for create; depth, baseChannels and inChannels are those of the file
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
            return new ResNet(out.getValue(), options.outStages, report);
        }

        /** The report of {@link #fromFile} as JSON; null for a network that was made otherwise. */
        public String report() {
            return report;
        }

        /** Frees the network, after the last call that is in progress. Every other method then fails. */
        @Override
        public void close() {
            cleanable.clean();
        }

        private interface Call<T> {
            T with(Pointer net);
        }

        private <T> T use(Call<T> call) {
            Pointer net = handle.enter();
            try {
                return call.with(net);
            } finally {
                handle.leave();
                Reference.reachabilityFence(this);
            }
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

        /** Writes the weights, as a .pth or as safetensors, by the ending of the path. */
        public void saveWeights(String path) {
            call("save_weights", cText("path", path));
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

        /** The options as they stand now, with the number of threads in use. */
        public Options options() {
            return use(net -> {
                COptions raw = new COptions();
                raw.struct_size = raw.size();
                check("get_options", net, raw);
                return new Options(raw, false);
            });
        }

        /** The shapes N, C, H, W of the features of images of a shape N, C, H, W, from C2 to C5. */
        public long[][] outputShapes(long... shape) {
            if (shape.length != 4) throw invalid("the shape has %d sizes; it must have N, C, H and W", shape.length);
            return use(net -> outputShapes(net, shape));
        }

        private long[][] outputShapes(Pointer net, long[] shape) {
            long[] rows = new long[4 * stages];
            check("output_shapes", net, shape.clone(), rows, (long) stages);
            long[][] result = new long[stages][4];
            for (int i = 0; i < rows.length; i++) result[i / 4][i % 4] = rows[i];
            return result;
        }

        /** The features of a batch of images, from C2 to C5. */
        public List<Feature> forward(Image image) {
            return use(net -> {
                long[][] shapes = outputShapes(net, image.shape);
                pointer("the input", image.buffer, image.shape); // before memory is spent on one that is wrong
                FloatBuffer[] out = new FloatBuffer[shapes.length];
                for (int i = 0; i < out.length; i++) {
                    long bytes = 4 * elements(shapes[i]);
                    if (bytes > Integer.MAX_VALUE) throw invalid("C%d would have more than 2^31 bytes", i + 2);
                    out[i] = ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
                }
                forward(net, image, shapes, out);
                List<Feature> features = new ArrayList<>();
                for (int i = 0; i < out.length; i++) {
                    float[] data = new float[out[i].remaining()];
                    out[i].get(data);
                    features.add(new Feature(data, shapes[i]));
                }
                return features;
            });
        }

        /** Computes the features into the caller's direct buffers, one for each of outputShapes; NCHW. */
        public void forwardInto(Image image, FloatBuffer... out) {
            use(net -> {
                forward(net, image, outputShapes(net, image.shape), out);
                return null;
            });
        }

        private void forward(Pointer net, Image image, long[][] shapes, FloatBuffer[] out) {
            CTensor input = new CTensor();
            input.set(pointer("the input", image.buffer, image.shape), image.dtype, image.shape, image.nhwc);
            if (out.length != stages) throw invalid("out has %d buffers; this network gives %d", out.length, stages);
            CTensor[] outputs = (CTensor[]) new CTensor().toArray(stages);
            for (int i = 0; i < stages; i++) {
                String label = "out[" + i + "]";
                if (out[i].isReadOnly()) throw invalid("%s is read-only", label);
                outputs[i].set(pointer(label, out[i], shapes[i]), DTYPE_FLOAT32, shapes[i], false);
            }
            try {
                check("forward", net, input.getPointer(), outputs[0].getPointer(), (long) stages);
            } finally {
                Reference.reachabilityFence(input);
                Reference.reachabilityFence(outputs);
                Reference.reachabilityFence(image);
                Reference.reachabilityFence(out);
            }
        }
    }
}
