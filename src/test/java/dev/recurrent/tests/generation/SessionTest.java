package dev.recurrent.tests.generation;

import static dev.recurrent.tests.support.Tensors.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.generation.Session;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SessionTest {

    private static final int VOCABULARY = 16;

    /** float32 through three layers in another order of summation. */
    private static final double TOLERANCE = 2e-5;

    private static NDManager root;
    private static LanguageModel model;
    private static ParameterStore store;

    @BeforeAll
    static void createModel() {
        root = NDManager.newBaseManager();
        model = TinyModel.hybrid(root, VOCABULARY);
        store = new ParameterStore(root, false);
    }

    @AfterAll
    static void closeModel() {
        root.close();
    }

    private static long[] ids(int seed, int length) {
        return new Random(seed).longs(length, 0, VOCABULARY).toArray();
    }

    private static NDArray full(NDManager manager, long[] ids) {
        NDArray input = manager.create(ids, new Shape(1, ids.length));
        return model.forward(store, new NDList(input), false).singletonOrThrow();
    }

    private static NDArray last(NDArray logits) {
        return logits.get(new NDIndex().addAllDim().addIndices(logits.getShape().get(1) - 1));
    }

    @Test
    void feedingInPartsIsTheFullPass() {
        long[] ids = ids(1, 70);
        try (NDManager manager = root.newSubManager();
                Session session = new Session(model, store, manager, 1)) {
            NDArray expected = full(manager, ids);
            int from = 0;
            for (int length : new int[] {1, 2, 30, 1, 36}) {
                long[] part = Arrays.copyOfRange(ids, from, from + length);
                NDArray logits = session.feedAll(new long[][] {part});
                NDIndex slice = new NDIndex().addAllDim().addSliceDim(from, from + length);
                assertClose("from " + from, logits, expected.get(slice), TOLERANCE);
                from += length;
            }
            assertThat(session.positions()).containsExactly(70);
        }
    }

    @Test
    void rowsOfDifferentLengthsAreAsAlone() {
        long[][] rows = {ids(2, 1), ids(3, 17), ids(4, 40), ids(5, 16)};
        for (int chunk : new int[] {1, 5, 16, 64}) {
            try (NDManager manager = root.newSubManager();
                    Session session = new Session(model, store, manager, rows.length)) {
                assertAlone(manager, session.feed(rows, chunk), rows);
                long[][] more = {ids(6, 3), ids(7, 1), ids(8, 9), ids(9, 1)};
                long[][] all = new long[rows.length][];
                for (int row = 0; row < rows.length; row++) {
                    all[row] = concat(rows[row], more[row]);
                }
                assertAlone(manager, session.feed(more, chunk), all);
                session.keep(3, 1);
                NDArray rest = session.feed(new long[][] {{2}, {4}}, chunk);
                assertAlone(
                        manager,
                        rest,
                        new long[][] {
                            concat(all[3], new long[] {2}), concat(all[1], new long[] {4})
                        });
                assertThat(session.positions()).containsExactly(18, 19);
            }
        }
    }

    private static void assertAlone(NDManager manager, NDArray logits, long[][] rows) {
        NDList expected = new NDList();
        for (long[] row : rows) {
            expected.add(last(full(manager, row)));
        }
        assertClose("rows", logits, NDArrays.concat(expected), TOLERANCE);
    }

    private static long[] concat(long[] a, long[] b) {
        long[] all = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }

    @Test
    void whateverProductsAreInDjlCanReadTheResults() {
        long[][] ids = {ids(1, 5)};
        try (NDManager manager = root.newSubManager()) {
            MatrixPrecision.BFLOAT16.during(
                    () -> {
                        NDArray narrow = full(manager, ids[0]);
                        assertThat(Torch.typeOf(narrow)).isEqualTo(ScalarType.BFLOAT16);
                        float[] wanted = Torch.cast(narrow, ScalarType.FLOAT32).toFloatArray();
                        try (Session session = new Session(model, store, manager, 1)) {
                            NDArray hidden = session.hidden(ids);
                            assertThat(session.logits(hidden).toFloatArray()).isEqualTo(wanted);
                            assertThat(hidden.getDataType()).isEqualTo(DataType.FLOAT32);
                            // Keys and values take half as much, the rest is fp32.
                            long full = model.stateBytes(5);
                            assertThat(session.stateBytes()).isBetween(full / 2, full - 1);
                        }
                        try (Session session = new Session(model, store, manager, 1)) {
                            assertThat(session.feedAll(ids).toFloatArray()).isEqualTo(wanted);
                            assertThat(session.feed(1).getDataType()).isEqualTo(DataType.FLOAT32);
                            assertThat(session.lastHidden(ids, 2).getDataType())
                                    .isEqualTo(DataType.FLOAT32);
                        }
                        return null;
                    });
        }
    }

    @Test
    void aForkGoesItsOwnWay() {
        try (NDManager manager = root.newSubManager();
                Session session = new Session(model, store, manager, 1)) {
            session.feed(ids(10, 20));
            long[] one = concat(ids(10, 20), new long[] {3, 3});
            long[] two = concat(ids(10, 20), new long[] {5, 1});
            try (Session fork = session.fork()) {
                session.feed(3);
                fork.feed(5);
                assertClose("fork", fork.feed(1), last(full(manager, two)), TOLERANCE);
            }
            assertClose("session", session.feed(3), last(full(manager, one)), TOLERANCE);
        }
    }

    @Test
    void memoryDoesNotGrowWithSteps() {
        try (NDManager manager = root.newSubManager()) {
            LanguageModel recurrent = TinyModel.recurrent(manager, VOCABULARY);
            try (Session session = new Session(recurrent, store, manager, 1)) {
                for (int step = 1; step <= 10; step++) {
                    session.feed(step);
                }
                long bytes = session.stateBytes();
                int arrays = manager.getManagedArrays().size();
                assertThat(bytes).isPositive().isEqualTo(recurrent.stateBytes(10));
                // Most of the way in long pieces, which is the same state sooner.
                for (int piece = 0; piece < 20; piece++) {
                    session.feed(ids(piece, 494));
                }
                for (int step = 0; step < 110; step++) {
                    session.feed(1);
                    assertThat(manager.getManagedArrays()).hasSize(arrays);
                }
                assertThat(session.positions()).containsExactly(10_000);
                assertThat(session.stateBytes()).isEqualTo(bytes);
            }
        }
    }

    @Test
    void closingFreesEverything() {
        try (NDManager manager = root.newSubManager()) {
            Session session = new Session(model, store, manager, 2);
            session.feed(new long[][] {{1, 2}, {3}}, 1);
            assertThat(manager.getManagedArrays()).isNotEmpty();
            session.close();
            session.close();
            assertThat(manager.getManagedArrays()).isEmpty();
            assertThatThrownBy(() -> session.feed(new long[][] {{1}, {1}}, 1))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void badTokensAreRefused() {
        try (NDManager manager = root.newSubManager()) {
            Session session = new Session(model, store, manager, 2);
            assertThatThrownBy(() -> session.feed(new long[][] {{1}}, 1))
                    .hasMessageContaining("session of 2");
            assertThatThrownBy(() -> session.feed(new long[][] {{1}, {}}, 1))
                    .hasMessageContaining("Row 1 has no tokens");
            assertThatThrownBy(() -> session.feedAll(new long[][] {{1}, {1, 2}}))
                    .hasMessageContaining("differ in length");
            assertThatThrownBy(() -> session.feed(new long[][] {{1}, {VOCABULARY}}, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("[0, 16)");
            assertThat(manager.getManagedArrays()).isEmpty();
        }
    }

    @Test
    void gradientsAreNotRecordedAndTheThreadsModeIsKept() throws InterruptedException {
        try (NDManager manager = root.newSubManager();
                Session session = new Session(model, store, manager, 1)) {
            Runnable work =
                    () -> {
                        for (boolean mode : new boolean[] {true, false}) {
                            JniUtils.setGradMode(mode);
                            NDArray logits = session.feed(1, 2);
                            assertThat(logits.hasGradient()).isFalse();
                            assertThat(JniUtils.isGradMode()).isEqualTo(mode);
                        }
                    };
            Throwable[] failure = new Throwable[1];
            Thread thread = new Thread(work);
            thread.setUncaughtExceptionHandler((t, e) -> failure[0] = e);
            LanguageModel trained = model;
            trained.getParameters().values().forEach(p -> p.getArray().setRequiresGradient(true));
            try {
                thread.start();
                thread.join();
            } finally {
                trained.getParameters()
                        .values()
                        .forEach(p -> p.getArray().setRequiresGradient(false));
            }
            assertThat(failure[0]).isNull();
        }
    }

    @Test
    void aStreamOfLogitsIsTheFullPass() {
        // More than one piece of the stream, of two rows.
        int length = 700;
        try (NDManager manager = root.newSubManager()) {
            NDArray ids = manager.create(ids(11, 2 * length), new Shape(2, length));
            NDArray expected = model.forward(store, new NDList(ids), false).singletonOrThrow();
            int arrays = manager.getManagedArrays().size();
            NDList pieces = new NDList();
            Iterator<NDList> stream = model.forwardStreamIter(store, new NDList(ids), false, null);
            stream.forEachRemaining(pieces::addAll);
            assertThat(pieces.size()).isGreaterThan(1);
            assertThat(manager.getManagedArrays()).hasSize(arrays + pieces.size());
            assertClose("stream", NDArrays.concat(pieces, 1), expected, TOLERANCE);
        }
    }
}
