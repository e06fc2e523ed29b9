package dev.recurrent.tests.training.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.evaluator.Evaluator;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.metric.Labels;
import dev.recurrent.training.metric.Perplexity;
import dev.recurrent.training.metric.RecallAccuracy;
import dev.recurrent.training.metric.TokenAccuracy;
import dev.recurrent.training.metric.TokenCrossEntropy;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What an evaluator says of a set is what its definition says of the set as a whole. */
class TokenEvaluatorsTest {

    /** A few float32 roundings. */
    private static final double TOLERANCE = 4e-6;

    private static final int VOCABULARY = 6;

    /** Tokens of each batch; how many count differs more than their sizes do. */
    private static final int[] BATCHES = {7, 1, 12, 3};

    private static final int TOKENS = IntStream.of(BATCHES).sum();

    private static final String[] KEYS = {"one", "two"};

    /** Evaluators by what they should say. */
    enum Kind {
        LOSS(TokenCrossEntropy::new),
        PERPLEXITY(Perplexity::new),
        TOKEN_ACCURACY(TokenAccuracy::new),
        RECALL_ACCURACY(RecallAccuracy::new);

        private final Supplier<Evaluator> constructor;

        Kind(Supplier<Evaluator> constructor) {
            this.constructor = constructor;
        }

        double expected(double[][] logits, long[] labels) {
            return switch (this) {
                case LOSS -> CrossEntropyOracle.mean(logits, labels);
                case PERPLEXITY -> Math.exp(CrossEntropyOracle.mean(logits, labels));
                case TOKEN_ACCURACY, RECALL_ACCURACY -> CrossEntropyOracle.accuracy(logits, labels);
            };
        }
    }

    private NDManager manager;
    private NDArray logits;
    private long[] labels;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager(Device.cpu());
        logits = Tensors.normal(manager, 11, TOKENS, VOCABULARY).mul(2);
        labels = new long[TOKENS];
        for (int i = 0; i < TOKENS; i++) {
            // All of the first batch counts, every fourth token of the others.
            labels[i] = i < BATCHES[0] || i % 4 == 0 ? (i * 5L) % VOCABULARY : Labels.IGNORED;
        }
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private static Evaluator create(Kind kind) {
        Evaluator evaluator = kind.constructor.get();
        for (String key : KEYS) {
            evaluator.addAccumulator(key);
        }
        return evaluator;
    }

    private double expected(Kind kind, NDArray logits) {
        return kind.expected(CrossEntropyOracle.rows(logits.toFloatArray(), VOCABULARY), labels);
    }

    private void addBatches(Evaluator evaluator, String... keys) {
        int start = 0;
        for (int tokens : BATCHES) {
            NDArray part = logits.get(start + ":" + (start + tokens));
            NDArray ids = manager.create(Arrays.copyOfRange(labels, start, start + tokens));
            evaluator.updateAccumulators(
                    keys,
                    new NDList(ids.reshape(1, tokens)),
                    new NDList(part.reshape(1, tokens, VOCABULARY)));
            start += tokens;
        }
    }

    @ParameterizedTest
    @EnumSource
    void unevenBatchesAddUpToTheWhole(Kind kind) {
        Evaluator evaluator = create(kind);
        addBatches(evaluator, KEYS);
        double expected = expected(kind, logits);
        assertThat((double) evaluator.getAccumulator("one")).isCloseTo(expected, within(TOLERANCE));
        assertThat(evaluator.getAccumulator("two")).isEqualTo(evaluator.getAccumulator("one"));
    }

    @ParameterizedTest
    @EnumSource
    void oneBatchIsEvaluatedLikeAnAccumulatorOfIt(Kind kind) {
        NDArray value =
                kind.constructor
                        .get()
                        .evaluate(new NDList(manager.create(labels)), new NDList(logits));
        assertThat(value.getShape()).isEqualTo(new Shape());
        assertThat((double) value.getFloat()).isCloseTo(expected(kind, logits), within(TOLERANCE));
    }

    @ParameterizedTest
    @EnumSource
    void readsBfloat16Logits(Kind kind) {
        Evaluator evaluator = create(kind);
        NDArray rounded = Torch.cast(logits, ScalarType.BFLOAT16);
        evaluator.updateAccumulator("one", new NDList(manager.create(labels)), new NDList(rounded));
        assertThat((double) evaluator.getAccumulator("one"))
                .isCloseTo(
                        expected(kind, Torch.cast(rounded, ScalarType.FLOAT32)), within(TOLERANCE));
    }

    @ParameterizedTest
    @EnumSource
    void accumulatorsAreApart(Kind kind) {
        Evaluator evaluator = create(kind);
        addBatches(evaluator, "one");
        assertThat(evaluator.getAccumulator("two")).isNaN();
        addBatches(evaluator, "two");
        evaluator.resetAccumulator("one");
        assertThat(evaluator.getAccumulator("one")).isNaN();
        assertThat((double) evaluator.getAccumulator("two"))
                .isCloseTo(expected(kind, logits), within(TOLERANCE));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> evaluator.getAccumulator("three"))
                .withMessageContaining("no accumulator 'three'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> addBatches(evaluator, "three"))
                .withMessageContaining("no accumulator 'three'");
    }

    @ParameterizedTest
    @EnumSource
    void aBatchWithoutTokensThatCountAddsNothingAndHasNoValue(Kind kind) {
        Evaluator evaluator = create(kind);
        NDList ignored =
                new NDList(manager.full(new Shape(TOKENS), (int) Labels.IGNORED, DataType.INT64));
        evaluator.updateAccumulator("one", ignored, new NDList(logits));
        assertThat(evaluator.getAccumulator("one")).isNaN();
        addBatches(evaluator, "one");
        evaluator.updateAccumulator("one", ignored, new NDList(logits));
        assertThat((double) evaluator.getAccumulator("one"))
                .isCloseTo(expected(kind, logits), within(TOLERANCE));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> evaluator.evaluate(ignored, new NDList(logits)))
                .withMessageContaining("None of the batch's " + TOKENS + " labels counts");
    }

    @ParameterizedTest
    @EnumSource
    void refusesLabelsOutsideTheVocabulary(Kind kind) {
        labels[5] = VOCABULARY;
        assertThatIllegalArgumentException()
                .isThrownBy(() -> addBatches(create(kind), "one"))
                .withMessageContaining("Label 6 at [0, 5]");
    }

    @ParameterizedTest
    @EnumSource
    void leavesNothingBehind(Kind kind) {
        Evaluator evaluator = create(kind);
        NDList ids = new NDList(manager.create(labels));
        int before = manager.getManagedArrays().size();
        evaluator.updateAccumulators(KEYS, ids, new NDList(logits));
        assertThat(manager.getManagedArrays()).hasSize(before);
    }

    /** Sums of counts are exact, so that a lost update shows. */
    @Test
    void threadsMayShareAnEvaluator() {
        Evaluator evaluator = create(Kind.TOKEN_ACCURACY);
        int right = 0;
        float[] rows = logits.toFloatArray();
        for (int i = 0; i < BATCHES[0]; i++) {
            int row = i * VOCABULARY;
            int label = (int) labels[i];
            boolean best =
                    IntStream.range(0, VOCABULARY)
                            .allMatch(v -> rows[row + v] <= rows[row + label]);
            right += best ? 1 : 0;
        }
        NDList ids = new NDList(manager.create(Arrays.copyOf(labels, BATCHES[0])));
        NDList part = new NDList(logits.get(":" + BATCHES[0]));
        NDList wrong = new NDList(manager.zeros(new Shape(1), DataType.INT64));
        NDList worst = new NDList(manager.create(new float[] {0, 1}, new Shape(1, 2)));
        IntStream.range(0, 200)
                .parallel()
                .forEach(
                        i -> {
                            evaluator.updateAccumulators(KEYS, ids, part);
                            evaluator.updateAccumulators(KEYS, wrong, worst);
                        });
        float expected = (float) (200.0 * right / (200.0 * (BATCHES[0] + 1)));
        assertThat(evaluator.getAccumulator("one")).isEqualTo(expected);
        assertThat(evaluator.getAccumulator("two")).isEqualTo(expected);
    }

    /** More logits than are widened at a time: 2²⁵ and a rest, in bfloat16 to be small. */
    @Test
    void sumsInPiecesWhatIsLarge() {
        int vocabulary = 1 << 20;
        int tokens = 33;
        NDArray large =
                Torch.empty(
                        manager, new Shape(tokens, vocabulary), ScalarType.BFLOAT16, Device.cpu());
        Torch.call(manager, "aten::zero_", large).close();
        long[] ids = new long[tokens];
        ids[3] = Labels.IGNORED;
        ids[32] = vocabulary - 1;
        Evaluator evaluator = create(Kind.LOSS);
        evaluator.updateAccumulator("one", new NDList(manager.create(ids)), new NDList(large));
        // ln 2²⁰ for every token: float32 sums of a million equal terms.
        assertThat((double) evaluator.getAccumulator("one"))
                .isCloseTo(20 * Math.log(2), within(1e-4));
    }
}
