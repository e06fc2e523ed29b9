package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.CudaGraph;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.generation.Generator;
import dev.recurrent.zoo.generation.PreparedModel;
import dev.recurrent.zoo.generation.Session;
import dev.recurrent.zoo.generation.TokenStream;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Decoding by a graph, beside plain passes on the same device and on the CPU. */
@Tag("cuda")
class DecodingTest {

    private static final List<String> PROMPTS =
            List.of("a", "hello there", "The quick brown fox jumps over it".repeat(2), "zz");

    private static final GenerationConfig GREEDY =
            GenerationConfig.builder().optMaxNewTokens(40).optIgnoreEndOfText(true).build();

    @TempDir private Path folder;
    private NDManager manager;
    private CudaDevice device;
    private final PrintStream errors = System.err;
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    static Stream<Preset> entries() {
        return Presets.all().stream().filter(preset -> preset.size().equals(Preset.TINY));
    }

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
        device = Kernels.on(Device.gpu()).orElseThrow();
        System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void close() {
        System.setErr(errors);
        if (manager != null) {
            manager.close();
        }
    }

    private static List<List<Long>> generate(Pretrained model, GenerationConfig... configs) {
        List<GenerationConfig> each = new ArrayList<>();
        for (int i = 0; i < PROMPTS.size(); i++) {
            each.add(configs[i % configs.length]);
        }
        return new Generator(model.model(), model.tokenizer(), model.manager())
                .generate(PROMPTS, each).stream().map(GenerationResult::ids).toList();
    }

    @ParameterizedTest
    @MethodSource("entries")
    void aGraphGivesTheTokensOfPlainPasses(Preset preset) throws Exception {
        try (Pretrained cpu = Pretrained.create(preset.config(), Device.cpu(), 3)) {
            cpu.save(folder, ScalarType.FLOAT32);
            List<List<Long>> wanted = generate(cpu, GREEDY);
            try (Pretrained gpu = Pretrained.load(folder, Device.gpu())) {
                assertThat(generate(gpu, GREEDY)).isEqualTo(wanted);
                assertThat(Kernels.without(() -> generate(gpu, GREEDY))).isEqualTo(wanted);
                // Texts that end earlier leave the batch.
                GenerationConfig few = GREEDY.toBuilder().optMaxNewTokens(7).build();
                List<List<Long>> mixed = generate(gpu, few, GREEDY, few, few);
                for (int i = 0; i < wanted.size(); i++) {
                    assertThat(mixed.get(i)).isEqualTo(wanted.get(i).subList(0, i == 1 ? 40 : 7));
                }
                List<List<Long>> narrow =
                        MatrixPrecision.BFLOAT16.during(() -> generate(gpu, GREEDY));
                assertThat(MatrixPrecision.BFLOAT16.during(() -> generate(gpu, GREEDY)))
                        .isEqualTo(narrow);
            }
        }
        assertThat(said.toString(StandardCharsets.UTF_8)).doesNotContain("without a CUDA graph");
    }

    @Test
    void equalSeedsGiveEqualTexts() {
        GenerationConfig drawn =
                GREEDY.toBuilder()
                        .optTemperature(1)
                        .optTopK(40)
                        .optTopP(0.95)
                        .optRepetitionPenalty(1.2)
                        .optSeed(11)
                        .build();
        Preset preset = entries().findFirst().orElseThrow();
        try (Pretrained gpu = Pretrained.create(preset.config(), Device.gpu(), 3)) {
            List<List<Long>> first = generate(gpu, drawn);
            assertThat(generate(gpu, drawn)).isEqualTo(first);
            assertThat(generate(gpu, drawn.toBuilder().optSeed(12).build())).isNotEqualTo(first);
            assertThat(Kernels.without(() -> generate(gpu, drawn))).isEqualTo(first);
        }
    }

    /** Growing caches, passes of several tokens between, forks and dropped rows. */
    @ParameterizedTest
    @MethodSource("entries")
    void aSessionStaysTheSame(Preset preset) {
        try (Pretrained gpu = Pretrained.create(preset.config(), Device.gpu(), 3)) {
            NDArray graph = logits(gpu);
            NDArray plain = Kernels.without(() -> logits(gpu));
            // Hundreds of tokens in fp32, whose order of summation differs.
            Tensors.assertClose(preset.artifactId(), graph, plain, 1e-3);
        }
        assertThat(said.toString(StandardCharsets.UTF_8)).doesNotContain("without a CUDA graph");
    }

    private NDArray logits(Pretrained model) {
        ParameterStore store = new ParameterStore(manager, false);
        try (Session session = new Session(model.model(), store, manager, 3)) {
            session.feed(new long[][] {{1, 2, 3}, {4}, {5, 6}}, 2);
            feed(session, 300);
            session.feed(new long[][] {{7, 8, 9}, {1, 2}, {3, 3, 3}}, 8);
            feed(session, 5);
            session.keep(2, 0);
            feed(session, 5);
            try (Session fork = session.fork(1, 0, 1)) {
                feed(session, 3);
                NDArray logits = feed(fork, 4).duplicate();
                logits.attach(manager);
                return logits;
            }
        }
    }

    private static NDArray feed(Session session, int times) {
        NDArray logits = null;
        for (int i = 0; i < times; i++) {
            long[][] ids = new long[session.rows()][];
            for (int row = 0; row < ids.length; row++) {
                ids[row] = new long[] {(31L * i + 7L * row) % 200};
            }
            logits = session.feed(ids, 1);
        }
        return logits;
    }

    @Test
    void idsOutsideTheVocabularyAreRefused() {
        Preset preset = entries().findFirst().orElseThrow();
        try (Pretrained gpu = Pretrained.create(preset.config(), Device.gpu(), 3);
                Session session = new Session(gpu.model(), manager)) {
            session.feed(1, 2, 3);
            assertThatThrownBy(() -> session.feed(100_000))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("Token id 100000 is not in the vocabulary");
        }
    }

    /** Of several calls, each takes over what an earlier one of as many rows recorded. */
    @ParameterizedTest
    @MethodSource("entries")
    void laterCallsOfAPreparedModelAreLikeTheFirst(Preset preset) {
        try (Pretrained gpu = Pretrained.create(preset.config(), Device.gpu(), 3);
                PreparedModel prepared =
                        new PreparedModel(gpu.model(), MatrixPrecision.FULL, manager)) {
            Generator fresh = new Generator(gpu.model(), gpu.tokenizer(), manager);
            Generator serving = new Generator(prepared, gpu.tokenizer(), manager);
            GenerationConfig few = GREEDY.toBuilder().optMaxNewTokens(3).build();
            GenerationConfig drawn = GREEDY.toBuilder().optTemperature(1).optSeed(5).build();
            List<List<String>> calls =
                    List.of(
                            PROMPTS.subList(0, 1),
                            PROMPTS.subList(1, 2),
                            PROMPTS.subList(0, 2),
                            PROMPTS,
                            List.of("other", "texts", "of four", "rows"),
                            PROMPTS.subList(2, 3),
                            PROMPTS);
            for (GenerationConfig config : List.of(GREEDY, drawn)) {
                for (List<String> prompts : calls) {
                    assertThat(serving.generate(prompts, config))
                            .isEqualTo(fresh.generate(prompts, config));
                }
                // Texts that end earlier leave the batch, and the step.
                List<GenerationConfig> mixed = List.of(few, config, few, few);
                assertThat(serving.generate(PROMPTS, mixed))
                        .isEqualTo(fresh.generate(PROMPTS, mixed));
            }
        }
        assertThat(manager.getManagedArrays()).isEmpty();
        assertThat(said.toString(StandardCharsets.UTF_8)).doesNotContain("without a CUDA graph");
    }

    /** The step of a text that nobody reads on serves the next one. */
    @Test
    void anAbandonedTextGivesItsStepBack() {
        Preset preset = entries().findFirst().orElseThrow();
        try (Pretrained gpu = Pretrained.create(preset.config(), Device.gpu(), 3);
                PreparedModel prepared =
                        new PreparedModel(gpu.model(), MatrixPrecision.BFLOAT16, manager)) {
            String wanted = null;
            long held = 0;
            for (int call = 0; call < 4; call++) {
                try (NDManager predictor = manager.newSubManager()) {
                    Generator generator = new Generator(prepared, gpu.tokenizer(), predictor);
                    TokenStream text = generator.stream("hello", GREEDY);
                    String begin = text.next() + text.next() + text.next();
                    wanted = wanted == null ? begin : wanted;
                    assertThat(begin).isEqualTo(wanted);
                }
                long now = manager.getManagedArrays().size();
                held = call == 0 ? now : held;
                assertThat(now).isPositive().isEqualTo(held);
            }
        }
        assertThat(manager.getManagedArrays()).isEmpty();
        assertThat(manager.toString()).endsWith("Resource size: 0");
    }

    /** Refused before the first pass, with weights that outlive the call. */
    @Test
    void aRefusedPromptLeavesNothing() {
        Preset preset = entries().findFirst().orElseThrow();
        try (Pretrained gpu = Pretrained.create(preset.config(), Device.gpu(), 3)) {
            NDManager parent = manager.newSubManager();
            PreparedModel prepared =
                    new PreparedModel(gpu.model(), MatrixPrecision.BFLOAT16, parent);
            Generator generator = new Generator(prepared, gpu.tokenizer(), parent);
            assertThatThrownBy(
                            () ->
                                    generator.generateIds(
                                            List.of(new long[] {100_000}), List.of(GREEDY)))
                    .isInstanceOf(IllegalArgumentException.class);
            prepared.close();
            assertThat(parent.toString()).endsWith("Resource size: 0");
        }
    }

    @Test
    void aReplayFollowsItsInputs() {
        NDArray x = Tensors.normal(manager, 1, 5);
        NDArray sum = manager.zeros(x.getShape());
        NDArray wanted = sum.add(x.mul(x));
        try (CudaGraph graph = CudaGraph.record(device, () -> sum.addi(x.mul(x)))) {
            assertThat(sum.toFloatArray()).containsOnly(0);
            graph.replay();
            assertThat(sum.toFloatArray()).isEqualTo(wanted.toFloatArray());
            x.muli(2);
            wanted = wanted.add(x.mul(x));
            graph.replay();
            assertThat(sum.toFloatArray()).isEqualTo(wanted.toFloatArray());
        }
    }

    @Test
    void aClosedGraphIsNotReplayed() {
        NDArray x = Tensors.normal(manager, 1, 5);
        CudaGraph graph = CudaGraph.record(device, () -> x.addi(x));
        graph.close();
        graph.close();
        assertThatThrownBy(graph::replay).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void whatReadsFromTheDeviceIsRefused() {
        NDArray x = Tensors.normal(manager, 1, 5);
        assertThatThrownBy(() -> CudaGraph.record(device, () -> x.sum().getFloat()))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cannot be recorded");
        // The device, and further graphs, are none the worse.
        try (CudaGraph graph = CudaGraph.record(device, () -> x.subi(x))) {
            graph.replay();
            assertThat(x.toFloatArray()).containsOnly(0);
        }
    }
}
