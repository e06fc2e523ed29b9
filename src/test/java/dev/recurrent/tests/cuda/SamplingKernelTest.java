package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.HostLongs;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.SamplingKernel;
import dev.recurrent.blocks.kernel.SamplingKernel.Setting;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.Sampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernel beside the host's sampler, whose distribution the CPU tests check. */
@Tag("cuda")
class SamplingKernelTest {

    private static final int DRAWS = 100;

    private static final List<GenerationConfig> CONFIGS =
            List.of(
                    config(0, 0, 1, 1, 1),
                    config(0, 0, 1, 1.5, 2),
                    config(1, 0, 1, 1, 3),
                    config(0.8, 5, 1, 1, 4),
                    config(1.2, 0, 0.7, 1, 5),
                    config(1, 50, 0.9, 1.3, 6),
                    config(0.7, 1, 1, 1, 7),
                    config(1, 0, 0.01, 1, -8),
                    config(3, 3, 0.99, 0.5, Long.MIN_VALUE));

    private NDManager manager;
    private CudaDevice device;

    private static GenerationConfig config(
            double temperature, int topK, double topP, double penalty, long seed) {
        return GenerationConfig.builder()
                .optTemperature(temperature)
                .optTopK(topK)
                .optTopP(topP)
                .optRepetitionPenalty(penalty)
                .optSeed(seed)
                .build();
    }

    @BeforeEach
    void open() {
        CudaCase.needDevice();
        manager = NDManager.newBaseManager(Device.gpu());
        device = Kernels.on(Device.gpu()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (manager != null) {
            manager.close();
        }
    }

    /** Draws differ where a random number falls within rounding of a boundary: about never. */
    @ParameterizedTest
    @ValueSource(ints = {1, 7, 33, 1000, 32000, 256000})
    void drawsWhatTheHostDraws(int vocabulary) {
        int rows = CONFIGS.size();
        long[][] prompts = new long[rows][];
        Arrays.fill(prompts, new long[] {0, vocabulary / 2});
        List<Sampler> samplers = new ArrayList<>();
        List<Setting> settings = new ArrayList<>();
        for (GenerationConfig config : CONFIGS) {
            Sampler sampler = new Sampler(config);
            sampler.see(prompts[0]);
            samplers.add(sampler);
            settings.add(
                    new Setting(
                            config.temperature(),
                            config.topK(),
                            config.topP(),
                            config.repetitionPenalty(),
                            config.seed()));
        }
        SamplingKernel.State state =
                SamplingKernel.State.of(manager, settings, vocabulary, prompts);
        int draws = vocabulary > 100_000 ? 10 : DRAWS;
        int different = 0;
        for (int draw = 0; draw < draws; draw++) {
            float[] logits = logits(vocabulary, draw);
            long[] told = choose(logits, state, rows);
            for (int row = 0; row < rows; row++) {
                float[] own = Arrays.copyOfRange(logits, row * vocabulary, (row + 1) * vocabulary);
                long wanted = samplers.get(row).next(own);
                samplers.get(row).see(wanted);
                if (told[row] != wanted) {
                    different++;
                }
            }
        }
        assertThat(different).isLessThanOrEqualTo(rows * draws / 200);
    }

    /** Random, some equal, some -∞. */
    private float[] logits(int vocabulary, int seed) {
        float[] logits =
                Tensors.normal(manager, seed, CONFIGS.size(), vocabulary).mul(3).toFloatArray();
        for (int row = 0; row < CONFIGS.size(); row++) {
            for (int i = 1; i < vocabulary; i += 5) {
                logits[row * vocabulary + i] = i % 2 == 0 ? 4 : Float.NEGATIVE_INFINITY;
            }
        }
        return logits;
    }

    private long[] choose(float[] logits, SamplingKernel.State state, int rows) {
        try (NDManager scope = manager.newSubManager();
                HostLongs told = new HostLongs(device, rows)) {
            NDArray x = scope.create(logits, new Shape(rows, logits.length / rows));
            NDArray tokens = scope.create(new long[rows]);
            SamplingKernel.apply(device, x, state, tokens, told);
            told.mark();
            long[] ids = told.await();
            long[] onDevice = Arrays.stream(ids).map(id -> Math.max(0, id)).toArray();
            assertThat(tokens.toLongArray()).isEqualTo(onDevice);
            return ids;
        }
    }

    @Test
    void tellsOfBrokenLogits() {
        List<Setting> settings = new ArrayList<>();
        for (double temperature : new double[] {0, 1, 0, 1, 0, 1}) {
            settings.add(new Setting(temperature, 0, 1, 1, 1));
        }
        SamplingKernel.State state = SamplingKernel.State.of(manager, settings, 3, new long[6][0]);
        float infinity = Float.POSITIVE_INFINITY;
        float[] logits = {
            1, Float.NaN, 2, 1, Float.NaN, 2, infinity, 0, 0, infinity, 0, 0, -infinity, -infinity,
            -infinity, -infinity, -infinity, -infinity
        };
        assertThat(choose(logits, state, 6)).containsExactly(-1, -1, -1, -1, -2, -2);
    }

    /** One block and many, rows that begin anywhere; several choices, each of which starts anew. */
    @ParameterizedTest
    @ValueSource(ints = {3000, 32001, 256000, 256003})
    void theLowestOfEqualsIsTheMostProbable(int vocabulary) {
        for (int rows : new int[] {1, 3}) {
            Setting greedy = new Setting(0, 0, 1, 1, 0);
            SamplingKernel.State state =
                    SamplingKernel.State.of(
                            manager,
                            Collections.nCopies(rows, greedy),
                            vocabulary,
                            new long[rows][0]);
            for (int choice = 0; choice < 3; choice++) {
                float[] logits = new float[rows * vocabulary];
                Arrays.fill(logits, -1);
                long[] wanted = new long[rows];
                for (int row = 0; row < rows; row++) {
                    int first = (row + choice) * (vocabulary - 1) / 5;
                    wanted[row] = first;
                    // The last row's are zeros of both signs.
                    float greatest = row == 2 ? 0 : 5;
                    logits[row * vocabulary + first] = row == 2 ? -0f : 5;
                    logits[row * vocabulary + first + 1] = greatest;
                    logits[(row + 1) * vocabulary - 1] = greatest;
                }
                assertThat(choose(logits, state, rows)).isEqualTo(wanted);
            }
        }
    }

    @Test
    void oneBrokenLogitOfManyIsTold() {
        int vocabulary = 256003;
        Setting greedy = new Setting(0, 0, 1, 1, 0);
        SamplingKernel.State state =
                SamplingKernel.State.of(manager, List.of(greedy), vocabulary, new long[1][0]);
        for (int at : new int[] {0, 100_001, vocabulary - 1}) {
            float[] logits = new float[vocabulary];
            logits[7] = 1;
            assertThat(choose(logits, state, 1)).containsExactly(7);
            logits[at] = Float.NaN;
            assertThat(choose(logits, state, 1)).containsExactly(SamplingKernel.BROKEN);
        }
    }

    /** bfloat16, as models have logits. */
    @Test
    void choosesAmongNarrowLogits() {
        int rows = 2;
        int vocabulary = 99_999;
        Setting greedy = new Setting(0, 0, 1, 1, 0);
        SamplingKernel.State state =
                SamplingKernel.State.of(
                        manager, Collections.nCopies(rows, greedy), vocabulary, new long[rows][0]);
        NDArray narrow =
                Torch.cast(Tensors.normal(manager, 1, rows, vocabulary), ScalarType.BFLOAT16);
        float[] logits = Torch.cast(narrow, ScalarType.FLOAT32).toFloatArray();
        long[] wanted = new long[rows];
        for (int row = 0; row < rows; row++) {
            for (int id = 1; id < vocabulary; id++) {
                int best = row * vocabulary + (int) wanted[row];
                wanted[row] = logits[row * vocabulary + id] > logits[best] ? id : wanted[row];
            }
        }
        try (HostLongs told = new HostLongs(device, rows)) {
            NDArray tokens = manager.create(new long[rows]);
            SamplingKernel.apply(device, narrow, state, tokens, told);
            told.mark();
            assertThat(told.await()).isEqualTo(wanted);
        }
    }
}
