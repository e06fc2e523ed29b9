package dev.recurrent.tests.rule;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.rule.DeltaRuleCase.Kind;
import dev.recurrent.tests.support.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients through chunks equal those through the recurrence, token by token. */
class DeltaRuleGradientTest {

    /** Two fp32 computations in different orders over up to 100 tokens: 1e-6 is met. */
    private static final double TOLERANCE = 2e-5;

    static Stream<Arguments> casesAndLengths() {
        return Stream.of(Kind.values())
                .flatMap(
                        kind ->
                                IntStream.of(2, 9, 64, 100)
                                        .mapToObj(time -> Arguments.of(kind, time)));
    }

    @ParameterizedTest
    @MethodSource("casesAndLengths")
    void equalStepwiseGradients(Kind kind, int time) {
        long[] plain = new long[2 * time];
        long[] fresh = new long[2 * time];
        long[] packed = new long[2 * time];
        for (int i = 0; i < time; i++) {
            plain[i] = 1 + i;
            plain[time + i] = 7 + i;
            fresh[i] = i;
            fresh[time + i] = i;
            packed[i] = i < 20 ? 9 + i : i < 80 ? i - 20 : i - 80;
            packed[time + i] = i < 70 ? i : -1;
        }
        try (NDManager manager = NDManager.newBaseManager()) {
            for (long[] positions : new long[][] {plain, fresh, packed}) {
                List<NDArray> chunked = gradients(manager, kind, time, positions, true);
                List<NDArray> stepwise = gradients(manager, kind, time, positions, false);
                for (int i = 0; i < chunked.size(); i++) {
                    Tensors.assertClose("input " + i, chunked.get(i), stepwise.get(i), TOLERANCE);
                }
            }
        }
    }

    private static List<NDArray> gradients(
            NDManager manager, Kind kind, int time, long[] positions, boolean inChunks) {
        DeltaRuleCase given = DeltaRuleCase.random(manager, kind, 2, time, 2, 4, 6, 5);
        try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
            given.arrays().forEach(array -> array.setRequiresGradient(true));
            collector.backward(
                    DeltaRuleCase.loss(
                            inChunks ? inChunks(given, positions) : bySteps(given, positions)));
            List<NDArray> gradients = new ArrayList<>();
            given.arrays().forEach(array -> gradients.add(array.getGradient().duplicate()));
            return gradients;
        }
    }

    private static DeltaRule.Output inChunks(DeltaRuleCase given, long[] positions) {
        Positions tensor = Positions.of(given.q().getManager(), 2, given.length(), positions);
        DeltaRule.Output output = given.run(tensor);
        return new DeltaRule.Output(real(output.values(), tensor), output.state());
    }

    private static DeltaRule.Output bySteps(DeltaRuleCase given, long[] positions) {
        NDManager manager = given.q().getManager();
        int time = positions.length / 2;
        NDList values = new NDList();
        NDArray state = given.state();
        for (int t = 0; t < time; t++) {
            long[] now = {positions[t], positions[time + t]};
            DeltaRule.Output step =
                    given.tokens(t, t + 1, state).run(Positions.of(manager, 2, 1, now));
            values.add(step.values());
            state = step.state();
        }
        Positions tensor = Positions.of(manager, 2, time, positions);
        return new DeltaRule.Output(real(NDArrays.concat(values, 1), tensor), state);
    }

    private static NDArray real(NDArray values, Positions positions) {
        return values.mul(positions.real().expandDims(2).expandDims(3));
    }
}
