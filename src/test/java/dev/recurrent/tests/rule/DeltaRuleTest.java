package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.rule.DeltaRuleCase.Kind;
import dev.recurrent.tests.support.DeltaOracle;
import dev.recurrent.tests.support.Tensors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The delta rule against its recurrence in float64, and against itself. */
class DeltaRuleTest {

    /** Some hundred fp32 roundings of terms that partly cancel: 1e-6 is met, 1e-5 has room. */
    private static final double TOLERANCE = 1e-5;

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private static void assertEqual(DeltaRule.Output actual, DeltaOracle.Output expected) {
        Tensors.assertClose("o", actual.values(), expected.values(), TOLERANCE);
        Tensors.assertClose("state", actual.state(), expected.state(), TOLERANCE);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 63, 64, 65, 130})
    void equalsRecurrenceAtAwkwardLengths(int t) {
        for (Kind kind : Kind.values()) {
            DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 2, t, 3, 3, 5, 7);
            assertEqual(given.run(), given.expected(null));
            DeltaRuleCase fresh = given.withState(null);
            assertEqual(fresh.run(), fresh.expected(null));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 2, 6, 8, 4", "1, 1, 4, 4, 6", "70, 2, 6, 8, 4", "70, 1, 4, 4, 6"})
    void valueHeadsShareQueryHeads(int t, int h, int hv, int k, int v) {
        for (Kind kind : Kind.values()) {
            DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 2, t, h, hv, k, v);
            assertEqual(given.run(), given.expected(null));
        }
    }

    @Test
    void freshDocumentsIgnoreTheState() {
        for (int t : new int[] {1, 70}) {
            DeltaRuleCase given = DeltaRuleCase.random(manager, Kind.GATED, 2, t, 2, 2, 4, 4);
            DeltaRule.Output actual = given.run(Positions.range(manager, 2, t, 0));
            assertEqual(actual, given.withState(null).expected(null));
        }
    }

    @Test
    void extremeDecayStaysFinite() {
        NDArray decay = manager.full(new Shape(1, 130, 2), -16f);
        // Gates of both kinds in one chunk; sums reach -1000 beside differences of 0.01.
        NDArray mixed = Tensors.normal(manager, 9, 1, 130, 2).gt(0).toType(DataType.FLOAT32, false);
        mixed = mixed.mul(Scalars.of(-16)).sub(Scalars.of(.01));
        for (Kind kind : new Kind[] {Kind.GATED, Kind.DUALITY}) {
            DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 1, 130, 2, 2, 8, 8);
            for (NDArray gates : new NDArray[] {decay, mixed}) {
                DeltaRuleCase strong = given.withDecay(gates);
                DeltaRule.Output actual = strong.run();
                DeltaOracle.Output expected = strong.expected(null);
                // One unit in the last place of a sum near -1000 is 6e-5, and two are subtracted.
                Tensors.assertClose("o", actual.values(), expected.values(), 2e-4);
                Tensors.assertClose("state", actual.state(), expected.state(), 2e-4);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 63, 64, 65, 129})
    void splitsContinueExactly(int at) {
        for (Kind kind : Kind.values()) {
            DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 2, 130, 2, 4, 6, 5);
            DeltaRule.Output whole = given.run();
            DeltaRule.Output head = given.tokens(0, at, given.state()).run();
            DeltaRule.Output tail = given.tokens(at, 130, head.state()).run();
            NDArray values = head.values().concat(tail.values(), 1);
            Tensors.assertClose("o", values, whole.values(), TOLERANCE);
            Tensors.assertClose("state", tail.state(), whole.state(), TOLERANCE);
        }
    }

    /** Rows: state then two starts; a start at once; an end with padding; nothing but padding. */
    private static long[] packed(int t) {
        long[] positions = new long[4 * t];
        for (int i = 0; i < t; i++) {
            positions[i] = i < 40 ? 17 + i : i < 66 ? i - 40 : i - 66;
            positions[t + i] = i;
            positions[2 * t + i] = i < 30 ? 5 + i : i < 71 ? i - 30 : -1;
            positions[3 * t + i] = -1;
        }
        return positions;
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void documentsStartInsideRows(Kind kind) {
        for (int t : new int[] {1, 50, 140, 192}) {
            for (boolean fresh : new boolean[] {false, true}) {
                DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 4, t, 2, 4, 6, 5);
                given = fresh ? given.withState(null) : given;
                long[] positions = packed(t);
                Positions tensor = Positions.of(manager, 4, t, positions);
                DeltaRule.Output actual = given.run(tensor);
                NDArray real = tensor.real().expandDims(2).expandDims(3);
                assertThat(actual.values().isNaN().any().getBoolean()).isFalse();
                assertEqual(
                        new DeltaRule.Output(actual.values().mul(real), actual.state()),
                        given.expected(positions));
            }
        }
    }

    @Test
    void documentsKeepTheirPrecisionBesideStrongDecay() {
        // A second document of weak gates after one whose gates sum to -800 in the same chunk.
        DeltaRuleCase given = DeltaRuleCase.random(manager, Kind.GATED, 1, 100, 2, 2, 8, 8);
        float[] gates = new float[200];
        for (int i = 0; i < 200; i++) {
            gates[i] = i < 100 ? -16 : -.01f;
        }
        given = given.withDecay(manager.create(gates, new Shape(1, 100, 2)));
        long[] positions = LongStream.range(0, 100).map(i -> i < 50 ? i : i - 50).toArray();
        DeltaRule.Output actual = given.run(Positions.of(manager, 1, 100, positions));
        assertEqual(actual, given.expected(positions));
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void paddingIsNeutral(Kind kind) {
        DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 2, 100, 2, 2, 6, 5);
        long[] positions = new long[200];
        for (int i = 0; i < 200; i++) {
            positions[i] = i < 100 ? 3 + i : i < 167 ? 3 + i - 100 : -1;
        }
        DeltaRule.Output padded = given.run(Positions.of(manager, 2, 100, positions));
        DeltaRuleCase row = given.row(1);
        DeltaRule.Output alone = row.tokens(0, 67, row.state()).run();
        Tensors.assertClose("o", padded.values().get("1:, :67"), alone.values(), TOLERANCE);
        Tensors.assertClose("state", padded.state().get("1:"), alone.state(), TOLERANCE);
        DeltaRule.Output full = given.row(0).run();
        Tensors.assertClose("o", padded.values().get("0:1"), full.values(), TOLERANCE);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void laterTokensChangeNothingBefore(Kind kind) {
        DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 1, 130, 2, 2, 6, 5);
        DeltaRule.Output before = given.run();
        for (int t : new int[] {1, 40, 63, 64, 100, 129}) {
            NDArray later = manager.arange(130).gte(t).toType(DataType.FLOAT32, false);
            NDArray change = later.reshape(1, 130, 1);
            NDArray wide = later.reshape(1, 130, 1, 1);
            // Keys keep their norm: the rule is not bounded for longer ones.
            NDArray turned = given.k().sub(given.k().mul(wide).mul(Scalars.of(2)));
            NDArray beta = given.beta();
            NDArray gates = given.logDecay();
            DeltaRuleCase changed =
                    new DeltaRuleCase(
                            given.q().add(wide),
                            turned,
                            given.v().add(wide),
                            beta == null ? null : beta.sub(beta.mul(change).mul(Scalars.of(.5))),
                            gates == null ? null : gates.sub(change),
                            given.state());
            String past = ":, :" + t;
            NDArray actual = changed.run().values();
            assertThat(actual.get(past)).isEqualTo(before.values().get(past));
            assertThat(actual.get(":, " + t + ":"))
                    .isNotEqualTo(before.values().get(":, " + t + ":"));
        }
    }

    @Test
    void argumentsAreNotChanged() {
        for (int t : new int[] {1, 70}) {
            DeltaRuleCase given = DeltaRuleCase.random(manager, Kind.GATED, 1, t, 2, 2, 4, 4);
            DeltaOracle.Output expected = given.expected(null);
            given.run();
            assertEqual(given.run(), expected);
        }
    }

    @Test
    void bfloat16ComesAndGoes() {
        for (int t : new int[] {1, 70}) {
            DeltaRuleCase wide = DeltaRuleCase.random(manager, Kind.GATED, 1, t, 2, 2, 4, 4);
            DeltaRuleCase narrow =
                    new DeltaRuleCase(
                            half(wide.q()),
                            half(wide.k()),
                            half(wide.v()),
                            half(wide.beta()),
                            half(wide.logDecay()),
                            wide.state());
            DeltaRule.Output actual = narrow.run();
            assertThat(Torch.typeOf(actual.values())).isEqualTo(ScalarType.BFLOAT16);
            assertThat(Torch.typeOf(actual.state())).isEqualTo(ScalarType.FLOAT32);
            NDArray values = Torch.cast(actual.values(), ScalarType.FLOAT32);
            // bfloat16 keeps eight bits: inputs are off by 2^-9 each, over some five factors.
            Tensors.assertClose("o", values, wide.expected(null).values(), 0.03);
        }
    }

    private static NDArray half(NDArray array) {
        return Torch.cast(array, ScalarType.BFLOAT16);
    }

    @Test
    void refusesShapesThatDoNotFit() {
        DeltaRuleCase given = DeltaRuleCase.random(manager, Kind.GATED, 2, 5, 2, 4, 6, 3);
        Positions positions = Positions.range(manager, 2, 5, 1);
        NDArray odd = Tensors.normal(manager, 1, 2, 5, 3, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                DeltaRule.apply(
                                        given.q(), given.k(), odd, null, null, 1, null, positions))
                .withMessageContaining("multiple of query heads, not 3 and 2");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> given.withState(odd).run())
                .withMessageContaining("a state (2, 4, 6, 3), not (2, 5, 3, 3)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> given.withDecay(odd).run())
                .withMessageContaining("log decay (2, 5, 4)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> given.run(Positions.range(manager, 2, 6, 1)))
                .withMessageContaining("q (2, 6, 2, 6), not (2, 5, 2, 6)");
        long[] left = {-1, 0, 1, 2, 3, 0, 1, 2, 3, 4};
        assertThatIllegalArgumentException()
                .isThrownBy(() -> given.run(Positions.of(manager, 2, 5, left)))
                .withMessageContaining("padding only at the ends");
    }
}
