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
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
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

    private static String options() {
        Backbone.Options o = net.options();
        int[] integers = {
            o.depth, o.inChannels, o.baseChannels, o.outStages, o.frozenStages, o.normEval ? 1 : 0,
            o.zeroInitResidual ? 1 : 0, o.threads, o.channelOrder, o.arithmetic, o.style
        };
        String text = Arrays.stream(integers).mapToObj(String::valueOf).collect(Collectors.joining(" "));
        return "options " + text + " " + bits(o.normEps) + " " + bits(o.mean) + " " + bits(o.stdDev);
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

    /** Networks that are lost with their first forward, while another thread collects. */
    private static String churn(String[] words) throws InterruptedException {
        AtomicBoolean done = new AtomicBoolean();
        Thread collector = new Thread(() -> {
            while (!done.get()) {
                System.gc();
                LockSupport.parkNanos(2_000_000);
            }
        });
        collector.setDaemon(true);
        collector.start();
        for (int i = 0; i < Integer.parseInt(words[1]); i++) small().forward(black());
        done.set(true);
        collector.join();
        System.gc();
        Thread.sleep(100); // the cleaner has a thread of its own
        return "churned " + words[1];
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

    private static String run(String[] words) throws Exception {
        switch (words[0]) {
            case "open":
                Backbone.load(words[1]);
                return "ok";
            case "version":
                return "version " + Backbone.version() + " abi " + Backbone.ABI_VERSION;
            case "layout":
                Structure[] structs = {new Backbone.COptions(), new Backbone.CLoadOptions(), new Backbone.CTensor()};
                List<String> texts = new ArrayList<>();
                for (Structure struct : structs) texts.add(layout(struct));
                return String.join("\n", texts);
            case "create":
                create(words);
                return "created";
            case "from_file":
                net = Backbone.ResNet.fromFile(words[1], new Backbone.Options(), how(words));
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
                write(words[8], forwardInto(words, 0, 4));
                return "ok";
            case "forward_short":
                forwardInto(words, 1, 4);
                return "ok";
            case "forward_fewer":
                forwardInto(words, 0, 1);
                return "ok";
            case "churn":
                return churn(words);
            case "race":
                return race();
            case "close":
                net.close();
                return "closed";
            default:
                throw new IllegalArgumentException("no command " + words[0]);
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
