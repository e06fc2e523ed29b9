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
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.metric.Labels;
import dev.recurrent.training.metric.TokenCrossEntropy;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenCrossEntropyTest {

    /** A few float32 roundings of losses below 16. */
    private static final double TOLERANCE = 4e-6;

    private final TokenCrossEntropy loss = new TokenCrossEntropy();
    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager(Device.cpu());
    }

    @AfterEach
    void close() {
        manager.close();
    }

    /** Random ids, about a third of them ignored, the first never. */
    private static long[] labels(int seed, int count, int vocabulary) {
        Random random = new Random(seed);
        long[] labels = random.ints(count, 0, vocabulary).asLongStream().toArray();
        for (int i = 1; i < count; i++) {
            labels[i] = random.nextInt(3) == 0 ? Labels.IGNORED : labels[i];
        }
        return labels;
    }

    private float loss(NDArray labels, NDArray logits) {
        return loss.evaluate(new NDList(labels), new NDList(logits)).getFloat();
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "1,1,7", "2,5,3", "3,63,257", "2,1,1000"})
    void isTheMeanOverTheTokensThatCount(int batch, int time, int vocabulary) {
        NDArray logits = Tensors.normal(manager, 1, batch, time, vocabulary).mul(4);
        long[] ids = labels(2, batch * time, vocabulary);
        double expected =
                CrossEntropyOracle.mean(
                        CrossEntropyOracle.rows(logits.toFloatArray(), vocabulary), ids);
        NDArray labels = manager.create(ids, new Shape(batch, time));
        assertThat(loss(labels, logits)).isCloseTo((float) expected, within((float) TOLERANCE));
        NDArray flat = logits.reshape(batch * time, vocabulary);
        assertThat(loss(labels.flatten(), flat)).isEqualTo(loss(labels, logits));
    }

    @Test
    void readsLogitsThatAreNoContiguousBlock() {
        NDArray logits = Tensors.normal(manager, 3, 5, 2, 4).transpose(1, 0, 2); // [2, 5, 4]
        NDArray labels = manager.create(labels(4, 10, 4), new Shape(2, 5));
        assertThat(loss(labels, logits)).isEqualTo(loss(labels, logits.duplicate()));
    }

    @Test
    void staysFiniteForExtremeLogits() {
        NDArray logits = manager.create(new float[] {1e4f, 0, -1e4f, 0, 0, 0}, new Shape(2, 3));
        NDArray labels = manager.create(new long[] {2, 1});
        // 20000 + ln 3 over two tokens: one rounding of the sum.
        assertThat(loss(labels, logits))
                .isCloseTo((float) ((20000 + Math.log(3)) / 2), within(1e-3f));
        NDArray impossible = manager.create(new float[] {Float.NEGATIVE_INFINITY, 0});
        assertThat(loss(manager.create(new long[] {1}), impossible.reshape(1, 2))).isZero();
    }

    /** bfloat16 keeps 8 bits: what is lost is in the logits, not in the sums. */
    @ParameterizedTest
    @CsvSource({"BFLOAT16", "FLOAT16", "FLOAT64"})
    void computesInFloat32WhateverTheLogitsAre(ScalarType type) {
        NDArray logits = Torch.cast(Tensors.normal(manager, 5, 2, 9, 300).mul(3), type);
        NDArray widened = Torch.cast(logits, ScalarType.FLOAT32);
        long[] ids = labels(6, 18, 300);
        NDArray value =
                loss.evaluate(new NDList(manager.create(ids, new Shape(2, 9))), new NDList(logits));
        assertThat(value.getDataType()).isEqualTo(DataType.FLOAT32);
        double expected =
                CrossEntropyOracle.mean(CrossEntropyOracle.rows(widened.toFloatArray(), 300), ids);
        assertThat(value.getFloat()).isCloseTo((float) expected, within((float) TOLERANCE));
    }

    /** Central differences in double precision: h² · f''' / 6 and 1e-16 · f / h. */
    @Test
    void gradientIsThatOfFiniteDifferences() {
        int vocabulary = 5;
        double step = 1e-5;
        NDArray logits = Tensors.normal(manager, 7, 2, 3, vocabulary);
        long[] ids = {4, Labels.IGNORED, 0, 2, 2, Labels.IGNORED};
        float[] gradient = gradient(logits, manager.create(ids, new Shape(2, 3)));
        double[][] rows = CrossEntropyOracle.rows(logits.toFloatArray(), vocabulary);
        for (int i = 0; i < gradient.length; i++) {
            double[] row = rows[i / vocabulary];
            double value = row[i % vocabulary];
            row[i % vocabulary] = value + step;
            double above = CrossEntropyOracle.mean(rows, ids);
            row[i % vocabulary] = value - step;
            double below = CrossEntropyOracle.mean(rows, ids);
            row[i % vocabulary] = value;
            // Gradients are below 1/4 here: a few float32 roundings.
            assertThat((double) gradient[i])
                    .as("element %d", i)
                    .isCloseTo((above - below) / (2 * step), within(1e-7));
        }
    }

    @Test
    void gradientReachesBfloat16Logits() {
        NDArray master = Tensors.normal(manager, 8, 3, 4, 6);
        NDArray labels = manager.create(labels(9, 12, 6), new Shape(3, 4));
        NDArray rounded = Torch.cast(Torch.cast(master, ScalarType.BFLOAT16), ScalarType.FLOAT32);
        float[] expected = gradient(rounded, labels);
        master.setRequiresGradient(true);
        try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
            NDArray logits = Torch.cast(master, ScalarType.BFLOAT16);
            collector.backward(loss.evaluate(new NDList(labels), new NDList(logits)));
        }
        float[] actual = master.getGradient().toFloatArray();
        for (int i = 0; i < actual.length; i++) {
            // The gradient passes through bfloat16: half a unit in the last of 8 bits.
            assertThat(actual[i])
                    .as("element %d", i)
                    .isCloseTo(expected[i], within(Math.abs(expected[i]) / 256 + 1e-9f));
        }
    }

    private float[] gradient(NDArray values, NDArray labels) {
        NDArray logits = values.duplicate();
        logits.setRequiresGradient(true);
        try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
            collector.backward(loss.evaluate(new NDList(labels), new NDList(logits)));
        }
        return logits.getGradient().toFloatArray();
    }

    @Test
    void leavesNothingBehindButTheResult() {
        NDArray logits = Torch.cast(Tensors.normal(manager, 1, 2, 3, 4), ScalarType.BFLOAT16);
        NDArray labels = manager.create(labels(2, 6, 4), new Shape(2, 3));
        loss.addAccumulator("a");
        int before = manager.getManagedArrays().size();
        loss.evaluate(new NDList(labels), new NDList(logits)).close();
        loss.updateAccumulator("a", new NDList(labels), new NDList(logits));
        assertThat(manager.getManagedArrays()).hasSize(before);
    }

    @Test
    void refusesLabelsOutsideTheVocabularyAndSaysWhere() {
        NDArray logits = Tensors.normal(manager, 1, 2, 3, 4);
        for (long wrong : new long[] {4, -1, -99, Long.MAX_VALUE, Long.MIN_VALUE}) {
            NDArray labels = manager.create(new long[] {0, 1, 2, 3, wrong, -100}, new Shape(2, 3));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> loss(labels, logits))
                    .withMessageContaining("Label " + wrong + " at [1, 1]")
                    .withMessageContaining("[0, 4)");
        }
    }

    @Test
    void refusesABatchInWhichNoTokenCounts() {
        NDArray labels = manager.full(new Shape(2, 3), (int) Labels.IGNORED, DataType.INT64);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss(labels, Tensors.normal(manager, 1, 2, 3, 4)))
                .withMessageContaining("None of the batch's 6 labels counts");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                loss(
                                        manager.create(new Shape(0, 3), DataType.INT64),
                                        manager.create(new Shape(0, 3, 4))))
                .withMessageContaining("0 labels");
    }

    @Test
    void refusesShapesAndTypesThatDoNotFit() {
        NDArray logits = Tensors.normal(manager, 1, 2, 3, 4);
        NDArray labels = manager.zeros(new Shape(2, 3), DataType.INT64);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss(labels.transpose(), logits))
                .withMessageContaining("Labels (3, 2) do not fit logits (2, 3, 4)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss(labels, logits.get(0)))
                .withMessageContaining("do not fit");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss(labels, manager.create(1f)))
                .withMessageContaining("do not fit");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss(labels.toType(DataType.FLOAT32, true), logits))
                .withMessageContaining("int64")
                .withMessageContaining("FLOAT32");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss(labels, logits.toType(DataType.INT32, true)))
                .withMessageContaining("floating")
                .withMessageContaining("INT32");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> loss.evaluate(new NDList(), new NDList(logits)))
                .withMessageContaining("lists of 0 and 1");
    }
}
