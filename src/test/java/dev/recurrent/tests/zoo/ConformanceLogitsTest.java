package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.zoo.Pretrained;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ConformanceLogitsTest {

    static List<String> models() {
        return Conformance.models();
    }

    /** 1e-4 is what the upstreams' own implementations differ by in fp32. */
    @ParameterizedTest
    @MethodSource("models")
    void computesUpstreamsLogits(String name) throws IOException, MalformedModelException {
        try (Pretrained pretrained = Pretrained.load(ZooCases.folder(name), Device.cpu());
                NDManager manager = pretrained.manager().newSubManager()) {
            Map<String, NDArray> expected =
                    Conformance.load(manager, name + "/expected.safetensors");
            NDArray ids = expected.get("input_ids");
            long rows = ids.getShape().get(0);
            long length = ids.getShape().get(1);
            LanguageModel.Output output =
                    pretrained
                            .model()
                            .forward(
                                    new ParameterStore(manager, false),
                                    ids,
                                    Positions.range(manager, rows, length, 0),
                                    null,
                                    false);
            assertThat(Tensors.relativeError(output.values(), expected.get("logits")))
                    .as(name)
                    .isLessThanOrEqualTo(1e-4);
        }
    }
}
