// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import com.sun.jna.Structure;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** The commands of bindings/tests/probe.c, through the binding. */
public class Probe {
    private static Backbone.ResNet net;

    private static long[] shape(String[] words, int first) {
        return Arrays.stream(words, first, first + 4).mapToLong(Long::parseLong).toArray();
    }

    private static float[] numbers(String word) {
        if (word.equals("-")) return null;
        String[] parts = word.split(",");
        float[] result = new float[parts.length];
        for (int i = 0; i < parts.length; i++) result[i] = Float.parseFloat(parts[i]);
        return result;
    }

    private static Backbone.LoadOptions how(String[] words) {
        Backbone.LoadOptions options = new Backbone.LoadOptions();
        options.strict = words[2].equals("1");
        options.key = words[3].equals("-") ? null : words[3];
        options.prefix = words[4].equals("-") ? null : words[4];
        options.allowMissing = words[5].equals("1");
        options.ignoreModules = words[6].equals("1");
        options.maxStreamBytes = Long.parseUnsignedLong(words[7]);
        options.head = Integer.parseInt(words[8]);
        return options;
    }

    private static String bits(float... values) {
        if (values == null) return "-";
        return IntStream.range(0, values.length)
                .mapToObj(i -> Integer.toUnsignedString(Float.floatToRawIntBits(values[i])))
                .collect(Collectors.joining(","));
    }

    private static void create(String[] words) {
        Backbone.Options o = new Backbone.Options();
        o.depth = Integer.parseInt(words[1]);
        o.inChannels = Integer.parseInt(words[2]);
        o.baseChannels = Integer.parseInt(words[3]);
        o.outStages = Integer.parseInt(words[4]);
        o.frozenStages = Integer.parseInt(words[5]);
        o.normEval = words[6].equals("1");
        o.zeroInitResidual = words[7].equals("1");
        o.threads = Integer.parseInt(words[8]);
        o.channelOrder = Integer.parseInt(words[9]);
        o.arithmetic = Integer.parseInt(words[10]);
        o.style = Integer.parseInt(words[11]);
        o.normEps = Float.parseFloat(words[12]);
        o.mean = numbers(words[13]);
        o.stdDev = numbers(words[14]);
        net = Backbone.ResNet.create(o);
    }

    /** A depth that is not given is 0: its default would contradict the name. */
    private static void named(String[] words) {
        Backbone.Options o = new Backbone.Options();
        o.architecture = words[1].equals("-") ? null : words[1];
        o.depth = words[2].equals("-") ? 0 : Integer.parseInt(words[2]);
        o.baseChannels = 4;
        o.threads = 2;
        net = Backbone.ResNet.create(o);
    }

    private static int[] list(String text) {
        return Arrays.stream(text.split(",")).mapToInt(Integer::parseInt).toArray();
    }

    private static String listed(int[] values) {
        if (values == null) return "-";
        return Arrays.stream(values).mapToObj(String::valueOf).collect(Collectors.joining(","));
    }

    /** The defaults with what the words from `first` on say; the fields have C's names in another spelling. */
    private static Backbone.Options given(String[] words, int first) throws ReflectiveOperationException {
        Backbone.Options options = new Backbone.Options();
        for (int i = first; i < words.length; i++) {
            String[] parts = words[i].split("=", 2);
            var field = Backbone.Options.class.getField(camel(parts[0]));
            if (field.getType() == int.class) {
                field.setInt(options, Integer.parseInt(parts[1]));
            } else {
                field.set(options, field.getType() == String.class ? parts[1] : list(parts[1]));
            }
        }
        return options;
    }

    private static String camel(String name) {
        return Pattern.compile("_(.)").matcher(name).replaceAll(found -> found.group(1).toUpperCase());
    }

    private static String options() {
        Backbone.Options o = net.options();
        int[] integers = {
            o.depth, o.inChannels, o.baseChannels, o.outStages, o.frozenStages, o.normEval ? 1 : 0,
            o.zeroInitResidual ? 1 : 0, o.threads, o.channelOrder, o.arithmetic, o.style
        };
        String text = Arrays.stream(integers).mapToObj(String::valueOf).collect(Collectors.joining(" "));
        String floats = bits(o.normEps) + " " + bits(o.mean) + " " + bits(o.stdDev);
        int[] more = {
            o.numClasses, o.outputStride, o.dilatedStages, o.dilationRule, o.block, o.groups, o.widthPerGroup, o.stem,
            o.stemChannels, o.stemPooling, o.shortcut, o.norm, o.attention, o.antiAliasing, o.preactivation
        };
        String fields = Arrays.stream(more).mapToObj(String::valueOf).collect(Collectors.joining(" "));
        String lists = listed(o.blockCounts) + " " + listed(o.blockWidths);
        return String.join(" ", "options", text, floats, fields, lists, o.architecture);
    }

    private static String layout(Structure struct) throws ReflectiveOperationException {
        var lines = new ArrayList<String>();
        String name = struct.getClass().getSimpleName().substring(1).replaceAll("(?<=.)([A-Z])", "_$1").toLowerCase();
        lines.add("backbone_" + name + " " + struct.size());
        var offset = Structure.class.getDeclaredMethod("fieldOffset", String.class);
        offset.setAccessible(true);
        for (String field : struct.getClass().getAnnotation(Structure.FieldOrder.class).value()) {
            Class<?> type = struct.getClass().getField(field).getType();
            int size = type == int.class || type == float.class ? 4 : type == long[].class ? 32 : 8;
            if (type == int[].class) size = 16; // and a pointer, a long or a double has 8 bytes
            lines.add(field + " " + offset.invoke(struct, field) + " " + size);
        }
        return String.join("\n", lines);
    }

    private static Backbone.Image image(String[] words) throws IOException {
        byte[] bytes = Files.readAllBytes(Path.of(words[7]));
        long[] shape = shape(words, 3);
        float[] floats = new float[bytes.length / 4];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
        Backbone.Image image =
                words[1].equals("uint8") ? Backbone.uint8(bytes, shape) : Backbone.float32(floats, shape);
        return words[2].equals("nhwc") ? image.nhwc() : image.nchw();
    }

    private static void write(String path, List<float[]> buffers) throws IOException {
        int count = buffers.stream().mapToInt(buffer -> buffer.length).sum();
        ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        FloatBuffer floats = bytes.asFloatBuffer();
        buffers.forEach(floats::put);
        Files.write(Path.of(path), bytes.array());
    }

    private static List<float[]> forwardInto(String[] words, int less, int most) throws IOException {
        FloatBuffer[] out = Arrays.stream(net.outputShapes(shape(words, 3)))
                .limit(most)
                .map(sizes -> (int) Arrays.stream(sizes).reduce(1, (a, b) -> a * b) - less)
                .map(count -> ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder()).asFloatBuffer())
                .toArray(FloatBuffer[]::new);
        net.forwardInto(image(words), out);
        List<float[]> result = new ArrayList<>();
        for (FloatBuffer buffer : out) {
            float[] values = new float[buffer.remaining()];
            buffer.get(values);
            result.add(values);
        }
        return result;
    }

    private static Backbone.ResNet small() {
        Backbone.Options options = new Backbone.Options();
        options.depth = 18;
        options.baseChannels = 4;
        return Backbone.ResNet.create(options);
    }

    private static Backbone.Image black() {
        return Backbone.float32(new float[3 * 8 * 8], 1, 3, 8, 8);
    }

    /** Objects that are lost with their first use, while another thread collects. */
    private static String collecting(int count, Runnable use) throws InterruptedException {
        AtomicBoolean done = new AtomicBoolean();
        Thread collector = new Thread(() -> {
            while (!done.get()) {
                System.gc();
                LockSupport.parkNanos(2_000_000);
            }
        });
        collector.setDaemon(true);
        collector.start();
        for (int i = 0; i < count; i++) use.run();
        done.set(true);
        collector.join();
        System.gc();
        Thread.sleep(100); // the cleaner has a thread of its own
        return "churned " + count;
    }

    private static String race() throws InterruptedException {
        Backbone.ResNet net = small();
        Backbone.Image image = black();
        CompletableFuture<Integer> call = CompletableFuture.supplyAsync(() -> net.forward(image).size());
        Thread.sleep(200);
        net.close();
        String when = call.isDone() ? "after" : "during";
        return "closed " + when + " the call\nthe call gave " + call.join() + " features";
    }

    private static String cancel(String[] words) throws Exception {
        Backbone.Image image = image(words);
        CompletableFuture<Integer> call = CompletableFuture.supplyAsync(() -> net.forward(image).size());
        while (!call.isDone()) {
            net.cancel();
            Thread.sleep(1);
        }
        try {
            return "not cancelled: " + call.join();
        } catch (CompletionException exception) {
            throw (Backbone.Failure) exception.getCause();
        }
    }

    // ---- Training ----

    private static Backbone.Tape tape;
    private static Backbone.Optimizer optimizer;
    private static long[] inputShape;
    private static List<Backbone.Feature> features;
    private static Backbone.Feature lossGradient;
    private static FloatBuffer gradients;

    private static float[] array(FloatBuffer buffer) {
        float[] values = new float[buffer.remaining()];
        buffer.duplicate().get(values);
        return values;
    }

    private static double given(String word, double otherwise) {
        return word.equals("-") ? otherwise : Double.parseDouble(word);
    }

    private static void newOptimizer(String[] words) {
        var o = new Backbone.OptimizerOptions(Integer.parseInt(words[1]));
        o.nesterov = words[2].equals("1");
        o.momentum = given(words[3], o.momentum);
        o.dampening = given(words[4], o.dampening);
        o.beta1 = given(words[5], o.beta1);
        o.beta2 = given(words[6], o.beta2);
        o.epsilon = given(words[7], o.epsilon);
        o.weightDecay = given(words[8], o.weightDecay);
        o.groups = new ArrayList<>();
        for (int i = 9; i < words.length; i++) {
            String[] parts = words[i].split(":");
            o.groups.add(new Backbone.ParameterGroup(
                    parts[0].equals("-") ? "" : parts[0],
                    Integer.parseInt(parts[1]),
                    Double.parseDouble(parts[2]),
                    Double.parseDouble(parts[3])));
        }
        optimizer = net.optimizer(o);
    }

    private static List<Backbone.Feature> givenGradients(String[] words) {
        List<Backbone.Feature> given = new ArrayList<>(features);
        if (words[1].equals("loss")) {
            given.replaceAll(feature -> null);
            given.set(given.size() - 1, lossGradient);
        }
        return given;
    }

    private static void featureGradients(String[] words, int less, int most) throws IOException {
        FloatBuffer[] wanted = new FloatBuffer[Math.min(features.size(), most)];
        for (int i = 0; i < wanted.length; i++) {
            if (words[2].charAt(i) == '1') wanted[i] = Backbone.floats(features.get(i).data().length - less);
        }
        net.featureGradients(tape, givenGradients(words), inputShape, wanted);
        write(words[3], Arrays.stream(wanted).filter(buffer -> buffer != null).map(Probe::array).toList());
    }

    private static void backward(String[] words, boolean withInput) throws IOException {
        List<Backbone.Feature> given = givenGradients(words);
        if (words[2].equals("0")) gradients = Backbone.floats(net.trainableCount());
        List<float[]> buffers = new ArrayList<>();
        if (withInput) {
            FloatBuffer input = Backbone.floats(Arrays.stream(inputShape).reduce(1, (a, b) -> a * b));
            net.backward(tape, given, input, inputShape, gradients, words[2].equals("1"));
            buffers.add(array(input));
        } else {
            net.backward(tape, given, gradients, words[2].equals("1"));
        }
        buffers.add(array(gradients));
        write(words[3], buffers);
    }

    private static String train(String[] words) throws Exception {
        switch (words[0]) {
            case "trainable":
                net.setTrainable(Integer.parseInt(words[1]));
                return "trainable " + net.trainableCount();
            case "slot":
                Backbone.ResNet.Slot slot = net.trainableSlot(Long.parseLong(words[1]));
                return "slot " + slot.offset() + " " + slot.count();
            case "tape":
                var options = new Backbone.TapeOptions();
                options.inputGradient = words[1].equals("1");
                options.retain = words[2].equals("1");
                tape = net.tape(options);
                return "ok";
            case "forward_train":
                features = net.forwardTrain(tape, image(words));
                inputShape = shape(words, 3);
                write(words[8], features.stream().map(Backbone.Feature::data).toList());
                return "ok";
            case "bytes":
                return "bytes " + net.tapeBytes(tape);
            case "loss":
                long[] labels = Arrays.stream(words[1].split(",")).mapToLong(Long::parseLong).toArray();
                Backbone.Feature logits = features.get(features.size() - 1);
                Backbone.Loss loss = Backbone.crossEntropy(logits, labels, Double.parseDouble(words[2]));
                lossGradient = loss.gradient();
                return "loss " + Double.doubleToRawLongBits(loss.value());
            case "backward":
                backward(words, false);
                return "ok";
            case "backward_input":
                backward(words, true);
                return "ok";
            case "feature_gradients":
                featureGradients(words, 0, 7);
                return "ok";
            case "feature_gradients_short":
                featureGradients(words, 1, 7);
                return "ok";
            case "feature_gradients_fewer":
                featureGradients(words, 0, 1);
                return "ok";
            case "clip":
                double most = words[1].equals("inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(words[1]);
                return "norm " + Double.doubleToRawLongBits(net.clipGradients(gradients, most));
            case "optimizer":
                newOptimizer(words);
                return "ok";
            case "step":
                net.step(optimizer, gradients, Double.parseDouble(words[1]), words[2].equals("1"));
                return "ok";
            case "spoil":
                gradients.put(0, Float.POSITIVE_INFINITY);
                return "ok";
            case "follow":
                net.follow(optimizer);
                return "ok";
            case "parameters":
                gradients = Backbone.floats(net.trainableCount());
                net.readTrainable(gradients);
                net.writeTrainable(gradients);
                write(words[1], List.of(array(gradients)));
                return "ok";
            case "save_training":
                net.saveTraining(optimizer, words[1], Double.parseDouble(words[2]));
                return "ok";
            case "load_training":
                return "ok report " + net.loadTraining(optimizer, words[1]);
            case "save_as":
                net.saveWeightsWith(words[1], words[2]);
                return "ok";
            case "free":
                if (words[1].equals("tape")) tape.close();
                else optimizer.close();
                return "ok";
            case "churn_training":
                return collecting(Integer.parseInt(words[1]), () -> {
                    Backbone.ResNet net = small();
                    net.forwardTrain(net.tape(null), Backbone.float32(new float[3 * 32 * 32], 1, 3, 32, 32));
                    var sgd = new Backbone.OptimizerOptions(Backbone.OPTIMIZER_SGD);
                    net.step(net.optimizer(sgd), Backbone.floats(net.trainableCount()), 0, false);
                });
            default:
                throw new IllegalArgumentException("no command " + words[0]);
        }
    }

    private static String run(String[] words) throws Exception {
        switch (words[0]) {
            case "open":
                Backbone.load(words[1]);
                return "ok";
            case "version":
                return "version " + Backbone.version() + " abi " + Backbone.ABI_VERSION;
            case "layout":
                Structure[] structs = {
                    new Backbone.COptions(), new Backbone.CLoadOptions(), new Backbone.CTensor(),
                    new Backbone.CTapeOptions(), new Backbone.CParameterGroup(), new Backbone.COptimizerOptions()
                };
                List<String> texts = new ArrayList<>();
                for (Structure struct : structs) texts.add(layout(struct));
                return String.join("\n", texts);
            case "create":
                create(words);
                return "created";
            case "named":
                named(words);
                return "created";
            case "build":
                net = Backbone.ResNet.create(given(words, 1));
                return "created";
            case "architectures":
                return "architectures " + String.join(" ", Backbone.architectures());
            case "from_file":
                net = Backbone.ResNet.fromFile(words[1], given(words, 9), how(words));
                return "created report " + net.report();
            case "options":
                return options();
            case "init":
                net.initWeights(Long.parseUnsignedLong(words[1]));
                return "ok";
            case "load":
                return "ok report " + net.loadWeights(words[1], how(words));
            case "save":
                net.saveWeights(words[1]);
                return "ok";
            case "freeze":
                net.freeze(Integer.parseInt(words[1]));
                return "ok";
            case "training":
                net.setTraining(words[1].equals("1"));
                return "training " + (net.training() ? 1 : 0);
            case "shapes":
                LongStream sizes = Arrays.stream(net.outputShapes(shape(words, 1))).flatMapToLong(Arrays::stream);
                return "shapes " + sizes.mapToObj(String::valueOf).collect(Collectors.joining(" "));
            case "forward":
                write(words[8], net.forward(image(words)).stream().map(Backbone.Feature::data).toList());
                return "ok";
            case "forward_into":
                write(words[8], forwardInto(words, 0, 7));
                return "ok";
            case "forward_short":
                forwardInto(words, 1, 7);
                return "ok";
            case "forward_fewer":
                forwardInto(words, 0, 1);
                return "ok";
            case "churn":
                return collecting(Integer.parseInt(words[1]), () -> small().forward(black()));
            case "race":
                return race();
            case "cancel":
                return cancel(words);
            case "close":
                net.close();
                return "closed";
            default:
                return train(words);
        }
    }

    public static void main(String[] arguments) throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                System.out.println(run(line.split(" ")));
            } catch (Backbone.Failure failure) {
                String report = failure.report() == null ? "" : " report " + failure.report();
                System.out.println("error " + failure.status() + " " + failure.getMessage() + report);
            }
        }
    }
}
