package dev.recurrent.tests.rule;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.tests.support.Tensors;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Outputs, final states and all gradients equal those of the upstream reference. */
class DeltaRuleConformanceTest {

    // 1e-4 is what the cases ask of fp32; with strong decay gate sums reach -1000 inside a chunk,
    // where one unit in the last place of fp32 is 6e-5.
    @ParameterizedTest
    @CsvSource({
        "delta_rule, false, 1e-4",
        "gated_delta_rule, true, 1e-4",
        "gated_delta_rule_strong_decay, true, 1e-3"
    })
    void equalsUpstream(String name, boolean gated, double tolerance) {
        try (NDManager manager = NDManager.newBaseManager();
                GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
            Map<String, NDArray> given = Conformance.load(manager, "ops/" + name + ".safetensors");
            List<String> inputs =
                    gated
                            ? List.of("q", "k", "v", "beta", "g", "h0")
                            : List.of("q", "k", "v", "beta", "h0");
            inputs.forEach(input -> given.get(input).setRequiresGradient(true));
            Shape shape = given.get("q").getShape();
            DeltaRule.Output output =
                    DeltaRule.apply(
                            given.get("q"),
                            given.get("k"),
                            given.get("v"),
                            given.get("beta"),
                            gated ? given.get("g") : null,
                            1 / Math.sqrt(shape.get(3)),
                            given.get("h0"),
                            Positions.range(manager, shape.get(0), shape.get(1), 1));
            Tensors.assertClose("o", output.values(), given.get("o"), tolerance);
            Tensors.assertClose("ht", output.state(), given.get("ht"), tolerance);
            NDArray loss =
                    output.values()
                            .mul(given.get("do"))
                            .sum()
                            .add(output.state().mul(given.get("dht")).sum());
            collector.backward(loss);
            for (String input : inputs) {
                Tensors.assertClose(
                        "d" + input,
                        given.get(input).getGradient(),
                        given.get("d" + input),
                        tolerance);
            }
        }
    }
}
