package dev.recurrent.tests.mixer;

import static dev.recurrent.tests.mixer.MixerHarness.columns;
import static dev.recurrent.tests.mixer.MixerHarness.range;
import static dev.recurrent.tests.mixer.MixerHarness.row;
import static dev.recurrent.tests.support.Tensors.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.mixer.AttentionState;
import dev.recurrent.blocks.mixer.MixerState;
import dev.recurrent.blocks.mixer.SequenceMixer;
import dev.recurrent.blocks.rule.Positions;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What every mixer promises, whatever its kind. */
class MixerContractTest {

    /**
     * Sums of a few hundred fp32 terms taken in another order differ by some 1e-6 of the largest
     * value; a wrong token or state differs by 1e-2 and more.
     */
    private static final double TOLERANCE = 1e-5;

    /** Around a chunk of 64, and beyond 256: two levels of the scan, a grown cache. */
    private static final long[] LENGTHS = {1, 2, 63, 64, 65, 500};

    static Stream<String> kinds() {
        return MixerHarness.kinds().keySet().stream();
    }

    static Stream<Arguments> kindsAndLengths() {
        return kinds().flatMap(kind -> LongStream.of(LENGTHS).mapToObj(t -> Arguments.of(kind, t)));
    }

    private static MixerHarness harness(String kind) {
        return new MixerHarness(MixerHarness.kinds().get(kind));
    }

    @ParameterizedTest(name = "{0}, T = {1}")
    @MethodSource("kindsAndLengths")
    void stepsAndPiecesEqualTheWholeSequence(String kind, long length) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(1, 2, length);
            SequenceMixer.Output full = harness.full(x);
            SequenceMixer.Output steps = harness.steps(x, null, 0);
            assertClose("steps", steps.y(), full.y(), TOLERANCE);
            assertSameState(steps.state(), full.state());
            SequenceMixer.Output pieces = harness.pieces(x, null, 0, splits(length));
            assertClose("pieces", pieces.y(), full.y(), TOLERANCE);
            assertSameState(pieces.state(), full.state());
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void continuesFromAnyState(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(2, 2, 131);
            NDArray full = harness.full(x).y();
            MixerState state = harness.full(columns(x, 0, 41)).state();
            NDArray rest = columns(x, 41, 131);
            NDArray expected = columns(full, 41, 131);
            assertClose(
                    "at once",
                    harness.pieces(rest, state.duplicate(), 41, 90).y(),
                    expected,
                    TOLERANCE);
            assertClose(
                    "in steps",
                    harness.steps(rest, state.duplicate(), 41).y(),
                    expected,
                    TOLERANCE);
            assertClose(
                    "in pieces",
                    harness.pieces(rest, state, 41, 1, 2, 67, 90).y(),
                    expected,
                    TOLERANCE);
        }
    }

    /** Rows that go on, rows that start anew and rows that rest, and none of it looked at. */
    @ParameterizedTest
    @MethodSource("kinds")
    void stepsAtPositionsOfTheDeviceAreThoseOfTheHost(String kind) {
        try (MixerHarness harness = harness(kind)) {
            MixerState full = harness.full(harness.input(2, 3, 20)).state();
            NDArray starts = harness.manager().create(new long[] {20, 0, -1}, new Shape(3, 1));
            MixerState known =
                    harness.run(harness.input(7, 3, 1), Positions.of(starts), full).state();
            MixerState unknown = known.duplicate();
            for (int i = 0; i < 5; i++) {
                NDArray x = harness.input(3 + i, 3, 1);
                long[] places = {21 + i, 1 + i, 20 + i};
                NDArray positions = harness.manager().create(places, new Shape(3, 1));
                SequenceMixer.Output expected = harness.run(x, Positions.of(positions), known);
                SequenceMixer.Output actual =
                        harness.run(x, Positions.continued(positions, 40), unknown);
                assertClose("step " + i, actual.y(), expected.y(), TOLERANCE);
                known = expected.state();
                unknown = actual.state();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void paddingIsNeutralWhereverItStands(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(3, 3, 9);
            // Left, inside and right.
            Positions positions =
                    harness.positions(
                            new long[] {-1, -1, -1, 0, 1, 2, 3, 4, 5},
                            new long[] {0, 1, -1, -1, 2, 3, -1, 4, 5},
                            new long[] {0, 1, 2, 3, 4, 5, -1, -1, -1});
            int[][] real = {{3, 4, 5, 6, 7, 8}, {0, 1, 4, 5, 7, 8}, {0, 1, 2, 3, 4, 5}};
            SequenceMixer.Output padded = harness.run(x, positions, null);
            NDArray next = harness.input(4, 3, 1);
            NDArray nextPadded = harness.run(next, range(next, 6), padded.state()).y();
            for (int row = 0; row < real.length; row++) {
                NDArray tokens = pick(row(x, row), real[row]);
                SequenceMixer.Output alone = harness.full(tokens);
                assertClose(
                        "row " + row, pick(row(padded.y(), row), real[row]), alone.y(), TOLERANCE);
                NDArray one = row(next, row);
                NDArray nextAlone = harness.run(one, range(one, 6), alone.state()).y();
                assertClose("after row " + row, row(nextPadded, row), nextAlone, TOLERANCE);
            }
            NDArray atPadding = pick(row(padded.y(), 0), 0, 1, 2);
            assertThat(atPadding.abs().max().getFloat()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void paddingIsNeutralInDecoding(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(5, 2, 30);
            MixerState state = harness.full(x).state();
            NDArray step = harness.input(6, 2, 1);
            Positions onlyFirst = harness.positions(new long[] {30}, new long[] {-1});
            MixerState after = harness.run(step, onlyFirst, state.duplicate()).state();
            NDArray next = harness.input(7, 2, 1);
            NDArray y =
                    harness.run(next, harness.positions(new long[] {31}, new long[] {30}), after)
                            .y();
            MixerState rows = harness.run(step, range(step, 30), state.duplicate()).state();
            NDArray first = harness.run(next, range(next, 31), rows).y();
            NDArray second = harness.run(next, range(next, 30), state).y();
            assertClose("moved on", row(y, 0), row(first, 0), TOLERANCE);
            assertClose("waited", row(y, 1), row(second, 1), TOLERANCE);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void packedDocumentsEqualSeparateOnes(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(8, 2, 150);
            MixerState before = harness.full(harness.input(9, 2, 20)).state();
            // Row 0 continues a document, then starts others; row 1 starts at once.
            long[] first = documents(150, 20, 37, 100);
            long[] second = documents(150, 0, 64, 65, 149);
            SequenceMixer.Output packed =
                    harness.run(x, harness.positions(first, second), before.duplicate());
            NDArray states = harness.manager().create(new long[] {0});
            checkDocument(harness, packed, x, 0, 0, 37, before.select(states), 20);
            checkDocument(harness, packed, x, 0, 37, 100, null, 0);
            checkDocument(harness, packed, x, 0, 100, 150, null, 0);
            checkDocument(harness, packed, x, 1, 0, 64, null, 0);
            checkDocument(harness, packed, x, 1, 64, 65, null, 0);
            checkDocument(harness, packed, x, 1, 65, 149, null, 0);
            checkDocument(harness, packed, x, 1, 149, 150, null, 0);
            // The state left behind is the last documents' alone.
            NDArray next = harness.input(10, 2, 1);
            NDArray y =
                    harness.run(
                                    next,
                                    harness.positions(new long[] {50}, new long[] {1}),
                                    packed.state())
                            .y();
            assertClose("next of row 0", row(y, 0), continued(harness, x, next, 0, 100), TOLERANCE);
            assertClose("next of row 1", row(y, 1), continued(harness, x, next, 1, 149), TOLERANCE);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void documentsStartInDecodingToo(String kind) {
        try (MixerHarness harness = harness(kind)) {
            MixerState state = harness.full(harness.input(11, 2, 25)).state();
            NDArray x = harness.input(12, 2, 6);
            long[] first = {25, 26, 0, 1, 2, 3};
            long[] second = {25, 26, 27, 28, 0, 1};
            NDArray packed =
                    harness.run(x, harness.positions(first, second), state.duplicate()).y();
            NDList outputs = new NDList();
            for (int t = 0; t < 6; t++) {
                Positions positions =
                        harness.positions(new long[] {first[t]}, new long[] {second[t]});
                SequenceMixer.Output output = harness.run(columns(x, t, t + 1), positions, state);
                outputs.add(output.y());
                state = output.state();
            }
            assertClose("steps", NDArrays.concat(outputs, 1), packed, TOLERANCE);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void laterTokensChangeNothingBefore(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(13, 1, 140);
            NDArray y = harness.full(x).y();
            for (int t : new int[] {1, 63, 64, 100}) {
                NDArray changed = x.duplicate();
                changed.set(new NDIndex().addAllDim().addSliceDim(t, t + 1), 3f);
                NDArray other = harness.full(changed).y();
                assertThat(columns(other, 0, t).toFloatArray())
                        .as("before %d", t)
                        .isEqualTo(columns(y, 0, t).toFloatArray());
                assertThat(columns(other, t, t + 1).toFloatArray())
                        .as("at %d", t)
                        .isNotEqualTo(columns(y, t, t + 1).toFloatArray());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void rowsAreIndependent(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(14, 3, 70);
            NDArray y = harness.full(x).y();
            for (int i = 0; i < 3; i++) {
                assertClose("row " + i, row(y, i), harness.full(row(x, i)).y(), TOLERANCE);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void interleavedSessionsDoNotDisturbEachOther(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray a = harness.input(15, 1, 40);
            NDArray b = harness.input(16, 1, 40);
            NDList outputs = new NDList();
            MixerState stateA = null;
            MixerState stateB = null;
            for (int t = 0; t < 40; t++) {
                NDArray x = columns(a, t, t + 1);
                SequenceMixer.Output output = harness.run(x, range(x, t), stateA);
                outputs.add(output.y());
                stateA = output.state();
                x = columns(b, t, t + 1);
                stateB = harness.run(x, range(x, t), stateB).state();
            }
            NDArray alone = harness.steps(a, null, 0).y();
            assertThat(NDArrays.concat(outputs, 1).toFloatArray()).isEqualTo(alone.toFloatArray());
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void statesFollowTheirRows(String kind) {
        try (MixerHarness harness = harness(kind)) {
            MixerState state = harness.full(harness.input(17, 3, 33)).state();
            NDArray order = harness.manager().create(new long[] {2, 0, 0, 1});
            NDArray x = harness.input(18, 3, 5);
            NDArray y = harness.run(x, range(x, 33), state.duplicate()).y();
            NDArray ordered = x.get(order);
            NDArray selected = harness.run(ordered, range(ordered, 33), state.select(order)).y();
            assertClose("selected", selected, y.get(order), TOLERANCE);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void stateBytesAreAsPromised(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(19, 2, 100);
            assertThat(harness.full(x).state().bytes())
                    .isEqualTo(2 * harness.mixer.stateBytes(100));
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void anotherMixersStateIsRefused(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(20, 2, 1);
            MixerState own = harness.full(x).state();
            MixerState wrongRows = own.select(harness.manager().create(new long[] {0}));
            assertThatThrownBy(() -> harness.run(x, range(x, 1), wrongRows))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("expects a state");
            NDArray odd = harness.manager().zeros(own.arrays().get(0).getShape().add(1));
            MixerState foreign = new AttentionState(odd, odd, odd);
            assertThatThrownBy(() -> harness.run(x, range(x, 1), foreign))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("expects a state");
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void runsAsABlock(String kind) {
        try (MixerHarness harness = harness(kind)) {
            NDArray x = harness.input(21, 2, 12);
            NDArray full = harness.full(x).y();
            NDList first =
                    harness.mixer.forward(harness.store, new NDList(columns(x, 0, 7)), false, null);
            NDArray rest = columns(x, 7, 12);
            NDList inputs = new NDList(rest, range(rest, 7).array());
            inputs.addAll(first.subNDList(1));
            NDList second = harness.mixer.forward(harness.store, inputs, false, null);
            assertClose("block", second.get(0), columns(full, 7, 12), TOLERANCE);
            // What was passed in a list is still the caller's.
            assertThat(first.get(1).isReleased()).isFalse();
        }
    }

    private static void checkDocument(
            MixerHarness harness,
            SequenceMixer.Output packed,
            NDArray x,
            int row,
            int begin,
            int end,
            MixerState state,
            long start) {
        NDArray document = columns(row(x, row), begin, end);
        NDArray alone = harness.run(document, range(document, start), state).y();
        NDArray part = columns(row(packed.y(), row), begin, end);
        assertClose("row " + row + " from " + begin, part, alone, TOLERANCE);
    }

    private static NDArray continued(
            MixerHarness harness, NDArray x, NDArray next, int row, int begin) {
        NDArray document = columns(row(x, row), begin, x.getShape().get(1));
        MixerState state = harness.full(document).state();
        NDArray one = row(next, row);
        return harness.run(one, range(one, document.getShape().get(1)), state).y();
    }

    /** Positions of a row whose documents start at the given columns. */
    private static long[] documents(int length, long first, int... starts) {
        long[] positions = new long[length];
        long position = first;
        for (int t = 0; t < length; t++) {
            int column = t;
            position = Arrays.stream(starts).anyMatch(start -> start == column) ? 0 : position;
            positions[t] = position++;
        }
        return positions;
    }

    private static long[] splits(long length) {
        Random random = new Random(length);
        List<Long> ends = random.longs(4, 1, length + 1).sorted().distinct().boxed().toList();
        return LongStream.concat(
                        ends.stream().mapToLong(end -> end).filter(end -> end < length),
                        LongStream.of(length))
                .toArray();
    }

    private static NDArray pick(NDArray x, int... columns) {
        NDList picked = new NDList();
        for (int column : columns) {
            picked.add(columns(x, column, column + 1));
        }
        return NDArrays.concat(picked, 1);
    }

    /** Recurrent states agree tensor by tensor; attention keeps slots in an order of its own. */
    private static void assertSameState(MixerState actual, MixerState expected) {
        if (expected instanceof AttentionState) {
            return;
        }
        for (int i = 0; i < expected.arrays().size(); i++) {
            assertClose("state " + i, actual.arrays().get(i), expected.arrays().get(i), TOLERANCE);
        }
    }
}
